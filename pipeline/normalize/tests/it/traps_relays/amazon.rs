//! Amazon: End User Messaging, Pinpoint, SNS.

use model::vocabulary::Source;
use serde_json::{Value, json};

use super::{field, one, statuses, traps};

#[test]
fn traps_of_aws_eum() {
    traps(Source::AwsEum, EUM);
    statuses(Source::AwsEum, EUM_TYPES, |told| {
        json!({"eventType": told[0], "messageStatus": field(told, 1), "messageId": "m-7",
            "eventTimestamp": 1_795_176_001_482_i64, "destinationPhoneNumber": "+12025550143"})
        .to_string()
    });
}

const EUM_TYPES: &str = "
TEXT_QUEUED | QUEUED -> sms queued open none
MEDIA_QUEUED | QUEUED -> mms queued open none
RCS_QUEUED | QUEUED -> rcs queued open none
TEXT_PENDING | PENDING -> sms accepted open none
MEDIA_PENDING | PENDING -> mms accepted open none
TEXT_SENT | SENT -> sms sent open none
RCS_SENT | SENT -> rcs sent open none
RCS_SENT | PENDING -> rcs sent open none
TEXT_SUCCESSFUL | SUCCESSFUL -> sms sent open none
MEDIA_SUCCESSFUL | SUCCESSFUL -> mms sent open none
TEXT_DELIVERED | DELIVERED -> sms delivered final none
MEDIA_DELIVERED | DELIVERED -> mms delivered final none
RCS_DELIVERED | DELIVERED -> rcs delivered final none
RCS_READ | READ -> rcs read final none
TEXT_INVALID | INVALID -> sms rejected final unknown_recipient
TEXT_INVALID_MESSAGE | INVALID_MESSAGE -> sms rejected final invalid_request
TEXT_UNREACHABLE | UNREACHABLE -> sms undelivered final unreachable
MEDIA_CARRIER_UNREACHABLE | CARRIER_UNREACHABLE -> mms undelivered final unreachable
TEXT_BLOCKED | BLOCKED -> sms rejected final blocked
TEXT_CARRIER_BLOCKED | CARRIER_BLOCKED -> sms rejected final blocked
MEDIA_SPAM | SPAM -> mms rejected final spam
TEXT_PROTECT_BLOCKED | PROTECT_BLOCKED -> sms rejected final blocked
TEXT_TTL_EXPIRED | TTL_EXPIRED -> sms expired final expired
RCS_TTL_EXPIRED | TTL_EXPIRATION_REVOKED -> rcs expired final expired
RCS_TTL_EXPIRED | TTL_EXPIRATION_REVOKE_FAILED -> rcs expired open expired
TEXT_UNKNOWN | UNKNOWN -> sms unknown final none
RCS_FAILED | UNDELIVERABLE -> rcs undelivered final unreachable
RCS_FAILED | REJECTED -> rcs rejected final unknown
RCS_FALLEN_BACK_TO_SMS | - -> rcs sent open none
MEDIA_FILE_INACCESSIBLE | - -> mms rejected final invalid_request
MEDIA_FILE_TYPE_UNSUPPORTED | - -> mms rejected final invalid_request
MEDIA_FILE_SIZE_EXCEEDED | - -> mms rejected final invalid_request
VOICE_INITIATED | - -> voice sent open none
VOICE_RINGING | - -> voice sent open none
VOICE_ANSWERED | - -> voice sent open none
VOICE_COMPLETED | - -> voice delivered final none
VOICE_BUSY | - -> voice undelivered final unreachable
VOICE_NO_ANSWER | - -> voice undelivered final unreachable
VOICE_FAILED | - -> voice failed final unknown
VOICE_TTL_EXPIRED | - -> voice expired final expired
ALL | - -> unknown unknown open none
TEXT_ALL | - -> sms unknown open none
RCS_ALL | - -> rcs unknown open none
";

const EUM: &str = r#"
the carrier's fee is beside the message's price, times are milliseconds, an agent has no number
{"eventType":"RCS_DELIVERED","eventVersion":"1.0","eventTimestamp":1795176001660,"isFinal":true,
 "originationPhoneNumber":"rcs-0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d","messageStatus":"DELIVERED",
 "destinationPhoneNumber":"+12025550143","messageId":"r-71","messageEncoding":"Unicode",
 "messageRequestTimestamp":1795176000000,"totalMessageParts":1,"totalMessagePrice":0.007,
 "totalCarrierFee":0.00494,"rcsMetadata":{"billingEventType":"RICH"},"context":{"k":"v"}}
= price=0.011940000; price_unit=message; currency=USD; event_time=2026-11-20T12:00:01.660000Z
$ kind=carrier_fee; amount=0.004940000; currency=USD

a READ may be older than its DELIVERED, and says a price of 0 after it
{"eventType":"RCS_READ","eventTimestamp":1795176001203,"isFinal":true,"messageStatus":"READ",
 "originationPhoneNumber":"rcs-0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d","messageId":"r-71",
 "destinationPhoneNumber":"+12025550143","totalMessagePrice":0.0}
= status=read; event_time=2026-11-20T12:00:01.203000Z; message_key=as above; price=0.000000000

each event repeats the price: message and type are the event
{"eventType":"RCS_READ","eventTimestamp":1795176001999,"isFinal":true,"messageStatus":"READ",
 "messageId":"r-71","destinationPhoneNumber":"+12025550143","messageEncoding":"UNICODE"}
= event_id=as above; message_key=as above

inside a conversation the price is 0, and the conversation's fee is a charge
{"eventType":"RCS_DELIVERED","eventTimestamp":1795176001660,"messageStatus":"DELIVERED",
 "messageId":"r-72","destinationPhoneNumber":"+12025550143","totalMessagePrice":0,
 "conversationInitiatingMessageId":"i-71","conversationInitiatingMessageType":"INBOUND",
 "conversationSessionFee":0.012}
= price=0.000000000
$ kind=conversation; amount=0.012000000; currency=USD

it repeats on the conversation's other messages: one charge
{"eventType":"RCS_DELIVERED","eventTimestamp":1795176009660,"messageStatus":"DELIVERED",
 "messageId":"r-73","destinationPhoneNumber":"+12025550143","totalMessagePrice":0,
 "conversationInitiatingMessageId":"i-71","conversationInitiatingMessageType":"INBOUND",
 "conversationSessionFee":0.012}
= message_key=not as above
$ charge_id=as above

a conversation lasts five minutes more than its 24 hours: what comes in them is of it as well
{"eventType":"RCS_DELIVERED","eventTimestamp":1795262641660,"messageStatus":"DELIVERED",
 "messageId":"r-74","destinationPhoneNumber":"+12025550143","totalMessagePrice":0,
 "conversationInitiatingMessageId":"i-71","conversationInitiatingMessageType":"INBOUND",
 "conversationSessionFee":0.012}
= event_time=2026-11-21T12:04:01.660000Z; price=0.000000000
$ charge_id=as above; amount=0.012000000

mcc and mnc are text with their zeros; no carrier's name, the network has one
{"eventType":"TEXT_DELIVERED","eventTimestamp":1795176001482,"messageStatus":"DELIVERED",
 "messageId":"m-71","destinationPhoneNumber":"+12025550143","isoCountryCode":"US","mcc":"310",
 "mnc":"090","messageType":"PROMOTIONAL","totalMessageParts":2,"totalMessagePrice":0.0166}
= mcc=310; mnc=090; carrier=AT&T; country=US; segments=2; traffic_class=marketing

they may be missing
{"eventType":"TEXT_DELIVERED","eventTimestamp":1795176001482,"messageStatus":"DELIVERED",
 "messageId":"m-72","destinationPhoneNumber":"+12025550143","messageType":"TRANSACTIONAL"}
= mcc=null; mnc=null; carrier=null; price=null; currency=null; traffic_class=transactional

SUCCESSFUL is the carrier's word for want of a receipt: final, and still not the handset's
{"eventType":"TEXT_SUCCESSFUL","eventTimestamp":1795176001482,"messageStatus":"SUCCESSFUL",
 "messageId":"m-73","destinationPhoneNumber":"+12025550143","isFinal":true}
= status=sent; is_final=true

what a client tells comes inbound, with numbers without a plus and JSON inside a text
{"originationNumber":"12025550143","destinationNumber":"15550100077","inboundMessageId":"i-71",
 "messageBody":"{\"type\":\"CONVERSATION_STARTED\",\"at\":\"2026-11-20T12:00:00.002+0000\"}"}
! ignored conversation

when it ends is told there and then, and no event
{"originationNumber":"12025550143","destinationNumber":"15550100077","inboundMessageId":"i-71",
 "messageBody":"{\"type\":\"CONVERSATION_STARTED\",\"endTime\":\"2026-11-21T12:05:00.002+0000\"}"}
! ignored conversation

typing
{"originationNumber":"12025550143","destinationNumber":"15550100077","inboundMessageId":"i-72",
 "messageBody":"{\"type\":\"RCS_TYPING\"}"}
! ignored typing

a tap
{"originationNumber":"12025550143","destinationNumber":"15550100077","inboundMessageId":"i-73",
 "messageBody":"{\"type\":\"SUGGESTION\"}"}
! ignored click

a text
{"originationNumber":"+12025550143","destinationNumber":"+15550100077","inboundMessageId":"i-74",
 "messageBody":"STOP","messageKeyword":"k"}
! ignored inbound
"#;

#[test]
fn traps_of_aws_pinpoint() {
    traps(Source::AwsPinpoint, PINPOINT);
    statuses(Source::AwsPinpoint, PINPOINT_TYPES, |told| {
        json!({"event_type": told[0], "event_timestamp": 1_795_176_001_482_i64,
            "attributes": {"message_id": "p-7", "record_status": field(told, 1)}})
        .to_string()
    });
}

const PINPOINT_TYPES: &str = "
_SMS.BUFFERED | SUCCESSFUL -> sms sent open none
_SMS.SUCCESS | DELIVERED -> sms delivered final none
_SMS.SUCCESS | SUCCESSFUL -> sms sent open none
_SMS.FAILURE | INVALID -> sms rejected final unknown_recipient
_SMS.FAILURE | INVALID_MESSAGE -> sms rejected final invalid_request
_SMS.FAILURE | UNREACHABLE -> sms undelivered final unreachable
_SMS.FAILURE | CARRIER_UNREACHABLE -> sms undelivered final unreachable
_SMS.FAILURE | BLOCKED -> sms rejected final blocked
_SMS.FAILURE | CARRIER_BLOCKED -> sms rejected final blocked
_SMS.FAILURE | SPAM -> sms rejected final spam
_SMS.FAILURE | TTL_EXPIRED -> sms expired final expired
_SMS.FAILURE | UNKNOWN -> sms unknown final none
_SMS.FAILURE | - -> sms failed final unknown
";

const PINPOINT: &str = r#"
attributes are all text, the price is thousandths of a US cent, the carrier may be named
{"event_type":"_SMS.SUCCESS","event_timestamp":1795176001482,"attributes":{"message_id":"p-71",
 "record_status":"DELIVERED","number_of_message_parts":"2","message_type":"Promotional",
 "destination_phone_number":"+12025550143","iso_country_code":"US","carrier_name":"Example"},
 "metrics":{"price_in_millicents_usd":1290.5}}
= price=0.012905000; price_unit=message; currency=USD; segments=2; carrier=Example; country=US

in some copies the time is ISO 8601: it is the same instant, so the same event
{"event_type":"_SMS.SUCCESS","event_timestamp":"2026-11-20T12:00:01.482Z",
 "attributes":{"message_id":"p-71","record_status":"DELIVERED"}}
= event_time=2026-11-20T12:00:01.482000Z; event_id=as above; price=null; carrier=null

BUFFERED and SUCCESS may say the same word at the same time: the type is part of the event
{"event_type":"_SMS.BUFFERED","event_timestamp":1795176001482,
 "attributes":{"message_id":"p-71","record_status":"DELIVERED"}}
= event_id=not as above; message_key=as above

somebody opted out
{"event_type":"_SMS.OPTOUT","event_timestamp":1795176001482,"attributes":{"message_id":"p-72"}}
! ignored subscription

somebody wrote
{"event_type":"_SMS.RECEIVED","event_timestamp":1795176001482,"attributes":{"message_id":"p-73"}}
! ignored inbound

and where it leaves out the zone, it is UTC
{"event_type":"_SMS.SUCCESS","event_timestamp":"2026-11-20T12:00:01.482",
 "attributes":{"message_id":"p-78","record_status":"DELIVERED"}}
= event_time=2026-11-20T12:00:01.482000Z
"#;

#[test]
fn traps_of_aws_sns() {
    traps(Source::AwsSns, SNS);
    statuses(Source::AwsSns, SNS_RESPONSES, |told| sns(told[0], &field(told, 1)).to_string());
}

fn sns(status: &str, response: &Value) -> Value {
    json!({"notification": {"messageId": "s-7", "timestamp": "2026-11-20 12:00:00.482"},
        "delivery": {"destination": "+12025550143", "providerResponse": response},
        "status": status})
}

const SNS_RESPONSES: &str = "
SUCCESS | Message has been accepted by phone carrier -> sms sent open none
SUCCESS | Message has been accepted by phone -> sms delivered final none
SUCCESS | Delivered -> sms delivered final none
SUCCESS | - -> sms sent open none
FAILURE | Blocked as spam by phone carrier -> sms rejected final spam
FAILURE | Phone carrier has blocked this message -> sms rejected final blocked
FAILURE | Destination is blacklisted -> sms rejected final blocked
FAILURE | Phone is blacklisted -> sms rejected final blocked
FAILURE | Phone number is opted out -> sms rejected final opted_out
FAILURE | Message body is invalid -> sms rejected final invalid_request
FAILURE | Invalid phone number -> sms rejected final unknown_recipient
FAILURE | This delivery would exceed max price -> sms rejected final configuration
FAILURE | Phone carrier is currently unreachable/unavailable -> sms undelivered final unreachable
FAILURE | Phone is currently unreachable/unavailable -> sms undelivered final unreachable
FAILURE | Phone has blocked SMS -> sms undelivered final blocked
FAILURE | Unknown error attempting to reach phone -> sms failed final unknown
";

const SNS: &str = r#"
the time is UTC without saying so, the price of all parts is in dollars, 0 is no network
{"notification":{"messageId":"s-71","timestamp":"2026-11-20 12:00:00.482"},"status":"SUCCESS",
 "delivery":{"phoneCarrier":"Example","mnc":0,"mcc":0,"numberOfMessageParts":2,"smsType":
 "Transactional","destination":"+12025550143","priceInUSD":0.0129,"dwellTimeMs":518,
 "providerResponse":"Message has been accepted by phone carrier"}}
= event_time=2026-11-20T12:00:01.000000Z; event_time_source=vendor; mcc=null; mnc=null; segments=2

what is not known is not there
{"notification":{"messageId":"s-72","timestamp":"2026-11-20 12:00:00.482"},"status":"SUCCESS",
 "delivery":{"mnc":4,"mcc":310,"destination":"+12025550143","providerResponse":"Delivered"}}
= segments=null; price=null; currency=null; mcc=310; mnc=004; status=delivered

the documentation's sample has curly quotes and is no JSON
{“notification”: {“messageId”: “s-73”}, “status”: “SUCCESS”}
! dead syntax

of the usage report each part has a row with a part's price; its words have no time of their own
PublishTimeUTC,MessageId,DestinationPhoneNumber,DeliveryStatus,PriceInUSD,PartNumber,TotalParts
2026-11-20T12:00:00.482Z,s-74,12025550143,Message has been accepted by phone,0.00645,1,2
2026-11-20T12:00:00.482Z,s-74,12025550143,Message has been accepted by phone,0.00645,2,2
$ kind=segment; quantity=2.000000000; amount=0.012900000; currency=USD; channel=sms
$ kind=segment; quantity=2.000000000; amount=0.012900000
"#;

#[test]
fn traps_of_aws_sns_the_log_events_id_is_the_events() {
    let log = sns("SUCCESS", &json!("Delivered")).to_string();
    let read = |id: &str| {
        let batch = json!({"messageType": "DATA_MESSAGE", "owner": "123456789077",
            "logEvents": [{"id": id, "timestamp": 1_795_176_000_482_i64, "message": log}]});
        one(Source::AwsSns, &batch.to_string())
    };
    let (first, again, other) = (read("3777"), read("3777"), read("3778"));
    assert_eq!(first["event_id"], again["event_id"]);
    assert_ne!(first["event_id"], other["event_id"]);
    assert_eq!(first["message_key"], other["message_key"]);
    assert_eq!(first["account"], "123456789077");
}

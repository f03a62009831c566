//! Azure, push (FCM, APNs, Web Push), OneSignal, Braze, an app's own CloudEvents.

use model::vocabulary::Source;
use serde_json::{Value, json};

use super::{field, statuses, traps};

/// An HTTP status as a number.
fn number(fields: &[&str]) -> Value {
    fields[0].parse::<u16>().unwrap().into()
}

#[test]
fn traps_of_azure_acs() {
    traps(Source::AzureAcs, AZURE);
    statuses(Source::AzureAcs, AZURE_STATUSES, |told| {
        json!([{"id": "o-7", "eventType": "Microsoft.Communication.SMSDeliveryReportReceived",
            "data": {"messageId": "o-7", "to": "+12025550143", "deliveryStatus": told[0],
            "deliveryStatusDetails": field(told, 1)}}])
        .to_string()
    });
}

const AZURE_STATUSES: &str = "
Delivered | No error. -> sms delivered final none
Failed -> sms failed final unknown
Failed | 4006 -> sms undelivered final unreachable
Failed | 4007: opted out -> sms failed final opted_out
Failed | 5002 -> sms unknown final unknown
Failed | InsufficientSegments -> sms failed final invalid_request
Expired -> sms expired final expired
";

const AZURE: &str = r#"
from has no plus, to has one; seven decimals; parts of the last attempt; no price, no carrier
[{"id":"o-71","eventType":"Microsoft.Communication.SMSDeliveryReportReceived","dataVersion":"1.0",
 "eventTime":"2026-11-20T12:03:21Z","subject":"/phonenumber/15555550177","data":{"from":
 "15555550177","to":"+12025550143","messageId":"o-71","deliveryStatus":"Delivered","Tag":"t-7",
 "receivedTimestamp":"2026-11-20T12:03:20.2855749Z","deliveryAttempts":[
 {"timestamp":"2026-11-20T12:03:18Z","segmentsSucceeded":0,"segmentsFailed":3},
 {"timestamp":"2026-11-20T12:03:20Z","segmentsSucceeded":2,"segmentsFailed":0}]}}]
= sender=15555550177; event_time=2026-11-20T12:03:20.285574Z; segments=2; price=null; carrier=null

id is the message's: another report of it has another time; SDKs spell the tag small
[{"id":"o-71","eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
 "eventTime":"2026-11-20T12:04:21Z","data":{"from":"15555550177","to":"+12025550143",
 "messageId":"o-71","deliveryStatus":"Delivered","tag":"t-7"}}]
= event_id=not as above; message_key=as above; logical_id=t-7; recipient_token=as above

without from the subject names the sender
[{"id":"o-72","eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
 "eventTime":"2026-11-20T12:04:21Z","subject":"/phonenumber/15555550177",
 "data":{"to":"+12025550143","messageId":"o-72","deliveryStatus":"Delivered"}}]
= sender=15555550177

Event Grid asks whether the address is ours
[{"id":"v-71","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent",
 "eventTime":"2026-11-20T12:00:00Z","data":{"validationCode":"c","validationUrl":"u"}}]
! ignored handshake

of CloudEvents it asks with OPTIONS
@ method: OPTIONS
@ url: https://example.com/acs
@ http-webhook-request-origin: eventgrid.azure.net
! ignored handshake
"#;

#[test]
fn traps_of_fcm() {
    traps(Source::Fcm, FCM);
    statuses(Source::Fcm, FCM_ERRORS, |told| {
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let details = json!([{"@type": "type.googleapis.com/google.rpc.BadRequest"},
            {"@type": kind, "errorCode": field(told, 1)}]);
        json!({"request": {"message_id": "own-7"}, "status": number(told),
            "body": {"error": {"code": number(told), "details": details}}})
        .to_string()
    });
    statuses(Source::Fcm, FCM_ROWS, |told| {
        json!({"event": told[0], "message_id": "0:77%aa", "project_number": "1234567877",
            "event_timestamp": "2026-11-20 12:00:05.482 UTC", "instance_id": "fid-7a7a7a"})
        .to_string()
    });
}

const FCM_ERRORS: &str = "
400 | INVALID_ARGUMENT -> push_fcm rejected final invalid_request
404 | UNREGISTERED -> push_fcm undelivered final unknown_recipient
403 | SENDER_ID_MISMATCH -> push_fcm rejected final configuration
429 | QUOTA_EXCEEDED -> push_fcm failed final throttled
503 | UNAVAILABLE -> push_fcm failed final vendor_internal
500 | INTERNAL -> push_fcm failed final vendor_internal
401 | THIRD_PARTY_AUTH_ERROR -> push_fcm failed final configuration
500 | UNSPECIFIED_ERROR -> push_fcm unknown open unknown
502 | - -> push_fcm failed final vendor_internal
";

const FCM_ROWS: &str = "
MESSAGE_ACCEPTED -> push_fcm accepted open none
MESSAGE_DELIVERED -> push_fcm delivered final none
MISSING_REGISTRATIONS -> push_fcm rejected final unknown_recipient
INVALID_REGISTRATION -> push_fcm rejected final unknown_recipient
MISMATCH_SENDER_ID -> push_fcm rejected final configuration
INVALID_PARAMETERS -> push_fcm rejected final invalid_request
INVALID_PACKAGE_NAME -> push_fcm rejected final configuration
INVALID_APNS_CREDENTIAL -> push_fcm rejected final configuration
PAYLOAD_TOO_LARGE -> push_fcm rejected final invalid_request
INVALID_TTL -> push_fcm rejected final invalid_request
AUTHENTICATION_ERROR -> push_fcm rejected final configuration
UNAUTHORIZED_REGISTRATION -> push_fcm rejected final configuration
QUOTA_EXCEEDED -> push_fcm failed final throttled
MESSAGE_RECEIVED_INTERNAL_ERROR -> push_fcm failed final vendor_internal
";

const FCM: &str = r#"
an answer's name holds project and id, and accepted is all that it says
{"name":"projects/demo-7/messages/0:1795176000%aa77"}
= message_id=0:1795176000%aa77; account=demo-7; status=accepted; is_final=false; price=null

the export has the id alone; its delivered is the app's word; times are UTC
{"event":"MESSAGE_DELIVERED","message_id":"0:1795176000%aa77","project_number":"1234567877",
 "event_timestamp":"2026-11-20 12:00:05.482 UTC","instance_id":"fid-7a7a7a"}
= message_key=as above; receipt_class=app; event_time=2026-11-20T12:00:05.482000Z; price=null

an error names no message: the sender has to, beside it
{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}
! dead missing_id

then the token is the recipient
{"request":{"message_id":"own-71","message":{"token":"fid-7a7a7a"}},"status":404,
 "body":{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}}
= message_id=own-71; recipient_token=as above; recipient_prefix=null

or the fid that takes its place
{"request":{"message_id":"own-72","message":{"fid":"fid-7a7a7a"}},"status":404,
 "body":{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}}
= message_id=own-72; recipient_token=as above

delivery data are percentages of a Pacific day: no event, whatever they count as text
{"androidDeliveryData":[{"appId":"1:7:android:7","date":{"year":2026,"month":11,"day":20},
 "analyticsLabel":"l","data":{"countMessagesAccepted":"1200","messageOutcomePercents":{
 "delivered":91.5}}}]}
! ignored delivery_data
"#;

#[test]
fn traps_of_apns() {
    traps(Source::Apns, APNS);
    statuses(Source::Apns, APNS_REASONS, |told| {
        json!({"request": {"path": "/3/device/7a7a7a7a7a7a"}, "status": number(told),
            "headers": {"apns-id": "A-7"}, "body": {"reason": field(told, 1)}})
        .to_string()
    });
}

const APNS_REASONS: &str = "
200 | - -> push_apns accepted open none
400 | BadCollapseId -> push_apns rejected final invalid_request
400 | BadDeviceToken -> push_apns rejected final unknown_recipient
400 | BadExpirationDate -> push_apns rejected final invalid_request
400 | BadMessageId -> push_apns rejected final invalid_request
400 | BadPriority -> push_apns rejected final invalid_request
400 | BadTopic -> push_apns rejected final configuration
400 | DeviceTokenNotForTopic -> push_apns rejected final configuration
400 | DuplicateHeaders -> push_apns rejected final invalid_request
400 | IdleTimeout -> push_apns rejected final invalid_request
400 | InvalidPushType -> push_apns rejected final invalid_request
400 | MissingDeviceToken -> push_apns rejected final invalid_request
400 | MissingTopic -> push_apns rejected final invalid_request
400 | PayloadEmpty -> push_apns rejected final invalid_request
400 | TopicDisallowed -> push_apns rejected final configuration
403 | BadCertificate -> push_apns failed final configuration
403 | BadCertificateEnvironment -> push_apns failed final configuration
403 | BadEnvironmentKeyIdInToken -> push_apns failed final configuration
403 | ExpiredProviderToken -> push_apns failed final configuration
403 | Forbidden -> push_apns failed final configuration
403 | InvalidProviderToken -> push_apns failed final configuration
403 | MissingProviderToken -> push_apns failed final configuration
403 | UnrelatedKeyIdInToken -> push_apns failed final configuration
404 | BadPath -> push_apns failed final invalid_request
405 | MethodNotAllowed -> push_apns failed final invalid_request
410 | ExpiredToken -> push_apns undelivered final unknown_recipient
410 | Unregistered -> push_apns undelivered final unknown_recipient
413 | PayloadTooLarge -> push_apns rejected final invalid_request
429 | TooManyProviderTokenUpdates -> push_apns failed final throttled
429 | TooManyRequests -> push_apns failed final throttled
500 | InternalServerError -> push_apns failed final vendor_internal
503 | ServiceUnavailable -> push_apns failed final vendor_internal
503 | Shutdown -> push_apns failed final vendor_internal
";

const APNS: &str = r#"
200 has an empty body and is accepted, for good; apns-unique-id is of development alone
{"request":{"path":"/3/device/7a7a7a7a7a7a"},"status":200,"body":"",
 "headers":{"apns-unique-id":"dev-71","apns-id":"A-71"}}
= message_id=A-71; status=accepted; is_final=false; receipt_class=none; event_time=null

only a 410 has a time, in milliseconds; a flat line of the sender's log is read too
{"apns_id":"A-72","status":410,"reason":"Unregistered","timestamp":1795176005482,
 "topic":"com.example.app","push_type":"alert","token_hash":"7a7a7a7a7a7a","sent_at":1795176005}
= event_time=2026-11-20T12:00:05.482000Z; submit_time=2026-11-20T12:00:05.000000Z

a token is to be dropped if it was registered before the 410's time, long before this push or not
{"apns_id":"A-74","status":410,"reason":"Unregistered","timestamp":1792584005482,
 "token_hash":"7a7a7a7a7a7a","sent_at":1795176005}
= event_time=2026-10-21T12:00:05.482000Z; event_time_source=vendor; recipient_token=any

without the time of the push that of the token is not the event's: it would count last month
@ received-at: 2026-11-20T12:00:06Z
{"apns_id":"A-75","status":410,"reason":"Unregistered","timestamp":1792584005482,
 "token_hash":"7a7a7a7a7a7a"}
= event_time=2026-11-20T12:00:06.000000Z; event_time_source=header; recipient_token=as above

what is no 410 tells no time of a token, and none is to be dropped for it
@ received-at: 2026-11-20T12:00:06Z
{"apns_id":"A-76","status":429,"reason":"TooManyRequests","token_hash":"7a7a7a7a7a7a"}
= event_time=2026-11-20T12:00:06.000000Z; error_class=throttled; recipient_token=as above

a broadcast or Live Activity answers with apns-request-id
{"status":200,"headers":{"apns-request-id":"R-73"},"body":""}
= message_id=R-73; status=accepted

a token and what somebody made of it are one device, whichever comes first
{"apns_id":"A-79","status":410,"reason":"Unregistered","token":"8b8b8b8b8b8b","token_hash":"x1"}
= status=undelivered; recipient_token=any

in another order
{"apns_id":"A-79","status":410,"reason":"Unregistered","token_hash":"x1","token":"8b8b8b8b8b8b"}
= recipient_token=as above
"#;

#[test]
fn traps_of_webpush() {
    traps(Source::Webpush, WEBPUSH);
    statuses(Source::Webpush, WEBPUSH_STATUSES, |told| {
        json!({"message_id": "own-7", "endpoint": "https://push.example.net/p/7a7a7a7a7a7a7a",
            "status": number(told)})
        .to_string()
    });
}

const WEBPUSH_STATUSES: &str = "
201 -> push_web accepted open none
202 -> push_web accepted open none
400 -> push_web rejected final invalid_request
401 -> push_web failed final configuration
403 -> push_web failed final configuration
404 -> push_web undelivered final unknown_recipient
410 -> push_web undelivered final unknown_recipient
413 -> push_web rejected final invalid_request
429 -> push_web failed final throttled
500 -> push_web failed final vendor_internal
";

const WEBPUSH: &str = r#"
202 promises a receipt; the message is Location's, not the receipt's that Link names
{"request":{"endpoint":"https://push.example.net/p/7a7a7a7a7a7a7a"},"status":202,"headers":{
 "link":"</receipts/71>; rel=\"urn:ietf:params:push:receipt\"","location":"/message/q71",
 "date":"Fri, 20 Nov 2026 12:00:05 GMT"}}
= message_id=https://push.example.net/message/q71; status=accepted; receipt_class=none

a receipt's 204 is the user agent's acknowledgement
{"request":{"method":"GET","url":"https://push.example.net/receipts/71"},"status":204,
 "headers":{":path":"/message/q71"}}
= message_key=as above; status=delivered; is_final=true; receipt_class=none

its 410 is a message that was never acknowledged
{"request":{"method":"GET","url":"https://push.example.net/receipts/71"},"status":410,
 "headers":{":path":"/message/q72"}}
= message_key=not as above; status=expired; is_final=true
"#;

#[test]
fn traps_of_onesignal() {
    traps(Source::Onesignal, ONESIGNAL);
    statuses(Source::Onesignal, ONESIGNAL_KINDS, |told| {
        json!({"event_id": "e-7", "event_kind": told[0], "message_id": "b-7",
            "subscription_id": "s-7", "event_timestamp": "2026-11-20 12:00:05 UTC"})
        .to_string()
    });
}

const ONESIGNAL_KINDS: &str = "
message.push.sent -> push sent open none
message.push.received -> push delivered final none
message.push.clicked -> push read final none
message.push.failed -> push failed final unknown
message.sms.sent -> sms sent open none
message.sms.delivered -> sms delivered final none
message.sms.failed -> sms failed final unknown
message.sms.undelivered -> sms undelivered final unknown
message.email.delivered -> email delivered final none
message.iam.clicked -> in_app read final none
";

const ONESIGNAL: &str = r#"
message_id is the batch's: a message is it and the subscription; device_type is a number
{"event_id":"e-71","event_kind":"message.push.received","event_timestamp":"2026-11-20 12:00:05 UTC",
 "message_id":"b-71","subscription_id":"s-71","device_type":1,"token":"tok-7a7a7a",
 "message_title":"t","message_contents":"c"}
= message_id=b-71; channel=push_fcm; receipt_class=app; event_time=2026-11-20T12:00:05.000000Z

the same of another subscription
{"event_id":"e-72","event_kind":"message.push.received","event_timestamp":"2026-11-20 12:00:05 UTC",
 "message_id":"b-71","subscription_id":"s-72","device_type":1,"token":"tok-7b7b7b"}
= message_id=b-71; message_key=not as above; event_id=not as above

event_id tells a redelivered event
{"event_id":"e-72","event_kind":"message.push.received","event_timestamp":"2026-11-20 12:00:09 UTC",
 "message_id":"b-71","subscription_id":"s-72","device_type":1,"token":"tok-7b7b7b"}
= message_key=as above; event_id=as above

somebody unsubscribed
{"event_id":"e-73","event_kind":"message.push.unsubscribed","message_id":"b-71",
 "subscription_id":"s-72"}
! ignored subscription

the stream's body is a template of the customer's: the default has no message
{"event":{"kind":"message.push.received","id":"e-74","timestamp":1795176005}}
! dead missing_id

once it names the message it is read
{"event":{"kind":"message.push.received","id":"e-75","timestamp":1795176005,
 "subscription_id":"s-71"},"message":{"id":"b-71"}}
= message_id=b-71; status=delivered; event_time=2026-11-20T12:00:05.000000Z
"#;

#[test]
fn traps_of_braze() {
    traps(Source::Braze, BRAZE);
    statuses(Source::Braze, BRAZE_TYPES, |told| {
        let kind = format!("users.messages.{}", told[0]);
        json!({"events": [{"event_type": kind, "id": "e-7", "time": 1_795_176_005,
            "user": {"user_id": "u-7"}, "properties": {"dispatch_id": "d-7"}}]})
        .to_string()
    });
}

const BRAZE_TYPES: &str = "
pushnotification.Send -> push sent open none
pushnotification.Bounce -> push undelivered final unknown_recipient
pushnotification.Open -> push read final none
pushnotification.Abort -> push canceled final none
pushnotification.IosForeground -> push delivered final none
pushnotification.Retry -> push queued open none
sms.Send -> sms sent open none
sms.CarrierSend -> sms sent open none
sms.Delivery -> sms delivered final none
sms.DeliveryFailure -> sms failed final unknown
sms.Rejection -> sms rejected final unknown
sms.Abort -> sms canceled final none
rcs.Delivery -> rcs delivered final none
rcs.Read -> rcs read final none
rcs.Rejection -> rcs rejected final unknown
whatsapp.Delivery -> whatsapp delivered final none
whatsapp.Read -> whatsapp read final none
whatsapp.Failure -> whatsapp failed final unknown
";

const BRAZE: &str = r#"
time is seconds; a bounced push has lost its device
{"events":[{"event_type":"users.messages.pushnotification.Bounce","id":"e-71","time":1795176005,
 "user":{"user_id":"u-71","external_user_id":"x-71","timezone":"Europe/Berlin"},
 "properties":{"dispatch_id":"d-71","platform":"android","device_id":"dev-71","send_id":"n",
 "push_token":"tok-7a7a7a","campaign_id":"c-71"}}]}
= event_time=2026-11-20T12:00:05.000000Z; channel=push_fcm; receipt_class=none; campaign=c-71

time_ms is finer, and id tells a redelivered event
{"events":[{"event_type":"users.messages.pushnotification.Bounce","id":"e-71","time":1795176005,
 "time_ms":1795176005482,"user":{"user_id":"u-71"},
 "properties":{"dispatch_id":"d-71","platform":"android","device_id":"dev-71"}}]}
= event_time=2026-11-20T12:00:05.482000Z; event_id=as above; message_key=as above

an inbound text
{"events":[{"event_type":"users.messages.sms.InboundReceive","id":"e-72","time":1795176005}]}
! ignored inbound

a click on a short link
{"events":[{"event_type":"users.messages.sms.ShortLinkClick","id":"e-73","time":1795176005}]}
! ignored click

what people did elsewhere, and what Braze's own agents did
{"events":[{"event_type":"users.behaviors.CustomEvent","id":"e-74","time":1795176005},
 {"event_type":"agentconsole.AgentInvocation","id":"e-75","time":1795176005}]}
! ignored agent
! ignored behavior

an area that nobody knows
{"events":[{"event_type":"agentconsole","id":"e-76","time":1795176005}]}
! dead unknown_variant
"#;

#[test]
fn traps_of_cloudevents() {
    traps(Source::Cloudevents, CLOUDEVENTS);
    statuses(Source::Cloudevents, CLOUDEVENTS_WORDS, |told| {
        json!({"specversion": "1.0", "id": "e-7", "source": "/app", "type": "com.example.msg.x",
            "data": {"message_id": "a-7", "channel": "in_app", "status": told[0]}})
        .to_string()
    });
}

const CLOUDEVENTS_WORDS: &str = "
accepted -> in_app accepted open none
queued -> in_app queued open none
sent -> in_app sent open none
delivered -> in_app delivered final none
read -> in_app read final none
displayed -> in_app read final none
seen -> in_app read final none
opened -> in_app read final none
undelivered -> in_app undelivered final unknown
failed -> in_app failed final unknown
expired -> in_app expired final expired
rejected -> in_app rejected final unknown
canceled -> in_app canceled final none
unknown -> in_app unknown open none
pondered -> in_app unknown open none
";

const CLOUDEVENTS: &str = r#"
amount is text of the whole message; units are parts where they are segments
{"specversion":"1.0","id":"1","source":"/apps/ios","type":"com.example.msg.delivered",
 "time":"2026-11-20T12:00:05.482Z","subject":"m-0","datacontenttype":"application/json",
 "data":{"message_id":"a-71","channel":"sms","provider":"p","recipient_ref":"+12025550143",
 "status":"delivered","billing":{"units":3,"unit":"segments","price":{"amount":"0.0300",
 "currency":"eur"}}}}
= message_id=a-71; price=0.030000000; price_unit=message; currency=EUR; segments=3

id identifies an event within its source only; units of messages are no parts
{"specversion":"1.0","id":"1","source":"/apps/android","type":"com.example.msg.delivered",
 "data":{"message_id":"a-71","channel":"sms","status":"delivered",
 "billing":{"units":1,"unit":"message","price":{"amount":"0.0100","currency":"EUR"}}}}
= event_id=not as above; message_key=as above; segments=null; price=0.010000000

where data tells no status the type's last word does
{"specversion":"1.0","id":"2","source":"/apps/android","type":"com.example.msg.failed",
 "data":{"message_id":"a-72","channel":"imessage","error":{"code":"blocked","text":"t"}}}
= status=failed; is_final=true; channel=imessage; error_code=blocked; error_class=blocked

in Kafka's binary mode the attributes are headers and the value is data
@ ce_id: 2
@ ce_source: /apps/android
@ ce_type: com.example.msg.failed
@ ce_time: 2026-11-20T12:00:05Z
@ content-type: application/json
{"message_id":"a-72","channel":"imessage","error":{"code":"blocked"}}
= event_id=as above; message_key=as above; status=failed; event_time=2026-11-20T12:00:05.000000Z

with the content type of structured mode the value is the event, whatever the headers say
@ ce_id: 3
@ content-type: application/cloudevents+json; charset=UTF-8
{"specversion":"1.0","id":"2","source":"/apps/android","type":"com.example.msg.failed",
 "data":{"message_id":"a-72","channel":"imessage"}}
= event_id=as above; message_key=as above
"#;

//! RCS (Google, GSMA MaaP) and SMPP.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::keys::Keyring;
use model::vocabulary::{Source, Status};
use normalize::{AccountRule, Accounts, Normalizer, Regional, Settings, Zone};
use serde_json::{Value, json};

use super::{field, one, read, statuses, traps};
use crate::fixtures::{Case, batch, charges, input, lines};

#[test]
fn traps_of_google_rbm() {
    traps(Source::GoogleRbm, GOOGLE_RBM);
}

const GOOGLE_RBM: &str = r#"
a DELIVERED is final, and no event tells a price or a carrier
{"senderPhoneNumber":"+12025550143","eventType":"DELIVERED","eventId":"e-71","messageId":"m-71",
 "agentId":"shop@rbm.goog","sendTime":"2026-11-20T12:00:03.250Z"}
= message_id=m-71; channel=rcs; status=delivered; is_final=true; price=null; carrier=null

eventId tells a redelivered event, whatever stands beside it
{"senderPhoneNumber":"+12025550143","eventType":"DELIVERED","eventId":"e-71","messageId":"m-71",
 "agentId":"shop@rbm.goog","sendTime":"2026-11-20T12:09:00Z"}
= event_id=as above; message_key=as above

a READ may come without its DELIVERED, without sendTime, and settles the delivery too
{"senderPhoneNumber":"+12025550143","eventType":"READ","eventId":"e-72","messageId":"m-71",
 "agentId":"shop@rbm.goog"}
= status=read; is_final=true; event_time=null; event_id=not as above; message_key=as above

a server event has phoneNumber where a user's has senderPhoneNumber: one person, one token
{"phoneNumber":"+12025550143","eventType":"TTL_EXPIRATION_REVOKED","eventId":"e-73",
 "messageId":"m-72","agentId":"shop@rbm.goog","sendTime":"2026-11-20T12:00:03Z"}
= status=expired; is_final=true; error_class=expired; recipient_token=as above

a revocation that failed is not the end: a DELIVERED may still come
{"phoneNumber":"+12025550143","eventType":"TTL_EXPIRATION_REVOKE_FAILED","eventId":"e-74",
 "messageId":"m-72","agentId":"shop@rbm.goog","sendTime":"2026-11-20T12:00:03Z"}
= status=sent; is_final=false; message_key=as above

the documentation's sample of a server event is no JSON
{"phoneNumber":"+12025550143","eventType":"TTL_EXPIRATION_REVOKED" "messageId":"m-72"}
! dead syntax

a handshake is no event
{"clientToken":"t-7","secret":"s-7"}
! ignored handshake

IS_TYPING is of no message
{"senderPhoneNumber":"+12025550143","eventType":"IS_TYPING","eventId":"e-75","agentId":"a"}
! ignored typing

so is SUBSCRIBE
{"senderPhoneNumber":"+12025550143","eventType":"SUBSCRIBE","eventId":"e-76","agentId":"a"}
! ignored subscription

so is UNSUBSCRIBE
{"senderPhoneNumber":"+12025550143","eventType":"UNSUBSCRIBE","eventId":"e-77","agentId":"a"}
! ignored subscription

messageId of a user's message is the inbound one; no eventType: the keys tell what it is
{"senderPhoneNumber":"+12025550143","messageId":"i-1","agentId":"a","text":"where is it",
 "sendTime":"2026-11-20T12:00:03Z","richMessageClassification":{"segmentCount":1}}
! ignored inbound

a user's file
{"senderPhoneNumber":"+12025550143","messageId":"i-2","agentId":"a",
 "userFile":{"payload":{"mimeType":"image/png","fileSizeBytes":1234,"fileName":"f","fileUri":"u"}}}
! ignored inbound

a user's place
{"senderPhoneNumber":"+12025550143","messageId":"i-3","agentId":"a","location":{"latitude":1}}
! ignored inbound

a tapped reply
{"senderPhoneNumber":"+12025550143","messageId":"i-4","agentId":"a",
 "suggestionResponse":{"postbackData":"p","text":"yes","type":"REPLY"}}
! ignored click

a tapped action has an eventId and no messageId
{"senderPhoneNumber":"+12025550143","eventId":"e-78","agentId":"a",
 "suggestionResponse":{"postbackData":"p"}}
! ignored click

a launch is the agent's, not a message's
{"eventId":"e-79","agentId":"a","regionId":"/v1/regions/fi-rcs","oldLaunchState":"PENDING",
 "newLaunchState":"LAUNCHED","sendTime":"2026-11-20T12:00:03Z"}
! ignored agent_launch

the answer to a send is accepted and no more; it tells carrier and parts
{"name":"phones/+12025550143/agentMessages/m-73","sendTime":"2026-11-20T12:00:01Z",
 "carrier":"Example Mobile","totalPayloadSizeBytes":"301",
 "richMessageClassification":{"classificationType":"RICH_MESSAGE","segmentCount":2}}
= message_id=m-73; status=accepted; is_final=false; segments=2; carrier=Example Mobile; price=null

no webhook tells a failure, the answer's HTTP status does: 404 is no RCS there
{"request":{"messageId":"m-74"},"status":404,"body":{"error":{"code":404,"status":"NOT_FOUND"}}}
= message_id=m-74; status=failed; is_final=true; error_code=404; error_class=not_capable

403 is the agent's own fault
{"request":{"messageId":"m-75"},"status":403,
 "body":{"error":{"code":403,"status":"PERMISSION_DENIED"}}}
= status=failed; is_final=true; error_class=configuration; vendor_status=PERMISSION_DENIED

429
{"request":{"messageId":"m-76"},"status":429,"body":""}
= status=failed; is_final=true; error_code=429; error_class=throttled

503
{"request":{"messageId":"m-77"},"status":503,"body":""}
= status=failed; is_final=true; error_class=vendor_internal

a revocation that was answered with 200 proves nothing
{"request":{"method":"DELETE","messageId":"m-71"},"status":200,"body":{}}
! ignored revoke

an answer without its status line has the code in its body
{"request":{"url":"/v1/phones/+12025550143/agentMessages?messageId=m-x"},
 "body":{"error":{"code":404,"status":"NOT_FOUND"}}}
= message_id=m-x; status=failed; error_code=404; vendor_status=NOT_FOUND
"#;

#[test]
fn traps_of_google_rbm_a_pushs_own_id_time_and_attributes_are_not_the_messages() {
    let event = json!({"senderPhoneNumber": "+12025550143", "eventType": "DELIVERED",
        "eventId": "e-71", "messageId": "m-71", "sendTime": "2026-11-20T12:00:03Z"});
    let push = json!({"message": {"data": STANDARD.encode(event.to_string()),
        "attributes": {"event_type": "READ", "type": "agent_launch_event"}, "messageId": "9071",
        "message_id": "9071", "publishTime": "2026-11-20T12:09:00Z",
        "publish_time": "2026-11-20T12:09:00Z"}, "subscription": "projects/p/subscriptions/s"});
    let (bare, pushed) = (event.to_string(), push.to_string());
    let (bare, pushed) = (one(Source::GoogleRbm, &bare), one(Source::GoogleRbm, &pushed));
    for column in ["event_id", "message_key", "message_id", "status", "event_time"] {
        assert_eq!(bare[column], pushed[column], "{column}");
    }
}

#[test]
fn traps_of_google_rbm_carriers_bills_have_units_and_neither_number_nor_price() {
    let bill = "\
        billing_event_id,type,agent_id,agent_owner,billing_party,start_time,duration,mt_messages\n\
        b-1,basic_message,shop,owner,party,2026-11-20T12:00:00Z,0,1\n\
        b-2,single_message,shop,owner,party,2026-11-20T12:00:01Z,0,1\n\
        b-3,a2p_conversation,shop,owner,party,2026-11-20T12:00:02Z,86400,4\n\
        b-4,p2a_conversation,shop,owner,party,2026-11-20T12:00:03Z,86400,4\n";
    let (normalized, _) = read(Source::GoogleRbm, Case::value(bill.replace(',', "\t")));
    let found = charges(&normalized);
    let words = ["basic_message", "single_message", "a2p_conversation", "p2a_conversation"];
    assert_eq!(found.len(), words.len());
    for (line, word) in found.iter().zip(words) {
        let kind = if word.contains("message") { "message" } else { "conversation" };
        let told = (&line["sku"], &line["kind"], &line["amount"], &line["account"]);
        assert_eq!(told, (&json!(word), &json!(kind), &json!(null), &json!("party")));
    }
    let log = "activity_id,billing_event_id,agent_id,user_id,direction,time,type,size_bytes\n\
        c-1,b-3,shop,+12025550143,MT,2026-11-20T12:00:02Z,text,12\n";
    let (normalized, _) = read(Source::GoogleRbm, Case::value(log.replace(',', "\t")));
    assert_eq!((normalized.tallies[0].ignored, normalized.tallies[0].charges), (1, 0));
}

/// A file of carriers' bills.
fn billed(rows: &[[&str; 4]]) -> Case {
    let heading = ["billing_event_id", "type", "start_time", "billing_party"].join("\t");
    let rows = rows.iter().map(|row| row.join("\t"));
    Case::value(std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n"))
}

#[test]
fn traps_of_google_rbm_a_conversation_may_take_the_place_of_a_message_two_days_later() {
    const NOON: &str = "2026-11-20T12:00:00Z";
    let of = |rows: &[[&str; 4]]| charges(&read(Source::GoogleRbm, billed(rows)).0);
    let message = ["b-1", "basic_message", NOON, "party"];
    let first = of(&[message]);
    let later = of(&[message, ["b-9", "a2p_conversation", NOON, "party"]]);
    assert_eq!(first[0]["charge_id"], later[0]["charge_id"], "told again it is one charge");
    assert_ne!(first[0]["charge_id"], later[1]["charge_id"], "the conversation has its own id");
    for line in first.iter().chain(&later) {
        assert_eq!((&line["amount"], &line["message_key"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn traps_of_google_rbm_a_row_is_of_its_own_time_whenever_its_file_was_made() {
    let row = |time| [["b-1", "basic_message", time, "party"]];
    let late = |time| billed(&row(time)).header("received-at", "2026-11-23T04:00:00Z");
    let told = |case| charges(&read(Source::GoogleRbm, case).0).remove(0);
    let (zoned, local) = (told(late("2026-11-20T23:30:00Z")), told(late("2026-11-20 23:30:00")));
    for line in [&zoned, &local] {
        assert_eq!(line["event_time"], "2026-11-20T23:30:00.000000Z", "UTC, told or not");
        assert_eq!(line["period_start"], line["event_time"], "no day of a file's name");
    }
    assert_eq!(zoned["event_time_source"], "vendor");
    assert_eq!(local["event_time_source"], "vendor_local");
    // By newer pages its days end in California.
    let zone = Zone::parse("America/Los_Angeles");
    let rule = AccountRule { source: Some(Source::GoogleRbm), zone, ..AccountRule::default() };
    let regional = Regional { accounts: Accounts::new(vec![rule]), ..Regional::default() };
    let regional = Arc::new(regional);
    let settings = Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional };
    let raw = batch(&[late("2026-11-20 23:30:00")]);
    let normalized = Normalizer::new(settings).batch(&raw, &[input(Some(Source::GoogleRbm))]);
    let pacific = charges(&normalized.unwrap()).remove(0);
    assert_eq!(pacific["event_time"], "2026-11-21T07:30:00.000000Z");
    assert_eq!(pacific["line_id"], local["line_id"], "another configuration is no new line");
}

/// No id holds the period: rows of one event that tell another duration are one line.
#[test]
fn traps_of_google_rbm_a_billing_event_lasts_as_many_seconds_as_its_duration_tells() {
    let told = |duration: &str| {
        let bill = format!(
            "billing_event_id\ttype\tstart_time\tduration\n\
            b-1\ta2p_conversation\t2026-11-20 12:00:00 UTC\t{duration}\n"
        );
        charges(&read(Source::GoogleRbm, Case::value(bill)).0).remove(0)
    };
    let (none, day) = (told(""), told("86400"));
    assert_eq!(day["period_start"], "2026-11-20T12:00:00.000000Z");
    assert_eq!(day["period_end"], "2026-11-21T12:00:00.000000Z");
    for column in ["line_id", "charge_id", "period_start"] {
        assert_eq!(none[column], day[column], "{column}");
    }
    for duration in ["", "0", "-60", "2678401", "9223372036854775807", "a day"] {
        assert_eq!(told(duration)["period_end"], Value::Null, "{duration}");
    }
}

#[test]
fn traps_of_google_rbm_what_vendors_call_a_billing_event_is_its_kind() {
    for (word, kind) in [
        ("a2p_basic_message", "message"),
        ("a2p_single_message", "message"),
        ("p2a_basic_message", "message"),
        ("p2a_single_message", "message"),
        ("a2p_conversation", "conversation"),
        ("p2a_conversation", "conversation"),
        ("A2P_CONVERSATION", "conversation"),
        ("RICH_MESSAGE", "message"),
        ("RICH_MEDIA_MESSAGE", "message"),
    ] {
        let case = billed(&[["b-1", word, "2026-11-20T12:00:00Z", "party"]]);
        let line = charges(&read(Source::GoogleRbm, case).0).remove(0);
        assert_eq!((&line["kind"], &line["sku"]), (&json!(kind), &json!(word)));
    }
}

/// Tables with tabs between have no quoting: names of agents and owners are anybody's words.
#[test]
fn traps_of_google_rbm_a_quote_in_a_name_of_a_bill_loses_no_row() {
    let bill = "\
        billing_event_id,type,agent_id,agent_name,billing_party,start_time\n\
        b-1,basic_message,shop,\"Promo\" Agent,party,2026-11-20T12:00:00Z\n\
        b-2,basic_message,shop,\"Promo,party,2026-11-20T12:00:01Z\n\
        b-3,basic_message,shop,Promo\",\"the \"\"party\"\"\",2026-11-20T12:00:02Z\n";
    let (normalized, _) = read(Source::GoogleRbm, Case::value(bill.replace(',', "\t")));
    let parties: Vec<Value> =
        charges(&normalized).into_iter().map(|line| line["account"].clone()).collect();
    assert_eq!(parties, ["party", "party", "the \"party\""]);
}

#[test]
fn traps_of_gsma_maap() {
    traps(Source::GsmaMaap, GSMA_MAAP);
    statuses(Source::GsmaMaap, GSMA_STATUSES, |told| {
        let info = json!({"address": "tel:+8613900000143", "messageId": "m-7",
            "deliveryStatus": field(told, 0), "description": field(told, 1)});
        json!({ "deliveryInfo": info }).to_string()
    });
}

const GSMA_STATUSES: &str = "
MessageSent -> rcs sent open none
DeliveredToTerminal | UP2 -> rcs delivered final none
MessageDisplayed -> rcs read final none
DeliveredToNetwork | SMS -> sms delivered final none
DeliveryImpossible | 800 -> rcs expired final expired
DeliveryImpossible | SVC0004 -> rcs failed final unknown_recipient
DeliveryImpossible -> rcs failed final unknown
DeliveredToVms -> mms delivered final none
DeliveredToVmsFailed -> mms failed final unknown
DeliveredToSMS -> sms delivered final none
DeliveredToSMSFailed -> sms failed final unknown
MessageWaiting -> rcs queued open none
DeliveryUncertain -> rcs unknown open none
DeliveryNotificationNotSupported -> rcs unknown open none
";

const GSMA_MAAP: &str = r#"
no body has a time, UP2 is no error, the address is a URI
{"deliveryInfo":{"address":"tel:+8613900000143","messageId":"m-71","description":"UP2",
 "deliveryStatus":"DeliveredToTerminal","text":"hello"}}
= event_time=null; error_code=null; recipient_prefix=+861390000; country=CN; price=null

the time is the request's Date, and the address may be a SIP one
@ http-date: Fri, 20 Nov 2026 12:00:05 GMT
{"deliveryInfo":{"address":"sip:+8613900000143@ims.example.com","messageId":"m-71",
 "deliveryStatus":"DeliveredToTerminal"}}
= event_time=2026-11-20T12:00:05.000000Z; event_time_source=header; recipient_token=as above

without messageId the last part of the link names the message
{"deliveryInfo":{"address":"tel:+8613900000143","deliveryStatus":"MessageSent"},
 "link":[{"rel":"OutboundMessageRequest","href":"http://example.com/outbound/bot/requests/r-71"}]}
= message_id=r-71; status=sent; is_final=false

OMA's deliveryInfo is a list, and its DeliveredToNetwork is not the end
{"deliveryInfoNotification":{"callbackData":"order-71","deliveryInfo":[
 {"address":"tel:+8613900000143","deliveryStatus":"DeliveredToNetwork"},
 {"address":"tel:+8613900000144","deliveryStatus":"DeliveredToTerminal"}],
 "link":[{"rel":"OutboundMessageRequest","href":"http://example.com/outbound/bot/requests/r-72"}]}}
= status=sent; is_final=false; channel=rcs; logical_id=order-71
= status=delivered; is_final=true; channel=rcs

or an object in the same wrapper
{"deliveryInfoNotification":{"deliveryInfo":
 {"address":"tel:+8613900000143","messageId":"m-72","deliveryStatus":"DeliveredToNetwork"}}}
= status=sent; is_final=false; channel=rcs

of a 5G platform the same word is a fallback that arrived
{"deliveryInfo":{"address":"tel:+8613900000143","messageId":"m-72",
 "deliveryStatus":"DeliveredToNetwork","description":"SMS"}}
= status=delivered; is_final=true; channel=sms; receipt_class=carrier

an inbound message
{"destinationAddress":"sip:12599@bot.example.com","senderAddress":"tel:+8613900000143",
 "dateTime":"2026-11-20T12:00:00Z","messageId":"i-71","contentType":"text/plain",
 "contentEncoding":"base64","bodyText":"aGVsbG8="}
! ignored inbound

Alibaba's list: China's time, no calling code, an err_code that says DELIVERED where none is
[{"phone_number":"13900000143","send_time":"2026-11-20 20:00:00","rcs_id":"a-71",
 "report_time":"2026-11-20 20:00:05","send_status":"SEND_SUCCESS","err_code":"DELIVERED",
 "err_message":"ok","rcs_template_code":"T-7","rcs_size":"1","in_reply_to_rcs_id":""}]
= status=delivered; is_final=true; error_code=null; recipient_prefix=+861390000; segments=null
"#;

#[test]
fn traps_of_smpp() {
    traps(Source::Smpp, SMPP);
    statuses(Source::Smpp, SMPP_STATUSES, |told| format!("id:7 stat:{} err:000", told[0]));
}

/// What an SMSC means by ACCEPTD, and where it tells the network, is known of its account.
#[test]
fn traps_of_smpp_an_accounts_own_acceptd_and_network() {
    let rule = |account: &str, acceptd| AccountRule {
        source: Some(Source::Smpp),
        account: Some(account.to_owned()),
        acceptd,
        network_tlv: Some(0x1401),
        ..AccountRule::default()
    };
    let rules = vec![rule("smsc-a", Some(Status::Delivered)), rule("smsc-b", Some(Status::Queued))];
    let regional = Arc::new(Regional { accounts: Accounts::new(rules), ..Regional::default() });
    let settings = Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional };
    let mut normalizer = Normalizer::new(settings);
    let mut told = |pdu: Value| {
        let raw = batch(&[Case::value(pdu.to_string())]);
        lines(&normalizer.batch(&raw, &[input(Some(Source::Smpp))]).unwrap()).remove(0)
    };
    for (system, text, status, is_final, network) in [
        ("smsc-a", "stat:ACCEPTD", "delivered", true, json!("021")),
        ("smsc-b", "stat:ACCEPTD", "queued", false, json!("021")),
        ("smsc-c", "stat:ACCEPTD", "accepted", false, Value::Null),
        ("smsc-a", "stat:UNDELIV", "undelivered", true, json!("021")),
    ] {
        let pdu = json!({"system_id": system, "short_message": format!("id:7 {text} err:000"),
            "tlv": {"0x1401": "334021", "0x1402": "33499"}});
        let line = told(pdu);
        assert_eq!((&line["status"], &line["is_final"]), (&json!(status), &json!(is_final)));
        assert_eq!(line["mnc"], network, "{system}");
    }
    // A gateway that dumps bytes dumps those of its parameters, or not.
    let text: String = "id:7 stat:DELIVRD".bytes().map(|byte| format!("{byte:02x}")).collect();
    for (network, expected) in [
        ("323632303100", ["262", "01"]),
        ("33313030393000", ["310", "090"]),
        ("26201", ["262", "01"]),
        ("334000", ["334", "000"]),
        ("26201\0", ["262", "01"]),
    ] {
        let line = told(json!({"system_id": "smsc-a", "short_message": text,
            "tlv": {"0x001E": "3132333400", "0x1401": network}}));
        assert_eq!(line["message_id"], "1234");
        assert_eq!([&line["mcc"], &line["mnc"]], expected, "{network}");
    }
    let counters = normalizer.take_counters();
    assert_eq!(counters.unknown_fields[&Source::Smpp], 4, "only what nobody configured is new");
}

const SMPP_STATUSES: &str = "
SCHEDULED -> sms queued open none
ENROUTE -> sms sent open none
DELIVRD -> sms delivered final none
EXPIRED -> sms expired final expired
DELETED -> sms failed final unknown
UNDELIV -> sms undelivered final unknown
ACCEPTD -> sms accepted open none
UNKNOWN -> sms unknown open none
REJECTD -> sms rejected final unknown
SKIPPED -> sms failed final unknown
FAILED -> sms failed final unknown
NOROUTE -> sms failed final unknown
NACK -> sms rejected final unknown
BLOCKED -> sms rejected final blocked
BUFFERED -> sms queued open none
";

const SMPP: &str = r#"
labels come in any case and order, two hold a space; times are local, with seconds or without
STAT:UNDELIV Err:0B1 Done Date:2611201200 submit date:261120115959 ID:71
= status=undelivered; error_code=0B1; event_time=2026-11-20T12:00:00.000000Z; price=null

the text ends the labels, whatever it holds
id:72 stat:DELIVRD err:000 Text:stat:UNDELIV err:044 id:9 done date:2611201200
= message_id=72; status=delivered; error_code=null; event_time=null

an id is hexadecimal here
id:00BEEF stat:DELIVRD
= message_id=00BEEF; status=delivered

and decimal there, with zeros before it: one message, one event
id:0000048879 stat:DELIVRD
= message_id=0000048879; message_key=as above; event_id=as above

a date may be Unix milliseconds, which have a zone
id:73 stat:DELIVRD submit date:1795176000000 done date:1795176005482
= event_time=2026-11-20T12:00:05.482000Z; event_time_source=vendor

ten or twelve digits have none
id:73 stat:DELIVRD done date:261120120005
= event_time=2026-11-20T12:00:05.000000Z; event_time_source=vendor_local

err may be no number
id:74 stat:REJECTD err:xxx
= error_code=xxx; error_class=unknown

or longer than three
id:74 stat:REJECTD err:0x00A1
= error_code=0x00A1; event_id=not as above

sub counts parts; dlvrd:000 beside DELIVRD proves nothing
id:75 sub:003 dlvrd:000 stat:DELIVRD err:000
= segments=3; status=delivered; is_final=true

the next part of a long message has a receipt and an id of its own
id:76 sub:001 dlvrd:001 stat:DELIVRD err:000
= segments=1; message_key=not as above

labels may be missing; there is never a price
id:77 stat:EXPIRED
= status=expired; event_time=null; segments=null; price=null; currency=null

esm_class holds other bits beside the receipt's; the receipt's source is whom we wrote to
{"smpp":{"system_id":"smsc-7","source_addr":"447700900143","destination_addr":"Shop",
 "esm_class":68,"short_message":"id:78 stat:DELIVRD err:000"}}
= status=delivered; recipient_prefix=+44770090; sender=Shop; account=smsc-7

an intermediate notification settles no failure
{"smpp":{"source_addr":"447700900143","esm_class":32,"short_message":"id:79 stat:UNDELIV err:1"}}
= status=undelivered; is_final=false

what says that it is no receipt is none, whatever its text claims
{"smpp":{"source_addr":"447700900143","esm_class":0,"short_message":"id:79 stat:DELIVRD err:0"}}
! ignored inbound

the text may be in TLV 0x0424 of an empty message
{"smpp":{"esm_class":4,"short_message":"","tlv":{"0x0424":"id:80 stat:DELIVRD err:000"}}}
= message_id=80; status=delivered

text and addresses may have kept the zero that ends them, which is no part of a word
{"smpp":{"source_addr":"447700900143\u0000","destination_addr":"Shop\u0000","esm_class":4,
 "short_message":"id:81 done date:2611201200 stat:DELIVRD\u0000"}}
= status=delivered; vendor_status=DELIVRD; recipient_prefix=+44770090; sender=Shop

nor of a code that says no error
{"smpp":{"esm_class":4,"tlv":{"0x0424":"id:81 stat:DELIVRD err:000\u0000\u0000"}}}
= status=delivered; error_code=null

nor is a zero an address
{"smpp":{"source_addr":"447700900143","destination_addr":"\u0000","esm_class":4,
 "short_message":"stat:DELIVRD err:000 id:81\u0000\n"}}
= message_id=81; status=delivered; recipient_prefix=+44770090; sender=null

the id of TLV 0x001E stands before the text's
{"smpp":{"esm_class":4,"short_message":"id:1 stat:DELIVRD","tlv":{"0x001E":"81"}}}
= message_id=81

without a text TLV 0x0427 tells the state, and 0x0423 the error behind the network's type
{"smpp":{"esm_class":4,"tlv":{"0x001E":"82","0x0427":5,"0x0423":"030020"}}}
= status=undelivered; is_final=true; vendor_status=5; error_code=32

network_error_code is three bytes, as hex, as a number or as they are: a type, then 16 bits
{"esm_class":4,"short_message":"id:70 stat:UNDELIV err:000","tlv":{"0x0423":"030006"}}
= error_code=6

the same as a number
{"esm_class":4,"short_message":"id:70 stat:UNDELIV err:000","tlv":{"0x0423":196614}}
= error_code=6

the same with spaces
{"esm_class":4,"short_message":"id:70 stat:UNDELIV err:000","tlv":{"0x0423":"03 00 06"}}
= error_code=6

the same as bytes
{"esm_class":4,"short_message":"id:70 stat:UNDELIV err:000","tlv":{"0x0423":"\u0003\u0000\u0006"}}
= error_code=6
"#;

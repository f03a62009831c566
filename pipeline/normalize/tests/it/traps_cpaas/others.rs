//! Plivo, MessageBird, Bird, Bandwidth, Gupshup, Kaleyra.

use model::vocabulary::{DeadReason, Source};
use serde_json::json;

use super::{NEW_EVENT, NEW_MESSAGE, SAME_EVENT, body, charge, compare, get, hold, words};
use crate::fixtures::{Case, charges, run};

pub(super) fn plivo(rest: &str) -> Case {
    body(format!("MessageUUID=u7&ParentMessageUUID=u0&PartInfo=1+of+2&To=447700900143&{rest}"))
}

#[test]
fn plivos_traps_hold() {
    let table = [
        ("queued", "queued", false),
        ("sent", "sent", false),
        ("delivered", "delivered", true),
        ("undelivered", "undelivered", true),
        ("failed", "failed", true),
        ("rejected", "rejected", true),
        ("read", "read", true),
    ];
    words(Source::Plivo, |word| plivo(&format!("Status={word}")), &table);
    let traps = traps! {
        "the amount is the message's, the rate a unit's, both in dollars that no field tells":
            plivo("Status=sent&Units=2&TotalRate=0.0025&TotalAmount=0.0050")
            => {"price": "0.005000000", "price_unit": "message", "currency": "USD",
                "segments": 2},
        "the rate alone is a unit's":
            plivo("Status=sent&Units=2&TotalRate=0.0025")
            => {"price": "0.002500000", "price_unit": "segment", "currency": "USD"},
        "and no amount of units that cannot be counted":
            plivo("Status=sent&Units=x&TotalRate=0.0025") => {"price": null, "segments": null},
        "no error is an empty code":
            plivo("Status=delivered&ErrorCode=") => {"error_code": null, "error_class": "none"},
        "or 000 in a record":
            body(r#"{"message_uuid":"u7","message_state":"delivered","error_code":"000"}"#)
            => {"error_code": null, "error_class": "none"},
        "a code may be on a callback whose status is spelled in lower case":
            plivo("status=failed&ErrorCode=50")
            => {"status": "failed", "error_code": "50", "error_class": "unknown_recipient"},
        "MCC and MNC are texts of their own":
            plivo("Status=delivered&MCC=405&MNC=803") => {"mcc": "405", "mnc": "803"},
        "times have no zone":
            plivo("Status=delivered&DeliveryReportTime=2026-11-20+12%3A00%3A02.300000")
            => {"event_time": "2026-11-20T12:00:02.300000Z",
                "event_time_source": "vendor_local"},
        "a minimal callback has no time at all":
            get("MessageUUID=u7&Status=sent").header("received-at", "2026-11-20T12:00:00Z")
            => {"event_time": "2026-11-20T12:00:00.000000Z", "event_time_source": "header"},
        "a conversation's origin is the traffic's class":
            plivo("Status=read&Type=whatsapp&ConversationOrigin=marketing&TotalAmount=0.012")
            => {"channel": "whatsapp", "traffic_class": "marketing"},
        "to the US and Canada sent counts as delivered for Plivo: it says sent, and is no receipt":
            body("MessageUUID=u7&Status=sent&To=12025550143")
            => {"status": "sent", "is_final": false, "country": "US"},
        "where a receipt comes, it is a delivery":
            body("MessageUUID=u7&Status=delivered&To=12025550143")
            => {"status": "delivered", "is_final": true, "country": "US"},
    };
    hold(Source::Plivo, &traps);
    let pairs = pairs! {
        "parts of a long message share a parent and are messages of their own":
            plivo("Status=sent"),
            body("MessageUUID=u8&ParentMessageUUID=u0&PartInfo=2+of+2&Status=sent") => NEW_MESSAGE,
        "Sequence orders callbacks and tells them apart":
            plivo("Status=sent&Sequence=2"), plivo("Status=sent&Sequence=3") => NEW_EVENT,
    };
    compare(Source::Plivo, &pairs);
}

#[test]
fn what_plivo_failed_or_rejected_is_free_and_what_it_did_not_deliver_is_not() {
    let priced = |word: &str, price: &str| {
        plivo(&format!("Status={word}&Units=1&TotalRate=0.0110{price}&ErrorCode=50"))
    };
    let amount = "&TotalAmount=0.0110";
    let told = |basis: &str, amount: &str| json!({"basis": basis, "amount": amount});
    let estimate = told("estimated", "0.011000000");
    let free = json!([estimate, told("vendor", "0.000000000")]);
    let charged = json!([told("vendor", "0.011000000")]);
    let timed = "&TotalAmount=0.0110&DeliveryReportTime=2026-11-20+12:00:03";
    let sent = "&TotalAmount=0.0110&SentTime=2026-11-20+12:00:03";
    let traps = [
        ("queued is an estimate", priced("queued", amount), json!([estimate])),
        ("failed is nothing", priced("failed", amount), free.clone()),
        ("so is rejected", priced("rejected", amount), free.clone()),
        ("in any case, and by the rate alone", priced("REJECTED", ""), free),
        (
            "rejected without a price",
            plivo("Status=rejected"),
            json!([told("vendor", "0.000000000")]),
        ),
        ("undelivered is charged its price", priced("undelivered", timed), json!([])),
        ("sent, too", priced("sent", sent), json!([])),
        (
            "of how many parts another event may tell",
            plivo("Status=delivered&TotalRate=0.0110"),
            json!([]),
        ),
        ("without a time it might stand at that of an estimate", priced("sent", amount), charged),
    ];
    charge(Source::Plivo, &traps);
    let ids = |word: &str| {
        let lines = charges(&run(Some(Source::Plivo), &[priced(word, amount)]));
        lines.into_iter().map(|line| line["charge_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids("rejected"), [ids("queued"), ids("queued")].concat(), "of one charge");
}

#[test]
fn messagebirds_traps_hold() {
    let report = |rest: &str| get(&format!("id=m7&recipient=447700900143&{rest}"));
    let table = [
        ("scheduled", "accepted", false),
        ("sent", "sent", false),
        ("buffered", "sent", false),
        ("delivered", "delivered", true),
        ("expired", "expired", true),
        ("delivery_failed", "undelivered", true),
    ];
    words(Source::Messagebird, |word| report(&format!("status={word}")), &table);
    let traps = traps! {
        "the price is two fields of a form, of the whole message, and its currency may be any":
            report("status=delivered&price%5Bamount%5D=0.0610&price%5Bcurrency%5D=UAH")
            => {"price": "0.061000000", "price_unit": "message", "currency": "UAH"},
        "103 is a stop":
            report("status=delivery_failed&statusErrorCode=103")
            => {"status": "undelivered", "error_code": "103", "error_class": "opted_out"},
        "a ported number keeps the network that is told":
            report("status=delivered&mccmnc=23410&ported=1") => {"mcc": "234", "mnc": "10"},
        "in a message object the recipient is a number, and sent may be called delivered":
            body(
                r#"{"id":"m7","recipients":{"items":[{"recipient":447700900143,"status":"sent",
                "statusReason":"successfully delivered","price":{"amount":0.061,"currency":"USD"},
                "mcc":"234","mnc":"10","recipientOperator":"Example Mobile"}]}}"#,
            )
            => {"status": "sent", "is_final": false, "recipient_prefix": "+44770090",
                "price": "0.061000000", "mcc": "234", "mnc": "10", "carrier": "Example Mobile"},
        "what a short code got names its fields otherwise and has a date without signs":
            get(
                "mid=991&shortcode=1008&originator=447700900143&message=STOP\
                &receive_datetime=20261120120000",
            )
            => [],
        "in a form as well":
            body(
                "mid=991&shortcode=1008&originator=447700900143&message=STOP\
                &receive_datetime=20261120120000",
            )
            => [],
        "it may have no text":
            get("mid=991&shortcode=1008&originator=447700900143&receive_datetime=20261120120000")
            => [],
        "nor has it one as JSON":
            body(r#"{"mid":991,"shortcode":1008,"originator":447700900143}"#) => [],
        "a minimal report has no time":
            report("status=sent").header("received-at", "2026-11-20T12:00:00Z")
            => {"event_time": "2026-11-20T12:00:00.000000Z", "event_time_source": "header"},
    };
    hold(Source::Messagebird, &traps);
    for report in ["id=m7&recipient=447700900143", "id=m7&shortcode=1008", "mid=991"] {
        let dead = run(Some(Source::Messagebird), &[get(report)]).dead;
        assert_eq!(dead[0].reason, DeadReason::MissingStatus, "{report}");
    }
}

pub(super) fn bird(kind: &str, data: &str) -> Case {
    body(format!(
        r#"{{"type":"{kind}","timestamp":"2026-11-20T12:00:02Z","data":{{"sms_id":"s7",
            "workspace_id":"w","to":"+12025550143","from":"EXAMPLE"{data}}}}}"#
    ))
}

#[test]
fn birds_traps_hold() {
    let table = [
        ("sms.accepted", "accepted", false),
        ("sms.sent", "sent", false),
        ("sms.delivered", "delivered", true),
        ("sms.undelivered", "undelivered", true),
        ("sms.failed", "failed", true),
        ("sms.expired", "expired", true),
        ("sms.rejected", "rejected", true),
        ("whatsapp.accepted", "accepted", false),
        ("whatsapp.sent", "sent", false),
        ("whatsapp.delivered", "delivered", true),
        ("whatsapp.read", "read", true),
        ("whatsapp.failed", "failed", true),
        ("whatsapp.rejected", "rejected", true),
    ];
    words(Source::Bird, |kind| bird(kind, ""), &table);
    let cost = |whole: &str, fee: &str| {
        let parts = format!(r#""transaction_amount":"0.00790","passthrough_amount":{fee}"#);
        bird("sms.sent", &format!(r#","cost":{{"amount":{whole},"currency_code":"EUR",{parts}}}"#))
    };
    let traps = traps! {
        "the amount is text, the sum of its components":
            cost(r#""0.00990""#, r#""0.00200""#)
            => {"price": "0.009900000", "price_unit": "message", "currency": "EUR"},
        "a null component is not priced yet":
            cost(r#""0.00790""#, "null") => {"price": "0.007900000"},
        "carrier and network were null and are omitted now":
            bird("sms.sent", r#","carrier":null,"mcc_mnc":null"#)
            => {"carrier": null, "mcc": null, "mnc": null},
        "they come on sent and delivered":
            bird("sms.delivered", r#","carrier":"Example Mobile","mcc_mnc":"310090""#)
            => {"carrier": "Example Mobile", "mcc": "310", "mnc": "090"},
        "WhatsApp's addresses are objects":
            body(
                r#"{"type":"whatsapp.delivered","timestamp":"2026-11-20 12:00:02+00:00","data":{
                "whatsapp_id":"w7","to":{"phone_number":"+12025550143","bsuid":null},
                "from":{"phone_number":"+12025550100"}}}"#,
            )
            => {"recipient_prefix": "+1202555", "sender": "+12025550100",
                "event_time": "2026-11-20T12:00:02.000000Z"},
        "an error has Bird's code before the carrier's":
            bird("sms.undelivered", r#","error":{"code":"unreachable","carrier_error_code":"5"}"#)
            => {"error_code": "unreachable", "error_class": "unreachable"},
    };
    hold(Source::Bird, &traps);
    let attempt = |id: &str| bird("sms.sent", "").header("http-webhook-id", id);
    let pairs = pairs! {
        "an id in a header is no part of the event": attempt("a"), attempt("b") => SAME_EVENT,
        "another type is another event": bird("sms.sent", ""), bird("sms.failed", "") => NEW_EVENT,
    };
    compare(Source::Bird, &pairs);
}

pub(super) fn bandwidth(kind: &str, rest: &str) -> Case {
    body(format!(
        r#"[{{"type":"{kind}","time":"2026-11-20T12:00:02.979Z","to":"+12025550143"{rest},
            "message":{{"id":"m7","time":"2026-11-20T12:00:00Z","segmentCount":2,
            "direction":"out","from":"+12025550100","to":["+12025550143"],"tag":"t"}}}}]"#
    ))
}

#[test]
fn bandwidths_words_mean_what_its_tables_say() {
    let types = [
        ("message-sending", "queued", false),
        ("message-sent", "sent", false),
        ("message-delivered", "delivered", true),
        ("message-failed", "failed", true),
        ("message-read", "read", true),
    ];
    words(Source::Bandwidth, |kind| bandwidth(kind, ""), &types);
    let codes = [
        ("4719", "failed", true),
        ("4720", "undelivered", true),
        ("4775", "undelivered", true),
        ("4776", "failed", true),
        ("9902", "unknown", true),
        ("9999", "unknown", true),
    ];
    let failed = |code: &str| bandwidth("message-failed", &format!(r#","errorCode":{code}"#));
    words(Source::Bandwidth, failed, &codes);
    let international = [
        ("SENT_TO_SMSC", "sent", false),
        ("BUFFERED", "sent", false),
        ("DELIVERED", "delivered", true),
        // Also where its 24 hours ran out.
        ("UNDELIVERED", "undelivered", true),
        ("REJECTED", "rejected", true),
    ];
    let part =
        |word: &str| body(format!(r#"{{"msgId":"m7","event":"{word}","partNum":0,"numParts":2}}"#));
    words(Source::Bandwidth, part, &international);
    let rows = [
        ("ACCEPTED", "accepted", false),
        ("QUEUED", "queued", false),
        ("SENDING", "queued", false),
        ("SENT", "sent", false),
        ("DELIVERED", "delivered", true),
        ("UNDELIVERED", "undelivered", true),
        ("FAILED", "failed", true),
    ];
    let row = |word: &str| {
        body(format!(r#"{{"messages":[{{"messageId":"m7","messageStatus":"{word}"}}]}}"#))
    };
    words(Source::Bandwidth, row, &rows);
    hold(Source::Bandwidth, &[("RECEIVED is inbound", row("RECEIVED"), json!([]))]);
}

#[test]
fn bandwidths_traps_hold() {
    let traps = traps! {
        "time is the event's, message.time the message's; no webhook has a price":
            bandwidth("message-delivered", r#","description":"ok","carrierName":"other""#)
            => {"event_time": "2026-11-20T12:00:02.979000Z",
                "submit_time": "2026-11-20T12:00:00.000000Z", "price": null,
                "price_unit": "none", "segments": 2, "carrier": "other"},
        "an MMS may be delivered to the carrier only":
            bandwidth("message-delivered", r#","description":"Message delivered to carrier""#)
            => {"status": "sent", "is_final": false},
        "9902 tells that no receipt came, not that nothing arrived":
            bandwidth("message-failed", r#","errorCode":9902"#)
            => {"status": "unknown", "is_final": true, "error_code": "9902"},
        "an international report has neither time nor recipient and is one part":
            body(r#"{"msgId":"m7","event":"DELIVERED","partNum":1,"numParts":2}"#)
                .header("received-at", "2026-11-20T12:00:05Z")
            => {"event_time_source": "header", "recipient_token": null, "segments": 1,
                "event_time": "2026-11-20T12:00:05.000000Z"},
    };
    hold(Source::Bandwidth, &traps);
    let sent = || bandwidth("message-sent", "");
    let to = |number: &str| {
        let text = String::from_utf8(sent().value).unwrap();
        body(text.replace(r#""to":"+12025550143""#, &format!(r#""to":"{number}""#)))
    };
    let pairs = pairs! {
        "callbacks come at least once, for a day":
            sent().header("received-at", "2026-11-20T12:00:03Z"),
            sent().header("received-at", "2026-11-21T11:00:03Z") => SAME_EVENT,
        "a group message has one id for all": to("+12025550143"), to("+12025550144") => NEW_MESSAGE,
    };
    compare(Source::Bandwidth, &pairs);
}

#[test]
fn gupshups_traps_hold() {
    let sms = |word: &str, rest: &str| {
        body(format!(
            r#"[{{"externalId":"7-1","eventType":"{word}","eventTs":1795176002001,
                "destAddr":447700900143,"srcAddr":"EXAMPL"{rest}}}]"#
        ))
    };
    let table = [("DELIVERED", "delivered", true), ("FAILED", "failed", true)];
    words(Source::Gupshup, |word| sms(word, ""), &table);
    let table = [
        ("SUCCESS", "delivered", true),
        ("FAILURE", "failed", true),
        ("FAIL", "failed", true),
        ("Fail", "failed", true),
        ("UNKNOWN", "unknown", true),
    ];
    words(Source::Gupshup, |word| get(&format!("externalId=7-1&status={word}")), &table);
    let event = |word: &str, payload: &str| {
        body(format!(
            r#"{{"app":"a","timestamp":1795176003993,"version":2,"type":"message-event","payload":
                {{"id":"g7","type":"{word}","destination":"447700900143","payload":{payload}}}}}"#
        ))
    };
    let table = [
        ("enqueued", "queued", false),
        ("sent", "sent", false),
        ("delivered", "delivered", true),
        ("read", "read", true),
        ("failed", "failed", true),
    ];
    words(Source::Gupshup, |word| event(word, "{}"), &table);
    let traps = traps! {
        "000 is no error, an SMS report has neither network nor price":
            sms("DELIVERED", r#","cause":"SUCCESS","errCode":"000","noOfFrags":"2""#)
            => {"error_code": null, "error_class": "none", "segments": 2, "mcc": null,
                "price": null, "event_time": "2026-11-20T12:00:02.001000Z"},
        "the cause tells why":
            sms("FAILED", r#","cause":"ABSENT_SUBSCRIBER","errCode":"042""#)
            => {"status": "failed", "error_code": "042", "error_class": "unreachable"},
        "a failure's code lies one payload deeper":
            event("failed", r#"{"code":1002,"reason":"x"}"#)
            => {"error_code": "1002", "error_class": "not_capable"},
        "what a user deletes is no delivery": event("deleted", "{}") => [],
    };
    hold(Source::Gupshup, &traps);
    let published = "[response=[{\"externalId\": 7-1, \u{201c}eventType\u{201d}: 000}]]";
    let dead = run(Some(Source::Gupshup), &[body(published)]).dead;
    assert_eq!(dead.len(), 1, "the published sample is no JSON");
}

#[test]
fn kaleyras_traps_hold() {
    let callback = |status: &str| get(&format!("id=u7%3A0&status={status}"));
    let table = [
        ("sent", "sent", false),
        ("delivered", "delivered", true),
        ("read", "read", true),
        ("0", "failed", true),
    ];
    words(Source::Kaleyra, callback, &table);
    let traps = traps! {
        "an id and a status are all that it tells":
            callback("read").header("received-at", "2026-11-20T12:00:05Z")
            => {"message_id": "u7:0", "recipient_token": null, "carrier": null, "price": null,
                "event_time": "2026-11-20T12:00:05.000000Z", "event_time_source": "header"},
    };
    hold(Source::Kaleyra, &traps);
}

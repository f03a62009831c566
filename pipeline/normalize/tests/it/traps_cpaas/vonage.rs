//! Vonage: SMS receipts, status callbacks of Messages.

use model::vocabulary::Source;
use serde_json::json;

use super::{NEW_EVENT, SAME_EVENT, body, charge, classes, compare, get, hold, words};
use crate::fixtures::Case;

pub(super) fn vonage(rest: &str) -> Case {
    body(format!("messageId=0A7&msisdn=447700900143&to=EXAMPLE&{rest}"))
}

pub(super) fn vonage_status(status: &str, rest: &str) -> Case {
    body(format!(
        r#"{{"message_uuid":"u7","to":"447700900143","from":"EXAMPLE","channel":"sms",
            "timestamp":"2026-11-20T12:00:02Z","status":"{status}"{rest}}}"#
    ))
}

#[test]
fn vonages_words_mean_what_its_tables_say() {
    let receipts = [
        ("accepted", "sent", false),
        ("buffered", "sent", false),
        ("delivered", "delivered", true),
        ("expired", "expired", true),
        ("failed", "undelivered", true),
        ("rejected", "rejected", true),
        ("unknown", "unknown", false),
    ];
    words(Source::Vonage, |word| vonage(&format!("status={word}")), &receipts);
    let statuses = [
        ("submitted", "sent", false),
        ("delivered", "delivered", true),
        ("read", "read", true),
        ("rejected", "rejected", true),
        // The provider could not be reached, not the handset.
        ("undeliverable", "failed", true),
    ];
    words(Source::Vonage, |word| vonage_status(word, ""), &statuses);
}

#[test]
fn vonages_receipt_codes_have_the_class_of_their_words() {
    let record = |code: &str| vonage(&format!("status=failed&err-code={code}"));
    let table = [
        ("1 99", "unknown"),
        ("2 7 8 12 15", "unreachable"),
        ("3 9", "unknown_recipient"),
        ("4 13 14", "blocked"),
        ("5", "vendor_internal"),
        ("6", "spam"),
        ("10", "invalid_request"),
        ("11 50 51 52 54", "configuration"),
        ("16", "throttled"),
        ("53", "opted_out"),
    ];
    classes(Source::Vonage, record, &table);
}

#[test]
fn vonages_records_hold() {
    let traps = traps! {
        "to is the sender, msisdn the recipient":
            vonage("status=delivered&err-code=0")
            => {"sender": "EXAMPLE", "recipient_prefix": "+44770090", "error_code": null},
        "a receipt's price is its part's, in a currency that no field tells":
            vonage("status=delivered&price=0.03330000&network-code=23410")
            => {"price": "0.033300000", "price_unit": "segment", "currency": null,
                "mcc": "234", "mnc": "10"},
        "scts is the recipient's local time: message-timestamp is UTC":
            vonage("status=delivered&scts=2611201300&message-timestamp=2026-11-20+12%3A00%3A02")
            => {"event_time": "2026-11-20T12:00:02.000000Z", "event_time_source": "vendor"},
        "without it scts stands in, marked":
            vonage("status=delivered&scts=2611201300")
            => {"event_time": "2026-11-20T13:00:00.000000Z",
                "event_time_source": "vendor_local"},
        "by the account's setting a receipt is a form, a GET":
            get("messageId=0A7&msisdn=447700900143&to=EXAMPLE&status=delivered")
            => {"message_id": "0A7", "sender": "EXAMPLE"},
        "or JSON":
            body(r#"{"messageId":"0A7","to":"EXAMPLE","status":"failed","err-code":"3"}"#)
            => {"message_id": "0A7", "sender": "EXAMPLE", "error_code": "3"},
        "SMS is charged when it is submitted, its count is text, its price the message's":
            vonage_status(
                "submitted",
                r#","usage":{"currency":"EUR","price":"0.0333"},"sms":{"count_total":"2"},
                "workflow":{"workflow_id":"w","items_number":"1","items_total":"2"}"#,
            )
            => {"status": "sent", "price": "0.033300000", "price_unit": "message",
                "currency": "EUR", "segments": 2},
        "usage and network may be missing":
            vonage_status("delivered", "")
            => {"price": null, "price_unit": "none", "mcc": null, "mnc": null},
        "rejected also means that the time to live ran out; the title is the code":
            vonage_status("rejected", r#","error":{"type":"https://x/y#1360","title":"1360"}"#)
            => {"status": "rejected", "error_code": "1360", "error_class": "expired"},
        "old accounts: addresses are objects, the code is a number":
            body(
                r#"{"message_uuid":"u7","status":"rejected","timestamp":"2026-11-20T12:00:02.000Z",
                "to":{"type":"viber_service_msg","number":"447700900143"},
                "from":{"type":"viber_service_msg","id":"9000"},
                "error":{"code":1190,"reason":"x"}}"#,
            )
            => {"channel": "viber", "sender": "9000", "recipient_prefix": "+44770090",
                "error_code": "1190"},
        "Meta's pricing category is the traffic's class":
            vonage_status("delivered", r#","whatsapp":{"pricing":{"category":"authentication"}}"#)
            => {"traffic_class": "otp"},
    };
    hold(Source::Vonage, &traps);
}

#[test]
fn vonage_charges_whatsapp_viber_and_rcs_when_they_are_delivered() {
    const USAGE: &str = r#","usage":{"currency":"EUR","price":"0.0612"}"#;
    for (word, channel) in [("whatsapp", "whatsapp"), ("viber_service", "viber"), ("rcs", "rcs")] {
        let told = |status: &str, rest: &str| {
            let text = String::from_utf8(vonage_status(status, rest).value).unwrap();
            body(text.replace(r#""channel":"sms""#, &format!(r#""channel":"{word}""#)))
        };
        let traps = traps! {
            "where SMS are charged it is not":
                told("submitted", "")
                => {"channel": channel, "status": "sent", "price": null, "price_unit": "none"},
            "delivered it is, as a whole":
                told("delivered", USAGE)
                => {"channel": channel, "price": "0.061200000", "price_unit": "message",
                    "currency": "EUR", "segments": null},
            "what is rejected costs nothing":
                told("rejected", r#","error":{"title":"1360"}"#)
                => {"channel": channel, "status": "rejected", "price": null},
        };
        hold(Source::Vonage, &traps);
        let traps =
            traps! { "the event's price is all that is charged": told("delivered", USAGE) => [], };
        charge(Source::Vonage, &traps);
        let pairs = pairs! {
            "the price is of the message that was submitted":
                told("submitted", ""), told("delivered", USAGE) => NEW_EVENT,
        };
        compare(Source::Vonage, &pairs);
    }
}

#[test]
fn vonages_messages_and_events_are_told_apart() {
    let receipt = |rest: &str| vonage(&format!("status=failed&{rest}"));
    let pairs = pairs! {
        "another carrier's time is another event":
            receipt("scts=2611201300"), receipt("scts=2611201301") => NEW_EVENT,
        "another code is another event": receipt("err-code=2"), receipt("err-code=3") => NEW_EVENT,
        "a receipt that is retried for a day is the same event":
            receipt("err-code=2&message-timestamp=2026-11-20+12%3A00%3A02"),
            receipt("err-code=2&message-timestamp=2026-11-20T12%3A00%3A09.000%2B00%3A00")
            => SAME_EVENT,
        "a status callback that is retried is the same event":
            vonage_status("delivered", ""),
            vonage_status("delivered", r#","client_ref":null"#) => SAME_EVENT,
    };
    compare(Source::Vonage, &pairs);
}

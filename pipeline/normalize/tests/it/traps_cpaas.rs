//! Traps of the CPaaS vendors, each a row that says it in words. Method: a table's row is a record
//! and what must come of it: columns of its events, a word's status, a code's class, or whether two
//! records are of one message and one event. All values are invented.

/// Rows `"what it says": record => columns,`; the columns of several events are a list.
macro_rules! traps {
    ($($says:literal: $case:expr => $columns:tt,)*) => {
        [$(($says, $case, json!($columns))),*]
    };
}

/// Rows `"what it says": record, other record => same,`.
macro_rules! pairs {
    ($($says:literal: $one:expr, $other:expr => $same:expr,)*) => {
        [$(($says, $one, $other, $same)),*]
    };
}

mod bills;
mod infobip;
mod others;
mod sinch;
mod telnyx;
mod twilio;
mod vonage;

use std::sync::Arc;

use model::keys::Keyring;
use model::vocabulary::Source;
use normalize::{AccountRule, Accounts, Normalized, Normalizer, Regional, Settings, Zone};
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, charges, input, lines, run};
use infobip::{HANDSET, infobip};
use others::{bandwidth, bird, plivo};
use sinch::sinch;
use telnyx::{telnyx, telnyx_to};
use twilio::twilio;
use vonage::{vonage, vonage_status};

/// What a trap says, a record with it, and columns of the events that it has to give.
type Trap = (&'static str, Case, Value);

/// What a trap says, two records of one event each, and whether message and event are the same.
type Pair = (&'static str, Case, Case, [bool; 2]);

const SAME_EVENT: [bool; 2] = [true, true];
const NEW_EVENT: [bool; 2] = [true, false];
const NEW_MESSAGE: [bool; 2] = [false, false];

fn body(text: impl Into<String>) -> Case {
    Case::value(text.into())
}

/// A callback without a body.
fn get(query: &str) -> Case {
    body("").header("method", "GET").header("url", &format!("https://example.com/dlr?{query}"))
}

/// Each trap's events have the columns, and nothing of it is a dead letter.
#[track_caller]
fn hold(source: Source, traps: &[Trap]) {
    check(source, traps, lines);
}

/// The same of its lines of bills.
#[track_caller]
fn charge(source: Source, traps: &[Trap]) {
    check(source, traps, charges);
}

#[track_caller]
fn check(source: Source, traps: &[Trap], shown: fn(&Normalized) -> Vec<Value>) {
    let mut wrong = Vec::new();
    for (says, case, expected) in traps {
        let normalized = run(Some(source), std::slice::from_ref(case));
        let found = shown(&normalized);
        let expected = expected.as_array().map_or(std::slice::from_ref(expected), Vec::as_slice);
        if found.len() != expected.len() || !normalized.dead.is_empty() {
            wrong.push(format!("{says}: {found:?} {:?}", normalized.dead));
        }
        for (found, expected) in found.iter().zip(expected) {
            for (column, value) in expected.as_object().unwrap() {
                if found.get(column) != Some(value) {
                    wrong.push(format!("{says}: {column} is {:?}, not {value}", found.get(column)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{source}:\n{}", wrong.join("\n"));
}

#[track_caller]
fn only(source: Source, case: &Case) -> Value {
    let mut found = lines(&run(Some(source), std::slice::from_ref(case)));
    assert_eq!(found.len(), 1, "{source}: {}", String::from_utf8_lossy(&case.value));
    found.remove(0)
}

#[track_caller]
fn compare(source: Source, pairs: &[Pair]) {
    for (says, one, other, same) in pairs {
        let (one, other) = (only(source, one), only(source, other));
        let found = ["message_key", "event_id"].map(|column| one[column] == other[column]);
        assert_eq!(found, *same, "{source}: {says}");
    }
}

/// Each word of a vendor's table has its status, and is final or not.
#[track_caller]
fn words(source: Source, record: impl Fn(&str) -> Case, table: &[(&str, &str, bool)]) {
    for (word, status, is_final) in table {
        let found = only(source, &record(word));
        let told = (&found["status"], &found["is_final"]);
        assert_eq!(told, (&json!(status), &json!(is_final)), "{source}: {word}");
    }
}

/// Codes (of one class, with blanks between) are kept as they are and have their class.
#[track_caller]
fn classes(source: Source, record: impl Fn(&str) -> Case, table: &[(&str, &str)]) {
    for (codes, class) in table {
        for code in codes.split(' ') {
            let found = only(source, &record(code));
            let told = (&found["error_code"], &found["error_class"]);
            assert_eq!(told, (&json!(code), &json!(class)), "{source}: {code}");
        }
    }
}

/// A zone makes instants of Twilio's and Vonage's local times.
#[test]
fn local_times_of_carriers_are_read_by_their_accounts_zone() {
    for (source, text) in [
        (Source::Twilio, "MessageSid=SM7&MessageStatus=delivered&RawDlrDoneDate=2611201730"),
        (Source::Vonage, "messageId=0A7&status=delivered&scts=2611201730"),
    ] {
        let zone = Zone::parse("Asia/Kolkata");
        let rule = AccountRule { source: Some(source), zone, ..AccountRule::default() };
        let accounts = Accounts::new(vec![rule]);
        let regional = Arc::new(Regional { accounts, ..Regional::default() });
        let settings = Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional };
        let mut normalizer = Normalizer::new(settings);
        let raw = batch(&[body(text)]);
        let line = lines(&normalizer.batch(&raw, &[input(Some(source))]).unwrap()).remove(0);
        assert_eq!(line["event_time"], "2026-11-20T12:00:00.000000Z", "{source}");
        assert_eq!(line["event_time_source"], "vendor_local", "{source}");
        assert_eq!(line["event_id"], only(source, &body(text))["event_id"], "{source}");
    }
}

/// Each vendor has words of its own for a receipt that never came.
#[test]
fn a_receipt_that_never_came_is_an_unknown_outcome_and_no_failure() {
    for (source, case) in [
        (Source::Telnyx, telnyx_to("delivery_unconfirmed", "")),
        (Source::Infobip, infobip(r#"{"groupId":4,"id":29,"name":"EXPIRED_DLR_UNKNOWN"}"#, "")),
        (Source::Bandwidth, bandwidth("message-failed", r#","errorCode":9902"#)),
        (Source::Sinch, sinch("Unknown", "0", "")),
        (Source::Vonage, vonage("status=unknown&err-code=1")),
    ] {
        assert_eq!(only(source, &case)["status"], "unknown", "{source}");
    }
    let forever = only(Source::Twilio, &twilio("MessageStatus=sent"));
    assert_eq!((&forever["status"], &forever["is_final"]), (&json!("sent"), &json!(false)));
}

/// Each vendor counts billable parts in a field of its own.
#[test]
fn billable_parts_are_read_from_every_vendors_field() {
    for (source, case) in [
        (Source::Twilio, twilio("MessageStatus=sent&NumSegments=2")),
        (Source::Infobip, infobip(HANDSET, r#","messageCount":2"#)),
        (Source::Sinch, sinch("Delivered", "0", r#","number_of_message_parts":2"#)),
        (Source::Vonage, vonage_status("submitted", r#","sms":{"count_total":"2"}"#)),
        (Source::Telnyx, telnyx("message.sent", r#""parts":2,"to":[{"status":"sent"}]"#)),
        (Source::Plivo, plivo("Status=sent&Units=2")),
        (Source::Messagebird, get("id=m7&recipient=1&status=sent&messagePartCount=2")),
        (Source::Bird, bird("sms.sent", r#","segments":{"count":2,"encoding":"UCS2"}"#)),
        (Source::Bandwidth, bandwidth("message-sent", "")),
        (Source::Gupshup, get("externalId=7&status=SUCCESS&%20noOfFrags=2")),
    ] {
        assert_eq!(only(source, &case)["segments"], 2, "{source}");
    }
}

/// Its error says that there was none, so the status's name tells why.
#[test]
fn a_destination_that_infobip_rejects_is_nobodys_number() {
    let error = r#","error":{"groupId":0,"groupName":"OK","id":0,"name":"NO_ERROR"}"#;
    for (id, name, class) in [
        (8, "REJECTED_PREFIX_MISSING", "unknown_recipient"),
        (14, "REJECTED_DESTINATION_BLOCKLISTED", "blocked"),
        (18, "REJECTED_DESTINATION_NOT_REGISTERED", "configuration"),
        (52, "REJECTED_DESTINATION", "unknown_recipient"),
    ] {
        let status = format!(r#"{{"groupId":5,"groupName":"REJECTED","id":{id},"name":"{name}"}}"#);
        let found = only(Source::Infobip, &infobip(&status, error));
        let told = (&found["status"], &found["error_code"], &found["error_class"]);
        assert_eq!(told, (&json!("rejected"), &Value::Null, &json!(class)), "{name}");
    }
}

/// A vendor's words are the same in any case, also those that are ignored.
#[test]
fn words_that_are_ignored_and_gupshups_are_read_in_any_case() {
    let gupshup = |word: &str| {
        let event = json!({"type": "message-event", "app": "a", "timestamp": 1_795_176_003_993_i64,
            "payload": {"gsId": "g", "type": word, "destination": "447700900143"}});
        run(Some(Source::Gupshup), &[body(event.to_string())])
    };
    for (word, status) in [("DELIVERED", "delivered"), ("Read", "read"), ("Enqueued", "queued")] {
        let line = lines(&gupshup(word)).remove(0);
        assert_eq!((&line["status"], &line["vendor_status"]), (&json!(status), &json!(word)));
    }
    let ignored = [
        (
            Source::Gupshup,
            json!({"type": "message-event", "payload": {"gsId": "g",
            "type": "Deleted"}}),
        ),
        (Source::Bird, json!({"type": "SMS.RECEIVED", "data": {"sms_id": "s"}})),
        (Source::Bandwidth, json!([{"type": "MESSAGE-RECEIVED", "message": {"id": "m"}}])),
        (
            Source::Messagebird,
            json!({"id": "m", "direction": "MO", "recipients": {"items": [
            {"recipient": 447_700_900_143_i64, "status": "delivered"}]}}),
        ),
        (
            Source::Telnyx,
            json!({"data": {"event_type": "message.received", "payload": {"id": "m",
            "to": [{"phone_number": "+447700900143", "status": "WEBHOOK_DELIVERED"}]}}}),
        ),
    ];
    for (source, event) in ignored {
        let result = run(Some(source), &[body(event.to_string())]);
        assert_eq!(result.tallies[0].ignored, 1, "{source}");
    }
}

#[test]
fn a_plus_sign_that_nobody_escaped_is_one_of_the_sender_too() {
    for (from, sender) in [
        ("+15017122661", "+15017122661"),
        ("whatsapp:+15017122661", "whatsapp:+15017122661"),
        ("%2B15017122661", "+15017122661"),
        ("My+Shop", "My Shop"),
    ] {
        let text = format!("MessageSid=SM7&MessageStatus=sent&To=+15558675310&From={from}");
        let line = lines(&run(Some(Source::Twilio), &[body(&text)])).remove(0);
        assert_eq!(line["sender"], sender, "{from}");
    }
}

/// Whatever a person writes between the digits.
#[test]
fn a_recipients_number_leaves_no_text_however_it_is_spelled() {
    for number in ["447700900123", "+44 7700 900123", "44-7700-900-123", "(+44) 7700.900123"] {
        let event = json!({"message_uuid": "m1", "to": "447700900123", "from": "Shop",
            "timestamp": "2026-11-20T12:00:00Z", "status": "delivered", "channel": "sms",
            "client_ref": format!("order of {number} today")});
        let line = lines(&run(Some(Source::Vonage), &[body(event.to_string())])).remove(0);
        let told = line["logical_id"].as_str().unwrap();
        let digits: String = told.chars().filter(char::is_ascii_digit).collect();
        assert!(told.starts_with("order of ") && told.ends_with(" today"), "{told}");
        assert!(!digits.contains("7700900123"), "{told}");
    }
}

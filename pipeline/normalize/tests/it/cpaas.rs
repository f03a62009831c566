//! Traps of Sinch, Vonage, Telnyx and Plivo, each by its name. And for each of their lists: a
//! broken value costs its own element at most.

use model::vocabulary::Source;
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, input, lines, normalizer, run};

fn read(source: Source, text: &str) -> Vec<Value> {
    lines(&run(Some(source), &[Case::value(text)]))
}

/// Puts each odd value into each key of the middle of three elements.
fn spares_neighbours(source: Source, element: &str, [before, after]: [&str; 2], ids: &str) {
    const VALUES: &[&str] =
        &["null", "true", "[]", "{}", "[[{}]]", "\"\"", "-1", "1e999", "\"\\ud800\""];
    let keys = serde_json::from_str::<Value>(element).unwrap();
    let with_id = |id: &str| element.replace("ID", id);
    let whole = [with_id("a"), with_id("b"), with_id("c")].join(",");
    let expected = read(source, &[before, &whole, after].concat());
    assert_eq!(expected.len(), 3, "{source}");
    for key in keys.as_object().unwrap().keys() {
        for value in VALUES {
            let body = with_id("b");
            let broken = format!("{},\"{key}\":{value}}}", body.strip_suffix('}').unwrap());
            let list = [with_id("a"), broken, with_id("c")].join(",");
            let normalized = run(Some(source), &[Case::value([before, &list, after].concat())]);
            let found = lines(&normalized);
            for (id, at) in [("a", 0), ("c", 2)] {
                let line = found.iter().find(|line| line[ids].as_str() == Some(id));
                let mut line =
                    line.unwrap_or_else(|| panic!("{source} {key} {value}: {id} is lost")).clone();
                line["payload_sha256"] = expected[at]["payload_sha256"].clone();
                assert_eq!(line, expected[at], "{source} {key} {value}");
            }
        }
    }
}

#[test]
fn sinch_a_broken_value_spares_the_neighbours() {
    let sms = r#"{"type":"recipient_delivery_report_sms","batch_id":"ID","recipient":"447700900143",
        "code":0,"status":"Delivered","at":"2026-11-20T12:00:02Z","operator":"23410",
        "operator_status_at":"2026-11-20T12:00:02Z","applied_originator":"x","client_reference":"r",
        "number_of_message_parts":1,"message_id":"m","message_delivery_report":null,"event":null,
        "message":null,"opt_in_notification":null,"app_id":"a"}"#;
    spares_neighbours(Source::Sinch, sms, [r#"{"delivery_reports":["#, "]}"], "message_id");
    let callback = r#"{"app_id":"a","project_id":"p","accepted_time":"2026-11-20T12:00:02Z",
        "event_time":"2026-11-20T12:00:02Z","correlation_id":"c","message_metadata":"ID",
        "message_delivery_report":{"message_id":"ID","status":"READ","channel_identity":{
        "channel":"WHATSAPP","identity":"447700900143"}}}"#;
    spares_neighbours(Source::Sinch, callback, ["[", "]"], "message_id");
}

#[test]
fn sinch_a_batch_has_a_message_for_each_recipient_with_or_without_plus() {
    let report = r#"{"type":"delivery_report_sms","batch_id":"b","statuses":[
        {"code":0,"status":"Delivered","count":2,"recipients":["447700900143","447700900144"]}]}"#;
    let spaced = report.replace(':', " : ").replace("\"447700900143\"", "\"+447700900143\"");
    let (first, again) = (read(Source::Sinch, report), read(Source::Sinch, &spaced));
    assert_ne!(first[0]["message_key"], first[1]["message_key"]);
    assert_ne!(first[0]["event_id"], first[1]["event_id"]);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first["event_id"], again["event_id"], "spelled anew, the same report");
        assert_eq!(first["message_key"], again["message_key"]);
    }
    let changed = read(Source::Sinch, &report.replace("\"code\":0", "\"code\":1"));
    assert_ne!(first[0]["event_id"], changed[0]["event_id"], "other statuses, another report");
    let single = r#"{"type":"recipient_delivery_report_sms","batch_id":"b","code":0,
        "recipient":"+447700900143","status":"Delivered","at":"2026-11-20T12:00:02Z"}"#;
    let single = read(Source::Sinch, single).remove(0);
    assert_eq!(single["message_key"], first[0]["message_key"], "both reports, one message");
    assert_ne!(single["event_id"], first[0]["event_id"]);
}

#[test]
fn sinch_conversation_is_one_message_over_its_channels() {
    let report = |channel: &str, status: &str| {
        let report = json!({"event_time": "2026-11-20T12:00:02Z", "message_delivery_report": {
            "message_id": "m", "status": status,
            "channel_identity": {"channel": channel, "identity": "447700900143"}}});
        read(Source::Sinch, &report.to_string()).remove(0)
    };
    let (first, second) = (report("RCS", "SWITCHING_CHANNEL"), report("SMS", "DELIVERED"));
    assert_eq!(first["message_key"], second["message_key"]);
    assert_eq!((&first["status"], &first["is_final"]), (&json!("failed"), &json!(false)));
    let other = report("SMS", "SWITCHING_CHANNEL");
    assert_ne!(first["event_id"], other["event_id"], "the event is the channel's");
}

#[test]
fn sinch_shows_no_prefix_of_a_user_id() {
    let report = r#"{"message_id":"m","status":"READ","channel_identity":{"channel":"INSTAGRAM",
        "identity":"447700900143"}}"#;
    let line = read(Source::Sinch, report).remove(0);
    assert_eq!(line["recipient_prefix"], json!(null));
    assert_eq!(line["receipt_class"], "app");
}

fn unreadable(source: Source, text: &str) -> u64 {
    let mut normalizer = normalizer();
    normalizer.batch(&batch(&[Case::value(text)]), &[input(Some(source))]).unwrap();
    normalizer.counters().unreadable_fields
}

#[test]
fn unreadable_fields_are_counted() {
    let sinch = r#"{"batch_id":"b","recipient":"447700900143","status":"Queued","code":{},
        "at":"soon","operator":[],"number_of_message_parts":"many","applied_originator":true}"#;
    assert_eq!(unreadable(Source::Sinch, sinch), 5);
}

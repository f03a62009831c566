//! Rules that hold for every source: time, identity, origin, accounting.

use std::sync::Arc;

use model::record::Input;
use model::vocabulary::{DeadReason, Source};
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, input, lines, normalizer, run};

const DELIVERED: &str = r#"{"results":[{"messageId":"m","to":"447700900143","status":{"groupId":3,
    "id":5,"name":"DELIVERED_TO_HANDSET"},"sentAt":"2026-11-20T12:00:00.000+0000",
    "doneAt":"2026-11-20T12:00:02.000+0000"}]}"#;

fn one(case: Case) -> Value {
    lines(&run(Some(Source::Infobip), &[case])).remove(0)
}

#[test]
fn kafkas_time_wins_over_the_header_and_names_its_clock() {
    let callback = Case::value("MessageSid=SM1&MessageStatus=sent")
        .header("received-at", "2026-11-20T12:00:01Z")
        .ingested("2026-11-20T12:00:05Z");
    let line = lines(&run(Some(Source::Twilio), &[callback])).remove(0);
    assert_eq!(line["event_time"], "2026-11-20T12:00:05.000000Z");
    assert_eq!(line["event_time_source"], "broker");
    assert_eq!(line["ingest_time"], line["event_time"]);
}

#[test]
fn times_far_ahead_of_ingest_are_replaced_or_dropped_and_counted() {
    let mut normalizer = normalizer();
    let cases = [
        Case::value(DELIVERED).ingested("2026-11-20T11:50:00Z"),
        Case::value(DELIVERED).ingested("2026-11-20T11:55:02Z"),
    ];
    let inputs = [input(Some(Source::Infobip))];
    let normalized = normalizer.batch(&batch(&cases), &inputs).unwrap();
    let lines = lines(&normalized);
    assert_eq!(lines[0]["event_time"], "2026-11-20T11:50:00.000000Z");
    assert_eq!(lines[0]["event_time_source"], "replaced");
    assert_eq!(lines[0]["submit_time"], json!(null));
    assert_eq!(lines[1]["event_time_source"], "vendor", "exactly 5 min ahead is allowed");
    assert_eq!(normalizer.counters().replaced_event_times, 1);
    assert_eq!(normalizer.counters().dropped_submit_times, 1);
}

#[test]
fn a_redelivered_event_keeps_its_id_whatever_the_headers_say() {
    let first = one(Case::value(DELIVERED).ingested("2026-11-20T12:00:03Z"));
    let again = Case::value(DELIVERED).ingested("2026-11-20T13:00:03Z").header("account", "other");
    let again = one(again);
    assert_eq!(first["event_id"], again["event_id"]);
    assert_eq!(first["message_key"], again["message_key"]);
    let later = one(Case::value(DELIVERED.replace("12:00:02", "12:00:04")));
    assert_ne!(first["event_id"], later["event_id"], "another fact has another id");
    assert_eq!(first["message_key"], later["message_key"]);
}

#[test]
fn one_person_has_one_token_over_vendors() {
    let infobip = one(Case::value(DELIVERED));
    let twilio = "MessageSid=SM1&MessageStatus=sent&To=whatsapp%3A%2B447700900143";
    let twilio = lines(&run(Some(Source::Twilio), &[Case::value(twilio)])).remove(0);
    assert_eq!(infobip["recipient_token"], twilio["recipient_token"]);
    assert_ne!(infobip["message_key"], twilio["message_key"]);
}

#[test]
fn a_user_id_of_digits_is_no_number() {
    let event = r#"{"id":"e","source":"s","type":"t","data":{"message_id":"u-441234567890",
        "channel":"inapp","recipient_ref":"441234567890","status":"read"}}"#;
    for channel in ["inapp", "arena"] {
        let event = event.replace("inapp", channel);
        let line = lines(&run(Some(Source::Cloudevents), &[Case::value(event)])).remove(0);
        assert_eq!(line["recipient_prefix"], json!(null), "{channel}");
        assert_eq!(line["country"], json!(null), "{channel}");
        assert_eq!(line["receipt_class"], "app", "{channel}");
        let token = line["recipient_token"].as_str().unwrap();
        assert_eq!(line["message_id"], format!("u-{token}"), "{channel}");
    }
    let number = event.replace("inapp", "arena").replace(r#""4412"#, r#""+4412"#);
    let line = lines(&run(Some(Source::Cloudevents), &[Case::value(number)])).remove(0);
    assert_eq!(line["recipient_prefix"], "+44123456", "a plus sign makes a number");
}

#[test]
fn the_header_names_source_and_account_before_the_input_does() {
    let case = Case::value(DELIVERED).header("Source", "infobip").header("account", "A");
    let configured = Input { account: Some(Arc::from("B")), ..input(Some(Source::Twilio)) };
    let mut normalizer = normalizer();
    let normalized = normalizer.batch(&batch(&[case]), std::slice::from_ref(&configured)).unwrap();
    assert_eq!(lines(&normalized)[0]["account"], "A");
    let case = Case::value("MessageSid=SM1&MessageStatus=sent");
    let normalized = normalizer.batch(&batch(&[case]), &[configured]).unwrap();
    assert_eq!(lines(&normalized)[0]["account"], "B");
}

#[test]
fn records_without_a_readable_source_or_text_are_one_dead_letter() {
    let reason = |source, case: Case| {
        let normalized = run(source, &[case]);
        assert_eq!(normalized.tallies[0].elements, 1);
        let dead = &normalized.dead[0];
        (dead.reason.as_str(), dead.detail.clone(), dead.source)
    };
    let unknown = reason(None, Case::value("{}"));
    assert_eq!((unknown.0, unknown.2), ("unknown_source", None));
    let misnamed = reason(Some(Source::Fcm), Case::value("{}").header("source", "carrierpigeon"));
    assert_eq!((misnamed.0, misnamed.2), ("unknown_source", None));
    let bytes = reason(Some(Source::Twilio), Case::value(b"To=\xff".to_vec()));
    assert_eq!((bytes.0, bytes.1.as_str()), ("not_utf8", "byte 3"));
    let large = reason(Some(Source::Infobip), Case::value(vec![b' '; (16 << 20) + 1]));
    assert_eq!(large.0, "too_large");
}

#[test]
fn a_messages_id_is_shown_alike_whatever_its_other_texts_hold() {
    let shown = |from: &str| {
        let id = "%2B44+7911+222+333";
        let form = format!("MessageUUID={id}&Status=sent&To=447911222333&From={from}");
        lines(&run(Some(Source::Plivo), &[Case::value(form)])).remove(0)
    };
    let (plain, spelled) = (shown("EXAMPLE"), shown("44-7911-222-333"));
    assert_eq!(plain["message_id"], spelled["message_id"]);
    assert!(!spelled["sender"].to_string().contains("7911"), "{spelled}");
}

#[test]
fn bytes_that_are_no_text_cost_their_field_of_receipts_and_tables() {
    let receipt = b"id:7 stat:DELIVRD err:000 text:caf\xe9".to_vec();
    let given = run(Some(Source::Smpp), &[Case::value(receipt)]);
    assert_eq!(lines(&given)[0]["status"], "delivered");
    let told = |receipt: &[u8]| {
        let given = run(Some(Source::Smpp), &[Case::value(receipt.to_vec())]);
        let dead = given.dead.first().map(|dead| dead.reason.as_str());
        (dead, lines(&given).first().map(|line| line["error_code"].clone()))
    };
    assert_eq!(told(b"id:7\xe9 stat:DELIVRD err:001"), (Some("missing_id"), None));
    assert_eq!(told(b"id:7 stat:DELIV\xe9RD err:001"), (Some("missing_status"), None));
    assert_eq!(told(b"id:7 stat:UNDELIV err:0\xe90"), (None, Some(json!(null))));
    let table = b"message_id,status,client_ref,to\nm1,delivered,caf\xe9,447700900143\n".to_vec();
    let row = lines(&run(Some(Source::Vonage), &[Case::value(table)])).remove(0);
    assert_eq!((&row["status"], &row["logical_id"]), (&json!("delivered"), &json!(null)));
    let open = [b"message_id,status\n\xe9\xe9,sent\n", ",".repeat(300).as_bytes()].concat();
    let dead = &run(Some(Source::Vonage), &[Case::value(open)]).dead;
    assert_eq!(dead[0].detail, "byte 282", "places are those of the bytes");
    let open = b"message_id,status\nm1,sent\n\"m2,sent\nm3,\"sent\nm4,sent\n".to_vec();
    let read = run(Some(Source::Vonage), &[Case::value(open)]);
    let ids: Vec<Value> = lines(&read).iter().map(|line| line["message_id"].clone()).collect();
    assert_eq!(ids, ["m1", "m4"], "an open quote costs its row");
    let dead: Vec<&str> = read.dead.iter().map(|dead| dead.reason.as_str()).collect();
    assert_eq!(dead, ["missing_id", "missing_status"]);
    let vonages = b"messageId=7&status=delivered&client-ref=caf\xe9\n".to_vec();
    let dead = &run(Some(Source::Vonage), &[Case::value(vonages)]).dead;
    assert_eq!(dead[0].reason.as_str(), "not_utf8", "a line end makes no table of a form");
    let form = b"id=7&status=sent&x=caf\xe9".to_vec();
    let dead = &run(Some(Source::Kaleyra), &[Case::value(form)]).dead;
    assert_eq!(dead[0].reason.as_str(), "not_utf8");
}

#[test]
fn tombstones_are_ignored_and_every_input_has_its_own_tally() {
    let mut raw = batch(&[
        Case { tombstone: true, ..Case::default() },
        Case::value(DELIVERED).ingested("2026-11-20T12:00:03Z"),
        Case::value("x"),
    ]);
    raw.records[1].input = 1;
    let inputs = [input(Some(Source::Infobip)), input(Some(Source::Infobip))];
    let normalized = normalizer().batch(&raw, &inputs).unwrap();
    let [first, second] = &normalized.tallies[..] else { panic!("two inputs occur") };
    assert_eq!((first.input, first.records, first.ignored, first.dead), (0, 2, 1, 1));
    assert_eq!((first.first_offset, first.last_offset), (0, 2));
    assert_eq!((second.input, second.events), (1, 1));
    assert_eq!(second.newest_ingest_us, model::time::parse_rfc3339("2026-11-20T12:00:03Z"));
}

#[test]
fn keys_stand_in_schema_order_and_counts_are_kept() {
    let mut normalizer = normalizer();
    let value = DELIVERED.replace("\"id\":5", "\"id\":5.5").replace("12:00:02.000", "soon");
    let raw = batch(&[Case::value(value)]);
    let normalized = normalizer.batch(&raw, &[input(Some(Source::Infobip))]).unwrap();
    let line = &lines(&normalized)[0];
    let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    let names: Vec<_> =
        model::event::CANONICAL_SCHEMA.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(keys, names);
    assert_eq!(normalizer.counters().unreadable_fields, 1);
}

#[test]
fn every_unreadable_field_is_counted_once() {
    let count = |source, value: &str| {
        let mut normalizer = normalizer();
        let normalized =
            normalizer.batch(&batch(&[Case::value(value)]), &[input(Some(source))]).unwrap();
        assert_eq!(normalized.events.num_rows(), 1, "{value}");
        normalizer.counters().unreadable_fields
    };
    let event = r#"{"id":"e","source":"s","type":"x.delivered","data":{"message_id":"m",
        "status":7.5,"error":"x","traffic_class":"odd",
        "billing":{"units":"x","unit":"segments","price":7}}}"#;
    assert_eq!(count(Source::Cloudevents, event), 4, "error, class, units, price");
    let typed = event.replace("7.5", "true");
    assert_eq!(count(Source::Cloudevents, &typed), 5, "the type's last word stands in");
    let null = r#"{"message_id":"m","status":"sent","error":null,"billing":null}"#;
    assert_eq!(count(Source::Cloudevents, null), 0);
    let report = DELIVERED.replace("\"status\"", "\"mccMnc\":\"00000\",\"contact\":7,\"status\"");
    assert_eq!(count(Source::Infobip, &report), 1, "zeros are an unknown network, no damage");
    let meta = r#"{"metadata":"x","statuses":[{"id":"w","status":"failed","errors":7}]}"#;
    assert_eq!(count(Source::Whatsapp, meta), 2);
    assert_eq!(count(Source::Whatsapp, &meta.replace("\"x\"", "null").replace('7', "null")), 0);
    let group = r#"[{"type":"message-delivered","time":"2026-11-20T12:00:02Z","to":"+12025550143",
        "description":{},"message":{"id":"1","to":["+12025550143","+12025550144"]}}]"#;
    assert_eq!(count(Source::Bandwidth, group), 1);
    let resource = r#"{"sid":"SM1","status":"sent","messaging_service_sid":[]}"#;
    assert_eq!(count(Source::Twilio, resource), 1);
}

#[test]
fn a_charge_of_a_message_whose_status_cannot_be_read_is_no_bill() {
    let told = |status| {
        let data =
            format!(r#"{{"message_id":"m",{status}"billing":{{"price":{{"amount":"1"}}}}}}"#);
        let normalized = run(Some(Source::Cloudevents), &[Case::value(data)]);
        let reasons: Vec<_> = normalized.dead.iter().map(|dead| dead.reason.as_str()).collect();
        (normalized.charges.num_rows(), reasons)
    };
    assert_eq!(told(r#""status":{},"#), (0, vec!["missing_status"]));
    assert_eq!(told(""), (1, vec![]));
}

#[test]
fn a_get_callback_may_have_a_null_value() {
    let url = "https://example.com/dlr?MessageSid=SM1&MessageStatus=delivered";
    let null = Case { tombstone: true, ..Case::default() }.header("url", url);
    let normalized = run(Some(Source::Twilio), &[null.clone().header("method", "GET"), null]);
    assert_eq!((normalized.events.num_rows(), normalized.tallies[0].ignored), (1, 1));
}

#[test]
fn every_source_has_an_adapter() {
    for source in Source::ALL {
        let normalized = run(Some(*source), &[Case::value("{}")]);
        let unknown = normalized.dead.iter().any(|dead| dead.reason == DeadReason::UnknownSource);
        assert!(!unknown, "{source}");
    }
}

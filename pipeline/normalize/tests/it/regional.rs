//! Traps of MessageBird, Bird, Bandwidth, Gupshup and Kaleyra. Method: two records that must be
//! told apart, or must not, are read and their lines compared.

use model::vocabulary::Source;
use serde_json::Value;

use crate::fixtures::{Case, batch, input, lines, normalizer, run};

/// A GET callback.
fn get(query: &str) -> Case {
    Case::value("").header("method", "GET").header("url", &format!("https://example.com/?{query}"))
}

/// The only line of a record.
fn line(source: Source, case: Case) -> Value {
    let mut lines = lines(&run(Some(source), &[case]));
    assert_eq!(lines.len(), 1, "{source}");
    lines.remove(0)
}

/// Fields that could not be read and statuses that no table knows.
fn counts(source: Source, case: Case) -> (u64, u64) {
    let mut normalizer = normalizer();
    normalizer.batch(&batch(&[case]), &[input(Some(source))]).unwrap();
    let counters = normalizer.counters();
    (counters.unreadable_fields, counters.unknown_statuses)
}

#[test]
fn messagebirds_object_and_report_of_a_recipient_are_one_message() {
    let item = r#"{"recipient":447700900143,"status":"sent"}"#;
    let other = item.replace("143", "144");
    let object = format!(r#"{{"id":"m","recipients":{{"items":[{item},{other}]}}}}"#);
    let found = lines(&run(Some(Source::Messagebird), &[Case::value(object)]));
    assert_ne!(found[0]["message_key"], found[1]["message_key"], "one id, two recipients");
    for recipient in ["447700900143", "%2B447700900143", "+447700900143"] {
        let report = get(&format!("id=m&recipient={recipient}&status=sent"));
        let report = line(Source::Messagebird, report);
        assert_eq!(report["message_key"], found[0]["message_key"], "{recipient}");
        assert_eq!(report["recipient_token"], found[0]["recipient_token"], "{recipient}");
        assert_eq!(report["event_id"], found[0]["event_id"], "{recipient}");
    }
}

#[test]
fn messagebirds_later_price_is_a_new_event() {
    let report = |amount: &str| {
        let price = format!("price%5Bamount%5D={amount}&price%5Bcurrency%5D=EUR");
        line(Source::Messagebird, get(&format!("id=m&recipient=1&status=delivered&{price}")))
    };
    let (unknown, known) = (report("0.000"), report("0.0610"));
    assert_eq!(
        (&unknown["price"], &known["price"]),
        (&"0.000000000".into(), &"0.061000000".into())
    );
    assert_ne!(unknown["event_id"], known["event_id"]);
    assert_eq!(known["event_id"], report("0.0610")["event_id"]);
}

#[test]
fn messagebirds_unreadable_fields_and_unknown_statuses_are_counted() {
    let flat = r#"{"id":"m","status":"parked","price":7,"statusDatetime":"soon",
        "mccmnc":"12","recipient":true,"messagePartCount":"x"}"#;
    assert_eq!(counts(Source::Messagebird, Case::value(flat)), (5, 1));
    let zeros = r#"{"id":"m","status":"sent","mccmnc":"00000","messagePartCount":0}"#;
    assert_eq!(counts(Source::Messagebird, Case::value(zeros)), (0, 0));
}

#[test]
fn birds_types_are_open_and_a_new_family_is_no_damage() {
    let event = |kind: &str| {
        let text = format!(
            r#"{{"type":"{kind}","timestamp":"2026-11-20T12:00:02Z","data":{{"sms_id":"m"}}}}"#
        );
        Case::value(text)
    };
    let new = line(Source::Bird, event("sms.parked"));
    assert_eq!((&new["status"], &new["is_final"]), (&"unknown".into(), &false.into()));
    assert_eq!(new["vendor_status"], "sms.parked");
    assert_eq!(counts(Source::Bird, event("sms.parked")), (0, 1));
    let family = run(Some(Source::Bird), &[event("fax.delivered")]);
    assert_eq!((family.tallies[0].ignored, family.tallies[0].dead), (1, 0));
}

#[test]
fn birds_price_is_the_whole_messages_and_a_later_one_is_a_new_event() {
    let event = |cost: &str| {
        let text = format!(
            r#"{{"type":"sms.delivered","timestamp":"2026-11-20T12:00:02Z",
                "data":{{"sms_id":"m","cost":{cost}}}}}"#
        );
        line(Source::Bird, Case::value(text))
    };
    let parts = r#""transaction_amount":"0.00790","passthrough_amount":"0.00200","#;
    let whole = event(&format!(r#"{{{parts}"amount":"0.01000","currency_code":"EUR"}}"#));
    let summed = event(&format!(r#"{{{parts}"amount":null,"currency_code":"EUR"}}"#));
    let unpriced = event("null");
    assert_eq!((&whole["price"], &whole["price_unit"]), (&"0.010000000".into(), &"message".into()));
    assert_eq!(summed["price"], "0.009900000");
    assert_eq!((&unpriced["price"], &unpriced["currency"]), (&Value::Null, &Value::Null));
    let zero = event(r#"{"transaction_amount":null,"passthrough_amount":"0.00000"}"#);
    assert_eq!(zero["price"], "0.000000000", "priced at zero is not unpriced");
    assert_ne!(whole["event_id"], unpriced["event_id"]);
    assert_eq!(whole["message_key"], unpriced["message_key"]);
}

#[test]
fn birds_group_message_has_an_event_for_each_participant() {
    let event = |number: &str| {
        let text = format!(
            r#"{{"type":"whatsapp.delivered","timestamp":"2026-11-20 12:00:02+00:00",
                "data":{{"whatsapp_id":"m","to":{{"group_id":"g"}},
                "recipient":{{"phone_number":"{number}"}}}}}}"#
        );
        line(Source::Bird, Case::value(text))
    };
    let (one, other) = (event("+447700900143"), event("+447700900144"));
    assert_ne!(one["event_id"], other["event_id"]);
    assert_ne!(one["recipient_token"], other["recipient_token"]);
    assert_eq!(one["message_key"], other["message_key"]);
    assert_eq!(one["event_time"], "2026-11-20T12:00:02.000000Z");
}

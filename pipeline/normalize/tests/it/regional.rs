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
    (counters.unreadable_fields, counters.unknown_statuses.values().sum())
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
fn a_twilio_event_in_binary_mode_is_the_event_that_it_is_in_one_piece() {
    let data = r#"{"messageSid":"SM1","messageStatus":"DELIVERED","to":"+447700900143"}"#;
    let kind = "com.twilio.messaging.message.delivered";
    let whole = format!(r#"{{"specversion":"1.0","id":"EZ1","type":"{kind}","data":{data}}}"#);
    let whole = line(Source::Twilio, Case::value(whole));
    let binary = Case::value(data).header("ce_id", "EZ1").header("ce_type", kind);
    let binary = line(Source::Twilio, binary);
    for column in ["event_id", "message_key", "status", "vendor_status"] {
        assert_eq!(binary[column], whole[column], "{column}");
    }
}

#[test]
fn birds_types_are_open_and_a_new_family_is_lost_only_where_it_tells_no_outcome() {
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
    for (kind, expected) in [("contact.created", (1, 0)), ("fax.delivered", (0, 1))] {
        let family = run(Some(Source::Bird), &[event(kind)]);
        assert_eq!((family.tallies[0].ignored, family.tallies[0].dead), expected, "{kind}");
    }
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

/// A webhook of Bandwidth about message `m`.
fn bandwidth(kind: &str, fields: &str) -> Case {
    let message = r#"{"id":"m","time":"2026-11-20T12:00:00Z","to":["+447700900143"]}"#;
    let time = "2026-11-20T12:00:02Z";
    Case::value(format!(r#"[{{"type":"{kind}","time":"{time}",{fields},"message":{message}}}]"#))
}

#[test]
fn bandwidths_group_message_has_a_key_for_each_recipient() {
    let event =
        |to: &str| line(Source::Bandwidth, bandwidth("message-sent", &format!(r#""to":"{to}""#)));
    let (one, other) = (event("+447700900143"), event("+447700900144"));
    assert_eq!(one["message_id"], other["message_id"]);
    assert_ne!(one["message_key"], other["message_key"]);
    assert_ne!(one["event_id"], other["event_id"]);
    let row = r#"{"messages":[{"messageId":"m","messageStatus":"SENT","messageType":"sms",
        "destinationTn":"+447700900143"}]}"#;
    let row = line(Source::Bandwidth, Case::value(row));
    assert_eq!(row["message_key"], one["message_key"], "a row is of the same message");
}

#[test]
fn bandwidths_delivery_to_the_carrier_is_no_delivery() {
    let event = |description: &str| {
        let fields = format!(r#""to":"1","description":"{description}""#);
        line(Source::Bandwidth, bandwidth("message-delivered", &fields))
    };
    for (description, status, is_final) in [
        ("ok", "delivered", true),
        ("Message delivered to carrier", "sent", false),
        ("message delivered to carrier.", "sent", false),
        ("Message delivered to handset", "delivered", true),
    ] {
        let found = event(description);
        assert_eq!((&found["status"], &found["is_final"]), (&status.into(), &is_final.into()));
    }
}

#[test]
fn bandwidths_missing_receipt_is_an_unknown_outcome() {
    let failed = |code: &str| {
        let fields = format!(r#""to":"1","errorCode":{code}"#);
        let found = line(Source::Bandwidth, bandwidth("message-failed", &fields));
        assert_eq!(found["is_final"], true);
        (found["status"].clone(), found["error_code"].clone(), found["error_class"].clone())
    };
    let words = |status: &str, code: &str, class: &str| (status.into(), code.into(), class.into());
    assert_eq!(failed("9902"), words("unknown", "9902", "expired"));
    assert_eq!(failed("9999"), words("unknown", "9999", "unknown"));
    assert_eq!(failed("4750"), words("undelivered", "4750", "blocked"));
    assert_eq!(failed("4470"), words("failed", "4470", "spam"));
}

#[test]
fn bandwidths_international_reports_come_once_a_part_and_without_a_time() {
    let report = |part: u8| {
        let text = format!(
            r#"{{"msgId":"m","event":"DELIVERED","errorCode":0,"partNum":{part},"numParts":2}}"#
        );
        line(Source::Bandwidth, Case::value(text).ingested("2026-11-20T12:00:05Z"))
    };
    let (first, second) = (report(0), report(1));
    assert_eq!(first["message_id"], second["message_id"]);
    assert_ne!(first["message_key"], second["message_key"]);
    assert_eq!((&first["segments"], &first["error_code"]), (&1.into(), &Value::Null));
    assert_eq!(first["event_time_source"], "broker");
    assert_eq!(first["recipient_token"], Value::Null);
    assert_eq!(first["event_id"], report(0)["event_id"]);
}

/// A WhatsApp event of Gupshup's version 2.
fn gupshup(kind: &str, ids: &str, inner: &str) -> Case {
    Case::value(format!(
        r#"{{"app":"a","timestamp":1795176003993,"version":2,"type":"message-event","payload":{{
            {ids},"type":"{kind}","destination":"447700900143","payload":{inner}}}}}"#
    ))
}

#[test]
fn gupshups_events_are_joined_by_its_own_id() {
    let enqueued = line(Source::Gupshup, gupshup("enqueued", r#""id":"g""#, r#"{"type":"x"}"#));
    let read = gupshup("read", r#""id":"wamid.X","gsId":"g""#, r#"{"ts":1795176005}"#);
    let read = line(Source::Gupshup, read);
    let third = r#"{"entry":[{"changes":[{"value":{"statuses":[
        {"gs_id":"g","id":"wamid.X","status":"delivered","timestamp":"1795176004"}]}}]}]}"#;
    let third = line(Source::Gupshup, Case::value(third));
    assert_eq!((&enqueued["message_id"], &enqueued["status"]), (&"g".into(), &"queued".into()));
    for later in [read, third] {
        assert_eq!(later["message_key"], enqueued["message_key"]);
    }
}

#[test]
fn gupshups_four_encodings_of_time_are_one_time() {
    let sms = r#"[{"externalId":"m","eventType":"DELIVERED","eventTs":1795176005000}]"#;
    let status =
        |timestamp: &str| format!(r#"{{"gs_id":"g","status":"enqueued","timestamp":{timestamp}}}"#);
    for (case, expected) in [
        (Case::value(sms), "2026-11-20T12:00:05.000000Z"),
        (
            get("externalId=m&status=SUCCESS&deliveredTS=1795176005000"),
            "2026-11-20T12:00:05.000000Z",
        ),
        (gupshup("read", r#""gsId":"g""#, r#"{"ts":1795176005}"#), "2026-11-20T12:00:05.000000Z"),
        (gupshup("enqueued", r#""id":"g""#, "{}"), "2026-11-20T12:00:03.993000Z"),
        (Case::value(status("\"1795176005\"")), "2026-11-20T12:00:05.000000Z"),
        (Case::value(status("1795176005420")), "2026-11-20T12:00:05.420000Z"),
    ] {
        assert_eq!(line(Source::Gupshup, case)["event_time"], expected);
    }
}

#[test]
fn gupshups_old_whatsapp_id_is_hashed_where_its_own_is_gone() {
    // The bytes 80 11 06, then 447700900143 two digits a byte.
    let id = "gBEGRHcAkAFDAgkAAAAAAAAAqrs";
    let event = gupshup("read", &format!(r#""id":"{id}""#), r#"{"ts":1795176005}"#);
    let shown = line(Source::Gupshup, event)["message_id"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("wamid:") && !shown.contains("gBE"), "{shown}");
}

#[test]
fn gupshups_billing_is_a_charge_and_a_deletion_nothing() {
    let billing = r#"{"app":"a","timestamp":1,"version":2,"type":"billing-event",
        "payload":{"deductions":{"billable":"true"},"references":{"gsId":"g"}}}"#;
    let deleted = gupshup("deleted", r#""gsId":"g""#, "{}");
    for (case, expected) in [(Case::value(billing), (0, 1, 0)), (deleted, (0, 0, 1))] {
        let tally = run(Some(Source::Gupshup), &[case]).tallies.remove(0);
        assert_eq!((tally.events, tally.charges, tally.ignored), expected);
    }
}

#[test]
fn gupshups_reports_are_read_in_each_wrapping() {
    let array = r#"[{"externalId":"m","eventType":"FAILED","cause":"BLOCKED","errCode":"007",
        "eventTs":1795176005000,"destAddr":447700900143}]"#;
    let encoded = array.replace('"', "%22").replace('\n', "").replace(' ', "+");
    let plain = line(Source::Gupshup, Case::value(array));
    assert_eq!((&plain["error_code"], &plain["error_class"]), (&"007".into(), &"opted_out".into()));
    for wrapped in [
        format!("response={encoded}"),
        format!("response={array}"),
        format!("[response=\n{array}]"),
        format!(r#"{{"response":{array}}}"#),
    ] {
        let mut found = line(Source::Gupshup, Case::value(wrapped));
        found["payload_sha256"] = plain["payload_sha256"].clone();
        assert_eq!(found, plain);
    }
}

#[test]
fn kaleyras_callback_is_an_id_and_a_status() {
    let callback = |status: &str| get(&format!("id=58f86fab%3A0&status={status}"));
    let read =
        |status: &str| line(Source::Kaleyra, callback(status).ingested("2026-11-20T12:00:05Z"));
    let failed = read("0");
    assert_eq!((&failed["status"], &failed["is_final"]), (&"failed".into(), &true.into()));
    assert_eq!((&failed["vendor_status"], &failed["error_code"]), (&"0".into(), &Value::Null));
    assert_eq!(
        (&failed["message_id"], &failed["event_time_source"]),
        (&"58f86fab:0".into(), &"broker".into())
    );
    let delivered = read("delivered");
    assert_eq!(delivered["message_key"], failed["message_key"]);
    assert_ne!(delivered["event_id"], failed["event_id"]);
    let again = line(Source::Kaleyra, callback("delivered").ingested("2026-11-21T12:00:05Z"));
    assert_eq!(again["event_id"], delivered["event_id"], "the receive time does not enter");
    assert_eq!(counts(Source::Kaleyra, callback("parked")), (0, 1));
}

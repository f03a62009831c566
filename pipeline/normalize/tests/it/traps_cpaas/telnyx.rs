//! Telnyx: webhooks, message records, detail records.

use std::collections::BTreeSet;

use model::vocabulary::Source;
use serde_json::json;

use super::{NEW_EVENT, SAME_EVENT, body, compare, hold, words};
use crate::fixtures::{Case, lines, run};

pub(super) fn telnyx(event: &str, payload: &str) -> Case {
    body(format!(
        r#"{{"data":{{"event_type":"{event}","id":"e7","record_type":"event",
            "occurred_at":"2026-11-20T12:00:02.148+00:00","payload":{{"id":"m7",
            "direction":"outbound",{payload}}}}},"meta":{{"attempt":1}}}}"#
    ))
}

pub(super) fn telnyx_to(status: &str, rest: &str) -> Case {
    let to = format!(r#""to":[{{"phone_number":"+12025550143","status":"{status}"{rest}}}]"#);
    telnyx("message.finalized", &to)
}

#[test]
fn telnyxs_words_mean_what_its_tables_say() {
    let webhook = [
        ("scheduled", "accepted", false),
        ("queued", "queued", false),
        ("sending", "queued", false),
        ("sent", "sent", false),
        ("delivered", "delivered", true),
        ("read", "read", true),
        ("sending_failed", "failed", true),
        ("delivery_failed", "undelivered", true),
        ("delivery_unconfirmed", "unknown", true),
        ("expired", "expired", true),
        ("cancelled", "canceled", true),
    ];
    words(Source::Telnyx, |word| telnyx_to(word, ""), &webhook);
    let rows = [
        ("queued", "queued", false),
        ("sent", "sent", false),
        ("delivered", "delivered", true),
        ("failed", "failed", true),
        ("gw_timeout", "unknown", true),
        ("dlr_timeout", "unknown", true),
        ("dlr_unconfirmed", "unknown", true),
        ("gw_reject", "rejected", true),
    ];
    let row = |word: &str| {
        body(format!(
            r#"{{"data":[{{"uuid":"m7","record_type":"message_detail_record","status":"{word}",
                "cld":"+12025550143","direction":"outbound"}}]}}"#
        ))
    };
    words(Source::Telnyx, row, &rows);
    let inbound = r#"{"data":[{"uuid":"m7","status":"received","cld":"+12025550143"}]}"#;
    let traps = traps! {
        "a record of what was received is inbound": body(inbound) => [],
        "webhook_delivered is of an inbound message": telnyx_to("webhook_delivered", "") => [],
    };
    hold(Source::Telnyx, &traps);
}

#[test]
fn telnyxs_records_hold() {
    let to = r#""to":[{"phone_number":"+12025550143","status":"delivered"}]"#;
    let finalized = |rest: &str| telnyx("message.finalized", &format!("{to},{rest}"));
    let traps = traps! {
        "the cost is text, the whole message's, with the carrier's fee in it":
            finalized(
                r#""type":"SMS","cost":{"amount":"0.0051","currency":"USD"},"cost_breakdown":
                {"rate":{"amount":"0.00205"},"carrier_fee":{"amount":"0.00305"}}"#,
            )
            => {"price": "0.005100000", "price_unit": "message", "currency": "USD"},
        "one of its pages shows the cost as a number":
            finalized(r#""cost":{"amount":0.0051,"currency":"USD"}"#) => {"price": "0.005100000"},
        "RCS may stay without a cost, and has no parts; its sender is an agent":
            finalized(
                r#""type":"RCS","cost":null,"from":{"agent_id":"agent7","agent_name":"Example"},
                "body":{"text":"x"}"#,
            )
            => {"channel": "rcs", "price": null, "price_unit": "none", "segments": null,
                "sender": "agent7"},
        "older records have the cost in cost.cost":
            body(format!(
                r#"{{"data":{{"id":"m7","record_type":"message",{to},
                    "cost":{{"cost":"0.0123","currency":"USD"}}}}}}"#
            ))
            => {"price": "0.012300000", "currency": "USD"},
        "carriers are company names; line types are more than those documented":
            telnyx_to("sent", r#","carrier":"T-MOBILE USA, INC.","line_type":"long_code""#)
            => {"carrier": "T-Mobile", "mcc": null, "mnc": null},
        "message.read is a read whatever the status says":
            telnyx("message.read", &format!(r#"{to},"type":"RCS""#))
            => {"status": "read", "vendor_status": "message.read"},
        "one page names message.delivered":
            telnyx("message.delivered", r#""to":[{"phone_number":"+12025550143"}]"#)
            => {"status": "delivered", "is_final": true},
        "message.received is inbound": telnyx("message.received", to) => [],
        "a code of many meanings is told by its title":
            telnyx(
                "message.finalized",
                r#""to":[{"phone_number":"+12025550143","status":"delivery_failed"}],
                "errors":[{"code":"40300","title":"Blocked due to STOP message"}]"#,
            )
            => {"error_code": "40300", "error_class": "opted_out"},
        "a detail record's money and network are text":
            body(
                r#"{"data":[{"uuid":"m7","cld":"+12025550143","cli":"x","status":"delivered",
                "rate":"0.0025","cost":"0.0050","parts":2,"currency":"USD","mcc":"310","mnc":"090",
                "tags":"a,b","errors":[]}]}"#,
            )
            => {"price": "0.005000000", "mcc": "310", "mnc": "090", "segments": 2},
    };
    hold(Source::Telnyx, &traps);
    let id =
        |id: &str| body(String::from_utf8(telnyx_to("sent", "").value).unwrap().replace("e7", id));
    let pairs = pairs! {
        "another data.id is another event": id("e8"), id("e9") => NEW_EVENT,
        "the failover URL gets the same event":
            id("e8"),
            body(String::from_utf8(id("e8").value).unwrap().replace("attempt\":1", "attempt\":4"))
            => SAME_EVENT,
    };
    compare(Source::Telnyx, &pairs);
}

#[test]
fn whom_telnyx_lists_in_cc_is_a_recipient_too() {
    let finalized = telnyx(
        "message.finalized",
        r#""type":"MMS","to":[{"phone_number":"+12025550143","status":"delivered"}],
        "cc":[{"phone_number":"+447700900143","status":"delivery_failed"},
        {"phone_number":"+447700900144","status":"sent"}],
        "cost":{"amount":"0.0100","currency":"USD"}"#,
    );
    let traps = traps! {
        "each has an event, and the first alone the message's cost":
            finalized.clone()
            => [{"status": "delivered", "recipient_prefix": "+1202555", "price": "0.010000000",
                 "element": 0},
                {"status": "undelivered", "recipient_prefix": "+44770090", "price": null,
                 "element": 1},
                {"status": "sent", "recipient_prefix": "+44770090", "price": null, "element": 2}],
    };
    hold(Source::Telnyx, &traps);
    let events = lines(&run(Some(Source::Telnyx), &[finalized]));
    for column in ["event_id", "message_key", "recipient_token"] {
        let told: BTreeSet<_> = events.iter().map(|event| event[column].to_string()).collect();
        assert_eq!(told.len(), 3, "{column} tells them apart");
    }
}

#[test]
fn whom_telnyx_lists_in_cc_alone_has_an_event_each() {
    let cc = |numbers: &[&str]| {
        let each = numbers
            .iter()
            .map(|number| format!(r#"{{"phone_number":"{number}","status":"delivered"}}"#));
        each.collect::<Vec<_>>().join(",")
    };
    let two = cc(&["+447700900143", "+447700900144"]);
    let cost = r#""cost":{"amount":"0.0100","currency":"USD"}"#;
    let group = |to: &str| telnyx("message.finalized", &format!(r#"{to}"cc":[{two}],{cost}"#));
    let told = json!([
        {"status": "delivered", "recipient_prefix": "+44770090", "price": "0.010000000",
         "element": 0},
        {"status": "delivered", "recipient_prefix": "+44770090", "price": null, "element": 1}]);
    let one = cc(&["+447700900143"]);
    let traps = [
        ("to is empty", group(r#""to":[],"#), told.clone()),
        ("to is not told", group(""), told.clone()),
        ("to is null", group(r#""to":null,"#), told),
    ];
    hold(Source::Telnyx, &traps);
    let events = lines(&run(Some(Source::Telnyx), &[group(r#""to":[],"#)]));
    assert_ne!(events[0]["message_key"], events[1]["message_key"]);
    let alone = telnyx("message.finalized", &format!(r#""to":[],"cc":[{one}]"#));
    let to = telnyx("message.finalized", &format!(r#""to":[{one}]"#));
    compare(Source::Telnyx, &[("one alone is one, wherever listed", alone, to, SAME_EVENT)]);
    for nobody in [r#""to":[],"cc":[]"#, r#""to":[]"#, r#""cc":[]"#] {
        let dead = run(Some(Source::Telnyx), &[telnyx("message.finalized", nobody)]).dead;
        assert_eq!((dead.len(), dead[0].detail.as_str()), (1, "/data/payload/to"), "{nobody}");
    }
}

//! What one element of a list costs when it is broken: itself, and nothing of its neighbours. And
//! what an answer's identity may hang on: its own words, not the time at which it was read.

use model::vocabulary::Source;

use crate::fixtures::{Case, batch, input, lines, normalizer, run};

/// Source, an element with `ID` for its id, text around the list.
const LISTS: &[(Source, &str, [&str; 2])] = &[
    (
        Source::Whatsapp,
        r#"{"id":"ID","status":"failed","timestamp":"1795176003","recipient_id":"447700900143",
            "recipient_user_id":"US.99887766554433","recipient_participant_id":"447700900144",
            "biz_opaque_callback_data":"o-1","conversation":{"origin":{"type":"utility"}},
            "pricing":{"category":"utility"},"errors":[{"code":131026}]}"#,
        [r#"{"messaging_product":"whatsapp","statuses":["#, "]}"],
    ),
    (
        Source::Apns,
        r#"{"apns_id":"ID","status":410,"reason":"Unregistered","timestamp":1795176000000,
            "topic":"t","token_hash":"abcdef123456","sent_at":1795176000,"request":{},
            "headers":{},"body":{}}"#,
        ["[", "]"],
    ),
    (
        Source::Fcm,
        r#"{"event_timestamp":"2026-11-20 12:03:11.482 UTC","project_number":1,"message_id":"ID",
            "instance_id":"fid_example_143","app_name":"a","event":"MESSAGE_DELIVERED",
            "analytics_label":"l","name":"n","error":{},"request":{},"body":{}}"#,
        ["[", "]"],
    ),
    (
        Source::AzureAcs,
        r#"{"id":"e","topic":"/t/acs","subject":"/phonenumber/1",
            "eventTime":"2026-11-20T12:03:20Z",
            "eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
            "data":{"messageId":"ID","deliveryStatus":"Delivered",
            "deliveryAttempts":[{"segmentsSucceeded":1}],
            "Tag":"t","to":"+12025550143"}}"#,
        ["[", "]"],
    ),
    (
        Source::Webpush,
        r#"{"message_id":"ID","status":410,"endpoint":"https://push.example.net/p/abcdef123456",
            "sent_at":1795176000,"reason":"Gone","location":null,"receipt":false,"request":{},
            "headers":{},"body":{}}"#,
        ["[", "]"],
    ),
    (
        Source::Onesignal,
        r#"{"event_id":"e","event_kind":"message.push.received","event_timestamp":1795176191,
            "message_id":"ID","subscription_id":"s","token":"abcdef123456","message_name":"n",
            "failure_reason":"","device_type":1,"event":{},"message":{},"user":{},"data":{}}"#,
        [r#"{"events":["#, "]}"],
    ),
    (
        Source::Braze,
        r#"{"event_type":"users.messages.sms.Delivery","id":"e","time":1795176191,
            "dispatch_id":"ID","user":{"user_id":"u"},"properties":{},"app_group_id":"g",
            "to_phone_number":"+12025550143","time_ms":1795176191000}"#,
        [r#"{"events":["#, "]}"],
    ),
];

const VALUES: &[&str] =
    &["null", "true", "[]", "{}", "[[{}]]", "\"\"", "-1", "1e999", "\"\\ud800\""];

#[test]
fn a_broken_value_spares_the_neighbours() {
    for (source, element, [before, after]) in LISTS {
        let keys = serde_json::from_str::<serde_json::Value>(element).unwrap();
        let with_id = |id: &str| element.replace("ID", id);
        for key in keys.as_object().unwrap().keys() {
            for value in VALUES {
                let body = with_id("b");
                let broken = format!("{},\"{key}\":{value}}}", body.strip_suffix('}').unwrap());
                let list = [with_id("a"), broken, with_id("c")].join(",");
                let normalized =
                    run(Some(*source), &[Case::value([*before, &list, after].concat())]);
                assert_eq!(normalized.tallies[0].elements, 3, "{source} {key} {value}");
                let found = lines(&normalized);
                for (id, at) in [("a", 0), ("c", 2)] {
                    let line = found.iter().find(|line| line["message_id"] == id);
                    let line =
                        line.unwrap_or_else(|| panic!("{source} {key} {value}: {id} is lost"));
                    assert_eq!((&line["element"], &line["is_final"]), (&at.into(), &true.into()));
                }
            }
        }
    }
}

#[test]
fn an_invalidation_read_again_days_later_is_the_same_event() {
    let answer = r#"{"status":410,"headers":{"apns-id":"ad"},
        "body":{"reason":"Unregistered","timestamp":1795176000000}}"#;
    let read =
        |at: &str| lines(&run(Some(Source::Apns), &[Case::value(answer).ingested(at)])).remove(0);
    let (first, again) = (read("2026-11-20T12:00:01Z"), read("2026-11-23T12:00:01Z"));
    assert_eq!(first["event_time"], "2026-11-20T12:00:00.000000Z");
    assert_eq!(again["event_time"], "2026-11-23T12:00:01.000000Z");
    assert_eq!(first["event_id"], again["event_id"]);
}

#[test]
fn unreadable_answers_fields_are_counted() {
    let unreadable = |source, value: &str| {
        let mut normalizer = normalizer();
        normalizer.batch(&batch(&[Case::value(value)]), &[input(Some(source))]).unwrap();
        normalizer.counters().unreadable_fields
    };
    let date = r#"{"status":200,"headers":{"apns-id":"a","Date":"yesterday"}}"#;
    assert_eq!(unreadable(Source::Apns, date), 1);
    let category = r#"{"id":"wamid.X","status":"sent","pricing":{"category":[]},
        "recipient_user_id":{}}"#;
    assert_eq!(unreadable(Source::Whatsapp, category), 2);
}

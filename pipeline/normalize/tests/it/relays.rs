//! Traps of Azure, Web Push, OneSignal and Braze: what makes a message and what makes an event.

use model::vocabulary::Source;
use serde_json::{Value, json};

use crate::fixtures::{Case, lines, run};

fn read(source: Source, events: &Value) -> Vec<Value> {
    lines(&run(Some(source), &[Case::value(events.to_string())]))
}

fn report(time: &str, status: &str) -> Value {
    json!({"id": "Outgoing_1", "eventType": "Microsoft.Communication.SMSDeliveryReportReceived",
        "eventTime": time, "data": {"messageId": "Outgoing_1", "to": "+12025550143",
        "deliveryStatus": status, "receivedTimestamp": "2026-11-20T12:03:20.2855749Z"}})
}

#[test]
fn azure_reports_that_share_an_id_are_told_apart_by_event_time_and_status() {
    let first = report("2026-11-20T12:03:20Z", "Failed");
    let reports = json!([
        first,
        first,
        report("2026-11-20T12:03:21Z", "Failed"),
        report("2026-11-20T12:03:20Z", "Delivered"),
    ]);
    let found = read(Source::AzureAcs, &reports);
    assert_eq!(found[0]["event_id"], found[1]["event_id"], "redelivered");
    assert_ne!(found[0]["event_id"], found[2]["event_id"], "another time");
    assert_ne!(found[0]["event_id"], found[3]["event_id"], "another status");
    assert!(found.iter().all(|line| line["message_key"] == found[0]["message_key"]));
    assert_eq!(found[0]["event_time"], "2026-11-20T12:03:20.285574Z", "seven decimals, cut");
}

#[test]
fn azure_gives_one_event_in_either_envelope() {
    let grid = report("2026-11-20T12:03:20Z", "Delivered");
    let cloud = json!({"specversion": "1.0", "id": grid["id"], "type": grid["eventType"],
        "time": grid["eventTime"], "source": "/s/acs", "data": grid["data"]});
    let (grid, cloud) = (read(Source::AzureAcs, &json!([grid])), read(Source::AzureAcs, &cloud));
    assert_eq!(grid[0]["event_id"], cloud[0]["event_id"]);
}

#[test]
fn azure_spells_the_tag_in_two_ways_and_parts_are_those_of_the_last_attempt() {
    for tag in ["Tag", "tag"] {
        let mut event = report("2026-11-20T12:03:20Z", "Delivered");
        event["data"][tag] = json!("order-77");
        event["data"]["deliveryAttempts"] = json!([
            {"segmentsSucceeded": 1, "segmentsFailed": 3},
            {"segmentsSucceeded": 2, "segmentsFailed": 1},
        ]);
        let found = read(Source::AzureAcs, &json!([event]));
        assert_eq!(
            (&found[0]["logical_id"], &found[0]["segments"]),
            (&json!("order-77"), &json!(3))
        );
    }
}

const ENDPOINT: &str = "https://push.example.net/push/web-endpoint-secret-143";

#[test]
fn a_web_push_receipt_joins_its_message_and_proves_nothing() {
    let answer = json!({"request": {"endpoint": ENDPOINT}, "status": 201,
        "headers": {"location": "https://push.example.net/message/qDIY"}});
    let receipt = json!({"request": {"method": "GET", "url": "https://push.example.net/receipt/3Z"},
        "status": 204, "headers": {":path": "/message/qDIY"}});
    let found = read(Source::Webpush, &json!([answer, receipt]));
    assert_eq!(found[0]["message_key"], found[1]["message_key"]);
    assert_eq!(
        (&found[0]["status"], &found[1]["status"]),
        (&json!("accepted"), &json!("delivered"))
    );
    assert!(found.iter().all(|line| line["receipt_class"] == "none"));
}

#[test]
fn a_web_push_410_is_a_gone_subscription_or_of_a_receipt_an_expired_message() {
    let gone = json!({"message_id": "m", "endpoint": ENDPOINT, "status": 410});
    let expired = json!({":path": "/message/qDIY", ":status": 410});
    let found = read(Source::Webpush, &json!([gone, expired]));
    assert_eq!(
        (&found[0]["status"], &found[1]["status"]),
        (&json!("undelivered"), &json!("expired"))
    );
    assert_eq!(found[0]["error_class"], "unknown_recipient");
}

#[test]
fn both_secrets_of_a_web_push_endpoint_are_hidden_wherever_they_stand() {
    let endpoint =
        "https://push.example.net/p/segment-secret-143?token=query-secret-and-longer-143";
    let words = |about: &str| json!({"reason": format!("no subscription {about}")});
    for about in ["segment-secret-143", "query-secret-and-longer-143", endpoint] {
        let refused = json!({"message_id": format!("m:{about}"), "endpoint": endpoint,
            "status": 404, "headers": {}, "body": words(about)});
        let line = read(Source::Webpush, &refused).remove(0).to_string();
        assert!(line.contains("no subscription"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn a_onesignal_batch_is_one_message_a_subscription() {
    let row = |event: &str, kind: &str, subscription: &str| {
        json!({"event_id": event, "event_kind": kind, "message_id": "batch",
            "subscription_id": subscription, "subscription_device_type": "iOSPush"})
    };
    let rows = json!([
        row("1", "message.push.sent", "a"),
        row("2", "message.push.received", "a"),
        row("3", "message.push.received", "b"),
    ]);
    let found = read(Source::Onesignal, &rows);
    assert_eq!(found[0]["message_key"], found[1]["message_key"]);
    assert_ne!(found[1]["message_key"], found[2]["message_key"]);
    assert_eq!(found[1]["receipt_class"], "app", "Confirmed Delivery is the app's word");
}

fn braze(kind: &str, user: &str, device: &str) -> Value {
    json!({"event_type": format!("users.messages.{kind}"), "id": format!("{kind}{user}{device}"),
        "time": 1_795_176_191, "user": {"user_id": user, "device_id": device},
        "properties": {"dispatch_id": "d"}})
}

#[test]
fn a_braze_dispatch_is_one_message_a_channel_user_and_pushed_device() {
    let mut open = braze("pushnotification.Open", "u1", "a");
    open["properties"]["platform"] = json!("ios");
    let events = json!({"events": [
        braze("pushnotification.Send", "u1", "a"),
        open,
        braze("pushnotification.Send", "u1", "b"),
        braze("rcs.Rejection", "u1", "a"),
        braze("sms.Delivery", "u1", "a"),
        braze("sms.Delivery", "u2", "a"),
        braze("sms.Send", "u2", "b"),
    ]});
    let found = read(Source::Braze, &events);
    let keys: Vec<_> = found.iter().map(|line| line["message_key"].as_str().unwrap()).collect();
    assert_eq!(keys[0], keys[1], "whatever the platform says");
    assert_eq!(keys[5], keys[6], "an SMS goes to no device");
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), 5);
    assert!(found[..3].iter().all(|line| line["receipt_class"] == "none"));
}

#[test]
fn braze_times_are_seconds_and_the_finer_one_wins() {
    let mut event = braze("sms.Delivery", "u", "a");
    assert_eq!(read(Source::Braze, &event)[0]["event_time"], "2026-11-20T12:03:11.000000Z");
    event["time_ms"] = json!(1_795_176_191_482_i64);
    assert_eq!(read(Source::Braze, &event)[0]["event_time"], "2026-11-20T12:03:11.482000Z");
}

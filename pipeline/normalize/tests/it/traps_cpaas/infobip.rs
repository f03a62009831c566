//! Infobip: delivery and seen reports of its SMS, WhatsApp, RCS and Messages APIs.

use model::vocabulary::Source;
use serde_json::json;

use super::{NEW_EVENT, NEW_MESSAGE, body, compare, hold, only, words};
use crate::fixtures::{Case, lines, run};

pub(super) fn infobip(status: &str, rest: &str) -> Case {
    body(format!(
        r#"{{"results":[{{"bulkId":"","messageId":"m7","to":"447700900143","status":{status},
            "doneAt":"2026-11-20T13:00:02.500+0100"{rest}}}]}}"#
    ))
}

pub(super) const HANDSET: &str =
    r#"{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}"#;

#[test]
fn infobips_groups_need_the_status_number() {
    let table = [
        (r#"{"groupId":0,"groupName":"OK","name":"OK"}"#, "accepted", false),
        (r#"{"groupId":0,"groupName":"ACCEPTED","name":"ACCEPTED"}"#, "accepted", false),
        (r#"{"groupId":1,"id":3,"name":"PENDING_WAITING_DELIVERY"}"#, "sent", false),
        (r#"{"groupId":1,"id":7,"name":"PENDING_ENROUTE"}"#, "sent", false),
        (r#"{"groupId":1,"id":26,"name":"PENDING_ACCEPTED"}"#, "accepted", false),
        (r#"{"groupId":2,"id":9,"name":"UNDELIVERABLE_NOT_DELIVERED"}"#, "undelivered", true),
        (r#"{"groupId":3,"id":2,"name":"DELIVERED_TO_OPERATOR"}"#, "sent", false),
        (r#"{"groupId":3,"groupName":"DELIVERED"}"#, "sent", false),
        (HANDSET, "delivered", true),
        (r#"{"groupId":4,"id":15,"name":"EXPIRED_EXPIRED"}"#, "expired", true),
        (r#"{"groupId":4,"id":29,"name":"EXPIRED_DLR_UNKNOWN"}"#, "unknown", true),
        (r#"{"groupId":4,"id":87,"name":"SIGNALS_BLOCKED"}"#, "rejected", true),
        (r#"{"groupId":5,"id":12,"name":"REJECTED_NOT_ENOUGH_CREDITS"}"#, "rejected", true),
    ];
    words(Source::Infobip, |status| infobip(status, ""), &table);
}

#[test]
fn infobips_money_errors_and_networks_hold() {
    let blocked = r#"{"groupId":4,"groupName":"EXPIRED","id":87,"name":"SIGNALS_BLOCKED"}"#;
    let failed = r#"{"groupId":2,"groupName":"UNDELIVERABLE","id":9,"name":"UNDELIVERABLE_X"}"#;
    let price = r#","price":{"pricePerMessage":0.0310,"currency":"EUR"}"#;
    let traps = traps! {
        "what SIGNALS_BLOCKED stopped is charged":
            infobip(blocked, price)
            => {"status": "rejected", "error_class": "blocked", "price": "0.031000000"},
        "a failed report has a price too":
            infobip(failed, price)
            => {"status": "undelivered", "price": "0.031000000", "currency": "EUR"},
        "the price is a number and of one SMS part":
            infobip(
                HANDSET,
                r#","messageCount":3,"price":{"pricePerMessage":0.0001000000,"currency":"BRL"}"#,
            )
            => {"price": "0.000100000", "price_unit": "segment", "segments": 3,
                "currency": "BRL"},
        "of parts that cannot be counted the price of one is no amount":
            infobip(
                HANDSET,
                r#","messageCount":"x","price":{"pricePerMessage":0.01,"currency":"EUR"}"#,
            )
            => {"price": null, "segments": null, "currency": null},
        "nor is it of parts of another type":
            infobip(HANDSET, r#","messageCount":{},"price":{"pricePerMessage":0.01}"#)
            => {"price": null, "segments": null},
        "error group Ok is no error":
            infobip(HANDSET, r#","error":{"groupId":0,"groupName":"Ok","id":0,"name":"NO_ERROR"}"#)
            => {"error_code": null, "error_class": "none"},
        "an error's number is its code, its name tells the class":
            infobip(
                failed,
                r#","error":{"groupId":1,"id":1,"name":"EC_UNKNOWN_SUBSCRIBER","permanent":true}"#,
            )
            => {"error_code": "1", "error_class": "unknown_recipient"},
        "no receipt at all is no error":
            infobip(r#"{"groupId":4,"id":29,"name":"EXPIRED_DLR_UNKNOWN"}"#, "")
            => {"status": "unknown", "error_code": null, "error_class": "none"},
        "a network code is text of five or six digits":
            infobip(HANDSET, r#","mccMnc":"310090""#) => {"mcc": "310", "mnc": "090"},
        "the Messages API: a number for the network, its own networkId, no price, destination":
            body(
                r#"{"results":[{"event":"DELIVERY","channel":"SMS","messageId":"m7","sender":"x",
                "destination":"12025550143","mccMnc":31026,"networkId":501,"status":
                {"groupId":3,"id":5,"name":"DELIVERED_TO_HANDSET"},"deviceDetails":{"a":1}}]}"#,
            )
            => {"mcc": "310", "mnc": "26", "price": null, "price_unit": "none",
                "recipient_prefix": "+1202555"},
    };
    hold(Source::Infobip, &traps);
}

#[test]
fn infobips_forms_of_a_report_hold() {
    let mixed = format!(
        r#"{{"results":[{{"messageId":"m7","to":"447700900143","status":{HANDSET}}},
            {{"messageId":"m8","from":"x","to":"447700900143","seenAt":"2026-11-20T12:00:09Z"}},
            {{"messageId":"m9","from":"447700900143","receivedAt":"2026-11-20T12:00:09Z"}}]}}"#
    );
    let traps = traps! {
        "a seen report has no status object":
            body(
                r#"{"results":[{"messageId":"m7","from":"x","to":"447700900143",
                "sentAt":"2026-11-20T12:00:00.000+0000",
                "seenAt":"2026-11-20T12:00:09.000+0000"}]}"#,
            )
            => {"status": "read", "is_final": true, "vendor_status": null,
                "event_time": "2026-11-20T12:00:09.000000Z"},
        "one URL may receive receipts, seen reports and inbound messages":
            body(mixed)
            => [{"status": "delivered", "element": 0}, {"status": "read", "element": 1}],
        "older reports: from and smsCount":
            infobip(HANDSET, r#","from":"Example","smsCount":2,"entityId":"e""#)
            => {"sender": "Example", "segments": 2},
        "the offset without a colon is not always +0000":
            infobip(HANDSET, r#","sentAt":"2026-11-20T09:00:00.000-0300""#)
            => {"event_time": "2026-11-20T12:00:02.500000Z",
                "submit_time": "2026-11-20T12:00:00.000000Z"},
        "WhatsApp has a contact and no sender, its price is the message's":
            infobip(
                HANDSET,
                r#","contact":{"phoneNumber":"447700900143","userId":"US.99887766554433"},
                "price":{"pricePerMessage":0.05,"currency":"EUR"}"#,
            )
            => {"channel": "whatsapp", "sender": null, "price_unit": "message"},
        "RCS has a channel only with failover: its interaction tells it":
            infobip(HANDSET, r#","interactionType":"RICH_MESSAGE""#)
            => {"channel": "rcs", "receipt_class": "handset"},
        "or its conversation":
            infobip(HANDSET, r#","conversation":{"canInitiate":true,"id":"c"}"#)
            => {"channel": "rcs"},
        "or the traffic that its price names":
            infobip(HANDSET, r#","price":{"trafficType":"BASIC","pricePerMessage":0.01}"#)
            => {"channel": "rcs", "price_unit": "message"},
        "one inside a conversation names that, and its price is no part's":
            infobip(
                HANDSET,
                r#","price":{"trafficType":"A2P_CONVERSATION","pricePerMessage":0.09,
                "currency":"EUR"}"#,
            )
            => {"channel": "rcs", "price": "0.090000000", "price_unit": "message"},
        "the Messages API calls a read SEEN":
            body(
                r#"{"results":[{"event":"SEEN","channel":"WHATSAPP","messageId":"m7",
                "destination":"447700900143","seenAt":"2026-11-20T12:00:09.000+0000"}]}"#,
            )
            => {"status": "read", "channel": "whatsapp", "recipient_prefix": "+44770090"},
    };
    hold(Source::Infobip, &traps);
}

#[test]
fn neither_of_infobips_times_is_the_handsets() {
    let older = |status: &str, sent_at: &str| {
        infobip(status, &format!(r#","from":"Example","smsCount":1,"sentAt":"{sent_at}""#))
            .header("received-at", "2026-11-20T12:00:03Z")
    };
    let pending = r#"{"groupId":1,"id":26,"name":"PENDING_ACCEPTED"}"#;
    let rejected = r#"{"groupId":5,"id":12,"name":"REJECTED_NOT_ENOUGH_CREDITS"}"#;
    let traps = traps! {
        "an older report's sentAt is when it was to be sent":
            older(HANDSET, "2026-11-20T13:00:00.000+0100")
            => {"submit_time": "2026-11-20T12:00:00.000000Z", "segments": 1,
                "event_time": "2026-11-20T12:00:02.500000Z"},
        "where that is still to come, nothing was submitted then":
            older(pending, "2026-11-21T13:00:00.000+0100")
            => {"status": "accepted", "submit_time": null,
                "event_time": "2026-11-20T12:00:02.500000Z"},
        "doneAt is when Infobip was done: what no handset got has one, too":
            older(rejected, "2026-11-20T13:00:00.000+0100")
            => {"status": "rejected", "event_time": "2026-11-20T12:00:02.500000Z",
                "event_time_source": "vendor"},
        "so has what the operator took, which is no delivery yet":
            older(r#"{"groupId":3,"id":2,"name":"DELIVERED_TO_OPERATOR"}"#, "")
            => {"status": "sent", "is_final": false, "submit_time": null,
                "event_time": "2026-11-20T12:00:02.500000Z"},
    };
    hold(Source::Infobip, &traps);
}

#[test]
fn infobips_messages_and_events_are_told_apart() {
    let leg = |channel: &str| infobip(HANDSET, &format!(r#","channel":"{channel}""#));
    let plain = || infobip(HANDSET, "");
    let seen = r#"{"results":[{"messageId":"m7","to":"447700900143",
        "seenAt":"2026-11-20T12:00:09.000+0000"}]}"#;
    let pairs = pairs! {
        "failover to SMS reuses the id of the RCS message": leg("RCS"), leg("SMS") => NEW_MESSAGE,
        "a seen report is of the message that was delivered": plain(), body(seen) => NEW_EVENT,
        "another doneAt is another event":
            plain(),
            body(String::from_utf8(plain().value).unwrap().replace("02.500", "03.500"))
            => NEW_EVENT,
        "another status of that moment is another event":
            infobip(r#"{"groupId":3,"id":2,"name":"DELIVERED_TO_OPERATOR"}"#, ""),
            plain() => NEW_EVENT,
    };
    compare(Source::Infobip, &pairs);
    let report = |id: &str| format!(r#"{{"messageId":"{id}","status":{HANDSET}}}"#);
    let list = |reports: &[String]| body(format!(r#"{{"results":[{}]}}"#, reports.join(",")));
    let retried = only(Source::Infobip, &list(&[report("m8")]));
    let first = run(Some(Source::Infobip), &[list(&[report("m7"), report("m8")])]);
    assert_eq!(lines(&first)[1]["event_id"], retried["event_id"], "batches may be mixed anew");
}

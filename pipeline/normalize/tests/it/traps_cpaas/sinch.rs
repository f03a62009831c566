//! Sinch: SMS and MMS reports, Conversation callbacks.

use model::vocabulary::{DeadReason, Source};
use serde_json::json;

use super::{NEW_EVENT, NEW_MESSAGE, SAME_EVENT, body, charge, classes, compare, hold, words};
use crate::fixtures::{Case, run};

pub(super) fn sinch(status: &str, code: &str, rest: &str) -> Case {
    body(format!(
        r#"{{"type":"recipient_delivery_report_sms","batch_id":"b7","recipient":"447700900143",
            "status":"{status}","code":{code}{rest}}}"#
    ))
}

fn conversation(status: &str, rest: &str) -> Case {
    body(format!(
        r#"{{"app_id":"a","project_id":"p","accepted_time":"2026-11-20T12:00:03.724083Z",
            "message_delivery_report":{{"message_id":"m7","status":"{status}","channel_identity":
            {{"channel":"WHATSAPP","identity":"447700900143"}}{rest}}}}}"#
    ))
}

#[test]
fn sinchs_words_mean_what_its_tables_say() {
    let sms = [
        ("Queued", "queued", false),
        ("Dispatched", "sent", false),
        ("Delivered", "delivered", true),
        ("DELIVERED", "delivered", true),
        ("Aborted", "rejected", true),
        ("Rejected", "rejected", true),
        ("Cancelled", "canceled", true),
        ("Deleted", "undelivered", true),
        ("Failed", "undelivered", true),
        ("Expired", "expired", true),
        ("Unknown", "unknown", true),
    ];
    words(Source::Sinch, |word| sinch(word, "0", ""), &sms);
    let channels = [
        ("QUEUED_ON_CHANNEL", "sent", false),
        ("DELIVERED", "delivered", true),
        ("READ", "read", true),
        ("FAILED", "failed", true),
        // Another channel is tried.
        ("SWITCHING_CHANNEL", "failed", false),
    ];
    words(Source::Sinch, |word| conversation(word, ""), &channels);
}

#[test]
fn sinchs_codes_are_its_own_or_the_carriers() {
    let table = [
        ("402 410 412 413", "configuration"),
        ("403 408", "vendor_internal"),
        ("404 417", "unreachable"),
        ("405 411 414", "invalid_request"),
        ("406", "expired"),
        ("407", "none"),
        ("415", "blocked"),
        ("416 418", "not_capable"),
        // Below 400 they are SMPP's or a carrier's: nobody tells whose table it is.
        ("1 11 255", "unknown"),
    ];
    classes(Source::Sinch, |code| sinch("Failed", code, ""), &table);
    let reason = |code: &str| conversation("FAILED", &format!(r#","reason":{{"code":"{code}"}}"#));
    let table = [
        ("INTERNAL_ERROR CHANNEL_FAILURE", "vendor_internal"),
        ("RATE_LIMITED", "throttled"),
        ("RECIPIENT_INVALID_CHANNEL_IDENTITY", "unknown_recipient"),
        ("RECIPIENT_NOT_REACHABLE NO_CHANNELS_LEFT", "unreachable"),
        ("RECIPIENT_NOT_OPTED_IN", "opted_out"),
        ("OUTSIDE_ALLOWED_SENDING_WINDOW", "invalid_request"),
        ("CHANNEL_BAD_CONFIGURATION", "configuration"),
        ("DELIVERY_TIMED_OUT", "expired"),
        ("DELIVERY_REJECTED_DUE_TO_POLICY", "blocked"),
        ("UNKNOWN", "unknown"),
    ];
    classes(Source::Sinch, reason, &table);
}

#[test]
fn sinchs_reports_hold() {
    let group = r#"{"code":0,"status":"Delivered","count":1"#;
    let batch = |recipients: &str| {
        body(format!(
            r#"{{"type":"delivery_report_sms","batch_id":"b7","statuses":[{group}{recipients}}}]}}"#
        ))
    };
    let traps = traps! {
        "a batch report tells no time":
            batch(r#","recipients":["447700900143"]"#).header("received-at", "2026-11-20T12:00:00Z")
            => {"event_time": "2026-11-20T12:00:00.000000Z", "event_time_source": "header"},
        "a summary names nobody": batch("") => [],
        "codes 400 and 401 only name the status":
            sinch("Dispatched", "401", "") => {"error_code": null, "error_class": "none"},
        "the operator is MCC and MNC":
            sinch("Delivered", "0", r#","operator":"35000""#) => {"mcc": "350", "mnc": "00"},
        "or free text":
            sinch("Delivered", "0", r#","operator":"Example Mobile""#)
            => {"mcc": null, "mnc": null, "carrier": "Example Mobile"},
        "the operator's time stands in for a missing one":
            sinch("Delivered", "0", r#","operator_status_at":"2026-11-20T12:00:02.150Z""#)
            => {"event_time": "2026-11-20T12:00:02.150000Z", "event_time_source": "vendor"},
        "no callback has a price, only its parts":
            sinch("Delivered", "0", r#","number_of_message_parts":3,"price":"0.05""#)
            => {"price": null, "price_unit": "none", "currency": null, "segments": 3},
        "billing units stand in for parts":
            sinch("Delivered", "0", r#","billing_units":2"#) => {"segments": 2},
        "whichever comes first, and for parts that are null":
            sinch("Delivered", "0", r#","billing_units":2,"number_of_message_parts":null"#)
            => {"segments": 2},
        "but not for parts that are told":
            sinch("Delivered", "0", r#","number_of_message_parts":3,"billing_units":2"#)
            => {"segments": 3},
        "the type's end tells MMS":
            body(
                r#"{"type":"recipient_delivery_report_mms","batch_id":"b7","code":0,
                "recipient":"447700900143","status":"Delivered"}"#,
            )
            => {"channel": "mms"},
        "and a channel that is new":
            body(
                r#"{"type":"recipient_delivery_report_rcs","batch_id":"b7","code":0,
                "recipient":"447700900143","status":"Delivered"}"#,
            )
            => {"channel": "rcs"},
        "a reason may stand on a success":
            conversation("DELIVERED", r#","reason":{"code":"RECIPIENT_NOT_OPTED_IN"}"#)
            => {"status": "delivered", "error_code": "RECIPIENT_NOT_OPTED_IN",
                "error_class": "none"},
        "identities are numbers without a plus sign, accepted_time stands in for event_time":
            conversation("READ", "") => {"recipient_prefix": "+44770090", "price": null,
                "event_time": "2026-11-20T12:00:03.724083Z"},
        "a trigger is known by its key: an event's delivery is no message's":
            body(r#"{"app_id":"a","event_delivery_report":{"event_id":"x","status":"DELIVERED"}}"#)
            => [],
        "a submitted message was accepted, without any receipt yet":
            body(
                r#"{"app_id":"a","event_time":"2026-11-20T12:00:00Z","message_submit_notification":
                {"message_id":"m7","channel_identity":{"channel":"RCS",
                "identity":"447700900143"}}}"#,
            )
            => {"status": "accepted", "is_final": false, "channel": "rcs"},
    };
    hold(Source::Sinch, &traps);
}

#[test]
fn each_channel_that_sinch_attempted_may_be_charged_and_has_an_event_of_its_own() {
    let on = |channel: &str, status: &str| {
        let text = String::from_utf8(conversation(status, "").value).unwrap();
        body(text.replace("WHATSAPP", channel))
    };
    let traps = traps! {
        "the channel that was given up":
            on("RCS", "SWITCHING_CHANNEL")
            => {"channel": "rcs", "status": "failed", "is_final": false, "price": null},
        "the one that it fell back to":
            on("SMS", "DELIVERED")
            => {"channel": "sms", "status": "delivered", "is_final": true, "price": null},
    };
    hold(Source::Sinch, &traps);
    charge(
        Source::Sinch,
        &traps.map(|(_, case, _)| ("no callback tells a price", case, json!([]))),
    );
    let pairs = pairs! {
        "of one message, the same word at the same time is an event on each channel":
            on("RCS", "QUEUED_ON_CHANNEL"), on("SMS", "QUEUED_ON_CHANNEL") => NEW_EVENT,
        "the message is one, whichever channel reached the person":
            on("RCS", "SWITCHING_CHANNEL"), on("SMS", "DELIVERED") => NEW_EVENT,
    };
    compare(Source::Sinch, &pairs);
}

#[test]
fn a_type_of_another_family_is_no_report_of_sinchs() {
    let told = r#"{"type":"weird","batch_id":"b7","code":0,"recipient":"447700900143",
        "status":"Delivered"}"#;
    let dead = run(Some(Source::Sinch), &[body(told)]).dead;
    let shown: Vec<_> = dead.iter().map(|dead| (dead.reason, dead.detail.as_str())).collect();
    assert_eq!(shown, [(DeadReason::UnknownVariant, "/type")]);
}

#[test]
fn sinchs_messages_and_events_are_told_apart() {
    let at = |time: &str| sinch("Delivered", "0", &format!(r#","at":"{time}""#));
    let read = String::from_utf8(conversation("READ", "").value).unwrap();
    let told =
        |time: &str| read.replace(r#"{"app_id""#, &format!(r#"{{"event_time":"{time}","app_id""#));
    let noon = "2026-11-20T12:00:00Z";
    let other_webhook = told(noon).replace("03.724083", "04.724083");
    let pairs = pairs! {
        "an SMS has no id but its batch and recipient":
            sinch("Delivered", "0", ""),
            body(
                String::from_utf8(sinch("Delivered", "0", "").value).unwrap().replace("143", "144"),
            ) => NEW_MESSAGE,
        "another time is another event": at(noon), at("2026-11-20T12:00:01Z") => NEW_EVENT,
        "an app's five webhooks tell one event":
            body(told(noon)), body(other_webhook) => SAME_EVENT,
    };
    compare(Source::Sinch, &pairs);
}

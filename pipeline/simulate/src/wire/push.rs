//! Push services: APNs as the sender's flat line, FCM as the sender's record of an answer and as
//! rows of the BigQuery export.

use super::{Facts, choose, field, id_member, number, to_millisecond, to_second, written};
use crate::event::{Event, Flaw, Step, Variant};
use crate::identity::{push_message_id, push_recipient};
use crate::scenario::Source;
use crate::text::{push, push_bigquery_time, push_rfc2822, push_rfc3339, push_u64};
use crate::world::World;

/// HTTP status and reason of Apple's answer.
fn answer(event: &Event) -> (u64, &'static str) {
    let detail = event.message.detail;
    match event.step {
        Step::Undelivered => (410, choose(&["Unregistered", "ExpiredToken"], detail)),
        Step::Rejected => (400, choose(&["BadDeviceToken", "DeviceTokenNotForTopic"], detail)),
        Step::Failed if detail & 4 == 0 => (503, "ServiceUnavailable"),
        Step::Failed => (429, "TooManyRequests"),
        _ => (200, ""),
    }
}

/// `timestamp` is there with 410 only, and here equals `sent_at`: the token had just gone.
pub(crate) fn apns(out: &mut Vec<u8>, world: &World, event: &Event) {
    let (code, reason) = answer(event);
    out.push(b'{');
    id_member(out, "apns_id", event.flaw, |out| push_message_id(out, world, &event.message));
    if event.flaw != Flaw::StatusMissing {
        number(out, r#""status":"#, code);
        out.push(b',');
    }
    match reason {
        "" => push(out, r#""reason":null"#),
        reason => field(out, r#""reason":""#, reason),
    }
    match code {
        410 => number(out, r#","timestamp":"#, (event.time_us / 1_000).unsigned_abs()),
        _ => push(out, r#","timestamp":null"#),
    }
    field(out, r#","topic":""#, world.account(Source::Apns, event.message.account));
    written(out, r#","push_type":"alert","token_hash":""#, |o| push_recipient(o, world, event));
    written(out, r#","sent_at":""#, |out| push_rfc3339(out, event.time_us, 3));
    out.push(b'}');
}

pub(crate) fn fcm_answer(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let project = world.account(Source::Fcm, message.account);
    written(out, r#"{"request":{"message":{"token":""#, |out| push_recipient(out, world, event));
    field(out, r#","notification":{"title":"Sendtally","body":""#, world.body());
    push(out, r#"},"fcm_options":{"analytics_label":"promo_a"}}},"status":200"#);
    push(out, r#","headers":{"content-type":"application/json; charset=UTF-8","date":""#);
    push_rfc2822(out, event.time_us, "GMT");
    push(out, r#""},"body":{"#);
    match event.flaw {
        Flaw::IdMissing => {}
        Flaw::IdObject => push(out, r#""name":{"broken":true}"#),
        _ => {
            push(out, r#""name":"projects/"#);
            push(out, project);
            written(out, "/messages/", |out| push_message_id(out, world, message));
        }
    }
    push(out, "}}");
}

fn row_event(event: &Event) -> &'static str {
    let failures = [
        "INVALID_REGISTRATION",
        "MISMATCH_SENDER_ID",
        "QUOTA_EXCEEDED",
        "MESSAGE_RECEIVED_INTERNAL_ERROR",
    ];
    match event.step {
        Step::Accepted | Step::Sent => "MESSAGE_ACCEPTED",
        Step::Delivered | Step::Read => "MESSAGE_DELIVERED",
        _ => choose(&failures, event.message.detail),
    }
}

pub(crate) fn fcm_row(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let project = world.account(Source::Fcm, message.account);
    written(out, r#"{"event_timestamp":""#, |out| push_bigquery_time(out, event.time_us));
    push(out, r#","project_number":"#);
    push(out, project);
    out.push(b',');
    id_member(out, "message_id", event.flaw, |out| push_message_id(out, world, message));
    written(out, r#""instance_id":""#, |out| push_recipient(out, world, event));
    push(out, r#","message_type":"TOKEN","sdk_platform":"ANDROID","app_name":"com.example.app""#);
    push(out, r#","collapse_key":null,"priority":10,"ttl":2419200,"topic":null,"bulk_id":"#);
    push_u64(out, 5_123_456_789_012_345_678);
    if event.flaw != Flaw::StatusMissing {
        field(out, r#","event":""#, row_event(event));
    }
    push(out, r#","analytics_label":"promo_a"}"#);
}

pub(crate) fn facts(event: &Event) -> Facts {
    match event.variant {
        Variant::ApnsAnswer => {
            let (code, reason) = answer(event);
            let time_us = Some(to_millisecond(event.time_us));
            Facts {
                status: match code {
                    200 => "200",
                    400 => "400",
                    410 => "410",
                    429 => "429",
                    _ => "503",
                },
                error_code: reason.to_owned(),
                event_time_us: time_us,
                submit_time_us: time_us,
                ..Facts::default()
            }
        }
        Variant::FcmAnswer => Facts {
            status: "200",
            event_time_us: Some(to_second(event.time_us)),
            ..Facts::default()
        },
        _ => Facts {
            status: row_event(event),
            event_time_us: Some(event.time_us),
            ..Facts::default()
        },
    }
}

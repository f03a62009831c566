//! RCS for Business: one JSON event, base64 inside a Pub/Sub envelope.

use super::{Facts, field, id_member, written};
use crate::event::{Event, Flaw, Step, Variant};
use crate::identity::{event_hash, push_base64, push_message_id, push_recipient};
use crate::scenario::Source;
use crate::text::{push, push_padded, push_rfc3339, push_uuid};
use crate::world::World;

/// From the event to its publication, microseconds.
const PUBLISH_US: i64 = 60_000;

fn event_type(event: &Event) -> &'static str {
    match (event.variant, event.step) {
        (Variant::RbmServer, _) => "TTL_EXPIRATION_REVOKED",
        (Variant::RbmTyping, _) => "IS_TYPING",
        (Variant::RbmText, _) => "",
        (_, Step::Read) => "READ",
        _ => "DELIVERED",
    }
}

/// Google writes as many digits as it likes: none, three, six or nine.
fn digits(event: &Event) -> usize {
    usize::from(event.message.detail & 3) * 3
}

pub(crate) fn encode(out: &mut Vec<u8>, scratch: &mut Vec<u8>, world: &World, event: &Event) {
    let hash = event_hash(world, event);
    let publish_us = event.time_us + PUBLISH_US;
    scratch.clear();
    data(scratch, world, event);
    let agent = world.account(Source::GoogleRbm, event.message.account);
    field(out, r#"{"message":{"attributes":{"business_id":""#, agent);
    push(out, r#","product":"RBM","project_number":"3338881441851""#);
    let server = event.variant == Variant::RbmServer;
    let kind = if server { "server_event" } else { "user_event" };
    field(out, r#","type":""#, kind);
    push(out, r#"},"data":""#);
    match event.flaw {
        Flaw::BadBase64 => push(out, "@@@ this is not base64 @@@"),
        _ => push_base64(out, scratch),
    }
    for name in [r#"","messageId":""#, r#"","message_id":""#] {
        push(out, name);
        push_padded(out, hash, 17);
    }
    for name in [r#"","publishTime":""#, r#"","publish_time":""#] {
        push(out, name);
        push_rfc3339(out, publish_us, 3);
    }
    push(out, r#""},"subscription":"projects/sendtally-rbm/subscriptions/rbm-sub"}"#);
}

fn data(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let hash = event_hash(world, event);
    let server = event.variant == Variant::RbmServer;
    let key = if server { r#"{"phoneNumber":""# } else { r#"{"senderPhoneNumber":""# };
    written(out, key, |out| push_recipient(out, world, event));
    out.push(b',');
    match event.variant {
        Variant::RbmText => {
            written(out, r#""messageId":""#, |out| push_uuid(out, hash, message.seq));
            field(out, r#","text":""#, world.body());
        }
        _ => {
            field(out, r#""eventType":""#, event_type(event));
            written(out, r#","eventId":""#, |out| push_uuid(out, hash, message.seq));
        }
    }
    out.push(b',');
    if matches!(event.variant, Variant::RbmEvent | Variant::RbmServer) {
        id_member(out, "messageId", event.flaw, |out| push_message_id(out, world, message));
    }
    field(out, r#""agentId":""#, world.account(Source::GoogleRbm, message.account));
    written(out, r#","sendTime":""#, |out| push_rfc3339(out, event.time_us, digits(event)));
    out.push(b'}');
}

pub(crate) fn facts(event: &Event) -> Facts {
    let step_us = match digits(event) {
        0 => 1_000_000,
        3 => 1_000,
        _ => 1,
    };
    Facts {
        status: event_type(event),
        event_time_us: Some(event.time_us.div_euclid(step_us) * step_us),
        ..Facts::default()
    }
}

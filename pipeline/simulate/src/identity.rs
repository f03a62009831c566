//! Ids, addresses and tokens as they stand on the wire, computed from the message's numbers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::event::{Event, Message, Step, Variant};
use crate::scenario::{Channel, Source};
use crate::text::{push, push_hex, push_hex_upper, push_padded, push_u64, push_uuid};
use crate::world::World;

const ID: u64 = 1;
const ID_MORE: u64 = 2;
const TOKEN: u64 = 3;
/// Purposes of event ids begin here; variant and step are added.
const EVENT: u64 = 64;

/// The vendor's message id.
pub(crate) fn push_message_id(out: &mut Vec<u8>, world: &World, message: &Message) {
    let (high, low) = (world.hash(message.seq, ID), world.hash(message.seq, ID_MORE));
    match world.flows[usize::from(message.flow)].source {
        Source::Twilio => {
            push(out, "SM");
            push_hex(out, high, 16);
            push_hex(out, low, 16);
        }
        Source::Infobip | Source::GoogleRbm => push_uuid(out, high, low),
        Source::Whatsapp => push_wamid(out, message.recipient, high, low),
        Source::Apns => push_uuid(out, low, high),
        Source::Fcm => {
            push(out, "0:");
            push_padded(out, message.submit_us.unsigned_abs(), 16);
            out.push(b'%');
            push_hex(out, high, 16);
        }
        Source::Cloudevents => {
            push(out, "msg-");
            push_hex(out, high, 12);
        }
    }
}

/// `wamid.` and the base64 of a frame that holds the recipient's number in clear text, as the
/// real ones do.
pub(crate) fn push_wamid(out: &mut Vec<u8>, recipient: u64, high: u64, low: u64) {
    let mut frame = Vec::with_capacity(48);
    frame.extend_from_slice(&[0x1c, 0x18, 0]);
    push_u64(&mut frame, recipient);
    frame[2] = (frame.len() - 3) as u8;
    frame.extend_from_slice(&[0x15, 0x02, 0x00, 0x11, 0x18, 0x12]);
    push_hex_upper(&mut frame, high, 16);
    push_hex_upper(&mut frame, low, 2);
    frame.push(0);
    push(out, "wamid.");
    push_base64(out, &frame);
}

/// Standard base64 with padding.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// The recipient, written as the vendor writes it in this variant (before any escaping).
pub(crate) fn push_recipient(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let flow = &world.flows[usize::from(message.flow)];
    match event.variant.source() {
        Source::Twilio => {
            push(out, if flow.channel == Channel::Whatsapp { "whatsapp:+" } else { "+" });
            push_u64(out, message.recipient);
        }
        Source::GoogleRbm => {
            out.push(b'+');
            push_u64(out, message.recipient);
        }
        Source::Infobip | Source::Whatsapp => push_u64(out, message.recipient),
        Source::Apns | Source::Fcm => push_token(out, world, event),
        Source::Cloudevents => {
            push(out, "user-");
            push_u64(out, message.recipient);
        }
    }
}

/// A device's token: of the user, not of the message. FCM's rows know the installation id, which
/// is the beginning of the token that the send call used.
fn push_token(out: &mut Vec<u8>, world: &World, event: &Event) {
    let user = event.message.recipient;
    let hash = |n: u64| world.hash(user, TOKEN + n);
    if event.variant.source() == Source::Apns {
        for n in 0..4 {
            push_hex(out, hash(n), 16);
        }
        return;
    }
    push(out, "fid");
    push_hex(out, hash(4), 16);
    push_hex(out, hash(5), 3);
    if event.variant == Variant::FcmAnswer {
        push(out, ":APA91b");
        push_hex(out, hash(6), 16);
        push_hex(out, hash(7), 16);
    }
}

/// A number that is equal for exact repetitions of one event and differs between events.
pub(crate) fn event_hash(world: &World, event: &Event) -> u64 {
    let kind = event.variant as u64 * 16 + event.step as u64;
    world.hash(event.message.seq, EVENT + kind)
}

/// Whether this step ends a delivery badly.
pub(crate) fn is_failure(step: Step) -> bool {
    matches!(step, Step::Undelivered | Step::Failed | Step::Expired | Step::Rejected)
}

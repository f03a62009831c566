//! The vendors' wire formats, written by hand into a reused buffer.
//!
//! One module a vendor, each with `encode` (bytes of one record) and `facts` (what a reader should
//! find in one element, for log.csv). Both are made from the same small tables, and neither shares
//! a line with `normalize`: a mistake there must not be repeated here.

pub(crate) mod cloudevents;
pub(crate) mod google_rbm;
pub(crate) mod infobip;
pub(crate) mod push;
pub(crate) mod twilio;
pub(crate) mod whatsapp;

use crate::event::{Event, Flaw, Variant};
use crate::scenario::Source;
use crate::text::{push, push_u64};
use crate::world::World;

/// What one element says, in the vendor's words; empty where it says nothing.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) channel: &'static str,
    pub(crate) status: &'static str,
    pub(crate) status_id: Option<u32>,
    pub(crate) group_id: Option<u32>,
    pub(crate) error_code: String,
    pub(crate) event_time_us: Option<i64>,
    pub(crate) submit_time_us: Option<i64>,
    pub(crate) mcc: String,
    pub(crate) mnc: String,
    pub(crate) segments: Option<u8>,
    pub(crate) price: String,
    pub(crate) price_unit: &'static str,
    pub(crate) currency: String,
}

/// Bytes of a record that holds these events, which share one batch (one, or many of a batching
/// variant), in this order.
pub(crate) fn encode(out: &mut Vec<u8>, scratch: &mut Vec<u8>, world: &World, events: &[Event]) {
    out.clear();
    let Some(first) = events.first() else { return };
    match first.variant {
        Variant::TwilioForm | Variant::TwilioInbound => twilio::form(out, world, first),
        Variant::TwilioEvents => twilio::event_streams(out, world, events),
        Variant::TwilioResource => twilio::resource(out, world, first),
        Variant::TwilioUsage => twilio::usage_records(out, world, events),
        Variant::RbmEvent | Variant::RbmServer | Variant::RbmTyping | Variant::RbmText => {
            google_rbm::encode(out, scratch, world, first);
        }
        Variant::WhatsappStatus | Variant::WhatsappInbound => whatsapp::encode(out, world, events),
        Variant::ApnsAnswer => push::apns(out, world, first),
        Variant::FcmAnswer => push::fcm_answer(out, world, first),
        Variant::FcmRow => push::fcm_row(out, world, first),
        Variant::CloudEvent | Variant::CloudBill => cloudevents::encode(out, world, first),
        _ => infobip::encode(out, world, events),
    }
}

/// What a reader should find in this element.
pub(crate) fn facts(world: &World, event: &Event) -> Facts {
    match event.variant.source() {
        Source::Twilio => twilio::facts(world, event),
        Source::Infobip => infobip::facts(world, event),
        Source::GoogleRbm => google_rbm::facts(event),
        Source::Whatsapp => whatsapp::facts(event),
        Source::Apns | Source::Fcm => push::facts(event),
        Source::Cloudevents => cloudevents::facts(world, event),
    }
}

/// The `content-type` header of a record of this variant.
pub(crate) fn content_type(variant: Variant) -> &'static str {
    match variant {
        Variant::TwilioForm | Variant::TwilioInbound => "application/x-www-form-urlencoded",
        Variant::TwilioEvents => "application/cloudevents-batch+json",
        Variant::CloudEvent | Variant::CloudBill => "application/cloudevents+json",
        _ => "application/json",
    }
}

/// Whether records of this variant carry an `account` header. RBM, APNs, FCM and in-app payloads
/// have a field that may or may not pass as the account; the header holds the same value.
pub(crate) fn has_account_header(variant: Variant) -> bool {
    !matches!(variant.source(), Source::Twilio | Source::Whatsapp)
}

/// A key with its punctuation, a text without anything to escape, the closing quote.
fn field(out: &mut Vec<u8>, key: &str, value: &str) {
    push(out, key);
    push(out, value);
    out.push(b'"');
}

/// A key with its punctuation, a text that `write` appends, the closing quote.
fn written(out: &mut Vec<u8>, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
    push(out, key);
    write(out);
    out.push(b'"');
}

/// A key with its punctuation and an integer.
fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    push(out, key);
    push_u64(out, value);
}

/// The member that holds the message id and the comma after it, broken as the flaw says.
fn id_member(out: &mut Vec<u8>, name: &str, flaw: Flaw, write: impl FnOnce(&mut Vec<u8>)) {
    if flaw == Flaw::IdMissing {
        return;
    }
    out.push(b'"');
    push(out, name);
    if flaw == Flaw::IdObject {
        return push(out, "\":{\"broken\":true},");
    }
    push(out, "\":\"");
    write(out);
    push(out, "\",");
}

/// Whole seconds of a time.
fn to_second(time_us: i64) -> i64 {
    time_us.div_euclid(1_000_000) * 1_000_000
}

/// Whole milliseconds of a time.
fn to_millisecond(time_us: i64) -> i64 {
    time_us.div_euclid(1_000) * 1_000
}

/// One of a few alternatives, chosen by the message's random bits.
fn choose<T: Copy>(choices: &[T], detail: u8) -> T {
    choices[usize::from(detail >> 2) % choices.len()]
}

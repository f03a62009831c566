//! WhatsApp Cloud API: statuses (and inbound messages) nested in entries and changes.

use super::{Facts, choose, field, id_member, number, to_second, written};
use crate::event::{Event, Flaw, Step, Variant};
use crate::identity::{event_hash, push_message_id, push_recipient, push_wamid};
use crate::scenario::Source;
use crate::text::{push, push_hex, push_u64};
use crate::world::World;

/// A change holds this many statuses at most; the next one opens a new change.
const STATUSES_A_CHANGE: usize = 3;

fn status(step: Step) -> &'static str {
    match step {
        Step::Accepted | Step::Sent => "sent",
        Step::Delivered => "delivered",
        Step::Read => "read",
        _ => "failed",
    }
}

/// Code and title of a failure.
fn error(event: &Event) -> Option<(u64, &'static str)> {
    let errors = [
        (131_026, "Message undeliverable"),
        (131_047, "Re-engagement message"),
        (131_049, "This message was not delivered to maintain healthy ecosystem engagement."),
        (131_050, "User has stopped marketing messages"),
        (130_429, "Rate limit hit"),
    ];
    (status(event.step) == "failed").then(|| choose(&errors, event.message.detail))
}

/// The element order of the document is the order of the events.
pub(crate) fn encode(out: &mut Vec<u8>, world: &World, events: &[Event]) {
    push(out, r#"{"object":"whatsapp_business_account","entry":["#);
    let mut rest = events;
    while let Some(first) = rest.first() {
        let account = first.message.account;
        let same = rest.iter().take_while(|event| event.message.account == account).count();
        let (entry, after) = rest.split_at(same);
        field(out, r#"{"id":""#, world.account(Source::Whatsapp, account));
        push(out, r#","changes":["#);
        changes(out, world, entry);
        push(out, if after.is_empty() { "]}" } else { "]}," });
        rest = after;
    }
    push(out, "]}");
}

fn changes(out: &mut Vec<u8>, world: &World, mut rest: &[Event]) {
    while let Some(first) = rest.first() {
        let inbound = first.variant == Variant::WhatsappInbound;
        let same = rest.iter().take_while(|event| event.variant == first.variant).count();
        let (change, after) = rest.split_at(same.min(if inbound { 1 } else { STATUSES_A_CHANGE }));
        push(out, r#"{"value":{"messaging_product":"whatsapp","metadata":{"#);
        number(out, r#""display_phone_number":"1833700020"#, u64::from(first.message.account));
        number(out, r#"","phone_number_id":"25392873112819"#, u64::from(first.message.account));
        push(out, r#""}"#);
        match inbound {
            true => message(out, world, first),
            false => statuses(out, world, change),
        }
        push(out, r#"},"field":"messages"}"#);
        if !after.is_empty() {
            out.push(b',');
        }
        rest = after;
    }
}

fn statuses(out: &mut Vec<u8>, world: &World, events: &[Event]) {
    push(out, r#","statuses":"#);
    for (n, event) in events.iter().enumerate() {
        out.push(if n == 0 { b'[' } else { b',' });
        one_status(out, world, event);
    }
    out.push(b']');
}

fn one_status(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    out.push(b'{');
    id_member(out, "id", event.flaw, |out| push_message_id(out, world, message));
    if event.flaw != Flaw::StatusMissing {
        field(out, r#""status":""#, status(event.step));
        out.push(b',');
    }
    written(out, r#""timestamp":""#, |out| push_seconds(out, event.time_us));
    written(out, r#","recipient_id":""#, |out| push_recipient(out, world, event));
    if event.step == Step::Sent && message.detail & 15 == 0 {
        written(out, r#","conversation":{"id":""#, |out| {
            push_hex(out, event_hash(world, event), 16);
            push_hex(out, message.seq, 16);
        });
        written(out, r#","expiration_timestamp":""#, |out| push_seconds(out, event.time_us));
        push(out, r#","origin":{"type":"service"}}"#);
    }
    if carries_pricing(event) {
        let category = choose(&["marketing", "utility", "authentication"], message.detail);
        push(out, r#","pricing":{"billable":"#);
        match message.is_free_conversation() {
            true => {
                push(out, r#"false,"pricing_model":"PMP","category":"service""#);
                push(out, r#","type":"free_customer_service"}"#);
            }
            false => {
                field(out, r#"true,"pricing_model":"PMP","category":""#, category);
                push(out, r#","type":"regular"}"#);
            }
        }
    }
    if let Some((code, title)) = error(event) {
        number(out, r#","errors":[{"code":"#, code);
        field(out, r#","title":""#, title);
        field(out, r#","message":""#, title);
        field(out, r#","error_data":{"details":""#, title);
        push(out, "}}]");
    }
    out.push(b'}');
}

/// Pricing comes with `sent` and `delivered`; a read without `delivered` before it goes without.
fn carries_pricing(event: &Event) -> bool {
    matches!(event.step, Step::Sent | Step::Delivered)
}

fn push_seconds(out: &mut Vec<u8>, time_us: i64) {
    push_u64(out, (time_us / 1_000_000).unsigned_abs());
}

/// A message from the recipient.
fn message(out: &mut Vec<u8>, world: &World, event: &Event) {
    let hash = event_hash(world, event);
    push(out, r#","contacts":[{"profile":{"name":"Planted Person"},"wa_id":""#);
    push_recipient(out, world, event);
    written(out, r#""}],"messages":[{"from":""#, |out| push_recipient(out, world, event));
    written(out, r#","id":""#, |out| push_wamid(out, event.message.recipient, hash, hash >> 8));
    written(out, r#","timestamp":""#, |out| push_seconds(out, event.time_us));
    field(out, r#","type":"text","text":{"body":""#, world.body());
    push(out, "}}]");
}

pub(crate) fn facts(event: &Event) -> Facts {
    let inbound = event.variant == Variant::WhatsappInbound;
    Facts {
        status: if inbound { "" } else { status(event.step) },
        error_code: error(event).map(|(code, _)| code.to_string()).unwrap_or_default(),
        event_time_us: Some(to_second(event.time_us)),
        ..Facts::default()
    }
}

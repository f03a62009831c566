//! In-app messages of our own apps: one CloudEvent 1.0 in JSON, with the price inside; the
//! carrier's fee, which the price holds, may be billed by an event of its own.

use super::{Facts, field, id_member, to_millisecond, written};
use crate::event::{Event, Flaw, Step, Variant};
use crate::identity::{event_hash, is_failure, push_message_id, push_recipient};
use crate::scenario::Source;
use crate::text::{push, push_hex, push_micros, push_rfc3339, text};
use crate::world::World;

fn status(step: Step) -> &'static str {
    match step {
        Step::Accepted => "accepted",
        Step::Sent => "sent",
        Step::Delivered => "delivered",
        Step::Read => "read",
        Step::Undelivered => "undelivered",
        Step::Failed => "failed",
        Step::Expired => "expired",
        Step::Rejected => "rejected",
    }
}

/// What the element says that the message costs, or its carrier's fee; of the steps only the
/// delivery tells it.
fn price(world: &World, event: &Event) -> Option<String> {
    let micros = match event.variant {
        Variant::CloudBill => world.flows[usize::from(event.message.flow)].fee_micros,
        _ => event.message.price_micros,
    };
    (event.step == Step::Delivered).then(|| text(|out| push_micros(out, micros, 6)))
}

fn error_code(step: Step) -> &'static str {
    if is_failure(step) { "SESSION_CLOSED" } else { "" }
}

fn unit(event: &Event) -> &'static str {
    if event.variant == Variant::CloudBill { "carrier_fee" } else { "Messages" }
}

/// `subject` repeats the message id, so a broken id takes it along.
pub(crate) fn encode(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let is_bill = event.variant == Variant::CloudBill;
    let word = if is_bill { "billed" } else { status(event.step) };
    written(out, r#"{"specversion":"1.0","id":"evt-"#, |out| {
        push_hex(out, event_hash(world, event), 16);
    });
    field(out, r#","source":""#, world.account(Source::Cloudevents, message.account));
    field(out, r#","type":"com.example.messaging."#, word);
    if matches!(event.flaw, Flaw::Intact | Flaw::Truncated) {
        written(out, r#","subject":""#, |out| push_message_id(out, world, message));
    }
    written(out, r#","time":""#, |out| push_rfc3339(out, event.time_us, 3));
    push(out, r#","datacontenttype":"application/json","data":{"#);
    id_member(out, "message_id", event.flaw, |out| push_message_id(out, world, message));
    push(out, r#""channel":"inapp","provider":"own","recipient_ref":""#);
    push_recipient(out, world, event);
    out.push(b'"');
    if !is_bill {
        field(out, r#","status":""#, word);
    }
    if is_failure(event.step) {
        field(out, r#","error":{"code":""#, error_code(event.step));
        push(out, r#","text":"The session was closed"}"#);
    }
    if let Some(amount) = price(world, event) {
        field(out, r#","billing":{"units":1,"unit":""#, unit(event));
        field(out, r#","price":{"amount":""#, &amount);
        field(out, r#","currency":""#, &world.flows[usize::from(message.flow)].currency);
        push(out, "}}");
    }
    push(out, "}}");
}

pub(crate) fn facts(world: &World, event: &Event) -> Facts {
    let facts = Facts {
        channel: "inapp",
        status: if event.variant == Variant::CloudBill { "" } else { status(event.step) },
        error_code: error_code(event.step).to_owned(),
        event_time_us: Some(to_millisecond(event.time_us)),
        ..Facts::default()
    };
    match price(world, event) {
        Some(price) => Facts {
            price,
            price_unit: match event.variant {
                Variant::CloudBill => "carrier_fee",
                _ => "message",
            },
            currency: world.flows[usize::from(event.message.flow)].currency.clone(),
            ..facts
        },
        None => facts,
    }
}

//! A Telnyx message with its recipients: the payload of a webhook, or a record without an event.

use model::money::Nanos;
use model::time::parse_rfc3339;
use model::vocabulary::{ChargeKind, DeadReason, PriceUnit};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::draft::{Draft, Elements};
use crate::emit::Emitter;

use super::{Item, Message, Target, changed_at, channel, errors, outcome};

/// A message's cost, and the part of it that is the carrier's.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    whole: Option<Nanos>,
    fee: Option<Nanos>,
}

/// What all recipients of a message share.
struct Shared<'i> {
    id: &'i str,
    /// Id of the event; empty where there is none.
    event_id: &'i str,
    time: Option<i64>,
    submit: Option<i64>,
    has_many: bool,
    /// Of several recipients the one that has the cost, in whatever order they are told, and
    /// whatever is told of it.
    payer: Option<&'i str>,
}

/// Emits a message's recipients, each an element.
pub(super) fn emit(
    item: &Item<'_>,
    message: &Message<'_>,
    path: std::fmt::Arguments<'_>,
    out: &mut Emitter<'_>,
) {
    // Of a group message `to` may be empty, or not told, and all of them in `cc`.
    let nobody = Elements::default();
    let targets = message.to.as_ref().unwrap_or(&nobody);
    let n_recipients = targets.len() + message.cc.as_ref().map_or(0, Elements::len);
    if n_recipients == 0 {
        return emit_without_recipients(item, path, out);
    }
    let Some(id) = message.id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{path}/id"));
    };
    out.counters.unreadable_fields += message.unreadable;
    let is_event = item.payload.is_some();
    let all = targets.iter().chain(message.cc.iter().flat_map(Elements::iter));
    let submit = out.time(&message.received_at, parse_rfc3339);
    let submit = submit.or_else(|| out.time(&message.created_at, parse_rfc3339));
    let shared = Shared {
        id,
        event_id: if is_event { item.own.id.text().unwrap_or("") } else { "" },
        time: out.time(&item.occurred_at, parse_rfc3339).filter(|_| is_event),
        submit,
        has_many: n_recipients > 1,
        payer: all.filter_map(Target::bare).min(),
    };
    let mut price = Cost { whole: out.price(&message.cost), fee: None };
    price.fee = out.price(&message.carrier_fee).filter(|_| price.whole.is_some());
    emit_targets(item, message, (targets, &shared), format_args!("{path}/to"), (&mut price, out));
    if let Some(cc) = &message.cc {
        let path = format_args!("{path}/cc");
        emit_targets(item, message, (cc, &shared), path, (&mut price, out));
    }
    if shared.has_many && shared.payer.is_some() {
        charge_alone(message, &shared, price, out);
    }
}

fn emit_targets(
    item: &Item<'_>,
    message: &Message<'_>,
    (targets, shared): (&Elements<Target<'_>>, &Shared<'_>),
    path: std::fmt::Arguments<'_>,
    (price, out): (&mut Cost, &mut Emitter<'_>),
) {
    for (at, target) in targets.iter().enumerate() {
        let place = |rest: &str| format!("{path}/{at}{rest}");
        let word = word(item, target);
        if let (Some("message.read"), Some(told)) = (word, target.status.text()) {
            out.counters.contradictions += u64::from(!told.eq_ignore_ascii_case("read"));
        }
        if target.is_damaged {
            out.dead_at(DeadReason::UnknownVariant, place(""));
        } else if word.is_some_and(is_inbounds) {
            out.ignored("inbound");
        } else if shared.has_many && target.number.text().is_none() {
            out.dead_at(DeadReason::MissingId, place("/phone_number"));
        } else if let Some(word) = word {
            // The cost is the message's: only one of its recipients may have it.
            let is_payer = target.bare() == shared.payer;
            let cost = if is_payer { std::mem::take(price) } else { Cost::default() };
            event(message, target, shared, word, (cost, out));
        } else {
            out.dead_at(DeadReason::MissingStatus, place("/status"));
        }
    }
}

/// What is told of a recipient: its status, or what the event is called.
fn word<'i>(item: &'i Item<'_>, target: &'i Target<'_>) -> Option<&'i str> {
    let status = target.status.text();
    match item.event_type.text() {
        Some(told @ "message.read") if !status.is_some_and(|s| s.eq_ignore_ascii_case("read")) => {
            Some(told)
        }
        Some(told @ ("message.sent" | "message.delivered")) => status.or(Some(told)),
        _ => status,
    }
}

/// Of a number of one's own that a group's message came to.
fn is_inbounds(word: &str) -> bool {
    word.eq_ignore_ascii_case("webhook_delivered")
}

/// A cost that is left, where its payer gives no event: another webhook may give one.
fn charge_alone(message: &Message<'_>, shared: &Shared<'_>, cost: Cost, out: &mut Emitter<'_>) {
    let Some(Nanos(whole)) = cost.whole else { return };
    let fee = cost.fee.map_or(0, |fee| fee.0);
    let own = if (0..=whole).contains(&fee) { whole - fee } else { whole };
    let of_kind = |kind, amount| {
        let subject =
            Subject::Message { id: shared.id, key_part: shared.payer.unwrap_or_default() };
        let mut charge = ChargeDraft::new(subject, kind, Figures::one(Some(amount)));
        charge.currency = message.currency.text();
        charge.time_us = shared.time.or(shared.submit);
        charge.account = message.account.text();
        charge.recipient = shared.payer;
        charge
    };
    let channel = channel(message, out);
    out.charge(&ChargeDraft { channel, ..of_kind(ChargeKind::Message, own) });
    if let Some(Nanos(fee)) = cost.fee {
        out.charge_too(&ChargeDraft { channel, ..of_kind(ChargeKind::CarrierFee, fee) });
    }
}

fn emit_without_recipients(item: &Item<'_>, path: std::fmt::Arguments<'_>, out: &mut Emitter<'_>) {
    let is_delivery = matches!(
        item.event_type.text(),
        None | Some("message.sent" | "message.finalized" | "message.delivered" | "message.read")
    );
    if is_delivery {
        out.dead_at(DeadReason::UnknownVariant, format!("{path}/to"));
    } else {
        out.ignored("other_event");
    }
}

fn event(
    message: &Message<'_>,
    target: &Target<'_>,
    shared: &Shared<'_>,
    word: &str,
    (cost, out): (Cost, &mut Emitter<'_>),
) {
    let price = cost.whole;
    let number = out.text(&target.number);
    let bare = target.bare().unwrap_or("");
    let outcome = outcome(word, out);
    // The errors are the message's: whom it reached had none of them, where others may have.
    let is_spared = shared.has_many && outcome.0.is_delivered();
    let code = errors::code(&message.error, out).filter(|_| !is_spared);
    let time = shared.time.or_else(|| out.time(&target.updated_at, parse_rfc3339));
    let time = time.or_else(|| changed_at(message, outcome, out));
    let time = time.or(shared.submit.filter(|_| !outcome.1));
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let amount = price.map_or(-1, |price| price.0).to_be_bytes();
    let of_event: [&[u8]; 3] = [b"webhook", shared.event_id.as_bytes(), bare.as_bytes()];
    let of_record: [&[u8]; 6] = [
        shared.id.as_bytes(),
        bare.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        &time_bytes,
        &amount,
    ];
    let mut draft = Draft::new(shared.id, channel(message, out), outcome);
    draft.event_parts = if shared.event_id.is_empty() { &of_record } else { &of_event };
    if shared.has_many {
        draft.key_part = bare;
    }
    draft.vendor_status = Some(word);
    draft.error_code = code;
    draft.error_class = code.and_then(|code| errors::class(code, &message.error));
    draft.event_time_us = time;
    draft.submit_time_us = shared.submit;
    draft.account = out.text(&message.account);
    draft.recipient = number;
    draft.carrier = out.text(&target.carrier);
    draft.sender = out.text(&message.from).or_else(|| message.agent.text());
    draft.campaign = out.text(&message.campaign);
    draft.segments = out.segments(&message.parts);
    draft.price = price;
    draft.price_unit = PriceUnit::Message;
    draft.currency = out.text(&message.currency).filter(|_| price.is_some());
    out.event(&draft);
    if let Some(fee) = cost.fee {
        let fee = ChargeDraft::beside(&draft, ChargeKind::CarrierFee, Some(fee.0));
        out.charge_too(&fee);
    }
}

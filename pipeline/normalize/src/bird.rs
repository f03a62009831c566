//! Bird: webhook events of SMS, WhatsApp and Apple Messages (`{type, timestamp, data}`), and the
//! message resources that carry a price later, one, an array or a page (`{data: […]}`).
//! <https://bird.com/docs/api>
//!
//! | last word of `type`, or `status` | canonical |
//! |---|---|
//! | scheduled, accepted | accepted |
//! | sent | sent |
//! | delivered, read | the same, final |
//! | undelivered, failed, expired, rejected, canceled | the same, final |
//! | `send_failed` (Apple Messages) | failed, final |
//! | received | inbound: ignored |
//!
//! Traps: the list of types is open by contract, so a new word of a message is `unknown`, and a new
//! family is ignored, or a dead letter where it tells a message's outcome; `from` and `to` are
//! texts for SMS and objects for WhatsApp, whose group messages name the participant in
//! `recipient`; `carrier` and `mcc_mnc` were null and are absent now; times have a `T` or a space;
//! `webhook-id` identifies a delivery attempt's event, but it is a header and so no part of the
//! event id.
//!
//! Money: `cost.amount` is the whole message's, net of tax; its `passthrough_amount` is the
//! carrier's fee and a charge of its own, which the price holds. Without it the components are
//! added; a null one is not priced, which is not zero: each counts as of the latest event that
//! prices it: where only the other one is priced, the fee beside it is an estimate of zero, so that
//! no other event's is taken out of that price. An event repeats what is known at its time and
//! webhooks come in any order: a later price is a new event, and the one that is latest by the
//! event's time counts, not by its arrival.

use model::money::{self, Nanos};
use model::time::parse_rfc3339;
use model::vocabulary::{
    Basis, Channel, ChargeKind, DeadReason, ErrorClass, PriceUnit, Status, TrafficClass,
};

use crate::catalogue::{Module, events, ignored};
use crate::charge::ChargeDraft;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::network::split_network;
use crate::record::{Record, Scratch};
use crate::whatsapp;
use crate::words::{self, Folded};

/// An event with its data, or a message resource.
#[derive(Debug, Default)]
struct Item<'a> {
    kind: Scalar<'a>,
    timestamp: Scalar<'a>,
    /// `sms_id`, `whatsapp_id`.
    message_id: Scalar<'a>,
    /// Of a resource, or of a message snapshot inside an event.
    id: Scalar<'a>,
    status: Scalar<'a>,
    direction: Scalar<'a>,
    workspace: Scalar<'a>,
    to: Address<'a>,
    from: Address<'a>,
    participant: Address<'a>,
    category: Scalar<'a>,
    segments: Scalar<'a>,
    amount: Scalar<'a>,
    transaction: Scalar<'a>,
    passthrough: Scalar<'a>,
    currency: Scalar<'a>,
    carrier: Scalar<'a>,
    network: Scalar<'a>,
    code: Scalar<'a>,
    carrier_code: Scalar<'a>,
    failed_at: Scalar<'a>,
    created_at: Scalar<'a>,
    sent_at: Scalar<'a>,
    delivered_at: Scalar<'a>,
    read_at: Scalar<'a>,
    has_data: bool,
    /// Fields whose value was no object where one belongs.
    unreadable: u64,
    is_damaged: bool,
}

/// A number as text, or WhatsApp's object.
#[derive(Debug, Default)]
struct Address<'a> {
    number: Scalar<'a>,
    user: Scalar<'a>,
}

impl Address<'_> {
    fn text(&self, out: &mut Emitter<'_>) -> Option<&str> {
        out.text(&self.number).or_else(|| self.user.text())
    }
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(record.value, out.drift);
    let mut list: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    if cursor.kind() == Kind::Array {
        below(&mut list, "").read(&mut cursor, item)?;
    } else {
        cursor.object(|cursor, key| match key {
            "data" if cursor.kind() == Kind::Array => below(&mut list, "/data").read(cursor, item),
            _ => field(cursor, key, &mut single),
        })?;
    }
    cursor.end()?;
    emit_each(&list, &single, out, item, emit);
    Ok(())
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Syntax> {
    object(cursor, field, |item: &mut Item<'_>| item.is_damaged = true)
}

/// A key of the outermost object: the envelope's, or a resource's.
fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    match key {
        "type" => item.kind = cursor.scalar()?,
        "timestamp" | "occurred_at" => item.timestamp = cursor.scalar()?,
        "data" => {
            item.has_data = cursor.object_or_skip(|cursor, key| data_field(cursor, key, item))?;
        }
        _ => return data_field(cursor, key, item),
    }
    Ok(())
}

fn data_field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    // Apple Messages: a snapshot of the message.
    if key == "message" && cursor.kind() == Kind::Object {
        return cursor.object(|cursor, key| message_field(cursor, key, item));
    }
    message_field(cursor, key, item)
}

fn message_slot<'i, 'a>(item: &'i mut Item<'a>, key: &str) -> Option<&'i mut Scalar<'a>> {
    Some(match key {
        "sms_id" | "whatsapp_id" | "rcs_id" | "mms_id" => &mut item.message_id,
        "id" => &mut item.id,
        "status" => &mut item.status,
        "direction" => &mut item.direction,
        "workspace_id" => &mut item.workspace,
        "category" => &mut item.category,
        "carrier" => &mut item.carrier,
        "mcc_mnc" => &mut item.network,
        "created_at" => &mut item.created_at,
        "sent_at" => &mut item.sent_at,
        "delivered_at" => &mut item.delivered_at,
        "read_at" => &mut item.read_at,
        _ => return None,
    })
}

fn message_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    item: &mut Item<'a>,
) -> Result<(), Syntax> {
    match key {
        "to" => return address(cursor, &mut item.to),
        "from" => return address(cursor, &mut item.from),
        "recipient" => return address(cursor, &mut item.participant),
        _ => {}
    }
    if let Some(slot) = message_slot(item, key) {
        *slot = cursor.scalar()?;
        return Ok(());
    }
    if !matches!(key, "segments" | "cost" | "error" | "last_error") {
        return cursor.other();
    }
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, inner| {
        let slot = match (key, inner) {
            ("segments", "count") => &mut item.segments,
            ("cost", "amount") => &mut item.amount,
            ("cost", "transaction_amount") => &mut item.transaction,
            ("cost", "passthrough_amount") => &mut item.passthrough,
            ("cost", "currency_code") => &mut item.currency,
            ("error" | "last_error", "code") => &mut item.code,
            ("error" | "last_error", "carrier_error_code") => &mut item.carrier_code,
            ("error" | "last_error", "occurred_at") => &mut item.failed_at,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    item.unreadable += u64::from(!is_object);
    Ok(())
}

fn address<'a>(cursor: &mut Cursor<'a>, address: &mut Address<'a>) -> Result<(), Syntax> {
    if cursor.kind() != Kind::Object {
        address.number = cursor.scalar()?;
        return Ok(());
    }
    cursor.object(|cursor, key| {
        let slot = match key {
            "phone_number" => &mut address.number,
            "bsuid" => &mut address.user,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })
}

/// What an event's type or a resource's id says.
enum Variant<'i> {
    /// A message's channel and status.
    Message(Channel, &'i str),
    Other(&'static str),
    Undescribed,
}

/// The variant of a type: its family before the first point, its word behind it.
fn variant(kind: &str) -> Option<Variant<'_>> {
    let (family, word) = kind.split_once('.')?;
    let channel = match Folded::new(family).as_str() {
        "sms" => Channel::Sms,
        "mms" => Channel::Mms,
        "rcs" => Channel::Rcs,
        "whatsapp" => Channel::Whatsapp,
        "amb" => Channel::Imessage,
        other => return Some(other_family(other, word)),
    };
    Some(match word {
        _ if word.eq_ignore_ascii_case("received") => Variant::Other("inbound"),
        _ if word.eq_ignore_ascii_case("reacted") => Variant::Other("reaction"),
        _ if word.starts_with("group.") => Variant::Other("group"),
        _ if word.starts_with("conversation_") => Variant::Other("conversation"),
        _ => Variant::Message(channel, word),
    })
}

/// A family that is no message's. One that nobody described and that tells a message's outcome
/// costs a dead letter, so that it can be read once it is known.
fn other_family<'i>(family: &str, word: &str) -> Variant<'i> {
    Variant::Other(match family {
        "email" | "email_mailbox" => "email",
        "domain" => "domain",
        "preference" => "preference",
        "verify" => "verification",
        "voice_call" => "voice",
        _ if family.ends_with("_suppression") => "suppression",
        _ if known_outcome(word).is_some() => return Variant::Undescribed,
        _ => "other_event",
    })
}

/// Channel of a resource, by the prefix of its id.
fn channel_of_id(id: &str) -> Channel {
    match id.split_once('_') {
        Some(("sms", _)) => Channel::Sms,
        Some(("wam", _)) => Channel::Whatsapp,
        _ => Channel::Unknown,
    }
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if item.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    let told = item.kind.text().and_then(variant);
    let is_event = told.is_some();
    let id = match item.message_id.text() {
        // Of an event in a message's timeline, `id` is the event's.
        None => item.id.text().filter(|_| item.has_data || !is_event),
        id => id,
    };
    let (channel, word) = match told {
        Some(Variant::Other(_)) if !item.has_data => {
            return out.dead_at(DeadReason::UnknownVariant, format!("{place}/data"));
        }
        Some(Variant::Other(kind)) => return out.ignored(kind),
        Some(Variant::Undescribed) => {
            return out.dead_at(DeadReason::UnknownVariant, format!("{place}/type"));
        }
        Some(Variant::Message(channel, word)) => (channel, Some(word)),
        None => (id.map_or(Channel::Unknown, channel_of_id), item.status.text()),
    };
    if item.direction.text() == Some("inbound")
        || (!is_event && word.is_some_and(|word| word.eq_ignore_ascii_case("received")))
    {
        return out.ignored("inbound");
    }
    match (id, word) {
        (None, None) => out.dead_at(DeadReason::UnknownVariant, format!("{place}/type")),
        (None, Some(_)) => out.dead_at(DeadReason::MissingId, format!("{place}/data")),
        (Some(_), None) => out.dead_at(DeadReason::MissingStatus, format!("{place}/type")),
        (Some(id), Some(word)) => event(item, channel, (id, word), out),
    }
}

fn event(item: &Item<'_>, channel: Channel, (id, word): (&str, &str), out: &mut Emitter<'_>) {
    out.counters.unreadable_fields += item.unreadable;
    let outcome = outcome(word, out);
    let mut draft = Draft::new(id, channel, outcome);
    let participant = item.participant.text(out);
    let code = out.text(&item.code).or_else(|| item.carrier_code.text());
    let code = code.filter(|code| !words::is_no_error(code));
    draft.price = price(item, out);
    draft.event_time_us = event_time(item, outcome.0, out);
    let time_bytes = draft.event_time_us.unwrap_or(i64::MIN).to_be_bytes();
    let price_bytes = draft.price.map_or(-1, |price| price.0).to_be_bytes();
    let event_parts: [&[u8]; 6] = [
        id.as_bytes(),
        word.as_bytes(),
        participant.unwrap_or("").as_bytes(),
        code.unwrap_or("").as_bytes(),
        &time_bytes,
        &price_bytes,
    ];
    draft.event_parts = &event_parts;
    draft.account = out.text(&item.workspace);
    let kind = item.kind.text().filter(|kind| kind.ends_with(word));
    draft.vendor_status = kind.or(Some(word));
    draft.error_code = code;
    draft.error_class = code.and_then(class_of_code);
    draft.submit_time_us = out.time(&item.created_at, parse_rfc3339);
    draft.recipient = participant.or_else(|| item.to.text(out));
    draft.sender = item.from.text(out);
    draft.traffic_class = out.text(&item.category).map_or(TrafficClass::Unknown, class_of_category);
    draft.segments = out.segments(&item.segments);
    draft.carrier = out.text(&item.carrier);
    if let Some(code) = out.text(&item.network) {
        let network = split_network(code);
        out.counters.unreadable_fields += u64::from(network.is_none());
        (draft.mcc, draft.mnc) = network.unzip();
    }
    draft.price_unit = PriceUnit::Message;
    draft.currency = out.text(&item.currency).filter(|_| draft.price.is_some());
    out.event(&draft);
    fee(item, &draft, out);
}

/// What is passed through is the carrier's, and part of the price. Where only the other component
/// is priced, the price holds none of it: an estimate of zero says so, until one is told.
fn fee(item: &Item<'_>, draft: &Draft<'_>, out: &mut Emitter<'_>) {
    if draft.price.is_none() {
        return;
    }
    let (fee, basis) = match &item.passthrough {
        Scalar::Missing | Scalar::Null => match out.price(&item.transaction) {
            own if own == draft.price => (Nanos(0), Basis::Estimated),
            _ => return,
        },
        told => match out.price(told) {
            Some(fee) => (fee, Basis::Vendor),
            None => return,
        },
    };
    let mut charge = ChargeDraft::beside(draft, ChargeKind::CarrierFee, Some(fee.0));
    charge.basis = basis;
    out.charge_too(&charge);
}

/// The event's time; of a resource the time at which it came to its status.
fn event_time(item: &Item<'_>, status: Status, out: &mut Emitter<'_>) -> Option<i64> {
    let told = out.time(&item.timestamp, parse_rfc3339);
    if told.is_some() {
        return told;
    }
    let field = match status {
        Status::Accepted => &item.created_at,
        Status::Sent => &item.sent_at,
        Status::Delivered => &item.delivered_at,
        Status::Read => &item.read_at,
        _ => &item.failed_at,
    };
    out.time(field, parse_rfc3339)
}

/// The whole amount, else the components that are priced.
fn price(item: &Item<'_>, out: &mut Emitter<'_>) -> Option<Nanos> {
    if let Some(whole) = out.price(&item.amount) {
        return Some(whole);
    }
    match (out.price(&item.transaction), out.price(&item.passthrough)) {
        (Some(one), Some(other)) => Some(Nanos(one.0 + other.0)).filter(|sum| sum.0 <= money::MAX),
        (one, other) => one.or(other),
    }
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    known_outcome(word).unwrap_or_else(|| out.unknown_status())
}

fn known_outcome(word: &str) -> Option<Outcome> {
    Some(match Folded::new(word).as_str() {
        "scheduled" | "accepted" => Outcome::open(Status::Accepted),
        "sent" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" => Outcome::settled(Status::Read),
        "undelivered" => Outcome::settled(Status::Undelivered),
        "failed" | "send_failed" => Outcome::settled(Status::Failed),
        "expired" => Outcome::settled(Status::Expired),
        "rejected" => Outcome::settled(Status::Rejected),
        "canceled" => Outcome::settled(Status::Canceled),
        _ => return None,
    })
}

fn class_of_category(category: &str) -> TrafficClass {
    match category {
        "transactional" => TrafficClass::Transactional,
        other => words::meta_category(other),
    }
}

/// Classes of Bird's own words; a number is Meta's code.
fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "invalid_destination" => ErrorClass::UnknownRecipient,
        "unreachable" | "undeliverable" => ErrorClass::Unreachable,
        "media_rejected" => ErrorClass::InvalidRequest,
        "blocked_by_carrier" | "blocked_by_fraud_protection" => ErrorClass::Blocked,
        // The recipient's own doing.
        "blocked_by_recipient" | "recipient_opted_out" => ErrorClass::OptedOut,
        "landline_unreachable" => ErrorClass::NotCapable,
        "content_rejected" => ErrorClass::Spam,
        "sender_unregistered" | "insufficient_balance" => ErrorClass::Configuration,
        "provider_unavailable" => ErrorClass::VendorInternal,
        other => return whatsapp::class_of_code(other),
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://bird.com/docs/api",
    variants: &[
        events("SMS webhook, JSON", &["sms_delivered.json", "sms_failures.json", "sms_sent.json"]),
        events("WhatsApp webhook, JSON", &["whatsapp.json"]),
        events("Apple Messages webhook, JSON", &["apple_messages.json"]),
        events("page of messages, JSON", &["message_page.json"]),
        ignored("other events, JSON", &["ignored.json"]),
    ],
    documented: &[
        "characters",
        "conversation_id",
        "description",
        "encoding",
        "fax_id",
        "group_id",
        "metadata",
        "next_cursor",
        "tags",
        "template_id",
        "text",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_metas_numbers_have_their_class() {
        for (code, class) in [
            ("unreachable", Some(ErrorClass::Unreachable)),
            ("blocked_by_recipient", Some(ErrorClass::OptedOut)),
            ("insufficient_balance", Some(ErrorClass::Configuration)),
            ("131026", Some(ErrorClass::NotCapable)),
            ("unknown", None),
            ("a_word_of_tomorrow", None),
        ] {
            assert_eq!(class_of_code(code), class, "{code}");
        }
    }
}

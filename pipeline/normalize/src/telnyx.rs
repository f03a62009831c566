//! Telnyx: message webhooks, message records (of a send, or read later), detail records.
//! <https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks>,
//! <https://developers.telnyx.com/docs/messaging/messages/message-detail-records>
//!
//! | `to[].status`, or `status` of a detail record | canonical |
//! |---|---|
//! | scheduled | accepted |
//! | queued, sending | queued |
//! | sent | sent |
//! | delivered, read | delivered, read; final |
//! | delivery_unconfirmed, dlr_unconfirmed, dlr_timeout, gw_timeout | unknown, final |
//! | delivery_failed | undelivered, final |
//! | sending_failed, failed | failed, final |
//! | gw_reject | rejected, final |
//! | expired | expired, final |
//! | cancelled | canceled, final |
//! | webhook_delivered, received | inbound: ignored |
//!
//! Traps: one webhook fans out over `to[]` and `cc[]` (either may be empty), so its event id holds
//! the recipient, and where there are several so does the key (one alone is known by the message
//! id, as in detail records); the cost is the whole message's and stands once; the same event
//! reaches a second endpoint with another `meta`, so `data.id` alone tells it; `message.read` is a
//! read whatever the status says; a cost may be null up to the end, and in older records lies in
//! `cost.cost`; detail records have other words, numbers in `cld` and `cli`, and a cost without the
//! carrier's fee where it is rate × parts; RCS has no parts and may end without a cost; carriers
//! are company names and have no MCC but in detail records and usage; code 40300 means three things
//! on three of Telnyx's pages.
//!
//! A carrier's fee told beside the cost is a charge of its own, which the cost holds. Usage reports
//! are totals over many messages: see [`usage`]; both come as CSV too: see [`tables`]. Inbound
//! messages and other events are ignored.
//! Channel: `type`, else `message_type`; an agent as sender means RCS.

mod errors;
mod message;
mod rows;
mod tables;
mod usage;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, Status};

use crate::catalogue::{Module, charges, events};
use crate::draft::{Dead, Elements, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// An event with its payload, a message record or a detail record.
#[derive(Debug, Default)]
struct Item<'a> {
    event_type: Scalar<'a>,
    occurred_at: Scalar<'a>,
    /// What `data` itself says; of an event its id.
    own: Message<'a>,
    payload: Option<Message<'a>>,
    /// It lay in `data`.
    is_enveloped: bool,
}

/// A message, or a detail record of one.
#[derive(Debug, Default)]
struct Message<'a> {
    id: Scalar<'a>,
    record_type: Scalar<'a>,
    direction: Scalar<'a>,
    kind: Scalar<'a>,
    to: Option<Elements<Target<'a>>>,
    /// Further recipients of a group message.
    cc: Option<Elements<Target<'a>>>,
    from: Scalar<'a>,
    agent: Scalar<'a>,
    account: Scalar<'a>,
    campaign: Scalar<'a>,
    parts: Scalar<'a>,
    cost: Scalar<'a>,
    /// Of an event: the part of the cost that is the carrier's.
    carrier_fee: Scalar<'a>,
    currency: Scalar<'a>,
    error: errors::Error<'a>,
    received_at: Scalar<'a>,
    created_at: Scalar<'a>,
    sent_at: Scalar<'a>,
    completed_at: Scalar<'a>,
    updated_at: Scalar<'a>,
    row: rows::Row<'a>,
    /// A bill over many messages.
    is_usage: bool,
    /// A day or hour, which no message has.
    has_date: bool,
    /// Fields whose value was of another kind than documented.
    unreadable: u64,
    is_damaged: bool,
}

impl<'a> Message<'a> {
    /// The field of this name, where its value is no object or list.
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        Some(match key {
            "id" | "uuid" => &mut self.id,
            "record_type" => &mut self.record_type,
            "direction" => &mut self.direction,
            "type" | "message_type" => &mut self.kind,
            "organization_id" => &mut self.account,
            "tcr_campaign_id" => &mut self.campaign,
            "parts" => &mut self.parts,
            "currency" => &mut self.currency,
            "received_at" => &mut self.received_at,
            "created_at" => &mut self.created_at,
            "sent_at" => &mut self.sent_at,
            "completed_at" => &mut self.completed_at,
            "updated_at" => &mut self.updated_at,
            _ => return self.row.slot(key),
        })
    }
}

/// One recipient of a message.
#[derive(Debug, Default)]
struct Target<'a> {
    number: Scalar<'a>,
    status: Scalar<'a>,
    carrier: Scalar<'a>,
    updated_at: Scalar<'a>,
    is_damaged: bool,
}

impl Target<'_> {
    /// The number without its plus sign.
    fn bare(&self) -> Option<&str> {
        self.number.text().map(|number| number.strip_prefix('+').unwrap_or(number))
    }
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    if let Some(read) = tables::read(record.value, scratch, out) {
        return read;
    }
    let mut cursor = Cursor::watched(record.value, out.drift);
    let mut list: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    if cursor.kind() == Kind::Array {
        below(&mut list, "").read(&mut cursor, item)?;
    } else {
        let is_object = cursor.object_or_skip(|cursor, key| match key {
            "data" if cursor.kind() == Kind::Array => below(&mut list, "/data").read(cursor, item),
            _ => field(cursor, key, &mut single),
        })?;
        single.own.is_damaged |= !is_object;
    }
    cursor.end()?;
    // The first that tells what it is: it may be damaged.
    let first = match &list {
        Some((_, items)) => items.held().find(|item| item.is_usage() || item.is_message()),
        None => Some(&single),
    };
    if first.is_some_and(Item::is_usage) {
        drop((list, single));
        return usage::read(record.value, scratch, out);
    }
    emit_each(&list, &single, out, item, emit);
    Ok(())
}

impl Item<'_> {
    /// An event or a record of a message.
    const fn is_message(&self) -> bool {
        self.payload.is_some() || self.own.to.is_some() || self.own.row.is_told()
    }

    /// A bill over many messages.
    fn is_usage(&self) -> bool {
        let own = &self.own;
        let is_named = own.record_type.text().is_some_and(|kind| kind.contains("usage"));
        let is_total = || {
            let is_one = own.id.is_present() || own.row.is_told() || self.event_type.is_present();
            own.has_date && own.cost.is_present() && !is_one
        };
        let is_known = is_named || own.is_usage && !own.row.has_recipient() || is_total();
        is_known && self.payload.is_none() && own.to.is_none() && !own.is_damaged
    }
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Syntax> {
    object(cursor, field, |item: &mut Item<'_>| item.own.is_damaged = true)
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    if key != "data" || cursor.is_null() {
        return data_field(cursor, key, item);
    }
    item.is_enveloped = true;
    let is_object = cursor.object_or_skip(|cursor, key| data_field(cursor, key, item))?;
    item.own.is_damaged = !is_object;
    Ok(())
}

fn data_field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    match key {
        "event_type" => item.event_type = cursor.scalar()?,
        "occurred_at" => item.occurred_at = cursor.scalar()?,
        "payload" if !cursor.is_null() => {
            let message = item.payload.insert(Message::default());
            let is_object =
                cursor.object_or_skip(|cursor, key| message_field(cursor, key, message))?;
            message.is_damaged = !is_object;
        }
        _ => message_field(cursor, key, &mut item.own)?,
    }
    Ok(())
}

fn message_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    message: &mut Message<'a>,
) -> Result<(), Syntax> {
    match key {
        "to" => {
            message.to = targets(cursor, &mut message.unreadable)?;
        }
        "cc" => {
            message.cc = targets(cursor, &mut message.unreadable)?;
        }
        "from" => return sender(cursor, message),
        "cost" => return cost(cursor, message),
        "cost_breakdown" => return breakdown(cursor, message),
        "errors" => return errors::read(cursor, message),
        "aggregation_type" | "report_url" | "product" => {
            message.is_usage |= !cursor.is_null();
            return cursor.skip();
        }
        "date" | "date_time" => {
            message.has_date |= !cursor.is_null();
            return cursor.skip();
        }
        _ => match message.slot(key) {
            Some(slot) => *slot = cursor.scalar()?,
            None => return cursor.other(),
        },
    }
    Ok(())
}

fn targets<'a>(
    cursor: &mut Cursor<'a>,
    unreadable: &mut u64,
) -> Result<Option<Elements<Target<'a>>>, Syntax> {
    if cursor.kind() != Kind::Array {
        *unreadable += u64::from(!cursor.is_null());
        cursor.skip()?;
        return Ok(None);
    }
    let mut targets = Elements::default();
    cursor.array(|cursor| {
        let mut target = Target::default();
        let is_object = cursor.object_or_skip(|cursor, key| {
            let slot = match key {
                "phone_number" => &mut target.number,
                "status" => &mut target.status,
                "carrier" => &mut target.carrier,
                "updated_at" => &mut target.updated_at,
                _ => return cursor.other(),
            };
            *slot = cursor.scalar()?;
            Ok(())
        })?;
        target.is_damaged = !is_object;
        targets.hold(target, cursor)
    })?;
    Ok(Some(targets))
}

/// An object, or in older records the number alone.
fn sender<'a>(cursor: &mut Cursor<'a>, message: &mut Message<'a>) -> Result<(), Syntax> {
    if cursor.kind() != Kind::Object {
        message.from = cursor.scalar()?;
        return Ok(());
    }
    cursor.object(|cursor, key| {
        match key {
            "phone_number" => message.from = cursor.scalar()?,
            "agent_id" => message.agent = cursor.scalar()?,
            _ => cursor.other()?,
        }
        Ok(())
    })
}

/// An object, or in detail records the amount alone.
fn cost<'a>(cursor: &mut Cursor<'a>, message: &mut Message<'a>) -> Result<(), Syntax> {
    if cursor.kind() != Kind::Object {
        message.cost = cursor.scalar()?;
        return Ok(());
    }
    cursor.object(|cursor, key| {
        match key {
            "amount" | "cost" => message.cost = cursor.scalar()?,
            "currency" => message.currency = cursor.scalar()?,
            _ => cursor.other()?,
        }
        Ok(())
    })
}

/// `{"rate":{"amount":…},"carrier_fee":{"amount":…}}`
fn breakdown<'a>(cursor: &mut Cursor<'a>, message: &mut Message<'a>) -> Result<(), Syntax> {
    let read = |cursor: &mut Cursor<'a>, key: &str| {
        if key != "carrier_fee" {
            return cursor.other();
        }
        if cursor.kind() != Kind::Object {
            message.carrier_fee = cursor.scalar()?;
            return Ok(());
        }
        cursor.object(|cursor, key| match key {
            "amount" => {
                message.carrier_fee = cursor.scalar()?;
                Ok(())
            }
            _ => cursor.other(),
        })
    };
    cursor.object_or_skip(read).map(drop)
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let data = if item.is_enveloped { "/data" } else { "" };
    if item.own.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, format!("{place}{data}"));
    }
    let Some(payload) = &item.payload else {
        return emit_record(item, format_args!("{place}{data}"), out);
    };
    let path = format_args!("{place}{data}/payload");
    let event_type = item.event_type.text().unwrap_or("");
    if is_inbound(payload) || event_type == "message.received" {
        out.ignored("inbound");
    } else if !event_type.is_empty() && !event_type.starts_with("message.") {
        out.ignored("other_event");
    } else if payload.is_damaged {
        out.dead_at(DeadReason::UnknownVariant, path.to_string());
    } else {
        message::emit(item, payload, path, out);
    }
}

/// A message record or a detail record, without an event around it.
fn emit_record(item: &Item<'_>, path: std::fmt::Arguments<'_>, out: &mut Emitter<'_>) {
    let own = &item.own;
    let record_type = own.record_type.text().unwrap_or("message");
    if is_inbound(own) || own.row.is_inbound() {
        out.ignored("inbound");
    } else if own.to.is_some() {
        message::emit(item, own, path, out);
    } else if item.is_usage() {
        // Among messages: a report is read as a whole where it comes first.
        out.ignored("billing_usage");
    } else if !record_type.starts_with("message") && !own.kind.is_present() {
        out.ignored("other_record");
    } else if own.row.is_told() {
        rows::emit(own, path, out);
    } else {
        out.dead_at(DeadReason::UnknownVariant, path.to_string());
    }
}

fn is_inbound(message: &Message<'_>) -> bool {
    message.direction.text().is_some_and(|word| word.eq_ignore_ascii_case("inbound"))
}

fn channel(message: &Message<'_>, out: &mut Emitter<'_>) -> Channel {
    match out.text(&message.kind) {
        Some(kind) => words::channel(kind),
        None if message.agent.is_present() => Channel::Rcs,
        None => Channel::Unknown,
    }
}

/// When a message without an event changed last; when it was sent is no time of its end.
fn changed_at(message: &Message<'_>, outcome: Outcome, out: &mut Emitter<'_>) -> Option<i64> {
    let fields = [&message.completed_at, &message.updated_at, &message.sent_at];
    let known = if outcome.1 { 2 } else { 3 };
    fields.into_iter().take(known).find_map(|field| out.time(field, parse_rfc3339))
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "scheduled" => Outcome::open(Status::Accepted),
        "queued" | "sending" => Outcome::open(Status::Queued),
        "sent" | "message.sent" => Outcome::open(Status::Sent),
        "delivered" | "message.delivered" => Outcome::settled(Status::Delivered),
        "read" | "message.read" => Outcome::settled(Status::Read),
        "sending_failed" | "failed" => Outcome::settled(Status::Failed),
        "delivery_failed" => Outcome::settled(Status::Undelivered),
        "delivery_unconfirmed" | "dlr_unconfirmed" | "dlr_timeout" | "gw_timeout" => {
            Outcome::settled(Status::Unknown)
        }
        "gw_reject" => Outcome::settled(Status::Rejected),
        "expired" => Outcome::settled(Status::Expired),
        "cancelled" | "canceled" => Outcome::settled(Status::Canceled),
        _ => out.unknown_status(),
    }
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
    variants: &[
        events(
            "webhook, JSON",
            &["webhook_finalized.json", "webhook_statuses.json", "webhook_errors.json"],
        ),
        events("payload of a webhook alone, JSON", &["webhook_payload_alone.json"]),
        events("RCS webhook, JSON", &["webhook_rcs.json"]),
        events("message record, JSON", &["record.json", "record_old.json"]),
        events("detail records, JSON", &["detail_records.json"]),
        events("detail records, CSV", &["detail_records_csv.txt"]),
        charges("usage report, JSON", &["usage_report.json", "usage_v2.json"]),
        charges("usage, CSV", &["usage_csv.txt"]),
    ],
    documented: &[
        "agent_id",
        "agent_name",
        "aggregation_type",
        "body",
        "carrier",
        "connections",
        "cost_breakdown",
        "count",
        "country_iso",
        "created_at",
        "currency",
        "date",
        "date_time",
        "detail",
        "encoding",
        "end_date",
        "errors",
        "fteu",
        "id",
        "line_type",
        "media",
        "messaging_profile_id",
        "meta",
        "normalized_carrier",
        "num_chars",
        "on_net",
        "profile_id",
        "profile_name",
        "profiles",
        "rate",
        "record_type",
        "report_url",
        "result",
        "smart_encoding_applied",
        "source",
        "source_country_code",
        "start_date",
        "status",
        "tags",
        "tcr_campaign_billable",
        "tcr_campaign_registered",
        "text",
        "use_profile_webhooks",
        "user_id",
        "valid_until",
        "wait_seconds",
        "webhook_failover_url",
        "webhook_url",
    ],
};

//! Infobip: delivery and seen reports of SMS, MMS, RCS, WhatsApp, Viber and the Messages API.
//! <https://www.infobip.com/docs/api>
//!
//! | `status.groupId` / `groupName` | canonical |
//! |---|---|
//! | 0 OK or ACCEPTED | accepted |
//! | 1 PENDING | sent; id 26 PENDING_ACCEPTED accepted |
//! | 2 UNDELIVERABLE | undelivered, final |
//! | 3 DELIVERED | id 5 (handset) delivered, final; id 2 (operator) and anything else sent |
//! | 4 EXPIRED | expired, final; id 29 (no receipt came) unknown, final; id 87 rejected, final |
//! | 5 REJECTED | rejected, final |
//! | – with `seenAt`, or `event` SEEN | read, final |
//!
//! A missing number is read from the name: `EXPIRED_DLR_UNKNOWN` is group 4 and id 29.
//!
//! Traps: a seen report has no status at all; one URL may receive reports, seen reports and
//! inbound messages; `DELIVERED` alone proves nothing, so without an id or name that says handset
//! it counts as sent; a price may come later for the same status, so it is part of the event id,
//! with how many parts it is for;
//! offsets have no colon; failover reuses the id for its SMS leg, so the key
//! holds `sms` where the payload says so; `destination` replaces `to` in the Messages API, which
//! writes `mccMnc` as a number and tells no price (`networkId` is Infobip's own); older reports say
//! `from` and `smsCount`, and their `sentAt` is when they should be sent; `doneAt` is when Infobip
//! was done with it, not the handset's time; failed reports have a price too, and what id 87
//! stopped is charged; a WhatsApp user without a number is known by `contact.userId` alone.
//!
//! Channel: the payload's own; else `interactionType`, `conversation` or `price.trafficType` mean
//! RCS, `contact` means WhatsApp, and any other delivery report is SMS (MMS and Viber reports
//! without `channel` cannot be told from it). A seen report without any of these is `unknown`.
//! `price.pricePerMessage` is the price of one SMS part and of one message elsewhere, so its unit
//! is `segment` for SMS only. Results of the billing usage API: see [`usage`].

mod errors;
mod usage;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, PriceUnit, Status};

use crate::catalogue::{Module, charges, events, ignored};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{List, object};
use crate::mask;
use crate::network::split_network;
use crate::record::Record;
use crate::words::{self, Folded};

/// One report.
#[derive(Debug, Default)]
struct Report<'a> {
    message_id: Scalar<'a>,
    status: Option<Group<'a>>,
    error: Option<Group<'a>>,
    price: Price<'a>,
    to: Scalar<'a>,
    sender: Scalar<'a>,
    sent_at: Scalar<'a>,
    done_at: Scalar<'a>,
    seen_at: Scalar<'a>,
    parts: Scalar<'a>,
    network: Scalar<'a>,
    callback_data: Scalar<'a>,
    campaign: Scalar<'a>,
    channel: Scalar<'a>,
    event: Scalar<'a>,
    contact: Option<Contact<'a>>,
    has_rcs_field: bool,
    is_inbound: bool,
    /// Fields whose value was no object where one belongs.
    unreadable: u64,
    /// The element was no object.
    is_damaged: bool,
}

/// `status` or `error`.
#[derive(Debug, Default)]
struct Group<'a> {
    group_id: Scalar<'a>,
    group_name: Scalar<'a>,
    id: Scalar<'a>,
    name: Scalar<'a>,
}

#[derive(Debug, Default)]
struct Contact<'a> {
    number: Scalar<'a>,
    user: Scalar<'a>,
    parent: Scalar<'a>,
    name: Scalar<'a>,
}

#[derive(Debug, Default)]
struct Price<'a> {
    per_message: Scalar<'a>,
    currency: Scalar<'a>,
    has_traffic_type: bool,
}

/// What the record's outermost object is.
#[derive(Debug, Default)]
struct Envelope<'a> {
    reports: List<'a, Report<'a>>,
    has_results: bool,
    usage: usage::Result<'a>,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    identity: &mut Vec<u8>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(record.value, out.drift);
    let mut envelope = Envelope::default();
    let mut single = None;
    match cursor.kind() {
        Kind::Array => {
            envelope.has_results = true;
            envelope.reports.read(&mut cursor, report)?;
        }
        _ => single = Some(outermost(&mut cursor, &mut envelope)?),
    }
    cursor.end()?;
    if envelope.has_results {
        emit_reports(&envelope.reports, single.is_some(), out);
        return Ok(());
    }
    match single {
        Some(report) if !report.is_damaged && is_report(&report) => {
            emit(&report, Place { parent: "", at: None }, out)
        }
        Some(_) if envelope.usage.is_told() => usage::emit(&envelope.usage, identity, out)?,
        _ => return Err(Dead::new(DeadReason::Envelope, "/results")),
    }
    Ok(())
}

/// Whether an object without `results` is a report: it tells an event or a time, or an id and a
/// status.
fn is_report(report: &Report<'_>) -> bool {
    report.is_inbound
        || report.event.is_present()
        || report.seen_at.is_present()
        || report.done_at.is_present()
        || report.message_id.is_present() && report.status.is_some()
}

/// The outermost object: an envelope, or a report without one.
fn outermost<'a>(
    cursor: &mut Cursor<'a>,
    envelope: &mut Envelope<'a>,
) -> Result<Report<'a>, Syntax> {
    let mut single = Report::default();
    let is_object = cursor.object_or_skip(|cursor, key| match key {
        "results" if cursor.kind() == Kind::Array => {
            envelope.has_results = true;
            envelope.reports.read(cursor, report)
        }
        "requestId" | "response" | "failureMessage" | "metadata" => {
            usage::field(cursor, key, &mut envelope.usage)
        }
        _ => field(cursor, key, &mut single),
    })?;
    single.is_damaged = !is_object;
    Ok(single)
}

fn report<'a>(cursor: &mut Cursor<'a>) -> Result<Report<'a>, Syntax> {
    object(cursor, field, |report: &mut Report<'_>| report.is_damaged = true)
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, report: &mut Report<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "messageId" => &mut report.message_id,
        "to" | "destination" => &mut report.to,
        "sender" | "from" => &mut report.sender,
        "sentAt" => &mut report.sent_at,
        "doneAt" => &mut report.done_at,
        "seenAt" => &mut report.seen_at,
        "messageCount" | "smsCount" => &mut report.parts,
        "mccMnc" => &mut report.network,
        "callbackData" => &mut report.callback_data,
        "campaignReferenceId" => &mut report.campaign,
        "channel" => &mut report.channel,
        "event" => &mut report.event,
        "status" => return group(cursor, &mut report.status, &mut report.unreadable),
        "error" => return group(cursor, &mut report.error, &mut report.unreadable),
        "price" => return price(cursor, &mut report.price, &mut report.unreadable),
        "contact" => return contact(cursor, report),
        "interactionType" | "conversation" => {
            report.has_rcs_field = true;
            return cursor.skip();
        }
        "receivedAt" => {
            report.is_inbound = true;
            return cursor.skip();
        }
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn group<'a>(
    cursor: &mut Cursor<'a>,
    into: &mut Option<Group<'a>>,
    unreadable: &mut u64,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let mut group = Group::default();
    let is_object = cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "groupId" => &mut group.group_id,
            "groupName" => &mut group.group_name,
            "id" => &mut group.id,
            "name" => &mut group.name,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    *unreadable += u64::from(!is_object);
    *into = Some(group);
    Ok(())
}

fn contact<'a>(cursor: &mut Cursor<'a>, report: &mut Report<'a>) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let mut contact = Contact::default();
    let is_object = cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "phoneNumber" => &mut contact.number,
            "userId" => &mut contact.user,
            "parentUserId" => &mut contact.parent,
            "username" => &mut contact.name,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    report.unreadable += u64::from(!is_object);
    report.contact = Some(contact);
    Ok(())
}

fn price<'a>(
    cursor: &mut Cursor<'a>,
    price: &mut Price<'a>,
    unreadable: &mut u64,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, key| {
        match key {
            "pricePerMessage" => price.per_message = cursor.scalar()?,
            "currency" => price.currency = cursor.scalar()?,
            "trafficType" => {
                price.has_traffic_type = true;
                cursor.skip()?;
            }
            _ => cursor.other()?,
        }
        Ok(())
    })?;
    *unreadable += u64::from(!is_object);
    Ok(())
}

fn emit_reports<'a>(reports: &List<'a, Report<'a>>, in_object: bool, out: &mut Emitter<'_>) {
    if reports.len() == 0 {
        out.ignored("empty");
    }
    let parent = if in_object { "/results" } else { "" };
    reports.each(report, |at, report| emit(report, Place { parent, at: Some(at) }, out));
}

/// The status's most specific word: its name, else its group's, else a number.
fn vendor_word<'r>(report: &'r Report<'_>) -> Option<&'r str> {
    let status = report.status.as_ref()?;
    let words = [&status.name, &status.group_name, &status.id, &status.group_id];
    words.into_iter().find_map(Scalar::text)
}

fn emit(report: &Report<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if report.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    if let Some(kind) = other_kind(report) {
        return out.ignored(kind);
    }
    let told_seen = report.event.text().is_some_and(|event| event.eq_ignore_ascii_case("SEEN"));
    let word = vendor_word(report).filter(|_| !told_seen);
    let is_seen = told_seen || (word.is_none() && report.seen_at.is_present());
    let Some(message_id) = report.message_id.text() else {
        let reason = match (word, is_seen) {
            (None, false) => DeadReason::UnknownVariant,
            _ => DeadReason::MissingId,
        };
        return out.dead_at(reason, format!("{place}/messageId"));
    };
    if word.is_none() && !is_seen {
        return out.dead_at(DeadReason::MissingStatus, format!("{place}/status"));
    }
    event(report, message_id, word, out);
}

/// Emits a delivery report, or without a status's word a seen report.
fn event(report: &Report<'_>, message_id: &str, word: Option<&str>, out: &mut Emitter<'_>) {
    out.counters.unreadable_fields += report.unreadable;
    let told_channel = out.text(&report.channel);
    let channel = told_channel.map_or_else(|| shape_channel(report, word), words::channel);
    let outcome = match (&report.status, word) {
        (Some(status), Some(_)) => outcome(status, out),
        _ => Outcome::settled(Status::Read),
    };
    let is_seen = word.is_none();
    let time_field = if is_seen { &report.seen_at } else { &report.done_at };
    let event_time_us = out.time(time_field, parse_rfc3339);
    let status_id = report.status.as_ref().and_then(|status| status.id.text()).or(word);
    let status_id = status_id.filter(|_| !is_seen);
    let time_bytes = event_time_us.unwrap_or(i64::MIN).to_be_bytes();
    let price = &report.price.per_message;
    let (price, price_unit) = match channel {
        Channel::Sms => (out.price_of_part(price, &report.parts), PriceUnit::Segment),
        _ => (out.price(price), PriceUnit::Message),
    };
    // A price that is told later is a new fact of the same status, and so is of how many parts.
    let price_bytes = price.map(|price| price.0.to_be_bytes());
    let parts = report.parts.parts().filter(|_| price.is_some()).map(u16::to_be_bytes);
    let event_parts: [&[u8]; 6] = [
        message_id.as_bytes(),
        told_channel.unwrap_or("").as_bytes(),
        status_id.unwrap_or("seenAt").as_bytes(),
        &time_bytes,
        price_bytes.as_ref().map_or(&[], |price| &price[..]),
        parts.as_ref().map_or(&[], |parts| &parts[..]),
    ];
    let mut draft = Draft::new(message_id, channel, outcome);
    // Of what tells no price the ids are as short as ever.
    draft.event_parts = if price.is_some() { &event_parts } else { &event_parts[..4] };
    if channel == Channel::Sms && told_channel.is_some() {
        draft.key_part = "sms";
    }
    draft.vendor_status = word.or_else(|| report.event.text());
    draft.event_time_us = event_time_us;
    draft.submit_time_us = out.time(&report.sent_at, parse_rfc3339);
    (draft.error_code, draft.error_class) = errors::read(report.error.as_ref(), word, outcome, out);
    draft.recipient = recipient(report, out);
    draft.sender = out.text(&report.sender);
    draft.logical_id = out.text(&report.callback_data);
    draft.campaign = out.text(&report.campaign);
    draft.segments = out.segments(&report.parts);
    let network = out.text(&report.network);
    // Zeros are an unknown network.
    if let Some(code) = network.filter(|code| code.bytes().any(|byte| byte != b'0')) {
        let network = split_network(code);
        out.counters.unreadable_fields += u64::from(network.is_none());
        (draft.mcc, draft.mnc) = network.unzip();
    }
    (draft.price, draft.price_unit) = (price, price_unit);
    draft.currency = out.text(&report.price.currency).filter(|_| draft.price.is_some());
    let others = other_ids(report, draft.recipient);
    mask::event_without_ids(&draft, &others, out);
}

/// Ids of a WhatsApp user beside the one that is the recipient.
fn other_ids<'r>(report: &'r Report<'_>, known: Option<&str>) -> [Option<&'r str>; 4] {
    let Some(contact) = &report.contact else { return [None; 4] };
    [&contact.number, &contact.user, &contact.parent, &contact.name]
        .map(|id| id.text().filter(|id| Some(*id) != known))
}

fn recipient<'r>(report: &'r Report<'_>, out: &mut Emitter<'_>) -> Option<&'r str> {
    let to = out.text(&report.to);
    let contact = report.contact.as_ref();
    to.or_else(|| contact.and_then(|contact| contact.number.text().or(contact.user.text())))
}

/// Reports that are no delivery: inbound messages and the Messages API's other events.
fn other_kind(report: &Report<'_>) -> Option<&'static str> {
    if report.is_inbound && report.status.is_none() {
        return Some("inbound");
    }
    match report.event.text() {
        Some("MO" | "INBOUND" | "MESSAGE") => Some("inbound"),
        Some("TYPING_STARTED" | "TYPING_STOPPED") => Some("typing"),
        _ => None,
    }
}

fn shape_channel(report: &Report<'_>, word: Option<&str>) -> Channel {
    if report.has_rcs_field || report.price.has_traffic_type {
        Channel::Rcs
    } else if report.contact.is_some() {
        Channel::Whatsapp
    } else if word.is_none() {
        Channel::Unknown
    } else {
        Channel::Sms
    }
}

fn outcome(status: &Group<'_>, out: &mut Emitter<'_>) -> Outcome {
    let name = Folded::new(out.text(&status.name).unwrap_or(""));
    let id = status.id.whole().or_else(|| status_number(name.as_str()));
    let by_name = |name: &Scalar<'_>| group_number(Folded::new(name.text()?).as_str());
    let group = status.group_id.whole().or_else(|| by_name(&status.group_name));
    match (group.or_else(|| group_of(id, name.as_str())), id) {
        (Some(0), _) => Outcome::open(Status::Accepted),
        (Some(1), Some(26)) => Outcome::open(Status::Accepted),
        (Some(1), _) => Outcome::open(Status::Sent),
        (Some(2), _) => Outcome::settled(Status::Undelivered),
        (Some(3), Some(5)) => Outcome::settled(Status::Delivered),
        (Some(3), _) => Outcome::open(Status::Sent),
        (Some(4), Some(29)) => Outcome::settled(Status::Unknown),
        // Fraud protection: Infobip lists it among the expired and among the rejected.
        (Some(4), Some(87)) => Outcome::settled(Status::Rejected),
        (Some(4), _) => Outcome::settled(Status::Expired),
        (Some(5), _) => Outcome::settled(Status::Rejected),
        _ => out.unknown_status(),
    }
}

fn group_number(name: &str) -> Option<i64> {
    match name {
        "ok" | "accepted" => Some(0),
        "pending" => Some(1),
        "undeliverable" => Some(2),
        "delivered" => Some(3),
        "expired" => Some(4),
        "rejected" => Some(5),
        _ => None,
    }
}

/// Number of the statuses on which a group's meaning depends.
fn status_number(name: &str) -> Option<i64> {
    match name {
        "message_accepted" => Some(0),
        "delivered_to_operator" => Some(2),
        "delivered_to_handset" => Some(5),
        "pending_accepted" => Some(26),
        "expired_dlr_unknown" => Some(29),
        "signals_blocked" => Some(87),
        _ => None,
    }
}

/// Group of a status that tells none: by the first word of its name, else by its number.
fn group_of(id: Option<i64>, name: &str) -> Option<i64> {
    let first = name.split('_').next().and_then(group_number);
    first.or(match id {
        Some(0) => Some(0),
        Some(3 | 7 | 26) => Some(1),
        Some(4 | 9) => Some(2),
        Some(2 | 5) => Some(3),
        Some(15 | 29 | 87) => Some(4),
        _ => None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://www.infobip.com/docs/api",
    variants: &[
        events("delivery reports, JSON", &["sms_statuses.json", "sms_legacy.json"]),
        events("one report without envelope, JSON", &["single_report.json"]),
        events("seen reports, JSON", &["seen.json", "messages_api_seen.json"]),
        events("Messages API reports, JSON", &["messages_api.json"]),
        events("RCS with failover, JSON", &["rcs_failover.json"]),
        events("logs, JSON", &["logs.json"]),
        ignored("inbound message, JSON", &["single_inbound.json"]),
        charges("billing usage, JSON", &["billing_usage.json", "billing_usage_final.json"]),
    ],
    documented: &[
        "action",
        "applicationId",
        "bulkId",
        "clientRequestedPeriod",
        "columnDataType",
        "content",
        "deliveryReport",
        "description",
        "deviceDetails",
        "entityId",
        "failureMessage",
        "month",
        "name",
        "networkId",
        "permanent",
        "platform",
        "requestId",
        "totalRows",
    ],
};

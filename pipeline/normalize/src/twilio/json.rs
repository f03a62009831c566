//! Twilio's JSON: Message resources (one, a list, or a day's export of one a line), Event Streams
//! (structured, binary with `ce_…` headers, or its data alone), usage records (`usage`).

use model::time::parse_rfc3339;
use model::vocabulary::{DeadReason, PriceUnit};

use crate::date;
use crate::draft::{Dead, Draft, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::record::Record;
use crate::words;

use super::{address, channel_of, class_of_code, is_inbound, known_outcome, outcome, usage};

/// Prefix of the types of delivery events.
const MESSAGE_TYPE: &str = "com.twilio.messaging.message.";

/// What types of Twilio's events begin with.
const TWILIO_TYPE: &str = "com.twilio.";

/// Path of usage records.
const USAGE: &str = "/usage_records";

/// A Message resource, or an event with its data.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    sid: Scalar<'a>,
    status: Scalar<'a>,
    pub(super) account: Scalar<'a>,
    to: Scalar<'a>,
    from: Scalar<'a>,
    service: Scalar<'a>,
    direction: Scalar<'a>,
    error_code: Scalar<'a>,
    segments: Scalar<'a>,
    media: Scalar<'a>,
    pub(super) price: Scalar<'a>,
    pub(super) currency: Scalar<'a>,
    created: Scalar<'a>,
    sent: Scalar<'a>,
    updated: Scalar<'a>,
    timestamp: Scalar<'a>,
    event_type: Scalar<'a>,
    /// The type again, in the data.
    event_name: Scalar<'a>,
    event_id: Scalar<'a>,
    envelope_time: Scalar<'a>,
    pub(super) usage: usage::Record<'a>,
    is_event: bool,
    /// The data of an event without its envelope.
    is_data: bool,
    is_usage: bool,
    is_damaged: bool,
}

/// Reads a JSON record.
pub(super) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(record.value, out.drift);
    let mut listed: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    if cursor.kind() == Kind::Array {
        below(&mut listed, "").read(&mut cursor, item)?;
    } else {
        let first = cursor;
        cursor.object(|cursor, key| match key {
            "messages" if cursor.kind() == Kind::Array => {
                below(&mut listed, "/messages").read(cursor, item)
            }
            "usage_records" if cursor.kind() == Kind::Array => {
                below(&mut listed, USAGE).read(cursor, item)
            }
            _ => field(cursor, key, &mut single),
        })?;
        // A day of the bulk export, unpacked: a resource a line.
        if listed.is_none() && cursor.kind() == Kind::Object {
            cursor = first;
            below(&mut listed, "").read_sequence(&mut cursor, item)?;
        }
    }
    cursor.end()?;
    if single.is_data {
        // CloudEvents in binary mode.
        single.event_type = record.header_of("ce_type", "http-ce-type");
        single.event_id = record.header_of("ce_id", "http-ce-id");
        single.envelope_time = record.header_of("ce_time", "http-ce-time");
    }
    emit_each(&listed, &single, out, item, emit);
    Ok(())
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Syntax> {
    object(cursor, field, |item: &mut Item<'_>| item.is_damaged = true)
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "data" => {
            cursor.object_or_skip(|cursor, key| data_field(cursor, key, item))?;
            return Ok(());
        }
        "specversion" => {
            item.is_event = true;
            return cursor.skip();
        }
        "usage_unit" => {
            item.is_usage = true;
            &mut item.usage.usage_unit
        }
        "sid" => &mut item.sid,
        "status" => &mut item.status,
        "account_sid" => &mut item.account,
        "to" => &mut item.to,
        "from" => &mut item.from,
        "messaging_service_sid" => &mut item.service,
        "direction" => &mut item.direction,
        "error_code" => &mut item.error_code,
        "num_segments" => &mut item.segments,
        "num_media" => &mut item.media,
        "price" => &mut item.price,
        "price_unit" => &mut item.currency,
        "date_created" => &mut item.created,
        "date_sent" => &mut item.sent,
        "date_updated" => &mut item.updated,
        "type" => &mut item.event_type,
        "id" => &mut item.event_id,
        "time" => &mut item.envelope_time,
        "messageSid"
        | "messageStatus"
        | "accountSid"
        | "messagingServiceSid"
        | "errorCode"
        | "numberOfSegments"
        | "timestamp"
        | "eventName"
        | "dateUpdated" => {
            item.is_data |= key == "messageSid";
            return data_field(cursor, key, item);
        }
        _ => match item.usage.slot(key) {
            Some(slot) => slot,
            None => return cursor.other(),
        },
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn data_field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "messageSid" => &mut item.sid,
        "messageStatus" => &mut item.status,
        "accountSid" => &mut item.account,
        "to" => &mut item.to,
        "from" => &mut item.from,
        "messagingServiceSid" => &mut item.service,
        "errorCode" => &mut item.error_code,
        "numberOfSegments" => &mut item.segments,
        "timestamp" => &mut item.timestamp,
        "eventName" => &mut item.event_name,
        "dateUpdated" => &mut item.updated,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if item.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    if item.is_event || item.is_data || item.event_type.is_present() {
        return emit_streamed(item, place, out);
    }
    if item.is_usage || item.usage.is_told() || place.parent == USAGE {
        return usage::emit(item, place, out);
    }
    let inbound = item.direction.text() == Some("inbound");
    if inbound || item.status.text().is_some_and(is_inbound) {
        return out.ignored("inbound");
    }
    match (item.sid.text(), item.status.text()) {
        (None, None) => out.dead_at(DeadReason::UnknownVariant, format!("{place}/sid")),
        (None, Some(_)) => out.dead_at(DeadReason::MissingId, format!("{place}/sid")),
        (Some(_), None) => out.dead_at(DeadReason::MissingStatus, format!("{place}/status")),
        (Some(id), Some(word)) => resource(item, id, word, out),
    }
}

/// RFC 2822 in the resource, RFC 3339 in the bulk export.
fn resource_time(text: &str) -> Option<i64> {
    date::parse_mail(text).or_else(|| parse_rfc3339(text))
}

fn resource(item: &Item<'_>, id: &str, word: &str, out: &mut Emitter<'_>) {
    let created = out.time(&item.created, resource_time);
    let sent = out.time(&item.sent, resource_time);
    let updated = out.time(&item.updated, resource_time);
    // When it was sent is no time of its end.
    let is_open = known_outcome(word).is_some_and(|outcome| !outcome.1);
    let time = updated.or_else(|| sent.or(created).filter(|_| is_open));
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let code = out.text(&item.error_code).filter(|code| !words::is_no_error(code));
    let price = out.price(&item.price);
    let price_bytes = price.map_or(-1, |price| price.0).to_be_bytes();
    let currency = out.text(&item.currency).filter(|_| price.is_some());
    let spelled = currency.unwrap_or("").to_ascii_uppercase();
    let event_parts: [&[u8]; 7] = [
        b"resource",
        id.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        &time_bytes,
        &price_bytes,
        // The bulk export tells none.
        spelled.as_bytes(),
    ];
    let mut draft = draft(item, id, word, out);
    draft.event_parts = &event_parts;
    draft.event_time_us = time;
    draft.submit_time_us = created;
    draft.price = price;
    draft.price_unit = PriceUnit::Message;
    draft.currency = currency;
    out.event(&draft);
}

fn draft<'i>(item: &'i Item<'_>, id: &'i str, word: &'i str, out: &mut Emitter<'_>) -> Draft<'i> {
    let (to, from) = (out.text(&item.to), out.text(&item.from));
    let media = item.media.text().is_some_and(|media| media != "0");
    let outcome = outcome(word, out);
    let mut draft = Draft::new(id, channel_of([to, from], id, media, outcome), outcome);
    draft.account = out.text(&item.account);
    draft.vendor_status = Some(word);
    draft.error_code = out.text(&item.error_code).filter(|code| !words::is_no_error(code));
    draft.error_class = draft.error_code.and_then(class_of_code);
    draft.recipient = to.map(address);
    draft.sender = from.or_else(|| out.text(&item.service));
    draft.segments = out.segments(&item.segments);
    draft
}

fn emit_streamed(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    // Data alone may name its type.
    let named = || item.event_name.text().filter(|name| name.starts_with(TWILIO_TYPE));
    let typed = match item.event_type.text().or_else(named) {
        Some(kind) => kind.strip_prefix(MESSAGE_TYPE).ok_or(kind.starts_with(TWILIO_TYPE)),
        // Data alone: its status is all it tells.
        None if item.is_data => Ok(item.status.text().unwrap_or("")),
        None => Err(false),
    };
    let typed = match typed {
        Ok("") => {
            return out.dead_at(DeadReason::MissingStatus, format!("{place}/messageStatus"));
        }
        Ok(typed) => typed,
        Err(true) => return out.ignored("other_event"),
        Err(false) => return out.dead_at(DeadReason::UnknownVariant, format!("{place}/type")),
    };
    if is_inbound(typed) {
        return out.ignored("inbound");
    }
    let Some(id) = item.sid.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/data/messageSid"));
    };
    let word = match item.status.text() {
        Some(told) if told.eq_ignore_ascii_case(typed) => told,
        Some(told) if known_outcome(typed).is_none() => told,
        told => {
            out.counters.contradictions += u64::from(told.is_some());
            typed
        }
    };
    let event_id = item.event_id.text().unwrap_or("");
    let time = out.time(&item.timestamp, parse_rfc3339);
    let time = time.or_else(|| out.time(&item.updated, parse_rfc3339));
    let time = time.or_else(|| out.time(&item.envelope_time, parse_rfc3339));
    let event_parts: [&[u8]; 2] = [b"stream", event_id.as_bytes()];
    let mut draft = draft(item, id, word, out);
    if !event_id.is_empty() {
        draft.event_parts = &event_parts;
    }
    draft.event_time_us = time;
    out.event(&draft);
}

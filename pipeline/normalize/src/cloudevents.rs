//! CloudEvents 1.0 of an own app or in-app channel: structured mode, batches, and Kafka's binary
//! mode (`ce_id`, `ce_type`, … as headers, the value is `data`). <https://cloudevents.io> A `data`
//! object that comes without its envelope is read too; then nothing but itself identifies it.
//! `data_base64` is JSON in base64.
//!
//! | `data.status`, else the last word of `type` | canonical |
//! |---|---|
//! | accepted, queued, sent | the same |
//! | delivered, read, undelivered, failed, expired, rejected, canceled | the same, final |
//! | displayed, seen, opened; cancelled | read; canceled; final |
//! | unknown, and any other word | unknown |
//!
//! Traps: an event is identified by `source` and `id` together; the message is `data.message_id`,
//! never `subject`; `billing.price` is the price of the whole message; `billing.units` are parts
//! only where `unit` says segments; `billing` without a status (`…billed`, or no type) is a charge
//! of the message; a sender that `data` does not tell is the event's `source`; amounts are text,
//! and a currency in small letters is the same one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::time::parse_rfc3339;
use model::vocabulary::{ChargeKind, DeadReason, ErrorClass, PriceUnit, Status, TrafficClass};

use crate::answer::each_document;
use crate::catalogue::{Module, charges, events};
use crate::charge::{ChargeDraft, Figures, Subject};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::record::Record;
use crate::words::{self, Folded};

#[derive(Debug, Default)]
struct Event<'a> {
    id: Scalar<'a>,
    source: Scalar<'a>,
    kind: Scalar<'a>,
    time: Scalar<'a>,
    data: Data<'a>,
    has_data: bool,
}

#[derive(Debug, Default)]
struct Data<'a> {
    message_id: Scalar<'a>,
    logical_id: Scalar<'a>,
    channel: Scalar<'a>,
    recipient: Scalar<'a>,
    status: Scalar<'a>,
    campaign: Scalar<'a>,
    traffic_class: Scalar<'a>,
    sender: Scalar<'a>,
    /// Fields whose value was no object where one belongs.
    unreadable: u64,
    error_code: Scalar<'a>,
    units: Scalar<'a>,
    unit: Scalar<'a>,
    amount: Scalar<'a>,
    currency: Scalar<'a>,
    invoice: Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let header = |name, http| record.header_of(name, http);
    let id = header("ce_id", "http-ce-id");
    // Structured mode may repeat the attributes as headers; its content type tells it apart.
    if !id.is_present() || record.is_structured_event() {
        return each_document(record.value, out, structured);
    }
    let mut event = Event {
        id,
        source: header("ce_source", "http-ce-source"),
        kind: header("ce_type", "http-ce-type"),
        time: header("ce_time", "http-ce-time"),
        ..Event::default()
    };
    let mut cursor = Cursor::watched(record.value, out.drift);
    event.has_data = data(&mut cursor, &mut event.data)?;
    cursor.end()?;
    emit(&event, Place { parent: "", at: None }, "", out)
}

fn structured(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let decoded: String;
    let mut encoded = Scalar::Missing;
    let mut event = Event::default();
    let mut bare = Data::default();
    let is_object = Cursor::watched(text, out.drift).document_or_skip(|cursor, key| {
        let slot = match key {
            "id" => &mut event.id,
            "source" => &mut event.source,
            "type" => &mut event.kind,
            "time" => &mut event.time,
            "data_base64" => &mut encoded,
            "data" => {
                event.has_data = data(cursor, &mut event.data)?;
                return Ok(());
            }
            _ => return data_field(cursor, key, &mut bare),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    if !is_object {
        return Err(Dead::new(DeadReason::UnknownVariant, place.to_string()));
    }
    if let Some(encoded) = encoded.text().filter(|_| !event.has_data) {
        let bytes = STANDARD.decode(encoded).ok();
        decoded = bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| Dead::new(DeadReason::BadEncoding, format!("{place}/data_base64")))?;
        let mut cursor = Cursor::watched(&decoded, out.drift);
        event.has_data = data(&mut cursor, &mut event.data)?;
        cursor.end()?;
    }
    // No attribute of an envelope is called `message_id`: names there have no underscore.
    if !event.has_data && bare.message_id.is_present() {
        (event.data, event.has_data) = (bare, true);
        return emit(&event, place, "", out);
    }
    emit(&event, place, "/data", out)
}

fn data<'a>(cursor: &mut Cursor<'a>, data: &mut Data<'a>) -> Result<bool, Syntax> {
    cursor.object_or_skip(|cursor, key| data_field(cursor, key, data))
}

fn data_field<'a>(cursor: &mut Cursor<'a>, key: &str, data: &mut Data<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "message_id" => &mut data.message_id,
        "logical_id" => &mut data.logical_id,
        "channel" => &mut data.channel,
        "recipient_ref" => &mut data.recipient,
        "status" => &mut data.status,
        "campaign" => &mut data.campaign,
        "traffic_class" => &mut data.traffic_class,
        "sender" => &mut data.sender,
        "error" => {
            return part(cursor, data, |cursor, key, data| match key {
                "code" => {
                    data.error_code = cursor.scalar()?;
                    Ok(())
                }
                _ => cursor.other(),
            });
        }
        "billing" => return part(cursor, data, billing),
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// Reads an object inside `data`; null is none, anything else is counted.
fn part<'a>(
    cursor: &mut Cursor<'a>,
    data: &mut Data<'a>,
    field: impl Fn(&mut Cursor<'a>, &str, &mut Data<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, key| field(cursor, key, data))?;
    data.unreadable += u64::from(!is_object);
    Ok(())
}

fn billing<'a>(cursor: &mut Cursor<'a>, key: &str, data: &mut Data<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "units" => &mut data.units,
        "unit" => &mut data.unit,
        "invoice_id" => &mut data.invoice,
        "price" => return part(cursor, data, price),
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn price<'a>(cursor: &mut Cursor<'a>, key: &str, data: &mut Data<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "amount" => &mut data.amount,
        "currency" => &mut data.currency,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn emit(
    event: &Event<'_>,
    place: Place<'_>,
    data_path: &str,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let data = &event.data;
    let (id, word) = (data.message_id.text(), data.status.text());
    let unreadable = data.unreadable + u64::from(data.status.is_unreadable());
    let last = event.kind.text().and_then(last_word);
    let typed = last.filter(|word| known_outcome(word).is_some());
    if !event.has_data || (id.is_none() && word.is_none() && typed.is_none()) {
        return Err(Dead::new(DeadReason::UnknownVariant, format!("{place}/data")));
    }
    let missing = |reason, field| Dead::new(reason, format!("{place}{data_path}/{field}"));
    let tells_no_status = !data.status.is_unreadable();
    let is_charge = last.map_or(tells_no_status, is_of_money) && data.amount.is_present();
    if let (Some(id), None, None, true) = (id, word, typed, is_charge) {
        charge(event, id, out);
        return Ok(());
    }
    let id = id.ok_or_else(|| missing(DeadReason::MissingId, "message_id"))?;
    let word = word.or(typed).ok_or_else(|| missing(DeadReason::MissingStatus, "status"))?;
    out.counters.unreadable_fields += unreadable;
    let channel = words::channel(out.text(&data.channel).unwrap_or(""));
    let mut draft = Draft::new(id, channel, outcome(word, out));
    let event_parts: [&[u8]; 2] =
        [event.source.text().unwrap_or("").as_bytes(), event.id.text().unwrap_or("").as_bytes()];
    if event.id.text().is_some() {
        draft.event_parts = &event_parts;
    }
    draft.logical_id = out.text(&data.logical_id);
    draft.vendor_status = Some(word);
    draft.error_code = out.text(&data.error_code).filter(|code| !words::is_no_error(code));
    draft.error_class =
        draft.error_code.and_then(|code| ErrorClass::parse(Folded::new(code).as_str()));
    draft.event_time_us = out.time(&event.time, parse_rfc3339);
    draft.recipient = out.text(&data.recipient);
    draft.sender = out.text(&data.sender).or_else(|| out.text(&event.source));
    draft.campaign = out.text(&data.campaign);
    if let Some(class) = out.text(&data.traffic_class) {
        let class = TrafficClass::parse(Folded::new(class).as_str());
        out.counters.unreadable_fields += u64::from(class.is_none());
        draft.traffic_class = class.unwrap_or(TrafficClass::Unknown);
    }
    let unit = Folded::new(out.text(&data.unit).unwrap_or(""));
    if unit.as_str().starts_with("segment") {
        draft.segments = out.segments(&data.units);
    }
    draft.price = out.price(&data.amount);
    draft.price_unit = PriceUnit::Message;
    draft.currency = out.text(&data.currency).filter(|_| draft.price.is_some());
    out.event(&draft);
    Ok(())
}

/// The last word of a type, before a version (`….delivered.v1`).
fn last_word(kind: &str) -> Option<&str> {
    let mut words = kind.rsplit('.');
    let last = words.next()?;
    let version = last.strip_prefix(['v', 'V']).unwrap_or("");
    if model::time::digits(version.as_bytes()).is_some() { words.next() } else { Some(last) }
}

/// Whether a type's word tells a charge, and no status that nobody knows.
fn is_of_money(word: &str) -> bool {
    let word = Folded::new(word);
    ["bill", "charg", "cost", "pric"].iter().any(|stem| word.as_str().starts_with(stem))
}

/// What the message of this id costs, told without a status. The price is of all units together.
fn charge(event: &Event<'_>, id: &str, out: &mut Emitter<'_>) {
    let data = &event.data;
    out.counters.unreadable_fields += data.unreadable;
    let told = Folded::new(out.text(&data.unit).unwrap_or(""));
    let kind = match told.as_str().trim_end_matches('s') {
        "segment" | "part" => ChargeKind::Segment,
        word => ChargeKind::parse(word).unwrap_or(ChargeKind::Message),
    };
    let figures = Figures {
        quantity: out.figure(&data.units),
        unit_price: None,
        amount: out.figure(&data.amount),
    };
    let mut charge = ChargeDraft::new(Subject::Message { id, key_part: "" }, kind, figures);
    charge.currency = out.text(&data.currency);
    charge.time_us = out.time(&event.time, parse_rfc3339);
    charge.channel = words::channel(out.text(&data.channel).unwrap_or(""));
    charge.invoice_id = out.text(&data.invoice);
    charge.recipient = out.text(&data.recipient);
    out.charge(&charge);
}

fn known_outcome(word: &str) -> Option<Outcome> {
    let folded = Folded::new(word);
    let status = match folded.as_str() {
        "displayed" | "seen" | "opened" => Status::Read,
        "cancelled" => Status::Canceled,
        word => Status::parse(word)?,
    };
    let is_open =
        matches!(status, Status::Accepted | Status::Queued | Status::Sent | Status::Unknown);
    Some(Outcome(status, !is_open))
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    known_outcome(word).unwrap_or_else(|| out.unknown_status())
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://cloudevents.io",
    variants: &[
        events(
            "structured, JSON",
            &["in_app_delivered.json", "structured_with_headers.record.json"],
        ),
        events("batch, JSON", &["batch.json"]),
        events("binary, data in the value and the rest in headers", &["binary.record.json"]),
        events("data in base64", &["data_base64.json"]),
        charges("charge, JSON", &["billed.json"]),
        events("data alone, JSON", &["data_alone.json"]),
    ],
    documented: &["datacontenttype", "dataschema", "provider", "specversion", "subject", "text"],
};

//! CloudEvents 1.0 of an own app or in-app channel: structured mode, batches, and Kafka's binary
//! mode (`ce_id`, `ce_type`, … as headers, the value is `data`). <https://cloudevents.io>
//!
//! `data.status` (else the last word of `type`) is one of the canonical words; `displayed`, `seen`
//! and `opened` are read. A word of its own is `unknown` and not final.
//!
//! Traps: an event is identified by `source` and `id` together; the message is `data.message_id`,
//! never `subject`; `billing.price` is the price of the whole message; `billing.units` are parts
//! only where `unit` says segments.

use model::time::parse_rfc3339;
use model::vocabulary::{DeadReason, ErrorClass, PriceUnit, Status, TrafficClass};

use crate::answer::each_document;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::normalizer::Record;
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
    error_code: Scalar<'a>,
    units: Scalar<'a>,
    unit: Scalar<'a>,
    amount: Scalar<'a>,
    currency: Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let header = |name: &str, http: &str| {
        let value = record.headers.get(name).or_else(|| record.headers.get(http));
        value.map_or(Scalar::Missing, |value| Scalar::Text(value.into()))
    };
    let id = header("ce_id", "http-ce-id");
    if !id.is_present() {
        return each_document(record.value, out, structured);
    }
    let mut event = Event {
        id,
        source: header("ce_source", "http-ce-source"),
        kind: header("ce_type", "http-ce-type"),
        time: header("ce_time", "http-ce-time"),
        ..Event::default()
    };
    let mut cursor = Cursor::new(record.value);
    event.has_data = data(&mut cursor, &mut event.data)?;
    cursor.end()?;
    emit(&event, Place { parent: "", at: None }, "", out)
}

fn structured(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut event = Event::default();
    let is_object = Cursor::new(text).object_or_skip(|cursor, key| {
        let slot = match key {
            "id" => &mut event.id,
            "source" => &mut event.source,
            "type" => &mut event.kind,
            "time" => &mut event.time,
            "data" => {
                event.has_data = data(cursor, &mut event.data)?;
                return Ok(());
            }
            _ => return cursor.skip(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    if !is_object {
        return Err(Dead::new(DeadReason::UnknownVariant, place.to_string()));
    }
    emit(&event, place, "/data", out)
}

fn data<'a>(cursor: &mut Cursor<'a>, data: &mut Data<'a>) -> Result<bool, Syntax> {
    cursor.object_or_skip(|cursor, key| {
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
                cursor.object_or_skip(|cursor, key| match key {
                    "code" => {
                        data.error_code = cursor.scalar()?;
                        Ok(())
                    }
                    _ => cursor.skip(),
                })?;
                return Ok(());
            }
            "billing" => {
                cursor.object_or_skip(|cursor, key| billing(cursor, key, data))?;
                return Ok(());
            }
            _ => return cursor.skip(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })
}

fn billing<'a>(cursor: &mut Cursor<'a>, key: &str, data: &mut Data<'a>) -> Result<(), Syntax> {
    match key {
        "units" => data.units = cursor.scalar()?,
        "unit" => data.unit = cursor.scalar()?,
        "price" => {
            cursor.object_or_skip(|cursor, key| {
                let slot = match key {
                    "amount" => &mut data.amount,
                    "currency" => &mut data.currency,
                    _ => return cursor.skip(),
                };
                *slot = cursor.scalar()?;
                Ok(())
            })?;
        }
        _ => cursor.skip()?,
    }
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
    let typed = event.kind.text().and_then(|kind| kind.rsplit('.').next());
    let typed = typed.filter(|word| known_outcome(word).is_some());
    if !event.has_data || (id.is_none() && word.is_none() && typed.is_none()) {
        return Err(Dead::new(DeadReason::UnknownVariant, format!("{place}/data")));
    }
    let missing = |reason, field| Dead::new(reason, format!("{place}{data_path}/{field}"));
    let id = id.ok_or_else(|| missing(DeadReason::MissingId, "message_id"))?;
    let word = word.or(typed).ok_or_else(|| missing(DeadReason::MissingStatus, "status"))?;
    let channel = words::channel(out.text(&data.channel).unwrap_or(""));
    let mut draft = Draft::new(id, channel, outcome(word, out));
    let event_parts: [&[u8]; 2] =
        [event.source.text().unwrap_or("").as_bytes(), event.id.text().unwrap_or("").as_bytes()];
    if event.id.text().is_some() {
        draft.event_parts = &event_parts;
    }
    draft.logical_id = out.text(&data.logical_id);
    draft.vendor_status = Some(word);
    draft.error_code = out.text(&data.error_code).filter(|code| *code != "0");
    draft.error_class =
        draft.error_code.and_then(|code| ErrorClass::parse(Folded::new(code).as_str()));
    draft.event_time_us = out.time(&event.time, parse_rfc3339);
    draft.recipient = out.text(&data.recipient);
    draft.sender = out.text(&data.sender).or_else(|| event.source.text());
    draft.campaign = out.text(&data.campaign);
    let class = out.text(&data.traffic_class).and_then(TrafficClass::parse);
    draft.traffic_class = class.unwrap_or(TrafficClass::Unknown);
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

fn known_outcome(word: &str) -> Option<Outcome> {
    let folded = Folded::new(word);
    let status = match folded.as_str() {
        "displayed" | "seen" | "opened" => Status::Read,
        word => Status::parse(word)?,
    };
    let is_open =
        matches!(status, Status::Accepted | Status::Queued | Status::Sent | Status::Unknown);
    Some(Outcome(status, !is_open))
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    known_outcome(word).unwrap_or_else(|| {
        out.counters.unknown_statuses += 1;
        Outcome::open(Status::Unknown)
    })
}

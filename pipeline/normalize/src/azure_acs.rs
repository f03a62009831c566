//! Azure Communication Services: delivery reports of SMS, and those of advanced messaging
//! (WhatsApp) and email, through Event Grid.
//! <https://learn.microsoft.com/azure/event-grid/communication-services-telephony-sms-events>
//!
//! | `data.deliveryStatus` (SMS), `data.status` | canonical |
//! |---|---|
//! | Delivered | delivered, final |
//! | Failed | failed, final; of SMS by the details: 4004, 4005, 4006 undelivered, 5002 unknown |
//! | Expired | expired, final |
//! | Sent, Read (advanced messaging) | sent; read, final |
//! | Bounced (email) | undelivered, final |
//! | Suppressed, Quarantined, FilteredSpam (email) | rejected, final |
//! | Expanded (email to a list) | sent |
//!
//! Envelopes: Event Grid's own (an array), CloudEvents 1.0 (one, a batch, or binary mode with
//! `ce-…` headers), or `data` alone. Inbound messages, engagement and Event Grid's handshakes
//! (`SubscriptionValidationEvent`, OPTIONS) are ignored.
//!
//! Traps: `id` equals `messageId`, so two reports of a message share it and only `eventTime` (and
//! the status) tells them apart; times have seven decimals; `from` comes without a plus sign; the
//! tag is spelled `Tag` and `tag`; 5002 means that the carrier gives no receipts, so the message
//! may have arrived; an email's `messageId` is shared by its recipients. Parts are those of the
//! last attempt. No price, no carrier.

mod details;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::each_document;
use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::drift::Drift;
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::mask;
use crate::record::{Record, Scratch};
use crate::whatsapp;
use crate::words::{self, Folded};

#[derive(Debug, Default)]
struct Event<'a> {
    id: Scalar<'a>,
    /// `topic`, in CloudEvents `source`: the path of the Communication Services resource.
    resource: Scalar<'a>,
    subject: Scalar<'a>,
    kind: Scalar<'a>,
    time: Scalar<'a>,
    data: Data<'a>,
    has_data: bool,
    /// Its data come without the event around them.
    is_bare: bool,
}

#[derive(Debug, Default)]
struct Data<'a> {
    message_id: Scalar<'a>,
    from: Scalar<'a>,
    to: Scalar<'a>,
    /// `deliveryStatus`: only SMS has it.
    delivery_status: Scalar<'a>,
    status: Scalar<'a>,
    details: Scalar<'a>,
    received: Scalar<'a>,
    attempted: Scalar<'a>,
    tag: Scalar<'a>,
    channel: Scalar<'a>,
    error_code: Scalar<'a>,
    has_attempts: bool,
    /// Parts of the last attempt: delivered, failed.
    parts: [Scalar<'a>; 2],
    is_inbound: bool,
    is_handshake: bool,
    /// Fields whose value was no object or list where one belongs.
    unreadable: u64,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Sms,
    Advanced,
    Email,
    Ignored(&'static str),
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let header = |name, http| record.header_of(name, http);
    let method = record.headers.get("method").unwrap_or("");
    if record.value.is_empty() && method.eq_ignore_ascii_case("OPTIONS") {
        out.ignored("handshake");
        return Ok(());
    }
    let kind = header("ce_type", "http-ce-type");
    if !kind.is_present() || record.is_structured_event() {
        return documents(record.value, out);
    }
    let mut event = Event {
        id: header("ce_id", "http-ce-id"),
        resource: header("ce_source", "http-ce-source"),
        subject: header("ce_subject", "http-ce-subject"),
        kind,
        time: header("ce_time", "http-ce-time"),
        ..Event::default()
    };
    let data = &mut event.data;
    event.has_data = Cursor::watched(record.value, out.drift)
        .document_or_skip(|cursor, key| data_field(cursor, key, data))?;
    emit(&event, Place { parent: "", at: None }, "", out)
}

/// Event Grid sends an array, nearly always of one event: that is read as if it stood alone. Of
/// several nothing is emitted before all are known to be whole.
fn documents(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let alone = inner.and_then(|inner| out.drift.try_read(|| read_event(inner, out.drift).ok()));
    let Some(event) = alone else {
        return each_document(text, out, |text, place, out| {
            emit_document(&read_event(text, out.drift)?, place, out)
        });
    };
    if let Err(dead) = emit_document(&event, Place { parent: "", at: Some(0) }, out) {
        out.dead(dead);
    }
    Ok(())
}

/// An event with its envelope or without; `None` where it is no object.
fn read_event<'a>(text: &'a str, drift: &'a Drift) -> Result<Option<Event<'a>>, Syntax> {
    let mut event = Event::default();
    let mut bare = Data::default();
    let is_object = Cursor::watched(text, drift).document_or_skip(|cursor, key| {
        let slot = match key {
            "id" => &mut event.id,
            "topic" | "source" => &mut event.resource,
            "subject" => &mut event.subject,
            "eventType" | "type" => &mut event.kind,
            "eventTime" | "time" => &mut event.time,
            "data" => {
                let data = &mut event.data;
                event.has_data =
                    cursor.object_or_skip(|cursor, key| data_field(cursor, key, data))?;
                return Ok(());
            }
            _ => return data_field(cursor, key, &mut bare),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    if !event.has_data && !event.kind.is_present() {
        (event.data, event.has_data, event.is_bare) = (bare, true, true);
    }
    Ok(is_object.then_some(event))
}

fn emit_document(
    event: &Option<Event<'_>>,
    place: Place<'_>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let unknown = || Dead::new(DeadReason::UnknownVariant, place.to_string());
    let event = event.as_ref().ok_or_else(unknown)?;
    emit(event, place, if event.is_bare { "" } else { "/data" }, out)
}

fn data_field<'a>(cursor: &mut Cursor<'a>, key: &str, data: &mut Data<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "messageId" => &mut data.message_id,
        "from" | "sender" => &mut data.from,
        "to" | "recipient" => &mut data.to,
        "deliveryStatus" => &mut data.delivery_status,
        "status" => &mut data.status,
        "receivedTimestamp" => &mut data.received,
        "deliveryAttemptTimeStamp" | "deliveryAttemptTimestamp" => &mut data.attempted,
        "Tag" | "tag" => &mut data.tag,
        "channelType" => &mut data.channel,
        "deliveryStatusDetails" => return details_field(cursor, data),
        "deliveryAttempts" => return attempts(cursor, data),
        "error" => {
            let code = &mut data.error_code;
            return part(cursor, &mut data.unreadable, |cursor, key| match key {
                "channelCode" => {
                    *code = cursor.scalar()?;
                    Ok(())
                }
                _ => cursor.other(),
            });
        }
        "message" | "segmentCount" | "content" => {
            data.is_inbound = true;
            return cursor.skip();
        }
        "validationCode" => {
            data.is_handshake = true;
            return cursor.skip();
        }
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// Text of an SMS report; an email's is an object around it.
fn details_field<'a>(cursor: &mut Cursor<'a>, data: &mut Data<'a>) -> Result<(), Syntax> {
    if cursor.kind() != Kind::Object {
        data.details = cursor.scalar()?;
        return Ok(());
    }
    let details = &mut data.details;
    cursor.object(|cursor, key| match key {
        "statusMessage" => {
            *details = cursor.scalar()?;
            Ok(())
        }
        _ => cursor.other(),
    })
}

fn attempts<'a>(cursor: &mut Cursor<'a>, data: &mut Data<'a>) -> Result<(), Syntax> {
    data.has_attempts = true;
    if cursor.kind() != Kind::Array {
        data.unreadable += u64::from(!cursor.is_null());
        return cursor.skip();
    }
    let Data { parts, unreadable, .. } = data;
    cursor.array(|cursor| {
        *parts = [Scalar::Missing, Scalar::Missing];
        let [delivered, failed] = parts;
        part(cursor, unreadable, |cursor, key| {
            let slot = match key {
                "segmentsSucceeded" => &mut *delivered,
                "segmentsFailed" => &mut *failed,
                _ => return cursor.other(),
            };
            *slot = cursor.scalar()?;
            Ok(())
        })
    })
}

/// Reads an object inside `data`; null is none, anything else is counted.
fn part<'a>(
    cursor: &mut Cursor<'a>,
    unreadable: &mut u64,
    field: impl FnMut(&mut Cursor<'a>, &str) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(field)?;
    *unreadable += u64::from(!is_object);
    Ok(())
}

/// By the event's type, else by the keys of its data; `None` where neither tells.
fn variant(event: &Event<'_>) -> Option<Variant> {
    let data = &event.data;
    let Some(kind) = event.kind.text() else {
        return Some(match data {
            Data { is_handshake: true, .. } => Variant::Ignored("handshake"),
            Data { has_attempts: true, .. } => Variant::Sms,
            _ if data.delivery_status.is_present() => Variant::Sms,
            _ if data.channel.is_present() && data.status.is_present() => Variant::Advanced,
            _ if data.attempted.is_present() => Variant::Email,
            Data { is_inbound: true, .. } => Variant::Ignored("inbound"),
            _ => return None,
        });
    };
    let area = kind.get(.."Microsoft.".len()).unwrap_or("");
    let name = kind.rsplit('.').next().unwrap_or("");
    Some(match Folded::new(name).as_str() {
        _ if !area.eq_ignore_ascii_case("Microsoft.") => return None,
        "smsdeliveryreportreceived" => Variant::Sms,
        "advancedmessagedeliverystatusupdated" => Variant::Advanced,
        "emaildeliveryreportreceived" => Variant::Email,
        "smsreceived" | "advancedmessagereceived" => Variant::Ignored("inbound"),
        "subscriptionvalidationevent" | "subscriptiondeletedevent" => Variant::Ignored("handshake"),
        _ => Variant::Ignored("other_event"),
    })
}

fn emit(
    event: &Event<'_>,
    place: Place<'_>,
    data_path: &str,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let unknown = || Dead::new(DeadReason::UnknownVariant, place.to_string());
    let variant = variant(event).ok_or_else(unknown)?;
    if let Variant::Ignored(kind) = variant {
        out.ignored(kind);
        return Ok(());
    }
    let data = &event.data;
    let missing = |reason, field| Dead::new(reason, format!("{place}{data_path}/{field}"));
    let id = data.message_id.text();
    let id = id.ok_or_else(|| missing(DeadReason::MissingId, "messageId"))?;
    let (word, field) = match variant {
        Variant::Sms => (&data.delivery_status, "deliveryStatus"),
        _ => (&data.status, "status"),
    };
    let word = word.text().ok_or_else(|| missing(DeadReason::MissingStatus, field))?;
    out.counters.unreadable_fields += data.unreadable;
    let times = [&data.received, &data.attempted, &event.time];
    let mut times = times.map(|time| out.time(time, parse_rfc3339)).into_iter();
    let event_time_us = times.next().flatten().or(times.next().flatten());
    let grid_time_us = times.next().flatten();
    let grid_bytes = grid_time_us.unwrap_or(i64::MIN).to_be_bytes();
    let grid_id = event.id.text();
    let event_parts: [&[u8]; 3] = [grid_id.unwrap_or("").as_bytes(), &grid_bytes, word.as_bytes()];
    let mut draft = draft(data, variant, id, word, out);
    if grid_id.is_some() {
        draft.event_parts = &event_parts;
    }
    draft.account = out.text(&event.resource).and_then(resource_name);
    draft.logical_id = out.text(&data.tag);
    draft.vendor_status = Some(word);
    draft.event_time_us = event_time_us.or(grid_time_us);
    draft.recipient = out.text(&data.to);
    if variant == Variant::Email {
        draft.key_part = draft.recipient.unwrap_or("");
    }
    let subject = || event.subject.text()?.trim_start_matches('/').strip_prefix("phonenumber/");
    draft.sender = out.text(&data.from).or_else(subject);
    draft.segments = parts(data, out);
    // A server's words may name an address, also another's or in another spelling.
    let code = draft.error_code.map(|code| mask::impersonal(code, draft.recipient));
    draft.error_code = code.as_deref();
    out.event(&draft);
    Ok(())
}

/// Channel, outcome and error of a variant's status.
fn draft<'d>(
    data: &'d Data<'_>,
    variant: Variant,
    id: &'d str,
    word: &str,
    out: &mut Emitter<'_>,
) -> Draft<'d> {
    let folded = Folded::new(word);
    let details = out.text(&data.details);
    let (channel, outcome, code, class) = match variant {
        Variant::Advanced => {
            let channel = words::channel(out.text(&data.channel).unwrap_or(""));
            let code = out.text(&data.error_code).filter(|code| !words::is_no_error(code));
            let outcome = whatsapp::outcome(folded.as_str(), code, out);
            (channel, outcome, code, code.and_then(whatsapp::class_of_code))
        }
        Variant::Email => {
            let (outcome, class) = email_outcome(folded.as_str(), out);
            (Channel::Email, outcome, details, class)
        }
        _ => {
            let code = details.and_then(details::code);
            let outcome = sms_outcome(folded.as_str(), code, out);
            (Channel::Sms, outcome, code, code.and_then(details::class))
        }
    };
    let mut draft = Draft::new(id, channel, outcome);
    // The text beside a success says so in words: "No error."
    draft.error_code = code.filter(|_| !outcome.0.is_delivered());
    draft.error_class = class;
    draft
}

fn sms_outcome(word: &str, code: Option<&str>, out: &mut Emitter<'_>) -> Outcome {
    match word {
        "delivered" => Outcome::settled(Status::Delivered),
        "failed" => Outcome::settled(code.map_or(Status::Failed, details::status)),
        "expired" => Outcome::settled(Status::Expired),
        _ => unknown(out),
    }
}

fn email_outcome(word: &str, out: &mut Emitter<'_>) -> (Outcome, Option<ErrorClass>) {
    match word {
        "delivered" => (Outcome::settled(Status::Delivered), None),
        "expanded" => (Outcome::open(Status::Sent), None),
        "bounced" => (Outcome::settled(Status::Undelivered), None),
        "suppressed" => (Outcome::settled(Status::Rejected), Some(ErrorClass::Blocked)),
        "quarantined" | "filteredspam" => {
            (Outcome::settled(Status::Rejected), Some(ErrorClass::Spam))
        }
        "failed" => (Outcome::settled(Status::Failed), None),
        _ => (unknown(out), None),
    }
}

fn unknown(out: &mut Emitter<'_>) -> Outcome {
    out.unknown_status()
}

/// Parts of the last attempt, whatever became of each.
fn parts(data: &Data<'_>, out: &mut Emitter<'_>) -> Option<u16> {
    let mut sum = None;
    for field in &data.parts {
        let Some(text) = out.text(field) else { continue };
        match text.parse::<u16>() {
            Ok(parts) => sum = Some(sum.unwrap_or(0_u16).saturating_add(parts)),
            Err(_) => out.counters.unreadable_fields += 1,
        }
    }
    sum.filter(|parts| *parts > 0)
}

/// Last segment of a resource's path: its name is unique in Azure.
fn resource_name(path: &str) -> Option<&str> {
    path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://learn.microsoft.com/azure/event-grid/communication-services-telephony-sms-events",
    variants: &[
        events("Event Grid SMS reports, JSON", &["sms_reports.json"]),
        events("CloudEvents, JSON", &["cloudevent.json"]),
        events("CloudEvents, binary", &["cloudevent_binary.record.json"]),
        events("advanced messages, JSON", &["advanced_messages.json"]),
        events("email reports, JSON", &["email_reports.json"]),
        events("data alone, JSON", &["data_alone.json"]),
        ignored("handshake, OPTIONS", &["options_handshake.record.json"]),
    ],
    documented: &[
        "callConnectionId",
        "channelMessage",
        "dataVersion",
        "metadataVersion",
        "specversion",
        "timestamp",
        "validationUrl",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_named_by_the_last_segment() {
        let path = "/subscriptions/s/providers/microsoft.communication/communicationservices/acs-1";
        assert_eq!(resource_name(path), Some("acs-1"));
        assert_eq!(resource_name("/"), None);
    }
}

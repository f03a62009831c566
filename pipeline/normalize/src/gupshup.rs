//! Gupshup: SMS delivery reports (GET query, or a POST of up to 20 as JSON or in the form field
//! `response`), WhatsApp events of version 2, and of version 3, which is Meta's webhook and read by
//! `whatsapp`. <https://docs.gupshup.io/docs/real-time-delivery-reports>,
//! <https://docs.gupshup.io/docs/message-events>
//!
//! | SMS `eventType`, in a query `status` | canonical |
//! |---|---|
//! | DELIVERED, SUCCESS | delivered, final |
//! | FAILED, FAILURE, FAIL | failed, final; `cause` and `errCode` tell why |
//! | UNKNOWN | unknown, final |
//!
//! | WhatsApp `payload.type` | canonical |
//! |---|---|
//! | enqueued | queued |
//! | sent | sent |
//! | delivered, read | the same, final |
//! | failed | failed, final |
//! | deleted | the user's doing: ignored |
//!
//! Traps: times are milliseconds (`eventTs`, `deliveredTS`, `timestamp`), seconds (`payload.ts`),
//! seconds as text or milliseconds as a number (version 3), so their size decides; `payload.id` is
//! Gupshup's for enqueued and failed and WhatsApp's afterwards, `gsId` is Gupshup's in all, and a
//! week later it is gone: then the WhatsApp id stands, hashed since it holds the number;
//! `billing-event` has no amount (`meta_pricing`) and is a charge of the message with its `gsId`;
//! `errCode` is `000` on success; the published sample of an SMS report is no JSON; a query's
//! `noOfFrags` has a space before it.

mod errors;

pub(crate) use errors::whatsapp_class;

use model::vocabulary::{Channel, DeadReason, Status};

use crate::answer;
use crate::catalogue::{Module, charges, events};
use crate::charge::{ChargeDraft, Figures, Subject};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::meta_pricing::Pricing;
use crate::record::{Record, Scratch};
use crate::whatsapp;
use crate::words::{self, Folded};

/// An SMS report, or a WhatsApp event with its payload.
#[derive(Debug, Default)]
struct Item<'a> {
    /// `type` of the outermost object.
    kind: Scalar<'a>,
    app: Scalar<'a>,
    /// Of the outermost object, in milliseconds.
    timestamp: Scalar<'a>,
    sms: Sms<'a>,
    payload: Payload<'a>,
    has_payload: bool,
    is_damaged: bool,
}

#[derive(Debug, Default)]
struct Sms<'a> {
    id: Scalar<'a>,
    word: Scalar<'a>,
    time: Scalar<'a>,
    to: Scalar<'a>,
    from: Scalar<'a>,
    cause: Scalar<'a>,
    code: Scalar<'a>,
    channel: Scalar<'a>,
    parts: Scalar<'a>,
}

#[derive(Debug, Default)]
struct Payload<'a> {
    id: Scalar<'a>,
    gs_id: Scalar<'a>,
    word: Scalar<'a>,
    to: Scalar<'a>,
    time: Scalar<'a>,
    code: Scalar<'a>,
    pricing: Pricing<'a>,
    conversation: Scalar<'a>,
    conversation_id: Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let value = record.value.trim_ascii();
    if value.is_empty() {
        return form(record.query().unwrap_or(""), scratch, out);
    }
    // As published: the whole field in brackets.
    let bare = value.strip_prefix("[response=").and_then(|rest| rest.strip_suffix(']'));
    // A field whose value nobody has encoded.
    let is_plain = |rest: &&str| is_json(rest) && rest.contains('"');
    let bare = bare.or_else(|| value.strip_prefix("response=").filter(is_plain));
    if let Some(bare) = bare {
        return json(bare, out);
    }
    if is_json(value) {
        return json(record.value, out);
    }
    if value.starts_with('"') || !value.contains('=') {
        return Err(Dead::new(DeadReason::Syntax, "byte 0"));
    }
    form(value, scratch, out)
}

fn is_json(text: &str) -> bool {
    Cursor::new(text).kind() != Kind::Scalar
}

fn form(text: &str, scratch: &mut Scratch, out: &mut Emitter<'_>) -> Result<(), Dead> {
    scratch.form.read(text);
    let mut item = Item::default();
    for (name, value) in scratch.form.scalars() {
        let name = std::str::from_utf8(name).unwrap_or("").trim();
        if let ("response", Scalar::Text(text)) = (name, &value) {
            return json(text, out);
        }
        let slot = match name {
            "status" => Some(&mut item.sms.word),
            name => sms_slot(&mut item.sms, name),
        };
        // Of a repeated name the first value stands.
        match slot {
            Some(slot) if !slot.is_present() => *slot = value,
            Some(_) => {}
            None => out.drift.other("", name),
        }
    }
    emit(&item, Place { parent: "", at: None }, out);
    Ok(())
}

fn sms_slot<'s, 'a>(sms: &'s mut Sms<'a>, name: &str) -> Option<&'s mut Scalar<'a>> {
    Some(match name {
        "externalId" => &mut sms.id,
        "eventType" => &mut sms.word,
        "eventTs" | "deliveredTS" => &mut sms.time,
        "destAddr" | "phoneNo" => &mut sms.to,
        "srcAddr" | "mask" => &mut sms.from,
        "cause" => &mut sms.cause,
        "errCode" => &mut sms.code,
        "channel" => &mut sms.channel,
        "noOfFrags" => &mut sms.parts,
        _ => return None,
    })
}

fn json(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut list: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    let mut is_metas = false;
    if cursor.kind() == Kind::Array {
        below(&mut list, "").read(&mut cursor, item)?;
    } else {
        cursor.object(|cursor, key| match key {
            "response" if cursor.kind() == Kind::Array => {
                below(&mut list, "/response").read(cursor, item)
            }
            "entry" | "changes" | "value" | "messaging_product" | "statuses" | "gs_app_id"
            | "gs_id" | "recipient_id" => {
                is_metas = true;
                cursor.skip()
            }
            _ => field(cursor, key, &mut single),
        })?;
    }
    cursor.end()?;
    if is_metas {
        return whatsapp::read_text(text, out);
    }
    emit_each(&list, &single, out, item, emit);
    Ok(())
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Syntax> {
    object(cursor, field, |item: &mut Item<'_>| item.is_damaged = true)
}

/// A key of the outermost object: an SMS report's, an envelope's, or that of a payload without one.
fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    match key {
        "type" => item.kind = cursor.scalar()?,
        "app" => item.app = cursor.scalar()?,
        "timestamp" => item.timestamp = cursor.scalar()?,
        "payload" if cursor.kind() == Kind::Object => {
            item.has_payload = true;
            cursor.object(|cursor, key| payload_field(cursor, key, &mut item.payload))?;
        }
        _ => match sms_slot(&mut item.sms, key) {
            Some(slot) => *slot = cursor.scalar()?,
            None => return payload_field(cursor, key, &mut item.payload),
        },
    }
    Ok(())
}

fn payload_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    payload: &mut Payload<'a>,
) -> Result<(), Syntax> {
    let slot = match key {
        "payload" => {
            cursor.object_or_skip(|cursor, key| detail_field(cursor, key, payload))?;
            return Ok(());
        }
        "deductions" => return payload.pricing.read(cursor),
        "references" => {
            let read = |cursor: &mut Cursor<'a>, key: &str| {
                let slot = match key {
                    "id" => &mut payload.id,
                    "gsId" => &mut payload.gs_id,
                    "conversationId" => &mut payload.conversation_id,
                    "destination" => &mut payload.to,
                    _ => return cursor.other(),
                };
                *slot = cursor.scalar()?;
                Ok(())
            };
            return cursor.object_or_skip(read).map(drop);
        }
        "id" => &mut payload.id,
        "gsId" => &mut payload.gs_id,
        "type" => &mut payload.word,
        "destination" => &mut payload.to,
        _ => return detail_field(cursor, key, payload),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// A key of the payload's own payload, whose `type` and `id` are of something else.
fn detail_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    payload: &mut Payload<'a>,
) -> Result<(), Syntax> {
    match key {
        "ts" => payload.time = cursor.scalar()?,
        "code" => payload.code = cursor.scalar()?,
        "pricing" => payload.pricing.read(cursor)?,
        "conversation" => {
            cursor.object_or_skip(|cursor, key| {
                let slot = match key {
                    "type" => &mut payload.conversation,
                    "id" => &mut payload.conversation_id,
                    _ => return cursor.other(),
                };
                *slot = cursor.scalar()?;
                Ok(())
            })?;
        }
        _ => return cursor.other(),
    }
    Ok(())
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if item.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    if item.sms.id.is_present() || item.sms.word.is_present() {
        return emit_sms(&item.sms, place, out);
    }
    let kind = item.kind.text();
    match kind {
        Some("message-event") => emit_whatsapp(item, item.payload.word.text(), place, out),
        Some("billing-event") => emit_billing(item, place, out),
        Some("message") if item.has_payload => out.ignored("inbound"),
        Some("user-event") => out.ignored("user_event"),
        Some(kind) if item.has_payload && kind.ends_with("-event") => out.ignored("other_event"),
        Some(_) if item.payload.gs_id.is_present() || item.payload.to.is_present() => {
            emit_whatsapp(item, kind, place, out);
        }
        _ => out.dead_at(DeadReason::UnknownVariant, format!("{place}/type")),
    }
}

fn emit_sms(sms: &Sms<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let (id, word) = match (sms.id.text(), sms.word.text()) {
        (None, _) => return out.dead_at(DeadReason::MissingId, format!("{place}/externalId")),
        (_, None) => return out.dead_at(DeadReason::MissingStatus, format!("{place}/eventType")),
        (Some(id), Some(word)) => (id, word),
    };
    let outcome = match Folded::new(word).as_str() {
        "delivered" | "success" => Outcome::settled(Status::Delivered),
        "failed" | "failure" | "fail" => Outcome::settled(Status::Failed),
        "unknown" => Outcome::settled(Status::Unknown),
        _ => unknown(out),
    };
    let channel = out.text(&sms.channel).map_or(Channel::Sms, words::channel);
    let mut draft = Draft::new(id, channel, outcome);
    let cause = out.text(&sms.cause);
    draft.vendor_status = Some(word);
    draft.error_code = out.text(&sms.code).filter(|code| !words::is_no_error(code));
    let failed = outcome.0 == Status::Failed;
    draft.error_class = errors::sms_class(draft.error_code, cause.filter(|_| failed));
    draft.event_time_us = out.time(&sms.time, answer::unix_digits);
    draft.recipient = out.text(&sms.to);
    draft.sender = out.text(&sms.from);
    draft.segments = out.segments(&sms.parts);
    out.event(&draft);
}

fn emit_whatsapp(item: &Item<'_>, word: Option<&str>, place: Place<'_>, out: &mut Emitter<'_>) {
    let payload = &item.payload;
    if word.is_some_and(|word| word.eq_ignore_ascii_case("deleted")) {
        return out.ignored("deleted");
    }
    let id = payload.gs_id.text().or(payload.id.text());
    let (id, word) = match (id, word) {
        (None, _) => return out.dead_at(DeadReason::MissingId, format!("{place}/payload/gsId")),
        (_, None) => {
            return out.dead_at(DeadReason::MissingStatus, format!("{place}/payload/type"));
        }
        (Some(id), Some(word)) => (id, word),
    };
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    let outcome = match word {
        _ if is("delivered") => Outcome::settled(Status::Delivered),
        _ if is("read") => Outcome::settled(Status::Read),
        _ if is("sent") => Outcome::open(Status::Sent),
        _ if is("enqueued") => Outcome::open(Status::Queued),
        _ if is("failed") => Outcome::settled(Status::Failed),
        _ => unknown(out),
    };
    let mut draft = Draft::new(id, Channel::Whatsapp, outcome);
    draft.account = out.text(&item.app);
    draft.vendor_status = Some(word);
    draft.error_code = out.text(&payload.code).filter(|code| !words::is_no_error(code));
    draft.error_class = draft.error_code.and_then(whatsapp_class);
    let time = out.time(&payload.time, answer::unix_digits);
    draft.event_time_us = time.or_else(|| out.time(&item.timestamp, answer::unix_digits));
    draft.recipient = out.text(&payload.to);
    let category = out.text(&payload.pricing.category).or_else(|| payload.conversation.text());
    draft.traffic_class = words::meta_category(category.unwrap_or(""));
    out.event(&draft);
    payload.pricing.charge_beside(&draft, payload.conversation_id.text(), out);
}

/// The charge of the message that a billing event refers to; of a conversation once.
fn emit_billing(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let payload = &item.payload;
    let Some(id) = payload.gs_id.text().or(payload.id.text()) else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/payload/references/gsId"));
    };
    let pricing = &payload.pricing;
    let (kind, sku) = (pricing.charge_kind(), pricing.sku());
    let message = Subject::Message { id, key_part: "" };
    let subject = pricing.subject(payload.conversation_id.text(), message);
    let mut charge = ChargeDraft::new(subject, kind, Figures::one(pricing.amount()));
    charge.time_us = out.time(&item.timestamp, answer::unix_digits);
    charge.sku = sku.text().filter(|sku| !sku.is_empty());
    charge.account = out.text(&item.app);
    charge.channel = Channel::Whatsapp;
    charge.traffic_class = pricing.traffic_class();
    charge.recipient = out.text(&payload.to);
    out.charge(&charge);
}

fn unknown(out: &mut Emitter<'_>) -> Outcome {
    out.unknown_status()
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://docs.gupshup.io/docs/real-time-delivery-reports",
    variants: &[
        events(
            "SMS report, GET",
            &["sms_query_success.record.json", "sms_query_failure.record.json"],
        ),
        events("SMS reports, form field with JSON", &["sms_form_response.record.json"]),
        events("SMS reports, JSON", &["sms_array.json"]),
        events("message event v2, JSON", &["whatsapp_events.json", "whatsapp_enqueued.json"]),
        events("message event v3 (Meta's), JSON", &["v3_statuses.json", "v3_bare_status.json"]),
        charges("billing event, JSON", &["billing.json", "v3_billing.json"]),
    ],
    documented: &[
        "contacts",
        "deductions",
        "details",
        "error_data",
        "errors",
        "expiration_timestamp",
        "expiresAt",
        "field",
        "href",
        "id",
        "message",
        "messaging_product",
        "metadata",
        "object",
        "phone_number_id",
        "pricing_model",
        "profile",
        "reason",
        "recipient_identity_key_hash",
        "recipient_type",
        "references",
        "source",
        "status",
        "time",
        "title",
        "type",
        "version",
        "whatsappMessageId",
    ],
};

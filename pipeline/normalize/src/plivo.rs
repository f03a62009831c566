//! Plivo: message status callbacks (form, POST or GET) and message detail records (JSON, one or a
//! list). <https://www.plivo.com/docs/messaging/api/message/message-status-callbacks>
//!
//! | `Status`, `message_state` | canonical |
//! |---|---|
//! | queued | queued |
//! | sent | sent (for ever, where a network gives no receipt) |
//! | delivered, read | delivered, read; final |
//! | undelivered | undelivered, final |
//! | failed | failed, final |
//! | rejected | rejected, final |
//!
//! Traps: callbacks come in any order and `Sequence` orders them, so it is part of the event's id;
//! their times have no zone, and which of them is the event's its status tells: by the account's
//! zone and marked `vendor_local`; records have a zone, and fractions of five digits; `Status`
//! may be spelled `status`; no error is an empty code, null or `000`; `ParentMessageUUID` and
//! `PartInfo` are reserved and ignored, though parts of older long messages share a parent: each
//! is a message; a record is read again when its state or price changes, so both are part of its
//! event id. No field tells the currency: Plivo's prices are in US dollars. Every event tells the
//! price, but a message that failed is free, so is one that was rejected (one that was undelivered
//! is not): so the price of one that is queued is an estimate, and a failed one's charge is
//! nothing.
//!
//! Channel: `Type`, else SMS. Inbound messages are ignored, and what a send was answered with.

use model::money::ONE;
use model::vocabulary::{Basis, Channel, ChargeKind, DeadReason, ErrorClass, PriceUnit, Status};

use crate::catalogue::{Module, events, ignored};
use crate::charge::ChargeDraft;
use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// Of its prices.
const CURRENCY: &str = "USD";

/// A callback, or a detail record.
#[derive(Debug, Default)]
struct Item<'a> {
    id: Scalar<'a>,
    status: Scalar<'a>,
    /// `message_state`: it is a detail record.
    state: Scalar<'a>,
    direction: Scalar<'a>,
    to: Scalar<'a>,
    from: Scalar<'a>,
    kind: Scalar<'a>,
    units: Scalar<'a>,
    rate: Scalar<'a>,
    amount: Scalar<'a>,
    mcc: Scalar<'a>,
    mnc: Scalar<'a>,
    error_code: Scalar<'a>,
    sequence: Scalar<'a>,
    initiated: Scalar<'a>,
    queued: Scalar<'a>,
    sent: Scalar<'a>,
    reported: Scalar<'a>,
    updated: Scalar<'a>,
    origin: Scalar<'a>,
    uri: Scalar<'a>,
    /// Without a status an inbound message.
    has_text: bool,
    /// `message`: a send was answered.
    is_answer: bool,
    is_damaged: bool,
}

impl<'a> Item<'a> {
    /// Where a scalar of this name belongs.
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        Some(match key {
            "MessageUUID" | "message_uuid" => &mut self.id,
            "Status" | "status" => &mut self.status,
            "message_state" => &mut self.state,
            "message_direction" | "Direction" => &mut self.direction,
            "To" | "to_number" => &mut self.to,
            "From" | "from_number" => &mut self.from,
            "Type" | "message_type" => &mut self.kind,
            "Units" | "units" => &mut self.units,
            "TotalRate" | "total_rate" => &mut self.rate,
            "TotalAmount" | "total_amount" => &mut self.amount,
            "MCC" | "mcc" => &mut self.mcc,
            "MNC" | "mnc" => &mut self.mnc,
            "ErrorCode" | "error_code" => &mut self.error_code,
            "Sequence" => &mut self.sequence,
            "MessageTime" | "message_time" => &mut self.initiated,
            "QueuedTime" => &mut self.queued,
            "SentTime" | "message_sent_time" => &mut self.sent,
            "DeliveryReportTime" => &mut self.reported,
            "message_updated_time" => &mut self.updated,
            "ConversationOrigin" | "conversation_origin" => &mut self.origin,
            "resource_uri" => &mut self.uri,
            _ => return None,
        })
    }
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
    if Cursor::new(value).kind() != Kind::Scalar {
        return json(record.value, out);
    }
    if value.starts_with('"') || !value.contains('=') {
        return Err(Dead::new(DeadReason::Syntax, "byte 0"));
    }
    form(value, scratch, out)
}

fn form(text: &str, scratch: &mut Scratch, out: &mut Emitter<'_>) -> Result<(), Dead> {
    scratch.form.read(text);
    let mut item = Item::default();
    for (name, value) in scratch.form.scalars() {
        let name = std::str::from_utf8(name).unwrap_or("");
        item.has_text |= is_content(name);
        match item.slot(name) {
            // Of a repeated name the first value stands.
            Some(slot) if *slot == Scalar::Missing => *slot = value,
            Some(_) => {}
            None => out.drift.other("", name),
        }
    }
    emit(&item, Place { parent: "", at: None }, out);
    Ok(())
}

fn json(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut list: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    if cursor.kind() == Kind::Array {
        below(&mut list, "").read(&mut cursor, item)?;
    } else {
        cursor.object(|cursor, key| match key {
            "objects" if cursor.kind() == Kind::Array => {
                below(&mut list, "/objects").read(cursor, item)
            }
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

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    item.has_text |= is_content(key);
    item.is_answer |= key == "message";
    match item.slot(key) {
        Some(slot) => *slot = cursor.scalar()?,
        None => cursor.other()?,
    }
    Ok(())
}

/// Fields of an inbound message; the last two of one with media.
fn is_content(name: &str) -> bool {
    matches!(name, "Text" | "Body" | "MediaCount")
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if item.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    let is_record = item.state != Scalar::Missing;
    let word = if is_record { item.state.text() } else { item.status.text() };
    let is = |field: &Scalar<'_>, wanted: &str| {
        field.text().is_some_and(|word| word.eq_ignore_ascii_case(wanted))
    };
    let is_inbound = is(&item.direction, "inbound") || (word.is_none() && item.has_text);
    if is_inbound || word.is_some_and(|word| word.eq_ignore_ascii_case("received")) {
        return out.ignored("inbound");
    }
    match (item.id.text(), word) {
        (_, None) if item.is_answer => out.ignored("send_answer"),
        (None, None) => out.dead_at(DeadReason::UnknownVariant, place.to_string()),
        (None, Some(_)) if is_record => {
            out.dead_at(DeadReason::MissingId, format!("{place}/message_uuid"));
        }
        (None, Some(_)) => out.dead_at(DeadReason::MissingId, format!("{place}/MessageUUID")),
        (Some(_), None) if is_record => {
            out.dead_at(DeadReason::MissingStatus, format!("{place}/message_state"));
        }
        (Some(_), None) => out.dead_at(DeadReason::MissingStatus, format!("{place}/Status")),
        (Some(id), Some(word)) if is_record => emit_record(item, id, word, out),
        (Some(id), Some(word)) => emit_callback(item, id, word, out),
    }
}

fn emit_callback(item: &Item<'_>, id: &str, word: &str, out: &mut Emitter<'_>) {
    let sequence = out.text(&item.sequence).unwrap_or("");
    let event_parts: [&[u8]; 3] = [id.as_bytes(), word.as_bytes(), sequence.as_bytes()];
    let mut draft = draft(item, id, word, out);
    draft.event_parts = &event_parts;
    // An earlier stage's time is not this event's: without its own it is the ingest time.
    let field = match draft.status {
        Status::Queued => &item.queued,
        Status::Sent => &item.sent,
        _ => &item.reported,
    };
    set_time(&mut draft, field, out);
    let submit = out.time(&item.initiated, date::parse_zoned_or_local);
    let told = if submit.is_some() { &item.initiated } else { &item.queued };
    draft.submit_time_us = submit.or_else(|| out.time(told, date::parse_zoned_or_local));
    draft.is_local_submit = date::is_local(told.text());
    emit_priced(&draft, out);
}

fn emit_record(item: &Item<'_>, id: &str, word: &str, out: &mut Emitter<'_>) {
    let mut draft = draft(item, id, word, out);
    set_time(&mut draft, &item.updated, out);
    // Older records tell only earlier stages: their times are not a delivery's.
    let stage = match draft.status {
        Status::Queued => Some(&item.initiated),
        Status::Sent => Some(&item.sent),
        _ => None,
    };
    if let Some(field) = stage.filter(|_| draft.event_time_us.is_none()) {
        set_time(&mut draft, field, out);
    }
    let time_bytes = draft.event_time_us.unwrap_or(i64::MIN).to_be_bytes();
    let price_bytes = draft.price.map_or(-1, |price| price.0).to_be_bytes();
    let event_parts: [&[u8]; 6] = [
        b"record",
        id.as_bytes(),
        word.as_bytes(),
        draft.error_code.unwrap_or("").as_bytes(),
        &time_bytes,
        &price_bytes,
    ];
    draft.event_parts = &event_parts;
    draft.submit_time_us = out.time(&item.initiated, date::parse_zoned_or_local);
    draft.is_local_submit = date::is_local(item.initiated.text());
    // `/v1/Account/{auth id}/Message/{uuid}/`
    draft.account = out.text(&item.uri).and_then(|uri| {
        let (_, rest) = uri.split_once("/Account/")?;
        rest.split('/').next().filter(|account| !account.is_empty())
    });
    emit_priced(&draft, out);
}

/// Emits an event and what its price means: of a message that waits an estimate, of one that failed
/// or was rejected nothing. What has no time of its own may stand at that of an estimate, so its
/// price has a line, too.
fn emit_priced(draft: &Draft<'_>, out: &mut Emitter<'_>) {
    out.event(draft);
    let is_free = matches!(draft.status, Status::Failed | Status::Rejected);
    let is_estimate = is_free || draft.status == Status::Queued;
    if !is_estimate && draft.event_time_us.is_some() {
        return;
    }
    // What parts it has another event may tell.
    let has_units = draft.price_unit == PriceUnit::Message || draft.segments.is_some();
    let can_be_told = is_estimate || has_units;
    if let Some(price) = draft.price.filter(|price| price.0 != 0 && can_be_told) {
        let (kind, units) = match draft.price_unit {
            PriceUnit::Segment => (ChargeKind::Segment, draft.segments.unwrap_or(1)),
            _ => (ChargeKind::Message, 1),
        };
        let mut line = ChargeDraft::beside(draft, kind, None);
        line.figures.quantity = Some(i128::from(units) * ONE);
        line.figures.unit_price = Some(price.0);
        line.basis = if is_estimate { Basis::Estimated } else { Basis::Vendor };
        line.is_of_event = true;
        out.charge_too(&line);
    }
    // A record may tell it by itself.
    if is_free && draft.price.is_none_or(|price| price.0 != 0) {
        let mut nothing = ChargeDraft::beside(draft, ChargeKind::Message, Some(0));
        nothing.currency = Some(CURRENCY);
        out.charge_too(&nothing);
    }
}

fn set_time(draft: &mut Draft<'_>, field: &Scalar<'_>, out: &mut Emitter<'_>) {
    draft.event_time_us = out.time(field, date::parse_zoned_or_local);
    draft.is_local_time = date::is_local(field.text());
}

fn draft<'i>(item: &'i Item<'_>, id: &'i str, word: &'i str, out: &mut Emitter<'_>) -> Draft<'i> {
    let channel = out.text(&item.kind).map_or(Channel::Sms, words::channel);
    let mut draft = Draft::new(id, channel, outcome(word, out));
    draft.vendor_status = Some(word);
    draft.error_code = out.text(&item.error_code).filter(|code| !words::is_no_error(code));
    draft.error_class = draft.error_code.and_then(class_of_code);
    draft.recipient = out.text(&item.to);
    draft.sender = out.text(&item.from);
    draft.mcc = out.network_code(&item.mcc);
    draft.mnc = out.network_code(&item.mnc);
    draft.traffic_class = words::meta_category(out.text(&item.origin).unwrap_or(""));
    draft.segments = out.segments(&item.units);
    draft.price = out.price(&item.amount);
    draft.price_unit = PriceUnit::Message;
    if draft.price.is_none() {
        draft.price = out.price_of_part(&item.rate, &item.units);
        draft.price_unit = PriceUnit::Segment;
    }
    draft.currency = draft.price.map(|_| CURRENCY);
    draft
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "queued" => Outcome::open(Status::Queued),
        "sent" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" => Outcome::settled(Status::Read),
        "undelivered" => Outcome::settled(Status::Undelivered),
        "failed" => Outcome::settled(Status::Failed),
        "rejected" => Outcome::settled(Status::Rejected),
        _ => out.unknown_status(),
    }
}

/// Classes of the codes (<https://www.plivo.com/docs/messaging/troubleshooting/error-codes>); 1000
/// is Plivo's own "unknown error".
fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "10" | "110" => ErrorClass::InvalidRequest,
        "20" | "80" => ErrorClass::Unreachable,
        // Spam; a loop of the same message.
        "30" | "60" => ErrorClass::Spam,
        // Invalid source; no route; out of credit; account disabled.
        "40" | "90" | "900" | "910" => ErrorClass::Configuration,
        // Invalid destination; unavailable for good.
        "50" | "70" => ErrorClass::UnknownRecipient,
        "100" => ErrorClass::Blocked,
        "200" => ErrorClass::OptedOut,
        "300" => ErrorClass::VendorInternal,
        "420" => ErrorClass::Expired,
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://www.plivo.com/docs/messaging/api/message/message-status-callbacks",
    variants: &[
        events(
            "status callback, form",
            &["callback_delivered.txt", "callback_failed.txt", "callback_whatsapp_read.txt"],
        ),
        events("status callback, GET", &["callback_get.record.json"]),
        events("status callback, JSON", &["callback_json.json"]),
        events("message detail record, JSON", &["record.json"]),
        events("list of message detail records, JSON", &["records.json"]),
        ignored("inbound message, form", &["callback_inbound.txt"]),
        ignored("answer of a send, JSON", &["send_answer.json"]),
    ],
    documented: &[
        "Body",
        "ConversationExpirationTimestamp",
        "ConversationID",
        "MediaCount",
        "ParentMessageUUID",
        "PartInfo",
        "PowerpackUUID",
        "Text",
        "api_id",
        "conversation_expiration_timestamp",
        "conversation_id",
        "error",
        "error_message",
        "message",
        "meta",
        "requester_ip",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_class_of_what_plivo_calls_them() {
        for (code, class) in [
            ("10", Some(ErrorClass::InvalidRequest)),
            ("30", Some(ErrorClass::Spam)),
            ("50", Some(ErrorClass::UnknownRecipient)),
            ("80", Some(ErrorClass::Unreachable)),
            ("200", Some(ErrorClass::OptedOut)),
            ("420", Some(ErrorClass::Expired)),
            ("900", Some(ErrorClass::Configuration)),
            ("1000", None),
        ] {
            assert_eq!(class_of_code(code), class, "{code}");
        }
    }
}

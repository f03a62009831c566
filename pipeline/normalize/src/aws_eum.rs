//! AWS End User Messaging SMS (`pinpoint-sms-voice-v2`): events of SMS, MMS, RCS and voice, bare
//! or in any envelope of [`crate::aws`].
//! <https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-format.html>
//!
//! | end of `eventType` (behind TEXT_, MEDIA_, RCS_, VOICE_) | canonical |
//! |---|---|
//! | QUEUED | queued |
//! | PENDING | accepted |
//! | SENT, SUCCESSFUL; RCS FALLEN_BACK_TO_SMS; voice INITIATED, RINGING, ANSWERED | sent |
//! | DELIVERED; voice COMPLETED | delivered, final |
//! | READ | read, final |
//! | INVALID, INVALID_MESSAGE, BLOCKED, CARRIER_BLOCKED, SPAM, PROTECT_BLOCKED | rejected |
//! | FILE_INACCESSIBLE, FILE_TYPE_UNSUPPORTED, FILE_SIZE_EXCEEDED | rejected |
//! | UNREACHABLE, CARRIER_UNREACHABLE; voice BUSY, NO_ANSWER | undelivered |
//! | TTL_EXPIRED | expired; with status TTL_EXPIRATION_REVOKE_FAILED not final |
//! | UNKNOWN | unknown, final: AWS itself says so after 72 h of silence |
//! | FAILED | by `messageStatus`: UNDELIVERABLE undelivered, REJECTED rejected, else failed |
//!
//! A failure is final unless `isFinal` says that it is not; `isFinal` also ends what is open
//! otherwise (a SUCCESSFUL where the carrier gives no receipt). A type never seen is not final.
//!
//! Traps: each event repeats the price, a READ says 0 after a DELIVERED said more; the carrier's
//! fee is not in `totalMessagePrice`, so both are added, and the fee is a charge of its own that
//! the price holds; inside a conversation the price is 0 and its fee repeats on each event of each
//! message, so it is one charge of the message that began it, inbound or not; a READ may be older
//! than its DELIVERED; one event a message and type, and once more where only the later one is
//! final. Inbound messages, typing, suggestions and `CONVERSATION_STARTED` have `inboundMessageId`
//! and are ignored. Prices are in US dollars.

use model::money::{self, Nanos};
use model::vocabulary::{
    Channel, ChargeKind, DeadReason, ErrorClass, PriceUnit, Status, TrafficClass,
};

use crate::answer::{instant, member};
use crate::aws::{self, Unwrapped};
use crate::catalogue::{Module, billing, events, ignored};
use crate::charge::{ChargeDraft, Subject};
use crate::draft::{Dead, Draft, Outcome};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::record::{Record, Scratch};

#[derive(Debug, Default)]
struct Event<'a> {
    event_type: Scalar<'a>,
    status: Scalar<'a>,
    message_id: Scalar<'a>,
    timestamp: Scalar<'a>,
    requested: Scalar<'a>,
    is_final: Scalar<'a>,
    origination: Scalar<'a>,
    destination: Scalar<'a>,
    country: Scalar<'a>,
    mcc: Scalar<'a>,
    mnc: Scalar<'a>,
    message_type: Scalar<'a>,
    parts: Scalar<'a>,
    price: Scalar<'a>,
    carrier_fee: Scalar<'a>,
    session_fee: Scalar<'a>,
    session_message: Scalar<'a>,
    /// Body of an inbound message.
    body: Scalar<'a>,
    is_inbound: bool,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    if let Some(rows) = aws::billing_rows(record.value) {
        (0..rows).for_each(|_| out.ignored("billing_usage"));
        return Ok(());
    }
    aws::each_event(record.value, out, &mut event)
}

fn event(item: &Unwrapped<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut event = Event::default();
    Cursor::watched(item.text, out.drift)
        .document_or_skip(|cursor, key| field(cursor, key, &mut event))?;
    let word = event.event_type.text().or_else(|| event.status.text());
    if event.is_inbound && word.is_none() {
        out.ignored(inbound_kind(&event.body));
        return Ok(());
    }
    let (id, word) = match (event.message_id.text(), word) {
        (Some(id), Some(word)) => (id, word),
        (None, Some(_)) => return Err(item.dead(DeadReason::MissingId, "messageId")),
        (Some(_), None) => return Err(item.dead(DeadReason::MissingStatus, "eventType")),
        (None, None) => return Err(item.dead(DeadReason::UnknownVariant, "eventType")),
    };
    emit(&event, item, (id, word), out);
    Ok(())
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, event: &mut Event<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "eventType" => &mut event.event_type,
        "messageStatus" => &mut event.status,
        "messageId" => &mut event.message_id,
        "eventTimestamp" => &mut event.timestamp,
        "messageRequestTimestamp" => &mut event.requested,
        "isFinal" => &mut event.is_final,
        "originationPhoneNumber" => &mut event.origination,
        "destinationPhoneNumber" => &mut event.destination,
        "isoCountryCode" => &mut event.country,
        "mcc" => &mut event.mcc,
        "mnc" => &mut event.mnc,
        "messageType" => &mut event.message_type,
        "totalMessageParts" => &mut event.parts,
        "totalMessagePrice" => &mut event.price,
        "totalCarrierFee" => &mut event.carrier_fee,
        "conversationSessionFee" => &mut event.session_fee,
        "conversationInitiatingMessageId" => &mut event.session_message,
        "messageBody" => &mut event.body,
        "inboundMessageId" => {
            event.is_inbound = true;
            return cursor.skip();
        }
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// What an inbound message is: its body is JSON where a client and no person wrote it.
fn inbound_kind(body: &Scalar<'_>) -> &'static str {
    let kind = member(body.text().unwrap_or(""), "type");
    match kind.text() {
        Some("CONVERSATION_STARTED") => "conversation",
        Some("RCS_TYPING") => "typing",
        Some("SUGGESTION") => "click",
        _ => "inbound",
    }
}

fn emit(event: &Event<'_>, item: &Unwrapped<'_>, told: (&str, &str), out: &mut Emitter<'_>) {
    let (id, event_type) = told;
    let others = [&event.event_type, &event.session_message];
    out.counters.unreadable_fields +=
        others.iter().map(|field| u64::from(field.is_unreadable())).sum::<u64>();
    let (channel, word) = channel(event, event_type);
    let reading = reading(event, event_type, word, out);
    let is_final = is_final(reading.outcome, &event.is_final, out);
    let settled = if is_final { "final" } else { "" };
    let event_parts: [&[u8]; 3] = [id.as_bytes(), event_type.as_bytes(), settled.as_bytes()];
    let mut draft = Draft::new(id, channel, Outcome(reading.outcome.0, is_final));
    draft.event_parts = &event_parts;
    draft.account = item.account;
    draft.vendor_status = Some(reading.word);
    draft.error_class = reading.class;
    draft.event_time_us = out.time(&event.timestamp, instant);
    draft.submit_time_us = out.time(&event.requested, instant);
    draft.recipient = out.text(&event.destination);
    draft.sender = out.text(&event.origination);
    draft.country = out.text(&event.country);
    draft.mcc = out.network_code(&event.mcc);
    draft.mnc = out.network_code(&event.mnc);
    draft.traffic_class = match out.text(&event.message_type) {
        Some("TRANSACTIONAL") => TrafficClass::Transactional,
        Some("PROMOTIONAL") => TrafficClass::Marketing,
        _ => TrafficClass::Unknown,
    };
    draft.segments = out.segments(&event.parts);
    draft.price = price(event, out);
    draft.price_unit = PriceUnit::Message;
    draft.currency = draft.price.map(|_| "USD");
    out.event(&draft);
    charges(event, &draft, out);
}

/// What is charged beside the message: the carrier's fee, and the conversation's, which is one
/// charge of the message that began it however many events of however many messages tell it.
fn charges(event: &Event<'_>, draft: &Draft<'_>, out: &mut Emitter<'_>) {
    let beside = |kind, amount: Nanos| {
        let mut charge = ChargeDraft::beside(draft, kind, Some(amount.0));
        charge.currency = Some("USD");
        charge
    };
    // Where one of both could not be read, the event has no price and the other is a charge still.
    let own = readable(&event.price).filter(|_| draft.price.is_none());
    if let Some(own) = own {
        out.charge_too(&beside(ChargeKind::Message, own));
    }
    if let Some(fee) = readable(&event.carrier_fee) {
        out.charge_too(&beside(ChargeKind::CarrierFee, fee));
    }
    if let Some(fee) = out.price(&event.session_fee) {
        let mut charge = beside(ChargeKind::Conversation, fee);
        // Which message began the conversation is not always told.
        if let Some(id) = event.session_message.text() {
            charge.subject = Subject::Message { id, key_part: "" };
        }
        out.charge_too(&charge);
    }
}

/// Channel and the rest of an event's type.
fn channel<'t>(event: &Event<'_>, event_type: &'t str) -> (Channel, &'t str) {
    let known = match event_type.split_once('_') {
        Some(("TEXT", word)) => Some((Channel::Sms, word)),
        Some(("MEDIA", word)) => Some((Channel::Mms, word)),
        Some(("RCS", word)) => Some((Channel::Rcs, word)),
        Some(("VOICE", word)) => Some((Channel::Voice, word)),
        _ => None,
    };
    known.unwrap_or_else(|| {
        let is_agent = event.origination.text().is_some_and(|sender| sender.starts_with("rcs-"));
        (if is_agent { Channel::Rcs } else { Channel::Unknown }, event_type)
    })
}

/// What an event's words say.
#[derive(Debug)]
struct Reading<'r> {
    outcome: Outcome,
    class: Option<ErrorClass>,
    /// The more specific of type and status.
    word: &'r str,
}

/// The type decides, but for types that leave the kind of failure to the status.
fn reading<'r>(
    event: &'r Event<'_>,
    event_type: &'r str,
    word: &str,
    out: &mut Emitter<'_>,
) -> Reading<'r> {
    let status = out.text(&event.status);
    let refined = status.filter(|_| matches!(word, "FAILED" | "TTL_EXPIRED"));
    let refined = refined.filter(|status| *status != word);
    if let Some((status, (outcome, class))) = refined.and_then(|s| Some(s).zip(aws::status(s))) {
        return Reading { outcome, class, word: status };
    }
    let Some((outcome, class)) = aws::status(word) else {
        let outcome = out.unknown_status();
        return Reading { outcome, class: None, word: event_type };
    };
    Reading { outcome, class, word: event_type }
}

/// Whether the delivery is settled: what the payload says, but a receipt needs no such word and
/// of an unknown type it proves nothing.
fn is_final(outcome: Outcome, told: &Scalar<'_>, out: &mut Emitter<'_>) -> bool {
    let told = match told {
        Scalar::Bool(told) => Some(*told),
        Scalar::Missing | Scalar::Null => None,
        other => match other.text() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                out.counters.unreadable_fields += 1;
                None
            }
        },
    };
    match outcome {
        Outcome(Status::Delivered | Status::Read, _) => true,
        Outcome(Status::Unknown, false) => false,
        Outcome(_, by_table) => told.unwrap_or(by_table),
    }
}

/// Message price and carrier's fee; none where one of them cannot be read, for the rest would be
/// too little.
fn price(event: &Event<'_>, out: &mut Emitter<'_>) -> Option<Nanos> {
    let mut sum = None;
    for part in [&event.price, &event.carrier_fee] {
        if part.is_present() {
            sum = Some(sum.unwrap_or(0) + out.price(part)?.0);
        }
    }
    let is_too_large = sum.is_some_and(|sum| sum > money::MAX);
    out.counters.unreadable_fields += u64::from(is_too_large);
    sum.filter(|_| !is_too_large).map(Nanos)
}

/// A price that was counted before where it cannot be read.
fn readable(field: &Scalar<'_>) -> Option<Nanos> {
    let parsed = money::parse(field.text()?)?;
    Some(Nanos(parsed.nanos.0.abs()))
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-format.html",
    variants: &[
        events("event, JSON", &["sms_delivered.json", "rcs_life.json", "failures.json"]),
        events("conversation session, JSON", &["conversation.json"]),
        events(
            "in an SNS notification, JSON in JSON",
            &["sns_notification.json", "sns_to_lambda.json", "sqs.json"],
        ),
        events("in EventBridge, JSON", &["event_bridge.json"]),
        events("in a Kinesis record, base64 of JSON", &["kinesis.json"]),
        events("in CloudWatch logs, JSON in JSON", &["cloudwatch_logs.json", "log_line.txt"]),
        events("Firehose objects, one behind the other", &["concatenated.txt"]),
        billing("cost and usage report, CSV", &["cost_and_usage.txt"]),
        ignored("inbound message, handshake", &["inbound.json", "handshake.json"]),
    ],
    documented: &[
        "agentIsoCountryCode",
        "context",
        "conversationInitiatingMessageType",
        "destinationNumber",
        "eventVersion",
        "isInternationalSend",
        "messageEncoding",
        "messageStatusDescription",
        "originationNumber",
        "protectConfiguration",
        "rcsBusinessId",
        "rcsMetadata",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_begin_of_a_type_is_its_channel() {
        let of = |event_type| channel(&Event::default(), event_type);
        assert_eq!(of("TEXT_CARRIER_BLOCKED"), (Channel::Sms, "CARRIER_BLOCKED"));
        assert_eq!(of("MEDIA_FILE_INACCESSIBLE"), (Channel::Mms, "FILE_INACCESSIBLE"));
        assert_eq!(of("RCS_FALLEN_BACK_TO_SMS"), (Channel::Rcs, "FALLEN_BACK_TO_SMS"));
        assert_eq!(of("VOICE_NO_ANSWER"), (Channel::Voice, "NO_ANSWER"));
        assert_eq!(of("PIGEON_SENT"), (Channel::Unknown, "PIGEON_SENT"));
    }

    #[test]
    fn clients_events_in_an_inbound_body_are_told_apart() {
        let kind = |body: &'static str| inbound_kind(&Scalar::Text(body.into()));
        assert_eq!(kind(r#"{"type":"CONVERSATION_STARTED"}"#), "conversation");
        assert_eq!(kind(r#"{"type":"RCS_TYPING"}"#), "typing");
        assert_eq!(kind(r#"{"type":"SUGGESTION"}"#), "click");
        assert_eq!(kind("STOP"), "inbound");
    }
}

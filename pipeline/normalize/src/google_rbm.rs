//! Google RCS for Business: user and server events in a Pub/Sub shaped envelope, or decoded; and
//! the AgentMessage that answers a send.
//! <https://developers.google.com/business-communications/rcs-business-messaging>
//!
//! | decoded event | canonical |
//! |---|---|
//! | `eventType` DELIVERED, READ | delivered, read; final |
//! | TTL_EXPIRATION_REVOKED | expired, final: safe to fall back |
//! | TTL_EXPIRATION_REVOKE_FAILED | sent: a DELIVERED may still come |
//! | AgentMessage (`name` = `phones/…/agentMessages/…`) | accepted |
//! | IS_TYPING, SUBSCRIBE, UNSUBSCRIBE, user messages, taps, launch events, handshakes | ignored |
//!
//! Traps: only `message.data` is signed, so attributes decide nothing; the envelope's `messageId`
//! is Pub/Sub's; user events say `senderPhoneNumber`, server events `phoneNumber`; the name of an
//! AgentMessage holds the number, so only its last segment is kept. The agent is the sender.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, Status};

use crate::answer::member;
use crate::draft::{Dead, Draft, Outcome};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar};
use crate::normalizer::{Record, Scratch};

#[derive(Debug, Default)]
struct Event<'a> {
    message_id: Scalar<'a>,
    event_id: Scalar<'a>,
    event_type: Scalar<'a>,
    phone: Scalar<'a>,
    agent: Scalar<'a>,
    send_time: Scalar<'a>,
    name: Scalar<'a>,
    carrier: Scalar<'a>,
    segments: Scalar<'a>,
    envelope: Option<&'a str>,
    other: Option<&'static str>,
    is_enveloped: bool,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let event = event_of(record.value)?;
    let Some(envelope) = event.envelope.filter(|_| event.is_enveloped) else {
        return emit(&event, "", out);
    };
    let Scalar::Text(data) = member(envelope, "data") else {
        return Err(Dead::new(DeadReason::Envelope, "/message/data"));
    };
    let undecodable = || Dead::new(DeadReason::BadEncoding, "/message/data");
    scratch.bytes.clear();
    STANDARD.decode_vec(data.as_bytes(), &mut scratch.bytes).map_err(|_| undecodable())?;
    let text = std::str::from_utf8(&scratch.bytes).map_err(|_| undecodable())?;
    let event = event_of(text)
        .map_err(|dead| Dead::new(dead.reason, format!("/message/data: {}", dead.detail)))?;
    emit(&event, "/message/data", out)
}

fn event_of(text: &str) -> Result<Event<'_>, Dead> {
    let mut cursor = Cursor::new(text);
    let mut event = Event::default();
    let is_object = cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "messageId" => &mut event.message_id,
            "eventId" => &mut event.event_id,
            "eventType" => &mut event.event_type,
            "senderPhoneNumber" | "phoneNumber" => &mut event.phone,
            "agentId" => &mut event.agent,
            "sendTime" => &mut event.send_time,
            "name" => &mut event.name,
            "carrier" => &mut event.carrier,
            "message" => {
                let envelope = cursor.raw()?;
                event.is_enveloped = envelope.starts_with('{');
                event.envelope = Some(envelope);
                return Ok(());
            }
            "richMessageClassification" => {
                event.segments = member(cursor.raw()?, "segmentCount");
                return Ok(());
            }
            "text" | "userFile" | "location" => return other(cursor, &mut event, "inbound"),
            "suggestionResponse" => return other(cursor, &mut event, "click"),
            "newLaunchState" | "oldLaunchState" => {
                return other(cursor, &mut event, "agent_launch");
            }
            "clientToken" => return other(cursor, &mut event, "handshake"),
            _ => return cursor.skip(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    cursor.end()?;
    if !is_object {
        return Err(Dead::new(DeadReason::Envelope, ""));
    }
    Ok(event)
}

fn other<'a>(
    cursor: &mut Cursor<'a>,
    event: &mut Event<'a>,
    kind: &'static str,
) -> Result<(), crate::json::Syntax> {
    event.other = Some(kind);
    cursor.skip()
}

fn emit(event: &Event<'_>, path: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let word = event.event_type.text();
    match word {
        Some("IS_TYPING") => return ignore("typing", out),
        Some("SUBSCRIBE" | "UNSUBSCRIBE") => return ignore("subscription", out),
        None => {
            if let Some(kind) = event.other {
                return ignore(kind, out);
            }
            if let Some(name) = event.name.text() {
                return accepted(event, name, path, out);
            }
        }
        Some(_) => {}
    }
    let missing = |reason, field| Dead::new(reason, format!("{path}/{field}"));
    let (id, word) = match (event.message_id.text(), word) {
        (Some(id), Some(word)) => (id, word),
        (None, Some(_)) => return Err(missing(DeadReason::MissingId, "messageId")),
        (Some(_), None) => return Err(missing(DeadReason::MissingStatus, "eventType")),
        (None, None) => return Err(missing(DeadReason::UnknownVariant, "eventType")),
    };
    let mut draft = Draft::new(id, Channel::Rcs, outcome(word, out));
    let event_id = event.event_id.text().unwrap_or("");
    let event_parts: [&[u8]; 1] = [event_id.as_bytes()];
    if !event_id.is_empty() {
        draft.event_parts = &event_parts;
    }
    draft.vendor_status = Some(word);
    draft.event_time_us = out.time(&event.send_time, parse_rfc3339);
    draft.recipient = out.text(&event.phone);
    draft.sender = out.text(&event.agent);
    out.event(&draft);
    Ok(())
}

fn ignore(kind: &'static str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    out.ignored(kind);
    Ok(())
}

/// The AgentMessage that a successful send answers with: `phones/{E.164}/agentMessages/{id}`.
fn accepted(event: &Event<'_>, name: &str, path: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let parts = name.strip_prefix("phones/").and_then(|rest| rest.split_once("/agentMessages/"));
    let Some((phone, id)) = parts.filter(|(_, id)| !id.is_empty()) else {
        return Err(Dead::new(DeadReason::MissingId, format!("{path}/name")));
    };
    let mut draft = Draft::new(id, Channel::Rcs, Outcome::open(Status::Accepted));
    draft.event_time_us = out.time(&event.send_time, parse_rfc3339);
    draft.submit_time_us = draft.event_time_us;
    draft.recipient = Some(phone);
    draft.carrier = out.text(&event.carrier);
    draft.sender = out.text(&event.agent);
    draft.segments = out.segments(&event.segments);
    out.event(&draft);
    Ok(())
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match word {
        "DELIVERED" => Outcome::settled(Status::Delivered),
        "READ" => Outcome::settled(Status::Read),
        "TTL_EXPIRATION_REVOKED" => Outcome::settled(Status::Expired),
        "TTL_EXPIRATION_REVOKE_FAILED" => Outcome::open(Status::Sent),
        _ => {
            out.counters.unknown_statuses += 1;
            Outcome::open(Status::Unknown)
        }
    }
}

//! Google RCS for Business: user and server events in a Pub/Sub shaped envelope, or decoded; and
//! the AgentMessage that answers a send, bare or wrapped as `{request, status, headers, body}`.
//! <https://developers.google.com/business-communications/rcs-business-messaging>
//!
//! | decoded event | canonical |
//! |---|---|
//! | `eventType` DELIVERED, READ | delivered, read; final |
//! | TTL_EXPIRATION_REVOKED | expired, final: safe to fall back |
//! | TTL_EXPIRATION_REVOKE_FAILED | sent: a DELIVERED may still come |
//! | AgentMessage (`name` = `phones/…/agentMessages/…`) | accepted |
//! | answer of a send with another HTTP status than 200 | failed, final: no webhook tells it |
//! | IS_TYPING, SUBSCRIBE, UNSUBSCRIBE, user messages, taps, launch events, handshakes | ignored |
//! | the agent's own events (`name` = `phones/…/agentEvents/…`), answers of a revoke | ignored |
//!
//! Traps: only `message.data` is signed, so attributes decide nothing; the envelope's `messageId`
//! is Pub/Sub's; `eventId` identifies an event, which may come twice and out of order; a READ may
//! come without its DELIVERED; user messages and taps have no `eventType`, so their keys tell what
//! they are; user events say `senderPhoneNumber`, server events `phoneNumber`; the name of an
//! AgentMessage holds the number, so only its last segment is kept. The agent is the sender.
//! Carriers' files (billing reports, activity logs) are tables: see [`carrier`].

mod carrier;

use std::borrow::Cow;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, ErrorClass, Status, TrafficClass};

use crate::answer::{Answer, member, members_of, part};
use crate::catalogue::{Module, charges, events, ignored};
use crate::draft::{Dead, Draft, Outcome};
use crate::drift::Drift;
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar};
use crate::record::{Record, Scratch};

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// Google's JSON may spell bytes in either alphabet, with or without padding.
static ALPHABETS: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING),
    GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING),
];

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
    traffic: Scalar<'a>,
    /// The Pub/Sub message.
    has_envelope: bool,
    envelope_data: Scalar<'a>,
    /// Its data, where it arrives without the envelope.
    data: Scalar<'a>,
    answer: Answer<'a>,
    other: Option<&'static str>,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    if carrier::is_table(record.value) {
        return carrier::read(record.value, out);
    }
    let event = event_of(record.value, out.drift)?;
    if event.answer.body.is_some() || event.answer.http_status().is_present() {
        return answered(&event.answer, scratch, out);
    }
    let (data, path) = match (event.has_envelope, &event.data) {
        (true, _) => (event.envelope_data, "/message/data"),
        (false, Scalar::Text(_)) => (event.data, "/data"),
        (false, _) => return emit(&event, "", out),
    };
    let Scalar::Text(data) = data else {
        return Err(Dead::new(DeadReason::Envelope, path));
    };
    let undecodable = || Dead::new(DeadReason::BadEncoding, path);
    if !decode(&data, &mut scratch.bytes) {
        return Err(undecodable());
    }
    let text = std::str::from_utf8(&scratch.bytes).map_err(|_| undecodable())?;
    let event = event_of(text, out.drift)
        .map_err(|dead| Dead::new(dead.reason, format!("{path}: {}", dead.detail)))?;
    emit(&event, path, out)
}

/// Fills `bytes` with what the data of a push spells; false where it spells none. Its signature is
/// of these bytes, so it is checked over what is read here.
pub(crate) fn decode(data: &str, bytes: &mut Vec<u8>) -> bool {
    ALPHABETS.iter().any(|base64| {
        bytes.clear();
        base64.decode_vec(data.as_bytes(), bytes).is_ok()
    })
}

fn event_of<'a>(text: &'a str, drift: &'a Drift) -> Result<Event<'a>, Dead> {
    let mut cursor = Cursor::watched(text, drift);
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
            "messageTrafficType" => &mut event.traffic,
            "data" => &mut event.data,
            "message" => {
                event.has_envelope = only(cursor, "data", &mut event.envelope_data)?;
                return Ok(());
            }
            "richMessageClassification" => {
                let segments = &mut event.segments;
                let is_null = cursor.is_null();
                if !only(cursor, "segmentCount", segments)? && !is_null {
                    event.segments = Scalar::Unreadable;
                }
                return Ok(());
            }
            "text" | "userFile" | "location" => return other(cursor, &mut event, "inbound"),
            "suggestionResponse" => return other(cursor, &mut event, "click"),
            "newLaunchState" | "oldLaunchState" => {
                return other(cursor, &mut event, "agent_launch");
            }
            "clientToken" => return other(cursor, &mut event, "handshake"),
            _ if event.answer.field(cursor, key)? => return Ok(()),
            _ => return cursor.other(),
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

/// One member of an object; false where there is no object.
fn only<'a>(
    cursor: &mut Cursor<'a>,
    wanted: &str,
    into: &mut Scalar<'a>,
) -> Result<bool, crate::json::Syntax> {
    *into = Scalar::Missing;
    cursor.object_or_skip(|cursor, key| {
        if !key.eq_ignore_ascii_case(wanted) {
            return cursor.other();
        }
        *into = cursor.scalar()?;
        Ok(())
    })
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
    if event.name.text().is_some_and(|name| name.contains("/agentEvents/")) {
        return ignore("agent_event", out);
    }
    match word {
        Some("IS_TYPING") => return ignore("typing", out),
        Some("SUBSCRIBE" | "UNSUBSCRIBE") => return ignore("subscription", out),
        None => {
            if let Some(kind) = event.other {
                return ignore(kind, out);
            }
            if let Some(name) = event.name.text() {
                return accepted(event, name, path, (None, None), out);
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
/// Who sent it and when it was answered are told by the request and the answer, where they are
/// there.
fn accepted(
    event: &Event<'_>,
    name: &str,
    path: &str,
    (agent, answered_us): (Option<&str>, Option<i64>),
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let parts = name.strip_prefix("phones/").and_then(|rest| rest.split_once("/agentMessages/"));
    let Some((phone, id)) = parts.filter(|(_, id)| !id.is_empty()) else {
        return Err(Dead::new(DeadReason::MissingId, format!("{path}/name")));
    };
    let mut draft = Draft::new(id, Channel::Rcs, Outcome::open(Status::Accepted));
    draft.event_time_us = out.time(&event.send_time, parse_rfc3339);
    draft.header_time_us = answered_us;
    draft.submit_time_us = draft.event_time_us;
    draft.recipient = Some(phone);
    draft.carrier = out.text(&event.carrier);
    draft.sender = out.text(&event.agent).or(agent);
    draft.segments = out.segments(&event.segments);
    draft.traffic_class = traffic_class(out.text(&event.traffic).unwrap_or(""));
    out.event(&draft);
    Ok(())
}

fn traffic_class(word: &str) -> TrafficClass {
    match word {
        "AUTHENTICATION" => TrafficClass::Otp,
        "TRANSACTION" | "ACKNOWLEDGEMENT" => TrafficClass::Transactional,
        "PROMOTION" => TrafficClass::Marketing,
        "SERVICEREQUEST" => TrafficClass::Conversation,
        _ => TrafficClass::Unknown,
    }
}

/// The sender's record of a call: of a send, or of another that is no message's.
fn answered(answer: &Answer<'_>, scratch: &mut Scratch, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let request = answer.request.unwrap_or("null");
    let method = member(request, "method");
    let method = method.text();
    if method.is_some_and(|method| method.eq_ignore_ascii_case("DELETE")) {
        return ignore("revoke", out);
    }
    let is_post = |method: &str| method.eq_ignore_ascii_case("POST");
    let targets = [member(request, "url"), member(request, "path")];
    let target = targets.iter().find_map(Scalar::text).unwrap_or("");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path.contains("/agentEvents") {
        return ignore("agent_event", out);
    }
    if path.ends_with("/capabilities") {
        return ignore("capabilities", out);
    }
    // As a form of one more field, so that `%2B` of the number is decoded with the rest.
    let phone = path.split_once("phones/").and_then(|(_, rest)| rest.split('/').next());
    let phone = phone.unwrap_or("");
    scratch.form.read(&format!("{query}&phone={}", phone.trim_start_matches('+')));
    let named = |wanted: &[u8]| {
        let mut pairs = scratch.form.pairs();
        pairs.find(|(name, _)| *name == wanted).and_then(|(_, value)| value)
    };
    let text = answer.body_text();
    let error = part(&text, "error").unwrap_or("null");
    let [number, word] = members_of(Cursor::watched(error, out.drift), ["code", "status"]);
    let status = answer.http_status();
    // An answer without its status line still has the code in its body.
    let told = if status.is_present() { status } else { number.clone() };
    let ids = [member(request, "messageId"), member(request, "message_id")];
    let id = ids.iter().find_map(Scalar::text).or_else(|| named(b"messageId"));
    let id = id.filter(|id| !id.is_empty());
    if let None | Some(200..=299) = told.whole() {
        let body = event_of(&text, out.drift).unwrap_or_default();
        let beside = (named(b"agentId"), answer.date_us(out));
        // A record that has no body still has what was asked for.
        let is_sent = told.whole().is_some() && error == "null" && method.is_none_or(is_post);
        let asked = || {
            let (phone, id) = named(b"phone").zip(id.filter(|_| is_sent))?;
            Some(format!("phones/{phone}/agentMessages/{id}"))
        };
        let name = body.name.text().map(Cow::Borrowed).or_else(|| asked().map(Cow::Owned));
        return match name {
            Some(name) if name.contains("/agentEvents/") => ignore("agent_event", out),
            Some(name) => accepted(&body, &name, "/body", beside, out),
            None => Err(Dead::new(DeadReason::MissingStatus, "/body/name")),
        };
    }
    let id = id.ok_or_else(|| Dead::new(DeadReason::MissingId, "/request/messageId"))?;
    let status = told.whole().unwrap_or(0);
    let mut draft = Draft::new(id, Channel::Rcs, Outcome::settled(Status::Failed));
    draft.vendor_status = word.text().or_else(|| told.text());
    draft.error_code = number.text().or_else(|| told.text());
    draft.error_class = class_of_http(status);
    draft.header_time_us = answer.date_us(out);
    draft.recipient = named(b"phone").filter(|phone| !phone.is_empty());
    draft.sender = named(b"agentId");
    out.event(&draft);
    Ok(())
}

/// Why a send was refused: 404 says that RCS does not reach the number (or not this agent's).
fn class_of_http(status: i64) -> Option<ErrorClass> {
    Some(match status {
        400 => ErrorClass::InvalidRequest,
        401 | 403 => ErrorClass::Configuration,
        404 => ErrorClass::NotCapable,
        429 => ErrorClass::Throttled,
        500..=599 => ErrorClass::VendorInternal,
        _ => return None,
    })
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match word {
        "DELIVERED" => Outcome::settled(Status::Delivered),
        "READ" => Outcome::settled(Status::Read),
        "TTL_EXPIRATION_REVOKED" => Outcome::settled(Status::Expired),
        "TTL_EXPIRATION_REVOKE_FAILED" => Outcome::open(Status::Sent),
        _ => out.unknown_status(),
    }
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developers.google.com/business-communications/rcs-business-messaging/guides/build/events",
    variants: &[
        events(
            "user event in a Pub/Sub envelope, base64 of JSON",
            &["envelope_delivered.json", "url_safe_data.json"],
        ),
        events("bare Pub/Sub message", &["bare_pubsub_message.json"]),
        events("decoded user event, JSON", &["decoded_read.json"]),
        events(
            "server event (TTL), base64 of JSON",
            &["ttl_revoked.json", "ttl_revoke_failed.json"],
        ),
        events("AgentMessage, JSON", &["agent_message.json"]),
        events(
            "answer of a send, the sender's record",
            &["send_answered.json", "send_refused.json", "send_throttled.json"],
        ),
        charges("billing report of a carrier, TSV", &["billing_report.tsv"]),
        ignored("activity log of a carrier, TSV", &["activity_log.tsv"]),
        ignored(
            "user messages, taps, typing, launches, handshake",
            &[
                "user_message.json",
                "suggestion_tap.json",
                "typing.json",
                "launch_event.json",
                "handshake.json",
            ],
        ),
    ],
    documented: &[
        "actingParty",
        "agent_name",
        "agent_owner",
        "attributes",
        "botDisplayName",
        "brandDisplayName",
        "brandId",
        "classificationType",
        "comment",
        "contentMessage",
        "details",
        "duration",
        "error",
        "max_duration_a2p_conversation",
        "max_duration_p2a_conversation",
        "max_duration_single_message",
        "message",
        "messageId",
        "message_id",
        "mo_messages",
        "mt_messages",
        "owner_name",
        "publishTime",
        "publish_time",
        "regionId",
        "secret",
        "size_kilobytes",
        "subscription",
        "totalPayloadSizeBytes",
    ],
};

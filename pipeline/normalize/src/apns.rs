//! Apple Push Notification service: the sender's record of an answer, wrapped or as a flat line.
//! <https://developer.apple.com/documentation/usernotifications>
//!
//! | HTTP status | canonical |
//! |---|---|
//! | 200 | accepted: Apple never tells more |
//! | 400, 413 | rejected, final |
//! | 403, 404, 405, 429, 5xx | failed, final |
//! | 410 | undelivered, final: the device token is gone |
//!
//! Traps: the body of a 410 has the time at which the token was found dead, perhaps long before
//! this push. It is the only time that Apple gives, so it is the event time; but without a
//! `sent_at` not where it lies more than a day before the ingest time: a message of today must not
//! count in last month's window. The device token is the recipient. `apns-unique-id` is told in
//! development only and names nothing here; a broadcast or Live Activity has `apns-request-id`.

use model::time::DAY_US;
use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::{Answer, each_document, header, instant, member, members, members_of, part};
use crate::catalogue::{Module, events};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar};
use crate::record::Record;

/// The flat line of a sender's log.
#[derive(Debug, Default)]
struct Line<'a> {
    answer: Answer<'a>,
    id: Scalar<'a>,
    /// Of a broadcast or Live Activity channel.
    request_id: Scalar<'a>,
    reason: Scalar<'a>,
    timestamp: Scalar<'a>,
    topic: Scalar<'a>,
    token: Scalar<'a>,
    token_hash: Scalar<'a>,
    sent_at: Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    each_document(record.value, out, element)
}

fn element(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut line = Line::default();
    let is_object = Cursor::watched(text, out.drift).document_or_skip(|cursor, key| {
        let slot = match key {
            "apns_id" | "apns-id" => &mut line.id,
            "apns_request_id" | "apns-request-id" => &mut line.request_id,
            "reason" => &mut line.reason,
            "timestamp" => &mut line.timestamp,
            "topic" => &mut line.topic,
            "device_token" | "token" => &mut line.token,
            "token_hash" => &mut line.token_hash,
            "sent_at" => &mut line.sent_at,
            _ if line.answer.field(cursor, key)? => return Ok(()),
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    let is_line = [&line.id, &line.request_id].iter().any(|id| id.is_present())
        || line.answer.headers.is_some();
    if !is_object || !(is_line || line.answer.status.is_present()) {
        return Err(Dead::new(DeadReason::UnknownVariant, place.to_string()));
    }
    let body = line.answer.body_text();
    if line.answer.body.is_some() {
        let [reason, timestamp] =
            members_of(Cursor::watched(&body, out.drift), ["reason", "timestamp"]);
        take_present(&mut line.reason, reason);
        take_present(&mut line.timestamp, timestamp);
    }
    emit(&line, place, out)
}

fn take_present<'a>(slot: &mut Scalar<'a>, value: Scalar<'_>) {
    if value.is_present() {
        *slot = match value {
            Scalar::Text(text) => Scalar::Text(text.into_owned().into()),
            Scalar::Number(digits) => Scalar::Text(digits.to_owned().into()),
            _ => Scalar::Unreadable,
        };
    }
}

fn emit(line: &Line<'_>, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let request = line.answer.request.unwrap_or("null");
    let request_headers = part(request, "headers").unwrap_or("null");
    let ids = [
        line.answer.header("apns-id"),
        line.id.clone(),
        header(request_headers, "apns-id"),
        line.answer.header("apns-request-id"),
        line.request_id.clone(),
        header(request_headers, "apns-request-id"),
    ];
    let id = ids.iter().find_map(Scalar::text);
    let id = id.ok_or_else(|| Dead::new(DeadReason::MissingId, format!("{place}/apns_id")))?;
    let told = line.answer.http_status();
    let status = told.whole();
    let status =
        status.ok_or_else(|| Dead::new(DeadReason::MissingStatus, format!("{place}/status")))?;
    let reason = out.text(&line.reason);
    let mut draft = Draft::new(id, Channel::PushApns, outcome(status, out));
    let word = reason.or_else(|| told.text());
    // The event time may depend on the ingest time, the identity of the event may not.
    let dead_since_us = out.time(&line.timestamp, instant);
    let time_bytes = dead_since_us.unwrap_or(i64::MIN).to_be_bytes();
    let event_parts: [&[u8]; 3] = [id.as_bytes(), word.unwrap_or("").as_bytes(), &time_bytes];
    draft.event_parts = &event_parts;
    draft.vendor_status = word;
    draft.error_code = reason;
    draft.error_class = class(status, reason);
    let sent = [line.sent_at.clone(), member(request, "sent_at")];
    let sent = sent.iter().find(|sent| sent.is_present()).unwrap_or(&Scalar::Missing);
    draft.submit_time_us = out.time(sent, instant);
    draft.event_time_us = event_time(dead_since_us, draft.submit_time_us, out);
    draft.header_time_us = line.answer.date_us(out);
    let topics =
        [line.topic.clone(), header(request_headers, "apns-topic"), member(request, "topic")];
    draft.sender = topics.iter().find_map(Scalar::text);
    let [device_token, token] = members(request, ["device_token", "token"]);
    let tokens = [line.token.clone(), device_token, token, line.token_hash.clone()];
    let paths = [member(request, "path"), member(request, "url"), header(request_headers, ":path")];
    let token = tokens.iter().find_map(Scalar::text);
    draft.recipient = token.or_else(|| paths.iter().find_map(|path| device(path.text()?)));
    out.event(&draft);
    Ok(())
}

/// The token of `/3/device/TOKEN`; a broadcast's path ends in an app's name instead.
fn device(path: &str) -> Option<&str> {
    let (_, token) = path.split_once("/device/")?;
    token.split(['/', '?']).next().filter(|token| !token.is_empty())
}

/// The 410's time, where it can be this event's.
fn event_time(dead_since_us: Option<i64>, sent_us: Option<i64>, out: &Emitter<'_>) -> Option<i64> {
    let time = dead_since_us?;
    match (sent_us, out.origin.ingest_time_us) {
        (None, Some(ingest)) if time < ingest.saturating_sub(DAY_US) => None,
        _ => Some(time),
    }
}

fn outcome(status: i64, out: &mut Emitter<'_>) -> Outcome {
    match status {
        200 => Outcome::open(Status::Accepted),
        400 | 413 => Outcome::settled(Status::Rejected),
        403..=405 | 429 | 500..=599 => Outcome::settled(Status::Failed),
        410 => Outcome::settled(Status::Undelivered),
        _ => out.unknown_status(),
    }
}

fn class(status: i64, reason: Option<&str>) -> Option<ErrorClass> {
    Some(match (status, reason) {
        (200, _) => return None,
        (_, Some("BadDeviceToken" | "Unregistered" | "ExpiredToken")) | (410, _) => {
            ErrorClass::UnknownRecipient
        }
        (_, Some("DeviceTokenNotForTopic" | "TopicDisallowed" | "BadTopic")) | (403, _) => {
            ErrorClass::Configuration
        }
        (429, _) => ErrorClass::Throttled,
        (400 | 404 | 405 | 413, _) => ErrorClass::InvalidRequest,
        (500..=599, _) => ErrorClass::VendorInternal,
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developer.apple.com/documentation/usernotifications",
    variants: &[
        events(
            "answer, the sender's record",
            &["wrapped_accepted.json", "wrapped_unregistered.json", "wrapped_body_as_text.json"],
        ),
        events("answer with its status among the headers", &["status_in_headers.json"]),
        events("flat line", &["flat_lines.json"]),
        events("broadcast answer, the sender's record", &["broadcast.json"]),
    ],
    documented: &["push_type"],
};

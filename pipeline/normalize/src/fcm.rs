//! Firebase Cloud Messaging: answers of the HTTP v1 API, bare or wrapped by the sender, and rows of
//! the BigQuery export. <https://firebase.google.com/docs/cloud-messaging>
//!
//! | payload | canonical |
//! |---|---|
//! | `{name}` | accepted |
//! | error INVALID_ARGUMENT, SENDER_ID_MISMATCH | rejected, final |
//! | error UNREGISTERED | undelivered, final |
//! | error QUOTA_EXCEEDED, UNAVAILABLE, INTERNAL, THIRD_PARTY_AUTH_ERROR | failed, final |
//! | row MESSAGE_ACCEPTED, MESSAGE_DELIVERED | accepted; delivered, final |
//! | row MISSING_REGISTRATIONS, INVALID_…, MISMATCH_…, and their like | rejected, final |
//! | row QUOTA_EXCEEDED, MESSAGE_RECEIVED_INTERNAL_ERROR | failed, final |
//! | delivery data (daily percentages) | no delivery event: ignored |
//!
//! Traps: the answer names a message `projects/p/messages/ID`, the export only `ID`, so the id is
//! the last segment and the project is the account; an error answer has no id, so it is a dead
//! letter unless the sender's wrapper carries one (`request.message_id`, `request.id`,
//! `request.message.name`); the answer has no time but its `Date` header.

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::{Answer, each_document, member, part};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::normalizer::Record;

#[derive(Debug, Default)]
struct Document<'a> {
    answer: Answer<'a>,
    name: Scalar<'a>,
    error: Option<Failure<'a>>,
    event: Scalar<'a>,
    event_time: Scalar<'a>,
    message_id: Scalar<'a>,
    instance: Scalar<'a>,
    project: Scalar<'a>,
    app: Scalar<'a>,
    label: Scalar<'a>,
    is_aggregate: bool,
}

#[derive(Debug, Default)]
struct Failure<'a> {
    status: Scalar<'a>,
    code: Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    each_document(record.value, out, element)
}

fn document(text: &str) -> Result<Option<Document<'_>>, Syntax> {
    let mut document = Document::default();
    let is_object = Cursor::new(text).object_or_skip(|cursor, key| {
        let slot = match key {
            "name" => &mut document.name,
            "event" => &mut document.event,
            "event_timestamp" => &mut document.event_time,
            "message_id" => &mut document.message_id,
            "instance_id" => &mut document.instance,
            "project_number" => &mut document.project,
            "app_name" => &mut document.app,
            "analytics_label" => &mut document.label,
            "error" => {
                document.error = Some(failure(cursor)?);
                return Ok(());
            }
            "androidDeliveryData" => {
                document.is_aggregate = true;
                return cursor.skip();
            }
            _ if document.answer.field(cursor, key)? => return Ok(()),
            _ => return cursor.skip(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    Ok(is_object.then_some(document))
}

fn failure<'a>(cursor: &mut Cursor<'a>) -> Result<Failure<'a>, Syntax> {
    let mut failure = Failure::default();
    cursor.object_or_skip(|cursor, key| match key {
        "status" => {
            failure.status = cursor.scalar()?;
            Ok(())
        }
        "details" if cursor.kind() == Kind::Array => cursor.array(|cursor| {
            cursor.object_or_skip(|cursor, key| match key {
                "errorCode" => {
                    failure.code = cursor.scalar()?;
                    Ok(())
                }
                _ => cursor.skip(),
            })?;
            Ok(())
        }),
        _ => cursor.skip(),
    })?;
    Ok(failure)
}

fn element(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let unknown = || Dead::new(DeadReason::UnknownVariant, place.to_string());
    let document = document(text)?.ok_or_else(unknown)?;
    if document.is_aggregate {
        out.ignored("delivery_data");
        return Ok(());
    }
    if document.event.is_present() || document.event_time.is_present() {
        return row(&document, place, out);
    }
    if document.answer.body.is_some() || document.answer.status.is_present() {
        let body = document.answer.body_text();
        // A proxy's answer has an empty body or a page: then the HTTP status decides.
        let inner = self::document(&body).ok().flatten().unwrap_or_default();
        return answered(&inner, &document.answer, place, out);
    }
    if document.name.is_present() || document.error.is_some() {
        return answered(&document, &Answer::default(), place, out);
    }
    Err(unknown())
}

/// An answer of the send call.
fn answered(
    body: &Document<'_>,
    answer: &Answer<'_>,
    place: Place<'_>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let request = answer.request.unwrap_or("null");
    let message = part(request, "message").unwrap_or("null");
    let ids = [
        body.name.clone(),
        member(request, "message_id"),
        member(request, "id"),
        member(message, "name"),
    ];
    let missing = || Dead::new(DeadReason::MissingId, format!("{place}/name"));
    let name = ids.iter().find_map(Scalar::text).ok_or_else(missing)?;
    let word = match &body.error {
        Some(failure) => failure.code.text().or_else(|| failure.status.text()),
        None => None,
    };
    let http = answer.status.whole();
    let outcome = match (&body.error, word, http) {
        (None, _, None | Some(200)) if body.name.is_present() => Outcome::open(Status::Accepted),
        (_, Some(word), _) => error_outcome(word, out),
        (_, None, Some(status)) if status != 200 => http_outcome(status, out),
        _ => return Err(Dead::new(DeadReason::MissingStatus, format!("{place}/error"))),
    };
    let mut draft = Draft::new(last_segment(name), Channel::PushFcm, outcome);
    draft.account = project(name);
    draft.vendor_status = word.or_else(|| answer.status.text());
    draft.error_code = word;
    draft.error_class = word.and_then(class_of_word);
    draft.header_time_us = answer.date_us();
    let options = part(message, "fcm_options").or_else(|| part(message, "fcmOptions"));
    let options = options.unwrap_or("null");
    let labels = [member(options, "analytics_label"), member(options, "analyticsLabel")];
    draft.campaign = labels.iter().find_map(Scalar::text);
    let recipients = [member(message, "token"), member(message, "fid")];
    draft.recipient = recipients.iter().find_map(Scalar::text);
    out.event(&draft);
    Ok(())
}

/// A row of the BigQuery export.
fn row(document: &Document<'_>, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let missing = |reason, field| Dead::new(reason, format!("{place}/{field}"));
    let id = document.message_id.text();
    let id = id.ok_or_else(|| missing(DeadReason::MissingId, "message_id"))?;
    let word = document.event.text();
    let word = word.ok_or_else(|| missing(DeadReason::MissingStatus, "event"))?;
    let mut draft = Draft::new(last_segment(id), Channel::PushFcm, row_outcome(word, out));
    let time = out.time(&document.event_time, parse_rfc3339);
    let instance = out.text(&document.instance);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let event_parts: [&[u8]; 4] = [
        last_segment(id).as_bytes(),
        word.as_bytes(),
        &time_bytes,
        instance.unwrap_or("").as_bytes(),
    ];
    draft.event_parts = &event_parts;
    draft.account = out.text(&document.project);
    draft.vendor_status = Some(word);
    draft.error_code = (!word.starts_with("MESSAGE_") || word.ends_with("_ERROR")).then_some(word);
    draft.error_class = class_of_word(word);
    draft.event_time_us = time;
    draft.recipient = instance;
    draft.sender = out.text(&document.app);
    draft.campaign = out.text(&document.label);
    out.event(&draft);
    Ok(())
}

/// `ID` of `projects/p/messages/ID`.
fn last_segment(name: &str) -> &str {
    name.rsplit_once("/messages/").map_or(name, |(_, id)| id)
}

/// `p` of `projects/p/messages/ID`.
fn project(name: &str) -> Option<&str> {
    name.strip_prefix("projects/")?.split_once('/').map(|(project, _)| project)
}

fn error_outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match word {
        "INVALID_ARGUMENT" | "SENDER_ID_MISMATCH" | "PERMISSION_DENIED" => {
            Outcome::settled(Status::Rejected)
        }
        "UNREGISTERED" | "NOT_FOUND" => Outcome::settled(Status::Undelivered),
        "QUOTA_EXCEEDED"
        | "RESOURCE_EXHAUSTED"
        | "UNAVAILABLE"
        | "INTERNAL"
        | "THIRD_PARTY_AUTH_ERROR"
        | "UNAUTHENTICATED" => Outcome::settled(Status::Failed),
        "UNSPECIFIED_ERROR" => Outcome::open(Status::Unknown),
        _ => unknown(out),
    }
}

fn http_outcome(status: i64, out: &mut Emitter<'_>) -> Outcome {
    match status {
        400 | 403 => Outcome::settled(Status::Rejected),
        404 => Outcome::settled(Status::Undelivered),
        401 | 429 | 500..=599 => Outcome::settled(Status::Failed),
        _ => unknown(out),
    }
}

fn row_outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match word {
        "MESSAGE_ACCEPTED" => Outcome::open(Status::Accepted),
        "MESSAGE_DELIVERED" => Outcome::settled(Status::Delivered),
        "MISSING_REGISTRATIONS"
        | "INVALID_REGISTRATION"
        | "UNAUTHORIZED_REGISTRATION"
        | "MISMATCH_SENDER_ID"
        | "INVALID_PARAMETERS"
        | "INVALID_PACKAGE_NAME"
        | "INVALID_APNS_CREDENTIAL"
        | "PAYLOAD_TOO_LARGE"
        | "INVALID_TTL"
        | "AUTHENTICATION_ERROR" => Outcome::settled(Status::Rejected),
        "QUOTA_EXCEEDED" | "MESSAGE_RECEIVED_INTERNAL_ERROR" => Outcome::settled(Status::Failed),
        _ => unknown(out),
    }
}

fn unknown(out: &mut Emitter<'_>) -> Outcome {
    out.counters.unknown_statuses += 1;
    Outcome::open(Status::Unknown)
}

fn class_of_word(word: &str) -> Option<ErrorClass> {
    Some(match word {
        "UNREGISTERED" | "NOT_FOUND" | "MISSING_REGISTRATIONS" | "INVALID_REGISTRATION" => {
            ErrorClass::UnknownRecipient
        }
        "INVALID_ARGUMENT" | "INVALID_PARAMETERS" | "PAYLOAD_TOO_LARGE" | "INVALID_TTL" => {
            ErrorClass::InvalidRequest
        }
        "SENDER_ID_MISMATCH"
        | "MISMATCH_SENDER_ID"
        | "THIRD_PARTY_AUTH_ERROR"
        | "PERMISSION_DENIED"
        | "UNAUTHENTICATED"
        | "INVALID_PACKAGE_NAME"
        | "INVALID_APNS_CREDENTIAL"
        | "AUTHENTICATION_ERROR"
        | "UNAUTHORIZED_REGISTRATION" => ErrorClass::Configuration,
        "QUOTA_EXCEEDED" | "RESOURCE_EXHAUSTED" => ErrorClass::Throttled,
        "UNAVAILABLE" | "INTERNAL" | "MESSAGE_RECEIVED_INTERNAL_ERROR" => {
            ErrorClass::VendorInternal
        }
        _ => return None,
    })
}

//! Firebase Cloud Messaging: answers of the HTTP v1 API, bare or wrapped by the sender, and rows of
//! the BigQuery export. <https://firebase.google.com/docs/cloud-messaging>
//!
//! | payload | canonical |
//! |---|---|
//! | `{name}` | accepted |
//! | error INVALID_ARGUMENT, SENDER_ID_MISMATCH | rejected, final |
//! | error UNREGISTERED | undelivered, final |
//! | error QUOTA_EXCEEDED, UNAVAILABLE, INTERNAL, THIRD_PARTY_AUTH_ERROR | failed, final |
//! | error UNSPECIFIED_ERROR | unknown |
//! | row MESSAGE_ACCEPTED, MESSAGE_DELIVERED | accepted; delivered, final |
//! | row MISSING_REGISTRATIONS, INVALID_…, MISMATCH_…, and their like | rejected, final |
//! | row QUOTA_EXCEEDED, MESSAGE_RECEIVED_INTERNAL_ERROR | failed, final |
//! | delivery data (daily percentages) | no delivery event: ignored |
//!
//! Traps: the answer names a message `projects/p/messages/ID`, the export only `ID`, so the id is
//! the last segment and the project is the account; an error answer has no id, so it is a dead
//! letter unless the sender's wrapper carries one (`request.message_id`, `request.id`,
//! `request.message.name`), which may be a campaign's: the key then
//! holds the device, too; of its details only FcmError has the word that decides; the answer has
//! no time but its `Date` header; `fid` takes the place of `token`; the export's timestamps are
//! UTC, with and without saying so, and its `MESSAGE_DELIVERED` is the app's word.

use model::time::{MILLI_US, parse_local, parse_rfc3339};
use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::{Answer, each_document, instant};
use crate::catalogue::{Module, events, ignored};
use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::drift::Drift;
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::record::Record;
use crate::words;

#[derive(Debug, Default)]
struct Document<'a> {
    answer: Answer<'a>,
    request: Request<'a>,
    body: Body<'a>,
    event: Scalar<'a>,
    event_time: Scalar<'a>,
    message_id: Scalar<'a>,
    instance: Scalar<'a>,
    project: Scalar<'a>,
    app: Scalar<'a>,
    label: Scalar<'a>,
    sent_at: Scalar<'a>,
    /// Perhaps one of its entries, without the list.
    is_aggregate_entry: bool,
}

/// An answer's own fields, wrapped or not.
#[derive(Debug, Default)]
struct Body<'a> {
    name: Scalar<'a>,
    error: Option<Failure<'a>>,
    is_aggregate: bool,
}

impl<'a> Body<'a> {
    /// Takes one of its keys; false where the key is none of them.
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<bool, Syntax> {
        match key {
            "name" => self.name = cursor.scalar()?,
            "error" => self.error = Some(failure(cursor)?),
            "androidDeliveryData" => {
                self.is_aggregate = true;
                cursor.skip()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What a wrapped body is; nothing where it is no object.
    fn read(text: &'a str, drift: &'a Drift) -> Self {
        let mut body = Self::default();
        let read = Cursor::watched(text, drift).document_or_skip(|cursor, key| {
            if body.field(cursor, key)? { Ok(()) } else { cursor.other() }
        });
        if matches!(read, Ok(true)) { body } else { Self::default() }
    }
}

/// What a send call asked for, as the sender keeps it beside the answer.
#[derive(Debug, Default)]
struct Request<'a> {
    /// `message_id`, `id`, the message's `name`.
    ids: [Scalar<'a>; 3],
    /// `url`, `path`, `parent`.
    targets: [Scalar<'a>; 3],
    sent_at: Scalar<'a>,
    /// `token`, `fid`.
    recipients: [Scalar<'a>; 2],
    label: Scalar<'a>,
}

#[derive(Debug, Default)]
struct Failure<'a> {
    status: Scalar<'a>,
    /// HTTP status.
    http: Scalar<'a>,
    code: Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    each_document(record.value, out, element)
}

/// Reads a document; false where it is no object.
fn document<'a>(
    text: &'a str,
    document: &mut Document<'a>,
    drift: &'a Drift,
) -> Result<bool, Syntax> {
    Cursor::watched(text, drift).document_or_skip(|cursor, key| {
        let slot = match key {
            "event" => &mut document.event,
            "event_timestamp" => &mut document.event_time,
            "message_id" => &mut document.message_id,
            "instance_id" => &mut document.instance,
            "project_number" => &mut document.project,
            "app_name" => &mut document.app,
            "analytics_label" => &mut document.label,
            "sent_at" => &mut document.sent_at,
            "request" => return request(cursor, &mut document.request),
            "appId" => {
                document.is_aggregate_entry = true;
                return cursor.skip();
            }
            _ if document.answer.field(cursor, key)? => return Ok(()),
            _ if document.body.field(cursor, key)? => return Ok(()),
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })
}

fn request<'a>(cursor: &mut Cursor<'a>, request: &mut Request<'a>) -> Result<(), Syntax> {
    cursor.object_or_skip(|cursor, key| {
        let [message_id, id, _] = &mut request.ids;
        let [url, path, parent] = &mut request.targets;
        let slot = match key {
            "message_id" => message_id,
            "id" => id,
            "url" => url,
            "path" => path,
            "parent" => parent,
            "sent_at" => &mut request.sent_at,
            "token" => &mut request.recipients[0],
            "fid" => &mut request.recipients[1],
            "message" => return message(cursor, request),
            "body" if cursor.kind() == Kind::Object => return sent_body(cursor, request),
            // The body as it went out; what is no JSON tells nothing.
            "body" => {
                let text = cursor.scalar()?;
                let mut sent = Request::default();
                if sent_body(&mut Cursor::new(text.text().unwrap_or("")), &mut sent).is_ok() {
                    request.recipients = sent.recipients.each_ref().map(owned);
                    request.label = owned(&sent.label);
                }
                return Ok(());
            }
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    Ok(())
}

/// A text that outlives what it was read from.
fn owned<'a>(field: &Scalar<'_>) -> Scalar<'a> {
    field.text().map_or(Scalar::Missing, |text| Scalar::Text(text.to_owned().into()))
}

fn sent_body<'a>(cursor: &mut Cursor<'a>, request: &mut Request<'a>) -> Result<(), Syntax> {
    let read = |cursor: &mut Cursor<'a>, key: &str| match key {
        "message" => message(cursor, request),
        _ => cursor.other(),
    };
    cursor.object_or_skip(read).map(drop)
}

fn message<'a>(cursor: &mut Cursor<'a>, request: &mut Request<'a>) -> Result<(), Syntax> {
    cursor.object_or_skip(|cursor, key| {
        let [token, fid] = &mut request.recipients;
        let slot = match key {
            "name" => &mut request.ids[2],
            "token" => token,
            "fid" => fid,
            "fcm_options" | "fcmOptions" => {
                return cursor
                    .object_or_skip(|cursor, key| match key {
                        "analytics_label" | "analyticsLabel" => {
                            request.label = cursor.scalar()?;
                            Ok(())
                        }
                        _ => cursor.other(),
                    })
                    .map(|_| ());
            }
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    Ok(())
}

fn failure<'a>(cursor: &mut Cursor<'a>) -> Result<Failure<'a>, Syntax> {
    let mut failure = Failure::default();
    cursor.object_or_skip(|cursor, key| match key {
        "status" => {
            failure.status = cursor.scalar()?;
            Ok(())
        }
        "code" => {
            failure.http = cursor.scalar()?;
            Ok(())
        }
        "details" if cursor.kind() == Kind::Array => {
            cursor.array(|cursor| detail(cursor, &mut failure))
        }
        _ => cursor.other(),
    })?;
    Ok(failure)
}

/// Of the details FCM's own has the word that decides.
fn detail<'a>(cursor: &mut Cursor<'a>, failure: &mut Failure<'a>) -> Result<(), Syntax> {
    let (mut kind, mut code) = (Scalar::Missing, Scalar::Missing);
    cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "@type" => &mut kind,
            "errorCode" => &mut code,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    let is_fcms = kind.text().is_none_or(|kind| kind.ends_with("FcmError"));
    if is_fcms && code.is_present() {
        failure.code = code;
    }
    Ok(())
}

fn element(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let unknown = || Dead::new(DeadReason::UnknownVariant, place.to_string());
    let mut document = Document::default();
    if !self::document(text, &mut document, out.drift)? {
        return Err(unknown());
    }
    if document.body.is_aggregate {
        out.ignored("delivery_data");
        return Ok(());
    }
    if document.event.is_present() || document.event_time.is_present() {
        return row(&document, place, out);
    }
    if document.answer.body.is_some() || document.answer.http_status().is_present() {
        let text = document.answer.body_text();
        // A proxy's answer has an empty body or a page: then the HTTP status decides.
        let body = Body::read(&text, out.drift);
        if body.is_aggregate {
            out.ignored("delivery_data");
            return Ok(());
        }
        let Document { answer, request, sent_at: at, .. } = &document;
        return answered(&Sent { body: &body, answer, request, at }, place, out);
    }
    if document.body.name.is_present() || document.body.error.is_some() {
        let (answer, request) = (&Answer::default(), &document.request);
        let sent = Sent { body: &document.body, answer, request, at: &document.sent_at };
        return answered(&sent, place, out);
    }
    if document.is_aggregate_entry {
        out.ignored("delivery_data");
        return Ok(());
    }
    Err(unknown())
}

/// A send call: its answer's body, what surrounds it, and the sender's own time.
#[derive(Debug)]
struct Sent<'a, 'd> {
    body: &'d Body<'a>,
    answer: &'d Answer<'a>,
    request: &'d Request<'a>,
    at: &'d Scalar<'a>,
}

/// An answer of the send call.
fn answered(sent: &Sent<'_, '_>, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let Sent { body, answer, request, at } = *sent;
    let missing = || Dead::new(DeadReason::MissingId, format!("{place}/name"));
    let name = body.name.text().or_else(|| request.ids.iter().find_map(Scalar::text));
    let name = name.filter(|name| !last_segment(name).is_empty()).ok_or_else(missing)?;
    let word = body.error.as_ref();
    let word = word.and_then(|failure| failure.code.text().or_else(|| failure.status.text()));
    let mut told = answer.http_status();
    if let (false, Some(failure)) = (told.is_present(), &body.error) {
        told = failure.http.clone();
    }
    let outcome = answer_outcome(body, word, told.whole(), out);
    let outcome =
        outcome.ok_or_else(|| Dead::new(DeadReason::MissingStatus, format!("{place}/error")))?;
    let mut draft = Draft::new(last_segment(name), Channel::PushFcm, outcome);
    let asked = || request.targets.iter().find_map(|target| project(target.text()?));
    draft.account = project(name).or_else(asked);
    draft.vendor_status = word.or_else(|| told.text());
    draft.error_code = word;
    draft.error_class = match (word, told.whole()) {
        (Some(word), status) if known_error(word).is_none() => class_of_word(word)
            .or_else(|| status.filter(|status| *status >= 500).and_then(class_of_http)),
        (Some(word), _) => class_of_word(word),
        (None, Some(status)) => class_of_http(status),
        (None, None) => None,
    };
    draft.header_time_us = answer.date_us(out);
    let sent = if at.is_present() { at } else { &request.sent_at };
    draft.submit_time_us = out.time(sent, instant);
    draft.campaign = out.text(&request.label);
    draft.logical_id = request.ids.iter().take(2).find_map(Scalar::text);
    draft.recipient = request.recipients.iter().find_map(Scalar::text);
    // Of a refusal only the sender's own id is known, which may be that of a whole campaign.
    if body.name.text().is_none() {
        draft.key_part = draft.recipient.unwrap_or("");
    }
    out.event(&draft);
    Ok(())
}

/// What an answer means; `None` where it does not tell.
fn answer_outcome(
    body: &Body<'_>,
    word: Option<&str>,
    told: Option<i64>,
    out: &mut Emitter<'_>,
) -> Option<Outcome> {
    if let Some(word) = word {
        // A server's failure is one, whatever word it finds for it.
        let is_servers = told.is_some_and(|status| (500..600).contains(&status));
        let told = known_error(word).or(is_servers.then_some(Outcome::settled(Status::Failed)));
        return Some(told.unwrap_or_else(|| unknown(out)));
    }
    match (told, &body.error) {
        (None | Some(200), None) => {
            body.name.is_present().then_some(Outcome::open(Status::Accepted))
        }
        (None | Some(200), Some(_)) => None,
        (Some(status), _) => Some(http_outcome(status, out)),
    }
}

/// A row of the BigQuery export.
fn row(document: &Document<'_>, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let missing = |reason, field| Dead::new(reason, format!("{place}/{field}"));
    let id = document.message_id.text().filter(|id| !last_segment(id).is_empty());
    let id = id.ok_or_else(|| missing(DeadReason::MissingId, "message_id"))?;
    let word = document.event.text();
    let word = word.ok_or_else(|| missing(DeadReason::MissingStatus, "event"))?;
    let outcome = row_outcome(word, out);
    let mut draft = Draft::new(last_segment(id), Channel::PushFcm, outcome);
    let time = out.time(&document.event_time, export_time);
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
    let is_failure = matches!(outcome.0, Status::Rejected | Status::Failed);
    draft.error_code = is_failure.then_some(word);
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
    words::cut_last(name, "/messages/").map_or(name, |(_, id)| id)
}

/// `p` of `projects/p/messages/ID`, and of the address `…/v1/projects/p/messages:send`.
fn project(name: &str) -> Option<&str> {
    let (before, rest) = words::cut(name, "projects/")?;
    let is_segment = before.is_empty() || before.ends_with('/');
    let project = rest.split('/').next().filter(|_| is_segment)?;
    (!project.is_empty()).then_some(project)
}

/// A TIMESTAMP as BigQuery's tools export it: with `UTC` or a zone, with none (it is UTC), or as
/// seconds since 1970, whole or with a fraction; longer numbers are milli- or microseconds.
pub(crate) fn export_time(text: &str) -> Option<i64> {
    /// Years 1973 and beyond: below it a number counts seconds or milliseconds.
    const MICROS_MIN: i64 = 100_000_000_000_000;
    if let Some(time) = parse_rfc3339(text).or_else(|| parse_local(text)) {
        return Some(time);
    }
    match text.parse::<i64>() {
        Ok(number) if number >= MICROS_MIN => {
            date::unix_millis(number / MILLI_US).map(|time| time + number % MILLI_US)
        }
        Ok(_) => instant(text),
        Err(_) => date::unix_decimal(text),
    }
}

fn known_error(word: &str) -> Option<Outcome> {
    Some(match word {
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
        _ => return None,
    })
}

fn http_outcome(status: i64, out: &mut Emitter<'_>) -> Outcome {
    match status {
        400 | 403 => Outcome::settled(Status::Rejected),
        404 => Outcome::settled(Status::Undelivered),
        401 | 429 | 500..=599 => Outcome::settled(Status::Failed),
        _ => unknown(out),
    }
}

fn class_of_http(status: i64) -> Option<ErrorClass> {
    Some(match status {
        400 => ErrorClass::InvalidRequest,
        401 | 403 => ErrorClass::Configuration,
        404 => ErrorClass::UnknownRecipient,
        429 => ErrorClass::Throttled,
        500..=599 => ErrorClass::VendorInternal,
        _ => return None,
    })
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
    out.unknown_status()
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

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://firebase.google.com/docs/cloud-messaging",
    variants: &[
        events("answer of a send, JSON", &["send_answer.json"]),
        events(
            "answer, the sender's record",
            &["wrapped_answer.json", "wrapped_errors.json", "wrapped_variants.json"],
        ),
        events("row of the BigQuery export, JSON", &["export_rows.json", "export_errors.json"]),
        ignored("aggregated delivery data, JSON", &["delivery_data.json"]),
    ],
    documented: &[
        "@type",
        "bulk_id",
        "collapse_key",
        "condition",
        "data",
        "fieldViolations",
        "headers",
        "message",
        "message_type",
        "method",
        "notification",
        "priority",
        "reason",
        "sdk_platform",
        "statusCode",
        "topic",
        "ttl",
        "validate_only",
    ],
};

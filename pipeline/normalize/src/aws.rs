//! What Amazon's event destinations wrap around an event, and what its three SMS services share.
//!
//! ```text
//! SNS         {"Type":"Notification","Message":"<text>"}, to Lambda {"Records":[{"Sns":{…}}]}
//! SQS         {"Records":[{"body":"<text>"}]} or {"Body":"<text>"}
//! EventBridge {"detail-type":…,"detail":{…}}
//! CloudWatch  {"logEvents":[{"id":…,"message":"<text>"}]}, {"awslogs":{"data":…}}
//! Kinesis     {"Records":[{"kinesis":{"data":"<base64>"}}]}
//! Firehose    {"recordId":…,"data":"<base64>"}
//! log line    2026-11-20T12:00:00.000Z {…}
//! file        events one behind the other, with or without a line feed between
//! ```
//!
//! Each may hold another; bare events and arrays of them are read as well. CloudWatch compresses
//! what it sends to a subscription (gzip): each log event has an id and numbers, so real batches
//! shrink to a tenth; how much a record may unpack to says [`crate::unpack`].

mod envelope;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::vocabulary::{DeadReason, ErrorClass, Status};

use crate::answer::members_of;
use crate::draft::{Dead, Outcome};
use crate::drift::Drift;
use crate::emit::Emitter;
use crate::gzip::{self, Unpack};
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::List;
use crate::record::VALUE_BYTES_MAX;
use crate::unpack;

pub(crate) use self::envelope::ENVELOPE_FIELDS;
use self::envelope::{Envelope, field, is_event_key};

/// Deepest nesting of envelopes: log line in SNS in SQS is three.
const DEPTH_MAX: usize = 8;
/// What gzip begins with, and how base64 spells it.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const GZIP_BASE64: &str = "H4sI";

/// Where an event stands in its envelopes, spelled only for a dead letter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trail<'a> {
    up: Option<&'a Self>,
    step: &'a str,
    at: Option<usize>,
}

impl Trail<'_> {
    fn depth(&self) -> usize {
        1 + self.up.map_or(0, Trail::depth)
    }
}

impl std::fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(up) = self.up {
            up.fmt(f)?;
        }
        f.write_str(self.step)?;
        match self.at {
            Some(at) => write!(f, "/{at}"),
            None => Ok(()),
        }
    }
}

/// An event out of its envelopes; its text is one JSON object.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unwrapped<'a> {
    pub(crate) text: &'a str,
    /// Account that an envelope names.
    pub(crate) account: Option<&'a str>,
    /// Id of the log event that holds it.
    pub(crate) log_event: Option<&'a str>,
    pub(crate) trail: Trail<'a>,
}

impl Unwrapped<'_> {
    /// A dead letter at one of its fields.
    pub(crate) fn dead(&self, reason: DeadReason, field: &str) -> Dead {
        Dead::new(reason, format!("{}/{field}", self.trail))
    }
}

/// Reads one event.
pub(crate) type ReadEvent<'r> =
    dyn FnMut(&Unwrapped<'_>, &mut Emitter<'_>) -> Result<(), Dead> + 'r;

/// Takes a record out of its envelopes and hands each event to `read`; an error of one costs that
/// one only.
pub(crate) fn each_event(
    text: &str,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    let item = Unwrapped { text, ..Unwrapped::default() };
    let key = Cursor::new(text).first_key();
    if key.is_some_and(is_event_key) {
        // Most records are an event as it is: read once, and as an envelope only where that fails.
        match read(&item, out) {
            Err(dead) if dead.reason == DeadReason::Syntax => {}
            done => return done,
        }
    }
    unwrap(item, out, read)
}

fn unwrap(
    item: Unwrapped<'_>,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    let text = without_log_time(item.text.trim_ascii());
    if item.trail.depth() > DEPTH_MAX {
        return Err(Dead::new(DeadReason::Envelope, item.trail.to_string()));
    }
    if text.starts_with(GZIP_BASE64) {
        return decode(Unwrapped { text, ..item }, out, read);
    }
    let mut cursor = Cursor::new(text);
    match cursor.kind() {
        Kind::Array => return list(Unwrapped { text, ..item }, "", out, read),
        Kind::Object => {}
        Kind::Scalar => return Err(syntax(&item, Syntax { at: 0 })),
    }
    let mut envelope = Envelope::default();
    cursor.object(|cursor, key| field(cursor, key, &mut envelope)).map_err(|e| syntax(&item, e))?;
    if cursor.end().is_err() {
        return documents(Unwrapped { text, ..item }, out, read);
    }
    open(Unwrapped { text, ..item }, &envelope, out, read)
}

fn syntax(item: &Unwrapped<'_>, syntax: Syntax) -> Dead {
    let dead = Dead::from(syntax);
    match item.trail.up {
        None => dead,
        Some(_) => Dead::new(dead.reason, format!("{}: {}", item.trail, dead.detail)),
    }
}

/// Bytes of a gzip file.
fn unpack(item: &Unwrapped<'_>, bytes: &[u8], out: &mut Emitter<'_>) -> Result<Vec<u8>, Dead> {
    let place = item.trail.to_string();
    let place = if place.is_empty() { "/" } else { place.as_str() };
    let left = out.unpack_left;
    let unpacked = gzip::unpack(bytes, left.min(VALUE_BYTES_MAX)).map_err(|why| match why {
        Unpack::Damaged => Dead::new(DeadReason::BadEncoding, format!("{place}: gzip")),
        Unpack::TooLarge => {
            let dead = unpack::too_large(left);
            Dead { detail: format!("{place}: {}", dead.detail), ..dead }
        }
    })?;
    out.unpacked(unpacked.len());
    Ok(unpacked)
}

/// A line of a log export begins with its time.
fn without_log_time(text: &str) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return text;
    }
    match text.split_once([' ', '\t']) {
        Some((_, rest)) if rest.trim_ascii_start().starts_with('{') => rest.trim_ascii_start(),
        _ => text,
    }
}

/// Opens what an object turns out to be.
fn open(
    item: Unwrapped<'_>,
    envelope: &Envelope<'_>,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    if envelope.is_event {
        return read(&item, out);
    }
    if envelope.is_one() {
        envelope.others.tell(&item.trail, out);
    }
    let account = out.text(&envelope.account).or_else(|| topic_account(&envelope.topic));
    let item = Unwrapped { account: account.or(item.account), ..item };
    let inner = |step, text| Unwrapped {
        text,
        trail: Trail { up: Some(&item.trail), step, at: None },
        ..item
    };
    if let Some(sns) = envelope.sns {
        return unwrap(inner("/Sns", sns), out, read);
    }
    if let Some(records) = envelope.records {
        return list(Unwrapped { text: records, ..item }, "/Records", out, read);
    }
    if let Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") = envelope.kind.text() {
        out.ignored("handshake");
        return Ok(());
    }
    if let Some(message) = envelope.sns_message {
        return unwrap_text(inner("/Message", message), out, read);
    }
    if let Some(detail) = envelope.detail {
        return unwrap_text(inner("/detail", detail), out, read);
    }
    let data = match (envelope.awslogs, envelope.kinesis) {
        (Some(logs), _) => Some(("/awslogs/data", only_data(logs, out.drift))),
        (_, Some(stream)) => Some(("/kinesis/data", only_data(stream, out.drift))),
        _ => envelope.data.is_present().then(|| ("/data", envelope.data.clone())),
    };
    if let Some((step, data)) = data {
        return decode(inner(step, data.text().unwrap_or("")), out, read);
    }
    if let Some("CONTROL_MESSAGE") = envelope.message_type.text() {
        out.ignored("control");
        return Ok(());
    }
    if let Some(events) = envelope.log_events {
        return list(Unwrapped { text: events, ..item }, "/logEvents", out, read);
    }
    if let Scalar::Text(message) = &envelope.log_message {
        let event = Unwrapped { log_event: envelope.id.text(), ..inner("/message", message) };
        return unwrap(event, out, read);
    }
    if let Scalar::Text(body) = &envelope.body {
        return unwrap(inner("/body", body), out, read);
    }
    read(&item, out)
}

fn only_data<'a>(text: &'a str, drift: &'a Drift) -> Scalar<'a> {
    let [data] = members_of(Cursor::watched(text, drift), ["data"]);
    data
}

/// The account in a topic's name: `arn:aws:sns:<region>:<account>:<topic>`.
fn topic_account<'t>(topic: &'t Scalar<'_>) -> Option<&'t str> {
    topic.text()?.split(':').nth(4).filter(|account| !account.is_empty())
}

/// A JSON string that holds the text, or the text itself.
fn unwrap_text(
    item: Unwrapped<'_>,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    match Cursor::new(item.text).scalar() {
        Ok(Scalar::Text(text)) => unwrap(Unwrapped { text: &text, ..item }, out, read),
        _ => unwrap(item, out, read),
    }
}

fn decode(
    item: Unwrapped<'_>,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    let undecodable = || Dead::new(DeadReason::BadEncoding, item.trail.to_string());
    let mut bytes = STANDARD.decode(item.text.as_bytes()).map_err(|_| undecodable())?;
    if bytes.starts_with(&GZIP) {
        bytes = unpack(&item, &bytes, out)?;
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| undecodable())?;
    unwrap(Unwrapped { text, ..item }, out, read)
}

/// Each element of an array; nothing is handed on before the array is read whole.
fn list(
    item: Unwrapped<'_>,
    step: &str,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    let mut elements = List::default();
    let mut cursor = Cursor::new(item.text);
    let array = elements.read(&mut cursor, Cursor::raw);
    array.and_then(|()| cursor.end()).map_err(|error| syntax(&item, error))?;
    each(item, step, &elements, out, read);
    Ok(())
}

/// Documents that stand one behind the other.
fn documents(
    item: Unwrapped<'_>,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) -> Result<(), Dead> {
    let mut elements = List::default();
    let mut cursor = Cursor::new(item.text);
    let whole = elements.read_sequence(&mut cursor, Cursor::raw);
    whole.map_err(|error| syntax(&item, error))?;
    each(item, "", &elements, out, read);
    Ok(())
}

fn each(
    item: Unwrapped<'_>,
    step: &str,
    elements: &List<'_, &str>,
    out: &mut Emitter<'_>,
    read: &mut ReadEvent<'_>,
) {
    if elements.len() == 0 {
        out.ignored("empty");
    }
    elements.each(Cursor::raw, |at, text| {
        let trail = Trail { up: Some(&item.trail), step, at: Some(at) };
        let result = match text.as_bytes().first() {
            Some(b'{' | b'[') => unwrap(Unwrapped { text, trail, ..item }, out, read),
            _ => Err(Dead::new(DeadReason::UnknownVariant, trail.to_string())),
        };
        if let Err(dead) = result {
            out.dead(dead);
        }
    });
}

/// What a `messageStatus`, `record_status` or the end of an `eventType` says, and why it failed.
///
/// SUCCESSFUL is the carrier's acceptance, for want of a receipt: sent, not delivered.
pub(crate) fn status(word: &str) -> Option<(Outcome, Option<ErrorClass>)> {
    let failed = |status, class| (Outcome::settled(status), Some(class));
    Some(match word {
        "QUEUED" => (Outcome::open(Status::Queued), None),
        "PENDING" => (Outcome::open(Status::Accepted), None),
        "SENT" | "SUCCESSFUL" | "FALLEN_BACK_TO_SMS" | "INITIATED" | "RINGING" | "ANSWERED" => {
            (Outcome::open(Status::Sent), None)
        }
        "DELIVERED" | "COMPLETED" => (Outcome::settled(Status::Delivered), None),
        "READ" => (Outcome::settled(Status::Read), None),
        "INVALID" => failed(Status::Rejected, ErrorClass::UnknownRecipient),
        "INVALID_MESSAGE" => failed(Status::Rejected, ErrorClass::InvalidRequest),
        "UNREACHABLE" | "CARRIER_UNREACHABLE" | "UNDELIVERABLE" | "BUSY" | "NO_ANSWER" => {
            failed(Status::Undelivered, ErrorClass::Unreachable)
        }
        "BLOCKED" | "CARRIER_BLOCKED" | "PROTECT_BLOCKED" => {
            failed(Status::Rejected, ErrorClass::Blocked)
        }
        "SPAM" => failed(Status::Rejected, ErrorClass::Spam),
        "REJECTED" => (Outcome::settled(Status::Rejected), None),
        "TTL_EXPIRED" | "TTL_EXPIRATION_REVOKED" => failed(Status::Expired, ErrorClass::Expired),
        "TTL_EXPIRATION_REVOKE_FAILED" => {
            (Outcome::open(Status::Expired), Some(ErrorClass::Expired))
        }
        "UNKNOWN" => (Outcome::settled(Status::Unknown), None),
        "FAILED" => (Outcome::settled(Status::Failed), None),
        "FILE_INACCESSIBLE"
        | "FILE_TYPE_UNSUPPORTED"
        | "FILE_SIZE_EXCEEDED"
        | "TYPE_UNSUPPORTED"
        | "SIZE_EXCEEDED" => failed(Status::Rejected, ErrorClass::InvalidRequest),
        _ => return None,
    })
}

/// Rows of a CSV export that tells costs: a Cost and Usage Report, or SNS's usage report.
pub(crate) fn billing_rows(text: &str) -> Option<usize> {
    const HEADINGS: [&str; 4] = ["line_item_", "lineItem/", "PublishTimeUTC", "BilledCost"];
    if text.starts_with(['{', '[']) {
        return None;
    }
    let mut lines = text.lines();
    let heading = lines.next()?;
    let is_known = HEADINGS.iter().any(|name| heading.contains(name)) && heading.contains(',');
    is_known.then(|| lines.filter(|line| !line.trim().is_empty()).count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_lines_time_is_no_part_of_its_event() {
        assert_eq!(without_log_time("2026-11-20T12:00:00.000Z {\"a\":1}"), "{\"a\":1}");
        assert_eq!(without_log_time("1795176000000\t{}"), "{}");
        for same in ["{}", "2026 x {}", "7", ""] {
            assert_eq!(without_log_time(same), same);
        }
    }

    #[test]
    fn failures_have_the_class_of_their_word() {
        let class = |word| status(word).and_then(|(_, class)| class);
        for (word, expected) in [
            ("INVALID", Some(ErrorClass::UnknownRecipient)),
            ("INVALID_MESSAGE", Some(ErrorClass::InvalidRequest)),
            ("CARRIER_UNREACHABLE", Some(ErrorClass::Unreachable)),
            ("PROTECT_BLOCKED", Some(ErrorClass::Blocked)),
            ("SPAM", Some(ErrorClass::Spam)),
            ("TTL_EXPIRED", Some(ErrorClass::Expired)),
            ("FILE_SIZE_EXCEEDED", Some(ErrorClass::InvalidRequest)),
            ("UNKNOWN", None),
            ("DELIVERED", None),
        ] {
            assert_eq!(class(word), expected, "{word}");
        }
        assert_eq!(status("ALL"), None, "wildcards are filters, never payload values");
    }

    #[test]
    fn rows_of_cost_exports_are_counted_without_the_heading() {
        assert_eq!(billing_rows("PublishTimeUTC,MessageId\na,b\n\nc,d\n"), Some(2));
        assert_eq!(billing_rows("identity_line_item_id,bill_type\n"), Some(1));
        assert_eq!(billing_rows("{\"PublishTimeUTC,\":1}"), None);
        assert_eq!(billing_rows("a,b\n"), None);
    }
}

//! Sinch Conversation: one message over several channels, one callback a channel's event.
//!
//! | `message_delivery_report.status` | canonical |
//! |---|---|
//! | QUEUED_ON_CHANNEL | sent |
//! | DELIVERED, READ | delivered, read; final |
//! | FAILED | failed, final |
//! | SWITCHING_CHANNEL | failed on this channel, not final: another one is tried |
//! | – `message_submit_notification` | accepted: handed to a channel before any receipt |
//!
//! Traps: the message id is one over all channels, so the key holds no channel but the event's id
//! does; which of the triggers a callback is, its keys tell; a `reason` may stand on a success;
//! numbers have no plus sign; an identity may be a user id; an app's webhooks (up to five) each
//! tell an event, which is one by its own words. The report without its envelope is
//! accepted. Of the other triggers (inbound, contacts, opt-ins, …) none is a delivery: ignored.

use model::time::parse_rfc3339;
use model::vocabulary::{DeadReason, Status};

use crate::draft::{Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::words::{self, Folded};

use super::errors;

/// A callback's envelope and what it holds.
#[derive(Debug, Default)]
pub(super) struct Callback<'a> {
    app: Scalar<'a>,
    project: Scalar<'a>,
    event_time: Scalar<'a>,
    accepted_time: Scalar<'a>,
    metadata: Scalar<'a>,
    correlation: Scalar<'a>,
    delivery: Option<Message<'a>>,
    submit: Option<Message<'a>>,
    /// A report without an envelope; its `status` may be an SMS report's.
    pub(super) bare: Message<'a>,
    /// Kind of a trigger that is no delivery.
    other: Option<&'static str>,
}

/// `message_delivery_report`, or a submitted message.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    id: Scalar<'a>,
    pub(super) status: Scalar<'a>,
    channel: Scalar<'a>,
    identity: Scalar<'a>,
    contact: Scalar<'a>,
    metadata: Scalar<'a>,
    reason: Scalar<'a>,
    /// Fields whose value was no object where one belongs.
    unreadable: u64,
    is_damaged: bool,
}

impl Callback<'_> {
    /// Whether this is a callback of the Conversation API, by its keys.
    pub(super) const fn is_told(&self) -> bool {
        self.delivery.is_some() || self.submit.is_some() || self.other.is_some()
    }
}

/// Takes a key of the envelope, or of a report without one.
pub(super) fn field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    callback: &mut Callback<'a>,
) -> Result<(), Syntax> {
    let slot = match key {
        "app_id" => &mut callback.app,
        "project_id" => &mut callback.project,
        "event_time" => &mut callback.event_time,
        "accepted_time" => &mut callback.accepted_time,
        "message_metadata" => &mut callback.metadata,
        "correlation_id" => &mut callback.correlation,
        "message_delivery_report" => {
            callback.delivery = message(cursor)?;
            return Ok(());
        }
        "message_submit_notification" => {
            callback.submit = message(cursor)?;
            return Ok(());
        }
        "message" => return other(cursor, "inbound", callback),
        "event" => return other(cursor, "inbound_event", callback),
        "event_delivery_report" => return other(cursor, "event_delivery", callback),
        "message_redaction" | "unsupported_callback" => {
            return other(cursor, "other_event", callback);
        }
        _ if key.ends_with("_notification") => return other(cursor, "other_event", callback),
        _ => return message_field(cursor, key, &mut callback.bare),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn other(
    cursor: &mut Cursor<'_>,
    kind: &'static str,
    callback: &mut Callback<'_>,
) -> Result<(), Syntax> {
    if !cursor.is_null() {
        callback.other = Some(kind);
    }
    cursor.skip()
}

fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Message<'a>>, Syntax> {
    if cursor.is_null() {
        cursor.skip()?;
        return Ok(None);
    }
    let mut message = Message::default();
    let is_object = cursor.object_or_skip(|cursor, key| match key {
        // Some notifications hold the message one level deeper.
        "submitted_message" => {
            let read =
                |cursor: &mut Cursor<'a>, key: &str| message_field(cursor, key, &mut message);
            cursor.object_or_skip(read).map(drop)
        }
        _ => message_field(cursor, key, &mut message),
    })?;
    message.is_damaged = !is_object;
    Ok(Some(message))
}

fn message_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    message: &mut Message<'a>,
) -> Result<(), Syntax> {
    match key {
        "message_id" => message.id = cursor.scalar()?,
        "status" => message.status = cursor.scalar()?,
        "contact_id" => message.contact = cursor.scalar()?,
        "metadata" => message.metadata = cursor.scalar()?,
        "channel_identity" => {
            let is_null = cursor.is_null();
            let is_object = cursor.object_or_skip(|cursor, key| {
                match key {
                    "channel" => message.channel = cursor.scalar()?,
                    "identity" => message.identity = cursor.scalar()?,
                    _ => cursor.other()?,
                }
                Ok(())
            })?;
            message.unreadable += u64::from(!is_object && !is_null);
        }
        "reason" => {
            let is_null = cursor.is_null();
            let is_object = cursor.object_or_skip(|cursor, key| {
                if key != "code" {
                    return cursor.other();
                }
                message.reason = cursor.scalar()?;
                Ok(())
            })?;
            message.unreadable += u64::from(!is_object && !is_null);
        }
        _ => cursor.other()?,
    }
    Ok(())
}

/// Emits a callback that [`Callback::is_told`].
pub(super) fn emit(callback: &Callback<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if let Some(report) = &callback.delivery {
        emit_delivery(callback, report, format_args!("{place}/message_delivery_report"), out);
    } else if let Some(message) = &callback.submit {
        emit_submit(callback, message, place, out);
    } else {
        out.ignored(callback.other.unwrap_or("other_event"));
    }
}

/// Emits a delivery report without its envelope.
pub(super) fn emit_bare(callback: &Callback<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let bare = &callback.bare;
    let is_report = bare.id.is_present() && bare.status.is_present() || bare.channel.is_present();
    if !is_report {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    emit_delivery(callback, bare, format_args!("{place}"), out);
}

fn emit_delivery(
    callback: &Callback<'_>,
    report: &Message<'_>,
    path: std::fmt::Arguments<'_>,
    out: &mut Emitter<'_>,
) {
    if report.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, path.to_string());
    }
    let Some(id) = report.id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{path}/message_id"));
    };
    let Some(word) = report.status.text() else {
        return out.dead_at(DeadReason::MissingStatus, format!("{path}/status"));
    };
    let time = event_time(callback, out);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let channel = report.channel.text().unwrap_or("");
    let event_parts: [&[u8]; 4] = [id.as_bytes(), channel.as_bytes(), word.as_bytes(), &time_bytes];
    let mut draft = draft(callback, report, id, outcome(word, out), out);
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(word);
    draft.event_time_us = time;
    draft.error_code = out.text(&report.reason);
    draft.error_class = draft.error_code.and_then(errors::class_of_reason);
    out.event(&draft);
}

fn emit_submit(
    callback: &Callback<'_>,
    message: &Message<'_>,
    place: Place<'_>,
    out: &mut Emitter<'_>,
) {
    let path = "message_submit_notification";
    if message.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, format!("{place}/{path}"));
    }
    let Some(id) = message.id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/{path}/message_id"));
    };
    let time = event_time(callback, out);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let channel = message.channel.text().unwrap_or("");
    let event_parts: [&[u8]; 4] = [id.as_bytes(), channel.as_bytes(), path.as_bytes(), &time_bytes];
    let mut draft = draft(callback, message, id, Outcome::open(Status::Accepted), out);
    draft.event_parts = &event_parts;
    draft.vendor_status = Some("MESSAGE_SUBMIT");
    draft.event_time_us = time;
    draft.submit_time_us = time;
    out.event(&draft);
}

fn event_time(callback: &Callback<'_>, out: &mut Emitter<'_>) -> Option<i64> {
    let time = out.time(&callback.event_time, parse_rfc3339);
    time.or_else(|| out.time(&callback.accepted_time, parse_rfc3339))
}

fn draft<'c>(
    callback: &'c Callback<'_>,
    message: &'c Message<'_>,
    id: &'c str,
    outcome: Outcome,
    out: &mut Emitter<'_>,
) -> Draft<'c> {
    out.counters.unreadable_fields += message.unreadable;
    let channel = words::channel(out.text(&message.channel).unwrap_or(""));
    let mut draft = Draft::new(id, channel, outcome);
    draft.account = out.text(&callback.project).or_else(|| callback.app.text());
    let reference = out.text(&callback.correlation);
    let reference = reference.or_else(|| out.text(&message.metadata));
    draft.logical_id = reference.or_else(|| out.text(&callback.metadata));
    draft.recipient = out.text(&message.identity).or_else(|| message.contact.text());
    draft
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "queued_on_channel" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" => Outcome::settled(Status::Read),
        "failed" => Outcome::settled(Status::Failed),
        "switching_channel" => Outcome::open(Status::Failed),
        _ => out.unknown_status(),
    }
}

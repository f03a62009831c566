//! Kaleyra: status callbacks of WhatsApp messages (GET query, also a form or flat JSON).
//! <https://developers.kaleyra.io>
//!
//! | `status` | canonical |
//! |---|---|
//! | sent | sent |
//! | delivered, read | the same, final |
//! | 0, failed | failed, final |
//!
//! Traps: a callback is a GET without a body and holds an id and a status, nothing else: no time,
//! no recipient, no error; a failure is the digit 0; the id goes on behind a colon (`…:0`) and is
//! kept whole; inbound messages come by GET as well, with `from` and `body`.

use model::vocabulary::{Channel, DeadReason, Status};

use crate::draft::{Dead, Draft, Outcome};
use crate::emit::Emitter;
use crate::explain::Explanation;
use crate::json::{Cursor, Kind, Scalar};
use crate::normalizer::{Record, Scratch};
use crate::words::Folded;

#[derive(Debug, Default)]
struct Callback<'a> {
    id: Scalar<'a>,
    status: Scalar<'a>,
    is_inbound: bool,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let value = record.value.trim_ascii();
    let query = if value.is_empty() { record.query().unwrap_or("") } else { value };
    if Cursor::new(query).kind() != Kind::Scalar {
        let mut callback = Callback::default();
        let mut cursor = Cursor::new(record.value);
        cursor.object(|cursor, key| {
            if let Some(slot) = slot(&mut callback, key) {
                *slot = cursor.scalar()?;
                return Ok(());
            }
            cursor.skip()
        })?;
        cursor.end()?;
        emit(&callback, out);
        return Ok(());
    }
    if !value.is_empty() && (value.starts_with('"') || !value.contains('=')) {
        return Err(Dead::new(DeadReason::Syntax, "byte 0"));
    }
    scratch.form.read(query);
    let mut callback = Callback::default();
    for (name, value) in scratch.form.scalars() {
        let slot = slot(&mut callback, std::str::from_utf8(name).unwrap_or(""));
        // Of a repeated name the first value stands.
        if let Some(slot) = slot.filter(|slot| !slot.is_present()) {
            *slot = value;
        }
    }
    emit(&callback, out);
    Ok(())
}

/// Place of a field; names of inbound messages are noted.
fn slot<'c, 'a>(callback: &'c mut Callback<'a>, name: &str) -> Option<&'c mut Scalar<'a>> {
    match name {
        "id" => Some(&mut callback.id),
        "status" => Some(&mut callback.status),
        "body" | "media_url" => {
            callback.is_inbound = true;
            None
        }
        _ => None,
    }
}

fn emit(callback: &Callback<'_>, out: &mut Emitter<'_>) {
    match (callback.id.text(), callback.status.text()) {
        (_, None) if callback.is_inbound => out.ignored("inbound"),
        (None, None) => out.dead_at(DeadReason::UnknownVariant, "/id"),
        (None, Some(_)) => out.dead_at(DeadReason::MissingId, "/id"),
        (Some(_), None) => out.dead_at(DeadReason::MissingStatus, "/status"),
        (Some(id), Some(word)) => {
            let mut draft = Draft::new(id, Channel::Whatsapp, outcome(word, out));
            draft.vendor_status = Some(word);
            out.event(&draft);
        }
    }
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "sent" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" => Outcome::settled(Status::Read),
        "0" | "failed" => Outcome::settled(Status::Failed),
        _ => out.unknown_status(),
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("event_id", "id and status"),
    ("message_id", "id"),
    ("channel", "whatsapp"),
    ("status", "status"),
    ("vendor_status", "status"),
    ("event_time", "the ingest time: the callback tells none"),
];

/// Where the columns of a payload come from; `None` where no variant is recognised.
pub(crate) fn explain(text: &str) -> Option<Explanation> {
    let is_callback = text.is_empty() || text.contains("id") && text.contains("status");
    is_callback.then_some(Explanation { variant: "status callback", columns: COLUMNS })
}

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

use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Outcome};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar};
use crate::record::{Record, Scratch};
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
        let mut cursor = Cursor::watched(record.value, out.drift);
        cursor.object(|cursor, key| {
            let Some(slot) = slot(&mut callback, key) else { return cursor.other() };
            *slot = cursor.scalar()?;
            Ok(())
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
        let name = std::str::from_utf8(name).unwrap_or("");
        match slot(&mut callback, name) {
            // Of a repeated name the first value stands.
            Some(slot) if !slot.is_present() => *slot = value,
            Some(_) => {}
            None => out.drift.other("", name),
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

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developers.kaleyra.io",
    variants: &[
        events(
            "status callback, GET",
            &["status_delivered.record.json", "status_read.record.json"],
        ),
        events("status callback, form", &["form.txt"]),
        events("status callback, JSON", &["flat.json"]),
        ignored("inbound message, GET", &["inbound.record.json"]),
    ],
    documented: &["body", "created_at", "from", "name", "type"],
};

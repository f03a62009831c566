//! Vonage Messages API: status callbacks of v1 and of v0.1.
//!
//! Traps: counts are texts; `error.title` holds the code as text and v0.1 has a number in
//! `error.code`; v0.1 writes `to` and `from` as objects, whose `type` is the channel; an error may
//! stand on a message that was submitted; SMS and MMS have their price on `submitted`, the others
//! when delivered; Meta's pricing category is the traffic class.

use model::time::parse_rfc3339;
use model::vocabulary::{DeadReason, PriceUnit};

use crate::draft::{Draft, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::words;

use super::{Item, errors, outcome, set_network};

/// Fields that only a status callback has.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    error_title: Scalar<'a>,
    error_type: Scalar<'a>,
    error_code: Scalar<'a>,
    parts: Scalar<'a>,
    category: Scalar<'a>,
    origin: Scalar<'a>,
}

/// Takes one of the callback's objects.
pub(super) fn field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    item: &mut Item<'a>,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, inner| {
        let extra = &mut item.status_extra;
        let slot = match (key, inner) {
            ("error", "title") => &mut extra.error_title,
            ("error", "type") => &mut extra.error_type,
            ("error", "code") => &mut extra.error_code,
            ("usage", "price") => &mut item.price,
            ("usage", "currency") => &mut item.currency,
            ("destination", "network_code") => &mut item.network,
            ("sms", "count_total") => &mut extra.parts,
            ("whatsapp", "pricing") => return inner_text(cursor, "category", &mut extra.category),
            ("whatsapp", "conversation") => {
                return cursor
                    .object_or_skip(|cursor, key| match key {
                        "origin" => inner_text(cursor, "type", &mut extra.origin),
                        _ => cursor.other(),
                    })
                    .map(drop);
            }
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    item.unreadable += u64::from(!is_object);
    Ok(())
}

fn inner_text<'a>(
    cursor: &mut Cursor<'a>,
    wanted: &str,
    into: &mut Scalar<'a>,
) -> Result<(), Syntax> {
    let read = |cursor: &mut Cursor<'a>, key: &str| {
        if key != wanted {
            return cursor.other();
        }
        *into = cursor.scalar()?;
        Ok(())
    };
    cursor.object_or_skip(read).map(drop)
}

/// Emits a status callback.
pub(super) fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let Some(id) = item.uuid.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/message_uuid"));
    };
    let Some(word) = item.status.text() else {
        return out.dead_at(DeadReason::MissingStatus, format!("{place}/status"));
    };
    out.counters.unreadable_fields += item.unreadable;
    let extra = &item.status_extra;
    let channel = out.text(&item.channel).or_else(|| item.to.kind.text());
    let channel = words::channel(channel.unwrap_or(""));
    let time = out.time(&item.timestamp, parse_rfc3339);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let event_parts: [&[u8]; 3] = [id.as_bytes(), word.as_bytes(), &time_bytes];
    let mut draft = Draft::new(id, channel, outcome(word, out));
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(word);
    draft.error_code = error_code(extra, out).filter(|code| !words::is_no_error(code));
    draft.error_class = draft.error_code.and_then(errors::class_of_status);
    draft.event_time_us = time;
    draft.logical_id = out.text(&item.client_ref);
    draft.recipient = out.text(&item.to.number);
    draft.sender = out.text(&item.from.number);
    let category = out.text(&extra.category).or_else(|| extra.origin.text());
    draft.traffic_class = words::meta_category(category.unwrap_or(""));
    draft.segments = out.segments(&extra.parts);
    set_network(&mut draft, &item.network, out);
    draft.price = out.price(&item.price);
    draft.price_unit = PriceUnit::Message;
    draft.currency = out.text(&item.currency).filter(|_| draft.price.is_some());
    out.event(&draft);
}

/// The title where it is a code, else what the type's address ends with, else the title's words.
fn error_code<'i>(extra: &'i Extra<'_>, out: &mut Emitter<'_>) -> Option<&'i str> {
    let is_code = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let title = out.text(&extra.error_title);
    let by_type = || {
        let (_, code) = extra.error_type.text()?.rsplit_once('#')?;
        Some(code).filter(is_code)
    };
    let told = title.filter(is_code).or_else(|| out.text(&extra.error_code));
    told.or_else(by_type).or(title)
}

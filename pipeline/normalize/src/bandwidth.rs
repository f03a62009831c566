//! Bandwidth: v2 webhooks (an array), international delivery reports (one object a part) and rows
//! of `GET /messages`. <https://dev.bandwidth.com/docs/messaging/webhooks>
//!
//! | v2 `type` | canonical |
//! |---|---|
//! | message-sending | queued |
//! | message-sent | sent |
//! | message-delivered | delivered, final; "Message delivered to carrier" sent |
//! | message-failed | failed, final; codes 9902, 9999 unknown, 4720–4775 undelivered |
//! | message-read | read, final (RBM) |
//! | message-received | inbound: ignored |
//!
//! | international `event` | canonical |
//! |---|---|
//! | `SENT_TO_SMSC`, BUFFERED | sent |
//! | DELIVERED, UNDELIVERED, REJECTED | the same, final |
//!
//! | `messageStatus` of a row | canonical |
//! |---|---|
//! | ACCEPTED | accepted |
//! | QUEUED, SENDING | queued |
//! | SENT, DELIVERED, UNDELIVERED, FAILED | as above |
//! | RECEIVED | inbound: ignored |
//!
//! Traps: a group message has one id and an event for each `to`, which is part of the key; an MMS
//! may be "delivered" to the carrier only; 9902 is billable and no proof that nothing arrived;
//! `message.time` is when the message was created, `eventTime` when it was read; an international
//! report tells no time and no recipient, comes once a part (`partNum` is part of the key, so each
//! is one segment), and tells the end of a message's validity as UNDELIVERED; callbacks come at
//! least once, for a day; `carrierName` may be `other`. There is no price.
//!
//! Channel: `message.channel`, else media or more than one recipient mean MMS, else SMS.

mod errors;

use std::borrow::Cow;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, Status};

use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::mask;
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// Of the three variants, whichever it is.
#[derive(Debug, Default)]
struct Item<'a> {
    /// `type`, `event` or `messageStatus`.
    word: Scalar<'a>,
    variant: Variant,
    /// `message.id`, `msgId` or `messageId`.
    id: Scalar<'a>,
    to: Scalar<'a>,
    from: Scalar<'a>,
    account: Scalar<'a>,
    time: Scalar<'a>,
    event_time: Scalar<'a>,
    created: Scalar<'a>,
    description: Scalar<'a>,
    code: Scalar<'a>,
    carrier: Scalar<'a>,
    direction: Scalar<'a>,
    channel: Scalar<'a>,
    segments: Scalar<'a>,
    part: Scalar<'a>,
    tag: Scalar<'a>,
    campaign: Scalar<'a>,
    recipients: usize,
    /// Before the list of them, which was read once.
    group: Option<Cursor<'a>>,
    /// The first of them.
    member: Scalar<'a>,
    has_media: bool,
    is_damaged: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Variant {
    #[default]
    Webhook,
    International,
    Row,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(record.value, out.drift);
    let mut list: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    if cursor.kind() == Kind::Array {
        below(&mut list, "").read(&mut cursor, item)?;
    } else {
        cursor.object(|cursor, key| match key {
            "messages" if cursor.kind() == Kind::Array => {
                below(&mut list, "/messages").read(cursor, item)
            }
            _ => field(cursor, key, &mut single),
        })?;
    }
    cursor.end()?;
    emit_each(&list, &single, out, item, emit);
    Ok(())
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Syntax> {
    object(cursor, field, |item: &mut Item<'_>| item.is_damaged = true)
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "message" => {
            cursor.object_or_skip(|cursor, key| message_field(cursor, key, item))?;
            return Ok(());
        }
        "event" | "msgId" => {
            item.variant = Variant::International;
            if key == "event" { &mut item.word } else { &mut item.id }
        }
        "messageStatus" | "messageId" => {
            item.variant = Variant::Row;
            if key == "messageId" { &mut item.id } else { &mut item.word }
        }
        "type" => &mut item.word,
        "to" | "destinationTn" => &mut item.to,
        "sourceTn" => &mut item.from,
        "accountId" | "accountName" => &mut item.account,
        "time" => &mut item.time,
        "eventTime" => &mut item.event_time,
        "receiveTime" => &mut item.created,
        "description" => &mut item.description,
        "errorCode" => &mut item.code,
        "carrierName" => &mut item.carrier,
        "messageDirection" => &mut item.direction,
        "messageType" => &mut item.channel,
        "segmentCount" => &mut item.segments,
        "partNum" => &mut item.part,
        "campaignId" => &mut item.campaign,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn message_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    item: &mut Item<'a>,
) -> Result<(), Syntax> {
    let slot = match key {
        "to" if cursor.kind() == Kind::Array => {
            item.group = Some(*cursor);
            return cursor.array(|cursor| {
                item.recipients += 1;
                match item.recipients {
                    1 => item.member = cursor.scalar()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            });
        }
        "media" if cursor.kind() == Kind::Array => {
            return cursor.array(|cursor| {
                item.has_media = true;
                cursor.skip()
            });
        }
        "id" => &mut item.id,
        "time" => &mut item.created,
        "from" => &mut item.from,
        "direction" => &mut item.direction,
        "channel" => &mut item.channel,
        "segmentCount" => &mut item.segments,
        "tag" => &mut item.tag,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if item.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    let [id_path, word_path] = match item.variant {
        Variant::Webhook => ["message/id", "type"],
        Variant::International => ["msgId", "event"],
        Variant::Row => ["messageId", "messageStatus"],
    };
    let word = item.word.text();
    if is_inbound(item) {
        return out.ignored("inbound");
    }
    let has_own_type = word.is_some_and(|word| word.starts_with("message-"));
    match (item.id.text(), word) {
        (None, None) => out.dead_at(DeadReason::UnknownVariant, format!("{place}/{word_path}")),
        // Bandwidth's other products have types of their own.
        (None, Some(_)) if item.variant == Variant::Webhook && !has_own_type => {
            out.dead_at(DeadReason::UnknownVariant, format!("{place}/type"));
        }
        (None, Some(_)) => out.dead_at(DeadReason::MissingId, format!("{place}/{id_path}")),
        (Some(_), None) => out.dead_at(DeadReason::MissingStatus, format!("{place}/{word_path}")),
        // All of a group share one id: it would be taken for another's.
        _ if item.recipients > 1 && item.to.text().is_none() => {
            out.dead_at(DeadReason::MissingId, format!("{place}/to"));
        }
        (Some(id), Some(word)) => event(item, (id, word), out),
    }
}

fn is_inbound(item: &Item<'_>) -> bool {
    let direction = Folded::new(item.direction.text().unwrap_or(""));
    matches!(direction.as_str(), "in" | "inbound")
        || matches!(
            Folded::new(item.word.text().unwrap_or("")).as_str(),
            // RBM: what a user taps or where the user is.
            "message-received" | "received" | "request-location-response" | "suggestion-response"
        )
}

fn event(item: &Item<'_>, (id, word): (&str, &str), out: &mut Emitter<'_>) {
    let code = out.text(&item.code).filter(|code| !words::is_no_error(code));
    let outcome = match item.variant {
        Variant::Webhook => webhook_outcome(item, word, code, out),
        Variant::International => international_outcome(word, out),
        Variant::Row => row_outcome(word, code, out),
    };
    let is_international = item.variant == Variant::International;
    let mut draft = Draft::new(id, channel(item, out), outcome);
    let to = out.text(&item.to).or_else(|| item.member.text());
    draft.key_part = match out.text(&item.part) {
        Some(part) if is_international => part,
        _ => to.unwrap_or("").trim_start_matches('+'),
    };
    let time = out.time(&item.time, parse_rfc3339);
    let read_time = out.time(&item.event_time, parse_rfc3339);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let event_parts: [&[u8]; 5] = [
        id.as_bytes(),
        draft.key_part.as_bytes(),
        word.as_bytes(),
        code.filter(|_| item.variant != Variant::Webhook).unwrap_or("").as_bytes(),
        &time_bytes,
    ];
    draft.event_parts = &event_parts;
    draft.event_time_us = match outcome.0 {
        Status::Read => read_time.or(time),
        _ => time.or(read_time),
    };
    draft.submit_time_us = out.time(&item.created, parse_rfc3339);
    draft.vendor_status = Some(word);
    draft.error_code = code;
    let class = if is_international { errors::international_class } else { errors::class };
    draft.error_class = code.and_then(class);
    draft.account = out.text(&item.account);
    draft.recipient = to;
    draft.sender = out.text(&item.from);
    draft.carrier = out.text(&item.carrier);
    let tag = out.text(&item.tag).map(|tag| without_group(tag, item, draft.channel, out));
    draft.logical_id = tag.as_deref();
    draft.campaign = out.text(&item.campaign);
    draft.segments = if is_international { Some(1) } else { out.segments(&item.segments) };
    out.event(&draft);
}

/// What the sender writes to a message, without the numbers of the group that it goes to.
fn without_group<'t>(
    tag: &'t str,
    item: &Item<'_>,
    channel: Channel,
    out: &mut Emitter<'_>,
) -> Cow<'t, str> {
    let Some(mut group) = item.group.filter(|_| item.recipients > 1) else {
        return Cow::Borrowed(tag);
    };
    let numbers = |hand_on: &mut dyn FnMut(&str)| {
        let read = group.array(|cursor| {
            hand_on(cursor.scalar()?.text().unwrap_or(""));
            Ok(())
        });
        debug_assert!(read.is_ok(), "the list was read before");
    };
    mask::without_numbers(tag, channel, numbers, out)
}

fn channel(item: &Item<'_>, out: &mut Emitter<'_>) -> Channel {
    let told = out.text(&item.channel);
    match told.map(|word| if word.eq_ignore_ascii_case("RBM") { "rcs" } else { word }) {
        Some(word) => words::channel(word),
        None if item.has_media || item.recipients > 1 => Channel::Mms,
        None => Channel::Sms,
    }
}

fn webhook_outcome(
    item: &Item<'_>,
    word: &str,
    code: Option<&str>,
    out: &mut Emitter<'_>,
) -> Outcome {
    match Folded::new(word).as_str() {
        "message-sending" => Outcome::open(Status::Queued),
        "message-sent" => Outcome::open(Status::Sent),
        "message-delivered" if is_carriers_word(item, out) => Outcome::open(Status::Sent),
        "message-delivered" => Outcome::settled(Status::Delivered),
        "message-failed" => Outcome::settled(errors::failure(code)),
        "message-read" => Outcome::settled(Status::Read),
        _ => unknown(out),
    }
}

/// Delivered to the carrier is not delivered to the handset.
fn is_carriers_word(item: &Item<'_>, out: &mut Emitter<'_>) -> bool {
    let description = out.text(&item.description).unwrap_or("").trim_end_matches('.');
    description.trim().eq_ignore_ascii_case("Message delivered to carrier")
}

fn international_outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "sent_to_smsc" | "buffered" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "undelivered" => Outcome::settled(Status::Undelivered),
        "rejected" => Outcome::settled(Status::Rejected),
        _ => unknown(out),
    }
}

fn row_outcome(word: &str, code: Option<&str>, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "accepted" => Outcome::open(Status::Accepted),
        "queued" | "sending" => Outcome::open(Status::Queued),
        "sent" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "undelivered" => Outcome::settled(Status::Undelivered),
        "failed" => Outcome::settled(errors::failure(code)),
        _ => unknown(out),
    }
}

fn unknown(out: &mut Emitter<'_>) -> Outcome {
    out.unknown_status()
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://dev.bandwidth.com/docs/messaging/webhooks",
    variants: &[
        events(
            "v2 webhook, JSON",
            &["sending_and_delivered.json", "failures.json", "group_message.json"],
        ),
        events("RBM webhook, JSON", &["rbm_read.json"]),
        events(
            "international delivery report, JSON",
            &["international_delivered.json", "international_expired.json"],
        ),
        events("rows of GET /messages, JSON", &["message_rows.json"]),
        ignored("inbound message, JSON", &["inbound.json"]),
    ],
    documented: &[
        "applicationId",
        "attachmentCount",
        "campaignClass",
        "errorMessage",
        "messageLength",
        "messageSize",
        "numParts",
        "owner",
        "pageInfo",
        "priority",
        "recipientCount",
        "text",
        "totalCount",
    ],
};

//! Sinch: SMS and MMS delivery reports (a batch's, a recipient's, lists of them) and the
//! Conversation API's callbacks.
//! <https://developers.sinch.com/docs/sms/api-reference/sms/tag/Delivery-reports/>,
//! <https://developers.sinch.com/docs/conversation/callbacks>
//!
//! | SMS, MMS `status` | canonical |
//! |---|---|
//! | Queued | queued |
//! | Dispatched | sent (may be skipped) |
//! | Delivered | delivered, final |
//! | Aborted, Rejected | rejected, final |
//! | Cancelled | canceled, final |
//! | Deleted, Failed | undelivered, final |
//! | Expired | expired, final |
//! | Unknown | unknown, final |
//!
//! Conversation: see [`conversation`].
//!
//! Traps: an SMS has no id of its own but `batch_id` and its recipient, whom some reports write
//! with a plus sign and some without, so the key holds the number without it; a batch report has
//! no time, fans out over `statuses[].recipients[]` and is known by the hash of its statuses (one
//! who stands in two groups, by each one's code); a
//! summary names no recipient at all (ignored); words stand in title case on the wire and in upper
//! case in a client library; codes below 400 are the carrier's own and have no class here;
//! `operator` is MCC and MNC or a name; statuses before the end come only where they were asked for
//! (`per_recipient`). No callback has a price; where the parts are not told, `billing_units` (on
//! request, MessageMedia) stand in.
//!
//! Channel: the last word of `type` (`…_sms`, `…_mms`; a new one may address no numbers), without
//! one SMS. Inbound messages (`mo_…`)
//! are ignored.

mod conversation;
mod errors;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, Status};
use sha2::{Digest, Sha256};

use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Elements, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::mask;
use crate::network::split_network;
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// A list of more recipients than this has at least so many bytes a recipient, which is a number of
/// seven digits: of `1,1,1,…` each would be an event, and a record take longer than it may.
const RECIPIENTS_ANY: usize = 256;
const RECIPIENT_BYTES_MIN: usize = 8;

/// A delivery report of any kind, or a Conversation callback.
#[derive(Debug, Default)]
struct Item<'a> {
    kind: Scalar<'a>,
    batch_id: Scalar<'a>,
    recipient: Scalar<'a>,
    code: Scalar<'a>,
    at: Scalar<'a>,
    operator_at: Scalar<'a>,
    operator: Scalar<'a>,
    originator: Scalar<'a>,
    parts: Scalar<'a>,
    units: Scalar<'a>,
    reference: Scalar<'a>,
    groups: Option<Elements<Group<'a>>>,
    /// Its bare message holds the `status` of an SMS report too.
    conversation: conversation::Callback<'a>,
    is_damaged: bool,
}

/// Recipients of a batch that share a status.
#[derive(Debug, Default)]
struct Group<'a> {
    code: Scalar<'a>,
    status: Scalar<'a>,
    count: Scalar<'a>,
    recipients: Recipients<'a>,
    is_damaged: bool,
}

#[derive(Debug, Default)]
enum Recipients<'a> {
    /// A summary.
    #[default]
    None,
    NoList,
    /// A cursor before the list, which was read once.
    List(Cursor<'a>),
}

impl Group<'_> {
    /// Each recipient's text; an empty one where there is none.
    fn each_recipient(&self, mut each: impl FnMut(&str)) {
        if let Recipients::List(mut list) = self.recipients {
            let read = list.array(|cursor| {
                each(cursor.scalar()?.text().unwrap_or(""));
                Ok(())
            });
            debug_assert!(read.is_ok(), "the list was read before");
        }
    }
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
        let is_object = cursor.object_or_skip(|cursor, key| match key {
            "delivery_reports" if cursor.kind() == Kind::Array => {
                below(&mut list, "/delivery_reports").read(cursor, item)
            }
            _ => field(cursor, key, &mut single),
        })?;
        single.is_damaged = !is_object;
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
        "type" => &mut item.kind,
        "batch_id" => &mut item.batch_id,
        "recipient" => &mut item.recipient,
        "code" => &mut item.code,
        "at" => &mut item.at,
        "operator_status_at" => &mut item.operator_at,
        "operator" => &mut item.operator,
        "applied_originator" => &mut item.originator,
        "number_of_message_parts" => &mut item.parts,
        "billing_units" => &mut item.units,
        "client_reference" => &mut item.reference,
        "statuses" if cursor.kind() == Kind::Array => {
            item.groups = Some(groups(cursor)?);
            return Ok(());
        }
        _ => return conversation::field(cursor, key, &mut item.conversation),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn groups<'a>(cursor: &mut Cursor<'a>) -> Result<Elements<Group<'a>>, Syntax> {
    let mut groups = Elements::default();
    cursor.array(|cursor| {
        let mut group = Group::default();
        let is_object = cursor.object_or_skip(|cursor, key| {
            match key {
                "code" => group.code = cursor.scalar()?,
                "status" => group.status = cursor.scalar()?,
                "count" => group.count = cursor.scalar()?,
                "recipients" => group.recipients = recipients(cursor)?,
                _ => cursor.other()?,
            }
            Ok(())
        })?;
        group.is_damaged = !is_object;
        groups.hold(group, cursor)
    })?;
    Ok(groups)
}

fn recipients<'a>(cursor: &mut Cursor<'a>) -> Result<Recipients<'a>, Syntax> {
    if cursor.is_null() {
        cursor.skip()?;
        return Ok(Recipients::None);
    }
    if cursor.kind() != Kind::Array {
        cursor.skip()?;
        return Ok(Recipients::NoList);
    }
    let (before, mut count) = (*cursor, 0);
    cursor.array(|cursor| {
        count += 1;
        cursor.scalar().map(drop)
    })?;
    if count > RECIPIENTS_ANY && count * RECIPIENT_BYTES_MIN > cursor.at() - before.at() {
        return cursor.fail();
    }
    Ok(if count == 0 { Recipients::None } else { Recipients::List(before) })
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    const BATCH: &str = "delivery_report_";
    const RECIPIENT: &str = "recipient_delivery_report_";
    let kind = out.text(&item.kind).unwrap_or("");
    let is_recipients = item.batch_id.is_present() || kind.starts_with(RECIPIENT);
    if item.is_damaged {
        out.dead_at(DeadReason::UnknownVariant, place.to_string());
    } else if item.conversation.is_told() {
        conversation::emit(&item.conversation, place, out);
    } else if kind.starts_with("mo_") {
        out.ignored("inbound");
    } else if let (Some(groups), Some(channel)) = (&item.groups, channel(kind, BATCH)) {
        emit_batch(item, groups, channel, place, out);
    } else if kind.starts_with(BATCH) {
        out.dead_at(DeadReason::UnknownVariant, format!("{place}/statuses"));
    } else if let (true, Some(channel)) = (is_recipients, channel(kind, RECIPIENT)) {
        emit_recipient(item, channel, place, out);
    } else if item.batch_id.is_present() {
        out.dead_at(DeadReason::UnknownVariant, format!("{place}/type"));
    } else {
        conversation::emit_bare(&item.conversation, place, out);
    }
}

/// Numbers are written with and without a plus sign.
fn bare_number(recipient: &str) -> &str {
    recipient.strip_prefix('+').unwrap_or(recipient)
}

/// The channel that a type ends with, an SMS's without a type; none of another family.
fn channel(kind: &str, family: &str) -> Option<Channel> {
    if kind.is_empty() {
        return Some(Channel::Sms);
    }
    kind.strip_prefix(family).map(words::channel)
}

fn emit_recipient(item: &Item<'_>, channel: Channel, place: Place<'_>, out: &mut Emitter<'_>) {
    let Some(batch_id) = item.batch_id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/batch_id"));
    };
    let Some(recipient) = item.recipient.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/recipient"));
    };
    let Some(word) = item.conversation.bare.status.text() else {
        return out.dead_at(DeadReason::MissingStatus, format!("{place}/status"));
    };
    let code = out.text(&item.code);
    let time = out.time(&item.at, parse_rfc3339);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let event_parts: [&[u8]; 4] = [
        batch_id.as_bytes(),
        bare_number(recipient).as_bytes(),
        code.unwrap_or(word).as_bytes(),
        &time_bytes,
    ];
    let mut draft = Draft::new(batch_id, channel, outcome(word, out));
    draft.key_part = bare_number(recipient);
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(word);
    (draft.error_code, draft.error_class) = errors::of_code(code);
    draft.event_time_us = time.or_else(|| out.time(&item.operator_at, parse_rfc3339));
    draft.recipient = Some(recipient);
    draft.sender = out.text(&item.originator);
    draft.logical_id = out.text(&item.reference);
    let parts = if item.parts.is_present() { &item.parts } else { &item.units };
    draft.segments = out.segments(parts);
    let operator = out.text(&item.operator);
    (draft.mcc, draft.mnc) = operator.and_then(split_network).unzip();
    draft.carrier = operator.filter(|text| text.bytes().any(|byte| !byte.is_ascii_digit()));
    out.event(&draft);
}

fn emit_batch(
    item: &Item<'_>,
    groups: &Elements<Group<'_>>,
    channel: Channel,
    place: Place<'_>,
    out: &mut Emitter<'_>,
) {
    let Some(batch_id) = item.batch_id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/batch_id"));
    };
    if groups.len() == 0 {
        return out.ignored("empty");
    }
    let digest = digest(groups);
    let reference = out.text(&item.reference).map(|text| {
        mask::without_numbers(text, channel, |hand_on| everybody(groups, hand_on), out)
    });
    for (at, group) in groups.iter().enumerate() {
        let path = |rest: &str| format!("{place}/statuses/{at}{rest}");
        if group.is_damaged {
            out.dead_at(DeadReason::UnknownVariant, path(""));
            continue;
        }
        let mut list = match group.recipients {
            Recipients::None => {
                out.ignored("summary");
                continue;
            }
            Recipients::NoList => {
                out.dead_at(DeadReason::UnknownVariant, path("/recipients"));
                continue;
            }
            Recipients::List(before) => before,
        };
        let mut index = 0;
        let read = list.array(|cursor| {
            match (cursor.scalar()?.text(), group.status.text()) {
                (None, _) => {
                    out.dead_at(DeadReason::MissingId, path(&format!("/recipients/{index}")));
                }
                (Some(_), None) => out.dead_at(DeadReason::MissingStatus, path("/status")),
                (Some(recipient), Some(word)) => {
                    let logical_id = reference.as_deref();
                    let digest = &digest;
                    let member = Member { batch_id, logical_id, channel, recipient, word, digest };
                    emit_member(group, &member, out);
                }
            }
            index += 1;
            Ok(())
        });
        debug_assert!(read.is_ok(), "the list was read before");
    }
}

/// One recipient of a batch report.
struct Member<'m> {
    batch_id: &'m str,
    logical_id: Option<&'m str>,
    channel: Channel,
    recipient: &'m str,
    word: &'m str,
    digest: &'m [u8; 32],
}

fn emit_member(group: &Group<'_>, member: &Member<'_>, out: &mut Emitter<'_>) {
    let number = bare_number(member.recipient);
    let code = out.text(&group.code);
    let event_parts: [&[u8]; 4] = [
        member.batch_id.as_bytes(),
        member.digest,
        number.as_bytes(),
        // Somebody may stand in two groups.
        code.unwrap_or(member.word).as_bytes(),
    ];
    let mut draft = Draft::new(member.batch_id, member.channel, outcome(member.word, out));
    draft.key_part = number;
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(member.word);
    (draft.error_code, draft.error_class) = errors::of_code(code);
    draft.recipient = Some(member.recipient);
    draft.logical_id = member.logical_id;
    out.event(&draft);
}

/// Hash of a batch's statuses by their values: a report spelled anew is the same report.
fn digest(groups: &Elements<Group<'_>>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        hasher.update(text.len().to_be_bytes());
        hasher.update(text);
    };
    for group in groups.iter() {
        for scalar in [&group.code, &group.status, &group.count] {
            add(scalar.text().unwrap_or(""));
        }
        group.each_recipient(|recipient| add(bare_number(recipient)));
    }
    hasher.finalize().into()
}

/// Hands on everybody whom a batch names.
fn everybody(groups: &Elements<Group<'_>>, hand_on: &mut dyn FnMut(&str)) {
    for group in groups.iter() {
        group.each_recipient(&mut *hand_on);
    }
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "queued" => Outcome::open(Status::Queued),
        "dispatched" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "aborted" | "rejected" => Outcome::settled(Status::Rejected),
        "cancelled" | "canceled" => Outcome::settled(Status::Canceled),
        "deleted" | "failed" => Outcome::settled(Status::Undelivered),
        "expired" => Outcome::settled(Status::Expired),
        "unknown" => Outcome::settled(Status::Unknown),
        _ => out.unknown_status(),
    }
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developers.sinch.com/docs/sms/api-reference/sms/tag/Delivery-reports/",
    variants: &[
        events(
            "recipient delivery report, JSON",
            &["recipient_delivered.json", "recipient_mms.json"],
        ),
        events("list of recipient reports, JSON", &["recipient_statuses.json"]),
        events("batch delivery report with recipients, JSON", &["batch_full.json"]),
        ignored("batch delivery report of counts, JSON", &["batch_summary.json"]),
        events(
            "Conversation API delivery report, JSON",
            &[
                "conversation_delivered.json",
                "conversation_statuses.json",
                "conversation_bare.json",
            ],
        ),
        events(
            "Conversation API submit, JSON",
            &["conversation_submit.json", "conversation_submit_flat.json"],
        ),
    ],
    documented: &[
        "app_id",
        "billing_units",
        "body",
        "channel",
        "channel_code",
        "conversation_id",
        "count",
        "description",
        "encoding",
        "from",
        "id",
        "page",
        "page_size",
        "processing_mode",
        "sub_code",
        "text_message",
        "total_message_count",
    ],
};

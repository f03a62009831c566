//! WhatsApp Cloud API: `statuses` of webhooks in their envelope, or without it from any depth: an
//! entry, a change, a value, a list of statuses, one status.
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks>
//!
//! | `status` | canonical |
//! |---|---|
//! | sent | sent |
//! | delivered | delivered, final (not sent where the chat was open: only `read` comes) |
//! | read, played | read, final |
//! | failed | final: 132000–132016 (templates) rejected, 131026 undelivered, else failed |
//! | deleted, warning, anything else | unknown |
//! | any of a call (`type` or the change says so) or of a payment | ignored |
//!
//! Traps: an event is its message's id and status, for it has no id of its own; a failure may come
//! seconds after `sent`; ids are base64 around the recipient's number (see `emit`); `recipient_id`
//! has no `+` and is empty for users with a name, whom `recipient_user_id` names; in groups the
//! participant (by number, else by user id) is the recipient and one id has an event each, so that
//! one got nothing says nothing of the message's charge; `timestamp` is text of seconds;
//! there is no amount, pricing only names a category (`meta_pricing`); BSPs add a `billing-event`
//! change, which is a charge of the message that it names. `pricing_analytics`: see [`analytics`].
//!
//! Gupshup relays these webhooks with an id of its own, `gs_id`, which stands for the message there
//! (`gs_app_id` for the account), with `enqueued`, and with milliseconds in some timestamps.

mod analytics;
mod billing;
mod report;

use model::vocabulary::{Channel, DeadReason, ErrorClass, Source, Status};

use crate::answer;
use crate::catalogue::{Module, charges, events, ignored};
use crate::draft::{Dead, Draft, Elements, Outcome};
use crate::emit::Emitter;
use crate::gupshup;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::mask;
use crate::meta_pricing::is_failure;
use crate::record::Record;
use crate::words;

use report::{Report, Subject, inner};

/// A leaf of a webhook, with the entry and change that it stands in.
#[derive(Debug)]
struct Leaf<'a> {
    kind: LeafKind<'a>,
    entry: usize,
    change: usize,
    at: usize,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most leaves are statuses")]
enum LeafKind<'a> {
    Status(Report<'a>),
    Billing(billing::Billing<'a>),
    Other(&'static str),
    Damaged,
}

/// What a record holds, in the shape it came in.
///
/// A shape without `entry` is one entry, a shape without `changes` one change.
#[derive(Debug, Default)]
struct Webhook<'a> {
    leaves: Elements<Leaf<'a>>,
    entry_ids: Elements<Scalar<'a>>,
    /// One a `value` object: the business' number.
    senders: Elements<Scalar<'a>>,
    gs_app: Scalar<'a>,
    has_analytics: bool,
    shape: Shape,
    entry: usize,
    change: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Unknown,
    Envelope,
    Entry,
    Change,
    Value,
    Statuses,
}

/// Reads one record.
pub(crate) fn read(record: &Record<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    if record.value.is_empty() {
        // `hub.mode=subscribe`: Meta checks the address.
        out.ignored("handshake");
        return Ok(());
    }
    read_text(record.value, out)
}

/// Reads a webhook's text, also one that Gupshup relays.
pub(crate) fn read_text(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut hook = Webhook::default();
    let mut single = Report::default();
    if cursor.kind() == Kind::Array {
        hook.shape = Shape::Statuses;
        statuses(&mut cursor, &mut hook)?;
    } else {
        cursor.object(|cursor, key| outermost(cursor, key, &mut hook, &mut single))?;
    }
    cursor.end()?;
    if hook.has_analytics {
        drop(hook);
        return analytics::read(text, out);
    }
    if hook.shape == Shape::Entry {
        hook.entry_ids.push(single.id.clone());
    }
    if hook.shape == Shape::Unknown {
        let has_id = single.id.is_present() || single.gs_id.is_present();
        if !(has_id && single.status.is_present()) {
            return Err(Dead::new(DeadReason::Envelope, "/entry"));
        }
        hook.shape = Shape::Statuses;
        hook.leaves.push(Leaf { kind: LeafKind::Status(single), entry: 0, change: 0, at: 0 });
    }
    if hook.leaves.len() == 0 {
        out.ignored("empty");
    }
    for leaf in hook.leaves.iter() {
        emit(&hook, leaf, out);
    }
    Ok(())
}

fn outermost<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    hook: &mut Webhook<'a>,
    single: &mut Report<'a>,
) -> Result<(), Syntax> {
    match key {
        "entry" if cursor.kind() == Kind::Array => {
            hook.shape = Shape::Envelope;
            cursor.array(|cursor| entry(cursor, hook))
        }
        "changes" if cursor.kind() == Kind::Array => {
            hook.shape = Shape::Entry;
            changes(cursor, hook)
        }
        "value" if cursor.kind() == Kind::Object => {
            hook.shape = Shape::Change;
            begin_value(hook);
            value(cursor, hook)
        }
        "pricing_analytics" | "conversation_analytics" => {
            hook.has_analytics = true;
            cursor.skip()
        }
        // The same without the account's object; of later pages as well.
        "data" | "data_points" if cursor.kind() == Kind::Array => {
            hook.has_analytics = true;
            cursor.skip()
        }
        "gs_app_id" => {
            hook.gs_app = cursor.scalar()?;
            Ok(())
        }
        "messaging_product" | "statuses" | "messages" | "metadata" | "billing" => {
            if hook.shape == Shape::Unknown {
                hook.shape = Shape::Value;
            }
            begin_value(hook);
            value_field(cursor, key, hook)
        }
        // Of a status without envelope; inside a value they mean something else.
        _ => single.field(cursor, key),
    }
}

fn entry<'a>(cursor: &mut Cursor<'a>, hook: &mut Webhook<'a>) -> Result<(), Syntax> {
    hook.entry = hook.entry_ids.len();
    hook.change = 0;
    hook.entry_ids.push(Scalar::Missing);
    let mut has_changes = false;
    cursor.object_or_skip(|cursor, key| match key {
        "id" => {
            let id = cursor.scalar()?;
            if let Some(slot) = hook.entry_ids.last_mut() {
                *slot = id;
            }
            Ok(())
        }
        "changes" if cursor.kind() == Kind::Array => {
            has_changes = true;
            changes(cursor, hook)
        }
        _ => cursor.other(),
    })?;
    if !has_changes {
        hold(cursor, hook, LeafKind::Damaged, 0)?;
    }
    Ok(())
}

fn changes<'a>(cursor: &mut Cursor<'a>, hook: &mut Webhook<'a>) -> Result<(), Syntax> {
    cursor.array(|cursor| {
        change(cursor, hook)?;
        hook.change += 1;
        Ok(())
    })
}

fn change<'a>(cursor: &mut Cursor<'a>, hook: &mut Webhook<'a>) -> Result<(), Syntax> {
    let before = hook.leaves.len();
    let (mut field, mut has_value) = (Scalar::Missing, false);
    hook.senders.push(Scalar::Missing);
    cursor.object_or_skip(|cursor, key| match key {
        "field" => {
            field = cursor.scalar()?;
            Ok(())
        }
        "value" if cursor.kind() == Kind::Object => {
            has_value = true;
            value(cursor, hook)
        }
        _ => cursor.other(),
    })?;
    // Its name may stand behind the value.
    if field.text() == Some("calls") {
        for leaf in hook.leaves.iter_mut().skip(before) {
            leaf.kind = LeafKind::Other("call");
        }
    }
    if hook.leaves.len() == before {
        let is_other_field = field.text().is_some_and(|field| field != "messages");
        let kind = match (has_value, is_other_field) {
            (_, true) => LeafKind::Other("other_field"),
            (true, false) => LeafKind::Other("no_status"),
            (false, false) => LeafKind::Damaged,
        };
        hold(cursor, hook, kind, 0)?;
    }
    Ok(())
}

/// A value of the record itself has a sender, too.
fn begin_value(hook: &mut Webhook<'_>) {
    if hook.senders.len() == 0 {
        hook.senders.push(Scalar::Missing);
    }
}

fn value<'a>(cursor: &mut Cursor<'a>, hook: &mut Webhook<'a>) -> Result<(), Syntax> {
    cursor.object(|cursor, key| value_field(cursor, key, hook))
}

fn value_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    hook: &mut Webhook<'a>,
) -> Result<(), Syntax> {
    match key {
        "statuses" if cursor.kind() == Kind::Array => statuses(cursor, hook),
        "messages" if cursor.kind() == Kind::Array => {
            let mut at = 0;
            cursor.array(|cursor| {
                hold(cursor, hook, LeafKind::Other("inbound"), at)?;
                at += 1;
                cursor.skip()
            })
        }
        "statuses" | "messages" if !cursor.is_null() => {
            hold(cursor, hook, LeafKind::Damaged, 0)?;
            cursor.skip()
        }
        "billing" => {
            let mut billing = billing::Billing::default();
            let read = |cursor: &mut Cursor<'a>, key: &str| billing.field(cursor, key);
            let is_object = cursor.object_or_skip(read)?;
            let kind = if is_object { LeafKind::Billing(billing) } else { LeafKind::Damaged };
            hold(cursor, hook, kind, 0)
        }
        "metadata" => {
            let mut sender = Scalar::Missing;
            inner(cursor, "display_phone_number", &mut sender)?;
            if let Some(slot) = hook.senders.last_mut() {
                *slot = sender;
            }
            Ok(())
        }
        _ => cursor.other(),
    }
}

fn hold<'a>(
    cursor: &Cursor<'a>,
    hook: &mut Webhook<'a>,
    kind: LeafKind<'a>,
    at: usize,
) -> Result<(), Syntax> {
    let leaf = Leaf { kind, entry: hook.entry, change: hook.change, at };
    hook.leaves.hold(leaf, cursor)
}

fn statuses<'a>(cursor: &mut Cursor<'a>, hook: &mut Webhook<'a>) -> Result<(), Syntax> {
    let mut at = 0;
    cursor.array(|cursor| {
        let mut report = Report { sender: hook.senders.len().checked_sub(1), ..Report::default() };
        let is_object = cursor.object_or_skip(|cursor, key| report.field(cursor, key))?;
        let kind = if is_object { LeafKind::Status(report) } else { LeafKind::Damaged };
        hold(cursor, hook, kind, at)?;
        at += 1;
        Ok(())
    })
}

fn path(hook: &Webhook<'_>, leaf: &Leaf<'_>) -> String {
    let Leaf { entry, change, at, .. } = leaf;
    match hook.shape {
        Shape::Envelope => format!("/entry/{entry}/changes/{change}/value/statuses/{at}"),
        Shape::Entry => format!("/changes/{change}/value/statuses/{at}"),
        Shape::Change => format!("/value/statuses/{at}"),
        Shape::Value => format!("/statuses/{at}"),
        Shape::Statuses | Shape::Unknown => format!("/{at}"),
    }
}

fn emit(hook: &Webhook<'_>, leaf: &Leaf<'_>, out: &mut Emitter<'_>) {
    let report = match &leaf.kind {
        LeafKind::Other(kind) => return out.ignored(kind),
        LeafKind::Billing(billing) => return billing::emit(hook, leaf, billing, out),
        LeafKind::Damaged => return out.dead_at(DeadReason::UnknownVariant, path(hook, leaf)),
        LeafKind::Status(report) => report,
    };
    match report.subject {
        Subject::Message => {}
        Subject::Call => return out.ignored("call"),
        Subject::Payment => return out.ignored("payment"),
    }
    let is_relayed = out.origin.source == Source::Gupshup;
    let own_id = report.gs_id.text().filter(|_| is_relayed);
    match (own_id.or(report.id.text()), report.status.text()) {
        (_, Some("deleted")) if is_relayed => out.ignored("deleted"),
        (None, None) => out.dead_at(DeadReason::UnknownVariant, path(hook, leaf)),
        (None, _) => out.dead_at(DeadReason::MissingId, path(hook, leaf) + "/id"),
        (_, None) => out.dead_at(DeadReason::MissingStatus, path(hook, leaf) + "/status"),
        (Some(id), Some(word)) => event(hook, leaf.entry, report, (id, word), out),
    }
}

fn event(
    hook: &Webhook<'_>,
    entry: usize,
    report: &Report<'_>,
    (id, word): (&str, &str),
    out: &mut Emitter<'_>,
) {
    let code = out.text(&report.code).filter(|code| *code != "0");
    let mut draft = Draft::new(id, Channel::Whatsapp, outcome(word, code, out));
    let participants = [&report.participant, &report.participant_user];
    let participant = participants.into_iter().find_map(|id| out.text(id)).unwrap_or("");
    let event_parts: [&[u8]; 3] = [id.as_bytes(), word.as_bytes(), participant.as_bytes()];
    draft.event_parts = &event_parts;
    let app = hook.gs_app.text().filter(|_| out.origin.source == Source::Gupshup);
    draft.account = app.or_else(|| hook.entry_ids.get(entry).and_then(Scalar::text));
    draft.vendor_status = Some(word);
    draft.error_code = code;
    let is_relayed = out.origin.source == Source::Gupshup;
    let class = if is_relayed { gupshup::whatsapp_class } else { class_of_code };
    draft.error_class = code.and_then(class);
    draft.event_time_us = out.time(&report.timestamp, answer::unix_digits);
    draft.recipient = Some(participant)
        .filter(|participant| !participant.is_empty())
        .or_else(|| out.text(&report.recipient))
        .or_else(|| out.text(&report.recipient_user));
    let sender = report.sender.and_then(|at| hook.senders.get(at));
    draft.sender = sender.and_then(|sender| out.text(sender));
    let callback_data = out.text(&report.callback_data);
    // `emit` looks for one recipient only, and this event may name the person twice.
    let others = report.ids_beside(draft.recipient);
    let clean = callback_data.map(|text| mask::without_ids(text, &others, out));
    draft.logical_id = clean.as_deref();
    let category = out.text(&report.pricing.category).or_else(|| report.origin.text());
    draft.traffic_class = words::meta_category(category.unwrap_or(""));
    out.event(&draft);
    // That one of a group got nothing says nothing of what the message costs.
    let is_of_one = participants.into_iter().any(Scalar::is_present);
    let is_partial = is_of_one && is_failure(draft.status);
    if !is_partial {
        report.pricing.charge_beside(&draft, report.conversation.text(), out);
    }
}

/// What a status means; of a failure its code decides.
pub(crate) fn outcome(word: &str, code: Option<&str>, out: &mut Emitter<'_>) -> Outcome {
    match word {
        "enqueued" if out.origin.source == Source::Gupshup => Outcome::open(Status::Queued),
        "sent" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" | "played" => Outcome::settled(Status::Read),
        "failed" if out.origin.source == Source::Gupshup => Outcome::settled(Status::Failed),
        "failed" => Outcome::settled(match code.and_then(|code| code.parse::<u32>().ok()) {
            Some(132_000..=132_016) => Status::Rejected,
            Some(131_026) => Status::Undelivered,
            _ => Status::Failed,
        }),
        "deleted" | "warning" => Outcome::open(Status::Unknown),
        _ => out.unknown_status(),
    }
}

/// Class of Meta's codes, whichever vendor relays them.
pub(crate) fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code.parse::<u32>().ok()? {
        131_026 => ErrorClass::NotCapable,
        131_050 => ErrorClass::OptedOut,
        131_049 | 130_429 | 131_056 | 131_048 | 80_007 => ErrorClass::Throttled,
        130_472 | 368 => ErrorClass::Blocked,
        470 | 131_047 | 131_051 | 131_053 | 131_021 => ErrorClass::InvalidRequest,
        132_000..=132_016 => ErrorClass::InvalidRequest,
        131_042 | 131_031 => ErrorClass::Configuration,
        131_016 => ErrorClass::VendorInternal,
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks",
    variants: &[
        events("statuses webhook, JSON", &["envelope_statuses.json", "failed.json", "group.json"]),
        events(
            "bare change, entry or value, JSON",
            &["bare_change.json", "bare_entry.json", "bare_statuses.json"],
        ),
        events("single status, JSON", &["single_status.json"]),
        charges("billing event of a provider, JSON", &["billing_event.json", "bare_billing.json"]),
        charges("analytics of an account, JSON", &["pricing_analytics.json"]),
        ignored("statuses of calls and payments, JSON", &["calls_and_payments.json"]),
        ignored("handshake, GET", &["handshake.record.json"]),
    ],
    documented: &[
        "billable",
        "calls",
        "changes",
        "contacts",
        "conversation_id",
        "details",
        "entry",
        "error_data",
        "errors",
        "event",
        "expiration_timestamp",
        "field",
        "href",
        "id",
        "message",
        "messages",
        "messaging_product",
        "object",
        "paging",
        "payment",
        "phone_number_id",
        "pricing_model",
        "profile",
        "recipient_identity_key_hash",
        "recipient_type",
        "smb_message_echoes",
        "source",
        "statuses",
        "time",
        "title",
        "type",
        "user_id",
        "username",
        "value",
        "wa_id",
    ],
};

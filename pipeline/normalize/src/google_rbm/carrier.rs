//! Files that Google gives carriers: billing reports and activity logs, values with tabs between.
//! <https://developers.google.com/business-communications/rcs-business-messaging/carriers/billing>
//!
//! A row of a billing report is one billing event: a charge of no message that it names, with units
//! and no price (the carrier's rate card has it). Traps: a file is one record with its heading
//! (`--whole`); a conversation may take the place of a single message up to two days later under an
//! id of its own; rows hold no number; `duration` is in seconds, 0 for a message. A row of an
//! activity log is what happened inside a billing event: it says no status and charges nothing, and
//! holds the user's number, so it is counted and ignored.

use model::time::{DAY_US, SECOND_US, parse_local, parse_rfc3339};
use model::vocabulary::{Channel, ChargeKind, DeadReason};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::csv;
use crate::draft::{Dead, Place};
use crate::emit::Emitter;
use crate::json::Scalar;
use crate::words::Folded;

/// A column that both kinds of file have.
const ID_COLUMN: &str = "billing_event_id";
/// One that only a log has.
const LOG_COLUMN: &str = "activity_id";
/// Longest duration that is believed: a conversation lasts a day, unless the carrier has agreed.
const DURATION_US_MAX: i64 = 31 * DAY_US;

#[derive(Debug, Default)]
struct Row<'a> {
    id: Scalar<'a>,
    kind: Scalar<'a>,
    agent: Scalar<'a>,
    party: Scalar<'a>,
    start: Scalar<'a>,
    duration: Scalar<'a>,
}

/// Whether a text's first line is the heading of one of the files.
pub(super) fn is_table(text: &str) -> bool {
    !text.starts_with('{') && csv::is_table(text, csv::TAB, ID_COLUMN)
}

/// Reads a file.
pub(super) fn read(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let is_log = csv::is_table(text, csv::TAB, LOG_COLUMN);
    let rows = csv::each_row(text, csv::TAB, |at, row| {
        let place = Place { parent: "", at: Some(at) };
        match row {
            None => out.dead_at(DeadReason::UnknownVariant, place.to_string()),
            Some(_) if is_log => out.ignored("activity"),
            Some(row) => emit(row, place, out),
        }
    })?;
    if rows == 0 {
        out.ignored("empty");
    }
    Ok(())
}

/// UTC, whether the time says so or not.
fn instant(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_local(text))
}

/// Seconds, not more than a month's.
fn duration(text: &str) -> Option<i64> {
    let duration_us = text.parse::<i64>().ok()?.checked_mul(SECOND_US)?;
    (0..=DURATION_US_MAX).contains(&duration_us).then_some(duration_us)
}

fn emit(mut fields: csv::Row<'_, '_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let mut row = Row::default();
    for (name, value) in fields.fields() {
        let slot = match name {
            "billing_event_id" => &mut row.id,
            "type" => &mut row.kind,
            "agent_id" => &mut row.agent,
            "billing_party" => &mut row.party,
            "start_time" => &mut row.start,
            "duration" => &mut row.duration,
            _ => {
                if place.at == Some(0) {
                    out.drift.other("", name);
                }
                continue;
            }
        };
        *slot = value;
    }
    let (id, word) = match (row.id.text(), row.kind.text()) {
        (Some(id), Some(word)) => (id, word),
        (None, _) => return out.dead_at(DeadReason::MissingId, format!("{place}/{ID_COLUMN}")),
        _ => return out.dead_at(DeadReason::UnknownVariant, format!("{place}/type")),
    };
    let kind = match Folded::new(word).as_str() {
        word if word.starts_with("non_conversation") => ChargeKind::Other,
        word if word.contains("conversation") => ChargeKind::Conversation,
        word if word.contains("message") => ChargeKind::Message,
        _ => ChargeKind::Other,
    };
    let start = out.time(&row.start, instant);
    // A message's charge may be replaced by that of its conversation.
    let subject = Subject::Unique(ID_COLUMN, id);
    let mut charge = ChargeDraft::new(subject, kind, Figures::one(None));
    charge.time_us = start;
    charge.is_local_time = row.start.text().and_then(parse_local).is_some();
    let told = out.text(&row.duration);
    let lasting = told.and_then(duration);
    out.counters.unreadable_fields += u64::from(told.is_some() && lasting.is_none());
    let duration = lasting.filter(|duration| *duration > 0);
    let end = start.zip(duration).map(|(start, duration)| start.saturating_add(duration));
    charge.period_us = [start, end];
    charge.has_duration = true;
    charge.sku = Some(word);
    charge.account = out.text(&row.party).or_else(|| row.agent.text());
    charge.channel = Channel::Rcs;
    charge.is_final = true;
    out.charge(&charge);
}

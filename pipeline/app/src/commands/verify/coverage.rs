//! What can be compared although retention dropped rows: only what needs none of them.
//!
//! ```text
//! events before 2026-03-03 are gone
//!   cohort 2026-03-02 ─► some of its events may be gone      not compared, counted
//!   cohort 2026-03-03 00:05 and later ─► all are there       compared
//! ```
//! A cohort time is at most 5 minutes after the ingest time of any event of its message, because
//! later clocks are replaced (DESIGN.md, "Time"). So a message whose stored cohort time is later
//! than that lost no event. Revised rows go by the time of their commit, which is no earlier than
//! the ingest time of the first event but for skewed clocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use model::manifest::Manifest;
use model::time::{DAY_US, MINUTE_US, format_us, parse_rfc3339};
use window::{By, Session};

use super::super::note;
use crate::failure::{Failure, Outcome};
use crate::lake::Dropped;

/// An event time is no later than this after its ingest time.
const CLOCK_US: i64 = 5 * MINUTE_US;
/// Kafka's clock and ours agree to a day.
const SKEW_US: i64 = DAY_US;

/// Rows of each table that were not compared, and before which time they are.
pub(super) type LeftOut = BTreeMap<&'static str, (i64, i64)>;

/// From where on each table can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Cohort times.
    messages_from_us: i64,
    /// Starts of windows.
    slo_from_us: i64,
    /// Starts of windows.
    costs_from_us: i64,
    /// Commits of bills that are no message's.
    bills_from_us: i64,
    /// Stored rows are compared with the lines of the ledger of epochs after this one.
    rows_after: u64,
    /// The ledger has all lines of epochs after this one.
    ledger_after: u64,
    /// Replays of dead letters and lines of the ledger are all there of epochs after this one.
    replays_after: u64,
    /// Events were dropped: some messages have only a part of theirs.
    is_partial: bool,
}

impl Coverage {
    /// As the lake's manifest says.
    pub(super) fn of(lake: &Manifest) -> Outcome<Self> {
        let from = |table: &str, slack_us: i64| -> Outcome<i64> {
            let Some(dropped) = Dropped::of(lake, table) else { return Ok(i64::MIN) };
            let midnight = parse_rfc3339(&format!("{}T00:00:00Z", dropped.before));
            let midnight = midnight.ok_or_else(|| {
                let before = &dropped.before;
                Failure::protect(format!("the lake says {table} was dropped before `{before}`"))
            })?;
            Ok(midnight.saturating_add(slack_us))
        };
        let epoch = |table: &str| {
            let dropped = Dropped::of(lake, table);
            dropped.map_or(0, |dropped| dropped.epoch.unwrap_or(u64::MAX))
        };
        let events_from_us = from("events", CLOCK_US)?;
        // Lines go by their commit, which is no earlier than their ingest time but for skewed
        // clocks.
        let lines_from_us = from("charge_lines", CLOCK_US + SKEW_US)?;
        let told_from_us = events_from_us.max(lines_from_us);
        let messages_from_us = told_from_us.max(from("messages", CLOCK_US + SKEW_US)?);
        let windows = |table| from(table, CLOCK_US + SKEW_US).map(|us| us.max(messages_from_us));
        let ledger_after = epoch("ledger");
        Ok(Self {
            messages_from_us,
            slo_from_us: windows("slo_windows")?,
            costs_from_us: windows("cost_windows")?,
            bills_from_us: lines_from_us.max(from("charges", SKEW_US)?),
            rows_after: ledger_after
                .max(epoch("events"))
                .max(epoch("charge_lines"))
                .max(epoch("dead_letters")),
            ledger_after,
            replays_after: ledger_after.max(epoch("dead_replays")),
            is_partial: events_from_us > i64::MIN,
        })
    }

    /// Keys of the messages of a part that still have events, but perhaps not all of them.
    pub(super) fn partial(&self, session: &Session) -> Outcome<RecordBatch> {
        let field = Field::new("message_key", DataType::FixedSizeBinary(16), true);
        let none = RecordBatch::new_empty(Arc::new(Schema::new(vec![field])));
        if !self.is_partial {
            return Ok(none);
        }
        let found = session.query(&format!(
            "SELECT message_key FROM messages WHERE cohort_time < {} \
             AND message_key IN (SELECT message_key FROM events)",
            timestamp(self.messages_from_us)
        ))?;
        let keys = found.iter().map(|batch| {
            let columns = vec![ArrayRef::clone(batch.column(0))];
            RecordBatch::try_new(none.schema(), columns)
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        Ok(arrow_select::concat::concat_batches(&none.schema(), &keys)?)
    }

    /// The table `kept` of the comparing queries: one row.
    pub(super) fn row(&self) -> Outcome<RecordBatch> {
        let time = |us: i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(vec![us]).with_timezone("UTC"))
        };
        let number = |epoch: u64| -> ArrayRef { Arc::new(UInt64Array::from(vec![epoch])) };
        Ok(RecordBatch::try_from_iter([
            ("messages_from", time(self.messages_from_us)),
            ("slo_from", time(self.slo_from_us)),
            ("costs_from", time(self.costs_from_us)),
            ("bills_from", time(self.bills_from_us)),
            ("rows_after", number(self.rows_after)),
            ("ledger_after", number(self.ledger_after)),
            ("replays_after", number(self.replays_after)),
        ])?)
    }

    /// Adds the rows of a part that were not compared.
    pub(super) fn count(&self, session: &Session, by: By, left: &mut LeftOut) -> Outcome<()> {
        let tables: &[(&str, &str, i64)] = match by {
            By::Keys => &[("messages", "cohort_time", self.messages_from_us)],
            By::Windows => &[
                ("slo_windows", "window_start", self.slo_from_us),
                ("cost_windows", "window_start", self.costs_from_us),
            ],
            By::Epochs => &[],
        };
        for (table, column, from_us) in tables.iter().filter(|known| known.2 > i64::MIN) {
            let which = format!("{column} < {}", timestamp(*from_us));
            left.entry(table).or_insert((0, *from_us)).0 += count(session, table, &which)?;
        }
        Ok(())
    }

    /// Says how many rows were not compared, and why.
    pub(super) fn tell(&self, session: &Session, left: &LeftOut) -> Outcome<()> {
        for (table, (rows, from_us)) in left {
            let day = format_us(*from_us);
            note(&format!(
                "{rows} rows of {table} before {day} were not compared: retention dropped rows \
                 that they may need"
            ));
        }
        if self.rows_after > 0 {
            let rows = count(session, "ledger", &format!("epoch <= {}", self.rows_after))?;
            note(&format!(
                "{rows} lines of the ledger were not compared with stored rows: retention dropped \
                 rows up to epoch {}",
                self.rows_after
            ));
        }
        Ok(())
    }
}

fn timestamp(us: i64) -> String {
    format!("arrow_cast({us}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

pub(super) fn count(session: &Session, table: &str, which: &str) -> Outcome<i64> {
    let found = session.query(&format!("SELECT count(*) AS n FROM {table} WHERE {which}"))?;
    let counted = found.first().and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>());
    Ok(counted.map_or(0, |counts| counts.value(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lake(dropped: &[(&str, &str)]) -> Manifest {
        let value = |(table, text): &(&str, &str)| (format!("dropped/{table}"), (*text).to_owned());
        Manifest { values: dropped.iter().map(value).collect(), ..Manifest::default() }
    }

    #[test]
    fn without_retention_everything_is_compared() {
        let all = Coverage::of(&lake(&[])).unwrap();
        assert_eq!(
            (all.messages_from_us, all.slo_from_us, all.rows_after),
            (i64::MIN, i64::MIN, 0)
        );
        let session = Session::open(Vec::new()).unwrap();
        assert_eq!(all.partial(&session).unwrap().num_rows(), 0);
    }

    #[test]
    fn windows_need_the_events_and_their_own_revisions() {
        let midnight = parse_rfc3339("2026-03-03T00:00:00Z").unwrap();
        let dropped = [("events", "2026-03-03 41"), ("slo_windows", "2026-03-04")];
        let some = Coverage::of(&lake(&dropped)).unwrap();
        assert_eq!(some.messages_from_us, midnight + CLOCK_US);
        assert_eq!(some.costs_from_us, midnight + CLOCK_US);
        assert_eq!(some.slo_from_us, midnight + DAY_US + CLOCK_US + SKEW_US);
        assert_eq!((some.rows_after, some.ledger_after), (41, 0));
    }
}

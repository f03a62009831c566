//! Retention: files whose date is further behind the watermark than their table is kept.
//!
//! ```text
//! 2026-03-01 2026-03-02 2026-03-03 … 2026-04-08 ◄─ watermark      [retention] events = 36
//!  dropped ─────────┘ │ kept, because 2026-04-08 − 36 days = 2026-03-03
//! ```
//! The manifest that drops files says up to which date, so that the public links can go after it,
//! also after a crash, and `verify` knows what it cannot compute again. Rows without a time (in
//! 1970-01-01) are kept.

use std::collections::BTreeMap;

use model::clock::Clock;
use model::manifest::{FileRef, Manifest};
use model::schema;
use model::time::{DAY_US, format_date};

use super::{Lake, names};
use crate::failure::{Failure, Outcome};

/// Events and lines of bills are kept so long at least: they revise a message for 35 days, and a
/// day of files goes at once. Shorter, and `verify` could not compute numbers that still change.
const EVENTS_DAYS_MIN: u32 = 36;
/// Head of the keys of a manifest's values: `dropped/<table>`.
const DROPPED: &str = "dropped/";
/// Date of rows without a time.
const NO_DATE: &str = "1970-01-01";

/// Days by table; a table that is not named is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Retention(BTreeMap<String, u32>);

impl Retention {
    /// Checks what `[retention]` says.
    pub(crate) fn new(days: BTreeMap<String, u32>) -> Outcome<Self> {
        let stored = schema::tables().into_iter().filter(|table| table.name != "status");
        let names: Vec<&str> = stored.map(|table| table.name.as_str()).collect();
        for (table, days) in &days {
            if !names.contains(&table.as_str()) {
                return Err(Failure::usage(format!(
                    "[retention] {table} is no table; known: {}",
                    names.join(", ")
                )));
            }
            let facts = [&schema::EVENTS.name, &schema::CHARGE_LINES.name];
            let least = if facts.contains(&table) { EVENTS_DAYS_MIN } else { 1 };
            if *days < least {
                let why = if least == 1 {
                    ""
                } else {
                    ": they revise a message for 35 days, and `verify` computes it from them"
                };
                return Err(Failure::usage(format!(
                    "[retention] {table} is {days} days; it can be {least} or more{why}"
                )));
            }
        }
        Ok(Self(days))
    }

    /// Tables that are not kept for ever, each with its days and with the inner ones kept with it.
    fn days(&self) -> impl Iterator<Item = (&str, u32)> {
        let inner = schema::inner().into_iter().filter_map(|table| {
            let days = self.0.get(table.kept_with.as_ref()?)?;
            Some((table.name.as_str(), *days))
        });
        self.0.iter().map(|(table, days)| (table.as_str(), *days)).chain(inner)
    }
}

/// What was dropped of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Dates before this one, `YYYY-MM-DD`.
    pub(crate) before: String,
    /// The newest epoch of the job of which rows were dropped, where the table has epochs.
    pub(crate) epoch: Option<u64>,
}

impl Dropped {
    /// Of a table, as a lake manifest says.
    pub(crate) fn of(manifest: &Manifest, table: &str) -> Option<Self> {
        Self::read(manifest.values.get(&format!("{DROPPED}{table}"))?)
    }

    fn read(text: &str) -> Option<Self> {
        let (before, epoch) = text.split_once(' ').unwrap_or((text, ""));
        (!before.is_empty()).then(|| Self { before: before.to_owned(), epoch: epoch.parse().ok() })
    }

    fn text(&self) -> String {
        let epoch = self.epoch.map(|epoch| format!(" {epoch}")).unwrap_or_default();
        format!("{}{epoch}", self.before)
    }

    /// Whether rows of this date were dropped.
    pub(super) fn covers(&self, date: &str) -> bool {
        date != NO_DATE && date < self.before.as_str()
    }
}

/// What a lake manifest says was dropped, by table.
pub(super) fn all_dropped(manifest: &Manifest) -> Vec<(String, Dropped)> {
    let values = manifest.values.iter();
    let named = values.filter_map(|(key, text)| Some((key.strip_prefix(DROPPED)?, text)));
    named.filter_map(|(table, text)| Some((table.to_owned(), Dropped::read(text)?))).collect()
}

impl Lake {
    /// Tables with files that are too old, and before which date they are; what was dropped once
    /// stays dropped, whatever comes later.
    pub(super) fn due_drops(&self) -> BTreeMap<String, String> {
        let mut drops = BTreeMap::new();
        let (Some(head), Some(mark)) = (self.chain.head(), self.watermark_us()) else {
            return drops;
        };
        let mut floors: BTreeMap<String, Dropped> = all_dropped(head).into_iter().collect();
        for (table, days) in self.rules.retention.days() {
            let before = format_date(mark.saturating_sub(i64::from(days) * DAY_US));
            let floor = floors
                .entry(table.to_owned())
                .or_insert_with(|| Dropped { before: before.clone(), epoch: None });
            floor.before = before.max(std::mem::take(&mut floor.before));
        }
        for file in &head.files {
            let floor = floors.get(&file.table);
            if let Some(floor) = floor.filter(|floor| floor.covers(names::date_of(file))) {
                drops.insert(file.table.clone(), floor.before.clone());
            }
        }
        drops
    }

    /// One manifest without the files of `drops`, rolled or public.
    pub(super) fn drop_files(
        &mut self,
        drops: &BTreeMap<String, String>,
        clock: &dyn Clock,
    ) -> Outcome<()> {
        let mut manifest = self.head();
        let mut dropped = BTreeMap::new();
        for (table, before) in drops {
            let epoch = Dropped::of(&manifest, table).and_then(|known| known.epoch);
            dropped.insert(table.clone(), Dropped { before: before.clone(), epoch });
        }
        let (gone, kept): (Vec<FileRef>, Vec<FileRef>) =
            std::mem::take(&mut manifest.files).into_iter().partition(|file| {
                let dropped = dropped.get(&file.table);
                dropped.is_some_and(|dropped| dropped.covers(names::date_of(file)))
            });
        for file in &gone {
            let newest = sink::newest_epoch(&self.dir.obtain(file)?)?;
            if let Some(dropped) = dropped.get_mut(&file.table) {
                dropped.epoch = dropped.epoch.max(newest);
            }
        }
        manifest.files = kept;
        for (table, dropped) in &dropped {
            manifest.values.insert(format!("{DROPPED}{table}"), dropped.text());
        }
        self.commit(manifest, commit::random_hex()?, clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(table: &str, days: u32) -> String {
        let days = BTreeMap::from([(table.to_owned(), days)]);
        let failure = Retention::new(days).unwrap_err();
        assert_eq!(failure.code(), 2);
        failure.to_string()
    }

    #[test]
    fn unknown_tables_and_events_of_less_than_36_days_are_refused() {
        assert!(refused("event", 90).contains("known: events, messages"));
        assert!(refused("status", 90).contains("status is no table"));
        assert!(refused("events", 35).contains("36 or more"));
        assert!(refused("messages", 0).contains("1 or more"));
        let days = BTreeMap::from([("events".to_owned(), 36), ("messages".to_owned(), 1)]);
        assert_eq!(Retention::new(days.clone()).unwrap(), Retention(days));
    }

    #[test]
    fn records_of_dead_letters_go_with_their_letters() {
        let kept = Retention::new(BTreeMap::from([("dead_letters".to_owned(), 9)])).unwrap();
        let days: BTreeMap<&str, u32> = kept.days().collect();
        let all = ["dead_letters", "dead_records", "dead_replays"];
        assert_eq!(days, all.map(|table| (table, 9)).into());
        assert!(refused("dead_records", 9).contains("no table"));
    }

    #[test]
    fn what_was_dropped_is_read_as_it_was_written() {
        for epoch in [None, Some(7)] {
            let dropped = Dropped { before: "2026-03-03".to_owned(), epoch };
            assert_eq!(Dropped::read(&dropped.text()).unwrap(), dropped);
            assert!(dropped.covers("2026-03-02") && !dropped.covers("2026-03-03"));
            assert!(!dropped.covers(NO_DATE));
        }
    }
}

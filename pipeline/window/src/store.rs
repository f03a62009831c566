//! The sums that windows are made of, kept by length, so that a late delta costs the same as a
//! fresh one.
//!
//! ```text
//! signed pane row (10 s) ─┬─► 10 s    kept 2 h behind the watermark: alerts slide over them
//!                         ├─► 60 s    kept 35 days; what a snapshot holds, a part a day
//!                         └─► 300 s, 3600 s, 86400 s   rebuilt from the 60 s on recovery
//! ```
//! Invariant: every sum is an integer, so the order of rows cannot matter. What changed since it
//! was last published is remembered by window.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use model::pane::{SERIES, SLO_COUNTS};
use model::sketch::Sketch;
use model::time::{DAY_US, HOUR_US, SECOND_US};
use model::window::{WINDOWS_S, window_start};

use crate::error::WindowError;
use crate::guard::Guard;
use crate::maturity::Maturity;
use crate::pane_rows::{CostRows, SloRows};

/// Length of the finest sums, seconds.
pub const FINE_S: u32 = 10;
/// The finest sums are kept so long behind the watermark.
const FINE_KEPT_US: i64 = 2 * HOUR_US;
/// The others are kept so long: nothing older can change.
const KEPT_US: i64 = 36 * DAY_US;

/// Completeness is judged by windows of this length, seconds.
const MATURITY_S: u32 = 60;

/// Values of source, channel, carrier, country, traffic_class.
pub type Series = Arc<[Option<Arc<str>>; 5]>;

/// Counts and latencies of one window or pane of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SloSum {
    /// In the order of [`SLO_COUNTS`].
    pub counts: [i64; 11],
    /// Latencies.
    pub latency: Sketch,
}

impl SloSum {
    fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.latency.merge(&other.latency);
    }

    /// (total, pending) as they count for completeness: series where no receipt can prove delivery
    /// do not.
    const fn counted(&self) -> (i64, i64) {
        if self.counts[8] == 0 { (0, 0) } else { (self.counts[0], self.counts[7]) }
    }
}

/// A cost series: a series, a currency, a kind.
pub type CostSeries = (Series, Option<Arc<str>>, Arc<str>);

/// Charges of one window of a cost series, nano units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostSum {
    /// Sum of amounts.
    pub amount: i128,
    /// Sum of units.
    pub quantity: i128,
    /// Messages charged.
    pub messages: i64,
    /// Of these, delivered.
    pub delivered: i64,
}

impl CostSum {
    fn add(&mut self, other: &Self) {
        self.amount += other.amount;
        self.quantity += other.quantity;
        self.messages += other.messages;
        self.delivered += other.delivered;
    }
}

/// A window of some length.
pub type Window = (u32, i64);

type Level<K, V> = BTreeMap<i64, HashMap<K, V>>;

/// All sums, by length.
#[derive(Debug, Default)]
pub struct PaneStore {
    slo: BTreeMap<u32, Level<Series, SloSum>>,
    cost: BTreeMap<u32, Level<CostSeries, CostSum>>,
    changed: BTreeSet<Window>,
    changed_slo: HashMap<Window, BTreeSet<Series>>,
    changed_cost: HashMap<Window, BTreeSet<CostSeries>>,
    guard: Guard,
    maturity: Maturity,
    /// Days (since 1970) whose minutes changed since they were last written.
    dirty_days: BTreeSet<i64>,
    series: BTreeSet<Series>,
    texts: BTreeSet<Arc<str>>,
}

/// One text column of a pane batch: the words of its dictionary, interned.
struct Texts<'a> {
    keys: &'a arrow_array::DictionaryArray<Int32Type>,
    words: Vec<Option<Arc<str>>>,
}

impl Texts<'_> {
    fn get(&self, row: usize) -> Option<Arc<str>> {
        if self.keys.keys().is_null(row) {
            return None;
        }
        let key = usize::try_from(self.keys.keys().value(row)).ok()?;
        self.words.get(key).cloned().flatten()
    }
}

pub(crate) fn wrong(column: &str) -> WindowError {
    let detail = format!("column {column} is missing or has another type");
    WindowError::FitSchema { table: "panes".to_owned(), detail }
}

impl PaneStore {
    /// Admits the series of one epoch's panes, SLO and cost, before they are added: the cardinality
    /// guard decides by epochs. Returns how many of its values fold into `__other__`.
    pub fn admit(&mut self, panes: &[&RecordBatch]) -> usize {
        self.guard.admit(panes)
    }

    /// Which values have a series of their own.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Puts the guard of a snapshot back.
    pub fn restore_guard(&mut self, admitted: &RecordBatch) {
        self.guard.restore(admitted);
    }

    fn texts<'a>(&mut self, batch: &'a RecordBatch, name: &str) -> Result<Texts<'a>, WindowError> {
        let column = batch.column_by_name(name).ok_or_else(|| wrong(name))?;
        let keys = column.as_dictionary_opt::<Int32Type>().ok_or_else(|| wrong(name))?;
        let words = keys.values().as_string_opt::<i32>().ok_or_else(|| wrong(name))?;
        let mut kept = Vec::with_capacity(words.len());
        for word in words {
            kept.push(word.map(|word| self.intern(name, word)));
        }
        Ok(Texts { keys, words: kept })
    }

    fn intern(&mut self, dimension: &str, word: &str) -> Arc<str> {
        let word = self.guard.fold(dimension, word);
        if let Some(known) = self.texts.get(word) {
            return Arc::clone(known);
        }
        let word: Arc<str> = Arc::from(word);
        self.texts.insert(Arc::clone(&word));
        word
    }

    /// The interned series of each row, and its pane.
    fn series(&mut self, batch: &RecordBatch) -> Result<Vec<(i64, Series)>, WindowError> {
        let starts = batch.column_by_name("pane_start");
        let starts = starts.and_then(|s| s.as_primitive_opt::<TimestampMicrosecondType>());
        let starts = starts.ok_or_else(|| wrong("pane_start"))?.clone();
        let mut columns = Vec::with_capacity(SERIES.len());
        for name in SERIES {
            columns.push(self.texts(batch, name)?);
        }
        let mut rows = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let dims: Series = Arc::new(std::array::from_fn(|at| columns[at].get(row)));
            let known = self.series.get(&dims).map(Arc::clone);
            let dims = known.unwrap_or_else(|| {
                self.series.insert(Arc::clone(&dims));
                dims
            });
            rows.push((starts.value(row), dims));
        }
        Ok(rows)
    }

    /// Adds signed SLO panes of 10 s.
    ///
    /// # Errors
    /// Where the batch does not have the columns of [`model::pane::SLO_PANE_SCHEMA`].
    pub fn add_slo(&mut self, batch: &RecordBatch) -> Result<(), WindowError> {
        self.add_slo_to(batch, &[FINE_S, 60, 300, 3600, 86_400], true)
    }

    fn add_slo_to(
        &mut self,
        batch: &RecordBatch,
        lengths_s: &[u32],
        mark: bool,
    ) -> Result<(), WindowError> {
        let rows = self.series(batch)?;
        let mut counts = Vec::with_capacity(SLO_COUNTS.len());
        for name in SLO_COUNTS {
            let column = batch.column_by_name(name);
            let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
            counts.push(column.ok_or_else(|| wrong(name))?);
        }
        let latency = batch.column_by_name("latency").and_then(|l| l.as_binary_opt::<i32>());
        let latency = latency.ok_or_else(|| wrong("latency"))?;
        for (row, (pane_us, series)) in rows.into_iter().enumerate() {
            if mark {
                self.dirty_days.insert(pane_us.div_euclid(DAY_US));
            }
            let mut sum = SloSum::default();
            for (count, column) in sum.counts.iter_mut().zip(&counts) {
                *count = column.value(row);
            }
            if !sum.latency.merge_bytes(latency.value(row)) {
                return Err(wrong("latency"));
            }
            for length_s in lengths_s {
                let start = window_start(pane_us, *length_s);
                let level = self.slo.entry(*length_s).or_default();
                let sums = level.entry(start).or_default();
                let entry = sums.entry(Arc::clone(&series)).or_default();
                let was = entry.counted();
                entry.add(&sum);
                if *length_s == MATURITY_S {
                    self.maturity.replace(start, was, entry.counted());
                }
                if mark && *length_s != FINE_S {
                    let window = (*length_s, start);
                    self.changed.insert(window);
                    let entry = self.changed_slo.entry(window).or_default();
                    entry.insert(Arc::clone(&series));
                }
            }
        }
        Ok(())
    }

    /// Adds signed cost panes of 10 s.
    ///
    /// # Errors
    /// Where the batch does not have the columns of [`model::pane::COST_PANE_SCHEMA`].
    pub fn add_cost(&mut self, batch: &RecordBatch, mark: bool) -> Result<(), WindowError> {
        let rows = self.series(batch)?;
        let currency = self.texts(batch, "currency")?;
        let kind = self.texts(batch, "kind")?;
        let decimal = |name: &str| {
            let column = batch.column_by_name(name);
            let column = column.and_then(|column| column.as_primitive_opt::<Decimal128Type>());
            column.ok_or_else(|| wrong(name))
        };
        let long = |name: &str| {
            let column = batch.column_by_name(name);
            let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
            column.ok_or_else(|| wrong(name))
        };
        let (amount, quantity) = (decimal("amount")?, decimal("quantity")?);
        let (messages, delivered) = (long("messages")?, long("delivered")?);
        for (row, (pane_us, series)) in rows.into_iter().enumerate() {
            if mark {
                self.dirty_days.insert(pane_us.div_euclid(DAY_US));
            }
            let kind = kind.get(row).ok_or_else(|| wrong("kind"))?;
            let key = (series, currency.get(row), kind);
            let sum = CostSum {
                amount: amount.value(row),
                quantity: quantity.value(row),
                messages: messages.value(row),
                delivered: delivered.value(row),
            };
            for length_s in WINDOWS_S {
                let window = (length_s, window_start(pane_us, length_s));
                let level = self.cost.entry(length_s).or_default();
                level.entry(window.1).or_default().entry(key.clone()).or_default().add(&sum);
                if mark {
                    self.changed.insert(window);
                    self.changed_cost.entry(window).or_default().insert(key.clone());
                }
            }
        }
        Ok(())
    }

    /// Windows that changed since they were last taken, by length and start.
    pub fn changed(&self) -> impl Iterator<Item = Window> + '_ {
        self.changed.iter().copied()
    }

    /// Marks windows as changed, with every series that they hold: after a restart it is not known
    /// any more which of them it was.
    pub fn mark(&mut self, windows: impl IntoIterator<Item = Window>) {
        for window in windows {
            self.changed.insert(window);
            let slo = self.slo.get(&window.0).and_then(|level| level.get(&window.1));
            let series = slo.into_iter().flat_map(HashMap::keys).cloned();
            self.changed_slo.entry(window).or_default().extend(series);
            let cost = self.cost.get(&window.0).and_then(|level| level.get(&window.1));
            let series = cost.into_iter().flat_map(HashMap::keys).cloned();
            self.changed_cost.entry(window).or_default().extend(series);
        }
    }

    /// Marks the costs of windows as changed: what is said of them beside the sums did.
    pub fn mark_costs(&mut self, windows: impl IntoIterator<Item = Window>) {
        for window in windows {
            let cost = self.cost.get(&window.0).and_then(|level| level.get(&window.1));
            let series = cost.into_iter().flat_map(HashMap::keys).cloned();
            self.changed_cost.entry(window).or_default().extend(series);
            self.changed.insert(window);
        }
    }

    /// Takes windows out of the changed ones: the sums of the series that changed in them, as pane
    /// rows whose `pane_start` is the window's start.
    ///
    /// # Errors
    /// Where a batch cannot be built: a mistake in this file.
    pub fn take(&mut self, windows: &[Window]) -> Result<(RecordBatch, RecordBatch), WindowError> {
        let mut slo = SloRows::default();
        let mut cost = CostRows::default();
        for window in windows {
            self.changed.remove(window);
            let sums = self.slo.get(&window.0).and_then(|level| level.get(&window.1));
            for series in self.changed_slo.remove(window).unwrap_or_default() {
                let empty = SloSum::default();
                let sum = sums.and_then(|sums| sums.get(&series)).unwrap_or(&empty);
                slo.push(window.1, &series, sum);
            }
            let sums = self.cost.get(&window.0).and_then(|level| level.get(&window.1));
            for key in self.changed_cost.remove(window).unwrap_or_default() {
                let empty = CostSum::default();
                let sum = sums.and_then(|sums| sums.get(&key)).unwrap_or(&empty);
                cost.push(window.1, &key, sum);
            }
        }
        Ok((slo.finish()?, cost.finish()?))
    }

    /// Counts in `[from_us, to_us)`, by series, from as few sums as cover it. The borders are exact
    /// to 10 s where the finest sums are still held, to the minute before that.
    #[must_use]
    pub fn slide(&self, from_us: i64, to_us: i64) -> HashMap<Series, SloSum> {
        let mut sums: HashMap<Series, SloSum> = HashMap::new();
        let mut at = from_us;
        while at < to_us {
            let length_s = self.longest_from(at, to_us);
            let level = self.slo.get(&length_s);
            for (series, sum) in level.and_then(|level| level.get(&at)).into_iter().flatten() {
                let entry = sums.entry(Arc::clone(series)).or_default();
                for (count, more) in entry.counts.iter_mut().zip(sum.counts) {
                    *count += more;
                }
            }
            at += i64::from(length_s) * SECOND_US;
        }
        sums
    }

    /// The longest length whose window starts at `at` and ends by `to_us`.
    fn longest_from(&self, at: i64, to_us: i64) -> u32 {
        let fits = |length_s: &&u32| {
            let length_us = i64::from(**length_s) * SECOND_US;
            at.rem_euclid(length_us) == 0 && at + length_us <= to_us
        };
        WINDOWS_S.iter().rev().find(fits).copied().unwrap_or(FINE_S)
    }

    /// Cost sums of one length in `[from_us, to_us)`, ascending by window.
    pub fn costs(
        &self,
        length_s: u32,
        from_us: i64,
        to_us: i64,
    ) -> impl Iterator<Item = (i64, &CostSeries, &CostSum)> {
        let level = self.cost.get(&length_s);
        level
            .into_iter()
            .flat_map(move |level| level.range(from_us..to_us))
            .flat_map(|(start, sums)| sums.iter().map(move |(series, sum)| (*start, series, sum)))
    }

    /// How complete the minutes are.
    #[must_use]
    pub const fn maturity(&self) -> &Maturity {
        &self.maturity
    }

    /// Drops what cannot change any more and was published as it is.
    pub fn prune(&mut self, watermark_us: i64) {
        let old = watermark_us.saturating_sub(KEPT_US);
        let fine_old = watermark_us.saturating_sub(FINE_KEPT_US);
        for (length_s, level) in &mut self.slo {
            let before_us = if *length_s == FINE_S { fine_old } else { old };
            for start in passed(level, *length_s, before_us, &self.changed) {
                level.remove(&start);
                if *length_s == MATURITY_S {
                    self.maturity.forget(start);
                }
            }
        }
        for (length_s, level) in &mut self.cost {
            for start in passed(level, *length_s, old, &self.changed) {
                level.remove(&start);
            }
        }
    }

    /// Days (since 1970) whose minutes changed since [`Self::clear_dirty_days`].
    #[must_use]
    pub const fn dirty_days(&self) -> &BTreeSet<i64> {
        &self.dirty_days
    }

    /// Whether any minute of a day (since 1970) is held.
    #[must_use]
    pub fn holds_day(&self, day: i64) -> bool {
        let minutes = day * DAY_US..(day + 1) * DAY_US;
        let slo = self.slo.get(&60).is_some_and(|l| l.range(minutes.clone()).next().is_some());
        slo || self.cost.get(&60).is_some_and(|l| l.range(minutes).next().is_some())
    }

    /// What changed is written.
    pub fn clear_dirty_days(&mut self) {
        self.dirty_days.clear();
    }

    /// The minutes of a day (since 1970), SLO and cost: with those of all days and
    /// [`Self::snapshot_fine`] everything that recovery needs.
    ///
    /// # Errors
    /// Where a batch cannot be built: a mistake in this file.
    pub fn snapshot_day(&self, day: i64) -> Result<[RecordBatch; 2], WindowError> {
        let (from, to) = (day * DAY_US, (day + 1) * DAY_US);
        let mut cost = CostRows::default();
        let minutes = self.cost.get(&60).into_iter().flat_map(|level| level.range(from..to));
        for (start, sums) in minutes {
            for (key, sum) in sums {
                cost.push(*start, key, sum);
            }
        }
        Ok([self.slo_rows(60, from, to)?, cost.finish()?])
    }

    /// The finest sums.
    ///
    /// # Errors
    /// Where a batch cannot be built: a mistake in this file.
    pub fn snapshot_fine(&self) -> Result<RecordBatch, WindowError> {
        self.slo_rows(FINE_S, i64::MIN, i64::MAX)
    }

    fn slo_rows(&self, length_s: u32, from: i64, to: i64) -> Result<RecordBatch, WindowError> {
        let mut rows = SloRows::default();
        let level = self.slo.get(&length_s);
        for (start, sums) in level.into_iter().flat_map(|level| level.range(from..to)) {
            for (series, sum) in sums {
                rows.push(*start, series, sum);
            }
        }
        rows.finish()
    }

    /// Puts a snapshot back into an empty store; nothing counts as changed.
    ///
    /// # Errors
    /// Where the batches are no snapshot.
    pub fn restore(
        &mut self,
        slo: &[RecordBatch],
        fine: &[RecordBatch],
    ) -> Result<(), WindowError> {
        for batch in slo {
            self.add_slo_to(batch, &WINDOWS_S, false)?;
        }
        for batch in fine {
            self.add_slo_to(batch, &[FINE_S], false)?;
        }
        Ok(())
    }

    /// Series known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// No series known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

/// Starts before a time of which nothing waits to be published: neither the window itself nor a
/// longer one around it, which a snapshot makes of its minutes. (Nothing is made of the finest.)
fn passed<T>(
    level: &BTreeMap<i64, T>,
    length_s: u32,
    before_us: i64,
    changed: &BTreeSet<Window>,
) -> Vec<i64> {
    let starts = level.range(..before_us).map(|(start, _)| *start);
    let waits = |start: i64| {
        let base = length_s != FINE_S;
        let around = WINDOWS_S.into_iter().filter(|length| base && *length >= length_s);
        around.into_iter().any(|length| changed.contains(&(length, window_start(start, length))))
    };
    starts.filter(|start| !waits(*start)).collect()
}

/// Age of a window by the watermark, for the pace of its revisions.
#[must_use]
pub const fn revision_pace_us(age_us: i64) -> i64 {
    if age_us < 600 * SECOND_US {
        10 * SECOND_US
    } else if age_us < HOUR_US {
        60 * SECOND_US
    } else {
        900 * SECOND_US
    }
}

#[cfg(test)]
mod tests;

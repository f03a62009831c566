//! The sums that windows are made of, kept by length, so that a late delta costs the same as a
//! fresh one.
//!
//! ```text
//! signed pane row (10 s) ─┬─► 10 s    kept 2 h behind the watermark: alerts slide over them
//!                         ├─► 60 s    kept 35 days; what a snapshot holds
//!                         └─► 300 s, 3600 s, 86400 s   rebuilt from the 60 s on recovery
//! ```
//! Invariant: every sum is an integer, so the order of rows cannot matter. What changed since it
//! was last published is remembered by window.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Decimal128Builder, Int64Builder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use model::pane::{COST_PANE_SCHEMA, SERIES, SLO_COUNTS, SLO_PANE_SCHEMA};
use model::sketch::Sketch;
use model::time::{DAY_US, HOUR_US, SECOND_US};
use model::window::{WINDOWS_S, window_start};

use crate::error::WindowError;
use crate::rows;

/// Length of the finest sums, seconds.
pub const FINE_S: u32 = 10;
/// The finest sums are kept so long behind the watermark.
const FINE_KEPT_US: i64 = 2 * HOUR_US;
/// The others are kept so long: nothing older can change.
const KEPT_US: i64 = 36 * DAY_US;

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

fn wrong(column: &str) -> WindowError {
    let detail = format!("column {column} is missing or has another type");
    WindowError::FitSchema { table: "panes".to_owned(), detail }
}

impl PaneStore {
    fn texts<'a>(&mut self, batch: &'a RecordBatch, name: &str) -> Result<Texts<'a>, WindowError> {
        let column = batch.column_by_name(name).ok_or_else(|| wrong(name))?;
        let keys = column.as_dictionary_opt::<Int32Type>().ok_or_else(|| wrong(name))?;
        let words = keys.values().as_string_opt::<i32>().ok_or_else(|| wrong(name))?;
        let words = words.iter().map(|word| word.map(|word| self.intern(word))).collect();
        Ok(Texts { keys, words })
    }

    fn intern(&mut self, word: &str) -> Arc<str> {
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
    /// Where the batch does not have the columns of [`SLO_PANE_SCHEMA`].
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
                sums.entry(Arc::clone(&series)).or_default().add(&sum);
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
    /// Where the batch does not have the columns of [`COST_PANE_SCHEMA`].
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

    /// Sums of the finest panes in `[from_us, to_us)`, by series.
    #[must_use]
    pub fn slide(&self, from_us: i64, to_us: i64) -> HashMap<Series, SloSum> {
        let mut sums: HashMap<Series, SloSum> = HashMap::new();
        let Some(level) = self.slo.get(&FINE_S) else { return sums };
        for (_, pane) in level.range(from_us..to_us) {
            for (series, sum) in pane {
                let entry = sums.entry(Arc::clone(series)).or_default();
                for (count, more) in entry.counts.iter_mut().zip(sum.counts) {
                    *count += more;
                }
            }
        }
        sums
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

    /// Messages by window length 60 s: (start, total, pending), for completeness.
    pub fn maturity(&self) -> impl Iterator<Item = (i64, i64, i64)> + '_ {
        self.slo.get(&60).into_iter().flat_map(|level| {
            level.iter().map(|(start, sums)| {
                // Series where no receipt can prove delivery do not count.
                let counted = sums.values().filter(|sum| sum.counts[8] != 0);
                let (total, pending) = counted.fold((0, 0), |(total, pending), sum| {
                    (total + sum.counts[0], pending + sum.counts[7])
                });
                (*start, total, pending)
            })
        })
    }

    /// Drops what cannot change any more.
    pub fn prune(&mut self, watermark_us: i64) {
        for (length_s, level) in &mut self.slo {
            let kept_us = if *length_s == FINE_S { FINE_KEPT_US } else { KEPT_US };
            *level = level.split_off(&(watermark_us.saturating_sub(kept_us)));
        }
        for level in self.cost.values_mut() {
            *level = level.split_off(&(watermark_us.saturating_sub(KEPT_US)));
        }
    }

    /// Everything that recovery needs: SLO sums of 60 s, of 10 s, cost sums of 60 s.
    ///
    /// # Errors
    /// Where a batch cannot be built: a mistake in this file.
    pub fn snapshot(&self) -> Result<[RecordBatch; 3], WindowError> {
        let slo = |length_s: u32| {
            let mut rows = SloRows::default();
            for (start, sums) in self.slo.get(&length_s).into_iter().flatten() {
                for (series, sum) in sums {
                    rows.push(*start, series, sum);
                }
            }
            rows.finish()
        };
        let mut cost = CostRows::default();
        for (start, sums) in self.cost.get(&60).into_iter().flatten() {
            for (key, sum) in sums {
                cost.push(*start, key, sum);
            }
        }
        Ok([slo(60)?, slo(FINE_S)?, cost.finish()?])
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

#[derive(Default)]
struct Dims {
    start: TimestampMicrosecondBuilder,
    texts: [StringDictionaryBuilder<Int32Type>; 5],
}

impl Dims {
    fn push(&mut self, start_us: i64, series: &Series) {
        self.start.append_value(start_us);
        for (builder, text) in self.texts.iter_mut().zip(series.iter()) {
            builder.append_option(text.as_deref());
        }
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.start.finish().with_timezone("UTC"))];
        columns.extend(self.texts.iter_mut().map(|text| Arc::new(text.finish()) as ArrayRef));
        columns
    }
}

#[derive(Default)]
struct SloRows {
    dims: Dims,
    counts: [Int64Builder; 11],
    latency: BinaryBuilder,
}

impl SloRows {
    fn push(&mut self, start_us: i64, series: &Series, sum: &SloSum) {
        self.dims.push(start_us, series);
        for (builder, count) in self.counts.iter_mut().zip(sum.counts) {
            builder.append_value(count);
        }
        self.latency.append_value(sum.latency.to_bytes());
    }

    fn finish(mut self) -> Result<RecordBatch, WindowError> {
        let mut columns = self.dims.finish();
        columns.extend(self.counts.iter_mut().map(|count| Arc::new(count.finish()) as ArrayRef));
        columns.push(Arc::new(self.latency.finish()));
        rows::batch(Arc::clone(&SLO_PANE_SCHEMA), columns, "slo_panes")
    }
}

#[derive(Default)]
struct CostRows {
    dims: Dims,
    currency: StringDictionaryBuilder<Int32Type>,
    kind: StringDictionaryBuilder<Int32Type>,
    decimals: [Decimal128Builder; 2],
    counts: [Int64Builder; 2],
}

impl CostRows {
    fn push(&mut self, start_us: i64, key: &CostSeries, sum: &CostSum) {
        self.dims.push(start_us, &key.0);
        self.currency.append_option(key.1.as_deref());
        self.kind.append_value(&key.2);
        self.decimals[0].append_value(sum.amount);
        self.decimals[1].append_value(sum.quantity);
        self.counts[0].append_value(sum.messages);
        self.counts[1].append_value(sum.delivered);
    }

    fn finish(mut self) -> Result<RecordBatch, WindowError> {
        let mut columns = self.dims.finish();
        columns.push(Arc::new(self.currency.finish()));
        columns.push(Arc::new(self.kind.finish()));
        for decimal in &mut self.decimals {
            let array = decimal.finish().with_precision_and_scale(38, 9);
            columns.push(Arc::new(array.map_err(|_| wrong("decimal"))?));
        }
        columns.extend(self.counts.iter_mut().map(|count| Arc::new(count.finish()) as ArrayRef));
        rows::batch(Arc::clone(&COST_PANE_SCHEMA), columns, "cost_panes")
    }
}

//! The heart of the job: decides on normalized batches and closes epochs. One thread, no I/O.
//!
//! ```text
//! Normalized ─► tracker decisions ─► rows of the open epoch ─► Draft (tables, ledger, slices)
//!               by the watermark of the epoch before
//! ```
//! What an epoch decides depends on the manifest before it and on its records only, so replaying
//! its segments gives the same state.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, Int64Builder, StringDictionaryBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use model::charge;
use model::dead_letter::{DeadLetter, DeadRecord};
use model::event::with_stored_columns;
use model::manifest::InputRange;
use model::schema;
use model::vocabulary::Disposition;
use normalize::Normalized;
use track::{Decision, Flush, SLICES};

use super::dead;
use super::elements::Elements;
use super::inputs::{Inputs, Opening};
use super::sought;
use super::trackers::Trackers;
use crate::failure::Outcome;

/// Slices that one epoch writes what changed of: all of them in sixteen epochs, so recovery replays
/// no more than that.
const SLICES_AN_EPOCH: usize = 4;
/// Messages after which an epoch merges no more runs, so that it is not held up.
const MERGED_AN_EPOCH: u64 = 200_000;

/// An epoch, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) epoch: u64,
    pub(crate) inputs: Vec<InputRange>,
    pub(crate) watermark_us: Option<i64>,
    pub(crate) committed_at_us: i64,
    /// Rows by table.
    pub(crate) tables: BTreeMap<&'static str, Vec<RecordBatch>>,
    /// What changed in some slices.
    pub(crate) flushes: Vec<Arc<Flush>>,
    /// Slices that did not change: what was written of them holds for this epoch too.
    pub(crate) unchanged: Vec<u8>,
    /// Small values that go with the job.
    pub(crate) values: BTreeMap<String, String>,
    /// When each batch's oldest record was appended, and how many records it had.
    pub(crate) appended: Vec<(i64, u64)>,
    pub(crate) released: bool,
}

/// Whose watermark an epoch closes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The inputs'.
    Inputs,
    /// This one: files have a rule of their own.
    Fixed(Option<i64>),
}

/// The job's state in memory.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) inputs: Inputs,
    pub(crate) trackers: Trackers,
    /// Number of the epoch that is open.
    pub(crate) epoch: u64,
    /// Watermark of the newest closed epoch: lateness is judged by it.
    pub(crate) watermark_us: Option<i64>,
    pub(crate) values: BTreeMap<String, String>,
    /// The slice to be written next.
    pub(crate) next_slice: u8,
    tables: BTreeMap<&'static str, Vec<RecordBatch>>,
    /// Lines of bills to be stored, with what became of each.
    lines: Vec<(RecordBatch, Vec<Disposition>)>,
    dead: Vec<DeadLetter>,
    dead_records: Vec<DeadRecord>,
    appended: Vec<(i64, u64)>,
    bytes: usize,
    rows: usize,
}

impl Core {
    /// State as of a committed epoch.
    pub(crate) fn new(inputs: Inputs, trackers: Trackers, epoch: u64) -> Self {
        Self {
            inputs,
            trackers,
            epoch: epoch + 1,
            watermark_us: None,
            values: BTreeMap::new(),
            next_slice: 0,
            tables: BTreeMap::new(),
            lines: Vec::new(),
            dead: Vec::new(),
            dead_records: Vec::new(),
            appended: Vec::new(),
            bytes: 0,
            rows: 0,
        }
    }

    /// Reads these inputs from now on.
    pub(crate) fn open(&mut self, opened: Vec<Opening>) {
        for opening in opened {
            if opening.sought_back {
                let key = sought::key(self.epoch, &opening.input);
                self.values.insert(key, opening.offset.to_string());
            }
            self.inputs.start(opening);
        }
    }

    /// Bytes of raw records in the open epoch.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the open epoch has anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0 && self.appended.is_empty() && self.rows == 0
    }

    /// Takes a normalized batch in. Batches come in the order in which they were read.
    pub(crate) fn accept(
        &mut self,
        normalized: Normalized,
        raw_bytes: usize,
        now_us: i64,
    ) -> Outcome<()> {
        for tally in &normalized.tallies {
            self.inputs.tally(tally, now_us);
        }
        self.bytes += raw_bytes;
        self.dead.extend(normalized.dead);
        self.dead_records.extend(normalized.dead_records);
        let Normalized { events, charges, .. } = normalized;
        self.rows += events.num_rows() + charges.num_rows();
        let mut decisions = Vec::new();
        if events.num_rows() > 0 {
            decisions = self.trackers.decide(&events, self.watermark_us)?;
            self.store(&events, &decisions)?;
        }
        if charges.num_rows() == 0 {
            self.enter(&events, &decisions);
            return Ok(());
        }
        let open = (self.epoch, self.watermark_us);
        let on_lines = self.trackers.decide_lines(&charges, open)?;
        // An element counts once, whatever came of it: its lines may follow its event.
        let elements = Elements::of([(&events, &decisions), (&charges, &on_lines)]);
        self.enter(&events, &elements.first_of(&events, &decisions, 0));
        self.enter(&charges, &elements.first_of(&charges, &on_lines, 1));
        self.store_lines(&charges, &on_lines)?;
        Ok(())
    }

    fn store_lines(
        &mut self,
        lines: &RecordBatch,
        decisions: &[Decision],
    ) -> Result<(), ArrowError> {
        let keep: BooleanArray =
            decisions.iter().map(|decision| Some(*decision != Decision::Duplicate)).collect();
        let kept: Vec<Disposition> = decisions.iter().filter_map(|d| disposition(*d)).collect();
        if !kept.is_empty() {
            self.lines.push((filter_record_batch(lines, &keep)?, kept));
        }
        Ok(())
    }

    /// Adds rows of a table that is no matter of the trackers.
    pub(crate) fn add(&mut self, table: &'static str, rows: RecordBatch) {
        self.rows += rows.num_rows();
        self.tables.entry(table).or_default().push(rows);
    }

    /// Notes when records were appended, for the latency to visibility.
    pub(crate) fn note_appended(&mut self, oldest_us: i64, records: u64) {
        self.appended.push((oldest_us, records));
    }

    /// Enters decisions into the ledger; rows without one were entered before. The key of `topic`
    /// is the input's id.
    fn enter<D: Copy + Into<Option<Decision>>>(&mut self, events: &RecordBatch, decisions: &[D]) {
        let topics = events.column_by_name("topic");
        let Some(topics) = topics.and_then(|topics| topics.as_dictionary_opt::<Int32Type>()) else {
            return;
        };
        let times = events.column_by_name("ingest_time");
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let below = |row: usize| {
            let time = times.filter(|times| !times.is_null(row)).map(|times| times.value(row));
            time.is_some() && time < self.watermark_us
        };
        for (row, (key, decision)) in topics.keys().values().iter().zip(decisions).enumerate() {
            let at = usize::try_from(*key).unwrap_or(usize::MAX);
            let Some(state) = self.inputs.states.get_mut(at) else { continue };
            let Some(decision) = (*decision).into() else { continue };
            state.range.disorder += i64::from(below(row));
            match decision {
                Decision::New => state.range.accepted += 1,
                Decision::Duplicate | Decision::Earlier => state.range.duplicate += 1,
                Decision::Late => state.range.late += 1,
            }
        }
    }

    fn store(&mut self, events: &RecordBatch, decisions: &[Decision]) -> Result<(), ArrowError> {
        let keep: BooleanArray =
            decisions.iter().map(|decision| Some(*decision != Decision::Duplicate)).collect();
        let dispositions: Vec<Disposition> =
            decisions.iter().filter_map(|decision| disposition(*decision)).collect();
        if dispositions.len() < decisions.len() {
            let again = filter_record_batch(events, &inverse(&keep))?;
            let columns = ["message_key", "topic", "partition", "offset", "element"];
            let schema = again.schema();
            let positions: Result<Vec<usize>, ArrowError> =
                columns.iter().map(|name| schema.index_of(name)).collect();
            self.tables.entry("duplicates").or_default().push(again.project(&positions?)?);
            let kept = filter_record_batch(events, &keep)?;
            let stored = with_stored_columns(&kept, &dispositions, self.epoch)?;
            self.tables.entry("events").or_default().push(stored);
            return Ok(());
        }
        let stored = with_stored_columns(events, &dispositions, self.epoch)?;
        self.tables.entry("events").or_default().push(stored);
        Ok(())
    }

    /// Closes the open epoch at this processing time.
    pub(crate) fn close(&mut self, now_us: i64, mark: Mark) -> Outcome<Draft> {
        let mark = match mark {
            Mark::Inputs => self.inputs.watermark_us(now_us),
            Mark::Fixed(mark) => mark,
        };
        self.watermark_us = self.watermark_us.max(mark);
        let mut tables = std::mem::take(&mut self.tables);
        for (lines, kept) in std::mem::take(&mut self.lines) {
            let stored = charge::with_stored_columns(&lines, &kept, (self.epoch, now_us))?;
            tables.entry("charge_lines").or_default().push(stored);
        }
        for output in self.trackers.close_epoch(self.epoch, self.watermark_us, now_us)? {
            let charges = output.charges.into_iter().map(|batch| ("charges", batch));
            let others = [
                ("slo_panes", output.slo_panes),
                ("cost_panes", output.cost_panes),
                ("messages", output.messages),
            ];
            for (table, batch) in others.into_iter().chain(charges) {
                if batch.num_rows() > 0 {
                    tables.entry(table).or_default().push(batch);
                }
            }
        }
        let inputs = self.inputs.take_ranges();
        let dead = std::mem::take(&mut self.dead);
        let records = std::mem::take(&mut self.dead_records);
        for (table, rows) in [
            ("dead_letters", dead::letters(&dead, &self.inputs, self.epoch)?),
            ("dead_records", dead::records(&records, &self.inputs, self.epoch, now_us)?),
        ] {
            if rows.num_rows() > 0 {
                tables.entry(table).or_default().push(rows);
            }
        }
        let lines = ledger(&inputs, self.epoch, now_us)?;
        if lines.num_rows() > 0 {
            tables.entry("ledger").or_default().push(lines);
        }
        let (flushes, unchanged) = self.flushes()?;
        let draft = Draft {
            epoch: self.epoch,
            inputs,
            watermark_us: self.watermark_us,
            committed_at_us: now_us,
            tables,
            flushes,
            unchanged,
            values: self.values.clone(),
            appended: std::mem::take(&mut self.appended),
            released: false,
        };
        self.epoch += 1;
        self.bytes = 0;
        self.rows = 0;
        Ok(draft)
    }

    /// The next slices that changed, round and round, up to a bound; and those that did not change.
    fn flushes(&mut self) -> Outcome<(Vec<Arc<Flush>>, Vec<u8>)> {
        let touched = self.trackers.touched();
        let unchanged = (0..SLICES).filter(|slice| !touched.contains(slice)).collect();
        let mut flushes: Vec<Arc<Flush>> = Vec::new();
        let mut n_messages = 0;
        if !crate::proof::commits() {
            return Ok((flushes, unchanged));
        }
        for step in 0..SLICES {
            let slice = (self.next_slice + step) % SLICES;
            if !touched.contains(&slice) {
                continue;
            }
            if flushes.len() >= SLICES_AN_EPOCH {
                self.next_slice = slice;
                break;
            }
            let may_merge = n_messages < MERGED_AN_EPOCH;
            if let Some(flush) = self.trackers.flush(slice, may_merge, self.watermark_us)? {
                n_messages += flush.n_messages();
                flushes.push(flush);
            }
        }
        Ok((flushes, unchanged))
    }
}

/// How a row is stored; a plain duplicate is not.
const fn disposition(decision: Decision) -> Option<Disposition> {
    match decision {
        Decision::New => Some(Disposition::Accepted),
        Decision::Late => Some(Disposition::Late),
        Decision::Earlier => Some(Disposition::Earlier),
        Decision::Duplicate => None,
    }
}

fn inverse(mask: &BooleanArray) -> BooleanArray {
    mask.iter().map(|set| set.map(|set| !set)).collect()
}

/// The ledger's rows of an epoch: inputs on which anything happened.
fn ledger(inputs: &[InputRange], epoch: u64, now_us: i64) -> Result<RecordBatch, ArrowError> {
    let mut topic = StringDictionaryBuilder::<Int32Type>::new();
    let mut partition = Int32Builder::new();
    let mut counts: [Int64Builder; 10] = std::array::from_fn(|_| Int64Builder::new());
    let moved = |range: &&InputRange| range.end_offset != range.start_offset || range.elements > 0;
    for range in inputs.iter().filter(moved) {
        topic.append_value(&range.topic);
        partition.append_value(range.partition);
        let values = [
            range.start_offset,
            range.end_offset,
            range.records,
            range.gaps,
            range.elements,
            range.accepted,
            range.duplicate,
            range.late,
            range.dead,
            range.ignored,
        ];
        for (builder, value) in counts.iter_mut().zip(values) {
            builder.append_value(value);
        }
    }
    let topic = topic.finish();
    let rows = topic.len();
    let mut at = TimestampMicrosecondBuilder::new();
    at.append_value_n(now_us, rows);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(arrow_array::UInt64Array::from(vec![epoch; rows])),
        Arc::new(topic),
        Arc::new(partition.finish()),
    ];
    columns.extend(counts.map(|mut builder| Arc::new(builder.finish()) as ArrayRef));
    columns.push(Arc::new(at.finish().with_timezone("UTC")));
    RecordBatch::try_new(schema::LEDGER.arrow(), columns)
}

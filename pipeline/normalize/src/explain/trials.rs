//! Changed copies of one record, normalized, and which columns they change; bounded by bytes.

use arrow_array::RecordBatch;
use model::record::{Input, RawBatch, RecordView};

use super::fields::{Field, Record};
use super::{POSITIONS, Row, RowId, Rows, WORDS};
use crate::text::cell;
use crate::{NormalizeError, Normalizer, Settings};

/// Bytes of all trials of a record together; what does not fit is not tried.
const TRIAL_BYTES_MAX: usize = 64 << 20;
/// What a row of a trial costs, as bytes.
const ROW_BYTES: usize = 1 << 10;
/// Trials normalized at a time.
const TRIAL_BATCH: usize = 4_096;

/// What is put into a field.
#[derive(Debug)]
pub(super) enum Other {
    /// A text, as the field's format has it.
    Text(String),
    /// A JSON value.
    Token(String),
}

/// Normalizes changed copies of one record.
#[derive(Debug)]
pub struct Trials<'a> {
    normalizer: Normalizer,
    inputs: &'a [Input],
    input: u32,
    ingest_time_us: Option<i64>,
    /// Bytes that may still be tried.
    left: usize,
    /// Nothing was left out for want of them.
    pub(super) is_complete: bool,
    /// Of the records that were run last.
    pub(super) elements: u32,
}

impl<'a> Trials<'a> {
    /// Copies of this record.
    #[must_use]
    pub fn new(settings: &Settings, view: &RecordView<'_>, inputs: &'a [Input]) -> Self {
        Self {
            normalizer: Normalizer::new(settings.clone()),
            inputs,
            input: view.input,
            ingest_time_us: view.ingest_time_us,
            left: TRIAL_BYTES_MAX,
            is_complete: true,
            elements: 0,
        }
    }

    /// Whether a few trials fit: else the record's fields need not be listed.
    pub(super) fn can_begin(&mut self, base: &Rows, record: &Record) -> bool {
        self.is_complete &= cost(base, record) <= self.left / WORDS.len();
        self.is_complete
    }

    /// Columns that are not as they were with any of these values in a field.
    pub(super) fn changes(
        &mut self,
        base: &Rows,
        record: &Record,
        (field, others): (&Field, &[Other]),
    ) -> Result<Vec<(RowId, &'static str)>, NormalizeError> {
        let bytes = cost(base, record) * others.len();
        if !self.is_complete || bytes > self.left {
            self.is_complete = false;
            return Ok(Vec::new());
        }
        self.left -= bytes;
        let put = |other: &Other| match other {
            Other::Text(text) => field.put_text(record, text),
            Other::Token(token) => field.put(record, token),
        };
        let records: Vec<Record> = others.iter().map(put).collect();
        let mut changed = Vec::new();
        for rows in self.run(&records)? {
            for (id, row) in base {
                let Some(trial) = rows.get(id) else { continue };
                let columns = row.iter().filter(|(column, held)| trial.get(*column) != Some(held));
                changed.extend(columns.map(|(column, _)| (*id, *column)));
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|(_, column)| !POSITIONS.contains(column));
        Ok(changed)
    }

    /// The events and charge lines of each record.
    ///
    /// # Errors
    /// As [`Normalizer::batch`].
    pub fn run(&mut self, records: &[Record]) -> Result<Vec<Rows>, NormalizeError> {
        let mut all = Vec::with_capacity(records.len());
        for part in records.chunks(TRIAL_BATCH) {
            let given = self.normalizer.batch(&self.batch(part), self.inputs)?;
            let elements = given.tallies.iter().map(|tally| tally.elements).sum::<i64>();
            self.elements = u32::try_from(elements).unwrap_or(u32::MAX);
            let mut rows: Vec<Rows> = vec![Rows::new(); part.len()];
            gather(&given.events, false, &mut rows);
            gather(&given.charges, true, &mut rows);
            all.extend(rows);
        }
        Ok(all)
    }

    fn batch(&self, records: &[Record]) -> RawBatch {
        let mut raw = RawBatch::default();
        for (offset, record) in (0..).zip(records) {
            record.append(&mut raw, self.input, offset, self.ingest_time_us);
        }
        raw
    }
}

/// What one trial of a record costs, as bytes.
fn cost(base: &Rows, record: &Record) -> usize {
    let headers = record.headers.iter().map(|(name, value)| name.len() + value.len());
    record.value.len() + headers.sum::<usize>() + base.len() * ROW_BYTES
}

/// Takes the rows of a batch to their records, whose numbers are their offsets.
fn gather(batch: &RecordBatch, are_charges: bool, rows: &mut [Rows]) {
    for at in 0..batch.num_rows() {
        let row: Row = crate::text::columns(batch)
            .filter_map(|(name, column)| Some((name, cell(column, at)?)))
            .collect();
        let number = |name: &str| row.get(name).and_then(|text| text.parse::<u32>().ok());
        let (Some(record), Some(element)) = (number("offset"), number("element")) else {
            continue;
        };
        let Some(rows) = rows.get_mut(record as usize) else { continue };
        let of_element = |charge| RowId { element, charge };
        let lines = (0..).map(Some).find(|line| !rows.contains_key(&of_element(*line)));
        let charge = lines.flatten().filter(|_| are_charges);
        rows.insert(of_element(charge), row);
    }
}

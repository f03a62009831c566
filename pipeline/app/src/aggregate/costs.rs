//! Anomaly scores of cost windows: one online detector a cost series, over its 5-minute windows.
//!
//! A window is scored once, when the watermark has passed its end by a minute; later revisions of
//! it keep the score of the past they had. Windows of other lengths have none.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use model::time::{DAY_US, MINUTE_US, SECOND_US};
use score::anomaly::{Detector, Scored};
use window::{CostSeries, PaneStore};

use crate::failure::Outcome;

/// Length of the windows that are scored.
const SCORED_S: u32 = 300;
/// History from which detectors are rebuilt on recovery.
const HISTORY_US: i64 = 8 * DAY_US;

type Key = Vec<Option<String>>;

/// Detectors and the scores that they gave.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    detectors: HashMap<Key, Detector>,
    scores: HashMap<(Key, i64), Scored>,
    scored_to_us: Option<i64>,
}

fn key(series: &CostSeries) -> Key {
    let mut key: Key = series.0.iter().map(|text| text.as_deref().map(str::to_owned)).collect();
    key.push(series.1.as_deref().map(str::to_owned));
    key.push(Some(series.2.to_string()));
    key
}

impl Costs {
    /// Detectors as they were: fed again with the windows of the last days, in order.
    pub(crate) fn rebuild(&mut self, store: &PaneStore, watermark_us: Option<i64>) {
        let Some(mark) = watermark_us else { return };
        self.scored_to_us = Some(mark.saturating_sub(HISTORY_US));
        self.advance(store, mark);
    }

    /// Scores the windows that the watermark has passed.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no exact amount")]
    fn advance(&mut self, store: &PaneStore, watermark_us: i64) {
        let length_us = i64::from(SCORED_S) * SECOND_US;
        let to = watermark_us.saturating_sub(length_us + MINUTE_US);
        let to = model::window::floor(to, length_us);
        let from = self.scored_to_us.unwrap_or(to.saturating_sub(HISTORY_US));
        if to <= from {
            return;
        }
        for (start, series, sum) in store.costs(SCORED_S, from, to) {
            let key = key(series);
            let detector =
                self.detectors.entry(key.clone()).or_insert_with(|| Detector::new(Some(SCORED_S)));
            let scored = detector.observe(start, sum.amount as f64 / 1e9);
            self.scores.insert((key, start), scored);
        }
        self.scored_to_us = Some(to);
        self.scores.retain(|(_, start), _| watermark_us - start < DAY_US);
    }

    /// Fills `score` and `expected` in.
    pub(crate) fn fill(
        &mut self,
        rows: RecordBatch,
        store: &PaneStore,
        watermark_us: Option<i64>,
    ) -> Outcome<RecordBatch> {
        if let Some(mark) = watermark_us {
            self.advance(store, mark);
        }
        if rows.num_rows() == 0 {
            return Ok(rows);
        }
        let schema = rows.schema();
        let at = |name: &str| schema.index_of(name);
        let (score_at, expected_at) = (at("score")?, at("expected")?);
        let (length_at, start_at) = (at("window_s")?, at("window_start")?);
        let mut texts = Vec::new();
        for name in ["source", "channel", "carrier", "country", "traffic_class", "currency", "kind"]
        {
            texts.push(at(name)?);
        }
        let mut found = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let length_s = rows.column(length_at).as_primitive::<UInt32Type>().value(row);
            let starts = rows.column(start_at).as_primitive::<TimestampMicrosecondType>();
            let key: Key = texts.iter().map(|column| text(&rows, *column, row)).collect();
            let scored = self.scores.get(&(key, starts.value(row)));
            found.push(scored.copied().filter(|_| length_s == SCORED_S));
        }
        let pick = |value: fn(&Scored) -> Option<f64>| -> ArrayRef {
            let array: Float64Array =
                found.iter().map(|scored| scored.as_ref().and_then(value)).collect();
            Arc::new(array)
        };
        let mut columns = rows.columns().to_vec();
        columns[score_at] = pick(|scored| scored.score);
        columns[expected_at] = pick(|scored| scored.expected);
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

fn text(rows: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = rows.column(column).as_dictionary_opt::<Int32Type>()?;
    if array.keys().is_null(row) {
        return None;
    }
    let words = array.values().as_string_opt::<i32>()?;
    Some(words.value(usize::try_from(array.keys().value(row)).ok()?).to_owned())
}

//! Anomaly scores of cost windows: one online detector a cost series, over its 5-minute windows.
//!
//! ```text
//! watermark passes a window's end by 1 min ─► detector observes it, once ─► published again,
//!                                                                           now with its score
//! ```
//! Later revisions of a window keep the score of the past they had. Windows of other lengths have
//! none. Windows are observed in the order of the job's epochs, and detectors are part of the
//! aggregate's state, so a restart changes no score.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use model::time::{DAY_US, MINUTE_US, SECOND_US};
use score::anomaly::{Detector, Scored};
use window::{CostSeries, PaneStore, Window};

use crate::failure::{Failure, Outcome};

/// Length of the windows that are scored.
const SCORED_S: u32 = 300;
/// How far back the first observation of a directory goes.
const HISTORY_US: i64 = 8 * DAY_US;

type Key = Vec<Option<String>>;

/// Detectors and the scores that they gave.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    detectors: BTreeMap<Key, Detector>,
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
    /// Scores the windows that the watermark has passed; gives those that have a score now.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no exact amount")]
    pub(crate) fn advance(&mut self, store: &PaneStore, watermark_us: i64) -> BTreeSet<Window> {
        let length_us = i64::from(SCORED_S) * SECOND_US;
        let to = model::window::floor(watermark_us.saturating_sub(MINUTE_US), length_us);
        let from = self.scored_to_us.unwrap_or(to.saturating_sub(HISTORY_US));
        let mut scored_windows = BTreeSet::new();
        if to <= from {
            return scored_windows;
        }
        for (start, series, sum) in store.costs(SCORED_S, from, to) {
            let key = key(series);
            let detector =
                self.detectors.entry(key.clone()).or_insert_with(|| Detector::new(Some(SCORED_S)));
            let scored = detector.observe(start, sum.amount as f64 / 1e9);
            self.scores.insert((key, start), scored);
            scored_windows.insert((SCORED_S, start));
        }
        self.scored_to_us = Some(to);
        self.scores.retain(|(_, start), _| watermark_us - start < DAY_US);
        scored_windows
    }

    /// Fills `score` and `expected` in.
    pub(crate) fn fill(&self, rows: RecordBatch) -> Outcome<RecordBatch> {
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

    /// Detectors as rows (series as JSON, bytes), and the scores kept (series, start, score,
    /// expected). A row without a series holds the end of what was scored.
    pub(crate) fn snapshot(&self) -> Result<[RecordBatch; 2], ArrowError> {
        let text = |key: &Key| serde_json::to_string(key).unwrap_or_default();
        let series: StringArray = self.detectors.keys().map(|key| Some(text(key))).collect();
        let states: Vec<Vec<u8>> = self.detectors.values().map(Detector::to_bytes).collect();
        let states = BinaryArray::from_iter_values(&states);
        let detectors = RecordBatch::try_new(
            detector_schema(),
            vec![Arc::new(series), Arc::new(states) as ArrayRef],
        )?;
        let mut kept: Vec<(String, i64, Scored)> =
            self.scores.iter().map(|((key, start), s)| (text(key), *start, *s)).collect();
        kept.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let end = self.scored_to_us;
        let series: StringArray =
            kept.iter().map(|row| Some(row.0.as_str())).chain(end.map(|_| None)).collect();
        let starts: Int64Array = kept.iter().map(|row| Some(row.1)).chain(end.map(Some)).collect();
        let none = end.map(|_| None);
        let scores: Float64Array = kept.iter().map(|row| row.2.score).chain(none).collect();
        let expected: Float64Array = kept.iter().map(|row| row.2.expected).chain(none).collect();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(series), Arc::new(starts), Arc::new(scores), Arc::new(expected)];
        Ok([detectors, RecordBatch::try_new(score_schema(), columns)?])
    }

    /// Puts a snapshot back.
    pub(crate) fn restore(
        &mut self,
        detectors: &[RecordBatch],
        scores: &[RecordBatch],
    ) -> Outcome<()> {
        let damaged = || Failure::protect("the state of cost scores is damaged");
        for batch in detectors.iter().filter(|batch| batch.schema() == detector_schema()) {
            let (series, states) =
                (batch.column(0).as_string::<i32>(), batch.column(1).as_binary::<i32>());
            for (text, state) in series.iter().flatten().zip(states.iter().flatten()) {
                let key = serde_json::from_str(text).map_err(|_| damaged())?;
                let detector = Detector::from_bytes(state).map_err(|error| {
                    Failure::protect(format!("the state of cost scores: {error}"))
                })?;
                self.detectors.insert(key, detector);
            }
        }
        for batch in scores.iter().filter(|batch| batch.schema() == score_schema()) {
            let starts = batch.column(1).as_primitive::<Int64Type>();
            let value = |column: usize, row: usize| {
                let column = batch.column(column).as_primitive::<Float64Type>();
                (!column.is_null(row)).then(|| column.value(row))
            };
            for (row, text) in batch.column(0).as_string::<i32>().iter().enumerate() {
                let Some(text) = text else {
                    self.scored_to_us = Some(starts.value(row));
                    continue;
                };
                let key = serde_json::from_str(text).map_err(|_| damaged())?;
                let (score, expected) = (value(2, row), value(3, row));
                let scored = Scored { score, expected, p: score.map(|score| 10_f64.powf(-score)) };
                self.scores.insert((key, starts.value(row)), scored);
            }
        }
        Ok(())
    }
}

fn detector_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::Utf8, false),
        Field::new("state", DataType::Binary, false),
    ]))
}

fn score_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::Utf8, true),
        Field::new("window_start_us", DataType::Int64, false),
        Field::new("score", DataType::Float64, true),
        Field::new("expected", DataType::Float64, true),
    ]))
}

fn text(rows: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = rows.column(column).as_dictionary_opt::<Int32Type>()?;
    if array.keys().is_null(row) {
        return None;
    }
    let words = array.values().as_string_opt::<i32>()?;
    Some(words.value(usize::try_from(array.keys().value(row)).ok()?).to_owned())
}

#[cfg(test)]
mod tests {
    use model::pane::COST_PANE_SCHEMA;

    use super::*;

    /// A cost pane of one series with this amount.
    fn pane(start_us: i64, amount: i128) -> RecordBatch {
        let word = |text: &str| -> ArrayRef {
            Arc::new([Some(text)].into_iter().collect::<arrow_array::DictionaryArray<Int32Type>>())
        };
        let decimal = |value: i128| -> ArrayRef {
            let array = arrow_array::Decimal128Array::from(vec![value]);
            Arc::new(array.with_precision_and_scale(38, 9).unwrap())
        };
        let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let start = arrow_array::TimestampMicrosecondArray::from(vec![start_us]);
        let columns = vec![
            Arc::new(start.with_timezone("UTC")) as ArrayRef,
            word("twilio"),
            word("sms"),
            word("att"),
            word("US"),
            word("otp"),
            word("USD"),
            word("message"),
            decimal(amount),
            decimal(model::money::ONE),
            Arc::clone(&one),
            one,
        ];
        RecordBatch::try_new(Arc::clone(&COST_PANE_SCHEMA), columns).unwrap()
    }

    fn fed(costs: &mut Costs, store: &mut PaneStore, windows: std::ops::Range<i64>) {
        let length_us = i64::from(SCORED_S) * SECOND_US;
        for number in windows {
            let amount = i128::from(100 + number % 7) * model::money::ONE;
            store.add_cost(&pane(number * length_us, amount), true).unwrap();
            costs.advance(store, (number + 1) * length_us + MINUTE_US);
        }
    }

    #[test]
    fn a_window_is_scored_when_the_watermark_passed_its_end_by_a_minute() {
        let (mut costs, mut store) = (Costs::default(), PaneStore::default());
        store.add_cost(&pane(0, model::money::ONE), true).unwrap();
        let end_us = i64::from(SCORED_S) * SECOND_US;
        assert!(costs.advance(&store, end_us + MINUTE_US - 1).is_empty());
        let scored = costs.advance(&store, end_us + MINUTE_US);
        assert_eq!(scored.into_iter().collect::<Vec<_>>(), [(SCORED_S, 0)]);
        assert!(costs.advance(&store, end_us + 2 * MINUTE_US).is_empty(), "scored once");
    }

    #[test]
    fn a_restart_changes_no_score() {
        let (mut whole, mut store) = (Costs::default(), PaneStore::default());
        fed(&mut whole, &mut store, 0..400);
        let (mut before, mut store) = (Costs::default(), PaneStore::default());
        fed(&mut before, &mut store, 0..300);
        let [detectors, scores] = before.snapshot().unwrap();
        let mut after = Costs::default();
        after.restore(&[detectors], &[scores]).unwrap();
        fed(&mut after, &mut store, 300..400);
        assert_eq!(after.scored_to_us, whole.scored_to_us);
        assert!(whole.scores.values().any(|scored| scored.score.is_some()));
        assert_eq!(after.snapshot().unwrap(), whole.snapshot().unwrap());
    }
}

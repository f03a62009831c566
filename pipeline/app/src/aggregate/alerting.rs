//! Objectives over the panes: at each 10 s of the watermark, sums of the last minutes by series,
//! judged by the objectives, turned into transitions by the alert book.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use alert::{
    AlertBook, Arithmetic, Dimension, Moment, Objective, OutcomeCounts, SeriesCounts, Transition,
    WindowCounts,
};
use arrow_array::builder::{StringBuilder, TimestampMicrosecondBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use model::schema;
use model::time::SECOND_US;
use window::{PaneStore, Series, SloSum};

use crate::failure::{Failure, Outcome};

/// The objective in force where the configuration names none.
const BUILT_IN: &str = include_str!("../../../../queries/objectives/delivery-rate.yaml");
/// Evaluations are this far apart, by watermark.
const STEP_US: i64 = 10 * SECOND_US;
/// A jump of the watermark is evaluated for its last hour only: nobody is paged for the past.
const STEPS_MAX: i64 = 360;

/// Budget formulas of the `score` crate, as the `alert` crate takes them.
pub(crate) const ARITHMETIC: Arithmetic = Arithmetic {
    burn_rate: score::burn::burn_rate,
    burn_floor: score::burn::burn_floor,
    max_burn: score::burn::max_burn,
    factor_of_share: score::burn::factor_of_share,
    detection_s: score::burn::detection_s,
};

/// Objectives and the book of their alerts.
#[derive(Debug)]
pub(crate) struct Alerting {
    book: AlertBook,
    evaluated_us: Option<i64>,
    /// Leaves a book alone that holds alerts of objectives it does not have.
    yields: bool,
    /// Such a book, carried on as it is.
    foreign: Option<String>,
}

impl Alerting {
    /// Reads objectives; without files the built-in one.
    pub(crate) fn open(files: &[PathBuf]) -> Outcome<Self> {
        let mut texts = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("objective {}: {error}", file.display()))
            })?;
            texts.push((file.display().to_string(), text));
        }
        if texts.is_empty() {
            texts.push(("built-in objective".to_owned(), BUILT_IN.to_owned()));
        }
        let mut objectives: Vec<Objective> = Vec::new();
        for (name, text) in &texts {
            let objective = Objective::parse(text, &ARITHMETIC).map_err(|error| {
                Failure::usage(format!("{name}: {}", crate::failure::chain(&error)))
            })?;
            if objectives.iter().any(|known| known.name == objective.name) {
                return Err(Failure::usage(format!(
                    "{name}: another file has an objective `{}` too; metadata.name must differ",
                    objective.name
                )));
            }
            objectives.push(objective);
        }
        let book = AlertBook::new(objectives, ARITHMETIC);
        Ok(Self { book, evaluated_us: None, yields: false, foreign: None })
    }

    /// For a command that does not know the objectives of the directory's `run`: where the book
    /// has alerts of others, nothing is evaluated and the book is carried on.
    pub(crate) const fn yielding(mut self) -> Self {
        self.yields = true;
        self
    }

    /// Goes on from a book written by [`Self::save`].
    pub(crate) fn restore(&mut self, text: &str, watermark_us: Option<i64>) -> Outcome<()> {
        let objectives = self.book.objectives().to_vec();
        self.book = AlertBook::restore(objectives, ARITHMETIC, text).map_err(|error| {
            Failure::protect(format!("the alert book: {}", crate::failure::chain(&error)))
        })?;
        self.evaluated_us = watermark_us.map(|mark| model::window::floor(mark, STEP_US));
        self.foreign = (self.yields && self.book.has_foreign()).then(|| text.to_owned());
        Ok(())
    }

    /// The book as JSON.
    pub(crate) fn save(&self) -> Outcome<String> {
        if let Some(text) = &self.foreign {
            return Ok(text.clone());
        }
        self.book
            .to_json()
            .map_err(|error| Failure::protect(format!("the alert book cannot be written: {error}")))
    }

    /// Evaluates every 10 s between the last watermark and this one.
    pub(crate) fn evaluate(
        &mut self,
        store: &PaneStore,
        watermark_us: i64,
        now_us: i64,
        epoch: u64,
    ) -> Vec<Transition> {
        if self.foreign.is_some() {
            return Vec::new();
        }
        let to = model::window::floor(watermark_us, STEP_US);
        let first = to - STEPS_MAX * STEP_US;
        let mut at_us = self.evaluated_us.map_or(to, |last| (last + STEP_US).max(first));
        let mut transitions = Vec::new();
        while at_us <= to {
            let inputs = self.inputs(store, at_us);
            let moment = Moment { at_us, now_us, epoch };
            transitions.extend(self.book.evaluate(&moment, &inputs));
            at_us += STEP_US;
        }
        self.evaluated_us = self.evaluated_us.max(Some(to));
        transitions
    }

    /// Sums of all windows that the objectives need, by objective and series.
    fn inputs(&self, store: &PaneStore, at_us: i64) -> Vec<SeriesCounts> {
        let mut found: BTreeMap<(String, String), Vec<WindowCounts>> = BTreeMap::new();
        for objective in self.book.objectives() {
            for window_s in objective.window_lengths() {
                let from = at_us - i64::from(window_s) * SECOND_US;
                for (series, sum) in store.slide(from, at_us) {
                    let value = |dimension: Dimension| value(&series, dimension);
                    if !objective.accepts(value) {
                        continue;
                    }
                    let key = (objective.name.clone(), objective.series(value));
                    let judged = objective.judge(&counts(&sum));
                    let windows = found.entry(key).or_default();
                    match windows.iter_mut().find(|window| window.window_s == window_s) {
                        Some(window) => {
                            window.good += judged.good;
                            window.bad += judged.bad;
                            window.pending += judged.pending;
                        }
                        None => windows.push(WindowCounts {
                            window_s,
                            good: judged.good,
                            bad: judged.bad,
                            pending: judged.pending,
                        }),
                    }
                }
            }
        }
        let series = |((objective, series), windows)| SeriesCounts { objective, series, windows };
        found.into_iter().map(series).collect()
    }

    /// Transitions as rows of `alerts`, numbered on.
    pub(crate) fn rows(transitions: &[Transition], seq: &mut u64) -> Outcome<RecordBatch> {
        let mut numbers = UInt64Builder::new();
        let mut texts: [StringBuilder; 9] = std::array::from_fn(|_| StringBuilder::new());
        let mut times: [TimestampMicrosecondBuilder; 2] = Default::default();
        for transition in transitions {
            *seq += 1;
            numbers.append_value(*seq);
            let values = [
                transition.id.as_str(),
                transition.episode_id.as_str(),
                transition.objective.as_str(),
                transition.tier.as_str(),
                transition.series.as_str(),
                transition.from_state.as_str(),
                transition.to_state.as_str(),
                transition.reason.as_str(),
                transition.evidence.as_str(),
            ];
            for (builder, text) in texts.iter_mut().zip(values) {
                builder.append_value(text);
            }
            times[0].append_value(transition.event_time_us);
            times[1].append_value(transition.processing_time_us);
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(numbers.finish())];
        let [words @ .., evidence] = &mut texts;
        columns.extend(words.iter_mut().map(|text| Arc::new(text.finish()) as ArrayRef));
        for time in &mut times {
            columns.push(Arc::new(time.finish().with_timezone("UTC")));
        }
        columns.push(Arc::new(evidence.finish()));
        Ok(RecordBatch::try_new(schema::ALERTS.arrow(), columns)?)
    }
}

fn value(series: &Series, dimension: Dimension) -> Option<&str> {
    let at = match dimension {
        Dimension::Source => 0,
        Dimension::Channel => 1,
        Dimension::Carrier => 2,
        Dimension::Country => 3,
        Dimension::TrafficClass => 4,
    };
    series[at].as_deref()
}

/// Series where no receipt can prove delivery have nothing to judge.
fn counts(sum: &SloSum) -> OutcomeCounts {
    let [_, delivered, read, failed, expired, canceled, unknown, pending, provable, ..] =
        sum.counts;
    if provable == 0 {
        return OutcomeCounts {
            delivered: 0,
            read: 0,
            failed: 0,
            expired: 0,
            canceled: 0,
            unknown: 0,
            pending: 0,
        };
    }
    OutcomeCounts { delivered, read, failed, expired, canceled, unknown, pending }
}

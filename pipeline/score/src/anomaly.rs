//! Online anomaly scores: how unlikely is this value, given only the values before it?
//!
//! ```text
//! value ─┬─ level       distance to the nearest value of the last weeks    ─► p ─┐
//!        ├─ log level   the same on a log scale                            ─► p ─┤
//!        ├─ same time   distance to the nearest value at this time of day  ─► p ─┼─► mean −log10 p
//!        ├─ residual    value − median of this time of day over 7 days     ─► p ─┤
//!        └─ difference  step from the value before                         ─► p ─┘
//! ```
//!
//! Several simple views, each of which says something to a person, beat one clever model; and a
//! view's raw distance means nothing until the series' own history has turned it into a tail
//! probability (module `tail`), which then means the same in every series, so that one threshold
//! serves all.
//!
//! Invariants: the score of a prefix is the prefix of the score, bit for bit; a score never uses
//! the value's successors; memory is bounded whatever the length of the series; a detector restored
//! from [`Detector::to_bytes`] goes on exactly as the original would have.

mod codec;
mod history;
mod sorted;
mod tail;

pub use codec::RestoreError;

use history::History;
use sorted::SortedWindow;
use tail::Tail;

/// Values that the level views look back on: two weeks of 5-minute rows, half a year of hours.
const LEVEL_CAPACITY: usize = 4_096;
/// Raw scores that calibrate each view: 2 % of them are 80 excesses, enough for two moments.
const TAIL_CAPACITY: usize = 4_096;
/// A rank among fewer raw scores than this cannot tell one in twenty.
const CALIBRATION_MIN: usize = 20;
/// Days that a same-time view needs before it speaks: a median of fewer follows its outlier.
const SAME_TIME_MIN: usize = 3;

/// What a detector says of one value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scored {
    /// Mean of −log10 p over the views: 0 is usual, 3 is one in a thousand. `None` while the
    /// history is too short to say, and for a value that is not a finite number.
    pub score: Option<f64>,
    /// What was to be expected: the median of this time of day, else of the recent level.
    pub expected: Option<f64>,
    /// 10 to the power of −score: the geometric mean of the views' tail probabilities.
    pub p: Option<f64>,
}

/// The running state of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    level: SortedWindow,
    log_level: SortedWindow,
    history: History,
    previous: Option<f64>,
    /// Calibrations in the order of [`Views::distances`].
    tails: [Tail; VIEWS],
}

/// Number of views.
const VIEWS: usize = 5;

/// One value as the views see it.
#[derive(Debug, Clone, Copy)]
struct Views {
    distances: [Option<f64>; VIEWS],
    expected: Option<f64>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Detector {
    /// A detector without history. The step between rows is learnt; a hint in seconds only spares
    /// it the first rows.
    #[must_use]
    pub fn new(step_hint_s: Option<u32>) -> Self {
        Self {
            level: SortedWindow::new(LEVEL_CAPACITY),
            log_level: SortedWindow::new(LEVEL_CAPACITY),
            history: History::new(step_hint_s.map(|hint| i64::from(hint) * 1_000_000)),
            previous: None,
            tails: std::array::from_fn(|_| Tail::new(TAIL_CAPACITY)),
        }
    }

    /// Scores a value by what came before it, then learns from it. Rows come in order of time; a
    /// value that is not finite is neither scored nor learnt.
    pub fn observe(&mut self, time_us: i64, value: f64) -> Scored {
        if !value.is_finite() {
            return Scored::default();
        }
        let views = self.view(time_us, value);
        let score = self.combine(&views);
        self.learn(time_us, value, &views);
        Scored { score, expected: views.expected, p: score.map(|score| 10_f64.powf(-score)) }
    }

    fn view(&self, time_us: i64, value: f64) -> Views {
        let (mut same, n) = self.history.same_time(time_us);
        let same = &mut same[..n];
        let seasonal = same.len() >= SAME_TIME_MIN;
        same.sort_unstable_by(f64::total_cmp);
        let usual = if seasonal { median(same) } else { None };
        let nearest = same.iter().map(|held| (held - value).abs()).min_by(f64::total_cmp);
        let distances = [
            self.level.distance(value),
            self.log_level.distance(signed_log(value)),
            if seasonal { nearest } else { None },
            usual.map(|usual| (value - usual).abs()),
            self.previous.map(|previous| (value - previous).abs()),
        ];
        Views { distances, expected: usual.or_else(|| self.level.median()) }
    }

    fn combine(&self, views: &Views) -> Option<f64> {
        let mut sum = 0.0;
        let mut n = 0_u32;
        for (distance, tail) in views.distances.iter().zip(&self.tails) {
            if let Some(distance) = *distance
                && tail.len() >= CALIBRATION_MIN
            {
                sum -= tail.p(distance).log10();
                n += 1;
            }
        }
        (n > 0).then(|| sum / f64::from(n))
    }

    fn learn(&mut self, time_us: i64, value: f64, views: &Views) {
        for (distance, tail) in views.distances.iter().zip(&mut self.tails) {
            if let Some(distance) = *distance {
                tail.push(distance);
            }
        }
        self.level.push(value);
        self.log_level.push(signed_log(value));
        self.history.push(time_us, value);
        self.previous = Some(value);
    }
}

/// Scores of rows (time, value) in order of time, one a row. Rows that cannot be scored yet count
/// as usual: 0.
pub fn score_rows(rows: impl IntoIterator<Item = (i64, f64)>) -> impl Iterator<Item = f64> {
    let mut detector = Detector::default();
    rows.into_iter()
        .map(move |(time_us, value)| detector.observe(time_us, value).score.unwrap_or(0.0))
}

/// Logarithm of the size with the sign kept; linear near zero, so that zero is a value like others.
fn signed_log(value: f64) -> f64 {
    value.abs().ln_1p().copysign(value)
}

/// Median of ascending values: the mean of the middle two where their number is even.
fn median(ascending: &[f64]) -> Option<f64> {
    let upper = *ascending.get(ascending.len() / 2)?;
    if ascending.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *ascending.get((ascending.len() / 2).checked_sub(1)?)?;
    Some(lower + (upper - lower) / 2.0)
}

#[cfg(test)]
mod tests;

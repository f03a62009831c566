//! From a raw distance to a tail probability that means the same in every series.
//!
//! The last N raw scores are the calibration. In their bulk the probability is the empirical rank;
//! in their top 2 % a generalised Pareto distribution is fitted to the excesses over a threshold
//! (peaks over threshold: Pickands 1975, Balkema and de Haan 1974) by the method of moments
//! (Hosking and Wallis, Technometrics 29(3), 1987):
//!
//! ```text
//! ξ = (1 − m²/v) / 2      σ = m · (1 − ξ)      p = (k / N) · (1 + ξ·e/σ)^(−1/ξ)
//! ```
//!
//! with m and v the mean and the variance of the k excesses and e the excess of the new score. The
//! shape is clipped to [0, 0.45]: below 0 the distribution would have an end beyond which
//! everything is impossible, above 0.5 the variance that the method rests on does not exist.

use super::sorted::SortedWindow;

/// Share of the calibration that counts as tail.
const TAIL_SHARE: f64 = 0.02;
/// Fewer excesses than this have no usable variance; a young series takes a larger share as tail.
const TAIL_MIN: usize = 10;
/// Largest shape: see the module's text.
const SHAPE_MAX: f64 = 0.45;
/// Smallest probability given out. An exponential tail reaches zero in floating point, and a
/// single view must not outvote all others.
const P_MIN: f64 = 1e-12;

/// Calibration of one view.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tail {
    scores: SortedWindow,
}

impl Tail {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { scores: SortedWindow::new(capacity) }
    }

    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(crate) fn arrivals(&self) -> impl Iterator<Item = f64> + '_ {
        self.scores.arrivals()
    }

    pub(crate) fn push(&mut self, score: f64) {
        self.scores.push(score);
    }

    /// Probability of a raw score at least this high, by the scores so far.
    pub(crate) fn p(&self, score: f64) -> f64 {
        let n = self.scores.len();
        let tail_n = ((n as f64 * TAIL_SHARE).ceil() as usize).max(TAIL_MIN);
        // The new score counts as one of its own kind, so that nothing is impossible.
        let rank_p = (self.scores.count_at_least(score) as f64 + 1.0) / (n as f64 + 1.0);
        let Some(first) = n.checked_sub(tail_n + 1) else { return rank_p };
        let (threshold, above) = match &self.scores.ascending()[first..] {
            [threshold, above @ ..] => (*threshold, above),
            [] => return rank_p,
        };
        if score <= threshold {
            return rank_p;
        }
        let tail_share = tail_n as f64 / n as f64;
        excess_p(above, threshold, score).map_or(rank_p, |p| (tail_share * p).max(P_MIN))
    }
}

/// Survival function of the fitted tail at a score; `None` where all excesses are zero.
fn excess_p(above: &[f64], threshold: f64, score: f64) -> Option<f64> {
    let n = above.len() as f64;
    let mean = above.iter().map(|held| held - threshold).sum::<f64>() / n;
    let variance =
        above.iter().map(|held| (held - threshold - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if mean <= 0.0 {
        return None;
    }
    let shape = if variance > 0.0 { 0.5 * (1.0 - mean * mean / variance) } else { 0.0 };
    let shape = shape.clamp(0.0, SHAPE_MAX);
    let relative = (score - threshold) / (mean * (1.0 - shape));
    Some(if shape < 1e-9 { (-relative).exp() } else { (1.0 + shape * relative).powf(-1.0 / shape) })
}

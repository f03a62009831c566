//! A fixed-range DDSketch of latencies: integer bounds from one table, 1 ms to 35 days, relative
//! error at most 0.5 %, never collapsed.
//!
//! After Masson, Rim and Lee, "DDSketch" (VLDB 2019), with two differences: bounds are integers
//! computed once by integer arithmetic (so every machine has the same table), and counts are
//! signed, so a message that leaves a pane is subtracted exactly. Merging is addition: the order
//! of merges cannot matter.
//!
//! ```text
//! BOUNDS   1  2  3 … 199 200 202 204 …            [BOUNDS[i], BOUNDS[i+1]) is bucket i
//! ```

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Longest latency kept apart: 35 days. Longer ones are clamped.
pub const LATENCY_MS_MAX: i64 = 35 * 24 * 3600 * 1000;

/// Lower bounds of the buckets, ascending. Bucket `i` holds `BOUNDS[i] <= ms < BOUNDS[i + 1]`.
/// Next bound = floor(bound * 1.01), at least bound + 1: with the representative of
/// [`representative_ms`] the relative error stays below 0.5 %.
pub static BOUNDS: LazyLock<Vec<i64>> = LazyLock::new(|| {
    let mut bounds = vec![1];
    let mut bound = 1_i64;
    while bound <= LATENCY_MS_MAX {
        bound = (bound * 101 / 100).max(bound + 1);
        bounds.push(bound);
    }
    bounds
});

/// Bucket of a latency; below 1 ms counts as 1 ms, above 35 days as 35 days.
#[must_use]
pub fn bucket(latency_ms: i64) -> u16 {
    let clamped = latency_ms.clamp(1, LATENCY_MS_MAX);
    let above = BOUNDS.partition_point(|bound| *bound <= clamped);
    u16::try_from(above.saturating_sub(1)).unwrap_or(u16::MAX)
}

/// The value that stands for a bucket: its harmonic middle `2ab / (a + b)` of first and last
/// millisecond, which makes the largest relative error of both ends equal.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "bounds are below 2^53")]
pub fn representative_ms(bucket: u16) -> f64 {
    let at = usize::from(bucket).min(BOUNDS.len() - 2);
    let first = BOUNDS[at] as f64;
    let last = (BOUNDS[at + 1] - 1) as f64;
    2.0 * first * last / (first + last)
}

/// A sparse, signed sketch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    counts: BTreeMap<u16, i64>,
}

impl Sketch {
    /// Adds (or with a negative count takes away) latencies of one bucket.
    pub fn add(&mut self, bucket: u16, count: i64) {
        let entry = self.counts.entry(bucket).or_insert(0);
        *entry += count;
        if *entry == 0 {
            self.counts.remove(&bucket);
        }
    }

    /// Adds another sketch.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            self.add(*bucket, *count);
        }
    }

    /// Number of latencies.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.counts.values().sum()
    }

    /// Buckets and their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, i64)> + '_ {
        self.counts.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// Value at rank ceil(q n) (SQL `percentile_disc`); `None` where there is none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "n < 2^53")]
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        let n = self.count();
        if n <= 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * n as f64).ceil() as i64).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return Some(representative_ms(*bucket));
            }
        }
        None
    }

    /// Bytes: for each bucket its index (u16) and count (i64), little-endian, ascending.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.counts.len() * 10);
        for (bucket, count) in &self.counts {
            bytes.extend_from_slice(&bucket.to_le_bytes());
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes
    }

    /// Adds a sketch written by [`Self::to_bytes`]; false where the bytes are none.
    #[must_use]
    pub fn merge_bytes(&mut self, bytes: &[u8]) -> bool {
        if !bytes.len().is_multiple_of(10) {
            return false;
        }
        for entry in bytes.chunks_exact(10) {
            let mut count = [0; 8];
            count.copy_from_slice(&entry[2..]);
            self.add(u16::from_le_bytes([entry[0], entry[1]]), i64::from_le_bytes(count));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch_of(values: &[i64]) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add(bucket(*value), 1);
        }
        sketch
    }

    #[test]
    fn the_table_covers_the_range_and_fits_its_index() {
        assert!(BOUNDS.len() < 2_500);
        assert!(BOUNDS.last().is_some_and(|last| *last > LATENCY_MS_MAX));
        assert_eq!(bucket(-5), bucket(1));
        assert_eq!(bucket(i64::MAX), bucket(LATENCY_MS_MAX));
    }

    proptest! {
        #[test]
        fn relative_error_is_at_most_half_a_percent(value in 1..=LATENCY_MS_MAX) {
            let estimate = representative_ms(bucket(value));
            prop_assert!((estimate - value as f64).abs() <= 0.005 * value as f64);
        }

        #[test]
        fn quantile_is_the_value_at_the_rank(
            mut values in prop::collection::vec(1..10_000_000_i64, 1..300), q in 0.0..=1.0_f64,
        ) {
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1] as f64;
            let estimate = sketch_of(&values).quantile_ms(q).unwrap();
            prop_assert!((estimate - exact).abs() <= 0.005 * exact);
        }

        #[test]
        fn merging_is_addition_and_subtraction_undoes_it(
            a in prop::collection::vec(1..10_000_i64, 0..50),
            b in prop::collection::vec(1..10_000_i64, 0..50),
        ) {
            let both: Vec<i64> = a.iter().chain(&b).copied().collect();
            let mut merged = sketch_of(&b);
            prop_assert!(merged.merge_bytes(&sketch_of(&a).to_bytes()));
            prop_assert_eq!(&merged, &sketch_of(&both));
            for value in &a {
                merged.add(bucket(*value), -1);
            }
            prop_assert_eq!(merged, sketch_of(&b));
        }
    }
}

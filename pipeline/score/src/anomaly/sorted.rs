//! The last N values of a stream, both in order of arrival and in order of size.
//!
//! Inserting moves at most N numbers of eight bytes, which for the sizes used here (a few thousand)
//! is one `memmove` inside the first-level cache and faster than any tree.

use std::collections::VecDeque;

/// A bounded multiset that forgets its oldest member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SortedWindow {
    capacity: usize,
    arrivals: VecDeque<f64>,
    ascending: Vec<f64>,
}

impl SortedWindow {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { capacity, arrivals: VecDeque::new(), ascending: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ascending.len()
    }

    /// The members, smallest first.
    pub(crate) fn ascending(&self) -> &[f64] {
        &self.ascending
    }

    /// The members, oldest first.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = f64> + '_ {
        self.arrivals.iter().copied()
    }

    /// Takes a finite value in and, when full, lets the oldest go.
    pub(crate) fn push(&mut self, value: f64) {
        if self.arrivals.len() >= self.capacity
            && let Some(oldest) = self.arrivals.pop_front()
        {
            let at = self.ascending.partition_point(|held| held.total_cmp(&oldest).is_lt());
            self.ascending.remove(at);
        }
        let at = self.ascending.partition_point(|held| held.total_cmp(&value).is_lt());
        self.ascending.insert(at, value);
        self.arrivals.push_back(value);
    }

    /// How many members are at least this value.
    pub(crate) fn count_at_least(&self, value: f64) -> usize {
        self.len() - self.ascending.partition_point(|held| *held < value)
    }

    /// Distance to the nearest member.
    pub(crate) fn distance(&self, value: f64) -> Option<f64> {
        let at = self.ascending.partition_point(|held| *held < value);
        let above = self.ascending.get(at).map(|held| held - value);
        let below = at.checked_sub(1).and_then(|i| self.ascending.get(i)).map(|held| value - held);
        match (below, above) {
            (Some(below), Some(above)) => Some(below.min(above)),
            (one, other) => one.or(other),
        }
    }

    /// The lower median.
    pub(crate) fn median(&self) -> Option<f64> {
        self.ascending.get(self.len().checked_sub(1)? / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Method: against a sorted copy of the last members.
        #[test]
        fn holds_the_last_members_sorted(
            values in prop::collection::vec(-50_i32..50, 1..200),
            capacity in 1_usize..40,
            probe in -60_i32..60,
        ) {
            let mut window = SortedWindow::new(capacity);
            for value in &values {
                window.push(f64::from(*value));
            }
            let kept = &values[values.len().saturating_sub(capacity)..];
            let mut sorted = kept.to_vec();
            sorted.sort_unstable();
            let held: Vec<i32> = window.ascending().iter().map(|value| *value as i32).collect();
            prop_assert_eq!(held, sorted);
            let nearest = kept.iter().map(|value| (value - probe).abs()).min();
            prop_assert_eq!(window.distance(f64::from(probe)).map(|d| d as i32), nearest);
            let above = kept.iter().filter(|value| **value >= probe).count();
            prop_assert_eq!(window.count_at_least(f64::from(probe)), above);
        }
    }
}

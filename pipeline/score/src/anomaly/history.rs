//! What the series was at this time of day on the days before.
//!
//! Values are kept by time, not by slot of a grid, so a series needs no declared period, may have
//! gaps, and may change its step. The value "at this time of day" is the one nearest to it within
//! half a step, where the step is the smallest seen so far.

use std::collections::VecDeque;

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;
/// Days that make the expectation: one of each weekday.
const DAYS: i64 = 7;
/// Values closer together than this are not kept one by one: it bounds the memory of a fast series
/// to a value a minute.
const SPACING_US: i64 = 60_000_000;
/// A day of hourly values has a step far below this; a slower series has no time of day.
const STEP_MAX_US: i64 = DAY_US / 2;
/// Eight days of minutes: the seven that are looked up and the tolerance around the oldest.
pub(crate) const CAPACITY: usize = 8 * 1_440;

/// Values of the last days by time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    /// Smallest distance between two rows so far.
    pub(crate) step_us: i64,
    /// Rows (time, value), oldest first.
    pub(crate) rows: VecDeque<(i64, f64)>,
}

impl History {
    pub(crate) const fn new(step_hint_us: Option<i64>) -> Self {
        let step_us = match step_hint_us {
            Some(hint) if hint > 0 => hint,
            _ => i64::MAX,
        };
        Self { step_us, rows: VecDeque::new() }
    }

    /// Takes a row in. One that is not newer than the newest is left out: nothing may rewrite the
    /// past on which earlier scores stand.
    pub(crate) fn push(&mut self, time_us: i64, value: f64) {
        if let Some(&(newest_us, _)) = self.rows.back() {
            let step_us = time_us.saturating_sub(newest_us);
            if step_us <= 0 {
                return;
            }
            self.step_us = self.step_us.min(step_us);
            if step_us < SPACING_US {
                return;
            }
        }
        let oldest_us = time_us.saturating_sub((DAYS + 1) * DAY_US);
        while self.rows.len() >= CAPACITY
            || self.rows.front().is_some_and(|(held_us, _)| *held_us < oldest_us)
        {
            self.rows.pop_front();
        }
        self.rows.push_back((time_us, value));
    }

    /// The values at this time of day on the last seven days, newest first, and how many.
    pub(crate) fn same_time(&self, time_us: i64) -> ([f64; DAYS as usize], usize) {
        let mut values = [0.0; DAYS as usize];
        let mut n = 0;
        if self.step_us > STEP_MAX_US {
            return (values, n);
        }
        let tolerance_us = self.step_us.max(SPACING_US) / 2;
        for day in 1..=DAYS {
            let at_us = time_us.saturating_sub(day * DAY_US);
            if let Some(value) = self.nearest(at_us, tolerance_us) {
                values[n] = value;
                n += 1;
            }
        }
        (values, n)
    }

    fn nearest(&self, at_us: i64, tolerance_us: i64) -> Option<f64> {
        let at = self.rows.partition_point(|(held_us, _)| *held_us < at_us);
        let distance = |row: &&(i64, f64)| row.0.abs_diff(at_us);
        let before = at.checked_sub(1).and_then(|i| self.rows.get(i));
        let nearest = before.into_iter().chain(self.rows.get(at)).min_by_key(distance)?;
        (distance(&nearest) <= tolerance_us.unsigned_abs()).then_some(nearest.1)
    }
}

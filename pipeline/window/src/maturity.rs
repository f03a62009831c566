//! How complete the minutes are, kept up to date with every delta: asking costs nothing.
//!
//! ```text
//! minute  series  total  pending
//! 12:00   a         900        3   mature: pending ≤ 1 %
//! 12:01   a         870        2
//! 12:01   b          40        1   immature ─► complete through 12:01:00
//! ```

use std::collections::{BTreeMap, BTreeSet};

use model::time::MINUTE_US;

/// What one minute holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Minute {
    total: i64,
    pending: i64,
    /// Series with more than one pending message in a hundred.
    immature: u32,
}

/// The minutes that hold any message.
#[derive(Debug, Default)]
pub struct Maturity {
    minutes: BTreeMap<i64, Minute>,
    immature: BTreeSet<i64>,
    total: i64,
    pending: i64,
}

const fn is_immature((total, pending): (i64, i64)) -> bool {
    pending * 100 > total
}

impl Maturity {
    /// A series of a minute counted `was` (total, pending) and counts `is` now.
    pub(crate) fn replace(&mut self, minute_us: i64, was: (i64, i64), is: (i64, i64)) {
        let (total, pending) = (is.0 - was.0, is.1 - was.1);
        self.total += total;
        self.pending += pending;
        let minute = self.minutes.entry(minute_us).or_default();
        minute.total += total;
        minute.pending += pending;
        minute.immature += u32::from(is_immature(is));
        minute.immature = minute.immature.saturating_sub(u32::from(is_immature(was)));
        let minute = *minute;
        if minute.immature > 0 {
            self.immature.insert(minute_us);
        } else {
            self.immature.remove(&minute_us);
        }
        if minute == Minute::default() {
            self.minutes.remove(&minute_us);
        }
    }

    /// Forgets a minute.
    pub(crate) fn forget(&mut self, minute_us: i64) {
        if let Some(minute) = self.minutes.remove(&minute_us) {
            self.immature.remove(&minute_us);
            self.total -= minute.total;
            self.pending -= minute.pending;
        }
    }

    /// Newest cohort time up to which every series of every minute has 99 % of its outcomes: the
    /// first minute where one has not, else the end of the last. `None` without a complete minute.
    #[must_use]
    pub fn complete_through_us(&self) -> Option<i64> {
        let first = *self.minutes.first_key_value()?.0;
        let last = *self.minutes.last_key_value()?.0;
        let until = self.immature.first().copied().unwrap_or(last + MINUTE_US);
        (until > first).then_some(until)
    }

    /// Share of all messages with a final outcome; `None` without messages.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of counts below 2^53")]
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| 1.0 - self.pending as f64 / self.total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> i64 {
        number * MINUTE_US
    }

    #[test]
    fn complete_until_the_first_minute_that_waits_for_more_than_one_in_a_hundred() {
        let mut maturity = Maturity::default();
        assert_eq!((maturity.complete_through_us(), maturity.share()), (None, None));
        maturity.replace(minute(0), (0, 0), (100, 1));
        maturity.replace(minute(1), (0, 0), (100, 2));
        maturity.replace(minute(2), (0, 0), (100, 0));
        assert_eq!(maturity.complete_through_us(), Some(minute(1)));
        maturity.replace(minute(1), (100, 2), (100, 1));
        assert_eq!(maturity.complete_through_us(), Some(minute(3)));
        assert_eq!(maturity.share(), Some(1.0 - 2.0 / 300.0));
    }

    #[test]
    fn a_small_series_holds_its_minute_back_until_it_is_settled() {
        let mut maturity = Maturity::default();
        maturity.replace(minute(0), (0, 0), (10, 0));
        maturity.replace(minute(1), (0, 0), (1000, 0));
        maturity.replace(minute(1), (0, 0), (5, 5));
        assert_eq!(maturity.complete_through_us(), Some(minute(1)));
        maturity.replace(minute(1), (5, 5), (5, 0));
        assert_eq!(maturity.complete_through_us(), Some(minute(2)));
    }

    #[test]
    fn nothing_is_complete_while_the_first_minute_waits() {
        let mut maturity = Maturity::default();
        maturity.replace(minute(5), (0, 0), (10, 10));
        assert_eq!(maturity.complete_through_us(), None);
    }

    #[test]
    fn forgotten_and_emptied_minutes_leave_nothing_behind() {
        let mut maturity = Maturity::default();
        maturity.replace(minute(0), (0, 0), (10, 10));
        maturity.replace(minute(1), (0, 0), (10, 10));
        maturity.replace(minute(1), (10, 10), (0, 0));
        maturity.replace(minute(2), (0, 0), (10, 0));
        maturity.forget(minute(0));
        assert_eq!(maturity.complete_through_us(), Some(minute(3)));
        assert_eq!(maturity.share(), Some(1.0));
    }
}

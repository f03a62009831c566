//! Window and pane arithmetic: tumbling, aligned to 1970-01-01T00:00:00Z, half open.
//!
//! ```text
//! panes    |10s|10s|10s|10s|10s|10s|            keyed by cohort time
//! windows  |        60 s           |  300 s, 3600 s, 86400 s: sums of panes
//! ```
//! Each window length is a multiple of the pane length, so a pane lies in one window of a length.

use crate::time::SECOND_US;

/// Length of a fresh pane.
pub const PANE_US: i64 = 10 * SECOND_US;
/// Window lengths published, in seconds.
pub const WINDOWS_S: [u32; 4] = [60, 300, 3600, 86_400];

/// Start of the interval of this length that holds a time; correct for negative times too.
#[must_use]
pub const fn floor(time_us: i64, length_us: i64) -> i64 {
    time_us - time_us.rem_euclid(length_us)
}

/// Start of the window of `window_s` seconds that holds a time.
#[must_use]
pub fn window_start(time_us: i64, window_s: u32) -> i64 {
    floor(time_us, i64::from(window_s) * SECOND_US)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_multiples_of_the_pane() {
        for window_s in WINDOWS_S {
            assert_eq!(i64::from(window_s) * SECOND_US % PANE_US, 0);
            assert_eq!(86_400 % window_s, 0, "aligned to the day");
        }
    }

    proptest! {
        #[test]
        fn a_time_is_inside_its_window(time_us in -1_000_000_000_000_i64..i64::MAX / 2) {
            for window_s in WINDOWS_S {
                let start = window_start(time_us, window_s);
                prop_assert!(start <= time_us);
                prop_assert!(time_us < start + i64::from(window_s) * SECOND_US);
                prop_assert_eq!(window_start(floor(time_us, PANE_US), window_s), start);
            }
        }
    }
}

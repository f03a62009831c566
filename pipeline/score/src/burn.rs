//! Error budgets and how fast they burn (Google, *The Site Reliability Workbook*, chapter 5,
//! "Alerting on SLOs", <https://sre.google/workbook/alerting-on-slos/>).
//!
//! With a target T over a period P the budget is the share 1 − T of the messages. The burn rate is
//! the speed of spending it: at 1 it is gone exactly at the end of the period, and a total failure
//! burns at 1 / (1 − T), which no tier may ask to exceed:
//!
//! ```text
//! burn = (bad / settled) / (1 − T)         spent in a window w = burn · w / P
//! factor of a tier that fires when the share p is spent in w = p · P / w
//!     (the workbook's 14.4 = 2 % · 720 h / 1 h)
//! ```
//!
//! Low traffic: a floor on traffic would silence a total outage of a quiet carrier. So nothing here
//! counts messages; what is asked is whether the bad ones can be bad luck. [`burn_floor`] is the
//! burn rate of the lower end of Wilson's interval (E. B. Wilson, JASA 22, 1927): one bad message
//! of one burns at 1 / (1 − T) but proves little, five of five prove much.

use statrs::distribution::{ContinuousCDF, Normal};

/// One-sided confidence of [`burn_floor`]: one false breach in twenty looks at the limit itself.
const CONFIDENCE: f64 = 0.95;

/// What is wrong with a target or a window.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BurnError {
    /// The budget would be nothing or everything.
    #[error("target {target} is not between 0 and 1, both excluded")]
    Target {
        /// As given.
        target: f64,
    },
    /// Even when every message fails, the tier stays silent.
    #[error(
        "a burn rate of {factor} can never be reached: with target {target} a total outage burns \
         at {most}"
    )]
    Unreachable {
        /// Burn rate that the tier asks for.
        factor: f64,
        /// Target of the objective.
        target: f64,
        /// Burn rate of a total outage.
        most: f64,
    },
}

/// Burn rate of `bad` among `settled` messages; `None` where nothing is settled.
#[must_use]
pub fn burn_rate(bad: i64, settled: i64, target: f64) -> Option<f64> {
    (settled > 0).then(|| bad as f64 / settled as f64 / (1.0 - target))
}

/// Burn rate that is exceeded with 95 % confidence, given these counts; `None` where nothing is
/// settled.
#[must_use]
pub fn burn_floor(bad: i64, settled: i64, target: f64) -> Option<f64> {
    (settled > 0).then(|| wilson_lower(bad as f64, settled as f64) / (1.0 - target))
}

/// Lower end of Wilson's score interval for `bad` of `n`, one-sided 95 %.
fn wilson_lower(bad: f64, n: f64) -> f64 {
    let z = Normal::standard().inverse_cdf(CONFIDENCE);
    let share = (bad / n).clamp(0.0, 1.0);
    let square = z * z / n;
    let spread = z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
    ((share + square / 2.0 - spread) / (1.0 + square)).max(0.0)
}

/// Burn rate of a total outage: no tier can see more.
#[must_use]
pub fn max_burn(target: f64) -> f64 {
    1.0 / (1.0 - target)
}

/// Burn rate at which a window of `window_s` spends `share` of the budget of `period_s`.
#[must_use]
pub fn factor_of_share(share: f64, period_s: u32, window_s: u32) -> f64 {
    share * f64::from(period_s) / f64::from(window_s)
}

/// Share of the period's budget that a burn rate spends in a window.
#[must_use]
pub fn budget_spent(burn: f64, period_s: u32, window_s: u32) -> f64 {
    burn * f64::from(window_s) / f64::from(period_s)
}

/// Seconds until a failure of this share, after a clean past, has filled a window up to the factor;
/// `None` where it never does.
#[must_use]
pub fn detection_s(bad_share: f64, factor: f64, window_s: u32, target: f64) -> Option<f64> {
    let filled = factor * (1.0 - target) / bad_share;
    (bad_share > 0.0 && filled <= 1.0).then_some(filled * f64::from(window_s))
}

/// Share of the period's budget that is left, by its counts so far; negative when overspent, `None`
/// where nothing is settled.
#[must_use]
pub fn budget_left(bad: i64, settled: i64, target: f64) -> Option<f64> {
    burn_rate(bad, settled, target).map(|burn| 1.0 - burn)
}

/// Checks that a tier of this factor can fire at all.
///
/// # Errors
/// [`BurnError::Target`] for a target outside (0, 1), [`BurnError::Unreachable`] for a factor that
/// a total outage does not exceed.
pub fn check_feasible(factor: f64, target: f64) -> Result<(), BurnError> {
    if !(target > 0.0 && target < 1.0) {
        return Err(BurnError::Target { target });
    }
    let most = max_burn(target);
    if factor.is_finite() && factor < most {
        Ok(())
    } else {
        Err(BurnError::Unreachable { factor, target, most })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9 * other.abs().max(1.0)
    }

    #[test]
    fn the_workbooks_factors_come_out() {
        let (period_s, hour_s) = (30 * 86_400, 3_600);
        assert!(near(factor_of_share(0.02, period_s, hour_s), 14.4));
        assert!(near(factor_of_share(0.05, period_s, 6 * hour_s), 6.0));
        assert!(near(factor_of_share(0.10, period_s, 72 * hour_s), 1.0));
        assert!(near(budget_spent(14.4, period_s, hour_s), 0.02));
    }

    #[test]
    fn a_total_outage_at_95_percent_takes_43_minutes_for_the_fast_page() {
        let seconds = detection_s(1.0, 14.4, 3_600, 0.95).expect("it fires");
        assert!((seconds / 60.0 - 43.2).abs() < 1e-6);
        assert_eq!(detection_s(0.5, 14.4, 3_600, 0.95), None);
    }

    #[test]
    fn a_factor_that_no_outage_reaches_is_refused() {
        assert!(check_feasible(14.4, 0.99).is_ok());
        let refused = check_feasible(14.4, 0.9);
        assert!(matches!(refused, Err(BurnError::Unreachable { .. })));
        assert!(matches!(check_feasible(1.0, 1.0), Err(BurnError::Target { .. })));
        assert!(check_feasible(f64::NAN, 0.9).is_err());
    }

    #[test]
    fn few_bad_messages_prove_less_than_many() {
        let floor = |bad, settled| burn_floor(bad, settled, 0.95).expect("settled");
        assert!(floor(1, 1) < floor(5, 5));
        assert!(floor(5, 5) < floor(500, 500));
        assert!(floor(1, 10) < 1.0, "one in ten may be luck");
        // Worked by hand: z = 1.644854, 5 of 5 gives 1 / (1 + z²/5) = 0.6489.
        assert!((floor(5, 5) - 0.648_9 / 0.05).abs() < 0.01);
    }

    #[test]
    fn nothing_settled_says_nothing() {
        assert_eq!(burn_rate(0, 0, 0.9), None);
        assert_eq!(burn_floor(0, 0, 0.9), None);
        assert_eq!(budget_left(0, 0, 0.9), None);
    }

    proptest! {
        #[test]
        fn the_floor_lies_between_zero_and_the_rate(
            settled in 1_i64..1_000_000, share in 0.0..=1.0, target in 0.01..0.999,
        ) {
            let bad = (settled as f64 * share) as i64;
            let rate = burn_rate(bad, settled, target).expect("settled");
            let floor = burn_floor(bad, settled, target).expect("settled");
            prop_assert!(floor >= 0.0 && floor <= rate + 1e-9);
            prop_assert!(rate <= max_burn(target) + 1e-9);
        }
    }
}

//! How many webhooks an account may send: a bucket of tokens for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::time::SECOND_US;
use model::vocabulary::Source;

/// Accounts of one source with a bucket of their own. Where any account is taken, whoever calls
/// chooses names: those beyond share one bucket.
const ACCOUNTS_MAX: usize = 4_096;
/// Seconds of the rate that may come at once: vendors send what they held back after an outage.
const BURST_S: f64 = 2.0;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at_us: i64,
}

impl Bucket {
    /// Takes a token, or tells how many microseconds later there will be one.
    fn take(&mut self, rate: f64, now_us: i64) -> Result<(), i64> {
        let passed_us = now_us.saturating_sub(self.at_us).max(0);
        #[expect(clippy::cast_precision_loss, reason = "a bucket is full after two seconds")]
        let gained = passed_us as f64 * rate / SECOND_US as f64;
        self.tokens = (self.tokens + gained).min(full(rate));
        self.at_us = now_us;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the slowest rate")]
        Err(((1.0 - self.tokens) / rate * SECOND_US as f64) as i64)
    }
}

/// Tokens of a full bucket: at least one, or nothing would ever pass.
fn full(rate: f64) -> f64 {
    (rate * BURST_S).max(1.0)
}

/// Buckets by source and account.
#[derive(Debug)]
pub(super) struct Limits {
    buckets: Vec<Mutex<HashMap<Box<str>, Bucket>>>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { buckets: Source::ALL.iter().map(|_| Mutex::default()).collect() }
    }

    /// Takes a token of the account, or tells after how many whole seconds to come again.
    pub(super) fn take(
        &self,
        source: Source,
        account: &str,
        rate: f64,
        now_us: i64,
    ) -> Result<(), u64> {
        let Some(buckets) = self.buckets.get(usize::from(source.index())) else { return Ok(()) };
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = buckets.len() >= ACCOUNTS_MAX;
        let account = if is_full && !buckets.contains_key(account) { "" } else { account };
        let taken = match buckets.get_mut(account) {
            Some(bucket) => bucket.take(rate, now_us),
            None => {
                let mut bucket = Bucket { tokens: full(rate), at_us: now_us };
                let taken = bucket.take(rate, now_us);
                buckets.insert(account.into(), bucket);
                taken
            }
        };
        taken.map_err(|wait_us| u64::try_from(wait_us / SECOND_US).unwrap_or(0) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_rate_and_two_seconds_of_it_at_once() {
        let limits = Limits::new();
        let taken = |account: &str, now_us: i64| {
            (0..100).filter(|_| limits.take(Source::Twilio, account, 10.0, now_us).is_ok()).count()
        };
        assert_eq!(taken("a", 0), 20);
        assert_eq!(taken("b", 0), 20, "another account has its own");
        assert_eq!(taken("a", SECOND_US / 2), 5);
        assert_eq!(taken("a", 3_600 * SECOND_US), 20, "a bucket is never fuller");
        assert_eq!(taken("a", 0), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn who_comes_too_often_is_told_when_to_come_again() {
        let limits = Limits::new();
        assert_eq!(limits.take(Source::Bird, "a", 0.25, 0), Ok(()));
        assert_eq!(limits.take(Source::Bird, "a", 0.25, 0), Err(5));
        assert_eq!(limits.take(Source::Bird, "a", 0.25, 4 * SECOND_US), Ok(()));
    }

    #[test]
    fn invented_accounts_share_a_bucket_once_there_are_too_many() {
        let limits = Limits::new();
        for account in 0..ACCOUNTS_MAX {
            assert_eq!(limits.take(Source::Sinch, &account.to_string(), 1.0, 0), Ok(()));
        }
        let more =
            (0..100).filter(|n| limits.take(Source::Sinch, &format!("x{n}"), 1.0, 0).is_ok());
        assert_eq!(more.count(), 2);
        assert_eq!(limits.take(Source::Sinch, "0", 1.0, 0), Ok(()), "who was there keeps his own");
    }
}

//! Which errors are told, and when: librdkafka repeats itself while no broker can be reached.
//!
//! An error is told at once. Where the same comes again, it is told once a minute, with how often
//! it came; another one is told at once. Two are the same where their texts differ in nothing but
//! numbers; the broker that a text begins with has to be the same, its numbers too.

use std::time::{Duration, Instant};

/// An error that repeats is told again after so long.
const REST: Duration = Duration::from_secs(60);
/// Errors that are remembered: some kinds of each of some dozen brokers.
const ERRORS_MAX: usize = 128;

/// Errors that were told.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    errors: Vec<Told>,
    /// Something was told since the last end.
    is_open: bool,
}

#[derive(Debug)]
struct Told {
    error: String,
    at: Instant,
    /// How often it came since.
    again: u64,
}

impl Repeats {
    /// How often an error came since it was told, or `None` where it is not to be told now.
    pub(super) fn tell(&mut self, error: &str, now: Instant) -> Option<u64> {
        let error = kind(error);
        if let Some(told) = self.errors.iter_mut().find(|told| told.error == error) {
            told.again += 1;
            if now.saturating_duration_since(told.at) < REST {
                return None;
            }
            told.at = now;
            self.is_open = true;
            return Some(std::mem::take(&mut told.again));
        }
        if self.errors.len() >= ERRORS_MAX {
            let oldest = self.errors.iter().enumerate().min_by_key(|(_, told)| told.at);
            if let Some((oldest, _)) = oldest {
                self.errors.swap_remove(oldest);
            }
        }
        self.errors.push(Told { error, at: now, again: 0 });
        self.is_open = true;
        Some(0)
    }

    /// Whether the end of the trouble is to be told: only where the trouble was, since the last.
    pub(super) fn end(&mut self) -> bool {
        std::mem::take(&mut self.is_open)
    }
}

/// What stays the same of an error: `HOST:PORT/1: Connect to … failed (after 3ms in state …)`.
fn kind(text: &str) -> String {
    let text = text.split_once(" (after ").map_or(text, |(text, _)| text);
    let (broker, rest) = text.split_once(": ").unwrap_or(("", text));
    let rest: String = rest.chars().filter(|c| !c.is_ascii_digit()).collect();
    format!("{broker}: {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(broker: u32, after_ms: u32) -> String {
        format!(
            "127.0.0.1:9092/{broker}: Connect to ipv4#127.0.0.1:9092 failed: Connection refused \
             (after {after_ms}ms in state CONNECT, {after_ms} identical error(s) suppressed)"
        )
    }

    #[test]
    fn an_error_is_told_at_once_and_then_once_a_minute_with_how_often_it_came() {
        let mut repeats = Repeats::default();
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(repeats.tell(&refused(1, 0), at(0)), Some(0));
        for second in 1..60 {
            let after_ms = u32::try_from(second).unwrap();
            assert_eq!(repeats.tell(&refused(1, after_ms), at(second)), None);
        }
        assert_eq!(repeats.tell(&refused(1, 7), at(60)), Some(60));
        assert_eq!(repeats.tell(&refused(1, 8), at(119)), None);
        assert_eq!(repeats.tell(&refused(1, 9), at(7_200)), Some(2));
    }

    #[test]
    fn another_error_and_another_broker_are_told_at_once() {
        let mut repeats = Repeats::default();
        let now = Instant::now();
        assert_eq!(repeats.tell(&refused(1, 0), now), Some(0));
        assert_eq!(repeats.tell("1/1 brokers are down", now), Some(0));
        assert_eq!(repeats.tell(&refused(2, 0), now), Some(0));
        assert_eq!(repeats.tell("127.0.0.1:9092/1: Disconnected", now), Some(0));
        assert_eq!(repeats.tell("0/2 brokers are down", now), None, "only numbers differ");
    }

    #[test]
    fn the_end_is_told_once_for_what_was_told() {
        let mut repeats = Repeats::default();
        let now = Instant::now();
        assert!(!repeats.end());
        repeats.tell("down", now);
        assert!(repeats.end());
        repeats.tell("down", now);
        assert!(!repeats.end(), "nothing was told of it");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut repeats = Repeats::default();
        let began = Instant::now();
        let broker = |number: usize| format!("host-{number}:9092/1: Disconnected");
        for number in 0..=ERRORS_MAX {
            let at = began + Duration::from_millis(u64::try_from(number).unwrap());
            assert_eq!(repeats.tell(&broker(number), at), Some(0));
        }
        assert_eq!(repeats.errors.len(), ERRORS_MAX);
        let end = began + Duration::from_secs(1);
        assert_eq!(repeats.tell(&broker(ERRORS_MAX), end), None);
        assert_eq!(repeats.tell(&broker(0), end), Some(0), "the oldest is forgotten");
    }
}

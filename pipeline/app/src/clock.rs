//! The clock of a running process: the machine's, as long as nobody sets it.
//!
//! ```text
//! machine   ──────┐ set an hour forward      a log end would move the watermark by an hour, and a
//!                 └───────────────────►      window, a message or a file would end too early
//! process   ──────────────────────────►      start + what has passed since, within a minute
//! ```
//! A watermark never goes back, so a clock that is wrong for a moment must not move it. Slow
//! corrections are followed; a jump is told once and not followed until the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::clock::Clock;
use model::time::{MINUTE_US, SECOND_US};

/// A clock that follows another one within a minute of what has passed since the start.
#[derive(Debug)]
pub(crate) struct GuardedClock {
    machine: Arc<dyn Clock>,
    /// The machine's time less the steady one, at the start.
    began_us: i64,
    told: AtomicBool,
}

impl GuardedClock {
    /// Takes the machine's time for right now, and only now.
    pub(crate) fn new(machine: Arc<dyn Clock>) -> Self {
        let began_us = machine.now_us() - machine.steady_us();
        Self { machine, began_us, told: AtomicBool::new(false) }
    }
}

impl Clock for GuardedClock {
    fn now_us(&self) -> i64 {
        let (told_us, due_us) = (self.machine.now_us(), self.began_us + self.steady_us());
        let now_us = told_us.clamp(due_us - MINUTE_US, due_us + MINUTE_US);
        if now_us != told_us && !self.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                by_s = (told_us - due_us) / SECOND_US,
                "the machine's clock was set: this process goes on with its own time; start it \
                 again when the machine's is right"
            );
        }
        now_us
    }

    fn steady_us(&self) -> i64 {
        self.machine.steady_us()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    #[derive(Debug, Default)]
    struct Machine {
        steady_us: AtomicI64,
        ahead_us: AtomicI64,
    }

    impl Clock for Machine {
        fn now_us(&self) -> i64 {
            self.steady_us() + self.ahead_us.load(Ordering::SeqCst)
        }

        fn steady_us(&self) -> i64 {
            self.steady_us.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_clock_is_followed_within_a_minute_and_no_further() {
        let machine = Arc::new(Machine::default());
        machine.ahead_us.store(1_000 * MINUTE_US, Ordering::SeqCst);
        let clock = GuardedClock::new(Arc::clone(&machine) as Arc<dyn Clock>);
        machine.steady_us.store(10 * MINUTE_US, Ordering::SeqCst);
        assert_eq!(clock.now_us(), 1_010 * MINUTE_US);
        for (by, shown) in [(30, 30), (3_600, 60), (-30, -30), (-3_600, -60), (0, 0)] {
            machine.ahead_us.store(1_000 * MINUTE_US + by * SECOND_US, Ordering::SeqCst);
            assert_eq!(clock.now_us(), 1_010 * MINUTE_US + shown * SECOND_US, "set by {by} s");
        }
    }
}

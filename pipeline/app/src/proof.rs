//! Failpoints for the crash test (feature `proof`): the process ends itself at a named step. And
//! switches for measuring what committing costs.
//!
//! ```text
//! SENDTALLY_FAILPOINT=commit::linked=3    ends at the third time it comes there
//! SENDTALLY_FAILPOINT_LOG=FILE            gets a line with the name before that
//! SENDTALLY_GRACE_S, SENDTALLY_ORPHAN_S   shorter ages of what is collected: a test sees it
//! SENDTALLY_COMMITS=off                   epochs close and are dropped: nothing is written
//! SENDTALLY_READERS=off                   no windows, no lake
//! SENDTALLY_CLOCK_JUMP=20:-3600           after 20 s the clock is set an hour back
//! ```
//! Without the feature no failpoint is in the binary, and the ages are constants.

use model::time::{DAY_US, HOUR_US};

#[cfg(feature = "proof")]
pub(crate) use armed::{arm, clock, commits, grace_us, orphan_us, reads};

/// What was passed stays so long for queries that still read it.
#[cfg(not(feature = "proof"))]
pub(crate) const fn grace_us() -> i64 {
    HOUR_US
}

/// A file that no manifest names stays so long: its writer may be alive.
#[cfg(not(feature = "proof"))]
pub(crate) const fn orphan_us() -> i64 {
    DAY_US
}

/// The machine's clock.
#[cfg(not(feature = "proof"))]
pub(crate) fn clock() -> std::sync::Arc<dyn model::clock::Clock> {
    std::sync::Arc::new(model::clock::SystemClock)
}

/// Whether closed epochs are written: always, in this build.
#[cfg(not(feature = "proof"))]
pub(crate) const fn commits() -> bool {
    true
}

/// Whether aggregate and lake follow the job: always, in this build.
#[cfg(not(feature = "proof"))]
pub(crate) const fn reads() -> bool {
    true
}

/// Nothing to arm in this build.
#[cfg(not(feature = "proof"))]
pub(crate) const fn arm() {}

#[cfg(feature = "proof")]
mod armed {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, OnceLock};

    use super::{DAY_US, HOUR_US};
    use model::clock::{Clock, SystemClock};
    use model::time::SECOND_US;

    pub(crate) fn grace_us() -> i64 {
        seconds("SENDTALLY_GRACE_S").unwrap_or(HOUR_US)
    }

    pub(crate) fn orphan_us() -> i64 {
        seconds("SENDTALLY_ORPHAN_S").unwrap_or(DAY_US)
    }

    /// A clock that is set forward or back once.
    #[derive(Debug)]
    struct JumpingClock {
        after_us: i64,
        by_us: i64,
    }

    impl Clock for JumpingClock {
        fn now_us(&self) -> i64 {
            let jumped = self.steady_us() >= self.after_us;
            SystemClock.now_us() + if jumped { self.by_us } else { 0 }
        }

        fn steady_us(&self) -> i64 {
            SystemClock.steady_us()
        }
    }

    pub(crate) fn clock() -> Arc<dyn Clock> {
        let text = std::env::var("SENDTALLY_CLOCK_JUMP").unwrap_or_default();
        let jump = text.split_once(':').and_then(|(after, by)| {
            let (after, by): (i64, i64) = (after.parse().ok()?, by.parse().ok()?);
            Some(JumpingClock { after_us: after * SECOND_US, by_us: by * SECOND_US })
        });
        match jump {
            Some(clock) => Arc::new(clock),
            None => Arc::new(SystemClock),
        }
    }

    pub(crate) fn commits() -> bool {
        static ON: OnceLock<bool> = OnceLock::new();
        *ON.get_or_init(|| !is_off("SENDTALLY_COMMITS"))
    }

    pub(crate) fn reads() -> bool {
        static ON: OnceLock<bool> = OnceLock::new();
        *ON.get_or_init(|| !is_off("SENDTALLY_READERS"))
    }

    fn is_off(name: &str) -> bool {
        std::env::var(name).is_ok_and(|word| word == "off")
    }

    fn seconds(name: &str) -> Option<i64> {
        let seconds: i64 = std::env::var(name).ok()?.parse().ok()?;
        Some(seconds * SECOND_US)
    }

    /// Arms the failpoint that the environment names.
    ///
    /// It ends by `abort`: nothing is flushed, dropped or unwound, as with `kill -9`.
    pub(crate) fn arm() {
        let Ok(text) = std::env::var("SENDTALLY_FAILPOINT") else { return };
        let (name, times) = text.rsplit_once('=').unwrap_or((&text, "1"));
        let left = AtomicU64::new(times.parse().unwrap_or(1));
        let told = name.to_owned();
        let armed = fail::cfg_callback(name, move || {
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                log(&told);
                std::process::abort();
            }
        });
        if let Err(why) = armed {
            tracing::error!(why, name, "the failpoint cannot be armed");
        }
    }

    fn log(name: &str) {
        let Some(path) = std::env::var_os("SENDTALLY_FAILPOINT_LOG") else { return };
        let file = OpenOptions::new().create(true).append(true).open(path);
        drop(file.and_then(|mut file| writeln!(file, "{name}")));
    }
}

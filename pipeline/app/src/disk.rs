//! A full disk is waited out: the same step is tried again until there is space, or, where the
//! process is to end, for a minute.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::failure::{Failure, Outcome};

/// How long a process that is to end waits for space.
const DRAIN_WAIT: Duration = Duration::from_secs(60);
/// Between two tries.
const RETRY: Duration = Duration::from_millis(500);

/// Tries a step until the disk has space for it. `told` is called with each failure for lack of it.
pub(crate) fn wait_for_space<T>(
    stop: &AtomicBool,
    mut told: impl FnMut(&Failure),
    mut step: impl FnMut() -> Outcome<T>,
) -> Outcome<T> {
    let mut drained = Duration::ZERO;
    loop {
        match step() {
            Err(failure) if failure.is_full() && drained < DRAIN_WAIT => told(&failure),
            Err(failure) if failure.is_full() => {
                let why = format!("{failure} (the drain waited 60 s)");
                return Err(Failure::protect(why));
            }
            other => return other,
        }
        std::thread::sleep(RETRY);
        if stop.load(Ordering::SeqCst) {
            drained += RETRY;
        }
    }
}

/// Says once that something waits for space.
pub(crate) fn tell_once(what: &'static str) -> impl FnMut(&Failure) {
    let mut told = false;
    move |failure| {
        if !told {
            tracing::error!(error = %failure, "the disk is full: {what} wait for space");
            told = true;
        }
    }
}

//! The job: records in, committed epochs out.
//!
//! ```text
//! ingest thread ──8 batches──► normalize threads ──16──► core (own thread) ──1 draft──► committer
//!      ▲ pauses when full                                   ▲                             │ kick
//! tail thread: "at its end" ──────────────────64────────────┘                             ▼
//!                                                                       aggregate, lake (readers)
//! ```

pub(crate) mod alone;

pub(crate) mod committer;

pub(crate) mod core;

pub(crate) mod dead;

mod elements;

pub(crate) mod flow;

pub(crate) mod heartbeat;

pub(crate) mod inputs;

pub(crate) mod kafka;

pub(crate) mod recover;

pub(crate) mod sought;

pub(crate) mod space;

pub(crate) mod state;

pub(crate) mod trackers;

use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::failure::{Failure, Outcome};

/// Starts a named thread: the name is what `top -H` and a profiler show.
pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Outcome<ScopedJoinHandle<'scope, T>> {
    let started = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    started.map_err(|error| Failure::dependency(format!("cannot start thread {name}: {error}")))
}

//! The job: records in, committed epochs out.
//!
//! ```text
//! ingest thread ──8 batches──► normalize threads ──16──► core (own thread) ──1 draft──► committer
//!      ▲ pauses when full                                   ▲                             │ kick
//! tail thread: "at its end" ──────────────────64────────────┘                             ▼
//!                                                                       aggregate, lake (readers)
//! ```

pub(crate) mod committer;

pub(crate) mod core;

pub(crate) mod flow;

pub(crate) mod inputs;

pub(crate) mod kafka;

pub(crate) mod recover;

pub(crate) mod trackers;

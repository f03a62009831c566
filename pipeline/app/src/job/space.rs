//! The disk limit: ingest pauses while the data directory's disk has less space than it must keep.
//!
//! Only reading pauses. What was read is committed, and then the job is idle: its empty epochs show
//! standbys that the owner lives. A disk that is full in spite of it is waited out by the step that
//! meets it (`crate::disk`).

use std::path::PathBuf;
use std::time::Duration;

use commit::free_bytes;
use model::time::SECOND_US;

use super::flow::Shared;
use crate::failure::{Failure, Outcome};

/// Between two looks at the disk.
const LOOK_US: i64 = SECOND_US;
/// Rest of a reader that pauses.
const REST: Duration = Duration::from_millis(200);
/// How long a drain waits for space.
const DRAIN_WAIT_US: i64 = 60 * SECOND_US;

/// Space of a disk, and how much of it must stay free.
#[derive(Debug)]
pub(crate) struct Space {
    dir: PathBuf,
    min_bytes: u64,
    looked_us: i64,
    /// Since when there is too little, and what to tell.
    short: Option<(i64, String)>,
}

impl Space {
    /// The disk of a directory.
    pub(crate) const fn new(dir: PathBuf, min_bytes: u64) -> Self {
        Self { dir, min_bytes, looked_us: 0, short: None }
    }

    /// Fails where there is too little already: nothing may begin then.
    pub(crate) fn check(&mut self, now_us: i64) -> Outcome<()> {
        self.look(now_us);
        self.short.as_ref().map_or(Ok(()), |(_, told)| Err(Failure::protect(told.clone())))
    }

    /// Rests where there is too little; false where there is enough. A drain that waited for a
    /// minute fails.
    pub(crate) fn rest(&mut self, shared: &Shared) -> Outcome<bool> {
        let now_us = shared.clock.steady_us();
        if now_us - self.looked_us < LOOK_US && self.short.is_none() {
            return Ok(false);
        }
        let was_short = self.short.is_some();
        self.look(now_us);
        let Some((since_us, told)) = &self.short else {
            if was_short {
                shared.telemetry.lock().held = None;
                tracing::warn!("the disk has space again: ingest goes on");
            }
            return Ok(false);
        };
        if !was_short {
            tracing::error!(why = told, "ingest pauses until the disk has space");
            shared.telemetry.lock().held = Some(told.clone());
        }
        if shared.until_end && now_us - since_us >= DRAIN_WAIT_US {
            return Err(Failure::protect(format!("{told} (the drain waited 60 s)")));
        }
        std::thread::sleep(REST);
        Ok(true)
    }

    fn look(&mut self, now_us: i64) {
        self.looked_us = now_us;
        let free = match free_bytes(&self.dir) {
            Ok(free) => free,
            Err(error) => {
                tracing::warn!(%error, "the disk's space is not known: ingest goes on");
                u64::MAX
            }
        };
        if free >= self.min_bytes {
            self.short = None;
            return;
        }
        let since_us = self.short.as_ref().map_or(now_us, |(since_us, _)| *since_us);
        let told = format!(
            "the disk of {} has {} MB left, less than [commit] min_free_mb = {}: make space, or \
             lower it",
            self.dir.display(),
            free >> 20,
            self.min_bytes >> 20
        );
        self.short = Some((since_us, told));
    }
}

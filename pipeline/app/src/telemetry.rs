//! What the process tells about itself: counters that the stages bump and `/metrics` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::vocabulary::{DeadReason, Source};
use serve::LatencyCounts;

/// State of one input partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartitionState {
    pub(crate) next_offset: i64,
    pub(crate) end_offset: Option<i64>,
    pub(crate) watermark_us: Option<i64>,
}

/// Everything counted since the start of the process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
    pub(crate) ignored: u64,
    pub(crate) records: u64,
    /// Events below the watermark that was published before them.
    pub(crate) disorder: u64,
    pub(crate) bytes: u64,
    pub(crate) epochs: u64,
    pub(crate) epoch: u64,
    pub(crate) aggregate_epoch: u64,
    pub(crate) lake_epoch: u64,
    pub(crate) state: track::Size,
    pub(crate) watermark_us: Option<i64>,
    pub(crate) dead: BTreeMap<(String, DeadReason), u64>,
    pub(crate) partitions: BTreeMap<(String, i32), PartitionState>,
    pub(crate) visible: LatencyCounts,
    /// A step waits for space on the disk.
    pub(crate) paused: Option<String>,
    /// Ingest pauses at the disk limit.
    pub(crate) held: Option<String>,
    pub(crate) clickhouse: ClickHouseState,
    /// What `normalize` noticed.
    pub(crate) noticed: normalize::Counters,
    /// Names of unknown fields that were told.
    pub(crate) new_fields: BTreeSet<(Source, String)>,
}

/// State of the ClickHouse loader.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClickHouseState {
    /// Rows that the server took, repeated ones included.
    pub(crate) rows: u64,
    /// Newest epoch of the job whose rows are all in.
    pub(crate) epoch: u64,
    /// Why it does not take rows now.
    pub(crate) trouble: Option<String>,
}

/// Shared counters.
#[derive(Debug, Default)]
pub(crate) struct Telemetry(Mutex<Counts>);

impl Telemetry {
    /// The counters. A panic elsewhere does not make them unreadable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

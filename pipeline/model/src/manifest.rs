//! Manifests: what one commit of a chain says. Written as JSON, created only if absent.
//!
//! The chain is the only truth: a file that no manifest names does not exist.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the data directory's format that this build writes.
///
/// - 2: runs of tracked messages.
/// - 3: manifests carry a checksum of their own.
/// - 4: lines of bills, in segments and among the tracked messages.
pub const FORMAT_VERSION: u32 = 4;

/// The oldest version that this build reads, and migrates where it writes.
pub const OLDEST_FORMAT: u32 = 2;

/// One file that a manifest names: an Arrow IPC stream or a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Which table or state the rows are of.
    pub table: String,
    /// Path below the data directory.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// CRC-32C is not enough against a torn rewrite: the SHA-256 of the bytes, hex.
    pub sha256: String,
}

/// Progress of one input partition in one epoch, with its line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InputRange {
    /// Topic, or `file:<sha256>`.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Kafka's topic id, where the broker tells; detects a recreated topic.
    pub topic_id: Option<String>,
    /// First offset of the epoch.
    pub start_offset: i64,
    /// Offset after the last of the epoch.
    pub end_offset: i64,
    /// Records read.
    pub records: i64,
    /// Offsets without a record.
    pub gaps: i64,
    /// Leaf elements.
    pub elements: i64,
    /// Gave an event or a charge.
    pub accepted: i64,
    /// Seen before.
    pub duplicate: i64,
    /// Older than 35 days.
    pub late: i64,
    /// Dead letters.
    pub dead: i64,
    /// Recognised, but no delivery event.
    pub ignored: i64,
    /// Of the elements that gave an event, those whose ingest time is below the watermark that was
    /// published before: out of order by more than the watermark allows.
    #[serde(default)]
    pub disorder: i64,
    /// Watermark of the partition, microseconds; `None` before its first record.
    pub watermark_us: Option<i64>,
}

impl InputRange {
    /// Whether the equations of promise P1 hold for this line.
    #[must_use]
    pub const fn balances(&self) -> bool {
        let parts = self.accepted + self.duplicate + self.late + self.dead + self.ignored;
        self.end_offset - self.start_offset == self.records + self.gaps && self.elements == parts
    }
}

/// One slice of the state that recovery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSlice {
    /// Which slice: `track/17`, `panes`, ….
    pub slice: String,
    /// Epoch after which it was taken: replay the epochs above it.
    pub epoch: u64,
    /// The file.
    pub file: FileRef,
}

/// One commit of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version of the data directory.
    pub format_version: u32,
    /// Number in its chain, from 1.
    pub epoch: u64,
    /// SHA-256 of the previous manifest's bytes, hex; empty for the first.
    pub previous: String,
    /// Who wrote it.
    pub owner: String,
    /// Makes a create that succeeded unseen recognisable.
    pub attempt: String,
    /// When it was written, microseconds.
    pub committed_at_us: i64,
    /// The owner left in good order.
    pub released: bool,
    /// Version of the configuration in force.
    pub config_version: String,
    /// Job chain: progress of every input partition.
    #[serde(default)]
    pub inputs: Vec<InputRange>,
    /// Watermark, microseconds; `None` before the first.
    pub watermark_us: Option<i64>,
    /// Segments of this epoch.
    #[serde(default)]
    pub segments: Vec<FileRef>,
    /// State slices in force after this epoch.
    #[serde(default)]
    pub state: Vec<StateSlice>,
    /// Reader chains: the newest epoch taken in, by chain name.
    #[serde(default)]
    pub consumed: BTreeMap<String, u64>,
    /// Lake chain: the Parquet files in force after this manifest.
    #[serde(default)]
    pub files: Vec<FileRef>,
    /// Small values that a reader decided by (cursor, last alert number, …).
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

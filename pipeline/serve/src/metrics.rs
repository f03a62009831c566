//! The process's own telemetry in Prometheus' text format 0.0.4.
//!
//! Names are `sendtally_<name>_<unit>`, counters end in `_total`. `app` fills a typed
//! [`MetricsSnapshot`], so that the set of names is decided and tested here; what a stage counts
//! beyond it goes to `more`, whose names are forced into the format.

use std::fmt::Write as _;

use model::vocabulary::DeadReason;

use crate::view::{Freshness, Readiness};

/// Upper bounds of the buckets of append-to-visible, in microseconds: 50 ms to 5 min, around the
/// epoch of 1 s and the promise of seconds.
pub const APPEND_TO_VISIBLE_BOUNDS_US: [i64; 12] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_000_000,
    3_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// Time from Kafka's append to the row being served, as counts by bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencyCounts {
    /// Observations at or below each bound of [`APPEND_TO_VISIBLE_BOUNDS_US`] and above the one
    /// before; the last are above all.
    pub buckets: [u64; APPEND_TO_VISIBLE_BOUNDS_US.len() + 1],
    /// Sum of all observations.
    pub sum_us: u64,
}

impl LatencyCounts {
    /// Counts observations of one value; a negative one counts as zero.
    pub fn observe(&mut self, latency_us: i64, count: u64) {
        let at = APPEND_TO_VISIBLE_BOUNDS_US.partition_point(|bound| *bound < latency_us);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket = bucket.saturating_add(count);
        }
        let sum = u64::try_from(latency_us).unwrap_or(0).saturating_mul(count);
        self.sum_us = self.sum_us.saturating_add(sum);
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionMetrics {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records between the committed offset and the log end; null while the end is not known.
    pub lag_records: Option<u64>,
    /// Watermark of the partition.
    pub watermark_us: Option<i64>,
}

/// Dead letters of one source and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterCount {
    /// Source, or what the record called itself.
    pub source: String,
    /// Reason.
    pub reason: DeadReason,
    /// How many.
    pub count: u64,
}

/// Elements by what became of them: the terms of P1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "schemas/ledger.toml documents them")]
pub struct ElementCounts {
    pub accepted: u64,
    pub duplicate: u64,
    pub late: u64,
    pub dead: u64,
    pub ignored: u64,
}

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One value of a family.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
    /// Value.
    pub value: f64,
}

/// A metric beyond the fixed set.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Name without `sendtally_`, with unit, and `_total` on counters.
    pub name: String,
    /// What it is, in one sentence.
    pub help: String,
    /// Kind.
    pub kind: FamilyKind,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// Everything `/metrics` tells, besides freshness and readiness.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsSnapshot {
    /// Since the start of the process.
    pub uptime_us: i64,
    /// Records read.
    pub records: u64,
    /// Delivery events accepted, late ones included.
    pub events: u64,
    /// Redelivered or replayed elements that were dropped.
    pub duplicates: u64,
    /// Epochs committed by this process.
    pub epochs: u64,
    /// Elements by disposition.
    pub elements: ElementCounts,
    /// Dead letters by source and reason.
    pub dead_letters: Vec<DeadLetterCount>,
    /// Append to visible.
    pub append_to_visible: LatencyCounts,
    /// Partitions.
    pub partitions: Vec<PartitionMetrics>,
    /// Whatever else a stage counts.
    pub more: Vec<Family>,
}

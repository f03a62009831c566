//! What `normalize` noticed and nobody is woken for: cumulative counts, one reader (`app`).

use std::collections::BTreeMap;

use model::vocabulary::Source;

/// Cumulative counts of one [`crate::Normalizer`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statuses that no table knows, by source: canonical `unknown`, not final.
    pub unknown_statuses: BTreeMap<Source, u64>,
    /// Fields that no adapter knows, occurrence by occurrence.
    pub unknown_fields: BTreeMap<Source, u64>,
    /// Fields of another type or spelling than documented: null in the event.
    pub unreadable_fields: u64,
    /// Prices of more than nine decimals, rounded half to even.
    pub rounded_prices: u64,
    /// Event times more than 5 min after ingest, replaced by it.
    pub replaced_event_times: u64,
    /// Submit times more than 5 min after ingest, dropped.
    pub dropped_submit_times: u64,
    /// Events whose local time, by the zone that it was read in, is before their own submit time:
    /// that zone is wrong. Their latency is negative, so it is counted and in no percentile.
    pub negative_local_latencies: u64,
    /// Payloads that contradict themselves (an event type against its status field).
    pub contradictions: u64,
    /// Texts that held the recipient and got its token instead.
    pub scrubbed_texts: u64,
    /// Bytes that compressed records, and compressed parts of records, unpacked to.
    pub unpacked_bytes: u64,
    /// Ignored elements by source and kind (`inbound`, `typing`, `billing`, …).
    pub ignored: BTreeMap<(Option<Source>, &'static str), u64>,
}

impl Counters {
    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (source, count) in &other.unknown_statuses {
            *self.unknown_statuses.entry(*source).or_default() += count;
        }
        for (source, count) in &other.unknown_fields {
            *self.unknown_fields.entry(*source).or_default() += count;
        }
        for (kind, count) in &other.ignored {
            *self.ignored.entry(*kind).or_default() += count;
        }
        self.unreadable_fields += other.unreadable_fields;
        self.rounded_prices += other.rounded_prices;
        self.replaced_event_times += other.replaced_event_times;
        self.dropped_submit_times += other.dropped_submit_times;
        self.negative_local_latencies += other.negative_local_latencies;
        self.contradictions += other.contradictions;
        self.scrubbed_texts += other.scrubbed_texts;
        self.unpacked_bytes += other.unpacked_bytes;
    }

    /// The counts that are not kept by source, with their names.
    #[must_use]
    pub const fn plain(&self) -> [(&'static str, u64); 8] {
        [
            ("unreadable_fields", self.unreadable_fields),
            ("rounded_prices", self.rounded_prices),
            ("replaced_event_times", self.replaced_event_times),
            ("dropped_submit_times", self.dropped_submit_times),
            ("negative_local_latencies", self.negative_local_latencies),
            ("contradictions", self.contradictions),
            ("scrubbed_texts", self.scrubbed_texts),
            ("unpacked_bytes", self.unpacked_bytes),
        ]
    }
}

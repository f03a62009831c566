//! What `normalize` noticed and nobody is woken for: cumulative counts, one reader (`app`).

use std::collections::BTreeMap;

use model::vocabulary::Source;

/// Cumulative counts of one [`crate::Normalizer`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statuses that no table knows: canonical `unknown`, not final.
    pub unknown_statuses: u64,
    /// Fields of another type or spelling than documented: null in the event.
    pub unreadable_fields: u64,
    /// Prices of more than nine decimals, rounded half to even.
    pub rounded_prices: u64,
    /// Event times more than 5 min after ingest, replaced by it.
    pub replaced_event_times: u64,
    /// Submit times more than 5 min after ingest, dropped.
    pub dropped_submit_times: u64,
    /// Payloads that contradict themselves (an event type against its status field).
    pub contradictions: u64,
    /// Texts that held the recipient and got its token instead.
    pub scrubbed_texts: u64,
    /// Ignored elements by source and kind (`inbound`, `typing`, `billing`, …).
    pub ignored: BTreeMap<(Option<Source>, &'static str), u64>,
}

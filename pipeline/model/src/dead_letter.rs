//! What could not be read: one row an element, with its position and no value of the payload.

use crate::vocabulary::{DeadReason, Source};

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Vendor; `None` where the record names none.
    pub source: Option<Source>,
    /// Which input the record came from.
    pub input: u32,
    /// Offset of the record.
    pub offset: i64,
    /// 0-based leaf element.
    pub element: u32,
    /// Why.
    pub reason: DeadReason,
    /// Where: a path (`/results/3/messageId`) or a byte position; never a value of the payload.
    pub detail: String,
    /// SHA-256 of the record's bytes.
    pub payload_sha256: [u8; 32],
    /// Broker's timestamp of the record.
    pub ingest_time_us: Option<i64>,
}

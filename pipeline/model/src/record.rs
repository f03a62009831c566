//! A Kafka record on its way from `ingest` to `normalize` (DESIGN.md, "A Kafka record").
//!
//! ```text
//! RawBatch.bytes   |value 0|headers 0|value 1|headers 1|…      one allocation a batch
//! RawBatch.records [ {input, offset, value: 0..510, headers: 0..2}, … ]
//! ```

use std::ops::Range;
use std::sync::Arc;

use crate::time::parse_rfc3339;

/// One input partition of the job; its position in [`Inputs`] is its id inside the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Kafka topic, or `file:<sha256>`.
    pub topic: Arc<str>,
    /// Kafka partition, 0 for files.
    pub partition: i32,
    /// Source that the topic's configuration names.
    pub source: Option<crate::vocabulary::Source>,
    /// Account that the topic's configuration names.
    pub account: Option<Arc<str>>,
    /// What the topic's configuration wants of signatures.
    pub signatures: SignatureRule,
}

/// What an input's records are asked for, and whether the gateway's word is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignatureRule {
    /// What becomes of the answer.
    pub policy: SignaturePolicy,
    /// A header `verified` does not stand: others than the gateway write to this topic.
    pub check_again: bool,
}

/// What becomes of a record's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignaturePolicy {
    /// Not looked at: `verified` is null.
    Ignore,
    /// Told in `verified` and `verified_reason`; the event counts whatever they say.
    #[default]
    Record,
    /// A record that is not verified is a dead letter.
    Require,
}

impl SignaturePolicy {
    /// The policy with this word: `ignore`, `record`, `require`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ignore" => Some(Self::Ignore),
            "record" => Some(Self::Record),
            "require" => Some(Self::Require),
            _ => None,
        }
    }
}

/// What became of a record that was handed to Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Every replica that has to has it.
    Stored,
    /// Larger than the topic admits.
    TooLarge,
    /// Not known to be there: it may still be, so who retries may repeat it.
    Unknown,
}

/// One record inside a [`RawBatch`].
#[derive(Debug, Clone)]
pub struct RawRecord {
    /// Which input it came from.
    pub input: u32,
    /// Kafka offset, or 0-based record of a file.
    pub offset: i64,
    /// Broker's timestamp; `None` where there is none.
    pub ingest_time_us: Option<i64>,
    /// The vendor's bytes, inside the batch's bytes.
    pub value: Range<usize>,
    /// No value at all.
    pub tombstone: bool,
    /// Its headers, inside the batch's headers.
    pub headers: Range<usize>,
}

/// Records of any partitions, read together.
#[derive(Debug, Clone, Default)]
pub struct RawBatch {
    /// Values, header names and header values, end to end.
    pub bytes: Vec<u8>,
    /// Name and value of each header, inside `bytes`.
    pub headers: Vec<(Range<usize>, Range<usize>)>,
    /// The records; those of one input in offset order.
    pub records: Vec<RawRecord>,
}

impl RawBatch {
    /// Appends bytes and tells where they lie.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// A view of one record.
    #[must_use]
    pub fn view<'a>(&'a self, record: &'a RawRecord) -> RecordView<'a> {
        RecordView {
            value: self.bytes.get(record.value.clone()).unwrap_or(&[]),
            headers: Headers {
                bytes: &self.bytes,
                ranges: self.headers.get(record.headers.clone()).unwrap_or(&[]),
            },
            input: record.input,
            offset: record.offset,
            ingest_time_us: record.ingest_time_us,
            tombstone: record.tombstone,
        }
    }
}

/// A record as `normalize` sees it; borrows from the batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// The vendor's bytes, verbatim.
    pub value: &'a [u8],
    /// Headers.
    pub headers: Headers<'a>,
    /// Which input it came from.
    pub input: u32,
    /// Kafka offset, or 0-based record of a file.
    pub offset: i64,
    /// Broker's timestamp, microseconds; `None` in `sendtally normalize`.
    pub ingest_time_us: Option<i64>,
    /// No value at all.
    pub tombstone: bool,
}

/// Headers of a record; names are compared without case.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    ranges: &'a [(Range<usize>, Range<usize>)],
}

/// The time that a header `received-at` tells (RFC 3339), microseconds; zeros of a clock are none.
#[must_use]
pub fn received_at(text: &str) -> Option<i64> {
    parse_rfc3339(text).filter(|time_us| *time_us > 0)
}

impl<'a> Headers<'a> {
    /// The first header of this name, where it is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// All headers.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.ranges.iter().map(move |(name, value)| {
            (bytes.get(name.clone()).unwrap_or(&[]), bytes.get(value.clone()).unwrap_or(&[]))
        })
    }
}

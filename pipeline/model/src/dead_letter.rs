//! What could not be read: one row an element, with its position and no value of the payload; and,
//! where a key is configured, the record itself, encrypted.

use crate::keys::{hex, unhex};
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

/// Which key encrypted a record; tells nothing about the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// From its hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A record with dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadRecord {
    /// Which input it came from.
    pub input: u32,
    /// Its offset.
    pub offset: i64,
    /// Its leaf elements, dead or not, when it was read.
    pub elements: u32,
    /// The record itself, where there is a key.
    pub sealed: Option<Sealed>,
    /// Broker's timestamp.
    pub ingest_time_us: Option<i64>,
}

/// An encrypted record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Key that opens it.
    pub key_id: KeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl DeadReason {
    /// What it means, and what can be done: for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::UnknownSource => {
                "neither its header `source` nor its topic's configuration names a known source: \
                 give the topic one ([[topics]] source), or correct the producer"
            }
            Self::NotUtf8 => "its bytes are no UTF-8, and its format is text",
            Self::Syntax => "it is no JSON, form or CSV from this place on: cut off or damaged",
            Self::Envelope => "what its vendor puts around the events is not there",
            Self::UnknownVariant => "no known kind of event of its vendor",
            Self::MissingId => "no readable message id: it could not be counted for any message",
            Self::MissingStatus => "no readable status",
            Self::BadEncoding => "base64 or compression inside it cannot be undone",
            Self::TooLarge => "larger than a webhook can be (16 MiB)",
            Self::Unverified => {
                "its topic requires signatures and it has no good one: correct [[signatures]], \
                 where the vendor's key was wrong"
            }
        }
    }
}

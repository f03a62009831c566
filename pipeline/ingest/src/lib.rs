//! Into the process: Kafka records and files as [`model::record::RawBatch`]es with their positions.
//!
//! The only crate that knows rdkafka. All partitions of the job are assigned by hand; the
//! broker's committed offsets are written for lag tools and never read.

mod settings;

mod source;

mod topic_id;

mod pick;

mod tail;

mod file;

mod producer;

mod outbox;

mod broker;

pub use broker::EmbeddedBroker;
pub use file::{FileShape, read_bytes, read_file, record_value};
pub use outbox::{Outbox, OutboxFull};
pub use pick::Picker;
pub use producer::{OutRecord, Producer};
pub use settings::{KafkaSettings, Protocol, Sasl};
pub use source::{Found, KafkaSource, Polled, Start};
pub use tail::{TailCheck, TailChecker};

use model::fault::Domain;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What can go wrong between the broker and the process.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The client refused its settings.
    #[error("cannot make a Kafka client: {reason}; look at [kafka] in the configuration")]
    Settings {
        /// What the client says.
        reason: String,
    },
    /// No broker answered.
    #[error("cannot reach Kafka at {brokers}: {reason}; is it running, is [kafka] brokers right?")]
    Unreachable {
        /// Bootstrap servers.
        brokers: String,
        /// What the client says.
        reason: String,
    },
    /// The broker refused the user.
    #[error(
        "Kafka at {brokers} refused the login: {reason}; look at sasl_mechanism, sasl_username and \
         the password in [kafka]"
    )]
    Authentication {
        /// Bootstrap servers.
        brokers: String,
        /// What the broker says.
        reason: String,
    },
    /// The protected connection could not be agreed on.
    #[error(
        "no protected connection to Kafka at {brokers}: {reason}; look at security_protocol and \
         ssl_ca_file in [kafka]"
    )]
    Tls {
        /// Bootstrap servers.
        brokers: String,
        /// What the client says.
        reason: String,
    },
    /// A topic of the configuration is not there.
    #[error(
        "topic {topic} does not exist at {brokers}; create it, or correct the topic in the \
         configuration"
    )]
    MissingTopic {
        /// Its name or pattern.
        topic: String,
        /// Bootstrap servers.
        brokers: String,
    },
    /// A stored offset is not in the partition any more, or not yet.
    #[error(
        "{topic}/{partition}: the next offset is {wanted}, the broker has {low} to {high}: records \
         were deleted or lost, or the topic was made anew; nothing was skipped. To go on from the \
         first that is left (what is read twice counts as duplicate) and write the difference into \
         the ledger: sendtally run --config FILE --seek {topic}/{partition}={low}"
    )]
    OutOfRange {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Where the job would go on.
        wanted: i64,
        /// First offset that the broker has.
        low: i64,
        /// Offset after the last.
        high: i64,
    },
    /// A topic has another id than the one whose offsets are stored.
    #[error(
        "topic {topic} was made anew: its id is {found}, stored offsets are of {known}; nothing \
         was skipped. To read the new topic from its start and write the difference into the \
         ledger: sendtally run --config FILE --seek {topic}/{partition}=0, with one --seek for \
         each of its partitions"
    )]
    MadeAnew {
        /// Topic.
        topic: String,
        /// One of its partitions.
        partition: i32,
        /// The id that the manifest has.
        known: String,
        /// The id that the broker tells.
        found: String,
    },
    /// A topic went away while it was read.
    #[error(
        "topic {topic} was deleted while it was read (noticed at partition {partition}): what was \
         read of it is committed, the rest is gone with it. To go on without it: take its name \
         out of [[topics]] (a pattern may stay), then sendtally run --config FILE. If it is made \
         anew: sendtally run --config FILE --seek {topic}/{partition}=0, with one --seek for each \
         of its partitions"
    )]
    Deleted {
        /// Topic.
        topic: String,
        /// The partition where it was noticed.
        partition: i32,
    },
    /// Consuming failed for good.
    #[error(
        "cannot read from Kafka: {reason}; nothing was skipped. Start again: sendtally run \
         --config FILE goes on from what is committed, or says which partition does not fit"
    )]
    Consume {
        /// What the client says.
        reason: String,
    },
    /// Producing failed for good.
    #[error("cannot write to Kafka: {reason}")]
    Produce {
        /// What the client says.
        reason: String,
    },
    /// A file of records cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
}

impl IngestError {
    /// Who is to blame.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        match self {
            Self::Unreachable { .. } | Self::Produce { .. } => Domain::Dependency,
            Self::OutOfRange { .. }
            | Self::MadeAnew { .. }
            | Self::Deleted { .. }
            | Self::Consume { .. } => Domain::Protect,
            _ => Domain::Usage,
        }
    }
}

/// Certificates or protocols do not fit: no retry helps.
pub(crate) fn is_tls(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::SSL)
}

/// The broker said that the login is wrong: no retry helps.
pub(crate) fn is_authentication(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed)
    )
}

/// Why a broker did not answer: the errors told beside a failed call know more than its own.
pub(crate) fn because(
    brokers: &str,
    told: &[(KafkaError, String)],
    error: &KafkaError,
) -> IngestError {
    let brokers = brokers.to_owned();
    if let Some((_, reason)) = told.iter().find(|(error, _)| is_authentication(error)) {
        return IngestError::Authentication { brokers, reason: reason.clone() };
    }
    // The same failure may come as one of transport, which tells it in its text only.
    let tls = |(error, reason): &&(_, String)| is_tls(error) || reason.contains("SSL routines");
    if let Some((_, reason)) = told.iter().find(tls) {
        return IngestError::Tls { brokers, reason: reason.clone() };
    }
    let reason = told.last().map_or_else(|| error.to_string(), |(_, reason)| reason.clone());
    IngestError::Unreachable { brokers, reason }
}

//! The vocabulary of Sendtally: what every stage may say to another, and nothing that does work
//! outside the process. No crate of the workspace is below this one, so it stays light: Arrow
//! arrays, serde and hashing; no Kafka, no DataFusion, no async runtime.
//!
//! Reading order: words, ids, money, time, then schemas and the columnar event batch, then the
//! window arithmetic, the latency sketch, the deltas and the manifests.

pub mod vocabulary;

mod sip;

pub mod keys;

pub mod money;

pub mod time;

pub mod clock;

pub mod schema;

pub mod record;

mod column;

pub mod event;

pub mod charge;

pub mod dead_letter;

pub mod window;

pub mod pane;

pub mod sketch;

pub mod manifest;

pub mod fault;

pub mod mutant;

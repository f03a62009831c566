//! Vendor bytes → canonical delivery events, lines of bills, or dead letters.
//!
//! ```text
//! RawBatch ─► Normalizer::batch ─┬─ source of the record (header, else the input's)
//!                                ├─ one adapter a vendor reads the record into elements
//!                                ├─ Emitter: times, recipient, region, keys, scrubbing
//!                                └─► Normalized { events, charges, dead letters, tallies,
//!                                                 encrypted records of dead letters (vault) }
//! ```
//!
//! A record is read whole before its first element is emitted: a record that breaks off half-way
//! is one dead letter, damage inside one element costs that element only. For each input
//! `elements = events + charges + ignored + dead` (DESIGN.md, P1 and P8). What may leave is decided
//! in one place, `emit`: numbers, user ids, tokens and message bodies never do (P5).
//!
//! Reading order: the framework (`json`, `form`, `date`, `phone`, `operators`, `carriers`, `zones`,
//! `accounts`, `draft`, `recipient`, `ids`, `codes`, `emit`, `charge`, `record`, `normalizer`,
//! `signature`, `vault`), then one module a vendor, then `text` (JSON lines), `explain` and
//! `catalogue`.

mod identity;
mod json;

mod form;

mod date;

mod phone;

mod operators;

mod carriers;

mod countries;

mod network;

mod zones;

mod accounts;

mod regional;

mod words;

mod draft;

mod counters;

mod drift;

mod wamid;

mod recipient;

mod ids;

mod emit;

mod fanout;

mod charge;

mod meta_pricing;

mod gzip;

mod unpack;

mod csv;

mod listed;

mod payload_hash;

mod codes;

mod record;

mod normalizer;

pub mod signature;

pub mod catalogue;

pub mod vault;

mod answer;

mod mask;

mod twilio;

mod infobip;

mod google_rbm;

mod whatsapp;

mod apns;

mod fcm;

mod cloudevents;

mod sinch;

mod vonage;

mod telnyx;

mod plivo;

mod messagebird;

mod bird;

mod bandwidth;

mod gupshup;

mod kaleyra;

mod gsma_maap;

mod smpp;

mod aws;

mod aws_eum;

mod aws_pinpoint;

mod aws_sns;

mod azure_acs;

mod webpush;

mod onesignal;

mod braze;

pub mod text;

pub mod explain;

pub use accounts::{AccountRule, Accounts, Currency};
pub use carriers::Carriers;
pub use counters::Counters;
pub use drift::UnknownFields;
pub use normalizer::{NormalizeError, Normalized, Normalizer, Settings, Tally};
pub use regional::Regional;
pub use zones::Zone;

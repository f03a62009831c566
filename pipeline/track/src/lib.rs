//! One outcome per message: dedup, the life of a message, signed deltas to panes.
//!
//! ```text
//! canonical rows ─► Columns ─► Slice (by message_key) ─► Decision per row
//!                                │ fold(before), fold(after)
//!                                ▼
//!                    Deltas: −contribution(before) +contribution(after)
//!
//! Slice  messages in memory ─ flush ─► runs on disk, merged as they gather
//!                           ◄─ event ─ a message of a run comes back
//! ```
//! Invariants:
//! - a message's outcome is a pure function of the *set* of its events ([`fold`]): arrival order,
//!   batch borders and crashes cannot change it;
//! - what leaves this crate are integers, so sums over panes are exact in any order;
//! - replay applies stored decisions and never decides again.

pub mod fold;

pub mod facet;

pub mod charges;

mod coded;

mod columns;

mod lines;

mod record;

mod bucket;

mod hot;

mod filter;

mod words;

mod run;

mod flush;

mod slice;

mod deltas;

mod rows;

mod billed;

mod tracker;

pub use deltas::EpochOutput;
pub use flush::{Encoded, Flush};
pub use tracker::{Decision, MessageRef, SLICES, Size, TrackError, Tracker, slice_of};

//! Fuzz targets: one a source, and one for every other reader of bytes that somebody else wrote.
//!
//! ```text
//! fixtures/<source>, corpus/<target> ─┬─► short.rs  in `cargo test`: replayed, and some mutations
//!                                     └─► main.rs   libFuzzer, ten minutes a target (`long.py`)
//!                    both: Harness::check ─► judged by `judge`, measured by `meter`
//! ```
//!
//! What has to hold for any payload of at most [`harness::BYTES_MAX`] bytes: no panic (debug
//! assertions and overflow checks are on), at most 10 ms of CPU time, at most 10 × its bytes +
//! 64 KiB of memory, every element accounted for, every dead letter from the closed list of
//! reasons and with no word of the payload, every row within its column's form.

pub mod harness;

mod judge;

mod meter;

pub mod mutate;

pub mod seeds;

mod target;

pub use target::Target;

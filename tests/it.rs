//! Checks of the repository itself: the shape of its sources, who may know whom, generated pages.
//! Servers and the oracle are driven from Python; see `tests/run`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

mod deny;
mod drift;

mod edges;
mod tree;

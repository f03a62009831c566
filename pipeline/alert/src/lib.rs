//! Objectives and the life of their alerts.
//!
//! ```text
//! queries/objectives/*.yaml ─► objective ─► check        which tiers can fire at all
//!                                  │
//! counts of sliding windows ──► AlertBook ─► transitions  inactive → pending → firing → resolved
//! ```
//!
//! Everything here is a pure function of its arguments and of the book's state: no clock, no I/O.
//! The budget formulas are the `score` crate's; `app` hands them in as [`Arithmetic`].

pub mod predicate;

pub mod objective;

pub mod check;

pub mod transition;

pub mod book;

pub use book::{AlertBook, Moment, RestoreError, SeriesCounts, WindowCounts};
pub use objective::{Arithmetic, Dimension, Objective, ObjectiveError, Tier};
pub use predicate::OutcomeCounts;
pub use transition::{State, Transition};

//! Statistics of time series and of error budgets: pure functions of numbers, without I/O, without
//! a clock, and without a word of the messaging vocabulary.
//!
//! [`anomaly`] says how unlikely a value is, given only the values before it; [`burn`] says how
//! fast an error budget is being spent, and whether that can be told from bad luck.

pub mod anomaly;
pub mod burn;

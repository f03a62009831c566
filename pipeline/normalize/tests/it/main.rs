//! Tests of `normalize` from outside: fixtures, published samples, damage, privacy, rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail, with the place"
)]

mod catalogue;
mod charges;
mod cpaas;
mod damage;
mod dead;
mod drift;
mod explained;
mod exports;
mod fallbacks;
mod fixtures;
mod golden;
mod interplay;
mod neighbours;
mod networks;
mod privacy;
mod regional;
mod relays;
mod rules;
mod samples;
mod signatures;
mod times;
mod traps_cpaas;
mod traps_relays;
mod unknown;

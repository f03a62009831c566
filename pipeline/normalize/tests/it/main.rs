//! Tests of `normalize` from outside: fixtures, published samples, damage, privacy, rules.

mod damage;
mod fixtures;
mod golden;
mod privacy;
mod rules;
mod samples;

//! Realistic vendor traffic with known truth.
//!
//! A scenario file and a seed give an endless or bounded stream of Kafka records in the vendors'
//! own wire formats, the same bytes for ever. Beside the stream there is a log of every element in
//! wire terms, the truth about every message, and the incidents; an oracle can recompute from them
//! what the pipeline should say. The crate depends on no other crate of ours, so that it cannot
//! share a mistake with what it tests.
//!
//! ```text
//! scenario ─► world ─► plan: a message's life ─► pending events ─► batches ─► wire ─► records
//!                        │ truth                   (heap by time)               │ log
//! ```
//!
//! ```
//! let yaml = "
//! name: tiny
//! start: 2026-11-20T08:00:00Z
//! carriers: [{id: att, country: US, mcc: '310', mnc: '410', latency: {median_s: 2, sigma: 0.5}}]
//! flows: [{source: infobip, channel: sms, weight: 1, carriers: {att: 1}, price: '0.0083'}]
//! ";
//! let scenario = simulate::Scenario::from_yaml(yaml)?;
//! let options =
//!     simulate::Options { seed: 1, events: 10, rate: 5.0, partitions: 2, start_us: None };
//! let mut simulation = simulate::Simulation::new(&scenario, options);
//! let mut elements = 0;
//! while simulation.next_record().is_some() {
//!     elements += simulation.take_log().len();
//! }
//! assert_eq!(elements, 10);
//! # Ok::<(), simulate::ScenarioError>(())
//! ```

mod check;
mod country;
mod event;
mod identity;
pub mod logs;
mod plan;
mod rng;
pub mod rows;
pub mod scenario;
mod simulation;
mod text;
mod usage;
mod wire;
mod world;

pub use rows::{IncidentRow, Kind, LogRow, Truth, TruthRow};
pub use scenario::{Scenario, ScenarioError};
pub use simulation::{Options, Record, Simulation};

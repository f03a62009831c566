//! What one core simulates, with and without the log: the simulator must never be the bottleneck of
//! what is measured with it.

use std::hint::black_box;
use std::time::Instant;

use simulate::{Options, Scenario, Simulation};

const SCENARIO: &str = include_str!("../tests/scenarios/bench.yaml");
const EVENTS: u64 = 1_000_000;
/// What the simulator is to reach, with its log.
const WANTED: f64 = 300_000.0;

/// Prints elements a second.
pub(crate) fn measure() {
    let scenario = match Scenario::from_yaml(SCENARIO) {
        Ok(scenario) => scenario,
        Err(error) => panic!("tests/scenarios/bench.yaml: {error}"),
    };
    println!("simulate, {EVENTS} events of tests/scenarios/bench.yaml on one core\n");
    println!("| | events/s | MB/s | at least {WANTED:.0} |\n|---|---|---|---|");
    for logging in [false, true] {
        let options =
            Options { seed: 1, events: EVENTS, rate: 10_000.0, partitions: 4, start_us: None };
        let simulation = Simulation::new(&scenario, options);
        let simulation = if logging { simulation } else { simulation.without_log() };
        let (bytes, seconds) = run(simulation);
        let rate = EVENTS as f64 / seconds;
        println!(
            "| {} its log | {rate:.0} | {:.0} | {} |",
            if logging { "with" } else { "without" },
            bytes as f64 / 1e6 / seconds,
            if rate >= WANTED { "yes" } else { "no" }
        );
    }
    println!();
}

fn run(mut simulation: Simulation) -> (u64, f64) {
    let begin = Instant::now();
    let mut bytes = 0;
    while let Some(record) = simulation.next_record() {
        bytes += record.value.len() as u64;
        black_box(simulation.take_log());
        black_box(simulation.take_truth());
    }
    (bytes, begin.elapsed().as_secs_f64())
}

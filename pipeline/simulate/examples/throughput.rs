//! Prints how many elements a second one core simulates, with and without the log.
//!
//! `cargo run --release -p simulate --example throughput -- tests/scenarios/bench.yaml 3000000`

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use simulate::{Options, Scenario, Simulation};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "tests/scenarios/bench.yaml".to_owned());
    let events = arguments.next().map_or(Ok(3_000_000), |text| text.parse::<u64>())?;
    let scenario = Scenario::from_yaml(&std::fs::read_to_string(&path)?)?;
    for logging in [false, true] {
        let options = Options { seed: 1, events, rate: 10_000.0, partitions: 4, start_us: None };
        let simulation = Simulation::new(&scenario, options);
        let line = measure(if logging { simulation } else { simulation.without_log() }, events);
        writeln!(io::stdout(), "{path} log={logging}: {line}")?;
    }
    Ok(())
}

fn measure(mut simulation: Simulation, events: u64) -> String {
    let begin = Instant::now();
    let (mut records, mut bytes) = (0_u64, 0_u64);
    while let Some(record) = simulation.next_record() {
        records += 1;
        bytes += record.value.len() as u64;
        black_box(simulation.take_log());
        black_box(simulation.take_truth());
    }
    let seconds = begin.elapsed().as_secs_f64();
    let rate = events as f64 / seconds;
    format!("{rate:.0} events/s, {records} records, {bytes} bytes, {seconds:.2} s")
}

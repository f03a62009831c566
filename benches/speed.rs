//! What one core does in one run: typed parse alone, SHA-256 alone, parse and normalize by source,
//! `rdkafka` consuming alone, the whole pipeline on a real Kafka; each against the budgets of the
//! design, in units of U = a typed `sonic-rs` parse of the reference Infobip report.
//!
//! `tests/run --bench` starts an Apache Kafka, builds the program and calls this with
//! `SENDTALLY_BROKERS` and `SENDTALLY_BIN`. Without them only the parsing part is measured.
#![expect(clippy::print_stdout, clippy::panic, reason = "a bench prints, and ends at a failure")]

mod parsing;

mod payloads;

mod pipeline;

mod processor;

mod shapes;

mod simulating;

mod texts;

fn main() {
    // `cargo bench` hands over flags of its own harness; words choose sources, and these alone.
    let sources: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if !sources.is_empty() {
        parsing::measure(&sources);
        return;
    }
    simulating::measure();
    let (unit_ns, normalize) = parsing::measure(&sources);
    let brokers = std::env::var("SENDTALLY_BROKERS");
    let binary = std::env::var("SENDTALLY_BIN");
    match (brokers, binary) {
        (Ok(brokers), Ok(binary)) => pipeline::measure(&brokers, &binary, unit_ns, &normalize),
        _ => println!("not measured: rdkafka and the whole pipeline (use tests/run --bench)"),
    }
}

//! `sendtally`: configuration, wiring and the command line. The only crate that knows all stages.
//!
//! Each command is one module in `commands`; the stages meet in `job`, `aggregate` and `lake`.

mod cli;

mod failure;

mod disk;

mod place;

mod config;

mod telemetry;

mod tables;

mod job;

mod aggregate;

mod lake;

mod clickhouse;

mod gateway;

mod heads;

mod clock;

mod pipeline;

mod read_model;

mod proof;

mod commands;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    start_logging();
    proof::arm();
    match commands::dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing can be done where even standard error is closed.
            if !failure.is_told() {
                drop(writeln!(std::io::stderr(), "sendtally: {failure}"));
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Without `RUST_LOG`. Retries of single requests to a store are no news; waiting for it is.
const LEVELS: &str = "info,object_store=warn";

/// Logs to standard error: lines on a terminal, JSON elsewhere. `RUST_LOG` sets the level.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
}

//! `sendtally run`: the pipeline on a real Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use commit::Remote;
use model::clock::Clock;

use super::note;
use crate::aggregate::Alerting;
use crate::cli::RunArgs;
use crate::clickhouse;
use crate::clock::GuardedClock;
use crate::config;
use crate::failure::{Failure, Outcome};
use crate::job::inputs::Inputs;
use crate::job::kafka::{Reader, Seeks};
use crate::job::recover::WhenOwned;
use crate::pipeline::{self, Mode};
use crate::proof;

pub(crate) fn run(args: &RunArgs) -> Outcome<()> {
    let settings = config::read(&args.config)?;
    // Objectives are read again by the pipeline; here a mistake is told before Kafka is asked.
    Alerting::open(&settings.objective_files)?;
    let stop = Arc::new(AtomicBool::new(false));
    let client = |to| clickhouse::client(to, &stop, false);
    let server = settings.clickhouse.as_ref().map(client);
    let server = server.transpose()?;
    let seeks = args.seek.iter().map(|seek| parse_seek(seek)).collect::<Outcome<Seeks>>()?;
    if args.check {
        let (_, opened) = Reader::connect(&settings, seeks, Inputs::default())?;
        let mut good = format!("configuration, Kafka and {} partitions", opened.len());
        if let Some(store) = &settings.store {
            Remote::new(store)?.check_creates()?;
            good.push_str(", the object store");
        }
        if let Some(server) = &server {
            server.check()?;
            good.push_str(", ClickHouse");
        }
        note(&format!("{good}: good"));
        return Ok(());
    }
    if let Some(server) = &server {
        clickhouse::check_server(server)?;
    }
    stop_on_signals(&stop)?;
    let clock: Arc<dyn Clock> = Arc::new(GuardedClock::new(proof::clock()));
    let mode = Mode {
        when_owned: WhenOwned::StandBy,
        until_end: args.until_end,
        seeks,
        stop,
        listening: None,
        watch: None,
    };
    pipeline::run(&settings, &mode, &clock)
}

fn parse_seek(text: &str) -> Outcome<((String, i32), i64)> {
    let parse = || {
        let (place, offset) = text.split_once('=')?;
        let (topic, partition) = place.rsplit_once('/')?;
        Some(((topic.to_owned(), partition.parse().ok()?), offset.parse().ok()?))
    };
    parse().ok_or_else(|| {
        Failure::usage(format!("--seek `{text}` is not TOPIC/PARTITION=OFFSET, e.g. sms/0=1200"))
    })
}

/// Sets the flag at SIGTERM and SIGINT, from a thread of its own. A second signal ends at once:
/// what is committed stays, the rest is read again.
pub(crate) fn stop_on_signals(stop: &Arc<AtomicBool>) -> Outcome<()> {
    let failed =
        |error: std::io::Error| Failure::dependency(format!("cannot listen for signals: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        runtime.block_on(async move {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut term), Ok(mut int)) =
                (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
            else {
                return;
            };
            for again in [false, true] {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
                if again {
                    std::process::exit(130);
                }
                tracing::info!("stopping: what was read or received is finished first");
                stop.store(true, Ordering::SeqCst);
            }
        });
    });
    Ok(())
}

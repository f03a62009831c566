//! `sendtally simulate`: vendor traffic with known truth, to Kafka or to files.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ingest::{KafkaSettings, OutRecord, Producer};
use model::clock::{Clock, SystemClock};
use simulate::logs::{DirWriter, LogWriter, TruthWriter, write_incidents};
use simulate::{Options, Record, Scenario, Simulation};

use super::note;
use super::run::stop_on_signals;
use crate::cli::SimulateArgs;
use crate::config;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(args: &SimulateArgs) -> Outcome<()> {
    if !(args.rate.is_finite() && args.rate > 0.0) || args.events == 0 {
        return Err(Failure::usage("--rate and --events have to be above zero"));
    }
    let scenario = read(&args.scenario)?;
    let options = Options {
        seed: args.seed,
        events: args.events,
        rate: args.rate,
        partitions: args.partitions,
        start_us: args.live.then(|| SystemClock.now_us()),
    };
    let simulation = Simulation::new(&scenario, options);
    let topics = scenario.topics();
    if args.live && args.out != "kafka" {
        return Err(Failure::usage("--live needs --out kafka"));
    }
    if args.out == "kafka" {
        return to_kafka(args, simulation, &topics);
    }
    let out = Path::new(&args.out);
    let mut writer =
        DirWriter::create(out, &topics, args.partitions).map_err(|error| failed(out, &error))?;
    drain(simulation, &topics, (out, &|| false), |record| {
        writer.write(record).map_err(|error| failed(out, &error))
    })?;
    writer.finish().map_err(|error| failed(out, &error))
}

/// Reads a scenario.
pub(crate) fn read(path: &Path) -> Outcome<Scenario> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read scenario {}: {error}", path.display()))
    })?;
    Scenario::from_yaml(&text)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::dependency(format!("cannot write below {}: {error}", path.display()))
}

fn to_kafka(args: &SimulateArgs, simulation: Simulation, topics: &[String]) -> Outcome<()> {
    let settings = match (&args.config, &args.brokers) {
        (Some(config), None) => config::read(config)?.kafka,
        (None, Some(brokers)) => {
            config::brokers_without_login("--brokers", brokers)?;
            KafkaSettings::plaintext(brokers)
        }
        _ => return Err(Failure::usage("--out kafka needs either --brokers or --config")),
    };
    let Some(log) = &args.log else {
        return Err(Failure::usage("--out kafka needs --log DIR for the logs"));
    };
    let partitions = i32::try_from(args.partitions).unwrap_or(i32::MAX);
    Producer::create_topics(&settings, topics, partitions)?;
    let producer = Producer::new(&settings)?;
    // Live traffic may be ended at any time; what was sent is in the logs then.
    let stop = Arc::new(AtomicBool::new(false));
    if args.live {
        stop_on_signals(&stop)?;
    }
    let stopping = || stop.load(Ordering::SeqCst);
    drain(simulation, topics, (log, &stopping), |record| {
        while args.live && !stopping() && record.timestamp_ms * 1000 > SystemClock.now_us() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let topic = topics.get(usize::from(record.topic)).map_or("", String::as_str);
        producer.send(&out_record(record, topic)).map_err(Failure::from)
    })?;
    Ok(producer.flush(Duration::from_secs(120))?)
}

/// A simulated record as it goes to Kafka.
pub(crate) fn out_record<'a>(record: &'a Record, topic: &'a str) -> OutRecord<'a> {
    OutRecord {
        topic,
        partition: i32::try_from(record.partition).unwrap_or(0),
        timestamp_ms: record.timestamp_ms,
        key: &record.key,
        headers: &record.headers,
        value: &record.value,
    }
}

/// Hands every record out and writes the logs beside.
fn drain(
    mut simulation: Simulation,
    topics: &[String],
    (logs, stopping): (&Path, &dyn Fn() -> bool),
    mut send: impl FnMut(&Record) -> Outcome<()>,
) -> Outcome<()> {
    std::fs::create_dir_all(logs).map_err(|error| failed(logs, &error))?;
    let create = |name: &str| {
        File::create(logs.join(name)).map(BufWriter::new).map_err(|error| failed(logs, &error))
    };
    let broken = |error: std::io::Error| failed(logs, &error);
    let mut log = LogWriter::new(create("log.csv")?, topics.to_vec()).map_err(broken)?;
    let mut truth = TruthWriter::new(create("truth.csv")?).map_err(broken)?;
    let mut records: u64 = 0;
    while let Some(record) = simulation.next_record() {
        // It is in the log by now, so it is sent even if this is the last.
        send(&record)?;
        if stopping() {
            break;
        }
        records += 1;
        if records.is_multiple_of(4096) {
            log.write(&simulation.take_log()).map_err(broken)?;
            truth.write(&simulation.take_truth()).map_err(broken)?;
        }
    }
    log.write(&simulation.take_log()).map_err(broken)?;
    let rest = simulation.finish();
    truth.write(&rest.messages).map_err(broken)?;
    write_incidents(create("incidents.csv")?, &rest.incidents).map_err(broken)?;
    log.finish().map_err(broken)?;
    truth.finish().map_err(broken)?;
    note(&format!("{records} records; logs in {}", logs.display()));
    Ok(())
}

//! `sendtally demo`: everything in one process. An embedded broker, simulated traffic at the pace
//! of the clock, the pipeline as `run` has it, the page, a gateway for webhooks of one's own, and a
//! table in the terminal.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use commit::{Chain, DataDir};
use ingest::{EmbeddedBroker, KafkaSettings, Producer};
use model::clock::{Clock, SystemClock};
use model::keys::Keyring;
use model::record::{SignaturePolicy, SignatureRule};
use model::time::format_us;
use serve::{TextFilter, WindowQuery, WindowRow};
use simulate::logs::LogWriter;
use simulate::{Options, Scenario, Simulation};

use super::run::stop_on_signals;
use super::simulate::out_record;
use super::stdout;
use crate::aggregate::Published;
use crate::cli::DemoArgs;
use crate::config::{
    self, FirstStart, KeyHolders, MIN_FREE_MB, Settings, TRACK_MEMORY_BYTES, TopicEntry,
    dead_letters, version_of,
};
use crate::failure::{Failure, Outcome};
use crate::gateway;
use crate::job::recover::WhenOwned;
use crate::lake::Rules;
use crate::pipeline::{self, Mode};
use crate::tables::JOB;

const SCENARIO: &str = include_str!("../../../../tests/scenarios/demo.yaml");
const PARTITIONS: u32 = 4;
/// The embedded broker forgets records beyond 5 MiB a partition: at this rate it never does.
const RATE_MAX: f64 = 2_000.0;
/// Files are published soon, so that a visitor finds some.
const PUBLISH_AFTER_S: i64 = 10;

pub(crate) fn run(args: &DemoArgs) -> Outcome<()> {
    if !(0.1..=RATE_MAX).contains(&args.rate) {
        return Err(Failure::usage(format!("--rate goes from 0.1 to {RATE_MAX} events a second")));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let scenario = Scenario::from_yaml(SCENARIO)
        .map_err(|error| Failure::usage(format!("the demo's scenario: {error}")))?;
    let dir = DataDir::open(&args.data)?;
    let keyring = super::load::keyring(&dir)?;
    // The broker is new at each start, so its topics are; so are the messages.
    let start = Chain::open(&dir, JOB, "demo")?.epoch();
    let topics: Vec<String> =
        scenario.topics().iter().map(|topic| format!("{topic}-{start}")).collect();
    let hooks = format!("webhooks-{start}");
    let read = [topics.as_slice(), std::slice::from_ref(&hooks)].concat();
    let broker = EmbeddedBroker::start(&read, i32::try_from(PARTITIONS).unwrap_or(4))?;
    let kafka = broker.settings();
    let receiving = config::gateway::demo(&args.gateway, &hooks, kafka.clone())?;
    let settings = settings(args, &kafka, &read, keyring)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signals(&stop)?;
    let options = Options {
        seed: args.seed.wrapping_add(start.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        events: u64::MAX,
        rate: args.rate,
        partitions: PARTITIONS,
        start_us: Some(clock.now_us()),
    };
    let traffic = Traffic {
        simulation: Simulation::new(&scenario, options),
        producer: Producer::new(&kafka)?,
        topics,
        clock: Arc::clone(&clock),
        stop: Arc::clone(&stop),
    };
    let log = args.data.join("simulated").join(format!("log-{start}.csv"));
    let sending = std::thread::spawn(move || traffic.run(&log));
    let (time, ending) = (Arc::clone(&clock), Arc::clone(&stop));
    let hooked = std::thread::spawn(move || {
        let result = gateway::run(receiving, &time, &ending, Some(tell_gateway));
        ending.store(true, Ordering::SeqCst);
        result
    });
    let mode = Mode {
        when_owned: WhenOwned::Refuse,
        until_end: false,
        seeks: std::collections::BTreeMap::new(),
        stop: Arc::clone(&stop),
        listening: Some(|address| {
            say(&format!("page: http://{address}/   (Ctrl-C ends the demo)"));
        }),
        watch: Some(watch),
    };
    let result = pipeline::run(&settings, &mode, &clock);
    stop.store(true, Ordering::SeqCst);
    let sent = sending.join().unwrap_or_else(|_| Err(Failure::protect("the traffic panicked")));
    let hooked = hooked.join().unwrap_or_else(|_| Err(Failure::protect("the gateway panicked")));
    drop(broker);
    result.and(sent).and(hooked)
}

/// The pipeline's, on the broker inside the process.
fn settings(
    args: &DemoArgs,
    kafka: &KafkaSettings,
    topics: &[String],
    keyring: Keyring,
) -> Outcome<Settings> {
    Ok(Settings {
        data_dir: args.data.clone(),
        store: None,
        kafka: kafka.clone(),
        first_start: FirstStart::Earliest,
        topics: topics.iter().map(|topic| entry(topic)).collect::<Outcome<_>>()?,
        keyring,
        signatures: Arc::default(),
        key_holders: KeyHolders::default(),
        regional: Arc::default(),
        vault: dead_letters::vault(None)?,
        epoch_ms: 1000,
        min_free_bytes: MIN_FREE_MB << 20,
        track_memory_bytes: TRACK_MEMORY_BYTES,
        clickhouse: None,
        lake: Rules {
            publish_after_us: PUBLISH_AFTER_S * model::time::SECOND_US,
            ..Rules::default()
        },
        listen: Some(args.listen.clone()),
        objective_files: Vec::new(),
        version: version_of(SCENARIO),
    })
}

fn tell_gateway(address: &str) {
    say(&format!("webhooks: http://{address}/in/SOURCE/ACCOUNT"));
}

fn entry(topic: &str) -> Outcome<TopicEntry> {
    let pattern = regex::Regex::new(&format!("^{}$", regex::escape(topic)))
        .map_err(|error| Failure::usage(format!("topic {topic}: {error}")))?;
    let signatures = SignatureRule { policy: SignaturePolicy::Ignore, check_again: false };
    Ok(TopicEntry {
        pattern,
        name: Some(topic.to_owned()),
        source: None,
        account: None,
        signatures,
    })
}

fn say(text: &str) {
    let mut out = stdout();
    // A closed terminal does not end the demo.
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

struct Traffic {
    simulation: Simulation,
    producer: Producer,
    topics: Vec<String>,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
}

impl Traffic {
    /// Sends each record when its time has come; writes the log of what was sent beside.
    fn run(mut self, log: &Path) -> Outcome<()> {
        let failed = |error: std::io::Error| {
            Failure::dependency(format!("cannot write {}: {error}", log.display()))
        };
        if let Some(parent) = log.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let file = BufWriter::new(File::create(log).map_err(failed)?);
        let mut log = LogWriter::new(file, self.topics.clone()).map_err(failed)?;
        let mut logged_us = self.clock.now_us();
        while let Some(record) = self.simulation.next_record() {
            while record.timestamp_ms * 1000 > self.clock.now_us() {
                if self.stop.load(Ordering::SeqCst) {
                    log.write(&self.simulation.take_log()).map_err(failed)?;
                    return log.finish().map_err(failed);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let topic = self.topics.get(usize::from(record.topic)).map_or("", String::as_str);
            self.producer.send(&out_record(&record, topic))?;
            if self.clock.now_us() - logged_us > model::time::SECOND_US {
                logged_us = self.clock.now_us();
                log.write(&self.simulation.take_log()).map_err(failed)?;
                drop(self.simulation.take_truth());
            }
        }
        Ok(())
    }
}

/// Prints the newest full minute by channel and carrier every few seconds.
fn watch(published: &Published, stop: &AtomicBool) {
    let mut alerts_seen = 0;
    let mut beats = 0_u32;
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(250));
        beats += 1;
        if !beats.is_multiple_of(20) {
            continue;
        }
        let query = WindowQuery {
            window_s: 60,
            source: None,
            channel: None,
            carrier: TextFilter::Any,
            country: TextFilter::Any,
            traffic_class: None,
            from_us: None,
            to_us: None,
            limit: 1_000,
        };
        let answer = published.answer(&query);
        say(&table(&answer.windows));
        let alerts = published.alerts_after(alerts_seen, 100);
        for alert in &alerts.alerts {
            say(&format!(
                "alert {} {} → {}: {}",
                alert.objective, alert.series, alert.to_state, alert.reason
            ));
        }
        alerts_seen = alerts.next;
    }
}

/// The newest two minutes, summed by channel and carrier.
fn table(rows: &[WindowRow]) -> String {
    let newest = rows.iter().map(|row| row.window_start.0).max().unwrap_or(0);
    let from = newest - 60 * model::time::SECOND_US;
    let mut sums: std::collections::BTreeMap<(String, String), [i64; 4]> =
        std::collections::BTreeMap::new();
    for row in rows.iter().filter(|row| row.window_start.0 >= from) {
        let carrier = row.carrier.clone().unwrap_or_else(|| "not told".to_owned());
        let sum = sums.entry((row.channel.clone(), carrier)).or_default();
        for (sum, value) in sum.iter_mut().zip([row.total, row.delivered, row.failed, row.pending])
        {
            *sum += value;
        }
    }
    let mut text = format!(
        "\n{}  last two minutes\n{:<10} {:<16} {:>7} {:>9} {:>7} {:>8}\n",
        format_us(newest),
        "channel",
        "carrier",
        "total",
        "delivered",
        "failed",
        "pending"
    );
    for ((channel, carrier), [total, delivered, failed, pending]) in sums {
        text.push_str(&format!(
            "{channel:<10} {carrier:<16} {total:>7} {delivered:>9} {failed:>7} {pending:>8}\n"
        ));
    }
    text
}

//! `rdkafka` consuming alone, and `sendtally run --until-end`, over the same records in the same
//! Kafka; processor time of each, by thread.
//!
//! ```text
//! simulate ─► Kafka ─┬─► rdkafka alone: poll, count bytes
//!                    └─► sendtally run: rdk:* ingest normalize core commit │ aggregate lake
//!                                       └────── the budget is on these ─────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::processor;

/// Threads that do not belong to "Kafka to committed segments and panes": windows, Parquet, and the
/// main thread, which publishes what is left at the end.
const READERS: [&str; 3] = ["aggregate", "lake", "sendtally"];

fn must<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Measures and prints. `normalize` has nanoseconds an event by source.
pub(crate) fn measure(
    brokers: &str,
    binary: &str,
    unit_ns: f64,
    normalize: &BTreeMap<String, f64>,
) {
    let events: u64 = match std::env::var("SENDTALLY_BENCH_EVENTS") {
        Ok(text) => must("SENDTALLY_BENCH_EVENTS", text.parse()),
        Err(_) => 2_000_000,
    };
    let work = std::env::temp_dir().join(format!("sendtally-bench-{}", std::process::id()));
    must("a work directory", fs::create_dir_all(&work));
    simulate(brokers, binary, events, &work);
    let alone = consume(brokers);
    println!(
        "rdkafka alone: {} records, {:.0} MB, {:.2} s of processor",
        alone.records,
        alone.bytes as f64 / 1e6,
        alone.cpu_s
    );
    let run = run_to_end(brokers, binary, &work);
    let mix = mix_of(&work.join("log/log.csv"));
    must("removing the work directory", fs::remove_dir_all(&work));
    print(events, &alone, &run, unit_ns, share_ns(&mix, normalize));
}

fn simulate(brokers: &str, binary: &str, events: u64, work: &Path) {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios/bench.yaml");
    let status = Command::new(binary)
        .args(["simulate", "--seed", "1", "--rate", "10000", "--partitions", "4"])
        .args(["--out", "kafka", "--brokers", brokers, "--events", &events.to_string()])
        .arg("--scenario")
        .arg(scenario)
        .arg("--log")
        .arg(work.join("log"))
        .status();
    assert!(must("sendtally simulate", status).success(), "sendtally simulate failed");
}

struct Alone {
    records: u64,
    bytes: u64,
    cpu_s: f64,
    wall_s: f64,
}

/// Reads all partitions from their start to their end, with the settings that `ingest` has.
fn consume(brokers: &str) -> Alone {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench-alone")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "20")
        .set("check.crcs", "true");
    let consumer: BaseConsumer = must("a consumer", config.create());
    let metadata = must("metadata", consumer.fetch_metadata(None, Duration::from_secs(10)));
    let mut list = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with("messaging.")) {
        for part in topic.partitions() {
            let added = list.add_partition_offset(topic.name(), part.id(), Offset::Beginning);
            must("a partition", added);
        }
    }
    let mut left = list.count();
    let (cpu, wall) = (processor::own_s(), Instant::now());
    must("assign", consumer.assign(&list));
    let (mut records, mut bytes) = (0, 0);
    while left > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                records += 1;
                bytes += message.payload_len() as u64;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
            Some(Err(error)) => panic!("consuming: {error}"),
        }
    }
    let (cpu_s, wall_s) = (processor::own_s() - cpu, wall.elapsed().as_secs_f64());
    Alone { records, bytes, cpu_s, wall_s }
}

struct Run {
    cpu_s: f64,
    wall_s: f64,
    threads: BTreeMap<String, f64>,
}

fn config(brokers: &str, work: &Path) -> PathBuf {
    let file = work.join("bench.toml");
    let text = format!(
        "data_dir = \"{}\"\n[kafka]\nbrokers = \"{brokers}\"\ngroup_id = \"bench\"\n\
         [[topics]]\npattern = '^messaging\\..*'\n",
        work.join("data").display()
    );
    must("the configuration", fs::write(&file, text));
    file
}

fn run_to_end(brokers: &str, binary: &str, work: &Path) -> Run {
    let before = processor::children_s();
    let wall = Instant::now();
    let log = must("the log", fs::File::create(work.join("run.log")));
    let child = Command::new(binary)
        .args(["run", "--until-end", "--config"])
        .arg(config(brokers, work))
        .env("SENDTALLY_KEY", "5e".repeat(32))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let threads = watch(&mut must("sendtally run", child), &work.join("run.log"));
    Run {
        cpu_s: processor::children_s() - before,
        wall_s: wall.elapsed().as_secs_f64(),
        threads: processor::by_name(&threads),
    }
}

/// Samples the threads of a process until it ends well.
fn watch(child: &mut Child, log: &Path) -> BTreeMap<u64, (String, f64)> {
    let mut threads = BTreeMap::new();
    loop {
        if let Some(status) = must("waiting", child.try_wait()) {
            let said = fs::read_to_string(log).unwrap_or_default();
            assert!(status.success(), "sendtally run: {status}\n{said}");
            return threads;
        }
        processor::sample(child.id(), &mut threads);
        std::thread::sleep(processor::SAMPLE);
    }
}

/// Events by source, from the simulator's log.
fn mix_of(log: &Path) -> BTreeMap<String, u64> {
    let text = must("the simulator's log", fs::read_to_string(log));
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let at = head.iter().position(|name| *name == "source").unwrap_or_default();
    let mut mix = BTreeMap::new();
    for line in lines {
        *mix.entry(line.split(',').nth(at).unwrap_or_default().to_owned()).or_default() += 1;
    }
    mix
}

/// What the mix takes to normalize, by the figures of the parsing part, nanoseconds an event.
fn share_ns(mix: &BTreeMap<String, u64>, normalize: &BTreeMap<String, f64>) -> f64 {
    let known: BTreeSet<&String> = normalize.keys().collect();
    let total: u64 = mix.iter().filter(|(name, _)| known.contains(name)).map(|(_, n)| n).sum();
    let spent: f64 =
        mix.iter().filter_map(|(name, n)| Some(*n as f64 * normalize.get(name)?)).sum();
    spent / total.max(1) as f64
}

fn print(events: u64, alone: &Alone, run: &Run, unit_ns: f64, normalize_ns: f64) {
    let per_event = |seconds: f64| seconds * 1e9 / events as f64;
    let line = |name: &str, seconds: f64| {
        let ns = per_event(seconds);
        if ns < 1.0 {
            return;
        }
        println!(
            "| {name} | {ns:.0} | {:.0} | {:.1} | {:.2} |",
            1e9 / ns,
            alone.bytes as f64 / 1e6 / seconds,
            ns / unit_ns
        );
    };
    println!("\n{events} events of tests/scenarios/bench.yaml, U = {unit_ns:.0} ns");
    println!("wall: rdkafka alone {:.1} s, run --until-end {:.1} s\n", alone.wall_s, run.wall_s);
    println!("| processor time | ns an event | events/s of a core | MB/s of a core | in U |");
    println!("|---|---|---|---|---|");
    line("rdkafka alone", alone.cpu_s);
    let mut sampled = 0.0;
    let mut readers = 0.0;
    for (name, seconds) in &run.threads {
        line(&format!("thread {name}"), *seconds);
        sampled += seconds;
        readers += if READERS.contains(&name.as_str()) { *seconds } else { 0.0 };
    }
    line("not seen by sampling", run.cpu_s - sampled);
    line("whole process", run.cpu_s);
    line("Kafka to committed segments and panes", run.cpu_s - readers);
    let budget_ns = per_event(alone.cpu_s) + normalize_ns + 0.6 * unit_ns;
    let spent_ns = per_event(run.cpu_s - readers);
    println!(
        "\nbudget: rdkafka {:.0} + normalize of this mix {normalize_ns:.0} + 0.6 U = \
         {budget_ns:.0} ns ({:.2} U); spent {spent_ns:.0} ns ({:.2} U): {}",
        per_event(alone.cpu_s),
        budget_ns / unit_ns,
        spent_ns / unit_ns,
        if spent_ns <= budget_ns { "met" } else { "not met" }
    );
}

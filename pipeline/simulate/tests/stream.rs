//! The stream as a whole: determinism, shares, positions, batches. Method: run a scenario in
//! memory and read the records with `serde_json`, independently of the encoders.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests may stop the test")]

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use simulate::{Kind, LogRow, Options, Record, Scenario, Simulation, Truth};

const ORACLE: &str = include_str!("../../../tests/scenarios/oracle.yaml");
const DEMO: &str = include_str!("../../../tests/scenarios/demo.yaml");
const BENCH: &str = include_str!("../../../tests/scenarios/bench.yaml");

struct Run {
    records: Vec<Record>,
    log: Vec<LogRow>,
    truth: Truth,
}

fn options(seed: u64, events: u64) -> Options {
    Options { seed, events, rate: 50.0, partitions: 4, start_us: None }
}

fn run(yaml: &str, options: Options) -> Run {
    let scenario = Scenario::from_yaml(yaml).expect("a valid scenario");
    let mut simulation = Simulation::new(&scenario, options);
    let (mut records, mut log) = (Vec::new(), Vec::new());
    while let Some(record) = simulation.next_record() {
        records.push(record);
        log.extend(simulation.take_log());
    }
    Run { records, log, truth: simulation.finish() }
}

/// Leaf elements of a record by its JSON alone; `None` where it cannot be split.
fn elements(record: &Record) -> Option<Vec<Value>> {
    let json: Value = serde_json::from_slice(&record.value).ok()?;
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for list in ["results", "usage_records"] {
        if json.get(list).is_some() {
            return Some(array(&json[list]));
        }
    }
    if json.get("entry").is_none() {
        return Some(if json.is_array() { array(&json) } else { vec![json] });
    }
    let mut leaves = Vec::new();
    for change in array(&json["entry"]).iter().flat_map(|entry| array(&entry["changes"])) {
        leaves.extend(array(&change["value"]["statuses"]));
        leaves.extend(array(&change["value"]["messages"]));
    }
    Some(leaves)
}

/// The message id of an element, wherever its vendor puts it.
fn id_of(element: &Value) -> Option<String> {
    let at = ["/messageId", "/id", "/data/messageSid", "/sid", "/apns_id", "/message_id"];
    let direct = at.into_iter().find_map(|path| element.pointer(path)?.as_str().map(str::to_owned));
    let inside = element.pointer("/data/message_id").or(element.pointer("/data/messageSid"));
    let name = element.pointer("/body/name").and_then(Value::as_str);
    inside
        .and_then(Value::as_str)
        .map(str::to_owned)
        .or_else(|| name.and_then(|name| name.rsplit('/').next()).map(str::to_owned))
        .or(direct)
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let first = run(ORACLE, options(7, 20_000));
    let again = run(ORACLE, options(7, 20_000));
    let other = run(ORACLE, options(8, 20_000));
    assert!(first.records == again.records);
    assert!(first.records != other.records);
    let scenario = Scenario::from_yaml(ORACLE).expect("valid");
    let mut quiet = Simulation::new(&scenario, options(7, 20_000)).without_log();
    let silent: Vec<Record> = std::iter::from_fn(|| quiet.next_record()).collect();
    assert!(first.records == silent, "the log must not change the stream");
}

#[test]
fn the_bound_counts_every_element_and_the_log_has_each_once() {
    for yaml in [ORACLE, DEMO, BENCH] {
        let run = run(yaml, options(3, 15_000));
        assert_eq!(run.log.len(), 15_000);
        let ids: HashSet<u64> = run.log.iter().map(|row| row.row_id).collect();
        assert_eq!(ids.len(), 15_000);
        assert!(!run.truth.messages.is_empty());
    }
}

#[test]
fn offsets_and_element_indexes_match_the_records() {
    let run = run(ORACLE, options(11, 60_000));
    let mut next: HashMap<(u16, u32), u64> = HashMap::new();
    let mut rows = run.log.iter().peekable();
    for record in &run.records {
        let offset = next.entry((record.topic, record.partition)).or_default();
        let mut found = Vec::new();
        while let Some(row) = rows.next_if(|row| {
            (row.topic, row.partition, row.offset) == (record.topic, record.partition, *offset)
        }) {
            assert_eq!(row.element as usize, found.len());
            assert_eq!(row.ingest_time_us, record.timestamp_ms * 1_000);
            found.push(row);
        }
        *offset += 1;
        assert!(!found.is_empty(), "every record has an element");
        let form = record.headers.iter().any(|(_, value)| value.contains("form"));
        match elements(record) {
            _ if form => assert_eq!(found.len(), 1),
            None => assert!(found.len() == 1 && found[0].kind == Kind::Malformed),
            Some(leaves) => {
                assert_eq!(leaves.len(), found.len(), "{}", found[0].variant);
                for (leaf, row) in leaves.iter().zip(found) {
                    if row.kind == Kind::Delivery && row.source != "google_rbm" {
                        assert_eq!(id_of(leaf), Some(row.message_id.clone()), "{}", row.variant);
                    }
                }
            }
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn shares_are_near_what_the_scenario_asks() {
    let run = run(ORACLE, options(5, 200_000));
    let share = |wanted: &dyn Fn(&LogRow) -> bool| {
        run.log.iter().filter(|row| wanted(row)).count() as f64 / run.log.len() as f64
    };
    let duplicates = share(&|row| row.duplicate_of.is_some());
    let malformed = share(&|row| row.kind == Kind::Malformed);
    let future = share(&|row| row.future_clock);
    assert!((0.015..0.025).contains(&duplicates), "duplicates {duplicates}");
    assert!((0.0006..0.0014).contains(&malformed), "malformed {malformed}");
    assert!((0.0001..0.001).contains(&future), "future clocks {future}");
    assert!(share(&|row| row.kind == Kind::Ignored) > 0.001);
}

#[test]
fn future_clocks_are_the_only_events_after_their_ingest_time() {
    let run = run(ORACLE, options(5, 100_000));
    for row in &run.log {
        let Some(event_us) = row.event_time_us else { continue };
        let ahead_us = event_us - row.ingest_time_us;
        match row.future_clock {
            // A repetition comes later, so its clock may be right by then.
            true => assert!(ahead_us > 300_000_000 || row.duplicate_of.is_some()),
            false => assert!(ahead_us <= 0, "{} {ahead_us}", row.variant),
        }
    }
}

#[test]
fn duplicates_repeat_the_same_element_later_and_in_other_partitions() {
    let run = run(ORACLE, options(9, 100_000));
    let mut bytes: HashMap<(u16, u32, u64), &Record> = HashMap::new();
    let mut next: HashMap<(u16, u32), u64> = HashMap::new();
    for record in &run.records {
        let offset = next.entry((record.topic, record.partition)).or_default();
        bytes.insert((record.topic, record.partition, *offset), record);
        *offset += 1;
    }
    let place: HashMap<u64, usize> =
        run.log.iter().enumerate().map(|(n, row)| (row.row_id, n)).collect();
    let wire = |row: &LogRow| {
        let record = bytes[&(row.topic, row.partition, row.offset)];
        match elements(record) {
            Some(mut leaves) => leaves.swap_remove(row.element as usize).to_string(),
            None => String::from_utf8_lossy(&record.value).into_owned(),
        }
    };
    let (mut elsewhere, mut all) = (0, 0);
    for (n, row) in run.log.iter().enumerate() {
        let Some(original) = row.duplicate_of else { continue };
        let first = place[&original];
        assert!(first < n, "a repetition comes after its original");
        assert_eq!(run.log[first].duplicate_of, None);
        assert_eq!(wire(&run.log[first]), wire(row));
        all += 1;
        elsewhere += usize::from(run.log[first].partition != row.partition);
    }
    let share = f64::from(elsewhere as u32) / f64::from(all);
    assert!((0.65..0.85).contains(&share), "3 of 4 in another partition: {share}");
}

#[test]
fn batches_mix_messages_and_a_message_spreads_over_partitions() {
    let run = run(ORACLE, options(2, 50_000));
    let mut batch: HashMap<(u16, u32, u64), HashSet<u64>> = HashMap::new();
    let mut spread: HashMap<u64, HashSet<u32>> = HashMap::new();
    for row in &run.log {
        batch.entry((row.topic, row.partition, row.offset)).or_default().insert(row.message_seq);
        spread.entry(row.message_seq).or_default().insert(row.partition);
    }
    assert!(batch.values().filter(|messages| messages.len() > 1).count() > 500);
    assert!(spread.values().filter(|partitions| partitions.len() > 1).count() > 5_000);
}

#[test]
fn only_the_reordered_share_stands_behind_a_later_timestamp() {
    let run = run(ORACLE, options(6, 50_000));
    let mut newest: HashMap<(u16, u32), i64> = HashMap::new();
    let mut displaced = 0;
    for record in &run.records {
        let seen = newest.entry((record.topic, record.partition)).or_insert(i64::MIN);
        displaced += usize::from(record.timestamp_ms < *seen);
        assert!(record.timestamp_ms > seen.saturating_sub(4_001));
        *seen = record.timestamp_ms.max(*seen);
    }
    let share = f64::from(displaced as u32) / run.records.len() as f64;
    assert!((0.02..0.06).contains(&share), "{share}");
}

#[test]
fn the_outage_shows_in_the_truth_and_in_the_receipts() {
    let run = run(ORACLE, options(4, 120_000));
    let share = |carrier: &str, incident: &str| {
        let of = run
            .truth
            .messages
            .iter()
            .filter(|row| row.carrier == carrier && row.incidents.contains(incident));
        let all: Vec<_> = of.collect();
        let bad = all.iter().filter(|row| !["delivered", "read"].contains(&row.outcome)).count();
        assert!(all.len() > 100, "{carrier}: {}", all.len());
        bad as f64 / all.len() as f64
    };
    assert!((0.6..0.8).contains(&share("att", "outage-att")));
    assert_eq!(share("o2_uk", "fake-o2"), 1.0);
    let flooded = run.truth.messages.iter().filter(|row| row.incidents.contains("flood-ng"));
    assert!(flooded.count() > 1_000);
    assert_eq!(run.truth.incidents.len(), 5);
}

#[test]
fn the_day_shapes_the_volume() {
    let shaped = BENCH.replace(
        "accounts: 3",
        "accounts: 3\ndaily_shape: [1,1,1,1,1,1,1,1,1,1,9,9,9,9,9,9,9,9,9,9,9,1,1,1]",
    );
    let slow = Options { seed: 1, events: 200_000, rate: 10.0, partitions: 1, start_us: None };
    let run = run(&shaped, slow);
    let count = |hour: i64| {
        let of = |row: &&simulate::TruthRow| row.submit_time_us / 3_600_000_000 % 24 == hour;
        run.truth.messages.iter().filter(of).count()
    };
    assert!(count(11) > 5 * count(8), "{} {}", count(11), count(8));
}

#[test]
fn mistakes_in_a_scenario_are_refused_with_their_place() {
    let says = |yaml: &str, words: &[&str]| {
        let message = Scenario::from_yaml(yaml).expect_err("refused").to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    says(&BENCH.replace("accounts: 3", "acounts: 3"), &["acounts", "line 4"]);
    says(&BENCH.replace("att: 1", "attt: 1"), &["flows[1].carriers.attt"]);
    says(&BENCH.replace("weight: 80", "weight: 0"), &["flows[0].weight"]);
    says(&BENCH.replace("start: 2026", "start: 26"), &["start"]);
}

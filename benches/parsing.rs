//! Parse and normalize, by source, beside the typed parse and the SHA-256 of the same payload.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use model::keys::Keyring;
use model::record::{Input, RawBatch, RawRecord, SignatureRule};
use normalize::{Normalizer, Settings};
use sha2::{Digest, Sha256};

use crate::payloads::{self, Payload};

/// Records a round: as many as a batch of ingest holds.
const RECORDS: usize = 2_000;
/// The best round counts: everything slower was the machine.
const ROUNDS: usize = 60;

/// Nanoseconds a record of the best round.
fn best_ns(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / RECORDS as f64);
    }
    best
}

fn batch_of(payload: &str) -> RawBatch {
    let mut raw = RawBatch::default();
    for offset in 0..RECORDS {
        let value = raw.push_bytes(payload.as_bytes());
        raw.records.push(RawRecord {
            input: 0,
            offset: i64::try_from(offset).unwrap_or(0),
            ingest_time_us: Some(1_795_176_003_000_000),
            value,
            tombstone: false,
            headers: 0..0,
        });
    }
    raw
}

fn normalize_ns(payload: &Payload) -> f64 {
    let raw = batch_of(&payload.text);
    let source = Some(payload.source);
    let inputs = [Input {
        topic: Arc::from("t"),
        partition: 0,
        source,
        account: None,
        signatures: SignatureRule::default(),
    }];
    let mut normalizer = Normalizer::new(Settings {
        keyring: Keyring::demo(),
        signatures: Arc::default(),
        regional: Arc::default(),
    });
    best_ns(|| {
        let done = match normalizer.batch(black_box(&raw), &inputs) {
            Ok(done) => done,
            Err(error) => panic!("{}: {error}", payload.source),
        };
        assert_eq!(done.events.num_rows(), RECORDS, "{}: an event a record", payload.source);
        black_box(done);
    })
}

/// Prints the table, of all sources where none is named; gives U and what each source takes to
/// normalize, in nanoseconds.
pub(crate) fn measure(sources: &[String]) -> (f64, BTreeMap<String, f64>) {
    let typed_ns = |payload: &Payload| {
        best_ns(|| {
            for _ in 0..RECORDS {
                (payload.typed)(black_box(&payload.text));
            }
        })
    };
    let unit_ns = best_ns(|| {
        for _ in 0..RECORDS {
            payloads::infobip(black_box(payloads::INFOBIP));
        }
    });
    println!("one core, best of {ROUNDS} rounds of {RECORDS} records, each one event");
    println!("U = {unit_ns:.0} ns: typed sonic-rs parse of {} bytes\n", payloads::INFOBIP.len());
    println!("| source, bytes | what | ns | events/s | MB/s | in U | budget | met |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut all = BTreeMap::new();
    let is_chosen = |payload: &Payload| {
        sources.is_empty() || sources.iter().any(|word| word == payload.source.as_str())
    };
    for payload in payloads::all().into_iter().filter(is_chosen) {
        let typed = typed_ns(&payload);
        let sha = best_ns(|| {
            for _ in 0..RECORDS {
                black_box(Sha256::digest(black_box(payload.text.as_bytes())));
            }
        });
        let normalize = normalize_ns(&payload);
        let budget = 1.2 * (typed + sha) + 0.6 * unit_ns;
        let bytes = payload.text.len() as f64;
        let row = |what: &str, ns: f64, judged: &str| {
            let (rate, throughput, units) = (1e9 / ns, bytes * 1e3 / ns, ns / unit_ns);
            let (source, variant) = (payload.source, payload.variant);
            println!(
                "| {source}{variant}, {bytes} | {what} | {ns:.0} | {rate:.0} | {throughput:.0} | \
                 {units:.2} | {judged} |"
            );
        };
        row(&format!("typed parse alone ({})", payload.parser), typed, "| ");
        row("SHA-256 alone", sha, "| ");
        let met = if normalize <= budget { "yes" } else { "no" };
        let judged = format!("{:.2} U | {met}", budget / unit_ns);
        row("parse and normalize", normalize, &judged);
        // The pipeline is measured with the commonest payload, which stands first.
        all.entry(payload.source.to_string()).or_insert(normalize);
    }
    println!();
    (unit_ns, all)
}

//! The long form: libFuzzer over one target. `long.py` builds and calls it.
//!
//! `SENDTALLY_FUZZ_TARGET` names the target (`list` prints them all); examples and a dictionary are
//! written to `SENDTALLY_FUZZ_WORK` before libFuzzer reads them there, once a second what was seen
//! (`seen.json`), and each input that took longer than any before it (`slow`). Counters and checks
//! are most of what this build takes: it allows ten times the CPU time, and `long.py` measures the
//! slow ones again with a build that has neither.
#![no_main]
#![allow(
    unsafe_code,
    missing_docs,
    clippy::panic,
    clippy::print_stdout,
    reason = "libFuzzer's entry points are C functions, and a finding is told by a panic"
)]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fuzz::harness::{Harness, Seen};
use fuzz::mutate::{Dice, mutate};
use fuzz::{Target, seeds};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// A target under way.
struct Run {
    harness: Harness,
    words: Vec<String>,
    work: PathBuf,
    told: Instant,
    inputs: u64,
    elements: i64,
    events: i64,
    dead: i64,
    worst: Seen,
}

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

fuzz_target!(init: { start() }, |bytes: &[u8]| one(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, size_max: usize, seed: u32| {
    if seed % 2 == 0 {
        return fuzzer_mutate(data, size, size_max);
    }
    let mut bytes = data.get(..size).unwrap_or_default().to_vec();
    let mut dice = Dice::new(u64::from(seed));
    RUN.with_borrow(|run| {
        let words = run.as_ref().map_or(&[][..], |run| &run.words);
        mutate(&mut bytes, words, size_max, &mut dice);
    });
    if let Some(place) = data.get_mut(..bytes.len()) {
        place.copy_from_slice(&bytes);
    }
    bytes.len()
});

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: see tests/fuzz/long.py"))
}

fn start() {
    let name = setting("SENDTALLY_FUZZ_TARGET");
    if name == "list" {
        let names: Vec<&str> = Target::all().into_iter().map(Target::name).collect();
        println!("{}", names.join("\n"));
        std::process::exit(0);
    }
    let target = Target::parse(&name).unwrap_or_else(|| panic!("no target `{name}`"));
    let work = PathBuf::from(setting("SENDTALLY_FUZZ_WORK"));
    let words = seeds::dictionary(target);
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    };
    let escaped = |word: &String| word.replace('\\', "\\\\").replace('"', "\\\"");
    let lines: Vec<String> = words.iter().map(|word| format!("\"{}\"", escaped(word))).collect();
    write(work.join("dictionary"), lines.join("\n").as_bytes());
    for (at, example) in seeds::examples(target).iter().enumerate() {
        write(work.join(format!("examples/{at}")), example);
    }
    let run = Run {
        harness: match cfg!(debug_assertions) {
            true => Harness::new(target).unoptimized(),
            false => Harness::new(target),
        },
        words,
        work,
        told: Instant::now(),
        inputs: 0,
        elements: 0,
        events: 0,
        dead: 0,
        worst: Seen::default(),
    };
    RUN.set(Some(run));
}

fn one(bytes: &[u8]) {
    RUN.with_borrow_mut(|run| {
        let Some(run) = run else { panic!("not started") };
        let seen = match run.harness.check(bytes) {
            Ok(seen) => seen,
            Err(finding) => panic!("FINDING: {finding}"),
        };
        run.inputs += 1;
        run.elements += seen.elements;
        run.events += seen.events;
        run.dead += seen.dead;
        let is_slowest = seen.cpu_ns > run.worst.cpu_ns;
        if is_slowest {
            run.worst.cpu_ns = seen.cpu_ns;
            let name = format!("slow/{:010}", seen.cpu_ns / 1_000);
            drop(fs::write(run.work.join(name), bytes));
        }
        run.worst.bytes = run.worst.bytes.max(seen.bytes);
        run.worst.share = run.worst.share.max(seen.share);
        if is_slowest || run.told.elapsed() > Duration::from_secs(1) {
            run.told = Instant::now();
            tell(run);
        }
    });
}

fn tell(run: &Run) {
    let seen = format!(
        "{{\"inputs\":{},\"elements\":{},\"events\":{},\"dead\":{},\"cpu_us_max\":{},\
         \"memory_bytes_max\":{},\"memory_share_max\":{}}}\n",
        run.inputs,
        run.elements,
        run.events,
        run.dead,
        run.worst.cpu_ns / 1_000,
        run.worst.bytes,
        run.worst.share as f64 / 1_000.0,
    );
    // Nothing depends on it but the report, which misses a second then.
    drop(fs::write(run.work.join("seen.json"), seen));
}

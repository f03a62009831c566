//! The short form: examples and kept corpora of every target, then mutations of them by a seed
//! that is printed where one fails. `SENDTALLY_SEED` chooses it, `SENDTALLY_FUZZ_INPUTS` how many.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fuzz::harness::Harness;
use fuzz::mutate::{Dice, mutate};
use fuzz::{Target, seeds};

fn setting(name: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return otherwise };
    let number = text.parse();
    assert!(number.is_ok(), "{name} is no number: {text}");
    number.unwrap_or(otherwise)
}

/// What promise an input breaks, with all that is needed to try it again.
fn finding(harness: &Harness, name: &str, bytes: &[u8], origin: &str) -> Option<String> {
    let tried = catch_unwind(AssertUnwindSafe(|| harness.check(bytes)));
    let finding = match tried {
        Ok(Ok(_)) => return None,
        Ok(Err(finding)) => finding,
        Err(_) => "a panic, see above".to_owned(),
    };
    let text: String = String::from_utf8_lossy(bytes).chars().take(2_000).collect();
    Some(format!("{name}, {origin}: {finding}\n    {} bytes: {text}", bytes.len()))
}

/// The first finding of each target.
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_target_has_examples_and_a_dictionary() {
    for target in Target::all() {
        assert!(!seeds::examples(target).is_empty(), "{}: no example", target.name());
        assert!(seeds::dictionary(target).len() > 10, "{}: no words", target.name());
    }
}

#[test]
fn what_was_found_once_stays_right() {
    let mut findings = Vec::new();
    for target in Target::all() {
        let harness = Harness::new(target).unoptimized();
        let examples = seeds::examples(target).into_iter().enumerate();
        let corpus = seeds::corpus(target).into_iter().enumerate();
        let examples = examples.map(|(at, bytes)| (format!("example {at}"), bytes));
        let corpus = corpus.map(|(at, bytes)| (format!("file {at} of its corpus"), bytes));
        let mut all = examples.chain(corpus);
        findings.extend(
            all.find_map(|(origin, bytes)| finding(&harness, target.name(), &bytes, &origin)),
        );
    }
    none(&findings);
}

#[test]
fn mutations_of_every_target_keep_the_promises() {
    let seed = setting("SENDTALLY_SEED", 1);
    let inputs = setting("SENDTALLY_FUZZ_INPUTS", 400);
    let mut findings = Vec::new();
    for target in Target::all() {
        let harness = Harness::new(target).unoptimized();
        let words = seeds::dictionary(target);
        let mut from = seeds::examples(target);
        from.extend(seeds::corpus(target));
        let mut dice = Dice::new(seed);
        findings.extend((0..inputs).find_map(|at| {
            let mut bytes = from[dice.below(from.len())].clone();
            for _ in 0..=dice.below(4) {
                mutate(&mut bytes, &words, 16 << 10, &mut dice);
            }
            finding(&harness, target.name(), &bytes, &format!("seed {seed}, input {at}"))
        }));
    }
    none(&findings);
}

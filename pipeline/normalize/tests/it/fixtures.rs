//! Records of the test files, and what the normalizer makes of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::keys::Keyring;
use model::record::{Input, RawBatch, RawRecord, SignatureRule};
use model::vocabulary::Source;
use normalize::{Normalized, Normalizer, Settings};

/// One record to be normalized.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) value: Vec<u8>,
    pub(crate) tombstone: bool,
    pub(crate) ingest_time_us: Option<i64>,
}

impl Case {
    pub(crate) fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn ingested(mut self, text: &str) -> Self {
        self.ingest_time_us = model::time::parse_rfc3339(text);
        self
    }

    /// A file: its bytes, or where its name ends in `.record.json` a whole record.
    pub(crate) fn file(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        if !path.to_string_lossy().ends_with(".record.json") {
            return Self::value(bytes);
        }
        let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let mut case = Self::value(record["value"].as_str().unwrap());
        for (name, value) in record["headers"].as_object().unwrap() {
            case = case.header(name, value.as_str().unwrap());
        }
        case
    }
}

pub(crate) fn batch(cases: &[Case]) -> RawBatch {
    let mut raw = RawBatch::default();
    for (offset, case) in cases.iter().enumerate() {
        let value = raw.push_bytes(&case.value);
        let start = raw.headers.len();
        for (name, value) in &case.headers {
            let name = raw.push_bytes(name.as_bytes());
            let value = raw.push_bytes(value.as_bytes());
            raw.headers.push((name, value));
        }
        raw.records.push(RawRecord {
            input: 0,
            offset: i64::try_from(offset).unwrap(),
            ingest_time_us: case.ingest_time_us,
            value,
            tombstone: case.tombstone,
            headers: start..raw.headers.len(),
        });
    }
    raw
}

pub(crate) fn input(source: Option<Source>) -> Input {
    let signatures = SignatureRule::default();
    Input { topic: Arc::from("receipts"), partition: 3, source, account: None, signatures }
}

pub(crate) fn normalizer() -> Normalizer {
    Normalizer::new(settings())
}

pub(crate) fn settings() -> Settings {
    Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional: Arc::default() }
}

/// Normalizes and checks that every element is accounted for.
pub(crate) fn run(source: Option<Source>, cases: &[Case]) -> Normalized {
    let normalized = normalizer().batch(&batch(cases), &[input(source)]).unwrap();
    for tally in &normalized.tallies {
        let told = tally.events + tally.charges + tally.ignored + tally.dead;
        assert_eq!(tally.elements, told);
    }
    let sum = |of: fn(&normalize::Tally) -> i64| normalized.tallies.iter().map(of).sum::<i64>();
    assert_eq!(sum(|tally| tally.events), i64::try_from(normalized.events.num_rows()).unwrap());
    assert_eq!(sum(|tally| tally.dead), i64::try_from(normalized.dead.len()).unwrap());
    normalized
}

/// Canonical lines as JSON.
pub(crate) fn lines(normalized: &Normalized) -> Vec<serde_json::Value> {
    let text = text(normalized);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn text(normalized: &Normalized) -> String {
    let mut out = Vec::new();
    for row in 0..normalized.events.num_rows() {
        normalize::text::write_json_line(&normalized.events, row, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// Charge lines as JSON.
pub(crate) fn charges(normalized: &Normalized) -> Vec<serde_json::Value> {
    let text = charge_text(normalized);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn charge_text(normalized: &Normalized) -> String {
    let mut out = Vec::new();
    for row in 0..normalized.charges.num_rows() {
        normalize::text::write_json_line(&normalized.charges, row, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// Where a source's files are.
pub(crate) fn directory(source: Source) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(source.as_str())
}

/// Payload files of our own, by source.
pub(crate) fn files() -> Vec<(Source, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut files = Vec::new();
    for source in Source::ALL {
        let Ok(entries) = std::fs::read_dir(root.join(source.as_str())) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| !path.to_string_lossy().ends_with(".expected.jsonl"));
        paths.sort();
        files.extend(paths.into_iter().map(|path| (*source, path)));
    }
    files
}

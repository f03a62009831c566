//! What a target starts from: the fixtures, the kept corpus, and words out of the readers' sources.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Target;

/// Top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files of a directory in the order of their names; none where there is no directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && !path.to_string_lossy().contains(".expected."));
    paths.sort();
    paths
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

fn is_record(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".record.json")
}

/// What a long run found and is kept.
#[must_use]
pub fn corpus(target: Target) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name());
    files(&dir).iter().map(|path| bytes(path)).collect()
}

/// Valid examples, from the fixtures.
#[must_use]
pub fn examples(target: Target) -> Vec<Vec<u8>> {
    let root = root();
    match target {
        Target::Source(source) => {
            let paths = files(&root.join("fixtures").join(source.as_str()));
            paths.iter().flat_map(|path| payloads(path)).collect()
        }
        Target::Records | Target::Signatures => {
            let dirs = fs::read_dir(root.join("fixtures")).into_iter().flatten().flatten();
            let mut paths: Vec<PathBuf> = dirs.flat_map(|dir| files(&dir.path())).collect();
            paths.retain(|path| is_record(path));
            paths.sort();
            paths.iter().map(|path| line(&bytes(path))).collect()
        }
        Target::Objective => read_all(&root.join("queries/objectives")),
        Target::Manifest => vec![manifest()],
        Target::Scenario => read_all(&root.join("tests/scenarios")),
    }
}

fn read_all(dir: &Path) -> Vec<Vec<u8>> {
    files(dir).iter().map(|path| bytes(path)).collect()
}

/// A fixture as a source's target reads it; of a whole record the value, and its query.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    if !is_record(path) {
        return vec![bytes(path)];
    }
    let record: Value = serde_json::from_slice(&bytes(path)).unwrap_or_default();
    let value = record["value"].as_str().unwrap_or_default();
    let query = record["headers"]["url"].as_str().and_then(|url| url.split_once('?'));
    let query = query.map(|(_, query)| format!("?{query}"));
    [Some(value.to_owned()), query].into_iter().flatten().map(String::into_bytes).collect()
}

/// A record's file as one line.
fn line(bytes: &[u8]) -> Vec<u8> {
    let record: Value = serde_json::from_slice(bytes).unwrap_or_default();
    record.to_string().into_bytes()
}

/// A manifest with one of everything.
fn manifest() -> Vec<u8> {
    let file = json!({"table": "events", "path": "segments/events/1-ab.arrow", "rows": 2,
        "bytes": 900, "sha256": "00"});
    let input = json!({"topic": "receipts", "partition": 0, "topic_id": null, "start_offset": 0,
        "end_offset": 2, "records": 2, "gaps": 0, "elements": 2, "accepted": 2, "duplicate": 0,
        "late": 0, "dead": 0, "ignored": 0, "disorder": 0,
        "watermark_us": 1_795_176_003_000_000_i64});
    let manifest = json!({"format_version": 2, "epoch": 1, "previous": "", "owner": "a",
        "attempt": "b", "committed_at_us": 1_795_176_004_000_000_i64, "released": false,
        "config_version": "1", "inputs": [input], "watermark_us": 1_795_176_003_000_000_i64,
        "segments": [&file], "state": [{"slice": "track/17", "epoch": 1, "file": &file}],
        "consumed": {"job": 1}, "files": [&file], "values": {"published": "1"}});
    manifest.to_string().into_bytes()
}

/// Sources of `normalize`.
fn sources() -> Vec<PathBuf> {
    below(&root().join("pipeline/normalize/src"))
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = files(dir);
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for inner in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        found.extend(below(&inner));
    }
    found
}

/// Every word in the sources of `normalize`: whatever a dead letter may say is made of them.
#[must_use]
pub fn spoken() -> std::collections::BTreeSet<String> {
    let text: Vec<String> = sources().iter().filter_map(|p| fs::read_to_string(p).ok()).collect();
    let words = text.iter().flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Texts in quotes in the sources that read this target: names of fields, statuses, codes.
#[must_use]
pub fn dictionary(target: Target) -> Vec<String> {
    let name = target.name();
    let family = name.split('_').next().unwrap_or(name);
    let reads = |path: &PathBuf| {
        let place = path.to_string_lossy();
        let has = |name: &str| {
            place.ends_with(&format!("/{name}.rs")) || place.contains(&format!("/{name}/"))
        };
        has(name) || has(family) || !matches!(target, Target::Source(_)) && has("signature")
    };
    let mut sources = sources();
    match target {
        Target::Objective => sources = below(&root().join("pipeline/alert/src")),
        Target::Manifest => sources.clear(),
        Target::Scenario => sources = below(&root().join("pipeline/simulate/src")),
        _ => sources.retain(reads),
    }
    let mut words: Vec<String> = sources.iter().flat_map(|path| quoted(path)).collect();
    if target == Target::Manifest {
        words.extend(pieces(&String::from_utf8_lossy(&manifest())));
    }
    words.extend(["{\"", "\":\"", "\",\"", "\":[{", "}],", "},{", "\\u00e9"].map(str::to_owned));
    words.sort();
    words.dedup();
    words
}

fn quoted(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(pieces).collect()
}

/// What stands between quotes.
fn pieces(line: &str) -> Vec<String> {
    let quoted = line.split('"').skip(1).step_by(2);
    let is_word = |word: &&str| {
        (2..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic())
    };
    quoted.filter(is_word).map(str::to_owned).collect()
}

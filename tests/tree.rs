//! Shape of the sources: module docs, file lengths, line lengths, words that mean unfinished work.
//! Function lengths are clippy's (`too_many_lines`, `clippy.toml`).

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file outside its tests: the style card's limit, and where it fails.
const LINES_WANTED: usize = 500;
const LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;
/// Names that say nothing about what is inside.
const FORBIDDEN_NAMES: [&str; 5] = ["util", "utils", "common", "helper", "helpers"];

/// Top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// A text file, with its path in the message if it cannot be read.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

fn below(dir: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("an entry of a directory").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name == "corpus" {
            continue;
        }
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn rust_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in ["pipeline", "benches", "tests"] {
        below(&root().join(dir), &mut found);
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with every finding at once.
fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

fn is_test_file(path: &Path) -> bool {
    let place = shown(path);
    place.starts_with("tests/") || place.ends_with("tests.rs") || place.contains("/tests/")
}

/// Lines before the tests inside a file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().position(|line| *line == "#[cfg(test)]").map_or(lines.len(), |at| {
        let opens_module = lines.get(at + 1).is_some_and(|line| line.ends_with('{'));
        if opens_module { at } else { lines.len() }
    })
}

#[test]
fn every_file_begins_with_its_doc() {
    let findings: Vec<String> = rust_sources()
        .iter()
        .filter(|path| !read(path).starts_with("//!"))
        .map(|path| shown(path))
        .collect();
    none("files without a module doc in their first line", &findings);
}

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    for path in rust_sources().iter().filter(|path| !is_test_file(path)) {
        let lines = lines_without_tests(&read(path));
        if lines > LINES_MAX {
            findings.push(format!("{}: {lines} lines, wanted {LINES_WANTED}", shown(path)));
        }
    }
    none("files too long, tests not counted", &findings);
}

#[test]
fn lines_are_short() {
    let mut findings = Vec::new();
    for path in rust_sources() {
        for (at, line) in read(&path).lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX && !line.contains("://") {
                findings.push(format!("{}:{}", shown(&path), at + 1));
            }
        }
    }
    none("lines above 100 columns", &findings);
}

#[test]
fn nothing_is_left_unfinished() {
    let words = ["TO", "FIX", "to", "unimple"].map(|head| match head {
        "TO" => format!("{head}DO"),
        "FIX" => format!("{head}ME"),
        "to" => format!("{head}do!("),
        _ => format!("{head}mented!("),
    });
    let mut findings = Vec::new();
    for path in rust_sources() {
        for (at, line) in read(&path).lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                findings.push(format!("{}:{}: {}", shown(&path), at + 1, line.trim()));
            }
        }
    }
    none("unfinished work", &findings);
}

#[test]
fn names_say_what_is_inside() {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let findings: Vec<String> = rust_sources()
        .iter()
        .filter(|path| {
            let parents = path.ancestors().map(stem);
            parents.take(4).any(|name| FORBIDDEN_NAMES.contains(&name.as_str()))
        })
        .map(|path| shown(path))
        .collect();
    none("names that say nothing", &findings);
}

#[test]
fn the_top_level_is_as_designed() {
    let allowed = "Cargo.toml Cargo.lock pipeline queries dashboards schemas fixtures benches \
                   tests README.md LICENSE CONTRIBUTING.md CHANGELOG.md clippy.toml rustfmt.toml \
                   deny.toml target";
    let allowed: Vec<&str> = allowed.split_whitespace().collect();
    let entries = fs::read_dir(root()).expect("the top level");
    let findings: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()))
        .collect();
    none("what DESIGN.md does not have at the top level", &findings);
}

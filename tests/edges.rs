//! Who may know whom: the table in `pipeline/README.md` against `cargo metadata`, the walls around
//! heavy libraries, and one version of Arrow.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tree::{read, root};

/// Heavy libraries and the crates that may use them directly; `app` wires, it does not parse.
const WALLS: [(&str, &[&str]); 5] = [
    ("datafusion", &["window"]),
    ("rdkafka", &["ingest"]),
    ("parquet", &["sink"]),
    ("axum", &["serve"]),
    ("polars", &[]),
];
/// Members that are no stage: they may know every stage.
const OUTSIDE: [&str; 3] = ["it", "fuzz", "benches"];

type Edges = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo metadata starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Direct dependencies of every member, those for its tests left out.
fn dependencies() -> Edges {
    let all = metadata(&["--no-deps"]);
    let direct = |package: &Value| {
        list(package, "dependencies")
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| text(dependency, "name").to_owned())
            .collect()
    };
    list(&all, "packages").map(|p| (text(p, "name").to_owned(), direct(p))).collect()
}

/// The table `| crate | may know |` of `pipeline/README.md`.
fn allowed() -> Edges {
    let page = read(&root().join("pipeline/README.md"));
    let mut rows = page.lines().skip_while(|line| !is_heading(line)).skip(2);
    let mut edges = Edges::new();
    for line in rows.by_ref().take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, known, ..] = cells[..] else { continue };
        let names =
            known.split([',', ' ', '`']).filter(|word| word.starts_with(char::is_alphabetic));
        edges.insert(name.trim_matches('`').to_owned(), names.map(str::to_owned).collect());
    }
    assert!(!edges.is_empty(), "pipeline/README.md has no table `| crate | may know |`");
    edges
}

fn is_heading(line: &str) -> bool {
    let words: Vec<&str> = line.split('|').map(str::trim).collect();
    matches!(words[..], [_, "crate", "may know", ..])
}

#[test]
fn crates_know_only_whom_the_table_allows() {
    let (actual, allowed) = (dependencies(), allowed());
    let members: BTreeSet<&String> = actual.keys().collect();
    for (name, direct) in actual.iter().filter(|(name, _)| !OUTSIDE.contains(&name.as_str())) {
        let known: BTreeSet<&String> =
            direct.iter().filter(|name| members.contains(name)).collect();
        let listed = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let all = listed.contains("all") || listed.contains("everyone");
        let extra: Vec<_> = known.iter().filter(|known| !listed.contains(**known)).collect();
        assert!(all || extra.is_empty(), "{name} knows {extra:?}, the table does not allow that");
        let unused: Vec<_> =
            listed.iter().filter(|one| members.contains(one) && !known.contains(one)).collect();
        assert!(unused.is_empty(), "the table lets {name} know {unused:?}, which it does not use");
    }
}

#[test]
fn each_heavy_library_is_behind_one_crate() {
    for (member, direct) in dependencies() {
        for (library, owners) in WALLS {
            let owner = owners.contains(&member.as_str()) || OUTSIDE.contains(&member.as_str());
            let message = format!("{member} depends on {library}, only {owners:?} may");
            assert!(owner || !direct.contains(library), "{message}");
        }
    }
}

#[test]
fn one_version_of_arrow() {
    let all = metadata(&["--locked"]);
    let versions: BTreeSet<&str> = list(&all, "packages")
        .filter(|package| text(package, "name") == "arrow-array")
        .map(|package| text(package, "version"))
        .collect();
    assert_eq!(versions.len(), 1, "versions of arrow-array: {versions:?}");
}

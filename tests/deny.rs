//! `deny.toml` against the dependencies: licences, sources and bans. (`cargo deny check` reads the
//! same file, where it is installed.)

use std::collections::BTreeSet;

use serde_json::Value;

use crate::edges::{list, metadata, text};
use crate::tree::{read, root};

/// Whether a licence expression (SPDX; `/` is an old way to write OR) can be fulfilled by what is
/// allowed.
fn fulfilled(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    either(&mut words, allowed)
}

fn either(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = both(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        holds |= both(words, allowed);
    }
    holds
}

fn both(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = one(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.pop() else { return false };
    if word == "(" {
        let holds = either(words, allowed);
        return words.pop() == Some(")") && holds;
    }
    if words.last() != Some(&"WITH") {
        return allowed.contains(word);
    }
    words.pop();
    let exception = words.pop().unwrap_or_default();
    allowed.contains(&format!("{word} WITH {exception}")) || allowed.contains(word)
}

fn rules() -> toml::Table {
    read(&root().join("deny.toml")).parse().expect("deny.toml is TOML")
}

fn allowed() -> BTreeSet<String> {
    let rules = rules();
    let allow = rules["licenses"]["allow"].as_array().expect("licenses.allow is a list");
    allow.iter().filter_map(|licence| licence.as_str().map(str::to_owned)).collect()
}

/// Packages that are not of this workspace.
fn dependencies() -> Vec<Value> {
    let all = metadata(&["--locked"]);
    let foreign = |package: &&Value| !package["source"].is_null();
    let found: Vec<Value> = list(&all, "packages").filter(foreign).cloned().collect();
    assert!(found.len() > 200, "the dependencies were not found");
    found
}

/// What is allowed to one crate beside.
fn exceptions(name: &str) -> BTreeSet<String> {
    let rules = rules();
    let exceptions = rules["licenses"].get("exceptions").and_then(toml::Value::as_array);
    let own = exceptions.into_iter().flatten().filter(|one| one["crate"].as_str() == Some(name));
    let words = own.flat_map(|one| one["allow"].as_array().into_iter().flatten());
    words.filter_map(|licence| licence.as_str().map(str::to_owned)).collect()
}

#[test]
fn licences_are_among_those_allowed() {
    let allowed = allowed();
    let is_allowed = |package: &Value| {
        let mut allowed = allowed.clone();
        allowed.extend(exceptions(text(package, "name")));
        fulfilled(text(package, "license"), &allowed)
    };
    let wrong: Vec<String> = dependencies()
        .iter()
        .filter(|package| !is_allowed(package))
        .map(|package| format!("{}: {}", text(package, "name"), package["license"]))
        .collect();
    assert!(wrong.is_empty(), "licences that deny.toml does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_banned_and_nothing_from_elsewhere_is_used() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().expect("bans.deny is a list");
    let banned: BTreeSet<&str> = banned.iter().filter_map(|ban| ban["crate"].as_str()).collect();
    assert!(!banned.is_empty());
    let found = dependencies();
    let used: Vec<&str> = found.iter().map(|package| text(package, "name")).collect();
    let wrong: Vec<&&str> = used.iter().filter(|name| banned.contains(**name)).collect();
    assert!(wrong.is_empty(), "deny.toml bans {wrong:?}");
    let sources: BTreeSet<&str> = found.iter().map(|package| text(package, "source")).collect();
    assert!(
        sources.len() == 1 && sources.iter().all(|s| s.starts_with("registry+")),
        "{sources:?}"
    );
}

#[test]
fn a_licence_expression_is_read_as_it_is_meant() {
    let allowed: BTreeSet<String> =
        ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, holds) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND MIT", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("", false),
    ] {
        assert_eq!(fulfilled(expression, &allowed), holds, "{expression}");
    }
}

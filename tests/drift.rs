//! Generated pages equal what `schemas/*.toml` and the adapters say.

use crate::tree::{read, root};

fn equals(path: &str, expected: &str) {
    let found = read(&root().join(path));
    let first = found.lines().zip(expected.lines()).position(|(have, want)| have != want);
    assert!(
        found == expected,
        "{path} is not what it is generated from says, first at line {}; run `sendtally schemas`",
        first.map_or(0, |line| line + 1),
    );
}

#[test]
fn the_documentation_of_tables_is_generated_from_the_schemas() {
    equals("schemas/README.md", &model::schema::documentation());
}

#[test]
fn clickhouse_ddl_is_generated_from_the_schemas() {
    equals("schemas/clickhouse.sql", &sink::clickhouse::page());
}

#[test]
fn the_catalogue_of_sources_is_generated_from_the_adapters() {
    let page = normalize::catalogue::page(&root().join("fixtures"));
    equals("schemas/sources.md", &page.expect("every variant's fixtures are there"));
}

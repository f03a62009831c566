//! Generated pages equal what `schemas/*.toml` say.

use crate::tree::{read, root};

fn equals(path: &str, expected: &str) {
    let found = read(&root().join(path));
    let first = found.lines().zip(expected.lines()).position(|(have, want)| have != want);
    assert!(
        found == expected,
        "{path} is not what the schemas say, first at line {}; run `sendtally schemas`",
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

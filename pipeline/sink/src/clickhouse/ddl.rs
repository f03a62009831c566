//! ClickHouse's tables and their migrations, made of `schemas/*.toml`.
//!
//! ```text
//! version 1  CREATE TABLE IF NOT EXISTS …     columns whose `since` is 1
//! version 2  ALTER TABLE … ADD COLUMN IF NOT EXISTS …   columns whose `since` is 2
//!            ALTER TABLE … MODIFY COLUMN …              columns whose `nullable_since` is 2
//! always     MODIFY TTL or REMOVE TTL, CREATE OR REPLACE VIEW
//! ```
//! Invariants: every statement can be repeated; a new table and one that grew through all versions
//! have the same columns; a table keeps its token window whatever its engine.
//!
//! Revised tables are `ReplacingMergeTree` by key *and revision*: every revision stays, so that a
//! null of a later one cannot take a carried value with it, and a row that came twice in spite of
//! its token would merge into one. The views hide the revisions.

use std::collections::BTreeMap;

use model::schema::{self, Column, ColumnType, Table};

/// Tokens that a table remembers: at an insert a second, hours.
const TOKENS: u32 = 10_000;
/// Replicated tables forget tokens by age too: ten years, so only the window counts.
const TOKENS_S: u32 = 315_360_000;
/// Where the applied versions are kept.
pub(crate) const MIGRATIONS: &str = "sendtally_migrations";
/// When a row without a time goes, and the last day that a TTL may come to: beyond 2106 it wraps
/// to 1970, and the row goes at once. A TTL that has it is one of ours.
const NEVER: &str = "2105-01-01 00:00:00";
/// As good as never, and still a time that `DateTime64` can hold.
const DAYS_MAX: u32 = 50_000;

/// Where tables are, and on what kind of cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Database.
    pub database: String,
    /// Cluster of `ON CLUSTER`; `None` for one server.
    pub cluster: Option<String>,
    /// Replicated engines, with the server's `{shard}` and `{replica}` macros.
    pub replicated: bool,
    /// Days after which rows go, by table; absent: never.
    pub ttl_days: BTreeMap<String, u32>,
}

impl Layout {
    /// One server, rows for good.
    #[must_use]
    pub fn single(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            cluster: None,
            replicated: false,
            ttl_days: BTreeMap::new(),
        }
    }

    /// A table's name with its database.
    #[must_use]
    pub fn qualified(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.database), quoted(table))
    }

    fn on_cluster(&self) -> String {
        self.cluster
            .as_ref()
            .map(|name| format!(" ON CLUSTER {}", quoted(name)))
            .unwrap_or_default()
    }

    fn engine(&self, kind: &str, arguments: &str, table: &str) -> String {
        if !self.replicated {
            return format!("{kind}({arguments})");
        }
        let path = format!("'/clickhouse/tables/{{shard}}/{}/{table}'", self.database);
        let more = if arguments.is_empty() { String::new() } else { format!(", {arguments}") };
        format!("Replicated{kind}({path}, '{{replica}}'{more})")
    }

    fn window(&self) -> String {
        if self.replicated {
            return format!(
                "replicated_deduplication_window = {TOKENS}, \
                 replicated_deduplication_window_seconds = {TOKENS_S}"
            );
        }
        format!("non_replicated_deduplication_window = {TOKENS}")
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// Tables that are loaded: all but `status`.
pub fn loaded() -> impl Iterator<Item = &'static Table> {
    schema::tables().into_iter().filter(|table| table.name != "status")
}

/// Statements that make the database and the table of versions.
pub(crate) fn preparation(layout: &Layout) -> Vec<String> {
    let on = layout.on_cluster();
    let engine = layout.engine("ReplacingMergeTree", "applied_at", MIGRATIONS);
    let name = layout.qualified(MIGRATIONS);
    vec![
        format!("CREATE DATABASE IF NOT EXISTS {}{on}", quoted(&layout.database)),
        format!(
            "CREATE TABLE IF NOT EXISTS {name}{on}\n(\n    `version` UInt32,\n    `applied_at` \
             DateTime64(3, 'UTC') DEFAULT now64(3)\n)\nENGINE = {engine}\nORDER BY `version`"
        ),
    ]
}

/// Statements that lead from the version before to `version`.
pub(crate) fn migration(layout: &Layout, version: u32) -> Vec<String> {
    loaded().flat_map(|table| migrate_table(layout, table, version)).collect()
}

fn migrate_table(layout: &Layout, table: &Table, version: u32) -> Vec<String> {
    let first = table.columns.iter().map(|column| column.since).min().unwrap_or(1);
    if version == first {
        return vec![create(layout, table, version)];
    }
    let relaxed = table.columns.iter().filter(|column| column.nullable_since == Some(version));
    let mut statements: Vec<String> = relaxed
        .map(|column| {
            let (name, on) = (layout.qualified(&table.name), layout.on_cluster());
            format!("ALTER TABLE {name}{on} MODIFY COLUMN {}", column_line(column))
        })
        .collect();
    for (at, column) in table.columns.iter().enumerate() {
        if version < first || column.since != version {
            continue;
        }
        let before = table.columns[..at].iter().rev().find(|before| before.since <= version);
        let place =
            before.map_or_else(|| "FIRST".to_owned(), |c| format!("AFTER {}", quoted(&c.name)));
        statements.push(format!(
            "ALTER TABLE {}{} ADD COLUMN IF NOT EXISTS {} {place}",
            layout.qualified(&table.name),
            layout.on_cluster(),
            column_line(column),
        ));
    }
    statements
}

/// `CREATE TABLE` with the columns up to a version.
fn create(layout: &Layout, table: &Table, version: u32) -> String {
    let known = table.columns.iter().filter(|column| column.since <= version);
    let mut lines: Vec<String> = known.map(column_line).collect();
    if table.append_only && table.columns.iter().any(|column| column.name == "message_key") {
        lines.push(
            "INDEX message_key_bloom `message_key` TYPE bloom_filter(0.01) GRANULARITY 4"
                .to_owned(),
        );
    }
    let revised = !table.append_only;
    let engine = if revised {
        layout.engine("ReplacingMergeTree", "", &table.name)
    } else {
        layout.engine("MergeTree", "", &table.name)
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {}{}\n(\n    {}\n)\nENGINE = {engine}\nPARTITION BY \
         toYYYYMM({})\nORDER BY ({})\nSETTINGS {}, allow_nullable_key = 1, \
         ttl_only_drop_parts = 1\nCOMMENT '{}'",
        layout.qualified(&table.name),
        layout.on_cluster(),
        lines.join(",\n    "),
        quoted(&table.partition_time),
        order(table).join(", "),
        layout.window(),
        escaped(&table.doc),
    )
}

/// Low cardinality first. Of a revised table only columns of the key can be meant, and the revision
/// is one of them.
fn order(table: &Table) -> Vec<String> {
    if table.append_only {
        return table.sort.iter().map(|name| quoted(name)).collect();
    }
    let sorted = table.sort.iter().filter(|name| table.key.contains(name));
    let rest = table.key.iter().filter(|name| !table.sort.contains(name));
    sorted.chain(rest).chain([&"revision".to_owned()]).map(|name| quoted(name)).collect()
}

fn column_line(column: &Column) -> String {
    let kind = column_type(column);
    let codec = codec(column).map(|codec| format!(" CODEC({codec})")).unwrap_or_default();
    format!("{} {kind} COMMENT '{}'{codec}", quoted(&column.name), escaped(&column.doc))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "''")
}

fn column_type(column: &Column) -> String {
    let kind = match column.kind {
        ColumnType::Fixed16 => "FixedString(16)",
        ColumnType::Fixed32 => "FixedString(32)",
        ColumnType::Dictionary | ColumnType::Utf8 | ColumnType::Binary => "String",
        ColumnType::Boolean => "Bool",
        ColumnType::Timestamp => "DateTime64(6, 'UTC')",
        ColumnType::Decimal => "Decimal(18, 9)",
        ColumnType::Decimal38 => "Decimal(38, 9)",
        ColumnType::Uint16 => "UInt16",
        ColumnType::Uint32 => "UInt32",
        ColumnType::Uint64 => "UInt64",
        ColumnType::Int32 => "Int32",
        ColumnType::Int64 => "Int64",
        ColumnType::Float64 => "Float64",
    };
    let kind = if column.nullable { format!("Nullable({kind})") } else { kind.to_owned() };
    if column.kind == ColumnType::Dictionary { format!("LowCardinality({kind})") } else { kind }
}

/// Times and counters change little from row to row; hashes do not compress.
const fn codec(column: &Column) -> Option<&'static str> {
    match column.kind {
        ColumnType::Timestamp => Some("Delta, ZSTD(1)"),
        ColumnType::Uint16
        | ColumnType::Uint32
        | ColumnType::Uint64
        | ColumnType::Int32
        | ColumnType::Int64 => Some("T64, ZSTD(1)"),
        ColumnType::Fixed16 | ColumnType::Fixed32 | ColumnType::Binary => Some("NONE"),
        ColumnType::Utf8 | ColumnType::Float64 | ColumnType::Decimal | ColumnType::Decimal38 => {
            Some("ZSTD(1)")
        }
        ColumnType::Dictionary | ColumnType::Boolean => None,
    }
}

/// Names of a database's tables that have a TTL of ours; `?` is the database.
pub(crate) fn limited() -> String {
    format!(
        "SELECT name FROM system.tables WHERE database = ? AND position(engine_full, '{NEVER}') > 0"
    )
}

/// Statements that set how long rows stay; they follow the configuration, so each start runs them.
/// `limited` tables have a TTL of ours: without days it goes. What somebody else set stays then.
pub(crate) fn retention(layout: &Layout, limited: &[String]) -> Vec<String> {
    let of_table = |table: &Table| {
        let change = match layout.ttl_days.get(&table.name) {
            Some(days) => format!("MODIFY TTL {} DELETE", goes(table, *days)),
            None if limited.contains(&table.name) => "REMOVE TTL".to_owned(),
            None => return None,
        };
        let (name, on) = (layout.qualified(&table.name), layout.on_cluster());
        Some(format!("ALTER TABLE {name}{on} {change}"))
    };
    loaded().filter_map(of_table).collect()
}

/// When a row goes.
fn goes(table: &Table, days: u32) -> String {
    let (column, days) = (quoted(&table.partition_time), days.min(DAYS_MAX));
    let never = format!("toDateTime64('{NEVER}', 6, 'UTC')");
    format!("toDateTime(least(ifNull({column}, {never}) + INTERVAL {days} DAY, {never}))")
}

/// A view that hides revisions. `query` names its table without a database: the session's is meant.
pub(crate) fn view(layout: &Layout, name: &str, query: &str) -> String {
    let (name, on) = (layout.qualified(name), layout.on_cluster());
    format!("CREATE OR REPLACE VIEW {name}{on} AS\n{query}")
}

/// The page `schemas/clickhouse.sql`: what the loader runs on one server.
#[must_use]
pub fn page() -> String {
    let layout = Layout::single("sendtally");
    let mut page = String::from(
        "-- Generated from schemas/*.toml by `sendtally schemas --clickhouse`: what the loader \
         runs on one\n-- server. Views of the newest revisions: queries/views_clickhouse.sql.\n",
    );
    let versions = (1..=schema::VERSION).flat_map(|version| migration(&layout, version));
    for statement in preparation(&layout).into_iter().chain(versions) {
        page.push_str(&format!("\n{statement};\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Layout {
        Layout {
            database: "d`b".to_owned(),
            cluster: Some("main".to_owned()),
            replicated: true,
            ttl_days: BTreeMap::from([("events".to_owned(), 90)]),
        }
    }

    #[test]
    fn a_cluster_gets_replicated_engines_and_a_token_window_of_its_own_kind() {
        for statement in migration(&cluster(), 1) {
            assert!(statement.contains(" ON CLUSTER `main`"), "{statement}");
            assert!(statement.contains("`d\\`b`."), "{statement}");
            assert!(statement.contains("ENGINE = Replicated"), "{statement}");
            assert!(statement.contains("'{replica}'"), "{statement}");
            assert!(statement.contains("SETTINGS replicated_deduplication_window = 10000"));
        }
        for statement in migration(&Layout::single("x"), 1) {
            assert!(!statement.contains("CLUSTER") && !statement.contains("Replicated"));
            assert!(statement.contains("SETTINGS non_replicated_deduplication_window = 10000"));
        }
    }

    #[test]
    fn a_column_that_a_later_version_brings_is_added_in_its_place() {
        let mut table = schema::LEDGER.clone();
        table.columns[1].since = 2;
        table.columns[0].since = 3;
        let layout = Layout::single("x");
        let created = &migrate_table(&layout, &table, 1)[0];
        assert!(created.starts_with("CREATE TABLE IF NOT EXISTS"));
        assert!(!created.contains("`topic` Low") && !created.contains("`epoch` UInt64"));
        let second = migrate_table(&layout, &table, 2);
        assert_eq!(second.len(), 1);
        assert!(second[0].contains("ADD COLUMN IF NOT EXISTS `topic` LowCardinality(String)"));
        assert!(
            second[0].ends_with(" FIRST"),
            "what is before it does not exist yet: {}",
            second[0]
        );
        assert!(migrate_table(&layout, &table, 3)[0].ends_with(" FIRST"));
        assert!(migrate_table(&layout, &table, 4).is_empty());
    }

    #[test]
    fn a_column_that_may_be_null_later_is_modified_in_that_version() {
        let statements = migrate_table(&Layout::single("x"), &schema::CHARGES, 2);
        let modified: Vec<&String> =
            statements.iter().filter(|statement| statement.contains("MODIFY COLUMN")).collect();
        assert_eq!(modified.len(), 2);
        assert!(modified[1].contains("MODIFY COLUMN `amount` Nullable(Decimal(38, 9))"));
        assert!(statements.iter().any(|s| s.contains("ADD COLUMN IF NOT EXISTS `grain`")));
    }

    #[test]
    fn a_revised_table_keeps_every_revision_of_a_key() {
        for table in loaded().filter(|table| !table.append_only) {
            let order = order(table);
            assert_eq!(order.len(), table.key.len() + 1, "{}", table.name);
            assert_eq!(order.last().map(String::as_str), Some("`revision`"));
        }
    }

    #[test]
    fn retention_is_set_for_the_tables_that_are_named_and_taken_from_the_others_that_had_it() {
        let limited = ["events", "messages", "elsewhere"].map(str::to_owned);
        let statements = retention(&cluster(), &limited);
        assert_eq!(statements.len(), 2);
        assert!(statements[0].contains("`events`") && statements[0].contains("INTERVAL 90 DAY"));
        assert_eq!(statements[1], "ALTER TABLE `d\\`b`.`messages` ON CLUSTER `main` REMOVE TTL");
        assert!(retention(&Layout::single("x"), &[]).is_empty());
    }
}

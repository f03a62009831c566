//! Tables as `schemas/*.toml` describe them: the one source of the Arrow schema, the
//! ClickHouse DDL (crate `sink`) and the documentation of columns.
//!
//! Dictionaries have Int32 keys everywhere. `stored_only` columns are no part of what
//! `sendtally normalize` prints. A `carried` column keeps its last value when a later revision
//! has null.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;

/// Version of the schemas: raised with each column that is added (its `since`), so that stores that
/// are not made anew know what to add.
pub const VERSION: u32 = 2;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// 16 bytes: an id.
    Fixed16,
    /// 32 bytes: a SHA-256.
    Fixed32,
    /// Text of few distinct values.
    Dictionary,
    /// Text.
    Utf8,
    /// Truth value.
    Boolean,
    /// Microseconds, UTC.
    Timestamp,
    /// Decimal128(18, 9): a price.
    Decimal,
    /// Decimal128(38, 9): a sum of prices, or a price times a quantity.
    Decimal38,
    /// 16-bit count.
    Uint16,
    /// 32-bit count.
    Uint32,
    /// 64-bit count.
    Uint64,
    /// 32-bit signed.
    Int32,
    /// 64-bit signed.
    Int64,
    /// Bytes of any length.
    Binary,
    /// Rates and percentiles only, never money.
    Float64,
}

impl ColumnType {
    /// Arrow's type.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Fixed16 => DataType::FixedSizeBinary(16),
            Self::Fixed32 => DataType::FixedSizeBinary(32),
            Self::Dictionary => dictionary_type(),
            Self::Utf8 => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Timestamp => timestamp_type(),
            Self::Decimal => DataType::Decimal128(18, 9),
            Self::Decimal38 => DataType::Decimal128(38, 9),
            Self::Uint16 => DataType::UInt16,
            Self::Uint32 => DataType::UInt32,
            Self::Uint64 => DataType::UInt64,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Binary => DataType::Binary,
            Self::Float64 => DataType::Float64,
        }
    }
}

/// `Dictionary(Int32, Utf8)`.
#[must_use]
pub fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// `Timestamp(us, UTC)`.
#[must_use]
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name in every table format.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// May be null.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// Unit, where the type does not tell.
    pub unit: Option<String>,
    /// What it means.
    pub doc: String,
    /// Added when the row is stored.
    #[serde(default)]
    pub stored_only: bool,
    /// A later revision's null does not overwrite it.
    #[serde(default)]
    pub carried: bool,
    /// Version of the schemas from which on it may be null, where it might not before.
    pub nullable_since: Option<u32>,
    /// Version of the schemas that brought it.
    #[serde(default = "first")]
    pub since: u32,
}

const fn first() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Name.
    #[serde(rename = "table")]
    pub name: String,
    /// What a row is.
    pub doc: String,
    /// Rows are never revised.
    pub append_only: bool,
    /// An inner table, with the table whose retention it has: rolled and collected like any, and in
    /// no public file, no SQL, no ClickHouse.
    pub kept_with: Option<String>,
    /// Columns that identify a row (of revised tables: together with `revision`).
    pub key: Vec<String>,
    /// Columns by which files are sorted.
    pub sort: Vec<String>,
    /// Column whose date names the partition of a public file.
    pub partition_time: String,
    /// Columns, in order.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
}

impl Table {
    /// The Arrow schema with all stored columns.
    #[must_use]
    pub fn arrow(&self) -> SchemaRef {
        let field =
            |column: &Column| Field::new(&column.name, column.kind.arrow(), column.nullable);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// Markdown documentation of the columns.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = format!("## `{}`\n\n{}\n\n", self.name, self.doc);
        page.push_str(&format!("Key: `{}`.\n\n", self.key.join("`, `")));
        page.push_str("| column | Arrow type | null | meaning |\n|---|---|---|---|\n");
        for column in &self.columns {
            let unit = column.unit.as_ref().map(|unit| format!(" [{unit}]")).unwrap_or_default();
            let null = if column.nullable { "yes" } else { "no" };
            let kind = arrow_name(column.kind);
            page.push_str(&format!(
                "| `{}` | {kind} | {null} | {}{unit} |
",
                column.name, column.doc
            ));
        }
        page
    }
}

const fn arrow_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Fixed16 => "FixedSizeBinary(16)",
        ColumnType::Fixed32 => "FixedSizeBinary(32)",
        ColumnType::Dictionary => "Dictionary(Int32, Utf8)",
        ColumnType::Utf8 => "Utf8",
        ColumnType::Boolean => "Boolean",
        ColumnType::Timestamp => "Timestamp(us, UTC)",
        ColumnType::Decimal => "Decimal128(18, 9)",
        ColumnType::Decimal38 => "Decimal128(38, 9)",
        ColumnType::Uint16 => "UInt16",
        ColumnType::Uint32 => "UInt32",
        ColumnType::Uint64 => "UInt64",
        ColumnType::Int32 => "Int32",
        ColumnType::Int64 => "Int64",
        ColumnType::Binary => "Binary",
        ColumnType::Float64 => "Float64",
    }
}

/// Declares the tables whose files are in `schemas/`.
macro_rules! tables {
    ($(#[$all_doc:meta])* $all:ident; $($(#[$doc:meta])* $name:ident => $file:literal,)+) => {
        $(
            $(#[$doc])*
            pub static $name: LazyLock<Table> = LazyLock::new(|| {
                parse(include_str!(concat!("../../../schemas/", $file)), $file)
            });
        )+
        $(#[$all_doc])*
        #[must_use]
        pub fn $all() -> Vec<&'static Table> {
            vec![$(&$name,)+]
        }
    };
}

tables! {
    /// Every table that can be asked, in the order of the documentation.
    tables;
    /// Canonical delivery events.
    EVENTS => "events.toml",
    /// One outcome per message.
    MESSAGES => "messages.toml",
    /// Outcomes and latency by window and series.
    SLO_WINDOWS => "slo_windows.toml",
    /// What stands of everything that vendors charge.
    CHARGES => "charges.toml",
    /// What vendors charge, line by line.
    CHARGE_LINES => "charge_lines.toml",
    /// Charges by window and series.
    COST_WINDOWS => "cost_windows.toml",
    /// Alert transitions.
    ALERTS => "alerts.toml",
    /// What could not be read.
    DEAD_LETTERS => "dead_letters.toml",
    /// What became of every offset.
    LEDGER => "ledger.toml",
    /// Completeness of each table.
    STATUS => "status.toml",
}

tables! {
    /// The inner tables.
    inner;
    /// Records of dead letters, encrypted where there is a key.
    DEAD_RECORDS => "dead_records.toml",
    /// Dead letters that were replayed.
    DEAD_REPLAYS => "dead_replays.toml",
}

/// Every table whose rows are stored in files: the inner ones too.
#[must_use]
pub fn stored() -> Vec<&'static Table> {
    tables().into_iter().chain(inner()).collect()
}

#[expect(clippy::panic, reason = "the files are compiled in; a test reads each of them")]
fn parse(text: &str, file: &str) -> Table {
    match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => panic!("schemas/{file}: {error}"),
    }
}

/// The page `schemas/README.md`.
#[must_use]
pub fn documentation() -> String {
    let mut page = String::from(
        "# Tables\n\nGenerated from `schemas/*.toml` by `sendtally schemas`; a test fails when it \
         drifts.\nRevised tables hold every revision; `queries/views.sql` gives the newest.\n\n",
    );
    for table in tables() {
        page.push_str(&table.markdown());
        page.push('\n');
    }
    page.push_str(
        "# Inner tables\n\nIn the data directory only: in no public file, no SQL, no ClickHouse. \
         They are kept as long as the table that they belong to.\n\n",
    );
    for table in inner() {
        page.push_str(&table.markdown());
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_table_whose_keys_are_columns() {
        for table in stored() {
            let has = |name: &String| table.columns.iter().any(|column| column.name == *name);
            assert!(table.key.iter().all(has), "{}: key", table.name);
            assert!(table.sort.iter().all(has), "{}: sort", table.name);
            assert!(has(&table.partition_time), "{}: partition_time", table.name);
            let revised = table.columns.iter().any(|column| column.name == "revision");
            assert!(table.name == "status" || revised != table.append_only, "{}", table.name);
            let since = table.columns.iter().map(|column| column.since);
            assert!(since.max() <= Some(VERSION), "{}: since", table.name);
        }
    }

    #[test]
    fn an_inner_table_is_kept_with_one_that_can_be_asked() {
        let names: Vec<&str> = tables().iter().map(|table| table.name.as_str()).collect();
        assert!(tables().iter().all(|table| table.kept_with.is_none()));
        for table in inner() {
            let with = table.kept_with.as_deref().unwrap();
            assert!(names.contains(&with) && !names.contains(&table.name.as_str()));
        }
    }

    #[test]
    fn the_reasons_of_dead_letters_are_all_documented() {
        let reason = DEAD_LETTERS.columns.iter().find(|column| column.name == "reason").unwrap();
        let documented = reason.doc.trim_end_matches('.').split(", ").collect::<Vec<_>>();
        assert_eq!(documented, crate::vocabulary::DeadReason::WORDS);
    }

    #[test]
    fn money_is_decimal_everywhere() {
        for table in tables() {
            for column in &table.columns {
                let money = ["price", "amount", "unit_price"].contains(&column.name.as_str());
                let decimal = [ColumnType::Decimal, ColumnType::Decimal38].contains(&column.kind);
                assert!(!money || decimal, "{}", column.name);
            }
        }
    }
}

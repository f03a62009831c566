//! Views of the newest revision, generated from `schemas/*.toml` for three engines.
//!
//! ```text
//! messages_revisions   key A rev 3 account x   ┐
//!                      key A rev 7 account -   ├─► messages   key A rev 7 account x
//! ```
//! The highest revision of a key stands. A `carried` column keeps its last value: a later null
//! does not overwrite it. Elsewhere a null is the newest truth. Running windows over
//! (key, revision) do it in one sort, which streams and spills; a filter on key columns passes
//! below it.

use model::schema::{self, Table};

/// Engine that reads a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `sendtally sql`: `<t>_revisions` are the stored rows, `<t>` is the view.
    DataFusion,
    /// DuckDB over the public Parquet directory, same names.
    DuckDb,
    /// ClickHouse, tables that the loader fills: `<t>` are the stored rows, `<t>_newest` the view.
    ClickHouse,
    /// ClickHouse over the public Parquet directory: `<t>_revisions` and `<t>_newest`.
    ClickHouseFiles,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] =
        [Self::DataFusion, Self::DuckDb, Self::ClickHouse, Self::ClickHouseFiles];

    /// Name of the file in `queries/`.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::DataFusion => "views_datafusion.sql",
            Self::DuckDb => "views_duckdb.sql",
            Self::ClickHouse => "views_clickhouse.sql",
            Self::ClickHouseFiles => "views_clickhouse_files.sql",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::DataFusion => "-- `sendtally sql` makes these views itself.\n",
            Self::DuckDb => {
                "-- Put the public directory of Parquet files in the place of {public}. A table\n\
                 -- without files yet has no view: leave its statements out.\n"
            }
            Self::ClickHouse => "-- Over the tables of schemas/clickhouse.sql.\n",
            Self::ClickHouseFiles => {
                "-- For clickhouse-local, or a server whose user_files hold the public directory.\n\
                 -- Put that directory in the place of {public}. A table without files yet has no\n\
                 -- view: leave its statements out.\n"
            }
        }
    }

    const fn is_clickhouse(self) -> bool {
        matches!(self, Self::ClickHouse | Self::ClickHouseFiles)
    }
}

/// Whether a table keeps revisions, so that its newest rows need a view.
#[must_use]
pub fn is_revised(table: &Table) -> bool {
    !table.append_only && table.columns.iter().any(|column| column.name == "revision")
}

/// The whole file of a dialect.
#[must_use]
pub fn page(dialect: Dialect) -> String {
    let mut page = String::from(
        "-- Newest revisions. Generated from schemas/*.toml by the crate `window`; a test fails\n\
         -- when this file drifts (write it anew with BLESS=1 cargo test -p window).\n",
    );
    page.push_str(dialect.header());
    for table in schema::tables().into_iter().filter(|table| table.name != "status") {
        if let Some(files) = files_view(table, dialect) {
            page.push_str(&format!("\n-- {}\n{files};\n", table.doc));
        }
        if is_revised(table) {
            let name = view_name(table, dialect);
            let doc = &table.doc;
            let query = newest(table, dialect);
            page.push_str(&format!("\n-- {doc}\nCREATE OR REPLACE VIEW {name} AS\n{query};\n"));
        }
    }
    let (name, query) = (spend_name(dialect), spend(dialect));
    page.push_str(&format!("\n-- {SPEND_DOC}\nCREATE OR REPLACE VIEW {name} AS\n{query};\n"));
    page
}

/// What the view `spend` is.
const SPEND_DOC: &str = "Charges that may be added up, by currency: no totals over messages, of \
                         several bases the latest.";

/// Name of the view of charges that may be added up.
#[must_use]
pub fn spend_name(dialect: Dialect) -> String {
    if dialect.is_clickhouse() { "spend_newest" } else { "spend" }.to_owned()
}

/// Charges that may be added up, over the view of the newest: without totals over messages, and of
/// the same message and kind only the latest basis.
#[must_use]
pub fn spend(dialect: Dialect) -> String {
    let columns = schema::CHARGES.columns.iter().map(|column| match dialect.is_clickhouse() {
        true => format!("    {}", column.name),
        false => format!("    {}", quoted(&column.name)),
    });
    let from = view_name(&schema::CHARGES, dialect);
    let columns = lines(columns);
    format!(
        "SELECT
{columns}
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY
                coalesce(message_key, charge_id),
                CASE WHEN kind = 'segment' THEN 'message' ELSE kind END
            ORDER BY
                CASE basis WHEN 'invoice' THEN 2 WHEN 'vendor' THEN 1 ELSE 0 END DESC,
                CASE WHEN quantity = 0 THEN 0 ELSE 1 END DESC,
                revision DESC,
                kind
        ) AS place
    FROM {from}
    WHERE grain IS NULL OR grain <> 'period'
) AS charged
WHERE place = 1"
    )
}

/// Name and query of each view over the tables that the loader fills.
#[must_use]
pub fn clickhouse() -> Vec<(String, String)> {
    let revised = schema::tables().into_iter().filter(|table| is_revised(table));
    let dialect = Dialect::ClickHouse;
    let newest = revised.map(|table| (view_name(table, dialect), newest(table, dialect)));
    newest.chain([(spend_name(dialect), spend(dialect))]).collect()
}

fn view_name(table: &Table, dialect: Dialect) -> String {
    let suffix = if dialect.is_clickhouse() { "_newest" } else { "" };
    format!("{}{suffix}", table.name)
}

/// Name of the stored rows of a revised table.
#[must_use]
pub fn revisions_name(table: &Table, dialect: Dialect) -> String {
    let suffix = if dialect == Dialect::ClickHouse { "" } else { "_revisions" };
    format!("{}{suffix}", table.name)
}

/// The public files of a table as a view, where the engine has to be told where they are.
fn files_view(table: &Table, dialect: Dialect) -> Option<String> {
    let name = if is_revised(table) { revisions_name(table, dialect) } else { table.name.clone() };
    let glob = format!("'{{public}}/{}/*/*.parquet'", table.name);
    let from = match dialect {
        Dialect::DuckDb => {
            // Files of different versions may differ in columns; `date=` in the path is no column.
            format!("read_parquet({glob}, union_by_name = true, hive_partitioning = false)")
        }
        Dialect::ClickHouseFiles => format!("file({glob}, 'Parquet')"),
        Dialect::DataFusion | Dialect::ClickHouse => return None,
    };
    Some(format!("CREATE OR REPLACE VIEW {name} AS\nSELECT * FROM {from}"))
}

/// The query that gives the newest row of each key, without a semicolon.
#[must_use]
pub fn newest(table: &Table, dialect: Dialect) -> String {
    if dialect.is_clickhouse() {
        return newest_by_aggregate(table, dialect);
    }
    let names = table.columns.iter().map(|column| format!("    {}", quoted(&column.name)));
    let inner = table.columns.iter().map(|column| {
        let name = quoted(&column.name);
        match (column.carried, dialect) {
            (false, _) => format!("        {name}"),
            (true, Dialect::DuckDb) => {
                format!("        last_value({name} IGNORE NULLS) OVER history AS {name}")
            }
            (true, _) => format!("        last_value({name}) IGNORE NULLS OVER history AS {name}"),
        }
    });
    let next = "        lead(revision) OVER history AS next_revision".to_owned();
    let key = table.key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let from = revisions_name(table, dialect);
    format!(
        "SELECT\n{}\nFROM (\n    SELECT\n{}\n    FROM {from}\n    WINDOW history AS (\n        \
         PARTITION BY {key}\n        ORDER BY revision\n    )\n) AS revisions\n\
         WHERE next_revision IS NULL",
        lines(names),
        lines(inner.chain([next])),
    )
}

/// ClickHouse aggregates instead of sorting. Its `argMax` passes over null values, which is what a
/// carried column wants; for the others a tuple hides the null.
fn newest_by_aggregate(table: &Table, dialect: Dialect) -> String {
    let columns = table.columns.iter().map(|column| {
        let name = &column.name;
        // Qualified: a bare name would mean the alias of the aggregate.
        let aggregate = if table.key.contains(name) {
            format!("rows.{name}")
        } else if name == "revision" {
            "max(rows.revision)".to_owned()
        } else if column.carried {
            format!("argMax(rows.{name}, rows.revision)")
        } else {
            format!("argMax(tuple(rows.{name}), rows.revision).1")
        };
        format!("    {aggregate} AS {name}")
    });
    let key = table.key.iter().map(|name| format!("rows.{name}")).collect::<Vec<_>>().join(", ");
    let from = revisions_name(table, dialect);
    format!("SELECT\n{}\nFROM {from} AS rows\nGROUP BY {key}", lines(columns))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join(",\n")
}

/// `read` and the like are function names or keywords somewhere.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests;

//! Tables as queries see them: exactly the given files and batches, each row once.
//!
//! ```text
//! parquet files ─► listing table ─┐
//!                                 ├─ UNION ALL ─► events                 append-only
//! batches       ─► memory table ──┘          └─► messages_revisions ─► messages   (views.rs)
//!                                                charges_revisions  ─► charges ─► spend
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use model::schema;

use crate::views::{self, Dialect};
use crate::{Part, WindowError, rows};

/// Rows of one table.
#[derive(Debug, Clone)]
pub struct TableSource {
    /// Name, as in `schemas/`.
    pub name: String,
    /// Schema of files and batches.
    pub schema: SchemaRef,
    /// Parquet files, complete and immutable.
    pub parquet: Vec<PathBuf>,
    /// Rows that no file holds yet.
    pub segments: Vec<RecordBatch>,
}

impl TableSource {
    /// A table of `schemas/` without rows.
    pub(crate) fn empty(table: &schema::Table) -> Self {
        Self {
            name: table.name.clone(),
            schema: table.arrow(),
            parquet: Vec::new(),
            segments: Vec::new(),
        }
    }
}

/// Registers a table under its name, or one part of it; a revised one as `<t>_revisions`, with
/// `<t>` the newest.
pub(crate) async fn register(
    context: &SessionContext,
    source: &TableSource,
    part: Option<Part>,
) -> Result<(), WindowError> {
    let name = &source.name;
    let explain = |error| WindowError::OpenTable { table: name.clone(), source: Box::new(error) };
    let conform = |batch| rows::conform(batch, &source.schema, name);
    let segments = source.segments.iter().map(conform).collect::<Result<Vec<_>, _>>()?;
    let mut stored = stored_rows(context, source, segments).map_err(explain)?;
    if let Some(filter) = part.and_then(|part| part.filter(name, &source.schema)) {
        stored = stored.filter(filter).map_err(explain)?;
    }
    let stored = stored.into_view();
    let revised =
        schema::tables().into_iter().find(|table| table.name == *name && views::is_revised(table));
    let Some(table) = revised else {
        return context.register_table(name.as_str(), stored).map(drop).map_err(explain);
    };
    let revisions = views::revisions_name(table, Dialect::DataFusion);
    context.register_table(revisions, stored).map_err(explain)?;
    let newest = context.sql(&views::newest(table, Dialect::DataFusion)).await.map_err(explain)?;
    context.register_table(name.as_str(), newest.into_view()).map_err(explain)?;
    if table.name == schema::CHARGES.name {
        let spend = context.sql(&views::spend(Dialect::DataFusion)).await.map_err(explain)?;
        let name = views::spend_name(Dialect::DataFusion);
        context.register_table(name, spend.into_view()).map_err(explain)?;
    }
    Ok(())
}

/// Files and batches of a table, each row once.
fn stored_rows(
    context: &SessionContext,
    source: &TableSource,
    segments: Vec<RecordBatch>,
) -> Result<DataFrame> {
    let memory = MemTable::try_new(SchemaRef::clone(&source.schema), vec![segments])?;
    let memory = context.read_table(Arc::new(memory))?;
    if source.parquet.is_empty() {
        return Ok(memory);
    }
    let urls = source.parquet.iter().map(|path| file_url(path)).collect::<Result<Vec<_>>>()?;
    // Views of strings would turn dictionaries and ids into types that the tables do not have.
    let format = ParquetFormat::default().with_force_view_types(false);
    // An empty extension: the files are named one by one, whatever they are called.
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(SchemaRef::clone(&source.schema));
    let files = context.read_table(Arc::new(ListingTable::try_new(config)?))?;
    files.union(memory)
}

/// A path as URL. Spelled out here, because DataFusion reads `*`, `?` and `[` in a path as a
/// pattern of many files. It also reads a missing file as no rows, which would be a wrong answer:
/// an error here.
fn file_url(path: &Path) -> Result<ListingTableUrl> {
    let path = std::path::absolute(path).map_err(DataFusionError::IoError)?;
    if !path.is_file() {
        return Err(DataFusionError::Execution(format!("{} is no file", path.display())));
    }
    let mut url = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'=' => {
                url.push(char::from(byte));
            }
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    ListingTableUrl::parse(url)
}

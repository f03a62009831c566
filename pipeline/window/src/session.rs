//! SQL over the tables, read-only: what stands behind `sendtally sql` and the SQL endpoint.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use model::schema;

use crate::executor::Executor;
use crate::output::Writer;
use crate::table::{self, TableSource};
use crate::{OutputFormat, Part, WindowError, read_only};

/// Memory of a query: sorts and groups above it go to temporary files. 2 GiB, because a query must
/// not push a pipeline on the same machine out of memory.
const MEMORY_BYTES_MAX: usize = 2 << 30;

/// A context for queries over files.
pub(crate) fn context() -> Result<SessionContext, WindowError> {
    let mut config = SessionConfig::new().with_information_schema(true);
    let options = config.options_mut();
    options.execution.parquet.schema_force_view_types = false;
    options.execution.time_zone = Some("UTC".to_owned());
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY_BYTES_MAX)))
        .build_arc()
        .map_err(|error| WindowError::Start(Box::new(error)))?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

/// The same for one part of the tables: rows of other parts are known by one column, and the rest
/// of them is not decoded.
pub(crate) fn part_context() -> Result<SessionContext, WindowError> {
    let context = context()?;
    let state = context.state_ref();
    state.write().config_mut().options_mut().execution.parquet.pushdown_filters = true;
    Ok(context)
}

/// Tables as they were when it was opened, and queries over them.
pub struct Session {
    executor: Executor,
    context: SessionContext,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// Opens these tables; those of `schemas/` that are not among them are there and empty.
    ///
    /// # Errors
    /// Where a file cannot be read, or batches have another schema than their table.
    pub fn open(mut tables: Vec<TableSource>) -> Result<Self, WindowError> {
        for known in schema::tables() {
            if tables.iter().all(|source| source.name != known.name) {
                tables.push(TableSource::empty(known));
            }
        }
        Self::over(context()?, &tables, None)
    }

    /// Opens one part of these tables, and no others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_part(tables: &[TableSource], part: Part) -> Result<Self, WindowError> {
        Self::over(part_context()?, tables, Some(part))
    }

    fn over(
        context: SessionContext,
        tables: &[TableSource],
        part: Option<Part>,
    ) -> Result<Self, WindowError> {
        let executor = Executor::threaded()?;
        executor.block_on(async {
            for source in tables {
                table::register(&context, source, part).await?;
            }
            Ok::<_, WindowError>(())
        })?;
        Ok(Self { executor, context })
    }

    /// Runs a query and gives all its rows.
    ///
    /// # Errors
    /// Where the text is no query, or the query fails.
    pub fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, WindowError> {
        let user = |error| WindowError::UserQuery(Box::new(error));
        self.executor.block_on(async { self.plan(sql).await?.collect().await.map_err(user) })
    }

    /// Runs a query and writes its rows as they come; gives their number.
    ///
    /// # Errors
    /// Where the text is no query, the query fails, or the output cannot be written.
    pub fn write(
        &self,
        sql: &str,
        format: OutputFormat,
        out: &mut dyn Write,
    ) -> Result<u64, WindowError> {
        let user = |error: DataFusionError| WindowError::UserQuery(Box::new(error));
        let mut stream = self
            .executor
            .block_on(async { self.plan(sql).await?.execute_stream().await.map_err(user) })?;
        let mut writer = Writer::new(format, &stream.schema(), out)?;
        let mut rows = 0;
        while let Some(batch) = self.executor.block_on(stream.next()) {
            let batch = batch.map_err(user)?;
            writer.write(&batch)?;
            rows += batch.num_rows() as u64;
        }
        writer.finish()?;
        Ok(rows)
    }

    async fn plan(&self, sql: &str) -> Result<DataFrame, WindowError> {
        read_only::check_text(sql)?;
        let user = |error| WindowError::UserQuery(Box::new(error));
        let state = self.context.state();
        let plan = state.create_logical_plan(sql).await.map_err(user)?;
        read_only::check_plan(&plan)?;
        Ok(DataFrame::new(state, plan))
    }
}

#[cfg(test)]
mod tests;

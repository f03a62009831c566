//! A query of `queries/` that runs again and again on new rows of the same tables.
//!
//! Reading, analysing and optimising the text costs more than running it on a second's panes, so
//! that is done once. What is left per run is to swap the rows in and to lay out the operators.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;

use crate::{WindowError, rows};

/// A table in memory whose rows change between runs.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    name: &'static str,
    schema: SchemaRef,
    table: Arc<MemTable>,
}

impl Feed {
    /// Registers an empty table.
    pub(crate) fn register(
        context: &SessionContext,
        name: &'static str,
        schema: SchemaRef,
    ) -> Result<Self> {
        let table = Arc::new(MemTable::try_new(SchemaRef::clone(&schema), vec![Vec::new()])?);
        context.register_table(name, Arc::<MemTable>::clone(&table))?;
        Ok(Self { name, schema, table })
    }

    /// Takes new rows in the place of the old ones.
    pub(crate) async fn replace(&self, batches: &[RecordBatch]) -> Result<(), WindowError> {
        let conformed = batches.iter().map(|batch| rows::conform(batch, &self.schema, self.name));
        let conformed = conformed.collect::<Result<Vec<_>, _>>()?;
        // One partition was made by `register`.
        if let Some(partition) = self.table.batches.first() {
            *partition.write().await = conformed;
        }
        Ok(())
    }
}

/// A planned query.
#[derive(Debug)]
pub(crate) struct Prepared {
    name: &'static str,
    plan: LogicalPlan,
}

impl Prepared {
    /// Plans the text of a file in `queries/`.
    pub(crate) async fn new(
        context: &SessionContext,
        name: &'static str,
        sql: &str,
    ) -> Result<Self, WindowError> {
        let explain = |source| WindowError::Plan { query: name, source: Box::new(source) };
        let state = context.state();
        let plan = state.create_logical_plan(sql).await.map_err(explain)?;
        let plan = state.optimize(&plan).map_err(explain)?;
        Ok(Self { name, plan })
    }

    /// Runs it on the rows that its feeds have now.
    pub(crate) async fn run(
        &self,
        context: &SessionContext,
    ) -> Result<Vec<RecordBatch>, WindowError> {
        let explain = |source| WindowError::Run { query: self.name, source: Box::new(source) };
        let state = context.state();
        let planner = state.query_planner();
        let physical = planner.create_physical_plan(&self.plan, &state).await.map_err(explain)?;
        collect(physical, context.task_ctx()).await.map_err(explain)
    }
}

//! x
use crate::{OutputFormat, TableSource, WindowError};
use arrow_array::RecordBatch;
use std::io::Write;
/// SQL over tables.
#[derive(Debug)]
pub struct Session {}
impl Session {
    /// x
    /// # Errors
    /// x
    pub fn open(tables: Vec<TableSource>) -> Result<Self, WindowError> {
        let _ = tables;
        Ok(Self {})
    }
    /// x
    /// # Errors
    /// x
    pub fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, WindowError> {
        let _ = sql;
        Ok(vec![])
    }
    /// x
    /// # Errors
    /// x
    pub fn write(
        &self,
        sql: &str,
        format: OutputFormat,
        out: &mut dyn Write,
    ) -> Result<u64, WindowError> {
        let _ = (sql, format, out);
        Ok(0)
    }
}

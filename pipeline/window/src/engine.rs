//! x
use crate::WindowError;
use arrow_array::RecordBatch;
/// What a call writes into every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Watermark of the panes, microseconds.
    pub watermark_us: i64,
    /// Epoch of the aggregate chain.
    pub revision: u64,
    /// When that epoch closes, microseconds.
    pub committed_at_us: i64,
}
/// Windows.
#[derive(Debug)]
pub struct Engine {}
impl Engine {
    /// x
    /// # Errors
    /// x
    pub fn new() -> Result<Self, WindowError> {
        Ok(Self {})
    }
    /// x
    /// # Errors
    /// x
    pub fn slo_windows(
        &self,
        panes: Vec<RecordBatch>,
        stamp: &Stamp,
    ) -> Result<RecordBatch, WindowError> {
        let _ = (panes, stamp);
        Ok(RecordBatch::new_empty(model::schema::SLO_WINDOWS.arrow()))
    }
    /// x
    /// # Errors
    /// x
    pub fn cost_windows(
        &self,
        panes: Vec<RecordBatch>,
        stamp: &Stamp,
    ) -> Result<RecordBatch, WindowError> {
        let _ = (panes, stamp);
        Ok(RecordBatch::new_empty(model::schema::COST_WINDOWS.arrow()))
    }
}

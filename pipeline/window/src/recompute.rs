//! x
use crate::{TableSource, WindowError};
use arrow_array::RecordBatch;
/// x
/// # Errors
/// x
pub fn recompute_messages(
    events: TableSource,
    watermark_us: i64,
) -> Result<Vec<RecordBatch>, WindowError> {
    let _ = (events, watermark_us);
    Ok(vec![])
}
/// x
/// # Errors
/// x
pub fn recompute_slo(events: TableSource, watermark_us: i64) -> Result<RecordBatch, WindowError> {
    let _ = (events, watermark_us);
    Ok(RecordBatch::new_empty(model::schema::SLO_WINDOWS.arrow()))
}

//! Windows that changed and were not published yet, as a state slice: without it a restart would
//! forget that they wait.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Int64Array, RecordBatch, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use window::Window;

/// Windows as rows.
pub(crate) fn write(windows: &[Window]) -> Result<RecordBatch, ArrowError> {
    let schema = Schema::new(vec![
        Field::new("window_s", DataType::UInt32, false),
        Field::new("window_start_us", DataType::Int64, false),
    ]);
    let lengths: UInt32Array = windows.iter().map(|window| Some(window.0)).collect();
    let starts: Int64Array = windows.iter().map(|window| Some(window.1)).collect();
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(lengths), Arc::new(starts)])
}

/// Rows as windows; a batch of another shape gives none.
pub(crate) fn read(batch: &RecordBatch) -> Vec<Window> {
    let lengths = batch.columns().first().and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let starts = batch.columns().get(1).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let (Some(lengths), Some(starts)) = (lengths, starts) else { return Vec::new() };
    lengths.values().iter().copied().zip(starts.values().iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_windows_come_back() {
        let windows = vec![(60, 0), (86_400, -5)];
        assert_eq!(read(&write(&windows).unwrap()), windows);
    }
}

//! Sums written as rows of [`SLO_PANE_SCHEMA`] and [`COST_PANE_SCHEMA`]: what DataFusion makes
//! windows of, and what a snapshot holds.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Decimal128Builder, Int64Builder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use model::pane::{COST_PANE_SCHEMA, SLO_PANE_SCHEMA};

use crate::error::WindowError;
use crate::rows;
use crate::store::{CostSeries, CostSum, Series, SloSum, wrong};

#[derive(Default)]
struct Dims {
    start: TimestampMicrosecondBuilder,
    texts: [StringDictionaryBuilder<Int32Type>; 5],
}

impl Dims {
    fn push(&mut self, start_us: i64, series: &Series) {
        self.start.append_value(start_us);
        for (builder, text) in self.texts.iter_mut().zip(series.iter()) {
            builder.append_option(text.as_deref());
        }
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.start.finish().with_timezone("UTC"))];
        columns.extend(self.texts.iter_mut().map(|text| Arc::new(text.finish()) as ArrayRef));
        columns
    }
}

/// SLO sums as pane rows.
#[derive(Default)]
pub(crate) struct SloRows {
    dims: Dims,
    counts: [Int64Builder; 11],
    latency: BinaryBuilder,
}

impl SloRows {
    pub(crate) fn push(&mut self, start_us: i64, series: &Series, sum: &SloSum) {
        self.dims.push(start_us, series);
        for (builder, count) in self.counts.iter_mut().zip(sum.counts) {
            builder.append_value(count);
        }
        self.latency.append_value(sum.latency.to_bytes());
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch, WindowError> {
        let mut columns = self.dims.finish();
        columns.extend(self.counts.iter_mut().map(|count| Arc::new(count.finish()) as ArrayRef));
        columns.push(Arc::new(self.latency.finish()));
        rows::batch(Arc::clone(&SLO_PANE_SCHEMA), columns, "slo_panes")
    }
}

/// Cost sums as pane rows.
#[derive(Default)]
pub(crate) struct CostRows {
    dims: Dims,
    currency: StringDictionaryBuilder<Int32Type>,
    kind: StringDictionaryBuilder<Int32Type>,
    decimals: [Decimal128Builder; 2],
    counts: [Int64Builder; 2],
}

impl CostRows {
    pub(crate) fn push(&mut self, start_us: i64, key: &CostSeries, sum: &CostSum) {
        self.dims.push(start_us, &key.0);
        self.currency.append_option(key.1.as_deref());
        self.kind.append_value(&key.2);
        self.decimals[0].append_value(sum.amount);
        self.decimals[1].append_value(sum.quantity);
        self.counts[0].append_value(sum.messages);
        self.counts[1].append_value(sum.delivered);
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch, WindowError> {
        let mut columns = self.dims.finish();
        columns.push(Arc::new(self.currency.finish()));
        columns.push(Arc::new(self.kind.finish()));
        for decimal in &mut self.decimals {
            let array = decimal.finish().with_precision_and_scale(38, 9);
            columns.push(Arc::new(array.map_err(|_| wrong("decimal"))?));
        }
        columns.extend(self.counts.iter_mut().map(|count| Arc::new(count.finish()) as ArrayRef));
        rows::batch(Arc::clone(&COST_PANE_SCHEMA), columns, "cost_panes")
    }
}

//! Latency sketches in SQL.
//!
//! | function | gives |
//! |---|---|
//! | `sketch_merge(sketch)` | the sum of sketches, as bytes (aggregate) |
//! | `sketch_of(latency_ms)` | the sketch of latencies, as bytes (aggregate) |
//! | `sketch_quantile_ms(sketch, q)` | the latency at rank ceil(q n), null where n = 0 |
//! | `sketch_count(sketch)` | n |
//!
//! State is the sketch itself, so partial results merge by addition of integers: neither the
//! order of rows nor the number of partitions can change a bit of a percentile. A null counts as
//! an empty sketch, or as no latency.

use std::mem::size_of;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator,
    Signature, Volatility, create_udf,
};
use datafusion::prelude::SessionContext;
use model::sketch::{Sketch, bucket};

/// Memory of one bucket in a sketch: key, count and their share of a tree node, rounded up.
const BUCKET_BYTES: usize = 32;

/// Makes the functions known to queries of this context.
pub(crate) fn register(context: &SessionContext) {
    let merge = SketchAggregate::new("sketch_merge", DataType::Binary);
    let of = SketchAggregate::new("sketch_of", DataType::Int64);
    context.register_udaf(AggregateUDF::new_from_impl(merge));
    context.register_udaf(AggregateUDF::new_from_impl(of));
    context.register_udf(create_udf(
        "sketch_quantile_ms",
        vec![DataType::Binary, DataType::Float64],
        DataType::Float64,
        Volatility::Immutable,
        Arc::new(quantile_ms),
    ));
    context.register_udf(create_udf(
        "sketch_count",
        vec![DataType::Binary],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(count),
    ));
}

fn quantile_ms(args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let [sketches, quantiles] = arrays.as_slice() else {
        return exec_err!("sketch_quantile_ms takes a sketch and a quantile");
    };
    let sketches = sketches.as_binary::<i32>();
    let quantiles = quantiles.as_primitive::<Float64Type>();
    let row = |(bytes, q): (Option<&[u8]>, Option<f64>)| -> Result<Option<f64>> {
        let (Some(bytes), Some(q)) = (bytes, q) else { return Ok(None) };
        Ok(decode(bytes)?.quantile_ms(q))
    };
    let values =
        sketches.iter().zip(quantiles.iter()).map(row).collect::<Result<Float64Array>>()?;
    Ok(ColumnarValue::Array(Arc::new(values)))
}

fn count(args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let [sketches] = arrays.as_slice() else {
        return exec_err!("sketch_count takes a sketch");
    };
    let row = |bytes: Option<&[u8]>| bytes.map(|bytes| Ok(decode(bytes)?.count())).transpose();
    let values = sketches.as_binary::<i32>().iter().map(row).collect::<Result<Int64Array>>()?;
    Ok(ColumnarValue::Array(Arc::new(values)))
}

fn decode(bytes: &[u8]) -> Result<Sketch> {
    let mut sketch = Sketch::default();
    if !sketch.merge_bytes(bytes) {
        return exec_err!("{} bytes are no latency sketch", bytes.len());
    }
    Ok(sketch)
}

/// `sketch_merge` or `sketch_of`: they differ in what they read only.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SketchAggregate {
    name: &'static str,
    signature: Signature,
}

impl SketchAggregate {
    fn new(name: &'static str, input: DataType) -> Self {
        Self { name, signature: Signature::exact(vec![input], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for SketchAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(Some(Vec::new())))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[sketch]", args.name), DataType::Binary, false))])
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneSketch::default()))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ManySketches::default()))
    }
}

/// What an aggregate reads: latencies, or sketches (which are also its own state).
enum Input<'a> {
    Latencies(&'a Int64Array),
    Sketches(&'a BinaryArray),
}

impl<'a> Input<'a> {
    fn first_of(columns: &'a [ArrayRef]) -> Result<Self> {
        let Some(column) = columns.first() else {
            return exec_err!("a sketch aggregate takes one argument");
        };
        match column.data_type() {
            DataType::Int64 => Ok(Self::Latencies(column.as_primitive::<Int64Type>())),
            DataType::Binary => Ok(Self::Sketches(column.as_binary::<i32>())),
            other => exec_err!("a sketch aggregate cannot read {other}"),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Latencies(array) => array.len(),
            Self::Sketches(array) => array.len(),
        }
    }

    /// Adds a row to a sketch; gives the number of buckets that this touched.
    fn add_to(&self, sketch: &mut Sketch, row: usize) -> Result<usize> {
        match self {
            Self::Latencies(array) if array.is_valid(row) => {
                sketch.add(bucket(array.value(row)), 1);
                Ok(1)
            }
            Self::Sketches(array) if array.is_valid(row) => {
                let bytes = array.value(row);
                if !sketch.merge_bytes(bytes) {
                    return exec_err!("{} bytes are no latency sketch", bytes.len());
                }
                Ok(bytes.len() / 10)
            }
            Self::Latencies(_) | Self::Sketches(_) => Ok(0),
        }
    }
}

/// One sketch: without `GROUP BY`, and in window functions.
#[derive(Debug, Default)]
struct OneSketch {
    sketch: Sketch,
}

impl OneSketch {
    fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let input = Input::first_of(columns)?;
        for row in 0..input.rows() {
            input.add_to(&mut self.sketch, row)?;
        }
        Ok(())
    }
}

impl Accumulator for OneSketch {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(Some(self.sketch.to_bytes())))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sketch.iter().count() * BUCKET_BYTES
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(states)
    }

    /// Rows that left a sliding frame: counts are signed, so taking away is exact.
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut left = Self::default();
        left.add(values)?;
        for (bucket, count) in left.sketch.iter() {
            self.sketch.add(bucket, -count);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// One sketch a group.
#[derive(Debug, Default)]
struct ManySketches {
    sketches: Vec<Sketch>,
    /// Buckets touched since the last emission: an upper bound of those held, known without
    /// walking the sketches.
    buckets: usize,
}

impl ManySketches {
    fn add(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_total: usize,
    ) -> Result<()> {
        self.sketches.resize_with(groups_total, Sketch::default);
        let input = Input::first_of(columns)?;
        for (row, group) in groups.iter().enumerate() {
            if passes(filter, row) {
                self.buckets += input.add_to(&mut self.sketches[*group], row)?;
            }
        }
        Ok(())
    }
}

fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl GroupsAccumulator for ManySketches {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.add(values, group_indices, opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let emitted = emit_to.take_needed(&mut self.sketches);
        if self.sketches.is_empty() {
            self.buckets = 0;
        }
        let bytes = emitted.iter().map(|sketch| Some(sketch.to_bytes()));
        Ok(Arc::new(bytes.collect::<BinaryArray>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.add(values, group_indices, None, total_num_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let input = Input::first_of(values)?;
        let state = |row| -> Result<Option<Vec<u8>>> {
            let mut sketch = Sketch::default();
            if passes(opt_filter, row) {
                input.add_to(&mut sketch, row)?;
            }
            Ok(Some(sketch.to_bytes()))
        };
        let states = (0..input.rows()).map(state).collect::<Result<BinaryArray>>()?;
        Ok(vec![Arc::new(states)])
    }

    fn size(&self) -> usize {
        self.sketches.capacity() * size_of::<Sketch>() + self.buckets * BUCKET_BYTES
    }
}

#[cfg(test)]
mod tests;

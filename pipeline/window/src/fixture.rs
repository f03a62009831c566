//! Tables of tests, written as text: JSON lines in, CSV out.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch,
    StringArray,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use model::keys::unhex;

use crate::OutputFormat;
use crate::output::Writer;

/// Rows of a table from JSON lines. What a line leaves out is null where it may be, else zero,
/// false or a word that fits the column. Ids are hex and are filled up with zeros on the left.
pub(crate) fn rows(schema: &SchemaRef, lines: &str) -> RecordBatch {
    let loose = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Dictionary(_, _) | DataType::FixedSizeBinary(_) => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), kind, true)
    });
    let loose = Arc::new(Schema::new(loose.collect::<Vec<_>>()));
    let mut decoder = arrow_json::ReaderBuilder::new(loose).build_decoder().unwrap();
    decoder.decode(lines.as_bytes()).unwrap();
    let batch = decoder.flush().unwrap().unwrap();
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| strict(column, field)).collect();
    RecordBatch::try_new(SchemaRef::clone(schema), columns).unwrap()
}

fn strict(column: &ArrayRef, field: &Field) -> ArrayRef {
    let filled: ArrayRef = match column.data_type() {
        _ if field.is_nullable() => ArrayRef::clone(column),
        DataType::Utf8 => {
            let word = default_word(field.name());
            let texts = column.as_string::<i32>().iter().map(|text| text.or(Some(word)));
            Arc::new(texts.collect::<StringArray>())
        }
        DataType::Int64 => {
            let counts = column.as_primitive::<Int64Type>().iter();
            Arc::new(counts.map(|count| count.or(Some(0))).collect::<Int64Array>())
        }
        DataType::Binary => {
            let bytes = column.as_binary::<i32>().iter().map(|bytes| bytes.or(Some(&[])));
            Arc::new(bytes.collect::<BinaryArray>())
        }
        DataType::Boolean => {
            let truths = column.as_boolean().iter().map(|truth| truth.or(Some(false)));
            Arc::new(truths.collect::<BooleanArray>())
        }
        kind if column.null_count() == column.len() => {
            let zero = cast(&Int64Array::from(vec![0; column.len()]), &DataType::Int32).unwrap();
            cast(&zero, kind).unwrap()
        }
        _ => ArrayRef::clone(column),
    };
    if let DataType::FixedSizeBinary(width) = field.data_type() {
        let ids = filled.as_string::<i32>().iter().map(|text| id(text, *width));
        return Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, *width).unwrap(),
        );
    }
    cast(&filled, field.data_type()).unwrap()
}

fn default_word(column: &str) -> &'static str {
    match column {
        "source" => "twilio",
        "disposition" => "accepted",
        "error_class" | "receipt_class" | "price_unit" => "none",
        name if name.ends_with("_id") || name.ends_with("_key") || name.ends_with("256") => "00",
        _ => "unknown",
    }
}

fn id(text: Option<&str>, width: i32) -> Option<Vec<u8>> {
    let width = usize::try_from(width).unwrap();
    text.map(|text| unhex(&format!("{text:0>0$}", width * 2)).unwrap())
}

/// Some columns of batches as CSV without its header.
pub(crate) fn csv(batches: &[RecordBatch], columns: &[&str]) -> String {
    let mut out = Vec::new();
    for batch in batches {
        let at = columns.iter().map(|name| batch.schema().index_of(name).unwrap());
        let part = batch.project(&at.collect::<Vec<_>>()).unwrap();
        let mut text: Vec<u8> = Vec::new();
        let mut writer = Writer::new(OutputFormat::Csv, &part.schema(), &mut text).unwrap();
        writer.write(&part).unwrap();
        writer.finish().unwrap();
        let header = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        out.extend_from_slice(&text[header..]);
    }
    String::from_utf8(out).unwrap()
}

/// Text of a test without indentation.
pub(crate) fn lines(text: &str) -> String {
    let trimmed = text.trim().lines().map(|line| format!("{}\n", line.trim()));
    trimmed.collect()
}

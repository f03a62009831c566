//! Canonical JSON lines, as `sendtally normalize` prints them: keys in schema order, absent = null,
//! times RFC 3339 with six digits and `Z`, decimals as strings, hashes in lower-case hex.

use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use model::charge::LINE_SCHEMA;
use model::event::CANONICAL_SCHEMA;
use model::money::Nanos;
use model::{keys, time};

/// Appends one row as a JSON object and a line feed. A row out of range appends nothing.
pub fn write_json_line(batch: &RecordBatch, row: usize, out: &mut Vec<u8>) {
    if row >= batch.num_rows() {
        return;
    }
    let schema = batch.schema_ref();
    for (at, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        write_string(field.name(), out);
        out.push(b':');
        write_value(column, row, out);
    }
    out.extend_from_slice(b"}\n");
}

/// The columns of events or charge lines with the names of their schema.
pub(crate) fn columns(batch: &RecordBatch) -> impl Iterator<Item = (&'static str, &ArrayRef)> {
    let are_charges = *batch.schema_ref() == *LINE_SCHEMA;
    let schema: &'static SchemaRef = if are_charges { &LINE_SCHEMA } else { &CANONICAL_SCHEMA };
    schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns())
}

/// One value, as it is printed without quotes; `None` where it is null.
pub(crate) fn cell(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let mut out = Vec::new();
    write_value(column, row, &mut out);
    let text = String::from_utf8(out).ok()?;
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Some(inner.map_or_else(|| text.clone(), str::to_owned))
}

fn write_value(column: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    // Writing to a Vec cannot fail.
    let mut number = |value: i128| drop(write!(out, "{value}"));
    match column.data_type() {
        DataType::UInt16 => number(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => number(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => number(column.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Int32 => number(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => number(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::Boolean => drop(write!(out, "{}", column.as_boolean().value(row))),
        DataType::Utf8 => write_string(column.as_string::<i32>().value(row), out),
        DataType::FixedSizeBinary(_) => {
            write_string(&keys::hex(column.as_fixed_size_binary().value(row)), out);
        }
        DataType::Decimal128(_, _) => {
            let nanos = Nanos(column.as_primitive::<Decimal128Type>().value(row));
            drop(write!(out, "\"{nanos}\""));
        }
        DataType::Timestamp(_, _) => {
            let time_us = column.as_primitive::<TimestampMicrosecondType>().value(row);
            write_string(&time::format_us(time_us), out);
        }
        DataType::Dictionary(_, _) => match dictionary_text(column, row) {
            Some(text) => write_string(text, out),
            None => out.extend_from_slice(b"null"),
        },
        _ => out.extend_from_slice(b"null"),
    }
}

fn dictionary_text(column: &ArrayRef, row: usize) -> Option<&str> {
    let dictionary = column.as_dictionary_opt::<Int32Type>()?;
    let values = dictionary.values().as_string_opt::<i32>()?;
    let key = dictionary.key(row)?;
    values.is_valid(key).then(|| values.value(key))
}

pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control if u32::from(control) < 0x20 => {
                drop(write!(out, "\\u{:04x}", u32::from(control)));
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_serde_reads_them() {
        let text = "a\"b\\c\n\r\t\u{1}ä😀\u{7f}";
        let mut out = Vec::new();
        write_string(text, &mut out);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

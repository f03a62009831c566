//! Files as records: the same code path as Kafka from here on.
//!
//! One payload a line, or one a file (`whole`), or one Kafka record a line (`records`):
//! `{"headers":{"source":"twilio"},"value":"…"}`, or `value_base64` for bytes that are no UTF-8.
//! Empty lines are no records.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::record::{RawBatch, RawRecord};
use serde_json::Value;

use crate::IngestError;

/// How a file holds its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileShape {
    /// One payload a line.
    Lines,
    /// The file is one payload.
    Whole,
    /// One Kafka record a line.
    Records,
}

/// Reads a file and hands batches of about 1 MiB to `sink`, in order. Returns the records read.
///
/// # Errors
/// The file cannot be read, or (`records`) a line is no record; or what `sink` returns.
pub fn read_file<E: From<IngestError>>(
    path: &Path,
    shape: FileShape,
    input: u32,
    mut sink: impl FnMut(RawBatch) -> Result<(), E>,
) -> Result<i64, E> {
    const BATCH_BYTES: usize = 1 << 20;
    let bytes = std::fs::read(path).map_err(|error| IngestError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    })?;
    let mut batch = RawBatch::default();
    let mut offset = 0;
    let whole = [bytes.as_slice()];
    let lines = bytes.split(|byte| *byte == b'\n');
    let pieces: Box<dyn Iterator<Item = &[u8]>> = match shape {
        FileShape::Whole => Box::new(whole.into_iter()),
        FileShape::Lines | FileShape::Records => Box::new(lines),
    };
    for piece in pieces {
        let piece = piece.strip_suffix(b"\r").unwrap_or(piece);
        if piece.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if shape == FileShape::Records {
            push_record(&mut batch, piece).map_err(|reason| IngestError::File {
                path: path.display().to_string(),
                reason: format!("record {offset}: {reason}"),
            })?;
        } else {
            let value = batch.push_bytes(piece);
            let headers = batch.headers.len();
            batch.records.push(record(value, headers..headers));
        }
        if let Some(record) = batch.records.last_mut() {
            record.input = input;
            record.offset = offset;
        }
        offset += 1;
        if batch.bytes.len() >= BATCH_BYTES {
            sink(std::mem::take(&mut batch))?;
        }
    }
    if !batch.records.is_empty() {
        sink(batch)?;
    }
    Ok(offset)
}

const fn record(value: std::ops::Range<usize>, headers: std::ops::Range<usize>) -> RawRecord {
    RawRecord { input: 0, offset: 0, ingest_time_us: None, value, tombstone: false, headers }
}

fn push_record(batch: &mut RawBatch, line: &[u8]) -> Result<(), String> {
    let parsed: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let object = parsed.as_object().ok_or("it is no JSON object")?;
    if let Some(key) =
        object.keys().find(|key| !["headers", "value", "value_base64"].contains(&key.as_str()))
    {
        return Err(format!("unknown key `{key}`; known: headers, value, value_base64"));
    }
    let (value, tombstone) = match (object.get("value"), object.get("value_base64")) {
        (Some(Value::String(text)), None) => (batch.push_bytes(text.as_bytes()), false),
        (None, Some(Value::String(text))) => {
            let bytes = STANDARD.decode(text).map_err(|_| "value_base64 is no base64")?;
            (batch.push_bytes(&bytes), false)
        }
        (Some(Value::Null) | None, None) => (batch.push_bytes(&[]), true),
        _ => return Err("needs either `value` or `value_base64`, a string".to_owned()),
    };
    let first = batch.headers.len();
    if let Some(headers) = object.get("headers") {
        let headers = headers.as_object().ok_or("`headers` is no JSON object")?;
        for (name, value) in headers {
            let value = value.as_str().ok_or_else(|| format!("header `{name}` is no string"))?;
            let pair = (batch.push_bytes(name.as_bytes()), batch.push_bytes(value.as_bytes()));
            batch.headers.push(pair);
        }
    }
    batch.records.push(RawRecord { tombstone, ..record(value, first..batch.headers.len()) });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, shape: FileShape) -> Result<Vec<RawBatch>, IngestError> {
        let path = std::env::temp_dir().join(format!("sendtally-{:p}", text));
        std::fs::write(&path, text).unwrap();
        let mut batches = Vec::new();
        let result = read_file(&path, shape, 3, |batch| {
            batches.push(batch);
            Ok::<(), IngestError>(())
        });
        std::fs::remove_file(&path).unwrap();
        result.map(|_| batches)
    }

    #[test]
    fn empty_lines_are_no_records_and_offsets_count_on() {
        let batches = read("a\n\r\n  \nb\r\n", FileShape::Lines).unwrap();
        let records = &batches[0].records;
        assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(batches[0].view(&records[1]).value, b"b");
        assert_eq!(records[1].input, 3);
    }

    #[test]
    fn a_record_line_has_headers_and_bytes() {
        let line = r#"{"headers":{"source":"fcm"},"value_base64":"/w=="}"#;
        let batches = read(line, FileShape::Records).unwrap();
        let view = batches[0].view(&batches[0].records[0]);
        assert_eq!((view.value, view.headers.get("Source")), (&[255_u8][..], Some("fcm")));
    }

    #[test]
    fn a_wrong_record_line_is_refused_with_its_number() {
        let error = read("{\"value\":\"\"}\n{\"valeu\":\"\"}", FileShape::Records).unwrap_err();
        assert!(error.to_string().contains("record 1: unknown key `valeu`"), "{error}");
    }
}

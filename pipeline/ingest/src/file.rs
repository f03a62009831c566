//! Files as records: the same code path as Kafka from here on.
//!
//! One payload a line, or one a file (`whole`), or one Kafka record a line (`records`):
//! `{"headers":{"source":"twilio"},"value":"…"}`, or `value_base64` for bytes that are no UTF-8.
//! Empty lines are no records.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::record::{RawBatch, RawRecord};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

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
/// The file cannot be read; or what `sink` returns.
pub fn read_file<E: From<IngestError>>(
    path: &Path,
    shape: FileShape,
    input: u32,
    sink: impl FnMut(RawBatch) -> Result<(), E>,
) -> Result<i64, E> {
    let bytes = std::fs::read(path).map_err(|error| IngestError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    })?;
    read_bytes(&bytes, shape, input, sink)
}

/// The same from memory. Of lines, a file in gzip or ZIP is one record. With
/// [`FileShape::Records`], a line that is no record stands for itself: a payload without headers,
/// which ends as a dead letter with its position.
///
/// # Errors
/// What `sink` returns.
pub fn read_bytes<E>(
    bytes: &[u8],
    shape: FileShape,
    input: u32,
    mut sink: impl FnMut(RawBatch) -> Result<(), E>,
) -> Result<i64, E> {
    const BATCH_BYTES: usize = 1 << 20;
    let mut batch = RawBatch::default();
    let mut offset = 0;
    // A byte order mark is no part of a record; a payload's own is the normalizer's matter.
    let bytes = match shape {
        FileShape::Records => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
        FileShape::Lines | FileShape::Whole => bytes,
    };
    let whole = [bytes];
    let lines = bytes.split(|byte| *byte == b'\n');
    // A line feed in a compressed file ends no line.
    let is_packed = [&b"PK\x03\x04"[..], &[0x1f, 0x8b]].iter().any(|head| bytes.starts_with(head));
    let pieces: Box<dyn Iterator<Item = &[u8]>> = match shape {
        FileShape::Whole => Box::new(whole.into_iter()),
        FileShape::Lines if is_packed => Box::new(whole.into_iter()),
        FileShape::Lines | FileShape::Records => Box::new(lines),
    };
    for piece in pieces {
        let piece = piece.strip_suffix(b"\r").unwrap_or(piece);
        if piece.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if shape != FileShape::Records || push_record(&mut batch, piece).is_none() {
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

/// A line of records; what else stands in it is passed over. `Some(None)` is a null.
#[derive(serde::Deserialize)]
struct Line {
    #[serde(default, deserialize_with = "told")]
    headers: Option<Option<BTreeMap<String, Header>>>,
    #[serde(default, deserialize_with = "told")]
    value: Option<Option<Raw>>,
    #[serde(default, deserialize_with = "told")]
    value_base64: Option<Option<String>>,
}

/// The bytes of a string, which need not be UTF-8: what that costs is for who reads them to say.
struct Raw(Vec<u8>);

impl<'de> serde::Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Raw;

            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                Ok(Raw(bytes.to_vec()))
            }
        }
        field.deserialize_bytes(Bytes)
    }
}

/// A header: of one without a value (Kafka's may have none), or with one that is no text, nothing
/// is kept, and nothing of it is held meanwhile.
struct Header(Option<String>);

impl<'de> serde::Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Header;

            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("a header")
            }

            fn visit_str<E>(self, text: &str) -> Result<Header, E> {
                Ok(Header(Some(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Header, E> {
                Ok(Header(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Header, E> {
                Ok(Header(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Header, E> {
                Ok(Header(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Header, E> {
                Ok(Header(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Header, E> {
                Ok(Header(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Header, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Header(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Header, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Header(None))
            }
        }
        field.deserialize_any(Text)
    }
}

/// A field that is there, if only as null.
fn told<'de, T, D>(field: D) -> Result<Option<T>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(field).map(Some)
}

/// Appends the record that a line holds; keys that are not known are of no interest (a dump of
/// Kafka has more). `None` where it holds none: the batch is as it was but for unused bytes.
fn push_record(batch: &mut RawBatch, line: &[u8]) -> Option<()> {
    let Line { headers, value, value_base64 } = serde_json::from_slice(line).ok()?;
    let value = match (value, value_base64) {
        (Some(Some(Raw(bytes))), None) => Some(bytes),
        // What is no base64 stands as it is: a dead letter of the source that its headers tell.
        (None, Some(Some(text))) => {
            Some(STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()))
        }
        (Some(None), None) | (None, Some(None)) => None,
        // A GET callback has all it says in its headers.
        (None, None) if headers.is_some() => None,
        _ => return None,
    };
    let first = batch.headers.len();
    for (name, value) in headers.flatten().unwrap_or_default() {
        let Header(Some(value)) = value else { continue };
        let pair = (batch.push_bytes(name.as_bytes()), batch.push_bytes(value.as_bytes()));
        batch.headers.push(pair);
    }
    let tombstone = value.is_none();
    let value = batch.push_bytes(&value.unwrap_or_default());
    batch.records.push(RawRecord { tombstone, ..record(value, first..batch.headers.len()) });
    Some(())
}

/// A record as a line of [`FileShape::Records`]; of headers with one name the first.
#[must_use]
pub fn record_value(value: Option<&[u8]>, headers: &[(Vec<u8>, Vec<u8>)]) -> Value {
    let mut named = Map::new();
    for (name, content) in headers {
        let name = String::from_utf8_lossy(name).into_owned();
        named.entry(name).or_insert_with(|| json!(String::from_utf8_lossy(content)));
    }
    match value.map(std::str::from_utf8) {
        None => json!({"headers": named, "value": null}),
        Some(Ok(text)) => json!({"headers": named, "value": text}),
        Some(Err(_)) => {
            let encoded = STANDARD.encode(value.unwrap_or_default());
            json!({"headers": named, "value_base64": encoded})
        }
    }
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
    fn a_line_feed_in_a_compressed_file_ends_no_line() {
        for head in [&b"PK\x03\x04"[..], &[0x1f, 0x8b]] {
            let bytes = [head, b"a\nb\n"].concat();
            let mut n_records = 0;
            read_bytes(&bytes, FileShape::Lines, 0, |batch| {
                n_records += batch.records.len();
                Ok::<(), ()>(())
            })
            .unwrap();
            assert_eq!(n_records, 1);
        }
    }

    #[test]
    fn a_record_line_has_headers_and_bytes() {
        let line = r#"{"headers":{"source":"fcm"},"value_base64":"/w=="}"#;
        let batches = read(line, FileShape::Records).unwrap();
        let view = batches[0].view(&batches[0].records[0]);
        assert_eq!((view.value, view.headers.get("Source")), (&[255_u8][..], Some("fcm")));
    }

    #[test]
    fn a_byte_order_mark_costs_no_record() {
        let text = "\u{feff}{\"headers\":{\"source\":\"kaleyra\"},\"value\":\"x\"}";
        let batches = read(text, FileShape::Records).unwrap();
        let view = batches[0].view(&batches[0].records[0]);
        assert_eq!((view.headers.get("source"), view.value), (Some("kaleyra"), &b"x"[..]));
    }

    #[test]
    fn a_line_that_is_no_record_stands_for_itself_and_its_neighbours_are_read() {
        for wrong in ["not json", r#"{"value_base64":7}"#, "[]", r#"{"headers":[],"value":""}"#] {
            let text = format!("{{\"value\":\"a\"}}\n{wrong}\n{{\"value\":\"b\",\"partition\":3}}");
            let batches = read(&text, FileShape::Records).unwrap();
            let values: Vec<&[u8]> =
                batches[0].records.iter().map(|record| batches[0].view(record).value).collect();
            assert_eq!(values, [&b"a"[..], wrong.as_bytes(), &b"b"[..]]);
        }
    }

    #[test]
    fn damage_inside_a_value_and_a_header_without_text_cost_not_the_record() {
        let whole = |line: &[u8]| {
            let mut told = Vec::new();
            read_bytes(line, FileShape::Records, 0, |batch| {
                let view = batch.view(&batch.records[0]);
                told.push((view.value.to_vec(), view.headers.get("source").map(str::to_owned)));
                Ok::<(), ()>(())
            })
            .unwrap();
            told.remove(0)
        };
        let told = |value: &[u8]| (value.to_vec(), Some("fcm".to_owned()));
        let line = b"{\"headers\":{\"source\":\"fcm\"},\"value\":\"a\xff\\nb\"}";
        assert_eq!(whole(line), told(b"a\xff\nb"));
        let line = br#"{"headers":{"source":"fcm"},"value":"a\ud800b"}"#;
        assert_eq!(whole(line), told(b"a\xed\xa0\x80b"));
        let line = br#"{"headers":{"a":null,"b":7,"c":["x"],"source":"fcm"},"value":"a"}"#;
        assert_eq!(whole(line), told(b"a"));
        let line = br#"{"headers":{"source":"fcm"},"value_base64":"%%"}"#;
        assert_eq!(whole(line), told(b"%%"), "a dead letter of its source");
    }

    #[test]
    fn a_record_that_is_written_reads_as_it_was() {
        let headers = vec![(b"source".to_vec(), b"fcm".to_vec()), (b"source".to_vec(), vec![])];
        for value in [None, Some(&b"a\"b"[..]), Some(&[255][..])] {
            let text = record_value(value, &headers).to_string();
            let batches = read(&text, FileShape::Records).unwrap();
            let view = batches[0].view(&batches[0].records[0]);
            assert_eq!((view.value, view.tombstone), (value.unwrap_or_default(), value.is_none()));
            assert_eq!(view.headers.get("source"), Some("fcm"));
        }
    }

    #[test]
    fn a_record_without_a_value_is_a_tombstone() {
        let batches = read(r#"{"headers":{"source":"fcm"},"value":null}"#, FileShape::Records);
        assert!(batches.unwrap()[0].records[0].tombstone);
    }
}

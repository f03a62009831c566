//! Rows of the tables about dead letters: what could not be read, the records of that, and which
//! letters were replayed.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, FixedSizeBinaryBuilder, Int32Builder, Int64Builder, StringBuilder,
    StringDictionaryBuilder, TimestampMicrosecondBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use model::dead_letter::{DeadLetter, DeadRecord};
use model::schema;

use super::inputs::Inputs;

fn position(inputs: &Inputs, input: u32) -> (&str, i32) {
    inputs
        .states
        .get(input as usize)
        .map_or(("", 0), |state| (state.input.topic.as_ref(), state.input.partition))
}

/// Rows of `dead_letters`.
pub(super) fn letters(
    dead: &[DeadLetter],
    inputs: &Inputs,
    epoch: u64,
) -> Result<RecordBatch, ArrowError> {
    let mut source = StringDictionaryBuilder::<Int32Type>::new();
    let mut topic = StringDictionaryBuilder::<Int32Type>::new();
    let mut partition = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut element = UInt32Builder::new();
    let mut reason = StringDictionaryBuilder::<Int32Type>::new();
    let mut detail = StringBuilder::new();
    let mut sha256 = FixedSizeBinaryBuilder::new(32);
    let mut ingest_time = TimestampMicrosecondBuilder::new();
    let mut epochs = UInt64Builder::new();
    for letter in dead {
        let (name, number) = position(inputs, letter.input);
        source.append_value(letter.source.map_or("unknown", model::vocabulary::Source::as_str));
        topic.append_value(name);
        partition.append_value(number);
        offset.append_value(letter.offset);
        element.append_value(letter.element);
        reason.append_value(letter.reason.as_str());
        detail.append_value(&letter.detail);
        sha256.append_value(letter.payload_sha256)?;
        ingest_time.append_option(letter.ingest_time_us);
        epochs.append_value(epoch);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(source.finish()),
        Arc::new(topic.finish()),
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(element.finish()),
        Arc::new(reason.finish()),
        Arc::new(detail.finish()),
        Arc::new(sha256.finish()),
        Arc::new(ingest_time.finish().with_timezone("UTC")),
        Arc::new(epochs.finish()),
    ];
    RecordBatch::try_new(schema::DEAD_LETTERS.arrow(), columns)
}

/// Rows of `dead_records`.
pub(super) fn records(
    dead: &[DeadRecord],
    inputs: &Inputs,
    epoch: u64,
    now_us: i64,
) -> Result<RecordBatch, ArrowError> {
    let mut topic = StringDictionaryBuilder::<Int32Type>::new();
    let mut partition = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut elements = UInt32Builder::new();
    let mut key_id = StringDictionaryBuilder::<Int32Type>::new();
    let mut bytes = UInt32Builder::new();
    let mut sealed = BinaryBuilder::new();
    let mut time = TimestampMicrosecondBuilder::new();
    let mut epochs = UInt64Builder::new();
    for record in dead {
        let (name, number) = position(inputs, record.input);
        topic.append_value(name);
        partition.append_value(number);
        offset.append_value(record.offset);
        elements.append_value(record.elements);
        let text = record.sealed.as_ref();
        key_id.append_option(text.map(|text| text.key_id.to_string()));
        bytes.append_option(text.and_then(|text| u32::try_from(text.bytes.len()).ok()));
        sealed.append_option(text.map(|text| &text.bytes));
        time.append_value(record.ingest_time_us.unwrap_or(now_us));
        epochs.append_value(epoch);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(topic.finish()),
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(elements.finish()),
        Arc::new(key_id.finish()),
        Arc::new(bytes.finish()),
        Arc::new(sealed.finish()),
        Arc::new(time.finish().with_timezone("UTC")),
        Arc::new(epochs.finish()),
    ];
    RecordBatch::try_new(schema::DEAD_RECORDS.arrow(), columns)
}

/// A dead letter that was replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) element: u32,
    /// Offset in the input `dead:<topic>`.
    pub(crate) replay_offset: i64,
    /// As in `dead_records`.
    pub(crate) time_us: i64,
}

/// Rows of `dead_replays`.
pub(crate) fn replays(replayed: &[Replayed], epoch: u64) -> Result<RecordBatch, ArrowError> {
    let mut topic = StringDictionaryBuilder::<Int32Type>::new();
    let mut partition = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut element = UInt32Builder::new();
    let mut replay_offset = Int64Builder::new();
    let mut time = TimestampMicrosecondBuilder::new();
    for letter in replayed {
        topic.append_value(&letter.topic);
        partition.append_value(letter.partition);
        offset.append_value(letter.offset);
        element.append_value(letter.element);
        replay_offset.append_value(letter.replay_offset);
        time.append_value(letter.time_us);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(topic.finish()),
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(element.finish()),
        Arc::new(replay_offset.finish()),
        Arc::new(time.finish().with_timezone("UTC")),
        Arc::new(arrow_array::UInt64Array::from(vec![epoch; replayed.len()])),
    ];
    RecordBatch::try_new(schema::DEAD_REPLAYS.arrow(), columns)
}

//! The canonical delivery event, as a borrowed row and as a growing columnar batch.
//!
//! An adapter fills one [`EventRow`] (borrowing from the payload) and pushes it; the builder keeps
//! one growing buffer a column, so a batch costs allocations, an event none.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, PrimitiveBuilder, StringBuilder,
    StringDictionaryBuilder,
};
use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType, UInt16Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, DictionaryArray, Int32Array, Int64Array, PrimitiveArray,
    RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_schema::ArrowError;

use crate::keys::Id16;
use crate::money::Nanos;
use crate::record::Input;
use crate::schema;
use crate::vocabulary::{
    Channel, Disposition, ErrorClass, PriceUnit, ReceiptClass, Security, Source, Status,
    TimeSource, TrafficClass,
};

/// One canonical event. Text borrows from the payload or from the adapter's scratch.
#[derive(Debug, Clone)]
pub struct EventRow<'a> {
    /// See `schemas/events.toml` for the meaning of every field.
    pub event_id: Id16,
    /// Vendor.
    pub source: Source,
    /// Vendor account.
    pub account: Option<&'a str>,
    /// Message id.
    pub message_id: &'a str,
    /// Keyed hash that identifies the message.
    pub message_key: Id16,
    /// Sender's own reference.
    pub logical_id: Option<&'a str>,
    /// Channel.
    pub channel: Channel,
    /// Status.
    pub status: Status,
    /// Delivery outcome is settled.
    pub is_final: bool,
    /// What a receipt can prove.
    pub receipt_class: ReceiptClass,
    /// Vendor's word.
    pub vendor_status: Option<&'a str>,
    /// Vendor's error code.
    pub error_code: Option<&'a str>,
    /// Class of the error.
    pub error_class: ErrorClass,
    /// Event time, microseconds.
    pub event_time_us: Option<i64>,
    /// Submit time, microseconds.
    pub submit_time_us: Option<i64>,
    /// Ingest time, microseconds.
    pub ingest_time_us: Option<i64>,
    /// Whose clock the event time follows.
    pub event_time_source: Option<TimeSource>,
    /// Keyed hash of the recipient.
    pub recipient_token: Option<Id16>,
    /// Key of that hash.
    pub token_key_id: Option<u16>,
    /// Number without its last four digits.
    pub recipient_prefix: Option<&'a str>,
    /// ISO country.
    pub country: Option<&'a str>,
    /// Mobile country code.
    pub mcc: Option<&'a str>,
    /// Mobile network code.
    pub mnc: Option<&'a str>,
    /// Carrier.
    pub carrier: Option<&'a str>,
    /// Sender.
    pub sender: Option<&'a str>,
    /// Traffic class.
    pub traffic_class: TrafficClass,
    /// Campaign.
    pub campaign: Option<&'a str>,
    /// Billable parts.
    pub segments: Option<u16>,
    /// Protection.
    pub security: Security,
    /// Price, positive.
    pub price: Option<Nanos>,
    /// What the price is for.
    pub price_unit: PriceUnit,
    /// Currency.
    pub currency: Option<&'a str>,
    /// Hash of the record.
    pub payload_sha256: &'a [u8; 32],
    /// Signature check.
    pub verified: Option<bool>,
    /// Why.
    pub verified_reason: Option<&'a str>,
    /// Input the record came from.
    pub input: u32,
    /// Offset of the record.
    pub offset: i64,
    /// Leaf element.
    pub element: u32,
}

/// Takes a column's values and leaves room for as many: the next batch is like this one, and
/// growing by doubling would copy every value once more.
pub(crate) fn take_reserved<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

/// A column of plain values in the form of its array, so that finishing copies none.
#[derive(Debug)]
pub(crate) struct Plain<T: ArrowPrimitiveType>(PrimitiveBuilder<T>);

impl<T: ArrowPrimitiveType> Default for Plain<T> {
    fn default() -> Self {
        Self(PrimitiveBuilder::with_capacity(0))
    }
}

impl<T: ArrowPrimitiveType> Plain<T> {
    #[inline]
    pub(crate) fn push(&mut self, value: Option<T::Native>) {
        self.0.append_option(value);
    }

    /// The values; leaves room for as many, as [`take_reserved`].
    pub(crate) fn finish(&mut self) -> PrimitiveArray<T> {
        let room = PrimitiveBuilder::with_capacity(self.0.values_slice().len());
        std::mem::replace(&mut self.0, room).finish()
    }
}

impl Plain<TimestampMicrosecondType> {
    pub(crate) fn finish_utc(&mut self) -> ArrayRef {
        Arc::new(self.finish().with_timezone("UTC"))
    }
}

impl Plain<Decimal128Type> {
    /// Amounts of so many digits, nine of them decimals.
    pub(crate) fn finish_nanos(&mut self, digits: u8) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.finish().with_precision_and_scale(digits, 9)?))
    }
}

/// A dictionary column whose words are a closed list: pushes an index, hashes nothing.
#[derive(Debug)]
pub(crate) struct Words {
    keys: Plain<Int32Type>,
    words: ArrayRef,
}

impl Words {
    pub(crate) fn new(words: &'static [&'static str]) -> Self {
        Self { keys: Plain::default(), words: Arc::new(StringArray::from(words.to_vec())) }
    }

    #[inline]
    pub(crate) fn push(&mut self, index: Option<u8>) {
        self.keys.push(index.map(i32::from));
    }

    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(DictionaryArray::try_new(self.keys.finish(), Arc::clone(&self.words))?))
    }
}

/// A dictionary column of free text. Of most columns a text is often the one of the row before: its
/// key is kept, and neither hashed nor looked up.
#[derive(Default)]
pub(crate) struct Texts {
    keys: Plain<Int32Type>,
    words: StringDictionaryBuilder<Int32Type>,
    last: String,
    last_key: Option<i32>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Texts")
    }
}

impl Texts {
    pub(crate) fn push(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.keys.push(None) };
        if self.last_key.is_none() || self.last != text {
            // Only the key: the rows are kept here. It cannot overflow, as a batch has fewer rows.
            self.last_key = self.words.append_n(text, 0).ok();
            text.clone_into(&mut self.last);
        }
        self.keys.push(self.last_key);
    }

    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.last_key = None;
        let words = Arc::clone(self.words.finish().values());
        Ok(Arc::new(DictionaryArray::try_new(self.keys.finish(), words)?))
    }
}

/// Growing columns of canonical events.
#[derive(Debug)]
pub struct EventBatchBuilder {
    rows: usize,
    event_id: FixedSizeBinaryBuilder,
    source: Words,
    account: Texts,
    message_id: StringBuilder,
    message_key: FixedSizeBinaryBuilder,
    logical_id: StringBuilder,
    channel: Words,
    status: Words,
    is_final: BooleanBuilder,
    receipt_class: Words,
    vendor_status: StringBuilder,
    error_code: StringBuilder,
    error_class: Words,
    event_time: Plain<TimestampMicrosecondType>,
    submit_time: Plain<TimestampMicrosecondType>,
    ingest_time: Plain<TimestampMicrosecondType>,
    event_time_source: Words,
    recipient_token: FixedSizeBinaryBuilder,
    token_key_id: Plain<UInt16Type>,
    recipient_prefix: StringBuilder,
    country: Texts,
    mcc: StringBuilder,
    mnc: StringBuilder,
    carrier: Texts,
    sender: Texts,
    traffic_class: Words,
    campaign: Texts,
    segments: Plain<UInt16Type>,
    security: Words,
    price: Plain<Decimal128Type>,
    price_unit: Words,
    currency: StringBuilder,
    payload_sha256: FixedSizeBinaryBuilder,
    verified: BooleanBuilder,
    verified_reason: Texts,
    input: Vec<u32>,
    offset: Vec<i64>,
    element: Vec<u32>,
}

impl Default for EventBatchBuilder {
    fn default() -> Self {
        Self {
            rows: 0,
            event_id: FixedSizeBinaryBuilder::new(16),
            source: Words::new(Source::WORDS),
            account: Texts::default(),
            message_id: StringBuilder::new(),
            message_key: FixedSizeBinaryBuilder::new(16),
            logical_id: StringBuilder::new(),
            channel: Words::new(Channel::WORDS),
            status: Words::new(Status::WORDS),
            is_final: BooleanBuilder::new(),
            receipt_class: Words::new(ReceiptClass::WORDS),
            vendor_status: StringBuilder::new(),
            error_code: StringBuilder::new(),
            error_class: Words::new(ErrorClass::WORDS),
            event_time: Plain::default(),
            submit_time: Plain::default(),
            ingest_time: Plain::default(),
            event_time_source: Words::new(TimeSource::WORDS),
            recipient_token: FixedSizeBinaryBuilder::new(16),
            token_key_id: Plain::default(),
            recipient_prefix: StringBuilder::new(),
            country: Texts::default(),
            mcc: StringBuilder::new(),
            mnc: StringBuilder::new(),
            carrier: Texts::default(),
            sender: Texts::default(),
            traffic_class: Words::new(TrafficClass::WORDS),
            campaign: Texts::default(),
            segments: Plain::default(),
            security: Words::new(Security::WORDS),
            price: Plain::default(),
            price_unit: Words::new(PriceUnit::WORDS),
            currency: StringBuilder::new(),
            payload_sha256: FixedSizeBinaryBuilder::new(32),
            verified: BooleanBuilder::new(),
            verified_reason: Texts::default(),
            input: Vec::new(),
            offset: Vec::new(),
            element: Vec::new(),
        }
    }
}

/// Appends a 16-byte id or null; both builders have width 16, so this cannot fail.
pub(crate) fn append_id(builder: &mut FixedSizeBinaryBuilder, id: Option<Id16>) {
    match id {
        Some(id) => drop(builder.append_value(id.0)),
        None => builder.append_null(),
    }
}

impl EventBatchBuilder {
    /// Rows pushed since the last [`Self::finish`].
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Appends a row.
    pub fn push(&mut self, row: &EventRow<'_>) {
        self.rows += 1;
        self.push_identity(row);
        self.push_status(row);
        self.push_recipient(row);
        self.push_money(row);
        drop(self.payload_sha256.append_value(row.payload_sha256));
        self.verified.append_option(row.verified);
        self.verified_reason.push(row.verified_reason);
        self.input.push(row.input);
        self.offset.push(row.offset);
        self.element.push(row.element);
    }

    fn push_identity(&mut self, row: &EventRow<'_>) {
        append_id(&mut self.event_id, Some(row.event_id));
        self.source.push(Some(row.source.index()));
        self.account.push(row.account);
        self.message_id.append_value(row.message_id);
        append_id(&mut self.message_key, Some(row.message_key));
        self.logical_id.append_option(row.logical_id);
        self.channel.push(Some(row.channel.index()));
    }

    fn push_status(&mut self, row: &EventRow<'_>) {
        self.status.push(Some(row.status.index()));
        self.is_final.append_value(row.is_final);
        self.receipt_class.push(Some(row.receipt_class.index()));
        self.vendor_status.append_option(row.vendor_status);
        self.error_code.append_option(row.error_code);
        self.error_class.push(Some(row.error_class.index()));
        self.event_time.push(row.event_time_us);
        self.submit_time.push(row.submit_time_us);
        self.ingest_time.push(row.ingest_time_us);
        self.event_time_source.push(row.event_time_source.map(TimeSource::index));
    }

    fn push_recipient(&mut self, row: &EventRow<'_>) {
        append_id(&mut self.recipient_token, row.recipient_token);
        self.token_key_id.push(row.token_key_id);
        self.recipient_prefix.append_option(row.recipient_prefix);
        self.country.push(row.country);
        self.mcc.append_option(row.mcc);
        self.mnc.append_option(row.mnc);
        self.carrier.push(row.carrier);
        self.sender.push(row.sender);
        self.traffic_class.push(Some(row.traffic_class.index()));
        self.campaign.push(row.campaign);
    }

    fn push_money(&mut self, row: &EventRow<'_>) {
        self.segments.push(row.segments);
        self.security.push(Some(row.security.index()));
        self.price.push(row.price.map(|price| price.0));
        self.price_unit.push(Some(row.price_unit.index()));
        self.currency.append_option(row.currency);
    }

    /// The rows as a batch of the `events` table without its stored-only columns: those are added
    /// by [`with_stored_columns`]. Leaves the builder empty.
    ///
    /// # Errors
    /// Where a column has another length than the rest: a mistake in this file.
    pub fn finish(&mut self, inputs: &[Input]) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let (topic, partition) = positions(inputs, &take_reserved(&mut self.input))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            self.source.finish()?,
            self.account.finish()?,
            Arc::new(self.message_id.finish()),
            Arc::new(self.message_key.finish()),
            Arc::new(self.logical_id.finish()),
            self.channel.finish()?,
            self.status.finish()?,
            Arc::new(self.is_final.finish()),
            self.receipt_class.finish()?,
            Arc::new(self.vendor_status.finish()),
            Arc::new(self.error_code.finish()),
            self.error_class.finish()?,
            self.event_time.finish_utc(),
            self.submit_time.finish_utc(),
            self.ingest_time.finish_utc(),
            self.event_time_source.finish()?,
            Arc::new(self.recipient_token.finish()),
            Arc::new(self.token_key_id.finish()),
            Arc::new(self.recipient_prefix.finish()),
            self.country.finish()?,
            Arc::new(self.mcc.finish()),
            Arc::new(self.mnc.finish()),
            self.carrier.finish()?,
            self.sender.finish()?,
            self.traffic_class.finish()?,
            self.campaign.finish()?,
            Arc::new(self.segments.finish()),
            self.security.finish()?,
            self.price.finish_nanos(18)?,
            self.price_unit.finish()?,
            Arc::new(self.currency.finish()),
            Arc::new(self.payload_sha256.finish()),
            Arc::new(self.verified.finish()),
            self.verified_reason.finish()?,
            topic,
            partition,
            Arc::new(Int64Array::from(take_reserved(&mut self.offset))),
            Arc::new(UInt32Array::from(take_reserved(&mut self.element))),
        ];
        RecordBatch::try_new(Arc::clone(&CANONICAL_SCHEMA), columns)
    }
}

/// Topic and partition columns of rows that name their input.
pub(crate) fn positions(
    inputs: &[Input],
    rows: &[u32],
) -> Result<(ArrayRef, ArrayRef), ArrowError> {
    let topics: StringArray = inputs.iter().map(|input| Some(input.topic.as_ref())).collect();
    let column = || PrimitiveBuilder::<Int32Type>::with_capacity(rows.len());
    let (mut keys, mut partitions) = (column(), column());
    for input in rows {
        keys.append_option(i32::try_from(*input).ok());
        partitions.append_option(inputs.get(*input as usize).map(|input| input.partition));
    }
    let topic = DictionaryArray::try_new(keys.finish(), Arc::new(topics))?;
    Ok((Arc::new(topic), Arc::new(partitions.finish())))
}

/// Schema of what `normalize` gives: the `events` table without its stored-only columns.
pub static CANONICAL_SCHEMA: LazyLock<arrow_schema::SchemaRef> =
    LazyLock::new(|| schema_without_stored(&schema::EVENTS));

/// A table's columns but for those that are added when a row is stored.
pub(crate) fn schema_without_stored(table: &schema::Table) -> arrow_schema::SchemaRef {
    let kept = table.columns.iter().filter(|column| !column.stored_only);
    let field = |column: &schema::Column| {
        arrow_schema::Field::new(&column.name, column.kind.arrow(), column.nullable)
    };
    Arc::new(arrow_schema::Schema::new(kept.map(field).collect::<Vec<_>>()))
}

/// Adds `disposition` and `epoch` to a canonical batch.
///
/// # Errors
/// Where there are not as many dispositions as rows.
pub fn with_stored_columns(
    batch: &RecordBatch,
    dispositions: &[Disposition],
    epoch: u64,
) -> Result<RecordBatch, ArrowError> {
    let key = |disposition: &Disposition| Some(i32::from(disposition.index()));
    let keys: Int32Array = dispositions.iter().map(key).collect();
    let words = StringArray::from(Disposition::WORDS.to_vec());
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(DictionaryArray::try_new(keys, Arc::new(words))?));
    columns.push(Arc::new(UInt64Array::from(vec![epoch; batch.num_rows()])));
    RecordBatch::try_new(schema::EVENTS.arrow(), columns)
}

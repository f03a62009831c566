//! The canonical delivery event, as a borrowed row and as a growing columnar batch.
//!
//! An adapter fills one [`EventRow`] (borrowing from the payload) and pushes it; the builder keeps
//! one growing buffer a column, so a batch costs allocations, an event none.

use std::sync::{Arc, LazyLock};

use arrow_array::types::{Int32Type, Int64Type, UInt16Type, UInt32Type};
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::ArrowError;

use crate::column::{Column, Hashes, Strings, Texts, Words};
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

/// Growing columns of canonical events.
#[derive(Debug)]
pub struct EventBatchBuilder {
    rows: usize,
    event_id: Hashes<16>,
    source: Words,
    account: Texts,
    message_id: Strings,
    message_key: Hashes<16>,
    logical_id: Strings,
    channel: Words,
    status: Words,
    is_final: Column<bool>,
    receipt_class: Words,
    vendor_status: Strings,
    error_code: Strings,
    error_class: Words,
    event_time: Column<i64>,
    submit_time: Column<i64>,
    ingest_time: Column<i64>,
    event_time_source: Words,
    recipient_token: Hashes<16>,
    token_key_id: Column<u16>,
    recipient_prefix: Strings,
    country: Texts,
    mcc: Strings,
    mnc: Strings,
    carrier: Texts,
    sender: Texts,
    traffic_class: Words,
    campaign: Texts,
    segments: Column<u16>,
    security: Words,
    price: Column<i128>,
    price_unit: Words,
    currency: Strings,
    payload_sha256: Hashes<32>,
    verified: Column<bool>,
    verified_reason: Texts,
    input: Column<i32>,
    offset: Column<i64>,
    element: Column<u32>,
}

impl Default for EventBatchBuilder {
    fn default() -> Self {
        Self {
            rows: 0,
            event_id: Hashes::default(),
            source: Words::new(Source::WORDS),
            account: Texts::default(),
            message_id: Strings::default(),
            message_key: Hashes::default(),
            logical_id: Strings::default(),
            channel: Words::new(Channel::WORDS),
            status: Words::new(Status::WORDS),
            is_final: Column::default(),
            receipt_class: Words::new(ReceiptClass::WORDS),
            vendor_status: Strings::default(),
            error_code: Strings::default(),
            error_class: Words::new(ErrorClass::WORDS),
            event_time: Column::default(),
            submit_time: Column::default(),
            ingest_time: Column::default(),
            event_time_source: Words::new(TimeSource::WORDS),
            recipient_token: Hashes::default(),
            token_key_id: Column::default(),
            recipient_prefix: Strings::default(),
            country: Texts::default(),
            mcc: Strings::default(),
            mnc: Strings::default(),
            carrier: Texts::default(),
            sender: Texts::default(),
            traffic_class: Words::new(TrafficClass::WORDS),
            campaign: Texts::default(),
            segments: Column::default(),
            security: Words::new(Security::WORDS),
            price: Column::default(),
            price_unit: Words::new(PriceUnit::WORDS),
            currency: Strings::default(),
            payload_sha256: Hashes::default(),
            verified: Column::default(),
            verified_reason: Texts::default(),
            input: Column::default(),
            offset: Column::default(),
            element: Column::default(),
        }
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
        self.payload_sha256.push(row.payload_sha256);
        self.verified.push(row.verified);
        self.verified_reason.push(row.verified_reason);
        self.input.push(i32::try_from(row.input).ok());
        self.offset.push_value(row.offset);
        self.element.push_value(row.element);
    }

    fn push_identity(&mut self, row: &EventRow<'_>) {
        self.event_id.push_id(Some(row.event_id));
        self.source.push(Some(row.source.index()));
        self.account.push(row.account);
        self.message_id.push_value(row.message_id);
        self.message_key.push_id(Some(row.message_key));
        self.logical_id.push(row.logical_id);
        self.channel.push(Some(row.channel.index()));
    }

    fn push_status(&mut self, row: &EventRow<'_>) {
        self.status.push(Some(row.status.index()));
        self.is_final.push_value(row.is_final);
        self.receipt_class.push(Some(row.receipt_class.index()));
        self.vendor_status.push(row.vendor_status);
        self.error_code.push(row.error_code);
        self.error_class.push(Some(row.error_class.index()));
        self.event_time.push(row.event_time_us);
        self.submit_time.push(row.submit_time_us);
        self.ingest_time.push(row.ingest_time_us);
        self.event_time_source.push(row.event_time_source.map(TimeSource::index));
    }

    fn push_recipient(&mut self, row: &EventRow<'_>) {
        self.recipient_token.push_id(row.recipient_token);
        self.token_key_id.push(row.token_key_id);
        self.recipient_prefix.push(row.recipient_prefix);
        self.country.push(row.country);
        self.mcc.push(row.mcc);
        self.mnc.push(row.mnc);
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
        self.currency.push(row.currency);
    }

    /// The rows as a batch of the `events` table without its stored-only columns: those are added
    /// by [`with_stored_columns`]. Leaves the builder empty.
    ///
    /// # Errors
    /// Where a column has another length than the rest: a mistake in this file.
    pub fn finish(&mut self, inputs: &[Input]) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let (topic, partition) = positions(inputs, &mut self.input)?;
        let columns: Vec<ArrayRef> = vec![
            self.event_id.finish()?,
            self.source.finish()?,
            self.account.finish()?,
            self.message_id.finish(),
            self.message_key.finish()?,
            self.logical_id.finish(),
            self.channel.finish()?,
            self.status.finish()?,
            self.is_final.finish_flags(),
            self.receipt_class.finish()?,
            self.vendor_status.finish(),
            self.error_code.finish(),
            self.error_class.finish()?,
            self.event_time.finish_times()?,
            self.submit_time.finish_times()?,
            self.ingest_time.finish_times()?,
            self.event_time_source.finish()?,
            self.recipient_token.finish()?,
            Arc::new(self.token_key_id.finish::<UInt16Type>()?),
            self.recipient_prefix.finish(),
            self.country.finish()?,
            self.mcc.finish(),
            self.mnc.finish(),
            self.carrier.finish()?,
            self.sender.finish()?,
            self.traffic_class.finish()?,
            self.campaign.finish()?,
            Arc::new(self.segments.finish::<UInt16Type>()?),
            self.security.finish()?,
            self.price.finish_nanos(18)?,
            self.price_unit.finish()?,
            self.currency.finish(),
            self.payload_sha256.finish()?,
            self.verified.finish_flags(),
            self.verified_reason.finish()?,
            topic,
            partition,
            Arc::new(self.offset.finish::<Int64Type>()?),
            Arc::new(self.element.finish::<UInt32Type>()?),
        ];
        RecordBatch::try_new(Arc::clone(&CANONICAL_SCHEMA), columns)
    }
}

/// Topic and partition columns of rows that name their input.
pub(crate) fn positions(
    inputs: &[Input],
    rows: &mut Column<i32>,
) -> Result<(ArrayRef, ArrayRef), ArrowError> {
    let topics: StringArray = inputs.iter().map(|input| Some(input.topic.as_ref())).collect();
    let rows = rows.finish::<Int32Type>()?;
    let mut partitions = Column::default();
    for row in rows.values() {
        let input = usize::try_from(*row).ok().and_then(|row| inputs.get(row));
        partitions.push(input.map(|input| input.partition));
    }
    let topic = DictionaryArray::try_new(rows, Arc::new(topics))?;
    Ok((Arc::new(topic), Arc::new(partitions.finish::<Int32Type>()?)))
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

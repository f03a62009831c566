//! A line of a bill as a borrowed row and as a growing columnar batch, beside the events.
//!
//! `charge_lines` holds what vendors said, `charges` what stands of it: see `schemas/charges.toml`.

use std::sync::{Arc, LazyLock};

use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow_schema::ArrowError;

use crate::column::{Column, Hashes, Strings, Texts, Words};
use crate::event::{positions, schema_without_stored};
use crate::keys::Id16;
use crate::record::Input;
use crate::schema;
use crate::sip::Sip;
use crate::vocabulary::{
    Basis, Channel, ChargeKind, Disposition, Grain, Source, TimeSource, TrafficClass,
};

/// One line. Text borrows from the payload or from the adapter's scratch. See
/// `schemas/charge_lines.toml` for the meaning of every field.
#[derive(Debug, Clone)]
pub struct ChargeLine<'a> {
    /// What the line says.
    pub line_id: Id16,
    /// Row of `charges`.
    pub charge_id: Id16,
    /// What it is about.
    pub grain: Grain,
    /// Vendor.
    pub source: Source,
    /// Vendor account.
    pub account: Option<&'a str>,
    /// Message, where it is of one.
    pub message_key: Option<Id16>,
    /// Its id.
    pub message_id: Option<&'a str>,
    /// Kind.
    pub kind: ChargeKind,
    /// Basis.
    pub basis: Basis,
    /// Units, nano.
    pub quantity: Option<i128>,
    /// Unit.
    pub unit: Option<&'a str>,
    /// Price of a unit, nano.
    pub unit_price: Option<i128>,
    /// Cost, nano.
    pub amount: Option<i128>,
    /// Currency.
    pub currency: Option<&'a str>,
    /// As of when, microseconds.
    pub event_time_us: Option<i64>,
    /// Whose clock that is.
    pub event_time_source: Option<TimeSource>,
    /// Ingest time, microseconds.
    pub ingest_time_us: Option<i64>,
    /// The figure is final.
    pub is_final: bool,
    /// Period, its end exclusive.
    pub period_us: [Option<i64>; 2],
    /// Invoice.
    pub invoice_id: Option<&'a str>,
    /// Price list entry.
    pub sku: Option<&'a str>,
    /// Channel.
    pub channel: Channel,
    /// ISO country.
    pub country: Option<&'a str>,
    /// Carrier.
    pub carrier: Option<&'a str>,
    /// Traffic class.
    pub traffic_class: TrafficClass,
    /// Hash of the record.
    pub payload_sha256: &'a [u8; 32],
    /// Input the record came from.
    pub input: u32,
    /// Offset of the record.
    pub offset: i64,
    /// Leaf element.
    pub element: u32,
}

/// Id of the row of `charges` for a message and kind: the hash of key, kind and `vendor` with a key
/// of zeros. Not secret: the message key in it already is a keyed hash.
#[must_use]
pub fn charge_id(message_key: Id16, kind: ChargeKind) -> Id16 {
    let key = u128::from_le_bytes(message_key.0);
    let tail = &TAILS[usize::from(kind.index())];
    #[expect(clippy::cast_possible_truncation, reason = "each takes its bits")]
    let head = [
        16 | (key << 32) as u64,
        (key >> 32) as u64,
        (key >> 96) as u64 | (kind.as_str().len() as u64) << 32,
    ];
    let words = tail.words.iter().take(tail.n_words);
    Id16(Sip::of_words((0, 0), head.into_iter().chain(words.copied())))
}

/// What a charge's id hashes behind the message key, in words: the kind, `vendor` behind its
/// length, and how many bytes all are. Made before, as many events have a charge beside them.
struct Tail {
    words: [u64; 4],
    n_words: usize,
}

const TAILS: [Tail; ChargeKind::ALL.len()] = {
    let mut tails = [const { Tail { words: [0; 4], n_words: 0 } }; ChargeKind::ALL.len()];
    let mut at = 0;
    while at < tails.len() {
        tails[at] = tail(ChargeKind::ALL[at].as_str().as_bytes());
        at += 1;
    }
    tails
};

const fn tail(kind: &[u8]) -> Tail {
    // What a vendor says of a message is one row, whatever its basis.
    let vendor = *b"\x06\0\0\0vendor";
    let (mut words, mut at) = ([0; 4], 0);
    let length = kind.len() + vendor.len();
    while at < length {
        let byte = if at < kind.len() { kind[at] } else { vendor[at - kind.len()] };
        words[at / 8] |= (byte as u64) << (8 * (at % 8));
        at += 1;
    }
    words[length / 8] |= (24 + length as u64) << 56;
    Tail { words, n_words: length / 8 + 1 }
}

/// Growing columns of lines. Of some vendors each event has one.
#[derive(Debug)]
pub struct ChargeBatchBuilder {
    /// line, charge, message.
    ids: [Hashes<16>; 3],
    grain: Words,
    source: Words,
    account: Texts,
    message_id: Strings,
    kind: Words,
    basis: Words,
    /// quantity, unit price, amount.
    numbers: [Column<i128>; 3],
    unit: Texts,
    currency: Texts,
    /// event, ingest, start and end of the period.
    times: [Column<i64>; 4],
    event_time_source: Words,
    is_final: Column<bool>,
    /// invoice, sku.
    texts: [Strings; 2],
    channel: Words,
    country: Texts,
    carrier: Texts,
    traffic_class: Words,
    payload_sha256: Hashes<32>,
    input: Column<i32>,
    offset: Column<i64>,
    element: Column<u32>,
}

impl Default for ChargeBatchBuilder {
    fn default() -> Self {
        Self {
            ids: Default::default(),
            grain: Words::new(Grain::WORDS),
            source: Words::new(Source::WORDS),
            account: Texts::default(),
            message_id: Strings::default(),
            kind: Words::new(ChargeKind::WORDS),
            basis: Words::new(Basis::WORDS),
            numbers: Default::default(),
            unit: Texts::default(),
            currency: Texts::default(),
            times: Default::default(),
            event_time_source: Words::new(TimeSource::WORDS),
            is_final: Column::default(),
            texts: Default::default(),
            channel: Words::new(Channel::WORDS),
            country: Texts::default(),
            carrier: Texts::default(),
            traffic_class: Words::new(TrafficClass::WORDS),
            payload_sha256: Hashes::default(),
            input: Column::default(),
            offset: Column::default(),
            element: Column::default(),
        }
    }
}

impl ChargeBatchBuilder {
    /// Appends a line.
    pub fn push(&mut self, line: &ChargeLine<'_>) {
        let [id, charge, message] = &mut self.ids;
        id.push_id(Some(line.line_id));
        charge.push_id(Some(line.charge_id));
        message.push_id(line.message_key);
        self.grain.push(Some(line.grain.index()));
        self.source.push(Some(line.source.index()));
        self.account.push(line.account);
        self.message_id.push(line.message_id);
        self.kind.push(Some(line.kind.index()));
        self.basis.push(Some(line.basis.index()));
        let numbers = [line.quantity, line.unit_price, line.amount];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
        self.unit.push(line.unit);
        self.currency.push(line.currency);
        let [start, end] = line.period_us;
        let times = [line.event_time_us, line.ingest_time_us, start, end];
        self.times.iter_mut().zip(times).for_each(|(column, time)| column.push(time));
        self.event_time_source.push(line.event_time_source.map(TimeSource::index));
        self.is_final.push_value(line.is_final);
        self.texts[0].push(line.invoice_id);
        self.texts[1].push(line.sku);
        self.channel.push(Some(line.channel.index()));
        self.country.push(line.country);
        self.carrier.push(line.carrier);
        self.traffic_class.push(Some(line.traffic_class.index()));
        self.payload_sha256.push(line.payload_sha256);
        self.input.push(i32::try_from(line.input).ok());
        self.offset.push_value(line.offset);
        self.element.push_value(line.element);
    }

    /// The lines as a batch of the `charge_lines` table without its stored-only columns: those are
    /// added by [`with_stored_columns`]. Leaves the builder empty.
    ///
    /// # Errors
    /// Where a column has another length than the rest: a mistake in this file.
    pub fn finish(&mut self, inputs: &[Input]) -> Result<RecordBatch, ArrowError> {
        let (topic, partition) = positions(inputs, &mut self.input)?;
        let [line, charge, message] = &mut self.ids;
        let [quantity, unit_price, amount] = &mut self.numbers;
        let [event, ingest, start, end] = &mut self.times;
        let [invoice, sku] = &mut self.texts;
        let columns: Vec<ArrayRef> = vec![
            line.finish()?,
            charge.finish()?,
            self.grain.finish()?,
            self.source.finish()?,
            self.account.finish()?,
            message.finish()?,
            self.message_id.finish(),
            self.kind.finish()?,
            self.basis.finish()?,
            quantity.finish_nanos(38)?,
            self.unit.finish()?,
            unit_price.finish_nanos(18)?,
            amount.finish_nanos(38)?,
            self.currency.finish()?,
            event.finish_times()?,
            self.event_time_source.finish()?,
            ingest.finish_times()?,
            self.is_final.finish_flags(),
            start.finish_times()?,
            end.finish_times()?,
            invoice.finish(),
            sku.finish(),
            self.channel.finish()?,
            self.country.finish()?,
            self.carrier.finish()?,
            self.traffic_class.finish()?,
            self.payload_sha256.finish()?,
            topic,
            partition,
            Arc::new(self.offset.finish::<Int64Type>()?),
            Arc::new(self.element.finish::<UInt32Type>()?),
        ];
        RecordBatch::try_new(Arc::clone(&LINE_SCHEMA), columns)
    }
}

/// Schema of what `normalize` gives: `charge_lines` without its stored-only columns.
pub static LINE_SCHEMA: LazyLock<arrow_schema::SchemaRef> =
    LazyLock::new(|| schema_without_stored(&schema::CHARGE_LINES));

/// Adds `disposition`, `epoch` and `committed_at`; the last is stamped when the epoch closes.
///
/// # Errors
/// Where there are not as many dispositions as lines.
pub fn with_stored_columns(
    batch: &RecordBatch,
    dispositions: &[Disposition],
    (epoch, committed_at_us): (u64, i64),
) -> Result<RecordBatch, ArrowError> {
    let key = |disposition: &Disposition| Some(i32::from(disposition.index()));
    let keys: Int32Array = dispositions.iter().map(key).collect();
    let words = StringArray::from(Disposition::WORDS.to_vec());
    let rows = batch.num_rows();
    let committed_at = TimestampMicrosecondArray::from(vec![committed_at_us; rows]);
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(DictionaryArray::try_new(keys, Arc::new(words))?));
    columns.push(Arc::new(UInt64Array::from(vec![epoch; rows])));
    columns.push(Arc::new(committed_at.with_timezone("UTC")));
    RecordBatch::try_new(schema::CHARGE_LINES.arrow(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::HashKey;

    #[test]
    fn a_charges_id_is_the_hash_of_its_message_and_kind() {
        let key = Id16(*b"0123456789abcdef");
        for kind in ChargeKind::ALL {
            let parts = [&key.0, kind.as_str().as_bytes(), b"vendor".as_slice()];
            assert_eq!(charge_id(key, *kind), HashKey::new([0; 16]).hash(&parts), "{kind}");
        }
    }
}

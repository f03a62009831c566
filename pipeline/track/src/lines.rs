//! The columns of a batch of bills' lines on which `track` decides, found and typed once a batch.

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{
    Array, BooleanArray, Decimal128Array, FixedSizeBinaryArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use model::keys::Id16;
use model::money::ONE;
use model::vocabulary::{
    Basis, Channel, ChargeKind, ErrorClass, ReceiptClass, Source, Status, TimeSource, TrafficClass,
};

use crate::columns::{Coded, clock, column, fixed, id, instant, text, time};
use crate::facet::{Facet, Interner, Price, TextId};
use crate::fold::{Event, FLAG_BILLED, FLAG_FINAL, FLAG_LINE, NO_TIME, basis_flags};
use crate::record;
use crate::tracker::TrackError;

/// Typed columns of one batch.
pub(crate) struct Lines<'a> {
    line_id: &'a FixedSizeBinaryArray,
    charge_id: &'a FixedSizeBinaryArray,
    message_key: &'a FixedSizeBinaryArray,
    source: Coded<'a, Source>,
    kind: Coded<'a, ChargeKind>,
    basis: Coded<'a, Basis>,
    quantity: &'a Decimal128Array,
    unit_price: &'a Decimal128Array,
    currency: Coded<'a, TextId>,
    sku: &'a StringArray,
    event_time: &'a TimestampMicrosecondArray,
    time_source: Coded<'a, TimeSource>,
    ingest_time: &'a TimestampMicrosecondArray,
    is_final: &'a BooleanArray,
    /// End before start: what a line is dated by that tells no time.
    period: [&'a TimestampMicrosecondArray; 2],
    channel: Coded<'a, Channel>,
    country: Coded<'a, TextId>,
    carrier: Coded<'a, TextId>,
    traffic_class: Coded<'a, TrafficClass>,
}

fn decimal<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a Decimal128Array, TrackError> {
    let column = column(batch, name)?.as_primitive_opt::<Decimal128Type>();
    column.ok_or(TrackError::Column { name })
}

impl<'a> Lines<'a> {
    /// Finds and types the columns; looks every dictionary word up once.
    pub(crate) fn new(batch: &'a RecordBatch, words: &mut Interner) -> Result<Self, TrackError> {
        let is_final = column(batch, "is_final")?.as_boolean_opt();
        Ok(Self {
            line_id: fixed(batch, "line_id")?,
            charge_id: fixed(batch, "charge_id")?,
            message_key: fixed(batch, "message_key")?,
            source: Coded::new(batch, "source", Source::parse)?,
            kind: Coded::new(batch, "kind", ChargeKind::parse)?,
            basis: Coded::new(batch, "basis", Basis::parse)?,
            quantity: decimal(batch, "quantity")?,
            unit_price: decimal(batch, "unit_price")?,
            currency: Coded::new(batch, "currency", |word| Some(words.text(word)))?,
            sku: text(batch, "sku")?,
            event_time: time(batch, "event_time")?,
            time_source: Coded::new(batch, "event_time_source", TimeSource::parse)?,
            ingest_time: time(batch, "ingest_time")?,
            is_final: is_final.ok_or(TrackError::Column { name: "is_final" })?,
            period: [time(batch, "period_end")?, time(batch, "period_start")?],
            channel: Coded::new(batch, "channel", Channel::parse)?,
            country: Coded::new(batch, "country", |word| Some(words.text(word)))?,
            carrier: Coded::new(batch, "carrier", |word| Some(words.text(word)))?,
            traffic_class: Coded::new(batch, "traffic_class", TrafficClass::parse)?,
        })
    }

    /// Its message, else the row of `charges` that it speaks of: what a line is kept under.
    pub(crate) fn key(&self, row: usize) -> Id16 {
        let of = if self.message_key.is_null(row) { self.charge_id } else { self.message_key };
        id(of, row)
    }

    /// The line's own time, by which lateness is judged. What is no message's is never late.
    pub(crate) fn own_time_us(&self, row: usize) -> Option<i64> {
        if self.message_key.is_null(row) {
            return Some(i64::MAX);
        }
        let told = instant(self.event_time, row).filter(|time| {
            clock(self.time_source.get(row), Some(*time) != instant(self.ingest_time, row)) != 0
        });
        told.or_else(|| instant(self.ingest_time, row))
    }

    /// The row as one of the events of its key.
    pub(crate) fn event(&self, row: usize, epoch: u64, words: &mut Interner) -> Event {
        let is_billed = self.message_key.is_null(row);
        let times = [self.event_time, self.ingest_time, self.period[0], self.period[1]];
        let time_us = times.into_iter().find_map(|times| instant(times, row)).unwrap_or(0);
        let told = instant(self.event_time, row) != instant(self.ingest_time, row);
        let flags = if is_billed {
            let basis = self.basis.get(row).unwrap_or(Basis::Vendor);
            let settled = if self.is_final.value(row) { FLAG_FINAL } else { 0 };
            FLAG_BILLED | settled | basis_flags(basis)
        } else {
            FLAG_LINE | clock(self.time_source.get(row), told)
        };
        let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
        Event {
            id: record::fingerprint(id(self.line_id, row)),
            time_us,
            submit_us: if is_billed { epoch } else { NO_TIME },
            facet: self.facet(row, words),
            // Bills are as many as their rows are, and their figures never repeat: they are not
            // kept.
            price: if is_billed { 0 } else { self.price(row, words) },
            segments: if is_billed { 1 } else { self.units(row) },
            status: Status::Unknown,
            flags,
        }
    }

    fn units(&self, row: usize) -> u16 {
        let nanos = if self.quantity.is_null(row) { ONE } else { self.quantity.value(row) };
        u16::try_from(nanos / ONE).unwrap_or(1)
    }

    fn facet(&self, row: usize, words: &mut Interner) -> u32 {
        words.facet(Facet {
            source: self.source.get(row).unwrap_or(Source::Cloudevents),
            channel: self.channel.get(row).unwrap_or(Channel::Unknown),
            traffic_class: self.traffic_class.get(row).unwrap_or(TrafficClass::Unknown),
            receipt_class: ReceiptClass::None,
            error_class: ErrorClass::None,
            carrier: self.carrier.get(row).unwrap_or_default(),
            country: self.country.get(row).unwrap_or_default(),
            error_code: TextId(0),
        })
    }

    fn price(&self, row: usize, words: &mut Interner) -> u32 {
        let sku = (!self.sku.is_null(row)).then(|| self.sku.value(row));
        let price = Price {
            nanos: (!self.unit_price.is_null(row)).then(|| self.unit_price.value(row)),
            kind: self.kind.get(row).unwrap_or(ChargeKind::Other),
            basis: self.basis.get(row).unwrap_or(Basis::Vendor),
            currency: self.currency.get(row).unwrap_or_default(),
            sku: words.optional(sku),
        };
        words.price(Some(price))
    }
}

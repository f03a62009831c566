//! The columns of a canonical batch on which `track` decides, found and typed once a batch.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType, UInt16Type};
use arrow_array::{
    Array, BooleanArray, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, RecordBatch,
    StringArray, TimestampMicrosecondArray, UInt16Array,
};
use model::keys::Id16;
use model::vocabulary::{
    Basis, Channel, ChargeKind, ErrorClass, PriceUnit, ReceiptClass, Source, Status, TimeSource,
    TrafficClass,
};

use crate::facet::{Facet, Interner, Price, TextId};
use crate::fold::{Event, FLAG_FINAL, FLAG_VENDOR_CLOCK, FLAG_VENDOR_LOCAL, NO_TIME};
use crate::record;
use crate::tracker::TrackError;

/// A dictionary column whose words were looked up once: key → entry.
pub(crate) struct Coded<'a, T> {
    keys: &'a DictionaryArray<Int32Type>,
    entries: Vec<T>,
}

impl<'a, T: Copy> Coded<'a, T> {
    pub(crate) fn new(
        batch: &'a RecordBatch,
        name: &'static str,
        mut entry: impl FnMut(&str) -> Option<T>,
    ) -> Result<Self, TrackError> {
        let keys = column(batch, name)?
            .as_dictionary_opt::<Int32Type>()
            .ok_or(TrackError::Column { name })?;
        let words = keys.values().as_string_opt::<i32>().ok_or(TrackError::Column { name })?;
        let entries: Option<Vec<T>> = words.iter().map(|word| entry(word?)).collect();
        Ok(Self { keys, entries: entries.ok_or(TrackError::Word { name })? })
    }

    pub(crate) fn get(&self, row: usize) -> Option<T> {
        let key = self.keys.keys();
        if key.is_null(row) {
            return None;
        }
        self.entries.get(usize::try_from(key.value(row)).ok()?).copied()
    }
}

/// Typed columns of one batch.
pub(crate) struct Columns<'a> {
    message_key: &'a FixedSizeBinaryArray,
    event_id: &'a FixedSizeBinaryArray,
    source: Coded<'a, Source>,
    channel: Coded<'a, Channel>,
    status: Coded<'a, Status>,
    is_final: &'a BooleanArray,
    receipt_class: Coded<'a, ReceiptClass>,
    error_class: Coded<'a, ErrorClass>,
    error_code: &'a StringArray,
    event_time: &'a TimestampMicrosecondArray,
    submit_time: &'a TimestampMicrosecondArray,
    ingest_time: &'a TimestampMicrosecondArray,
    time_source: Coded<'a, TimeSource>,
    carrier: Coded<'a, TextId>,
    country: Coded<'a, TextId>,
    traffic_class: Coded<'a, TrafficClass>,
    segments: &'a UInt16Array,
    price: &'a Decimal128Array,
    price_unit: Coded<'a, PriceUnit>,
    currency: &'a StringArray,
}

pub(crate) fn column<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a dyn Array, TrackError> {
    batch.column_by_name(name).map(AsRef::as_ref).ok_or(TrackError::Column { name })
}

pub(crate) fn fixed<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a FixedSizeBinaryArray, TrackError> {
    column(batch, name)?.as_fixed_size_binary_opt().ok_or(TrackError::Column { name })
}

pub(crate) fn text<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a StringArray, TrackError> {
    column(batch, name)?.as_string_opt().ok_or(TrackError::Column { name })
}

pub(crate) fn time<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a TimestampMicrosecondArray, TrackError> {
    column(batch, name)?
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or(TrackError::Column { name })
}

pub(crate) fn instant(array: &TimestampMicrosecondArray, row: usize) -> Option<i64> {
    (!array.is_null(row)).then(|| array.value(row))
}

pub(crate) fn id(array: &FixedSizeBinaryArray, row: usize) -> Id16 {
    Id16::from_slice(array.value(row)).unwrap_or_default()
}

/// Whose clock a time is by; `told` where it is another than the ingest time.
pub(crate) const fn clock(source: Option<TimeSource>, told: bool) -> u8 {
    match source {
        Some(TimeSource::Vendor) => FLAG_VENDOR_CLOCK,
        // The Date of a vendor's own answer is its clock; a received-at is the ingest time.
        Some(TimeSource::Header) if told => FLAG_VENDOR_CLOCK,
        Some(TimeSource::VendorLocal) => FLAG_VENDOR_LOCAL,
        _ => 0,
    }
}

impl<'a> Columns<'a> {
    /// Finds and types the columns; looks every dictionary word up once.
    pub(crate) fn new(batch: &'a RecordBatch, words: &mut Interner) -> Result<Self, TrackError> {
        let is_final = column(batch, "is_final")?.as_boolean_opt();
        let segments = column(batch, "segments")?.as_primitive_opt::<UInt16Type>();
        let price = column(batch, "price")?.as_primitive_opt::<Decimal128Type>();
        Ok(Self {
            message_key: fixed(batch, "message_key")?,
            event_id: fixed(batch, "event_id")?,
            source: Coded::new(batch, "source", Source::parse)?,
            channel: Coded::new(batch, "channel", Channel::parse)?,
            status: Coded::new(batch, "status", Status::parse)?,
            is_final: is_final.ok_or(TrackError::Column { name: "is_final" })?,
            receipt_class: Coded::new(batch, "receipt_class", ReceiptClass::parse)?,
            error_class: Coded::new(batch, "error_class", ErrorClass::parse)?,
            error_code: text(batch, "error_code")?,
            event_time: time(batch, "event_time")?,
            submit_time: time(batch, "submit_time")?,
            ingest_time: time(batch, "ingest_time")?,
            time_source: Coded::new(batch, "event_time_source", TimeSource::parse)?,
            carrier: Coded::new(batch, "carrier", |word| Some(words.text(word)))?,
            country: Coded::new(batch, "country", |word| Some(words.text(word)))?,
            traffic_class: Coded::new(batch, "traffic_class", TrafficClass::parse)?,
            segments: segments.ok_or(TrackError::Column { name: "segments" })?,
            price: price.ok_or(TrackError::Column { name: "price" })?,
            price_unit: Coded::new(batch, "price_unit", PriceUnit::parse)?,
            currency: text(batch, "currency")?,
        })
    }

    pub(crate) fn key(&self, row: usize) -> Id16 {
        id(self.message_key, row)
    }

    /// The event's own submit time, else its vendor time: what lateness is judged by.
    pub(crate) fn own_time_us(&self, row: usize) -> Option<i64> {
        instant(self.submit_time, row).or_else(|| {
            let vendor = self.time_source.get(row);
            let told = instant(self.event_time, row) != instant(self.ingest_time, row);
            let tells = match vendor {
                Some(TimeSource::Vendor | TimeSource::VendorLocal) => true,
                Some(TimeSource::Header) => told,
                _ => false,
            };
            if tells { instant(self.event_time, row) } else { None }
        })
    }

    /// The row as a tracked event.
    pub(crate) fn event(&self, row: usize, words: &mut Interner) -> Event {
        let mut flags = if self.is_final.value(row) { FLAG_FINAL } else { 0 };
        let told = instant(self.event_time, row) != instant(self.ingest_time, row);
        flags |= clock(self.time_source.get(row), told);
        let time_us = instant(self.event_time, row).or_else(|| instant(self.ingest_time, row));
        Event {
            id: record::fingerprint(id(self.event_id, row)),
            time_us: time_us.unwrap_or(0),
            submit_us: instant(self.submit_time, row).unwrap_or(NO_TIME),
            facet: self.facet(row, words),
            price: self.price(row, words),
            segments: if self.segments.is_null(row) { 0 } else { self.segments.value(row) },
            status: self.status.get(row).unwrap_or(Status::Unknown),
            flags,
        }
    }

    fn facet(&self, row: usize, words: &mut Interner) -> u32 {
        let code = (!self.error_code.is_null(row)).then(|| self.error_code.value(row));
        let facet = Facet {
            source: self.source.get(row).unwrap_or(Source::Cloudevents),
            channel: self.channel.get(row).unwrap_or(Channel::Unknown),
            traffic_class: self.traffic_class.get(row).unwrap_or(TrafficClass::Unknown),
            receipt_class: self.receipt_class.get(row).unwrap_or(ReceiptClass::None),
            error_class: self.error_class.get(row).unwrap_or(ErrorClass::None),
            carrier: self.carrier.get(row).unwrap_or_default(),
            country: self.country.get(row).unwrap_or_default(),
            error_code: words.optional(code),
        };
        words.facet(facet)
    }

    fn price(&self, row: usize, words: &mut Interner) -> u32 {
        if self.price.is_null(row) {
            return 0;
        }
        let currency = (!self.currency.is_null(row)).then(|| self.currency.value(row));
        let kind = match self.price_unit.get(row) {
            Some(PriceUnit::Segment) => ChargeKind::Segment,
            _ => ChargeKind::Message,
        };
        let price = Price {
            nanos: Some(self.price.value(row)),
            kind,
            basis: Basis::Vendor,
            currency: words.optional(currency),
            sku: TextId(0),
        };
        words.price(Some(price))
    }
}

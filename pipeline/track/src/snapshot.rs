//! Rows out of the message table and back: state slices, and the rows of messages and charges
//! that changed in an epoch.
//!
//! A state slice has one row an event; the message's own values repeat on each. Words are written
//! as words, so a slice can be read by another process, whose interner has other ids.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use hashbrown::HashMap;
use model::keys::{HashKey, Id16};
use model::schema::{self, dictionary_type};
use model::vocabulary::{
    Channel, ClosedBy, Disposition, ErrorClass, PriceUnit, ReceiptClass, Source, Status,
    TrafficClass,
};

use crate::coded::CodedBuilder;
use crate::facet::{Facet, Interner, Price, TextId};
use crate::fold::{self, Charge, Event, Latency, Outcome};
use crate::slice::{Changed, Slice};
use crate::tracker::{TrackError, Tracker};

/// Epoch and time that stamp the rows of an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) epoch: u64,
    pub(crate) committed_at_us: i64,
}

static SLICE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |name: &str, kind: DataType, null: bool| Field::new(name, kind, null);
    Arc::new(Schema::new(vec![
        field("message_key", DataType::FixedSizeBinary(16), false),
        field("duplicates", DataType::UInt32, false),
        field("horizon", DataType::Boolean, false),
        field("id", DataType::UInt64, false),
        field("time_us", DataType::Int64, false),
        field("submit_us", DataType::Int64, false),
        field("status", DataType::UInt8, false),
        field("flags", DataType::UInt8, false),
        field("segments", DataType::UInt16, false),
        field("source", DataType::UInt8, false),
        field("channel", DataType::UInt8, false),
        field("traffic_class", DataType::UInt8, false),
        field("receipt_class", DataType::UInt8, false),
        field("error_class", DataType::UInt8, false),
        field("carrier", dictionary_type(), true),
        field("country", dictionary_type(), true),
        field("error_code", dictionary_type(), true),
        field("price", DataType::Decimal128(38, 9), true),
        field("price_unit", DataType::UInt8, false),
        field("currency", dictionary_type(), true),
    ]))
});

/// A slice as rows.
pub(crate) fn write(tracker: &Tracker, slice: u8) -> Result<RecordBatch, TrackError> {
    let mut key = FixedSizeBinaryBuilder::new(16);
    let mut duplicates = UInt32Builder::new();
    let mut horizon = BooleanBuilder::new();
    let mut id = UInt64Builder::new();
    let mut times: [Int64Builder; 2] = std::array::from_fn(|_| Int64Builder::new());
    let mut bytes: [UInt8Builder; 8] = std::array::from_fn(|_| UInt8Builder::new());
    let mut segments = UInt16Builder::new();
    let mut texts: [CodedBuilder; 4] = Default::default();
    let mut price = Decimal128Builder::new();
    let words = &tracker.words;
    let mut events = Vec::new();
    let table = tracker.slice(slice);
    for (table, at) in table.iter().flat_map(|table| table.positions().map(move |at| (table, at))) {
        let message = table.message(at);
        table.collect(at, &mut events);
        for event in &events {
            key.append_value(message.key.0)?;
            duplicates.append_value(message.duplicates);
            horizon.append_value(message.horizon);
            id.append_value(event.id);
            times[0].append_value(event.time_us);
            times[1].append_value(event.submit_us);
            segments.append_value(event.segments);
            let facet = words.facet_of(event.facet);
            let cost = words.price_of(event.price);
            let unit = cost.map_or(PriceUnit::None, |cost| cost.unit);
            for (builder, value) in bytes.iter_mut().zip(codes(event, facet, unit)) {
                builder.append_value(value);
            }
            let coin = cost.map_or(TextId::default(), |cost| cost.currency);
            let ids = [facet.carrier, facet.country, facet.error_code, coin];
            for (builder, id) in texts.iter_mut().zip(ids) {
                push_text(builder, id, words);
            }
            price.append_option(cost.map(|cost| cost.nanos));
        }
    }
    let [time, submit] = times;
    let [status, flags, source, channel, class, receipt, error, unit] = bytes;
    let [carrier, country, code, currency] = texts;
    let small = |mut builder: UInt8Builder| Arc::new(builder.finish()) as ArrayRef;
    let large = |mut builder: Int64Builder| Arc::new(builder.finish()) as ArrayRef;
    let text = |mut builder: CodedBuilder| builder.finish();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(key.finish()),
        Arc::new(duplicates.finish()),
        Arc::new(horizon.finish()),
        Arc::new(id.finish()),
        large(time),
        large(submit),
        small(status),
        small(flags),
        Arc::new(segments.finish()),
        small(source),
        small(channel),
        small(class),
        small(receipt),
        small(error),
        text(carrier)?,
        text(country)?,
        text(code)?,
        Arc::new(price.finish().with_precision_and_scale(38, 9)?),
        small(unit),
        text(currency)?,
    ];
    Ok(RecordBatch::try_new(Arc::clone(&SLICE_SCHEMA), columns)?)
}

/// The single-byte columns of an event, in the order of [`write`].
const fn codes(event: &Event, facet: &Facet, unit: PriceUnit) -> [u8; 8] {
    [
        event.status.index(),
        event.flags,
        facet.source.index(),
        facet.channel.index(),
        facet.traffic_class.index(),
        facet.receipt_class.index(),
        facet.error_class.index(),
        unit.index(),
    ]
}

/// Reads rows of a state slice back.
pub(crate) fn read(
    batch: &RecordBatch,
    table: &mut Slice,
    words: &mut Interner,
) -> Result<(), TrackError> {
    if batch.schema().fields() != SLICE_SCHEMA.fields() {
        return Err(TrackError::Snapshot { what: "its columns are not those of this format" });
    }
    let byte = |at: usize, row: usize| batch.column(at).as_primitive::<UInt8Type>().value(row);
    let long = |at: usize, row: usize| batch.column(at).as_primitive::<Int64Type>().value(row);
    let bad = || TrackError::Snapshot { what: "a code is outside its list" };
    for row in 0..batch.num_rows() {
        let key = Id16::from_slice(batch.column(0).as_fixed_size_binary().value(row));
        let facet = Facet {
            source: Source::from_index(byte(9, row)).ok_or_else(bad)?,
            channel: Channel::from_index(byte(10, row)).ok_or_else(bad)?,
            traffic_class: TrafficClass::from_index(byte(11, row)).ok_or_else(bad)?,
            receipt_class: ReceiptClass::from_index(byte(12, row)).ok_or_else(bad)?,
            error_class: ErrorClass::from_index(byte(13, row)).ok_or_else(bad)?,
            carrier: words.optional(dictionary_text(batch, 14, row)),
            country: words.optional(dictionary_text(batch, 15, row)),
            error_code: words.optional(dictionary_text(batch, 16, row)),
        };
        let price = batch.column(17).as_primitive::<Decimal128Type>();
        let price = if price.is_null(row) {
            None
        } else {
            let unit = PriceUnit::from_index(byte(18, row)).ok_or_else(bad)?;
            let currency = words.optional(dictionary_text(batch, 19, row));
            Some(Price { nanos: price.value(row), unit, currency })
        };
        let event = Event {
            id: batch.column(3).as_primitive::<UInt64Type>().value(row),
            time_us: long(4, row),
            submit_us: long(5, row),
            facet: words.facet(facet),
            price: words.price(price),
            next: u32::MAX,
            segments: batch.column(8).as_primitive::<UInt16Type>().value(row),
            status: Status::from_index(byte(6, row)).ok_or_else(bad)?,
            flags: byte(7, row),
        };
        let duplicates = batch.column(1).as_primitive::<UInt32Type>().value(row);
        let horizon = batch.column(2).as_boolean().value(row);
        table.restore(key.ok_or_else(bad)?, duplicates, horizon, event);
    }
    Ok(())
}

/// Text of a dictionary column; `None` where null or of another type.
fn dictionary_text(batch: &RecordBatch, column: usize, row: usize) -> Option<&str> {
    let array = batch.column(column).as_dictionary_opt::<Int32Type>()?;
    if array.keys().is_null(row) {
        return None;
    }
    let words = array.values().as_string_opt::<i32>()?;
    Some(words.value(usize::try_from(array.keys().value(row)).ok()?))
}

/// What became of each row of a stored `events` batch.
pub(crate) fn dispositions(batch: &RecordBatch) -> Result<Vec<Disposition>, TrackError> {
    let name = "disposition";
    let at = batch.schema().index_of(name).map_err(|_| TrackError::Column { name })?;
    let word = |row: usize| dictionary_text(batch, at, row).and_then(Disposition::parse);
    (0..batch.num_rows()).map(|row| word(row).ok_or(TrackError::Word { name })).collect()
}

/// The rows of `messages` and `charges` for everything that changed in the epoch.
pub(crate) fn changed_rows(
    tracker: &Tracker,
    batches: &[RecordBatch],
    stamp: Stamp,
) -> Result<(RecordBatch, RecordBatch), TrackError> {
    // Growing column after column from nothing would copy each of them a dozen times.
    let n_rows = tracker.slices().map(|slice| slice.changed.len()).sum();
    let mut messages = MessageRows::new(n_rows);
    let mut charges = ChargeRows::new(n_rows);
    let mut events = Vec::new();
    let texts: Vec<BatchTexts<'_>> = batches.iter().map(BatchTexts::of).collect();
    let mut accounts = Accounts::default();
    for slice in tracker.slices() {
        for changed in &slice.changed {
            let message = *slice.message(changed.position);
            slice.collect(changed.position, &mut events);
            let outcome = fold::fold(&mut events, message.horizon, &tracker.words);
            // A message that expired within the epoch has no events left.
            let Some(outcome) = outcome else { continue };
            let texts = RowTexts::of(&texts, changed, &mut accounts);
            messages.push(message.key, message.duplicates, &outcome, &texts, &tracker.words)?;
            for charge in outcome.charges.iter().flatten().filter(|_| changed.charges) {
                charges.push(message.key, charge, &outcome, &texts, &tracker.words)?;
            }
        }
    }
    Ok((messages.finish(stamp)?, charges.finish(stamp)?))
}

/// Text columns of a batch that the table does not keep.
struct BatchTexts<'a> {
    account: Option<&'a DictionaryArray<Int32Type>>,
    message_id: Option<&'a StringArray>,
    logical_id: Option<&'a StringArray>,
}

impl<'a> BatchTexts<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let account = batch.column_by_name("account");
        Self {
            account: account.and_then(|account| account.as_dictionary_opt()),
            message_id: text("message_id"),
            logical_id: text("logical_id"),
        }
    }
}

/// Accounts met in an epoch, as small integers: by the word's place in its batch, so that a word is
/// compared once a batch.
#[derive(Default)]
struct Accounts {
    codes: HashMap<(u32, i32), usize>,
    words: HashMap<String, usize>,
}

impl Accounts {
    fn code(&mut self, place: (u32, i32), word: &str) -> usize {
        if let Some(code) = self.codes.get(&place) {
            return *code;
        }
        let next = self.words.len();
        let code = *self.words.entry(word.to_owned()).or_insert(next);
        self.codes.insert(place, code);
        code
    }
}

/// Those of the newest event row of a message in this epoch.
#[derive(Default)]
struct RowTexts<'a> {
    /// Code and word.
    account: Option<(usize, &'a str)>,
    message_id: Option<&'a str>,
    logical_id: Option<&'a str>,
}

impl<'a> RowTexts<'a> {
    fn of(batches: &[BatchTexts<'a>], changed: &Changed, accounts: &mut Accounts) -> Self {
        let Some((number, row)) = changed.row else { return Self::default() };
        let Some(batch) = batches.get(number as usize) else { return Self::default() };
        let row = row as usize;
        let text = |array: Option<&'a StringArray>| {
            array.filter(|array| !array.is_null(row)).map(|array| array.value(row))
        };
        let account = batch.account.filter(|account| !account.keys().is_null(row));
        let account = account.and_then(|account| {
            let key = account.keys().value(row);
            let words = account.values().as_string_opt::<i32>()?;
            let word = words.value(usize::try_from(key).ok()?);
            Some((accounts.code((number, key), word), word))
        });
        Self { account, message_id: text(batch.message_id), logical_id: text(batch.logical_id) }
    }
}

fn push_text(builder: &mut CodedBuilder, id: TextId, words: &Interner) {
    match words.resolve(id) {
        Some(word) => builder.push(id.0 as usize, || word),
        None => builder.push_null(),
    }
}

fn push_account(builder: &mut CodedBuilder, texts: &RowTexts<'_>) {
    match texts.account {
        Some((code, word)) => builder.push(code, || word),
        None => builder.push_null(),
    }
}

/// Series columns in the order source, channel, carrier, country, traffic_class.
#[derive(Default)]
struct SeriesTexts([CodedBuilder; 5]);

impl SeriesTexts {
    fn push(&mut self, outcome: &Outcome, words: &Interner) {
        let series = &outcome.series;
        let [source, channel, carrier, country, class] = &mut self.0;
        source.push(usize::from(series.source.index()), || series.source.as_str());
        channel.push(usize::from(series.channel.index()), || series.channel.as_str());
        push_text(carrier, series.carrier, words);
        push_text(country, series.country, words);
        let code = usize::from(series.traffic_class.index());
        class.push(code, || series.traffic_class.as_str());
    }

    fn finish(mut self) -> Result<[ArrayRef; 5], ArrowError> {
        let [source, channel, carrier, country, class] = &mut self.0;
        Ok([
            source.finish()?,
            channel.finish()?,
            carrier.finish()?,
            country.finish()?,
            class.finish()?,
        ])
    }
}

fn stamps(stamp: Stamp, rows: usize) -> (ArrayRef, ArrayRef) {
    let mut at = TimestampMicrosecondBuilder::new();
    at.append_value_n(stamp.committed_at_us, rows);
    let epoch = arrow_array::UInt64Array::from(vec![stamp.epoch; rows]);
    (Arc::new(epoch), Arc::new(at.finish().with_timezone("UTC")))
}

struct MessageRows {
    key: FixedSizeBinaryBuilder,
    account: CodedBuilder,
    message_id: StringBuilder,
    logical_id: StringBuilder,
    series: SeriesTexts,
    /// cohort, outcome, read.
    times: [TimestampMicrosecondBuilder; 3],
    /// outcome, closed_by, error_class.
    codes: [CodedBuilder; 3],
    is_final: BooleanBuilder,
    latency: [Int64Builder; 2],
    segments: UInt16Builder,
    error_code: StringBuilder,
    counts: [UInt32Builder; 2],
}

impl MessageRows {
    fn new(n_rows: usize) -> Self {
        /// A vendor's message id takes 20 to 60 bytes.
        const ID_BYTES: usize = 40;
        let long = || Int64Builder::with_capacity(n_rows);
        let time = || TimestampMicrosecondBuilder::with_capacity(n_rows);
        let count = || UInt32Builder::with_capacity(n_rows);
        Self {
            key: FixedSizeBinaryBuilder::with_capacity(n_rows, 16),
            account: CodedBuilder::default(),
            message_id: StringBuilder::with_capacity(n_rows, n_rows * ID_BYTES),
            logical_id: StringBuilder::new(),
            series: SeriesTexts::default(),
            times: [time(), time(), time()],
            codes: Default::default(),
            is_final: BooleanBuilder::with_capacity(n_rows),
            latency: [long(), long()],
            segments: UInt16Builder::with_capacity(n_rows),
            error_code: StringBuilder::new(),
            counts: [count(), count()],
        }
    }

    fn push(
        &mut self,
        key: Id16,
        duplicates: u32,
        outcome: &Outcome,
        texts: &RowTexts<'_>,
        words: &Interner,
    ) -> Result<(), TrackError> {
        self.key.append_value(key.0)?;
        push_account(&mut self.account, texts);
        self.message_id.append_option(texts.message_id);
        self.logical_id.append_option(texts.logical_id);
        self.series.push(outcome, words);
        self.times[0].append_value(outcome.cohort_us);
        self.times[1].append_value(outcome.time_us);
        self.times[2].append_option(outcome.read_us);
        let [status, closed_by, error_class] = &mut self.codes;
        status.push(usize::from(outcome.status.index()), || outcome.status.as_str());
        match (outcome.is_final, outcome.by_horizon) {
            (false, _) => closed_by.push_null(),
            (true, true) => closed_by.push(0, || ClosedBy::Horizon.as_str()),
            (true, false) => closed_by.push(1, || ClosedBy::Event.as_str()),
        }
        let code = usize::from(outcome.error_class.index());
        error_class.push(code, || outcome.error_class.as_str());
        self.is_final.append_value(outcome.is_final);
        let (vendor, broker) = match outcome.latency {
            Latency::None => (None, None),
            Latency::Vendor(latency_ms) => (Some(latency_ms), None),
            Latency::Broker(latency_ms) => (None, Some(latency_ms)),
        };
        self.latency[0].append_option(vendor);
        self.latency[1].append_option(broker);
        self.segments.append_option((outcome.segments > 0).then_some(outcome.segments));
        self.error_code.append_option(words.resolve(outcome.error_code));
        self.counts[0].append_value(outcome.events);
        self.counts[1].append_value(duplicates);
        Ok(())
    }

    fn finish(mut self, stamp: Stamp) -> Result<RecordBatch, TrackError> {
        let key = self.key.finish();
        let (revision, committed_at) = stamps(stamp, key.len());
        let [source, channel, carrier, country, class] = self.series.finish()?;
        let time = |builder: &mut TimestampMicrosecondBuilder| -> ArrayRef {
            Arc::new(builder.finish().with_timezone("UTC"))
        };
        let [cohort, settled, read] = &mut self.times;
        let [outcome, closed_by, error_class] = &mut self.codes;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(key),
            source,
            self.account.finish()?,
            Arc::new(self.message_id.finish()),
            Arc::new(self.logical_id.finish()),
            channel,
            carrier,
            country,
            class,
            time(cohort),
            outcome.finish()?,
            time(settled),
            time(read),
            Arc::new(self.is_final.finish()),
            closed_by.finish()?,
            Arc::new(self.latency[0].finish()),
            Arc::new(self.latency[1].finish()),
            Arc::new(self.segments.finish()),
            error_class.finish()?,
            Arc::new(self.error_code.finish()),
            Arc::new(self.counts[0].finish()),
            Arc::new(self.counts[1].finish()),
            revision,
            committed_at,
        ];
        Ok(RecordBatch::try_new(schema::MESSAGES.arrow(), columns)?)
    }
}

struct ChargeRows {
    id: FixedSizeBinaryBuilder,
    key: FixedSizeBinaryBuilder,
    account: CodedBuilder,
    /// kind, basis, unit, currency.
    codes: [CodedBuilder; 4],
    /// quantity, unit price, amount.
    numbers: [Decimal128Builder; 3],
    charge_time: TimestampMicrosecondBuilder,
    series: SeriesTexts,
}

impl ChargeRows {
    fn new(n_rows: usize) -> Self {
        let number = || Decimal128Builder::with_capacity(n_rows);
        Self {
            id: FixedSizeBinaryBuilder::with_capacity(n_rows, 16),
            key: FixedSizeBinaryBuilder::with_capacity(n_rows, 16),
            account: CodedBuilder::default(),
            codes: Default::default(),
            numbers: [number(), number(), number()],
            charge_time: TimestampMicrosecondBuilder::with_capacity(n_rows),
            series: SeriesTexts::default(),
        }
    }

    fn push(
        &mut self,
        key: Id16,
        charge: &Charge,
        outcome: &Outcome,
        texts: &RowTexts<'_>,
        words: &Interner,
    ) -> Result<(), TrackError> {
        // Not secret: the message key in it already is a keyed hash.
        let kind = charge.kind.as_str().as_bytes();
        let id = HashKey::new([0; 16]).hash(&[&key.0, kind, charge.basis.as_str().as_bytes()]);
        self.id.append_value(id.0)?;
        self.key.append_value(key.0)?;
        push_account(&mut self.account, texts);
        let [what, basis, unit, currency] = &mut self.codes;
        let code = usize::from(charge.kind.index());
        what.push(code, || charge.kind.as_str());
        basis.push(usize::from(charge.basis.index()), || charge.basis.as_str());
        unit.push(code, || charge.kind.as_str());
        push_text(currency, charge.currency, words);
        self.numbers[0].append_value(i128::from(charge.quantity) * model::money::ONE);
        self.numbers[1].append_value(charge.unit_price_nanos);
        self.numbers[2].append_value(charge.amount_nanos());
        self.charge_time.append_value(outcome.cohort_us);
        self.series.push(outcome, words);
        Ok(())
    }

    fn finish(mut self, stamp: Stamp) -> Result<RecordBatch, TrackError> {
        let id = self.id.finish();
        let rows = id.len();
        let (revision, committed_at) = stamps(stamp, rows);
        let [source, channel, carrier, country, class] = self.series.finish()?;
        let [kind, basis, unit, currency] = &mut self.codes;
        let decimal = |builder: &mut Decimal128Builder, digits| -> Result<ArrayRef, TrackError> {
            Ok(Arc::new(builder.finish().with_precision_and_scale(digits, 9)?))
        };
        let [quantity, unit_price, amount] = &mut self.numbers;
        let no_time = arrow_array::new_null_array(&schema::timestamp_type(), rows);
        let no_text = arrow_array::new_null_array(&DataType::Utf8, rows);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(id),
            source,
            self.account.finish()?,
            Arc::new(self.key.finish()),
            kind.finish()?,
            basis.finish()?,
            decimal(quantity, 38)?,
            unit.finish()?,
            decimal(unit_price, 18)?,
            decimal(amount, 38)?,
            currency.finish()?,
            Arc::new(self.charge_time.finish().with_timezone("UTC")),
            Arc::clone(&no_time),
            no_time,
            Arc::clone(&no_text),
            no_text,
            channel,
            country,
            carrier,
            class,
            revision,
            committed_at,
        ];
        Ok(RecordBatch::try_new(schema::CHARGES.arrow(), columns)?)
    }
}

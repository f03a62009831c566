//! Rows out of the message table: the messages and charges that changed in an epoch.
//!
//! ```text
//! changed keys ─► events ─► fold ─► outcome ─► a row of `messages`, a row of `charges` each
//!                  texts of the newest event row of this epoch ──┘
//! ```

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder, UInt16Builder, UInt32Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType};
use hashbrown::HashMap;
use model::charge::charge_id;
use model::keys::Id16;
use model::schema::{self};
use model::vocabulary::{Basis, ChargeKind, ClosedBy, Disposition, Grain};

use crate::billed;
use crate::charges::Charge;
use crate::coded::CodedBuilder;
use crate::facet::{Interner, TextId};
use crate::fold::{Event, Latency, Outcome};
use crate::slice::RowRef;
use crate::tracker::{TrackError, Tracker};

/// Epoch and time that stamp the rows of an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) epoch: u64,
    pub(crate) committed_at_us: i64,
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

/// The rows of `messages` and `charges` for everything that changed in the epoch: `batches` are its
/// events, `lines` its lines of bills.
pub(crate) fn changed_rows(
    tracker: &Tracker,
    (batches, lines): (&[RecordBatch], &[RecordBatch]),
    stamp: Stamp,
) -> Result<(RecordBatch, Vec<RecordBatch>), TrackError> {
    // Growing column after column from nothing would copy each of them a dozen times.
    let n_rows = tracker.slices().map(|slice| slice.changed.len()).sum();
    let mut messages = MessageRows::new(n_rows);
    let mut charges = ChargeRows::new(n_rows);
    let mut events = Vec::new();
    let texts: Vec<BatchTexts<'_>> = batches.iter().map(BatchTexts::of).collect();
    let line_texts: Vec<BatchTexts<'_>> = lines.iter().map(BatchTexts::of).collect();
    let mut accounts = Accounts::default();
    let mut billed: Vec<Vec<u32>> = vec![Vec::new(); lines.len()];
    for slice in tracker.slices() {
        for changed in &slice.changed {
            // What changed is in memory until its epoch is written.
            let Some(message) = slice.recall(changed.key, &mut events) else { continue };
            if events.first().is_some_and(Event::is_billed) {
                if let Some((number, row)) = changed.line {
                    billed.get_mut(number as usize).into_iter().for_each(|rows| rows.push(row));
                }
                continue;
            }
            let Some(outcome) = message.outcome(&mut events, &tracker.words) else { continue };
            let mut own = RowTexts::of(&texts, changed.row, (0, &mut accounts));
            if changed.told && outcome.events > 0 {
                messages.push(message.key, message.duplicates, &outcome, &own, &tracker.words)?;
            }
            if !changed.charges {
                continue;
            }
            let first = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            let line = RowTexts::of(&line_texts, changed.line, (first, &mut accounts));
            own.account = own.account.or(line.account);
            let withdrawn = withdrawn(changed.had, &outcome);
            for charge in outcome.charges.iter().chain(&withdrawn) {
                charges.push(message.key, charge, &outcome, &own, &tracker.words)?;
            }
        }
    }
    let mut all = vec![charges.finish(stamp)?];
    for (lines, rows) in lines.iter().zip(billed).filter(|(_, rows)| !rows.is_empty()) {
        all.push(billed::rows(lines, rows, stamp)?);
    }
    Ok((messages.finish(stamp)?, all))
}

/// Charges that a message had and has no more: nothing of them.
fn withdrawn(had: u16, outcome: &Outcome) -> Vec<Charge> {
    let has = |kind: ChargeKind| outcome.charges.iter().any(|charge| charge.kind == kind);
    let kinds = ChargeKind::ALL.iter().copied();
    let gone = kinds.filter(|kind| had & 1 << kind.index() != 0 && !has(*kind));
    let nothing = |kind| Charge {
        kind,
        basis: Basis::Vendor,
        quantity: 0,
        unit_price_nanos: Some(0),
        currency: outcome.charges.base.map_or(TextId(0), |base| base.currency),
        sku: TextId(0),
    };
    gone.map(nothing).collect()
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
    /// Batches are known to `accounts` by their number from `first` on.
    fn of(
        batches: &[BatchTexts<'a>],
        row: Option<RowRef>,
        (first, accounts): (u32, &mut Accounts),
    ) -> Self {
        let Some((number, row)) = row else { return Self::default() };
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
            Some((accounts.code((first + number, key), word), word))
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

/// What a message's charge counts.
const fn unit_of(kind: ChargeKind) -> &'static str {
    match kind {
        ChargeKind::Segment => ChargeKind::Segment.as_str(),
        ChargeKind::Conversation => ChargeKind::Conversation.as_str(),
        _ => ChargeKind::Message.as_str(),
    }
}

/// A column of one grain.
fn grains(grain: Grain, rows: usize) -> Result<ArrayRef, ArrowError> {
    let mut column = CodedBuilder::default();
    (0..rows).for_each(|_| column.push(0, || grain.as_str()));
    column.finish()
}

pub(crate) fn stamps(stamp: Stamp, rows: usize) -> (ArrayRef, ArrayRef) {
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
    sku: StringBuilder,
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
            sku: StringBuilder::new(),
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
        self.id.append_value(charge_id(key, charge.kind).0)?;
        self.key.append_value(key.0)?;
        push_account(&mut self.account, texts);
        let [what, basis, unit, currency] = &mut self.codes;
        let code = usize::from(charge.kind.index());
        what.push(code, || charge.kind.as_str());
        basis.push(usize::from(charge.basis.index()), || charge.basis.as_str());
        unit.push(code, || unit_of(charge.kind));
        push_text(currency, charge.currency, words);
        self.numbers[0].append_value(i128::from(charge.quantity) * model::money::ONE);
        self.numbers[1].append_option(charge.unit_price_nanos);
        self.numbers[2].append_option(charge.amount_nanos());
        self.sku.append_option(words.resolve(charge.sku));
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
            no_text,
            Arc::new(self.sku.finish()),
            channel,
            country,
            carrier,
            class,
            grains(Grain::Message, rows)?,
            revision,
            committed_at,
        ];
        Ok(RecordBatch::try_new(schema::CHARGES.arrow(), columns)?)
    }
}

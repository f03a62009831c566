//! Telnyx usage: MDR usage reports (`result` of a report) and usage reports v2 (`data` of an
//! answer).
//! <https://developers.telnyx.com/docs/reporting/usage-reports>
//!
//! Each row is an element and a total over the report's span; what a carrier got of it is one more
//! line of the same element. Traps: MDR reports write every figure as text, v2 as a float with its
//! digits, which are read as they stand; what a row is grouped by is any field that is text or true
//! and no figure, the currency too, so a row is known by all of them, in whatever order, and by its
//! span; of digits only codes and ids tell rows apart, as other numbers may grow; a total that
//! tells no time is a dead letter, as the same one of another month would take its place; a report
//! that is not `COMPLETE` is not final; spans have offsets; a row by `date_time` is of one hour,
//! in UTC where it tells no zone; v2 has all of Telnyx's products, and what is no message's
//! (`sip-trunking`, `verify-2fa`) is of kind `other`; a network by its codes is a carrier and a
//! country where the row names none.

use std::borrow::Cow;

use model::time::{DAY_US, HOUR_US, parse_rfc3339};
use model::vocabulary::{ChargeKind, DeadReason};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::date;
use crate::draft::{Dead, Elements};
use crate::emit::Emitter;
use crate::identity;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::network::{self, Carrier};
use crate::operators;
use crate::record::Scratch;
use crate::words::{self, Folded};

/// What rows of a report share.
#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    rows: Elements<&'a str>,
    /// It has a place for rows.
    has_rows: bool,
    /// It is a row itself.
    has_cost: bool,
    record_type: Scalar<'a>,
    start: Scalar<'a>,
    end: Scalar<'a>,
    status: Scalar<'a>,
    updated: Scalar<'a>,
}

/// One row.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    cost: Scalar<'a>,
    carrier_fee: Scalar<'a>,
    currency: Scalar<'a>,
    parts: Scalar<'a>,
    count: Scalar<'a>,
    channel: Scalar<'a>,
    product: Scalar<'a>,
    country: Scalar<'a>,
    /// The country by its code, whatever `country` is.
    iso: Scalar<'a>,
    carrier: Scalar<'a>,
    mcc: Scalar<'a>,
    mnc: Scalar<'a>,
    hour: Scalar<'a>,
    date: Scalar<'a>,
    start: Scalar<'a>,
    end: Scalar<'a>,
}

/// Reads a record that holds usage.
pub(super) fn read(text: &str, scratch: &mut Scratch, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut reports: Elements<Report<'_>> = Elements::default();
    if cursor.kind() == Kind::Array {
        list(&mut cursor, &mut reports)?;
    } else {
        let mut bare = Report::default();
        cursor.object(|cursor, key| match key {
            "data" if cursor.kind() == Kind::Array => list(cursor, &mut reports),
            "data" if !cursor.is_null() => {
                let text = cursor.raw()?;
                let mut report = Report::default();
                Cursor::new(text).object_or_skip(|cursor, key| field(cursor, key, &mut report))?;
                reports.hold(report.or_row(text), cursor)
            }
            _ => field(cursor, key, &mut bare),
        })?;
        if bare.has_rows || reports.len() == 0 {
            reports.push(bare.or_row(text));
        }
    }
    cursor.end()?;
    let mut place = 0;
    for report in reports.iter() {
        if report.rows.len() == 0 {
            out.ignored("empty");
        }
        for text in report.rows.iter() {
            row(report, text, place, scratch, out);
            place += 1;
        }
    }
    Ok(())
}

/// A list of reports, or of rows: those have no `result`.
fn list<'a>(cursor: &mut Cursor<'a>, reports: &mut Elements<Report<'a>>) -> Result<(), Syntax> {
    cursor.array(|cursor| {
        let text = cursor.raw()?;
        let mut report = Report::default();
        let read = |cursor: &mut Cursor<'a>, key: &str| field(cursor, key, &mut report);
        // What is no object is no report, and as a row a dead letter.
        let is_report = Cursor::new(text).object_or_skip(read) == Ok(true) && report.has_rows;
        if is_report {
            cursor.hold(report.rows.room(), 0)?;
            return reports.hold(report, cursor);
        }
        match reports.last_mut() {
            Some(rows) if !rows.has_rows => rows.rows.hold(text, cursor),
            _ => reports.hold(Report::of_row(text), cursor),
        }
    })?;
    if reports.len() == 0 {
        reports.push(Report::default());
    }
    Ok(())
}

impl<'a> Report<'a> {
    /// Of rows that stand alone the first.
    fn of_row(text: &'a str) -> Self {
        let mut rows = Self::default();
        rows.rows.push(text);
        rows
    }

    /// The row that its text is, where it is no report.
    fn or_row(self, text: &'a str) -> Self {
        if self.has_cost && !self.has_rows { Self::of_row(text) } else { self }
    }
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, report: &mut Report<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "result" if cursor.kind() == Kind::Array => {
            report.has_rows = true;
            return cursor.array(|cursor| {
                let row = cursor.raw()?;
                report.rows.hold(row, cursor)
            });
        }
        // A report that is not done yet.
        "result" if cursor.is_null() => {
            report.has_rows = true;
            return cursor.skip();
        }
        "cost" => {
            report.has_cost = true;
            return cursor.skip();
        }
        "record_type" => &mut report.record_type,
        "start_date" => &mut report.start,
        "end_date" => &mut report.end,
        "status" => &mut report.status,
        "updated_at" => &mut report.updated,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// Fields that count, whatever they are spelled as: they tell no row from another.
fn is_figure(name: &str) -> bool {
    const WORDS: [&str; 8] =
        ["cost", "parts", "sent", "delivered", "received", "count", "fee", "rate"];
    let ends =
        |word: &&str| name.strip_suffix(*word).map(|head| head.is_empty() || head.ends_with('_'));
    WORDS.iter().filter_map(ends).any(|is_figure| is_figure)
}

/// Fields that tell a row from another although they are digits.
fn is_code(name: &str) -> bool {
    const WORDS: [&str; 6] = ["code", "id", "mcc", "mnc", "tags", "hour"];
    WORDS.iter().any(|word| {
        name.strip_suffix(*word).is_some_and(|head| head.is_empty() || head.ends_with('_'))
    })
}

/// A cell of a table as JSON would have it: most figures are numbers there.
pub(super) fn cell(value: Cow<'_, str>) -> Scalar<'_> {
    if let Cow::Borrowed(text) = value {
        let mut cursor = Cursor::new(text);
        if matches!(cursor.scalar(), Ok(Scalar::Number(_))) && cursor.end().is_ok() {
            return Scalar::Number(text);
        }
    }
    Scalar::Text(value)
}

fn row_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    row: &mut Row<'a>,
    identity: &mut Vec<u8>,
) -> Result<(), Syntax> {
    let (spelled, value) = cursor.spelled_scalar()?;
    // A damaged value tells a row from others all the same.
    if value == Scalar::Unreadable && !spelled.starts_with(['[', '{']) && !is_figure(key) {
        identity::put(identity, key, spelled.as_bytes());
    }
    row.put(key, value, identity);
    Ok(())
}

impl<'a> Row<'a> {
    /// Takes a field; what tells the row from others goes to its identity.
    pub(super) fn put(&mut self, key: &str, value: Scalar<'a>, identity: &mut Vec<u8>) {
        let told = match &value {
            // In a table nothing is empty or false that is not so as JSON.
            Scalar::Text(text) => Some(text.as_ref()).filter(|text| !matches!(*text, "" | "false")),
            Scalar::Number(digits) => Some(*digits).filter(|_| is_code(key)),
            Scalar::Bool(true) => Some("true"),
            _ => None,
        };
        if let Some(text) = told
            && !is_figure(key)
            && !is_span(key, text)
        {
            identity::put(identity, key, text.as_bytes());
        }
        let slot = match key {
            "cost" => &mut self.cost,
            "carrier_passthrough_fee" | "carrier_fee" => &mut self.carrier_fee,
            "currency" => &mut self.currency,
            "parts" => &mut self.parts,
            "count" => &mut self.count,
            "message_type" => &mut self.channel,
            "product" => &mut self.product,
            "country_code" | "country" => &mut self.country,
            "country_iso" => &mut self.iso,
            "normalized_carrier" => &mut self.carrier,
            "mcc" => &mut self.mcc,
            "mnc" => &mut self.mnc,
            "date_time" => &mut self.hour,
            "date" => &mut self.date,
            "start_date" | "start_time" => &mut self.start,
            "end_date" | "end_time" => &mut self.end,
            _ => return,
        };
        *slot = value;
    }
}

/// Whether a field is a time of the row's span, however it is spelled.
fn is_span(name: &str, text: &str) -> bool {
    match name {
        "date_time" => hour_time(text).is_some(),
        "date" | "start_date" | "start_time" | "end_date" | "end_time" => span_time(text).is_some(),
        _ => false,
    }
}

/// Beginning of an hour, in UTC where no zone is told.
fn hour_time(text: &str) -> Option<i64> {
    date::parse_zoned_or_local(text)
}

fn span_time(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| date::parse_day(text))
}

fn row(
    report: &Report<'_>,
    text: &str,
    place: usize,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) {
    let mut row = Row::default();
    scratch.identity.clear();
    let identity = &mut scratch.identity;
    let read =
        Cursor::new(text).object_or_skip(|cursor, key| row_field(cursor, key, &mut row, identity));
    if read != Ok(true) {
        row = Row::default();
    }
    emit(report, &row, (place, &scratch.identity), out);
}

/// Emits a row; one without a cost is none.
pub(super) fn emit(
    report: &Report<'_>,
    row: &Row<'_>,
    (place, identity): (usize, &[u8]),
    out: &mut Emitter<'_>,
) {
    if !row.cost.is_present() {
        return out.dead_at(DeadReason::UnknownVariant, format!("/{place}/cost"));
    }
    let Some([start, end]) = period(report, row, out) else {
        return out.dead_at(DeadReason::UnknownVariant, format!("/{place}/date"));
    };
    let bytes = [start, end].map(|time| time.unwrap_or(i64::MIN).to_be_bytes());
    let mut parts = identity::sorted(identity);
    parts.extend(bytes.iter().map(<[u8; 8]>::as_slice));
    let is_parts = row.parts.is_present();
    let quantity = out.figure(if is_parts { &row.parts } else { &row.count });
    let channel = words::channel(out.text(&row.channel).unwrap_or(""));
    let figures = Figures { quantity, unit_price: None, amount: out.figure(&row.cost) };
    let kind = match is_parts {
        true => ChargeKind::Segment,
        false if is_of_messages(report, row) => ChargeKind::Message,
        false => ChargeKind::Other,
    };
    let (network, of_network) = network(row, out);
    let mut charge = ChargeDraft::new(Subject::Period(&parts), kind, figures);
    charge.is_final =
        report.status.text().is_some_and(|word| word.eq_ignore_ascii_case("complete"));
    charge.period_us = [start, end];
    charge.time_us = out.time(&report.updated, parse_rfc3339);
    charge.currency = out.text(&row.currency);
    charge.sku = out.text(&row.product);
    charge.channel = channel;
    let told = [out.text(&row.iso), out.text(&row.country)];
    charge.country = told.into_iter().flatten().find(|code| code.len() == 2).or(of_network);
    charge.carrier = out.text(&row.carrier).or_else(|| network.name());
    out.charge(&charge);
    if let Some(fee) = out.figure(&row.carrier_fee) {
        charge.kind = ChargeKind::CarrierFee;
        charge.unit = is_parts.then_some(ChargeKind::Segment.as_str());
        charge.figures = Figures { quantity, unit_price: None, amount: Some(fee) };
        out.charge_too(&charge);
    }
}

/// What a row is of: its hour, its day, its own span, that of its report; `None` where it tells
/// none.
fn period(report: &Report<'_>, row: &Row<'_>, out: &mut Emitter<'_>) -> Option<[Option<i64>; 2]> {
    if let Some(start) = out.time(&row.hour, hour_time) {
        return Some([Some(start), Some(start.saturating_add(HOUR_US))]);
    }
    let begins = [&row.date, &row.start, &report.start].into_iter().find(|time| time.is_present());
    let Some(begins) = begins else {
        return row.hour.is_present().then_some([None, None]);
    };
    let start = out.time(begins, span_time);
    let ends = [&row.end, &report.end].into_iter().find(|time| time.is_present());
    let of_day = row.date.text().and_then(date::parse_day).map(|day| day + DAY_US);
    Some([start, ends.and_then(|time| out.time(time, span_time)).or(of_day)])
}

/// Whether a row without parts is of messages: so are those of a report of messages, and a row that
/// tells no product or a kind of message.
fn is_of_messages(report: &Report<'_>, row: &Row<'_>) -> bool {
    // An older report by direction has that for a product.
    const PRODUCTS: [&str; 8] =
        ["messag", "sms", "mms", "rcs", "whatsapp", "viber", "inbound", "outbound"];
    if report.has_rows {
        // `cdr_usage_report`: of calls.
        return report.record_type.text().is_none_or(|kind| !kind.starts_with("cdr"));
    }
    let product = row.product.text().map(Folded::new);
    let is_named = |product: Folded| PRODUCTS.iter().any(|word| product.as_str().contains(word));
    row.channel.is_present() || product.is_none_or(is_named)
}

/// The network of a row's codes, and its country.
fn network<'e>(row: &Row<'_>, out: &mut Emitter<'e>) -> (Carrier<'e>, Option<&'static str>) {
    let mcc = out.network_code(&row.mcc);
    let mnc = out.network_code(&row.mnc);
    let operator = mcc.zip(mnc).and_then(|(mcc, mnc)| match row.mnc {
        // A number has lost its zeros.
        Scalar::Number(_) => operators::find_number(mcc, mnc),
        _ => operators::find(mcc, mnc),
    });
    let country = operator.and_then(|operator| operator.country);
    let carrier = network::of_codes(operator.as_ref(), mcc.zip(mnc), &out.regional.carriers);
    (carrier, country.or_else(|| operators::country(mcc?)))
}

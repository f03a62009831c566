//! SNS's daily usage report: CSV, mostly gzipped, a row a part of a message that was published.
//! <https://docs.aws.amazon.com/sns/latest/dg/sms_stats_usage.html>
//!
//! A row is a charge of its message. Traps: the price is a part's and each part has a row, so the
//! message costs it times `TotalParts`, however many rows came; numbers have no `+`; the only time
//! is the publication's, so what `DeliveryStatus` says has no time of its own and outcomes are left
//! to the logs; a report in several files repeats its heading, and a file that is loaded line by
//! line has it as a record of its own: its columns must then stand in Amazon's order, and a row
//! whose number and id have changed places is a dead letter.

use model::money::ONE;
use model::vocabulary::{Channel, ChargeKind, DeadReason, TrafficClass};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::csv;
use crate::date;
use crate::draft::{Dead, Place};
use crate::emit::Emitter;
use crate::json::{Scalar, Syntax};
use crate::phone::Number;

/// Columns, in their order.
const HEADING: &str = "PublishTimeUTC,MessageId,DestinationPhoneNumber,MessageType,DeliveryStatus,\
                       PriceInUSD,PartNumber,TotalParts";
const COLUMNS: usize = 8;

#[derive(Debug, Default)]
struct Row<'a> {
    time: Scalar<'a>,
    id: Scalar<'a>,
    to: Scalar<'a>,
    kind: Scalar<'a>,
    price: Scalar<'a>,
    part: Scalar<'a>,
    parts: Scalar<'a>,
}

impl Row<'_> {
    /// Whether the number is a number and the id none: without a heading nothing else tells.
    fn is_in_order(&self) -> bool {
        let is_number =
            |field: &Scalar<'_>| field.text().is_some_and(|text| Number::parse(text).is_some());
        (is_number(&self.to) || self.to.text().is_none()) && !is_number(&self.id)
    }
}

/// Whether a text begins with the heading.
pub(super) fn is_report(text: &str) -> bool {
    csv::is_table(text.trim_ascii_start(), csv::COMMA, "PublishTimeUTC")
}

/// A row without its heading: files are loaded line by line.
pub(super) fn is_row(text: &str) -> bool {
    let text = text.trim();
    let time = text.split(',').next().unwrap_or("").trim_matches('"');
    let mut is_quoted = false;
    let commas = text.bytes().filter(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    });
    date::parse_zoned_or_local(time).is_some() && commas.count() == COLUMNS - 1
}

/// Reads such a row.
pub(super) fn read_row(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let read = rows(&format!("{HEADING}\n{text}"), false, out);
    read.map_err(|Syntax { at }| Syntax { at: at.saturating_sub(HEADING.len() + 1) })?;
    Ok(())
}

/// Reads a report.
pub(super) fn read(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    if rows(text, true, out)? > 0 {
        return Ok(());
    }
    // Alone it belongs to rows that are records of their own, and those are read by this order.
    let names = text.trim().split(',').map(|name| name.trim().trim_matches('"'));
    if !names.take(COLUMNS).eq(HEADING.split(',')) {
        return Err(Dead::new(DeadReason::UnknownVariant, "columns in another order"));
    }
    out.ignored("heading");
    Ok(())
}

fn rows(text: &str, is_listed: bool, out: &mut Emitter<'_>) -> Result<usize, Syntax> {
    let rows = csv::each_row(text, csv::COMMA, |at, row| {
        let place = Place { parent: "", at: is_listed.then_some(at) };
        let Some(mut fields) = row else {
            return out.dead_at(DeadReason::UnknownVariant, place.to_string());
        };
        let mut row = Row::default();
        for (name, value) in fields.fields() {
            let slot = match name {
                "PublishTimeUTC" => &mut row.time,
                "MessageId" => &mut row.id,
                "DestinationPhoneNumber" => &mut row.to,
                "MessageType" => &mut row.kind,
                "PriceInUSD" => &mut row.price,
                "PartNumber" => &mut row.part,
                "TotalParts" => &mut row.parts,
                _ => {
                    if at == 0 {
                        out.drift.other("", name);
                    }
                    continue;
                }
            };
            *slot = value;
        }
        if !is_listed && !row.is_in_order() {
            return out.dead_at(DeadReason::UnknownVariant, place.to_string());
        }
        emit(&row, place, out);
    })?;
    Ok(rows)
}

fn emit(row: &Row<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let Some(id) = row.id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/MessageId"));
    };
    let parts = out.segments(&row.parts).unwrap_or(1);
    let price = out.price_of_part(&row.price, &row.parts).map(|price| price.0);
    let is_credit = row.price.text().is_some_and(|price| price.trim_start().starts_with('-'));
    let figures = Figures {
        quantity: Some(i128::from(parts) * ONE),
        unit_price: price.map(|price| if is_credit { -price } else { price }),
        amount: None,
    };
    let recipient = out.text(&row.to);
    let key_part = recipient.unwrap_or("").trim_start_matches('+');
    let subject = Subject::Message { id, key_part };
    let mut charge = ChargeDraft::new(subject, ChargeKind::Segment, figures);
    charge.part = out.text(&row.part).unwrap_or("");
    charge.time_us = out.time(&row.time, date::parse_zoned_or_local);
    charge.currency = Some("USD");
    charge.channel = Channel::Sms;
    charge.traffic_class = match out.text(&row.kind) {
        Some("Transactional") => TrafficClass::Transactional,
        Some("Promotional") => TrafficClass::Marketing,
        _ => TrafficClass::Unknown,
    };
    charge.recipient = recipient;
    out.charge(&charge);
}

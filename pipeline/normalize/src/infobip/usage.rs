//! Results of Infobip's billing usage API: rows of columns that the result names.
//! <https://www.infobip.com/docs/billing-usage-api>
//!
//! Each row is an element and a total over the period, whatever it is of: the asker chooses columns
//! and period, so two answers may hold the same money, and none of it can be added up. Traps: rows
//! are lists by position, in any order of columns; a row is known by its dimensions (`N/A` fills
//! those that have no value) and its `UNIT_PRICE`, of which `TOTAL_PER_UNIT` is the total; a credit
//! is negative in any of them; a column that is not known here tells rows apart all the same where
//! it is text, as two that are taken for one lose money, but another name of what stands beside it
//! does not; a row of a `DAY` or a `MONTH` is of that part of the period; operators' fees are a
//! category of their own (`SMS_OPERATOR_FEE`), SMS are counted in message parts, what is billed by
//! the conversation or the session is none of messages; the period is half open and its times have
//! offsets without a colon; totals are rounded by the vendor and stand as they are; a volume that
//! is not finalised grows, so the finalised one stands whenever it came, and only it has the basis
//! `invoice`; it is told by month. A failed request is ignored, whatever it holds. Country names
//! are no ISO codes and tell rows apart only.

use model::money;
use model::time::parse_rfc3339;
use model::vocabulary::{Basis, Channel, ChargeKind, DeadReason};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::countries;
use crate::draft::{Dead, Elements};
use crate::emit::Emitter;
use crate::identity;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::words::{self, Folded};

/// Column of the price of a unit.
const PRICE: &str = "UNIT_PRICE";

/// Separates parts of a sku.
const JOIN: u8 = b'/';

/// A result; rows are JSON text, since the columns may stand behind them.
#[derive(Debug, Default)]
pub(super) struct Result<'a> {
    columns: Elements<Scalar<'a>>,
    rows: Elements<&'a str>,
    has_rows: bool,
    since: Scalar<'a>,
    until: Scalar<'a>,
    has_month: bool,
    has_open_month: bool,
    is_told: bool,
}

impl Result<'_> {
    /// Whether the record is one.
    pub(super) const fn is_told(&self) -> bool {
        self.is_told
    }
}

/// Takes one of the outermost object's keys.
pub(super) fn field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    result: &mut Result<'a>,
) -> std::result::Result<(), Syntax> {
    result.is_told |= key != "metadata";
    match key {
        "response" => cursor.object_or_skip(|cursor, key| response(cursor, key, result)).map(drop),
        "metadata" => cursor.object_or_skip(|cursor, key| metadata(cursor, key, result)).map(drop),
        _ => cursor.other(),
    }
}

fn response<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    result: &mut Result<'a>,
) -> std::result::Result<(), Syntax> {
    match key {
        "requestedPeriod" => {
            let read = |cursor: &mut Cursor<'a>, key: &str| {
                let slot = match key {
                    "sentSince" => &mut result.since,
                    "sentUntil" => &mut result.until,
                    _ => return cursor.other(),
                };
                *slot = cursor.scalar()?;
                Ok(())
            };
            cursor.object_or_skip(read).map(drop)
        }
        "columns" if cursor.kind() == Kind::Array => cursor.array(|cursor| {
            let mut name = Scalar::Missing;
            cursor.object_or_skip(|cursor, key| match key {
                "columnName" => {
                    name = cursor.scalar()?;
                    Ok(())
                }
                _ => cursor.other(),
            })?;
            result.columns.hold(name, cursor)
        }),
        "rows" if cursor.kind() == Kind::Array => {
            result.has_rows = true;
            cursor.array(|cursor| {
                let row = cursor.raw()?;
                result.rows.hold(row, cursor)
            })
        }
        _ => cursor.other(),
    }
}

fn metadata<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    result: &mut Result<'a>,
) -> std::result::Result<(), Syntax> {
    if key != "billingPeriods" || cursor.kind() != Kind::Array {
        return cursor.other();
    }
    cursor.array(|cursor| {
        let mut is_final = false;
        cursor.object_or_skip(|cursor, key| match key {
            "volumeFinalized" => {
                is_final = cursor.scalar()? == Scalar::Bool(true);
                Ok(())
            }
            _ => cursor.other(),
        })?;
        result.has_month = true;
        result.has_open_month |= !is_final;
        Ok(())
    })
}

/// What a row says, by the names of its columns.
#[derive(Debug, Default)]
struct Row<'a> {
    category: Scalar<'a>,
    account: Scalar<'a>,
    account_name: Scalar<'a>,
    traffic: Scalar<'a>,
    country: Scalar<'a>,
    country_name: Scalar<'a>,
    network: Scalar<'a>,
    unit: Scalar<'a>,
    price: Scalar<'a>,
    quantity: Scalar<'a>,
    total: Scalar<'a>,
    currency: Scalar<'a>,
}

impl<'a> Row<'a> {
    fn slot(&mut self, name: &str) -> Option<&mut Scalar<'a>> {
        Some(match name {
            "CATEGORY_CODE" => &mut self.category,
            "ACCOUNT_KEY" => &mut self.account,
            "ACCOUNT_NAME" => &mut self.account_name,
            "TRAFFIC_TYPE" => &mut self.traffic,
            "COUNTRY_CODE" | "COUNTRY_ISO" => &mut self.country,
            "COUNTRY_NAME" => &mut self.country_name,
            "NETWORK_NAME" | "OPERATOR_NAME" => &mut self.network,
            "UNIT_TYPE" => &mut self.unit,
            PRICE => &mut self.price,
            "QUANTITY" => &mut self.quantity,
            "TOTAL_PER_UNIT" => &mut self.total,
            "CURRENCY" => &mut self.currency,
            _ => return None,
        })
    }
}

/// Columns that tell rows apart; two that differ in nothing else are one, told again.
const DIMENSIONS: &[&str] = &[
    "ACCOUNT_KEY",
    "ACCOUNT_NAME",
    "APPLICATION_ID",
    "CATEGORY_CODE",
    "COUNTRY_CODE",
    "COUNTRY_ISO",
    "COUNTRY_NAME",
    "CURRENCY",
    "ENTITY_ID",
    "NETWORK_NAME",
    "OPERATOR_NAME",
    "SENDER_TYPE",
    "TRAFFIC_TYPE",
    PRICE,
    "UNIT_TYPE",
];

/// Emits each row.
pub(super) fn emit(
    result: &Result<'_>,
    identity: &mut Vec<u8>,
    out: &mut Emitter<'_>,
) -> std::result::Result<(), Dead> {
    let is_known = |name: &str| Row::default().slot(name).is_some() || DIMENSIONS.contains(&name);
    for name in result.columns.iter().filter_map(Scalar::text).filter(|name| !is_known(name)) {
        out.drift.other("columns", name);
    }
    if result.rows.len() == 0 {
        out.ignored(if result.has_rows { "empty" } else { "billing_failed" });
    }
    for (at, text) in result.rows.iter().enumerate() {
        let mut row = Row::default();
        if !read_row(text, result, &mut row, identity) {
            out.dead_at(DeadReason::UnknownVariant, format!("/response/rows/{at}"));
        } else if row.category.text().is_none() {
            let place = format!("/response/rows/{at}/CATEGORY_CODE");
            out.dead_at(DeadReason::MissingId, place);
        } else {
            charge(result, &row, identity, out);
        }
    }
    Ok(())
}

/// Reads a row and what identifies it; false where it has not as many values as there are columns.
fn read_row<'a>(
    text: &'a str,
    result: &Result<'_>,
    row: &mut Row<'a>,
    identity: &mut Vec<u8>,
) -> bool {
    identity.clear();
    let mut at = 0;
    let read = Cursor::new(text).array(|cursor| {
        let name = result.columns.get(at).and_then(Scalar::text).unwrap_or("");
        at += 1;
        let value = cursor.scalar()?;
        if DIMENSIONS.contains(&name) {
            let told = value.text().unwrap_or("");
            // A price is the same however it is spelled.
            let price = Some(told).filter(|_| name == PRICE).and_then(money::parse_sum);
            match price {
                Some(price) => identity::put(identity, name, &price.nanos.0.to_be_bytes()),
                None => identity::put(identity, name, told.as_bytes()),
            }
        }
        if let Some(slot) = row.slot(name) {
            *slot = value;
        }
        Ok(())
    });
    read.is_ok() && at == result.columns.len()
}

fn charge(result: &Result<'_>, row: &Row<'_>, identity: &[u8], out: &mut Emitter<'_>) {
    let code = row.category.text().unwrap_or("");
    let since = out.time(&result.since, parse_rfc3339);
    let until = out.time(&result.until, parse_rfc3339);
    let bytes = [since, until].map(|time| time.unwrap_or(i64::MIN).to_be_bytes());
    let mut parts = identity::sorted(identity);
    parts.extend(bytes.iter().map(<[u8; 8]>::as_slice));
    let unit = out.text(&row.unit);
    let (kind, channel) = category(code, unit.unwrap_or(""));
    let figures = Figures {
        quantity: out.figure(&row.quantity),
        unit_price: out.figure(&row.price),
        amount: out.figure(&row.total),
    };
    let mut charge = ChargeDraft::new(Subject::Period(&parts), kind, figures);
    charge.is_final = result.has_month && !result.has_open_month;
    charge.basis = if charge.is_final { Basis::Invoice } else { Basis::Vendor };
    charge.unit = unit;
    charge.currency = out.text(&row.currency);
    charge.period_us = [since, until];
    let mut sku = code.as_bytes().to_vec();
    let traffic = out.text(&row.traffic);
    if let Some(traffic) = traffic {
        sku.push(JOIN);
        sku.extend_from_slice(traffic.as_bytes());
    }
    charge.sku = std::str::from_utf8(&sku).ok();
    charge.account = out.text(&row.account).or_else(|| row.account_name.text());
    charge.channel = channel;
    let by_name = || row.country_name.text().and_then(countries::named);
    charge.country = out.text(&row.country).or_else(by_name);
    charge.carrier = out.text(&row.network);
    charge.traffic_class = words::meta_category(Folded::new(traffic.unwrap_or("")).as_str());
    out.charge(&charge);
}

fn category(code: &str, unit: &str) -> (ChargeKind, Channel) {
    let folded = Folded::new(code);
    let code = folded.as_str();
    if let Some(channel) = code.strip_suffix("_operator_fee") {
        return (ChargeKind::CarrierFee, words::channel(channel));
    }
    let channel = words::channel(code);
    let kind = match code {
        "number_lookup" => ChargeKind::Other,
        code if code.contains("number") => ChargeKind::Number,
        code if code.contains("tax") => ChargeKind::Tax,
        code if code.contains("credit") => ChargeKind::Credit,
        _ if channel == Channel::Unknown => ChargeKind::Other,
        _ if unit.eq_ignore_ascii_case("message part") => ChargeKind::Segment,
        _ => ChargeKind::Message,
    };
    (kind, channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_tells_kind_and_channel() {
        for (code, unit, expected) in [
            ("SMS", "message part", (ChargeKind::Segment, Channel::Sms)),
            ("SMS_OPERATOR_FEE", "message part", (ChargeKind::CarrierFee, Channel::Sms)),
            ("MMS_OPERATOR_FEE", "message", (ChargeKind::CarrierFee, Channel::Mms)),
            ("WHATSAPP", "message", (ChargeKind::Message, Channel::Whatsapp)),
            ("MOBILE_PUSH", "message", (ChargeKind::Message, Channel::Push)),
            ("NUMBER_LOOKUP", "query", (ChargeKind::Other, Channel::Unknown)),
            ("NUMBERS", "number", (ChargeKind::Number, Channel::Unknown)),
        ] {
            assert_eq!(category(code, unit), expected, "{code}");
        }
    }
}

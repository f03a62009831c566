//! Results of Infobip's billing usage API: rows of columns that the result names.
//! <https://www.infobip.com/docs/billing-usage-api>
//!
//! Each row is an element and a total over the period, whatever it is of: the asker chooses columns
//! and period, so two answers may hold the same money, and none of it can be added up. Traps: rows
//! are lists by position, in any order of columns; a row is known by its dimensions (`N/A` fills
//! those that have no value) and its `UNIT_PRICE`, of which `TOTAL_PER_UNIT` is the total; a credit
//! is negative in any of them; a column that is not known here, or a value that cannot be read,
//! tells rows apart all the same, as two that are taken for one lose money (figures do not: they
//! grow); a row of a `DAY` or a `MONTH` is of that part of the period; operators' fees are a
//! category of their own (`SMS_OPERATOR_FEE`), SMS are counted in message parts, what is billed by
//! the conversation or the session is none of messages; the period is half open and its times have
//! offsets without a colon; totals are rounded by the vendor and stand as they are; a volume that
//! is not finalised grows, so the finalised one stands whenever it came, and only it has the basis
//! `invoice`; it is told by month. A failed request is ignored, whatever it holds. Country names
//! are no ISO codes and tell rows apart only.

use model::money;
use model::time::{self, DAY_US, parse_local, parse_rfc3339};
use model::vocabulary::{Basis, Channel, ChargeKind, DeadReason};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::countries;
use crate::date;
use crate::draft::{Dead, Elements};
use crate::emit::Emitter;
use crate::identity;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::network::{self, split_network};
use crate::operators;
use crate::words::{self, Folded};

/// Column of the price of a unit.
const PRICE: &str = "UNIT_PRICE";

/// Fills a dimension that has no value.
const FILLER: &str = "N/A";

/// Separates parts of a sku.
const JOIN: char = '/';

/// A result; rows are JSON text, since the columns may stand behind them.
#[derive(Debug, Default)]
pub(super) struct Result<'a> {
    columns: Elements<Scalar<'a>>,
    rows: Elements<&'a str>,
    has_rows: bool,
    since: Scalar<'a>,
    until: Scalar<'a>,
    months: Elements<Month<'a>>,
    has_failed: bool,
    is_told: bool,
}

/// Whether a month's volume grows no more; its name is `yyyy-MM`.
#[derive(Debug, Default)]
struct Month<'a> {
    name: Scalar<'a>,
    is_final: bool,
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
        "failureMessage" => {
            result.has_failed = cursor.scalar()?.text().is_some();
            Ok(())
        }
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
        let mut month = Month::default();
        cursor.object_or_skip(|cursor, key| {
            match key {
                "month" => month.name = cursor.scalar()?,
                "volumeFinalized" => month.is_final = cursor.scalar()? == Scalar::Bool(true),
                _ => return cursor.other(),
            }
            Ok(())
        })?;
        result.months.hold(month, cursor)
    })
}

/// What a row says, by the names of its columns.
#[derive(Debug, Default)]
struct Row<'a> {
    day: Scalar<'a>,
    month: Scalar<'a>,
    category: Scalar<'a>,
    category_name: Scalar<'a>,
    account: Scalar<'a>,
    account_name: Scalar<'a>,
    traffic: Scalar<'a>,
    country: Scalar<'a>,
    country_name: Scalar<'a>,
    network: Scalar<'a>,
    network_code: Scalar<'a>,
    unit: Scalar<'a>,
    price: Scalar<'a>,
    quantity: Scalar<'a>,
    total: Scalar<'a>,
    currency: Scalar<'a>,
}

impl<'a> Row<'a> {
    fn slot(&mut self, name: &str) -> Option<&mut Scalar<'a>> {
        Some(match name {
            "DAY" => &mut self.day,
            "MONTH" => &mut self.month,
            "CATEGORY_CODE" => &mut self.category,
            "CATEGORY_NAME" => &mut self.category_name,
            "ACCOUNT_KEY" => &mut self.account,
            "ACCOUNT_NAME" => &mut self.account_name,
            "TRAFFIC_TYPE" => &mut self.traffic,
            "COUNTRY_CODE" | "COUNTRY_ISO" => &mut self.country,
            "COUNTRY_NAME" => &mut self.country_name,
            "NETWORK_NAME" | "OPERATOR_NAME" => &mut self.network,
            "NORM_NET_CODE" => &mut self.network_code,
            "UNIT_TYPE" => &mut self.unit,
            PRICE => &mut self.price,
            "QUANTITY" => &mut self.quantity,
            "TOTAL_PER_UNIT" => &mut self.total,
            "CURRENCY" => &mut self.currency,
            _ => return None,
        })
    }

    /// Its category's code, else its name as a code.
    fn category(&self) -> Option<String> {
        let name = || told(&self.category_name).map(|name| name.replace([' ', '-'], "_"));
        told(&self.category).map(str::to_owned).or_else(name)
    }

    /// The month of these, as it is spelled.
    fn own_month(&self) -> Option<&str> {
        told(&self.day).or_else(|| told(&self.month))?.get(.."yyyy-MM".len())
    }

    /// Its own day or month, from its begin to the next one's.
    fn own_period(&self) -> Option<[i64; 2]> {
        if let Some(day) = told(&self.day).and_then(begin) {
            return Some([day, day + DAY_US]);
        }
        let start = told(&self.month).and_then(begin)?;
        let (year, month, _) = time::civil_from_days(start.div_euclid(DAY_US));
        Some([start, start + time::days_in_month(year, month) * DAY_US])
    }
}

/// A dimension's value, where it has one.
fn told<'s>(value: &'s Scalar<'_>) -> Option<&'s str> {
    value.text().filter(|text| *text != FILLER)
}

/// A day's or a month's begin, UTC: a time, a day, or `yyyy-MM`.
fn begin(text: &str) -> Option<i64> {
    let whole = || parse_rfc3339(text).or_else(|| parse_local(text));
    whole().or_else(|| date::parse_day(text)).or_else(|| date::parse_day(&format!("{text}-01")))
}

/// Columns whose value tells rows apart whatever it is; others do where it is text.
const DIMENSIONS: &[&str] = &[
    "ACCOUNT_KEY",
    "ACCOUNT_NAME",
    "APPLICATION_ID",
    "CAMPAIGN_ID",
    "CAMPAIGN_REFERENCE",
    "CATEGORY_CODE",
    "COUNTRY_CODE",
    "COUNTRY_ISO",
    "COUNTRY_NAME",
    "COUNTRY_PREFIX",
    "CURRENCY",
    "DIRECTION",
    "ENTITY_ID",
    "NETWORK_NAME",
    "NORM_NET_CODE",
    "OPERATOR_NAME",
    "SENDER",
    "SENDER_TYPE",
    "SUBCATEGORY_CODE",
    "SUBCATEGORY_NAME",
    "TEMPLATE_ID",
    "TRAFFIC_TYPE",
    PRICE,
    "UNIT_TYPE",
    "USER_NAME",
];

/// Columns that count, and those that are the row's period.
const FIGURES: &[&str] = &["QUANTITY", "TOTAL_PER_UNIT"];
const PERIODS: &[&str] = &["DAY", "MONTH"];

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
    if result.rows.len() == 0 || result.has_failed {
        let is_empty = result.has_rows && !result.has_failed;
        out.ignored(if is_empty { "empty" } else { "billing_failed" });
        return Ok(());
    }
    for (at, text) in result.rows.iter().enumerate() {
        let mut row = Row::default();
        if !read_row(text, result, &mut row, identity) {
            out.dead_at(DeadReason::UnknownVariant, format!("/response/rows/{at}"));
        } else if let Some(category) = row.category() {
            charge(result, &row, (&category, identity), out);
        } else {
            let place = format!("/response/rows/{at}/CATEGORY_CODE");
            out.dead_at(DeadReason::MissingId, place);
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
        let column = result.columns.get(at);
        at += 1;
        // More values than columns: no row, whatever they are.
        let Some(column) = column else { return cursor.skip() };
        let name = column.text().unwrap_or("");
        let (spelled, value) = cursor.spelled_scalar()?;
        // A value that cannot be read tells its row from others by its bytes.
        let is_unread = value == Scalar::Unreadable;
        let is_text = is_unread || matches!(&value, Scalar::Text(text) if !text.is_empty());
        let is_dimension = match name {
            _ if FIGURES.contains(&name) => false,
            _ if PERIODS.contains(&name) => value.text().and_then(begin).is_none(),
            _ => is_text || DIMENSIONS.contains(&name),
        };
        if is_dimension {
            let told = if is_unread { spelled } else { value.text().unwrap_or("") };
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

fn charge(
    result: &Result<'_>,
    row: &Row<'_>,
    (code, identity): (&str, &[u8]),
    out: &mut Emitter<'_>,
) {
    let own = row.own_period();
    let unread = [&row.day, &row.month].into_iter().any(|own| told(own).is_some());
    out.counters.unreadable_fields += u64::from(unread && own.is_none());
    let asked = [&result.since, &result.until].map(|time| out.time(time, parse_rfc3339));
    let period_us = own.map_or(asked, |own| own.map(Some));
    let bytes = period_us.map(|time| time.unwrap_or(i64::MIN).to_be_bytes());
    let mut parts = identity::sorted(identity);
    parts.extend(bytes.iter().map(<[u8; 8]>::as_slice));
    let unit = out.text(&row.unit).filter(|unit| *unit != FILLER);
    let traffic = out.text(&row.traffic).filter(|traffic| *traffic != FILLER);
    let (kind, channel) = category(code, unit.unwrap_or(""), traffic.unwrap_or(""));
    let figures = Figures {
        quantity: out.figure(&row.quantity),
        unit_price: out.figure(&row.price),
        amount: out.figure(&row.total),
    };
    let mut charge = ChargeDraft::new(Subject::Period(&parts), kind, figures);
    charge.is_final = is_final(result, row.own_month().filter(|_| own.is_some()));
    charge.basis = if charge.is_final { Basis::Invoice } else { Basis::Vendor };
    charge.unit = unit;
    charge.currency = out.text(&row.currency);
    charge.period_us = period_us;
    let mut sku = code.to_owned();
    if let Some(traffic) = traffic {
        sku.push(JOIN);
        sku.push_str(traffic);
    }
    charge.sku = Some(&sku);
    charge.account = out.text(&row.account).filter(|account| *account != FILLER);
    charge.account = charge.account.or_else(|| told(&row.account_name));
    charge.channel = channel;
    let codes = told(&row.network_code).and_then(split_network);
    let operator = codes.and_then(|(mcc, mnc)| operators::find(mcc, mnc));
    let network = network::of_codes(operator.as_ref(), codes, &out.regional.carriers);
    let by_name = || told(&row.country_name).and_then(countries::named);
    let by_network = || operator.and_then(|operator| operator.country);
    charge.country = out.text(&row.country).filter(|code| *code != FILLER);
    charge.country = charge.country.or_else(by_name).or_else(by_network);
    charge.carrier = out.text(&row.network).filter(|name| *name != FILLER);
    charge.carrier = charge.carrier.or_else(|| network.name());
    charge.traffic_class = words::meta_category(Folded::new(traffic.unwrap_or("")).as_str());
    out.charge(&charge);
}

/// Whether the volume grows no more: of the month of a row that tells when it is of, else of all.
fn is_final(result: &Result<'_>, own: Option<&str>) -> bool {
    let is_own = |month: &&Month<'_>| own.is_none() || month.name.text() == own;
    let mut months = result.months.iter().filter(is_own).peekable();
    months.peek().is_some() && months.all(|month| month.is_final)
}

fn category(code: &str, unit: &str, traffic: &str) -> (ChargeKind, Channel) {
    let folded = Folded::new(code);
    let code = folded.as_str();
    if let Some(channel) = code.strip_suffix("_operator_fee") {
        return (ChargeKind::CarrierFee, words::channel(channel));
    }
    let channel = words::channel(code);
    let is_conversation = ["conversation", "session"].into_iter().any(|word| {
        unit.eq_ignore_ascii_case(word) || Folded::new(traffic).as_str().ends_with(word)
    });
    let kind = match code {
        "number_lookup" => ChargeKind::Other,
        code if code.contains("number") => ChargeKind::Number,
        code if code.contains("tax") => ChargeKind::Tax,
        code if code.contains("credit") => ChargeKind::Credit,
        _ if channel == Channel::Unknown => ChargeKind::Other,
        _ if is_conversation => ChargeKind::Conversation,
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
        for (code, unit, traffic, expected) in [
            ("SMS", "message part", "A2P", (ChargeKind::Segment, Channel::Sms)),
            ("SMS_OPERATOR_FEE", "message part", "", (ChargeKind::CarrierFee, Channel::Sms)),
            ("MMS_OPERATOR_FEE", "message", "", (ChargeKind::CarrierFee, Channel::Mms)),
            ("WHATSAPP", "message", "UTILITY", (ChargeKind::Message, Channel::Whatsapp)),
            ("MOBILE_PUSH", "message", "", (ChargeKind::Message, Channel::Push)),
            ("RCS", "message", "RICH", (ChargeKind::Message, Channel::Rcs)),
            ("RCS", "conversation", "", (ChargeKind::Conversation, Channel::Rcs)),
            ("RCS", "", "A2P_CONVERSATION", (ChargeKind::Conversation, Channel::Rcs)),
            ("RCS", "session", "INTERACTIVE_SESSION", (ChargeKind::Conversation, Channel::Rcs)),
            ("NUMBER_LOOKUP", "query", "", (ChargeKind::Other, Channel::Unknown)),
            ("NUMBERS", "number", "", (ChargeKind::Number, Channel::Unknown)),
        ] {
            assert_eq!(category(code, unit, traffic), expected, "{code} {unit} {traffic}");
        }
    }
}

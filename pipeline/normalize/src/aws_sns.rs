//! Amazon SNS: delivery logs of SMS in CloudWatch, bare or in any envelope of [`crate::aws`].
//! <https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html>
//!
//! | `status` | `delivery.providerResponse` | canonical |
//! |---|---|---|
//! | SUCCESS | Message has been accepted by phone; Delivered | delivered, final |
//! | SUCCESS | Message has been accepted by phone carrier; anything else | sent |
//! | FAILURE | Blocked as spam by phone carrier | rejected |
//! | FAILURE | Phone carrier has blocked this message | rejected |
//! | FAILURE | Destination or phone is blacklisted, is on a blocked list | rejected |
//! | FAILURE | Invalid phone number; Message body is invalid | rejected |
//! | FAILURE | Phone number is opted out; This delivery would exceed max price | rejected |
//! | FAILURE | Phone carrier or phone is currently unreachable/unavailable | undelivered |
//! | FAILURE | Phone has blocked SMS | undelivered |
//! | FAILURE | Unknown error attempting to reach phone; anything else | failed |
//!
//! All failures are final. Traps: SUCCESS alone says no more than that a carrier took it; times are
//! UTC without saying so, and are those of the publication, so they are submit times, and the event
//! is later by `dwellTimeMs`, a delivery by `dwellTimeMsUntilDeviceAck`; `mcc` and `mnc` are
//! numbers, so an MNC has lost its leading zeros (it gets them back where only one network can be
//! meant) and 0 is unknown; logs of successes may be a sample; the documented sample is no JSON;
//! the log event's id, where an envelope holds it, is the event's. The usage report (CSV, a row a
//! part): see [`usage`]. A publication to a topic reaches several numbers under one id, so a
//! message is known by both. Responses are found by what they hold. `priceInUSD` is the price of
//! the whole message. Logs of other protocols are ignored.

mod usage;

use model::time::{DAY_US, MILLI_US, parse_local, parse_rfc3339};
use model::vocabulary::{Channel, DeadReason, ErrorClass, PriceUnit, Status, TrafficClass};

use crate::aws::{self, Unwrapped};
use crate::catalogue::{Module, charges, events, ignored};
use crate::draft::{Dead, Draft, Outcome};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::operators;
use crate::record::{Record, Scratch};

/// Longest dwell time.
const DWELL_MAX_US: i64 = 35 * DAY_US;

#[derive(Debug, Default)]
struct Log<'a> {
    message_id: Scalar<'a>,
    timestamp: Scalar<'a>,
    status: Scalar<'a>,
    response: Scalar<'a>,
    destination: Scalar<'a>,
    price: Scalar<'a>,
    sms_type: Scalar<'a>,
    carrier: Scalar<'a>,
    mcc: Scalar<'a>,
    mnc: Scalar<'a>,
    parts: Scalar<'a>,
    dwell: Scalar<'a>,
    dwell_until_ack: Scalar<'a>,
    /// A delivery to an application, queue or address: SMS logs have none of these fields.
    is_other_protocol: bool,
    /// `notification` or `delivery` was no object.
    unreadable: u64,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    if record.value.starts_with('{') {
        return aws::each_event(record.value, out, &mut log);
    }
    if usage::is_report(record.value) {
        return usage::read(record.value, out);
    }
    if let Some(rows) = aws::billing_rows(record.value) {
        (0..rows).for_each(|_| out.ignored("billing_usage"));
        return Ok(());
    }
    if usage::is_row(record.value) {
        return usage::read_row(record.value, out);
    }
    aws::each_event(record.value, out, &mut log)
}

fn log(item: &Unwrapped<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut log = Log::default();
    Cursor::watched(item.text, out.drift)
        .document_or_skip(|cursor, key| field(cursor, key, &mut log))?;
    if log.is_other_protocol {
        out.ignored("other_protocol");
        return Ok(());
    }
    let (id, word) = match (log.message_id.text(), log.status.text()) {
        (Some(id), Some(word)) => (id, word),
        (None, Some(_)) => return Err(item.dead(DeadReason::MissingId, "notification/messageId")),
        (Some(_), None) => return Err(item.dead(DeadReason::MissingStatus, "status")),
        (None, None) => return Err(item.dead(DeadReason::UnknownVariant, "notification")),
    };
    emit(&log, item, (id, word), out);
    Ok(())
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, log: &mut Log<'a>) -> Result<(), Syntax> {
    match key {
        "notification" => part(cursor, log, notification),
        "delivery" => part(cursor, log, delivery),
        "status" => {
            log.status = cursor.scalar()?;
            Ok(())
        }
        _ => cursor.other(),
    }
}

fn part<'a>(
    cursor: &mut Cursor<'a>,
    log: &mut Log<'a>,
    field: fn(&mut Cursor<'a>, &str, &mut Log<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, key| field(cursor, key, log))?;
    log.unreadable += u64::from(!is_object);
    Ok(())
}

fn notification<'a>(cursor: &mut Cursor<'a>, key: &str, log: &mut Log<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "messageId" => &mut log.message_id,
        "timestamp" => &mut log.timestamp,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn delivery<'a>(cursor: &mut Cursor<'a>, key: &str, log: &mut Log<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "providerResponse" => &mut log.response,
        "destination" => &mut log.destination,
        "priceInUSD" => &mut log.price,
        "smsType" => &mut log.sms_type,
        "phoneCarrier" => &mut log.carrier,
        "mcc" => &mut log.mcc,
        "mnc" => &mut log.mnc,
        "numberOfMessageParts" => &mut log.parts,
        "dwellTimeMs" => &mut log.dwell,
        "dwellTimeMsUntilDeviceAck" => &mut log.dwell_until_ack,
        "statusCode" | "token" | "deliveryId" => {
            log.is_other_protocol = true;
            return cursor.skip();
        }
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// UTC without a zone; a copy that names one is read as well.
fn time(text: &str) -> Option<i64> {
    parse_local(text).or_else(|| parse_rfc3339(text))
}

/// A dwell time; none is longer than a message is kept.
fn dwell(text: &str) -> Option<i64> {
    let dwell_us = text.parse::<i64>().ok()?.checked_mul(MILLI_US)?;
    (0..=DWELL_MAX_US).contains(&dwell_us).then_some(dwell_us)
}

fn emit(log: &Log<'_>, item: &Unwrapped<'_>, told: (&str, &str), out: &mut Emitter<'_>) {
    let (id, word) = told;
    out.counters.unreadable_fields += log.unreadable;
    let response = out.text(&log.response);
    let (outcome, class) = reading(word, response, out);
    let event_parts: [&[u8]; 2] = [id.as_bytes(), item.log_event.unwrap_or("").as_bytes()];
    let mut draft = Draft::new(id, Channel::Sms, outcome);
    if item.log_event.is_some() {
        draft.event_parts = &event_parts;
    }
    draft.account = item.account;
    draft.vendor_status = Some(response.unwrap_or(word));
    draft.error_class = class;
    let published = out.time(&log.timestamp, time);
    draft.submit_time_us = published;
    let until_ack = out.time(&log.dwell_until_ack, dwell).filter(|_| outcome.0.is_delivered());
    let dwelt = until_ack.or_else(|| out.time(&log.dwell, dwell));
    draft.event_time_us = published.map(|published| published + dwelt.unwrap_or(0));
    draft.recipient = out.text(&log.destination);
    // Of a topic with several subscribers one publication reaches each; reports tell no plus sign.
    draft.key_part = draft.recipient.unwrap_or("").trim_start_matches('+');
    draft.mcc = out.network_code(&log.mcc);
    let number = out.network_code(&log.mnc);
    let operator = draft.mcc.zip(number).and_then(|(mcc, mnc)| operators::find_number(mcc, mnc));
    draft.mnc = operator.map(|operator| operator.mnc).or(number);
    draft.carrier = out.text(&log.carrier);
    draft.traffic_class = match out.text(&log.sms_type) {
        Some("Transactional") => TrafficClass::Transactional,
        Some("Promotional") => TrafficClass::Marketing,
        _ => TrafficClass::Unknown,
    };
    draft.segments = out.segments(&log.parts);
    draft.price = out.price(&log.price);
    draft.price_unit = PriceUnit::Message;
    draft.currency = draft.price.map(|_| "USD");
    out.event(&draft);
}

fn reading(
    word: &str,
    response: Option<&str>,
    out: &mut Emitter<'_>,
) -> (Outcome, Option<ErrorClass>) {
    let response = response.map_or("", |response| response.trim().trim_end_matches('.'));
    let is = |text: &str| response.eq_ignore_ascii_case(text);
    match word {
        "SUCCESS" if is("Delivered") || is("Message has been accepted by phone") => {
            (Outcome::settled(Status::Delivered), None)
        }
        "SUCCESS" => (Outcome::open(Status::Sent), None),
        "FAILURE" => {
            let response = response.to_ascii_lowercase();
            let known = FAILURES.iter().find(|(words, ..)| response.contains(words));
            let (status, class) =
                known.map_or((Status::Failed, None), |(_, status, class)| (*status, Some(*class)));
            (Outcome::settled(status), class)
        }
        _ => (out.unknown_status(), None),
    }
}

/// What responses to a failed delivery hold, in lower case, the first that does; lists of blocked
/// numbers had another name until 2021.
const FAILURES: &[(&str, Status, ErrorClass)] = &[
    ("blocked as spam", Status::Rejected, ErrorClass::Spam),
    ("phone carrier has blocked", Status::Rejected, ErrorClass::Blocked),
    ("is blacklisted", Status::Rejected, ErrorClass::Blocked),
    ("is on a blocked list", Status::Rejected, ErrorClass::Blocked),
    ("opted out", Status::Rejected, ErrorClass::OptedOut),
    ("message body is invalid", Status::Rejected, ErrorClass::InvalidRequest),
    ("invalid phone number", Status::Rejected, ErrorClass::UnknownRecipient),
    ("exceed max price", Status::Rejected, ErrorClass::Configuration),
    ("unreachable", Status::Undelivered, ErrorClass::Unreachable),
    ("unavailable", Status::Undelivered, ErrorClass::Unreachable),
    ("phone has blocked sms", Status::Undelivered, ErrorClass::Blocked),
    ("unknown error", Status::Failed, ErrorClass::Unknown),
];

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html",
    variants: &[
        events("delivery log, JSON", &["delivered.json", "successes.json", "failures.json"]),
        events(
            "in CloudWatch logs, JSON in JSON",
            &["cloudwatch_logs.json", "filtered_log_events.json", "log_line.txt"],
        ),
        events("in CloudWatch logs, base64 of JSON", &["cloudwatch_plain_base64.json"]),
        charges("daily usage report, CSV", &["usage_report.txt", "usage_row.txt"]),
        ignored("log of another protocol, JSON", &["other_protocol.json"]),
    ],
    documented: &["DeliveryStatus", "attempts"],
};

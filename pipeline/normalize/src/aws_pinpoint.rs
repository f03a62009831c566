//! Amazon Pinpoint's event stream (legacy): SMS events, bare or in any envelope of [`crate::aws`].
//! <https://docs.aws.amazon.com/pinpoint/latest/developerguide/event-streams-data-sms.html>
//!
//! | `event_type` | `record_status` | canonical |
//! |---|---|---|
//! | _SMS.BUFFERED | SUCCESSFUL, or none | sent |
//! | _SMS.BUFFERED | PENDING, QUEUED | accepted, queued |
//! | _SMS.SUCCESS | DELIVERED | delivered, final |
//! | _SMS.SUCCESS | SUCCESSFUL, or none | sent: the carrier took it |
//! | _SMS.FAILURE | INVALID, INVALID_MESSAGE, BLOCKED, CARRIER_BLOCKED, SPAM | rejected, final |
//! | _SMS.FAILURE | UNREACHABLE, CARRIER_UNREACHABLE | undelivered, final |
//! | _SMS.FAILURE | TTL_EXPIRED | expired, final |
//! | _SMS.FAILURE | UNKNOWN | unknown, final |
//! | _SMS.FAILURE | none, or one that is not listed | failed, final |
//! | _SMS.OPTOUT, _SMS.RECEIVED, events of other channels and of apps | | ignored |
//!
//! Traps: all attributes are texts; the price is in thousandths of a US cent (645.0 = $0.00645);
//! events of one message may have the same time and the same `record_status`, so `event_type` is
//! part of the event id; `event_timestamp` is a number of milliseconds, in some copies ISO 8601.

use model::money::Nanos;
use model::vocabulary::{Channel, DeadReason, ErrorClass, PriceUnit, Status, TrafficClass};

use crate::answer::instant;
use crate::aws::{self, Unwrapped};
use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Outcome};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::network::split_network;
use crate::record::{Record, Scratch};

/// Thousandths of a cent in a dollar.
const MILLICENTS: i128 = 100_000;

#[derive(Debug, Default)]
struct Event<'a> {
    event_type: Scalar<'a>,
    timestamp: Scalar<'a>,
    account: Scalar<'a>,
    price: Scalar<'a>,
    message_id: Scalar<'a>,
    status: Scalar<'a>,
    origination: Scalar<'a>,
    destination: Scalar<'a>,
    country: Scalar<'a>,
    parts: Scalar<'a>,
    message_type: Scalar<'a>,
    campaign: Scalar<'a>,
    request: Scalar<'a>,
    carrier: Scalar<'a>,
    network: Scalar<'a>,
    /// `attributes` or `metrics` were no objects.
    unreadable: u64,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    if let Some(rows) = aws::billing_rows(record.value) {
        (0..rows).for_each(|_| out.ignored("billing_usage"));
        return Ok(());
    }
    aws::each_event(record.value, out, &mut event)
}

fn event(item: &Unwrapped<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut event = Event::default();
    Cursor::watched(item.text, out.drift)
        .document_or_skip(|cursor, key| field(cursor, key, &mut event))?;
    let Some(event_type) = event.event_type.text() else {
        let reason = match event.message_id.text() {
            Some(_) => DeadReason::MissingStatus,
            None => DeadReason::UnknownVariant,
        };
        return Err(item.dead(reason, "event_type"));
    };
    match event_type.strip_prefix("_SMS.") {
        Some("RECEIVED") => out.ignored("inbound"),
        Some("OPTOUT") => out.ignored("subscription"),
        Some(typed) => {
            let id = event.message_id.text();
            let id = id.ok_or_else(|| item.dead(DeadReason::MissingId, "attributes/message_id"))?;
            emit(&event, item, (id, typed), out);
        }
        // `_email.send`, `_campaign.send`, `_session.start`, an app's own events.
        None => out.ignored("other_event"),
    }
    Ok(())
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, event: &mut Event<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "event_type" => &mut event.event_type,
        "event_timestamp" => &mut event.timestamp,
        "awsAccountId" => &mut event.account,
        "attributes" => return part(cursor, event, attribute),
        "metrics" => return part(cursor, event, metric),
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn part<'a>(
    cursor: &mut Cursor<'a>,
    event: &mut Event<'a>,
    field: fn(&mut Cursor<'a>, &str, &mut Event<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, key| field(cursor, key, event))?;
    event.unreadable += u64::from(!is_object);
    Ok(())
}

fn attribute<'a>(cursor: &mut Cursor<'a>, key: &str, event: &mut Event<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "message_id" => &mut event.message_id,
        "record_status" => &mut event.status,
        "origination_phone_number" => &mut event.origination,
        "destination_phone_number" => &mut event.destination,
        "iso_country_code" => &mut event.country,
        "number_of_message_parts" => &mut event.parts,
        "message_type" => &mut event.message_type,
        "campaign_id" => &mut event.campaign,
        "sender_request_id" => &mut event.request,
        "carrier_name" => &mut event.carrier,
        "mcc_mnc" => &mut event.network,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

fn metric<'a>(cursor: &mut Cursor<'a>, key: &str, event: &mut Event<'a>) -> Result<(), Syntax> {
    if key != "price_in_millicents_usd" {
        return cursor.other();
    }
    event.price = cursor.scalar()?;
    Ok(())
}

fn emit(event: &Event<'_>, item: &Unwrapped<'_>, told: (&str, &str), out: &mut Emitter<'_>) {
    let (id, typed) = told;
    out.counters.unreadable_fields += event.unreadable;
    let record_status = out.text(&event.status);
    let (outcome, class) = reading(typed, record_status, out);
    // AWS's zone is UTC, also where a copy leaves it out.
    let time = |text: &str| instant(text).or_else(|| model::time::parse_local(text));
    let time = out.time(&event.timestamp, time);
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    // A type that nobody knows says more than a status that everybody does.
    let told_status = record_status.filter(|_| by_type(typed).is_some());
    let word = told_status.or_else(|| event.event_type.text());
    let event_parts: [&[u8]; 4] =
        [id.as_bytes(), typed.as_bytes(), word.unwrap_or("").as_bytes(), &time_bytes];
    let mut draft = Draft::new(id, Channel::Sms, outcome);
    draft.event_parts = &event_parts;
    draft.account = out.text(&event.account).or(item.account);
    draft.logical_id = out.text(&event.request);
    draft.vendor_status = word;
    draft.error_class = class;
    draft.event_time_us = time;
    draft.recipient = out.text(&event.destination);
    draft.sender = out.text(&event.origination);
    draft.country = out.text(&event.country);
    draft.carrier = out.text(&event.carrier);
    if let Some(code) = out.text(&event.network) {
        let network = split_network(code);
        out.counters.unreadable_fields += u64::from(network.is_none());
        (draft.mcc, draft.mnc) = network.unzip();
    }
    draft.traffic_class = match out.text(&event.message_type) {
        Some(word) if word.eq_ignore_ascii_case("Transactional") => TrafficClass::Transactional,
        Some(word) if word.eq_ignore_ascii_case("Promotional") => TrafficClass::Marketing,
        _ => TrafficClass::Unknown,
    };
    draft.campaign = out.text(&event.campaign);
    draft.segments = out.segments(&event.parts);
    draft.price = out.price(&event.price).map(|millicents| dollars(millicents, out));
    draft.price_unit = PriceUnit::Message;
    draft.currency = draft.price.map(|_| "USD");
    out.event(&draft);
}

/// The type says how it ended, the record's status why.
fn reading(
    typed: &str,
    record_status: Option<&str>,
    out: &mut Emitter<'_>,
) -> (Outcome, Option<ErrorClass>) {
    let told = record_status.and_then(aws::status);
    match (by_type(typed), told, record_status) {
        (Some(_), Some(told), _) => return told,
        (Some(by_type), None, None) => return (by_type, None),
        _ => {}
    }
    let unknown = out.unknown_status();
    // Of a word that nobody knows the type still says that it is a failure.
    let is_failure = typed == "FAILURE";
    let failed = is_failure.then_some(Outcome::settled(Status::Failed));
    (failed.unwrap_or(unknown), None)
}

fn by_type(typed: &str) -> Option<Outcome> {
    match typed {
        "BUFFERED" | "SUCCESS" => Some(Outcome::open(Status::Sent)),
        "FAILURE" => Some(Outcome::settled(Status::Failed)),
        _ => None,
    }
}

/// Dollars of thousandths of a cent, rounded half to even.
fn dollars(millicents: Nanos, out: &mut Emitter<'_>) -> Nanos {
    let (quotient, rest) = (millicents.0 / MILLICENTS, millicents.0 % MILLICENTS);
    out.counters.rounded_prices += u64::from(rest != 0);
    let half = MILLICENTS / 2;
    let up = rest > half || (rest == half && quotient % 2 == 1);
    Nanos(quotient + i128::from(up))
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://docs.aws.amazon.com/pinpoint/latest/developerguide/event-streams-data-sms.html",
    variants: &[
        events("SMS event, JSON", &["sms_delivered.json", "failures.json", "prices.json"]),
        events("Firehose objects, one behind the other", &["firehose.txt"]),
        events("in an SNS notification, JSON in JSON", &["sns_notification.json"]),
        ignored("other events, JSON", &["other_events.json"]),
    ],
    documented: &[
        "application",
        "arrival_timestamp",
        "campaign_activity_id",
        "client",
        "customer_context",
        "device",
        "event_version",
        "session",
        "treatment_id",
    ],
};

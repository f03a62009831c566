//! MessageBird REST: status reports (GET query, also a form or flat JSON), message objects and
//! their lists (JSON). <https://developers.messagebird.com/api/sms-messaging>
//!
//! | `status` | canonical |
//! |---|---|
//! | scheduled | accepted |
//! | sent, buffered | sent |
//! | delivered | delivered, final |
//! | expired | expired, final |
//! | `delivery_failed` | undelivered, final |
//!
//! Traps: a report is a GET without a body, its price in `price[amount]` and `price[currency]`; a
//! message object holds one element a recipient, who is a JSON number there; all of them share one
//! id, so the recipient is part of the key; `sent` may stand beside the reason "successfully
//! delivered", and the status decides; `0.000` is a price that is not known yet, and a later one
//! is a new event; short-code inbound names its fields differently (`mid`, `shortcode`, `message`)
//! and may have no text.
//!
//! Channel: MMS where `mediaUrls` are told, else SMS. The price is the whole message's.

mod errors;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, PriceUnit, Status};

use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Elements, Outcome};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{List, object};
use crate::network::split_network;
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// A report, a recipient of a message object, or what a message says of all its recipients.
#[derive(Debug, Default)]
struct Report<'a> {
    id: Scalar<'a>,
    reference: Scalar<'a>,
    recipient: Scalar<'a>,
    originator: Scalar<'a>,
    status: Scalar<'a>,
    reason: Scalar<'a>,
    code: Scalar<'a>,
    time: Scalar<'a>,
    created: Scalar<'a>,
    scheduled: Scalar<'a>,
    direction: Scalar<'a>,
    network: Scalar<'a>,
    mcc: Scalar<'a>,
    mnc: Scalar<'a>,
    operator: Scalar<'a>,
    parts: Scalar<'a>,
    amount: Scalar<'a>,
    currency: Scalar<'a>,
    has_body: bool,
    has_media: bool,
    /// `mid` beside a `shortcode`: what a short code got.
    has_mid: bool,
    has_shortcode: bool,
    /// Fields whose value was no object where one belongs.
    unreadable: u64,
    is_damaged: bool,
}

/// A message object, or a report that stands alone.
#[derive(Debug, Default)]
struct Message<'a> {
    own: Report<'a>,
    recipients: Elements<Report<'a>>,
    has_recipients: bool,
}

/// Where an element stands: its message in a list, its position among the recipients.
#[derive(Debug, Clone, Copy)]
struct Spot {
    list: Option<(&'static str, usize)>,
    recipient: Option<usize>,
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((list, at)) = self.list {
            write!(f, "{list}/{at}")?;
        }
        match self.recipient {
            Some(at) => write!(f, "/recipients/items/{at}"),
            None => Ok(()),
        }
    }
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let value = record.value.trim_ascii();
    if value.is_empty() {
        form(record.query().unwrap_or(""), scratch, out);
        return Ok(());
    }
    if Cursor::new(value).kind() != Kind::Scalar {
        return json(record.value, out);
    }
    if value.starts_with('"') || !value.contains('=') {
        return Err(Dead::new(DeadReason::Syntax, "byte 0"));
    }
    form(value, scratch, out);
    Ok(())
}

fn form(text: &str, scratch: &mut Scratch, out: &mut Emitter<'_>) {
    scratch.form.read(text);
    let mut report = Report::default();
    for (name, value) in scratch.form.scalars() {
        match std::str::from_utf8(name).unwrap_or("") {
            "body" | "message" => report.has_body = true,
            "mediaUrls" => report.has_media = true,
            "shortcode" => report.has_shortcode = true,
            name => {
                report.has_mid |= name == "mid";
                let Some(slot) = slot(&mut report, name) else {
                    out.drift.other("", name);
                    continue;
                };
                // Of a repeated name the first value stands.
                if !slot.is_present() {
                    *slot = value;
                }
            }
        }
    }
    single(&report, Spot { list: None, recipient: None }, out);
}

fn slot<'r, 'a>(report: &'r mut Report<'a>, name: &str) -> Option<&'r mut Scalar<'a>> {
    Some(match name {
        "id" | "mid" => &mut report.id,
        "reference" => &mut report.reference,
        "recipient" => &mut report.recipient,
        "originator" => &mut report.originator,
        "status" => &mut report.status,
        "statusReason" => &mut report.reason,
        "statusErrorCode" => &mut report.code,
        "statusDatetime" => &mut report.time,
        "createdDatetime" => &mut report.created,
        "scheduledDatetime" => &mut report.scheduled,
        "direction" => &mut report.direction,
        "mccmnc" => &mut report.network,
        "mcc" => &mut report.mcc,
        "mnc" => &mut report.mnc,
        "recipientOperator" => &mut report.operator,
        "messagePartCount" => &mut report.parts,
        "price[amount]" => &mut report.amount,
        "price[currency]" => &mut report.currency,
        _ => return None,
    })
}

fn json(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut messages = List::default();
    let mut single = Message::default();
    let mut list = None;
    if cursor.kind() == Kind::Array {
        list = Some("");
        messages.read(&mut cursor, message)?;
    } else {
        cursor.object(|cursor, key| match key {
            "items" if cursor.kind() == Kind::Array => {
                list = Some("/items");
                messages.read(cursor, message)
            }
            _ => field(cursor, key, &mut single),
        })?;
    }
    cursor.end()?;
    let Some(list) = list else {
        emit(&single, None, out);
        return Ok(());
    };
    if messages.len() == 0 {
        out.ignored("empty");
    }
    messages.each(message, |at, message| emit(message, Some((list, at)), out));
    Ok(())
}

fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Syntax> {
    object(cursor, field, |message: &mut Message<'_>| message.own.is_damaged = true)
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, message: &mut Message<'a>) -> Result<(), Syntax> {
    if key == "recipients" && cursor.is_null() {
        return cursor.skip();
    }
    if key != "recipients" || cursor.kind() != Kind::Object {
        return report_field(cursor, key, &mut message.own);
    }
    message.has_recipients = true;
    cursor.object(|cursor, key| {
        if key != "items" || cursor.kind() != Kind::Array {
            return cursor.other();
        }
        cursor.array(|cursor| {
            let mut report = Report::default();
            let is_object =
                cursor.object_or_skip(|cursor, key| report_field(cursor, key, &mut report))?;
            report.is_damaged = !is_object;
            message.recipients.hold(report, cursor)
        })
    })
}

fn report_field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    report: &mut Report<'a>,
) -> Result<(), Syntax> {
    match key {
        "price" => return price(cursor, report),
        "body" | "message" => report.has_body = true,
        "mediaUrls" => report.has_media = !cursor.is_null(),
        "shortcode" => report.has_shortcode = !cursor.is_null(),
        _ => {
            report.has_mid |= key == "mid";
            let Some(slot) = slot(report, key) else { return cursor.other() };
            *slot = cursor.scalar()?;
            return Ok(());
        }
    }
    cursor.skip()
}

fn price<'a>(cursor: &mut Cursor<'a>, report: &mut Report<'a>) -> Result<(), Syntax> {
    if cursor.is_null() {
        return cursor.skip();
    }
    let is_object = cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "amount" => &mut report.amount,
            "currency" => &mut report.currency,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    report.unreadable += u64::from(!is_object);
    Ok(())
}

fn emit(message: &Message<'_>, list: Option<(&'static str, usize)>, out: &mut Emitter<'_>) {
    let own = &message.own;
    let spot = Spot { list, recipient: None };
    if !message.has_recipients {
        return single(own, spot, out);
    }
    if own.direction.text().is_some_and(is_inbound) {
        return out.ignored("inbound");
    }
    if message.recipients.len() == 0 {
        out.ignored("empty");
    }
    for (at, report) in message.recipients.iter().enumerate() {
        let spot = Spot { list, recipient: Some(at) };
        if report.is_damaged {
            out.dead_at(DeadReason::UnknownVariant, spot.to_string());
            continue;
        }
        match (own.id.text(), report.status.text()) {
            // All of them share one id: it would be taken for another's.
            _ if report.recipient.is_unreadable() => {
                out.dead_at(DeadReason::MissingId, format!("{spot}/recipient"));
            }
            (None, _) => {
                let own = Spot { list, recipient: None };
                out.dead_at(DeadReason::MissingId, format!("{own}/id"));
            }
            (_, None) => out.dead_at(DeadReason::MissingStatus, format!("{spot}/status")),
            (Some(id), Some(word)) => event(own, report, (id, word), out),
        }
    }
}

fn is_inbound(direction: &str) -> bool {
    direction.eq_ignore_ascii_case("mo")
}

/// A report that names its own message.
fn single(report: &Report<'_>, spot: Spot, out: &mut Emitter<'_>) {
    if report.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, spot.to_string());
    }
    let is_inbound = match report.direction.text() {
        Some(direction) => is_inbound(direction),
        None if report.has_mid && report.has_shortcode => true,
        None => report.originator.is_present() && (report.has_body || report.has_media),
    };
    match (report.id.text(), report.status.text()) {
        (_, None) if is_inbound => out.ignored("inbound"),
        (None, None) => out.dead_at(DeadReason::UnknownVariant, format!("{spot}/id")),
        (None, Some(_)) => out.dead_at(DeadReason::MissingId, format!("{spot}/id")),
        (Some(_), None) => out.dead_at(DeadReason::MissingStatus, format!("{spot}/status")),
        (Some(id), Some(word)) => event(report, report, (id, word), out),
    }
}

fn event(own: &Report<'_>, report: &Report<'_>, (id, word): (&str, &str), out: &mut Emitter<'_>) {
    out.counters.unreadable_fields += report.unreadable;
    let channel = if own.has_media { Channel::Mms } else { Channel::Sms };
    let mut draft = Draft::new(id, channel, outcome(word, out));
    let recipient = out.text(&report.recipient);
    // A number in the object has no plus sign, and in a query it may have become a space.
    let person = recipient.unwrap_or("").trim_start_matches(['+', ' ']);
    let time = out.time(&report.time, reported_time);
    let code = out.text(&report.code).filter(|code| !words::is_no_error(code));
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    // A price is news where it is one, however it is spelled.
    let price = out.price(&report.amount);
    let price_bytes = price.map_or(0, |price| price.0).to_be_bytes();
    let event_parts: [&[u8]; 6] = [
        id.as_bytes(),
        person.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        &time_bytes,
        &price_bytes,
    ];
    draft.event_parts = &event_parts;
    draft.key_part = person;
    draft.vendor_status = Some(word);
    draft.error_code = code;
    draft.error_class = errors::class(code, report.reason.text());
    draft.event_time_us = time;
    let scheduled = out.time(&own.scheduled, parse_rfc3339);
    draft.submit_time_us = scheduled.or_else(|| out.time(&own.created, parse_rfc3339));
    draft.recipient = recipient;
    draft.logical_id = out.text(&own.reference);
    draft.sender = out.text(&own.originator);
    draft.carrier = out.text(&report.operator);
    draft.segments = out.segments(&report.parts);
    (draft.mcc, draft.mnc) = network(report, out);
    draft.price = price;
    draft.price_unit = PriceUnit::Message;
    draft.currency = out.text(&report.currency).filter(|_| draft.price.is_some());
    out.event(&draft);
}

/// A plus sign that a query did not encode has become a space.
fn reported_time(text: &str) -> Option<i64> {
    let repaired = || Some([text.get(..19)?, "+", text.get(20..)?].concat());
    match text.as_bytes().get(19) {
        Some(b' ') if text.len() > 20 => parse_rfc3339(&repaired()?),
        _ => parse_rfc3339(text),
    }
}

/// `mccmnc`, else `mcc` and `mnc`; zeros are an unknown network.
fn network<'r>(
    report: &'r Report<'_>,
    out: &mut Emitter<'_>,
) -> (Option<&'r str>, Option<&'r str>) {
    let told = out.text(&report.network).filter(|code| code.bytes().any(|byte| byte != b'0'));
    if let Some(code) = told {
        let split = split_network(code);
        out.counters.unreadable_fields += u64::from(split.is_none());
        return split.unzip();
    }
    let mcc = out.network_code(&report.mcc);
    (mcc, out.network_code(&report.mnc))
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "scheduled" => Outcome::open(Status::Accepted),
        "sent" | "buffered" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "expired" => Outcome::settled(Status::Expired),
        "delivery_failed" => Outcome::settled(Status::Undelivered),
        _ => out.unknown_status(),
    }
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developers.messagebird.com/api/sms-messaging",
    variants: &[
        events(
            "status report, GET",
            &["report_delivered.record.json", "report_expired.record.json"],
        ),
        events("status report, form", &["report_form.record.json"]),
        events("message object, JSON", &["message_object.json"]),
        events("list of message objects, JSON", &["message_list.json"]),
        ignored("inbound message, GET", &["inbound_shortcode.record.json"]),
    ],
    documented: &[
        "count",
        "datacoding",
        "gateway",
        "href",
        "limit",
        "links",
        "mclass",
        "messageLength",
        "offset",
        "ported",
        "receive_datetime",
        "recipientCountry",
        "recipientCountryPrefix",
        "subject",
        "totalCount",
        "totalDeliveredCount",
        "totalDeliveryFailedCount",
        "totalSentCount",
        "type",
        "typeDetails",
        "validity",
    ],
};

//! Vonage: SMS delivery receipts (GET query, form or JSON), Messages API status callbacks (v1 and
//! v0.1), rows of the Reports API (JSON and CSV).
//! <https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts>,
//! <https://developer.vonage.com/en/messages/concepts/messages-status-callbacks>
//!
//! | `status` | canonical |
//! |---|---|
//! | submitted, accepted, buffered | sent |
//! | delivered, read | delivered, read; final |
//! | failed | undelivered, final |
//! | undeliverable | failed, final: the provider could not be reached |
//! | rejected | rejected, final; also where the time to live ran out |
//! | expired | expired, final |
//! | unknown | unknown |
//!
//! Traps: an SMS sends one receipt a part and each part has its own `messageId`, so a part is a
//! message here and its price the part's, in the account's currency that no field tells; in a
//! receipt `to` is the sender and `msisdn` the recipient; `scts` is the recipient's local time, so
//! the event's time is `message-timestamp`, which comes in two spellings and is UTC in both, and
//! `scts` only stands in; a query that nobody escaped turns `+00:00` into ` 00:00`; a carrier may
//! make a receipt up, which no field shows. Messages: see [`messages`]; reports: see [`reports`].
//! One status table serves all three.
//!
//! Channel: SMS for receipts; `channel` in Messages; `provider` in reports, without one SMS.

mod errors;
mod messages;
mod reports;

use model::time::{parse_local, parse_rfc3339};
use model::vocabulary::{Channel, DeadReason, PriceUnit, Status};

use crate::catalogue::{Module, events, ignored};
use crate::csv;
use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{Listed, below, emit_each, object};
use crate::network::split_network;
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// A column without which a report's row is none.
const ID_COLUMN: &str = "message_id";

/// A receipt, a status callback or a report's row: which one, its id tells.
#[derive(Debug, Default)]
struct Item<'a> {
    /// `messageId` of a receipt.
    part_id: Scalar<'a>,
    /// `message_uuid` of a status callback.
    uuid: Scalar<'a>,
    /// `message_id` of a report's row.
    row_id: Scalar<'a>,
    status: Scalar<'a>,
    to: Address<'a>,
    from: Address<'a>,
    msisdn: Scalar<'a>,
    account: Scalar<'a>,
    client_ref: Scalar<'a>,
    network: Scalar<'a>,
    price: Scalar<'a>,
    currency: Scalar<'a>,
    error_code: Scalar<'a>,
    timestamp: Scalar<'a>,
    message_timestamp: Scalar<'a>,
    scts: Scalar<'a>,
    channel: Scalar<'a>,
    status_extra: messages::Extra<'a>,
    row_extra: reports::Extra<'a>,
    direction: Scalar<'a>,
    /// Without a status an inbound message.
    has_content: bool,
    is_send_answer: bool,
    is_report_status: bool,
    /// Fields whose value was no object where one belongs.
    unreadable: u64,
    is_damaged: bool,
}

/// A number, or of the old Messages API an object with a type.
#[derive(Debug, Default)]
struct Address<'a> {
    number: Scalar<'a>,
    kind: Scalar<'a>,
}

impl<'a> Item<'a> {
    /// Where a scalar of this name belongs.
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        Some(match key {
            "messageId" | "message-id" => &mut self.part_id,
            "message_uuid" => &mut self.uuid,
            "message_id" => &mut self.row_id,
            "status" => &mut self.status,
            "to" => &mut self.to.number,
            "from" => &mut self.from.number,
            "msisdn" => &mut self.msisdn,
            "api-key" | "account_id" => &mut self.account,
            "client-ref" | "client_ref" => &mut self.client_ref,
            "network-code" | "network" => &mut self.network,
            "price" | "total_price" => &mut self.price,
            "currency" => &mut self.currency,
            "err-code" | "error_code" => &mut self.error_code,
            "timestamp" => &mut self.timestamp,
            "message-timestamp" => &mut self.message_timestamp,
            "scts" => &mut self.scts,
            "channel" => &mut self.channel,
            "direction" => &mut self.direction,
            _ => return self.row_extra.slot(key),
        })
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
        return form(record.query().unwrap_or(""), scratch, out);
    }
    if Cursor::new(value).kind() != Kind::Scalar {
        return json(record.value, out);
    }
    if is_table(value) {
        return reports::read_csv(value, out);
    }
    if value.starts_with('"') || !value.contains('=') {
        return Err(Dead::new(DeadReason::Syntax, "byte 0"));
    }
    form(value, scratch, out)
}

fn is_table(text: &str) -> bool {
    csv::is_table(text.trim_ascii(), csv::COMMA, ID_COLUMN)
}

fn form(text: &str, scratch: &mut Scratch, out: &mut Emitter<'_>) -> Result<(), Dead> {
    scratch.form.read(text);
    let mut item = Item::default();
    for (name, value) in scratch.form.scalars() {
        let name = std::str::from_utf8(name).unwrap_or("");
        item.has_content |= is_content(name);
        match item.slot(name) {
            // Of a repeated name the first value stands.
            Some(slot) if *slot == Scalar::Missing => *slot = value,
            Some(_) => {}
            None => out.drift.other("", name),
        }
    }
    emit(&item, Place { parent: "", at: None }, out);
    Ok(())
}

fn json(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut list: Listed<'_, Item<'_>> = None;
    let mut single = Item::default();
    if cursor.kind() == Kind::Array {
        below(&mut list, "").read(&mut cursor, item)?;
    } else {
        cursor.object(|cursor, key| match key {
            "records" if cursor.kind() == Kind::Array => {
                below(&mut list, "/records").read(cursor, item)
            }
            _ => field(cursor, key, &mut single),
        })?;
    }
    cursor.end()?;
    emit_each(&list, &single, out, item, emit);
    Ok(())
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Syntax> {
    object(cursor, field, |item: &mut Item<'_>| item.is_damaged = true)
}

fn is_content(key: &str) -> bool {
    matches!(key, "text" | "keyword" | "message_type" | "message" | "data" | "udh")
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, item: &mut Item<'a>) -> Result<(), Syntax> {
    match key {
        "to" => return address(cursor, &mut item.to),
        "from" => return address(cursor, &mut item.from),
        "error" | "usage" | "destination" | "sms" | "whatsapp" => {
            return messages::field(cursor, key, item);
        }
        "messages" => item.is_send_answer = true,
        "request_status" => item.is_report_status = true,
        _ if is_content(key) => item.has_content = true,
        _ => {
            let Some(slot) = item.slot(key) else { return cursor.other() };
            *slot = cursor.scalar()?;
            return Ok(());
        }
    }
    cursor.skip()
}

fn address<'a>(cursor: &mut Cursor<'a>, address: &mut Address<'a>) -> Result<(), Syntax> {
    if cursor.kind() != Kind::Object {
        address.number = cursor.scalar()?;
        return Ok(());
    }
    cursor.object(|cursor, key| {
        match key {
            "number" | "id" => address.number = cursor.scalar()?,
            "type" => address.kind = cursor.scalar()?,
            _ => cursor.other()?,
        }
        Ok(())
    })
}

fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    if item.is_damaged {
        return out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
    let is_inbound = item.direction.text().is_some_and(|word| word.eq_ignore_ascii_case("inbound"));
    let has_id = item.part_id.is_present() || item.uuid.is_present() || item.row_id.is_present();
    if is_inbound || (!item.status.is_present() && item.has_content) {
        out.ignored("inbound");
    } else if item.uuid.is_present() || (!has_id && item.channel.is_present()) {
        messages::emit(item, place, out);
    } else if item.part_id.is_present() || item.msisdn.is_present() {
        emit_receipt(item, place, out);
    } else if item.row_id.is_present() || item.row_extra.is_told() {
        reports::emit(item, place, out);
    } else if item.is_send_answer {
        out.ignored("send_answer");
    } else if item.is_report_status {
        out.ignored("report_status");
    } else {
        out.dead_at(DeadReason::UnknownVariant, place.to_string());
    }
}

/// UTC in all its spellings.
fn pushed_time(text: &str) -> Option<i64> {
    // In a query that nobody escaped a plus sign becomes a space.
    let unescaped = || text.strip_suffix(" 00:00").and_then(parse_local);
    parse_rfc3339(text).or_else(|| parse_local(text)).or_else(unescaped)
}

fn unix_time(text: &str) -> Option<i64> {
    date::unix_seconds(text.parse().ok()?)
}

fn emit_receipt(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let Some(id) = item.part_id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/messageId"));
    };
    let Some(word) = item.status.text() else {
        return out.dead_at(DeadReason::MissingStatus, format!("{place}/status"));
    };
    let code = out.text(&item.error_code);
    let scts = out.text(&item.scts);
    let event_parts: [&[u8]; 4] = [
        id.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        scts.unwrap_or("").as_bytes(),
    ];
    let mut draft = Draft::new(id, Channel::Sms, outcome(word, out));
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(word);
    draft.error_code = code.filter(|code| !words::is_no_error(code));
    draft.error_class = draft.error_code.and_then(errors::class_of_receipt);
    let time = out.time(&item.message_timestamp, pushed_time);
    draft.event_time_us = time.or_else(|| out.time(&item.timestamp, unix_time));
    if draft.event_time_us.is_none() {
        draft.event_time_us = out.time(&item.scts, date::parse_compact);
        draft.is_local_time = true;
    }
    draft.account = out.text(&item.account);
    draft.logical_id = out.text(&item.client_ref);
    draft.recipient = out.text(&item.msisdn);
    draft.sender = out.text(&item.to.number);
    set_network(&mut draft, &item.network, out);
    // A receipt is of one part, and so is its price.
    draft.segments = Some(1);
    draft.price = out.price(&item.price);
    draft.price_unit = PriceUnit::Segment;
    out.event(&draft);
}

/// MCC and MNC of a code; zeros are an unknown network.
fn set_network<'i>(draft: &mut Draft<'i>, network: &'i Scalar<'_>, out: &mut Emitter<'_>) {
    let code = out.text(network).filter(|code| code.bytes().any(|byte| byte != b'0'));
    let network = code.and_then(split_network);
    out.counters.unreadable_fields += u64::from(code.is_some() && network.is_none());
    (draft.mcc, draft.mnc) = network.unzip();
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    match Folded::new(word).as_str() {
        "submitted" | "accepted" | "buffered" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" => Outcome::settled(Status::Read),
        "failed" => Outcome::settled(Status::Undelivered),
        "undeliverable" => Outcome::settled(Status::Failed),
        "rejected" => Outcome::settled(Status::Rejected),
        "expired" => Outcome::settled(Status::Expired),
        "unknown" => Outcome::open(Status::Unknown),
        _ => out.unknown_status(),
    }
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts",
    variants: &[
        events(
            "SMS receipt, JSON",
            &["receipt.json", "receipt_parts.json", "receipt_statuses.json"],
        ),
        events("SMS receipt, form", &["receipt_form.txt"]),
        events("SMS receipt, GET", &["receipt_get.record.json"]),
        ignored("inbound message, form", &["receipt_inbound.txt"]),
        events(
            "Messages status, JSON",
            &["status_sms.json", "status_whatsapp_read.json", "status_statuses.json"],
        ),
        events("rows of a report, JSON", &["report_rows.json", "report_two_rows.json"]),
        events("rows of a report, CSV", &["report_sms_csv.txt", "report_messages_csv.txt"]),
        ignored("answer of a send, JSON", &["send_answer.json"]),
    ],
    documented: &[
        "_links",
        "callback_url",
        "concatenated",
        "country_name",
        "data",
        "date_end",
        "date_start",
        "detail",
        "error_code_description",
        "id",
        "include_subaccounts",
        "instance",
        "items_count",
        "latency",
        "message-count",
        "message_body",
        "nonce",
        "pricing_model",
        "product",
        "reason",
        "receive_time",
        "request_id",
        "session_id",
        "session_type",
        "sig",
        "start_time",
        "text",
        "type",
        "udh",
        "workflow",
    ],
};

//! Rows of what the simulator knows: elements as they stand on the wire, messages as they really
//! went, incidents as they really were.

use crate::event::{Event, Flaw};
use crate::identity::{push_message_id, push_recipient};
use crate::plan::Fate;
use crate::text::{push_micros, text};
use crate::wire;
use crate::world::{IncidentPlan, World};

/// What a reader should make of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A delivery event (a duplicate is one as well; see `LogRow::duplicate_of`).
    Delivery,
    /// A line of a bill.
    Bill,
    /// Recognised, and nothing about a delivery.
    Ignored,
    /// One dead letter.
    Malformed,
}

impl Kind {
    /// The name in log.csv.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Bill => "bill",
            Self::Ignored => "ignored",
            Self::Malformed => "malformed",
        }
    }
}

/// One element of a record, in wire terms. Times are microseconds since the Unix epoch; a text is
/// empty and an option `None` where the element does not say it. Of a malformed element only its
/// place, source, variant and message number are filled in.
#[derive(Debug, Clone)]
pub struct LogRow {
    /// Unique in a run; not in stream order.
    pub row_id: u64,
    /// Index into `Scenario::topics`.
    pub topic: u16,
    /// Kafka partition.
    pub partition: u32,
    /// Kafka offset in a fresh topic.
    pub offset: u64,
    /// 0-based index over the record's leaf elements in document order.
    pub element: u32,
    /// Kafka timestamp of the record.
    pub ingest_time_us: i64,
    /// Vendor.
    pub source: &'static str,
    /// Wire format, such as `twilio.form`.
    pub variant: &'static str,
    /// Account in the payload, else in the header.
    pub account: String,
    /// Message id; of FCM the part behind `messages/`.
    pub message_id: String,
    /// Recipient, decoded from any escaping.
    pub recipient: String,
    /// Channel word, where the payload has one.
    pub channel_wire: &'static str,
    /// The vendor's status word (Infobip: `status.name`; APNs and FCM answers: HTTP status).
    pub vendor_status: &'static str,
    /// Infobip's `status.id`.
    pub vendor_status_id: Option<u32>,
    /// Infobip's `status.groupId`.
    pub vendor_group_id: Option<u32>,
    /// Error code; Infobip writes `0` for none.
    pub error_code: String,
    /// Time of the event, cut to the precision of the payload; a Twilio `RawDlrDoneDate` is read
    /// as UTC.
    pub event_time_us: Option<i64>,
    /// Time of submission, cut likewise.
    pub submit_time_us: Option<i64>,
    /// Mobile country code.
    pub mcc: String,
    /// Mobile network code as written (Twilio pads it to three digits).
    pub mnc: String,
    /// ISO code of the recipient's number, from the scenario.
    pub country: &'static str,
    /// Billable parts.
    pub segments: Option<u8>,
    /// Decimal text with its sign.
    pub price: String,
    /// `message` or `segment`; of a bill's line `carrier_fee`, or nothing for a category.
    pub price_unit_kind: &'static str,
    /// Currency of the price.
    pub currency: String,
    /// What a reader should make of it.
    pub kind: Kind,
    /// `row_id` of the first emission of the identical event.
    pub duplicate_of: Option<u64>,
    /// The simulator's number of the message.
    pub message_seq: u64,
    /// The event's time is more than five minutes after its ingest time.
    pub future_clock: bool,
    /// Units of a usage record.
    pub quantity: Option<u64>,
    /// Its category.
    pub sku: &'static str,
    /// Begin of the day that it is of.
    pub period_start_us: Option<i64>,
}

/// Where an element landed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) topic: u16,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) element: u32,
    pub(crate) ingest_time_us: i64,
}

pub(crate) fn log_row(world: &World, event: &Event, place: Place) -> LogRow {
    let malformed = event.flaw != Flaw::Intact;
    let message = &event.message;
    let source = event.variant.source();
    let ignored = event.variant.is_ignored();
    let usage = event.usage();
    let facts = if malformed { wire::Facts::default() } else { wire::facts(world, event) };
    let said = |write: &dyn Fn(&mut Vec<u8>)| {
        if malformed { String::new() } else { text(|out| write(out)) }
    };
    let message_id = if ignored || usage.is_some() {
        String::new()
    } else {
        said(&|out| push_message_id(out, world, message))
    };
    LogRow {
        row_id: event.row_id,
        topic: place.topic,
        partition: place.partition,
        offset: place.offset,
        element: place.element,
        ingest_time_us: place.ingest_time_us,
        source: source.name(),
        variant: event.variant.name(),
        account: world.account(source, message.account).to_owned(),
        message_id,
        recipient: match usage {
            Some(_) => String::new(),
            None => said(&|out| push_recipient(out, world, event)),
        },
        channel_wire: facts.channel,
        vendor_status: facts.status,
        vendor_status_id: facts.status_id,
        vendor_group_id: facts.group_id,
        error_code: facts.error_code,
        event_time_us: facts.event_time_us,
        submit_time_us: facts.submit_time_us,
        mcc: facts.mcc,
        mnc: facts.mnc,
        country: usage.map_or(world.carriers[usize::from(message.carrier)].iso(), |_| ""),
        segments: facts.segments,
        price: facts.price,
        price_unit_kind: facts.price_unit,
        currency: facts.currency,
        kind: match (malformed, ignored) {
            (true, _) => Kind::Malformed,
            (false, true) => Kind::Ignored,
            (false, false) if event.variant.is_bill() => Kind::Bill,
            (false, false) => Kind::Delivery,
        },
        duplicate_of: event.duplicate_of,
        message_seq: message.seq,
        future_clock: event.future_clock,
        quantity: usage.map(|(_, units, _)| units),
        sku: usage.map_or("", |(category, ..)| category.name),
        period_start_us: usage.map(|(_, _, day_us)| day_us),
    }
}

/// What really became of one message.
#[derive(Debug, Clone)]
pub struct TruthRow {
    /// The simulator's number of the message.
    pub message_seq: u64,
    /// Vendor.
    pub source: &'static str,
    /// Message id on the wire.
    pub message_id: String,
    /// Canonical channel name.
    pub channel: &'static str,
    /// ISO code; empty for push and in-app.
    pub country: &'static str,
    /// Carrier id of the scenario.
    pub carrier: String,
    /// Mobile country code of the carrier.
    pub mcc: String,
    /// Mobile network code of the carrier.
    pub mnc: String,
    /// When the sender handed it over, microseconds since the Unix epoch.
    pub submit_time_us: i64,
    /// delivered, read, undelivered, failed, expired, rejected; accepted where nobody can know.
    pub outcome: &'static str,
    /// When it reached the recipient.
    pub delivered_time_us: Option<i64>,
    /// What the vendor bills for it in all, decimal text.
    pub cost: String,
    /// Currency of the cost.
    pub currency: String,
    /// Billable parts.
    pub segments: u8,
    /// Ids of the incidents that acted on it, joined by `|`.
    pub incidents: String,
}

pub(crate) fn truth_row(world: &World, fate: &Fate) -> TruthRow {
    let message = &fate.message;
    let flow = &world.flows[usize::from(message.flow)];
    let carrier = &world.carriers[usize::from(message.carrier)];
    let hit = |(n, incident): (usize, &IncidentPlan)| {
        let bit = fate.incidents.checked_shr(n as u32).unwrap_or(0) & 1;
        (bit == 1).then(|| incident.id.clone())
    };
    let incidents: Vec<String> = world.incidents.iter().enumerate().filter_map(hit).collect();
    TruthRow {
        message_seq: message.seq,
        source: flow.source.name(),
        message_id: text(|out| push_message_id(out, world, message)),
        channel: flow.channel.name(),
        country: carrier.iso(),
        carrier: carrier.id.clone(),
        mcc: carrier.mcc.clone(),
        mnc: carrier.mnc.clone(),
        submit_time_us: message.submit_us,
        outcome: fate.outcome.name(),
        delivered_time_us: fate.delivered_us,
        cost: text(|out| push_micros(out, fate.cost_micros, 6)),
        currency: flow.currency.clone(),
        segments: message.segments,
        incidents: incidents.join("|"),
    }
}

/// One occurrence of an incident.
#[derive(Debug, Clone)]
pub struct IncidentRow {
    /// Id of the scenario.
    pub id: String,
    /// Kind of the scenario.
    pub kind: &'static str,
    /// Begin, microseconds since the Unix epoch.
    pub start_us: i64,
    /// End.
    pub end_us: i64,
    /// Carrier id, number prefix or source that it hit.
    pub target: String,
    /// `key=value` pairs joined by blanks.
    pub parameters: String,
}

/// The occurrences that began up to this time, by incident.
pub(crate) fn incident_rows(world: &World, until_us: i64) -> Vec<IncidentRow> {
    let mut rows = Vec::new();
    for (plan, file) in world.incidents.iter().zip(&world.scenario.incidents) {
        let number = |name: &str, value: Option<f64>| value.map(|v| format!("{name}={v}"));
        let parameters: Vec<String> = [
            number("failure_rate", file.failure_rate),
            number("factor", file.factor),
            number("latency_ms", file.latency_ms),
            file.prefix.as_ref().and(file.carrier.as_ref()).map(|id| format!("carrier={id}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let source = file.source.map(|source| source.name().to_owned());
        let target = file.prefix.clone().or_else(|| file.carrier.clone()).or(source);
        let mut start_us = plan.start_us;
        while start_us <= until_us {
            rows.push(IncidentRow {
                id: plan.id.clone(),
                kind: plan.kind.name(),
                start_us,
                end_us: start_us + plan.duration_us,
                target: target.clone().unwrap_or_default(),
                parameters: parameters.join(" "),
            });
            match plan.repeat_us {
                Some(every) => start_us += every,
                None => break,
            }
        }
    }
    rows
}

/// What a simulation knows at its end.
#[derive(Debug)]
pub struct Truth {
    /// Messages since the last `take_truth`, in the order of their submission.
    pub messages: Vec<TruthRow>,
    /// All occurrences of incidents that began before the last message was submitted.
    pub incidents: Vec<IncidentRow>,
}

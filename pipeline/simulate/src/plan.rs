//! From "a message is sent now" to the reports that its vendor will make about it.
//!
//! ```text
//!  submit ── handover ── outcome ── read          what really happens (and truth.csv)
//!              │sent       │delivered …  │read     one event each, with the vendor's time
//!              └ + vendor's delay = ready          when the report comes, late ones hours later
//! ```
//! Incidents act here, on messages submitted while they last.

use crate::event::{Event, Flaw, Message, Outcome, Step, Variant};
use crate::rng::{Lognormal, Rng};
use crate::scenario::{Channel, IncidentKind, Source};
use crate::text::SECOND;
use crate::world::{CarrierPlan, FlowPlan, World};

/// A report and the time at which its vendor sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) event: Event,
    pub(crate) ready_us: i64,
}

/// What really becomes of a message; `message.outcome` is what the vendor will claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) message: Message,
    pub(crate) outcome: Outcome,
    /// When it reached the recipient.
    pub(crate) delivered_us: Option<i64>,
    /// What the vendor will bill, millionths.
    pub(crate) cost_micros: i64,
    /// Bit n: incident n acted on it. Only the first 64 incidents are told apart.
    pub(crate) incidents: u64,
    handover_us: i64,
    read_us: Option<i64>,
    report_delay_us: i64,
    missing: bool,
    by_events: bool,
}

const HANDOVER: Lognormal = Lognormal::new(0.25, 0.4);
const VENDOR_DELAY: Lognormal = Lognormal::new(0.12, 0.5);
/// Share of reads without a `delivered` report before them: the chat was open (WhatsApp).
const CHAT_OPEN: f64 = 0.1;
/// A message expires after this many ordinary latencies.
const EXPIRY_LATENCIES: i64 = 20;
/// Twilio charges this for a failed message, millionths of a dollar.
const TWILIO_FAILED_MICROS: i64 = 1_000;

/// Draws one message that is sent now.
pub(crate) fn draw(world: &World, rng: &mut Rng, seq: u64, now_us: i64) -> Fate {
    let flood = flooding(world, rng, now_us);
    let flow_index =
        flood.map_or_else(|| rng.pick(&world.flow_edges), |n| usize::from(world.incidents[n].flow));
    let flow = &world.flows[flow_index];
    let drawn = flow.carriers[rng.pick(&flow.carrier_edges)];
    let carrier_index = flood.and_then(|n| world.incidents[n].carrier).unwrap_or(drawn);
    let carrier = &world.carriers[usize::from(carrier_index)];
    let prefix = flood.map(|n| world.incidents[n].prefix.as_str());
    let message = Message {
        seq,
        submit_us: now_us,
        end_us: now_us,
        recipient: recipient(rng, flow, carrier, prefix),
        price_micros: flow.price_micros,
        flow: flow_index as u16,
        carrier: carrier_index,
        account: rng.below(u64::from(world.scenario.accounts)) as u8,
        segments: (rng.pick(&flow.segment_edges) + 1) as u8,
        detail: rng.next_u64() as u8,
        outcome: Outcome::Accepted,
    };
    let mut fate = live(world, rng, flow, message);
    if let Some(n) = flood {
        fate.incidents |= bit(n);
    }
    fate
}

/// The flood that this message belongs to, if any: a flood of factor f makes f / (1 + f) of all.
fn flooding(world: &World, rng: &mut Rng, now_us: i64) -> Option<usize> {
    let active = |n: &usize| {
        let incident = &world.incidents[*n];
        incident.kind == IncidentKind::Flood && incident.occurrence_at(now_us).is_some()
    };
    let n = (0..world.incidents.len()).find(active)?;
    let factor = world.incidents[n].factor;
    rng.chance(factor / (1.0 + factor)).then_some(n)
}

/// How much a flood multiplies the arrivals at this time.
pub(crate) fn flood_factor(world: &World, now_us: i64) -> f64 {
    let floods = world.incidents.iter().find(|incident| {
        incident.kind == IncidentKind::Flood && incident.occurrence_at(now_us).is_some()
    });
    floods.map_or(1.0, |incident| 1.0 + incident.factor)
}

fn recipient(rng: &mut Rng, flow: &FlowPlan, carrier: &CarrierPlan, prefix: Option<&str>) -> u64 {
    match (carrier.country, prefix) {
        (Some(country), Some(prefix)) => country.number_with_prefix(prefix, rng),
        (Some(country), None) if flow.channel.has_numbers() => country.number(rng),
        _ => rng.below(10_000_000),
    }
}

fn bit(n: usize) -> u64 {
    1_u64.checked_shl(n as u32).unwrap_or(0)
}

/// The life of a message: outcome, times, cost.
fn live(world: &World, rng: &mut Rng, flow: &FlowPlan, mut message: Message) -> Fate {
    let carrier = &world.carriers[usize::from(message.carrier)];
    let ordinary = outcome_of(flow, carrier_outcome(carrier, rng));
    let mut latency_us = carrier.latency.sample_us(rng);
    let mut outcome = ordinary;
    let mut faked = None;
    let mut incidents = 0;
    for (n, incident) in world.incidents.iter().enumerate() {
        let acts = incident.hits(message.carrier, flow.source)
            && incident.occurrence_at(message.submit_us).is_some();
        if !acts || incident.kind == IncidentKind::Flood {
            continue;
        }
        incidents |= bit(n);
        match incident.kind {
            IncidentKind::CarrierOutage if rng.chance(incident.failure_rate) => {
                let down =
                    if message.detail & 3 == 0 { Outcome::Failed } else { Outcome::Undelivered };
                outcome = outcome_of(flow, down);
            }
            IncidentKind::SlowCarrier => latency_us = (latency_us as f64 * incident.factor) as i64,
            IncidentKind::PriceRise => {
                message.price_micros = (message.price_micros as f64 * incident.factor) as i64;
            }
            IncidentKind::FakeReceipts => faked = Some(incident.latency_us),
            _ => {}
        }
    }
    let handover_us = message.submit_us + HANDOVER.sample_us(rng);
    message.outcome = if faked.is_some() { Outcome::Delivered } else { outcome };
    message.end_us = match (faked, outcome) {
        (Some(latency_us), _) => message.submit_us + latency_us,
        (None, Outcome::Accepted | Outcome::Failed | Outcome::Rejected) => handover_us,
        (None, Outcome::Expired) => handover_us + latency_us * EXPIRY_LATENCIES,
        (None, _) => handover_us + latency_us,
    };
    if faked.is_some() {
        outcome = outcome_of(flow, Outcome::Undelivered);
    }
    settle(
        world,
        rng,
        flow,
        Fate {
            message,
            outcome,
            delivered_us: None,
            cost_micros: 0,
            incidents,
            handover_us: handover_us.min(message.end_us),
            read_us: None,
            report_delay_us: 0,
            missing: false,
            by_events: false,
        },
    )
}

/// What comes after the outcome: lateness, reading, a lost report, the bill.
fn settle(world: &World, rng: &mut Rng, flow: &FlowPlan, mut fate: Fate) -> Fate {
    let late = &world.scenario.late;
    if rng.chance(late.rate) {
        let delay_us = (rng.between(late.after_s[0], late.after_s[1]) * 1e6) as i64;
        if rng.chance(0.5) {
            fate.message.end_us += delay_us;
        } else {
            fate.report_delay_us = delay_us;
        }
    }
    fate.missing = rng.chance(world.scenario.missing_rate);
    fate.by_events = rng.chance(flow.events_share);
    if fate.outcome.arrived() {
        fate.delivered_us = Some(fate.message.end_us);
        if rng.chance(flow.read_rate) {
            fate.read_us = Some(fate.message.end_us + flow.read.sample_us(rng).max(SECOND));
            fate.outcome = Outcome::Read;
            fate.message.outcome = Outcome::Read;
        }
    }
    fate.cost_micros = cost_micros(flow, &fate);
    fate
}

/// What the vendor bills: it bills by what it claims, faked receipts included.
fn cost_micros(flow: &FlowPlan, fate: &Fate) -> i64 {
    let message = &fate.message;
    let claimed = message.outcome;
    let whole = message.price_micros * i64::from(message.segments);
    match flow.source {
        Source::Twilio if claimed == Outcome::Failed => TWILIO_FAILED_MICROS,
        Source::Twilio => whole,
        Source::Infobip if claimed == Outcome::Rejected => 0,
        // Its price is of one part of an SMS, and of one message elsewhere.
        Source::Infobip if flow.channel == Channel::Sms => whole,
        Source::Infobip => message.price_micros,
        Source::Whatsapp if message.is_free_conversation() => 0,
        Source::GoogleRbm | Source::Whatsapp | Source::Cloudevents if claimed.arrived() => {
            message.price_micros
        }
        _ => 0,
    }
}

fn carrier_outcome(carrier: &CarrierPlan, rng: &mut Rng) -> Outcome {
    let x = rng.unit();
    let outcomes = [Outcome::Undelivered, Outcome::Failed, Outcome::Expired, Outcome::Rejected];
    let hit = carrier.failure_edges.iter().position(|&edge| x < edge);
    hit.map_or(Outcome::Delivered, |n| outcomes[n])
}

/// The nearest outcome that this vendor has a word for.
fn outcome_of(flow: &FlowPlan, drawn: Outcome) -> Outcome {
    use Outcome::{Accepted, Delivered, Expired, Failed, Read, Rejected, Undelivered};
    match (flow.source, drawn) {
        (Source::Infobip, any) => any,
        (Source::Twilio, Expired) => Undelivered,
        (Source::Twilio, Rejected) => Failed,
        (Source::GoogleRbm, Rejected | Undelivered) => Failed,
        (Source::Whatsapp, Undelivered | Expired | Rejected) => Failed,
        (Source::Cloudevents, Undelivered | Rejected) => Failed,
        (Source::Apns, Delivered | Read | Expired) => Accepted,
        (Source::Fcm, Undelivered | Expired | Rejected) => Failed,
        (_, any) => any,
    }
}

/// The reports about a message, into a reused list.
pub(crate) fn reports(world: &World, rng: &mut Rng, fate: &Fate, out: &mut Vec<Planned>) {
    out.clear();
    let flow = &world.flows[usize::from(fate.message.flow)];
    let mut reports = Reports { rng, flow, fate, out };
    match flow.source {
        Source::Twilio => reports.twilio(),
        Source::Infobip => reports.infobip(),
        Source::GoogleRbm => reports.google_rbm(),
        Source::Whatsapp => reports.whatsapp(),
        Source::Apns => reports.apns(),
        Source::Fcm => reports.fcm(),
        Source::Cloudevents => reports.cloudevents(),
    }
    if reports.rng.chance(world.scenario.ignored_rate)
        && let Some(variant) = ignored_variant(flow, fate.message.detail)
    {
        reports.push(variant, Step::Sent, fate.message.submit_us + 5 * SECOND);
    }
}

impl Message {
    /// WhatsApp: an answer inside an open conversation, which is free.
    pub(crate) fn is_free_conversation(&self) -> bool {
        self.detail & 0x30 == 0
    }
}

fn ignored_variant(flow: &FlowPlan, detail: u8) -> Option<Variant> {
    match flow.source {
        Source::Twilio => Some(Variant::TwilioInbound),
        Source::GoogleRbm if detail & 1 == 0 => Some(Variant::RbmTyping),
        Source::GoogleRbm => Some(Variant::RbmText),
        Source::Whatsapp => Some(Variant::WhatsappInbound),
        _ => None,
    }
}

fn end_step(outcome: Outcome) -> Step {
    match outcome {
        Outcome::Accepted => Step::Accepted,
        Outcome::Delivered | Outcome::Read => Step::Delivered,
        Outcome::Undelivered => Step::Undelivered,
        Outcome::Failed => Step::Failed,
        Outcome::Expired => Step::Expired,
        Outcome::Rejected => Step::Rejected,
    }
}

/// The list of one message's reports while it is written, one method a vendor.
struct Reports<'a> {
    rng: &'a mut Rng,
    flow: &'a FlowPlan,
    fate: &'a Fate,
    out: &'a mut Vec<Planned>,
}

impl Reports<'_> {
    fn twilio(&mut self) {
        let fate = self.fate;
        let variant = if fate.by_events { Variant::TwilioEvents } else { Variant::TwilioForm };
        if fate.message.outcome != Outcome::Failed {
            self.push(variant, Step::Sent, fate.handover_us);
        }
        self.end(variant, (self.flow.channel == Channel::Whatsapp).then_some(variant));
        if self.rng.chance(self.flow.priced_share) {
            let seen_us = fate.read_us.unwrap_or(fate.message.end_us);
            let time_us = seen_us + self.flow.priced.sample_us(self.rng).max(SECOND);
            let step = fate.read_us.map_or(end_step(fate.message.outcome), |_| Step::Read);
            self.push(Variant::TwilioResource, step, time_us);
        }
    }

    fn infobip(&mut self) {
        let (variant, seen) = match self.flow.channel {
            Channel::Rcs => (Variant::InfobipRcs, Some(Variant::InfobipSeen)),
            Channel::Whatsapp => (Variant::InfobipWhatsapp, Some(Variant::InfobipSeen)),
            _ => (Variant::InfobipSms, None),
        };
        let rejected = self.fate.message.outcome == Outcome::Rejected;
        if !rejected && self.rng.chance(self.flow.pending_share) {
            self.push(variant, Step::Sent, self.fate.handover_us);
        }
        self.end(variant, seen);
    }

    /// RBM tells of delivery, reading and revocation only; a failure answers the send call.
    fn google_rbm(&mut self) {
        match self.fate.message.outcome {
            Outcome::Delivered | Outcome::Read => {
                self.end(Variant::RbmEvent, Some(Variant::RbmEvent));
            }
            Outcome::Expired => self.end(Variant::RbmServer, None),
            _ => {}
        }
    }

    fn whatsapp(&mut self) {
        let variant = Variant::WhatsappStatus;
        self.push(variant, Step::Sent, self.fate.handover_us);
        match self.fate.read_us {
            Some(read_us) if !self.fate.missing && self.rng.chance(CHAT_OPEN) => {
                self.push(variant, Step::Read, read_us);
                self.delay_last();
            }
            _ => self.end(variant, Some(variant)),
        }
    }

    /// One answer a message; Apple reports nothing after it.
    fn apns(&mut self) {
        self.push(
            Variant::ApnsAnswer,
            end_step(self.fate.message.outcome),
            self.fate.message.end_us,
        );
    }

    /// Successes are the answers to the send call; the BigQuery export adds rows for a share of
    /// them and is the only place where failures carry a message id.
    fn fcm(&mut self) {
        if self.fate.message.outcome == Outcome::Failed {
            return self.end(Variant::FcmRow, None);
        }
        self.push(Variant::FcmAnswer, Step::Accepted, self.fate.handover_us);
        if self.fate.by_events {
            self.push(Variant::FcmRow, Step::Accepted, self.fate.handover_us);
            self.end(Variant::FcmRow, None);
        }
    }

    fn cloudevents(&mut self) {
        self.push(Variant::CloudEvent, Step::Sent, self.fate.handover_us);
        self.end(Variant::CloudEvent, Some(Variant::CloudEvent));
        let fate = self.fate;
        let is_billed = self.flow.fee_micros > 0 && fate.message.outcome.arrived();
        if is_billed && self.rng.chance(self.flow.priced_share) {
            let time_us = fate.message.end_us + self.flow.priced.sample_us(self.rng).max(SECOND);
            self.push(Variant::CloudBill, Step::Delivered, time_us);
        }
    }

    /// The outcome's report, late or lost as the fate says, and the read after it.
    fn end(&mut self, variant: Variant, read: Option<Variant>) {
        if self.fate.missing {
            return;
        }
        let message = self.fate.message;
        self.push(variant, end_step(message.outcome), message.end_us);
        self.delay_last();
        if let (Some(variant), Some(read_us)) = (read, self.fate.read_us) {
            self.push(variant, Step::Read, read_us);
            self.delay_last();
        }
    }

    fn push(&mut self, variant: Variant, step: Step, time_us: i64) {
        let event = Event {
            message: self.fate.message,
            variant,
            step,
            time_us,
            flaw: Flaw::Intact,
            future_clock: false,
            row_id: 0,
            duplicate_of: None,
        };
        self.out.push(Planned { event, ready_us: time_us + VENDOR_DELAY.sample_us(self.rng) });
    }

    fn delay_last(&mut self) {
        if let Some(last) = self.out.last_mut() {
            last.ready_us += self.fate.report_delay_us;
        }
    }
}

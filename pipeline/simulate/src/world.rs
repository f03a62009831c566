//! A scenario made ready for drawing: names resolved to indexes, weights to cumulative tables,
//! prices to integers, and the vendors' account names.

use crate::country::{COUNTRIES, Country};
use crate::rng::{Lognormal, mix};
use crate::scenario::{
    Batch, Carrier, Channel, Flow, Incident, IncidentKind, Latency, Scenario, Source, parse_micros,
};
use crate::text::{SECOND, push_hex, push_u64, text};

/// Everything that does not change while a simulation runs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) start_us: i64,
    pub(crate) scenario: Scenario,
    pub(crate) flows: Vec<FlowPlan>,
    pub(crate) flow_edges: Vec<f64>,
    pub(crate) carriers: Vec<CarrierPlan>,
    pub(crate) incidents: Vec<IncidentPlan>,
    /// Account names by source and account number.
    accounts: Vec<Vec<String>>,
    /// Topic index by source.
    topic_of: Vec<u16>,
    /// Relative volume by hour, mean 1; one more entry than hours, so that 24 wraps to 0.
    shape: [f64; 25],
}

/// A flow with its names resolved.
#[derive(Debug)]
pub(crate) struct FlowPlan {
    pub(crate) source: Source,
    pub(crate) channel: Channel,
    pub(crate) carriers: Vec<u16>,
    pub(crate) carrier_edges: Vec<f64>,
    pub(crate) segment_edges: Vec<f64>,
    pub(crate) price_micros: i64,
    pub(crate) fee_micros: i64,
    pub(crate) currency: String,
    pub(crate) read_rate: f64,
    pub(crate) read: Lognormal,
    pub(crate) events_share: f64,
    pub(crate) pending_share: f64,
    pub(crate) priced_share: f64,
    pub(crate) priced: Lognormal,
}

/// A carrier with its names resolved.
#[derive(Debug)]
pub(crate) struct CarrierPlan {
    pub(crate) id: String,
    pub(crate) country: Option<&'static Country>,
    pub(crate) mcc: String,
    pub(crate) mnc: String,
    pub(crate) latency: Lognormal,
    /// Upper edges of undelivered, failed, expired, rejected in [0, 1).
    pub(crate) failure_edges: [f64; 4],
}

/// An incident with its names resolved.
#[derive(Debug)]
pub(crate) struct IncidentPlan {
    pub(crate) id: String,
    pub(crate) kind: IncidentKind,
    pub(crate) start_us: i64,
    pub(crate) duration_us: i64,
    pub(crate) repeat_us: Option<i64>,
    pub(crate) carrier: Option<u16>,
    pub(crate) source: Option<Source>,
    pub(crate) failure_rate: f64,
    pub(crate) factor: f64,
    pub(crate) prefix: String,
    pub(crate) latency_us: i64,
    /// Flood: the flow that its messages belong to.
    pub(crate) flow: u16,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, seed: u64, start_us: Option<i64>) -> Self {
        let start_us = start_us.or_else(|| scenario.start_us()).unwrap_or_default();
        let topics = |source: Source| match scenario.shared_topic {
            Some(_) => 0,
            None => scenario.sources().iter().position(|&s| s == source).unwrap_or(0) as u16,
        };
        let incidents =
            scenario.incidents.iter().map(|i| IncidentPlan::new(i, scenario, start_us)).collect();
        Self {
            seed,
            start_us,
            flows: scenario.flows.iter().map(|flow| FlowPlan::new(flow, scenario)).collect(),
            flow_edges: cumulative(scenario.flows.iter().map(|flow| flow.weight)),
            carriers: scenario.carriers.iter().map(CarrierPlan::new).collect(),
            incidents,
            accounts: SOURCES.iter().map(|&s| account_names(s, scenario.accounts, seed)).collect(),
            topic_of: SOURCES.iter().map(|&source| topics(source)).collect(),
            shape: shape(&scenario.daily_shape),
            scenario: scenario.clone(),
        }
    }

    /// The account as it stands on the wire, or in the `account` header.
    pub(crate) fn account(&self, source: Source, account: u8) -> &str {
        &self.accounts[source as usize][usize::from(account)]
    }

    pub(crate) fn topic(&self, source: Source) -> u16 {
        self.topic_of[source as usize]
    }

    pub(crate) fn body(&self) -> &str {
        &self.scenario.planted_body
    }

    pub(crate) fn batch(&self, source: Source) -> Batch {
        match source {
            Source::Infobip => self.scenario.batches.infobip,
            Source::Whatsapp => self.scenario.batches.whatsapp,
            _ => self.scenario.batches.twilio,
        }
    }

    /// The longest that an element waits in a batch.
    pub(crate) fn longest_wait_us(&self) -> i64 {
        let batches = &self.scenario.batches;
        let waits = [batches.infobip.wait_ms, batches.whatsapp.wait_ms, batches.twilio.wait_ms];
        i64::from(waits.into_iter().max().unwrap_or(0)) * 1_000
    }

    /// Volume at this time relative to the mean of the day.
    pub(crate) fn volume_at(&self, time_us: i64) -> f64 {
        let second = time_us.div_euclid(SECOND).rem_euclid(86_400);
        let hour = (second / 3_600) as usize;
        let part = (second % 3_600) as f64 / 3_600.0;
        self.shape[hour] * (1.0 - part) + self.shape[hour + 1] * part
    }

    /// A number that depends on the seed, a message and a purpose only.
    pub(crate) fn hash(&self, seq: u64, purpose: u64) -> u64 {
        mix(mix(self.seed ^ purpose.wrapping_mul(0xa076_1d64_78bd_642f)).wrapping_add(seq))
    }
}

const SOURCES: [Source; 7] = [
    Source::Twilio,
    Source::Infobip,
    Source::GoogleRbm,
    Source::Whatsapp,
    Source::Apns,
    Source::Fcm,
    Source::Cloudevents,
];

/// Where the vendor names the account in the payload, this is that name; the header, where one is
/// needed or harmless, repeats it, so that "payload, else header" has one answer.
fn account_names(source: Source, count: u8, seed: u64) -> Vec<String> {
    let one = |n: u8| {
        let hash = mix(seed ^ (u64::from(n) << 8) ^ source as u64);
        match source {
            Source::Twilio => text(|out| {
                out.extend_from_slice(b"AC");
                push_hex(out, hash, 16);
                push_hex(out, mix(hash), 16);
            }),
            Source::Infobip => format!("infobip-account-{n}"),
            Source::GoogleRbm => format!("sendtally-brand-{n}@rbm.goog"),
            Source::Whatsapp => format!("2{:014}", hash % 100_000_000_000_000),
            Source::Apns => format!("com.example.app{n}"),
            Source::Fcm => text(|out| push_u64(out, 123_456_789_000 + u64::from(n))),
            Source::Cloudevents => format!("/apps/inapp-{n}"),
        }
    };
    (0..count).map(one).collect()
}

fn cumulative(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    let running = |weight| {
        sum += weight;
        sum
    };
    weights.map(running).collect()
}

fn shape(weights: &[f64]) -> [f64; 25] {
    let mut shape = [1.0; 25];
    let sum: f64 = weights.iter().sum();
    for (slot, hour) in shape.iter_mut().zip((0..24).cycle()) {
        *slot = weights.get(hour).map_or(1.0, |weight| weight * 24.0 / sum);
    }
    shape
}

fn lognormal(latency: Latency) -> Lognormal {
    Lognormal::new(latency.median_s, latency.sigma)
}

impl FlowPlan {
    fn new(flow: &Flow, scenario: &Scenario) -> Self {
        let index = |id: &String| scenario.carrier_index(id).unwrap_or(0) as u16;
        let segments =
            if flow.segments.iter().sum::<f64>() > 0.0 { &flow.segments[..] } else { &[1.0] };
        Self {
            source: flow.source,
            channel: flow.channel,
            carriers: flow.carriers.keys().map(index).collect(),
            carrier_edges: cumulative(flow.carriers.values().copied()),
            segment_edges: cumulative(segments.iter().copied()),
            price_micros: parse_micros(&flow.price).unwrap_or(0),
            fee_micros: parse_micros(&flow.fee).unwrap_or(0),
            currency: flow.currency.clone(),
            read_rate: flow.read_rate,
            read: lognormal(flow.read),
            events_share: flow.events_share,
            pending_share: flow.pending_share,
            priced_share: flow.priced_share,
            priced: Lognormal::new(flow.priced_after_s, 0.6),
        }
    }
}

impl CarrierPlan {
    fn new(carrier: &Carrier) -> Self {
        let f = &carrier.failures;
        let edges = cumulative([f.undelivered, f.failed, f.expired, f.rejected].into_iter());
        Self {
            id: carrier.id.clone(),
            country: carrier.country_index().map(|n| &COUNTRIES[n]),
            mcc: carrier.mcc.clone(),
            mnc: carrier.mnc.clone(),
            latency: lognormal(carrier.latency),
            failure_edges: [edges[0], edges[1], edges[2], edges[3]],
        }
    }

    pub(crate) fn iso(&self) -> &'static str {
        self.country.map_or("", |country| country.iso)
    }
}

impl IncidentPlan {
    fn new(incident: &Incident, scenario: &Scenario, start_us: i64) -> Self {
        let micros = |seconds: f64| (seconds * 1e6) as i64;
        let carrier = incident.carrier.as_deref().and_then(|id| scenario.carrier_index(id));
        let reaches = |flow: &Flow| {
            flow.channel.has_numbers()
                && incident.carrier.as_ref().is_some_and(|id| flow.carriers.contains_key(id))
        };
        Self {
            id: incident.id.clone(),
            kind: incident.kind,
            start_us: start_us + micros(incident.start_s),
            duration_us: micros(incident.duration_s),
            repeat_us: incident.repeat_s.map(micros),
            carrier: carrier.map(|n| n as u16),
            source: incident.source,
            failure_rate: incident.failure_rate.unwrap_or(0.0),
            factor: incident.factor.unwrap_or(1.0),
            prefix: incident.prefix.clone().unwrap_or_default(),
            latency_us: micros(incident.latency_ms.unwrap_or(0.0) / 1e3),
            flow: scenario.flows.iter().position(reaches).unwrap_or(0) as u16,
        }
    }

    /// Which occurrence is going on at this time.
    pub(crate) fn occurrence_at(&self, time_us: i64) -> Option<i64> {
        let since = time_us - self.start_us;
        let n = self.repeat_us.map_or(0, |every| since.div_euclid(every));
        let into = since - n * self.repeat_us.unwrap_or(0);
        (since >= 0 && into < self.duration_us).then_some(n)
    }

    /// Whether it acts on messages of this carrier and source.
    pub(crate) fn hits(&self, carrier: u16, source: Source) -> bool {
        self.carrier.is_none_or(|hit| hit == carrier) && self.source.is_none_or(|hit| hit == source)
    }
}

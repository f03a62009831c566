//! The scenario file: what traffic looks like and what goes wrong in it.
//!
//! YAML; every key is a field below. An unknown key, a name that nothing defines or a share outside
//! 0..=1 is refused with the place in the file. Shares are fractions, durations are seconds unless
//! the name ends in `_ms`, money is decimal text with up to six digits after the point.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::country;
use crate::text::parse_rfc3339;

/// Why a scenario was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not YAML of this shape; the message names line and column.
    #[error("reading the scenario failed: {0}")]
    Syntax(String),
    /// A value contradicts another one or its own range.
    #[error("scenario key {place}: {problem}")]
    Value {
        /// Path of the key, such as `flows[2].carriers.att`.
        place: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

/// A whole scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name, for people.
    pub name: String,
    /// Start of simulated time, RFC 3339; `Options::start_us` overrides it.
    pub start: String,
    /// Text put wherever a vendor's payload carries a message body; plain ASCII without quotes.
    #[serde(default = "default_body")]
    pub planted_body: String,
    /// One topic for all sources; absent: `messaging.<source>` for each.
    #[serde(default)]
    pub shared_topic: Option<String>,
    /// Relative volume at each full hour UTC, 24 values, linear in between; absent: flat.
    #[serde(default)]
    pub daily_shape: Vec<f64>,
    /// Accounts of each source (sub-accounts, WABAs, agents, apps), 1..=9.
    #[serde(default = "default_accounts")]
    pub accounts: u8,
    /// Exact redeliveries.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// Records that stand later in the stream than their timestamp says.
    #[serde(default)]
    pub reordered: Reordered,
    /// Final receipts that come hours later.
    #[serde(default)]
    pub late: Late,
    /// Share of elements that are broken copies; the intact one comes as well.
    #[serde(default)]
    pub malformed_rate: f64,
    /// Share of messages whose final receipt never comes although the outcome is real.
    #[serde(default)]
    pub missing_rate: f64,
    /// Share of elements whose vendor clock is 6 to 60 minutes ahead of their ingest time.
    #[serde(default)]
    pub future_clock_rate: f64,
    /// Share of messages with an extra non-delivery element (typing, inbound message).
    #[serde(default)]
    pub ignored_rate: f64,
    /// How the batching vendors batch.
    #[serde(default)]
    pub batches: Batches,
    /// Twilio's usage records are fetched this often for each account, seconds; absent: never.
    #[serde(default)]
    pub usage_every_s: Option<f64>,
    /// Carriers and push services, by id.
    pub carriers: Vec<Carrier>,
    /// Kinds of traffic; a message belongs to one, drawn by weight.
    pub flows: Vec<Flow>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub incidents: Vec<Incident>,
}

fn default_body() -> String {
    "PLANTED-BODY-7f3a".to_owned()
}

fn default_accounts() -> u8 {
    3
}

/// Exact redeliveries of events, later and in any partition.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicates {
    /// Share of all elements that repeat an earlier one.
    pub rate: f64,
    /// Shortest and longest delay behind the first delivery, seconds. The shortest is raised so
    /// that a repetition never overtakes its original.
    pub after_s: [f64; 2],
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { rate: 0.0, after_s: [1.0, 60.0] }
    }
}

/// Reordering within a partition.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reordered {
    /// Share of records that are displaced.
    pub rate: f64,
    /// Longest displacement, seconds.
    pub within_s: f64,
}

/// Late receipts: half of them happened late, half happened in time and were reported late.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    /// Share of messages.
    pub rate: f64,
    /// Shortest and longest delay, seconds.
    pub after_s: [f64; 2],
}

impl Default for Late {
    fn default() -> Self {
        Self { rate: 0.0, after_s: [600.0, 7_200.0] }
    }
}

/// Batch settings of the vendors that put many events into one payload.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batches {
    /// Infobip `results[]`.
    pub infobip: Batch,
    /// WhatsApp `entry[].changes[].value.statuses[]`.
    pub whatsapp: Batch,
    /// Twilio Event Streams arrays.
    pub twilio: Batch,
}

/// Size and patience of one batch.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Mean elements of a full batch; the size is uniform in 1..=2*mean-1.
    pub mean: u32,
    /// A batch is sent this long after its first element at the latest, milliseconds.
    pub wait_ms: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Self { mean: 8, wait_ms: 400 }
    }
}

/// A lognormal duration.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half of the samples are below it, seconds.
    pub median_s: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// A carrier, or a push service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// Name used by flows and incidents.
    pub id: String,
    /// ISO code of the recipients' numbers; absent for push services and apps.
    #[serde(default)]
    pub country: Option<String>,
    /// Mobile country code.
    #[serde(default)]
    pub mcc: String,
    /// Mobile network code, leading zeros kept.
    #[serde(default)]
    pub mnc: String,
    /// From handing over to the handset.
    pub latency: Latency,
    /// What goes wrong in ordinary times.
    #[serde(default)]
    pub failures: Failures,
}

/// Shares of messages with each bad outcome; the rest is delivered.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Failures {
    /// The carrier or handset refused it.
    pub undelivered: f64,
    /// The vendor could not hand it over.
    pub failed: f64,
    /// Its validity ended.
    pub expired: f64,
    /// The vendor refused it.
    pub rejected: f64,
}

/// The vendors whose formats the simulator writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Status callbacks, Event Streams, Message resources.
    Twilio,
    /// `results[]` reports.
    Infobip,
    /// RCS for Business over Pub/Sub.
    GoogleRbm,
    /// WhatsApp Cloud API.
    Whatsapp,
    /// The sender's line of an APNs answer.
    Apns,
    /// The sender's record of an FCM answer, and BigQuery rows.
    Fcm,
    /// Own in-app messages.
    Cloudevents,
}

/// The channel of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text messages.
    Sms,
    /// RCS.
    Rcs,
    /// WhatsApp.
    Whatsapp,
    /// Apple push.
    PushApns,
    /// Google push.
    PushFcm,
    /// Messages inside the app.
    InApp,
}

/// One kind of traffic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Vendor.
    pub source: Source,
    /// Channel; twilio: sms, whatsapp; infobip: sms, rcs, whatsapp; the others have one each.
    pub channel: Channel,
    /// Relative share of messages.
    pub weight: f64,
    /// Carrier id to relative share.
    pub carriers: BTreeMap<String, f64>,
    /// Price of one unit (segment for twilio and infobip sms, else message), decimal text.
    #[serde(default = "default_price")]
    pub price: String,
    /// Currency of the price.
    #[serde(default = "default_currency")]
    pub currency: String,
    /// Share of delivered messages that are read (channels with read receipts).
    #[serde(default)]
    pub read_rate: f64,
    /// From delivered to read.
    #[serde(default = "default_read")]
    pub read: Latency,
    /// Relative shares of messages with 1, 2, 3 … segments; absent: all have one.
    #[serde(default)]
    pub segments: Vec<f64>,
    /// Twilio: share of messages reported by Event Streams instead of callbacks.
    /// FCM: share whose send answer is followed by rows of the BigQuery export.
    #[serde(default)]
    pub events_share: f64,
    /// Infobip: share of messages with a pending report before the final one.
    #[serde(default)]
    pub pending_share: f64,
    /// Of the price, the carrier's fee, decimal text; cloudevents only.
    #[serde(default = "default_price")]
    pub fee: String,
    /// Twilio: share of messages whose Message resource with the price is fetched later.
    /// Cloudevents: share of arrived messages whose fee is billed by an event of its own.
    #[serde(default)]
    pub priced_share: f64,
    /// Median time from the outcome to that resource or bill, seconds.
    #[serde(default = "default_priced_after")]
    pub priced_after_s: f64,
}

fn default_price() -> String {
    "0".to_owned()
}

fn default_currency() -> String {
    "USD".to_owned()
}

fn default_read() -> Latency {
    Latency { median_s: 30.0, sigma: 1.0 }
}

fn default_priced_after() -> f64 {
    30.0
}

/// What an incident does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// `carrier`, `failure_rate`: messages fail with that probability.
    CarrierOutage,
    /// `carrier`, `factor`: latency is multiplied.
    SlowCarrier,
    /// `carrier` or `source`, `factor`: the unit price is multiplied.
    PriceRise,
    /// `carrier`, `prefix`, `factor`: extra messages to one number range, `factor` times the
    /// ordinary volume of everything.
    Flood,
    /// `carrier`, `latency_ms`: everything is reported delivered after that time, nothing arrives.
    FakeReceipts,
}

/// One thing that goes wrong for a while. It acts on messages submitted in its time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Name, written to truth.csv and incidents.csv.
    pub id: String,
    /// What happens.
    pub kind: IncidentKind,
    /// Begin, seconds after the start of simulated time.
    pub start_s: f64,
    /// Length, seconds.
    pub duration_s: f64,
    /// It comes back this often, seconds from begin to begin; absent: once.
    #[serde(default)]
    pub repeat_s: Option<f64>,
    /// The carrier that it hits.
    #[serde(default)]
    pub carrier: Option<String>,
    /// The source that it hits.
    #[serde(default)]
    pub source: Option<Source>,
    /// Probability of failure.
    #[serde(default)]
    pub failure_rate: Option<f64>,
    /// Multiplier.
    #[serde(default)]
    pub factor: Option<f64>,
    /// First digits of the numbers, calling code included, no `+`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Latency of a faked receipt, milliseconds.
    #[serde(default)]
    pub latency_ms: Option<f64>,
}

impl Source {
    /// The name used in headers and topics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Infobip => "infobip",
            Self::GoogleRbm => "google_rbm",
            Self::Whatsapp => "whatsapp",
            Self::Apns => "apns",
            Self::Fcm => "fcm",
            Self::Cloudevents => "cloudevents",
        }
    }

    fn carries(self, channel: Channel) -> bool {
        match self {
            Self::Twilio => matches!(channel, Channel::Sms | Channel::Whatsapp),
            Self::Infobip => matches!(channel, Channel::Sms | Channel::Rcs | Channel::Whatsapp),
            Self::GoogleRbm => channel == Channel::Rcs,
            Self::Whatsapp => channel == Channel::Whatsapp,
            Self::Apns => channel == Channel::PushApns,
            Self::Fcm => channel == Channel::PushFcm,
            Self::Cloudevents => channel == Channel::InApp,
        }
    }
}

impl Channel {
    /// The canonical name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Rcs => "rcs",
            Self::Whatsapp => "whatsapp",
            Self::PushApns => "push_apns",
            Self::PushFcm => "push_fcm",
            Self::InApp => "in_app",
        }
    }

    /// Whether recipients are telephone numbers.
    pub(crate) fn has_numbers(self) -> bool {
        matches!(self, Self::Sms | Self::Rcs | Self::Whatsapp)
    }
}

impl IncidentKind {
    /// The name used in the file and in incidents.csv.
    pub fn name(self) -> &'static str {
        match self {
            Self::CarrierOutage => "carrier_outage",
            Self::SlowCarrier => "slow_carrier",
            Self::PriceRise => "price_rise",
            Self::Flood => "flood",
            Self::FakeReceipts => "fake_receipts",
        }
    }
}

impl Scenario {
    /// Reads and checks a scenario file.
    pub fn from_yaml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_saphyr::from_str(text)
            .map_err(|error| ScenarioError::Syntax(error.to_string()))?;
        crate::check::scenario(&scenario)?;
        Ok(scenario)
    }

    /// The topics that a simulation writes to, in the order of `Record::topic`.
    pub fn topics(&self) -> Vec<String> {
        match &self.shared_topic {
            Some(topic) => vec![topic.clone()],
            None => {
                self.sources().iter().map(|source| format!("messaging.{}", source.name())).collect()
            }
        }
    }

    /// The sources with a flow, in fixed order, each once.
    pub fn sources(&self) -> Vec<Source> {
        let mut sources: Vec<Source> = self.flows.iter().map(|flow| flow.source).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    pub(crate) fn start_us(&self) -> Option<i64> {
        parse_rfc3339(&self.start)
    }

    pub(crate) fn carrier_index(&self, id: &str) -> Option<usize> {
        self.carriers.iter().position(|carrier| carrier.id == id)
    }
}

impl Flow {
    pub(crate) fn carries_its_channel(&self) -> bool {
        self.source.carries(self.channel)
    }
}

impl Carrier {
    pub(crate) fn country_index(&self) -> Option<usize> {
        self.country.as_deref().and_then(country::index_of)
    }
}

/// Decimal text as millionths; `None` where it is not that or has more than six decimals.
pub(crate) fn parse_micros(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || fraction.len() > 6 {
        return None;
    }
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<6}").parse().ok()
}

//! The process's own telemetry in Prometheus' text format 0.0.4.
//!
//! Names are `sendtally_<name>_<unit>`, counters end in `_total`. `app` fills a typed
//! [`MetricsSnapshot`], so that the set of names is decided and tested here; what a stage counts
//! beyond it goes to `more`, whose names are forced into the format.

use model::vocabulary::DeadReason;

use crate::view::{Freshness, Readiness};

/// Upper bounds of the buckets of append-to-visible, in microseconds: 50 ms to 5 min, around the
/// epoch of 1 s and the promise of seconds.
pub const APPEND_TO_VISIBLE_BOUNDS_US: [i64; 12] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_000_000,
    3_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// Time from Kafka's append to the row being served, as counts by bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencyCounts {
    /// Observations at or below each bound of [`APPEND_TO_VISIBLE_BOUNDS_US`] and above the one
    /// before; the last are above all.
    pub buckets: [u64; APPEND_TO_VISIBLE_BOUNDS_US.len() + 1],
    /// Sum of all observations.
    pub sum_us: u64,
}

impl LatencyCounts {
    /// Counts observations of one value; a negative one counts as zero.
    pub fn observe(&mut self, latency_us: i64, count: u64) {
        let at = APPEND_TO_VISIBLE_BOUNDS_US.partition_point(|bound| *bound < latency_us);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket = bucket.saturating_add(count);
        }
        let sum = u64::try_from(latency_us).unwrap_or(0).saturating_mul(count);
        self.sum_us = self.sum_us.saturating_add(sum);
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionMetrics {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records between the committed offset and the log end; null while the end is not known.
    pub lag_records: Option<u64>,
    /// Watermark of the partition.
    pub watermark_us: Option<i64>,
}

/// Dead letters of one source and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterCount {
    /// Source, or what the record called itself.
    pub source: String,
    /// Reason.
    pub reason: DeadReason,
    /// How many.
    pub count: u64,
}

/// Elements by what became of them: the terms of P1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "schemas/ledger.toml documents them")]
pub struct ElementCounts {
    pub accepted: u64,
    pub duplicate: u64,
    pub late: u64,
    pub dead: u64,
    pub ignored: u64,
}

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One value of a family.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
    /// Value.
    pub value: f64,
}

/// A metric beyond the fixed set.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Name without `sendtally_`, with unit, and `_total` on counters.
    pub name: String,
    /// What it is, in one sentence.
    pub help: String,
    /// Kind.
    pub kind: FamilyKind,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// Everything `/metrics` tells, besides freshness and readiness.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsSnapshot {
    /// Since the start of the process.
    pub uptime_us: i64,
    /// Records read.
    pub records: u64,
    /// Delivery events accepted, late ones included.
    pub events: u64,
    /// Redelivered or replayed elements that were dropped.
    pub duplicates: u64,
    /// Epochs committed by this process.
    pub epochs: u64,
    /// Elements by disposition.
    pub elements: ElementCounts,
    /// Dead letters by source and reason.
    pub dead_letters: Vec<DeadLetterCount>,
    /// Append to visible.
    pub append_to_visible: LatencyCounts,
    /// Partitions.
    pub partitions: Vec<PartitionMetrics>,
    /// Whatever else a stage counts.
    pub more: Vec<Family>,
}

/// Content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page of `/metrics`.
pub(crate) fn render(
    snapshot: &MetricsSnapshot,
    freshness: &Freshness,
    readiness: &Readiness,
) -> String {
    let mut page = Page::default();
    process(&mut page, snapshot, readiness);
    completeness(&mut page, freshness);
    ledger(&mut page, snapshot);
    partitions(&mut page, &snapshot.partitions);
    histogram(&mut page, &snapshot.append_to_visible);
    for family in &snapshot.more {
        additional(&mut page, family);
    }
    page.text
}

fn process(page: &mut Page, snapshot: &MetricsSnapshot, readiness: &Readiness) {
    page.head("uptime_seconds", "gauge", "Time since the start of the process.");
    page.sample("uptime_seconds", &[], &seconds(snapshot.uptime_us));
    page.head("ready_state", "gauge", "1 when queries may be sent here, else 0.");
    page.sample("ready_state", &[], if readiness.ready { "1" } else { "0" });
    page.counter("epochs_total", "Epochs committed by this process.", snapshot.epochs);
}

fn completeness(page: &mut Page, freshness: &Freshness) {
    let times = [
        ("watermark_timestamp_seconds", "Watermark of the job, Unix time.", freshness.watermark),
        (
            "complete_through_timestamp_seconds",
            "Newest cohort time up to which maturity is 99 % or more, Unix time.",
            freshness.complete_through,
        ),
    ];
    for (name, help, time) in times {
        if let Some(time) = time {
            page.head(name, "gauge", help);
            page.sample(name, &[], &seconds(time.0));
        }
    }
    if let Some(maturity) = freshness.maturity {
        page.head("maturity_ratio", "gauge", "Share of messages with a final outcome.");
        page.sample("maturity_ratio", &[], &number(maturity));
    }
}

fn ledger(page: &mut Page, snapshot: &MetricsSnapshot) {
    page.counter("records_total", "Kafka records read.", snapshot.records);
    page.counter("events_total", "Delivery events accepted.", snapshot.events);
    page.counter("duplicates_total", "Elements dropped as duplicates.", snapshot.duplicates);
    page.head("elements_total", "counter", "Elements of records, by what became of them.");
    let elements = &snapshot.elements;
    for (disposition, count) in [
        ("accepted", elements.accepted),
        ("duplicate", elements.duplicate),
        ("late", elements.late),
        ("dead", elements.dead),
        ("ignored", elements.ignored),
    ] {
        page.sample("elements_total", &[("disposition", disposition)], &count.to_string());
    }
    page.head("dead_letters_total", "counter", "Elements that could not be read, by reason.");
    for letter in &snapshot.dead_letters {
        let labels = [("source", letter.source.as_str()), ("reason", letter.reason.as_str())];
        page.sample("dead_letters_total", &labels, &letter.count.to_string());
    }
}

fn partitions(page: &mut Page, partitions: &[PartitionMetrics]) {
    let lag = "partition_lag_records";
    page.head(lag, "gauge", "Records between the committed offset and the log end.");
    for partition in partitions {
        if let Some(records) = partition.lag_records {
            page.partition(lag, partition, &records.to_string());
        }
    }
    let watermark = "partition_watermark_timestamp_seconds";
    page.head(watermark, "gauge", "Watermark of a partition, Unix time.");
    for partition in partitions {
        if let Some(time_us) = partition.watermark_us {
            page.partition(watermark, partition, &seconds(time_us));
        }
    }
}

fn histogram(page: &mut Page, latency: &LatencyCounts) {
    let name = "append_to_visible_seconds";
    page.head(name, "histogram", "Time from Kafka's append to the served row.");
    let mut count = 0_u64;
    for (at, bucket) in latency.buckets.iter().enumerate() {
        count = count.saturating_add(*bucket);
        let bound = APPEND_TO_VISIBLE_BOUNDS_US.get(at);
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound));
        page.sample(&format!("{name}_bucket"), &[("le", &bound)], &count.to_string());
    }
    page.sample(&format!("{name}_sum"), &[], &seconds(saturated(latency.sum_us)));
    page.sample(&format!("{name}_count"), &[], &count.to_string());
}

fn additional(page: &mut Page, family: &Family) {
    let mut name = identifier(&family.name);
    let kind = match family.kind {
        FamilyKind::Counter => "counter",
        FamilyKind::Gauge => "gauge",
    };
    if family.kind == FamilyKind::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    if !page.head(&name, kind, &family.help) {
        tracing::warn!(name, "metric exists already; its second definition is left out");
        return;
    }
    for sample in &family.samples {
        let named: Vec<(String, &str)> =
            sample.labels.iter().map(|(name, value)| (identifier(name), value.as_str())).collect();
        let labels: Vec<(&str, &str)> =
            named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        page.sample(&name, &labels, &number(sample.value));
    }
}

/// The text so far, and the families in it: one may appear only once.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    families: Vec<String>,
}

impl Page {
    /// `HELP` and `TYPE`; false where the family is there already.
    pub(crate) fn head(&mut self, name: &str, kind: &str, help: &str) -> bool {
        if self.families.iter().any(|other| other == name) {
            return false;
        }
        self.families.push(name.to_owned());
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.text.push_str(&format!("# HELP sendtally_{name} {help}\n"));
        self.text.push_str(&format!("# TYPE sendtally_{name} {kind}\n"));
        true
    }

    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.text.push_str(&format!("sendtally_{name}"));
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            self.text.push_str(&format!("{open}{label}=\"{}\"", escaped(text)));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        self.text.push_str(&format!("{close} {value}\n"));
    }

    /// What was written.
    pub(crate) fn text(self) -> String {
        self.text
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.sample(name, &[], &value.to_string());
    }

    fn partition(&mut self, name: &str, partition: &PartitionMetrics, value: &str) {
        let number = partition.partition.to_string();
        let labels = [("topic", partition.topic.as_str()), ("partition", number.as_str())];
        self.sample(name, &labels, value);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A name as the format allows it: letters, digits and `_`, not beginning with a digit.
fn identifier(text: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = text.chars().map(legal).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// Seconds of microseconds, exact, without trailing zeros.
pub(crate) fn seconds(time_us: i64) -> String {
    let sign = if time_us < 0 { "-" } else { "" };
    let (whole, part) = (time_us.unsigned_abs() / 1_000_000, time_us.unsigned_abs() % 1_000_000);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let text = format!("{sign}{whole}.{part:06}");
    text.trim_end_matches('0').to_owned()
}

fn saturated(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

//! What the gateway counts: by source and answer, and how long a stored webhook took. Nothing by
//! account, address or anything else that a caller chooses.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use model::vocabulary::Source;

use super::answer::Answer;
use super::processor;
use crate::metrics::{Page, seconds};

/// Upper bounds of the latency of a stored webhook, in microseconds: 5 ms are the producer's
/// linger, 6 s the longest wait for Kafka.
const BOUNDS_US: [i64; 12] = [
    1_000, 2_500, 5_000, 7_500, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000,
    6_000_000,
];
const ANSWERS: usize = Answer::WORDS.len();

/// Counters since the start.
#[derive(Debug)]
pub(super) struct Meters {
    /// By source (the last: none that is known) and answer.
    answers: Vec<[AtomicU64; ANSWERS]>,
    latency: [AtomicU64; BOUNDS_US.len() + 1],
    latency_us: AtomicU64,
    in_flight: AtomicUsize,
}

/// A request that is being served.
#[derive(Debug)]
pub(super) struct Flight<'a>(&'a Meters);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            answers: (0..=Source::ALL.len()).map(|_| Default::default()).collect(),
            latency: Default::default(),
            latency_us: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    pub(super) fn begin(&self) -> Flight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Flight(self)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, source: Option<Source>, answer: Answer, took_us: i64) {
        let at = source.map_or(Source::ALL.len(), |source| usize::from(source.index()));
        if let Some(count) = self.answers.get(at).and_then(|of| of.get(answer.index())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if answer == Answer::Stored {
            let at = BOUNDS_US.partition_point(|bound| *bound < took_us);
            if let Some(bucket) = self.latency.get(at) {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
            self.latency_us.fetch_add(u64::try_from(took_us).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// The page of `/metrics`.
    pub(super) fn page(&self, is_well: bool, queued: usize) -> String {
        let mut page = Page::default();
        let name = "gateway_requests_total";
        page.head(name, "counter", "Requests by source and by what became of them.");
        for (at, of) in self.answers.iter().enumerate() {
            let source = Source::ALL.get(at).map_or("unknown", |source| source.as_str());
            for (count, (answer, status)) in of.iter().zip(Answer::WORDS) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels =
                        [("source", source), ("answer", answer), ("status", status.as_str())];
                    page.sample(name, &labels, &count.to_string());
                }
            }
        }
        self.histogram(&mut page);
        let gauges = [
            ("gateway_in_flight_requests", "Requests that are being served.", self.in_flight()),
            ("gateway_queued_records", "Records that wait for Kafka's answer.", queued),
            ("gateway_kafka_state", "1 while Kafka takes records, else 0.", usize::from(is_well)),
        ];
        for (name, help, value) in gauges {
            page.head(name, "gauge", help);
            page.sample(name, &[], &value.to_string());
        }
        let mut text = page.text();
        if let Some(spent_us) = processor::own_us() {
            text.push_str(&processor_text(spent_us));
        }
        text
    }

    fn histogram(&self, page: &mut Page) {
        let name = "gateway_stored_seconds";
        page.head(name, "histogram", "From a webhook's headers to Kafka's acknowledgement.");
        let mut count = 0_u64;
        for (at, bucket) in self.latency.iter().enumerate() {
            count = count.saturating_add(bucket.load(Ordering::Relaxed));
            let bound = BOUNDS_US.get(at);
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound));
            page.sample(&format!("{name}_bucket"), &[("le", &bound)], &count.to_string());
        }
        let sum_us = i64::try_from(self.latency_us.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        page.sample(&format!("{name}_sum"), &[], &seconds(sum_us));
        page.sample(&format!("{name}_count"), &[], &count.to_string());
    }
}

/// The one name that is not ours: Prometheus' clients have it for every process.
fn processor_text(spent_us: i64) -> String {
    let name = "process_cpu_seconds_total";
    let help = "Processor time of the process, user and system, in seconds.";
    let spent = seconds(spent_us);
    format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {spent}\n")
}

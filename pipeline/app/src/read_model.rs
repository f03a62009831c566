//! The API's view of the running process.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::clock::Clock;
use model::vocabulary::Source;
use serve::{
    AlertsAnswer, DeadLetterCount, ElementCounts, Family, FamilyKind, Freshness, MetricsSnapshot,
    PartitionMetrics, ReadModel, Readiness, Sample, WindowQuery, WindowsAnswer,
};

use crate::aggregate::Published;
use crate::job::flow::Shared;
use crate::telemetry::{Counts, Telemetry};

/// Reads published state and counters.
#[derive(Debug)]
pub(crate) struct Model {
    published: Arc<Published>,
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    started_us: i64,
}

impl Model {
    pub(crate) fn new(published: Arc<Published>, shared: &Shared) -> Self {
        Self {
            published,
            telemetry: Arc::clone(&shared.telemetry),
            clock: Arc::clone(&shared.clock),
            started_us: shared.clock.now_us(),
        }
    }
}

impl ReadModel for Model {
    fn freshness(&self) -> Freshness {
        self.published.freshness()
    }

    fn windows(&self, query: &WindowQuery) -> WindowsAnswer {
        self.published.answer(query)
    }

    fn alerts(&self, after: u64, limit: usize) -> AlertsAnswer {
        self.published.alerts_after(after, limit)
    }

    fn metrics(&self) -> MetricsSnapshot {
        let uptime_us = self.clock.now_us() - self.started_us;
        snapshot(&self.telemetry.lock(), uptime_us)
    }

    fn readiness(&self) -> Readiness {
        let counts = self.telemetry.lock();
        let mut reasons = Vec::new();
        if counts.epochs == 0 {
            reasons.push("no epoch was committed yet".to_owned());
        }
        reasons.extend(counts.paused.clone());
        reasons.extend(counts.held.clone());
        // Told, but no reason to take the process out: everything else is served.
        reasons.extend(counts.clickhouse.trouble.clone());
        Readiness { ready: counts.epochs > 0, reasons }
    }
}

fn snapshot(counts: &Counts, uptime_us: i64) -> MetricsSnapshot {
    let dead: u64 = counts.dead.values().sum();
    MetricsSnapshot {
        uptime_us,
        records: counts.records,
        events: counts.accepted,
        duplicates: counts.duplicate,
        epochs: counts.epochs,
        elements: ElementCounts {
            accepted: counts.accepted,
            duplicate: counts.duplicate,
            late: counts.late,
            dead,
            ignored: counts.ignored,
        },
        dead_letters: counts
            .dead
            .iter()
            .map(|((source, reason), count)| DeadLetterCount {
                source: source.clone(),
                reason: *reason,
                count: *count,
            })
            .collect(),
        append_to_visible: counts.visible.clone(),
        partitions: counts
            .partitions
            .iter()
            .map(|((topic, partition), state)| PartitionMetrics {
                topic: topic.clone(),
                partition: *partition,
                lag_records: state
                    .end_offset
                    .map(|end| u64::try_from(end - state.next_offset).unwrap_or(0)),
                watermark_us: state.watermark_us,
            })
            .collect(),
        more: more(counts),
    }
}

/// What `normalize` noticed, by source where it is counted so.
fn noticed(counters: &normalize::Counters) -> [Family; 4] {
    let family = |name: &str, help: &str, samples: Vec<Sample>| Family {
        name: name.to_owned(),
        help: help.to_owned(),
        kind: FamilyKind::Counter,
        samples,
    };
    let of_sources = |counts: &BTreeMap<Source, u64>| {
        let sample =
            |(source, count): (&Source, &u64)| sample(&[("source", source.as_str())], *count);
        counts.iter().map(sample).collect()
    };
    let (statuses, fields) =
        (of_sources(&counters.unknown_statuses), of_sources(&counters.unknown_fields));
    let ignored = counters.ignored.iter().map(|((source, kind), count)| {
        let source = source.map_or("unknown", Source::as_str);
        sample(&[("source", source), ("kind", kind)], *count)
    });
    let plain = counters.plain().map(|(what, count)| sample(&[("what", what)], count));
    [
        family("unknown_statuses_total", "Statuses that no table knows.", statuses),
        family("unknown_fields_total", "Fields that no adapter knows.", fields),
        family("noticed_total", "What was noticed in payloads and settled.", plain.to_vec()),
        family("ignored_total", "Recognised elements that are no delivery.", ignored.collect()),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn sample(labels: &[(&str, &str)], value: u64) -> Sample {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sample { labels: labels.collect(), value: value as f64 }
}

fn more(counts: &Counts) -> Vec<Family> {
    let gauge = |name: &str, help: &str, value: u64| Family {
        name: name.to_owned(),
        help: help.to_owned(),
        kind: FamilyKind::Gauge,
        samples: vec![sample(&[], value)],
    };
    let mut more = vec![
        gauge("tracked_messages", "Messages held in state.", counts.state.n_messages),
        gauge("hot_messages", "Those of them in memory.", counts.state.n_hot),
        gauge("state_bytes", "Bytes of the message tables in memory.", counts.state.n_bytes),
        gauge(
            "disordered_events",
            "Events below the watermark that was published before them.",
            counts.disorder,
        ),
        gauge("epoch", "Newest epoch of the job.", counts.epoch),
        gauge("aggregate_epoch", "Newest epoch of windows and alerts.", counts.aggregate_epoch),
        gauge("lake_epoch", "Newest epoch of the lake.", counts.lake_epoch),
        gauge("clickhouse_epoch", "Newest epoch that is in ClickHouse.", counts.clickhouse.epoch),
        gauge("clickhouse_rows", "Rows that ClickHouse took.", counts.clickhouse.rows),
        gauge(
            "clickhouse_waiting",
            "1 while ClickHouse does not take rows.",
            u64::from(counts.clickhouse.trouble.is_some()),
        ),
        gauge("ingested_bytes", "Bytes of values and headers read.", counts.bytes),
    ];
    more.extend(noticed(&counts.noticed));
    more
}

//! What is served: the rows and answers as they go over the wire, and the [`ReadModel`] that gives
//! them. Field names are the columns of `schemas/slo_windows.toml` and `schemas/alerts.toml`; a
//! test compares them.

use model::time;
use serde::{Serialize, Serializer};

use crate::metrics::MetricsSnapshot;
use crate::query::WindowQuery;

/// Most rows of the alert log that the default [`ReadModel::active_alerts`] asks for at once.
const ACTIVE_PAGE_ROWS: usize = 1_000;

/// What the server reads. Implemented in `app`, called on blocking threads, never on the
/// runtime's: an implementation may lock and compute, but not wait for the network.
pub trait ReadModel: Send + Sync {
    /// Completeness of everything that is served, for answers that have no rows of their own.
    fn freshness(&self) -> Freshness;

    /// Rows of `slo_windows`, newest revision of each; see [`WindowsAnswer::newest`].
    fn windows(&self, query: &WindowQuery) -> WindowsAnswer;

    /// At most `limit` transitions with `seq` above `after`, ascending; see
    /// [`AlertsAnswer::page`].
    fn alerts(&self, after: u64, limit: usize) -> AlertsAnswer;

    /// The transition that began the present state of every pending or firing episode. The
    /// default reads the whole log; override it where the open episodes are at hand.
    fn active_alerts(&self) -> Vec<AlertRow> {
        let mut open: Vec<AlertRow> = Vec::new();
        let mut after = 0;
        loop {
            let answer = self.alerts(after, ACTIVE_PAGE_ROWS);
            for row in answer.alerts {
                fold_active(&mut open, row);
            }
            if !answer.truncated || answer.next <= after {
                return open;
            }
            after = answer.next;
        }
    }

    /// Counters and gauges of the process.
    fn metrics(&self) -> MetricsSnapshot;

    /// Whether queries may be sent here, and if not, why.
    fn readiness(&self) -> Readiness;
}

/// Keeps of each episode the row that began its present state; ends it when it is over.
fn fold_active(open: &mut Vec<AlertRow>, row: AlertRow) {
    let at = open.iter().position(|other| other.episode_id == row.episode_id);
    match (at, row.is_active()) {
        (Some(at), true) if row.from_state != row.to_state => open[at] = row,
        (Some(_), true) => {}
        (Some(at), false) => {
            open.remove(at);
        }
        (None, true) => open.push(row),
        (None, false) => {}
    }
}

/// Microseconds since 1970-01-01T00:00:00Z; on the wire RFC 3339 with six digits and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimeUs(pub i64);

impl From<i64> for TimeUs {
    fn from(time_us: i64) -> Self {
        Self(time_us)
    }
}

impl Serialize for TimeUs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::format_us(self.0))
    }
}

/// How complete an answer is (P7); null before the first commit. On the wire these three are at
/// the top level of every JSON answer.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Freshness {
    /// The job's watermark.
    pub watermark: Option<TimeUs>,
    /// Newest cohort time up to which all windows of the answer have maturity of 99 % or more.
    pub complete_through: Option<TimeUs>,
    /// Share of the answer's messages with a final outcome.
    pub maturity: Option<f64>,
}

impl Freshness {
    /// Completeness of window rows in ascending order. Rows where no receipt can prove delivery
    /// never hold `complete_through` back; an open window is complete to the watermark at most.
    #[expect(clippy::cast_precision_loss, reason = "a share of counts below 2^53")]
    fn of_windows(rows: &[WindowRow], watermark: Option<TimeUs>) -> Self {
        let counted = || rows.iter().filter(|row| row.is_provable());
        let total: i64 = rows.iter().map(|row| row.total).sum();
        let pending: i64 = rows.iter().map(|row| row.pending).sum();
        let first = counted().map(|row| row.window_start.0).min();
        let immature = counted().find(|row| row.pending * 100 > row.total);
        let until = match immature {
            Some(row) => Some(row.window_start.0),
            None => counted().map(|row| row.end_us()).max(),
        };
        let until = until.filter(|until| first.is_some_and(|first| *until > first));
        let complete = until.zip(watermark).map(|(until, mark)| TimeUs(until.min(mark.0)));
        let maturity = (total > 0).then(|| 1.0 - pending as f64 / total as f64);
        Self { watermark, complete_through: complete, maturity }
    }
}

/// Ready, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Readiness {
    /// Queries may be sent here.
    pub ready: bool,
    /// Why not, one sentence each; of a ready process: what is degraded.
    pub reasons: Vec<String>,
}

/// One row of `slo_windows`: all of its columns, in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[expect(missing_docs, reason = "schemas/slo_windows.toml documents the columns")]
pub struct WindowRow {
    pub window_s: u32,
    pub window_start: TimeUs,
    pub source: String,
    pub channel: String,
    pub carrier: Option<String>,
    pub country: Option<String>,
    pub traffic_class: String,
    pub total: i64,
    pub delivered: i64,
    pub read: i64,
    pub failed: i64,
    pub expired: i64,
    pub canceled: i64,
    pub unknown: i64,
    pub pending: i64,
    pub delivery_rate: Option<f64>,
    pub error_rate: Option<f64>,
    pub latency_n: i64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub latency_broker_n: i64,
    pub latency_negative: i64,
    pub maturity: Option<f64>,
    pub watermark: TimeUs,
    pub revision: u64,
    pub committed_at: TimeUs,
}

impl WindowRow {
    /// The dimensions of the row.
    #[must_use]
    pub fn key(&self) -> SeriesKey<'_> {
        SeriesKey {
            source: &self.source,
            channel: &self.channel,
            carrier: self.carrier.as_deref(),
            country: self.country.as_deref(),
            traffic_class: &self.traffic_class,
        }
    }

    /// A receipt of this series can prove delivery: it has a rate, or nothing to make one of.
    const fn is_provable(&self) -> bool {
        self.delivery_rate.is_some() || self.total == self.canceled
    }

    fn end_us(&self) -> i64 {
        self.window_start.0 + i64::from(self.window_s) * time::SECOND_US
    }
}

/// The dimensions of a series, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "schemas/slo_windows.toml documents the columns")]
pub struct SeriesKey<'a> {
    pub source: &'a str,
    pub channel: &'a str,
    pub carrier: Option<&'a str>,
    pub country: Option<&'a str>,
    pub traffic_class: &'a str,
}

/// Answer of `/v1/windows`, ascending by window start, then by series.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WindowsAnswer {
    /// Completeness of these rows.
    #[serde(flatten)]
    pub freshness: Freshness,
    /// The rows.
    pub windows: Vec<WindowRow>,
    /// Older rows match too, but exceed `limit`.
    pub truncated: bool,
    /// Where truncated: the `to` that asks for the older rows. Null where rows of one single
    /// window exceed the limit: ask again with a filter or a higher limit.
    pub next_to: Option<TimeUs>,
}

impl WindowsAnswer {
    /// The newest rows that the query admits, at most `limit`, in wire order. A window that does
    /// not fit whole is left out, so that a page never shows half of one, unless it is the only
    /// one. Revisions must be resolved before. Completeness is of the rows
    /// answered. A caller that yields windows newest first may stop once it has given
    /// `query.limit + 1` admitted rows.
    #[must_use]
    pub fn newest(
        rows: impl IntoIterator<Item = WindowRow>,
        query: &WindowQuery,
        watermark: Option<TimeUs>,
    ) -> Self {
        let admitted = |row: &WindowRow| {
            row.window_s == query.window_s
                && query.admits_start(row.window_start.0)
                && query.admits_series(&row.key())
        };
        let mut windows: Vec<WindowRow> = rows.into_iter().filter(admitted).collect();
        windows.sort_by(|a, b| (a.window_start, a.key()).cmp(&(b.window_start, b.key())));
        let truncated = windows.len() > query.limit;
        let mut next_to = None;
        if truncated {
            let cut = windows.len() - query.limit;
            let half = windows.get(cut - 1).map(|row| row.window_start);
            let whole = windows.partition_point(|row| Some(row.window_start) <= half);
            if whole < windows.len() {
                windows.drain(..whole);
                next_to = windows.first().map(|row| row.window_start);
            } else {
                windows.drain(..cut);
            }
        }
        let freshness = Freshness::of_windows(&windows, watermark);
        Self { freshness, windows, truncated, next_to }
    }
}

/// One row of `alerts`: all of its columns, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "schemas/alerts.toml documents the columns")]
pub struct AlertRow {
    pub seq: u64,
    pub id: String,
    pub episode_id: String,
    pub objective: String,
    pub tier: String,
    pub series: String,
    pub from_state: String,
    pub to_state: String,
    pub reason: String,
    pub event_time: TimeUs,
    pub processing_time: TimeUs,
    /// JSON text, as stored; on the wire embedded as JSON.
    #[serde(serialize_with = "embedded_json")]
    pub evidence: String,
}

impl AlertRow {
    /// The episode is pending or firing after this transition.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.to_state.as_str(), "pending" | "firing")
    }
}

/// The JSON that a text holds; a text that holds none stays a string.
fn embedded_json<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}

/// Answer of `/v1/alerts`, ascending by `seq`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct AlertsAnswer {
    /// Completeness of what the alerts were evaluated on.
    #[serde(flatten)]
    pub freshness: Freshness,
    /// The transitions.
    pub alerts: Vec<AlertRow>,
    /// The cursor: pass it as `after` next time; the same again when nothing is new.
    pub next: u64,
    /// Newest `seq` of the log; 0 when it is empty.
    pub head: u64,
    /// More transitions wait behind `next`.
    pub truncated: bool,
}

impl AlertsAnswer {
    /// The page behind a cursor of a log that is ascending by `seq`.
    #[must_use]
    pub fn page(log: &[AlertRow], after: u64, limit: usize, freshness: Freshness) -> Self {
        let from = log.partition_point(|row| row.seq <= after);
        let rest = log.get(from..).unwrap_or_default();
        let alerts: Vec<AlertRow> = rest.iter().take(limit).cloned().collect();
        Self {
            freshness,
            next: alerts.last().map_or(after, |row| row.seq),
            head: log.last().map_or(0, |row| row.seq),
            truncated: rest.len() > alerts.len(),
            alerts,
        }
    }
}

//! What the API reads: the newest revision of the newest windows, and the alert log. Filled from
//! committed manifests only.

use std::collections::BTreeMap;
use std::sync::RwLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use commit::DataDir;
use serve::{AlertRow, AlertsAnswer, Freshness, TimeUs, WindowQuery, WindowRow, WindowsAnswer};
use window::Session;

use crate::failure::Outcome;
use crate::tables::snapshot;

/// Window rows held for the API; older ones are asked for with SQL.
const WINDOWS_HELD: usize = 200_000;

type SeriesKey = (String, String, Option<String>, Option<String>, String);

#[derive(Debug, Default)]
struct View {
    windows: BTreeMap<(u32, i64), BTreeMap<SeriesKey, WindowRow>>,
    rows: usize,
    alerts: Vec<AlertRow>,
    freshness: Freshness,
}

/// The served state.
#[derive(Debug, Default)]
pub(crate) struct Published(RwLock<View>);

impl Published {
    fn read<T>(&self, with: impl FnOnce(&View) -> T) -> T {
        with(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn write<T>(&self, with: impl FnOnce(&mut View) -> T) -> T {
        with(&mut self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Takes rows of `slo_windows` in.
    pub(crate) fn windows(&self, batch: &RecordBatch) -> Outcome<()> {
        let rows = window_rows(batch)?;
        self.write(|view| {
            for row in rows {
                let window = (row.window_s, row.window_start.0);
                let key = (
                    row.source.clone(),
                    row.channel.clone(),
                    row.carrier.clone(),
                    row.country.clone(),
                    row.traffic_class.clone(),
                );
                let known = view.windows.entry(window).or_default().insert(key, row);
                view.rows += usize::from(known.is_none());
            }
            view.trim();
        });
        Ok(())
    }

    /// Takes rows of `alerts` in, ascending by `seq`.
    pub(crate) fn alerts(&self, batch: &RecordBatch) -> Outcome<()> {
        let rows = alert_rows(batch)?;
        self.write(|view| view.alerts.extend(rows));
        Ok(())
    }

    /// How complete it is.
    pub(crate) fn fresh(&self, mark: Option<i64>, complete: Option<i64>, maturity: Option<f64>) {
        let freshness = Freshness {
            watermark: mark.map(TimeUs),
            complete_through: complete.map(TimeUs),
            maturity,
        };
        self.write(|view| view.freshness = freshness);
    }

    /// The freshness as of the last commit.
    pub(crate) fn freshness(&self) -> Freshness {
        self.read(|view| view.freshness)
    }

    /// Answers a query of windows.
    pub(crate) fn answer(&self, query: &WindowQuery) -> WindowsAnswer {
        self.read(|view| {
            let of_length = (query.window_s, i64::MIN)..=(query.window_s, i64::MAX);
            let newest = view
                .windows
                .range(of_length)
                .rev()
                .filter(|((_, start), _)| query.admits_start(*start));
            let rows = newest.flat_map(|(_, rows)| rows.values());
            let admitted = rows.filter(|row| query.admits_series(&row.key()));
            // One more than the limit, and whole windows: `newest` cuts on a window's border.
            let rows: Vec<WindowRow> = admitted.take(query.limit + 2_000).cloned().collect();
            WindowsAnswer::newest(rows, query, view.freshness.watermark)
        })
    }

    /// A page of the alert log.
    pub(crate) fn alerts_after(&self, after: u64, limit: usize) -> AlertsAnswer {
        self.read(|view| AlertsAnswer::page(&view.alerts, after, limit, view.freshness))
    }
}

impl View {
    /// Forgets the oldest minutes first: they are the many.
    fn trim(&mut self) {
        while self.rows > WINDOWS_HELD {
            let Some((_, rows)) = self.windows.pop_first() else { return };
            self.rows -= rows.len();
        }
    }
}

/// What was published before this process started.
pub(crate) fn load(dir: &DataDir, published: &Published) -> Outcome<()> {
    let wanted = ["slo_windows", "alerts", "status"];
    let mut tables = snapshot(dir, |table| wanted.contains(&table))?.tables;
    tables.retain(|table| wanted.contains(&table.name.as_str()));
    let session = Session::open(tables)?;
    let newest =
        format!("SELECT * FROM slo_windows ORDER BY window_start DESC LIMIT {WINDOWS_HELD}");
    for batch in session.query(&newest)? {
        published.windows(&batch)?;
    }
    for batch in session.query("SELECT * FROM alerts ORDER BY seq")? {
        published.alerts(&batch)?;
    }
    for batch in session.query("SELECT * FROM status WHERE \"table\" = 'slo_windows'")? {
        if batch.num_rows() > 0 {
            let columns = Columns::new(&batch);
            let complete = columns.time("complete_through", 0);
            published.fresh(columns.time("watermark", 0), complete, columns.float("maturity", 0));
        }
    }
    Ok(())
}

/// Columns by name, read leniently: a missing or null value is `None`.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    const fn new(batch: &'a RecordBatch) -> Self {
        Self(batch)
    }

    fn text(&self, name: &str, row: usize) -> Option<String> {
        let column = self.0.column_by_name(name)?;
        if column.is_null(row) {
            return None;
        }
        if let Some(plain) = column.as_string_opt::<i32>() {
            return Some(plain.value(row).to_owned());
        }
        let coded = column.as_dictionary_opt::<Int32Type>()?;
        let words = coded.values().as_string_opt::<i32>()?;
        let key = usize::try_from(coded.keys().value(row)).ok()?;
        Some(words.value(key).to_owned())
    }

    fn long(&self, name: &str, row: usize) -> i64 {
        let column = self.0.column_by_name(name);
        column.and_then(|c| c.as_primitive_opt::<Int64Type>()).map_or(0, |c| c.value(row))
    }

    fn unsigned(&self, name: &str, row: usize) -> u64 {
        let column = self.0.column_by_name(name);
        column.and_then(|c| c.as_primitive_opt::<UInt64Type>()).map_or(0, |c| c.value(row))
    }

    fn float(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.0.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        (!column.is_null(row)).then(|| column.value(row))
    }

    fn time(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.0.column_by_name(name)?;
        let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        (!column.is_null(row)).then(|| column.value(row))
    }
}

fn window_rows(batch: &RecordBatch) -> Outcome<Vec<WindowRow>> {
    let columns = Columns::new(batch);
    let lengths = batch.column(batch.schema().index_of("window_s")?);
    let lengths = lengths.as_primitive::<UInt32Type>();
    let time = |name: &str, row: usize| TimeUs(columns.time(name, row).unwrap_or(0));
    let text = |name: &str, row: usize| columns.text(name, row).unwrap_or_default();
    let rows = (0..batch.num_rows()).map(|row| WindowRow {
        window_s: lengths.value(row),
        window_start: time("window_start", row),
        source: text("source", row),
        channel: text("channel", row),
        carrier: columns.text("carrier", row),
        country: columns.text("country", row),
        traffic_class: text("traffic_class", row),
        total: columns.long("total", row),
        delivered: columns.long("delivered", row),
        read: columns.long("read", row),
        failed: columns.long("failed", row),
        expired: columns.long("expired", row),
        canceled: columns.long("canceled", row),
        unknown: columns.long("unknown", row),
        pending: columns.long("pending", row),
        delivery_rate: columns.float("delivery_rate", row),
        error_rate: columns.float("error_rate", row),
        latency_n: columns.long("latency_n", row),
        p50_ms: columns.float("p50_ms", row),
        p95_ms: columns.float("p95_ms", row),
        p99_ms: columns.float("p99_ms", row),
        latency_broker_n: columns.long("latency_broker_n", row),
        latency_negative: columns.long("latency_negative", row),
        maturity: columns.float("maturity", row),
        watermark: time("watermark", row),
        revision: columns.unsigned("revision", row),
        committed_at: time("committed_at", row),
    });
    Ok(rows.collect())
}

fn alert_rows(batch: &RecordBatch) -> Outcome<Vec<AlertRow>> {
    let columns = Columns::new(batch);
    let text = |name: &str, row: usize| columns.text(name, row).unwrap_or_default();
    let rows = (0..batch.num_rows()).map(|row| AlertRow {
        seq: columns.unsigned("seq", row),
        id: text("id", row),
        episode_id: text("episode_id", row),
        objective: text("objective", row),
        tier: text("tier", row),
        series: text("series", row),
        from_state: text("from_state", row),
        to_state: text("to_state", row),
        reason: text("reason", row),
        event_time: TimeUs(columns.time("event_time", row).unwrap_or(0)),
        processing_time: TimeUs(columns.time("processing_time", row).unwrap_or(0)),
        evidence: text("evidence", row),
    });
    Ok(rows.collect())
}

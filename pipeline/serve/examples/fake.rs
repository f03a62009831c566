//! The page over invented data, to look at: `cargo run -p serve --example fake [calm|empty]`.

use std::net::SocketAddr;
use std::sync::Arc;

use model::clock::{Clock, SystemClock};
use model::time::{MINUTE_US, SECOND_US};
use model::window::floor;
use serve::{
    AlertRow, AlertsAnswer, Freshness, MetricsSnapshot, PartitionMetrics, ReadModel, Readiness,
    TimeUs, WindowQuery, WindowRow, WindowsAnswer,
};

/// Source, channel, carrier, country, messages a minute, share delivered in per mille, p50.
type Series =
    (&'static str, &'static str, Option<&'static str>, &'static str, i64, i64, Option<f64>);

/// Episode, tier, series, from, to, seconds ago, reason.
type Step =
    (&'static str, &'static str, &'static str, &'static str, &'static str, i64, &'static str);

const SERIES: [Series; 9] = [
    ("infobip", "sms", Some("Vodafone"), "DE", 1_840, 986, Some(2_310.0)),
    ("sinch", "sms", Some("Vodafone"), "GB", 920, 978, Some(3_050.0)),
    ("twilio", "sms", Some("T-Mobile"), "US", 4_210, 991, Some(1_870.0)),
    ("twilio", "sms", Some("Verizon"), "US", 3_930, 838, Some(9_400.0)),
    ("twilio", "sms", None, "US", 310, 941, Some(2_700.0)),
    ("google_rbm", "rcs", Some("__other__"), "IN", 1_120, 962, Some(1_240.0)),
    ("google_rbm", "rcs", Some("Jio <b>5G</b>"), "IN", 2_480, 971, Some(1_010.0)),
    ("whatsapp", "whatsapp", None, "BR", 2_050, 983, Some(880.0)),
    ("webpush", "push_web", None, "FR", 640, 0, None),
];

struct Fake {
    mode: String,
}

impl Fake {
    fn now(&self) -> i64 {
        SystemClock.now_us()
    }

    fn row(&self, series: &Series, start: i64) -> WindowRow {
        let (source, channel, carrier, country, base, good, p50) = *series;
        let minute = start / MINUTE_US;
        let wave = (minute * 37 + base) % 11 - 5;
        let total = base + base * wave / 100;
        let age = self.now() - start;
        let settled = (age * 1_000 / (3 * MINUTE_US)).clamp(150, 1_000);
        let settled = if age > 3 * MINUTE_US { 1_000 } else { settled };
        let bad_day = good == 838 && age < 9 * MINUTE_US && self.mode != "calm";
        let good = if bad_day { 610 } else { good.min(985) + wave / 2 };
        let proven = p50.is_some();
        let delivered = if proven { total * good / 1_000 * settled / 1_000 } else { 0 };
        let failed = if proven { total * (996 - good) / 1_000 * settled / 1_000 } else { 0 };
        let expired = if proven { total * settled / 1_000 - delivered - failed } else { 0 };
        let unknown = if proven { 0 } else { total };
        let pending = total - delivered - failed - expired - unknown;
        let ratio = |part: i64| proven.then(|| part as f64 / total as f64);
        let scaled = |factor: f64| p50.map(|p50| p50 * factor * (1.0 + wave as f64 / 30.0));
        WindowRow {
            window_s: 60,
            window_start: TimeUs(start),
            source: source.to_owned(),
            channel: channel.to_owned(),
            carrier: carrier.map(str::to_owned),
            country: Some(country.to_owned()),
            traffic_class: "transactional".to_owned(),
            total,
            delivered,
            failed,
            expired,
            unknown,
            pending,
            delivery_rate: ratio(delivered),
            error_rate: ratio(failed),
            latency_n: delivered,
            p50_ms: scaled(1.0),
            p95_ms: scaled(4.2),
            p99_ms: scaled(17.0),
            maturity: Some(1.0 - pending as f64 / total as f64),
            watermark: TimeUs(self.now() - 5 * SECOND_US),
            revision: 7,
            committed_at: TimeUs(self.now()),
            ..WindowRow::default()
        }
    }

    fn log(&self) -> Vec<AlertRow> {
        if self.mode != "full" {
            return Vec::new();
        }
        let start = floor(self.now(), 600 * SECOND_US);
        let verizon = "channel=sms,carrier=Verizon";
        let jio = "channel=rcs,carrier=Jio <b>5G</b>";
        let steps: [Step; 6] = [
            ("c", "page", jio, "inactive", "pending", -3_000, "error budget burns 15.2x over 5 m"),
            ("c", "page", jio, "pending", "firing", -2_940, "error budget burns 16.0x over 1 h"),
            ("c", "page", jio, "firing", "resolved", -1_200, "burn rate below 14.4x for 15 min"),
            (
                "a",
                "page",
                verizon,
                "inactive",
                "pending",
                -480,
                "error budget burns 18.9x over 5 m",
            ),
            (
                "a",
                "page",
                verizon,
                "pending",
                "firing",
                -420,
                "error budget burns 21.3x over 1 h: \
               12,481 of 31,440 messages failed, budget 314",
            ),
            ("b", "ticket", jio, "inactive", "pending", -300, "delivery p95 above 15 s for 5 min"),
        ];
        let row = |(at, step): (usize, &Step)| AlertRow {
            seq: at as u64 + 1,
            id: format!("t{at}"),
            episode_id: step.0.to_owned(),
            objective: "delivered within 60 s".to_owned(),
            tier: step.1.to_owned(),
            series: step.2.to_owned(),
            from_state: step.3.to_owned(),
            to_state: step.4.to_owned(),
            reason: step.6.to_owned(),
            event_time: TimeUs(start + step.5 * SECOND_US),
            processing_time: TimeUs(start + (step.5 + 6) * SECOND_US),
            evidence: "{\"window_s\":3600}".to_owned(),
        };
        steps.iter().enumerate().map(row).collect()
    }
}

impl ReadModel for Fake {
    fn freshness(&self) -> Freshness {
        if self.mode == "empty" {
            return Freshness::default();
        }
        let now = self.now();
        Freshness {
            watermark: Some(TimeUs(now - 5_400_000)),
            complete_through: Some(TimeUs(floor(now, MINUTE_US) - 3 * MINUTE_US)),
            maturity: Some(0.9724),
        }
    }

    fn windows(&self, query: &WindowQuery) -> WindowsAnswer {
        let newest = floor(self.now(), MINUTE_US);
        let minutes = if self.mode == "empty" { 0 } else { 60 };
        let rows = (0..minutes).flat_map(|back| {
            SERIES.iter().map(move |series| self.row(series, newest - back * MINUTE_US))
        });
        WindowsAnswer::newest(rows, query, self.freshness().watermark)
    }

    fn alerts(&self, after: u64, limit: usize) -> AlertsAnswer {
        AlertsAnswer::page(&self.log(), after, limit, self.freshness())
    }

    fn metrics(&self) -> MetricsSnapshot {
        let partition = PartitionMetrics { topic: "dlr".to_owned(), ..Default::default() };
        MetricsSnapshot { partitions: vec![partition], ..MetricsSnapshot::default() }
    }

    fn readiness(&self) -> Readiness {
        let reasons = if self.mode == "full" {
            vec!["ClickHouse has not answered for 40 s; batches wait.".to_owned()]
        } else {
            Vec::new()
        };
        Readiness { ready: true, reasons }
    }
}

#[tokio::main]
async fn main() -> Result<(), serve::ServeError> {
    let mode = std::env::args().nth(1).unwrap_or_else(|| "full".to_owned());
    let listener = serve::bind(SocketAddr::from(([127, 0, 0, 1], 18_474))).await?;
    serve::serve(listener, Arc::new(Fake { mode }), std::future::pending()).await
}

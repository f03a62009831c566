//! The server over a real loopback socket, with a hand-made client and a fake model.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use model::schema;
use model::time::{MINUTE_US, format_us, parse_rfc3339};
use model::vocabulary::DeadReason;
use serde_json::Value;
use tokio::sync::oneshot;

use super::*;

const START_US: i64 = 1_767_225_600_000_000;

#[derive(Default)]
struct Fake {
    rows: Vec<WindowRow>,
    log: Vec<AlertRow>,
    reasons: Vec<String>,
    broken: bool,
}

impl ReadModel for Fake {
    fn freshness(&self) -> Freshness {
        Freshness {
            watermark: Some(TimeUs(START_US)),
            complete_through: Some(TimeUs(START_US - MINUTE_US)),
            maturity: Some(0.75),
        }
    }

    fn windows(&self, query: &WindowQuery) -> WindowsAnswer {
        assert!(!self.broken, "a model that panics");
        WindowsAnswer::newest(self.rows.clone(), query, self.freshness().watermark)
    }

    fn alerts(&self, after: u64, limit: usize) -> AlertsAnswer {
        AlertsAnswer::page(&self.log, after, limit, self.freshness())
    }

    fn metrics(&self) -> MetricsSnapshot {
        let mut latency = LatencyCounts::default();
        for latency_us in [-5, 50_000, 50_001, 900_000_000] {
            latency.observe(latency_us, 1);
        }
        MetricsSnapshot {
            uptime_us: 1_500_000,
            elements: ElementCounts { accepted: 7, dead: 2, ..ElementCounts::default() },
            dead_letters: vec![DeadLetterCount {
                source: "a\"b\\c\nd".to_owned(),
                reason: DeadReason::Syntax,
                count: 2,
            }],
            append_to_visible: latency,
            partitions: vec![PartitionMetrics {
                topic: "dlr".to_owned(),
                partition: 3,
                lag_records: Some(12),
                watermark_us: Some(START_US + 250_000),
            }],
            more: vec![Family {
                name: "0 odd-name".to_owned(),
                help: "line\nbreak \\ here".to_owned(),
                kind: FamilyKind::Counter,
                samples: vec![Sample {
                    labels: vec![("la bel".to_owned(), "x".to_owned())],
                    value: f64::INFINITY,
                }],
            }],
            ..MetricsSnapshot::default()
        }
    }

    fn readiness(&self) -> Readiness {
        Readiness { ready: self.reasons.is_empty(), reasons: self.reasons.clone() }
    }
}

/// A server on a free port that ends with the test.
struct Server {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    stop: Option<oneshot::Sender<()>>,
    ended: std::sync::mpsc::Receiver<Result<(), ServeError>>,
}

impl Server {
    fn over(model: Fake) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(bind(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ending, ended) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let shutdown = async move { drop(stopped.await) };
            ending.send(serve(listener, Arc::new(model), shutdown).await).unwrap();
        });
        Self { address, _runtime: runtime, stop: Some(stop), ended }
    }

    fn ask(&self, method: &str, target: &str) -> Answer {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        Answer::read(self.address, &head)
    }

    fn get(&self, target: &str) -> Answer {
        self.ask("GET", target)
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(address: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn row(minute: i64, carrier: Option<&str>) -> WindowRow {
    WindowRow {
        window_s: 60,
        window_start: TimeUs(START_US + minute * MINUTE_US),
        source: "twilio".to_owned(),
        channel: "sms".to_owned(),
        carrier: carrier.map(str::to_owned),
        country: Some("DE".to_owned()),
        traffic_class: "otp".to_owned(),
        total: 10,
        ..WindowRow::default()
    }
}

fn transition(seq: u64, episode: &str, from: &str, to: &str) -> AlertRow {
    AlertRow {
        seq,
        episode_id: episode.to_owned(),
        from_state: from.to_owned(),
        to_state: to.to_owned(),
        evidence: "{\"good\":1,\"total\":2}".to_owned(),
        ..AlertRow::default()
    }
}

fn some_rows() -> Fake {
    let rows = (0..3).flat_map(|minute| [row(minute, Some("B")), row(minute, None)]).collect();
    Fake { rows, ..Fake::default() }
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn column_names(table: &schema::Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn rows_have_exactly_the_columns_of_their_tables() {
    let window = serde_json::to_value(row(0, None)).unwrap();
    assert_eq!(names(&window), column_names(&schema::SLO_WINDOWS));
    let alert = serde_json::to_value(transition(1, "e", "inactive", "pending")).unwrap();
    assert_eq!(names(&alert), column_names(&schema::ALERTS));
    assert_eq!(alert["evidence"]["total"], 2);
    let odd = AlertRow { evidence: "no json".to_owned(), ..AlertRow::default() };
    assert_eq!(serde_json::to_value(odd).unwrap()["evidence"], "no json");
}

#[test]
fn every_json_answer_says_how_complete_it_is() {
    let server = Server::over(some_rows());
    let long = format!("/v1/windows?carrier={}", "x".repeat(5_000));
    for (method, target, status) in [
        ("GET", "/readyz", 200),
        ("GET", "/v1/windows", 200),
        ("GET", "/v1/alerts", 200),
        ("GET", "/v1/alerts/active", 200),
        ("GET", "/v1/windows?limit=0", 400),
        ("GET", "/v1/nothing", 404),
        ("GET", "/..%2f..%2fetc/passwd", 404),
        ("POST", "/v1/windows", 405),
        ("DELETE", "/nothing", 405),
        ("GET", long.as_str(), 414),
    ] {
        let answer = server.ask(method, target);
        assert_eq!(answer.status, status, "{method} {target}");
        let json = answer.json();
        assert_eq!(json["watermark"], "2026-01-01T00:00:00.000000Z", "{target}");
        // An answer with rows tells of its rows, any other of everything.
        let rows = status == 200 && target == "/v1/windows";
        assert_eq!(json["maturity"], if rows { 1.0 } else { 0.75 }, "{target}");
        let complete = (!rows).then_some("2025-12-31T23:59:00.000000Z");
        assert_eq!(json["complete_through"].as_str(), complete, "{target}");
        assert!(answer.head.contains("content-type: application/json"), "{target}");
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{target}");
        assert!(answer.head.contains("cache-control: no-store"), "{target}");
        assert_eq!(answer.head.contains("allow: get, head"), status == 405, "{target}");
    }
}

/// Completeness of rows (minute, total, pending, provable) under a watermark, in minutes.
fn complete(rows: &[(i64, i64, i64, bool)], mark: i64) -> (Option<i64>, Option<f64>) {
    let rows = rows.iter().map(|(minute, total, pending, provable)| WindowRow {
        total: *total,
        pending: *pending,
        delivery_rate: provable.then_some(1.0),
        ..row(*minute, None)
    });
    let mark = Some(TimeUs(START_US + mark * MINUTE_US));
    let answer = WindowsAnswer::newest(rows, &WindowQuery::default(), mark).freshness;
    let minutes = |time: TimeUs| (time.0 - START_US) / MINUTE_US;
    (answer.complete_through.map(minutes), answer.maturity)
}

#[test]
fn an_answer_is_complete_up_to_its_first_window_with_too_many_pending_messages() {
    assert_eq!(complete(&[], 9), (None, None));
    assert_eq!(complete(&[(0, 100, 1, true), (1, 100, 1, true)], 9), (Some(2), Some(0.99)));
    assert_eq!(complete(&[(0, 100, 0, true), (1, 100, 2, true)], 9), (Some(1), Some(0.99)));
    assert_eq!(complete(&[(0, 10, 5, true), (1, 10, 0, true)], 9).0, None, "the first waits");
    assert_eq!(complete(&[(0, 10, 0, true), (0, 10, 5, true)], 9).0, None, "one series waits");
    let unprovable = [(0, 10, 0, true), (1, 10, 10, false), (2, 10, 0, true)];
    assert_eq!(complete(&unprovable, 9).0, Some(3), "no receipt can prove delivery");
    assert_eq!(complete(&[(0, 10, 0, true), (2, 10, 0, true)], 2).0, Some(2), "still open");
}

#[test]
fn readiness_decides_the_status_and_liveness_does_not_ask() {
    let reasons = vec!["no partition is assigned yet".to_owned()];
    let server = Server::over(Fake { reasons, ..Fake::default() });
    let answer = server.get("/readyz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["ready"], false);
    assert_eq!(answer.json()["reasons"][0], "no partition is assigned yet");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.ask("HEAD", "/healthz").body, "");
}

#[test]
fn windows_are_filtered_ascending_and_cut_at_whole_windows() {
    let server = Server::over(some_rows());
    let starts = |target: &str| -> Vec<i64> {
        let json = server.get(target).json();
        let minute = |row: &Value| {
            let time_us = parse_rfc3339(row["window_start"].as_str().unwrap()).unwrap();
            (time_us - START_US) / MINUTE_US
        };
        json["windows"].as_array().unwrap().iter().map(minute).collect()
    };
    assert_eq!(starts("/v1/windows"), [0, 0, 1, 1, 2, 2]);
    assert_eq!(starts("/v1/windows?channel=&carrier=&from=&limit="), [0, 0, 1, 1, 2, 2]);
    assert_eq!(starts("/v1/windows?channel=sms&carrier=__null__&country=de"), [0, 1, 2]);
    assert_eq!(starts("/v1/windows?carrier=B&traffic_class=otp&source=twilio"), [0, 1, 2]);
    assert!(starts("/v1/windows?channel=rcs").is_empty());
    assert!(starts("/v1/windows?window_s=300").is_empty());
    let from = "from=2026-01-01T01:01:00%2B01:00";
    assert_eq!(starts(&format!("/v1/windows?{from}&to=2026-01-01T00:02:00Z")), [1, 1]);
    assert_eq!(starts("/v1/windows?from=2026-01-01T01:01:00+01:00"), [1, 1, 2, 2]);

    let cut = server.get("/v1/windows?limit=5").json();
    assert_eq!(cut["truncated"], true);
    assert_eq!(cut["windows"].as_array().unwrap().len(), 4, "no half of a window");
    assert_eq!(cut["next_to"], format_us(START_US + MINUTE_US));
    assert_eq!(starts("/v1/windows?to=2026-01-01T00:01:00Z&limit=5"), [0, 0]);
    let single = server.get("/v1/windows?limit=1").json();
    assert_eq!(single["windows"].as_array().unwrap().len(), 1);
    assert_eq!((&single["truncated"], &single["next_to"]), (&Value::Bool(true), &Value::Null));
    assert_eq!(server.get("/v1/windows?limit=6").json()["truncated"], false);
}

#[test]
fn a_bad_parameter_is_named_with_what_is_allowed() {
    let server = Server::over(some_rows());
    for (target, parameter, allowed) in [
        ("/v1/windows?window_s=61", "window_s", "60, 300, 3600, 86400"),
        ("/v1/windows?channel=fax", "channel", "rcs"),
        ("/v1/windows?source=nobody", "source", "twilio"),
        ("/v1/windows?traffic_class=x", "traffic_class", "otp"),
        ("/v1/windows?country=DEU", "country", "two letters"),
        ("/v1/windows?carrier=a%00b", "carrier", "128 bytes"),
        ("/v1/windows?carrier=%FF", "carrier", "128 bytes"),
        ("/v1/windows?from=yesterday", "from", "RFC 3339"),
        ("/v1/windows?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to", "after"),
        ("/v1/windows?limit=10001", "limit", "1 to 10000"),
        ("/v1/windows?limit=-1", "limit", "1 to 10000"),
        ("/v1/windows?chanel=sms", "chanel", "channel"),
        ("/v1/windows?limit=1&limit=2", "limit", "once"),
        ("/v1/alerts?after=-1", "after", "whole number"),
        ("/v1/alerts?after=18446744073709551616", "after", "whole number"),
        ("/v1/alerts?limit=1001", "limit", "1 to 1000"),
        ("/v1/alerts?seq=3", "seq", "after, limit"),
        ("/v1/alerts/active?x=1", "x", "no parameters"),
    ] {
        let answer = server.get(target);
        assert_eq!(answer.status, 400, "{target}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "bad_parameter", "{target}");
        assert_eq!(error["parameter"], parameter, "{target}");
        assert!(error["allowed"].as_str().unwrap().contains(allowed), "{target}: {error}");
    }
}

#[test]
fn the_cursor_goes_through_the_whole_log_once() {
    let log: Vec<AlertRow> =
        (1..=7).map(|seq| transition(seq * 2, "e", "inactive", "pending")).collect();
    let server = Server::over(Fake { log, ..Fake::default() });
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let json = server.get(&format!("/v1/alerts?after={after}&limit=3")).json();
        assert_eq!(json["head"], 14);
        seen.extend(json["alerts"].as_array().unwrap().iter().map(|row| row["seq"].as_u64()));
        after = json["next"].as_u64().unwrap();
        if json["truncated"] == false {
            break;
        }
    }
    assert_eq!(seen, (1..=7).map(|seq| Some(seq * 2)).collect::<Vec<_>>());
    let idle = server.get(&format!("/v1/alerts?after={after}")).json();
    assert_eq!((idle["next"].as_u64(), idle["alerts"].as_array().unwrap().len()), (Some(14), 0));
}

#[test]
fn active_alerts_are_the_open_episodes_since_their_state_began() {
    let log = vec![
        transition(1, "over", "inactive", "firing"),
        transition(2, "open", "inactive", "pending"),
        transition(3, "open", "pending", "firing"),
        transition(4, "over", "firing", "resolved"),
        transition(5, "open", "firing", "firing"),
        transition(6, "new", "inactive", "pending"),
    ];
    let server = Server::over(Fake { log, ..Fake::default() });
    let json = server.get("/v1/alerts/active").json();
    let seqs: Vec<u64> =
        json["alerts"].as_array().unwrap().iter().filter_map(|row| row["seq"].as_u64()).collect();
    assert_eq!(seqs, [3, 6]);
}

#[test]
fn a_model_that_panics_costs_one_request() {
    let server = Server::over(Fake { broken: true, ..Fake::default() });
    for _ in 0..20 {
        let answer = server.get("/v1/windows");
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (500, &"internal".into()));
        assert_eq!(answer.json()["watermark"], Value::Null);
    }
    assert_eq!(server.get("/v1/alerts").status, 200, "no place stays taken");
}

/// Reads one sample line by the grammar of the text format.
fn sample(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value = match value {
        "+Inf" => f64::INFINITY,
        _ => value.parse().unwrap(),
    };
    let name = series.split('{').next().unwrap();
    assert!(name.starts_with("sendtally_"), "{line}");
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{line}");
    if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
        assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
        let bare = labels.replace("\\\\", "").replace("\\\"", "").replace("\\n", "");
        assert!(!bare.contains('\\'), "{line}");
        assert_eq!(bare.matches('"').count(), 2 * bare.matches('=').count(), "{line}");
    }
    (series.to_owned(), value)
}

#[test]
fn metrics_are_the_text_format_line_by_line() {
    let server = Server::over(Fake::default());
    let answer = server.get("/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"));
    assert!(answer.body.ends_with('\n'));
    let (mut samples, mut family, mut types) = (Vec::new(), String::new(), Vec::new());
    for line in answer.body.lines() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            head.split(' ').next().unwrap().clone_into(&mut family);
        } else if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert_eq!(name, family, "TYPE follows its HELP");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            types.push(name.to_owned());
        } else {
            assert!(line.starts_with(&family), "{line} is in the group of {family}");
            samples.push(sample(line));
        }
    }
    let mut distinct = types.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), types.len(), "one TYPE a family");
    for expected in [
        ("sendtally_uptime_seconds", 1.5),
        ("sendtally_ready_state", 1.0),
        ("sendtally_maturity_ratio", 0.75),
        ("sendtally_elements_total{disposition=\"accepted\"}", 7.0),
        ("sendtally_dead_letters_total{source=\"a\\\"b\\\\c\\nd\",reason=\"syntax\"}", 2.0),
        ("sendtally_partition_lag_records{topic=\"dlr\",partition=\"3\"}", 12.0),
        (
            "sendtally_partition_watermark_timestamp_seconds{topic=\"dlr\",partition=\"3\"}",
            1_767_225_600.25,
        ),
        ("sendtally_append_to_visible_seconds_bucket{le=\"0.05\"}", 2.0),
        ("sendtally_append_to_visible_seconds_bucket{le=\"0.1\"}", 3.0),
        ("sendtally_append_to_visible_seconds_bucket{le=\"300\"}", 3.0),
        ("sendtally_append_to_visible_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("sendtally_append_to_visible_seconds_count", 4.0),
        ("sendtally_append_to_visible_seconds_sum", 900.100_001),
        ("sendtally__0_odd_name_total{la_bel=\"x\"}", f64::INFINITY),
    ] {
        assert!(samples.contains(&(expected.0.to_owned(), expected.1)), "{expected:?}");
    }
}

#[test]
fn the_page_is_served_with_a_policy_and_needs_nobody_else() {
    let server = Server::over(Fake::default());
    for (path, kind) in
        [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")]
    {
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains(&format!("content-type: {kind}")), "{path}");
        assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{path}");
        let text = answer.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("//fonts") && !text.contains("http"), "{path} asks elsewhere");
        for unsafe_word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "onclick="] {
            assert!(!text.contains(unsafe_word), "{path}: {unsafe_word}");
        }
    }
    assert_eq!(server.get("/icon.svg").status, 200);
}

#[test]
fn garbage_and_silence_do_not_disturb_others() {
    let server = Server::over(Fake::default());
    let silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let mut garbage = TcpStream::connect(server.address).unwrap();
    garbage.write_all(b"\x16\x03\x01\x00\xff garbage\r\n\r\n").unwrap();
    assert_eq!(server.get("/healthz").status, 200);
    drop(silent);
}

#[test]
fn shutdown_ends_the_server_and_a_taken_address_is_an_error() {
    let mut server = Server::over(Fake::default());
    let second = server._runtime.block_on(bind(server.address));
    assert!(matches!(second, Err(ServeError::Bind { address, .. }) if address == server.address));
    server.stop.take().unwrap().send(()).unwrap();
    let ended = server.ended.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(ended.is_ok());
    assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
}

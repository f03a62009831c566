//! Hand-computed windows, and windows against a sum made in plain Rust.

use std::time::Instant;

use model::sketch::{Sketch, bucket, representative_ms};
use proptest::prelude::*;

use super::*;
use crate::fixture::{csv, lines, rows};

const STAMP: Stamp = Stamp { watermark_us: 1_000_000, revision: 7, committed_at_us: 2_000_000 };

fn sketch_hex(latencies: &[(i64, i64)]) -> String {
    let mut sketch = Sketch::default();
    for (latency_ms, count) in latencies {
        sketch.add(bucket(*latency_ms), *count);
    }
    model::keys::hex(&sketch.to_bytes())
}

fn slo(lines: &str) -> RecordBatch {
    let engine = Engine::new().unwrap();
    engine.slo_windows(vec![rows(&SLO_PANE_SCHEMA, lines)], &STAMP).unwrap()
}

#[test]
fn panes_of_a_window_add_up_and_a_message_that_left_is_gone() {
    let latency = sketch_hex(&[(100, 2), (150, 1)]);
    let left = sketch_hex(&[(150, -1)]);
    let windows = slo(&format!(
        r#"{{"pane_start":"2026-01-01T00:00:50Z","channel":"sms","carrier":"x","total":4,
             "delivered":3,"read":1,"failed":1,"provable":4,"latency":"{latency}"}}
           {{"pane_start":"2026-01-01T00:00:50Z","channel":"sms","carrier":"x","total":-1,
             "delivered":-1,"provable":-1,"latency":"{left}"}}
           {{"pane_start":"2026-01-01T00:01:00Z","channel":"sms","carrier":"x","total":2,
             "pending":1,"canceled":1,"provable":2,"latency_broker_n":1,"latency_negative":2}}"#
    ));
    let shown = [
        "window_s",
        "window_start",
        "carrier",
        "country",
        "total",
        "delivered",
        "read",
        "failed",
        "canceled",
        "pending",
        "delivery_rate",
        "error_rate",
        "latency_n",
        "maturity",
    ];
    let expected = "
        60,2026-01-01T00:00:00.000000Z,x,,3,2,1,1,0,0,0.6666666666666666,0.3333333333333333,2,1.0
        60,2026-01-01T00:01:00.000000Z,x,,2,0,0,0,1,1,0.0,0.0,0,0.5
        300,2026-01-01T00:00:00.000000Z,x,,5,2,1,1,1,1,0.5,0.25,2,0.8
        3600,2026-01-01T00:00:00.000000Z,x,,5,2,1,1,1,1,0.5,0.25,2,0.8
        86400,2026-01-01T00:00:00.000000Z,x,,5,2,1,1,1,1,0.5,0.25,2,0.8";
    assert_eq!(csv(std::slice::from_ref(&windows), &shown), lines(expected));
    let value = representative_ms(bucket(100));
    let first = csv(&[windows.slice(0, 1)], &["p50_ms", "p95_ms", "p99_ms"]);
    assert_eq!(first, format!("{value:?},{value:?},{value:?}\n"));
    let stamped = csv(
        &[windows.slice(1, 1)],
        &["latency_broker_n", "latency_negative", "p50_ms", "watermark", "revision"],
    );
    assert_eq!(stamped, "1,2,,1970-01-01T00:00:01.000000Z,7\n");
    assert_eq!(windows.schema(), schema::SLO_WINDOWS.arrow());
}

#[test]
fn a_window_that_became_empty_is_a_row_of_zeros() {
    let windows = slo(r#"{"pane_start":"2026-01-01T00:00:50Z","total":1,"pending":1,"provable":1}
           {"pane_start":"2026-01-01T00:00:50Z","total":-1,"pending":-1,"provable":-1}"#);
    let shown = ["window_s", "total", "delivery_rate", "maturity", "p50_ms", "latency_n"];
    let expected = "60,0,,,,0\n300,0,,,,0\n3600,0,,,,0\n86400,0,,,,0\n";
    assert_eq!(csv(&[windows], &shown), expected);
}

#[test]
fn rates_are_null_where_no_receipt_proves_or_all_is_canceled() {
    let windows =
        slo(r#"{"pane_start":"2026-01-01T00:00:00Z","channel":"a","total":2,"delivered":2}
           {"pane_start":"2026-01-01T00:00:00Z","channel":"b","total":2,"canceled":2,
            "provable":2}"#);
    let shown = ["channel", "delivery_rate", "error_rate", "maturity"];
    assert_eq!(csv(&[windows.slice(0, 2)], &shown), "a,,,1.0\nb,,,1.0\n");
}

#[test]
fn rows_are_sorted_and_null_dimensions_are_a_series_of_their_own() {
    let windows = slo(r#"{"pane_start":"2026-01-01T00:01:00Z","carrier":"b","total":1}
           {"pane_start":"2026-01-01T00:01:00Z","total":2}
           {"pane_start":"2026-01-01T00:01:00Z","carrier":"a","country":"DE","total":3}
           {"pane_start":"2026-01-01T00:01:00Z","carrier":"a","total":4}
           {"pane_start":"1969-12-31T23:59:50Z","total":5}"#);
    let shown = ["window_start", "carrier", "country", "total"];
    let expected = "
        1969-12-31T23:59:00.000000Z,,,5
        2026-01-01T00:01:00.000000Z,a,DE,3
        2026-01-01T00:01:00.000000Z,a,,4
        2026-01-01T00:01:00.000000Z,b,,1
        2026-01-01T00:01:00.000000Z,,,2";
    assert_eq!(csv(&[windows.slice(0, 5)], &shown), lines(expected));
}

#[test]
fn money_adds_exactly_and_never_across_currencies() {
    let engine = Engine::new().unwrap();
    let panes = rows(
        &COST_PANE_SCHEMA,
        r#"{"pane_start":"2026-01-01T00:00:00Z","currency":"EUR","kind":"message",
            "amount":"0.100000001","quantity":"1","messages":1,"delivered":1}
           {"pane_start":"2026-01-01T00:00:10Z","currency":"EUR","kind":"message",
            "amount":"0.2","quantity":"2","messages":1}
           {"pane_start":"2026-01-01T00:00:10Z","currency":"USD","kind":"message",
            "amount":"5","quantity":"1","messages":1}
           {"pane_start":"2026-01-01T00:00:10Z","kind":"message",
            "amount":"7","quantity":"1","messages":1}
           {"pane_start":"2026-01-01T00:00:10Z","currency":"USD","kind":"message",
            "amount":"-5","quantity":"-1","messages":-1}"#,
    );
    let windows = engine.cost_windows(vec![panes], &STAMP).unwrap();
    let shown = ["currency", "kind", "amount", "quantity", "messages", "delivered", "score"];
    let expected = "
        EUR,message,0.300000001,3.000000000,2,1,
        USD,message,0.000000000,0.000000000,0,0,
        ,message,7.000000000,1.000000000,1,0,";
    assert_eq!(csv(&[windows.slice(0, 3)], &shown), lines(expected));
    assert_eq!(windows.num_rows(), 12);
    assert_eq!(windows.schema(), schema::COST_WINDOWS.arrow());
}

#[test]
fn panes_of_another_shape_and_broken_sketches_are_errors() {
    let engine = Engine::new().unwrap();
    let wrong = rows(
        &COST_PANE_SCHEMA,
        r#"{"pane_start":"2026-01-01T00:00:00Z","amount":"1","quantity":"1"}"#,
    );
    let error = engine.slo_windows(vec![wrong], &STAMP).unwrap_err().to_string();
    assert!(error.contains("slo_panes") && error.contains("total"), "{error}");
    let torn = rows(&SLO_PANE_SCHEMA, r#"{"pane_start":"2026-01-01T00:00:00Z","latency":"0011"}"#);
    assert!(matches!(engine.slo_windows(vec![torn], &STAMP), Err(WindowError::Run { .. })));
    assert_eq!(engine.slo_windows(vec![], &STAMP).unwrap().num_rows(), 0, "nothing was left over");
}

#[test]
fn works_inside_an_async_runtime_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let rows = runtime
        .block_on(async { Engine::new().unwrap().slo_windows(vec![], &STAMP).unwrap().num_rows() });
    assert_eq!(rows, 0);
}

/// Many panes of many series, with sketches of `buckets` buckets.
fn many_panes(n_rows: i64, buckets: i64) -> RecordBatch {
    let line = |row: i64| {
        let latencies: Vec<_> =
            (0..buckets).map(|b| (10 + (row * 7 + b * 131) % 100_000, 1 + b % 3)).collect();
        format!(
            r#"{{"pane_start":"2026-01-01T00:{:02}:{:02}Z","channel":"c{}","carrier":"k{}",
                 "country":"DE","traffic_class":"otp","total":9,"delivered":8,"pending":1,
                 "provable":9,"latency":"{}"}}"#,
            row % 20,
            row % 6 * 10,
            row % 5,
            row % 50,
            sketch_hex(&latencies)
        )
    };
    let text: Vec<String> = (0..n_rows).map(line).collect();
    let parts: Vec<_> =
        text.chunks(1_000).map(|chunk| rows(&SLO_PANE_SCHEMA, &chunk.join("\n"))).collect();
    arrow_select::concat::concat_batches(&SLO_PANE_SCHEMA, &parts).unwrap()
}

#[test]
fn five_thousand_panes_sum_up_and_the_time_is_shown() {
    let engine = Engine::new().unwrap();
    let panes = many_panes(5_000, 20);
    let mut windows = engine.slo_windows(vec![panes.clone()], &STAMP).unwrap();
    let started = Instant::now();
    for _ in 0..10 {
        windows = engine.slo_windows(vec![panes.clone()], &STAMP).unwrap();
    }
    println!("{} windows, {:?} a call", windows.num_rows(), started.elapsed() / 10);
    let started = Instant::now();
    for _ in 0..10 {
        engine.slo_windows(vec![panes.slice(0, 1)], &STAMP).unwrap();
    }
    println!("one pane, {:?} a call", started.elapsed() / 10);
    let total = windows.column_by_name("total").unwrap();
    let total: i64 =
        arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Int64Type>(total)
            .values()
            .iter()
            .sum();
    assert_eq!(total, 4 * 9 * 5_000, "each pane is in one window of each length");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn order_and_batches_of_panes_do_not_matter(
        cut in 1..99_usize, latencies in prop::collection::vec(1..1_000_000_i64, 100),
    ) {
        let line = |(row, latency): (usize, &i64)| format!(
            r#"{{"pane_start":"2026-01-01T0{}:00:00Z","channel":"c{}","total":1,"latency":"{}"}}"#,
            row % 3, row % 7, sketch_hex(&[(*latency, 1)])
        );
        let text: Vec<String> = latencies.iter().enumerate().map(line).collect();
        let batch = rows(&SLO_PANE_SCHEMA, &text.join("\n"));
        let engine = Engine::new().unwrap();
        let whole = engine.slo_windows(vec![batch.clone()], &STAMP).unwrap();
        let parts = vec![batch.slice(cut, 100 - cut), batch.slice(0, cut)];
        let parts = engine.slo_windows(parts, &STAMP).unwrap();
        let names: Vec<&str> =
            schema::SLO_WINDOWS.columns.iter().map(|column| column.name.as_str()).collect();
        prop_assert_eq!(csv(&[whole], &names), csv(&[parts], &names));
    }
}

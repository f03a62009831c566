//! Messages with hand-computed outcomes: each test is one rule of DESIGN.md.

use model::sketch::{bucket, representative_ms};

use super::*;
use crate::fixture::{csv, lines, rows};
use crate::{By, Guard};

/// 2026-01-04T00:00:00Z: 72 h after the start of 2026.
const WATERMARK_US: i64 = 1_767_225_600_000_000 + 72 * 3_600_000_000;

/// Events in short: `(event, message, status, final, event time, clock, more JSON)`; times are
/// seconds after 2026-01-01T00:00:00, ingested a second later.
type Short =
    (&'static str, &'static str, &'static str, bool, &'static str, &'static str, &'static str);

/// Every carrier and country of these events.
fn admitted(events: &TableSource) -> RecordBatch {
    let mut guard = Guard::default();
    guard.admit(&events.segments.iter().collect::<Vec<_>>());
    guard.snapshot().unwrap()
}

/// Messages some of whose events are gone.
fn partial(lines: &str) -> RecordBatch {
    let key = schema::EVENTS.arrow().field_with_name("message_key").unwrap().clone();
    rows(&Arc::new(Schema::new(vec![key])), lines)
}

fn none() -> RecordBatch {
    partial(r#"{"message_key":"0a"}"#).slice(0, 0)
}

fn table(events: &[Short]) -> TableSource {
    let line = |(event, key, status, is_final, second, clock, more): &Short| {
        let separator = if more.is_empty() { "" } else { "," };
        format!(
            r#"{{"event_id":"{event}","message_key":"{key}","status":"{status}",
                "is_final":{is_final},"event_time":"2026-01-01T00:00:{second}Z",
                "event_time_source":"{clock}"{separator}{more}}}"#
        )
    };
    let text: Vec<String> = events.iter().map(line).collect();
    let batch = rows(&schema::EVENTS.arrow(), &text.join("\n"));
    TableSource {
        name: schema::EVENTS.name.clone(),
        schema: schema::EVENTS.arrow(),
        parquet: Vec::new(),
        segments: vec![batch],
    }
}

/// What is known where every series of these events is admitted.
fn known(events: &[Short], partial: RecordBatch, watermark_us: i64) -> Known {
    Known { partial, admitted: admitted(&table(events)), watermark_us, old_costs_through: 0 }
}

/// Messages of these events, counted in so many parts, and the windows of all.
fn counted(events: TableSource, known: &Known, parts: u16) -> (Vec<RecordBatch>, RecordBatch) {
    let tables = [events, TableSource::empty(&schema::CHARGE_LINES)];
    let mut recount = Recount::default();
    let part = |part| recount.add(&tables, part, known).unwrap().messages;
    let messages = Part::all(By::Keys, parts).flat_map(part).collect();
    (messages, recount.slo_windows().unwrap().unwrap())
}

fn slo_of(events: &[Short], known: &Known) -> RecordBatch {
    counted(table(events), known, 1).1
}

fn found(events: &[Short], watermark_us: i64, columns: &[&str]) -> String {
    csv(&counted(table(events), &known(events, none(), watermark_us), 1).0, columns)
}

#[test]
fn the_outcome_is_the_maximum_whatever_the_order() {
    let mut events = [
        ("01", "0a", "read", true, "09", "vendor", ""),
        ("02", "0a", "sent", false, "01", "vendor", ""),
        ("03", "0a", "failed", true, "02", "vendor", r#""error_code":"5""#),
        // Two of equal rank: the earlier stands, with its error.
        ("05", "0b", "failed", true, "07", "vendor", r#""error_code":"9""#),
        ("04", "0b", "failed", true, "06", "vendor", r#""error_code":"8","error_class":"spam""#),
        // Equal times: the smaller id stands.
        ("07", "0c", "undelivered", true, "06", "vendor", r#""error_code":"2""#),
        ("06", "0c", "undelivered", true, "06", "vendor", r#""error_code":"1""#),
        // Final beats rank.
        ("09", "0d", "delivered", false, "01", "vendor", ""),
        ("0a", "0d", "expired", true, "02", "vendor", ""),
        // Late events count in nothing.
        ("0b", "0d", "read", true, "03", "vendor", r#""disposition":"late""#),
        ("0c", "0e", "read", true, "03", "vendor", r#""disposition":"late""#),
    ];
    let shown =
        ["outcome", "outcome_time", "is_final", "closed_by", "error_class", "error_code", "events"];
    let expected = "
        read,2026-01-01T00:00:09.000000Z,true,event,none,,3
        failed,2026-01-01T00:00:06.000000Z,true,event,spam,8,2
        undelivered,2026-01-01T00:00:06.000000Z,true,event,none,1,2
        expired,2026-01-01T00:00:02.000000Z,true,event,none,,2";
    assert_eq!(found(&events, 0, &shown), lines(expected));
    events.reverse();
    assert_eq!(found(&events, 0, &shown), lines(expected));
}

#[test]
fn dimensions_come_from_the_highest_event_that_gives_one() {
    let events = [
        (
            "01",
            "0a",
            "sent",
            false,
            "01",
            "vendor",
            r#""channel":"sms","carrier":"low","country":"DE","traffic_class":"otp""#,
        ),
        ("02", "0a", "delivered", true, "02", "vendor", r#""carrier":"high""#),
        ("03", "0b", "sent", false, "01", "vendor", ""),
    ];
    let shown = ["source", "channel", "carrier", "country", "traffic_class"];
    assert_eq!(found(&events, 0, &shown), "twilio,sms,high,DE,otp\ntwilio,unknown,,,unknown\n");
}

#[test]
fn the_horizon_closes_by_watermark_exactly() {
    let events = [
        ("01", "0a", "sent", false, "00", "vendor", r#""error_code":"7""#),
        ("02", "0b", "sent", false, "01", "vendor", ""),
        ("03", "0c", "delivered", true, "00", "vendor", ""),
    ];
    let shown = ["outcome", "outcome_time", "is_final", "closed_by"];
    let expected = "
        unknown,2026-01-04T00:00:00.000000Z,true,horizon
        sent,2026-01-01T00:00:01.000000Z,false,
        delivered,2026-01-01T00:00:00.000000Z,true,event";
    assert_eq!(found(&events, WATERMARK_US, &shown), lines(expected));
    let before = found(&events[..1], WATERMARK_US - 1, &shown);
    assert_eq!(before, "sent,2026-01-01T00:00:00.000000Z,false,\n");
}

#[test]
fn cohort_time_and_latency_follow_the_clocks() {
    let submit = r#""submit_time":"2026-01-01T00:00:02Z","ingest_time":"2026-01-01T00:00:04Z""#;
    let ingest = r#""ingest_time":"2026-01-01T00:00:05Z""#;
    let later = r#""ingest_time":"2026-01-01T00:00:08Z""#;
    let events = [
        // a: from a submit time, though an event is earlier.
        ("01", "0a", "sent", false, "01", "vendor", ""),
        ("02", "0a", "delivered", true, "05.5009", "vendor", submit),
        // b: from an earlier event below delivered.
        ("03", "0b", "queued", false, "01", "vendor", ""),
        ("04", "0b", "delivered", true, "03", "vendor", ""),
        // c: delivered alone gives a cohort and no latency; d: nor does a read.
        ("05", "0c", "delivered", true, "03", "vendor", ""),
        ("06", "0d", "sent", false, "01", "vendor", ""),
        ("07", "0d", "read", true, "09", "vendor", ""),
        // e: the delivered event's clock is not the vendor's.
        ("08", "0e", "sent", false, "01", "vendor", ""),
        ("09", "0e", "delivered", true, "04", "broker", ingest),
        // f: an assumed zone counts as not the vendor's beside a time with one.
        ("0a", "0f", "sent", false, "01", "vendor_local", ""),
        ("0b", "0f", "delivered", true, "02", "vendor", ""),
        // g: no vendor time at all: earliest ingest.
        ("0c", "10", "sent", false, "05", "broker", ingest),
        ("0d", "10", "delivered", true, "08", "broker", later),
        // h: negative, floored: 1 us below zero is -1 ms.
        ("0e", "11", "delivered", true, "01.999999", "vendor", submit),
        // i, j: both ends by the same local clock, of one event and of two; k: from another's.
        ("0f", "12", "delivered", true, "04", "vendor_local", submit),
        ("10", "13", "sent", false, "02", "vendor_local", ""),
        ("11", "13", "delivered", true, "07", "vendor_local", ""),
        ("12", "14", "sent", false, "02", "vendor", submit),
        ("13", "14", "delivered", true, "05", "vendor_local", ""),
    ];
    let shown = ["cohort_time", "latency_ms", "latency_broker_ms"];
    let expected = "
        2026-01-01T00:00:02.000000Z,3500,
        2026-01-01T00:00:01.000000Z,2000,
        2026-01-01T00:00:03.000000Z,,
        2026-01-01T00:00:01.000000Z,,
        2026-01-01T00:00:01.000000Z,,3000
        2026-01-01T00:00:01.000000Z,,1000
        2026-01-01T00:00:05.000000Z,,3000
        2026-01-01T00:00:02.000000Z,-1,
        2026-01-01T00:00:02.000000Z,2000,
        2026-01-01T00:00:02.000000Z,5000,
        2026-01-01T00:00:02.000000Z,,3000";
    assert_eq!(found(&events, 0, &shown), lines(expected));
}

#[test]
fn windows_count_each_message_once() {
    let proof = r#""receipt_class":"handset","channel":"sms""#;
    let submit = r#""channel":"sms","submit_time":"2026-01-01T00:00:00Z""#;
    let events = [
        ("01", "0a", "sent", false, "00", "vendor", proof),
        ("02", "0a", "delivered", true, "02", "vendor", proof),
        ("03", "0b", "read", true, "01", "vendor", proof),
        ("04", "0c", "failed", true, "01", "vendor", proof),
        ("05", "0d", "canceled", true, "01", "vendor", proof),
        ("06", "0e", "sent", false, "01", "vendor", proof),
        ("07", "0f", "accepted", true, "01", "vendor", proof),
        ("08", "10", "delivered", true, "05", "broker", submit),
        ("09", "11", "expired", true, "05", "vendor", proof),
    ];
    let slo = slo_of(&events, &known(&events, none(), 0));
    let shown = [
        "window_s",
        "window_start",
        "total",
        "delivered",
        "read",
        "failed",
        "expired",
        "canceled",
        "unknown",
        "pending",
        "delivery_rate",
        "latency_n",
        "latency_broker_n",
        "maturity",
    ];
    let first = csv(&[slo.slice(0, 1)], &shown);
    assert_eq!(
        first,
        "60,2026-01-01T00:00:00.000000Z,8,3,1,1,1,1,1,1,0.42857142857142855,1,1,\
        0.875\n"
    );
    assert_eq!(slo.num_rows(), 4);
    let value = representative_ms(bucket(2_000));
    assert_eq!(csv(&[slo.slice(0, 1)], &["p50_ms", "p99_ms"]), format!("{value:?},{value:?}\n"));
    let horizon = slo_of(&events, &known(&events, none(), i64::MAX / 2));
    assert_eq!(csv(&[horizon.slice(0, 1)], &["unknown", "pending", "maturity"]), "2,0,1.0\n");
}

#[test]
fn windows_are_in_the_series_that_the_guard_admitted() {
    let carried = r#""channel":"sms","carrier":"att""#;
    let events = [
        ("01", "0a", "delivered", true, "00", "vendor", carried),
        ("02", "0b", "delivered", true, "01", "vendor", r#""channel":"sms","carrier":"odd""#),
        ("03", "0c", "delivered", true, "01", "vendor", r#""channel":"sms","carrier":"other""#),
    ];
    let slo = slo_of(&events, &known(&events[..1], none(), 0));
    assert_eq!(csv(&[slo.slice(0, 2)], &["carrier", "total"]), "__other__,2\natt,1\n");
}

#[test]
fn messages_that_lost_events_are_left_out() {
    let events = [
        ("01", "0a", "delivered", true, "00", "vendor", r#""channel":"sms""#),
        ("02", "0b", "delivered", true, "01", "vendor", r#""channel":"sms""#),
        ("03", "0c", "failed", true, "01", "vendor", r#""channel":"sms""#),
    ];
    let lost = known(&events, partial(r#"{"message_key":"0b"}"#), 0);
    let (messages, slo) = counted(table(&events), &lost, 1);
    assert_eq!(csv(&messages, &["outcome"]), "delivered\nfailed\n");
    assert_eq!(csv(&[slo.slice(0, 1)], &["total", "delivered"]), "2,1\n");
}

#[test]
fn no_events_give_no_messages() {
    let admitted = Guard::default().snapshot().unwrap();
    let known = Known { partial: none(), admitted, watermark_us: 0, old_costs_through: 0 };
    let (messages, slo) = counted(TableSource::empty(&schema::EVENTS), &known, 3);
    assert!(messages.iter().all(|batch| batch.num_rows() == 0));
    assert_eq!(slo.num_rows(), 0);
}

/// A message has its key's first byte in each of 16 parts, and one at their ends.
fn spread() -> Vec<(String, String)> {
    let first = (0..=255_u8).step_by(8).chain([15, 17, 127, 129, 255]);
    let key = |byte: u8| {
        format!("{byte:02x}{}", if byte.is_multiple_of(2) { "00" } else { "ff" }.repeat(15))
    };
    first.enumerate().map(|(n, byte)| (format!("{n:032x}"), key(byte))).collect()
}

#[test]
fn in_any_number_of_parts_the_same_comes_out() {
    let spread = spread();
    let texts = [r#""channel":"sms","submit_time":"2026-01-01T00:00:00Z""#, r#""channel":"sms""#];
    let seconds = ["01", "02", "03"];
    let event = |(n, (event, key)): (usize, &'static (String, String))| -> Short {
        let status = ["delivered", "sent", "failed", "read"][n % 4];
        (event, key, status, n % 4 != 1, seconds[n % 3], "vendor", texts[n % 2])
    };
    let spread: &'static [(String, String)] = Box::leak(spread.into_boxed_slice());
    let events: Vec<Short> = spread.iter().enumerate().map(event).collect();
    let known = known(&events, none(), 0);
    let one = counted(table(&events), &known, 1);
    let columns = ["message_key", "outcome", "latency_ms"];
    let expected = csv(&one.0, &columns);
    assert_eq!(expected.lines().count(), events.len());
    for parts in [2, 3, 7] {
        let (messages, slo) = counted(table(&events), &known, parts);
        assert_eq!(csv(&messages, &columns), expected, "{parts} parts");
        assert_eq!(slo, one.1, "{parts} parts");
    }
}

//! Nanoseconds per event, one thread: `cargo run --release -p normalize --example throughput`.
//! U is a typed `sonic-rs` parse of the reference Infobip report.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use model::keys::Keyring;
use model::record::{Input, RawBatch, RawRecord};
use model::vocabulary::Source;
use normalize::{Normalizer, Settings};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const REPORT: &str = concat!(
    r#"{"results":[{"bulkId":"BULK-ID-123-xyz","price":{"pricePerMessage":0.01,"#,
    r#""currency":"EUR"},"status":{"groupId":3,"groupName":"DELIVERED","id":5,"#,
    r#""name":"DELIVERED_TO_HANDSET","description":"Message delivered to handset"},"#,
    r#""error":{"groupId":0,"groupName":"OK","id":0,"name":"NO_ERROR","#,
    r#""description":"No Error","permanent":false},"messageId":"MESSAGE-ID-123-xyz","#,
    r#""to":"447700900143","sender":"InfoSMS","sentAt":"2019-11-09T16:00:00.000+0100","#,
    r#""doneAt":"2019-11-09T16:00:00.000+0100","messageCount":1}]}"#,
);
const CALLBACK: &str = concat!(
    "ApiVersion=2010-04-01&MessageStatus=delivered&",
    "SmsSid=SM0123456789abcdef0123456789abcdef&SmsStatus=delivered&To=%2B12025550143&",
    "From=%2B12025550100&MessageSid=SM0123456789abcdef0123456789abcdef&",
    "AccountSid=AC0123456789abcdef0123456789abcdef&RawDlrDoneDate=2611201204",
);
const RECORDS: usize = 10_000;
const ROUNDS: usize = 20;

#[derive(Debug, Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    results: Vec<Report<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "a typed parse reads all fields")]
struct Report<'a> {
    #[serde(borrow)]
    bulk_id: Cow<'a, str>,
    #[serde(borrow)]
    price: Price<'a>,
    #[serde(borrow)]
    status: Group<'a>,
    #[serde(borrow)]
    error: Group<'a>,
    #[serde(borrow)]
    message_id: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    sender: Cow<'a, str>,
    #[serde(borrow)]
    sent_at: Cow<'a, str>,
    #[serde(borrow)]
    done_at: Cow<'a, str>,
    message_count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "a typed parse reads all fields")]
struct Price<'a> {
    price_per_message: f64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "a typed parse reads all fields")]
struct Group<'a> {
    group_id: i64,
    #[serde(borrow)]
    group_name: Cow<'a, str>,
    id: i64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    description: Cow<'a, str>,
}

fn best_ns(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / RECORDS as f64);
    }
    best
}

fn batch_of(payload: &str) -> RawBatch {
    let mut raw = RawBatch::default();
    for offset in 0..RECORDS {
        let value = raw.push_bytes(payload.as_bytes());
        raw.records.push(RawRecord {
            input: 0,
            offset: i64::try_from(offset).unwrap_or(0),
            ingest_time_us: Some(1_795_176_003_000_000),
            value,
            tombstone: false,
            headers: 0..0,
        });
    }
    raw
}

#[expect(clippy::print_stdout, clippy::expect_used, reason = "an example")]
fn main() {
    let unit = best_ns(|| {
        for _ in 0..RECORDS {
            let typed: Typed<'_> = sonic_rs::from_str(black_box(REPORT)).expect("typed");
            black_box(typed.results.len());
        }
    });
    println!("U: typed sonic-rs parse of {} bytes: {unit:.0} ns", REPORT.len());
    for (source, payload) in [(Source::Infobip, REPORT), (Source::Twilio, CALLBACK)] {
        let sha = best_ns(|| {
            for _ in 0..RECORDS {
                black_box(Sha256::digest(black_box(payload.as_bytes())));
            }
        });
        let raw = batch_of(payload);
        let input =
            Input { topic: Arc::from("t"), partition: 0, source: Some(source), account: None };
        let inputs = [input];
        let mut normalizer = Normalizer::new(Settings { keyring: Keyring::demo() });
        let ns = best_ns(|| {
            black_box(normalizer.batch(black_box(&raw), &inputs).expect("columns"));
        });
        let budget = 1.2 * (unit + sha) + 0.6 * unit;
        println!("{source}: {ns:.0} ns an event, of which SHA-256 {sha:.0} ns");
        println!("  1.2 (U + SHA) + 0.6 U = {budget:.0} ns");
    }
}

//! Exports as they lie in stores: JSON lines in a gzip, files one behind another, batches of many
//! recipients.

use std::collections::BTreeSet;
use std::io::Write as _;

use model::vocabulary::Source;
use serde_json::json;

use crate::fixtures::{Case, files, lines, run};

pub(crate) fn gzip(text: &str) -> Case {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    Case::value(gzip.finish().unwrap())
}

/// Elements, events, dead letters.
fn counts(source: Source, case: Case) -> (i64, i64, i64) {
    let normalized = run(Some(source), &[case]);
    let tally = &normalized.tallies[0];
    (tally.elements, tally.events, tally.dead)
}

#[test]
fn a_gzip_of_json_lines_is_read_line_by_line() {
    let mut seen = BTreeSet::new();
    for (source, path) in files() {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let Ok(document) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
        // Lists and envelopes count their elements otherwise, and headers are none of the line's.
        if !document.is_object() || path.to_string_lossy().ends_with(".record.json") {
            continue;
        }
        let line = document.to_string();
        let alone = counts(source, Case::value(line.clone()));
        if alone.1 != 1 || alone.0 != 1 {
            continue;
        }
        let bad = r#"{"nothing":"that is known"}"#;
        let day = format!("{line}\n{line}\r\n\n{bad}\n{line}\n");
        let found = counts(source, gzip(&day));
        assert_eq!((found.0, found.1), (4, 3), "{source} {}", path.display());
        seen.insert(source);
    }
    for source in [
        Source::Fcm,
        Source::Onesignal,
        Source::AzureAcs,
        Source::Cloudevents,
        Source::Apns,
        Source::Webpush,
        Source::Twilio,
        Source::AwsEum,
    ] {
        assert!(seen.contains(&source), "{source}");
    }
}

#[test]
fn a_damaged_line_of_a_gzip_is_one_letter_with_its_place() {
    let row = |id: &str| {
        json!({"event_timestamp": "2026-11-20 08:03:59 UTC", "project_number": "12",
            "message_id": id, "instance_id": "f", "event": "MESSAGE_DELIVERED"})
        .to_string()
    };
    let day = [row("a"), row("b")[..40].to_owned(), row("c")].join("\n");
    let normalized = run(Some(Source::Fcm), &[gzip(&day)]);
    let ids: Vec<_> = lines(&normalized).iter().map(|line| line["message_id"].clone()).collect();
    assert_eq!(ids, [json!("a"), json!("c")]);
    let letter = &normalized.dead[0];
    assert_eq!(normalized.dead.len(), 1);
    assert!(letter.detail.starts_with("unpacked file 0: line 2: byte "), "{}", letter.detail);
}

#[test]
fn a_heading_that_comes_again_is_no_row() {
    let mut tables = BTreeSet::new();
    for (source, path) in files() {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let heading = text.lines().next().unwrap_or_default();
        if heading.contains(['{', '=', ' ']) || heading.split([',', '\t']).count() < 6 {
            continue;
        }
        let alone = counts(source, Case::value(text.clone()));
        let twice = counts(source, Case::value(format!("{}\n{text}", text.trim_end())));
        let doubled = (2 * alone.0, 2 * alone.1, 2 * alone.2);
        // Nothing but a heading is one element, however often it stands there.
        if alone.0 > 1 || alone.1 > 0 {
            assert_eq!(twice, doubled, "{source} {}", path.display());
            tables.insert(source);
        }
    }
    let expected = [Source::Vonage, Source::Telnyx, Source::GoogleRbm, Source::AwsSns];
    assert!(expected.iter().all(|source| tables.contains(source)), "{tables:?}");
}

#[test]
fn a_batchs_reference_is_left_out_of_events_before_they_take_many_times_their_record() {
    let batch = |n: usize, reference: usize| {
        let recipients: Vec<String> = (0..n).map(|at| format!("4477009{at:05}")).collect();
        json!({"type": "delivery_report_sms", "batch_id": "01KEXAMPLE0000000000000001",
            "client_reference": "r".repeat(reference),
            "statuses": [{"code": 0, "status": "Delivered", "recipients": recipients}]})
    };
    let told = |n: usize, reference: usize| {
        let normalized = run(Some(Source::Sinch), &[Case::value(batch(n, reference).to_string())]);
        let with = lines(&normalized).iter().filter(|line| !line["logical_id"].is_null()).count();
        (normalized.events.num_rows(), with, normalized.dead.len())
    };
    assert_eq!(told(60, 60), (60, 60, 0), "a small batch has all");
    assert_eq!(told(1_000, 18), (1_000, 1_000, 0), "so has a large one with a short reference");
    let (events, with, dead) = told(1_500, 2_000);
    assert_eq!((events, dead), (1_500, 0), "no outcome is lost");
    assert!((5..50).contains(&with), "{with}");
    let (events, _, dead) = told(4_000, 0);
    assert!((2_000..4_000).contains(&events), "{events}");
    assert_eq!(dead, 2, "more than any vendor's batch: a letter, and one for the rest");
}

#[test]
fn an_id_of_more_than_4_kib_is_no_messages() {
    for (bytes, events, dead) in [(4 << 10, 1, 0), ((4 << 10) + 1, 0, 1)] {
        let form = format!("MessageSid={}&MessageStatus=sent", "S".repeat(bytes));
        let (_, found, letters) = counts(Source::Twilio, Case::value(form));
        assert_eq!((found, letters), (events, dead), "{bytes}");
    }
}

#[test]
fn texts_that_each_element_brings_are_never_left_out() {
    let results: Vec<_> = (0..3_000)
        .map(|at| {
            json!({"messageId": format!("{at:036}"), "callbackData": format!("{at:0200}"),
                "status": {"groupId": 3, "id": 5}})
        })
        .collect();
    let normalized =
        run(Some(Source::Infobip), &[Case::value(json!({"results": results}).to_string())]);
    let with = lines(&normalized).iter().filter(|line| !line["logical_id"].is_null()).count();
    assert_eq!((with, normalized.dead.len()), (3_000, 0));
}

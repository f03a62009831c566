//! `explain` names the field in which a value stands, wherever that is: forms, queries, tables,
//! receipts, headers, JSON inside JSON or base64.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::vocabulary::Source;
use normalize::explain::fields::{Record, fields};
use normalize::explain::{Explained, NOT_TRIED, explain};

use crate::drift::Known;
use crate::fixtures::{Case, batch, directory, input, lines, run, settings};

/// Source, fixture, column, the field named first.
const PLACES: &[(Source, &str, &str, &str)] = &[
    (Source::Twilio, "callback_sms_delivered.txt", "message_id", "MessageSid"),
    (Source::Twilio, "callback_get.record.json", "message_id", "url?MessageSid"),
    (Source::Twilio, "callback_get.record.json", "status", "url?MessageStatus"),
    (Source::Twilio, "callback_get.record.json", "recipient_token", "url?To"),
    (Source::Twilio, "event_streams_array.json", "event_time", "[0].data.timestamp"),
    (Source::Infobip, "sms_statuses.json", "event_time", "results[0].doneAt"),
    (Source::Infobip, "sms_statuses.json", "price", "results[0].price.pricePerMessage"),
    (Source::GoogleRbm, "envelope_delivered.json", "message_id", "message.data.messageId"),
    (Source::Gupshup, "sms_form_response.record.json", "message_id", "response[0].externalId"),
    (Source::Vonage, "report_sms_csv.txt", "carrier", "[0].network_name"),
    (Source::Smpp, "bare_delivered.txt", "message_id", "id"),
    (Source::Smpp, "pdu.json", "vendor_status", "smpp.short_message.stat"),
    (Source::AwsEum, "sns_notification.json", "message_id", "Message.messageId"),
    (Source::AwsEum, "compressed_text.txt", "message_id", "messageId"),
    (Source::AwsSns, "cloudwatch_compressed.json", "carrier", COMPRESSED_CARRIER),
    (Source::AwsSns, "log_line.txt", "carrier", "delivery.phoneCarrier"),
    (Source::Cloudevents, "binary.record.json", "event_time", "header ce_time"),
    (Source::Kaleyra, "status_delivered.record.json", "message_id", "url?id"),
];

const COMPRESSED_CARRIER: &str = "awslogs.data.logEvents[0].message.delivery.phoneCarrier";

#[test]
fn the_field_in_which_a_value_stands_is_named_first() {
    let mut wrong = Vec::new();
    for (source, name, column, expected) in PLACES {
        let known = Known::new(*source, name);
        let found = known.explained().first().and_then(|first| first.columns.get(column));
        let first = found.and_then(|fields| fields.first());
        if first.map(String::as_str) != Some(*expected) {
            wrong.push(format!("{source} {name} {column}: {found:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn explained(source: Source, case: &Case) -> Vec<Explained> {
    let raw = batch(std::slice::from_ref(case));
    let view = raw.view(&raw.records[0]);
    explain(&settings(), &view, &[input(Some(source))]).unwrap()
}

fn paths(record: &Record) -> Vec<String> {
    fields(record).into_iter().map(|field| field.path).collect()
}

#[test]
fn a_step_that_may_be_a_number_an_address_or_a_text_is_not_printed() {
    let value = |value: &str| Record { value: value.to_owned(), ..Record::default() };
    for (key, shown) in [
        ("447700900143", "#"),
        ("ada@example.com", "#"),
        ("see you at noon", "#"),
        ("@type", "@type"),
        ("v2", "v2"),
    ] {
        let nested = value(&format!("{{\"{key}\":{{\"status\":\"x\"}}}}"));
        assert_eq!(paths(&nested), ["", shown, &format!("{shown}.status")], "an object");
        let table = value(&format!("id,{key}\nm-1,x\n"));
        assert_eq!(paths(&table), ["[0].id", &format!("[0].{shown}")], "a table");
        let form = value(&format!("id=m-1&{}=x", key.replace(' ', "+")));
        assert_eq!(paths(&form), ["id", shown], "a form");
        let query = format!("https://a.b/?{}=x", key.replace(' ', "+"));
        let headers = vec![("url".to_owned(), query), (key.to_owned(), "x".to_owned())];
        let request = Record { value: String::new(), headers };
        let expected = [format!("url?{shown}"), "url".to_owned(), format!("header {shown}")];
        assert_eq!(paths(&request), expected, "a query and a header");
    }
    // A table without a line of names shows its first row's cells as such.
    let bare = value("447700900143,ada@example.com,see you at noon\n447700900144,b,c\n");
    assert_eq!(paths(&bare), ["[0].#", "[0].#", "[0].#"]);
}

/// Results of Infobip, so many of one record.
fn results(count: usize) -> Case {
    let one = |at: usize| {
        format!(
            "{{\"messageId\":\"m-{at}\",\"to\":\"447700900143\",\"status\":{{\"groupId\":3,\
             \"groupName\":\"DELIVERED\"}},\"doneAt\":\"2026-11-20T12:00:00.000+0000\"}}"
        )
    };
    let all: Vec<String> = (0..count).map(one).collect();
    Case::value(format!("{{\"results\":[{}]}}", all.join(",")))
}

#[test]
fn a_record_too_large_to_try_says_so_and_ends_soon() {
    let is_untried = |explained: &Explained, column: &str| {
        explained.columns.get(column).is_some_and(|told| told.as_slice() == [NOT_TRIED])
    };
    let large = explained(Source::Infobip, &results(500));
    assert_eq!(large.len(), 500);
    let (first, last) = (&large[0], &large[499]);
    assert!(!first.is_complete && !last.is_complete);
    assert_eq!(first.columns["message_id"], ["results[0].messageId"]);
    for column in ["message_id", "event_id", "status", "channel", "event_time"] {
        assert!(is_untried(last, column), "{column}: {:?}", last.columns.get(column));
    }
    assert_eq!(last.columns["payload_sha256"], ["computed from the record's bytes"]);
    // So large that nothing is tried at all.
    let huge = explained(Source::Infobip, &results(4_000));
    assert_eq!(huge.len(), 4_000);
    assert!(huge.iter().all(|row| is_untried(row, "message_id") && !row.is_complete));
    assert!(explained(Source::Infobip, &results(2)).iter().all(|row| row.is_complete));
}

#[test]
fn both_dates_of_a_receipt_and_a_list_that_decides_the_channel_are_named() {
    let receipt = Case::value("id:7 submit date:2611201159 done date:2611201200 stat:DELIVRD");
    let row = explained(Source::Smpp, &receipt).remove(0);
    assert_eq!(row.columns["event_time"], ["done date"]);
    assert_eq!(row.columns["submit_time"], ["submit date"]);
    let media = Case::value(
        r#"[{"type":"message-sent","time":"2026-11-20T12:00:02Z","to":"+12025550143",
        "message":{"id":"1","media":["https://x.example/a.png"]}}]"#,
    );
    let row = explained(Source::Bandwidth, &media).remove(0);
    assert_eq!(row.columns["channel"], ["[0].message.media"]);
}

#[test]
fn a_packed_record_is_explained_as_its_text() {
    let packed = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        Case::value(encoder.finish().unwrap())
    };
    let plain = results(2);
    let text = String::from_utf8(plain.value.clone()).unwrap();
    let expected = explained(Source::Infobip, &plain);
    assert_eq!(explained(Source::Infobip, &packed(&text)), expected);
    assert_eq!(explained(Source::Infobip, &packed(&format!("\u{feff}{text}"))), expected);
    let name = "usage_report_gzip.csv.gz";
    let case = Case::file(&directory(Source::AwsSns).join(name));
    let rows = explained(Source::AwsSns, &case);
    assert_eq!(rows.len(), 4, "{name}");
    assert!(rows.iter().all(|row| row.columns.values().all(|told| !told.is_empty())));
}

/// A ZIP archive of files with their methods: 0 is stored, 8 deflated.
fn archive(files: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let le = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let short = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, method, bytes) in files {
        let mut sum = flate2::Crc::new();
        sum.update(bytes);
        directory.extend([b"PK\x01\x02".as_slice(), &[0; 6], &[*method, 0], &[0; 4]].concat());
        directory.extend(sum.sum().to_le_bytes());
        directory.extend([&le(bytes.len())[..], &[0; 4], &short(name.len()), &[0; 12]].concat());
        directory.extend([&le(out.len())[..], name.as_bytes()].concat());
        out.extend([b"PK\x03\x04".as_slice(), &[0; 22], &short(name.len()), &[0; 2]].concat());
        out.extend([name.as_bytes(), bytes].concat());
    }
    let at = out.len();
    out.extend(directory);
    out.extend([b"PK\x05\x06".as_slice(), &[0; 6], &short(files.len()), &[0; 4]].concat());
    out.extend([&le(at)[..], &[0; 2]].concat());
    out
}

#[test]
fn each_file_of_an_archive_is_explained_at_its_elements() {
    let (two, one) = (results(2).value, results(1).value);
    let case = Case::value(archive(&[
        ("a.json", 0, &two),
        ("damaged.json", 8, b"no deflate stream"),
        ("latin.json", 0, b"{\"results\":\"\xff\"}"),
        ("c.json", 0, &one),
    ]));
    let rows = explained(Source::Infobip, &case);
    let elements: Vec<_> = rows.iter().map(|row| u64::from(row.row.element)).collect();
    let normalized = lines(&run(Some(Source::Infobip), std::slice::from_ref(&case)));
    let told: Vec<_> = normalized.iter().filter_map(|row| row["element"].as_u64()).collect();
    assert_eq!((elements, told), (vec![0, 1, 4], vec![0, 1, 4]));
    assert_eq!(rows[2].columns["message_id"], ["results[0].messageId"]);
}

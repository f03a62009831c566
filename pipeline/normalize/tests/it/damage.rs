//! Method: break valid payloads at random. Nothing may panic, every element stays accounted for
//! (`run` checks it), and damage inside one element's values spares its neighbours.

use model::vocabulary::{DeadReason, Source};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fixtures::{Case, files, lines, run};

#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Delete(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index),
    Repeat(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let token = prop::sample::select(vec![
        "{", "}", "[", "]", "\"", ",", ":", "null", "\\u", "1e99", "%", "&",
    ]);
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Delete(at, length)),
        (any::<Index>(), token).prop_map(|(at, text)| Damage::Insert(at, text.into())),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Flip(at, bits) => {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        Damage::Delete(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + usize::from(*length)).min(bytes.len()));
        }
        Damage::Insert(at, text) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, text.iter().copied());
        }
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Repeat(at, length) => {
            let at = at.index(bytes.len());
            let part = bytes[at..(at + usize::from(*length)).min(bytes.len())].to_vec();
            bytes.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn broken_payloads_never_panic_and_lose_no_element(
        file in any::<Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let files = files();
        let (source, path) = &files[file.index(files.len())];
        let mut case = Case::file(path);
        for damage in &damages {
            apply(&mut case.value, damage);
        }
        let normalized = run(Some(*source), &[case]);
        prop_assert!(normalized.tallies[0].elements >= 1);
    }

    #[test]
    fn any_bytes_are_at_worst_dead_letters(
        source in prop::sample::select(Source::ALL),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        text in "[\\[\\]{}\":,a-z0-9=&%]{0,64}",
    ) {
        run(Some(source), &[Case::value(bytes), Case::value(text)]);
    }

    #[test]
    fn damage_inside_an_elements_values_spares_its_neighbours(
        key in prop::sample::select(KEYS),
        value in prop::sample::select(VALUES),
    ) {
        let whole = report("b", None);
        let broken = report("b", Some((key, value)));
        let batch = |middle: &str| {
            format!(r#"{{"results":[{},{middle},{}]}}"#, report("a", None), report("c", None))
        };
        let expected = lines(&run(Some(Source::Infobip), &[Case::value(batch(&whole))]));
        let actual = lines(&run(Some(Source::Infobip), &[Case::value(batch(&broken))]));
        for (at, id) in [(0, "a"), (2, "c")] {
            let found = actual.iter().find(|line| line["message_id"] == id);
            let mut found = found.expect("a neighbour is lost").clone();
            found["payload_sha256"] = expected[at]["payload_sha256"].clone();
            prop_assert_eq!(&found, &expected[at]);
        }
    }
}

#[test]
fn of_too_many_damaged_elements_the_rest_are_one_dead_letter_and_good_ones_stay() {
    let damaged = "1,".repeat(5_000);
    let value = format!(r#"{{"results":[{damaged}{}]}}"#, report("a", None));
    let most = 256 + value.len() / 64;
    let normalized = run(Some(Source::Infobip), &[Case::value(value)]);
    assert_eq!(normalized.dead.len(), most + 1);
    assert_eq!(normalized.dead[most].reason, DeadReason::TooLarge);
    let events = lines(&normalized);
    assert_eq!((events.len(), &events[0]["message_id"]), (1, &"a".into()));
    assert_eq!(events[0]["element"], 5_000, "its position is its own");
}

#[test]
fn a_name_without_its_id_is_no_id() {
    let row = r#"{"event":"MESSAGE_ACCEPTED","message_id":"projects/p/messages/"}"#;
    let normalized = run(
        Some(Source::Fcm),
        &[Case::value(r#"{"name":"projects/p/messages/"}"#), Case::value(row)],
    );
    let reasons: Vec<DeadReason> = normalized.dead.iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, [DeadReason::MissingId; 2]);
}

#[test]
fn a_list_of_more_elements_than_any_vendor_writes_is_refused() {
    let list = |n: usize| format!(r#"{{"statuses":[{}{{}}]}}"#, "{},".repeat(n));
    let many = run(Some(Source::Whatsapp), &[Case::value(list(20_000))]);
    assert_eq!((many.dead.len(), many.dead[0].reason), (1, DeadReason::Syntax));
    let few = run(Some(Source::Whatsapp), &[Case::value(list(15))]);
    assert_eq!(few.dead.len(), 16);
}

#[test]
fn lists_inside_a_records_elements_share_what_they_may_take() {
    let reports = |lists: usize, report: &str| {
        let list = format!(r#"{{"to":[{}{{}}]}}"#, format!("{report},").repeat(40));
        format!("[{}]", vec![list; lists].join(","))
    };
    for (lists, expected) in [(1, None), (100, Some(DeadReason::Syntax))] {
        let normalized = run(Some(Source::Telnyx), &[Case::value(reports(lists, "{}"))]);
        let refused = normalized.dead.iter().find(|dead| dead.reason == DeadReason::Syntax);
        assert_eq!(refused.map(|dead| dead.reason), expected, "{lists} lists");
    }
    let written = r#"{"phone_number":"+447700900143","status":"sent"}"#;
    let normalized = run(Some(Source::Telnyx), &[Case::value(reports(100, written))]);
    assert!(normalized.dead.iter().all(|dead| dead.reason != DeadReason::Syntax));
}

#[test]
fn a_small_record_gives_few_dead_letters() {
    let cases = vec![Case::value(format!("[{}1]", "1,".repeat(99))); 50];
    let normalized = run(Some(Source::Twilio), &cases);
    assert_eq!(normalized.dead.len(), 50 * (16 + 200 / 16 + 1));
}

#[test]
fn of_bills_as_of_events_rows_that_no_vendor_writes_are_refused() {
    let ones = "1,".repeat(20_000);
    for (source, head, tail) in [
        (Source::Whatsapp, r#"{"pricing_analytics":{"data_points":["#, "1]}}"),
        (Source::Infobip, r#"{"requestId":"a","response":{"columns":["#, r#"1],"rows":[]}}"#),
        (Source::Infobip, r#"{"requestId":"a","response":{"columns":[],"rows":["#, "1]}}"),
        (Source::Telnyx, r#"{"data":{"record_type":"usage","result":["#, "1]}}"),
        (Source::Sinch, r#"{"batch_id":"a","statuses":[{"recipients":["#, "1]}]}"),
    ] {
        let normalized = run(Some(source), &[Case::value(format!("{head}{ones}{tail}"))]);
        let reasons: Vec<_> = normalized.dead.iter().map(|dead| dead.reason).collect();
        assert_eq!(reasons, [DeadReason::Syntax], "{source} {head}");
    }
}

#[test]
fn a_code_of_two_digits_is_no_country() {
    let form = "MessageUUID=a&Status=delivered&To=447700900143&MCC=23";
    let events = lines(&run(Some(Source::Plivo), &[Case::value(form)]));
    assert_eq!((events.len(), &events[0]["mcc"]), (1, &serde_json::Value::Null));
}

#[test]
fn elements_that_could_not_wait_give_what_those_give_that_could() {
    // Plivo's element has twenty fields: of elements of 60 bytes only some of a long list wait.
    let element = |at: usize| format!(r#"{{"message_uuid":"m{at}","message_state":"sent"}}"#);
    let elements: Vec<String> = (0..2_000).map(element).collect();
    let text = format!(r#"{{"objects":[{}]}}"#, elements.join(", "));
    let events = lines(&run(Some(Source::Plivo), &[Case::value(text)]));
    assert_eq!(events.len(), 2_000);
    for (at, event) in events.iter().enumerate() {
        assert_eq!(
            (&event["message_id"], &event["element"]),
            (&format!("m{at}").into(), &at.into())
        );
        assert_eq!(event["status"], events[0]["status"]);
    }
}

const KEYS: &[&str] = &[
    "messageId",
    "to",
    "sender",
    "sentAt",
    "doneAt",
    "messageCount",
    "mccMnc",
    "callbackData",
    "price",
    "status",
    "error",
    "channel",
    "event",
    "seenAt",
    "contact",
    "campaignReferenceId",
];
const VALUES: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "[[[{}]]]",
    "\"\"",
    "\"x\"",
    "-1",
    "1e999",
    "\"\\ud800\"",
    "123456789012345678901234567890",
    "{\"id\":{},\"groupId\":[]}",
    "\"\\u0000\"",
];

fn report(id: &str, damage: Option<(&str, &str)>) -> String {
    let mut report = serde_json::json!({
        "messageId": id, "to": "447700900143", "sender": "InfoSMS",
        "sentAt": "2026-11-20T12:00:00.000+0000", "doneAt": "2026-11-20T12:00:02.000+0000",
        "messageCount": 2, "mccMnc": "23410",
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"},
        "error": {"groupId": 0, "id": 0, "name": "NO_ERROR"},
    });
    let Some((key, value)) = damage else { return report.to_string() };
    report.as_object_mut().unwrap().remove(key);
    let text = report.to_string();
    format!("{},\"{key}\":{value}}}", &text[..text.len() - 1])
}

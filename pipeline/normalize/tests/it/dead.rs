//! What is kept of records with dead letters.

use std::sync::Arc;

use model::vocabulary::Source;
use normalize::vault::{Position, Vault};

use crate::fixtures::{Case, batch, input, normalizer};

const REPORT: &str = concat!(
    r#"{"results":[{"messageId":"m-1","to":"4917055512345","status":"#,
    r#"{"groupId":3,"id":5,"name":"DELIVERED_TO_HANDSET"}},"#,
    r#"{"to":"4917055512345"},{"to":"4917055512345"}]}"#,
);

/// A record without a dead letter, one with two, one that is dead as a whole.
fn cases() -> [Case; 3] {
    let first = REPORT.split(",{\"to\"").next().unwrap();
    let received = "2026-03-02T10:00:00Z";
    [
        Case::value(format!("{first}]}}")).ingested("2026-03-01T10:00:00Z"),
        Case::value(REPORT).header("received-at", received).header("url", "/in?to=4917055512345"),
        Case::value([b'{', 255]).ingested("2026-03-03T10:00:00Z"),
    ]
}

#[test]
fn a_record_with_dead_letters_is_kept_once_however_many_it_has() {
    let vault = Arc::new(Vault::new(&[3; 32], &[]).unwrap());
    let (raw, inputs) = (batch(&cases()), [input(Some(Source::Infobip))]);
    let mut keeping = normalizer().keeping(Some(Arc::clone(&vault)));
    let normalized = keeping.batch(&raw, &inputs).unwrap();
    let letters: Vec<(i64, u32)> =
        normalized.dead.iter().map(|letter| (letter.offset, letter.element)).collect();
    assert_eq!(letters, [(1, 1), (1, 2), (2, 0)]);
    let kept = &normalized.dead_records;
    let told: Vec<(i64, u32)> =
        kept.iter().map(|record| (record.offset, record.elements)).collect();
    assert_eq!(told, [(1, 3), (2, 1)]);
    // Its letters' time, so that retention takes both at once.
    assert_eq!(kept[0].ingest_time_us, normalized.dead[0].ingest_time_us);
    for record in kept {
        let at = Position { topic: &inputs[0].topic, partition: 3, offset: record.offset };
        let opened = vault.open(&at, record.sealed.as_ref().unwrap()).unwrap();
        let again = opened.batch(0, record.offset);
        let was = raw.view(&raw.records[usize::try_from(record.offset).unwrap()]);
        let is = again.view(&again.records[0]);
        assert_eq!((is.value, is.ingest_time_us), (was.value, was.ingest_time_us));
        assert!(is.headers.iter().eq(was.headers.iter()));
    }
}

#[test]
fn without_a_key_only_the_number_of_its_elements_is_kept() {
    let normalized = normalizer().batch(&batch(&cases()), &[input(Some(Source::Infobip))]).unwrap();
    assert_eq!(normalized.dead_records.len(), 2);
    assert!(normalized.dead_records.iter().all(|record| record.sealed.is_none()));
    assert!(!format!("{:?}", normalized.dead_records).contains("4917"));
}

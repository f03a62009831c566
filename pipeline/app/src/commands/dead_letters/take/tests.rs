//! What is taken of a record read again.

use std::sync::Arc;

use model::keys::Keyring;
use model::record::{Input, SignatureRule};
use model::vocabulary::Source;
use normalize::{Normalizer, Settings};

use super::*;

/// An Infobip report with these message ids; an empty one is dead.
fn report(ids: &[&str]) -> Normalized {
    let element = |id: &&str| {
        format!(
            "{{\"messageId\":\"{id}\",\"to\":\"4917055512345\",\"status\":{{\"groupName\":\
             \"DELIVERED\",\"groupId\":3,\"id\":5,\"name\":\"DELIVERED_TO_HANDSET\"}}}}"
        )
    };
    let results: Vec<String> = ids.iter().map(element).collect();
    normalized(&format!("{{\"results\":[{}]}}", results.join(",")))
}

fn normalized(text: &str) -> Normalized {
    let input = Input {
        topic: Arc::from("dead:t"),
        partition: 0,
        source: Some(Source::Infobip),
        account: None,
        signatures: SignatureRule::default(),
    };
    let mut batches = Vec::new();
    let settings =
        Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional: Arc::default() };
    ingest::read_bytes(text.as_bytes(), ingest::FileShape::Whole, 0, |batch| {
        let read = Normalizer::new(settings.clone()).batch(&batch, std::slice::from_ref(&input));
        batches.push(read.unwrap());
        Ok::<(), ()>(())
    })
    .unwrap();
    batches.remove(0)
}

fn then(elements: u32, letters: usize, open: &[u32]) -> Then {
    Then { elements, letters, open: open.iter().copied().collect() }
}

fn elements(rows: &RecordBatch) -> Vec<u32> {
    let column = rows.column_by_name("element").unwrap();
    column.as_primitive::<UInt32Type>().values().to_vec()
}

#[test]
fn only_dead_elements_that_are_readable_now_are_taken() {
    let now = report(&["a", "b", "", "d"]);
    assert_eq!((now.events.num_rows(), now.dead.len()), (3, 1));
    let taken = decide(&then(4, 2, &[1, 2]), &now);
    assert_eq!(taken, Taken::Elements(BTreeSet::from([1])));
    let taken = restrict(now, &BTreeSet::from([1])).unwrap();
    assert_eq!((elements(&taken.events), taken.dead.len()), (vec![1], 0));
    let tally = &taken.tallies[0];
    assert_eq!((tally.records, tally.elements, tally.events, tally.dead), (1, 1, 1, 0));
}

#[test]
fn a_letter_that_is_dead_now_too_stays_where_it_is() {
    assert_eq!(decide(&then(2, 1, &[1]), &report(&["a", ""])), Taken::StillDead);
    assert_eq!(decide(&then(1, 1, &[0]), &report(&["", ""])), Taken::StillDead);
}

#[test]
fn a_record_that_was_dead_as_a_whole_is_taken_with_all_it_has_now() {
    let now = report(&["a", "b", ""]);
    assert_eq!(decide(&then(1, 1, &[0]), &now), Taken::Whole);
    assert_eq!(now.tallies[0].elements, 3);
}

#[test]
fn a_record_that_is_split_otherwise_is_left_where_some_of_it_counted_or_was_replayed() {
    let now = report(&["a", "b", "c"]);
    assert_eq!(decide(&then(2, 1, &[1]), &now), Taken::Renumbered);
    assert_eq!(decide(&then(2, 2, &[1]), &now), Taken::Renumbered);
}

#[test]
fn an_element_that_is_recognised_and_no_delivery_is_taken_as_ignored() {
    let now = report(&["a", "b"]);
    let taken = restrict(now, &BTreeSet::from([0, 7])).unwrap();
    let tally = &taken.tallies[0];
    assert_eq!((tally.elements, tally.events, tally.ignored), (2, 1, 1));
}

#[test]
fn a_replays_own_dead_letters_are_read_again_under_the_same_input() {
    assert_eq!(input_of("messaging.sms"), "dead:messaging.sms");
    assert_eq!(input_of("dead:messaging.sms"), "dead:messaging.sms");
    assert_eq!(topic_of("dead:messaging.sms"), "messaging.sms");
}

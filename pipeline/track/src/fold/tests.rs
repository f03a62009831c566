//! Property tests: the outcome is a function of the set of events.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use model::vocabulary::{ReceiptClass, Source};
use proptest::prelude::*;

use super::*;
use crate::deltas::{Changes, Contribution};
use crate::facet::Facet;

fn facet(words: &mut Interner, carrier: Option<&str>) -> u32 {
    let facet = Facet {
        source: Source::Infobip,
        channel: Channel::Sms,
        traffic_class: TrafficClass::Unknown,
        receipt_class: ReceiptClass::Handset,
        error_class: ErrorClass::None,
        carrier: words.optional(carrier),
        country: TextId(0),
        error_code: TextId(0),
    };
    words.facet(facet)
}

fn events() -> impl Strategy<Value = Vec<(u8, i64, bool, bool, u8)>> {
    let one = (0_u8..11, 0_i64..5_000_000, any::<bool>(), any::<bool>(), 0_u8..3);
    prop::collection::vec(one, 1..8)
}

fn build(rows: &[(u8, i64, bool, bool, u8)], words: &mut Interner) -> Vec<Event> {
    let carriers = [facet(words, None), facet(words, Some("o2")), facet(words, Some("ee"))];
    rows.iter()
        .enumerate()
        .map(|(id, (status, time_us, vendor, submit, carrier))| {
            let status = Status::from_index(*status).unwrap();
            let terminal = status.rank() > Status::Unknown.rank();
            Event {
                id: id as u64,
                time_us: *time_us,
                submit_us: if *submit { time_us - 1_000 } else { NO_TIME },
                facet: carriers[usize::from(*carrier)],
                price: 0,
                segments: 1,
                status,
                flags: u8::from(terminal) * FLAG_FINAL + u8::from(*vendor) * FLAG_VENDOR_CLOCK,
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(rows in events(), turn in 0_usize..8) {
        let mut words = Interner::default();
        let mut one = build(&rows, &mut words);
        let mut other = one.clone();
        other.reverse();
        let turn = turn % other.len();
        other.rotate_left(turn);
        prop_assert_eq!(fold(&mut one, false, &words), fold(&mut other, false, &words));
    }

    #[test]
    fn the_outcome_has_the_highest_rank_of_the_final_events(rows in events()) {
        let mut words = Interner::default();
        let mut events = build(&rows, &mut words);
        let settled: Vec<u8> = events
            .iter()
            .filter(|event| event.flags & FLAG_FINAL != 0)
            .map(|event| event.status.rank())
            .collect();
        let outcome = fold(&mut events, false, &words).unwrap();
        prop_assert_eq!(outcome.is_final, !settled.is_empty());
        if let Some(highest) = settled.iter().max() {
            prop_assert_eq!(outcome.status.rank(), *highest);
        }
    }

    #[test]
    fn the_horizon_closes_what_has_no_final_event_and_nothing_else(rows in events()) {
        let mut words = Interner::default();
        let mut events = build(&rows, &mut words);
        let open = fold(&mut events, false, &words).unwrap();
        let closed = fold(&mut events, true, &words).unwrap();
        prop_assert!(closed.is_final);
        prop_assert_eq!(closed.by_horizon, !open.is_final);
        if open.is_final {
            prop_assert_eq!(closed, open);
        } else {
            prop_assert_eq!(closed.status, Status::Unknown);
            prop_assert_eq!(closed.time_us, open.cohort_us + HORIZON_US);
        }
    }
}

#[test]
fn no_events_have_no_outcome() {
    assert_eq!(fold(&mut [], true, &Interner::default()), None);
}

/// An error that is nil, and a success, as Twilio's callbacks may tell them later.
#[test]
fn a_later_event_without_an_error_wipes_out_no_reason() {
    let mut words = Interner::default();
    let plain = facet(&mut words, None);
    let code = words.text("30003");
    let reason =
        Facet { error_class: ErrorClass::Unreachable, error_code: code, ..*words.facet_of(plain) };
    let reason = words.facet(reason);
    let event = |id, time_us, facet, status: Status| Event {
        id,
        time_us,
        submit_us: NO_TIME,
        facet,
        price: 0,
        segments: 0,
        status,
        flags: u8::from(status.rank() > Status::Unknown.rank()) * FLAG_FINAL,
    };
    let failed = event(9, 1_000, reason, Status::Undelivered);
    for later in [Status::Undelivered, Status::Sent, Status::Queued] {
        for id in [1, 99] {
            let mut events = [event(id, 2_000, plain, later), failed];
            let outcome = fold(&mut events, false, &words).unwrap();
            assert_eq!(outcome.status, Status::Undelivered, "{later:?}");
            assert_eq!(outcome.error_class, ErrorClass::Unreachable, "{later:?}");
            assert_eq!(outcome.error_code, code, "{later:?}");
        }
    }
    let mut events = [failed, event(1, 2_000, plain, Status::Delivered)];
    let outcome = fold(&mut events, false, &words).unwrap();
    assert_eq!((outcome.status, outcome.error_class), (Status::Delivered, ErrorClass::None));
    assert_eq!(outcome.events, 2, "the failure is an event with its reason, still");
}

#[test]
fn two_local_times_of_one_clock_are_the_vendors_word_of_what_is_between_them() {
    let mut words = Interner::default();
    let facet = facet(&mut words, None);
    let event = |id, minutes: i64, submit: Option<i64>, status| Event {
        id,
        time_us: minutes * model::time::MINUTE_US,
        submit_us: submit.map_or(NO_TIME, |minutes| minutes * model::time::MINUTE_US),
        facet,
        price: 0,
        segments: 0,
        status,
        flags: FLAG_VENDOR_LOCAL,
    };
    let latency = |events: &mut [Event]| fold(events, false, &words).unwrap().latency;
    let receipt = event(1, 65, Some(60), Status::Delivered);
    let five_minutes = Latency::Vendor(300_000);
    assert_eq!(latency(&mut [receipt]), five_minutes, "as a receipt of SMPP tells them");
    let bare = Event { submit_us: NO_TIME, ..receipt };
    assert_eq!(latency(&mut [event(2, 60, None, Status::Sent), bare]), five_minutes);
    let earlier = Event { flags: FLAG_VENDOR_CLOCK, ..event(2, 61, Some(58), Status::Sent) };
    let seven_minutes = Latency::Broker(420_000);
    assert_eq!(latency(&mut [earlier, receipt]), seven_minutes, "from another clock's time");
    let zoned = Event { submit_us: NO_TIME, time_us: receipt.time_us - 1, ..earlier };
    assert_eq!(latency(&mut [zoned, bare]), Latency::Broker(0));
}

#[test]
fn a_negative_latency_of_a_local_time_is_counted_and_in_no_bucket() {
    let mut words = Interner::default();
    let facet = facet(&mut words, None);
    let event = |id, time_us, submit_us, status, flags| Event {
        id,
        time_us,
        submit_us,
        facet,
        price: 0,
        segments: 0,
        status,
        flags,
    };
    let hour = model::time::HOUR_US;
    let mut events = [
        event(1, 10 * hour, 10 * hour, Status::Sent, FLAG_VENDOR_CLOCK),
        event(2, 9 * hour, NO_TIME, Status::Delivered, FLAG_FINAL | FLAG_VENDOR_LOCAL),
    ];
    let outcome = fold(&mut events, false, &words).unwrap();
    assert_eq!(outcome.latency, Latency::Broker(-3_600_000));
    // `fold` sorts in place: the delivered event comes first.
    events[0].time_us = 11 * hour;
    let outcome_again = fold(&mut events, false, &words).unwrap();
    assert_eq!(outcome_again.latency, Latency::Broker(3_600_000), "a zone is between them");
    let mut changes = Changes::default();
    changes.replace(None, &Contribution::of(&outcome));
    let pane = changes.take_slo(&words).unwrap();
    let long = |name: &str| pane.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(0);
    let told = (long("delivered"), long("latency_negative"), long("latency_broker_n"));
    assert_eq!(told, (1, 1, 0), "it is counted");
    let sketch = pane.column_by_name("latency").unwrap().as_binary::<i32>().value(0).to_vec();
    assert_eq!(sketch, model::sketch::Sketch::default().to_bytes(), "in no bucket");
}

//! Rules of a message's charges, and that they are a function of the set of what was said.

use model::vocabulary::{Channel, ErrorClass, ReceiptClass, Source, Status, TrafficClass};
use proptest::prelude::*;

use super::Basis::{Estimated, Vendor};
use super::ChargeKind::{CarrierFee, Conversation, Message, Segment};
use super::*;
use crate::facet::Facet;
use crate::fold::{self, FLAG_LINE, FLAG_VENDOR_CLOCK, NO_TIME};

const FACET: Facet = Facet {
    source: Source::Telnyx,
    channel: Channel::Sms,
    traffic_class: TrafficClass::Unknown,
    receipt_class: ReceiptClass::Carrier,
    error_class: ErrorClass::None,
    carrier: TextId(0),
    country: TextId(0),
    error_code: TextId(0),
};

/// Something that is said of a price: by an event, or by a line.
#[derive(Debug, Clone, Copy)]
struct Saying {
    time_us: i64,
    nanos: Option<i128>,
    kind: ChargeKind,
    basis: Basis,
    is_line: bool,
    units: u16,
    /// 0 = none.
    sku: u32,
    /// 0 = none.
    currency: u32,
}

const EVENT: Saying = Saying {
    time_us: 0,
    nanos: Some(5_100_000),
    kind: Message,
    basis: Vendor,
    is_line: false,
    units: 1,
    sku: 0,
    currency: 0,
};
const FEE: Saying = Saying { nanos: Some(3_050_000), kind: CarrierFee, is_line: true, ..EVENT };

fn events(sayings: &[Saying], words: &mut Interner) -> Vec<Event> {
    let facet = words.facet(FACET);
    let mut events = Vec::new();
    for (id, saying) in sayings.iter().enumerate() {
        let price = Price {
            nanos: saying.nanos,
            kind: saying.kind,
            basis: saying.basis,
            currency: TextId(saying.currency),
            sku: TextId(saying.sku),
        };
        events.push(Event {
            id: id as u64,
            time_us: saying.time_us,
            submit_us: NO_TIME,
            facet,
            price: words.price(Some(price)),
            segments: saying.units,
            status: if saying.is_line { Status::Unknown } else { Status::Sent },
            flags: FLAG_VENDOR_CLOCK | if saying.is_line { FLAG_LINE } else { 0 },
        });
    }
    events
}

/// (kind, basis, quantity, amount) of each charge.
fn charges(sayings: &[Saying]) -> Vec<(ChargeKind, Basis, u32, Option<i128>)> {
    let mut words = Interner::default();
    let mut events = events(sayings, &mut words);
    let outcome = fold::fold(&mut events, false, &words).unwrap();
    let shown =
        |charge: &Charge| (charge.kind, charge.basis, charge.quantity, charge.amount_nanos());
    outcome.charges.iter().map(shown).collect()
}

#[test]
fn a_carriers_fee_is_taken_out_of_the_price_that_holds_it() {
    let expected =
        [(Message, Vendor, 1, Some(2_050_000)), (CarrierFee, Vendor, 1, Some(3_050_000))];
    assert_eq!(charges(&[EVENT, FEE]), expected);
    assert_eq!(charges(&[FEE, Saying { time_us: 9, ..EVENT }]), expected, "whichever came later");
    let larger = Saying { nanos: Some(6_000_000), ..FEE };
    assert_eq!(charges(&[EVENT, larger])[0], (Message, Vendor, 1, Some(5_100_000)));
    let parts = Saying { kind: Segment, units: 3, ..EVENT };
    assert_eq!(charges(&[parts, FEE])[0], (Segment, Vendor, 3, Some(15_300_000)));
}

#[test]
fn a_fee_is_taken_out_of_the_price_that_it_was_told_with() {
    let with_fee = |time_us, nanos, fee| {
        [
            Saying { time_us, nanos: Some(nanos), ..EVENT },
            Saying { time_us, nanos: Some(fee), ..FEE },
        ]
    };
    let told = |parts: &[[Saying; 2]]| charges(&parts.concat());
    let expected = |own, fee| [(Message, Vendor, 1, Some(own)), (CarrierFee, Vendor, 1, Some(fee))];
    // Amazon's `RCS_READ` may tell the price as 0 and the fee again.
    assert_eq!(told(&[with_fee(0, 12, 5), with_fee(9, 5, 5)]), expected(7, 5));
    // The fee may be 0, or not there, once it is known.
    assert_eq!(told(&[with_fee(0, 12, 5), with_fee(9, 7, 0)]), expected(7, 5));
    let without = Saying { time_us: 9, nanos: Some(7), ..EVENT };
    assert_eq!(charges(&[&with_fee(0, 12, 5)[..], &[without]].concat()), expected(7, 5));
    assert_eq!(told(&[with_fee(0, 5, 5)]), expected(0, 5), "nothing but the fee is priced");
    let invoiced = Saying { time_us: 30, nanos: Some(4), ..FEE };
    assert_eq!(charges(&[without, invoiced]), expected(3, 4), "told beside no price");
    // Telnyx's detail record may tell the whole again and nothing of the fee.
    let again = |nanos| Saying { nanos: Some(nanos), ..without };
    assert_eq!(charges(&[&with_fee(0, 12, 5)[..], &[again(12)]].concat()), expected(7, 5));
    assert_eq!(charges(&[&[again(13)][..], &with_fee(20, 12, 5)].concat()), expected(7, 5));
    assert_eq!(charges(&[&with_fee(0, 12, 5)[..], &[again(13)]].concat()), expected(8, 5));
}

#[test]
fn of_repeated_prices_the_latest_that_is_not_zero_counts() {
    let read = Saying { time_us: 9, nanos: Some(0), ..EVENT };
    assert_eq!(charges(&[EVENT, read]), [(Message, Vendor, 1, Some(5_100_000))]);
    let repriced = Saying { time_us: 5, nanos: Some(7), ..EVENT };
    assert_eq!(charges(&[repriced, EVENT, read]), [(Message, Vendor, 1, Some(7))]);
    let later = Saying { time_us: 5, nanos: Some(8), ..FEE };
    assert_eq!(charges(&[later, FEE]), [(CarrierFee, Vendor, 1, Some(8))]);
}

#[test]
fn an_estimate_stands_for_one_price_of_its_second() {
    let estimate = Saying { basis: Estimated, is_line: true, ..EVENT };
    let one = |basis| [(Message, basis, 1, Some(5_100_000))];
    assert_eq!(charges(&[EVENT, estimate]), one(Estimated));
    assert_eq!(charges(&[EVENT, EVENT, estimate]), one(Vendor), "the vendor's word, at its moment");
    assert_eq!(charges(&[EVENT, estimate, estimate, EVENT]), one(Estimated));
}

#[test]
fn events_that_all_say_the_same_take_no_longer_than_their_number() {
    let started = std::time::Instant::now();
    let estimate = Saying { basis: Estimated, is_line: true, ..EVENT };
    let sayings = [vec![EVENT; 60_000], vec![estimate]].concat();
    assert_eq!(charges(&sayings), [(Message, Vendor, 1, Some(5_100_000))]);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn of_one_moment_a_bill_counts_and_then_what_is_dearer() {
    let at = |nanos, is_line| Saying { nanos: Some(nanos), is_line, ..EVENT };
    for sayings in [[at(8, false), at(5, false)], [at(5, false), at(8, false)]] {
        assert_eq!(charges(&sayings), [(Message, Vendor, 1, Some(8))]);
    }
    for sayings in [[at(8, false), at(5, true)], [at(5, true), at(8, false)]] {
        assert_eq!(charges(&sayings), [(Message, Vendor, 1, Some(5))]);
    }
}

#[test]
fn a_message_is_priced_as_a_whole_or_by_its_segments_and_never_both() {
    let parts = Saying { time_us: 9, kind: Segment, nanos: Some(2), units: 3, ..EVENT };
    assert_eq!(charges(&[EVENT, parts]), [(Segment, Vendor, 3, Some(6))]);
    let whole = Saying { time_us: 10, ..EVENT };
    assert_eq!(charges(&[whole, parts]), [(Message, Vendor, 1, Some(5_100_000))]);
}

#[test]
fn an_estimate_stands_until_the_vendor_says_what_it_costs() {
    let sent = Saying { basis: Estimated, nanos: None, is_line: true, ..EVENT };
    assert_eq!(charges(&[sent]), [(Message, Estimated, 1, None)]);
    for time_us in [-3, 0, 3] {
        let failed = Saying { nanos: Some(0), time_us, ..sent };
        assert_eq!(charges(&[sent, failed]), [(Message, Estimated, 1, Some(0))], "{time_us}");
    }
    let failed = Saying { nanos: Some(0), is_line: true, time_us: -3, ..EVENT };
    assert_eq!(charges(&[sent, failed]), [(Message, Vendor, 1, Some(0))]);
    let told = Saying { basis: Estimated, is_line: true, ..EVENT };
    assert_eq!(charges(&[EVENT, told])[0].1, Estimated, "the event's price is this estimate");
    let final_price = Saying { time_us: -5, nanos: Some(4), ..EVENT };
    assert_eq!(charges(&[EVENT, told, final_price]), [(Message, Vendor, 1, Some(4))]);
}

#[test]
fn who_names_no_entry_of_the_price_list_takes_none_away() {
    let sku_of = |sayings: &[Saying]| {
        let mut words = Interner::default();
        let mut events = events(sayings, &mut words);
        let charges = fold::fold(&mut events, false, &words).unwrap().charges;
        charges.iter().map(|charge| charge.sku.0).collect::<Vec<_>>()
    };
    let sent = Saying { basis: Estimated, nanos: None, is_line: true, sku: 7, ..EVENT };
    let failed = Saying { nanos: Some(0), time_us: 2, sku: 0, ..sent };
    assert_eq!(sku_of(&[sent, failed]), [7]);
    assert_eq!(sku_of(&[sent, Saying { sku: 8, ..failed }]), [8], "its own stands");
    let other = Saying { kind: Conversation, sku: 9, ..sent };
    assert_eq!(sku_of(&[failed, other]), [0, 9], "another charge's is none of its");
    let parts = Saying { kind: Segment, basis: Vendor, sku: 0, ..sent };
    assert_eq!(sku_of(&[sent, parts]), [7], "a message is billed whole or by parts");
}

#[test]
fn who_names_no_currency_takes_none_away() {
    let told = |sayings: &[Saying]| {
        let mut words = Interner::default();
        let mut events = events(sayings, &mut words);
        let charges = fold::fold(&mut events, false, &words).unwrap().charges;
        let shown = |charge: &Charge| (charge.currency.0, charge.amount_nanos());
        charges.iter().map(shown).collect::<Vec<_>>()
    };
    let report = Saying { currency: 5, ..EVENT };
    let callback = Saying { time_us: 1, nanos: Some(5_200_000), ..EVENT };
    assert_eq!(told(&[report, callback]), [(5, Some(5_200_000))], "the latest price");
    assert_eq!(told(&[report, Saying { currency: 6, ..callback }]), [(6, Some(5_200_000))]);
    let fee = Saying { currency: 5, ..FEE };
    assert_eq!(told(&[report, callback, fee]), [(5, Some(2_150_000)), (5, Some(3_050_000))]);
    assert_eq!(told(&[fee, Saying { time_us: 1, currency: 0, ..fee }]), [(5, Some(3_050_000))]);
    let bare_fee = Saying { time_us: 1, ..FEE };
    let of_event =
        [report, Saying { time_us: 1, ..EVENT }, bare_fee, Saying { time_us: 2, ..EVENT }];
    assert_eq!(told(&of_event), [(5, Some(2_050_000)), (0, Some(3_050_000))], "as they were told");
    assert_eq!(told(&[callback, fee]), [(0, Some(5_200_000)), (5, Some(3_050_000))]);
}

#[test]
fn a_message_of_which_only_a_bill_is_known_has_charges_and_no_events() {
    let mut words = Interner::default();
    let fee = Saying { kind: Conversation, time_us: 77, ..FEE };
    let outcome = fold::fold(&mut events(&[fee], &mut words), false, &words).unwrap();
    assert_eq!((outcome.events, outcome.cohort_us, outcome.is_final), (0, 77, true));
    assert_eq!(charges(&[fee]), [(Conversation, Vendor, 1, Some(3_050_000))]);
}

#[test]
fn an_estimate_without_an_amount_is_the_vendors_word_once_the_message_arrived() {
    let mut words = Interner::default();
    let sent = Saying { basis: Estimated, nanos: None, is_line: true, ..EVENT };
    let arrived = Saying { nanos: None, time_us: 9, ..EVENT };
    let mut charge_of = |estimate: Saying, status| {
        let mut events = events(&[estimate, arrived], &mut words);
        (events[1].price, events[1].status) = (words.price(None), status);
        let charge = fold::fold(&mut events, false, &words).unwrap().charges.base.unwrap();
        (charge.basis, charge.amount_nanos())
    };
    assert_eq!(charge_of(sent, Status::Sent), (Estimated, None));
    assert_eq!(charge_of(sent, Status::Delivered), (Vendor, None));
    assert_eq!(charge_of(sent, Status::Read), (Vendor, None));
    assert_eq!(charge_of(Saying { nanos: Some(5), ..sent }, Status::Read), (Estimated, Some(5)));
    // It failed on one device and arrived on another.
    let failed = Saying { nanos: Some(0), ..sent };
    assert_eq!(charge_of(failed, Status::Failed), (Estimated, Some(0)));
    assert_eq!(charge_of(failed, Status::Delivered), (Vendor, None));
}

/// A line's facet that tells one dimension.
fn telling(dimension: usize, value: usize) -> Facet {
    let text = TextId(u32::try_from(value + 1).unwrap());
    match dimension {
        0 => FACET,
        1 => Facet { carrier: text, channel: Channel::Unknown, ..FACET },
        2 => Facet { country: text, channel: Channel::Unknown, ..FACET },
        _ => Facet { traffic_class: TrafficClass::Otp, channel: Channel::Unknown, ..FACET },
    }
}

#[test]
fn a_line_that_alone_tells_the_carrier_is_kept_however_many_follow() {
    let mut words = Interner::default();
    let line = |time_us| Saying { time_us, ..FEE };
    let mut all = events(&(0..600).map(line).collect::<Vec<_>>(), &mut words);
    all[1].facet = words.facet(telling(1, 7));
    let mut kept = Vec::new();
    for event in all {
        kept.push(event);
        fold::forget_lines(&mut kept, &words);
    }
    let outcome = fold::fold(&mut kept, false, &words).unwrap();
    assert_eq!((kept.len(), outcome.series.carrier), (LINES_MAX, TextId(8)));
}

#[test]
fn a_line_that_repeats_an_events_price_is_kept_however_many_follow() {
    let mut words = Interner::default();
    let estimate = |time_us| Saying { basis: Estimated, is_line: true, time_us, ..EVENT };
    let lines = (-1..600).map(estimate);
    let sayings: Vec<Saying> = [EVENT].into_iter().chain(lines).collect();
    let mut all = events(&sayings, &mut words);
    let mut kept = Vec::new();
    for event in &all {
        kept.push(*event);
        fold::forget_lines(&mut kept, &words);
    }
    let whole = fold::fold(&mut all, false, &words).unwrap().charges;
    assert_eq!(whole.base.unwrap().basis, Estimated);
    assert_eq!(fold::fold(&mut kept, false, &words).unwrap().charges, whole);
    assert_eq!(kept.len(), 1 + LINES_MAX);
}

#[test]
fn lines_that_repeat_more_prices_than_are_kept_are_forgotten_too() {
    let mut words = Interner::default();
    let priced = |time_us| Saying { time_us, ..EVENT };
    let repeating = |time_us| Saying { is_line: true, time_us, ..EVENT };
    let sayings: Vec<Saying> = (0..300).map(priced).chain((0..300).map(repeating)).collect();
    let mut all = events(&sayings, &mut words);
    fold::forget_lines(&mut all, &words);
    assert_eq!(all.len(), 300 + LINES_MAX);
}

fn saying() -> impl Strategy<Value = Saying> {
    let nanos = prop::option::weighted(0.8, 0_i128..4);
    let kind = prop::sample::select(vec![Message, Segment, CarrierFee, Conversation]);
    let basis = prop::sample::select(vec![Estimated, Vendor]);
    let names = (0_u32..3, 0_u32..3);
    (0_i64..4, nanos, kind, basis, any::<bool>(), 1_u16..4, names).prop_map(
        |(time_us, nanos, kind, basis, is_line, units, (sku, currency))| {
            let is_line = is_line || !kind.is_base() || nanos.is_none();
            let (basis, sku) = if is_line { (basis, sku) } else { (Vendor, 0) };
            Saying { time_us, nanos, kind, basis, is_line, units, sku, currency }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lines_that_are_forgotten_change_neither_what_stands_nor_the_messages_time_and_place(
        sayings in prop::collection::vec((saying(), 0_i64..600, any::<bool>()), LINES_MAX + 1..340),
        placed in prop::collection::vec((0_usize..340, 0_usize..4), 0..9),
        turn in 0_usize..340,
    ) {
        let mut words = Interner::default();
        let lines: Vec<Saying> = sayings.iter().map(|(saying, time_us, _)| {
            Saying { is_line: true, time_us: *time_us, ..*saying }
        }).collect();
        let mut all = events(&lines, &mut words);
        for (event, (_, _, is_brokers)) in all.iter_mut().zip(&sayings) {
            event.flags = if *is_brokers { FLAG_LINE } else { event.flags };
        }
        for (at, dimension) in placed {
            let at = at % all.len();
            all[at].facet = words.facet(telling(dimension, at));
        }
        let mut kept = Vec::new();
        let turn = turn % all.len();
        for event in all[turn..].iter().chain(&all[..turn]) {
            kept.push(*event);
            fold::forget_lines(&mut kept, &words);
            prop_assert!(kept.len() <= LINES_MAX);
        }
        let whole = fold::fold(&mut all, false, &words).unwrap();
        let known = fold::fold(&mut kept, false, &words).unwrap();
        prop_assert_eq!(known.charges, whole.charges);
        prop_assert_eq!(known.cohort_us, whole.cohort_us);
        prop_assert_eq!(known.series, whole.series);
        let newest = &all[all.len() - LINES_MAX / 2..];
        prop_assert!(newest.iter().all(|event| kept.contains(event)), "redeliveries are told");
    }
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(
        sayings in prop::collection::vec(saying(), 1..9),
        turn in 0_usize..9,
    ) {
        let mut words = Interner::default();
        let mut one = events(&sayings, &mut words);
        let mut other = one.clone();
        other.reverse();
        let turn = turn % other.len();
        other.rotate_left(turn);
        let outcome = |events: &mut Vec<Event>| fold::fold(events, false, &words);
        let (one, other) = (outcome(&mut one), outcome(&mut other));
        prop_assert_eq!(&one, &other);
        let charges = one.unwrap().charges;
        let kinds: Vec<ChargeKind> = charges.fees.iter().map(|fee| fee.kind).collect();
        let mut once = kinds.clone();
        once.dedup();
        prop_assert_eq!(kinds, once, "one charge a kind");
    }
}

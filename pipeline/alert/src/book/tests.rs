//! The life of episodes, by hand, over simulated traffic and over any input.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::objective::tests::ARITHMETIC;

const FILE: &str = include_str!("../../../../queries/objectives/delivery-rate.yaml");
const SERIES: &str = "channel=sms,carrier=o2";
const SECOND_US: i64 = 1_000_000;

fn objective() -> Objective {
    static PARSED: LazyLock<Objective> =
        LazyLock::new(|| Objective::parse(FILE, &ARITHMETIC).expect("it is valid"));
    PARSED.clone()
}

fn book() -> AlertBook {
    AlertBook::new(vec![objective()], ARITHMETIC)
}

fn moment(second: i64) -> Moment {
    let at_us = second * SECOND_US;
    Moment { at_us, now_us: at_us + 5 * SECOND_US, epoch: second.unsigned_abs() }
}

/// Each window with the same counts.
fn flat(good: i64, bad: i64) -> Vec<SeriesCounts> {
    let windows = objective()
        .window_lengths()
        .into_iter()
        .map(|window_s| WindowCounts { window_s, good, bad, pending: 3 })
        .collect();
    vec![SeriesCounts { objective: objective().name, series: SERIES.to_owned(), windows }]
}

fn steps(transitions: &[Transition]) -> Vec<(&str, &str, &str)> {
    transitions
        .iter()
        .map(|step| (step.tier.as_str(), step.from_state.as_str(), step.to_state.as_str()))
        .collect()
}

#[test]
fn an_episode_goes_through_its_states_once() {
    let mut book = book();
    let mut log = Vec::new();
    for second in (0..40).step_by(5) {
        log.extend(book.evaluate(&moment(second), &flat(50, 50)));
    }
    for second in (40..80).step_by(5) {
        log.extend(book.evaluate(&moment(second), &flat(98, 2)));
    }
    let fast: Vec<_> = log.iter().filter(|step| step.tier == "fast").cloned().collect();
    let expected = [
        ("fast", "inactive", "pending"),
        ("fast", "pending", "firing"),
        ("fast", "firing", "resolved"),
    ];
    assert_eq!(steps(&fast), expected);
    assert_eq!(fast[1].event_time_us, 10 * SECOND_US);
    assert_eq!(fast[2].event_time_us, 60 * SECOND_US);
    assert_eq!(fast[1].lag_us(), 5 * SECOND_US);
    assert!(fast.iter().all(|step| step.episode_id == fast[0].episode_id));
    assert!(fast[1].reason.contains("50 of 100 settled messages bad in 1m"), "{}", fast[1].reason);
    assert!(fast[1].evidence.contains(r#""epoch":10"#), "{}", fast[1].evidence);
    let slow: Vec<_> = log.iter().filter(|step| step.tier == "slow").cloned().collect();
    assert_eq!(steps(&slow), [("slow", "inactive", "pending"), ("slow", "pending", "inactive")]);
}

#[test]
fn a_second_episode_has_other_ids() {
    let mut book = book();
    let mut log = Vec::new();
    for second in (0..600).step_by(5) {
        let counts = if second / 100 % 2 == 0 { flat(10, 90) } else { flat(99, 1) };
        log.extend(book.evaluate(&moment(second), &counts));
    }
    let ids: BTreeSet<&str> = log.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids.len(), log.len());
    let fired = log.iter().filter(|step| step.to_state == State::Firing);
    assert_eq!(fired.map(|step| &step.episode_id).collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn a_total_outage_of_a_quiet_carrier_fires_and_one_bad_message_does_not() {
    let fires = |good, bad| {
        let mut book = book();
        (0..30).any(|second| {
            let log = book.evaluate(&moment(second), &flat(good, bad));
            log.iter().any(|step| step.to_state == State::Firing)
        })
    };
    assert!(fires(0, 8));
    assert!(!fires(0, 1));
    assert!(!fires(30, 7));
}

#[test]
fn a_lower_tier_is_held_while_a_higher_one_fires() {
    let mut book = book();
    let mut log = Vec::new();
    for second in (0..900).step_by(10) {
        log.extend(book.evaluate(&moment(second), &flat(50, 50)));
    }
    let firing: Vec<_> = log.iter().filter(|step| step.to_state == State::Firing).collect();
    assert_eq!(firing.len(), 1);
    assert_eq!(firing[0].tier, "fast");
}

#[test]
fn a_slow_leak_fires_the_slow_tier_alone() {
    let mut book = book();
    let mut log = Vec::new();
    for second in (0..900).step_by(10) {
        log.extend(book.evaluate(&moment(second), &flat(850, 150)));
    }
    assert_eq!(steps(&log), [("slow", "inactive", "pending"), ("slow", "pending", "firing")]);
}

#[test]
fn silence_resolves_only_when_nothing_is_left_to_judge() {
    let mut book = book();
    for second in 0..20 {
        book.evaluate(&moment(second), &flat(0, 50));
    }
    let mut hanging = flat(0, 0);
    for second in 20..60 {
        let log = book.evaluate(&moment(second), &hanging);
        assert!(log.iter().all(|step| step.tier != "fast"), "{log:?}");
        hanging[0].windows[0].pending += 1;
    }
    let log: Vec<_> = (60..90).flat_map(|second| book.evaluate(&moment(second), &[])).collect();
    assert_eq!(log.last().map(|step| step.to_state), Some(State::Resolved));
    assert!(log.iter().any(|step| step.reason.contains("No messages left")));
}

#[test]
fn a_removed_tier_ends_its_episodes() {
    let mut book = book();
    for second in 0..20 {
        book.evaluate(&moment(second), &flat(0, 50));
    }
    let state = book.to_json().expect("JSON");
    let mut without = AlertBook::restore(Vec::new(), ARITHMETIC, &state).expect("own state");
    let log = without.evaluate(&moment(20), &[]);
    assert_eq!(steps(&log), [("fast", "firing", "resolved"), ("slow", "pending", "inactive")]);
    assert_eq!(without.evaluate(&moment(21), &[]), []);
}

#[test]
fn a_watermark_that_went_back_changes_nothing() {
    let mut book = book();
    book.evaluate(&moment(100), &flat(0, 50));
    let before = book.to_json().expect("JSON");
    assert_eq!(book.evaluate(&moment(99), &flat(100, 0)), []);
    assert_eq!(book.to_json().expect("JSON"), before);
}

#[test]
fn damaged_state_is_refused() {
    let restore = |text| AlertBook::restore(vec![objective()], ARITHMETIC, text);
    assert!(matches!(restore("{"), Err(RestoreError::Read(_))));
    let newer = r#"{"version":2,"at_us":null,"alerts":[]}"#;
    assert!(matches!(restore(newer), Err(RestoreError::Version { found: 2 })));
}

/// splitmix64 (Sebastiano Vigna): the same numbers for ever.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A carrier's traffic: seconds of sending, messages a second, usual failures, and an outage.
struct Traffic {
    seconds: i64,
    rate: f64,
    usual: f64,
    outage: std::ops::Range<i64>,
}

/// Evaluates every 2 s of wall time with a watermark 5 s behind. Messages settle exponentially:
/// deliveries after 4 s on average, failures after 2 s, which makes young windows look worse than
/// they are.
fn simulate(seed: u64, traffic: &Traffic) -> Vec<Transition> {
    let mut random = Random(seed);
    let mut messages: Vec<(f64, f64, bool)> = Vec::new();
    for second in 0..traffic.seconds {
        let failing = if traffic.outage.contains(&second) { 0.7 } else { traffic.usual };
        let mut at = -random.unit().max(1e-12).ln() / traffic.rate;
        while at < 1.0 {
            let bad = random.unit() < failing;
            let mean = if bad { 2.0 } else { 4.0 };
            let delay = -random.unit().max(1e-12).ln() * mean;
            messages.push((second as f64 + at, second as f64 + at + delay, bad));
            at -= random.unit().max(1e-12).ln() / traffic.rate;
        }
    }
    let (mut book, lengths) = (book(), objective().window_lengths());
    let mut log = Vec::new();
    for now in (10..traffic.seconds).step_by(2) {
        // Windows are sums of whole panes of 10 s.
        let end = (now - 5).div_euclid(10) * 10;
        let windows = lengths.iter().map(|&window_s| {
            let mut counts = WindowCounts { window_s, ..WindowCounts::default() };
            let from = messages.partition_point(|sent| sent.0 < (end - i64::from(window_s)) as f64);
            let to = messages.partition_point(|sent| sent.0 < end as f64);
            for (_, settled, bad) in &messages[from..to] {
                match (*settled <= (now - 5) as f64, bad) {
                    (false, _) => counts.pending += 1,
                    (true, true) => counts.bad += 1,
                    (true, false) => counts.good += 1,
                }
            }
            counts
        });
        let windows = windows.collect();
        let (objective, series) = (objective().name, SERIES.to_owned());
        let moment = Moment { at_us: (now - 5) * SECOND_US, now_us: now * SECOND_US, epoch: 1 };
        log.extend(book.evaluate(&moment, &[SeriesCounts { objective, series, windows }]));
    }
    log
}

#[test]
fn an_outage_fires_within_a_minute_and_resolves_within_three() {
    let (mut fired_latest, mut resolved_latest) = (0, 0);
    for seed in 0..24 {
        let rate = [2.0, 5.0, 10.0][seed as usize % 3];
        let usual = [0.01, 0.03, 0.06][seed as usize / 3 % 3];
        let traffic = Traffic { seconds: 900, rate, usual, outage: 240..330 };
        let log = simulate(seed, &traffic);
        let times: Vec<(State, i64)> = log
            .iter()
            .filter(|step| matches!(step.to_state, State::Firing | State::Resolved))
            .map(|step| (step.to_state, step.processing_time_us / SECOND_US))
            .collect();
        let [(State::Firing, fired), (State::Resolved, resolved)] = times[..] else {
            panic!("seed {seed}: {times:?}");
        };
        assert!((240..=300).contains(&fired), "seed {seed}: fired {} s in", fired - 240);
        assert!(resolved - 330 <= 170, "seed {seed}: resolved after {} s", resolved - 330);
        fired_latest = fired_latest.max(fired - 240);
        resolved_latest = resolved_latest.max(resolved - 330);
    }
    println!("fired at most {fired_latest} s in, resolved at most {resolved_latest} s after");
}

#[test]
fn usual_failures_fire_nothing() {
    for seed in 0..18 {
        let rate = [2.0, 5.0, 10.0][seed as usize % 3];
        let usual = [0.01, 0.03, 0.06][seed as usize / 3 % 3];
        let traffic = Traffic { seconds: 1_800, rate, usual, outage: 0..0 };
        let log = simulate(1_000 + seed, &traffic);
        assert!(log.iter().all(|step| step.to_state != State::Firing), "seed {seed}: {log:?}");
    }
}

/// Evaluations at rising times with three series that come and go.
fn any_inputs() -> impl Strategy<Value = Vec<(Moment, Vec<SeriesCounts>)>> {
    let counts = (0_i64..60, 0_i64..60, 0_i64..3);
    let series = prop::collection::vec((0_usize..3, counts), 0..3);
    prop::collection::vec((0_i64..40, series), 1..60).prop_map(|rows| {
        let mut second = 0;
        rows.into_iter()
            .map(|(step, series)| {
                second += step;
                let inputs = series.into_iter().map(|(name, (good, bad, pending))| {
                    let mut input = flat(good, bad).remove(0);
                    input.series = format!("channel=sms,carrier={name}");
                    input.windows.iter_mut().for_each(|window| window.pending = pending);
                    input
                });
                (moment(second), inputs.collect())
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Method: write and read the book before every evaluation that a random mask names.
    #[test]
    fn a_restart_anywhere_changes_no_transition(inputs in any_inputs(), mask in any::<u64>()) {
        let (mut steady, mut restarted) = (book(), book());
        for (at, (moment, counts)) in inputs.iter().enumerate() {
            if mask >> (at % 64) & 1 == 1 {
                let state = restarted.to_json().expect("JSON");
                restarted = AlertBook::restore(vec![objective()], ARITHMETIC, &state).expect("own");
            }
            prop_assert_eq!(steady.evaluate(moment, counts), restarted.evaluate(moment, counts));
        }
        prop_assert_eq!(steady.to_json().expect("JSON"), restarted.to_json().expect("JSON"));
    }

    /// Method: each alert's log is a walk along the drawn arrows, with unique ids.
    #[test]
    fn every_log_is_a_walk_of_the_state_machine(inputs in any_inputs()) {
        let mut book = book();
        let log: Vec<Transition> =
            inputs.iter().flat_map(|(moment, counts)| book.evaluate(moment, counts)).collect();
        let ids: BTreeSet<&str> = log.iter().map(|step| step.id.as_str()).collect();
        prop_assert_eq!(ids.len(), log.len());
        let mut states: BTreeMap<(&str, &str), State> = BTreeMap::new();
        for step in &log {
            let state = states.entry((&step.series, &step.tier)).or_insert(State::Inactive);
            let rested = if *state == State::Resolved { State::Inactive } else { *state };
            prop_assert_eq!(step.from_state, rested);
            prop_assert!(matches!(
                (step.from_state, step.to_state),
                (State::Inactive, State::Pending)
                    | (State::Pending, State::Inactive | State::Firing)
                    | (State::Firing, State::Resolved)
            ));
            *state = step.to_state;
        }
    }
}

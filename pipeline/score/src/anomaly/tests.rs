//! Detection, causality and bounds of the detector.

use proptest::prelude::*;

use super::*;

const MINUTE_US: i64 = 60_000_000;

/// Rows of a series with a daily shape, noise by an integer hash, and steps that vary.
fn daily(n: i64, step_us: i64) -> Vec<(i64, f64)> {
    (0..n)
        .map(|row| {
            let phase = (row * step_us) as f64 / 86_400_000_000.0 * std::f64::consts::TAU;
            let noise = (row.wrapping_mul(2_654_435_761) % 997) as f64 / 997.0;
            (row * step_us, 100.0 + 40.0 * phase.sin() + 4.0 * noise)
        })
        .collect()
}

#[test]
fn a_spike_scores_above_everything_usual() {
    let mut rows = daily(24 * 21, 60 * MINUTE_US);
    rows[480].1 = 400.0;
    let scores: Vec<f64> = score_rows(rows).collect();
    let usual = scores[100..480].iter().copied().fold(0.0, f64::max);
    assert!(scores[480] > usual + 1.0, "{} against {usual}", scores[480]);
}

#[test]
fn a_usual_level_at_an_unusual_hour_stands_out() {
    let mut rows = daily(24 * 21, 60 * MINUTE_US);
    // 18:00 is the bottom of the day, 06:00 the top: a value of the top at the bottom.
    let (bottom, top) = (24 * 20 + 18, 24 * 20 + 6);
    rows[bottom].1 = rows[top].1;
    let scores: Vec<f64> = score_rows(rows).collect();
    let usual = scores[240..bottom].iter().copied().fold(0.0, f64::max);
    assert!(scores[bottom] > usual, "{} against {usual}", scores[bottom]);
}

#[test]
fn the_expectation_is_the_median_of_this_time_of_day() {
    let mut detector = Detector::new(Some(3_600));
    for row in 0..24 * 9 {
        detector.observe(row * 60 * MINUTE_US, (row % 24) as f64);
    }
    let scored = detector.observe(24 * 9 * 60 * MINUTE_US, 50.0);
    assert_eq!(scored.expected, Some(0.0));
}

#[test]
fn a_short_history_and_a_value_that_is_no_number_have_no_score() {
    let mut detector = Detector::default();
    assert_eq!(detector.observe(0, 1.0), Scored::default());
    assert_eq!(detector.observe(MINUTE_US, f64::NAN), Scored::default());
    assert_eq!(detector.observe(MINUTE_US, 1.0).score, None);
}

#[test]
fn memory_is_bounded_whatever_the_length() {
    let mut detector = Detector::default();
    let mut sizes = Vec::new();
    for row in 0..40_000_i64 {
        detector.observe(row * MINUTE_US, (row % 31) as f64);
        if row % 10_000 == 9_999 {
            sizes.push(detector.to_bytes().len());
        }
    }
    assert!(sizes[3] <= 8 * 6 * 4_096 + 16 * history::CAPACITY + 64, "{sizes:?}");
    assert_eq!(sizes[2], sizes[3]);
}

#[test]
fn damaged_state_is_refused() {
    let bytes = Detector::default().to_bytes();
    assert_eq!(Detector::from_bytes(&[]), Err(RestoreError::Truncated));
    assert_eq!(Detector::from_bytes(&[9]), Err(RestoreError::Version { found: 9 }));
    assert_eq!(Detector::from_bytes(&bytes[..bytes.len() - 1]), Err(RestoreError::Truncated));
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Detector::from_bytes(&longer), Err(RestoreError::Content(_))));
}

/// Any rows: steps from back in time to a day, values with repeats, zeros of both signs, extremes.
fn any_rows() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        5 => (-20_i32..20).prop_map(f64::from),
        3 => -1e6..1e6,
        1 => prop_oneof![Just(-0.0), Just(f64::NAN), Just(1e300), Just(-1e300)],
    ];
    let step = prop_oneof![8 => Just(3_600_000_000_i64), 2 => -5_000_000_i64..86_400_000_000];
    prop::collection::vec((step, value), 0..400).prop_map(|rows| {
        let mut time_us = 0;
        rows.into_iter()
            .map(|(step_us, value)| {
                time_us += step_us;
                (time_us, value)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Method: score the prefix alone, compare bits.
    #[test]
    fn the_score_of_a_prefix_is_the_prefix_of_the_score(rows in any_rows(), cut in 0_usize..400) {
        let cut = cut.min(rows.len());
        let whole: Vec<u64> = score_rows(rows.clone()).map(f64::to_bits).collect();
        let prefix: Vec<u64> = score_rows(rows[..cut].to_vec()).map(f64::to_bits).collect();
        prop_assert_eq!(&whole[..cut], &prefix[..]);
    }

    /// Method: write and read the state in the middle of a series.
    #[test]
    fn a_restored_detector_goes_on_exactly(rows in any_rows(), cut in 0_usize..400) {
        let (before, after) = rows.split_at(cut.min(rows.len()));
        let mut detector = Detector::default();
        for (time_us, value) in before {
            detector.observe(*time_us, *value);
        }
        let mut restored = Detector::from_bytes(&detector.to_bytes()).expect("own bytes");
        for (time_us, value) in after {
            let (one, other) =
                (detector.observe(*time_us, *value), restored.observe(*time_us, *value));
            prop_assert_eq!(one.score.map(f64::to_bits), other.score.map(f64::to_bits));
            prop_assert_eq!(one.expected.map(f64::to_bits), other.expected.map(f64::to_bits));
        }
        prop_assert_eq!(detector.to_bytes(), restored.to_bytes());
    }

    #[test]
    fn scores_are_finite_and_never_negative(rows in any_rows()) {
        for score in score_rows(rows) {
            prop_assert!(score.is_finite() && score >= 0.0, "{score}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let version_one = [&[1], &bytes[..]].concat();
        drop((Detector::from_bytes(&bytes), Detector::from_bytes(&version_one)));
    }

    /// Method: a further value is never more probable.
    #[test]
    fn tail_probability_falls(
        scores in prop::collection::vec(0.0..100.0, 1..300),
        probe in 0.0..200.0,
    ) {
        let mut tail = Tail::new(256);
        for score in scores {
            tail.push(score);
        }
        let (near, far) = (tail.p(probe), tail.p(probe + 1.0));
        prop_assert!(near > 0.0 && near <= 1.0);
        prop_assert!(far <= near, "{far} after {near}");
    }
}

//! Panes in, windows out: pruning, snapshots, sliding sums.

use proptest::prelude::*;

use super::*;
use crate::OTHER;

const START_US: i64 = 1_767_225_600_000_000;

fn series(carrier: &str) -> Series {
    let words = ["twilio", "sms", carrier, "US", "otp"];
    Arc::new(words.map(|word| Some(Arc::from(word))))
}

/// Panes (seconds after the start, carrier, total) as a batch.
fn panes(rows: &[(i64, &str, i64)]) -> RecordBatch {
    let mut out = SloRows::default();
    for (second, carrier, total) in rows {
        let mut sum = SloSum::default();
        sum.counts[0] = *total;
        sum.counts[8] = *total;
        out.push(START_US + second * SECOND_US, &series(carrier), &sum);
    }
    out.finish().unwrap()
}

fn store_of(rows: &[(i64, &str, i64)]) -> PaneStore {
    let mut store = PaneStore::default();
    add(&mut store, rows);
    store
}

fn add(store: &mut PaneStore, rows: &[(i64, &str, i64)]) {
    let batch = panes(rows);
    store.admit(&[&batch]);
    store.add_slo(&batch).unwrap();
}

/// Totals of a window by carrier, as they would be published.
fn totals(store: &mut PaneStore, window: Window) -> Vec<i64> {
    store.mark([window]);
    let (slo, _) = store.take(&[window]).unwrap();
    slo.column_by_name("total").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn restarted(store: &PaneStore) -> PaneStore {
    let changed: Vec<Window> = store.changed().collect();
    let mut again = PaneStore::default();
    again.restore_guard(&store.guard().snapshot().unwrap());
    let mut slo = Vec::new();
    for day in store.dirty_days() {
        let [minutes, cost] = store.snapshot_day(*day).unwrap();
        slo.push(minutes);
        again.add_cost(&cost, false).unwrap();
    }
    again.restore(&slo, &[store.snapshot_fine().unwrap()]).unwrap();
    again.mark(changed);
    again
}

#[test]
fn what_waits_to_be_published_outlives_its_age_and_a_restart() {
    let mut store = store_of(&[(0, "att", 3), (70, "att", 4)]);
    // The minutes were published, the day was not yet.
    let minutes = [(60, START_US), (60, START_US + 60 * SECOND_US)];
    store.take(&minutes).unwrap();
    store.prune(START_US + 2 * KEPT_US);
    let mut again = restarted(&store);
    assert_eq!(totals(&mut again, (86_400, START_US)), [7]);
    store.take(&[(300, START_US), (3600, START_US), (86_400, START_US)]).unwrap();
    store.prune(START_US + 2 * KEPT_US);
    let day = START_US / DAY_US;
    assert_eq!(store.snapshot_day(day).unwrap()[0].num_rows(), 0, "published: forgotten");
}

#[test]
fn a_window_that_was_published_is_not_published_again_after_pruning() {
    let mut store = store_of(&[(0, "att", 3)]);
    let all: Vec<Window> = store.changed().collect();
    assert_eq!(all.len(), WINDOWS_S.len());
    store.take(&all).unwrap();
    store.prune(START_US + 2 * KEPT_US);
    assert_eq!(store.changed().count(), 0);
}

#[test]
fn beyond_the_limit_series_fold_into_one_with_exact_totals_and_for_good() {
    let guarded = |limit: usize| PaneStore { guard: Guard::new([limit, 9]), ..Default::default() };
    let mut store = guarded(2);
    let take_in = |store: &mut PaneStore, rows: &[(i64, &str, i64)]| {
        let batch = panes(rows);
        let folded = store.admit(&[&batch]);
        store.add_slo(&batch).unwrap();
        folded
    };
    // By epoch, within one by value: "c" came first, then "a"; "b" and "d" find no place.
    assert_eq!(take_in(&mut store, &[(0, "c", 5)]), 0);
    assert_eq!(take_in(&mut store, &[(0, "d", 1), (0, "b", 2), (0, "a", 4)]), 2);
    assert_eq!(store.guard().fold("carrier", "b"), OTHER);
    let mut again = guarded(2);
    again.restore_guard(&store.guard().snapshot().unwrap());
    let [minutes, _] = store.snapshot_day(START_US / DAY_US).unwrap();
    again.restore(&[minutes], &[]).unwrap();
    for store in [&mut store, &mut again] {
        // A message leaves the folded series that it came into.
        assert_eq!(take_in(store, &[(0, "b", -1)]), 1);
        let mut found = totals(store, (60, START_US));
        found.sort_unstable();
        assert_eq!(found, [2, 4, 5], "__other__, a, c");
    }
}

#[test]
fn a_slide_is_exact_to_ten_seconds_and_beyond_two_hours_to_the_minute() {
    let rows: Vec<(i64, &str, i64)> = (0..6 * 360).map(|pane| (pane * 10, "att", 1)).collect();
    let mut store = store_of(&rows);
    let slide = |store: &PaneStore, from_s: i64, to_s: i64| {
        let (from, to) = (START_US + from_s * SECOND_US, START_US + to_s * SECOND_US);
        store.slide(from, to).values().map(|sum| sum.counts[0]).sum::<i64>()
    };
    assert_eq!(slide(&store, 10, 21_590), 2158);
    store.prune(START_US + 6 * HOUR_US);
    assert_eq!(slide(&store, 18_010, 21_590), 358, "the last two hours");
    assert_eq!(slide(&store, 0, 21_590), 2159, "six hours");
    assert_eq!(slide(&store, 10, 21_590), 2153, "from the next whole minute");
}

proptest! {
    #[test]
    fn the_order_of_deltas_and_a_restart_change_no_sum(
        rows in proptest::collection::vec((0_i64..200_000, 0_usize..3, -3_i64..4), 1..60),
        cut in 0_usize..60,
    ) {
        let named: Vec<(i64, &str, i64)> =
            rows.iter().map(|(at, who, n)| (*at, ["a", "b", "c"][*who], *n)).collect();
        let mut forward = store_of(&named);
        let (first, second) = named.split_at(cut.min(named.len()));
        let mut backward = restarted(&store_of(second));
        add(&mut backward, first);
        let windows: Vec<Window> = forward.changed().collect();
        for window in windows {
            prop_assert_eq!(totals(&mut forward, window), totals(&mut backward, window));
        }
        prop_assert_eq!(forward.maturity().share(), backward.maturity().share());
    }
}

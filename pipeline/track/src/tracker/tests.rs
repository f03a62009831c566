//! A tracker that spills, is killed and comes back decides and emits what one does that keeps
//! everything in memory. The test plays the job: epochs, commits, recovery.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type};
use arrow_array::{Array, BooleanArray};
use arrow_select::filter::filter_record_batch;
use model::charge::{self, ChargeBatchBuilder, ChargeLine, charge_id};
use model::event::{EventBatchBuilder, EventRow, with_stored_columns};
use model::keys::HashKey;
use model::money::{Nanos, ONE};
use model::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use model::vocabulary::{
    Basis, Channel, ChargeKind, ErrorClass, Grain, PriceUnit, ReceiptClass, Security, Source,
    Status, TimeSource, TrafficClass,
};
use proptest::prelude::*;

use super::*;
use crate::flush::Encoded;

/// Where the time of these tests begins.
const START_US: i64 = 1_780_000_000_000_000;
/// Slices that the messages of these tests are in.
const USED: u8 = 2;

/// A directory of one test case, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sendtally-track-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[derive(Debug, Clone)]
struct Row {
    message: u8,
    event: u8,
    status: u8,
    /// Of the vendor's clock, before the ingest time; none where there is none.
    vendor_us: Option<i64>,
    submit_us: Option<i64>,
    carrier: u8,
    price: Option<i64>,
}

#[derive(Debug, Clone)]
struct Epoch {
    rows: Vec<Row>,
    advance_us: i64,
    /// Slices to hand over, a bit each.
    flush: u8,
    may_merge: bool,
    commit: bool,
    crash: bool,
    /// Of a format before 4; those before it are too.
    old: bool,
}

fn key(message: u8) -> Id16 {
    let mut key = HashKey::new([1; 16]).hash(&[&[message]]);
    key.0[15] = message % USED;
    key
}

fn row() -> impl Strategy<Value = Row> {
    let ago = || {
        prop_oneof![
            5 => 0..10 * SECOND_US,
            2 => 0..80 * HOUR_US,
            1 => 30 * DAY_US..40 * DAY_US,
        ]
    };
    let times = (prop::option::of(ago()), prop::option::weighted(0.3, ago()));
    let small = (0_u8..24, 0_u8..5, 0_u8..11, 0_u8..3);
    let price = prop::option::of(prop_oneof![Just(0_i64), 1_i64..5]);
    (times, small, price).prop_map(|((vendor_us, submit_us), small, price)| {
        let (message, event, status, carrier) = small;
        Row { message, event, status, vendor_us, submit_us, carrier, price }
    })
}

fn epochs() -> impl Strategy<Value = Vec<Epoch>> {
    let advance = prop_oneof![
        4 => 0..90 * SECOND_US,
        2 => 0..50 * HOUR_US,
        1 => 0..20 * DAY_US,
    ];
    let choices = (0_u8..4, any::<bool>(), any::<bool>(), prop::bool::weighted(0.15), 0_u8..6);
    let rows = prop::collection::vec(row(), 0..12);
    let one = (rows, advance, choices).prop_map(|(rows, advance_us, choices)| {
        let (flush, may_merge, commit, crash, old) = choices;
        Epoch { rows, advance_us, flush, may_merge, commit, crash, old: old == 0 }
    });
    prop::collection::vec(one, 1..30).prop_map(|mut epochs: Vec<Epoch>| {
        let n_old = epochs.iter().rposition(|epoch| epoch.old).map_or(0, |last| last / 2);
        epochs.iter_mut().enumerate().for_each(|(at, epoch)| epoch.old = at < n_old);
        epochs
    })
}

/// What a batch holds.
#[derive(Clone)]
struct Read {
    events: RecordBatch,
    /// Of a bill: the last two events of a message come with one, of the message and of none.
    lines: RecordBatch,
}

fn line(row: &Row, now_us: i64) -> Option<ChargeLine<'static>> {
    let amount = i128::from(row.price.filter(|_| row.event > 2)?) + 1;
    let is_billed = row.event == 3;
    let message_key = key(row.message);
    let mut number = message_key;
    number.0[0] ^= 0x55;
    let kind = if is_billed { ChargeKind::Number } else { ChargeKind::CarrierFee };
    Some(ChargeLine {
        line_id: HashKey::new([3; 16]).hash(&[&[row.message, row.event], &amount.to_be_bytes()]),
        charge_id: if is_billed { number } else { charge_id(message_key, kind) },
        grain: if is_billed { Grain::Item } else { Grain::Message },
        source: Source::Infobip,
        account: Some("a"),
        message_key: (!is_billed).then_some(message_key),
        message_id: None,
        kind,
        basis: Basis::Vendor,
        quantity: Some(ONE),
        unit: Some("message"),
        unit_price: Some(amount),
        amount: Some(amount),
        currency: Some("EUR"),
        event_time_us: row.vendor_us.map(|ago_us| now_us - ago_us).or(Some(now_us)),
        event_time_source: Some(match row.vendor_us {
            Some(_) => TimeSource::Vendor,
            None => TimeSource::Broker,
        }),
        ingest_time_us: Some(now_us),
        is_final: row.status == 4,
        period_us: [None; 2],
        invoice_id: None,
        sku: None,
        channel: Channel::Sms,
        country: None,
        carrier: ["o2", "ee"].get(usize::from(row.carrier)).copied(),
        traffic_class: TrafficClass::Unknown,
        payload_sha256: &[0; 32],
        input: 0,
        offset: 0,
        element: 0,
    })
}

fn batch(rows: &[Row], now_us: i64) -> Read {
    let mut lines = ChargeBatchBuilder::default();
    rows.iter().filter_map(|row| line(row, now_us)).for_each(|line| lines.push(&line));
    let mut builder = EventBatchBuilder::default();
    for (at, row) in rows.iter().enumerate() {
        let status = Status::from_index(row.status).unwrap();
        let vendor = row.vendor_us.map(|ago_us| now_us - ago_us);
        builder.push(&EventRow {
            event_id: HashKey::new([2; 16]).hash(&[&[row.message, row.event]]),
            source: Source::Infobip,
            account: Some("a"),
            message_id: "m",
            message_key: key(row.message),
            logical_id: None,
            channel: Channel::Sms,
            status,
            is_final: status.rank() > Status::Unknown.rank(),
            receipt_class: ReceiptClass::Handset,
            vendor_status: None,
            error_code: (row.status == 7).then_some("30003"),
            error_class: ErrorClass::None,
            event_time_us: vendor.or(Some(now_us)),
            submit_time_us: row.submit_us.map(|ago_us| now_us - ago_us),
            ingest_time_us: Some(now_us),
            event_time_source: Some(match row.vendor_us {
                Some(_) => TimeSource::Vendor,
                None => TimeSource::Broker,
            }),
            recipient_token: None,
            token_key_id: None,
            recipient_prefix: None,
            country: Some("GB"),
            mcc: None,
            mnc: None,
            carrier: ["o2", "ee"].get(usize::from(row.carrier)).copied(),
            sender: None,
            traffic_class: TrafficClass::Unknown,
            campaign: None,
            segments: Some(1),
            security: Security::None,
            price: row.price.map(|price| Nanos(i128::from(price))),
            price_unit: match row.price {
                Some(_) if row.event == 1 => PriceUnit::Segment,
                Some(_) => PriceUnit::Message,
                None => PriceUnit::None,
            },
            currency: row.price.filter(|price| *price != 0).map(|_| "EUR"),
            payload_sha256: &[0; 32],
            verified: None,
            verified_reason: None,
            input: 0,
            offset: i64::try_from(at).unwrap(),
            element: 0,
        });
    }
    let topic = "t".into();
    let signatures = model::record::SignatureRule::default();
    let input =
        model::record::Input { topic, partition: 0, source: None, account: None, signatures };
    let inputs = [input];
    let events = builder.finish(&inputs).unwrap();
    Read { events, lines: lines.finish(&inputs).unwrap() }
}

/// All rows of a batch.
fn all(batch: &RecordBatch) -> Vec<u32> {
    (0..u32::try_from(batch.num_rows()).unwrap()).collect()
}

/// Rows of a batch as text, sorted: their order and the order of dictionaries do not matter.
fn shown(batch: &RecordBatch) -> Vec<String> {
    let cell = |column: &dyn Array, row: usize| match column.as_dictionary_opt::<Int32Type>() {
        Some(words) if words.is_null(row) => "null".to_owned(),
        Some(words) => {
            let word = usize::try_from(words.keys().value(row)).unwrap();
            words.values().as_string::<i32>().value(word).to_owned()
        }
        None => format!("{:?}", column.slice(row, 1)),
    };
    let line = |row: usize| -> Vec<String> {
        batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect()
    };
    let mut lines: Vec<String> = (0..batch.num_rows()).map(|row| line(row).join("|")).collect();
    lines.sort();
    lines
}

/// What an epoch decided, on events and on lines, and gave.
type Given = ([Vec<Decision>; 2], Vec<Vec<String>>);

fn one_epoch(
    tracker: &mut Tracker,
    number: u64,
    rows: &Read,
    decided_by_us: Option<i64>,
    watermark_us: Option<i64>,
) -> Given {
    let Read { events, lines } = rows;
    let on_events = tracker.decide(events, &all(events), decided_by_us).unwrap();
    let open = (number, decided_by_us);
    let on_lines = tracker.decide_lines(lines, &all(lines), open).unwrap();
    let output = tracker.close_epoch(number, watermark_us, START_US).unwrap();
    let mut tables = vec![output.slo_panes, output.cost_panes, output.messages];
    tables.extend(output.charges);
    ([on_events, on_lines], tables.iter().map(shown).collect())
}

/// A slice as the newest manifest has it.
#[derive(Debug, Clone, Default)]
struct Taken {
    epoch: usize,
    runs: Vec<PathBuf>,
}

/// An epoch that was closed and is not committed.
struct Draft {
    stored: Read,
    duplicates: Vec<Id16>,
    flushed: Vec<(Arc<Flush>, Encoded, PathBuf)>,
    unchanged: Vec<u8>,
}

/// The job around a tracker.
struct Job<'a> {
    place: &'a Path,
    memory_bytes: usize,
    tracker: Tracker,
    /// Watermark after each epoch.
    marks: &'a [i64],
    /// Epochs of a format before 4.
    n_old: usize,
    committed: Vec<(Read, Vec<Id16>)>,
    taken: BTreeMap<u8, Taken>,
    drafts: Vec<Draft>,
    n_files: usize,
    n_evicted: u64,
    may_merge: bool,
}

impl Job<'_> {
    /// Epochs closed, committed or not.
    fn closed(&self) -> usize {
        self.committed.len() + self.drafts.len()
    }

    /// Watermark after so many epochs.
    fn mark(&self, n_epochs: usize) -> Option<i64> {
        self.marks.get(n_epochs.checked_sub(1)?).copied()
    }

    fn run(&mut self, rows: &Read, flush: u8) -> Given {
        let epoch = self.closed();
        let (before, mark) = (self.mark(epoch), self.mark(epoch + 1));
        self.tracker.count_old_costs(epoch < self.n_old);
        let given = one_epoch(&mut self.tracker, epoch as u64, rows, before, mark);
        let (stored, duplicates) = stored(rows, &given.0);
        let touched: Vec<u8> = self.tracker.touched().collect();
        let mut flushed = Vec::new();
        for slice in touched.iter().filter(|slice| flush & (1 << **slice) != 0) {
            let Some(flush) = self.tracker.flush(*slice, self.may_merge, mark).unwrap() else {
                continue;
            };
            let encoded = flush.encode().unwrap();
            self.n_files += 1;
            let path = self.place.join(format!("{:05}.run", self.n_files));
            std::fs::write(&path, &encoded.bytes).unwrap();
            flushed.push((flush, encoded, path));
        }
        let unchanged = (0..SLICES).filter(|slice| !touched.contains(slice)).collect();
        self.drafts.push(Draft { stored, duplicates, flushed, unchanged });
        given
    }

    fn commit(&mut self) {
        for draft in std::mem::take(&mut self.drafts) {
            self.committed.push((draft.stored, draft.duplicates));
            let epoch = self.committed.len();
            for slice in draft.unchanged {
                self.taken.entry(slice).or_default().epoch = epoch;
            }
            for (flush, encoded, path) in draft.flushed {
                let taken = self.taken.entry(flush.slice()).or_default();
                taken.epoch = epoch;
                taken.runs.truncate(taken.runs.len() - flush.replaces());
                let file = (encoded.n_messages > 0).then(|| File::open(&path).unwrap());
                taken.runs.extend(file.is_some().then(|| path.clone()));
                flush.written(&encoded, file.map(|file| (file, path))).unwrap();
            }
        }
    }

    /// A kill: what was not committed is gone, the rest comes back.
    fn crash(&mut self) {
        self.n_evicted += self.tracker.size().n_evicted;
        self.drafts.clear();
        self.tracker = Tracker::new(0..SLICES, self.memory_bytes);
        let epoch_of = |slice: u8| self.taken.get(&slice).map_or(0, |taken| taken.epoch);
        let oldest = (0..SLICES).map(epoch_of).min().unwrap();
        for (slice, taken) in &self.taken {
            let open = |path: &PathBuf| (File::open(path).unwrap(), path.clone());
            let runs = taken.runs.iter().map(open).collect();
            self.tracker.restore(*slice, runs, self.mark(oldest)).unwrap();
        }
        for epoch in oldest..self.committed.len() {
            let behind = |slice: u8| epoch_of(slice) <= epoch;
            let (stored, duplicates) = &self.committed[epoch];
            let (before, mark) = (self.mark(epoch), self.mark(epoch + 1));
            self.tracker.count_old_costs(epoch < self.n_old);
            self.tracker.replay(&stored.events, behind, before).unwrap();
            let closed = (epoch as u64, before);
            self.tracker.replay_lines(&stored.lines, behind, closed).unwrap();
            self.tracker.replay_duplicates(duplicates.iter().copied(), behind).unwrap();
            self.tracker.replay_close(behind, mark).unwrap();
        }
    }
}

/// Rows as they are stored, and the keys of the duplicate events.
fn stored(rows: &Read, [on_events, on_lines]: &[Vec<Decision>; 2]) -> (Read, Vec<Id16>) {
    let (keep, lines) = dispositions(on_lines);
    let lines_kept = filter_record_batch(&rows.lines, &keep).unwrap();
    let lines = charge::with_stored_columns(&lines_kept, &lines, (0, START_US)).unwrap();
    let (keep, events) = dispositions(on_events);
    let keys = rows.events.column_by_name("message_key").unwrap().as_fixed_size_binary();
    let duplicates = (0..on_events.len()).filter(|row| !keep.value(*row));
    let duplicates = duplicates.filter_map(|row| Id16::from_slice(keys.value(row))).collect();
    let kept = filter_record_batch(&rows.events, &keep).unwrap();
    let events = with_stored_columns(&kept, &events, 0).unwrap();
    (Read { events, lines }, duplicates)
}

/// Which rows are stored, and how.
fn dispositions(decisions: &[Decision]) -> (BooleanArray, Vec<Disposition>) {
    let is_stored = |decision: &Decision| *decision != Decision::Duplicate;
    let keep: BooleanArray = decisions.iter().map(|one| Some(is_stored(one))).collect();
    let dispositions: Vec<Disposition> = decisions
        .iter()
        .filter(|decision| is_stored(decision))
        .map(|decision| match decision {
            Decision::Late => Disposition::Late,
            Decision::Earlier => Disposition::Earlier,
            _ => Disposition::Accepted,
        })
        .collect();
    (keep, dispositions)
}

/// Runs epochs both ways and compares each of them. Gives how many messages left memory.
fn compare(epochs: &[Epoch], memory_bytes: usize) -> Result<u64, TestCaseError> {
    let mut now_us = START_US;
    let mut marks = Vec::new();
    let mut batches = Vec::new();
    for epoch in epochs {
        now_us += epoch.advance_us;
        marks.push(now_us - 5 * SECOND_US);
        batches.push(batch(&epoch.rows, now_us));
    }
    let mut whole = Tracker::new(0..SLICES, usize::MAX);
    let mut wanted = Vec::new();
    for (at, rows) in batches.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| marks[at]);
        whole.count_old_costs(epochs[at].old);
        wanted.push(one_epoch(&mut whole, at as u64, rows, before, Some(marks[at])));
    }
    let place = Place::new();
    let mut job = Job {
        place: &place.0,
        memory_bytes,
        tracker: Tracker::new(0..SLICES, memory_bytes),
        marks: &marks,
        n_old: epochs.iter().filter(|epoch| epoch.old).count(),
        committed: Vec::new(),
        taken: BTreeMap::new(),
        drafts: Vec::new(),
        n_files: 0,
        n_evicted: 0,
        may_merge: true,
    };
    let mut crashes: Vec<bool> = epochs.iter().map(|epoch| epoch.crash).collect();
    while job.closed() < epochs.len() {
        let at = job.closed();
        job.may_merge = epochs[at].may_merge;
        let given = job.run(&batches[at], epochs[at].flush);
        prop_assert_eq!(&given, &wanted[at], "epoch {}", at);
        if epochs[at].commit {
            job.commit();
        }
        if std::mem::take(&mut crashes[at]) {
            job.crash();
        }
    }
    Ok(job.n_evicted + job.tracker.size().n_evicted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn spilling_and_kills_change_nothing(epochs in epochs(), memory_bytes in 0_usize..100_000) {
        compare(&epochs, memory_bytes)?;
    }
}

/// A message each with two events in one epoch, all committed.
fn simple(n_epochs: u8) -> Vec<Epoch> {
    let row = |message, event| Row {
        message,
        event,
        status: 2,
        vendor_us: Some(SECOND_US),
        submit_us: None,
        carrier: 0,
        price: Some(3),
    };
    let epoch = |at: u8| Epoch {
        rows: vec![row(2 * at, 0), row(2 * at, 1)],
        advance_us: MINUTE_US,
        flush: 3,
        may_merge: true,
        commit: true,
        crash: false,
        old: false,
    };
    (0..n_epochs).map(epoch).collect()
}

#[test]
fn a_tiny_memory_makes_messages_leave() {
    assert!(compare(&simple(40), 0).unwrap() > 30);
    assert_eq!(compare(&simple(40), 100 << 20).unwrap(), 0);
}

/// The newest version of message 0 is past its 35 days, an older one in an older run is not.
#[test]
fn an_older_version_does_not_come_to_light_when_the_newest_is_past_its_35_days() {
    let row = |message, event, submit_us| Row {
        message,
        event,
        status: 2,
        vendor_us: Some(SECOND_US),
        submit_us,
        carrier: 0,
        price: None,
    };
    let epoch = |rows, advance_us| Epoch {
        rows,
        advance_us,
        flush: 3,
        may_merge: true,
        commit: true,
        crash: false,
        old: false,
    };
    let many = (0..40).map(|at| row(2 * at, 0, None)).collect();
    let epochs = [
        epoch(many, MINUTE_US),
        epoch(vec![row(0, 1, Some(35 * DAY_US - HOUR_US))], MINUTE_US),
        epoch(vec![row(2, 1, None)], DAY_US),
        epoch(Vec::new(), MINUTE_US),
        epoch(vec![row(0, 0, None)], MINUTE_US),
    ];
    assert!(compare(&epochs, 0).unwrap() > 0);
}

/// The runs of some epochs, and their watermarks.
fn written(place: &Path, epochs: &[Epoch]) -> (Vec<PathBuf>, Vec<i64>) {
    let marks: Vec<i64> = (1..).map(|at| START_US + at * MINUTE_US).take(epochs.len()).collect();
    let mut job = Job {
        place,
        memory_bytes: 0,
        tracker: Tracker::new(0..SLICES, 0),
        marks: &marks,
        n_old: 0,
        committed: Vec::new(),
        taken: BTreeMap::new(),
        drafts: Vec::new(),
        n_files: 0,
        n_evicted: 0,
        may_merge: true,
    };
    for (epoch, mark) in epochs.iter().zip(&marks) {
        job.may_merge = epoch.may_merge;
        job.run(&batch(&epoch.rows, *mark), epoch.flush);
        job.commit();
    }
    (job.taken[&0].runs.clone(), marks)
}

#[test]
fn a_slice_has_few_runs_and_none_is_written_over_and_over() {
    let place = Place::new();
    let (runs, _) = written(&place.0, &simple(100));
    assert!((1..=4).contains(&runs.len()), "{runs:?}");
}

#[test]
fn runs_that_may_not_be_merged_are_merged_when_there_are_a_dozen() {
    let place = Place::new();
    let mut epochs = simple(100);
    epochs.iter_mut().for_each(|epoch| epoch.may_merge = false);
    let (runs, _) = written(&place.0, &epochs);
    assert!((1..=12).contains(&runs.len()), "{runs:?}");
}

#[test]
fn any_damaged_byte_of_a_run_is_told_with_its_file() {
    let place = Place::new();
    let epochs = simple(6);
    let (runs, marks) = written(&place.0, &epochs);
    let rows: Vec<Row> = epochs.iter().flat_map(|epoch| epoch.rows.clone()).collect();
    let rows = batch(&rows, marks[marks.len() - 1]);
    let open = |path: &PathBuf| (File::open(path).unwrap(), path.clone());
    let use_all = || -> Result<(), TrackError> {
        let mut tracker = Tracker::new(0..SLICES, 0);
        tracker.restore(0, runs.iter().map(open).collect(), None)?;
        let decisions = tracker.decide(&rows.events, &all(&rows.events), None)?;
        assert!(decisions.iter().all(|decision| *decision == Decision::Duplicate));
        Ok(())
    };
    use_all().unwrap();
    let path = runs.last().unwrap();
    let good = std::fs::read(path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        std::fs::write(path, &bad).unwrap();
        let error = use_all().unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "byte {at}: {error}");
    }
    for length in [0, 100, good.len() - 1] {
        std::fs::write(path, &good[..length]).unwrap();
        let error = use_all().unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{length} bytes: {error}");
    }
}

#[test]
fn messages_past_their_35_days_leave_the_runs() {
    let place = Place::new();
    let mut epochs = simple(40);
    let end = epochs.pop().unwrap();
    let marks: Vec<i64> =
        (0..39).map(|at| START_US + at * MINUTE_US).chain([START_US + 36 * DAY_US]).collect();
    let mut job = Job {
        place: &place.0,
        memory_bytes: 0,
        tracker: Tracker::new(0..SLICES, 0),
        marks: &marks,
        n_old: 0,
        committed: Vec::new(),
        taken: BTreeMap::new(),
        drafts: Vec::new(),
        n_files: 0,
        n_evicted: 0,
        may_merge: true,
    };
    for (epoch, mark) in epochs.iter().chain([&end]).zip(&marks) {
        job.run(&batch(&epoch.rows, *mark), epoch.flush);
        job.commit();
    }
    let nothing = batch(&[], START_US);
    assert_eq!(job.tracker.size().n_messages, 40);
    let after = START_US + 36 * DAY_US;
    one_epoch(&mut job.tracker, 99, &nothing, Some(after), Some(after));
    assert_eq!(job.tracker.size().n_messages, 1);
    let left = job.taken[&0].runs.iter().map(|path| std::fs::metadata(path).unwrap().len());
    assert!(left.sum::<u64>() < 1000);
}

/// An RCS conversation's fee comes with every message of it.
#[test]
fn of_a_message_the_first_line_the_one_that_stands_and_the_newest_others_are_kept() {
    let fee = |ago_us, price| Row {
        message: 1,
        event: 4,
        status: 2,
        vendor_us: Some(ago_us),
        submit_us: None,
        carrier: 0,
        price: Some(price),
    };
    let standing = [fee(0, 7)];
    let others: Vec<Row> = (1..600).rev().map(|at| fee(at * SECOND_US, 1_000 + at)).collect();
    let mut tracker = Tracker::new(0..SLICES, usize::MAX);
    let mut decided = |rows: &[Row]| {
        let lines = batch(rows, START_US).lines;
        tracker.decide_lines(&lines, &all(&lines), (1, None)).unwrap()
    };
    let rows: Vec<Row> = standing.iter().chain(&others).cloned().collect();
    assert!(decided(&rows).iter().all(|decision| *decision == Decision::New));
    let kept = crate::charges::LINES_MAX - 2;
    assert_eq!(decided(&others[599 - kept..]), vec![Decision::Duplicate; kept]);
    assert_eq!(decided(&[standing[0].clone(), others[0].clone()]), [Decision::Duplicate; 2]);
    assert_eq!(decided(&others[1..2]), [Decision::New], "it was forgotten");
    assert_eq!(amounts(&mut tracker), [8], "the latest stands");
}

/// Amounts of the charges of an epoch that closes.
fn amounts(tracker: &mut Tracker) -> Vec<i128> {
    let charges = tracker.close_epoch(1, None, START_US).unwrap().charges;
    let amounts = charges.iter().map(|batch| batch.column_by_name("amount").unwrap());
    amounts.flat_map(|column| column.as_primitive::<Decimal128Type>()).flatten().collect()
}

/// The line that stands is kept however many follow it; the oldest others are forgotten.
#[test]
fn of_a_bill_the_line_that_stands_and_the_newest_others_are_kept() {
    let of_bill = |status, price| Row {
        message: 1,
        event: 3,
        status,
        vendor_us: None,
        submit_us: None,
        carrier: 0,
        price: Some(price),
    };
    let (final_line, first) = (of_bill(4, 7), of_bill(1, 100));
    let rows: Vec<Row> =
        [final_line, first].into_iter().chain((101..400).map(|price| of_bill(1, price))).collect();
    let mut tracker = Tracker::new(0..SLICES, usize::MAX);
    let mut decided = |rows: &[Row]| {
        let lines = batch(rows, START_US).lines;
        tracker.decide_lines(&lines, &all(&lines), (1, None)).unwrap()
    };
    assert!(decided(&rows).iter().all(|decision| *decision == Decision::New));
    assert_eq!(decided(&rows[300..]), [Decision::Duplicate]);
    assert_eq!(decided(&rows[1..2]), [Decision::New], "it was forgotten");
    assert_eq!(decided(&rows[..1]), [Decision::Duplicate]);
    assert_eq!(amounts(&mut tracker), [8], "the final one stands");
}

/// Sums of all cost panes so far, by kind: messages that have one, and their amount.
fn add_costs(sums: &mut BTreeMap<String, (i64, i128)>, output: &EpochOutput) {
    let panes = &output.cost_panes;
    let kinds = panes.column_by_name("kind").unwrap().as_dictionary::<Int32Type>();
    let words = kinds.values().as_string::<i32>();
    let messages = panes.column_by_name("messages").unwrap().as_primitive::<Int64Type>();
    let amounts = panes.column_by_name("amount").unwrap().as_primitive::<Decimal128Type>();
    for row in 0..panes.num_rows() {
        let word = words.value(usize::try_from(kinds.keys().value(row)).unwrap());
        let sum = sums.entry(word.to_owned()).or_default();
        sum.0 += messages.value(row);
        sum.1 += amounts.value(row);
    }
}

/// Before format 4 a zero in no currency was counted, and both prices of a message were. What was
/// so committed stands, whatever else happens, until the message is revised.
#[test]
fn costs_of_an_older_format_stand_until_their_message_is_revised() {
    let row = |message, event, price| Row {
        message,
        event,
        status: 2,
        vendor_us: Some(SECOND_US),
        submit_us: None,
        carrier: 0,
        price,
    };
    // Messages 0 and 2 have both prices, 4 and 6 are free.
    let both = |message| [row(message, 0, Some(5)), row(message, 1, Some(3))];
    let free = [row(4, 0, Some(0)), row(6, 0, Some(0))];
    let old: Vec<Row> = both(0).into_iter().chain(both(2)).chain(free).collect();
    let mut tracker = Tracker::new(0..SLICES, usize::MAX);
    let mut sums = BTreeMap::new();
    let mut step = |rows: &[Row], old_costs, now_us| {
        tracker.count_old_costs(old_costs);
        let events = batch(rows, now_us).events;
        tracker.decide(&events, &all(&events), None).unwrap();
        let output = tracker.close_epoch(1, Some(now_us), now_us).unwrap();
        add_costs(&mut sums, &output);
        sums.clone()
    };
    let counted = |messages, segments| {
        BTreeMap::from([("message".to_owned(), messages), ("segment".to_owned(), segments)])
    };
    assert_eq!(step(&old, true, START_US), counted((4, 10), (2, 6)));
    assert_eq!(step(&old, false, START_US), counted((4, 10), (2, 6)), "duplicates revise nothing");
    let late_us = START_US + 73 * HOUR_US;
    assert_eq!(step(&[], false, late_us), counted((4, 10), (2, 6)), "nor does the horizon");
    // Message 0 has one price now, the latest; message 4 is free in no window.
    let revised = step(&[row(0, 2, Some(7)), row(4, 2, None)], false, late_us);
    assert_eq!(revised, counted((3, 12), (1, 3)));
}

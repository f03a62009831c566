//! The lake over chains that the test writes: what is rolled, compacted, public, dropped and
//! collected, and that a crash at any point changes none of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    UInt64Array,
};
use commit::{Access, Remote, random_hex, stage_file, write_segment};
use model::clock::ManualClock;
use model::schema::LEDGER;
use model::time::{DAY_US, HOUR_US, parse_rfc3339};

use super::*;
use crate::job::state::State;
use crate::tables::snapshot;

const AFTER_US: i64 = HOUR_US;

/// A data directory with a job whose epochs the test makes; goes with the test.
struct World {
    dir: DataDir,
    job: Chain,
    clock: ManualClock,
    rules: Rules,
}

impl World {
    fn new(days: &[(&str, u32)]) -> Self {
        let root =
            std::env::temp_dir().join(format!("sendtally-lake-{}", &random_hex().unwrap()[..12]));
        Self::on(DataDir::open(&root).unwrap(), days)
    }

    fn on(dir: DataDir, days: &[(&str, u32)]) -> Self {
        let job = Chain::open(&dir, JOB, "job").unwrap();
        let days = days.iter().map(|(table, days)| ((*table).to_owned(), *days)).collect();
        let retention = Retention::new(days).unwrap();
        let rules =
            Rules { publish_after_us: AFTER_US, retention, loads: false, min_free_bytes: 0 };
        Self { dir, job, clock: ManualClock::at(time("00:00:00")), rules }
    }

    fn open(&self) -> Lake {
        let stop = Arc::new(AtomicBool::new(true));
        Lake::open(&self.dir, "lake", self.rules.clone(), stop, &self.clock).unwrap()
    }

    /// An epoch of the job with so many lines of the ledger, committed at its watermark.
    fn epoch(&mut self, at_us: i64, lines: u64) {
        let epoch = self.job.epoch() + 1;
        let count = lines as usize;
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; count]));
        let topics: DictionaryArray<Int32Type> =
            (0..lines).map(|line| ["b", "a", "c"][line as usize % 3]).map(Some).collect();
        let partitions = Int32Array::from_iter_values(0..lines as i32);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(vec![epoch; count])),
            Arc::new(topics),
            Arc::new(partitions),
        ];
        columns.extend((0..10).map(|_| Arc::clone(&zeros)));
        let times = TimestampMicrosecondArray::from(vec![at_us; count]);
        columns.push(Arc::new(times.with_timezone("UTC")));
        let rows = RecordBatch::try_new(LEDGER.arrow(), columns).unwrap();
        let name = format!("{epoch:020}-ledger.arrow");
        let segment = write_segment(&self.dir, "segments/job", &name, "ledger", &[rows]).unwrap();
        stage_file(&self.dir, "segments/job").unwrap();
        let manifest = Manifest {
            watermark_us: Some(at_us),
            committed_at_us: at_us,
            segments: segment.into_iter().collect(),
            ..Manifest::default()
        };
        self.job.create(manifest).unwrap();
        self.clock.set(at_us);
    }

    /// Epochs every minute, with one line each.
    fn minutes(&mut self, lake: &mut Lake, from_us: i64, minutes: i64) {
        for minute in 0..minutes {
            self.epoch(from_us + minute * MINUTE_US, 1);
            lake.step(false, &self.clock).unwrap();
        }
    }

    /// Every line that `sql` sees, by epoch and partition: each must be there once.
    fn lines(&self) -> Vec<(u64, i64)> {
        let found = snapshot(&self.dir, |table| table == "ledger").unwrap();
        let session = window::Session::open(found.tables).unwrap();
        let text = "SELECT epoch, count(*) AS n FROM ledger GROUP BY epoch ORDER BY epoch";
        let mut lines = Vec::new();
        for batch in session.query(text).unwrap() {
            use arrow_array::cast::AsArray;
            let epochs = batch.column(0).as_primitive::<arrow_array::types::UInt64Type>();
            let counts = batch.column(1).as_primitive::<arrow_array::types::Int64Type>();
            lines.extend(epochs.values().iter().copied().zip(counts.values().iter().copied()));
        }
        lines
    }

    /// Public files with inode and content.
    fn public(&self) -> BTreeMap<PathBuf, (u64, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut places = vec![self.dir.root().join("public")];
        while let Some(place) = places.pop() {
            for entry in fs::read_dir(&place).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    places.push(path);
                    continue;
                }
                let inode = fs::metadata(&path).unwrap().ino();
                let bytes = fs::read(&path).unwrap();
                let name = path.strip_prefix(self.dir.root()).unwrap().to_owned();
                found.insert(name, (inode, bytes));
            }
        }
        found
    }

    /// Names of the public files.
    fn names(&self) -> Vec<String> {
        self.public().into_keys().map(|path| path.display().to_string()).collect()
    }

    fn rolled(lake: &Lake) -> usize {
        lake.files().iter().filter(|file| names::roll_of(file).is_some()).count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(self.dir.root()));
    }
}

fn time(clock: &str) -> i64 {
    parse_rfc3339(&format!("2026-03-02T{clock}Z")).unwrap()
}

fn once(epochs: std::ops::RangeInclusive<u64>) -> Vec<(u64, i64)> {
    epochs.map(|epoch| (epoch, 1)).collect()
}

#[test]
fn rows_are_rolled_after_minutes_and_public_once_they_are_old_as_one_file() {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    world.minutes(&mut lake, time("02:00:00"), 60);
    // Twelve rolls of five minutes, less the minutes that still wait.
    assert!((9..=12).contains(&World::rolled(&lake)), "{} rolls", World::rolled(&lake));
    assert_eq!(world.public().len(), 0);
    assert_eq!(world.lines(), once(1..=60));
    world.minutes(&mut lake, time("03:00:00"), 65);
    assert_eq!(world.names().len(), 1, "{:?}", world.names());
    assert!(world.names()[0].starts_with("public/ledger/date=2026-03-02/"));
    assert_eq!(world.lines(), once(1..=125));
    let first = world.public();
    world.minutes(&mut lake, time("04:05:00"), 65);
    let both = world.public();
    assert_eq!(both.len(), 2);
    assert!(first.iter().all(|file| both.get(file.0) == Some(file.1)), "a file changed");
    assert_eq!(world.lines(), once(1..=190));
}

#[test]
fn a_row_becomes_public_no_sooner_than_it_may() {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    world.minutes(&mut lake, time("02:00:00"), 140);
    let files: Vec<FileRef> =
        lake.files().iter().filter(|file| names::epoch_of(file).is_some()).cloned().collect();
    let mark = lake.watermark_us().unwrap();
    let published: u64 = files.iter().map(|file| file.rows).sum();
    // Epoch n has the watermark of minute n - 1.
    assert!(published > 0);
    assert!(published as i64 <= (mark - AFTER_US - time("02:00:00")) / MINUTE_US + 1);
}

#[test]
fn a_drain_rolls_and_publishes_everything_and_a_second_one_changes_nothing() {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    for minute in 0..3 {
        world.epoch(time("23:58:00") + minute * MINUTE_US, 2);
    }
    while lake.step(true, &world.clock).unwrap() {}
    assert_eq!(World::rolled(&lake), 0);
    let dates: Vec<String> = world.names().iter().map(|name| name[..29].to_owned()).collect();
    assert_eq!(dates, ["public/ledger/date=2026-03-02", "public/ledger/date=2026-03-03"]);
    assert_eq!(world.lines(), [(1, 2), (2, 2), (3, 2)]);
    let (epoch, public) = (lake.epoch(), world.public());
    assert!(!lake.step(true, &world.clock).unwrap());
    assert_eq!(lake.epoch(), epoch);
    assert!(world.public() == public);
}

/// A world of two rolls of one date that may be compacted, and its lake.
fn ready() -> (World, Lake, Vec<compact::Group>) {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    for minute in [0, 10] {
        world.epoch(time("02:00:00") + minute * MINUTE_US, 2);
        lake.look_and_roll(&world.clock);
    }
    assert_eq!(World::rolled(&lake), 2);
    let groups = lake.due_groups(true);
    assert_eq!(groups.iter().map(|group| group.files.len()).collect::<Vec<_>>(), [2]);
    (world, lake, groups)
}

impl Lake {
    fn look_and_roll(&mut self, clock: &dyn Clock) {
        self.job.refresh().unwrap();
        self.look().unwrap();
        let to = self.due_roll(true).unwrap();
        self.roll(to, clock).unwrap();
    }
}

#[test]
fn files_of_a_crash_before_their_manifest_are_never_public() {
    let (world, lake, groups) = ready();
    let head = lake.epoch();
    // What a crash leaves behind: compacted files that no manifest names.
    let place = world.dir.place(&names::place("ledger", "2026-03-02")).unwrap();
    let stray = place.join(names::compacted(head + 1, 0, &random_hex().unwrap()));
    fs::copy(world.dir.root().join(&groups[0].files[0].path), &stray).unwrap();
    drop(lake);
    let mut again = world.open();
    assert_eq!(world.public().len(), 0);
    while again.step(true, &world.clock).unwrap() {}
    assert_eq!(world.names().len(), 1);
    assert_eq!(world.lines(), [(1, 2), (2, 2)]);
}

#[test]
fn what_a_crash_left_unpublished_is_published_by_the_next_owner_as_its_manifest_says() {
    let (world, mut lake, groups) = ready();
    lake.compact(&groups, &world.clock).unwrap();
    assert_eq!(world.public().len(), 0);
    let wanted: Vec<String> = lake.files().iter().filter_map(public_path).collect();
    drop(lake);
    drop(world.open());
    assert_eq!(world.names(), wanted);
    // Killed once more before it could say so: the same again, the same file.
    let public = world.public();
    drop(world.open());
    assert!(world.public() == public);
    assert_eq!(world.lines(), [(1, 2), (2, 2)]);
}

#[test]
fn a_half_published_manifest_is_completed_without_touching_what_is_there() {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    world.epoch(time("23:59:00"), 1);
    world.epoch(time("23:59:00") + HOUR_US, 1);
    lake.look_and_roll(&world.clock);
    let groups = lake.due_groups(true);
    lake.compact(&groups, &world.clock).unwrap();
    lake.publish().unwrap();
    let whole = world.public();
    let gone = world.dir.root().join(whole.keys().next_back().unwrap());
    fs::remove_file(gone).unwrap();
    drop(lake);
    drop(world.open());
    assert_eq!(whole.len(), 2);
    assert!(world.public() == whole, "same names, inodes and bytes");
}

#[test]
fn an_owner_that_was_taken_over_links_nothing_more() {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    world.epoch(time("23:59:00"), 1);
    lake.look_and_roll(&world.clock);
    let groups = lake.due_groups(true);
    lake.compact(&groups, &world.clock).unwrap();
    let mut other = Chain::open(&world.dir, LAKE, "another").unwrap();
    other.create(lake.head()).unwrap();
    let refused = lake.publish().unwrap_err();
    assert!(refused.to_string().contains("another"), "{refused}");
    assert_eq!(world.public().len(), 0);
}

#[test]
fn dates_beyond_retention_go_from_lake_and_public_and_do_not_come_back() {
    let mut world = World::new(&[("ledger", 2)]);
    let mut lake = world.open();
    for day in 0..3 {
        world.epoch(time("12:00:00") + day * DAY_US, 1);
    }
    while lake.step(true, &world.clock).unwrap() {}
    assert_eq!(world.names().len(), 3);
    world.epoch(time("12:00:00") + 3 * DAY_US, 1);
    while lake.step(true, &world.clock).unwrap() {}
    assert_eq!(world.names().len(), 3, "{:?}", world.names());
    assert_eq!(world.lines(), once(2..=4));
    let head = lake.head();
    let wanted = Dropped { before: "2026-03-03".to_owned(), epoch: Some(1) };
    assert_eq!(Dropped::of(&head, "ledger"), Some(wanted));
    // A late row of a dropped date is dropped too, and never public.
    world.epoch(time("12:00:00"), 1);
    while lake.step(true, &world.clock).unwrap() {}
    assert!(world.names().iter().all(|name| !name.contains("2026-03-02")));
    assert_eq!(Dropped::of(&lake.head(), "ledger").and_then(|dropped| dropped.epoch), Some(5));
}

#[test]
fn links_that_a_crash_left_after_a_drop_are_removed_by_the_next_owner() {
    let mut world = World::new(&[("ledger", 2)]);
    let mut lake = world.open();
    world.epoch(time("12:00:00"), 1);
    while lake.step(true, &world.clock).unwrap() {}
    world.epoch(time("12:00:00") + 5 * DAY_US, 1);
    lake.job.refresh().unwrap();
    let drops = lake.due_drops();
    assert_eq!(drops, BTreeMap::from([("ledger".to_owned(), "2026-03-05".to_owned())]));
    lake.drop_files(&drops, &world.clock).unwrap();
    assert_eq!(world.names().len(), 1);
    drop(lake);
    drop(world.open());
    assert_eq!(world.names().len(), 0);
}

#[test]
fn replaced_files_stay_an_hour_and_then_go() {
    let (world, mut lake, groups) = ready();
    lake.compact(&groups, &world.clock).unwrap();
    lake.publish().unwrap();
    let there = |file: &FileRef| world.dir.root().join(&file.path).exists();
    let now_us = world.clock.now_us();
    // Passed epochs are noted each minute; what was noted an hour ago goes.
    for minute in 1..=63 {
        world.clock.set(now_us + minute * MINUTE_US);
        lake.step(true, &world.clock).unwrap();
        lake.commit(lake.head(), String::new(), &world.clock).unwrap();
        assert!(minute >= 60 || groups[0].files.iter().all(there), "minute {minute}");
    }
    assert!(!groups[0].files.iter().any(there), "replaced files are still there");
    assert_eq!(lake.files().len(), 1);
    assert!(there(&lake.files()[0]));
    assert_eq!(world.lines(), [(1, 2), (2, 2)]);
}

#[test]
fn manifests_stay_while_a_slice_of_the_state_was_never_written() {
    let mut world = World::new(&[]);
    let mut lake = world.open();
    world.minutes(&mut lake, time("00:00:00"), 5);
    let state = |slices: u8, epoch: u64| {
        let mut state = State::default();
        (0..slices).for_each(|slice| state.keep(slice, epoch));
        state.to_manifest()
    };
    let mut aggregate = Chain::open(&world.dir, AGGREGATE, "aggregate").unwrap();
    let mut live_on = |world: &mut World, lake: &mut Lake, slices: u8| {
        let state = state(slices, world.job.epoch() - 1);
        world.job.create(Manifest { state, ..world.job.head().unwrap().clone() }).unwrap();
        let consumed = BTreeMap::from([(JOB.to_owned(), world.job.epoch())]);
        let state = vec![crate::aggregate::state::begun(world.job.epoch())];
        aggregate.create(Manifest { consumed, state, ..Manifest::default() }).unwrap();
        for _ in 0..63 {
            world.clock.set(world.clock.now_us() + MINUTE_US);
            lake.step(true, &world.clock).unwrap();
            lake.commit(lake.head(), String::new(), &world.clock).unwrap();
        }
    };
    live_on(&mut world, &mut lake, 4);
    assert_eq!(world.job.numbers().unwrap(), [1, 2, 3, 4, 5, 6], "60 slices need them all");
    live_on(&mut world, &mut lake, track::SLICES);
    assert_eq!(world.job.numbers().unwrap(), [5, 6, 7], "the lake took 5 last");
}

#[test]
fn a_damaged_file_is_not_compacted() {
    let (world, mut lake, groups) = ready();
    let damaged = world.dir.root().join(&groups[0].files[0].path);
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let failure = lake.compact(&groups, &world.clock).unwrap_err();
    assert!(failure.to_string().contains("is damaged"), "{failure}");
    assert_eq!((failure.code(), World::rolled(&lake)), (4, 2));
}

#[test]
fn a_compaction_that_fails_leaves_nothing_behind() {
    let (world, mut lake, mut groups) = ready();
    let files = || {
        let place = world.dir.root().join(names::place("ledger", "2026-03-02"));
        fs::read_dir(place).unwrap().count()
    };
    let before = (lake.epoch(), files());
    groups[0].files[1].path.push_str("-missing");
    assert!(lake.compact(&groups, &world.clock).is_err());
    assert_eq!((lake.epoch(), files()), before);
}

/// An empty directory on a store.
fn on(remote: &Remote) -> DataDir {
    let root =
        std::env::temp_dir().join(format!("sendtally-lake-{}", &random_hex().unwrap()[..12]));
    DataDir::open_on(&root, remote.clone(), Access::Write).unwrap()
}

#[test]
fn on_a_store_an_empty_directory_compacts_publishes_drops_and_collects_what_another_wrote() {
    let remote = Remote::in_memory().unwrap();
    let stored = |place: &str| -> Vec<String> {
        remote.list(place, None).unwrap().into_iter().map(|object| object.key).collect()
    };
    let mut world = World::on(on(&remote), &[("ledger", 2)]);
    let mut lake = world.open();
    world.minutes(&mut lake, time("02:00:00"), 125);
    assert_eq!(stored("public"), world.names());
    assert_eq!(world.lines(), once(1..=125));
    lake.release(&world.clock).unwrap();
    drop(lake);
    // Another machine: it has none of the files that it merges, links and deletes.
    let mut other = World::on(on(&remote), &[("ledger", 2)]);
    other.clock.set(world.clock.now_us());
    let mut lake = other.open();
    assert_eq!(other.lines(), once(1..=125));
    while lake.step(true, &other.clock).unwrap() {}
    assert_eq!(World::rolled(&lake), 0);
    assert!(stored("public").len() > world.names().len());
    assert_eq!(other.lines(), once(1..=125));
    other.epoch(time("12:00:00") + 4 * DAY_US, 1);
    while lake.step(true, &other.clock).unwrap() {}
    assert!(stored("public").iter().all(|name| !name.contains("2026-03-02")));
    assert_eq!(other.lines(), once(126..=126));
    // What only passed and replaced manifests named goes from the store, an hour later.
    let segments = stored("segments/job").len();
    let now_us = other.clock.now_us();
    for minute in 1..=63 {
        other.clock.set(now_us + minute * MINUTE_US);
        lake.step(true, &other.clock).unwrap();
    }
    let left = lake.files().iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(stored("lake").len(), left.len(), "{:?}", stored("lake"));
    assert!(stored("segments/job").len() <= segments);
    assert_eq!(other.lines(), once(126..=126));
}

#[test]
fn on_a_store_old_copies_make_way_for_what_the_disk_lacks_and_come_again_when_they_are_read() {
    let remote = Remote::in_memory().unwrap();
    let mut world = World::on(on(&remote), &[]);
    let mut lake = world.open();
    world.minutes(&mut lake, time("02:00:00"), 125);
    lake.release(&world.clock).unwrap();
    let mut lake = world.open();
    while lake.step(true, &world.clock).unwrap() {}
    let here = |lake: &Lake| -> usize {
        lake.files().iter().filter(|file| world.dir.root().join(&file.path).exists()).count()
    };
    assert!(here(&lake) > 0);
    assert_eq!(here(&lake), lake.files().len(), "there is room");
    // No disk has so much room.
    lake.rules.min_free_bytes = u64::MAX / 4;
    lake.step(true, &world.clock).unwrap();
    assert_eq!(here(&lake), lake.files().len(), "young copies may be in use");
    for file in lake.files() {
        let copy = fs::File::options().write(true).open(world.dir.root().join(&file.path)).unwrap();
        let written = copy.metadata().unwrap().modified().unwrap();
        copy.set_modified(written - std::time::Duration::from_hours(2)).unwrap();
    }
    lake.step(true, &world.clock).unwrap();
    assert_eq!(here(&lake), 0);
    assert_eq!(world.lines(), once(1..=125));
    assert!(here(&lake) > 0, "who reads fetches them");
}

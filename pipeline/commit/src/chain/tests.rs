//! What a chain promises, on a shared directory and on a store.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use model::manifest::{FileRef, OLDEST_FORMAT};

use super::*;
use crate::datadir::Access;
use crate::places::{Place, both};
use crate::segment::{open_file, read_segment, stage_file, write_bytes};

fn forget(place: &Place, chain: &Chain, epoch: u64) {
    place.delete(&chain.data, &chain.key(epoch));
}

#[test]
fn the_second_creator_of_a_number_fails_and_learns_the_owner() {
    both("chain", |place| {
        let mut first = Chain::open(&place.dir(), "job", "a").unwrap();
        let mut second = Chain::open(&place.dir(), "job", "b").unwrap();
        first.create(Manifest::default()).unwrap();
        let error = second.create(Manifest::default()).unwrap_err();
        assert!(matches!(error, CommitError::Taken { owner, .. } if owner == "a"));
        first.check_owned().unwrap();
        assert!(
            matches!(second.check_owned(), Err(CommitError::Taken { owner, .. }) if owner == "a")
        );
        second.refresh().unwrap();
        assert_eq!(second.claim(), Claim::Owned { owner: "a".to_owned() });
    });
}

#[test]
fn of_many_creators_at_once_exactly_one_succeeds() {
    both("race", |place| {
        for round in 1..=5 {
            let mut chains: Vec<Chain> = (0..8)
                .map(|n| Chain::open(&place.dir(), "job", &format!("{round}-{n}")).unwrap())
                .collect();
            let won: usize = std::thread::scope(|scope| {
                let racing: Vec<_> = chains
                    .iter_mut()
                    .map(|chain| scope.spawn(|| chain.create(Manifest::default()).is_ok()))
                    .collect();
                racing.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
            });
            assert_eq!(won, 1);
            assert_eq!(Chain::open(&place.dir(), "job", "x").unwrap().epoch(), round);
        }
    });
}

#[test]
fn a_create_whose_answer_was_lost_is_recognised() {
    both("attempt", |place| {
        let mut chain = Chain::open(&place.dir(), "job", "a").unwrap();
        let manifest = Manifest { attempt: "try-1".to_owned(), ..Manifest::default() };
        chain.create(manifest.clone()).unwrap();
        let mut again = Chain::open(&place.dir(), "job", "a").unwrap();
        again.head = None;
        again.create(manifest).unwrap();
        assert_eq!(again.epoch(), 1);
    });
}

#[test]
fn the_head_is_found_with_a_wrong_hint_and_after_collection() {
    both("hint", |place| {
        let mut chain = Chain::open(&place.dir(), "job", "a").unwrap();
        for _ in 0..5 {
            chain.create(Manifest::default()).unwrap();
        }
        let other = place.dir();
        let hints = other.place("chains/job").unwrap().join("HINT");
        for hint in ["2", "99", "x", "", "5"] {
            fs::write(&hints, hint).unwrap();
            assert_eq!(Chain::open(&other, "job", "b").unwrap().epoch(), 5, "{hint}");
        }
        forget(place, &chain, 1);
        fs::remove_file(&hints).unwrap();
        assert_eq!(Chain::open(&other, "job", "b").unwrap().epoch(), 5);
    });
}

#[test]
fn an_owner_that_slept_through_a_collection_cannot_fill_the_hole() {
    both("asleep", |place| {
        let mut asleep = Chain::open(&place.dir(), "job", "a").unwrap();
        asleep.create(Manifest::default()).unwrap();
        let mut other = Chain::open(&place.dir(), "job", "b").unwrap();
        for _ in 0..3 {
            other.create(Manifest::default()).unwrap();
        }
        for collected in [1, 2] {
            forget(place, &other, collected);
        }
        let error = asleep.create(Manifest::default()).unwrap_err();
        assert!(matches!(error, CommitError::Taken { owner, .. } if owner == "b"));
        assert!(!place.has(&other.data, &other.key(2)), "the hole stays");
        let mut empty = Chain::open(&place.dir(), "job", "c").unwrap();
        empty.head = None;
        let error = empty.create(Manifest::default()).unwrap_err();
        assert!(matches!(error, CommitError::Taken { owner, .. } if owner == "b"));
        assert!(!place.has(&other.data, &other.key(1)), "nor does one who saw it empty");
        assert!(asleep.refresh().unwrap());
        assert_eq!(asleep.epoch(), 4);
    });
}

#[test]
fn a_damaged_manifest_and_a_newer_format_are_refused() {
    both("damage", |place| {
        let dir = place.dir();
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        chain.create(Manifest::default()).unwrap();
        fs::write(chain.path(1), b"{").unwrap();
        if place.is_stored() {
            // Only a torn copy: the store has it whole.
            assert_eq!(Chain::open(&dir, "job", "a").unwrap().epoch(), 1);
            place.delete(&dir, &chain.key(1));
            place.remote().create(&chain.key(1), b"{").unwrap();
            fs::remove_file(chain.path(1)).unwrap();
        }
        let error = Chain::open(&dir, "job", "a").unwrap_err();
        assert!(matches!(error, CommitError::Damaged { .. }));
        let reopened = |version: u32| {
            let text = format!("{{\"format_version\":{version}}}");
            if place.is_stored() {
                let remote = place.remote();
                remote.delete("FORMAT").unwrap();
                remote.create("FORMAT", text.as_bytes()).unwrap();
                return DataDir::open_on(&dir.root().join("new"), remote, Access::Write);
            }
            fs::write(dir.root().join("FORMAT"), text).unwrap();
            DataDir::open(dir.root())
        };
        let known = FORMAT_VERSION;
        let newer = reopened(known + 1).unwrap_err();
        assert!(matches!(newer, CommitError::NewerFormat { found, .. } if found == known + 1));
        let oldest = OLDEST_FORMAT - 1;
        let older = reopened(oldest).unwrap_err();
        assert!(matches!(older, CommitError::OlderFormat { found, .. } if found == oldest));
        let kept = reopened(OLDEST_FORMAT).unwrap();
        let text = |root: &Path| fs::read_to_string(root.join("FORMAT")).unwrap();
        assert!(text(kept.root()).contains("2"), "who only reads changes nothing");
        for _ in 0..2 {
            kept.migrate().unwrap();
            assert!(text(kept.root()).contains(&format!("\"format_version\":{known}")));
        }
        if place.is_stored() {
            let stored = place.remote().get("FORMAT").unwrap().unwrap();
            assert_eq!(stored, fs::read(kept.root().join("FORMAT")).unwrap());
        }
        reopened(known).unwrap();
    });
}

#[test]
fn a_changed_byte_of_the_newest_manifest_is_told_unless_it_is_of_format_2() {
    both("seal", |place| {
        let dir = place.dir();
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        chain.create(Manifest { committed_at_us: 1_234_567, ..Manifest::default() }).unwrap();
        let whole = fs::read_to_string(chain.path(1)).unwrap();
        fs::write(chain.path(1), whole.replace("1234567", "1234568")).unwrap();
        if place.is_stored() {
            let again = Chain::open(&dir, "job", "a").unwrap();
            assert_eq!(again.head().unwrap().committed_at_us, 1_234_567, "fetched again");
            return;
        }
        let error = Chain::open(&dir, "job", "a").unwrap_err();
        assert!(matches!(error, CommitError::Damaged { .. }), "{error}");
        let today = format!("\"format_version\":{FORMAT_VERSION}");
        let older = whole.replace(&today, "\"format_version\":2");
        fs::write(chain.path(1), older).unwrap();
        assert_eq!(Chain::open(&dir, "job", "a").unwrap().epoch(), 1);
    });
}

#[test]
fn another_directory_reads_what_it_never_wrote_and_mends_a_torn_copy() {
    both("obtain", |place| {
        let dir = place.dir();
        let file = write_bytes(&dir, "state/job", "one.run", ("track", 3), b"rows").unwrap();
        stage_file(&dir, "state/job").unwrap();
        let other = place.dir();
        let (_, path) = open_file(&other, &file).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"rows");
        if place.is_stored() {
            let third = place.dir();
            fs::write(third.place("state/job").unwrap().join("one.run"), b"torn").unwrap();
            let (_, path) = open_file(&third, &file).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"rows");
            place.delete(&dir, &file.path);
            place.remote().create(&file.path, b"else").unwrap();
            let error = open_file(&place.dir(), &file).unwrap_err();
            assert!(matches!(error, CommitError::Damaged { .. }), "{error}");
        }
        fs::write(&path, b"longer than it was").unwrap();
        if !place.is_stored() {
            assert!(matches!(read_segment(&dir, &file), Err(CommitError::Damaged { .. })));
        }
    });
}

#[test]
fn old_copies_do_not_hide_what_was_collected_since() {
    both("stale", |place| {
        let dir = place.dir();
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        for _ in 0..2 {
            chain.create(Manifest::default()).unwrap();
        }
        let mut other = Chain::open(&place.dir(), "job", "b").unwrap();
        for _ in 0..3 {
            other.create(Manifest::default()).unwrap();
        }
        for collected in 1..=4 {
            forget(place, &other, collected);
        }
        // With a store the first directory still has copies of 1 and 2.
        chain.asked = None;
        assert_eq!(Chain::open(&dir, "job", "c").unwrap().epoch(), 5);
        chain.refresh().unwrap();
        assert_eq!((chain.epoch(), chain.numbers().unwrap()), (5, vec![5]));
    });
}

#[test]
fn a_directory_belongs_to_one_store_or_to_none() {
    both("whose", |place| {
        let dir = place.dir();
        if !place.is_stored() {
            return;
        }
        let again = DataDir::open_on(dir.root(), place.remote(), Access::Read).unwrap();
        assert!(again.remote().is_some());
        let error = DataDir::open(dir.root()).unwrap_err();
        assert!(matches!(error, CommitError::NeedsStore { .. }));
        let own = dir.root().join("own");
        DataDir::open(&own).unwrap();
        let error = DataDir::open_on(&own, place.remote(), Access::Write).unwrap_err();
        assert!(matches!(error, CommitError::OtherStore { .. }));
    });
    both("empty", |place| {
        if place.is_stored() {
            let root = std::env::temp_dir().join(random_hex().unwrap());
            let error = DataDir::open_on(&root, place.remote(), Access::Read).unwrap_err();
            assert!(matches!(error, CommitError::Empty { .. }));
        }
    });
}

#[test]
fn copies_of_a_store_are_dropped_for_space_and_come_back_and_files_of_a_directory_stay() {
    both("copies", |place| {
        let dir = place.dir();
        let write = |name: &str| write_bytes(&dir, "lake/t", name, ("t", 3), b"rows").unwrap();
        let files = [write("one"), write("two"), write("new")];
        stage_file(&dir, "lake/t").unwrap();
        let at = |file: &FileRef| dir.root().join(&file.path);
        let long_ago = SystemTime::UNIX_EPOCH;
        for old in &files[..2] {
            File::options().append(true).open(at(old)).unwrap().set_modified(long_ago).unwrap();
        }
        let dropped = dir.drop_copies(&files, 1).unwrap();
        let here = || files.iter().map(|file| at(file).exists()).collect::<Vec<_>>();
        if !place.is_stored() {
            assert_eq!((dropped, here()), (0, vec![true; 3]), "there is no other copy");
            return;
        }
        assert_eq!((dropped, here()), (4, vec![false, true, true]), "no more than is needed");
        assert_eq!(dir.drop_copies(&files, 1 << 40).unwrap(), 4);
        assert_eq!(here(), [false, false, true], "the new one may be in use");
        dir.obtain_all(&files).unwrap();
        assert_eq!(fs::read(at(&files[0])).unwrap(), b"rows");
    });
}

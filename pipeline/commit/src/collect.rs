//! Garbage collection: what no manifest in force needs any more.
//!
//! ```text
//! …0041  …0042  …0043 │ …0044 ── oldest to keep          segments/…  state/…
//!    └──────┴──────┴──── files that only these name ───► deleted, then the manifest itself
//!                                                        a file that none names: after a day
//! ```
//! Invariants: nothing that a kept manifest or the caller names is touched; manifests go in
//! ascending order, so an owner whose head is gone knows that it slept. With a store it goes there
//! first, then here: what is here only is a copy. When something counts as
//! passed (an hour ago, for queries that still read it) is the caller's to say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fail::fail_point;

use crate::CommitError;
use crate::chain::Chain;
use crate::datadir::{DataDir, random_hex};

/// Where chains lie, and the ending of a file that has not got its name.
const CHAINS: &str = "chains";
const ASIDE: &str = ".tmp";
/// With a store so many manifests' files go in one request; the manifests one by one, in order.
const BATCH: usize = 64;

/// Deletes the manifests of a chain below `oldest`, and the files that they name and `kept` does
/// not. Returns how many files went.
///
/// # Errors
/// Where the chain cannot be read.
pub fn collect_passed(
    dir: &DataDir,
    chain: &Chain,
    oldest: u64,
    kept: &BTreeSet<String>,
) -> Result<usize, CommitError> {
    let mut deleted = 0;
    let passed: Vec<u64> = chain.numbers()?.into_iter().filter(|number| *number < oldest).collect();
    let batch = if dir.remote().is_some() { BATCH } else { 1 };
    for numbers in passed.chunks(batch) {
        // A run of the state is named by every manifest as long as it was in force.
        let mut files = BTreeSet::new();
        for number in numbers {
            let Some(manifest) = chain.read(*number)? else { continue };
            let slices = manifest.state.into_iter().map(|slice| slice.file);
            let named = manifest.segments.into_iter().chain(slices).chain(manifest.files);
            files.extend(named.map(|file| file.path).filter(|path| !path.is_empty()));
        }
        files.retain(|path| !kept.contains(path));
        deleted += remove(dir, &files)?;
        for number in numbers {
            fail_point!("commit::collecting");
            let path = chain.path(*number);
            if let Some(remote) = dir.remote() {
                remote.delete(&chain.key(*number))?;
                drop(fs::remove_file(&path));
            } else if path.exists() {
                fs::remove_file(&path).map_err(CommitError::io("collect", &path))?;
            }
            deleted += 1;
        }
    }
    if dir.remote().is_some() {
        // Copies of what the owner of another directory collected.
        for number in chain.numbers_here()?.into_iter().filter(|number| *number < oldest) {
            drop(fs::remove_file(chain.path(number)));
        }
    }
    Ok(deleted)
}

/// Removes files that nothing names; how many there were.
fn remove(dir: &DataDir, paths: &BTreeSet<String>) -> Result<usize, CommitError> {
    if let Some(remote) = dir.remote() {
        remote.delete_all(&paths.iter().cloned().collect::<Vec<_>>())?;
    }
    let here = |path: &&String| fs::remove_file(dir.root().join(path)).is_ok();
    let n_here = paths.iter().filter(here).count();
    Ok(if dir.remote().is_some() { paths.len() } else { n_here })
}

/// What is old enough to go: the writer of a younger file may be alive.
///
/// A file's date is by the clock of what stores it, which may be set while this process goes on
/// with its own time. So the file has to be old by both.
#[derive(Debug, Clone, Copy)]
pub struct Old {
    /// Time of this process, microseconds.
    pub now_us: i64,
    /// Last written so long before, microseconds.
    pub age_us: i64,
}

impl Old {
    /// Before which date, where `dated_us` is the date that a file gets now.
    fn before_us(self, dated_us: i64) -> i64 {
        self.now_us.min(dated_us).saturating_sub(self.age_us)
    }
}

/// As [`collect_orphans`], in the store.
///
/// # Errors
/// Where the store cannot be listed or refuses.
pub fn collect_stored_orphans(
    dir: &DataDir,
    places: &[&str],
    kept: &BTreeSet<String>,
    old: Old,
) -> Result<usize, CommitError> {
    let Some(remote) = dir.remote() else { return Ok(0) };
    let before_us = old.before_us(remote.now_us()?);
    let mut orphans = Vec::new();
    for place in places {
        let old = remote.list(place, None)?.into_iter();
        let old = old.filter(|object| object.modified_us < before_us);
        orphans.extend(old.map(|object| object.key).filter(|key| !kept.contains(key)));
    }
    remote.delete_all(&orphans)?;
    Ok(orphans.len())
}

/// Deletes files below `places` that `kept` does not name and that are old enough. Returns how many
/// went.
///
/// # Errors
/// Where a directory cannot be listed.
pub fn collect_orphans(
    dir: &DataDir,
    places: &[&str],
    kept: &BTreeSet<String>,
    old: Old,
) -> Result<usize, CommitError> {
    let mut found = Vec::new();
    for place in places {
        sweep(dir, place, &|name| !kept.contains(name), &mut found)?;
    }
    remove_old(dir, found, old)
}

/// Deletes what was written beside a manifest and never took its name: who wrote it was killed
/// between the two. As [`collect_orphans`], by age.
///
/// # Errors
/// Where a directory cannot be listed.
pub fn collect_asides(dir: &DataDir, old: Old) -> Result<usize, CommitError> {
    let mut found = Vec::new();
    sweep(dir, CHAINS, &|name| name.ends_with(ASIDE), &mut found)?;
    remove_old(dir, found, old)
}

/// Finds the files below a place that may go, and when each was last written.
fn sweep(
    dir: &DataDir,
    place: &str,
    goes: &dyn Fn(&str) -> bool,
    found: &mut Vec<(PathBuf, i64)>,
) -> Result<(), CommitError> {
    let path = dir.place(place)?;
    for entry in fs::read_dir(&path).map_err(CommitError::io("list", &path))? {
        let entry = entry.map_err(CommitError::io("list", &path))?;
        let name = format!("{place}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            sweep(dir, &name, goes, found)?;
        } else if goes(&name) {
            found.extend(modified_us(&entry.path()).map(|at| (entry.path(), at)));
        }
    }
    Ok(())
}

fn remove_old(
    dir: &DataDir,
    mut found: Vec<(PathBuf, i64)>,
    old: Old,
) -> Result<usize, CommitError> {
    found.retain(|(_, at)| *at < old.before_us(i64::MAX));
    if found.is_empty() {
        return Ok(0);
    }
    // On a full disk nothing can be dated, and orphans wait.
    let Some(dated_us) = date_of_now(dir)? else { return Ok(0) };
    let gone = |(path, at): &&(PathBuf, i64)| {
        *at < old.before_us(dated_us) && fs::remove_file(path).is_ok()
    };
    Ok(found.iter().filter(gone).count())
}

/// The date that a file gets now.
fn date_of_now(dir: &DataDir) -> Result<Option<i64>, CommitError> {
    let path = dir.place(CHAINS)?.join(format!("now-{}{ASIDE}", random_hex()?));
    let dated = fs::write(&path, []).ok().and_then(|()| modified_us(&path));
    drop(fs::remove_file(&path));
    Ok(dated)
}

fn modified_us(path: &Path) -> Option<i64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use model::manifest::{FileRef, Manifest};

    use super::*;
    use crate::places::both;
    use crate::segment::{stage_file, write_bytes};

    fn file(name: &str) -> FileRef {
        FileRef {
            table: "events".to_owned(),
            path: format!("segments/job/{name}"),
            rows: 1,
            bytes: 1,
            sha256: String::new(),
        }
    }

    fn write(dir: &DataDir, name: &str) {
        write_bytes(dir, "segments/job", name, ("events", 1), b"x").unwrap();
        stage_file(dir, "segments/job").unwrap();
    }

    #[test]
    fn what_never_took_a_manifests_name_goes_by_age_and_nothing_else_of_a_chain() {
        both("asides", |place| {
            let dir = place.dir();
            let mut chain = Chain::open(&dir, "job", "a").unwrap();
            chain.create(Manifest::default()).unwrap();
            let asides = ["1.one.tmp", "2.two.tmp"].map(|name| chain.path(1).with_file_name(name));
            asides.iter().for_each(|aside| fs::write(aside, b"{").unwrap());
            let written_us = asides.each_ref().map(|aside| modified_us(aside).unwrap());
            let hour_us = 3_600_000_000;
            let young = Old { now_us: written_us[0].max(written_us[1]), age_us: hour_us };
            assert_eq!(collect_asides(&dir, young).unwrap(), 0);
            let old = Old { now_us: i64::MAX, age_us: -hour_us };
            assert_eq!(collect_asides(&dir, old).unwrap(), 2);
            assert!(asides.iter().all(|aside| !aside.exists()));
            assert!(chain.read(1).unwrap().is_some());
        });
    }

    #[test]
    fn passed_manifests_go_with_the_files_that_only_they_name() {
        both("gc", |place| {
            let dir = place.dir();
            let mut chain = Chain::open(&dir, "job", "a").unwrap();
            for name in ["one", "two", "three"] {
                write(&dir, name);
                let segments = vec![file(name)];
                chain.create(Manifest { segments, ..Manifest::default() }).unwrap();
            }
            write(&dir, "orphan");
            let kept = BTreeSet::from([file("two").path, file("three").path]);
            assert_eq!(collect_passed(&dir, &chain, 3, &kept).unwrap(), 3);
            let there = |name: &str| place.has(&dir, &file(name).path);
            assert!(!there("one") && there("two") && there("three") && there("orphan"));
            assert_eq!(chain.numbers().unwrap(), [3]);
            assert_eq!(Chain::open(&place.dir(), "job", "b").unwrap().epoch(), 3);
            let written_us = modified_us(&dir.root().join(file("orphan").path)).unwrap();
            let places = ["segments/job"];
            let collect = |old: Old| {
                let here = collect_orphans(&dir, &places, &kept, old).unwrap();
                (here, collect_stored_orphans(&dir, &places, &kept, old).unwrap())
            };
            let hour_us = 3_600_000_000;
            let day_us = 24 * hour_us;
            assert_eq!(collect(Old { now_us: written_us, age_us: hour_us }), (0, 0));
            let ahead = Old { now_us: written_us + 2 * day_us, age_us: day_us };
            assert_eq!(collect(ahead), (0, 0), "old by the process's clock, young by the file's");
            let behind = Old { now_us: written_us - day_us, age_us: -hour_us };
            assert_eq!(collect(behind), (0, 0), "young by the process's clock");
            let old = Old { now_us: i64::MAX, age_us: -hour_us };
            assert_eq!(collect(old), (1, usize::from(place.is_stored())));
            assert!(!there("orphan") && there("two"));
        });
    }
}

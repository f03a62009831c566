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
use std::path::Path;

use fail::fail_point;

use crate::CommitError;
use crate::chain::Chain;
use crate::datadir::DataDir;

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

/// As [`collect_orphans`], in the store: objects that it dates before `before_us`.
///
/// # Errors
/// Where the store cannot be listed or refuses.
pub fn collect_stored_orphans(
    dir: &DataDir,
    places: &[&str],
    kept: &BTreeSet<String>,
    before_us: i64,
) -> Result<usize, CommitError> {
    let Some(remote) = dir.remote() else { return Ok(0) };
    let mut orphans = Vec::new();
    for place in places {
        let old = remote.list(place, None)?.into_iter();
        let old = old.filter(|object| object.modified_us < before_us);
        orphans.extend(old.map(|object| object.key).filter(|key| !kept.contains(key)));
    }
    remote.delete_all(&orphans)?;
    Ok(orphans.len())
}

/// Deletes files below `places` that `kept` does not name and that were last written before
/// `before_us` of the processing clock: the writer of a younger one may be alive. Returns how many
/// went.
///
/// # Errors
/// Where a directory cannot be listed.
pub fn collect_orphans(
    dir: &DataDir,
    places: &[&str],
    kept: &BTreeSet<String>,
    before_us: i64,
) -> Result<usize, CommitError> {
    places.iter().map(|place| sweep(dir, place, &|name| !kept.contains(name), before_us)).sum()
}

/// Deletes what was written beside a manifest and never took its name: who wrote it was killed
/// between the two. As [`collect_orphans`], by age.
///
/// # Errors
/// Where a directory cannot be listed.
pub fn collect_asides(dir: &DataDir, before_us: i64) -> Result<usize, CommitError> {
    sweep(dir, CHAINS, &|name| name.ends_with(ASIDE), before_us)
}

/// Deletes the files below a place that are old enough and `goes`.
fn sweep(
    dir: &DataDir,
    place: &str,
    goes: &dyn Fn(&str) -> bool,
    before_us: i64,
) -> Result<usize, CommitError> {
    let mut deleted = 0;
    let path = dir.place(place)?;
    for entry in fs::read_dir(&path).map_err(CommitError::io("list", &path))? {
        let entry = entry.map_err(CommitError::io("list", &path))?;
        let name = format!("{place}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            deleted += sweep(dir, &name, goes, before_us)?;
            continue;
        }
        let old = modified_us(&entry.path()).is_some_and(|at| at < before_us);
        if old && goes(&name) {
            deleted += usize::from(fs::remove_file(entry.path()).is_ok());
        }
    }
    Ok(deleted)
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
            assert_eq!(collect_asides(&dir, written_us[0].min(written_us[1])).unwrap(), 0, "young");
            assert_eq!(collect_asides(&dir, i64::MAX).unwrap(), 2);
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
            let collect = |before_us: i64| {
                let here = collect_orphans(&dir, &places, &kept, before_us).unwrap();
                (here, collect_stored_orphans(&dir, &places, &kept, before_us).unwrap())
            };
            let hour_us = 3_600_000_000;
            assert_eq!(collect(written_us - hour_us), (0, 0));
            assert_eq!(collect(written_us + hour_us), (1, usize::from(place.is_stored())));
            assert!(!there("orphan") && there("two"));
        });
    }
}

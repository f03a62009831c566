//! Garbage collection: what no manifest in force needs any more.
//!
//! ```text
//! …0041  …0042  …0043 │ …0044 ── oldest to keep          segments/…  state/…
//!    └──────┴──────┴──── files that only these name ───► deleted, then the manifest itself
//!                                                        a file that none names: after a day
//! ```
//! Invariants: nothing that a kept manifest or the caller names is touched; manifests go in
//! ascending order, so an owner whose head is gone knows that it slept. When something counts as
//! passed (an hour ago, for queries that still read it) is the caller's to say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fail::fail_point;

use crate::CommitError;
use crate::chain::Chain;
use crate::datadir::DataDir;

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
    for number in chain.numbers()?.into_iter().filter(|number| *number < oldest) {
        let Some(manifest) = chain.read(number)? else { continue };
        let slices = manifest.state.into_iter().map(|slice| slice.file);
        for file in manifest.segments.into_iter().chain(slices).chain(manifest.files) {
            if !file.path.is_empty() && !kept.contains(&file.path) {
                deleted += usize::from(fs::remove_file(dir.root().join(&file.path)).is_ok());
            }
        }
        fail_point!("commit::collecting");
        let path = chain.path(number);
        fs::remove_file(&path).map_err(CommitError::io("collect", &path))?;
        deleted += 1;
    }
    Ok(deleted)
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
    let mut deleted = 0;
    for place in places {
        let path = dir.place(place)?;
        for entry in fs::read_dir(&path).map_err(CommitError::io("list", &path))? {
            let entry = entry.map_err(CommitError::io("list", &path))?;
            let name = format!("{place}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                deleted += collect_orphans(dir, &[&name], kept, before_us)?;
                continue;
            }
            let old = modified_us(&entry.path()).is_some_and(|at| at < before_us);
            if old && !kept.contains(&name) {
                deleted += usize::from(fs::remove_file(entry.path()).is_ok());
            }
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
    use crate::datadir::random_hex;

    fn file(name: &str) -> FileRef {
        FileRef {
            table: "events".to_owned(),
            path: format!("segments/job/{name}"),
            rows: 1,
            bytes: 1,
            sha256: String::new(),
        }
    }

    #[test]
    fn passed_manifests_go_with_the_files_that_only_they_name() {
        let root = std::env::temp_dir().join(format!("sendtally-gc-{}", random_hex().unwrap()));
        let dir = DataDir::open(&root).unwrap();
        let place = dir.place("segments/job").unwrap();
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        for name in ["one", "two", "three"] {
            fs::write(place.join(name), b"x").unwrap();
            let segments = vec![file(name)];
            chain.create(Manifest { segments, ..Manifest::default() }).unwrap();
        }
        fs::write(place.join("orphan"), b"x").unwrap();
        let kept = BTreeSet::from([file("two").path, file("three").path]);
        assert_eq!(collect_passed(&dir, &chain, 3, &kept).unwrap(), 3);
        let there = |name: &str| place.join(name).exists();
        assert!(!there("one") && there("two") && there("three") && there("orphan"));
        assert_eq!(chain.numbers().unwrap(), [3]);
        assert_eq!(Chain::open(&dir, "job", "b").unwrap().epoch(), 3);
        let written_us = modified_us(&place.join("orphan")).unwrap();
        let places = ["segments/job"];
        assert_eq!(collect_orphans(&dir, &places, &kept, written_us).unwrap(), 0);
        assert_eq!(collect_orphans(&dir, &places, &kept, written_us + 1).unwrap(), 1);
        assert!(!there("orphan") && there("two"));
        fs::remove_dir_all(&root).unwrap();
    }
}

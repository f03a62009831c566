//! Every file that a manifest names is there as it was written, and so is what was published.
//!
//! With a store the files are its objects: their sizes are compared with its list, their bytes as
//! far as they are fetched: all but the public ones, which are copies made inside the store.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use commit::{CommitError, DataDir, Remote, digest_file};
use model::manifest::{FileRef, Manifest};

use super::{stdout, written};
use crate::failure::Outcome;
use crate::lake::{is_announced_only, public_path};
use crate::tables::{AGGREGATE, JOB, LAKE, reader};

/// Where the files are looked for.
enum Place<'a> {
    Here(&'a DataDir),
    Stored(&'a DataDir, BTreeMap<String, u64>),
}

impl<'a> Place<'a> {
    fn of(dir: &'a DataDir) -> Outcome<Self> {
        let Some(remote) = dir.remote() else { return Ok(Self::Here(dir)) };
        Ok(Self::Stored(dir, sizes(remote)?))
    }

    fn has(&self, path: &str) -> bool {
        match self {
            Self::Here(dir) => dir.root().join(path).is_file(),
            Self::Stored(_, sizes) => sizes.contains_key(path),
        }
    }

    /// Whether the file that is at `path` is the one of the manifest.
    fn is_as(&self, path: &str, file: &FileRef) -> Outcome<bool> {
        match self {
            Self::Here(dir) => Ok(digest_file(&dir.root().join(path))? == file.sha256),
            Self::Stored(dir, sizes) => {
                if sizes.get(path) != Some(&file.bytes) {
                    return Ok(false);
                }
                match dir.obtain(file) {
                    Ok(_) => Ok(true),
                    Err(CommitError::Damaged { .. }) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

fn sizes(remote: &Remote) -> Outcome<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    for place in ["segments", "state", "lake", "public"] {
        sizes
            .extend(remote.list(place, None)?.into_iter().map(|object| (object.key, object.bytes)));
    }
    Ok(sizes)
}

/// Tells which are missing or changed; whether none is.
pub(super) fn check(dir: &DataDir) -> Outcome<bool> {
    let mut wrong = Vec::new();
    let manifests = manifests(dir, &mut wrong)?;
    let lake = reader(dir, LAKE)?.head().cloned().unwrap_or_default();
    // Before the place is looked at: what is newer than that is not missing.
    let mut heads = Vec::new();
    for name in [JOB, AGGREGATE] {
        heads.push((name, reader(dir, name)?.head().cloned().unwrap_or_default()));
    }
    let place = Place::of(dir)?;
    // A run of the state is named by every manifest as long as it is in force.
    let mut seen = BTreeSet::new();
    for manifest in &manifests {
        let slices = manifest.state.iter().map(|slice| &slice.file);
        // Passed segments and slices are collected: those that are still there are looked at.
        for file in manifest.segments.iter().chain(slices) {
            let new = seen.insert(file.path.clone());
            if new && place.has(&file.path) && !place.is_as(&file.path, file)? {
                wrong.push(file.path.clone());
            }
        }
    }
    for file in &lake.files {
        let public = public_path(file).filter(|path| {
            // A running process may be about to link it.
            !is_announced_only(file, &lake) || place.has(path)
        });
        for path in [Some(file.path.clone()), public].into_iter().flatten() {
            if !place.has(&path) || !place.is_as(&path, file)? {
                wrong.push(path);
            }
        }
    }
    for (name, head) in &heads {
        wrong.extend(missing_state(dir, name, head, &place)?);
    }
    wrong.sort();
    wrong.dedup();
    tell(&wrong)
}

/// Slices of the state that a newest manifest names and that are gone. Where it is not the newest
/// any more, they were replaced.
fn missing_state(
    dir: &DataDir,
    name: &str,
    head: &Manifest,
    place: &Place,
) -> Outcome<Vec<String>> {
    // A slice that has nothing has no file.
    let paths = head.state.iter().map(|slice| &slice.file.path).filter(|path| !path.is_empty());
    let missing: Vec<String> = paths.filter(|path| !place.has(path)).cloned().collect();
    let stands = missing.is_empty() || reader(dir, name)?.epoch() == head.epoch;
    Ok(if stands { missing } else { Vec::new() })
}

/// All that can be read; those that cannot are `wrong`.
fn manifests(dir: &DataDir, wrong: &mut Vec<String>) -> Outcome<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for name in [JOB, AGGREGATE] {
        let chain = reader(dir, name)?;
        let numbers = chain.numbers()?;
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            // Only sooner than one by one; what is collected meanwhile is passed over below.
            drop(chain.fetch(*first, *last));
        }
        for epoch in numbers {
            match chain.read(epoch) {
                Ok(manifest) => manifests.push(manifest.unwrap_or_default()),
                Err(CommitError::Damaged { path, .. }) => wrong.push(path.display().to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(manifests)
}

fn tell(wrong: &[String]) -> Outcome<bool> {
    let mut out = stdout();
    if wrong.is_empty() {
        written(writeln!(out, "good   files as their manifests say"))?;
        return Ok(true);
    }
    written(writeln!(out, "WRONG  {} files are missing or changed:", wrong.len()))?;
    for path in wrong {
        written(writeln!(out, "  {path}"))?;
    }
    Ok(false)
}

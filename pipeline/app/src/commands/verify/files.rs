//! Every manifest follows the one before it, every file that one names is there as it was written,
//! and so is what was published, and nothing else.
//!
//! With a store the files are its objects: their sizes are compared with its list, their bytes as
//! far as they are fetched: all but the public ones, which are copies made inside the store.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use commit::{Chain, CommitError, DataDir, Remote, digest_file};
use model::manifest::{FileRef, Manifest};

use super::{stdout, written};
use crate::failure::Outcome;
use crate::heads;
use crate::lake::{is_announced_only, public_path};
use crate::tables::{AGGREGATE, JOB, LAKE, reader};

/// How often a public file that nothing names is looked for again, and how long is between.
const UNNAMED_TRIES: u32 = 4;
const UNNAMED_REST: Duration = Duration::from_millis(250);

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

/// What the files say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// All are there as they were written.
    Good,
    /// Some are not, and were told; the rows can be read.
    Wrong,
    /// A newest manifest is not: which rows there are is not known.
    Headless,
}

/// Tells which are missing or changed, or are public and named by no manifest.
pub(super) fn check(dir: &DataDir) -> Outcome<Files> {
    let mut wrong = Vec::new();
    let manifests = manifests(dir, &mut wrong)?;
    // What is gone at the end of a chain is missed by those who read it.
    match heads::check(dir) {
        Ok(()) => {}
        Err(CommitError::Damaged { path, .. }) => wrong.push(shown(dir, &path)),
        Err(error) => return Err(error.into()),
    }
    let Some([lake, job, aggregate]) = heads_of(dir)? else {
        tell(wrong)?;
        return Ok(Files::Headless);
    };
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
    for (name, head) in [(JOB, &job), (AGGREGATE, &aggregate)] {
        wrong.extend(missing_state(dir, name, head, &place)?);
    }
    wrong.extend(unnamed(dir)?);
    Ok(if tell(wrong)? { Files::Good } else { Files::Wrong })
}

/// Newest manifests of lake, job and aggregate; `None` where one is damaged.
fn heads_of(dir: &DataDir) -> Outcome<Option<[Manifest; 3]>> {
    let head = |name: &str| match reader(dir, name) {
        Ok(chain) => Ok(Some(chain.head().cloned().unwrap_or_default())),
        Err(CommitError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    // The lake before the place is looked at: what is newer than that is not missing.
    let (lake, job, aggregate) = (head(LAKE)?, head(JOB)?, head(AGGREGATE)?);
    Ok(lake.zip(job).zip(aggregate).map(|((lake, job), aggregate)| [lake, job, aggregate]))
}

/// Public files that the lake's manifest does not name. A running process links after its manifest
/// and withdraws after it: what stays so for a while is meant.
fn unnamed(dir: &DataDir) -> Outcome<BTreeSet<String>> {
    let mut tries = 0;
    loop {
        let mut public = heads::public_names(dir)?;
        let lake = reader(dir, LAKE)?.head().cloned().unwrap_or_default();
        for path in lake.files.iter().filter_map(public_path) {
            public.remove(&path);
        }
        tries += 1;
        if public.is_empty() || tries == UNNAMED_TRIES {
            return Ok(public);
        }
        std::thread::sleep(UNNAMED_REST);
    }
}

/// Slices of the state that a newest manifest names and that are gone. A running process may have
/// replaced them meanwhile: then the one that is the newest now does not name them.
fn missing_state(
    dir: &DataDir,
    name: &str,
    head: &Manifest,
    place: &Place,
) -> Outcome<Vec<String>> {
    let missing: Vec<String> = slices(head).filter(|path| !place.has(path)).cloned().collect();
    if missing.is_empty() {
        return Ok(missing);
    }
    let newest = reader(dir, name)?.head().cloned().unwrap_or_default();
    Ok(still_named(missing, &newest))
}

/// Those that a later manifest names too: in between they were never to be collected.
fn still_named(mut missing: Vec<String>, newest: &Manifest) -> Vec<String> {
    let named: BTreeSet<&String> = slices(newest).collect();
    missing.retain(|path| named.contains(path));
    missing
}

/// Paths of a manifest's slices. A slice that has nothing has no file.
fn slices(manifest: &Manifest) -> impl Iterator<Item = &String> {
    manifest.state.iter().map(|slice| &slice.file.path).filter(|path| !path.is_empty())
}

/// All that can be read; those that cannot, are gone or do not follow the one before are `wrong`.
fn manifests(dir: &DataDir, wrong: &mut Vec<String>) -> Outcome<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for name in heads::present(dir) {
        let (read, damaged) = Chain::audit(dir, name)?;
        wrong.extend(damaged.iter().map(|path| shown(dir, path)));
        // The lake's own files are looked at by its head, and are not the loader's.
        if name == JOB || name == AGGREGATE {
            manifests.extend(read);
        }
    }
    Ok(manifests)
}

/// A path below the data directory, as the other files are told.
fn shown(dir: &DataDir, path: &Path) -> String {
    path.strip_prefix(dir.root()).unwrap_or(path).display().to_string()
}

fn tell(mut wrong: Vec<String>) -> Outcome<bool> {
    wrong.sort();
    wrong.dedup();
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

#[cfg(test)]
mod tests {
    use model::manifest::StateSlice;

    use super::*;

    fn naming(epoch: u64, paths: &[&str]) -> Manifest {
        let file = |path: &str| FileRef {
            table: "state".to_owned(),
            path: path.to_owned(),
            rows: 1,
            bytes: 1,
            sha256: String::new(),
        };
        let slice = |path: &&str| StateSlice { slice: (*path).to_owned(), epoch, file: file(path) };
        Manifest { epoch, state: paths.iter().map(slice).collect(), ..Manifest::default() }
    }

    #[test]
    fn a_slice_that_is_gone_is_told_although_the_head_moved_unless_it_was_replaced() {
        let missing =
            || slices(&naming(7, &["state/a", "", "state/b"])).cloned().collect::<Vec<_>>();
        let newest = naming(8, &["state/a", "state/c", ""]);
        assert_eq!(still_named(missing(), &newest), ["state/a"]);
        assert_eq!(still_named(missing(), &naming(7, &["state/a", "state/b"])).len(), 2);
    }
}

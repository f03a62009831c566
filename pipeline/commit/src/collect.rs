//! Garbage collection: what no manifest needs any more, after a grace period.
//!
//! Touches nothing that a kept manifest names. Passed segments and replaced files stay for an hour
//! after they were passed (queries may read them), orphans for a day (their writer may be alive).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::CommitError;
use crate::datadir::DataDir;

/// What a collection must keep.
#[derive(Debug, Default)]
pub struct Kept {
    /// Paths below the data directory that manifests in force name.
    pub files: BTreeSet<String>,
    /// By chain: the oldest manifest to keep.
    pub manifests: Vec<(String, u64)>,
}

/// Deletes files below `places` that are not kept and older than `age_us`, and manifests below the
/// oldest to keep. `now_us` is the processing clock. Returns how many files went.
///
/// # Errors
/// Where a directory cannot be listed.
pub fn collect(
    dir: &DataDir,
    places: &[&str],
    kept: &Kept,
    age_us: i64,
    now_us: i64,
) -> Result<usize, CommitError> {
    let mut deleted = 0;
    for place in places {
        let path = dir.place(place)?;
        for entry in fs::read_dir(&path).map_err(CommitError::io("list", &path))? {
            let entry = entry.map_err(CommitError::io("list", &path))?;
            let name = format!("{place}/{}", entry.file_name().to_string_lossy());
            let old = modified_us(&entry.path()).is_some_and(|at| at + age_us < now_us);
            if old && entry.path().is_file() && !kept.files.contains(&name) {
                deleted += usize::from(fs::remove_file(entry.path()).is_ok());
            }
        }
    }
    for (chain, oldest) in &kept.manifests {
        deleted += collect_manifests(dir, chain, *oldest, now_us - age_us)?;
    }
    Ok(deleted)
}

fn collect_manifests(
    dir: &DataDir,
    chain: &str,
    oldest: u64,
    before_us: i64,
) -> Result<usize, CommitError> {
    let path = dir.place(&format!("chains/{chain}"))?;
    let mut deleted = 0;
    for entry in fs::read_dir(&path).map_err(CommitError::io("list", &path))? {
        let entry = entry.map_err(CommitError::io("list", &path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(".json").and_then(|stem| stem.parse::<u64>().ok());
        let old = modified_us(&entry.path()).is_some_and(|at| at < before_us);
        if old && number.is_some_and(|number| number < oldest) {
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

//! Creating a file so that it is there whole or not at all, and survives a power cut.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use fail::fail_point;
use model::mutant::Mutant;

use crate::CommitError;

/// No space, or no more of the quota.
#[must_use]
pub fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        || error.raw_os_error() == Some(28)
}

/// Bytes that the file system of a directory still has for this user.
///
/// # Errors
/// Where the file system does not tell.
pub fn free_bytes(dir: &Path) -> Result<u64, CommitError> {
    let found = rustix::fs::statvfs(dir)
        .map_err(|error| CommitError::io("ask for the free space of", dir)(error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Creates `path` with these bytes, only if it is absent: written aside, fsynced, hard linked to
/// its name, the directory fsynced. Returns false where it exists.
///
/// # Errors
/// Where the file system refuses; nothing of `path` is there then. [`CommitError::NotDurable`]
/// where it is there, and its directory could not be fsynced for a minute.
pub fn publish_absent(path: &Path, bytes: &[u8], attempt: &str) -> Result<bool, CommitError> {
    let aside = path.with_extension(format!("{attempt}.tmp"));
    let written = write_synced(&aside, bytes);
    fail_point!("commit::aside");
    if Mutant::Overwrite.lives() {
        return written.and(fs::rename(&aside, path).map_or(Ok(false), |()| Ok(true)));
    }
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(CommitError::io("link a manifest to", path)(error)),
    });
    // The file aside is of no use whatever happened; a leftover is an orphan for the collector.
    drop(fs::remove_file(&aside));
    let created = linked?;
    if created {
        fail_point!("commit::linked");
        until_durable(path, SYNC_REST, sync_parent)?;
    }
    Ok(created)
}

/// Between two tries to make a name durable, and how many there are: a minute.
const SYNC_REST: Duration = Duration::from_millis(500);
const SYNC_TRIES: u32 = 120;

/// The name stands, and others may act on it: what it names must not be written again, so a full
/// disk is waited out here, with nothing but the fsync repeated.
fn until_durable(
    path: &Path,
    rest: Duration,
    mut sync: impl FnMut(&Path) -> Result<(), CommitError>,
) -> Result<(), CommitError> {
    for _ in 0..SYNC_TRIES {
        match sync(path) {
            Err(error) if error.is_full() => std::thread::sleep(rest),
            other => return other,
        }
    }
    Err(CommitError::NotDurable { path: path.to_path_buf() })
}

/// Writes a new file and fsyncs it.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), CommitError> {
    write_file(path, bytes, true)
}

/// Writes a new file; fsyncs it unless a store has it before anybody relies on it.
pub(crate) fn write_file(path: &Path, bytes: &[u8], synced: bool) -> Result<(), CommitError> {
    let mut file = File::create(path).map_err(CommitError::io("create", path))?;
    file.write_all(bytes).map_err(CommitError::io("write", path))?;
    if !synced {
        return Ok(());
    }
    file.sync_all().map_err(CommitError::io("fsync", path))
}

/// Fsyncs the directory that holds `path`: makes its name durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), CommitError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let directory = File::open(parent).map_err(CommitError::io("open", parent))?;
    directory.sync_all().map_err(CommitError::io("fsync", parent))
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    fn full() -> Result<(), CommitError> {
        let source = Error::from(ErrorKind::StorageFull);
        Err(CommitError::Io { what: "fsync", path: "chains/job".into(), source })
    }

    #[test]
    fn a_name_that_stands_on_a_full_disk_is_only_fsynced_again() {
        let path = Path::new("chains/job/1.json");
        let mut calls = 0;
        let twice = |_: &Path| {
            calls += 1;
            if calls < 3 { full() } else { Ok(()) }
        };
        until_durable(path, Duration::ZERO, twice).unwrap();
        assert_eq!(calls, 3);
        let error = until_durable(path, Duration::ZERO, |_| full()).unwrap_err();
        assert!(!error.is_full(), "whoever tries again would write over what stands");
        assert!(error.to_string().contains("chains/job/1.json"), "{error}");
    }
}

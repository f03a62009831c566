//! The local directory as a cache of the store: what is missing is fetched before it is read.
//!
//! ```text
//! manifest says path, bytes, SHA-256 ─► here as it says? ─ no ─► fetch aside, check, rename
//! ```
//! Invariants: a file under its own name is whole; what this process has not written itself is
//! checked once, because with a store nothing local is fsynced. Without a store nothing is done.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use model::keys::hex;
use model::manifest::FileRef;
use object_store::path::Path as Location;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use crate::CommitError;
use crate::datadir::{DataDir, random_hex};
use crate::publish::write_file;
use crate::remote::{Remote, local_failure};
use crate::segment::digest_file;

/// A copy may be in use so long after it came.
const COPY_STAYS: Duration = Duration::from_secs(600);

impl DataDir {
    /// Path of a file that a manifest names, fetched where it is not here.
    ///
    /// # Errors
    /// Where the store does not have it, or not as the manifest says.
    pub fn obtain(&self, file: &FileRef) -> Result<PathBuf, CommitError> {
        self.obtain_all(std::slice::from_ref(file))?;
        Ok(self.root().join(&file.path))
    }

    /// Fetches what is not here of some files, several at once.
    ///
    /// # Errors
    /// Where the store does not have one, or not as its manifest says.
    pub fn obtain_all(&self, files: &[FileRef]) -> Result<(), CommitError> {
        let Some(remote) = self.remote() else { return Ok(()) };
        let mut missing = Vec::new();
        for file in files.iter().filter(|file| !file.path.is_empty()) {
            if !self.is_here(remote, file)? {
                missing.push(file.clone());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut aside = Vec::new();
        for file in &missing {
            let (place, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let name = format!("{name}.{}.tmp", random_hex()?);
            aside.push(self.place(place)?.join(name));
        }
        let keys: Vec<String> = missing.iter().map(|file| file.path.clone()).collect();
        let fetched = remote.many(&keys, |store, at, n| download(store, at, aside[n].clone()));
        let kept = fetched.and_then(|fetched| {
            let mut all = missing.iter().zip(fetched).zip(&aside);
            all.try_for_each(|((file, found), aside)| self.keep(remote, file, found, aside))
        });
        if kept.is_err() {
            aside.iter().for_each(|path| drop(fs::remove_file(path)));
        }
        kept
    }

    /// Gives a fetched file its name, if it is what the manifest says.
    fn keep(
        &self,
        remote: &Remote,
        file: &FileRef,
        (bytes, sha256): (u64, String),
        aside: &Path,
    ) -> Result<(), CommitError> {
        if bytes != file.bytes || sha256 != file.sha256 {
            let path = PathBuf::from(format!("{}/{}", remote.shown(), file.path));
            let what = format!(
                "it has {bytes} bytes with SHA-256 {sha256}, the manifest says {} and {}",
                file.bytes, file.sha256
            );
            return Err(CommitError::Damaged { path, what });
        }
        let path = self.root().join(&file.path);
        fs::rename(aside, &path).map_err(CommitError::io("rename to", &path))?;
        remote.learn(&file.path);
        Ok(())
    }

    /// Drops copies of stored files that were neither fetched nor written lately, until about so
    /// many bytes are free again; they are fetched when somebody needs them. Returns the bytes.
    ///
    /// # Errors
    /// Where a copy cannot be removed.
    pub fn drop_copies(&self, files: &[FileRef], wanted: u64) -> Result<u64, CommitError> {
        let Some(remote) = self.remote() else { return Ok(0) };
        let mut dropped = 0;
        for file in files {
            if dropped >= wanted {
                break;
            }
            let path = self.root().join(&file.path);
            let Ok(known) = fs::metadata(&path) else { continue };
            let age = known.modified().ok().and_then(|at| at.elapsed().ok());
            if age.is_none_or(|age| age < COPY_STAYS) {
                continue;
            }
            fs::remove_file(&path).map_err(CommitError::io("remove", &path))?;
            remote.forget(&file.path);
            dropped += known.len();
        }
        Ok(dropped)
    }

    fn is_here(&self, remote: &Remote, file: &FileRef) -> Result<bool, CommitError> {
        let path = self.root().join(&file.path);
        let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file).map(|is| is.len());
        if size != Some(file.bytes) {
            return Ok(false);
        }
        let good = remote.knows(&file.path) || digest_file(&path)? == file.sha256;
        if good {
            remote.learn(&file.path);
        }
        Ok(good)
    }

    /// Begins to store a file that was written below the directory; [`crate::stage_file`] of its
    /// place waits for it.
    pub fn begin_upload(&self, path: &str) {
        if let Some(remote) = self.remote() {
            let place = path.rsplit_once('/').map_or("", |(place, _)| place);
            remote.begin_file(place, path, &self.root().join(path));
        }
    }

    /// Makes a stored file public under another name. One that is there already has to have the
    /// same bytes.
    ///
    /// # Errors
    /// Where the store refuses, or has another file under that name.
    pub fn publish_stored(&self, file: &FileRef, public: &str) -> Result<(), CommitError> {
        let Some(remote) = self.remote() else { return Ok(()) };
        match remote.size(public)? {
            None => remote.copy(&file.path, public),
            Some(bytes) if bytes == file.bytes => Ok(()),
            Some(bytes) => Err(CommitError::Damaged {
                path: PathBuf::from(format!("{}/{public}", remote.shown())),
                what: format!("it has {bytes} bytes, the file to publish {}", file.bytes),
            }),
        }
    }

    /// Deletes what is stored below a place and `is_gone` says; returns how much.
    ///
    /// # Errors
    /// Where the store refuses.
    pub fn delete_stored(
        &self,
        place: &str,
        is_gone: impl Fn(&str) -> bool,
    ) -> Result<usize, CommitError> {
        let Some(remote) = self.remote() else { return Ok(0) };
        let keys = remote.list(place, None)?.into_iter().map(|object| object.key);
        let gone: Vec<String> = keys.filter(|key| is_gone(key)).collect();
        remote.delete_all(&gone)?;
        Ok(gone.len())
    }
}

/// Writes into the cache: whole under its name, or not at all; not fsynced, the store has it.
pub(crate) fn write_cached(path: &Path, bytes: &[u8]) -> Result<(), CommitError> {
    let aside = path.with_extension(format!("{}.tmp", random_hex()?));
    let written = write_file(&aside, bytes, false)
        .and_then(|()| fs::rename(&aside, path).map_err(CommitError::io("rename to", path)));
    if written.is_err() {
        drop(fs::remove_file(&aside));
    }
    written
}

/// One object into a file; its size and SHA-256.
async fn download(
    store: Arc<dyn ObjectStore>,
    at: Location,
    to: PathBuf,
) -> Result<(u64, String), Error> {
    let mut stream = store.get(&at).await?.into_stream();
    let mut file = File::create(&to).map_err(local_failure)?;
    let mut hasher = Sha256::new();
    let mut bytes = 0;
    while let Some(piece) = stream.try_next().await? {
        hasher.update(&piece);
        bytes += piece.len() as u64;
        file.write_all(&piece).map_err(local_failure)?;
    }
    Ok((bytes, hex(&hasher.finalize())))
}

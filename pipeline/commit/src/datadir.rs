//! The data directory: its places, the version of its format, and the store that it is a cache of.
//!
//! ```text
//! DIR/FORMAT          {"format_version":4}          with a store also its id: {…,"store_id":"…"}
//! DIR/chains/<name>/  manifests           DIR/segments/<name>/  Arrow IPC streams
//! DIR/state/<name>/   state slices        DIR/lake/, DIR/public/  Parquet
//! ```
//! With a store the same names are its keys. A directory belongs to no store or to the one whose
//! id it has: what it holds is never mixed with another's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use fail::fail_point;
use model::keys::hex;
use model::manifest::{FORMAT_VERSION, OLDEST_FORMAT};
use serde::{Deserialize, Serialize};

use crate::CommitError;
use crate::publish::{publish_absent, sync_parent, write_synced};
use crate::remote::Remote;

#[derive(Debug, Serialize, Deserialize)]
struct Format {
    format_version: u32,
    /// Random; of the store whose cache the directory is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
}

impl Format {
    fn read(text: &[u8], path: &Path) -> Result<Self, CommitError> {
        serde_json::from_slice(text).map_err(|error| CommitError::Damaged {
            path: path.to_path_buf(),
            what: error.to_string(),
        })
    }

    fn check(&self, path: &Path) -> Result<(), CommitError> {
        let (path, found, known) = (path.to_path_buf(), self.format_version, FORMAT_VERSION);
        if found > known {
            return Err(CommitError::NewerFormat { path, found, known });
        }
        if found < OLDEST_FORMAT {
            return Err(CommitError::OlderFormat { path, found, known });
        }
        Ok(())
    }
}

/// Name of the format file, here and in a store.
const FORMAT: &str = "FORMAT";

/// What a process wants with a directory on a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read what others wrote: nothing is written to the store.
    Read,
    /// Own its chains. The store has to honour create-if-absent, which is tried.
    Write,
}

/// A data directory that this build can work on.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
    remote: Option<Remote>,
}

impl DataDir {
    /// Opens a directory, makes it where it is absent, and checks its format.
    ///
    /// # Errors
    /// Where it cannot be made or read, or is of a newer format.
    pub fn open(root: &Path) -> Result<Self, CommitError> {
        make(root)?;
        let path = root.join(FORMAT);
        if !path.exists() {
            let format = format!("{{\"format_version\":{FORMAT_VERSION}}}\n");
            publish_absent(&path, format.as_bytes(), &random_hex()?)?;
        }
        let text = fs::read(&path).map_err(CommitError::io("read", &path))?;
        let format = Format::read(&text, &path)?;
        format.check(root)?;
        if format.store_id.is_some() {
            return Err(CommitError::NeedsStore { path: root.to_path_buf() });
        }
        Ok(Self { root: root.to_path_buf(), remote: None })
    }

    /// Opens a directory as the cache of a store, and checks both.
    ///
    /// # Errors
    /// Where the store cannot be reached, refuses, or does not honour create-if-absent; where the
    /// directory holds what is not the store's; where there is nothing to read.
    pub fn open_on(root: &Path, remote: Remote, access: Access) -> Result<Self, CommitError> {
        let key = PathBuf::from(format!("{}/{FORMAT}", remote.shown()));
        if access == Access::Write {
            remote.check_creates()?;
            if remote.get(FORMAT)?.is_none() {
                let (format_version, store_id) = (FORMAT_VERSION, Some(random_hex()?));
                let format = serde_json::to_vec(&Format { format_version, store_id });
                let format = format.map_err(|error| CommitError::Damaged {
                    path: key.clone(),
                    what: error.to_string(),
                })?;
                remote.create(FORMAT, &format)?;
            }
        } else {
            // Of a bucket that is not there every object is absent; listing it says so.
            remote.list("chains", None)?;
        }
        let text = remote.get(FORMAT)?;
        let text = text.ok_or_else(|| CommitError::Empty { store: remote.shown().to_owned() })?;
        let stored = Format::read(&text, &key)?;
        stored.check(&key)?;
        make(root)?;
        let path = root.join(FORMAT);
        if !path.exists() {
            publish_absent(&path, &text, &random_hex()?)?;
        }
        let own = fs::read(&path).map_err(CommitError::io("read", &path))?;
        if Format::read(&own, &path)?.store_id != stored.store_id {
            let (path, store) = (root.to_path_buf(), remote.shown().to_owned());
            return Err(CommitError::OtherStore { path, store });
        }
        Ok(Self { root: root.to_path_buf(), remote: Some(remote) })
    }

    /// Makes a directory of an older format one of today's: what is in it is read as it is, what
    /// is written from now on an older build could not read, and has to refuse. For the owner, who
    /// claimed the job's chain.
    ///
    /// # Errors
    /// Where the version cannot be written.
    pub fn migrate(&self) -> Result<(), CommitError> {
        let path = self.root.join(FORMAT);
        let text = fs::read(&path).map_err(CommitError::io("read", &path))?;
        let mut format = Format::read(&text, &path)?;
        let stored = self.remote.as_ref().map(|remote| remote.get(FORMAT)).transpose()?.flatten();
        let old = |text: &[u8]| Ok(Format::read(text, &path)?.format_version < FORMAT_VERSION);
        let here = old(&text)?;
        let there = stored.as_deref().map_or(Ok(false), old)?;
        if !here && !there {
            return Ok(());
        }
        format.format_version = FORMAT_VERSION;
        let mut new = serde_json::to_vec(&format).map_err(|error| CommitError::Damaged {
            path: path.clone(),
            what: error.to_string(),
        })?;
        new.push(b'\n');
        if let Some(remote) = self.remote.as_ref().filter(|_| there) {
            remote.replace(FORMAT, &new)?;
        }
        let aside = path.with_extension("tmp");
        write_synced(&aside, &new)?;
        fs::rename(&aside, &path).map_err(CommitError::io("rename to", &path))?;
        fail_point!("commit::migrated");
        sync_parent(&path)
    }

    /// The store that this directory is a cache of.
    #[must_use]
    pub const fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Paths, below this directory, of the files below a place; none where it is not there.
    ///
    /// # Errors
    /// Where a directory cannot be listed.
    pub fn files_below(&self, place: &str) -> Result<BTreeSet<String>, CommitError> {
        let mut files = BTreeSet::new();
        let mut places = vec![place.to_owned()];
        while let Some(place) = places.pop() {
            let path = self.root.join(&place);
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(CommitError::io("list", &path)(error)),
            };
            for entry in entries {
                let entry = entry.map_err(CommitError::io("list", &path))?;
                let name = format!("{place}/{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    places.push(name);
                } else {
                    files.insert(name);
                }
            }
        }
        Ok(files)
    }

    /// A place below it, made where it is absent: a file in a directory that a power cut forgets
    /// is lost, however well it was written.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn place(&self, below: &str) -> Result<PathBuf, CommitError> {
        let path = self.root.join(below);
        if path.is_dir() {
            return Ok(path);
        }
        fs::create_dir_all(&path).map_err(CommitError::io("make directory", &path))?;
        if self.remote.is_some() {
            return Ok(path);
        }
        for made in path.ancestors().take_while(|made| *made != self.root) {
            sync_parent(made)?;
        }
        Ok(path)
    }
}

fn make(root: &Path) -> Result<(), CommitError> {
    if !root.is_dir() {
        fs::create_dir_all(root).map_err(CommitError::io("make directory", root))?;
        sync_parent(root)?;
    }
    Ok(())
}

/// 16 random bytes of the system, hex: owner and attempt ids.
///
/// # Errors
/// Where the system's source of randomness cannot be read.
pub fn random_hex() -> Result<String, CommitError> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let mut file = File::open(path).map_err(CommitError::io("open", path))?;
    file.read_exact(&mut bytes).map_err(CommitError::io("read", path))?;
    Ok(hex(&bytes))
}

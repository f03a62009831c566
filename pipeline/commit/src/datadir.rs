//! The data directory: its places and the version of its format.
//!
//! ```text
//! DIR/FORMAT          {"format_version":2}
//! DIR/chains/<name>/  manifests           DIR/segments/<name>/  Arrow IPC streams
//! DIR/state/<name>/   state slices        DIR/lake/, DIR/public/  Parquet
//! ```

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use model::keys::hex;
use model::manifest::FORMAT_VERSION;
use serde::{Deserialize, Serialize};

use crate::CommitError;
use crate::publish::{publish_absent, sync_parent};

#[derive(Debug, Serialize, Deserialize)]
struct Format {
    format_version: u32,
}

/// A data directory that this build can work on.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens a directory, makes it where it is absent, and checks its format.
    ///
    /// # Errors
    /// Where it cannot be made or read, or is of a newer format.
    pub fn open(root: &Path) -> Result<Self, CommitError> {
        if !root.is_dir() {
            fs::create_dir_all(root).map_err(CommitError::io("make directory", root))?;
            sync_parent(root)?;
        }
        let path = root.join("FORMAT");
        if !path.exists() {
            let format = format!("{{\"format_version\":{FORMAT_VERSION}}}\n");
            publish_absent(&path, format.as_bytes(), &random_hex()?)?;
        }
        let text = fs::read_to_string(&path).map_err(CommitError::io("read", &path))?;
        let format: Format = serde_json::from_str(&text).map_err(|error| CommitError::Damaged {
            path: path.clone(),
            what: error.to_string(),
        })?;
        if format.format_version > FORMAT_VERSION {
            return Err(CommitError::NewerFormat {
                path: root.to_path_buf(),
                found: format.format_version,
                known: FORMAT_VERSION,
            });
        }
        if format.format_version < FORMAT_VERSION {
            return Err(CommitError::OlderFormat {
                path: root.to_path_buf(),
                found: format.format_version,
                known: FORMAT_VERSION,
            });
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
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
        for made in path.ancestors().take_while(|made| *made != self.root) {
            sync_parent(made)?;
        }
        Ok(path)
    }
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

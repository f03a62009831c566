//! Durability: chains of manifests on local disk, segments, state slices, recovery.
//!
//! ```text
//! segments/…-<attempt>-events.arrow   1 write, fsync, fsync the directory
//! chains/job/00000000000000000042.json 2 write aside, fsync, hard link, fsync the directory
//! everything that others may see       3 only now, and repeated after a crash
//! ```
//! Invariants:
//! - a manifest is created only if absent: of two processes one fails and stops;
//! - a file that no manifest names does not exist for any reader;
//! - nothing here is overwritten, except hints that are never trusted.

mod datadir;

mod publish;

mod segment;

mod chain;

mod collect;

pub use chain::{Chain, Claim, TAKEOVER_US};
pub use collect::{collect_orphans, collect_passed};
pub use datadir::{DataDir, random_hex};
pub use publish::{free_bytes, is_full, publish_absent};
pub use segment::{digest_file, open_file, read_segment, stage_file, write_bytes, write_segment};

use std::path::PathBuf;

use model::fault::Domain;

/// What can go wrong in committing.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Reading or writing failed.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The directory is of a newer format.
    #[error(
        "{path} has format version {found}, this build knows {known}: use a newer sendtally, or \
         another --data directory"
    )]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that this build knows.
        known: u32,
    },
    /// The directory is of a format that no release wrote.
    #[error(
        "{path} has format version {found}, this build knows {known} and cannot migrate it: read \
         the topics or load the files anew into another --data directory"
    )]
    OlderFormat {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version of this build.
        known: u32,
    },
    /// A file is not what a manifest says.
    #[error("{path} is damaged: {what}; restore it from a copy, nothing was changed")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another process wrote the next manifest.
    #[error("chain {chain} was taken over by {owner}: this process stops")]
    Taken {
        /// The chain.
        chain: String,
        /// Who owns it now.
        owner: String,
    },
    /// Another process owns the directory and is alive.
    #[error("{path} is owned by a running process ({owner}): stop it, or use another directory")]
    Busy {
        /// The data directory.
        path: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// Arrow could not encode or decode a batch.
    #[error("cannot {what} {path}")]
    Arrow {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: arrow_schema::ArrowError,
    },
}

impl CommitError {
    /// Who is to blame.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        match self {
            Self::Busy { .. } => Domain::Dependency,
            Self::NewerFormat { .. } | Self::OlderFormat { .. } => Domain::Usage,
            _ => Domain::Protect,
        }
    }

    /// The disk is full: the same step can be tried again when there is space.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_full(source),
            Self::Arrow { source: arrow_schema::ArrowError::IoError(_, error), .. } => {
                is_full(error)
            }
            _ => false,
        }
    }

    pub(crate) fn io(
        what: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { what, path, source }
    }
}

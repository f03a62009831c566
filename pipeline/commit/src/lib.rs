//! Durability: chains of manifests on local disk or in an object store, segments, state slices,
//! recovery.
//!
//! ```text
//! segments/…-<attempt>-events.arrow   1 write, fsync, fsync the directory
//! chains/job/00000000000000000042.json 2 write aside, fsync, hard link, fsync the directory
//! everything that others may see       3 only now, and repeated after a crash
//! ```
//! With a store 1 is an upload and 2 a create-if-absent there; the local directory is then a cache
//! of it, written through, and anything that is missing is fetched (`cache`).
//!
//! Invariants:
//! - a manifest is created only if absent: of two processes one fails and stops;
//! - a file that no manifest names does not exist for any reader;
//! - nothing here is overwritten, except hints that are never trusted.

mod store;

mod remote;

mod datadir;

mod cache;

mod publish;

mod segment;

mod seal;

mod chain;

mod collect;

#[cfg(test)]
mod places;

pub use chain::{Chain, Claim, TAKEOVER_US};
pub use collect::{Old, collect_asides, collect_orphans, collect_passed, collect_stored_orphans};
pub use datadir::{Access, DataDir, random_hex};
pub use publish::{free_bytes, is_full, publish_absent};
pub use remote::{Listed, Remote, Told};
pub use segment::{digest_file, open_file, read_segment, stage_file, write_bytes, write_segment};
pub use store::{Credentials, StoreSettings};

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
        "{path} has format version {found}, this build knows {known} and migrates none so old: \
         read the topics or load the files anew into another --data directory"
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
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A name stands, and may be gone after a power cut.
    #[error(
        "{path} stands, but the disk was full for a minute and its name is not durable: make \
         space and start again, nothing is lost"
    )]
    NotDurable {
        /// The file.
        path: PathBuf,
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
    /// The address of a store is none.
    #[error("`{url}` is no object store: it has to be s3://BUCKET or s3://BUCKET/PREFIX")]
    StoreUrl {
        /// What was given.
        url: String,
    },
    /// A login inside an address, which is shown in logs and errors.
    #[error(
        "{what} has a login in it (NAME:PASSWORD@): take it out; credentials belong into the file \
         of [data] credentials_file, or into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    StoreLogin {
        /// Which address.
        what: &'static str,
    },
    /// An endpoint without encryption that nobody allowed.
    #[error(
        "{endpoint} is not encrypted: use https, or allow it ([data] allow_http = true, \
         AWS_ALLOW_HTTP=true)"
    )]
    PlainHttp {
        /// The endpoint.
        endpoint: String,
    },
    /// The store gave no answer.
    #[error("cannot {what} {store}")]
    Unreachable {
        /// The store.
        store: String,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The store gave no answer for as long as the end of the process may wait.
    #[error("cannot {what} {store}: it was waited for, 60 s")]
    WaitedOut {
        /// The store.
        store: String,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The store refuses: credentials, bucket, permissions.
    #[error(
        "{store} refuses: cannot {what} it; check bucket, region and credentials \
         (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or [data] credentials_file)"
    )]
    Refused {
        /// The store.
        store: String,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<object_store::Error>,
    },
    /// Two processes could overwrite each other's manifests.
    #[error(
        "{store} does not honour create-if-absent (If-None-Match: * on PutObject): a second owner \
         could not be kept out; use a store that does, or a local directory"
    )]
    NoCreate {
        /// The store.
        store: String,
    },
    /// There is nothing to read.
    #[error("{store} holds no data: give the store of a `run` or `load`")]
    Empty {
        /// The store.
        store: String,
    },
    /// The directory is the cache of a store, which was not named.
    #[error("{path} is the cache of an object store: name it with --store or [data] store")]
    NeedsStore {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds what is not this store's.
    #[error("{path} holds other data than {store}: use an empty directory as its cache")]
    OtherStore {
        /// The directory.
        path: PathBuf,
        /// The store.
        store: String,
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
            Self::Busy { .. } | Self::Unreachable { .. } => Domain::Dependency,
            Self::NewerFormat { .. }
            | Self::OlderFormat { .. }
            | Self::StoreUrl { .. }
            | Self::StoreLogin { .. }
            | Self::PlainHttp { .. }
            | Self::Refused { .. }
            | Self::NoCreate { .. }
            | Self::Empty { .. }
            | Self::NeedsStore { .. }
            | Self::OtherStore { .. } => Domain::Usage,
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

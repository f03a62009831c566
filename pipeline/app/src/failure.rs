//! Why a command ends without success, and with which exit code (DESIGN.md, "Commands").

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use commit::CommitError;
use model::fault::Domain;
use sink::clickhouse::Refusal;
use track::TrackError;

/// A command's failure: what the user reads, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
    full: bool,
}

/// Result of a command.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Wrong usage or configuration: exit 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Domain::Usage.exit_code(), full: false }
    }

    /// An exit code whose reason was told already.
    pub(crate) const fn told(code: u8) -> Self {
        Self { message: String::new(), code, full: false }
    }

    /// A check that the user asked for failed: exit 1.
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1, full: false }
    }

    /// A dependency cannot be reached, or a directory is in use: exit 3.
    pub(crate) fn dependency(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Domain::Dependency.exit_code(), full: false }
    }

    /// Stopped to protect data: exit 4.
    pub(crate) fn protect(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Domain::Protect.exit_code(), full: false }
    }

    /// The reason was told already.
    pub(crate) const fn is_told(&self) -> bool {
        self.message.is_empty()
    }

    /// Exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }

    /// The disk was full: the same step can be tried again.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    fn with(error: &dyn std::error::Error, domain: Domain) -> Self {
        Self { message: chain(error), code: domain.exit_code(), full: false }
    }

    fn for_lack_of_space(mut self, full: bool) -> Self {
        if full {
            self.message = format!(
                "the disk is full: {}; nothing is lost, make space and start again",
                self.message
            );
        }
        self.full = full;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error with its causes, each once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The data directory that a file is in.
fn data_dir(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|root| root.join("FORMAT").is_file())
}

/// What to do about a damaged file: which command tells of all of them, and what mends them.
fn mend(path: &Path) -> String {
    let place = data_dir(path).map_or_else(
        || "--data DIR, with --store URL where there is one".to_owned(),
        |root| format!("--data {}", root.display()),
    );
    format!(
        "; nothing was changed. Stop what runs on this directory and ask `sendtally verify \
         {place}` for every damaged file: restore these from a copy, or read the topics (load the \
         files) anew into another data directory"
    )
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        let mut failure = Self::with(&error, error.domain()).for_lack_of_space(error.is_full());
        let damaged = match &error {
            CommitError::Damaged { path, .. } => Some(path),
            // A manifest named it, so it was there.
            CommitError::Io { path, source, .. } if source.kind() == ErrorKind::NotFound => {
                Some(path).filter(|path| data_dir(path).is_some())
            }
            _ => None,
        };
        if let Some(path) = damaged {
            failure.message += &mend(path);
        }
        failure
    }
}

impl From<ingest::IngestError> for Failure {
    fn from(error: ingest::IngestError) -> Self {
        Self::with(&error, error.domain())
    }
}

impl From<TrackError> for Failure {
    fn from(error: TrackError) -> Self {
        let mut failure = Self::with(&error, Domain::Protect);
        if let TrackError::Damaged { path, .. } = &error {
            failure.message += &mend(path);
        }
        failure
    }
}

impl From<normalize::NormalizeError> for Failure {
    fn from(error: normalize::NormalizeError) -> Self {
        Self::with(&error, Domain::Protect)
    }
}

impl From<window::WindowError> for Failure {
    fn from(error: window::WindowError) -> Self {
        Self::with(&error, error.domain())
    }
}

impl From<sink::SinkError> for Failure {
    fn from(error: sink::SinkError) -> Self {
        Self::with(&error, Domain::Protect).for_lack_of_space(error.is_full())
    }
}

impl From<sink::clickhouse::ClickHouseError> for Failure {
    fn from(error: sink::clickhouse::ClickHouseError) -> Self {
        let domain = match error.refusal() {
            Refusal::Later => Domain::Dependency,
            Refusal::Login | Refusal::Other => Domain::Usage,
        };
        Self::with(&error, domain)
    }
}

impl From<arrow_schema::ArrowError> for Failure {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::with(&error, Domain::Protect)
    }
}

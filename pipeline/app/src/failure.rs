//! Why a command ends without success, and with which exit code (DESIGN.md, "Commands").

use std::fmt;

use model::fault::Domain;

/// A command's failure: what the user reads, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

/// Result of a command.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Wrong usage or configuration: exit 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Domain::Usage.exit_code() }
    }

    /// A check that the user asked for failed: exit 1.
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// A dependency cannot be reached, or a directory is in use: exit 3.
    pub(crate) fn dependency(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Domain::Dependency.exit_code() }
    }

    /// Stopped to protect data: exit 4.
    pub(crate) fn protect(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Domain::Protect.exit_code() }
    }

    /// Exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }

    fn with(error: &dyn std::error::Error, domain: Domain) -> Self {
        Self { message: chain(error), code: domain.exit_code() }
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

impl From<commit::CommitError> for Failure {
    fn from(error: commit::CommitError) -> Self {
        let full = error.is_full();
        let mut failure = Self::with(&error, error.domain());
        if full {
            failure.message = format!(
                "the disk is full: {}; nothing is lost, make space and start again",
                failure.message
            );
        }
        failure
    }
}

impl From<ingest::IngestError> for Failure {
    fn from(error: ingest::IngestError) -> Self {
        Self::with(&error, error.domain())
    }
}

impl From<track::TrackError> for Failure {
    fn from(error: track::TrackError) -> Self {
        Self::with(&error, Domain::Protect)
    }
}

impl From<normalize::NormalizeError> for Failure {
    fn from(error: normalize::NormalizeError) -> Self {
        Self::with(&error, Domain::Protect)
    }
}

impl From<window::WindowError> for Failure {
    fn from(error: window::WindowError) -> Self {
        Self::with(&error, Domain::Usage)
    }
}

impl From<sink::SinkError> for Failure {
    fn from(error: sink::SinkError) -> Self {
        Self::with(&error, Domain::Protect)
    }
}

impl From<arrow_schema::ArrowError> for Failure {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::with(&error, Domain::Protect)
    }
}

//! What ClickHouse may refuse, and whether asking again makes sense.

use clickhouse::error::Error;

/// What can go wrong with ClickHouse.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    /// The process has no more threads or descriptors.
    #[error("cannot start the ClickHouse client")]
    Runtime {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The rows could not be put into the shape that it reads.
    #[error("cannot prepare rows of table {table} for ClickHouse")]
    Rows {
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: arrow_schema::ArrowError,
    },
    /// It could not be reached, or refused.
    #[error("cannot {what} ClickHouse at {url}: {source}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Where.
        url: String,
        /// What it or the client says.
        #[source]
        source: Error,
    },
    /// A newer sendtally made the tables.
    #[error(
        "the tables of ClickHouse at {url} are of version {found}, this build knows {known}: use \
         the newer sendtally, or another [clickhouse] database"
    )]
    NewerSchema {
        /// Where.
        url: String,
        /// Version there.
        found: u32,
        /// Newest version of this build.
        known: u32,
    },
}

/// What a failure means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be reached, is overloaded or has too many parts: later it may work.
    Later,
    /// It does not know this user or password.
    Login,
    /// It refuses the statement or the rows; somebody has to look.
    Other,
}

/// Codes of a server that has too much to do, is starting or lost a part of its cluster: timeouts
/// (159, 209, 210), too many queries or parts (202, 252), memory (241), read-only replica (242),
/// quorum and keeper (285, 289, 319, 999), no space (243).
const LATER: [u32; 12] = [159, 202, 209, 210, 241, 242, 243, 252, 285, 289, 319, 999];
/// Codes of a refused login or a missing right.
const LOGIN: [u32; 5] = [192, 193, 194, 497, 516];

impl ClickHouseError {
    /// What this failure means for the next try.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused { source: Error::BadResponse(text), .. } => match code(text) {
                Some(code) if LOGIN.contains(&code) => Refusal::Login,
                Some(code) if LATER.contains(&code) => Refusal::Later,
                Some(_) => Refusal::Other,
                // An answer of something that stands before it, a proxy for one.
                None => Refusal::Later,
            },
            Self::Refused { source: Error::Network(_) | Error::TimedOut, .. } => Refusal::Later,
            Self::Refused { .. }
            | Self::Rows { .. }
            | Self::NewerSchema { .. }
            | Self::Runtime { .. } => Refusal::Other,
        }
    }

    /// There is no such database or table.
    pub(super) fn is_unmade(&self) -> bool {
        matches!(self, Self::Refused { source: Error::BadResponse(text), .. }
            if matches!(code(text), Some(60 | 81)))
    }

    /// The TTL that was to be removed is not there.
    pub(super) fn lacks_ttl(&self) -> bool {
        matches!(self, Self::Refused { source: Error::BadResponse(text), .. }
            if code(text) == Some(36) && text.contains(NO_TTL))
    }
}

/// What it says to `REMOVE TTL` where there is none, with code 36 of many bad arguments.
const NO_TTL: &str = "doesn't have any table TTL expression";

/// The number in `Code: 252. DB::Exception: …`.
fn code(text: &str) -> Option<u32> {
    let after = text.split("Code: ").nth(1)?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).map_or(after, |end| &after[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(source: Error) -> Refusal {
        ClickHouseError::Refused { what: "insert into", url: "u".to_owned(), source }.refusal()
    }

    #[test]
    fn an_overloaded_server_is_asked_again_and_a_refused_user_is_not_taken_for_one() {
        let says = |text: &str| refusal(Error::BadResponse(text.to_owned()));
        assert_eq!(says("Code: 252. DB::Exception: Too many parts (300)"), Refusal::Later);
        assert_eq!(says("Code: 516. DB::Exception: Authentication failed"), Refusal::Login);
        assert_eq!(says("Code: 60. DB::Exception: Table does not exist"), Refusal::Other);
        assert_eq!(says("502 Bad Gateway"), Refusal::Later);
        assert_eq!(refusal(Error::TimedOut), Refusal::Later);
        assert_eq!(refusal(Error::Network("refused".into())), Refusal::Later);
    }
}

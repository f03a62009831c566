//! The indicator's SQL predicates, over the counts that windows hold.
//!
//! ```text
//! any    := both ( OR both )*
//! both   := one ( AND one )*
//! one    := NOT one | ( any ) | is_final | test
//! test   := outcome [NOT] IN ( 'word', … ) | outcome = 'word' | outcome <> 'word'
//! ```
//!
//! A predicate becomes a set of the seven classes of messages that windows tell apart. Whatever
//! would need more (another column, a status that windows fold into one count) is refused with the
//! place, so that a predicate never counts something else than it says.

/// Deepest nesting of parentheses and NOT: far above any indicator, far below the stack.
const DEPTH_MAX: usize = 16;

/// Messages of one window by outcome, as `slo_windows` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts {
    /// Delivered, read included.
    pub delivered: i64,
    /// Read.
    pub read: i64,
    /// Undelivered, failed, rejected.
    pub failed: i64,
    /// Expired.
    pub expired: i64,
    /// Canceled.
    pub canceled: i64,
    /// Settled without a known outcome.
    pub unknown: i64,
    /// Not settled yet.
    pub pending: i64,
}

/// Messages that windows tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Delivered = 1,
    Read = 2,
    Failed = 4,
    Expired = 8,
    Canceled = 16,
    Unknown = 32,
    Pending = 64,
}

/// A set of outcome classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeSet(u8);

impl OutcomeSet {
    const ALL: Self = Self(127);
    const PENDING: Self = Self(Class::Pending as u8);

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every member is one of the other's.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.without(other).0 == 0
    }

    /// Whether it holds messages that are not settled.
    #[must_use]
    pub const fn has_pending(self) -> bool {
        self.0 & Class::Pending as u8 != 0
    }

    /// Its settled members.
    #[must_use]
    pub const fn settled(self) -> Self {
        self.without(Self::PENDING)
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many messages of a window are in it.
    #[must_use]
    pub fn count(self, counts: &OutcomeCounts) -> i64 {
        [
            (Class::Delivered, counts.delivered - counts.read),
            (Class::Read, counts.read),
            (Class::Failed, counts.failed),
            (Class::Expired, counts.expired),
            (Class::Canceled, counts.canceled),
            (Class::Unknown, counts.unknown),
            (Class::Pending, counts.pending),
        ]
        .into_iter()
        .filter(|(class, _)| self.0 & *class as u8 != 0)
        .map(|(_, n)| n)
        .sum()
    }
}

/// Why a predicate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredicateError {
    /// Something else was expected.
    #[error("at character {at}: {expected} expected, found {found}")]
    Syntax {
        /// Character of the predicate, from 1.
        at: usize,
        /// What would have been right.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// Not a status.
    #[error("at character {at}: '{word}' is no status that windows count; they count {COUNTED}")]
    Word {
        /// Character of the predicate, from 1.
        at: usize,
        /// The word.
        word: String,
    },
    /// Some of the statuses of one count, not all.
    #[error("windows count undelivered, failed and rejected as one: name all three or none")]
    PartOfFailed,
    /// Nested too deep.
    #[error("nested deeper than {DEPTH_MAX}")]
    Depth,
}

const COUNTED: &str = "delivered, read, undelivered, failed, rejected, expired, canceled, unknown";

/// Reads a predicate.
///
/// # Errors
/// [`PredicateError`], with the place, for everything that windows cannot count.
pub fn parse(text: &str) -> Result<OutcomeSet, PredicateError> {
    let mut parser = Parser { tokens: tokens(text), at: 0, end: text.chars().count() + 1 };
    let set = parser.any(0)?;
    match parser.peek() {
        Some(_) => Err(parser.unexpected("AND, OR or the end")),
        None => Ok(set),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    /// Character, from 1.
    at: usize,
    text: String,
    quoted: bool,
}

/// Words, quoted strings, `<>`, `!=` and single signs. A quote that does not close stays a sign,
/// which no rule accepts.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let rest = &chars[at + 1..];
        let is_word = |char: &char| char.is_alphanumeric() || *char == '_';
        let (length, quoted) = match first {
            _ if first.is_whitespace() => (0, false),
            '\'' => match rest.iter().position(|char| *char == '\'') {
                Some(inner) => (inner + 2, true),
                None => (1, false),
            },
            '<' | '!' if matches!(rest.first(), Some('>' | '=')) => (2, false),
            _ if is_word(&first) => (1 + rest.iter().take_while(|c| is_word(c)).count(), false),
            _ => (1, false),
        };
        if length > 0 {
            let inner = if quoted { at + 1..at + length - 1 } else { at..at + length };
            tokens.push(Token { at: at + 1, text: chars[inner].iter().collect(), quoted });
        }
        at += length.max(1);
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, word: &str) -> bool {
        let taken =
            self.peek().is_some_and(|token| !token.quoted && token.text.eq_ignore_ascii_case(word));
        self.at += usize::from(taken);
        taken
    }

    fn require(&mut self, word: &'static str) -> Result<(), PredicateError> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    fn unexpected(&self, expected: &'static str) -> PredicateError {
        let (at, found) = match self.peek() {
            Some(token) => (token.at, token.text.clone()),
            None => (self.end, "the end".to_owned()),
        };
        PredicateError::Syntax { at, expected, found }
    }

    fn any(&mut self, depth: usize) -> Result<OutcomeSet, PredicateError> {
        let mut set = self.both(depth)?;
        while self.take("or") {
            set = OutcomeSet(set.0 | self.both(depth)?.0);
        }
        Ok(set)
    }

    fn both(&mut self, depth: usize) -> Result<OutcomeSet, PredicateError> {
        let mut set = self.one(depth)?;
        while self.take("and") {
            set = OutcomeSet(set.0 & self.one(depth)?.0);
        }
        Ok(set)
    }

    fn one(&mut self, depth: usize) -> Result<OutcomeSet, PredicateError> {
        if depth >= DEPTH_MAX {
            return Err(PredicateError::Depth);
        }
        if self.take("not") {
            return Ok(OutcomeSet::ALL.without(self.one(depth + 1)?));
        }
        if self.take("(") {
            let set = self.any(depth + 1)?;
            self.require(")")?;
            return Ok(set);
        }
        if self.take("is_final") {
            return Ok(OutcomeSet::ALL.settled());
        }
        if !self.take("outcome") {
            return Err(self.unexpected("outcome, is_final, NOT or ("));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<OutcomeSet, PredicateError> {
        let negated = self.take("not");
        let (set, negated) = if self.take("in") {
            self.require("(")?;
            let mut words = vec![self.word()?];
            while self.take(",") {
                words.push(self.word()?);
            }
            self.require(")")?;
            (set_of(&words)?, negated)
        } else if negated {
            return Err(self.unexpected("IN"));
        } else if self.take("=") {
            (set_of(&[self.word()?])?, false)
        } else if self.take("<>") || self.take("!=") {
            (set_of(&[self.word()?])?, true)
        } else {
            return Err(self.unexpected("IN, NOT IN, = or <>"));
        };
        Ok(if negated { OutcomeSet::ALL.without(set) } else { set })
    }

    fn word(&mut self) -> Result<Token, PredicateError> {
        match self.peek() {
            Some(token) if token.quoted => {
                let token = token.clone();
                self.at += 1;
                Ok(token)
            }
            _ => Err(self.unexpected("a status in single quotes")),
        }
    }
}

fn set_of(words: &[Token]) -> Result<OutcomeSet, PredicateError> {
    let mut bits = 0;
    let mut failed = [false; 3];
    for Token { at, text, .. } in words {
        bits |= match text.as_str() {
            "delivered" => Class::Delivered as u8,
            "read" => Class::Read as u8,
            "expired" => Class::Expired as u8,
            "canceled" => Class::Canceled as u8,
            "unknown" => Class::Unknown as u8,
            "undelivered" | "failed" | "rejected" => {
                failed[0] |= text == "undelivered";
                failed[1] |= text == "failed";
                failed[2] |= text == "rejected";
                Class::Failed as u8
            }
            _ => return Err(PredicateError::Word { at: *at, word: text.clone() }),
        };
    }
    if failed.contains(&true) && failed.contains(&false) {
        return Err(PredicateError::PartOfFailed);
    }
    Ok(OutcomeSet(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COUNTS: OutcomeCounts = OutcomeCounts {
        delivered: 110, // 10 of them read
        read: 10,
        failed: 1_000,
        expired: 10_000,
        canceled: 100_000,
        unknown: 1_000_000,
        pending: 10_000_000,
    };

    fn count(text: &str) -> i64 {
        parse(text).expect(text).count(&COUNTS)
    }

    #[test]
    fn predicates_count_what_they_say() {
        assert_eq!(count("outcome in ('delivered','read')"), 110);
        assert_eq!(count("outcome = 'delivered'"), 100);
        assert_eq!(count("is_final"), 1_111_110);
        assert_eq!(count("outcome not in ('canceled')"), 11_011_110);
        assert_eq!(count("is_final AND outcome <> 'canceled'"), 1_011_110);
        assert_eq!(count("NOT (outcome IN ('read') OR NOT is_final)"), 1_111_100);
        assert_eq!(count("outcome in ('failed', 'rejected', 'undelivered')"), 1_000);
    }

    #[test]
    fn what_windows_cannot_count_is_refused_with_its_place() {
        let message = |text: &str| parse(text).expect_err(text).to_string();
        assert!(message("carrier = 'att'").starts_with("at character 1: outcome, is_final"));
        assert!(message("outcome in ('sent')").starts_with("at character 13: 'sent'"));
        assert!(message("outcome in ('failed')").contains("all three or none"));
        assert!(message("is_final is_final").starts_with("at character 10"));
        assert!(message("outcome in ('read'").contains("found the end"));
        assert!(message("outcome = 'read").contains("single quotes"));
        assert_eq!(parse(&"not ".repeat(99)), Err(PredicateError::Depth));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "(outcome|in|not|\\(|\\)|'read'|=|is_final|,|é|'| ){0,20}",
        ) {
            drop(parse(&text));
        }
    }
}

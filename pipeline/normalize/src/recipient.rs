//! A recipient, hashed once, and where it stands in a text.
//!
//! Recipients' numbers are looked for in every text of a row, with and without their calling code
//! (P5). Texts are short, so a searcher would take longer to make than to use.

use model::keys::{Id16, Keyring};
use model::vocabulary::{Channel, Source};

use crate::phone::{self, Number};

/// Shortest user id or token that is searched for: shorter ones would hit by chance.
const PERSONAL_ID_MIN: usize = 6;
/// Longer texts are worth a searcher.
const SHORT_BYTES_MAX: usize = 128;

/// The recipient that was hashed last: charges of an event have its recipient. Its `Debug` never
/// shows it.
#[derive(Default)]
pub(crate) struct LastRecipient {
    text: String,
    may_be_number: bool,
    hashed: Option<(Id16, Option<Number>)>,
}

impl std::fmt::Debug for LastRecipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LastRecipient(personal)")
    }
}

/// A recipient, hashed.
pub(crate) struct Recipient<'a> {
    token: Id16,
    number: Option<Number>,
    id: &'a str,
}

/// Recipients of this channel are telephone numbers; elsewhere digits are somebody's user id, of
/// which no prefix may be shown.
const fn has_numbers(channel: Channel) -> bool {
    !matches!(
        channel,
        Channel::PushApns
            | Channel::PushFcm
            | Channel::PushWeb
            | Channel::Push
            | Channel::InApp
            | Channel::Messenger
    )
}

impl<'a> Recipient<'a> {
    pub(crate) fn new(
        text: &'a str,
        (source, channel): (Source, Channel),
        keyring: &Keyring,
        last: &mut LastRecipient,
    ) -> Self {
        // A channel that is no vocabulary's (an app's own, Sinch's Instagram or LINE) may address
        // user ids: there only a plus sign makes a number.
        let is_own =
            matches!(source, Source::Cloudevents | Source::Sinch) && channel == Channel::Unknown;
        let may_be_number = has_numbers(channel) && (!is_own || text.starts_with('+'));
        let is_last = last.may_be_number == may_be_number && last.text == text;
        if let (true, Some((token, number))) = (is_last, last.hashed) {
            return Self { token, number, id: text };
        }
        let number = if may_be_number { Number::parse(text) } else { None };
        let hashed = number.as_ref().map_or(text, Number::digits);
        let token = keyring.token.hash(&[hashed.as_bytes()]);
        last.text.clear();
        last.text.push_str(text);
        (last.may_be_number, last.hashed) = (may_be_number, Some((token, number)));
        Self { token, number, id: text }
    }

    pub(crate) const fn token(&self) -> Id16 {
        self.token
    }

    pub(crate) const fn number(&self) -> Option<&Number> {
        self.number.as_ref()
    }

    /// What must not appear in any text.
    pub(crate) fn needle(&self) -> Option<&str> {
        let (needle, shortest) = match &self.number {
            Some(number) => (number.digits(), phone::PERSONAL_DIGITS_MIN),
            None => (self.id, PERSONAL_ID_MIN),
        };
        (needle.len() >= shortest).then_some(needle)
    }
}

/// Where a number's national part begins at the latest: calling codes have at most three digits,
/// and somebody may write the number without. Ids and short numbers are searched whole.
fn core_start(needle: &str) -> usize {
    let is_number = needle.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { needle.len().saturating_sub(phone::PERSONAL_DIGITS_MIN).min(3) } else { 0 }
}

/// Whether the recipient stands in a text, with or without its calling code.
pub(crate) fn holds(text: &str, needle: &str) -> bool {
    find(text, needle.get(core_start(needle)..).unwrap_or(needle)).is_some()
}

/// The text with the token where the recipient stood, with or without its calling code.
pub(crate) fn replace(text: &str, needle: &str, token: &str) -> String {
    let start = core_start(needle);
    let (head, core) = needle.split_at(start);
    let mut out = String::with_capacity(text.len() + token.len());
    let mut rest = text;
    while let Some(at) = find(rest, core) {
        let before = rest.get(..at).unwrap_or("");
        let shared = before
            .bytes()
            .rev()
            .zip(head.bytes().rev())
            .take_while(|(left, right)| left == right)
            .count();
        out.push_str(before.get(..at - shared).unwrap_or(""));
        out.push_str(token);
        rest = rest.get(at + core.len()..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[inline]
fn find(text: &str, needle: &str) -> Option<usize> {
    if text.len() < needle.len() {
        return None;
    }
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    if text.len() <= SHORT_BYTES_MAX {
        return find_short(text, needle);
    }
    memchr::memmem::find(text, needle)
}

/// By the needle's last byte; a number ends behind no byte that is no digit.
fn find_short(text: &[u8], needle: &[u8]) -> Option<usize> {
    let Some((last, head)) = needle.split_last() else { return Some(0) };
    let stride = if needle.iter().all(u8::is_ascii_digit) { needle.len() } else { 1 };
    let mut at = head.len();
    while let Some(byte) = text.get(at) {
        if byte == last && text.get(at - head.len()..at) == Some(head) {
            return Some(at - head.len());
        }
        at += if byte.is_ascii_digit() { 1 } else { stride };
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_short_text_is_searched_as_a_long_one(
            text in "[0-2a-b-]{0,40}",
            needle in "[0-2]{1,5}|[0-2a]{1,5}",
        ) {
            prop_assert_eq!(find(&text, &needle), text.find(&needle));
            let longer = text.repeat(8);
            prop_assert_eq!(find(&longer, &needle), longer.find(&needle));
        }
    }

    #[test]
    fn a_recipient_is_replaced_with_and_without_its_calling_code() {
        let number = "447700900143";
        assert_eq!(replace("a-447700900143-b", number, "T"), "a-T-b");
        assert_eq!(replace("call 07700900143!", number, "T"), "call 0T!");
        assert_eq!(replace("447700900143447700900143", number, "T"), "TT");
        assert_eq!(replace("nothing", number, "T"), "nothing");
        assert_eq!(replace("x user-143 y", "user-143", "T"), "x T y");
    }
}

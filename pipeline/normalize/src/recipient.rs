//! A recipient, hashed once, and where it stands in a text.
//!
//! Recipients' numbers are looked for in every text of a row, with and without their calling code
//! (P5), and in what people write also with spaces, hyphens and the like between their digits.
//! Texts are short, so a searcher would take longer to make than to use.

use std::ops::Range;

use model::keys::{Id16, Keyring};
use model::vocabulary::{Channel, Source};

use crate::mask::{REPLACED_MAX, SHORT_BYTES_MAX};
use crate::phone::{self, Number};

/// Shortest user id or token that is searched for: shorter ones would hit by chance.
const PERSONAL_ID_MIN: usize = 6;

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
        let hashed = number.as_ref().map_or(text.as_bytes(), Number::digits);
        let token = keyring.token.hash(&[hashed]);
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
    pub(crate) fn needle(&self) -> Option<Needle<'_>> {
        let (whole, shortest) = match &self.number {
            Some(number) => (number.digits(), phone::PERSONAL_DIGITS_MIN),
            None => (without_plus(self.id).as_bytes(), PERSONAL_ID_MIN),
        };
        (whole.len() >= shortest).then(|| Needle::new(whole))
    }
}

/// An id as it is looked for: a number stands in a text with its plus sign or without; one that is
/// masked is none.
pub(crate) fn without_plus(id: &str) -> &str {
    let is_digits = |byte: u8| byte.is_ascii_digit() || b" -.()/".contains(&byte);
    let number = id.strip_prefix('+').filter(|rest| rest.bytes().all(is_digits));
    number.filter(|rest| !rest.is_empty()).unwrap_or(id)
}

/// What people write between the digits of a number. Digits of other scripts are not looked for.
pub(crate) fn is_separator(byte: u8) -> bool {
    b" -.()/+_,:;*\t\r\n".contains(&byte) || !byte.is_ascii()
}

/// A recipient as it is looked for in texts: with or without its calling code.
#[derive(Clone, Copy)]
pub(crate) struct Needle<'a> {
    /// The calling code.
    head: &'a [u8],
    core: &'a [u8],
    /// How far behind a byte that is no digit the core may end.
    stride: usize,
}

impl<'a> Needle<'a> {
    /// Somebody may write a number without its calling code. Ids and short numbers are searched
    /// whole.
    pub(crate) fn new(whole: &'a [u8]) -> Self {
        let is_number = whole.iter().all(u8::is_ascii_digit);
        let room = whole.len().saturating_sub(phone::PERSONAL_DIGITS_MIN);
        let code = if is_number { phone::calling_code_digits(whole) } else { 0 };
        let (head, core) = whole.split_at(room.min(code));
        Self { head, core, stride: if is_number { core.len() } else { 1 } }
    }

    /// Whether the recipient stands in a text in one piece.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.find(text.as_bytes()).is_some()
    }

    /// Whether it stands in a text that people write, in one piece or as one writes a number.
    pub(crate) fn is_spelled_in(&self, text: &str) -> bool {
        match self.has_digits() {
            true => self.find_spaced(text.as_bytes()).is_some(),
            false => self.is_in(text),
        }
    }

    /// Ids are written in one way.
    const fn has_digits(&self) -> bool {
        self.stride > 1
    }

    /// The text with the token where the recipient stood, in one piece or as one writes a number;
    /// the token alone where it stood too often.
    pub(crate) fn replaced(&self, text: &str, token: &str) -> String {
        self.replaced_spaced(self.replaced_whole(text, token), token)
    }

    /// The same where it stood in one piece.
    pub(crate) fn replaced_whole(&self, text: &str, token: &str) -> String {
        let mut out = String::with_capacity(text.len() + token.len());
        let (mut rest, mut count) = (text, 0);
        while let Some(at) = self.find(rest.as_bytes()) {
            count += 1;
            if count > REPLACED_MAX {
                return token.to_owned();
            }
            let before = rest.get(..at).unwrap_or("");
            let shared = before
                .bytes()
                .rev()
                .zip(self.head.iter().rev())
                .take_while(|(left, right)| left == *right)
                .count();
            out.push_str(before.get(..at - shared).unwrap_or(""));
            out.push_str(token);
            rest = rest.get(at + self.core.len()..).unwrap_or("");
        }
        out.push_str(rest);
        out
    }

    fn replaced_spaced(&self, text: String, token: &str) -> String {
        let Some(mut found) = self.find_spaced(text.as_bytes()) else { return text };
        let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
        for _ in 0..REPLACED_MAX {
            out.push_str(rest.get(..found.start).unwrap_or(""));
            out.push_str(token);
            rest = rest.get(found.end..).unwrap_or("");
            match self.find_spaced(rest.as_bytes()) {
                Some(next) => found = next,
                None => return out + rest,
            }
        }
        token.to_owned()
    }

    /// Where the digits of a number stand first with nothing or any separators between them.
    #[inline]
    fn find_spaced(&self, text: &[u8]) -> Option<Range<usize>> {
        let (last, head) = self.core.split_last().filter(|_| self.has_digits())?;
        let mut at = head.len();
        while let Some(byte) = text.get(at) {
            if byte == last
                && let Some(start) = self.spaced_start(text, at)
            {
                return Some(start..at + 1);
            }
            at += 1;
        }
        None
    }

    /// Where the digits begin that end at a byte, if they do.
    fn spaced_start(&self, text: &[u8], end: usize) -> Option<usize> {
        let mut digits = self.core.iter().rev();
        let mut awaited = digits.next();
        for (at, byte) in text.iter().enumerate().take(end + 1).rev() {
            if awaited == Some(byte) {
                awaited = digits.next();
                if awaited.is_none() {
                    return Some(at);
                }
            } else if !is_separator(*byte) {
                return None;
            }
        }
        None
    }

    /// Where the core stands first.
    #[inline]
    fn find(&self, text: &[u8]) -> Option<usize> {
        if text.len() < self.core.len() {
            return None;
        }
        if text.len() <= SHORT_BYTES_MAX {
            return self.find_short(text);
        }
        memchr::memmem::find(text, self.core)
    }

    /// By the core's last byte; a number ends behind no byte that is no digit.
    fn find_short(&self, text: &[u8]) -> Option<usize> {
        let Some((last, head)) = self.core.split_last() else { return Some(0) };
        let mut at = head.len();
        while let Some(byte) = text.get(at) {
            if byte == last && text.get(at - head.len()..at) == Some(head) {
                return Some(at - head.len());
            }
            at += if byte.is_ascii_digit() { 1 } else { self.stride };
        }
        None
    }
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
            let of = Needle::new(needle.as_bytes());
            prop_assert_eq!(of.find(text.as_bytes()), text.find(&needle));
            let longer = text.repeat(8);
            prop_assert_eq!(of.find(longer.as_bytes()), longer.find(&needle));
        }
    }

    proptest! {
        #[test]
        fn a_spelled_number_is_found_where_its_digits_follow_each_other(
            text in "[0-2a .-]{0,30}",
            needle in "[0-2]{2,4}",
        ) {
            let of = Needle::new(needle.as_bytes());
            let is_there = |start: usize| {
                let mut digits = needle.bytes().peekable();
                for byte in text.bytes().skip(start) {
                    if digits.peek() == Some(&byte) {
                        digits.next();
                    } else if is_content(byte) {
                        return false;
                    }
                    if digits.peek().is_none() {
                        return true;
                    }
                }
                false
            };
            let found = (0..text.len()).any(is_there);
            prop_assert_eq!(of.is_spelled_in(&text), found);
        }
    }

    /// Not one of the separators above.
    fn is_content(byte: u8) -> bool {
        !b" .-".contains(&byte)
    }

    #[test]
    fn a_recipient_is_replaced_with_and_without_its_calling_code() {
        let replace = |text: &str, needle: &str, token: &str| {
            Needle::new(needle.as_bytes()).replaced(text, token)
        };
        let number = "447700900143";
        assert_eq!(replace("a-447700900143-b", number, "T"), "a-T-b");
        assert_eq!(replace("call 07700900143!", number, "T"), "call 0T!");
        assert_eq!(replace("447700900143447700900143", number, "T"), "TT");
        assert_eq!(replace("nothing", number, "T"), "nothing");
        assert_eq!(replace("1234567890", "31612345678", "T"), "1234567890", "not without its 6");
        assert_eq!(replace("0612345678", "31612345678", "T"), "0T");
        assert_eq!(replace("x user-143 y", "user-143", "T"), "x T y");
        for spelled in [
            "+44 7700 900-143",
            "(44) 7700.900143",
            "44-7-7-0-0-9-0-0-1-4-3",
            "7700_900143",
            "44\u{a0}7700\u{202f}900\u{2011}143",
            "7700,900\t143",
            "7700:900\r\n143",
        ] {
            let text = format!("order 12-34 of {spelled}, 5.6");
            let clean = replace(&text, number, "T");
            assert!(clean.ends_with("T, 5.6") && !clean.contains("143"), "{clean}");
        }
        assert_eq!(replace("+44 7700 900 144", number, "T"), "+44 7700 900 144");
        assert_eq!(replace("x user 143 y", "user-143", "T"), "x user 143 y", "an id is whole");
        assert_eq!(replace("770 0900143 and 7700 900143", number, "T"), "T and T");
        let spaced = |times| replace(&"x7700 900143".repeat(times), number, "T");
        assert_eq!(spaced(REPLACED_MAX), "xT".repeat(REPLACED_MAX));
        assert_eq!(spaced(REPLACED_MAX + 1), "T");
        let often = |times| replace(&"x447700900143".repeat(times), number, "T");
        assert_eq!(often(REPLACED_MAX), "xT".repeat(REPLACED_MAX));
        assert_eq!(often(REPLACED_MAX + 1), "T", "a text made of numbers would grow");
    }
}

//! Texts that may hold another of the recipient's ids than the one that `emit` looks for.

use std::borrow::Cow;

use model::vocabulary::Channel;

use crate::draft::Draft;
use crate::emit::Emitter;
use crate::phone::{Number, PERSONAL_DIGITS_MIN};
use crate::recipient::{is_separator, without_plus};

/// Shortest id that is searched for: shorter ones would hit by chance.
const ID_BYTES_MIN: usize = 6;

/// Most often that an id is replaced in one text: a token is longer than an id may be, so a text
/// made of ids alone would grow to many times its size. One that holds it more often is its token.
pub(crate) const REPLACED_MAX: usize = 8;

/// Longer texts are worth a searcher.
pub(crate) const SHORT_BYTES_MAX: usize = 128;

/// Whether a text holds an id; of short ones a searcher takes longer to make than to use.
pub(crate) fn holds(text: &str, id: &str) -> bool {
    let (text, id) = (text.as_bytes(), id.as_bytes());
    let (Some(first), true) = (id.first(), text.len() <= SHORT_BYTES_MAX) else {
        return memchr::memmem::find(text, id).is_some();
    };
    let last_start = text.len().checked_sub(id.len());
    let starts = last_start.and_then(|last| text.get(..=last)).unwrap_or(&[]);
    memchr::memchr_iter(*first, starts).any(|at| text.get(at..at + id.len()) == Some(id))
}

/// The text with a token in the place of an id.
pub(crate) fn replaced(text: &str, id: &str, token: &str) -> String {
    if text.matches(id).nth(REPLACED_MAX).is_some() {
        return token.to_owned();
    }
    text.replace(id, token)
}

/// Stands for what is nobody's business.
const GONE: &str = "…";

/// A vendor's or a mail server's words about an address that may not be the one that is known, or
/// is spelled in another way: without addresses of mail and long numbers. The recipient's own is
/// left where `emit` will find it.
pub(crate) fn impersonal<'t>(text: &'t str, recipient: Option<&str>) -> Cow<'t, str> {
    let is_delimiter = |c: char| c.is_whitespace() || "<>\"'(),;".contains(c);
    let is_part = |c: char| c.is_ascii_digit() || "+-.() ".contains(c);
    let mut out = String::new();
    let mut rest = text;
    // How much follows the run that was counted last: no part of it holds more digits than it.
    let mut behind_run = usize::MAX;
    while let Some(first) = rest.chars().next() {
        let piece = if rest.len() <= behind_run && (first.is_ascii_digit() || first == '+') {
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            behind_run = rest.len() - end;
            rest.get(..end).unwrap_or(rest).trim_end_matches(|c: char| !c.is_ascii_digit())
        } else {
            ""
        };
        let digits = piece.bytes().filter(u8::is_ascii_digit).count();
        if digits >= PERSONAL_DIGITS_MIN {
            let is_plain = digits + usize::from(first == '+') == piece.len();
            let is_own = |known: &Number| {
                let digits = piece.trim_start_matches(['+', '0']);
                known.text().ends_with(digits) || digits.ends_with(known.text())
            };
            let known = recipient.filter(|_| is_plain).and_then(Number::parse);
            out.push_str(if known.as_ref().is_some_and(is_own) { piece } else { GONE });
            rest = rest.get(piece.len()..).unwrap_or("");
            continue;
        }
        let end = rest.find(is_delimiter).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, after) = rest.split_at(end);
        let is_left = !word.contains('@') || recipient.is_some_and(|known| word.contains(known));
        out.push_str(if is_left { word } else { GONE });
        rest = after;
    }
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Longest shared text that is searched for the numbers of a message's recipients.
const SHARED_BYTES_MAX: usize = 2 << 10;

/// Steps that a search takes for each byte of the text at most: a number's digits.
const STEPS_A_BYTE: usize = 16;

/// A text that several recipients share, with a token in the place of each one's number. One that
/// is too long, or would take too many steps, is its own hash: it still is what messages share.
/// `numbers` hands on each of the recipients.
pub(crate) fn without_numbers<'t>(
    text: &'t str,
    channel: Channel,
    numbers: impl FnOnce(&mut dyn FnMut(&str)),
    out: &mut Emitter<'_>,
) -> Cow<'t, str> {
    if text.bytes().filter(u8::is_ascii_digit).count() < PERSONAL_DIGITS_MIN {
        return Cow::Borrowed(text);
    }
    let mut is_searched = text.len() <= SHARED_BYTES_MAX;
    let ends = if is_searched { number_ends(text) } else { Vec::new() };
    let mut clean = Cow::Borrowed(text);
    numbers(&mut |number| {
        let end = last_digits(number);
        if !is_searched || end.is_some_and(|end| ends.binary_search(&end).is_err()) {
            return;
        }
        let steps = STEPS_A_BYTE * clean.len();
        is_searched = steps <= out.search_left;
        out.search_left = out.search_left.saturating_sub(steps);
        let recipient = out.recipient(Some(number), channel);
        let needle = recipient.as_ref().and_then(|known| Some((known.needle()?, known.token())));
        if let Some((needle, token)) = needle.filter(|(needle, _)| needle.is_spelled_in(&clean)) {
            out.counters.scrubbed_texts += 1;
            clean = Cow::Owned(needle.replaced(&clean, &token.hex()));
        }
    });
    if is_searched {
        return clean;
    }
    out.counters.scrubbed_texts += 1;
    Cow::Owned(out.keyring.token.hash(&[text.as_bytes()]).hex())
}

/// The last digits of every number that may end in a text, in order: whatever separates digits, a
/// number's last ones follow each other.
fn number_ends(text: &str) -> Vec<u32> {
    let (mut ends, mut recent, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            recent = recent % ENDS_AT * 10 + u32::from(byte - b'0');
            count += 1;
            if count >= PERSONAL_DIGITS_MIN {
                ends.push(recent);
            }
        } else if !is_separator(byte) {
            (recent, count) = (0, 0);
        }
    }
    ends.sort_unstable();
    ends
}

/// Keeps as many digits as make a number personal, but for the first.
const ENDS_AT: u32 = 10_u32.pow(PERSONAL_DIGITS_MIN as u32 - 1);

/// The last digits of a number; nothing where it has too few.
fn last_digits(number: &str) -> Option<u32> {
    let mut digits = number.bytes().rev().filter(u8::is_ascii_digit);
    (0..PERSONAL_DIGITS_MIN as u32)
        .try_fold(0, |end, place| Some(end + u32::from(digits.next()? - b'0') * 10_u32.pow(place)))
}

/// The text with a token in the place of each of the ids that it holds.
pub(crate) fn without_ids<'t>(
    text: &'t str,
    ids: &[Option<&str>],
    out: &mut Emitter<'_>,
) -> Cow<'t, str> {
    let mut clean = Cow::Borrowed(text);
    let searched = ids.iter().flatten().map(|id| without_plus(id));
    for id in searched.filter(|id| id.len() >= ID_BYTES_MIN) {
        if holds(&clean, id) {
            out.counters.scrubbed_texts += 1;
            let token = out.keyring.token.hash(&[id.as_bytes()]).hex();
            clean = Cow::Owned(replaced(&clean, id, &token));
        }
    }
    clean
}

/// Emits an event whose texts may hold other ids of its recipient than the one that is searched
/// for. Its key is that of the id as told.
pub(crate) fn event_without_ids(draft: &Draft<'_>, others: &[Option<&str>], out: &mut Emitter<'_>) {
    if others.iter().all(Option::is_none) {
        return out.event(draft);
    }
    let mut clean = |text: &str| without_ids(text, others, out).into_owned();
    let message_id = clean(draft.message_id);
    let [logical_id, campaign, sender] =
        [draft.logical_id, draft.campaign, draft.sender].map(|text| text.map(&mut clean));
    out.event(&Draft {
        message_id: &message_id,
        key_id: if draft.key_id.is_empty() { draft.message_id } else { draft.key_id },
        logical_id: logical_id.as_deref(),
        campaign: campaign.as_deref(),
        sender: sender.as_deref(),
        ..draft.clone()
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recipient::Needle;

    proptest! {
        /// What is passed over without a search is nowhere in the text.
        #[test]
        fn a_number_that_stands_in_a_text_is_among_its_ends(
            number in "[1-3]{7,10}",
            before in "[1-3a /.]{0,4}",
            after in "[1-3a /.]{0,4}",
            between in prop::collection::vec("[ /.:-]{0,2}", 10),
        ) {
            let spelled: String =
                number.chars().zip(&between).map(|(digit, gap)| format!("{digit}{gap}")).collect();
            let text = format!("{before}{spelled}{after}");
            prop_assert!(Needle::new(number.as_bytes()).is_spelled_in(&text));
            let end = last_digits(&number).unwrap();
            prop_assert!(number_ends(&text).binary_search(&end).is_ok(), "{} in {}", number, text);
        }
    }

    #[test]
    fn words_about_an_address_do_not_tell_it() {
        for (text, recipient, expected) in [
            ("The 'To' number +447700900143 is invalid", None, "The 'To' number … is invalid"),
            ("invalid +44 7700 900-143.", Some("+447700900143"), "invalid …."),
            ("invalid 447700900143", Some("+447700900143"), "invalid 447700900143"),
            ("invalid 447700900143", Some("a device's token"), "invalid …"),
            ("invalid 447700900142", Some("+447700900143"), "invalid …"),
            ("invalid 07700900143", Some("+447700900143"), "invalid 07700900143"),
            ("550 5.1.1 <Anna@Example.com>: no", Some("anna@example.com"), "550 5.1.1 <…>: no"),
            ("<anna@example.com> é", Some("anna@example.com"), "<anna@example.com> é"),
            ("<anna@example.com>", None, "<…>"),
            ("error 30003, try 2", None, "error 30003, try 2"),
            ("", None, ""),
        ] {
            assert_eq!(impersonal(text, recipient), expected, "{text}");
        }
    }

    #[test]
    fn an_id_is_found_in_short_and_long_texts() {
        for (text, id) in
            [("a", "a"), ("abc", "bc"), ("abc", "cd"), ("ab", "abc"), ("", ""), ("aab", "ab")]
        {
            let long = text.repeat(SHORT_BYTES_MAX);
            assert_eq!(holds(text, id), text.contains(id), "{id} in {text}");
            assert_eq!(holds(&long, id), long.contains(id), "{id} in {text} many times");
        }
    }

    #[test]
    fn a_text_made_of_ids_is_their_token_and_no_longer_than_it() {
        assert_eq!(replaced("a user-1 b user-1", "user-1", "T"), "a T b T");
        assert_eq!(
            replaced(&"user-1".repeat(REPLACED_MAX), "user-1", "T"),
            "T".repeat(REPLACED_MAX)
        );
        assert_eq!(replaced(&"user-1".repeat(REPLACED_MAX + 1), "user-1", "T"), "T");
    }
}

//! WhatsApp ids, which are base64 around the recipient's number, as text or two digits a byte:
//! those become `wamid:` and a keyed hash (P5), also where they were damaged on the way; the others
//! stay as they are.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use model::keys::Keyring;

/// Digits in a row that make a decoded id personal.
const WAMID_DIGITS_MIN: usize = 7;
/// `wamid:` and 32 hex digits.
const WAMID_HASH_BYTES: usize = 38;

/// What is shown of an id that holds a number: `wamid:` and its hash, on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HiddenId([u8; WAMID_HASH_BYTES]);

impl HiddenId {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("wamid:")
    }
}

/// An id that WhatsApp gave, relayed by another vendor; not every report tells its channel.
pub(crate) fn is_whatsapp_id(id: &str) -> bool {
    begins_packed(id) || id.starts_with(TEXT_HEAD) || without_prefix(id).is_some()
}

/// Behind `wamid.`, or `wacid.` of a call. Every vendor's ids are asked: mostly the first letter
/// tells.
fn without_prefix(id: &str) -> Option<&str> {
    let has_prefix = matches!(id.as_bytes(), [b'w', b'a', b'm' | b'c', b'i', b'd', b'.', ..]);
    if has_prefix { id.get("wamid.".len()..) } else { None }
}

/// Ids since 2022 begin with the bytes 1C 18 and a length, and hold the number as text.
const TEXT_HEAD: &str = "HBg";

/// Ids before 2022 begin with the bytes 80 11 (00 11 inbound), and how many bytes hold the number,
/// two digits each: up to eight, with the top bit set where the last one holds a single digit.
fn begins_packed(id: &str) -> bool {
    matches!(id.as_bytes(), [b'g' | b'A', b'B', b'E' | b'G', ..])
}

/// What stands for a WhatsApp id that holds a number; another may be shown verbatim.
pub(crate) fn hidden_id(id: &str, keyring: &Keyring) -> Option<HiddenId> {
    let encoded = without_prefix(id).unwrap_or(id);
    if !begins_packed(encoded) && !decoded_holds_number(encoded) {
        return None;
    }
    let hash = keyring.message.hash(&[b"wamid", id.as_bytes()]);
    let mut buffer = [0; WAMID_HASH_BYTES];
    buffer[..6].copy_from_slice(b"wamid:");
    for (at, byte) in hash.0.iter().enumerate() {
        buffer[6 + 2 * at] = HEX[usize::from(byte >> 4)];
        buffer[7 + 2 * at] = HEX[usize::from(byte & 15)];
    }
    Some(HiddenId(buffer))
}

/// Shortest text with an id that holds a number: its prefix, and base64 of seven digits.
const WITH_ID_BYTES_MIN: usize = 16;

/// Whether a text may hold an id: most have no dot, or are too short.
#[inline]
pub(crate) fn may_be_in(text: &str) -> bool {
    text.len() >= WITH_ID_BYTES_MIN && (text.starts_with(TEXT_HEAD) || next_id(text, 0).is_some())
}

/// A text that people write, with what stands for WhatsApp's ids in it: for those behind their
/// prefix, and for one that is the whole text.
pub(crate) fn without_ids<'t>(text: &'t str, keyring: &Keyring) -> Cow<'t, str> {
    let (mut clean, mut copied, mut looked) = (String::new(), 0, 0);
    if text.starts_with(TEXT_HEAD)
        && let Some(hidden) = hidden_id(text, keyring)
    {
        return Cow::Owned(hidden.text().to_owned());
    }
    while let Some(start) = next_id(text, looked) {
        let rest = text.get(start..).unwrap_or_default();
        let ends = |end: char| end.is_whitespace() || ",;|&\"'<>()[]{}".contains(end);
        let id = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or(rest);
        // What stands inside is not looked at again: an id is searched in all its pieces.
        looked = start + id.len();
        if let Some(hidden) = hidden_id(id, keyring) {
            clean.push_str(text.get(copied..start).unwrap_or_default());
            clean.push_str(hidden.text());
            copied = looked;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Where the next id with a prefix begins.
fn next_id(text: &str, from: usize) -> Option<usize> {
    let dots = memchr::memchr_iter(b'.', text.as_bytes().get(from..)?);
    let mut starts = dots.filter_map(|dot| (from + dot).checked_sub("wamid".len()));
    starts.find(|start| {
        *start >= from && text.get(*start..).is_some_and(|rest| without_prefix(rest).is_some())
    })
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Accepts any padding and trailing bits: a damaged id still must not leak its number.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn decoded_holds_number(text: &str) -> bool {
    // 192 characters hold 144 bytes, twice the length of any id seen; a longer one is hashed.
    const LONGEST: usize = 192;
    const HEAD: usize = 24;
    let is_outside = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"+/-_".contains(byte));
    // Where a byte was lost or broken, nobody knows where a group of four begins. Of an id as
    // WhatsApp makes it, the number is near its beginning.
    text.len() > LONGEST
        || text
            .as_bytes()
            .first_chunk::<HEAD>()
            .is_some_and(|head| group_holds_number::<HEAD>(head))
        || text.as_bytes().split(is_outside).any(|piece| {
            (0..4).any(|start| piece.get(start..).is_some_and(group_holds_number::<LONGEST>))
        })
}

/// Whether base64, standard or for URLs, decodes to a number.
fn group_holds_number<const LONGEST: usize>(text: &[u8]) -> bool {
    let (mut standard, mut decoded) = ([0; LONGEST], [0; LONGEST]);
    let used = if text.len() % 4 == 1 { text.len() - 1 } else { text.len() };
    let mut encoded = text.get(..used).unwrap_or(&[]);
    if memchr::memchr2(b'-', b'_', encoded).is_some() {
        for (to, byte) in standard.iter_mut().zip(encoded) {
            *to = match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            };
        }
        encoded = standard.get(..used).unwrap_or(&[]);
    }
    let length = LENIENT.decode_slice(encoded, &mut decoded).unwrap_or(0);
    let decoded = decoded.get(..length).unwrap_or(&[]);
    holds_text_number(decoded) || holds_packed_number(decoded)
}

/// A long run of digits.
fn holds_text_number(bytes: &[u8]) -> bool {
    let mut run = 0;
    bytes.iter().any(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run >= WAMID_DIGITS_MIN
    })
}

/// Two digits a byte, behind 11 and their length, or before 02 and the length of the message's own
/// id: of a damaged id one of both is left. Digits alone would be found in many random ids.
fn holds_packed_number(bytes: &[u8]) -> bool {
    const NUMBER_BYTES: std::ops::RangeInclusive<u8> = 4..=8;
    bytes.iter().enumerate().any(|(at, byte)| {
        let (before, rest) = bytes.split_at(at);
        match (byte, rest) {
            (0x11, [_, length, number @ ..]) if NUMBER_BYTES.contains(&(length & 0x7F)) => {
                let number = number.iter().take(usize::from(length & 0x7F));
                are_digits(number.flat_map(|byte| [byte >> 4, byte & 15]))
            }
            (0x02, [_, 8..=16, ..]) => {
                are_digits(before.iter().rev().flat_map(|byte| [byte & 15, byte >> 4]))
            }
            _ => false,
        }
    })
}

/// Whether halves of bytes begin with a number's digits; F fills the last byte of an odd one.
fn are_digits(halves: impl Iterator<Item = u8>) -> bool {
    let digits = halves.skip_while(|half| *half == 15).take_while(|half| *half < 10);
    digits.take(WAMID_DIGITS_MIN).count() == WAMID_DIGITS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wamid_that_holds_a_number_is_hashed_even_when_damaged() {
        let keyring = Keyring::demo();
        for id in [
            "wamid.HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0QjAwRDNEQUMyQzI3NDRCAA==",
            "wamid.HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0Q",
            "wamid.HBgMOTE5NzE2MzEzNzEzFQIA!ERgSN0Y0Q",
            "wamid.HB!gMOTE5NzE2MzEzNzEzFQIA",
            "wamid.BgMOTE5NzE2MzEzNzEzFQIA",
            "HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0Q",
            "gBEGRHcAkAFDAgkAAAAAAAAAqrs",
            "wacid.HBgMOTE5NzE2MzEzNzEzFQIA",
        ] {
            let shown = hidden_id(id, &keyring).unwrap();
            let hash = shown.text().strip_prefix("wamid:").unwrap();
            assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
    }

    /// An id of before 2022: its first byte, the number, what is the message's own.
    fn packed(first: u8, number: &str) -> String {
        let filled = format!("{number}{}", if number.len() % 2 == 1 { "f" } else { "" });
        let digits = model::keys::unhex(&filled).unwrap();
        let odd = if number.len() % 2 == 1 { 0x80 } else { 0 };
        let length = u8::try_from(digits.len()).unwrap() | odd;
        let head = [first, 0x11, length];
        let own = [0x02, 0x09, 0xE1, 0xB8, 0x5D, 0x6A, 0x21, 0x4B, 0xC2, 0xA3, 0xB0];
        LENIENT.encode([&head[..], &digits, &own].concat())
    }

    #[test]
    fn a_packed_number_of_any_length_is_hidden_also_behind_a_prefix_and_damaged() {
        let keyring = Keyring::demo();
        assert_eq!(packed(0x80, "447700900143"), "gBEGRHcAkAFDAgnhuF1qIUvCo7A=");
        assert_eq!(packed(0x80, "12025550143"), "gBGGEgJVUBQ/AgnhuF1qIUvCo7A=");
        for digits in 7..=15 {
            let number = &"120255501437890"[..digits];
            for first in [0x00, 0x80] {
                let id = packed(first, number);
                for prefix in ["", "wamid.", "wacid."] {
                    assert!(hidden_id(&format!("{prefix}{id}"), &keyring).is_some(), "{id}");
                }
                assert!(is_whatsapp_id(&id), "{id}");
                for at in 0..id.len() {
                    for by in ["", "!", "-"] {
                        let damaged = [&id[..at], by, &id[at + 1..]].concat();
                        assert!(hidden_id(&damaged, &keyring).is_some(), "{id}: {damaged}");
                    }
                }
            }
        }
    }

    #[test]
    fn ids_inside_a_text_are_hidden_as_they_are_by_themselves() {
        let keyring = Keyring::demo();
        let id = "wamid.HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0QjAwRDNEQUMyQzI3NDRCAA==";
        let hide = |id: &str| hidden_id(id, &keyring).unwrap().text().to_owned();
        let (hidden, with_dots) = (hide(id), hide(&format!("{id}..")));
        for (text, expected) in [
            (format!("re:{id}"), format!("re:{hidden}")),
            (format!("{id}|{id}.."), format!("{hidden}|{with_dots}")),
            (format!("a.b, {id} é."), format!("a.b, {hidden} é.")),
            ("wamid.EXAMPLE1 é.wamid".to_owned(), "wamid.EXAMPLE1 é.wamid".to_owned()),
            (id["wamid.".len()..].to_owned(), hide(&id["wamid.".len()..])),
        ] {
            assert!(text == expected || may_be_in(&text), "{text}");
            assert_eq!(without_ids(&text, &keyring), expected, "{text}");
        }
    }

    #[test]
    fn an_id_of_whatsapps_that_holds_no_number_is_shown() {
        let keyring = Keyring::demo();
        for id in ["wamid.EXAMPLE1", "wacid.EXAMPLE1", "wamid.AhGGEgJV", "", "wamid.", "HBg"] {
            assert!(hidden_id(id, &keyring).is_none(), "{id}");
        }
        assert!(!holds_packed_number(&[0x11, 0x86, 0x12, 0x02, 0x55, 0xAB]), "six digits");
        assert!(holds_packed_number(&[0x11, 0x84, 0x12, 0x02, 0x55, 0x5F]), "seven");
        assert!(!holds_packed_number(&[0x11, 0x03, 0x12, 0x02, 0x55, 0x55]), "three bytes");
    }

    #[test]
    fn of_another_vendors_ids_those_that_begin_as_whatsapps_are_asked() {
        for id in ["wamid.x", "wacid.x"] {
            assert!(is_whatsapp_id(id), "{id}");
        }
        for id in ["gBGx", "ABEx", "HBgx"] {
            assert!(is_whatsapp_id(id), "{id}");
        }
        assert!(!is_whatsapp_id("gBFx"));
    }
}

//! Recipients' numbers: their digits, region and prefix. Nothing here ever stores one.
//!
//! Table: `schemas/regions.csv` (longest prefix → region), made from a library's metadata, with its
//! origin in its first lines; a test compares it with that library. The lookup walks digits through
//! a trie of ten children a node; it allocates nothing.

use std::sync::LazyLock;

/// E.164 allows 15 digits; fewer than 7 are a short code.
pub(crate) const DIGITS_MAX: usize = 15;
/// Shortest number that is somebody's and must not appear in a text.
pub(crate) const PERSONAL_DIGITS_MIN: usize = 7;
/// Shortest number whose prefix is shown: four digits are cut off.
const PREFIX_DIGITS_MIN: usize = 8;
const PREFIX_CUT: usize = 4;

/// A number as `+` and digits, on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    bytes: [u8; DIGITS_MAX + 1],
    len: usize,
}

impl Number {
    /// Reads a number with or without `+`, `00`, a `tel:` or channel prefix, and separators.
    /// `None` where it holds anything else: then it is some other id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.rsplit_once(':').map_or(text, |(_, number)| number);
        // A JSON number that some program took for a fraction.
        let text = text.strip_suffix(".0").unwrap_or(text);
        let mut number = Self { bytes: [b'+'; DIGITS_MAX + 1], len: 0 };
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    *number.bytes.get_mut(number.len + 1)? = byte;
                    number.len += 1;
                }
                b'+' if at == 0 => {}
                b' ' | b'-' | b'(' | b')' | b'.' if at > 0 => {}
                _ => return None,
            }
        }
        if number.bytes.starts_with(b"+00") {
            // The international prefix of most countries; no E.164 number begins with 0.
            number.bytes.copy_within(3.., 1);
            number.len -= 2;
        }
        (number.len > 0).then_some(number)
    }

    /// Digits only.
    pub(crate) fn digits(&self) -> &[u8] {
        self.bytes.get(1..=self.len).unwrap_or(&[])
    }

    /// The digits as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.digits()).unwrap_or("")
    }

    /// `+` and the digits without the last four.
    pub(crate) fn prefix(&self) -> Option<&str> {
        if self.len < PREFIX_DIGITS_MIN {
            return None;
        }
        std::str::from_utf8(self.bytes.get(..=self.len - PREFIX_CUT)?).ok()
    }

    /// ISO region by the longest known prefix; short codes have none.
    pub(crate) fn region(&self) -> Option<&'static str> {
        if self.len < PERSONAL_DIGITS_MIN {
            return None;
        }
        REGIONS.longest(self.digits())
    }
}

/// A local number behind its calling code, written to `bytes`, without the zero with which it is
/// dialled at home (Italy's is a part of the number).
pub(crate) fn global<'n>(code: &str, local: &'n str, bytes: &'n mut Vec<u8>) -> &'n str {
    bytes.clear();
    let local = local.strip_prefix('0').filter(|_| code != "39").unwrap_or(local);
    for part in ["+", code, local] {
        bytes.extend_from_slice(part.as_bytes());
    }
    std::str::from_utf8(bytes).unwrap_or(local)
}

/// Digits of a number that are not dialled in its own country: its calling code (ITU-T E.164), with
/// the digit that Mexico's and Argentina's mobiles had or have behind it.
pub(crate) fn calling_code_digits(number: &[u8]) -> usize {
    let [first, second, ..] = number else { return 0 };
    if number.starts_with(b"521") || number.starts_with(b"549") {
        return 3;
    }
    let at = usize::from(first.wrapping_sub(b'0')) * 10 + usize::from(second.wrapping_sub(b'0'));
    CODE_DIGITS.get(at).copied().map_or(3, usize::from)
}

/// Digits of the calling codes that begin with these two.
const CODE_DIGITS: [u8; 100] = {
    let mut digits = [3; 100];
    let two: &[u8] = &[
        20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55,
        56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
    ];
    let mut at = 0;
    while at < two.len() {
        digits[two[at] as usize] = 2;
        at += 1;
    }
    at = 0;
    while at < 10 {
        (digits[10 + at], digits[70 + at]) = (1, 1);
        at += 1;
    }
    digits
};

static REGIONS: LazyLock<Trie> =
    LazyLock::new(|| Trie::read(include_str!("../../../schemas/regions.csv")));

/// Prefixes of digits and what they stand for.
#[derive(Debug)]
struct Trie {
    /// Ten children a node; 0 = none, as the root is nobody's child.
    children: Vec<[u16; 10]>,
    regions: Vec<Option<&'static str>>,
}

impl Trie {
    fn read(table: &'static str) -> Self {
        let mut trie = Self { children: vec![[0; 10]], regions: vec![None] };
        let is_row = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
        for (prefix, region) in table.lines().filter(is_row).filter_map(|row| row.split_once(',')) {
            trie.insert(prefix.as_bytes(), region);
        }
        trie
    }

    fn insert(&mut self, prefix: &[u8], region: &'static str) {
        let mut node = 0_usize;
        for byte in prefix {
            let digit = usize::from(byte.wrapping_sub(b'0')) % 10;
            let mut next = usize::from(self.children[node][digit]);
            if next == 0 {
                next = self.children.len();
                self.children.push([0; 10]);
                self.regions.push(None);
                self.children[node][digit] = u16::try_from(next).unwrap_or(0);
            }
            node = next;
        }
        self.regions[node] = Some(region);
    }

    fn longest(&self, digits: &[u8]) -> Option<&'static str> {
        let mut node = 0_usize;
        let mut found = None;
        for byte in digits {
            let digit = usize::from(byte.wrapping_sub(b'0'));
            let next = self.children.get(node).and_then(|children| children.get(digit))?;
            if *next == 0 {
                break;
            }
            node = usize::from(*next);
            found = self.regions.get(node).copied().flatten().or(found);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_codes_have_one_to_three_digits() {
        for (number, digits) in [
            ("12025550143", 1),
            ("79161234567", 1),
            ("447700900143", 2),
            ("31612345678", 2),
            ("5215512345678", 3),
            ("525512345678", 2),
            ("5491112345678", 3),
            ("351912345678", 3),
            ("971501234567", 3),
        ] {
            assert_eq!(calling_code_digits(number.as_bytes()), digits, "{number}");
        }
    }

    fn region(text: &str) -> Option<&'static str> {
        Number::parse(text)?.region()
    }

    #[test]
    fn numbers_are_read_in_vendors_spellings() {
        let digits = |text| Number::parse(text).map(|number| number.text().to_owned());
        assert_eq!(digits("31612345678.0").as_deref(), Some("31612345678"), "of a fraction");
        assert_eq!(digits("whatsapp:+31612345678").as_deref(), Some("31612345678"));
        assert_eq!(digits("+1 (202) 555-0123").as_deref(), Some("12025550123"));
        assert_eq!(digits("0041793026727").as_deref(), Some("41793026727"));
        for other in
            ["", "+", "user-1", "US.1349120865530274191", "1234567890123456", "PHONE_NUMBER"]
        {
            assert_eq!(digits(other), None, "{other}");
        }
    }

    #[test]
    fn regions_follow_the_longest_prefix() {
        assert_eq!(region("+41793026727"), Some("CH"));
        assert_eq!(region("385911234567"), Some("HR"));
        assert_eq!(region("+12025550123"), Some("US"));
        assert_eq!(region("+14165550123"), Some("CA"));
        assert_eq!(region("+18765550123"), Some("JM"));
        assert_eq!(region("+447700900123"), Some("GB"));
        assert_eq!(region("+441481960194"), Some("GG"));
        assert_eq!(region("+447797712345"), Some("JE"));
        assert_eq!(region("+447624312345"), Some("IM"));
        assert_eq!(region("+12425550123"), Some("BS"));
        assert_eq!(region("+17875550123"), Some("PR"));
        assert_eq!(region("+390669812345"), Some("VA"));
        assert_eq!(region("+881612345678"), None, "a network of the world has no country");
        assert_eq!(region("+79161234567"), Some("RU"));
        assert_eq!(region("+77011234567"), Some("KZ"));
        assert_eq!(
            region("+11111111111"),
            Some("US"),
            "unassigned: the calling code's main region"
        );
        assert_eq!(region("2021"), None, "a short code has no region");
    }

    #[test]
    fn a_prefix_lacks_four_digits_and_short_numbers_have_none() {
        let prefix = |text| Number::parse(text).and_then(|n| n.prefix().map(str::to_owned));
        assert_eq!(prefix("41793026727").as_deref(), Some("+4179302"));
        assert_eq!(prefix("1234567"), None);
    }
}

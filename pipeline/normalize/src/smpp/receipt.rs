//! The receipt's text and the spellings of its id.

use crate::record::SUBSTITUTE;

/// What stands between the labels of a receipt's text; `None` where nothing does.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) sub: Option<&'a str>,
    pub(super) submit: Option<&'a str>,
    pub(super) done: Option<&'a str>,
    pub(super) stat: Option<&'a str>,
    pub(super) err: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Id,
    Sub,
    Delivered,
    Submit,
    Done,
    Stat,
    Err,
    Text,
}

/// Labels by their first letter: every word of a text is tried.
const fn labels(letter: u8) -> &'static [(&'static str, Label)] {
    match letter.to_ascii_lowercase() {
        b'i' => &[("id:", Label::Id)],
        b's' => &[
            ("sub:", Label::Sub),
            ("stat:", Label::Stat),
            ("submit date:", Label::Submit),
            ("submit_date:", Label::Submit),
            ("submitdate:", Label::Submit),
        ],
        b'd' => &[
            ("dlvrd:", Label::Delivered),
            ("done date:", Label::Done),
            ("done_date:", Label::Done),
            ("donedate:", Label::Done),
        ],
        b'e' => &[("err:", Label::Err)],
        b't' => &[("text:", Label::Text)],
        _ => &[],
    }
}

/// The label that a text begins with, and the text behind it.
fn label(text: &str) -> Option<(Label, &str)> {
    labels(*text.as_bytes().first()?).iter().find_map(|(word, label)| {
        let (start, rest) = text.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some((*label, rest))
    })
}

/// A line that is a receipt of its own: it begins with a label, which a second line of somebody's
/// text hardly does, and tells a message and its status.
pub(super) fn is_line(line: &str) -> bool {
    label(line).is_some() && Receipt::parse(line).is_whole()
}

impl<'a> Receipt<'a> {
    /// Reads labels from the left; the message's text is the last of them. Where it stands before
    /// the id and the status, they are looked for behind it, from the right: it may hold others. As
    /// a C string it ends with a zero.
    pub(super) fn parse(text: &'a str) -> Self {
        let text = text.trim_end_matches(|c: char| c == '\0' || c.is_ascii_whitespace());
        let mut receipt = Self::default();
        let body = receipt.take(text, true);
        if let Some(body) = body.filter(|_| receipt.id.is_none() && receipt.stat.is_none()) {
            receipt.take(body, false);
        }
        receipt
    }

    /// It tells a message and its status.
    pub(super) const fn is_whole(&self) -> bool {
        self.id.is_some() && self.stat.is_some()
    }

    /// Takes what stands behind labels, the first of each or the last; gives the message's text.
    fn take(&mut self, text: &'a str, first_stands: bool) -> Option<&'a str> {
        let mut rest = text.trim_ascii_start();
        while !rest.is_empty() {
            let Some((label, behind)) = label(rest) else {
                rest = word(rest).1;
                continue;
            };
            if label == Label::Text && first_stands {
                return Some(behind);
            }
            let behind = behind.trim_ascii_start();
            if self::label(behind).is_some() {
                rest = behind;
                continue;
            }
            let (value, after) = word(behind);
            rest = after;
            let value = value.trim_end_matches([',', ';']);
            let slot = match label {
                Label::Id => &mut self.id,
                Label::Sub => &mut self.sub,
                Label::Submit => &mut self.submit,
                Label::Done => &mut self.done,
                Label::Stat => &mut self.stat,
                Label::Err => &mut self.err,
                Label::Delivered | Label::Text => continue,
            };
            // A value that is no text is not read.
            let is_text = !value.is_empty() && !value.contains(SUBSTITUTE);
            if is_text && (slot.is_none() || !first_stands) {
                *slot = Some(value);
            }
        }
        None
    }
}

/// The first word, and what follows it and the space behind it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_ascii_start())
}

/// Most decimal digits of a number of 128 bits.
const ID_DIGITS_MAX: usize = 39;

/// Digits of a number of 128 bits, on the stack.
#[derive(Debug)]
pub(super) struct IdBuffer([u8; ID_DIGITS_MAX]);

impl IdBuffer {
    pub(super) const fn new() -> Self {
        Self([0; ID_DIGITS_MAX])
    }
}

/// The number that an id spells, in decimal, whether it is written in hexadecimal (a letter tells)
/// or decimal digits, with or without leading zeros; empty where it is no number.
pub(super) fn id_number<'b>(id: &str, buffer: &'b mut IdBuffer) -> &'b str {
    let prefixed = id.strip_prefix("0x").or_else(|| id.strip_prefix("0X"));
    let digits = prefixed.unwrap_or(id);
    let is_decimal = prefixed.is_none() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = match (is_decimal, is_hex) {
        (true, _) => digits.parse::<u128>(),
        (false, true) => u128::from_str_radix(digits, 16),
        (false, false) => return "",
    };
    let Ok(mut number) = number else { return "" };
    let mut start = buffer.0.len();
    loop {
        start -= 1;
        buffer.0[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 || start == 0 {
            break;
        }
    }
    std::str::from_utf8(buffer.0.get(start..).unwrap_or(&[])).unwrap_or("")
}

/// Bytes spelled in hexadecimal; no receipt text is, as it holds colons.
pub(super) fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_spelled = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    !digits.is_empty() && digits.len().is_multiple_of(2) && is_spelled
}

/// Whether a text, or one in hex, is spaces and zero bytes.
pub(super) fn is_blank(text: &str) -> bool {
    let is_zeros = is_hex(text) && text.bytes().all(|byte| b"0x".contains(&byte));
    is_zeros || text == "0x" || text.trim_matches(['\0', ' ', '\r', '\n']).is_empty()
}

/// The text in such bytes: zero bytes (UCS-2) are left out, what is not ASCII stands as `?`.
pub(super) fn decode_hex<'b>(text: &str, bytes: &'b mut Vec<u8>) -> &'b str {
    bytes.clear();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    bytes.extend(digits.as_bytes().chunks_exact(2).filter_map(hex_byte).filter_map(
        |byte| match byte {
            0 => None,
            1..=0x7f => Some(byte),
            _ => Some(b'?'),
        },
    ));
    std::str::from_utf8(bytes).unwrap_or("")
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let pair = std::str::from_utf8(pair).ok()?;
    u8::from_str_radix(pair, 16).ok()
}

/// A C string spelled in hexadecimal, as a gateway writes that dumps bytes: it ends with a zero.
pub(super) fn hex_c_string(text: &str) -> Option<String> {
    let inner = text.strip_suffix("00").filter(|_| is_hex(text))?;
    let mut bytes = Vec::new();
    let decoded = decode_hex(inner, &mut bytes);
    let is_plain =
        decoded.len() * 2 == inner.len() && decoded.bytes().all(|b| b.is_ascii_graphic());
    (is_plain && !decoded.is_empty()).then(|| decoded.to_owned())
}

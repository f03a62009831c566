//! `application/x-www-form-urlencoded` bodies and the queries of GET callbacks.
//!
//! The decoded text lies in one reused buffer, so a field costs no allocation. Of a repeated name
//! the first value stands.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::Scalar;

/// A decoded form.
#[derive(Debug, Default)]
pub(crate) struct Form {
    /// Name, value, name, value, …, end to end.
    bytes: Vec<u8>,
    /// Where each pair's name and value end: a record is far below 4 GiB, and of `&a&a` there are
    /// many.
    ends: Vec<(u32, u32)>,
}

impl Form {
    /// Decodes a body, dropping what was decoded before.
    pub(crate) fn read(&mut self, text: &str) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.reserve(text.len());
        for pair in text.trim().as_bytes().split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let name = self.decode(pair.get(..equals).unwrap_or(&[]));
            let value = self.decode(pair.get(equals + 1..).unwrap_or(&[]));
            self.ends.push((name, value));
        }
    }

    /// Appends a name or value, decoded, and tells where it ends.
    fn decode(&mut self, mut part: &[u8]) -> u32 {
        while let Some(at) = memchr::memchr2(b'%', b'+', part) {
            let (plain, rest) = part.split_at(at);
            self.bytes.extend_from_slice(plain);
            let (byte, used) = match (rest.first(), rest.get(1..3).and_then(hex_byte)) {
                (Some(b'+'), _) => (b' ', 1),
                (_, Some(byte)) => (byte, 3),
                // A stray percent sign stands for itself.
                _ => (b'%', 1),
            };
            self.bytes.push(byte);
            part = rest.get(used..).unwrap_or(&[]);
        }
        self.bytes.extend_from_slice(part);
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// Names and values; a value that is no UTF-8 is `None`.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&[u8], Option<&str>)> {
        self.bytes().map(|(name, value)| (name, std::str::from_utf8(value).ok()))
    }

    /// Names and values as they were decoded.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |(name, value)| {
            let (name, value) = (*name as usize, *value as usize);
            let bytes = |range: Range<usize>| self.bytes.get(range).unwrap_or(&[]);
            let pair = (bytes(start..name), bytes(name..value));
            start = value;
            pair
        })
    }

    /// Names and values as fields, like those of a JSON object.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = (&[u8], Scalar<'_>)> {
        self.pairs().map(|(name, value)| {
            (name, value.map_or(Scalar::Unreadable, |text| Scalar::Text(text.into())))
        })
    }
}

/// An address with its `%xx` decoded; as it is where they spell no text.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    let Some((plain, rest)) = text.split_once('%') else { return Cow::Borrowed(text) };
    let mut bytes = plain.as_bytes().to_vec();
    for part in rest.split('%') {
        match part.as_bytes().split_at_checked(2).and_then(|(pair, _)| hex_byte(pair)) {
            Some(byte) => bytes.push(byte),
            None => return Cow::Borrowed(text),
        }
        bytes.extend_from_slice(part.as_bytes().get(2..).unwrap_or(&[]));
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let high = char::from(*pair.first()?).to_digit(16)?;
    let low = char::from(*pair.get(1)?).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_plus_signs_and_odd_pairs_are_read() {
        let mut form = Form::default();
        form.read("To=%2B49+30&&Empty=&Flag&Bad=%zz&Odd=%\n");
        let pairs: Vec<_> = form.pairs().map(|(name, value)| (name.to_vec(), value)).collect();
        let expected: [(&[u8], &str); 5] =
            [(b"To", "+49 30"), (b"Empty", ""), (b"Flag", ""), (b"Bad", "%zz"), (b"Odd", "%")];
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| (name.to_vec(), Some(*value))).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_value_that_is_no_utf8_is_unreadable() {
        let mut form = Form::default();
        form.read("To=%ff&Sid=a");
        assert_eq!(form.pairs().map(|(_, value)| value).collect::<Vec<_>>(), [None, Some("a")]);
        let fields: Vec<_> = form.scalars().map(|(_, field)| field).collect();
        assert_eq!(fields, [Scalar::Unreadable, Scalar::Text("a".into())]);
    }
}

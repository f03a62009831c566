//! Strings of JSON: where they end, sixteen bytes at a time, and what their escapes spell.

use wide::u8x16;

use super::{Cursor, Read};

impl<'a> Cursor<'a> {
    /// Passes a string.
    #[inline]
    pub(super) fn string_end(&mut self) -> Read<()> {
        let rest = self.text.as_bytes().get(self.at..).and_then(|rest| rest.strip_prefix(b"\""));
        match rest.and_then(plain_length) {
            Some(length) => {
                self.at += length + 2;
                Ok(())
            }
            None => self.escaped_string_end(),
        }
    }

    /// Passes a string that holds no escapes, and gives it.
    #[inline]
    pub(super) fn plain_string(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?.strip_prefix('"')?;
        let text = rest.get(..plain_length(rest.as_bytes())?)?;
        self.at += text.len() + 2;
        Some(text)
    }

    /// Passes a string with escapes, and gives it as it is spelled and as it reads, where it does.
    #[cold]
    pub(super) fn escaped_string(&mut self) -> Read<(&'a str, Option<String>)> {
        let start = self.at;
        self.escaped_string_end()?;
        let spelled = self.text.get(start + 1..self.at - 1).unwrap_or("");
        Ok((spelled, unescape(spelled)))
    }

    #[cold]
    fn escaped_string_end(&mut self) -> Read<()> {
        if self.byte() != b'"' {
            return self.fail();
        }
        self.at += 1;
        loop {
            self.at += plain_prefix(self.text.as_bytes().get(self.at..).unwrap_or(&[]));
            match self.byte() {
                b'"' => break,
                b'\\' => {
                    self.at += 2;
                    if self.at > self.text.len() {
                        self.at = self.text.len();
                        return self.fail();
                    }
                }
                _ if self.at < self.text.len() => self.at += 1,
                _ => return self.fail(),
            }
        }
        self.at += 1;
        Ok(())
    }
}

/// Bytes before the quote that ends a string; `None` where it has escapes or no end.
#[inline]
fn plain_length(bytes: &[u8]) -> Option<usize> {
    let length = plain_prefix(bytes);
    (bytes.get(length) == Some(&b'"')).then_some(length)
}

/// Bytes before the first quote, backslash or control byte, sixteen at a time.
#[inline]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks();
    for (at, chunk) in chunks.iter().enumerate() {
        let stops = stops(chunk);
        if stops != 0 {
            return at * 16 + stops.trailing_zeros() as usize;
        }
    }
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\') || *byte < 0x20;
    bytes.len() - rest.len() + rest.iter().position(stop).unwrap_or(rest.len())
}

/// A bit for each byte at which plain text ends.
#[inline]
fn stops(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    let is = |byte| bytes.simd_eq(u8x16::splat(byte));
    let is_control = bytes.simd_eq(bytes.min(u8x16::splat(0x1f)));
    (is(b'"') | is(b'\\') | is_control).to_bitmask()
}

/// The text that escapes spell; nothing where one of them or a raw control character is none. A
/// lone surrogate becomes U+FFFD: the text stays readable.
fn unescape(inner: &str) -> Option<String> {
    if inner.bytes().any(|byte| byte < b' ') {
        return None;
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at)?);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        match escape {
            b'"' => out.push('"'),
            b'\\' => out.push('\\'),
            b'/' => out.push('/'),
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let (character, after) = unicode_escape(rest)?;
                out.push(character);
                rest = after;
            }
            _ => return None,
        }
    }
    out.push_str(rest);
    Some(out)
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { u32::from_str_radix(digits, 16).ok() } else { None }
}

fn unicode_escape(rest: &str) -> Option<(char, &str)> {
    let first = hex4(rest)?;
    let after = rest.get(4..)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, after));
    }
    let low = after.strip_prefix("\\u").and_then(hex4);
    match low {
        Some(low @ 0xDC00..=0xDFFF) if first < 0xDC00 => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            Some((char::from_u32(code)?, after.get(6..)?))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, after)),
    }
}

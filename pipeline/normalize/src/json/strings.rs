//! Strings of JSON: where they end, sixteen bytes at a time, and what their escapes spell.

use wide::u8x16;

/// Bytes before the quote that ends a string; `None` where it has escapes or no end.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> Option<usize> {
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
pub(super) fn unescape(inner: &str) -> Option<String> {
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

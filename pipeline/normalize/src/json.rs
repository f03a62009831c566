//! A pull reader over JSON text: one pass, borrowed text, numbers as they are spelled.
//!
//! Why not a typed `serde` parse: here a wrong type, a repeated key or an odd number costs one
//! field and never the neighbours, and so does a value that is no JSON where its end is plain (a
//! raw line break or a wrong escape in a string, `NaN`, `1.2.3`, nothing at all); money is read
//! from the number's own digits; errors carry a byte position; nesting is bounded without
//! recursion. Speed: strings are scanned sixteen bytes at a time; `benches/` compares it with
//! `sonic-rs`.

mod numbers;
mod strings;

use std::borrow::Cow;

use crate::drift::Drift;

use numbers::ends_value;

/// Deepest nesting that is read; no documented payload passes 12.
pub(crate) const DEPTH_MAX: usize = 64;

/// Bytes that lists inside elements may take beside so many times their document's text.
const HELD_BYTES: usize = 20 << 10;
const HELD_FACTOR: usize = 5;

/// The text is no JSON, at this byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// Byte position in the text that was read.
    pub(crate) at: usize,
}

type Read<T> = Result<T, Syntax>;

/// A value, as far as a field needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Scalar<'a> {
    /// The key was not there.
    #[default]
    Missing,
    /// `null`.
    Null,
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A number, as spelled.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// An object or array where a scalar was expected, or a damaged value.
    Unreadable,
}

impl Scalar<'_> {
    /// Text, or the digits of a number; `None` where it is empty or anything else.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Number(digits) => Some(digits),
            _ => None,
        }
    }

    /// There is a value, and it is no text.
    pub(crate) const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Unreadable)
    }

    /// There is a value other than null.
    pub(crate) const fn is_present(&self) -> bool {
        !matches!(self, Self::Missing | Self::Null)
    }

    /// How many parts.
    pub(crate) fn parts(&self) -> Option<u16> {
        self.whole().and_then(|parts| u16::try_from(parts).ok())
    }

    /// A whole number, as a number or as text; a fraction of zeros is none.
    pub(crate) fn whole(&self) -> Option<i64> {
        let text = self.text()?;
        text.parse().ok().or_else(|| {
            let (whole, fraction) = text.split_once('.')?;
            let is_zero = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
            if is_zero { whole.parse().ok() } else { None }
        })
    }
}

/// What the next value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Scalar,
}

/// The reader: a position in a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Told of fields that nobody reads.
    drift: Option<&'a Drift>,
    /// The key read last, as it is spelled.
    key: &'a str,
    /// The key below which the object stands that is being read.
    parent: &'a str,
    /// In an object or an array, where a mark stands behind each value.
    is_inside: bool,
}

impl<'a> Cursor<'a> {
    /// At the start of a text.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, drift: None, key: "", parent: "", is_inside: false }
    }

    /// At the start of a vendor's document, of which unknown fields are counted, and what its lists
    /// take.
    pub(crate) fn watched(text: &'a str, drift: &'a Drift) -> Self {
        drift.held.set(0);
        Self { drift: Some(drift), ..Self::new(text) }
    }

    /// Another place of the text, of which nothing is counted.
    pub(crate) const fn unwatched(self, at: usize) -> Self {
        Self { at, drift: None, ..self }
    }

    /// Skips the value of a key that no arm of an adapter takes.
    #[inline]
    pub(crate) fn other(&mut self) -> Read<()> {
        if let Some(drift) = self.drift {
            drift.other(self.parent, self.key);
        }
        self.skip()
    }

    /// The key read last, as it is spelled.
    pub(crate) const fn key_spelled(&self) -> &'a str {
        self.key
    }

    pub(crate) const fn fail<T>(&self) -> Read<T> {
        Err(Syntax { at: self.at })
    }

    /// Counts bytes that a list of this document takes until it is read whole, beside those that it
    /// has; fails where all lists together would take many times their text.
    pub(crate) fn hold(&self, bytes: usize, has: usize) -> Read<()> {
        let held = self.drift.map_or(has, |drift| drift.held.get()) + bytes;
        if held > HELD_BYTES + HELD_FACTOR * self.text.len() {
            return self.fail();
        }
        if let Some(drift) = self.drift {
            drift.held.set(held);
        }
        Ok(())
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Read<()> {
        self.space();
        if self.byte() == byte {
            self.at += 1;
            return Ok(());
        }
        self.fail()
    }

    /// Byte position in the text.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// What comes next.
    pub(crate) fn kind(&mut self) -> Kind {
        self.space();
        match self.byte() {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            _ => Kind::Scalar,
        }
    }

    /// Bytes of the whole text.
    pub(crate) const fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Goes behind the comma that stands next, where one does.
    pub(crate) fn pass_comma(&mut self) {
        self.space();
        if self.byte() == b',' {
            self.at += 1;
        }
    }

    /// Whether `null` (or a broken word of its letter) comes next.
    pub(crate) fn is_null(&mut self) -> bool {
        self.space();
        self.byte() == b'n'
    }

    /// The first key of an object that comes next, where it has no escapes.
    pub(crate) fn first_key(mut self) -> Option<&'a str> {
        self.take(b'{').ok()?;
        self.space();
        self.plain_string()
    }

    /// Nothing but space is left.
    pub(crate) fn end(&mut self) -> Read<()> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.fail() }
    }

    /// Reads an object; `field` must consume the value of each key.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Read<()>,
    ) -> Read<()> {
        self.take(b'{')?;
        self.space();
        if self.byte() == b'}' {
            self.at += 1;
            return Ok(());
        }
        let around = (self.parent, self.key, self.is_inside);
        (self.parent, self.is_inside) = (self.key, true);
        loop {
            self.space();
            let unescaped;
            let key = match self.plain_string() {
                Some(key) => {
                    self.key = key;
                    key
                }
                None => {
                    (self.key, unescaped) = self.escaped_string()?;
                    unescaped.as_deref().unwrap_or(self.key)
                }
            };
            self.take(b':')?;
            field(self, key)?;
            self.space();
            match self.byte() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return self.fail(),
            }
        }
        self.at += 1;
        (self.parent, self.key, self.is_inside) = around;
        Ok(())
    }

    /// Reads an object where one stands, else skips the value and gives false.
    #[inline]
    pub(crate) fn object_or_skip(
        &mut self,
        field: impl FnMut(&mut Self, &str) -> Read<()>,
    ) -> Read<bool> {
        if self.kind() != Kind::Object {
            self.skip()?;
            return Ok(false);
        }
        self.object(field)?;
        Ok(true)
    }

    /// Reads a document: an object with nothing behind it, else skips the value and gives false.
    #[inline]
    pub(crate) fn document_or_skip(
        &mut self,
        field: impl FnMut(&mut Self, &str) -> Read<()>,
    ) -> Read<bool> {
        let is_object = self.object_or_skip(field)?;
        self.end()?;
        Ok(is_object)
    }

    /// Reads an array; `element` must consume each value.
    #[inline]
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.take(b'[')?;
        self.space();
        if self.byte() == b']' {
            self.at += 1;
            return Ok(());
        }
        let around = std::mem::replace(&mut self.is_inside, true);
        loop {
            element(self)?;
            self.space();
            match self.byte() {
                b',' => self.at += 1,
                b']' => break,
                _ => return self.fail(),
            }
        }
        self.at += 1;
        self.is_inside = around;
        Ok(())
    }

    /// Reads a scalar; an object or array is skipped and gives [`Scalar::Unreadable`].
    #[inline]
    pub(crate) fn scalar(&mut self) -> Read<Scalar<'a>> {
        self.space();
        match self.byte() {
            b'"' => match self.plain_string() {
                Some(text) => Ok(Scalar::Text(Cow::Borrowed(text))),
                None => Ok(match self.escaped_string()? {
                    (_, Some(text)) => Scalar::Text(Cow::Owned(text)),
                    _ => Scalar::Unreadable,
                }),
            },
            b'{' | b'[' => {
                self.skip()?;
                Ok(Scalar::Unreadable)
            }
            b'n' if self.word(b"null") => Ok(Scalar::Null),
            b't' if self.word(b"true") => Ok(Scalar::Bool(true)),
            b'f' if self.word(b"false") => Ok(Scalar::Bool(false)),
            _ => match self.number() {
                Some(digits) => Ok(Scalar::Number(digits)),
                None => self.damaged(),
            },
        }
    }

    /// Reads a scalar, and gives it as it is spelled, too.
    pub(crate) fn spelled_scalar(&mut self) -> Read<(&'a str, Scalar<'a>)> {
        self.space();
        let start = self.at;
        let value = self.scalar()?;
        Ok((self.text.get(start..self.at).unwrap_or(""), value))
    }

    /// Reads the next value by `read`, counting none of its fields; `None` where it cannot be read
    /// so: then it is passed.
    #[inline]
    pub(crate) fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        let mut inner = self.unwatched(self.at);
        match read(&mut inner) {
            Ok(value) => {
                self.at = inner.at;
                Ok(Some(value))
            }
            Err(_) => self.skip().map(|()| None),
        }
    }

    /// Skips a value and gives its text.
    pub(crate) fn raw(&mut self) -> Read<&'a str> {
        self.space();
        let start = self.at;
        self.skip()?;
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Skips a value, checking it: a loop with one bit a level, no recursion.
    pub(crate) fn skip(&mut self) -> Read<()> {
        self.space();
        if self.byte() == b'"' {
            return self.string_end();
        }
        self.skip_any()
    }

    fn skip_any(&mut self) -> Read<()> {
        let around = self.is_inside;
        let mut objects: u64 = 0;
        let mut depth = 0_usize;
        loop {
            self.space();
            let opened = match self.byte() {
                open @ (b'{' | b'[') => {
                    if depth == DEPTH_MAX {
                        return self.fail();
                    }
                    self.at += 1;
                    self.space();
                    objects = objects << 1 | u64::from(open == b'{');
                    depth += 1;
                    self.is_inside = true;
                    !matches!((open, self.byte()), (b'{', b'}') | (b'[', b']'))
                }
                b'"' => self.string_end().map(|()| false)?,
                b'n' if self.word(b"null") => false,
                b't' if self.word(b"true") => false,
                b'f' if self.word(b"false") => false,
                _ => self.number().is_none() && self.damaged().map(|_| false)?,
            };
            if opened {
                if objects & 1 == 1 {
                    self.key()?;
                }
                continue;
            }
            // A value has ended: close what ends with it, or go on behind a comma.
            loop {
                if depth == 0 {
                    self.is_inside = around;
                    return Ok(());
                }
                self.space();
                match (objects & 1, self.byte()) {
                    (_, b',') => {
                        self.at += 1;
                        if objects & 1 == 1 {
                            self.key()?;
                        }
                        break;
                    }
                    (1, b'}') | (0, b']') => {
                        self.at += 1;
                        objects >>= 1;
                        depth -= 1;
                    }
                    _ => return self.fail(),
                }
            }
        }
    }

    fn key(&mut self) -> Read<()> {
        self.space();
        self.string_end()?;
        self.take(b':')
    }

    /// Passes a word, where it is a value; stays where it is none.
    #[inline]
    fn word(&mut self, word: &[u8]) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        let is_value = rest.starts_with(word) && ends_value(rest.get(word.len()));
        self.at += if is_value { word.len() } else { 0 };
        is_value
    }

    /// Passes what stands where a value should, and is none: up to the mark behind it. A whole
    /// document has none, and is no JSON.
    #[cold]
    fn damaged(&mut self) -> Read<Scalar<'a>> {
        let (before, rest) = self.text.split_at_checked(self.at).unwrap_or((self.text, ""));
        let is_end = |byte: u8| byte <= b' ' || b",:{}[]\"".contains(&byte);
        let length = rest.bytes().position(is_end).unwrap_or(rest.len());
        // Nothing at all is a member's value only: of a list each comma would be an element.
        let is_member = || before.trim_ascii_end().ends_with(':') && rest.starts_with([',', '}']);
        let is_empty = length == 0 && !is_member();
        if is_empty || !self.is_inside || !ends_value(rest.as_bytes().get(length)) {
            return self.fail();
        }
        self.at += length;
        Ok(Scalar::Unreadable)
    }
}

#[cfg(test)]
mod tests;

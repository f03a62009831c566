//! Records that a sender forwards: one JSON document or an array of them, and HTTP answers of
//! services that call nobody back, as `{request, status, headers, body}`.

use std::borrow::Cow;

use model::time::parse_rfc3339;

use crate::date;
use crate::draft::{Dead, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::List;

/// Reads a record as documents and hands each to `read`; an error of one costs that one only.
/// `read` has to see that nothing stands behind its document.
pub(crate) fn each_document(
    text: &str,
    out: &mut Emitter<'_>,
    mut read: impl FnMut(&str, Place<'_>, &mut Emitter<'_>) -> Result<(), Dead>,
) -> Result<(), Dead> {
    let mut cursor = Cursor::new(text);
    if cursor.kind() != Kind::Array {
        return read(text, Place { parent: "", at: None }, out);
    }
    let mut documents = List::default();
    documents.read(&mut cursor, Cursor::raw)?;
    cursor.end()?;
    if documents.len() == 0 {
        out.ignored("empty");
    }
    documents.each(Cursor::raw, |at, document| {
        let place = Place { parent: "", at: Some(at) };
        if let Err(dead) = read(document, place, out) {
            out.dead(dead);
        }
    });
    Ok(())
}

/// An HTTP answer and the request it answers; parts are JSON text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer<'a> {
    pub(crate) request: Option<&'a str>,
    pub(crate) status: Scalar<'a>,
    pub(crate) headers: Option<&'a str>,
    pub(crate) body: Option<&'a str>,
}

impl<'a> Answer<'a> {
    /// Takes one of the answer's keys; false where the key is none of them.
    pub(crate) fn field(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<bool, Syntax> {
        match key {
            "request" => self.request = Some(cursor.raw()?),
            "status" => self.status = cursor.scalar()?,
            "headers" => self.headers = Some(cursor.raw()?),
            "body" => self.body = Some(cursor.raw()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A header of the answer, by name without case.
    pub(crate) fn header(&self, name: &str) -> Scalar<'a> {
        header(self.headers.unwrap_or("null"), name)
    }

    /// HTTP status: the record's, else the pseudo header of HTTP/2.
    pub(crate) fn http_status(&self) -> Scalar<'a> {
        if self.status.is_present() { self.status.clone() } else { self.header(":status") }
    }

    /// Time of the answer's `Date` header.
    pub(crate) fn date_us(&self, out: &mut Emitter<'_>) -> Option<i64> {
        out.time(&self.header("date"), date::parse_mail)
    }

    /// The body as JSON text: an object, or the text that a string holds.
    pub(crate) fn body_text(&self) -> Cow<'a, str> {
        body_text(self.body)
    }
}

/// A body as JSON text: itself, or the text that a string holds.
pub(crate) fn body_text(body: Option<&str>) -> Cow<'_, str> {
    let body = body.unwrap_or("null");
    if !body.starts_with('"') {
        return Cow::Borrowed(body);
    }
    match Cursor::new(body).scalar() {
        Ok(Scalar::Text(text)) => text,
        _ => Cow::Borrowed(body),
    }
}

/// Scalar members of an object's text, by names without case; missing where there is no object.
pub(crate) fn members<'a, const N: usize>(object: &'a str, names: [&str; N]) -> [Scalar<'a>; N] {
    members_of(Cursor::new(object), names)
}

/// The same from a cursor, which may be told of the others.
pub(crate) fn members_of<'a, const N: usize>(
    mut cursor: Cursor<'a>,
    names: [&str; N],
) -> [Scalar<'a>; N] {
    let members = each_member(&mut cursor, |key| place(key, &names), Cursor::scalar);
    members.unwrap_or_else(|_| none())
}

/// One of them.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Scalar<'a> {
    let [found] = members(object, [name]);
    found
}

/// Values of headers, by names without case; of a list of values (`["a"]`) the first.
pub(crate) fn headers<'a, const N: usize>(headers: &'a str, names: [&str; N]) -> [Scalar<'a>; N] {
    read_headers(&mut Cursor::new(headers), names).unwrap_or_else(|_| none())
}

/// The same of headers that stand next.
pub(crate) fn read_headers<'a, const N: usize>(
    cursor: &mut Cursor<'a>,
    names: [&str; N],
) -> Result<[Scalar<'a>; N], Syntax> {
    let value = |cursor: &mut Cursor<'a>| {
        if cursor.kind() != Kind::Array {
            return cursor.scalar();
        }
        let mut found = Scalar::Missing;
        cursor.array(|cursor| {
            let value = cursor.scalar()?;
            if !found.is_present() {
                found = value;
            }
            Ok(())
        })?;
        Ok(found)
    };
    each_member(cursor, |key| place(key, &names), value)
}

/// One of them.
pub(crate) fn header<'a>(object: &'a str, name: &str) -> Scalar<'a> {
    let [found] = headers(object, [name]);
    found
}

/// The texts of an object's members, whatever they are.
pub(crate) fn parts<'a, const N: usize>(object: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    let place = |key: &str| names.iter().position(|name| key == *name);
    let read = |cursor: &mut Cursor<'a>| cursor.raw().map(Some);
    each_member(&mut Cursor::new(object), place, read).unwrap_or_else(|_| none())
}

/// One of them.
pub(crate) fn part<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let [found] = parts(object, [name]);
    found
}

/// Which of the names a key is, without case.
pub(crate) fn place(key: &str, names: &[&str]) -> Option<usize> {
    names.iter().position(|name| key.eq_ignore_ascii_case(name))
}

fn none<T: Default, const N: usize>() -> [T; N] {
    std::array::from_fn(|_| T::default())
}

/// Reads the members that have a place in one pass; an error where the object is broken.
#[inline]
fn each_member<'a, T: Default, const N: usize>(
    cursor: &mut Cursor<'a>,
    place: impl Fn(&str) -> Option<usize>,
    read: impl Fn(&mut Cursor<'a>) -> Result<T, Syntax>,
) -> Result<[T; N], Syntax> {
    let mut found: [T; N] = none();
    cursor.object_or_skip(|cursor, key| {
        match place(key).and_then(|at| found.get_mut(at)) {
            Some(slot) => *slot = read(cursor)?,
            None => cursor.other()?,
        }
        Ok(())
    })?;
    Ok(found)
}

/// A sender's own time: RFC 3339, or a Unix time whose size tells seconds from milliseconds, also
/// with a fraction or an exponent.
pub(crate) fn instant(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(number) => date::unix(number),
        Err(_) => parse_rfc3339(text).or_else(|| date::unix_decimal_of_either(text)),
    }
}

/// A Unix time in digits alone, whose size tells seconds from milliseconds.
pub(crate) fn unix_digits(text: &str) -> Option<i64> {
    model::time::digits(text.as_bytes())?;
    instant(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_unix_time_tells_its_unit() {
        let expected = parse_rfc3339("2026-11-20T12:00:05Z");
        assert!(expected.is_some());
        assert_eq!(unix_digits("1795176005"), expected);
        assert_eq!(unix_digits("1795176005000"), expected);
        for bad in ["", "-1", "1e9", "2026-11-20T12:00:05Z", "9999999999999999999"] {
            assert_eq!(unix_digits(bad), None, "{bad}");
        }
    }
}

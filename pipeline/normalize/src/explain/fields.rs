//! The fields of a record, wherever they stand: in JSON, also inside a string, base64, base64 of
//! gzip or behind a log's time; in forms and the query of a `url`; in CSV, receipts and headers.
//! Each can be replaced in place, so that everything around it stays as it is byte for byte. A path
//! is printed: steps that may be somebody's number, address or text are `#` in it.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::csv;
use crate::drift::shown;
use model::record::{RawBatch, RawRecord};

use crate::form::Form;
use crate::gzip;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::record::VALUE_BYTES_MAX;
use crate::text::write_string;

/// Most layers around a text that is unpacked.
const LAYERS_MAX: usize = 16;

/// A record on its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The vendor's text.
    pub value: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
}

impl Record {
    /// Appends it to a batch.
    pub(crate) fn append(
        &self,
        raw: &mut RawBatch,
        input: u32,
        offset: i64,
        ingest_time_us: Option<i64>,
    ) {
        let value = raw.push_bytes(self.value.as_bytes());
        let start = raw.headers.len();
        for (name, value) in &self.headers {
            let pair = (raw.push_bytes(name.as_bytes()), raw.push_bytes(value.as_bytes()));
            raw.headers.push(pair);
        }
        raw.records.push(RawRecord {
            input,
            offset,
            ingest_time_us,
            value,
            tombstone: false,
            headers: start..raw.headers.len(),
        });
    }
}

/// How a text lies inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Json,
    Base64,
    Base64Url,
    /// Base64 of a gzip file.
    Gzip,
    Percent,
}

impl Coding {
    fn decode(self, text: &str) -> Option<String> {
        let bytes = match self {
            Self::Plain => return Some(text.to_owned()),
            Self::Json => return Some(Cursor::new(text).scalar().ok()?.text()?.to_owned()),
            Self::Base64 => STANDARD.decode(text).ok()?,
            Self::Base64Url => URL_SAFE.decode(text).ok()?,
            Self::Gzip => gzip::unpack(&STANDARD.decode(text).ok()?, VALUE_BYTES_MAX).ok()?,
            Self::Percent => {
                let mut form = Form::default();
                // The name is there so that an equals sign in the value stays.
                form.read(&format!("v={text}"));
                return form.pairs().next().and_then(|(_, value)| value.map(str::to_owned));
            }
        };
        String::from_utf8(bytes).ok()
    }

    fn encode(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Json => {
                let mut out = Vec::new();
                write_string(text, &mut out);
                String::from_utf8_lossy(&out).into_owned()
            }
            Self::Base64 => STANDARD.encode(text),
            Self::Base64Url => URL_SAFE.encode(text),
            Self::Gzip => {
                let mut file = GzEncoder::new(Vec::new(), Compression::default());
                let written = file.write_all(text.as_bytes()).and_then(|()| file.finish());
                // Writing to a Vec cannot fail.
                STANDARD.encode(written.unwrap_or_default())
            }
            Self::Percent => {
                use std::fmt::Write as _;
                let mut out = String::new();
                for byte in text.bytes() {
                    match byte {
                        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                            out.push(byte.into());
                        }
                        // Writing to a String cannot fail.
                        _ => drop(write!(out, "%{byte:02X}")),
                    }
                }
                out
            }
        }
    }
}

/// What stands in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A JSON string, number, bool or null.
    Json,
    /// An object or array, whose own fields are listed too.
    Nested,
    /// Plain text, outside of JSON.
    Text,
}

/// A field of a record.
#[derive(Debug, Clone)]
pub struct Field {
    /// Where it stands: `results[0].status.name`, `url?To`, `header date`.
    pub path: String,
    /// What stands there.
    pub shape: Shape,
    /// Its text: unescaped; of an object or array as it is spelled.
    pub text: String,
    /// The header in which it stands, else it is in the value.
    header: Option<usize>,
    layers: Vec<(Range<usize>, Coding)>,
    range: Range<usize>,
}

impl Field {
    /// The record with a JSON value (or plain text, by the field's shape) in this field's place.
    #[must_use]
    pub fn put(&self, record: &Record, new: &str) -> Record {
        let mut changed = record.clone();
        let holder = match self.header {
            Some(at) => changed.headers.get_mut(at).map(|(_, value)| value),
            None => Some(&mut changed.value),
        };
        if let Some(holder) = holder {
            *holder = put(holder, &self.layers, &self.range, new);
        }
        changed
    }

    /// The record with this text in the field, as a string where the field is JSON.
    #[must_use]
    pub fn put_text(&self, record: &Record, text: &str) -> Record {
        match self.shape {
            Shape::Text => self.put(record, text),
            Shape::Json | Shape::Nested => self.put(record, &Coding::Json.encode(text)),
        }
    }
}

fn put(text: &str, layers: &[(Range<usize>, Coding)], range: &Range<usize>, new: &str) -> String {
    let splice = |range: &Range<usize>, new: &str| {
        let head = text.get(..range.start).unwrap_or("");
        [head, new, text.get(range.end..).unwrap_or("")].concat()
    };
    let Some(((outer, coding), rest)) = layers.split_first() else { return splice(range, new) };
    let inner = text.get(outer.clone()).and_then(|text| coding.decode(text)).unwrap_or_default();
    splice(outer, &coding.encode(&put(&inner, rest, range, new)))
}

/// All fields of a record, in the order in which they stand.
#[must_use]
pub fn fields(record: &Record) -> Vec<Field> {
    let mut walk = Walk { found: Vec::new(), header: None, layers: Vec::new() };
    walk.text(&record.value, "");
    for (at, (name, value)) in record.headers.iter().enumerate() {
        walk.header = Some(at);
        match value.split_once('?') {
            Some((address, query)) if name.eq_ignore_ascii_case("url") => {
                let start = address.len() + 1;
                walk.inside(start..value.len(), Coding::Plain, query, "url?");
                walk.leaf("url", 0..address.len(), Shape::Text, address);
            }
            _ => walk.leaf(&format!("header {}", shown(name)), 0..value.len(), Shape::Text, value),
        }
    }
    walk.found
}

struct Walk {
    found: Vec<Field>,
    header: Option<usize>,
    layers: Vec<(Range<usize>, Coding)>,
}

impl Walk {
    fn leaf(&mut self, path: &str, range: Range<usize>, shape: Shape, text: &str) {
        self.found.push(Field {
            path: path.to_owned(),
            shape,
            text: text.to_owned(),
            header: self.header,
            layers: self.layers.clone(),
            range,
        });
    }

    fn inside(&mut self, range: Range<usize>, coding: Coding, inner: &str, path: &str) {
        self.layers.push((range, coding));
        self.text(inner, path);
        self.layers.pop();
    }

    /// A text of any format.
    fn text(&mut self, text: &str, path: &str) {
        let start = text.len() - text.trim_start().len();
        match text.as_bytes().get(start) {
            None => {}
            Some(b'{' | b'[') => self.documents(text, path),
            Some(b'"') if is_json_text(text) => {
                let mut cursor = Cursor::new(text);
                let _ = self.value(&mut cursor, path);
            }
            _ => match log_line(text) {
                Some(at) => {
                    let inner = text.get(at..).unwrap_or("");
                    self.inside(at..text.len(), Coding::Plain, inner, path);
                }
                None if is_receipt(text) => self.receipt(text, path),
                None if self.packed(text, path) => {}
                None if !text.trim().contains('\n') && text.contains('=') => self.form(text, path),
                None if text.contains('\t') => self.table(text, path, b'\t'),
                None if text.contains(',') => self.table(text, path, b','),
                None => self.leaf(path, 0..text.len(), Shape::Text, text),
            },
        }
    }

    /// A base64 of JSON, perhaps of its gzip file; false where it is none.
    fn packed(&mut self, text: &str, path: &str) -> bool {
        let start = text.len() - text.trim_start().len();
        let packed = text.trim();
        if self.layers.len() > LAYERS_MAX {
            return false;
        }
        for coding in [Coding::Base64, Coding::Base64Url, Coding::Gzip] {
            let Some(inner) = coding.decode(packed).filter(|inner| holds(inner)) else { continue };
            self.inside(start..start + packed.len(), coding, &inner, path);
            return true;
        }
        false
    }

    /// One JSON document or several, one behind the other.
    fn documents(&mut self, text: &str, path: &str) {
        let mut cursor = Cursor::new(text);
        // Checks the nesting before anything recurses.
        let mut checked = cursor;
        while checked.end().is_err() {
            if checked.skip().is_err() {
                return;
            }
        }
        let mut first = cursor;
        let is_one = first.skip().and_then(|()| first.end()).is_ok();
        let mut at = 0;
        while cursor.end().is_err() {
            let path = if is_one { path.to_owned() } else { format!("{path}[{at}]") };
            if self.value(&mut cursor, &path).is_err() {
                return;
            }
            at += 1;
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, path: &str) -> Result<(), Syntax> {
        let kind = cursor.kind();
        let mut ahead = *cursor;
        let raw = ahead.raw()?;
        let range = cursor.at()..cursor.at() + raw.len();
        match kind {
            Kind::Object => {
                self.leaf(path, range, Shape::Nested, raw);
                cursor.object(|cursor, key| self.value(cursor, &join(path, key)))
            }
            Kind::Array => {
                self.leaf(path, range, Shape::Nested, raw);
                let mut at = 0;
                cursor.array(|cursor| {
                    at += 1;
                    self.value(cursor, &format!("{path}[{}]", at - 1))
                })
            }
            Kind::Scalar => {
                *cursor = ahead;
                self.scalar(raw, range, path);
                Ok(())
            }
        }
    }

    /// A scalar, or what is written inside a string.
    fn scalar(&mut self, raw: &str, range: Range<usize>, path: &str) {
        let text = match Cursor::new(raw).scalar() {
            Ok(Scalar::Text(text)) => text,
            _ => Cow::Borrowed(raw),
        };
        if raw.starts_with('"') {
            if holds(&text) || is_receipt(&text) || log_line(&text).is_some() {
                return self.inside(range, Coding::Json, &text, path);
            }
            self.layers.push((range.clone(), Coding::Json));
            let is_packed = self.packed(&text, path);
            self.layers.pop();
            if is_packed {
                return;
            }
        }
        self.leaf(path, range, Shape::Json, &text);
    }

    fn form(&mut self, text: &str, path: &str) {
        let mut start = 0;
        for pair in text.split('&') {
            let end = start + pair.trim_end().len();
            if let Some((name, value)) = pair.trim_end().split_once('=') {
                let name = Coding::Percent.decode(name.trim_start()).unwrap_or_default();
                let range = end - value.len()..end;
                let value = Coding::Percent.decode(value).unwrap_or_default();
                let path = match path {
                    "url?" => format!("url?{}", shown(&name)),
                    _ => join(path, &name),
                };
                if value.trim_start().starts_with(['{', '[']) {
                    self.inside(range, Coding::Percent, &value, &path);
                } else {
                    self.layers.push((range, Coding::Percent));
                    self.leaf(&path, 0..value.len(), Shape::Text, &value);
                    self.layers.pop();
                }
            }
            start += pair.len() + 1;
        }
    }

    /// Separated rows below a line of names; a cell is found by plain splitting.
    fn table(&mut self, text: &str, path: &str, separator: u8) {
        let mut names: Option<Vec<&str>> = None;
        let (mut start, mut row) = (0, 0);
        for line in text.split_inclusive('\n') {
            let cells = cells(line.trim_end_matches(['\r', '\n']), separator);
            if let Some(names) = &names {
                for (name, range) in names.iter().zip(&cells) {
                    let cell = line.get(range.clone()).unwrap_or("");
                    let range = start + range.start..start + range.end;
                    self.leaf(&join(&format!("{path}[{row}]"), name), range, Shape::Text, cell);
                }
                row += usize::from(!cells.is_empty());
            } else if !cells.is_empty() {
                names = Some(
                    cells.into_iter().map(|range| line.get(range).unwrap_or("").trim()).collect(),
                );
            }
            start += line.len();
        }
    }

    /// SMPP receipts: `id:… sub:… stat:…`, one a line.
    fn receipt(&mut self, text: &str, path: &str) {
        let lines = text.lines().filter(|line| is_receipt(line)).count();
        let (mut start, mut at) = (0, 0);
        for line in text.split_inclusive('\n') {
            let path = if lines > 1 { format!("{path}[{at}]") } else { path.to_owned() };
            let (mut word_start, mut before) = (start, "");
            for word in line.split_inclusive(' ') {
                if let Some((name, value)) = word.trim_end().split_once(':') {
                    let from = word_start + name.len() + 1;
                    let range = from..from + value.len();
                    // `submit date` and `done date` are a name each.
                    let path = match name.eq_ignore_ascii_case("date") && !before.is_empty() {
                        true => format!("{} {name}", join(&path, before)),
                        false => join(&path, name),
                    };
                    self.leaf(&path, range, Shape::Text, value);
                }
                (word_start, before) = (word_start + word.len(), word.trim());
            }
            at += usize::from(is_receipt(line));
            start += line.len();
        }
    }
}

/// Positions of a line's cells, without the quotes around them.
fn cells(line: &str, separator: u8) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let (mut start, mut is_quoted) = (0, false);
    let ends = line.bytes().chain([separator]).enumerate();
    for (at, byte) in ends {
        match byte {
            b'"' if separator == csv::COMMA => is_quoted = !is_quoted,
            _ if byte == separator && (!is_quoted || at == line.len()) => {
                let cell = line.get(start..at).unwrap_or("");
                let inner = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
                cells.push(if inner.is_some() { start + 1..at - 1 } else { start..at });
                start = at + 1;
            }
            _ => {}
        }
    }
    if line.trim().is_empty() { Vec::new() } else { cells }
}

fn join(path: &str, name: &str) -> String {
    let name = shown(name);
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn holds(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn is_json_text(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.skip().and_then(|()| cursor.end()).is_ok()
}

fn is_receipt(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("stat:") && lower.contains("id:")
}

/// Where the JSON of a log's line begins: behind its time.
fn log_line(text: &str) -> Option<usize> {
    let (time, rest) = text.split_once([' ', '\t'])?;
    let is_time = time.starts_with(|first: char| first.is_ascii_digit());
    (is_time && rest.trim_start().starts_with('{')).then(|| text.find('{')).flatten()
}

//! Tables of values with a comma (RFC 4180) or a tab between. Behind a comma a quoted field may
//! hold separators, line ends and doubled quotes; one that is not closed before a separator or an
//! end is damaged, and costs itself. Behind a tab quotes are characters as others are
//! (an agent may be called `"Promo" shop`), but for a cell that is quoted from end to end, as
//! spreadsheets write it: its quotes are taken off. Empty lines are none.

use std::borrow::Cow;

use crate::json::{Scalar, Syntax};
use crate::record::SUBSTITUTE;

/// Fields that a row is read for: reports have about forty columns. Of commas alone a row would
/// take twenty times its bytes.
const FIELDS_MAX: usize = 256;

/// Stands for a damaged field: holds [`SUBSTITUTE`].
const DAMAGED: &str = "\u{1a}";

/// Separators.
pub(crate) const COMMA: u8 = b',';
pub(crate) const TAB: u8 = b'\t';

/// Whether a text's first line names the columns of a table with this one among them.
pub(crate) fn is_table(text: &str, separator: u8, column: &str) -> bool {
    let line = text.lines().next().unwrap_or("");
    line.split(char::from(separator)).any(|name| name.trim().trim_matches('"') == column)
}

/// Reads a table whose first row names the columns: `row` gets names and values. Nothing is handed
/// on before the table was read to its end; a row with fewer or more fields than names is none.
pub(crate) fn each_row(
    text: &str,
    separator: u8,
    mut row: impl FnMut(usize, Option<Row<'_, '_>>),
) -> Result<usize, Syntax> {
    // Once to see that it can be read, then row by row: a table may be large.
    let mut table = Table::new(text, separator);
    let mut values = Vec::new();
    while table.row(&mut values)? {}
    let mut table = Table::new(text, separator);
    let mut heading = Vec::new();
    table.row(&mut heading)?;
    let names: Vec<&str> = heading.iter().map(|name| name.trim()).collect();
    let mut at = 0;
    while table.row(&mut values)? {
        // Files one behind another repeat their heading.
        if values.first() == heading.first() && values == heading {
            continue;
        }
        let whole = values.len() == names.len();
        row(at, whole.then_some(Row { names: &names, values: &mut values }));
        at += 1;
    }
    Ok(at)
}

/// A row and the names of its columns.
#[derive(Debug)]
pub(crate) struct Row<'r, 'a> {
    names: &'r [&'r str],
    values: &'r mut Vec<Cow<'a, str>>,
}

impl<'a> Row<'_, 'a> {
    /// Whether a value was damaged, or is no text.
    pub(crate) fn is_damaged(&self) -> bool {
        self.values.iter().any(|value| value.contains(SUBSTITUTE))
    }

    /// Names and values; the values are given away. A damaged one cannot be read.
    pub(crate) fn fields(&mut self) -> impl Iterator<Item = (&str, Scalar<'a>)> {
        let values = self.values.drain(..).map(|value| match value.contains(SUBSTITUTE) {
            true => Scalar::Unreadable,
            false => Scalar::Text(value),
        });
        self.names.iter().copied().zip(values)
    }
}

/// A table that is read row by row.
#[derive(Debug)]
struct Table<'a> {
    text: &'a str,
    separator: u8,
    at: usize,
}

impl<'a> Table<'a> {
    const fn new(text: &'a str, separator: u8) -> Self {
        Self { text, separator, at: 0 }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Reads the next row's fields; false at the end.
    fn row(&mut self, fields: &mut Vec<Cow<'a, str>>) -> Result<bool, Syntax> {
        fields.clear();
        while matches!(self.byte(), b'\n' | b'\r') {
            self.at += 1;
        }
        if self.at >= self.text.len() {
            return Ok(false);
        }
        loop {
            if fields.len() == FIELDS_MAX {
                return Err(Syntax { at: self.at });
            }
            fields.push(match (self.byte(), self.separator) {
                (b'"', TAB) => unquoted(self.plain()),
                (b'"', _) => self.quoted().unwrap_or_else(|| {
                    self.plain();
                    Cow::Borrowed(DAMAGED)
                }),
                _ => self.plain().into(),
            });
            match self.byte() {
                found if found == self.separator && self.at < self.text.len() => self.at += 1,
                b'\n' | b'\r' => return Ok(true),
                _ if self.at >= self.text.len() => return Ok(true),
                _ => return Err(Syntax { at: self.at }),
            }
        }
    }

    fn plain(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or("");
        let length =
            memchr::memchr3(self.separator, b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or("")
    }

    /// A quoted field; stays where the quote is closed nowhere, or not at the field's end.
    fn quoted(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at + 1;
        let mut at = start;
        let mut has_quotes = false;
        loop {
            let rest = self.text.as_bytes().get(at..)?;
            let quote = memchr::memchr(b'"', rest)?;
            at += quote + 1;
            if rest.get(quote + 1) != Some(&b'"') {
                break;
            }
            has_quotes = true;
            at += 1;
        }
        let ends = |byte: &u8| *byte == self.separator || matches!(byte, b'\n' | b'\r');
        if !self.text.as_bytes().get(at).is_none_or(ends) {
            return None;
        }
        self.at = at;
        let inner = self.text.get(start..at - 1)?;
        Some(if has_quotes { inner.replace("\"\"", "\"").into() } else { inner.into() })
    }
}

/// A cell without the quotes around it; as it is where others than doubled ones stand inside.
fn unquoted(cell: &str) -> Cow<'_, str> {
    let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('"') => inner.into(),
        Some(inner) if inner.split("\"\"").all(|piece| !piece.contains('"')) => {
            inner.replace("\"\"", "\"").into()
        }
        _ => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Vec<String>>, Syntax> {
        rows_of(text, COMMA)
    }

    fn rows_of(text: &str, separator: u8) -> Result<Vec<Vec<String>>, Syntax> {
        let mut table = Table::new(text, separator);
        let (mut rows, mut row) = (Vec::new(), Vec::new());
        while table.row(&mut row)? {
            rows.push(row.iter().map(|field| field.to_string()).collect());
        }
        Ok(rows)
    }

    #[test]
    fn quotes_commas_and_line_ends_inside_fields_are_read() {
        let text = "a,\"b\"\r\n\r\n\"x, \"\"y\"\"\nz\",\n,2";
        let expected = vec![vec!["a", "b"], vec!["x, \"y\"\nz", ""], vec!["", "2"]];
        assert_eq!(rows(text).unwrap(), expected);
        assert_eq!(rows("").unwrap(), Vec::<Vec<String>>::new());
    }

    #[test]
    fn rows_have_the_names_of_the_first_or_are_none() {
        let mut seen = Vec::new();
        let rows = each_row("a\tb\n1\t2\n3\n\"4\"\"4\"\t5\n", TAB, |at, row| {
            let fields = row.map(|mut row| {
                let told = |(name, value): (&str, Scalar<'_>)| {
                    format!("{name}={}", value.text().unwrap_or(""))
                };
                row.fields().map(told).collect::<Vec<_>>()
            });
            seen.push((at, fields));
        });
        assert_eq!(rows, Ok(3));
        let fields = |a: &str, b: &str| Some(vec![format!("a={a}"), format!("b={b}")]);
        assert_eq!(seen, [(0, fields("1", "2")), (1, None), (2, fields("4\"4", "5"))]);
        let long = format!("a,b\n1,2\n{}", ",".repeat(FIELDS_MAX));
        let refused = each_row(&long, COMMA, |_, _| panic!("handed on"));
        assert_eq!(refused, Err(Syntax { at: 8 + FIELDS_MAX }));
    }

    #[test]
    fn between_tabs_quotes_are_characters_but_around_a_whole_cell() {
        for (cell, read) in [
            (r#""Promo" Agent"#, r#""Promo" Agent"#),
            (r#""Promo"#, r#""Promo"#),
            (r#"Promo""#, r#"Promo""#),
            (r#"a "b" c"#, r#"a "b" c"#),
            (r#""a" and "b""#, r#""a" and "b""#),
            (r#"""#, r#"""#),
            (r#"""""#, r#"""""#),
            (r#""""#, ""),
            (r#""Promo""#, "Promo"),
            (r#""a ""b"" c""#, r#"a "b" c"#),
            (r#""""""#, r#"""#),
        ] {
            let text = format!("x\t{cell}\ty\r\n{cell}\t\t{cell}\n");
            let expected = [["x", read, "y"], [read, "", read]];
            assert_eq!(rows_of(&text, TAB).unwrap(), expected, "{cell}");
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_field() {
        assert_eq!(rows("a\n\"b").unwrap(), [["a"], [DAMAGED]]);
        assert_eq!(rows("\"a\"b").unwrap(), [[DAMAGED]]);
        let text = "\"x\",1\n\"y,2\n\"z \"\"q\"\"\",3\nw,\"4\"\n";
        let expected = [["x", "1"], [DAMAGED, "2"], ["z \"q\"", "3"], ["w", "4"]];
        assert_eq!(rows(text).unwrap(), expected);
        assert!(DAMAGED.contains(SUBSTITUTE));
    }

    #[test]
    fn stray_quotes_are_passed_in_time_that_grows_with_the_text() {
        for piece in ["\"a,\n", "\"\"a,\n", "\"\"\"a\n", "\",\"\"a\n", "\"a\"\"\n"] {
            let text = piece.repeat(100_000);
            let started = std::time::Instant::now();
            let mut table = Table::new(&text, COMMA);
            while table.row(&mut Vec::new()).unwrap() {}
            assert_eq!(table.at, text.len(), "{piece}");
            assert!(started.elapsed().as_secs() < 5, "{piece}");
        }
    }

    #[test]
    fn a_row_of_commas_alone_is_no_row() {
        let text = ",".repeat(FIELDS_MAX + 9);
        assert_eq!(rows(&text), Err(Syntax { at: FIELDS_MAX }));
        assert_eq!(rows(&",".repeat(FIELDS_MAX - 1)).unwrap(), [vec![""; FIELDS_MAX]]);
    }

    #[test]
    fn a_table_is_known_by_its_id_column() {
        assert!(is_table("\"account_id\",\"message_id\"\n\"a\",\"b\"", COMMA, "message_id"));
        assert!(!is_table("messageId=1&to=a,message_ids", COMMA, "message_id"));
        assert!(is_table("agent_id\tbilling_event_id\n", TAB, "billing_event_id"));
    }
}

//! Tables of comma-separated values (RFC 4180): quoted fields may hold commas, line ends and
//! doubled quotes. Empty lines are none.

use std::borrow::Cow;

use crate::json::Syntax;

/// A column without which a report's row is none.
const ID_COLUMN: &str = "message_id";
/// Fields that a row is read for: reports have about forty columns. Of commas alone a row would
/// take twenty times its bytes.
const FIELDS_MAX: usize = 256;

/// Whether a text's first line names the columns of a report.
pub(super) fn is_table(text: &str) -> bool {
    let line = text.lines().next().unwrap_or("");
    line.split(',').any(|name| name.trim().trim_matches('"') == ID_COLUMN)
}

/// A table that is read row by row.
#[derive(Debug)]
pub(super) struct Table<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Table<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Reads the next row's fields; false at the end.
    pub(super) fn row(&mut self, fields: &mut Vec<Cow<'a, str>>) -> Result<bool, Syntax> {
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
            fields.push(if self.byte() == b'"' { self.quoted()? } else { self.plain() });
            match self.byte() {
                b',' => self.at += 1,
                b'\n' | b'\r' => return Ok(true),
                _ if self.at >= self.text.len() => return Ok(true),
                _ => return Err(Syntax { at: self.at }),
            }
        }
    }

    fn plain(&mut self) -> Cow<'a, str> {
        let rest = self.text.get(self.at..).unwrap_or("");
        let length = memchr::memchr3(b',', b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        self.at += length;
        Cow::Borrowed(rest.get(..length).unwrap_or(""))
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Syntax> {
        let start = self.at + 1;
        let mut at = start;
        let mut has_quotes = false;
        loop {
            let rest = self.text.as_bytes().get(at..).unwrap_or(&[]);
            let quote = memchr::memchr(b'"', rest).ok_or(Syntax { at: self.at })?;
            at += quote + 1;
            if rest.get(quote + 1) != Some(&b'"') {
                break;
            }
            has_quotes = true;
            at += 1;
        }
        self.at = at;
        let inner = self.text.get(start..at - 1).unwrap_or("");
        Ok(if has_quotes { inner.replace("\"\"", "\"").into() } else { inner.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Vec<String>>, Syntax> {
        let mut table = Table::new(text);
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
    fn an_open_quote_or_text_behind_one_is_an_error() {
        assert_eq!(rows("a\n\"b"), Err(Syntax { at: 2 }));
        assert_eq!(rows("\"a\"b"), Err(Syntax { at: 3 }));
    }

    #[test]
    fn a_row_of_commas_alone_is_no_row() {
        let text = ",".repeat(FIELDS_MAX + 9);
        assert_eq!(rows(&text), Err(Syntax { at: FIELDS_MAX }));
        assert_eq!(rows(&",".repeat(FIELDS_MAX - 1)).unwrap(), [vec![""; FIELDS_MAX]]);
    }

    #[test]
    fn a_table_is_known_by_its_id_column() {
        assert!(is_table("\"account_id\",\"message_id\"\n\"a\",\"b\""));
        assert!(!is_table("messageId=1&to=a,message_ids"));
    }
}

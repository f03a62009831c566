//! Numbers of JSON, as they are spelled.

use super::Cursor;

impl<'a> Cursor<'a> {
    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    /// Passes a number, and gives it as it is spelled; stays where none is.
    pub(super) fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        if self.pass_number().is_none() || !ends_value(self.text.as_bytes().get(self.at)) {
            self.at = start;
            return None;
        }
        self.text.get(start..self.at)
    }

    fn pass_number(&mut self) -> Option<()> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        // Zeros in front are no JSON, but codes have them (Gupshup's `"errCode": 003`).
        if self.digits() == 0 {
            return None;
        }
        if self.byte() == b'.' {
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            if self.digits() == 0 {
                return None;
            }
        }
        Some(())
    }
}

/// Whether a value may end before this byte, or the text's end.
#[inline]
pub(super) fn ends_value(byte: Option<&u8>) -> bool {
    byte.is_none_or(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'))
}

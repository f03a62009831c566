//! The signed request as the record's headers tell it, and what every scheme asks of it.

use model::record::{RecordView, received_at};
use model::time::{self, SECOND_US};
use model::vocabulary::Source;

use super::Reason;
use super::keys::{Key, Keys};
use super::mac::Code;
use crate::date;
use crate::form::Form;

/// A record whose signature is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Vendor.
    pub source: Source,
    /// Header's account, else the input's.
    pub account: Option<&'a str>,
    /// Value and headers.
    pub record: RecordView<'a>,
    /// SHA-256 of the value.
    pub payload_sha256: &'a [u8; 32],
}

/// Which key was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Current,
    Old,
}

/// What a scheme answers.
pub(super) type Checked = Result<Age, Reason>;

impl<'a> Signed<'a> {
    /// A request header, kept as `http-<name>`; the names are lower case.
    pub(super) fn header(&self, name: &str) -> Result<&'a str, Reason> {
        self.optional(name).ok_or(Reason::MissingHeader)
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'a str> {
        let value = self.record.headers.iter().find_map(|(header, value)| {
            let (prefix, rest) = header.split_at_checked(HTTP.len())?;
            let is_it =
                prefix.eq_ignore_ascii_case(HTTP) && rest.eq_ignore_ascii_case(name.as_bytes());
            is_it.then_some(value)
        })?;
        std::str::from_utf8(value).ok()
    }

    /// The URL that the vendor called.
    pub(super) fn url(&self) -> Result<&'a str, Reason> {
        self.record.headers.get("url").ok_or(Reason::MissingUrl)
    }

    /// The body as text.
    pub(super) fn text(&self) -> Result<&'a str, Reason> {
        std::str::from_utf8(self.record.value).map_err(|_| Reason::Malformed)
    }

    /// When it was received: the gateway's word, else Kafka's.
    fn received_us(&self) -> Result<i64, Reason> {
        let header = self.record.headers.get("received-at").and_then(received_at);
        header.or(self.record.ingest_time_us).ok_or(Reason::MissingTime)
    }

    /// The body's hash is the one that was signed, in hex.
    pub(super) fn body_is(&self, hex: &str) -> Result<(), Reason> {
        let same = Code::hex(hex).is_some_and(|hash| hash.is_bytes(self.payload_sha256));
        if same { Ok(()) } else { Err(Reason::BodyMismatch) }
    }

    /// The time of signing is near the time of receipt.
    pub(super) fn fresh(&self, signed_us: i64, keys: &Keys, usual_s: u32) -> Result<(), Reason> {
        self.between(Some(signed_us), Some(signed_us), keys, usual_s)
    }

    /// It was received between these times, or near them.
    pub(super) fn between(
        &self,
        from_us: Option<i64>,
        until_us: Option<i64>,
        keys: &Keys,
        usual_s: u32,
    ) -> Result<(), Reason> {
        let received_us = self.received_us()?;
        let tolerance_us = i64::from(keys.tolerance_s.unwrap_or(usual_s)) * SECOND_US;
        let is_early = from_us.is_some_and(|from| received_us < from.saturating_sub(tolerance_us));
        let is_late =
            until_us.is_some_and(|until| received_us > until.saturating_add(tolerance_us));
        if is_early || is_late { Err(Reason::OutsideTolerance) } else { Ok(()) }
    }
}

const HTTP: &[u8] = b"http-";

impl Keys {
    /// The first key that is right.
    pub(super) fn find(&self, is_right: impl Fn(&Key) -> bool) -> Checked {
        let at = self.keys.iter().position(is_right).ok_or(Reason::Mismatch)?;
        Ok(if at == 0 { Age::Current } else { Age::Old })
    }
}

/// A time in whole seconds, as a header spells it.
pub(super) fn seconds(text: &str) -> Result<i64, Reason> {
    time::digits(text.as_bytes()).and_then(date::unix_seconds).ok_or(Reason::Malformed)
}

/// A URL before its query, and the query; a fragment is none of either.
pub(super) fn split_url(url: &str) -> (&str, &str) {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    url.split_once('?').unwrap_or((url, ""))
}

/// Names and values of a form, by name and then by value.
pub(super) fn sorted(form: &Form) -> Vec<(&[u8], &[u8])> {
    let mut pairs: Vec<_> = form.bytes().collect();
    pairs.sort_unstable();
    pairs
}

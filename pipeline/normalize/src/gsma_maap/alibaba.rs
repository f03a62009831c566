//! Alibaba's reports on 5G messages: an array of them.
//! <https://help.aliyun.com/en/sms/developer-reference/5gsmsreport-http>
//!
//! | `send_status` | `err_code` | canonical |
//! |---|---|---|
//! | SEND_SUCCESS | DELIVERED, or none | delivered, final |
//! | SEND_SUCCESS | anything else | sent |
//! | SEND_FAIL, SEND_FAILED | | failed, final |
//! | anything else | | unknown |
//!
//! Traps: times are China's (UTC+8) without saying so, hence `vendor_local` (a
//! zone of the account stands before it); numbers may lack the
//! calling code 86; `err_code` says DELIVERED where there is no error; `rcs_size` is not explained
//! as billable parts, so it is not taken for them.

use model::time::HOUR_US;
use model::vocabulary::{Channel, DeadReason, Status};

use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::phone;
use crate::record::Scratch;
use crate::words;

/// China has one time zone.
const CHINA_US: i64 = 8 * HOUR_US;
/// Digits of a Chinese mobile number without its calling code.
const NATIONAL_DIGITS: usize = 11;

#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    id: Scalar<'a>,
    status: Scalar<'a>,
    number: Scalar<'a>,
    sent: Scalar<'a>,
    reported: Scalar<'a>,
    code: Scalar<'a>,
    template: Scalar<'a>,
}

impl<'a> Report<'a> {
    /// Takes one of the report's keys; false where the key is none of them.
    pub(super) fn field(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<bool, Syntax> {
        let slot = match key {
            "rcs_id" => &mut self.id,
            "send_status" => &mut self.status,
            "phone_number" => &mut self.number,
            "send_time" => &mut self.sent,
            "report_time" => &mut self.reported,
            "err_code" => &mut self.code,
            "rcs_template_code" => &mut self.template,
            _ => return Ok(false),
        };
        *slot = cursor.scalar()?;
        Ok(true)
    }

    pub(super) const fn is_present(&self) -> bool {
        self.id.is_present() || self.status.is_present()
    }
}

pub(super) fn emit(
    report: &Report<'_>,
    place: Place<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let missing = |reason, field| Err(Dead::new(reason, format!("{place}/{field}")));
    let (id, word) = match (report.id.text(), report.status.text()) {
        (Some(id), Some(word)) => (id, word),
        (None, _) => return missing(DeadReason::MissingId, "rcs_id"),
        (Some(_), None) => return missing(DeadReason::MissingStatus, "send_status"),
    };
    let code = out.text(&report.code);
    let code = code.filter(|code| !code.eq_ignore_ascii_case("DELIVERED"));
    let code = code.filter(|code| !words::is_no_error(code));
    let outcome = match (word, code) {
        ("SEND_SUCCESS", None) => Outcome::settled(Status::Delivered),
        ("SEND_SUCCESS", Some(_)) => Outcome::open(Status::Sent),
        ("SEND_FAIL" | "SEND_FAILED", _) => Outcome::settled(Status::Failed),
        _ => out.unknown_status(),
    };
    let number = out.text(&report.number);
    let mut draft = Draft::new(id, Channel::Rcs, outcome);
    draft.vendor_status = Some(word);
    draft.error_code = code;
    draft.assumed_offset_us = CHINA_US;
    draft.event_time_us = out.time(&report.reported, date::parse_zoned_or_local);
    draft.is_local_time = date::is_local(report.reported.text());
    draft.submit_time_us = out.time(&report.sent, date::parse_zoned_or_local);
    draft.is_local_submit = date::is_local(report.sent.text());
    draft.recipient = number.map(|number| international(number, &mut scratch.bytes));
    draft.campaign = out.text(&report.template);
    out.event(&draft);
    Ok(())
}

/// A Chinese mobile number (13 to 19, eleven digits) with its calling code; any other as it is.
pub(super) fn international<'n>(number: &'n str, bytes: &'n mut Vec<u8>) -> &'n str {
    let is_mobile = matches!(number.as_bytes(), [b'1', b'3'..=b'9', ..]);
    if number.len() != NATIONAL_DIGITS || !is_mobile {
        return number;
    }
    phone::global("86", number, bytes)
}

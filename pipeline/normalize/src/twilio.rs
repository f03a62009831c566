//! Twilio: status callbacks (forms, POST or GET), Message resources and lists (JSON), days of the
//! bulk export (gzip, a resource a line), Event Streams (CloudEvents, one or an array).
//! <https://www.twilio.com/docs/messaging>
//!
//! | `MessageStatus` | canonical |
//! |---|---|
//! | accepted, scheduled | accepted |
//! | queued, sending | queued |
//! | sent, partially_delivered | sent (for ever, where a carrier gives no receipt) |
//! | delivered, read | delivered, read; final |
//! | undelivered, failed, canceled | the same; final |
//! | receiving, received | inbound: ignored |
//!
//! Traps: a callback has no time but `RawDlrDoneDate`, minutes in an unknown zone: by
//! the account's, marked `vendor_local`; `mcc` and `mnc` of Event Streams are the sender's, so they
//! fill nothing; codes may stay on a status that is no failure; `num_segments` is 0
//! until known; prices are negative texts and never come in a callback; the documented Event
//! Streams sample says QUEUED in a `…delivered` event, so the event's type decides and the
//! contradiction is counted; a resource is polled again when its price is known, so the price
//! is part of its event id; the bulk export tells no currency; callbacks come in any order and
//! with new fields; RCS and the SMS it falls back to share one id, and only `From` tells which it
//! is: both are `sent`, without a time or a code, so an RCS callback's event id holds the channel
//! beside the tuple (message, status, code, `RawDlrDoneDate`); Verify's events are written
//! otherwise (snake case) and ignored.
//!
//! Channel: `ChannelPrefix`, else the prefix of `To` or `From`, else unknown where the message was
//! read (no SMS is), else media or an `MM` id mean MMS, else SMS. The sender is `From`, else the
//! messaging service.

mod json;
mod usage;

use std::borrow::Cow;

use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::catalogue::{Module, charges, events, ignored};
use crate::date;
use crate::draft::{Dead, Draft, Outcome};
use crate::drift::Drift;
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar};
use crate::mask;
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let value = record.value.trim_ascii();
    if value.is_empty() {
        return form(record.query().unwrap_or(""), scratch, out);
    }
    if Cursor::new(value).kind() != Kind::Scalar {
        return json::read(record, out);
    }
    if value.starts_with('"') || !value.contains('=') {
        return Err(Dead::new(DeadReason::Syntax, "byte 0"));
    }
    form(value, scratch, out)
}

/// Parameters of a status callback; `None` also where a value is no UTF-8.
#[derive(Debug, Default)]
struct Callback<'f> {
    message_sid: Option<&'f str>,
    sms_sid: Option<&'f str>,
    message_status: Option<&'f str>,
    sms_status: Option<&'f str>,
    account: Option<&'f str>,
    to: Option<&'f str>,
    channel_to: Option<&'f str>,
    user: Option<&'f str>,
    from: Option<&'f str>,
    service: Option<&'f str>,
    error_code: Option<&'f str>,
    done_date: Option<&'f str>,
    prefix: Option<&'f str>,
    media: Option<&'f str>,
    segments: Scalar<'f>,
    has_body: bool,
    unreadable: u64,
}

impl<'f> Callback<'f> {
    fn read(form: &'f crate::form::Form, drift: &Drift) -> Self {
        let mut callback = Self::default();
        for (name, value) in form.pairs() {
            let slot = match name {
                b"MessageSid" => &mut callback.message_sid,
                b"SmsSid" | b"SmsMessageSid" => &mut callback.sms_sid,
                b"MessageStatus" => &mut callback.message_status,
                b"SmsStatus" => &mut callback.sms_status,
                b"AccountSid" => &mut callback.account,
                b"To" => &mut callback.to,
                b"ChannelToAddress" => &mut callback.channel_to,
                b"ExternalUserId" => &mut callback.user,
                b"From" => &mut callback.from,
                b"MessagingServiceSid" => &mut callback.service,
                b"ErrorCode" => &mut callback.error_code,
                b"RawDlrDoneDate" => &mut callback.done_date,
                b"ChannelPrefix" => &mut callback.prefix,
                b"NumMedia" => &mut callback.media,
                b"NumSegments" => {
                    callback.segments =
                        value.map_or(Scalar::Unreadable, |v| Scalar::Text(v.into()));
                    continue;
                }
                b"Body" => {
                    callback.has_body = true;
                    continue;
                }
                _ => {
                    drift.other("", std::str::from_utf8(name).unwrap_or(""));
                    continue;
                }
            };
            callback.unreadable += u64::from(value.is_none());
            *slot = slot.or(value.filter(|value| !value.is_empty()));
        }
        callback
    }
}

fn form(text: &str, scratch: &mut Scratch, out: &mut Emitter<'_>) -> Result<(), Dead> {
    scratch.form.read(text);
    let callback = Callback::read(&scratch.form, out.drift);
    let status = callback.message_status.or(callback.sms_status);
    let id = callback.message_sid.or(callback.sms_sid);
    let (word, message_id) = match (status, id) {
        (None, None) => return Err(Dead::new(DeadReason::UnknownVariant, "/MessageSid")),
        (None, Some(_)) if callback.has_body => {
            out.ignored("inbound");
            return Ok(());
        }
        (None, Some(_)) => return Err(Dead::new(DeadReason::MissingStatus, "/MessageStatus")),
        (Some(word), _) if is_inbound(word) => {
            out.ignored("inbound");
            return Ok(());
        }
        (Some(_), None) => return Err(Dead::new(DeadReason::MissingId, "/MessageSid")),
        (Some(word), Some(id)) => (word, id),
    };
    callback_event(&callback, word, message_id, out);
    Ok(())
}

fn callback_event(callback: &Callback<'_>, word: &str, message_id: &str, out: &mut Emitter<'_>) {
    out.counters.unreadable_fields += callback.unreadable;
    let media = callback.media.is_some_and(|media| media != "0");
    let outcome = outcome(word, out);
    let channel = match callback.prefix.map(words::channel) {
        Some(channel) if channel != Channel::Unknown => channel,
        _ => channel_of([callback.to, callback.from], message_id, media, outcome),
    };
    let mut draft = Draft::new(message_id, channel, outcome);
    let code = callback.error_code.filter(|code| !words::is_no_error(code));
    let event_parts: [&[u8]; 5] = [
        message_id.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        callback.done_date.unwrap_or("").as_bytes(),
        b"rcs",
    ];
    // RCS and the SMS it falls back to are told with one id, and often with the same words.
    let n_parts = if channel == Channel::Rcs { 5 } else { 4 };
    draft.event_parts = event_parts.get(..n_parts).unwrap_or(&event_parts);
    draft.account = callback.account;
    draft.vendor_status = Some(word);
    draft.error_code = code;
    draft.error_class = code.and_then(class_of_code);
    draft.event_time_us = callback.done_date.and_then(date::parse_compact_minutes);
    draft.is_local_time = true;
    let unread = callback.done_date.is_some() && draft.event_time_us.is_none();
    out.counters.unreadable_fields += u64::from(unread);
    let ids = [callback.to, callback.channel_to, callback.user].map(|id| id.map(address));
    draft.recipient = ids.into_iter().flatten().next();
    let others = ids.map(|id| id.filter(|id| Some(*id) != draft.recipient));
    let from = callback.from.map(plus_again);
    draft.sender = from.as_deref().or(callback.service);
    draft.segments = out.segments(&callback.segments);
    mask::event_without_ids(&draft, &others, out);
}

/// A number whose plus sign nobody escaped, so that it became a space.
fn plus_again(address: &str) -> Cow<'_, str> {
    let at = address.find(' ').filter(|at| {
        let (before, after) = (address.get(..*at), address.get(*at + 1..));
        before.is_some_and(|before| before.is_empty() || before.ends_with(':'))
            && after.is_some_and(|digits| model::time::digits(digits.as_bytes()).is_some())
    });
    match at.map(|at| address.split_at(at)) {
        Some((before, digits)) => Cow::Owned([before, "+", digits.trim_start()].concat()),
        None => Cow::Borrowed(address),
    }
}

fn is_inbound(word: &str) -> bool {
    word.eq_ignore_ascii_case("received") || word.eq_ignore_ascii_case("receiving")
}

/// An address without its channel prefix, so that one person has one token over vendors.
fn address(text: &str) -> &str {
    match text.split_once(':') {
        Some((prefix, address)) if words::channel(prefix) != Channel::Unknown => address,
        _ => text,
    }
}

fn channel_of(
    addresses: [Option<&str>; 2],
    id: &str,
    has_media: bool,
    outcome: Outcome,
) -> Channel {
    let told = addresses.into_iter().flatten().filter_map(|address| address.split_once(':'));
    let told = told.map(|(prefix, _)| words::channel(prefix));
    for channel in told {
        if channel != Channel::Unknown {
            return channel;
        }
    }
    match outcome.0 {
        // Of its channels only WhatsApp and RCS tell it: which one, the other events say.
        Status::Read => Channel::Unknown,
        _ if has_media || id.starts_with("MM") => Channel::Mms,
        _ => Channel::Sms,
    }
}

fn known_outcome(word: &str) -> Option<Outcome> {
    Some(match Folded::new(word).as_str() {
        "accepted" | "scheduled" => Outcome::open(Status::Accepted),
        "queued" | "sending" => Outcome::open(Status::Queued),
        "sent" | "partially_delivered" => Outcome::open(Status::Sent),
        "delivered" => Outcome::settled(Status::Delivered),
        "read" => Outcome::settled(Status::Read),
        "undelivered" => Outcome::settled(Status::Undelivered),
        "failed" => Outcome::settled(Status::Failed),
        "canceled" => Outcome::settled(Status::Canceled),
        _ => return None,
    })
}

fn outcome(word: &str, out: &mut Emitter<'_>) -> Outcome {
    known_outcome(word).unwrap_or_else(|| out.unknown_status())
}

/// Classes of the main code families (<https://www.twilio.com/docs/api/errors>); 30008 is Twilio's
/// own "unknown error".
pub(crate) fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "30003" => ErrorClass::Unreachable,
        "30005" | "21211" | "21614" | "63024" => ErrorClass::UnknownRecipient,
        "30004" | "21612" | "30033" | "30450" => ErrorClass::Blocked,
        "21610" => ErrorClass::OptedOut,
        "30007" => ErrorClass::Spam,
        "30036" => ErrorClass::Expired,
        "30001" | "30017" | "30022" | "30023" | "63018" | "63038" | "20429" => {
            ErrorClass::Throttled
        }
        "30006" | "63003" => ErrorClass::NotCapable,
        "63016" | "21617" | "30019" | "63013" | "63021" => ErrorClass::InvalidRequest,
        "30002" | "30032" | "30034" | "21408" | "20003" | "90010" => ErrorClass::Configuration,
        "30410" | "30500" | "20500" | "20504" | "30103" | "63010" | "63012" | "12400" => {
            ErrorClass::VendorInternal
        }
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://www.twilio.com/docs/messaging/guides/track-outbound-message-status",
    variants: &[
        events(
            "status callback, form",
            &[
                "callback_sms_delivered.txt",
                "callback_failed_optout.txt",
                "callback_whatsapp_read.txt",
                "callback_rcs_delivered.txt",
            ],
        ),
        events(
            "status callback, GET",
            &["callback_get.record.json", "callback_get_undelivered.record.json"],
        ),
        ignored("inbound message, form", &["callback_inbound.txt"]),
        events("Message resource, JSON", &["resource_priced.json", "resource_scheduled.json"]),
        events("list of Message resources, JSON", &["resource_list.json"]),
        events("bulk export, JSON lines", &["bulk_export.txt"]),
        events("Event Streams, CloudEvents", &["event_streams_array.json"]),
        charges("usage records, JSON", &["usage_records.json", "usage_records_alone.json"]),
    ],
    documented: &[
        "Address",
        "ApiVersion",
        "ChannelInstallSid",
        "ChannelStatusMessage",
        "ErrorMessage",
        "EventType",
        "FromCity",
        "FromCountry",
        "FromState",
        "FromZip",
        "Label",
        "Latitude",
        "Longitude",
        "MediaContentType0",
        "MediaUrl0",
        "OptOutType",
        "ProfileName",
        "StructuredMessage",
        "ToCity",
        "ToCountry",
        "ToState",
        "ToZip",
        "WaId",
        "apiVersion",
        "api_version",
        "as_of",
        "body",
        "category",
        "datacontenttype",
        "dataschema",
        "description",
        "end",
        "error_message",
        "first_page_uri",
        "mcc",
        "message_sid",
        "mnc",
        "next_page_uri",
        "page",
        "page_size",
        "previous_page_uri",
        "rawDlrDoneDate",
        "source",
        "start",
        "statusCallBackUrl",
        "subresource_uris",
        "tags",
        "uri",
        "usage",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_class_of_what_twilio_calls_them() {
        for (code, class) in [
            ("30001", Some(ErrorClass::Throttled)),
            ("30003", Some(ErrorClass::Unreachable)),
            ("30004", Some(ErrorClass::Blocked)),
            ("30005", Some(ErrorClass::UnknownRecipient)),
            ("30007", Some(ErrorClass::Spam)),
            ("30008", None),
            ("30410", Some(ErrorClass::VendorInternal)),
            ("30450", Some(ErrorClass::Blocked)),
            ("63010", Some(ErrorClass::VendorInternal)),
            ("12400", Some(ErrorClass::VendorInternal)),
            ("21610", Some(ErrorClass::OptedOut)),
        ] {
            assert_eq!(class_of_code(code), class, "{code}");
        }
    }
}

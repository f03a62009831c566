//! Web Push (RFC 8030): the sender's record of an answer or of a receipt, wrapped or as a flat
//! line. <https://www.rfc-editor.org/rfc/rfc8030>
//!
//! | HTTP status | canonical |
//! |---|---|
//! | 200, 201, 202 | accepted |
//! | 204 of a receipt | delivered, final: the user agent acknowledged |
//! | 410 of a receipt | expired, final: it never did |
//! | 400, 413 | rejected, final |
//! | 401, 403 (VAPID), 429, 5xx | failed, final |
//! | 404, 410 | undelivered, final: the subscription is gone |
//!
//! A receipt is a pushed answer of the receipt subscription: its record has the promised `:path`, a
//! GET request, `receipt: true`, or status 204.
//!
//! Traps: the id is the address of the message resource (`Location`), which only an accepted
//! message has; a refused one is known by the sender's own id (`request.message_id`, `message_id`)
//! and its endpoint, else it is a dead letter. A receipt names that resource by its path alone, so
//! relative addresses are completed from the record's own host. The endpoint is a device token and
//! some services repeat its secret in `Location`: it leaves only hashed. There is no time but the
//! `Date` header. 410 means two things. Real push services give no receipts (`receipt_class` none).

use std::borrow::Cow;

use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::{body_text, each_document, instant, members_of, place, read_headers};
use crate::catalogue::{Module, events};
use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::mask;
use crate::record::{Record, Scratch};

/// Shortest last segment of an endpoint that is taken for its secret.
const SECRET_MIN: usize = 12;

/// The record: an answer with what surrounds it, or the flat line of a sender's log.
#[derive(Debug, Default)]
struct Line<'a> {
    asked: Asked<'a>,
    /// HTTP status of the answer.
    answered: Scalar<'a>,
    headers: Option<Told<'a>>,
    /// The answer's body, as JSON text.
    body: Option<&'a str>,
    status: Scalar<'a>,
    endpoint: Scalar<'a>,
    location: Scalar<'a>,
    /// Path of the promised request.
    promised: Scalar<'a>,
    own_id: Scalar<'a>,
    reason: Scalar<'a>,
    sent_at: Scalar<'a>,
    told_receipt: bool,
    has_keys: bool,
}

/// The request as it stands in the record.
#[derive(Debug, Default)]
struct Asked<'a> {
    /// Some keep the address alone.
    alone: Scalar<'a>,
    members: [Scalar<'a>; ASKED.len()],
    /// `:method`, `:path`, `:authority`, `host` of its own headers.
    own: [Scalar<'a>; 4],
    subscribed: Scalar<'a>,
}

/// Members of a request that are looked at, without case.
const ASKED: [&str; 7] = ["method", "url", "path", "endpoint", "message_id", "id", "sent_at"];

impl<'a> Asked<'a> {
    /// In one pass; a part that is broken is none.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Syntax> {
        let mut asked = Self::default();
        if cursor.kind() != Kind::Object {
            asked.alone = cursor.scalar()?;
            return Ok(asked);
        }
        let mut is_broken = false;
        cursor.object(|cursor, key| {
            match key {
                "headers" => {
                    let names = [":method", ":path", ":authority", "host"];
                    let own = cursor.apart(|cursor| read_headers(cursor, names))?;
                    asked.own = own.unwrap_or_default();
                }
                "subscription" => {
                    [asked.subscribed] = members_of(*cursor, ["endpoint"]);
                    cursor.skip()?;
                }
                _ => match place(key, &ASKED).and_then(|at| asked.members.get_mut(at)) {
                    Some(slot) => match cursor.apart(Cursor::scalar)? {
                        Some(value) => *slot = value,
                        None => is_broken = true,
                    },
                    None => cursor.skip()?,
                },
            }
            Ok(())
        })?;
        if is_broken {
            asked.members = Default::default();
        }
        Ok(asked)
    }
}

/// What the sender asked for, beside the answer.
#[derive(Debug)]
struct Request<'l, 'a> {
    method: &'l Scalar<'a>,
    /// An address: `url`, else a path.
    target: &'l Scalar<'a>,
    authority: &'l Scalar<'a>,
    endpoint: &'l Scalar<'a>,
    own_id: &'l Scalar<'a>,
    sent_at: &'l Scalar<'a>,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    each_document(record.value, out, element)
}

fn element(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut line = Line::default();
    let is_object = Cursor::watched(text, out.drift).document_or_skip(|cursor, key| {
        let slot = match key {
            ":status" => &mut line.status,
            "endpoint" => &mut line.endpoint,
            "location" => &mut line.location,
            ":path" => &mut line.promised,
            "message_id" | "id" => &mut line.own_id,
            "reason" | "error" => &mut line.reason,
            "sent_at" => &mut line.sent_at,
            "receipt" => {
                line.told_receipt = matches!(cursor.scalar()?, Scalar::Bool(true));
                return Ok(());
            }
            "subscription" => {
                [line.endpoint] = members_of(*cursor, ["endpoint"]);
                return cursor.skip();
            }
            "keys" => {
                line.has_keys = true;
                return cursor.skip();
            }
            "request" => {
                line.asked = cursor.apart(Asked::read)?.unwrap_or_default();
                return Ok(());
            }
            "status" => &mut line.answered,
            "headers" => {
                line.headers = Some(cursor.apart(Told::read)?.unwrap_or_default());
                return Ok(());
            }
            "body" => {
                line.body = Some(cursor.raw()?);
                return Ok(());
            }
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    let has_headers = line.headers.is_some();
    let headers = line.headers.take().unwrap_or_default();
    let told = [&line.answered, &headers.status].into_iter().find(|field| field.is_present());
    let told = told.unwrap_or(&line.status).clone();
    let known = [&line.location, &line.endpoint, &line.promised, &told];
    let is_answer = has_headers || known.iter().any(|field| field.is_present());
    if !is_object || !is_answer {
        return Err(Dead::new(DeadReason::UnknownVariant, place.to_string()));
    }
    if line.has_keys && !told.is_present() {
        out.ignored("subscription");
        return Ok(());
    }
    let status = told.whole();
    let status =
        status.ok_or_else(|| Dead::new(DeadReason::MissingStatus, format!("{place}/status")))?;
    let request = request(&line, &headers);
    emit(&line, (&request, &headers), (status, told.text().unwrap_or("")), place, out)
}

/// Headers of the answer that are looked at, read in one pass.
#[derive(Debug, Default)]
struct Told<'a> {
    status: Scalar<'a>,
    path: Scalar<'a>,
    authority: Scalar<'a>,
    location: Scalar<'a>,
    /// Ids that services give in headers of their own.
    ids: [Scalar<'a>; 2],
    date: Scalar<'a>,
}

impl<'a> Told<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Syntax> {
        let names =
            [":status", ":path", ":authority", "location", "apns-id", "x-wns-msg-id", "date"];
        let [status, path, authority, location, apns, wns, date] = read_headers(cursor, names)?;
        Ok(Self { status, path, authority, location, ids: [apns, wns], date })
    }
}

fn request<'l, 'a>(line: &'l Line<'a>, told: &'l Told<'a>) -> Request<'l, 'a> {
    let Asked { alone, members, own, subscribed } = &line.asked;
    let [own_method, own_path, own_authority, host] = own;
    let [method, url, path, endpoint, message_id, id, sent_at] = members;
    let alone = if matches!(alone, Scalar::Text(_)) { alone } else { url };
    Request {
        method: first([method, own_method]),
        target: first([alone, path, own_path]),
        authority: first([&told.authority, own_authority, host]),
        endpoint: first([&line.endpoint, endpoint, subscribed]),
        own_id: first([&line.own_id, message_id, id]),
        sent_at: first([&line.sent_at, sent_at]),
    }
}

/// The first field with a text.
fn first<'l, 'a, const N: usize>(fields: [&'l Scalar<'a>; N]) -> &'l Scalar<'a> {
    fields.into_iter().find(|field| field.text().is_some()).unwrap_or(&Scalar::Missing)
}

fn emit(
    line: &Line<'_>,
    (request, headers): (&Request<'_, '_>, &Told<'_>),
    (status, told): (i64, &str),
    place: Place<'_>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let method = request.method.text().unwrap_or("");
    let own = [&line.endpoint, &line.location, &line.promised, &line.own_id];
    let unreadable = own.into_iter().filter(|field| field.is_unreadable()).count();
    if method.eq_ignore_ascii_case("DELETE") {
        out.ignored("removal");
        return Ok(());
    }
    let promised = line.promised.text().or_else(|| headers.path.text());
    let is_receipt = promised.is_some()
        || line.told_receipt
        || method.eq_ignore_ascii_case("GET")
        || (status == 204 && !method.eq_ignore_ascii_case("POST"));
    let endpoint = request.endpoint.text();
    let recipient = endpoint.or_else(|| request.target.text().filter(|_| !is_receipt));
    let location = headers.location.text().or_else(|| line.location.text());
    let resource = match is_receipt {
        true => promised.or(location).or_else(|| request.target.text()),
        false => location,
    };
    let base = request.target.text().or(endpoint);
    let resource = resource.map(|address| absolute(address, base, request.authority.text()));
    let own_id = request.own_id.text();
    let given = resource.as_deref().or_else(|| headers.ids.iter().find_map(Scalar::text));
    let id = given.or(own_id);
    let id =
        id.ok_or_else(|| Dead::new(DeadReason::MissingId, format!("{place}/headers/location")))?;
    out.counters.unreadable_fields += unreadable as u64;
    let secret = recipient.and_then(Secret::new);
    let id = without_secret(id, secret, out);
    let own_id = own_id.map(|own_id| without_secret(own_id, secret, out));
    let mut draft = Draft::new(&id, Channel::PushWeb, outcome(status, is_receipt, out));
    match given {
        // The path of a message's resource is a secret of its own, and a receipt may tell no host.
        Some(_) => draft.key_id = path_of(&id),
        None => draft.key_part = recipient.unwrap_or(""),
    }
    draft.logical_id = own_id.as_deref();
    let body = body_text(line.body);
    let [number, words, code_word] = match body.is_empty() {
        true => Default::default(),
        false => members_of(Cursor::watched(&body, out.drift), ["errno", "reason", "error"]),
    };
    let word = words.text().or_else(|| code_word.text()).or_else(|| out.text(&line.reason));
    let word = word.filter(|_| draft.status != Status::Accepted && !draft.status.is_delivered());
    let word = word.map(|word| without_secret(word, secret, out));
    draft.vendor_status = word.as_deref().or(Some(told));
    if is_refusal(draft.status) && !is_receipt {
        draft.error_code = number.text().or(word.as_deref()).or(Some(told));
        draft.error_class = class(status);
    }
    draft.submit_time_us = out.time(request.sent_at, instant);
    draft.header_time_us = out.time(&headers.date, date::parse_mail);
    draft.recipient = recipient;
    out.event(&draft);
    Ok(())
}

const fn is_refusal(status: Status) -> bool {
    matches!(status, Status::Rejected | Status::Failed | Status::Undelivered)
}

/// An address with its host: a relative one stands on the host of the record's own request.
fn absolute<'a>(address: &'a str, base: Option<&str>, authority: Option<&str>) -> Cow<'a, str> {
    if !address.starts_with('/') {
        return Cow::Borrowed(address);
    }
    let origin = base.and_then(|base| {
        let host = behind_scheme(base)?;
        let end = find(base.get(host..)?, b'/').map_or(base.len(), |at| host + at);
        base.get(..end)
    });
    match (origin, authority) {
        (Some(origin), _) => Cow::Owned([origin, address].concat()),
        (None, Some(authority)) => Cow::Owned(["https://", authority, address].concat()),
        (None, None) => Cow::Borrowed(address),
    }
}

/// An address without its host; any other id as it is.
fn path_of(id: &str) -> &str {
    let rest = behind_scheme(id).and_then(|host| id.get(host..));
    rest.and_then(|rest| rest.get(find(rest, b'/')?..)).unwrap_or(id)
}

/// Where the host of an address begins.
fn behind_scheme(address: &str) -> Option<usize> {
    let at = find(address, b':')?;
    if address.get(at..)?.starts_with("://") { Some(at + 3) } else { None }
}

fn find(text: &str, byte: u8) -> Option<usize> {
    memchr::memchr(byte, text.as_bytes())
}

/// The last segment of an endpoint and the longest value of its query: whoever has them can send.
#[derive(Clone, Copy)]
struct Secret<'a> {
    /// Empty where there is none of that length.
    texts: [&'a str; 2],
    endpoint: &'a str,
}

impl<'a> Secret<'a> {
    fn new(endpoint: &'a str) -> Option<Self> {
        let (address, query) = match find(endpoint, b'?') {
            Some(at) => (endpoint.get(..at)?, endpoint.get(at + 1..)?),
            None => (endpoint, ""),
        };
        let address = address.trim_end_matches('/');
        let last = memchr::memrchr(b'/', address.as_bytes()).map_or(0, |slash| slash + 1);
        let values = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
        let longest = values.max_by_key(|value| value.len()).unwrap_or("");
        let long = |text: &'a str| if text.len() < SECRET_MIN { "" } else { text };
        Some(Self { texts: [long(address.get(last..)?), long(longest)], endpoint })
    }
}

/// The text with a token where it holds a secret: `emit` looks for the whole endpoint only.
fn without_secret<'t>(
    text: &'t str,
    secret: Option<Secret<'_>>,
    out: &mut Emitter<'_>,
) -> Cow<'t, str> {
    let mut clean = Cow::Borrowed(text);
    let Some(Secret { texts, endpoint }) = secret else { return clean };
    for secret in texts.into_iter().filter(|secret| !secret.is_empty()) {
        if mask::holds(&clean, secret) {
            out.counters.scrubbed_texts += 1;
            let token = out.keyring.token.hash(&[endpoint.as_bytes()]).hex();
            clean = Cow::Owned(mask::replaced(&clean, secret, &token));
        }
    }
    clean
}

fn outcome(status: i64, is_receipt: bool, out: &mut Emitter<'_>) -> Outcome {
    match (status, is_receipt) {
        (204, true) => Outcome::settled(Status::Delivered),
        (404 | 410, true) => Outcome::settled(Status::Expired),
        (200..=202, _) => Outcome::open(Status::Accepted),
        (400 | 413, false) => Outcome::settled(Status::Rejected),
        (404 | 410, false) => Outcome::settled(Status::Undelivered),
        (401 | 403 | 429 | 500..=599, false) => Outcome::settled(Status::Failed),
        _ => out.unknown_status(),
    }
}

fn class(status: i64) -> Option<ErrorClass> {
    Some(match status {
        400 | 413 => ErrorClass::InvalidRequest,
        401 | 403 => ErrorClass::Configuration,
        404 | 410 => ErrorClass::UnknownRecipient,
        429 => ErrorClass::Throttled,
        500..=599 => ErrorClass::VendorInternal,
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://www.rfc-editor.org/rfc/rfc8030",
    variants: &[
        events("answer, the sender's record", &["wrapped_accepted.json", "refused.json"]),
        events("flat line", &["flat_lines.json"]),
        events("receipt", &["receipt_flow.json"]),
    ],
    documented: &["code", "expirationTime", "keys", "message", "more_info", "ttl", "urgency"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_completed_from_the_records_own_host() {
        let base = Some("https://push.example.net/receipt-subscription/3ZtI");
        let whole = "https://push.example.net/message/qDIY";
        assert_eq!(absolute("/message/qDIY", base, None), whole);
        assert_eq!(absolute("/message/qDIY", None, Some("push.example.net")), whole);
        assert_eq!(absolute("/message/qDIY", Some("/push/abc"), None), "/message/qDIY");
        assert_eq!(absolute(whole, Some("https://other.example"), None), whole);
        assert_eq!(
            absolute("/m", Some("https://push.example.net"), None),
            "https://push.example.net/m"
        );
    }

    #[test]
    fn refusals_have_the_class_of_their_status() {
        for (status, of_class) in [
            (400, Some(ErrorClass::InvalidRequest)),
            (401, Some(ErrorClass::Configuration)),
            (403, Some(ErrorClass::Configuration)),
            (404, Some(ErrorClass::UnknownRecipient)),
            (410, Some(ErrorClass::UnknownRecipient)),
            (413, Some(ErrorClass::InvalidRequest)),
            (429, Some(ErrorClass::Throttled)),
            (503, Some(ErrorClass::VendorInternal)),
            (301, None),
        ] {
            assert_eq!(class(status), of_class, "{status}");
        }
    }
}

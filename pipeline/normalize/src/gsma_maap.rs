//! GSMA RCS MaaP: delivery notifications of chatbot platforms (5G Messaging in China, and the OMA
//! interface that it comes from), one or an array, with or without their wrapper.
//! <https://support.huaweicloud.com/api-messageover5g/messageover5g_05_0007.html>
//!
//! | `deliveryStatus` | canonical |
//! |---|---|
//! | MessageSent | sent |
//! | DeliveredToTerminal | delivered, final |
//! | MessageDisplayed | read, final |
//! | DeliveredToNetwork, of a 5G platform | delivered, final; channel sms: it fell back |
//! | DeliveredToNetwork, of OMA | sent |
//! | DeliveryImpossible | failed, final; with 800 expired: past its revocation time |
//! | DeliveredToSMS, DeliveredToSMSFailed | delivered, failed; final; channel sms |
//! | DeliveredToVms, DeliveredToVmsFailed | delivered, failed; final; channel mms (video message) |
//! | MessageWaiting | queued |
//! | DeliveryUncertain, DeliveryNotificationNotSupported | unknown |
//!
//! Traps: `DeliveredToNetwork` is OMA's inside `deliveryInfoNotification`, `deliveryInfoList` or an
//! array, unless its description says `SMS`; `deliveryInfo` is an object or an array; without
//! `messageId` the request in a link's address names the message; one id may go to several
//! people, so the key holds the number; that comes as `tel:` or `sip:`, and without `+` it is what
//! its `phone-context` says, else of a 5G platform a Chinese mobile (13 to 19, eleven digits, as
//! some numbers of +1 are spelled too), else as told. No body has a time: the header `http-date`
//! tells it, else the ingest time; neither is part of the event id.
//!
//! Channel: rcs, but for the fallbacks above. No price. Alibaba's reports: see [`alibaba`].

mod alibaba;

use std::borrow::Cow;
use std::cell::OnceCell;

use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::each_document;
use crate::catalogue::{Module, events, ignored};
use crate::date;
use crate::draft::{Dead, Draft, Elements, Outcome, Place};
use crate::emit::Emitter;
use crate::form::{self, Form};
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::mask;
use crate::phone::{self, Number};
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

/// Longest error code that a description begins with.
const CODE_BYTES_MAX: usize = 12;

/// Longest calling code (ITU-T E.164).
const CODE_DIGITS_MAX: usize = 3;

/// What became of a message at one address.
#[derive(Debug, Default)]
struct Info<'a> {
    address: Scalar<'a>,
    message_id: Scalar<'a>,
    status: Scalar<'a>,
    description: Scalar<'a>,
    is_damaged: bool,
}

#[derive(Debug, Default)]
struct Notice<'a> {
    infos: Elements<Info<'a>>,
    /// The object itself, where it comes without `deliveryInfo`.
    bare: Info<'a>,
    href: Scalar<'a>,
    callback_data: Scalar<'a>,
    report: alibaba::Report<'a>,
    has_infos: bool,
    is_list: bool,
    /// OMA's wrapper or its array: its words have OMA's meaning.
    is_oma: bool,
    is_inbound: bool,
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let date = record.headers.get("http-date").and_then(date::parse_mail);
    each_document(record.value, out, |text, place, out| document(text, place, date, scratch, out))
}

fn document(
    text: &str,
    place: Place<'_>,
    date_us: Option<i64>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let mut notice = Notice::default();
    let is_object = Cursor::watched(text, out.drift)
        .document_or_skip(|cursor, key| field(cursor, key, &mut notice))?;
    if !is_object {
        return Err(Dead::new(DeadReason::UnknownVariant, place.to_string()));
    }
    if notice.report.is_present() {
        return alibaba::emit(&notice.report, place, scratch, out);
    }
    let sender = sender(notice.href.text(), &mut scratch.form);
    let callback_data = callback_data(&notice, &mut scratch.bytes, out);
    let callback_data = callback_data.as_deref();
    let request_id = OnceCell::new();
    let shared = Shared { notice: &notice, date_us, sender, callback_data, request_id };
    if !notice.has_infos {
        if notice.is_inbound && !notice.bare.status.is_present() {
            out.ignored("inbound");
            return Ok(());
        }
        return emit(&notice.bare, &shared, &mut scratch.bytes, out)
            .map_err(|(reason, field)| Dead::new(reason, format!("{place}{field}")));
    }
    if notice.infos.len() == 0 {
        out.ignored("empty");
    }
    for (at, info) in notice.infos.iter().enumerate() {
        let Err((reason, field)) = emit(info, &shared, &mut scratch.bytes, out) else { continue };
        let at = if notice.is_list { format!("/{at}") } else { String::new() };
        out.dead_at(reason, format!("{place}/deliveryInfo{at}{field}"));
    }
    Ok(())
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, notice: &mut Notice<'a>) -> Result<(), Syntax> {
    match key {
        "deliveryInfoNotification" | "deliveryInfoList" if cursor.kind() == Kind::Object => {
            notice.is_oma = true;
            cursor.object(|cursor, key| inner(cursor, key, notice))
        }
        _ => inner(cursor, key, notice),
    }
}

fn inner<'a>(cursor: &mut Cursor<'a>, key: &str, notice: &mut Notice<'a>) -> Result<(), Syntax> {
    match key {
        "deliveryInfo" => infos(cursor, notice),
        "link" => links(cursor, &mut notice.href),
        "resourceURL" => {
            let href = cursor.scalar()?;
            if !notice.href.is_present() {
                notice.href = href;
            }
            Ok(())
        }
        "callbackData" => {
            notice.callback_data = cursor.scalar()?;
            Ok(())
        }
        "senderAddress" | "bodyText" | "inboundMessage" | "inboundMessageNotification" => {
            notice.is_inbound = true;
            cursor.skip()
        }
        _ if notice.report.field(cursor, key)? => Ok(()),
        _ => info_field(cursor, key, &mut notice.bare),
    }
}

fn infos<'a>(cursor: &mut Cursor<'a>, notice: &mut Notice<'a>) -> Result<(), Syntax> {
    notice.has_infos = true;
    if cursor.kind() != Kind::Array {
        return info(cursor, &mut notice.infos);
    }
    (notice.is_list, notice.is_oma) = (true, true);
    cursor.array(|cursor| info(cursor, &mut notice.infos))
}

fn info<'a>(cursor: &mut Cursor<'a>, into: &mut Elements<Info<'a>>) -> Result<(), Syntax> {
    let mut info = Info::default();
    let is_object = cursor.object_or_skip(|cursor, key| info_field(cursor, key, &mut info))?;
    info.is_damaged = !is_object;
    into.hold(info, cursor)
}

fn info_field<'a>(cursor: &mut Cursor<'a>, key: &str, info: &mut Info<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "address" => &mut info.address,
        "messageId" => &mut info.message_id,
        "deliveryStatus" => &mut info.status,
        "description" => &mut info.description,
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// The address of the link that names the request, else of the first.
fn links<'a>(cursor: &mut Cursor<'a>, href: &mut Scalar<'a>) -> Result<(), Syntax> {
    if cursor.kind() != Kind::Array {
        return link(cursor, href);
    }
    cursor.array(|cursor| link(cursor, href))
}

fn link<'a>(cursor: &mut Cursor<'a>, href: &mut Scalar<'a>) -> Result<(), Syntax> {
    let (mut rel, mut found) = (Scalar::Missing, Scalar::Missing);
    cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "rel" => &mut rel,
            "href" => &mut found,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    if !href.is_present() || rel.text() == Some("OutboundMessageRequest") {
        *href = found;
    }
    Ok(())
}

/// What all addresses of a notice share.
#[derive(Debug)]
struct Shared<'n> {
    notice: &'n Notice<'n>,
    date_us: Option<i64>,
    sender: Option<&'n str>,
    callback_data: Option<&'n str>,
    request_id: OnceCell<Option<&'n str>>,
}

impl<'n> Shared<'n> {
    /// Stands for the ids of messages that have none; looked for once, as an address may be long.
    fn request_id(&self) -> Option<&'n str> {
        *self.request_id.get_or_init(|| self.notice.href.text().and_then(request_id))
    }
}

/// What the sender told to be given back, without the numbers of those who share it.
fn callback_data<'n>(
    notice: &'n Notice<'_>,
    bytes: &mut Vec<u8>,
    out: &mut Emitter<'_>,
) -> Option<Cow<'n, str>> {
    let told = out.text(&notice.callback_data)?;
    if notice.infos.len() < 2 {
        return Some(Cow::Borrowed(told));
    }
    let numbers = |hand_on: &mut dyn FnMut(&str)| {
        for address in notice.infos.iter().filter_map(|info| info.address.text()) {
            hand_on(user(&form::without_escapes(address), notice.is_oma, bytes).0);
        }
    };
    Some(mask::without_numbers(told, Channel::Rcs, numbers, out))
}

fn emit(
    info: &Info<'_>,
    shared: &Shared<'_>,
    bytes: &mut Vec<u8>,
    out: &mut Emitter<'_>,
) -> Result<(), (DeadReason, &'static str)> {
    let notice = shared.notice;
    // The request stands for an id that is not told, and for none that was damaged.
    let is_untold = !info.message_id.is_unreadable() && info.message_id.text().is_none();
    let id = info.message_id.text().or_else(|| shared.request_id().filter(|_| is_untold));
    let (id, word) = match (id, info.status.text()) {
        _ if info.is_damaged => return Err((DeadReason::UnknownVariant, "")),
        (Some(id), Some(word)) => (id, word),
        (None, Some(_)) => return Err((DeadReason::MissingId, "/messageId")),
        (Some(_), None) if info.message_id.is_present() || notice.has_infos => {
            return Err((DeadReason::MissingStatus, "/deliveryStatus"));
        }
        (_, None) => return Err((DeadReason::UnknownVariant, "/deliveryStatus")),
    };
    let address = out.text(&info.address).map(form::without_escapes);
    let (address, number) = address.as_deref().map(|told| user(told, notice.is_oma, bytes)).unzip();
    let number = number.flatten();
    let description = out.text(&info.description).unwrap_or("");
    let is_fallback = description.eq_ignore_ascii_case("SMS");
    let (outcome, channel) = outcome(word, notice.is_oma && !is_fallback, out);
    let mut draft = Draft::new(id, channel, outcome);
    draft.key_part = number.as_ref().map_or(address.unwrap_or(""), Number::text);
    draft.logical_id = shared.callback_data;
    draft.vendor_status = Some(word);
    draft.header_time_us = shared.date_us;
    draft.recipient = address;
    draft.sender = shared.sender;
    if draft.status == Status::Failed {
        draft.error_code = code(description);
        draft.error_class = draft.error_code.and_then(class_of_code);
    }
    // Of a fallback that failed it says nothing of the kind.
    if draft.error_code == Some("800") && word.eq_ignore_ascii_case("DeliveryImpossible") {
        draft.status = Status::Expired;
    }
    // The same word of a fallback's SMS is another fact.
    let message = id.as_bytes();
    let event_parts: [&[u8]; 5] = [
        message,
        draft.key_part.as_bytes(),
        word.as_bytes(),
        draft.error_code.unwrap_or("").as_bytes(),
        b"fallback",
    ];
    if is_fallback {
        draft.event_parts = &event_parts;
    }
    out.event(&draft);
    Ok(())
}

/// The user of a `tel:` or `sip:` address, where it is a number; else the address. A local number
/// gets the calling code of its context (RFC 3966), on a 5G platform a Chinese mobile gets China's.
fn user<'n>(address: &'n str, is_oma: bool, bytes: &'n mut Vec<u8>) -> (&'n str, Option<Number>) {
    let rest = address.split_once(':').map_or(address, |(_, rest)| rest);
    // A password or a type of address may stand behind the number, too.
    let (user, parameters) = rest.split_once(['@', ';', ':', '/']).unwrap_or((rest, ""));
    let Some(number) = Number::parse(user) else { return (address, Number::parse(address)) };
    if user.starts_with('+') {
        return (user, Some(number));
    }
    let user = match context(parameters) {
        Some(code) => phone::global(code, user, bytes),
        None if is_oma => user,
        None => alibaba::international(user, bytes),
    };
    (user, Number::parse(user))
}

/// The calling code of a local number's context; a domain's name is none.
fn context(parameters: &str) -> Option<&str> {
    let told = parameters.split([';', '@']).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("phone-context").then_some(value)
    });
    let code = told?.strip_prefix('+')?;
    let is_code = (1..=CODE_DIGITS_MAX).contains(&code.len());
    (is_code && code.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
}

/// The request in an address: what follows `requests`, else the last part.
fn request_id(href: &str) -> Option<&str> {
    let path = href.split(['?', '#']).next()?.trim_end_matches('/');
    let named = words::cut(path, "/requests/").and_then(|(_, rest)| rest.split('/').next());
    named.or_else(|| path.rsplit('/').next()).filter(|id| !id.is_empty())
}

/// The chatbot that the address names: `…/outbound/sip%3A12599%40botplatform…/requests/…`.
fn sender<'s>(href: Option<&str>, form: &'s mut Form) -> Option<&'s str> {
    let (_, rest) = words::cut(href?, "/outbound/")?;
    // As the only name of a form: that decodes it into a buffer that stands ready.
    form.read(rest.split('/').next()?);
    let mut pairs = form.pairs();
    let (name, _) = pairs.next()?;
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
}

fn outcome(word: &str, is_oma: bool, out: &mut Emitter<'_>) -> (Outcome, Channel) {
    let rcs = |outcome| (outcome, Channel::Rcs);
    match Folded::new(word).as_str() {
        "messagesent" => rcs(Outcome::open(Status::Sent)),
        "deliveredtoterminal" => rcs(Outcome::settled(Status::Delivered)),
        "messagedisplayed" => rcs(Outcome::settled(Status::Read)),
        "deliveredtonetwork" if is_oma => rcs(Outcome::open(Status::Sent)),
        "deliveredtonetwork" | "deliveredtosms" => {
            (Outcome::settled(Status::Delivered), Channel::Sms)
        }
        "deliveredtosmsfailed" => (Outcome::settled(Status::Failed), Channel::Sms),
        "deliveredtovms" => (Outcome::settled(Status::Delivered), Channel::Mms),
        "deliveredtovmsfailed" => (Outcome::settled(Status::Failed), Channel::Mms),
        "deliveryimpossible" => rcs(Outcome::settled(Status::Failed)),
        "messagewaiting" => rcs(Outcome::open(Status::Queued)),
        "deliveryuncertain" | "deliverynotificationnotsupported" => {
            rcs(Outcome::open(Status::Unknown))
        }
        _ => rcs(out.unknown_status()),
    }
}

/// The code that a description begins with: `800`, `SVC0004: no valid address`.
fn code(description: &str) -> Option<&str> {
    let end = description.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(description.len());
    let code = description.get(..end)?;
    let is_code = code.len() <= CODE_BYTES_MAX && code.ends_with(|c: char| c.is_ascii_digit());
    (is_code && !words::is_no_error(code)).then_some(code)
}

/// Classes of the codes that OMA and the platforms document.
fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "800" => ErrorClass::Expired,
        "SVC0001" => ErrorClass::VendorInternal,
        "SVC0002" | "SVC0003" | "SVC0280" => ErrorClass::InvalidRequest,
        "SVC0004" => ErrorClass::UnknownRecipient,
        _ if code.starts_with("POL") => ErrorClass::Configuration,
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://support.huaweicloud.com/api-messageover5g/messageover5g_05_0007.html",
    variants: &[
        events("delivery notification, JSON", &["delivered.json", "statuses.json"]),
        events("list or wrapper of OMA, JSON", &["oma_list.json", "oma_wrapper.json"]),
        events("one deliveryInfo, JSON", &["bare_info.json"]),
        events("Alibaba report, JSON", &["alibaba.json"]),
        ignored("inbound message, JSON", &["inbound.json"]),
    ],
    documented: &[
        "contentEncoding",
        "contentType",
        "contributionID",
        "conversationID",
        "dateTime",
        "destinationAddress",
        "err_message",
        "in_reply_to_rcs_id",
        "rcs_size",
        "text",
    ],
};

#[cfg(test)]
mod tests;

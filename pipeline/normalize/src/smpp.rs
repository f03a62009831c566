//! SMPP 3.4 delivery receipts: the PDU that a gateway wrapped as `{"smpp":{…}}` (one, an array, or
//! the inner object), or the bare receipt text. SMPP 3.4, appendix B:
//! <https://smpp.org/SMPP_v3_4_Issue1_2.pdf>
//!
//! | `stat` | `message_state` (0x0427) | canonical |
//! |---|---|---|
//! | SCHEDULED | 0 | queued |
//! | ENROUTE | 1 | sent |
//! | DELIVRD | 2 | delivered, final |
//! | EXPIRED | 3 | expired, final |
//! | DELETED | 4 | failed, final (an operator or the sender took it out) |
//! | UNDELIV | 5 | undelivered, final |
//! | ACCEPTD | 6 | accepted, or what the account's SMSC means by it (`acceptd`) |
//! | UNKNOWN | 7 | unknown |
//! | REJECTD | 8 | rejected, final |
//! | SKIPPED | 9 | failed, final |
//! | FAILED, NOROUTE | – | failed, final |
//! | NACK, BLOCKED | – | rejected, final |
//! | BUFFERED | – | queued |
//!
//! Traps: labels come in any case and order, two hold a space, and the text may hold `stat:`, so
//! labels are read from the left and the text ends them; of the `stat` and the TLV the word
//! decides, and where they differ that is counted; times are the SMSC's local ones (`vendor_local`)
//! with or without seconds, or Unix milliseconds; `err` may be no number, and `000` beside a TLV
//! with a code; `dlvrd:000` on DELIVRD proves nothing; the receipt's source address is the
//! recipient, unless only the destination can be a number, or is the whole one of two (a whole one
//! without a source is nobody's, and not shown); an
//! intermediate notification (0x20) settles no failure; a PDU that says it is no receipt is
//! inbound, whatever its text claims; texts, addresses and parameters may have kept the zero that
//! ends a C string; a gateway that dumps the text in hex does so with its parameters.
//!
//! One id has several spellings: hexadecimal here, decimal there, with leading zeros. The message
//! key holds its number, `message_id` the spelling; digits alone are taken as decimal. Ids are
//! unique within one SMSC, so the key also holds `system_id`, else the record's account. A message
//! of three parts gives three receipts with three ids, so each part is a message. No price. Some
//! tell MCC and MNC in a parameter of their own (0x1400 to 0x3FFF): which one is configured
//! (`network_tlv`).

mod receipt;

use model::vocabulary::{Channel, DeadReason, ErrorClass, Source, Status};

use crate::accounts::Accounts;
use crate::answer::each_document;
use crate::catalogue::{Module, events};
use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::network::split_network;
use crate::phone::{Number, PERSONAL_DIGITS_MIN};
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};

use receipt::{IdBuffer, Receipt, decode_hex, id_number, is_hex};

/// Bits of `esm_class` that tell what a `deliver_sm` is.
const ESM_TYPE: u8 = 0x3C;
const ESM_RECEIPT: u8 = 0x04;
const ESM_DELIVERY_ACK: u8 = 0x08;
const ESM_INTERMEDIATE: u8 = 0x20;

/// Most parameters kept that may tell a network.
const NETWORKS_MAX: usize = 4;

/// A `deliver_sm` as the gateway wrote it.
#[derive(Debug, Default)]
struct Pdu<'a> {
    system: Scalar<'a>,
    source: Scalar<'a>,
    destination: Scalar<'a>,
    esm_class: Scalar<'a>,
    message: Scalar<'a>,
    receipted_id: Scalar<'a>,
    state: Scalar<'a>,
    network_error: Scalar<'a>,
    payload: Scalar<'a>,
    /// Parameters that are some account's network.
    networks: Vec<(u16, Scalar<'a>)>,
    accounts: Option<&'a Accounts>,
    /// `tlv` was no object.
    unreadable: u64,
    is_pdu: bool,
}

impl Pdu<'_> {
    /// A parameter that tells some account's network, of which few are kept.
    fn is_network(&self, tag: u16) -> bool {
        self.networks.len() < NETWORKS_MAX
            && self.accounts.is_some_and(|accounts| accounts.is_network_tlv(tag))
    }

    /// Whose SMSC sent it: it says so, or its record does.
    fn account<'p>(&'p self, of_record: Option<&'p str>) -> Option<&'p str> {
        self.system.text().or(of_record)
    }

    fn network(&self, out: &mut Emitter<'_>) -> (Option<&str>, Option<&str>) {
        let regional = out.regional;
        let tag = regional.accounts.network_tlv(Source::Smpp, self.account(out.origin.account));
        let told = self.networks.iter().find(|(at, _)| Some(*at) == tag);
        let Some(code) = told.and_then(|(_, value)| out.text(value)) else { return (None, None) };
        let network = split_network(code.trim_end_matches('\0'));
        out.counters.unreadable_fields += u64::from(network.is_none());
        network.unzip()
    }
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let value = record.value.trim_ascii();
    match value.as_bytes().first() {
        Some(b'{' | b'[') => {
            each_document(value, out, |text, place, out| pdu(text, place, scratch, out))
        }
        Some(b'"') => {
            let mut cursor = Cursor::new(value);
            let text = cursor.scalar()?;
            cursor.end()?;
            texts(text.text().unwrap_or(""), out)
        }
        _ => texts(value, out),
    }
}

/// Bare receipts: one a line where every line is one, else the whole is one.
fn texts(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    // Of a text of line feeds alone there are many: they are passed before anything is asked.
    let lines = || {
        let all = text.split('\n').filter(|line| !line.is_empty()).map(str::trim);
        all.filter(|line| !line.is_empty())
    };
    let are_receipts = || lines().all(receipt::is_line);
    if lines().nth(1).is_none() || !are_receipts() {
        return emit(&Pdu::default(), &Receipt::parse(text), Place { parent: "", at: None }, out);
    }
    for (at, line) in lines().enumerate() {
        let place = Place { parent: "", at: Some(at) };
        if let Err(dead) = emit(&Pdu::default(), &Receipt::parse(line), place, out) {
            out.dead(dead);
        }
    }
    Ok(())
}

fn pdu(
    text: &str,
    place: Place<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let mut pdu = Pdu { accounts: Some(&out.regional.accounts), ..Pdu::default() };
    Cursor::watched(text, out.drift).document_or_skip(|cursor, key| match key {
        "smpp" => cursor.object_or_skip(|cursor, key| field(cursor, key, &mut pdu)).map(|_| ()),
        _ => field(cursor, key, &mut pdu),
    })?;
    if !pdu.is_pdu {
        return Err(Dead::new(DeadReason::UnknownVariant, format!("{place}/smpp")));
    }
    // With the text in `message_payload` a gateway may leave a space or the zero of an empty one.
    let message = pdu.message.text().filter(|text| !receipt::is_blank(text));
    let told = message.or_else(|| pdu.payload.text()).unwrap_or("");
    let hex = is_hex(told);
    let told = if hex { decode_hex(told, &mut scratch.bytes) } else { told };
    let receipt = Receipt::parse(told);
    let esm_type = pdu.esm_class.text().and_then(esm_class).map(|class| class & ESM_TYPE);
    let is_receipt = matches!(esm_type, None | Some(ESM_RECEIPT | ESM_INTERMEDIATE))
        || pdu.receipted_id.is_present()
        || esm_type == Some(ESM_DELIVERY_ACK) && receipt.is_whole();
    if !is_receipt {
        out.ignored(if esm_type == Some(0) { "inbound" } else { "acknowledgement" });
        return Ok(());
    }
    if hex {
        decode_parameters(&mut pdu.receipted_id, &mut pdu.networks);
    }
    emit(&pdu, &receipt, place, out)
}

/// Of a gateway that dumps bytes: the id, and what is a network in hex.
fn decode_parameters(id: &mut Scalar<'_>, networks: &mut [(u16, Scalar<'_>)]) {
    if let Some(decoded) = id.text().and_then(receipt::hex_c_string) {
        *id = Scalar::Text(decoded.into());
    }
    for (_, code) in networks {
        let decoded = code.text().and_then(receipt::hex_c_string);
        if let Some(decoded) = decoded.filter(|code| split_network(code).is_some()) {
            *code = Scalar::Text(decoded.into());
        }
    }
}

fn field<'a>(cursor: &mut Cursor<'a>, key: &str, pdu: &mut Pdu<'a>) -> Result<(), Syntax> {
    let slot = match key {
        "system_id" => &mut pdu.system,
        "source_addr" => &mut pdu.source,
        "destination_addr" => &mut pdu.destination,
        "esm_class" => &mut pdu.esm_class,
        "short_message" => &mut pdu.message,
        "tlv" | "tlvs" => {
            if cursor.is_null() {
                return cursor.skip();
            }
            let is_object = cursor.object_or_skip(|cursor, key| tlv(cursor, key, pdu))?;
            pdu.unreadable += u64::from(!is_object);
            pdu.is_pdu = true;
            return Ok(());
        }
        _ => return cursor.other(),
    };
    pdu.is_pdu = true;
    *slot = cursor.scalar()?;
    Ok(())
}

/// An optional parameter, by its tag in any spelling or by its name.
fn tlv<'a>(cursor: &mut Cursor<'a>, key: &str, pdu: &mut Pdu<'a>) -> Result<(), Syntax> {
    let slot = match (key, tag(key)) {
        ("receipted_message_id", _) | (_, Some(0x001E)) => &mut pdu.receipted_id,
        ("message_state", _) | (_, Some(0x0427)) => &mut pdu.state,
        ("network_error_code", _) | (_, Some(0x0423)) => &mut pdu.network_error,
        ("message_payload", _) | (_, Some(0x0424)) => &mut pdu.payload,
        (_, Some(tag)) if pdu.is_network(tag) => {
            pdu.networks.push((tag, cursor.scalar()?));
            return Ok(());
        }
        _ => return cursor.other(),
    };
    *slot = cursor.scalar()?;
    Ok(())
}

/// `0x001E`, `001E` or decimal `30`.
fn tag(key: &str) -> Option<u16> {
    let hex = key.strip_prefix("0x").or_else(|| key.strip_prefix("0X"));
    match hex.or((key.len() == 4 && key.starts_with('0')).then_some(key)) {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => key.parse().ok(),
    }
}

fn esm_class(text: &str) -> Option<u8> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn emit(
    pdu: &Pdu<'_>,
    receipt: &Receipt<'_>,
    place: Place<'_>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let receipted = pdu.receipted_id.text().map(|id| id.trim_end_matches('\0'));
    let id = receipted.filter(|id| !id.is_empty()).or(receipt.id);
    let word = receipt.stat.or_else(|| pdu.state.text());
    let missing = |reason, label| Err(Dead::new(reason, format!("{place}/{label}")));
    let (id, word) = match (id, word) {
        (Some(id), Some(word)) => (id, word),
        (None, Some(_)) => return missing(DeadReason::MissingId, "id"),
        (Some(_), None) => return missing(DeadReason::MissingStatus, "stat"),
        (None, None) => return missing(DeadReason::UnknownVariant, "stat"),
    };
    let others = [&pdu.message, &pdu.payload, &pdu.receipted_id, &pdu.esm_class];
    let unreadable = others.iter().map(|field| u64::from(field.is_unreadable())).sum::<u64>();
    out.counters.unreadable_fields += pdu.unreadable + unreadable;
    let mut number = IdBuffer::new();
    let network_code = network_code(pdu, receipt, out);
    let mut draft = Draft::new(id, Channel::Sms, outcome(pdu, receipt, word, out));
    draft.key_id = id_number(id, &mut number);
    draft.key_part = out.text(&pdu.system).or(out.origin.account).unwrap_or("");
    draft.account = pdu.system.text();
    draft.vendor_status = Some(word);
    let codes = [receipt.err, network_code.as_deref()];
    draft.error_code = codes.into_iter().flatten().find(|code| !words::is_no_error(code));
    draft.error_class = Folded::new(word).as_str().eq("blocked").then_some(ErrorClass::Blocked);
    let done = time(receipt.done, out);
    (draft.event_time_us, draft.is_local_time) = (done.map(|time| time.0), is_local(done));
    let submit = time(receipt.submit, out);
    (draft.submit_time_us, draft.is_local_submit) = (submit.map(|time| time.0), is_local(submit));
    (draft.recipient, draft.sender) = addresses(pdu, out);
    (draft.mcc, draft.mnc) = pdu.network(out);
    if let Some(sub) = receipt.sub {
        let parts = sub.parse::<u16>().ok();
        out.counters.unreadable_fields += u64::from(parts.is_none());
        draft.segments = parts.filter(|parts| *parts > 0);
    }
    out.event(&draft);
    Ok(())
}

/// Recipient and sender. The receipt comes from the recipient, but some SMSCs do not swap.
fn addresses<'p>(pdu: &'p Pdu<'_>, out: &mut Emitter<'_>) -> (Option<&'p str>, Option<&'p str>) {
    let mut address = |field: &'p Scalar<'_>| {
        // A C string, which may have kept its zero.
        let text = out.text(field).map(|text| text.trim_end_matches('\0'));
        text.filter(|text| !text.is_empty())
    };
    let (source, destination) = (address(&pdu.source), address(&pdu.destination));
    // How much of a person's number an address is: none, a short code, a whole one.
    let weight = |address: &str| {
        Number::parse(address).map_or(0, |number| number.digits().len().min(PERSONAL_DIGITS_MIN))
    };
    let is_whole = |address| weight(address) == PERSONAL_DIGITS_MIN;
    match (source, destination) {
        (Some(from), Some(to)) if weight(from) == 0 && weight(to) > 0 => (destination, source),
        (Some(from), Some(to)) if !is_whole(from) && is_whole(to) => (destination, source),
        // Whose a whole number is nobody can tell then: it is not shown as a sender's.
        (None, Some(to)) if is_whole(to) => (None, None),
        _ => (source, destination),
    }
}

/// A time and whether its zone was assumed; zeros are none.
fn time(text: Option<&str>, out: &mut Emitter<'_>) -> Option<(i64, bool)> {
    let text = text.filter(|text| text.bytes().any(|byte| byte != b'0'))?;
    let time = match text.len() {
        13 => text.parse().ok().and_then(date::unix_millis).map(|time| (time, false)),
        _ => date::parse_compact(text).map(|time| (time, true)),
    };
    let time = time.filter(|(time_us, _)| *time_us > 0);
    out.counters.unreadable_fields += u64::from(time.is_none());
    time
}

fn is_local(time: Option<(i64, bool)>) -> bool {
    time.is_some_and(|(_, is_local)| is_local)
}

/// The error number of `network_error_code` (network type, then 16 bits), where `err` tells none.
fn network_code(pdu: &Pdu<'_>, receipt: &Receipt<'_>, out: &mut Emitter<'_>) -> Option<String> {
    let told = out.text(&pdu.network_error)?;
    if receipt.err.is_some_and(|err| !words::is_no_error(err)) {
        return None;
    }
    Some(network_number(&pdu.network_error).map_or_else(|| told.to_owned(), |n| n.to_string()))
}

/// Its 16 bits: of six hex digits, of the bytes themselves, or of a number made of them.
fn network_number(field: &Scalar<'_>) -> Option<u16> {
    let text = field.text()?;
    if matches!(field, Scalar::Number(_)) {
        return u16::try_from(text.parse::<u32>().ok()? & 0xffff).ok();
    }
    if let [_, high, low] = text.chars().collect::<Vec<_>>()[..]
        && text.chars().any(char::is_control)
    {
        let byte = |c: char| u8::try_from(u32::from(c)).ok();
        return Some(u16::from_be_bytes([byte(high)?, byte(low)?]));
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let digits: String = digits.chars().filter(|c| !matches!(c, ' ' | ':')).take(7).collect();
    let number = digits.get(2..).filter(|_| digits.len() == 6 && is_hex(&digits))?;
    u16::from_str_radix(number, 16).ok()
}

fn outcome(pdu: &Pdu<'_>, receipt: &Receipt<'_>, word: &str, out: &mut Emitter<'_>) -> Outcome {
    let state = out.text(&pdu.state).and_then(state_outcome);
    let told = receipt.stat.and_then(|_| known_outcome(word));
    if let (Some(told), Some(state)) = (told, state) {
        out.counters.contradictions += u64::from(told != state);
    }
    let Some(outcome) = told.or(state) else {
        return out.unknown_status();
    };
    let outcome = match outcome.0 {
        Status::Accepted => meant(pdu, out).unwrap_or(outcome),
        _ => outcome,
    };
    let esm_type = pdu.esm_class.text().and_then(esm_class).map(|class| class & ESM_TYPE);
    if esm_type == Some(ESM_INTERMEDIATE) && !outcome.0.is_delivered() {
        return Outcome::open(outcome.0);
    }
    outcome
}

/// What the account's SMSC means by ACCEPTD.
fn meant(pdu: &Pdu<'_>, out: &Emitter<'_>) -> Option<Outcome> {
    let account = pdu.account(out.origin.account);
    let status = out.regional.accounts.acceptd(Source::Smpp, account)?;
    Some(Outcome(status, status.is_delivered()))
}

fn known_outcome(word: &str) -> Option<Outcome> {
    Some(match Folded::new(word).as_str() {
        "scheduled" | "buffered" | "queued" => Outcome::open(Status::Queued),
        "enroute" | "en_route" => Outcome::open(Status::Sent),
        "delivrd" | "delivered" => Outcome::settled(Status::Delivered),
        "expired" => Outcome::settled(Status::Expired),
        "undeliv" | "undeliverable" | "undelivered" => Outcome::settled(Status::Undelivered),
        "acceptd" | "accepted" => Outcome::open(Status::Accepted),
        "unknown" => Outcome::open(Status::Unknown),
        "rejectd" | "rejected" | "nack" | "blocked" => Outcome::settled(Status::Rejected),
        "deleted" | "skipped" | "failed" | "noroute" => Outcome::settled(Status::Failed),
        _ => return None,
    })
}

/// By number, or by the name that some gateways write.
fn state_outcome(state: &str) -> Option<Outcome> {
    let digits = state.strip_prefix("0x").unwrap_or(state);
    let Ok(number) = digits.parse::<u8>() else { return known_outcome(state) };
    Some(match number {
        0 => Outcome::open(Status::Queued),
        1 => Outcome::open(Status::Sent),
        2 => Outcome::settled(Status::Delivered),
        3 => Outcome::settled(Status::Expired),
        4 | 9 => Outcome::settled(Status::Failed),
        5 => Outcome::settled(Status::Undelivered),
        6 => Outcome::open(Status::Accepted),
        7 => Outcome::open(Status::Unknown),
        8 => Outcome::settled(Status::Rejected),
        _ => return None,
    })
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://smpp.org/SMPP_v3_4_Issue1_2.pdf",
    variants: &[
        events("receipt text", &["bare_delivered.txt", "bare_lines.txt"]),
        events("deliver_sm, JSON", &["pdu.json", "pdu_payload.json"]),
        events("deliver_sm with its text in hex, JSON", &["pdu_hex.json"]),
        events("deliver_sm of TLVs alone, JSON", &["pdu_tlv_only.json"]),
    ],
    documented: &[],
};

#[cfg(test)]
mod tests;

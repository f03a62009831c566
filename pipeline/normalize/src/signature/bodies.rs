//! Schemes over the raw body: Sinch, Telnyx, Bird, Google RBM, Meta, and those that nobody
//! documents.

use ring::signature::{ED25519, UnparsedPublicKey};

use super::Reason;
use super::keys::Keys;
use super::mac::{Algorithm, Code, hmac, is_same};
use super::request::{Checked, Signed, seconds, split_url};
use crate::form::Form;
use crate::json::{Cursor, Scalar};

/// How far a signed time may be from the receipt where the vendor names 300 s (Telnyx, Bird), and
/// where it names nothing (Sinch).
const TOLERANCE_S: u32 = 300;

/// base64(HMAC(secret, `body.nonce.timestamp`)), the algorithm named by a header.
pub(super) fn sinch(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let presented = signed.header("x-sinch-webhook-signature")?;
    let nonce = signed.header("x-sinch-webhook-signature-nonce")?;
    let timestamp = signed.header("x-sinch-webhook-signature-timestamp")?;
    let algorithm = match signed.header("x-sinch-webhook-signature-algorithm")? {
        "HmacSHA256" => Algorithm::Sha256,
        "HmacSHA384" => Algorithm::Sha384,
        "HmacSHA512" => Algorithm::Sha512,
        _ => return Err(Reason::Malformed),
    };
    let presented = Code::base64(presented).ok_or(Reason::Malformed)?;
    let signed_us = seconds(timestamp)?;
    let parts = [signed.record.value, b".", nonce.as_bytes(), b".", timestamp.as_bytes()];
    let age = keys.find(|key| hmac(algorithm, key.bytes(), &parts).is(&presented))?;
    signed.fresh(signed_us, keys, TOLERANCE_S)?;
    Ok(age)
}

/// Ed25519 over `timestamp|body`.
pub(super) fn telnyx(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let presented = signed.header("telnyx-signature-ed25519")?;
    let timestamp = signed.header("telnyx-timestamp")?;
    let presented = Code::base64(presented).ok_or(Reason::Malformed)?;
    let signed_us = seconds(timestamp)?;
    let message = [timestamp.as_bytes(), b"|", signed.record.value].concat();
    let age = keys.find(|key| {
        UnparsedPublicKey::new(&ED25519, key.bytes()).verify(&message, presented.bytes()).is_ok()
    })?;
    signed.fresh(signed_us, keys, TOLERANCE_S)?;
    Ok(age)
}

/// Standard Webhooks: base64(HMAC-SHA256(secret, `id.timestamp.body`)), a list of `v1,<code>`.
pub(super) fn bird(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let id = signed.header("webhook-id")?;
    let timestamp = signed.header("webhook-timestamp")?;
    let list = signed.header("webhook-signature")?;
    let signed_us = seconds(timestamp)?;
    let presented = codes(list.split(' ').filter_map(|entry| entry.strip_prefix("v1,")))?;
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", signed.record.value];
    let age = keys.find(|key| is_any(&presented, &hmac(Algorithm::Sha256, key.bytes(), &parts)))?;
    signed.fresh(signed_us, keys, TOLERANCE_S)?;
    Ok(age)
}

/// base64(HMAC-SHA512(client token, the decoded bytes of `message.data`)); a record that is the
/// event itself has been decoded before.
pub(super) fn google_rbm(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let presented = signed.header("x-goog-signature")?;
    let presented = Code::base64(presented).ok_or(Reason::Malformed)?;
    let mut decoded = Vec::new();
    let message = match pushed_data(signed.text()?)? {
        Some(data) if crate::google_rbm::decode(&data, &mut decoded) => decoded.as_slice(),
        Some(_) => return Err(Reason::Malformed),
        None => signed.record.value,
    };
    keys.find(|key| hmac(Algorithm::Sha512, key.bytes(), &[message]).is(&presented))
}

/// Keys of a Pub/Sub push. All but the data is unsigned, so nothing else may stand beside them:
/// an adapter might read it.
const PUSH_KEYS: [&str; 10] = [
    "attributes",
    "data",
    "deliveryAttempt",
    "message",
    "messageId",
    "message_id",
    "orderingKey",
    "publishTime",
    "publish_time",
    "subscription",
];

/// The data of a Pub/Sub push; `None` where the text is no push.
fn pushed_data(text: &str) -> Result<Option<String>, Reason> {
    fn level<'a>(cursor: &mut Cursor<'a>, found: &mut Push) -> Result<(), crate::json::Syntax> {
        cursor.object(|cursor, key| {
            found.is_other |= !PUSH_KEYS.contains(&key);
            if key == "data"
                && let Scalar::Text(data) = cursor.scalar()?
            {
                found.is_other |= found.data.replace(data.into_owned()).is_some();
                return Ok(());
            }
            match key {
                "data" => Ok(()),
                "message" if !found.is_inside && cursor.kind() == crate::json::Kind::Object => {
                    found.is_inside = true;
                    level(cursor, found)
                }
                "message" => {
                    found.is_other = true;
                    cursor.skip()
                }
                _ => cursor.skip(),
            }
        })
    }
    let mut found = Push::default();
    let mut cursor = Cursor::new(text);
    if cursor.kind() != crate::json::Kind::Object {
        return Ok(None);
    }
    let is_read = level(&mut cursor, &mut found).is_ok() && cursor.end().is_ok();
    if !is_read {
        return Err(Reason::Malformed);
    }
    Ok(found.data.filter(|_| !found.is_other))
}

#[derive(Debug, Default)]
struct Push {
    data: Option<String>,
    is_inside: bool,
    is_other: bool,
}

/// `sha256=` and lower-case hex of HMAC-SHA256(app secret, raw body).
pub(super) fn meta(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let presented = signed.header("x-hub-signature-256")?;
    let presented = presented
        .strip_prefix("sha256=")
        .filter(|hex| !hex.bytes().any(|byte| byte.is_ascii_uppercase()))
        .and_then(Code::hex)
        .ok_or(Reason::Malformed)?;
    keys.find(|key| hmac(Algorithm::Sha256, key.bytes(), &[signed.record.value]).is(&presented))
}

/// HMAC of the body in a header, hex or base64, with or without its algorithm's name before it.
pub(super) fn body_hmac(
    signed: &Signed<'_>,
    keys: &Keys,
    header: &str,
    algorithm: Algorithm,
) -> Checked {
    let presented = signed.header(header)?;
    let named = presented.split_once('=').filter(|(_, code)| code.len() > 1);
    let bare = named.map_or(presented, |(_, code)| code);
    let presented = Code::hex(bare)
        .or_else(|| Code::base64(bare))
        .or_else(|| Code::base64(presented))
        .ok_or(Reason::Malformed)?;
    keys.find(|key| hmac(algorithm, key.bytes(), &[signed.record.value]).is(&presented))
}

/// A header that equals the secret.
pub(super) fn shared_header(signed: &Signed<'_>, keys: &Keys, header: &str) -> Checked {
    let presented = signed.header(header)?;
    keys.find(|key| is_same(key.bytes(), presented.as_bytes()))
}

/// A parameter of the URL that equals the secret.
pub(super) fn shared_parameter(signed: &Signed<'_>, keys: &Keys, name: &str) -> Checked {
    let (_, query) = split_url(signed.url()?);
    let mut form = Form::default();
    form.read(query);
    let mut values = form.bytes().filter(|(found, _)| *found == name.as_bytes());
    let (_, presented) = values.next().ok_or(Reason::MissingField)?;
    if values.next().is_some() {
        return Err(Reason::Malformed);
    }
    keys.find(|key| is_same(key.bytes(), presented))
}

/// The readable codes of a list; none is malformed.
pub(super) fn codes<'a>(list: impl Iterator<Item = &'a str>) -> Result<Vec<Code>, Reason> {
    let codes: Vec<Code> = list.filter_map(|text| Code::base64(text.trim())).collect();
    if codes.is_empty() { Err(Reason::Malformed) } else { Ok(codes) }
}

/// Whether a code is in a list.
pub(super) fn is_any(list: &[Code], code: &Code) -> bool {
    list.iter().fold(false, |found, presented| found | presented.is(code))
}

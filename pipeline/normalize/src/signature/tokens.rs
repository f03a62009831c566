//! JSON Web Tokens (RFC 7515 and 7519) of Vonage and MessageBird, and MessageBird's older code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Reason;
use super::keys::Keys;
use super::mac::{Algorithm, Code, hmac};
use super::request::{Age, Checked, Signed, seconds, split_url};
use crate::date;
use crate::json::{Cursor, Scalar};

/// How far a Vonage token's `iat` may be from the receipt; the vendor names nothing.
const VONAGE_TOLERANCE_S: u32 = 300;
/// A MessageBird token lives 60 s: only clocks may differ.
const MESSAGEBIRD_TOLERANCE_S: u32 = 5;
/// Of the older code the vendor names nothing.
const OLD_TOLERANCE_S: u32 = 300;

/// What is read of the claims.
#[derive(Debug, Default)]
struct Claims {
    issuer: Option<String>,
    issued_us: Option<i64>,
    from_us: Option<i64>,
    until_us: Option<i64>,
    url_hash: Option<String>,
    payload_hash: Option<String>,
}

/// HS256 token of the account's signature secret, whose `payload_hash` is the body's.
pub(super) fn vonage(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let header = signed.header("authorization")?;
    // A scheme of authentication has no case (RFC 9110, section 11.1).
    let (scheme, token) = header.split_once(' ').ok_or(Reason::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Reason::Malformed);
    }
    let (age, claims) = open(token, keys, &[("HS256", Algorithm::Sha256)])?;
    if claims.issuer.as_deref() != Some("Vonage") {
        return Err(Reason::Malformed);
    }
    // Without a body nothing that is told would be signed.
    let hash = claims.payload_hash.filter(|_| !signed.record.value.is_empty());
    signed.body_is(&hash.ok_or(Reason::BodyMismatch)?)?;
    let issued_us = claims.issued_us.ok_or(Reason::Malformed)?;
    signed.fresh(issued_us, keys, VONAGE_TOLERANCE_S)?;
    signed.between(claims.from_us, claims.until_us, keys, VONAGE_TOLERANCE_S)?;
    Ok(age)
}

/// Token of the signing key over hashes of the URL and of a body that is there.
pub(super) fn messagebird(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let Some(token) = signed.optional("messagebird-signature-jwt") else {
        return messagebird_old(signed, keys);
    };
    let url = signed.url()?;
    let algorithms =
        [("HS256", Algorithm::Sha256), ("HS384", Algorithm::Sha384), ("HS512", Algorithm::Sha512)];
    let (age, claims) = open(token, keys, &algorithms)?;
    let (Some("MessageBird"), Some(from_us), Some(until_us)) =
        (claims.issuer.as_deref(), claims.from_us, claims.until_us)
    else {
        return Err(Reason::Malformed);
    };
    let url_hash = claims.url_hash.as_deref().and_then(Code::hex);
    if !url_hash.is_some_and(|hash| hash.is_bytes(&Sha256::digest(url))) {
        return Err(Reason::UrlMismatch);
    }
    match (claims.payload_hash, signed.record.value.is_empty()) {
        (None, true) => {}
        (Some(hash), false) => signed.body_is(&hash)?,
        (Some(_), true) | (None, false) => return Err(Reason::BodyMismatch),
    }
    signed.between(Some(from_us), Some(until_us), keys, MESSAGEBIRD_TOLERANCE_S)?;
    Ok(age)
}

/// base64(HMAC-SHA256(key, timestamp, line feed, sorted query, line feed, SHA-256 of the body)).
fn messagebird_old(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let presented = signed.header("messagebird-signature")?;
    let timestamp = signed.header("messagebird-request-timestamp")?;
    let (_, query) = split_url(signed.url()?);
    let presented = Code::base64(presented).ok_or(Reason::Malformed)?;
    let signed_us = seconds(timestamp)?;
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_by_key(|pair| pair.split_once('=').map_or(*pair, |(name, _)| name));
    let query = pairs.join("&");
    let parts: [&[u8]; 5] =
        [timestamp.as_bytes(), b"\n", query.as_bytes(), b"\n", signed.payload_sha256];
    let age = keys.find(|key| hmac(Algorithm::Sha256, key.bytes(), &parts).is(&presented))?;
    signed.fresh(signed_us, keys, OLD_TOLERANCE_S)?;
    Ok(age)
}

/// The claims of a token that one of the keys signed, by one of these algorithms.
fn open(
    token: &str,
    keys: &Keys,
    algorithms: &[(&str, Algorithm)],
) -> Result<(Age, Claims), Reason> {
    let (text, code) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
    let (header, claims) = text.split_once('.').ok_or(Reason::Malformed)?;
    let presented = Code::decoded(&URL_SAFE_NO_PAD, code).ok_or(Reason::Malformed)?;
    let header = decode(header)?;
    let named = member(&header, "alg");
    let (_, algorithm) = algorithms
        .iter()
        .find(|(name, _)| named.as_deref() == Some(*name))
        .ok_or(Reason::Malformed)?;
    let age = keys.find(|key| hmac(*algorithm, key.bytes(), &[text.as_bytes()]).is(&presented))?;
    Ok((age, read(&decode(claims)?)?))
}

fn decode(part: &str) -> Result<String, Reason> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::Malformed)?;
    String::from_utf8(bytes).map_err(|_| Reason::Malformed)
}

fn member(text: &str, name: &str) -> Option<String> {
    let mut found = None;
    let read = Cursor::new(text).document_or_skip(|cursor, key| {
        let value = cursor.scalar()?;
        if key == name {
            found = value.text().map(str::to_owned);
        }
        Ok(())
    });
    found.filter(|_| read == Ok(true))
}

fn read(text: &str) -> Result<Claims, Reason> {
    let mut claims = Claims::default();
    let time = |value: &Scalar<'_>| value.text().and_then(whole_seconds);
    let read = Cursor::new(text).document_or_skip(|cursor, key| {
        let value = cursor.scalar()?;
        let word = || match &value {
            Scalar::Text(text) => Some(text.as_ref().to_owned()),
            _ => None,
        };
        match key {
            "iss" => claims.issuer = word(),
            "iat" => claims.issued_us = time(&value),
            "nbf" => claims.from_us = time(&value),
            "exp" => claims.until_us = time(&value),
            "url_hash" => claims.url_hash = word(),
            "payload_hash" => claims.payload_hash = word(),
            _ => {}
        }
        Ok(())
    });
    if read == Ok(true) { Ok(claims) } else { Err(Reason::Malformed) }
}

/// A NumericDate; a fraction of a second is cut off.
fn whole_seconds(text: &str) -> Option<i64> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    date::unix_seconds(model::time::digits(whole.as_bytes())?)
}

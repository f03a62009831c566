//! Signed requests of every scheme, made here by the schemes' own words: HMAC by its definition
//! (RFC 2104) over a plain digest, strings spelled out. Nothing of `normalize` is used.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::Digest as _;
use model::vocabulary::Source;
use normalize::signature::{Algorithm, Scheme};
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::fixtures::Case;

/// 2026-11-20T12:00:00Z, when everything here was signed.
pub(super) const SIGNED_S: i64 = 1_795_176_000;
/// Two seconds later it was received.
pub(super) const RECEIVED_S: i64 = SIGNED_S + 2;

/// One scheme: how it signs, and what its answers are.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) source: Source,
    pub(super) scheme: Scheme,
    /// Signs the same request with a secret.
    pub(super) sign: fn(&str) -> Case,
    /// Signs a time, so that a replay shows.
    pub(super) is_timed: bool,
    /// Text of value or `url` that an attacker changes, and the answer.
    pub(super) altered: (&'static str, &'static str),
    /// All bytes of the body are signed as they are.
    pub(super) is_raw: bool,
    /// From this text on the URL is signed; `None`: nowhere.
    pub(super) url_from: Option<&'static str>,
}

/// The key as it is configured: the secret, or what belongs to it.
pub(super) fn configured(source: Source, secret: &str) -> String {
    match source {
        Source::Telnyx => STANDARD.encode(pair(secret).public_key()),
        Source::Bird => format!("whsec_{}", STANDARD.encode(secret)),
        _ => secret.to_owned(),
    }
}

fn pair(secret: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(digest::digest(&SHA256, secret.as_bytes()).as_ref())
        .unwrap()
}

pub(super) fn hmac(hash: &'static digest::Algorithm, key: &str, text: &[u8]) -> Vec<u8> {
    hmac_by(|bytes| digest::digest(hash, bytes).as_ref().to_vec(), hash.block_len(), key, text)
}

/// HMAC by any hash that takes blocks of so many bytes; the key is no longer than one.
pub(super) fn hmac_by(
    hash: impl Fn(&[u8]) -> Vec<u8>,
    block_bytes: usize,
    key: &str,
    text: &[u8],
) -> Vec<u8> {
    let mut block = vec![0; block_bytes];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = hash(&[pad(0x36), text.to_vec()].concat());
    hash(&[pad(0x5c), inner].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&SHA256, bytes).as_ref())
}

fn request(value: impl Into<Vec<u8>>) -> Case {
    Case::value(value).header("received-at", "2026-11-20T12:00:02Z")
}

const URL: &str = "https://example.com/dlr";
const TWILIO: &str = "To=%2B12025550143&MessageSid=SM01&MessageStatus=delivered&Tag=b&Tag=a";

fn twilio_form(secret: &str) -> Case {
    let text = "https://example.com/dlr?x=1MessageSidSM01MessageStatusdeliveredTagaTagb\
                To+12025550143";
    let code = STANDARD.encode(hmac(&SHA1_FOR_LEGACY_USE_ONLY, secret, text.as_bytes()));
    request(TWILIO).header("url", &format!("{URL}?x=1")).header("http-x-twilio-signature", &code)
}

fn twilio_json(secret: &str) -> Case {
    let body =
        r#"[{"specversion":"1.0","data":{"messageSid":"SM01","messageStatus":"DELIVERED"}}]"#;
    let url = format!("{URL}?bodySHA256={}", sha256_hex(body.as_bytes()));
    let code = STANDARD.encode(hmac(&SHA1_FOR_LEGACY_USE_ONLY, secret, url.as_bytes()));
    request(body).header("url", &url).header("http-x-twilio-signature", &code)
}

const JSON: &str = r#"{"id":"m-1","status":"delivered","text":"ä\/"}"#;

fn sinch(secret: &str) -> Case {
    let code = hmac(&SHA256, secret, format!("{JSON}.nonce-1.{SIGNED_S}").as_bytes());
    request(JSON)
        .header("http-x-sinch-webhook-signature", &STANDARD.encode(code))
        .header("http-x-sinch-webhook-signature-nonce", "nonce-1")
        .header("http-x-sinch-webhook-signature-timestamp", &SIGNED_S.to_string())
        .header("http-x-sinch-webhook-signature-algorithm", "HmacSHA256")
}

fn sinch_sha512(secret: &str) -> Case {
    let code = hmac(&SHA512, secret, format!("{JSON}.nonce-1.{SIGNED_S}").as_bytes());
    request(JSON)
        .header("http-x-sinch-webhook-signature", &STANDARD.encode(code))
        .header("http-x-sinch-webhook-signature-nonce", "nonce-1")
        .header("http-x-sinch-webhook-signature-timestamp", &SIGNED_S.to_string())
        .header("http-x-sinch-webhook-signature-algorithm", "HmacSHA512")
}

fn token(claims: &serde_json::Value, secret: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let code = URL_SAFE_NO_PAD.encode(hmac(&SHA256, secret, text.as_bytes()));
    format!("{text}.{code}")
}

pub(super) fn vonage_token(secret: &str) -> Case {
    let claims = serde_json::json!({"iat": SIGNED_S, "jti": "j", "iss": "Vonage",
        "payload_hash": sha256_hex(JSON.as_bytes()), "api_key": "abcd1234"});
    request(JSON).header("http-authorization", &format!("Bearer {}", token(&claims, secret)))
}

fn vonage_query(secret: &str) -> Case {
    let text = format!("&client-ref=a_b_c&messageId=0A01&status=delivered&timestamp={SIGNED_S}");
    let code = hex(&md5::Md5::digest(format!("{text}{secret}")));
    let url = format!(
        "{URL}?status=delivered&messageId=0A01&client-ref=a%26b%3Dc&timestamp={SIGNED_S}&sig={code}"
    );
    request("").header("method", "GET").header("url", &url)
}

fn vonage_json(secret: &str) -> Case {
    let text = format!("&messageId=0A01&price=0.05&status=delivered&timestamp={SIGNED_S}");
    let code = hex(&hmac(&SHA512, secret, text.as_bytes())).to_uppercase();
    let value = serde_json::json!({"status": "delivered", "messageId": "0A01", "price": 0.05,
        "timestamp": SIGNED_S.to_string(), "sig": code});
    request(value.to_string())
}

fn telnyx(secret: &str) -> Case {
    let code = pair(secret).sign(format!("{SIGNED_S}|{JSON}").as_bytes());
    request(JSON)
        .header("http-telnyx-signature-ed25519", &STANDARD.encode(code))
        .header("http-telnyx-timestamp", &SIGNED_S.to_string())
}

fn plivo(base: &str, secret: &str) -> String {
    STANDARD.encode(hmac(&SHA256, secret, format!("{base}.nonce-1").as_bytes()))
}

fn plivo_post(secret: &str) -> Case {
    let code = plivo("https://example.com/dlr?a=1&b=+2.MessageUUIDu-1Statusdelivered", secret);
    request("Status=delivered&MessageUUID=u-1")
        .header("method", "POST")
        .header("url", &format!("{URL}?b=%2B2&a=1"))
        .header("http-x-plivo-signature-v3", &format!("AAAA,{code}"))
        .header("http-x-plivo-signature-v3-nonce", "nonce-1")
}

fn plivo_post_repeated(secret: &str) -> Case {
    // Values of one name are sorted, each behind its name.
    let code = plivo("https://example.com/dlr?a=1.StatusdeliveredTagaTagb", secret);
    request("Tag=b&Status=delivered&Tag=a")
        .header("url", &format!("{URL}?a=1"))
        .header("http-x-plivo-signature-v3", &code)
        .header("http-x-plivo-signature-v3-nonce", "nonce-1")
}

fn plivo_post_without_query(secret: &str) -> Case {
    // The vendor's kits put a question mark here, its page a full stop.
    let code = plivo("https://example.com/dlr?MessageUUIDu-1Statusdelivered", secret);
    request("Status=delivered&MessageUUID=u-1")
        .header("url", URL)
        .header("http-x-plivo-signature-v3", &code)
        .header("http-x-plivo-signature-v3-nonce", "nonce-1")
}

fn plivo_get(secret: &str) -> Case {
    let code = plivo("https://example.com/dlr?MessageUUID=u-1&Status=delivered", secret);
    request("")
        .header("method", "GET")
        .header("url", &format!("{URL}?Status=delivered&MessageUUID=u-1"))
        .header("http-x-plivo-signature-v3", &code)
        .header("http-x-plivo-signature-v3-nonce", "nonce-1")
}

fn plivo_v2(secret: &str) -> Case {
    let code = STANDARD.encode(hmac(&SHA256, secret, b"https://example.com/dlrnonce-1"));
    request("Status=delivered&MessageUUID=u-1")
        .header("url", &format!("{URL}?a=1"))
        .header("http-x-plivo-signature-v2", &code)
        .header("http-x-plivo-signature-v2-nonce", "nonce-1")
}

fn messagebird(value: &str, secret: &str) -> Case {
    let url = format!("{URL}?id=m-1&status=delivered");
    let mut claims = serde_json::json!({"iss": "MessageBird", "nbf": SIGNED_S,
        "exp": SIGNED_S + 60, "jti": "j", "url_hash": sha256_hex(url.as_bytes())});
    if !value.is_empty() {
        claims["payload_hash"] = sha256_hex(value.as_bytes()).into();
    }
    request(value)
        .header("url", &url)
        .header("http-messagebird-signature-jwt", &token(&claims, secret))
}

fn messagebird_old(secret: &str) -> Case {
    let hash = digest::digest(&SHA256, b"");
    let text =
        [format!("{SIGNED_S}\nid=m-1&status=delivered\n").as_bytes(), hash.as_ref()].concat();
    request("")
        .header("url", &format!("{URL}?status=delivered&id=m-1"))
        .header("http-messagebird-signature", &STANDARD.encode(hmac(&SHA256, secret, &text)))
        .header("http-messagebird-request-timestamp", &SIGNED_S.to_string())
}

fn bird(secret: &str) -> Case {
    let code = hmac(&SHA256, secret, format!("msg_1.{SIGNED_S}.{JSON}").as_bytes());
    let code = STANDARD.encode(code);
    request(JSON)
        .header("http-webhook-id", "msg_1")
        .header("http-webhook-timestamp", &SIGNED_S.to_string())
        .header("http-webhook-signature", &format!("v1a,AAAA v1,AAAA v1,{code}"))
}

fn google_rbm(secret: &str) -> Case {
    let code = STANDARD.encode(hmac(&SHA512, secret, JSON.as_bytes()));
    let data = STANDARD.encode(JSON);
    request(format!(r#"{{"message":{{"data":"{data}","messageId":"1"}},"subscription":"s"}}"#))
        .header("http-x-goog-signature", &code)
}

fn google_rbm_decoded(secret: &str) -> Case {
    let code = STANDARD.encode(hmac(&SHA512, secret, JSON.as_bytes()));
    request(JSON).header("http-X-Goog-Signature", &code)
}

fn meta(secret: &str) -> Case {
    let code = hex(&hmac(&SHA256, secret, JSON.as_bytes()));
    request(JSON).header("http-x-hub-signature-256", &format!("sha256={code}"))
}

fn body_hmac(secret: &str) -> Case {
    let code = hex(&hmac(&SHA512, secret, JSON.as_bytes()));
    request(JSON).header("http-x-signature", &code)
}

fn shared_header(secret: &str) -> Case {
    request(JSON).header("http-authorization", secret)
}

fn shared_parameter(secret: &str) -> Case {
    request(JSON).header("url", &format!("{URL}?code={secret}&a=1"))
}

const DELIVERED: &str = "delivered";

/// A row whose body is signed byte for byte.
fn raw(
    name: &'static str,
    source: Source,
    sign: fn(&str) -> Case,
    is_timed: bool,
    answer: &'static str,
) -> Row {
    Row {
        name,
        source,
        scheme: Scheme::Documented,
        sign,
        is_timed,
        altered: (DELIVERED, answer),
        is_raw: true,
        url_from: Some("http"),
    }
}

/// A row whose parameters are signed as they are decoded.
fn decoded(name: &'static str, source: Source, sign: fn(&str) -> Case, timed: bool) -> Row {
    Row { is_raw: false, ..raw(name, source, sign, timed, "mismatch") }
}

pub(super) fn rows() -> Vec<Row> {
    let named = |header: &str, algorithm| Scheme::BodyHmac { header: header.into(), algorithm };
    vec![
        decoded("twilio form", Source::Twilio, twilio_form, false),
        Row {
            altered: ("DELIVERED", "body_mismatch"),
            ..raw("twilio json", Source::Twilio, twilio_json, false, "")
        },
        raw("sinch", Source::Sinch, sinch, true, "mismatch"),
        raw("sinch, sha512", Source::Sinch, sinch_sha512, true, "mismatch"),
        raw("vonage token", Source::Vonage, vonage_token, true, "body_mismatch"),
        Row {
            url_from: Some("?"),
            ..decoded("vonage sms, query", Source::Vonage, vonage_query, true)
        },
        Row {
            scheme: Scheme::VonageParameters(Algorithm::Sha512),
            ..decoded("vonage sms, json", Source::Vonage, vonage_json, true)
        },
        raw("telnyx", Source::Telnyx, telnyx, true, "mismatch"),
        decoded("plivo post", Source::Plivo, plivo_post, false),
        decoded("plivo post, repeated", Source::Plivo, plivo_post_repeated, false),
        decoded("plivo post, no query", Source::Plivo, plivo_post_without_query, false),
        decoded("plivo get", Source::Plivo, plivo_get, false),
        Row {
            scheme: Scheme::PlivoV2,
            altered: (DELIVERED, "valid"),
            url_from: None,
            ..decoded("plivo v2", Source::Plivo, plivo_v2, false)
        },
        Row {
            altered: (DELIVERED, "url_mismatch"),
            ..raw("messagebird", Source::Messagebird, |key| messagebird("", key), true, "")
        },
        Row {
            altered: ("m-9", "body_mismatch"),
            ..raw("messagebird post", Source::Messagebird, |key| messagebird("m-9", key), true, "")
        },
        Row {
            url_from: Some("?"),
            ..raw("messagebird old", Source::Messagebird, messagebird_old, true, "mismatch")
        },
        raw("bird", Source::Bird, bird, true, "mismatch"),
        Row {
            // A part of the id, in base64.
            altered: ("m0tMSIs", "mismatch"),
            ..decoded("google_rbm", Source::GoogleRbm, google_rbm, false)
        },
        raw("google_rbm decoded", Source::GoogleRbm, google_rbm_decoded, false, "mismatch"),
        raw("whatsapp", Source::Whatsapp, meta, false, "mismatch"),
        Row {
            scheme: named("x-signature", Algorithm::Sha512),
            ..raw("any body", Source::Infobip, body_hmac, false, "mismatch")
        },
        Row {
            scheme: Scheme::SharedHeader { header: "authorization".into() },
            altered: (DELIVERED, "valid"),
            is_raw: false,
            ..raw("shared header", Source::Bandwidth, shared_header, false, "")
        },
        Row {
            scheme: Scheme::SharedParameter { name: "code".into() },
            altered: (DELIVERED, "valid"),
            is_raw: false,
            url_from: None,
            ..raw("shared parameter", Source::AzureAcs, shared_parameter, false, "")
        },
    ]
}

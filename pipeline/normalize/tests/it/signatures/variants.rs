//! What `sign`'s rows leave out: each algorithm that a scheme offers, each spelling of a code or of
//! signed data. Method: of a request signed here six things are asked: the right key, the old one
//! of two, a wrong one, an altered body, a replay a day later, and what signs it left out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::Digest as _;
use model::vocabulary::Source;
use normalize::signature::{Algorithm, Scheme, Signatures};
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, SHA384, SHA512};

use super::sign::{RECEIVED_S, SIGNED_S, hmac, hmac_by};
use super::{Answer, RIGHT, WRONG, altered, as_documented, received, set, without, word};
use crate::fixtures::Case;

const BODY: &str = r#"{"id":"m-7","status":"delivered"}"#;
const FORM: &str = "messageId=0B07&status=delivered";
const DAY_S: i64 = 86_400;

static HASHES: [(&str, &digest::Algorithm); 3] =
    [("256", &SHA256), ("384", &SHA384), ("512", &SHA512)];

/// All that can be configured.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Md5,
    Algorithm::Sha1,
    Algorithm::Sha224,
    Algorithm::Sha256,
    Algorithm::Sha384,
    Algorithm::Sha512,
];

/// A scheme, and its words for another body, for a replay and for what is left out.
struct Asked<'a> {
    source: Source,
    scheme: &'a Scheme,
    altered: (&'a str, &'static str),
    replayed: &'static str,
    left_out: (Case, &'static str),
}

fn answer(source: Source, scheme: &Scheme, secrets: &[&str], case: &Case) -> Answer {
    let signatures = Signatures::new(&[set(source, scheme, secrets)]).unwrap();
    as_documented(scheme, word(&signatures, source, None, case))
}

#[track_caller]
fn ask(name: &str, case: &Case, asked: &Asked<'_>) {
    let of = |secrets: &[&str], case: &Case| answer(asked.source, asked.scheme, secrets, case);
    let told = |word: &'static str| if word == "valid" { RIGHT } else { WRONG(word) };
    assert_eq!(of(&["key-a"], case), RIGHT, "{name}: the right key");
    let old = (Some(true), Some("valid_old_key"));
    assert_eq!(of(&["key-b", "key-a"], case), old, "{name}: the old of two keys");
    assert_eq!(of(&["key-b", "key-c"], case), WRONG("mismatch"), "{name}: other keys");
    let (text, reason) = asked.altered;
    assert_eq!(of(&["key-a"], &altered(case, text)), told(reason), "{name}: altered");
    let replay = received(case, RECEIVED_S + DAY_S);
    assert_eq!(of(&["key-a"], &replay), told(asked.replayed), "{name}: replayed");
    let reason = asked.left_out.1;
    assert_eq!(of(&["key-a"], &asked.left_out.0), told(reason), "{name}: unsigned");
}

fn request(value: impl Into<Vec<u8>>) -> Case {
    Case::value(value).header("received-at", "2026-11-20T12:00:02Z")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256_hex(text: &str) -> String {
    hex(digest::digest(&SHA256, text.as_bytes()).as_ref())
}

/// HMAC of a text with `key-a`. MD5 and SHA-224, which `ring` has not, take blocks of 64 bytes.
fn code_by(algorithm: Algorithm, text: &str) -> Vec<u8> {
    let (key, text) = ("key-a", text.as_bytes());
    let md5 = |bytes: &[u8]| md5::Md5::digest(bytes).to_vec();
    let sha224 = |bytes: &[u8]| <sha2::Sha224 as sha2::Digest>::digest(bytes).to_vec();
    match algorithm {
        Algorithm::Md5 => hmac_by(md5, 64, key, text),
        Algorithm::Sha1 => hmac(&SHA1, key, text),
        Algorithm::Sha224 => hmac_by(sha224, 64, key, text),
        Algorithm::Sha256 => hmac(&SHA256, key, text),
        Algorithm::Sha384 => hmac(&SHA384, key, text),
        Algorithm::Sha512 => hmac(&SHA512, key, text),
    }
}

#[test]
fn sinchs_algorithm_is_the_one_that_its_header_names() {
    const ALGORITHM: &str = "http-x-sinch-webhook-signature-algorithm";
    for (bits, hash) in HASHES {
        let code = hmac(hash, "key-a", format!("{BODY}.n-7.{SIGNED_S}").as_bytes());
        let unnamed = request(BODY)
            .header("http-x-sinch-webhook-signature", &STANDARD.encode(code))
            .header("http-x-sinch-webhook-signature-nonce", "n-7")
            .header("http-x-sinch-webhook-signature-timestamp", &SIGNED_S.to_string());
        let named = |name: &str| unnamed.clone().header(ALGORITHM, name);
        let asked = Asked {
            source: Source::Sinch,
            scheme: &Scheme::Documented,
            altered: ("delivered", "mismatch"),
            replayed: "outside_tolerance",
            left_out: (unnamed.clone(), "missing_header"),
        };
        ask(bits, &named(&format!("HmacSHA{bits}")), &asked);
        let of = |name: &str| answer(Source::Sinch, asked.scheme, &["key-a"], &named(name));
        for unknown in ["HmacSHA1", "none", ""] {
            assert_eq!(of(unknown), WRONG("malformed"), "{bits} called {unknown}");
        }
        let other = if bits == "256" { "HmacSHA512" } else { "HmacSHA256" };
        assert_eq!(of(other), WRONG("mismatch"), "{bits} called {other}");
    }
}

#[test]
fn messagebirds_tokens_may_have_longer_hashes() {
    let url = "https://example.com/dlr?id=m-7";
    let claims = serde_json::json!({"iss": "MessageBird", "nbf": SIGNED_S, "exp": SIGNED_S + 60,
        "jti": "j-7", "url_hash": sha256_hex(url), "payload_hash": sha256_hex(BODY)});
    let unsigned = request(BODY).header("url", url);
    for (bits, hash) in HASHES {
        let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS{bits}","typ":"JWT"}}"#));
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let code = URL_SAFE_NO_PAD.encode(hmac(hash, "key-a", text.as_bytes()));
        let token = format!("{text}.{code}");
        let asked = Asked {
            source: Source::Messagebird,
            scheme: &Scheme::Documented,
            altered: ("delivered", "body_mismatch"),
            replayed: "outside_tolerance",
            left_out: (unsigned.clone(), "missing_header"),
        };
        ask(bits, &unsigned.clone().header("http-messagebird-signature-jwt", &token), &asked);
    }
}

/// The code of Vonage's parameters: of MD5 the secret follows them, of an HMAC it is the key.
fn vonage_code(algorithm: Option<Algorithm>) -> String {
    let text = format!("&messageId=0B07&status=delivered&timestamp={SIGNED_S}");
    match algorithm {
        None => hex(&md5::Md5::digest(format!("{text}key-a"))),
        Some(algorithm) => hex(&code_by(algorithm, &text)),
    }
}

#[test]
fn vonages_parameters_are_signed_by_whichever_algorithm_is_configured() {
    for algorithm in std::iter::once(None).chain(ALGORITHMS.map(Some)) {
        let scheme = algorithm.map_or(Scheme::Documented, Scheme::VonageParameters);
        let unsigned = if algorithm.is_some() { "missing_field" } else { "missing_header" };
        let code = vonage_code(algorithm);
        let timed = format!("{FORM}&timestamp={SIGNED_S}");
        let asked = Asked {
            source: Source::Vonage,
            scheme: &scheme,
            altered: ("delivered", "mismatch"),
            replayed: "outside_tolerance",
            left_out: (request(timed.clone()), unsigned),
        };
        ask(&format!("{scheme:?}"), &request(format!("{timed}&sig={code}")), &asked);
        let untimed = request(format!("{FORM}&sig={code}"));
        let told = answer(Source::Vonage, &scheme, &["key-a"], &untimed);
        assert_eq!(told, WRONG(unsigned), "{scheme:?} without its time");
    }
}

#[test]
fn vonages_messages_are_signed_by_a_token_whatever_its_sms_are_set_to() {
    let scheme = Scheme::VonageParameters(Algorithm::Sha256);
    let told = |case: &Case, secret| answer(Source::Vonage, &scheme, &[secret], case);
    let mut signed = super::sign::vonage_token("key-a");
    assert_eq!(told(&signed, "key-a"), RIGHT);
    assert_eq!(told(&signed, "key-b"), WRONG("mismatch"));
    for (_, value) in &mut signed.headers {
        *value = value.replace("Bearer", "bearer");
    }
    assert_eq!(told(&signed, "key-a"), RIGHT, "the word has no case");
}

#[test]
fn plivos_version_2_refuses_another_url_and_is_blind_to_its_query() {
    const SIGNED_URL: &str = "https://example.com/dlr";
    let code = STANDARD.encode(hmac(&SHA256, "key-a", format!("{SIGNED_URL}n-7").as_bytes()));
    let unsigned = request(FORM).header("http-x-plivo-signature-v2-nonce", "n-7");
    let signed = unsigned.clone().header("http-x-plivo-signature-v2", &code);
    let asked = Asked {
        source: Source::Plivo,
        scheme: &Scheme::PlivoV2,
        // In the path: the body has no such text.
        altered: ("dlr", "mismatch"),
        replayed: "valid",
        left_out: (unsigned.header("url", SIGNED_URL), "missing_header"),
    };
    ask("path", &signed.clone().header("url", SIGNED_URL), &asked);
    let of = |url: &str| {
        let case = signed.clone().header("url", url);
        answer(Source::Plivo, asked.scheme, &["key-a"], &case)
    };
    for query in ["?a=1", "?a=2&b=3", "#a"] {
        assert_eq!(of(&format!("{SIGNED_URL}{query}")), RIGHT, "{query}");
    }
    for other in [
        "https://example.com/other?a=1",
        "https://example.com/dlr/",
        "https://example.com/DLR",
        "https://example.com/",
        "https://example.org/dlr",
        "http://example.com/dlr",
    ] {
        assert_eq!(of(other), WRONG("mismatch"), "{other}");
    }
}

#[test]
fn a_code_of_the_body_may_be_hex_or_base64_and_name_its_algorithm() {
    for algorithm in ALGORITHMS {
        let code = code_by(algorithm, BODY);
        let (digits, letters) = (hex(&code), STANDARD.encode(&code));
        let named = [format!("sha256={digits}"), format!("v0={letters}")];
        let scheme = Scheme::BodyHmac { header: "x-code".into(), algorithm };
        for spelled in named.into_iter().chain([digits.to_uppercase(), digits, letters]) {
            let asked = Asked {
                source: Source::Infobip,
                scheme: &scheme,
                altered: ("delivered", "mismatch"),
                replayed: "valid",
                left_out: (request(BODY), "missing_header"),
            };
            let name = format!("{algorithm:?} {spelled}");
            ask(&name, &request(BODY).header("http-x-code", &spelled), &asked);
        }
    }
}

/// A Pub/Sub push of this data, with other members beside it.
fn push(data: &str, beside: &str) -> Case {
    request(format!(r#"{{"message":{{"data":"{data}"{beside}}}}}"#))
}

#[test]
fn the_data_of_a_push_is_signed_as_it_is_decoded_whatever_its_alphabet() {
    let event = r#"{"eventType":"READ","eventId":"~~~???>>>","messageId":"m-7"}"#;
    let code = STANDARD.encode(hmac(&SHA512, "key-a", event.as_bytes()));
    let (usual, other) = (STANDARD.encode(event), URL_SAFE_NO_PAD.encode(event));
    assert_ne!(usual.trim_end_matches('='), other, "the alphabets differ");
    // Attributes, the push's own id and its time are outside the signature.
    for beside in ["", r#","messageId":"1""#, r#","attributes":{"a":"b"},"publishTime":"c""#] {
        for data in [&usual, &other] {
            let unsigned = push(data, beside);
            let asked = Asked {
                source: Source::GoogleRbm,
                scheme: &Scheme::Documented,
                altered: (&data[16..24], "mismatch"),
                replayed: "valid",
                left_out: (unsigned.clone(), "missing_header"),
            };
            ask(data, &unsigned.header("http-x-goog-signature", &code), &asked);
        }
    }
    let of_text = STANDARD.encode(hmac(&SHA512, "key-a", usual.as_bytes()));
    let case = push(&usual, "").header("http-x-goog-signature", &of_text);
    let told = answer(Source::GoogleRbm, &Scheme::Documented, &["key-a"], &case);
    assert_eq!(told, WRONG("mismatch"), "the text of the data is not what is signed");
}

#[test]
fn meta_signs_the_bytes_on_the_wire_and_spells_the_code_in_lower_case() {
    const HEADER: &str = "http-x-hub-signature-256";
    let escaped = r#"{"status":"delivered","text":"Gr\u00fcn \/ \u003C1 \u0025 a\u0040b"}"#;
    let code = hex(&hmac(&SHA256, "key-a", escaped.as_bytes()));
    let signed = |body: &str, code: &str| request(body).header(HEADER, code);
    let right = format!("sha256={code}");
    let asked = Asked {
        source: Source::Whatsapp,
        scheme: &Scheme::Documented,
        altered: ("delivered", "mismatch"),
        replayed: "valid",
        left_out: (request(escaped), "missing_header"),
    };
    ask("escaped", &signed(escaped, &right), &asked);
    let of = |case: &Case| answer(Source::Whatsapp, &Scheme::Documented, &["key-a"], case);
    let parsed: serde_json::Value = serde_json::from_str(escaped).unwrap();
    assert_eq!(of(&signed(&parsed.to_string(), &right)), WRONG("mismatch"), "written anew");
    for odd in [format!("sha256={}", code.to_uppercase()), code.clone(), format!("sha1={code}")] {
        assert_eq!(of(&signed(escaped, &odd)), WRONG("malformed"), "{odd}");
    }
    let legacy = format!("sha1={}", hex(&hmac(&SHA1, "key-a", escaped.as_bytes())));
    let legacy = request(escaped).header("http-x-hub-signature", &legacy);
    assert_eq!(of(&legacy), WRONG("missing_header"), "SHA-1 is not taken");
}

#[test]
fn a_shared_secret_is_compared_whole_and_stands_once() {
    let parameter = Scheme::SharedParameter { name: "code".into() };
    let with = |query: &str| request(BODY).header("url", &format!("https://example.com/{query}"));
    let asked = Asked {
        source: Source::AzureAcs,
        scheme: &parameter,
        altered: ("delivered", "valid"),
        replayed: "valid",
        left_out: (with("?a=1"), "missing_field"),
    };
    ask("parameter", &with("?code=key-a"), &asked);
    let of = |query: &str| answer(Source::AzureAcs, &parameter, &["key-a"], &with(query));
    assert_eq!(of("?code=key-b&code=key-a"), WRONG("malformed"), "which is meant?");
    for other in ["?code=key-", "?code=key-aa", "?code=", "?code=KEY-A"] {
        assert_eq!(of(other), WRONG("mismatch"), "{other}");
    }
}

#[test]
fn a_maap_platforms_authorization_is_a_shared_header() {
    let secret = r#"Username="bot",Password="key-a""#;
    let header = Scheme::SharedHeader { header: "Authorization".into() };
    let case = request(BODY).header("http-authorization", secret);
    let of = |secrets: &[&str], case: &Case| answer(Source::GsmaMaap, &header, secrets, case);
    assert_eq!(of(&[secret], &case), RIGHT);
    assert_eq!(of(&["other", secret], &case), (Some(true), Some("valid_old_key")));
    assert_eq!(of(&["other"], &case), WRONG("mismatch"));
    assert_eq!(of(&[secret], &without(&case, "http-authorization")), WRONG("missing_header"));
}

//! The vendors' own vectors, and SNS envelopes signed with `openssl`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::vocabulary::Source;
use normalize::signature::{Algorithm, KeySet, Scheme, Secret, Signatures};

use super::{Answer, RIGHT, WRONG, word};
use crate::fixtures::Case;
use crate::samples::samples;

fn one(source: Source, scheme: Scheme, secret: &str, case: &Case) -> Answer {
    let secrets = vec![Secret::new(secret)];
    let set = KeySet { source, account: None, scheme, secrets, tolerance_s: None };
    word(&Signatures::new(&[set]).unwrap(), source, None, case)
}

fn documented(source: Source, secret: &str, case: &Case) -> Answer {
    one(source, Scheme::Documented, secret, case)
}

/// From the tests of Twilio's SDKs, and its page on the security of requests.
#[test]
fn twilios_vectors_verify() {
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str = "Digits=1234&From=%2B14158675309&To=%2B18005551212\
                        &Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    const HASH: &str =
        "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    const JSON: &str = r#"{"property": "value", "boolean": true}"#;
    let page = FORM.replace("14158675309", "12349013030");
    let repeated = "Digits=5678&Digits=1234&Digits=1234&SidAccount=AC123&Sid=CA123";
    let with_port = URL.replace(".com", ".com:1234");
    let plain = URL.replace("https", "http");
    let plain_port = with_port.replace("https", "http");
    let hashed = format!("{URL}&{HASH}");
    let only_hash = format!("https://mycompany.com/myapp.php?{HASH}");
    for (url, body, code) in [
        (URL, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL, &page, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
        (&with_port, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (&plain_port, FORM, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (URL, FORM, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (&plain, FORM, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (URL, repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (&hashed, JSON, "a9nBmqA0ju/hNViExpshrM61xv4="),
        (&only_hash, JSON, "y77kIzt2vzLz71DgmJGsen2scGs="),
    ] {
        let case = Case::value(body).header("url", url).header("http-x-twilio-signature", code);
        assert_eq!(documented(Source::Twilio, "12345", &case), RIGHT, "{code}");
        assert_eq!(documented(Source::Twilio, "12346", &case), WRONG("mismatch"), "{code}");
    }
    let unhashed = Case::value(JSON)
        .header("url", URL)
        .header("http-x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    assert_eq!(documented(Source::Twilio, "12345", &unhashed), WRONG("mismatch"));
}

/// From Sinch's page on callbacks.
#[test]
fn sinchs_vector_verifies() {
    let body = concat!(
        r#"{"app_id":"","accepted_time":"2021-10-18T17:49:13.813615Z","#,
        r#""project_id":"e2df3a34-a71b-4448-9db5-a8d2baad28e4","#,
        r#""contact_create_notification":{"contact":{"id":"01FJA8B466Y0R2GNXD78MD9SM1","#,
        r#""channel_identities":[{"channel":"SMS","identity":"48123456789","app_id":""}],"#,
        r#""display_name":"New Test Contact","email":"new.contact@email.com","#,
        r#""external_id":"","metadata":"","language":"EN_US"}},"message_metadata":""}"#,
    );
    let case = Case::value(body)
        .header("http-x-sinch-webhook-signature", "6bpJoRmFoXVjfJIVglMoJzYXxnoxRujzR4k2GOXewOE=")
        .header("http-x-sinch-webhook-signature-algorithm", "HmacSHA256")
        .header("http-x-sinch-webhook-signature-nonce", "01FJA8B4A7BM43YGWSG9GBV067")
        .header("http-x-sinch-webhook-signature-timestamp", "1634579353")
        .header("received-at", "2021-10-18T17:49:14Z");
    assert_eq!(documented(Source::Sinch, "foo_secret1234", &case), RIGHT);
    assert_eq!(documented(Source::Sinch, "foo_secret1235", &case), WRONG("mismatch"));
}

/// From the tests of Vonage's Python SDK; its Ruby SDK once had others for the HMACs, and has not.
#[test]
fn vonages_vectors_verify() {
    let hmac = |algorithm| Scheme::VonageParameters(algorithm);
    for (scheme, code) in [
        (Scheme::Documented, "6af838ef94998832dbfc29020b564830"),
        (hmac(Algorithm::Md5), "c15c21ced558c93a226c305f58f902f2"),
        (hmac(Algorithm::Sha1), "3e19a4e6880fdc2c1426bfd0587c98b9532f0210"),
        (
            hmac(Algorithm::Sha256),
            "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24",
        ),
        (
            hmac(Algorithm::Sha512),
            "812a18f76680fa0fe1b8bd9ee1625466ceb1bd96242e4d050d2cfd9a7b40166c\
             63ed26ec9702168781b6edcf1633db8ff95af9341701004eec3fcf9550572ee8",
        ),
    ] {
        let case = Case::value(format!("b=2&sig={code}&timestamp=1461605396&a=1"))
            .header("received-at", "2016-04-25T17:30:00Z");
        assert_eq!(one(Source::Vonage, scheme.clone(), "secret", &case), RIGHT, "{code}");
        assert_eq!(one(Source::Vonage, scheme, "sécret", &case), WRONG("mismatch"), "{code}");
    }
}

/// From the tests of Plivo's SDKs.
#[test]
fn plivos_vector_of_version_2_verifies() {
    let case = Case::value("")
        .header("url", "https://answer.url")
        .header("http-x-plivo-signature-v2", "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=")
        .header("http-x-plivo-signature-v2-nonce", "12345");
    assert_eq!(one(Source::Plivo, Scheme::PlivoV2, "my_auth_token", &case), RIGHT);
    let wrong = one(Source::Plivo, Scheme::PlivoV2, "my_auth_tokens", &case);
    assert_eq!(wrong, WRONG("mismatch"));
    // Only where it is asked for: it says nothing of the parameters.
    assert_eq!(documented(Source::Plivo, "my_auth_token", &case), WRONG("missing_header"));
}

/// All four of version 3 in the tests of Plivo's SDKs: `utils_test.go` of the one for Go, the same
/// in `spec/signature_spec.rb` (Ruby) and `tests/Plivo.Test/TestSignature.cs` (.NET). Of a GET they
/// give the parameters beside the URL; in a callback they are in its query.
#[test]
fn plivos_vectors_of_version_3_verify() {
    const URL: &str = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml";
    const TOKEN: &str = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4";
    const CALL: &str = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36";
    let form = format!(
        "Direction=outbound&From=19792014278&ALegUUID={CALL}&CallStatus=in-progress\
        &BillRate=0.002&ParentAuthID=MANWVLYTK4ZWU1YTY4QA&ALegRequestUUID={CALL}&CallUUID={CALL}\
        &To=sip%3APlivoSignature382029104058171078704104%40phone-qa.voice.plivodev.com\
        &RequestUUID={CALL}&SIP-H-To=%3Csip%3APlivoSignature382029104058171078704104%40\
        52.9.11.55%3Btransport%3Dudp%3E%3Btag%3D1&SessionStart=2020-04-08+11%3A34%3A33.238707\
        &Event=StartApp"
    );
    let queried = format!("{URL}/?a=b&c=d");
    let (get_queried, get) = (format!("{queried}&{form}"), format!("{URL}?{form}"));
    for (url, body, code) in [
        (queried.as_str(), form.as_str(), "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="),
        (&get_queried, "", "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
        (URL, &form, "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
        (&get, "", "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
    ] {
        let sent = |url: &str, body: &str, nonce: &str| {
            Case::value(body)
                .header("url", url)
                .header("http-x-plivo-signature-v3", code)
                .header("http-x-plivo-signature-v3-nonce", nonce)
        };
        let answer = |token: &str, case: &Case| documented(Source::Plivo, token, case);
        let nonce = "31627761595286130198";
        assert_eq!(answer(TOKEN, &sent(url, body, nonce)), RIGHT, "{code}");
        let tampered = |text: &str| text.replace("in-progress", "completed");
        for (says, token, case) in [
            ("a parameter", TOKEN, sent(&tampered(url), &tampered(body), nonce)),
            ("the path", TOKEN, sent(&url.replace("03.xml", "04.xml"), body, nonce)),
            ("the nonce", TOKEN, sent(url, body, "31627761595286130199")),
            ("the token", "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc5", sent(url, body, nonce)),
        ] {
            assert_eq!(answer(token, &case), WRONG("mismatch"), "{code}: {says} is another");
        }
    }
}

/// From the libraries of Standard Webhooks, whose format Bird has.
#[test]
fn the_standard_webhooks_vector_verifies() {
    let case = Case::value(r#"{"test": 2432232314}"#)
        .header("http-webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
        .header("http-webhook-timestamp", "1614265330")
        .header("http-webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        .header("received-at", "2021-02-25T15:02:11Z");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert_eq!(documented(Source::Bird, secret, &case), RIGHT);
}

/// From the tests of MessageBird's SDK for Go, which are among the samples.
#[test]
#[ignore = "needs SENDTALLY_SAMPLES, the folder of published samples"]
fn messagebirds_vectors_have_their_answers() {
    let file = samples().join("messagebird/signature_jwt_reference_vectors.json");
    let vectors: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(vectors.len(), 43);
    for vector in &vectors {
        let text = |key: &str| vector[key].as_str().unwrap_or("");
        let case = Case::value(text("payload"))
            .header("url", text("url"))
            .header("http-messagebird-signature-jwt", text("token"))
            .header("received-at", text("timestamp"));
        let expected = match text("reason") {
            "" => RIGHT,
            reason if reason.contains("nbf") || reason.contains("exp") => {
                WRONG("outside_tolerance")
            }
            reason if reason.contains("url_hash") => WRONG("url_mismatch"),
            reason if reason.contains("payload_hash") => WRONG("body_mismatch"),
            reason if reason.contains("signing method") => WRONG("malformed"),
            _ => WRONG("mismatch"),
        };
        assert_eq!(expected.0, vector["valid"].as_bool(), "{}", text("name"));
        // The vector without a signing method has no secret.
        let secret = vector["secret"].as_str().unwrap_or("any");
        let answer = documented(Source::Messagebird, secret, &case);
        assert_eq!(answer, expected, "{}", text("name"));
    }
}

const SNS: &str = include_str!("../../vectors/sns.json");

fn sns() -> serde_json::Value {
    serde_json::from_str(SNS).unwrap()
}

fn envelope(at: usize) -> serde_json::Value {
    sns()["vectors"][at]["envelope"].clone()
}

fn sns_answer(names: &[&str], case: &Case) -> Answer {
    let vectors = sns();
    let pem = |name: &&str| Secret::new(vectors["certificates"][name].as_str().unwrap());
    let set = KeySet {
        source: Source::AwsEum,
        account: None,
        scheme: Scheme::Documented,
        secrets: names.iter().map(pem).collect(),
        tolerance_s: None,
    };
    word(&Signatures::new(&[set]).unwrap(), Source::AwsEum, None, case)
}

fn notified(envelope: &serde_json::Value) -> Case {
    Case::value(envelope.to_string()).header("received-at", "2026-11-20T12:00:08Z")
}

#[test]
fn sns_envelopes_of_both_versions_verify_with_either_certificate() {
    for at in 0..4 {
        let case = notified(&envelope(at));
        assert_eq!(sns_answer(&["current"], &case), RIGHT, "{at}");
        assert_eq!(sns_answer(&["old"], &case), WRONG("mismatch"), "{at}");
        let old = (Some(true), Some("valid_old_key"));
        assert_eq!(sns_answer(&["old", "current"], &case), old, "{at}");
    }
    assert_eq!(sns_answer(&["old"], &notified(&envelope(4))), RIGHT);
}

#[test]
fn an_altered_replayed_or_bare_sns_envelope_is_told() {
    for (key, value) in [
        ("Message", "{}"),
        ("MessageId", "x"),
        ("Subject", "x"),
        ("Timestamp", "2026-11-20T12:00:07.000Z"),
        ("TopicArn", "arn:aws:sns:us-east-1:123456789012:other"),
        ("SignatureVersion", "1"),
    ] {
        let mut envelope = envelope(2);
        envelope[key] = value.into();
        assert_eq!(sns_answer(&["current"], &notified(&envelope)), WRONG("mismatch"), "{key}");
    }
    let mut foreign = envelope(2);
    foreign["SigningCertURL"] = "https://example.com/sns.us-east-1.amazonaws.com/a.pem".into();
    let answer = sns_answer(&["current"], &notified(&foreign));
    assert_eq!(answer, WRONG("foreign_certificate"));
    for (key, reason) in [
        ("Signature", "missing_field"),
        ("SigningCertURL", "missing_field"),
        ("SignatureVersion", "malformed"),
        ("Timestamp", "malformed"),
        ("Subject", "mismatch"),
    ] {
        let mut envelope = envelope(2);
        envelope.as_object_mut().unwrap().remove(key);
        assert_eq!(sns_answer(&["current"], &notified(&envelope)), WRONG(reason), "{key}");
    }
    let bare = envelope(2)["Message"].as_str().unwrap().to_owned();
    let bare = Case::value(bare).header("received-at", "2026-11-20T12:00:08Z");
    let unchecked = (None, Some("no_envelope"));
    assert_eq!(sns_answer(&["current"], &bare), unchecked, "raw delivery, SQS, Lambda");
    let late = Case::value(envelope(2).to_string()).header("received-at", "2026-11-20T13:00:07Z");
    assert_eq!(sns_answer(&["current"], &late), WRONG("outside_tolerance"));
    let untimed = Case::value(envelope(2).to_string());
    assert_eq!(sns_answer(&["current"], &untimed), WRONG("missing_time"));
}

#[test]
fn nothing_unsigned_may_stand_in_an_sns_envelope() {
    let text = envelope(2).to_string();
    let inner = text.strip_prefix('{').unwrap();
    for beside in
        [r#""eventType":"TEXT_BLOCKED","#, r#""Message":"{}","#, r#""Type":null,"Type":1,"#]
    {
        let forged =
            Case::value(format!("{{{beside}{inner}")).header("received-at", "2026-11-20T12:00:08Z");
        assert_eq!(sns_answer(&["current"], &forged), WRONG("malformed"), "{beside}");
    }
    let mut named = envelope(2);
    named["MessageAttributes"] = serde_json::json!({"a": {"Type": "String", "Value": "b"}});
    assert_eq!(sns_answer(&["current"], &notified(&named)), RIGHT, "SNS sends these itself");
    let mut lambda = envelope(2);
    let map = lambda.as_object_mut().unwrap();
    let address = map.remove("SigningCertURL").unwrap();
    map.insert("SigningCertUrl".to_owned(), address);
    map.insert("Subject".to_owned(), "Receipt".into());
    assert_eq!(sns_answer(&["current"], &notified(&lambda)), RIGHT, "as Lambda spells it");
}

#[test]
fn a_confirmation_of_a_subscription_verifies_by_its_own_fields() {
    assert_eq!(sns_answer(&["current"], &notified(&envelope(5))), RIGHT);
    for key in ["Token", "SubscribeURL"] {
        let mut envelope = envelope(5);
        envelope[key] = "https://example.com/".into();
        assert_eq!(sns_answer(&["current"], &notified(&envelope)), WRONG("mismatch"), "{key}");
    }
    let mut turned = envelope(2);
    turned["Type"] = "SubscriptionConfirmation".into();
    assert_eq!(sns_answer(&["current"], &notified(&turned)), WRONG("malformed"));
}

#[test]
fn no_bit_of_an_sns_signature_can_be_changed() {
    for at in [0, 2] {
        let whole = envelope(at);
        let code = STANDARD.decode(whole["Signature"].as_str().unwrap()).unwrap();
        for bit in (0..code.len() * 8).step_by(61) {
            let mut code = code.clone();
            code[bit / 8] ^= 1 << (bit % 8);
            let mut envelope = whole.clone();
            envelope["Signature"] = STANDARD.encode(code).into();
            assert_eq!(sns_answer(&["current"], &notified(&envelope)), WRONG("mismatch"), "{bit}");
        }
    }
}

#[test]
fn version_1_is_as_strict_and_each_of_amazons_sources_checks_it() {
    for key in ["Message", "MessageId", "Subject", "TopicArn", "SignatureVersion"] {
        let mut envelope = envelope(0);
        envelope[key] = "2".into();
        assert_eq!(sns_answer(&["current"], &notified(&envelope)), WRONG("mismatch"), "{key}");
    }
    let mut unsigned = envelope(0);
    unsigned.as_object_mut().unwrap().remove("Signature");
    assert_eq!(sns_answer(&["current"], &notified(&unsigned)), WRONG("missing_field"));
    let late = Case::value(envelope(0).to_string()).header("received-at", "2026-11-20T13:00:07Z");
    assert_eq!(sns_answer(&["current"], &late), WRONG("outside_tolerance"));
    let vectors = sns();
    let pem = |name: &str| vectors["certificates"][name].as_str().unwrap().to_owned();
    for source in [Source::AwsSns, Source::AwsEum, Source::AwsPinpoint] {
        for at in [0, 2] {
            let case = notified(&envelope(at));
            assert_eq!(documented(source, &pem("current"), &case), RIGHT, "{source} {at}");
            assert_eq!(documented(source, &pem("old"), &case), WRONG("mismatch"), "{source} {at}");
        }
    }
}

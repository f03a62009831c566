//! Signatures: for each scheme the right key, a wrong one, the old one, an altered request, a
//! replay, what is missing; the vendors' published vectors; damage; policies; what a check costs.

mod damage;
mod sign;
mod variants;
mod vectors;

use std::path::Path;
use std::sync::Arc;

use model::keys::Keyring;
use model::record::{Input, SignaturePolicy, SignatureRule};
use model::time::{SECOND_US, format_us};
use model::vocabulary::Source;
use normalize::signature::{Algorithm, KeyError, KeySet, Scheme, Secret, Signatures, Signed};
use normalize::{Normalized, Normalizer, Settings};
use sha2::{Digest, Sha256};

use crate::fixtures::{Case, batch, input, lines};
use sign::{RECEIVED_S, Row, configured, rows};

/// The word of a record's verdict; `None` where there is none.
fn word(signatures: &Signatures, source: Source, account: Option<&str>, case: &Case) -> Answer {
    let raw = batch(std::slice::from_ref(case));
    let payload_sha256 = Sha256::digest(&case.value).into();
    let record = raw.view(&raw.records[0]);
    let signed = Signed { source, account, record, payload_sha256: &payload_sha256 };
    let verdict = signatures.verdict(SignatureRule::default(), &signed);
    (verdict.verified, verdict.reason)
}

type Answer = (Option<bool>, Option<&'static str>);

fn set(source: Source, scheme: &Scheme, secrets: &[&str]) -> KeySet {
    let secret = |secret: &&str| match scheme {
        Scheme::Documented => Secret::new(&configured(source, secret)),
        _ => Secret::new(secret),
    };
    KeySet {
        source,
        account: None,
        scheme: scheme.clone(),
        secrets: secrets.iter().map(secret).collect(),
        tolerance_s: None,
    }
}

fn keys(row: &Row, secrets: &[&str]) -> Signatures {
    Signatures::new(&[set(row.source, &row.scheme, secrets)]).unwrap()
}

fn check(row: &Row, secrets: &[&str], case: &Case) -> Answer {
    as_documented(&row.scheme, word(&keys(row, secrets), row.source, None, case))
}

/// The answer in the words of a documented scheme: others mark what they find right.
fn as_documented(scheme: &Scheme, answer: Answer) -> Answer {
    if matches!(scheme, Scheme::Documented | Scheme::PlivoV2 | Scheme::VonageParameters(_)) {
        return answer;
    }
    match answer {
        (Some(true), Some("unverified_scheme")) => RIGHT,
        (Some(true), Some("unverified_scheme_old_key")) => (Some(true), Some("valid_old_key")),
        (Some(true), unmarked) => panic!("{scheme:?}: {unmarked:?}"),
        wrong => wrong,
    }
}

const WRONG: fn(&'static str) -> Answer = |reason| (Some(false), Some(reason));
const RIGHT: Answer = (Some(true), Some("valid"));

fn received(case: &Case, seconds: i64) -> Case {
    let mut case = case.clone();
    for (name, value) in &mut case.headers {
        if name == "received-at" {
            *value = format_us(seconds * SECOND_US);
        }
    }
    case
}

/// With the first character of a text changed, in the body or else in the URL.
fn altered(case: &Case, text: &str) -> Case {
    let changed = format!("x{}", &text[1..]);
    let mut case = case.clone();
    let value = String::from_utf8(case.value.clone()).unwrap();
    if value.contains(text) {
        case.value = value.replace(text, &changed).into_bytes();
        return case;
    }
    let url = case.headers.iter_mut().find(|(name, value)| name == "url" && value.contains(text));
    let (_, url) = url.expect("the text is in the URL");
    *url = url.replace(text, &changed);
    case
}

fn without(case: &Case, name: &str) -> Case {
    let mut case = case.clone();
    case.headers.retain(|(found, _)| found != name);
    case
}

#[test]
fn the_right_key_verifies_and_the_old_one_is_told() {
    for row in rows() {
        let case = (row.sign)("key-a");
        assert_eq!(check(&row, &["key-a"], &case), RIGHT, "{}", row.name);
        assert_eq!(check(&row, &["key-a", "key-b"], &case), RIGHT, "{}", row.name);
        let old = (Some(true), Some("valid_old_key"));
        assert_eq!(check(&row, &["key-b", "key-a"], &case), old, "{}", row.name);
    }
}

#[test]
fn whoever_forwards_requests_keeps_every_header_that_a_scheme_reads() {
    for row in rows() {
        let case = (row.sign)("key-a");
        let signatures = keys(&row, &["key-a"]);
        let kept = signatures.headers(row.source);
        let needed = case.headers.iter().filter_map(|(name, _)| name.strip_prefix("http-"));
        for name in needed {
            let is_kept = kept.iter().any(|kept| kept.eq_ignore_ascii_case(name));
            assert!(is_kept, "{}: {name}", row.name);
        }
        assert!(!kept.contains(&"cookie"));
    }
}

#[test]
fn a_key_is_known_by_its_text_for_its_account_only() {
    let account = |account: Option<&str>, secrets: &[&str]| KeySet {
        account: account.map(str::to_owned),
        ..set(Source::GoogleRbm, &Scheme::Documented, secrets)
    };
    let sets = [account(None, &["shared"]), account(Some("a"), &["new", "old"])];
    let signatures = Signatures::new(&sets).unwrap();
    let is_key = |account: &str, text: &str| signatures.is_key(Source::GoogleRbm, account, text);
    assert!(is_key("a", "new") && is_key("a", "old") && is_key("b", "shared"));
    assert!(!is_key("a", "shared") && !is_key("b", "new") && !is_key("b", ""));
    assert!(!signatures.is_key(Source::Whatsapp, "b", "shared"));
}

#[test]
fn a_wrong_key_and_a_key_out_of_use_verify_nothing() {
    for row in rows() {
        let case = (row.sign)("key-a");
        assert_eq!(check(&row, &["key-b"], &case), WRONG("mismatch"), "{}", row.name);
        assert_eq!(check(&row, &["key-b", "key-c"], &case), WRONG("mismatch"), "{}", row.name);
    }
}

#[test]
fn an_altered_request_is_found_where_the_scheme_signs_it() {
    for row in rows() {
        let (text, reason) = row.altered;
        let case = (row.sign)("key-a");
        let is_blind = reason == "valid";
        if is_blind && !String::from_utf8_lossy(&case.value).contains(text) {
            continue;
        }
        let expected = if is_blind { RIGHT } else { WRONG(reason) };
        assert_eq!(check(&row, &["key-a"], &altered(&case, text)), expected, "{}", row.name);
    }
}

#[test]
fn a_replay_is_found_by_the_records_own_time() {
    const DAY_S: i64 = 86_400;
    for row in rows() {
        let case = (row.sign)("key-a");
        let expected = if row.is_timed { WRONG("outside_tolerance") } else { RIGHT };
        for seconds in [RECEIVED_S + DAY_S, RECEIVED_S - DAY_S] {
            let replay = received(&case, seconds);
            assert_eq!(check(&row, &["key-a"], &replay), expected, "{} {seconds}", row.name);
        }
        let wrong = check(&row, &["key-b"], &received(&case, RECEIVED_S + DAY_S));
        assert_eq!(wrong, WRONG("mismatch"), "{}: time is asked last", row.name);
        let untimed = without(&case, "received-at");
        let expected = if row.is_timed { WRONG("missing_time") } else { RIGHT };
        assert_eq!(check(&row, &["key-a"], &untimed), expected, "{}", row.name);
        let kafka = untimed.ingested("2026-11-20T12:00:03Z");
        assert_eq!(check(&row, &["key-a"], &kafka), RIGHT, "{}: Kafka's time does", row.name);
    }
}

#[test]
fn the_tolerance_can_be_configured_and_its_edge_is_inside() {
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "bird").unwrap();
    let case = (row.sign)("key-a");
    let answer = |tolerance_s, seconds| {
        let set = KeySet { tolerance_s, ..set(row.source, &row.scheme, &["key-a"]) };
        let signatures = Signatures::new(&[set]).unwrap();
        word(&signatures, row.source, None, &received(&case, sign::SIGNED_S + seconds))
    };
    assert_eq!(answer(None, 300), RIGHT);
    assert_eq!(answer(None, -300), RIGHT);
    assert_eq!(answer(None, 301), WRONG("outside_tolerance"));
    assert_eq!(answer(None, -301), WRONG("outside_tolerance"));
    assert_eq!(answer(Some(10), 11), WRONG("outside_tolerance"));
    assert_eq!(answer(Some(4000), 3999), RIGHT);
}

#[test]
fn what_is_missing_is_named() {
    for row in rows() {
        let case = (row.sign)("key-a");
        for (name, _) in &case.headers {
            let expected = match name.as_str() {
                "url" => "missing_url",
                name if name.starts_with("http-") => "missing_header",
                _ => continue,
            };
            let left = check(&row, &["key-a"], &without(&case, name));
            let is_unused = name == "url" && left == RIGHT;
            // Of a signature in the parameters nothing is left.
            assert!(left == WRONG(expected) || is_unused, "{} without {name}: {left:?}", row.name);
        }
    }
    let rows = rows();
    let get = rows.iter().find(|row| row.name == "vonage sms, query").unwrap();
    let url = "https://example.com/dlr?status=delivered";
    let unsigned = Case::value("").header("url", url);
    assert_eq!(check(get, &["key-a"], &unsigned), WRONG("missing_header"));
    let json = rows.iter().find(|row| row.name == "vonage sms, json").unwrap();
    assert_eq!(check(json, &["key-a"], &Case::value("{}")), WRONG("missing_field"));
}

#[test]
fn a_broken_signature_is_malformed_and_no_error() {
    for row in rows() {
        let case = (row.sign)("key-a");
        for (name, _) in case.headers.iter().filter(|(name, _)| name.contains("signature")) {
            if name.contains("nonce") {
                continue;
            }
            let broken = without(&case, name).header(name, "ä%");
            let answer = check(&row, &["key-a"], &broken);
            assert_eq!(answer, WRONG("malformed"), "{} with broken {name}", row.name);
        }
    }
}

#[test]
fn sinchs_header_names_the_algorithm_and_one_that_it_does_not_know_is_none() {
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "sinch").unwrap();
    let name = "http-x-sinch-webhook-signature-algorithm";
    let case = without(&(row.sign)("key-a"), name);
    for (algorithm, answer) in [
        ("HmacSHA256", RIGHT),
        ("HmacSHA384", WRONG("mismatch")),
        ("HmacMD5", WRONG("malformed")),
        ("none", WRONG("malformed")),
    ] {
        let case = case.clone().header(name, algorithm);
        assert_eq!(check(row, &["key-a"], &case), answer, "{algorithm}");
    }
}

#[test]
fn a_token_without_a_signing_method_is_none() {
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "vonage token").unwrap();
    let case = (row.sign)("key-a");
    // {"alg":"none"} and {"alg":"HS512"}
    for head in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9"] {
        let mut case = case.clone();
        for (_, value) in case.headers.iter_mut().filter(|(_, value)| value.contains('.')) {
            let (_, rest) = value.split_once('.').unwrap();
            *value = format!("Bearer {head}.{rest}");
        }
        assert_eq!(check(row, &["key-a"], &case), WRONG("malformed"), "{head}");
    }
}

#[test]
fn what_is_unsigned_may_not_stand_beside_what_is_signed() {
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "google_rbm").unwrap();
    let case = (row.sign)("key-a");
    let value = String::from_utf8(case.value.clone()).unwrap();
    let opened = value.strip_prefix('{').unwrap();
    for beside in [r#""status":200,"body":{},"#, r#""eventType":"READ","#, r#""data":"e30=","#] {
        let forged = Case { value: format!("{{{beside}{opened}").into_bytes(), ..case.clone() };
        assert_eq!(check(row, &["key-a"], &forged), WRONG("mismatch"), "{beside}");
    }
    let row = rows.iter().find(|row| row.name == "vonage sms, json").unwrap();
    let case = (row.sign)("key-a");
    let value = String::from_utf8(case.value.clone()).unwrap();
    for beside in [r#","error":{"code":1}}"#, r#","status":"failed"}"#] {
        let forged = value.strip_suffix('}').unwrap().to_owned() + beside;
        let forged = Case { value: forged.into_bytes(), ..case.clone() };
        assert_eq!(check(row, &["key-a"], &forged), WRONG("malformed"), "{beside}");
    }
}

#[test]
fn an_accounts_own_keys_come_before_those_for_any() {
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "sinch").unwrap();
    let of = |account: Option<&str>, secret| KeySet {
        account: account.map(str::to_owned),
        ..set(row.source, &row.scheme, &[secret])
    };
    let sets = [of(Some("a"), "key-a"), of(None, "key-any"), of(Some("b"), "key-b")];
    let signatures = Signatures::new(&sets).unwrap();
    let answer = |account, secret| word(&signatures, row.source, account, &(row.sign)(secret));
    assert_eq!(answer(Some("a"), "key-a"), RIGHT);
    assert_eq!(answer(Some("a"), "key-any"), WRONG("mismatch"));
    assert_eq!(answer(Some("b"), "key-a"), WRONG("mismatch"), "another account's key");
    assert_eq!(answer(Some("c"), "key-any"), RIGHT);
    assert_eq!(answer(None, "key-b"), RIGHT, "no account is named: all keys of the source");
    assert_eq!(answer(None, "key-c"), WRONG("mismatch"));
    let stale = received(&(row.sign)("key-a"), RECEIVED_S + 9999);
    let told = word(&signatures, row.source, None, &stale);
    assert_eq!(told, WRONG("outside_tolerance"), "a mismatch with other keys says less");
    let alone = Signatures::new(&[of(Some("a"), "key-a")]).unwrap();
    let unchecked = word(&alone, row.source, Some("z"), &(row.sign)("key-a"));
    assert_eq!(unchecked, (None, Some("no_key")));
    let unchecked = word(&alone, Source::Apns, None, &Case::value("{}"));
    assert_eq!(unchecked, (None, Some("no_scheme")));
    let unchecked = word(&Signatures::default(), row.source, None, &(row.sign)("key-a"));
    assert_eq!(unchecked, (None, None), "nothing is configured");
    assert!(alone.covers(row.source) && !alone.covers(Source::Apns));
    assert!(!Signatures::default().covers(row.source));
}

#[test]
fn keys_that_cannot_be_used_are_refused_without_being_shown() {
    let documented = Scheme::Documented;
    let refused = |set: KeySet| Signatures::new(&[set]).unwrap_err();
    let none = refused(set(Source::Twilio, &documented, &[]));
    assert_eq!(none, KeyError::Count { source_name: "twilio", count: 0 });
    let three = refused(set(Source::Twilio, &documented, &["a", "b", "c"]));
    assert!(matches!(three, KeyError::Count { count: 3, .. }));
    let empty = refused(set(Source::Twilio, &documented, &["a", " \n"]));
    assert!(matches!(empty, KeyError::Unreadable { position: 2, .. }));
    let infobip = refused(set(Source::Infobip, &documented, &["a"]));
    assert!(matches!(infobip, KeyError::NoScheme { .. }));
    let other = refused(set(Source::Twilio, &Scheme::PlivoV2, &["a"]));
    assert!(matches!(other, KeyError::OtherScheme { .. }));
    let twice = set(Source::Twilio, &documented, &["a"]);
    let twice = Signatures::new(&[twice.clone(), twice]).unwrap_err();
    assert!(matches!(twice, KeyError::Twice { .. }));
    for (source, text) in [
        (Source::Telnyx, "c2hvcnQ="),
        (Source::Telnyx, "hunter2"),
        (Source::Bird, "whsec_hunter2!"),
        (Source::AwsSns, "hunter2"),
    ] {
        let mut set = set(source, &documented, &["x"]);
        set.secrets = vec![Secret::new(text)];
        let error = refused(set);
        assert!(matches!(error, KeyError::Unreadable { position: 1, .. }), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("c2hv"), "{shown}");
    }
    let set = set(Source::Twilio, &documented, &["hunter2"]);
    let settings = Settings {
        keyring: Keyring::demo(),
        signatures: Arc::new(Signatures::new(std::slice::from_ref(&set)).unwrap()),
        regional: Arc::default(),
    };
    let shown = format!("{set:?} {settings:?} {:?}", Normalizer::new(settings.clone()));
    // As bytes, "hunter2" would begin so.
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
}

#[test]
fn policies_and_algorithms_have_words() {
    for (word, policy) in [
        ("ignore", SignaturePolicy::Ignore),
        ("record", SignaturePolicy::Record),
        ("require", SignaturePolicy::Require),
    ] {
        assert_eq!(SignaturePolicy::parse(word), Some(policy));
    }
    assert_eq!(SignaturePolicy::parse("Require"), None);
    assert_eq!(Algorithm::parse("sha384"), Some(Algorithm::Sha384));
    assert_eq!(Algorithm::parse("none"), None);
}

fn policed(policy: SignaturePolicy, check_again: bool, case: &Case) -> Normalized {
    let signatures = set(Source::Twilio, &Scheme::Documented, &["key-a"]);
    let signatures = Arc::new(Signatures::new(&[signatures]).unwrap());
    let mut normalizer = Normalizer::new(Settings {
        keyring: Keyring::demo(),
        signatures,
        regional: Arc::default(),
    });
    let signatures = SignatureRule { policy, check_again };
    let input = Input { signatures, ..input(Some(Source::Twilio)) };
    normalizer.batch(&batch(std::slice::from_ref(case)), &[input]).unwrap()
}

#[test]
fn the_policy_of_the_input_says_what_becomes_of_a_verdict() {
    use SignaturePolicy::{Ignore, Record, Require};
    let rows = rows();
    let good = (rows[0].sign)("key-a");
    let bad = (rows[0].sign)("key-b");
    let bare = without(&good, "http-x-twilio-signature");
    let told = |normalized: &Normalized| {
        let line = lines(normalized).remove(0);
        (line["verified"].as_bool(), line["verified_reason"].as_str().map(str::to_owned))
    };
    let word = |word: &str| Some(word.to_owned());
    for case in [&good, &bad, &bare, &bad.clone().header("verified", "true")] {
        assert_eq!(told(&policed(Ignore, false, case)), (None, None));
    }
    assert_eq!(told(&policed(Record, false, &good)), (Some(true), word("valid")));
    assert_eq!(told(&policed(Record, false, &bad)), (Some(false), word("mismatch")));
    assert_eq!(told(&policed(Record, false, &bare)), (Some(false), word("missing_header")));
    assert_eq!(told(&policed(Require, false, &good)), (Some(true), word("valid")));
    for (case, reason) in [(&bad, "mismatch"), (&bare, "missing_header")] {
        let normalized = policed(Require, false, case);
        assert_eq!(normalized.events.num_rows(), 0);
        let dead = &normalized.dead[0];
        assert_eq!((dead.reason.as_str(), dead.detail.as_str()), ("unverified", reason));
        assert_eq!((dead.source, dead.element), (Some(Source::Twilio), 0));
        assert_eq!((normalized.tallies[0].elements, normalized.tallies[0].dead), (1, 1));
    }
}

#[test]
fn the_gateways_word_stands_unless_the_input_says_to_check_again() {
    use SignaturePolicy::{Record, Require};
    let rows = rows();
    let marked = |secret, truth| (rows[0].sign)(secret).header("verified", truth);
    let told = |normalized: &Normalized| {
        let line = lines(normalized).remove(0);
        (line["verified"].as_bool(), line["verified_reason"].as_str().unwrap().to_owned())
    };
    let header = |truth| (Some(truth), "header".to_owned());
    assert_eq!(told(&policed(Record, false, &marked("key-b", "true"))), header(true));
    assert_eq!(told(&policed(Record, false, &marked("key-a", "false"))), header(false));
    assert_eq!(told(&policed(Require, false, &marked("key-b", "true"))), header(true));
    let dead = policed(Require, false, &marked("key-a", "false")).dead.remove(0);
    assert_eq!((dead.reason.as_str(), dead.detail.as_str()), ("unverified", "header"));
    let again = told(&policed(Record, true, &marked("key-b", "true")));
    assert_eq!(again, (Some(false), "mismatch".to_owned()));
    let again = told(&policed(Record, true, &marked("key-a", "false")));
    assert_eq!(again, (Some(true), "valid".to_owned()));
    let odd = told(&policed(Record, false, &marked("key-a", "maybe")));
    assert_eq!(odd, (Some(true), "valid".to_owned()), "no word of the gateway's");
}

#[test]
fn require_without_a_key_lets_nothing_through_but_tombstones() {
    let rule = SignatureRule { policy: SignaturePolicy::Require, check_again: false };
    let input = Input { signatures: rule, ..input(Some(Source::Twilio)) };
    let cases = [Case::value("MessageSid=SM1&MessageStatus=sent"), Case::value("")];
    let normalized = crate::fixtures::normalizer().batch(&batch(&cases), &[input]).unwrap();
    let dead = &normalized.dead[0];
    assert_eq!((dead.reason.as_str(), dead.detail.as_str()), ("unverified", "no_key"));
    assert_eq!((normalized.tallies[0].dead, normalized.tallies[0].ignored), (1, 1));
}

/// Records with signatures against their `.expected.jsonl`, as `golden` does for the sources.
#[test]
fn signed_fixtures_give_their_expected_lines() {
    let bless = std::env::var_os("SENDTALLY_BLESS").is_some();
    let documented = Scheme::Documented;
    let sets = [Source::Twilio, Source::Telnyx]
        .map(|source| set(source, &documented, &["key-a", "key-b"]));
    let signatures = Arc::new(Signatures::new(&sets).unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signatures");
    let mut names: Vec<_> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.to_string_lossy().ends_with(".record.json"));
    names.sort();
    assert_eq!(names.len(), 7);
    for path in names {
        let settings = Settings {
            keyring: Keyring::demo(),
            signatures: Arc::clone(&signatures),
            regional: Arc::default(),
        };
        let raw = batch(&[Case::file(&path)]);
        let normalized = Normalizer::new(settings).batch(&raw, &[input(None)]).unwrap();
        let actual = crate::fixtures::text(&normalized);
        let expected = path.to_string_lossy().replace(".record.json", ".expected.jsonl");
        if bless {
            std::fs::write(&expected, &actual).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&expected).unwrap(), actual, "{expected}");
    }
}

#[test]
fn what_a_check_costs() {
    const RECORDS: usize = 2_000;
    const ROUNDS: usize = 20;
    let rows = rows();
    let row = rows.iter().find(|row| row.name == "whatsapp").unwrap();
    // About 510 bytes, like the benchmark's report.
    let body = format!(r#"{{"entry":[],"text":"{}"}}"#, "x".repeat(488));
    let code = sign::hmac(&ring::digest::SHA256, "key-a", body.as_bytes());
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let case = Case::value(body).header("http-x-hub-signature-256", &format!("sha256={code}"));
    assert_eq!(check(row, &["key-a"], &case), RIGHT);
    let raw = batch(&vec![case; RECORDS]);
    let cost = |policy, secrets: &[&str]| {
        let signatures = Arc::new(keys(row, secrets));
        let mut normalizer = Normalizer::new(Settings {
            keyring: Keyring::demo(),
            signatures,
            regional: Arc::default(),
        });
        let rule = SignatureRule { policy, check_again: false };
        let inputs = [Input { signatures: rule, ..input(Some(row.source)) }];
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let start = std::time::Instant::now();
            normalizer.batch(&raw, &inputs).unwrap();
            best = best.min(start.elapsed().as_secs_f64() * 1e9 / RECORDS as f64);
        }
        best
    };
    let ignored = cost(SignaturePolicy::Ignore, &["key-a"]);
    let first = cost(SignaturePolicy::Record, &["key-a"]) - ignored;
    let second = cost(SignaturePolicy::Record, &["key-b", "key-a"]) - ignored;
    println!("HMAC-SHA256 of 510 B: {first:.0} ns, with the second key {second:.0} ns;");
    println!("the whole record without: {ignored:.0} ns");
}

//! P5: no recipient, user id, device token or message body in any output. Method: all outputs of
//! all fixtures, as text and decoded from base64 and hex, are searched for every planted value; a
//! positive control shows that the search finds them in the payloads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::fixtures::{Case, files, run, text};

/// Values that the fixtures hold as recipients or bodies.
const PLANTED: &[&str] = &[
    "2025550143",
    "447700900143",
    "447700900144",
    "31612345143",
    "385911234143",
    "41790000143",
    "US.99887766554433",
    "Planted Name",
    "secret words",
    "fcm-device-token-143",
    "fid_example_143",
    "user-143",
    "onesignal-device-token-143",
    "onesignal-device-token-144",
    "braze-push-token-143",
    "device-143-aa",
    "5f00000000000000000000aa",
    "web-endpoint-secret-143",
    "web-endpoint-secret-144",
    "7f7f7f7f7f7f7f7f",
    "abababababababab",
];

/// The text, and what any run of base64 or hex characters in it decodes to.
fn views(text: &str) -> Vec<String> {
    let mut views = vec![text.to_owned()];
    let outside = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
    for run in text.split(outside).filter(|run| run.len() >= 8) {
        for start in 0..4.min(run.len()) {
            let part = &run[start..];
            let whole = &part[..part.len() - usize::from(part.len() % 4 == 1)];
            if let Ok(bytes) = STANDARD_NO_PAD.decode(whole) {
                views.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        if let Some(bytes) = model::keys::unhex(run) {
            views.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    views
}

fn found(text: &str) -> Vec<&'static str> {
    let views = views(text);
    let is_in = |planted: &&&str| views.iter().any(|view| view.contains(**planted));
    PLANTED.iter().filter(is_in).copied().collect()
}

#[test]
fn no_output_holds_a_planted_value() {
    for (source, path) in files() {
        let normalized = run(Some(source), &[Case::file(&path)]);
        let mut output = text(&normalized);
        for dead in &normalized.dead {
            output.push_str(&format!("{dead:?}"));
        }
        assert_eq!(found(&output), Vec::<&str>::new(), "{}", path.display());
    }
}

#[test]
fn the_search_finds_every_planted_value_in_the_payloads() {
    let mut payloads = String::new();
    for (_, path) in files() {
        payloads.push_str(&String::from_utf8_lossy(&Case::file(&path).value));
        payloads.push('\n');
    }
    let missing: Vec<_> =
        PLANTED.iter().filter(|planted| !found(&payloads).contains(planted)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let wamid = "wamid.HBgMNDQ3NzAwOTAwMTQzFQIAERgSN0Y0Q";
    assert_eq!(found(wamid), ["447700900143"], "also inside base64");
}

/// A WhatsApp user has a number, ids and a name; whichever is the recipient, none is shown.
#[test]
fn no_other_id_of_a_recipient_leaves_in_a_text() {
    let ids = ["447700900143", "US.99887766554433", "US.ENT.118157495734", "jane.doe.143"];
    for to in ids {
        for told in ids {
            let report = serde_json::json!({"results": [{
                "messageId": format!("m-{told}"), "to": to, "callbackData": format!("order-{told}"),
                "campaignReferenceId": told, "from": told,
                "contact": {"phoneNumber": ids[0], "userId": ids[1], "parentUserId": ids[2],
                    "username": ids[3]},
                "status": {"groupId": 3, "id": 5}}]});
            let case = Case::value(report.to_string());
            let shown = text(&run(Some(model::vocabulary::Source::Infobip), &[case]));
            assert!(!shown.contains(told), "{to}: {shown}");
        }
    }
    let twilio = "MessageSid=SM0&MessageStatus=delivered&To=whatsapp%3A%2B447700900143\
        &ExternalUserId=whatsapp%3AUS.99887766554433&From=whatsapp%3AUS.99887766554433";
    let shown = text(&run(Some(model::vocabulary::Source::Twilio), &[Case::value(twilio)]));
    assert!(!shown.contains("US.99887766554433"), "{shown}");
}

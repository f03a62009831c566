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

/// The text, and what any run of base64 or hex characters in it decodes to: as text, and in hex for
/// numbers of two digits a byte.
fn views(text: &str) -> Vec<String> {
    let mut views = vec![text.to_owned()];
    let outside = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
    for run in text.split(outside).filter(|run| run.len() >= 8) {
        for start in 0..4.min(run.len()) {
            let part = &run[start..];
            let whole = &part[..part.len() - usize::from(part.len() % 4 == 1)];
            if let Ok(bytes) = STANDARD_NO_PAD.decode(whole) {
                views.push(String::from_utf8_lossy(&bytes).into_owned());
                views.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
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
    let packed = "gBGGEgJVUBQ/AgnhuF1qIUvCo7A=";
    assert_eq!(found(packed), ["2025550143"], "also two digits a byte");
}

/// Before 2022 WhatsApp's ids held the number two digits a byte; those of calls do to this day.
#[test]
fn no_whatsapp_id_leaves_that_holds_a_number_two_digits_a_byte() {
    use model::vocabulary::Source;
    use serde_json::json;

    let ids = ["gBEGRHcAkAFDAgnhuF1qIUvCo7A", "gBGGEgJVUBQ/AgnhuF1qIUvCo7A=", "ABGGEgJVUBQ_Agnh"];
    for id in ids {
        for prefix in ["", "wamid.", "wacid."] {
            let id = format!("{prefix}{id}");
            let status = json!({"id": id, "status": "sent", "timestamp": "1795176003",
                "pricing": {"pricing_model": "PMP", "type": "regular", "category": "utility"}});
            let relayed = json!({"app": "a", "timestamp": 1, "version": 2, "type": "message-event",
                "payload": {"id": id, "type": "read", "payload": {"ts": 1_795_176_005}}});
            let own = json!({"message_id": id, "channel": "whatsapp", "status": "sent"});
            for (source, payload) in [
                (Source::Whatsapp, &status),
                (Source::Gupshup, &relayed),
                (Source::Cloudevents, &own),
            ] {
                let case = Case::value(payload.to_string());
                let normalized = run(Some(source), &[case]);
                let shown = text(&normalized);
                assert!(shown.contains(r#""message_id":"wamid:"#), "{source}: {shown}");
                assert!(!shown.contains(&id) && found(&shown).is_empty(), "{source}: {shown}");
            }
        }
    }
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

/// A status names one person by up to three ids.
#[test]
fn no_user_id_of_a_whatsapp_status_leaves_in_the_senders_reference() {
    let ids = [
        "recipient_user_id",
        "recipient_participant_user_id",
        "recipient_parent_user_id",
        "parent_recipient_user_id",
        "recipient_participant_parent_user_id",
    ];
    for id in ids {
        for number in ["recipient_id", "recipient_participant_id", "recipient_type"] {
            let status = serde_json::json!({"id": "wamid.X", "status": "read",
                number: "447700900143", id: "US.99887766554433",
                "biz_opaque_callback_data": "a US.99887766554433 b"});
            let case = Case::value(status.to_string());
            let shown = text(&run(Some(model::vocabulary::Source::Whatsapp), &[case]));
            assert!(shown.contains(r#""logical_id":"a "#), "{shown}");
            assert!(!shown.contains("US.99887766554433"), "{id} {number}: {shown}");
        }
    }
}

//! A status that no table knows, at every source. Method: one payload a source in a documented
//! shape, with an invented status; it has to be an event that keeps the word, and be counted.

use model::vocabulary::Source;
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, input, lines, normalizer};

/// One element a source whose status is `BRAND_NEW` (or a number that no vendor has).
fn payload(source: Source) -> String {
    let json = match source {
        Source::Twilio => return "MessageSid=SM1&MessageStatus=BRAND_NEW&To=%2B12025550143".into(),
        Source::Plivo => return "MessageUUID=1&Status=BRAND_NEW&To=12025550143".into(),
        Source::Kaleyra => return "id=58f86fab%3A0&status=BRAND_NEW".into(),
        Source::Messagebird => return "id=m&recipient=447700900143&status=BRAND_NEW".into(),
        Source::Vonage => return "messageId=0B&msisdn=447700900143&status=BRAND_NEW".into(),
        Source::Smpp => return "id:7 sub:001 stat:BRANDNEW err:000".into(),
        Source::Infobip => json!({"results": [{"messageId": "m", "to": "447700900143",
            "status": {"groupId": 99, "groupName": "BRAND_NEW", "id": 999, "name": "BRAND_NEW"}}]}),
        Source::Sinch => json!({"type": "recipient_delivery_report_sms", "batch_id": "b",
            "recipient": "447700900143", "status": "BRAND_NEW", "code": 0}),
        Source::Telnyx => json!({"data": {"event_type": "message.finalized", "id": "e",
            "record_type": "event", "payload": {"id": "m", "direction": "outbound", "type": "SMS",
            "to": [{"phone_number": "+12025550143", "status": "BRAND_NEW"}]}}}),
        Source::Bird => json!({"type": "sms.brand_new", "timestamp": "2026-11-20T12:00:03Z",
            "data": {"sms_id": "s", "to": "+447700900143"}}),
        Source::Bandwidth => json!([{"type": "message-brand-new", "time": "2026-11-20T12:00:03Z",
            "to": "+12025550143", "message": {"id": "m", "direction": "out"}}]),
        Source::Gupshup => json!({"app": "a", "type": "message-event", "payload": {"id": "g",
            "gsId": "g", "type": "brand_new", "destination": "447700900143"}}),
        Source::GoogleRbm => json!({"senderPhoneNumber": "+12025550143", "eventType": "BRAND_NEW",
            "eventId": "e", "messageId": "m", "agentId": "a"}),
        Source::GsmaMaap => json!({"deliveryInfo": {"address": "tel:+447700900143",
            "messageId": "m", "deliveryStatus": "BrandNew"}}),
        Source::Whatsapp => json!({"id": "wamid.1", "status": "brand_new",
            "timestamp": "1795176003", "recipient_id": "447700900143"}),
        Source::AwsEum => json!({"eventType": "TEXT_BRAND_NEW", "messageId": "m",
            "messageStatus": "BRAND_NEW", "destinationPhoneNumber": "+12025550143"}),
        Source::AwsPinpoint => json!({"event_type": "_SMS.BRAND_NEW", "attributes":
            {"message_id": "p", "record_status": "BRAND_NEW"}}),
        Source::AwsSns => json!({"notification": {"messageId": "s"}, "delivery":
            {"destination": "+12025550143"}, "status": "BRAND_NEW"}),
        Source::AzureAcs => json!([{"id": "i", "eventType":
            "Microsoft.Communication.SMSDeliveryReportReceived", "data": {"messageId": "m",
            "to": "+12025550143", "deliveryStatus": "BrandNew"}}]),
        Source::Fcm => json!({"event": "BRAND_NEW", "message_id": "0:1", "project_number": 1,
            "event_timestamp": "2026-11-20 12:00:05 UTC"}),
        Source::Apns => json!({"apns_id": "a", "status": 299}),
        Source::Webpush => json!({"request": {"method": "POST",
            "endpoint": "https://push.example.net/p/1"}, "status": 299,
            "headers": {"location": "https://push.example.net/m/1"}}),
        Source::Onesignal => json!({"event": {"kind": "message.push.brand_new", "id": "e",
            "subscription_id": "s"}, "message": {"id": "m"}}),
        Source::Braze => json!({"events": [{"event_type": "users.messages.sms.BrandNew",
            "id": "e", "time": 1_795_176_005, "user": {"user_id": "u"},
            "properties": {"dispatch_id": "d", "to_phone_number": "+12025550143"}}]}),
        Source::Cloudevents => json!({"specversion": "1.0", "id": "e", "source": "/a",
            "type": "com.example.msg.brand_new", "data": {"message_id": "m",
            "status": "brand_new"}}),
    };
    json.to_string()
}

#[test]
fn a_status_never_seen_before_is_unknown_with_its_word_and_counted_by_source() {
    let mut wrong = Vec::new();
    for source in Source::ALL {
        let mut normalizer = normalizer();
        let text = payload(*source);
        let normalized =
            normalizer.batch(&batch(&[Case::value(text)]), &[input(Some(*source))]).unwrap();
        let counted = normalizer.counters().unknown_statuses.get(source).copied();
        let found = lines(&normalized);
        let line = found.first().cloned().unwrap_or_default();
        let word = line["vendor_status"].as_str().unwrap_or("").to_ascii_lowercase();
        let word = word.replace(['_', '-'], "");
        let is_kept = word.contains("brandnew") || word.contains("299");
        let told = (&line["status"], &line["is_final"]);
        if found.len() != 1 || told != (&json!("unknown"), &Value::Bool(false)) || !is_kept {
            let ignored = &normalizer.counters().ignored;
            wrong.push(format!("{source}: {found:?} {:?} {ignored:?}", normalized.dead));
        }
        if counted != Some(1) {
            wrong.push(format!("{source}: counted {counted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_code_never_seen_before_is_kept_and_its_class_is_unknown() {
    let cases = [
        (Source::Twilio, "MessageSid=SM1&MessageStatus=failed&ErrorCode=99999".to_owned()),
        (Source::Plivo, "MessageUUID=1&Status=failed&ErrorCode=99999".to_owned()),
        (Source::Vonage, "messageId=0B&status=failed&err-code=99999".to_owned()),
        (
            Source::Sinch,
            payload(Source::Sinch)
                .replace("BRAND_NEW", "Failed")
                .replace("\"code\":0", "\"code\":99999"),
        ),
        (
            Source::Telnyx,
            json!({"data": {"event_type": "message.finalized", "id": "e",
            "record_type": "event", "payload": {"id": "m", "direction": "outbound",
            "to": [{"phone_number": "+12025550143", "status": "delivery_failed"}],
            "errors": [{"code": "99999", "title": "t"}]}}})
            .to_string(),
        ),
        (
            Source::Bandwidth,
            json!([{"type": "message-failed", "errorCode": 99999,
            "to": "+12025550143", "message": {"id": "m", "direction": "out"}}])
            .to_string(),
        ),
        (
            Source::Whatsapp,
            json!({"id": "wamid.1", "status": "failed", "timestamp": "1795176003",
            "recipient_id": "447700900143", "errors": [{"code": 99999}]})
            .to_string(),
        ),
    ];
    for (source, text) in cases {
        let raw = batch(&[Case::value(text)]);
        let found = lines(&normalizer().batch(&raw, &[input(Some(source))]).unwrap());
        assert_eq!(found.len(), 1, "{source}");
        let told = (&found[0]["error_code"], &found[0]["error_class"]);
        assert_eq!(told, (&json!("99999"), &json!("unknown")), "{source}");
    }
}

//! What one element of a list costs when it is broken: itself, and nothing of its neighbours. And
//! what an answer's identity may hang on: its own words, not the time at which it was read.

use model::vocabulary::Source;

use crate::fixtures::{Case, batch, input, lines, normalizer, run};

/// Source, an element with `ID` for its id, text around the list.
const LISTS: &[(Source, &str, [&str; 2])] = &[
    (
        Source::Whatsapp,
        r#"{"id":"ID","status":"failed","timestamp":"1795176003","recipient_id":"447700900143",
            "recipient_user_id":"US.99887766554433","recipient_participant_id":"447700900144",
            "biz_opaque_callback_data":"o-1","conversation":{"origin":{"type":"utility"}},
            "pricing":{"category":"utility"},"errors":[{"code":131026}]}"#,
        [r#"{"messaging_product":"whatsapp","statuses":["#, "]}"],
    ),
    (
        Source::Apns,
        r#"{"apns_id":"ID","status":410,"reason":"Unregistered","timestamp":1795176000000,
            "topic":"t","token_hash":"abcdef123456","sent_at":1795176000,"request":{},
            "headers":{},"body":{}}"#,
        ["[", "]"],
    ),
    (
        Source::Fcm,
        r#"{"event_timestamp":"2026-11-20 12:03:11.482 UTC","project_number":1,"message_id":"ID",
            "instance_id":"fid_example_143","app_name":"a","event":"MESSAGE_DELIVERED",
            "analytics_label":"l","name":"n","error":{},"request":{},"body":{}}"#,
        ["[", "]"],
    ),
    (
        Source::Messagebird,
        r#"{"id":"ID","recipient":447700900143,"status":"delivered","statusErrorCode":1,
            "statusReason":"x","statusDatetime":"2026-11-20T12:00:02+00:00","mccmnc":"23410",
            "mcc":"234","mnc":"10","recipientOperator":"o","messagePartCount":1,"reference":"r",
            "originator":"s","createdDatetime":"2026-11-20T12:00:00+00:00","price":{}}"#,
        ["[", "]"],
    ),
    (
        Source::Bird,
        r#"{"id":"ID","status":"delivered","timestamp":"2026-11-20T12:00:02Z","to":"447700900143",
            "from":"s","recipient":{},"category":"marketing","segments":{"count":1},"cost":{},
            "carrier":"c","mcc_mnc":"23410","error":{},"workspace_id":"w","direction":"outbound",
            "created_at":"2026-11-20T12:00:00Z","data":{},"message":{}}"#,
        [r#"{"data":["#, "]}"],
    ),
    (
        Source::Bandwidth,
        r#"{"message":{"id":"ID","time":"2026-11-20T12:00:00Z"},"type":"message-delivered",
            "time":"2026-11-20T12:00:02Z","eventTime":"x","to":"447700900143","description":"ok",
            "errorCode":0,"carrierName":"c","accountId":"a","segmentCount":1}"#,
        ["[", "]"],
    ),
    (
        Source::Gupshup,
        r#"{"externalId":"ID","eventType":"DELIVERED","eventTs":1795176002000,
            "destAddr":447700900143,"srcAddr":"s","cause":"SUCCESS","errCode":"000",
            "channel":"SMS","noOfFrags":1,"type":"x","payload":{},"timestamp":1,"app":"a"}"#,
        ["[", "]"],
    ),
    (
        Source::Smpp,
        r#"{"system_id":"s","source_addr":"447700900143","destination_addr":"Tally","esm_class":4,
            "short_message":"id:ID stat:REJECTD err:012","tlv":{"0x001E":"ID"},"smpp":{}}"#,
        ["[", "]"],
    ),
    (
        Source::AwsEum,
        r#"{"eventType":"RCS_DELIVERED","messageStatus":"DELIVERED","messageId":"ID",
            "eventTimestamp":1795176001482,"messageRequestTimestamp":1795176000000,"isFinal":true,
            "originationPhoneNumber":"rcs-1","destinationPhoneNumber":"+447700900143","mcc":"234",
            "mnc":"10","isoCountryCode":"GB","messageType":"TRANSACTIONAL","totalMessageParts":1,
            "totalMessagePrice":0.007,"totalCarrierFee":0,"conversationSessionFee":0,
            "conversationInitiatingMessageId":"ID","messageBody":"b","inboundMessageId":null,
            "message":"m","data":"d","detail":{},"Records":[],"Message":"m"}"#,
        [r#"{"Records":["#, "]}"],
    ),
    (
        Source::AwsPinpoint,
        r#"{"event_type":"_SMS.SUCCESS","event_timestamp":1795176001482,"awsAccountId":"1",
            "attributes":{"message_id":"ID","record_status":"DELIVERED"},"metrics":{}}"#,
        ["[", "]"],
    ),
    (
        Source::AwsSns,
        r#"{"notification":{"messageId":"ID","timestamp":"2026-11-20 12:00:00.482"},
            "delivery":{"providerResponse":"Delivered","mcc":234},"status":"SUCCESS"}"#,
        ["[", "]"],
    ),
    (
        Source::GsmaMaap,
        r#"{"address":"tel:+447700900143","messageId":"ID","deliveryStatus":"DeliveredToTerminal",
            "description":"UP2","text":"t"}"#,
        [r#"{"deliveryInfoNotification":{"deliveryInfo":["#, "]}}"],
    ),
    (
        Source::AzureAcs,
        r#"{"id":"e","topic":"/t/acs","subject":"/phonenumber/1",
            "eventTime":"2026-11-20T12:03:20Z",
            "eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
            "data":{"messageId":"ID","deliveryStatus":"Delivered",
            "deliveryAttempts":[{"segmentsSucceeded":1}],
            "Tag":"t","to":"+12025550143"}}"#,
        ["[", "]"],
    ),
    (
        Source::Webpush,
        r#"{"message_id":"ID","status":410,"endpoint":"https://push.example.net/p/abcdef123456",
            "sent_at":1795176000,"reason":"Gone","location":null,"receipt":false,"request":{},
            "headers":{},"body":{}}"#,
        ["[", "]"],
    ),
    (
        Source::Onesignal,
        r#"{"event_id":"e","event_kind":"message.push.received","event_timestamp":1795176191,
            "message_id":"ID","subscription_id":"s","token":"abcdef123456","message_name":"n",
            "failure_reason":"","device_type":1,"event":{},"message":{},"user":{},"data":{}}"#,
        [r#"{"events":["#, "]}"],
    ),
    (
        Source::Braze,
        r#"{"event_type":"users.messages.sms.Delivery","id":"e","time":1795176191,
            "dispatch_id":"ID","user":{"user_id":"u"},"properties":{},"app_group_id":"g",
            "to_phone_number":"+12025550143","time_ms":1795176191000}"#,
        [r#"{"events":["#, "]}"],
    ),
];

/// What may stand for a value: of another type, out of its range, or no JSON at all.
const VALUES: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "[[{}]]",
    "\"\"",
    "-1",
    "1e999",
    "\"\\ud800\"",
    "\"a\nb\"",
    "\"\\x\"",
    "NaN",
    "True",
    "1.2.3",
    "'a'",
    "",
];

#[test]
fn a_broken_value_spares_the_neighbours() {
    for (source, element, [before, after]) in LISTS {
        let keys = serde_json::from_str::<serde_json::Value>(element).unwrap();
        let with_id = |id: &str| element.replace("ID", id);
        for key in keys.as_object().unwrap().keys() {
            for value in VALUES {
                let body = with_id("b");
                let broken = format!("{},\"{key}\":{value}}}", body.strip_suffix('}').unwrap());
                let list = [with_id("a"), broken, with_id("c")].join(",");
                let normalized =
                    run(Some(*source), &[Case::value([*before, &list, after].concat())]);
                assert_eq!(normalized.tallies[0].elements, 3, "{source} {key} {value}");
                let found = lines(&normalized);
                for (id, at) in [("a", 0), ("c", 2)] {
                    let line = found.iter().find(|line| line["message_id"] == id);
                    let line =
                        line.unwrap_or_else(|| panic!("{source} {key} {value}: {id} is lost"));
                    assert_eq!((&line["element"], &line["is_final"]), (&at.into(), &true.into()));
                }
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text_cost_the_field_of_json_that_holds_them() {
    for (source, element, [before, after]) in LISTS {
        let with_id = |id: &str| element.replace("ID", id);
        let damaged = |body: &str, key: &str| {
            let inserted = format!("{{\"unread\":\"?\",\"{key}\":\"?\",");
            let mut bytes = body.replacen('{', &inserted, 1).into_bytes();
            bytes.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
            bytes
        };
        let list = [with_id("a"), with_id("c")];
        for key in ["unread", "\u{1}", "text"] {
            let mut value = format!("{before}{},", list[0]).into_bytes();
            value.extend(damaged(&with_id("b"), key));
            value.extend(format!(",{}{after}", list[1]).into_bytes());
            let found = lines(&run(Some(*source), &[Case::value(value)]));
            let ids: Vec<&str> = found.iter().filter_map(|l| l["message_id"].as_str()).collect();
            assert_eq!(ids, ["a", "b", "c"], "{source}");
        }
    }
    let value = br#"{"results":[{"messageId":"a","status":{"groupId":3,"id":5,"name":"?"}},
        {"messageId":"?","status":{"groupId":3}}]}"#;
    let value = value.map(|byte| if byte == b'?' { 0xff } else { byte });
    let normalized = run(Some(Source::Infobip), &[Case::value(value.to_vec())]);
    let found = lines(&normalized);
    assert_eq!((&found[0]["message_id"], &found[0]["status"]), (&"a".into(), &"delivered".into()));
    let dead: Vec<_> = normalized.dead.iter().map(|dead| dead.reason.as_str()).collect();
    assert_eq!(dead, ["missing_id"]);
}

#[test]
fn of_recipients_that_share_an_id_a_damaged_one_is_nobody_else() {
    let value = r#"{"id":"m","recipients":{"items":[
        {"recipient":+447700900143,"status":"delivered"},
        {"recipient":+447700900144,"status":"delivery_failed"},
        {"recipient":447700900145,"status":"delivered"}]}}"#;
    let read = run(Some(Source::Messagebird), &[Case::value(value)]);
    let dead: Vec<&str> = read.dead.iter().map(|dead| dead.detail.as_str()).collect();
    assert_eq!(dead, ["/recipients/items/0/recipient", "/recipients/items/1/recipient"]);
    assert_eq!(lines(&read).len(), 1);
}

#[test]
fn an_invalidation_read_again_days_later_is_the_same_event() {
    let answer = r#"{"status":410,"headers":{"apns-id":"ad"},
        "body":{"reason":"Unregistered","timestamp":1795176000000}}"#;
    let read =
        |at: &str| lines(&run(Some(Source::Apns), &[Case::value(answer).ingested(at)])).remove(0);
    let (first, again) = (read("2026-11-20T12:00:01Z"), read("2026-11-23T12:00:01Z"));
    assert_eq!(first["event_time"], "2026-11-20T12:00:00.000000Z");
    assert_eq!(again["event_time"], "2026-11-23T12:00:01.000000Z");
    assert_eq!(first["event_id"], again["event_id"]);
}

#[test]
fn unreadable_answers_fields_are_counted() {
    let unreadable = |source, value: &str| {
        let mut normalizer = normalizer();
        normalizer.batch(&batch(&[Case::value(value)]), &[input(Some(source))]).unwrap();
        normalizer.counters().unreadable_fields
    };
    let date = r#"{"status":200,"headers":{"apns-id":"a","Date":"yesterday"}}"#;
    assert_eq!(unreadable(Source::Apns, date), 1);
    let category = r#"{"id":"wamid.X","status":"sent","pricing":{"category":[]},
        "recipient_user_id":{}}"#;
    assert_eq!(unreadable(Source::Whatsapp, category), 2);
}

#[test]
fn a_list_that_stands_twice_loses_nothing() {
    for (source, list) in [
        (Source::Twilio, "messages"),
        (Source::Infobip, "results"),
        (Source::Sinch, "delivery_reports"),
        (Source::Telnyx, "data"),
        (Source::Vonage, "records"),
        (Source::Plivo, "objects"),
        (Source::Bird, "data"),
        (Source::Bandwidth, "messages"),
        (Source::Gupshup, "response"),
    ] {
        let body = format!(r#"{{"{list}":[{{}},{{}}],"{list}":[{{}}]}}"#);
        let normalized = run(Some(source), &[Case::value(body)]);
        assert_eq!(normalized.tallies[0].elements, 3, "{source}");
    }
}

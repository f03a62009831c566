//! Every spelling of a time in the vendors' tables, and local times in the zone of their account.
//! Method: one payload a spelling in its vendor's documented shape, and the instant it means.

use std::sync::Arc;

use model::keys::Keyring;
use model::vocabulary::Source;
use normalize::{AccountRule, Accounts, Counters, Normalizer, Regional, Settings, Zone};
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, input, lines, run};

fn one(source: Source, payload: &str) -> Value {
    let mut lines = lines(&run(Some(source), &[Case::value(payload)]));
    assert_eq!(lines.len(), 1, "{source}: {payload}");
    lines.remove(0)
}

#[track_caller]
fn event(source: Source, payload: &str, expected: &str) {
    let line = one(source, payload);
    let found = line["event_time"].as_str().and_then(model::time::parse_rfc3339);
    assert_eq!(found, model::time::parse_rfc3339(expected), "{source}: {payload}");
    assert!(found.is_some(), "{source}: {payload}");
    let mark = if expected.ends_with(" UTC") { "vendor_local" } else { "vendor" };
    assert_eq!(line["event_time_source"], mark, "{source}: {payload}");
}

/// Expected times that end in ` UTC` are of local times without a configured zone.
#[test]
fn twilios_times_are_read() {
    let resource = |date: &str| {
        json!({"sid": "SM1", "status": "delivered", "to": "+12025550143", "date_updated": date})
            .to_string()
    };
    let expected = "2019-05-24T17:18:27Z";
    event(Source::Twilio, &resource("Fri, 24 May 2019 17:18:27 +0000"), expected);
    event(Source::Twilio, &resource("2019-05-24T17:18:27Z"), expected);
    let stream = json!({"specversion": "1.0", "id": "e", "source": "/x",
        "type": "com.twilio.messaging.message.delivered", "data": {"messageSid": "SM1",
        "messageStatus": "DELIVERED", "timestamp": "2025-01-01T00:00:00.000Z"}});
    event(Source::Twilio, &stream.to_string(), "2025-01-01T00:00:00Z");
    let callback = "MessageSid=SM1&MessageStatus=delivered&RawDlrDoneDate=2303222338";
    event(Source::Twilio, callback, "2023-03-22 23:38:00 UTC");
}

#[test]
fn infobips_offsets_without_a_colon_are_read() {
    let report = |done: &str| {
        json!({"results": [{"messageId": "m", "doneAt": done, "to": "447700900143",
            "status": {"groupId": 3, "id": 5, "name": "DELIVERED_TO_HANDSET"}}]})
        .to_string()
    };
    event(Source::Infobip, &report("2019-11-09T16:00:00.000+0100"), "2019-11-09T15:00:00Z");
    event(Source::Infobip, &report("2019-11-09T16:00:00.000+0000"), "2019-11-09T16:00:00Z");
    event(Source::Infobip, &report("2019-11-09T16:00:00.000-0300"), "2019-11-09T19:00:00Z");
    let seen = json!({"results": [{"messageId": "m", "seenAt": "2019-08-24T14:15:22Z"}]});
    event(Source::Infobip, &seen.to_string(), "2019-08-24T14:15:22Z");
}

#[test]
fn sinchs_and_telnyxs_times_are_read() {
    let sms = json!({"type": "recipient_delivery_report_sms", "batch_id": "b", "code": 0,
        "recipient": "447700900143", "status": "Delivered", "at": "2022-08-30T08:16:08.930Z"});
    event(Source::Sinch, &sms.to_string(), "2022-08-30T08:16:08.930Z");
    for (told, meant) in [
        ("2020-11-17T16:05:51.724083Z", "2020-11-17T16:05:51.724083Z"),
        ("2020-11-17T16:05:45Z", "2020-11-17T16:05:45Z"),
        ("2020-11-17T16:05:45.7Z", "2020-11-17T16:05:45.7Z"),
    ] {
        let report = json!({"app_id": "a", "event_time": told, "message_delivery_report":
            {"message_id": "m", "status": "DELIVERED",
            "channel_identity": {"channel": "SMS", "identity": "447700900143"}}});
        event(Source::Sinch, &report.to_string(), meant);
    }
    let telnyx = |time: &str| {
        json!({"data": {"event_type": "message.finalized", "id": "e", "record_type": "event",
            "occurred_at": time, "payload": {"id": "m", "direction": "outbound", "type": "SMS",
            "to": [{"phone_number": "+12025550143", "status": "delivered"}]}}})
        .to_string()
    };
    let expected = "2024-01-15T21:32:14.148Z";
    event(Source::Telnyx, &telnyx("2024-01-15T21:32:14.148+00:00"), expected);
    event(Source::Telnyx, &telnyx("2024-01-15T21:32:14.148Z"), expected);
}

#[test]
fn vonages_times_are_read() {
    let status = |time: &str| {
        json!({"message_uuid": "m", "status": "delivered", "channel": "sms",
            "to": "447700900143", "timestamp": time})
        .to_string()
    };
    event(Source::Vonage, &status("2025-02-03T12:14:25Z"), "2025-02-03T12:14:25Z");
    event(Source::Vonage, &status("2023-05-01T14:00:00.000Z"), "2023-05-01T14:00:00Z");
    let receipt =
        |times: &str| format!("messageId=0B&msisdn=447700900143&status=delivered&{times}");
    let old = receipt("scts=1810251310&message-timestamp=2018-10-25+12%3A10%3A29");
    event(Source::Vonage, &old, "2018-10-25T12:10:29Z");
    let new = receipt("message-timestamp=2020-01-01T12%3A00%3A00.000%2B00%3A00");
    event(Source::Vonage, &new, "2020-01-01T12:00:00Z");
    event(Source::Vonage, &receipt("timestamp=1582650446"), "2020-02-25T17:07:26Z");
    event(Source::Vonage, &receipt("scts=1810251310"), "2018-10-25 13:10:00 UTC");
    event(Source::Vonage, &receipt("scts=20200101100000"), "2020-01-01 10:00:00 UTC");
    let row = |time: &str| {
        json!({"records": [{"message_id": "m", "status": "delivered", "to": "447700900143",
            "direction": "outbound", "date_finalized": time}]})
        .to_string()
    };
    event(Source::Vonage, &row("2019-06-28T15:30:00+0000"), "2019-06-28T15:30:00Z");
    event(Source::Vonage, &row("2024-02-07T14:22:08+00:00"), "2024-02-07T14:22:08Z");
}

#[test]
fn plivos_times_are_read_with_fractions_of_any_length() {
    let callback = |time: &str| {
        format!("MessageUUID=1&Status=delivered&To=12025550143&DeliveryReportTime={time}")
    };
    let local = callback("2024-08-21+18%3A28%3A51.947720");
    event(Source::Plivo, &local, "2024-08-21 18:28:51.947720 UTC");
    let record = |time: &str| {
        json!({"message_uuid": "1", "message_state": "delivered", "to_number": "12025550143",
            "message_direction": "outbound", "message_updated_time": time})
        .to_string()
    };
    event(Source::Plivo, &record("2017-05-22 21:36:14+05:30"), "2017-05-22T16:06:14Z");
    let five = record("2024-08-21 18:28:51.94772+05:30");
    event(Source::Plivo, &five, "2024-08-21T12:58:51.94772Z");
}

#[test]
fn the_times_of_messagebird_bird_and_bandwidth_are_read() {
    let report = "id=m&recipient=447700900143&status=delivered&statusDatetime=";
    let report = format!("{report}2023-07-28T17%3A57%3A12%2B00%3A00");
    event(Source::Messagebird, &report, "2023-07-28T17:57:12Z");
    let bird = |time: &str| {
        json!({"type": "sms.delivered", "timestamp": time, "data": {"sms_id": "s",
            "to": "+447700900143"}})
        .to_string()
    };
    event(Source::Bird, &bird("2026-06-01T17:00:12Z"), "2026-06-01T17:00:12Z");
    event(Source::Bird, &bird("2026-05-21 12:00:00+00:00"), "2026-05-21T12:00:00Z");
    let bandwidth = |time: &str| {
        json!([{"type": "message-delivered", "time": time, "to": "+12025550143",
            "message": {"id": "m", "direction": "out"}}])
        .to_string()
    };
    event(Source::Bandwidth, &bandwidth("2016-09-14T18:20:16Z"), "2016-09-14T18:20:16Z");
    let fraction = bandwidth("2020-06-25T18:42:36.979Z");
    event(Source::Bandwidth, &fraction, "2020-06-25T18:42:36.979Z");
}

#[test]
fn gupshups_four_encodings_are_read() {
    let sms = json!([{"externalId": "1-2", "eventType": "DELIVERED", "cause": "SUCCESS",
        "eventTs": 1_526_347_800_000_i64, "destAddr": "447700900143", "errCode": "000"}]);
    event(Source::Gupshup, &sms.to_string(), "2018-05-15T01:30:00Z");
    let v2 = |outer: Value, inner: Value| {
        json!({"app": "a", "timestamp": outer, "version": 2, "type": "message-event", "payload":
            {"id": "g", "gsId": "g", "type": "delivered", "destination": "447700900143",
            "payload": inner}})
        .to_string()
    };
    let seconds = v2(json!(1_585_344_475_501_i64), json!({"ts": 1_585_344_475}));
    event(Source::Gupshup, &seconds, "2020-03-27T21:27:55Z");
    let millis = v2(json!(1_585_344_475_501_i64), json!({}));
    event(Source::Gupshup, &millis, "2020-03-27T21:27:55.501Z");
    let v3 = |status: &str, time: Value| {
        json!({"gs_id": "g", "id": "wamid.1", "recipient_id": "447700900143", "status": status,
            "timestamp": time})
        .to_string()
    };
    event(Source::Gupshup, &v3("delivered", json!("1710930461")), "2024-03-20T10:27:41Z");
    let enqueued = v3("enqueued", json!(1_710_930_461_123_i64));
    event(Source::Gupshup, &enqueued, "2024-03-20T10:27:41.123Z");
}

#[test]
fn the_times_of_rcs_and_smpp_are_read() {
    for time in [
        "2026-11-20T12:00:03Z",
        "2026-11-20T12:00:03.045Z",
        "2026-11-20T12:00:03.045123Z",
        "2026-11-20T12:00:03.045123456Z",
    ] {
        let delivered = json!({"senderPhoneNumber": "+12025550143", "eventType": "DELIVERED",
            "eventId": "e", "messageId": "m", "sendTime": time, "agentId": "a"});
        event(Source::GoogleRbm, &delivered.to_string(), time);
    }
    let receipt = |done: &str| format!("id:7 stat:DELIVRD done date:{done} err:000");
    event(Source::Smpp, &receipt("2611201200"), "2026-11-20 12:00:00 UTC");
    event(Source::Smpp, &receipt("261120120059"), "2026-11-20 12:00:59 UTC");
    event(Source::Smpp, &receipt("1795176005482"), "2026-11-20T12:00:05.482Z");
    let alibaba = json!([{"rcs_id": "1", "send_status": "SEND_SUCCESS", "err_code": "DELIVERED",
        "phone_number": "13800138000", "report_time": "2026-11-20 20:00:05"}]);
    event(Source::GsmaMaap, &alibaba.to_string(), "2026-11-20 12:00:05 UTC");
}

#[test]
fn the_times_of_whatsapp_amazon_and_azure_are_read() {
    let status = json!({"id": "wamid.1", "status": "sent", "timestamp": "1795176003",
        "recipient_id": "447700900143"});
    event(Source::Whatsapp, &status.to_string(), "2026-11-20T12:00:03Z");
    let eum = json!({"eventType": "TEXT_DELIVERED", "messageId": "m",
        "eventTimestamp": 1_795_176_001_482_i64});
    event(Source::AwsEum, &eum.to_string(), "2026-11-20T12:00:01.482Z");
    let pinpoint = json!({"event_type": "_SMS.SUCCESS", "event_timestamp": 1_795_176_001_482_i64,
        "attributes": {"message_id": "p", "record_status": "DELIVERED"}});
    event(Source::AwsPinpoint, &pinpoint.to_string(), "2026-11-20T12:00:01.482Z");
    let copy = json!({"event_type": "_SMS.SUCCESS", "event_timestamp": "2026-11-20T12:00:01.482Z",
        "attributes": {"message_id": "p", "record_status": "DELIVERED"}});
    event(Source::AwsPinpoint, &copy.to_string(), "2026-11-20T12:00:01.482Z");
    let sns = json!({"notification": {"messageId": "s", "timestamp": "2026-11-20 12:00:00.482"},
        "delivery": {"providerResponse": "Delivered"}, "status": "SUCCESS"});
    event(Source::AwsSns, &sns.to_string(), "2026-11-20T12:00:00.482Z");
    let azure = json!([{"id": "i", "eventType":
        "Microsoft.Communication.SMSDeliveryReportReceived", "data": {"messageId": "m",
        "to": "+12025550143", "deliveryStatus": "Delivered",
        "receivedTimestamp": "2026-11-20T12:00:20.2855749Z"}}]);
    event(Source::AzureAcs, &azure.to_string(), "2026-11-20T12:00:20.2855749Z");
}

#[test]
fn the_times_of_push_are_read() {
    let row = |time: Value| {
        json!({"event": "MESSAGE_DELIVERED", "message_id": "0:1", "project_number": 1,
            "event_timestamp": time})
        .to_string()
    };
    event(Source::Fcm, &row(json!("2026-11-20 12:00:05 UTC")), "2026-11-20T12:00:05Z");
    event(Source::Fcm, &row(json!("1.795176005482E9")), "2026-11-20T12:00:05.482Z");
    let gone = json!({"apns_id": "a", "status": 410, "reason": "Unregistered",
        "timestamp": 1_795_176_005_482_i64});
    event(Source::Apns, &gone.to_string(), "2026-11-20T12:00:05.482Z");
    let onesignal = json!({"event": {"kind": "message.push.received", "id": "e",
        "timestamp": 1_795_176_005, "subscription_id": "s"}, "message": {"id": "m"}});
    event(Source::Onesignal, &onesignal.to_string(), "2026-11-20T12:00:05Z");
    let braze = |field: &str, time: i64| {
        json!({"events": [{"event_type": "users.messages.sms.Delivery", "id": "e", field: time,
            "user": {"user_id": "u"}, "properties": {"dispatch_id": "d",
            "to_phone_number": "+12025550143"}}]})
        .to_string()
    };
    event(Source::Braze, &braze("time", 1_795_176_005), "2026-11-20T12:00:05Z");
    let fine = braze("time_ms", 1_795_176_005_482);
    event(Source::Braze, &fine, "2026-11-20T12:00:05.482Z");
    let own = json!({"specversion": "1.0", "id": "e", "source": "/a", "type": "x.msg.delivered",
        "time": "2026-11-20T12:03:11.482Z", "data": {"message_id": "m", "status": "delivered"}});
    event(Source::Cloudevents, &own.to_string(), "2026-11-20T12:03:11.482Z");
}

/// A normalizer in whose configuration accounts have zones.
fn zoned(rules: &[(Source, Option<&str>, &str)]) -> Normalizer {
    let rule = |(source, account, zone): &(Source, Option<&str>, &str)| AccountRule {
        source: Some(*source),
        account: account.map(str::to_owned),
        zone: Some(Zone::parse(zone).unwrap()),
        ..AccountRule::default()
    };
    let accounts = Accounts::new(rules.iter().map(rule).collect());
    let regional = Arc::new(Regional { accounts, ..Regional::default() });
    Normalizer::new(Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional })
}

fn read(normalizer: &mut Normalizer, source: Source, case: Case) -> (Value, Counters) {
    let normalized = normalizer.batch(&batch(&[case]), &[input(Some(source))]).unwrap();
    (lines(&normalized).remove(0), normalizer.take_counters())
}

#[test]
fn a_local_time_is_of_its_accounts_zone_and_its_event_stays_the_same() {
    let receipt = "id:7 stat:DELIVRD submit date:2607201159 done date:2607201200 err:000";
    let pdu = |system: &str| json!({"smpp": {"system_id": system, "short_message": receipt}});
    let case = |system: &str| Case::value(pdu(system).to_string());
    let rules = [(Source::Smpp, None, "Asia/Dubai"), (Source::Smpp, Some("de"), "Europe/Berlin")];
    let (german, _) = read(&mut zoned(&rules), Source::Smpp, case("de"));
    assert_eq!(german["event_time"], "2026-07-20T10:00:00.000000Z");
    assert_eq!(german["submit_time"], "2026-07-20T09:59:00.000000Z");
    assert_eq!(german["event_time_source"], "vendor_local");
    let (other, _) = read(&mut zoned(&rules), Source::Smpp, case("ae"));
    assert_eq!(other["event_time"], "2026-07-20T08:00:00.000000Z");
    let (utc, _) = read(&mut zoned(&[]), Source::Smpp, case("de"));
    assert_eq!(utc["event_time"], "2026-07-20T12:00:00.000000Z");
    assert_eq!(utc["event_id"], german["event_id"], "a configured zone makes no new event");
}

#[test]
fn a_header_names_the_account_of_payloads_that_do_not() {
    let callback = "MessageUUID=1&Status=delivered&DeliveryReportTime=2026-01-20+12%3A00%3A00";
    let case = Case::value(callback).header("account", "india");
    let rules = [(Source::Plivo, Some("india"), "Asia/Kolkata")];
    let (line, _) = read(&mut zoned(&rules), Source::Plivo, case);
    assert_eq!(line["event_time"], "2026-01-20T06:30:00.000000Z");
}

#[test]
fn a_zone_changes_no_time_that_tells_its_own() {
    let mut normalizer = zoned(&[
        (Source::Plivo, None, "Asia/Kolkata"),
        (Source::Smpp, None, "Asia/Kolkata"),
        (Source::GsmaMaap, None, "Asia/Tokyo"),
    ]);
    let record = json!({"message_uuid": "1", "message_state": "delivered",
        "message_direction": "outbound", "message_updated_time": "2026-01-20 12:00:00+01:00"});
    let (line, _) = read(&mut normalizer, Source::Plivo, Case::value(record.to_string()));
    assert_eq!(line["event_time"], "2026-01-20T11:00:00.000000Z");
    assert_eq!(line["event_time_source"], "vendor");
    let millis = Case::value("id:7 stat:DELIVRD done date:1795176005482");
    let (line, _) = read(&mut normalizer, Source::Smpp, millis);
    assert_eq!(line["event_time"], "2026-11-20T12:00:05.482000Z");
    // A configured zone stands before the one that a vendor documents.
    let alibaba = json!([{"rcs_id": "1", "send_status": "SEND_SUCCESS", "err_code": "DELIVERED",
        "report_time": "2026-11-20 21:00:05"}]);
    let (line, _) = read(&mut normalizer, Source::GsmaMaap, Case::value(alibaba.to_string()));
    assert_eq!(line["event_time"], "2026-11-20T12:00:05.000000Z");
}

#[test]
fn a_negative_latency_of_a_local_time_is_counted() {
    // Plivo's record was submitted at a time with its zone, and updated at one without.
    let record = |updated: &str| {
        let record = json!({"message_uuid": "1", "message_state": "delivered",
            "message_direction": "outbound", "message_time": "2026-01-20 12:00:00+00:00",
            "message_updated_time": updated});
        Case::value(record.to_string())
    };
    let count = |case| read(&mut zoned(&[]), Source::Plivo, case).1.negative_local_latencies;
    assert_eq!(count(record("2026-01-20 11:59:59")), 1);
    assert_eq!(count(record("2026-01-20 12:00:00")), 0);
    assert_eq!(count(record("2026-01-20 11:59:59+00:00")), 0, "its own zone: no zone is wrong");
    let (line, _) = read(&mut zoned(&[]), Source::Plivo, record("2026-01-20 11:59:59"));
    assert_eq!(line["event_time"], "2026-01-20T11:59:59.000000Z", "shown as it is");
    let mut zoned = zoned(&[(Source::Plivo, None, "America/New_York")]);
    let (line, counters) = read(&mut zoned, Source::Plivo, record("2026-01-20 07:00:02"));
    assert_eq!(line["event_time"], "2026-01-20T12:00:02.000000Z");
    assert_eq!(counters.negative_local_latencies, 0, "the right zone");
}

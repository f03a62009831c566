//! Traps of Sinch, Vonage, Telnyx and Plivo, each by its name. And for each of their lists: a
//! broken value costs its own element at most.

use model::vocabulary::Source;
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, charges, input, lines, normalizer, run};

fn read(source: Source, text: &str) -> Vec<Value> {
    lines(&run(Some(source), &[Case::value(text)]))
}

/// Puts each odd value into each key of the middle of three elements.
fn spares_neighbours(source: Source, element: &str, [before, after]: [&str; 2], ids: &str) {
    const VALUES: &[&str] =
        &["null", "true", "[]", "{}", "[[{}]]", "\"\"", "-1", "1e999", "\"\\ud800\""];
    let keys = serde_json::from_str::<Value>(element).unwrap();
    let with_id = |id: &str| element.replace("ID", id);
    let whole = [with_id("a"), with_id("b"), with_id("c")].join(",");
    let expected = read(source, &[before, &whole, after].concat());
    assert_eq!(expected.len(), 3, "{source}");
    for key in keys.as_object().unwrap().keys() {
        for value in VALUES {
            let body = with_id("b");
            let broken = format!("{},\"{key}\":{value}}}", body.strip_suffix('}').unwrap());
            let list = [with_id("a"), broken, with_id("c")].join(",");
            let normalized = run(Some(source), &[Case::value([before, &list, after].concat())]);
            let found = lines(&normalized);
            for (id, at) in [("a", 0), ("c", 2)] {
                let line = found.iter().find(|line| line[ids].as_str() == Some(id));
                let mut line =
                    line.unwrap_or_else(|| panic!("{source} {key} {value}: {id} is lost")).clone();
                line["payload_sha256"] = expected[at]["payload_sha256"].clone();
                assert_eq!(line, expected[at], "{source} {key} {value}");
            }
        }
    }
}

#[test]
fn sinch_a_broken_value_spares_the_neighbours() {
    let sms = r#"{"type":"recipient_delivery_report_sms","batch_id":"ID","recipient":"447700900143",
        "code":0,"status":"Delivered","at":"2026-11-20T12:00:02Z","operator":"23410",
        "operator_status_at":"2026-11-20T12:00:02Z","applied_originator":"x","client_reference":"r",
        "number_of_message_parts":1,"message_id":"m","message_delivery_report":null,"event":null,
        "message":null,"opt_in_notification":null,"app_id":"a"}"#;
    spares_neighbours(Source::Sinch, sms, [r#"{"delivery_reports":["#, "]}"], "message_id");
    let callback = r#"{"app_id":"a","project_id":"p","accepted_time":"2026-11-20T12:00:02Z",
        "event_time":"2026-11-20T12:00:02Z","correlation_id":"c","message_metadata":"ID",
        "message_delivery_report":{"message_id":"ID","status":"READ","channel_identity":{
        "channel":"WHATSAPP","identity":"447700900143"}}}"#;
    spares_neighbours(Source::Sinch, callback, ["[", "]"], "message_id");
}

#[test]
fn sinch_a_batch_has_a_message_for_each_recipient_with_or_without_plus() {
    let report = r#"{"type":"delivery_report_sms","batch_id":"b","statuses":[
        {"code":0,"status":"Delivered","count":2,"recipients":["447700900143","447700900144"]}]}"#;
    let spaced = report.replace(':', " : ").replace("\"447700900143\"", "\"+447700900143\"");
    let (first, again) = (read(Source::Sinch, report), read(Source::Sinch, &spaced));
    assert_ne!(first[0]["message_key"], first[1]["message_key"]);
    assert_ne!(first[0]["event_id"], first[1]["event_id"]);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first["event_id"], again["event_id"], "spelled anew, the same report");
        assert_eq!(first["message_key"], again["message_key"]);
    }
    let changed = read(Source::Sinch, &report.replace("\"code\":0", "\"code\":1"));
    assert_ne!(first[0]["event_id"], changed[0]["event_id"], "other statuses, another report");
    let single = r#"{"type":"recipient_delivery_report_sms","batch_id":"b","code":0,
        "recipient":"+447700900143","status":"Delivered","at":"2026-11-20T12:00:02Z"}"#;
    let single = read(Source::Sinch, single).remove(0);
    assert_eq!(single["message_key"], first[0]["message_key"], "both reports, one message");
    assert_ne!(single["event_id"], first[0]["event_id"]);
}

#[test]
fn sinch_conversation_is_one_message_over_its_channels() {
    let report = |channel: &str, status: &str| {
        let report = json!({"event_time": "2026-11-20T12:00:02Z", "message_delivery_report": {
            "message_id": "m", "status": status,
            "channel_identity": {"channel": channel, "identity": "447700900143"}}});
        read(Source::Sinch, &report.to_string()).remove(0)
    };
    let (first, second) = (report("RCS", "SWITCHING_CHANNEL"), report("SMS", "DELIVERED"));
    assert_eq!(first["message_key"], second["message_key"]);
    assert_eq!((&first["status"], &first["is_final"]), (&json!("failed"), &json!(false)));
    let other = report("SMS", "SWITCHING_CHANNEL");
    assert_ne!(first["event_id"], other["event_id"], "the event is the channel's");
}

#[test]
fn sinch_shows_no_prefix_of_a_user_id() {
    let report = r#"{"message_id":"m","status":"READ","channel_identity":{"channel":"INSTAGRAM",
        "identity":"447700900143"}}"#;
    let line = read(Source::Sinch, report).remove(0);
    assert_eq!(line["recipient_prefix"], json!(null));
    assert_eq!(line["receipt_class"], "app");
}

#[test]
fn vonage_a_broken_value_spares_the_neighbours() {
    let receipt = r#"{"messageId":"ID","msisdn":"447700900143","to":"x","network-code":"23410",
        "price":"0.03","status":"delivered","scts":"2611201300","err-code":"0","api-key":"k",
        "message-timestamp":"2026-11-20 12:00:02","client-ref":"r","direction":null,
        "text":null,"message_uuid":null,"channel":null}"#;
    spares_neighbours(Source::Vonage, receipt, ["[", "]"], "message_id");
    let status = r#"{"message_uuid":"ID","to":"447700900143","from":"x","status":"delivered",
        "timestamp":"2026-11-20T12:00:02Z","channel":"sms","client_ref":"r","error":null,
        "usage":{"price":"0.03","currency":"EUR"},"destination":{"network_code":"23410"},
        "sms":{"count_total":"2"},"whatsapp":null,"request_status":null,"messages":null}"#;
    spares_neighbours(Source::Vonage, status, ["[", "]"], "message_id");
    let row = r#"{"message_id":"ID","account_id":"a","client_ref":"r","direction":"outbound",
        "from":"x","to":"447700900143","country":"GB","provider":"sms","network":"23410",
        "network_name":"n","date_received":"2026-11-20T12:00:00+0000",
        "date_finalized":"2026-11-20T12:00:02+0000","status":"delivered","error_code":"0",
        "currency":"EUR","estimated_price":"0.03","total_price":"0.03"}"#;
    spares_neighbours(Source::Vonage, row, [r#"{"records":["#, "]}"], "message_id");
}

#[test]
fn vonage_a_receipts_time_is_utc_in_every_spelling_and_the_local_stamp_only_stands_in() {
    let receipt = |time: &str| {
        let text = format!("messageId=m&status=delivered&scts=2611201300&{time}");
        let line = read(Source::Vonage, &text).remove(0);
        (line["event_time"].clone(), line["event_time_source"].clone(), line["event_id"].clone())
    };
    let (noon, vendor, id) = receipt("message-timestamp=2026-11-20+12%3A00%3A00");
    assert_eq!((&noon, &vendor), (&json!("2026-11-20T12:00:00.000000Z"), &json!("vendor")));
    for spelling in ["2026-11-20T12:00:00.000%2B00:00", "2026-11-20T12:00:00.000+00:00"] {
        let again = receipt(&format!("message-timestamp={spelling}"));
        assert_eq!(again, (noon.clone(), vendor.clone(), id.clone()), "{spelling}");
    }
    assert_eq!(receipt("timestamp=1795176000").0, noon);
    let (local, source, same) = receipt("");
    assert_eq!((local, source), (json!("2026-11-20T13:00:00.000000Z"), json!("vendor_local")));
    assert_eq!(same, id, "when it was pushed does not enter its id");
}

#[test]
fn vonage_each_part_is_a_message_with_its_own_price() {
    let part = |id: &str| {
        let text = format!("messageId={id}&status=delivered&msisdn=447700900143&price=0.03330000");
        read(Source::Vonage, &text).remove(0)
    };
    let (first, second) = (part("0A1"), part("0A2"));
    assert_ne!(first["message_key"], second["message_key"]);
    assert_eq!((&first["price"], &first["price_unit"]), (&json!("0.033300000"), &json!("segment")));
    assert_eq!(first["currency"], json!(null), "no field tells the account's currency");
}

#[test]
fn vonage_rows_are_the_messages_that_callbacks_told_of() {
    let status = r#"{"message_uuid":"m","status":"delivered","channel":"sms"}"#;
    let csv = "\"message_id\",status,provider,total_price\nm,delivered,sms,0.03";
    let (status, row) =
        (read(Source::Vonage, status).remove(0), read(Source::Vonage, csv).remove(0));
    assert_eq!(status["message_key"], row["message_key"]);
    let dearer = read(Source::Vonage, &csv.replace("0.03", "0.04")).remove(0);
    assert_ne!(row["event_id"], dearer["event_id"], "a new price is a new fact");
}

#[test]
fn a_damaged_archive_is_one_dead_letter() {
    let normalized = run(Some(Source::Vonage), &[Case::value(b"PK\x03\x04\xff\xfe".to_vec())]);
    assert_eq!(normalized.dead.len(), 1);
    assert_eq!(normalized.dead[0].reason.as_str(), "bad_encoding");
}

#[test]
fn telnyx_a_broken_value_spares_the_neighbours() {
    let record = r#"{"id":"ID","record_type":"message","direction":"outbound","type":"SMS",
        "to":[{"phone_number":"+447700900143","status":"delivered","carrier":"c"}],
        "from":{"phone_number":"x"},"organization_id":"o","tcr_campaign_id":"c","parts":1,
        "cost":{"amount":"0.01","currency":"USD"},"errors":[],"data":null,"payload":null,
        "event_type":null,"occurred_at":null,"received_at":"2026-11-20T12:00:00Z",
        "created_at":null,"updated_at":null,"completed_at":"2026-11-20T12:00:02Z"}"#;
    spares_neighbours(Source::Telnyx, record, [r#"{"data":["#, "]}"], "message_id");
    let row = r#"{"uuid":"ID","record_type":"message_detail_record","direction":"outbound",
        "message_type":"SMS","cld":"+447700900143","cli":"x","status":"delivered",
        "delivery_status":"d","parts":2,"rate":"0.0025","cost":"0.0050","carrier_fee":"0.0061",
        "currency":"USD","carrier":"c","mcc":"234","mnc":"10","country_code":"GB","errors":[],
        "created_at":"2026-11-20T12:00:00Z","completed_at":"2026-11-20T12:00:02Z","product":null}"#;
    spares_neighbours(Source::Telnyx, row, [r#"{"data":["#, "]}"], "message_id");
    let target = r#"{"phone_number":"ID","status":"delivered","carrier":"ID","line_type":"",
        "updated_at":"2026-11-20T12:00:02Z"}"#;
    let list = [r#"{"data":{"id":"m","record_type":"message","type":"MMS","to":["#, "]}}"];
    spares_neighbours(Source::Telnyx, target, list, "carrier");
}

fn telnyx_webhook(to: &Value) -> Value {
    json!({"data": {"event_type": "message.finalized", "id": "e", "record_type": "event",
        "occurred_at": "2026-11-20T12:00:02.148+00:00", "payload": {"id": "m", "type": "SMS",
        "direction": "outbound", "to": to, "cost": {"amount": "0.0051", "currency": "USD"},
        "received_at": "2026-11-20T12:00:00+00:00"}}, "meta": {"attempt": 1}})
}

#[test]
fn telnyx_recipients_of_one_message_are_messages_of_their_own_and_the_cost_stands_once() {
    let first = json!({"phone_number": "+447700900143", "status": "delivered"});
    let second = json!({"phone_number": "+447700900144", "status": "delivery_failed"});
    let both = telnyx_webhook(&json!([first, second])).to_string();
    let both = read(Source::Telnyx, &both);
    assert_ne!(both[0]["message_key"], both[1]["message_key"]);
    assert_ne!(both[0]["event_id"], both[1]["event_id"]);
    assert_eq!((&both[0]["price"], &both[1]["price"]), (&json!("0.005100000"), &json!(null)));
    let alone = read(Source::Telnyx, &telnyx_webhook(&json!([first])).to_string()).remove(0);
    let row = r#"{"data":[{"uuid":"m","cld":"447700900143","status":"delivered"}]}"#;
    let row = read(Source::Telnyx, row).remove(0);
    assert_eq!(alone["message_key"], row["message_key"], "a detail record is of that message");
}

#[test]
fn telnyx_a_second_endpoint_gets_the_same_event() {
    let webhook = telnyx_webhook(&json!([{"phone_number": "+447700900143", "status": "sent"}]));
    let mut again = webhook.clone();
    again["meta"] = json!({"attempt": 3, "delivered_to": "https://example.org"});
    let [first, second] =
        [webhook, again].map(|text| read(Source::Telnyx, &text.to_string()).remove(0));
    assert_eq!(first["event_id"], second["event_id"]);
}

#[test]
fn twilio_rcs_that_falls_back_to_sms_is_sent_twice() {
    let callback = |from: &str, status: &str| {
        let text = format!("MessageSid=SM1&MessageStatus={status}&To=%2B447700900143&From={from}");
        read(Source::Twilio, &text).remove(0)
    };
    let (rcs, sms) = (callback("rcs%3Aagent", "sent"), callback("%2B15550100", "sent"));
    assert_eq!([&rcs["channel"], &sms["channel"]], ["rcs", "sms"]);
    assert_ne!(rcs["event_id"], sms["event_id"], "both were sent");
    assert_eq!(rcs["message_key"], sms["message_key"], "and are one message");
    assert_eq!(rcs["event_id"], callback("rcs%3Aagent", "sent")["event_id"], "a redelivery");
    assert_ne!(rcs["event_id"], callback("rcs%3Aagent", "read")["event_id"]);
}

#[test]
fn telnyx_a_detail_records_cost_gets_the_carriers_fee_once() {
    let price = |cost: &str| {
        let row = json!({"uuid": "m", "cld": "+447700900143", "status": "delivered", "parts": 2,
            "rate": "0.0025", "carrier_fee": "0.0061", "cost": cost});
        read(Source::Telnyx, &row.to_string()).remove(0)["price"].clone()
    };
    assert_eq!(price("0.0050"), "0.011100000", "rate × parts: the fee comes on top");
    assert_eq!(price("0.0111"), "0.011100000", "the fee is in it");
}

#[test]
fn telnyx_a_detail_record_in_a_table_is_the_event_that_it_is_as_json() {
    let row = json!({"uuid": "m", "cli": "Example", "cld": "+447700900143", "parts": 2,
        "status": "delivered", "rate": "0.0025", "cost": "0.0050", "carrier_fee": "0.0061",
        "currency": "GBP", "created_at": "2026-11-20T12:00:00Z", "carrier": null,
        "completed_at": "2026-11-20T12:00:02Z", "tags": "a,b", "direction": "outbound"});
    let table = "uuid,cli,cld,parts,status,rate,cost,carrier_fee,currency,created_at,carrier,\
                 completed_at,tags,direction\n\
                 m,Example,+447700900143,2,delivered,0.0025,0.0050,0.0061,GBP,\
                 2026-11-20T12:00:00Z,,2026-11-20T12:00:02Z,\"a,b\",outbound\n";
    let told = |text: &str| {
        let normalized = run(Some(Source::Telnyx), &[Case::value(text)]);
        [lines(&normalized), charges(&normalized)].map(|mut rows| {
            rows.iter_mut().for_each(|row| row["payload_sha256"] = json!(null));
            rows
        })
    };
    let (as_json, as_table) = (told(&row.to_string()), told(table));
    assert_eq!(as_json[0].len() + as_json[1].len(), 2, "the message and its fee");
    assert_eq!(as_json, as_table);
}

#[test]
fn plivo_a_broken_value_spares_the_neighbours() {
    let record = r#"{"message_uuid":"ID","message_state":"delivered","message_type":"sms",
        "message_direction":"outbound","from_number":"1","to_number":"447700900143","units":1,
        "total_rate":"0.0025","total_amount":"0.0025","error_code":"000","resource_uri":"/a/",
        "message_time":"2026-11-20 12:00:00+00:00","message_sent_time":null,
        "message_updated_time":"2026-11-20 12:00:02+00:00","conversation_origin":null,
        "message":null,"Text":null}"#;
    spares_neighbours(Source::Plivo, record, [r#"{"objects":["#, "]}"], "message_id");
}

#[test]
fn plivo_the_sequence_tells_two_callbacks_of_one_status() {
    let callback = |sequence: &str| {
        let text = format!("MessageUUID=m&Status=sent&Sequence={sequence}&SentTime=");
        read(Source::Plivo, &text).remove(0)
    };
    let (first, second) = (callback("2"), callback("3"));
    assert_ne!(first["event_id"], second["event_id"]);
    assert_eq!(first["message_key"], second["message_key"]);
    assert_eq!(first["event_id"], callback("2")["event_id"]);
}

#[test]
fn plivo_the_status_tells_which_time_is_the_events_and_an_earlier_stages_is_none() {
    let time = |rest: &str| {
        let text = format!("MessageUUID=m&MessageTime=2026-11-20+12:00:00.000001&{rest}");
        let line = read(Source::Plivo, &text).remove(0);
        assert_eq!(line["submit_time"], "2026-11-20T12:00:00.000001Z", "{rest}");
        (line["event_time"].clone(), line["event_time_source"].clone())
    };
    let sent = "&SentTime=2026-11-20+12:00:01.200000";
    let local = json!("vendor_local");
    assert_eq!(time(&format!("Status=sent{sent}")).0, "2026-11-20T12:00:01.200000Z");
    assert_eq!(time(&format!("Status=sent{sent}")).1, local);
    assert_eq!(time(&format!("Status=delivered{sent}")), (json!(null), json!(null)));
    let zoned = "Status=delivered&DeliveryReportTime=2026-11-20+17:30:02.94772%2B05:30";
    assert_eq!(time(zoned), (json!("2026-11-20T12:00:02.947720Z"), json!("vendor")));
}

#[test]
fn an_end_without_its_time_has_no_time_of_an_earlier_stage() {
    for (source, text) in [
        (
            Source::Telnyx,
            r#"{"uuid":"m","cld":"1","status":"delivered",
            "created_at":"2026-11-20T12:00:00Z","sent_at":"2026-11-20T12:00:01Z"}"#,
        ),
        (
            Source::Telnyx,
            r#"{"id":"m","to":[{"status":"delivered"}],
            "received_at":"2026-11-20T12:00:00Z","sent_at":"2026-11-20T12:00:01Z"}"#,
        ),
        (
            Source::Vonage,
            r#"{"message_id":"m","status":"delivered",
            "date_received":"2026-11-20T12:00:00+0000"}"#,
        ),
        (
            Source::Plivo,
            r#"{"message_uuid":"m","message_state":"delivered",
            "message_time":"2026-11-20 12:00:00+00:00",
            "message_sent_time":"2026-11-20 12:00:01+00:00"}"#,
        ),
    ] {
        let line = read(source, text).remove(0);
        assert_eq!(line["event_time"], json!(null), "{source}");
        assert_eq!(line["submit_time"], "2026-11-20T12:00:00.000000Z", "{source}");
    }
}

fn unreadable(source: Source, text: &str) -> u64 {
    let mut normalizer = normalizer();
    normalizer.batch(&batch(&[Case::value(text)]), &[input(Some(source))]).unwrap();
    normalizer.counters().unreadable_fields
}

#[test]
fn unreadable_fields_are_counted() {
    let sinch = r#"{"batch_id":"b","recipient":"447700900143","status":"Queued","code":{},
        "at":"soon","operator":[],"number_of_message_parts":"many","applied_originator":true}"#;
    assert_eq!(unreadable(Source::Sinch, sinch), 5);
    let vonage = r#"{"messageId":"m","status":"delivered","message-timestamp":"noon","scts":"noon",
        "network-code":"x","price":"free","err-code":{},"client-ref":[]}"#;
    assert_eq!(unreadable(Source::Vonage, vonage), 6);
    let zeros = r#"{"messageId":"m","status":"delivered","network-code":"00000"}"#;
    assert_eq!(unreadable(Source::Vonage, zeros), 0, "an unknown network is no damage");
    let status = r#"{"message_uuid":"m","status":"read","error":7,"usage":[],"sms":null,
        "channel":"whatsapp","whatsapp":{"pricing":{"category":[]}}}"#;
    assert_eq!(unreadable(Source::Vonage, status), 3);
    let telnyx = r#"{"data":{"id":"m","type":[],"to":[{"status":"sent","carrier":{}}],"errors":7,
        "cost":true,"parts":"many","received_at":"noon"}}"#;
    assert_eq!(unreadable(Source::Telnyx, telnyx), 6);
    let plivo = "MessageUUID=m&Status=delivered&DeliveryReportTime=soon&Units=many&To=%ff\
        &TotalAmount=free&TotalRate=0.1";
    assert_eq!(unreadable(Source::Plivo, plivo), 4);
}

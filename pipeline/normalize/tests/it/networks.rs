//! Traps of SMPP, Amazon's SMS services and GSMA MaaP, one test a trap.

#![expect(clippy::needless_pass_by_value, reason = "`json!` in an argument's place reads best")]

use model::vocabulary::Source;
use serde_json::{Value, json};

use crate::fixtures::{Case, batch, input, lines, normalizer, run};

fn all(source: Source, payload: impl ToString) -> Vec<Value> {
    lines(&run(Some(source), &[Case::value(payload.to_string())]))
}

fn one(source: Source, payload: impl ToString) -> Value {
    let mut lines = all(source, payload);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

fn counters(source: Source, payload: impl ToString) -> normalize::Counters {
    let mut normalizer = normalizer();
    let raw = batch(&[Case::value(payload.to_string())]);
    normalizer.batch(&raw, &[input(Some(source))]).unwrap();
    normalizer.counters().clone()
}

fn eum(changes: Value) -> Value {
    let mut event = json!({
        "eventType": "TEXT_DELIVERED", "eventTimestamp": 1_795_176_001_482_i64,
        "messageId": "m-1", "messageStatus": "DELIVERED", "isFinal": true,
        "destinationPhoneNumber": "+12025550143", "totalMessagePrice": 0.007,
        "totalCarrierFee": 0.00494,
    });
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

#[test]
fn an_smpp_id_in_hexadecimal_and_in_decimal_is_one_message() {
    let receipt = |id| format!("id:{id} sub:001 stat:DELIVRD err:000 done date:2611201200");
    let first = one(Source::Smpp, receipt("0A1B2C"));
    for id in ["662316", "0000662316", "a1b2c"] {
        let other = one(Source::Smpp, receipt(id));
        assert_eq!(first["message_key"], other["message_key"], "{id}");
        assert_eq!(first["event_id"], other["event_id"], "{id}");
        assert_eq!(other["message_id"], id, "as the vendor spells it");
    }
    let other = one(Source::Smpp, receipt("662317"));
    assert_ne!(first["message_key"], other["message_key"]);
}

#[test]
fn equal_smpp_ids_of_two_centres_are_two_messages() {
    let pdu = |system: &str| {
        one(
            Source::Smpp,
            json!({"smpp": {"system_id": system, "short_message": "id:7 stat:DELIVRD"}}),
        )
    };
    assert_ne!(pdu("one")["message_key"], pdu("two")["message_key"]);
    assert_eq!(pdu("one")["account"], "one");
}

#[test]
fn an_smpp_receipt_speaks_of_its_source_address() {
    let pdu = json!({"smpp": {"source_addr": "447700900143", "destination_addr": "12345",
        "short_message": "id:7 stat:DELIVRD"}});
    let line = one(Source::Smpp, pdu);
    assert_eq!(
        (&line["recipient_prefix"], &line["sender"]),
        (&json!("+44770090"), &json!("12345"))
    );
}

#[test]
fn an_inbound_text_that_looks_like_a_receipt_is_none() {
    let pdu = json!({"smpp": {"esm_class": 0, "source_addr": "447700900143",
        "short_message": "id:7 stat:DELIVRD err:000"}});
    assert_eq!(all(Source::Smpp, &pdu), Vec::<Value>::new());
    let ignored = counters(Source::Smpp, &pdu).ignored;
    assert_eq!(ignored.get(&(Some(Source::Smpp), "inbound")), Some(&1));
}

#[test]
fn an_smpp_receipt_that_contradicts_its_state_is_counted() {
    let text = "id:7 stat:DELIVRD";
    let pdu = |state: u8| json!({"smpp": {"short_message": text, "tlv": {"0x0427": state}}});
    assert_eq!(counters(Source::Smpp, pdu(2)).contradictions, 0);
    assert_eq!(counters(Source::Smpp, pdu(5)).contradictions, 1);
    assert_eq!(one(Source::Smpp, pdu(5))["status"], "delivered", "the word decides");
    let unknown = counters(Source::Smpp, "id:7 stat:NEWWORD");
    assert_eq!(unknown.unknown_statuses.get(&Source::Smpp), Some(&1));
}

#[test]
fn an_amazon_event_is_the_same_in_every_envelope() {
    let event = eum(json!({}));
    let text = event.to_string();
    let sns = json!({"Type": "Notification", "Message": text, "TopicArn": "arn:aws:sns:x:12:t"});
    let envelopes = [
        sns.clone(),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": sns}]}),
        json!({"Records": [{"messageId": "q", "body": sns.to_string()}]}),
        json!({"detail-type": "x", "account": "12", "detail": event}),
        json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "9", "message": text}]}),
        json!([event]),
    ];
    let bare = one(Source::AwsEum, &event);
    for envelope in envelopes {
        let line = one(Source::AwsEum, &envelope);
        for column in ["event_id", "message_key", "status", "price"] {
            assert_eq!(line[column], bare[column], "{column} in {envelope}");
        }
    }
}

#[test]
fn is_final_marks_the_last_event_of_an_amazon_message() {
    let is_final = |changes| one(Source::AwsEum, eum(changes))["is_final"].clone();
    let successful = |told: Value| json!({"eventType": "TEXT_SUCCESSFUL", "isFinal": told});
    assert_eq!(is_final(successful(json!(true))), json!(true));
    assert_eq!(is_final(successful(json!(false))), json!(false));
    assert_eq!(is_final(successful(Value::Null)), json!(false));
    let failed = |told: Value| json!({"eventType": "TEXT_UNREACHABLE", "isFinal": told});
    assert_eq!(is_final(failed(json!(false))), json!(false), "it is tried again");
    assert_eq!(is_final(failed(Value::Null)), json!(true));
    assert_eq!(is_final(json!({"isFinal": false})), json!(true), "delivered is delivered");
    assert_eq!(is_final(json!({"eventType": "TEXT_NEW"})), json!(false), "never seen before");
}

#[test]
fn an_amazon_event_that_only_becomes_final_is_another_fact() {
    let event = |is_final: bool| {
        one(Source::AwsEum, eum(json!({"eventType": "TEXT_SUCCESSFUL", "isFinal": is_final})))
    };
    assert_ne!(event(false)["event_id"], event(true)["event_id"]);
    let later = one(Source::AwsEum, eum(json!({"eventTimestamp": 1_795_176_009_000_i64})));
    let first = one(Source::AwsEum, eum(json!({})));
    assert_eq!(first["event_id"], later["event_id"], "one event a message and type");
}

#[test]
fn an_amazon_price_holds_the_carriers_fee_and_no_conversations() {
    let price = |changes| one(Source::AwsEum, eum(changes))["price"].clone();
    assert_eq!(price(json!({})), "0.011940000");
    let conversation = |began: &str| {
        json!({"totalMessagePrice": 0, "conversationSessionFee": 0.03,
            "conversationInitiatingMessageId": began})
    };
    assert_eq!(price(conversation("m-1")), "0.004940000", "that is a charge of its own");
    assert_eq!(price(conversation("m-0")), "0.004940000");
    assert_eq!(price(json!({"totalCarrierFee": "x"})), Value::Null, "half a price is none");
}

#[test]
fn a_pinpoint_price_is_in_thousandths_of_a_cent() {
    let event = json!({"event_type": "_SMS.SUCCESS", "attributes": {"message_id": "p"},
        "metrics": {"price_in_millicents_usd": 645.0}});
    let line = one(Source::AwsPinpoint, event);
    assert_eq!((&line["price"], &line["currency"]), (&json!("0.006450000"), &json!("USD")));
}

#[test]
fn an_sns_success_is_a_delivery_only_by_its_response() {
    let log = |response: &str, mnc: u16| {
        let log = json!({"notification": {"messageId": "s", "timestamp": "2026-11-20 12:00:00.482"},
            "delivery": {"providerResponse": response, "mcc": mnc, "mnc": mnc},
            "status": "SUCCESS"});
        one(Source::AwsSns, log)
    };
    let delivered = log("Message has been accepted by phone", 0);
    assert_eq!(delivered["status"], "delivered");
    assert_eq!(delivered["event_time"], "2026-11-20T12:00:00.482000Z");
    assert_eq!(delivered["event_time_source"], "vendor", "documented as UTC");
    assert_eq!((&delivered["mcc"], &delivered["mnc"]), (&Value::Null, &Value::Null), "0: unknown");
    assert_eq!(log("Message has been accepted by phone carrier", 310)["status"], "sent");
}

#[test]
fn an_sns_log_is_dated_by_its_publication_and_how_long_it_dwelt() {
    let log = |response: &str, ack: Value| {
        let log = json!({"notification": {"messageId": "s", "timestamp": "2026-11-20 12:00:00.482"},
            "delivery": {"providerResponse": response, "dwellTimeMs": 100,
            "dwellTimeMsUntilDeviceAck": ack}, "status": "SUCCESS"});
        let line = one(Source::AwsSns, log);
        assert_eq!(line["submit_time"], "2026-11-20T12:00:00.482000Z");
        line["event_time"].as_str().unwrap().to_owned()
    };
    let phone = "Message has been accepted by phone";
    assert_eq!(log(phone, json!(4000)), "2026-11-20T12:00:04.482000Z");
    assert_eq!(log(phone, Value::Null), "2026-11-20T12:00:00.582000Z");
    let carrier = "Message has been accepted by phone carrier";
    assert_eq!(log(carrier, json!(4000)), "2026-11-20T12:00:00.582000Z", "no phone yet");
    assert_eq!(log(phone, json!(-1)), "2026-11-20T12:00:00.582000Z");
}

#[test]
fn an_sns_logs_network_gets_its_zeros_back_and_names_the_carrier() {
    let log = |mcc: u16, mnc: u16, carrier: Value| {
        let delivery = json!({"mcc": mcc, "mnc": mnc, "phoneCarrier": carrier,
            "destination": "+12025550143", "providerResponse": "Delivered"});
        let log = json!({"notification": {"messageId": "s", "timestamp": "2026-11-20 12:00:00"},
            "delivery": delivery, "status": "SUCCESS"});
        let line = one(Source::AwsSns, log);
        [line["mcc"].clone(), line["mnc"].clone(), line["carrier"].clone()]
    };
    assert_eq!(log(310, 4, Value::Null), [json!("310"), json!("004"), json!("Verizon")]);
    assert_eq!(log(310, 4, json!("AT&T")), [json!("310"), json!("004"), json!("AT&T")]);
    assert_eq!(log(310, 999, Value::Null), [json!("310"), json!("999"), json!("310-999")]);
    assert_eq!(log(0, 0, json!(" ")), [Value::Null, Value::Null, Value::Null]);
}

#[test]
fn an_amazon_batch_is_unpacked_and_a_bomb_is_a_dead_letter() {
    let log = |id: usize| {
        let log = json!({"notification": {"messageId": format!("s-{id}"),
            "timestamp": "2026-11-20 12:00:00"}, "delivery": {"destination": "+12025550143",
            "providerResponse": "Delivered"}, "status": "SUCCESS"});
        json!({"id": format!("0123456789{id}"), "message": log.to_string()})
    };
    let events: Vec<Value> = (0..20).map(log).collect();
    let batch_text = json!({"messageType": "DATA_MESSAGE", "owner": "123456789012",
        "logGroup": "sns/us-east-1/1/DirectPublishToPhoneNumber", "logEvents": events});
    let packed = packed(batch_text.to_string().as_bytes());
    let found = all(Source::AwsSns, json!({"awslogs": {"data": packed}}));
    assert_eq!(found.len(), 20);
    assert_eq!(found[19]["message_id"], "s-19");
    assert_eq!(found[0]["account"], "123456789012");
    // As Firehose hands it on, and as Kinesis.
    let firehose = json!({"records": [{"recordId": "1", "data": packed}]});
    assert_eq!(all(Source::AwsSns, firehose).len(), 20);
    let kinesis = json!({"Records": [{"kinesis": {"data": packed}}]});
    assert_eq!(all(Source::AwsSns, kinesis).len(), 20);
    let reason = |data: String| {
        let payload = json!({"awslogs": {"data": data}}).to_string();
        let mut normalizer = normalizer();
        let raw = batch(&[Case::value(payload)]);
        let mut normalized = normalizer.batch(&raw, &[input(Some(Source::AwsSns))]).unwrap();
        assert_eq!(normalized.dead.len(), 1);
        let dead = normalized.dead.remove(0);
        (dead.reason.as_str(), dead.detail)
    };
    let bomb = self::packed(&vec![b' '; 1 << 20]);
    assert_eq!(reason(bomb).0, "too_large");
    let torn = packed.get(..packed.len() - 40).unwrap().to_owned();
    assert_eq!(reason(torn), ("bad_encoding", "/awslogs/data: gzip".to_owned()));
}

/// Gzip in base64.
fn packed(text: &[u8]) -> String {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).unwrap();
    base64::engine::general_purpose::STANDARD.encode(gzip.finish().unwrap())
}

#[test]
fn vonages_and_sinchs_operator_codes_name_the_network() {
    let receipt = "messageId=0B&msisdn=447700900143&status=delivered&network-code=23415";
    let line = one(Source::Vonage, receipt);
    assert_eq!((&line["mcc"], &line["mnc"]), (&json!("234"), &json!("15")));
    assert_eq!(line["carrier"], "Vodafone UK");
    let report = json!({"type": "recipient_delivery_report_sms", "batch_id": "b",
        "recipient": "14415550143", "status": "Delivered", "operator": "35000"});
    let line = one(Source::Sinch, &report);
    let told = [&line["mcc"], &line["mnc"], &line["carrier"], &line["country"]];
    assert_eq!(told, [&json!("350"), &json!("00"), &json!("One"), &json!("BM")]);
    let mut named = report;
    named["operator"] = json!("Vodafone");
    named["recipient"] = json!("447700900143");
    let line = one(Source::Sinch, named);
    assert_eq!((&line["mcc"], &line["carrier"]), (&Value::Null, &json!("Vodafone UK")));
}

#[test]
fn a_network_for_internal_use_has_codes_and_no_carrier() {
    let receipt = |code: &str| {
        let receipt =
            format!("messageId=0B&msisdn=447700900143&status=delivered&network-code={code}");
        let line = one(Source::Vonage, receipt);
        ["mcc", "mnc", "carrier", "country"].map(|column| line[column].clone())
    };
    let codes = |mnc: &str| [json!("999"), json!(mnc), Value::Null, json!("GB")];
    assert_eq!(receipt("99999"), codes("99"));
    assert_eq!(receipt("999999"), codes("999"));
}

#[test]
fn a_network_of_several_brands_has_its_carriers_one_name() {
    let receipt = |code: &str| {
        let receipt =
            format!("messageId=0B&msisdn=14165550143&status=delivered&network-code={code}");
        one(Source::Vonage, receipt)["carrier"].clone()
    };
    for code in ["302220", "302221"] {
        assert_eq!(receipt(code), "Telus", "{code}");
    }
    let text = "Telus Mobility, Koodo Mobile, Public Mobile";
    let named = json!({"type": "recipient_delivery_report_sms", "batch_id": "b",
        "recipient": "14165550143", "status": "Delivered", "operator": text});
    assert_eq!(one(Source::Sinch, named)["carrier"], "Telus");
}

#[test]
fn infobips_network_is_split_as_long_as_it_is_text_or_number() {
    let line = |network: Value| {
        let report = json!({"messageId": "m", "mccMnc": network,
            "status": {"groupId": 3, "id": 5, "name": "DELIVERED_TO_HANDSET"}});
        let line = one(Source::Infobip, json!({"results": [report]}));
        ["mcc", "mnc", "carrier", "country"].map(|column| line[column].clone())
    };
    let croatia = [json!("219"), json!("10"), json!("A1 HR"), json!("HR")];
    assert_eq!(line(json!("21910")), croatia);
    assert_eq!(line(json!(21910)), croatia);
    assert_eq!(line(json!(310090)), [json!("310"), json!("090"), json!("AT&T"), json!("US")]);
    assert_eq!(line(json!("00000")), [Value::Null, Value::Null, Value::Null, Value::Null]);
}

#[test]
fn twilios_mcc_and_mnc_are_the_senders_and_fill_nothing() {
    let event = json!([{"specversion": "1.0", "id": "e", "source": "/x", "time":
        "2026-11-20T12:00:00Z", "type": "com.twilio.messaging.message.delivered", "data":
        {"messageSid": "SM1", "to": "+447700900143", "from": "+12025550100", "mcc": "310",
        "mnc": "090", "messageStatus": "DELIVERED"}}]);
    let line = one(Source::Twilio, event);
    let told = ["mcc", "mnc", "carrier"].map(|column| line[column].clone());
    assert_eq!(told, [Value::Null, Value::Null, Value::Null]);
    assert_eq!(line["country"], "GB", "the recipient's");
}

#[test]
fn a_gsma_number_with_an_odd_context_is_in_no_text() {
    let notice = r#"{"deliveryInfo":{"address":"tel:7700900143;phone-context=+example",
        "messageId":"m","deliveryStatus":"MessageSent"},"callbackData":"ref-7700900143"}"#;
    let line = all(Source::GsmaMaap, notice).remove(0);
    assert!(!line.to_string().contains("7700900143"), "{line}");
}

#[test]
fn one_gsma_id_sent_to_two_people_is_two_messages() {
    let info = |address: &str| json!({"address": address, "deliveryStatus": "DeliveredToTerminal"});
    let notice = json!({"deliveryInfoNotification": {"deliveryInfo":
        [info("tel:+447700900143"), info("tel:+447700900144"),
        info("sip:+447700900143@ims.example.com")],
        "link": [{"rel": "OutboundMessageRequest", "href": "http://example.com/requests/r-1"}]}});
    let lines = all(Source::GsmaMaap, notice);
    assert_ne!(lines[0]["message_key"], lines[1]["message_key"]);
    assert_eq!(lines[0]["message_key"], lines[2]["message_key"], "by whatever scheme");
    assert_eq!(lines[0]["event_id"], lines[2]["event_id"]);
}

#[test]
fn a_gsma_notice_is_dated_by_a_header_that_its_id_does_not_hold() {
    let notice = json!({"deliveryInfo": {"address": "tel:+447700900143", "messageId": "m",
        "deliveryStatus": "MessageDisplayed"}});
    let dated = |date: &str| {
        let case = Case::value(notice.to_string()).header("http-date", date);
        lines(&run(Some(Source::GsmaMaap), &[case])).remove(0)
    };
    let (first, again) =
        (dated("Fri, 20 Nov 2026 12:00:05 GMT"), dated("Fri, 20 Nov 2026 13:00:05 GMT"));
    assert_eq!(first["event_time"], "2026-11-20T12:00:05.000000Z");
    assert_eq!(first["event_time_source"], "header");
    assert_eq!(first["event_id"], again["event_id"]);
}

#[test]
fn delivered_to_network_means_sent_in_oma_and_a_fallback_in_china() {
    let info = |description: &str| {
        json!({"address": "tel:+447700900143", "messageId": "m",
            "deliveryStatus": "DeliveredToNetwork", "description": description})
    };
    let read = |payload: Value| {
        let line = one(Source::GsmaMaap, payload);
        (line["status"].clone(), line["channel"].clone())
    };
    let (sent, fallback) = ((json!("sent"), json!("rcs")), (json!("delivered"), json!("sms")));
    assert_eq!(read(json!({"deliveryInfo": info("SMS")})), fallback);
    assert_eq!(read(json!({"deliveryInfo": info("")})), fallback);
    assert_eq!(read(json!({"deliveryInfo": [info("")]})), sent);
    assert_eq!(read(json!({"deliveryInfoNotification": {"deliveryInfo": info("")}})), sent);
}

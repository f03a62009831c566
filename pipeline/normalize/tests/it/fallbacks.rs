//! What stands for a field that is missing or cannot be read, and what is told apart although it
//! looks alike. Rows are those of `traps_relays`.

use std::sync::Arc;

use model::vocabulary::Source;
use normalize::{AccountRule, Accounts, Normalizer, Regional, Settings, Zone};

use crate::fixtures::{Case, batch, charges, input, lines, run, settings};
use crate::traps_relays::traps;

#[test]
fn a_time_that_cannot_be_read_is_told_by_the_next_field() {
    traps(
        Source::Bird,
        r#"
no time
{"type":"sms.failed","timestamp":"n/a","data":{"sms_id":"s","to":"+15550001111","error":{
"code":"unreachable","occurred_at":"2026-06-01T17:00:10Z"}}}
= event_time=2026-06-01T17:00:10.000000Z
"#,
    );
    traps(
        Source::Gupshup,
        r#"
zero is none
{"app":"shop","timestamp":1700000000000,"version":2,"type":"message-event","payload":{"gsId":"g1",
"id":"x1","type":"sent","destination":"447700900143","payload":{"ts":0}}}
= status=sent; event_time=2023-11-14T22:13:20.000000Z
"#,
    );
}

#[test]
fn bandwidths_only_member_of_a_list_is_the_recipient_and_nobody_of_a_group_is() {
    traps(
        Source::Bandwidth,
        r#"
told at the top
[{"type":"message-delivered","time":"2026-11-27T10:00:02Z","to":"+15554443333","message":{
"id":"s1","time":"2026-11-27T09:59:59Z","direction":"out","to":["+15554443333"]}}]
= status=delivered

in the list alone
[{"type":"message-sending","time":"2026-11-27T10:00:00Z","message":{"id":"s1","time":
"2026-11-27T09:59:59Z","direction":"out","to":["+15554443333"]}}]
= status=queued; message_key=as above; recipient_token=as above

of a group that does not tell whom
[{"type":"message-sending","time":"2026-11-27T10:00:00Z","message":{"id":"s1","time":
"2026-11-27T09:59:59Z","direction":"out","to":["+15554443333","+15554443334"]}}]
! dead missing_id
"#,
    );
}

#[test]
fn somebody_in_two_groups_of_a_sinch_batch_has_two_facts_of_one_message() {
    let report = r#"{"type":"delivery_report_sms","batch_id":"b","statuses":[
        {"code":404,"status":"Failed","count":1,"recipients":["+4412345678"]},
        {"code":0,"status":"Delivered","count":1,"recipients":["4412345678"]}]}"#;
    let told = lines(&run(Some(Source::Sinch), &[Case::value(report)]));
    let of = |column: &str| [told[0][column].clone(), told[1][column].clone()];
    assert_eq!(of("status"), ["undelivered", "delivered"]);
    let [[one, other], [key, same]] = [of("event_id"), of("message_key")];
    assert_ne!(one, other);
    assert_eq!(key, same);
}

#[test]
fn a_state_whose_currency_is_spelled_otherwise_is_the_same_state() {
    traps(
        Source::Twilio,
        r#"
in capitals
{"sid":"SM1","status":"delivered","price":"-0.0075","price_unit":"USD","date_updated":
"Fri, 24 May 2019 17:18:28 +0000"}
= currency=USD

in small letters
{"sid":"SM1","status":"delivered","price":"-0.0075","price_unit":"usd","date_updated":
"Fri, 24 May 2019 17:18:28 +0000"}
= currency=USD; event_id=as above
"#,
    );
}

#[test]
fn infobips_zero_is_accepted_with_its_group_or_without() {
    traps(
        Source::Infobip,
        r#"
by its number
{"results":[{"messageId":"m","to":"447700900143","status":{"id":0,"name":"MESSAGE_ACCEPTED"}}]}
= status=accepted; is_final=false

by its name
{"results":[{"messageId":"m","to":"447700900143","status":{"name":"MESSAGE_ACCEPTED"}}]}
= status=accepted; is_final=false
"#,
    );
}

#[test]
fn a_price_or_parts_told_later_are_a_new_fact_of_infobips_status() {
    let told = |rest: &str| {
        let report = format!(
            r#"{{"results":[{{"messageId":"m","to":"41793026727","doneAt":
            "2024-03-31T03:00:02.000+0200","status":{{"groupId":3,"id":5}}{rest}}}]}}"#
        );
        lines(&run(Some(Source::Infobip), &[Case::value(report)]))[0]["event_id"].clone()
    };
    let price = r#","price":{"pricePerMessage":0.01,"currency":"EUR"}"#;
    let parts = [price, r#","messageCount":3"#].concat();
    assert_eq!(told(""), told(r#","messageCount":1"#), "of parts alone nothing depends");
    assert_eq!(told(price), told(&price.replace("0.01", "\"0.0100\"")));
    assert_ne!(told(""), told(price));
    assert_ne!(told(price), told(&parts));
}

#[test]
fn refusals_of_one_campaign_at_fcm_are_of_as_many_devices() {
    let told = |token: &str| {
        let answer = format!(
            r#"{{"request":{{"message_id":"promo-1","message":{{"token":"{token}"}}}},"status":404,
            "headers":{{}},"body":{{"error":{{"code":404,"details":[{{"errorCode":"UNREGISTERED",
            "@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError"}}]}}}}}}"#
        );
        let line = lines(&run(Some(Source::Fcm), &[Case::value(answer)])).remove(0);
        [line["message_key"].clone(), line["event_id"].clone(), line["message_id"].clone()]
    };
    let ([key, event, id], [other, another, same]) =
        (told("tokenAAAAAAAAAA"), told("tokenBBBBBBBBBB"));
    assert_ne!(key, other);
    assert_ne!(event, another);
    assert_eq!(id, same);
}

#[test]
fn zeros_of_a_clock_are_no_time_and_a_fraction_of_zeros_is_none() {
    traps(
        Source::AzureAcs,
        r#"
year one
{"id":"1","topic":"t","subject":"s","eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
"eventTime":"2026-11-20T12:00:02Z","data":{"messageId":"m","from":"+15551234567","to":
"+15557654321","deliveryStatus":"Delivered","receivedTimestamp":"0001-01-01T00:00:00Z"}}
= status=delivered; event_time=2026-11-20T12:00:02.000000Z
"#,
    );
    traps(
        Source::AwsEum,
        r#"
a float
{"eventType":"TEXT_DELIVERED","messageId":"m","destinationPhoneNumber":"+12065550123",
"totalMessageParts":2.0}
= segments=2
"#,
    );
}

#[test]
fn what_addresses_share_at_a_maap_tells_none_of_their_numbers() {
    let notice = r#"{"deliveryInfoNotification":{"deliveryInfo":[
        {"address":"tel:+8613900000001","deliveryStatus":"DeliveredToTerminal"},
        {"address":"tel:+8613900000002","deliveryStatus":"DeliveredToTerminal"}],
        "callbackData":"c-8613900000001-8613900000002",
        "link":[{"rel":"OutboundMessageRequest","href":"http://h/1/requests/r7"}]}}"#;
    let told = lines(&run(Some(Source::GsmaMaap), &[Case::value(notice)]));
    assert_eq!(told[0]["logical_id"], told[1]["logical_id"]);
    let shared = told[0]["logical_id"].as_str().unwrap();
    assert!(shared.starts_with("c-") && !shared.contains("1390000000"), "{shared}");
}

#[test]
fn an_id_of_whatsapps_in_what_a_sender_writes_is_hidden() {
    let id = "wamid.HBgMMzkzMzMxMjM0NTY3FQIAERgSN0Y0QjAwRDNEQUMyQzI3NDRCAA==";
    let status = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"239","changes":[{{"field":
        "messages","value":{{"statuses":[{{"id":"{id}","status":"sent","timestamp":"1709251199",
        "recipient_id":"393331234567","biz_opaque_callback_data":"reply-to:{id}"}}]}}}}]}}]}}"#
    );
    let line = lines(&run(Some(Source::Whatsapp), &[Case::value(status)])).remove(0);
    let hidden = line["message_id"].as_str().unwrap();
    assert!(hidden.starts_with("wamid:"));
    assert_eq!(line["logical_id"], format!("reply-to:{hidden}"));
}

#[test]
fn a_whole_number_is_no_sender_of_a_receipt_whose_source_nobody_told() {
    traps(
        Source::Smpp,
        r#"
empty
{"smpp":{"esm_class":4,"source_addr":"","destination_addr":"447700900143","short_message":
"id:123 stat:DELIVRD err:000"}}
= sender=null; recipient_token=null

a sender's code
{"smpp":{"esm_class":4,"destination_addr":"12345","short_message":"id:123 stat:DELIVRD err:000"}}
= sender=12345; recipient_token=null
"#,
    );
}

#[test]
fn a_conversation_lasts_as_long_over_a_change_of_clocks() {
    let row = "billing_event_id\ttype\tagent_id\tstart_time\tduration\n\
               b1\ta2p_conversation\ta1\t2026-03-08 00:00:00\t86400\n";
    let zone = Zone::parse("America/Los_Angeles").unwrap();
    let rule = AccountRule { zone: Some(zone), ..AccountRule::default() };
    let accounts = Accounts::new(vec![rule]);
    let regional = Arc::new(Regional { accounts, ..Regional::default() });
    let mut normalizer = Normalizer::new(Settings { regional, ..settings() });
    let source = [input(Some(Source::GoogleRbm))];
    let found = normalizer.batch(&batch(&[Case::value(row)]), &source).unwrap();
    let line = charges(&found).remove(0);
    assert_eq!(line["period_start"], "2026-03-08T08:00:00.000000Z");
    assert_eq!(line["period_end"], "2026-03-09T08:00:00.000000Z");
}

#[test]
fn a_number_with_gaps_is_in_no_id_that_an_app_made() {
    let event = r#"{"specversion":"1.0","id":"e1","source":"/app","type":
        "com.example.message.delivered.v1","time":"2026-11-20T12:00:02Z","data":{"message_id":
        "reminder +1 425 555 0156","channel":"sms","recipient_ref":"+14255550156","status":
        "delivered"}}"#;
    let billed = r#"{"specversion":"1.0","id":"b1","source":"/app","type":"com.example.msg.billed",
        "data":{"message_id":"reminder +1 425 555 0156","channel":"sms","recipient_ref":
        "+14255550156","billing":{"units":1,"price":{"amount":"0.0300","currency":"EUR"}}}}"#;
    let [event, billed] =
        [event, billed].map(|text| run(Some(Source::Cloudevents), &[Case::value(text)]));
    for line in lines(&event).iter().chain(&charges(&billed)) {
        let id = line["message_id"].as_str().unwrap();
        assert!(id.starts_with("reminder ") && !id.contains("0156"), "{id}");
    }
    assert_eq!(charges(&billed).len(), 1);
}

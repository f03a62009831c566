//! Traps that meet: two variants that tell of one message, recipients that share what one of them
//! says, and fields that stand where another is expected. Rows are those of `traps_relays`.

use std::sync::Arc;

use model::vocabulary::Source;
use normalize::{AccountRule, Accounts, Currency, Normalizer, Regional, Settings};
use serde_json::Value;

use crate::fixtures::{Case, batch, charges, input, lines, run, settings};
use crate::traps_relays::traps;

#[test]
fn a_conversation_is_charged_once_whoever_tells_of_it_and_of_whose_account() {
    traps(
        Source::Gupshup,
        r#"
by its old word, beside a message
{"app":"shop","timestamp":1700000000000,"version":2,"type":"message-event","payload":{"gsId":"g1",
"id":"x1","type":"sent","destination":"447700900143","payload":{"ts":1700000000,"conversation":{
"id":"c1","type":"marketing"},"pricing":{"policy":"CBP","category":"marketing"}}}}
= message_id=g1; status=sent
$ kind=conversation; grain=item; message_key=null

in another message of it
{"app":"shop","timestamp":1700000000000,"version":2,"type":"message-event","payload":{"gsId":"g2",
"id":"x2","type":"delivered","destination":"447700900143","payload":{"ts":1700000001,
"conversation":{"id":"c1"},"pricing":{"policy":"CBP","category":"marketing"}}}}
= message_id=g2; message_key=not as above
$ kind=conversation; charge_id=as above

in its bill, of an app by its id
{"entry":[{"changes":[{"field":"billing-event","value":{"billing":{"deductions":{"billable":true,
"category":"marketing","model":"CBP"},"references":{"destination":"447700900143","id":"wamid.x",
"gs_id":"g1","conversationId":"c1"}}}}]}],"gs_app_id":"app-1","object":
"whatsapp_business_account"}
$ kind=conversation; charge_id=as above; account=app-1

by message it is the message's
{"app":"shop","timestamp":1700000000000,"version":2,"type":"message-event","payload":{"gsId":"g1",
"id":"x1","type":"delivered","destination":"447700900143","payload":{"ts":1700000001,
"conversation":{"id":"c1"},"pricing":{"policy":"PMP","category":"marketing"}}}}
= message_id=g1
$ kind=message; charge_id=not as above
"#,
    );
    traps(
        Source::Whatsapp,
        r#"
of an account
{"object":"whatsapp_business_account","entry":[{"id":"239","changes":[{"field":"messages","value":
{"messaging_product":"whatsapp","statuses":[{"id":"wamid.a","status":"delivered","timestamp":
"1700000000","recipient_id":"447700900143","conversation":{"id":"c1"},"pricing":{"billable":true,
"pricing_model":"CBP","category":"utility"}}]}}]}]}
= account=239
$ kind=conversation

without its envelope
{"messaging_product":"whatsapp","statuses":[{"id":"wamid.a","status":"delivered","timestamp":
"1700000000","recipient_id":"447700900143","conversation":{"id":"c1"},"pricing":{"billable":true,
"pricing_model":"CBP","category":"utility"}}]}
= account=null
$ kind=conversation; charge_id=as above
"#,
    );
    traps(
        Source::GoogleRbm,
        "
a message's charge, which that of its conversation may replace
billing_event_id\ttype\tagent_id\tbilling_party\tstart_time
b1\tsingle_message\ta@rbm.goog\tparty\t2026-11-20T12:00:00Z
$ kind=message; grain=item

by the same id, in a file that does not tell whose
billing_event_id\ttype\tagent_id\tstart_time
b1\ta2p_conversation\ta@rbm.goog\t2026-11-20T12:00:00Z
$ kind=conversation; charge_id=as above; line_id=not as above
",
    );
}

#[test]
fn what_recipients_share_tells_none_of_their_numbers() {
    let shared = [
        (
            Source::Sinch,
            r#"{"type":"delivery_report_sms","batch_id":"b",
                "client_reference":"to 447700900123, 07700 900124 or 447700900199","statuses":[
                {"code":0,"status":"Delivered","recipients":["447700900123","+447700900124"]}]}"#,
        ),
        (
            Source::Bandwidth,
            r#"[{"type":"message-delivered","time":"2026-11-20T12:00:00Z","to":"+447700900123",
                "message":{"id":"g","time":"2026-11-20T12:00:00Z","segmentCount":1,
                "to":["+447700900123","+447700900124"],"from":"+12025550100","direction":"out",
                "tag":"to 447700900123, 07700 900124 or 447700900199"}}]"#,
        ),
    ];
    for (source, payload) in shared {
        for line in lines(&run(Some(source), &[Case::value(payload)])) {
            let shown = line["logical_id"].as_str().unwrap();
            assert!(!shown.contains("900123") && !shown.contains("900124"), "{source}: {shown}");
            assert!(shown.ends_with("447700900199"), "nobody's number: {shown}");
        }
    }
    // A text too long to be searched, or that would take too many steps, is its hash: none is left.
    let batch = |reference: &str, recipients: &str| {
        let report = format!(
            r#"{{"type":"delivery_report_sms","batch_id":"b","client_reference":"{reference}",
                "statuses":[{{"code":0,"status":"Delivered","recipients":[{recipients}]}}]}}"#
        );
        lines(&run(Some(Source::Sinch), &[Case::value(report)]))
    };
    let many = (0..1_000).map(|at| format!("\"447700900{at:03}\"")).collect::<Vec<_>>().join(",");
    for padding in [1_040, 2_040] {
        let reference = format!("to=447700900998 cc:44:77:009:00999 {}", "y".repeat(padding));
        for line in batch(&reference, &many).iter().filter(|line| !line["logical_id"].is_null()) {
            let shown = line["logical_id"].as_str().unwrap();
            assert!(!shown.contains("900998") && !shown.contains("00999"), "{shown}");
        }
    }
    let fives = vec!["\"441555555555555\""; 240].join(",");
    let hashed = batch(&"5".repeat(2_000), &fives);
    assert_eq!(hashed[0]["logical_id"].as_str().unwrap().len(), 32, "too many steps");
    assert_ne!(hashed[0]["logical_id"], hashed[0]["recipient_token"], "nobody's token");
    assert_eq!(hashed[0]["logical_id"], hashed[239]["logical_id"], "they still share it");
}

#[test]
fn a_text_of_separators_and_a_heading_of_spaces_take_no_longer_than_their_length() {
    let started = std::time::Instant::now();
    let plus = "+(".repeat(40_000);
    let refused = format!(
        r#"{{"event.kind":"message.push.failed","event.id":"e","event.timestamp":"1709251199",
            "message.id":"m","event.token":"tok_example_1",
            "event.data.failure_reason":"1 {plus}"}}"#
    );
    assert_eq!(lines(&run(Some(Source::Onesignal), &[Case::value(refused)])).len(), 1);
    let table =
        format!("message_id,account_id,{}x\n{}", " ".repeat(40_000), "a,b,c\n".repeat(20_000));
    let read = run(Some(Source::Vonage), &[Case::value(table)]);
    assert!(!read.dead.is_empty(), "no status");
    for text in ["wamid.".repeat(80_000), format!("{}|", "wamid.".repeat(31)).repeat(2_500)] {
        let status = format!(
            r#"{{"id":"wamid.X","status":"sent","timestamp":"1709251199","recipient_id":
            "393331234567","biz_opaque_callback_data":"{text}"}}"#
        );
        let hook = format!(r#"{{"messaging_product":"whatsapp","statuses":[{status}]}}"#);
        assert_eq!(lines(&run(Some(Source::Whatsapp), &[Case::value(hook)])).len(), 1);
    }
    // Each took minutes.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn a_cost_of_several_recipients_is_of_one_of_them_in_whatever_order_they_come() {
    let told = |event: &str, order: [&str; 2], status: &str| {
        let to = order.map(|number| {
            let status = if number.ends_with('3') { status } else { "\"sent\"" };
            format!(r#"{{"phone_number":"{number}","status":{status}}}"#)
        });
        let payload = format!(
            r#"{{"data":{{"event_type":"message.{event}","id":"{event}","occurred_at":
               "2026-11-20T12:00:00Z","payload":{{"id":"m","direction":"outbound","to":[{},{}],
               "cost":{{"amount":"0.0051","currency":"USD"}}}}}}}}"#,
            to[0], to[1]
        );
        let found = run(Some(Source::Telnyx), &[Case::value(payload)]);
        let told = [lines(&found), charges(&found)].concat();
        let sum = |line: &&Value| !line["price"].is_null() || line["amount"] == "0.005100000";
        told.iter().filter(sum).map(|line| line["message_key"].clone()).collect::<Vec<_>>()
    };
    let (one, other) = ("+12025550143", "+12025550142");
    let sent = told("sent", [one, other], "\"sent\"");
    assert_eq!(sent.len(), 1);
    assert_eq!(told("finalized", [other, one], "\"delivered\""), sent);
    assert_eq!(told("finalized", [one, other], "null"), sent, "one without a status");
    let later = told("sent", [one, "+12025550144"], "\"sent\"");
    for status in ["null", "{}", "\"webhook_delivered\""] {
        assert_eq!(told("finalized", [one, "+12025550144"], status), later, "who pays: {status}");
    }
}

#[test]
fn a_usage_report_is_read_whatever_stands_first_and_alone() {
    traps(
        Source::Telnyx,
        r#"
a row by itself
{"date":"2024-02-29","product":"messaging","currency":"USD","cost":12.5,"parts":1000}
$ amount=12.500000000; kind=segment; quantity=1000.000000000

in its envelope
{"data":{"date":"2024-02-29","product":"messaging","currency":"USD","cost":12.5,"parts":1000}}
$ amount=12.500000000; charge_id=as above

a report that is not done yet
{"record_type":"mdr_usage_report","status":"PENDING","result":null}
! ignored empty

or has no place for rows
{"report_url":"https://example.com/r"}
! ignored empty

whose envelope is empty
{"data":null,"cost":"5","currency":"USD","date":"2026-01-03","product":"sms"}
$ amount=5.000000000

what has a date and no cost is no usage
{"data":{"event_type":"brand.update","date":"2026-01-03","id":"x"}}
! dead unknown_variant

nor is a message's record
{"record_type":"message_detail_record","uuid":"m9","date":"2026-01-03","cost":"2","currency":"USD",
"status":"delivered"}
= message_id=m9; status=delivered; price=2.000000000

a row without its product
{"data":[{"date":"2024-02-29","direction":"outbound","message_type":"SMS","currency":"USD","cost":
1.5,"count":3}]}
$ amount=1.500000000; kind=message

behind what is none
{"data":[null,{"date":"2024-02-29","product":"messaging","direction":"outbound","message_type":
"SMS","currency":"USD","cost":12.5,"parts":1000},{"date":"2024-02-29","product":"messaging",
"direction":"x","currency":"USD","cost":1,"parts":3}]}
$ amount=12.500000000; element=1
$ amount=1.000000000; element=2
! dead unknown_variant

between reports, in their order
{"data":[{"record_type":"mdr_usage_report","status":"COMPLETE","start_date":
"2024-02-01T00:00:00Z","end_date":"2024-03-01T00:00:00Z","result":[{"cost":"1.0","currency":"USD",
"parts":"2","profile_id":"a"}]},5,{"record_type":"mdr_usage_report","status":"COMPLETE",
"start_date":"2024-02-01T00:00:00Z","end_date":"2024-03-01T00:00:00Z","result":[{"cost":"2.0",
"currency":"USD","parts":"2","profile_id":"b"}]}]}
$ amount=1.000000000; element=0
$ amount=2.000000000; element=2
! dead unknown_variant
"#,
    );
    traps(
        Source::Infobip,
        r#"
a failure without words is none
{"requestId":"Q","status":"SUCCESS","failureMessage":"","response":{"requestedPeriod":{
"sentSince":"2024-02-01T00:00:00Z","sentUntil":"2024-03-01T00:00:00Z"},"columns":[{"columnName":
"CATEGORY_CODE"},{"columnName":"TRAFFIC_TYPE"},{"columnName":"UNIT_TYPE"},{"columnName":
"UNIT_PRICE"},{"columnName":"QUANTITY"},{"columnName":"TOTAL_PER_UNIT"},{"columnName":
"CURRENCY"}],"rows":[["SMS_TRAFFIC","SMS","message part",0.0075,100,0.75,"USD"]]}}
$ amount=0.750000000
"#,
    );
}

#[test]
fn a_topics_subscribers_have_a_message_each_and_its_report_finds_them() {
    traps(
        Source::AwsSns,
        r#"
one of them
{"notification":{"messageId":"t-1","timestamp":"2026-11-20 12:00:00.000"},"delivery":{
"destination":"+12065550123","priceInUSD":0.00645,"smsType":"Promotional","providerResponse":
"Message has been accepted by phone","dwellTimeMs":500},"status":"SUCCESS"}
= status=delivered; price=0.006450000

the other
{"notification":{"messageId":"t-1","timestamp":"2026-11-20 12:00:00.000"},"delivery":{
"destination":"+12065550199","priceInUSD":0.00645,"smsType":"Promotional","providerResponse":
"Message has been accepted by phone","dwellTimeMs":500},"status":"SUCCESS"}
= message_id=t-1; message_key=not as above; event_id=not as above

as the reference spells them
{"notification":{"messageId":"t-2","timestamp":"2026-11-20 12:00:00.000"},"delivery":{
"destination":"+12065550199","providerResponse":"exceed max price"},"status":"FAILURE"}
= status=rejected; error_class=configuration

unreachable
{"notification":{"messageId":"t-2","timestamp":"2026-11-20 12:00:00.000"},"delivery":{
"destination":"+12065550199","providerResponse":"Phone carrier is currently unreachable"},
"status":"FAILURE"}
= status=undelivered; error_class=unreachable

a row of its report
2026-11-20T12:00:00.000Z,t-1,12065550199,Promotional,Message has been accepted by phone,0.00645,1,1
$ message_id=t-1; amount=0.006450000

money given back
2026-11-20T12:00:00.000Z,t-1,12065550199,Promotional,Message has been accepted by phone,-0.00645,1,1
$ amount=-0.006450000
"#,
    );
    traps(
        Source::AwsSns,
        "
in another order, with its heading
PublishTimeUTC,DestinationPhoneNumber,MessageId,MessageType,DeliveryStatus,\
        PriceInUSD,TotalParts,PartNumber
2026-11-20T12:00:00.000Z,12065550199,t-1,Promotional,ok,0.00645,3,1
$ message_id=t-1; quantity=3.000000000

in another order, without it
2026-11-20T12:00:00.000Z,12065550199,t-1,Promotional,ok,0.00645,1,1
! dead unknown_variant

the heading of such a file alone
PublishTimeUTC,DestinationPhoneNumber,MessageId,MessageType,DeliveryStatus,\
        PriceInUSD,PartNumber,TotalParts
! dead unknown_variant

and of one in this order
\"PublishTimeUTC\", MessageId,DestinationPhoneNumber,MessageType,DeliveryStatus,\
        PriceInUSD,PartNumber,TotalParts
! ignored heading
",
    );
}

#[test]
fn an_id_of_the_recipient_is_in_no_text_whichever_of_them_is_its_recipient() {
    for (source, payload) in [
        (
            Source::Braze,
            r#"{"event_type":"users.messages.sms.Send","id":"e","user":{"user_id":"5f00aa00bb",
               "external_user_id":"anna@example.com"},"time":1709251199,"properties":{
               "send_id":"welcome-anna@example.com","to_phone_number":"+12065550123",
               "campaign_id":"for 5f00aa00bb"}}"#,
        ),
        (
            Source::Braze,
            r#"{"event_type":"users.messages.pushnotification.Send","id":"e","user":{"user_id":
               "5f00aa00bb","external_user_id":"anna@example.com"},"time":1709251199,"properties":{
               "send_id":"a-5f00aa00bb","campaign_id":"c-anna@example.com","platform":"ios"}}"#,
        ),
        (
            Source::Onesignal,
            r#"{"event.kind":"message.push.failed","event.id":"e","event.timestamp":"1709251199",
               "message.id":"m","event.subscription_device_type":"iOSPush","event.token":
               "tok_example_1","event.external_id":"+12065550123","message.name":
               "Promo for 12065550123","event.data.failure_reason":"user 12065550123 gone"}"#,
        ),
    ] {
        let found = lines(&run(Some(source), &[Case::value(payload)]));
        assert_eq!(found.len(), 1, "{source}");
        for id in ["anna@example.com", "5f00aa00bb", "12065550123"] {
            assert!(!found[0].to_string().contains(id), "{source}: {id} in {}", found[0]);
        }
    }
    traps(
        Source::Braze,
        r#"
without ids of users an address tells them apart
{"event_type":"users.messages.sms.Send","id":"e1","time":1709251199,"dispatch_id":"d",
"to_phone_number":"+12065550123"}
= status=any

the same, spelled without its plus
{"event_type":"users.messages.sms.Delivery","id":"e3","time":1709251199,"dispatch_id":"d",
"to_phone_number":"12065550123"}
= message_key=as above

of another
{"event_type":"users.messages.sms.Send","id":"e2","time":1709251199,"dispatch_id":"d",
"to_phone_number":"+12065550124"}
= message_key=not as above
"#,
    );
}

#[test]
fn an_id_that_whatsapp_made_is_hidden_in_reports_that_do_not_tell_their_channel() {
    for id in
        ["HBgLNDE3OTMwMjY3MzEVAgARGBI5QTlBOUE5QTlBOUE5QTlBOUEA", "ABEGVUGWh3gEAgo-sLTvmQCS5kwjhsy"]
    {
        let seen = format!(
            r#"{{"results":[{{"messageId":"{id}","to":"41793026731",
               "seenAt":"2026-11-20T12:00:01.000+0000"}}]}}"#
        );
        let found = lines(&run(Some(Source::Infobip), &[Case::value(seen)]));
        assert!(found[0]["message_id"].as_str().unwrap().starts_with("wamid:"), "{id}");
    }
}

#[test]
fn what_a_request_asked_for_stands_for_an_answer_without_a_body() {
    traps(
        Source::GoogleRbm,
        r#"
accepted
{"request":{"method":"POST","url":
"https://example.com/v1/phones/%2B12025550143/agentMessages?messageId=m1&agentId=shop"},"status":
200,"headers":{"Date":"Fri, 20 Nov 2026 10:00:01 GMT"},"body":{}}
= status=accepted; message_id=m1; sender=shop; recipient_prefix=+1202555; event_time_source=header

created, with a body that tells more
{"request":{"method":"POST","url":
"https://example.com/v1/phones/%2B12025550143/agentMessages?messageId=m1&agentId=shop"},"status":
201,"body":{"name":"phones/+12025550143/agentMessages/m1","sendTime":"2026-11-20T10:00:00Z"}}
= status=accepted; message_key=as above; event_time=2026-11-20T10:00:00.000000Z

refused, by a status with words
{"request":{"method":"POST","url":
"https://example.com/v1/phones/+12025550143/agentMessages?messageId=m1&agentId=shop"},
"status":"403 Forbidden","body":{"error":{"code":403,"status":"PERMISSION_DENIED"}}}
! dead missing_status

a success with an error in its body
{"request":{"method":"POST","url":
"https://example.com/v1/phones/+12025550143/agentMessages?messageId=m1&agentId=shop"},
"status":200,"body":{"error":{"code":404,"status":"NOT_FOUND"}}}
! dead missing_status

of what was no send
{"request":{"method":"GET","url":
"https://example.com/v1/phones/+12025550143/agentMessages?messageId=m1&agentId=shop"},
"status":200,"body":{}}
! dead missing_status

without what was asked nobody knows of what
{"request":{"method":"POST"},"status":200,"body":{}}
! dead missing_status
"#,
    );
}

#[test]
fn an_address_is_a_number_however_it_is_escaped_and_a_damaged_id_is_no_other() {
    traps(
        Source::GsmaMaap,
        r#"
plain
{"deliveryInfoNotification":{"deliveryInfo":{"address":"tel:+8613900000001","messageId":
"8613900000001-1","deliveryStatus":"MessageSent"},"callbackData":"cb 8613900000001-1"}}
= recipient_prefix=+861390000; country=CN

with its plus and at sign escaped
{"deliveryInfoNotification":{"deliveryInfo":{"address":"sip:%2B8613900000001%40ims.example",
"messageId":"8613900000001-1","deliveryStatus":"MessageSent"},"callbackData":
"cb 8613900000001-1"}}
= message_key=as above; message_id=as above; logical_id=as above; country=CN

with a password
{"deliveryInfoNotification":{"deliveryInfo":{"address":"sip:+8613900000001:pw@x","messageId":
"8613900000001-1","deliveryStatus":"MessageSent"}}}
= message_key=as above

with a type of address
{"deliveryInfoNotification":{"deliveryInfo":{"address":"+8613900000001/TYPE=PLMN","messageId":
"8613900000001-1","deliveryStatus":"MessageSent"}}}
= message_key=as above

an id that is no text is no request's
{"deliveryInfo":[{"address":"tel:+8613900000001","messageId":"AA","deliveryStatus":
"MessageDisplayed"},{"address":"tel:+8613900000002","messageId":{"x":1},"deliveryStatus":
"MessageDisplayed"}],"link":[{"rel":"OutboundMessageRequest","href":"http://h/requests/req-2"}]}
= message_id=AA
! dead missing_id

800 is of what could not be delivered
{"deliveryInfo":[{"address":"tel:+8613900000001","messageId":"AA","deliveryStatus":
"DeliveryImpossible","description":"800"},{"address":"tel:+8613900000001","messageId":"AB",
"deliveryStatus":"DeliveredToSMSFailed","description":"800"}]}
= status=expired
= status=failed; channel=sms
"#,
    );
}

#[test]
fn a_receipt_in_the_payload_is_read_where_the_message_is_blank() {
    for blank in [r#""\u0000""#, r#""00""#, r#"" ""#, r#""0x""#, r#""""#] {
        let pdu = format!(
            r#"{{"smpp":{{"esm_class":4,"source_addr":"447700900123","short_message":{blank},
               "tlv":{{"0x0424":"id:5F stat:DELIVRD"}}}}}}"#
        );
        let found = lines(&run(Some(Source::Smpp), &[Case::value(pdu)]));
        assert_eq!(
            (&found[0]["message_id"], &found[0]["status"]),
            (&"5F".into(), &"delivered".into())
        );
    }
}

#[test]
fn of_an_errors_details_those_of_others_decide_nothing() {
    traps(
        Source::Fcm,
        r#"
another's behind it
{"request":{"message_id":"own-7"},"status":404,"body":{"error":{"code":404,"status":"NOT_FOUND",
"details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":
"UNREGISTERED"},{"@type":"x.Other","errorCode":"INTERNAL"}]}}}
= error_code=UNREGISTERED
"#,
    );
}

#[test]
fn the_data_of_twilios_event_tells_its_type_without_the_envelope() {
    traps(
        Source::Twilio,
        r#"
its status lags behind
{"messageSid":"SM1","accountSid":"AC1","eventName":"com.twilio.messaging.message.delivered",
"messageStatus":"QUEUED","to":"+12025550143","from":"+12025550100","timestamp":
"2026-11-20T12:00:00Z"}
= status=delivered; is_final=true

of an end that has no time the time of its sending is none
{"sid":"SM1","account_sid":"AC1","status":"delivered","to":"+12025550143","from":"+12025550100",
"date_created":"Fri, 20 Nov 2026 12:00:00 +0000","date_sent":"Fri, 20 Nov 2026 12:00:01 +0000",
"date_updated":null}
= event_time=null; submit_time=2026-11-20T12:00:00.000000Z

a price without its currency
{"sid":"SM1","account_sid":"AC1","status":"delivered","to":"+12025550143","from":"+12025550100",
"price":"-0.02250","date_updated":"Fri, 20 Nov 2026 12:00:02 +0000"}
= price=0.022500000; currency=null

is told anew with it
{"sid":"SM1","account_sid":"AC1","status":"delivered","to":"+12025550143","from":"+12025550100",
"price":"-0.02250","price_unit":"usd","date_updated":"Fri, 20 Nov 2026 12:00:02 +0000"}
= currency=USD; event_id=not as above; message_key=as above
"#,
    );
}

#[test]
fn codes_that_are_none_are_null_and_counted_and_no_configured_one_stands_for_them() {
    let euro = Currency::parse("EUR").unwrap();
    let rule = AccountRule { currency: Some(euro), ..AccountRule::default() };
    let accounts = Accounts::new(vec![rule]);
    let regional = Arc::new(Regional { accounts, ..Regional::default() });
    let told = |payload: &str, source| {
        let mut normalizer =
            Normalizer::new(Settings { regional: Arc::clone(&regional), ..settings() });
        let raw = batch(&[Case::value(payload)]);
        let mut found = lines(&normalizer.batch(&raw, &[input(Some(source))]).unwrap());
        (found.remove(0), normalizer.take_counters().unreadable_fields)
    };
    let priced = |currency: &str| {
        let text = format!(
            r#"{{"sid":"SM1","status":"delivered","to":"+12025550143","price":" -0.0075 ",
               "price_unit":{currency}}}"#
        );
        told(&text, Source::Twilio)
    };
    for (currency, shown, unreadable) in [
        (r#""usd ""#, "USD".into(), 0),
        (r#"" ""#, "EUR".into(), 0),
        ("null", "EUR".into(), 0),
        (r#""US Dollar""#, Value::Null, 1),
    ] {
        let (line, count) = priced(currency);
        assert_eq!((&line["currency"], count), (&shown, unreadable), "{currency}");
        assert_eq!(line["price"], "0.007500000", "spaces around it");
    }
    let (line, count) = told(
        r#"{"eventType":"TEXT_DELIVERED","messageId":"m","destinationPhoneNumber":"+12065550123",
           "isoCountryCode":"USA","mcc":"abc","mnc":"x"}"#,
        Source::AwsEum,
    );
    assert_eq!((&line["country"], &line["mcc"], count), (&"US".into(), &Value::Null, 3));
}

#[test]
fn media_and_binary_messages_that_come_in_are_ignored() {
    traps(
        Source::Plivo,
        "media\nMessageUUID=u1&From=1&To=2&MediaCount=1&Body=x\n! ignored inbound",
    );
    traps(Source::Vonage, "binary\nmessageId=m&msisdn=1&to=2&data=00&udh=05\n! ignored inbound");
}

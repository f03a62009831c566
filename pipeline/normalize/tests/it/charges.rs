//! The traps of vendors' money, each by name: sign, unit, days of other zones, what repeats, what
//! is a total, what comes later, what must not leave.

use model::keys::Keyring;
use model::vocabulary::Source;
use normalize::{AccountRule, Accounts, Currency, Normalizer, Regional, Settings};
use serde_json::{Value, json};

use std::sync::Arc;

use crate::fixtures::{Case, batch, charges, input, lines, run};

fn bill(source: Source, value: impl Into<Vec<u8>>) -> Vec<Value> {
    charges(&run(Some(source), &[Case::value(value)]))
}

fn one(source: Source, value: &Value) -> Value {
    let mut lines = bill(source, value.to_string());
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn usage(changes: &Value) -> Value {
    let mut record = json!({"account_sid": "AC1", "as_of": "2026-11-21T04:30:00+00:00",
        "category": "sms-outbound", "usage": "1500", "usage_unit": "segments",
        "price": "11.85001", "price_unit": "usd", "start_date": "2026-11-20",
        "end_date": "2026-11-20"});
    let fields = changes.as_object().unwrap().clone();
    record.as_object_mut().unwrap().extend(fields);
    one(Source::Twilio, &json!({"usage_records": [record]}))
}

#[test]
fn twilio_usage_is_positive_where_its_messages_are_negative() {
    let message = json!({"sid": "SM1", "status": "delivered", "to": "+447700900143",
        "price": "-0.00750", "price_unit": "USD"});
    let message = run(Some(Source::Twilio), &[Case::value(message.to_string())]);
    assert_eq!(lines(&message)[0]["price"], "0.007500000");
    assert_eq!(usage(&json!({}))["amount"], "11.850010000");
    assert_eq!(usage(&json!({"price": "-1.5"}))["amount"], "-1.500000000", "a credit stays one");
}

#[test]
fn twilio_days_are_gmt_and_the_last_is_within() {
    let line = usage(&json!({"end_date": "2026-11-22"}));
    assert_eq!(line["period_start"], "2026-11-20T00:00:00.000000Z");
    assert_eq!(line["period_end"], "2026-11-23T00:00:00.000000Z");
}

#[test]
fn a_twilio_day_that_grew_is_another_line_of_the_same_charge() {
    let grown = json!({"as_of": "2026-11-21T09:00:00+00:00", "price": "12"});
    let (was, is) = (usage(&json!({})), usage(&grown));
    assert_eq!(was["charge_id"], is["charge_id"]);
    assert_ne!(was["line_id"], is["line_id"]);
    assert_eq!(was["line_id"], usage(&json!({}))["line_id"], "told again it is the same line");
    let other = usage(&json!({"account_sid": "AC2"}));
    assert_ne!(was["charge_id"], other["charge_id"]);
}

#[test]
fn twilio_sums_of_categories_are_totals() {
    for (category, grain) in [
        ("sms", "period"),
        ("totalprice", "period"),
        ("sms-messages-carrierfees", "period"),
        ("phonenumbers", "period"),
        ("phonenumbers-local", "item"),
        ("failed-message-processing-fee", "item"),
    ] {
        assert_eq!(usage(&json!({ "category": category }))["grain"], grain, "{category}");
    }
}

#[test]
fn an_infobip_price_is_of_a_part_for_sms_and_of_a_message_elsewhere() {
    for (channel, unit) in [("SMS", "segment"), ("MMS", "message"), ("WHATSAPP", "message")] {
        let report = json!({"results": [{"messageId": "m", "channel": channel,
            "messageCount": 3, "to": "447700900143",
            "price": {"pricePerMessage": 0.01, "currency": "EUR"},
            "status": {"groupId": 3, "id": 5, "name": "DELIVERED_TO_HANDSET"}}]});
        let report = run(Some(Source::Infobip), &[Case::value(report.to_string())]);
        assert_eq!(lines(&report)[0]["price_unit"], unit, "{channel}");
    }
}

#[test]
fn an_infobip_volume_is_an_invoices_only_when_it_is_final() {
    let result = |is_final: bool, quantity: u32| {
        json!({"requestId": "R", "status": "SUCCESS", "response": {
            "requestedPeriod": {"sentSince": "2026-11-01T00:00:00.000+0100",
                "sentUntil": "2026-12-01T00:00:00.000+0100"},
            "columns": [{"columnName": "CATEGORY_CODE"}, {"columnName": "UNIT_TYPE"},
                {"columnName": "UNIT_PRICE"}, {"columnName": "QUANTITY"},
                {"columnName": "CURRENCY"}],
            "rows": [["SMS", "message part", 0.0312, quantity, "EUR"]]},
            "metadata": {"billingPeriods": [{"month": "2026-11", "volumeFinalized": is_final}]}})
    };
    let (open, closed) = (result(false, 1_500), result(true, 1_512));
    let (open, closed) = (one(Source::Infobip, &open), one(Source::Infobip, &closed));
    assert_eq!((&open["basis"], &closed["basis"]), (&json!("vendor"), &json!("invoice")));
    assert_eq!(open["charge_id"], closed["charge_id"], "figures tell no row from another");
    assert_eq!(closed["amount"], "47.174400000", "quantity times unit price where no total is");
    assert_eq!(closed["period_start"], "2026-10-31T23:00:00.000000Z", "by the vendor's zone");
}

#[test]
fn a_telnyx_total_in_a_table_is_the_charge_that_it_is_as_json() {
    let as_json = json!({"data": [{"product": "messaging", "date": "2026-11-01", "cost": 1911.6248,
        "direction": "outbound", "currency": "USD", "count": 1000, "is_test": false}]});
    let table = "product,date,cost,direction,currency,count,is_test\n\
                 messaging,2026-11-01,1911.6248,outbound,USD,1000,false\n";
    let mut of_table = bill(Source::Telnyx, table).remove(0);
    let mut of_json = one(Source::Telnyx, &as_json);
    assert_eq!(of_table["amount"], "1911.624800000");
    for line in [&mut of_table, &mut of_json] {
        line["payload_sha256"] = json!(null);
    }
    assert_eq!(of_table, of_json);
}

#[test]
fn a_telnyx_total_is_one_charge_in_any_order_of_columns_and_as_json() {
    let as_json = json!({"data": [{"product": "messaging", "date": "2026-11-01", "cost": 19.5,
        "direction": "outbound", "currency": "USD", "count": 1000, "attempted": 1010, "mcc": 310,
        "tags": ""}]});
    let reversed = json!({"data": [{"tags": "", "mcc": "310", "attempted": 1010, "count": 1000,
        "currency": "USD", "direction": "outbound", "cost": 19.5, "date": "2026-11-01",
        "product": "messaging"}]});
    let table = "product,date,cost,direction,currency,count,attempted,mcc,tags\n\
                 messaging,2026-11-01,19.5,outbound,USD,1000,1010,310,\n";
    let other_order = "tags,mcc,attempted,count,currency,direction,cost,date,product\n\
                       ,310,1010,1000,USD,outbound,19.5,2026-11-01,messaging\n";
    let ids = |mut line: Value| (line["charge_id"].take(), line["line_id"].take());
    let expected = ids(one(Source::Telnyx, &as_json));
    assert_eq!(ids(one(Source::Telnyx, &reversed)), expected);
    for table in [table, other_order] {
        assert_eq!(ids(bill(Source::Telnyx, table).remove(0)), expected, "{table}");
    }
    for (told, other) in [("310", "311"), ("11-01", "11-02"), ("messaging", "inference")] {
        let line = bill(Source::Telnyx, table.replace(told, other)).remove(0);
        assert_ne!(ids(line).0, expected.0, "{other}");
    }
    let grown = bill(Source::Telnyx, table.replace("1010", "1011")).remove(0);
    assert_eq!(ids(grown).0, expected.0, "a count that nobody reads tells no total from another");
}

#[test]
fn a_telnyx_report_in_a_table_with_its_span_is_the_charge_that_it_is_as_json() {
    let report = json!({"data": {"start_date": "2026-11-01", "end_date": "2026-11-02",
        "record_type": "mdr_usage_report",
        "result": [{"cost": "1.5", "currency": "USD", "product": "outbound", "parts": "3"}]}});
    let table = "parts,end_date,product,start_date,currency,cost\n\
                 3,2026-11-02,outbound,2026-11-01,USD,1.5\n";
    let of_table = bill(Source::Telnyx, table).remove(0);
    assert_eq!(of_table["charge_id"], one(Source::Telnyx, &report)["charge_id"]);
}

#[test]
fn a_telnyx_total_in_a_table_without_a_date_is_no_charge_of_every_month() {
    for table in ["product,cost\nmessaging,1\n", "Product,Cost,Date\nmessaging,1,2026-11-01\n"] {
        let normalized = run(Some(Source::Telnyx), &[Case::value(table)]);
        assert!(charges(&normalized).is_empty(), "{table}");
        assert_eq!(normalized.dead.len(), 1, "{table}");
    }
}

#[test]
fn a_telnyx_fee_is_a_part_of_the_cost_and_a_charge_of_the_message() {
    let event = json!({"data": {"event_type": "message.finalized", "id": "e",
        "occurred_at": "2026-11-20T12:00:02Z", "payload": {"id": "m", "type": "SMS",
        "to": [{"phone_number": "+447700900143", "status": "delivered"}],
        "cost": {"amount": "0.0051", "currency": "USD"},
        "cost_breakdown": {"rate": {"amount": "0.00205"}, "carrier_fee": {"amount": "0.00305"}}}}});
    let normalized = run(Some(Source::Telnyx), &[Case::value(event.to_string())]);
    let (event, fee) = (lines(&normalized).remove(0), charges(&normalized).remove(0));
    assert_eq!((&event["price"], &fee["amount"]), (&json!("0.005100000"), &json!("0.003050000")));
    assert_eq!((&fee["kind"], &fee["currency"]), (&json!("carrier_fee"), &json!("USD")));
    assert_eq!(event["message_key"], fee["message_key"]);
    assert_eq!(event["element"], fee["element"], "one element gives both");
}

#[test]
fn an_amazon_conversation_is_charged_once_however_many_events_tell_it() {
    let event = |id: &str, kind: &str| {
        json!({"eventType": kind, "messageId": id, "eventTimestamp": 1_795_176_002_000_i64,
            "destinationPhoneNumber": "+447700900143", "totalMessagePrice": 0,
            "conversationSessionFee": 0.012, "conversationInitiatingMessageId": "m-0"})
    };
    let told = [event("m-1", "RCS_DELIVERED"), event("m-2", "RCS_DELIVERED")];
    let told = told.map(|event| one(Source::AwsEum, &event));
    assert_eq!(told[0]["charge_id"], told[1]["charge_id"]);
    assert_eq!(
        (&told[0]["kind"], &told[0]["amount"]),
        (&json!("conversation"), &json!("0.012000000"))
    );
}

#[test]
fn sns_tells_a_parts_price_in_each_of_its_rows() {
    let csv = "PublishTimeUTC,MessageId,DestinationPhoneNumber,MessageType,DeliveryStatus,\
        PriceInUSD,PartNumber,TotalParts\n\
        2026-11-20T12:00:00Z,s,447700900143,Promotional,Unknown error attempting to reach phone,\
        0.00592,1,2\n\
        2026-11-20T12:00:00Z,s,447700900143,Promotional,Unknown error attempting to reach phone,\
        0.00592,2,2\n";
    let rows = bill(Source::AwsSns, csv);
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!((&row["kind"], &row["quantity"]), (&json!("segment"), &json!("2.000000000")));
        assert_eq!(row["amount"], "0.011840000", "of both parts");
    }
    for damaged in ["x", "\"2"] {
        let csv = csv.replace(",1,2\n", &format!(",1,{damaged}\n"));
        let uncounted = bill(Source::AwsSns, csv);
        assert_eq!(uncounted[0]["amount"], json!(null), "of how many is not known");
    }
    assert_ne!(rows[0]["line_id"], rows[1]["line_id"], "each part's row is a fact");
    assert_eq!(rows[0]["charge_id"], rows[1]["charge_id"]);
}

#[test]
fn a_vonage_row_without_a_price_tells_an_estimate() {
    let row = |estimate: &str, total: &str| {
        let csv = format!(
            "message_id,status,provider,currency,estimated_price,total_price\n\
            m,delivered,sms,EUR,{estimate},{total}\n"
        );
        bill(Source::Vonage, csv)
    };
    assert_eq!(row("0.04", "")[0]["basis"], "estimated");
    for exact in [row("", "0.05"), row("0.04", "0.04")] {
        let told = (&exact[0]["basis"], exact.len());
        assert_eq!(told, (&json!("vendor"), 1), "a bill's, of the second of a callback");
    }
    assert_eq!(row("0.04", "1,234.50"), Vec::<Value>::new(), "no estimate stands for a price");
}

fn status(word: &str, pricing: &Value) -> Value {
    json!({"id": "wamid.a", "status": word, "timestamp": "1795176002",
        "recipient_id": "447700900143", "pricing": pricing})
}

#[test]
fn a_whatsapp_charge_is_an_estimate_until_it_is_earned_and_nothing_where_it_failed() {
    let regular = json!({"billable": true, "pricing_model": "PMP", "type": "regular",
        "category": "marketing"});
    let sent = one(Source::Whatsapp, &status("sent", &regular));
    assert_eq!((&sent["basis"], &sent["amount"]), (&json!("estimated"), &Value::Null));
    assert_eq!(sent["sku"], "marketing/regular");
    let delivered = one(Source::Whatsapp, &status("delivered", &regular));
    assert_eq!((&delivered["basis"], &delivered["amount"]), (&json!("vendor"), &Value::Null));
    let failed = one(Source::Whatsapp, &status("failed", &Value::Null));
    assert_eq!((&failed["basis"], &failed["amount"]), (&json!("estimated"), &json!("0.000000000")));
    let ids = [&sent, &delivered, &failed].map(|line| &line["charge_id"]);
    assert!(ids.iter().all(|id| *id == ids[0]), "one charge a message");
}

#[test]
fn what_whatsapp_calls_free_costs_nothing() {
    for pricing in [
        json!({"billable": false, "pricing_model": "PMP", "category": "utility"}),
        json!({"billable": true, "pricing_model": "PMP", "type": "free_entry_point",
            "category": "referral_conversion"}),
    ] {
        let line = one(Source::Whatsapp, &status("sent", &pricing));
        assert_eq!(line["amount"], "0.000000000", "{pricing}");
    }
}

#[test]
fn what_whatsapp_calls_regular_is_charged_whatever_the_deprecated_flag_says() {
    for billable in [json!(false), json!("false"), json!(true), Value::Null] {
        let pricing = json!({"billable": billable, "pricing_model": "PMP", "type": "regular",
            "category": "marketing"});
        let line = one(Source::Whatsapp, &status("delivered", &pricing));
        assert_eq!(line["amount"], Value::Null, "zero would be a price: {billable}");
        let sent = one(Source::Whatsapp, &status("sent", &pricing));
        assert_eq!(sent["basis"], "estimated", "{billable}");
    }
    for billable in [json!(true), json!(false)] {
        let pricing = json!({"billable": billable, "type": "free_customer_service"});
        let line = one(Source::Whatsapp, &status("delivered", &pricing));
        assert_eq!(line["amount"], "0.000000000", "{billable}");
    }
}

#[test]
fn a_conversation_is_charged_once_however_many_messages_say_so() {
    let told = |id: &str| {
        let mut status =
            status("delivered", &json!({"pricing_model": "CBP", "category": "utility"}));
        status["id"] = json!(id);
        status["conversation"] = json!({"id": "c1", "origin": {"type": "utility"}});
        one(Source::Whatsapp, &status)
    };
    let (first, second) = (told("wamid.a"), told("wamid.b"));
    assert_eq!(first["charge_id"], second["charge_id"]);
    assert_eq!((&first["kind"], &first["grain"]), (&json!("conversation"), &json!("item")));
}

#[test]
fn gupshup_writes_billable_as_text_too() {
    let typed = |kind: &str, billable: Value| {
        json!({"app": "a", "timestamp": 1_795_176_003_993_i64, "version": 2,
            "type": "billing-event", "payload": {"deductions": {"type": kind, "model": "PMP",
            "category": "marketing", "billable": billable}, "references": {"gsId": "g",
            "id": "w", "destination": "447700900143"}}})
    };
    // A word of their own says nothing of the price.
    let event = |billable: Value| typed("UIC", billable);
    assert_eq!(one(Source::Gupshup, &event(json!("true")))["amount"], Value::Null);
    for no in [json!("false"), json!(false)] {
        assert_eq!(one(Source::Gupshup, &event(no.clone()))["amount"], "0.000000000");
        let regular = one(Source::Gupshup, &typed("regular", no));
        assert_eq!(regular["amount"], Value::Null, "Meta's type supersedes the flag");
    }
    let sent = json!({"app": "a", "type": "message-event", "payload": {"gsId": "g", "id": "w",
        "type": "sent", "destination": "447700900143", "payload": {"ts": 1_795_176_003}}});
    let sent = run(Some(Source::Gupshup), &[Case::value(sent.to_string())]);
    let billed = one(Source::Gupshup, &event(json!(true)));
    assert_eq!(lines(&sent)[0]["message_key"], billed["message_key"], "joined by gsId");
}

#[test]
fn meta_tells_no_currency_and_days_of_the_accounts_zone() {
    let answer = json!({"id": "1", "pricing_analytics": {"data_points": [{"start": 1_795_158_000,
        "end": 1_795_244_400, "country": "BR", "pricing_category": "MARKETING", "volume": 10,
        "cost": 0.62}]}});
    let line = one(Source::Whatsapp, &answer);
    assert_eq!(line["period_start"], "2026-11-20T07:00:00.000000Z");
    assert_eq!((&line["currency"], &line["amount"]), (&Value::Null, &json!("0.620000000")));
    assert_eq!(line["grain"], "period");
}

#[test]
fn an_answer_of_half_hours_is_read_whole() {
    let point = |at: i64| {
        let start = 1_748_736_000 + at * 1_800;
        format!(r#"{{"start":{start},"end":{},"volume":12,"cost":0.25}}"#, start + 1_800)
    };
    for n_points in [1_440, 3_000] {
        let points: Vec<String> = (0..n_points).map(point).collect();
        let points = points.join(",");
        let answer = format!(r#"{{"id":"1","pricing_analytics":{{"data_points":[{points}]}}}}"#);
        let lines = bill(Source::Whatsapp, answer);
        let charges: std::collections::HashSet<_> =
            lines.iter().map(|line| line["charge_id"].to_string()).collect();
        assert_eq!((lines.len(), charges.len()), (n_points as usize, n_points as usize));
    }
}

#[test]
fn a_figure_that_goes_back_is_the_line_that_it_was_where_the_bill_tells_no_time() {
    let usage = |cost: &str, updated: Option<&str>| {
        let report = json!({"data": {"start_date": "2026-11-01", "end_date": "2026-11-02",
            "record_type": "mdr_usage_report", "updated_at": updated,
            "result": [{"cost": cost, "currency": "USD", "product": "outbound"}]}});
        one(Source::Telnyx, &report)["line_id"].clone()
    };
    let untimed = ["1", "2", "1"].map(|cost| usage(cost, None));
    assert_ne!(untimed[0], untimed[1]);
    assert_eq!(untimed[0], untimed[2], "nothing in it tells the answer from its redelivery");
    let hours = ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z"];
    let timed = [("1", 0), ("2", 1), ("1", 2)].map(|(cost, at)| usage(cost, Some(hours[at])));
    assert_ne!(timed[0], timed[2], "as of another time it is another line");
}

#[test]
fn a_billing_event_of_rcs_has_units_and_no_price() {
    let tsv = "billing_event_id\ttype\tagent_id\tstart_time\nb1\tbasic_message\ta\t\
        2026-11-20T12:00:00Z\n";
    let line = bill(Source::GoogleRbm, tsv).remove(0);
    assert_eq!((&line["quantity"], &line["amount"]), (&json!("1.000000000"), &Value::Null));
    assert_eq!((&line["grain"], &line["kind"]), (&json!("item"), &json!("message")));
}

#[test]
fn no_bill_shows_whom_a_message_was_for() {
    let number = "447700900143";
    let event = json!({"specversion": "1.0", "id": "b", "source": "/x", "type": "x.billed",
        "data": {"message_id": format!("m-{number}"), "channel": "sms",
        "recipient_ref": format!("+{number}"),
        "billing": {"unit": "message", "price": {"amount": "0.1", "currency": "EUR"}}}});
    let line = one(Source::Cloudevents, &event);
    assert!(!line.to_string().contains("7700900143"), "{line}");
    let log = format!("activity_id\tbilling_event_id\tuser_id\na\tb\t+{number}\n");
    let log = run(Some(Source::GoogleRbm), &[Case::value(log)]);
    assert_eq!((log.charges.num_rows(), log.tallies[0].ignored), (0, 1));
    let wamid = "wamid.HBgMNDQ3NzAwOTAwMTQzFQIAERgSQQ==";
    let billed = json!({"entry": [{"changes": [{"field": "billing-event", "value": {"billing": {
        "deductions": {"model": "PMP", "type": "regular", "category": "utility"},
        "references": {"id": wamid, "destination": number}}}}]}]});
    let line = one(Source::Whatsapp, &billed);
    assert!(line["message_id"].as_str().unwrap().starts_with("wamid:"), "{line}");
}

#[test]
fn a_volume_whose_quantity_cannot_be_read_has_no_amount() {
    let result = |quantity: Value, total: Value| {
        json!({"requestId": "R", "status": "SUCCESS", "response": {
            "columns": [{"columnName": "CATEGORY_CODE"}, {"columnName": "UNIT_TYPE"},
                {"columnName": "UNIT_PRICE"}, {"columnName": "QUANTITY"},
                {"columnName": "TOTAL_PER_UNIT"}, {"columnName": "CURRENCY"}],
            "rows": [["SMS", "message part", 0.01, quantity, total, "EUR"]]}})
    };
    let line = one(Source::Infobip, &result(json!("1,000"), json!(null)));
    assert_eq!((&line["quantity"], &line["amount"]), (&Value::Null, &Value::Null));
    let line = one(Source::Infobip, &result(json!(null), json!("10.00")));
    let expected = (&Value::Null, &json!("0.010000000"), &json!("10.000000000"));
    assert_eq!((&line["quantity"], &line["unit_price"], &line["amount"]), expected);
}

#[test]
fn one_of_a_group_that_got_nothing_does_not_make_its_message_free() {
    let status = |word: &str, changes: Value| {
        let mut status = json!({"id": "wamid.G", "status": word, "timestamp": "1795176005",
            "recipient_id": "group-1", "recipient_type": "group"});
        if word != "failed" {
            status["pricing"] = json!({"pricing_model": "PMP", "category": "marketing",
                "type": "regular"});
        }
        status.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!([status]).to_string()
    };
    let participant = json!({"recipient_participant_id": "447700900143"});
    for (word, who, basis) in
        [("sent", json!({}), "estimated"), ("delivered", participant, "vendor")]
    {
        let told = bill(Source::Whatsapp, status(word, who));
        assert_eq!((&told[0]["basis"], &told[0]["amount"]), (&json!(basis), &Value::Null));
    }
    for (field, id) in [
        ("recipient_participant_id", "447700900144"),
        ("participant_recipient_id", "447700900144"),
        ("recipient_participant_user_id", "US.7700900144x"),
        // Told, and with a raw line break no text of JSON.
        ("recipient_participant_id", "DAMAGED"),
    ] {
        for code in [131_026, 131_049, 132_000, 132_016] {
            let failed = status("failed", json!({field: id, "errors": [{"code": code}]}));
            let told = bill(Source::Whatsapp, failed.replace("DAMAGED", "4477\n"));
            assert!(told.is_empty(), "{field} {code}: {told:?}");
        }
    }
    let whole = bill(Source::Whatsapp, status("failed", json!({"errors": [{"code": 131_026}]})));
    assert_eq!(whole[0]["amount"], "0.000000000", "nobody got it");
}

#[test]
fn of_a_price_and_a_fee_the_one_that_can_be_read_is_charged() {
    let event = |changes: Value| {
        let mut event = json!({"eventType": "TEXT_DELIVERED", "messageId": "m-1",
            "eventTimestamp": 1_795_176_005_000_i64, "destinationPhoneNumber": "+447700900143",
            "isFinal": true, "totalMessagePrice": 0.09582, "totalCarrierFee": 0.003});
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let result = run(Some(Source::AwsEum), &[Case::value(event.to_string())]);
        let told = |line: &Value| {
            let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
            (text("kind"), text("amount"), text("currency"))
        };
        let price = lines(&result)[0]["price"].as_str().map(str::to_owned);
        (price, charges(&result).iter().map(told).collect::<Vec<_>>())
    };
    let line = |kind: &str, amount: &str| (kind.to_owned(), amount.to_owned(), "USD".to_owned());
    let (price, found) = event(json!({}));
    assert_eq!(
        (price.as_deref(), found),
        (Some("0.098820000"), vec![line("carrier_fee", "0.003000000")])
    );
    let (price, found) = event(json!({"totalCarrierFee": "n/a"}));
    assert_eq!((price, found), (None, vec![line("message", "0.095820000")]));
    let (price, found) = event(json!({"totalMessagePrice": {}}));
    assert_eq!((price, found), (None, vec![line("carrier_fee", "0.003000000")]));
    let (_, found) = event(json!({"conversationSessionFee": 0.012}));
    assert_eq!(found[1], line("conversation", "0.012000000"), "whichever message began it");
}

#[test]
fn an_sns_row_is_the_same_alone_and_in_its_report() {
    let heading = "PublishTimeUTC,MessageId,DestinationPhoneNumber,MessageType,DeliveryStatus,\
                   PriceInUSD,PartNumber,TotalParts";
    for row in [
        "2026-11-20T03:00:29.476Z,m-1,447700900143,Transactional,\"No, not now\",0.00645,1,1",
        concat!(
            "\"2026-11-20T03:00:29Z\",\"m-2\",\"447700900143\",\"Promotional\",\"ok\",",
            "\"0.1\",\"1\",\"1\""
        ),
        "2026-11-20 03:00:29.476,m-3,447700900143,Promotional,ok,0.00645,1,2",
    ] {
        let alone = bill(Source::AwsSns, row);
        let mut whole = bill(Source::AwsSns, format!("{heading}\n{row}\n"));
        assert_eq!(alone.len(), 1, "{row}");
        whole[0]["payload_sha256"] = alone[0]["payload_sha256"].clone();
        assert_eq!(alone, whole, "{row}");
    }
}

#[test]
fn a_bill_of_ones_own_names_its_invoice() {
    let event = json!({"specversion": "1.0", "id": "b-1", "source": "/in-app",
        "type": "com.example.msg.billed", "time": "2026-11-20T12:00:09Z",
        "data": {"message_id": "in-1", "channel": "in_app", "billing": {"units": 3,
            "unit": "segments", "invoice_id": "INV-7",
            "price": {"amount": "0.0300", "currency": "eur"}}}});
    assert_eq!(one(Source::Cloudevents, &event)["invoice_id"], "INV-7");
}

#[test]
fn a_price_without_a_currency_has_the_one_of_its_account() {
    let rule = |source, account: Option<&str>, code| AccountRule {
        source: Some(source),
        account: account.map(str::to_owned),
        currency: Currency::parse(code),
        ..AccountRule::default()
    };
    let accounts = Accounts::new(vec![
        rule(Source::Vonage, None, "usd"),
        rule(Source::Vonage, Some("acct-gbp"), "GBP"),
        rule(Source::Plivo, None, "EUR"),
        rule(Source::Whatsapp, None, "INR"),
    ]);
    let regional = Arc::new(Regional { accounts, ..Regional::default() });
    let settings = Settings { keyring: Keyring::demo(), signatures: Arc::default(), regional };
    let mut normalizer = Normalizer::new(settings);
    let mut read = |source, text: &str| {
        let raw = batch(&[Case::value(text)]);
        normalizer.batch(&raw, &[input(Some(source))]).unwrap()
    };
    let receipt = "messageId=0A7&status=delivered&price=0.0333&api-key=";
    for (key, currency) in [("acct-gbp", "GBP"), ("acct-2", "USD")] {
        let text = format!("{receipt}{key}");
        let line = lines(&read(Source::Vonage, &text)).remove(0);
        assert_eq!((&line["price"], &line["currency"]), (&json!("0.033300000"), &json!(currency)));
        let plain = lines(&run(Some(Source::Vonage), &[Case::value(text)])).remove(0);
        assert_eq!(plain["currency"], Value::Null, "not configured");
        assert_eq!(plain["event_id"], line["event_id"], "another configuration is no new event");
    }
    let line = lines(&read(Source::Vonage, "messageId=0A8&status=delivered")).remove(0);
    assert_eq!(line["currency"], Value::Null, "no price, no currency");
    let plivo = "MessageUUID=u&Status=sent&TotalAmount=0.1&TotalRate=0.1&Units=1";
    let line = lines(&read(Source::Plivo, plivo)).remove(0);
    assert_eq!(line["currency"], "USD", "what the vendor documents comes first");
    let told = json!({"message_uuid": "u", "status": "submitted", "channel": "sms",
        "timestamp": "2026-11-20T12:00:00Z", "usage": {"price": "0.0333", "currency": "EUR"}});
    assert_eq!(lines(&read(Source::Vonage, &told.to_string()))[0]["currency"], "EUR");
    let status = json!([{"id": "wamid.X", "status": "failed", "timestamp": "1795176005"}]);
    let free = read(Source::Whatsapp, &status.to_string());
    let line = charges(&free).remove(0);
    assert_eq!((&line["amount"], &line["currency"]), (&json!("0.000000000"), &json!("INR")));
    let plain = charges(&run(Some(Source::Whatsapp), &[Case::value(status.to_string())])).remove(0);
    assert_eq!((&plain["line_id"], &plain["currency"]), (&line["line_id"], &Value::Null));
}

#[test]
fn a_vonage_estimate_that_turns_out_exact_is_news() {
    let row = |estimated: Value, total: Value| {
        let row = json!({"account_id": "a", "message_id": "m", "direction": "outbound",
            "from": "A", "to": "447700900143", "status": "delivered", "currency": "EUR",
            "date_finalized": "2026-11-20T12:00:02+0000",
            "estimated_price": estimated, "total_price": total});
        let record = json!({"product": "MESSAGES", "records": [row]});
        lines(&run(Some(Source::Vonage), &[Case::value(record.to_string())])).remove(0)
    };
    let id = |estimated, total| row(estimated, total)["event_id"].clone();
    let estimate = id(json!("0.0333"), Value::Null);
    assert_ne!(estimate, id(json!("0.0333"), json!("0.0333")));
    assert_eq!(estimate, id(json!("0.03330"), json!("")), "however it is spelled");
    assert_eq!(id(Value::Null, json!("0.0333")), id(json!("0.0333"), json!(0.0333)));
}

#[test]
fn a_telnyx_total_without_a_date_is_no_charge_of_every_month() {
    let row = json!({"product": "messaging", "cost": 100.5, "count": 5000, "currency": "USD"});
    let dead = |record: Value| run(Some(Source::Telnyx), &[Case::value(record.to_string())]).dead;
    let told = dead(json!({"data": [row], "meta": {"total_pages": 1}}));
    assert_eq!((told.len(), told[0].detail.as_str()), (1, "/0/date"));
    let mut dated = row;
    dated["date"] = json!("2026-11-01");
    let line = one(Source::Telnyx, &json!({"data": [dated], "meta": {"total_pages": 1}}));
    assert_eq!(line["period_end"], "2026-11-02T00:00:00.000000Z", "a date is a day");
}

#[test]
fn a_telnyx_fee_of_parts_is_counted_in_segments() {
    let row = json!({"cost": "12.50", "parts": "120", "message_type": "SMS", "currency": "USD",
        "carrier_passthrough_fee": "1.25"});
    let report = json!({"data": {"record_type": "mdr_usage_report",
        "start_date": "2026-11-01T00:00:00Z", "status": "COMPLETE",
        "end_date": "2026-12-01T00:00:00Z", "result": [row]}});
    let lines = bill(Source::Telnyx, report.to_string());
    let told: Vec<_> = lines.iter().map(|line| (&line["kind"], &line["unit"])).collect();
    let (segment, fee) = (json!("segment"), json!("carrier_fee"));
    assert_eq!(told, [(&segment, &segment), (&fee, &segment)]);
}

fn infobip_row(columns: &[(&str, Value)]) -> Value {
    let names: Vec<_> = columns.iter().map(|(name, _)| json!({"columnName": name})).collect();
    let values: Vec<_> = columns.iter().map(|(_, value)| value.clone()).collect();
    one(
        Source::Infobip,
        &json!({"requestId": "r", "status": "FINISHED", "response": {
            "requestedPeriod": {"sentSince": "2026-10-01T00:00:00.000+0000",
                "sentUntil": "2026-11-01T00:00:00.000+0000"},
            "columns": names, "rows": [values]}}),
    )
}

#[test]
fn an_infobip_total_is_one_charge_in_any_order_of_columns_and_spelling_of_its_price() {
    let row = |price: Value| {
        [
            ("CATEGORY_CODE", json!("SMS")),
            ("UNIT_PRICE", price),
            ("QUANTITY", json!(1000)),
            ("CURRENCY", json!("EUR")),
        ]
    };
    let told = infobip_row(&row(json!(0.0123)));
    let mut turned = row(json!("0.01230"));
    turned.reverse();
    assert_eq!(told["charge_id"], infobip_row(&turned)["charge_id"]);
    assert_ne!(told["charge_id"], infobip_row(&row(json!(0.0124)))["charge_id"]);
    let credit = infobip_row(&row(json!(-0.0123)));
    assert_eq!(credit["amount"], "-12.300000000", "a credit stays one");
    assert_eq!(credit["unit_price"], "-0.012300000");
}

#[test]
fn figures_are_read_from_their_digits() {
    let report = r#"{"data":[{"product":"messaging","currency":"USD","date":"2026-11-01","count":3,
        "cost":1911.624800000000001}]}"#;
    let normalized = run(Some(Source::Telnyx), &[Case::value(report)]);
    assert_eq!(charges(&normalized)[0]["amount"], "1911.624800000");
}

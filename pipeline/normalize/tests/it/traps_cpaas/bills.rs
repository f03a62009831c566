//! Bills of the CPaaS vendors: Infobip's billing usage, Telnyx's usage, Twilio's usage records.

use model::vocabulary::Source;
use serde_json::{Value, json};

use super::{body, charge};
use crate::fixtures::{Case, charges, run};

/// A result of Infobip's billing usage API.
fn volumes(rows: &Value) -> Case {
    let names =
        ["CATEGORY_CODE", "TRAFFIC_TYPE", "UNIT_TYPE", "UNIT_PRICE", "QUANTITY", "CURRENCY"];
    let columns = names.map(|name| json!({ "columnName": name }));
    let result = json!({"requestId": "R", "status": "SUCCESS", "response": {
        "requestedPeriod": {"sentSince": "2026-11-01T00:00:00.000+0000",
            "sentUntil": "2026-12-01T00:00:00.000+0000"},
        "columns": columns, "rows": rows}});
    body(result.to_string())
}

/// The rows of `charges` that a record's lines speak of.
#[track_caller]
fn ids(source: Source, case: &Case) -> Vec<Value> {
    let lines = charges(&run(Some(source), std::slice::from_ref(case)));
    lines.iter().map(|line| line["charge_id"].clone()).collect()
}

#[test]
fn infobips_categories_hold() {
    let sms = |category: &str| json!([category, null, "message part", 0.01, 300, "EUR"]);
    let mms = |category: &str| json!([category, null, "message", 0.02, 200, "EUR"]);
    let rcs = |traffic: &str| json!(["RCS", traffic, "message", 0.05, 100, "EUR"]);
    let fees = volumes(&json!([sms("SMS"), sms("SMS_OPERATOR_FEE")]));
    let traps = traps! {
        "the operator's fee for SMS is a category of its own":
            fees.clone()
            => [{"kind": "segment", "channel": "sms", "sku": "SMS", "amount": "3.000000000"},
                {"kind": "carrier_fee", "channel": "sms", "sku": "SMS_OPERATOR_FEE",
                 "unit": "segment", "amount": "3.000000000", "currency": "EUR"}],
        "so is the one for MMS":
            volumes(&json!([mms("MMS"), mms("MMS_OPERATOR_FEE")]))
            => [{"kind": "message", "channel": "mms", "sku": "MMS", "amount": "4.000000000"},
                {"kind": "carrier_fee", "channel": "mms", "sku": "MMS_OPERATOR_FEE",
                 "unit": "message", "amount": "4.000000000", "currency": "EUR"}],
        "RCS is billed by the kind of its traffic, which stays told":
            volumes(&json!([rcs("BASIC"), rcs("SINGLE"), rcs("A2P_CONVERSATION"),
                rcs("INTERACTIVE_SESSION")]))
            => [{"channel": "rcs", "sku": "RCS/BASIC", "kind": "message"},
                {"channel": "rcs", "sku": "RCS/SINGLE", "kind": "message"},
                {"channel": "rcs", "sku": "RCS/A2P_CONVERSATION", "kind": "conversation"},
                {"channel": "rcs", "sku": "RCS/INTERACTIVE_SESSION", "kind": "conversation"}],
    };
    charge(Source::Infobip, &traps);
    let [own, fee] = ids(Source::Infobip, &fees).try_into().unwrap();
    assert_ne!(own, fee, "alike in all but the category they are two charges");
}

/// A result of these columns, for November and December.
fn asked(columns: &[&str], rows: &Value, finals: [bool; 2]) -> Case {
    let columns: Vec<Value> = columns.iter().map(|name| json!({ "columnName": name })).collect();
    let month = |name: &str, is_final| json!({"month": name, "volumeFinalized": is_final});
    let months = [month("2026-11", finals[0]), month("2026-12", finals[1])];
    let result = json!({"requestId": "R", "status": "SUCCESS", "response": {
        "requestedPeriod": {"sentSince": "2026-11-01T00:00:00.000+0000",
            "sentUntil": "2027-01-01T00:00:00.000+0000"},
        "columns": columns, "rows": rows}, "metadata": {"billingPeriods": months}});
    body(result.to_string())
}

#[test]
fn rows_of_infobips_usage_are_told_apart_by_any_column_that_is_text() {
    for (column, one, other) in [
        ("SENDER", "ACME", "BETA"),
        ("DIRECTION", "INBOUND", "OUTBOUND"),
        ("CAMPAIGN_REFERENCE", "c-1", "c-2"),
        ("SUBCATEGORY_CODE", "a", "b"),
        ("NORM_NET_CODE", "23410", "23415"),
        ("A_COLUMN_OF_TOMORROW", "a", "N/A"),
    ] {
        let columns = ["CATEGORY_CODE", column, "UNIT_PRICE", "QUANTITY", "TOTAL_PER_UNIT"];
        let row = |value: &str| json!(["SMS", value, 0.01, 300, 3.0]);
        let told =
            ids(Source::Infobip, &asked(&columns, &json!([row(one), row(other)]), [true; 2]));
        assert_ne!(told[0], told[1], "{column}");
        let whole = asked(&["CATEGORY_CODE", "UNIT_PRICE"], &json!([["SMS", 0.01]]), [true; 2]);
        assert!(!told.contains(&ids(Source::Infobip, &whole)[0]), "{column}: the total stays");
    }
    let columns = ["CATEGORY_CODE", "COUNTRY_NAME", "NORM_NET_CODE", "TOTAL_PER_UNIT"];
    let rows =
        json!([["SMS", "?1", 310998, 1], ["SMS", "?2", 310998, 7], ["SMS", "?2", 310999, 9]]);
    let mut damaged = asked(&columns, &rows, [true; 2]);
    damaged.value.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xe9);
    let told = ids(Source::Infobip, &damaged);
    assert!(told[0] != told[1] && told[1] != told[2], "damaged, or told as a number");
    let longer = asked(&["CATEGORY_CODE", "UNIT_PRICE"], &json!([["SMS", 0.01, 1]]), [true; 2]);
    assert_eq!(run(Some(Source::Infobip), &[longer]).dead.len(), 1, "more values than columns");
    let columns = ["CATEGORY_CODE", "A_FIGURE_OF_TOMORROW", "QUANTITY"];
    let rows = json!([["SMS", 1, 300], ["SMS", 2, 400]]);
    let told = ids(Source::Infobip, &asked(&columns, &rows, [true; 2]));
    assert_eq!(told[0], told[1], "a figure grows");
}

#[test]
fn a_row_of_infobips_usage_is_of_its_own_day_or_month_and_as_final_as_that() {
    let columns = ["MONTH", "DAY", "CATEGORY_CODE", "QUANTITY", "TOTAL_PER_UNIT", "CURRENCY"];
    let row = |month: &str, day: &str| json!([month, day, "SMS", 1001, 7.5, "EUR"]);
    let rows = json!([
        row("N/A", "2026-11-30T00:00:00"),
        row("N/A", "2026-12-01"),
        row("2026-12-01T00:00:00", "N/A"),
        row("2026-11", "N/A"),
        row("N/A", "someday"),
    ]);
    let lines = charges(&run(Some(Source::Infobip), &[asked(&columns, &rows, [true, false])]));
    let period = |line: &Value| {
        let day = |name: &str| line[name].as_str().unwrap()[..10].to_owned();
        (day("period_start"), day("period_end"), line["basis"].as_str().unwrap().to_owned())
    };
    let told: Vec<_> = lines.iter().map(period).collect();
    let expected = [
        ("2026-11-30", "2026-12-01", "invoice"),
        ("2026-12-01", "2026-12-02", "vendor"),
        ("2026-12-01", "2027-01-01", "vendor"),
        ("2026-11-01", "2026-12-01", "invoice"),
        ("2026-11-01", "2027-01-01", "vendor"),
    ];
    assert_eq!(told, expected.map(|(from, to, basis)| (from.into(), to.into(), basis.into())));
    let ids: std::collections::BTreeSet<_> =
        lines.iter().map(|l| l["charge_id"].as_str()).collect();
    assert_eq!(ids.len(), lines.len(), "no day takes another's place");
}

#[test]
fn infobips_usage_names_what_has_no_code_and_leaves_out_what_has_no_value() {
    let columns = [
        "CATEGORY_NAME",
        "TRAFFIC_TYPE",
        "NETWORK_NAME",
        "NORM_NET_CODE",
        "COUNTRY_CODE",
        "ACCOUNT_KEY",
        "ACCOUNT_NAME",
    ];
    let rows = json!([
        ["SMS operator fee", "N/A", "N/A", "23410", "N/A", "N/A", "shop"],
        ["Email", "N/A", "N/A", 310999, "GB", "N/A", "N/A"],
    ]);
    let traps = traps! {
        "a category by name, a network by its code; N/A is no value":
            asked(&columns, &rows, [true; 2])
            => [{"kind": "carrier_fee", "channel": "sms", "sku": "SMS_operator_fee",
                 "carrier": "O2 (UK)", "country": "GB", "account": "shop"},
                {"kind": "message", "channel": "email", "sku": "Email", "carrier": "310-999",
                 "country": "GB", "account": null}],
    };
    charge(Source::Infobip, &traps);
}

#[test]
fn an_infobip_request_that_failed_charges_nothing_and_is_no_dead_letter() {
    let failed = |response: &str| {
        body(format!(
            r#"{{"requestId":"R","status":"FAILED"{response},"failureMessage":"Try again later"}}"#
        ))
    };
    let rows = r#","response":{"columns":[{"columnName":"CATEGORY_CODE"},
        {"columnName":"TOTAL_PER_UNIT"}],"rows":[["SMS",2]]}"#;
    for response in ["", r#","response":null"#, r#","response":{"columns":[],"rows":[]}"#, rows] {
        let normalized = run(Some(Source::Infobip), &[failed(response)]);
        let tally = &normalized.tallies[0];
        assert_eq!((tally.elements, tally.ignored, tally.dead), (1, 1, 0), "{response}");
        assert_eq!((tally.charges, normalized.charges.num_rows()), (0, 0), "{response}");
    }
}

#[test]
fn in_telnyxs_usage_the_currency_tells_two_charges_apart() {
    let row = |cost: &str, currency: &str| {
        json!({"product": "messaging", "direction": "outbound", "date": "2026-11-01",
            "currency": currency, "count": 1000, "cost": cost.parse::<f64>().unwrap()})
    };
    let mdr = |cost: &str, currency: &str| {
        json!({"product": "outbound", "message_type": "SMS", "parts": "1200", "cost": cost,
            "currency": currency})
    };
    let report = json!({"data": {"record_type": "mdr_usage_report", "status": "COMPLETE",
        "start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-02T00:00:00Z",
        "result": [mdr("7.5", "USD"), mdr("7.5", "EUR")]}});
    let table = "product,date,currency,cost\n\
        messaging,2026-11-01,USD,7.5\nmessaging,2026-11-01,EUR,7.5\n";
    let both = json!([{"amount": "7.500000000", "currency": "USD"},
        {"amount": "7.500000000", "currency": "EUR"}]);
    for (says, case) in [
        ("usage", body(json!({"data": [row("7.5", "USD"), row("7.5", "EUR")]}).to_string())),
        ("a report of message records", body(report.to_string())),
        ("a table", body(table)),
    ] {
        charge(Source::Telnyx, &[(says, case.clone(), both.clone())]);
        let [dollars, euros] = ids(Source::Telnyx, &case).try_into().unwrap();
        assert_ne!(dollars, euros, "{says}");
    }
}

/// An answer of Telnyx's usage reports, v2, of one row.
fn usage(row: &Value) -> Case {
    let fields = json!({"direction": "outbound", "product": "messaging", "currency": "USD",
        "cost": 1.5, "date": "2026-04-01"});
    let mut all = fields.as_object().unwrap().clone();
    all.extend(row.as_object().unwrap().clone());
    all.retain(|_, value| !value.is_null());
    body(json!({"data": [all], "meta": {"total_pages": 1}}).to_string())
}

#[test]
fn telnyxs_usage_by_hour_is_of_hours() {
    let answer = r#"{"data":[{"date_time":"2026-04-01T00:00:00Z","direction":"outbound",
        "product":"messaging","cost":132.4653,"parts":33952.0,"count":18088},
        {"date_time":"2026-04-01T01:00:00Z","direction":"outbound","product":"messaging",
        "cost":99.5,"parts":25000.0,"count":13000}],"meta":{"total_pages":1}}"#;
    let table = "date_time,direction,product,cost,parts,count\n\
        2026-04-01 00:00:00,outbound,messaging,132.4653,33952.0,18088\n\
        2026-04-01 01:00:00,outbound,messaging,99.5,25000.0,13000\n";
    let hours = json!([{"period_start": "2026-04-01T00:00:00.000000Z",
            "period_end": "2026-04-01T01:00:00.000000Z", "grain": "period", "kind": "segment",
            "amount": "132.465300000", "quantity": "33952.000000000"},
        {"period_start": "2026-04-01T01:00:00.000000Z",
            "period_end": "2026-04-01T02:00:00.000000Z", "amount": "99.500000000"}]);
    let told = [("JSON", body(answer), hours.clone()), ("a table", body(table), hours)];
    charge(Source::Telnyx, &told);
    let [first, second] = ids(Source::Telnyx, &told[0].1).try_into().unwrap();
    assert_ne!(first, second, "each hour is a charge");
    assert_eq!(ids(Source::Telnyx, &told[1].1), [first.clone(), second]);
    for hour in ["2026-04-01T00:00:00", "2026-04-01 00:00:00", "2026-03-31T19:00:00-05:00"] {
        let spelled = body(answer.replacen("2026-04-01T00:00:00Z", hour, 1));
        assert_eq!(ids(Source::Telnyx, &spelled)[0], first, "{hour}");
    }
    let both = usage(&json!({"date_time": "2026-04-01T05:00:00Z"}));
    let traps = traps! {
        "beside its day a row is of its hour":
            both.clone()
            => {"period_start": "2026-04-01T05:00:00.000000Z",
                "period_end": "2026-04-01T06:00:00.000000Z"},
        "an hour that nobody reads leaves it its day":
            usage(&json!({"date_time": "noon"}))
            => {"period_start": "2026-04-01T00:00:00.000000Z",
                "period_end": "2026-04-02T00:00:00.000000Z"},
        "or no time":
            usage(&json!({"date_time": "noon", "date": null}))
            => {"period_start": null, "period_end": null},
    };
    charge(Source::Telnyx, &traps);
    assert_ne!(ids(Source::Telnyx, &both), ids(Source::Telnyx, &usage(&json!({}))));
}

#[test]
fn telnyxs_usage_tells_carriers_and_countries() {
    let of = |network: Value| usage(&network);
    let traps = traps! {
        "a carrier by its name":
            of(json!({"normalized_carrier": "T-MOBILE USA, INC.", "country_iso": "us"}))
            => {"carrier": "T-Mobile", "country": "US"},
        "a network by its codes, text or numbers":
            of(json!({"mcc": "310", "mnc": "004"})) => {"carrier": "Verizon", "country": "US"},
        "which have lost their zeros":
            of(json!({"mcc": 310, "mnc": 4})) => {"carrier": "Verizon", "country": "US"},
        "the name stands before the codes":
            of(json!({"normalized_carrier": "Example Mobile", "mcc": "310", "mnc": "004"}))
            => {"carrier": "Example Mobile", "country": "US"},
        "a network that nobody knows is its codes":
            of(json!({"mcc": "310", "mnc": "999"})) => {"carrier": "310-999", "country": "US"},
        "an MCC alone is a country":
            of(json!({"mcc": "234"})) => {"carrier": null, "country": "GB"},
        "zeros are no network":
            of(json!({"mcc": "0", "mnc": 0})) => {"carrier": null, "country": null},
        "a country's code stands before its name, and before the network's":
            of(json!({"country": "Germany", "country_iso": "DE", "mcc": "310", "mnc": "004"}))
            => {"country": "DE"},
        "a network that is for internal use is no carrier":
            of(json!({"mcc": "999", "mnc": "99"})) => {"carrier": null, "country": null},
    };
    charge(Source::Telnyx, &traps);
}

#[test]
fn telnyxs_usage_of_other_products_is_no_messages() {
    let of = |product: &str| usage(&json!({"product": product, "count": 40}));
    for (product, kind, unit) in [
        ("messaging", "message", "message"),
        ("SMS", "message", "message"),
        ("mms", "message", "message"),
        ("rcs", "message", "message"),
        ("whatsapp", "message", "message"),
        ("sip-trunking", "other", "charge"),
        ("verify-2fa", "other", "charge"),
        ("call-control", "other", "charge"),
    ] {
        let told = json!({"kind": kind, "unit": unit, "sku": product, "amount": "1.500000000",
            "quantity": "40.000000000"});
        charge(Source::Telnyx, &[(product, of(product), told)]);
    }
    let report = |kind: &str| {
        let row = json!({"cost": "1", "product": "all"});
        let report = json!({"record_type": kind, "start_date": "2026-11-01",
            "end_date": "2026-11-02", "result": [row]});
        body(json!({ "data": report }).to_string())
    };
    let traps = traps! {
        "without a product it is of messages":
            usage(&json!({"product": null, "report_url": "https://example.com/r"}))
            => {"kind": "message"},
        "what has parts is, whatever the product":
            usage(&json!({"product": "example", "parts": 3})) => {"kind": "segment"},
        "what tells a kind of message, too":
            usage(&json!({"product": "example", "message_type": "MMS"}))
            => {"kind": "message", "channel": "mms"},
        "a report of messages is of messages, whatever it calls their product":
            report("mdr_usage_report") => {"kind": "message"},
        "one of calls is not":
            report("cdr_usage_report") => {"kind": "other"},
    };
    charge(Source::Telnyx, &traps);
}

#[test]
fn what_twilio_takes_for_a_message_that_failed_is_a_fee_a_message_and_in_no_price() {
    let record = |category: &str| {
        body(
            json!({"usage_records": [{"account_sid": "AC1", "category": category, "count": "40",
                "count_unit": "messages", "usage": "40", "usage_unit": "messages",
                "price": "0.04000", "price_unit": "usd", "start_date": "2026-11-20",
                "end_date": "2026-11-20", "as_of": "2026-11-21T04:30:00+00:00"}]})
            .to_string(),
        )
    };
    let traps = traps! {
        "it is a category of its own, to be added to the messages' prices":
            record("failed-message-processing-fee")
            => {"kind": "failed_message_fee", "grain": "item", "unit": "message",
                "quantity": "40.000000000", "amount": "0.040000000", "currency": "USD"},
        "carriers' fees are one, too, which the messages' prices hold":
            record("sms-messages-carrierfees")
            => {"kind": "carrier_fee", "grain": "period", "amount": "0.040000000"},
    };
    charge(Source::Twilio, &traps);
}

#[test]
fn a_damaged_row_of_a_bill_takes_no_other_rows_place() {
    let usage = |carrier: &[u8], cost: &str| {
        let head = br#"{"date":"2026-11-01","product":"messaging","normalized_carrier":"#;
        [head, carrier, br#","parts":1,"cost":"#, cost.as_bytes(), b"}"].concat()
    };
    let rows =
        [usage(b"\"a\xe9\"", "7.5"), usage(b"\"b\n\"", "9.5"), b"NaN".to_vec(), b"7".to_vec()];
    let list = [br#"{"data":["#, rows.join(&b","[..]).as_slice(), b"]}"].concat();
    let normalized = run(Some(Source::Telnyx), &[Case::value(list)]);
    let told: Vec<Value> = charges(&normalized).iter().map(|l| l["charge_id"].clone()).collect();
    assert!(told.len() == 2 && told[0] != told[1], "{told:?}");
    assert_eq!(normalized.dead.len(), 2, "what is no row costs itself");
    let csv = "date,product,normalized_carrier,currency,cost\n\
        2026-11-01,messaging,\"Foo,USD,7.5\n2026-11-01,messaging,\"Bar,USD,9.5\n";
    let normalized = run(Some(Source::Telnyx), &[Case::value(csv)]);
    assert_eq!((charges(&normalized).len(), normalized.dead.len()), (0, 2));
    let point = |phone: &str, cost: &str| {
        format!(r#"{{"start":1772359200,"end":1772445600,"phone_number":{phone},"cost":{cost}}}"#)
    };
    let points =
        [point("\"1\"", "1.5"), "NaN".to_owned(), point("\"\n\"", "3.5"), point("\"2\"", "2.5")];
    let answer = format!(
        r#"{{"id":"1","pricing_analytics":{{"data":[{{"data_points":[{}]}}]}}}}"#,
        points.join(",")
    );
    let normalized = run(Some(Source::Whatsapp), &[Case::value(answer)]);
    assert_eq!((charges(&normalized).len(), normalized.dead.len()), (2, 2));
}

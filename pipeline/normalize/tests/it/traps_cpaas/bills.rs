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
            => [{"channel": "rcs", "sku": "RCS/BASIC", "amount": "5.000000000"},
                {"channel": "rcs", "sku": "RCS/SINGLE", "amount": "5.000000000"},
                {"channel": "rcs", "sku": "RCS/A2P_CONVERSATION", "amount": "5.000000000"},
                {"channel": "rcs", "sku": "RCS/INTERACTIVE_SESSION", "amount": "5.000000000"}],
    };
    charge(Source::Infobip, &traps);
    let [own, fee] = ids(Source::Infobip, &fees).try_into().unwrap();
    assert_ne!(own, fee, "alike in all but the category they are two charges");
}

#[test]
fn an_infobip_request_that_failed_charges_nothing_and_is_no_dead_letter() {
    let failed = |response: &str| {
        body(format!(
            r#"{{"requestId":"R","status":"FAILED"{response},"failureMessage":"Try again later"}}"#
        ))
    };
    for response in ["", r#","response":null"#, r#","response":{"columns":[],"rows":[]}"#] {
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

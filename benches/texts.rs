//! Typed parses of what is no JSON: forms, a report of comma-separated values, an SMPP receipt.
#![expect(dead_code, reason = "a typed parse reads all fields")]

use std::borrow::Cow;
use std::hint::black_box;

use serde::Deserialize;

/// A struct of a form's fields, and a function that fills it by `form_urlencoded`.
macro_rules! form {
    ($function:ident, $name:ident { $($key:literal => $field:ident,)+ }) => {
        #[derive(Debug, Default)]
        struct $name<'a> { $($field: Option<Cow<'a, str>>,)+ }

        pub(crate) fn $function(text: &str) {
            let mut form = $name::default();
            for (key, value) in form_urlencoded::parse(text.as_bytes()) {
                match &*key {
                    $($key => form.$field = Some(value),)+
                    _ => panic!("the baseline does not know {key}"),
                }
            }
            black_box(form);
        }
    };
}

form!(twilio, Twilio {
    "ApiVersion" => api_version,
    "MessageStatus" => message_status,
    "SmsSid" => sms_sid,
    "SmsStatus" => sms_status,
    "To" => to,
    "From" => from,
    "MessageSid" => message_sid,
    "AccountSid" => account_sid,
    "RawDlrDoneDate" => raw_dlr_done_date,
});

form!(vonage, Vonage {
    "msisdn" => msisdn,
    "to" => to,
    "network-code" => network_code,
    "messageId" => message_id,
    "price" => price,
    "status" => status,
    "scts" => scts,
    "err-code" => err_code,
    "api-key" => api_key,
    "client-ref" => client_ref,
    "message-timestamp" => message_timestamp,
});

form!(plivo, Plivo {
    "Status" => status,
    "From" => from,
    "To" => to,
    "MessageUUID" => message_uuid,
    "ParentMessageUUID" => parent_message_uuid,
    "PartInfo" => part_info,
    "Type" => kind,
    "Units" => units,
    "TotalRate" => total_rate,
    "TotalAmount" => total_amount,
    "MCC" => mcc,
    "MNC" => mnc,
    "ErrorCode" => error_code,
    "Sequence" => sequence,
    "MessageTime" => message_time,
    "QueuedTime" => queued_time,
    "SentTime" => sent_time,
    "DeliveryReportTime" => delivery_report_time,
    "PowerpackUUID" => powerpack_uuid,
    "requester_ip" => requester_ip,
});

form!(messagebird, Messagebird {
    "id" => id,
    "recipient" => recipient,
    "status" => status,
    "statusDatetime" => status_datetime,
    "price[amount]" => price_amount,
    "price[currency]" => price_currency,
});

form!(kaleyra, Kaleyra {
    "id" => id,
    "status" => status,
});

/// A row of a downloaded report.
#[derive(Debug, Deserialize)]
struct Row<'a> {
    account_id: &'a str,
    message_id: &'a str,
    client_ref: &'a str,
    concatenated: &'a str,
    direction: &'a str,
    from: &'a str,
    to: &'a str,
    network: &'a str,
    network_name: &'a str,
    country: &'a str,
    country_name: &'a str,
    date_received: &'a str,
    date_finalized: &'a str,
    latency: &'a str,
    status: &'a str,
    error_code: &'a str,
    error_code_description: &'a str,
    currency: &'a str,
    total_price: &'a str,
}

pub(crate) fn vonage_report(text: &str) {
    // Its own buffer of 64 KiB would be most of the time.
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(512).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let headers = must(reader.headers()).clone();
    while must(reader.read_record(&mut record)) {
        black_box(must(record.deserialize::<Row<'_>>(Some(&headers))));
    }
}

fn must<T>(read: csv::Result<T>) -> T {
    read.unwrap_or_else(|error| panic!("the baseline does not read the report: {error}"))
}

/// The text of a receipt (SMPP 3.4, appendix B).
#[derive(Debug)]
struct Receipt<'a> {
    id: &'a str,
    sub: &'a str,
    dlvrd: &'a str,
    submit_date: &'a str,
    done_date: &'a str,
    stat: &'a str,
    err: &'a str,
    text: &'a str,
}

/// Splits a receipt by its words, in the order that the standard gives.
pub(crate) fn receipt(text: &str) {
    let mut rest = text;
    let mut until = |word: &str| {
        let (value, after) = rest.split_once(word).unwrap_or((rest, ""));
        rest = after;
        value
    };
    until("id:");
    let receipt = Receipt {
        id: until(" sub:"),
        sub: until(" dlvrd:"),
        dlvrd: until(" submit date:"),
        submit_date: until(" done date:"),
        done_date: until(" stat:"),
        stat: until(" err:"),
        err: until(" text:"),
        text: until("\n"),
    };
    black_box(receipt);
}

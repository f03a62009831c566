//! `explain` names the field in which a value stands, wherever that is: forms, queries, tables,
//! receipts, headers, JSON inside JSON or base64.

use model::vocabulary::Source;

use crate::drift::Known;

/// Source, fixture, column, the field named first.
const PLACES: &[(Source, &str, &str, &str)] = &[
    (Source::Twilio, "callback_sms_delivered.txt", "message_id", "MessageSid"),
    (Source::Twilio, "callback_get.record.json", "message_id", "url?MessageSid"),
    (Source::Twilio, "callback_get.record.json", "status", "url?MessageStatus"),
    (Source::Twilio, "callback_get.record.json", "recipient_token", "url?To"),
    (Source::Twilio, "event_streams_array.json", "event_time", "[0].data.timestamp"),
    (Source::Infobip, "sms_statuses.json", "event_time", "results[0].doneAt"),
    (Source::Infobip, "sms_statuses.json", "price", "results[0].price.pricePerMessage"),
    (Source::GoogleRbm, "envelope_delivered.json", "message_id", "message.data.messageId"),
    (Source::Gupshup, "sms_form_response.record.json", "message_id", "response[0].externalId"),
    (Source::Vonage, "report_sms_csv.txt", "carrier", "[0].network_name"),
    (Source::Smpp, "bare_delivered.txt", "message_id", "id"),
    (Source::Smpp, "pdu.json", "vendor_status", "smpp.short_message.stat"),
    (Source::AwsEum, "sns_notification.json", "message_id", "Message.messageId"),
    (Source::AwsSns, "log_line.txt", "carrier", "delivery.phoneCarrier"),
    (Source::Cloudevents, "binary.record.json", "event_time", "header ce_time"),
    (Source::Kaleyra, "status_delivered.record.json", "message_id", "url?id"),
];

#[test]
fn the_field_in_which_a_value_stands_is_named_first() {
    let mut wrong = Vec::new();
    for (source, name, column, expected) in PLACES {
        let known = Known::new(*source, name);
        let found = known.explained().first().and_then(|first| first.columns.get(column));
        let first = found.and_then(|fields| fields.first());
        if first.map(String::as_str) != Some(*expected) {
            wrong.push(format!("{source} {name} {column}: {found:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_key_that_may_be_a_number_is_not_printed() {
    let record = normalize::explain::fields::Record {
        value: r#"{"447700900143":{"status":"x"}}"#.to_owned(),
        ..Default::default()
    };
    let paths: Vec<_> =
        normalize::explain::fields::fields(&record).into_iter().map(|field| field.path).collect();
    assert_eq!(paths, ["", "#", "#.status"]);
}

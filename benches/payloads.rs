//! One payload a source, of the commonest kind, and a second where it has another format, each
//! with the typed parse that its budget is measured against: its format's parser into a struct of
//! the payload's own fields.
//!
//! The structs (`shapes.rs`, `texts.rs`) have every field of their payload, borrowed from it: what
//! a careful hand-written consumer of this one shape would do, and no more.

use std::hint::black_box;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::vocabulary::Source;
use serde::Deserialize;

use crate::shapes::{self, aggregators, platforms};
use crate::texts;

/// A payload and its baseline.
pub(crate) struct Payload {
    pub(crate) source: Source,
    /// Its format, where the source has several here.
    pub(crate) variant: &'static str,
    pub(crate) text: String,
    /// Parses the payload by its format's parser.
    pub(crate) typed: fn(&str),
    pub(crate) parser: &'static str,
}

/// The reference Infobip report: parsing it typed is the unit U.
pub(crate) const INFOBIP: &str = concat!(
    r#"{"results":[{"bulkId":"BULK-ID-123-xyz","price":{"pricePerMessage":0.01,"#,
    r#""currency":"EUR"},"status":{"groupId":3,"groupName":"DELIVERED","id":5,"#,
    r#""name":"DELIVERED_TO_HANDSET","description":"Message delivered to handset"},"#,
    r#""error":{"groupId":0,"groupName":"OK","id":0,"name":"NO_ERROR","#,
    r#""description":"No Error","permanent":false},"messageId":"MESSAGE-ID-123-xyz","#,
    r#""to":"447700900143","sender":"InfoSMS","sentAt":"2019-11-09T16:00:00.000+0100","#,
    r#""doneAt":"2019-11-09T16:00:00.000+0100","messageCount":1}]}"#,
);
const TWILIO: &str = concat!(
    "ApiVersion=2010-04-01&MessageStatus=delivered&",
    "SmsSid=SM0123456789abcdef0123456789abcdef&SmsStatus=delivered&To=%2B12025550143&",
    "From=%2B12025550100&MessageSid=SM0123456789abcdef0123456789abcdef&",
    "AccountSid=AC0123456789abcdef0123456789abcdef&RawDlrDoneDate=2611201204",
);
const RBM_INNER: &str = concat!(
    r#"{"senderPhoneNumber":"+12025550143","eventType":"DELIVERED","eventId":"ev-0123456789","#,
    r#""messageId":"rbm-0123456789","agentId":"agent@rbm.goog","#,
    r#""sendTime":"2026-11-20T12:00:03.045123Z"}"#,
);
const WHATSAPP: &str = concat!(
    r#"{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"#,
    r#""value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","#,
    r#""phone_number_id":"106540352242922"},"statuses":[{"id":"#,
    r#""wamid.HBgMNDQ3NzAwOTAwMTQzFQIAERgSN0Y0QjAwRDNEQUMyQzAwOQA=","status":"delivered","#,
    r#""timestamp":"1795176003","recipient_id":"447700900143","conversation":{"id":"c-1","#,
    r#""origin":{"type":"utility"}},"pricing":{"billable":true,"pricing_model":"PMP","#,
    r#""category":"utility","type":"regular"}}]},"field":"messages"}]}]}"#,
);
const APNS: &str = concat!(
    r#"{"apns_id":"8f6cd8f1-27d3-4e5b-8a1e-0123456789ab","status":200,"topic":"com.example.app","#,
    r#""push_type":"alert","token_hash":"#,
    r#""abababababababababababababababababababababababababababababababab","#,
    r#""sent_at":"2026-11-20T12:00:00.100Z"}"#,
);
const FCM: &str = concat!(
    r#"{"request":{"message":{"token":"fcm-device-token-143","notification":{"body":"words"},"#,
    r#""fcm_options":{"analytics_label":"promo_a"}}},"status":200,"#,
    r#""headers":{"date":"Fri, 20 Nov 2026 12:00:01 GMT"},"#,
    r#""body":{"name":"projects/demo/messages/0:1795176000000000%a1"}}"#,
);
const CLOUDEVENTS: &str = concat!(
    r#"{"specversion":"1.0","id":"evt-1","source":"/apps/ios/inapp","#,
    r#""type":"com.example.messaging.delivered","subject":"app-1","#,
    r#""time":"2026-11-20T12:03:11.482Z","data":{"message_id":"app-1","channel":"inapp","#,
    r#""provider":"own","recipient_ref":"user-143","status":"delivered","billing":{"units":1,"#,
    r#""unit":"Messages","price":{"amount":"0.000500","currency":"USD"}}}}"#,
);

/// A payload that lies in a file of its own.
macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("payloads/", $name)).trim_end()
    };
}

const fn payload(
    source: Source,
    variant: &'static str,
    text: String,
    typed: fn(&str),
    parser: &'static str,
) -> Payload {
    Payload { source, variant, text, typed, parser }
}

fn json(source: Source, text: &str, typed: fn(&str)) -> Payload {
    payload(source, "", text.to_owned(), typed, "sonic-rs")
}

fn form(source: Source, text: &str, typed: fn(&str)) -> Payload {
    payload(source, " form", text.to_owned(), typed, "form_urlencoded")
}

/// All of them, in the order of the table of sources.
pub(crate) fn all() -> Vec<Payload> {
    let mut all = messaging();
    all.extend(more());
    all
}

fn messaging() -> Vec<Payload> {
    let data = BASE64_STANDARD.encode(RBM_INNER);
    let envelope = [
        r#"{"message":{"data":""#,
        &data,
        r#"","attributes":{"type":"event"},"messageId":"1","publishTime":"2026-11-20T12:00:10Z"},"#,
        r#""subscription":"projects/p/subscriptions/s"}"#,
    ]
    .concat();
    let (csv, receipt) = (file!("vonage_report.csv"), file!("smpp_receipt.txt"));
    vec![
        form(Source::Twilio, TWILIO, texts::twilio),
        json(Source::Infobip, INFOBIP, infobip),
        json(Source::Sinch, file!("sinch.json"), |text| typed::<aggregators::Sinch<'_>>(text)),
        json(Source::Vonage, file!("vonage.json"), |text| typed::<aggregators::Vonage<'_>>(text)),
        form(Source::Vonage, file!("vonage_form.txt"), texts::vonage),
        payload(Source::Vonage, " report", csv.to_owned(), texts::vonage_report, "csv"),
        json(Source::Telnyx, file!("telnyx.json"), |text| typed::<aggregators::Telnyx<'_>>(text)),
        form(Source::Plivo, file!("plivo.txt"), texts::plivo),
        form(Source::Messagebird, file!("messagebird.txt"), texts::messagebird),
        json(Source::Bird, file!("bird.json"), |text| typed::<aggregators::Bird<'_>>(text)),
        json(Source::Bandwidth, file!("bandwidth.json"), |text| {
            typed::<[aggregators::Bandwidth<'_>; 1]>(text);
        }),
        json(Source::Gupshup, file!("gupshup.json"), |text| {
            typed::<aggregators::Gupshup<'_>>(text);
        }),
        form(Source::Kaleyra, file!("kaleyra.txt"), texts::kaleyra),
        payload(Source::GoogleRbm, "", envelope, rbm, "sonic-rs, base64, sonic-rs"),
        json(Source::GsmaMaap, file!("gsma_maap.json"), |text| {
            typed::<aggregators::GsmaMaap<'_>>(text);
        }),
        payload(Source::Smpp, " receipt", receipt.to_owned(), texts::receipt, "split by its words"),
        payload(Source::Smpp, " pdu", file!("smpp_pdu.json").to_owned(), pdu, "sonic-rs, split"),
        json(Source::Whatsapp, WHATSAPP, whatsapp),
    ]
}

fn more() -> Vec<Payload> {
    vec![
        json(Source::AwsEum, file!("aws_eum.json"), |text| typed::<platforms::AwsEum<'_>>(text)),
        json(Source::AwsPinpoint, file!("aws_pinpoint.json"), |text| {
            typed::<platforms::AwsPinpoint<'_>>(text);
        }),
        json(Source::AwsSns, file!("aws_sns.json"), |text| typed::<platforms::AwsSns<'_>>(text)),
        json(Source::AzureAcs, file!("azure_acs.json"), |text| {
            typed::<[platforms::AzureAcs<'_>; 1]>(text);
        }),
        json(Source::Fcm, FCM, fcm),
        json(Source::Apns, APNS, apns),
        json(Source::Webpush, file!("webpush.json"), |text| {
            typed::<platforms::Webpush<'_>>(text);
        }),
        json(Source::Onesignal, file!("onesignal.json"), |text| {
            typed::<platforms::Onesignal<'_>>(text);
        }),
        json(Source::Braze, file!("braze.json"), |text| typed::<platforms::Braze<'_>>(text)),
        json(Source::Cloudevents, CLOUDEVENTS, cloudevents),
    ]
}

/// Parses typed; a payload that does not fit its struct is a mistake in this file.
fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> T {
    match sonic_rs::from_str(text) {
        Ok(typed) => typed,
        Err(error) => panic!("the baseline does not parse: {error}: {text}"),
    }
}

fn typed<'a, T: Deserialize<'a>>(text: &'a str) {
    black_box(parse::<T>(text));
}

pub(crate) fn infobip(text: &str) {
    black_box(parse::<shapes::Reports<'_>>(text));
}

fn whatsapp(text: &str) {
    black_box(parse::<shapes::Whatsapp<'_>>(text));
}

fn apns(text: &str) {
    black_box(parse::<shapes::Apns<'_>>(text));
}

fn fcm(text: &str) {
    black_box(parse::<shapes::Fcm<'_>>(text));
}

fn cloudevents(text: &str) {
    black_box(parse::<shapes::CloudEvent<'_>>(text));
}

fn rbm(text: &str) {
    let outer = parse::<shapes::PubSub<'_>>(text);
    let inner = BASE64_STANDARD.decode(outer.message.data.as_bytes()).unwrap_or_default();
    black_box(parse::<shapes::RbmEvent<'_>>(std::str::from_utf8(&inner).unwrap_or_default()));
    black_box(outer);
}

/// A PDU as the bridge's JSON has it, and the receipt inside.
fn pdu(text: &str) {
    let pdu = parse::<aggregators::SmppPdu<'_>>(text);
    texts::receipt(pdu.smpp.short_message);
    black_box(pdu);
}

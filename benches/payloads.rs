//! One payload a source, of the commonest kind, each with the typed parse that its budget is
//! measured against: `sonic-rs` into a struct of the payload's own fields, or a form parser.
//!
//! The structs (`shapes.rs`) have every field of their payload, borrowed from it: what a careful
//! hand-written consumer of this one shape would do, and no more.

use std::hint::black_box;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::vocabulary::Source;
use serde::Deserialize;

use crate::shapes;

/// A payload and its baseline.
pub(crate) struct Payload {
    pub(crate) source: Source,
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

/// All of them, in the order of the table of sources.
pub(crate) fn all() -> Vec<Payload> {
    let json = |source, text: &str, typed| Payload {
        source,
        text: text.to_owned(),
        typed,
        parser: "sonic-rs",
    };
    let data = BASE64_STANDARD.encode(RBM_INNER);
    let envelope = [
        r#"{"message":{"data":""#,
        &data,
        r#"","attributes":{"type":"event"},"messageId":"1","publishTime":"2026-11-20T12:00:10Z"},"#,
        r#""subscription":"projects/p/subscriptions/s"}"#,
    ]
    .concat();
    let twilio = Payload {
        source: Source::Twilio,
        text: TWILIO.to_owned(),
        typed: form,
        parser: "form_urlencoded",
    };
    let rbm = Payload {
        source: Source::GoogleRbm,
        text: envelope,
        typed: rbm,
        parser: "sonic-rs, base64, sonic-rs",
    };
    vec![
        json(Source::Infobip, INFOBIP, infobip),
        twilio,
        rbm,
        json(Source::Whatsapp, WHATSAPP, whatsapp),
        json(Source::Apns, APNS, apns),
        json(Source::Fcm, FCM, fcm),
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

/// Decodes every pair of a form.
fn form(text: &str) {
    for pair in form_urlencoded::parse(text.as_bytes()) {
        black_box(pair);
    }
}

//! Which request headers a record has to keep: whoever forwards webhooks to Kafka copies these.
//!
//! A header that is in no list is not kept, so that nothing which a proxy or a vendor adds by the
//! way (cookies, addresses) is stored with the records.

use model::vocabulary::Source;

const TWILIO: &[&str] = &["x-twilio-signature"];
const SINCH: &[&str] = &[
    "x-sinch-webhook-signature",
    "x-sinch-webhook-signature-nonce",
    "x-sinch-webhook-signature-timestamp",
    "x-sinch-webhook-signature-algorithm",
];
const VONAGE: &[&str] = &["authorization"];
const TELNYX: &[&str] = &["telnyx-signature-ed25519", "telnyx-timestamp"];
const PLIVO: &[&str] = &[
    "x-plivo-signature-v3",
    "x-plivo-signature-v3-nonce",
    "x-plivo-signature-v2",
    "x-plivo-signature-v2-nonce",
];
const MESSAGEBIRD: &[&str] =
    &["messagebird-signature-jwt", "messagebird-signature", "messagebird-request-timestamp"];
const BIRD: &[&str] = &["webhook-id", "webhook-timestamp", "webhook-signature"];
const GOOGLE_RBM: &[&str] = &["x-goog-signature"];
const WHATSAPP: &[&str] = &["x-hub-signature-256"];
/// The time of a notification is the mail date of its request.
const GSMA_MAAP: &[&str] = &["date"];
/// An event in binary mode has its attributes in headers.
const CLOUDEVENTS: &[&str] =
    &["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time"];

/// The headers of a source without any configuration.
pub(super) const fn documented(source: Source) -> &'static [&'static str] {
    match source {
        Source::Twilio => TWILIO,
        Source::Sinch => SINCH,
        Source::Vonage => VONAGE,
        Source::Telnyx => TELNYX,
        Source::Plivo => PLIVO,
        Source::Messagebird => MESSAGEBIRD,
        Source::Bird => BIRD,
        Source::GoogleRbm => GOOGLE_RBM,
        Source::Whatsapp => WHATSAPP,
        Source::GsmaMaap => GSMA_MAAP,
        Source::AzureAcs | Source::Cloudevents => CLOUDEVENTS,
        _ => &[],
    }
}

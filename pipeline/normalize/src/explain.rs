//! `--explain`: which field of the payload each column comes from, one table a variant.
//!
//! The tables are text for people, kept beside the adapters that they describe. Columns that no
//! table names are null for the variant or follow one rule for every source: see [`SHARED`].

use model::vocabulary::Source;

use crate::json::{Cursor, Kind};
use crate::{
    aws_eum, aws_pinpoint, aws_sns, azure_acs, bandwidth, bird, braze, gsma_maap, gupshup, kaleyra,
    messagebird, onesignal, plivo, sinch, smpp, telnyx, vonage, webpush,
};

/// A variant of a vendor's payloads and where its columns come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Which of the vendor's payloads this is.
    pub variant: &'static str,
    /// Column and the field that it comes from.
    pub columns: &'static [(&'static str, &'static str)],
}

/// Columns that come about in the same way for every source.
pub const SHARED: &[(&str, &str)] = &[
    ("message_key", "keyed hash of source, message id and what identifies a message beside it"),
    ("account", "the payload's own, else header account, else the input's"),
    ("is_final", "from the status table"),
    ("receipt_class", "from source and channel"),
    ("error_class", "from the error code's table, none on success"),
    ("ingest_time", "Kafka's timestamp, else header received-at"),
    ("recipient_token", "keyed hash of the recipient's digits, user id or device token"),
    ("recipient_prefix", "the recipient's number without its last four digits"),
    ("country", "the event's own code, else region of the number, else country of the MCC"),
    ("carrier", "the carrier's name where told, else MCC-MNC"),
    ("security", "from the channel"),
    ("payload_sha256", "the record's bytes"),
    ("verified", "header verified, else the signature where a key is configured"),
    ("verified_reason", "header, or a word of the signature check"),
];

/// Names of an object's keys that are in `wanted`, one level deep; of an array, of its first.
pub(crate) fn holds(text: &str, wanted: &str) -> bool {
    let mut cursor = Cursor::new(text);
    if cursor.kind() == Kind::Array {
        let mut first = None;
        let read = cursor.array(|cursor| {
            let raw = cursor.raw()?;
            first = first.or(Some(raw));
            Ok(())
        });
        return read.is_ok()
            && first.is_some_and(|first| !first.starts_with('[') && holds(first, wanted));
    }
    let mut found = false;
    let read = cursor.object_or_skip(|cursor, key| {
        found |= key == wanted;
        cursor.skip()
    });
    read.is_ok() && found
}

/// The explanation of one record's payload; `None` where no variant is recognised.
#[must_use]
pub fn explain(source: Source, value: &[u8]) -> Option<Explanation> {
    let text = std::str::from_utf8(value).ok()?;
    let has = |key| holds(text, key);
    let (variant, columns) = match source {
        Source::Twilio if has("specversion") => ("event stream", TWILIO_STREAM),
        Source::Twilio if has("sid") || has("messages") => ("Message resource", TWILIO_RESOURCE),
        Source::Twilio if text.contains("MessageSid") => ("status callback", TWILIO_CALLBACK),
        Source::Infobip if has("results") || has("messageId") => {
            ("delivery or seen report", INFOBIP)
        }
        Source::GoogleRbm if has("message") || has("data") => ("enveloped event", RBM_EVENT),
        Source::GoogleRbm if has("eventType") => ("decoded event", RBM_EVENT),
        Source::GoogleRbm if has("name") => ("AgentMessage", RBM_ANSWER),
        Source::GoogleRbm if has("body") || has("status") => ("answer of a send", RBM_SEND),
        Source::Whatsapp
            if ["entry", "changes", "value", "statuses", "id"].iter().any(|key| has(key)) =>
        {
            ("statuses", WHATSAPP)
        }
        Source::Apns if has("headers") || has("apns_id") || has("status") => ("answer", APNS),
        Source::Fcm if has("event") => ("export row", FCM_ROW),
        Source::Fcm if has("name") || has("error") || has("status") => ("answer", FCM_ANSWER),
        Source::Cloudevents if has("specversion") || has("message_id") => ("event", CLOUDEVENTS),
        Source::Sinch => return sinch::explain(text),
        Source::Vonage => return vonage::explain(text),
        Source::Telnyx => return telnyx::explain(text),
        Source::Plivo => return plivo::explain(text),
        Source::Messagebird => return messagebird::explain(text),
        Source::Bird => return bird::explain(text),
        Source::Bandwidth => return bandwidth::explain(text),
        Source::Gupshup => return gupshup::explain(text),
        Source::Kaleyra => return kaleyra::explain(text),
        Source::GsmaMaap => return gsma_maap::explain(text),
        Source::Smpp => return smpp::explain(text),
        Source::AwsEum => return aws_eum::explain(text),
        Source::AwsPinpoint => return aws_pinpoint::explain(text),
        Source::AwsSns => return aws_sns::explain(text),
        Source::AzureAcs => return azure_acs::explain(text),
        Source::Webpush => return webpush::explain(text),
        Source::Onesignal => return onesignal::explain(text),
        Source::Braze => return braze::explain(text),
        _ => return None,
    };
    Some(Explanation { variant, columns })
}

type Columns = &'static [(&'static str, &'static str)];

const TWILIO_CALLBACK: Columns = &[
    ("event_id", "MessageSid, MessageStatus, ErrorCode, RawDlrDoneDate"),
    ("account", "AccountSid"),
    ("message_id", "MessageSid, else SmsSid"),
    ("channel", "ChannelPrefix, else the prefix of To or From, else media, else sms"),
    ("status", "MessageStatus, else SmsStatus"),
    ("vendor_status", "MessageStatus, else SmsStatus"),
    ("error_code", "ErrorCode"),
    ("event_time", "RawDlrDoneDate in the account's zone, else the ingest time"),
    ("recipient_token", "To, else ChannelToAddress, else ExternalUserId"),
    ("sender", "From, else MessagingServiceSid"),
    ("segments", "NumSegments"),
];

const TWILIO_RESOURCE: Columns = &[
    ("event_id", "sid, status, error_code, event time, price"),
    ("account", "account_sid"),
    ("message_id", "sid"),
    ("channel", "prefix of to or from, else num_media, else sms"),
    ("status", "status"),
    ("vendor_status", "status"),
    ("error_code", "error_code"),
    ("event_time", "date_updated, else date_sent, else date_created"),
    ("submit_time", "date_created"),
    ("recipient_token", "to"),
    ("sender", "from, else messaging_service_sid"),
    ("segments", "num_segments"),
    ("price", "price, made positive"),
    ("currency", "price_unit"),
];

const TWILIO_STREAM: Columns = &[
    ("event_id", "id"),
    ("account", "data.accountSid"),
    ("message_id", "data.messageSid"),
    ("channel", "prefix of data.to or data.from, else sms"),
    ("status", "last word of type"),
    ("vendor_status", "data.messageStatus where it agrees with type, else type's last word"),
    ("error_code", "data.errorCode"),
    ("event_time", "data.timestamp, else data.dateUpdated, else time"),
    ("recipient_token", "data.to"),
    ("sender", "data.from, else data.messagingServiceSid"),
    ("segments", "data.numberOfSegments"),
];

const INFOBIP: Columns = &[
    ("event_id", "messageId, channel, status.id, doneAt or seenAt"),
    ("message_id", "messageId"),
    ("logical_id", "callbackData"),
    (
        "channel",
        "channel, else interactionType, conversation, price.trafficType, contact, else sms",
    ),
    ("status", "status.groupId and status.id, else their names; seenAt or event SEEN means read"),
    ("vendor_status", "status.name, else status.groupName, else event"),
    ("error_code", "error.id, else error.name"),
    ("event_time", "doneAt, of a seen report seenAt"),
    ("submit_time", "sentAt"),
    ("recipient_token", "to, else destination, else contact.phoneNumber or contact.userId"),
    ("mcc", "mccMnc, first three digits"),
    ("mnc", "mccMnc, the rest"),
    ("sender", "sender, else from"),
    ("campaign", "campaignReferenceId"),
    ("segments", "messageCount, else smsCount"),
    ("price", "price.pricePerMessage"),
    ("currency", "price.currency"),
];

const RBM_EVENT: Columns = &[
    ("event_id", "eventId"),
    ("message_id", "messageId"),
    ("status", "eventType"),
    ("vendor_status", "eventType"),
    ("event_time", "sendTime"),
    ("recipient_token", "senderPhoneNumber, of server events phoneNumber"),
    ("sender", "agentId"),
];

const RBM_ANSWER: Columns = &[
    ("event_id", "message key and sendTime"),
    ("message_id", "name, last segment"),
    ("status", "accepted: the send was answered"),
    ("event_time", "sendTime"),
    ("submit_time", "sendTime"),
    ("recipient_token", "name, second segment"),
    ("carrier", "carrier"),
    ("segments", "richMessageClassification.segmentCount"),
    ("traffic_class", "messageTrafficType"),
];

const RBM_SEND: Columns = &[
    ("event_id", "of a refused send: message key, error.status or status, error.code"),
    ("message_id", "body.name, last segment, else request.messageId or that of the request's url"),
    ("status", "200 means accepted, else failed"),
    ("vendor_status", "error.status, else status"),
    ("error_code", "error.code, else status"),
    ("event_time", "body.sendTime, of a refused send header Date"),
    ("submit_time", "body.sendTime"),
    ("recipient_token", "body.name, second segment, else phones of the request's url"),
    ("carrier", "body.carrier"),
    ("sender", "agentId of the request's url"),
    ("segments", "body.richMessageClassification.segmentCount"),
];

const WHATSAPP: Columns = &[
    ("event_id", "id, status, recipient_participant_id"),
    ("account", "entry.id"),
    ("message_id", "statuses.id, hashed where it holds a number"),
    ("logical_id", "statuses.biz_opaque_callback_data"),
    ("status", "statuses.status, of failed by errors.code"),
    ("vendor_status", "statuses.status"),
    ("error_code", "errors.code of the first error"),
    ("event_time", "statuses.timestamp"),
    ("recipient_token", "recipient_participant_id, else recipient_id, else recipient_user_id"),
    ("sender", "metadata.display_phone_number"),
    ("traffic_class", "pricing.category, else conversation.origin.type"),
];

const APNS: Columns = &[
    ("event_id", "message id, reason or status, the 410's timestamp"),
    ("message_id", "headers.apns-id, else apns_id, else that of the request, else apns-request-id"),
    ("status", "status, else headers.:status"),
    ("vendor_status", "reason, else status"),
    ("error_code", "reason"),
    ("event_time", "the 410's timestamp, unless a day older than the ingest; else header Date"),
    ("submit_time", "sent_at"),
    ("recipient_token", "token_hash, else the request's token or path"),
    ("sender", "topic, else the request's apns-topic"),
];

const FCM_ANSWER: Columns = &[
    ("event_id", "message key, error, status"),
    ("account", "project in name, else in the request's url"),
    ("message_id", "name, last segment, else request.message_id or request.id"),
    ("status", "name means accepted, else error.details.errorCode, else the HTTP status"),
    ("vendor_status", "error.details.errorCode, else error.status, else status"),
    ("error_code", "error.details.errorCode, else error.status"),
    ("event_time", "header Date"),
    ("submit_time", "sent_at, else request.sent_at"),
    ("recipient_token", "request.message.token or fid"),
    ("campaign", "request.message.fcm_options.analytics_label"),
];

const FCM_ROW: Columns = &[
    ("event_id", "message_id, event, event_timestamp, instance_id"),
    ("account", "project_number"),
    ("message_id", "message_id"),
    ("status", "event"),
    ("vendor_status", "event"),
    ("error_code", "event, where it is an error"),
    ("event_time", "event_timestamp"),
    ("recipient_token", "instance_id"),
    ("sender", "app_name"),
    ("campaign", "analytics_label"),
];

const CLOUDEVENTS: Columns = &[
    ("event_id", "source and id"),
    ("message_id", "data.message_id"),
    ("logical_id", "data.logical_id"),
    ("channel", "data.channel"),
    ("status", "data.status, else the last word of type"),
    ("vendor_status", "data.status, else the last word of type"),
    ("error_code", "data.error.code"),
    ("event_time", "time"),
    ("recipient_token", "data.recipient_ref"),
    ("sender", "data.sender, else source"),
    ("traffic_class", "data.traffic_class"),
    ("campaign", "data.campaign"),
    ("segments", "data.billing.units, where data.billing.unit says segments"),
    ("price", "data.billing.price.amount"),
    ("currency", "data.billing.price.currency"),
];

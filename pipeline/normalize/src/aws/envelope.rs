//! The keys of Amazon's envelopes: what is opened, and what is known and not needed.
//!
//! Only when an object has been read is it clear whether it was an envelope or the event itself, so
//! keys that open nothing wait until then.

use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};

use super::Trail;

/// Fields that Amazon documents of its envelopes and nobody needs.
pub(crate) const ENVELOPE_FIELDS: &[&str] = &[
    "@ingestionTime",
    "@log",
    "@logStream",
    "@ptr",
    "@timestamp",
    "Attributes",
    "EventSource",
    "EventSubscriptionArn",
    "EventVersion",
    "MD5OfBody",
    "MD5OfMessageAttributes",
    "MessageAttributes",
    "MessageId",
    "ReceiptHandle",
    "Signature",
    "SignatureVersion",
    "SigningCertURL",
    "SigningCertUrl",
    "Subject",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "UnsubscribeURL",
    "UnsubscribeUrl",
    "approximateArrivalTimestamp",
    "attributes",
    "awsRegion",
    "deliveryStreamArn",
    "detail-type",
    "eventID",
    "eventName",
    "eventSource",
    "eventSourceARN",
    "eventVersion",
    "ingestionTime",
    "invocationId",
    "invokeIdentityArn",
    "kinesisRecordMetadata",
    "kinesisSchemaVersion",
    "logGroup",
    "logGroupIdentifier",
    "logStream",
    "logStreamName",
    "md5OfBody",
    "md5OfMessageAttributes",
    "messageAttributes",
    "messageId",
    "nextBackwardToken",
    "nextForwardToken",
    "nextToken",
    "partitionKey",
    "receiptHandle",
    "recordId",
    "region",
    "replay-name",
    "resources",
    "searchedLogStreams",
    "sequenceNumber",
    "source",
    "sourceKinesisStreamArn",
    "subscriptionFilters",
    "time",
    "timestamp",
    "version",
];

/// Keys of an object that is perhaps an envelope; those behind the last place are not counted.
#[derive(Debug, Default)]
pub(super) struct Others<'a> {
    keys: [&'a str; 16],
    len: usize,
}

impl<'a> Others<'a> {
    fn push(&mut self, key: &'a str) {
        if let Some(slot) = self.keys.get_mut(self.len) {
            *slot = key;
            self.len += 1;
        }
    }

    /// It is one.
    pub(super) fn tell(&self, trail: &Trail<'_>, out: &Emitter<'_>) {
        let parent = trail.step.trim_start_matches('/');
        self.keys.iter().take(self.len).for_each(|key| out.drift.other(parent, key));
    }
}

/// Keys of all envelopes; parts are JSON text.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    pub(super) kind: Scalar<'a>,
    pub(super) sns_message: Option<&'a str>,
    pub(super) topic: Scalar<'a>,
    pub(super) sns: Option<&'a str>,
    pub(super) records: Option<&'a str>,
    pub(super) body: Scalar<'a>,
    pub(super) detail: Option<&'a str>,
    pub(super) account: Scalar<'a>,
    pub(super) awslogs: Option<&'a str>,
    pub(super) kinesis: Option<&'a str>,
    pub(super) data: Scalar<'a>,
    pub(super) message_type: Scalar<'a>,
    pub(super) log_events: Option<&'a str>,
    pub(super) log_message: Scalar<'a>,
    pub(super) id: Scalar<'a>,
    /// It says of itself that it is an event.
    pub(super) is_event: bool,
    pub(super) others: Others<'a>,
}

impl Envelope<'_> {
    /// There is something in it to be opened.
    pub(super) fn is_one(&self) -> bool {
        let parts = [self.sns_message, self.sns, self.records, self.detail];
        let others = [self.awslogs, self.kinesis, self.log_events];
        let words = matches!(
            self.kind.text(),
            Some("SubscriptionConfirmation" | "UnsubscribeConfirmation")
        );
        let is_text = |field: &Scalar<'_>| matches!(field, Scalar::Text(_));
        parts.iter().chain(&others).any(Option::is_some)
            || words
            || self.message_type.text() == Some("CONTROL_MESSAGE")
            || self.data.is_present()
            || is_text(&self.log_message)
            || is_text(&self.body)
    }
}

/// What only events have, and envelopes not.
pub(super) fn is_event_key(key: &str) -> bool {
    matches!(key, "eventType" | "event_type" | "notification")
}

/// Takes one key of an object that is an envelope or an event.
pub(super) fn field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    envelope: &mut Envelope<'a>,
) -> Result<(), Syntax> {
    let part = match key {
        "Message" => &mut envelope.sns_message,
        "Sns" => &mut envelope.sns,
        "Records" | "records" => &mut envelope.records,
        "detail" => &mut envelope.detail,
        "awslogs" => &mut envelope.awslogs,
        "kinesis" => &mut envelope.kinesis,
        "logEvents" | "events" => &mut envelope.log_events,
        _ => {
            let slot = match key {
                "Type" => &mut envelope.kind,
                "TopicArn" => &mut envelope.topic,
                "body" | "Body" => &mut envelope.body,
                "account" | "owner" => &mut envelope.account,
                "data" => &mut envelope.data,
                "messageType" => &mut envelope.message_type,
                "message" | "@message" => &mut envelope.log_message,
                "id" | "eventId" => &mut envelope.id,
                _ if is_event_key(key) => {
                    envelope.is_event = true;
                    return cursor.skip();
                }
                _ => {
                    envelope.others.push(cursor.key_spelled());
                    return cursor.skip();
                }
            };
            *slot = cursor.scalar()?;
            return Ok(());
        }
    };
    *part = Some(cursor.raw()?);
    Ok(())
}

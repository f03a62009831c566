//! The payloads as structs, for the typed baselines: every field, borrowed from the text.
#![expect(dead_code, reason = "a typed parse reads all fields")]

pub(crate) mod aggregators;

pub(crate) mod platforms;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reports<'a> {
    #[serde(borrow)]
    pub(crate) results: Vec<Report<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    pub(crate) bulk_id: &'a str,
    #[serde(borrow)]
    pub(crate) price: Price<'a>,
    #[serde(borrow)]
    pub(crate) status: Group<'a>,
    #[serde(borrow)]
    pub(crate) error: Group<'a>,
    pub(crate) message_id: &'a str,
    pub(crate) to: &'a str,
    pub(crate) sender: &'a str,
    pub(crate) sent_at: &'a str,
    pub(crate) done_at: &'a str,
    pub(crate) message_count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Price<'a> {
    pub(crate) price_per_message: f64,
    pub(crate) currency: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group<'a> {
    pub(crate) group_id: i64,
    pub(crate) group_name: &'a str,
    pub(crate) id: i64,
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PubSub<'a> {
    #[serde(borrow)]
    pub(crate) message: PubSubMessage<'a>,
    pub(crate) subscription: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PubSubMessage<'a> {
    pub(crate) data: &'a str,
    #[serde(borrow)]
    pub(crate) attributes: Attributes<'a>,
    pub(crate) message_id: &'a str,
    pub(crate) publish_time: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Attributes<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RbmEvent<'a> {
    pub(crate) sender_phone_number: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) event_id: &'a str,
    pub(crate) message_id: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) send_time: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Whatsapp<'a> {
    pub(crate) object: &'a str,
    #[serde(borrow)]
    pub(crate) entry: Vec<Entry<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    #[serde(borrow)]
    pub(crate) changes: Vec<Change<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Change<'a> {
    #[serde(borrow)]
    pub(crate) value: Value<'a>,
    pub(crate) field: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Value<'a> {
    pub(crate) messaging_product: &'a str,
    #[serde(borrow)]
    pub(crate) metadata: Metadata<'a>,
    #[serde(borrow)]
    pub(crate) statuses: Vec<Status<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata<'a> {
    pub(crate) display_phone_number: &'a str,
    pub(crate) phone_number_id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Status<'a> {
    pub(crate) id: &'a str,
    pub(crate) status: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) recipient_id: &'a str,
    #[serde(borrow)]
    pub(crate) conversation: Conversation<'a>,
    #[serde(borrow)]
    pub(crate) pricing: Pricing<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Conversation<'a> {
    pub(crate) id: &'a str,
    #[serde(borrow)]
    pub(crate) origin: Attributes<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pricing<'a> {
    pub(crate) billable: bool,
    pub(crate) pricing_model: &'a str,
    pub(crate) category: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Apns<'a> {
    pub(crate) apns_id: &'a str,
    pub(crate) status: u16,
    pub(crate) topic: &'a str,
    pub(crate) push_type: &'a str,
    pub(crate) token_hash: &'a str,
    pub(crate) sent_at: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Fcm<'a> {
    #[serde(borrow)]
    pub(crate) request: FcmRequest<'a>,
    pub(crate) status: u16,
    #[serde(borrow)]
    pub(crate) headers: FcmHeaders<'a>,
    #[serde(borrow)]
    pub(crate) body: FcmBody<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FcmRequest<'a> {
    #[serde(borrow)]
    pub(crate) message: FcmMessage<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FcmMessage<'a> {
    pub(crate) token: &'a str,
    #[serde(borrow)]
    pub(crate) notification: FcmNotification<'a>,
    #[serde(borrow)]
    pub(crate) fcm_options: FcmOptions<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FcmNotification<'a> {
    pub(crate) body: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FcmOptions<'a> {
    pub(crate) analytics_label: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FcmHeaders<'a> {
    pub(crate) date: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FcmBody<'a> {
    pub(crate) name: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CloudEvent<'a> {
    pub(crate) specversion: &'a str,
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) time: &'a str,
    #[serde(borrow)]
    pub(crate) data: CloudEventData<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CloudEventData<'a> {
    pub(crate) message_id: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) recipient_ref: &'a str,
    pub(crate) status: &'a str,
    #[serde(borrow)]
    pub(crate) billing: Billing<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Billing<'a> {
    pub(crate) units: u32,
    pub(crate) unit: &'a str,
    #[serde(borrow)]
    pub(crate) price: Amount<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Amount<'a> {
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
}

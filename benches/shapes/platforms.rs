//! Payloads of clouds, push services and engagement platforms, as `payloads/*.json` have them.
#![expect(dead_code, reason = "a typed parse reads all fields")]

use std::borrow::Cow;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct AwsEum<'a> {
    #[serde(rename = "eventType")]
    pub(crate) event_type: &'a str,
    #[serde(rename = "eventVersion")]
    pub(crate) event_version: &'a str,
    #[serde(rename = "eventTimestamp")]
    pub(crate) event_timestamp: u64,
    #[serde(rename = "isFinal")]
    pub(crate) is_final: bool,
    #[serde(rename = "originationPhoneNumber")]
    pub(crate) origination_phone_number: &'a str,
    #[serde(rename = "destinationPhoneNumber")]
    pub(crate) destination_phone_number: &'a str,
    #[serde(rename = "isInternationalSend")]
    pub(crate) is_international_send: bool,
    pub(crate) mcc: &'a str,
    pub(crate) mnc: &'a str,
    #[serde(rename = "isoCountryCode")]
    pub(crate) iso_country_code: &'a str,
    #[serde(rename = "messageId")]
    pub(crate) message_id: &'a str,
    #[serde(rename = "messageRequestTimestamp")]
    pub(crate) message_request_timestamp: u64,
    #[serde(rename = "messageEncoding")]
    pub(crate) message_encoding: &'a str,
    #[serde(rename = "messageType")]
    pub(crate) message_type: &'a str,
    #[serde(rename = "messageStatus")]
    pub(crate) message_status: &'a str,
    #[serde(rename = "messageStatusDescription")]
    pub(crate) message_status_description: &'a str,
    #[serde(borrow)]
    pub(crate) context: AwsEumContext<'a>,
    #[serde(rename = "totalMessageParts")]
    pub(crate) total_message_parts: u64,
    #[serde(rename = "totalMessagePrice")]
    pub(crate) total_message_price: f64,
    #[serde(rename = "totalCarrierFee")]
    pub(crate) total_carrier_fee: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsEumContext<'a> {
    pub(crate) tenant: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpoint<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) event_timestamp: u64,
    pub(crate) arrival_timestamp: u64,
    pub(crate) event_version: &'a str,
    #[serde(borrow)]
    pub(crate) application: AwsPinpointApplication<'a>,
    #[serde(borrow)]
    pub(crate) client: AwsPinpointClient<'a>,
    pub(crate) device: AwsPinpointDevice,
    pub(crate) session: AwsPinpointEmpty,
    #[serde(borrow)]
    pub(crate) attributes: AwsPinpointAttributes<'a>,
    pub(crate) metrics: AwsPinpointMetrics,
    #[serde(rename = "awsAccountId")]
    pub(crate) aws_account_id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpointApplication<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) sdk: AwsPinpointEmpty,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpointEmpty {}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpointClient<'a> {
    pub(crate) client_id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpointDevice {
    pub(crate) platform: AwsPinpointEmpty,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpointAttributes<'a> {
    pub(crate) sender_request_id: &'a str,
    pub(crate) campaign_activity_id: &'a str,
    pub(crate) origination_phone_number: &'a str,
    pub(crate) destination_phone_number: &'a str,
    pub(crate) record_status: &'a str,
    pub(crate) iso_country_code: &'a str,
    pub(crate) treatment_id: &'a str,
    pub(crate) number_of_message_parts: &'a str,
    pub(crate) message_id: &'a str,
    pub(crate) message_type: &'a str,
    pub(crate) campaign_id: &'a str,
    #[serde(borrow)]
    pub(crate) customer_context: Cow<'a, str>,
    pub(crate) carrier_name: &'a str,
    pub(crate) mcc_mnc: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsPinpointMetrics {
    pub(crate) price_in_millicents_usd: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsSns<'a> {
    #[serde(borrow)]
    pub(crate) notification: AwsSnsNotification<'a>,
    #[serde(borrow)]
    pub(crate) delivery: AwsSnsDelivery<'a>,
    pub(crate) status: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsSnsNotification<'a> {
    #[serde(rename = "messageId")]
    pub(crate) message_id: &'a str,
    pub(crate) timestamp: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AwsSnsDelivery<'a> {
    #[serde(rename = "phoneCarrier")]
    pub(crate) phone_carrier: &'a str,
    pub(crate) mnc: u64,
    #[serde(rename = "numberOfMessageParts")]
    pub(crate) number_of_message_parts: u64,
    pub(crate) destination: &'a str,
    #[serde(rename = "priceInUSD")]
    pub(crate) price_in_usd: f64,
    #[serde(rename = "smsType")]
    pub(crate) sms_type: &'a str,
    pub(crate) mcc: u64,
    #[serde(rename = "providerResponse")]
    pub(crate) provider_response: &'a str,
    #[serde(rename = "dwellTimeMs")]
    pub(crate) dwell_time_ms: u64,
    #[serde(rename = "dwellTimeMsUntilDeviceAck")]
    pub(crate) dwell_time_ms_until_device_ack: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AzureAcs<'a> {
    pub(crate) id: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) subject: &'a str,
    #[serde(borrow)]
    pub(crate) data: AzureAcsData<'a>,
    #[serde(rename = "eventType")]
    pub(crate) event_type: &'a str,
    #[serde(rename = "dataVersion")]
    pub(crate) data_version: &'a str,
    #[serde(rename = "metadataVersion")]
    pub(crate) metadata_version: &'a str,
    #[serde(rename = "eventTime")]
    pub(crate) event_time: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AzureAcsData<'a> {
    #[serde(rename = "messageId")]
    pub(crate) message_id: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    #[serde(rename = "deliveryStatus")]
    pub(crate) delivery_status: &'a str,
    #[serde(rename = "deliveryStatusDetails")]
    pub(crate) delivery_status_details: &'a str,
    #[serde(rename = "receivedTimestamp")]
    pub(crate) received_timestamp: &'a str,
    #[serde(borrow, rename = "deliveryAttempts")]
    pub(crate) delivery_attempts: Vec<AzureAcsDeliveryAttempt<'a>>,
    #[serde(rename = "Tag")]
    pub(crate) tag: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AzureAcsDeliveryAttempt<'a> {
    pub(crate) timestamp: &'a str,
    #[serde(rename = "segmentsSucceeded")]
    pub(crate) segments_succeeded: u64,
    #[serde(rename = "segmentsFailed")]
    pub(crate) segments_failed: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Webpush<'a> {
    #[serde(borrow)]
    pub(crate) request: WebpushRequest<'a>,
    pub(crate) status: u64,
    #[serde(borrow)]
    pub(crate) headers: WebpushHeaders2<'a>,
    pub(crate) body: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WebpushRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    #[serde(borrow)]
    pub(crate) headers: WebpushHeaders<'a>,
    pub(crate) message_id: &'a str,
    pub(crate) sent_at: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WebpushHeaders<'a> {
    #[serde(rename = "TTL")]
    pub(crate) ttl: &'a str,
    #[serde(rename = "Urgency")]
    pub(crate) urgency: &'a str,
    #[serde(rename = "Topic")]
    pub(crate) topic: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WebpushHeaders2<'a> {
    #[serde(rename = "Location")]
    pub(crate) location: &'a str,
    #[serde(rename = "Date")]
    pub(crate) date: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Onesignal<'a> {
    #[serde(borrow)]
    pub(crate) event: OnesignalEvent<'a>,
    #[serde(borrow)]
    pub(crate) message: OnesignalMessage<'a>,
    #[serde(borrow)]
    pub(crate) user: OnesignalUser<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalEvent<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    pub(crate) timestamp: u64,
    pub(crate) datetime: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) subscription_device_type: &'a str,
    pub(crate) subscription_id: &'a str,
    pub(crate) onesignal_id: &'a str,
    pub(crate) external_id: &'a str,
    #[serde(borrow)]
    pub(crate) data: OnesignalData<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalData<'a> {
    pub(crate) failure_reason: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalMessage<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    #[serde(borrow)]
    pub(crate) title: OnesignalTitle<'a>,
    #[serde(borrow)]
    pub(crate) contents: OnesignalContents<'a>,
    pub(crate) template_id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalTitle<'a> {
    pub(crate) en: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalContents<'a> {
    pub(crate) en: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalUser<'a> {
    pub(crate) external_id: &'a str,
    pub(crate) language: &'a str,
    #[serde(borrow)]
    pub(crate) subscription: OnesignalSubscription<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OnesignalSubscription<'a> {
    pub(crate) id: &'a str,
    pub(crate) subscription_token: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Braze<'a> {
    #[serde(borrow)]
    pub(crate) events: Vec<BrazeEvent<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BrazeEvent<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) id: &'a str,
    #[serde(borrow)]
    pub(crate) user: BrazeUser<'a>,
    pub(crate) time: u64,
    #[serde(borrow)]
    pub(crate) properties: BrazeProperties<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BrazeUser<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) external_user_id: &'a str,
    pub(crate) timezone: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BrazeProperties<'a> {
    pub(crate) app_group_id: &'a str,
    pub(crate) campaign_id: &'a str,
    pub(crate) campaign_name: &'a str,
    pub(crate) send_id: &'a str,
    pub(crate) dispatch_id: &'a str,
    pub(crate) to_phone_number: &'a str,
    pub(crate) from_phone_number: &'a str,
    pub(crate) subscription_group_id: &'a str,
    pub(crate) is_sms_fallback: bool,
}

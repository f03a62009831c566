//! Payloads of aggregators and gateways, as `payloads/*.json` have them.
#![expect(dead_code, reason = "a typed parse reads all fields")]

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Sinch<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) batch_id: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) code: u64,
    pub(crate) status: &'a str,
    pub(crate) at: &'a str,
    pub(crate) operator: &'a str,
    pub(crate) operator_status_at: &'a str,
    pub(crate) applied_originator: &'a str,
    pub(crate) client_reference: &'a str,
    pub(crate) encoding: &'a str,
    pub(crate) number_of_message_parts: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Vonage<'a> {
    pub(crate) message_uuid: &'a str,
    pub(crate) to: &'a str,
    pub(crate) from: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) status: &'a str,
    pub(crate) client_ref: &'a str,
    pub(crate) channel: &'a str,
    #[serde(borrow)]
    pub(crate) usage: VonageUsage<'a>,
    #[serde(borrow)]
    pub(crate) destination: VonageDestination<'a>,
    #[serde(borrow)]
    pub(crate) sms: VonageSms<'a>,
    #[serde(borrow)]
    pub(crate) workflow: VonageWorkflow<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct VonageUsage<'a> {
    pub(crate) currency: &'a str,
    pub(crate) price: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct VonageDestination<'a> {
    pub(crate) network_code: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct VonageSms<'a> {
    pub(crate) count_total: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct VonageWorkflow<'a> {
    pub(crate) workflow_id: &'a str,
    pub(crate) items_number: &'a str,
    pub(crate) items_total: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Telnyx<'a> {
    #[serde(borrow)]
    pub(crate) data: TelnyxData<'a>,
    #[serde(borrow)]
    pub(crate) meta: TelnyxMeta<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxData<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) id: &'a str,
    pub(crate) occurred_at: &'a str,
    #[serde(borrow)]
    pub(crate) payload: TelnyxPayload<'a>,
    pub(crate) record_type: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxPayload<'a> {
    pub(crate) completed_at: &'a str,
    #[serde(borrow)]
    pub(crate) cost: TelnyxCost<'a>,
    #[serde(borrow)]
    pub(crate) cost_breakdown: TelnyxCostBreakdown<'a>,
    pub(crate) direction: &'a str,
    pub(crate) encoding: &'a str,
    #[serde(borrow)]
    pub(crate) errors: Vec<&'a str>,
    #[serde(borrow)]
    pub(crate) from: TelnyxFrom<'a>,
    pub(crate) id: &'a str,
    #[serde(borrow)]
    pub(crate) media: Vec<&'a str>,
    pub(crate) messaging_profile_id: &'a str,
    pub(crate) organization_id: &'a str,
    pub(crate) parts: u64,
    pub(crate) received_at: &'a str,
    pub(crate) record_type: &'a str,
    pub(crate) sent_at: &'a str,
    #[serde(borrow)]
    pub(crate) tags: Vec<&'a str>,
    pub(crate) text: &'a str,
    #[serde(borrow)]
    pub(crate) to: Vec<TelnyxToOne<'a>>,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) valid_until: &'a str,
    pub(crate) tcr_campaign_id: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxCost<'a> {
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxCostBreakdown<'a> {
    #[serde(borrow)]
    pub(crate) carrier_fee: TelnyxCarrierFee<'a>,
    #[serde(borrow)]
    pub(crate) rate: TelnyxRate<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxCarrierFee<'a> {
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxRate<'a> {
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxFrom<'a> {
    pub(crate) carrier: &'a str,
    pub(crate) line_type: &'a str,
    pub(crate) phone_number: &'a str,
    pub(crate) status: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxToOne<'a> {
    pub(crate) carrier: &'a str,
    pub(crate) line_type: &'a str,
    pub(crate) phone_number: &'a str,
    pub(crate) status: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TelnyxMeta<'a> {
    pub(crate) attempt: u64,
    pub(crate) delivered_to: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Bird<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) timestamp: &'a str,
    #[serde(borrow)]
    pub(crate) data: BirdData<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BirdData<'a> {
    pub(crate) sms_id: &'a str,
    pub(crate) workspace_id: &'a str,
    pub(crate) to: &'a str,
    pub(crate) from: &'a str,
    #[serde(borrow)]
    pub(crate) tags: Vec<BirdTag<'a>>,
    #[serde(borrow)]
    pub(crate) metadata: BirdMetadata<'a>,
    pub(crate) template_id: Option<&'a str>,
    pub(crate) carrier: Option<&'a str>,
    pub(crate) mcc_mnc: Option<&'a str>,
    #[serde(borrow)]
    pub(crate) cost: BirdCost<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BirdTag<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BirdMetadata<'a> {
    pub(crate) order: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BirdCost<'a> {
    pub(crate) amount: &'a str,
    pub(crate) currency_code: &'a str,
    pub(crate) transaction_amount: &'a str,
    pub(crate) passthrough_amount: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Bandwidth<'a> {
    pub(crate) time: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) to: &'a str,
    pub(crate) description: &'a str,
    #[serde(borrow)]
    pub(crate) message: BandwidthMessage<'a>,
    #[serde(rename = "carrierName")]
    pub(crate) carrier_name: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BandwidthMessage<'a> {
    pub(crate) id: &'a str,
    pub(crate) owner: &'a str,
    #[serde(rename = "applicationId")]
    pub(crate) application_id: &'a str,
    pub(crate) time: &'a str,
    #[serde(rename = "segmentCount")]
    pub(crate) segment_count: u64,
    pub(crate) direction: &'a str,
    #[serde(borrow)]
    pub(crate) to: Vec<&'a str>,
    pub(crate) from: &'a str,
    pub(crate) text: &'a str,
    pub(crate) tag: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Gupshup<'a> {
    pub(crate) app: &'a str,
    pub(crate) timestamp: u64,
    pub(crate) version: u64,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    #[serde(borrow)]
    pub(crate) payload: GupshupPayload<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GupshupPayload<'a> {
    pub(crate) id: &'a str,
    #[serde(rename = "gsId")]
    pub(crate) gs_id: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) destination: &'a str,
    pub(crate) payload: GupshupTime,
    #[serde(borrow)]
    pub(crate) pricing: GupshupPricing<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GupshupTime {
    pub(crate) ts: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GupshupPricing<'a> {
    pub(crate) policy: &'a str,
    pub(crate) category: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GsmaMaap<'a> {
    #[serde(borrow, rename = "deliveryInfo")]
    pub(crate) delivery_info: GsmaMaapDeliveryInfo<'a>,
    #[serde(borrow)]
    pub(crate) link: Vec<GsmaMaapLinkOne<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GsmaMaapDeliveryInfo<'a> {
    pub(crate) address: &'a str,
    #[serde(rename = "messageId")]
    pub(crate) message_id: &'a str,
    #[serde(rename = "deliveryStatus")]
    pub(crate) delivery_status: &'a str,
    pub(crate) description: &'a str,
    pub(crate) text: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GsmaMaapLinkOne<'a> {
    pub(crate) rel: &'a str,
    pub(crate) href: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SmppPdu<'a> {
    #[serde(borrow)]
    pub(crate) smpp: SmppPduSmpp<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SmppPduSmpp<'a> {
    pub(crate) system_id: &'a str,
    pub(crate) source_addr: &'a str,
    pub(crate) destination_addr: &'a str,
    pub(crate) esm_class: u64,
    pub(crate) short_message: &'a str,
    #[serde(borrow)]
    pub(crate) tlv: SmppPduTlv<'a>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SmppPduTlv<'a> {
    #[serde(rename = "0x001E")]
    pub(crate) tag_0x001_e: &'a str,
    #[serde(rename = "0x0427")]
    pub(crate) tag_0x0427: u64,
    #[serde(rename = "0x1401")]
    pub(crate) tag_0x1401: &'a str,
}

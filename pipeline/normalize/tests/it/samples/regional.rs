//! Samples of MessageBird, Bird, Bandwidth, Gupshup, Kaleyra.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("messagebird/sms_messageObject.json", &[("sms", "sent", false)], 0, &[]),
    // The query's base: its test appends the status.
    ("messagebird/status_report_get_querystring_base.txt", &[], 0, &["missing_status"]),
    ("messagebird/signature_jwt_reference_vectors.json", &[], 0, &["unknown_variant"; 43]),
    ("bird/webhook_envelope_domain_failed.json", &[], 1, &[]),
    ("bandwidth/get_messages_response.json", &[("sms", "delivered", true)], 0, &[]),
    ("bandwidth/international_dlr_buffered.json", &[("sms", "sent", false)], 0, &[]),
    ("bandwidth/international_dlr_delivered.json", &[("sms", "delivered", true)], 0, &[]),
    ("bandwidth/international_dlr_rejected.json", &[("sms", "rejected", true)], 0, &[]),
    ("bandwidth/webhook_inbound_group_mms.json", &[], 1, &[]),
    ("bandwidth/webhook_inbound_sms.json", &[], 1, &[]),
    ("bandwidth/webhook_outbound_delivired.json", &[("sms", "delivered", true)], 0, &[]),
    ("bandwidth/webhook_outbound_failed.json", &[("mms", "failed", true)], 0, &[]),
    ("bandwidth/webhook_outbound_mms_delivired.json", &[("mms", "sent", false)], 0, &[]),
    ("bandwidth/webhook_outbound_sending.json", &[("mms", "queued", false)], 0, &[]),
];

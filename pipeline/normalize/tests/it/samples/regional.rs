//! Samples of MessageBird, Bird, Bandwidth, Gupshup, Kaleyra.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("messagebird/sms_messageObject.json", &[("sms", "sent", false)], 0, &[]),
    // The query's base: its test appends the status.
    ("messagebird/status_report_get_querystring_base.txt", &[], 0, &["missing_status"]),
    ("messagebird/signature_jwt_reference_vectors.json", &[], 0, &["unknown_variant"; 43]),
    ("bird/webhook_envelope_domain_failed.json", &[], 1, &[]),
    // A template whose placeholders nobody has filled, and no record's url.
    ("gupshup/sms_dlr_get_url_template.txt", &[], 0, &["missing_id"]),
    ("gupshup/sms_dlr_post_doc_verbatim.txt", &[], 0, &["syntax"]),
    ("gupshup/whatsapp_billing_event_cbp.json", &[], 1, &[]),
    ("gupshup/whatsapp_billing_event_pmp.json", &[], 1, &[]),
    ("gupshup/whatsapp_message_event_v2_sent.json", &[("whatsapp", "sent", false)], 0, &[]),
    ("gupshup/whatsapp_v3_enqueued.json", &[("whatsapp", "queued", false)], 0, &[]),
    ("kaleyra/whatsapp_status_get_querystring.txt", &[("whatsapp", "read", true)], 0, &[]),
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

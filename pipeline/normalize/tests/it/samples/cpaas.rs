//! Samples of Sinch, Vonage, Telnyx, Plivo.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("sinch/recipient_delivery_report_sms.json", &[("sms", "sent", false)], 0, &[]),
    ("sinch/recipient_delivery_report_mms.json", &[("mms", "sent", false)], 0, &[]),
    ("sinch/delivery_report_sms_batch.json", &[("sms", "delivered", true)], 0, &[]),
    ("sinch/delivery_report_mms_batch.json", &[("mms", "delivered", true)], 0, &[]),
    (
        "sinch/list_delivery_reports_page0.json",
        &[("sms", "sent", false), ("mms", "sent", false)],
        0,
        &[],
    ),
    (
        "sinch/conversation_message_delivery_reason.json",
        &[("messenger", "delivered", true)],
        0,
        &[],
    ),
    (
        "sinch/conversation_message_delivery_whatsapp_delivered.json",
        &[("whatsapp", "delivered", true)],
        0,
        &[],
    ),
    ("sinch/conversation_message_submit_whatsapp.json", &[("whatsapp", "accepted", false)], 0, &[]),
    ("vonage/messages_v1_status_full.json", &[("sms", "sent", false)], 0, &[]),
    ("vonage/sms_dlr_doc.json", &[("sms", "delivered", true)], 0, &[]),
    ("vonage/sms_dlr_get_querystring.txt", &[("sms", "delivered", true)], 0, &[]),
    ("vonage/reports_async_response.json", &[], 1, &[]),
    ("vonage/reports_messages_csv_header_only.csv", &[], 1, &[]),
    ("vonage/signed_webhook_jwt_claims.txt", &[], 0, &["syntax"]),
    ("telnyx/mdr_message.json", &[("sms", "delivered", true)], 0, &[]),
    ("telnyx/mdr_usage_report_response.json", &[], 1, &[]),
    ("telnyx/rcs_message_finalized.json", &[("rcs", "delivered", true)], 0, &[]),
    ("telnyx/rcs_message_received.json", &[], 1, &[]),
    ("telnyx/rcs_message_received2.json", &[], 1, &[]),
    ("telnyx/rcs_message_received3.json", &[], 1, &[]),
    ("telnyx/rcs_message_received4.json", &[], 1, &[]),
    ("telnyx/send_response_real_log.json", &[("sms", "queued", false)], 0, &[]),
    ("telnyx/sms_message_finalized.json", &[("sms", "delivered", true)], 0, &[]),
    ("telnyx/sms_message_received.json", &[], 1, &[]),
    ("telnyx/sms_message_sent.json", &[("sms", "sent", false)], 0, &[]),
];

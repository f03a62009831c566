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
];

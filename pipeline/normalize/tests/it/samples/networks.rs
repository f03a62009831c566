//! Samples of GSMA MaaP, SMPP, Amazon's SMS services.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("smpp/dlr_adobe.txt", &[("sms", "delivered", true)], 0, &[]),
    ("smpp/dlr_hex_id.txt", &[("sms", "delivered", true)], 0, &[]),
    ("aws_eum/sms_text_successful.json", &[("sms", "sent", true)], 0, &[]),
    ("aws_eum/rcs_delivered.json", &[("rcs", "delivered", true)], 0, &[]),
    ("aws_eum/rcs_conversation_started.json", &[], 1, &[]),
    ("aws_eum/rcs_suggestion_inbound.json", &[], 1, &[]),
    ("aws_eum/rcs_typing_inbound.json", &[], 1, &[]),
    ("aws_sns/sms_success_doc.txt", &[], 0, &["syntax"]),
    ("aws_sns/sms_success_2018_att.json", &[("sms", "delivered", true)], 0, &[]),
    ("aws_sns/sms_success_2021_sg.json", &[("sms", "delivered", true)], 0, &[]),
    ("aws_sns/cloudwatch_subscription_envelope.json", &[("sms", "delivered", true)], 0, &[]),
    ("aws_sns/usage_report.csv.txt", &[], 3, &[]),
    ("aws_pinpoint_legacy/sms_success.json", &[("sms", "delivered", true)], 0, &[]),
    ("aws_pinpoint_legacy/sns_envelope.json", &[("sms", "sent", false)], 0, &[]),
    (
        "gsma_5g/delivery_info_notification.reconstructed.json",
        &[("rcs", "delivered", true)],
        0,
        &[],
    ),
];

//! Samples of MessageBird, Bird, Bandwidth, Gupshup, Kaleyra.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("messagebird/sms_messageObject.json", &[("sms", "sent", false)], 0, &[]),
    // The query's base: its test appends the status.
    ("messagebird/status_report_get_querystring_base.txt", &[], 0, &["missing_status"]),
    ("messagebird/signature_jwt_reference_vectors.json", &[], 0, &["unknown_variant"; 43]),
    ("bird/webhook_envelope_domain_failed.json", &[], 1, &[]),
];

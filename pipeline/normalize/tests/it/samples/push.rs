//! Samples of AWS End User Messaging and Pinpoint, Azure, Web Push, OneSignal, Braze.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("azure_acs/sms_delivery_report_received.json", &[("sms", "delivered", true)], 0, &[]),
    ("azure_acs/sms_received.json", &[], 1, &[]),
    // A transcript for people, no record.
    ("webpush/receipt_flow.reconstructed.txt", &[], 0, &["syntax"]),
    ("onesignal/bigquery_row.reconstructed.json", &[("push_fcm", "delivered", true)], 0, &[]),
    ("braze/currents_push_bounce.reconstructed.json", &[("push_fcm", "undelivered", true)], 0, &[]),
];

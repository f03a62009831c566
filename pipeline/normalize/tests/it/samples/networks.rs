//! Samples of GSMA MaaP, SMPP, AWS SNS.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[
    ("smpp/dlr_adobe.txt", &[("sms", "delivered", true)], 0, &[]),
    ("smpp/dlr_hex_id.txt", &[("sms", "delivered", true)], 0, &[]),
];

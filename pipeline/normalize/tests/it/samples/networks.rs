//! Samples of GSMA MaaP, SMPP, AWS SNS.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[];

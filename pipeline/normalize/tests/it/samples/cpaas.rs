//! Samples of Sinch, Vonage, Telnyx, Plivo.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[];

//! Samples of AWS End User Messaging and Pinpoint, Azure, Web Push, OneSignal, Braze.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[];

//! Samples of MessageBird, Bird, Bandwidth, Gupshup, Kaleyra.

use super::Row;

pub(crate) const SAMPLES: &[Row] = &[];

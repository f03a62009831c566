//! What is known of an installation's accounts and carriers: for times without a zone, and names.

use std::sync::Arc;

use crate::carriers::Carriers;
use crate::zones::Zones;

/// Zones of accounts and names of carriers.
#[derive(Debug, Clone)]
pub struct Regional {
    /// Zones of local times.
    pub zones: Zones,
    /// Names of carriers.
    pub carriers: Arc<Carriers>,
}

impl Default for Regional {
    fn default() -> Self {
        Self { zones: Zones::default(), carriers: Carriers::built_in() }
    }
}

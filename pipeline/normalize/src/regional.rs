//! What is known of an installation's accounts and carriers: for what vendors leave out, and names.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::carriers::Carriers;

/// Accounts and names of carriers.
#[derive(Debug, Clone)]
pub struct Regional {
    /// Their zones and currencies.
    pub accounts: Accounts,
    /// Names of carriers.
    pub carriers: Arc<Carriers>,
}

impl Default for Regional {
    fn default() -> Self {
        Self { accounts: Accounts::default(), carriers: Carriers::built_in() }
    }
}

//! Who carries a message, by the codes that events tell.
//!
//! ```text
//! name told ─► its one spelling   else MCC and MNC ─► the registry's name, else `219-10`
//! ```
//! Invariant: codes stay digits with their leading zeros; zeros alone are no network, and a network
//! for internal use is no carrier.

use std::sync::Arc;

use crate::carriers::Carriers;
use crate::draft::Draft;
use crate::emit::Emitter;
use crate::json::Scalar;
use crate::operators::{self, Operator};
use crate::phone::Number;

/// Who carries a message.
#[derive(Debug, Clone, Default)]
pub(crate) enum Carrier<'a> {
    #[default]
    Unknown,
    /// The one name of what the vendor tells.
    Told(Arc<str>),
    /// A network of the registry.
    Network(&'a str),
    /// `219-10`: a network that the registry does not know; how many bytes of these.
    Code([u8; 7], usize),
}

impl From<Option<Arc<str>>> for Carrier<'_> {
    fn from(told: Option<Arc<str>>) -> Self {
        told.map_or(Self::Unknown, Self::Told)
    }
}

impl<'a> Carrier<'a> {
    /// A network's, which may have no name.
    const fn named(network: &'a str) -> Self {
        if network.is_empty() { Self::Unknown } else { Self::Network(network) }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Told(name) => Some(name),
            Self::Network(name) => Some(name),
            Self::Code(code, length) => std::str::from_utf8(code.get(..*length)?).ok(),
        }
    }
}

/// Who carries a message by its network: the name that the registry's one has here, else its codes.
pub(crate) fn of_codes<'a>(
    operator: Option<&Operator>,
    codes: Option<(&str, &str)>,
    carriers: &'a Carriers,
) -> Carrier<'a> {
    match operator {
        Some(operator) => Carrier::named(carriers.of_network(operator)),
        None => codes.and_then(|(mcc, mnc)| code(mcc, mnc)).unwrap_or_default(),
    }
}

/// `219-10`: what a network without a name is known as.
fn code(mcc: &str, mnc: &str) -> Option<Carrier<'static>> {
    let (mcc, mnc) = (mcc.as_bytes(), mnc.as_bytes());
    let (mut code, end) = (*b"000-000", 4 + mnc.len());
    code.get_mut(..3)?.copy_from_slice(mcc.get(..3)?);
    code.get_mut(4..end)?.copy_from_slice(mnc);
    Some(Carrier::Code(code, end))
}

/// The country of the recipient's number, else of its network.
pub(crate) fn derived_country(
    draft: &Draft<'_>,
    number: Option<&Number>,
    operator: Option<Operator>,
) -> Option<&'static str> {
    let of_network = || operator.and_then(|operator| operator.country);
    let of_code = || draft.mcc.and_then(operators::country);
    number.and_then(Number::region).or_else(of_network).or_else(of_code)
}

/// Splits `21910` into MCC and MNC; unknown (zeros) and misspelled ones are `None`.
pub(crate) fn split_network(code: &str) -> Option<(&str, &str)> {
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !matches!(code.len(), 5 | 6) || code.starts_with("000") {
        return None;
    }
    Some(code.split_at(3))
}

impl Emitter<'_> {
    /// A code of a network or its country, three digits at most; zeros are none.
    pub(crate) fn network_code<'v>(&mut self, field: &'v Scalar<'_>) -> Option<&'v str> {
        let code = self.text(field)?;
        let is_code = code.len() <= 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        self.counters.unreadable_fields += u64::from(!is_code);
        (is_code && code != "0" && code != "000").then_some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_networks_are_split_after_the_country() {
        assert_eq!(split_network("21910"), Some(("219", "10")));
        assert_eq!(split_network("310090"), Some(("310", "090")));
        assert_eq!(split_network("00000"), None);
        assert_eq!(split_network("2191a"), None);
    }
}

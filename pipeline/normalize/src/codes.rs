//! Codes of countries (ISO 3166) and currencies (ISO 4217), as vendors spell them.
//!
//! Invariant: a code that is shown is letters in upper case; what is none is null and counted.

use crate::draft::Draft;
use crate::emit::Emitter;

impl<'e> Emitter<'e> {
    /// The currency of an event: the told one, else the one that is configured for its price.
    pub(crate) fn currency<'b>(
        &mut self,
        draft: &Draft<'b>,
        buffer: &'b mut [u8; 3],
    ) -> Option<&'b str>
    where
        'e: 'b,
    {
        match (not_blank(draft.currency), draft.price) {
            (Some(told), _) => self.told_currency(Some(told), buffer),
            (None, Some(_)) => self.configured_currency(draft.account),
            (None, None) => None,
        }
    }

    /// A country's code in upper case; what is none is counted.
    pub(crate) fn told_country<'b>(
        &mut self,
        told: Option<&'b str>,
        buffer: &'b mut [u8; 2],
    ) -> Option<&'b str> {
        let country = upper_case(told?, buffer);
        self.counters.unreadable_fields += u64::from(country.is_none());
        country
    }

    /// A currency in upper case; what is none is counted.
    pub(crate) fn told_currency<'b>(
        &mut self,
        told: Option<&'b str>,
        buffer: &'b mut [u8; 3],
    ) -> Option<&'b str> {
        let currency = currency_code(not_blank(told)?, buffer);
        self.counters.unreadable_fields += u64::from(currency.is_none());
        currency
    }

    /// Currency of a price that is told without one.
    pub(crate) fn configured_currency(&self, account: Option<&str>) -> Option<&'e str> {
        let account = account.or(self.origin.account);
        self.regional.accounts.currency(self.origin.source, account)
    }
}

/// A code that is told: spaces are none.
pub(crate) fn not_blank(told: Option<&str>) -> Option<&str> {
    told.filter(|told| !told.trim_ascii().is_empty())
}

/// A currency in upper case, which may have spaces around it.
pub(crate) fn currency_code<'b>(told: &'b str, buffer: &'b mut [u8; 3]) -> Option<&'b str> {
    upper_case(if told.len() == 3 { told } else { told.trim_ascii() }, buffer)
}

/// A code of ISO 4217 or 3166 in upper case; anything but letters of that number is none.
pub(crate) fn upper_case<'b, const N: usize>(
    code: &'b str,
    buffer: &'b mut [u8; N],
) -> Option<&'b str> {
    if code.len() == N && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Some(code);
    }
    buffer.copy_from_slice(code.as_bytes().get(..N).filter(|_| code.len() == N)?);
    buffer.make_ascii_uppercase();
    let letters = buffer.iter().all(u8::is_ascii_uppercase);
    if letters { std::str::from_utf8(buffer).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_letters_in_upper_case() {
        assert_eq!(upper_case("usd", &mut [0; 3]), Some("USD"));
        assert_eq!(upper_case("euros", &mut [0; 3]), None);
        assert_eq!(upper_case("é1", &mut [0; 3]), None);
    }
}

//! What is configured of accounts because vendors do not tell it: the zone of times, the currency
//! of prices, what an SMSC means by ACCEPTD and where it tells the network.
//!
//! A time without a zone is read by the one of its account, else of its source, else by the one
//! that the vendor documents, else as UTC. A price has the currency that it is told with, else the
//! one that the vendor documents, else that of its account, else of its source, else none.
//! Identities hold neither: another configuration makes no new events.

use model::vocabulary::{Source, Status};

use crate::codes::upper_case;
use crate::zones::Zone;

/// A currency's code of ISO 4217, upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency(String);

impl Currency {
    /// From three letters.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        upper_case(code, &mut [0; 3]).map(|code| Self(code.to_owned()))
    }
}

/// What is known of whose events.
#[derive(Debug, Clone, Default)]
pub struct AccountRule {
    /// Source; `None` for all.
    pub source: Option<Source>,
    /// Account; `None` for all that have no rule of their own.
    pub account: Option<String>,
    /// Zone of its local times.
    pub zone: Option<Zone>,
    /// Currency of its prices.
    pub currency: Option<Currency>,
    /// SMPP: the status that its SMSC means by ACCEPTD, without it `accepted`.
    pub acceptd: Option<Status>,
    /// SMPP: the optional parameter that holds MCC and MNC as digits.
    pub network_tlv: Option<u16>,
}

/// The configured accounts.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Vec<AccountRule>);

impl Accounts {
    /// From rules of which no two name the same source and account.
    #[must_use]
    pub fn new(mut rules: Vec<AccountRule>) -> Self {
        rules.sort_by_key(|rule| (rule.account.is_none(), rule.source.is_none()));
        Self(rules)
    }

    /// Zone of an account's local times.
    pub(crate) fn zone(&self, source: Source, account: Option<&str>) -> Option<Zone> {
        self.rules(source, account).find_map(|rule| rule.zone)
    }

    /// Currency of an account's prices.
    pub(crate) fn currency(&self, source: Source, account: Option<&str>) -> Option<&str> {
        let told = self.rules(source, account).find_map(|rule| rule.currency.as_ref());
        told.map(|currency| currency.0.as_str())
    }

    /// What an account's SMSC means by ACCEPTD.
    pub(crate) fn acceptd(&self, source: Source, account: Option<&str>) -> Option<Status> {
        self.rules(source, account).find_map(|rule| rule.acceptd)
    }

    /// Which parameter of an account's receipts tells the network.
    pub(crate) fn network_tlv(&self, source: Source, account: Option<&str>) -> Option<u16> {
        self.rules(source, account).find_map(|rule| rule.network_tlv)
    }

    /// Whether that is any account's.
    pub(crate) fn is_network_tlv(&self, tag: u16) -> bool {
        self.0.iter().any(|rule| rule.network_tlv == Some(tag))
    }

    /// Those that are meant, the account's own first.
    fn rules(&self, source: Source, account: Option<&str>) -> impl Iterator<Item = &AccountRule> {
        self.0.iter().filter(move |rule| {
            rule.source.is_none_or(|of| of == source)
                && rule.account.as_deref().is_none_or(|of| account == Some(of))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_own_rule_stands_before_its_sources_and_that_before_all() {
        let rule = |source, account: Option<&str>, zone, currency: Option<&str>| AccountRule {
            source,
            account: account.map(str::to_owned),
            zone: Zone::parse(zone),
            currency: currency.and_then(Currency::parse),
            ..AccountRule::default()
        };
        let accounts = Accounts::new(vec![
            rule(None, None, "UTC", None),
            rule(Some(Source::Smpp), None, "Asia/Dubai", Some("usd")),
            rule(Some(Source::Smpp), Some("bulk"), "Asia/Tokyo", None),
        ]);
        let of = |source, account, zone, currency| {
            assert_eq!(accounts.zone(source, account), Zone::parse(zone), "{source} {account:?}");
            assert_eq!(accounts.currency(source, account), currency, "{source} {account:?}");
        };
        of(Source::Smpp, Some("bulk"), "Asia/Tokyo", Some("USD"));
        of(Source::Smpp, Some("other"), "Asia/Dubai", Some("USD"));
        of(Source::Smpp, None, "Asia/Dubai", Some("USD"));
        of(Source::Twilio, Some("bulk"), "UTC", None);
        assert_eq!(Accounts::default().zone(Source::Twilio, None), None);
        assert_eq!(Currency::parse("euro"), None);
    }
}

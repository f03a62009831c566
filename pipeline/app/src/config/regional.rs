//! `[[accounts]]` and `[carriers]`: zones of local times, currencies, and names of carriers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::vocabulary::{Source, Status};
use normalize::{AccountRule, Accounts, Carriers, Currency, Regional, Zone};
use serde::Deserialize;

use super::known_source;
use crate::cli::Assumptions;
use crate::failure::{Failure, Outcome};

/// What is known of an account, or of all accounts of a source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    /// Whose account.
    source: String,
    /// As the events name it; without it any that has no entry of its own.
    account: Option<String>,
    /// IANA zone of the times that are told without one, such as `Europe/Berlin`.
    zone: Option<String>,
    /// Currency of the prices that are told without one: a code of ISO 4217, such as `EUR`.
    currency: Option<String>,
    /// SMPP: what its SMSC means by ACCEPTD: `accepted`, `queued`, `sent`, `delivered`.
    acceptd: Option<String>,
    /// SMPP: tag of the optional parameter that holds MCC and MNC, such as `0x1401`.
    network_tlv: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCarriers {
    /// Rows `name,country,carrier` that stand before those of schemas/carriers.csv.
    file: Option<PathBuf>,
}

/// The configured ones.
pub(super) fn read(accounts: &[RawAccount], carriers: &RawCarriers) -> Outcome<Arc<Regional>> {
    let carriers = names("[carriers] file", carriers.file.as_deref())?;
    Ok(Arc::new(Regional { accounts: Accounts::new(rules(accounts)?), carriers }))
}

fn rules(accounts: &[RawAccount]) -> Outcome<Vec<AccountRule>> {
    let mut rules: Vec<AccountRule> = Vec::with_capacity(accounts.len());
    for raw in accounts {
        let source = Some(known_source("[[accounts]]", &raw.source)?);
        let whose = raw.account.as_deref().unwrap_or("any account");
        if rules.iter().any(|rule| rule.source == source && rule.account == raw.account) {
            return Err(Failure::usage(format!(
                "[[accounts]] names {whose} of {} twice: make one entry of them",
                raw.source
            )));
        }
        let is_smpps = raw.acceptd.is_some() || raw.network_tlv.is_some();
        if is_smpps && source != Some(Source::Smpp) {
            return Err(Failure::usage(format!(
                "[[accounts]] of {}: `acceptd` and `network_tlv` are SMPP's",
                raw.source
            )));
        }
        if !is_smpps && raw.zone.is_none() && raw.currency.is_none() {
            return Err(Failure::usage(format!(
                "[[accounts]] says nothing of {whose} of {}: give `zone` or `currency`",
                raw.source
            )));
        }
        let zone = raw.zone.as_deref().map(|name| zone("[[accounts]] zone", name)).transpose()?;
        let code = raw.currency.as_deref();
        let currency = code.map(|code| currency("[[accounts]] currency", code)).transpose()?;
        let account = raw.account.clone();
        let acceptd = raw.acceptd.as_deref().map(acceptd).transpose()?;
        let network_tlv = raw.network_tlv.as_deref().map(tag).transpose()?;
        rules.push(AccountRule { source, account, zone, currency, acceptd, network_tlv });
    }
    Ok(rules)
}

/// Those of a command that reads files: its flags are for accounts that have no entry, but for the
/// names of carriers, of which there is one file.
pub(super) fn of_files(
    accounts: &[RawAccount],
    carriers: &RawCarriers,
    told: &Assumptions,
) -> Outcome<Arc<Regional>> {
    let zone = told.zone.as_deref().map(|name| zone("--zone", name)).transpose()?;
    let code = told.currency.as_deref();
    let currency = code.map(|code| currency("--currency", code)).transpose()?;
    let mut rules = rules(accounts)?;
    rules.push(AccountRule { zone, currency, ..AccountRule::default() });
    let carriers = match told.carriers.as_deref() {
        None => names("[carriers] file", carriers.file.as_deref())?,
        file => names("--carriers", file)?,
    };
    Ok(Arc::new(Regional { accounts: Accounts::new(rules), carriers }))
}

fn zone(key: &str, name: &str) -> Outcome<Zone> {
    Zone::parse(name).ok_or_else(|| {
        Failure::usage(format!(
            "{key} is `{name}`; it has to be a name of the IANA database, such as Europe/Berlin"
        ))
    })
}

fn currency(key: &str, code: &str) -> Outcome<Currency> {
    Currency::parse(code).ok_or_else(|| {
        Failure::usage(format!("{key} is `{code}`; it has to be a code of ISO 4217, such as EUR"))
    })
}

fn acceptd(word: &str) -> Outcome<Status> {
    let known = ["accepted", "queued", "sent", "delivered"];
    Status::parse(word).filter(|_| known.contains(&word)).ok_or_else(|| {
        let known = known.join(", ");
        Failure::usage(format!("[[accounts]] acceptd is `{word}`; it can be {known}"))
    })
}

/// Vendors' own tags, by SMPP 3.4, 5.3.2.
fn tag(text: &str) -> Outcome<u16> {
    let digits = text.strip_prefix("0x").unwrap_or("");
    let tag = u16::from_str_radix(digits, 16).ok().filter(|tag| (0x1400..=0x3fff).contains(tag));
    tag.ok_or_else(|| {
        let range = "0x1400 to 0x3FFF, such as 0x1401";
        Failure::usage(format!("[[accounts]] network_tlv is `{text}`; it has to be one of {range}"))
    })
}

fn names(key: &str, file: Option<&Path>) -> Outcome<Arc<Carriers>> {
    let Some(file) = file else { return Ok(Carriers::built_in()) };
    let wrong =
        |why: &dyn std::fmt::Display| Failure::usage(format!("{key} {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    Carriers::with(&text).map(Arc::new).map_err(|why| wrong(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        #[derive(Deserialize)]
        struct Raw {
            accounts: Vec<RawAccount>,
        }
        let raw: Raw = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => return error.to_string(),
        };
        let regional = read(&raw.accounts, &RawCarriers::default());
        regional.map_or_else(|failure| failure.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn a_mistake_about_an_account_is_told_by_its_key() {
        for (text, word) in [
            ("zone=\"Europe/Berlin\"\ncurrency=\"eur\"", "fine"),
            ("currency=\"EUR\"", "fine"),
            ("", "says nothing of any account of vonage"),
            ("account=\"a\"", "says nothing of a of vonage"),
            ("currency=\"euro\"", "[[accounts]] currency is `euro`"),
            (
                "acceptd=\"delivered\"",
                "[[accounts]] of vonage: `acceptd` and `network_tlv` are SMPP's",
            ),
            ("curency=\"EUR\"", "curency"),
        ] {
            let told = told(&format!("[[accounts]]\nsource=\"vonage\"\n{text}"));
            assert!(told.contains(word), "{text}: {told}");
        }
        for (text, word) in [
            ("acceptd=\"delivered\"\nnetwork_tlv=\"0x1401\"", "fine"),
            ("acceptd=\"read\"", "acceptd is `read`"),
            ("network_tlv=\"0x0427\"", "network_tlv is `0x0427`"),
            ("network_tlv=\"5121\"", "network_tlv is `5121`"),
        ] {
            let told = told(&format!("[[accounts]]\nsource=\"smpp\"\n{text}"));
            assert!(told.contains(word), "{text}: {told}");
        }
    }
}

//! `[[accounts]]` and `[carriers]`: zones of local times and names of carriers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::vocabulary::Source;
use normalize::{Carriers, Regional, Zone, ZoneRule, Zones};
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
    zone: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCarriers {
    /// Rows `name,country,carrier` that stand before those of schemas/carriers.csv.
    file: Option<PathBuf>,
}

/// The configured ones.
pub(super) fn read(accounts: &[RawAccount], carriers: &RawCarriers) -> Outcome<Arc<Regional>> {
    let mut rules: Vec<ZoneRule> = Vec::with_capacity(accounts.len());
    for raw in accounts {
        let source = Some(known_source("[[accounts]]", &raw.source)?);
        if rules.iter().any(|rule| rule.source == source && rule.account == raw.account) {
            let whose = raw.account.as_deref().unwrap_or("any account");
            return Err(Failure::usage(format!(
                "[[accounts]] names {whose} of {} twice: keep one of its zones",
                raw.source
            )));
        }
        let zone = zone("[[accounts]] zone", &raw.zone)?;
        rules.push(ZoneRule { source, account: raw.account.clone(), zone });
    }
    let carriers = names("[carriers] file", carriers.file.as_deref())?;
    Ok(Arc::new(Regional { zones: Zones::new(rules), carriers }))
}

/// Those of a command that reads files.
pub(crate) fn of_files(told: &Assumptions) -> Outcome<Arc<Regional>> {
    let zone = told.zone.as_deref().map(|name| zone("--zone", name)).transpose()?;
    let rule = zone.map(|zone| ZoneRule { source: None::<Source>, account: None, zone });
    let carriers = names("--carriers", told.carriers.as_deref())?;
    Ok(Arc::new(Regional { zones: Zones::new(rule.into_iter().collect()), carriers }))
}

fn zone(key: &str, name: &str) -> Outcome<Zone> {
    Zone::parse(name).ok_or_else(|| {
        Failure::usage(format!(
            "{key} is `{name}`; it has to be a name of the IANA database, such as Europe/Berlin"
        ))
    })
}

fn names(key: &str, file: Option<&Path>) -> Outcome<Arc<Carriers>> {
    let Some(file) = file else { return Ok(Carriers::built_in()) };
    let wrong =
        |why: &dyn std::fmt::Display| Failure::usage(format!("{key} {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    Carriers::with(&text).map(Arc::new).map_err(|why| wrong(&why))
}

//! Objectives: OpenSLO v1 (<https://github.com/OpenSLO/OpenSLO>) as far as it goes, and our tiers.
//!
//! An OpenSLO alert policy holds one condition over one window, so a multi-window burn-rate tier
//! cannot be said in it. What OpenSLO has no word for (grouping, filter, tiers) stands under
//! `spec.sendtally`. Unknown keys are refused: a misspelt threshold must not become a default.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::predicate::{self, OutcomeCounts, OutcomeSet, PredicateError};

mod yaml;

/// Panes are 10 s long for 2 h and a minute long after that: windows are made of whole ones.
const PANE_S: u32 = 10;
const OLD_PANE_S: u32 = 60;
const FINE_PANES_S: u32 = 2 * 3_600;
/// Panes are kept this long.
const KEPT_S: u32 = 35 * 86_400;

/// The budget formulas, which are the `score` crate's and come in through `app`.
#[derive(Debug, Clone, Copy)]
pub struct Arithmetic {
    /// Burn rate of (bad, settled, target); `None` where nothing is settled.
    pub burn_rate: fn(i64, i64, f64) -> Option<f64>,
    /// Burn rate that is exceeded with confidence, of the same.
    pub burn_floor: fn(i64, i64, f64) -> Option<f64>,
    /// Burn rate of a total outage, of the target.
    pub max_burn: fn(f64) -> f64,
    /// Burn rate that spends a share of the budget: (share, period in s, window in s).
    pub factor_of_share: fn(f64, u32, u32) -> f64,
    /// Seconds until a sudden failure shows: (bad share, factor, window in s, target).
    pub detection_s: fn(f64, f64, u32, f64) -> Option<f64>,
}

/// A dimension that objectives may group or filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Vendor.
    Source,
    /// Channel.
    Channel,
    /// Carrier.
    Carrier,
    /// ISO country.
    Country,
    /// Traffic class.
    TrafficClass,
}

impl Dimension {
    /// Name of the column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Channel => "channel",
            Self::Carrier => "carrier",
            Self::Country => "country",
            Self::TrafficClass => "traffic_class",
        }
    }
}

/// A pair of windows and what happens when both burn too fast.
#[derive(Debug, Clone, PartialEq)]
pub struct Tier {
    /// Name, unique in the objective.
    pub name: String,
    /// Window that says "still now", in seconds.
    pub short_s: u32,
    /// Window that says "enough of it", in seconds.
    pub long_s: u32,
    /// Burn rate that both windows must reach.
    pub burn: f64,
    /// Burn rate of the short window below which an episode may end.
    pub resolve_burn: f64,
    /// Bad messages that the long window must hold. Never a floor on traffic: that would silence
    /// the total outage of a quiet carrier.
    pub min_bad: i64,
    /// Seconds that the breach must last before it fires.
    pub for_s: u32,
    /// Seconds that the short window must stay below `resolve_burn` before the episode ends.
    pub resolve_after_s: u32,
}

/// A validated objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Name, unique in a configuration.
    pub name: String,
    /// For people.
    pub description: String,
    /// Share of good messages that is promised.
    pub target: f64,
    /// Period of the budget in seconds.
    pub period_s: u32,
    /// Dimensions whose values make the series.
    pub group_by: Vec<Dimension>,
    /// Values that a message must have to count.
    pub filter: BTreeMap<Dimension, String>,
    /// Tiers, most urgent first: an earlier one that fires holds back the later ones.
    pub tiers: Vec<Tier>,
    good: OutcomeSet,
    total: OutcomeSet,
}

/// Messages of a window as an objective sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// Settled and good.
    pub good: i64,
    /// Settled and not good.
    pub bad: i64,
    /// Counted, but not settled: neither good nor bad yet.
    pub pending: i64,
}

/// What is wrong with an objective.
#[derive(Debug, thiserror::Error)]
pub enum ObjectiveError {
    /// Not the YAML of an objective.
    #[error("cannot be read as an OpenSLO objective")]
    Read(#[source] Box<serde_saphyr::Error>),
    /// A value that cannot be.
    #[error("{path}: {message}")]
    Value {
        /// Keys from the top.
        path: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A predicate that windows cannot count.
    #[error("{path}")]
    Predicate {
        /// Keys from the top.
        path: &'static str,
        /// Why and where.
        #[source]
        source: PredicateError,
    },
}

impl Objective {
    /// Reads and validates one YAML document.
    ///
    /// # Errors
    /// [`ObjectiveError`], saying where, for what is unreadable, contradictory or can never fire.
    pub fn parse(text: &str, arithmetic: &Arithmetic) -> Result<Self, ObjectiveError> {
        let file: yaml::File =
            serde_saphyr::from_str(text).map_err(|error| ObjectiveError::Read(Box::new(error)))?;
        yaml::validate(file, arithmetic)
    }

    /// Lengths of all windows that its tiers need, in seconds, ascending.
    #[must_use]
    pub fn window_lengths(&self) -> Vec<u32> {
        let mut lengths: Vec<u32> =
            self.tiers.iter().flat_map(|tier| [tier.short_s, tier.long_s]).collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    }

    /// Whether messages with these dimension values count.
    #[must_use]
    pub fn accepts<'a>(&self, value: impl Fn(Dimension) -> Option<&'a str>) -> bool {
        self.filter.iter().all(|(dimension, wanted)| value(*dimension) == Some(wanted))
    }

    /// Name of the series that these dimension values belong to: `channel=sms,carrier=o2`. A null
    /// is empty; a comma, an equals sign or a backslash in a value gets a backslash before it.
    #[must_use]
    pub fn series<'a>(&self, value: impl Fn(Dimension) -> Option<&'a str>) -> String {
        let mut name = String::new();
        for dimension in &self.group_by {
            if !name.is_empty() {
                name.push(',');
            }
            name.push_str(dimension.as_str());
            name.push('=');
            for char in value(*dimension).unwrap_or_default().chars() {
                if matches!(char, ',' | '=' | '\\') {
                    name.push('\\');
                }
                name.push(char);
            }
        }
        name
    }

    /// Splits the counts of a window into good, bad and not settled.
    #[must_use]
    pub fn judge(&self, counts: &OutcomeCounts) -> Judged {
        let good = self.good.count(counts);
        let settled = self.total.settled().count(counts);
        Judged { good, bad: settled - good, pending: self.total.count(counts) - settled }
    }
}

#[cfg(test)]
pub(crate) mod tests;

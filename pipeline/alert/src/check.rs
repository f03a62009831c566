//! What `sendtally slo check` prints: which tiers can fire, from how much traffic, and how soon.

use std::error::Error;

use crate::objective::{Arithmetic, Objective, Tier};

/// The report over all files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// For people, ends with a line feed.
    pub text: String,
    /// Files that are wrong.
    pub errors: usize,
}

/// Checks files, each given as (name, content).
#[must_use]
pub fn check(files: &[(String, String)], arithmetic: &Arithmetic) -> Report {
    let mut report = Report { text: String::new(), errors: 0 };
    let mut names: Vec<(String, &str)> = Vec::new();
    for (file, content) in files {
        let outcome = match Objective::parse(content, arithmetic) {
            Err(error) => Err(causes(&error)),
            Ok(objective) => match names.iter().find(|(name, _)| *name == objective.name) {
                Some((name, first)) => {
                    Err(format!("metadata.name: {name} is already the name of {first}"))
                }
                None => Ok(objective),
            },
        };
        match outcome {
            Ok(objective) => {
                report.text.push_str(&describe(file, &objective, arithmetic));
                names.push((objective.name, file));
            }
            Err(message) => {
                report.errors += 1;
                report.text.push_str(&format!("{file}: error: {message}\n"));
            }
        }
    }
    report
}

/// An error and its sources in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn describe(file: &str, objective: &Objective, arithmetic: &Arithmetic) -> String {
    let groups: Vec<&str> = objective.group_by.iter().map(|group| group.as_str()).collect();
    let groups = if groups.is_empty() { "all messages".into() } else { groups.join(", ") };
    let mut text = format!(
        "{file}: {}: ok\n  target {} over {}, by {groups}; a total outage burns at {:.1}\n",
        objective.name,
        objective.target,
        duration(objective.period_s),
        (arithmetic.max_burn)(objective.target),
    );
    for tier in &objective.tiers {
        text.push_str(&describe_tier(tier, objective.target, arithmetic));
        text.push('\n');
    }
    text
}

fn describe_tier(tier: &Tier, target: f64, arithmetic: &Arithmetic) -> String {
    let per_minute = tier.min_bad as f64 * 60.0 / f64::from(tier.long_s);
    let shown = (arithmetic.detection_s)(1.0, tier.burn, tier.long_s, target);
    let sudden = match shown {
        Some(seconds) => format!("{:.0} s", seconds + f64::from(tier.for_s)),
        None => "never".to_owned(),
    };
    format!(
        "  tier {}: can fire: burn {:.1} ({:.1} % bad) over {} and over {}, held {}\n    \
         needs {} bad messages in {} \
         (a total outage: {per_minute:.2} messages a minute)\n    \
         a total outage in steady traffic fires after {sudden} plus the receipts' delay\n    \
         resolves below burn {:.1} over {}, held {}",
        tier.name,
        tier.burn,
        tier.burn * (1.0 - target) * 100.0,
        duration(tier.short_s),
        duration(tier.long_s),
        duration(tier.for_s),
        tier.min_bad,
        duration(tier.long_s),
        tier.resolve_burn,
        duration(tier.short_s),
        duration(tier.resolve_after_s),
    )
}

/// Seconds in the largest unit that leaves no rest.
pub(crate) fn duration(seconds: u32) -> String {
    for (unit_s, unit) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        if seconds > 0 && seconds.is_multiple_of(unit_s) {
            return format!("{}{unit}", seconds / unit_s);
        }
    }
    format!("{seconds}s")
}

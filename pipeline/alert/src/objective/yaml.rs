//! The shape of an objective's file, and the way from it to an [`Objective`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{
    Arithmetic, Dimension, FINE_PANES_S, KEPT_S, OLD_PANE_S, Objective, ObjectiveError, OutcomeSet,
    PANE_S, Tier, predicate,
};

/// OpenSLO names are RFC 1123 labels.
const NAME_MAX: usize = 63;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "accepted because OpenSLO has it, and not used")]
struct Metadata {
    name: String,
    display_name: Option<String>,
    labels: Option<IgnoredAny>,
    annotations: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "accepted because OpenSLO has it, and not used")]
struct Spec {
    #[serde(default)]
    description: String,
    service: Option<String>,
    indicator: Indicator,
    time_window: Vec<TimeWindow>,
    budgeting_method: Option<String>,
    objectives: Vec<Target>,
    sendtally: Extension,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "accepted because OpenSLO has it, and not used")]
struct Indicator {
    metadata: Option<IgnoredAny>,
    spec: IndicatorSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "accepted because OpenSLO has it, and not used")]
struct IndicatorSpec {
    description: Option<String>,
    ratio_metric: RatioMetric,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "accepted because OpenSLO has it, and not used")]
struct RatioMetric {
    counter: Option<bool>,
    good: Metric,
    total: Metric,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metric {
    metric_source: MetricSource,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricSource {
    #[serde(rename = "type")]
    kind: String,
    spec: MetricSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricSpec {
    r#where: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimeWindow {
    duration: String,
    is_rolling: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "accepted because OpenSLO has it, and not used")]
struct Target {
    display_name: Option<String>,
    target: Option<f64>,
    target_percent: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    #[serde(default)]
    group_by: Vec<Dimension>,
    #[serde(default, rename = "where")]
    filter: BTreeMap<Dimension, String>,
    tiers: Vec<TierFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierFile {
    name: String,
    short: String,
    long: String,
    burn: Option<f64>,
    budget_share: Option<f64>,
    resolve_burn: Option<f64>,
    min_bad: Option<i64>,
    r#for: Option<String>,
    resolve_after: Option<String>,
}

pub(super) fn validate(file: File, arithmetic: &Arithmetic) -> Result<Objective, ObjectiveError> {
    require_word("apiVersion", &file.api_version, "openslo/v1")?;
    require_word("kind", &file.kind, "SLO")?;
    check_name("metadata.name", &file.metadata.name)?;
    let spec = file.spec;
    if let Some(method) = &spec.budgeting_method {
        require_word("spec.budgetingMethod", method, "Occurrences")?;
    }
    let (good, total) = indicator(&spec.indicator.spec.ratio_metric)?;
    let target = target(&spec.objectives)?;
    let period_s = period(&spec.time_window)?;
    let Extension { group_by, filter, tiers } = spec.sendtally;
    for (at, dimension) in group_by.iter().enumerate() {
        if group_by[..at].contains(dimension) {
            let path = format!("spec.sendtally.group_by[{at}]");
            return Err(wrong(path, format!("{} is named twice", dimension.as_str())));
        }
    }
    let budget = Budget { target, period_s, arithmetic };
    let mut validated: Vec<Tier> = Vec::new();
    for (at, tier) in tiers.into_iter().enumerate() {
        let path = format!("spec.sendtally.tiers[{at}]");
        if validated.iter().any(|earlier| earlier.name == tier.name) {
            return Err(wrong(path + ".name", format!("{} is named twice", tier.name)));
        }
        validated.push(budget.tier(&path, tier)?);
    }
    if validated.is_empty() {
        return Err(wrong("spec.sendtally.tiers", "at least one tier is needed"));
    }
    let (name, description) = (file.metadata.name, spec.description);
    let tiers = validated;
    Ok(Objective { name, description, target, period_s, group_by, filter, tiers, good, total })
}

fn wrong(path: impl Into<String>, message: impl Into<String>) -> ObjectiveError {
    ObjectiveError::Value { path: path.into(), message: message.into() }
}

fn require_word(path: &str, found: &str, wanted: &str) -> Result<(), ObjectiveError> {
    if found == wanted {
        return Ok(());
    }
    Err(wrong(path, format!("must be {wanted}, is {found:?}")))
}

fn check_name(path: &str, name: &str) -> Result<(), ObjectiveError> {
    let right = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    let edges = !name.starts_with('-') && !name.ends_with('-');
    if !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(right) && edges {
        return Ok(());
    }
    let rule = "must be 1 to 63 lower-case letters, digits and inner hyphens";
    Err(wrong(path, format!("{rule}, is {name:?}")))
}

fn indicator(metric: &RatioMetric) -> Result<(OutcomeSet, OutcomeSet), ObjectiveError> {
    const GOOD: &str = "spec.indicator.spec.ratioMetric.good.metricSource.spec.where";
    const TOTAL: &str = "spec.indicator.spec.ratioMetric.total.metricSource.spec.where";
    let read = |path: &'static str, metric: &Metric| {
        require_word("spec.indicator: metricSource.type", &metric.metric_source.kind, "sendtally")?;
        predicate::parse(&metric.metric_source.spec.r#where)
            .map_err(|source| ObjectiveError::Predicate { path, source })
    };
    let (good, total) = (read(GOOD, &metric.good)?, read(TOTAL, &metric.total)?);
    if good.has_pending() {
        return Err(wrong(GOOD, "counts messages as good that are not settled; add: and is_final"));
    }
    if good.is_empty() || !good.is_within(total) {
        return Err(wrong(GOOD, "must be some of the messages of total, and not none"));
    }
    if total.settled().is_within(good) {
        return Err(wrong(TOTAL, "holds no message that could be bad"));
    }
    Ok((good, total))
}

fn target(objectives: &[Target]) -> Result<f64, ObjectiveError> {
    let path = "spec.objectives";
    let [one] = objectives else {
        return Err(wrong(path, format!("exactly one is supported, found {}", objectives.len())));
    };
    let target = match (one.target, one.target_percent) {
        (Some(target), None) => target,
        (None, Some(percent)) => percent / 100.0,
        _ => return Err(wrong("spec.objectives[0]", "needs target or targetPercent, not both")),
    };
    if target > 0.0 && target < 1.0 {
        return Ok(target);
    }
    Err(wrong("spec.objectives[0].target", format!("must be between 0 and 1, is {target}")))
}

fn period(windows: &[TimeWindow]) -> Result<u32, ObjectiveError> {
    let path = "spec.timeWindow";
    let [TimeWindow { duration, is_rolling: true }] = windows else {
        return Err(wrong(path, "exactly one rolling window is supported"));
    };
    let period_s = seconds("spec.timeWindow[0].duration", duration)?;
    if (1..=KEPT_S).contains(&period_s) {
        return Ok(period_s);
    }
    Err(wrong("spec.timeWindow[0].duration", "must be above 0 and at most 35d, as panes are kept"))
}

/// A whole number and one of `s`, `m`, `h`, `d`, `w`.
fn seconds(path: &str, text: &str) -> Result<u32, ObjectiveError> {
    let unit = match text.as_bytes().last() {
        Some(b's') => Some(1),
        Some(b'm') => Some(60),
        Some(b'h') => Some(3_600),
        Some(b'd') => Some(86_400),
        Some(b'w') => Some(7 * 86_400),
        _ => None,
    };
    let number = || text.get(..text.len().checked_sub(1)?)?.parse::<u32>().ok();
    unit.and_then(|unit| number()?.checked_mul(unit)).ok_or_else(|| {
        wrong(path, format!("must be a whole number and s, m, h, d or w, like 90s; is {text:?}"))
    })
}

/// What tiers are judged against.
struct Budget<'a> {
    target: f64,
    period_s: u32,
    arithmetic: &'a Arithmetic,
}

impl Budget<'_> {
    fn tier(&self, path: &str, file: TierFile) -> Result<Tier, ObjectiveError> {
        let at = |key: &str| format!("{path}.{key}");
        check_name(&at("name"), &file.name)?;
        let short_s = self.window(&at("short"), &file.short)?;
        let long_s = self.window(&at("long"), &file.long)?;
        if short_s >= long_s {
            return Err(wrong(at("short"), format!("must be shorter than long, {}", file.long)));
        }
        let burn = self.burn(path, &file, long_s)?;
        let resolve_burn = file.resolve_burn.unwrap_or(burn / 2.0);
        if !(resolve_burn > 0.0 && resolve_burn < burn) {
            let message = format!("must be above 0 and below the firing burn rate {burn}");
            return Err(wrong(at("resolve_burn"), message));
        }
        // Two, because a single bad message must wake nobody, whatever share it is.
        let min_bad = file.min_bad.unwrap_or(2);
        if min_bad < 1 {
            return Err(wrong(at("min_bad"), format!("must be at least 1, is {min_bad}")));
        }
        let hold = |key: &str, text: &Option<String>| match text {
            Some(text) => seconds(&at(key), text),
            None => Ok(0),
        };
        let for_s = hold("for", &file.r#for)?;
        let resolve_after_s = hold("resolve_after", &file.resolve_after)?;
        let name = file.name;
        Ok(Tier { name, short_s, long_s, burn, resolve_burn, min_bad, for_s, resolve_after_s })
    }

    fn window(&self, path: &str, text: &str) -> Result<u32, ObjectiveError> {
        let length_s = seconds(path, text)?;
        let pane_s = if length_s <= FINE_PANES_S { PANE_S } else { OLD_PANE_S };
        if length_s == 0 || length_s % pane_s != 0 || length_s > self.period_s {
            let rule = format!("must be a multiple of {pane_s}s and at most the time window");
            return Err(wrong(path, format!("{rule}, is {text}")));
        }
        Ok(length_s)
    }

    fn burn(&self, path: &str, file: &TierFile, long_s: u32) -> Result<f64, ObjectiveError> {
        let (key, burn) = match (file.burn, file.budget_share) {
            (Some(burn), None) => ("burn", burn),
            (None, Some(share)) => {
                ("budget_share", (self.arithmetic.factor_of_share)(share, self.period_s, long_s))
            }
            _ => return Err(wrong(path, "needs burn or budget_share, not both")),
        };
        let most = (self.arithmetic.max_burn)(self.target);
        if burn > 0.0 && burn < most {
            return Ok(burn);
        }
        let message = format!(
            "asks for a burn rate of {burn:.1}, which can never fire: with target {} a total \
             outage burns at {most:.1}",
            self.target
        );
        Err(wrong(format!("{path}.{key}"), message))
    }
}

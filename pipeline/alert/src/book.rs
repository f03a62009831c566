//! The book of all alerts: a deterministic state machine over evaluations.
//!
//! ```text
//!               breach            breach for `for`          clear for `resolve_after`
//!   inactive ───────────► pending ───────────────► firing ───────────────────────────► resolved
//!      ▲                     │ no breach                                                  │
//!      └─────────────────────┴──────────────────── the next breach is a new episode ◄─────┘
//! ```
//!
//! Time is the watermark, never the clock: replaying the same evaluations gives the same
//! transitions, also when the book was written out and read back between any two of them. A tier
//! holds while an earlier one of the same series fires, and its `for` starts again when that one
//! ends.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::objective::{Arithmetic, Objective, Tier};
use crate::transition::{Identity, Judgement, Reading, State, Transition, reading};

/// Version of the written state.
const VERSION: u32 = 1;

/// When an evaluation takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Watermark: the end of all windows, microseconds.
    pub at_us: i64,
    /// Processing clock, microseconds; only copied.
    pub now_us: i64,
    /// Epoch of the aggregate chain; only copied.
    pub epoch: u64,
}

/// Sums of one series over the windows [at − `window_s`, at).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesCounts {
    /// Name of the objective.
    pub objective: String,
    /// As [`Objective::series`] spells it.
    pub series: String,
    /// One for each of [`Objective::window_lengths`]; a missing one counts as empty.
    pub windows: Vec<WindowCounts>,
}

/// Sums of one window, as [`Objective::judge`] splits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowCounts {
    /// Length in seconds.
    pub window_s: u32,
    /// Settled and good.
    pub good: i64,
    /// Settled and bad.
    pub bad: i64,
    /// Not settled.
    pub pending: i64,
}

/// Why a written book cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not the JSON of a book.
    #[error("the alert state cannot be read")]
    Read(#[source] serde_json::Error),
    /// Of another version.
    #[error("the alert state has version {found}, this program reads {VERSION}")]
    Version {
        /// Version of the state.
        found: u32,
    },
}

/// One alert: a tier of an objective for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Alert {
    state: State,
    /// Episodes begun; numbers the current or last one from 1. Kept for ever, so that no two
    /// episodes share an id.
    episode: u64,
    /// Transitions made in this episode.
    transitions: u64,
    /// Pending: since when in breach, uninhibited.
    breach_since_us: i64,
    /// Firing: since when clear.
    clear_since_us: Option<i64>,
}

impl Alert {
    const NEW: Self = Self {
        state: State::Inactive,
        episode: 0,
        transitions: 0,
        breach_since_us: 0,
        clear_since_us: None,
    };

    const fn is_open(&self) -> bool {
        matches!(self.state, State::Pending | State::Firing)
    }

    /// The next state, if it changes, given what the windows say.
    fn step(
        &mut self,
        at_us: i64,
        tier: &Tier,
        judgement: &Judgement,
        inhibited: bool,
    ) -> Option<State> {
        let passed = |since_us: i64, hold_s: u32| {
            at_us.saturating_sub(since_us) >= i64::from(hold_s) * 1_000_000
        };
        match self.state {
            State::Inactive | State::Resolved if judgement.breach => {
                *self = Self { episode: self.episode + 1, breach_since_us: at_us, ..Self::NEW };
                Some(State::Pending)
            }
            State::Inactive | State::Resolved => None,
            State::Pending if !judgement.breach => Some(State::Inactive),
            State::Pending if inhibited => {
                self.breach_since_us = at_us;
                None
            }
            State::Pending => passed(self.breach_since_us, tier.for_s).then_some(State::Firing),
            State::Firing if !judgement.clear => {
                self.clear_since_us = None;
                None
            }
            State::Firing => {
                let since_us = *self.clear_since_us.get_or_insert(at_us);
                passed(since_us, tier.resolve_after_s).then_some(State::Resolved)
            }
        }
    }
}

/// (objective, series, tier).
type Key = (String, String, String);

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    version: u32,
    at_us: Option<i64>,
    alerts: Vec<(Key, Alert)>,
}

/// All alerts of a configuration.
#[derive(Debug, Clone)]
pub struct AlertBook {
    objectives: Vec<Objective>,
    arithmetic: Arithmetic,
    /// Newest watermark evaluated.
    at_us: Option<i64>,
    alerts: BTreeMap<Key, Alert>,
}

impl AlertBook {
    /// A book without history.
    #[must_use]
    pub const fn new(objectives: Vec<Objective>, arithmetic: Arithmetic) -> Self {
        Self { objectives, arithmetic, at_us: None, alerts: BTreeMap::new() }
    }

    /// The objectives, for the caller who computes their windows.
    #[must_use]
    pub fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    /// Reads what [`Self::to_json`] wrote. The objectives may have changed since.
    ///
    /// # Errors
    /// [`RestoreError`] where the text is damaged or of another version.
    pub fn restore(
        objectives: Vec<Objective>,
        arithmetic: Arithmetic,
        text: &str,
    ) -> Result<Self, RestoreError> {
        let written: Written = serde_json::from_str(text).map_err(RestoreError::Read)?;
        if written.version != VERSION {
            return Err(RestoreError::Version { found: written.version });
        }
        let alerts = written.alerts.into_iter().collect();
        Ok(Self { objectives, arithmetic, at_us: written.at_us, alerts })
    }

    /// The state as JSON, without the objectives.
    ///
    /// # Errors
    /// As `serde_json` says; none is known for this shape.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let alerts = self.alerts.iter().map(|(key, alert)| (key.clone(), *alert)).collect();
        serde_json::to_string(&Written { version: VERSION, at_us: self.at_us, alerts })
    }

    /// Evaluates all tiers of all series at one watermark. Series with an open episode that are
    /// missing from the inputs count as empty. A watermark that went back changes nothing.
    pub fn evaluate(&mut self, moment: &Moment, inputs: &[SeriesCounts]) -> Vec<Transition> {
        if self.at_us.is_some_and(|newest_us| moment.at_us < newest_us) {
            return Vec::new();
        }
        self.at_us = Some(moment.at_us);
        let mut transitions = Vec::new();
        self.close_removed(moment, &mut transitions);
        for objective in &self.objectives {
            let mut counts: BTreeMap<&str, &[WindowCounts]> = BTreeMap::new();
            for input in inputs.iter().filter(|input| input.objective == objective.name) {
                counts.insert(&input.series, &input.windows);
            }
            let silent: BTreeSet<String> = self
                .alerts
                .iter()
                .filter(|((name, ..), alert)| *name == objective.name && alert.is_open())
                .map(|((_, series, _), _)| series.clone())
                .filter(|series| !counts.contains_key(series.as_str()))
                .collect();
            for series in &silent {
                counts.insert(series, &[]);
            }
            let run = Run { objective, arithmetic: &self.arithmetic, moment };
            for (series, windows) in counts {
                run.series(&mut self.alerts, series, windows, &mut transitions);
            }
        }
        transitions
    }

    /// Holds an alert of a tier that is not among its objectives.
    #[must_use]
    pub fn has_foreign(&self) -> bool {
        let has = |objective: &str, tier: &str| has_tier(&self.objectives, objective, tier);
        self.alerts.keys().any(|(objective, _, tier)| !has(objective, tier))
    }

    /// Ends the episodes of tiers that the configuration no longer has.
    fn close_removed(&mut self, moment: &Moment, transitions: &mut Vec<Transition>) {
        for ((objective, series, tier), alert) in &mut self.alerts {
            if has_tier(&self.objectives, objective, tier) || !alert.is_open() {
                continue;
            }
            let firing = alert.state == State::Firing;
            let to_state = if firing { State::Resolved } else { State::Inactive };
            let reason = "The tier is no longer configured.".to_owned();
            let evidence = json!({ "epoch": moment.epoch });
            let identity = Identity {
                objective,
                tier,
                series,
                episode: alert.episode,
                number: alert.transitions,
            };
            let states = (alert.state, to_state);
            transitions.push(identity.transition(states, reason, moment, &evidence));
            alert.transitions += 1;
            alert.state = to_state;
        }
    }
}

fn has_tier(objectives: &[Objective], objective: &str, tier: &str) -> bool {
    let mut of_name = objectives.iter().filter(|held| held.name == objective);
    of_name.any(|held| held.tiers.iter().any(|held| held.name == tier))
}

/// One objective at one moment.
struct Run<'a> {
    objective: &'a Objective,
    arithmetic: &'a Arithmetic,
    moment: &'a Moment,
}

impl Run<'_> {
    fn series(
        &self,
        alerts: &mut BTreeMap<Key, Alert>,
        series: &str,
        windows: &[WindowCounts],
        transitions: &mut Vec<Transition>,
    ) {
        let mut inhibited = false;
        for tier in &self.objective.tiers {
            let (short, long) =
                (self.reading(windows, tier.short_s), self.reading(windows, tier.long_s));
            let judgement = Judgement::new(tier, short, long);
            let key = (self.objective.name.clone(), series.to_owned(), tier.name.clone());
            let known = alerts.get(&key).copied();
            if known.is_none() && !judgement.breach {
                continue;
            }
            let mut alert = known.unwrap_or(Alert::NEW);
            // A tier without hold passes through pending in one evaluation.
            while let Some(to_state) = alert.step(self.moment.at_us, tier, &judgement, inhibited) {
                // What was resolved begins its next episode from nothing.
                let before = match to_state {
                    State::Pending => State::Inactive,
                    _ => alert.state,
                };
                let states = (before, to_state);
                let identity = Identity {
                    objective: &self.objective.name,
                    tier: &tier.name,
                    series,
                    episode: alert.episode,
                    number: alert.transitions,
                };
                let reason = judgement.reason(states, tier);
                let evidence = judgement.evidence(self.objective, tier, self.moment.epoch);
                transitions.push(identity.transition(states, reason, self.moment, &evidence));
                alert.transitions += 1;
                alert.state = to_state;
                alert.clear_since_us = None;
                if matches!(to_state, State::Inactive | State::Resolved) {
                    break;
                }
            }
            inhibited |= alert.state == State::Firing;
            alerts.insert(key, alert);
        }
    }

    fn reading(&self, windows: &[WindowCounts], window_s: u32) -> Reading {
        let counts = windows.iter().find(|counts| counts.window_s == window_s);
        let WindowCounts { good, bad, pending, .. } = counts.copied().unwrap_or_default();
        reading(window_s, (good, bad, pending), self.objective.target, self.arithmetic)
    }
}

#[cfg(test)]
mod tests;

//! A step in the life of an alert: one row of `schemas/alerts.toml`, all columns but `seq`.

use model::keys::HashKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::book::Moment;
use crate::check::duration;
use crate::objective::{Arithmetic, Objective, Tier};

/// Not a secret: ids must only be equal for equal facts and spread well.
const ID_KEY: HashKey = HashKey::new(*b"sendtally/alerts");

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No episode.
    Inactive,
    /// In breach, not yet for long enough.
    Pending,
    /// In breach: somebody is told.
    Firing,
    /// The episode is over.
    Resolved,
}

impl State {
    /// The word of the `alerts` table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One transition. Equal facts give an equal `id`, whenever and wherever they are evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Hash of objective, tier, series, episode and number of the transition, as hex.
    pub id: String,
    /// Joins the transitions of one episode.
    pub episode_id: String,
    /// Name of the objective.
    pub objective: String,
    /// Name of the tier.
    pub tier: String,
    /// The objective's `group_by` values.
    pub series: String,
    /// State before.
    pub from_state: State,
    /// State after.
    pub to_state: State,
    /// Why, in one sentence.
    pub reason: String,
    /// Watermark at which the rule was evaluated, microseconds.
    pub event_time_us: i64,
    /// Processing clock at that evaluation, microseconds.
    pub processing_time_us: i64,
    /// JSON: counts, rates, thresholds, windows, epoch.
    pub evidence: String,
}

impl Transition {
    /// How far the evaluation was behind the clock. Catching up notifies nobody: the caller keeps
    /// transitions with a large lag in the log and sends them to no one.
    #[must_use]
    pub const fn lag_us(&self) -> i64 {
        self.processing_time_us.saturating_sub(self.event_time_us)
    }
}

/// What names a transition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) objective: &'a str,
    pub(crate) tier: &'a str,
    pub(crate) series: &'a str,
    pub(crate) episode: u64,
    pub(crate) number: u64,
}

impl Identity<'_> {
    pub(crate) fn transition(
        &self,
        (from_state, to_state): (State, State),
        reason: String,
        moment: &Moment,
        evidence: &Value,
    ) -> Transition {
        let names = [self.objective.as_bytes(), self.tier.as_bytes(), self.series.as_bytes()];
        let [objective, tier, series] = names;
        let (episode, number) = (self.episode.to_le_bytes(), self.number.to_le_bytes());
        Transition {
            id: ID_KEY.hash(&[objective, tier, series, &episode, &number]).hex(),
            episode_id: ID_KEY.hash(&[objective, tier, series, &episode]).hex(),
            objective: self.objective.to_owned(),
            tier: self.tier.to_owned(),
            series: self.series.to_owned(),
            from_state,
            to_state,
            reason,
            event_time_us: moment.at_us,
            processing_time_us: moment.now_us,
            evidence: evidence.to_string(),
        }
    }
}

/// Counts of one window and what follows from them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) window_s: u32,
    pub(crate) good: i64,
    pub(crate) bad: i64,
    pub(crate) pending: i64,
    /// Burn rate; `None` where nothing is settled.
    pub(crate) burn: Option<f64>,
    /// Burn rate that is exceeded with confidence.
    pub(crate) floor: Option<f64>,
}

impl Reading {
    pub(crate) const fn settled(&self) -> i64 {
        self.good + self.bad
    }

    fn evidence(&self) -> Value {
        let all = self.settled() + self.pending;
        json!({
            "window_s": self.window_s,
            "good": self.good,
            "bad": self.bad,
            "settled": self.settled(),
            "pending": self.pending,
            "burn": self.burn,
            "burn_floor": self.floor,
            "maturity": (all > 0).then(|| self.settled() as f64 / all as f64),
        })
    }

    /// `12 of 40 messages bad in 1m`.
    fn words(&self) -> String {
        let window = duration(self.window_s);
        format!("{} of {} settled messages bad in {window}", self.bad, self.settled())
    }
}

/// Both windows of a tier for one series at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgement {
    pub(crate) short: Reading,
    pub(crate) long: Reading,
    /// Both windows burn fast enough, on enough bad messages that it cannot be luck.
    pub(crate) breach: bool,
    /// The short window burns slowly enough to end an episode.
    pub(crate) clear: bool,
}

impl Judgement {
    pub(crate) fn new(tier: &Tier, short: Reading, long: Reading) -> Self {
        let reaches = |reading: &Reading| reading.burn.is_some_and(|burn| burn >= tier.burn);
        let sure = long.floor.is_some_and(|floor| floor >= tier.resolve_burn);
        let breach = reaches(&short) && reaches(&long) && sure && long.bad >= tier.min_bad;
        // Nothing settled in the short window proves no recovery while messages hang; once the long
        // window holds nothing either, there is nothing left to judge.
        let empty = long.settled() == 0 && long.pending == 0;
        let clear = short.burn.map_or(empty, |burn| burn < tier.resolve_burn);
        Self { short, long, breach, clear }
    }

    pub(crate) fn reason(&self, states: (State, State), tier: &Tier) -> String {
        let (short, long) = (self.short.words(), self.long.words());
        let (short_burn, limit) = (self.short.burn.unwrap_or(0.0), tier.burn);
        match states.1 {
            State::Pending => {
                format!("Burn rate {short_burn:.1} (limit {limit:.1}): {short}, {long}.")
            }
            State::Firing => format!(
                "Burn rate {short_burn:.1} (limit {limit:.1}) for {} or longer: {short}, {long}.",
                duration(tier.for_s)
            ),
            State::Inactive => format!(
                "Below the limit {limit:.1} again before {} had passed: {short}, {long}.",
                duration(tier.for_s)
            ),
            State::Resolved if self.short.burn.is_none() => {
                format!("No messages left to judge in {}.", duration(tier.long_s))
            }
            State::Resolved => format!(
                "Burn rate {short_burn:.1}, below {:.1} for {} or longer: {short}.",
                tier.resolve_burn,
                duration(tier.resolve_after_s)
            ),
        }
    }

    pub(crate) fn evidence(&self, objective: &Objective, tier: &Tier, epoch: u64) -> Value {
        json!({
            "epoch": epoch,
            "target": objective.target,
            "burn_threshold": tier.burn,
            "resolve_burn": tier.resolve_burn,
            "min_bad": tier.min_bad,
            "for_s": tier.for_s,
            "resolve_after_s": tier.resolve_after_s,
            "short": self.short.evidence(),
            "long": self.long.evidence(),
        })
    }
}

/// Counts of a window with their burn rates.
pub(crate) fn reading(
    window_s: u32,
    (good, bad, pending): (i64, i64, i64),
    target: f64,
    arithmetic: &Arithmetic,
) -> Reading {
    let burn = (arithmetic.burn_rate)(bad, good + bad, target);
    let floor = (arithmetic.burn_floor)(bad, good + bad, target);
    Reading { window_s, good, bad, pending, burn, floor }
}

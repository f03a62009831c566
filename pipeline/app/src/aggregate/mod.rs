//! The reader that makes windows, scores and alerts of committed epochs, with a chain of its own.
//!
//! ```text
//! job epochs ─► signed panes ─► PaneStore ─► changed windows ─► DataFusion ─► slo_windows, …
//!                                   └─► sliding sums ─► objectives ─► transitions ─► alerts
//! one step = one manifest: what was taken in, what came out, the alert book
//! ```
//! Its clock is the one in the job's manifests, so a second run over the same log decides the same.

mod alerting;

mod costs;

pub(crate) mod pending;

mod published;

pub(crate) mod state;

pub(crate) use alerting::{ARITHMETIC, Alerting};
pub(crate) use published::{Published, load};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use commit::{Chain, CommitError, DataDir, random_hex, read_segment, stage_file, write_segment};
use fail::fail_point;
use model::manifest::{Manifest, StateSlice};
use model::schema;
use model::time::HOUR_US;
use model::window::WINDOWS_S;
use window::{Engine, PaneStore, Stamp, Window, revision_pace_us};

use crate::disk::{tell_once, wait_for_space};
use crate::failure::{Failure, Outcome};
use crate::tables::{AGGREGATE, COMPLETE_THROUGH, JOB, MATURITY, reader};

/// Job epochs taken in by one step.
const EPOCHS_A_STEP: u64 = 32;
/// Windows published by one step: bounds its memory.
const WINDOWS_A_STEP: usize = 20_000;
/// Steps between two snapshots of the panes.
const SNAPSHOT_STEPS: u64 = 60;
const SEGMENTS: &str = "segments/aggregate";
const STATE: &str = "state/aggregate";
/// Key in the manifest's values: the alert book.
const BOOK: &str = "alerts";
/// Key in the manifest's values: number of the newest transition.
const SEQ: &str = "alert_seq";

/// The aggregate reader.
#[derive(Debug)]
pub(crate) struct Aggregate {
    dir: DataDir,
    chain: Chain,
    job: Chain,
    store: PaneStore,
    engine: Engine,
    alerting: Alerting,
    costs: costs::Costs,
    /// When a window was last published, by the job's clock: the watermark may stand still.
    emitted: HashMap<Window, i64>,
    consumed: u64,
    watermark_us: Option<i64>,
    clock_us: i64,
    seq: u64,
    steps: u64,
    state: BTreeMap<String, StateSlice>,
    published: Arc<Published>,
    /// Values were folded, and it was said.
    folds: bool,
    /// The process is to end.
    stop: Arc<AtomicBool>,
}

/// What one step gives.
#[derive(Debug, Default)]
struct Step {
    tables: Vec<(&'static str, RecordBatch)>,
    windows: Vec<Window>,
}

impl Aggregate {
    /// Opens the chain as its owner and rebuilds the panes.
    pub(crate) fn open(
        dir: &DataDir,
        owner: &str,
        alerting: Alerting,
        published: Arc<Published>,
        (stop, now_us): (Arc<AtomicBool>, i64),
    ) -> Outcome<Self> {
        let mut chain = Chain::open(dir, AGGREGATE, owner)?;
        crate::job::recover::takeover(&mut chain, "", now_us)?;
        let head = chain.head().cloned().unwrap_or_default();
        let seq = head.values.get(SEQ).and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut aggregate = Self {
            dir: dir.clone(),
            chain,
            job: reader(dir, JOB)?,
            store: PaneStore::default(),
            engine: Engine::new()?,
            alerting,
            costs: costs::Costs::default(),
            emitted: HashMap::new(),
            consumed: 0,
            watermark_us: None,
            clock_us: head.committed_at_us,
            seq,
            steps: 0,
            state: head.state.iter().map(|s| (s.slice.clone(), s.clone())).collect(),
            published,
            folds: false,
            stop,
        };
        aggregate.rebuild(&head)?;
        if let Some(book) = head.values.get(BOOK) {
            aggregate.alerting.restore(book, head.watermark_us)?;
        }
        Ok(aggregate)
    }

    /// Panes as of the head: the snapshot, then the job's epochs after it. Windows that those
    /// changed are published again; their values are what they were.
    fn rebuild(&mut self, head: &Manifest) -> Outcome<()> {
        let mut parts = state::Parts::default();
        for slice in self.state.values().filter(|slice| !slice.file.path.is_empty()) {
            parts.take(&slice.slice, read_segment(&self.dir, &slice.file)?);
        }
        parts.restore(&mut self.store, &mut self.costs)?;
        let taken = self.state.values().map(|slice| slice.epoch).min().unwrap_or(0);
        self.consumed = taken;
        let consumed = head.consumed.get(JOB).copied().unwrap_or(0);
        self.job.fetch(taken + 1, consumed)?;
        for epoch in taken + 1..=consumed {
            self.take_in(epoch)?;
        }
        if taken == consumed && taken > 0 {
            self.watermark_us = head.watermark_us;
        }
        Ok(())
    }

    /// Number of the chain's head.
    pub(crate) fn epoch(&self) -> u64 {
        self.chain.epoch()
    }

    fn take_in(&mut self, epoch: u64) -> Outcome<()> {
        let manifest = self.job.read(epoch)?.ok_or_else(|| CommitError::Damaged {
            path: self.job.path(epoch),
            what: "it is missing, and the windows need it".to_owned(),
        })?;
        let read = |table: &str| -> Outcome<Vec<RecordBatch>> {
            let mut batches = Vec::new();
            for file in manifest.segments.iter().filter(|file| file.table == table) {
                batches.extend(read_segment(&self.dir, file)?);
            }
            Ok(batches)
        };
        let (slo, cost) = (read("slo_panes")?, read("cost_panes")?);
        let folded = self.store.admit(&slo.iter().chain(&cost).collect::<Vec<_>>());
        if folded > 0 && !std::mem::replace(&mut self.folds, true) {
            tracing::warn!(epoch, "too many carriers or countries: the rest counts as __other__");
        }
        for batch in &slo {
            self.store.add_slo(batch)?;
        }
        for batch in &cost {
            self.store.add_cost(batch, true)?;
        }
        self.consumed = epoch;
        self.watermark_us = manifest.watermark_us.or(self.watermark_us);
        if let Some(mark) = self.watermark_us {
            let scored = self.costs.advance(&self.store, mark);
            self.store.mark_costs(scored);
        }
        self.clock_us = manifest.committed_at_us;
        Ok(())
    }

    /// Takes new epochs in and publishes what is due; with `drain` everything that changed.
    /// Returns whether there was anything to do.
    pub(crate) fn step(&mut self, drain: bool) -> Outcome<bool> {
        self.job.refresh()?;
        let to = self.job.epoch().min(self.consumed + EPOCHS_A_STEP);
        let before = self.consumed;
        let mut transitions = Vec::new();
        for epoch in self.consumed + 1..=to {
            self.take_in(epoch)?;
            let (mark, clock_us) = (self.watermark_us, self.clock_us);
            if let Some(mark) = mark {
                transitions.extend(self.alerting.evaluate(&self.store, mark, clock_us, epoch));
            }
        }
        let caught_up = self.consumed == self.job.epoch();
        let due = self.due(drain && caught_up);
        if self.consumed == before && due.is_empty() {
            return Ok(false);
        }
        let mut step = self.windows(due)?;
        let alerts = Alerting::rows(&transitions, &mut self.seq)?;
        if alerts.num_rows() > 0 {
            step.tables.push(("alerts", alerts));
        }
        fail_point!("aggregate::decided");
        self.commit(&step, false)?;
        fail_point!("aggregate::committed");
        self.publish(&step)?;
        Ok(true)
    }

    /// Changed windows whose time has come, oldest first.
    fn due(&self, all: bool) -> Vec<Window> {
        let mark = self.watermark_us.unwrap_or(0);
        let due = |window: &Window| {
            let pace_us = revision_pace_us(mark - window.1);
            // A clock that was set back must not hold a window up until it has caught up.
            let paced = |last: &i64| !(0..pace_us).contains(&(self.clock_us - last));
            all || self.emitted.get(window).is_none_or(paced)
        };
        self.store.changed().filter(due).take(WINDOWS_A_STEP).collect()
    }

    fn windows(&mut self, due: Vec<Window>) -> Outcome<Step> {
        let stamp = Stamp {
            watermark_us: self.watermark_us.unwrap_or(0),
            revision: self.chain.epoch() + 1,
            committed_at_us: self.clock_us,
        };
        let mut slo = Vec::new();
        let mut cost = Vec::new();
        for length_s in WINDOWS_S {
            let of_length: Vec<Window> =
                due.iter().copied().filter(|window| window.0 == length_s).collect();
            if of_length.is_empty() {
                continue;
            }
            let panes = self.store.take(&of_length)?;
            let (slo_rows, cost_rows) = self.engine.windows_of(length_s, panes, &stamp)?;
            slo.push(slo_rows);
            cost.push(self.costs.fill(cost_rows)?);
        }
        for window in &due {
            self.emitted.insert(*window, self.clock_us);
        }
        let mut tables = Vec::new();
        for (name, table, batches) in [
            ("slo_windows", schema::SLO_WINDOWS.arrow(), &slo),
            ("cost_windows", schema::COST_WINDOWS.arrow(), &cost),
        ] {
            let rows = concat_batches(&table, batches)?;
            if rows.num_rows() > 0 {
                tables.push((name, rows));
            }
        }
        Ok(Step { tables, windows: due })
    }

    fn commit(&mut self, step: &Step, released: bool) -> Outcome<()> {
        self.steps += 1;
        if let Some(mark) = self.watermark_us {
            self.store.prune(mark);
        }
        // What was published longer ago than the slowest pace is published at once if it changes.
        let clock_us = self.clock_us;
        self.emitted.retain(|_, last| clock_us - *last < HOUR_US);
        let snapshot = released || self.steps.is_multiple_of(SNAPSHOT_STEPS);
        let book = self.alerting.save()?;
        let attempt = random_hex()?;
        let stop = Arc::clone(&self.stop);
        wait_for_space(&stop, tell_once("windows"), || {
            Ok(self.try_commit(step, (&book, &attempt), (released, snapshot))?)
        })
    }

    fn try_commit(
        &mut self,
        step: &Step,
        (book, attempt): (&str, &str),
        (released, snapshot): (bool, bool),
    ) -> Result<(), CommitError> {
        let epoch = self.chain.epoch() + 1;
        let mut segments = Vec::new();
        for (table, batch) in &step.tables {
            let name = format!("{epoch:020}-{attempt}-{table}.arrow");
            let batches = std::slice::from_ref(batch);
            segments.extend(write_segment(&self.dir, SEGMENTS, &name, table, batches)?);
        }
        if !segments.is_empty() {
            stage_file(&self.dir, SEGMENTS)?;
        }
        fail_point!("aggregate::segments");
        let mut state = self.state.clone();
        if snapshot {
            self.write_state(epoch, attempt, &mut state)?;
        }
        let (complete, maturity) = self.completeness();
        let mut values = BTreeMap::from([
            (SEQ.to_owned(), self.seq.to_string()),
            (BOOK.to_owned(), book.to_owned()),
        ]);
        values.extend(complete.map(|at| (COMPLETE_THROUGH.to_owned(), at.to_string())));
        values.extend(maturity.map(|share| (MATURITY.to_owned(), share.to_string())));
        self.chain.create(Manifest {
            attempt: attempt.to_owned(),
            committed_at_us: self.clock_us,
            released,
            watermark_us: self.watermark_us,
            segments,
            state: state.values().cloned().collect(),
            consumed: BTreeMap::from([(JOB.to_owned(), self.consumed)]),
            values,
            ..Manifest::default()
        })?;
        self.state = state;
        if snapshot {
            self.store.clear_dirty_days();
        }
        Ok(())
    }

    /// State as files. Their epoch is the job's: recovery adds the job's epochs after it. Days that
    /// did not change keep their files, and those hold for this epoch too.
    fn write_state(
        &self,
        epoch: u64,
        attempt: &str,
        state: &mut BTreeMap<String, StateSlice>,
    ) -> Result<(), CommitError> {
        let batches = state::batches(&self.store, &self.costs).map_err(|failure| {
            let path = self.dir.root().to_path_buf();
            CommitError::Damaged { path, what: format!("the state cannot be written: {failure}") }
        })?;
        for (name, batch) in batches {
            let file = format!("{epoch:020}-{attempt}-{}.arrow", name.replace('/', "-"));
            match write_segment(&self.dir, STATE, &file, &name, &[batch])? {
                Some(file) => {
                    let slice = StateSlice { slice: name.clone(), epoch: self.consumed, file };
                    state.insert(name, slice);
                }
                None => drop(state.remove(&name)),
            }
        }
        state.retain(|name, _| !state::is_passed(name, &self.store));
        for slice in state.values_mut() {
            slice.epoch = self.consumed;
        }
        // Even an empty state says from where to go on.
        state.entry(state::BEGUN.to_owned()).or_insert_with(|| state::begun(self.consumed));
        stage_file(&self.dir, STATE)
    }

    /// Newest cohort time up to which every minute has 99 % of its outcomes, never beyond the
    /// watermark, and the share of all messages with a final one.
    fn completeness(&self) -> (Option<i64>, Option<f64>) {
        let maturity = self.store.maturity();
        let complete_us = maturity.complete_through_us().zip(self.watermark_us);
        (complete_us.map(|(complete_us, mark_us)| complete_us.min(mark_us)), maturity.share())
    }

    fn publish(&self, step: &Step) -> Outcome<()> {
        let (complete, maturity) = self.completeness();
        for (table, batch) in &step.tables {
            match *table {
                "slo_windows" => self.published.windows(batch)?,
                "alerts" => self.published.alerts(batch)?,
                _ => {}
            }
        }
        self.published.fresh(self.watermark_us, complete, maturity);
        tracing::debug!(n_windows = step.windows.len(), epoch = self.epoch(), "windows published");
        Ok(())
    }

    /// Publishes everything that is left, and leaves in good order.
    pub(crate) fn release(&mut self, drain: bool) -> Outcome<()> {
        while self.step(drain)? {}
        self.commit(&Step::default(), true)
    }

    /// Fails where a step cannot be done although nothing is wrong with the data.
    pub(crate) fn check_caught_up(&self, job_epoch: u64) -> Outcome<()> {
        if self.consumed < job_epoch {
            return Err(Failure::protect(format!(
                "windows reflect epoch {} of {job_epoch}; start again to go on",
                self.consumed
            )));
        }
        Ok(())
    }
}

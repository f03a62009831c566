//! The ClickHouse loader: a reader of both chains of epochs, with a chain of its own.
//!
//! ```text
//! manifest n   plan: events #41 = job 17..=23 · slo_windows #9 = aggregate 30..=31
//!    └─► insert #41 (token <job>/events/41) ─► insert #9 ─► manifest n+1: n is done, the next plan
//! ```
//! A batch is fixed in a manifest before it is sent and repeated, with the same rows and token,
//! until a later manifest says done: after a crash too. One sender, in order. A batch that may have
//! been sent before is looked for afterwards, as a server that was killed can know the token and
//! lack the rows; these go again with the next token (<job>/events/41/1). ClickHouse being down
//! delays ClickHouse only: the plan waits, and its segments are kept.

mod plan;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use commit::{Chain, DataDir, random_hex, read_segment};
use fail::fail_point;
use model::manifest::Manifest;
use model::schema::Table;
use sink::clickhouse::{ClickHouse, ClickHouseError, Refusal, loaded};
use sink::{conform, read_rows};

use crate::config::ClickHouseSettings;
use crate::disk::{tell_once, wait_for_space};
use crate::failure::{Failure, Outcome};
use crate::job::flow::Shared;
use crate::job::recover::takeover;
use crate::tables::{AGGREGATE, CLICKHOUSE, JOB, LAKE, manifest, reader};
use plan::{Batch, Origin, PLAN_ROWS, Plan};

/// Key in the manifest's values: what it announces.
const PLAN: &str = "plan";
/// Key in the manifest's values: makes the tokens of two data directories differ.
const JOB_ID: &str = "job_id";
/// First and longest rest after a failure, and the longest while a drain waits.
const BACK_OFF: (Duration, Duration, Duration) =
    (Duration::from_millis(200), Duration::from_secs(30), Duration::from_secs(2));
/// How long a drain waits for a server that does not take its rows.
const DRAIN_WAIT: Duration = Duration::from_secs(60);
/// How often rows that the server took and lacks go again: a TTL, or somebody, may take them away.
const AGAIN: u32 = 3;
/// How long a try may go on once the process is to stop, without and with a drain.
const GRACE: (Duration, Duration) = (Duration::from_secs(5), DRAIN_WAIT);

/// The loader.
#[derive(Debug)]
pub(crate) struct Loader {
    dir: DataDir,
    chain: Chain,
    job: Chain,
    aggregate: Chain,
    server: ClickHouse,
    job_id: String,
    plan: Plan,
    /// Batches of the plan that are in.
    sent: usize,
    /// Batches of the plan that may have been sent before, by this process or an earlier one.
    tried: usize,
    /// The tables are made.
    ready: bool,
    rest: Duration,
    not_before: Instant,
    shared: Shared,
}

/// A client of the configured server.
pub(crate) fn client(
    settings: &ClickHouseSettings,
    stop: &Arc<AtomicBool>,
    drains: bool,
) -> Outcome<ClickHouse> {
    let grace = if drains { GRACE.1 } else { GRACE.0 };
    let stop = (Arc::clone(stop), grace);
    Ok(ClickHouse::new(&settings.endpoint, settings.layout.clone(), stop)?)
}

impl Loader {
    /// Opens the chain as its owner. Nothing is sent yet.
    pub(crate) fn open(
        dir: &DataDir,
        owner: &str,
        server: ClickHouse,
        shared: &Shared,
    ) -> Outcome<Self> {
        let mut chain = Chain::open(dir, CLICKHOUSE, owner)?;
        takeover(&mut chain, "", shared.clock.now_us())?;
        let head = chain.head().cloned().unwrap_or_default();
        let begun = head.values.contains_key(PLAN);
        // A loader that comes later begins with the lake's files: the epochs before may be gone.
        let plan = if begun {
            Plan::of(head.values.get(PLAN))?
        } else {
            let lake = reader(dir, LAKE)?.head().cloned().unwrap_or_default();
            Plan::of_lake(&lake, &is_loaded)
        };
        let new_id = random_hex()?[..16].to_owned();
        let mut loader = Self {
            dir: dir.clone(),
            chain,
            job: reader(dir, JOB)?,
            aggregate: reader(dir, AGGREGATE)?,
            server,
            job_id: head.values.get(JOB_ID).cloned().unwrap_or(new_id),
            tried: plan.batches.len(),
            plan,
            sent: 0,
            ready: false,
            rest: BACK_OFF.0,
            not_before: Instant::now(),
            shared: shared.clone(),
        };
        if !begun {
            // At once, whether the server is there or not: the collector spares what is announced.
            loader.announce(loader.plan.clone(), false)?;
        }
        Ok(loader)
    }

    /// Sends what is planned and plans on, until nothing is left or the server fails.
    pub(crate) fn step(&mut self) -> Outcome<()> {
        if Instant::now() < self.not_before {
            return Ok(());
        }
        loop {
            if let Err(error) = self.prepare() {
                self.back_off(&error);
                return Ok(());
            }
            while self.sent < self.plan.batches.len() {
                self.chain.check_owned()?;
                let batch = self.plan.batches[self.sent].clone();
                let table = table_of(&batch)?;
                let rows = self.rows(table, &batch)?;
                fail_point!("clickhouse::planned");
                if let Err(error) = self.send(table, &batch, rows) {
                    self.tried = self.tried.max(self.sent + 1);
                    self.back_off(&error);
                    return Ok(());
                }
                fail_point!("clickhouse::inserted");
                self.sent += 1;
                self.well(batch.rows);
            }
            if !self.plan_on()? {
                return Ok(());
            }
        }
    }

    /// Inserts a batch and, where it may have been sent before, what the server lost of it.
    fn send(
        &self,
        table: &Table,
        batch: &Batch,
        mut rows: RecordBatch,
    ) -> Result<(), ClickHouseError> {
        let token = format!("{}/{}/{}", self.job_id, batch.table, batch.number);
        self.server.insert(&batch.table, &token, &rows)?;
        if self.sent >= self.tried {
            return Ok(());
        }
        for again in 1.. {
            let Some(lost) = self.server.lost(table, &rows)? else { break };
            let n_rows = lost.num_rows();
            if again > AGAIN {
                tracing::error!(
                    token,
                    n_rows,
                    "ClickHouse takes rows and has not got them, so they are left out: does a TTL, \
                     or somebody, remove them?"
                );
                break;
            }
            tracing::warn!(token, n_rows, "ClickHouse knows an insert and lost its rows: again");
            self.server.insert(&batch.table, &format!("{token}/{again}"), &lost)?;
            rows = lost;
        }
        Ok(())
    }

    /// Tables, once a process: they may have been made by an older one.
    fn prepare(&mut self) -> Result<(), ClickHouseError> {
        if self.ready {
            return Ok(());
        }
        self.server.migrate(&window::views::clickhouse())?;
        self.ready = true;
        self.well(0);
        Ok(())
    }

    fn well(&mut self, rows: u64) {
        self.rest = BACK_OFF.0;
        let mut counts = self.shared.telemetry.lock();
        counts.clickhouse.rows += rows;
        if counts.clickhouse.trouble.take().is_some() {
            tracing::info!("ClickHouse takes rows again");
        }
    }

    fn back_off(&mut self, error: &ClickHouseError) {
        let text = crate::failure::chain(error);
        let rest_ms = u64::try_from(self.rest.as_millis()).unwrap_or(u64::MAX);
        let new = self.shared.telemetry.lock().clickhouse.trouble.replace(text.clone()).is_none();
        match error.refusal() {
            Refusal::Later if new => {
                tracing::warn!(error = text, "ClickHouse waits; the pipeline does not");
            }
            Refusal::Later => tracing::debug!(error = text, rest_ms, "ClickHouse still waits"),
            Refusal::Login | Refusal::Other => {
                tracing::error!(error = text, rest_ms, "ClickHouse refuses: its rows wait for you");
            }
        }
        self.not_before = Instant::now() + self.rest;
        let longest = if self.shared.stopping() { BACK_OFF.2 } else { BACK_OFF.1 };
        self.rest = (self.rest * 2).min(longest);
    }

    /// The rows of a batch, in the order of their epochs: the same at each try.
    fn rows(&self, table: &Table, batch: &Batch) -> Outcome<RecordBatch> {
        let batches = match &batch.origin {
            Origin::Epochs { chain, from, to } => {
                self.rows_of_epochs(&batch.table, chain, *from..=*to)?
            }
            Origin::File { path, first } => {
                // Named by the manifest that announced the plan.
                let file = self.plan.files.iter().find(|file| file.path == *path);
                let path = match file {
                    Some(file) => self.dir.obtain(file)?,
                    None => self.dir.root().join(path),
                };
                read_rows(&path, *first, batch.rows)?
            }
        };
        let batches = batches.iter().map(|batch| conform(table, batch));
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(&table.arrow(), &batches)?)
    }

    fn rows_of_epochs(
        &self,
        table: &str,
        chain: &str,
        epochs: RangeInclusive<u64>,
    ) -> Outcome<Vec<RecordBatch>> {
        let chain = if chain == JOB { &self.job } else { &self.aggregate };
        let mut batches = Vec::new();
        for epoch in epochs {
            for file in manifest(chain, epoch)?.segments {
                if file.table == table {
                    batches.extend(read_segment(&self.dir, &file)?);
                }
            }
        }
        Ok(batches)
    }

    /// Announces the next plan, and with it that this one is done. False where there is none.
    fn plan_on(&mut self) -> Outcome<bool> {
        if !self.plan.files_left().is_empty() {
            self.announce(self.plan.next_files(), false)?;
            return Ok(true);
        }
        self.job.refresh()?;
        self.aggregate.refresh()?;
        let mut chains: Vec<(&str, Vec<Manifest>)> = Vec::new();
        for (name, chain) in [(JOB, &self.job), (AGGREGATE, &self.aggregate)] {
            chains.push((name, self.waiting(name, chain)?));
        }
        let next = self.plan.next(&chains, &is_loaded);
        let told = self.chain.head().is_some_and(|head| head.consumed == self.plan.up_to);
        if !next.moves(&self.plan) && told {
            return Ok(false);
        }
        // At once: epochs of a second make it an insert a second and table, which a server likes.
        self.announce(next, false)?;
        Ok(true)
    }

    /// Manifests after those of the plan, up to a number of rows.
    fn waiting(&self, name: &str, chain: &Chain) -> Outcome<Vec<Manifest>> {
        let from = self.plan.up_to.get(name).copied().unwrap_or(0) + 1;
        if from <= chain.epoch() && chain.read(from)?.is_none() {
            return Err(Failure::protect(format!(
                "epoch {from} of chain {name} was collected while nothing was loaded into \
                 ClickHouse: drop its database and remove chains/clickhouse below the data \
                 directory, then everything is loaded anew from the lake"
            )));
        }
        chain.fetch(from, chain.epoch())?;
        let mut rows = 0;
        let mut found = Vec::new();
        for epoch in from..=chain.epoch() {
            if rows >= PLAN_ROWS {
                break;
            }
            let manifest = manifest(chain, epoch)?;
            rows += manifest.segments.iter().map(|file| file.rows).sum::<u64>();
            found.push(manifest);
        }
        Ok(found)
    }

    /// Creates the manifest that says: the plan so far is done, this is the next.
    fn announce(&mut self, next: Plan, released: bool) -> Outcome<()> {
        let clock_us = self.shared.clock.now_us();
        let text = next.text()?;
        let head = self.chain.head().cloned().unwrap_or_default();
        let manifest = Manifest {
            attempt: random_hex()?,
            committed_at_us: clock_us,
            released,
            consumed: self.plan.up_to.clone(),
            watermark_us: self.job.head().and_then(|head| head.watermark_us),
            values: [(PLAN.to_owned(), text), (JOB_ID.to_owned(), self.job_id.clone())].into(),
            segments: Vec::new(),
            // The collector spares them.
            files: next.files.clone(),
            ..head
        };
        let stop = Arc::clone(&self.shared.stop);
        wait_for_space(&stop, tell_once("plans for ClickHouse"), || {
            Ok(self.chain.create(manifest.clone())?)
        })?;
        fail_point!("clickhouse::announced");
        let mut counts = self.shared.telemetry.lock();
        counts.clickhouse.epoch = self.plan.up_to.get(JOB).copied().unwrap_or(0);
        drop(counts);
        self.plan = next;
        (self.sent, self.tried) = (0, 0);
        Ok(())
    }

    /// Sends everything that is committed; gives up where the server takes nothing for a minute.
    pub(crate) fn drain(&mut self) -> Outcome<()> {
        let mut since = Instant::now();
        loop {
            let before = (self.chain.epoch(), self.sent);
            self.step()?;
            let trouble = self.shared.telemetry.lock().clickhouse.trouble.clone();
            let Some(trouble) = trouble else { return Ok(()) };
            if (self.chain.epoch(), self.sent) != before {
                since = Instant::now();
            }
            if since.elapsed() >= DRAIN_WAIT {
                return Err(Failure::dependency(format!(
                    "ClickHouse took nothing for 60 s: {trouble}; what it lacks is kept, start \
                     again to go on"
                )));
            }
            std::thread::sleep(self.not_before.saturating_duration_since(Instant::now()));
        }
    }

    /// Leaves in good order. A plan that is not done stays announced.
    pub(crate) fn release(&mut self) -> Outcome<()> {
        if self.sent < self.plan.batches.len() {
            let head = self.chain.head().cloned().unwrap_or_default();
            let attempt = random_hex()?;
            let clock_us = self.shared.clock.now_us();
            let left = Manifest { attempt, committed_at_us: clock_us, released: true, ..head };
            return Ok(self.chain.create(left)?);
        }
        // Files of a plan that is done are no part of the next; those that are left stay.
        let files = self.plan.files_left().to_vec();
        let done = Plan { batches: Vec::new(), files, n_taken: 0, ..self.plan.clone() };
        self.announce(done, true)
    }
}

/// The table of a batch.
fn table_of(batch: &Batch) -> Outcome<&'static Table> {
    loaded().find(|table| table.name == batch.table).ok_or_else(|| {
        Failure::protect(format!("the plan names table {}, which is none", batch.table))
    })
}

fn is_loaded(name: &str) -> bool {
    loaded().any(|table| table.name == name)
}

/// Fails where the configured server refuses; one that cannot be reached is waited for later.
pub(crate) fn check_server(server: &ClickHouse) -> Outcome<()> {
    match server.check() {
        Err(error) if error.refusal() == Refusal::Later => {
            tracing::warn!(error = %error, "ClickHouse is not there: its rows wait for it");
            Ok(())
        }
        other => Ok(other?),
    }
}

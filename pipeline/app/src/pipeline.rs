//! The whole pipeline on Kafka: what `run` and `demo` start, from the claim of the directory to
//! the release.
//!
//! ```text
//! claim ─► recover ─► connect ─► job threads, aggregate, lake, API ─► stop ─► drain ─► release
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use commit::{Chain, Claim, DataDir, random_hex};
use crossbeam_channel::{Receiver, bounded};
use fail::fail_point;
use model::clock::Clock;
use normalize::Normalizer;

use crate::aggregate::{Aggregate, Alerting, Published, load};
use crate::clickhouse::{self, Loader};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::heads;
use crate::job::committer::Committer;
use crate::job::flow::{self, Shared};
use crate::job::heartbeat::alive_while;
use crate::job::inputs::{Inputs, Opening};
use crate::job::kafka::{Reader, Seeks, watch_ends};
use crate::job::recover::{KEY, WhenOwned, check_key, claim, recover, takeover};
use crate::job::space::Space;
use crate::job::spawn;
use crate::lake::Lake;
use crate::place;
use crate::proof;
use crate::read_model::Model;
use crate::tables::{self, JOB};
use crate::telemetry::Telemetry;

/// How a pipeline runs.
#[derive(Debug)]
pub(crate) struct Mode {
    /// What to do where another process owns the directory.
    pub(crate) when_owned: WhenOwned,
    pub(crate) until_end: bool,
    pub(crate) seeks: Seeks,
    /// Set from outside to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// Called with the address once the API listens.
    pub(crate) listening: Option<fn(&str)>,
    /// Looks at what is published, on a thread of its own, until stopped.
    pub(crate) watch: Option<fn(&Published, &AtomicBool)>,
}

/// Runs until stopped, or to the end.
pub(crate) fn run(settings: &Settings, mode: &Mode, clock: &Arc<dyn Clock>) -> Outcome<()> {
    let dir = place::open(&settings.data_dir, settings.store.as_ref())?;
    let telemetry = Arc::new(Telemetry::default());
    place::wait_for_store(&dir, &mode.stop, &telemetry);
    let owner = format!("pid-{}-{}", std::process::id(), &random_hex()?[..12]);
    let mut chain = Chain::open(&dir, JOB, &owner)?;
    let shared = Shared {
        clock: Arc::clone(clock),
        telemetry: Arc::clone(&telemetry),
        stop: Arc::clone(&mode.stop),
        board: Arc::default(),
        epoch_us: i64::try_from(settings.epoch_ms).unwrap_or(1000) * 1000,
        until_end: mode.until_end,
    };
    let Some((reader, opened)) = own(&mut chain, &dir, settings, mode, clock)? else {
        tracing::info!("stopped while standing by: nothing was begun");
        return Ok(());
    };
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let published = Arc::new(Published::default());
    let as_of = tables::reader(&dir, JOB)?;
    let (chain, (mut core, state, aggregate, lake, loader)) =
        alive_while(chain, &settings.version, clock, || {
            let (core, state) =
                recover(&dir, &as_of, threads.div_ceil(2), settings.track_memory_bytes)?;
            load(&dir, &published)?;
            let alerting = Alerting::open(&settings.objective_files)?;
            let ending = (Arc::clone(&mode.stop), clock.now_us());
            let aggregate =
                Aggregate::open(&dir, &owner, alerting, Arc::clone(&published), ending)?;
            let (rules, stop) = (settings.lake.clone(), Arc::clone(&mode.stop));
            let lake = Lake::open(&dir, &owner, rules, stop, clock.as_ref())?;
            let loader = settings.clickhouse.as_ref().map(|to| -> Outcome<Loader> {
                let server = clickhouse::client(to, &mode.stop, mode.until_end)?;
                Loader::open(&dir, &owner, server, &shared)
            });
            Ok((core, state, aggregate, lake, loader.transpose()?))
        })?;
    fail_point!("job::recovered");
    core.epoch = chain.epoch() + 1;
    core.values.insert(KEY.to_owned(), settings.keyring.fingerprint());
    let size = core.trackers.size();
    let (messages, hot, bytes) = (size.n_messages, size.n_hot, size.n_bytes);
    tracing::info!(epoch = chain.epoch(), messages, hot, bytes, "recovered");
    core.open(opened);
    let committer = Committer {
        dir: dir.clone(),
        chain,
        state,
        config_version: settings.version.clone(),
        clock: Arc::clone(clock),
        telemetry,
        stop: Arc::clone(&mode.stop),
    };
    let normalizers = (0..threads)
        .map(|_| {
            let made = Normalizer::new(normalize::Settings {
                keyring: settings.keyring,
                signatures: Arc::clone(&settings.signatures),
                regional: Arc::clone(&settings.regional),
            });
            made.keeping(settings.vault.clone())
        })
        .collect();
    if let Some(watch) = mode.watch {
        let (published, stop) = (Arc::clone(&published), Arc::clone(&mode.stop));
        std::thread::spawn(move || watch(&published, &stop));
    }
    let parts = Parts { core, committer, reader, aggregate, lake, loader, normalizers };
    serve_beside(settings, &shared, &published, mode.listening, || run_threads(parts, &shared))
}

/// The job's Kafka side, and the inputs that it reads with their first offsets.
type Connected = (Reader, Vec<Opening>);

/// Makes the chain this process's own: waits while another has it, asks Kafka, takes over. `None`
/// where it was told to stop while it stood by.
fn own(
    chain: &mut Chain,
    dir: &DataDir,
    settings: &Settings,
    mode: &Mode,
    clock: &Arc<dyn Clock>,
) -> Outcome<Option<Connected>> {
    let stopping = || mode.stop.load(Ordering::SeqCst);
    loop {
        if !claim(chain, dir, mode.when_owned, clock.as_ref(), &stopping)? {
            return Ok(None);
        }
        check_key(chain, dir, &settings.keyring)?;
        heads::check(dir)?;
        let mut space = Space::new(settings.data_dir.clone(), settings.min_free_bytes);
        if let Err(failure) = space.check(clock.steady_us()) {
            // Who stands by goes on with it; who would begin does not.
            if matches!(chain.claim(), Claim::Free) || mode.when_owned == WhenOwned::Refuse {
                return Err(failure);
            }
            tracing::warn!(%failure, "not taking over yet");
            std::thread::sleep(Duration::from_secs(1));
            chain.refresh()?;
            continue;
        }
        // Kafka is asked before the chain is taken, so that a wrong configuration changes nothing.
        let known = Inputs::from_ranges(&chain.head().cloned().unwrap_or_default().inputs);
        let connected = Reader::connect(settings, mode.seeks.clone(), known)?;
        let epoch = chain.epoch();
        chain.refresh()?;
        if chain.epoch() != epoch {
            // Somebody went on meanwhile: what Kafka was asked about is not the newest any more.
            continue;
        }
        match takeover(chain, &settings.version, clock.now_us()) {
            Ok(()) => {
                fail_point!("job::taken_over");
                dir.migrate()?;
                return Ok(Some(connected));
            }
            Err(failure) if chain.refresh()? => {
                tracing::info!(%failure, "another process was faster: standing by");
            }
            Err(failure) => return Err(failure),
        }
    }
}

struct Parts {
    core: crate::job::core::Core,
    committer: Committer,
    reader: Reader,
    aggregate: Aggregate,
    lake: Lake,
    loader: Option<Loader>,
    normalizers: Vec<Normalizer>,
}

/// Runs the API, where one is configured, as long as `work` takes.
fn serve_beside(
    settings: &Settings,
    shared: &Shared,
    published: &Arc<Published>,
    listening: Option<fn(&str)>,
    work: impl FnOnce() -> Outcome<()>,
) -> Outcome<()> {
    let Some(listen) = &settings.listen else { return work() };
    let address = listen.parse().map_err(|_| {
        Failure::usage(format!("[serve] listen is `{listen}`; it needs ADDRESS:PORT"))
    })?;
    let model = Model::new(Arc::clone(published), shared);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::dependency(format!("cannot start the API: {error}")))?;
    let listener = runtime
        .block_on(serve::bind(address))
        .map_err(|error| Failure::usage(crate::failure::chain(&error)))?;
    let bound = listener.local_addr().map_or_else(|_| listen.clone(), |at| at.to_string());
    if let Some(tell) = listening {
        tell(&bound);
    }
    tracing::info!(address = %bound, "the API listens");
    let (done_out, done_in) = tokio::sync::oneshot::channel::<()>();
    let server = runtime.spawn(serve::serve(listener, Arc::new(model), async move {
        drop(done_in.await);
    }));
    let result = work();
    drop(done_out);
    let ended =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), server).await });
    if ended.is_err() {
        tracing::debug!("connections were still open");
    }
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

fn run_threads(parts: Parts, shared: &Shared) -> Outcome<()> {
    let Parts { core, committer, reader, mut aggregate, mut lake, loader, normalizers } = parts;
    let (raw_out, raw_in) = bounded(8);
    let (news_out, news_in) = bounded(64);
    let (kick_aggregate, kicked_aggregate) = bounded(1);
    let (kick_lake, kicked_lake) = bounded(1);
    let (kick_loader, kicked_loader) = bounded(1);
    let drain = shared.until_end;
    std::thread::scope(|scope| {
        let checker = reader.tail();
        let news_tail = news_out.clone();
        if !drain {
            spawn(scope, "tail", move || watch_ends(checker, &news_tail, shared))?;
        }
        let reading = spawn(scope, "ingest", move || {
            let result = reader.run(&raw_out, &news_out, shared);
            // However it ended, nobody else has anything to do without records.
            shared.stop.store(true, Ordering::SeqCst);
            result
        })?;
        let aggregating = spawn(scope, "aggregate", move || -> Outcome<Aggregate> {
            follow(&kicked_aggregate, shared, || {
                while aggregate.step(false)? {}
                let mut counts = shared.telemetry.lock();
                counts.aggregate_epoch = aggregate.epoch();
                Ok(())
            })?;
            Ok(aggregate)
        })?;
        let rolling = spawn(scope, "lake", move || -> Outcome<Lake> {
            follow(&kicked_lake, shared, || {
                lake.step(false, shared.clock.as_ref())?;
                shared.telemetry.lock().lake_epoch = lake.epoch();
                Ok(())
            })?;
            Ok(lake)
        })?;
        let loading = spawn(scope, "clickhouse", move || -> Outcome<Option<Loader>> {
            let Some(mut loader) = loader else { return Ok(None) };
            follow(&kicked_loader, shared, || loader.step())?;
            Ok(Some(loader))
        })?;
        let kicks = vec![kick_aggregate, kick_lake, kick_loader];
        let committed = flow::run(core, committer, normalizers, (raw_in, news_in, kicks), shared);
        shared.stop.store(true, Ordering::SeqCst);
        let read = join(reading.join());
        let aggregated = join(aggregating.join());
        let rolled = join(rolling.join());
        let loaded = join(loading.join());
        read?;
        let committer = committed?;
        let (mut aggregate, mut lake, mut loader) = (aggregated?, rolled?, loaded?);
        aggregate.release(drain)?;
        if drain {
            aggregate.check_caught_up(committer.chain.epoch())?;
            while lake.step(true, shared.clock.as_ref())? {}
        }
        lake.release(shared.clock.as_ref())?;
        let Some(loader) = &mut loader else { return Ok(()) };
        let drained = if drain { loader.drain() } else { Ok(()) };
        loader.release()?;
        drained
    })
}

fn join<T>(joined: std::thread::Result<Outcome<T>>) -> Outcome<T> {
    joined.unwrap_or_else(|_| Err(Failure::protect("a thread panicked; start again")))
}

/// Calls `step` at each kick, and every second, until the job stops and its channel closes. A
/// failing reader stops the job: nothing may run on unseen.
fn follow(
    kicks: &Receiver<u64>,
    shared: &Shared,
    mut step: impl FnMut() -> Outcome<()>,
) -> Outcome<()> {
    loop {
        let kicked = kicks.recv_timeout(Duration::from_secs(1));
        let stepped = if proof::reads() { step() } else { Ok(()) };
        if let Err(failure) = stepped {
            shared.stop.store(true, Ordering::SeqCst);
            return Err(failure);
        }
        if kicked == Err(crossbeam_channel::RecvTimeoutError::Disconnected) {
            return Ok(());
        }
    }
}

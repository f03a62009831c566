//! From the newest manifest to a running state: claim the chain, open the runs of each slice, then
//! the segments after them, applied and never decided again. Messages are read when they are
//! needed.

use std::time::Duration;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use commit::{Chain, Claim, CommitError, DataDir, TAKEOVER_US, open_file, read_segment};
use fail::fail_point;
use model::clock::Clock;
use model::keys::{Id16, Keyring};
use model::manifest::Manifest;
use model::mutant::Mutant;
use track::SLICES;

use super::core::Core;
use super::inputs::{Inputs, next_range};
use super::state::State;
use super::trackers::Trackers;
use crate::failure::{Failure, Outcome};
use crate::tables::JOB;

/// What to do where another process owns the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenOwned {
    /// Fail, naming the owner, where it is alive; take over where it is not.
    Refuse,
    /// Stand by until it is released or stands still.
    StandBy,
}

/// Waits until the chain may be taken over; false where it was told to stop first. An owner shows
/// life by moving the head.
pub(crate) fn claim(
    chain: &mut Chain,
    dir: &DataDir,
    when: WhenOwned,
    clock: &dyn Clock,
    stop: &dyn Fn() -> bool,
) -> Outcome<bool> {
    let mut since_us = clock.steady_us();
    let mut told = false;
    loop {
        let Claim::Owned { owner } = chain.claim() else { return Ok(true) };
        if !told {
            tracing::info!(%owner, "another process owns the data directory: watching its head");
            told = true;
        }
        if stop() {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(200));
        if chain.refresh()? {
            since_us = clock.steady_us();
            if when == WhenOwned::Refuse && matches!(chain.claim(), Claim::Owned { .. }) {
                return Err(CommitError::Busy { path: dir.root().to_path_buf(), owner }.into());
            }
        }
        if clock.steady_us() - since_us >= TAKEOVER_US {
            tracing::warn!(%owner, "its head stood still for 5 s: taking over");
            return Ok(true);
        }
    }
}

/// Key in the job's values: which secret made its message keys.
pub(crate) const KEY: &str = "key";

/// Refuses another secret than the one that made the directory's message keys: every message would
/// be counted once more under a new key.
pub(crate) fn check_key(chain: &Chain, dir: &DataDir, keyring: &Keyring) -> Outcome<()> {
    let made_by = chain.head().and_then(|head| head.values.get(KEY));
    if made_by.is_none_or(|made_by| *made_by == keyring.fingerprint()) {
        return Ok(());
    }
    Err(Failure::protect(format!(
        "{} was filled with another secret key: give the one it began with ([keys] secret_file, \
         SENDTALLY_KEY, or the directory's own file `key`), or use another directory",
        dir.root().display()
    )))
}

/// Key in the job's values: the newest epoch whose costs were counted by the rule before format 4.
const OLD_COSTS: &str = "old_costs_through";
const NEW_COSTS_SINCE: u32 = 4;

/// The newest epoch of a job whose costs were counted by the rule before format 4; 0 where none.
/// They stand in their windows until an event or a line revises the message.
pub(crate) fn old_costs_through(head: &Manifest) -> u64 {
    if head.format_version < NEW_COSTS_SINCE {
        return head.epoch;
    }
    head.values.get(OLD_COSTS).and_then(|epoch| epoch.parse().ok()).unwrap_or(0)
}

/// The empty manifest with which a process makes a chain its own.
pub(crate) fn takeover(chain: &mut Chain, config_version: &str, now_us: i64) -> Outcome<()> {
    let mut head = chain.head().cloned().unwrap_or_default();
    let old_costs = old_costs_through(&head);
    if old_costs > 0 && chain.name() == JOB {
        head.values.insert(OLD_COSTS.to_owned(), old_costs.to_string());
    }
    let manifest = Manifest {
        attempt: String::new(),
        committed_at_us: now_us,
        released: false,
        config_version: config_version.to_owned(),
        inputs: head.inputs.iter().map(next_range).collect(),
        segments: Vec::new(),
        ..head
    };
    Ok(chain.create(manifest)?)
}

/// State after the head of the chain, and where it lies. All trackers together may take
/// `memory_bytes`.
pub(crate) fn recover(
    dir: &DataDir,
    chain: &Chain,
    threads: usize,
    memory_bytes: usize,
) -> Outcome<(Core, State)> {
    let head = chain.head().cloned().unwrap_or_default();
    let state = State::of(&head)?;
    let mut trackers = Trackers::new(threads, memory_bytes);
    let from = state.replay_from();
    let mut watermark_us = None;
    if from > 0 {
        watermark_us = chain.read(from)?.and_then(|manifest| manifest.watermark_us);
    }
    let runs: Vec<_> = (0..SLICES).flat_map(|slice| state.runs(slice)).cloned().collect();
    dir.obtain_all(&runs)?;
    chain.fetch(from + 1, head.epoch)?;
    for slice in 0..SLICES {
        let open = state.runs(slice).iter().map(|file| open_file(dir, file));
        let runs = open.collect::<Result<Vec<_>, CommitError>>()?;
        trackers.restore(slice, runs, watermark_us)?;
        fail_point!("job::slice_restored");
    }
    for epoch in from + 1..=head.epoch {
        let manifest = chain.read(epoch)?.ok_or_else(|| CommitError::Damaged {
            path: chain.path(epoch),
            what: format!("it is missing, and the state at {} needs it", head.epoch),
        })?;
        let stale = Mutant::SliceWithoutOffsets.lives();
        let behind = |slice: u8| !stale && state.epoch(slice) < epoch;
        fail_point!("job::replaying");
        replay(dir, &mut trackers, &manifest, &behind, watermark_us)?;
        watermark_us = manifest.watermark_us;
    }
    trackers.each().for_each(|tracker| tracker.count_old_costs(false));
    let mut core = Core::new(Inputs::from_ranges(&head.inputs), trackers, head.epoch);
    core.watermark_us = head.watermark_us;
    core.values = head.values;
    core.next_slice = state.oldest();
    Ok((core, state))
}

fn replay(
    dir: &DataDir,
    trackers: &mut Trackers,
    manifest: &Manifest,
    behind: &dyn Fn(u8) -> bool,
    decided_by_us: Option<i64>,
) -> Outcome<()> {
    let old_costs = manifest.format_version < NEW_COSTS_SINCE;
    trackers.each().for_each(|tracker| tracker.count_old_costs(old_costs));
    for file in &manifest.segments {
        if file.table == "events" {
            for batch in read_segment(dir, file)? {
                for tracker in trackers.each() {
                    tracker.replay(&batch, behind, decided_by_us)?;
                }
            }
        }
    }
    for file in manifest.segments.iter().filter(|file| file.table == "charge_lines") {
        for batch in read_segment(dir, file)? {
            for tracker in trackers.each() {
                tracker.replay_lines(&batch, behind, (manifest.epoch, decided_by_us))?;
            }
        }
    }
    for file in manifest.segments.iter().filter(|file| file.table == "duplicates") {
        for batch in read_segment(dir, file)? {
            let keys = batch.column_by_name("message_key");
            let Some(keys) = keys.and_then(|keys| keys.as_fixed_size_binary_opt()) else {
                continue;
            };
            for tracker in trackers.each() {
                let ids = (0..keys.len()).filter_map(|row| Id16::from_slice(keys.value(row)));
                tracker.replay_duplicates(ids, behind)?;
            }
        }
    }
    for tracker in trackers.each() {
        tracker.replay_close(behind, manifest.watermark_us)?;
    }
    Ok(())
}

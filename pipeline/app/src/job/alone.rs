//! The job of a command that reads no Kafka (`load`, `dead-letters replay`): it claims the
//! directory or refuses, gives records to the core, commits, and brings windows and files up to
//! the end.
//!
//! ```text
//! claim ─► key ─► take over, recover ─► accept, close … ─► windows, files, release
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use commit::{Chain, DataDir, random_hex};
use model::clock::Clock;
use model::keys::Keyring;
use model::manifest::InputRange;

use super::committer::Committer;
use super::core::{Core, Mark};
use super::recover::{KEY, WhenOwned, check_key, claim, recover, takeover};
use crate::aggregate::{Aggregate, Alerting, Published};
use crate::failure::Outcome;
use crate::heads;
use crate::lake::{Lake, Rules};
use crate::place;
use crate::tables::JOB;
use crate::telemetry::Telemetry;

/// Raw bytes of one epoch.
pub(crate) const EPOCH_BYTES: usize = 64 << 20;

/// A directory that no running process owns; nothing was written yet.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) dir: DataDir,
    chain: Chain,
    /// Which command it is.
    name: &'static str,
    owner: String,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    stop: Arc<AtomicBool>,
}

/// The job in memory, and where it is committed.
#[derive(Debug)]
pub(crate) struct Alone {
    pub(crate) core: Core,
    pub(crate) clock: Arc<dyn Clock>,
    committer: Committer,
    owner: String,
}

impl Claimed {
    /// Refuses where a running process owns the directory, naming it.
    pub(crate) fn new(dir: DataDir, name: &'static str, clock: Arc<dyn Clock>) -> Outcome<Self> {
        let (telemetry, stop) = (Arc::new(Telemetry::default()), Arc::new(AtomicBool::new(true)));
        place::wait_for_store(&dir, &stop, &telemetry);
        let owner = format!("{name}-{}-{}", std::process::id(), &random_hex()?[..12]);
        let mut chain = Chain::open(&dir, JOB, &owner)?;
        claim(&mut chain, &dir, WhenOwned::Refuse, clock.as_ref(), &|| false)?;
        heads::check(&dir)?;
        Ok(Self { dir, chain, name, owner, clock, telemetry, stop })
    }

    /// Takes the chain over and recovers its state.
    pub(crate) fn recover(mut self, keyring: &Keyring, memory_bytes: usize) -> Outcome<Alone> {
        check_key(&self.chain, &self.dir, keyring)?;
        takeover(&mut self.chain, self.name, self.clock.now_us())?;
        self.dir.migrate()?;
        let (mut core, state) = recover(&self.dir, &self.chain, 1, memory_bytes)?;
        core.values.insert(KEY.to_owned(), keyring.fingerprint());
        let committer = Committer {
            dir: self.dir,
            chain: self.chain,
            state,
            config_version: self.name.to_owned(),
            clock: Arc::clone(&self.clock),
            telemetry: self.telemetry,
            stop: self.stop,
        };
        Ok(Alone { core, clock: self.clock, committer, owner: self.owner })
    }
}

impl Alone {
    /// Commits the open epoch; gives its lines of the ledger.
    pub(crate) fn close(&mut self, mark: Option<i64>, released: bool) -> Outcome<Vec<InputRange>> {
        let mut draft = self.core.close(self.clock.now_us(), Mark::Fixed(mark))?;
        draft.released = released;
        self.committer.commit(&draft)?;
        Ok(draft.inputs)
    }

    /// Windows and files of what was committed; everything is published, the directory released.
    pub(crate) fn finish(mut self, rules: Rules) -> Outcome<()> {
        let dir = self.committer.dir.clone();
        let published = Arc::new(Published::default());
        let ending = (Arc::new(AtomicBool::new(true)), self.clock.now_us());
        let alerting = Alerting::open(&[])?.yielding();
        let mut aggregate = Aggregate::open(&dir, &self.owner, alerting, published, ending)?;
        aggregate.release(true)?;
        let ending = Arc::new(AtomicBool::new(true));
        let mut lake = Lake::open(&dir, &self.owner, rules, ending, self.clock.as_ref())?;
        while lake.step(true, self.clock.as_ref())? {}
        lake.release(self.clock.as_ref())?;
        let mark = self.core.watermark_us;
        self.close(mark, true)?;
        Ok(())
    }
}

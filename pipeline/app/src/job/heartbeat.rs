//! Shows life while a process recovers: empty manifests every 2 s, so that no standby takes over.
//!
//! ```text
//! takeover ─► 41 (empty) ─► 42 (empty) ─► … until the core starts with 43
//!               └── state is read as of 41 meanwhile: an empty epoch changes nothing
//! ```

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

use commit::Chain;
use model::clock::Clock;

use super::recover::takeover;
use crate::failure::{Failure, Outcome};

/// Between two of them; a standby waits 5 s.
const BEAT: Duration = Duration::from_secs(2);

/// Does `work` while a thread keeps the chain alive. Gives the chain back, at its newest manifest.
pub(crate) fn alive_while<T>(
    mut chain: Chain,
    config_version: &str,
    clock: &Arc<dyn Clock>,
    work: impl FnOnce() -> Outcome<T>,
) -> Outcome<(Chain, T)> {
    let (done, waiting) = channel::<()>();
    let (version, clock) = (config_version.to_owned(), Arc::clone(clock));
    let beating = Builder::new().name("heartbeat".to_owned()).spawn(move || -> Outcome<Chain> {
        while waiting.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            takeover(&mut chain, &version, clock.now_us())?;
        }
        Ok(chain)
    });
    let beating = beating
        .map_err(|error| Failure::dependency(format!("cannot start the heartbeat: {error}")))?;
    let result = work();
    drop(done);
    let chain = beating.join().unwrap_or_else(|_| Err(Failure::protect("the heartbeat died")))?;
    Ok((chain, result?))
}

#[cfg(test)]
mod tests {
    use commit::{DataDir, random_hex};
    use model::clock::SystemClock;

    use super::*;

    #[test]
    fn the_head_moves_while_the_work_lasts() {
        let root = std::env::temp_dir().join(format!("sendtally-beat-{}", random_hex().unwrap()));
        let dir = DataDir::open(&root).unwrap();
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        takeover(&mut chain, "v", 7).unwrap();
        let mut other = Chain::open(&dir, "job", "b").unwrap();
        let (chain, seen) = alive_while(chain, "v", &clock, || {
            std::thread::sleep(BEAT + Duration::from_millis(500));
            other.refresh()?;
            Ok(other.epoch())
        })
        .unwrap();
        assert_eq!((seen, chain.epoch()), (2, 2));
        std::fs::remove_dir_all(&root).unwrap();
    }
}

//! Whether the heads of the chains belong together.
//!
//! ```text
//! job …5 │ 6, 7 are gone        aggregate 4, consumed job 7     ─► refused: 6 would be given again
//! lake …8 │ 9 is gone           public/events/…/…0009-000       ─► refused: 9 would be given again
//! ```
//! A copy of a running directory, or one that was partly restored, may lack the newest manifests of
//! a chain. Who goes on from there numbers epochs again that others have taken in: rows would be
//! counted twice, or not at all.

use std::collections::BTreeSet;

use commit::{CommitError, DataDir};

use crate::lake::public_epoch;
use crate::tables::{AGGREGATE, CLICKHOUSE, JOB, LAKE, reader};

/// All chains, those first that read others.
pub(crate) const CHAINS: [&str; 4] = [CLICKHOUSE, LAKE, AGGREGATE, JOB];

/// Chains that this directory has.
pub(crate) fn present(dir: &DataDir) -> impl Iterator<Item = &'static str> {
    let (root, is_stored) = (dir.root().join("chains"), dir.remote().is_some());
    CHAINS.into_iter().filter(move |name| is_stored || root.join(name).is_dir())
}

/// Fails where newest manifests of a chain are gone.
///
/// # Errors
/// [`CommitError::Damaged`] with the first that is missing; where a head cannot be read.
pub(crate) fn check(dir: &DataDir) -> Result<(), CommitError> {
    let mut taken = Vec::new();
    // Readers first: what a running one has taken in was there before.
    for name in present(dir) {
        if let Some(head) = reader(dir, name)?.head() {
            let consumed = head.consumed.iter();
            taken.extend(
                consumed.map(|(of, epoch)| (of.clone(), *epoch, format!("chain `{name}`"))),
            );
        }
    }
    let public = public_names(dir)?.iter().filter_map(|path| public_epoch(path)).max();
    taken.extend(public.map(|epoch| (LAKE.to_owned(), epoch, "public directory".to_owned())));
    for (of, epoch, by) in taken {
        let chain = reader(dir, &of)?;
        if chain.epoch() < epoch {
            return Err(CommitError::Damaged {
                path: chain.path(chain.epoch() + 1),
                what: format!("it is gone, with those after it: the {by} has {epoch}"),
            });
        }
    }
    Ok(())
}

/// Paths of the public files, below the data directory.
///
/// # Errors
/// Where the directory or the store cannot be listed.
pub(crate) fn public_names(dir: &DataDir) -> Result<BTreeSet<String>, CommitError> {
    if let Some(remote) = dir.remote() {
        let listed = remote.list("public", None)?;
        return Ok(listed.into_iter().map(|object| object.key).collect());
    }
    dir.files_below("public")
}

//! The public directory: links to compacted files, after the manifest that names them; and away
//! with the links to what a manifest has dropped. Both can be repeated. A store has the same files
//! under the same names, copied inside it.
//!
//! ```text
//! manifest 47: files …47-000 …47-001, published = 46   ─► links, fsync     repeated after a crash
//! manifest 48: published = 47                          ─► nothing to do for 47
//! ```

use fail::fail_point;
use model::manifest::{FileRef, Manifest};
use sink::{publish, withdraw};

use super::{Lake, names, retain};
use crate::failure::Outcome;

/// Key in the lake's values: the newest lake epoch whose files are all public.
const PUBLISHED: &str = "published";

fn published(manifest: &Manifest) -> Option<u64> {
    manifest.values.get(PUBLISHED)?.parse().ok()
}

/// A compacted file of which no later manifest says that it is public by now: its owner may be
/// about to link it.
pub(crate) fn is_announced_only(file: &FileRef, head: &Manifest) -> bool {
    names::epoch_of(file).is_some_and(|epoch| published(head).is_none_or(|done| epoch > done))
}

impl Lake {
    /// What the head announced is public by now: says so in the manifest after it.
    pub(super) fn note_published(&self, next: &mut Manifest) {
        next.values.insert(PUBLISHED.to_owned(), self.epoch().to_string());
    }

    /// Makes `public/` what the head says. Links that are there stay.
    pub(super) fn publish(&mut self) -> Outcome<()> {
        // Who was frozen through a takeover may not link what its successor has dropped.
        self.chain.check_owned()?;
        let Some(head) = self.chain.head() else { return Ok(()) };
        let public = self.dir.root().join("public");
        for file in head.files.iter().filter(|file| is_announced_only(file, head)) {
            if let Some(target) = names::public_file(file) {
                publish(&self.dir.obtain(file)?, &public, &target)?;
                if let Some(path) = names::public_path(file) {
                    self.dir.publish_stored(file, &path)?;
                }
                fail_point!("lake::published_file");
            }
        }
        for (table, dropped) in retain::all_dropped(head) {
            let mut gone = withdraw(&public, &table, |date| dropped.covers(date))?;
            let stored = format!("public/{table}");
            let deleted = self.dir.delete_stored(&stored, |key| {
                names::public_date(key).is_some_and(|date| dropped.covers(date))
            })?;
            gone = gone.max(deleted);
            if gone > 0 {
                tracing::info!(table, before = dropped.before, n_files = gone, "dropped by age");
            }
        }
        Ok(())
    }
}

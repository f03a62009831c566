//! A chain: numbered manifests, each created only if absent.
//!
//! ```text
//! chains/job/…0041.json ◄─previous─ …0042.json ◄─previous─ …0043.json = head
//! ```
//! The owner of the head may create the next. Who takes over creates the next one, with its own
//! owner id; the older owner's create then fails and it stops.

use std::fs;
use std::path::{Path, PathBuf};

use fail::fail_point;
use model::keys::hex;
use model::manifest::{FORMAT_VERSION, Manifest};
use model::mutant::Mutant;
use sha2::{Digest, Sha256};

use crate::CommitError;
use crate::datadir::{DataDir, random_hex};
use crate::publish::{publish_absent, sync_parent};

/// A head that has not moved for so long may be taken over.
pub const TAKEOVER_US: i64 = 5 * model::time::SECOND_US;

/// Whether a process may go on with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody owns it: it is empty, was released, or is ours.
    Free,
    /// Another process wrote the head; it may be alive.
    Owned {
        /// Who.
        owner: String,
    },
}

/// One chain, as far as this process has read it.
#[derive(Debug)]
pub struct Chain {
    name: String,
    dir: PathBuf,
    owner: String,
    head: Option<(Manifest, String)>,
}

impl Chain {
    /// Opens a chain and finds its head.
    ///
    /// # Errors
    /// Where the directory cannot be read or the head is damaged.
    pub fn open(dir: &DataDir, name: &str, owner: &str) -> Result<Self, CommitError> {
        let place = dir.place(&format!("chains/{name}"))?;
        let mut chain =
            Self { name: name.to_owned(), dir: place, owner: owner.to_owned(), head: None };
        chain.refresh()?;
        Ok(chain)
    }

    /// The newest manifest that this process has read.
    #[must_use]
    pub fn head(&self) -> Option<&Manifest> {
        self.head.as_ref().map(|(manifest, _)| manifest)
    }

    /// Number of the head, 0 for an empty chain.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.head().map_or(0, |manifest| manifest.epoch)
    }

    /// Who this process is.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Reads on to the newest manifest. True where the head moved.
    ///
    /// # Errors
    /// Where a manifest cannot be read or is damaged.
    pub fn refresh(&mut self) -> Result<bool, CommitError> {
        let known = self.epoch();
        let mut newest = if self.holds_head() { known } else { self.start()? };
        while self.path(newest + 1).exists() {
            newest += 1;
        }
        if newest == known {
            return Ok(false);
        }
        // What another process linked may not be durable yet, and is acted on from here.
        sync_parent(&self.path(newest))?;
        self.head = self.load(newest)?;
        Ok(true)
    }

    /// The manifest that this process takes for the head is still there. Collection begins with
    /// the oldest and spares the head: where it is gone, the chain has moved far beyond it.
    fn holds_head(&self) -> bool {
        self.head.is_some() && self.path(self.epoch()).exists()
    }

    /// Where to probe upward from: the hint where it is right, else the newest name listed.
    fn start(&self) -> Result<u64, CommitError> {
        let hint = fs::read_to_string(self.dir.join("HINT")).ok();
        let hint = hint.and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(number) = hint.filter(|number| self.path(*number).exists()) {
            return Ok(number);
        }
        Ok(self.numbers()?.last().copied().unwrap_or(0))
    }

    /// Fails where another process wrote the head: before an outside effect.
    ///
    /// # Errors
    /// [`CommitError::Taken`], or where the chain cannot be read.
    pub fn check_owned(&mut self) -> Result<(), CommitError> {
        self.refresh()?;
        match self.head() {
            Some(head) if head.owner != self.owner => {
                let owner = head.owner.clone();
                Err(CommitError::Taken { chain: self.name.clone(), owner })
            }
            _ => Ok(()),
        }
    }

    /// Fails where the chain has moved on so far that its next number is free again.
    fn still_ours(&self) -> Result<(), CommitError> {
        if self.holds_head() {
            return Ok(());
        }
        let newest = self.numbers()?.last().copied().unwrap_or(0);
        // An empty chain has no head to hold: nothing may be beyond its first number.
        if self.head.is_none() && newest <= 1 {
            return Ok(());
        }
        let owner = self.read(newest)?.map(|manifest| manifest.owner).unwrap_or_default();
        Err(CommitError::Taken { chain: self.name.clone(), owner })
    }

    /// Numbers of the manifests on disk, ascending.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>, CommitError> {
        let entries = fs::read_dir(&self.dir).map_err(CommitError::io("list", &self.dir))?;
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(CommitError::io("list", &self.dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.strip_suffix(".json").filter(|stem| stem.len() == 20);
            if let Some(number) = number.and_then(|stem| stem.parse().ok()) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One manifest; `None` where it is not there.
    ///
    /// # Errors
    /// Where it cannot be read or is damaged.
    pub fn read(&self, epoch: u64) -> Result<Option<Manifest>, CommitError> {
        Ok(self.load(epoch)?.map(|(manifest, _)| manifest))
    }

    fn load(&self, epoch: u64) -> Result<Option<(Manifest, String)>, CommitError> {
        let path = self.path(epoch);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CommitError::io("read manifest", &path)(error)),
        };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
            CommitError::Damaged { path: path.clone(), what: error.to_string() }
        })?;
        if manifest.format_version > FORMAT_VERSION {
            let found = manifest.format_version;
            return Err(CommitError::NewerFormat { path, found, known: FORMAT_VERSION });
        }
        if manifest.epoch != epoch {
            let what = format!("it says epoch {}", manifest.epoch);
            return Err(CommitError::Damaged { path, what });
        }
        Ok(Some((manifest, hex(&Sha256::digest(&bytes)))))
    }

    /// Whether this process may go on from the head.
    #[must_use]
    pub fn claim(&self) -> Claim {
        match self.head() {
            None => Claim::Free,
            Some(head) if head.released || head.owner == self.owner => Claim::Free,
            Some(head) => Claim::Owned { owner: head.owner.clone() },
        }
    }

    /// Creates the next manifest. Number, previous, owner, attempt and version are filled in here.
    ///
    /// # Errors
    /// [`CommitError::Taken`] where another process created it; I/O errors, after which the same
    /// manifest can be tried again.
    pub fn create(&mut self, mut manifest: Manifest) -> Result<(), CommitError> {
        let epoch = self.epoch() + 1;
        manifest.format_version = FORMAT_VERSION;
        manifest.epoch = epoch;
        manifest.previous = self.head.as_ref().map(|(_, sha)| sha.clone()).unwrap_or_default();
        manifest.owner.clone_from(&self.owner);
        if manifest.attempt.is_empty() {
            manifest.attempt = random_hex()?;
        }
        let path = self.path(epoch);
        self.still_ours()?;
        let bytes = serde_json::to_vec(&manifest).map_err(|error| CommitError::Damaged {
            path: path.clone(),
            what: format!("the manifest cannot be written as JSON: {error}"),
        })?;
        if !publish_absent(&path, &bytes, &manifest.attempt)? {
            let stored = self.load(epoch)?.map(|(stored, _)| stored);
            let stored = stored.unwrap_or_default();
            // Created by this very attempt, and only its answer was lost: that is success.
            if stored.attempt != manifest.attempt {
                return Err(CommitError::Taken { chain: self.name.clone(), owner: stored.owner });
            }
            sync_parent(&path)?;
        }
        // Frozen between the check and the link: the link filled a hole, and is taken back.
        if let Err(error) = self.still_ours() {
            drop(fs::remove_file(&path));
            return Err(error);
        }
        fail_point!("commit::created");
        if Mutant::ManifestFirst.lives() {
            crate::segment::write_postponed()?;
        }
        self.head = Some((manifest, hex(&Sha256::digest(&bytes))));
        // Only a hint: probing finds the head without it.
        drop(fs::write(self.dir.join("HINT"), epoch.to_string()));
        Ok(())
    }

    /// Path of a manifest.
    #[must_use]
    pub fn path(&self, epoch: u64) -> PathBuf {
        manifest_path(&self.dir, epoch)
    }
}

fn manifest_path(dir: &Path, epoch: u64) -> PathBuf {
    dir.join(format!("{epoch:020}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> DataDir {
        let root = std::env::temp_dir().join(format!("sendtally-{name}-{}", random_hex().unwrap()));
        DataDir::open(&root).unwrap()
    }

    #[test]
    fn the_second_creator_of_a_number_fails_and_learns_the_owner() {
        let dir = temporary("chain");
        let mut first = Chain::open(&dir, "job", "a").unwrap();
        let mut second = Chain::open(&dir, "job", "b").unwrap();
        first.create(Manifest::default()).unwrap();
        let error = second.create(Manifest::default()).unwrap_err();
        assert!(matches!(error, CommitError::Taken { owner, .. } if owner == "a"));
        first.check_owned().unwrap();
        assert!(
            matches!(second.check_owned(), Err(CommitError::Taken { owner, .. }) if owner == "a")
        );
        second.refresh().unwrap();
        assert_eq!(second.claim(), Claim::Owned { owner: "a".to_owned() });
        fs::remove_dir_all(dir.root()).unwrap();
    }

    #[test]
    fn a_create_whose_answer_was_lost_is_recognised() {
        let dir = temporary("attempt");
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        let manifest = Manifest { attempt: "try-1".to_owned(), ..Manifest::default() };
        chain.create(manifest.clone()).unwrap();
        let mut again = Chain::open(&dir, "job", "a").unwrap();
        again.head = None;
        again.create(manifest).unwrap();
        assert_eq!(again.epoch(), 1);
        fs::remove_dir_all(dir.root()).unwrap();
    }

    #[test]
    fn the_head_is_found_with_a_wrong_hint_and_after_collection() {
        let dir = temporary("hint");
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        for _ in 0..5 {
            chain.create(Manifest::default()).unwrap();
        }
        for hint in ["2", "99", "x", ""] {
            fs::write(dir.root().join("chains/job/HINT"), hint).unwrap();
            assert_eq!(Chain::open(&dir, "job", "b").unwrap().epoch(), 5, "{hint}");
        }
        fs::remove_file(chain.path(1)).unwrap();
        fs::remove_file(dir.root().join("chains/job/HINT")).unwrap();
        assert_eq!(Chain::open(&dir, "job", "b").unwrap().epoch(), 5);
        fs::remove_dir_all(dir.root()).unwrap();
    }

    #[test]
    fn an_owner_that_slept_through_a_collection_cannot_fill_the_hole() {
        let dir = temporary("asleep");
        let mut asleep = Chain::open(&dir, "job", "a").unwrap();
        asleep.create(Manifest::default()).unwrap();
        let mut other = Chain::open(&dir, "job", "b").unwrap();
        for _ in 0..3 {
            other.create(Manifest::default()).unwrap();
        }
        for collected in [1, 2] {
            fs::remove_file(other.path(collected)).unwrap();
        }
        let error = asleep.create(Manifest::default()).unwrap_err();
        assert!(matches!(error, CommitError::Taken { owner, .. } if owner == "b"));
        assert!(!other.path(2).exists(), "the hole stays");
        let mut empty = Chain::open(&dir, "job", "c").unwrap();
        empty.head = None;
        let error = empty.create(Manifest::default()).unwrap_err();
        assert!(matches!(error, CommitError::Taken { owner, .. } if owner == "b"));
        assert!(!other.path(1).exists(), "nor does one who saw it empty");
        assert!(asleep.refresh().unwrap());
        assert_eq!(asleep.epoch(), 4);
        fs::remove_dir_all(dir.root()).unwrap();
    }

    #[test]
    fn a_damaged_manifest_and_a_newer_format_are_refused() {
        let dir = temporary("damage");
        let mut chain = Chain::open(&dir, "job", "a").unwrap();
        chain.create(Manifest::default()).unwrap();
        fs::write(chain.path(1), b"{").unwrap();
        let error = Chain::open(&dir, "job", "a").unwrap_err();
        assert!(matches!(error, CommitError::Damaged { .. }));
        let reopened = |version: u32| {
            let text = format!("{{\"format_version\":{version}}}");
            fs::write(dir.root().join("FORMAT"), text).unwrap();
            DataDir::open(dir.root())
        };
        let known = FORMAT_VERSION;
        reopened(known).unwrap();
        let newer = reopened(known + 1).unwrap_err();
        assert!(matches!(newer, CommitError::NewerFormat { found, .. } if found == known + 1));
        let older = reopened(known - 1).unwrap_err();
        assert!(matches!(older, CommitError::OlderFormat { found, .. } if found == known - 1));
        fs::remove_dir_all(dir.root()).unwrap();
    }
}

//! A chain: numbered manifests, each created only if absent.
//!
//! ```text
//! chains/job/…0041.json ◄─previous─ …0042.json ◄─previous─ …0043.json = head
//! ```
//! The owner of the head may create the next. Who takes over creates the next one, with its own
//! owner id; the older owner's create then fails and it stops.
//!
//! With a store the chain is there, and only there; a manifest is written here after it is there,
//! so one that is here is in force without asking.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fail::fail_point;
use model::keys::hex;
use model::manifest::{FORMAT_VERSION, Manifest};
use model::mutant::Mutant;
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};

use crate::CommitError;
use crate::cache::write_cached;
use crate::datadir::{DataDir, random_hex};
use crate::publish::{publish_absent, sync_parent};
use crate::remote::Remote;
use crate::seal::{is_whole, seal};

/// A head that has not moved for so long may be taken over.
pub const TAKEOVER_US: i64 = 5 * model::time::SECOND_US;

/// A store is asked for news of a chain no more often.
const POLL: Duration = Duration::from_secs(1);

/// Creates of one manifest where the store says that it exists and does not show it.
const CREATE_TRIES: u32 = 5;
/// Between two of these.
const CREATE_REST: Duration = Duration::from_millis(100);

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
    data: DataDir,
    /// Its directory, which is also the head of its keys.
    below: String,
    dir: PathBuf,
    owner: String,
    head: Option<(Manifest, String)>,
    /// When the store last had no news.
    asked: Option<Instant>,
}

impl Chain {
    /// Opens a chain and finds its head.
    ///
    /// # Errors
    /// Where the directory cannot be read or the head is damaged.
    pub fn open(dir: &DataDir, name: &str, owner: &str) -> Result<Self, CommitError> {
        let mut chain = Self::unread(dir, name, owner)?;
        chain.refresh()?;
        Ok(chain)
    }

    fn unread(dir: &DataDir, name: &str, owner: &str) -> Result<Self, CommitError> {
        let below = format!("chains/{name}");
        Ok(Self {
            name: name.to_owned(),
            data: dir.clone(),
            dir: dir.place(&below)?,
            below,
            owner: owner.to_owned(),
            head: None,
            asked: None,
        })
    }

    /// Reads every manifest of a chain: those that can be read, and paths of those that are
    /// damaged, gone from between two others, or do not follow the one before. What is collected
    /// meanwhile is neither.
    ///
    /// # Errors
    /// Where the directory or the store cannot be read.
    pub fn audit(dir: &DataDir, name: &str) -> Result<(Vec<Manifest>, Vec<PathBuf>), CommitError> {
        let chain = Self::unread(dir, name, "auditor")?;
        let numbers = chain.numbers()?;
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            // Only sooner than one by one.
            drop(chain.fetch(*first, *last));
        }
        let (mut manifests, mut wrong) = (Vec::new(), Vec::new());
        let mut before: Option<(u64, Option<String>)> = None;
        for number in numbers {
            if let Some((known, _)) = before
                && known + 1 < number
            {
                // A list that was made while manifests came may lack one.
                let gone = known + 1..number;
                let gone = gone.filter(|number| !matches!(chain.load(*number), Ok(Some(_))));
                let gone: Vec<PathBuf> = gone.map(|number| chain.path(number)).collect();
                before = None;
                wrong.extend(gone);
            }
            match chain.load(number) {
                Ok(Some((manifest, sha))) => {
                    let follows = before.and_then(|(_, sha)| sha);
                    if follows.is_some_and(|sha| sha != manifest.previous) {
                        wrong.push(chain.path(number));
                    }
                    before = Some((number, Some(sha)));
                    manifests.push(manifest);
                }
                Ok(None) => before = None,
                Err(CommitError::Damaged { path, .. }) => {
                    wrong.push(path);
                    before = Some((number, None));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((manifests, wrong))
    }

    /// The newest manifest that this process has read.
    #[must_use]
    pub fn head(&self) -> Option<&Manifest> {
        self.head.as_ref().map(|(manifest, _)| manifest)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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

    /// Reads on to the newest manifest. True where the head moved. A store is asked once a second
    /// at most; what this process or another on the same directory created is seen at once.
    ///
    /// # Errors
    /// Where a manifest cannot be read or is damaged.
    pub fn refresh(&mut self) -> Result<bool, CommitError> {
        let known = self.epoch();
        let newest = match self.data.remote().cloned() {
            None => self.newest_here()?,
            Some(remote) => self.newest_stored(&remote)?,
        };
        if newest == known {
            return Ok(false);
        }
        if self.data.remote().is_none() {
            // What another process linked may not be durable yet, and is acted on from here.
            sync_parent(&self.path(newest))?;
        }
        self.head = self.load(newest)?;
        Ok(true)
    }

    fn newest_here(&self) -> Result<u64, CommitError> {
        let mut newest = if self.holds_head()? { self.epoch() } else { self.start()? };
        while self.path(newest + 1).exists() {
            newest += 1;
        }
        Ok(newest)
    }

    fn newest_stored(&mut self, remote: &Remote) -> Result<u64, CommitError> {
        let known = self.epoch();
        let mut newest = known;
        while newest > 0 && self.path(newest + 1).exists() {
            newest += 1;
        }
        if newest == known && self.asked.is_some_and(|at| at.elapsed() < POLL) {
            return Ok(known);
        }
        // What is here may be from long ago, and collected there since.
        if newest == 0 || remote.size(&self.key(newest))?.is_none() {
            let before = newest.max(self.hint()).saturating_sub(1);
            newest = match self.stored_after(remote, before)?.last() {
                Some(newest) => *newest,
                None => self.stored_after(remote, 0)?.last().copied().unwrap_or(0),
            };
            if newest < known {
                let path = PathBuf::from(format!("{}/{}", remote.shown(), self.key(known)));
                let what = "this manifest and all after it are gone".to_owned();
                return Err(CommitError::Damaged { path, what });
            }
        }
        while remote.size(&self.key(newest + 1))?.is_some() {
            newest += 1;
        }
        self.asked = (newest == known).then(Instant::now);
        Ok(newest)
    }

    /// The manifest that this process takes for the head is still there. Collection begins with
    /// the oldest and spares the head: where it is gone, the chain has moved far beyond it.
    fn holds_head(&self) -> Result<bool, CommitError> {
        if self.head.is_none() {
            return Ok(false);
        }
        match self.data.remote() {
            None => Ok(self.path(self.epoch()).exists()),
            Some(remote) => Ok(remote.size(&self.key(self.epoch()))?.is_some()),
        }
    }

    /// Where to probe upward from: the hint where it is right, else the newest name listed.
    fn start(&self) -> Result<u64, CommitError> {
        let hint = self.hint();
        if hint > 0 && self.path(hint).exists() {
            return Ok(hint);
        }
        Ok(self.numbers()?.last().copied().unwrap_or(0))
    }

    /// What a process on this directory took for the head; 0 where there is no such thing.
    fn hint(&self) -> u64 {
        let hint = fs::read_to_string(self.dir.join("HINT")).ok();
        hint.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Fails where another process wrote the head: before an outside effect.
    ///
    /// # Errors
    /// [`CommitError::Taken`], or where the chain cannot be read.
    pub fn check_owned(&mut self) -> Result<(), CommitError> {
        self.asked = None;
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
        if self.holds_head()? {
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

    /// Numbers of the manifests that are there, ascending.
    ///
    /// # Errors
    /// Where the directory or the store cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>, CommitError> {
        match self.data.remote() {
            None => self.numbers_here(),
            Some(remote) => self.stored_after(remote, 0),
        }
    }

    fn stored_after(&self, remote: &Remote, epoch: u64) -> Result<Vec<u64>, CommitError> {
        let after = (epoch > 0).then(|| self.key(epoch));
        let listed = remote.list(&self.below, after.as_deref())?;
        Ok(listed.iter().filter_map(|object| number_of(object.key.rsplit('/').next()?)).collect())
    }

    /// Numbers of the manifests in the directory, ascending.
    pub(crate) fn numbers_here(&self) -> Result<Vec<u64>, CommitError> {
        let entries = fs::read_dir(&self.dir).map_err(CommitError::io("list", &self.dir))?;
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(CommitError::io("list", &self.dir))?;
            numbers.extend(number_of(&entry.file_name().to_string_lossy()));
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

    /// Fetches the manifests `from..=to` that are not here, several at once.
    ///
    /// # Errors
    /// Where the store has one of them no more.
    pub fn fetch(&self, from: u64, to: u64) -> Result<(), CommitError> {
        let Some(remote) = self.data.remote() else { return Ok(()) };
        let missing: Vec<u64> = (from..=to).filter(|epoch| !self.path(*epoch).exists()).collect();
        let keys: Vec<String> = missing.iter().map(|epoch| self.key(*epoch)).collect();
        let texts = remote
            .many(&keys, |store, at, _| async move { store.get(&at).await?.bytes().await })?;
        for (epoch, text) in missing.iter().zip(texts) {
            write_cached(&self.path(*epoch), &text)?;
        }
        Ok(())
    }

    fn load(&self, epoch: u64) -> Result<Option<(Manifest, String)>, CommitError> {
        let path = self.path(epoch);
        let here = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(CommitError::io("read manifest", &path)(error)),
        };
        let Some(remote) = self.data.remote() else {
            return here.map(|bytes| parse(epoch, path, &bytes)).transpose();
        };
        // A power cut may have torn what is here: with a store it was not fsynced.
        if let Some(Ok(found)) = here.map(|bytes| parse(epoch, path.clone(), &bytes)) {
            return Ok(Some(found));
        }
        let Some(bytes) = remote.get(&self.key(epoch))? else { return Ok(None) };
        let place = PathBuf::from(format!("{}/{}", remote.shown(), self.key(epoch)));
        let found = parse(epoch, place, &bytes)?;
        // Only a copy: where it cannot be written it is fetched again.
        drop(write_cached(&path, &bytes));
        Ok(Some(found))
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
        // Where another process was faster, that is news.
        self.asked = None;
        manifest.format_version = FORMAT_VERSION;
        manifest.epoch = epoch;
        manifest.previous = self.head.as_ref().map(|(_, sha)| sha.clone()).unwrap_or_default();
        manifest.owner.clone_from(&self.owner);
        if manifest.attempt.is_empty() {
            manifest.attempt = random_hex()?;
        }
        let path = self.path(epoch);
        self.still_ours()?;
        let object = serde_json::to_vec(&manifest).map_err(|error| CommitError::Damaged {
            path: path.clone(),
            what: format!("the manifest cannot be written as JSON: {error}"),
        })?;
        let bytes = seal(object);
        match self.data.remote() {
            None => self.create_here(&manifest, &bytes)?,
            Some(remote) => self.create_stored(remote, &manifest, &bytes)?,
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

    fn create_here(&self, manifest: &Manifest, bytes: &[u8]) -> Result<(), CommitError> {
        let path = self.path(manifest.epoch);
        if !publish_absent(&path, bytes, &manifest.attempt)? {
            self.check_attempt(manifest, self.load(manifest.epoch)?)?;
            sync_parent(&path)?;
        }
        // Frozen between the check and the link: the link filled a hole, and is taken back.
        if let Err(error) = self.still_ours() {
            drop(fs::remove_file(&path));
            return Err(error);
        }
        Ok(())
    }

    fn create_stored(
        &self,
        remote: &Remote,
        manifest: &Manifest,
        bytes: &[u8],
    ) -> Result<(), CommitError> {
        let key = self.key(manifest.epoch);
        fail_point!("commit::aside");
        let mut tries = 0;
        while !remote.create(&key, bytes)? {
            let stored = remote.get(&key)?;
            // A store may also say "exists" of one that another process just creates or deletes.
            let Some(stored) = stored else {
                tries += 1;
                if tries < CREATE_TRIES {
                    std::thread::sleep(CREATE_REST);
                    continue;
                }
                let owner = "a process whose manifest is gone again".to_owned();
                return Err(CommitError::Taken { chain: self.name.clone(), owner });
            };
            let place = PathBuf::from(format!("{}/{key}", remote.shown()));
            self.check_attempt(manifest, Some(parse(manifest.epoch, place, &stored)?))?;
            break;
        }
        fail_point!("commit::linked");
        // Frozen between the check and the create: it filled a hole, and is taken back.
        if let Err(error) = self.still_ours() {
            if matches!(error, CommitError::Taken { .. }) {
                remote.delete(&key)?;
            }
            return Err(error);
        }
        // It is in force, whatever becomes of the copy: readers ask the store where it is missing.
        if let Err(error) = write_cached(&self.path(manifest.epoch), bytes) {
            tracing::warn!(%error, "a manifest is stored, but could not be written here");
        }
        Ok(())
    }

    /// Created by this very attempt, and only its answer was lost: that is success.
    fn check_attempt(
        &self,
        manifest: &Manifest,
        stored: Option<(Manifest, String)>,
    ) -> Result<(), CommitError> {
        let stored = stored.map(|(stored, _)| stored).unwrap_or_default();
        if stored.attempt == manifest.attempt {
            return Ok(());
        }
        Err(CommitError::Taken { chain: self.name.clone(), owner: stored.owner })
    }

    /// Path of a manifest.
    #[must_use]
    pub fn path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{epoch:020}.json"))
    }

    /// Key of a manifest in a store.
    pub(crate) fn key(&self, epoch: u64) -> String {
        format!("{}/{epoch:020}.json", self.below)
    }
}

/// Format since which manifests carry a checksum.
const SEALED: u32 = 3;

/// Number of a manifest by its name.
fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".json").filter(|stem| stem.len() == 20)?.parse().ok()
}

/// A manifest and the SHA-256 of its bytes.
fn parse(epoch: u64, path: PathBuf, bytes: &[u8]) -> Result<(Manifest, String), CommitError> {
    let manifest: Manifest = serde_json::from_slice(bytes)
        .map_err(|error| CommitError::Damaged { path: path.clone(), what: error.to_string() })?;
    if manifest.format_version > FORMAT_VERSION {
        let found = manifest.format_version;
        return Err(CommitError::NewerFormat { path, found, known: FORMAT_VERSION });
    }
    if manifest.format_version >= SEALED && !is_whole(bytes) {
        let what = "its checksum is not that of its bytes".to_owned();
        return Err(CommitError::Damaged { path, what });
    }
    if manifest.epoch != epoch {
        let what = format!("it says epoch {}", manifest.epoch);
        return Err(CommitError::Damaged { path, what });
    }
    Ok((manifest, hex(&Sha256::digest(bytes))))
}

#[cfg(test)]
mod tests;

//! The object store behind a data directory: requests, and what their failures mean.
//!
//! ```text
//! begin(file) ─┐ uploads run beside      settle(place) = all of them are there
//! begin(file) ─┴──────────────────────►  create(manifest)  = the commit, only if absent
//! ```
//! Invariants: a request that was not answered is tried again until its outcome is known or the
//! caller is told that it is not; nothing counts as stored before the store said so. At the start
//! a store that is away is an error; once [`Remote::wait_while`] was called it is waited for.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fail::fail_point;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, WriteMultipart,
};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::CommitError;
use crate::datadir::random_hex;
use crate::store::StoreSettings;

/// Larger files go in parts of this size, two at a time: a part is one request.
const PART_BYTES: usize = 8 << 20;
/// Between two tries at a store that is away.
const RETRY: Duration = Duration::from_secs(1);
/// How long a process that is to end waits for it.
const DRAIN_WAIT: Duration = Duration::from_secs(60);

/// Told why the store is waited for, and `None` when it answers again.
pub type Told = Box<dyn Fn(Option<&str>) + Send + Sync>;

/// The store's answer: the inner error is one that trying again does not change.
type Answer<T> = Result<Result<T, Error>, CommitError>;

/// An object as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Key below the prefix.
    pub key: String,
    /// Bytes.
    pub bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified_us: i64,
}

/// A store, shared by all who use a data directory.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    shown: String,
    runtime: Runtime,
    uploads: Mutex<BTreeMap<String, Vec<Upload>>>,
    /// Keys whose local copy this process has written or checked.
    known: Mutex<HashSet<String>>,
    patience: OnceLock<(Arc<AtomicBool>, Told)>,
    away: AtomicBool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.shown)
    }
}

/// An upload under way.
struct Upload {
    key: String,
    source: Source,
    task: JoinHandle<Result<(), Error>>,
}

/// Where the bytes of an upload are.
#[derive(Debug, Clone)]
enum Source {
    Bytes(PutPayload),
    File(PathBuf),
}

impl Remote {
    /// A client of a store. Nothing is asked of it yet.
    ///
    /// # Errors
    /// Where the address is none, or the client's threads cannot be started.
    pub fn new(settings: &StoreSettings) -> Result<Self, CommitError> {
        settings.check()?;
        let (_, prefix) = settings.place()?;
        let shown = format!("{} at {}", settings.url, settings.shown_endpoint());
        Self::over(settings.client()?, prefix, &shown)
    }

    /// A store in memory, gone with its last user: for tests.
    ///
    /// # Errors
    /// Where its threads cannot be started.
    pub fn in_memory() -> Result<Self, CommitError> {
        Self::over(Arc::new(InMemory::new()), "", "memory")
    }

    /// Over a client that exists.
    pub(crate) fn over(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        shown: &str,
    ) -> Result<Self, CommitError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(CommitError::io("start threads for", FilePath::new(shown)))?;
        Ok(Self(Arc::new(Inner {
            store,
            prefix: prefix.to_owned(),
            shown: shown.to_owned(),
            runtime,
            uploads: Mutex::default(),
            known: Mutex::default(),
            patience: OnceLock::new(),
            away: AtomicBool::new(false),
        })))
    }

    /// From here on a store that is away is waited for: until it is back, or for a minute once
    /// `stop` is set.
    pub fn wait_while(&self, stop: &Arc<AtomicBool>, told: Told) {
        drop(self.0.patience.set((Arc::clone(stop), told)));
    }

    /// The store's name, for messages.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    fn at(&self, key: &str) -> Path {
        match self.0.prefix.as_str() {
            "" => Path::from(key),
            prefix => Path::from(format!("{prefix}/{key}")),
        }
    }

    /// Asks until there is an answer that trying again does not change.
    fn ask<T, F>(&self, what: &'static str, request: impl Fn() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut drained: Option<Instant> = None;
        loop {
            match self.0.runtime.block_on(request()) {
                Err(error) if is_passing(&error) => self.wait(what, error, &mut drained)?,
                answer => {
                    self.answered();
                    return Ok(answer);
                }
            }
        }
    }

    fn wait(
        &self,
        what: &'static str,
        source: Error,
        drained: &mut Option<Instant>,
    ) -> Result<(), CommitError> {
        let store = self.0.shown.clone();
        let source = Box::new(source);
        let Some((stop, told)) = self.0.patience.get() else {
            return Err(CommitError::Unreachable { store, what, source });
        };
        if !self.0.away.swap(true, Ordering::SeqCst) {
            told(Some(&format!("cannot {what} {store}: {source}")));
        }
        if stop.load(Ordering::SeqCst)
            && drained.get_or_insert_with(Instant::now).elapsed() >= DRAIN_WAIT
        {
            return Err(CommitError::WaitedOut { store, what, source });
        }
        std::thread::sleep(RETRY);
        Ok(())
    }

    fn answered(&self) {
        if self.0.away.swap(false, Ordering::SeqCst)
            && let Some((_, told)) = self.0.patience.get()
        {
            told(None);
        }
    }

    fn refused(&self, what: &'static str, error: Error) -> CommitError {
        let store = self.0.shown.clone();
        match error {
            // Not the store's: a full disk, for one.
            Error::Generic { store: LOCAL, source } => match source.downcast() {
                Ok(source) => {
                    let path = PathBuf::from(format!("the local copy of a file of {store}"));
                    CommitError::Io { what: "read or write", path, source: *source }
                }
                Err(source) => {
                    let source = Box::new(Error::Generic { store: LOCAL, source });
                    CommitError::Refused { store, what, source }
                }
            },
            source => CommitError::Refused { store, what, source: Box::new(source) },
        }
    }

    /// Bytes of an object; `None` where it is not there.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CommitError> {
        let at = self.at(key);
        let answer = self.ask("read from", || async {
            Ok(self.0.store.get(&at).await?.bytes().await?.to_vec())
        })?;
        absent(answer).map_err(|error| self.refused("read from", error))
    }

    /// Size of an object; `None` where it is not there.
    pub(crate) fn size(&self, key: &str) -> Result<Option<u64>, CommitError> {
        let at = self.at(key);
        let answer = self.ask("look into", || async { Ok(self.0.store.head(&at).await?.size) })?;
        absent(answer).map_err(|error| self.refused("look into", error))
    }

    /// The date that an object gets now, microseconds.
    pub(crate) fn now_us(&self) -> Result<i64, CommitError> {
        let key = format!("probe-{}", random_hex()?);
        self.create(&key, b"now")?;
        let at = self.at(&key);
        let dated = self.ask("look into", || self.0.store.head(&at))?;
        self.delete(&key)?;
        let dated = dated.map_err(|error| self.refused("look into", error))?;
        Ok(dated.last_modified.timestamp_micros())
    }

    /// Creates an object only if it is absent; false where it exists. A create whose answer was
    /// lost and that is tried again finds its own object: false too, the caller compares.
    pub(crate) fn create(&self, key: &str, bytes: &[u8]) -> Result<bool, CommitError> {
        let at = self.at(key);
        let payload = PutPayload::from(bytes.to_vec());
        let asked = self.ask("create an object in", || {
            self.0.store.put_opts(&at, payload.clone(), PutOptions::from(PutMode::Create))
        });
        match asked {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(Error::AlreadyExists { .. } | Error::Precondition { .. })) => Ok(false),
            Ok(Err(Error::NotImplemented { .. } | Error::NotSupported { .. })) => {
                Err(CommitError::NoCreate { store: self.0.shown.clone() })
            }
            Ok(Err(error)) => Err(self.refused("create an object in", error)),
            // Whether it arrived is not known. Where it can be read back, it did.
            Err(unknown @ CommitError::Unreachable { .. }) => match self.get(key) {
                Ok(Some(stored)) => Ok(stored == bytes),
                _ => Err(unknown),
            },
            Err(error) => Err(error),
        }
    }

    /// Puts an object in the place of the one that is there. Nothing that a manifest names.
    pub(crate) fn replace(&self, key: &str, bytes: &[u8]) -> Result<(), CommitError> {
        const WHAT: &str = "replace an object in";
        let (at, payload) = (self.at(key), PutPayload::from(bytes.to_vec()));
        self.ask(WHAT, || self.0.store.put_opts(&at, payload.clone(), PutOptions::default()))?
            .map(drop)
            .map_err(|error| self.refused(WHAT, error))
    }

    /// Fails where a second create of one object succeeds: two owners would then overwrite each
    /// other's manifests.
    ///
    /// # Errors
    /// Then, and where the store cannot be reached or refuses.
    pub fn check_creates(&self) -> Result<(), CommitError> {
        let key = format!("probe-{}", random_hex()?);
        self.create(&key, b"first")?;
        let second = self.create(&key, b"second")?;
        self.delete(&key)?;
        if second {
            return Err(CommitError::NoCreate { store: self.0.shown.clone() });
        }
        Ok(())
    }

    /// Begins to upload bytes under a name that only they have.
    pub(crate) fn begin(&self, place: &str, key: &str, bytes: &[u8]) {
        self.start(place, key, Source::Bytes(PutPayload::from(bytes.to_vec())));
    }

    /// Begins to upload a file under a name that only it has.
    pub(crate) fn begin_file(&self, place: &str, key: &str, path: &FilePath) {
        self.start(place, key, Source::File(path.to_owned()));
    }

    fn start(&self, place: &str, key: &str, source: Source) {
        let (store, to) = (Arc::clone(&self.0.store), self.at(key));
        let task = self.0.runtime.spawn(upload(store, to, source.clone()));
        let upload = Upload { key: key.to_owned(), source, task };
        lock(&self.0.uploads).entry(place.to_owned()).or_default().push(upload);
    }

    /// Waits until everything that was begun at a place is stored.
    pub(crate) fn settle(&self, place: &str) -> Result<(), CommitError> {
        let begun = lock(&self.0.uploads).remove(place).unwrap_or_default();
        for Upload { key, source, task } in begun {
            let first = self.0.runtime.block_on(task).unwrap_or_else(|error| Err(error.into()));
            let answer = match first {
                Err(error) if is_passing(&error) => {
                    let to = self.at(&key);
                    self.ask("write to", || {
                        upload(Arc::clone(&self.0.store), to.clone(), source.clone())
                    })?
                }
                answer => answer,
            };
            answer.map_err(|error| self.refused("write to", error))?;
            self.learn(&key);
            fail_point!("commit::uploaded");
        }
        Ok(())
    }

    /// Copies an object inside the store.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<(), CommitError> {
        let (from, to) = (self.at(from), self.at(to));
        let answer = self.ask("copy in", || self.0.store.copy(&from, &to))?;
        answer.map_err(|error| self.refused("copy in", error))
    }

    /// Deletes an object; that it is gone already is no error.
    pub(crate) fn delete(&self, key: &str) -> Result<(), CommitError> {
        let at = self.at(key);
        let answer = self.ask("delete from", || self.0.store.delete(&at))?;
        lock(&self.0.known).remove(key);
        absent(answer).map(drop).map_err(|error| self.refused("delete from", error))
    }

    /// Deletes many objects, a thousand in a request.
    pub(crate) fn delete_all(&self, keys: &[String]) -> Result<(), CommitError> {
        let answer = self.ask("delete from", || {
            let at: Vec<_> = keys.iter().map(|key| Ok(self.at(key))).collect();
            let deleted = self.0.store.delete_stream(futures::stream::iter(at).boxed());
            let told = deleted
                .filter(|one| std::future::ready(!matches!(one, Err(Error::NotFound { .. }))));
            told.try_for_each(|_| std::future::ready(Ok(())))
        })?;
        let mut known = lock(&self.0.known);
        for key in keys {
            known.remove(key);
        }
        answer.map_err(|error| self.refused("delete from", error))
    }

    /// Objects below a place, by key, after a key if one is given.
    ///
    /// # Errors
    /// Where the store cannot be reached or refuses.
    pub fn list(&self, place: &str, after: Option<&str>) -> Result<Vec<Listed>, CommitError> {
        let at = self.at(place);
        let offset = after.map(|key| self.at(key));
        let answer = self.ask("list", || async {
            let found = match &offset {
                Some(offset) => self.0.store.list_with_offset(Some(&at), offset),
                None => self.0.store.list(Some(&at)),
            };
            found.try_collect::<Vec<_>>().await
        })?;
        let found = answer.map_err(|error| self.refused("list", error))?;
        let head = if self.0.prefix.is_empty() { 0 } else { self.0.prefix.len() + 1 };
        let mut listed: Vec<Listed> = found
            .into_iter()
            .map(|object| Listed {
                key: object.location.as_ref().get(head..).unwrap_or_default().to_owned(),
                bytes: object.size,
                modified_us: object.last_modified.timestamp_micros(),
            })
            .collect();
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    /// Does several reads at once, each `one(store, path)`; all again where one was not answered.
    pub(crate) fn many<T, F>(
        &self,
        keys: &[String],
        one: impl Fn(Arc<dyn ObjectStore>, Path, usize) -> F,
    ) -> Result<Vec<T>, CommitError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        const AT_ONCE: usize = 8;
        let answer = self.ask("read from", || {
            let requests = keys
                .iter()
                .enumerate()
                .map(|(n, key)| one(Arc::clone(&self.0.store), self.at(key), n));
            futures::stream::iter(requests).buffered(AT_ONCE).try_collect::<Vec<T>>()
        })?;
        answer.map_err(|error| match error {
            Error::NotFound { path, .. } => {
                let path = PathBuf::from(format!("{}: {path}", self.0.shown));
                CommitError::Damaged { path, what: "it is missing".to_owned() }
            }
            error => self.refused("read from", error),
        })
    }

    /// The local copy of a key is what the store has: written or checked by this process.
    pub(crate) fn learn(&self, key: &str) {
        lock(&self.0.known).insert(key.to_owned());
    }

    /// There is no local copy any more.
    pub(crate) fn forget(&self, key: &str) {
        lock(&self.0.known).remove(key);
    }

    pub(crate) fn knows(&self, key: &str) -> bool {
        lock(&self.0.known).contains(key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` where the answer is that there is nothing.
fn absent<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names failures of the local copy among those of the store.
pub(crate) const LOCAL: &str = "local copy";

/// Whether asking again may give another answer. The client hides the status of what it does not
/// name, so it is read from its text: 4xx stays as it is, and so does 501; S3 also says 400 of a
/// request that came too slowly.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::JoinError { .. } => return true,
        Error::Generic { store, .. } if *store != LOCAL => {}
        _ => return false,
    }
    let text = error.to_string();
    let stays = ["status code: 4", "status code: 501", "without LOCATION", "AccessDenied"];
    let slow = ["status code: 408", "status code: 429", "RequestTimeout"];
    slow.iter().any(|word| text.contains(word)) || !stays.iter().any(|word| text.contains(word))
}

/// A failure of the local copy, as one of a request.
pub(crate) fn local_failure(error: std::io::Error) -> Error {
    Error::Generic { store: LOCAL, source: Box::new(error) }
}

/// One object, in one request where it is small enough, else in parts.
async fn upload(store: Arc<dyn ObjectStore>, to: Path, source: Source) -> Result<(), Error> {
    let failed = local_failure;
    let (mut file, size) = match source {
        Source::Bytes(payload) if payload.content_length() <= PART_BYTES => {
            return store.put(&to, payload).await.map(drop);
        }
        Source::Bytes(payload) => {
            let mut parts =
                WriteMultipart::new_with_chunk_size(store.put_multipart(&to).await?, PART_BYTES);
            for bytes in payload {
                parts.put(bytes);
            }
            return parts.finish().await.map(drop);
        }
        Source::File(path) => {
            let file = File::open(path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            (file, size)
        }
    };
    if size <= PART_BYTES as u64 {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        return store.put(&to, PutPayload::from(bytes)).await.map(drop);
    }
    let upload = store.put_multipart(&to).await?;
    let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut buffer = vec![0; PART_BYTES];
    loop {
        parts.wait_for_capacity(2).await?;
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return parts.finish().await.map(drop);
        }
        parts.write(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_as_it_is_is_not_asked_again() {
        let passing = |text: &str| {
            is_passing(&Error::Generic { store: "S3", source: text.to_owned().into() })
        };
        assert!(passing("error sending request"));
        assert!(passing("Server returned non-2xx status code: 503 Service Unavailable: "));
        assert!(passing("Server returned non-2xx status code: 429 Too Many Requests: "));
        assert!(passing("status code: 400 Bad Request: <Code>RequestTimeout</Code>"));
        assert!(!passing("Server returned non-2xx status code: 400 Bad Request: "));
        assert!(!passing("Server returned non-2xx status code: 501 Not Implemented: "));
        assert!(!is_passing(&local_failure(std::io::Error::other("disk"))));
    }

    #[test]
    fn objects_larger_than_a_part_arrive_whole_and_keys_lose_the_prefix() {
        let remote = Remote::over(Arc::new(InMemory::new()), "a/b", "memory").unwrap();
        let bytes: Vec<u8> = (0..2 * PART_BYTES + 5).map(|at| (at % 251) as u8).collect();
        let path = std::env::temp_dir().join(format!("sendtally-part-{}", random_hex().unwrap()));
        std::fs::write(&path, &bytes).unwrap();
        remote.begin("lake", "lake/bytes", &bytes);
        remote.begin_file("lake", "lake/file", &path);
        remote.settle("lake").unwrap();
        std::fs::remove_file(&path).unwrap();
        for key in ["lake/bytes", "lake/file"] {
            assert!(remote.get(key).unwrap().unwrap() == bytes, "{key}");
        }
        let keys = |after| -> Vec<String> {
            remote.list("lake", after).unwrap().into_iter().map(|object| object.key).collect()
        };
        assert_eq!(keys(None), ["lake/bytes", "lake/file"]);
        assert_eq!(keys(Some("lake/bytes")), ["lake/file"]);
        remote.check_creates().unwrap();
        remote.delete("lake/bytes").unwrap();
        remote.delete("lake/bytes").unwrap();
        assert_eq!(remote.get("lake/bytes").unwrap(), None);
    }
}

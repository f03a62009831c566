//! What a slice hands over to be written: its changed messages, merged with its newest runs.
//!
//! ```text
//! tracker                         committer                           tracker
//! changed messages, sorted ─┐
//! runs to merge ────────────┴──►  encode ─► file, fsync, manifest ─►  written: runs replaced
//! ```
//! - A run is merged as soon as what is above it has an eighth of its messages, so a slice has few
//!   runs and a message is written again a few times in its life, however many there are.
//! - Of a message the newest version stands. One that is past its 35 days is dropped where the
//!   oldest run is part of the merge, so that no older version comes to light.
//! - Until [`Flush::written`] the messages stay in memory and the old runs in force: whatever
//!   happens in between, nothing is lost.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use model::time::MINUTE_US;

use crate::facet::Interner;
use crate::filter::Filter;
use crate::fold::{Event, HORIZON_US};
use crate::record::{self, Head};
use crate::run::{Block, Footer, Part, Run, checksum};
use crate::tracker::TrackError;
use crate::words::{self, Translation};

/// A block ends after so many bytes.
const BLOCK_BYTES: usize = 4096;

/// What became of a flush.
#[derive(Debug)]
pub(crate) struct Written {
    /// The new run; none where nothing was left.
    pub(crate) run: Option<Arc<Run>>,
    /// Messages of the slice that were dropped.
    pub(crate) n_dropped: u64,
}

/// A slice's changes, on their way to disk.
#[derive(Debug)]
pub struct Flush {
    pub(crate) slice: u8,
    pub(crate) changed: Sorted,
    /// Newest runs of the slice, oldest first, which the new one replaces.
    pub(crate) merged: Vec<Arc<Run>>,
    /// Messages with an older cohort time are dropped; none where older runs stay.
    pub(crate) kept_from: Option<i64>,
    pub(crate) n_tracked: u64,
    pub(crate) done: OnceLock<Written>,
}

/// The bytes of a new run.
#[derive(Debug)]
pub struct Encoded {
    /// The whole file; empty where no message is left: then there is no new run.
    pub bytes: Vec<u8>,
    /// Messages in it.
    pub n_messages: u64,
    n_dropped: u64,
}

/// Messages by key, with words of their own.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    bytes: Vec<u8>,
    /// Start of each body, by key.
    places: Vec<(u32, u32)>,
    words: Interner,
    translation: Translation,
    body: Vec<u8>,
}

impl Sorted {
    /// Adds a message whose events have the ids of `words`.
    pub(crate) fn push(&mut self, body: &[u8], events: &mut Vec<Event>, words: &Interner) -> bool {
        let Some(head) = record::decode(body, events) else { return false };
        if !self.translation.translate(events, words, &mut self.words) {
            return false;
        }
        self.body.clear();
        record::encode(&head, events, &mut self.body);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.body);
        let place = u32::try_from(start).ok().zip(u32::try_from(self.bytes.len()).ok());
        self.places.extend(place);
        place.is_some()
    }

    /// Sorts what was pushed.
    pub(crate) fn sort(&mut self) {
        let Self { bytes, places, .. } = self;
        places.sort_unstable_by_key(|(start, end)| {
            bytes[*start as usize..*end as usize].first_chunk::<16>().copied()
        });
    }

    pub(crate) const fn len(&self) -> usize {
        self.places.len()
    }

    fn body(&self, number: usize) -> Option<&[u8]> {
        let (start, end) = self.places.get(number)?;
        self.bytes.get(*start as usize..*end as usize)
    }
}

impl Flush {
    /// The slice.
    #[must_use]
    pub const fn slice(&self) -> u8 {
        self.slice
    }

    /// Messages that writing it reads: what changed, and the runs that are merged.
    #[must_use]
    pub fn n_messages(&self) -> u64 {
        let merged: u64 = self.merged.iter().map(|run| run.footer.n_messages).sum();
        self.changed.len() as u64 + merged
    }

    /// How many of the slice's newest runs the new one replaces.
    #[must_use]
    pub const fn replaces(&self) -> usize {
        self.merged.len()
    }

    /// The file to be written. Reads the runs that are merged.
    ///
    /// # Errors
    /// Where one of them cannot be read or is damaged.
    pub fn encode(&self) -> Result<Encoded, TrackError> {
        let mut writer = Writer::default();
        let runs = || self.merged.iter().rev();
        let words: Vec<Interner> = runs().map(|run| run.words()).collect::<Result<_, _>>()?;
        let mut sources = vec![Source::of_changed(&self.changed)];
        for (run, words) in runs().zip(&words) {
            sources.push(Source::of_run(run, words)?);
        }
        let mut events = Vec::new();
        let mut n_dropped = 0;
        // Newest first: of equal keys the first source has the version that stands.
        loop {
            let keys =
                sources.iter().enumerate().filter_map(|(at, source)| Some((source.key()?, at)));
            let Some((key, newest)) = keys.min() else { break };
            let source = &mut sources[newest];
            let head = source.read(&mut events)?;
            if self.kept_from.is_some_and(|from| head.cohort_us < from) {
                n_dropped += 1;
            } else if !writer.push(head, &mut events, source) {
                return Err(source.bad());
            }
            for source in &mut sources {
                if source.key() == Some(key) {
                    source.next()?;
                }
            }
        }
        let n_tracked = self.n_tracked.saturating_sub(n_dropped);
        let n_messages = writer.footer.n_messages;
        let bytes = if n_messages == 0 { Vec::new() } else { writer.finish(n_tracked) };
        Ok(Encoded { bytes, n_messages, n_dropped })
    }

    /// The file is there and a manifest names it (or, without messages, names the runs that are
    /// left): from here on the tracker may forget what is in it.
    ///
    /// # Errors
    /// Where it cannot be opened as a run.
    pub fn written(
        &self,
        encoded: &Encoded,
        file: Option<(File, PathBuf)>,
    ) -> Result<(), TrackError> {
        let run = match file {
            Some((file, path)) => Some(Arc::new(Run::open(file, &path)?)),
            None => None,
        };
        let written = Written { run, n_dropped: encoded.n_dropped };
        // A second call has nothing new to say.
        drop(self.done.set(written));
        Ok(())
    }
}

/// Messages by key, one after the other.
struct Source<'a> {
    rows: Rows<'a>,
    words: &'a Interner,
    translation: Translation,
}

enum Rows<'a> {
    Changed { changed: &'a Sorted, next: usize },
    Run { run: &'a Run, block: usize, bytes: Vec<u8>, next: usize },
}

impl<'a> Source<'a> {
    fn of_changed(changed: &'a Sorted) -> Self {
        Self {
            rows: Rows::Changed { changed, next: 0 },
            words: &changed.words,
            translation: Translation::default(),
        }
    }

    fn of_run(run: &'a Run, words: &'a Interner) -> Result<Self, TrackError> {
        let bytes = run.block(0)?.unwrap_or_default();
        Ok(Self {
            rows: Rows::Run { run, block: 0, bytes, next: 0 },
            words,
            translation: Translation::default(),
        })
    }

    fn body(&self) -> Option<&[u8]> {
        match &self.rows {
            Rows::Changed { changed, next } => changed.body(*next),
            Rows::Run { bytes, next, .. } => {
                let frame = record::frame(bytes, *next)?;
                bytes.get(frame.body..frame.end)
            }
        }
    }

    fn key(&self) -> Option<[u8; 16]> {
        self.body()?.first_chunk().copied()
    }

    fn read(&self, events: &mut Vec<Event>) -> Result<Head, TrackError> {
        let head = self.body().and_then(|body| record::decode(body, events));
        let mut head = head.ok_or_else(|| self.bad())?;
        if let Rows::Run { run, .. } = &self.rows {
            head.old_costs |= run.footer.has_old_costs();
        }
        Ok(head)
    }

    fn next(&mut self) -> Result<(), TrackError> {
        match &mut self.rows {
            Rows::Changed { next, .. } => *next += 1,
            Rows::Run { run, block, bytes, next } => {
                *next = record::frame(bytes, *next).map_or(bytes.len(), |frame| frame.end);
                if *next >= bytes.len() {
                    *block += 1;
                    *next = 0;
                    *bytes = run.block(*block)?.unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn bad(&self) -> TrackError {
        match &self.rows {
            Rows::Changed { .. } => {
                TrackError::State { what: "a changed message cannot be read back" }
            }
            Rows::Run { run, .. } => run.bad_body(),
        }
    }
}

/// Builds the file of a run.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    footer: Footer,
    words: Interner,
    index: Vec<Block>,
    block_start: usize,
    block_first: u64,
    highs: Vec<u64>,
    due: Vec<(i64, u64)>,
    body: Vec<u8>,
}

impl Writer {
    /// Appends a message; keys come in ascending order. False where an id has no word.
    fn push(&mut self, head: Head, events: &mut [Event], from: &mut Source<'_>) -> bool {
        if !from.translation.translate(events, from.words, &mut self.words) {
            return false;
        }
        let high = head.key.high();
        if self.out.len() == self.block_start {
            self.block_first = high;
        }
        self.body.clear();
        record::encode(&Head { dirty: false, ..head }, events, &mut self.body);
        record::push_frame(&mut self.out, &self.body);
        self.highs.push(high);
        let footer = &mut self.footer;
        let newest_us = if footer.n_messages == 0 { i64::MIN } else { footer.newest_us };
        // Bills are kept longer than messages, and must not make a run of old ones look young.
        let is_billed = events.first().is_some_and(Event::is_billed);
        footer.newest_us = newest_us.max(if is_billed { i64::MIN } else { head.cohort_us });
        footer.n_messages += 1;
        if head.open {
            self.due.push((due_minute(head.cohort_us), high));
        }
        if self.out.len() - self.block_start >= BLOCK_BYTES {
            self.end_block();
        }
        true
    }

    fn end_block(&mut self) {
        if self.out.len() == self.block_start {
            return;
        }
        let bytes = &self.out[self.block_start..];
        let part = Part {
            offset: self.block_start as u64,
            length: bytes.len() as u64,
            checksum: checksum(bytes),
        };
        self.index.push(Block { first: self.block_first, part });
        self.block_start = self.out.len();
    }

    fn part(&mut self, bytes: &[u8]) -> Part {
        let part = Part {
            offset: self.out.len() as u64,
            length: bytes.len() as u64,
            checksum: checksum(bytes),
        };
        self.out.extend_from_slice(bytes);
        part
    }

    fn finish(mut self, n_tracked: u64) -> Vec<u8> {
        self.end_block();
        let due: Vec<u8> = self
            .due
            .iter()
            .flat_map(|(minute, high)| [minute.cast_unsigned(), *high])
            .flat_map(u64::to_le_bytes)
            .collect();
        let mut filter = Filter::for_keys(self.highs.len());
        for high in &self.highs {
            filter.insert(*high);
        }
        let index: Vec<u8> = self.index.iter().flat_map(|block| block.to_bytes()).collect();
        let words = words::write(&self.words);
        let footer = Footer {
            n_tracked,
            due: self.part(&due),
            words: self.part(&words),
            filter: self.part(&filter.to_bytes()),
            index: self.part(&index),
            ..self.footer
        };
        self.out.extend_from_slice(&footer.to_bytes());
        self.out
    }
}

/// Minute in which a message without a final outcome is to be looked at.
pub(crate) const fn due_minute(cohort_us: i64) -> i64 {
    cohort_us.saturating_add(HORIZON_US).div_euclid(MINUTE_US)
}

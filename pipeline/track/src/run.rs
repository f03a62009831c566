//! A run: messages of one slice in an immutable file, sorted by key.
//!
//! ```text
//! block block … │ due │ words │ filter │ index │ footer
//!   │             │       │       │        └ first key, place and checksum of each block
//!   │             │       │       └ which keys it may have          (in memory, with the index)
//!   │             │       └ what the small integers of its messages stand for
//!   │             └ (minute, key) of those without a final outcome
//!   └ frames of about 4 KiB, as in memory (`record`)
//! ```
//! Every part has a checksum, so a damaged file is told before a byte of it counts. Files are read
//! at positions, never mapped.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use model::keys::{HashKey, Id16};

use crate::facet::Interner;
use crate::filter::Filter;
use crate::record::{self, frames};
use crate::tracker::TrackError;
use crate::words;

/// Marks a file as a run, and how its words are written.
const fn magic(version: u8) -> u64 {
    u64::from_le_bytes([b'r', b'u', b'n', 0, 0, 0, version, b'\n'])
}

/// Numbers of the footer: [`Footer::to_bytes`].
const FOOTER_BYTES: usize = 17 * 8;

/// Not secret, and no proof against forgers: it tells damage.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    HashKey::new(*b"a run's checksum").hash(&[bytes]).high()
}

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) checksum: u64,
}

/// A block, found by the head of its first key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) first: u64,
    pub(crate) part: Part,
}

impl Block {
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let Part { offset, length, checksum } = self.part;
        numbers([self.first, offset, length, checksum])
    }

    fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [first, offset, length, checksum] = from_numbers(bytes);
        Self { first, part: Part { offset, length, checksum } }
    }
}

/// Numbers as bytes, the lowest first. `N_BYTES` is eight times `N`.
fn numbers<const N: usize, const N_BYTES: usize>(values: [u64; N]) -> [u8; N_BYTES] {
    let mut bytes = [0; N_BYTES];
    for (place, value) in bytes.chunks_exact_mut(8).zip(values) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

fn from_numbers<const N: usize, const N_BYTES: usize>(bytes: &[u8; N_BYTES]) -> [u64; N] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| words.get(at).map_or(0, |word| u64::from_le_bytes(*word)))
}

/// What the end of the file says about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Footer {
    /// How its words are written; always today's in a new run.
    pub(crate) version: u8,
    pub(crate) n_messages: u64,
    /// Messages of the slice, in all of its runs, when this one was written.
    pub(crate) n_tracked: u64,
    /// Newest cohort time in it.
    pub(crate) newest_us: i64,
    pub(crate) due: Part,
    pub(crate) words: Part,
    pub(crate) filter: Part,
    pub(crate) index: Part,
}

impl Footer {
    /// It was written before format 4.
    pub(crate) const fn has_old_costs(&self) -> bool {
        self.version < words::FORMAT_4
    }

    pub(crate) fn to_bytes(self) -> [u8; FOOTER_BYTES] {
        let head = [
            magic(words::VERSION),
            self.n_messages,
            self.n_tracked,
            self.newest_us.cast_unsigned(),
        ];
        let parts = [self.due, self.words, self.filter, self.index];
        let parts = parts.iter().flat_map(|part| [part.offset, part.length, part.checksum]);
        let mut values = [0; 17];
        for (place, value) in values.iter_mut().zip(head.into_iter().chain(parts)) {
            *place = value;
        }
        let mut bytes: [u8; FOOTER_BYTES] = numbers(values);
        let sum = checksum(&bytes[..FOOTER_BYTES - 8]);
        bytes[FOOTER_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; FOOTER_BYTES]) -> Option<Self> {
        let values: [u64; 17] = from_numbers(bytes);
        let version = (1..=words::VERSION).find(|version| values[0] == magic(*version))?;
        let whole = values[16] == checksum(&bytes[..FOOTER_BYTES - 8]);
        let part = |at: usize| Part {
            offset: values[at],
            length: values[at + 1],
            checksum: values[at + 2],
        };
        whole.then(|| Self {
            version,
            n_messages: values[1],
            n_tracked: values[2],
            newest_us: values[3].cast_signed(),
            due: part(4),
            words: part(7),
            filter: part(10),
            index: part(13),
        })
    }
}

/// A run that can be asked.
#[derive(Debug)]
pub(crate) struct Run {
    file: File,
    path: PathBuf,
    pub(crate) footer: Footer,
    index: Vec<Block>,
    filter: Filter,
}

impl Run {
    /// Reads the index and the filter of a run.
    pub(crate) fn open(file: File, path: &Path) -> Result<Self, TrackError> {
        let damaged = |what| TrackError::Damaged { path: path.to_path_buf(), what };
        let read = |source| TrackError::Read { path: path.to_path_buf(), source };
        let length = file.metadata().map_err(read)?.len();
        let start = length.checked_sub(FOOTER_BYTES as u64);
        let start = start.ok_or_else(|| damaged("it is shorter than a footer"))?;
        let mut bytes = [0; FOOTER_BYTES];
        file.read_exact_at(&mut bytes, start).map_err(read)?;
        let footer = Footer::from_bytes(&bytes)
            .ok_or_else(|| damaged("its footer is none, or its checksum is wrong"))?;
        let mut run = Self {
            file,
            path: path.to_path_buf(),
            footer,
            index: Vec::new(),
            filter: Filter::for_keys(0),
        };
        let index = run.part(footer.index)?;
        let (blocks, _) = index.as_chunks::<{ Block::BYTES }>();
        run.index = blocks.iter().map(Block::from_bytes).collect();
        let filter = Filter::from_bytes(&run.part(footer.filter)?);
        run.filter = filter.ok_or_else(|| run.damaged("its filter is none"))?;
        Ok(run)
    }

    fn damaged(&self, what: &'static str) -> TrackError {
        TrackError::Damaged { path: self.path.clone(), what }
    }

    /// Reads a part and checks it.
    fn part(&self, part: Part) -> Result<Vec<u8>, TrackError> {
        let length = usize::try_from(part.length);
        let mut bytes = vec![0; length.map_err(|_| self.damaged("a part is too long"))?];
        self.file
            .read_exact_at(&mut bytes, part.offset)
            .map_err(|source| TrackError::Read { path: self.path.clone(), source })?;
        if checksum(&bytes) != part.checksum {
            return Err(self.damaged("the checksum of a part is wrong"));
        }
        Ok(bytes)
    }

    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.index.capacity() * size_of::<Block>() + self.filter.bytes()
    }

    /// What the small integers of its messages stand for.
    pub(crate) fn words(&self) -> Result<Interner, TrackError> {
        words::read(&self.part(self.footer.words)?, self.footer.version)
            .ok_or_else(|| self.damaged("its words cannot be read"))
    }

    /// (minute, head of the key) of its messages without a final outcome.
    pub(crate) fn due(&self) -> Result<Vec<(i64, u64)>, TrackError> {
        let bytes = self.part(self.footer.due)?;
        let (pairs, _) = bytes.as_chunks::<16>();
        Ok(pairs
            .iter()
            .map(|pair| {
                let [minute, high] = from_numbers(pair);
                (minute.cast_signed(), high)
            })
            .collect())
    }

    /// Body of a message, by the head of its key, and by its key where one is given.
    pub(crate) fn find(&self, high: u64, key: Option<Id16>) -> Result<Option<Vec<u8>>, TrackError> {
        if !self.filter.may_have(high) {
            return Ok(None);
        }
        // Keys with one head may lie on both sides of a border.
        let from = self.index.partition_point(|block| block.first < high).saturating_sub(1);
        let to = self.index.partition_point(|block| block.first <= high);
        for block in &self.index[from..to] {
            let bytes = self.part(block.part)?;
            for frame in frames(&bytes) {
                let body = &bytes[frame.body..frame.end];
                if record::high(body) == high && key.is_none_or(|key| body.starts_with(&key.0)) {
                    return Ok(Some(body.to_vec()));
                }
            }
        }
        Ok(None)
    }

    /// A block, by its number; `None` behind the last.
    pub(crate) fn block(&self, number: usize) -> Result<Option<Vec<u8>>, TrackError> {
        self.index.get(number).map(|block| self.part(block.part)).transpose()
    }

    /// A body of this run that cannot be read.
    pub(crate) fn bad_body(&self) -> TrackError {
        self.damaged("a message in it cannot be read")
    }
}

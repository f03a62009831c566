//! A detector as bytes and back: little-endian, one version byte first.
//!
//! Only what cannot be recomputed is written: values in order of arrival. The sorted order is built
//! again when reading.

use super::history::{CAPACITY, History};
use super::sorted::SortedWindow;
use super::tail::Tail;
use super::{Detector, LEVEL_CAPACITY, TAIL_CAPACITY, VIEWS};

/// Version of the layout. A change of the views or of their order is a new version.
const VERSION: u8 = 1;

/// Why bytes are no detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Written by another version of this code.
    #[error("detector state has version {found}, this program reads {VERSION}")]
    Version {
        /// Version byte of the state.
        found: u8,
    },
    /// Too short.
    #[error("detector state ends early")]
    Truncated,
    /// Right length, impossible content.
    #[error("detector state holds {0}")]
    Content(&'static str),
}

impl Detector {
    /// The whole state as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        write_values(&mut bytes, self.level.arrivals());
        for tail in &self.tails {
            write_values(&mut bytes, tail.arrivals());
        }
        write_values(&mut bytes, self.previous.into_iter());
        bytes.extend(self.history.step_us.to_le_bytes());
        write_length(&mut bytes, self.history.rows.len());
        for (time_us, value) in &self.history.rows {
            bytes.extend(time_us.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes
    }

    /// The detector that [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`RestoreError`] where the bytes are of another version or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RestoreError> {
        let mut reader = Reader(bytes);
        let [found] = reader.take::<1>()?;
        if found != VERSION {
            return Err(RestoreError::Version { found });
        }
        let mut level = SortedWindow::new(LEVEL_CAPACITY);
        let mut log_level = SortedWindow::new(LEVEL_CAPACITY);
        for value in reader.values(LEVEL_CAPACITY)? {
            level.push(value);
            log_level.push(super::signed_log(value));
        }
        let mut tails: [Tail; VIEWS] = std::array::from_fn(|_| Tail::new(TAIL_CAPACITY));
        for tail in &mut tails {
            for score in reader.values(TAIL_CAPACITY)? {
                tail.push(score);
            }
        }
        let previous = reader.values(1)?.first().copied();
        let history = reader.history()?;
        if !reader.0.is_empty() {
            return Err(RestoreError::Content("bytes after its end"));
        }
        Ok(Self { level, log_level, history, previous, tails })
    }
}

fn write_values(bytes: &mut Vec<u8>, values: impl Iterator<Item = f64>) {
    let at = bytes.len();
    write_length(bytes, 0);
    let mut n = 0;
    for value in values {
        bytes.extend(value.to_le_bytes());
        n += 1;
    }
    bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(n));
}

/// Lengths are bounded by the capacities, far below 2³².
fn write_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(RestoreError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn value(&mut self) -> Result<f64, RestoreError> {
        let value = f64::from_le_bytes(self.take()?);
        if value.is_finite() { Ok(value) } else { Err(RestoreError::Content("no finite number")) }
    }

    /// A length, checked before anything is allocated for it.
    fn length(&mut self, capacity: usize) -> Result<usize, RestoreError> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        if length > capacity {
            return Err(RestoreError::Content("a window longer than its capacity"));
        }
        Ok(length)
    }

    fn values(&mut self, capacity: usize) -> Result<Vec<f64>, RestoreError> {
        (0..self.length(capacity)?).map(|_| self.value()).collect()
    }

    fn history(&mut self) -> Result<History, RestoreError> {
        let mut history = History::new(None);
        let step_us = i64::from_le_bytes(self.take()?);
        for _ in 0..self.length(CAPACITY)? {
            let time_us = i64::from_le_bytes(self.take()?);
            let row = (time_us, self.value()?);
            if history.rows.back().is_some_and(|(before_us, _)| *before_us >= time_us) {
                return Err(RestoreError::Content("rows out of order"));
            }
            history.rows.push_back(row);
        }
        if step_us <= 0 {
            return Err(RestoreError::Content("a step that goes back"));
        }
        history.step_us = step_us;
        Ok(history)
    }
}

//! Where the state lies: for each slice of the message table the epoch as of which it is written,
//! and its runs.
//!
//! ```text
//! track/17/00 ─ oldest run      track/17/01 ─ a newer one      both as of epoch 4711
//! track/18    ─ no message yet                                 as of epoch 4713
//! ```
//! Replay starts after the epoch of each slice. A run is named by every manifest as long as it is
//! in force, and never written again.

use std::collections::BTreeMap;

use model::manifest::{FileRef, Manifest, StateSlice};
use track::SLICES;

use crate::failure::{Failure, Outcome};

/// One slice of the message table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Taken {
    epoch: u64,
    /// Oldest first.
    runs: Vec<FileRef>,
}

/// All slices that a manifest names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State(BTreeMap<u8, Taken>);

/// Name of a slice in a manifest.
pub(crate) fn slice_name(slice: u8) -> String {
    format!("track/{slice:02}")
}

/// Number of the slice of an entry; `None` where it is no run of a slice.
fn number_of(entry: &StateSlice) -> Option<u8> {
    let path = &entry.file.path;
    let is_run = path.is_empty() || path.ends_with(".run");
    let name = entry.slice.strip_prefix("track/").filter(|_| is_run)?;
    name.split('/').next()?.parse().ok()
}

impl State {
    /// What a manifest names.
    pub(crate) fn of(manifest: &Manifest) -> Outcome<Self> {
        let mut slices: BTreeMap<u8, Taken> = BTreeMap::new();
        let mut entries: Vec<&StateSlice> = manifest.state.iter().collect();
        entries.sort_by_key(|entry| entry.slice.as_str());
        for entry in entries {
            let number = number_of(entry).ok_or_else(|| {
                Failure::protect(format!(
                    "manifest {} names state `{}` in {}, which this build cannot read: use the \
                     build that wrote it, or another data directory",
                    manifest.epoch,
                    entry.slice,
                    if entry.file.path.is_empty() { "no file" } else { &entry.file.path },
                ))
            })?;
            let taken = slices.entry(number).or_default();
            taken.epoch = entry.epoch;
            if !entry.file.path.is_empty() {
                taken.runs.push(entry.file.clone());
            }
        }
        Ok(Self(slices))
    }

    /// As a manifest names it.
    pub(crate) fn to_manifest(&self) -> Vec<StateSlice> {
        let mut entries = Vec::new();
        for (slice, taken) in &self.0 {
            let name = slice_name(*slice);
            for (at, file) in taken.runs.iter().enumerate() {
                let (slice, file) = (format!("{name}/{at:02}"), file.clone());
                entries.push(StateSlice { slice, epoch: taken.epoch, file });
            }
            if taken.runs.is_empty() {
                entries.push(without_file(name, taken.epoch));
            }
        }
        entries
    }

    /// Epoch as of which a slice is written; 0 where it never was.
    pub(crate) fn epoch(&self, slice: u8) -> u64 {
        self.0.get(&slice).map_or(0, |taken| taken.epoch)
    }

    /// Epoch after which replay starts: a slice that nobody has written yet needs every one.
    pub(crate) fn replay_from(&self) -> u64 {
        (0..SLICES).map(|slice| self.epoch(slice)).min().unwrap_or(0)
    }

    /// The slice whose state is oldest. Who recovers goes on writing with it: a process that never
    /// lives long enough to write all would else leave the same ones to be replayed for ever.
    pub(crate) fn oldest(&self) -> u8 {
        (0..SLICES).min_by_key(|slice| self.epoch(*slice)).unwrap_or(0)
    }

    /// Runs of a slice, oldest first.
    pub(crate) fn runs(&self, slice: u8) -> &[FileRef] {
        self.0.get(&slice).map_or(&[], |taken| &taken.runs)
    }

    /// What is written of a slice holds for this epoch too.
    pub(crate) fn keep(&mut self, slice: u8, epoch: u64) {
        self.0.entry(slice).or_default().epoch = epoch;
    }

    /// A new run takes the place of a slice's newest ones.
    pub(crate) fn replace(&mut self, slice: u8, epoch: u64, replaces: usize, new: Option<FileRef>) {
        let taken = self.0.entry(slice).or_default();
        taken.epoch = epoch;
        taken.runs.truncate(taken.runs.len().saturating_sub(replaces));
        taken.runs.extend(new);
    }
}

/// A slice without a message has no file; its epoch still says from where to replay.
fn without_file(slice: String, epoch: u64) -> StateSlice {
    let file = FileRef {
        table: slice.clone(),
        path: String::new(),
        rows: 0,
        bytes: 0,
        sha256: String::new(),
    };
    StateSlice { slice, epoch, file }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &str) -> FileRef {
        FileRef { path: format!("{path}.run"), ..without_file("track/07".to_owned(), 0).file }
    }

    #[test]
    fn what_a_manifest_names_comes_back() {
        let mut state = State::default();
        state.keep(3, 8);
        for (epoch, name) in (1..).zip(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]) {
            state.replace(7, epoch, 0, Some(run(name)));
        }
        state.replace(7, 12, 2, Some(run("l")));
        state.replace(8, 12, 1, None);
        let manifest = Manifest { state: state.to_manifest(), ..Manifest::default() };
        let again = State::of(&manifest).unwrap();
        assert_eq!(again, state);
        let runs: Vec<&str> = again.runs(7).iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            runs,
            "abcdefghil".chars().map(|name| format!("{name}.run")).collect::<Vec<_>>()
        );
        assert_eq!([3, 7, 8, 9].map(|slice| again.epoch(slice)), [8, 12, 12, 0]);
    }

    #[test]
    fn replay_starts_with_the_slice_that_was_written_least_or_never() {
        let mut state = State::default();
        (0..SLICES).for_each(|slice| state.keep(slice, 9));
        assert_eq!((state.replay_from(), state.oldest()), (9, 0));
        state.keep(40, 7);
        assert_eq!((state.replay_from(), state.oldest()), (7, 40));
        let mut begun = State::default();
        (0..4).for_each(|slice| begun.keep(slice, 80));
        assert_eq!((begun.replay_from(), begun.oldest()), (0, 4));
    }

    #[test]
    fn an_unknown_state_stops_with_its_name() {
        let mut older = without_file("track/07".to_owned(), 1);
        older.file.path = "state/job/1-07.arrow".to_owned();
        for entry in [without_file("panes".to_owned(), 1), older] {
            let name = format!("`{}`", entry.slice);
            let state = vec![entry];
            let failure = State::of(&Manifest { state, ..Manifest::default() }).unwrap_err();
            assert_eq!(failure.code(), 4);
            assert!(failure.to_string().contains(&name), "{failure}");
        }
    }
}

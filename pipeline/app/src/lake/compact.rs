//! Compaction: the rolled files of a table and date, once they may become public, into files of
//! about 128 MB.
//!
//! ```text
//! rolled-41 ─┐
//! rolled-44 ─┼─► merged, split evenly ─► …47-000, …47-001     a file alone keeps its bytes:
//! rolled-46 ─┘                                                 it only gets another name
//! ```
//! One manifest replaces the rolled files by the compacted ones. Replaced files stay for an hour,
//! for queries that read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use commit::{CommitError, digest_file, random_hex, stage_file};
use fail::fail_point;
use model::clock::Clock;
use model::manifest::FileRef;
use model::schema;
use model::time::SECOND_US;
use sink::{SinkError, merge};

use super::roll::Span;
use super::{Lake, names};
use crate::failure::{Failure, Outcome};

/// Size of a file: large enough that a year of a table is few files, small enough to be read in a
/// moment.
const TARGET_BYTES: u64 = 128 << 20;
/// Files merged at once: bounds memory, a batch and a page a column of each.
const MERGE_FILES: usize = 32;
/// Bytes that one manifest replaces, about: bounds what a full disk makes it write anew.
const COMMIT_BYTES: u64 = 4 * TARGET_BYTES;

/// Rolled files of one table and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) table: String,
    pub(super) date: String,
    pub(super) files: Vec<FileRef>,
}

/// Rolled files of a table that may become public.
#[derive(Default)]
struct Ready<'a> {
    /// Oldest watermark of each roll.
    firsts_us: Vec<Option<i64>>,
    dates: BTreeMap<&'a str, Vec<FileRef>>,
}

impl Group {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// In how many files it goes: their sizes come near the target from both sides.
    fn n_parts(&self) -> usize {
        let parts = (self.bytes() + TARGET_BYTES / 2) / TARGET_BYTES;
        usize::try_from(parts).unwrap_or(usize::MAX).max(1)
    }
}

impl Lake {
    /// What to compact in the next manifest. All files are `publish_after` behind the watermark; a
    /// table's are taken once as much time has gathered, or a whole file; with `drain` all are.
    pub(super) fn due_groups(&self, drain: bool) -> Vec<Group> {
        let Some(head) = self.chain.head() else { return Vec::new() };
        let after_us = self.rules.publish_after_us;
        let limit = self.watermark_us().map(|mark| mark.saturating_sub(after_us));
        let mut tables: BTreeMap<&str, Ready<'_>> = BTreeMap::new();
        for file in &head.files {
            let Some(roll) = names::roll_of(file) else { continue };
            let span = Span::of(head, roll);
            let last_us = span.and_then(|span| span.last_us);
            if !drain && limit.is_none_or(|limit| last_us.is_some_and(|last| last > limit)) {
                continue;
            }
            let ready = tables.entry(&file.table).or_default();
            ready.firsts_us.push(span.and_then(|span| span.first_us));
            ready.dates.entry(names::date_of(file)).or_default().push(file.clone());
        }
        let mut groups = Vec::new();
        for (table, Ready { firsts_us, dates }) in tables {
            let oldest_us = firsts_us.into_iter().min().flatten();
            let gathered = limit.is_some_and(|limit| {
                oldest_us.is_none_or(|oldest| limit - oldest >= after_us.max(SECOND_US))
            });
            for (date, mut files) in dates {
                files.truncate(MERGE_FILES);
                let (table, date) = (table.to_owned(), date.to_owned());
                let group = Group { table, date, files };
                if drain || gathered || group.bytes() >= TARGET_BYTES {
                    groups.push(group);
                }
            }
        }
        let mut bytes = 0;
        let before = |group: &Group| {
            let fits = bytes < COMMIT_BYTES;
            bytes += group.bytes();
            fits
        };
        groups.into_iter().take_while(before).collect()
    }

    /// Compacts groups; one manifest replaces their files.
    pub(super) fn compact(&mut self, groups: &[Group], clock: &dyn Clock) -> Outcome<()> {
        let attempt = random_hex()?;
        let mut made = Vec::new();
        for group in groups {
            let paths = self.paths(group, &attempt);
            let files = self.compact_group(group, &paths);
            if files.is_err() {
                let others = made.iter().map(|file: &FileRef| &file.path);
                self.discard(paths.iter().chain(others));
            }
            made.extend(files?);
        }
        fail_point!("lake::compacted");
        let replaced: BTreeSet<&str> = groups
            .iter()
            .flat_map(|group| group.files.iter().map(|file| file.path.as_str()))
            .collect();
        let mut manifest = self.head();
        manifest.files.retain(|file| !replaced.contains(file.path.as_str()));
        manifest.files.extend(made);
        self.commit(manifest, attempt, clock)
    }

    fn paths(&self, group: &Group, attempt: &str) -> Vec<String> {
        let place = names::place(&group.table, &group.date);
        let epoch = self.epoch() + 1;
        let path = |part| format!("{place}/{}", names::compacted(epoch, part, attempt));
        (0..group.n_parts()).map(path).collect()
    }

    /// Path of a file that is what its manifest says: damage must not go on under a new checksum.
    fn checked(&self, file: &FileRef) -> Outcome<PathBuf> {
        let path = self.dir.obtain(file)?;
        let sha256 = digest_file(&path)?;
        if sha256 != file.sha256 {
            let what = format!("its SHA-256 is {sha256}, the manifest says {}", file.sha256);
            return Err(CommitError::Damaged { path, what }.into());
        }
        Ok(path)
    }

    fn compact_group(&self, group: &Group, paths: &[String]) -> Outcome<Vec<FileRef>> {
        let full = |path: &String| self.dir.root().join(path);
        let place = names::place(&group.table, &group.date);
        self.dir.place(&place)?;
        if let ([file], [path]) = (group.files.as_slice(), paths) {
            let from = self.dir.obtain(file)?;
            fs::hard_link(&from, full(path)).map_err(|source| SinkError::Io {
                what: "link",
                path: from,
                source,
            })?;
            self.dir.begin_upload(path);
            stage_file(&self.dir, &place)?;
            return Ok(vec![FileRef { path: path.clone(), ..file.clone() }]);
        }
        let table = schema::stored().into_iter().find(|table| table.name == group.table);
        let table = table.ok_or_else(|| {
            Failure::protect(format!("the lake has files of an unknown table {}", group.table))
        })?;
        let inputs =
            group.files.iter().map(|file| self.checked(file)).collect::<Outcome<Vec<_>>>()?;
        let outputs: Vec<_> = paths.iter().map(full).collect();
        let facts = [("sendtally.lake_epoch", format!("{:020}", self.epoch() + 1))];
        let written = merge(table, &inputs, &outputs, &facts)?;
        paths.iter().for_each(|path| self.dir.begin_upload(path));
        stage_file(&self.dir, &place)?;
        let files: Vec<FileRef> = written
            .into_iter()
            .zip(paths)
            .map(|(written, path)| self.file_ref(&group.table, path.clone(), written))
            .collect::<Outcome<_>>()?;
        let rows = |files: &[FileRef]| files.iter().map(|file| file.rows).sum::<u64>();
        let (before, after) = (rows(&group.files), rows(&files));
        if before != after {
            let what = format!("{} of {} had {before} rows", group.table, group.date);
            return Err(Failure::protect(format!(
                "{what}, compacted {after}: nothing was changed"
            )));
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(sizes: &[u64]) -> Group {
        let file = |bytes: &u64| FileRef {
            table: String::new(),
            path: String::new(),
            rows: 1,
            bytes: *bytes,
            sha256: String::new(),
        };
        let files = sizes.iter().map(file).collect();
        Group { table: "events".to_owned(), date: "2026-03-02".to_owned(), files }
    }

    /// By the sizes that manifests name: no such files are made.
    #[test]
    fn a_group_goes_in_files_of_about_128_mb() {
        const MIB: u64 = 1 << 20;
        let parts = |sizes: &[u64]| group(sizes).n_parts();
        assert_eq!((parts(&[]), parts(&[0]), parts(&[1])), (1, 1, 1), "never none");
        assert_eq!(parts(&[127 * MIB]), 1);
        assert_eq!(parts(&[128 * MIB]), 1);
        assert_eq!(parts(&[64 * MIB, 64 * MIB, 128 * MIB]), 2, "the files' sum counts");
        assert_eq!(parts(&[1280 * MIB]), 10);
        // One file up to half as much again; of several, none is off the target by over a quarter.
        assert_eq!((parts(&[192 * MIB - 1]), parts(&[192 * MIB])), (1, 2));
        for mib in 192..4000 {
            let part = mib * MIB / parts(&[mib * MIB]) as u64;
            assert!((96 * MIB..=160 * MIB).contains(&part), "{mib} MiB go in parts of {part}");
        }
    }
}

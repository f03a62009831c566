//! Names of the lake's files. They tell whether a file is public, and under which name.
//!
//! ```text
//! lake/<table>/<date>/rolled-<lake epoch>-<attempt>.parquet   rolled, nobody else's yet
//! lake/<table>/<date>/<lake epoch>-<part>-<attempt>.parquet   compacted
//! public/<table>/date=<date>/<lake epoch>-<part>.parquet      the same file, for everyone
//! ```
//! A lake epoch is created once, so a public name is given once: what a crash left behind under
//! another attempt was never public.

use model::manifest::FileRef;
use model::schema;
use sink::PublicFile;

/// Digits of an epoch.
const DIGITS: usize = 20;

/// Where a table's rows of a date lie.
pub(crate) fn place(table: &str, date: &str) -> String {
    format!("lake/{table}/{date}")
}

/// Name of a rolled file.
pub(super) fn rolled(epoch: u64, attempt: &str) -> String {
    format!("rolled-{epoch:020}-{attempt}.parquet")
}

/// Name of a compacted file.
pub(super) fn compacted(epoch: u64, part: usize, attempt: &str) -> String {
    format!("{epoch:020}-{part:03}-{attempt}.parquet")
}

/// The lake epoch that rolled a file; `None` where it is compacted.
pub(super) fn roll_of(file: &FileRef) -> Option<u64> {
    name(file).strip_prefix("rolled-")?.get(..DIGITS)?.parse().ok()
}

/// The lake epoch that compacted a file; `None` where it is rolled.
pub(super) fn epoch_of(file: &FileRef) -> Option<u64> {
    name(file).get(..DIGITS)?.parse().ok()
}

/// Date of a file's rows.
pub(super) fn date_of(file: &FileRef) -> &str {
    file.path.rsplit('/').nth(1).unwrap_or_default()
}

fn name(file: &FileRef) -> &str {
    file.path.rsplit('/').next().unwrap_or_default()
}

/// Under which name a file is public; `None` where it is only rolled, or of an inner table. Files
/// of before compaction have no part: `<lake epoch>-<attempt>.parquet`.
pub(super) fn public_file(file: &FileRef) -> Option<PublicFile> {
    epoch_of(file)?;
    if schema::inner().iter().any(|inner| inner.name == file.table) {
        return None;
    }
    let (stem, _) = name(file).rsplit_once('-')?;
    Some(PublicFile {
        table: file.table.clone(),
        date: date_of(file).to_owned(),
        name: format!("{stem}.parquet"),
    })
}

/// Path of a published file below the data directory.
pub(crate) fn public_path(file: &FileRef) -> Option<String> {
    let public = public_file(file)?;
    Some(format!("public/{}/date={}/{}", public.table, public.date, public.name))
}

/// The lake epoch of a published file, by its path.
pub(crate) fn public_epoch(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.get(..DIGITS)?.parse().ok()
}

/// Date of a published file, by its path.
pub(super) fn public_date(path: &str) -> Option<&str> {
    path.rsplit('/').nth(1)?.strip_prefix("date=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> FileRef {
        FileRef {
            table: "events".to_owned(),
            path: format!("{}/{name}", place("events", "2026-03-02")),
            rows: 1,
            bytes: 1,
            sha256: String::new(),
        }
    }

    #[test]
    fn only_a_compacted_file_has_a_public_name() {
        let rolled = file(&rolled(7, "ab12"));
        assert_eq!((roll_of(&rolled), epoch_of(&rolled)), (Some(7), None));
        assert_eq!(public_path(&rolled), None);
        let compacted = file(&compacted(8, 2, "ab12"));
        assert_eq!((roll_of(&compacted), epoch_of(&compacted)), (None, Some(8)));
        let wanted = "public/events/date=2026-03-02/00000000000000000008-002.parquet";
        assert_eq!(public_path(&compacted).as_deref(), Some(wanted));
    }

    #[test]
    fn a_file_of_an_inner_table_is_never_public() {
        let compacted = FileRef { table: "dead_records".to_owned(), ..file(&compacted(8, 2, "a")) };
        assert_eq!((epoch_of(&compacted), public_path(&compacted)), (Some(8), None));
    }

    #[test]
    fn a_file_of_before_compaction_keeps_its_public_name() {
        let old = file("00000000000000000009-ab12.parquet");
        let wanted = "public/events/date=2026-03-02/00000000000000000009.parquet";
        assert_eq!(public_path(&old).as_deref(), Some(wanted));
    }
}

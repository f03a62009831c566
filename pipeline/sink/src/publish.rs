//! The public directory: files for everyone else's tools, there after their manifest, for good
//! or as long as the table's retention says.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use crate::SinkError;

/// A file to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicFile {
    /// Table.
    pub table: String,
    /// Date of its rows, `YYYY-MM-DD`.
    pub date: String,
    /// Name, unique in the table.
    pub name: String,
}

/// Links `from` to `public/<table>/date=<date>/<name>`; does nothing where it is there already, so
/// it can be repeated after a crash.
///
/// # Errors
/// Where the file system refuses.
pub fn publish(from: &Path, public: &Path, file: &PublicFile) -> Result<(), SinkError> {
    let table = public.join(&file.table);
    let directory = table.join(format!("date={}", file.date));
    fs::create_dir_all(&directory).map_err(SinkError::io("make directory", &directory))?;
    let target = directory.join(&file.name);
    match fs::hard_link(from, &target) {
        Ok(()) => {}
        // Linked before a crash, perhaps not yet durable: the fsyncs below make it so.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(SinkError::io("publish", &target)(error)),
    }
    // Each of these directories may have been made just now, `public` itself too.
    let above = public.parent().unwrap_or(public);
    for changed in [directory.as_path(), table.as_path(), public, above] {
        let handle = File::open(changed).map_err(SinkError::io("open", changed))?;
        handle.sync_all().map_err(SinkError::io("fsync", changed))?;
    }
    Ok(())
}

/// Removes what `public` has of a table before a date, which a manifest has dropped; what is gone
/// already is no error, so it can be repeated after a crash. Returns how many files went.
///
/// # Errors
/// Where the file system refuses.
pub fn withdraw(
    public: &Path,
    table: &str,
    is_dropped: impl Fn(&str) -> bool,
) -> Result<usize, SinkError> {
    let table = public.join(table);
    let mut gone = 0;
    for directory in listed(&table)? {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.strip_prefix("date=").is_some_and(&is_dropped) {
            continue;
        }
        for file in listed(&directory)? {
            match fs::remove_file(&file) {
                Ok(()) => gone += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(SinkError::io("remove", &file)(error)),
            }
        }
        match fs::remove_dir(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(SinkError::io("remove", &directory)(error));
            }
            _ => {}
        }
    }
    Ok(gone)
}

/// What is in a directory; nothing where it is absent.
fn listed(directory: &Path) -> Result<Vec<std::path::PathBuf>, SinkError> {
    let failed = SinkError::io("list", directory);
    match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => {
            let entries = entries
                .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
            entries.map_err(failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_files_stay_until_their_date_is_withdrawn_and_both_can_be_repeated() {
        let root = std::env::temp_dir().join(format!("sendtally-public-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let from = root.join("from");
        fs::write(&from, b"rows").unwrap();
        let public = root.join("public");
        for day in ["2026-03-01", "2026-03-02"] {
            let file = PublicFile {
                table: "events".to_owned(),
                date: day.to_owned(),
                name: "1.parquet".to_owned(),
            };
            publish(&from, &public, &file).unwrap();
            publish(&from, &public, &file).unwrap();
        }
        let there = |day: &str| public.join(format!("events/date={day}/1.parquet")).exists();
        assert!(there("2026-03-01") && there("2026-03-02"));
        let old = |date: &str| date < "2026-03-02";
        assert_eq!(withdraw(&public, "events", old).unwrap(), 1);
        assert_eq!(withdraw(&public, "events", old).unwrap(), 0);
        assert_eq!(withdraw(&public, "messages", old).unwrap(), 0);
        assert!(!public.join("events/date=2026-03-01").exists() && there("2026-03-02"));
        fs::remove_dir_all(&root).unwrap();
    }
}

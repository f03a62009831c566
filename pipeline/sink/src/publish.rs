//! The public directory: files for everyone else's tools, there after their manifest, for good.

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
    for changed in [directory.as_path(), table.as_path(), public] {
        let handle = File::open(changed).map_err(SinkError::io("open", changed))?;
        handle.sync_all().map_err(SinkError::io("fsync", changed))?;
    }
    Ok(())
}

//! Segments: Arrow IPC streams (LZ4), written once, named by an attempt id, read with a checksum.
//! With a store each is uploaded while the next is written; [`stage_file`] waits for all.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use arrow_schema::ArrowError;
use fail::fail_point;
use model::keys::hex;
use model::manifest::FileRef;
use model::mutant::Mutant;
use sha2::{Digest, Sha256};

use crate::CommitError;
use crate::datadir::DataDir;
use crate::publish::{sync_parent, write_file, write_synced};

/// Writes batches of one schema as `below/name` and fsyncs the file; the directory's fsync is the
/// caller's, once for all files of an epoch ([`stage_file`] does both). `None` without rows.
///
/// # Errors
/// Where encoding or writing fails.
pub fn write_segment(
    dir: &DataDir,
    below: &str,
    name: &str,
    table: &str,
    batches: &[RecordBatch],
) -> Result<Option<FileRef>, CommitError> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let Some(first) = batches.first().filter(|_| rows > 0) else { return Ok(None) };
    let path = dir.place(below)?.join(name);
    let encode = || -> Result<Vec<u8>, ArrowError> {
        let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)?
            .try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let schema = first.schema();
        // Compressed it is about a third; growing a buffer of megabytes copies it over and over.
        let size: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let buffer = Vec::with_capacity(size / 3);
        let mut writer = StreamWriter::try_new_with_options(buffer, &schema, options)?;
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            writer.write(batch)?;
        }
        writer.into_inner()
    };
    let bytes = encode().map_err(|source| CommitError::Arrow {
        what: "encode",
        path: path.clone(),
        source,
    })?;
    write_bytes(dir, below, name, (table, rows as u64), &bytes).map(Some)
}

/// Writes a file of `rows` rows of a table as `below/name` and fsyncs it; the directory's fsync is
/// the caller's.
///
/// # Errors
/// Where writing fails.
pub fn write_bytes(
    dir: &DataDir,
    below: &str,
    name: &str,
    (table, rows): (&str, u64),
    bytes: &[u8],
) -> Result<FileRef, CommitError> {
    let path = dir.place(below)?.join(name);
    if Mutant::ManifestFirst.lives() {
        POSTPONED.with_borrow_mut(|files| files.push((path, bytes.to_vec())));
    } else {
        write_file(&path, bytes, dir.remote().is_none())?;
    }
    if let Some(remote) = dir.remote() {
        remote.begin(below, &format!("{below}/{name}"), bytes);
    }
    fail_point!("commit::segment");
    Ok(FileRef {
        table: table.to_owned(),
        path: format!("{below}/{name}"),
        rows,
        bytes: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    })
}

/// Opens a file that a manifest names, for reading at positions. Of its bytes only the length is
/// checked: its parts have checksums of their own.
///
/// # Errors
/// Where it is missing or has another length.
pub fn open_file(dir: &DataDir, file: &FileRef) -> Result<(File, PathBuf), CommitError> {
    let path = dir.obtain(file)?;
    let open = File::open(&path).map_err(CommitError::io("open", &path))?;
    let bytes = open.metadata().map_err(CommitError::io("read", &path))?.len();
    if bytes != file.bytes {
        let what = format!("it has {bytes} bytes, the manifest says {}", file.bytes);
        return Err(CommitError::Damaged { path, what });
    }
    Ok((open, path))
}

std::thread_local! {
    /// Files of the mutant that creates the manifest first.
    static POSTPONED: std::cell::RefCell<Vec<(PathBuf, Vec<u8>)>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

/// Writes what [`Mutant::ManifestFirst`] put off.
pub(crate) fn write_postponed() -> Result<(), CommitError> {
    let files = POSTPONED.with_borrow_mut(std::mem::take);
    files.iter().try_for_each(|(path, bytes)| write_synced(path, bytes))
}

/// Makes all files written below a place durable: their names, or with a store their objects.
///
/// # Errors
/// Where the directory cannot be fsynced, or the store does not take them.
pub fn stage_file(dir: &DataDir, below: &str) -> Result<(), CommitError> {
    match dir.remote() {
        None => sync_parent(&dir.place(below)?.join("any"))?,
        Some(remote) => remote.settle(below)?,
    }
    fail_point!("commit::staged");
    Ok(())
}

/// Reads a segment whole and checks its bytes against the manifest.
///
/// # Errors
/// Where it is missing, differs from what the manifest says, or cannot be decoded.
pub fn read_segment(dir: &DataDir, file: &FileRef) -> Result<Vec<RecordBatch>, CommitError> {
    let path = dir.obtain(file)?;
    let bytes = fs::read(&path).map_err(CommitError::io("read segment", &path))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    if sha256 != file.sha256 {
        let what = format!("its SHA-256 is {sha256}, the manifest says {}", file.sha256);
        return Err(CommitError::Damaged { path, what });
    }
    let decode = || -> Result<Vec<RecordBatch>, ArrowError> {
        StreamReader::try_new(Cursor::new(bytes.as_slice()), None)?.collect()
    };
    decode().map_err(|source| CommitError::Arrow { what: "decode segment", path, source })
}

/// SHA-256 of a file, hex, read in pieces.
///
/// # Errors
/// Where it cannot be read.
pub fn digest_file(path: &Path) -> Result<String, CommitError> {
    let mut file = File::open(path).map_err(CommitError::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(CommitError::io("read", path))?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

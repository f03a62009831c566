//! Compressed exports: gzip, and the ZIP archives that vendors' portals give under any name.
//!
//! A value that begins like one is unpacked and read as if it had come so; each file of an archive
//! is a part of the record, in the order of its directory. A file is bounded as a record is, and
//! all of them together by the record's own size: a small one can fill neither memory nor time.

use flate2::Crc;
use model::vocabulary::DeadReason;

use crate::draft::Dead;
use crate::gzip::{self, Unpack};
use crate::json::{Cursor, Kind};
use crate::record::VALUE_BYTES_MAX;

/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What a ZIP archive's first file begins with.
const ZIP: &[u8; 4] = b"PK\x03\x04";
/// Of an archive's end, and of a file in its directory.
const ZIP_END: &[u8; 4] = b"PK\x05\x06";
const ZIP_ENTRY: &[u8; 4] = b"PK\x01\x02";
/// Bytes of these, and of a file's own head, without names and comments.
const END_BYTES: usize = 22;
const ENTRY_BYTES: usize = 46;
const HEAD_BYTES: usize = 30;
/// Longest comment of an archive.
const COMMENT_BYTES_MAX: usize = 65_535;
/// Tables of rows much like each other shrink to a tenth; what grows more is no report.
const RATIO_MAX: usize = 32;
const SMALL: usize = 16 << 10;
/// What a dead letter says of such a one, and of one that is no report but too long.
const TOO_DENSE: &str = "unpacked, more than 32 times its record and 16 KiB";
const TOO_LONG: &str =
    "unpacked, more than 16 MiB: load it unpacked, line by line where it has lines";
/// Encrypted, in the flags of a file.
const ENCRYPTED: u16 = 1;

/// A compressed file inside a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed<'a> {
    bytes: &'a [u8],
    method: Method,
    /// How many bytes it is told to have, and their CRC-32; gzip tells them behind its bytes.
    told: usize,
    sum: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Stored,
    Deflated,
    Gzip,
}

fn bad(what: &str) -> Dead {
    Dead::new(DeadReason::BadEncoding, what)
}

/// Whether the first of several lines is an object of its own.
pub(crate) fn is_json_lines(bytes: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return false };
    let (first, rest) = bytes.split_at(end);
    let Ok(first) = std::str::from_utf8(first) else { return false };
    let mut cursor = Cursor::new(first.strip_prefix('\u{feff}').unwrap_or(first));
    let is_object = cursor.kind() == Kind::Object && cursor.skip().is_ok() && cursor.end().is_ok();
    is_object && !rest.trim_ascii().is_empty()
}

/// Bytes that all files of a record together may have.
pub(crate) fn bytes_max(value: &[u8]) -> usize {
    value.len().saturating_mul(RATIO_MAX).max(SMALL)
}

/// Which bound was too small for a file: what its record had left, or that of one file.
pub(crate) fn too_large(left: usize) -> Dead {
    let what = if left < VALUE_BYTES_MAX { TOO_DENSE } else { TOO_LONG };
    Dead::new(DeadReason::TooLarge, what)
}

/// The files that a record's value packs; `None` where it packs none.
pub(crate) fn files(value: &[u8]) -> Result<Option<Vec<Packed<'_>>>, Dead> {
    if value.starts_with(&GZIP) {
        return Ok(Some(vec![Packed { bytes: value, method: Method::Gzip, told: 0, sum: 0 }]));
    }
    if !value.starts_with(ZIP) {
        return Ok(None);
    }
    zip(value).ok_or_else(|| bad("zip: its directory cannot be read")).map(Some)
}

fn number(bytes: &[u8], at: usize, n_bytes: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(n_bytes)?)?;
    Some(part.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// The files of an archive by its directory: a file's own head may leave out how long it is.
fn zip(value: &[u8]) -> Option<Vec<Packed<'_>>> {
    let first = value.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let end = first + memchr::memmem::rfind(value.get(first..)?, ZIP_END)?;
    let mut at = number(value, end + 16, 4)?;
    let mut files = Vec::new();
    // Files that share bytes would be more than the archive is.
    let mut left = value.len();
    for _ in 0..number(value, end + 10, 2)? {
        let entry = value.get(at..)?.strip_prefix(ZIP_ENTRY).map(|_| &value[at..])?;
        let (flags, method) = (number(entry, 8, 2)?, number(entry, 10, 2)?);
        let packed = number(entry, 20, 4)?;
        let lengths = [number(entry, 28, 2)?, number(entry, 30, 2)?, number(entry, 32, 2)?];
        let name = entry.get(ENTRY_BYTES..ENTRY_BYTES + lengths[0])?;
        at += ENTRY_BYTES + lengths.iter().sum::<usize>();
        // Directories, and what macOS adds.
        if name.ends_with(b"/") || name.starts_with(b"__MACOSX/") {
            continue;
        }
        let head = number(entry, 42, 4)?;
        let names = number(value, head + 26, 2)? + number(value, head + 28, 2)?;
        let start = head + HEAD_BYTES + names;
        let bytes = value.get(start..start.checked_add(packed)?)?;
        left = left.checked_sub(packed)?;
        let is_encrypted = u16::try_from(flags).ok()? & ENCRYPTED != 0;
        let method = match method {
            0 => Method::Stored,
            8 => Method::Deflated,
            _ => return None,
        };
        if is_encrypted {
            return None;
        }
        files.push(Packed {
            bytes,
            method,
            told: number(entry, 24, 4)?,
            sum: number(entry, 16, 4)?,
        });
    }
    Some(files)
}

impl Packed<'_> {
    /// Its bytes, where its record has so many left.
    pub(crate) fn unpack(&self, left: usize) -> Result<Vec<u8>, Dead> {
        let max = left.min(VALUE_BYTES_MAX);
        let unpacked = match self.method {
            Method::Stored if self.bytes.len() > max => Err(Unpack::TooLarge),
            Method::Stored => Ok(self.bytes.to_vec()),
            Method::Deflated => {
                gzip::inflated(self.bytes, self.told, max).map(|(unpacked, _)| unpacked)
            }
            Method::Gzip => gzip::unpack(self.bytes, max),
        };
        let unpacked = unpacked.map_err(|why| match why {
            Unpack::Damaged => bad("it cannot be unpacked"),
            Unpack::TooLarge => too_large(left),
        })?;
        if self.method != Method::Gzip && self.sum != crc(&unpacked) {
            return Err(bad("zip: a file is not what its CRC-32 tells"));
        }
        Ok(unpacked)
    }
}

/// The CRC-32 of some bytes, as archives tell it.
fn crc(bytes: &[u8]) -> usize {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum() as usize
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn le(value: usize, n_bytes: usize) -> Vec<u8> {
        value.to_le_bytes()[..n_bytes].to_vec()
    }

    /// An archive whose files' heads tell no lengths, as a streaming writer makes it.
    fn archive(files: &[(&str, usize, Vec<u8>)]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, method, bytes) in files {
            let head = out.len();
            let tail = [le(*method, 2), vec![0; 16], le(name.len(), 2), le(0, 2)].concat();
            out.extend([&ZIP[..], &[20, 0, 8, 0], &tail, name.as_bytes(), bytes].concat());
            let lengths = [le(bytes.len(), 4), le(0, 4), le(name.len(), 2), vec![0; 12]].concat();
            directory.extend([&ZIP_ENTRY[..], &[20, 0, 20, 0, 8, 0], &le(*method, 2)].concat());
            let whole = match method {
                8 => gzip::inflated(bytes, bytes.len(), VALUE_BYTES_MAX).unwrap().0,
                _ => bytes.clone(),
            };
            directory.extend([vec![0; 4], le(crc(&whole), 4), lengths, le(head, 4)].concat());
            directory.extend(name.as_bytes());
        }
        let at = out.len();
        out.extend(&directory);
        let counts = [le(files.len(), 2), le(files.len(), 2)].concat();
        out.extend([&ZIP_END[..], &[0; 4], &counts, &le(directory.len(), 4), &le(at, 4)].concat());
        out.extend([0, 0]);
        out
    }

    fn unpacked(value: &[u8]) -> Result<Vec<Vec<u8>>, Dead> {
        let mut all = Vec::new();
        let mut left = bytes_max(value);
        for file in files(value)?.unwrap_or_default() {
            all.push(file.unpack(left)?);
            left -= all.last().map_or(0, Vec::len);
        }
        Ok(all)
    }

    #[test]
    fn archives_and_gzip_give_their_files_and_nothing_else() {
        let text = b"\"a\",\"b\"\n1,2\n".repeat(40);
        assert_eq!(unpacked(&gzip(&text)).unwrap(), std::slice::from_ref(&text));
        let two = archive(&[
            ("reports/", 0, Vec::new()),
            ("reports/a.csv", 8, deflated(&text)),
            ("__MACOSX/a.csv", 8, deflated(b"x")),
            ("b.csv", 0, b"plain".to_vec()),
        ]);
        assert_eq!(unpacked(&two).unwrap(), [text, b"plain".to_vec()]);
        assert_eq!(files(b"a,b\n"), Ok(None));
        assert_eq!(files(b""), Ok(None));
    }

    #[test]
    fn what_grows_beyond_a_reports_ratio_is_too_large() {
        let bomb = gzip(&vec![b'0'; 8 << 20]);
        let dead = unpacked(&bomb).unwrap_err();
        assert_eq!((dead.reason, dead.detail.as_str()), (DeadReason::TooLarge, TOO_DENSE));
    }

    #[test]
    fn a_file_longer_than_any_value_is_told_so_and_each_of_an_archive_may_be_as_long() {
        let line = |n: u32| format!("{:08x},{n}\n", n.wrapping_mul(0x9e37_79b9)).into_bytes();
        let long: Vec<u8> = (0..1_200_000).flat_map(line).collect();
        let (most, rest) = long.split_at(12 << 20);
        let dead = unpacked(&gzip(&long)).unwrap_err();
        assert_eq!((dead.reason, dead.detail.as_str()), (DeadReason::TooLarge, TOO_LONG));
        let half = deflated(&most[..9 << 20]);
        let two = archive(&[("a.csv", 8, half.clone()), ("b.csv", 8, half)]);
        assert_eq!(unpacked(&two).unwrap().len(), 2);
        assert_eq!(unpacked(&gzip(rest)).unwrap().len(), 1);
    }

    #[test]
    fn files_of_an_archive_share_its_bound_and_no_bytes() {
        let part = deflated(&vec![b'0'; 20 << 10]);
        let many: Vec<_> = (0..40).map(|_| ("a.csv", 8, part.clone())).collect();
        let zip = archive(&many);
        assert!(zip.len() * RATIO_MAX < 40 * (20 << 10));
        assert_eq!(unpacked(&zip).unwrap_err().reason, DeadReason::TooLarge);
        let text = b"1,2\n".repeat(5_000);
        let mut shared = archive(&[("a.csv", 0, text), ("b.csv", 0, Vec::new())]);
        let second = memchr::memmem::rfind(&shared, ZIP_ENTRY).unwrap();
        let first = memchr::memmem::find(&shared, ZIP_ENTRY).unwrap();
        let entry = shared[first..first + 46].to_vec();
        shared[second..second + 46].copy_from_slice(&entry);
        assert_eq!(unpacked(&shared).unwrap_err().reason, DeadReason::BadEncoding);
    }

    #[test]
    fn other_methods_and_encrypted_files_are_told() {
        let other = archive(&[("a", 12, vec![1])]);
        assert_eq!(unpacked(&other).unwrap_err().reason, DeadReason::BadEncoding);
        let mut locked = archive(&[("a", 0, vec![1])]);
        let at = memchr::memmem::find(&locked, ZIP_ENTRY).unwrap() + 8;
        locked[at] |= 1;
        assert_eq!(unpacked(&locked).unwrap_err().reason, DeadReason::BadEncoding);
    }

    #[test]
    fn a_file_that_is_not_what_its_sum_tells_gives_nothing() {
        let text = b"\"id\",\"total_price\"\n\"m1\",\"0.0333\"\n".repeat(20);
        for (method, bytes) in [(0, text.clone()), (8, deflated(&text))] {
            let zip = archive(&[("a.csv", method, bytes.clone())]);
            assert_eq!(unpacked(&zip).unwrap(), std::slice::from_ref(&text));
            let start = HEAD_BYTES + "a.csv".len();
            for at in start..start + bytes.len() {
                let mut damaged = zip.clone();
                damaged[at] ^= 1;
                assert_eq!(unpacked(&damaged).unwrap_err().reason, DeadReason::BadEncoding, "{at}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_damage_gives_files_or_an_error(at in 0_usize..400, value in any::<u8>()) {
            let mut zip = archive(&[("a.csv", 8, deflated(b"a,b\n1,2\n")), ("b", 0, vec![7; 9])]);
            let length = zip.len();
            zip[at % length] = value;
            drop(unpacked(&zip));
            drop(unpacked(&zip[..at % length]));
        }
    }
}

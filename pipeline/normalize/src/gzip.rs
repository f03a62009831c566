//! A gzip file inside a payload (RFC 1952), unpacked with one inflater a thread: its 40 KB would
//! else be asked for with each record.
//!
//! Who wrote the file says how much comes out, and may lie. What would take many times the file is
//! first inflated into nothing, to see how much there is.

use std::cell::RefCell;

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// What every file begins with: magic number, and deflate as its only method.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Flags, time, extra flags and system follow it.
const HEAD_BYTES: usize = 10;
/// Members of a file: one of a few bytes costs as much as one of a thousand.
const MEMBERS_MAX: usize = 1_000;
/// CRC-32 and size of what was packed.
const TAIL_BYTES: usize = 8;

/// Why a file gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpack {
    /// It is none, or damaged.
    Damaged,
    /// It holds more than it may.
    TooLarge,
}

/// What is asked for on a file's word: so much beside so many times its bytes.
const TRUSTED_BYTES: usize = 16 << 10;
const TRUSTED_FACTOR: usize = 8;
/// Bytes that are inflated at once where they are only counted.
const COUNTED_BYTES: usize = 8 << 10;

thread_local! {
    static INFLATER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// The bytes of a file, `max` at most. Files that are put one behind another are one file of many
/// members (section 2.2); zeros may follow, as tapes write them.
pub(crate) fn unpack(file: &[u8], max: usize) -> Result<Vec<u8>, Unpack> {
    if let Some(unpacked) = single(file, max)? {
        return Ok(unpacked);
    }
    // A file that turns out damaged is worth no more memory than it has bytes.
    let members = members(file, max)?;
    let mut unpacked =
        Vec::with_capacity(members.iter().map(|member| member.bytes).sum::<usize>() + 1);
    INFLATER.with_borrow_mut(|inflater| {
        members.iter().try_for_each(|member| append(inflater, member.stream, &mut unpacked))
    })?;
    Ok(unpacked)
}

/// A member that was inflated into nothing.
struct Member<'a> {
    stream: &'a [u8],
    bytes: usize,
}

/// The bytes of a file of one member, where its end tells their number and can be trusted.
fn single(file: &[u8], max: usize) -> Result<Option<Vec<u8>>, Unpack> {
    let body = body(file).ok_or(Unpack::Damaged)?;
    // Where others follow, this is the size of the last: a guess like any other.
    let told = file.last_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
    if !is_trusted(told, body, max) {
        return Ok(None);
    }
    let done = INFLATER.with_borrow_mut(|inflater| inflate(inflater, body, told))?;
    let Some((unpacked, taken)) = done else { return Ok(None) };
    let mut crc = Crc::new();
    crc.update(&unpacked);
    let rest = behind(body, taken, &crc)?;
    Ok(rest.iter().all(|byte| *byte == 0).then_some(unpacked))
}

/// All members of a file, which together hold `max` bytes at most.
fn members(file: &[u8], max: usize) -> Result<Vec<Member<'_>>, Unpack> {
    let (mut members, mut left, mut rest) = (Vec::new(), max, file);
    while members.is_empty() || rest.iter().any(|byte| *byte != 0) {
        if members.len() == MEMBERS_MAX {
            return Err(Unpack::TooLarge);
        }
        let stream = body(rest).ok_or(Unpack::Damaged)?;
        let (bytes, taken, crc) =
            INFLATER.with_borrow_mut(|inflater| count(inflater, stream, left))?;
        rest = behind(stream, taken, &crc)?;
        left -= bytes;
        members.push(Member { stream, bytes });
    }
    Ok(members)
}

/// What follows a member whose stream took so many bytes, and whose tail tells what came out.
fn behind<'a>(body: &'a [u8], taken: usize, crc: &Crc) -> Result<&'a [u8], Unpack> {
    let tail = body.get(taken..).and_then(|rest| rest.split_first_chunk::<TAIL_BYTES>());
    let (tail, rest) = tail.ok_or(Unpack::Damaged)?;
    // `amount` is the size modulo 2^32, as the tail's.
    if tail[..] != [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat()[..] {
        return Err(Unpack::Damaged);
    }
    Ok(rest)
}

fn is_trusted(told: usize, stream: &[u8], max: usize) -> bool {
    told <= max.min(TRUSTED_BYTES + TRUSTED_FACTOR * stream.len())
}

/// The bytes of a bare deflate stream that is told to have so many, `max` at most, and how many of
/// its own they were.
pub(crate) fn inflated(stream: &[u8], told: usize, max: usize) -> Result<(Vec<u8>, usize), Unpack> {
    INFLATER.with_borrow_mut(|inflater| {
        let is_trusted = is_trusted(told, stream, max);
        let trusted = if is_trusted { inflate(inflater, stream, told)? } else { None };
        if let Some(done) = trusted {
            return Ok(done);
        }
        let (there, ..) = count(inflater, stream, max)?;
        inflate(inflater, stream, there)?.ok_or(Unpack::Damaged)
    })
}

/// Inflates to the end of the stream, and says how much of it that took; `None` where there is more
/// than was told.
fn inflate(
    inflater: &mut Decompress,
    stream: &[u8],
    told: usize,
) -> Result<Option<(Vec<u8>, usize)>, Unpack> {
    inflater.reset(false);
    // One byte more: where it is taken, too little was told.
    let mut unpacked = Vec::with_capacity(told + 1);
    loop {
        let (taken, before) = (total(inflater.total_in())?, unpacked.len());
        let rest = stream.get(taken..).unwrap_or_default();
        let done = inflater.decompress_vec(rest, &mut unpacked, FlushDecompress::None);
        let done = done.map_err(|_| Unpack::Damaged)?;
        if unpacked.len() > told {
            return Ok(None);
        }
        if done == Status::StreamEnd {
            return Ok(Some((unpacked, total(inflater.total_in())?)));
        }
        if unpacked.len() == before {
            // Room for more, and no more came: it breaks off.
            return Err(Unpack::Damaged);
        }
    }
}

/// Inflates a stream that was counted behind others, for which there is room.
fn append(inflater: &mut Decompress, stream: &[u8], unpacked: &mut Vec<u8>) -> Result<(), Unpack> {
    inflater.reset(false);
    loop {
        let (taken, before) = (total(inflater.total_in())?, unpacked.len());
        let rest = stream.get(taken..).unwrap_or_default();
        let done = inflater.decompress_vec(rest, unpacked, FlushDecompress::None);
        match done.map_err(|_| Unpack::Damaged)? {
            Status::StreamEnd => return Ok(()),
            _ if unpacked.len() == before => return Err(Unpack::Damaged),
            _ => {}
        }
    }
}

/// Bytes that come out of a stream, `max` at most, how many of its own they were, and their sum.
fn count(
    inflater: &mut Decompress,
    stream: &[u8],
    max: usize,
) -> Result<(usize, usize, Crc), Unpack> {
    inflater.reset(false);
    let (mut counted, mut crc) = ([0; COUNTED_BYTES], Crc::new());
    loop {
        let (taken, before) = (total(inflater.total_in())?, inflater.total_out());
        let rest = stream.get(taken..).unwrap_or_default();
        let done = inflater.decompress(rest, &mut counted, FlushDecompress::None);
        let done = done.map_err(|_| Unpack::Damaged)?;
        let there = total(inflater.total_out())?;
        crc.update(counted.get(..there - total(before)?).unwrap_or_default());
        if there > max {
            return Err(Unpack::TooLarge);
        }
        if done == Status::StreamEnd {
            return Ok((there, total(inflater.total_in())?, crc));
        }
        if inflater.total_out() == before {
            return Err(Unpack::Damaged);
        }
    }
}

fn total(bytes: u64) -> Result<usize, Unpack> {
    usize::try_from(bytes).map_err(|_| Unpack::TooLarge)
}

/// What follows the header and its optional parts.
fn body(file: &[u8]) -> Option<&[u8]> {
    let flags = *file.strip_prefix(&MAGIC)?.first()?;
    let mut rest = file.get(HEAD_BYTES..)?;
    if flags & 0b100 != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    // A name, a comment: to the next zero.
    for flag in [0b1000, 0b1_0000] {
        if flags & flag != 0 {
            rest = rest.get(rest.iter().position(|byte| *byte == 0)? + 1..)?;
        }
    }
    if flags & 0b10 != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};
    use proptest::prelude::*;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let named = GzBuilder::new().filename("batch").comment("words").extra(vec![1, 2, 3]);
        let mut file = named.write(Vec::new(), Compression::default());
        file.write_all(bytes).unwrap();
        file.finish().unwrap()
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out_again_and_again(
            bytes in proptest::collection::vec(0_u8..4, 0..5000), cut in 0_usize..5000
        ) {
            let file = packed(&bytes);
            for _ in 0..2 {
                prop_assert_eq!(unpack(&file, 5000), Ok(bytes.clone()));
            }
            let cut = cut % file.len();
            prop_assert_eq!(unpack(&file[..cut], 5000), Err(Unpack::Damaged));
            let mut other = file;
            other[cut] ^= 1;
            // Not all of a header's bytes say anything.
            if let Ok(read) = unpack(&other, 5000) {
                prop_assert_eq!(read, bytes);
            }
        }
    }

    #[test]
    fn files_put_one_behind_another_are_all_of_their_members() {
        let (one, two) = (packed(b"1\n"), packed(&b"2\n".repeat(900)));
        let both = [one.clone(), two.clone()].concat();
        let text = [b"1\n".to_vec(), b"2\n".repeat(900)].concat();
        assert_eq!(unpack(&both, 5000), Ok(text.clone()));
        assert_eq!(unpack(&[two, one.clone(), vec![0; 512]].concat(), 5000).unwrap().len(), 1802);
        assert_eq!(unpack(&both, text.len() - 1), Err(Unpack::TooLarge), "all share the bound");
        assert_eq!(unpack(&both[..both.len() - 1], 5000), Err(Unpack::Damaged));
        assert_eq!(unpack(&[&one[..], b"no member"].concat(), 5000), Err(Unpack::Damaged));
        assert_eq!(unpack(&packed(b"").repeat(MEMBERS_MAX), 9), Ok(Vec::new()));
        assert_eq!(unpack(&packed(b"").repeat(MEMBERS_MAX + 1), 9), Err(Unpack::TooLarge));
    }

    #[test]
    fn no_more_is_unpacked_than_may_be() {
        let file = packed(&vec![7; 1 << 20]);
        assert_eq!(unpack(&file, (1 << 20) - 1), Err(Unpack::TooLarge));
        assert_eq!(unpack(&file, 1 << 20).map(|bytes| bytes.len()), Ok(1 << 20));
        assert_eq!(unpack(b"", 10), Err(Unpack::Damaged));
        assert_eq!(unpack(b"no gzip at all", 10), Err(Unpack::Damaged));
    }
}

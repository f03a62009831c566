//! SHA-256 of records' values, two at a time.
//!
//! A block of SHA-256 is one chain of dependent instructions, and a core that looks ahead has room
//! for most of a second one: blocks of two values by turns cost less than one value after the
//! other.
//!
//! ```text
//! first   [b0][b1]    [b2][b3 … tail]
//! second      [b0][b1]               [tail]      → time
//! ```

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Hashes of one value or two; what is missing is zero.
pub(crate) fn of_two(first: &[u8], second: Option<&[u8]>) -> [[u8; 32]; 2] {
    let Some(second) = second else { return [Sha256::digest(first).into(), [0; 32]] };
    let (mut first, mut second) = (Hashing::new(first), Hashing::new(second));
    for (one, other) in first.whole.iter().zip(second.whole) {
        compress256(&mut first.state, std::slice::from_ref(one));
        compress256(&mut second.state, std::slice::from_ref(other));
    }
    let both = first.whole.len().min(second.whole.len());
    [first.finish(both), second.finish(both)]
}

/// A hash under way: its whole blocks, and the padded end (FIPS 180-4, 5.1.1).
struct Hashing<'a> {
    state: [u32; 8],
    whole: &'a [[u8; BLOCK]],
    end: [[u8; BLOCK]; 2],
    end_blocks: usize,
}

impl<'a> Hashing<'a> {
    fn new(value: &'a [u8]) -> Self {
        let (whole, rest) = value.as_chunks();
        let mut end = [[0; BLOCK]; 2];
        let end_blocks = if rest.len() < BLOCK - 8 { 1 } else { 2 };
        let bytes = end.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        let bits = 8 * value.len() as u64;
        bytes[end_blocks * BLOCK - 8..end_blocks * BLOCK].copy_from_slice(&bits.to_be_bytes());
        Self { state: INITIAL, whole, end, end_blocks }
    }

    /// The hash, of which so many whole blocks are taken already.
    fn finish(mut self, taken: usize) -> [u8; 32] {
        compress256(&mut self.state, self.whole.get(taken..).unwrap_or(&[]));
        compress256(&mut self.state, self.end.get(..self.end_blocks).unwrap_or(&[]));
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(value: &[u8]) -> [u8; 32] {
        Sha256::digest(value).into()
    }

    #[test]
    fn values_of_any_length_hash_as_the_library_does() {
        let text = b"the quick brown fox".repeat(20);
        for one in 0..=200 {
            for other in [0, 1, 55, 56, 63, 64, 65, 128, 300] {
                let (first, second) = (&text[..one], &text[..other]);
                let both = [whole(first), whole(second)];
                assert_eq!(of_two(first, Some(second)), both, "{one} and {other} bytes");
            }
            assert_eq!(of_two(&text[..one], None), [whole(&text[..one]), [0; 32]]);
        }
    }

    proptest! {
        #[test]
        fn any_two_values_hash_as_the_library_does(
            first in prop::collection::vec(any::<u8>(), 0..700),
            second in prop::collection::vec(any::<u8>(), 0..700),
        ) {
            prop_assert_eq!(of_two(&first, Some(&second)), [whole(&first), whole(&second)]);
        }
    }
}

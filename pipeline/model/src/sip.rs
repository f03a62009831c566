//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein), of parts that follow each other.
//!
//! An identity is a handful of short parts, each behind its length: a hasher for any stream spends
//! more on the joints than on the bytes. Here a part goes into the word that is being filled
//! without a copy. The tests compare with the crate `siphasher`.

const WORD_BITS: usize = 64;

/// A hash under way.
#[derive(Clone, Copy)]
pub(crate) struct Sip {
    v: [u64; 4],
    /// The word that is being filled, and with how many bits.
    word: u64,
    bits: usize,
    length: usize,
}

impl Sip {
    #[inline]
    pub(crate) const fn new((low, high): (u64, u64)) -> Self {
        let v = [
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ];
        Self { v, word: 0, bits: 0, length: 0 }
    }

    /// Takes bytes, and before them how many they are. Always inlined: a state that goes through
    /// memory costs as much as the hash.
    #[inline(always)]
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        let length = u64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.length += 4 + bytes.len();
        let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        let Some(last) = bytes.last_chunk() else {
            // Up to seven bytes: two halves that overlap, or one by one.
            let short = match (bytes.first_chunk(), bytes.last_chunk()) {
                (Some(first), Some(last)) => half(first) | half(last) << (8 * bytes.len() - 32),
                _ => bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)),
            };
            self.push(length | short << 32, 32 + 8 * bytes.len().min(4));
            if let Some(rest) = bytes.len().checked_sub(5) {
                self.push(short >> 32, 8 + 8 * rest);
            }
            return;
        };
        self.push(length, 32);
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.push_word(u64::from_le_bytes(*word));
        }
        // What is left is read with bytes before it.
        if !rest.is_empty() {
            let bits = 8 * rest.len();
            self.push(u64::from_le_bytes(*last) >> (WORD_BITS - bits), bits);
        }
    }

    /// Takes so many bits of a value that has no others.
    #[inline]
    fn push(&mut self, value: u64, bits: usize) {
        let filled = self.bits + bits;
        if filled < WORD_BITS {
            self.word |= value << self.bits;
            self.bits = filled;
            return;
        }
        self.push_word(value);
        self.bits = filled - WORD_BITS;
    }

    /// A word's length more: as many bits are left behind as before.
    #[inline]
    fn push_word(&mut self, value: u64) {
        self.compress(self.word | value << self.bits);
        // By two steps, as none is as long as the word.
        self.word = value >> 1 >> (WORD_BITS - 1 - self.bits);
    }

    #[inline]
    pub(crate) fn finish(mut self) -> [u8; 16] {
        self.compress(self.word | (self.length as u64) << 56);
        self.output_both()
    }

    /// The hash of words, the last of which holds the length already.
    #[inline]
    pub(crate) fn of_words(key: (u64, u64), words: impl Iterator<Item = u64>) -> [u8; 16] {
        let mut sip = Self::new(key);
        words.for_each(|word| sip.compress(word));
        sip.output_both()
    }

    #[inline]
    fn output_both(mut self) -> [u8; 16] {
        self.v[2] ^= 0xee;
        let low = self.output();
        self.v[1] ^= 0xdd;
        let mut hash = [0; 16];
        hash[..8].copy_from_slice(&low.to_le_bytes());
        hash[8..].copy_from_slice(&self.output().to_le_bytes());
        hash
    }

    #[inline]
    fn compress(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.round();
        self.v[0] ^= word;
    }

    #[inline]
    fn output(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.v.iter().fold(0, |sum, word| sum ^ word)
    }

    #[inline]
    const fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.v;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v0;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v2 = v2.rotate_left(32);
        self.v = [v0, v1, v2, v3];
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use proptest::prelude::*;
    use siphasher::sip128::{Hasher128, SipHasher24};

    use super::*;

    proptest! {
        #[test]
        fn any_parts_give_what_the_crate_gives_for_their_bytes(
            key in any::<(u64, u64)>(),
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
        ) {
            let (mut sip, mut oracle) =
                (Sip::new(key), SipHasher24::new_with_keys(key.0, key.1));
            for part in &parts {
                sip.part(part);
                oracle.write(&u32::try_from(part.len()).unwrap().to_le_bytes());
                oracle.write(part);
            }
            prop_assert_eq!(sip.finish(), oracle.finish128().as_bytes());
        }
    }
}

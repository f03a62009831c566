//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein), of parts that follow each other.
//!
//! An identity is a handful of short parts: a hasher for any stream spends more on the joints than
//! on the bytes. Here a part goes into the word that is being filled without a copy; the crate
//! `siphasher` is what the tests compare with.

/// A hash under way.
#[derive(Clone, Copy)]
pub(crate) struct Sip {
    v: [u64; 4],
    /// The word that is being filled, and with how many bits.
    word: u64,
    bits: u32,
    length: u64,
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

    /// Takes bytes.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.push(u64::from_le_bytes(*word), u64::BITS);
        }
        // At most seven bytes: read with those before them, or as two halves that overlap.
        let bits = match rest.len() {
            0 => return,
            1 => 8,
            2 => 16,
            3 => 24,
            4 => 32,
            5 => 40,
            6 => 48,
            _ => 56,
        };
        let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        let value = match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(last), ..) => u64::from_le_bytes(*last) >> (u64::BITS - bits),
            (None, Some(first), Some(last)) => half(first) | half(last) << (bits - 32),
            _ => bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        self.push(value, bits);
    }

    /// Takes so many bits of a value that has no others.
    #[inline]
    pub(crate) fn push(&mut self, value: u64, bits: u32) {
        self.length += u64::from(bits / 8);
        self.word |= value << self.bits;
        let filled = self.bits + bits;
        if filled < u64::BITS {
            self.bits = filled;
            return;
        }
        self.compress(self.word);
        self.word = value.checked_shr(u64::BITS - self.bits).unwrap_or(0);
        self.bits = filled - u64::BITS;
    }

    #[inline]
    pub(crate) fn finish(mut self) -> [u8; 16] {
        self.compress(self.word | self.length << 56);
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
                sip.write(part);
                oracle.write(part);
            }
            prop_assert_eq!(sip.finish(), oracle.finish128().as_bytes());
        }
    }

    /// The vectors of the reference implementation: key 0, 1, …, 15 and messages of 0 and 15 bytes.
    #[test]
    fn the_vectors_of_the_reference_hold() {
        let bytes: Vec<u8> = (0..16).collect();
        let half = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let hash = |length| {
            let mut sip = Sip::new((half(0), half(8)));
            sip.write(&bytes[..length]);
            crate::keys::hex(&sip.finish())
        };
        assert_eq!(hash(0), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(hash(15), "5493e99933b0a8117e08ec0f97cfc3d9");
    }
}

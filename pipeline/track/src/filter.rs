//! Which keys a run may have: a blocked Bloom filter, one cache line a question.
//!
//! ```text
//! key ─► one block of 512 bits ─► six bits in it, all set where the key was put in
//! ```
//! Ten bits a key let about one stranger in a hundred through, who costs one read of a block.

/// Bits a key.
const BITS: usize = 10;
/// Words of a block: a cache line.
const WORDS: usize = 8;
/// Bits set for a key.
const PROBES: u32 = 6;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filter(Vec<u64>);

/// Spreads a key's head over 64 bits: keys are hashes already, but of one slice.
const fn mix(high: u64) -> u64 {
    let mixed = (high ^ (high >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

impl Filter {
    /// Empty, with room for so many keys.
    pub(crate) fn for_keys(n_keys: usize) -> Self {
        Self(vec![0; (n_keys * BITS).div_ceil(64 * WORDS).max(1) * WORDS])
    }

    /// First word of a key's block.
    #[expect(clippy::cast_possible_truncation, reason = "below the number of blocks")]
    fn block(&self, mixed: u64) -> usize {
        let n_blocks = (self.0.len() / WORDS) as u128;
        ((u128::from(mixed) * n_blocks) >> 64) as usize * WORDS
    }

    fn probes(mixed: u64) -> impl Iterator<Item = (usize, u64)> {
        let bits = mixed.wrapping_mul(0x94D0_49BB_1331_11EB);
        (0..PROBES).map(move |probe| {
            let bit = bits >> (probe * 9) & 511;
            ((bit >> 6) as usize, 1 << (bit & 63))
        })
    }

    /// Puts a key in.
    pub(crate) fn insert(&mut self, high: u64) {
        let mixed = mix(high);
        let block = self.block(mixed);
        for (word, bit) in Self::probes(mixed) {
            self.0[block + word] |= bit;
        }
    }

    /// False where the key was never put in.
    pub(crate) fn may_have(&self, high: u64) -> bool {
        let mixed = mix(high);
        let block = self.block(mixed);
        Self::probes(mixed).all(|(word, bit)| self.0[block + word] & bit != 0)
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * 8
    }

    /// As it is stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// From what was stored; `None` where it is no filter.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let whole = !words.is_empty() && words.len() % WORDS == 0 && rest.is_empty();
        whole.then(|| Self(words.iter().map(|word| u64::from_le_bytes(*word)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_no_key_and_lets_few_strangers_through() {
        const KEYS: u64 = 20_000;
        let spread = |key: u64| key.wrapping_mul(0xD134_2543_DE82_EF95);
        let mut filter = Filter::for_keys(20_000);
        (0..KEYS).for_each(|key| filter.insert(spread(key)));
        let filter = Filter::from_bytes(&filter.to_bytes()).unwrap();
        assert!((0..KEYS).all(|key| filter.may_have(spread(key))));
        let strangers = (KEYS..2 * KEYS).filter(|key| filter.may_have(spread(*key))).count();
        assert!(strangers < 500, "{strangers} of {KEYS}");
        assert_eq!(Filter::from_bytes(&[0; 63]), None);
    }
}

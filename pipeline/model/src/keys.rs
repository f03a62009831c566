//! 16-byte ids and the keyed hashes that make them.
//!
//! Hash: SipHash-2-4 with 128 bits of output (Aumasson and Bernstein), a keyed pseudo-random
//! function. With a secret key, a number cannot be found from its token by trying all numbers.
//! Parts are hashed with their lengths, so that ("ab", "c") and ("a", "bc") differ.

use crate::sip::Sip;

/// A 16-byte id: event id, message key, recipient token, charge id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Id16(pub [u8; 16]);

impl Id16 {
    /// First eight bytes, big-endian, so that comparing them agrees with comparing ids.
    #[must_use]
    pub fn high(self) -> u64 {
        let mut head = [0; 8];
        head.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(head)
    }

    /// Lower-case hex.
    #[must_use]
    pub fn hex(self) -> String {
        hex(&self.0)
    }

    /// From a slice of exactly 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Debug for Id16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Lower-case hex of any bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// Bytes of a hex string of even length.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits?;
    if digits.len() % 2 != 0 {
        return None;
    }
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A 128-bit secret for keyed hashes, as the two words that the hash begins with. Its `Debug` never
/// shows it.
#[derive(Clone, Copy)]
pub struct HashKey(u64, u64);

impl HashKey {
    /// From 16 secret bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        let words = u128::from_le_bytes(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "each takes its half")]
        Self(words as u64, (words >> 64) as u64)
    }

    /// Hashes a list of parts, each with its length.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> Id16 {
        self.begin(&[]).hash(parts)
    }

    /// Takes the parts with which many hashes begin.
    #[must_use]
    pub fn begin(&self, parts: &[&[u8]]) -> BegunHash {
        let mut sip = Sip::new((self.0, self.1));
        parts.iter().for_each(|part| sip.part(part));
        BegunHash(sip)
    }
}

/// A hash that has taken its first parts. Its `Debug` shows as little as that of its key.
#[derive(Clone, Copy)]
pub struct BegunHash(Sip);

impl BegunHash {
    /// The hash of these parts behind the first ones.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> Id16 {
        let mut sip = self.0;
        for part in parts {
            sip.part(part);
        }
        Id16(sip.finish())
    }
}

impl std::fmt::Debug for BegunHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BegunHash(secret)")
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(secret)")
    }
}

/// The two secrets of a data directory.
#[derive(Debug, Clone, Copy)]
pub struct Keyring {
    /// Makes message keys and event ids. Never rotates within a data directory.
    pub message: HashKey,
    /// Makes recipient tokens. May rotate; `token_key_id` says which.
    pub token: HashKey,
    /// Id of the current token key.
    pub token_key_id: u16,
}

impl Keyring {
    /// Both secrets from one 32-byte secret: first half messages, second half tokens.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32], token_key_id: u16) -> Self {
        let mut message = [0; 16];
        let mut token = [0; 16];
        message.copy_from_slice(&secret[..16]);
        token.copy_from_slice(&secret[16..]);
        Self { message: HashKey::new(message), token: HashKey::new(token), token_key_id }
    }

    /// Tells message keys of one secret from those of another, and nothing about the secret.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.message.hash(&[b"sendtally", b"fingerprint of the message key"]).hex()
    }

    /// The fixed key of `sendtally normalize` and of tests: public, so it protects nothing.
    #[must_use]
    pub fn demo() -> Self {
        Self::from_secret(b"sendtally demo key: public, weak", 0)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use siphasher::sip128::{Hasher128, SipHasher24};

    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let key = HashKey::new([7; 16]);
        assert_ne!(key.hash(&[b"ab", b"c"]), key.hash(&[b"a", b"bc"]));
        assert_ne!(key.hash(&[b"a"]), key.hash(&[b"a", b""]));
    }

    #[test]
    fn an_identity_of_any_length_is_the_hash_of_its_lengths_and_bytes() {
        for length in [0, 1, 90, 184, 185, 188, 189, 192, 193, 400] {
            let (long, short) = (vec![b'x'; length], [b'y'; 3]);
            let mut whole = SipHasher24::new_with_key(&[7; 16]);
            for part in [&short[..], &long, &short] {
                whole.write(&u32::try_from(part.len()).unwrap().to_le_bytes());
                whole.write(part);
            }
            let joined = HashKey::new([7; 16]).hash(&[&short, &long, &short]);
            assert_eq!(joined.0, whole.finish128().as_bytes(), "{length}");
        }
    }

    #[test]
    fn a_hash_that_was_begun_is_that_of_all_parts() {
        let key = HashKey::new([7; 16]);
        for first in [&b""[..], b"bird", b"aws_eum", b"eightlen", b"a_longer_word"] {
            let begun = key.begin(&[first, b"event"]);
            let whole = key.hash(&[first, b"event", b"id", b"", b"a part of more than a word"]);
            assert_eq!(begun.hash(&[b"id", b"", b"a part of more than a word"]), whole);
        }
    }

    #[test]
    fn another_key_gives_another_id() {
        assert_ne!(HashKey::new([1; 16]).hash(&[b"x"]), HashKey::new([2; 16]).hash(&[b"x"]));
    }

    #[test]
    fn hex_comes_back_and_debug_hides_the_key() {
        assert_eq!(unhex(&hex(&[0, 171, 255])), Some(vec![0, 171, 255]));
        assert_eq!(unhex("abc"), None);
        let key = HashKey::new([65; 16]);
        assert_eq!(format!("{key:?} {:?}", key.begin(&[])), "HashKey(secret) BegunHash(secret)");
    }
}

//! Message authentication codes, digests and their spellings.
//!
//! HMAC (RFC 2104) by `ring` where it has the hash, else by its definition over `md-5` and `sha2`:
//! MD5 and SHA-224 are offered by vendors for old receivers. Codes are compared in constant time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::hmac;
use sha2::Sha224;
use subtle::ConstantTimeEq as _;

/// Longest code: SHA-512's.
const CODE_BYTES_MAX: usize = 64;
/// Input block of MD5 and SHA-224.
const BLOCK_BYTES: usize = 64;

/// Hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-224.
    Sha224,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-384.
    Sha384,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// The algorithm with this word: `md5`, `sha1`, `sha224`, `sha256`, `sha384`, `sha512`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "md5" => Some(Self::Md5),
            "sha1" => Some(Self::Sha1),
            "sha224" => Some(Self::Sha224),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// A code, computed or presented. Equality takes the same time whatever the bytes are.
#[derive(Clone, Copy)]
pub(super) struct Code {
    bytes: [u8; CODE_BYTES_MAX],
    length: usize,
}

impl Code {
    /// A code of these bytes; `None` where they are too many or none.
    pub(super) fn new(found: &[u8]) -> Option<Self> {
        let mut bytes = [0; CODE_BYTES_MAX];
        bytes.get_mut(..found.len())?.copy_from_slice(found);
        (!found.is_empty()).then_some(Self { bytes, length: found.len() })
    }

    /// From base64 with its padding.
    pub(super) fn base64(text: &str) -> Option<Self> {
        Self::decoded(&STANDARD, text)
    }

    /// From any base64 alphabet.
    pub(super) fn decoded(alphabet: &impl Engine, text: &str) -> Option<Self> {
        // Two spare bytes: the decoder wants room for whole groups of four characters.
        let mut bytes = [0; CODE_BYTES_MAX + 2];
        let length = alphabet.decode_slice(text, &mut bytes).ok()?;
        Self::new(bytes.get(..length)?)
    }

    /// From hex of either case.
    pub(super) fn hex(text: &str) -> Option<Self> {
        let mut bytes = [0; CODE_BYTES_MAX];
        let pairs = text.as_bytes().chunks_exact(2);
        if !pairs.remainder().is_empty() || text.len() > 2 * CODE_BYTES_MAX {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
        }
        Self::new(bytes.get(..text.len() / 2)?)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Whether two codes are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.bytes().ct_eq(other.bytes()).into()
    }

    /// Whether this code is these bytes.
    pub(super) fn is_bytes(&self, other: &[u8]) -> bool {
        self.bytes().ct_eq(other).into()
    }
}

/// Whether two secrets are the same.
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// HMAC of the parts, end to end.
pub(super) fn hmac(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> Code {
    match algorithm {
        Algorithm::Md5 => defined::<Md5>(key, parts),
        Algorithm::Sha224 => by_definition(key, parts, |parts| {
            use sha2::Digest as _;
            let mut hash = Sha224::new();
            parts.iter().for_each(|part| hash.update(part));
            code(&hash.finalize())
        }),
        Algorithm::Sha1 => by_ring(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, parts),
        Algorithm::Sha256 => by_ring(hmac::HMAC_SHA256, key, parts),
        Algorithm::Sha384 => by_ring(hmac::HMAC_SHA384, key, parts),
        Algorithm::Sha512 => by_ring(hmac::HMAC_SHA512, key, parts),
    }
}

fn defined<D: md5::Digest>(key: &[u8], parts: &[&[u8]]) -> Code {
    by_definition(key, parts, |parts| {
        let mut hash = D::new();
        parts.iter().for_each(|part| hash.update(part));
        code(&hash.finalize())
    })
}

/// MD5 of the parts, end to end.
pub(super) fn md5(parts: &[&[u8]]) -> Code {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    code(&hash.finalize())
}

fn by_ring(algorithm: hmac::Algorithm, key: &[u8], parts: &[&[u8]]) -> Code {
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    parts.iter().for_each(|part| context.update(part));
    code(context.sign().as_ref())
}

/// `H((k ^ opad) | H((k ^ ipad) | text))`, for hashes with blocks of 64 bytes.
fn by_definition(key: &[u8], parts: &[&[u8]], hash: impl Fn(&[&[u8]]) -> Code) -> Code {
    let mut block = [0; BLOCK_BYTES];
    let hashed = hash(&[key]);
    let short = if key.len() > BLOCK_BYTES { hashed.bytes() } else { key };
    for (to, byte) in block.iter_mut().zip(short) {
        *to = *byte;
    }
    let inner_pad = block.map(|byte| byte ^ 0x36);
    let outer_pad = block.map(|byte| byte ^ 0x5c);
    let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
    all.push(&inner_pad);
    all.extend_from_slice(parts);
    hash(&[&outer_pad, hash(&all).bytes()])
}

/// A digest is never empty and never longer than the longest code.
fn code(digest: &[u8]) -> Code {
    Code::new(digest).unwrap_or(Code { bytes: [0; CODE_BYTES_MAX], length: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 6] = [
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha224,
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::Sha512,
    ];

    /// RFC 2202 and RFC 4231: "Jefe", "what do ya want for nothing?".
    #[test]
    fn every_algorithm_gives_its_rfcs_code() {
        let expected = [
            "750c783e6ab0b503eaa86e310a5db738",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e\
             8e2240ca5e69e2c78b3239ecfab21649",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ];
        for (algorithm, expected) in ALL.into_iter().zip(expected) {
            let code = hmac(algorithm, b"Jefe", &[b"what do ya want ", b"for nothing?"]);
            assert!(Code::hex(expected).is_some_and(|hex| code.is(&hex)), "{algorithm:?}");
        }
    }

    /// RFC 2202 and RFC 4231: keys of 80 and 131 bytes of 0xaa.
    #[test]
    fn a_key_longer_than_a_block_is_hashed_first() {
        let text: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let code = hmac(Algorithm::Md5, &[0xaa; 80], &[text]);
        assert!(Code::hex("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd").is_some_and(|hex| code.is(&hex)));
        let code = hmac(Algorithm::Sha224, &[0xaa; 131], &[text]);
        let expected = "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e";
        assert!(Code::hex(expected).is_some_and(|hex| code.is(&hex)));
    }

    #[test]
    fn codes_are_read_whole_or_not_at_all() {
        for bad in ["", "a", "zz", "0g", &"00".repeat(65)] {
            assert!(Code::hex(bad).is_none(), "{bad}");
        }
        for bad in ["", "AA", "AA==AA", "A A=", "AB==", &"AAAA".repeat(22)] {
            assert!(Code::base64(bad).is_none(), "{bad}");
        }
        assert!(Code::base64(&format!("{}AA==", "AAAA".repeat(21))).is_some(), "64 bytes fit");
        assert!(!Code::hex("00").is_some_and(|code| code.is_bytes(&[0, 0])), "lengths count");
    }
}

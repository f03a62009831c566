//! The checksum that a manifest carries, so that a changed byte of the newest one is told too: the
//! older ones are hashed by the one after them.
//!
//! ```text
//! {"format_version":4,…,"values":{},"sha256":"<64 hex digits>"}
//! └──────────── hashed, with a closing `}` ─┘
//! ```

use model::keys::hex;
use sha2::{Digest, Sha256};

const HEAD: &[u8] = b",\"sha256\":\"";
const TAIL: &[u8] = b"\"}";
const DIGITS: usize = 64;

/// Adds the checksum to an object in JSON.
pub(crate) fn seal(mut object: Vec<u8>) -> Vec<u8> {
    let sum = hex(&Sha256::digest(&object));
    object.pop();
    object.extend_from_slice(HEAD);
    object.extend_from_slice(sum.as_bytes());
    object.extend_from_slice(TAIL);
    object
}

/// Whether the checksum is there and right.
pub(crate) fn is_whole(sealed: &[u8]) -> bool {
    let split = || {
        let (object, rest) =
            sealed.split_at_checked(sealed.len().checked_sub(HEAD.len() + DIGITS + TAIL.len())?)?;
        Some((object, rest.strip_prefix(HEAD)?.strip_suffix(TAIL)?))
    };
    split().is_some_and(|(object, sum)| {
        let own = Sha256::new().chain_update(object).chain_update(b"}").finalize();
        hex(&own).as_bytes() == sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_or_missing_byte_is_told() {
        let sealed = seal(br#"{"epoch":7,"values":{}}"#.to_vec());
        assert!(is_whole(&sealed));
        assert!(serde_json::from_slice::<serde_json::Value>(&sealed).is_ok());
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert!(!is_whole(&other), "byte {at} changed");
            other.remove(at);
            assert!(!is_whole(&other), "byte {at} missing");
            assert!(!is_whole(&sealed[..at]), "cut at {at}");
        }
        assert!(!is_whole(br#"{"epoch":7,"values":{}}"#), "none at all");
    }
}

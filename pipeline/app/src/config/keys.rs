//! `[keys]`: the secret of the keyed hashes.

use std::path::{Path, PathBuf};

use model::keys::{Keyring, unhex};
use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// The secret without a file.
pub(super) const VARIABLE: &str = "SENDTALLY_KEY";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeys {
    /// File that holds 64 hex digits; or SENDTALLY_KEY.
    pub(super) secret_file: Option<PathBuf>,
    /// Number of the token key.
    #[serde(default)]
    pub(super) token_key_id: u16,
}

/// The secret of the keyed hashes, from a file or the environment.
pub(crate) fn keyring(file: Option<&Path>, token_key_id: u16) -> Outcome<Keyring> {
    let (text, place) = if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("[keys] secret_file {}: {error}", file.display()))
        })?;
        (text, file.display().to_string())
    } else {
        let text = std::env::var(VARIABLE).map_err(|_| {
            Failure::usage(
                "no token key: set [keys] secret_file or SENDTALLY_KEY to 64 hex digits, for \
                 example from `openssl rand -hex 32`; keep it, ids depend on it",
            )
        })?;
        (text, VARIABLE.to_owned())
    };
    secret(&text, token_key_id)
        .ok_or_else(|| Failure::usage(format!("{place} does not hold 64 hex digits")))
}

/// A keyring from 64 hex digits.
pub(crate) fn secret(text: &str, token_key_id: u16) -> Option<Keyring> {
    let bytes: [u8; 32] = unhex(text.trim())?.try_into().ok()?;
    Some(Keyring::from_secret(&bytes, token_key_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_64_hex_digits() {
        assert!(secret(&"ab".repeat(32), 1).is_some());
        assert!(secret(&"ab".repeat(31), 1).is_none());
        assert!(secret("zz", 1).is_none());
    }
}

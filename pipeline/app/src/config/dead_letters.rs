//! `[dead_letters]`: the key under which records of dead letters are kept, encrypted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::keys::unhex;
use normalize::vault::Vault;
use serde::Deserialize;

use super::secret_line;
use crate::failure::{Failure, Outcome};

/// The key without a file.
const VARIABLE: &str = "SENDTALLY_DEAD_LETTER_KEY";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeadLetters {
    /// File that holds 64 hex digits, on further lines older keys that still open; or
    /// SENDTALLY_DEAD_LETTER_KEY. Without both nothing of a payload is kept.
    pub(super) key_file: Option<PathBuf>,
}

/// The vault of a file's keys, else of the environment's; without both there is none.
pub(crate) fn vault(file: Option<&Path>) -> Outcome<Option<Arc<Vault>>> {
    let (text, place) = match file {
        Some(file) => {
            let key = "[dead_letters] key_file";
            (secret_line(key, file)?, format!("{key} {}", file.display()))
        }
        None => match std::env::var(VARIABLE) {
            Ok(text) => (text, VARIABLE.to_owned()),
            Err(_) => return Ok(None),
        },
    };
    let wrong = || {
        Failure::usage(format!(
            "{place} does not hold 64 hex digits, for example from `openssl rand -hex 32` (older \
             keys, which only open, on further lines)"
        ))
    };
    let keys: Option<Vec<[u8; 32]>> =
        text.split_whitespace().map(|key| unhex(key)?.try_into().ok()).collect();
    let keys = keys.ok_or_else(wrong)?;
    let (first, older) = keys.split_first().ok_or_else(wrong)?;
    let vault =
        Vault::new(first, older).map_err(|error| Failure::usage(format!("{place}: {error}")))?;
    Ok(Some(Arc::new(vault)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outcome<Option<Arc<Vault>>> {
        let path = std::env::temp_dir().join(format!("sendtally-vault-{:p}", text));
        std::fs::write(&path, text).unwrap();
        let vault = vault(Some(&path));
        std::fs::remove_file(&path).unwrap();
        vault
    }

    #[test]
    fn the_first_line_seals_and_the_others_open() {
        let (new, old) = ("ab".repeat(32), "cd".repeat(32));
        let ids = |text: &str| read(text).unwrap().unwrap().ids();
        let both = ids(&format!("{new}\n{old}\n"));
        assert_eq!(both, [ids(&new), ids(&old)].concat());
    }

    #[test]
    fn anything_else_is_refused_without_being_shown() {
        for text in ["", "ab", &"zz".repeat(32), &format!("{} 12", "ab".repeat(32))] {
            let failure = read(text).unwrap_err();
            assert_eq!(failure.code(), 2);
            assert!(failure.to_string().contains("64 hex digits"));
            assert!(!failure.to_string().contains("abab") && !failure.to_string().contains("zz"));
        }
    }
}

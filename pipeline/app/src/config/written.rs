//! A configuration file as TOML. Its mistakes are told by line and key: a line may hold a secret,
//! so neither a line nor a value is ever shown.

use std::path::Path;

use serde::Deserialize as _;
use toml::de::{Deserializer, Error};

use super::Raw;
use crate::failure::{Failure, Outcome};

/// Mistakes of which serde tells keys and lengths only.
const OF_KEYS: [&str; 6] = [
    "unknown field `",
    "missing field `",
    "duplicate field `",
    "invalid length ",
    "integer number overflowed",
    "floating-point number overflowed",
];
/// Mistakes that serde tells with the value.
const OF_VALUES: [&str; 2] = ["invalid type: ", "invalid value: "];

/// A file as it is written, and its text.
pub(super) fn parse(path: &Path) -> Outcome<(Raw, String)> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let raw =
        raw(&text).map_err(|mistake| Failure::usage(format!("{}: {mistake}", path.display())))?;
    Ok((raw, text))
}

/// The sections, or what is wrong and where.
fn raw(text: &str) -> Result<Raw, String> {
    // The parser's own messages hold nothing of the text.
    let parsed =
        Deserializer::parse(text).map_err(|error| placed(text, error.message(), &error))?;
    Raw::deserialize(parsed).map_err(|error| placed(text, &masked(error.message()), &error))
}

/// A message behind its line, before the keys that lead there.
fn placed(text: &str, message: &str, error: &Error) -> String {
    let mut bare = error.clone();
    bare.set_input(None);
    let shown = bare.to_string();
    let keys = shown.strip_prefix(error.message()).unwrap_or("").trim();
    let keys = if keys.is_empty() { String::new() } else { format!(" ({keys})") };
    let Some(span) = error.span() else { return format!("{message}{keys}") };
    let before = text.as_bytes().iter().take(span.start);
    let line = before.filter(|byte| **byte == b'\n').count() + 1;
    format!("line {line}: {message}{keys}")
}

/// One of serde's messages without the value that it is about.
fn masked(message: &str) -> String {
    if OF_KEYS.iter().any(|known| message.starts_with(known)) {
        return message.to_owned();
    }
    let of_value = OF_VALUES.iter().find_map(|known| {
        let (found, expected) = message.strip_prefix(known)?.rsplit_once(", expected ")?;
        let kind = found.split(['"', '`']).next().unwrap_or("").trim_end();
        Some(format!("{known}{kind}, expected {expected}"))
    });
    of_value.unwrap_or_else(|| "the value is none that its key takes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2, expected `q";

    #[test]
    fn a_mistake_is_told_by_line_and_key_and_never_with_a_value() {
        for (text, words) in [
            ("[kafka]\nsasl_password = \"SECRET\"\n", "line 2: unknown field `sasl_password`"),
            ("\n[kafka]\nbrokers = \"SECRET\n", "line 3: "),
            ("[kafka]\nbrokers = 'SECRET\n", "line 2: "),
            ("[kafka]\nbrokers = \"\"\"SECRET\n\n", "line "),
            ("[kafka]\nbrokers = SECRET\n", "line 2: "),
            ("[kafka]\nbrokers: SECRET\n", "line 2: "),
            ("[kafka]\nbrokers = \"b\"\nbrokers = \"SECRET\"\n", "line 3: duplicate key"),
            ("[kafka]\nbrokers = \"SECRET\\q\"\n", "line 2: "),
            ("[commit]\nepoch_ms = \"SECRET\"\n", "line 2: invalid type: string, expected u64"),
            ("[commit]\nepoch_ms = \"SECRET\"\n", "`commit.epoch_ms`"),
            ("[gateway]\nlisten = \"a\"\nrate = \"SECRET\"\n", "line 3: invalid type: string"),
            ("signatures = \"SECRET\"\n", "line 1: invalid type: string, expected a sequence"),
            ("[keys]\nsecret_file = [\"SECRET\"]\n", "line 2: invalid type: sequence"),
            ("[serve]\n", "missing field `listen`"),
        ] {
            let told = raw(&text.replace("SECRET", SECRET)).unwrap_err();
            assert!(told.contains(words), "{text}: {told}");
            assert!(!told.contains("hunter2") && !told.contains('\n'), "{text}: {told}");
        }
    }

    #[test]
    fn a_number_is_no_more_shown_than_a_text() {
        for text in [
            "[kafka]\nbrokers = 271828\n",
            "[keys]\ntoken_key_id = 271828\n",
            "[keys]\ntoken_key_id = -271828\n",
            "[keys]\ntoken_key_id = 271828271828271828271828\n",
            "[track]\nmemory_mb = 271828.5\n",
        ] {
            let told = raw(text).unwrap_err();
            assert!(told.starts_with("line 2: ") && !told.contains("271828"), "{text}: {told}");
        }
    }

    #[test]
    fn a_message_of_another_kind_is_not_repeated() {
        for message in ["unknown variant `hunter2`", "hunter2", "invalid type: hunter2"] {
            assert!(!masked(message).contains("hunter2"), "{message}");
        }
    }
}

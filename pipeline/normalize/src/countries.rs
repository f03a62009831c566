//! Countries by their English names: `schemas/countries.csv`, with its origin in its first lines.
//!
//! Names are compared by their letters, without case, spaces and punctuation; `&` is "and". Nothing
//! allocates after the table is read.

use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::operators::fields;

const TABLE: &str = include_str!("../../../schemas/countries.csv");
/// Longest name, in bytes of letters: that of the table is 37.
const NAME_MAX: usize = 64;

static CODES: LazyLock<HashMap<Folded, &'static str>> = LazyLock::new(|| {
    let row =
        |line| fields(line).and_then(|[name, code]: [&str; 2]| Some((Folded::new(name)?, code)));
    TABLE.lines().filter_map(row).filter(|(_, code)| code.len() == 2).collect()
});

/// ISO 3166 code of a country's name.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    CODES.get(&Folded::new(name)?).copied()
}

/// A name's letters in lower case.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Folded([u8; NAME_MAX]);

impl Folded {
    /// `None` where it is too long.
    fn new(name: &str) -> Option<Self> {
        let (mut letters, mut end) = ([0; NAME_MAX], 0);
        let mut push = |letter: char| {
            let next = end + letter.len_utf8();
            letter.encode_utf8(letters.get_mut(end..next)?);
            end = next;
            Some(())
        };
        for char in name.chars() {
            if char == '&' {
                "and".chars().try_for_each(&mut push)?;
            } else if char.is_alphabetic() {
                char.to_lowercase().try_for_each(&mut push)?;
            }
        }
        Some(Self(letters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_known_by_any_spelling_of_its_names() {
        for (name, code) in [
            ("United States", Some("US")),
            ("UNITED STATES OF AMERICA", Some("US")),
            ("Bosnia & Herzegovina", Some("BA")),
            ("bosnia and herzegovina", Some("BA")),
            ("C\u{f4}te d\u{2019}Ivoire", Some("CI")),
            ("Korea, Republic of", Some("KR")),
            ("T\u{dc}RKIYE", Some("TR")),
            ("Atlantis", None),
            ("", None),
        ] {
            assert_eq!(named(name), code, "{name}");
        }
        assert_eq!(named(&"x".repeat(NAME_MAX + 1)), None);
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
        for line in rows {
            let [name, code] = fields(line).unwrap();
            assert_eq!(named(name), Some(code), "{line}");
        }
        assert!(CODES.len() > 250, "{}", CODES.len());
    }
}

//! Method: change signed requests at random. What was changed may not verify; nothing may panic.

use model::vocabulary::Source;
use proptest::prelude::*;
use proptest::sample::Index;

use super::check;
use super::sign::{Row, rows};

/// Another letter or digit than the one that stands there, whatever its case.
fn replaced(text: &str, at: &Index, with: char) -> Option<String> {
    let at = at.index(text.len());
    let found = text[..].chars().nth(at).filter(char::is_ascii)?;
    let is_same = found.eq_ignore_ascii_case(&with) || !text.is_char_boundary(at);
    if is_same || !text.is_ascii() {
        return None;
    }
    Some(format!("{}{with}{}", &text[..at], &text[at + 1..]))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000, max_global_rejects: 100_000, ..ProptestConfig::default()
    })]

    #[test]
    fn no_damage_to_a_signed_body_verifies(
        row in any::<Index>(), at in any::<Index>(), length in 0_usize..4,
        bytes in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let rows: Vec<Row> = rows().into_iter().filter(|row| row.is_raw).collect();
        let row = &rows[row.index(rows.len())];
        let case = (row.sign)("key-a");
        let mut damaged = case.clone();
        let start = at.index(case.value.len() + 1);
        let end = (start + length).min(case.value.len());
        damaged.value.splice(start..end, bytes);
        let answer = check(row, &["key-a", "key-b"], &damaged);
        prop_assert_eq!(answer.0, Some(damaged.value == case.value), "{}", row.name);
    }

    #[test]
    fn no_other_letter_in_a_signed_form_verifies(
        row in any::<Index>(), at in any::<Index>(), with in "[a-zA-Z0-9]",
    ) {
        let is_form = |row: &Row| !row.is_raw && row.altered.1 == "mismatch";
        let rows: Vec<Row> = rows().into_iter().filter(is_form).collect();
        let row = &rows[row.index(rows.len())];
        let mut case = (row.sign)("key-a");
        prop_assume!(!case.value.is_empty());
        let text = String::from_utf8(case.value.clone()).unwrap();
        // The envelope around Google's data is unsigned, and only its data is told.
        let is_outside = |at: usize| row.source == Source::GoogleRbm && !(20..80).contains(&at);
        prop_assume!(!is_outside(at.index(text.len())));
        let changed = replaced(&text, &at, with.chars().next().unwrap());
        prop_assume!(changed.is_some());
        case.value = changed.unwrap().into_bytes();
        let answer = check(row, &["key-a", "other"], &case);
        prop_assert_eq!(answer.0, Some(false), "{}", row.name);
    }

    #[test]
    fn no_other_letter_in_a_header_or_url_verifies(
        row in any::<Index>(), header in any::<Index>(), at in any::<Index>(),
        with in "[a-zA-Z0-9]",
    ) {
        let rows = rows();
        let row = &rows[row.index(rows.len())];
        let mut case = (row.sign)("key-a");
        let header = header.index(case.headers.len());
        let (name, value) = &mut case.headers[header];
        let from = match (name.as_str(), row.url_from) {
            ("url", text) => text.and_then(|text| value.find(text)),
            (name, _) => name.starts_with("http-").then_some(0),
        };
        prop_assume!(from.is_some_and(|from| at.index(value.len()) >= from));
        // In a list one right code is enough.
        let list_at = ["AAAA", "v1a", "v1,AAAA"].iter().filter_map(|dummy| value.find(dummy));
        let in_dummy = list_at.max().is_some_and(|from| at.index(value.len()) < from + 8);
        prop_assume!(!in_dummy);
        let changed = replaced(value, &at, with.chars().next().unwrap());
        prop_assume!(changed.is_some());
        *value = changed.unwrap();
        let answer = check(row, &["key-a", "other"], &case);
        prop_assert_eq!(answer.0, Some(false), "{}", row.name);
    }

    #[test]
    fn no_bytes_anywhere_panic_or_verify(
        row in any::<Index>(), fill in prop::collection::vec(".{0,40}", 8),
        bytes in prop::collection::vec(any::<u8>(), 0..64), kept in any::<u8>(),
    ) {
        let rows = rows();
        let row = &rows[row.index(rows.len())];
        let mut case = (row.sign)("key-a");
        case.value = bytes;
        for (at, (name, value)) in case.headers.iter_mut().enumerate() {
            let is_key = name.starts_with("http-") || name == "url";
            if is_key && kept >> at & 1 == 0 {
                value.clone_from(&fill[at % fill.len()]);
            }
        }
        let answer = check(row, &["key-a"], &case);
        let is_blind = matches!(row.name, "plivo v2" | "shared header" | "shared parameter");
        let is_body_unsigned = case.value.is_empty() && (row.sign)("key-a").value.is_empty();
        prop_assert!(answer.0 == Some(false) || is_blind || is_body_unsigned, "{}", row.name);
    }
}

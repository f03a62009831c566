//! Texts that may hold another of the recipient's ids than the one that `emit` looks for.

use std::borrow::Cow;

use crate::emit::Emitter;

/// Shortest id that is searched for: shorter ones would hit by chance.
const ID_BYTES_MIN: usize = 6;

/// Most often that an id is replaced in one text: a token is longer than an id may be, so a text
/// made of ids alone would grow to many times its size. One that holds it more often is its token.
pub(crate) const REPLACED_MAX: usize = 8;

/// The text with a token in the place of an id.
pub(crate) fn replaced(text: &str, id: &str, token: &str) -> String {
    if text.matches(id).nth(REPLACED_MAX).is_some() {
        return token.to_owned();
    }
    text.replace(id, token)
}

/// The text with a token in the place of each of the ids that it holds.
pub(crate) fn without_ids<'t>(
    text: &'t str,
    ids: &[Option<&str>],
    out: &mut Emitter<'_>,
) -> Cow<'t, str> {
    let mut clean = Cow::Borrowed(text);
    for id in ids.iter().flatten().filter(|id| id.len() >= ID_BYTES_MIN) {
        if clean.contains(*id) {
            out.counters.scrubbed_texts += 1;
            let token = out.keyring.token.hash(&[id.as_bytes()]).hex();
            clean = Cow::Owned(replaced(&clean, id, &token));
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_made_of_ids_is_their_token_and_no_longer_than_it() {
        assert_eq!(replaced("a user-1 b user-1", "user-1", "T"), "a T b T");
        assert_eq!(
            replaced(&"user-1".repeat(REPLACED_MAX), "user-1", "T"),
            "T".repeat(REPLACED_MAX)
        );
        assert_eq!(replaced(&"user-1".repeat(REPLACED_MAX + 1), "user-1", "T"), "T");
    }
}

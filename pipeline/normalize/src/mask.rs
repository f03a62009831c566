//! Texts that may hold another of the recipient's ids than the one that `emit` looks for.

use std::borrow::Cow;

use crate::emit::Emitter;

/// Shortest id that is searched for: shorter ones would hit by chance.
const ID_BYTES_MIN: usize = 6;

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
            clean = Cow::Owned(clean.replace(*id, &out.keyring.token.hash(&[id.as_bytes()]).hex()));
        }
    }
    clean
}

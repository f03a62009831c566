//! Ids of messages and events: keyed hashes that begin with their source.
//!
//! The source is taken once for all records of it, as a hash spends more on a part's joint than on
//! its bytes. Receive times and headers enter neither id.

use model::keys::{BegunHash, Id16, Keyring};
use model::vocabulary::Source;

use crate::draft::Draft;

/// The hashes of one source, begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceIds {
    source: Source,
    message: BegunHash,
    /// Of events that tell what identifies them.
    event: BegunHash,
}

impl SourceIds {
    /// Those of a source; what is kept is made anew where it is another's.
    pub(crate) fn of<'k>(
        kept: &'k mut Option<Self>,
        source: Source,
        keyring: &Keyring,
    ) -> &'k Self {
        if kept.as_ref().is_some_and(|kept| kept.source != source) {
            *kept = None;
        }
        kept.get_or_insert_with(|| {
            let word = source.as_str().as_bytes();
            let key = keyring.message;
            Self { source, message: key.begin(&[word]), event: key.begin(&[word, b"event"]) }
        })
    }

    pub(crate) fn message_key(&self, draft: &Draft<'_>) -> Id16 {
        let id = if draft.key_id.is_empty() { draft.message_id } else { draft.key_id };
        self.key_of(id, draft.key_part)
    }

    pub(crate) fn key_of(&self, id: &str, key_part: &str) -> Id16 {
        self.message.hash(&[id.as_bytes(), key_part.as_bytes()])
    }

    /// Hash of what identifies the event.
    pub(crate) fn event_id(&self, draft: &Draft<'_>, message_key: Id16) -> Id16 {
        if !draft.event_parts.is_empty() {
            return self.event.hash(draft.event_parts);
        }
        let time = draft.event_time_us.unwrap_or(i64::MIN).to_be_bytes();
        let status = draft.vendor_status.unwrap_or(draft.status.as_str());
        let code = draft.error_code.unwrap_or("");
        self.message.hash(&[&message_key.0, status.as_bytes(), code.as_bytes(), &time])
    }
}

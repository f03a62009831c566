//! Events that repeat a text of their record, as every recipient of a batch does its id and its
//! reference: each row holds them again, and a record must not take many times its bytes.
//!
//! ```text
//! id, words, account           ─► twice the record's bytes, 9 KiB     ─► a dead letter
//! reference, sender, campaign  ─► once the record's bytes, 4 KiB      ─► left out, and counted
//! ```
//! Texts that stand in the record as often as in its events never come there. A batch of a thousand
//! recipients (Sinch's largest) has room for a reference of 18 bytes: with a longer one the rest of
//! its events lack it, and not their outcome. One of thousands has no room for the ids either.

use model::vocabulary::DeadReason;

use crate::draft::Draft;
use crate::emit::Emitter;

/// Longest id of a message: no vendor's has a tenth of that.
const ID_BYTES_MAX: usize = 4 << 10;

/// Bytes that texts of a record's events may still take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    needed: usize,
    more: usize,
}

impl Room {
    /// For a record of so many bytes.
    pub(crate) const fn of(bytes: usize) -> Self {
        Self { needed: 2 * bytes + (9 << 10), more: bytes + (4 << 10) }
    }

    /// For so many bytes more, which came compressed.
    pub(crate) const fn grow(&mut self, bytes: usize) {
        self.needed += 2 * bytes;
        self.more += bytes;
    }
}

impl Emitter<'_> {
    /// A delivery event.
    pub(crate) fn event(&mut self, draft: &Draft<'_>) {
        if draft.message_id.len() > ID_BYTES_MAX {
            return self.dead_at(DeadReason::TooLarge, "a message id of more than 4 KiB");
        }
        // Most records have one.
        if self.element == 0 {
            return self.push_event(draft);
        }
        let words = [draft.vendor_status, draft.error_code, draft.account];
        let needed = draft.message_id.len() + bytes_of(words);
        let Some(left) = self.texts.needed.checked_sub(needed) else {
            // This letter, and one for all that follow.
            self.dead_end = self.dead_end.min(self.dead.len() + 1);
            return self.dead_at(DeadReason::TooLarge, "the texts of its events repeat too often");
        };
        self.texts.needed = left;
        let more = bytes_of([draft.logical_id, draft.sender, draft.campaign]);
        if let Some(left) = self.texts.more.checked_sub(more) {
            self.texts.more = left;
            return self.push_event(draft);
        }
        self.counters.unreadable_fields += 1;
        let short = Draft { logical_id: None, sender: None, campaign: None, ..draft.clone() };
        self.push_event(&short);
    }
}

fn bytes_of(texts: [Option<&str>; 3]) -> usize {
    texts.into_iter().flatten().map(str::len).sum()
}

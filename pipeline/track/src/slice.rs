//! One slice of the message table: small, so that it never doubles in one long pause and can be
//! written as one state slice.
//!
//! ```text
//! table  key ─► position          messages [ {key, cohort, head, …}, … ]
//!                                             │ head
//! events [ e0 ─next─► e3 ─next─► nothing, e1, e2, … ]   one pool, chains per message
//! due    minute ─► positions      whom to look at when the watermark passes that minute
//! ```

use std::collections::BTreeMap;

use hashbrown::HashTable;
use model::keys::Id16;
use model::time::MINUTE_US;

use crate::deltas::{Changes, Contribution};
use crate::facet::Interner;
use crate::fold::{self, Event, HORIZON_US, Outcome, RETENTION_US};

/// End of a chain, and "not in the list of changed messages".
const NONE: u32 = u32::MAX;

/// A message: 48 bytes beside its events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) key: Id16,
    pub(crate) cohort_us: i64,
    head: u32,
    changed_at: u32,
    pub(crate) duplicates: u32,
    pub(crate) horizon: bool,
    used: bool,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    New,
    Duplicate,
    Earlier,
    Late,
}

/// Where a row of this epoch lies: (batch, row) in the order of arrival.
pub(crate) type RowRef = (u32, u32);

/// A message that changed in this epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    pub(crate) position: u32,
    pub(crate) row: Option<RowRef>,
    pub(crate) charges: bool,
}

/// What `admit` needs beside the row.
pub(crate) struct Context<'a> {
    pub(crate) words: &'a Interner,
    pub(crate) changes: &'a mut Changes,
    pub(crate) watermark_us: Option<i64>,
    pub(crate) scratch: &'a mut Vec<Event>,
}

#[derive(Debug, Default)]
pub(crate) struct Slice {
    table: HashTable<u32>,
    messages: Vec<Message>,
    free: Vec<u32>,
    events: Vec<Event>,
    free_event: Option<u32>,
    due: BTreeMap<i64, Vec<u32>>,
    pub(crate) changed: Vec<Changed>,
    /// Differs from its last snapshot.
    pub(crate) touched: bool,
}

fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

impl Slice {
    /// Messages held.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes of the tables, capacity included.
    pub(crate) fn bytes(&self) -> usize {
        self.table.capacity() * 5
            + self.messages.capacity() * size_of::<Message>()
            + self.events.capacity() * size_of::<Event>()
            + self.due.values().map(|list| list.capacity() * 4 + 40).sum::<usize>()
    }

    fn find(&self, key: Id16) -> Option<u32> {
        let same = |at: &u32| self.messages[*at as usize].key == key;
        self.table.find(key.high(), same).copied()
    }

    pub(crate) fn message(&self, at: u32) -> &Message {
        &self.messages[at as usize]
    }

    /// Positions of all messages held.
    pub(crate) fn positions(&self) -> impl Iterator<Item = u32> + '_ {
        (0..position(self.messages.len())).filter(|at| self.messages[*at as usize].used)
    }

    /// Copies the events of a message.
    pub(crate) fn collect(&self, at: u32, into: &mut Vec<Event>) {
        into.clear();
        let mut next = self.messages[at as usize].head;
        while next != NONE {
            let event = self.events[next as usize];
            into.push(event);
            next = event.next;
        }
    }

    /// Decides on a row and applies it.
    pub(crate) fn admit(
        &mut self,
        key: Id16,
        event: Event,
        own_time_us: Option<i64>,
        row: RowRef,
        cx: &mut Context<'_>,
    ) -> Admitted {
        let kept_from = cx.watermark_us.map_or(i64::MIN, |mark| mark.saturating_sub(RETENTION_US));
        let mut found = self.find(key);
        if let Some(at) = found.filter(|at| self.messages[*at as usize].cohort_us < kept_from) {
            self.forget(at);
            found = None;
        }
        if let Some(at) = found {
            self.collect(at, cx.scratch);
            if let Some(known) = cx.scratch.iter().find(|known| known.id == event.id) {
                let earlier = event.time_us < known.time_us;
                self.messages[at as usize].duplicates += 1;
                self.touched = true;
                if !earlier {
                    return Admitted::Duplicate;
                }
                self.retime(at, event, Some(row), cx);
                return Admitted::Earlier;
            }
        }
        // An event without a time of its own has the broker's: a message of that age is forgotten
        // at once, so each of its events would begin another.
        if own_time_us.unwrap_or(event.time_us) < kept_from {
            return Admitted::Late;
        }
        self.insert(key, found, event, Some(row), cx);
        Admitted::New
    }

    /// Applies a row that was decided before (replay).
    pub(crate) fn apply(&mut self, key: Id16, event: Event, cx: &mut Context<'_>) {
        let kept_from = cx.watermark_us.map_or(i64::MIN, |mark| mark.saturating_sub(RETENTION_US));
        let mut found = self.find(key);
        if let Some(at) = found.filter(|at| self.messages[*at as usize].cohort_us < kept_from) {
            self.forget(at);
            found = None;
        }
        self.insert(key, found, event, None, cx);
    }

    /// Applies an earlier redelivery that was decided before (replay).
    pub(crate) fn apply_earlier(&mut self, key: Id16, event: Event, cx: &mut Context<'_>) {
        if let Some(at) = self.find(key) {
            self.messages[at as usize].duplicates += 1;
            self.collect(at, cx.scratch);
            self.retime(at, event, None, cx);
        }
    }

    /// Of copies of one event the earliest time stands, whichever was read first: without this,
    /// the cohort of an event that has no vendor time would depend on the order of reading.
    fn retime(&mut self, at: u32, event: Event, row: Option<RowRef>, cx: &mut Context<'_>) {
        const CLOCK: u8 = fold::FLAG_VENDOR_CLOCK | fold::FLAG_VENDOR_LOCAL;
        let horizon = self.messages[at as usize].horizon;
        let before = fold::fold(cx.scratch, horizon, cx.words);
        let mut next = self.messages[at as usize].head;
        while next != NONE {
            let known = &mut self.events[next as usize];
            if known.id == event.id {
                known.time_us = event.time_us;
                known.flags = (known.flags & !CLOCK) | (event.flags & CLOCK);
            }
            next = known.next;
        }
        self.collect(at, cx.scratch);
        let after = fold::fold(cx.scratch, horizon, cx.words);
        self.settle(at, before, after, row, cx);
    }

    /// Counts a duplicate that was decided before (replay).
    pub(crate) fn apply_duplicate(&mut self, key: Id16) {
        if let Some(at) = self.find(key) {
            self.messages[at as usize].duplicates += 1;
            self.touched = true;
        }
    }

    fn insert(
        &mut self,
        key: Id16,
        found: Option<u32>,
        event: Event,
        row: Option<RowRef>,
        cx: &mut Context<'_>,
    ) {
        let at = found.unwrap_or_else(|| self.create(key));
        self.collect(at, cx.scratch);
        let horizon = self.messages[at as usize].horizon;
        let before = fold::fold(cx.scratch, horizon, cx.words);
        self.link(at, event);
        cx.scratch.push(event);
        let after = fold::fold(cx.scratch, horizon, cx.words);
        self.settle(at, before, after, row, cx);
    }

    /// Stores what an event or the horizon changed and emits the difference.
    fn settle(
        &mut self,
        at: u32,
        before: Option<Outcome>,
        after: Option<Outcome>,
        row: Option<RowRef>,
        cx: &mut Context<'_>,
    ) {
        let Some(now) = after else { return };
        self.touched = true;
        let message = &mut self.messages[at as usize];
        if before.is_none_or(|was| was.cohort_us != now.cohort_us) {
            message.cohort_us = now.cohort_us;
            let due = (now.cohort_us + HORIZON_US).div_euclid(MINUTE_US);
            self.due.entry(due).or_default().push(at);
        }
        let (was, is) = (before.map(|o| Contribution::of(&o)), Contribution::of(&now));
        let charges = was.as_ref().is_none_or(|was| was.cost != is.cost);
        cx.changes.replace(was.as_ref(), &is);
        self.mark(at, row, charges && is.cost.iter().any(Option::is_some));
    }

    fn mark(&mut self, at: u32, row: Option<RowRef>, charges: bool) {
        let message = &mut self.messages[at as usize];
        if message.changed_at == NONE {
            message.changed_at = position(self.changed.len());
            self.changed.push(Changed { position: at, row, charges });
            return;
        }
        let entry = &mut self.changed[message.changed_at as usize];
        entry.row = row.or(entry.row);
        entry.charges |= charges;
    }

    /// Forgets which messages changed: the epoch closed.
    pub(crate) fn clear_changed(&mut self) {
        for changed in std::mem::take(&mut self.changed) {
            let message = &mut self.messages[changed.position as usize];
            message.changed_at = NONE;
            if !message.used {
                self.free.push(changed.position);
            }
        }
    }

    /// Closes messages without a final event 72 h after their cohort time, by watermark.
    pub(crate) fn close_horizon(&mut self, cx: &mut Context<'_>) {
        let Some(watermark_us) = cx.watermark_us else { return };
        let mut waiting = Vec::new();
        while let Some(entry) = self.due.first_entry() {
            if entry.key() * MINUTE_US > watermark_us {
                break;
            }
            for at in entry.remove() {
                if !self.close_one(at, watermark_us, cx) {
                    waiting.push(at);
                }
            }
        }
        for at in waiting {
            let due = (self.messages[at as usize].cohort_us + HORIZON_US).div_euclid(MINUTE_US);
            self.due.entry(due).or_default().push(at);
        }
    }

    /// False where the message has to be looked at again.
    fn close_one(&mut self, at: u32, watermark_us: i64, cx: &mut Context<'_>) -> bool {
        let message = self.messages[at as usize];
        if !message.used || message.horizon {
            return true;
        }
        self.collect(at, cx.scratch);
        let before = fold::fold(cx.scratch, false, cx.words);
        if before.is_none_or(|outcome| outcome.is_final) {
            return true;
        }
        if message.cohort_us + HORIZON_US > watermark_us {
            return false;
        }
        self.messages[at as usize].horizon = true;
        let after = fold::fold(cx.scratch, true, cx.words);
        self.settle(at, before, after, None, cx);
        true
    }

    /// Drops messages whose cohort time is 35 days behind the watermark and that did not change in
    /// this epoch. Nothing can tell when it runs: an expired message counts as absent anyway.
    pub(crate) fn expire(&mut self, watermark_us: i64) {
        let kept_from = watermark_us.saturating_sub(RETENTION_US);
        let old: Vec<u32> = self
            .positions()
            .filter(|at| {
                let message = &self.messages[*at as usize];
                message.cohort_us < kept_from && message.changed_at == NONE
            })
            .collect();
        for at in old {
            self.forget(at);
        }
    }

    fn create(&mut self, key: Id16) -> u32 {
        let fresh = Message {
            key,
            cohort_us: i64::MAX,
            head: NONE,
            changed_at: NONE,
            duplicates: 0,
            horizon: false,
            used: true,
        };
        let at = if let Some(at) = self.free.pop() {
            self.messages[at as usize] = fresh;
            at
        } else {
            self.messages.push(fresh);
            position(self.messages.len() - 1)
        };
        let messages = &self.messages;
        self.table.insert_unique(key.high(), at, |at| messages[*at as usize].key.high());
        at
    }

    fn forget(&mut self, at: u32) {
        let message = self.messages[at as usize];
        let same = |candidate: &u32| *candidate == at;
        if let Ok(entry) = self.table.find_entry(message.key.high(), same) {
            entry.remove();
        }
        let mut next = message.head;
        while next != NONE {
            let event = &mut self.events[next as usize];
            let after = event.next;
            event.next = self.free_event.unwrap_or(NONE);
            self.free_event = Some(next);
            next = after;
        }
        let slot = &mut self.messages[at as usize];
        slot.used = false;
        slot.head = NONE;
        // A changed message stays in the list of its epoch; its place is not given away.
        if slot.changed_at == NONE {
            self.free.push(at);
        }
    }

    fn link(&mut self, at: u32, mut event: Event) {
        event.next = self.messages[at as usize].head;
        let place = match self.free_event {
            Some(place) => {
                let next = self.events[place as usize].next;
                self.free_event = (next != NONE).then_some(next);
                self.events[place as usize] = event;
                place
            }
            None => {
                self.events.push(event);
                position(self.events.len() - 1)
            }
        };
        self.messages[at as usize].head = place;
    }

    /// Puts a message back as a snapshot had it; emits nothing.
    pub(crate) fn restore(&mut self, key: Id16, duplicates: u32, horizon: bool, event: Event) {
        let at = self.find(key).unwrap_or_else(|| self.create(key));
        self.link(at, event);
        let message = &mut self.messages[at as usize];
        message.duplicates = duplicates;
        message.horizon = horizon;
    }

    /// After the last [`Self::restore`]: cohort times and the horizon's list.
    pub(crate) fn index(&mut self, words: &Interner) {
        let mut scratch = Vec::new();
        self.due.clear();
        for at in 0..position(self.messages.len()) {
            let message = self.messages[at as usize];
            self.collect(at, &mut scratch);
            let Some(outcome) = fold::fold(&mut scratch, message.horizon, words) else { continue };
            self.messages[at as usize].cohort_us = outcome.cohort_us;
            if !outcome.is_final {
                let due = (outcome.cohort_us + HORIZON_US).div_euclid(MINUTE_US);
                self.due.entry(due).or_default().push(at);
            }
        }
    }
}

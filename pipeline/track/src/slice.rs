//! One slice of the message table: what is in memory, over what is on disk.
//!
//! ```text
//! hot    changed and recent messages, as bytes       ◄─ a message of a run that gets an event
//! runs   oldest … newest, immutable (`run`)              comes back and stands above it
//! due    minute ─► key heads       whom to look at when the watermark passes that minute
//! ```
//! Invariants:
//! - the newest version of a message stands: memory, then the newest run that has it;
//! - a message leaves memory only when a run that a manifest names has it as it is;
//! - a message past its 35 days counts as absent, so nothing can tell when its bytes go.

mod disk;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashTable;
use model::keys::Id16;
use model::time::{DAY_US, MINUTE_US};

use crate::charges::Charges;
use crate::deltas::{Changes, Contribution};
use crate::facet::Interner;
use crate::flush::{Flush, due_minute};
use crate::fold::{self, Event, HORIZON_US, Outcome, RETENTION_US};
use crate::hot::{Hot, Place};
use crate::record::{self, Head};
use crate::run::Run;
use crate::tracker::TrackError;
use crate::words::Translation;

/// A message is looked at for the first time so long after its cohort time: most have their final
/// event by then, and need not wait in `due` for three days.
const FIRST_LOOK_US: i64 = 15 * MINUTE_US;

/// What is known of a bill that is no message's is kept so long after its newest line, beyond a
/// message's 35 days: corrections of a year are told from what they correct.
const BILLED_KEPT_US: i64 = 365 * DAY_US;

/// Lines kept of one bill, the one that stands among them: an older one that came again would be
/// stored again, and stand no more than before.
const BILL_LINES_MAX: usize = 256;

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
    pub(crate) key: Id16,
    pub(crate) row: Option<RowRef>,
    /// The line of a bill that tells most of it.
    pub(crate) line: Option<RowRef>,
    /// Its row of `messages` may be another.
    pub(crate) told: bool,
    pub(crate) charges: bool,
    /// Kinds of charges that it had, a bit each.
    pub(crate) had: u16,
    /// Its cohort time is another: it has to be looked at another time.
    moved: bool,
}

/// What changed a message, and the row that tells most of it.
#[derive(Debug, Clone, Copy, Default)]
struct Cause {
    row: Option<RowRef>,
    line: Option<RowRef>,
    told: bool,
}

impl Cause {
    const fn of(event: &Event, row: Option<RowRef>) -> Self {
        match event.is_line() {
            true => Self { row: None, line: row, told: false },
            false => Self { row, line: None, told: true },
        }
    }
}

/// The kinds of some charges, a bit each.
fn kinds(charges: &Charges) -> u16 {
    charges.iter().fold(0, |mask, charge| mask | 1 << charge.kind.index())
}

/// What `admit` needs beside the row.
pub(crate) struct Context<'a> {
    pub(crate) words: &'a Interner,
    pub(crate) changes: &'a mut Changes,
    pub(crate) watermark_us: Option<i64>,
    pub(crate) scratch: &'a mut Vec<Event>,
    /// Costs are counted by the rule before format 4.
    pub(crate) old_costs: bool,
}

impl Context<'_> {
    /// Cohort times before this one are past their 35 days.
    fn kept_from(&self) -> i64 {
        self.watermark_us.map_or(i64::MIN, |mark| mark.saturating_sub(RETENTION_US))
    }
}

/// A message that was found; its events are in the scratch buffer.
#[derive(Debug, Clone, Copy)]
struct Known {
    head: Head,
    /// Where in memory, if it is there.
    place: Option<Place>,
}

/// A run, and its integers as this process's.
#[derive(Debug)]
struct Shelf {
    run: Arc<Run>,
    words: Translation,
}

#[derive(Debug, Default)]
pub(crate) struct Slice {
    hot: Hot,
    /// Oldest first.
    runs: Vec<Shelf>,
    /// On its way to disk.
    flushing: Option<Arc<Flush>>,
    n_tracked: u64,
    due: BTreeMap<i64, Vec<u64>>,
    pub(crate) changed: Vec<Changed>,
    changed_at: HashTable<u32>,
    /// Differs from its runs.
    pub(crate) touched: bool,
    expired_us: Option<i64>,
    body: Vec<u8>,
}

const fn fresh(key: Id16) -> Head {
    Head {
        key,
        cohort_us: i64::MAX,
        duplicates: 0,
        horizon: false,
        open: true,
        dirty: true,
        old_costs: false,
    }
}

impl Slice {
    /// Messages tracked, in memory or on disk.
    pub(crate) const fn len(&self) -> u64 {
        self.n_tracked
    }

    /// Messages in memory.
    pub(crate) const fn n_hot(&self) -> usize {
        self.hot.len()
    }

    /// Bytes in memory, capacity included: messages, and what leads to those on disk.
    pub(crate) fn bytes(&self) -> usize {
        let due = self.due.values().map(|list| list.capacity() * 8 + 40).sum::<usize>();
        self.hot.bytes() + self.shelf_bytes() + due
    }

    fn shelf_bytes(&self) -> usize {
        self.runs.iter().map(|shelf| shelf.run.bytes() + shelf.words.bytes()).sum()
    }

    /// Finds a message by the head of its key, and by its key where one is given: in memory, else
    /// in the newest run that has it. Its events replace those in `events`.
    fn find(
        &self,
        high: u64,
        key: Option<Id16>,
        events: &mut Vec<Event>,
    ) -> Result<Option<Known>, TrackError> {
        events.clear();
        if let Some(place) = self.hot.find(high, key) {
            let head = record::decode(self.hot.body(place), events);
            let what = "a message in memory cannot be read";
            let head = head.ok_or(TrackError::State { what })?;
            return Ok(Some(Known { head, place: Some(place) }));
        }
        for shelf in self.runs.iter().rev() {
            let Some(body) = shelf.run.find(high, key)? else { continue };
            let head = record::decode(&body, events).filter(|_| shelf.words.apply(events));
            let mut head = head.ok_or_else(|| shelf.run.bad_body())?;
            head.old_costs |= shelf.run.footer.has_old_costs();
            return Ok(Some(Known { head, place: None }));
        }
        Ok(None)
    }

    /// Events of a message that changed in this epoch.
    pub(crate) fn recall(&self, key: Id16, events: &mut Vec<Event>) -> Option<Head> {
        record::decode(self.hot.body(self.hot.find(key.high(), Some(key))?), events)
    }

    fn put(&mut self, known: Known, events: &[Event]) {
        self.body.clear();
        record::encode(&Head { dirty: true, ..known.head }, events, &mut self.body);
        self.hot.put(known.place, &self.body);
        self.touched = true;
    }

    /// Finds the message of an event, or begins one: a new one, or another life of one that is past
    /// its 35 days. A life that took a row in this epoch goes on to its end, whatever time the row
    /// told: which rows are of which life must not depend on their order, which replay does not
    /// know. The flag says that it was there.
    fn find_or_begin(
        &self,
        key: Id16,
        cx: &mut Context<'_>,
    ) -> Result<(Known, bool, bool), TrackError> {
        let Some(known) = self.find(key.high(), Some(key), cx.scratch)? else {
            return Ok((Known { head: fresh(key), place: None }, false, false));
        };
        if known.head.cohort_us >= cx.kept_from() || self.is_changed(key) {
            return Ok((known, true, true));
        }
        cx.scratch.clear();
        Ok((Known { head: fresh(key), ..known }, false, true))
    }

    /// Decides on a row and applies it.
    pub(crate) fn admit(
        &mut self,
        key: Id16,
        event: Event,
        own_time_us: Option<i64>,
        row: RowRef,
        cx: &mut Context<'_>,
    ) -> Result<Admitted, TrackError> {
        let (mut known, alive, counted) = self.find_or_begin(key, cx)?;
        if alive && let Some(at) = cx.scratch.iter().position(|copy| copy.id == event.id) {
            if event.is_line() || event.is_billed() {
                // Only events are counted on their message.
                if event.is_billed() || event.time_us >= cx.scratch[at].time_us {
                    return Ok(Admitted::Duplicate);
                }
                self.retime(known, event, Some(row), cx);
                return Ok(Admitted::Earlier);
            }
            known.head.duplicates = known.head.duplicates.saturating_add(1);
            if event.time_us >= cx.scratch[at].time_us {
                self.put(known, cx.scratch);
                return Ok(Admitted::Duplicate);
            }
            self.retime(known, event, Some(row), cx);
            return Ok(Admitted::Earlier);
        }
        // An event without a time of its own has the broker's: a message of that age is past its 35
        // days at once, so each of its events would begin another.
        if own_time_us.unwrap_or(event.time_us) < cx.kept_from() {
            return Ok(Admitted::Late);
        }
        self.n_tracked += u64::from(!counted);
        self.insert(known, event, Some(row), cx);
        Ok(Admitted::New)
    }

    /// Applies a row that was decided before (replay).
    pub(crate) fn apply(
        &mut self,
        key: Id16,
        event: Event,
        cx: &mut Context<'_>,
    ) -> Result<(), TrackError> {
        let (known, _, counted) = self.find_or_begin(key, cx)?;
        self.n_tracked += u64::from(!counted);
        self.insert(known, event, None, cx);
        Ok(())
    }

    /// Applies an earlier redelivery that was decided before (replay).
    pub(crate) fn apply_earlier(
        &mut self,
        key: Id16,
        event: Event,
        cx: &mut Context<'_>,
    ) -> Result<(), TrackError> {
        if let Some(mut known) = self.find(key.high(), Some(key), cx.scratch)? {
            known.head.duplicates =
                known.head.duplicates.saturating_add(u32::from(!event.is_line()));
            self.retime(known, event, None, cx);
        }
        Ok(())
    }

    /// Counts a duplicate that was decided before (replay).
    pub(crate) fn apply_duplicate(
        &mut self,
        key: Id16,
        events: &mut Vec<Event>,
    ) -> Result<(), TrackError> {
        if let Some(mut known) = self.find(key.high(), Some(key), events)? {
            known.head.duplicates = known.head.duplicates.saturating_add(1);
            self.put(known, events);
        }
        Ok(())
    }

    /// Of copies of one event the earliest time stands, whichever was read first: without this,
    /// the cohort of an event that has no vendor time would depend on the order of reading.
    fn retime(
        &mut self,
        mut known: Known,
        event: Event,
        row: Option<RowRef>,
        cx: &mut Context<'_>,
    ) {
        const CLOCK: u8 = fold::FLAG_VENDOR_CLOCK | fold::FLAG_VENDOR_LOCAL;
        let before = known.head.outcome(cx.scratch, cx.words);
        known.head.old_costs = cx.old_costs;
        for copy in cx.scratch.iter_mut().filter(|copy| copy.id == event.id) {
            copy.time_us = event.time_us;
            copy.flags = (copy.flags & !CLOCK) | (event.flags & CLOCK);
        }
        self.settle(known, before, Cause::of(&event, row), cx);
    }

    fn insert(
        &mut self,
        mut known: Known,
        event: Event,
        row: Option<RowRef>,
        cx: &mut Context<'_>,
    ) {
        if event.is_billed() {
            return self.insert_billed(known, event, row, cx);
        }
        let before = known.head.outcome(cx.scratch, cx.words);
        known.head.old_costs = cx.old_costs;
        cx.scratch.push(event);
        if event.is_line() {
            fold::forget_lines(cx.scratch, cx.words);
        }
        self.settle(known, before, Cause::of(&event, row), cx);
    }

    /// Stores a line that is no message's; it changes something where it stands.
    fn insert_billed(
        &mut self,
        mut known: Known,
        event: Event,
        row: Option<RowRef>,
        cx: &mut Context<'_>,
    ) {
        if cx.scratch.len() >= BILL_LINES_MAX {
            let standing = fold::standing(cx.scratch).map(|standing| standing.id);
            let idle = |line: &Event| Some(line.id) != standing;
            if let Some(oldest) = cx.scratch.iter().position(idle) {
                cx.scratch.remove(oldest);
            }
        }
        cx.scratch.push(event);
        let standing = fold::standing(cx.scratch);
        let stands = standing.is_some_and(|standing| standing.id == event.id);
        let newest_us = cx.scratch.iter().map(|line| line.time_us).max().unwrap_or(i64::MIN);
        known.head.cohort_us = newest_us.saturating_add(BILLED_KEPT_US);
        known.head.open = false;
        self.put(known, cx.scratch);
        if stands {
            self.mark(Changed {
                key: known.head.key,
                row: None,
                line: row,
                told: false,
                charges: true,
                had: 0,
                moved: false,
            });
        }
    }

    /// Stores what an event or the horizon changed and emits the difference.
    fn settle(
        &mut self,
        mut known: Known,
        before: Option<Outcome>,
        cause: Cause,
        cx: &mut Context<'_>,
    ) {
        let Some(now) = known.head.outcome(cx.scratch, cx.words) else { return };
        known.head.cohort_us = now.cohort_us;
        known.head.open = !now.is_final;
        self.put(known, cx.scratch);
        let was = before.as_ref().map(Contribution::of);
        cx.changes.replace(was.as_ref(), &Contribution::of(&now));
        let same = |was: &Outcome| {
            was.charges == now.charges && was.cohort_us == now.cohort_us && was.series == now.series
        };
        let had = before.as_ref().map_or(0, |was| kinds(&was.charges));
        self.mark(Changed {
            key: known.head.key,
            row: cause.row,
            line: cause.line,
            told: cause.told,
            charges: !before.as_ref().is_some_and(same) && (had | kinds(&now.charges)) != 0,
            had,
            moved: before.is_none_or(|was| was.cohort_us != now.cohort_us),
        });
    }

    fn mark(&mut self, new: Changed) {
        let Self { changed, changed_at, .. } = self;
        let same = |at: &u32| changed[*at as usize].key == new.key;
        if let Some(at) = changed_at.find(new.key.high(), same) {
            let entry = &mut changed[*at as usize];
            entry.row = new.row.or(entry.row);
            entry.line = new.line.or(entry.line);
            entry.told |= new.told;
            entry.charges |= new.charges;
            entry.had |= new.had;
            entry.moved |= new.moved;
            return;
        }
        let at = u32::try_from(changed.len()).unwrap_or(u32::MAX);
        changed.push(new);
        changed_at.insert_unique(new.key.high(), at, |at| changed[*at as usize].key.high());
    }

    /// Whether the message changed in this epoch.
    fn is_changed(&self, key: Id16) -> bool {
        let same = |at: &u32| self.changed[*at as usize].key == key;
        self.changed_at.find(key.high(), same).is_some()
    }

    /// Forgets which messages changed: the epoch closed.
    pub(crate) fn clear_changed(&mut self) {
        self.changed.clear();
        self.changed_at.clear();
    }

    /// Closes messages without a final event 72 h after their cohort time, by watermark.
    pub(crate) fn close_horizon(&mut self, cx: &mut Context<'_>) -> Result<(), TrackError> {
        for changed in self.changed.iter_mut().filter(|changed| changed.moved) {
            changed.moved = false;
            let place = self.hot.find(changed.key.high(), Some(changed.key));
            let head = place.and_then(|place| record::head(self.hot.body(place)));
            if let Some(head) = head.filter(|head| head.open) {
                let first_us = head.cohort_us.saturating_add(FIRST_LOOK_US);
                let minute = first_us.div_euclid(MINUTE_US);
                self.due.entry(minute).or_default().push(head.key.high());
            }
        }
        let Some(watermark_us) = cx.watermark_us else { return Ok(()) };
        let mut waiting = Vec::new();
        while let Some(entry) = self.due.first_entry() {
            if entry.key().saturating_mul(MINUTE_US) > watermark_us {
                break;
            }
            for high in entry.remove() {
                waiting.extend(self.close_one(high, watermark_us, cx)?);
            }
        }
        for (minute, high) in waiting {
            self.due.entry(minute).or_default().push(high);
        }
        Ok(())
    }

    /// Gives when the message has to be looked at again, if it has to.
    fn close_one(
        &mut self,
        high: u64,
        watermark_us: i64,
        cx: &mut Context<'_>,
    ) -> Result<Option<(i64, u64)>, TrackError> {
        // Most are in memory and have their final event: their events need not be read.
        let place = self.hot.find(high, None);
        let head = place.and_then(|place| record::head(self.hot.body(place)));
        if head.is_some_and(|head| !head.open) {
            return Ok(None);
        }
        let found = self.find(high, None, cx.scratch)?;
        let Some(mut known) = found.filter(|known| known.head.open) else { return Ok(None) };
        let cohort_us = known.head.cohort_us;
        if cohort_us.saturating_add(HORIZON_US) > watermark_us {
            return Ok(Some((due_minute(cohort_us), high)));
        }
        let before = known.head.outcome(cx.scratch, cx.words);
        known.head.horizon = true;
        self.settle(known, before, Cause { told: true, ..Cause::default() }, cx);
        Ok(None)
    }
}

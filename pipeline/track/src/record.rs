//! A message as bytes: its key, its own values, its events. The same in memory and in a run.
//!
//! ```text
//! frame  length │ key 16 │ flags 1 │ cohort time 6 │ [duplicates] │ event │ event │ …
//! event  fingerprint 6 │ status, flags, "as before" 1 │ [what differs 1] │ time 1–4 │ [facet] …
//! ```
//! - Times are relative to the message's cohort time, in milliseconds where that loses nothing, so
//!   most take two or three bytes; microseconds are never lost.
//! - Facet, price, segments and submit time are written where they differ from the event before,
//!   as small integers of an [`Interner`](crate::facet::Interner).
//! - Lines of bills are written as events are, with a status of their own.
//! - A fingerprint is 48 bits, scoped to the message: of 50 million messages with three events
//!   each, two of one message are the same once in two million times.

use model::keys::Id16;
use model::vocabulary::Status;

use crate::charges;
use crate::facet::Interner;
use crate::fold::{self, Event, FLAG_BILLED, FLAG_LINE, NO_TIME, Outcome};

/// Where short cohort times are counted from: 2026-01-01. Six bytes reach four years to each side;
/// what lies beyond takes eight.
const EPOCH_US: i64 = 1_767_225_600_000_000;
const NARROW: std::ops::Range<i64> = -(1 << 47)..(1 << 47);

const HORIZON: u8 = 1;
const OPEN: u8 = 2;
const DIRTY: u8 = 4;
const DUPLICATES: u8 = 8;
const WIDE: u8 = 16;
const OLD_COSTS: u8 = 32;

/// Place of the flags in a body.
const FLAGS_AT: usize = 16;

/// In place of a status: a line of a bill, of a message or of none.
const LINE: u8 = 15;
const BILLED: u8 = 14;

const SAME: u8 = 0x80;
const SAME_FACET: u8 = 1;
const SAME_PRICE: u8 = 2;
const SAME_SEGMENTS: u8 = 4;
const SAME_SUBMIT: u8 = 8;
const NO_SUBMIT: u8 = 16;

/// A message beside its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) key: Id16,
    pub(crate) cohort_us: i64,
    pub(crate) duplicates: u32,
    /// Closed by the horizon.
    pub(crate) horizon: bool,
    /// Has no final outcome: the horizon has to look at it.
    pub(crate) open: bool,
    /// Differs from what the runs have of it.
    pub(crate) dirty: bool,
    /// Its costs were committed before format 4, and by its rule ([`charges::before_4`]).
    pub(crate) old_costs: bool,
}

impl Head {
    /// What the message is counted as, by the rule by which its costs were committed.
    pub(crate) fn outcome(&self, events: &mut [Event], words: &Interner) -> Option<Outcome> {
        let mut outcome = fold::fold(events, self.horizon, words)?;
        if self.old_costs {
            outcome.charges = charges::before_4(events, outcome.segments, words);
        }
        Some(outcome)
    }
}

/// What the first event of a message is compared with.
const BEFORE_FIRST: Event = Event {
    id: 0,
    time_us: 0,
    submit_us: NO_TIME,
    facet: u32::MAX,
    price: 0,
    segments: 1,
    status: Status::Accepted,
    flags: 0,
};

/// Fingerprint of an event id: its first 48 bits, so that comparing fingerprints agrees with
/// comparing ids.
pub(crate) fn fingerprint(event_id: Id16) -> u64 {
    event_id.high() >> 16
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Seven bits a byte, the lowest first.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low(value) | 0x80);
        value >>= 7;
    }
    out.push(low(value));
}

const fn low(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// A difference of times: its first byte has the unit (milliseconds or microseconds) and six bits.
fn push_time(out: &mut Vec<u8>, delta_us: i64) {
    let millis = delta_us % 1000 == 0;
    let value = zigzag(if millis { delta_us / 1000 } else { delta_us });
    let first = (low(value) & 0x3f) << 1 | u8::from(millis);
    let rest = value >> 6;
    if rest == 0 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        push_varint(out, rest);
    }
}

/// Appends the body of a message.
pub(crate) fn encode(head: &Head, events: &[Event], out: &mut Vec<u8>) {
    let base = head.cohort_us.wrapping_sub(EPOCH_US);
    let wide = !NARROW.contains(&base);
    let set = |flag: u8, on: bool| if on { flag } else { 0 };
    out.extend_from_slice(&head.key.0);
    out.push(
        set(HORIZON, head.horizon)
            | set(OPEN, head.open)
            | set(DIRTY, head.dirty)
            | set(DUPLICATES, head.duplicates > 0)
            | set(WIDE, wide)
            | set(OLD_COSTS, head.old_costs),
    );
    out.extend_from_slice(&base.to_le_bytes()[..if wide { 8 } else { 6 }]);
    if head.duplicates > 0 {
        push_varint(out, u64::from(head.duplicates));
    }
    let mut before = BEFORE_FIRST;
    for event in events {
        encode_event(event, &before, head.cohort_us, out);
        before = *event;
    }
}

fn encode_event(event: &Event, before: &Event, base_us: i64, out: &mut Vec<u8>) {
    let set = |flag: u8, on: bool| if on { flag } else { 0 };
    let differs = set(SAME_FACET, event.facet == before.facet)
        | set(SAME_PRICE, event.price == before.price)
        | set(SAME_SEGMENTS, event.segments == before.segments)
        | set(SAME_SUBMIT, event.submit_us == before.submit_us)
        | set(NO_SUBMIT, event.submit_us == NO_TIME);
    let all = SAME_FACET | SAME_PRICE | SAME_SEGMENTS | SAME_SUBMIT;
    let same = differs & all == all;
    out.extend_from_slice(&event.id.to_le_bytes()[..6]);
    let what = match event.flags & (FLAG_LINE | FLAG_BILLED) {
        0 => event.status.index(),
        FLAG_LINE => LINE,
        _ => BILLED,
    };
    out.push(what | (event.flags & 7) << 4 | set(SAME, same));
    if !same {
        out.push(differs);
    }
    push_time(out, event.time_us.wrapping_sub(base_us));
    if same {
        return;
    }
    if differs & SAME_FACET == 0 {
        push_varint(out, u64::from(event.facet));
    }
    if differs & SAME_PRICE == 0 {
        push_varint(out, u64::from(event.price));
    }
    if differs & SAME_SEGMENTS == 0 {
        push_varint(out, u64::from(event.segments));
    }
    if differs & (SAME_SUBMIT | NO_SUBMIT) == 0 {
        push_time(out, event.submit_us.wrapping_sub(base_us));
    }
}

/// Reads bytes from the front; `None` at the end.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn little(&mut self, n_bytes: usize) -> Option<[u8; 8]> {
        let (head, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        let mut bytes = [0; 8];
        bytes.get_mut(..n_bytes)?.copy_from_slice(head);
        Some(bytes)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    fn time(&mut self) -> Option<i64> {
        let first = self.byte()?;
        let mut value = u64::from(first >> 1 & 0x3f);
        if first >= 0x80 {
            value |= self.varint()? << 6;
        }
        let value = unzigzag(value);
        Some(if first & 1 == 1 { value.wrapping_mul(1000) } else { value })
    }

    fn head(&mut self) -> Option<Head> {
        let (key, rest) = self.0.split_at_checked(16)?;
        self.0 = rest;
        let flags = self.byte()?;
        let base = if flags & WIDE != 0 {
            i64::from_le_bytes(self.little(8)?)
        } else {
            // The two missing bytes repeat the sign.
            i64::from_le_bytes(self.little(6)?) << 16 >> 16
        };
        Some(Head {
            key: Id16::from_slice(key)?,
            cohort_us: base.wrapping_add(EPOCH_US),
            duplicates: if flags & DUPLICATES != 0 { self.small()? } else { 0 },
            horizon: flags & HORIZON != 0,
            open: flags & OPEN != 0,
            dirty: flags & DIRTY != 0,
            old_costs: flags & OLD_COSTS != 0,
        })
    }

    fn event(&mut self, before: &Event, base_us: i64) -> Option<Event> {
        let id = u64::from_le_bytes(self.little(6)?);
        let first = self.byte()?;
        let (status, line) = match first & 15 {
            LINE => (Status::Unknown, FLAG_LINE),
            BILLED => (Status::Unknown, FLAG_BILLED),
            status => (Status::from_index(status)?, 0),
        };
        let mut event = Event { id, status, flags: first >> 4 & 7 | line, ..*before };
        let differs = if first & SAME == 0 { self.byte()? } else { u8::MAX };
        event.time_us = base_us.wrapping_add(self.time()?);
        if differs & SAME_FACET == 0 {
            event.facet = self.small()?;
        }
        if differs & SAME_PRICE == 0 {
            event.price = self.small()?;
        }
        if differs & SAME_SEGMENTS == 0 {
            event.segments = u16::try_from(self.varint()?).ok()?;
        }
        if differs & SAME_SUBMIT == 0 {
            event.submit_us = match differs & NO_SUBMIT {
                0 => base_us.wrapping_add(self.time()?),
                _ => NO_TIME,
            };
        }
        Some(event)
    }
}

/// A body without its events. `None` where it is none.
pub(crate) fn head(body: &[u8]) -> Option<Head> {
    Cursor(body).head()
}

/// A body; its events replace those in `events`. `None` where it is none.
pub(crate) fn decode(body: &[u8], events: &mut Vec<Event>) -> Option<Head> {
    events.clear();
    let mut cursor = Cursor(body);
    let head = cursor.head()?;
    let mut before = BEFORE_FIRST;
    while !cursor.0.is_empty() {
        before = cursor.event(&before, head.cohort_us)?;
        events.push(before);
    }
    Some(head)
}

/// Whether a body is of a message that differs from what the runs have.
pub(crate) fn is_dirty(body: &[u8]) -> bool {
    body.get(FLAGS_AT).is_some_and(|flags| flags & DIRTY != 0)
}

/// Notes in a body that the runs are to have it.
pub(crate) fn clear_dirty(body: &mut [u8]) {
    if let Some(flags) = body.get_mut(FLAGS_AT) {
        *flags &= !DIRTY;
    }
}

/// First eight bytes of a body's key, as [`Id16::high`].
pub(crate) fn high(body: &[u8]) -> u64 {
    body.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// Appends a body with its length before it.
pub(crate) fn push_frame(out: &mut Vec<u8>, body: &[u8]) {
    push_varint(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// Where a frame lies: its start, its body, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) start: usize,
    pub(crate) body: usize,
    pub(crate) end: usize,
}

/// The frame at `start`; `None` at the end or where the bytes are no frame.
pub(crate) fn frame(bytes: &[u8], start: usize) -> Option<Frame> {
    let first = *bytes.get(start)?;
    if first < 0x80 {
        let end = start + 1 + usize::from(first);
        return (end <= bytes.len()).then_some(Frame { start, body: start + 1, end });
    }
    let mut cursor = Cursor(&bytes[start..]);
    let length = usize::try_from(cursor.varint()?).ok()?;
    let body = bytes.len() - cursor.0.len();
    let end = body.checked_add(length).filter(|end| *end <= bytes.len())?;
    Some(Frame { start, body, end })
}

/// All frames of some bytes.
pub(crate) fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame> + '_ {
    let mut next = 0;
    std::iter::from_fn(move || {
        let found = frame(bytes, next)?;
        next = found.end;
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        let times = prop_oneof![Just(EPOCH_US), EPOCH_US..EPOCH_US + 100_000_000, any::<i64>()];
        let submit = prop_oneof![Just(NO_TIME), EPOCH_US..EPOCH_US + 5_000, any::<i64>()];
        let small = (0_u32..3, prop_oneof![0_u32..3, any::<u32>()], 0_u16..3, 0_u8..11, 0_u8..24);
        (any::<u64>(), times, submit, small).prop_map(|(id, time_us, submit_us, small)| {
            let (facet, price, segments, status, flags) = small;
            // 0 to 7 of an event, with 8 or 16 of a line, which has no status.
            let status = Status::from_index(if flags > 7 { 10 } else { status }).unwrap();
            Event { id: id >> 16, time_us, submit_us, facet, price, segments, status, flags }
        })
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(
            events in prop::collection::vec(event(), 0..9),
            cohort_us in prop_oneof![EPOCH_US..EPOCH_US + 9_000_000, any::<i64>()],
            key in any::<[u8; 16]>(),
            duplicates in prop_oneof![Just(0), any::<u32>()],
            flags in any::<[bool; 4]>(),
        ) {
            let [horizon, open, dirty, old_costs] = flags;
            let key = Id16(key);
            let was = Head { key, cohort_us, duplicates, horizon, open, dirty, old_costs };
            let mut body = Vec::new();
            encode(&was, &events, &mut body);
            let mut again = Vec::new();
            prop_assert_eq!(decode(&body, &mut again), Some(was));
            prop_assert_eq!(again, events);
            prop_assert_eq!(head(&body), Some(was));
            prop_assert_eq!((is_dirty(&body), high(&body)), (dirty, key.high()));
            clear_dirty(&mut body);
            prop_assert_eq!(head(&body), Some(Head { dirty: false, ..was }));
        }

        #[test]
        fn bytes_that_are_no_message_are_no_message(
            body in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut events = Vec::new();
            if let Some(head) = decode(&body, &mut events) {
                let mut again = Vec::new();
                encode(&head, &events, &mut again);
                prop_assert_eq!(decode(&again, &mut Vec::new()), Some(head));
            }
        }
    }

    #[test]
    fn three_events_near_each_other_take_sixty_bytes() {
        let at = |seconds: i64| EPOCH_US + seconds * 1_000_000;
        let event = |id: u64, seconds| Event {
            id,
            time_us: at(seconds),
            submit_us: at(0),
            facet: 300,
            price: 40,
            segments: 1,
            status: Status::Delivered,
            flags: 3,
        };
        let key = Id16([9; 16]);
        let cohort_us = at(0);
        let (horizon, open, old_costs) = (false, false, false);
        let head = Head { key, cohort_us, duplicates: 0, horizon, open, dirty: true, old_costs };
        let mut body = Vec::new();
        encode(&head, &[event(1, 1), event(2, 5), event(3, 60)], &mut body);
        assert!(body.len() <= 60, "{}", body.len());
    }

    #[test]
    fn frames_are_found_whatever_their_length() {
        let mut bytes = Vec::new();
        for length in [0, 1, 127, 128, 20_000] {
            push_frame(&mut bytes, &vec![7; length]);
        }
        let lengths: Vec<usize> = frames(&bytes).map(|frame| frame.end - frame.body).collect();
        assert_eq!(lengths, [0, 1, 127, 128, 20_000]);
        assert_eq!(frame(&bytes[..10_000], bytes.len() - 20_003), None);
    }
}

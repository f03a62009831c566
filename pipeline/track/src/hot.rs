//! The messages of a slice that are in memory: bytes in small buckets, which split one by one.
//!
//! ```text
//! key ─► bucket  [ frame frame frame … ]     about 24 messages, 1.5 KB, no index beside it
//! 0 1 2 3 │ 4 5  ◄── linear hashing: bucket 2 is the next to split, into 2 and 6
//! ```
//! Nothing is ever doubled or moved as a whole, and a message costs its bytes, a length and a
//! thirtieth of what a bucket leaves unused.

use model::keys::Id16;

use crate::record::{self, Frame, frames, push_frame};

/// Messages a bucket: more save memory (24 bytes a bucket and half a step of [`STEP`]), fewer are
/// found faster.
const MESSAGES_A_BUCKET: usize = 24;
/// A bucket's memory grows by so many bytes.
const STEP: usize = 64;
/// What a bucket costs beside its bytes: its `Vec`, and the allocator's header.
const BUCKET_BYTES: usize = size_of::<Vec<u8>>() + 8;

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    bucket: usize,
    frame: Frame,
}

#[derive(Debug)]
pub(crate) struct Hot {
    buckets: Vec<Vec<u8>>,
    n_messages: usize,
    /// Capacity of all buckets.
    n_bytes: usize,
}

impl Default for Hot {
    fn default() -> Self {
        Self { buckets: vec![Vec::new()], n_messages: 0, n_bytes: 0 }
    }
}

/// The largest power of two that is not above.
const fn level(n_buckets: usize) -> usize {
    n_buckets.next_power_of_two() >> (!n_buckets.is_power_of_two()) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a hash: any bits of it do")]
const fn hash(high: u64) -> usize {
    high as usize
}

impl Hot {
    /// Messages held.
    pub(crate) const fn len(&self) -> usize {
        self.n_messages
    }

    /// Bytes of the table.
    pub(crate) const fn bytes(&self) -> usize {
        self.n_bytes + self.buckets.capacity() * BUCKET_BYTES
    }

    fn bucket_of(&self, high: u64) -> usize {
        let level = level(self.buckets.len());
        let wide = hash(high) & (2 * level - 1);
        if wide < self.buckets.len() { wide } else { wide & (level - 1) }
    }

    /// Finds a message by the head of its key, and by its key where one is given.
    pub(crate) fn find(&self, high: u64, key: Option<Id16>) -> Option<Place> {
        let bucket = self.bucket_of(high);
        let bytes = &self.buckets[bucket];
        let same = |frame: &Frame| {
            let body = &bytes[frame.body..frame.end];
            record::high(body) == high && key.is_none_or(|key| body.starts_with(&key.0))
        };
        frames(bytes).find(same).map(|frame| Place { bucket, frame })
    }

    /// Body of a message.
    pub(crate) fn body(&self, place: Place) -> &[u8] {
        &self.buckets[place.bucket][place.frame.body..place.frame.end]
    }

    /// Puts a body in, in the place of the one that is there.
    pub(crate) fn put(&mut self, place: Option<Place>, body: &[u8]) {
        let Some(Place { bucket, frame }) = place else {
            let bucket = self.bucket_of(record::high(body));
            self.append(bucket, body);
            self.n_messages += 1;
            if self.n_messages > self.buckets.len() * MESSAGES_A_BUCKET {
                self.split();
            }
            return;
        };
        let bytes = &mut self.buckets[bucket];
        if frame.end - frame.body == body.len() {
            bytes[frame.body..frame.end].copy_from_slice(body);
            return;
        }
        bytes.drain(frame.start..frame.end);
        self.append(bucket, body);
    }

    fn append(&mut self, bucket: usize, body: &[u8]) {
        let bytes = &mut self.buckets[bucket];
        let was = bytes.capacity();
        // A length takes one byte up to 127, three up to two million.
        let wanted = bytes.len() + body.len() + if body.len() < 128 { 1 } else { 5 };
        if wanted > was {
            bytes.reserve_exact(wanted.next_multiple_of(STEP) - bytes.len());
        }
        push_frame(bytes, body);
        self.n_bytes += bytes.capacity() - was;
    }

    /// Makes one more bucket, out of the next in turn.
    fn split(&mut self) {
        let level = level(self.buckets.len());
        let from = self.buckets.len() - level;
        let goes = |body: &[u8]| hash(record::high(body)) & level != 0;
        let whole = std::mem::take(&mut self.buckets[from]);
        self.n_bytes -= whole.capacity();
        let total = |leaves: bool| {
            let sizes = frames(&whole)
                .filter(|frame| goes(&whole[frame.body..frame.end]) == leaves)
                .map(|frame| frame.end - frame.start);
            sizes.sum::<usize>().next_multiple_of(STEP)
        };
        let mut parts = [false, true].map(|leaves| Vec::with_capacity(total(leaves)));
        for frame in frames(&whole) {
            let leaves = goes(&whole[frame.body..frame.end]);
            parts[usize::from(leaves)].extend_from_slice(&whole[frame.start..frame.end]);
        }
        let [stay, leave] = parts;
        self.n_bytes += stay.capacity() + leave.capacity();
        self.buckets[from] = stay;
        self.buckets.push(leave);
    }

    /// All bodies.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.buckets
            .iter()
            .flat_map(|bytes| frames(bytes).map(move |frame| &bytes[frame.body..frame.end]))
    }

    /// Shows each body that differs from the runs, and notes that it does not any more.
    pub(crate) fn take_dirty(&mut self, mut each: impl FnMut(&[u8])) {
        for bytes in &mut self.buckets {
            let mut next = 0;
            while let Some(frame) = record::frame(bytes, next) {
                let body = &mut bytes[frame.body..frame.end];
                if record::is_dirty(body) {
                    record::clear_dirty(body);
                    each(body);
                }
                next = frame.end;
            }
        }
    }

    /// Drops the messages whose body is not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        for bytes in &mut self.buckets {
            let dropped =
                frames(bytes).filter(|frame| !keep(&bytes[frame.body..frame.end])).count();
            if dropped == 0 {
                continue;
            }
            let mut kept = Vec::new();
            for frame in frames(bytes).filter(|frame| keep(&bytes[frame.body..frame.end])) {
                kept.extend_from_slice(&bytes[frame.start..frame.end]);
            }
            let room = kept.len().next_multiple_of(STEP);
            kept.shrink_to(room);
            self.n_bytes = self.n_bytes + kept.capacity() - bytes.capacity();
            self.n_messages -= dropped;
            *bytes = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn body(key: u64, length: usize) -> Vec<u8> {
        let mut body = key.to_be_bytes().to_vec();
        body.extend_from_slice(&[0; 9]);
        body.resize(17 + length, 1);
        body
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_not_dropped(
            puts in prop::collection::vec((0_u64..400, 0_usize..300), 1..900),
            dropped in 0_u64..400,
        ) {
            let mut hot = Hot::default();
            let mut wanted = BTreeMap::new();
            let spread = |key: u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            for (key, length) in puts {
                let key = spread(key);
                let body = body(key, length);
                hot.put(hot.find(key, None), &body);
                wanted.insert(key, body);
            }
            let gone = |body: &[u8]| record::high(body) % 400 < dropped;
            hot.retain(|body| !gone(body));
            wanted.retain(|_, body| !gone(body));
            prop_assert_eq!(hot.len(), wanted.len());
            for (key, body) in &wanted {
                let id = Id16::from_slice(&body[..16]);
                let place = hot.find(*key, id).unwrap();
                prop_assert_eq!(hot.body(place), &body[..]);
            }
            prop_assert_eq!(hot.bodies().count(), wanted.len());
            let capacity: usize = hot.buckets.iter().map(Vec::capacity).sum();
            prop_assert_eq!(hot.n_bytes, capacity);
        }
    }

    #[test]
    fn it_grows_by_one_bucket_at_a_time() {
        let mut hot = Hot::default();
        for key in 0..10_000_u64 {
            let was = hot.buckets.len();
            hot.put(None, &body(key.wrapping_mul(0x9E37_79B9_7F4A_7C15), 40));
            assert!(hot.buckets.len() - was <= 1);
        }
        assert!(hot.buckets.len() >= 10_000 / MESSAGES_A_BUCKET);
        let longest = hot.buckets.iter().map(|bytes| frames(bytes).count()).max();
        assert!(longest < Some(MESSAGES_A_BUCKET * 5), "{longest:?}");
    }
}

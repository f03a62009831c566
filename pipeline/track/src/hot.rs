//! The messages of a slice that are in memory: bytes in small buckets, which split one by one.
//!
//! ```text
//! key ─► bucket  [ tags │ body body body … ]     about 24 messages, 1.5 KB, no index beside it
//! 0 1 2 3 │ 4 5  ◄── linear hashing: bucket 2 is the next to split, into 2 and 6
//! ```
//! Nothing is ever doubled or moved as a whole, and a message costs its bytes, two before them, and
//! a twenty-fourth of what a bucket costs.

use model::keys::Id16;

use crate::bucket::{Bucket, Spot};
use crate::record;

/// Messages a bucket: more save memory, fewer are found faster.
const MESSAGES_A_BUCKET: usize = 24;
/// What a bucket costs beside its bytes: its `Vec`, and the allocator's header.
const BUCKET_BYTES: usize = size_of::<Bucket>() + 8;

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    bucket: usize,
    spot: Spot,
}

#[derive(Debug)]
pub(crate) struct Hot {
    buckets: Vec<Bucket>,
    /// By bucket: has a message that differs from the runs, so that the others need not be read.
    changed: Vec<bool>,
    n_messages: usize,
    /// Capacity of all buckets.
    n_bytes: usize,
}

impl Default for Hot {
    fn default() -> Self {
        Self { buckets: vec![Bucket::default()], changed: vec![false], n_messages: 0, n_bytes: 0 }
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
        self.n_bytes + self.buckets.capacity() * BUCKET_BYTES + self.changed.capacity()
    }

    fn bucket_of(&self, high: u64) -> usize {
        let level = level(self.buckets.len());
        let wide = hash(high) & (2 * level - 1);
        if wide < self.buckets.len() { wide } else { wide & (level - 1) }
    }

    /// Finds a message by the head of its key, and by its key where one is given.
    pub(crate) fn find(&self, high: u64, key: Option<Id16>) -> Option<Place> {
        let bucket = self.bucket_of(high);
        let is_it = |body: &[u8]| key.is_none_or(|key| body.starts_with(&key.0));
        let spot = self.buckets[bucket].find(high, is_it)?;
        Some(Place { bucket, spot })
    }

    /// Body of a message.
    pub(crate) fn body(&self, place: Place) -> &[u8] {
        self.buckets[place.bucket].body(place.spot)
    }

    /// Puts a body in, in the place of the one that is there.
    pub(crate) fn put(&mut self, place: Option<Place>, body: &[u8]) {
        let at = place.map_or_else(|| self.bucket_of(record::high(body)), |place| place.bucket);
        let bucket = &mut self.buckets[at];
        let was = bucket.capacity();
        match place {
            Some(place) => bucket.replace(place.spot, body),
            None => bucket.push(body),
        }
        self.n_bytes += bucket.capacity() - was;
        self.changed[at] |= record::is_dirty(body);
        if place.is_none() {
            self.n_messages += 1;
            if self.n_messages > self.buckets.len() * MESSAGES_A_BUCKET {
                self.split();
            }
        }
    }

    /// Makes one more bucket, out of the next in turn.
    fn split(&mut self) {
        let level = level(self.buckets.len());
        let from = self.buckets.len() - level;
        let leaves = |body: &&[u8]| hash(record::high(body)) & level != 0;
        let whole = &self.buckets[from];
        let stay = collected(whole, |body| !leaves(&body));
        let leave = collected(whole, |body| leaves(&body));
        self.n_bytes = self.n_bytes + stay.capacity() + leave.capacity() - whole.capacity();
        self.buckets[from] = stay;
        self.buckets.push(leave);
        self.changed.push(self.changed[from]);
    }

    /// All bodies.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.buckets.iter().flat_map(Bucket::bodies)
    }

    /// Shows each body that differs from the runs, and notes that it does not any more.
    pub(crate) fn take_dirty(&mut self, mut each: impl FnMut(&[u8])) {
        for (bucket, changed) in self.buckets.iter_mut().zip(&mut self.changed) {
            if std::mem::take(changed) {
                bucket.each_mut(|body| {
                    if record::is_dirty(body) {
                        record::clear_dirty(body);
                        each(body);
                    }
                });
            }
        }
    }

    /// Drops the messages whose body is not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        for bucket in &mut self.buckets {
            let n_dropped = bucket.bodies().filter(|body| !keep(body)).count();
            if n_dropped > 0 {
                let kept = collected(bucket, &keep);
                self.n_bytes = self.n_bytes + kept.capacity() - bucket.capacity();
                self.n_messages -= n_dropped;
                *bucket = kept;
            }
        }
    }
}

/// The bodies of a bucket that are to be kept, in one of their own.
fn collected(bucket: &Bucket, keep: impl Fn(&[u8]) -> bool) -> Bucket {
    let kept = || bucket.bodies().filter(|body| keep(body));
    let mut own = Bucket::with_room(kept());
    kept().for_each(|body| own.push(body));
    own
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
            let capacity: usize = hot.buckets.iter().map(Bucket::capacity).sum();
            prop_assert_eq!(hot.n_bytes, capacity);
        }
    }

    #[test]
    fn what_changed_is_shown_once_wherever_it_went_meanwhile() {
        let mut hot = Hot::default();
        let mut wanted = 0;
        for key in 0..3_000_u64 {
            let mut body = body(key.wrapping_mul(0x9E37_79B9_7F4A_7C15), 40);
            if key.is_multiple_of(5) {
                body[16] = 4;
                assert!(record::is_dirty(&body));
                wanted += 1;
            }
            hot.put(None, &body);
        }
        let mut shown = Vec::new();
        hot.take_dirty(|body| shown.push(record::high(body)));
        assert_eq!(shown.len(), wanted);
        hot.take_dirty(|_| panic!("shown twice"));
        let place = hot.find(shown[0], None);
        let mut again = hot.body(place.unwrap()).to_vec();
        again[16] = 4;
        hot.put(place, &again);
        let mut n_shown = 0;
        hot.take_dirty(|_| n_shown += 1);
        assert_eq!(n_shown, 1);
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
        let longest = hot.buckets.iter().map(|bucket| bucket.bodies().count()).max();
        assert!(longest < Some(MESSAGES_A_BUCKET * 5), "{longest:?}");
    }
}

//! Some messages in one piece of memory, found without reading those that are others.
//!
//! ```text
//! n 4 │ tag, length │ tag, length │ … │ body │ body │ …
//! ```
//! A tag is eight bits of the key: among two dozen messages one lookup in ten reads a body that is
//! not the one, all else is one or two cache lines of tags.

use crate::record;

/// Bytes of the count.
const COUNT: usize = 4;
/// Bytes before the bodies, a message.
const ENTRY: usize = 2;
/// In place of a length: it does not fit and is the body's first four bytes.
const LONG: u8 = u8::MAX;
/// Memory grows by so many bytes: what an allocator hands out anyway.
const STEP: usize = 16;

/// Where a message lies in its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    number: usize,
    /// With the four bytes of a long one's length.
    stored: usize,
    start: usize,
    end: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Bucket(Vec<u8>);

const fn tag(high: u64) -> u8 {
    (high >> 56) as u8
}

impl Bucket {
    /// With room for these bodies.
    pub(crate) fn with_room<'a>(bodies: impl Iterator<Item = &'a [u8]>) -> Self {
        let total: usize = bodies.map(|body| ENTRY + stored_length(body)).sum();
        Self(Vec::with_capacity((COUNT + total).next_multiple_of(STEP)))
    }

    /// Bytes of its memory.
    pub(crate) const fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn count(&self) -> usize {
        self.0.first_chunk().map_or(0, |count| u32::from_le_bytes(*count) as usize)
    }

    fn set_count(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.0[..COUNT].copy_from_slice(&count.to_le_bytes());
    }

    /// Tags, and where each body lies.
    fn spots(&self) -> impl Iterator<Item = (u8, Spot)> + '_ {
        let entries = COUNT + self.count() * ENTRY;
        let mut next = entries;
        let (entries, _) = self.0.get(COUNT..entries).unwrap_or_default().as_chunks::<ENTRY>();
        entries.iter().enumerate().map(move |(number, [tag, length])| {
            let stored = next;
            let (start, end) = if *length == LONG {
                let length =
                    self.0[stored..].first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
                (stored + 4, stored + 4 + length as usize)
            } else {
                (stored, stored + usize::from(*length))
            };
            next = end;
            (*tag, Spot { number, stored, start, end })
        })
    }

    /// Finds the body that begins with this head of a key and is the one.
    pub(crate) fn find(&self, high: u64, is_it: impl Fn(&[u8]) -> bool) -> Option<Spot> {
        let wanted = tag(high);
        let same = |spot: &Spot| {
            let body = self.body(*spot);
            record::high(body) == high && is_it(body)
        };
        self.spots().filter(|(tag, _)| *tag == wanted).map(|(_, spot)| spot).find(same)
    }

    /// The body at a spot.
    pub(crate) fn body(&self, spot: Spot) -> &[u8] {
        &self.0[spot.start..spot.end]
    }

    /// All bodies.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.spots().map(|(_, spot)| self.body(spot))
    }

    /// Shows all bodies, to be changed in place.
    pub(crate) fn each_mut(&mut self, mut each: impl FnMut(&mut [u8])) {
        let spots: Vec<Spot> = self.spots().map(|(_, spot)| spot).collect();
        for spot in spots {
            each(&mut self.0[spot.start..spot.end]);
        }
    }

    /// Adds a body.
    pub(crate) fn push(&mut self, body: &[u8]) {
        let count = self.count();
        let was = self.0.len();
        let more = ENTRY + stored_length(body) + if was == 0 { COUNT } else { 0 };
        self.reserve(more);
        if was == 0 {
            self.0.extend_from_slice(&[0; COUNT]);
        }
        let at = COUNT + count * ENTRY;
        let bodies_end = self.0.len();
        self.0.extend_from_slice(&[0; ENTRY]);
        self.0.copy_within(at..bodies_end, at + ENTRY);
        let length = u8::try_from(body.len()).unwrap_or(LONG);
        self.0[at..at + ENTRY].copy_from_slice(&[tag(record::high(body)), length]);
        if length == LONG {
            let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
            self.0.extend_from_slice(&length.to_le_bytes());
        }
        self.0.extend_from_slice(body);
        self.set_count(count + 1);
    }

    /// Puts a body in the place of another of the same message.
    pub(crate) fn replace(&mut self, spot: Spot, body: &[u8]) {
        let (was, is) = (spot.end - spot.start, body.len());
        let long = usize::from(LONG);
        if was >= long || is >= long {
            return self.push_again(spot, body);
        }
        let end = self.0.len();
        if is > was {
            self.reserve(is - was);
            self.0.resize(end + is - was, 0);
        }
        self.0.copy_within(spot.end..end, spot.start + is);
        self.0.truncate(end + is - was);
        self.0[spot.start..spot.start + is].copy_from_slice(body);
        self.0[COUNT + spot.number * ENTRY + 1] = u8::try_from(is).unwrap_or(LONG);
    }

    fn push_again(&mut self, spot: Spot, body: &[u8]) {
        let count = self.count();
        self.0.drain(spot.stored..spot.end);
        let entry = COUNT + spot.number * ENTRY;
        self.0.drain(entry..entry + ENTRY);
        self.set_count(count - 1);
        self.push(body);
    }

    fn reserve(&mut self, more: usize) {
        let was = self.0.len();
        if was + more > self.0.capacity() {
            self.0.reserve_exact((was + more).next_multiple_of(STEP) - was);
        }
    }
}

const fn stored_length(body: &[u8]) -> usize {
    body.len() + if body.len() >= LONG as usize { 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bodies_of_any_length_stay_what_they_were(
            puts in prop::collection::vec((0_u64..12, 17_usize..700), 0..60),
        ) {
            let mut bucket = Bucket::default();
            let mut wanted = std::collections::BTreeMap::new();
            // Four tags for twelve keys.
            let high = |key: u64| (key % 4) << 56 | key;
            for (key, length) in puts {
                let mut body = high(key).to_be_bytes().to_vec();
                body.resize(length, u8::try_from(length % 251).unwrap());
                match bucket.find(high(key), |_| true) {
                    Some(spot) => bucket.replace(spot, &body),
                    None => bucket.push(&body),
                }
                wanted.insert(key, body);
            }
            prop_assert_eq!(bucket.bodies().count(), wanted.len());
            for key in 0..12 {
                let found = bucket.find(high(key), |_| true).map(|spot| bucket.body(spot));
                prop_assert_eq!(found, wanted.get(&key).map(Vec::as_slice));
            }
            prop_assert_eq!(bucket.find(high(3), |_| false), None);
        }
    }
}

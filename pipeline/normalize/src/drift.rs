//! Fields that no adapter knows: ignored, counted, the first of them named.
//!
//! An adapter's `match` on keys reads what it uses; what falls through to its default arm comes
//! here. There it is either in the module's `DOCUMENTED` list (the vendor describes it and no
//! column needs it) or it is new. A new field costs an increment, and one lookup while its source
//! has fewer than [`NAMED_MAX`] names.
//!
//! A field's name is the last two steps of its path (`price.surcharge`). A map's key can be a
//! person's number, address or text, so a name is kept only of a record without damage and where it
//! looks like one: few characters, no space, `@` in front or nowhere, no more than [`DIGITS_MAX`]
//! digits; every other field is in the source's count alone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use model::vocabulary::Source;

/// Distinct names kept for a source: a vendor's release adds a handful.
pub(crate) const NAMED_MAX: usize = 32;
/// Longest step of a name; the longest documented one has 37 characters.
const STEP_BYTES_MAX: usize = 48;
/// Most digits of a name: with five it may be a part of somebody's number.
const DIGITS_MAX: usize = 4;

const SOURCES: usize = Source::ALL.len();

/// What is known of one source's new fields, cumulative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownFields {
    /// All of them, occurrence by occurrence.
    pub total: u64,
    /// Occurrences by name, at most [`NAMED_MAX`]; the rest of `total` has no name.
    pub named: BTreeMap<String, u64>,
}

/// What came since it was asked for before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DriftNews {
    /// Unknown fields by source, occurrence by occurrence.
    pub(crate) counts: Vec<(Source, u64)>,
    /// Names that this normalizer met for the first time.
    pub(crate) first_seen: Vec<(Source, String)>,
}

/// Counts of one normalizer, shared by the readers of a record.
#[derive(Debug)]
pub(crate) struct Drift {
    source: Cell<usize>,
    totals: [Cell<u64>; SOURCES],
    named: [RefCell<Vec<Named>>; SOURCES],
    /// Names of the record that is read, until it is known to be good.
    fresh: RefCell<Vec<Named>>,
    /// Of `totals`, what was told by [`Drift::news`].
    told: [Cell<u64>; SOURCES],
    /// There is something to tell.
    is_news: Cell<bool>,
    /// Nothing is counted: a text is only tried. Whether a new field was met.
    trial: Cell<Option<bool>>,
    /// Bytes that lists of the document take which is read.
    pub(crate) held: Cell<usize>,
    /// Names since they were told.
    first_seen: RefCell<Vec<(Source, String)>>,
}

#[derive(Debug)]
struct Named {
    hash: u64,
    name: String,
    count: u64,
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            source: Cell::new(0),
            totals: std::array::from_fn(|_| Cell::new(0)),
            named: std::array::from_fn(|_| RefCell::default()),
            fresh: RefCell::default(),
            told: std::array::from_fn(|_| Cell::new(0)),
            is_news: Cell::new(false),
            trial: Cell::new(None),
            held: Cell::new(0),
            first_seen: RefCell::default(),
        }
    }
}

impl Drift {
    /// What follows is a record of this source.
    pub(crate) fn begin(&self, source: Source) {
        self.source.set(source as usize);
        self.fresh.borrow_mut().clear();
    }

    /// The record is read. In one with damage any text may stand where a name should: its new names
    /// are counted and not kept.
    pub(crate) fn end(&self, is_good: bool) {
        let mut fresh = self.fresh.borrow_mut();
        let source = self.source.get();
        if let (true, Some(named)) = (is_good && !fresh.is_empty(), self.named.get(source)) {
            let name = |one: &Named| Some((*Source::ALL.get(source)?, one.name.clone()));
            self.first_seen.borrow_mut().extend(fresh.iter().filter_map(name));
            named.borrow_mut().append(&mut fresh);
        }
        fresh.clear();
    }

    /// Reads a text that may turn out to be another; gives nothing where it holds a new field,
    /// which nobody has counted.
    pub(crate) fn try_read<T>(&self, read: impl FnOnce() -> Option<T>) -> Option<T> {
        self.trial.set(Some(false));
        let read = read();
        let has_new = self.trial.take() == Some(true);
        read.filter(|_| !has_new)
    }

    /// A field that no adapter uses, below the key of the object that holds it (or nothing).
    #[inline]
    pub(crate) fn other(&self, parent: &str, key: &str) {
        let source = self.source.get();
        if DOCUMENTED.get(source).is_some_and(|known| known.holds(key)) {
            return;
        }
        self.unknown(source, parent, key);
    }

    #[cold]
    fn unknown(&self, source: usize, parent: &str, key: &str) {
        if self.trial.get().is_some() {
            self.trial.set(Some(true));
            return;
        }
        let (Some(total), Some(named)) = (self.totals.get(source), self.named.get(source)) else {
            return;
        };
        total.set(total.get() + 1);
        self.is_news.set(true);
        let (mut named, mut fresh) = (named.borrow_mut(), self.fresh.borrow_mut());
        let hash = hash(key).wrapping_mul(31).wrapping_add(hash(parent));
        let mut known = named.iter_mut().chain(fresh.iter_mut());
        if let Some(known) = known.find(|known| known.hash == hash) {
            known.count += 1;
            return;
        }
        if named.len() + fresh.len() >= NAMED_MAX
            || !is_name(key)
            || digits(parent) + digits(key) > DIGITS_MAX
        {
            return;
        }
        let name = match is_name(parent) {
            true => format!("{parent}.{key}"),
            false => key.to_owned(),
        };
        fresh.push(Named { hash, name, count: 1 });
    }

    /// What came since this was asked before.
    pub(crate) fn news(&self) -> DriftNews {
        if !self.is_news.replace(false) {
            return DriftNews::default();
        }
        let mut counts = Vec::new();
        for (source, (total, told)) in Source::ALL.iter().zip(self.totals.iter().zip(&self.told)) {
            let since = total.get() - told.replace(total.get());
            if since > 0 {
                counts.push((*source, since));
            }
        }
        DriftNews { counts, first_seen: self.first_seen.take() }
    }

    /// What is known by now, without the sources that have none.
    pub(crate) fn counts(&self) -> BTreeMap<Source, UnknownFields> {
        let mut counts = BTreeMap::new();
        for (source, (total, named)) in
            Source::ALL.iter().zip(self.totals.iter().zip(self.named.iter()))
        {
            if total.get() == 0 {
                continue;
            }
            let mut unknown = UnknownFields { total: total.get(), named: BTreeMap::new() };
            for known in named.borrow().iter() {
                *unknown.named.entry(known.name.clone()).or_default() += known.count;
            }
            counts.insert(*source, unknown);
        }
        counts
    }
}

fn digits(step: &str) -> usize {
    step.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether it looks like a field's name and not like a value that was used as a key.
fn is_name(step: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let rest = step.strip_prefix('@').unwrap_or(step);
    !rest.is_empty() && step.len() <= STEP_BYTES_MAX && rest.bytes().all(is_plain)
}

/// A step as it may be shown: itself, or `#` where it may be somebody's number or text.
pub(crate) fn shown(step: &str) -> &str {
    // Forms have names as `price[amount]`.
    let within = step.strip_suffix(']').and_then(|step| step.split_once('['));
    let is_named = within.map_or(is_name(step), |(name, inner)| is_name(name) && is_name(inner));
    if is_named && digits(step) <= DIGITS_MAX { step } else { "#" }
}

#[inline]
fn hash(text: &str) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(ODD);
        mixed ^ mixed >> 32
    };
    let (bytes, length) = (text.as_bytes(), text.len() as u64);
    // What is left behind the last whole word is read with bytes before it: no loop, no copy.
    if let Some(last) = bytes.last_chunk() {
        let words = bytes.as_chunks().0.iter().chain([last]);
        return words.fold(length, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    }
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
            mix(length, half(first) << 32 | half(last))
        }
        _ => mix(length, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
    }
}

/// A set of names in an open table that is at most half full.
#[derive(Debug)]
struct Names {
    slots: Vec<&'static str>,
}

impl Names {
    fn new(names: &[&'static str]) -> Self {
        let mut slots = vec![""; (names.len() * 2 + 1).next_power_of_two()];
        let mask = slots.len() - 1;
        for name in names {
            let mut at = Self::start(name, mask);
            while slots.get(at).is_some_and(|slot| !slot.is_empty()) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = name;
            }
        }
        Self { slots }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the mask keeps fewer bits")]
    fn start(name: &str, mask: usize) -> usize {
        hash(name) as usize & mask
    }

    #[inline]
    fn holds(&self, name: &str) -> bool {
        let mask = self.slots.len() - 1;
        let mut at = Self::start(name, mask);
        loop {
            match self.slots.get(at) {
                Some(&"") => return false,
                Some(slot) if *slot == name => return true,
                Some(_) => at = (at + 1) & mask,
                None => return false,
            }
        }
    }
}

static DOCUMENTED: LazyLock<[Names; SOURCES]> = LazyLock::new(|| {
    std::array::from_fn(|at| {
        let source = Source::ALL.get(at);
        let around = source.map_or(&[][..], |source| envelope(*source));
        Names::new(&[source.map_or(&[][..], |source| documented(*source)), around].concat())
    })
});

/// Fields that a vendor documents and no column needs.
pub(crate) const fn documented(source: Source) -> &'static [&'static str] {
    crate::catalogue::of(source).documented
}

/// The same of what stands around a vendor's events.
const fn envelope(source: Source) -> &'static [&'static str] {
    match source {
        Source::AwsEum | Source::AwsPinpoint | Source::AwsSns => crate::aws::ENVELOPE_FIELDS,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_five_digits_or_of_odd_characters_is_counted_and_not_told() {
        let drift = Drift::default();
        drift.begin(Source::Infobip);
        for (parent, key) in [
            ("", "447700900143"),
            ("to44770", "a"),
            ("t123", "k45"),
            ("", "ada@example.com/x"),
            ("", "ada@example.com"),
            ("", "see you at noon"),
            ("", "@"),
            ("ada@example.com", "seen"),
            ("", "@type"),
            ("", "é"),
            ("", &"k".repeat(49)),
            ("", "v2"),
            ("results", "v2"),
        ] {
            drift.other(parent, key);
        }
        drift.end(true);
        let counts = drift.counts().remove(&Source::Infobip).unwrap_or_default();
        assert_eq!(counts.total, 13);
        let names: Vec<_> = counts.named.into_keys().collect();
        assert_eq!(names, ["@type", "results.v2", "seen", "v2"]);
    }

    #[test]
    fn names_of_a_damaged_record_are_counted_and_not_kept() {
        let drift = Drift::default();
        for (is_good, key) in [(false, "what-somebody-wrote"), (true, "surcharge")] {
            drift.begin(Source::Infobip);
            drift.other("", key);
            drift.end(is_good);
        }
        let news = drift.news();
        assert_eq!(news.counts, [(Source::Infobip, 2)]);
        assert_eq!(news.first_seen, [(Source::Infobip, "surcharge".to_owned())]);
    }

    #[test]
    fn a_text_that_is_only_tried_counts_nothing_and_a_new_field_in_it_is_told() {
        let drift = Drift::default();
        drift.begin(Source::AzureAcs);
        let read = |key| {
            drift.try_read(|| {
                drift.other("", key);
                Some(key)
            })
        };
        assert_eq!((read("dataVersion"), read("surcharge")), (Some("dataVersion"), None));
        assert!(drift.counts().is_empty());
        drift.other("", "surcharge");
        assert_eq!(drift.counts()[&Source::AzureAcs].total, 1);
    }

    #[test]
    fn names_are_bounded_and_the_total_is_exact() {
        let drift = Drift::default();
        drift.begin(Source::Braze);
        for letter in 'a'..='z' {
            for second in 'a'..='z' {
                drift.other("", &format!("{letter}{second}_new"));
            }
        }
        drift.end(true);
        let counts = drift.counts().remove(&Source::Braze).unwrap_or_default();
        assert_eq!((counts.total, counts.named.len()), (26 * 26, NAMED_MAX));
        let news = drift.news();
        assert_eq!(news.counts, [(Source::Braze, 26 * 26)]);
        assert_eq!(news.first_seen.len(), NAMED_MAX);
        assert_eq!(drift.news(), DriftNews::default());
    }

    #[test]
    fn every_documented_name_is_found_in_its_table() {
        for (source, names) in Source::ALL.iter().zip(DOCUMENTED.iter()) {
            assert!(documented(*source).iter().all(|name| names.holds(name)), "{source}");
            assert!(!names.holds("no such field"), "{source}");
        }
    }
}

//! What a message costs, as a pure function of the set of its events and lines of bills.
//!
//! ```text
//! price of an event ─┐
//! line of a base kind┴─► base: what counts is the basis, then that it is not zero, then the time
//! line of a fee      ──► one charge a kind, by the same rule
//! ```
//! - A message's own price is per message or per segment, never both: units of one price.
//! - The price of an event holds the carrier's fee (DESIGN.md). A fee told beside it is taken out
//!   of the message's charge, so that its charges add up to the price. Where the fee is the larger
//!   of the two, it was not in it.
//! - A line that repeats an event's price (an estimate of it) stands for that price.
//! - Of a message's lines no more than [`LINES_MAX`] are kept: an RCS conversation is told with
//!   every message of it. Which are forgotten changes neither what stands of each kind nor the time
//!   and the dimensions of a message of which only lines are known, in whatever order they came.
//!   Beyond the bound a forgotten line that comes again is stored again, and an estimate that was
//!   forgotten no longer stands for the price of an event that comes later, nor does one for the
//!   price of a known event where more than the bound do.

use model::vocabulary::{Basis, ChargeKind};

use crate::facet::{Interner, Price, TextId};
use crate::fold::{self, Event};

/// Lines kept of one message: with each of them what it costs is made anew from all.
pub(crate) const LINES_MAX: usize = 256;

/// A charge of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Kind.
    pub kind: ChargeKind,
    /// Basis.
    pub basis: Basis,
    /// Units.
    pub quantity: u32,
    /// Price of a unit, nano units; none where the vendor tells none.
    pub unit_price_nanos: Option<i128>,
    /// Currency.
    pub currency: TextId,
    /// The vendor's price list entry.
    pub sku: TextId,
}

impl Charge {
    /// Quantity times unit price, nano units.
    #[must_use]
    pub fn amount_nanos(&self) -> Option<i128> {
        Some(self.unit_price_nanos?.saturating_mul(i128::from(self.quantity)))
    }
}

/// All charges of a message. Most have the first or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charges {
    /// Of the message itself, or of its segments.
    pub base: Option<Charge>,
    /// One a kind, by kind.
    pub fees: Vec<Charge>,
    /// Zeros in no currency are in windows too.
    pub zeros: bool,
}

impl Charges {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Charge> {
        self.base.iter().chain(&self.fees)
    }
}

/// What is said of one kind of charge, and where.
#[derive(Clone, Copy)]
struct Said<'a> {
    event: &'a Event,
    price: &'a Price,
}

impl Said<'_> {
    /// The greatest counts.
    fn weight(&self) -> (Basis, bool, i64, bool, u64) {
        let is_told = self.price.nanos.is_some_and(|nanos| nanos != 0);
        let Event { time_us, id, .. } = *self.event;
        (self.price.basis, is_told, time_us, self.event.is_line(), id)
    }

    /// Another line says the same as this event's price.
    fn is_repeated(&self, lines: &[Event], words: &Interner) -> bool {
        self.repeated_at(lines, words).is_some()
    }

    /// The first line that does.
    fn repeated_at(&self, lines: &[Event], words: &Interner) -> Option<usize> {
        lines.iter().position(|line| {
            line.time_us == self.event.time_us
                && words.price_of(line.price).is_some_and(|said| {
                    said.kind == self.price.kind && said.nanos == self.price.nanos
                })
        })
    }
}

/// The charges of a message: of its events, of its lines. `segments` is the largest number of parts
/// that an event tells.
pub(crate) fn of(told: &[Event], lines: &[Event], segments: u16, words: &Interner) -> Charges {
    let said = |event| Some(Said { event, price: words.price_of(event.price)? });
    let prices = told.iter().filter_map(said).filter(|said| !said.is_repeated(lines, words));
    let lines = || lines.iter().filter_map(said);
    let base_lines = lines().filter(|said| said.price.kind.is_base());
    let base = prices.chain(base_lines).max_by_key(Said::weight);
    let mut fees: Vec<Said<'_>> = Vec::new();
    for said in lines().filter(|said| !said.price.kind.is_base()) {
        match fees.iter_mut().find(|known| known.price.kind == said.price.kind) {
            Some(known) if said.weight() > known.weight() => *known = said,
            Some(_) => {}
            None => fees.push(said),
        }
    }
    fees.sort_unstable_by_key(|said| said.price.kind);
    let fees: Vec<Charge> = fees.iter().map(|said| charge(said, segments)).collect();
    let mut base_charge = base.as_ref().map(|said| charge(said, segments));
    if let (Some(said), Some(own)) = (base, &mut base_charge)
        && !said.event.is_line()
    {
        take_out(own, &fees);
    }
    Charges { base: base_charge, fees, zeros: false }
}

/// The charges that were committed before format 4: the price of the message and that of its
/// segments, both, and zeros in no currency in windows.
pub(crate) fn before_4(told: &[Event], segments: u16, words: &Interner) -> Charges {
    let said = |event| Some(Said { event, price: words.price_of(event.price)? });
    let latest = |kind: ChargeKind| {
        let of_kind = told.iter().filter_map(said).filter(|said| said.price.kind == kind);
        of_kind.max_by_key(Said::weight).map(|said| charge(&said, segments))
    };
    let fees = [ChargeKind::Message, ChargeKind::Segment].into_iter().filter_map(latest).collect();
    Charges { base: None, fees, zeros: true }
}

/// Of too many lines, in their order, the one to forget: the oldest that stands for nothing, not
/// even for the price of an event, and neither dates nor places the message.
pub(crate) fn to_forget(told: &[Event], lines: &[Event], words: &Interner) -> Option<usize> {
    let mut kept: Vec<usize> = standing(lines, words);
    kept.push(0);
    kept.extend(lines.iter().position(Event::tells_vendor_time));
    kept.extend(fold::placing(lines, words));
    let n_needed = kept.len();
    let said = |event| Some(Said { event, price: words.price_of(event.price)? });
    let prices = told.iter().filter_map(said);
    kept.extend(prices.filter_map(|said| said.repeated_at(lines, words)));
    let oldest_but = |kept: &[usize]| (0..lines.len()).find(|at| !kept.contains(at));
    oldest_but(&kept).or_else(|| oldest_but(&kept[..n_needed]))
}

/// Where the lines are that stand, one a kind.
fn standing(lines: &[Event], words: &Interner) -> Vec<usize> {
    let mut standing: Vec<(usize, Said<'_>)> = Vec::new();
    for (at, event) in lines.iter().enumerate() {
        let Some(price) = words.price_of(event.price) else { continue };
        let said = Said { event, price };
        match standing.iter_mut().find(|(_, known)| known.price.kind == price.kind) {
            Some((_, known)) if said.weight() <= known.weight() => {}
            Some(known) => *known = (at, said),
            None => standing.push((at, said)),
        }
    }
    standing.into_iter().map(|(at, _)| at).collect()
}

fn charge(said: &Said<'_>, segments: u16) -> Charge {
    let Price { nanos, kind, basis, currency, sku } = *said.price;
    let units = match (said.event.is_line(), kind) {
        (true, _) => said.event.segments,
        (false, ChargeKind::Segment) => segments,
        (false, _) => 1,
    };
    let quantity = u32::from(units.max(1));
    Charge { kind, basis, quantity, unit_price_nanos: nanos, currency, sku }
}

/// Takes the carrier's fee out of the price that holds it.
fn take_out(own: &mut Charge, fees: &[Charge]) {
    let fee = fees.iter().find(|fee| fee.kind == ChargeKind::CarrierFee);
    let fee = fee.filter(|fee| fee.currency == own.currency).and_then(Charge::amount_nanos);
    if let (ChargeKind::Message, Some(price), Some(fee)) = (own.kind, own.unit_price_nanos, fee)
        && (0..=price).contains(&fee)
    {
        own.unit_price_nanos = Some(price - fee);
    }
}

#[cfg(test)]
mod tests;

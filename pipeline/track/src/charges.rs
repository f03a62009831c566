//! What a message costs, as a pure function of the set of its events and lines of bills.
//!
//! ```text
//! price of an event ─┐
//! line of a base kind┴─► base: what counts is the basis, then that it is not zero, then the time
//! line of a fee      ──► one charge a kind, by the same rule
//! ```
//! - A message's own price is per message or per segment, never both: units of one price.
//! - The price of an event holds the carrier's fee (DESIGN.md). The fee that the same event tells
//!   (a line of its time) is taken out of the message's charge, and what is left is the price that
//!   counts or is zero: vendors zero one of the two in a later event. A fee that is told beside no
//!   price is taken out of the one that stands, and so is one that is told beside no more than
//!   that: the whole again, without its parts. Where the fee is the larger, it was not in it.
//! - An estimate without an amount (Meta's, who bills what arrives) is the vendor's word once an
//!   event tells that the message was delivered or read. An estimate of zero in no currency (of a
//!   message that failed on one device) stands until then; what arrived is not free by it.
//! - What stands without a currency, or an entry of the price list, has that of the greatest that
//!   names one.
//! - A line that repeats an event's price (an estimate of it) stands for that price, each for one:
//!   the vendor's word may have the second and the amount of an estimate.
//! - Of a message's lines no more than [`LINES_MAX`] are kept: an RCS conversation is told with
//!   every message of it. Which are forgotten changes neither what stands of each kind nor the time
//!   and the dimensions of a message of which only lines are known, in whatever order they came.
//!   Beyond the bound a forgotten line that comes again is stored again, and an estimate that was
//!   forgotten no longer stands for the price of an event that comes later, nor does one for the
//!   price of a known event where more than the bound do; so with fees beside prices.

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
    /// The carrier's fee that the same event tells.
    fee_nanos: Option<i128>,
}

impl<'a> Said<'a> {
    /// What an event or a line says; nothing where it tells no price.
    fn of(event: &'a Event, words: &'a Interner) -> Option<Self> {
        Some(Self { event, price: words.price_of(event.price)?, fee_nanos: None })
    }

    /// The same with the fee that stands beside it.
    fn with_fee(self, lines: &[Event], words: &Interner) -> Self {
        let fee = fee_at(&self, lines, words).and_then(|at| lines.get(at));
        let fee = fee.and_then(|line| charge(&Said::of(line, words)?, 1).amount_nanos());
        Self { fee_nanos: fee, ..self }
    }

    /// The price without a fee that it holds.
    fn own_nanos(&self, fee: Option<i128>) -> Option<i128> {
        let price = self.price.nanos?;
        let fee = fee.filter(|fee| {
            self.price.kind == ChargeKind::Message
                && !self.event.is_line()
                && (0..=price).contains(fee)
        });
        Some(price - fee.unwrap_or(0))
    }

    /// The greatest counts. Of one moment a line does, as a bill's, then the dearer: it holds more
    /// components.
    fn weight(&self) -> (Basis, u8, i64, bool, Option<i128>, u64) {
        let rank = match (self.own_nanos(self.fee_nanos), self.price.basis) {
            (Some(0), Basis::Estimated) => 1,
            (None | Some(0), _) => 0,
            (Some(_), _) => 2,
        };
        let Event { time_us, id, .. } = *self.event;
        (self.price.basis, rank, time_us, self.event.is_line(), self.price.nanos, id)
    }
}

/// The prices that events tell, in their order, each with the line that stands for it: of those
/// that say the same the first line for the first event by its id, and so on.
fn prices<'a>(
    told: &'a [Event],
    lines: &[Event],
    words: &'a Interner,
) -> Vec<(Said<'a>, Option<usize>)> {
    let mut prices: Vec<_> =
        told.iter().filter_map(|event| Some((Said::of(event, words)?, None))).collect();
    if prices.is_empty() || lines.is_empty() {
        return prices;
    }
    let key = |said: &Said<'_>| (said.event.time_us, said.price.kind, said.price.nanos);
    let of_line = |(at, line)| Some((key(&Said::of(line, words)?), at));
    let mut unused: Vec<_> = lines.iter().enumerate().filter_map(of_line).collect();
    unused.sort_unstable();
    let mut unused = unused.into_iter().peekable();
    let mut by_id: Vec<_> = (0..prices.len()).collect();
    by_id.sort_unstable_by_key(|at| (key(&prices[*at].0), prices[*at].0.event.id));
    for at in by_id {
        let said = key(&prices[at].0);
        while unused.next_if(|(line, _)| *line < said).is_some() {}
        prices[at].1 = unused.next_if(|(line, _)| *line == said).map(|(_, line)| line);
    }
    prices
}

/// The charges of a message: of its events, of its lines. `segments` is the largest number of parts
/// that an event tells.
pub(crate) fn of(told: &[Event], lines: &[Event], segments: u16, words: &Interner) -> Charges {
    let said = |event| Said::of(event, words);
    let own = prices(told, lines, words);
    let own = own.iter().filter(|(_, stand_in)| stand_in.is_none());
    let own = own.map(|(said, _)| said.with_fee(lines, words));
    let all_lines = || lines.iter().filter_map(said);
    let base_lines = all_lines().filter(|said| said.price.kind.is_base());
    let all_base = own.chain(base_lines);
    let base = all_base.clone().max_by_key(Said::weight);
    let mut fees: Vec<Said<'_>> = Vec::new();
    for said in all_lines().filter(|said| !said.price.kind.is_base()) {
        match fees.iter_mut().find(|known| known.price.kind == said.price.kind) {
            Some(known) if said.weight() > known.weight() => *known = said,
            Some(_) => {}
            None => fees.push(said),
        }
    }
    fees.sort_unstable_by_key(|said| said.price.kind);
    let base = base.map(|said| {
        let currency = currency(&said, all_base);
        let fee = said.fee_nanos.or_else(|| fee_apart((&said, currency), &fees, told, words));
        let sku = sku(&said, all_lines());
        let own = Charge { unit_price_nanos: said.own_nanos(fee), sku, ..charge(&said, segments) };
        Charge { currency, ..earned(own, told) }
    });
    let fees = fees.iter().map(|said| {
        let sku = sku(said, all_lines());
        let same = all_lines().filter(|line| line.price.kind == said.price.kind);
        Charge { sku, currency: currency(said, same), ..charge(said, segments) }
    });
    let fees = fees.collect();
    Charges { base, fees, zeros: false }
}

/// The currency of what counts, else that of the greatest of its charge that names one: a vendor's
/// callbacks may tell none, and its report the currency of the same price.
fn currency<'a>(said: &Said<'a>, all: impl Iterator<Item = Said<'a>>) -> TextId {
    if said.price.currency != TextId::default() {
        return said.price.currency;
    }
    let named = all.filter(|other| other.price.currency != TextId::default());
    named.max_by_key(Said::weight).map_or(TextId::default(), |other| other.price.currency)
}

/// The entry of the price list that what counts names, else the greatest line of its charge that
/// names one: who tells none (a message that failed, and then arrived) takes none away.
fn sku<'a>(said: &Said<'_>, lines: impl Iterator<Item = Said<'a>>) -> TextId {
    let is_same = |kind: ChargeKind| match said.price.kind.is_base() {
        true => kind.is_base(),
        false => kind == said.price.kind,
    };
    let names = |line: &Said<'_>| line.price.sku != TextId::default();
    if names(said) {
        return said.price.sku;
    }
    let named = lines.filter(|line| names(line) && is_same(line.price.kind));
    named.max_by_key(Said::weight).map_or(TextId::default(), |line| line.price.sku)
}

/// A charge whose estimate tells no amount is the vendor's once the message arrived, and so is one
/// that was zero for a message that failed.
fn earned(charge: Charge, told: &[Event]) -> Charge {
    let is_open = match charge.unit_price_nanos {
        None => true,
        Some(nanos) => nanos == 0 && charge.currency == TextId::default(),
    };
    let arrived = || told.iter().any(|event| event.status.is_delivered());
    if charge.basis != Basis::Estimated || !is_open || !arrived() {
        return charge;
    }
    Charge { basis: Basis::Vendor, unit_price_nanos: None, ..charge }
}

/// The line with the fee that the event of a price tells, in its currency.
fn fee_at(said: &Said<'_>, lines: &[Event], words: &Interner) -> Option<usize> {
    let beside = lines.iter().enumerate().filter_map(|(at, line)| {
        let fee = Said::of(line, words).filter(|_| line.time_us == said.event.time_us)?;
        let is_its =
            fee.price.kind == ChargeKind::CarrierFee && fee.price.currency == said.price.currency;
        is_its.then_some((fee.weight(), at))
    });
    beside.max().map(|(_, at)| at)
}

/// The fee that stands, in the currency of a price that is told without one: where it was told
/// beside a larger price, this one is what was left of that.
fn fee_apart(
    (said, currency): (&Said<'_>, TextId),
    fees: &[Said<'_>],
    told: &[Event],
    words: &Interner,
) -> Option<i128> {
    let fee = fees.iter().find(|fee| fee.price.kind == ChargeKind::CarrierFee)?;
    let beside = told.iter().filter(|event| event.time_us == fee.event.time_us);
    let beside = beside.filter_map(|event| words.price_of(event.price)?.nanos).max();
    let is_left = beside.is_some_and(|whole| said.price.nanos < Some(whole));
    let is_same = [currency, said.price.currency].contains(&fee.price.currency);
    if !is_same || is_left {
        return None;
    }
    charge(fee, 1).amount_nanos()
}

/// The charges that were committed before format 4: the price of the message and that of its
/// segments, both, and zeros in no currency in windows.
pub(crate) fn before_4(told: &[Event], segments: u16, words: &Interner) -> Charges {
    let said = |event| Said::of(event, words);
    let latest = |kind: ChargeKind| {
        let of_kind = told.iter().filter_map(said).filter(|said| said.price.kind == kind);
        of_kind.max_by_key(Said::weight).map(|said| charge(&said, segments))
    };
    let fees = [ChargeKind::Message, ChargeKind::Segment].into_iter().filter_map(latest).collect();
    Charges { base: None, fees, zeros: true }
}

/// Of too many lines, in their order, the one to forget: the oldest that stands for nothing, not
/// even for the price of an event, names no entry of the price list that stands, and neither dates
/// nor places the message.
pub(crate) fn to_forget(told: &[Event], lines: &[Event], words: &Interner) -> Option<usize> {
    let mut kept = standing(lines, words, |_| true);
    kept.extend(standing(lines, words, |said| said.price.sku != TextId::default()));
    kept.extend(standing(lines, words, |said| said.price.currency != TextId::default()));
    kept.push(0);
    kept.extend(lines.iter().position(Event::tells_vendor_time));
    kept.extend(fold::placing(lines, words));
    let n_needed = kept.len();
    let prices = prices(told, lines, words);
    kept.extend(prices.iter().filter_map(|(_, stand_in)| *stand_in));
    kept.extend(prices.iter().filter_map(|(said, _)| fee_at(said, lines, words)));
    let oldest_but = |kept: &[usize]| (0..lines.len()).find(|at| !kept.contains(at));
    oldest_but(&kept).or_else(|| oldest_but(&kept[..n_needed]))
}

/// Where the lines are that stand among some, one a kind.
fn standing(lines: &[Event], words: &Interner, is_one: impl Fn(&Said<'_>) -> bool) -> Vec<usize> {
    let mut standing: Vec<(usize, Said<'_>)> = Vec::new();
    for (at, event) in lines.iter().enumerate() {
        let Some(said) = Said::of(event, words).filter(&is_one) else { continue };
        match standing.iter_mut().find(|(_, known)| known.price.kind == said.price.kind) {
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

#[cfg(test)]
mod tests;

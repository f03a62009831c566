//! The outcome of a message as a pure function of its events (DESIGN.md, "Messages have lives").
//!
//! Events are ordered by (is_final, rank) descending, then event time ascending, then event id
//! ascending. The first decides status and error; each dimension is the first event's that gives
//! one. The result depends on the set of events only, which a property test checks.
//!
//! Lines of bills are among a message's events: they tell what it costs ([`crate::charges`]) and
//! nothing of its delivery. A message of which only lines are known has charges and no outcome.

use model::vocabulary::{Basis, Channel, ErrorClass, Status, TrafficClass};

use crate::charges::{self, Charges, LINES_MAX};
use crate::facet::{Facet, Interner, Series, TextId};

/// 72 h without a final event close a message.
pub const HORIZON_US: i64 = 72 * model::time::HOUR_US;
/// State is kept until the watermark is this far past the cohort time.
pub const RETENTION_US: i64 = 35 * model::time::DAY_US;
/// No submit time told.
pub const NO_TIME: i64 = i64::MIN;

/// The event's own payload settles the delivery outcome.
pub const FLAG_FINAL: u8 = 1;
/// Its time is by the vendor's clock.
pub const FLAG_VENDOR_CLOCK: u8 = 2;
/// Its time is the vendor's local time in an assumed zone.
pub const FLAG_VENDOR_LOCAL: u8 = 4;
/// It is a line of a bill of this message.
pub const FLAG_LINE: u8 = 8;
/// It is a line of a bill that is no message's.
pub const FLAG_BILLED: u8 = 16;

/// One event as it is folded; in the message table it takes about ten bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// First six bytes of the event id: fingerprint within the message, and the tie break.
    pub id: u64,
    /// Event time, microseconds.
    pub time_us: i64,
    /// Submit time, microseconds, or [`NO_TIME`]; of a line that is no message's the epoch it came
    /// in.
    pub submit_us: i64,
    /// What else it says.
    pub facet: u32,
    /// Price, 0 = none.
    pub price: u32,
    /// Billable parts, 0 = not told.
    pub segments: u16,
    /// Status.
    pub status: Status,
    /// `FLAG_*`.
    pub flags: u8,
}

/// Of a line that is no message's, in place of its clock: how certain it is.
const BASIS_BITS: u8 = FLAG_VENDOR_CLOCK | FLAG_VENDOR_LOCAL;

/// The flags of a basis, which compare as it does.
pub(crate) const fn basis_flags(basis: Basis) -> u8 {
    match basis {
        Basis::Estimated => 0,
        Basis::Vendor => FLAG_VENDOR_CLOCK,
        Basis::Invoice => FLAG_VENDOR_LOCAL,
    }
}

impl Event {
    /// A line of a bill.
    pub(crate) const fn is_line(&self) -> bool {
        self.flags & FLAG_LINE != 0
    }

    /// A line of a bill that is no message's.
    pub(crate) const fn is_billed(&self) -> bool {
        self.flags & FLAG_BILLED != 0
    }

    const fn is_final(&self) -> bool {
        self.flags & FLAG_FINAL != 0
    }

    pub(crate) const fn tells_vendor_time(&self) -> bool {
        self.flags & (FLAG_VENDOR_CLOCK | FLAG_VENDOR_LOCAL) != 0
    }

    /// Ascending order puts the deciding event first, and lines last.
    fn order(&self) -> (bool, bool, u8, i64, u64) {
        let rank = u8::MAX - self.status.rank();
        (self.is_line(), !self.is_final(), rank, self.time_us, self.id)
    }
}

/// Where a cohort time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CohortFrom {
    Submit,
    VendorEvent,
    Ingest,
}

/// Latency of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Latency {
    /// Not delivered, or it cannot be said.
    None,
    /// By the vendor's clock, milliseconds.
    Vendor(i64),
    /// A clock is not the vendor's, milliseconds.
    Broker(i64),
}

/// What is known about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Status of the deciding event, or `unknown` by the horizon.
    pub status: Status,
    /// Settled.
    pub is_final: bool,
    /// Settled by the horizon.
    pub by_horizon: bool,
    /// Time of the deciding event, or of the horizon.
    pub time_us: i64,
    /// Cohort time.
    pub cohort_us: i64,
    /// Earliest read.
    pub read_us: Option<i64>,
    /// Latency.
    pub latency: Latency,
    /// Dimensions.
    pub series: Series,
    /// A receipt of this source and channel can prove delivery.
    pub provable: bool,
    /// Error of the deciding event.
    pub error_class: ErrorClass,
    /// Its code.
    pub error_code: TextId,
    /// Billable parts, largest told; 0 = not told.
    pub segments: u16,
    /// What it costs.
    pub charges: Charges,
    /// Events that count; none of a message of which only lines of bills are known.
    pub events: u32,
}

/// Folds the events of a message; reorders them on the way. `None` without events.
#[must_use]
pub fn fold(events: &mut [Event], horizon: bool, words: &Interner) -> Option<Outcome> {
    events.sort_unstable_by_key(Event::order);
    let n_told = events.partition_point(|event| !event.is_line());
    let (told, lines) = events.split_at(n_told);
    let Some(deciding) = told.first() else { return charged(lines, words) };
    let facet = words.facet_of(deciding.facet);
    let (cohort_us, cohort_from) = cohort(told);
    let segments = told.iter().map(|event| event.segments).max().unwrap_or(0);
    let by_horizon = horizon && !deciding.is_final();
    let settled = if by_horizon { Status::Unknown } else { deciding.status };
    Some(Outcome {
        status: settled,
        is_final: deciding.is_final() || by_horizon,
        by_horizon,
        time_us: if by_horizon { cohort_us + HORIZON_US } else { deciding.time_us },
        cohort_us,
        read_us: earliest(told, Status::Read).map(|event| event.time_us),
        latency: latency(told, cohort_us, cohort_from),
        series: series(told, words),
        provable: told.iter().any(|event| {
            words.facet_of(event.facet).receipt_class != model::vocabulary::ReceiptClass::None
        }),
        error_class: facet.error_class,
        error_code: facet.error_code,
        segments,
        charges: charges::of(told, lines, segments, words),
        events: u32::try_from(told.len()).unwrap_or(u32::MAX),
    })
}

/// Forgets lines of bills beyond those that are kept of a message.
pub(crate) fn forget_lines(events: &mut Vec<Event>, words: &Interner) {
    let n_lines = events.iter().filter(|event| event.is_line()).count();
    if n_lines <= LINES_MAX {
        return;
    }
    events.sort_unstable_by_key(Event::order);
    let n_told = events.len() - n_lines;
    while events.len() - n_told > LINES_MAX {
        let (told, lines) = events.split_at(n_told);
        let Some(at) = charges::to_forget(told, lines, words) else { return };
        events.remove(n_told + at);
    }
}

/// A message of which only lines of bills are known: dated and placed by them until it is heard of.
fn charged(lines: &[Event], words: &Interner) -> Option<Outcome> {
    let first = lines.first()?;
    let (cohort_us, _) = cohort(lines);
    Some(Outcome {
        status: Status::Unknown,
        // Nothing is waited for.
        is_final: true,
        by_horizon: false,
        time_us: first.time_us,
        cohort_us,
        read_us: None,
        latency: Latency::None,
        series: series(lines, words),
        provable: false,
        error_class: ErrorClass::None,
        error_code: TextId(0),
        segments: 0,
        charges: charges::of(&[], lines, 0, words),
        events: 0,
    })
}

/// Of the lines that speak of one thing that is no message's the one that stands: what the vendor
/// calls final, then the later basis, then the latest, then the one that came in the later epoch.
#[must_use]
pub(crate) fn standing(lines: &[Event]) -> Option<&Event> {
    let weight = |line: &&Event| {
        let basis = line.flags & BASIS_BITS;
        (line.is_final(), basis, line.time_us, line.submit_us, line.id)
    };
    lines.iter().max_by_key(weight)
}

/// Earliest submit time of any event, else earliest vendor event time, else earliest ingest time.
fn cohort(events: &[Event]) -> (i64, CohortFrom) {
    let submit = events.iter().map(|event| event.submit_us).filter(|time| *time != NO_TIME).min();
    if let Some(time_us) = submit {
        return (time_us, CohortFrom::Submit);
    }
    let vendor = events.iter().filter(|event| event.tells_vendor_time());
    if let Some(time_us) = vendor.map(|event| event.time_us).min() {
        return (time_us, CohortFrom::VendorEvent);
    }
    // An event without a vendor time has its ingest time as event time.
    let ingest = events.iter().map(|event| event.time_us).min().unwrap_or(0);
    (ingest, CohortFrom::Ingest)
}

fn earliest(events: &[Event], status: Status) -> Option<&Event> {
    let of_status = events.iter().filter(|event| event.status == status);
    of_status.min_by_key(|event| (event.time_us, event.id))
}

/// Delivered minus cohort time. A read stands in for a missing delivered in counts, not here.
/// Of two local times (of one event, or of two events) the zone that is assumed makes no difference
/// but where clocks change; beside another event's time with a zone it does, so that is not the
/// vendor's word.
fn latency(events: &[Event], cohort_us: i64, from: CohortFrom) -> Latency {
    let Some(delivered) = earliest(events, Status::Delivered) else { return Latency::None };
    let below = |event: &&Event| !event.status.is_delivered() && event.time_us == cohort_us;
    let is_local = |event: &Event| event.flags & FLAG_VENDOR_LOCAL != 0;
    let mut vendor_clock = match is_local(delivered) {
        true => delivered.submit_us == cohort_us,
        false => delivered.flags & FLAG_VENDOR_CLOCK != 0,
    };
    if from != CohortFrom::Submit {
        let wanted = from == CohortFrom::VendorEvent;
        let mut starts = events.iter().filter(below);
        let Some(start) = starts.find(|event| event.tells_vendor_time() == wanted) else {
            return Latency::None;
        };
        let both_local = is_local(delivered) && is_local(start);
        vendor_clock = both_local || (vendor_clock && start.flags & FLAG_VENDOR_CLOCK != 0);
    }
    let latency_ms = (delivered.time_us - cohort_us).div_euclid(model::time::MILLI_US);
    if vendor_clock { Latency::Vendor(latency_ms) } else { Latency::Broker(latency_ms) }
}

/// Each dimension is the first ordered event's that gives one.
fn series(events: &[Event], words: &Interner) -> Series {
    let first = words.facet_of(events[0].facet);
    let mut series = Series {
        source: first.source,
        channel: first.channel,
        carrier: first.carrier,
        country: first.country,
        traffic_class: first.traffic_class,
    };
    for event in &events[1..] {
        let facet = words.facet_of(event.facet);
        if series.channel == Channel::Unknown {
            series.channel = facet.channel;
        }
        if series.carrier.0 == 0 {
            series.carrier = facet.carrier;
        }
        if series.country.0 == 0 {
            series.country = facet.country;
        }
        if series.traffic_class == TrafficClass::Unknown {
            series.traffic_class = facet.traffic_class;
        }
    }
    series
}

/// Of events in their order, where those are that give the series its dimensions.
pub(crate) fn placing(events: &[Event], words: &Interner) -> impl Iterator<Item = usize> {
    let first = |tells: fn(&Facet) -> bool| {
        events.iter().position(|event| tells(words.facet_of(event.facet)))
    };
    let dimensions = [
        first(|facet| facet.channel != Channel::Unknown),
        first(|facet| facet.carrier.0 != 0),
        first(|facet| facet.country.0 != 0),
        first(|facet| facet.traffic_class != TrafficClass::Unknown),
    ];
    dimensions.into_iter().flatten()
}

#[cfg(test)]
mod tests;

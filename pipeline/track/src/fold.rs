//! The outcome of a message as a pure function of its events (DESIGN.md, "Messages have lives").
//!
//! Events are ordered by (is_final, rank) descending, then event time ascending, then event id
//! ascending. The first decides status and error; each dimension is the first event's that gives
//! one. The result depends on the set of events only, which a property test checks.

use model::vocabulary::{Basis, Channel, ChargeKind, ErrorClass, PriceUnit, Status, TrafficClass};

use crate::facet::{Interner, Price, Series, TextId};

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

/// One event as it is folded; in the message table it takes about ten bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// First six bytes of the event id: fingerprint within the message, and the tie break.
    pub id: u64,
    /// Event time, microseconds.
    pub time_us: i64,
    /// Submit time, microseconds, or [`NO_TIME`].
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

impl Event {
    const fn is_final(&self) -> bool {
        self.flags & FLAG_FINAL != 0
    }

    const fn tells_vendor_time(&self) -> bool {
        self.flags & (FLAG_VENDOR_CLOCK | FLAG_VENDOR_LOCAL) != 0
    }

    /// Ascending order puts the deciding event first.
    fn order(&self) -> (bool, u8, i64, u64) {
        (!self.is_final(), u8::MAX - self.status.rank(), self.time_us, self.id)
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

/// A charge of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Kind.
    pub kind: ChargeKind,
    /// Basis.
    pub basis: Basis,
    /// Units.
    pub quantity: u32,
    /// Price of a unit, nano units.
    pub unit_price_nanos: i128,
    /// Currency.
    pub currency: TextId,
}

impl Charge {
    /// Quantity times unit price, nano units.
    #[must_use]
    pub fn amount_nanos(&self) -> i128 {
        self.unit_price_nanos.saturating_mul(i128::from(self.quantity))
    }
}

/// What is known about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Vendor charges: for the message, per segment.
    pub charges: [Option<Charge>; 2],
    /// Events that count.
    pub events: u32,
}

/// Folds the events of a message; reorders them on the way. `None` without events.
#[must_use]
pub fn fold(events: &mut [Event], horizon: bool, words: &Interner) -> Option<Outcome> {
    events.sort_unstable_by_key(Event::order);
    let deciding = *events.first()?;
    let facet = words.facet_of(deciding.facet);
    let (cohort_us, cohort_from) = cohort(events);
    let segments = events.iter().map(|event| event.segments).max().unwrap_or(0);
    let by_horizon = horizon && !deciding.is_final();
    let settled = if by_horizon { Status::Unknown } else { deciding.status };
    Some(Outcome {
        status: settled,
        is_final: deciding.is_final() || by_horizon,
        by_horizon,
        time_us: if by_horizon { cohort_us + HORIZON_US } else { deciding.time_us },
        cohort_us,
        read_us: earliest(events, Status::Read).map(|event| event.time_us),
        latency: latency(events, cohort_us, cohort_from),
        series: series(events, words),
        provable: events.iter().any(|event| {
            words.facet_of(event.facet).receipt_class != model::vocabulary::ReceiptClass::None
        }),
        error_class: facet.error_class,
        error_code: facet.error_code,
        segments,
        charges: charges(events, segments, words),
        events: u32::try_from(events.len()).unwrap_or(u32::MAX),
    })
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
fn latency(events: &[Event], cohort_us: i64, from: CohortFrom) -> Latency {
    let Some(delivered) = earliest(events, Status::Delivered) else { return Latency::None };
    let below = |event: &&Event| !event.status.is_delivered() && event.time_us == cohort_us;
    let mut vendor_clock = delivered.flags & FLAG_VENDOR_CLOCK != 0;
    if from != CohortFrom::Submit {
        let wanted = from == CohortFrom::VendorEvent;
        let mut starts = events.iter().filter(below);
        let Some(start) = starts.find(|event| event.tells_vendor_time() == wanted) else {
            return Latency::None;
        };
        vendor_clock = vendor_clock && start.flags & FLAG_VENDOR_CLOCK != 0;
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

/// One vendor charge per message and kind: events repeat prices, so the latest non-zero by event
/// time counts (a zero only where no other was told), × segments where it is per segment.
fn charges(events: &[Event], segments: u16, words: &Interner) -> [Option<Charge>; 2] {
    let mut latest: [Option<(&Event, &Price)>; 2] = [None, None];
    for event in events {
        let Some(price) = words.price_of(event.price) else { continue };
        let place = &mut latest[usize::from(price.unit == PriceUnit::Segment)];
        let key = |event: &Event, price: &Price| (price.nanos != 0, event.time_us, event.id);
        if place.is_none_or(|(old, was)| key(event, price) > key(old, was)) {
            *place = Some((event, price));
        }
    }
    latest.map(|found| {
        let (_, price) = found?;
        let per_segment = price.unit == PriceUnit::Segment;
        Some(Charge {
            kind: if per_segment { ChargeKind::Segment } else { ChargeKind::Message },
            basis: Basis::Vendor,
            quantity: if per_segment { u32::from(segments.max(1)) } else { 1 },
            unit_price_nanos: price.nanos,
            currency: price.currency,
        })
    })
}

#[cfg(test)]
mod tests;

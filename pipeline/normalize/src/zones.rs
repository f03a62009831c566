//! Zones of times that vendors write without one.
//!
//! Where the clock is set back an hour occurs twice: the first one counts. Where it is set forward
//! an hour is missing: such a time is read by the offset before (both as RFC 5545 says, 3.3.5). The
//! zone database is compiled in.

use chrono::{DateTime, MappedLocalTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// An IANA time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// By its name, such as `Europe/Berlin`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// The instant of a local time, both as microseconds, the local one as if it were UTC.
    pub(crate) fn instant(self, local_us: i64) -> i64 {
        let Some(local) = DateTime::from_timestamp_micros(local_us) else { return local_us };
        let local = local.naive_utc();
        let offset = match self.0.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => offset.fix(),
            // A day before the gap: no zone is set twice in a day.
            MappedLocalTime::None => match local.checked_sub_signed(TimeDelta::days(1)) {
                Some(before) => self.0.offset_from_utc_datetime(&before).fix(),
                None => return local_us,
            },
        };
        local_us - i64::from(offset.local_minus_utc()) * model::time::SECOND_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::{parse_local, parse_rfc3339};

    #[track_caller]
    fn same(zone: &str, local: &str, utc: &str) {
        let instant = Zone::parse(zone).unwrap().instant(parse_local(local).unwrap());
        assert_eq!(Some(instant), parse_rfc3339(utc), "{local} in {zone}");
    }

    #[test]
    fn a_local_time_follows_its_zones_summer_and_history() {
        same("Europe/Berlin", "2026-01-15 12:00:00", "2026-01-15T11:00:00Z");
        same("Europe/Berlin", "2026-07-15 12:00:00.25", "2026-07-15T10:00:00.25Z");
        same("Asia/Kolkata", "2026-07-15 12:00:00", "2026-07-15T06:30:00Z");
        same("America/Los_Angeles", "2026-07-15 20:00:00", "2026-07-16T03:00:00Z");
        same("UTC", "2026-07-15 12:00:00", "2026-07-15T12:00:00Z");
        assert_eq!(Zone::parse("Europe/Atlantis"), None);
        assert_eq!(Zone::parse("+02:00"), None, "an offset is no zone");
    }

    #[test]
    fn of_an_hour_that_occurs_twice_the_first_counts() {
        same("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z");
        same("America/New_York", "2026-11-01 01:59:59", "2026-11-01T05:59:59Z");
        same("Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z");
    }

    #[test]
    fn a_time_in_an_hour_that_is_left_out_is_read_by_the_offset_before() {
        same("Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z");
        same("America/New_York", "2026-03-08 02:00:00", "2026-03-08T07:00:00Z");
        same("Australia/Lord_Howe", "2026-10-04 02:10:00", "2026-10-03T15:40:00Z");
    }
}

//! Times as microseconds since 1970-01-01T00:00:00Z, and their RFC 3339 spelling.
//!
//! Calendar arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
//! (days_from_civil, civil_from_days): integer only, the proleptic Gregorian calendar.

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds in a millisecond.
pub const MILLI_US: i64 = 1_000;
/// Microseconds in a minute.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds in an hour.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds in a day.
pub const DAY_US: i64 = 24 * HOUR_US;

/// Days since 1970-01-01 of a civil date; months from 1, days from 1.
#[must_use]
pub const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Civil date (year, month, day) of days since 1970-01-01.
#[must_use]
pub const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days in a month of a year; 0 for a month that is none.
#[must_use]
pub const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// A checked civil time, UTC, as microseconds. A leap second counts as the second before it.
#[must_use]
pub fn from_civil(date: (i64, i64, i64), clock: (i64, i64, i64), micros: i64) -> Option<i64> {
    let (year, month, day) = date;
    let (hour, minute, second) = clock;
    let in_range = (1..=9999).contains(&year)
        && (1..=days_in_month(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range {
        return None;
    }
    let seconds = (days_from_civil(year, month, day) * 24 + hour) * 3600 + minute * 60;
    Some((seconds + second.min(59)) * SECOND_US + micros)
}

/// Reads RFC 3339 and its relatives in one pass: `T`, `t` or a space between date and time, 0 to 9
/// or more fraction digits (truncated to microseconds), then `Z`, ` UTC`, `+hh:mm`, `+hhmm` or
/// `+hh`. Without a zone `None`: see [`parse_local`].
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (local, rest) = civil_prefix(text.as_bytes())?;
    Some(local - zone_offset(rest)?)
}

/// Reads the same spelling without a zone: microseconds as if it were UTC.
#[must_use]
pub fn parse_local(text: &str) -> Option<i64> {
    let (local, rest) = civil_prefix(text.as_bytes())?;
    rest.is_empty().then_some(local)
}

fn civil_prefix(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if bytes.len() < 19 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let date = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?);
    let clock = (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
    let mut rest = &bytes[19..];
    let mut micros = 0;
    if rest.first() == Some(&b'.') {
        let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let kept = length.min(6);
        let scale = 10_i64.pow(u32::try_from(6 - kept).ok()?);
        micros = digits(&rest[1..=kept])? * scale;
        rest = &rest[1 + length..];
    }
    Some((from_civil(date, clock, micros)?, rest))
}

fn zone_offset(zone: &[u8]) -> Option<i64> {
    if matches!(zone, b"Z" | b"z" | b" UTC") {
        return Some(0);
    }
    let sign = match zone.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match zone.len() {
        3 => (digits(&zone[1..3])?, 0),
        5 => (digits(&zone[1..3])?, digits(&zone[3..5])?),
        6 if zone[3] == b':' => (digits(&zone[1..3])?, digits(&zone[4..6])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(sign * (hours * HOUR_US + minutes * MINUTE_US))
}

/// The number that a run of ASCII digits spells; `None` where it is empty or holds anything else.
#[must_use]
pub fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    let mut value = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

/// RFC 3339, UTC, six fraction digits and `Z`.
#[must_use]
pub fn format_us(time_us: i64) -> String {
    let (year, month, day) = civil_from_days(time_us.div_euclid(DAY_US));
    let of_day = time_us.rem_euclid(DAY_US);
    let (hour, minute) = (of_day / HOUR_US, of_day / MINUTE_US % 60);
    let (second, micros) = (of_day / SECOND_US % 60, of_day % SECOND_US);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// `YYYY-MM-DD` of a time, UTC.
#[must_use]
pub fn format_date(time_us: i64) -> String {
    let (year, month, day) = civil_from_days(time_us.div_euclid(DAY_US));
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_vendors_are_read() {
        let expected = parse_rfc3339("2019-11-09T15:00:00Z");
        assert!(expected.is_some());
        for text in [
            "2019-11-09T16:00:00.000+0100",
            "2019-11-09T16:00:00.000+01:00",
            "2019-11-09 15:00:00.000000 UTC",
            "2019-11-09T12:00:00-0300",
            "2019-11-09T15:00:00.0000004Z",
        ] {
            assert_eq!(parse_rfc3339(text), expected, "{text}");
        }
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "2019-02-29T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "2019-01-01T24:00:00Z",
            "2019-01-01T00:00:00",
            "2019-01-01T00:00:00.Z",
            "2019-01-01",
            "",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn a_known_instant_is_formatted() {
        assert_eq!(format_us(1_732_406_400_000_000), "2024-11-24T00:00:00.000000Z");
        assert_eq!(format_us(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(format_date(-1), "1969-12-31");
    }

    proptest! {
        #[test]
        fn format_comes_back(time_us in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
            prop_assert_eq!(parse_rfc3339(&format_us(time_us)), Some(time_us));
        }
    }
}

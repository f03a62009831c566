//! Date spellings of mail and HTTP headers; RFC 3339 and its relatives are in `model::time`.

use model::time::{self, MINUTE_US};

/// Reads `Fri, 24 May 2019 17:18:27 +0000` (RFC 5322) and `… GMT` (HTTP), weekday unchecked.
pub(crate) fn parse_mail(text: &str) -> Option<i64> {
    fixed_mail(text).or_else(|| any_mail(text))
}

/// The one spelling that HTTP allows to write (`IMF-fixdate`, RFC 9110 section 5.6.7), by places.
fn fixed_mail(text: &str) -> Option<i64> {
    let bytes: &[u8; 29] = text.as_bytes().try_into().ok()?;
    let [_, _, _, b',', b' ', d, dd, b' ', m, mm, mmm, b' ', rest @ ..] = bytes else {
        return None;
    };
    let [y, yy, yyy, yyyy, b' ', h, hh, b':', n, nn, b':', s, ss, b' ', b'G', b'M', b'T'] = rest
    else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| time::digits(&[*tens, *ones]);
    let year = two(y, yy)? * 100 + two(yyy, yyyy)?;
    let month = month(std::str::from_utf8(&[*m, *mm, *mmm]).ok()?)?;
    time::from_civil((year, month, two(d, dd)?), (two(h, hh)?, two(n, nn)?, two(s, ss)?), 0)
}

fn any_mail(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day = time::digits(words.next()?.as_bytes())?;
    let month = month(words.next()?)?;
    let year = time::digits(words.next()?.as_bytes())?;
    let mut clock = words.next()?.split(':').map(|part| time::digits(part.as_bytes()));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let local = time::from_civil((year, month, day), (hour, minute, second), 0)?;
    let offset = zone_us(words.next()?)?;
    words.next().is_none().then_some(local - offset)
}

fn month(name: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    i64::try_from(at + 1).ok()
}

fn zone_us(zone: &str) -> Option<i64> {
    if matches!(zone, "GMT" | "UTC" | "Z") {
        return Some(0);
    }
    let (sign, digits) = match zone.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, zone.strip_prefix('-')?),
    };
    if digits.len() != 4 {
        return None;
    }
    let value = time::digits(digits.as_bytes())?;
    Some(sign * (value / 100 * 60 + value % 100) * MINUTE_US)
}

/// Reads RFC 3339 and its relatives with a zone, or without one as if it were UTC.
pub(crate) fn parse_zoned_or_local(text: &str) -> Option<i64> {
    time::parse_rfc3339(text).or_else(|| time::parse_local(text))
}

/// Whether a time of that spelling tells no zone.
pub(crate) fn is_local(text: Option<&str>) -> bool {
    text.and_then(time::parse_local).is_some()
}

/// Reads `yyMMddHHmm` without a zone, as if it were UTC.
pub(crate) fn parse_compact_minutes(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 {
        return None;
    }
    let two = |at: usize| time::digits(bytes.get(at..at + 2)?);
    time::from_civil((2000 + two(0)?, two(2)?, two(4)?), (two(6)?, two(8)?, 0), 0)
}

/// Reads `yyMMddHHmm`, `yyMMddHHmmss` or `yyyyMMddHHmmss` without a zone, as if it were UTC.
pub(crate) fn parse_compact(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (century, start) = match bytes.len() {
        10 => return parse_compact_minutes(text),
        12 => (2000, 0),
        14 => (100 * time::digits(bytes.get(..2)?)?, 2),
        _ => return None,
    };
    let two = |at: usize| time::digits(bytes.get(start + at..start + at + 2)?);
    time::from_civil((century + two(0)?, two(2)?, two(4)?), (two(6)?, two(8)?, two(10)?), 0)
}

/// Reads a day `yyyy-MM-dd`: its midnight, as if it were UTC.
pub(crate) fn parse_day(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| time::digits(part.as_bytes()));
    let date = (parts.next()??, parts.next()??, parts.next()??);
    let is_day = text.len() == 10 && parts.next().is_none();
    if is_day { time::from_civil(date, (0, 0, 0), 0) } else { None }
}

/// Seconds stay below this until the year 5138, milliseconds were above it from 1973 on.
const MILLIS_MIN: i64 = 100_000_000_000;

/// Decimals below this (of 1973) are durations or flags.
const DECIMAL_MIN_US: i64 = 100_000_000_000_000;
/// Digits that an i64 has room for.
const NUMBER_DIGITS_MAX: usize = 18;

/// A Unix time whose size tells seconds from milliseconds; 0 stands for none.
pub(crate) fn unix(number: i64) -> Option<i64> {
    match number {
        ..=0 => None,
        1..MILLIS_MIN => unix_seconds(number),
        _ => unix_millis(number),
    }
}

/// A Unix time in seconds.
pub(crate) fn unix_seconds(seconds: i64) -> Option<i64> {
    plausible(seconds.checked_mul(time::SECOND_US)?)
}

/// A Unix time in milliseconds.
pub(crate) fn unix_millis(millis: i64) -> Option<i64> {
    plausible(millis.checked_mul(time::MILLI_US)?)
}

/// Seconds since 1970 with a fraction or an exponent: `1795176191.482`, `1.795176191482E9`.
pub(crate) fn unix_decimal(text: &str) -> Option<i64> {
    plausible(millionths(text)?)
}

/// The same of a number whose size tells seconds from milliseconds, as at [`unix`].
pub(crate) fn unix_decimal_of_either(text: &str) -> Option<i64> {
    let time_us = millionths(text).filter(|time_us| *time_us >= DECIMAL_MIN_US)?;
    let is_seconds = time_us / time::SECOND_US < MILLIS_MIN;
    plausible(if is_seconds { time_us } else { time_us / 1000 })
}

/// A decimal number times a million, cut off.
fn millionths(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let room = NUMBER_DIGITS_MAX.saturating_sub(whole.len());
    let fraction = fraction.get(..room.min(fraction.len()))?;
    let number = time::digits([whole, fraction].concat().as_bytes())?;
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    // Digits that microseconds have beyond the number's own.
    let shift = exponent.checked_add(6)?.checked_sub(fraction_digits)?;
    let scale = 10_i64.checked_pow(shift.unsigned_abs())?;
    if shift < 0 { Some(number / scale) } else { number.checked_mul(scale) }
}

/// Years 1 to 9999, the span that can be printed.
fn plausible(time_us: i64) -> Option<i64> {
    (-62_135_596_800_000_000..=253_402_300_799_999_999).contains(&time_us).then_some(time_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_and_http_dates_are_read() {
        let expected = time::parse_rfc3339("2019-05-24T17:18:27Z");
        assert!(expected.is_some());
        assert_eq!(parse_mail("Fri, 24 May 2019 17:18:27 +0000"), expected);
        assert_eq!(parse_mail("24 May 2019 19:18:27 +0200"), expected);
        assert_eq!(parse_mail("Fri, 24 May 2019 17:18:27 GMT"), expected);
        for bad in ["", "Fri, 24 Mai 2019 17:18:27 +0000", "Fri, 31 Feb 2019 17:18:27 GMT", "x, y"]
        {
            assert_eq!(parse_mail(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_spelling_of_http_is_read_by_its_places_as_word_by_word() {
        for text in [
            "Fri, 24 May 2019 17:18:27 GMT",
            "fri, 24 mAY 2019 17:18:27 GMT",
            "Thu, 29 Feb 2024 23:59:60 GMT",
            "Fri, 31 Feb 2019 17:18:27 GMT",
            "Fri, 24 May 2019 17:18:2x GMT",
            "Fri, 24 Mai 2019 17:18:27 GMT",
        ] {
            assert_eq!(fixed_mail(text), any_mail(text), "{text}");
        }
        assert!(fixed_mail("Fri, 24 May 2019 17:18:27 GMT").is_some());
    }

    #[test]
    fn compact_minutes_are_read() {
        assert_eq!(
            parse_compact_minutes("2303222338"),
            time::parse_rfc3339("2023-03-22T23:38:00Z")
        );
        assert_eq!(parse_compact_minutes("2313222338"), None);
        assert_eq!(parse_compact_minutes("é0322233"), None);
    }

    #[test]
    fn compact_times_may_have_seconds_and_a_century() {
        let expected = time::parse_rfc3339("2026-10-06T12:01:09Z");
        assert!(expected.is_some());
        assert_eq!(parse_compact("261006120109"), expected);
        assert_eq!(parse_compact("20261006120109"), expected);
        assert_eq!(parse_compact("2610061201"), time::parse_rfc3339("2026-10-06T12:01:00Z"));
        for bad in ["", "26100612010", "261306120109", "2610061201x9", "éé61006120"] {
            assert_eq!(parse_compact(bad), None, "{bad}");
        }
    }

    #[test]
    fn unix_times_beyond_the_calendar_are_refused() {
        assert_eq!(unix_seconds(0), Some(0));
        assert_eq!([unix(0), unix(-1)], [None, None]);
        assert_eq!(unix(1), Some(1_000_000));
        assert_eq!(unix_millis(i64::MAX), None);
        assert_eq!(unix_seconds(253_402_300_800), None);
    }

    #[test]
    fn decimal_seconds_are_read_to_the_microsecond() {
        let expected = Some(1_795_176_191_482_000);
        for text in ["1795176191.482", "1.795176191482E9", "1795176191.4820004"] {
            assert_eq!(unix_decimal(text), expected, "{text}");
        }
        for text in ["1795176191482.0", "1.795176191482e12", "1795176191.482"] {
            assert_eq!(unix_decimal_of_either(text), expected, "{text}");
        }
        for text in ["1795176191.4820001234567", "1795176191482.0001234567"] {
            assert_eq!(unix_decimal_of_either(text), expected, "{text}");
        }
        assert_eq!(unix_decimal_of_either("0.5"), None);
        for bad in ["", "E9", "1.2.3", "-1", "1e", "1e99", "1e2147483647", "noon"] {
            assert_eq!(unix_decimal(bad), None, "{bad}");
            assert_eq!(unix_decimal_of_either(bad), None, "{bad}");
        }
    }
}

//! Writing numbers, times and ids as text into a byte buffer, without `format!`.
//!
//! Every encoder goes through these few functions, so the speed of the simulator is theirs. Times
//! are microseconds since the Unix epoch, UTC.

const HEX: &[u8; 16] = b"0123456789abcdef";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Microseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

pub(crate) fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// An integer in decimal.
pub(crate) fn push_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The last `width` decimal digits, with leading zeros.
pub(crate) fn push_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for slot in out[start..].iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// The low `digits` (at most 16) hexadecimal digits, lower case.
pub(crate) fn push_hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for n in (0..digits).rev() {
        out.push(HEX[((value >> (4 * n)) & 15) as usize]);
    }
}

/// The low `digits` (at most 16) hexadecimal digits, upper case.
pub(crate) fn push_hex_upper(out: &mut Vec<u8>, value: u64, digits: u32) {
    for n in (0..digits).rev() {
        out.push(HEX_UPPER[((value >> (4 * n)) & 15) as usize]);
    }
}

/// A UUID of version 4 whose free bits come from two hashes.
pub(crate) fn push_uuid(out: &mut Vec<u8>, high: u64, low: u64) {
    push_hex(out, high >> 32, 8);
    out.push(b'-');
    push_hex(out, high >> 16, 4);
    push(out, "-4");
    push_hex(out, high, 3);
    out.push(b'-');
    push_hex(out, (low >> 48) & 0x3fff | 0x8000, 4);
    out.push(b'-');
    push_hex(out, low, 12);
}

/// A text that the caller knows to be ASCII without characters that a form must escape,
/// except `+` and `:`.
pub(crate) fn push_form(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'+' => push(out, "%2B"),
            b':' => push(out, "%3A"),
            b' ' => out.push(b'+'),
            other => out.push(other),
        }
    }
}

/// A decimal of millionths, with at least `scale` and at most six digits after the point.
pub(crate) fn push_micros(out: &mut Vec<u8>, micros: i64, scale: usize) {
    let value = micros.unsigned_abs();
    push_u64(out, value / 1_000_000);
    out.push(b'.');
    let start = out.len();
    push_padded(out, value % 1_000_000, 6);
    while out.len() > start + scale && out.last() == Some(&b'0') {
        out.pop();
    }
}

/// A text from what `write` appends; the encoders only append ASCII.
pub(crate) fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(40);
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A point in time as its calendar fields, UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Civil {
    year: u64,
    month: u64,
    day: u64,
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
    micro: u64,
}

/// Days to a calendar date after Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub(crate) fn civil(time_us: i64) -> Civil {
    let days = time_us.div_euclid(DAY);
    let rest = time_us.rem_euclid(DAY) as u64;
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let seconds = rest / 1_000_000;
    Civil {
        year: year as u64,
        month: month as u64,
        day: (doy - (153 * mp + 2) / 5 + 1) as u64,
        weekday: days.rem_euclid(7) as usize,
        hour: seconds / 3_600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        micro: rest % 1_000_000,
    }
}

fn push_date_time(out: &mut Vec<u8>, c: &Civil, between: u8) {
    push_padded(out, c.year, 4);
    out.push(b'-');
    push_padded(out, c.month, 2);
    out.push(b'-');
    push_padded(out, c.day, 2);
    out.push(between);
    push_padded(out, c.hour, 2);
    out.push(b':');
    push_padded(out, c.minute, 2);
    out.push(b':');
    push_padded(out, c.second, 2);
}

/// RFC 3339 in UTC with 0, 3, 6 or 9 digits after the second; the rest is cut off.
pub(crate) fn push_rfc3339(out: &mut Vec<u8>, time_us: i64, digits: usize) {
    let c = civil(time_us);
    push_date_time(out, &c, b'T');
    match digits {
        0 => {}
        3 => {
            out.push(b'.');
            push_padded(out, c.micro / 1_000, 3);
        }
        more => {
            out.push(b'.');
            push_padded(out, c.micro, 6);
            if more > 6 {
                push(out, "000");
            }
        }
    }
    out.push(b'Z');
}

/// Infobip's `2019-11-09T16:00:00.000+0100`: milliseconds and an offset without a colon.
pub(crate) fn push_offset_time(out: &mut Vec<u8>, time_us: i64, offset_hours: i64) {
    let c = civil(time_us + offset_hours * 3_600 * SECOND);
    push_date_time(out, &c, b'T');
    out.push(b'.');
    push_padded(out, c.micro / 1_000, 3);
    out.push(if offset_hours < 0 { b'-' } else { b'+' });
    push_padded(out, offset_hours.unsigned_abs(), 2);
    push(out, "00");
}

/// BigQuery's `2026-11-20 17:03:11.482000 UTC`.
pub(crate) fn push_bigquery_time(out: &mut Vec<u8>, time_us: i64) {
    let c = civil(time_us);
    push_date_time(out, &c, b' ');
    out.push(b'.');
    push_padded(out, c.micro, 6);
    push(out, " UTC");
}

/// RFC 2822 with the zone that the caller names (`+0000` for Twilio, `GMT` for HTTP).
pub(crate) fn push_rfc2822(out: &mut Vec<u8>, time_us: i64, zone: &str) {
    let c = civil(time_us);
    push(out, DAYS[c.weekday]);
    push(out, ", ");
    push_padded(out, c.day, 2);
    out.push(b' ');
    push(out, MONTHS[(c.month as usize + 11) % 12]);
    out.push(b' ');
    push_padded(out, c.year, 4);
    out.push(b' ');
    push_padded(out, c.hour, 2);
    out.push(b':');
    push_padded(out, c.minute, 2);
    out.push(b':');
    push_padded(out, c.second, 2);
    out.push(b' ');
    push(out, zone);
}

/// Twilio's `RawDlrDoneDate`, `yyMMddHHmm`.
pub(crate) fn push_dlr_minute(out: &mut Vec<u8>, time_us: i64) {
    let c = civil(time_us);
    for part in [c.year % 100, c.month, c.day, c.hour, c.minute] {
        push_padded(out, part, 2);
    }
}

/// Reads RFC 3339 with `Z` or a numeric offset; `None` where it is not that.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let bytes = text.as_bytes();
    if bytes.len() < 20 || bytes[4] != b'-' || bytes[7] != b'-' || bytes[13] != b':' {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &text[19..];
    let mut micro = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|c: char| !c.is_ascii_digit())?;
        let mut six = fraction[..end.min(6)].to_owned();
        while six.len() < 6 {
            six.push('0');
        }
        micro = six.parse::<i64>().ok()?;
        rest = &fraction[end..];
    }
    let local = days_from_civil(year, month, day) * DAY
        + (hour * 3_600 + minute * 60 + second) * SECOND
        + micro;
    Some(local - offset_us(rest)?)
}

fn offset_us(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60) * SECOND)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month + 9) % 12;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5 + day - 1;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_the_vendors_write_them() {
        let at = parse_rfc3339("2026-11-20T17:03:11.482+00:00").expect("valid");
        assert_eq!(text(|o| push_rfc3339(o, at, 0)), "2026-11-20T17:03:11Z");
        assert_eq!(text(|o| push_rfc3339(o, at, 3)), "2026-11-20T17:03:11.482Z");
        assert_eq!(text(|o| push_rfc3339(o, at, 9)), "2026-11-20T17:03:11.482000000Z");
        assert_eq!(text(|o| push_offset_time(o, at, -3)), "2026-11-20T14:03:11.482-0300");
        assert_eq!(text(|o| push_bigquery_time(o, at)), "2026-11-20 17:03:11.482000 UTC");
        assert_eq!(text(|o| push_rfc2822(o, at, "+0000")), "Fri, 20 Nov 2026 17:03:11 +0000");
        assert_eq!(text(|o| push_dlr_minute(o, at)), "2611201703");
    }

    #[test]
    fn offsets_and_bad_times_are_told_apart() {
        let zulu = parse_rfc3339("2026-11-20T16:03:11Z");
        assert_eq!(parse_rfc3339("2026-11-20T17:03:11+01:00"), zulu);
        assert_eq!(parse_rfc3339("2026-13-20T17:03:11Z"), None);
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(text(|o| push_micros(o, 7_500, 5)), "0.00750");
        assert_eq!(text(|o| push_micros(o, 8_300, 1)), "0.0083");
        assert_eq!(text(|o| push_micros(o, 0, 1)), "0.0");
        assert_eq!(text(|o| push_micros(o, 1_250_001, 5)), "1.250001");
    }
}

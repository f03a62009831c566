//! Money as integers: nine decimals in an i128, the value of Arrow's `Decimal128(18, 9)`.
//!
//! Parsed from the text as it stands in the payload, never through a float. More than nine
//! decimals round half to even, and the caller counts that.

/// Decimals kept.
pub const SCALE: u32 = 9;
/// One unit of currency in nano units.
pub const ONE: i128 = 1_000_000_000;
/// Largest absolute value of `Decimal128(18, 9)`.
pub const MAX: i128 = 999_999_999_999_999_999;
/// Largest absolute sum or quantity of one line, in nano: 10^11 of them still add up within
/// `Decimal128(38, 9)`.
pub const SUM_MAX: i128 = 10_i128.pow(27);

/// Longest mantissa that is read: far beyond any price, and it fits on the stack.
const MANTISSA_BYTES_MAX: usize = 60;

/// An amount in nano units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Nanos(pub i128);

/// A parsed amount and whether digits were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// The amount, with the text's sign.
    pub nanos: Nanos,
    /// More than nine decimals: rounded half to even.
    pub rounded: bool,
}

/// Reads a plain or scientific decimal, as JSON or a form writes it. `None` where the text is no
/// number or does not fit.
#[must_use]
pub fn parse(text: &str) -> Option<Parsed> {
    parse_up_to(text, MAX)
}

/// The same for a sum or a quantity.
#[must_use]
pub fn parse_sum(text: &str) -> Option<Parsed> {
    parse_up_to(text, SUM_MAX)
}

fn parse_up_to(text: &str, max: i128) -> Option<Parsed> {
    if let Some(nanos) = parse_plain(text.as_bytes()) {
        return Some(Parsed { nanos: Nanos(nanos.into()), rounded: false });
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    if !(-60..=60).contains(&exponent) || mantissa.len() > MANTISSA_BYTES_MAX {
        return None;
    }
    let (negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, mantissa.get(1..)?),
        b'+' => (false, mantissa.get(1..)?),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut all = [0; MANTISSA_BYTES_MAX];
    for (slot, byte) in all.iter_mut().zip(whole.bytes().chain(fraction.bytes())) {
        if !byte.is_ascii_digit() {
            return None;
        }
        *slot = byte - b'0';
    }
    let all = all.get(..whole.len() + fraction.len())?;
    // Digits kept: those left of the point after the exponent moved it, plus SCALE.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(SCALE);
    let (value, rounded) = keep_digits(all, point)?;
    if value > max {
        return None;
    }
    Some(Parsed { nanos: Nanos(if negative { -value } else { value }), rounded })
}

/// Nanos of the commonest spelling: nine digits at most on each side of a point, none behind an
/// exponent. It fits any bound and loses nothing; `None` where the spelling is another.
fn parse_plain(text: &[u8]) -> Option<i64> {
    const SIDE_MAX: usize = SCALE as usize;
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 2 * SIDE_MAX + 1 {
        return None;
    }
    let (mut value, mut whole, mut n_digits) = (0_i64, None, 0_usize);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                // Nineteen digits wrap, and are refused below.
                value = value.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
                n_digits += 1;
            }
            b'.' if whole.is_none() => whole = Some(n_digits),
            _ => return None,
        }
    }
    let whole = whole.unwrap_or(n_digits);
    let missing = SIDE_MAX.checked_sub(n_digits - whole)?;
    if n_digits == 0 || whole > SIDE_MAX {
        return None;
    }
    let nanos = value * 10_i64.pow(u32::try_from(missing).ok()?);
    Some(if is_negative { -nanos } else { nanos })
}

/// The integer made of the first `keep` digits, rounded half to even by the rest.
fn keep_digits(digits: &[u8], keep: i64) -> Option<(i128, bool)> {
    let mut value: i128 = 0;
    for position in 0..keep.max(0) {
        let at = usize::try_from(position).ok()?;
        value = value.checked_mul(10)?.checked_add(digits.get(at).copied().unwrap_or(0).into())?;
    }
    if keep < 0 {
        return Some((0, digits.iter().any(|digit| *digit != 0)));
    }
    let rest = digits.get(usize::try_from(keep).ok()?..).unwrap_or(&[]);
    let lost = rest.iter().any(|digit| *digit != 0);
    let first = rest.first().copied().unwrap_or(0);
    let beyond = rest.iter().skip(1).any(|digit| *digit != 0);
    let up = first > 5 || (first == 5 && (beyond || value % 2 == 1));
    Some((value + i128::from(up), lost))
}

/// Quantity times unit price, both nano: rounded half to even, and whether digits were lost. `None`
/// where it does not fit.
#[must_use]
pub fn product(quantity: i128, unit_price: i128) -> Option<(i128, bool)> {
    let whole = quantity.checked_mul(unit_price)?;
    let (down, rest) = (whole.div_euclid(ONE), whole.rem_euclid(ONE));
    let up = rest * 2 > ONE || (rest * 2 == ONE && down % 2 != 0);
    let value = down + i128::from(up);
    (value.abs() <= SUM_MAX).then_some((value, rest != 0))
}

impl std::fmt::Display for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let absolute = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        write!(f, "{sign}{}.{:09}", absolute / one, absolute % one)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str) -> Option<i128> {
        parse(text).map(|parsed| parsed.nanos.0)
    }

    #[test]
    fn vendors_spellings_are_exact() {
        assert_eq!(nanos("-0.00750"), Some(-7_500_000));
        assert_eq!(nanos("0.0001000000"), Some(100_000));
        assert_eq!(nanos("1"), Some(ONE));
        assert_eq!(nanos(".5"), Some(500_000_000));
        assert_eq!(nanos("5.1e-3"), Some(5_100_000));
        assert_eq!(nanos("1E2"), Some(100 * ONE));
    }

    #[test]
    fn tenth_decimal_rounds_half_to_even_and_says_so() {
        assert_eq!(parse("0.0000000005").map(|p| (p.nanos.0, p.rounded)), Some((0, true)));
        assert_eq!(parse("0.0000000015").map(|p| (p.nanos.0, p.rounded)), Some((2, true)));
        assert_eq!(parse("0.00000000151").map(|p| p.nanos.0), Some(2));
        assert_eq!(parse("0.0000000010").map(|p| p.rounded), Some(false));
    }

    #[test]
    fn no_number_is_refused() {
        for text in ["", "-", ".", "abc", "1,5", "1.2.3", "0x1", "1e", "9999999999", "NaN"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn sums_are_larger_than_prices_and_as_exact() {
        assert_eq!(parse("1911624800000.5"), None);
        let sum = parse_sum("1911624800000.5").map(|sum| sum.nanos.0);
        assert_eq!(sum, Some(1_911_624_800_000_500_000_000));
        assert_eq!(parse_sum("1e30"), None);
        assert_eq!(product(1_500 * ONE, 7_500_000), Some((11_250_000_000, false)));
        assert_eq!(product(500_000_000, 5), Some((2, true)), "half to even");
        assert_eq!(product(500_000_000, 7), Some((4, true)), "half to even");
        assert_eq!(product(-500_000_000, 5), Some((-2, true)), "also below zero");
        assert_eq!(product(SUM_MAX, ONE * 2), None);
        assert_eq!(parse_sum("1000000000000000001"), None);
    }

    #[test]
    fn nineteen_digits_are_no_plain_spelling_and_no_panic() {
        for text in ["9999999999999999999", "-9999999999999999999", "999999999.9999999999"] {
            assert_eq!(parse_plain(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_plain(b"999999999.999999999"), Some(999_999_999_999_999_999));
    }

    proptest! {
        #[test]
        fn display_comes_back(value in -MAX..=MAX) {
            prop_assert_eq!(nanos(&Nanos(value).to_string()), Some(value));
        }
    }
}

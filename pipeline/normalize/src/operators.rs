//! Operators by mobile country and network code: `schemas/operators.csv`, with its origin in its
//! first lines.
//!
//! MNC 01 and 001 are two networks, so a code is compared with its digits. Only where a country's
//! networks all have as many digits a code of another length can still be told: `010` for `10`
//! (Twilio pads), `1` for `01` (numbers lose their zeros). Nothing here allocates after the table
//! is read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../../schemas/operators.csv");
const MCCS: usize = 1000;
/// Added to a code of three digits.
const THREE_DIGITS: u16 = 1000;

/// One network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator {
    /// Position in the table.
    pub(crate) at: usize,
    /// Network code.
    pub(crate) mnc: &'static str,
    /// ISO 3166; `None` for networks of the world.
    pub(crate) country: Option<&'static str>,
    /// What the network is known as, one spelling a country.
    pub(crate) name: &'static str,
    /// Who runs it; may be empty.
    pub(crate) company: &'static str,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::read(TABLE));

/// The network of these codes.
pub(crate) fn find(mcc: &str, mnc: &str) -> Option<Operator> {
    REGISTRY.find(mcc, mnc)
}

/// The network of a code that was a number and may have lost its leading zeros.
pub(crate) fn find_number(mcc: &str, mnc: &str) -> Option<Operator> {
    REGISTRY.find_number(mcc, mnc)
}

/// The country with most networks of a mobile country code.
pub(crate) fn country(mcc: &str) -> Option<&'static str> {
    *REGISTRY.countries.get(mcc_number(mcc)?)?
}

/// All networks.
pub(crate) fn all() -> &'static [Operator] {
    &REGISTRY.operators
}

#[derive(Debug)]
struct Registry {
    operators: Vec<Operator>,
    /// MNCs, parallel to the operators: the number, by 1000 more where it has three digits.
    codes: Vec<u16>,
    /// First network of each MCC, and the end.
    starts: Vec<usize>,
    countries: Vec<Option<&'static str>>,
}

impl Registry {
    /// Rows by MCC and MNC; lines that are no row are left out, which a test excludes.
    fn read(table: &'static str) -> Self {
        let mut registry = Self {
            operators: Vec::new(),
            codes: Vec::new(),
            starts: Vec::with_capacity(MCCS + 1),
            countries: vec![None; MCCS],
        };
        let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for line in table.lines() {
            let Some([mcc, mnc, country, name, company]) = fields(line) else { continue };
            let (Some(mcc), Some(code)) = (mcc_number(mcc), mnc_code(mnc)) else { continue };
            registry.starts.resize(registry.starts.len().max(mcc + 1), registry.operators.len());
            registry.codes.push(code);
            let country = (!country.is_empty()).then_some(country);
            registry.operators.push(Operator {
                at: registry.codes.len() - 1,
                mnc,
                country,
                name,
                company,
            });
            let Some(country) = country else { continue };
            let count = counts.entry((mcc, country)).or_default();
            *count += 1;
            let n_country = *count;
            let usual = registry.countries[mcc].and_then(|usual| counts.get(&(mcc, usual)));
            if usual.is_none_or(|n_usual| n_country > *n_usual) {
                registry.countries[mcc] = Some(country);
            }
        }
        registry.starts.resize(MCCS + 1, registry.operators.len());
        registry
    }

    fn find_number(&self, mcc: &str, mnc: &str) -> Option<Operator> {
        let mcc = mcc_number(mcc)?;
        let number = mnc.parse::<u16>().ok().filter(|number| *number < THREE_DIGITS)?;
        let start = *self.starts.get(mcc)?;
        let codes = self.codes.get(start..*self.starts.get(mcc + 1)?)?;
        let short = if number < 100 { codes.binary_search(&number).ok() } else { None };
        let long = codes.binary_search(&(number + THREE_DIGITS)).ok();
        match (short, long) {
            (Some(at), None) | (None, Some(at)) => self.operators.get(start + at).copied(),
            _ => None,
        }
    }

    fn find(&self, mcc: &str, mnc: &str) -> Option<Operator> {
        let mcc = mcc_number(mcc)?;
        let start = *self.starts.get(mcc)?;
        let codes = self.codes.get(start..*self.starts.get(mcc + 1)?)?;
        let (two, three) = codes.split_at(codes.partition_point(|code| *code < THREE_DIGITS));
        let told = mnc_code(mnc);
        let at = told.and_then(|code| codes.binary_search(&code).ok()).or_else(|| {
            let number = mnc.parse::<u16>().ok().filter(|_| mnc.bytes().all(is_digit))?;
            match (two.is_empty(), three.is_empty(), mnc.len()) {
                (false, true, 1 | 3) => two.binary_search(&number).ok(),
                (true, false, 1 | 2) => three.binary_search(&(number + THREE_DIGITS)).ok(),
                _ => None,
            }
        })?;
        self.operators.get(start + at).copied()
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn mcc_number(mcc: &str) -> Option<usize> {
    if mcc.len() == 3 && mcc.bytes().all(is_digit) { mcc.parse().ok() } else { None }
}

fn mnc_code(mnc: &str) -> Option<u16> {
    if !mnc.bytes().all(is_digit) {
        return None;
    }
    match mnc.len() {
        2 => mnc.parse().ok(),
        3 => mnc.parse::<u16>().ok().map(|number| number + THREE_DIGITS),
        _ => None,
    }
}

/// Fields of a row, in quotes where they hold a comma; `None` for comments and other lines.
pub(crate) fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    if line.starts_with('#') || line.trim().is_empty() {
        return None;
    }
    let mut fields = [""; N];
    let mut rest = Some(line);
    for field in &mut fields {
        let text = rest?;
        (*field, rest) = match text.strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = quoted.split_once('"')?;
                match after.strip_prefix(',') {
                    Some(after) => (field, Some(after)),
                    None if after.is_empty() => (field, None),
                    None => return None,
                }
            }
            None => text.split_once(',').map_or((text, None), |(field, rest)| (field, Some(rest))),
        };
    }
    rest.is_none().then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(mcc: &str, mnc: &str) -> Option<&'static str> {
        find(mcc, mnc).map(|operator| operator.name)
    }

    #[test]
    fn the_table_says_where_it_is_from_and_every_row_is_in_order() {
        let head: Vec<&str> = TABLE.lines().take_while(|line| line.starts_with('#')).collect();
        let head = head.join(" ");
        for told in ["mcc-mnc-list 1.", "taken 20", "MIT", "CC BY-SA 4.0", "Wikipedia"] {
            assert!(head.contains(told), "{told} is not in: {head}");
        }
        let rows: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rows[0], "mcc,mnc,country,name,operator");
        assert!(rows.len() > 2500, "{}", rows.len());
        let mut last = ("", 0, "");
        for row in &rows[1..] {
            let [mcc, mnc, country, name, _] = fields(row).unwrap();
            assert!(mcc_number(mcc).is_some() && mnc_code(mnc).is_some(), "{row}");
            let is_code =
                country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!((country.is_empty() || is_code) && !name.trim().is_empty(), "{row}");
            let place = (mcc, mnc.len(), mnc);
            assert!(last < place, "{row} is not behind {last:?}");
            last = place;
        }
        assert_eq!(all().len(), rows.len() - 1);
        assert!(all().iter().enumerate().all(|(at, operator)| operator.at == at));
    }

    #[test]
    fn two_and_three_digits_are_two_networks() {
        assert_eq!(name("310", "410"), Some("AT&T"));
        assert_eq!(name("219", "10"), Some("A1 HR"));
        // Of a country whose networks have two or three digits a code is only itself.
        assert!(name("338", "05").is_some() && name("338", "050").is_some());
        assert_ne!(name("338", "05"), name("338", "050"));
        assert_eq!(name("310", "41"), None);
        assert_eq!(name("310", "4"), None);
    }

    #[test]
    fn a_padded_code_and_one_without_its_zeros_are_found_where_only_one_can_be_meant() {
        assert_eq!(name("234", "010"), name("234", "10"));
        assert_eq!(name("262", "1"), name("262", "01"));
        assert!(name("262", "1").is_some());
        for (mcc, mnc) in [("234", ""), ("234", "1x"), ("23", "10"), ("2341", "0"), ("999", "77")] {
            assert_eq!(name(mcc, mnc), None, "{mcc}-{mnc}");
        }
    }

    #[test]
    fn a_number_gets_its_zeros_back_where_only_one_network_can_be_meant() {
        let mnc = |mcc, number| find_number(mcc, number).map(|operator| operator.mnc);
        assert_eq!(mnc("310", "4"), Some("004"));
        assert_eq!(mnc("262", "1"), Some("01"));
        assert_eq!(mnc("234", "15"), Some("15"));
        assert_eq!(mnc("338", "50"), Some("050"), "there is no 338-50");
        assert_eq!(mnc("338", "5"), Some("05"));
        assert_eq!(mnc("001", "1"), None, "01 and 001 would both do");
        for (mcc, number) in [("310", ""), ("310", "x"), ("310", "99999"), ("1", "1")] {
            assert_eq!(mnc(mcc, number), None, "{mcc}-{number}");
        }
    }

    #[test]
    fn a_network_of_several_territories_is_its_codes_usual_countrys() {
        assert_eq!(find("310", "260").and_then(|operator| operator.country), Some("US"));
        assert_eq!(find("234", "15").and_then(|operator| operator.country), Some("GB"));
        let of = |mcc| country(mcc);
        assert_eq!(of("219"), Some("HR"));
        assert_eq!(of("505"), Some("AU"));
        assert_eq!(of("310"), Some("US"));
        assert_eq!((of("999"), of("901"), of("21"), of("2a9")), (None, None, None, None));
    }

    #[test]
    fn one_brand_has_one_spelling_in_a_country() {
        assert_eq!(name("404", "10"), name("404", "45"), "AirTel and Airtel");
    }
}

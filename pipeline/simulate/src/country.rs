//! Countries and the telephone numbers that recipients get.
//!
//! Every number is valid E.164 for its country and carries the planted mark `555` right after its
//! mobile prefix, so that a scan of outputs can look for it: `+<calling code><prefix>555<digits>`.

use crate::rng::Rng;

/// Digits that follow the mobile prefix in every simulated number.
pub(crate) const PLANTED_MARK: &str = "555";

/// A country's numbering plan, as far as the simulator needs it.
#[derive(Debug)]
pub(crate) struct Country {
    /// ISO 3166-1 alpha-2.
    pub(crate) iso: &'static str,
    /// The calling code.
    pub(crate) calling: &'static str,
    /// Mobile prefixes (area codes where mobile numbers share them).
    prefixes: &'static [&'static str],
    /// Digits after the calling code.
    national_digits: usize,
}

const fn country(
    iso: &'static str,
    calling: &'static str,
    prefixes: &'static [&'static str],
    national_digits: usize,
) -> Country {
    Country { iso, calling, prefixes, national_digits }
}

/// All countries that a scenario may name.
pub(crate) static COUNTRIES: [Country; 12] = [
    country("US", "1", &["202", "212", "305", "312", "404", "415", "512", "617", "702", "917"], 10),
    country("CA", "1", &["403", "416", "514", "604", "613", "647", "778", "905"], 10),
    country(
        "GB",
        "44",
        &["740", "741", "743", "747", "749", "771", "774", "775", "785", "787"],
        10,
    ),
    country("DE", "49", &["160", "170", "171", "172", "173", "174", "175"], 10),
    country("FR", "33", &["60", "61", "62", "63", "66", "67", "68", "76", "77", "78"], 9),
    country("HR", "385", &["91", "92", "95", "99"], 9),
    country("BR", "55", &["119", "219", "319", "419", "519", "619", "719", "819"], 11),
    country("IN", "91", &["90", "94", "96", "97", "98", "99"], 10),
    country("NG", "234", &["703", "706", "803", "806", "810", "813", "814", "903", "906"], 10),
    country("ES", "34", &["61", "62", "63", "64", "65", "66", "67", "68"], 9),
    country("IT", "39", &["320", "328", "333", "338", "347", "348", "349"], 10),
    country("PL", "48", &["50", "51", "60", "66", "69", "78", "79"], 9),
];

/// The index of an ISO code in `COUNTRIES`.
pub(crate) fn index_of(iso: &str) -> Option<usize> {
    COUNTRIES.iter().position(|country| country.iso == iso)
}

impl Country {
    /// A random number of this country, as its digits without `+`.
    pub(crate) fn number(&self, rng: &mut Rng) -> u64 {
        let prefix = self.prefixes[rng.below(self.prefixes.len() as u64) as usize];
        let fixed = [self.calling, prefix, PLANTED_MARK].into_iter().fold(0, append);
        self.fill(fixed, prefix.len() + PLANTED_MARK.len(), rng)
    }

    /// A random number that starts with these digits (calling code included).
    pub(crate) fn number_with_prefix(&self, prefix: &str, rng: &mut Rng) -> u64 {
        let national = prefix.len().saturating_sub(self.calling.len());
        self.fill(append(0, prefix), national, rng)
    }

    fn fill(&self, fixed: u64, national_len: usize, rng: &mut Rng) -> u64 {
        let scale = 10_u64.pow(self.national_digits.saturating_sub(national_len) as u32);
        fixed * scale + rng.below(scale)
    }
}

fn append(number: u64, digits: &str) -> u64 {
    digits.bytes().fold(number, |n, digit| n * 10 + u64::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_the_planted_mark_and_have_the_right_length() {
        let mut rng = Rng::new(3);
        for country in &COUNTRIES {
            for _ in 0..200 {
                let number = country.number(&mut rng).to_string();
                let national = number.strip_prefix(country.calling).expect("calling code");
                assert_eq!(national.len(), country.national_digits, "{number}");
                let planted = |p: &&str| national.starts_with(&format!("{p}{PLANTED_MARK}"));
                assert!(country.prefixes.iter().any(planted), "{number}");
            }
        }
    }

    #[test]
    fn a_flooded_prefix_is_kept() {
        let nigeria = &COUNTRIES[index_of("NG").expect("NG")];
        let number = nigeria.number_with_prefix("234803555", &mut Rng::new(1)).to_string();
        assert!(number.starts_with("234803555") && number.len() == 13, "{number}");
    }
}

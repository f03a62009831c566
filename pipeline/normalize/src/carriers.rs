//! Names of carriers: `schemas/carriers.csv`, a file of the user's in the same form, and the names
//! in the registry of operators.
//!
//! ```text
//! "T-MOBILE USA, INC."  US ─► TMOBILEUSA ─► user's rows ─► our rows ─► the registry's names of US
//! ```
//! The first row that fits decides: in each table those of the country before those of all, a whole
//! name before the longest beginning. What fits nowhere stays as the vendor writes it, trimmed.
//! A network's name goes the same way, as the registry has one carrier under several names
//! (`Verizon Wireless`, a list of brands). Lookups allocate nothing.

use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;

use crate::operators::{self, Operator, fields};

const TABLE: &str = include_str!("../../../schemas/carriers.csv");
/// Names that are kept once they were looked up: more than a country's carriers, and what is no
/// carrier's name must not fill the memory.
const KNOWN_MAX: usize = 1_024;
/// Longest name that is looked up, in bytes without punctuation.
const NAME_MAX: usize = 96;
/// Forms of companies, without punctuation.
const FORMS: [&str; 28] = [
    "INC",
    "LLC",
    "LTD",
    "LIMITED",
    "LP",
    "CORP",
    "CORPORATION",
    "CO",
    "COMPANY",
    "PLC",
    "GMBH",
    "AG",
    "KG",
    "SE",
    "SA",
    "SAS",
    "SPA",
    "SRL",
    "SL",
    "SLU",
    "BV",
    "NV",
    "AB",
    "AS",
    "OY",
    "DOO",
    "PTY",
    "PJSC",
];
/// Rows of all countries.
const EVERYWHERE: [u8; 2] = [0; 2];

static BUILT_IN: LazyLock<Arc<Carriers>> = LazyLock::new(|| Arc::new(Carriers::of(None)));
static OURS: LazyLock<Table> = LazyLock::new(|| Table::read(TABLE).unwrap_or_default());
static REGISTRY: LazyLock<Table> = LazyLock::new(registry);

/// What carriers are called here.
#[derive(Debug)]
pub struct Carriers {
    /// The user's rows.
    own: Option<Table>,
    /// What the registry's names are called here where that is another name, by position there;
    /// empty for no carrier.
    networks: Vec<Option<Box<str>>>,
}

impl Carriers {
    /// Ours and the registry's.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    /// With rows of the user's before ours.
    ///
    /// # Errors
    /// The line that is no row, and why.
    pub fn with(text: &str) -> Result<Self, String> {
        Table::read(text).map(|own| Self::of(Some(own)))
    }

    fn of(own: Option<Table>) -> Self {
        let mut carriers = Self { own, networks: Vec::new() };
        let renamed = |operator: &Operator| {
            let name = carriers.canonical(operator.name, operator.country).unwrap_or("");
            Some(name).filter(|name| *name != operator.name).map(Into::into)
        };
        carriers.networks = operators::all().iter().map(renamed).collect();
        carriers
    }

    /// The name of a network; empty where it is no carrier's.
    pub(crate) fn of_network(&self, operator: &Operator) -> &str {
        let renamed = self.networks.get(operator.at).and_then(Option::as_deref);
        renamed.unwrap_or(operator.name)
    }

    /// The one name of a carrier that an event names; `None` where the name says nothing.
    pub(crate) fn canonical<'n>(&'n self, told: &'n str, country: Option<&str>) -> Option<&'n str> {
        let told = told.trim();
        let country = country.unwrap_or("");
        let found = Folded::new(told).and_then(|name| {
            let own = self.own.as_ref().and_then(|own| own.find(&name, country));
            own.or_else(|| OURS.find(&name, country)).or_else(|| REGISTRY.find(&name, country))
        });
        Some(found.unwrap_or(told)).filter(|name| !name.is_empty())
    }
}

/// Names that were looked up: they repeat, and folding one takes longer than finding it again. Its
/// `Debug` shows none, as a vendor may write anything there.
#[derive(Default)]
pub(crate) struct KnownCarriers(HashMap<Name, Option<Arc<str>>>);

impl KnownCarriers {
    /// As [`Carriers::canonical`], always of the same carriers.
    pub(crate) fn canonical(
        &mut self,
        carriers: &Carriers,
        told: &str,
        country: Option<&str>,
    ) -> Option<Arc<str>> {
        let of = country.and_then(country_key).unwrap_or(EVERYWHERE);
        if let Some(known) = self.0.get(&Lookup(of, told.as_bytes())) {
            return known.clone();
        }
        let found = carriers.canonical(told, country).map(Arc::from);
        if told.len() <= NAME_MAX {
            if self.0.len() >= KNOWN_MAX {
                self.0.clear();
            }
            self.0.insert((of, told.as_bytes().into()), found.clone());
        }
        found
    }
}

impl std::fmt::Debug for KnownCarriers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownCarriers({})", self.0.len())
    }
}

/// A country and a folded name.
type Name = ([u8; 2], Box<[u8]>);

/// Rows of one table.
#[derive(Debug, Default)]
struct Table {
    whole: HashMap<Name, Box<str>>,
    /// Beginnings, the longest first.
    beginnings: Vec<(Name, Box<str>)>,
}

impl Table {
    fn read(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line == "name,country,carrier" {
                continue;
            }
            let no_row = |why: &str| format!("line {}: {why}", at + 1);
            let [name, country, carrier] =
                fields(line).ok_or_else(|| no_row("it has to be name,country,carrier"))?;
            let Some(country) = country_key(country.trim()) else {
                return Err(no_row("the country has to be two capital letters, or empty"));
            };
            let (name, is_beginning) =
                name.strip_suffix('*').map_or((name, false), |name| (name, true));
            let key = Folded::new(name).filter(|key| !key.bytes().is_empty());
            let key = key.ok_or_else(|| no_row("its name has no letter, or too many"))?;
            let (key, carrier) = (key.bytes().into(), carrier.trim().into());
            if is_beginning {
                table.beginnings.push(((country, key), carrier));
            } else {
                table.whole.insert((country, key), carrier);
            }
        }
        table.beginnings.sort_by_key(|((_, name), _)| std::cmp::Reverse(name.len()));
        Ok(table)
    }

    /// The carrier of a name: of the country, else of all.
    fn find(&self, name: &Folded, country: &str) -> Option<&str> {
        let of_country = country_key(country).filter(|key| *key != EVERYWHERE);
        let mut keys = of_country.into_iter().chain([EVERYWHERE]);
        keys.find_map(|country| self.find_in(name.bytes(), country))
    }

    fn find_in(&self, name: &[u8], country: [u8; 2]) -> Option<&str> {
        if let Some(carrier) = self.whole.get(&Lookup(country, name)) {
            return Some(carrier);
        }
        let fits = |((of, beginning), _): &&(Name, Box<str>)| {
            *of == country && name.starts_with(beginning)
        };
        self.beginnings.iter().find(fits).map(|(_, carrier)| &**carrier)
    }
}

/// A key of [`Table::whole`] that owns nothing.
#[derive(Hash)]
struct Lookup<'n>([u8; 2], &'n [u8]);

impl hashbrown::Equivalent<Name> for Lookup<'_> {
    fn equivalent(&self, key: &Name) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}

fn country_key(country: &str) -> Option<[u8; 2]> {
    match *country.as_bytes() {
        [] => Some(EVERYWHERE),
        [first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => {
            Some([first, second])
        }
        _ => None,
    }
}

/// The registry's names in each country, then its companies that are no such name; a company of two
/// names has its own.
fn registry() -> Table {
    let (mut table, mut companies) = (Table::default(), HashMap::<Name, Box<str>>::new());
    let key = |operator: &Operator, name: &str| {
        let country = operator.country.and_then(country_key)?;
        let key = Folded::new(name).filter(|key| !key.bytes().is_empty())?;
        Some((country, key.bytes().into()))
    };
    for operator in operators::all() {
        if let Some(key) = key(operator, operator.name) {
            table.whole.entry(key).or_insert_with(|| operator.name.into());
        }
        if let Some(key) = key(operator, operator.company) {
            let known = companies.entry(key).or_insert_with(|| operator.name.into());
            if **known != *operator.name {
                *known = operator.company.trim().into();
            }
        }
    }
    for (company, name) in companies {
        table.whole.entry(company).or_insert(name);
    }
    table
}

/// A name as names are compared: letters and digits in upper case, without the form of the company.
struct Folded {
    bytes: [u8; NAME_MAX],
    len: usize,
}

impl Folded {
    /// `None` where it is too long.
    fn new(name: &str) -> Option<Self> {
        let mut folded = Self { bytes: [0; NAME_MAX], len: 0 };
        // Where the name ends without the forms at its end, and where the last word began.
        let (mut kept, mut word) = (0, 0);
        for char in name.chars() {
            match char {
                // `S.p.A.` and `S.A.` are one word.
                '.' | '\'' => {}
                _ if char.is_alphanumeric() => folded.push(char)?,
                _ if folded.len > word => {
                    kept = folded.end_of(word, kept);
                    word = folded.len;
                }
                _ => {}
            }
        }
        folded.len = folded.end_of(word, kept);
        Some(folded)
    }

    fn push(&mut self, char: char) -> Option<()> {
        let char = char.to_ascii_uppercase();
        let end = self.len + char.len_utf8();
        char.encode_utf8(self.bytes.get_mut(self.len..end)?);
        self.len = end;
        Some(())
    }

    /// Where the name ends after a word: behind it, unless it is a form that is not all of it.
    fn end_of(&self, word: usize, kept: usize) -> usize {
        let text = self.bytes.get(word..self.len).unwrap_or(&[]);
        let is_form = FORMS.iter().any(|form| form.as_bytes() == text);
        if kept > 0 && (text.is_empty() || is_form) { kept } else { self.len }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(name: &str, country: &str) -> Option<String> {
        Carriers::built_in().canonical(name, Some(country)).map(str::to_owned)
    }

    #[test]
    fn every_row_of_the_table_is_read_and_names_a_carrier_of_the_registry() {
        let table = Table::read(TABLE).unwrap();
        assert!(table.whole.len() > 15 && table.beginnings.len() > 30);
        let rows = table.whole.iter().map(|((country, _), carrier)| (country, carrier));
        let rows =
            rows.chain(table.beginnings.iter().map(|((country, _), carrier)| (country, carrier)));
        for (country, carrier) in rows.filter(|(_, carrier)| !carrier.is_empty()) {
            let is_known = operators::all().iter().any(|operator| {
                operator.country.and_then(country_key) == Some(*country)
                    && *operator.name == **carrier
            });
            assert!(is_known, "{carrier} has no network in {country:?}");
        }
    }

    #[test]
    fn telnyxs_spellings_of_one_carrier_are_one() {
        for name in
            ["T-MOBILE USA, INC.", "T-Mobile USA, Inc.", " t-mobile ", "Sprint Spectrum L.P."]
        {
            assert_eq!(canonical(name, "US").as_deref(), Some("T-Mobile"), "{name}");
        }
        for name in ["NEW CINGULAR WIRELESS PCS, LLC - DC", "AT&T Mobility", "AT&T"] {
            assert_eq!(canonical(name, "US").as_deref(), Some("AT&T"), "{name}");
        }
        let verizon = canonical("CELLCO PARTNERSHIP DBA VERIZON WIRELESS - FL", "US");
        assert_eq!(verizon.as_deref(), Some("Verizon"));
    }

    #[test]
    fn a_name_means_its_countrys_carrier() {
        assert_eq!(canonical("T-Mobile", "DE").as_deref(), Some("Telekom"));
        assert_eq!(canonical("vodafone", "GB").as_deref(), Some("Vodafone UK"));
        // From the registry: its brands, and the companies behind them.
        assert_eq!(canonical("COSMOTE", "GR").as_deref(), Some("Cosmote"));
        assert_eq!(canonical("A1 Hrvatska d.o.o.", "HR").as_deref(), Some("A1 HR"));
        assert_eq!(canonical("Proximus", "BE").as_deref(), Some("Proximus"), "no company's name");
    }

    #[test]
    fn an_unknown_name_stays_as_it_is_and_a_word_that_says_nothing_is_none() {
        assert_eq!(canonical(" Example Mobile ", "US").as_deref(), Some("Example Mobile"));
        assert_eq!(canonical("other", "US").as_deref(), Some("other"));
        assert_eq!(canonical(&"x".repeat(200), "US"), Some("x".repeat(200)));
        for name in ["", "  ", "Unknown", "N/A", "unknown carrier"] {
            assert_eq!(canonical(name, "US"), None, "{name}");
        }
    }

    #[test]
    fn a_name_that_is_known_is_what_it_was_and_its_country_is_part_of_it() {
        let carriers = Carriers::built_in();
        let mut known = KnownCarriers::default();
        let told =
            ["T-Mobile", " T-Mobile", "unknown", "", "Example Mobile", "x".repeat(200).as_str()]
                .map(str::to_owned);
        for _ in 0..2 {
            for (name, country) in told.iter().flat_map(|name| {
                [None, Some("US"), Some("DE"), Some("??"), Some("")].map(|country| (name, country))
            }) {
                let asked = known.canonical(&carriers, name, country);
                assert_eq!(
                    asked.as_deref(),
                    carriers.canonical(name, country),
                    "{name} {country:?}"
                );
            }
        }
        for at in 0..3 * KNOWN_MAX {
            known.canonical(&carriers, &format!("carrier {at}"), None);
            assert!(known.0.len() <= KNOWN_MAX);
        }
        assert_eq!(known.canonical(&carriers, "T-Mobile", Some("DE")).as_deref(), Some("Telekom"));
        assert!(!format!("{known:?}").contains("Telekom"));
    }

    #[test]
    fn the_form_of_a_company_is_no_part_of_its_name() {
        let folded = |name| String::from_utf8(Folded::new(name).unwrap().bytes().to_vec()).unwrap();
        assert_eq!(folded("Orange S.A."), "ORANGE");
        assert_eq!(folded("East Kentucky Network, LLC"), "EASTKENTUCKYNETWORK");
        assert_eq!(folded("Telekom Deutschland GmbH & Co. KG"), "TELEKOMDEUTSCHLAND");
        assert_eq!(folded("Co"), "CO", "something has to stay");
        assert_eq!(folded("SA Telecom"), "SATELECOM");
        assert_eq!(folded("Telefônica"), "TELEFôNICA");
        assert_eq!(folded("-"), "");
    }

    #[test]
    fn rows_of_the_user_stand_before_ours_and_rename_networks() {
        let text =
            "# mine\nname,country,carrier\nT-Mobile*,US,Magenta\nExample*,,\"Example, all\"\n";
        let carriers = Carriers::with(text).unwrap();
        assert_eq!(carriers.canonical("T-MOBILE USA, INC.", Some("US")), Some("Magenta"));
        assert_eq!(carriers.canonical("example mobile", None), Some("Example, all"));
        assert_eq!(carriers.canonical("AT&T Wireless", Some("US")), Some("AT&T"), "ours");
        let network = |mcc, mnc| operators::find(mcc, mnc).unwrap();
        assert_eq!(carriers.of_network(&network("310", "260")), "Magenta");
        assert_eq!(carriers.of_network(&network("310", "410")), "AT&T");
        assert_eq!(carriers.of_network(&network("310", "590")), "Verizon", "ours");
    }

    #[test]
    fn a_carriers_networks_have_the_name_that_its_texts_have() {
        let carriers = Carriers::built_in();
        for operator in operators::all() {
            let of_text = carriers.canonical(operator.name, operator.country);
            assert_eq!(carriers.of_network(operator), of_text.unwrap_or(""), "{operator:?}");
        }
        for (mcc, mnc, carrier) in [
            ("302", "220", "Telus"),
            ("302", "221", "Telus"),
            ("302", "520", "Videotron"),
            ("310", "590", "Verizon"),
            ("312", "240", "T-Mobile"),
            ("313", "030", "AT&T"),
            ("235", "94", "3"),
            ("206", "09", "Proximus"),
        ] {
            let network = operators::find(mcc, mnc).unwrap();
            assert_eq!(carriers.of_network(&network), carrier, "{mcc}-{mnc}");
        }
    }

    #[test]
    fn a_code_that_is_for_internal_use_or_nobodys_names_no_carrier() {
        for (mcc, mnc) in [("999", "99"), ("999", "999"), ("901", "02")] {
            let network = operators::find(mcc, mnc).unwrap();
            assert_eq!(Carriers::built_in().of_network(&network), "", "{mcc}-{mnc}");
        }
        assert_eq!(canonical("Internal use", ""), None);
    }

    #[test]
    fn a_line_that_is_no_row_is_told() {
        let told = |text| Carriers::with(text).map(|_| ()).unwrap_err();
        assert!(told("a,US\n").starts_with("line 1: "), "{}", told("a,US\n"));
        assert!(told("# x\na,usa,b\n").contains("line 2: the country"));
        assert!(told("*,US,b\n").contains("no letter"));
    }
}

//! The catalogue: every variant has a fixture that gives what it says.

use std::path::Path;

use model::vocabulary::Source;
use normalize::catalogue::{self, Gives};

use crate::fixtures::{Case, run};

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

#[test]
fn every_variant_has_fixtures_that_give_what_it_says() {
    for source in Source::ALL {
        let module = catalogue::of(*source);
        assert!(!module.variants.is_empty(), "{source}");
        assert!(module.document.starts_with("https://"), "{source}");
        for variant in module.variants {
            assert!(!variant.fixtures.is_empty(), "{source} {} has no fixture", variant.name);
            for name in variant.fixtures {
                let path = fixtures().join(source.as_str()).join(name);
                let tally = run(Some(*source), &[Case::file(&path)]).tallies.remove(0);
                let what = format!("{source} {} {name}", variant.name);
                assert_eq!(tally.events > 0, variant.gives == Gives::Events, "{what}");
                assert_eq!(tally.charges > 0, variant.gives == Gives::Charges, "{what}");
                let gives = matches!(variant.gives, Gives::Events | Gives::Charges);
                assert!(gives || tally.ignored > 0, "{what}");
            }
        }
    }
}

#[test]
fn lists_of_documented_fields_are_sorted_and_hold_no_value() {
    for source in Source::ALL {
        let names = catalogue::of(*source).documented;
        assert!(names.is_sorted(), "{source}");
        for name in names {
            let digits = name.bytes().filter(u8::is_ascii_digit).count();
            assert!(!name.is_empty() && digits < 5, "{source} {name}");
        }
    }
}

#[test]
fn the_page_has_every_source_with_its_scheme() {
    let page = catalogue::page(&fixtures()).unwrap();
    for source in Source::ALL {
        let told = normalize::signature::scheme(*source);
        assert!(page.contains(&format!("## {source}\n")) && page.contains(told), "{source}");
    }
}

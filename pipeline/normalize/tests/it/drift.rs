//! What a vendor's change costs. A new field: an increment. A known field with a value of another
//! type: what depends on it, where the oracle of "depends" is `explain`, which tries other values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use model::vocabulary::Source;
use normalize::explain::fields::{Field, Record, Shape, fields};
use normalize::explain::{COMPUTED, Explained, Rows, Trials};

use crate::fixtures::{Case, batch, directory, input, lines, normalizer, run, settings};

/// A fixture and, when it is asked for, where its columns came from.
pub(crate) struct Known {
    source: Source,
    name: String,
    case: Case,
    record: Record,
    explained: OnceLock<Vec<Explained>>,
}

impl Known {
    pub(crate) fn new(source: Source, name: &str) -> Self {
        let case = Case::file(&directory(source).join(name));
        let value = String::from_utf8(case.value.clone()).unwrap();
        let record = Record { value, headers: case.headers.clone() };
        Self { source, name: name.to_owned(), case, record, explained: OnceLock::new() }
    }

    pub(crate) fn explained(&self) -> &[Explained] {
        self.explained.get_or_init(|| {
            let raw = batch(std::slice::from_ref(&self.case));
            let view = raw.view(&raw.records[0]);
            normalize::explain::explain(&settings(), &view, &[input(Some(self.source))]).unwrap()
        })
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        lines(&run(Some(self.source), std::slice::from_ref(&self.case)))
    }
}

/// Fixtures of each variant of each source; large ones repeat one shape and are left out.
fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known = Vec::new();
        for source in Source::ALL {
            let variants = normalize::catalogue::of(*source).variants.iter();
            let names = variants.flat_map(|variant| variant.fixtures);
            let all = names.map(|name| Known::new(*source, name));
            let before = known.len();
            known.extend(all.filter(|known| known.lines().len() <= 6));
            assert!(known.len() > before, "{source}");
        }
        known
    })
}

fn case(known: &Known, record: Record) -> Case {
    Case { headers: record.headers, value: record.value.into_bytes(), ..known.case.clone() }
}

fn unknown(source: Source, case: Case) -> (u64, Vec<String>) {
    let mut normalizer = normalizer();
    normalizer.batch(&batch(&[case]), &[input(Some(source))]).unwrap();
    let found = normalizer.unknown_fields().remove(&source).unwrap_or_default();
    (found.total, found.named.into_keys().collect())
}

/// Fields that stand in fixtures to be unknown.
const NEW: &[&str] = &["odd", "x", "hello", "sub", "date"];

#[test]
fn documented_fields_are_not_new() {
    for (source, path) in crate::fixtures::files() {
        let (_, names) = unknown(source, Case::file(&path));
        let new: Vec<_> = names
            .into_iter()
            .filter(|name| !NEW.contains(&name.rsplit('.').next().unwrap()))
            .collect();
        assert_eq!(new, [""; 0], "{source} {}", path.display());
    }
}

/// A new field in every object of a payload is counted by all sources, and changes nothing.
#[test]
fn a_new_field_is_counted_and_costs_nothing() {
    let mut counted = BTreeSet::new();
    let mut wrong = Vec::new();
    for known in known() {
        let expected = known.lines();
        if expected.is_empty() {
            continue;
        }
        let (before, _) = unknown(known.source, known.case.clone());
        for field in fields(&known.record) {
            let Some(body) = field.text.strip_prefix('{').filter(|_| field.shape == Shape::Nested)
            else {
                continue;
            };
            // The sender's own text, which a column repeats.
            if field.path.ends_with("message_metadata") {
                continue;
            }
            let comma = if body.trim_start().starts_with('}') { "" } else { "," };
            let added = format!("{{\"brandNew\":{{\"a\":[1]}}{comma}{body}");
            let changed = case(known, field.put(&known.record, &added));
            let mut found = lines(&run(Some(known.source), &[changed.clone()]));
            for (line, expected) in found.iter_mut().zip(&expected) {
                line["payload_sha256"] = expected["payload_sha256"].clone();
            }
            if found != expected {
                wrong.push(format!("{} {} {}", known.source, known.name, field.path));
            }
            let (total, names) = unknown(known.source, changed);
            if total > before {
                assert!(names.iter().any(|name| name.ends_with("brandNew")), "{names:?}");
                counted.insert(known.source);
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    let all: BTreeSet<_> = Source::ALL.iter().copied().collect();
    assert_eq!(counted, all, "sources whose new fields are counted");
}

#[test]
fn new_parameters_of_forms_queries_and_columns_of_tables_are_counted() {
    let form = "MessageSid=SM1&MessageStatus=sent&BrandNew=1&BrandNew=2";
    let get =
        Case::value("").header("method", "GET").header("url", &format!("https://a.b/?{form}"));
    for case in [Case::value(form), get] {
        assert_eq!(unknown(Source::Twilio, case), (2, vec!["BrandNew".to_owned()]));
    }
    let table = "message_id,status,brand_new,447700900143\nm,delivered,1,2\nn,failed,3,4\n";
    let names = vec!["brand_new".to_owned()];
    assert_eq!(unknown(Source::Vonage, Case::value(table)), (2, names), "once a table, not a row");
}

/// Columns that the source's rules tie to whatever identifies the event.
const OF_IDENTITY: &[&str] = &["event_id", "message_key", "payload_sha256"];

const OTHER_TYPES: [&str; 11] =
    ["null", "true", "[]", "{}", "\"q\"", "\"\"", "-1", "7", "1e999", "[[{}]]", "{\"a\":{}}"];

/// What depends on a field, by `explain`; of an object also what depends on the fields inside.
fn depends(known: &Known, element: u32, field: &Field) -> BTreeSet<&'static str> {
    let inside = |path: &str| {
        path == field.path
            || path.strip_prefix(field.path.as_str()).is_some_and(|rest| {
                field.shape == Shape::Nested
                    && (field.path.is_empty() || rest.starts_with(['.', '[']))
            })
    };
    let explained =
        known.explained().iter().find(|explained| explained.element == element).unwrap();
    let columns = explained
        .columns
        .iter()
        .filter(|(_, paths)| paths.iter().any(|path| path.split(" or ").any(inside)));
    columns.map(|(column, _)| *column).collect()
}

/// Why a changed record is wrong for one of its events, if it is.
fn complaints(known: &Known, field: &Field, base: &Rows, trial: &Rows) -> Vec<&'static str> {
    let mut complaints = Vec::new();
    for (element, row) in base {
        let depends = depends(known, *element, field);
        let Some(changed) = trial.get(element) else {
            // Its id or its status is gone, or it is another kind of payload now.
            let vital = ["message_id", "status", "vendor_status"];
            if !vital.iter().any(|column| depends.contains(column)) {
                complaints.push("the event is gone");
            }
            continue;
        };
        let differs = row.iter().filter(|(column, held)| changed.get(*column) != Some(held));
        complaints.extend(differs.map(|(column, _)| *column).filter(|column| {
            !depends.contains(column) && !OF_IDENTITY.contains(column) && *column != "offset"
        }));
    }
    complaints
}

#[test]
fn a_known_field_of_another_type_costs_what_depends_on_it() {
    let mut wrong: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for known in known() {
        let raw = batch(std::slice::from_ref(&known.case));
        let inputs = [input(Some(known.source))];
        let mut trials = Trials::new(&settings(), &raw.view(&raw.records[0]), &inputs);
        let base = trials.run(std::slice::from_ref(&known.record)).unwrap().remove(0);
        for field in fields(&known.record).iter().filter(|field| field.shape != Shape::Text) {
            let changed = OTHER_TYPES.map(|token| field.put(&known.record, token));
            for (token, trial) in OTHER_TYPES.iter().zip(trials.run(&changed).unwrap()) {
                for complaint in complaints(known, field, &base, &trial) {
                    let path = field.path.replace(|c: char| c.is_ascii_digit(), "N");
                    let key = format!("{} {path}: {complaint}", known.source);
                    wrong.entry(key).or_default().insert(format!("{} {token}", known.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_column_is_explained() {
    let computed: BTreeSet<_> = COMPUTED.iter().map(|(column, _)| *column).collect();
    let mut unexplained = BTreeSet::new();
    for known in known() {
        let expected = known.lines();
        assert_eq!(known.explained().len(), expected.len(), "{} {}", known.source, known.name);
        for (explained, line) in known.explained().iter().zip(&expected) {
            for (column, value) in line.as_object().unwrap() {
                let told = explained.columns.get(column.as_str());
                assert_eq!(told.is_none(), value.is_null(), "{column}");
                if told.is_some_and(Vec::is_empty) {
                    assert!(!computed.contains(column.as_str()));
                    unexplained.insert(format!("{} {} {column}", known.source, known.name));
                }
            }
        }
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
}

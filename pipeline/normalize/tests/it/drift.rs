//! What a vendor's change costs. A new field: an increment. A known field with a value of another
//! type: what depends on it, where the oracle of "depends" is `explain`, which tries other values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use model::vocabulary::Source;
use normalize::explain::fields::{Field, Record, Shape, fields};
use normalize::explain::{COMPUTED, Explained, Row, RowId, Rows, Trials};

use crate::fixtures::{Case, batch, charges, directory, input, lines, normalizer, run, settings};

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

    /// Without damage: elements shift when more is damaged.
    fn is_whole(&self) -> bool {
        run(Some(self.source), std::slice::from_ref(&self.case)).dead.is_empty()
    }

    /// Rows by element: its event, then its charges.
    fn lines(&self) -> Vec<serde_json::Value> {
        rows(self.source, &self.case)
    }
}

fn rows(source: Source, case: &Case) -> Vec<serde_json::Value> {
    let given = run(Some(source), std::slice::from_ref(case));
    let mut rows = [lines(&given), charges(&given)].concat();
    rows.sort_by_key(|row| row["element"].as_u64());
    rows
}

/// A fixture of each variant of each source; large ones repeat one shape and are left out.
fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known = Vec::new();
        for source in Source::ALL {
            let before = known.len();
            for variant in normalize::catalogue::of(*source).variants {
                let all = variant.fixtures.iter().map(|name| Known::new(*source, name));
                known.extend(all.filter(|known| known.lines().len() <= 6).take(1));
            }
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

/// Fields that stand in fixtures to be unknown, without a name, how many: those of a record with
/// damage, or of too many digits.
const NEW_UNNAMED: &[(Source, &str, u64)] = &[
    (Source::Sinch, "recipient_missing.json", 1), // odd
    (Source::Telnyx, "webhook_others.json", 2),   // odd, payload.x
    (Source::Smpp, "pdu.json", 1),                // tlv.0x1401
    (Source::Smpp, "pdu_variants.json", 1),       // smpp.sub
    (Source::AzureAcs, "not_reports.json", 1),    // hello
    (Source::Fcm, "not_fcm.json", 1),             // hello
    (Source::Fcm, "wrapped_variants.json", 1),    // date
    (Source::Webpush, "flat_lines.json", 1),      // hello
];

#[test]
fn documented_fields_are_not_new() {
    let (mut new, mut unnamed) = (BTreeSet::new(), BTreeSet::new());
    for (source, path) in crate::fixtures::files() {
        let (total, names) = unknown(source, Case::file(&path));
        if total > 0 && names.is_empty() {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            unnamed.insert((source, file, total));
        }
        new.extend(names.into_iter().map(|name| (source, name)));
    }
    assert_eq!(new, BTreeSet::new());
    let expected = NEW_UNNAMED.iter();
    let expected = expected.map(|(source, file, total)| (*source, (*file).to_owned(), *total));
    assert_eq!(unnamed, expected.collect());
}

#[test]
fn metas_documented_fields_are_not_new_at_gupshup() {
    for name in ["envelope_statuses.json", "pricing.json", "failed.json", "group.json"] {
        let meta = Case::file(&directory(Source::Whatsapp).join(name));
        let (total, names) = unknown(Source::Gupshup, meta);
        assert_eq!((total, names), (0, Vec::new()), "{name}");
    }
}

const WHOLE: &str = "documented as a whole; no column needs what is inside";
const SENDERS: &str = "the sender's own: any name may stand there";
const HEADERS: &str = "headers: any name may stand there";
const NO_OBJECT: &str = "a scalar of another type in this fixture";

/// Objects in which a new field is not counted, and why.
const UNREAD: &[(Source, &[&str], &str)] = &[
    (Source::Twilio, &["messages[N].price"], NO_OBJECT),
    (Source::Infobip, &["platform", "results[N].platform"], WHOLE),
    (Source::Infobip, &["results[N].content", "results[N].content[N]"], WHOLE),
    (Source::Infobip, &["results[N].conversation"], "that it is there says enough"),
    (Source::Sinch, &["message_submit_notification.submitted_message.text_message"], WHOLE),
    (Source::Vonage, &["_links", "workflow"], WHOLE),
    (Source::Telnyx, &["cost_breakdown.rate", "data.payload.cost_breakdown.rate"], WHOLE),
    (Source::Telnyx, &["meta"], WHOLE),
    (Source::Telnyx, &["data.result[N]"], "a report's dimensions: each is a part of the line's id"),
    (Source::Plivo, &["meta"], WHOLE),
    (Source::Messagebird, &["links", "typeDetails"], WHOLE),
    (Source::Bird, &["data.metadata", "data.tags[N]"], SENDERS),
    (Source::Bandwidth, &["pageInfo"], WHOLE),
    (Source::GoogleRbm, &["attributes", "message.attributes"], WHOLE),
    (Source::GoogleRbm, &["contentMessage", "request"], SENDERS),
    (Source::GoogleRbm, &["headers"], HEADERS),
    (Source::AwsEum, &["context", "[N].context", "detail.context", "Message.context"], SENDERS),
    (Source::AwsEum, &["Records[N].data.context"], SENDERS),
    (Source::AwsEum, &["Records[N].kinesis.data.context"], SENDERS),
    (Source::AwsEum, &["logEvents[N].message.context"], SENDERS),
    (Source::AwsEum, &["[N].rcsMetadata"], WHOLE),
    (Source::AwsPinpoint, &["MessageAttributes"], SENDERS),
    (Source::AwsPinpoint, PINPOINTS_CLIENTS, WHOLE),
    (Source::AwsPinpoint, &["attributes.customer_context"], SENDERS),
    (Source::AwsPinpoint, &["[N].attributes.customer_context"], SENDERS),
    (Source::AwsPinpoint, &["Message.attributes.customer_context"], SENDERS),
    (Source::Fcm, &["request.message.notification"], SENDERS),
    (Source::Fcm, &["headers"], HEADERS),
    (Source::Apns, &["request", "[N].request"], SENDERS),
    (Source::Apns, &["headers", "[N].headers"], HEADERS),
    (Source::Apns, &["request.headers", "[N].request.headers"], HEADERS),
    (Source::Webpush, &["request", "[N].request"], SENDERS),
    (Source::Webpush, &["headers", "[N].headers"], HEADERS),
    (Source::Webpush, &["request.headers", "[N].request.headers"], HEADERS),
    (Source::Webpush, &["[N].keys", "[N].subscription.keys"], WHOLE),
    (Source::Webpush, &["[N].status"], NO_OBJECT),
    (Source::Onesignal, &["message.contents", "message.title"], "texts by language"),
    (Source::Braze, &["[N].metadata"], "of the postback without an id: it is dead before"),
    (Source::Braze, &["campaign_id", "dispatch_id"], NO_OBJECT),
    (Source::Braze, &["external_user_id", "to_phone_number"], NO_OBJECT),
];

/// What an app's SDK tells of itself.
const PINPOINTS_CLIENTS: &[&str] = &[
    "application",
    "application.sdk",
    "client",
    "device",
    "device.platform",
    "session",
    "[N].application",
    "[N].application.sdk",
    "[N].client",
    "[N].device",
    "[N].device.platform",
    "[N].session",
    "Message.application",
    "Message.application.sdk",
    "Message.client",
    "Message.device",
    "Message.device.platform",
    "Message.session",
];

/// A new field is counted in every object of a payload, and changes nothing.
#[test]
fn a_new_field_is_counted_and_costs_nothing() {
    let mut uncounted = BTreeSet::new();
    let mut wrong = Vec::new();
    for known in known() {
        let expected = known.lines();
        if expected.is_empty() {
            continue;
        }
        let (before, _) = unknown(known.source, known.case.clone());
        for field in fields(&known.record) {
            let Some(changed) = with_a_new_field(known, &field) else { continue };
            let mut found = rows(known.source, &changed);
            for (line, expected) in found.iter_mut().zip(&expected) {
                line["payload_sha256"] = expected["payload_sha256"].clone();
            }
            if found != expected {
                wrong.push(format!("{} {} {}", known.source, known.name, field.path));
            }
            let (total, names) = unknown(known.source, changed);
            if total > before {
                // Of a record with damage no names are kept.
                let is_named = names.iter().any(|name| name.ends_with("brandNew"));
                assert_eq!(is_named, known.is_whole(), "{} {}", known.source, known.name);
            } else {
                uncounted.insert((known.source, numberless(&field.path)));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    let unread = UNREAD
        .iter()
        .flat_map(|(source, paths, _)| paths.iter().map(|path| (*source, (*path).to_owned())));
    let unread: BTreeSet<_> = unread.collect();
    assert_eq!(uncounted, unread, "objects in which a new field is not counted");
}

/// The fixture with a new field in one of its objects.
fn with_a_new_field(known: &Known, field: &Field) -> Option<Case> {
    let body = field.text.strip_prefix('{').filter(|_| field.shape == Shape::Nested)?;
    // The sender's own text, which a column repeats.
    if field.path.ends_with("message_metadata") {
        return None;
    }
    let comma = if body.trim_start().starts_with('}') { "" } else { "," };
    let added = format!("{{\"brandNew\":{{\"a\":[1]}}{comma}{body}");
    Some(case(known, field.put(&known.record, &added)))
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

/// Columns that the source's rules tie to whatever identifies the row, or that tell its place.
const OF_IDENTITY: &[&str] =
    &["event_id", "message_key", "line_id", "charge_id", "payload_sha256", "offset", "element"];

/// Columns that follow from another one.
const FOLLOWS: &[(&str, &str)] = &[
    ("price_unit", "price"),
    ("currency", "price"),
    ("token_key_id", "recipient_token"),
    ("recipient_prefix", "recipient_token"),
    ("security", "channel"),
    ("receipt_class", "channel"),
    ("is_final", "status"),
    ("error_class", "status"),
    ("error_class", "error_code"),
    ("event_time_source", "event_time"),
];

/// What a field decides by being there, whatever its value.
const BY_BEING_THERE: &[(Source, &str, &str)] = &[
    (Source::Bandwidth, "[N].message.to", "channel"), // several recipients make it MMS
    (Source::Messagebird, "items[N].mediaUrls", "channel"), // media make it MMS
    (Source::Infobip, "results[N].contact", "channel"), // a contact makes it WhatsApp
    (Source::Infobip, "results[N].seenAt", GONE),     // without it, it is no seen report
    (Source::Infobip, "response.columns[N]", GONE),   // cells have no names without it
    (Source::Gupshup, "type", GONE),                  // says what kind of event it is
    (Source::Sinch, "recipient", GONE),               // names the message, with its batch
    (Source::Telnyx, "cost", GONE),                   // a fee is a part of it
    (Source::Telnyx, "data.payload.cost", GONE),
];

const OTHER_TYPES: [&str; 11] =
    ["null", "true", "[]", "{}", "\"q\"", "\"\"", "-1", "7", "1e999", "[[{}]]", "{\"a\":{}}"];

fn numberless(path: &str) -> String {
    path.replace(|c: char| c.is_ascii_digit(), "N")
}

/// What depends on a field, by `explain`; of an object also what depends on the fields inside.
fn depends(known: &Known, row: RowId, field: &Field) -> BTreeSet<&'static str> {
    let inside = |path: &str| {
        path == field.path
            || path.strip_prefix(field.path.as_str()).is_some_and(|rest| {
                field.shape == Shape::Nested
                    && (field.path.is_empty() || rest.starts_with(['.', '[']))
            })
    };
    let explained = known.explained().iter().find(|explained| explained.row == row).unwrap();
    let paths_of = |paths: &Vec<String>| paths.iter().any(|path| path.split(" or ").any(inside));
    let columns = explained.columns.iter().filter(|(_, paths)| paths_of(paths));
    let mut found: BTreeSet<_> = columns.map(|(column, _)| *column).collect();
    let by_being = BY_BEING_THERE
        .iter()
        .filter(|(source, path, _)| *source == known.source && *path == numberless(&field.path));
    found.extend(by_being.map(|(_, _, column)| *column));
    for (column, of) in FOLLOWS {
        if found.contains(of) {
            found.insert(column);
        }
    }
    found
}

/// The row of a changed record that is the same one: by its identity, else by its place.
fn same<'a>(trial: &'a Rows, base: &Rows, id: RowId) -> Option<&'a Row> {
    let identity = |row: &Row| row.get("event_id").or_else(|| row.get("line_id")).cloned();
    let wanted = identity(&base[&id]);
    let is_wanted = |row: &&Row| identity(row) == wanted;
    let here = trial.get(&id).filter(is_wanted);
    let by_identity = here.or_else(|| trial.values().find(is_wanted));
    let is_another = |row: &&Row| base.values().any(|other| identity(other) == identity(row));
    by_identity.or_else(|| trial.get(&id).filter(|row| !is_another(row)))
}

/// Why a changed record is wrong for one of its rows, if it is.
fn complaints(known: &Known, field: &Field, base: &Rows, trial: &Rows) -> Vec<&'static str> {
    let mut complaints = Vec::new();
    for (id, row) in base {
        let depends = depends(known, *id, field);
        let Some(changed) = same(trial, base, *id) else {
            if !is_vital(known, *id, field) && !depends.contains(GONE) {
                complaints.push(GONE);
            }
            continue;
        };
        let differs = row.iter().filter(|(column, held)| changed.get(*column) != Some(held));
        complaints.extend(
            differs
                .map(|(column, _)| *column)
                .filter(|column| !depends.contains(column) && !OF_IDENTITY.contains(column)),
        );
    }
    complaints
}

/// Whether a row cannot be without a field: what names it, what it says, what it costs. A charge
/// that an event brings goes with it.
fn is_vital(known: &Known, id: RowId, field: &Field) -> bool {
    const OF_EVENTS: &[&str] = &["message_id", "status", "vendor_status"];
    const OF_CHARGES: &[&str] =
        &["amount", "quantity", "unit_price", "sku", "traffic_class", "charge_id"];
    let any = |row, vital: &[&str]| {
        let depends = depends(known, row, field);
        vital.iter().any(|column| depends.contains(column))
    };
    let event = RowId { charge: None, ..id };
    let has_event = known.explained().iter().any(|explained| explained.row == event);
    let with_event = has_event && any(event, OF_EVENTS);
    with_event || id.charge.is_some() && any(id, OF_CHARGES)
}

const GONE: &str = "the row is gone";

/// Whether other values of the same type cost rows too: then it says what kind of payload this is.
fn decides_the_kind(trials: &mut Trials<'_>, record: &Record, field: &Field, base: &Rows) -> bool {
    let others = match field.shape {
        Shape::Nested => return false,
        _ => [field.put_text(record, "q"), field.put(record, "77")],
    };
    let rows = trials.run(&others).unwrap();
    rows.iter().any(|rows| base.keys().any(|id| same(rows, base, *id).is_none()))
}

#[test]
fn a_known_field_of_another_type_costs_what_depends_on_it() {
    let mut wrong: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for known in known().iter().filter(|known| known.is_whole()) {
        let raw = batch(std::slice::from_ref(&known.case));
        let inputs = [input(Some(known.source))];
        let mut trials = Trials::new(&settings(), &raw.view(&raw.records[0]), &inputs);
        let base = trials.run(std::slice::from_ref(&known.record)).unwrap().remove(0);
        // An element that is none is damage, not a field's type.
        let is_field = |field: &&Field| {
            field.shape != Shape::Text && field.path.contains(|c: char| c.is_ascii_alphabetic())
        };
        for field in fields(&known.record).iter().filter(is_field) {
            let is_kind = decides_the_kind(&mut trials, &known.record, field, &base);
            let changed = OTHER_TYPES.map(|token| field.put(&known.record, token));
            for (token, trial) in OTHER_TYPES.iter().zip(trials.run(&changed).unwrap()) {
                let told = complaints(known, field, &base, &trial).into_iter();
                for complaint in told.filter(|complaint| !(is_kind && *complaint == GONE)) {
                    let path = numberless(&field.path);
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
            assert!(explained.is_complete, "{} {}", known.source, known.name);
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

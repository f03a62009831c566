//! The catalogue: what each adapter reads, as data beside it, and the page that is made of it.
//!
//! Each vendor's module has one `CATALOGUE`: the vendor's documents, the payload variants with
//! fixtures of each, and the fields that are documented and needed by no column. The columns that a
//! variant fills are not written down: its fixtures are normalized. Signatures come from
//! `signature`. A variant more is one line more.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::keys::Keyring;
use model::record::{Input, RawBatch, SignatureRule};
use model::vocabulary::Source;

use crate::explain::fields::Record;
use crate::json::Cursor;
use crate::signature;
use crate::{
    NormalizeError, Normalizer, Settings, apns, aws_eum, aws_pinpoint, aws_sns, azure_acs,
    bandwidth, bird, braze, cloudevents, fcm, google_rbm, gsma_maap, gupshup, infobip, kaleyra,
    messagebird, onesignal, plivo, sinch, smpp, telnyx, text, twilio, vonage, webpush, whatsapp,
};

/// One vendor's part of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// The vendor's document.
    pub document: &'static str,
    /// What the vendor sends.
    pub variants: &'static [Variant],
    /// Fields that the vendor documents and no column needs: not new, wherever they stand.
    pub documented: &'static [&'static str],
}

/// What becomes of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Delivery events.
    Events,
    /// Charges and no delivery events.
    Charges,
    /// It is recognised and ignored.
    Nothing,
    /// It tells of money, is recognised and not read yet.
    Billing,
}

/// A kind of payload.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The vendor's name of it, and its format.
    pub name: &'static str,
    /// What becomes of it.
    pub gives: Gives,
    /// Files below `fixtures/<source>/`.
    pub fixtures: &'static [&'static str],
}

/// A variant that gives events.
pub(crate) const fn events(name: &'static str, fixtures: &'static [&'static str]) -> Variant {
    Variant { name, gives: Gives::Events, fixtures }
}

/// A variant that is recognised and ignored.
pub(crate) const fn ignored(name: &'static str, fixtures: &'static [&'static str]) -> Variant {
    Variant { name, gives: Gives::Nothing, fixtures }
}

/// A variant that gives charges.
pub(crate) const fn charges(name: &'static str, fixtures: &'static [&'static str]) -> Variant {
    Variant { name, gives: Gives::Charges, fixtures }
}

/// A variant about money that is recognised and ignored.
pub(crate) const fn billing(name: &'static str, fixtures: &'static [&'static str]) -> Variant {
    Variant { name, gives: Gives::Billing, fixtures }
}

/// A vendor's part.
#[must_use]
pub const fn of(source: Source) -> Module {
    match source {
        Source::Twilio => twilio::CATALOGUE,
        Source::Infobip => infobip::CATALOGUE,
        Source::GoogleRbm => google_rbm::CATALOGUE,
        Source::Whatsapp => whatsapp::CATALOGUE,
        Source::Apns => apns::CATALOGUE,
        Source::Fcm => fcm::CATALOGUE,
        Source::Cloudevents => cloudevents::CATALOGUE,
        Source::Sinch => sinch::CATALOGUE,
        Source::Vonage => vonage::CATALOGUE,
        Source::Telnyx => telnyx::CATALOGUE,
        Source::Plivo => plivo::CATALOGUE,
        Source::Messagebird => messagebird::CATALOGUE,
        Source::Bird => bird::CATALOGUE,
        Source::Bandwidth => bandwidth::CATALOGUE,
        Source::Gupshup => gupshup::CATALOGUE,
        Source::Kaleyra => kaleyra::CATALOGUE,
        Source::GsmaMaap => gsma_maap::CATALOGUE,
        Source::Smpp => smpp::CATALOGUE,
        Source::AwsEum => aws_eum::CATALOGUE,
        Source::AwsPinpoint => aws_pinpoint::CATALOGUE,
        Source::AwsSns => aws_sns::CATALOGUE,
        Source::AzureAcs => azure_acs::CATALOGUE,
        Source::Webpush => webpush::CATALOGUE,
        Source::Onesignal => onesignal::CATALOGUE,
        Source::Braze => braze::CATALOGUE,
    }
}

/// Why the page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A fixture that a variant names.
    #[error("cannot read the fixture {path}: {error}")]
    Fixture {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The normalizer itself failed.
    #[error("normalize a fixture")]
    Normalize(#[from] NormalizeError),
}

const INTRODUCTION: &str = "# Sources

What the adapters in `pipeline/normalize` read, made by `sendtally schemas --sources` from their own
lists, their fixtures and the signature checks. *Columns* are those that at least one event of the
variant's fixtures fills, beside those that every event has, and of variants that give charges those
of `charge_lines`, beside those that every line has. *Billing* says what it tells of money: a price
of the message, its currency, lines of bills. `ingest_time`, `verified` and `verified_reason` follow
from how a record is received; `event_time_source` and `token_key_id` stand beside `event_time` and
`recipient_token`. Every event has
";

/// What every event has: said once above the table.
const ALWAYS: &[&str] = &[
    "event_id",
    "source",
    "message_id",
    "message_key",
    "channel",
    "status",
    "is_final",
    "receipt_class",
    "vendor_status",
    "error_class",
    "traffic_class",
    "security",
    "price_unit",
    "payload_sha256",
    "topic",
    "partition",
    "offset",
    "element",
];
/// What every charge line has beside the columns of that name in [`ALWAYS`].
const ALWAYS_OF_CHARGES: &[&str] = &["line_id", "charge_id", "grain", "kind", "basis"];
/// They follow from how a record is received, or from another column.
const RECEIVED: &[&str] =
    &["ingest_time", "event_time_source", "token_key_id", "verified", "verified_reason"];

/// The page `schemas/sources.md`, from the directory of fixtures.
///
/// # Errors
/// Where a fixture that a variant names cannot be read.
pub fn page(fixtures: &Path) -> Result<String, CatalogueError> {
    let mut page = INTRODUCTION.to_owned();
    // Writing to a String cannot fail.
    let _ =
        writeln!(page, "`{}`; of lines `{}`.", ALWAYS.join("`, `"), ALWAYS_OF_CHARGES.join("`, `"));
    for source in Source::ALL {
        let module = of(*source);
        let _ = writeln!(page, "\n## {source}\n\n<{}>\n", module.document);
        let _ = writeln!(page, "Signature: {}.\n", signature::scheme(*source));
        page.push_str("| variant | gives | columns | billing |\n|---|---|---|---|\n");
        for variant in module.variants {
            let Filled { columns, has_charges } = filled(*source, variant, fixtures)?;
            let gives = match variant.gives {
                Gives::Events => "events",
                Gives::Charges => "charges",
                Gives::Nothing | Gives::Billing => "nothing",
            };
            let billing = match variant.gives {
                Gives::Charges => "charges".to_owned(),
                Gives::Billing => "recognised, not read".to_owned(),
                Gives::Events | Gives::Nothing => {
                    let told = [
                        ("price", columns.contains("price")),
                        ("currency", columns.contains("price") && columns.contains("currency")),
                        ("charges", has_charges),
                    ];
                    let told = told.into_iter().filter(|(_, is_told)| *is_told);
                    told.map(|(word, _)| word).collect::<Vec<_>>().join(", ")
                }
            };
            let shown: Vec<_> = columns
                .iter()
                .filter(|column| ![ALWAYS, ALWAYS_OF_CHARGES, RECEIVED].concat().contains(column))
                .map(|column| format!("`{column}`"))
                .collect();
            let (name, columns) = (variant.name, shown.join(", "));
            let _ = writeln!(page, "| {name} | {gives} | {columns} | {billing} |");
        }
    }
    Ok(page)
}

/// What the fixtures of a variant fill.
#[derive(Debug, Default)]
struct Filled {
    columns: BTreeSet<&'static str>,
    /// Beside events, or alone.
    has_charges: bool,
}

fn filled(source: Source, variant: &Variant, fixtures: &Path) -> Result<Filled, CatalogueError> {
    let mut found = Filled::default();
    for name in variant.fixtures {
        let path = fixtures.join(source.as_str()).join(name);
        let record = fixture(&path).map_err(|error| CatalogueError::Fixture { path, error })?;
        let settings = Settings {
            keyring: Keyring::demo(),
            signatures: Arc::default(),
            regional: Arc::default(),
        };
        let input = Input {
            topic: Arc::from("fixtures"),
            partition: 0,
            source: Some(source),
            account: None,
            signatures: SignatureRule::default(),
        };
        let mut raw = RawBatch::default();
        record.append(&mut raw, 0, 0, None);
        let given = Normalizer::new(settings).batch(&raw, &[input])?;
        let rows = if variant.gives == Gives::Charges { &given.charges } else { &given.events };
        let is_filled = |column: &arrow_array::ArrayRef| {
            (0..rows.num_rows()).any(|row| text::cell(column, row).is_some())
        };
        let filled = text::columns(rows).filter(|(_, column)| is_filled(column));
        found.columns.extend(filled.map(|(name, _)| name));
        found.has_charges |= given.charges.num_rows() > 0;
    }
    Ok(found)
}

/// A fixture: its bytes, or where its name says so a record with headers.
fn fixture(path: &Path) -> Result<Record, std::io::Error> {
    let text = std::fs::read_to_string(path)?;
    let mut record = Record::default();
    if !path.to_string_lossy().ends_with(".record.json") {
        record.value = text;
        return Ok(record);
    }
    let is_record = Cursor::new(&text).object(|cursor, key| match key {
        "value" => {
            record.value = cursor.scalar()?.text().unwrap_or("").to_owned();
            Ok(())
        }
        "headers" => cursor.object(|cursor, name| {
            let value = cursor.scalar()?.text().unwrap_or("").to_owned();
            record.headers.push((name.to_owned(), value));
            Ok(())
        }),
        _ => cursor.skip(),
    });
    is_record.map_err(|at| std::io::Error::other(format!("no record at byte {}", at.at)))?;
    Ok(record)
}

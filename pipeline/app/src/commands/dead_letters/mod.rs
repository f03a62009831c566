//! `sendtally dead-letters`: why, where and how many elements could not be read, and again after a
//! fix.
//!
//! `list` and `show` read what is committed, beside a running process too. A payload is shown only
//! with its key and where it is asked for: it is personal data.

mod letters;

mod take;

mod tale;

mod replay;

use std::io::Write;
use std::path::PathBuf;

use commit::{DataDir, StoreSettings};
use model::time::format_us;
use normalize::vault::{Opened, Vault, VaultError};
use serde_json::{Map, Value, json};
use window::{OutputFormat, Session};

use self::letters::{Letter, Which};
use super::{note, stdout, written};
use crate::cli::{DeadLettersCommand, LettersPlace, ListArgs, ShowArgs, SqlFormat};
use crate::config::{self, Settings};
use crate::failure::{Failure, Outcome};
use crate::place;

pub(crate) fn run(command: &DeadLettersCommand) -> Outcome<()> {
    match command {
        DeadLettersCommand::List(args) => list(args),
        DeadLettersCommand::Show(args) => show(args),
        DeadLettersCommand::Replay(args) => replay::run(args),
    }
}

/// Where the letters are, and by which configuration.
struct Site {
    data: PathBuf,
    store: Option<StoreSettings>,
    settings: Option<Settings>,
}

impl Site {
    fn of(place: &LettersPlace) -> Outcome<Self> {
        let settings = place.config.as_deref().map(config::read).transpose()?;
        let configured = settings.as_ref();
        let data = place.data.clone().or_else(|| Some(configured?.data_dir.clone()));
        let data = data.ok_or_else(|| Failure::usage("give --data DIR or --config FILE"))?;
        let named = place.store.as_deref().map(StoreSettings::at);
        let store = named.or_else(|| configured?.store.clone());
        Ok(Self { data, store, settings })
    }

    fn read(&self) -> Outcome<DataDir> {
        place::read(&self.data, self.store.as_ref())
    }

    /// The configuration's keys, else the environment's.
    fn vault(&self) -> Outcome<Option<std::sync::Arc<Vault>>> {
        match &self.settings {
            Some(settings) => Ok(settings.vault.clone()),
            None => config::dead_letters::vault(None),
        }
    }
}

fn list(args: &ListArgs) -> Outcome<()> {
    let which = Which::of(&args.filter)?;
    let session = letters::open(&Site::of(&args.place)?.read()?)?;
    let format = match args.format {
        SqlFormat::Table => OutputFormat::Table,
        SqlFormat::Csv => OutputFormat::Csv,
        SqlFormat::Json => OutputFormat::Json,
        SqlFormat::Arrow => OutputFormat::Arrow,
    };
    let counts = letters::counts(&which);
    let mut out = stdout();
    if args.format == SqlFormat::Table {
        session.write(&counts, OutputFormat::Table, &mut out)?;
    } else {
        let mut text = Vec::new();
        session.write(&counts, OutputFormat::Json, &mut text)?;
        note(String::from_utf8_lossy(&text).trim_end());
    }
    session.write(&letters::rows(&which, args.limit), format, &mut out)?;
    written(out.flush())
}

fn show(args: &ShowArgs) -> Outcome<()> {
    let which = Which::record(&args.position)?;
    let site = Site::of(&args.place)?;
    let session = letters::open(&site.read()?)?;
    let found = letters::read(&session, &which)?;
    let Some(first) = found.first() else {
        return Err(Failure::usage(format!(
            "{} has no dead letter; `sendtally dead-letters list` tells where some are",
            args.position
        )));
    };
    let mut shown = described(first, &found);
    if args.payload {
        let opened = open(&session, &site, first)?;
        note("what follows is a vendor's record as it was sent: personal data");
        let value = (!opened.tombstone).then_some(opened.value.as_slice());
        shown.insert("record".to_owned(), ingest::record_value(value, &opened.headers));
    }
    let mut out = stdout();
    let text = serde_json::to_string_pretty(&Value::Object(shown));
    let text = text.map_err(|error| Failure::protect(format!("cannot show it: {error}")))?;
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Everything but the payload.
fn described(first: &Letter, letters: &[Letter]) -> Map<String, Value> {
    let elements: Vec<Value> = letters
        .iter()
        .map(|letter| {
            let replayed = letter.replay_offset.map(|offset| {
                format!("{}/{}/{offset}", take::input_of(&letter.topic), letter.partition)
            });
            json!({
                "element": letter.element,
                "source": letter.source,
                "reason": letter.reason.map(model::vocabulary::DeadReason::as_str),
                "meaning": letter.reason.map(model::vocabulary::DeadReason::meaning),
                "detail": letter.detail,
                "epoch": letter.epoch,
                "replayed_as": replayed,
            })
        })
        .collect();
    let kept = first.kept.as_ref();
    let kept = kept.map(|(key_id, bytes)| json!({"key_id": key_id.to_string(), "bytes": bytes}));
    let mut shown = Map::new();
    shown.insert("topic".to_owned(), json!(first.topic));
    shown.insert("partition".to_owned(), json!(first.partition));
    shown.insert("offset".to_owned(), json!(first.offset));
    shown.insert("ingest_time".to_owned(), json!(first.ingest_time_us.map(format_us)));
    shown.insert("payload_sha256".to_owned(), json!(model::keys::hex(&first.payload_sha256)));
    shown.insert("elements".to_owned(), json!(first.elements));
    shown.insert("kept".to_owned(), kept.unwrap_or(Value::Null));
    shown.insert("letters".to_owned(), Value::Array(elements));
    shown
}

fn open(session: &Session, site: &Site, letter: &Letter) -> Outcome<Opened> {
    let position = letter.position();
    let Some((key_id, _)) = letter.kept else {
        return Err(Failure::usage(format!(
            "the payload of {position} was not kept: neither [dead_letters] key_file nor \
             SENDTALLY_DEAD_LETTER_KEY was given when it was read"
        )));
    };
    let vault = site.vault()?.ok_or_else(|| no_key(&[key_id]))?;
    let sealed = letters::sealed(session, letter)?;
    vault.open(&letter.place(), &sealed).map_err(|error| refused(&position, error))
}

fn refused(position: &str, error: VaultError) -> Failure {
    match error {
        VaultError::UnknownKey(id) => no_key(&[id]),
        _ => Failure::protect(format!("the payload of {position} is damaged: {error}")),
    }
}

/// None of these keys is configured.
fn no_key(ids: &[model::dead_letter::KeyId]) -> Failure {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Failure::usage(format!(
        "the payload is encrypted under key {}, which is not configured: give it by \
         SENDTALLY_DEAD_LETTER_KEY, or by --config with [dead_letters] key_file (older keys on \
         further lines)",
        ids.join(", ")
    ))
}

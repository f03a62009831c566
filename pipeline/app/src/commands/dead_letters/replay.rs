//! `dead-letters replay`: records with dead letters read again, by today's code and configuration;
//! what is readable now goes into the pipeline, each letter once.
//!
//! ```text
//! letters that are open ─► their records, decrypted ─► normalize ─► take (only dead elements)
//!          ▲                                                          │
//!          └──── dead_replays ◄── one epoch: events, ledger line of dead:<topic>, replays
//! ```
//! Exactly once: which letters were replayed is committed in the epoch that has what they gave, and
//! is read under the claim of the directory. A crash leaves whole epochs; another replay goes on
//! after them. A replayed record has a position of its own (`dead:<topic>`, the same partition,
//! offsets from 0), so the ledger's equations hold there as for any input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::clock::SystemClock;
use model::dead_letter::KeyId;
use model::keys::Keyring;
use model::record::Input;
use normalize::vault::{Opened, Vault, VaultError};
use normalize::{Normalizer, Settings as NormalizerSettings};
use serde_json::{Map, json};
use window::Session;

use super::letters::{self, Letter, Which};
use super::take::{self, Taken, Then, decide, restrict};
use super::{Site, no_key};
use crate::cli::ReplayArgs;
use crate::commands::{load, note};
use crate::config::{self, Settings};
use crate::failure::Outcome;
use crate::job::alone::{Alone, Claimed, EPOCH_BYTES};
use crate::job::dead::{Replayed, replays};
use crate::job::inputs::Inputs;
use crate::place;

/// Records of one epoch.
const EPOCH_RECORDS: usize = 4096;
/// Ciphertext that is in memory at once, about.
const FETCH_BYTES: u64 = 16 << 20;
/// Letters named of each kind that was not replayed.
const NAMED: usize = 20;

pub(super) fn run(args: &ReplayArgs) -> Outcome<()> {
    let which = Which::of(&args.filter)?;
    let site = Site::of(&args.place)?;
    let vault = site.vault()?;
    // What is no data directory is refused, not made.
    let mut dir = site.read()?;
    let mut claimed = None;
    if !args.dry_run {
        let owned = place::open(&site.data, site.store.as_ref())?;
        let owner = Claimed::new(owned, "replay", Arc::new(SystemClock))?;
        dir = owner.dir.clone();
        claimed = Some(owner);
    }
    let session = letters::open(&dir)?;
    let mut tale = Tale::default();
    let records = open_records(letters::read(&session, &which)?, vault.as_deref(), &mut tale)?;
    let Some(vault) = vault.filter(|_| !records.is_empty()) else {
        tale.tell(args.dry_run);
        return Ok(());
    };
    let settings = site.settings.as_ref();
    let keyring = match (settings, &claimed) {
        (Some(settings), _) => settings.keyring,
        (None, Some(claimed)) => load::keyring(&claimed.dir)?,
        // Only counted: no id is written.
        (None, None) => Keyring::demo(),
    };
    let memory = settings.map_or(config::TRACK_MEMORY_BYTES, |told| told.track_memory_bytes);
    let job = claimed.map(|claimed| claimed.recover(&keyring, memory)).transpose()?;
    let signatures = settings.map(|settings| Arc::clone(&settings.signatures)).unwrap_or_default();
    let normalizer = Normalizer::new(NormalizerSettings { keyring, signatures })
        .keeping(Some(Arc::clone(&vault)));
    let mut replay = Replay {
        settings,
        vault: &vault,
        normalizer,
        job,
        counting: Inputs::default(),
        replayed: Vec::new(),
        n_records: 0,
        tale,
    };
    replay.all(&session, &records)?;
    replay.finish(args.dry_run)
}

/// A record of which letters are open.
struct Record {
    /// The first of its letters.
    letter: Letter,
    then: Then,
}

/// Records whose letters can be replayed; the others are counted and named.
fn open_records(
    letters: Vec<Letter>,
    vault: Option<&Vault>,
    tale: &mut Tale,
) -> Outcome<Vec<Record>> {
    let known = vault.map(Vault::ids).unwrap_or_default();
    let mut others: BTreeSet<KeyId> = BTreeSet::new();
    let mut records: Vec<Record> = Vec::new();
    for letter in letters {
        tale.letters += 1;
        let (Some((key_id, _)), Some(elements)) = (letter.kept, letter.elements) else {
            let what = if letter.replay_offset.is_some() { ALREADY_REPLAYED } else { NOT_KEPT };
            tale.leave(what, &letter, letter.element);
            continue;
        };
        if letter.replay_offset.is_some() {
            tale.leave(ALREADY_REPLAYED, &letter, letter.element);
            continue;
        }
        if !known.contains(&key_id) {
            others.insert(key_id);
            tale.leave(OTHER_KEY, &letter, letter.element);
            continue;
        }
        match records.last_mut().filter(|record| record.letter.place() == letter.place()) {
            Some(record) => {
                record.then.open.insert(letter.element);
            }
            None => {
                let letters = usize::try_from(letter.record_letters).unwrap_or(usize::MAX);
                let open = BTreeSet::from([letter.element]);
                records.push(Record { letter, then: Then { elements, letters, open } });
            }
        }
    }
    if records.is_empty() && !others.is_empty() {
        return Err(no_key(&others.into_iter().collect::<Vec<_>>()));
    }
    Ok(records)
}

/// A replay on its way; without a job it only counts.
struct Replay<'a> {
    settings: Option<&'a Settings>,
    vault: &'a Vault,
    normalizer: Normalizer,
    job: Option<Alone>,
    /// Inputs where there is no job.
    counting: Inputs,
    /// Letters of the open epoch.
    replayed: Vec<Replayed>,
    n_records: usize,
    tale: Tale,
}

impl Replay<'_> {
    fn all(&mut self, session: &Session, records: &[Record]) -> Outcome<()> {
        for chunk in chunks(records) {
            let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { continue };
            let mut found = letters::sealed_between(session, &first.letter, &last.letter)?;
            for record in chunk {
                let sealed = found.remove(&record.letter.offset);
                let opened = sealed.ok_or(VaultError::Damaged);
                match opened.and_then(|sealed| self.vault.open(&record.letter.place(), &sealed)) {
                    Ok(opened) => self.record(record, &opened)?,
                    Err(_) => self.leave(DAMAGED, record, &record.then.open),
                }
            }
        }
        self.commit()
    }

    fn leave(&mut self, what: &'static str, record: &Record, elements: &BTreeSet<u32>) {
        for element in elements {
            self.tale.leave(what, &record.letter, *element);
        }
    }

    /// Reads one record again and takes of it what was dead and is readable.
    fn record(&mut self, record: &Record, opened: &Opened) -> Outcome<()> {
        let input = self.input(&record.letter, opened);
        let (id, offset) = self.open(input);
        let raw = opened.batch(id, offset);
        let shared = Arc::clone(&self.inputs().shared);
        let now = self.normalizer.batch(&raw, &shared)?;
        let (taken, now) = match decide(&record.then, &now) {
            Taken::Elements(elements) => {
                let left = record.then.open.difference(&elements).copied().collect();
                self.leave(STILL_DEAD, record, &left);
                (elements.clone(), restrict(now, &elements)?)
            }
            Taken::Whole => (record.then.open.clone(), now),
            Taken::StillDead => {
                self.leave(STILL_DEAD, record, &record.then.open);
                return Ok(());
            }
            Taken::Renumbered => {
                self.leave(RENUMBERED, record, &record.then.open);
                return Ok(());
            }
        };
        self.tale.count(taken.len(), &now.tallies);
        let Some(job) = &mut self.job else { return Ok(()) };
        job.core.accept(now, raw.bytes.len(), job.clock.now_us())?;
        let letter = &record.letter;
        self.replayed.extend(taken.into_iter().map(|element| Replayed {
            topic: letter.topic.clone(),
            partition: letter.partition,
            offset: letter.offset,
            element,
            replay_offset: offset,
            time_us: letter.record_time_us.unwrap_or(0),
        }));
        self.n_records += 1;
        if self.n_records >= EPOCH_RECORDS || job.core.bytes() >= EPOCH_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    /// The input under which a letter's record is read again: as its topic is configured now; where
    /// no configuration names it, as it was then.
    fn input(&self, letter: &Letter, opened: &Opened) -> Input {
        let topic = take::topic_of(&letter.topic);
        let topics = self.settings.map(|settings| settings.topics.as_slice()).unwrap_or_default();
        let entry = topics.iter().find(|entry| entry.pattern.is_match(topic));
        let then = (opened.source, opened.account.clone(), opened.signatures);
        let (source, account, signatures) =
            entry.map_or(then, |entry| (entry.source, entry.account.clone(), entry.signatures));
        Input {
            topic: Arc::from(take::input_of(topic)),
            partition: letter.partition,
            source,
            account: account.map(Arc::from),
            signatures,
        }
    }

    fn inputs(&mut self) -> &mut Inputs {
        self.job.as_mut().map_or(&mut self.counting, |job| &mut job.core.inputs)
    }

    /// Id and next offset of an input.
    fn open(&mut self, input: Input) -> (u32, i64) {
        let inputs = self.inputs();
        let known = inputs.find(&input).filter(|at| {
            inputs.states.get(*at).is_some_and(|state| state.live && state.input == input)
        });
        let id = match known {
            Some(at) => u32::try_from(at).unwrap_or(u32::MAX),
            None => inputs.open(input).0,
        };
        let state = inputs.states.get(id as usize);
        (id, state.map_or(0, |state| state.range.end_offset))
    }

    /// Commits what was taken since, with the letters that gave it.
    fn commit(&mut self) -> Outcome<()> {
        let Some(job) = self.job.as_mut().filter(|_| !self.replayed.is_empty()) else {
            return Ok(());
        };
        let rows = replays(&std::mem::take(&mut self.replayed), job.core.epoch)?;
        job.core.add("dead_replays", rows);
        self.n_records = 0;
        let mark = job.core.watermark_us;
        for line in job.close(mark, false)? {
            self.tale.enter(&line);
        }
        Ok(())
    }

    fn finish(self, dry_run: bool) -> Outcome<()> {
        if let Some(job) = self.job {
            let rules = self.settings.map(|settings| settings.lake.clone()).unwrap_or_default();
            job.finish(rules)?;
        }
        self.tale.tell(dry_run);
        Ok(())
    }
}

/// Runs of records of one partition, whose ciphertexts fit into memory together.
fn chunks(records: &[Record]) -> Vec<&[Record]> {
    let mut chunks = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, record) in records.iter().enumerate() {
        let place = |record: &Record| (record.letter.topic.clone(), record.letter.partition);
        let size = record.letter.kept.map_or(0, |(_, bytes)| u64::from(bytes));
        if at > from && (place(record) != place(&records[from]) || bytes + size > FETCH_BYTES) {
            chunks.push(&records[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += size;
    }
    chunks.push(&records[from..]);
    chunks
}

const ALREADY_REPLAYED: &str = "already_replayed";
const STILL_DEAD: &str = "still_dead";
const NOT_KEPT: &str = "not_kept";
const OTHER_KEY: &str = "other_key";
const RENUMBERED: &str = "renumbered";
const DAMAGED: &str = "damaged";

/// What is told of each kind that was not replayed.
const LEFT: [(&str, &str); 6] = [
    (ALREADY_REPLAYED, "were replayed before: nothing to do"),
    (STILL_DEAD, "are dead by today's code and configuration too"),
    (NOT_KEPT, "have no kept payload: no [dead_letters] key_file was configured then"),
    (OTHER_KEY, "are encrypted under another key than those configured"),
    (RENUMBERED, "are in records that today's code splits otherwise, and whose others counted"),
    (DAMAGED, "have a payload that is not as it was written"),
];

/// What became of the letters.
#[derive(Default)]
struct Tale {
    letters: usize,
    replayed: usize,
    records: i64,
    /// Elements of what was taken.
    events: i64,
    ignored: i64,
    new_dead: i64,
    /// By the ledger.
    accepted: i64,
    duplicate: i64,
    late: i64,
    left: BTreeMap<&'static str, (usize, Vec<String>)>,
}

impl Tale {
    fn leave(&mut self, what: &'static str, letter: &Letter, element: u32) {
        let (count, named) = self.left.entry(what).or_default();
        *count += 1;
        if named.len() < NAMED {
            named.push(format!("{} element {element}", letter.position()));
        }
    }

    fn count(&mut self, letters: usize, tallies: &[normalize::Tally]) {
        self.replayed += letters;
        for tally in tallies {
            self.records += tally.records;
            self.events += tally.events;
            self.ignored += tally.ignored;
            self.new_dead += tally.dead;
        }
    }

    fn enter(&mut self, line: &model::manifest::InputRange) {
        self.accepted += line.accepted;
        self.duplicate += line.duplicate;
        self.late += line.late;
    }

    /// Says it for people, then for programs.
    fn tell(&self, dry_run: bool) {
        for (what, text) in LEFT {
            let Some((count, named)) = self.left.get(what) else { continue };
            note(&format!("{count} letters {text}"));
            if what != ALREADY_REPLAYED {
                named.iter().for_each(|name| note(&format!("  {name}")));
            }
        }
        let verb = if dry_run { "would be replayed" } else { "were replayed" };
        note(&format!("{} of {} letters {verb}", self.replayed, self.letters));
        let mut summary = Map::new();
        let numbers = [
            ("letters", json!(self.letters)),
            ("replayed", json!(self.replayed)),
            ("records", json!(self.records)),
            ("events", json!(self.events)),
            ("ignored", json!(self.ignored)),
            ("new_dead", json!(self.new_dead)),
        ];
        summary.extend(numbers.map(|(name, number)| (name.to_owned(), number)));
        if !dry_run {
            let ledger =
                [("accepted", self.accepted), ("duplicate", self.duplicate), ("late", self.late)];
            summary.extend(ledger.map(|(name, count)| (name.to_owned(), json!(count))));
        }
        for (what, _) in LEFT {
            let count = self.left.get(what).map_or(0, |(count, _)| *count);
            summary.insert(what.to_owned(), json!(count));
        }
        note(&json!({"summary": summary}).to_string());
    }
}

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

use ingest::Picker;
use model::clock::SystemClock;
use model::dead_letter::{KeyId, Sealed};
use model::keys::Keyring;
use model::record::Input;
use model::vocabulary::Source;
use normalize::vault::{Opened, Vault};
use normalize::{Normalizer, Settings as NormalizerSettings};
use sha2::{Digest, Sha256};
use window::Session;

use super::letters::{self, Letter, Which};
use super::take::{self, Taken, Then, decide, restrict};
use super::tale::{
    ALREADY_REPLAYED, DAMAGED, GONE, NOT_KEPT, OTHER_KEY, RENUMBERED, STILL_DEAD, Tale,
};
use super::{Site, no_key};
use crate::cli::ReplayArgs;
use crate::commands::{self, load};
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

pub(super) fn run(args: &ReplayArgs) -> Outcome<()> {
    let which = Which::of(&args.filter)?;
    let as_source = commands::source(args.as_source.as_deref())?;
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
    let letters = letters::read(&session, &which)?;
    let records = open_records(letters, vault.as_deref(), args.from_kafka, &mut tale)?;
    if records.is_empty() {
        tale.tell(args.dry_run);
        return Ok(());
    }
    let settings = site.settings.as_ref();
    let keyring = match (settings, &claimed) {
        (Some(settings), _) => settings.keyring,
        (None, Some(claimed)) => load::keyring(&claimed.dir)?,
        // Only counted: no id is written.
        (None, None) => Keyring::demo(),
    };
    let kafka = settings.filter(|_| args.from_kafka).map(|told| Picker::connect(&told.kafka));
    let memory = settings.map_or(config::TRACK_MEMORY_BYTES, |told| told.track_memory_bytes);
    let job = claimed.map(|claimed| claimed.recover(&keyring, memory)).transpose()?;
    let signatures = settings.map(|settings| Arc::clone(&settings.signatures)).unwrap_or_default();
    let regional = settings.map(|settings| Arc::clone(&settings.regional)).unwrap_or_default();
    let told = NormalizerSettings { keyring, signatures, regional };
    let normalizer = Normalizer::new(told).keeping(vault.clone());
    let mut replay = Replay {
        settings,
        as_source,
        vault: vault.as_deref(),
        kafka: kafka.transpose()?,
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
    from_kafka: bool,
    tale: &mut Tale,
) -> Outcome<Vec<Record>> {
    let known = vault.map(Vault::ids).unwrap_or_default();
    let mut others: BTreeSet<KeyId> = BTreeSet::new();
    let mut records: Vec<Record> = Vec::new();
    for letter in letters {
        tale.letters += 1;
        let left = match letter.kept {
            _ if letter.replay_offset.is_some() => Some(ALREADY_REPLAYED),
            // No topic of Kafka has a colon: what was loaded or replayed is not there.
            None if !from_kafka || letter.topic.contains(':') => Some(NOT_KEPT),
            Some((key_id, _)) if !known.contains(&key_id) => {
                others.insert(key_id);
                Some(OTHER_KEY)
            }
            _ => None,
        };
        // Letters of builds that did not count a record's elements have none.
        let (None, Some(elements)) = (left, letter.elements) else {
            tale.leave(left.unwrap_or(NOT_KEPT), &letter, letter.element);
            continue;
        };
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
    /// Of which source the records are, whatever else names one.
    as_source: Option<Source>,
    vault: Option<&'a Vault>,
    /// Where records are that were not kept.
    kafka: Option<Picker>,
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
                match self.opened(&record.letter, &mut found)? {
                    Ok(opened) if self.as_source.is_some() => {
                        // What was verified was another source's.
                        let bare = opened.without_header("source").without_header("verified");
                        self.record(record, &bare)?;
                    }
                    Ok(opened) => self.record(record, &self.asked_anew(record, opened))?,
                    Err(what) => self.leave(what, record, &record.then.open),
                }
            }
        }
        self.commit()
    }

    /// A record whose signature was wrong when it was received, without that verdict, where some
    /// key is configured now that can be asked instead: the old one may have been wrong. A right
    /// one stands.
    fn asked_anew(&self, record: &Record, opened: Opened) -> Opened {
        let Some(settings) = self.settings else { return opened };
        if text_of(&opened, "verified") != Some("false") {
            return opened;
        }
        let input = self.input(&record.letter, &opened);
        let named = text_of(&opened, "source");
        let source = named.map_or(input.source, Source::parse);
        let account = text_of(&opened, "account").or(input.account.as_deref());
        if source.is_some_and(|source| settings.key_holders.cover(source, account)) {
            return opened.without_header("verified");
        }
        opened
    }

    /// The record of a letter: decrypted, or read from Kafka once more; or why there is none.
    fn opened(
        &self,
        letter: &Letter,
        found: &mut BTreeMap<i64, Sealed>,
    ) -> Outcome<Result<Opened, &'static str>> {
        if letter.kept.is_some() {
            let sealed = found.remove(&letter.offset);
            let opened = self.vault.zip(sealed).map(|(vault, it)| vault.open(&letter.place(), &it));
            return Ok(opened.and_then(Result::ok).ok_or(DAMAGED));
        }
        let (Some(kafka), Some(input)) = (&self.kafka, self.configured(letter)) else {
            return Ok(Err(NOT_KEPT));
        };
        let Some(batch) = kafka.record(&letter.topic, letter.partition, letter.offset)? else {
            return Ok(Err(GONE));
        };
        let opened = batch.records.first().map(|record| Opened::of(&batch.view(record), &input));
        let is_same = |opened: &Opened| {
            <[u8; 32]>::from(Sha256::digest(&opened.value)) == letter.payload_sha256
        };
        Ok(opened.filter(is_same).ok_or(GONE))
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
        let input = self.configured(letter).unwrap_or_else(|| Input {
            topic: Arc::from(take::input_of(&letter.topic)),
            partition: letter.partition,
            source: opened.source,
            account: opened.account.as_deref().map(Arc::from),
            signatures: opened.signatures,
        });
        Input { source: self.as_source.or(input.source), ..input }
    }

    fn configured(&self, letter: &Letter) -> Option<Input> {
        let topic = take::topic_of(&letter.topic);
        let entry = self.settings?.topics.iter().find(|entry| entry.pattern.is_match(topic))?;
        Some(Input {
            topic: Arc::from(take::input_of(topic)),
            partition: letter.partition,
            source: entry.source,
            account: entry.account.as_deref().map(Arc::from),
            signatures: entry.signatures,
        })
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

/// The first header of this name, as `normalize` takes it.
fn text_of<'a>(opened: &'a Opened, name: &str) -> Option<&'a str> {
    let mut headers = opened.headers.iter();
    let (_, value) = headers.find(|(told, _)| told.eq_ignore_ascii_case(name.as_bytes()))?;
    std::str::from_utf8(value).ok()
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

#[cfg(test)]
mod tests;

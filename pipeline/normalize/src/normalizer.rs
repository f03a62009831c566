//! The batch loop: each record to its vendor's adapter, each element counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use model::charge::ChargeBatchBuilder;
use model::dead_letter::{DeadLetter, DeadRecord};
use model::event::EventBatchBuilder;
use model::fault::Domain;
use model::keys::Keyring;
use model::record::{Input, RawBatch, RawRecord, RecordView, SignaturePolicy, received_at};
use model::vocabulary::{DeadReason, Source, TimeSource};

use crate::carriers::KnownCarriers;
use crate::counters::Counters;
use crate::drift::{Drift, UnknownFields};
use crate::emit::{Emitter, LastEvent, Origin, dead_max};
use crate::fanout::Room;
use crate::ids::SourceIds;
use crate::payload_hash;
use crate::recipient::LastRecipient;
use crate::record::{self, Scratch};
use crate::regional::Regional;
use crate::signature::{Signatures, Signed, Verdict};
use crate::unpack;
use crate::vault::{Position, Vault, VaultError};

/// Steps that a record's shared texts are searched with, and more for each of its bytes.
const SEARCH_STEPS: usize = 64 << 10;
const SEARCH_STEPS_A_BYTE: usize = 16;

/// What a [`Normalizer`] needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Secrets of message keys and recipient tokens.
    pub keyring: Keyring,
    /// Keys of the vendors' signatures.
    pub signatures: Arc<Signatures>,
    /// Zones of accounts and names of carriers.
    pub regional: Arc<Regional>,
}

/// Turns raw batches into canonical ones; keeps scratch buffers and counts between batches.
#[derive(Debug)]
pub struct Normalizer {
    settings: Settings,
    vault: Option<Arc<Vault>>,
    builder: EventBatchBuilder,
    charges: ChargeBatchBuilder,
    scratch: Scratch,
    counters: Counters,
    last_recipient: LastRecipient,
    last_ids: Option<SourceIds>,
    known_carriers: KnownCarriers,
    drift: Drift,
    new_fields: Vec<(Source, String)>,
}

/// What became of a batch.
#[derive(Debug, Clone)]
pub struct Normalized {
    /// Canonical events, `model::event::CANONICAL_SCHEMA`.
    pub events: RecordBatch,
    /// Lines of bills, `model::charge::LINE_SCHEMA`.
    pub charges: RecordBatch,
    /// What could not be read.
    pub dead: Vec<DeadLetter>,
    /// The records of that.
    pub dead_records: Vec<DeadRecord>,
    /// One row an input that occurs, in the order of their first record.
    pub tallies: Vec<Tally>,
}

/// Records and elements of one input in a batch: `elements = events + charges + ignored + dead`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Which input.
    pub input: u32,
    /// Records.
    pub records: i64,
    /// Smallest offset.
    pub first_offset: i64,
    /// Largest offset.
    pub last_offset: i64,
    /// Leaf elements.
    pub elements: i64,
    /// Elements that gave an event, perhaps with charges.
    pub events: i64,
    /// Elements that gave charges and no event.
    pub charges: i64,
    /// Recognised elements that are no delivery.
    pub ignored: i64,
    /// Dead letters.
    pub dead: i64,
    /// Newest ingest time.
    pub newest_ingest_us: Option<i64>,
}

/// Why a whole batch could not be normalized: never the fault of a payload.
#[derive(Debug, thiserror::Error)]
pub enum NormalizeError {
    /// The columns do not fit together.
    #[error("build the canonical batch")]
    Build(#[from] ArrowError),
    /// A dead letter's record cannot be encrypted.
    #[error("keep the record of a dead letter")]
    Keep(#[from] VaultError),
}

impl NormalizeError {
    /// Going on would lose the batch.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        match self {
            Self::Build(_) | Self::Keep(_) => Domain::Protect,
        }
    }
}

impl Normalizer {
    /// A normalizer with its own scratch; one a thread.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            vault: None,
            builder: EventBatchBuilder::default(),
            charges: ChargeBatchBuilder::default(),
            scratch: Scratch::default(),
            counters: Counters::default(),
            last_recipient: LastRecipient::default(),
            last_ids: None,
            known_carriers: KnownCarriers::default(),
            drift: Drift::default(),
            new_fields: Vec::new(),
        }
    }

    /// Keeps the records of dead letters, encrypted.
    #[must_use]
    pub fn keeping(self, vault: Option<Arc<Vault>>) -> Self {
        Self { vault, ..self }
    }

    /// Counts since this normalizer was made.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts since the last call; they begin anew.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    /// Fields that no adapter knows, by source, since this normalizer was made.
    #[must_use]
    pub fn unknown_fields(&self) -> BTreeMap<Source, UnknownFields> {
        self.drift.counts()
    }

    /// Names of unknown fields that this normalizer met for the first time, since the last call.
    pub fn take_new_fields(&mut self) -> Vec<(Source, String)> {
        std::mem::take(&mut self.new_fields)
    }

    /// One batch of raw records: canonical columns, dead letters and a tally per input.
    ///
    /// # Errors
    /// Where Arrow refuses the columns; a bad payload is a dead letter, never an error.
    pub fn batch(
        &mut self,
        raw: &RawBatch,
        inputs: &[Input],
    ) -> Result<Normalized, NormalizeError> {
        let (mut dead, mut records) = (Vec::new(), Vec::new());
        let mut tallies: Vec<Tally> = Vec::new();
        let mut rows = vec![usize::MAX; inputs.len()];
        for (record, payload_sha256) in raw.records.chunks(2).flat_map(|two| hashed(raw, two)) {
            let at = tally_row(&mut tallies, &mut rows, record);
            let Some(tally) = tallies.get_mut(at) else { continue };
            let (n_dead, n_elements) = (dead.len(), tally.elements);
            self.record((raw.view(record), &payload_sha256), inputs, tally, &mut dead);
            if dead.len() > n_dead {
                let elements = tally.elements - n_elements;
                let mut kept = self.dead_record(&raw.view(record), inputs, elements)?;
                // As its letters have it: a record goes with them.
                kept.ingest_time_us = dead.last().and_then(|letter| letter.ingest_time_us);
                records.push(kept);
            }
        }
        let drift = self.drift.news();
        for (source, count) in drift.counts {
            *self.counters.unknown_fields.entry(source).or_default() += count;
        }
        self.new_fields.extend(drift.first_seen);
        let events = self.builder.finish(inputs)?;
        let charges = self.charges.finish(inputs)?;
        Ok(Normalized { events, charges, dead, dead_records: records, tallies })
    }

    /// What is kept of a record with dead letters.
    fn dead_record(
        &self,
        record: &RecordView<'_>,
        inputs: &[Input],
        elements: i64,
    ) -> Result<DeadRecord, VaultError> {
        let input = inputs.get(record.input as usize);
        let at = Position {
            topic: input.map_or("", |input| &input.topic),
            partition: input.map_or(0, |input| input.partition),
            offset: record.offset,
        };
        let sealed = self.vault.as_ref().map(|vault| vault.seal(&at, record, input));
        Ok(DeadRecord {
            input: record.input,
            offset: record.offset,
            elements: u32::try_from(elements).unwrap_or(u32::MAX),
            sealed: sealed.transpose()?,
            ingest_time_us: record.ingest_time_us,
        })
    }

    fn record(
        &mut self,
        (view, payload_sha256): (RecordView<'_>, &[u8; 32]),
        inputs: &[Input],
        tally: &mut Tally,
        dead: &mut Vec<DeadLetter>,
    ) {
        let input = inputs.get(view.input as usize);
        let headers = view.headers;
        let received_at = headers.get("received-at").map(received_at);
        self.counters.unreadable_fields += u64::from(received_at == Some(None));
        let named = headers.get("source");
        let source = match named {
            Some(word) => Source::parse(word),
            None => input.and_then(|input| input.source),
        };
        let account =
            headers.get("account").or_else(|| input.and_then(|input| input.account.as_deref()));
        let rule = input.map(|input| input.signatures).unwrap_or_default();
        let verdict = source.map_or_else(Verdict::default, |source| {
            let signed = Signed { source, account, record: view, payload_sha256 };
            self.settings.signatures.verdict(rule, &signed)
        });
        let origin = Origin {
            // Of a record without a known source nothing but a dead letter is made: see below.
            source: source.unwrap_or(Source::Cloudevents),
            account,
            ingest_time_us: view.ingest_time_us.or(received_at.flatten()),
            ingest_clock: match view.ingest_time_us {
                Some(_) => TimeSource::Broker,
                None => TimeSource::Header,
            },
            payload_sha256,
            verdict,
            input: view.input,
            offset: view.offset,
        };
        count_record(tally, &origin);
        let unpack_max = unpack::bytes_max(view.value);
        let mut emitter = Emitter {
            dead_end: dead.len() + dead_max(view.value.len()),
            origin,
            keyring: &self.settings.keyring,
            ids: SourceIds::of(&mut self.last_ids, origin.source, &self.settings.keyring),
            regional: &self.settings.regional,
            builder: &mut self.builder,
            charges: &mut self.charges,
            dead,
            counters: &mut self.counters,
            last_recipient: &mut self.last_recipient,
            known_carriers: &mut self.known_carriers,
            last_event: LastEvent::default(),
            drift: &self.drift,
            tally,
            unpack_left: unpack_max,
            search_left: SEARCH_STEPS + SEARCH_STEPS_A_BYTE * view.value.len(),
            texts: Room::of(view.value.len()),
            unpacked_file: None,
            element: 0,
        };
        let Some(source) = source else {
            let detail = if named.is_some() { "header source" } else { "no source is named" };
            emitter.dead_at(DeadReason::UnknownSource, detail);
            if let Some(letter) = emitter.dead.last_mut() {
                letter.source = None;
            }
            return;
        };
        self.drift.begin(source);
        let n_dead = emitter.dead.len();
        let is_required = rule.policy == SignaturePolicy::Require;
        if let Err(dead) = record::read(source, &view, is_required, &mut self.scratch, &mut emitter)
        {
            emitter.dead(dead);
        }
        let unpacked = unpack_max - emitter.unpack_left;
        emitter.counters.unpacked_bytes += unpacked as u64;
        self.drift.end(emitter.dead.len() == n_dead);
    }
}

/// One record or two with the hashes of their values.
fn hashed<'r>(
    raw: &RawBatch,
    records: &'r [RawRecord],
) -> impl Iterator<Item = (&'r RawRecord, [u8; 32])> {
    let value = |at: usize| records.get(at).map(|record| raw.view(record).value);
    let hashes = payload_hash::of_two(value(0).unwrap_or(&[]), value(1));
    records.iter().zip(hashes)
}

/// Position of the record's tally, made where this is its input's first record.
fn tally_row(tallies: &mut Vec<Tally>, rows: &mut Vec<usize>, record: &RawRecord) -> usize {
    let input = record.input as usize;
    if rows.len() <= input {
        rows.resize(input + 1, usize::MAX);
    }
    let row = rows.get(input).copied().unwrap_or(usize::MAX);
    if row < tallies.len() {
        return row;
    }
    if let Some(slot) = rows.get_mut(input) {
        *slot = tallies.len();
    }
    tallies.push(Tally {
        input: record.input,
        records: 0,
        first_offset: record.offset,
        last_offset: record.offset,
        elements: 0,
        events: 0,
        charges: 0,
        ignored: 0,
        dead: 0,
        newest_ingest_us: None,
    });
    tallies.len() - 1
}

fn count_record(tally: &mut Tally, origin: &Origin<'_>) {
    tally.records += 1;
    tally.first_offset = tally.first_offset.min(origin.offset);
    tally.last_offset = tally.last_offset.max(origin.offset);
    tally.newest_ingest_us = tally.newest_ingest_us.max(origin.ingest_time_us);
}

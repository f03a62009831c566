//! The letters of a directory: which are asked for, and what is known of each.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use commit::DataDir;
use model::dead_letter::{KeyId, Sealed};
use model::time::parse_rfc3339;
use model::vocabulary::{DeadReason, Source};
use normalize::vault::Position;
use window::Session;

use crate::cli::LetterFilter;
use crate::failure::{Failure, Outcome};
use crate::tables::snapshot_inside;

const LETTERS: &str = include_str!("../../../../../queries/dead_letters.sql");

/// A dead letter and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) source: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) element: u32,
    pub(super) reason: Option<DeadReason>,
    pub(super) detail: String,
    pub(super) ingest_time_us: Option<i64>,
    pub(super) payload_sha256: [u8; 32],
    pub(super) epoch: u64,
    /// Where it was replayed.
    pub(super) replay_offset: Option<i64>,
    /// What was kept of its record: the key that opens it, and its size.
    pub(super) kept: Option<(KeyId, u32)>,
    /// Elements of its record when it was read.
    pub(super) elements: Option<u32>,
    /// Where its record is dated for retention.
    pub(super) record_time_us: Option<i64>,
    /// Letters of its record.
    pub(super) record_letters: i64,
}

impl Letter {
    pub(super) fn place(&self) -> Position<'_> {
        Position { topic: &self.topic, partition: self.partition, offset: self.offset }
    }

    pub(super) fn position(&self) -> String {
        format!("{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Which letters are asked for, as conditions of SQL.
#[derive(Debug, Default)]
pub(super) struct Which(Vec<String>);

impl Which {
    pub(super) fn of(filter: &LetterFilter) -> Outcome<Self> {
        let mut conditions = Vec::new();
        if let Some(source) = &filter.source {
            if source != "unknown" && Source::parse(source).is_none() {
                return Err(unknown("--source", source, Source::WORDS));
            }
            conditions.push(format!("source = '{source}'"));
        }
        if let Some(reason) = &filter.reason {
            if DeadReason::parse(reason).is_none() {
                return Err(unknown("--reason", reason, DeadReason::WORDS));
            }
            conditions.push(format!("reason = '{reason}'"));
        }
        if let Some(topic) = &filter.topic {
            conditions.push(format!("topic = {}", quoted(topic)));
        }
        if let Some(since) = &filter.since {
            let midnight = || parse_rfc3339(&format!("{since}T00:00:00Z"));
            let since_us = parse_rfc3339(since).or_else(midnight).ok_or_else(|| {
                Failure::usage(format!("--since `{since}` is neither RFC 3339 nor YYYY-MM-DD"))
            })?;
            conditions.push(format!("ingest_time >= to_timestamp_micros({since_us})"));
        }
        Ok(Self(conditions))
    }

    /// Of one record, TOPIC/PARTITION/OFFSET.
    pub(super) fn record(position: &str) -> Outcome<Self> {
        let parse = || -> Option<(&str, i32, i64)> {
            let (place, offset) = position.rsplit_once('/')?;
            let (topic, partition) = place.rsplit_once('/')?;
            Some((topic, partition.parse().ok()?, offset.parse().ok()?))
        };
        let (topic, partition, offset) = parse().ok_or_else(|| {
            Failure::usage(format!("`{position}` is no position: give TOPIC/PARTITION/OFFSET"))
        })?;
        Ok(Self(vec![
            format!("topic = {}", quoted(topic)),
            format!("\"partition\" = {partition}"),
            format!("\"offset\" = {offset}"),
        ]))
    }

    fn sql(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("WHERE {}", self.0.join(" AND ")) }
    }
}

fn unknown(option: &str, word: &str, known: &[&str]) -> Failure {
    Failure::usage(format!("{option} `{word}` is unknown; known: {}", known.join(", ")))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What is committed, inner tables included.
pub(super) fn open(dir: &DataDir) -> Outcome<Session> {
    let wanted = ["dead_letters", "dead_records", "dead_replays"];
    let tables = snapshot_inside(dir, |table| wanted.contains(&table))?.tables;
    Ok(Session::open(tables)?)
}

/// The query of the letters' numbers.
pub(super) fn counts(which: &Which) -> String {
    format!(
        "SELECT reason, COUNT(*) AS letters, COUNT(key_id) AS kept, \
         COUNT(replay_offset) AS replayed FROM ({LETTERS}) {} GROUP BY reason \
         ORDER BY letters DESC, reason",
        which.sql()
    )
}

/// The query of the letters themselves, the newest first.
pub(super) fn rows(which: &Which, limit: u64) -> String {
    format!(
        "SELECT source, topic, \"partition\", \"offset\", element, reason, detail, ingest_time, \
         payload_sha256, kept, replay_offset IS NOT NULL AS replayed FROM ({LETTERS}) {} \
         ORDER BY ingest_time DESC NULLS LAST, topic, \"partition\", \"offset\", element \
         LIMIT {limit}",
        which.sql()
    )
}

/// The letters, by position.
pub(super) fn read(session: &Session, which: &Which) -> Outcome<Vec<Letter>> {
    let sql = format!(
        "SELECT * FROM ({LETTERS}) {} ORDER BY topic, \"partition\", \"offset\", element",
        which.sql()
    );
    let mut letters = Vec::new();
    for batch in session.query(&sql)? {
        let read = letters_of(&batch);
        letters.extend(read.ok_or_else(|| Failure::protect("dead letters have other columns"))?);
    }
    Ok(letters)
}

fn letters_of(batch: &RecordBatch) -> Option<Vec<Letter>> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
    let (sources, topics, reasons, details, keys) =
        (text("source")?, text("topic")?, text("reason")?, text("detail")?, text("key_id")?);
    let partitions = batch.column_by_name("partition")?.as_primitive_opt::<Int32Type>()?;
    let long = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let (offsets, replays, counts) =
        (long("offset")?, long("replay_offset")?, long("record_letters")?);
    let short = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<UInt32Type>();
    let (elements, elements_then, bytes) = (short("element")?, short("elements")?, short("bytes")?);
    let time =
        |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
    let (ingested, record_times) = (time("ingest_time")?, time("record_time")?);
    let epochs = batch.column_by_name("epoch")?.as_primitive_opt::<UInt64Type>()?;
    let hashes = batch.column_by_name("payload_sha256")?.as_fixed_size_binary_opt()?;
    let kept = |row: usize| {
        let key_id = keys.is_valid(row).then(|| KeyId::parse(keys.value(row)))?;
        Some((key_id?, bytes.value(row)))
    };
    let letter = |row: usize| {
        Some(Letter {
            source: sources.value(row).to_owned(),
            topic: topics.value(row).to_owned(),
            partition: partitions.value(row),
            offset: offsets.value(row),
            element: elements.value(row),
            reason: DeadReason::parse(reasons.value(row)),
            detail: details.value(row).to_owned(),
            ingest_time_us: ingested.is_valid(row).then(|| ingested.value(row)),
            payload_sha256: hashes.value(row).try_into().ok()?,
            epoch: epochs.value(row),
            replay_offset: replays.is_valid(row).then(|| replays.value(row)),
            kept: kept(row),
            elements: elements_then.is_valid(row).then(|| elements_then.value(row)),
            record_time_us: record_times.is_valid(row).then(|| record_times.value(row)),
            record_letters: counts.value(row),
        })
    };
    (0..batch.num_rows()).map(letter).collect()
}

/// The ciphertext of a letter's record.
pub(super) fn sealed(session: &Session, letter: &Letter) -> Outcome<Sealed> {
    let found = sealed_between(session, letter, letter)?;
    found.into_values().next().ok_or_else(|| {
        Failure::protect(format!("the payload of {} is not where it was", letter.position()))
    })
}

/// Ciphertexts of a partition's records from one letter to another, by offset; the newest where a
/// record was read more than once.
pub(super) fn sealed_between(
    session: &Session,
    from: &Letter,
    to: &Letter,
) -> Outcome<BTreeMap<i64, Sealed>> {
    let sql = format!(
        "SELECT \"offset\", arrow_cast(key_id, 'Utf8') AS key_id, sealed FROM dead_records \
         WHERE topic = {} AND \"partition\" = {} AND \"offset\" >= {} AND \"offset\" <= {} \
         AND key_id IS NOT NULL ORDER BY epoch",
        quoted(&from.topic),
        from.partition,
        from.offset,
        to.offset
    );
    let mut found = BTreeMap::new();
    for batch in session.query(&sql)? {
        let read = sealed_of(&batch);
        found.extend(read.ok_or_else(|| Failure::protect("kept records have other columns"))?);
    }
    Ok(found)
}

fn sealed_of(batch: &RecordBatch) -> Option<Vec<(i64, Sealed)>> {
    let offsets = batch.column(0).as_primitive_opt::<Int64Type>()?;
    let keys = batch.column(1).as_string_opt::<i32>()?;
    let sealed = batch.column(2).as_binary_opt::<i32>()?;
    let row = |row: usize| {
        let (key_id, bytes) = (KeyId::parse(keys.value(row))?, sealed.value(row).to_vec());
        Some((offsets.value(row), Sealed { key_id, bytes }))
    };
    (0..batch.num_rows()).map(row).collect()
}

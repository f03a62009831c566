//! `sendtally load`: files into a data directory, through the same code as Kafka records.
//!
//! A file is the hash of its bytes: loaded twice, it counts once. The files of one call are judged
//! together: lateness against the watermark before, the horizon against their newest time. A record
//! of a file that tells no time came with that newest time, or with the bills that came last, or
//! when it is loaded where none tells a time. No wrong time counts as later than now.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use commit::{Chain, DataDir, digest_file, publish_absent, random_hex};
use ingest::{FileShape, read_file};
use model::clock::SystemClock;
use model::keys::Keyring;
use model::record::{Input, RawBatch, SignatureRule, received_at};
use model::vocabulary::Source;
use normalize::{Normalized, Normalizer, Settings};

use super::{needs_source, note, shape, source, whole_advice};
use crate::cli::LoadArgs;
use crate::config;
use crate::failure::{Failure, Outcome};
use crate::job::alone::{Alone, Claimed, EPOCH_BYTES};
use crate::job::recover::KEY;
use crate::lake::Rules;
use crate::place;
use crate::tables::JOB;

pub(crate) fn run(args: &LoadArgs) -> Outcome<()> {
    let source = source(args.source.as_deref())?;
    needs_source(source, &args.shape)?;
    let told = config::of_files(args.config.as_deref(), &args.assumptions)?;
    for file in &args.files {
        if !file.is_file() {
            return Err(Failure::usage(format!("{} is no file", file.display())));
        }
    }
    let dir = place::open_named(&args.place)?;
    let claimed = Claimed::new(dir, "load", Arc::new(SystemClock))?;
    let keyring = match told.keyring {
        Some(keyring) => keyring,
        None => keyring(&claimed.dir)?,
    };
    let job = claimed.recover(&keyring, config::TRACK_MEMORY_BYTES)?;
    let settings = Settings { keyring, signatures: told.signatures, regional: told.regional };
    let normalizer = Normalizer::new(settings.clone()).keeping(told.vault);
    let before = job.core.watermark_us;
    let mut loader =
        Loader { job, settings, normalizer, before, newest: None, received: None, counts: [0; 4] };
    let shape = shape(&args.shape);
    let looked: Outcome<Vec<Looked<'_>>> =
        args.files.iter().map(|file| loader.look(file, shape, source)).collect();
    for file in looked? {
        loader.file(&file, shape)?;
    }
    loader.finish()
}

/// The configured key, else the directory's own, made on the first load; a cache has none.
pub(crate) fn keyring(dir: &DataDir) -> Outcome<Keyring> {
    if std::env::var_os("SENDTALLY_KEY").is_some() {
        return config::keyring(None, 0);
    }
    if dir.remote().is_some() {
        return Err(Failure::usage(
            "a store needs a configured key: set SENDTALLY_KEY, or [keys] secret_file of --config, \
             to 64 hex digits (for example from `openssl rand -hex 32`) and keep it; one made in a \
             cache would be lost with it",
        ));
    }
    let path = dir.root().join("key");
    if !path.exists() {
        let chain = Chain::open(dir, JOB, "reader")?;
        if chain.head().is_some_and(|head| head.values.contains_key(KEY)) {
            return Err(Failure::protect(format!(
                "the directory was filled with a key that is not here: give it by [keys] \
                 secret_file of --config or as SENDTALLY_KEY, or put {} back",
                path.display()
            )));
        }
        let secret = format!("{}{}\n", random_hex()?, random_hex()?);
        publish_absent(&path, secret.as_bytes(), &random_hex()?)?;
        note(&format!("made a random token key in {}", path.display()));
    }
    config::keyring(Some(&path), 0)
}

struct Loader {
    job: Alone,
    settings: Settings,
    normalizer: Normalizer,
    /// Watermark before this load.
    before: Option<i64>,
    /// Newest time of its files, and when the last of them came.
    newest: Option<i64>,
    received: Option<i64>,
    /// Events, charges, dead letters and ignored elements of the file at hand.
    counts: [i64; 4],
}

/// A file that was looked through.
struct Looked<'f> {
    path: &'f Path,
    /// Key of what says that it was loaded.
    done: String,
    /// Id of its input, and from which record it is to be loaded.
    input: u32,
    from: i64,
    times: FileTimes,
}

/// Times of a file's records; `None` where none tells one.
#[derive(Debug, Clone, Copy, Default)]
struct FileTimes {
    /// Its watermark.
    mark: Option<i64>,
    /// When what does not tell when it was received was, at the earliest: bills come days after
    /// what they are about.
    received: Option<i64>,
}

impl Loader {
    /// Looks for the times of a file; one that is loaded already tells them by itself.
    fn look<'f>(
        &mut self,
        path: &'f Path,
        shape: FileShape,
        source: Option<Source>,
    ) -> Outcome<Looked<'f>> {
        let topic = format!("file:{}", digest_file(path)?);
        let done = format!("loaded:{topic}");
        if let Some(known) = self.job.core.values.get(&done) {
            // Where an earlier load of several files broke off, its horizon was not applied yet.
            let mark = known.split_once('@').and_then(|(_, mark)| mark.parse().ok());
            self.newest = self.newest.max(mark);
            return Ok(Looked { path, done, input: 0, from: 0, times: FileTimes::default() });
        }
        let signatures = SignatureRule::default();
        let topic = Arc::from(topic.as_str());
        let (input, known) = self.job.core.inputs.open(Input {
            topic,
            partition: 0,
            source,
            account: None,
            signatures,
        });
        let times = self.times(path, shape, input)?;
        self.newest = self.newest.max(times.mark);
        self.received = self.received.max(times.received);
        Ok(Looked { path, done, input, from: known.unwrap_or(0), times })
    }

    fn file(&mut self, file: &Looked<'_>, shape: FileShape) -> Outcome<()> {
        let Looked { path, done, input, from, times } = file;
        if self.job.core.values.contains_key(done) {
            note(&format!(
                "{} was already loaded: nothing to do (what it has of dead letters is read again \
                 by `sendtally dead-letters replay`, of another source with `--as`)",
                path.display()
            ));
            return Ok(());
        }
        // Records of a file without times came when the other files did, else now.
        let received = times.received.or(self.received);
        let received = received.unwrap_or_else(|| self.job.clock.now_us());
        let records = read_file(path, shape, *input, |batch| self.batch(batch, *from, received))?;
        let mark = times.mark.map(|mark| format!("@{mark}")).unwrap_or_default();
        self.job.core.values.insert(done.clone(), format!("{records}{mark}"));
        let [events, charges, dead, ignored] = std::mem::take(&mut self.counts);
        note(&format!(
            "{}: {records} records, {events} events, {charges} lines of bills, {dead} dead \
             letters, {ignored} ignored",
            path.display()
        ));
        Ok(())
    }

    /// A file's watermark: its newest `received-at`, else its newest vendor time, which is never
    /// after the processing clock. One that has to be read whole is refused: read by its lines it
    /// would be loaded, and could not be again.
    fn times(&mut self, path: &Path, shape: FileShape, id: u32) -> Outcome<FileTimes> {
        let (mut received, mut gives, mut dead) = (None, 0, 0);
        let (mut of_messages, mut of_bills) = (None, None);
        let inputs = Arc::clone(&self.job.core.inputs.shared);
        let mut looking = Normalizer::new(self.settings.clone());
        read_file(path, shape, id, |batch: RawBatch| -> Outcome<()> {
            let normalized = looking.batch(&batch, &inputs)?;
            for tally in &normalized.tallies {
                received = received.max(tally.newest_ingest_us);
                gives += tally.events + tally.charges;
                dead += tally.dead;
            }
            of_messages = of_messages.max(newest_of_messages(&normalized));
            of_bills = of_bills.max(newest(&normalized.charges, "event_time", |_| true));
            Ok(())
        })?;
        if shape == FileShape::Lines && gives == 0 && dead > 0 {
            let bytes = std::fs::read(path)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            if let Some(advice) = whole_advice(path, &bytes, &self.settings, (id, &inputs))? {
                return Err(Failure::usage(advice));
            }
        }
        // A wrong time ahead would close what is open and make all that comes later late.
        let now_us = self.job.clock.now_us();
        let told = |time: Option<i64>| received.or(time).map(|newest| newest.min(now_us));
        Ok(FileTimes { mark: told(of_messages), received: told(of_messages.max(of_bills)) })
    }

    fn batch(&mut self, mut batch: RawBatch, from: i64, received_us: i64) -> Outcome<()> {
        batch.records.retain(|record| record.offset >= from);
        let untold: Vec<usize> = (0..batch.records.len())
            .filter(|at| {
                let headers = batch.view(&batch.records[*at]).headers;
                headers.get("received-at").and_then(received_at).is_none()
            })
            .collect();
        for at in untold {
            batch.records[at].ingest_time_us = Some(received_us);
        }
        let normalized = self.normalizer.batch(&batch, &self.job.core.inputs.shared)?;
        for tally in &normalized.tallies {
            let more = [tally.events, tally.charges, tally.dead, tally.ignored];
            self.counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
        self.job.core.accept(normalized, batch.bytes.len(), self.job.clock.now_us())?;
        if self.job.core.bytes() >= EPOCH_BYTES {
            self.job.close(self.before, false)?;
        }
        Ok(())
    }

    /// The last epoch, windows and files; everything is published.
    fn finish(mut self) -> Outcome<()> {
        self.job.close(self.before.max(self.newest), false)?;
        self.job.finish(Rules::default())
    }
}

/// Newest time of a batch's events, which a sender may tell alone, and of its messages' lines of
/// bills: a bill's other lines tell no time of the traffic.
fn newest_of_messages(normalized: &Normalized) -> Option<i64> {
    let Normalized { events, charges, .. } = normalized;
    let messages = charges.column_by_name("message_key")?;
    newest(charges, "event_time", |row| !messages.is_null(row))
        .max(newest(events, "event_time", |_| true))
        .max(newest(events, "submit_time", |_| true))
}

/// Newest time of some rows.
fn newest(batch: &RecordBatch, column: &str, is_one: impl Fn(usize) -> bool) -> Option<i64> {
    let times = batch.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    times.iter().enumerate().filter(|(row, _)| is_one(*row)).filter_map(|(_, time)| time).max()
}

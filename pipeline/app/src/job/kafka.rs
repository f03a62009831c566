//! The ingest thread: partitions found and assigned, records read, ends reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::Sender;
use fail::fail_point;
use ingest::{Found, IngestError, KafkaSource, Start, TailCheck, TailChecker};
use model::mutant::Mutant;
use model::record::Input;
use model::time::SECOND_US;
use regex::Regex;

use super::flow::{Ingested, News, Shared};
use super::inputs::{Inputs, Opening};
use super::space::Space;
use crate::config::{FirstStart, Settings, TopicEntry};
use crate::failure::{Failure, Outcome};

/// Bytes of a raw batch.
const BATCH_BYTES: usize = 1 << 20;
/// Rest where nothing is there.
const IDLE: Duration = Duration::from_millis(5);
/// New partitions are looked for so often.
const DISCOVERY_US: i64 = 30 * SECOND_US;
/// Ends are asked for so often.
const TAIL: Duration = Duration::from_millis(500);

/// Offsets that the user set by hand (`--seek TOPIC/PARTITION=OFFSET`).
pub(crate) type Seeks = BTreeMap<(String, i32), i64>;

/// Kafka's ids of topics, by name.
type TopicIds = BTreeMap<String, String>;

/// The job's Kafka side.
#[derive(Debug)]
pub(crate) struct Reader {
    source: KafkaSource,
    entries: Vec<TopicEntry>,
    first_start: FirstStart,
    seeks: Seeks,
    /// A copy of the core's inputs: ids agree because both open in the same order.
    inputs: Inputs,
    /// By input: read at least to here (`--until-end`).
    targets: BTreeMap<u32, i64>,
    positions: BTreeMap<u32, i64>,
    space: Space,
}

impl Reader {
    /// Connects, finds the partitions and assigns them.
    pub(crate) fn connect(
        settings: &Settings,
        seeks: Seeks,
        inputs: Inputs,
    ) -> Outcome<(Self, Vec<Opening>)> {
        let source = KafkaSource::connect(&settings.kafka)?;
        let mut reader = Self {
            source,
            entries: settings.topics.clone(),
            first_start: settings.first_start,
            seeks,
            inputs,
            targets: BTreeMap::new(),
            positions: BTreeMap::new(),
            space: Space::new(settings.data_dir.clone(), settings.min_free_bytes),
        };
        let found = reader.discover()?;
        for entry in &settings.topics {
            let Some(name) = &entry.name else { continue };
            if !found.iter().any(|found| found.topic == *name) {
                let brokers = settings.kafka.brokers.clone();
                let topic = name.clone();
                return Err(IngestError::MissingTopic { topic, brokers }.into());
            }
        }
        if found.is_empty() {
            return Err(Failure::usage("no topic fits [[topics]]: create one, or correct them"));
        }
        // Partitions found later, or by a job that has read before, are read from their start.
        let latest = reader.first_start == FirstStart::Latest && reader.inputs.states.is_empty();
        let ids = reader.topic_ids(&found)?;
        reader.check_ids(&ids)?;
        let nameless = found.iter().find(|found| !ids.contains_key(&found.topic));
        if let Some(found) = nameless.filter(|_| !settings.kafka.is_embedded) {
            tracing::warn!(
                topic = found.topic,
                "the broker tells no id of this topic (too old, or no right to DESCRIBE it): made \
                 anew, it is noticed only where the stored offsets do not fit"
            );
        }
        let opened = reader.open(found, &ids, latest)?;
        reader.seeks.clear();
        Ok((reader, opened))
    }

    fn discover(&self) -> Outcome<Vec<Found>> {
        let patterns: Vec<Regex> = self.entries.iter().map(|entry| entry.pattern.clone()).collect();
        Ok(self.source.discover(&patterns)?)
    }

    fn topic_ids(&self, found: &[Found]) -> Outcome<TopicIds> {
        let names: BTreeSet<&str> = found.iter().map(|found| found.topic.as_str()).collect();
        Ok(self.source.topic_ids(&names.into_iter().collect::<Vec<_>>())?)
    }

    /// Refuses a topic that has another id than the one whose offsets are known, unless the user
    /// said where to read its partition from.
    fn check_ids(&self, ids: &TopicIds) -> Outcome<()> {
        for state in &self.inputs.states {
            let (topic, partition) = (state.input.topic.to_string(), state.input.partition);
            let known = state.range.topic_id.as_ref();
            let Some((known, found)) = known.zip(ids.get(&topic)) else { continue };
            if known != found && !self.seeks.contains_key(&(topic.clone(), partition)) {
                let (known, found) = (known.clone(), found.clone());
                return Err(IngestError::MadeAnew { topic, partition, known, found }.into());
            }
        }
        Ok(())
    }

    /// Assigns partitions that are not yet; gives them with their first offset. Where the broker
    /// does not answer nothing has changed, and they are found again at the next look.
    fn open(&mut self, found: Vec<Found>, ids: &TopicIds, latest: bool) -> Outcome<Vec<Opening>> {
        let mut openings = Vec::new();
        let mut unknown = self.inputs.states.len();
        for part in found {
            let entry = &self.entries[part.entry];
            let input = Input {
                topic: Arc::from(part.topic.as_str()),
                partition: part.partition,
                source: entry.source,
                account: entry.account.as_deref().map(Arc::from),
                signatures: entry.signatures,
            };
            let known = self.inputs.find(&input);
            if known.is_some_and(|at| self.inputs.states[at].live) {
                continue;
            }
            let stored = known.map(|at| self.inputs.states[at].range.end_offset);
            let (low, high) = self.source.bounds(&part.topic, part.partition)?;
            let seek = self.seeks.get(&(part.topic.clone(), part.partition)).copied();
            let first = if latest { high } else { low };
            let mut offset = seek.or(stored).unwrap_or(first);
            if Mutant::KafkaOffsets.lives() {
                let told = self.source.told_offset(&part.topic, part.partition)?;
                offset = told.unwrap_or(first);
            }
            let id = u32::try_from(known.unwrap_or(unknown)).unwrap_or(u32::MAX);
            unknown += usize::from(known.is_none());
            let start = Start { topic: part.topic, partition: part.partition, offset, input: id };
            start.check(low, high)?;
            let sought_back = seek.zip(stored).is_some_and(|(seek, stored)| seek < stored);
            openings.push((start, input, stored, sought_back, high));
        }
        let starts: Vec<Start> = openings.iter().map(|(start, ..)| start.clone()).collect();
        self.source.assign(&starts)?;
        let mut opened = Vec::new();
        for (start, input, stored, sought_back, high) in openings {
            let (id, _) = self.inputs.open(input.clone());
            if let Some(state) = self.inputs.states.get_mut(id as usize) {
                state.range.topic_id = ids.get(input.topic.as_ref()).cloned();
            }
            self.targets.insert(start.input, high);
            self.positions.insert(start.input, start.offset);
            // A jump forward is written into the ledger as a gap; a jump back starts anew.
            let offset = stored.map_or(start.offset, |stored| stored.min(start.offset));
            let topic_id = ids.get(input.topic.as_ref()).cloned();
            opened.push(Opening { input, offset, sought_back, topic_id });
        }
        Ok(opened)
    }

    /// Reads until told to stop, or (`--until-end`) until every partition was read to its end.
    pub(crate) fn run(
        mut self,
        raw: &Sender<Ingested>,
        news: &Sender<News>,
        shared: &Shared,
    ) -> Outcome<()> {
        let mut looked_us = shared.clock.steady_us();
        let mut told_us = looked_us;
        while !shared.stopping() {
            if self.space.rest(shared)? {
                continue;
            }
            let polled = self.source.poll(BATCH_BYTES, IDLE)?;
            for record in &polled.batch.records {
                self.positions.insert(record.input, record.offset + 1);
            }
            if Mutant::KafkaOffsets.lives() {
                self.tell_positions();
            }
            for input in &polled.ended {
                self.targets.remove(input);
            }
            let positions = &self.positions;
            self.targets.retain(|input, target| positions.get(input).is_none_or(|at| at < target));
            if !polled.batch.records.is_empty() || !polled.ended.is_empty() {
                let inputs = Arc::clone(&self.inputs.shared);
                let ingested = Ingested { batch: polled.batch, inputs, ended: polled.ended };
                if raw.send(ingested).is_err() {
                    return Ok(());
                }
            }
            if shared.until_end && self.targets.is_empty() {
                shared.stop.store(true, Ordering::SeqCst);
            }
            let now_us = shared.clock.steady_us();
            if now_us - looked_us >= DISCOVERY_US && !shared.until_end {
                looked_us = now_us;
                self.look(news)?;
            }
            if now_us - told_us >= 5 * SECOND_US {
                told_us = now_us;
                self.tell(shared);
            }
        }
        self.tell(shared);
        Ok(())
    }

    /// Looks for new partitions, and for topics that were made anew; a broker that does not answer
    /// is asked again later.
    fn look(&mut self, news: &Sender<News>) -> Outcome<()> {
        let asked = self.discover().and_then(|found| Ok((self.topic_ids(&found)?, found)));
        let (ids, found) = match asked {
            Ok(asked) => asked,
            Err(failure) => {
                tracing::warn!(error = %failure, "partitions were not looked for");
                return Ok(());
            }
        };
        self.check_ids(&ids)?;
        match self.open(found, &ids, false) {
            Ok(opened) if opened.is_empty() => {}
            Ok(opened) => {
                tracing::info!(n_partitions = opened.len(), "new partitions");
                drop(news.send(News::Opened(opened)));
            }
            Err(failure) => tracing::warn!(error = %failure, "new partitions were not assigned"),
        }
        Ok(())
    }

    /// Notes the ends of partitions, and writes the group's offsets of what is committed, for lag
    /// tools.
    fn tell(&self, shared: &Shared) {
        let mut offsets = Vec::new();
        {
            let mut counts = shared.telemetry.lock();
            for (topic, partition, end) in self.source.ends() {
                if let Some(state) = counts.partitions.get_mut(&(topic, partition)) {
                    state.end_offset = Some(end);
                }
            }
            for ((topic, partition), state) in &counts.partitions {
                // `file:…` and `dead:…` are inputs of other commands; no topic has a colon.
                if !topic.contains(':') {
                    offsets.push((topic.clone(), *partition, state.next_offset));
                }
            }
        }
        self.source.tell_offsets(&offsets);
        fail_point!("job::offsets_told");
    }

    /// What [`Mutant::KafkaOffsets`] does: tells Kafka what was read before it is committed.
    fn tell_positions(&self) {
        let place = |(input, offset): (&u32, &i64)| {
            let state = self.inputs.states.get(*input as usize)?;
            Some((state.input.topic.to_string(), state.input.partition, *offset))
        };
        let read: Vec<_> = self.positions.iter().filter_map(place).collect();
        self.source.tell_offsets(&read);
    }

    /// The thread that asks for log ends.
    pub(crate) fn tail(&self) -> TailChecker {
        TailChecker::new(&self.source)
    }
}

/// Asks for the ends of partitions whose end the consumer saw, until told to stop.
pub(crate) fn watch_ends(mut checker: TailChecker, news: &Sender<News>, shared: &Shared) {
    while !shared.stopping() {
        std::thread::sleep(TAIL);
        let board = {
            let board = shared.board.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            board.clone()
        };
        for (input, (place, next_offset)) in board {
            let (topic, partition) = (place.topic, place.partition);
            let check = TailCheck { input, topic, partition, next_offset };
            let checked_at_us = shared.clock.now_us();
            if checker.at_end(&check, shared.clock.steady_us()) {
                let at_end = News::AtEnd { input, next_offset, checked_at_us };
                if news.send(at_end).is_err() {
                    return;
                }
            }
        }
    }
}

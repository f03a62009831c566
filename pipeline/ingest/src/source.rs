//! The consumer: all partitions by hand, one queue a partition, batches of bounded bytes.
//!
//! ```text
//! broker ─► librdkafka (≤ 4 MiB a partition) ─► poll() ─► RawBatch (≤ 1 MiB) ─► bounded channel
//! ```
//! Backpressure: when the caller does not poll, a partition's queue fills up and librdkafka pauses
//! its fetches. Invariant: a partition's records leave in offset order, each once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::mutant::Mutant;
use model::record::{RawBatch, RawRecord};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use regex::Regex;

use crate::settings::KafkaSettings;
use crate::{IngestError, because};

/// Longest wait for an answer of the broker at start.
const ANSWER: Duration = Duration::from_secs(10);

/// Keeps the last errors that librdkafka tells, so that a start can say why it failed, and the ends
/// of partitions as far as the client has seen them.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) errors: Mutex<Vec<(KafkaError, String)>>,
    ends: Mutex<Vec<(String, i32, i64)>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, _facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::debug!(text, "kafka client");
            }
            _ => tracing::info!(text, "kafka client"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        let mut found = Vec::new();
        for (name, topic) in statistics.topics {
            for (number, partition) in topic.partitions {
                // Read committed: the end is the last stable offset. Unknown ends are negative.
                let end = partition.ls_offset.max(-1);
                if number >= 0 && end >= 0 {
                    found.push((name.clone(), number, end));
                }
            }
        }
        if let Ok(mut ends) = self.ends.lock() {
            *ends = found;
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // No error: a partition was read to its end.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::warn!(%error, reason, "kafka");
        if let Ok(mut errors) = self.errors.lock() {
            // The last few are enough to say why.
            if errors.len() >= 16 {
                errors.remove(0);
            }
            errors.push((error, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Context {}

/// A partition that the configuration selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Which entry of the configuration selected it.
    pub entry: usize,
}

/// Where to start on a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Next offset.
    pub offset: i64,
    /// Id of the input in the process.
    pub input: u32,
}

impl Start {
    /// Checks that the partition, which has the offsets `low..high`, can be read from here.
    ///
    /// # Errors
    /// An offset that the partition does not have: nothing is skipped silently.
    pub fn check(&self, low: i64, high: i64) -> Result<(), IngestError> {
        if (low..=high).contains(&self.offset) {
            return Ok(());
        }
        Err(self.out_of_range(low, high))
    }

    fn out_of_range(&self, low: i64, high: i64) -> IngestError {
        let (topic, partition, wanted) = (self.topic.clone(), self.partition, self.offset);
        IngestError::OutOfRange { topic, partition, wanted, low, high }
    }
}

/// What a poll gave.
#[derive(Debug, Default)]
pub struct Polled {
    /// Records, in offset order by partition.
    pub batch: RawBatch,
    /// Inputs whose end was reached after these records.
    pub ended: Vec<u32>,
}

struct Assigned {
    /// Its offset is the next one that a poll gives.
    start: Start,
    queue: PartitionQueue<Context>,
}

/// A consumer of all partitions of the job.
pub struct KafkaSource {
    pub(crate) consumer: Arc<BaseConsumer<Context>>,
    pub(crate) brokers: String,
    is_embedded: bool,
    assigned: Vec<Assigned>,
    turn: usize,
    /// Why the next poll fails: what was read before it leaves first.
    failed: Option<IngestError>,
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KafkaSource({}, {} partitions)", self.brokers, self.assigned.len())
    }
}

impl KafkaSource {
    /// Makes a consumer and waits for the broker's first answer.
    ///
    /// # Errors
    /// Settings refused, no broker reachable, or login refused.
    pub fn connect(settings: &KafkaSettings) -> Result<Self, IngestError> {
        let consumer: BaseConsumer<Context> = settings
            .consumer()
            .create_with_context(Context::default())
            .map_err(|error| IngestError::Settings { reason: error.to_string() })?;
        let source = Self {
            consumer: Arc::new(consumer),
            brokers: settings.brokers.clone(),
            is_embedded: settings.is_embedded,
            assigned: Vec::new(),
            turn: 0,
            failed: None,
        };
        source.metadata()?;
        Ok(source)
    }

    /// All topics with their number of partitions.
    fn metadata(&self) -> Result<Vec<(String, Vec<i32>)>, IngestError> {
        let answer = self.consumer.fetch_metadata(None, ANSWER);
        match answer {
            Ok(metadata) => Ok(metadata
                .topics()
                .iter()
                .filter(|topic| topic.error().is_none())
                .map(|topic| {
                    let partitions = topic.partitions().iter().map(|part| part.id()).collect();
                    (topic.name().to_owned(), partitions)
                })
                .collect()),
            Err(error) => Err(self.why(&error)),
        }
    }

    /// The reason behind a failed answer: the errors told beside it know more.
    fn why(&self, error: &KafkaError) -> IngestError {
        drop(self.consumer.poll(Duration::from_millis(100)));
        let told = self.consumer.context().errors.lock();
        let told = told.map(|errors| errors.clone()).unwrap_or_default();
        because(&self.brokers, &told, error)
    }

    /// The partitions that entries (names, or patterns) select, in stable order. The first entry
    /// that fits a topic has it.
    ///
    /// # Errors
    /// Broker unreachable, or a named topic that does not exist.
    pub fn discover(&self, entries: &[Regex]) -> Result<Vec<Found>, IngestError> {
        let mut topics = self.metadata()?;
        topics.retain(|(name, _)| !name.starts_with("__"));
        topics.sort();
        let mut found = Vec::new();
        for (topic, mut partitions) in topics {
            let Some(entry) = entries.iter().position(|entry| entry.is_match(&topic)) else {
                continue;
            };
            partitions.sort_unstable();
            found.extend(partitions.into_iter().map(|partition| Found {
                topic: topic.clone(),
                partition,
                entry,
            }));
        }
        Ok(found)
    }

    /// First offset and the offset after the last of a partition.
    ///
    /// # Errors
    /// Broker unreachable.
    pub fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64), IngestError> {
        let deadline = Instant::now() + ANSWER;
        loop {
            match self.consumer.fetch_watermarks(topic, partition, ANSWER) {
                // A topic that was just made, or whose broker just went: a moment later it has one.
                Err(error) if has_no_leader(&error) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                answer => return answer.map_err(|error| self.why(&error)),
            }
        }
    }

    /// Ids of these topics, by name; a broker that has none gives none.
    ///
    /// # Errors
    /// Broker unreachable.
    pub fn topic_ids(&self, topics: &[&str]) -> Result<BTreeMap<String, String>, IngestError> {
        if self.is_embedded {
            return Ok(BTreeMap::new());
        }
        self.describe(topics, ANSWER).map_err(|error| self.why(&error))
    }

    /// Offset that the group wrote for a partition. Only a mutant asks: recovery never does.
    ///
    /// # Errors
    /// Broker unreachable.
    pub fn told_offset(&self, topic: &str, partition: i32) -> Result<Option<i64>, IngestError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let list = self.consumer.committed_offsets(list, ANSWER).map_err(|e| self.why(&e))?;
        Ok(list.find_partition(topic, partition).and_then(|part| match part.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }))
    }

    /// Takes partitions on, beside those already assigned.
    ///
    /// # Errors
    /// Where the client refuses.
    pub fn assign(&mut self, starts: &[Start]) -> Result<(), IngestError> {
        let consume = |error: KafkaError| IngestError::Consume { reason: error.to_string() };
        let mut list = TopicPartitionList::new();
        for start in starts {
            let offset = Offset::Offset(start.offset);
            list.add_partition_offset(&start.topic, start.partition, offset).map_err(consume)?;
        }
        if Mutant::AssignFirst.lives() {
            self.consumer.incremental_assign(&list).map_err(consume)?;
            std::thread::sleep(Duration::from_millis(500));
        }
        // The queues before the assignment: what is fetched between the two would go to the main
        // queue, and the records of a partition would begin in the middle.
        let before = self.assigned.len();
        for start in starts {
            let queue = self.consumer.split_partition_queue(&start.topic, start.partition);
            let missing = || IngestError::MissingTopic {
                topic: start.topic.clone(),
                brokers: self.brokers.clone(),
            };
            let queue = queue.ok_or_else(missing)?;
            self.assigned.push(Assigned { start: start.clone(), queue });
        }
        if Mutant::AssignFirst.lives() {
            return Ok(());
        }
        self.consumer.incremental_assign(&list).map_err(|error| {
            self.assigned.truncate(before);
            consume(error)
        })
    }

    /// Reads what is there, at most about `bytes_max`; waits up to `wait` where nothing is.
    ///
    /// # Errors
    /// Offsets out of range or a fatal error. An absent broker is no error: librdkafka retries.
    pub fn poll(&mut self, bytes_max: usize, wait: Duration) -> Result<Polled, IngestError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        let mut polled = Polled::default();
        // The main queue has no records, but errors and statistics are served there.
        match self.consumer.poll(Duration::ZERO) {
            Some(Err(error)) => self.judge(&error, None)?,
            Some(Ok(record)) => return Err(astray(&record)),
            None => {}
        }
        let partitions = self.assigned.len();
        for step in 0..partitions {
            let at = (self.turn + step) % partitions;
            let share = bytes_max.saturating_sub(polled.batch.bytes.len()).min(bytes_max / 2);
            let drained = self.drain(at, share.max(1), &mut polled);
            self.failed = drained.and_then(|error| self.judge(&error, self.assigned.get(at)).err());
            if self.failed.is_some() || polled.batch.bytes.len() >= bytes_max {
                break;
            }
        }
        self.turn = (self.turn + 1) % partitions.max(1);
        if polled.batch.records.is_empty() && polled.ended.is_empty() {
            if let Some(failed) = self.failed.take() {
                return Err(failed);
            }
            std::thread::sleep(wait);
        }
        Ok(polled)
    }

    /// Takes what one partition has; gives the error that it met.
    fn drain(&mut self, at: usize, bytes_max: usize, into: &mut Polled) -> Option<KafkaError> {
        let Assigned { start, queue } = self.assigned.get_mut(at)?;
        let begun = into.batch.bytes.len();
        while into.batch.bytes.len() - begun < bytes_max {
            match queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    push(&mut into.batch, start.input, &message);
                    start.offset = message.offset() + 1;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => into.ended.push(start.input),
                Some(Err(error)) => return Some(error),
            }
        }
        None
    }

    /// Stops on what would lose data; leaves the rest to librdkafka's retries.
    fn judge(&self, error: &KafkaError, of: Option<&Assigned>) -> Result<(), IngestError> {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code();
        let lost = matches!(code, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange));
        let deleted = matches!(code, Some(Code::UnknownTopicOrPartition | Code::UnknownPartition));
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        match of.map(|of| &of.start) {
            Some(start) if lost => Err(self.out_of_range(start)),
            Some(Start { topic, partition, .. }) if deleted => {
                let (topic, partition) = (topic.clone(), *partition);
                Err(IngestError::Deleted { topic, partition })
            }
            _ if lost || deleted || fatal => {
                Err(IngestError::Consume { reason: error.to_string() })
            }
            _ => {
                tracing::warn!(%error, "kafka: reading goes on when the broker answers");
                Ok(())
            }
        }
    }

    /// The next offset is gone: says what the broker has instead.
    fn out_of_range(&self, start: &Start) -> IngestError {
        let (topic, partition, offset) = (&start.topic, start.partition, start.offset);
        match self.bounds(topic, partition) {
            Ok((low, high)) => start.out_of_range(low, high),
            Err(error) => IngestError::Consume {
                reason: format!("{topic}/{partition} has no offset {offset} any more, and {error}"),
            },
        }
    }

    /// Ends of partitions (topic, partition, offset after the last), a few seconds old.
    #[must_use]
    pub fn ends(&self) -> Vec<(String, i32, i64)> {
        let ends = self.consumer.context().ends.lock();
        ends.map(|ends| ends.clone()).unwrap_or_default()
    }

    /// Writes the group's offsets, for lag tools only; failures do not matter.
    pub fn tell_offsets(&self, offsets: &[(String, i32, i64)]) {
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in offsets {
            drop(list.add_partition_offset(topic, *partition, Offset::Offset(*offset)));
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets for lag tools were not written");
        }
    }
}

/// Nobody leads the partition for now.
fn has_no_leader(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

/// A record beside the queue of its partition: going on would skip it.
fn astray(record: &BorrowedMessage<'_>) -> IngestError {
    IngestError::Consume {
        reason: format!(
            "the record {}/{} at {} came beside its partition's queue",
            record.topic(),
            record.partition(),
            record.offset()
        ),
    }
}

/// Copies a record into the batch.
pub(crate) fn push(batch: &mut RawBatch, input: u32, message: &BorrowedMessage<'_>) {
    let value = batch.push_bytes(message.payload().unwrap_or(&[]));
    let first = batch.headers.len();
    if let Some(headers) = message.headers() {
        for header in headers.iter() {
            let name = batch.push_bytes(header.key.as_bytes());
            let value = batch.push_bytes(header.value.unwrap_or(&[]));
            batch.headers.push((name, value));
        }
    }
    let time = message.timestamp().to_millis();
    batch.records.push(RawRecord {
        input,
        offset: message.offset(),
        ingest_time_us: time.map(|millis| millis.saturating_mul(1000)),
        value,
        tombstone: message.payload().is_none(),
        headers: first..batch.headers.len(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddedBroker, OutRecord, Producer};

    const TOPIC: &str = "messaging.receipts";
    const PARTITIONS: i32 = 8;

    fn filled(records: i64) -> EmbeddedBroker {
        let broker = EmbeddedBroker::start(&[TOPIC.to_owned()], PARTITIONS).unwrap();
        let producer = Producer::new(&broker.settings()).unwrap();
        for number in 0..records {
            for partition in 0..PARTITIONS {
                let value = number.to_string();
                let (key, value) = (b"".as_slice(), value.as_bytes());
                let (topic, headers) = (TOPIC, [].as_slice());
                let timestamp_ms = 1_700_000_000_000;
                let record = OutRecord { topic, partition, timestamp_ms, key, headers, value };
                producer.send(&record).unwrap();
            }
        }
        producer.flush(Duration::from_secs(30)).unwrap();
        broker
    }

    /// A recovery in the crash test lost 421 records in this way (benches/CRASH.md).
    #[test]
    fn a_partition_is_read_from_its_start_however_early_the_broker_answers() {
        const RECORDS: i64 = 200;
        let broker = filled(RECORDS);
        let mut source = KafkaSource::connect(&broker.settings()).unwrap();
        let start = |partition: i32| Start {
            topic: TOPIC.to_owned(),
            partition,
            offset: 0,
            input: partition.unsigned_abs(),
        };
        source.assign(&(0..PARTITIONS).map(start).collect::<Vec<_>>()).unwrap();
        let mut next = [0_i64; PARTITIONS as usize];
        let deadline = Instant::now() + Duration::from_secs(30);
        while next.iter().any(|next| *next < RECORDS) && Instant::now() < deadline {
            let polled = source.poll(1 << 20, Duration::from_millis(10)).unwrap();
            for record in &polled.batch.records {
                let next = &mut next[record.input as usize];
                assert_eq!(record.offset, *next, "partition {}", record.input);
                *next += 1;
            }
        }
        assert_eq!(next, [RECORDS; PARTITIONS as usize]);
    }
}

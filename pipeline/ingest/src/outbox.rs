//! Records to Kafka, each with an answer of its own: what the gateway waits for before it says
//! that it has a webhook.
//!
//! ```text
//! send ─► librdkafka's queue ─► 5 ms or a full batch ─► broker, acks=all ─► delivery ─► receiver
//!                                                         no answer within `wait`: Unknown
//! ```
//! - Idempotent and `acks=all`: a batch that is sent again after a lost answer is stored once.
//! - A record is given up after `wait`; its receiver hears [`Delivery::Unknown`], because a broker
//!   that was killed may have it all the same. Nothing is given up in silence.
//! - An idempotent producer can end for good (its broker lost what it had confirmed). Then a new
//!   one takes its place; records of the old one are told as unknown.
//! - While deliveries fail or no broker answers, [`Outbox::is_well`] says so; the next delivery, or
//!   the next answer to [`Outbox::tend`], ends that.
//! - An outage is a handful of log lines a minute (`repeats`).

mod advice;
mod polled;
mod repeats;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use model::record::{Delivery, RecordView};
use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use tokio::sync::oneshot::{Receiver, Sender, channel};

use self::advice::advice;
use self::polled::Polled;
use self::repeats::Repeats;
use crate::settings::KafkaSettings;
use crate::{IngestError, because};

/// A record waits so long for others to go with it: a request to a broker for each webhook would
/// cost more than the webhook.
const LINGER_MS: &str = "5";
/// Records in the queue: what waits is bounded by whoever sends, this is the second line.
const QUEUE_RECORDS_MAX: &str = "100000";
/// The same in KiB.
const QUEUE_KIB_MAX: &str = "262144";
/// Largest record that is offered to a broker, which has a bound of its own.
const RECORD_BYTES_MAX: &str = "17825792";
/// How long a broker may take to answer about its topics.
const ANSWER: Duration = Duration::from_secs(10);
/// The same while the gateway runs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// Errors that are kept to say why.
const ERRORS_MAX: usize = 16;

/// The queue is full, or the client refused: nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue to Kafka is full")]
pub struct OutboxFull;

/// What deliveries and errors tell.
#[derive(Debug, Default)]
struct State {
    /// The newest delivery failed, or no broker could be reached since.
    is_failing: AtomicBool,
    errors: Mutex<Vec<(KafkaError, String)>>,
    repeats: Mutex<Repeats>,
    /// Of records that are too large, which are no outage.
    too_large: Mutex<Repeats>,
    /// Of records that Kafka refused, or did not confirm: by topic.
    refused: Mutex<Repeats>,
}

impl State {
    /// How often an error came since it was told, where it is to be told now.
    fn repeated(&self, error: &str) -> Option<u64> {
        self.repeats().tell(error, Instant::now())
    }

    /// The vendor is told that its body is too large; what can be done is the operator's.
    fn tell_too_large(&self, topic: &str, bytes: usize) {
        let mut told = self.too_large.lock().unwrap_or_else(PoisonError::into_inner);
        // By topic, its digits too.
        if let Some(repeated) = told.tell(&format!("{topic}: too large"), Instant::now()) {
            tracing::warn!(
                topic,
                bytes,
                repeated,
                "a record is larger than its topic takes: raise the topic's max.message.bytes, or \
                 lower [gateway] body_kb"
            );
        }
    }

    /// Why Kafka has not got a record: once a minute for a topic and an error.
    fn tell_refused(&self, topic: &str, error: &KafkaError) {
        if let Some(repeated) = self.is_told_refused(topic, error) {
            let advice = advice(error);
            tracing::warn!(topic, %error, repeated, "Kafka has not got a record: {advice}");
        }
    }

    fn is_told_refused(&self, topic: &str, error: &KafkaError) -> Option<u64> {
        let mut told = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        told.tell(&format!("{topic}: {error}"), Instant::now())
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Context(Arc<State>);

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        // rdkafka calls this twice for each error of a producer; both are counted.
        if let Some(repeated) = self.0.repeated(reason) {
            tracing::warn!(%error, reason, repeated, "kafka");
        }
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.0.is_failing.store(true, Ordering::Relaxed);
        }
        let mut errors = self.0.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() >= ERRORS_MAX {
            errors.remove(0);
        }
        errors.push((error, reason.to_owned()));
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Sender<Delivery>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let delivery = match result {
            Ok(_) => {
                if self.0.is_failing.load(Ordering::Relaxed) {
                    self.0.is_failing.store(false, Ordering::Relaxed);
                }
                Delivery::Stored
            }
            Err((error, record)) => {
                let code = error.rdkafka_error_code();
                if code == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                    self.0.tell_too_large(record.topic(), record.payload_len());
                    Delivery::TooLarge
                } else {
                    self.0.tell_refused(record.topic(), error);
                    self.0.is_failing.store(true, Ordering::Relaxed);
                    Delivery::Unknown
                }
            }
        };
        // Whoever waited may have gone: its vendor closed the connection.
        waiting.send(delivery).ok();
    }
}

/// A producer that tells of each record what became of it.
pub struct Outbox {
    settings: KafkaSettings,
    topics: Vec<String>,
    wait: Duration,
    state: Arc<State>,
    producer: RwLock<Arc<Polled<Context>>>,
    /// One that ended for good: dropped when nobody sends by it any more, as its end takes time.
    ended: Mutex<Option<Arc<Polled<Context>>>>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({}, {} queued)", self.settings.brokers, self.queued())
    }
}

impl Outbox {
    /// Makes the producer and asks for the topics.
    ///
    /// # Errors
    /// Settings refused, no broker reachable, login refused, a topic that does not exist.
    pub fn connect(
        settings: &KafkaSettings,
        topics: Vec<String>,
        wait: Duration,
    ) -> Result<Self, IngestError> {
        let state = Arc::new(State::default());
        let producer = RwLock::new(Arc::new(produce(settings, wait, &state)?));
        let (settings, ended) = (settings.clone(), Mutex::new(None));
        let outbox = Self { settings, topics, wait, state, producer, ended };
        outbox.ask(ANSWER)?;
        outbox.state.is_failing.store(false, Ordering::Relaxed);
        Ok(outbox)
    }

    /// Queues a record with its value and headers, without a key. The receiver hears what became of
    /// it, at the latest a little after `wait`; one whose sender is gone hears an error, which is
    /// [`Delivery::Unknown`] too.
    ///
    /// # Errors
    /// The queue is full.
    pub fn send(
        &self,
        topic: &str,
        view: RecordView<'_>,
    ) -> Result<Receiver<Delivery>, OutboxFull> {
        let mut headers = OwnedHeaders::new_with_capacity(view.headers.iter().count());
        for (name, value) in view.headers.iter() {
            // Names are written by the gateway itself.
            let key = std::str::from_utf8(name).unwrap_or("");
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let (sender, receiver) = channel();
        let record = BaseRecord::<'_, (), [u8], _>::with_opaque_to(topic, Box::new(sender))
            .payload(view.value)
            .headers(headers);
        match self.producer().send(record) {
            Ok(()) => Ok(receiver),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), record)) => {
                record.delivery_opaque.send(Delivery::TooLarge).ok();
                Ok(receiver)
            }
            Err((error, _)) => {
                self.state.tell_refused(topic, &error);
                Err(OutboxFull)
            }
        }
    }

    /// Records that wait for their answer.
    #[must_use]
    pub fn queued(&self) -> usize {
        usize::try_from(self.producer().in_flight_count()).unwrap_or(0)
    }

    /// Whether the newest delivery succeeded and a broker answers.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.state.is_failing.load(Ordering::Relaxed)
    }

    /// Called every second or so by one thread: replaces a producer that has ended for good, and
    /// asks the broker for a sign of life while deliveries fail.
    pub fn tend(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(ended);
        if let Some((code, reason)) = self.producer().client().fatal_error() {
            if let Some(repeated) = self.state.repeated(&format!("the producer ended: {reason}")) {
                tracing::error!(
                    %code,
                    reason,
                    repeated,
                    "the producer ended for good: a new one follows"
                );
            }
            match produce(&self.settings, self.wait, &self.state) {
                Ok(fresh) => {
                    let mut place = self.producer.write().unwrap_or_else(PoisonError::into_inner);
                    let ended = std::mem::replace(&mut *place, Arc::new(fresh));
                    drop(place);
                    *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
                }
                Err(error) => {
                    if let Some(repeated) = self.state.repeated(&error.to_string()) {
                        tracing::error!(%error, repeated, "no new producer");
                    }
                }
            }
        }
        if !self.is_well() && self.ask(SIGN_OF_LIFE).is_ok() {
            self.state.is_failing.store(false, Ordering::Relaxed);
            if self.state.repeats().end() {
                tracing::info!("Kafka answers again");
            }
        }
    }

    /// Waits until every record has its answer.
    ///
    /// # Errors
    /// Not all had within the time.
    pub fn flush(&self, wait: Duration) -> Result<(), IngestError> {
        let flushed = self.producer().flush(wait);
        flushed.map_err(|error| IngestError::Produce { reason: error.to_string() })
    }

    fn producer(&self) -> Arc<Polled<Context>> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether each topic is there and its partitions have leaders.
    fn ask(&self, wait: Duration) -> Result<(), IngestError> {
        let producer = self.producer();
        for topic in &self.topics {
            let metadata = producer.client().fetch_metadata(Some(topic), wait);
            let metadata = metadata.map_err(|error| self.why(&error))?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let partitions = found.filter(|found| found.error().is_none());
            let partitions = partitions.map(|found| found.partitions()).unwrap_or_default();
            if partitions.is_empty() {
                let (topic, brokers) = (topic.clone(), self.settings.brokers.clone());
                return Err(IngestError::MissingTopic { topic, brokers });
            }
            if let Some(idle) = partitions.iter().find(|partition| partition.leader() < 0) {
                let reason = format!("{topic}/{} has no leader", idle.id());
                let brokers = self.settings.brokers.clone();
                return Err(IngestError::Unreachable { brokers, reason });
            }
        }
        Ok(())
    }

    fn why(&self, error: &KafkaError) -> IngestError {
        // Errors are told by the polling thread, which may come to them a moment later.
        std::thread::sleep(Duration::from_millis(150));
        let told = self.state.errors.lock().unwrap_or_else(PoisonError::into_inner);
        because(&self.settings.brokers, &told, error)
    }
}

fn produce(
    settings: &KafkaSettings,
    wait: Duration,
    state: &Arc<State>,
) -> Result<Polled<Context>, IngestError> {
    let mut config = settings.client();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", LINGER_MS)
        .set("message.timeout.ms", wait.as_millis().to_string())
        .set("queue.buffering.max.messages", QUEUE_RECORDS_MAX)
        .set("queue.buffering.max.kbytes", QUEUE_KIB_MAX)
        .set("message.max.bytes", RECORD_BYTES_MAX);
    let refused = |reason: String| IngestError::Settings { reason };
    let made: Result<BaseProducer<Context>, KafkaError> =
        config.create_with_context(Context(Arc::clone(state)));
    let producer = made.map_err(|error| refused(error.to_string()))?;
    Polled::new(producer).map_err(|error| refused(format!("no thread for deliveries: {error}")))
}

#[cfg(test)]
mod tests {
    use model::record::{RawBatch, RawRecord};

    use super::*;
    use crate::EmbeddedBroker;

    fn record(value: &[u8]) -> RawBatch {
        let mut batch = RawBatch::default();
        let value = batch.push_bytes(value);
        let header = (batch.push_bytes(b"source"), batch.push_bytes(b"twilio"));
        batch.headers.push(header);
        batch.records.push(RawRecord {
            input: 0,
            offset: 0,
            ingest_time_us: None,
            value,
            tombstone: false,
            headers: 0..1,
        });
        batch
    }

    fn outcome(outbox: &Outbox, batch: &RawBatch) -> Delivery {
        let receiver = outbox.send("hooks", batch.view(&batch.records[0])).unwrap();
        receiver.blocking_recv().unwrap()
    }

    #[test]
    fn a_record_is_told_as_stored_once_the_broker_has_it_and_as_unknown_without_a_broker() {
        let broker = EmbeddedBroker::start(&["hooks".to_owned()], 2).unwrap();
        let wait = Duration::from_secs(2);
        let outbox = Outbox::connect(&broker.settings(), vec!["hooks".to_owned()], wait).unwrap();
        assert_eq!(outcome(&outbox, &record(b"one")), Delivery::Stored);
        assert_eq!(outcome(&outbox, &record(b"")), Delivery::Stored);
        assert!(outbox.is_well());
        drop(broker);
        assert_eq!(outcome(&outbox, &record(b"two")), Delivery::Unknown);
        assert!(!outbox.is_well());
        outbox.tend();
        assert!(!outbox.is_well(), "nobody answers");
        outbox.flush(Duration::from_secs(5)).unwrap();
        assert_eq!(outbox.queued(), 0);
    }

    #[test]
    fn a_record_beyond_the_clients_bound_is_told_as_too_large() {
        let broker = EmbeddedBroker::start(&["hooks".to_owned()], 1).unwrap();
        let wait = Duration::from_secs(5);
        let outbox = Outbox::connect(&broker.settings(), vec!["hooks".to_owned()], wait).unwrap();
        assert_eq!(outcome(&outbox, &record(&vec![b'x'; 18 << 20])), Delivery::TooLarge);
    }

    #[test]
    fn why_kafka_refuses_is_told_once_for_a_topic_and_an_error() {
        let state = State::default();
        let failed = KafkaError::MessageProduction;
        let timed_out = failed(RDKafkaErrorCode::MessageTimedOut);
        let forbidden = failed(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert_eq!(state.is_told_refused("hooks", &timed_out), Some(0));
        assert_eq!(state.is_told_refused("hooks", &timed_out), None);
        assert_eq!(state.is_told_refused("hooks", &forbidden), Some(0));
        assert_eq!(state.is_told_refused("hooks.2", &timed_out), Some(0));
        assert_eq!(state.is_told_refused("hooks.3", &timed_out), Some(0));
        assert!(advice(&timed_out).contains("kafka_wait_ms"));
        assert!(advice(&forbidden).contains("right to write"));
    }

    #[test]
    fn a_broker_that_is_not_there_is_told_at_the_start() {
        let broker = EmbeddedBroker::start(&["hooks".to_owned()], 1).unwrap();
        let mut settings = broker.settings();
        settings.brokers = "127.0.0.1:1".to_owned();
        drop(broker);
        let wait = Duration::from_secs(1);
        let refused = Outbox::connect(&settings, vec!["hooks".to_owned()], wait).unwrap_err();
        assert!(matches!(refused, IngestError::Unreachable { .. }), "{refused}");
    }
}

//! Out to Kafka: what `simulate` writes. Idempotent, `acks=all`, in order by partition.

use std::time::Duration;

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::IngestError;
use crate::settings::KafkaSettings;

/// A record to be written.
#[derive(Debug)]
pub struct OutRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Kafka timestamp, milliseconds.
    pub timestamp_ms: i64,
    /// Key.
    pub key: &'a [u8],
    /// Headers.
    pub headers: &'a [(&'static str, String)],
    /// Value.
    pub value: &'a [u8],
}

/// A producer.
pub struct Producer {
    inner: BaseProducer,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Producer")
    }
}

fn produce(error: &KafkaError) -> IngestError {
    IngestError::Produce { reason: error.to_string() }
}

impl Producer {
    /// Makes a producer.
    ///
    /// # Errors
    /// Settings refused.
    pub fn new(settings: &KafkaSettings) -> Result<Self, IngestError> {
        let mut config = settings.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("batch.size", "262144")
            .set("queue.buffering.max.messages", "500000");
        let inner =
            config.create().map_err(|error| IngestError::Settings { reason: error.to_string() })?;
        Ok(Self { inner })
    }

    /// Queues a record; waits where the queue is full.
    ///
    /// # Errors
    /// The client refuses the record for good.
    pub fn send(&self, record: &OutRecord<'_>) -> Result<(), IngestError> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in record.headers {
            headers = headers.insert(Header { key, value: Some(value.as_bytes()) });
        }
        let mut next = BaseRecord::to(record.topic)
            .partition(record.partition)
            .timestamp(record.timestamp_ms)
            .key(record.key)
            .payload(record.value)
            .headers(headers);
        loop {
            match self.inner.send(next) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.inner.poll(Duration::from_millis(20));
                    next = back;
                }
                Err((error, _)) => return Err(produce(&error)),
            }
        }
        self.inner.poll(Duration::ZERO);
        Ok(())
    }

    /// Waits until every record is acknowledged.
    ///
    /// # Errors
    /// Not all were within the time.
    pub fn flush(&self, wait: Duration) -> Result<(), IngestError> {
        self.inner.flush(wait).map_err(|error| produce(&error))
    }
}

impl Producer {
    /// Creates topics that are absent, with so many partitions.
    ///
    /// # Errors
    /// Broker unreachable, or it refuses.
    pub fn create_topics(
        settings: &KafkaSettings,
        topics: &[String],
        partitions: i32,
    ) -> Result<(), IngestError> {
        let admin: AdminClient<DefaultClientContext> = settings
            .client()
            .create()
            .map_err(|error| IngestError::Settings { reason: error.to_string() })?;
        let wanted: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(1)))
            .collect();
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(15)));
        let answers = block_on(admin.create_topics(&wanted, &options));
        let answers = answers.map_err(|error| IngestError::Unreachable {
            brokers: settings.brokers.clone(),
            reason: error.to_string(),
        })?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(IngestError::Produce {
                        reason: format!("topic {topic} cannot be created: {code}"),
                    });
                }
            }
        }
        Ok(())
    }
}

//! Single records by their offsets: what a dead letter's position still leads to. Nothing of the
//! job's reading is touched: a consumer of its own, without a group's offsets.

use std::time::{Duration, Instant};

use model::record::RawBatch;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::source::{Context, KafkaSource, push};
use crate::{IngestError, KafkaSettings};

/// Longest wait for one record.
const ANSWER: Duration = Duration::from_secs(30);

/// Reads single records.
#[derive(Debug)]
pub struct Picker(KafkaSource);

impl Picker {
    /// Connects.
    ///
    /// # Errors
    /// Settings refused, no broker reachable, or login refused.
    pub fn connect(settings: &KafkaSettings) -> Result<Self, IngestError> {
        KafkaSource::connect(settings).map(Self)
    }

    /// The record at an offset, as of input 0; `None` where the broker has it no more.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn record(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Option<RawBatch>, IngestError> {
        let consumer = self.0.consumer.as_ref();
        let wrong = |error: &KafkaError| {
            let reason = format!("{topic}/{partition}/{offset}: {error}");
            IngestError::Unreachable { brokers: self.0.brokers.clone(), reason }
        };
        let (low, high) = match consumer.fetch_watermarks(topic, partition, ANSWER) {
            Err(error) if is_gone(&error) => return Ok(None),
            answer => answer.map_err(|error| wrong(&error))?,
        };
        if !(low..high).contains(&offset) {
            return Ok(None);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .and_then(|()| consumer.assign(&list))
            .map_err(|error| wrong(&error))?;
        let found = wait(consumer, (topic, partition, offset)).map_err(|error| wrong(&error));
        consumer.unassign().map_err(|error| wrong(&error))?;
        found
    }
}

fn wait(
    consumer: &BaseConsumer<Context>,
    (topic, partition, offset): (&str, i32, i64),
) -> Result<Option<RawBatch>, KafkaError> {
    let deadline = Instant::now() + ANSWER;
    let mut told = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                // What was fetched for the record before this one may still be on its way.
                let here = message.topic() == topic && message.partition() == partition;
                if here && message.offset() == offset {
                    let mut batch = RawBatch::default();
                    push(&mut batch, 0, &message);
                    return Ok(Some(batch));
                }
                if here && message.offset() > offset {
                    // Compacted, or a control record.
                    return Ok(None);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(Err(error)) if is_gone(&error) => return Ok(None),
            Some(Err(error)) => told = error,
            None => {}
        }
    }
    Err(told)
}

/// There is no such topic, partition or offset.
fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::AutoOffsetReset
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddedBroker, OutRecord, Producer};

    #[test]
    fn records_are_found_by_their_offsets_in_any_order() {
        let broker = EmbeddedBroker::start(&["t".to_owned()], 2).unwrap();
        let producer = Producer::new(&broker.settings()).unwrap();
        for number in 0..20 {
            let value = format!("{}-{}", number % 2, number / 2);
            let record = OutRecord {
                topic: "t",
                partition: number % 2,
                timestamp_ms: 7,
                key: b"",
                headers: &[("source", "fcm".to_owned())],
                value: value.as_bytes(),
            };
            producer.send(&record).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
        let picker = Picker::connect(&broker.settings()).unwrap();
        for (partition, offset) in [(1, 9), (0, 3), (1, 3), (1, 2), (0, 0)] {
            let batch = picker.record("t", partition, offset).unwrap().unwrap();
            let view = batch.view(&batch.records[0]);
            assert_eq!(view.value, format!("{partition}-{offset}").as_bytes());
            assert_eq!((view.offset, view.headers.get("source")), (offset, Some("fcm")));
        }
        assert!(picker.record("t", 0, 10).unwrap().is_none());
        assert!(picker.record("t", 7, 0).unwrap().is_none());
    }
}

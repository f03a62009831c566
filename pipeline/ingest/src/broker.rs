//! The broker inside the process, for `demo` and unit tests only: librdkafka's mock cluster. It
//! has no real transactions and drops the oldest records beyond 5 MiB a partition.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::IngestError;
use crate::settings::KafkaSettings;

/// A broker on loopback that lives as long as this value.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedBroker")
    }
}

impl EmbeddedBroker {
    /// Starts a broker with these topics.
    ///
    /// # Errors
    /// The mock cluster refuses.
    pub fn start(topics: &[String], partitions: i32) -> Result<Self, IngestError> {
        let failed = |error: rdkafka::error::KafkaError| IngestError::Settings {
            reason: format!("embedded broker: {error}"),
        };
        let cluster = MockCluster::new(1).map_err(failed)?;
        for topic in topics {
            cluster.create_topic(topic, partitions, 1).map_err(failed)?;
        }
        Ok(Self { cluster })
    }

    /// How to reach it.
    #[must_use]
    pub fn settings(&self) -> KafkaSettings {
        let brokers = self.cluster.bootstrap_servers();
        KafkaSettings { is_embedded: true, ..KafkaSettings::plaintext(&brokers) }
    }
}

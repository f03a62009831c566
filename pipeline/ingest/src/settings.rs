//! How to reach Kafka. The password is held here only and never printed.

use rdkafka::ClientConfig;

/// Protection of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// No protection.
    Plaintext,
    /// TLS.
    Ssl,
    /// Login without TLS.
    SaslPlaintext,
    /// Login over TLS.
    SaslSsl,
}

/// A login.
#[derive(Clone)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// User.
    pub username: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sasl({} as {})", self.mechanism, self.username)
    }
}

/// How to reach Kafka.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// Group id under which offsets are written for lag tools.
    pub group_id: String,
    /// Protection.
    pub protocol: Protocol,
    /// Login, for the SASL protocols.
    pub sasl: Option<Sasl>,
    /// CA certificates, PEM; the system's where absent.
    pub ssl_ca_file: Option<String>,
    /// The broker is the one inside the process, which does not describe topics.
    pub is_embedded: bool,
}

/// Records that librdkafka may hold ready, for each partition: with 4 MiB a partition, 100
/// partitions stay below half a gigabyte.
const PREFETCH_KIB_A_PARTITION: &str = "4096";

/// Rest of a partition whose queue is full. The client's own 1000 ms would let a queue of 4 MiB run
/// dry and rest: a partition would give 4 MiB a second at most.
const QUEUE_FULL_MS: &str = "20";

impl KafkaSettings {
    /// Settings for a broker on this machine without protection.
    #[must_use]
    pub fn plaintext(brokers: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            group_id: "sendtally".to_owned(),
            protocol: Protocol::Plaintext,
            sasl: None,
            ssl_ca_file: None,
            is_embedded: false,
        }
    }

    /// What every client has.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        let protocol = match self.protocol {
            Protocol::Plaintext => "plaintext",
            Protocol::Ssl => "ssl",
            Protocol::SaslPlaintext => "sasl_plaintext",
            Protocol::SaslSsl => "sasl_ssl",
        };
        config
            .set("bootstrap.servers", &self.brokers)
            .set("security.protocol", protocol)
            .set("client.id", "sendtally")
            .set("reconnect.backoff.max.ms", "2000");
        if let Some(sasl) = &self.sasl {
            config
                .set("sasl.mechanism", &sasl.mechanism)
                .set("sasl.username", &sasl.username)
                .set("sasl.password", &sasl.password);
        }
        if let Some(file) = &self.ssl_ca_file {
            config.set("ssl.ca.location", file);
        }
        config
    }

    /// What the consumer has.
    pub(crate) fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("queued.max.messages.kbytes", PREFETCH_KIB_A_PARTITION)
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", QUEUE_FULL_MS)
            .set("statistics.interval.ms", "2000")
            .set("check.crcs", "true");
        config
    }
}

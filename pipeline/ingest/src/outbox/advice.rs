//! What an operator can do about a record that Kafka refuses.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// By the error of a delivery, or of a try to queue.
pub(super) fn advice(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(Code::MessageTimedOut) => {
            "no broker confirmed it within [gateway] kafka_wait_ms: are the brokers up, has the \
             partition a leader and as many replicas in sync as min.insync.replicas says?"
        }
        Some(Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend) => {
            "fewer replicas are in sync than the topic's min.insync.replicas: bring brokers back"
        }
        Some(Code::TopicAuthorizationFailed) => {
            "give the user of [kafka] the right to write to the topic"
        }
        Some(Code::ClusterAuthorizationFailed) => {
            "give the user of [kafka] the cluster's right to IdempotentWrite"
        }
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
            "the topic is not there: make it, or correct `topic` in [gateway]"
        }
        Some(Code::InvalidRecord | Code::PolicyViolation | Code::InvalidTimestamp) => {
            "the topic's settings do not admit it: records have no key, so cleanup.policy cannot \
             be compact"
        }
        Some(Code::QueueFull) => {
            "more webhooks come than Kafka takes: look at the brokers and their network"
        }
        _ => "look at the log of the brokers",
    }
}

//! `[kafka]`: how to reach the brokers, and where to start.

use std::path::{Path, PathBuf};

use ingest::{KafkaSettings, Protocol, Sasl};
use serde::Deserialize;

use super::address::brokers_without_login;
use super::secret_line;
use crate::failure::{Failure, Outcome};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKafka {
    /// Bootstrap servers, `host:port`, separated by commas.
    brokers: String,
    /// Group under which offsets are written for lag tools.
    #[serde(default = "default_group")]
    group_id: String,
    /// `earliest` or `latest`: where to start on a partition never seen.
    #[serde(default = "default_start")]
    start: String,
    /// `plaintext`, `ssl`, `sasl_plaintext`, `sasl_ssl`.
    #[serde(default = "default_protocol")]
    security_protocol: String,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`.
    sasl_mechanism: Option<String>,
    /// User.
    sasl_username: Option<String>,
    /// File that holds the password; or SENDTALLY_KAFKA_PASSWORD.
    sasl_password_file: Option<PathBuf>,
    /// CA certificates, PEM.
    ssl_ca_file: Option<String>,
}

fn default_group() -> String {
    "sendtally".to_owned()
}

fn default_start() -> String {
    "earliest".to_owned()
}

fn default_protocol() -> String {
    "plaintext".to_owned()
}

/// Where to start on a partition never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstStart {
    Earliest,
    Latest,
}

impl RawKafka {
    pub(super) fn first_start(&self) -> Outcome<FirstStart> {
        match self.start.as_str() {
            "earliest" => Ok(FirstStart::Earliest),
            "latest" => Ok(FirstStart::Latest),
            other => Err(Failure::usage(format!(
                "[kafka] start is `{other}`; it can be earliest or latest"
            ))),
        }
    }
}

/// The section, which whoever reads from Kafka or writes to it needs.
pub(super) fn told(raw: Option<RawKafka>) -> Outcome<RawKafka> {
    raw.ok_or_else(|| Failure::usage("[kafka] is missing: give it `brokers`"))
}

/// What the client is made by.
pub(super) fn settings(raw: RawKafka) -> Outcome<KafkaSettings> {
    brokers_without_login("[kafka] brokers", &raw.brokers)?;
    let protocol = match raw.security_protocol.as_str() {
        "plaintext" => Protocol::Plaintext,
        "ssl" => Protocol::Ssl,
        "sasl_plaintext" => Protocol::SaslPlaintext,
        "sasl_ssl" => Protocol::SaslSsl,
        other => {
            return Err(Failure::usage(format!(
                "[kafka] security_protocol is `{other}`; it can be plaintext, ssl, \
                 sasl_plaintext or sasl_ssl"
            )));
        }
    };
    let sasl = match protocol {
        Protocol::Plaintext | Protocol::Ssl => None,
        Protocol::SaslPlaintext | Protocol::SaslSsl => {
            let missing = |key: &str| {
                Failure::usage(format!(
                    "[kafka] {key} is missing: {} needs it",
                    raw.security_protocol
                ))
            };
            Some(Sasl {
                mechanism: raw.sasl_mechanism.clone().ok_or_else(|| missing("sasl_mechanism"))?,
                username: raw.sasl_username.clone().ok_or_else(|| missing("sasl_username"))?,
                password: password(raw.sasl_password_file.as_deref())?,
            })
        }
    };
    Ok(KafkaSettings {
        brokers: raw.brokers,
        group_id: raw.group_id,
        protocol,
        sasl,
        ssl_ca_file: raw.ssl_ca_file,
        is_embedded: false,
    })
}

fn password(file: Option<&Path>) -> Outcome<String> {
    if let Some(file) = file {
        return secret_line("[kafka] sasl_password_file", file);
    }
    std::env::var("SENDTALLY_KAFKA_PASSWORD").map_err(|_| {
        Failure::usage(
            "no Kafka password: set [kafka] sasl_password_file or SENDTALLY_KAFKA_PASSWORD",
        )
    })
}

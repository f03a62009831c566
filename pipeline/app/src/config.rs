//! The configuration file: raw TOML with unknown keys refused, then settings that are checked.

pub(crate) mod dead_letters;
pub(crate) mod gateway;
pub(crate) mod regional;

mod signatures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commit::{Credentials, StoreSettings};
use ingest::{KafkaSettings, Protocol, Sasl};
use model::keys::{Keyring, unhex};
use model::record::SignatureRule;
use model::vocabulary::Source;
use normalize::Regional;
use normalize::signature::Signatures;
use normalize::vault::Vault;
use regex::Regex;
use serde::Deserialize;
use sink::clickhouse::{Endpoint, Layout};

use crate::failure::{Failure, Outcome};
use crate::lake::{Retention, Rules};

/// The file as it is written. Every key is documented here and in the README.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// Where everything is kept; with a store, its cache. The gateway keeps nothing.
    data_dir: Option<PathBuf>,
    /// Where it is kept instead; without `store` there.
    #[serde(default)]
    data: RawData,
    /// How to reach Kafka; `normalize` and `load` read files and need none.
    kafka: Option<RawKafka>,
    /// Which topics belong to the job.
    #[serde(default)]
    topics: Vec<RawTopic>,
    /// Secrets for the keyed hashes.
    #[serde(default)]
    keys: RawKeys,
    /// Vendors' keys, by which records are verified.
    #[serde(default)]
    signatures: Vec<signatures::RawSignatures>,
    /// Zones in which accounts tell local times.
    #[serde(default)]
    accounts: Vec<regional::RawAccount>,
    /// What carriers are called.
    #[serde(default)]
    carriers: regional::RawCarriers,
    /// Under which key records of dead letters are kept.
    #[serde(default)]
    dead_letters: dead_letters::RawDeadLetters,
    /// When epochs close.
    #[serde(default)]
    commit: RawCommit,
    /// How much memory the message table takes.
    #[serde(default)]
    track: RawTrack,
    /// When files are published.
    #[serde(default)]
    sink: RawSink,
    /// Where rows are loaded beside the files; without this section nowhere.
    clickhouse: Option<RawClickHouse>,
    /// Days by table after which its files go; a table that is not named is kept. `events` 36 or
    /// more.
    #[serde(default)]
    retention: BTreeMap<String, u32>,
    /// Where the API listens; without this section there is none.
    serve: Option<RawServe>,
    /// Where webhooks come in, for `sendtally gateway`.
    gateway: Option<gateway::RawGateway>,
    /// SLO objectives; without any, the built-in delivery rate.
    #[serde(default)]
    objectives: Vec<RawObjective>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawData {
    /// `s3://BUCKET/PREFIX`.
    store: Option<String>,
    /// `https://HOST:PORT`; or AWS_ENDPOINT_URL; without both Amazon's.
    endpoint: Option<String>,
    /// Region; or AWS_REGION; else `us-east-1`.
    region: Option<String>,
    /// An endpoint `http://…` is meant; or AWS_ALLOW_HTTP=true.
    #[serde(default)]
    allow_http: bool,
    /// File whose two lines are the access key id and the secret access key; or AWS_ACCESS_KEY_ID
    /// and AWS_SECRET_ACCESS_KEY.
    credentials_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKafka {
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTopic {
    /// Topic; or `pattern`.
    name: Option<String>,
    /// Regular expression over topics.
    pattern: Option<String>,
    /// Source of records that name none.
    source: Option<String>,
    /// Account of records that name none.
    account: Option<String>,
    /// `ignore`, `record` or `require`: what becomes of the records' signatures. Without it
    /// `record`.
    signatures: Option<String>,
    /// A header `verified` does not stand: others than the gateway write to this topic.
    #[serde(default)]
    check_signatures_again: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    /// File that holds 64 hex digits; or SENDTALLY_KEY.
    secret_file: Option<PathBuf>,
    /// Number of the token key.
    #[serde(default)]
    token_key_id: u16,
}

/// `[commit] min_free_mb` where nothing else is configured: a few epochs at full use.
pub(crate) const MIN_FREE_MB: u64 = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCommit {
    /// An epoch closes after so long.
    epoch_ms: u64,
    /// Ingest pauses while the disk has less space than this.
    min_free_mb: u64,
}

impl Default for RawCommit {
    fn default() -> Self {
        Self { epoch_ms: 1000, min_free_mb: MIN_FREE_MB }
    }
}

/// `[track] memory_mb` where nothing else is configured.
const TRACK_MEMORY_MB: usize = 2048;
/// The same in bytes.
pub(crate) const TRACK_MEMORY_BYTES: usize = TRACK_MEMORY_MB << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTrack {
    /// Memory of tracked messages; older ones are read from disk. What changed and is not written
    /// yet comes on top.
    memory_mb: usize,
}

impl Default for RawTrack {
    fn default() -> Self {
        Self { memory_mb: TRACK_MEMORY_MB }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSink {
    /// Files are published so far behind the watermark.
    publish_after_s: u64,
}

impl Default for RawSink {
    fn default() -> Self {
        Self { publish_after_s: 3600 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClickHouse {
    /// HTTP interface: `http://host:8123` or `https://host:8443`.
    url: String,
    /// Made where it is absent.
    #[serde(default = "default_database")]
    database: String,
    /// User.
    #[serde(default = "default_user")]
    user: String,
    /// File that holds the password; or SENDTALLY_CLICKHOUSE_PASSWORD; without both none is sent.
    password_file: Option<PathBuf>,
    /// Cluster on which tables are made.
    cluster: Option<String>,
    /// Replicated engines; the server's macros `{shard}` and `{replica}` have to be set.
    #[serde(default)]
    replicated: bool,
}

fn default_database() -> String {
    "sendtally".to_owned()
}

fn default_user() -> String {
    "default".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServe {
    /// Address and port.
    listen: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawObjective {
    /// OpenSLO file.
    file: PathBuf,
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

/// An entry of `[[topics]]`.
#[derive(Debug, Clone)]
pub(crate) struct TopicEntry {
    pub(crate) pattern: Regex,
    /// The name, where the entry is no pattern: it has to exist.
    pub(crate) name: Option<String>,
    pub(crate) source: Option<Source>,
    pub(crate) account: Option<String>,
    pub(crate) signatures: SignatureRule,
}

/// Where and how rows are loaded.
#[derive(Debug, Clone)]
pub(crate) struct ClickHouseSettings {
    pub(crate) endpoint: Endpoint,
    pub(crate) layout: Layout,
}

/// What the pipeline runs by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) store: Option<StoreSettings>,
    pub(crate) kafka: KafkaSettings,
    pub(crate) first_start: FirstStart,
    pub(crate) topics: Vec<TopicEntry>,
    pub(crate) keyring: Keyring,
    pub(crate) signatures: Arc<Signatures>,
    pub(crate) regional: Arc<Regional>,
    /// Keeps the records of dead letters; without it nothing of them is kept.
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) epoch_ms: u64,
    pub(crate) min_free_bytes: u64,
    pub(crate) track_memory_bytes: usize,
    pub(crate) clickhouse: Option<ClickHouseSettings>,
    pub(crate) lake: Rules,
    pub(crate) listen: Option<String>,
    pub(crate) objective_files: Vec<PathBuf>,
    /// Hash of the file's text: which configuration an epoch was made under.
    pub(crate) version: String,
}

/// Reads and checks a configuration file.
pub(crate) fn read(path: &Path) -> Outcome<Settings> {
    let (raw, text) = parse(path)?;
    check(raw, &text)
}

/// Vendors' keys of a configuration, for files that are no topics; none without one.
pub(crate) fn signatures_of(path: Option<&Path>) -> Outcome<Arc<Signatures>> {
    let Some(path) = path else { return Ok(Arc::default()) };
    let (raw, _) = parse(path)?;
    signatures::read(raw.signatures, &[])
}

/// A file as it is written, and its text.
fn parse(path: &Path) -> Outcome<(Raw, String)> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let raw: Raw = toml::from_str(&text).map_err(|error| {
        Failure::usage(format!("{}: {}", path.display(), error.to_string().trim_end()))
    })?;
    Ok((raw, text))
}

fn check(raw: Raw, text: &str) -> Outcome<Settings> {
    let to = told_kafka(raw.kafka)?;
    let first_start = match to.start.as_str() {
        "earliest" => FirstStart::Earliest,
        "latest" => FirstStart::Latest,
        other => {
            return Err(Failure::usage(format!(
                "[kafka] start is `{other}`; it can be earliest or latest"
            )));
        }
    };
    let Some(data_dir) = raw.data_dir else {
        return Err(Failure::usage("`data_dir` is missing: name the directory to keep data in"));
    };
    if raw.topics.is_empty() {
        return Err(Failure::usage("[[topics]] is empty: name at least one topic"));
    }
    let loads = raw.clickhouse.is_some();
    let topics: Outcome<Vec<TopicEntry>> = raw.topics.iter().map(topic).collect();
    let topics = topics?;
    Ok(Settings {
        data_dir,
        store: store(raw.data)?,
        first_start,
        signatures: signatures::read(raw.signatures, &topics)?,
        regional: regional::read(&raw.accounts, &raw.carriers)?,
        topics,
        vault: dead_letters::vault(raw.dead_letters.key_file.as_deref())?,
        keyring: keyring(raw.keys.secret_file.as_deref(), raw.keys.token_key_id)?,
        kafka: kafka(to)?,
        epoch_ms: raw.commit.epoch_ms.clamp(10, 60_000),
        min_free_bytes: raw.commit.min_free_mb << 20,
        track_memory_bytes: raw.track.memory_mb.saturating_mul(1 << 20),
        clickhouse: raw.clickhouse.map(|to| clickhouse(to, &raw.retention)).transpose()?,
        lake: Rules {
            publish_after_us: i64::try_from(raw.sink.publish_after_s)
                .unwrap_or(i64::MAX / 2_000_000)
                .saturating_mul(model::time::SECOND_US),
            retention: Retention::new(raw.retention)?,
            min_free_bytes: raw.commit.min_free_mb << 20,
            loads,
        },
        listen: raw.serve.map(|serve| serve.listen),
        objective_files: raw.objectives.into_iter().map(|objective| objective.file).collect(),
        version: version_of(text),
    })
}

/// Short hash of a configuration's text.
pub(crate) fn version_of(text: &str) -> String {
    use sha2::Digest;
    model::keys::hex(&sha2::Sha256::digest(text.as_bytes())[..8])
}

fn topic(raw: &RawTopic) -> Outcome<TopicEntry> {
    let (pattern, name) = match (&raw.name, &raw.pattern) {
        (Some(name), None) => (format!("^{}$", regex::escape(name)), Some(name.clone())),
        (None, Some(pattern)) => (pattern.clone(), None),
        _ => return Err(Failure::usage("[[topics]] needs either `name` or `pattern`")),
    };
    let pattern = Regex::new(&pattern)
        .map_err(|error| Failure::usage(format!("[[topics]] pattern `{pattern}`: {error}")))?;
    let source = raw.source.as_deref().map(|word| known_source("[[topics]]", word)).transpose()?;
    let signatures = signatures::rule(raw.signatures.as_deref(), raw.check_signatures_again)?;
    Ok(TopicEntry { pattern, name, source, account: raw.account.clone(), signatures })
}

/// A source by its word in a section.
fn known_source(section: &str, word: &str) -> Outcome<Source> {
    Source::parse(word).ok_or_else(|| {
        let known = Source::WORDS.join(", ");
        Failure::usage(format!("{section} source `{word}` is unknown; known: {known}"))
    })
}

fn store(raw: RawData) -> Outcome<Option<StoreSettings>> {
    let Some(url) = raw.store else {
        if raw.endpoint.or(raw.region).is_some() || raw.credentials_file.is_some() {
            return Err(Failure::usage("[data] names no `store`: give s3://BUCKET/PREFIX"));
        }
        return Ok(None);
    };
    let credentials = raw.credentials_file.as_deref().map(|file| -> Outcome<Credentials> {
        let key = "[data] credentials_file";
        let text = secret_line(key, file)?;
        let mut lines = text.lines().map(str::trim);
        match (lines.next(), lines.next(), lines.next()) {
            (Some(key_id), Some(secret), None) if !key_id.is_empty() && !secret.is_empty() => {
                Ok(Credentials { key_id: key_id.to_owned(), secret: secret.to_owned() })
            }
            _ => Err(Failure::usage(format!(
                "{key} {} has to be two lines: access key id, secret access key",
                file.display()
            ))),
        }
    });
    Ok(Some(StoreSettings {
        url,
        endpoint: raw.endpoint,
        region: raw.region,
        allow_http: raw.allow_http,
        credentials: credentials.transpose()?,
    }))
}

/// The section, which whoever reads from Kafka or writes to it needs.
fn told_kafka(raw: Option<RawKafka>) -> Outcome<RawKafka> {
    raw.ok_or_else(|| Failure::usage("[kafka] is missing: give it `brokers`"))
}

fn kafka(raw: RawKafka) -> Outcome<KafkaSettings> {
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

fn clickhouse(
    raw: RawClickHouse,
    retention: &BTreeMap<String, u32>,
) -> Outcome<ClickHouseSettings> {
    if !raw.url.starts_with("http://") && !raw.url.starts_with("https://") {
        return Err(Failure::usage(format!(
            "[clickhouse] url is `{}`; it needs http://HOST:8123 or https://HOST:8443",
            raw.url
        )));
    }
    let from_file = raw.password_file.as_deref();
    let from_file = from_file.map(|file| secret_line("[clickhouse] password_file", file));
    let from_environment = || std::env::var("SENDTALLY_CLICKHOUSE_PASSWORD").ok();
    let password = from_file.transpose()?.or_else(from_environment).unwrap_or_default();
    let mut layout = Layout::single(&raw.database);
    layout.cluster = raw.cluster;
    layout.replicated = raw.replicated;
    layout.ttl_days.clone_from(retention);
    let endpoint = Endpoint { url: raw.url, user: raw.user, password };
    Ok(ClickHouseSettings { endpoint, layout })
}

/// A secret that a file holds.
fn secret_line(key: &str, file: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{key} {}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
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

/// The secret of the keyed hashes, from a file or the environment.
pub(crate) fn keyring(file: Option<&Path>, token_key_id: u16) -> Outcome<Keyring> {
    let (text, place) = if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("[keys] secret_file {}: {error}", file.display()))
        })?;
        (text, file.display().to_string())
    } else {
        let text = std::env::var("SENDTALLY_KEY").map_err(|_| {
            Failure::usage(
                "no token key: set [keys] secret_file or SENDTALLY_KEY to 64 hex digits, for \
                 example from `openssl rand -hex 32`; keep it, ids depend on it",
            )
        })?;
        (text, "SENDTALLY_KEY".to_owned())
    };
    secret(&text, token_key_id)
        .ok_or_else(|| Failure::usage(format!("{place} does not hold 64 hex digits")))
}

/// A keyring from 64 hex digits.
pub(crate) fn secret(text: &str, token_key_id: u16) -> Option<Keyring> {
    let bytes: [u8; 32] = unhex(text.trim())?.try_into().ok()?;
    Some(Keyring::from_secret(&bytes, token_key_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let path = std::env::temp_dir().join(format!("sendtally-config-{:p}", text));
        std::fs::write(&path, text).unwrap();
        let failure = read(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(failure.code(), 2);
        failure.to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = "data_dir=\"x\"\nport=1\n[kafka]\nbrokers=\"b\"\n[[topics]]\nname=\"t\"\n";
        assert!(message(text).contains("port"), "{}", message(text));
    }

    #[test]
    fn a_job_needs_kafka_and_keys_of_signatures_do_not() {
        let told = message("data_dir=\"x\"\n[[topics]]\nname=\"t\"\n");
        assert!(told.contains("[kafka] is missing: give it `brokers`"), "{told}");
        let path = std::env::temp_dir().join(format!("sendtally-keys-{:p}", &told));
        std::fs::write(&path, "signatures = []\n").unwrap();
        let read = signatures_of(Some(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(read.is_ok());
    }

    #[test]
    fn a_topic_needs_a_name_or_a_pattern_and_a_known_source() {
        let head = "data_dir=\"x\"\n[kafka]\nbrokers=\"b\"\n[[topics]]\n";
        assert!(message(head).contains("either `name` or `pattern`"));
        let text = format!("{head}name=\"t\"\nsource=\"twillio\"\n");
        assert!(message(&text).contains("`twillio` is unknown"));
    }

    #[test]
    fn keys_of_signatures_are_files_with_a_known_scheme() {
        let head = "data_dir=\"x\"\n[kafka]\nbrokers=\"b\"\n[[topics]]\nname=\"t\"\n";
        let keys = "[keys]\nsecret_file=\"/dev/null\"\n[[signatures]]\nsource=\"twilio\"\n";
        let told = |text: &str| message(&format!("{head}{text}"));
        assert!(told("signatures=\"maybe\"\n").contains("`maybe`"));
        let files = "secret_files=[\"/nowhere/key\"]\n";
        assert!(told(&format!("{keys}{files}")).contains("/nowhere/key"));
        assert!(told(&format!("{keys}{files}scheme=\"rot13\"\n")).contains("`rot13`"));
        assert!(told(&format!("{keys}{files}scheme=\"body_hmac\"\n")).contains("`header`"));
        assert!(told(&format!("{keys}secret_files=[]\n")).contains("twilio"));
    }

    #[test]
    fn an_account_has_one_zone_of_the_database_and_carriers_a_readable_table() {
        let head = "data_dir=\"x\"\n[kafka]\nbrokers=\"b\"\n[[topics]]\nname=\"t\"\n\
            [keys]\nsecret_file=\"/dev/null\"\n";
        let told = |text: &str| message(&format!("{head}{text}"));
        let entry = |zone: &str| format!("[[accounts]]\nsource=\"smpp\"\nzone=\"{zone}\"\n");
        assert!(told(&entry("Europe/Atlantis")).contains("`Europe/Atlantis`"));
        let twice = format!("{}{}", entry("Europe/Berlin"), entry("Asia/Tokyo"));
        assert!(told(&twice).contains("any account of smpp twice"), "{}", told(&twice));
        assert!(told("[[accounts]]\nsource=\"smp\"\nzone=\"UTC\"\n").contains("`smp`"));
        assert!(told("[carriers]\nfile=\"/nowhere.csv\"\n").contains("/nowhere.csv"));
    }

    #[test]
    fn a_secret_is_64_hex_digits() {
        assert!(secret(&"ab".repeat(32), 1).is_some());
        assert!(secret(&"ab".repeat(31), 1).is_none());
        assert!(secret("zz", 1).is_none());
    }
}

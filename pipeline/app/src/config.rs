//! The configuration file: raw TOML with unknown keys refused, then settings that are checked.

pub(crate) mod dead_letters;
pub(crate) mod gateway;
pub(crate) mod regional;

mod address;
mod clickhouse;
mod kafka;
mod keys;
mod signatures;
mod store;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commit::StoreSettings;
use ingest::KafkaSettings;
use model::keys::Keyring;
use model::record::SignatureRule;
use model::vocabulary::Source;
use normalize::Regional;
use normalize::signature::Signatures;
use normalize::vault::Vault;
use regex::Regex;
use serde::Deserialize;

pub(crate) use self::address::brokers_without_login;
pub(crate) use self::clickhouse::ClickHouseSettings;
pub(crate) use self::kafka::FirstStart;
pub(crate) use self::keys::keyring;
pub(crate) use self::signatures::KeyHolders;
use self::written::parse;
use crate::cli::Assumptions;
use crate::failure::{Failure, Outcome};
use crate::lake::{Retention, Rules};

/// The file as it is written. Every key is documented here and in the README.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// Where everything is kept; with a store, its cache. The gateway keeps nothing.
    data_dir: Option<PathBuf>,
    /// Where it is kept instead; without `store` there.
    #[serde(default)]
    data: store::RawData,
    /// How to reach Kafka; `normalize` and `load` read files and need none.
    kafka: Option<kafka::RawKafka>,
    /// Which topics belong to the job.
    #[serde(default)]
    topics: Vec<RawTopic>,
    /// Secrets for the keyed hashes.
    #[serde(default)]
    keys: keys::RawKeys,
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
    clickhouse: Option<clickhouse::RawClickHouse>,
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
    pub(crate) key_holders: KeyHolders,
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

/// What a configuration says of records that come from files.
pub(crate) struct OfFiles {
    /// The configured key.
    pub(crate) keyring: Option<Keyring>,
    /// Vendors' keys.
    pub(crate) signatures: Arc<Signatures>,
    /// Zones, currencies and names of carriers.
    pub(crate) regional: Arc<Regional>,
    /// Under which dead records are kept.
    pub(crate) vault: Option<Arc<Vault>>,
}

/// The configuration of a command that reads files, beside its flags; without a file the flags and
/// the environment. Topics, Kafka and the directory of the file are of no matter here.
pub(crate) fn of_files(path: Option<&Path>, told: &Assumptions) -> Outcome<OfFiles> {
    let raw = path.map(parse).transpose()?.map(|(raw, _)| raw).unwrap_or_default();
    let key_file = raw.keys.secret_file.as_deref();
    let has_key = key_file.is_some() || std::env::var_os(keys::VARIABLE).is_some();
    if !has_key && raw.keys.token_key_id != 0 {
        return Err(Failure::usage(
            "[keys] token_key_id numbers a key that is not there: give secret_file, or \
             SENDTALLY_KEY",
        ));
    }
    let keyring = has_key.then(|| keyring(key_file, raw.keys.token_key_id)).transpose()?;
    Ok(OfFiles {
        keyring,
        signatures: signatures::read(raw.signatures, &[])?,
        regional: regional::of_files(&raw.accounts, &raw.carriers, told)?,
        vault: dead_letters::vault(raw.dead_letters.key_file.as_deref())?,
    })
}

fn check(raw: Raw, text: &str) -> Outcome<Settings> {
    let to = kafka::told(raw.kafka)?;
    let first_start = to.first_start()?;
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
        store: store::read(raw.data)?,
        first_start,
        key_holders: KeyHolders::of(&raw.signatures),
        signatures: signatures::read(raw.signatures, &topics)?,
        regional: regional::read(&raw.accounts, &raw.carriers)?,
        topics,
        vault: dead_letters::vault(raw.dead_letters.key_file.as_deref())?,
        keyring: keyring(raw.keys.secret_file.as_deref(), raw.keys.token_key_id)?,
        kafka: kafka::settings(to)?,
        epoch_ms: raw.commit.epoch_ms.clamp(10, 60_000),
        min_free_bytes: raw.commit.min_free_mb << 20,
        track_memory_bytes: raw.track.memory_mb.saturating_mul(1 << 20),
        clickhouse: raw.clickhouse.map(|to| clickhouse::read(to, &raw.retention)).transpose()?,
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

/// A secret that a file holds.
fn secret_line(key: &str, file: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{key} {}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
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
        let read = || of_files(Some(&path), &Assumptions::default()).map(|_| ());
        assert!(read().is_ok());
        std::fs::write(&path, "[keys]\ntoken_key_id = 5\n").unwrap();
        let refused = read().unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(refused.code(), 2);
        assert!(refused.to_string().contains("token_key_id numbers a key"), "{refused}");
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
    fn a_login_in_an_address_is_refused_and_not_shown() {
        let key = std::env::temp_dir().join(format!("sendtally-login-{}", std::process::id()));
        std::fs::write(&key, "5e".repeat(32)).unwrap();
        let kafka = "[kafka]\nbrokers=\"b\"\n";
        let head = |kafka: &str| {
            let keys = format!("[keys]\nsecret_file=\"{}\"\n", key.display());
            format!("data_dir=\"x\"\n{kafka}{keys}[[topics]]\nname=\"t\"\n")
        };
        for (text, instead) in [
            (head("[kafka]\nbrokers=\"bob:hunter2@host:9092\"\n"), "sasl_password_file"),
            (head("[kafka]\nbrokers=\"h:1,sasl://bob:hunter2@h:2\"\n"), "SENDTALLY_KAFKA"),
            (head(kafka) + "[clickhouse]\nurl=\"http://bob:hunter2@h\"\n", "password_file"),
            (head(kafka) + "[clickhouse]\nurl=\"bob:hunter2@h\"\n", "[clickhouse] url"),
            (head(kafka) + "[clickhouse]\nurl=\"http://h/?password=hunter2\"\n", "parameters"),
            (head(kafka) + "[data]\nstore=\"s3://AKIA:hunter2@b/p\"\n", "credentials_file"),
            (
                head(kafka) + "[data]\nstore=\"s3://b\"\nendpoint=\"https://A:hunter2@h\"\n",
                "[data] endpoint",
            ),
        ] {
            let told = message(&text);
            assert!(told.contains(instead) && !told.contains("hunter2"), "{text}: {told}");
        }
        std::fs::remove_file(&key).unwrap();
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
}

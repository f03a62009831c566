//! `[gateway]`: where webhooks come in, where they go, and what is asked of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ingest::KafkaSettings;
use model::record::SignaturePolicy;
use model::vocabulary::Source;
use normalize::signature::Signatures;
use serde::Deserialize;
use serve::{GatewaySettings, Route, Token, is_account};

use super::address::without_login;
use super::{KeyHolders, Raw, kafka, parse, secret_line, signatures};
use crate::failure::{Failure, Outcome};

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
    /// Address and port.
    listen: String,
    /// Topic of accounts that name none.
    topic: String,
    /// `https://HOST/PREFIX` before `/in/…`, as vendors call it.
    public_url: Option<String>,
    /// `ignore`, `record` or `require`.
    #[serde(default = "record")]
    signatures: String,
    /// `any` or `listed`; without it `listed` where accounts are, else `any`.
    take: Option<String>,
    /// Largest body.
    #[serde(default = "body_kb")]
    body_kb: usize,
    /// Webhooks a second and account.
    #[serde(default = "rate")]
    rate: f64,
    /// Longest wait for Kafka.
    #[serde(default = "kafka_wait_ms")]
    kafka_wait_ms: u64,
    /// Longest wait for headers.
    #[serde(default = "head_wait_ms")]
    head_wait_ms: u64,
    /// Longest wait for a body.
    #[serde(default = "body_wait_ms")]
    body_wait_ms: u64,
    /// Requests served at once.
    #[serde(default = "requests")]
    requests: usize,
    /// Accounts with settings of their own.
    #[serde(default)]
    accounts: Vec<RawAccount>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    /// Whose webhooks.
    source: String,
    /// Which account's; without it any of the source.
    account: Option<String>,
    topic: Option<String>,
    public_url: Option<String>,
    signatures: Option<String>,
    rate: Option<f64>,
    /// File with Meta's verify token.
    verify_token_file: Option<PathBuf>,
    /// Amazon SNS only: subscriptions whose signature is right are confirmed, by a request to the
    /// address in them. Without it the address is logged.
    #[serde(default)]
    confirm: bool,
}

fn record() -> String {
    "record".to_owned()
}

const fn body_kb() -> usize {
    512
}

const fn rate() -> f64 {
    1_000.0
}

const fn kafka_wait_ms() -> u64 {
    5_000
}

const fn head_wait_ms() -> u64 {
    5_000
}

const fn body_wait_ms() -> u64 {
    10_000
}

const fn requests() -> usize {
    4_096
}

/// The gateway waits so much longer than the Kafka client, which tells more.
const BESIDE_KAFKA: Duration = Duration::from_secs(1);
/// Least `kafka_wait_ms`: the producer's linger and an answer of a broker.
const KAFKA_WAIT_MS_MIN: u64 = 100;
/// Largest `body_kb`: what an adapter reads at most.
const BODY_KB_MAX: usize = 16 << 10;

/// Largest `requests`: far more than connections are open.
const REQUESTS_MAX: usize = 1 << 20;

/// What the gateway runs by.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) listen: String,
    pub(crate) kafka: KafkaSettings,
    pub(crate) kafka_wait: Duration,
    pub(crate) topics: Vec<String>,
    pub(crate) signatures: Arc<Signatures>,
    pub(crate) serve: GatewaySettings,
    pub(crate) confirms: Confirms,
}

/// Whose subscriptions at Amazon SNS are confirmed: accounts, or (`None`) any.
#[derive(Debug, Default)]
pub(crate) struct Confirms(BTreeSet<Option<String>>);

impl Confirms {
    pub(crate) fn is_for(&self, account: &str) -> bool {
        self.0.contains(&None) || self.0.contains(&Some(account.to_owned()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads what the gateway needs of a configuration file: `[gateway]`, `[kafka]`, `[[signatures]]`.
pub(crate) fn read(path: &Path) -> Outcome<Gateway> {
    let (raw, _) = parse(path)?;
    let Raw { gateway, kafka: to, signatures: keys, .. } = raw;
    let Some(gateway) = gateway else {
        return Err(Failure::usage(format!(
            "{}: there is no section [gateway]: give it `listen` and `topic`",
            path.display()
        )));
    };
    let holders = KeyHolders::of(&keys);
    let keys = Keys { signatures: signatures::read(keys, &[])?, holders };
    check(gateway, kafka::settings(kafka::told(to)?)?, &keys)
}

/// `[[signatures]]`.
#[derive(Default)]
struct Keys {
    signatures: Arc<Signatures>,
    holders: KeyHolders,
}

/// Refuses bounds that nothing would pass.
fn limits(raw: &RawGateway) -> Outcome<()> {
    if !(1..=BODY_KB_MAX).contains(&raw.body_kb) {
        return Err(Failure::usage(format!("[gateway] body_kb goes from 1 to {BODY_KB_MAX}")));
    }
    if !(1..=REQUESTS_MAX).contains(&raw.requests) {
        return Err(Failure::usage(format!("[gateway] requests goes from 1 to {REQUESTS_MAX}")));
    }
    if raw.kafka_wait_ms < KAFKA_WAIT_MS_MIN {
        return Err(Failure::usage(format!(
            "[gateway] kafka_wait_ms is {}; Kafka needs {KAFKA_WAIT_MS_MIN} or more to answer",
            raw.kafka_wait_ms
        )));
    }
    for (key, wait_ms) in [("head_wait_ms", raw.head_wait_ms), ("body_wait_ms", raw.body_wait_ms)] {
        if wait_ms == 0 {
            return Err(Failure::usage(format!(
                "[gateway] {key} is 0: no request would come in time"
            )));
        }
    }
    Ok(())
}

fn check(raw: RawGateway, kafka: KafkaSettings, keys: &Keys) -> Outcome<Gateway> {
    limits(&raw)?;
    let base = Route {
        topic: Arc::from(raw.topic.as_str()),
        policy: policy(&raw.signatures)?,
        public_url: public_url(raw.public_url.as_deref())?,
        verify_token: None,
        rate: positive(raw.rate)?,
    };
    let mut serve = GatewaySettings::default();
    serve.body_bytes_max = raw.body_kb << 10;
    serve.head_wait = Duration::from_millis(raw.head_wait_ms);
    serve.body_wait = Duration::from_millis(raw.body_wait_ms);
    let kafka_wait = Duration::from_millis(raw.kafka_wait_ms);
    serve.kafka_wait = kafka_wait + BESIDE_KAFKA;
    serve.requests_max = raw.requests;
    let takes_any = match raw.take.as_deref() {
        None => raw.accounts.is_empty(),
        Some("any") => true,
        Some("listed") => false,
        Some(other) => {
            return Err(Failure::usage(format!(
                "[gateway] take is `{other}`; it can be any or listed"
            )));
        }
    };
    if takes_any && base.policy == SignaturePolicy::Require && keys.holders.is_empty() {
        return Err(Failure::usage(
            "[gateway] signatures is require, and there is no [[signatures]]: every webhook of an \
             account that is not listed would be refused",
        ));
    }
    let mut topics = BTreeSet::new();
    for source in Source::ALL {
        serve.keep(*source, &keys.signatures.headers(*source));
        if takes_any {
            topics.insert(raw.topic.clone());
            serve.route(*source, None, base.clone());
        }
    }
    let mut confirms = Confirms::default();
    let mut seen = BTreeSet::new();
    for account in &raw.accounts {
        let source = source(&account.source)?;
        callable(account, source)?;
        if !seen.insert((source, account.account.as_deref())) {
            return Err(Failure::usage(format!(
                "[[gateway.accounts]] names {} of {source} twice: make one entry of them",
                account.account.as_deref().unwrap_or("any account")
            )));
        }
        if account.confirm {
            confirmable(account, source, is_covered(account, source, &raw.accounts, keys))?;
            confirms.0.insert(account.account.clone());
        }
        let route = route(account, &base)?;
        if route.policy == SignaturePolicy::Require {
            covered(account, source, is_covered(account, source, &raw.accounts, keys))?;
        }
        topics.insert(route.topic.to_string());
        serve.route(source, account.account.as_deref(), route);
    }
    let topics = topics.into_iter().collect();
    let signatures = Arc::clone(&keys.signatures);
    Ok(Gateway { listen: raw.listen, kafka, kafka_wait, topics, signatures, serve, confirms })
}

fn route(account: &RawAccount, base: &Route) -> Outcome<Route> {
    let own_policy = account.signatures.as_deref().map(policy).transpose()?;
    let own_url = public_url(account.public_url.as_deref())?;
    let token = account.verify_token_file.as_deref();
    let token = token.map(|file| secret_line("[[gateway.accounts]] verify_token_file", file));
    Ok(Route {
        topic: account.topic.as_deref().map_or_else(|| Arc::clone(&base.topic), Arc::from),
        policy: own_policy.unwrap_or(base.policy),
        public_url: own_url.or_else(|| base.public_url.clone()),
        verify_token: token.transpose()?.map(|token| Token::new(token.trim())),
        rate: account.rate.map_or(Ok(base.rate), positive)?,
    })
}

/// Refuses an account that no address can name, and a handshake that its source has not.
fn callable(account: &RawAccount, source: Source) -> Outcome<()> {
    if let Some(name) = account.account.as_deref().filter(|name| !is_account(name)) {
        return Err(Failure::usage(format!(
            "[[gateway.accounts]] account `{name}` cannot stand in /in/{source}/…: up to 128 \
             letters, digits and -._~:@+ can"
        )));
    }
    if account.verify_token_file.is_some() && source != Source::Whatsapp {
        return Err(Failure::usage(format!(
            "[[gateway.accounts]] verify_token_file is for whatsapp, not {source}"
        )));
    }
    Ok(())
}

/// Whether some key is asked about webhooks of an entry; one for any account stands for those that
/// have no entry of their own.
fn is_covered(account: &RawAccount, source: Source, listed: &[RawAccount], keys: &Keys) -> bool {
    if let Some(name) = account.account.as_deref() {
        return keys.holders.cover(source, Some(name));
    }
    let own = listed.iter().filter(|other| other.source == account.source);
    let own: Vec<&str> = own.filter_map(|other| other.account.as_deref()).collect();
    keys.holders.cover_others(source, &own)
}

/// Refuses an account that requires signatures which nobody can check.
fn covered(account: &RawAccount, source: Source, is_covered: bool) -> Outcome<()> {
    if is_covered {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "[[gateway.accounts]] of {} requires signatures, and [[signatures]] has no key of {source} \
         for it: every webhook would be refused",
        whose(account)
    )))
}

fn whose(account: &RawAccount) -> String {
    let name = account.account.as_deref();
    let name = name.map(|name| format!(", account {name}")).unwrap_or_default();
    format!("{}{name}", account.source)
}

/// Refuses to confirm what nobody can check, or what has no subscriptions.
fn confirmable(account: &RawAccount, source: Source, is_covered: bool) -> Outcome<()> {
    if !matches!(source, Source::AwsSns | Source::AwsEum | Source::AwsPinpoint) {
        return Err(Failure::usage(format!(
            "[[gateway.accounts]] confirm is for Amazon SNS: aws_sns, aws_eum, aws_pinpoint, not \
             {source}"
        )));
    }
    if !is_covered {
        return Err(Failure::usage(format!(
            "[[gateway.accounts]] confirm: [[signatures]] has no certificate of {}, so no \
             subscription could be known to be Amazon's",
            whose(account)
        )));
    }
    Ok(())
}

fn policy(word: &str) -> Outcome<SignaturePolicy> {
    SignaturePolicy::parse(word).ok_or_else(|| {
        Failure::usage(format!(
            "[gateway] signatures is `{word}`; it can be ignore, record or require"
        ))
    })
}

fn positive(rate: f64) -> Outcome<f64> {
    if rate.is_finite() && rate > 0.0 {
        return Ok(rate);
    }
    Err(Failure::usage(format!("[gateway] rate is {rate}; it has to be above 0")))
}

fn public_url(url: Option<&str>) -> Outcome<Option<Arc<str>>> {
    let Some(url) = url else { return Ok(None) };
    without_login(
        "[gateway] public_url",
        url,
        "a login that a vendor sends is checked by [[signatures]] with scheme = \"shared_header\" \
         and header = \"authorization\"",
    )?;
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    if !is_http || url.contains(['?', '#', ' ']) {
        return Err(Failure::usage(
            "[gateway] public_url needs https://HOST, with a prefix or without, and nothing behind",
        ));
    }
    Ok(Some(Arc::from(url.trim_end_matches('/'))))
}

fn source(word: &str) -> Outcome<Source> {
    Source::parse(word).ok_or_else(|| {
        Failure::usage(format!(
            "[[gateway.accounts]] source `{word}` is unknown; known: {}",
            Source::WORDS.join(", ")
        ))
    })
}

/// The gateway of the demo: any account, nothing checked, one topic.
pub(crate) fn demo(listen: &str, topic: &str, kafka: KafkaSettings) -> Outcome<Gateway> {
    let raw = RawGateway {
        listen: listen.to_owned(),
        topic: topic.to_owned(),
        public_url: None,
        signatures: "ignore".to_owned(),
        take: None,
        body_kb: body_kb(),
        rate: rate(),
        kafka_wait_ms: kafka_wait_ms(),
        head_wait_ms: head_wait_ms(),
        body_wait_ms: body_wait_ms(),
        requests: requests(),
        accounts: Vec::new(),
    };
    check(raw, kafka, &Keys::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Bird's account `own`, and of Amazon's `own`.
    fn keys() -> Keys {
        let raw = |source: &str| {
            let text = format!("source=\"{source}\"\naccount=\"own\"\nsecret_files=[]\n");
            toml::from_str(&text).unwrap()
        };
        let holders = KeyHolders::of(&[raw("bird"), raw("aws_sns")]);
        Keys { holders, ..Keys::default() }
    }

    fn told(text: &str) -> String {
        let gateway: RawGateway = match toml::from_str(text) {
            Ok(gateway) => gateway,
            Err(error) => return error.to_string(),
        };
        let checked = check(gateway, KafkaSettings::plaintext("b"), &keys());
        checked.map_or_else(|failure| failure.to_string(), |gateway| gateway.topics.join(","))
    }

    #[test]
    fn a_mistake_in_the_section_is_told_by_its_key() {
        let head = "listen=\"a\"\ntopic=\"t\"\n";
        assert_eq!(told(head), "t");
        for (text, word) in [
            ("lisen=\"a\"\n", "lisen"),
            ("signatures=\"maybe\"\n", "`maybe`"),
            ("take=\"some\"\n", "`some`"),
            ("public_url=\"hooks.example\"\n", "public_url needs https:"),
            ("public_url=\"https://u:p@h\"\n", "public_url has a login"),
            ("rate=0.0\n", "above 0"),
            ("body_kb=99999\n", "body_kb"),
            ("body_kb=0\n", "body_kb"),
            ("requests=0\n", "requests goes from 1"),
            ("requests=9223372036854775807\n", "requests goes from 1"),
            ("head_wait_ms=0\n", "head_wait_ms is 0"),
            ("body_wait_ms=0\n", "body_wait_ms is 0"),
            ("kafka_wait_ms=0\n", "kafka_wait_ms is 0"),
            ("[[accounts]]\nsource=\"bird\"\naccount=\"a/b\"\n", "`a/b` cannot stand"),
            ("[[accounts]]\nsource=\"bird\"\naccount=\"..\"\n", "`..` cannot stand"),
            ("[[accounts]]\nsource=\"bird\"\nverify_token_file=\"x\"\n", "whatsapp, not bird"),
            ("[[accounts]]\nsource=\"bird\"\n[[accounts]]\nsource=\"bird\"\n", "twice"),
            ("[[accounts]]\nsource=\"twillio\"\n", "`twillio`"),
            ("[[accounts]]\nsource=\"twilio\"\nsignatures=\"require\"\n", "no key of twilio"),
            ("[[accounts]]\nsource=\"whatsapp\"\nverify_token_file=\"/nowhere\"\n", "/nowhere"),
            ("[[accounts]]\nsource=\"bird\"\nconfirm=true\n", "not bird"),
            ("[[accounts]]\nsource=\"aws_eum\"\nconfirm=true\n", "no certificate of aws_eum"),
            (
                "[[accounts]]\nsource=\"aws_sns\"\naccount=\"b\"\nconfirm=true\n",
                "no certificate of aws_sns, account b",
            ),
            ("[[accounts]]\nsource=\"bird\"\ntopic=\"own\"\n", "own"),
            ("take=\"any\"\n[[accounts]]\nsource=\"bird\"\ntopic=\"own\"\n", "own,t"),
        ] {
            let told = told(&format!("{head}{text}"));
            assert!(told.contains(word), "{text}: {told}");
        }
    }

    #[test]
    fn an_account_that_requires_signatures_needs_keys_that_are_asked_about_it() {
        let head = "listen=\"a\"\ntopic=\"t\"\n";
        let strict = |source: &str, more: &str| {
            format!("[[accounts]]\nsource=\"{source}\"\n{more}signatures=\"require\"\n")
        };
        let own = strict("bird", "account=\"own\"\n");
        for (text, words) in [
            (own.clone(), "t"),
            (strict("bird", ""), "t"),
            (strict("bird", "account=\"other\"\n"), "of bird, account other requires signatures"),
            // What has the key has an entry of its own.
            (own + &strict("bird", ""), "of bird requires signatures"),
            ("signatures=\"require\"\n".to_owned(), "t"),
        ] {
            let told = told(&format!("{head}{text}"));
            assert!(told == words || (words != "t" && told.contains(words)), "{text}: {told}");
        }
        let gateway = toml::from_str(&format!("{head}signatures=\"require\"\n")).unwrap();
        let refused = check(gateway, KafkaSettings::plaintext("b"), &Keys::default()).unwrap_err();
        assert_eq!(refused.code(), 2);
        assert!(refused.to_string().contains("there is no [[signatures]]"), "{refused}");
    }
}

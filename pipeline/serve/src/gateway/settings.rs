//! What the gateway is told, and what it asks of the program around it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::record::{Delivery, RawBatch, SignaturePolicy};
use model::vocabulary::Source;
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot::Receiver;

/// A secret that a vendor shows: compared in constant time and never printed.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl Token {
    /// Of these bytes.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.0.ct_eq(text).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where the webhooks of an account go, and what is asked of them.
#[derive(Debug, Clone)]
pub struct Route {
    /// Topic.
    pub topic: Arc<str>,
    /// What becomes of signatures: `require` stores nothing that is not verified.
    pub policy: SignaturePolicy,
    /// `https://host/prefix` before the path, as the vendor calls it: what signatures cover.
    /// Without it `http://` and the request's `Host`.
    pub public_url: Option<Arc<str>>,
    /// Meta's verify token.
    pub verify_token: Option<Token>,
    /// Webhooks a second that the account may send in the long run; twice as many at once.
    pub rate: f64,
}

/// Routes of one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    pub(super) named: HashMap<Box<str>, Arc<Route>>,
    pub(super) any: Option<Arc<Route>>,
    /// Request headers to keep, with the record's name for each.
    pub(super) kept: Vec<(axum::http::HeaderName, Box<str>)>,
}

/// How the gateway serves.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    pub(super) routes: Vec<Routes>,
    /// Largest body.
    pub body_bytes_max: usize,
    /// From a request's first byte to the end of its headers.
    pub head_wait: Duration,
    /// From there to the end of its body.
    pub body_wait: Duration,
    /// Longest silence between requests of a connection.
    pub idle_wait: Duration,
    /// Longest wait for Kafka. A little longer than the client's own, which knows more.
    pub kafka_wait: Duration,
    /// Requests that are being served at once.
    pub requests_max: usize,
    /// KiB of their bodies together.
    pub bodies_kib_max: usize,
    /// Connections open at once.
    pub connections_max: usize,
}

impl Default for GatewaySettings {
    /// Vendors give up after 2 s (Telnyx), 5 s (Twilio's event streams), 10 s (Bandwidth) or more:
    /// a longer wait for Kafka would only hold places.
    fn default() -> Self {
        Self {
            routes: vec![Routes::default(); Source::ALL.len()],
            body_bytes_max: 512 << 10,
            head_wait: Duration::from_secs(5),
            body_wait: Duration::from_secs(10),
            idle_wait: Duration::from_secs(75),
            kafka_wait: Duration::from_secs(6),
            requests_max: 4_096,
            bodies_kib_max: 256 << 10,
            connections_max: 2_048,
        }
    }
}

impl GatewaySettings {
    /// Adds a route: of one account, or (`None`) of any that has none of its own.
    pub fn route(&mut self, source: Source, account: Option<&str>, route: Route) {
        let Some(routes) = self.routes.get_mut(usize::from(source.index())) else { return };
        match account {
            Some(account) => {
                routes.named.insert(account.into(), Arc::new(route));
            }
            None => routes.any = Some(Arc::new(route)),
        }
    }

    /// Request headers whose values records of a source keep; names in lower case.
    pub fn keep(&mut self, source: Source, names: &[&str]) {
        let Some(routes) = self.routes.get_mut(usize::from(source.index())) else { return };
        let named = names.iter().filter_map(|name| {
            let header = axum::http::HeaderName::from_bytes(name.as_bytes()).ok()?;
            let kept = format!("http-{}", header.as_str()).into_boxed_str();
            Some((header, kept))
        });
        routes.kept = named.collect();
    }

    pub(super) fn of(&self, source: Source) -> Option<&Routes> {
        self.routes.get(usize::from(source.index()))
    }
}

impl Routes {
    pub(super) fn find(&self, account: &str) -> Option<&Arc<Route>> {
        self.named.get(account).or(self.any.as_ref())
    }
}

/// What is known of a webhook's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proof {
    /// Right, wrong, or not checked.
    pub verified: Option<bool>,
    /// The word for it, as in the column `verified_reason`.
    pub reason: Option<&'static str>,
}

/// A subscription of Amazon SNS that asks to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Address that confirms it, on a host of Amazon's.
    pub address: String,
    /// The request's signature is right.
    pub is_verified: bool,
}

/// The program around the gateway. Nothing here may block.
pub trait Intake: Send + Sync + 'static {
    /// What the record's signature is worth, under a policy.
    fn proof(
        &self,
        source: Source,
        account: &str,
        policy: SignaturePolicy,
        record: &RawBatch,
    ) -> Proof;

    /// Whether a text is a configured key of the account.
    fn is_key(&self, source: Source, account: &str, text: &str) -> bool;

    /// The address that confirms a subscription, where the body asks for it.
    fn subscription(&self, body: &str) -> Option<String>;

    /// Confirms it, later, or tells the operator to.
    fn confirm(&self, account: &str, subscription: Subscription);

    /// Hands a record to Kafka; `None` where the queue is full. A receiver whose sender is gone
    /// means that nothing is known.
    fn store(&self, topic: &str, record: &RawBatch) -> Option<Receiver<Delivery>>;

    /// Whether Kafka took the newest record and answers.
    fn is_well(&self) -> bool;

    /// Records that wait for Kafka.
    fn queued(&self) -> usize;
}

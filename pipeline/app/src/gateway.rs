//! The gateway's wiring: signatures from `normalize`, Kafka from `ingest`, HTTP from `serve`.
//!
//! ```text
//! serve: one tokio worker ─► Intake: proof, send ─► librdkafka ─► deliveries wake the requests
//!                             gateway-kafka thread: every second, Outbox::tend
//! ```
//! At the end nothing is accepted any more, requests wait for their answers (each is bounded by
//! `kafka_wait_ms`), and what the producer still holds is flushed: it was not acknowledged, but may
//! as well arrive.

mod confirm;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ingest::Outbox;
use model::clock::Clock;
use model::record::{Delivery, RawBatch, SignaturePolicy, SignatureRule};
use model::vocabulary::Source;
use normalize::signature::{Signatures, Signed, subscription};
use serve::{Intake, Proof, Subscription};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot::Receiver;

use crate::config::gateway::{Confirms, Gateway};
use crate::failure::{Failure, Outcome, chain};

/// Threads that serve requests. One does 26,000 webhooks a second beside broker and vendor on two
/// cores; two wake each other, which costs most at few connections (benches/README.md).
const WORKERS: usize = 1;
/// Whether it has to stop is looked at so often.
const LOOK: Duration = Duration::from_millis(50);
/// Kafka is looked after so often.
const TEND: Duration = Duration::from_secs(1);

/// Signatures and Kafka, as the gateway asks for them.
struct Desk {
    signatures: Arc<Signatures>,
    outbox: Arc<Outbox>,
    confirms: Confirms,
    /// Where subscriptions are confirmed.
    amazon: Option<reqwest::Client>,
}

impl Intake for Desk {
    fn proof(
        &self,
        source: Source,
        account: &str,
        policy: SignaturePolicy,
        record: &RawBatch,
    ) -> Proof {
        let Some(first) = record.records.first() else { return Proof::default() };
        if policy == SignaturePolicy::Ignore {
            return Proof::default();
        }
        let view = record.view(first);
        let payload_sha256 = Sha256::digest(view.value).into();
        let signed = Signed {
            source,
            account: Some(account),
            record: view,
            payload_sha256: &payload_sha256,
        };
        // The gateway's own word is not in the record yet.
        let rule = SignatureRule { policy, check_again: true };
        let verdict = self.signatures.verdict(rule, &signed);
        Proof { verified: verdict.verified, reason: verdict.reason }
    }

    fn is_key(&self, source: Source, account: &str, text: &str) -> bool {
        self.signatures.is_key(source, account, text)
    }

    fn subscription(&self, body: &str) -> Option<String> {
        subscription(body)
    }

    fn confirm(&self, account: &str, subscription: Subscription) {
        let is_asked = subscription.is_verified && self.confirms.is_for(account);
        if let (true, Some(client)) = (is_asked, &self.amazon) {
            let asked = confirm::confirm(client.clone(), account.to_owned(), subscription.address);
            tokio::spawn(asked);
            return;
        }
        // Its token is good for this one subscription, and for three days.
        tracing::warn!(
            account,
            is_verified = subscription.is_verified,
            address = subscription.address,
            "Amazon SNS asks to confirm a subscription: open the address, if it is yours"
        );
    }

    fn store(&self, topic: &str, record: &RawBatch) -> Option<Receiver<Delivery>> {
        let first = record.records.first()?;
        self.outbox.send(topic, record.view(first)).ok()
    }

    fn is_well(&self) -> bool {
        self.outbox.is_well()
    }

    fn queued(&self) -> usize {
        self.outbox.queued()
    }
}

/// Receives webhooks until `stop` is set.
pub(crate) fn run(
    gateway: Gateway,
    clock: &Arc<dyn Clock>,
    stop: &Arc<AtomicBool>,
    listening: Option<fn(&str)>,
) -> Outcome<()> {
    let listen = &gateway.listen;
    let address = listen.parse().map_err(|_| {
        Failure::usage(format!("[gateway] listen is `{listen}`; it needs ADDRESS:PORT"))
    })?;
    let outbox = Outbox::connect(&gateway.kafka, gateway.topics, gateway.kafka_wait)?;
    let outbox = Arc::new(outbox);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("gateway")
        .enable_all()
        .build()
        .map_err(|error| Failure::dependency(format!("cannot start the gateway: {error}")))?;
    let listener =
        runtime.block_on(serve::bind(address)).map_err(|error| Failure::usage(chain(&error)))?;
    let bound = listener.local_addr().map_or_else(|_| listen.clone(), |at| at.to_string());
    if let Some(tell) = listening {
        tell(&bound);
    }
    tracing::info!(address = %bound, "the gateway listens");
    let amazon = (!gateway.confirms.is_empty()).then(confirm::client).transpose();
    let desk = Desk {
        signatures: gateway.signatures,
        outbox: Arc::clone(&outbox),
        confirms: gateway.confirms,
        amazon: amazon.map_err(|error| {
            Failure::dependency(format!("cannot make ready to ask Amazon: {}", chain(&error)))
        })?,
    };
    let told = Arc::clone(stop);
    let stopped = async move {
        while !told.load(Ordering::SeqCst) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let server =
        serve::serve_gateway(listener, gateway.serve, Arc::new(desk), Arc::clone(clock), stopped);
    let done = Arc::new(AtomicBool::new(false));
    let served = std::thread::scope(|scope| -> Outcome<()> {
        let spawned = std::thread::Builder::new()
            .name("gateway-kafka".to_owned())
            .spawn_scoped(scope, || tend(&outbox, &done));
        spawned.map_err(|error| Failure::dependency(format!("cannot start a thread: {error}")))?;
        // On a worker, not here: what the server does is spread over the workers then.
        let served = runtime.block_on(async { runtime.spawn(server).await });
        done.store(true, Ordering::SeqCst);
        match served {
            Ok(served) => served.map_err(|error| Failure::dependency(chain(&error))),
            Err(error) => Err(Failure::protect(format!("the gateway broke down: {error}"))),
        }
    });
    if let Err(error) = outbox.flush(gateway.kafka_wait) {
        tracing::warn!(%error, "records that were not acknowledged are given up");
    }
    runtime.shutdown_timeout(Duration::from_millis(200));
    served
}

fn tend(outbox: &Outbox, done: &AtomicBool) {
    let mut looks = 0_u32;
    while !done.load(Ordering::SeqCst) {
        std::thread::sleep(LOOK);
        looks += 1;
        if LOOK * looks >= TEND {
            looks = 0;
            outbox.tend();
        }
    }
}

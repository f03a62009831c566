//! From a request to its answer.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::clock::Clock;
use model::record::{Delivery, SignaturePolicy};
use model::vocabulary::Source;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Answer;
use super::limits::Limits;
use super::meters::Meters;
use super::record::HEADER_BYTES;
use super::settings::{GatewaySettings, Intake, Proof, Route, Routes};
use super::{handshake, record};
use crate::connection::Phase;
use crate::metrics;

/// Longest path and query: MessageBird's status callbacks take about 700 bytes, Twilio allows
/// 4,000.
const ADDRESS_BYTES_MAX: usize = 8_192;
/// Longest account.
const ACCOUNT_BYTES_MAX: usize = 128;
/// While Kafka does not answer so many requests try it; the others are told at once.
const PROBES: usize = 64;
/// Read and dropped of a body that is too large, so that its sender comes to read the answer.
const DRAIN_BYTES_MAX: usize = 4 << 20;

/// Everything that requests share.
pub(super) struct Gateway {
    pub(super) settings: GatewaySettings,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) meters: Meters,
    /// Places for requests, and for KiB of bodies.
    pub(super) requests: Semaphore,
    pub(super) bodies_kib: Semaphore,
}

/// The only handler: a router would look every webhook up among routes that it never takes.
pub(super) async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(phase): ConnectInfo<Phase>,
    request: Request,
) -> Response {
    let _serving = phase.serve();
    match request.uri().path() {
        "/healthz" => "ok\n".into_response(),
        "/readyz" => gateway.ready(),
        "/metrics" => {
            let page = gateway.meters.page(gateway.intake.is_well(), gateway.intake.queued());
            ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response()
        }
        _ => gateway.receive(request).await,
    }
}

/// Source and account of `/in/<source>/<account>`.
fn place(path: &str) -> Option<(Source, &str)> {
    let (source, account) = path.strip_prefix("/in/")?.split_once('/')?;
    is_account(account).then_some((Source::parse(source)?, account))
}

/// Whether an account can be a part of a path as it stands.
#[must_use]
pub fn is_account(account: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@+".contains(&byte);
    let is_step = matches!(account, "." | "..");
    let has_length = (1..=ACCOUNT_BYTES_MAX).contains(&account.len());
    has_length && !is_step && account.bytes().all(is_plain)
}

impl Gateway {
    fn ready(&self) -> Response {
        if self.intake.is_well() {
            return "ready\n".into_response();
        }
        (StatusCode::SERVICE_UNAVAILABLE, "Kafka does not take records\n").into_response()
    }

    /// Counts what becomes of a webhook.
    async fn receive(&self, request: Request) -> Response {
        let _flight = self.meters.begin();
        let began_us = self.clock.steady_us();
        let (parts, body) = request.into_parts();
        let found = place(parts.uri.path());
        let shaken = match found {
            Some(at) => self.serve(&parts, body, at).await,
            None => Err(Answer::Unknown),
        };
        let (answer, response) = match shaken {
            Ok(response) => (Answer::Handshake, response),
            Err(answer) => (answer, answer.respond()),
        };
        let source = found.map(|(source, _)| source);
        self.meters.count(source, answer, self.clock.steady_us() - began_us);
        response
    }

    /// A handshake's response, or else what became of the webhook.
    async fn serve(
        &self,
        parts: &Parts,
        body: Body,
        (source, account): (Source, &str),
    ) -> handshake::Shaken {
        let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
        if address.len() > ADDRESS_BYTES_MAX {
            return Err(Answer::AddressTooLong);
        }
        let routes = self.settings.of(source).ok_or(Answer::Unknown)?;
        let route = routes.find(account).ok_or(Answer::Unknown)?;
        if route.policy != SignaturePolicy::Require {
            self.within_rate((source, account), route)?;
        }
        match parts.method {
            Method::POST | Method::GET => {}
            Method::OPTIONS => return handshake::options(parts, source),
            _ => return Err(Answer::Method),
        }
        let _place = self.requests.try_acquire().map_err(|_| Answer::Busy)?;
        let length = declared(&parts.headers);
        let kib = length.unwrap_or(self.settings.body_bytes_max).min(self.settings.body_bytes_max);
        let kib = u32::try_from(kib / 1024 + 1).unwrap_or(u32::MAX);
        let _room = self.bodies_kib.try_acquire_many(kib).map_err(|_| Answer::Busy)?;
        let bytes = self.body(parts, body, length).await?;
        self.keep(parts, bytes, (source, account), (route, routes)).await
    }

    /// Takes one of the webhooks that an account may send. Where signatures are required only
    /// those count that have a good one: else whoever knows the address could shut an account out.
    fn within_rate(&self, (source, account): (Source, &str), route: &Route) -> Result<(), Answer> {
        let taken = self.limits.take(source, account, route.rate, self.clock.steady_us());
        taken.map_err(|again_s| Answer::TooMany { again_s })
    }

    /// The body as it came, within its bounds.
    async fn body(
        &self,
        parts: &Parts,
        mut body: Body,
        length: Option<usize>,
    ) -> Result<Vec<u8>, Answer> {
        let max = self.settings.body_bytes_max;
        let deadline = Instant::now() + self.settings.body_wait;
        let is_told = length.is_some_and(|length| length > max);
        if is_told && parts.headers.contains_key(header::EXPECT) {
            // Who asks before sending is told before sending.
            return Err(Answer::TooLarge);
        }
        let room = length.unwrap_or(HEADER_BYTES).min(max) + HEADER_BYTES;
        let mut bytes = Vec::with_capacity(room);
        let mut dropped = 0_usize;
        let mut is_over = is_told;
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let frame = match timeout_at(deadline, frame).await {
                Err(_) => return Err(if is_over { Answer::TooLarge } else { Answer::Slow }),
                Ok(None) if is_over => return Err(Answer::TooLarge),
                Ok(None) => return Ok(bytes),
                Ok(Some(Err(_))) => return Err(Answer::Broken),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            is_over |= bytes.len() + data.len() > max;
            if !is_over {
                bytes.extend_from_slice(&data);
                continue;
            }
            dropped += data.len();
            if dropped > DRAIN_BYTES_MAX {
                return Err(Answer::TooLarge);
            }
        }
    }

    /// Answers a handshake, or stores the record and waits until Kafka has it.
    async fn keep(
        &self,
        parts: &Parts,
        bytes: Vec<u8>,
        at: (Source, &str),
        (route, routes): (&Route, &Routes),
    ) -> handshake::Shaken {
        let intake = self.intake.as_ref();
        if let Some(shaken) = handshake::by_token(parts, &bytes, at, route, intake) {
            return shaken;
        }
        let mut batch = record::with_value(bytes);
        record::describe(&mut batch, at, parts, (route, routes), self.clock.now_us());
        let proof = intake.proof(at.0, at.1, route.policy, &batch);
        if route.policy == SignaturePolicy::Require {
            if proof.verified != Some(true) {
                return Err(refused(at.0, proof));
            }
            self.within_rate(at, route)?;
        }
        let value = record::value(&batch);
        if let Some(shaken) = handshake::by_policy(parts, value, at, proof, intake) {
            return shaken;
        }
        if let Some(verified) = proof.verified {
            record::push(&mut batch, "verified", if verified { b"true" } else { b"false" });
        }
        if !intake.is_well() && self.meters.in_flight() > PROBES {
            return Err(Answer::Kafka);
        }
        let receiver = intake.store(&route.topic, &batch).ok_or(Answer::Busy)?;
        drop(batch);
        match timeout(self.settings.kafka_wait, receiver).await {
            Ok(Ok(Delivery::Stored)) => Err(Answer::Stored),
            Ok(Ok(Delivery::TooLarge)) => Err(Answer::TooLarge),
            Ok(Ok(Delivery::Unknown) | Err(_)) | Err(_) => Err(Answer::Kafka),
        }
    }
}

/// Vonage now and then sends without its signature, and once more with it where it is told that
/// something failed.
fn refused(source: Source, proof: Proof) -> Answer {
    let is_missing = proof.reason == Some("missing_header");
    if source == Source::Vonage && is_missing { Answer::Unsigned } else { Answer::Unverified }
}

/// The length that a request declares.
fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

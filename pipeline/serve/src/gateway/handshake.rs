//! Vendors' handshakes: what they ask before they send, answered as their references say. Nothing
//! of them is stored.
//!
//! | source | asked | answered |
//! |---|---|---|
//! | `whatsapp` | GET `hub.mode=subscribe`, `hub.verify_token`, `hub.challenge` | the challenge |
//! | `google_rbm` | POST `{"clientToken","secret"}` | the secret |
//! | `azure_acs`, `cloudevents` | POST `aeg-event-type: SubscriptionValidation` | the code |
//! | the same | OPTIONS `webhook-request-origin` | `webhook-allowed-origin`, `…-rate` |
//! | `aws_sns`, `aws_eum`, `aws_pinpoint` | POST `SubscriptionConfirmation` | 200; see [`Intake`] |
//!
//! Meta's and RBM's show a token, which has to be the configured one. Azure's and Amazon's are
//! signed (or not) like their events and are held to the same policy; an OPTIONS request tells and
//! stores nothing, and is answered to anyone.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use model::vocabulary::Source;
use serde::Deserialize;

use super::answer::Answer;
use super::settings::{Intake, Proof, Route, Subscription};

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
const EVENT_GRID: HeaderName = HeaderName::from_static("aeg-event-type");

/// Longest body of a handshake; a longer one is an event.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Longest text that is given back to whoever sent it.
const ECHO_BYTES_MAX: usize = 1_024;

/// A handshake: what is answered, or that it is refused.
pub(super) type Shaken = Result<Response, Answer>;

/// Handshakes that show a token: before the signature is looked at.
pub(super) fn by_token(
    parts: &Parts,
    body: &[u8],
    (source, account): (Source, &str),
    route: &Route,
    intake: &dyn Intake,
) -> Option<Shaken> {
    match source {
        Source::Whatsapp if parts.method == Method::GET => meta(parts.uri.query()?, route),
        Source::GoogleRbm if parts.method == Method::POST => {
            let asked: Rbm<'_> = short(body, b"\"clientToken\"")?;
            let is_right = intake.is_key(source, account, &asked.client_token);
            Some(if is_right { text(&asked.secret) } else { Err(Answer::HandshakeRefused) })
        }
        _ => None,
    }
}

/// Handshakes that are held to the policy of events: after it was applied.
pub(super) fn by_policy(
    parts: &Parts,
    body: &[u8],
    (source, account): (Source, &str),
    proof: Proof,
    intake: &dyn Intake,
) -> Option<Shaken> {
    match source {
        Source::AzureAcs | Source::Cloudevents => {
            let kind = parts.headers.get(&EVENT_GRID)?;
            if !kind.as_bytes().eq_ignore_ascii_case(b"SubscriptionValidation") {
                return None;
            }
            let code = validation_code(body);
            Some(code.ok_or(Answer::HandshakeRefused).and_then(|code| validated(&code)))
        }
        Source::AwsSns | Source::AwsEum | Source::AwsPinpoint => {
            let body = std::str::from_utf8(body).ok().filter(|body| body.len() < BODY_BYTES_MAX)?;
            let address = intake.subscription(body)?;
            let is_verified = proof.verified == Some(true);
            intake.confirm(account, Subscription { address, is_verified });
            Some(Ok(Response::new(Body::empty())))
        }
        _ => None,
    }
}

/// CloudEvents' abuse protection: who asks may send.
pub(super) fn options(parts: &Parts, source: Source) -> Shaken {
    let origin = parts.headers.get(&REQUEST_ORIGIN);
    let origin = origin.filter(|origin| origin.len() <= ECHO_BYTES_MAX);
    let (Some(origin), Source::AzureAcs | Source::Cloudevents) = (origin, source) else {
        return Err(Answer::Method);
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("POST, GET, OPTIONS"));
    headers.insert(ALLOWED_ORIGIN, origin.clone());
    // Asked requests a minute; `*` is no bound beside the account's own.
    if parts.headers.contains_key(&REQUEST_RATE) {
        headers.insert(ALLOWED_RATE, HeaderValue::from_static("*"));
    }
    Ok(response)
}

fn meta(query: &str, route: &Route) -> Option<Shaken> {
    let (mut mode, mut token, mut challenge) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "hub.mode" => mode = Some(value),
            "hub.verify_token" => token = Some(value),
            "hub.challenge" => challenge = Some(value),
            _ => {}
        }
    }
    let mode = mode?;
    let expected = route.verify_token.as_ref();
    let is_right =
        expected.zip(token).is_some_and(|(expected, token)| expected.is(token.as_bytes()));
    let shaken = match challenge {
        Some(challenge) if is_right && mode == "subscribe" => text(&challenge),
        _ => Err(Answer::HandshakeRefused),
    };
    Some(shaken)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rbm<'a> {
    #[serde(borrow)]
    client_token: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    secret: std::borrow::Cow<'a, str>,
}

/// A short JSON body that has a word; an event is not parsed for it.
fn short<'a, T: Deserialize<'a>>(body: &'a [u8], word: &[u8]) -> Option<T> {
    let is_short = body.len() < BODY_BYTES_MAX;
    let has_word = is_short && body.windows(word.len()).any(|window| window == word);
    if has_word { serde_json::from_slice(body).ok() } else { None }
}

#[derive(Deserialize)]
struct Validation {
    #[serde(rename = "eventType")]
    kind: String,
    data: ValidationData,
}

#[derive(Deserialize)]
struct ValidationData {
    #[serde(rename = "validationCode")]
    code: String,
}

/// The code of the one event of a validation.
fn validation_code(body: &[u8]) -> Option<String> {
    let [validation]: [Validation; 1] = short(body, b"validationCode")?;
    let is_known = validation.kind == "Microsoft.EventGrid.SubscriptionValidationEvent";
    is_known.then_some(validation.data.code)
}

fn validated(code: &str) -> Shaken {
    let body = serde_json::json!({ "validationResponse": code }).to_string();
    let mut response = Response::new(Body::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// Plain text that was asked for: never anything that a browser would run.
fn text(asked: &str) -> Shaken {
    if asked.len() > ECHO_BYTES_MAX {
        return Err(Answer::HandshakeRefused);
    }
    let mut response = Response::new(Body::from(asked.to_owned()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

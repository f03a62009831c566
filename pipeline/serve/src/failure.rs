//! Answers that are none: each is JSON with a stable `code`, a sentence, and the freshness that
//! every JSON answer has.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::view::Freshness;

/// Longest part of what a client sent that is repeated to it, in characters.
const ECHO_CHARS_MAX: usize = 64;

/// A parameter that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {name:?} cannot be {value:?}: allowed is {allowed}")]
pub(crate) struct BadParameter {
    name: String,
    value: String,
    allowed: String,
}

impl BadParameter {
    pub(crate) fn new(name: &str, value: &str, allowed: &str) -> Self {
        Self { name: clipped(name), value: clipped(value), allowed: allowed.to_owned() }
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(ECHO_CHARS_MAX).collect()
}

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Parameter(#[from] BadParameter),
    #[error("nothing is at this path; / is the page, /v1/windows and /v1/alerts are the data")]
    NotFound,
    #[error("only GET and HEAD are served here")]
    Method,
    #[error("the address of the request exceeds {max_bytes} bytes")]
    AddressTooLong { max_bytes: usize },
    #[error("too many requests wait already; try again in a second")]
    Busy,
    #[error("the answer took longer than {seconds} s; ask for fewer rows")]
    Slow { seconds: u64 },
    #[error("reading the model failed; the log of the process says why")]
    Model,
}

#[derive(Debug, Serialize)]
struct FailureBody<'a> {
    error: FailureText<'a>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Serialize)]
struct FailureText<'a> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
}

impl Failure {
    const fn code(&self) -> &'static str {
        match self {
            Self::Parameter(_) => "bad_parameter",
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::AddressTooLong { .. } => "uri_too_long",
            Self::Busy => "busy",
            Self::Slow { .. } => "timeout",
            Self::Model => "internal",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Parameter(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::AddressTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Busy | Self::Slow { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Model => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The response, with the freshness that is known.
    pub(crate) fn respond(&self, freshness: Freshness) -> Response {
        let parameter = match self {
            Self::Parameter(bad) => Some(bad),
            _ => None,
        };
        let error = FailureText {
            code: self.code(),
            message: self.to_string(),
            parameter: parameter.map(|bad| bad.name.as_str()),
            value: parameter.map(|bad| bad.value.as_str()),
            allowed: parameter.map(|bad| bad.allowed.as_str()),
        };
        let body = Json(FailureBody { error, freshness });
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            Self::Busy | Self::Slow { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

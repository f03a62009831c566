//! What a webhook is answered: a status, a reason for whoever configures the vendor, and when to
//! come again.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// Seconds after which to come again where Kafka does not answer.
const AGAIN_S: u64 = 5;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    Handshake,
    HandshakeRefused,
    Unverified,
    Unsigned,
    Unknown,
    Method,
    AddressTooLong,
    Slow,
    TooLarge,
    Broken,
    TooMany { again_s: u64 },
    Busy,
    Kafka,
}

impl Answer {
    /// Each with its word and status, in the order of [`Answer::index`].
    pub(super) const WORDS: [(&'static str, StatusCode); 14] = [
        ("stored", StatusCode::OK),
        ("handshake", StatusCode::OK),
        ("handshake_refused", StatusCode::FORBIDDEN),
        ("unverified", StatusCode::UNAUTHORIZED),
        ("unsigned", StatusCode::SERVICE_UNAVAILABLE),
        ("unknown", StatusCode::NOT_FOUND),
        ("method", StatusCode::METHOD_NOT_ALLOWED),
        ("address_too_long", StatusCode::URI_TOO_LONG),
        ("slow", StatusCode::REQUEST_TIMEOUT),
        ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
        ("broken", StatusCode::BAD_REQUEST),
        ("too_many", StatusCode::TOO_MANY_REQUESTS),
        ("busy", StatusCode::SERVICE_UNAVAILABLE),
        ("kafka", StatusCode::SERVICE_UNAVAILABLE),
    ];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Stored => 0,
            Self::Handshake => 1,
            Self::HandshakeRefused => 2,
            Self::Unverified => 3,
            Self::Unsigned => 4,
            Self::Unknown => 5,
            Self::Method => 6,
            Self::AddressTooLong => 7,
            Self::Slow => 8,
            Self::TooLarge => 9,
            Self::Broken => 10,
            Self::TooMany { .. } => 11,
            Self::Busy => 12,
            Self::Kafka => 13,
        }
    }

    /// What the answer's body says; success has none, because some vendors read it.
    const fn text(self) -> &'static str {
        match self {
            Self::Stored | Self::Handshake => "",
            Self::HandshakeRefused => "the handshake shows no token that is configured here\n",
            Self::Unverified => "the signature is not right, or no key is configured for it\n",
            Self::Unsigned => "the signature is missing: send it again with one\n",
            Self::Unknown => "nothing is received here: /in/SOURCE/ACCOUNT, as configured\n",
            Self::Method => "webhooks come by POST or GET\n",
            Self::AddressTooLong => "the address is too long\n",
            Self::Slow => "the body took too long\n",
            Self::TooLarge => "the body is too large\n",
            Self::Broken => "the body broke off\n",
            Self::TooMany { .. } => "too many webhooks of this account: come again later\n",
            Self::Busy => "too many webhooks at once: come again later\n",
            Self::Kafka => "it could not be stored: come again later\n",
        }
    }

    pub(super) fn respond(self) -> Response {
        let (_, status) = Self::WORDS.get(self.index()).copied().unwrap_or_default();
        let text = self.text();
        let body = if text.is_empty() { Body::empty() } else { Body::from(text) };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if !text.is_empty() {
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, plain);
        }
        match self {
            Self::TooMany { again_s } => {
                headers.insert(header::RETRY_AFTER, again_s.into());
            }
            Self::Busy => {
                headers.insert(header::RETRY_AFTER, 1_u64.into());
            }
            Self::Kafka | Self::Unsigned => {
                headers.insert(header::RETRY_AFTER, AGAIN_S.into());
            }
            Self::Unverified => {
                // Required with 401 (RFC 9110); the scheme is the vendor's own.
                let scheme = HeaderValue::from_static("Signature");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            Self::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST, GET, OPTIONS"));
            }
            _ => {}
        }
        response
    }
}

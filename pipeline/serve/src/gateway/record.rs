//! A request as DESIGN.md's Kafka record.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use model::record::{RawBatch, RawRecord};
use model::time::format_us;
use model::vocabulary::Source;

use super::settings::{Route, Routes};

/// Room for headers beside the body: one allocation takes both.
pub(super) const HEADER_BYTES: usize = 1_024;
/// Headers of a record: seven, and four of the longest signature.
const HEADERS: usize = 12;

/// A record whose value is the body, without headers yet.
pub(super) fn with_value(bytes: Vec<u8>) -> RawBatch {
    let value = 0..bytes.len();
    let record = RawRecord {
        input: 0,
        offset: 0,
        ingest_time_us: None,
        value,
        tombstone: false,
        headers: 0..0,
    };
    RawBatch { bytes, headers: Vec::with_capacity(HEADERS), records: vec![record] }
}

/// Adds a header.
pub(super) fn push(batch: &mut RawBatch, name: &str, value: &[u8]) {
    let pair = (batch.push_bytes(name.as_bytes()), batch.push_bytes(value));
    batch.headers.push(pair);
    let end = batch.headers.len();
    if let Some(record) = batch.records.first_mut() {
        record.headers = 0..end;
    }
}

/// The value.
pub(super) fn value(batch: &RawBatch) -> &[u8] {
    batch.records.first().map_or(&[], |record| batch.view(record).value)
}

/// All headers but `verified`.
pub(super) fn describe(
    batch: &mut RawBatch,
    (source, account): (Source, &str),
    parts: &Parts,
    (route, routes): (&Route, &Routes),
    received_us: i64,
) {
    push(batch, "source", source.as_str().as_bytes());
    push(batch, "account", account.as_bytes());
    push(batch, "method", parts.method.as_str().as_bytes());
    let name = batch.push_bytes(b"url");
    let start = batch.bytes.len();
    match &route.public_url {
        Some(base) => batch.bytes.extend_from_slice(base.as_bytes()),
        None => {
            batch.bytes.extend_from_slice(b"http://");
            batch.bytes.extend_from_slice(first(&parts.headers, &header::HOST));
        }
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    batch.bytes.extend_from_slice(path.as_bytes());
    let end = batch.bytes.len();
    batch.headers.push((name, start..end));
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
        push(batch, "content-type", kind.as_bytes());
    }
    push(batch, "received-at", format_us(received_us).as_bytes());
    for (header, name) in &routes.kept {
        if let Some(value) = parts.headers.get(header) {
            push(batch, name, value.as_bytes());
        }
    }
}

fn first<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> &'a [u8] {
    headers.get(name).map_or(&[], axum::http::HeaderValue::as_bytes)
}

//! A request as DESIGN.md's Kafka record.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use model::record::{RawBatch, RawRecord};
use model::time::format_us;
use model::vocabulary::Source;

use super::settings::{Route, Routes};

/// Room for headers beside the body: one allocation takes both.
pub(super) const HEADER_BYTES: usize = 1_024;
/// Headers of a record: seven, and four of the longest signature.
const HEADERS: usize = 12;
/// Standard Webhooks' list, which has spaces between its codes.
const SPACED: &str = "http-webhook-signature";

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
        push_lines(batch, name, parts.headers.get_all(header).iter());
    }
}

/// Adds a request header; several lines of it are one list (RFC 9110, 5.3). A value that may be
/// there only once becomes one that is not right.
fn push_lines<'a>(
    batch: &mut RawBatch,
    name: &str,
    mut lines: impl Iterator<Item = &'a HeaderValue>,
) {
    let Some(first) = lines.next() else { return };
    push(batch, name, first.as_bytes());
    let between: &[u8] = if name == SPACED { b" " } else { b", " };
    for line in lines {
        batch.push_bytes(between);
        batch.push_bytes(line.as_bytes());
    }
    let end = batch.bytes.len();
    if let Some((_, value)) = batch.headers.last_mut() {
        value.end = end;
    }
}

fn first<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> &'a [u8] {
    headers.get(name).map_or(&[], HeaderValue::as_bytes)
}

//! Panes: what windows are sums of. `track` emits signed rows, `window` adds them up.
//!
//! ```text
//! message before an event      contribution A      emitted:  -A
//! message after the event      contribution B                +B
//! sum over all rows of a pane  =  the messages as they are now, in any order of arrival
//! ```
//! A row says: in this pane and series, these counts changed by so much. Latencies are a sketch of
//! signed counts ([`crate::sketch::Sketch::to_bytes`]).

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::schema::{dictionary_type, timestamp_type};

/// Columns that make a series, in order.
pub const SERIES: [&str; 5] = ["source", "channel", "carrier", "country", "traffic_class"];

/// Count columns of an SLO pane, in order.
pub const SLO_COUNTS: [&str; 11] = [
    "total",
    "delivered",
    "read",
    "failed",
    "expired",
    "canceled",
    "unknown",
    "pending",
    "provable",
    "latency_broker_n",
    "latency_negative",
];

fn series_fields() -> Vec<Field> {
    let mut fields = vec![Field::new("pane_start", timestamp_type(), false)];
    for name in SERIES {
        let nullable = matches!(name, "carrier" | "country");
        fields.push(Field::new(name, dictionary_type(), nullable));
    }
    fields
}

/// `pane_start`, the series, the counts of [`SLO_COUNTS`] (Int64), `latency` (Binary).
pub static SLO_PANE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = series_fields();
    fields.extend(SLO_COUNTS.map(|name| Field::new(name, DataType::Int64, false)));
    fields.push(Field::new("latency", DataType::Binary, false));
    Arc::new(Schema::new(fields))
});

/// `pane_start`, the series, `currency`, `kind`, `amount`, `quantity` (Decimal128(38, 9)),
/// `messages`, `delivered` (Int64).
pub static COST_PANE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = series_fields();
    fields.push(Field::new("currency", dictionary_type(), true));
    fields.push(Field::new("kind", dictionary_type(), false));
    fields.push(Field::new("amount", DataType::Decimal128(38, 9), false));
    fields.push(Field::new("quantity", DataType::Decimal128(38, 9), false));
    fields.push(Field::new("messages", DataType::Int64, false));
    fields.push(Field::new("delivered", DataType::Int64, false));
    Arc::new(Schema::new(fields))
});

//! Shape of the panes that windows are summed from.
//!
//! ```text
//! pane_start  series (5 dims)        total  delivered  …  latency
//! 12:00:00    twilio sms NULL DE otp    +3         +2     {17: +2}     from epoch 41
//! 12:00:00    twilio sms NULL DE otp    -1         -1     {17: -1}     a message left, epoch 42
//! ```
//! Rows are signed sums: any number of rows of one pane and series may come, in any order.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use model::schema::{dictionary_type, timestamp_type};

/// Sums of money in panes: 38 digits, because a day of a large sender in a small currency does
/// not fit in the 18 digits of one charge.
pub(crate) const SUM_TYPE: DataType = DataType::Decimal128(38, 9);

/// Counts of a row of SLO panes, in the order of the columns.
const SLO_COUNTS: [&str; 11] = [
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

/// Outcomes and latency of the messages of one pane and series. `provable` counts the messages
/// whose source and channel have a receipt that can prove delivery; `latency` is a
/// `model::sketch::Sketch` as bytes, null or empty where nothing changed.
pub static SLO_PANE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = series();
    fields.extend(SLO_COUNTS.map(|name| Field::new(name, DataType::Int64, false)));
    fields.push(Field::new("latency", DataType::Binary, true));
    Arc::new(Schema::new(fields))
});

/// Charges of the messages of one pane, series, currency and kind. `messages` counts the messages
/// charged, `delivered` those of them that are delivered.
pub static COST_PANE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = series();
    fields.extend([
        Field::new("currency", dictionary_type(), true),
        Field::new("kind", dictionary_type(), false),
        Field::new("amount", SUM_TYPE, false),
        Field::new("quantity", SUM_TYPE, false),
        Field::new("messages", DataType::Int64, false),
        Field::new("delivered", DataType::Int64, false),
    ]);
    Arc::new(Schema::new(fields))
});

fn series() -> Vec<Field> {
    vec![
        Field::new("pane_start", timestamp_type(), false),
        Field::new("source", dictionary_type(), false),
        Field::new("channel", dictionary_type(), false),
        Field::new("carrier", dictionary_type(), true),
        Field::new("country", dictionary_type(), true),
        Field::new("traffic_class", dictionary_type(), false),
    ]
}

//! Where the user went back by hand (`--seek` to an offset before the stored one): the line of that
//! partition begins anew there, and the job's manifests say so, or `verify` would take it for
//! records that were read twice by mistake.
//!
//! ```text
//! values: "sought/<epoch>/<partition>/<topic>" = "<offset>"     epoch: the first that may have it
//! ```

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::ArrowError;
use model::manifest::Manifest;
use model::record::Input;

const SOUGHT: &str = "sought/";

/// Key in the job's values.
pub(crate) fn key(epoch: u64, input: &Input) -> String {
    format!("{SOUGHT}{epoch}/{}/{}", input.partition, input.topic)
}

/// All that the head of a job says: `epoch, topic, partition, start_offset`.
pub(crate) fn rows(head: &Manifest) -> Result<RecordBatch, ArrowError> {
    let found: Vec<_> = head.values.iter().filter_map(|(key, offset)| parse(key, offset)).collect();
    let epochs: ArrayRef =
        Arc::new(UInt64Array::from_iter_values(found.iter().map(|(epoch, ..)| *epoch)));
    let topics: ArrayRef =
        Arc::new(StringArray::from_iter_values(found.iter().map(|(_, topic, ..)| topic)));
    let partitions: ArrayRef =
        Arc::new(Int32Array::from_iter_values(found.iter().map(|(_, _, number, _)| *number)));
    let offsets: ArrayRef =
        Arc::new(Int64Array::from_iter_values(found.iter().map(|(.., offset)| *offset)));
    RecordBatch::try_from_iter([
        ("epoch", epochs),
        ("topic", topics),
        ("partition", partitions),
        ("start_offset", offsets),
    ])
}

fn parse<'a>(key: &'a str, offset: &str) -> Option<(u64, &'a str, i32, i64)> {
    let mut parts = key.strip_prefix(SOUGHT)?.splitn(3, '/');
    let (epoch, partition, topic) = (parts.next()?, parts.next()?, parts.next()?);
    Some((epoch.parse().ok()?, topic, partition.parse().ok()?, offset.parse().ok()?))
}

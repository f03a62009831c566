//! The cardinality guard: bounds the values of the open dimensions of a series. What is beyond the
//! limit folds into `__other__`, with exact totals.
//!
//! ```text
//! epoch 7 brings the carriers "b" and "a", one place is left:  a ─► a    b ─► __other__, for good
//! ```
//! Invariants: what is admitted depends on the epochs only (in their order; within one, by value).
//! Nothing is ever revoked, nor admitted later, so a message leaves the series that it came into.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::WindowError;
use crate::rows;

/// The series of everything that was not admitted.
pub const OTHER: &str = "__other__";
/// Carriers admitted: a global sender meets some 800 networks, the registry knows 2,500.
const CARRIERS_MAX: usize = 2_000;
/// Countries admitted: ISO 3166 has 249 codes.
const COUNTRIES_MAX: usize = 300;
const DIMENSIONS: [&str; 2] = ["carrier", "country"];

/// Which values have a series of their own.
#[derive(Debug)]
pub struct Guard {
    admitted: [BTreeSet<Arc<str>>; 2],
    limits: [usize; 2],
}

impl Default for Guard {
    fn default() -> Self {
        Self::new([CARRIERS_MAX, COUNTRIES_MAX])
    }
}

fn dimension(name: &str) -> Option<usize> {
    DIMENSIONS.iter().position(|dimension| *dimension == name)
}

impl Guard {
    /// A guard with limits for carriers and countries.
    pub(crate) fn new(limits: [usize; 2]) -> Self {
        Self { admitted: Default::default(), limits }
    }

    /// Admits the new values of one epoch's panes, as far as there is place. Returns how many of
    /// its values have none.
    pub(crate) fn admit(&mut self, panes: &[&RecordBatch]) -> usize {
        let mut folded = 0;
        for (at, name) in DIMENSIONS.iter().enumerate() {
            let dictionaries = panes.iter().filter_map(|batch| batch.column_by_name(name));
            let words = dictionaries
                .filter_map(|column| column.as_dictionary_opt::<Int32Type>())
                .filter_map(|column| column.values().as_string_opt::<i32>());
            let new: BTreeSet<&str> = words.flatten().flatten().collect();
            for value in new.into_iter().filter(|value| *value != OTHER) {
                if self.admitted[at].contains(value) {
                    continue;
                }
                if self.admitted[at].len() < self.limits[at] {
                    self.admitted[at].insert(Arc::from(value));
                } else {
                    folded += 1;
                }
            }
        }
        folded
    }

    /// The value that a series of this dimension has.
    pub(crate) fn fold<'a>(&self, name: &str, value: &'a str) -> &'a str {
        match dimension(name) {
            Some(at) if !self.admitted[at].contains(value) => OTHER,
            _ => value,
        }
    }

    /// What is admitted, as rows (dimension, value).
    ///
    /// # Errors
    /// Where the batch cannot be built: a mistake in this file.
    pub fn snapshot(&self) -> Result<RecordBatch, WindowError> {
        let pairs = DIMENSIONS.iter().zip(&self.admitted);
        let pairs = pairs.flat_map(|(name, values)| values.iter().map(move |value| (*name, value)));
        let (names, values): (Vec<&str>, Vec<&str>) =
            pairs.map(|(name, value)| (name, value.as_ref())).unzip();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(names)), Arc::new(StringArray::from(values))];
        rows::batch(schema(), columns, "admitted")
    }

    /// Puts a snapshot back; a batch of another shape gives nothing.
    pub fn restore(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let (Some(names), Some(values)) = (column("dimension"), column("value")) else { return };
        for (name, value) in names.iter().flatten().zip(values.iter().flatten()) {
            if let Some(at) = dimension(name) {
                self.admitted[at].insert(Arc::from(value));
            }
        }
    }
}

/// Columns of [`Guard::snapshot`].
fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("dimension", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, false),
    ]))
}

//! What became of elements that gave more than one row: the ledger counts each of them once.
//!
//! An element counts as accepted where anything that it gave is new: a message read again may have
//! told nothing new of its delivery, and its price for the first time.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use track::Decision;

/// Input, offset, element.
type Place = (i32, i64, u32);

/// The decision of each element, and the row (batch, row) that enters it into the ledger.
#[derive(Debug, Default)]
pub(super) struct Elements(HashMap<Place, (Decision, (usize, usize))>);

const fn weight(decision: Decision) -> u8 {
    match decision {
        Decision::New => 3,
        Decision::Late => 2,
        Decision::Earlier => 1,
        Decision::Duplicate => 0,
    }
}

impl Elements {
    /// Of batches and what was decided on their rows.
    pub(super) fn of(batches: [(&RecordBatch, &[Decision]); 2]) -> Self {
        let mut elements = Self::default();
        for (number, (batch, decisions)) in batches.into_iter().enumerate() {
            for (row, (place, decision)) in places(batch).zip(decisions).enumerate() {
                let known = elements.0.entry(place).or_insert((*decision, (number, row)));
                if weight(*decision) > weight(known.0) {
                    known.0 = *decision;
                }
            }
        }
        elements
    }

    /// For each row of a batch its element's decision, where the row is the element's first.
    pub(super) fn first_of(
        &self,
        batch: &RecordBatch,
        decisions: &[Decision],
        number: usize,
    ) -> Vec<Option<Decision>> {
        let decided = places(batch).take(decisions.len()).enumerate().map(|(row, place)| {
            let (decision, first) = self.0.get(&place)?;
            (*first == (number, row)).then_some(*decision)
        });
        decided.collect()
    }
}

fn places(batch: &RecordBatch) -> impl Iterator<Item = Place> + '_ {
    let topics = batch.column_by_name("topic").and_then(|c| c.as_dictionary_opt::<Int32Type>());
    let offsets = batch.column_by_name("offset").and_then(|c| c.as_primitive_opt::<Int64Type>());
    let elements = batch.column_by_name("element").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let columns = topics.zip(offsets).zip(elements);
    columns.into_iter().flat_map(|((topics, offsets), elements)| {
        let pairs = topics.keys().values().iter().zip(offsets.values());
        pairs.zip(elements.values()).map(|((topic, offset), element)| (*topic, *offset, *element))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, DictionaryArray, Int32Array, Int64Array, StringArray, UInt32Array,
    };

    use super::*;

    fn batch(places: &[Place]) -> RecordBatch {
        let keys: Int32Array = places.iter().map(|place| Some(place.0)).collect();
        let topics = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["a", "b"])));
        let offsets: Int64Array = places.iter().map(|place| Some(place.1)).collect();
        let elements: UInt32Array = places.iter().map(|place| Some(place.2)).collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("topic", Arc::new(topics)),
            ("offset", Arc::new(offsets)),
            ("element", Arc::new(elements)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn an_element_counts_once_and_as_accepted_where_anything_of_it_is_new() {
        let events = batch(&[(0, 7, 0), (0, 7, 1)]);
        let lines = batch(&[(0, 7, 0), (0, 7, 0), (1, 7, 0), (1, 7, 0)]);
        let on_events = [Decision::Duplicate, Decision::Duplicate];
        let on_lines = [Decision::Duplicate, Decision::New, Decision::Earlier, Decision::Late];
        let elements = Elements::of([(&events, &on_events), (&lines, &on_lines)]);
        assert_eq!(
            elements.first_of(&events, &on_events, 0),
            [Some(Decision::New), Some(Decision::Duplicate)]
        );
        assert_eq!(
            elements.first_of(&lines, &on_lines, 1),
            [None, None, Some(Decision::Late), None]
        );
    }
}

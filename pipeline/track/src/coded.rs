//! Dictionary columns whose words are known by small integers: no word is hashed on its way out.
//!
//! ```text
//! codes  3 3 7 3   ─►   keys 0 0 1 0   words ["delivered", "read"]   seen[3] = 0, seen[7] = 1
//! ```

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray};
use arrow_schema::ArrowError;

/// Builds one `Dictionary(Int32, Utf8)` column. A code stands for one word as long as it is built.
#[derive(Debug, Default)]
pub(crate) struct CodedBuilder {
    keys: Int32Builder,
    words: StringBuilder,
    /// Code to key; −1 where the word is not in the dictionary yet.
    seen: Vec<i32>,
    next: i32,
}

impl CodedBuilder {
    /// Appends the word of a code; `word` is asked for where the code is new.
    pub(crate) fn push<'a>(&mut self, code: usize, word: impl FnOnce() -> &'a str) {
        if code >= self.seen.len() {
            self.seen.resize(code + 1, -1);
        }
        let key = &mut self.seen[code];
        if *key < 0 {
            *key = self.next;
            self.next += 1;
            self.words.append_value(word());
        }
        self.keys.append_value(*key);
    }

    /// Appends a null.
    pub(crate) fn push_null(&mut self) {
        self.keys.append_null();
    }

    /// The column.
    ///
    /// # Errors
    /// Where a key is outside the words: a mistake in this file.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let words = Arc::new(self.words.finish());
        self.seen.clear();
        self.next = 0;
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(self.keys.finish(), words)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn each_word_is_in_the_dictionary_once_in_the_order_of_its_first_row() {
        let mut builder = CodedBuilder::default();
        for code in [7, 3, 7] {
            builder.push(code, || if code == 7 { "read" } else { "sent" });
        }
        builder.push_null();
        let column = builder.finish().unwrap();
        let column = column.as_dictionary::<Int32Type>();
        assert_eq!(column.keys().iter().collect::<Vec<_>>(), [Some(0), Some(1), Some(0), None]);
        assert_eq!(column.values().as_string::<i32>().iter().flatten().count(), 2);
        builder.push(3, || "sent");
        assert_eq!(builder.finish().unwrap().len(), 1, "and begins anew");
    }
}

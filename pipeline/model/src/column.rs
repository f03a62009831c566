//! Growing columns of a batch: a push is a few instructions, finishing copies no value.
//!
//! Most columns are null in long runs, or nowhere: a null is a count until a value follows it, and
//! there is a bitmap only where both occur. Room is left for as many rows as the batch had, because
//! the next one is like it, and growing by doubling would copy every value once more.

use std::sync::Arc;

use arrow_array::builder::{StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, PrimitiveArray, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, NullBufferBuilder, ScalarBuffer};
use arrow_schema::ArrowError;

use crate::keys::Id16;

/// Values that are copied as they are: numbers, truth values, ids.
#[derive(Debug)]
pub(crate) struct Column<T> {
    values: Vec<T>,
    /// Which of the values are null, those behind the last null left out.
    nulls: NullBufferBuilder,
    /// Nulls behind the values.
    pending: usize,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(0), pending: 0 }
    }
}

impl<T: Copy + Default> Column<T> {
    #[inline]
    pub(crate) fn push(&mut self, value: Option<T>) {
        match value {
            Some(value) => self.push_value(value),
            None => self.pending += 1,
        }
    }

    #[inline]
    pub(crate) fn push_value(&mut self, value: T) {
        if self.pending > 0 {
            self.settle();
        }
        self.values.push(value);
    }

    /// Gives the nulls behind the values their places.
    fn settle(&mut self) {
        self.nulls.append_n_non_nulls(self.values.len() - self.nulls.len());
        self.nulls.append_n_nulls(self.pending);
        self.values.resize(self.nulls.len(), T::default());
        self.pending = 0;
    }

    fn take(&mut self) -> (Vec<T>, Option<NullBuffer>) {
        if self.pending > 0 {
            self.settle();
        }
        self.nulls.append_n_non_nulls(self.values.len() - self.nulls.len());
        let room = Vec::with_capacity(self.values.len());
        (std::mem::replace(&mut self.values, room), self.nulls.finish())
    }

    /// The values as numbers of a type; leaves the column empty, as the others below.
    pub(crate) fn finish<A>(&mut self) -> Result<PrimitiveArray<A>, ArrowError>
    where
        A: ArrowPrimitiveType<Native = T>,
        T: ArrowNativeType,
    {
        let (values, nulls) = self.take();
        PrimitiveArray::try_new(ScalarBuffer::from(values), nulls)
    }
}

impl Column<i64> {
    /// Microseconds, UTC.
    pub(crate) fn finish_times(&mut self) -> Result<ArrayRef, ArrowError> {
        let times: TimestampMicrosecondArray = self.finish()?;
        Ok(Arc::new(times.with_timezone("UTC")))
    }
}

impl Column<i128> {
    /// Amounts of so many digits, nine of them decimals.
    pub(crate) fn finish_nanos(&mut self, digits: u8) -> Result<ArrayRef, ArrowError> {
        let amounts: Decimal128Array = self.finish()?;
        Ok(Arc::new(amounts.with_precision_and_scale(digits, 9)?))
    }
}

impl Column<bool> {
    pub(crate) fn finish_flags(&mut self) -> ArrayRef {
        let (values, nulls) = self.take();
        Arc::new(BooleanArray::new(values.into(), nulls))
    }
}

/// Ids or hashes of so many bytes.
#[derive(Debug)]
pub(crate) struct Hashes<const N: usize>(Column<[u8; N]>);

impl<const N: usize> Default for Hashes<N> {
    fn default() -> Self {
        Self(Column::default())
    }
}

impl Hashes<16> {
    #[inline]
    pub(crate) fn push_id(&mut self, id: Option<Id16>) {
        match id {
            Some(id) => self.push(&id.0),
            None => self.0.push(None),
        }
    }
}

impl<const N: usize> Hashes<N>
where
    [u8; N]: Default,
{
    #[inline]
    pub(crate) fn push(&mut self, hash: &[u8; N]) {
        self.0.push_value(*hash);
    }

    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let (values, nulls) = self.0.take();
        let bytes = Buffer::from_vec(values.into_flattened());
        let width = i32::try_from(N).unwrap_or(i32::MAX);
        Ok(Arc::new(FixedSizeBinaryArray::try_new(width, bytes, nulls)?))
    }
}

/// Free text that hardly repeats.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    values: StringBuilder,
    /// Nulls behind the values.
    pending: usize,
}

impl Strings {
    #[inline]
    pub(crate) fn push(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push_value(text),
            None => self.pending += 1,
        }
    }

    pub(crate) fn push_value(&mut self, text: &str) {
        self.settle();
        self.values.append_value(text);
    }

    #[inline]
    fn settle(&mut self) {
        if self.pending > 0 {
            self.values.append_nulls(self.pending);
            self.pending = 0;
        }
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        self.settle();
        let (rows, bytes) = (self.values.offsets_slice().len(), self.values.values_slice().len());
        let room = StringBuilder::with_capacity(rows, bytes);
        Arc::new(std::mem::replace(&mut self.values, room).finish())
    }
}

/// A dictionary column whose words are a closed list: pushes an index, hashes nothing.
#[derive(Debug)]
pub(crate) struct Words {
    keys: Column<i32>,
    words: ArrayRef,
}

impl Words {
    pub(crate) fn new(words: &'static [&'static str]) -> Self {
        Self { keys: Column::default(), words: Arc::new(StringArray::from(words.to_vec())) }
    }

    #[inline]
    pub(crate) fn push(&mut self, index: Option<u8>) {
        self.keys.push(index.map(i32::from));
    }

    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let keys = self.keys.finish::<Int32Type>()?;
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(&self.words))?))
    }
}

/// A dictionary column of free text. Of most columns a text is often the one of the row before: its
/// key is kept, and neither hashed nor looked up.
#[derive(Default)]
pub(crate) struct Texts {
    keys: Column<i32>,
    words: StringDictionaryBuilder<Int32Type>,
    last: String,
    last_key: Option<i32>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Texts")
    }
}

impl Texts {
    #[inline]
    pub(crate) fn push(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push_value(text),
            None => self.keys.push(None),
        }
    }

    fn push_value(&mut self, text: &str) {
        if self.last_key.is_none() || self.last != text {
            // Only the key: the rows are kept here. It cannot overflow, as a batch has fewer rows.
            self.last_key = self.words.append_n(text, 0).ok();
            text.clone_into(&mut self.last);
        }
        self.keys.push(self.last_key);
    }

    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.last_key = None;
        let words = Arc::clone(self.words.finish().values());
        let keys = self.keys.finish::<Int32Type>()?;
        Ok(Arc::new(DictionaryArray::try_new(keys, words)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::{Array, Int64Array};
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = Vec<Option<u8>>> {
        prop::collection::vec(any::<Option<u8>>(), 0..70)
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_what_comes_out_batch_after_batch(
            batches in prop::collection::vec(rows(), 1..4),
        ) {
            let mut numbers = Column::default();
            let (mut ids, mut strings, mut texts) =
                (Hashes::<16>::default(), Strings::default(), Texts::default());
            for rows in batches {
                for row in &rows {
                    let text = row.map(|row| (row % 3).to_string());
                    numbers.push(row.map(i64::from));
                    ids.push_id(row.map(|row| Id16([row; 16])));
                    strings.push(text.as_deref());
                    texts.push(text.as_deref());
                }
                let expected: Int64Array = rows.iter().map(|row| row.map(i64::from)).collect();
                let numbers: Int64Array = numbers.finish().unwrap();
                prop_assert_eq!(&numbers, &expected);
                let ids = ids.finish().unwrap();
                let ids = ids.as_fixed_size_binary();
                let words = |row: &Option<u8>| row.map(|row| (row % 3).to_string());
                let expected: StringArray = rows.iter().map(words).collect();
                let strings = strings.finish();
                prop_assert_eq!(strings.as_string::<i32>(), &expected);
                let texts = texts.finish().unwrap();
                let texts = texts.as_dictionary::<Int32Type>();
                let texts = texts.downcast_dict::<StringArray>().unwrap();
                prop_assert!(texts.into_iter().eq(&expected));
                for (at, row) in rows.iter().enumerate() {
                    prop_assert_eq!(ids.is_valid(at), row.is_some());
                    prop_assert!(row.is_none_or(|row| ids.value(at) == [row; 16]));
                }
            }
        }
    }
}

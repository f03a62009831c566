//! Merging random files: the rows stay, in order, in even parts; and what a footer says is so.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    BinaryArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, StringArray, TimestampMicrosecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use model::schema::{CHARGES, DEAD_RECORDS, EVENTS, LEDGER};
use parquet::basic::{Compression, Encoding};
use parquet::bloom_filter::Sbbf;
use parquet::data_type::FixedLenByteArray;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::*;
use crate::{ROW_GROUP_ROWS, newest_epoch, sorted, write_parquet};

/// Repeatable dice: a step of splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A directory that goes with its test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("sendtally-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A column of few distinct values, a tenth null where it may be, except that `offset` is given.
fn column(kind: &DataType, nullable: bool, rows: usize, dice: &mut Dice) -> ArrayRef {
    let values: Vec<Option<u64>> =
        (0..rows).map(|_| (!nullable || dice.roll(10) > 0).then(|| dice.roll(50))).collect();
    let numbers = values.iter().copied();
    let text = || values.iter().map(|value| value.map(|value| format!("v{value}")));
    match kind {
        DataType::Timestamp(..) => {
            let times = numbers.map(|value| value.map(|value| value as i64 * 1_000_000));
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        DataType::Dictionary(..) => {
            let words: StringArray = text().collect();
            arrow_cast_dictionary(&words)
        }
        DataType::Utf8 => Arc::new(text().collect::<StringArray>()),
        DataType::Boolean => {
            Arc::new(numbers.map(|v| v.map(|v| v % 2 == 0)).collect::<BooleanArray>())
        }
        DataType::Int32 => Arc::new(numbers.map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(numbers.map(|v| v.map(|v| v as i64)).collect::<Int64Array>()),
        DataType::UInt16 => Arc::new(numbers.map(|v| v.map(|v| v as u16)).collect::<UInt16Array>()),
        DataType::UInt32 => Arc::new(numbers.map(|v| v.map(|v| v as u32)).collect::<UInt32Array>()),
        DataType::UInt64 => Arc::new(numbers.collect::<UInt64Array>()),
        DataType::Float64 => {
            Arc::new(numbers.map(|v| v.map(|v| v as f64)).collect::<Float64Array>())
        }
        DataType::Decimal128(precision, scale) => {
            let sums = numbers.map(|v| v.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(sums.with_precision_and_scale(*precision, *scale).unwrap())
        }
        DataType::FixedSizeBinary(width) => {
            let ids = values.iter().map(|value| value.map(|value| id(value, *width as usize)));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, *width).unwrap())
        }
        DataType::Binary => {
            let bytes = values.iter().map(|value| value.map(|value| id(value, 900)));
            Arc::new(bytes.collect::<BinaryArray>())
        }
        other => panic!("no column of {other}"),
    }
}

fn id(value: u64, width: usize) -> Vec<u8> {
    let mut dice = Dice(value);
    (0..width).map(|_| dice.roll(256) as u8).collect()
}

fn arrow_cast_dictionary(words: &StringArray) -> ArrayRef {
    let words: arrow_array::DictionaryArray<arrow_array::types::Int32Type> = words.iter().collect();
    Arc::new(words)
}

/// Random rows of a table; the columns of `given` as they are.
fn random(table: &Table, rows: usize, dice: &mut Dice, given: &[(&str, ArrayRef)]) -> RecordBatch {
    let given: BTreeMap<&str, &ArrayRef> = given.iter().map(|(name, a)| (*name, a)).collect();
    let schema = table.arrow();
    let columns = schema.fields().iter().map(|field| {
        given.get(field.name().as_str()).map_or_else(
            || column(field.data_type(), field.is_nullable(), rows, dice),
            |array| ArrayRef::clone(array),
        )
    });
    let columns = columns.collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

fn read(path: &Path) -> RecordBatch {
    let (reader, _) = open(path, READ_ROWS).unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let schema = batches[0].schema();
    concat_batches(&schema, &batches).unwrap()
}

/// All columns of each row as comparable bytes.
fn whole_rows(batch: &RecordBatch) -> Vec<Vec<u8>> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).unwrap();
    let rows = converter.convert_columns(batch.columns()).unwrap();
    rows.iter().map(|row| row.as_ref().to_vec()).collect()
}

#[test]
fn merged_rows_are_those_that_went_in_sorted_and_in_even_parts() {
    for seed in 0..24 {
        let mut dice = Dice(seed);
        let place = Place::new(&format!("merge-{seed}"));
        let tables: [&Table; 4] = [&EVENTS, &LEDGER, &CHARGES, &DEAD_RECORDS];
        let table = tables[seed as usize % 4];
        let (n_inputs, n_outputs) = (1 + dice.roll(7) as usize, 1 + dice.roll(4) as usize);
        let mut inputs = Vec::new();
        let mut wanted = Vec::new();
        for at in 0..n_inputs {
            // Empty ones, single rows, and more than one batch of reading.
            let many = [0, 1, 40, 3_000, 9_000][dice.roll(5) as usize];
            let rows = sorted(table, &[random(table, many, &mut dice, &[])]).unwrap();
            let path = place.path(&format!("in-{at}"));
            write_parquet(&path, table, &rows, &[]).unwrap();
            wanted.extend(whole_rows(&rows));
            inputs.push(path);
        }
        let outputs: Vec<PathBuf> =
            (0..n_outputs).map(|at| place.path(&format!("out-{at}"))).collect();
        let written = merge(table, &inputs, &outputs, &[]).unwrap();
        let share = wanted.len().div_ceil(n_outputs);
        assert_eq!(written.len(), if share == 0 { 0 } else { wanted.len().div_ceil(share) });
        let parts: Vec<RecordBatch> = outputs[..written.len()].iter().map(|p| read(p)).collect();
        for (at, part) in parts.iter().enumerate() {
            assert_eq!(written[at].rows, part.num_rows() as u64);
            let even = part.num_rows() == share || at + 1 == parts.len();
            assert!(even, "seed {seed}: part {at} has {} of {share} rows", part.num_rows());
            let bytes = std::fs::metadata(&outputs[at]).unwrap().len();
            assert_eq!(written[at].bytes, bytes);
        }
        if parts.is_empty() {
            continue;
        }
        let all = concat_batches(&table.arrow(), &parts).unwrap();
        // An error where the rows are not in the table's order, over all parts.
        order(table, &all, &converter(table).unwrap()).unwrap();
        let mut found = whole_rows(&all);
        found.sort();
        wanted.sort();
        assert!(found == wanted, "seed {seed}: other rows came out");
    }
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let place = Place::new("merge-same");
    let mut dice = Dice(5);
    let inputs: Vec<PathBuf> = (0..3).map(|at| place.path(&format!("in-{at}"))).collect();
    for path in &inputs {
        let rows = sorted(&EVENTS, &[random(&EVENTS, 500, &mut dice, &[])]).unwrap();
        write_parquet(path, &EVENTS, &rows, &[]).unwrap();
    }
    let outputs = [place.path("first"), place.path("second")];
    for output in &outputs {
        merge(&EVENTS, &inputs, std::slice::from_ref(output), &[]).unwrap();
    }
    let bytes = outputs.map(|path| std::fs::read(path).unwrap());
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn of_equal_rows_the_earlier_file_comes_first() {
    let place = Place::new("merge-ties");
    let mut inputs = Vec::new();
    for at in 0..3_i64 {
        let same = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value; 4])) };
        let mut columns: Vec<(&str, ArrayRef)> = vec![("records", same(at))];
        let topic: StringArray = vec![Some("t"); 4].into_iter().collect();
        columns.push(("topic", arrow_cast_dictionary(&topic)));
        columns.push(("partition", Arc::new(Int32Array::from(vec![0; 4]))));
        columns.push(("epoch", Arc::new(UInt64Array::from(vec![1, 1, 2, 3]))));
        let path = place.path(&format!("in-{at}"));
        let rows = random(&LEDGER, 4, &mut Dice(1), &columns);
        write_parquet(&path, &LEDGER, &rows, &[]).unwrap();
        inputs.push(path);
    }
    let output = place.path("out");
    merge(&LEDGER, &inputs, std::slice::from_ref(&output), &[]).unwrap();
    let rows = read(&output);
    let from = rows.column_by_name("records").unwrap().as_primitive::<Int64Type>();
    assert_eq!(from.values().to_vec(), [0, 0, 1, 1, 2, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_file_in_another_order_is_refused() {
    let place = Place::new("merge-unsorted");
    let epochs: ArrayRef = Arc::new(UInt64Array::from(vec![2, 1]));
    let topic: StringArray = vec![Some("t"); 2].into_iter().collect();
    let columns = [
        ("epoch", epochs),
        ("topic", arrow_cast_dictionary(&topic)),
        ("partition", Arc::new(Int32Array::from(vec![0; 2])) as ArrayRef),
    ];
    let rows = random(&LEDGER, 2, &mut Dice(1), &columns);
    let input = place.path("in");
    write_parquet(&input, &LEDGER, &rows, &[]).unwrap();
    let error = merge(&LEDGER, &[input], &[place.path("out")], &[]).unwrap_err();
    let SinkError::Rows { table, source, .. } = error else { panic!("{error}") };
    assert!(table.starts_with("ledger in "), "{table}");
    assert!(source.to_string().contains("not sorted by topic, partition, epoch"), "{source}");
}

#[test]
fn a_column_that_came_later_is_null_in_older_rows() {
    let place = Place::new("merge-older");
    let mut older = EVENTS.clone();
    older.columns.retain(|column| column.name != "campaign");
    let mut dice = Dice(3);
    let (old, new) = (place.path("old"), place.path("new"));
    let rows = sorted(&older, &[random(&older, 30, &mut dice, &[])]).unwrap();
    write_parquet(&old, &older, &rows, &[]).unwrap();
    let rows = sorted(&EVENTS, &[random(&EVENTS, 50, &mut dice, &[])]).unwrap();
    let known = rows.column_by_name("campaign").unwrap().null_count();
    write_parquet(&new, &EVENTS, &rows, &[]).unwrap();
    let output = place.path("out");
    merge(&EVENTS, &[old, new], std::slice::from_ref(&output), &[]).unwrap();
    let merged = read(&output);
    assert_eq!(merged.num_rows(), 80);
    assert_eq!(merged.column_by_name("campaign").unwrap().null_count(), known + 30);
}

fn footer(path: &Path) -> ParquetMetaData {
    let file = File::open(path).unwrap();
    let reader = ParquetMetaDataReader::new();
    let reader = reader.with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(&file).unwrap()
}

/// A merged file of events, keys `0..rows`, epochs 1 to 9.
fn merged_events(place: &Place) -> (PathBuf, usize) {
    let each = 6_000;
    let mut inputs = Vec::new();
    for at in 0..2 {
        let ids = (0..each).map(|row| id((at * each + row) as u64, 16));
        let ids = FixedSizeBinaryArray::try_from_iter(ids).unwrap();
        let epochs: UInt64Array = (0..each).map(|row| Some(1 + row as u64 % 9)).collect();
        let given: [(&str, ArrayRef); 2] =
            [("message_key", Arc::new(ids)), ("epoch", Arc::new(epochs))];
        let rows = random(&EVENTS, each, &mut Dice(at as u64), &given);
        let path = place.path(&format!("in-{at}"));
        let facts = [("sendtally.lake_epoch", "1".to_owned())];
        write_parquet(&path, &EVENTS, &sorted(&EVENTS, &[rows]).unwrap(), &facts).unwrap();
        inputs.push(path);
    }
    let output = place.path("out");
    let facts = [("sendtally.lake_epoch", "7".to_owned())];
    merge(&EVENTS, &inputs, std::slice::from_ref(&output), &facts).unwrap();
    (output, 2 * each)
}

#[test]
fn a_footer_declares_order_compression_encodings_page_index_and_facts() {
    let place = Place::new("footer");
    let (path, rows) = merged_events(&place);
    let footer = footer(&path);
    assert_eq!(footer.file_metadata().num_rows(), rows as i64);
    let facts = footer.file_metadata().key_value_metadata().unwrap();
    let fact = facts.iter().find(|fact| fact.key == "sendtally.lake_epoch").unwrap();
    assert_eq!(fact.value.as_deref(), Some("7"));
    assert!(footer.file_metadata().created_by().unwrap().starts_with("sendtally "));
    for (at, group) in footer.row_groups().iter().enumerate() {
        let sorting = group.sorting_columns().unwrap();
        let named = sorting.iter().map(|by| {
            assert!(!by.descending && by.nulls_first);
            group.column(by.column_idx as usize).column_path().string()
        });
        assert_eq!(named.collect::<Vec<_>>(), EVENTS.sort);
        for (place, column) in group.columns().iter().enumerate() {
            let name = column.column_path().string();
            assert!(matches!(column.compression(), Compression::ZSTD(_)), "{name}");
            assert!(column.statistics().is_some(), "{name}: no statistics");
            assert_eq!(column.bloom_filter_offset().is_some(), name == "message_key", "{name}");
            let pages = footer.offset_index().unwrap()[at][place].page_locations().len();
            let indexed = footer.column_index().unwrap()[at][place].num_pages();
            assert!(pages > 0 && pages as u64 == indexed, "{name}: {pages} pages, {indexed}");
            let encodings: Vec<Encoding> = column.encodings().collect();
            let delta = encodings.contains(&Encoding::DELTA_BINARY_PACKED);
            let number = name.ends_with("_time") || name == "offset" || name == "epoch";
            assert_eq!(delta, number, "{name}: {encodings:?}");
            let plain = ["event_id", "message_id", "message_key"].contains(&name.as_str());
            let dictionary = encodings.contains(&Encoding::RLE_DICTIONARY);
            assert!(!(dictionary && (plain || number)), "{name}: {encodings:?}");
        }
    }
    assert_eq!(newest_epoch(&path).unwrap(), Some(9));
}

#[test]
fn row_groups_are_large_and_bounded() {
    let place = Place::new("groups");
    let each = ROW_GROUP_ROWS / 2 + 5_000;
    let inputs = [place.path("in-0"), place.path("in-1")];
    for (at, path) in inputs.iter().enumerate() {
        let rows = random(&LEDGER, each, &mut Dice(at as u64), &[]);
        write_parquet(path, &LEDGER, &sorted(&LEDGER, &[rows]).unwrap(), &[]).unwrap();
    }
    let output = place.path("out");
    merge(&LEDGER, &inputs, std::slice::from_ref(&output), &[]).unwrap();
    let sizes: Vec<i64> =
        footer(&output).row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(sizes, [ROW_GROUP_ROWS as i64, (2 * each - ROW_GROUP_ROWS) as i64]);
}

#[test]
fn the_bloom_filter_finds_every_key_and_refuses_most_others() {
    let place = Place::new("bloom");
    let (path, rows) = merged_events(&place);
    let file = File::open(&path).unwrap();
    let footer = footer(&path);
    let at = EVENTS.columns.iter().position(|column| column.name == "message_key").unwrap();
    let filters: Vec<Sbbf> = footer
        .row_groups()
        .iter()
        .map(|group| Sbbf::read_from_column_chunk(group.column(at), &file).unwrap().unwrap())
        .collect();
    let passes = |value: u64| {
        let key = FixedLenByteArray::from(id(value, 16));
        filters.iter().filter(|filter| filter.check(&key)).count()
    };
    assert!((0..rows as u64).step_by(7).all(|value| passes(value) > 0));
    // Each filter of one row group lets 1 of 100 absent keys pass, at most about twice that.
    let absent = 20_000;
    let wrong: usize = (0..absent).map(|value| passes(1 << 40 | value)).sum();
    let share = wrong as f64 / (absent as usize * filters.len()) as f64;
    assert!(share < 0.02, "{share} of absent keys pass");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_apart() {
    let place = Place::new("merge-full");
    let input = place.path("in");
    let rows = sorted(&EVENTS, &[random(&EVENTS, 5_000, &mut Dice(1), &[])]).unwrap();
    write_parquet(&input, &EVENTS, &rows, &[]).unwrap();
    // A device on which every write fails for lack of space.
    let full = PathBuf::from("/dev/full");
    let error =
        merge(&EVENTS, std::slice::from_ref(&input), std::slice::from_ref(&full), &[]).unwrap_err();
    assert!(error.is_full(), "{error:?}");
    assert!(write_parquet(&full, &EVENTS, &rows, &[]).unwrap_err().is_full());
    // What is missing is no lack of space.
    let missing = [place.path("missing")];
    assert!(!merge(&EVENTS, &missing, &[place.path("out")], &[]).unwrap_err().is_full());
}

//! A result as text or Arrow.
//!
//! Text is spelled like everywhere in Sendtally: ids and hashes as lower-case hex, times as
//! RFC 3339 in UTC with six fraction digits and `Z`, decimals as strings (an f64 would lose
//! digits). Columns are turned into text first; then the format only has to lay them out.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use model::keys::hex;
use model::time::format_us;

use crate::WindowError;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Aligned columns, for people.
    Table,
    /// With a header line.
    Csv,
    /// One object a line, nulls included.
    Json,
    /// Arrow IPC stream, types as they are.
    Arrow,
}

impl OutputFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Table, Self::Csv, Self::Json, Self::Arrow];

    /// The word of `--format`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Arrow => "arrow",
        }
    }

    /// The format of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

#[expect(clippy::large_enum_variant, reason = "one value a query")]
enum Layout<'a> {
    /// Widths are known at the end only.
    Table(Vec<RecordBatch>, &'a mut dyn Write),
    Csv(arrow_csv::Writer<&'a mut dyn Write>),
    Json(arrow_json::LineDelimitedWriter<&'a mut dyn Write>),
    Arrow(StreamWriter<&'a mut dyn Write>),
}

/// Writes the batches of one result.
pub(crate) struct Writer<'a> {
    format: OutputFormat,
    schema: SchemaRef,
    layout: Layout<'a>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        format: OutputFormat,
        schema: &SchemaRef,
        out: &'a mut dyn Write,
    ) -> Result<Self, WindowError> {
        let text = Arc::new(text_schema(schema, format));
        let layout = match format {
            OutputFormat::Table => Layout::Table(Vec::new(), out),
            OutputFormat::Csv => {
                let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(out);
                // The header stands above no rows too.
                let header = writer.write(&RecordBatch::new_empty(SchemaRef::clone(&text)));
                header.map_err(|error| failed(format, error))?;
                Layout::Csv(writer)
            }
            OutputFormat::Json => {
                let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
                Layout::Json(builder.build(out))
            }
            OutputFormat::Arrow => {
                let writer = StreamWriter::try_new(out, schema);
                Layout::Arrow(writer.map_err(|error| failed(format, error))?)
            }
        };
        Ok(Self { format, schema: text, layout })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), WindowError> {
        let schema = &self.schema;
        let text = || as_text(batch, schema);
        let written = match &mut self.layout {
            Layout::Arrow(writer) => writer.write(batch),
            Layout::Table(batches, _) => text().map(|text| batches.push(text)),
            Layout::Csv(writer) => text().and_then(|text| writer.write(&text)),
            Layout::Json(writer) => text().and_then(|text| writer.write(&text)),
        };
        written.map_err(|error| failed(self.format, error))
    }

    pub(crate) fn finish(self) -> Result<(), WindowError> {
        let finished = match self.layout {
            Layout::Table(mut batches, out) => {
                if batches.is_empty() {
                    batches.push(RecordBatch::new_empty(self.schema));
                }
                pretty_format_batches(&batches)
                    .and_then(|table| Ok(writeln!(out, "{table}")?))
                    .and_then(|()| Ok(out.flush()?))
            }
            Layout::Csv(writer) => writer.into_inner().flush().map_err(ArrowError::from),
            Layout::Json(mut writer) => {
                writer.finish().and_then(|()| Ok(writer.into_inner().flush()?))
            }
            Layout::Arrow(mut writer) => writer.finish(),
        };
        finished.map_err(|error| failed(self.format, error))
    }
}

fn failed(format: OutputFormat, error: ArrowError) -> WindowError {
    WindowError::Write {
        format: format.as_str(),
        source: Box::new(DataFusionError::ArrowError(Box::new(error), None)),
    }
}

/// Types that become text; numbers, truth values and plain text stay what they are.
const fn becomes_text(kind: &DataType) -> bool {
    !matches!(
        kind,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float16
            | DataType::Float32
            | DataType::Float64
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Null
    )
}

/// Columns of the text. Lists and structs have a form of their own in JSON only.
fn text_schema(schema: &Schema, format: OutputFormat) -> Schema {
    let field = |field: &Arc<Field>| {
        let kept = format == OutputFormat::Json && field.data_type().is_nested();
        let text = becomes_text(field.data_type()) && !kept;
        let kind = if text { DataType::Utf8 } else { field.data_type().clone() };
        Field::new(field.name(), kind, true)
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

fn as_text(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let wanted = |(column, field): (&ArrayRef, &Arc<Field>)| {
        if column.data_type() == field.data_type() {
            Ok(ArrayRef::clone(column))
        } else {
            spell(column)
        }
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(wanted);
    RecordBatch::try_new(SchemaRef::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn spell(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let text: StringArray = match column.data_type() {
        DataType::Timestamp(_, _) => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
            let times = cast(column, &utc)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            times.iter().map(|time| time.map(format_us)).collect()
        }
        DataType::FixedSizeBinary(_) => {
            column.as_fixed_size_binary().iter().map(|bytes| bytes.map(hex)).collect()
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(column, &DataType::LargeBinary)?;
            bytes.as_binary::<i64>().iter().map(|bytes| bytes.map(hex)).collect()
        }
        _ => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options)?;
            let valid = |row| (!column.is_null(row)).then(|| formatter.value(row).to_string());
            // A dictionary's null may stand in its values, so the formatter's text is checked too.
            let logical = column.logical_nulls();
            let known = |row| logical.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            (0..column.len()).map(|row| valid(row).filter(|_| known(row))).collect()
        }
    };
    Ok(Arc::new(text))
}

//! Files of a run: log.csv, truth.csv, incidents.csv, and the records themselves as JSON lines.
//!
//! All writers take ready rows and any `Write`; nothing is buffered here beyond one row.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::rows::{IncidentRow, LogRow, TruthRow};
use crate::simulation::Record;

/// The header of log.csv.
pub const LOG_COLUMNS: &str = "row_id,topic,partition,offset,element,ingest_time_us,source,variant,\
account,message_id,recipient,channel_wire,vendor_status,vendor_status_id,vendor_group_id,\
error_code,event_time_us,submit_time_us,mcc,mnc,country,segments,price,price_unit_kind,currency,\
kind,duplicate_of,message_seq,future_clock";

/// The header of truth.csv.
pub const TRUTH_COLUMNS: &str = "message_seq,source,message_id,channel,country,carrier,mcc,mnc,\
submit_time_us,outcome,delivered_time_us,cost,currency,segments,incidents";

/// The header of incidents.csv.
pub const INCIDENT_COLUMNS: &str = "id,kind,start_us,end_us,target,parameters";

/// One line of comma-separated values.
struct Line<'a, W: Write> {
    out: &'a mut W,
    first: bool,
}

impl<'a, W: Write> Line<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Self { out, first: true }
    }

    /// A value, quoted where it holds a separator.
    fn put(&mut self, value: &str) -> io::Result<()> {
        if !self.first {
            self.out.write_all(b",")?;
        }
        self.first = false;
        if value.contains([',', '"', '\n', '\r']) {
            return write!(self.out, "\"{}\"", value.replace('"', "\"\""));
        }
        self.out.write_all(value.as_bytes())
    }

    fn number(&mut self, value: impl Into<i128>) -> io::Result<()> {
        if !self.first {
            self.out.write_all(b",")?;
        }
        self.first = false;
        write!(self.out, "{}", value.into())
    }

    fn option(&mut self, value: Option<impl Into<i128>>) -> io::Result<()> {
        match value {
            Some(value) => self.number(value),
            None => self.put(""),
        }
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }
}

/// Writes log.csv: one row an element, in stream order.
#[derive(Debug)]
pub struct LogWriter<W: Write> {
    out: W,
    topics: Vec<String>,
}

impl<W: Write> LogWriter<W> {
    /// Writes the header. `topics` is `Scenario::topics`.
    pub fn new(mut out: W, topics: Vec<String>) -> io::Result<Self> {
        writeln!(out, "{LOG_COLUMNS}")?;
        Ok(Self { out, topics })
    }

    /// Writes rows as `Simulation::take_log` gives them.
    pub fn write(&mut self, rows: &[LogRow]) -> io::Result<()> {
        for row in rows {
            let topic = self.topics.get(usize::from(row.topic)).map_or("", String::as_str);
            log_line(&mut self.out, topic, row)?;
        }
        Ok(())
    }

    /// Flushes what was written.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn log_line<W: Write>(out: &mut W, topic: &str, row: &LogRow) -> io::Result<()> {
    let mut line = Line::new(out);
    line.number(row.row_id)?;
    line.put(topic)?;
    line.number(row.partition)?;
    line.number(row.offset)?;
    line.number(row.element)?;
    line.number(row.ingest_time_us)?;
    line.put(row.source)?;
    line.put(row.variant)?;
    line.put(&row.account)?;
    line.put(&row.message_id)?;
    line.put(&row.recipient)?;
    line.put(row.channel_wire)?;
    line.put(row.vendor_status)?;
    line.option(row.vendor_status_id)?;
    line.option(row.vendor_group_id)?;
    line.put(&row.error_code)?;
    line.option(row.event_time_us)?;
    line.option(row.submit_time_us)?;
    line.put(&row.mcc)?;
    line.put(&row.mnc)?;
    line.put(row.country)?;
    line.option(row.segments)?;
    line.put(&row.price)?;
    line.put(row.price_unit_kind)?;
    line.put(&row.currency)?;
    line.put(row.kind.name())?;
    line.option(row.duplicate_of)?;
    line.number(row.message_seq)?;
    line.number(u8::from(row.future_clock))?;
    line.end()
}

/// Writes truth.csv: one row a message, in the order of submission.
#[derive(Debug)]
pub struct TruthWriter<W: Write> {
    out: W,
}

impl<W: Write> TruthWriter<W> {
    /// Writes the header.
    pub fn new(mut out: W) -> io::Result<Self> {
        writeln!(out, "{TRUTH_COLUMNS}")?;
        Ok(Self { out })
    }

    /// Writes rows as `Simulation::take_truth` and `finish` give them.
    pub fn write(&mut self, rows: &[TruthRow]) -> io::Result<()> {
        for row in rows {
            let mut line = Line::new(&mut self.out);
            line.number(row.message_seq)?;
            line.put(row.source)?;
            line.put(&row.message_id)?;
            line.put(row.channel)?;
            line.put(row.country)?;
            line.put(&row.carrier)?;
            line.put(&row.mcc)?;
            line.put(&row.mnc)?;
            line.number(row.submit_time_us)?;
            line.put(row.outcome)?;
            line.option(row.delivered_time_us)?;
            line.put(&row.cost)?;
            line.put(&row.currency)?;
            line.number(row.segments)?;
            line.put(&row.incidents)?;
            line.end()?;
        }
        Ok(())
    }

    /// Flushes what was written.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes incidents.csv.
pub fn write_incidents<W: Write>(mut out: W, rows: &[IncidentRow]) -> io::Result<()> {
    writeln!(out, "{INCIDENT_COLUMNS}")?;
    for row in rows {
        let mut line = Line::new(&mut out);
        line.put(&row.id)?;
        line.put(row.kind)?;
        line.number(row.start_us)?;
        line.number(row.end_us)?;
        line.put(&row.target)?;
        line.put(&row.parameters)?;
        line.end()?;
    }
    out.flush()
}

/// Writes records to `DIR/records/<topic>-<partition>.jsonl`, one JSON object a line, in offset
/// order: `{"headers":{…},"value":"…"}`, or `value_base64` where the value is not UTF-8.
#[derive(Debug)]
pub struct DirWriter {
    files: Vec<BufWriter<File>>,
    partitions: usize,
    line: Vec<u8>,
}

impl DirWriter {
    /// Creates the directory and an empty file for every partition of every topic.
    pub fn create(dir: &Path, topics: &[String], partitions: u32) -> io::Result<Self> {
        let records = dir.join("records");
        fs::create_dir_all(&records)?;
        let mut files = Vec::new();
        for topic in topics {
            for partition in 0..partitions.max(1) {
                let path = records.join(format!("{topic}-{partition}.jsonl"));
                files.push(BufWriter::new(File::create(path)?));
            }
        }
        Ok(Self { files, partitions: partitions.max(1) as usize, line: Vec::new() })
    }

    /// Appends a record as `Simulation::next_record` gives it.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        json_line(&mut self.line, record);
        let at = usize::from(record.topic) * self.partitions + record.partition as usize;
        match self.files.get_mut(at) {
            Some(file) => file.write_all(&self.line),
            None => Err(io::Error::other(format!("no file for topic number {}", record.topic))),
        }
    }

    /// Flushes all files.
    pub fn finish(mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(BufWriter::flush)
    }
}

fn json_line(line: &mut Vec<u8>, record: &Record) {
    line.clear();
    line.extend_from_slice(b"{\"headers\":{");
    for (n, (name, value)) in record.headers.iter().enumerate() {
        if n > 0 {
            line.push(b',');
        }
        json_text(line, name);
        line.push(b':');
        json_text(line, value);
    }
    match std::str::from_utf8(&record.value) {
        Ok(value) => {
            line.extend_from_slice(b"},\"value\":");
            json_text(line, value);
        }
        Err(_) => {
            line.extend_from_slice(b"},\"value_base64\":");
            json_text(line, &STANDARD.encode(&record.value));
        }
    }
    line.extend_from_slice(b"}\n");
}

fn json_text(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => line.extend_from_slice(b"\\\""),
            b'\\' => line.extend_from_slice(b"\\\\"),
            0..=0x1f => line.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => line.push(other),
        }
    }
    line.push(b'"');
}

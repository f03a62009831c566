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
kind,duplicate_of,message_seq,future_clock,quantity,sku,period_start_us";

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
    line.option(row.quantity)?;
    line.put(row.sku)?;
    line.option(row.period_start_us)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Scenario, Simulation};

    const YAML: &str = "
name: tiny
start: 2026-11-20T08:00:00Z
carriers: [{id: 'a,b', country: US, mcc: '310', mnc: '410', latency: {median_s: 2, sigma: 0.5}}]
flows: [{source: twilio, channel: sms, weight: 1, carriers: {'a,b': 1}, price: '0.0083'}]
incidents: [{id: i, kind: slow_carrier, carrier: 'a,b', factor: 2, start_s: 0, duration_s: 5}]
";

    #[test]
    fn files_have_their_columns_and_every_record_in_offset_order() {
        let scenario = Scenario::from_yaml(YAML).expect("valid");
        let options = Options { seed: 1, events: 40, rate: 10.0, partitions: 2, start_us: None };
        let dir = std::env::temp_dir().join(format!("simulate-logs-{}", std::process::id()));
        let mut simulation = Simulation::new(&scenario, options);
        let mut files = DirWriter::create(&dir, &scenario.topics(), 2).expect("created");
        let (mut log, mut truth, mut incidents) = (Vec::new(), Vec::new(), Vec::new());
        let mut writer = LogWriter::new(&mut log, scenario.topics()).expect("header");
        while let Some(record) = simulation.next_record() {
            files.write(&record).expect("written");
            writer.write(&simulation.take_log()).expect("written");
        }
        writer.finish().expect("flushed");
        files.finish().expect("flushed");
        let known = simulation.finish();
        let mut rows = TruthWriter::new(&mut truth).expect("header");
        rows.write(&known.messages).expect("written");
        rows.finish().expect("flushed");
        write_incidents(&mut incidents, &known.incidents).expect("written");

        let log = String::from_utf8(log).expect("text");
        assert_eq!(log.lines().count(), 41);
        let columns = LOG_COLUMNS.split(',').count();
        assert!(log.lines().all(|line| line.split(',').count() == columns), "{log}");
        let truth = String::from_utf8(truth).expect("text");
        assert!(truth.contains("\"a,b\""), "a separator is quoted: {truth}");
        let incidents = String::from_utf8(incidents).expect("text");
        assert!(incidents.contains(",factor=2\n"), "{incidents}");
        for (partition, wanted) in [(0, ",messaging.twilio,0,"), (1, ",messaging.twilio,1,")] {
            let path = dir.join("records").join(format!("messaging.twilio-{partition}.jsonl"));
            let text = fs::read_to_string(path).expect("a file");
            assert_eq!(text.lines().count(), log.matches(wanted).count());
            assert!(text.lines().all(|line| line.starts_with("{\"headers\":{\"source\"")));
        }
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn bytes_that_are_not_text_are_written_as_base64() {
        let record = Record {
            topic: 0,
            partition: 0,
            timestamp_ms: 0,
            key: [0; 8],
            headers: vec![("source", "smpp \"x\"".to_owned())],
            value: vec![0xff, 0x00],
        };
        let mut line = Vec::new();
        json_line(&mut line, &record);
        let wanted = "{\"headers\":{\"source\":\"smpp \\\"x\\\"\"},\"value_base64\":\"/wA=\"}\n";
        assert_eq!(String::from_utf8(line).expect("text"), wanted);
    }
}

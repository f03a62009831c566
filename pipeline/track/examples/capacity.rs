//! How many messages fit, and how fast: a tracker that is fed as a job feeds it, with its runs
//! written and fsynced, on one thread.
//!
//! ```text
//! cargo run --release -p track --example capacity -- DIR MEMORY_MB MILLIONS…
//! ```
//! The mix: a message has three events near each other (accepted, sent, and a final one; of a
//! hundred messages three get none), with price, segments and submit time; of a hundred events one
//! is of an old message anywhere in the past. 50 million messages span 35 days. An epoch has
//! 100,000 events and hands over up to four slices, as the job does. Making the batches is not
//! counted. Ends with 1 where the process ever took more than 6 GB (`CAPACITY_MB` says another
//! bound).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example prints, ends at a failure and measures"
)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use model::event::{EventBatchBuilder, EventRow, with_stored_columns};
use model::keys::{HashKey, Id16};
use model::money::Nanos;
use model::record::{Input, SignatureRule};
use model::time::{DAY_US, SECOND_US};
use model::vocabulary::{
    Channel, Disposition, ErrorClass, PriceUnit, ReceiptClass, Security, Source, Status,
    TimeSource, TrafficClass,
};
use track::{Decision, SLICES, Tracker};

const START_US: i64 = 1_780_000_000_000_000;
const MILLION: u64 = 1_000_000;
/// 50 million messages in 35 days.
const STEP_US: i64 = 35 * DAY_US / 50_000_000;
const MESSAGES_A_BATCH: u64 = 4_096;
const EVENTS_AN_EPOCH: usize = 100_000;
const SLICES_AN_EPOCH: usize = 4;
const MERGED_AN_EPOCH: u64 = 200_000;
const RECOVERIES: usize = 20;
const CARRIERS: [&str; 6] = ["telekom_de", "vodafone_uk", "orange_fr", "vivo_br", "att", "o2"];

fn key(message: u64) -> Id16 {
    HashKey::new([1; 16]).hash(&[&message.to_le_bytes()])
}

/// Any number, the same for the same input.
fn dice(message: u64, salt: u64) -> u64 {
    let mixed = (message ^ salt.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20
}

/// Stage 0 accepted, 1 sent, 2 final, 3 read.
fn push(builder: &mut EventBatchBuilder, message: u64, stage: u64, now_us: i64) {
    let submit_us = START_US + i64::try_from(message).unwrap() * STEP_US / 1000 * 1000;
    let after_ms = [150, 900, 2_000 + dice(message, 1) % 30_000, 3_600_000];
    let after_us = i64::try_from(after_ms[usize::try_from(stage).unwrap()]).unwrap() * 1000;
    let failed = dice(message, 2) % 100 < 4;
    let status = match stage {
        0 => Status::Accepted,
        1 => Status::Sent,
        2 if failed => Status::Undelivered,
        2 => Status::Delivered,
        _ => Status::Read,
    };
    let carrier = CARRIERS[usize::try_from(dice(message, 3) % 6).unwrap()];
    let event_id = HashKey::new([2; 16]).hash(&[&message.to_le_bytes(), &stage.to_le_bytes()]);
    builder.push(&EventRow {
        event_id,
        source: Source::Infobip,
        account: Some("account"),
        message_id: "a message id of forty bytes, as they come",
        message_key: key(message),
        logical_id: None,
        channel: Channel::Sms,
        status,
        is_final: stage >= 2,
        receipt_class: ReceiptClass::Handset,
        vendor_status: None,
        error_code: (stage == 2 && failed).then_some("EC_ABSENT_SUBSCRIBER"),
        error_class: if stage == 2 && failed { ErrorClass::Unreachable } else { ErrorClass::None },
        event_time_us: Some(submit_us + after_us),
        submit_time_us: Some(submit_us),
        ingest_time_us: Some(now_us),
        event_time_source: Some(TimeSource::Vendor),
        recipient_token: None,
        token_key_id: None,
        recipient_prefix: None,
        country: Some("DE"),
        mcc: None,
        mnc: None,
        carrier: Some(carrier),
        sender: None,
        traffic_class: TrafficClass::Unknown,
        campaign: None,
        segments: Some(1 + u16::from(dice(message, 4).is_multiple_of(6))),
        security: Security::None,
        price: Some(Nanos(41_500_000)),
        price_unit: PriceUnit::Message,
        currency: Some("EUR"),
        payload_sha256: &[0; 32],
        verified: None,
        verified_reason: None,
        input: 0,
        offset: 0,
        element: 0,
    });
}

/// Events of one round: the first of new messages, the later ones of those before.
fn round(builder: &mut EventBatchBuilder, number: u64, input: &[Input]) -> (RecordBatch, i64) {
    let first = number * MESSAGES_A_BATCH;
    let now_us = START_US + i64::try_from(first + MESSAGES_A_BATCH).unwrap() * STEP_US + SECOND_US;
    for at in 0..MESSAGES_A_BATCH {
        for stage in 0..3 {
            let Some(message) = (first + at).checked_sub(stage * MESSAGES_A_BATCH) else {
                continue;
            };
            if stage < 2 || dice(message, 5) % 100 >= 3 {
                push(builder, message, stage, now_us);
            }
        }
        if at.is_multiple_of(33) && first > 0 {
            let old = dice(first + at, 6) % first;
            // A repeated event or a read.
            push(builder, old, if at.is_multiple_of(2) { 0 } else { 3 }, now_us);
        }
    }
    (builder.finish(input).unwrap(), now_us)
}

/// An epoch as it is stored: its rounds, to be made again, and what was decided on their rows.
struct Stored {
    rounds: Vec<(u64, Vec<Disposition>)>,
    decided_by_us: Option<i64>,
    watermark_us: i64,
}

#[derive(Default)]
struct Spent {
    /// Processor time.
    decide: Duration,
    close: Duration,
    hand_over: Duration,
    write: Duration,
    n_events: u64,
    n_epochs: u64,
    written: u64,
    largest: u64,
    /// By the clock.
    slowest: Duration,
}

/// Processor time of this thread: others on the machine do not count.
fn processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

struct Job {
    dir: PathBuf,
    memory_bytes: usize,
    tracker: Tracker,
    epoch: u64,
    taken: Vec<(u64, Vec<PathBuf>)>,
    next_slice: u8,
    watermark_us: Option<i64>,
    open: Vec<(u64, Vec<Disposition>)>,
    stored: VecDeque<(u64, Stored)>,
    spent: Spent,
}

impl Job {
    fn take(&mut self, number: u64, batch: &RecordBatch, now_us: i64) {
        let rows: Vec<u32> = (0..u32::try_from(batch.num_rows()).unwrap()).collect();
        let began = processor();
        let decisions = self.tracker.decide(batch, &rows, self.watermark_us).unwrap();
        self.spent.decide += processor() - began;
        self.spent.n_events += rows.len() as u64;
        let accepted: Vec<Disposition> = decisions
            .iter()
            .map(|decision| match decision {
                Decision::New => Disposition::Accepted,
                // Not replayed here; in the job duplicates are a table of their own.
                _ => Disposition::Late,
            })
            .collect();
        self.open.push((number, accepted));
        if self.open.iter().map(|(_, rows)| rows.len()).sum::<usize>() >= EVENTS_AN_EPOCH {
            self.close(now_us - 5 * SECOND_US);
        }
    }

    fn close(&mut self, watermark_us: i64) {
        self.epoch += 1;
        let began = processor();
        drop(self.tracker.close_epoch(self.epoch, Some(watermark_us), watermark_us).unwrap());
        let closed = processor();
        let touched: Vec<u8> = self.tracker.touched().collect();
        for slice in (0..SLICES).filter(|slice| !touched.contains(slice)) {
            self.taken[usize::from(slice)].0 = self.epoch;
        }
        let (mut flushes, mut n_messages) = (Vec::new(), 0);
        for slice in (0..SLICES).map(|step| (self.next_slice + step) % SLICES) {
            if flushes.len() == SLICES_AN_EPOCH {
                self.next_slice = slice;
                break;
            }
            if touched.contains(&slice) {
                let may_merge = n_messages < MERGED_AN_EPOCH;
                let flush = self.tracker.flush(slice, may_merge, Some(watermark_us)).unwrap();
                n_messages += flush.as_ref().map_or(0, |flush| flush.n_messages());
                flushes.extend(flush);
            }
        }
        let (handed, began_writing) = (processor(), Instant::now());
        let mut written = 0;
        for flush in flushes {
            let encoded = flush.encode().unwrap();
            written += encoded.bytes.len() as u64;
            let path = self.dir.join(format!("{:09}-{:02}.run", self.epoch, flush.slice()));
            let mut file = File::create(&path).unwrap();
            file.write_all(&encoded.bytes).unwrap();
            file.sync_all().unwrap();
            let (epoch, runs) = &mut self.taken[usize::from(flush.slice())];
            *epoch = self.epoch;
            for old in runs.drain(runs.len() - flush.replaces()..) {
                std::fs::remove_file(old).unwrap();
            }
            runs.push(path.clone());
            flush.written(&encoded, Some((File::open(&path).unwrap(), path))).unwrap();
        }
        self.spent.close += closed - began;
        self.spent.hand_over += handed - closed;
        self.spent.write += processor() - handed;
        self.spent.slowest = self.spent.slowest.max(began_writing.elapsed());
        self.spent.written += written;
        self.spent.largest = self.spent.largest.max(written);
        self.spent.n_epochs += 1;
        let rounds = std::mem::take(&mut self.open);
        let decided_by_us = self.watermark_us.replace(watermark_us);
        self.stored.push_back((self.epoch, Stored { rounds, decided_by_us, watermark_us }));
        let oldest = self.taken.iter().map(|taken| taken.0).min().unwrap();
        self.stored.retain(|(epoch, _)| *epoch > oldest);
    }

    /// A kill and the way back: runs opened, epochs after them replayed. Making the batches again
    /// is not counted: the job reads them.
    fn recover(&mut self, builder: &mut EventBatchBuilder, input: &[Input]) -> Duration {
        let mut making = Duration::ZERO;
        let began = Instant::now();
        self.tracker = Tracker::new(0..SLICES, self.memory_bytes);
        for (slice, (_, runs)) in (0..SLICES).zip(&self.taken) {
            let open = |path: &PathBuf| (File::open(path).unwrap(), path.clone());
            self.tracker.restore(slice, runs.iter().map(open).collect(), None).unwrap();
        }
        for (number, epoch) in &self.stored {
            let behind = |slice: u8| self.taken[usize::from(slice)].0 < *number;
            for (round_number, decided) in &epoch.rounds {
                let making_began = Instant::now();
                let (batch, _) = round(builder, *round_number, input);
                let batch = with_stored_columns(&batch, decided, *number).unwrap();
                making += making_began.elapsed();
                self.tracker.replay(&batch, behind, epoch.decided_by_us).unwrap();
            }
            self.tracker.replay_close(behind, Some(epoch.watermark_us)).unwrap();
        }
        began.elapsed() - making
    }

    fn report(&mut self) {
        let spent = std::mem::take(&mut self.spent);
        let size = self.tracker.size();
        let disk: u64 = self
            .taken
            .iter()
            .flat_map(|(_, runs)| runs)
            .map(|path| std::fs::metadata(path).unwrap().len())
            .sum();
        let seconds = (spent.decide + spent.close + spent.hand_over).as_secs_f64();
        let events = spent.n_events as f64;
        let per = |part: Duration| part.as_secs_f64() * 1e9 / events;
        println!(
            "{} tracked, {} in memory, {:.1} bytes a message there, {} MB of tables, {} MB on \
             disk; VmRSS {} MB, VmHWM {} MB",
            size.n_messages,
            size.n_hot,
            size.n_bytes as f64 / size.n_hot as f64,
            size.n_bytes >> 20,
            disk >> 20,
            memory("VmRSS") >> 10,
            memory("VmHWM") >> 10,
        );
        println!(
            "  since the last line: {:.0} events/s of the core thread's processor time \
             ({:.0} ns to decide, {:.0} ns to close, {:.0} ns to hand over), {:.0} ns an event on \
             the commit thread",
            events / seconds,
            per(spent.decide),
            per(spent.close),
            per(spent.hand_over),
            per(spent.write),
        );
        println!(
            "  state written an epoch of {:.0} events: {:.1} MB on average, {:.1} MB at most; \
             slowest {:.2} s with fsync",
            events / spent.n_epochs as f64,
            spent.written as f64 / spent.n_epochs as f64 / 1e6,
            spent.largest as f64 / 1e6,
            spent.slowest.as_secs_f64(),
        );
    }
}

/// A line of the process's status, kilobytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What 50 million messages may take, state and replay included.
const MEMORY_MAX_MB: u64 = 6_000_000_000 >> 20;

/// Whether the process stayed within its bound.
fn verdict() -> ExitCode {
    let bound = std::env::var("CAPACITY_MB").map_or(MEMORY_MAX_MB, |mb| mb.parse().unwrap());
    let most = memory("VmHWM") >> 10;
    if most <= bound {
        println!("good   {most} MB at most, {bound} MB allowed");
        return ExitCode::SUCCESS;
    }
    println!("WRONG  {most} MB at most, {bound} MB allowed");
    ExitCode::FAILURE
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(memory_mb)) = (arguments.next(), arguments.next()) else {
        println!("capacity DIR MEMORY_MB MILLIONS…");
        return ExitCode::from(2);
    };
    let memory_bytes = memory_mb.parse::<usize>().unwrap() << 20;
    let dir = Path::new(&dir).join("runs");
    std::fs::create_dir_all(&dir).unwrap();
    let mut job = Job {
        dir: dir.clone(),
        memory_bytes,
        tracker: Tracker::new(0..SLICES, memory_bytes),
        epoch: 0,
        taken: vec![(0, Vec::new()); usize::from(SLICES)],
        next_slice: 0,
        watermark_us: None,
        open: Vec::new(),
        stored: VecDeque::new(),
        spent: Spent::default(),
    };
    let signatures = SignatureRule::default();
    let input =
        [Input { topic: Arc::from("t"), partition: 0, source: None, account: None, signatures }];
    let mut builder = EventBatchBuilder::default();
    let mut number = 0;
    println!("[track] memory_mb = {memory_mb}, one thread");
    for millions in arguments {
        let wanted = millions.parse::<u64>().unwrap() * MILLION;
        while number * MESSAGES_A_BATCH < wanted {
            let (batch, now_us) = round(&mut builder, number, &input);
            job.take(number, &batch, now_us);
            number += 1;
        }
        job.report();
    }
    let was = job.tracker.size().n_messages;
    let mut took: Vec<Duration> =
        (0..RECOVERIES).map(|_| job.recover(&mut builder, &input)).collect();
    took.sort();
    println!(
        "recovery: {:.2} s (median) and {:.2} s (slowest of {RECOVERIES}) for {} messages ({was} \
         before) and {} epochs of replay",
        took[RECOVERIES / 2].as_secs_f64(),
        took[RECOVERIES - 1].as_secs_f64(),
        job.tracker.size().n_messages,
        job.stored.len(),
    );
    std::fs::remove_dir_all(&dir).unwrap();
    verdict()
}

//! The engine: draws messages, lets their reports ripen in a heap, packs them into records, and
//! hands the records out in the order in which they reach Kafka.
//!
//! Two heaps hold what lies ahead: reports that their vendor has not sent yet, and records that
//! were sent but stand later in the stream (reordered, or redelivered). Time jumps from one to the
//! next, so memory holds messages in flight only. A heap entry is 24 bytes; what it stands for is
//! in a slab.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::event::{Event, Flaw, Message, Variant};
use crate::plan::{self, Fate, Planned};
use crate::rng::{Lognormal, Rng};
use crate::rows::{LogRow, Place, Truth, TruthRow, incident_rows, log_row, truth_row};
use crate::scenario::{Channel, Scenario, Source};
use crate::text::{SECOND, push_rfc3339, text};
use crate::usage::Usage;
use crate::wire;
use crate::world::World;

/// What a run adds to its scenario.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Seed; same seed, scenario and options give the same bytes.
    pub seed: u64,
    /// Elements to emit in all, every kind counted; `u64::MAX` for ever.
    pub events: u64,
    /// Mean elements per simulated second.
    pub rate: f64,
    /// Partitions of each topic, at least 1.
    pub partitions: u32,
    /// Start of simulated time, microseconds since the Unix epoch; the scenario's if `None`.
    pub start_us: Option<i64>,
}

/// A Kafka record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Index into `Scenario::topics`.
    pub topic: u16,
    /// Partition, drawn at random.
    pub partition: u32,
    /// Kafka timestamp: when it was received, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Random key.
    pub key: [u8; 8],
    /// `source`, `content-type`, `received-at`, and `account` where the vendor does not tell it.
    pub headers: Vec<(&'static str, String)>,
    /// The vendor's bytes.
    pub value: Vec<u8>,
}

/// From the end of a batch to Kafka.
const DELIVERY: Lognormal = Lognormal::new(0.02, 0.6);
/// Elements per message before any message was drawn, and how many messages that guess weighs.
const GUESS: (f64, f64) = (2.0, 64.0);
/// A clock is ahead of its report by more than five minutes, with room for a batch to wait.
const FUTURE_S: (f64, f64) = (400.0, 3_600.0);

/// A batch that waits for more elements.
#[derive(Debug, Default)]
struct Lane {
    open: Vec<Event>,
    target: usize,
    /// Counts the batches, so that an old deadline does not close a new batch.
    generation: u64,
}

/// What a heap entry of `pending` stands for.
#[derive(Debug, Clone, Copy)]
enum Action {
    Report(Event),
    Close {
        lane: usize,
        generation: u64,
    },
    /// An account's usage records are fetched.
    Fetch {
        account: u8,
    },
}

/// A record on its way to Kafka, and its elements if a log is kept.
#[derive(Debug)]
struct Sent {
    record: Record,
    events: Vec<Event>,
}

/// A slab: values at stable small indexes, freed ones used again.
#[derive(Debug)]
struct Slab<T> {
    values: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    fn new() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }

    fn insert(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.values[at as usize] = Some(value);
                at
            }
            None => {
                self.values.push(Some(value));
                (self.values.len() - 1) as u32
            }
        }
    }

    fn remove(&mut self, at: u32) -> Option<T> {
        self.free.push(at);
        self.values[at as usize].take()
    }
}

/// A queue of values by time, first come first served at equal times.
#[derive(Debug)]
struct Timeline<T> {
    heap: BinaryHeap<Reverse<(i64, u64, u32)>>,
    slab: Slab<T>,
    pushed: u64,
}

impl<T> Timeline<T> {
    fn new() -> Self {
        Self { heap: BinaryHeap::new(), slab: Slab::new(), pushed: 0 }
    }

    fn push(&mut self, time_us: i64, value: T) {
        let at = self.slab.insert(value);
        self.heap.push(Reverse((time_us, self.pushed, at)));
        self.pushed += 1;
    }

    fn next_us(&self) -> i64 {
        self.heap.peek().map_or(i64::MAX, |Reverse((time_us, ..))| *time_us)
    }

    fn pop(&mut self) -> Option<T> {
        let Reverse((_, _, at)) = self.heap.pop()?;
        self.slab.remove(at)
    }
}

/// A running simulation.
#[derive(Debug)]
pub struct Simulation {
    world: World,
    options: Options,
    rng: Rng,
    pending: Timeline<Action>,
    sent: Timeline<Sent>,
    lanes: Vec<Lane>,
    /// Simulated time.
    now_us: i64,
    /// When the next message is submitted, microseconds after the start.
    arrival_us: f64,
    messages: u64,
    /// Elements that were put on their way; never above `options.events`.
    elements: u64,
    offsets: Vec<u64>,
    logging: bool,
    log: Vec<LogRow>,
    truth: Vec<TruthRow>,
    reports: Vec<Planned>,
    usage: Usage,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

impl Simulation {
    /// A simulation at its start. `partitions` of 0 counts as 1.
    pub fn new(scenario: &Scenario, options: Options) -> Self {
        let options = Options { partitions: options.partitions.max(1), ..options };
        let world = World::new(scenario, options.seed, options.start_us);
        let lanes = 2 + usize::from(scenario.accounts);
        let partitions = scenario.topics().len() * options.partitions as usize;
        Self {
            now_us: world.start_us,
            world,
            options,
            rng: Rng::new(options.seed),
            pending: Timeline::new(),
            sent: Timeline::new(),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            arrival_us: 0.0,
            messages: 0,
            elements: 0,
            offsets: vec![0; partitions],
            logging: true,
            log: Vec::new(),
            truth: Vec::new(),
            reports: Vec::new(),
            usage: Usage::new(scenario.accounts),
            buffer: Vec::new(),
            scratch: Vec::new(),
        }
        .fetching()
    }

    fn fetching(mut self) -> Self {
        for account in 0..self.world.scenario.accounts {
            self.fetch_later(account);
        }
        self
    }

    fn fetch_later(&mut self, account: u8) {
        if let Some(every_s) = self.world.scenario.usage_every_s {
            let at_us = self.now_us + (every_s * 1e6) as i64;
            self.pending.push(at_us, Action::Fetch { account });
        }
    }

    /// Keeps neither log nor truth: for endless runs, and for speed. The stream is the same.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.logging = false;
        self
    }

    /// The next record in the order of the stream; `None` after the last one.
    pub fn next_record(&mut self) -> Option<Record> {
        loop {
            let next_us = self.pending.next_us().min(self.next_arrival_us());
            if self.sent.next_us() <= next_us {
                return self.sent.pop().map(|sent| self.hand_out(sent));
            }
            self.now_us = self.now_us.max(next_us);
            if self.next_arrival_us() <= self.pending.next_us() {
                self.submit();
            } else {
                self.act();
            }
        }
    }

    /// Rows of the records handed out since the last call, in stream order.
    pub fn take_log(&mut self) -> Vec<LogRow> {
        std::mem::take(&mut self.log)
    }

    /// Truth about the messages submitted since the last call; for runs too long for `finish`.
    pub fn take_truth(&mut self) -> Vec<TruthRow> {
        std::mem::take(&mut self.truth)
    }

    /// The truth that was not taken yet, and all incidents.
    pub fn finish(self) -> Truth {
        let last_submit_us = self.world.start_us + self.arrival_us as i64;
        Truth {
            incidents: incident_rows(&self.world, last_submit_us.min(self.now_us)),
            messages: self.truth,
        }
    }

    fn next_arrival_us(&self) -> i64 {
        if self.elements >= self.options.events {
            return i64::MAX;
        }
        self.world.start_us + self.arrival_us as i64
    }

    /// One message is submitted: its fate is drawn, its reports are put on their way, and the time
    /// of the next message is drawn from the volume that the day asks for.
    fn submit(&mut self) {
        let fate = plan::draw(&self.world, &mut self.rng, self.messages, self.now_us);
        self.messages += 1;
        let mut reports = std::mem::take(&mut self.reports);
        plan::reports(&self.world, &mut self.rng, &fate, &mut reports);
        for planned in &reports {
            self.enqueue_with_copies(*planned);
        }
        self.reports = reports;
        self.keep_truth(&fate);
        let message = &fate.message;
        let flow = &self.world.flows[usize::from(message.flow)];
        if (flow.source, flow.channel) == (Source::Twilio, Channel::Sms) {
            let Message { account, segments, .. } = *message;
            self.usage.add(account, self.now_us, segments, fate.cost_micros);
        }
        let (guess, weight) = GUESS;
        let per_message = (self.elements as f64 + guess * weight) / (self.messages as f64 + weight);
        let volume =
            self.world.volume_at(self.now_us) * plan::flood_factor(&self.world, self.now_us);
        let mean_us = 1e6 * per_message / (self.options.rate.max(1e-9) * volume);
        self.arrival_us += self.rng.exponential() * mean_us;
    }

    fn keep_truth(&mut self, fate: &Fate) {
        if self.logging {
            self.truth.push(truth_row(&self.world, fate));
        }
    }

    /// A report, before it perhaps a broken copy, after it perhaps an exact repetition.
    fn enqueue_with_copies(&mut self, planned: Planned) {
        let Planned { mut event, ready_us } = planned;
        let scenario = &self.world.scenario;
        let (malformed, future) = (scenario.malformed_rate, scenario.future_clock_rate);
        let flaws = event.variant.flaws();
        if !flaws.is_empty() && self.rng.chance(malformed) {
            let flaw = flaws[self.rng.below(flaws.len() as u64) as usize];
            self.enqueue(Event { flaw, ..event }, ready_us);
        }
        // A bill of no known message is dated by itself: redelivered, by whichever came first.
        let tells_time = event.variant.tells_time() && !event.variant.is_bill();
        if tells_time && self.rng.chance(future) {
            let ahead_s = self.rng.between(FUTURE_S.0, FUTURE_S.1);
            event.time_us = ready_us + (ahead_s * 1e6) as i64;
            event.future_clock = true;
        }
        let Some(row_id) = self.enqueue(event, ready_us) else { return };
        if event.variant.is_ignored() || !self.rng.chance(self.repeat_rate(event.variant)) {
            return;
        }
        let repeated = Event { duplicate_of: Some(row_id), ..event };
        let delay_us = self.repeat_delay_us();
        self.enqueue(repeated, ready_us + delay_us);
    }

    /// Probability that an element is repeated on its own. Of batched elements half repeat within
    /// another batch and half with their whole record.
    fn repeat_rate(&self, variant: Variant) -> f64 {
        let share = self.world.scenario.duplicates.rate;
        let per_original = share / (1.0 - share);
        if variant.is_batched() { per_original / 2.0 } else { per_original }
    }

    /// A repetition never overtakes its original, which may wait in a batch and be displaced.
    fn repeat_delay_us(&mut self) -> i64 {
        let [low, high] = self.world.scenario.duplicates.after_s;
        let drawn_us = (self.rng.between(low, high) * 1e6) as i64;
        let displaced_us = (self.world.scenario.reordered.within_s * 1e6) as i64;
        drawn_us.max(displaced_us + self.world.longest_wait_us() + 2 * SECOND)
    }

    /// Puts a report on its way, unless the run has all its elements; returns its row.
    fn enqueue(&mut self, event: Event, ready_us: i64) -> Option<u64> {
        if self.elements >= self.options.events {
            return None;
        }
        let row_id = self.elements;
        self.elements += 1;
        self.pending.push(ready_us, Action::Report(Event { row_id, ..event }));
        Some(row_id)
    }

    fn act(&mut self) {
        match self.pending.pop() {
            Some(Action::Report(event)) => self.report(event),
            Some(Action::Fetch { account }) => self.fetch(account),
            Some(Action::Close { lane, generation })
                if self.lanes[lane].generation == generation =>
            {
                self.close(lane);
            }
            _ => {}
        }
    }

    /// An account's usage records as of now, and again later while there is traffic.
    fn fetch(&mut self, account: u8) {
        let mut events = self.usage.fetch(account, self.now_us);
        if self.options.events.saturating_sub(self.elements) < events.len() as u64 {
            return;
        }
        for event in &mut events {
            event.row_id = self.elements;
            self.elements += 1;
        }
        self.send(&events);
        self.fetch_later(account);
    }

    /// The vendor sends a report: alone, or through a batch.
    fn report(&mut self, event: Event) {
        let Some(lane) = lane_of(&event) else {
            self.send(&[event]);
            return;
        };
        if event.flaw == Flaw::Truncated {
            return self.send_truncated(lane, event);
        }
        if self.lanes[lane].open.is_empty() {
            let batch = self.world.batch(event.variant.source());
            let size = 1 + self.rng.below(2 * u64::from(batch.mean) - 1);
            self.lanes[lane].target = size as usize;
            let generation = self.lanes[lane].generation;
            let deadline_us = self.now_us + i64::from(batch.wait_ms) * 1_000;
            self.pending.push(deadline_us, Action::Close { lane, generation });
        }
        self.lanes[lane].open.push(event);
        if self.lanes[lane].open.len() >= self.lanes[lane].target {
            self.close(lane);
        }
    }

    /// The batch as far as it has come, cut somewhere; its elements come again with the batch.
    fn send_truncated(&mut self, lane: usize, event: Event) {
        let mut events = std::mem::take(&mut self.lanes[lane].open);
        events.push(event);
        wire::encode(&mut self.buffer, &mut self.scratch, &self.world, &events);
        events.pop();
        self.lanes[lane].open = events;
        self.truncate();
        self.post(&[event]);
    }

    fn truncate(&mut self) {
        let length = self.buffer.len() as f64;
        let kept = length * self.rng.between(0.3, 0.95);
        self.buffer.truncate(kept as usize);
    }

    fn close(&mut self, lane: usize) {
        let mut events = std::mem::take(&mut self.lanes[lane].open);
        self.lanes[lane].generation += 1;
        self.send(&events);
        events.clear();
        self.lanes[lane].open = events;
    }

    fn send(&mut self, events: &[Event]) {
        wire::encode(&mut self.buffer, &mut self.scratch, &self.world, events);
        if events.iter().any(|event| event.flaw == Flaw::Truncated) {
            self.truncate();
        }
        self.post(events);
    }

    /// The bytes in the buffer become a record, and perhaps a second one later.
    fn post(&mut self, events: &[Event]) {
        let Some(first) = events.first() else { return };
        let delay_us = DELIVERY.sample_us(&mut self.rng);
        let stream_us = self.push_record(first, events, self.now_us + delay_us, 0);
        let share = self.world.scenario.duplicates.rate;
        let intact = events.iter().all(|event| event.flaw == Flaw::Intact);
        let room = self.options.events - self.elements >= events.len() as u64;
        let again = first.variant.is_batched() && intact && room;
        if again && self.rng.chance(share / (1.0 - share) / 2.0) {
            let mut repeated = events.to_vec();
            for event in &mut repeated {
                event.duplicate_of = Some(event.duplicate_of.unwrap_or(event.row_id));
                event.row_id = self.elements;
                self.elements += 1;
            }
            let later_us = self.now_us + delay_us + self.repeat_delay_us();
            self.push_record(first, &repeated, later_us, stream_us);
        }
    }

    /// Puts a record with the buffer's bytes on its way; returns its place in the stream as a time.
    fn push_record(
        &mut self,
        first: &Event,
        events: &[Event],
        at_us: i64,
        not_before_us: i64,
    ) -> i64 {
        let source = first.variant.source();
        let timestamp_ms = (at_us + 999).div_euclid(1_000);
        let reordered = self.world.scenario.reordered;
        let displaced_us = match self.rng.chance(reordered.rate) {
            true => (self.rng.between(0.0, reordered.within_s) * 1e6) as i64,
            false => 0,
        };
        let stream_us = (timestamp_ms * 1_000 + displaced_us).max(not_before_us + 1);
        let mut headers = Vec::with_capacity(4);
        headers.push(("source", source.name().to_owned()));
        headers.push(("content-type", wire::content_type(first.variant).to_owned()));
        headers.push(("received-at", text(|out| push_rfc3339(out, timestamp_ms * 1_000, 3))));
        if wire::has_account_header(first.variant) {
            headers.push(("account", self.world.account(source, first.message.account).to_owned()));
        }
        let record = Record {
            topic: self.world.topic(source),
            partition: self.rng.below(u64::from(self.options.partitions)) as u32,
            timestamp_ms,
            key: self.rng.next_u64().to_le_bytes(),
            headers,
            value: self.buffer.clone(),
        };
        let events = if self.logging { events.to_vec() } else { Vec::new() };
        self.sent.push(stream_us, Sent { record, events });
        stream_us
    }

    /// The record reaches its partition and gets its offset; its elements go to the log.
    fn hand_out(&mut self, sent: Sent) -> Record {
        let Sent { record, events } = sent;
        let row = usize::from(record.topic) * self.options.partitions as usize;
        let slot = &mut self.offsets[row + record.partition as usize];
        let place = Place {
            topic: record.topic,
            partition: record.partition,
            offset: *slot,
            element: 0,
            ingest_time_us: record.timestamp_ms * 1_000,
        };
        *slot += 1;
        for (n, event) in events.iter().enumerate() {
            self.log.push(log_row(&self.world, event, Place { element: n as u32, ..place }));
        }
        record
    }
}

/// Which batch an element goes to: one for all of Twilio's Event Streams, one for all of WhatsApp,
/// one for each Infobip account, because its payload does not name the account.
fn lane_of(event: &Event) -> Option<usize> {
    if !event.variant.is_batched() {
        return None;
    }
    match event.variant.source() {
        Source::Twilio => Some(0),
        Source::Whatsapp => Some(1),
        _ => Some(2 + usize::from(event.message.account)),
    }
}

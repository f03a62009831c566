//! The inputs of a job: where each partition stands, its line of the ledger, its watermark.

use std::sync::Arc;

use model::manifest::InputRange;
use model::mutant::Mutant;
use model::record::{Input, SignatureRule};
use model::time::SECOND_US;
use normalize::Tally;

/// Records may arrive this much out of order within a partition.
pub(crate) const DISORDER_US: i64 = 5 * SECOND_US;

/// One input and its progress in the epoch that is open.
#[derive(Debug, Clone)]
pub(crate) struct InputState {
    pub(crate) input: Input,
    /// This epoch's line so far.
    pub(crate) range: InputRange,
    /// Is read in this run: a file that was loaded, or a topic taken out of the configuration,
    /// does not hold the watermark back.
    pub(crate) live: bool,
    /// Read to the end of what was there at the start (`--until-end`).
    pub(crate) drained: bool,
    /// Clock when it last had a record: only a mutant asks.
    pub(crate) seen_us: i64,
}

/// An input that is read from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) input: Input,
    /// The ledger counts from here.
    pub(crate) offset: i64,
    /// The user went back to this offset by hand.
    pub(crate) sought_back: bool,
    /// Kafka's id of its topic, where the broker has one.
    pub(crate) topic_id: Option<String>,
}

/// All inputs of the job. The position of an input is its id in the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    pub(crate) states: Vec<InputState>,
    /// The same, as `normalize` wants them.
    pub(crate) shared: Arc<Vec<Input>>,
}

impl Inputs {
    /// From the head of the chain: all known, none live.
    pub(crate) fn from_ranges(ranges: &[InputRange]) -> Self {
        let mut inputs = Self::default();
        for range in ranges {
            inputs.states.push(InputState {
                input: Input {
                    topic: Arc::from(range.topic.as_str()),
                    partition: range.partition,
                    source: None,
                    account: None,
                    signatures: SignatureRule::default(),
                },
                range: next_range(range),
                live: false,
                drained: false,
                seen_us: 0,
            });
        }
        inputs.share();
        inputs
    }

    fn share(&mut self) {
        self.shared = Arc::new(self.states.iter().map(|state| state.input.clone()).collect());
    }

    /// Position of an input, where it is known.
    pub(crate) fn find(&self, input: &Input) -> Option<usize> {
        self.states.iter().position(|state| {
            state.input.topic == input.topic && state.input.partition == input.partition
        })
    }

    /// Makes an input live, known or new; gives its id and, where it is known, its next offset.
    pub(crate) fn open(&mut self, input: Input) -> (u32, Option<i64>) {
        let found = self.find(&input);
        let known = found.map(|at| self.states[at].range.end_offset);
        let at = found.unwrap_or(self.states.len());
        if found.is_none() {
            let range = InputRange {
                topic: input.topic.to_string(),
                partition: input.partition,
                ..InputRange::default()
            };
            self.states.push(InputState {
                input: input.clone(),
                range,
                live: true,
                drained: false,
                seen_us: 0,
            });
        }
        self.states[at].input = input;
        self.states[at].live = true;
        self.share();
        (u32::try_from(at).unwrap_or(u32::MAX), known)
    }

    /// Makes an input live from an offset on.
    pub(crate) fn start(&mut self, opening: Opening) {
        let (id, _) = self.open(opening.input);
        self.start_at(id, opening.offset);
        if let Some(state) = self.states.get_mut(id as usize) {
            state.range.topic_id = opening.topic_id.or(state.range.topic_id.take());
        }
    }

    fn start_at(&mut self, input: u32, offset: i64) {
        if let Some(state) = self.states.get_mut(input as usize) {
            state.range.start_offset = offset;
            state.range.end_offset = offset;
        }
    }

    /// Enters what `normalize` counted. A time above the clock counts as the clock: one record from
    /// the future must not hold the watermark up there.
    pub(crate) fn tally(&mut self, tally: &Tally, now_us: i64) {
        let Some(state) = self.states.get_mut(tally.input as usize) else { return };
        state.seen_us = now_us;
        let range = &mut state.range;
        let end = tally.last_offset + 1;
        range.gaps += end - range.end_offset - tally.records;
        range.end_offset = end;
        range.records += tally.records;
        range.elements += tally.elements;
        range.ignored += tally.ignored;
        range.dead += tally.dead;
        let mark = tally.newest_ingest_us.map(|newest| newest.min(now_us) - DISORDER_US);
        range.watermark_us = range.watermark_us.max(mark);
    }

    /// The broker confirmed that an input is at its end: its watermark follows the clock.
    pub(crate) fn at_end(&mut self, input: u32, next_offset: i64, checked_at_us: i64) {
        let Some(state) = self.states.get_mut(input as usize) else { return };
        if state.range.end_offset == next_offset {
            let mark = Some(checked_at_us - DISORDER_US);
            state.range.watermark_us = state.range.watermark_us.max(mark);
        }
    }

    /// The job's watermark: the minimum over the live partitions, capped by the clock. `None`
    /// while a partition has none; one that was read to its end without a record holds nothing.
    pub(crate) fn watermark_us(&self, now_us: i64) -> Option<i64> {
        let live = self.states.iter().filter(|state| state.live);
        let holding = live.filter(|state| !state.drained || state.range.watermark_us.is_some());
        let idle = |state: &&InputState| state.seen_us < now_us - 2 * SECOND_US;
        let holding = holding.filter(|state| !(Mutant::IdleByClock.lives() && idle(state)));
        let marks: Option<Vec<i64>> = holding.map(|state| state.range.watermark_us).collect();
        let marks = marks?.into_iter();
        let mark = if Mutant::MaxWatermark.lives() { marks.max() } else { marks.min() };
        mark.map(|mark| mark.min(now_us))
    }

    /// Closes the epoch: this epoch's lines, and the next epoch's begin.
    pub(crate) fn take_ranges(&mut self) -> Vec<InputRange> {
        let mut ranges = Vec::with_capacity(self.states.len());
        for state in &mut self.states {
            let next = next_range(&state.range);
            ranges.push(std::mem::replace(&mut state.range, next));
        }
        ranges
    }
}

/// The line of the epoch after this one, before anything was read.
pub(crate) fn next_range(range: &InputRange) -> InputRange {
    InputRange {
        topic: range.topic.clone(),
        partition: range.partition,
        topic_id: range.topic_id.clone(),
        start_offset: range.end_offset,
        end_offset: range.end_offset,
        watermark_us: range.watermark_us,
        ..InputRange::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(first: i64, last: i64, records: i64, newest: i64) -> Tally {
        Tally {
            input: 0,
            records,
            first_offset: first,
            last_offset: last,
            elements: records,
            events: records,
            charges: 0,
            ignored: 0,
            dead: 0,
            newest_ingest_us: Some(newest),
        }
    }

    fn input(topic: &str) -> Input {
        Input {
            topic: Arc::from(topic),
            partition: 0,
            source: None,
            account: None,
            signatures: SignatureRule::default(),
        }
    }

    #[test]
    fn offsets_without_a_record_are_gaps() {
        let mut inputs = Inputs::default();
        inputs.open(input("t"));
        inputs.start_at(0, 10);
        inputs.tally(&tally(12, 20, 5, 0), i64::MAX);
        let range = &inputs.take_ranges()[0];
        assert_eq!((range.start_offset, range.end_offset, range.gaps), (10, 21, 6));
        assert_eq!(inputs.states[0].range.start_offset, 21);
    }

    #[test]
    fn the_watermark_is_the_slowest_partitions_and_never_above_the_clock() {
        let mut inputs = Inputs::default();
        inputs.open(input("a"));
        inputs.open(input("b"));
        inputs.tally(&tally(0, 0, 1, 100 * SECOND_US), i64::MAX);
        assert_eq!(inputs.watermark_us(i64::MAX), None, "b has none yet");
        inputs.at_end(1, 0, 60 * SECOND_US);
        assert_eq!(inputs.watermark_us(i64::MAX), Some(55 * SECOND_US));
        inputs.at_end(1, 7, 600 * SECOND_US);
        assert_eq!(inputs.watermark_us(i64::MAX), Some(55 * SECOND_US), "records came between");
        inputs.at_end(1, 0, 600 * SECOND_US);
        assert_eq!(inputs.watermark_us(i64::MAX), Some(95 * SECOND_US));
        assert_eq!(inputs.watermark_us(90 * SECOND_US), Some(90 * SECOND_US));
    }

    #[test]
    fn a_record_from_the_future_does_not_carry_the_watermark_away() {
        let mut inputs = Inputs::default();
        inputs.open(input("a"));
        inputs.tally(&tally(0, 0, 1, i64::MAX), 50 * SECOND_US);
        inputs.tally(&tally(1, 1, 1, 20 * SECOND_US), 60 * SECOND_US);
        assert_eq!(inputs.watermark_us(500 * SECOND_US), Some(45 * SECOND_US));
    }

    /// A partition as the broker has it: ingest times in the order of appending.
    #[derive(Debug, Default, Clone)]
    struct Log {
        times_us: Vec<i64>,
        read: usize,
    }

    #[derive(Debug, Clone)]
    enum Step {
        Append { partition: usize, late_us: i64 },
        Read { partition: usize, records: usize },
        CheckEnd { partition: usize },
        Wait { us: i64 },
        Publish,
    }

    fn step() -> impl Strategy<Value = Step> {
        let partition = 0_usize..3;
        prop_oneof![
            4 => (partition.clone(), 0..DISORDER_US)
                .prop_map(|(partition, late_us)| Step::Append { partition, late_us }),
            4 => (partition.clone(), 1_usize..5)
                .prop_map(|(partition, records)| Step::Read { partition, records }),
            1 => partition.prop_map(|partition| Step::CheckEnd { partition }),
            2 => (0..4 * SECOND_US).prop_map(|us| Step::Wait { us }),
            3 => Just(Step::Publish),
        ]
    }

    /// The lowest ingest time that was read below a watermark published before it, if any.
    fn broken_promise(steps: &[Step]) -> Option<(i64, i64)> {
        let mut inputs = Inputs::default();
        let mut logs = vec![Log::default(); 3];
        for partition in 0..3 {
            let mut place = input("t");
            place.partition = partition;
            inputs.open(place);
        }
        let (mut now_us, mut published) = (1_000 * SECOND_US, None);
        for step in steps {
            match *step {
                Step::Append { partition, late_us } => {
                    logs[partition].times_us.push(now_us - late_us);
                }
                Step::Read { partition, records } => {
                    let log = &mut logs[partition];
                    let to = (log.read + records).min(log.times_us.len());
                    let times = &log.times_us[log.read..to];
                    let Some(newest) = times.iter().max().copied() else { continue };
                    if let Some(below) = times.iter().find(|time| Some(**time) < published) {
                        return Some((*below, published.unwrap_or(0)));
                    }
                    let first = i64::try_from(log.read).unwrap();
                    let last = i64::try_from(to).unwrap() - 1;
                    let mut read = tally(first, last, last - first + 1, newest);
                    read.input = u32::try_from(partition).unwrap();
                    inputs.tally(&read, now_us);
                    log.read = to;
                }
                Step::CheckEnd { partition } => {
                    let log = &logs[partition];
                    if log.read == log.times_us.len() {
                        let offset = i64::try_from(log.read).unwrap();
                        inputs.at_end(u32::try_from(partition).unwrap(), offset, now_us);
                    }
                }
                Step::Wait { us } => now_us += us,
                Step::Publish => published = published.max(inputs.watermark_us(now_us)),
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn the_watermarks_promise_no_record_comes_below_it(
            steps in prop::collection::vec(step(), 1..120),
        ) {
            prop_assert_eq!(broken_promise(&steps), None);
        }
    }
}

//! Is a silent partition at its end, or is it only slow? Asked from the broker, never concluded
//! from silence: a watermark that follows the clock would run past records not yet read.
//!
//! A partition counts as at its end where the consumer saw the end, and two answers of the broker,
//! at least a second apart and both after that, name the same end with no record between. (One
//! answer is enough where that end is the next offset itself; the second covers control records.)

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::source::{Context, KafkaSource};

/// What the checker asks for.
#[derive(Debug, Clone)]
pub struct TailCheck {
    /// Input.
    pub input: u32,
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Next offset that the job would read.
    pub next_offset: i64,
}

/// Asks the broker for log ends; shares the consumer's connections.
pub struct TailChecker {
    consumer: Arc<BaseConsumer<Context>>,
    /// By input: next offset, end, and when it was first answered.
    seen: HashMap<u32, (i64, i64, i64)>,
}

impl std::fmt::Debug for TailChecker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TailChecker")
    }
}

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);

impl TailChecker {
    /// A checker on the connections of a source.
    #[must_use]
    pub fn new(source: &KafkaSource) -> Self {
        Self { consumer: Arc::clone(&source.consumer), seen: HashMap::new() }
    }

    /// True where the partition is at its end now. `steady_us` is the time before the question, of
    /// a clock that is never set.
    pub fn at_end(&mut self, check: &TailCheck, steady_us: i64) -> bool {
        let answer = self.consumer.fetch_watermarks(&check.topic, check.partition, ANSWER);
        let Ok((_, high)) = answer else {
            self.seen.remove(&check.input);
            return false;
        };
        if high <= check.next_offset {
            return true;
        }
        let entry = self.seen.entry(check.input).or_insert((check.next_offset, high, steady_us));
        if (entry.0, entry.1) != (check.next_offset, high) {
            *entry = (check.next_offset, high, steady_us);
        }
        steady_us - entry.2 >= model::time::SECOND_US
    }
}

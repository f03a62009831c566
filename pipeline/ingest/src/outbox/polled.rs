//! A producer and the thread that hears its deliveries.
//!
//! rdkafka has a producer with a thread of its own, which waits for 100 ms at a time and spins
//! through the last millisecond of each: 1 % of a core for nothing (benches/README.md). This one
//! waits longer.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, ProducerContext};

/// How long it waits at a time, and how long its end may take, beside what the client takes.
const WAIT: Duration = Duration::from_millis(500);

/// Ends its thread when it is dropped.
pub(super) struct Polled<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<C: ProducerContext + 'static> Polled<C> {
    /// Starts the thread.
    pub(super) fn new(producer: BaseProducer<C>) -> std::io::Result<Self> {
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, ends) = (Arc::clone(&producer), Arc::clone(&stop));
        let poll = move || {
            while !ends.load(Ordering::Relaxed) {
                polled.poll(WAIT);
            }
        };
        let thread = std::thread::Builder::new().name("deliveries".to_owned()).spawn(poll)?;
        Ok(Self { producer, stop, thread: Some(thread) })
    }
}

impl<C: ProducerContext + 'static> Deref for Polled<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for Polled<C> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that ended by a panic has told it.
            thread.join().ok();
        }
    }
}

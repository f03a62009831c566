//! `sendtally gateway`: vendors' webhooks over HTTP into Kafka.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use model::clock::{Clock, SystemClock};

use super::run::stop_on_signals;
use crate::cli::GatewayArgs;
use crate::clock::GuardedClock;
use crate::config;
use crate::failure::Outcome;
use crate::gateway;

pub(crate) fn run(args: &GatewayArgs) -> Outcome<()> {
    let settings = config::gateway::read(&args.config)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signals(&stop)?;
    let clock: Arc<dyn Clock> = Arc::new(GuardedClock::new(Arc::new(SystemClock)));
    gateway::run(settings, &clock, &stop, None)
}

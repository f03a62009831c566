//! Runs DataFusion's futures for callers that are no async code.

use std::future::Future;

use datafusion::error::DataFusionError;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::WindowError;

/// A runtime of its own, so that queries never wait behind another stage's tasks.
#[derive(Debug)]
pub(crate) struct Executor {
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
}

impl Executor {
    /// One thread, the caller's: for small queries that run often.
    pub(crate) fn inline() -> Result<Self, WindowError> {
        Self::build(&mut Builder::new_current_thread())
    }

    /// A thread a core: for queries over files.
    pub(crate) fn threaded() -> Result<Self, WindowError> {
        Self::build(Builder::new_multi_thread().thread_name("sendtally-sql"))
    }

    fn build(builder: &mut Builder) -> Result<Self, WindowError> {
        let start = |error| WindowError::Start(Box::new(DataFusionError::IoError(error)));
        Ok(Self { runtime: Some(builder.build().map_err(start)?) })
    }

    /// Waits for a future. Tokio panics where a runtime's thread waits for another runtime, so a
    /// caller inside async code gets a thread in between.
    pub(crate) fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let Some(runtime) = &self.runtime else { unreachable!("only drop takes the runtime") };
        if Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime.block_on(future));
            waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Executor {
    /// Does not wait for threads: dropping a runtime inside async code would panic.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

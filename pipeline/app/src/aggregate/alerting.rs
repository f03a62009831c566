//! Objectives over the panes: which rules there are, what they see, what they say.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{StringBuilder, TimestampMicrosecondBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use model::schema;
use window::PaneStore;

use crate::failure::Outcome;

#[derive(Debug)]
pub(crate) struct Alerting {}

#[derive(Debug)]
pub(crate) struct Transition {}

impl Alerting {
    pub(crate) fn open(_files: &[PathBuf]) -> Outcome<Self> {
        Ok(Self {})
    }
    pub(crate) fn restore(&mut self, _book: &str) -> Outcome<()> {
        Ok(())
    }
    pub(crate) fn save(&self) -> String {
        String::new()
    }
    pub(crate) fn evaluate(
        &mut self,
        _s: &PaneStore,
        _m: i64,
        _c: i64,
        _e: u64,
    ) -> Outcome<Vec<Transition>> {
        Ok(vec![])
    }
    pub(crate) fn rows(&self, t: &[Transition], _seq: &mut u64) -> Outcome<RecordBatch> {
        let _ = (t, StringBuilder::new(), TimestampMicrosecondBuilder::new(), UInt64Builder::new());
        let _x: Option<ArrayRef> = None;
        let _y: Option<Arc<str>> = None;
        Ok(RecordBatch::new_empty(schema::ALERTS.arrow()))
    }
}

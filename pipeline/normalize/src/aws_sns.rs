//! aws_sns: not read yet.

use model::vocabulary::DeadReason;

use crate::draft::Dead;
use crate::emit::Emitter;
use crate::explain::Explanation;
use crate::normalizer::{Record, Scratch};

/// Reads one record.
pub(crate) fn read(
    _record: &Record<'_>,
    _scratch: &mut Scratch,
    _out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    Err(Dead::new(DeadReason::UnknownSource, "no adapter reads this source yet"))
}

/// Where the columns of a payload come from; `None` where no variant is recognised.
pub(crate) fn explain(_text: &str) -> Option<Explanation> {
    None
}

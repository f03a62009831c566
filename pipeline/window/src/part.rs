//! Parts of the tables that are compared one after another, so that memory does not grow with them.
//!
//! ```text
//! keys      00… ─────┬───── 55… ─────┬───── aa… ───── ff…    keyed hashes: evenly spread
//! part 0 of 3        │ part 1 of 3   │ part 2 of 3
//! windows, epochs    number % 3 = part
//! ```
//! Every row is in exactly one part of each kind, and rows that are joined are in the same.

use arrow_schema::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::col;
use model::schema::SLO_WINDOWS;
use model::schema::{CHARGE_LINES, CHARGES, COST_WINDOWS, DEAD_LETTERS, EVENTS, LEDGER, MESSAGES};
use model::time::MINUTE_US;

/// What rows are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Key of the message; of what is no message's the charge. Events, messages, charges, lines.
    Keys,
    /// Minute in which the window starts. Windows, and those that were recomputed.
    Windows,
    /// Epoch. What the ledger counts, and the ledger.
    Epochs,
}

/// Recomputed windows, as `verify` names them.
const AGAIN_WINDOWS: [&str; 2] = ["again_slo", "again_costs"];

/// One part of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What rows are divided by.
    pub by: By,
    /// Number of the part, from 0.
    pub number: u16,
    /// How many there are, at least 1.
    pub of: u16,
}

impl Part {
    /// All parts.
    pub fn all(by: By, of: u16) -> impl Iterator<Item = Self> {
        (0..of).map(move |number| Self { by, number, of })
    }

    /// Which rows of a table are in it; all of a table that is not divided so.
    pub(crate) fn filter(&self, table: &str, schema: &Schema) -> Option<Expr> {
        let is = |known: &[&str]| self.of > 1 && known.contains(&table);
        match self.by {
            By::Keys if is(&[&EVENTS.name, &MESSAGES.name]) => Some(self.of_key("message_key")),
            By::Keys if is(&[&CHARGES.name, &CHARGE_LINES.name]) => {
                let other = col("message_key").is_null().and(self.of_key("charge_id"));
                Some(self.of_key("message_key").or(other))
            }
            By::Windows if is(&[&SLO_WINDOWS.name, &COST_WINDOWS.name]) || is(&AGAIN_WINDOWS) => {
                let name = ["window_us", "window_start"];
                let name = name.into_iter().find(|name| schema.field_with_name(name).is_ok())?;
                Some(self.of_number(cast(col(name), DataType::Int64) / lit(MINUTE_US)))
            }
            By::Epochs
                if is(&[&EVENTS.name, &CHARGE_LINES.name, &DEAD_LETTERS.name, &LEDGER.name]) =>
            {
                Some(self.of_number(cast(col("epoch"), DataType::Int64)))
            }
            _ => None,
        }
    }

    fn of_number(&self, number: Expr) -> Expr {
        (number % lit(i64::from(self.of))).eq(lit(i64::from(self.number)))
    }

    fn of_key(&self, name: &str) -> Expr {
        let from = col(name).gt_eq(lit(self.bound(self.number)));
        if self.number + 1 == self.of {
            return from;
        }
        from.and(col(name).lt(lit(self.bound(self.number + 1))))
    }

    /// The first key of a part.
    fn bound(&self, number: u16) -> ScalarValue {
        let share = (u32::from(number) << 16) / u32::from(self.of);
        let mut key = vec![0; 16];
        key[..2].copy_from_slice(&share.to_be_bytes()[2..]);
        ScalarValue::FixedSizeBinary(16, Some(key))
    }
}

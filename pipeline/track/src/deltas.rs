//! What a message adds to the panes, and the signed sums of one epoch.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Decimal128Builder, Int64Builder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use hashbrown::HashMap;
use model::pane::{COST_PANE_SCHEMA, SLO_PANE_SCHEMA};
use model::sketch::{self, Sketch};
use model::vocabulary::{ChargeKind, Status};
use model::window::{PANE_US, floor};

use crate::charges::Charge;
use crate::facet::{Interner, Series, TextId};
use crate::fold::{Latency, Outcome};

/// What one epoch of one tracker gives.
#[derive(Debug)]
pub struct EpochOutput {
    /// Signed SLO panes, [`SLO_PANE_SCHEMA`].
    pub slo_panes: RecordBatch,
    /// Signed cost panes, [`COST_PANE_SCHEMA`].
    pub cost_panes: RecordBatch,
    /// Changed messages, the `messages` table.
    pub messages: RecordBatch,
    /// Changed charges, the `charges` table.
    pub charges: Vec<RecordBatch>,
}

/// Position of each count in [`model::pane::SLO_COUNTS`].
mod count {
    pub(super) const TOTAL: usize = 0;
    pub(super) const DELIVERED: usize = 1;
    pub(super) const READ: usize = 2;
    pub(super) const FAILED: usize = 3;
    pub(super) const EXPIRED: usize = 4;
    pub(super) const CANCELED: usize = 5;
    pub(super) const UNKNOWN: usize = 6;
    pub(super) const PENDING: usize = 7;
    pub(super) const PROVABLE: usize = 8;
    pub(super) const LATENCY_BROKER: usize = 9;
    pub(super) const LATENCY_NEGATIVE: usize = 10;
}

/// One charge of a message in its pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CostContribution {
    pane: CostKey,
    amount_nanos: i128,
    quantity: u32,
    delivered: bool,
}

type SloKey = (i64, Series);
type CostKey = (i64, Series, TextId, ChargeKind);

/// What one message is counted as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contribution {
    pane: SloKey,
    slot: usize,
    read: bool,
    provable: bool,
    latency: Latency,
    /// It was heard of: else only its charges are known.
    is_told: bool,
    base: Option<CostContribution>,
    fees: Vec<CostContribution>,
}

/// Where a status is counted (DESIGN.md, "Time": `total` = …).
const fn slot(status: Status, is_final: bool) -> usize {
    match (status, is_final) {
        (_, false) => count::PENDING,
        (Status::Delivered | Status::Read, true) => count::DELIVERED,
        (Status::Undelivered | Status::Failed | Status::Rejected, true) => count::FAILED,
        (Status::Expired, true) => count::EXPIRED,
        (Status::Canceled, true) => count::CANCELED,
        (Status::Unknown | Status::Accepted | Status::Queued | Status::Sent, true) => {
            count::UNKNOWN
        }
    }
}

impl Contribution {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let pane_us = floor(outcome.cohort_us, PANE_US);
        // Units without a price cost what nobody knows: they are in `charges` and in no window. Nor
        // is what is free where the others have no price (WhatsApp): a window of zeros would say
        // that all of it was.
        let zeros = outcome.charges.zeros;
        let is_money =
            |charge: &Charge, amount: &i128| zeros || *amount != 0 || charge.currency.0 != 0;
        let cost = |charge: &Charge| {
            let amount_nanos = charge.amount_nanos().filter(|amount| is_money(charge, amount))?;
            Some(CostContribution {
                pane: (pane_us, outcome.series, charge.currency, charge.kind),
                amount_nanos,
                quantity: charge.quantity,
                delivered: outcome.is_final && outcome.status.is_delivered(),
            })
        };
        Self {
            pane: (pane_us, outcome.series),
            slot: slot(outcome.status, outcome.is_final),
            read: outcome.is_final && outcome.status == Status::Read,
            provable: outcome.provable,
            latency: outcome.latency,
            is_told: outcome.events > 0,
            base: outcome.charges.base.as_ref().and_then(cost),
            fees: outcome.charges.fees.iter().filter_map(cost).collect(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct SloSum {
    counts: [i64; 11],
    latency: Sketch,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct CostSum {
    amount_nanos: i128,
    quantity: i64,
    messages: i64,
    delivered: i64,
}

/// Signed sums of an epoch.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    slo: HashMap<SloKey, SloSum>,
    cost: HashMap<CostKey, CostSum>,
}

impl Changes {
    /// Takes the old contribution out and puts the new one in.
    pub(crate) fn replace(&mut self, was: Option<&Contribution>, is: &Contribution) {
        if was == Some(is) {
            return;
        }
        if let Some(was) = was {
            self.add(was, -1);
        }
        self.add(is, 1);
    }

    fn add(&mut self, part: &Contribution, sign: i64) {
        if part.is_told {
            self.add_slo(part, sign);
        }
        for cost in part.base.iter().chain(&part.fees) {
            let sum = self.cost.entry(cost.pane).or_default();
            sum.amount_nanos += i128::from(sign) * cost.amount_nanos;
            sum.quantity += sign * i64::from(cost.quantity);
            sum.messages += sign;
            sum.delivered += sign * i64::from(cost.delivered);
        }
    }

    fn add_slo(&mut self, part: &Contribution, sign: i64) {
        let sum = self.slo.entry(part.pane).or_default();
        sum.counts[count::TOTAL] += sign;
        sum.counts[part.slot] += sign;
        sum.counts[count::READ] += sign * i64::from(part.read);
        sum.counts[count::PROVABLE] += sign * i64::from(part.provable);
        match part.latency {
            Latency::None => {}
            Latency::Vendor(latency_ms) | Latency::Broker(latency_ms) if latency_ms < 0 => {
                sum.counts[count::LATENCY_NEGATIVE] += sign;
            }
            Latency::Vendor(latency_ms) => sum.latency.add(sketch::bucket(latency_ms), sign),
            Latency::Broker(_) => sum.counts[count::LATENCY_BROKER] += sign,
        }
    }

    /// The SLO sums as rows; forgets them.
    pub(crate) fn take_slo(&mut self, words: &Interner) -> Result<RecordBatch, ArrowError> {
        let mut series = SeriesColumns::default();
        let mut counts: [Int64Builder; 11] = std::array::from_fn(|_| Int64Builder::new());
        let mut latency = BinaryBuilder::new();
        for ((pane_us, dims), sum) in std::mem::take(&mut self.slo) {
            if sum == SloSum::default() {
                continue;
            }
            series.push(pane_us, &dims, words);
            for (builder, value) in counts.iter_mut().zip(sum.counts) {
                builder.append_value(value);
            }
            latency.append_value(sum.latency.to_bytes());
        }
        let mut columns = series.finish();
        columns.extend(counts.map(|mut builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(latency.finish()));
        RecordBatch::try_new(Arc::clone(&SLO_PANE_SCHEMA), columns)
    }

    /// The cost sums as rows; forgets them.
    pub(crate) fn take_cost(&mut self, words: &Interner) -> Result<RecordBatch, ArrowError> {
        let mut series = SeriesColumns::default();
        let mut currency = StringDictionaryBuilder::<Int32Type>::new();
        let mut kind = StringDictionaryBuilder::<Int32Type>::new();
        let mut amount = Decimal128Builder::new();
        let mut quantity = Decimal128Builder::new();
        let mut messages = Int64Builder::new();
        let mut delivered = Int64Builder::new();
        for ((pane_us, dims, coin, what), sum) in std::mem::take(&mut self.cost) {
            if sum == CostSum::default() {
                continue;
            }
            series.push(pane_us, &dims, words);
            currency.append_option(words.resolve(coin));
            kind.append_value(what.as_str());
            amount.append_value(sum.amount_nanos);
            quantity.append_value(i128::from(sum.quantity) * model::money::ONE);
            messages.append_value(sum.messages);
            delivered.append_value(sum.delivered);
        }
        let mut columns = series.finish();
        columns.push(Arc::new(currency.finish()));
        columns.push(Arc::new(kind.finish()));
        columns.push(Arc::new(amount.finish().with_precision_and_scale(38, 9)?));
        columns.push(Arc::new(quantity.finish().with_precision_and_scale(38, 9)?));
        columns.push(Arc::new(messages.finish()));
        columns.push(Arc::new(delivered.finish()));
        RecordBatch::try_new(Arc::clone(&COST_PANE_SCHEMA), columns)
    }
}

/// `pane_start` and the five dimensions.
#[derive(Default)]
struct SeriesColumns {
    pane_start: TimestampMicrosecondBuilder,
    dims: [StringDictionaryBuilder<Int32Type>; 5],
}

impl SeriesColumns {
    fn push(&mut self, pane_us: i64, series: &Series, words: &Interner) {
        self.pane_start.append_value(pane_us);
        let values = [
            Some(series.source.as_str()),
            Some(series.channel.as_str()),
            words.resolve(series.carrier),
            words.resolve(series.country),
            Some(series.traffic_class.as_str()),
        ];
        for (builder, value) in self.dims.iter_mut().zip(values) {
            builder.append_option(value);
        }
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(self.pane_start.finish().with_timezone("UTC"))];
        columns.extend(self.dims.iter_mut().map(|dim| Arc::new(dim.finish()) as ArrayRef));
        columns
    }
}

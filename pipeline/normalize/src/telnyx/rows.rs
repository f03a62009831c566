//! Telnyx detail records: one flat row a message, in words of its own.

use model::money::{self, Nanos};
use model::time::parse_rfc3339;
use model::vocabulary::{ChargeKind, DeadReason, PriceUnit};

use crate::charge::ChargeDraft;
use crate::draft::Draft;
use crate::emit::Emitter;
use crate::json::Scalar;

use super::{Message, changed_at, channel, errors, outcome};

/// Fields that only a detail record has.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    status: Scalar<'a>,
    delivery_status: Scalar<'a>,
    called: Scalar<'a>,
    caller: Scalar<'a>,
    rate: Scalar<'a>,
    carrier_fee: Scalar<'a>,
    carrier: Scalar<'a>,
    mcc: Scalar<'a>,
    mnc: Scalar<'a>,
    country: Scalar<'a>,
}

impl<'a> Row<'a> {
    pub(super) fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        Some(match key {
            "status" => &mut self.status,
            "delivery_status" => &mut self.delivery_status,
            "cld" => &mut self.called,
            "cli" => &mut self.caller,
            "rate" => &mut self.rate,
            "carrier_fee" => &mut self.carrier_fee,
            "carrier" => &mut self.carrier,
            "mcc" => &mut self.mcc,
            "mnc" => &mut self.mnc,
            "country_code" => &mut self.country,
            _ => return None,
        })
    }

    /// Whether it is a row at all.
    pub(super) const fn is_told(&self) -> bool {
        self.status.is_present() || self.called.is_present()
    }

    /// Whether it is about one message.
    pub(super) const fn has_recipient(&self) -> bool {
        self.called.is_present()
    }

    pub(super) fn is_inbound(&self) -> bool {
        self.status.text().is_some_and(|word| word.eq_ignore_ascii_case("received"))
    }
}

/// Emits a detail record.
pub(super) fn emit(message: &Message<'_>, path: std::fmt::Arguments<'_>, out: &mut Emitter<'_>) {
    let row = &message.row;
    let Some(id) = message.id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{path}/uuid"));
    };
    let Some(word) = row.status.text().or_else(|| row.delivery_status.text()) else {
        return out.dead_at(DeadReason::MissingStatus, format!("{path}/status"));
    };
    out.counters.unreadable_fields += message.unreadable;
    let code = errors::code(&message.error, out);
    let created = out.time(&message.created_at, parse_rfc3339);
    let outcome = outcome(word, out);
    let time = changed_at(message, outcome, out).or(created.filter(|_| !outcome.1));
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let segments = out.segments(&message.parts);
    let price = price(message, segments, out);
    let amount = price.map_or(-1, |price| price.0).to_be_bytes();
    let event_parts: [&[u8]; 6] = [
        b"row",
        id.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        &time_bytes,
        &amount,
    ];
    let mut draft = Draft::new(id, channel(message, out), outcome);
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(word);
    draft.error_code = code;
    draft.error_class = code.and_then(|code| errors::class(code, &message.error));
    draft.event_time_us = time;
    draft.submit_time_us = created;
    draft.recipient = out.text(&row.called);
    draft.sender = out.text(&row.caller);
    draft.country = out.text(&row.country);
    draft.mcc = out.network_code(&row.mcc);
    draft.mnc = out.network_code(&row.mnc);
    draft.carrier = out.text(&row.carrier);
    draft.segments = segments;
    draft.price = price;
    draft.price_unit = PriceUnit::Message;
    draft.currency = out.text(&message.currency).filter(|_| price.is_some());
    out.event(&draft);
    if let Some(fee) = out.price(&row.carrier_fee).filter(|_| price.is_some()) {
        let fee = ChargeDraft::beside(&draft, ChargeKind::CarrierFee, Some(fee.0));
        out.charge_too(&fee);
    }
}

/// The cost with the carrier's fee: where it is just rate × parts, the fee comes on top.
fn price(message: &Message<'_>, parts: Option<u16>, out: &mut Emitter<'_>) -> Option<Nanos> {
    let cost = out.price(&message.cost)?;
    let (rate, fee) = (out.price(&message.row.rate), out.price(&message.row.carrier_fee));
    let (Some(rate), Some(fee)) = (rate, fee) else { return Some(cost) };
    let is_bare = cost.0 == rate.0 * i128::from(parts.unwrap_or(1));
    let whole = cost.0 + fee.0;
    Some(if is_bare && whole <= money::MAX { Nanos(whole) } else { cost })
}

//! Vonage Reports API: rows about single messages, as JSON `records` or as CSV with its header.
//!
//! Rows carry the final price, so they are delivery events of the messages that the callbacks
//! told of. A row is read again when its price or status changes, so both are part of its event
//! id. A report whose rows are fetched later (`request_status`) is ignored; inbound rows too.
//! A downloaded report is a ZIP, often saved as `.csv`, and read as it is (`unpack`). A table is
//! one record with its header (`--whole`): a row alone does not tell its columns. What breaks the
//! table's form (an open quote) costs the record; a row with fewer or more fields only itself.
//!
//! Traps: offsets come with and without a colon; `network` is a code, `network_name` the carrier; a
//! row without `total_price` tells what it will perhaps cost: its charge is `estimated`.

use model::time::parse_rfc3339;
use model::vocabulary::{Basis, Channel, ChargeKind, DeadReason, PriceUnit};

use crate::charge::ChargeDraft;
use crate::csv;
use crate::draft::{Dead, Draft, Place};
use crate::emit::Emitter;
use crate::json::Scalar;
use crate::words;

use super::{Item, errors, outcome, set_network};

/// Fields that only a report's row has.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    country: Scalar<'a>,
    network_name: Scalar<'a>,
    provider: Scalar<'a>,
    received: Scalar<'a>,
    finalized: Scalar<'a>,
    estimated_price: Scalar<'a>,
}

impl<'a> Extra<'a> {
    pub(super) fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        Some(match key {
            "country" => &mut self.country,
            "network_name" => &mut self.network_name,
            "provider" => &mut self.provider,
            "date_received" => &mut self.received,
            "date_finalized" => &mut self.finalized,
            "estimated_price" => &mut self.estimated_price,
            _ => return None,
        })
    }

    /// Whether a row without an id is a row.
    pub(super) const fn is_told(&self) -> bool {
        self.received.is_present() || self.finalized.is_present()
    }
}

/// Reads a table whose first row names the columns.
pub(super) fn read_csv(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let rows = csv::each_row(text, csv::COMMA, |at, row| {
        let place = Place { parent: "", at: Some(at) };
        let Some(mut row) = row else {
            return out.dead_at(DeadReason::UnknownVariant, place.to_string());
        };
        let mut item = Item::default();
        for (name, value) in row.fields() {
            if let Some(slot) = item.slot(name) {
                *slot = value;
            } else if at == 0 {
                out.drift.other("", name);
            }
        }
        super::emit(&item, place, out);
    })?;
    if rows == 0 {
        out.ignored("empty");
    }
    Ok(())
}

/// Emits a row.
pub(super) fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let Some(id) = item.row_id.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/message_id"));
    };
    let Some(word) = item.status.text() else {
        return out.dead_at(DeadReason::MissingStatus, format!("{place}/status"));
    };
    let extra = &item.row_extra;
    let channel = match out.text(&extra.provider).or_else(|| item.channel.text()) {
        Some(provider) => words::channel(provider),
        None => Channel::Sms,
    };
    let code = out.text(&item.error_code).filter(|code| !words::is_no_error(code));
    let received = out.time(&extra.received, parse_rfc3339);
    let outcome = outcome(word, out);
    // When it was received is no time of its end.
    let time = out.time(&extra.finalized, parse_rfc3339).or(received.filter(|_| !outcome.1));
    let time_bytes = time.unwrap_or(i64::MIN).to_be_bytes();
    let is_estimate = item.price.text().is_none() && !item.price.is_unreadable();
    let price = out.price(if is_estimate { &extra.estimated_price } else { &item.price });
    let price_bytes = price.map_or(-1, |price| price.0).to_be_bytes();
    let currency = out.text(&item.currency).filter(|_| price.is_some());
    let spelled = currency.unwrap_or("").to_ascii_uppercase();
    let event_parts: [&[u8]; 7] = [
        // An estimate that turns out exact is news all the same.
        if is_estimate { b"row-estimate" } else { b"row" },
        id.as_bytes(),
        word.as_bytes(),
        code.unwrap_or("").as_bytes(),
        &time_bytes,
        &price_bytes,
        // A table without the column tells less.
        spelled.as_bytes(),
    ];
    let mut draft = Draft::new(id, channel, outcome);
    draft.event_parts = &event_parts;
    draft.vendor_status = Some(word);
    draft.error_code = code;
    let class = match channel {
        Channel::Sms => code.and_then(errors::class_of_receipt),
        _ => None,
    };
    draft.error_class = class.or_else(|| code.and_then(errors::class_of_status));
    draft.event_time_us = time;
    draft.submit_time_us = received;
    draft.account = out.text(&item.account);
    draft.logical_id = out.text(&item.client_ref);
    draft.recipient = out.text(&item.to.number);
    draft.sender = out.text(&item.from.number);
    draft.country = out.text(&extra.country);
    draft.carrier = out.text(&extra.network_name);
    // A name may stand there instead.
    if item.network.text().is_none_or(|code| code.bytes().all(|byte| byte.is_ascii_digit())) {
        set_network(&mut draft, &item.network, out);
    }
    draft.price = price;
    draft.price_unit = PriceUnit::Message;
    draft.currency = currency;
    out.event(&draft);
    // A callback of the same second may tell another price, and an estimate the same: of one moment
    // a line counts.
    if let Some(told) = draft.price {
        let mut charge = ChargeDraft::beside(&draft, ChargeKind::Message, Some(told.0));
        charge.basis = if is_estimate { Basis::Estimated } else { Basis::Vendor };
        charge.is_of_event = true;
        out.charge_too(&charge);
    }
}

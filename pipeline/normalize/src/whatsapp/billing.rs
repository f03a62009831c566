//! `billing-event` changes, which BSPs add to Meta's webhooks: what is charged of the message or
//! conversation that they refer to. They have no time and no amount, see `meta_pricing`.

use model::vocabulary::{Channel, DeadReason, Source};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::meta_pricing::Pricing;

use super::{Leaf, Webhook, path};

/// A BSP's word on what a message costs.
#[derive(Debug, Default)]
pub(super) struct Billing<'a> {
    deductions: Pricing<'a>,
    id: Scalar<'a>,
    gs_id: Scalar<'a>,
    conversation: Scalar<'a>,
    destination: Scalar<'a>,
}

impl<'a> Billing<'a> {
    pub(super) fn field(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), Syntax> {
        match key {
            "deductions" => self.deductions.read(cursor),
            "references" => cursor
                .object_or_skip(|cursor, key| {
                    let slot = match key {
                        "id" => &mut self.id,
                        "gs_id" | "gsId" => &mut self.gs_id,
                        "conversationId" | "conversation_id" => &mut self.conversation,
                        "destination" => &mut self.destination,
                        _ => return cursor.other(),
                    };
                    *slot = cursor.scalar()?;
                    Ok(())
                })
                .map(drop),
            _ => cursor.other(),
        }
    }
}

/// The charge of the message that a billing event refers to.
pub(super) fn emit(
    hook: &Webhook<'_>,
    leaf: &Leaf<'_>,
    billing: &Billing<'_>,
    out: &mut Emitter<'_>,
) {
    let own_id = billing.gs_id.text().filter(|_| out.origin.source == Source::Gupshup);
    let Some(id) = own_id.or(billing.id.text()).or(billing.gs_id.text()) else {
        return out.dead_at(DeadReason::MissingId, path(hook, leaf) + "/billing/references/id");
    };
    let pricing = &billing.deductions;
    let sku = pricing.sku();
    let message = Subject::Message { id, key_part: "" };
    let subject = pricing.subject(billing.conversation.text(), message);
    let mut charge =
        ChargeDraft::new(subject, pricing.charge_kind(), Figures::one(pricing.amount()));
    let app = hook.gs_app.text().filter(|_| out.origin.source == Source::Gupshup);
    charge.account = app.or_else(|| hook.entry_ids.get(leaf.entry).and_then(Scalar::text));
    charge.sku = sku.text().filter(|sku| !sku.is_empty());
    charge.channel = Channel::Whatsapp;
    charge.traffic_class = pricing.traffic_class();
    charge.recipient = out.text(&billing.destination);
    out.charge(&charge);
}

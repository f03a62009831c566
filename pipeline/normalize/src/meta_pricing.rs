//! Meta's pricing of a WhatsApp message, whichever vendor relays it: a category and no amount.
//! <https://developers.facebook.com/docs/whatsapp/pricing>
//!
//! What is charged is known, what it costs is not (rate cards and `pricing_analytics` tell), so a
//! charge has units and no amount, and of a free one the amount is zero. `CBP` bills conversations,
//! `PMP` messages. A message that was sent is charged once it is delivered: until then its charge
//! is `estimated`, and where it fails an estimate of nothing, for it may arrive in spite of that.
//!
//! Traps: the object comes with `sent` and once more with `delivered` or `read`, and is one charge;
//! `billable` is deprecated in favour of `type`, which decides where it says `regular` or free
//! (whatever `billable` says beside it); Gupshup calls the model `policy`; by conversation there is
//! no `type`, or a BSP's of its own;
//! `authentication-international` has a hyphen here and an underscore in the origin of a
//! conversation; a service is not free by its name; a new category keeps its name (`sku`).

use model::vocabulary::{Basis, ChargeKind, Status, TrafficClass};

use crate::charge::{ChargeDraft, Subject};
use crate::draft::Draft;
use crate::emit::Emitter;
use crate::json::{Cursor, Scalar, Syntax};
use crate::words;

/// Longest `category/type` that is kept.
const SKU_BYTES_MAX: usize = 64;

/// `pricing`, or a BSP's `deductions`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pricing<'a> {
    pub(crate) category: Scalar<'a>,
    billable: Scalar<'a>,
    model: Scalar<'a>,
    kind: Scalar<'a>,
}

/// Nothing is charged of it.
pub(crate) const fn is_failure(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Rejected | Status::Undelivered)
}

/// `category/type`, on the stack: a charge a message must not allocate.
pub(crate) struct Sku([u8; SKU_BYTES_MAX], usize);

impl Sku {
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.get(..self.1).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

impl<'a> Pricing<'a> {
    /// Reads the object, or passes over what is none.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Syntax> {
        let read = |cursor: &mut Cursor<'a>, key: &str| {
            let slot = match key {
                "category" => &mut self.category,
                "billable" => &mut self.billable,
                "pricing_model" | "model" | "policy" => &mut self.model,
                "type" => &mut self.kind,
                _ => return cursor.other(),
            };
            *slot = cursor.scalar()?;
            Ok(())
        };
        cursor.object_or_skip(read).map(drop)
    }

    /// Whether the vendor says what is charged.
    pub(crate) const fn is_told(&self) -> bool {
        self.category.is_present() || self.kind.is_present() || self.model.is_present()
    }

    pub(crate) fn charge_kind(&self) -> ChargeKind {
        match self.model.text() {
            Some("CBP") => ChargeKind::Conversation,
            _ => ChargeKind::Message,
        }
    }

    /// What is charged: the conversation, where conversations are and its id is told.
    pub(crate) fn subject<'s>(
        &self,
        conversation: Option<&'s str>,
        own: Subject<'s>,
    ) -> Subject<'s> {
        let conversation = conversation.filter(|_| self.charge_kind() == ChargeKind::Conversation);
        // Not every message and bill of it tells the account.
        conversation.map_or(own, |id| Subject::Unique("conversation", id))
    }

    /// Zero where it is free, else unknown. `billable` is a truth value, or its word as text.
    pub(crate) fn amount(&self) -> Option<i128> {
        let is_free = match (self.kind.text(), &self.billable) {
            (Some("regular"), _) => false,
            (Some(kind), _) if kind.starts_with("free") => true,
            (_, Scalar::Bool(billable)) => !billable,
            (_, word) => word.text() == Some("false"),
        };
        is_free.then_some(0)
    }

    /// What it is called: by conversation a BSP tells the category as type.
    pub(crate) fn traffic_class(&self) -> TrafficClass {
        let told = self.category.text().or(self.kind.text());
        words::meta_category(told.unwrap_or(""))
    }

    pub(crate) fn sku(&self) -> Sku {
        let mut sku = Sku([0; SKU_BYTES_MAX], 0);
        for part in [self.category.text(), self.kind.text()].into_iter().flatten() {
            let separator = if sku.1 > 0 { "/" } else { "" };
            let end = sku.1 + separator.len() + part.len();
            let Some(room) = sku.0.get_mut(sku.1..end) else { break };
            let (before, rest) = room.split_at_mut(separator.len());
            before.copy_from_slice(separator.as_bytes());
            rest.copy_from_slice(part.as_bytes());
            sku.1 = end;
        }
        sku
    }

    /// The charge that an event tells beside itself. `conversation` is the conversation's id, which
    /// is charged once however many of its messages say so.
    pub(crate) fn charge_beside(
        &self,
        draft: &Draft<'_>,
        conversation: Option<&str>,
        out: &mut Emitter<'_>,
    ) {
        let is_failed = is_failure(draft.status);
        if !self.is_told() && !is_failed {
            return;
        }
        let (kind, sku) = (self.charge_kind(), self.sku());
        let amount = if is_failed { Some(0) } else { self.amount() };
        let mut charge = ChargeDraft::beside(draft, kind, amount);
        // One that failed costs nothing, whatever its conversation costs.
        charge.subject = self.subject(conversation.filter(|_| !is_failed), charge.subject);
        charge.sku = sku.text().filter(|sku| !sku.is_empty());
        // One that failed on a device may yet arrive on another, so its zero is an estimate.
        let is_earned = !is_failed && (draft.status.is_delivered() || amount == Some(0));
        charge.basis = if is_earned { Basis::Vendor } else { Basis::Estimated };
        charge.currency = None;
        out.charge_too(&charge);
    }
}

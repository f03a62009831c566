//! Postbacks of transactional email: `{dispatch_id, status, metadata}`, one dispatch a message.
//! <https://www.braze.com/docs/user_guide/channels/transactional_email/tracking>
//!
//! | `status` | canonical |
//! |---|---|
//! | sent, processed | sent |
//! | delivered | delivered, final: the inbox provider took it |
//! | bounced | undelivered, final |
//! | aborted | canceled, final |
//!
//! `metadata.reason` is text of somebody's mail server and may name the address, which the postback
//! does not tell otherwise: it is not read.

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, Status, TrafficClass};

use super::Event;
use crate::answer::members_of;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::Cursor;

pub(super) fn emit(
    event: &Event<'_>,
    word: &str,
    place: Place<'_>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let id = event.dispatch.text();
    let id = id.ok_or_else(|| Dead::new(DeadReason::MissingId, format!("{place}/dispatch_id")))?;
    let (time, outcome) = match word {
        "sent" => ("sent_at", Outcome::open(Status::Sent)),
        "processed" => ("processed_at", Outcome::open(Status::Sent)),
        "delivered" => ("delivered_at", Outcome::settled(Status::Delivered)),
        "bounced" => ("bounced_at", Outcome::settled(Status::Undelivered)),
        "aborted" => ("aborted_at", Outcome::settled(Status::Canceled)),
        _ => ("", out.unknown_status()),
    };
    let metadata = event.metadata.unwrap_or("null");
    let names = ["external_send_id", "campaign_api_id", time, "received_at"];
    let [logical, campaign, told_time, received] =
        members_of(Cursor::watched(metadata, out.drift), names);
    let mut draft = Draft::new(id, Channel::Email, outcome);
    // The same message in Currents has its user in the key; here nobody is named.
    draft.key_part = "email";
    draft.vendor_status = Some(word);
    draft.event_time_us = out.time(&told_time, parse_rfc3339);
    draft.submit_time_us = out.time(&received, parse_rfc3339);
    draft.logical_id = out.text(&logical);
    draft.campaign = out.text(&campaign);
    draft.traffic_class = TrafficClass::Transactional;
    out.event(&draft);
    Ok(())
}

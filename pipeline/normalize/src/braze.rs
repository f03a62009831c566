//! Braze Currents: message engagement events, as the HTTP connector posts them and as rows of the
//! cloud storage export; and postbacks of transactional email (`postback`).
//! <https://www.braze.com/docs/user_guide/data/distribution/braze_currents>
//!
//! | last word of `event_type` | canonical |
//! |---|---|
//! | Send, CarrierSend, SoftBounce, Deferral | sent: after the latter two it is tried again |
//! | Retry | queued |
//! | Delivery, IosForeground; Open by a machine | delivered, final |
//! | Read, Open; Impression of in-app messages and cards | read, final |
//! | Bounce | undelivered, final |
//! | Rejection | rejected, final |
//! | DeliveryFailure, Failure | failed, final; of WhatsApp by the code |
//! | Abort | canceled, final: Braze did not send it |
//! | clicks, inbound, complaints, subscriptions, `users.behaviors`, `users.canvas` … | ignored |
//! | `agentconsole.…`: what Braze's agents did, no user's | ignored |
//!
//! Channel: `users.messages.<channel>`; of push by the platform (ios and tvos APNs, android FCM,
//! web web push, else push). Content cards, banners and news feed cards are in-app; LINE has no
//! word here and is `unknown`. Webhooks and live activities are no message to one person: ignored.
//!
//! Traps: `time` is Unix seconds, `time_ms` (2026) is finer; a dispatch goes to many users and
//! devices, so a message is dispatch, channel, user and, of push, device; an RCS message and its
//! SMS fallback share the dispatch; no event says that a push arrived, but an iPhone whose app is
//! open; fields stand in `properties`, in `user` or flat, in exports as Avro unions
//! (`{"string": "x"}`); a row without `event_type` cannot be read (the file's name has it). Codes
//! of SMS are Twilio's, those of WhatsApp Meta's.

mod postback;

use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::catalogue::{Module, events};
use crate::date;
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::{List, object};
use crate::mask;
use crate::record::{Record, Scratch};
use crate::words::{self, Folded};
use crate::{twilio, whatsapp};

#[derive(Debug, Default)]
struct Event<'a> {
    kind: Scalar<'a>,
    id: Scalar<'a>,
    time: Scalar<'a>,
    time_ms: Scalar<'a>,
    user: Scalar<'a>,
    external_user: Scalar<'a>,
    device: Scalar<'a>,
    app_group: Scalar<'a>,
    app: Scalar<'a>,
    campaign: Scalar<'a>,
    canvas: Scalar<'a>,
    dispatch: Scalar<'a>,
    send: Scalar<'a>,
    card: Scalar<'a>,
    platform: Scalar<'a>,
    push_token: Scalar<'a>,
    phone: Scalar<'a>,
    /// WhatsApp's id of a user who hides the number.
    whatsapp_user: Scalar<'a>,
    email: Scalar<'a>,
    sender: Scalar<'a>,
    error_code: Scalar<'a>,
    /// Of an abort or a retry.
    reason: Scalar<'a>,
    machine_open: Scalar<'a>,
    /// Of a postback.
    status: Scalar<'a>,
    metadata: Option<&'a str>,
    is_damaged: bool,
    unreadable: u64,
}

/// What a type's last word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Delivery(Outcome),
    Other(&'static str),
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(record.value, out.drift);
    let mut events = List::default();
    let mut parent = None;
    let mut single = Event::default();
    if cursor.kind() == Kind::Array {
        parent = Some("");
        events.read(&mut cursor, event)?;
    } else {
        let is_object = cursor.object_or_skip(|cursor, key| {
            if key != "events" || cursor.kind() != Kind::Array {
                return field(cursor, key, true, &mut single);
            }
            parent = Some("/events");
            events.read(cursor, event)
        })?;
        single.is_damaged = !is_object;
    }
    cursor.end()?;
    let Some(parent) = parent else {
        return emit(&single, Place { parent: "", at: None }, scratch, out);
    };
    if events.len() == 0 {
        out.ignored("empty");
    }
    events.each(event, |at, event| {
        if let Err(dead) = emit(event, Place { parent, at: Some(at) }, scratch, out) {
            out.dead(dead);
        }
    });
    Ok(())
}

fn event<'a>(cursor: &mut Cursor<'a>) -> Result<Event<'a>, Syntax> {
    let read =
        |cursor: &mut Cursor<'a>, key: &str, event: &mut Event<'a>| field(cursor, key, true, event);
    object(cursor, read, |event: &mut Event<'_>| event.is_damaged = true)
}

fn field<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    is_top: bool,
    event: &mut Event<'a>,
) -> Result<(), Syntax> {
    let slot = match key {
        "user" | "properties" if is_top => {
            if cursor.is_null() {
                return cursor.skip();
            }
            let is_object =
                cursor.object_or_skip(|cursor, key| field(cursor, key, false, event))?;
            event.unreadable += u64::from(!is_object);
            return Ok(());
        }
        "event_type" if is_top => &mut event.kind,
        "id" if is_top => &mut event.id,
        "time" if is_top => &mut event.time,
        "status" if is_top => &mut event.status,
        "metadata" if is_top => {
            event.metadata = Some(cursor.raw()?);
            return Ok(());
        }
        "time_ms" => &mut event.time_ms,
        "user_id" => &mut event.user,
        "external_user_id" => &mut event.external_user,
        "device_id" => &mut event.device,
        "app_group_id" => &mut event.app_group,
        "app_id" => &mut event.app,
        "campaign_id" => &mut event.campaign,
        "canvas_id" => &mut event.canvas,
        "dispatch_id" => &mut event.dispatch,
        "send_id" => &mut event.send,
        "content_card_id" | "card_id" => &mut event.card,
        "platform" => &mut event.platform,
        "push_token" => &mut event.push_token,
        "to_phone_number" => &mut event.phone,
        "bsuid" => &mut event.whatsapp_user,
        "email_address" => &mut event.email,
        "from_phone_number" | "from_rcs_sender" => &mut event.sender,
        "provider_error_code" => &mut event.error_code,
        "abort_type" | "retry_type" => &mut event.reason,
        "machine_open" => &mut event.machine_open,
        _ => return cursor.other(),
    };
    *slot = scalar(cursor)?;
    Ok(())
}

/// A scalar, or the one inside an Avro union.
fn scalar<'a>(cursor: &mut Cursor<'a>) -> Result<Scalar<'a>, Syntax> {
    if cursor.kind() != Kind::Object {
        return cursor.scalar();
    }
    let mut value = Scalar::Unreadable;
    cursor.object(|cursor, _| {
        value = cursor.scalar()?;
        Ok(())
    })?;
    Ok(value)
}

fn emit(
    event: &Event<'_>,
    place: Place<'_>,
    scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let unknown = || Dead::new(DeadReason::UnknownVariant, place.to_string());
    if event.is_damaged {
        return Err(unknown());
    }
    let postback = event.status.text().filter(|_| event.metadata.is_some());
    if let (None, Some(word)) = (event.kind.text(), postback) {
        return postback::emit(event, word, place, out);
    }
    let Some(kind) = event.kind.text() else {
        return Err(match event.dispatch.is_present() {
            true => Dead::new(DeadReason::MissingStatus, format!("{place}/event_type")),
            false => unknown(),
        });
    };
    let Some((area, action)) = kind.strip_prefix("users.messages.").and_then(split) else {
        let area = kind.split_once('.').map(|(area, _)| area);
        out.ignored(match area {
            Some("users") => "behavior",
            Some("agentconsole") => "agent",
            _ => return Err(unknown()),
        });
        return Ok(());
    };
    let code = out.text(&event.error_code).filter(|code| !words::is_no_error(code));
    let channel = match channel(Folded::new(area).as_str(), event) {
        Ok(channel) => channel,
        Err(kind) => {
            out.ignored(kind);
            return Ok(());
        }
    };
    let outcome = match meaning(Folded::new(action).as_str(), channel, code, event, out) {
        Meaning::Delivery(outcome) => outcome,
        Meaning::Other(kind) => {
            out.ignored(kind);
            return Ok(());
        }
    };
    let ids = [&event.dispatch, &event.send, &event.card];
    let id = ids.into_iter().find_map(Scalar::text);
    let id = id.ok_or_else(|| {
        Dead::new(DeadReason::MissingId, format!("{place}/properties/dispatch_id"))
    })?;
    let mut draft = Draft::new(id, channel, outcome);
    draft.vendor_status = Some(kind);
    draft.error_code =
        code.filter(|_| !outcome.0.is_delivered()).or_else(|| out.text(&event.reason));
    draft.error_class = class(channel, outcome.0, code);
    row(event, draft, scratch, out);
    Ok(())
}

/// `sms` and `Delivery` of `sms.Delivery`.
fn split(rest: &str) -> Option<(&str, &str)> {
    rest.split_once('.')
}

/// Adds what does not depend on the type, and emits.
fn row(event: &Event<'_>, draft: Draft<'_>, scratch: &mut Scratch, out: &mut Emitter<'_>) {
    out.counters.unreadable_fields += event.unreadable;
    // Shorter-lived from here on: it borrows the composed key.
    let mut draft: Draft<'_> = draft;
    let channel = draft.channel;
    let is_push =
        matches!(channel, Channel::Push | Channel::PushApns | Channel::PushFcm | Channel::PushWeb);
    let user = out.text(&event.user).or_else(|| out.text(&event.external_user));
    let device = out.text(&event.device).filter(|_| is_push);
    scratch.bytes.clear();
    let area = if is_push { "push" } else { channel.as_str() };
    // Without any id of a user the address tells one from another.
    let address = [&event.whatsapp_user, &event.phone, &event.email];
    let address = address.into_iter().find_map(Scalar::text).map(|text| text.to_ascii_lowercase());
    let person = user.or_else(|| address.as_deref().map(|text| text.trim_start_matches('+')));
    for part in [area, "\0", person.unwrap_or(""), "\0", device.unwrap_or("")] {
        scratch.bytes.extend_from_slice(part.as_bytes());
    }
    draft.key_part = std::str::from_utf8(&scratch.bytes).unwrap_or("");
    let event_parts: [&[u8]; 1] = [event.id.text().unwrap_or("").as_bytes()];
    if event.id.text().is_some() {
        draft.event_parts = &event_parts;
    }
    let fine = out.time(&event.time_ms, |text| date::unix_millis(text.parse().ok()?));
    draft.event_time_us = fine.or_else(|| out.time(&event.time, seconds));
    draft.account = out.text(&event.app_group).or_else(|| out.text(&event.app));
    draft.campaign = out.text(&event.campaign).or_else(|| out.text(&event.canvas));
    draft.sender = out.text(&event.sender).or_else(|| event.app.text().filter(|_| is_push));
    draft.recipient = match channel {
        Channel::Email => out.text(&event.email),
        _ if is_push => out.text(&event.push_token),
        _ => out.text(&event.phone).or_else(|| out.text(&event.whatsapp_user)),
    };
    // Elsewhere a user id of digits would pass for a number.
    if draft.recipient.is_none() && (is_push || channel == Channel::InApp) {
        draft.recipient = event.external_user.text().or(user);
    }
    let others = [&event.user, &event.external_user, &event.device].map(Scalar::text);
    let others = others.map(|id| id.filter(|id| Some(*id) != draft.recipient));
    mask::event_without_ids(&draft, &others, out);
}

/// Unix seconds, whole as documented, or with a fraction as other writers of Avro spell them.
fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().and_then(date::unix_seconds).or_else(|| date::unix_decimal(text))
}

/// Channel of a type's third word, else the kind by which it is ignored.
fn channel(area: &str, event: &Event<'_>) -> Result<Channel, &'static str> {
    Ok(match area {
        "pushnotification" => match Folded::new(event.platform.text().unwrap_or("")).as_str() {
            "ios" | "tvos" => Channel::PushApns,
            "android" => Channel::PushFcm,
            "web" => Channel::PushWeb,
            _ => Channel::Push,
        },
        "sms" => Channel::Sms,
        "rcs" => Channel::Rcs,
        "whatsapp" => Channel::Whatsapp,
        "email" => Channel::Email,
        "inappmessage" | "contentcard" | "banner" | "newsfeedcard" => Channel::InApp,
        "webhook" => return Err("webhook"),
        "liveactivity" => return Err("live_activity"),
        "featureflag" | "landingpage" | "survey" => return Err("page"),
        _ => Channel::Unknown,
    })
}

fn meaning(
    action: &str,
    channel: Channel,
    code: Option<&str>,
    event: &Event<'_>,
    out: &mut Emitter<'_>,
) -> Meaning {
    let is_machine = match &event.machine_open {
        Scalar::Bool(is_machine) => *is_machine,
        word => word.text().is_some_and(|word| word.eq_ignore_ascii_case("true")),
    };
    Meaning::Delivery(match action {
        "send" | "carriersend" | "softbounce" | "deferral" => Outcome::open(Status::Sent),
        "retry" => Outcome::open(Status::Queued),
        "delivery" | "iosforeground" => Outcome::settled(Status::Delivered),
        // A mail server's prefetch proves that the mail is there, not that somebody saw it.
        "open" if is_machine => Outcome::settled(Status::Delivered),
        "read" | "open" | "impression" => Outcome::settled(Status::Read),
        "bounce" => Outcome::settled(Status::Undelivered),
        "rejection" => Outcome::settled(Status::Rejected),
        "failure" if channel == Channel::Whatsapp => whatsapp::outcome("failed", code, out),
        "deliveryfailure" | "failure" => Outcome::settled(Status::Failed),
        "abort" => Outcome::settled(Status::Canceled),
        "click" | "shortlinkclick" | "influencedopen" => return Meaning::Other("click"),
        "dismiss" => return Meaning::Other("dismiss"),
        "inboundreceive" => return Meaning::Other("inbound"),
        "unsubscribe" => return Meaning::Other("subscription"),
        "markasspam" => return Meaning::Other("complaint"),
        _ => out.unknown_status(),
    })
}

/// Class of a provider's code; a push bounces because its device token is gone.
fn class(channel: Channel, status: Status, code: Option<&str>) -> Option<ErrorClass> {
    match channel {
        Channel::Sms | Channel::Rcs => code.and_then(twilio::class_of_code),
        Channel::Whatsapp => code.and_then(whatsapp::class_of_code),
        Channel::Push | Channel::PushApns | Channel::PushFcm | Channel::PushWeb => {
            (status == Status::Undelivered).then_some(ErrorClass::UnknownRecipient)
        }
        _ => None,
    }
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://www.braze.com/docs/user_guide/data/distribution/braze_currents",
    variants: &[
        events("Currents push events, JSON", &["push.json"]),
        events("Currents SMS, RCS and WhatsApp events, JSON", &["sms_rcs_whatsapp.json"]),
        events("Currents email and in-app events, JSON", &["email_in_app.json"]),
        events("row of a warehouse, JSON", &["flat_row.json"]),
        events("email postback, JSON", &["email_postbacks.json"]),
    ],
    documented: &[
        "aborted_at",
        "activity_id",
        "bounce_reason",
        "bounced_at",
        "campaign_name",
        "delivered_at",
        "enqueued_at",
        "error",
        "esp",
        "executed_at",
        "http_status_code",
        "is_sms_fallback",
        "message_body",
        "message_id",
        "processed_at",
        "provider_error_title",
        "reason",
        "received_at",
        "sent_at",
        "subscription_group_id",
        "timezone",
        "user_phone_number",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_in_any_spelling() {
        let expected = Some(1_795_176_191_000_000);
        for text in ["1795176191", "1795176191.0", "1.795176191E9"] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(seconds("noon"), None);
    }

    #[test]
    fn a_push_takes_the_channel_of_its_platform() {
        for (platform, expected) in [
            ("ios", Channel::PushApns),
            ("tvos", Channel::PushApns),
            ("android", Channel::PushFcm),
            ("web", Channel::PushWeb),
            ("kindle", Channel::Push),
            ("", Channel::Push),
        ] {
            let event = Event { platform: Scalar::Text(platform.into()), ..Event::default() };
            assert_eq!(channel("pushnotification", &event), Ok(expected), "{platform}");
        }
    }
}

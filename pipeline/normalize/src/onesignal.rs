//! OneSignal: Event Streams, the rows of its exports (BigQuery, Snowflake), web push webhooks.
//! <https://documentation.onesignal.com/docs/en/event-streams-data>
//!
//! | last word of the kind | canonical |
//! |---|---|
//! | sent | sent |
//! | received, delivered | delivered, final |
//! | clicked, opened; of in-app impression, displayed | read, final |
//! | failed | failed, final |
//! | undelivered, bounced | undelivered, final |
//! | suppressed | rejected, final |
//! | unsubscribed, reported_as_spam, page_displayed | no delivery event: ignored |
//! | `notification.displayed`, `notification.clicked` (webhooks) | delivered; read, final |
//!
//! Shapes: a flat row (`event_kind`, `message_id`); the stream's body, a template that the
//! customer writes: nested (`event`, `message`, `user`) or with dotted names (`event.kind`), one,
//! an array, or under `events`. Answers of the send call and the statistics of a message
//! (`outcomes`) speak of a whole batch and are ignored.
//!
//! Channel: the kind's second word; of push the device's (iOS and macOS APNs, Android FCM, a
//! browser web push, else push).
//!
//! Traps: `message_id` is the batch's, so a message is it and the subscription; a kind's spelling
//! varies (`message.push received`, `hardbounced`, `supressed`); `received` needs Confirmed
//! Delivery in the app, so it is an app's receipt; missing values are empty text; events after 30
//! days lack their message and are dead letters; `event.timestamp` has whole seconds,
//! `event.datetime` more; `token` is a device token, a number or an address.

use std::borrow::Cow;

use model::time::parse_rfc3339;
use model::vocabulary::{Channel, DeadReason, ErrorClass, Status};

use crate::answer::each_document;
use crate::catalogue::{Module, events, ignored};
use crate::draft::{Dead, Draft, Outcome, Place};
use crate::emit::Emitter;
use crate::fcm;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::listed::List;
use crate::mask;
use crate::record::{Record, Scratch};
use crate::twilio;
use crate::words::{self, Folded};

#[derive(Debug, Default)]
struct Event<'a> {
    kind: Scalar<'a>,
    id: Scalar<'a>,
    timestamp: Scalar<'a>,
    datetime: Scalar<'a>,
    app: Scalar<'a>,
    device: Scalar<'a>,
    device_number: Scalar<'a>,
    subscription: Scalar<'a>,
    token: Scalar<'a>,
    external: Scalar<'a>,
    user: Scalar<'a>,
    message_id: Scalar<'a>,
    name: Scalar<'a>,
    template: Scalar<'a>,
    failure: Scalar<'a>,
    /// Of a web push webhook.
    notification: Scalar<'a>,
    is_answer: bool,
    is_aggregate: bool,
    /// A batch's events.
    list: Option<List<'a, &'a str>>,
}

/// Where a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Top,
    Event,
    Data,
    Message,
    User,
    Subscription,
}

/// What a kind's last word means.
enum Meaning {
    Delivery(Outcome),
    Other(&'static str),
}

/// Reads one record.
pub(crate) fn read(
    record: &Record<'_>,
    _scratch: &mut Scratch,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    each_document(record.value, out, element)
}

fn elements<'a>(list: &List<'a, &'a str>, out: &mut Emitter<'_>) {
    if list.len() == 0 {
        out.ignored("empty");
    }
    list.each(Cursor::raw, |at, event| {
        if let Err(dead) = element(event, Place { parent: "/events", at: Some(at) }, out) {
            out.dead(dead);
        }
    });
}

fn element(text: &str, place: Place<'_>, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut event = Event::default();
    let is_object = Cursor::watched(text, out.drift)
        .document_or_skip(|cursor, key| field(cursor, Part::Top, key, &mut event))?;
    let unknown = || Dead::new(DeadReason::UnknownVariant, place.to_string());
    if !is_object {
        return Err(unknown());
    }
    if let Some(list) = event.list.as_ref().filter(|_| place.at.is_none()) {
        elements(list, out);
        return Ok(());
    }
    let Some(kind) = event.kind.text() else {
        return match event {
            Event { is_aggregate: true, .. } => {
                out.ignored("aggregate");
                Ok(())
            }
            Event { is_answer: true, .. } => {
                out.ignored("batch_answer");
                Ok(())
            }
            _ if event.message_id.is_present() => {
                Err(Dead::new(DeadReason::MissingStatus, format!("{place}/event_kind")))
            }
            _ => Err(unknown()),
        };
    };
    let folded = Folded::new(kind);
    let mut words = folded.as_str().split(['.', ' ']);
    let (channel, meaning) = match (words.next(), words.next(), words.next()) {
        (Some("message"), Some(channel), Some(action)) => {
            out.counters.unreadable_fields += u64::from(event.device.is_unreadable());
            (self::channel(channel, &event), meaning(action, out))
        }
        // The browser showed it: nobody has read it yet.
        (Some("notification"), Some("displayed" | "willdisplay"), None) => {
            (Channel::PushWeb, meaning("received", out))
        }
        (Some("notification"), Some(action), None) => (Channel::PushWeb, meaning(action, out)),
        _ => return Err(unknown()),
    };
    match meaning {
        Meaning::Delivery(outcome) => emit(&event, kind, (channel, outcome), place, out),
        Meaning::Other(kind) => {
            out.ignored(kind);
            Ok(())
        }
    }
}

fn field<'a>(
    cursor: &mut Cursor<'a>,
    part: Part,
    key: &str,
    event: &mut Event<'a>,
) -> Result<(), Syntax> {
    let (part, key) = match key.rsplit_once('.') {
        Some(("event", key)) => (Part::Event, key),
        Some(("event.data", key)) => (Part::Data, key),
        Some(("message", key)) => (Part::Message, key),
        Some(("user", key)) => (Part::User, key),
        Some(("user.subscription" | "subscription", key)) => (Part::Subscription, key),
        _ => (part, key),
    };
    let inner = match (part, key) {
        (Part::Top, "event") => Some(Part::Event),
        (Part::Top, "message") => Some(Part::Message),
        (Part::Top, "user") => Some(Part::User),
        (Part::Top | Part::Event, "data" | "event_data") => Some(Part::Data),
        (Part::Top | Part::User, "subscription") => Some(Part::Subscription),
        _ => None,
    };
    if let Some(inner) = inner.filter(|_| cursor.kind() == Kind::Object) {
        return cursor.object(|cursor, key| field(cursor, inner, key, event));
    }
    if part == Part::Top {
        if key == "events" && cursor.kind() == Kind::Array {
            return event.list.get_or_insert_default().read(cursor, Cursor::raw);
        }
        event.is_answer |= matches!(key, "recipients" | "errors" | "body");
        event.is_aggregate |= matches!(key, "outcomes" | "platform_delivery_stats");
    }
    let Some(slot) = slot(event, part, key) else { return cursor.other() };
    let value = cursor.scalar()?;
    // The same value stands in two places, and in one of them it may be empty.
    if !slot.is_present() || value.text().is_some() {
        *slot = value;
    }
    Ok(())
}

fn slot<'e, 'a>(event: &'e mut Event<'a>, part: Part, key: &str) -> Option<&'e mut Scalar<'a>> {
    use Part::{Data, Message, Subscription, Top, User};
    Some(match (part, key) {
        (Top, "event_kind" | "event") | (Part::Event, "kind") => &mut event.kind,
        (Top, "event_id") | (Part::Event, "id") => &mut event.id,
        (Top, "event_timestamp") | (Part::Event, "timestamp") => &mut event.timestamp,
        (Top, "event_datetime") | (Part::Event, "datetime") => &mut event.datetime,
        (Top | Part::Event | Subscription, "app_id") => &mut event.app,
        (Top | Part::Event, "subscription_device_type") => &mut event.device,
        (Top | Part::Event, "device_type") => &mut event.device_number,
        (Top | Part::Event, "subscription_id")
        | (Top, "subscriptionId" | "userId")
        | (Subscription, "id") => &mut event.subscription,
        (Top, "token") | (Subscription, "subscription_token") => &mut event.token,
        (Top | Part::Event | User, "external_id") | (Top, "externalUserId") => &mut event.external,
        (Top | Part::Event | User, "onesignal_id") => &mut event.user,
        (Top, "message_id") | (Message, "id") => &mut event.message_id,
        (Top, "message_name") | (Message, "name") => &mut event.name,
        (Top | Message, "template_id") => &mut event.template,
        (Top | Part::Event | Data, "failure_reason") => &mut event.failure,
        (Top, "notificationId" | "id") => &mut event.notification,
        _ => return None,
    })
}

fn emit(
    event: &Event<'_>,
    kind: &str,
    (channel, outcome): (Channel, Outcome),
    place: Place<'_>,
    out: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let webhook = event.notification.text().filter(|_| !kind.starts_with("message"));
    let id = event.message_id.text().or(webhook);
    let id = id.ok_or_else(|| Dead::new(DeadReason::MissingId, format!("{place}/message_id")))?;
    let mut draft = Draft::new(id, channel, outcome);
    let (token, external) = (out.text(&event.token), out.text(&event.external));
    let (subscription, user) = (out.text(&event.subscription), out.text(&event.user));
    let ids = [token, external, user, subscription];
    // A user id of digits is no number.
    let is_address = matches!(channel, Channel::Sms | Channel::Rcs | Channel::Email);
    draft.recipient = token.or_else(|| ids.into_iter().flatten().next().filter(|_| !is_address));
    let others = ids.map(|id| id.filter(|id| Some(*id) != draft.recipient));
    draft.key_part = subscription.or(draft.recipient).or(external).unwrap_or("");
    let event_parts: [&[u8]; 1] = [event.id.text().unwrap_or("").as_bytes()];
    if event.id.text().is_some() {
        draft.event_parts = &event_parts;
    }
    let is_failure = matches!(outcome.0, Status::Failed | Status::Undelivered | Status::Rejected);
    let reason = out.text(&event.failure).filter(|_| is_failure);
    let campaign = out.text(&event.name).or_else(|| out.text(&event.template));
    let reason = reason.map(|reason| match mask::without_ids(reason, &others, out) {
        Cow::Borrowed(reason) => mask::impersonal(reason, draft.recipient),
        Cow::Owned(reason) => Cow::Owned(mask::impersonal(&reason, draft.recipient).into_owned()),
    });
    draft.account = out.text(&event.app);
    draft.vendor_status = Some(kind);
    draft.error_code = reason.as_deref();
    draft.error_class = reason
        .as_deref()
        // Its SMS go through Twilio.
        .and_then(|reason| class(reason).or_else(|| twilio::class_of_code(reason)));
    let precise = out.time(&event.datetime, parse_rfc3339);
    draft.event_time_us = precise.or_else(|| out.time(&event.timestamp, fcm::export_time));
    draft.campaign = campaign;
    mask::event_without_ids(&draft, &others, out);
    Ok(())
}

fn meaning(action: &str, out: &mut Emitter<'_>) -> Meaning {
    Meaning::Delivery(match action {
        "sent" => Outcome::open(Status::Sent),
        "received" | "delivered" => Outcome::settled(Status::Delivered),
        "clicked" | "opened" | "impression" | "displayed" => Outcome::settled(Status::Read),
        "failed" => Outcome::settled(Status::Failed),
        "undelivered" | "bounced" | "hardbounced" | "bounce" => {
            Outcome::settled(Status::Undelivered)
        }
        "suppressed" | "supressed" => Outcome::settled(Status::Rejected),
        "unsubscribed" => return Meaning::Other("subscription"),
        "reported_as_spam" | "reportedasspam" | "resporedasspam" | "spam" => {
            return Meaning::Other("complaint");
        }
        "page_displayed" | "pagedisplayed" => return Meaning::Other("page"),
        "dismissed" => return Meaning::Other("dismiss"),
        _ => out.unknown_status(),
    })
}

fn channel(word: &str, event: &Event<'_>) -> Channel {
    match word {
        "push" => device(event).unwrap_or(Channel::Push),
        "live_activity" => device(event).unwrap_or(Channel::PushApns),
        "iam" => Channel::InApp,
        word => words::channel(word),
    }
}

/// The service behind a subscription, by its type's name, else its number.
fn device(event: &Event<'_>) -> Option<Channel> {
    const BROWSERS: [&str; 5] = ["chrome", "firefox", "safari", "edge", "web"];
    let folded = Folded::new(event.device.text().unwrap_or(""));
    let name = folded.as_str();
    if name.starts_with("ios") || name.starts_with("macos") {
        return Some(Channel::PushApns);
    }
    if name.starts_with("android") {
        return Some(Channel::PushFcm);
    }
    if BROWSERS.iter().any(|browser| name.contains(browser)) {
        return Some(Channel::PushWeb);
    }
    match event.device_number.whole().filter(|_| name.is_empty())? {
        0 | 9 => Some(Channel::PushApns),
        1 => Some(Channel::PushFcm),
        5 | 7 | 8 | 17 => Some(Channel::PushWeb),
        _ => None,
    }
}

/// Class of a failure's reason, which is words: the first word that it holds decides.
fn class(reason: &str) -> Option<ErrorClass> {
    const WORDS: [(&str, ErrorClass); 15] = [
        ("unsubscribed", ErrorClass::OptedOut),
        ("registered", ErrorClass::UnknownRecipient),
        ("uninstalled", ErrorClass::UnknownRecipient),
        ("invalid token", ErrorClass::UnknownRecipient),
        ("invalid registration", ErrorClass::UnknownRecipient),
        ("mismatch", ErrorClass::Configuration),
        ("credential", ErrorClass::Configuration),
        ("certificate", ErrorClass::Configuration),
        ("auth", ErrorClass::Configuration),
        ("too large", ErrorClass::InvalidRequest),
        ("too big", ErrorClass::InvalidRequest),
        ("quota", ErrorClass::Throttled),
        ("rate ", ErrorClass::Throttled),
        ("unavailable", ErrorClass::VendorInternal),
        ("internal", ErrorClass::VendorInternal),
    ];
    let holds = |word: &str| {
        let mut parts = reason.as_bytes().windows(word.len());
        parts.any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    WORDS.iter().find(|(word, _)| holds(word)).map(|(_, class)| *class)
}

/// What is read here, for the catalogue.
pub(crate) const CATALOGUE: Module = Module {
    document: "https://documentation.onesignal.com/docs/en/event-streams-data",
    variants: &[
        events("event stream, dotted names, JSON", &["stream_dotted.json"]),
        events(
            "event stream, nested, JSON",
            &["stream_nested.json", "stream_batch.json", "words_about_an_address.json"],
        ),
        events("export row, JSON", &["export_rows.json"]),
        events("web push webhook, JSON", &["webhooks.json"]),
        ignored("aggregates, answers of sends, JSON", &["not_events.json"]),
    ],
    documented: &[
        "content",
        "contents",
        "converted",
        "device_os",
        "errored",
        "event.data.page_name",
        "failed",
        "heading",
        "language",
        "last_active",
        "message.title",
        "message_contents",
        "message_title",
        "outcomes",
        "page_name",
        "platform_delivery_stats",
        "recipients",
        "sdk",
        "subscribed",
        "successful",
        "title",
        "url",
        "version",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_takes_the_channel_of_its_device() {
        let of = |name: &str, number: &str| {
            let (device, device_number) =
                (Scalar::Text(name.into()), Scalar::Text(number.to_owned().into()));
            channel("push", &Event { device, device_number, ..Event::default() })
        };
        for (name, number, expected) in [
            ("iOS", "", Channel::PushApns),
            ("iOSPush", "", Channel::PushApns),
            ("macOSPush", "", Channel::PushApns),
            ("AndroidPush", "1", Channel::PushFcm),
            ("ChromePush", "", Channel::PushWeb),
            ("SafariLegacyPush", "", Channel::PushWeb),
            ("HuaweiPush", "13", Channel::Push),
            ("", "0", Channel::PushApns),
            ("", "8", Channel::PushWeb),
            ("", "13", Channel::Push),
            ("", "", Channel::Push),
        ] {
            assert_eq!(of(name, number), expected, "{name} {number}");
        }
    }

    #[test]
    fn reasons_are_classed_by_their_words() {
        for (reason, of_class) in [
            ("App Not Registered", Some(ErrorClass::UnknownRecipient)),
            ("Mismatched sender", Some(ErrorClass::Configuration)),
            ("Message Rate Exceeded", Some(ErrorClass::Throttled)),
            ("Message Too Large", Some(ErrorClass::InvalidRequest)),
            ("Service Unavailable", Some(ErrorClass::VendorInternal)),
            ("other", None),
        ] {
            assert_eq!(class(reason), of_class, "{reason}");
        }
    }
}

//! What an adapter says of one element, before times, keys and privacy are settled.

use model::money::Nanos;
use model::vocabulary::{Channel, DeadReason, ErrorClass, PriceUnit, Source, Status, TrafficClass};

use crate::json::{Cursor, Syntax};

/// One delivery event in the vendor's words. Text borrows from the payload.
#[derive(Debug, Clone)]
pub(crate) struct Draft<'a> {
    /// Vendor's message id.
    pub(crate) message_id: &'a str,
    /// What identifies the message beside the id; empty where the id does alone.
    pub(crate) key_part: &'a str,
    /// Stands for the id in the message key, where one id has several spellings; empty: the id.
    pub(crate) key_id: &'a str,
    /// What identifies the event; empty: (message key, vendor status, error code, event time).
    pub(crate) event_parts: &'a [&'a [u8]],
    pub(crate) account: Option<&'a str>,
    pub(crate) logical_id: Option<&'a str>,
    pub(crate) channel: Channel,
    pub(crate) status: Status,
    pub(crate) is_final: bool,
    pub(crate) vendor_status: Option<&'a str>,
    pub(crate) error_code: Option<&'a str>,
    /// Class of the code, where the vendor's table has one.
    pub(crate) error_class: Option<ErrorClass>,
    pub(crate) event_time_us: Option<i64>,
    /// The event time tells no zone: it is the local time as if it were UTC.
    pub(crate) is_local_time: bool,
    /// So is the submit time.
    pub(crate) is_local_submit: bool,
    /// What local times of this vendor are ahead of UTC, where no zone is configured.
    pub(crate) assumed_offset_us: i64,
    /// Time of an HTTP `Date` header, for vendors whose payload has none.
    pub(crate) header_time_us: Option<i64>,
    pub(crate) submit_time_us: Option<i64>,
    /// Number in any spelling, user id or device token.
    pub(crate) recipient: Option<&'a str>,
    /// Recipient's country as the event tells it: an ISO code of two letters.
    pub(crate) country: Option<&'a str>,
    pub(crate) mcc: Option<&'a str>,
    pub(crate) mnc: Option<&'a str>,
    /// Carrier's name, where the event tells it.
    pub(crate) carrier: Option<&'a str>,
    pub(crate) sender: Option<&'a str>,
    pub(crate) traffic_class: TrafficClass,
    pub(crate) campaign: Option<&'a str>,
    pub(crate) segments: Option<u16>,
    pub(crate) price: Option<Nanos>,
    pub(crate) price_unit: PriceUnit,
    pub(crate) currency: Option<&'a str>,
}

impl<'a> Draft<'a> {
    /// An event of a message with this id; the rest is unknown.
    pub(crate) const fn new(message_id: &'a str, channel: Channel, outcome: Outcome) -> Self {
        Self {
            message_id,
            key_part: "",
            key_id: "",
            event_parts: &[],
            account: None,
            logical_id: None,
            channel,
            status: outcome.0,
            is_final: outcome.1,
            vendor_status: None,
            error_code: None,
            error_class: None,
            event_time_us: None,
            is_local_time: false,
            is_local_submit: false,
            assumed_offset_us: 0,
            header_time_us: None,
            submit_time_us: None,
            recipient: None,
            country: None,
            mcc: None,
            mnc: None,
            carrier: None,
            sender: None,
            traffic_class: TrafficClass::Unknown,
            campaign: None,
            segments: None,
            price: None,
            price_unit: PriceUnit::None,
            currency: None,
        }
    }
}

/// A status and whether it settles the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome(pub(crate) Status, pub(crate) bool);

impl Outcome {
    /// The message is on its way.
    pub(crate) const fn open(status: Status) -> Self {
        Self(status, false)
    }

    /// The delivery is settled.
    pub(crate) const fn settled(status: Status) -> Self {
        Self(status, true)
    }
}

/// Why something cannot be read, and where; never a value of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) reason: DeadReason,
    pub(crate) detail: String,
}

impl Dead {
    pub(crate) fn new(reason: DeadReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Syntax> for Dead {
    fn from(syntax: Syntax) -> Self {
        Self::new(DeadReason::Syntax, format!("byte {}", syntax.at))
    }
}

/// Where an element stands, spelled only for a dead letter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Path of the list.
    pub(crate) parent: &'a str,
    /// Position in it; `None` for a single element.
    pub(crate) at: Option<usize>,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}/{at}", self.parent),
            None => f.write_str(self.parent),
        }
    }
}

/// Elements of one record, held back until the record is read whole. The first one needs no
/// allocation: most records have no second.
#[derive(Debug, Clone)]
pub(crate) struct Elements<T> {
    first: Option<T>,
    rest: Vec<T>,
}

impl<T> Default for Elements<T> {
    fn default() -> Self {
        Self { first: None, rest: Vec::new() }
    }
}

impl<T> Elements<T> {
    pub(crate) fn push(&mut self, element: T) {
        match self.first {
            None => self.first = Some(element),
            Some(_) => self.rest.push(element),
        }
    }

    /// Pushes an element that was read from a text. Of elements so small that they would take many
    /// times their text (`{},{},…`) no vendor writes thousands: such a text is refused there.
    pub(crate) fn hold(&mut self, element: T, cursor: &Cursor<'_>) -> Result<(), Syntax> {
        let is_full = self.first.is_some() && self.rest.len() == self.rest.capacity();
        if is_full {
            let more = self.rest.len() / 4 + 2;
            cursor.hold(more * size_of::<T>(), self.room())?;
            self.rest.reserve_exact(more);
        }
        self.push(element);
        Ok(())
    }

    /// Pushes one of at most so many: no more than these get room.
    pub(crate) fn push_of(&mut self, element: T, len_max: usize) {
        let len = self.rest.len();
        if len > 0 && len == self.rest.capacity() {
            self.rest.reserve_exact(len.min(len_max.saturating_sub(len)));
        }
        self.push(element);
    }

    /// Bytes that it took beside itself.
    pub(crate) const fn room(&self) -> usize {
        self.rest.capacity() * size_of::<T>()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        if at == 0 { self.first.as_ref() } else { self.rest.get(at - 1) }
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.rest.last_mut().or(self.first.as_mut())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(self.rest.iter_mut())
    }
}

/// What a `delivered` or `read` of a source and channel can prove.
///
/// - SMS and MMS: a carrier's word, but Infobip tells `DELIVERED_TO_HANDSET` from
///   `DELIVERED_TO_OPERATOR`, so its receipts speak for the handset.
/// - RCS: the client on the handset acknowledges.
/// - WhatsApp, Viber, Messenger, iMessage, in-app: the app acknowledges.
/// - APNs answers the sender and never the delivery: none. FCM's export holds `MESSAGE_DELIVERED`
///   from its SDK in the app; so do an app's own events (`cloudevents`), whatever the push channel
///   and on a channel of its own, and OneSignal's Confirmed Delivery. Braze never hears of a push
///   that arrived, nor of LINE (`unknown`).
/// - Anything else (voice, email, unknown): what a vendor relays from a network.
pub(crate) const fn receipt_class(
    source: Source,
    channel: Channel,
) -> model::vocabulary::ReceiptClass {
    use model::vocabulary::ReceiptClass;
    match (source, channel) {
        (Source::Infobip, Channel::Sms | Channel::Mms) => ReceiptClass::Handset,
        (_, Channel::Rcs) => ReceiptClass::Handset,
        // Only its seen reports lack a channel: an app sent them.
        (Source::Infobip, Channel::Unknown) => ReceiptClass::App,
        // Read without a channel: WhatsApp's or RCS's.
        (Source::Twilio, Channel::Unknown) => ReceiptClass::App,
        // Sinch Conversation's other channels are apps: Instagram, Telegram, LINE, KakaoTalk.
        (Source::Sinch, Channel::Unknown) => ReceiptClass::App,
        (Source::Onesignal, Channel::PushApns | Channel::PushWeb | Channel::Push) => {
            ReceiptClass::App
        }
        (Source::Braze, Channel::PushFcm | Channel::Unknown) => ReceiptClass::None,
        (_, Channel::Whatsapp | Channel::Viber | Channel::Messenger | Channel::Imessage)
        | (_, Channel::InApp | Channel::PushFcm) => ReceiptClass::App,
        (Source::Cloudevents, Channel::PushApns | Channel::PushWeb | Channel::Push)
        | (Source::Cloudevents, Channel::Unknown) => ReceiptClass::App,
        (_, Channel::PushApns | Channel::PushWeb | Channel::Push) => ReceiptClass::None,
        _ => ReceiptClass::Carrier,
    }
}

/// Protection on the way, by channel: WhatsApp is end-to-end encrypted, the push services encrypt
/// each hop; of the others no source tells, so `unknown`.
pub(crate) const fn security(channel: Channel) -> model::vocabulary::Security {
    use model::vocabulary::Security;
    match channel {
        Channel::Whatsapp => Security::E2ee,
        Channel::PushApns | Channel::PushFcm | Channel::PushWeb => Security::Hop,
        _ => Security::Unknown,
    }
}

/// The class of an event's error: none on success, the vendor table's where the code is known,
/// else what the status itself says.
pub(crate) fn error_class(draft: &Draft<'_>) -> ErrorClass {
    if draft.status.is_delivered() {
        return ErrorClass::None;
    }
    match (draft.error_class, draft.error_code, draft.status) {
        (Some(class), _, _) => class,
        (None, _, Status::Expired) => ErrorClass::Expired,
        (None, Some(_), _) => ErrorClass::Unknown,
        (None, None, Status::Undelivered | Status::Failed | Status::Rejected) => {
            ErrorClass::Unknown
        }
        _ => ErrorClass::None,
    }
}

//! What travels through the simulator: messages, and the single reports about them.
//!
//! Both are small and `Copy`; every text on the wire (ids, tokens, addresses) is computed from
//! numbers when it is written, so a message in flight costs no heap memory.

use crate::scenario::Source;

/// How a message really ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nobody will ever tell more than that the vendor took it.
    Accepted,
    Delivered,
    Read,
    Undelivered,
    Failed,
    Expired,
    Rejected,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
        }
    }

    pub(crate) fn arrived(self) -> bool {
        matches!(self, Self::Delivered | Self::Read)
    }
}

/// What one report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Accepted,
    Sent,
    Delivered,
    Read,
    Undelivered,
    Failed,
    Expired,
    Rejected,
}

/// The wire format of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    TwilioForm,
    TwilioEvents,
    TwilioResource,
    TwilioInbound,
    /// Usage records: `recipient` holds the units, `price_micros` the sum, `detail` the category.
    TwilioUsage,
    InfobipSms,
    InfobipRcs,
    InfobipWhatsapp,
    InfobipSeen,
    RbmEvent,
    RbmServer,
    RbmTyping,
    RbmText,
    WhatsappStatus,
    WhatsappInbound,
    ApnsAnswer,
    FcmAnswer,
    FcmRow,
    CloudEvent,
    /// The carrier's fee of a message, billed by an event of its own.
    CloudBill,
}

impl Variant {
    /// The name in log.csv.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TwilioForm => "twilio.form",
            Self::TwilioEvents => "twilio.event_streams",
            Self::TwilioResource => "twilio.message_resource",
            Self::TwilioInbound => "twilio.inbound",
            Self::TwilioUsage => "twilio.usage_records",
            Self::InfobipSms => "infobip.sms",
            Self::InfobipRcs => "infobip.rcs",
            Self::InfobipWhatsapp => "infobip.whatsapp",
            Self::InfobipSeen => "infobip.seen",
            Self::RbmEvent => "google_rbm.user_event",
            Self::RbmServer => "google_rbm.server_event",
            Self::RbmTyping => "google_rbm.typing",
            Self::RbmText => "google_rbm.inbound",
            Self::WhatsappStatus => "whatsapp.status",
            Self::WhatsappInbound => "whatsapp.inbound",
            Self::ApnsAnswer => "apns.answer",
            Self::FcmAnswer => "fcm.answer",
            Self::FcmRow => "fcm.bigquery",
            Self::CloudEvent => "cloudevents.event",
            Self::CloudBill => "cloudevents.billed",
        }
    }

    pub(crate) fn source(self) -> Source {
        match self {
            Self::TwilioForm
            | Self::TwilioEvents
            | Self::TwilioResource
            | Self::TwilioInbound
            | Self::TwilioUsage => Source::Twilio,
            Self::InfobipSms | Self::InfobipRcs | Self::InfobipWhatsapp | Self::InfobipSeen => {
                Source::Infobip
            }
            Self::RbmEvent | Self::RbmServer | Self::RbmTyping | Self::RbmText => Source::GoogleRbm,
            Self::WhatsappStatus | Self::WhatsappInbound => Source::Whatsapp,
            Self::ApnsAnswer => Source::Apns,
            Self::FcmAnswer | Self::FcmRow => Source::Fcm,
            Self::CloudEvent | Self::CloudBill => Source::Cloudevents,
        }
    }

    /// A recognised variant that says nothing about a delivery.
    pub(crate) fn is_ignored(self) -> bool {
        matches!(
            self,
            Self::TwilioInbound | Self::RbmTyping | Self::RbmText | Self::WhatsappInbound
        )
    }

    /// A line of a bill.
    pub(crate) fn is_bill(self) -> bool {
        matches!(self, Self::TwilioUsage | Self::CloudBill)
    }

    /// Whether the payload of this variant holds many elements.
    pub(crate) fn is_batched(self) -> bool {
        matches!(self, Self::TwilioEvents | Self::TwilioUsage)
            || matches!(self.source(), Source::Infobip | Source::Whatsapp)
    }

    /// Whether the payload tells the time of the event, to the second or better.
    pub(crate) fn tells_time(self) -> bool {
        !matches!(self, Self::TwilioForm | Self::TwilioInbound)
    }

    /// The ways in which this variant can be broken so that exactly one element is lost.
    /// Ways that leave a second place to read the same thing from (a form's `SmsStatus`, the type
    /// of a CloudEvent) are left out or remove both places.
    pub(crate) fn flaws(self) -> &'static [Flaw] {
        use Flaw::{BadBase64, IdMissing, IdObject, StatusMissing, Truncated};
        match self {
            Self::TwilioForm => &[IdMissing, StatusMissing],
            Self::InfobipSms | Self::InfobipRcs | Self::InfobipWhatsapp | Self::WhatsappStatus => {
                &[IdMissing, IdObject, StatusMissing, Truncated]
            }
            Self::TwilioResource | Self::ApnsAnswer | Self::FcmRow => {
                &[IdMissing, IdObject, StatusMissing, Truncated]
            }
            Self::RbmEvent | Self::RbmServer => &[IdMissing, IdObject, BadBase64, Truncated],
            Self::TwilioEvents
            | Self::InfobipSeen
            | Self::FcmAnswer
            | Self::CloudEvent
            | Self::CloudBill => &[IdMissing, IdObject, Truncated],
            Self::TwilioInbound
            | Self::TwilioUsage
            | Self::RbmTyping
            | Self::RbmText
            | Self::WhatsappInbound => &[],
        }
    }
}

/// What is broken in an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Intact,
    /// The message id is not there, nor is anything that could stand in for it.
    IdMissing,
    /// The message id is a JSON object.
    IdObject,
    /// The status is not there.
    StatusMissing,
    /// The record ends in the middle: no element of it can be split off.
    Truncated,
    /// RBM: `message.data` is not base64.
    BadBase64,
}

/// A message in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    /// The simulator's running number.
    pub(crate) seq: u64,
    /// When the sender handed it to the vendor.
    pub(crate) submit_us: i64,
    /// When its outcome was settled.
    pub(crate) end_us: i64,
    /// Digits of the number, or the number of the app's user.
    pub(crate) recipient: u64,
    /// Price of one unit, millionths.
    pub(crate) price_micros: i64,
    /// Index of the flow.
    pub(crate) flow: u16,
    /// Index of the carrier.
    pub(crate) carrier: u16,
    pub(crate) account: u8,
    pub(crate) segments: u8,
    /// Random bits that choose among error codes and optional fields.
    pub(crate) detail: u8,
    /// What the vendor says that it came to.
    pub(crate) outcome: Outcome,
}

/// One report about a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) message: Message,
    pub(crate) variant: Variant,
    pub(crate) step: Step,
    /// When it happened by the vendor's clock.
    pub(crate) time_us: i64,
    pub(crate) flaw: Flaw,
    /// The vendor's clock is far ahead.
    pub(crate) future_clock: bool,
    /// Number of this element in log.csv.
    pub(crate) row_id: u64,
    /// The element that this one repeats.
    pub(crate) duplicate_of: Option<u64>,
}

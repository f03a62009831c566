//! The closed word lists of the canonical event (DESIGN.md, "The canonical delivery event").
//!
//! Each list is an enum whose position is its dictionary key in Arrow, so that a builder pushes an
//! integer and never hashes a word. New words go to the end: positions are written to segments.

/// Declares a closed list of words as an enum with `ALL`, `as_str` and `parse`.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* #[doc = concat!("`", $word, "`.")] $variant,)+ }

        impl $name {
            /// Every word, in dictionary order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// The words, in dictionary order.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The word as it is stored and printed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The entry with this word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// Position in the list: the dictionary key.
            #[must_use]
            pub const fn index(self) -> u8 {
                self as u8
            }

            /// The entry at a position.
            #[must_use]
            pub fn from_index(index: u8) -> Option<Self> {
                Self::ALL.get(usize::from(index)).copied()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// Vendor whose format a payload has.
    Source {
        Twilio => "twilio",
        Infobip => "infobip",
        Sinch => "sinch",
        Vonage => "vonage",
        Telnyx => "telnyx",
        Plivo => "plivo",
        Messagebird => "messagebird",
        Bird => "bird",
        Bandwidth => "bandwidth",
        Gupshup => "gupshup",
        Kaleyra => "kaleyra",
        GoogleRbm => "google_rbm",
        GsmaMaap => "gsma_maap",
        Smpp => "smpp",
        Whatsapp => "whatsapp",
        AwsEum => "aws_eum",
        AwsPinpoint => "aws_pinpoint",
        AwsSns => "aws_sns",
        AzureAcs => "azure_acs",
        Fcm => "fcm",
        Apns => "apns",
        Webpush => "webpush",
        Onesignal => "onesignal",
        Braze => "braze",
        Cloudevents => "cloudevents",
    }
}

vocabulary! {
    /// Channel over which a message goes.
    Channel {
        Sms => "sms",
        Mms => "mms",
        Rcs => "rcs",
        Whatsapp => "whatsapp",
        PushApns => "push_apns",
        PushFcm => "push_fcm",
        PushWeb => "push_web",
        Push => "push",
        Imessage => "imessage",
        InApp => "in_app",
        Viber => "viber",
        Messenger => "messenger",
        Voice => "voice",
        Email => "email",
        Unknown => "unknown",
    }
}

vocabulary! {
    /// Canonical delivery status. The order is the word list's, not the rank: see [`Status::rank`].
    Status {
        Accepted => "accepted",
        Queued => "queued",
        Sent => "sent",
        Delivered => "delivered",
        Read => "read",
        Undelivered => "undelivered",
        Failed => "failed",
        Expired => "expired",
        Rejected => "rejected",
        Canceled => "canceled",
        Unknown => "unknown",
    }
}

impl Status {
    /// Rank in the outcome rule: accepted < queued < sent < unknown < expired < undelivered <
    /// canceled < rejected < failed < delivered < read (DESIGN.md, "Messages have lives").
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Queued => 1,
            Self::Sent => 2,
            Self::Unknown => 3,
            Self::Expired => 4,
            Self::Undelivered => 5,
            Self::Canceled => 6,
            Self::Rejected => 7,
            Self::Failed => 8,
            Self::Delivered => 9,
            Self::Read => 10,
        }
    }

    /// The message reached the recipient: a read stands in for a missing delivered.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Delivered | Self::Read)
    }
}

vocabulary! {
    /// What a `delivered` or `read` of a source and channel can prove.
    ReceiptClass {
        Carrier => "carrier",
        Handset => "handset",
        App => "app",
        None => "none",
    }
}

vocabulary! {
    /// Vendor-independent class of an error.
    ErrorClass {
        None => "none",
        Unreachable => "unreachable",
        UnknownRecipient => "unknown_recipient",
        Blocked => "blocked",
        OptedOut => "opted_out",
        Spam => "spam",
        Expired => "expired",
        Throttled => "throttled",
        NotCapable => "not_capable",
        InvalidRequest => "invalid_request",
        Configuration => "configuration",
        VendorInternal => "vendor_internal",
        Unknown => "unknown",
    }
}

vocabulary! {
    /// Whose clock an `event_time` follows.
    TimeSource {
        Vendor => "vendor",
        /// The vendor's, in a local time whose zone was assumed.
        VendorLocal => "vendor_local",
        Header => "header",
        Broker => "broker",
        /// More than 5 min after the ingest time: replaced by that.
        Replaced => "replaced",
    }
}

vocabulary! {
    /// Traffic class of a message.
    TrafficClass {
        Otp => "otp",
        Transactional => "transactional",
        Alert => "alert",
        Marketing => "marketing",
        Conversation => "conversation",
        Unknown => "unknown",
    }
}

vocabulary! {
    /// Protection of the message on its way.
    Security {
        None => "none",
        Hop => "hop",
        E2ee => "e2ee",
        Unknown => "unknown",
    }
}

vocabulary! {
    /// What a price is for.
    PriceUnit {
        None => "none",
        Message => "message",
        Segment => "segment",
    }
}

vocabulary! {
    /// What became of an event that is stored.
    Disposition {
        Accepted => "accepted",
        /// Older than 35 days: stored, in no window.
        Late => "late",
        /// A redelivery that tells an earlier time than the copy read first, where that time is
        /// not the vendor's: counted as duplicate, stored because the event's time follows it.
        Earlier => "earlier",
    }
}

vocabulary! {
    /// Why an element is a dead letter. A fixed set: it is a metric label.
    DeadReason {
        UnknownSource => "unknown_source",
        NotUtf8 => "not_utf8",
        Syntax => "syntax",
        Envelope => "envelope",
        UnknownVariant => "unknown_variant",
        MissingId => "missing_id",
        MissingStatus => "missing_status",
        BadEncoding => "bad_encoding",
        TooLarge => "too_large",
        /// Its signature is required and was not verified.
        Unverified => "unverified",
    }
}

vocabulary! {
    /// What closed a message.
    ClosedBy {
        Event => "event",
        Horizon => "horizon",
    }
}

vocabulary! {
    /// Kind of a charge.
    ChargeKind {
        Message => "message",
        Segment => "segment",
        CarrierFee => "carrier_fee",
        ReadReceipt => "read_receipt",
        Media => "media",
        Conversation => "conversation",
        FailedMessageFee => "failed_message_fee",
        Number => "number",
        Campaign => "campaign",
        Tax => "tax",
        Credit => "credit",
        /// What no word here says; the vendor's category is in `sku`.
        Other => "other",
    }
}

impl ChargeKind {
    /// What a message costs is one of these, never both: units of one price.
    #[must_use]
    pub const fn is_base(self) -> bool {
        matches!(self, Self::Message | Self::Segment)
    }
}

vocabulary! {
    /// What a charge is about. Totals of a period are never added to the charges of its messages.
    Grain {
        Message => "message",
        /// No message's, or of one that the vendor does not name.
        Item => "item",
        /// A total over messages.
        Period => "period",
    }
}

vocabulary! {
    /// How certain a charge is; a later one supersedes an earlier one.
    Basis {
        Estimated => "estimated",
        Vendor => "vendor",
        Invoice => "invoice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_positions_come_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(*status));
            assert_eq!(Status::from_index(status.index()), Some(*status));
        }
        assert_eq!(Source::ALL.len(), 25, "DESIGN.md lists 25 sources");
    }

    #[test]
    fn ranks_are_a_total_order_over_all_statuses() {
        let mut ranks: Vec<u8> = Status::ALL.iter().map(|status| status.rank()).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (0..11).collect::<Vec<u8>>());
    }
}

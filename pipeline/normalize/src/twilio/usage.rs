//! Twilio usage records: totals of a category over days.
//! <https://www.twilio.com/docs/usage/api/usage-record>
//!
//! Traps: `price` is positive here and negative in a Message resource, and text either way; days
//! are GMT and `end_date` is their last; a record grows until its days are over and later, so the
//! one with the newest `as_of` stands; carriers' fees are categories of their own, while a
//! message's price holds them; categories contain each other (`sms` is the sum of `sms-inbound` and
//! `sms-outbound`, `a2p-10dlc-registrationfees-monthly` of `-campaigncharges` and others,
//! `totalprice` of everything), so what is or may be such a sum is a total, added to nothing; so is
//! a record of more than a day (`Monthly`, `ThisMonth`, `AllTime`): it holds other records' days.
//! Whoever wants numbers and fees in sums loads `Usage/Records/Daily`.
//!
//! | category | kind | grain |
//! |---|---|---|
//! | `…carrierfees`, `…carrier-fees` | carrier_fee | period |
//! | `failed-message-processing-fee` | failed_message_fee | item of a day: no price holds it |
//! | `phonenumbers-…`, `shortcodes-…` | number | item of a day |
//! | `phonenumbers`, `shortcodes` | number | period: sums of the above |
//! | `a2p-…` with an end in [`A2P_LEAVES`] | campaign | item of a day |
//! | any other `a2p-…` | campaign | period: sums of the above |
//! | `sms…`, `mms…`, `channels-…`, `…whatsapp…` | segment or message by `usage_unit` | period |
//! | anything else | other | period |

use model::time::{DAY_US, parse_rfc3339};
use model::vocabulary::{Channel, ChargeKind, DeadReason};

use crate::charge::{ChargeDraft, Figures, Subject};
use crate::date;
use crate::draft::Place;
use crate::emit::Emitter;
use crate::json::Scalar;

use super::json::Item;

/// Fields that only a usage record has.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    category: Scalar<'a>,
    usage: Scalar<'a>,
    pub(super) usage_unit: Scalar<'a>,
    count: Scalar<'a>,
    count_unit: Scalar<'a>,
    start: Scalar<'a>,
    end: Scalar<'a>,
    as_of: Scalar<'a>,
}

impl<'a> Record<'a> {
    pub(super) fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        Some(match key {
            "category" => &mut self.category,
            "usage" => &mut self.usage,
            "count" => &mut self.count,
            "count_unit" => &mut self.count_unit,
            "start_date" => &mut self.start,
            "end_date" => &mut self.end,
            "as_of" => &mut self.as_of,
            _ => return None,
        })
    }

    /// A record without a unit.
    pub(super) const fn is_told(&self) -> bool {
        self.category.is_present() && self.start.is_present()
    }
}

/// Ends of A2P categories that hold no other.
const A2P_LEAVES: [&str; 5] =
    ["-campaigncharges", "-campaignregistration", "-campaignvetting", "-brandregistration", "-bv"];

/// What a category is.
struct Category {
    kind: ChargeKind,
    channel: Channel,
    is_total: bool,
}

fn category(name: &str, unit: &str) -> Category {
    let channel = match name {
        name if name.contains("whatsapp") => Channel::Whatsapp,
        name if name.contains("rcs") => Channel::Rcs,
        name if name.starts_with("channels-messenger") => Channel::Messenger,
        name if name.starts_with("sms") => Channel::Sms,
        name if name.starts_with("mms") => Channel::Mms,
        _ => Channel::Unknown,
    };
    let is_traffic = channel != Channel::Unknown || name.starts_with("channels");
    let (kind, is_total) = match name {
        "failed-message-processing-fee" => (ChargeKind::FailedMessageFee, false),
        name if name.contains("carrierfee") || name.contains("carrier-fee") => {
            (ChargeKind::CarrierFee, true)
        }
        "phonenumbers" | "shortcodes" => (ChargeKind::Number, true),
        name if name.starts_with("phonenumbers") || name.starts_with("shortcodes") => {
            (ChargeKind::Number, false)
        }
        name if name.starts_with("a2p") => {
            (ChargeKind::Campaign, !A2P_LEAVES.iter().any(|leaf| name.ends_with(leaf)))
        }
        _ if is_traffic && unit.starts_with("segment") => (ChargeKind::Segment, true),
        _ if is_traffic => (ChargeKind::Message, true),
        _ => (ChargeKind::Other, true),
    };
    Category { kind, channel, is_total }
}

/// Midnight, GMT.
fn day(text: &str) -> Option<i64> {
    date::parse_day(text).or_else(|| parse_rfc3339(text))
}

pub(super) fn emit(item: &Item<'_>, place: Place<'_>, out: &mut Emitter<'_>) {
    let record = &item.usage;
    let Some(name) = record.category.text() else {
        return out.dead_at(DeadReason::MissingId, format!("{place}/category"));
    };
    let start = out.time(&record.start, day);
    let end = out.time(&record.end, day).map(|last| last.saturating_add(DAY_US));
    // `usage` is what is billed, `count` what was used.
    let (quantity, unit) = match out.figure(&record.usage) {
        Some(usage) => (Some(usage), out.text(&record.usage_unit)),
        None => (out.figure(&record.count), out.text(&record.count_unit)),
    };
    let category = category(name, unit.unwrap_or(""));
    let bytes = [start, end].map(|time| time.unwrap_or(i64::MIN).to_be_bytes());
    let parts: [&[u8]; 3] = [name.as_bytes(), &bytes[0], &bytes[1]];
    let is_a_day = start.zip(end).is_some_and(|(start, end)| end - start == DAY_US);
    let subject = match is_a_day && !category.is_total {
        true => Subject::Item(&parts),
        false => Subject::Period(&parts),
    };
    let amount = out.figure(&item.price);
    let figures = Figures { quantity, unit_price: None, amount };
    let mut charge = ChargeDraft::new(subject, category.kind, figures);
    charge.unit = unit;
    charge.currency = out.text(&item.currency);
    charge.time_us = out.time(&record.as_of, parse_rfc3339);
    charge.period_us = [start, end];
    charge.account = out.text(&item.account);
    charge.sku = Some(name);
    charge.channel = category.channel;
    out.charge(&charge);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_that_may_be_a_sum_of_others_is_a_total() {
        for (name, unit, kind, is_total) in [
            ("sms", "messages", ChargeKind::Message, true),
            ("sms-outbound-longcode", "segments", ChargeKind::Segment, true),
            ("sms-messages-carrierfees", "", ChargeKind::CarrierFee, true),
            ("failed-message-processing-fee", "messages", ChargeKind::FailedMessageFee, false),
            ("phonenumbers", "", ChargeKind::Number, true),
            ("phonenumbers-local", "numbers", ChargeKind::Number, false),
            ("a2p-10dlc-registrationfees-campaignregistration", "", ChargeKind::Campaign, false),
            ("a2p-10dlc-registrationfees-onetime", "", ChargeKind::Campaign, true),
            ("a2p-10dlc-registrationfees-monthly", "", ChargeKind::Campaign, true),
            ("a2p-registration-fees", "usd", ChargeKind::Campaign, true),
            ("channels-whatsapp-outbound", "messages", ChargeKind::Message, true),
            ("channels-messenger-outbound", "messages", ChargeKind::Message, true),
            ("totalprice", "usd", ChargeKind::Other, true),
        ] {
            let found = category(name, unit);
            assert_eq!((found.kind, found.is_total), (kind, is_total), "{name}");
        }
    }

    #[test]
    fn a_category_names_its_channel() {
        for (name, channel) in [
            ("sms-outbound-longcode", Channel::Sms),
            ("mms-outbound", Channel::Mms),
            ("channels-whatsapp-outbound", Channel::Whatsapp),
            ("channels-messenger-outbound", Channel::Messenger),
            ("channels-messenger-inbound", Channel::Messenger),
            ("channels", Channel::Unknown),
            ("totalprice", Channel::Unknown),
        ] {
            assert_eq!(category(name, "messages").channel, channel, "{name}");
        }
    }
}

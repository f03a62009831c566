//! What an adapter says of one charge, and from there to a line of `charge_lines`.
//!
//! ```text
//! Message  keyed by the message of the same id     a carrier's fee, a billing event
//! Item     keyed by what identifies it             a number's rent, a bill of no message
//! Period   the same; a total over messages         usage records: added to nothing
//! ```
//! Figures are read from digits and keep the vendor's sign; what is missing of quantity, price and
//! amount is made of the others where that is exact.

use std::borrow::Cow;

use model::charge::{ChargeLine, charge_id};
use model::keys::Id16;
use model::money::{self, MAX, ONE};
use model::vocabulary::{Basis, Channel, ChargeKind, Grain, Source, TimeSource, TrafficClass};

use crate::codes::{currency_code, not_blank, upper_case};
use crate::draft::Draft;
use crate::emit::Emitter;
use crate::json::Scalar;
use crate::phone::Number;
use crate::recipient::{Needle, Recipient};
use crate::wamid::{self, HiddenId};

/// Units of a message's charge that `track` counts.
const MESSAGE_UNITS: std::ops::RangeInclusive<i128> = 1..=65_535;
/// Unit of a charge whose vendor tells none.
const NO_UNIT: &str = "charge";
/// Longest unit word.
const UNIT_BYTES_MAX: usize = 24;

/// What a charge is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// The message of this id: the same id, `key_part` and `key_id` as its events have.
    Message {
        /// Vendor's message id.
        id: &'a str,
        /// As in [`Draft::key_part`].
        key_part: &'a str,
    },
    /// The message of the event that was emitted last; its id.
    Beside(&'a str),
    /// What these parts identify within source and account.
    Item(&'a [&'a [u8]]),
    /// The same; a total over messages.
    Period(&'a [&'a [u8]]),
    /// What this name and id are within the source: one, whatever account and kind are told with
    /// it.
    Unique(&'static str, &'a str),
}

impl<'a> Subject<'a> {
    const fn message_id(self) -> Option<&'a str> {
        match self {
            Self::Message { id, .. } | Self::Beside(id) => Some(id),
            Self::Item(_) | Self::Unique(..) | Self::Period(_) => None,
        }
    }
}

/// Units, price of one, and cost, in nano.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) quantity: Option<i128>,
    pub(crate) unit_price: Option<i128>,
    pub(crate) amount: Option<i128>,
}

impl Figures {
    /// One unit at this price.
    pub(crate) const fn one(amount: Option<i128>) -> Self {
        Self { quantity: Some(ONE), unit_price: None, amount }
    }

    const fn is_priced(&self) -> bool {
        self.unit_price.is_some() || self.amount.is_some()
    }

    /// Makes what is missing of the rest. A total over messages is of one unit only where it says
    /// so. The flag says that digits were lost.
    fn completed(mut self, is_total: bool) -> (Self, bool) {
        if is_total && self.quantity.is_none() {
            return (self, false);
        }
        let mut is_rounded = false;
        if let (None, Some(price)) = (self.amount, self.unit_price)
            && let Some((amount, rounded)) = money::product(self.quantity.unwrap_or(ONE), price)
        {
            (self.amount, is_rounded) = (Some(amount), rounded);
        }
        if let (None, Some(amount)) = (self.unit_price, self.amount) {
            self.unit_price = exact_price(amount, self.quantity.unwrap_or(ONE));
        }
        (self, is_rounded)
    }

    /// As `track` counts a message's charge: whole units at one price.
    fn of_message(self) -> Self {
        let is_one =
            self.quantity == Some(ONE) && self.amount.is_none_or(|amount| amount.abs() <= MAX);
        if is_one && self.unit_price == self.amount {
            return self;
        }
        let units = self.quantity.filter(|units| units % ONE == 0).map(|units| units / ONE);
        let counts = units.is_some_and(|units| MESSAGE_UNITS.contains(&units));
        let agrees = self.amount.is_none()
            || self.quantity.zip(self.unit_price).and_then(|(q, p)| money::product(q, p))
                == self.amount.map(|amount| (amount, false));
        if counts && agrees {
            return self;
        }
        let price = self.amount.filter(|amount| amount.abs() <= MAX);
        Self { quantity: Some(ONE), unit_price: price, amount: price }
    }
}

/// What a unit costs, where that is a price of nine decimals.
fn exact_price(amount: i128, quantity: i128) -> Option<i128> {
    // The commonest, and i128 has no division of its own.
    if quantity == ONE {
        return (amount.abs() <= MAX).then_some(amount);
    }
    let whole = amount.checked_mul(ONE)?;
    let price = whole.checked_div(quantity)?;
    (whole % quantity == 0 && price.abs() <= MAX).then_some(price)
}

/// One charge in the vendor's words. Text borrows from the payload.
#[derive(Debug, Clone)]
pub(crate) struct ChargeDraft<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) kind: ChargeKind,
    pub(crate) basis: Basis,
    pub(crate) figures: Figures,
    pub(crate) unit: Option<&'a str>,
    pub(crate) currency: Option<&'a str>,
    /// As of when the vendor says so.
    pub(crate) time_us: Option<i64>,
    /// That time's zone was assumed.
    pub(crate) is_local_time: bool,
    /// The vendor says that the figure is final.
    pub(crate) is_final: bool,
    /// Its end is exclusive.
    pub(crate) period_us: [Option<i64>; 2],
    /// The vendor tells how long it is, and not its end.
    pub(crate) has_duration: bool,
    pub(crate) invoice_id: Option<&'a str>,
    pub(crate) sku: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    pub(crate) channel: Channel,
    pub(crate) country: Option<&'a str>,
    pub(crate) carrier: Option<&'a str>,
    pub(crate) traffic_class: TrafficClass,
    /// What tells two lines of one charge apart that say the same: the part of a message.
    pub(crate) part: &'a str,
    /// It repeats the price of the event beside it: each event has a line of its own.
    pub(crate) is_of_event: bool,
    /// Whom it was for: searched for in every text, and shown in none.
    pub(crate) recipient: Option<&'a str>,
}

impl<'a> ChargeDraft<'a> {
    /// A charge of a vendor; the rest is unknown.
    pub(crate) const fn new(subject: Subject<'a>, kind: ChargeKind, figures: Figures) -> Self {
        Self {
            subject,
            kind,
            basis: Basis::Vendor,
            figures,
            unit: None,
            currency: None,
            time_us: None,
            is_local_time: false,
            is_final: false,
            period_us: [None; 2],
            has_duration: false,
            invoice_id: None,
            sku: None,
            account: None,
            channel: Channel::Unknown,
            country: None,
            carrier: None,
            traffic_class: TrafficClass::Unknown,
            part: "",
            is_of_event: false,
            recipient: None,
        }
    }

    /// A charge of the message that an event is of, told beside it: to be emitted after it.
    pub(crate) const fn beside(draft: &Draft<'a>, kind: ChargeKind, amount: Option<i128>) -> Self {
        let mut charge = Self::new(Subject::Beside(draft.message_id), kind, Figures::one(amount));
        charge.currency = draft.currency;
        charge.time_us = draft.event_time_us;
        charge.is_local_time = draft.is_local_time;
        charge.account = draft.account;
        charge.channel = draft.channel;
        charge.country = draft.country;
        charge.traffic_class = draft.traffic_class;
        charge.recipient = draft.recipient;
        charge
    }
}

/// A period by instants: clocks may be put forward or back in one, and it lasts as long.
fn period(draft: &ChargeDraft<'_>, instant: impl Fn(i64) -> i64) -> [Option<i64>; 2] {
    match draft.period_us {
        [Some(start), Some(end)] if draft.has_duration => {
            let began = instant(start);
            [Some(began), Some(began.saturating_add(end - start))]
        }
        other => other.map(|time| time.map(&instant)),
    }
}

/// A vendor's word for a unit, in lower case and singular: `messages` and `message part` are what
/// `message` and `segment` are elsewhere.
fn unit_word<'b>(word: &str, buffer: &'b mut [u8; UNIT_BYTES_MAX]) -> Option<&'b str> {
    let word = word.trim();
    let buffer = buffer.get_mut(..word.len()).filter(|buffer| !buffer.is_empty())?;
    buffer.copy_from_slice(word.as_bytes());
    buffer.make_ascii_lowercase();
    let folded = std::str::from_utf8(buffer).ok()?;
    Some(match folded {
        "message part" | "message parts" | "part" | "parts" => "segment",
        plural => plural.strip_suffix('s').unwrap_or(plural),
    })
}

impl Emitter<'_> {
    /// A charge without a delivery event: an element of its own.
    pub(crate) fn charge(&mut self, draft: &ChargeDraft<'_>) {
        let element = self.next_element();
        self.tally.charges += 1;
        self.push_charge(draft, element);
    }

    /// A charge of the element that was emitted last.
    pub(crate) fn charge_too(&mut self, draft: &ChargeDraft<'_>) {
        self.push_charge(draft, self.element.saturating_sub(1));
    }

    /// A sum or a quantity with its sign.
    pub(crate) fn figure(&mut self, field: &Scalar<'_>) -> Option<i128> {
        let text = self.text(field).map(str::trim).filter(|text| !text.is_empty())?;
        let Some(parsed) = money::parse_sum(text) else {
            self.counters.unreadable_fields += 1;
            return None;
        };
        self.counters.rounded_prices += u64::from(parsed.rounded);
        Some(parsed.nanos.0)
    }

    fn push_charge(&mut self, draft: &ChargeDraft<'_>, element: u32) {
        let source = self.origin.source;
        let recipient = self.recipient(draft.recipient, draft.channel);
        let (figures, is_rounded) =
            draft.figures.completed(matches!(draft.subject, Subject::Period(_)));
        self.counters.rounded_prices += u64::from(is_rounded);
        let (message_key, grain, id) = self.charge_subject(draft);
        let figures = if grain == Grain::Message { figures.of_message() } else { figures };
        let (mut upper, mut iso, mut unit) = ([0; 3], [0; 2], [0; UNIT_BYTES_MAX]);
        let number = recipient.as_ref().and_then(Recipient::number);
        let country = self.charge_country(draft, number, &mut iso);
        let is_beside = matches!(draft.subject, Subject::Beside(_));
        // Taken and given back, as a copy counts references for all threads.
        let carrier = match is_beside {
            true => std::mem::take(&mut self.last_event.carrier),
            false => draft.carrier.and_then(|name| self.carrier(name, country)).into(),
        };
        let hidden_id = self.charge_hidden_id(draft);
        let told_id = self.charge_told_id(draft);
        let account = draft.account.or(self.origin.account);
        // Identities hold times as the vendor writes them, whatever zone is configured.
        let zone = self.regional.accounts.zone(source, account).filter(|_| draft.is_local_time);
        let instant = |local_us| zone.map_or(local_us, |zone| zone.instant(local_us));
        let (event_time_us, event_time_source) =
            self.charge_time(draft, draft.time_us.map(instant));
        // Counted with its event.
        let currency = match is_beside {
            true => draft.currency.and_then(|told| currency_code(told, &mut upper)),
            false => self.told_currency(draft.currency, &mut upper),
        };
        let mut line = ChargeLine {
            line_id: Id16::default(),
            charge_id: id,
            grain,
            source,
            account,
            message_key,
            message_id: hidden_id.as_ref().map(HiddenId::text).or(told_id.as_deref()),
            kind: draft.kind,
            basis: draft.basis,
            quantity: figures.quantity,
            unit: self.unit(draft, &mut unit),
            unit_price: figures.unit_price,
            amount: figures.amount,
            currency,
            event_time_us,
            event_time_source,
            ingest_time_us: self.origin.ingest_time_us,
            is_final: draft.is_final,
            period_us: period(draft, instant),
            invoice_id: draft.invoice_id,
            sku: draft.sku,
            channel: draft.channel,
            country,
            carrier: carrier.name(),
            traffic_class: draft.traffic_class,
            payload_sha256: self.origin.payload_sha256,
            input: self.origin.input,
            offset: self.origin.offset,
            element,
        };
        line.line_id = self.line_id(draft, &line);
        if not_blank(draft.currency).is_none() && figures.is_priced() {
            line.currency = self.configured_currency(account);
        }
        let is_searched = is_beside && self.last_event.is_clean;
        self.push_line(&line, recipient.as_ref(), is_searched);
        if is_beside {
            self.last_event.carrier = carrier;
        }
    }

    /// The country that is told, else that of the event beside it or of the number.
    fn charge_country<'b>(
        &mut self,
        draft: &ChargeDraft<'b>,
        number: Option<&Number>,
        buffer: &'b mut [u8; 2],
    ) -> Option<&'b str> {
        if matches!(draft.subject, Subject::Beside(_)) {
            // What is none was counted with the event.
            let told = draft.country.and_then(|country| upper_case(country, buffer));
            return told.or(self.last_event.country);
        }
        self.told_country(draft.country, buffer).or_else(|| number.and_then(Number::region))
    }

    /// When a line was told, and which time that is.
    fn charge_time(
        &mut self,
        draft: &ChargeDraft<'_>,
        time_us: Option<i64>,
    ) -> (Option<i64>, Option<TimeSource>) {
        let n_replaced = self.counters.replaced_event_times;
        let told = self.told_time((time_us, draft.is_local_time, None));
        if matches!(draft.subject, Subject::Beside(_)) {
            // Counted with its event.
            self.counters.replaced_event_times = n_replaced;
        }
        told
    }

    /// Its message's id as told, without what people put of others into it.
    fn charge_told_id<'d>(&self, draft: &ChargeDraft<'d>) -> Option<Cow<'d, str>> {
        let is_searched = match draft.subject {
            Subject::Beside(_) => self.last_event.has_ids,
            subject => subject.message_id().is_some_and(wamid::may_be_in),
        };
        let id = draft.subject.message_id()?;
        Some(if is_searched { wamid::without_ids(id, self.keyring) } else { Cow::Borrowed(id) })
    }

    /// What stands for its message's id, where that holds a number.
    fn charge_hidden_id(&self, draft: &ChargeDraft<'_>) -> Option<HiddenId> {
        match draft.subject {
            Subject::Message { id, .. } => self.hidden_id(id),
            Subject::Beside(_) if self.last_event.hidden_id.is_some() => self.last_event.hidden_id,
            _ => None,
        }
    }

    fn unit<'b>(
        &self,
        draft: &ChargeDraft<'_>,
        buffer: &'b mut [u8; UNIT_BYTES_MAX],
    ) -> Option<&'b str> {
        let told = draft.unit.and_then(|word| unit_word(word, buffer));
        Some(told.unwrap_or(match draft.kind {
            ChargeKind::Message | ChargeKind::CarrierFee | ChargeKind::FailedMessageFee => {
                ChargeKind::Message.as_str()
            }
            ChargeKind::Segment => ChargeKind::Segment.as_str(),
            ChargeKind::Conversation => ChargeKind::Conversation.as_str(),
            _ => NO_UNIT,
        }))
    }

    /// Its message, what it is about, and the row of `charges` that it speaks of.
    fn charge_subject(&self, draft: &ChargeDraft<'_>) -> (Option<Id16>, Grain, Id16) {
        let account = draft.account.or(self.origin.account).unwrap_or("").as_bytes();
        let kind = draft.kind.as_str().as_bytes();
        let unique;
        let (grain, [account, kind], parts) = match draft.subject {
            Subject::Message { id, key_part } => {
                let key = self.ids.key_of(id, key_part);
                return (Some(key), Grain::Message, charge_id(key, draft.kind));
            }
            Subject::Beside(_) => {
                let key = self.last_event.message_key;
                return (Some(key), Grain::Message, charge_id(key, draft.kind));
            }
            Subject::Item(parts) => (Grain::Item, [account, kind], parts),
            Subject::Unique(name, id) => {
                unique = [name.as_bytes(), id.as_bytes()];
                (Grain::Item, [&[] as &[u8]; 2], unique.as_slice())
            }
            Subject::Period(parts) => (Grain::Period, [account, kind], parts),
        };
        let source = self.origin.source.as_str().as_bytes();
        let head: [&[u8]; 5] = [source, b"charge", account, grain.as_str().as_bytes(), kind];
        let all: Vec<&[u8]> = head.into_iter().chain(parts.iter().copied()).collect();
        (None, grain, self.keyring.message.hash(&all))
    }

    /// What the line says, as of when by the vendor's own clock; receive times do not enter.
    fn line_id(&self, draft: &ChargeDraft<'_>, line: &ChargeLine<'_>) -> Id16 {
        let figures = [line.quantity, line.unit_price, line.amount];
        let (said, wide) =
            said(line.charge_id, (line.is_final, line.basis), figures, draft.time_us);
        let parts: [&[u8]; 6] = [
            &said,
            wide.as_ref().map_or(&[], |wide| wide),
            line.currency.unwrap_or("").as_bytes(),
            line.invoice_id.unwrap_or("").as_bytes(),
            line.sku.unwrap_or("").as_bytes(),
            if draft.is_of_event { &self.last_event.event_id.0 } else { draft.part.as_bytes() },
        ];
        // Of most lines the last are empty, and a hash takes each for its length.
        let used = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
        self.keyring.message.hash(parts.get(..used).unwrap_or(&parts))
    }

    /// Pushes a line with the token in every text that holds the recipient. The message's id may
    /// have been searched with its event.
    fn push_line(
        &mut self,
        line: &ChargeLine<'_>,
        recipient: Option<&Recipient<'_>>,
        is_searched: bool,
    ) {
        let needle = recipient.and_then(|recipient| Some((recipient.needle()?, recipient.token())));
        let texts = [line.message_id, line.account, line.invoice_id, line.sku, line.carrier];
        // An app's own ids are made by its people, and hold numbers as they write them.
        let is_own = line.source == Source::Cloudevents;
        let holding = needle.filter(|(needle, _)| {
            let mut unsearched = texts.iter().skip(usize::from(is_searched)).flatten();
            unsearched
                .any(|text| if is_own { needle.is_spelled_in(text) } else { needle.is_in(text) })
        });
        let Some((needle, token)) = holding else { return self.charges.push(line) };
        let token = token.hex();
        let replaced = if is_own { Needle::replaced } else { Needle::replaced_whole };
        let clean = texts.map(|text| text.map(|text| replaced(&needle, text, &token)));
        let changed = texts.iter().zip(&clean).filter(|(was, is)| **was != is.as_deref());
        self.counters.scrubbed_texts += changed.count() as u64;
        let [message_id, account, invoice_id, sku, carrier] = &clean;
        self.charges.push(&ChargeLine {
            message_id: message_id.as_deref(),
            account: account.as_deref(),
            invoice_id: invoice_id.as_deref(),
            sku: sku.as_deref(),
            carrier: carrier.as_deref(),
            ..line.clone()
        });
    }
}

/// A line's row, time and figures in few bytes, as a hash takes its time for each eight; figures
/// that do not fit them are beside, whole. No two lines have the same.
fn said(
    row: Id16,
    (is_final, basis): (bool, Basis),
    figures: [Option<i128>; 3],
    time_us: Option<i64>,
) -> ([u8; 56], Option<[u8; 48]>) {
    let narrow = figures.map(|figure| figure.map_or(Some(i64::MIN), narrowed));
    let mut said = [0; 56];
    said[..16].copy_from_slice(&row.0);
    said[16..24].copy_from_slice(&time_us.unwrap_or(i64::MIN).to_be_bytes());
    (said[24], said[25]) = (u8::from(is_final), basis.index());
    if let [Some(quantity), Some(unit_price), Some(amount)] = narrow {
        said[32..40].copy_from_slice(&quantity.to_be_bytes());
        said[40..48].copy_from_slice(&unit_price.to_be_bytes());
        said[48..].copy_from_slice(&amount.to_be_bytes());
        return (said, None);
    }
    let [quantity, unit_price, amount] = figures.map(|value| value.unwrap_or(i128::MIN));
    let mut wide = [0; 48];
    wide[..16].copy_from_slice(&quantity.to_be_bytes());
    wide[16..32].copy_from_slice(&unit_price.to_be_bytes());
    wide[32..].copy_from_slice(&amount.to_be_bytes());
    (said, Some(wide))
}

/// A figure in eight bytes; the lowest stands for none.
fn narrowed(figure: i128) -> Option<i64> {
    i64::try_from(figure).ok().filter(|figure| *figure != i64::MIN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_missing_of_the_figures_is_made_of_the_rest() {
        let of = |quantity, unit_price, amount| Figures { quantity, unit_price, amount };
        let whole = of(Some(1_500 * ONE), Some(7_500_000), Some(11_250_000_000));
        assert_eq!(of(whole.quantity, whole.unit_price, None).completed(false), (whole, false));
        assert_eq!(of(whole.quantity, None, whole.amount).completed(false), (whole, false));
        let third = of(Some(3 * ONE), None, Some(ONE));
        assert_eq!(third.completed(false).0.unit_price, None, "a third has no nine decimals");
        let told = of(Some(450 * ONE), Some(8_900_000), Some(4_010_000_000));
        assert_eq!(
            told.completed(false),
            (told, false),
            "the vendor's total stands, rounded or not"
        );
        assert_eq!(of(Some(0), None, Some(0)).completed(false).0.unit_price, None);
        let unread = of(None, Some(ONE), None);
        assert_eq!(unread.completed(true), (unread, false), "of how many is not known");
        assert_eq!(unread.completed(false).0.amount, Some(ONE));
    }

    #[test]
    fn a_messages_units_are_whole_or_there_is_one() {
        let of = |quantity, unit_price, amount| Figures { quantity, unit_price, amount };
        let two = of(Some(2 * ONE), Some(5), Some(10));
        assert_eq!(two.of_message(), two);
        let half = of(Some(ONE / 2), Some(10), Some(5));
        assert_eq!(half.of_message(), of(Some(ONE), Some(5), Some(5)));
        let rounded = of(Some(3 * ONE), Some(5), Some(16));
        assert_eq!(rounded.of_message(), of(Some(ONE), Some(16), Some(16)));
        let untold = of(Some(ONE), None, None);
        assert_eq!(untold.of_message(), untold);
    }

    #[test]
    fn lines_that_differ_in_anything_say_something_else() {
        let least = i128::from(i64::MIN);
        let values = [None, Some(0), Some(5), Some(least), Some(least - 1), Some(i128::MIN + 1)];
        let mut seen = BTreeSet::new();
        let (row, told, nothing) = (Id16::default(), (false, Basis::Vendor), [None; 3]);
        for at in 0..values.len().pow(3) {
            let figures = [at / 36, at / 6 % 6, at % 6].map(|at| values[at]);
            assert!(seen.insert(said(row, told, figures, None)), "{figures:?}");
        }
        assert!(seen.insert(said(row, (true, Basis::Vendor), nothing, None)));
        assert!(seen.insert(said(row, (false, Basis::Invoice), nothing, None)));
        assert!(seen.insert(said(Id16([1; 16]), told, nothing, None)));
        assert!(seen.insert(said(row, told, nothing, Some(0))));
    }

    #[test]
    fn units_have_one_word_whatever_vendors_call_them() {
        let unit = |word| unit_word(word, &mut [0; UNIT_BYTES_MAX]).map(str::to_owned);
        for (word, expected) in [
            ("message part", Some("segment")),
            ("Segments", Some("segment")),
            ("messages", Some("message")),
            ("  ", None),
            ("tokens", Some("token")),
            ("a unit of more than twenty-four bytes", None),
        ] {
            assert_eq!(unit(word).as_deref(), expected, "{word}");
        }
    }
}

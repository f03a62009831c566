//! From a draft to a row of an event (of a charge: `charge`): times, ids, recipient, and what may
//! not leave (P5).
//!
//! - A recipient becomes a token: keyed hash of the digits (one person, one token over vendors) or
//!   of the user id or device token. Shown is the number without its last four digits.
//! - Every free text is searched for the recipient; where it holds it, the token stands instead.
//! - WhatsApp ids are base64 around the number: those become `wamid:` and a keyed hash.

use std::cmp::Ordering;
use std::sync::Arc;

use model::charge::ChargeBatchBuilder;
use model::dead_letter::DeadLetter;
use model::event::{EventBatchBuilder, EventRow};
use model::keys::{Id16, Keyring};
use model::money::{self, Nanos};
use model::time::MINUTE_US;
use model::vocabulary::{Channel, DeadReason, PriceUnit, Source, Status, TimeSource};

use crate::carriers::KnownCarriers;
use crate::counters::Counters;
use crate::draft::{Dead, Draft, Outcome, error_class, receipt_class, security};
use crate::drift::Drift;
use crate::fanout::Room;
use crate::ids::SourceIds;
use crate::json::Scalar;
use crate::network::{self, Carrier, derived_country};
use crate::normalizer::Tally;
use crate::operators::{self, Operator};
use crate::phone::Number;
use crate::recipient::{LastRecipient, Needle, Recipient};
use crate::regional::Regional;
use crate::signature::Verdict;
use crate::wamid::{self, HiddenId, hidden_id, is_whatsapp_id};

/// How far ahead of the ingest time a vendor's clock may be.
const AHEAD_MAX_US: i64 = 5 * MINUTE_US;

/// Dead letters of one record beside one for each [`DEAD_BYTES`]: no vendor's element is so short,
/// and of `[1,1,1,…` the letters would take a hundred times the payload.
const DEAD_MAX: usize = 256;
const DEAD_BYTES: usize = 64;
/// The same of a small record, since a batch may have thousands of them.
const DEAD_MAX_SMALL: usize = 16;
const DEAD_BYTES_SMALL: usize = 16;

/// How many dead letters a record of so many bytes may give.
pub(crate) fn dead_max(bytes: usize) -> usize {
    let of_small = DEAD_MAX_SMALL + bytes / DEAD_BYTES_SMALL;
    of_small.min(DEAD_MAX + bytes / DEAD_BYTES)
}

/// What all elements of a record share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) source: Source,
    /// Header's account, else the input's.
    pub(crate) account: Option<&'a str>,
    pub(crate) ingest_time_us: Option<i64>,
    /// Where the ingest time comes from: broker or header.
    pub(crate) ingest_clock: TimeSource,
    pub(crate) payload_sha256: &'a [u8; 32],
    pub(crate) verdict: Verdict,
    pub(crate) input: u32,
    pub(crate) offset: i64,
}

/// Takes the elements of one record, in document order.
#[derive(Debug)]
pub(crate) struct Emitter<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) keyring: &'a Keyring,
    pub(crate) ids: &'a SourceIds,
    pub(crate) regional: &'a Regional,
    pub(crate) builder: &'a mut EventBatchBuilder,
    pub(crate) charges: &'a mut ChargeBatchBuilder,
    pub(crate) dead: &'a mut Vec<DeadLetter>,
    pub(crate) counters: &'a mut Counters,
    pub(crate) last_recipient: &'a mut LastRecipient,
    pub(crate) known_carriers: &'a mut KnownCarriers,
    pub(crate) last_event: LastEvent<'a>,
    /// Told of fields that no adapter knows.
    pub(crate) drift: &'a Drift,
    pub(crate) tally: &'a mut Tally,
    /// Dead letters of the batch at which this record has given all it may.
    pub(crate) dead_end: usize,
    /// Bytes that compressed parts of the record may still unpack to.
    pub(crate) unpack_left: usize,
    /// Steps that looking for recipients in what they share may still take.
    pub(crate) search_left: usize,
    /// For the texts of its events.
    pub(crate) texts: Room,
    /// Which file of a compressed record is read.
    pub(crate) unpacked_file: Option<usize>,
    /// Running index of the next element.
    pub(crate) element: u32,
}

/// What was made of the event that was emitted last: charges beside it are of the same message.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastEvent<'a> {
    pub(crate) message_key: Id16,
    pub(crate) event_id: Id16,
    /// Stands for its id, where that holds a number.
    pub(crate) hidden_id: Option<HiddenId>,
    /// Its recipient stands in none of its texts.
    pub(crate) is_clean: bool,
    /// Its texts may hold ids of WhatsApp's.
    pub(crate) has_ids: bool,
    /// Of its recipient's number or its network, where it tells no country.
    pub(crate) country: Option<&'static str>,
    pub(crate) carrier: Carrier<'a>,
}

/// What people write of a row: id, reference, sender and campaign.
fn texts_of<'r>(row: &EventRow<'r>) -> [Option<&'r str>; 4] {
    [Some(row.message_id), row.logical_id, row.sender, row.campaign]
}

impl LastEvent<'_> {
    /// By cases: copying an empty `Option` of its size whole is slow.
    fn hide(&mut self, hidden_id: Option<HiddenId>) {
        match hidden_id {
            Some(hidden) => self.hidden_id = Some(hidden),
            None => self.hidden_id = None,
        }
    }
}

impl<'e> Emitter<'e> {
    pub(crate) fn next_element(&mut self) -> u32 {
        let element = self.element;
        self.element = self.element.saturating_add(1);
        self.tally.elements += 1;
        element
    }

    /// An element that is recognised and no delivery event.
    pub(crate) fn ignored(&mut self, kind: &'static str) {
        self.next_element();
        self.tally.ignored += 1;
        *self.counters.ignored.entry((Some(self.origin.source), kind)).or_insert(0) += 1;
    }

    /// An element that cannot be read. Of too many in a record the rest are one: the last letter.
    pub(crate) fn dead(&mut self, mut dead: Dead) {
        match self.dead.len().cmp(&self.dead_end) {
            Ordering::Less => {}
            Ordering::Equal => {
                dead = Dead::new(DeadReason::TooLarge, "too many dead letters: the rest are one");
            }
            Ordering::Greater => {
                self.element = self.element.saturating_add(1);
                return;
            }
        }
        let element = self.next_element();
        self.tally.dead += 1;
        if self.dead.len() == self.dead.capacity() {
            self.dead.reserve_exact(self.dead.len() / 4 + 4);
        }
        self.dead.push(DeadLetter {
            source: Some(self.origin.source),
            input: self.origin.input,
            offset: self.origin.offset,
            element,
            reason: dead.reason,
            detail: self.place_of(dead.detail),
            payload_sha256: *self.origin.payload_sha256,
            ingest_time_us: self.origin.ingest_time_us,
        });
    }

    fn place_of(&self, detail: String) -> String {
        let detail = if detail.is_empty() { "/".to_owned() } else { detail };
        match self.unpacked_file {
            Some(file) => format!("unpacked file {file}: {detail}"),
            None => detail,
        }
    }

    /// So many bytes more to read: they may give as many dead letters as if they had come so.
    pub(crate) fn unpacked(&mut self, bytes: usize) {
        self.unpack_left -= bytes;
        self.dead_end += dead_max(bytes);
        self.texts.grow(bytes);
    }

    /// A dead letter for a part of the payload.
    pub(crate) fn dead_at(&mut self, reason: DeadReason, path: impl Into<String>) {
        self.dead(Dead::new(reason, path));
    }

    /// Text of an optional field; another type is counted.
    pub(crate) fn text<'s>(&mut self, field: &'s Scalar<'_>) -> Option<&'s str> {
        self.counters.unreadable_fields += u64::from(field.is_unreadable());
        field.text()
    }

    /// A time in an optional field; what cannot be read is counted.
    pub(crate) fn time(
        &mut self,
        field: &Scalar<'_>,
        parse: impl Fn(&str) -> Option<i64>,
    ) -> Option<i64> {
        let text = self.text(field)?;
        // The zeros of programs' clocks are none, in whatever era.
        let time = parse(text).filter(|time_us| *time_us > 0);
        self.counters.unreadable_fields += u64::from(time.is_none());
        time
    }

    /// Billable parts; vendors write 0 where they do not know yet.
    pub(crate) fn segments(&mut self, field: &Scalar<'_>) -> Option<u16> {
        self.text(field)?;
        let parts = field.parts();
        self.counters.unreadable_fields += u64::from(parts.is_none());
        parts.filter(|parts| *parts > 0)
    }

    /// A price of one part; none where it is told of how many and cannot be read: it would be made
    /// up.
    pub(crate) fn price_of_part(
        &mut self,
        price: &Scalar<'_>,
        parts: &Scalar<'_>,
    ) -> Option<Nanos> {
        let can_be_counted = match parts.text() {
            Some(_) => parts.parts().is_some(),
            None => !parts.is_unreadable(),
        };
        self.price(price).filter(|_| can_be_counted)
    }

    /// A status that no table knows: the event is `unknown` and not final, its word is kept.
    pub(crate) fn unknown_status(&mut self) -> Outcome {
        *self.counters.unknown_statuses.entry(self.origin.source).or_default() += 1;
        Outcome::open(Status::Unknown)
    }

    /// A price, made positive.
    pub(crate) fn price(&mut self, field: &Scalar<'_>) -> Option<Nanos> {
        let Some(parsed) = money::parse(self.text(field)?.trim_ascii()) else {
            self.counters.unreadable_fields += 1;
            return None;
        };
        self.counters.rounded_prices += u64::from(parsed.rounded);
        Some(Nanos(parsed.nanos.0.abs()))
    }

    /// A row of an event: see [`Emitter::event`].
    pub(crate) fn push_event(&mut self, draft: &Draft<'_>) {
        let element = self.next_element();
        self.tally.events += 1;
        let recipient = self.recipient(draft.recipient, draft.channel);
        let (event_time_us, event_time_source, submit_time_us) = self.times(draft);
        let message_key = self.ids.message_key(draft);
        let (mut upper, mut iso) = ([0; 3], [0; 2]);
        let number = recipient.as_ref().and_then(Recipient::number);
        let told = self.told_country(draft.country, &mut iso);
        let operator = draft.mcc.zip(draft.mnc).and_then(|(mcc, mnc)| operators::find(mcc, mnc));
        let derived = if told.is_none() { derived_country(draft, number, operator) } else { None };
        let country = told.or(derived);
        let carrier = self.carrier_of(draft, country, operator.as_ref());
        let hidden_id = self.hidden_id(draft.message_id);
        let event_id = self.ids.event_id(draft, message_key);
        let row = EventRow {
            event_id,
            source: self.origin.source,
            account: draft.account.or(self.origin.account),
            message_id: hidden_id.as_ref().map_or(draft.message_id, HiddenId::text),
            message_key,
            logical_id: draft.logical_id,
            channel: draft.channel,
            status: draft.status,
            is_final: draft.is_final,
            receipt_class: receipt_class(self.origin.source, draft.channel),
            vendor_status: draft.vendor_status,
            error_code: draft.error_code,
            error_class: error_class(draft),
            event_time_us,
            submit_time_us,
            ingest_time_us: self.origin.ingest_time_us,
            event_time_source,
            recipient_token: recipient.as_ref().map(Recipient::token),
            token_key_id: recipient.as_ref().map(|_| self.keyring.token_key_id),
            recipient_prefix: number.and_then(Number::prefix),
            country,
            mcc: draft.mcc.filter(|code| code.len() == 3),
            mnc: draft.mnc,
            carrier: carrier.name(),
            sender: draft.sender,
            traffic_class: draft.traffic_class,
            campaign: draft.campaign,
            segments: draft.segments,
            security: security(draft.channel),
            price: draft.price,
            price_unit: draft.price.map_or(PriceUnit::None, |_| draft.price_unit),
            currency: self.currency(draft, &mut upper),
            payload_sha256: self.origin.payload_sha256,
            verified: self.origin.verdict.verified,
            verified_reason: self.origin.verdict.reason,
            input: self.origin.input,
            offset: self.origin.offset,
            element,
        };
        let needle = recipient.as_ref().and_then(Recipient::needle).zip(row.recipient_token);
        self.last_event.has_ids = texts_of(&row).into_iter().flatten().any(wamid::may_be_in);
        let is_clean = match self.last_event.has_ids {
            true => self.push_without_ids(&row, needle),
            false => self.push(&row, needle),
        };
        (self.last_event.message_key, self.last_event.event_id) = (message_key, event_id);
        self.last_event.is_clean = is_clean;
        self.last_event.country = derived;
        self.last_event.carrier = carrier;
        self.last_event.hide(hidden_id);
    }

    /// Who carries a message: by name, else by network.
    fn carrier_of(
        &mut self,
        draft: &Draft<'_>,
        country: Option<&str>,
        operator: Option<&Operator>,
    ) -> Carrier<'e> {
        if let Some(told) = draft.carrier.and_then(|name| self.carrier(name, country)) {
            return Carrier::Told(told);
        }
        let regional: &'e Regional = self.regional;
        network::of_codes(operator, draft.mcc.zip(draft.mnc), &regional.carriers)
    }

    /// The one name of a carrier that is told.
    pub(crate) fn carrier(&mut self, told: &str, country: Option<&str>) -> Option<Arc<str>> {
        self.known_carriers.canonical(&self.regional.carriers, told, country)
    }

    /// What stands for a message's id, where WhatsApp gave it and it holds a number.
    pub(crate) fn hidden_id(&self, id: &str) -> Option<HiddenId> {
        let is_whatsapps = self.origin.source == Source::Whatsapp || is_whatsapp_id(id);
        is_whatsapps.then(|| hidden_id(id, self.keyring)).flatten()
    }

    pub(crate) fn recipient<'r>(
        &mut self,
        text: Option<&'r str>,
        channel: Channel,
    ) -> Option<Recipient<'r>> {
        let whose = (self.origin.source, channel);
        text.map(|text| Recipient::new(text, whose, self.keyring, self.last_recipient))
    }

    /// Event time, where it comes from, and submit time.
    fn times(&mut self, draft: &Draft<'_>) -> (Option<i64>, Option<TimeSource>, Option<i64>) {
        let (event_us, submit_us) = self.instants(draft);
        let (event_us, source) = self.event_time(draft, event_us);
        let submit_us = self.submit_time(submit_us);
        let is_local = source == Some(TimeSource::VendorLocal);
        let is_negative = submit_us.is_some_and(|submit| event_us < Some(submit));
        self.counters.negative_local_latencies += u64::from(is_local && is_negative);
        (event_us, source, submit_us)
    }

    /// Event and submit time with local times read by the zone of their account. Identities hold
    /// the times as the vendor writes them: they do not depend on what is configured.
    fn instants(&self, draft: &Draft<'_>) -> (Option<i64>, Option<i64>) {
        if !draft.is_local_time && !draft.is_local_submit {
            return (draft.event_time_us, draft.submit_time_us);
        }
        let account = draft.account.or(self.origin.account);
        let zone = self.regional.accounts.zone(self.origin.source, account);
        let instant = |local: i64| match zone {
            Some(zone) => zone.instant(local),
            None => local - draft.assumed_offset_us,
        };
        let told = |time: Option<i64>, is_local| if is_local { time.map(instant) } else { time };
        (
            told(draft.event_time_us, draft.is_local_time),
            told(draft.submit_time_us, draft.is_local_submit),
        )
    }

    /// The vendor's time, else a header's, else the ingest time; never far ahead of the latter.
    fn event_time(
        &mut self,
        draft: &Draft<'_>,
        vendor_us: Option<i64>,
    ) -> (Option<i64>, Option<TimeSource>) {
        self.told_time((vendor_us, draft.is_local_time, draft.header_time_us))
    }

    pub(crate) fn told_time(
        &mut self,
        (time_us, is_local, header_us): (Option<i64>, bool, Option<i64>),
    ) -> (Option<i64>, Option<TimeSource>) {
        let vendor = if is_local { TimeSource::VendorLocal } else { TimeSource::Vendor };
        let ingest = self.origin.ingest_time_us;
        let told = match (time_us, header_us) {
            (Some(time), _) => Some((time, vendor)),
            (None, Some(time)) => Some((time, TimeSource::Header)),
            (None, None) => None,
        };
        match (told, ingest) {
            (Some((time, _)), Some(ingest)) if time > ingest.saturating_add(AHEAD_MAX_US) => {
                self.counters.replaced_event_times += 1;
                (Some(ingest), Some(TimeSource::Replaced))
            }
            (Some((time, source)), _) => (Some(time), Some(source)),
            (None, Some(ingest)) => (Some(ingest), Some(self.origin.ingest_clock)),
            (None, None) => (None, None),
        }
    }

    fn submit_time(&mut self, told_us: Option<i64>) -> Option<i64> {
        let submit = told_us?;
        match self.origin.ingest_time_us {
            Some(ingest) if submit > ingest.saturating_add(AHEAD_MAX_US) => {
                self.counters.dropped_submit_times += 1;
                None
            }
            _ => Some(submit),
        }
    }

    /// Pushes a row whose texts may hold WhatsApp's ids, which hold a number.
    #[cold]
    fn push_without_ids(&mut self, row: &EventRow<'_>, needle: Option<(Needle<'_>, Id16)>) -> bool {
        let [message_id, logical_id, sender, campaign] =
            texts_of(row).map(|text| text.map(|text| wamid::without_ids(text, self.keyring)));
        let row = EventRow {
            message_id: message_id.as_deref().unwrap_or_default(),
            logical_id: logical_id.as_deref(),
            sender: sender.as_deref(),
            campaign: campaign.as_deref(),
            ..row.clone()
        };
        self.push(&row, needle)
    }

    /// Pushes the row without its recipient; tells whether no text held it.
    fn push(&mut self, row: &EventRow<'_>, needle: Option<(Needle<'_>, Id16)>) -> bool {
        let Some((needle, token)) = needle else {
            self.builder.push(row);
            return true;
        };
        self.push_scrubbed(row, needle, token)
    }

    /// Pushes the row with the token in every text that holds the recipient; tells whether none
    /// does.
    fn push_scrubbed(&mut self, row: &EventRow<'_>, needle: Needle<'_>, token: Id16) -> bool {
        let texts = [
            Some(row.message_id),
            row.account,
            row.carrier,
            row.logical_id,
            row.vendor_status,
            row.error_code,
            row.sender,
            row.campaign,
        ];
        // People write the last five; ids of vendors and accounts, and names of carriers, hold
        // digits in one piece. An app's own event has an id that its people made.
        let n_whole = if row.source == Source::Cloudevents { 0 } else { 3 };
        let (ids, free) = texts.split_at(n_whole);
        let is_clean = !ids.iter().flatten().any(|text| needle.is_in(text))
            && !free.iter().flatten().any(|text| needle.is_spelled_in(text));
        if is_clean {
            self.builder.push(row);
            return true;
        }
        let token = token.hex();
        let mut clean: [Option<String>; 8] = [const { None }; 8];
        for (at, (clean, text)) in clean.iter_mut().zip(texts).enumerate() {
            let replaced = if at < n_whole { Needle::replaced_whole } else { Needle::replaced };
            *clean = text.map(|text| replaced(&needle, text, &token));
        }
        let changed = texts.iter().zip(&clean).filter(|(was, is)| **was != is.as_deref());
        self.counters.scrubbed_texts += changed.count() as u64;
        let clean = |at: usize| clean.get(at).and_then(Option::as_deref);
        self.builder.push(&EventRow {
            message_id: clean(0).unwrap_or(""),
            account: clean(1),
            carrier: clean(2),
            logical_id: clean(3),
            vendor_status: clean(4),
            error_code: clean(5),
            sender: clean(6),
            campaign: clean(7),
            ..row.clone()
        });
        false
    }
}

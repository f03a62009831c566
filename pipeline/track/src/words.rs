//! What the small integers of a run stand for, as bytes, and from one interner into another.
//!
//! Ids are of one process; a run carries the words, so another process gives them ids of its own.

use model::vocabulary::{
    Basis, Channel, ChargeKind, ErrorClass, PriceUnit, ReceiptClass, Source, TrafficClass,
};

use crate::facet::{Facet, Interner, Price, TextId};
use crate::fold::Event;
use crate::record::push_varint;

/// In place of a price: there is none. No price is as low.
const UNPRICED: i128 = i128::MIN;

/// Not looked up yet.
const UNKNOWN: u32 = u32::MAX;

/// How words are written.
pub(crate) const VERSION: u8 = FORMAT_4;
/// Since format 4 prices have a basis and may be of a line.
pub(crate) const FORMAT_4: u8 = 2;

/// Ids of one interner as those of another, looked up once each.
#[derive(Debug, Default)]
pub(crate) struct Translation {
    facets: Vec<u32>,
    prices: Vec<u32>,
}

/// The entry of an id; the table grows to hold it.
fn entry(table: &mut Vec<u32>, id: u32) -> &mut u32 {
    let at = id as usize;
    if at >= table.len() {
        table.resize(at + 1, UNKNOWN);
    }
    &mut table[at]
}

impl Translation {
    /// Everything at once.
    pub(crate) fn of_all(from: &Interner, to: &mut Interner) -> Self {
        let facets = from.facets().iter().map(|facet| facet_in(facet, from, to)).collect();
        let none = std::iter::once(0);
        let prices = none.chain(from.prices().iter().map(|price| price_in(price, from, to)));
        Self { facets, prices: prices.collect() }
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        (self.facets.capacity() + self.prices.capacity()) * 4
    }

    /// Gives events of one interner the ids of another. False where an id is of neither.
    pub(crate) fn translate(
        &mut self,
        events: &mut [Event],
        from: &Interner,
        to: &mut Interner,
    ) -> bool {
        for event in events {
            let facet = entry(&mut self.facets, event.facet);
            if *facet == UNKNOWN {
                let Some(known) = from.facets().get(event.facet as usize) else { return false };
                *facet = facet_in(known, from, to);
            }
            event.facet = *facet;
            let price = entry(&mut self.prices, event.price);
            if *price == UNKNOWN {
                let known = from.price_of(event.price);
                *price = known.map_or(0, |price| price_in(price, from, to));
            }
            event.price = *price;
        }
        true
    }

    /// The same where everything was looked up. False where an id is unknown.
    pub(crate) fn apply(&self, events: &mut [Event]) -> bool {
        for event in events {
            let facet = self.facets.get(event.facet as usize);
            let price = self.prices.get(event.price as usize);
            let (Some(facet), Some(price)) = (facet, price) else { return false };
            (event.facet, event.price) = (*facet, *price);
        }
        true
    }
}

fn text_in(id: TextId, from: &Interner, to: &mut Interner) -> TextId {
    to.optional(from.resolve(id))
}

fn facet_in(facet: &Facet, from: &Interner, to: &mut Interner) -> u32 {
    let facet = Facet {
        carrier: text_in(facet.carrier, from, to),
        country: text_in(facet.country, from, to),
        error_code: text_in(facet.error_code, from, to),
        ..*facet
    };
    to.facet(facet)
}

fn price_in(price: &Price, from: &Interner, to: &mut Interner) -> u32 {
    let (currency, sku) = (text_in(price.currency, from, to), text_in(price.sku, from, to));
    to.price(Some(Price { currency, sku, ..*price }))
}

/// The words of an interner as bytes.
pub(crate) fn write(words: &Interner) -> Vec<u8> {
    let mut out = Vec::new();
    // The first text is the empty one of every interner.
    let texts = words.texts().get(1..).unwrap_or_default();
    push_varint(&mut out, texts.len() as u64);
    for text in texts {
        push_varint(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    push_varint(&mut out, words.facets().len() as u64);
    for facet in words.facets() {
        out.extend_from_slice(&[
            facet.source.index(),
            facet.channel.index(),
            facet.traffic_class.index(),
            facet.receipt_class.index(),
            facet.error_class.index(),
        ]);
        for text in [facet.carrier, facet.country, facet.error_code] {
            push_varint(&mut out, u64::from(text.0));
        }
    }
    push_varint(&mut out, words.prices().len() as u64);
    for price in words.prices() {
        out.extend_from_slice(&price.nanos.unwrap_or(UNPRICED).to_le_bytes());
        out.extend_from_slice(&[price.kind.index(), price.basis.index()]);
        push_varint(&mut out, u64::from(price.currency.0));
        push_varint(&mut out, u64::from(price.sku.0));
    }
    out
}

/// Reads bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self) -> Option<u32> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take(1)? else { return None };
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    fn price(&mut self, words: &Interner) -> Option<Price> {
        let nanos = i128::from_le_bytes(self.take(16)?.try_into().ok()?);
        let [kind, basis] = self.take(2)? else { return None };
        Some(Price {
            nanos: (nanos != UNPRICED).then_some(nanos),
            kind: ChargeKind::from_index(*kind)?,
            basis: Basis::from_index(*basis)?,
            currency: self.text(words)?,
            sku: self.text(words)?,
        })
    }

    fn old_price(&mut self, words: &Interner) -> Option<Price> {
        let nanos = i128::from_le_bytes(self.take(16)?.try_into().ok()?);
        let [unit] = self.take(1)? else { return None };
        let kind = match PriceUnit::from_index(*unit)? {
            PriceUnit::Segment => ChargeKind::Segment,
            _ => ChargeKind::Message,
        };
        let currency = self.text(words)?;
        Some(Price { nanos: Some(nanos), kind, basis: Basis::Vendor, currency, sku: TextId(0) })
    }

    fn text(&mut self, words: &Interner) -> Option<TextId> {
        let id = self.number()?;
        ((id as usize) < words.texts().len()).then_some(TextId(id))
    }
}

/// The words back, with the ids that they had; `None` where the bytes are no words. In version 1 a
/// price was of a message or a segment and always the vendor's.
pub(crate) fn read(bytes: &[u8], version: u8) -> Option<Interner> {
    let mut reader = Reader(bytes);
    let mut words = Interner::default();
    for _ in 0..reader.number()? {
        let length = reader.number()? as usize;
        words.text(std::str::from_utf8(reader.take(length)?).ok()?);
    }
    for _ in 0..reader.number()? {
        let [source, channel, class, receipt, error] = reader.take(5)? else { return None };
        let facet = Facet {
            source: Source::from_index(*source)?,
            channel: Channel::from_index(*channel)?,
            traffic_class: TrafficClass::from_index(*class)?,
            receipt_class: ReceiptClass::from_index(*receipt)?,
            error_class: ErrorClass::from_index(*error)?,
            carrier: reader.text(&words)?,
            country: reader.text(&words)?,
            error_code: reader.text(&words)?,
        };
        words.facet(facet);
    }
    for _ in 0..reader.number()? {
        let price = if version == 1 { reader.old_price(&words)? } else { reader.price(&words)? };
        words.price(Some(price));
    }
    reader.0.is_empty().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(carriers: &[&str]) -> Interner {
        let mut words = Interner::default();
        for carrier in carriers {
            let carrier = words.text(carrier);
            words.facet(Facet {
                source: Source::Infobip,
                channel: Channel::Sms,
                traffic_class: TrafficClass::Otp,
                receipt_class: ReceiptClass::Handset,
                error_class: ErrorClass::None,
                carrier,
                country: TextId(0),
                error_code: TextId(0),
            });
        }
        let currency = words.text("EUR");
        let sku = words.text("marketing/regular");
        let price = Price {
            nanos: Some(-7),
            kind: ChargeKind::Segment,
            basis: Basis::Vendor,
            currency,
            sku: TextId(0),
        };
        words.price(Some(price));
        let untold = Price { nanos: None, kind: ChargeKind::Conversation, sku, ..price };
        words.price(Some(Price { basis: Basis::Estimated, ..untold }));
        words
    }

    #[test]
    fn words_come_back_with_their_ids() {
        let words = filled(&["o2", "ee", "Vodafone Ελλάς"]);
        let again = read(&write(&words), VERSION).unwrap();
        assert_eq!((again.facets(), again.prices()), (words.facets(), words.prices()));
        assert_eq!(again.texts(), words.texts());
    }

    #[test]
    fn prices_of_the_first_version_are_read() {
        let mut bytes = vec![1, 3];
        bytes.extend_from_slice(b"EUR");
        bytes.extend_from_slice(&[0, 2]);
        for unit in [PriceUnit::Message, PriceUnit::Segment] {
            bytes.extend_from_slice(&5_i128.to_le_bytes());
            bytes.extend_from_slice(&[unit.index(), 1]);
        }
        let words = read(&bytes, 1).unwrap();
        let kinds: Vec<ChargeKind> = words.prices().iter().map(|price| price.kind).collect();
        assert_eq!(kinds, [ChargeKind::Message, ChargeKind::Segment]);
        assert!(words.prices().iter().all(|p| p.nanos == Some(5) && p.basis == Basis::Vendor));
        assert_eq!(read(&bytes, VERSION).map(|words| words.prices().len()), None);
    }

    #[test]
    fn words_cut_anywhere_are_none() {
        let bytes = write(&filled(&["o2"]));
        assert!((0..bytes.len()).all(|length| read(&bytes[..length], VERSION).is_none()));
    }

    #[test]
    fn events_keep_their_words_in_another_interner() {
        let (from, mut to) = (filled(&["o2", "ee"]), filled(&["vivo", "ee"]));
        let event = |facet, price| Event {
            id: 0,
            time_us: 0,
            submit_us: 0,
            facet,
            price,
            segments: 0,
            status: model::vocabulary::Status::Sent,
            flags: 0,
        };
        let was = [event(0, 1), event(1, 0)];
        let (mut lazy, mut eager) = (was, was);
        assert!(Translation::default().translate(&mut lazy, &from, &mut to));
        assert!(Translation::of_all(&from, &mut to).apply(&mut eager));
        assert_eq!(lazy, eager);
        let carrier = |event: &Event| to.resolve(to.facet_of(event.facet).carrier);
        assert_eq!([carrier(&lazy[0]), carrier(&lazy[1])], [Some("o2"), Some("ee")]);
        assert_eq!(to.price_of(lazy[0].price).map(|price| price.nanos), Some(Some(-7)));
        assert_eq!(lazy[1].price, 0);
        assert!(!Translation::default().translate(&mut [event(9, 0)], &from, &mut to));
    }
}

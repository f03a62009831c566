//! Interning: the words of an event as small integers, so that an event is a few bytes.
//!
//! Ids are of this process only; whatever is stored carries the words themselves.

use hashbrown::HashMap;
use model::vocabulary::{
    Basis, Channel, ChargeKind, ErrorClass, ReceiptClass, Source, TrafficClass,
};

/// Id of a text; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct TextId(pub u32);

/// What an event says beside its status and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facet {
    /// Vendor.
    pub source: Source,
    /// Channel; `Unknown` gives none.
    pub channel: Channel,
    /// Traffic class; `Unknown` gives none.
    pub traffic_class: TrafficClass,
    /// What a receipt proves.
    pub receipt_class: ReceiptClass,
    /// Class of the error.
    pub error_class: ErrorClass,
    /// Carrier.
    pub carrier: TextId,
    /// Country.
    pub country: TextId,
    /// Error code.
    pub error_code: TextId,
}

/// The price of a unit, as an event or a line of a bill tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Price {
    /// Nano units of the currency; none where units are charged and no price is told.
    pub nanos: Option<i128>,
    /// What it is for.
    pub kind: ChargeKind,
    /// How certain it is.
    pub basis: Basis,
    /// Currency.
    pub currency: TextId,
    /// The vendor's price list entry.
    pub sku: TextId,
}

/// The dimensions of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    /// Vendor.
    pub source: Source,
    /// Channel.
    pub channel: Channel,
    /// Carrier.
    pub carrier: TextId,
    /// Country.
    pub country: TextId,
    /// Traffic class.
    pub traffic_class: TrafficClass,
}

/// All words that a tracker has met.
#[derive(Debug)]
pub struct Interner {
    texts: Vec<Box<str>>,
    text_ids: HashMap<Box<str>, TextId>,
    facets: Vec<Facet>,
    facet_ids: HashMap<Facet, u32>,
    prices: Vec<Price>,
    price_ids: HashMap<Price, u32>,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            texts: vec![Box::from("")],
            text_ids: HashMap::new(),
            facets: Vec::new(),
            facet_ids: HashMap::new(),
            prices: Vec::new(),
            price_ids: HashMap::new(),
        }
    }
}

/// Position for the next entry. A process that met four billion distinct words is out of memory
/// long before.
fn next_id(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Interner {
    /// Id of a text.
    pub fn text(&mut self, text: &str) -> TextId {
        if let Some(id) = self.text_ids.get(text) {
            return *id;
        }
        let id = TextId(next_id(self.texts.len()));
        self.texts.push(Box::from(text));
        self.text_ids.insert(Box::from(text), id);
        id
    }

    /// Id of a text that may be absent.
    pub fn optional(&mut self, text: Option<&str>) -> TextId {
        text.map_or(TextId(0), |text| self.text(text))
    }

    /// The text of an id; `None` for 0.
    #[must_use]
    pub fn resolve(&self, id: TextId) -> Option<&str> {
        if id.0 == 0 {
            return None;
        }
        self.texts.get(id.0 as usize).map(AsRef::as_ref)
    }

    /// Id of a facet.
    pub fn facet(&mut self, facet: Facet) -> u32 {
        if let Some(id) = self.facet_ids.get(&facet) {
            return *id;
        }
        let id = next_id(self.facets.len());
        self.facets.push(facet);
        self.facet_ids.insert(facet, id);
        id
    }

    /// The facet of an id that [`Self::facet`] gave.
    #[must_use]
    pub fn facet_of(&self, id: u32) -> &Facet {
        &self.facets[id as usize]
    }

    /// Id of a price; 0 is none.
    pub fn price(&mut self, price: Option<Price>) -> u32 {
        let Some(price) = price else { return 0 };
        if let Some(id) = self.price_ids.get(&price) {
            return *id;
        }
        self.prices.push(price);
        let id = next_id(self.prices.len());
        self.price_ids.insert(price, id);
        id
    }

    /// The price of an id; `None` for 0.
    #[must_use]
    pub fn price_of(&self, id: u32) -> Option<&Price> {
        self.prices.get((id as usize).checked_sub(1)?)
    }

    /// All texts, by id; the first is the empty one.
    #[must_use]
    pub fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// All facets, by id.
    #[must_use]
    pub fn facets(&self) -> &[Facet] {
        &self.facets
    }

    /// All prices; the first has id 1.
    #[must_use]
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }
}

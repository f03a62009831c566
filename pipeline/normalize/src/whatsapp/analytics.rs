//! Meta's `pricing_analytics` and `conversation_analytics` of an account: what was charged over a
//! span.
//! <https://developers.facebook.com/docs/whatsapp/business-management-api/analytics>
//!
//! Each data point is an element and a total over its span. Traps: `start` and `end` are seconds
//! and the account's own days, so a span may begin at any hour of UTC; `cost` is a number in the
//! account's currency, which no field tells; `volume` counts messages, `conversation`
//! conversations; the answer has no time of its own, so of two the one that was received later
//! stands.

use model::vocabulary::{Channel, ChargeKind, DeadReason};

use crate::answer;
use crate::charge::{ChargeDraft, Figures, Subject};
use crate::draft::{Dead, Elements};
use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::words::{self, Folded};

/// A data point. An answer of half hours has thousands: it is held as its text.
#[derive(Debug, Default)]
struct Point<'a> {
    start: Scalar<'a>,
    end: Scalar<'a>,
    country: Scalar<'a>,
    phone: Scalar<'a>,
    tier: Scalar<'a>,
    kind: Scalar<'a>,
    category: Scalar<'a>,
    direction: Scalar<'a>,
    volume: Scalar<'a>,
    conversations: Scalar<'a>,
    cost: Scalar<'a>,
}

/// The account, and the texts of its points.
#[derive(Debug, Default)]
struct Answer<'a> {
    id: Scalar<'a>,
    points: Elements<&'a str>,
}

impl Point<'_> {
    /// Whether what tells it from others can be read: else one total takes another's place.
    fn is_known(&self) -> bool {
        let dims = [&self.country, &self.phone, &self.tier, &self.kind, &self.category];
        dims.into_iter().chain([&self.direction]).all(|dim| !dim.is_unreadable())
    }
}

/// Reads an answer whose outermost object has one of the two fields, or is what stands in them.
pub(super) fn read(text: &str, out: &mut Emitter<'_>) -> Result<(), Dead> {
    let mut cursor = Cursor::watched(text, out.drift);
    let mut answer = Answer::default();
    cursor.object(|cursor, key| match key {
        "id" => {
            answer.id = cursor.scalar()?;
            Ok(())
        }
        "pricing_analytics" | "conversation_analytics" => {
            cursor.object_or_skip(|cursor, key| listed(cursor, key, &mut answer)).map(drop)
        }
        _ => listed(cursor, key, &mut answer),
    })?;
    cursor.end()?;
    if answer.points.len() == 0 {
        out.ignored("empty");
    }
    for (at, text) in answer.points.iter().enumerate() {
        match point(&mut Cursor::new(text)).ok().flatten().filter(Point::is_known) {
            None => out.dead_at(DeadReason::UnknownVariant, format!("/data_points/{at}")),
            Some(point) if !point.start.is_present() => {
                out.dead_at(DeadReason::MissingId, format!("/data_points/{at}/start"));
            }
            Some(point) => emit(&answer, &point, out),
        }
    }
    Ok(())
}

/// Points, or a list of objects that have some.
fn listed<'a>(cursor: &mut Cursor<'a>, key: &str, answer: &mut Answer<'a>) -> Result<(), Syntax> {
    match key {
        "data_points" if cursor.kind() == Kind::Array => points(cursor, answer),
        "data" if cursor.kind() == Kind::Array => cursor.array(|cursor| {
            let inner = |cursor: &mut Cursor<'a>, key: &str| match key {
                "data_points" if cursor.kind() == Kind::Array => points(cursor, answer),
                _ => cursor.other(),
            };
            cursor.object_or_skip(inner).map(drop)
        }),
        _ => cursor.other(),
    }
}

fn points<'a>(cursor: &mut Cursor<'a>, answer: &mut Answer<'a>) -> Result<(), Syntax> {
    cursor.array(|cursor| {
        let text = cursor.unwatched(cursor.at()).raw()?;
        point(cursor)?;
        answer.points.hold(text, cursor)
    })
}

/// Reads a point; `None` where something else stands.
fn point<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Point<'a>>, Syntax> {
    let mut point = Point::default();
    let is_object = cursor.object_or_skip(|cursor, key| {
        let slot = match key {
            "start" => &mut point.start,
            "end" => &mut point.end,
            "country" => &mut point.country,
            "phone_number" => &mut point.phone,
            "tier" => &mut point.tier,
            "pricing_type" | "conversation_type" => &mut point.kind,
            "pricing_category" | "conversation_category" => &mut point.category,
            "conversation_direction" => &mut point.direction,
            "volume" => &mut point.volume,
            "conversation" => &mut point.conversations,
            "cost" => &mut point.cost,
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    })?;
    Ok(is_object.then_some(point))
}

fn emit(answer: &Answer<'_>, point: &Point<'_>, out: &mut Emitter<'_>) {
    let start = out.time(&point.start, answer::unix_digits);
    let end = out.time(&point.end, answer::unix_digits);
    let bytes = [start, end].map(|time| time.unwrap_or(i64::MIN).to_be_bytes());
    let told = |field: &'_ Scalar<'_>| field.text().unwrap_or("").as_bytes().to_vec();
    let dims = [&point.country, &point.phone, &point.tier, &point.kind, &point.category];
    let dims = dims.map(told);
    let direction = told(&point.direction);
    let parts: [&[u8]; 8] =
        [&bytes[0], &bytes[1], &dims[0], &dims[1], &dims[2], &dims[3], &dims[4], &direction];
    let is_conversations = point.conversations.is_present();
    let (kind, quantity) = match is_conversations {
        true => (ChargeKind::Conversation, out.figure(&point.conversations)),
        false => (ChargeKind::Message, out.figure(&point.volume)),
    };
    let figures = Figures { quantity, unit_price: None, amount: out.figure(&point.cost) };
    let mut charge = ChargeDraft::new(Subject::Period(&parts), kind, figures);
    let category = Folded::new(out.text(&point.category).unwrap_or(""));
    let sku: Vec<&str> =
        [&point.category, &point.kind, &point.tier].iter().filter_map(|dim| dim.text()).collect();
    let sku = sku.join("/");
    charge.sku = Some(sku.as_str()).filter(|sku| !sku.is_empty());
    charge.period_us = [start, end];
    charge.account = out.text(&answer.id);
    charge.channel = Channel::Whatsapp;
    charge.country = out.text(&point.country);
    charge.traffic_class = words::meta_category(category.as_str());
    out.charge(&charge);
}

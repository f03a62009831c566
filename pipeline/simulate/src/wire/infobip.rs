//! Infobip: `{"results":[…]}` with delivery reports of SMS, RCS and WhatsApp and seen reports,
//! mixed.

use super::{Facts, choose, field, id_member, number, to_millisecond, written};
use crate::event::{Event, Flaw, Message, Step, Variant};
use crate::identity::{push_message_id, push_recipient};
use crate::text::{push, push_hex, push_micros, push_offset_time, push_u64, text};
use crate::world::{CarrierPlan, World};

/// `status`: groupId, groupName, id, name, description.
type Status = (u32, &'static str, u32, &'static str, &'static str);
/// `error`: groupId, groupName, id, name, description, permanent.
type Problem = (u32, &'static str, u32, &'static str, &'static str, bool);

const NO_ERROR: Problem = (0, "OK", 0, "NO_ERROR", "No Error", false);
const ABSENT: Problem =
    (1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER", "Absent Subscriber", false);
const UNKNOWN: Problem =
    (1, "HANDSET_ERRORS", 1, "EC_UNKNOWN_SUBSCRIBER", "Unknown Subscriber", true);
const DELIVERY_FAILURE: Problem =
    (1, "HANDSET_ERRORS", 32, "EC_SM_DELIVERY_FAILURE", "SM Delivery Failure", false);
const ILLEGAL: Problem =
    (1, "HANDSET_ERRORS", 9, "EC_ILLEGAL_SUBSCRIBER", "Illegal Subscriber", true);
const OPERATOR: Problem =
    (3, "OPERATOR_ERRORS", 150, "EC_GENERAL_OPERATOR", "General Operator Error", false);
const BLOCKED: Problem =
    (2, "USER_ERRORS", 255, "EC_BLACKLISTED_DESTINATIONADDRESS", "Blacklisted destination", true);

/// The last status before the outcome; one in eight carries the trap of a DELIVERED group.
const ON_ITS_WAY: [Status; 8] = {
    let enroute = (1, "PENDING", 7, "PENDING_ENROUTE", "Message sent to next instance");
    let accepted = (1, "PENDING", 26, "PENDING_ACCEPTED", "Message accepted, pending for delivery");
    let waiting = (1, "PENDING", 3, "PENDING_WAITING_DELIVERY", "Message waiting for delivery");
    let operator = (3, "DELIVERED", 2, "DELIVERED_TO_OPERATOR", "Message delivered to operator");
    [enroute, enroute, enroute, accepted, accepted, waiting, enroute, operator]
};

fn status(event: &Event) -> Status {
    let detail = event.message.detail;
    match event.step {
        Step::Accepted | Step::Sent => choose(&ON_ITS_WAY, detail),
        Step::Delivered | Step::Read => {
            (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "Message delivered to handset")
        }
        Step::Undelivered => {
            (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", "Message sent not delivered")
        }
        Step::Failed => {
            (2, "UNDELIVERABLE", 4, "UNDELIVERABLE_REJECTED_OPERATOR", "Rejected by operator")
        }
        Step::Expired if detail & 7 == 0 => {
            (4, "EXPIRED", 29, "EXPIRED_DLR_UNKNOWN", "Message expired, receipt unknown")
        }
        Step::Expired => (4, "EXPIRED", 15, "EXPIRED_EXPIRED", "Message expired"),
        Step::Rejected => choose(
            &[
                (5, "REJECTED", 6, "REJECTED_NETWORK", "Network is forbidden"),
                (5, "REJECTED", 8, "REJECTED_PREFIX_MISSING", "Number prefix missing"),
                (5, "REJECTED", 12, "REJECTED_NOT_ENOUGH_CREDITS", "Not enough credits"),
            ],
            detail,
        ),
    }
}

fn problem(event: &Event) -> Problem {
    let detail = event.message.detail;
    match event.step {
        Step::Undelivered => choose(&[ABSENT, UNKNOWN, DELIVERY_FAILURE, ILLEGAL], detail),
        Step::Failed => OPERATOR,
        Step::Expired if detail & 7 != 0 => ABSENT,
        Step::Rejected => BLOCKED,
        _ => NO_ERROR,
    }
}

/// Accounts live in different zones, as real ones do.
fn offset_hours(message: &Message) -> i64 {
    [0, 1, -3][usize::from(message.account) % 3]
}

fn push_time(out: &mut Vec<u8>, message: &Message, time_us: i64) {
    push_offset_time(out, time_us, offset_hours(message));
}

pub(crate) fn encode(out: &mut Vec<u8>, world: &World, events: &[Event]) {
    push(out, r#"{"results":"#);
    for (n, event) in events.iter().enumerate() {
        out.push(if n == 0 { b'[' } else { b',' });
        match event.variant {
            Variant::InfobipSeen => seen(out, world, event),
            _ => report(out, world, event),
        }
    }
    push(out, "]}");
}

fn report(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let carrier = &world.carriers[usize::from(message.carrier)];
    let (rcs, whatsapp) =
        (event.variant == Variant::InfobipRcs, event.variant == Variant::InfobipWhatsapp);
    written(out, r#"{"bulkId":"BULK-"#, |out| push_hex(out, message.seq >> 4, 12));
    if rcs {
        push(out, r#","channel":"RCS""#);
    }
    push(out, r#","price":{"#);
    if rcs {
        push(out, r#""trafficType":"BASIC","#);
    }
    push(out, r#""pricePerMessage":"#);
    push(out, &price(event));
    field(out, r#","currency":""#, &world.flows[usize::from(message.flow)].currency);
    push(out, "}");
    if event.flaw != Flaw::StatusMissing {
        push_status(out, event);
    }
    push_problem(out, event);
    if rcs {
        push(out, r#","conversation":{"canInitiate":false,"id":null},"interactionType":"#);
        push(out, r#""BASIC_MESSAGE""#);
    }
    out.push(b',');
    id_member(out, "messageId", event.flaw, |out| push_message_id(out, world, message));
    written(out, r#""to":""#, |out| push_recipient(out, world, event));
    written(out, r#","sentAt":""#, |out| push_time(out, message, message.submit_us));
    written(out, r#","doneAt":""#, |out| push_time(out, message, event.time_us));
    number(out, r#","messageCount":"#, u64::from(message.segments));
    match whatsapp {
        true => push_contact(out, message),
        false => push_route(out, message, carrier),
    }
    out.push(b'}');
}

fn push_status(out: &mut Vec<u8>, event: &Event) {
    let (group_id, group, id, name, description) = status(event);
    number(out, r#","status":{"groupId":"#, u64::from(group_id));
    field(out, r#","groupName":""#, group);
    number(out, r#","id":"#, u64::from(id));
    field(out, r#","name":""#, name);
    field(out, r#","description":""#, description);
    out.push(b'}');
}

fn push_problem(out: &mut Vec<u8>, event: &Event) {
    let (group_id, group, id, name, description, permanent) = problem(event);
    number(out, r#","error":{"groupId":"#, u64::from(group_id));
    field(out, r#","groupName":""#, group);
    number(out, r#","id":"#, u64::from(id));
    field(out, r#","name":""#, name);
    field(out, r#","description":""#, description);
    push(out, if permanent { r#","permanent":true}"# } else { r#","permanent":false}"# });
}

/// WhatsApp reports name the person instead of the network.
fn push_contact(out: &mut Vec<u8>, message: &Message) {
    push(out, r#","contact":{"name":"Planted Person","phoneNumber":""#);
    push_u64(out, message.recipient);
    push(out, r#""}"#);
}

fn push_route(out: &mut Vec<u8>, message: &Message, carrier: &CarrierPlan) {
    push(out, r#","sender":"Sendtally""#);
    if !carrier.mcc.is_empty() {
        push(out, r#","mccMnc":""#);
        push(out, &carrier.mcc);
        field(out, "", &carrier.mnc);
    }
    number(out, r#","callbackData":"ref-"#, message.seq);
    push(out, r#"","platform":{"entityId":"main","applicationId":"sendtally"}"#);
    if message.detail & 0x40 != 0 {
        push(out, r#","campaignReferenceId":"CAMP-2026-Q4""#);
    }
}

/// A seen report has no status object at all.
fn seen(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    out.push(b'{');
    id_member(out, "messageId", event.flaw, |out| push_message_id(out, world, message));
    push(out, r#""from":"Sendtally","to":""#);
    push_recipient(out, world, event);
    written(out, r#"","sentAt":""#, |out| push_time(out, message, message.submit_us));
    written(out, r#","seenAt":""#, |out| push_time(out, message, event.time_us));
    push(out, r#","applicationId":"sendtally","entityId":"main"}"#);
}

/// Price of one part; a rejected message costs nothing.
fn price(event: &Event) -> String {
    let micros = if event.step == Step::Rejected { 0 } else { event.message.price_micros };
    text(|out| push_micros(out, micros, 1))
}

pub(crate) fn facts(world: &World, event: &Event) -> Facts {
    let message = &event.message;
    let carrier = &world.carriers[usize::from(message.carrier)];
    let times = Facts {
        event_time_us: Some(to_millisecond(event.time_us)),
        submit_time_us: Some(to_millisecond(message.submit_us)),
        ..Facts::default()
    };
    if event.variant == Variant::InfobipSeen {
        return times;
    }
    let (group_id, _, id, name, _) = status(event);
    let routed = event.variant != Variant::InfobipWhatsapp;
    let shown = |code: &str| if routed { code.to_owned() } else { String::new() };
    Facts {
        channel: if event.variant == Variant::InfobipRcs { "RCS" } else { "" },
        status: name,
        status_id: Some(id),
        group_id: Some(group_id),
        error_code: problem(event).2.to_string(),
        mcc: shown(&carrier.mcc),
        mnc: shown(&carrier.mnc),
        segments: Some(message.segments),
        price: price(event),
        price_unit: if event.variant == Variant::InfobipSms { "segment" } else { "message" },
        currency: world.flows[usize::from(message.flow)].currency.clone(),
        ..times
    }
}

//! Twilio: status callbacks (forms without a time), Event Streams (arrays of CloudEvents), Message
//! resources, the only place with a message's price, and usage records.

use super::{Facts, choose, field, id_member, number, to_millisecond, to_second, written};
use crate::event::{Event, Flaw, Message, Step, Variant};
use crate::identity::{event_hash, is_failure, push_message_id, push_recipient};
use crate::scenario::{Channel, Source};
use crate::text::{
    push, push_dlr_minute, push_form, push_hex, push_micros, push_padded, push_rfc2822,
    push_rfc3339, push_u64, text,
};
use crate::world::World;

const MINUTE: i64 = 60_000_000;

fn status(step: Step) -> &'static str {
    match step {
        Step::Accepted | Step::Sent => "sent",
        Step::Delivered => "delivered",
        Step::Read => "read",
        Step::Undelivered | Step::Expired => "undelivered",
        Step::Failed | Step::Rejected => "failed",
    }
}

/// Event Streams writes the status in capitals.
fn status_upper(step: Step) -> &'static str {
    match status(step) {
        "sent" => "SENT",
        "delivered" => "DELIVERED",
        "read" => "READ",
        "undelivered" => "UNDELIVERED",
        _ => "FAILED",
    }
}

fn error_code(event: &Event) -> Option<u64> {
    let (step, detail) = (event.step, event.message.detail);
    match status(step) {
        "undelivered" => Some(choose(&[30_003, 30_005, 30_006, 30_007, 30_008], detail)),
        "failed" => Some(choose(&[21_610, 30_001, 30_034, 30_410], detail)),
        _ => None,
    }
}

fn is_whatsapp(world: &World, message: &Message) -> bool {
    world.flows[usize::from(message.flow)].channel == Channel::Whatsapp
}

/// The sender's number; it has no planted mark, it is not a secret.
fn sender(world: &World, message: &Message) -> String {
    let prefix = if is_whatsapp(world, message) { "whatsapp:+1833700010" } else { "+1833700010" };
    format!("{prefix}{}", message.account)
}

/// Most delivery receipts of carriers carry their own time, to the minute and without a zone.
fn dlr_time(world: &World, event: &Event) -> Option<i64> {
    let receipt = matches!(event.step, Step::Delivered | Step::Undelivered);
    let shown = receipt && event.message.detail % 5 < 3 && !is_whatsapp(world, &event.message);
    shown.then(|| event.time_us.div_euclid(MINUTE) * MINUTE)
}

pub(crate) fn form(out: &mut Vec<u8>, world: &World, event: &Event) {
    if event.variant == Variant::TwilioInbound {
        return inbound(out, world, event);
    }
    let message = &event.message;
    let whatsapp = is_whatsapp(world, message);
    if let Some(time_us) = dlr_time(world, event) {
        push(out, "RawDlrDoneDate=");
        push_dlr_minute(out, time_us);
        out.push(b'&');
    }
    if whatsapp && matches!(event.step, Step::Delivered | Step::Read) {
        push(
            out,
            if event.step == Step::Read { "EventType=READ&" } else { "EventType=DELIVERED&" },
        );
    }
    if event.flaw != Flaw::IdMissing {
        push(out, "SmsSid=");
        push_message_id(out, world, message);
        push(out, "&MessageSid=");
        push_message_id(out, world, message);
        out.push(b'&');
    }
    if event.flaw != Flaw::StatusMissing {
        push(out, "SmsStatus=");
        push(out, status(event.step));
        push(out, "&MessageStatus=");
        push(out, status(event.step));
        out.push(b'&');
    }
    if whatsapp {
        form_channel(out, event);
    }
    push(out, "To=");
    push_form(out, &text(|out| push_recipient(out, world, event)));
    push(out, "&AccountSid=");
    push(out, world.account(Source::Twilio, message.account));
    push(out, "&From=");
    push_form(out, &sender(world, message));
    push(out, "&ApiVersion=2010-04-01");
    if !whatsapp && message.detail & 0x40 != 0 {
        push(out, "&MessagingServiceSid=MG0123456789abcdef0123456789abcdef");
    }
    if let Some(code) = error_code(event) {
        number(out, "&ErrorCode=", code);
    }
}

/// The parameters that Twilio adds for channels other than SMS.
fn form_channel(out: &mut Vec<u8>, event: &Event) {
    push(out, "ChannelPrefix=whatsapp&ChannelToAddress=%2B");
    push_u64(out, event.message.recipient);
    if event.step == Step::Sent {
        push(out, "&StructuredMessage=false");
    }
    if event.step != Step::Read {
        push(out, "&ChannelInstallSid=XE0123456789abcdef0123456789abcdef");
    }
    if is_failure(event.step) {
        push(out, "&ChannelStatusMessage=Failed+to+send+freeform+message");
    }
    out.push(b'&');
}

/// A message from the recipient, the classic non-delivery event on a shared URL.
fn inbound(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let sid = text(|out| {
        push(out, "SM");
        push_hex(out, event_hash(world, event), 16);
        push_hex(out, message.seq, 16);
    });
    for key in ["SmsMessageSid=", "&SmsSid=", "&MessageSid="] {
        push(out, key);
        push(out, &sid);
    }
    push(out, "&NumMedia=0&SmsStatus=received&Body=");
    push_form(out, world.body());
    push(out, "&To=");
    push_form(out, &sender(world, message));
    push(out, "&NumSegments=1&AccountSid=");
    push(out, world.account(Source::Twilio, message.account));
    push(out, "&From=");
    push_form(out, &text(|out| push_recipient(out, world, event)));
    push(out, "&ApiVersion=2010-04-01");
}

pub(crate) fn event_streams(out: &mut Vec<u8>, world: &World, events: &[Event]) {
    for (n, event) in events.iter().enumerate() {
        out.push(if n == 0 { b'[' } else { b',' });
        event_stream(out, world, event);
    }
    out.push(b']');
}

fn event_stream(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let carrier = &world.carriers[usize::from(message.carrier)];
    let kind = status(event.step);
    let (hash, time_us) = (event_hash(world, event), event.time_us);
    push(out, r#"{"specversion":"1.0","type":"com.twilio.messaging.message."#);
    push(out, kind);
    written(out, r#"","source":"AB"#, |out| push_padded(out, u64::from(message.account), 32));
    written(out, r#","id":"NO"#, |out| {
        push_hex(out, hash, 16);
        push_hex(out, message.seq, 16);
    });
    push(out, r#","dataschema":"https://events-schemas.twilio.com/Messaging.MessageStatus/7""#);
    push(out, r#","datacontenttype":"application/json","data":{"#);
    id_member(out, "messageSid", event.flaw, |out| push_message_id(out, world, message));
    written(out, r#""timestamp":""#, |out| push_rfc3339(out, time_us, 3));
    field(out, r#","accountSid":""#, world.account(Source::Twilio, message.account));
    push(out, r#","eventName":"com.twilio.messaging.message."#);
    push(out, kind);
    field(out, r#"","apiVersion":"2010-04-01","from":""#, &sender(world, message));
    written(out, r#","to":""#, |out| push_recipient(out, world, event));
    field(out, r#","messageStatus":""#, status_upper(event.step));
    push(out, r#","messagingServiceSid":"MG0123456789abcdef0123456789abcdef""#);
    if let Some(code) = error_code(event) {
        number(out, r#","errorCode":"#, code);
    }
    field(out, r#","body":""#, world.body());
    push(out, r#","statusCallBackUrl":"https://sender.example/callbacks""#);
    if !carrier.mcc.is_empty() {
        field(out, r#","mnc":""#, &padded_mnc(&carrier.mnc));
        field(out, r#","mcc":""#, &carrier.mcc);
    }
    number(out, r#","numberOfSegments":"#, u64::from(message.segments));
    written(out, r#","dateUpdated":""#, |out| push_rfc3339(out, time_us, 3));
    push(out, "}}");
}

/// Twilio pads the network code to three digits.
fn padded_mnc(mnc: &str) -> String {
    format!("{mnc:0>3}")
}

pub(crate) fn resource(out: &mut Vec<u8>, world: &World, event: &Event) {
    let message = &event.message;
    let account = world.account(Source::Twilio, message.account);
    let sid = text(|out| push_message_id(out, world, message));
    let shown_sid = if event.flaw == Flaw::Intact { sid.as_str() } else { "unknown" };
    let sent_us = message.submit_us + 1_000_000;
    field(out, r#"{"account_sid":""#, account);
    field(out, r#","api_version":"2010-04-01","body":""#, world.body());
    written(out, r#","date_created":""#, |o| push_rfc2822(o, message.submit_us, "+0000"));
    written(out, r#","date_sent":""#, |out| push_rfc2822(out, sent_us, "+0000"));
    written(out, r#","date_updated":""#, |out| push_rfc2822(out, event.time_us, "+0000"));
    push(out, r#","direction":"outbound-api","error_code":"#);
    match error_code(event) {
        Some(code) => {
            push_u64(out, code);
            push(out, r#","error_message":"Delivery failed""#);
        }
        None => push(out, r#"null,"error_message":null"#),
    }
    field(out, r#","from":""#, &sender(world, message));
    push(out, r#","messaging_service_sid":"MG0123456789abcdef0123456789abcdef""#);
    number(out, r#","num_media":"0","num_segments":""#, u64::from(message.segments));
    field(out, r#"","price":"-"#, &price(event));
    field(out, r#","price_unit":""#, &world.flows[usize::from(message.flow)].currency);
    out.push(b',');
    id_member(out, "sid", event.flaw, |out| push(out, &sid));
    if event.flaw != Flaw::StatusMissing {
        field(out, r#""status":""#, status(event.step));
        out.push(b',');
    }
    push(out, r#""subresource_uris":{"media":"/2010-04-01/Accounts/"#);
    push(out, account);
    push(out, "/Messages/");
    push(out, shown_sid);
    push(out, r#"/Media.json"}"#);
    written(out, r#","to":""#, |out| push_recipient(out, world, event));
    push(out, r#","uri":"/2010-04-01/Accounts/"#);
    push(out, account);
    push(out, "/Messages/");
    push(out, shown_sid);
    push(out, r#".json"}"#);
}

pub(crate) fn usage_records(out: &mut Vec<u8>, world: &World, events: &[Event]) {
    push(out, r#"{"usage_records":["#);
    for (n, event) in events.iter().enumerate() {
        let Some((category, units, day_us)) = event.usage() else { continue };
        if n > 0 {
            out.push(b',');
        }
        let day = text(|out| push_rfc3339(out, day_us, 0));
        let day = day.split('T').next().unwrap_or_default();
        field(out, r#"{"account_sid":""#, world.account(Source::Twilio, event.message.account));
        written(out, r#","as_of":""#, |out| push_rfc3339(out, event.time_us, 3));
        field(out, r#","category":""#, category.name);
        written(out, r#","usage":""#, |out| push_u64(out, units));
        field(out, r#","usage_unit":""#, category.unit);
        written(out, r#","price":""#, |out| push_micros(out, event.message.price_micros, 5));
        field(out, r#","price_unit":"usd","start_date":""#, day);
        field(out, r#","end_date":""#, day);
        out.push(b'}');
    }
    push(out, "]}");
}

/// The whole message's price without its minus sign: a failed message costs a tenth of a cent.
fn price(event: &Event) -> String {
    let message = &event.message;
    let micros = match status(event.step) {
        "failed" => 1_000,
        _ => message.price_micros * i64::from(message.segments),
    };
    text(|out| push_micros(out, micros, 5))
}

pub(crate) fn facts(world: &World, event: &Event) -> Facts {
    let message = &event.message;
    let carrier = &world.carriers[usize::from(message.carrier)];
    let code = error_code(event).map(|code| code.to_string()).unwrap_or_default();
    match event.variant {
        Variant::TwilioInbound => Facts { status: "received", ..Facts::default() },
        Variant::TwilioUsage => Facts {
            event_time_us: Some(to_millisecond(event.time_us)),
            price: text(|out| push_micros(out, message.price_micros, 5)),
            currency: "USD".to_owned(),
            ..Facts::default()
        },
        Variant::TwilioForm => Facts {
            channel: if is_whatsapp(world, message) { "whatsapp" } else { "" },
            status: status(event.step),
            error_code: code,
            event_time_us: dlr_time(world, event),
            ..Facts::default()
        },
        Variant::TwilioEvents => Facts {
            status: status_upper(event.step),
            error_code: code,
            event_time_us: Some(to_millisecond(event.time_us)),
            mcc: carrier.mcc.clone(),
            mnc: if carrier.mcc.is_empty() { String::new() } else { padded_mnc(&carrier.mnc) },
            segments: Some(message.segments),
            ..Facts::default()
        },
        _ => Facts {
            status: status(event.step),
            error_code: code,
            event_time_us: Some(to_second(event.time_us)),
            submit_time_us: Some(to_second(message.submit_us)),
            segments: Some(message.segments),
            price: format!("-{}", price(event)),
            price_unit: "message",
            currency: world.flows[usize::from(message.flow)].currency.clone(),
            ..Facts::default()
        },
    }
}

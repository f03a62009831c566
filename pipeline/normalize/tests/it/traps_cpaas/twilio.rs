//! Twilio: callbacks, resources, Event Streams, the bulk export.
use model::vocabulary::Source;
use serde_json::json;

use super::{NEW_EVENT, SAME_EVENT, body, classes, compare, get, hold, words};
use crate::exports::gzip;
use crate::fixtures::{Case, lines, run};

pub(super) fn twilio(rest: &str) -> Case {
    body(format!("MessageSid=SM7&To=%2B12025550143&From=%2B12025550100&{rest}"))
}

/// An event of Twilio's Event Streams.
fn streamed(kind: &str, envelope: &str, data: &str) -> Case {
    body(format!(
        r#"[{{"specversion":"1.0","type":"com.twilio.messaging.message.{kind}","source":"/s",
            {envelope},"data":{{"messageSid":"SM7","to":"+12025550143",{data}}}}}]"#
    ))
}

#[test]
fn twilios_words_mean_what_its_table_says() {
    let table = [
        ("accepted", "accepted", false),
        ("scheduled", "accepted", false),
        ("queued", "queued", false),
        ("sending", "queued", false),
        ("sent", "sent", false),
        ("partially_delivered", "sent", false),
        ("delivered", "delivered", true),
        ("read", "read", true),
        ("undelivered", "undelivered", true),
        ("failed", "failed", true),
        ("canceled", "canceled", true),
    ];
    words(Source::Twilio, |word| twilio(&format!("MessageStatus={word}")), &table);
    for (word, status, is_final) in table {
        // Event Streams tell the same words in upper case.
        let status_field = format!(r#""messageStatus":"{}""#, word.to_ascii_uppercase());
        let event = streamed(word, r#""id":"e7""#, &status_field);
        words(Source::Twilio, |_| event.clone(), &[(word, status, is_final)]);
    }
}

#[test]
fn twilios_codes_have_the_class_of_their_family() {
    let record = |code: &str| twilio(&format!("MessageStatus=failed&ErrorCode={code}"));
    let table = [
        ("30001 30022 30023 63018", "throttled"),
        ("30002 30032 30034 21408", "configuration"),
        ("30003", "unreachable"),
        ("30004 30450", "blocked"),
        ("30005", "unknown_recipient"),
        ("30006", "not_capable"),
        ("30007", "spam"),
        ("30008", "unknown"),
        ("30036", "expired"),
        ("30410", "vendor_internal"),
        ("21610", "opted_out"),
        ("63016", "invalid_request"),
    ];
    classes(Source::Twilio, record, &table);
}

#[test]
fn twilios_callbacks_hold() {
    let received = "2026-11-20T12:00:00Z";
    let traps = traps! {
        "a callback tells no time: that of its receipt stands in":
            twilio("MessageStatus=sent").header("received-at", received)
            => {"event_time": "2026-11-20T12:00:00.000000Z", "event_time_source": "header",
                "submit_time": null},
        "RawDlrDoneDate is to the minute and of no told zone":
            twilio("MessageStatus=delivered&RawDlrDoneDate=2611201158")
            => {"event_time": "2026-11-20T11:58:00.000000Z",
                "event_time_source": "vendor_local"},
        "no callback has a price, whatever stands in it":
            twilio("MessageStatus=delivered&Price=-0.0075&PriceUnit=USD")
            => {"price": null, "price_unit": "none", "currency": null},
        "a code may stay on a status that is no failure":
            twilio("MessageStatus=sending&ErrorCode=30005")
            => {"status": "queued", "is_final": false, "error_code": "30005"},
        "a code that stayed on a delivery is no error":
            twilio("MessageStatus=delivered&ErrorCode=30005")
            => {"status": "delivered", "error_code": "30005", "error_class": "none"},
        "properties are added without notice":
            twilio("MessageStatus=delivered&ErrorMessage=x&Tomorrow=%7B%7D&NumTomorrow=")
            => {"status": "delivered", "error_code": null},
        "SmsSid and SmsStatus say the same where they stand alone":
            body("SmsSid=SM7&SmsStatus=delivered") => {"message_id": "SM7", "status": "delivered"},
        "an id that begins with MM is an MMS's":
            body("MessageSid=MM7&MessageStatus=sent") => {"channel": "mms"},
        "a WhatsApp read may come without ChannelInstallSid":
            body(
                "MessageSid=SM7&MessageStatus=read&EventType=READ&ChannelPrefix=whatsapp\
                &From=whatsapp%3A%2B12025550100&To=whatsapp%3A%2B12025550143",
            )
            => {"channel": "whatsapp", "status": "read", "recipient_prefix": "+1202555",
                "receipt_class": "app"},
        "a WhatsApp user may be known by an id only":
            body("MessageSid=SM7&MessageStatus=sent&To=whatsapp%3AUS.99887766554433")
            => {"channel": "whatsapp", "recipient_prefix": null, "country": null},
        "only the sender tells that RCS was used":
            body("MessageSid=SM7&MessageStatus=sent&From=rcs%3Aagent&To=%2B12025550143")
            => {"channel": "rcs", "sender": "rcs:agent", "receipt_class": "handset"},
        "an inbound message is no delivery": twilio("SmsStatus=received&Body=x") => [],
        "nor is one that is being received": twilio("SmsStatus=receiving&Body=x") => [],
        "a GET callback has no body: all of it is in the query":
            get("MessageSid=SM7&MessageStatus=delivered&To=%2B12025550143")
            => {"message_id": "SM7", "recipient_prefix": "+1202555"},
    };
    hold(Source::Twilio, &traps);
}

#[test]
fn twilios_resources_and_streams_hold() {
    let resource = |fields: &str| {
        body(format!(r#"{{"sid":"SM7","status":"delivered","to":"+12025550143",{fields}}}"#))
    };
    let traps = traps! {
        "a resource's price is negative, its fees included, and of the whole message":
            resource(r#""price":"-0.01580","price_unit":"usd","num_segments":"2""#)
            => {"price": "0.015800000", "price_unit": "message", "currency": "USD",
                "segments": 2},
        "a price is null until it is known, whatever its unit says":
            resource(r#""price":null,"price_unit":"USD""#)
            => {"price": null, "price_unit": "none", "currency": null},
        "zero segments are not known yet":
            resource(r#""num_segments":"0""#) => {"segments": null},
        "the bulk export writes ISO times and no price_unit":
            resource(
                r#""date_created":"2026-11-20T12:00:00Z","date_updated":"2026-11-20T12:00:03Z",
                "price":"-0.0075""#,
            )
            => {"event_time": "2026-11-20T12:00:03.000000Z", "price": "0.007500000",
                "submit_time": "2026-11-20T12:00:00.000000Z", "currency": null},
        "of a day that was exported early the price itself is missing":
            resource(r#""date_updated":"2026-11-20T12:00:03Z","num_segments":"1""#)
            => {"price": null, "price_unit": "none", "currency": null, "segments": 1},
        "what is undelivered is charged as any other":
            body(
                r#"{"sid":"SM7","status":"undelivered","error_code":30003,"price":"-0.00750",
                "price_unit":"USD","num_segments":"1"}"#,
            )
            => {"status": "undelivered", "price": "0.007500000", "currency": "USD"},
        "mcc and mnc of a stream are the sender's":
            streamed("sent", r#""id":"e7""#, r#""mcc":"310","mnc":"090""#)
            => {"mcc": null, "mnc": null, "carrier": null},
        "the event's type decides against messageStatus, and datacontenttype may hold a time":
            streamed(
                "delivered",
                r#""id":"e7","datacontenttype":"2026-11-20T11:00:00Z""#,
                r#""messageStatus":"QUEUED","timestamp":"2026-11-20T12:00:02.250Z""#,
            )
            => {"status": "delivered", "is_final": true,
                "event_time": "2026-11-20T12:00:02.250000Z"},
        "a stream's code is a number, and it has no price":
            streamed("undelivered", r#""id":"e7""#, r#""errorCode":30003,"numberOfSegments":2"#)
            => {"error_code": "30003", "error_class": "unreachable", "segments": 2,
                "price": null},
        "Verify's family is written otherwise and tells no message of ours":
            body(
                r#"[{"specversion":"1.0","id":"e8","type":"com.twilio.verify.message.delivered",
                "data":{"message_sid":"SM7","message_status":"delivered","mnc":"310"}}]"#,
            )
            => [],
    };
    hold(Source::Twilio, &traps);
}

#[test]
fn twilios_messages_and_events_are_told_apart() {
    let sent = || twilio("MessageStatus=sent");
    let pairs = pairs! {
        "keyed by its SID alone a message would lose its later statuses":
            sent(), twilio("MessageStatus=delivered") => NEW_EVENT,
        "another code is another event":
            twilio("MessageStatus=failed&ErrorCode=30003"),
            twilio("MessageStatus=failed&ErrorCode=30005") => NEW_EVENT,
        "another time of the carrier's is another event":
            twilio("MessageStatus=delivered&RawDlrDoneDate=2611201158"),
            twilio("MessageStatus=delivered&RawDlrDoneDate=2611201159") => NEW_EVENT,
        "a callback that is retried is the same event":
            sent().header("received-at", "2026-11-20T12:00:00Z"),
            sent().header("received-at", "2026-11-20T12:00:15Z") => SAME_EVENT,
        "RCS that fell back to SMS is one message over two channels":
            body("MessageSid=SM7&MessageStatus=sent&From=rcs%3Aagent&To=%2B12025550143"),
            twilio("MessageStatus=delivered") => NEW_EVENT,
        "streams deliver at least once: their id decides":
            streamed("sent", r#""id":"e7","time":"2026-11-20T12:00:02Z""#, r#""x":1"#),
            streamed("sent", r#""id":"e7","time":"2026-11-20T15:59:02Z""#, r#""x":1"#)
            => SAME_EVENT,
        "and another id is another event":
            streamed("sent", r#""id":"e7""#, r#""x":1"#),
            streamed("sent", r#""id":"e8""#, r#""x":1"#) => NEW_EVENT,
        "a price that came up to a day later is a new fact of the same message":
            body(r#"{"sid":"SM7","status":"delivered","price":null}"#),
            body(r#"{"sid":"SM7","status":"delivered","price":"-0.0075","price_unit":"USD"}"#)
            => NEW_EVENT,
    };
    compare(Source::Twilio, &pairs);
}

/// What stands of both in the outcome: `a_later_event_without_an_error_wipes_out_no_reason`.
#[test]
fn twilios_later_callback_without_a_code_leaves_the_reason_where_it_was() {
    let failed = || twilio("MessageStatus=undelivered&ErrorCode=30003");
    for later in ["undelivered&ErrorCode=", "undelivered", "failed", "sent", "delivered"] {
        let later = twilio(&format!("MessageStatus={later}"));
        let both = run(Some(Source::Twilio), &[failed(), later.clone()]);
        let codes: Vec<_> = lines(&both).iter().map(|line| line["error_code"].clone()).collect();
        assert_eq!(codes, [json!("30003"), json!(null)], "each event keeps its own");
        let pairs = pairs! { "it is another event of the message": failed(), later => NEW_EVENT, };
        compare(Source::Twilio, &pairs);
    }
}

#[test]
fn twilios_bulk_export_is_a_gzip_of_one_message_a_line() {
    let row = |sid: &str, status: &str| {
        format!(r#"{{"sid":"{sid}","status":"{status}","direction":"outbound-api"}}"#)
    };
    let day = [row("SM7", "delivered"), row("SM8", "failed"), String::new()].join("\n");
    let packed = gzip(&day);
    let expected = json!([
        {"message_id": "SM7", "status": "delivered", "element": 0},
        {"message_id": "SM8", "status": "failed", "element": 1},
    ]);
    let traps = [
        ("as it is downloaded", packed, expected.clone()),
        ("unpacked", body(&day), expected),
        ("of one message", body(row("SM7", "sent")), json!({"element": 0, "status": "sent"})),
    ];
    hold(Source::Twilio, &traps);
    let torn = run(Some(Source::Twilio), &[body(format!("{day}{{\"sid\":\"SM9"))]);
    assert_eq!((torn.events.num_rows(), torn.dead.len()), (0, 1), "a torn day is one letter");
}

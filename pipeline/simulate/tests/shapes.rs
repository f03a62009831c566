//! Keys and JSON types of every variant against the vendors' sample payloads. Method: paths with
//! their types are collected from what the simulator writes; each must be in the table below,
//! which was copied from the samples; the ignored tests compare it with the samples themselves, in
//! the folder that SENDTALLY_SAMPLES names.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests may stop the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use simulate::{Kind, Options, Scenario, Simulation};

const ORACLE: &str = include_str!("../../../tests/scenarios/oracle.yaml");

/// `path type` of every leaf; array items share the path `[]`.
fn shape(prefix: &str, value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                shape(&format!("{prefix}.{key}"), member, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                shape(&format!("{prefix}[]"), item, out);
            }
        }
        Value::String(_) => drop(out.insert(format!("{prefix} s"))),
        Value::Number(_) => drop(out.insert(format!("{prefix} n"))),
        Value::Bool(_) => drop(out.insert(format!("{prefix} b"))),
        Value::Null => drop(out.insert(format!("{prefix} 0"))),
    }
}

/// Form keys as a shape.
fn form_shape(text: &str) -> BTreeSet<String> {
    text.split('&').filter_map(|pair| pair.split('=').next()).map(str::to_owned).collect()
}

/// Shapes of everything that the simulator writes, intact elements only, by variant.
fn written() -> BTreeMap<&'static str, BTreeSet<String>> {
    let yaml = ORACLE.replace("malformed_rate: 0.001", "malformed_rate: 0.0");
    let scenario = Scenario::from_yaml(&yaml).expect("valid");
    let options = Options { seed: 1, events: 60_000, rate: 50.0, partitions: 2, start_us: None };
    let mut simulation = Simulation::new(&scenario, options);
    let mut shapes: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    while let Some(record) = simulation.next_record() {
        let rows = simulation.take_log();
        assert!(rows.iter().all(|row| row.kind != Kind::Malformed));
        let Some(first) = rows.first() else { continue };
        if let Ok(json) = serde_json::from_slice::<Value>(&record.value) {
            let list = json.get("results").or(json.get("usage_records"));
            let items = list.or(json.is_array().then_some(&json));
            match items.and_then(Value::as_array) {
                Some(items) => {
                    for (row, item) in rows.iter().zip(items) {
                        shape("", item, shapes.entry(row.variant).or_default());
                    }
                }
                None => shape("", &json, shapes.entry(first.source).or_default()),
            }
            if let Some(data) = json.pointer("/message/data").and_then(Value::as_str) {
                let inner = STANDARD.decode(data).expect("base64");
                let inner = serde_json::from_slice(&inner).expect("JSON");
                shape("", &inner, shapes.entry(first.variant).or_default());
            }
        } else {
            let text = String::from_utf8(record.value).expect("a form");
            shapes.entry(first.variant).or_default().extend(form_shape(&text));
        }
    }
    shapes
}

/// What the samples hold, by the simulator's variant: files, then keys that no sample file has,
/// each with the section of the reference that names it.
const EXPECTED: &[(&str, &[&str], &str)] = &[
    (
        "twilio.form",
        &[
            "twilio/status_callback_sms_delivered_rawdlr.form.txt",
            "twilio/status_callback_messaging_service_sent.form.txt",
            "twilio/status_callback_failed_21610_optout.form.txt",
            "twilio/whatsapp_status_callback_delivered.form.txt",
            "twilio/whatsapp_status_callback_sent.form.txt",
        ],
        // ChannelStatusMessage: reference section 8, only on failure.
        "AccountSid ApiVersion ChannelInstallSid ChannelPrefix ChannelStatusMessage \
         ChannelToAddress ErrorCode EventType From MessageSid MessageStatus MessagingServiceSid \
         RawDlrDoneDate SmsSid SmsStatus StructuredMessage To",
    ),
    (
        "twilio.event_streams",
        &["twilio/event_streams_message_delivered_v7_doc.json"],
        // errorCode: reference section 8, Event Streams v7.
        ".data.accountSid:s .data.apiVersion:s .data.body:s .data.dateUpdated:s .data.errorCode:n \
         .data.eventName:s .data.from:s .data.mcc:s .data.messageSid:s .data.messageStatus:s \
         .data.messagingServiceSid:s .data.mnc:s .data.numberOfSegments:n \
         .data.statusCallBackUrl:s .data.timestamp:s .data.to:s .datacontenttype:s .dataschema:s \
         .id:s .source:s .specversion:s .type:s",
    ),
    (
        "twilio",
        &["twilio/message_resource_fetch.json", "twilio/message_resource_create.json"],
        ".account_sid:s .api_version:s .body:s .date_created:s .date_sent:s .date_updated:s \
         .direction:s .error_code:0 .error_code:n .error_message:0 .error_message:s .from:s \
         .messaging_service_sid:s .num_media:s .num_segments:s .price:s .price_unit:s .sid:s \
         .status:s .subresource_uris.media:s .to:s .uri:s",
    ),
    (
        "infobip.sms",
        &["infobip/sms_delivery_report_v3.json", "infobip/rcs_rcs_message_delivered.json"],
        ".bulkId:s .callbackData:s .campaignReferenceId:s .doneAt:s .error.description:s \
         .error.groupId:n .error.groupName:s .error.id:n .error.name:s .error.permanent:b \
         .mccMnc:s .messageCount:n .messageId:s .platform.applicationId:s .platform.entityId:s \
         .price.currency:s .price.pricePerMessage:n .sender:s .sentAt:s .status.description:s \
         .status.groupId:n .status.groupName:s .status.id:n .status.name:s .to:s",
    ),
    (
        "infobip.rcs",
        &["infobip/rcs_rcs_with_failover_rcs_message_failed.json"],
        ".bulkId:s .callbackData:s .campaignReferenceId:s .channel:s .conversation.canInitiate:b \
         .conversation.id:0 .doneAt:s .error.description:s .error.groupId:n .error.groupName:s \
         .error.id:n .error.name:s .error.permanent:b .interactionType:s .mccMnc:s \
         .messageCount:n .messageId:s .platform.applicationId:s .platform.entityId:s \
         .price.currency:s .price.pricePerMessage:n .price.trafficType:s .sender:s .sentAt:s \
         .status.description:s .status.groupId:n .status.groupName:s .status.id:n .status.name:s \
         .to:s",
    ),
    (
        "infobip.whatsapp",
        &["infobip/whatsapp_delivery_report.json"],
        ".bulkId:s .contact.name:s .contact.phoneNumber:s .doneAt:s .error.description:s \
         .error.groupId:n .error.groupName:s .error.id:n .error.name:s .error.permanent:b \
         .messageCount:n .messageId:s .price.currency:s .price.pricePerMessage:n .sentAt:s \
         .status.description:s .status.groupId:n .status.groupName:s .status.id:n .status.name:s \
         .to:s",
    ),
    (
        "infobip.seen",
        &["infobip/whatsapp_seen_report.json"],
        ".applicationId:s .entityId:s .from:s .messageId:s .seenAt:s .sentAt:s .to:s",
    ),
    (
        "google_rbm.user_event",
        &["google_rbm/user_event_delivered.json", "google_rbm/user_event_read.json"],
        // sendTime: real user events carry it (SOURCES.txt of the samples).
        ".agentId:s .eventId:s .eventType:s .messageId:s .sendTime:s .senderPhoneNumber:s",
    ),
    (
        "google_rbm.server_event",
        // The sample is not valid JSON; reference section 1 lists its keys.
        &[],
        ".agentId:s .eventId:s .eventType:s .messageId:s .phoneNumber:s .sendTime:s",
    ),
    (
        "google_rbm.typing",
        &["google_rbm/user_event_is_typing.json"],
        ".agentId:s .eventId:s .eventType:s .sendTime:s .senderPhoneNumber:s",
    ),
    (
        "google_rbm.inbound",
        &["google_rbm/user_message_text.json"],
        ".agentId:s .messageId:s .sendTime:s .senderPhoneNumber:s .text:s",
    ),
    (
        "google_rbm",
        &["google_rbm/agent_launch_event_envelope.json"],
        ".message.attributes.business_id:s .message.attributes.product:s \
         .message.attributes.project_number:s .message.attributes.type:s .message.data:s \
         .message.messageId:s .message.message_id:s .message.publishTime:s \
         .message.publish_time:s .subscription:s",
    ),
    (
        "apns",
        // The flat line is ours: reference section 8.
        &[],
        ".apns_id:s .push_type:s .reason:0 .reason:s .sent_at:s .status:n .timestamp:0 \
         .timestamp:n .token_hash:s .topic:s",
    ),
    (
        "twilio.usage_records",
        &[],
        // The reference's usage records; counts, URIs and descriptions are left out.
        ".account_sid:s .as_of:s .category:s .usage:s .usage_unit:s .price:s .price_unit:s \
         .start_date:s .end_date:s",
    ),
    (
        "cloudevents",
        &["cloudevents/inapp_delivered.reconstructed.json"],
        // error: reference section 11.
        ".data.billing.price.amount:s .data.billing.price.currency:s .data.billing.unit:s \
         .data.billing.units:n .data.channel:s .data.error.code:s .data.error.text:s \
         .data.message_id:s .data.provider:s .data.recipient_ref:s .data.status:s \
         .datacontenttype:s .id:s .source:s .specversion:s .subject:s .time:s .type:s",
    ),
];

/// Keys that the reference names and no sample file shows.
const ONLY_IN_REFERENCE: &[&str] = &[
    "ChannelStatusMessage",
    ".data.errorCode n",
    ".sendTime s",
    ".data.error.code s",
    ".data.error.text s",
];

#[test]
fn every_variant_has_exactly_the_keys_and_types_of_its_table() {
    let shapes = written();
    for (variant, _, table) in EXPECTED {
        let wanted: BTreeSet<String> =
            table.split_whitespace().map(|path| path.replace(':', " ")).collect();
        let found = shapes.get(variant).unwrap_or_else(|| panic!("{variant} was never written"));
        assert_eq!(found, &wanted, "{variant}");
    }
}

#[test]
fn whatsapp_and_fcm_write_the_paths_that_readers_need() {
    let shapes = written();
    let change = ".entry[].changes[].value";
    for path in [
        "statuses[].id s",
        "statuses[].status s",
        "statuses[].timestamp s",
        "statuses[].recipient_id s",
        "statuses[].pricing.billable b",
        "statuses[].errors[].code n",
        "statuses[].conversation.origin.type s",
        "messages[].text.body s",
        "messaging_product s",
        "metadata.phone_number_id s",
    ] {
        assert!(shapes["whatsapp"].contains(&format!("{change}.{path}")), "{path}");
    }
    for path in [
        ".request.message.token s",
        ".status n",
        ".headers.date s",
        ".body.name s",
        ".event_timestamp s",
        ".project_number n",
        ".message_id s",
        ".event s",
    ] {
        assert!(shapes["fcm"].contains(path), "{path}");
    }
}

/// The folder of published samples.
#[track_caller]
fn samples() -> PathBuf {
    let root = std::env::var_os("SENDTALLY_SAMPLES")
        .expect("SENDTALLY_SAMPLES must name the folder of published samples");
    PathBuf::from(root)
}

/// Compares with the real files; the tables above hold without them.
#[test]
#[ignore = "needs SENDTALLY_SAMPLES, the folder of published samples"]
fn the_tables_are_true_to_the_sample_files() {
    let folder = samples();
    for (variant, files, table) in EXPECTED.iter().filter(|(_, files, _)| !files.is_empty()) {
        let mut known = BTreeSet::new();
        for file in *files {
            let text = std::fs::read_to_string(folder.join(file)).expect(file);
            match serde_json::from_str::<Value>(&text) {
                Ok(json) => match json.get("results").and_then(Value::as_array) {
                    Some(items) => items.iter().for_each(|item| shape("", item, &mut known)),
                    None => shape("", &json, &mut known),
                },
                Err(_) => known.extend(form_shape(text.trim())),
            }
        }
        for path in table.split_whitespace().map(|path| path.replace(':', " ")) {
            let documented = ONLY_IN_REFERENCE.contains(&path.as_str());
            assert!(documented || known.contains(&path), "{variant}: {path} is in no sample");
        }
    }
}

/// WhatsApp's and FCM's envelopes differ from file to file, so their leaves are compared.
#[test]
#[ignore = "needs SENDTALLY_SAMPLES, the folder of published samples"]
fn whatsapp_statuses_and_fcm_rows_are_true_to_the_sample_files() {
    let folder = samples();
    let read = |file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).expect(file);
        serde_json::from_str::<Value>(&text).expect(file)
    };
    let shapes = written();
    let mut known = BTreeSet::new();
    let envelope = ".entry[].changes[].value";
    shape("", &read("whatsapp/status_sent_with_conversation_pmp.json"), &mut known);
    shape(envelope, &read("whatsapp/status_failed_131049.json"), &mut known);
    let inbound = |path: &str| path.contains("contacts") || path.contains("messages[]");
    for path in shapes["whatsapp"].iter().filter(|path| !inbound(path)) {
        assert!(known.contains(path), "{path} is in no sample");
    }
    let (mut row, mut answer) = (BTreeSet::new(), BTreeSet::new());
    shape("", &read("fcm/bigquery_row.reconstructed.json"), &mut row);
    shape(".body", &read("fcm/send_ok.reconstructed.json"), &mut answer);
    let wrapped = |path: &str| {
        [".request", ".headers", ".status"].iter().any(|prefix| path.starts_with(prefix))
    };
    for path in shapes["fcm"].iter().filter(|path| !wrapped(path)) {
        assert!(row.contains(path) || answer.contains(path), "{path} is in no sample");
    }
}

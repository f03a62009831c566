//! The vendors' published samples, in the folder that `SENDTALLY_SAMPLES` names: each file's
//! expected events as (channel, status, final), its ignored elements and its dead letters. Without
//! the folder there is nothing to check, so these tests run with `-- --include-ignored` only.

mod cpaas;
mod networks;
mod push;
mod regional;

use std::path::PathBuf;

use model::vocabulary::Source;

use crate::fixtures::{Case, charges, lines, run};

/// File, events, ignored elements, reasons of dead letters.
pub(crate) type Row =
    (&'static str, &'static [(&'static str, &'static str, bool)], i64, &'static [&'static str]);

const SAMPLES: &[Row] = &[
    ("twilio/status_callback_min_read.form.txt", &[("unknown", "read", true)], 0, &[]),
    ("twilio/status_callback_min_delivered.form.txt", &[("sms", "delivered", true)], 0, &[]),
    ("twilio/status_callback_failed_21610_optout.form.txt", &[("sms", "failed", true)], 0, &[]),
    (
        "twilio/whatsapp_status_callback_delivered.form.txt",
        &[("whatsapp", "delivered", true)],
        0,
        &[],
    ),
    ("twilio/whatsapp_status_callback_sent.form.txt", &[("whatsapp", "sent", false)], 0, &[]),
    ("twilio/whatsapp_inbound_received.form.txt", &[], 1, &[]),
    ("twilio/whatsapp_inbound_received2.form.txt", &[], 1, &[]),
    ("twilio/whatsapp_inbound_received3.form.txt", &[], 1, &[]),
    ("twilio/status_callback_sms_sent_doc.txt", &[], 0, &["syntax"]),
    ("twilio/status_callback_sms_delivered_rawdlr.form.txt", &[("sms", "delivered", true)], 0, &[]),
    ("twilio/status_callback_messaging_service_sent.form.txt", &[("sms", "sent", false)], 0, &[]),
    ("twilio/status_callback_unknown_status.form.txt", &[("sms", "unknown", false)], 0, &[]),
    ("twilio/message_resource_create.json", &[("sms", "queued", false)], 0, &[]),
    (
        "twilio/message_resource_createScheduledMessageWhatsapp.json",
        &[("whatsapp", "accepted", false)],
        0,
        &[],
    ),
    ("twilio/message_resource_fetch.json", &[("sms", "sent", false)], 0, &[]),
    ("twilio/message_resource_list.json", &[("sms", "sent", false)], 1, &[]),
    ("twilio/event_streams_message_delivered_v7_doc.json", &[("sms", "delivered", true)], 0, &[]),
    ("twilio/usage_records.json", &[], 1, &[]),
    ("infobip/viber_delivery_report.json", &[("sms", "delivered", true)], 0, &[]),
    ("infobip/whatsapp_seen_report.json", &[("whatsapp", "read", true)], 0, &[]),
    (
        "infobip/courier_validStatusPending.json",
        &[("sms", "sent", false), ("sms", "sent", false)],
        0,
        &[],
    ),
    ("infobip/courier_invalidStatus.json", &[("sms", "unknown", false)], 0, &[]),
    ("infobip/courier_statusMissingResultsKey.json", &[], 0, &["envelope"]),
    ("infobip/messages_api_delivery_report.json", &[("whatsapp", "delivered", true)], 0, &[]),
    (
        "infobip/sms_delivery_report_legacy_smsCount.json",
        &[("sms", "delivered", true), ("sms", "delivered", true)],
        0,
        &[],
    ),
    (
        "infobip/sms_delivery_report_v3.json",
        &[("sms", "delivered", true), ("sms", "delivered", true)],
        0,
        &[],
    ),
    (
        "infobip/sms_logs_v3_response.json",
        &[("sms", "delivered", true), ("sms", "delivered", true)],
        0,
        &[],
    ),
    ("infobip/mms_delivery_report_v2.json", &[("sms", "delivered", true)], 0, &[]),
    ("infobip/whatsapp_delivery_report.json", &[("whatsapp", "delivered", true)], 0, &[]),
    ("infobip/rcs_rcs_message_delivered.json", &[("rcs", "delivered", true)], 0, &[]),
    ("infobip/rcs_rcs_message_failed.json", &[("rcs", "undelivered", true)], 0, &[]),
    (
        "infobip/rcs_rcs_with_failover_rcs_message_delivered.json",
        &[("rcs", "delivered", true)],
        0,
        &[],
    ),
    ("infobip/rcs_rcs_with_failover_rcs_message_failed.json", &[("rcs", "sent", false)], 0, &[]),
    (
        "infobip/rcs_rcs_with_failover_sms_message_delivered.json",
        &[("sms", "delivered", true)],
        0,
        &[],
    ),
    ("infobip/billing_usage_result_a_simple_billing_usage_result.json", &[], 1, &[]),
    ("infobip/billing_usage_result_a_detailed_billing_usage_result.json", &[], 1, &[]),
    ("infobip/billing_usage_result_an_error_billing_usage_result.json", &[], 1, &[]),
    ("google_rbm/user_event_read.json", &[("rcs", "read", true)], 0, &[]),
    ("google_rbm/user_event_delivered.json", &[("rcs", "delivered", true)], 0, &[]),
    ("google_rbm/user_event_unsubscribe.json", &[], 1, &[]),
    ("google_rbm/user_event_is_typing.json", &[], 1, &[]),
    ("google_rbm/user_message_text.json", &[], 1, &[]),
    ("google_rbm/agent_launch_event_decoded.json", &[], 1, &[]),
    ("google_rbm/agent_launch_event_envelope.json", &[], 0, &["bad_encoding"]),
    ("google_rbm/server_event_ttl_revoked.txt", &[], 0, &["syntax"]),
    ("google_rbm/webhook_verification_request.json", &[], 1, &[]),
    ("google_rbm/activity_log_header.tsv.txt", &[], 1, &[]),
    ("google_rbm/billing_report_header.tsv.txt", &[], 1, &[]),
    ("whatsapp/status_failed_131049.json", &[("whatsapp", "failed", true)], 0, &[]),
    ("whatsapp/bsp_billing_event.json", &[], 1, &[]),
    ("whatsapp/status_sent_with_conversation_pmp.json", &[("whatsapp", "sent", false)], 0, &[]),
    (
        "whatsapp/status_cbp_pair.reconstructed.json",
        &[("whatsapp", "sent", false), ("whatsapp", "delivered", true), ("whatsapp", "read", true)],
        0,
        &[],
    ),
    ("apns/response_200.reconstructed.json", &[("push_apns", "accepted", false)], 0, &[]),
    ("apns/response_410.reconstructed.json", &[("push_apns", "undelivered", true)], 0, &[]),
    ("fcm/send_ok.reconstructed.json", &[("push_fcm", "accepted", false)], 0, &[]),
    ("fcm/bigquery_row.reconstructed.json", &[("push_fcm", "delivered", true)], 0, &[]),
    ("fcm/delivery_data.reconstructed.json", &[], 1, &[]),
    ("fcm/error_unregistered.reconstructed.json", &[], 0, &["missing_id"]),
    ("cloudevents/inapp_delivered.reconstructed.json", &[("in_app", "delivered", true)], 0, &[]),
];

/// Usage and billing exports: how many of their elements give charges, which are all of them.
const BILLS: &[(&str, i64)] = &[
    ("twilio/usage_records.json", 1),
    ("infobip/billing_usage_result_a_simple_billing_usage_result.json", 2),
    ("infobip/billing_usage_result_a_detailed_billing_usage_result.json", 3),
    ("whatsapp/bsp_billing_event.json", 1),
    ("telnyx/mdr_usage_report_response.json", 1),
    ("gupshup/whatsapp_billing_event_cbp.json", 1),
    ("gupshup/whatsapp_billing_event_pmp.json", 1),
    ("aws_sns/usage_report.csv.txt", 3),
];

/// Why a sample is a dead letter.
const WHY: &[(&str, &str)] = &[
    ("twilio/status_callback_sms_sent_doc.txt", "lines of documentation, no body of a request"),
    ("vonage/signed_webhook_jwt_claims.txt", "a token's claims, with comments"),
    ("infobip/courier_statusMissingResultsKey.json", "its `results` have another name"),
    ("google_rbm/agent_launch_event_envelope.json", "dots stand for the data, no base64"),
    ("google_rbm/server_event_ttl_revoked.txt", "placeholders that are no JSON"),
    ("messagebird/status_report_get_querystring_base.txt", "it has no status"),
    ("messagebird/signature_jwt_reference_vectors.json", "vectors of a signature: see `vectors`"),
    ("gupshup/sms_dlr_get_url_template.txt", "placeholders; an empty id"),
    ("gupshup/sms_dlr_post_doc_verbatim.txt", "typographic quotes, no JSON"),
    ("aws_sns/sms_success_doc.txt", "a typographic quote, no JSON"),
    ("webpush/receipt_flow.reconstructed.txt", "a dialogue in prose"),
    ("fcm/error_unregistered.reconstructed.json", "an answer without its request has no id"),
];

#[test]
#[ignore = "needs SENDTALLY_SAMPLES, the folder of published samples"]
fn published_samples_are_read_as_their_tables_say() {
    let root = samples();
    for (file, events, ignored, dead) in rows() {
        let source = source(file.split('/').next().unwrap());
        let normalized = run(source, &[Case::file(&root.join(file))]);
        let lines = lines(&normalized);
        let actual: Vec<_> = lines
            .iter()
            .map(|line| {
                let word = |key: &str| line[key].as_str().unwrap();
                (word("channel"), word("status"), line["is_final"].as_bool().unwrap())
            })
            .collect();
        let reasons: Vec<_> = normalized.dead.iter().map(|dead| dead.reason.as_str()).collect();
        assert_eq!(actual, *events, "{file}");
        assert_eq!(reasons, *dead, "{file}");
        let is_explained = WHY.iter().any(|(name, _)| name == file);
        assert_eq!(is_explained, !dead.is_empty(), "{file}: why it is a dead letter");
        let tally = &normalized.tallies[0];
        let bill = BILLS.iter().find(|(name, _)| name == file);
        let expected = bill.map_or((0, *ignored), |(_, charged)| (*charged, 0));
        assert_eq!((tally.charges, tally.ignored), expected, "{file}");
    }
    every_file_is_in_the_table(&root);
}

/// Columns whose values are written down of every sample, where they say something.
const TOLD: &[&str] = &[
    "message_id",
    "logical_id",
    "vendor_status",
    "error_code",
    "error_class",
    "event_time",
    "event_time_source",
    "submit_time",
    "recipient_prefix",
    "country",
    "mcc",
    "mnc",
    "carrier",
    "sender",
    "traffic_class",
    "segments",
    "price",
    "price_unit",
    "currency",
];
const CHARGED: &[&str] = &[
    "grain",
    "kind",
    "basis",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "currency",
    "event_time",
    "period_start",
    "period_end",
    "sku",
    "country",
    "carrier",
];

/// Every value that a sample's events and charges have: `samples/told.txt`, which
/// `SENDTALLY_BLESS=1` writes and a person reads against the samples.
#[test]
#[ignore = "needs SENDTALLY_SAMPLES, the folder of published samples"]
fn published_samples_tell_what_was_read_in_them() {
    let root = samples();
    let mut told = String::new();
    for (file, ..) in rows() {
        let normalized =
            run(source(file.split('/').next().unwrap()), &[Case::file(&root.join(file))]);
        told.push_str(&format!("{file}\n"));
        let events = lines(&normalized);
        let charges = charges(&normalized);
        let rows = events.iter().map(|line| ("event ", line, TOLD));
        for (word, line, columns) in
            rows.chain(charges.iter().map(|line| ("charge", line, CHARGED)))
        {
            told.push_str(&format!("  {word}"));
            for column in columns {
                let value = line[*column].to_string();
                if !["null", "\"unknown\"", "\"none\""].contains(&value.as_str()) {
                    told.push_str(&format!(" {column}={}", value.trim_matches('"')));
                }
            }
            told.push('\n');
        }
        for dead in &normalized.dead {
            told.push_str(&format!("  dead   {} {}\n", dead.reason.as_str(), dead.detail));
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/samples/told.txt");
    if std::env::var_os("SENDTALLY_BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (line, expected) in told.lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(told.lines().count(), expected.lines().count());
}

/// Their folder.
#[track_caller]
pub(crate) fn samples() -> PathBuf {
    let root = std::env::var_os("SENDTALLY_SAMPLES")
        .expect("SENDTALLY_SAMPLES must name the folder of published samples");
    PathBuf::from(root)
}

fn rows() -> impl Iterator<Item = &'static Row> {
    let groups = [SAMPLES, cpaas::SAMPLES, regional::SAMPLES, networks::SAMPLES, push::SAMPLES];
    groups.into_iter().flatten()
}

/// Source of a folder: two have an older name.
fn source(folder: &str) -> Option<Source> {
    match folder {
        "aws_pinpoint_legacy" => Some(Source::AwsPinpoint),
        "gsma_5g" => Some(Source::GsmaMaap),
        name => Source::parse(name),
    }
}

/// Every folder that has a row has one for each of its files.
fn every_file_is_in_the_table(root: &std::path::Path) {
    let folders: std::collections::BTreeSet<&str> =
        rows().filter_map(|(path, ..)| path.split('/').next()).collect();
    for folder in folders {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let file = format!("{folder}/{name}");
            let known = name == "SOURCES.txt" || rows().any(|(path, ..)| *path == file);
            assert!(known, "{file} is in no row of the table");
        }
    }
}

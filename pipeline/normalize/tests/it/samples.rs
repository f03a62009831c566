//! The vendors' published samples, where `SENDTALLY_SAMPLES` names their folder: each file's
//! expected events as (channel, status, final), its ignored elements and its dead letters.

mod cpaas;
mod networks;
mod push;
mod regional;

use std::path::PathBuf;

use model::vocabulary::Source;

use crate::fixtures::{Case, lines, run};

/// File, events, ignored elements, reasons of dead letters.
pub(crate) type Row =
    (&'static str, &'static [(&'static str, &'static str, bool)], i64, &'static [&'static str]);

const SAMPLES: &[Row] = &[
    ("twilio/status_callback_min_read.form.txt", &[("sms", "read", true)], 0, &[]),
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

#[test]
fn published_samples_are_read_as_their_tables_say() {
    let Some(root) = std::env::var_os("SENDTALLY_SAMPLES").map(PathBuf::from) else {
        println!("SENDTALLY_SAMPLES is not set: the published samples were not checked");
        return;
    };
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
        let tally = &normalized.tallies[0];
        let bill = BILLS.iter().find(|(name, _)| name == file);
        let expected = bill.map_or((0, *ignored), |(_, charged)| (*charged, 0));
        assert_eq!((tally.charges, tally.ignored), expected, "{file}");
    }
    every_file_is_in_the_table(&root);
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

//! Amazon SNS: the envelope carries its own signature, by the key of a certificate.
//!
//! The envelope names the certificate's address. It is never fetched: whoever writes the envelope
//! writes the address. The configuration holds the certificate, got once by hand from the address
//! in a real notification; here the address only has to be one of Amazon's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};

use super::Reason;
use super::keys::Keys;
use super::request::{Checked, Signed};
use crate::json::{Cursor, Scalar};

/// SNS repeats a delivery for up to an hour with the same time.
const TOLERANCE_S: u32 = 3600;

/// Keys of the envelope, in the order in which they are signed where they are.
const SIGNED: [&str; 8] =
    ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
/// Keys that are not signed. No other key may stand beside: an adapter might read it.
const UNSIGNED: [&str; 8] = [
    "MessageAttributes",
    "Signature",
    "SignatureVersion",
    "SigningCertURL",
    "SigningCertUrl",
    "SubscribeUrl",
    "UnsubscribeURL",
    "UnsubscribeUrl",
];

#[derive(Debug, Default)]
struct Envelope {
    signed: [Option<String>; SIGNED.len()],
    signature: Option<String>,
    version: Option<String>,
    address: Option<String>,
}

/// RSA PKCS #1 v1.5 with SHA-1 (version 1) or SHA-256 (version 2).
pub(super) fn check(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let envelope = read(signed.text()?)?;
    let presented = envelope.signature.as_deref().ok_or(Reason::MissingField)?;
    let address = envelope.address.as_deref().ok_or(Reason::MissingField)?;
    if !is_amazons(address) {
        return Err(Reason::ForeignCertificate);
    }
    let presented = STANDARD.decode(presented).map_err(|_| Reason::Malformed)?;
    let algorithm = match envelope.version.as_deref() {
        Some("1") => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some("2") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(Reason::Malformed),
    };
    let text = text(&envelope)?;
    let age = keys.find(|key| {
        UnparsedPublicKey::new(algorithm, key.bytes()).verify(text.as_bytes(), &presented).is_ok()
    })?;
    let at = SIGNED.iter().position(|key| *key == "Timestamp").unwrap_or(0);
    let sent = envelope.signed.get(at).and_then(Option::as_deref);
    let sent_us = sent.and_then(model::time::parse_rfc3339).ok_or(Reason::Malformed)?;
    signed.fresh(sent_us, keys, TOLERANCE_S)?;
    Ok(age)
}

/// Each signed key and its value, a line each.
fn text(envelope: &Envelope) -> Result<String, Reason> {
    let value = |key: &str| {
        let at = SIGNED.iter().position(|name| *name == key)?;
        envelope.signed.get(at)?.as_deref()
    };
    let is_notification = value("Type") == Some("Notification");
    let mut text = String::new();
    for key in SIGNED {
        let is_due = match key {
            "Subject" => is_notification && value(key).is_some(),
            "SubscribeURL" | "Token" => !is_notification,
            _ => true,
        };
        if is_due {
            text.push_str(key);
            text.push('\n');
            text.push_str(value(key).ok_or(Reason::Malformed)?);
            text.push('\n');
        }
    }
    Ok(text)
}

fn read(text: &str) -> Result<Envelope, Reason> {
    let mut envelope = Envelope::default();
    let mut is_plain = true;
    let read = Cursor::new(text).document_or_skip(|cursor, key| {
        if key == "MessageAttributes" {
            return cursor.skip();
        }
        let at = SIGNED.iter().position(|name| *name == key);
        let slot = match (key, at) {
            (_, Some(at)) => envelope.signed.get_mut(at),
            ("Signature", _) => Some(&mut envelope.signature),
            ("SignatureVersion", _) => Some(&mut envelope.version),
            ("SigningCertURL" | "SigningCertUrl", _) => Some(&mut envelope.address),
            _ => None,
        };
        match (cursor.scalar()?, slot) {
            (Scalar::Text(value), Some(slot)) => {
                // Of a key that stands twice nobody knows which one is meant.
                is_plain &= slot.replace(value.into_owned()).is_none();
            }
            (Scalar::Null, Some(_)) => {}
            (_, None) => is_plain &= UNSIGNED.contains(&key),
            _ => is_plain = false,
        }
        Ok(())
    });
    match read {
        Ok(_) if is_none(&envelope) => Err(Reason::NoEnvelope),
        Ok(true) if is_plain => Ok(envelope),
        Ok(true) if envelope.signature.is_none() => Err(Reason::MissingField),
        _ => Err(Reason::Malformed),
    }
}

/// Nothing of an envelope is there: the event came another way than by SNS.
fn is_none(Envelope { signed, signature, version, address }: &Envelope) -> bool {
    signed.iter().chain([signature, version, address]).all(Option::is_none)
}

/// The address that confirms a subscription, where the text is the envelope that asks for it and
/// the address is Amazon's own. Nothing is checked beside: see [`check`].
pub fn subscription(text: &str) -> Option<String> {
    let mut found = [None, None];
    let read = Cursor::new(text).document_or_skip(|cursor, key| {
        let slot = match key {
            "Type" => 0,
            "SubscribeURL" => 1,
            _ => return cursor.skip(),
        };
        if let Scalar::Text(value) = cursor.scalar()?
            && let Some(place) = found.get_mut(slot)
        {
            *place = Some(value.into_owned());
        }
        Ok(())
    });
    match (read, found) {
        (Ok(true), [Some(kind), Some(address)]) if kind == "SubscriptionConfirmation" => {
            let is_asked = amazons(&address).is_some_and(|path| {
                path.starts_with("?Action=ConfirmSubscription&") && !path.contains(['#', '@'])
            });
            is_asked.then_some(address)
        }
        _ => None,
    }
}

/// `https://sns.<region>.amazonaws.com/….pem`, China's `.cn` too.
fn is_amazons(address: &str) -> bool {
    amazons(address).is_some_and(|path| path.ends_with(".pem"))
}

/// What stands behind `https://sns.<region>.amazonaws.com/`.
fn amazons(address: &str) -> Option<&str> {
    let (host, path) = address.strip_prefix("https://")?.split_once('/')?;
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|host| host.strip_suffix(".amazonaws.com"));
    let is_region = |region: &str| {
        let mut letters = region.bytes();
        !region.is_empty()
            && letters
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    region.is_some_and(is_region).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazons_own_addresses_name_a_certificate() {
        for good in [
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-a.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-a.pem",
        ] {
            assert!(is_amazons(good), "{good}");
        }
        for bad in [
            "http://sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com.example/a.pem",
            "https://sns.us-east-1.amazonaws.com@example.com/a.pem",
            "https://example.com/sns.us-east-1.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://sns.a.b.amazonaws.com/a.pem",
            "https://s3.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com:8443/a.pem",
            "https://sns.us-east-1.amazonaws.com/a.txt",
            "https://sns.us-east-1.amazonaws.com",
        ] {
            assert!(!is_amazons(bad), "{bad}");
        }
    }

    #[test]
    fn only_amazons_own_addresses_confirm_a_subscription() {
        let envelope = |kind: &str, address: &str| {
            format!(r#"{{"Type":"{kind}","Token":"t","SubscribeURL":"{address}"}}"#)
        };
        let asked = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
        let found = subscription(&envelope("SubscriptionConfirmation", asked));
        assert_eq!(found.as_deref(), Some(asked));
        for (kind, address) in [
            ("Notification", asked),
            ("UnsubscribeConfirmation", asked),
            ("SubscriptionConfirmation", "http://169.254.169.254/latest/meta-data"),
            ("SubscriptionConfirmation", "https://sns.example/?Action=ConfirmSubscription&T=t"),
            (
                "SubscriptionConfirmation",
                "https://sns.eu-west-1.amazonaws.com@h.example/?Action=ConfirmSubscription&T=t",
            ),
            ("SubscriptionConfirmation", "https://sns.eu-west-1.amazonaws.com/?Action=Publish&T=t"),
        ] {
            assert_eq!(subscription(&envelope(kind, address)), None, "{kind} {address}");
        }
        assert_eq!(subscription("no envelope"), None);
    }
}

//! `[[signatures]]`: vendors' keys from files, and what a topic asks of its records.

use std::path::PathBuf;
use std::sync::Arc;

use model::record::{SignaturePolicy, SignatureRule};
use model::vocabulary::Source;
use normalize::signature::{Algorithm, KeySet, Scheme, Secret, Signatures};
use serde::Deserialize;

use super::{TopicEntry, secret_line};
use crate::failure::{Failure, Outcome};

/// Keys of a source, or of one of its accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSignatures {
    /// Whose signatures.
    source: String,
    /// Account that the keys belong to; without it any that has none of its own.
    account: Option<String>,
    /// One file, or two while keys are exchanged, the new one first: a secret, a public key in
    /// base64 (Telnyx), a certificate in PEM (SNS).
    secret_files: Vec<PathBuf>,
    /// How far the time of a signature may be from the time of receipt; without it the vendor's.
    tolerance_s: Option<u32>,
    /// `documented`, `plivo_v2`, `vonage_parameters`, `body_hmac`, `shared_header`,
    /// `shared_parameter`.
    #[serde(default = "documented")]
    scheme: String,
    /// Hash of `vonage_parameters` and `body_hmac`: `md5`, `sha1`, `sha224`, `sha256`, `sha384`,
    /// `sha512`.
    algorithm: Option<String>,
    /// Request header of `body_hmac` and `shared_header`.
    header: Option<String>,
    /// Parameter of `shared_parameter`.
    parameter: Option<String>,
}

fn documented() -> String {
    "documented".to_owned()
}

/// What becomes of the signatures of a topic's records, by the words of its entry.
pub(super) fn rule(policy: Option<&str>, check_again: bool) -> Outcome<SignatureRule> {
    let policy = match policy {
        None => SignaturePolicy::default(),
        Some(word) => SignaturePolicy::parse(word).ok_or_else(|| {
            Failure::usage(format!(
                "[[topics]] signatures is `{word}`; it can be ignore, record or require"
            ))
        })?,
    };
    Ok(SignatureRule { policy, check_again })
}

/// Reads the key files. Says so where a topic asks for signatures that nobody can check.
pub(super) fn read(raw: Vec<RawSignatures>, topics: &[TopicEntry]) -> Outcome<Arc<Signatures>> {
    let sets: Outcome<Vec<KeySet>> = raw.into_iter().map(key_set).collect();
    let signatures = Signatures::new(&sets?)
        .map_err(|error| Failure::usage(format!("[[signatures]] {error}")))?;
    for topic in topics {
        let Some(source) = topic.source else { continue };
        let required = topic.signatures.policy == SignaturePolicy::Require;
        if required && !signatures.covers(source) {
            tracing::warn!(
                %source,
                "a topic requires signatures and [[signatures]] has no key of its source: only \
                 what the gateway checked passes"
            );
        }
    }
    Ok(Arc::new(signatures))
}

fn key_set(raw: RawSignatures) -> Outcome<KeySet> {
    let source = Source::parse(&raw.source).ok_or_else(|| {
        Failure::usage(format!(
            "[[signatures]] source `{}` is unknown; known: {}",
            raw.source,
            Source::WORDS.join(", ")
        ))
    })?;
    let scheme = scheme(&raw)?;
    let secret =
        |file: &PathBuf| Ok(Secret::new(&secret_line("[[signatures]] secret_files", file)?));
    let secrets: Outcome<Vec<Secret>> = raw.secret_files.iter().map(secret).collect();
    let (account, tolerance_s) = (raw.account, raw.tolerance_s);
    Ok(KeySet { source, account, scheme, secrets: secrets?, tolerance_s })
}

fn scheme(raw: &RawSignatures) -> Outcome<Scheme> {
    let missing =
        |key: &str| Failure::usage(format!("[[signatures]] scheme {} needs `{key}`", raw.scheme));
    let header = || raw.header.clone().ok_or_else(|| missing("header"));
    let algorithm = || {
        let word = raw.algorithm.as_deref().ok_or_else(|| missing("algorithm"))?;
        Algorithm::parse(word).ok_or_else(|| {
            Failure::usage(format!(
                "[[signatures]] algorithm is `{word}`; it can be md5, sha1, sha224, sha256, sha384 \
                 or sha512"
            ))
        })
    };
    Ok(match raw.scheme.as_str() {
        "documented" => Scheme::Documented,
        "plivo_v2" => Scheme::PlivoV2,
        "vonage_parameters" => Scheme::VonageParameters(algorithm()?),
        "body_hmac" => Scheme::BodyHmac { header: header()?, algorithm: algorithm()? },
        "shared_header" => Scheme::SharedHeader { header: header()? },
        "shared_parameter" => {
            let name = raw.parameter.clone().ok_or_else(|| missing("parameter"))?;
            Scheme::SharedParameter { name }
        }
        other => {
            return Err(Failure::usage(format!(
                "[[signatures]] scheme is `{other}`; it can be documented, plivo_v2, \
                 vonage_parameters, body_hmac, shared_header or shared_parameter"
            )));
        }
    })
}

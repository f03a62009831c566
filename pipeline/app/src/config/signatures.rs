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
    scheme: Option<String>,
    /// Hash of `vonage_parameters` and `body_hmac`: `md5`, `sha1`, `sha224`, `sha256`, `sha384`,
    /// `sha512`.
    algorithm: Option<String>,
    /// Request header of `body_hmac` and `shared_header`.
    header: Option<String>,
    /// Parameter of `shared_parameter`.
    parameter: Option<String>,
}

/// What is meant where no scheme is named.
const DOCUMENTED: &str = "documented";
/// Schemes, and which of the keys `header`, `algorithm`, `parameter` each reads.
const READ: [(&str, &[&str]); 6] = [
    (DOCUMENTED, &[]),
    ("plivo_v2", &[]),
    ("vonage_parameters", &["algorithm"]),
    ("body_hmac", &["header", "algorithm"]),
    ("shared_header", &["header"]),
    ("shared_parameter", &["parameter"]),
];

/// Whose keys are configured: a source's accounts, or (`None`) any account.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyHolders(Vec<(Source, Option<String>)>);

impl KeyHolders {
    /// Of entries whose sources are known; [`read`] refuses others.
    pub(super) fn of(raw: &[RawSignatures]) -> Self {
        let holder =
            |keys: &RawSignatures| Some((Source::parse(&keys.source)?, keys.account.clone()));
        Self(raw.iter().filter_map(holder).collect())
    }

    /// Whether some key is asked about records of this account; one that names no account is
    /// tried against all keys of its source.
    pub(crate) fn cover(&self, source: Source, account: Option<&str>) -> bool {
        self.of_source(source).any(|whose| account.is_none() || whose.is_none() || whose == account)
    }

    /// The same of any account of a source but these.
    pub(super) fn cover_others(&self, source: Source, but: &[&str]) -> bool {
        self.of_source(source).any(|whose| whose.is_none_or(|whose| !but.contains(&whose)))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of_source(&self, source: Source) -> impl Iterator<Item = Option<&str>> {
        let of_source = self.0.iter().filter(move |(of, _)| *of == source);
        of_source.map(|(_, whose)| whose.as_deref())
    }
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
    let word = raw.scheme.as_deref().unwrap_or(DOCUMENTED);
    let unknown = || {
        let known: Vec<&str> = READ.iter().map(|(known, _)| *known).collect();
        Failure::usage(format!(
            "[[signatures]] scheme is `{word}`; it can be one of {}",
            known.join(", ")
        ))
    };
    let (_, read) = READ.iter().find(|(known, _)| *known == word).ok_or_else(unknown)?;
    let told = [
        ("header", raw.header.is_some()),
        ("algorithm", raw.algorithm.is_some()),
        ("parameter", raw.parameter.is_some()),
    ];
    if let Some((key, _)) = told.iter().find(|(key, is_told)| *is_told && !read.contains(key)) {
        let readers: Vec<&str> =
            READ.iter().filter(|(_, read)| read.contains(key)).map(|(of, _)| *of).collect();
        return Err(Failure::usage(format!(
            "[[signatures]] of {}: scheme {word} does not read `{key}`: take it out, or give the \
             scheme that is meant ({})",
            raw.source,
            readers.join(", ")
        )));
    }
    Ok(match word {
        "plivo_v2" => Scheme::PlivoV2,
        "vonage_parameters" => Scheme::VonageParameters(algorithm(raw)?),
        "body_hmac" => Scheme::BodyHmac { header: header(raw)?, algorithm: algorithm(raw)? },
        "shared_header" => Scheme::SharedHeader { header: header(raw)? },
        "shared_parameter" => Scheme::SharedParameter { name: parameter(raw)? },
        _ => Scheme::Documented,
    })
}

/// A key that the scheme cannot do without.
fn needed<'a>(raw: &RawSignatures, key: &str, told: Option<&'a str>) -> Outcome<&'a str> {
    told.ok_or_else(|| {
        let scheme = raw.scheme.as_deref().unwrap_or(DOCUMENTED);
        Failure::usage(format!("[[signatures]] scheme {scheme} needs `{key}`"))
    })
}

fn header(raw: &RawSignatures) -> Outcome<String> {
    let name = needed(raw, "header", raw.header.as_deref())?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        // A value may stand there by mistake, so it is not shown.
        return Err(Failure::usage(format!(
            "[[signatures]] of {}: what `header` names is no request header: every webhook \
             would be refused",
            raw.source
        )));
    }
    Ok(name.to_owned())
}

fn parameter(raw: &RawSignatures) -> Outcome<String> {
    let name = needed(raw, "parameter", raw.parameter.as_deref())?;
    if name.is_empty() {
        return Err(Failure::usage("[[signatures]] parameter is empty: name one of the URL"));
    }
    Ok(name.to_owned())
}

fn algorithm(raw: &RawSignatures) -> Outcome<Algorithm> {
    let word = needed(raw, "algorithm", raw.algorithm.as_deref())?;
    Algorithm::parse(word).ok_or_else(|| {
        Failure::usage(format!(
            "[[signatures]] algorithm is `{word}`; it can be md5, sha1, sha224, sha256, sha384 or \
             sha512"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme_of(text: &str) -> String {
        let head = "source = \"infobip\"\nsecret_files = []\n";
        let raw: RawSignatures = toml::from_str(&format!("{head}{text}")).unwrap();
        scheme(&raw).map_or_else(|failure| failure.to_string(), |scheme| format!("{scheme:?}"))
    }

    #[test]
    fn what_a_scheme_does_not_read_is_refused() {
        for (text, words) in [
            ("header = \"x\"", "does not read `header`"),
            ("header = \"x\"", "(body_hmac, shared_header)"),
            ("algorithm = \"md5\"", "(vonage_parameters, body_hmac)"),
            ("parameter = \"x\"", "(shared_parameter)"),
            ("scheme = \"documented\"\nheader = \"x\"", "does not read `header`"),
            ("scheme = \"plivo_v2\"\nalgorithm = \"md5\"", "does not read `algorithm`"),
            ("scheme = \"rot13\"\nheader = \"x\"", "`rot13`"),
            ("", "Documented"),
            ("scheme = \"documented\"", "Documented"),
            ("scheme = \"plivo_v2\"", "PlivoV2"),
            ("scheme = \"vonage_parameters\"\nalgorithm = \"md5\"", "VonageParameters(Md5)"),
            ("scheme = \"shared_header\"\nheader = \"X-Key\"", "\"X-Key\""),
        ] {
            let told = scheme_of(text);
            assert!(told.contains(words), "{text}: {told}");
        }
    }

    #[test]
    fn a_header_that_no_request_can_have_is_refused() {
        for name in ["", " ", "x key", "x:", "schlüssel", "x\\n"] {
            for scheme in ["shared_header\"", "body_hmac\"\nalgorithm = \"sha256\""] {
                let told = scheme_of(&format!("scheme = \"{scheme}\nheader = \"{name}\""));
                assert!(told.contains("no request header"), "{name}: {told}");
            }
        }
        let told = scheme_of("scheme = \"shared_parameter\"\nparameter = \"\"");
        assert!(told.contains("parameter is empty"), "{told}");
    }

    #[test]
    fn keys_of_an_account_cover_no_other_one() {
        let of = |source, account: Option<&str>| (source, account.map(str::to_owned));
        let holders = KeyHolders(vec![of(Source::Bird, Some("a")), of(Source::Sinch, None)]);
        assert!(holders.cover(Source::Bird, Some("a")) && !holders.cover(Source::Bird, Some("b")));
        assert!(holders.cover(Source::Bird, None), "it is tried against all keys");
        assert!(holders.cover(Source::Sinch, Some("b")) && !holders.cover(Source::Plivo, None));
        assert!(holders.cover_others(Source::Bird, &["b"]));
        assert!(!holders.cover_others(Source::Bird, &["a"]));
        assert!(holders.cover_others(Source::Sinch, &["a"]));
    }
}

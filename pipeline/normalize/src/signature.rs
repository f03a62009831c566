//! Signatures: who sent a record, and whether anybody changed it on its way.
//!
//! A pure function from a record, its headers, the configured keys and its own time of receipt to a
//! [`Verdict`]. The wall clock is never asked: a record read again in a year has the same verdict.
//!
//! Request headers are the record's `http-<name>`; "URL" is its header `url`.
//!
//! | source | headers, fields | scheme |
//! |---|---|---|
//! | `twilio` | `x-twilio-signature`, URL | HMAC-SHA1, base64 |
//! | `sinch` | `x-sinch-webhook-signature`, its `-nonce`, `-timestamp`, `-algorithm` | HMAC |
//! | `vonage` Messages | `authorization: Bearer <JWT>` | HS256 and `payload_hash` |
//! | `vonage` SMS | `sig`, `timestamp` among the parameters | MD5 or HMAC, hex |
//! | `telnyx` | `telnyx-signature-ed25519`, `telnyx-timestamp` | Ed25519, base64 |
//! | `plivo` | `x-plivo-signature-v3`, `x-plivo-signature-v3-nonce`, URL | HMAC-SHA256, base64 |
//! | `plivo`, asked for | `x-plivo-signature-v2`, `…-v2-nonce`, URL | HMAC-SHA256, base64 |
//! | `messagebird` | `messagebird-signature-jwt`, URL | HS256/384/512 and hashes |
//! | `messagebird`, old | `messagebird-signature`, `messagebird-request-timestamp` | HMAC-SHA256 |
//! | `bird` | `webhook-id`, `webhook-timestamp`, `webhook-signature` | HMAC-SHA256, base64 |
//! | `google_rbm` | `x-goog-signature` | HMAC-SHA512, base64 |
//! | `whatsapp` | `x-hub-signature-256` | HMAC-SHA256, hex |
//! | `aws_sns`, `aws_eum`, `aws_pinpoint` | `Signature` … of the SNS envelope | RSA PKCS #1 v1.5 |
//! | any, as configured | [`Scheme::BodyHmac`], `SharedHeader`, `SharedParameter` | unverified |
//!
//! | source | what is signed | tolerance | key |
//! |---|---|---|---|
//! | `twilio` | URL with or without port; each form parameter by name | none | auth token |
//! | `twilio`, `bodySHA256` in the URL | URL; the body by its hash | none | auth token |
//! | `sinch` | `body.nonce.timestamp` | 300 s, assumed | secret |
//! | `vonage` Messages | the body by its hash; `iat` | 300 s, assumed | signature secret |
//! | `vonage` SMS | `&name=value` sorted | 300 s, assumed | signature secret |
//! | `telnyx` | `timestamp\|body` | 300 s | public key, base64 |
//! | `plivo` | URL, sorted query, sorted parameters, nonce | none | auth token |
//! | `plivo` V2 | URL without its query, nonce; **no parameter** | none | auth token |
//! | `messagebird` | URL and body by their hashes | `nbf` to `exp`, 5 s | signing key |
//! | `messagebird`, old | timestamp, sorted query, body by its hash | 300 s, assumed | the same |
//! | `bird` | `id.timestamp.body` | 300 s | `whsec_…` |
//! | `google_rbm` | decoded `message.data` | none | client token |
//! | `whatsapp` | body | none | app secret |
//! | SNS | fields of the envelope | 3600 s, assumed | certificate, PEM |
//!
//! Where something is unsigned, nothing is read from it: beside the signed data of a Pub/Sub push
//! or the signed fields of an SNS envelope no other key may stand, a key may not stand twice, and
//! a signed query is no excuse for an unsigned body. Twilio's own weakness stays: names and values
//! are joined without a sign between them, and of repeated values the set is signed.
//! Plivo's V2 joins URL and nonce in the same way.
//!
//! **Unverified**, for no reference tells it or two differ: Infobip's header and string (HMAC of
//! the body is what its settings suggest: [`Scheme::BodyHmac`]); Gupshup, Kaleyra, OneSignal,
//! Braze (nothing found); Bandwidth (Basic authorization at most: [`Scheme::SharedHeader`]), Azure
//! (Entra ID or a secret in the URL: [`Scheme::SharedParameter`]), GSMA MaaP (an `Authorization`
//! of its own); what Plivo puts between a URL without query and the parameters (`.` or `?`: either
//! is taken); the query of MessageBird's old code (taken as it is spelled); tolerances that are
//! "assumed". APNs, FCM, web push and SMPP are the sender's own records: nobody signs them.
//!
//! # Keys
//! One or two for a source and account: the new one first, the old one until the vendor uses it no
//! more (`valid_old_key` tells that it still does). Keys of the record's account (its header, else
//! the topic's) are tried, else those for any account; a record that names no account is tried
//! against all keys of its source. SNS: the certificate at `SigningCertURL`, saved to a file by
//! hand; nothing is fetched. When Amazon exchanges it, the new one is put first.
//!
//! # Reason words
//! | `verified` | `verified_reason` | |
//! |---|---|---|
//! | true | `valid` | right, with the first key |
//! | true | `valid_old_key` | right, with the second key |
//! | true | `unverified_scheme` | right by a scheme that no reference documents, first key |
//! | true | `unverified_scheme_old_key` | the same with the second key |
//! | true, false | `header` | the gateway checked it and wrote the header `verified` |
//! | false | `mismatch` | no active key gives this code: another key, or something was changed |
//! | false | `body_mismatch` | the token is right, the body is another one |
//! | false | `url_mismatch` | the token is right, the URL is another one |
//! | false | `outside_tolerance` | right, signed long before or after its receipt: a replay |
//! | false | `foreign_certificate` | SNS: the certificate's address is not Amazon's |
//! | false | `malformed` | signature, timestamp or envelope cannot be read |
//! | false | `missing_header` | a request header that the scheme needs is not there |
//! | false | `missing_field` | a field or parameter that the scheme needs is not there |
//! | false | `missing_url` | the record has no `url` |
//! | false | `missing_time` | the record has neither `received-at` nor Kafka's time |
//! | null | `no_envelope` | AWS, by SQS, Lambda or raw delivery: only SNS's envelope is signed |
//! | null | `no_key` | no key is configured for the source and account |
//! | null | `no_scheme` | the source signs nothing that is known, and nothing is configured |
//! | null | null | policy `ignore`; or no keys at all and no header `verified` |
//!
//! # Policy of an input
//! `ignore` looks at nothing. `record` (the default) fills the two columns. `require` makes each
//! record that is not `true` one dead letter, `unverified`, whose detail is the reason word. The
//! header `verified` stands, unless the input's rule is to check again. Tombstones stay ignored.

use model::record::{SignaturePolicy, SignatureRule};
use model::vocabulary::Source;

mod mac;

mod certificate;

mod keys;

mod request;

mod bodies;

mod parameters;

mod tokens;

mod sns;

mod kept;

pub use keys::{KeyError, KeySet, Scheme, Secret};
pub use mac::Algorithm;
pub use request::Signed;
pub use sns::subscription;

use keys::Keys;
use request::{Age, Checked};

/// What is known of a record's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Right, wrong, or not checked.
    pub verified: Option<bool>,
    /// One of the words of the module's table.
    pub reason: Option<&'static str>,
}

/// Why a signature is not right; words in the module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Mismatch,
    BodyMismatch,
    UrlMismatch,
    OutsideTolerance,
    ForeignCertificate,
    Malformed,
    MissingHeader,
    MissingField,
    MissingUrl,
    MissingTime,
    NoEnvelope,
}

impl Reason {
    const fn word(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::BodyMismatch => "body_mismatch",
            Self::UrlMismatch => "url_mismatch",
            Self::OutsideTolerance => "outside_tolerance",
            Self::ForeignCertificate => "foreign_certificate",
            Self::Malformed => "malformed",
            Self::MissingHeader => "missing_header",
            Self::MissingField => "missing_field",
            Self::MissingUrl => "missing_url",
            Self::MissingTime => "missing_time",
            Self::NoEnvelope => "no_envelope",
        }
    }
}

/// All configured keys.
#[derive(Debug, Clone, Default)]
pub struct Signatures {
    /// By source's position.
    sets: Vec<Vec<Keys>>,
}

impl Signatures {
    /// Checks and decodes keys.
    ///
    /// # Errors
    /// Where a set cannot be used; the text names the source and never shows a key.
    pub fn new(sets: &[KeySet]) -> Result<Self, KeyError> {
        let mut signatures = Self::default();
        for set in sets {
            let keys = Keys::new(set)?;
            if signatures.sets.is_empty() {
                signatures.sets.resize(Source::ALL.len(), Vec::new());
            }
            if let Some(of_source) = signatures.sets.get_mut(usize::from(set.source.index())) {
                if of_source.iter().any(|other| other.account == keys.account) {
                    return Err(KeyError::Twice { source_name: set.source.as_str() });
                }
                of_source.push(keys);
            }
        }
        Ok(signatures)
    }

    /// Whether any key is configured for a source: without one, `require` lets nothing through
    /// that the gateway has not checked.
    #[must_use]
    pub fn covers(&self, source: Source) -> bool {
        !self.of_source(source).is_empty()
    }

    /// What is known of a record's signature, under its input's rule.
    #[must_use]
    pub fn verdict(&self, rule: SignatureRule, signed: &Signed<'_>) -> Verdict {
        if rule.policy == SignaturePolicy::Ignore {
            return Verdict::default();
        }
        if !rule.check_again
            && let Some(truth) = signed.record.headers.get("verified").and_then(truth)
        {
            return Verdict { verified: Some(truth), reason: Some("header") };
        }
        if self.sets.is_empty() {
            return Verdict::default();
        }
        let Some((checked, is_documented)) = self.check(signed) else {
            return Verdict { verified: None, reason: Some(self.unchecked(signed.source)) };
        };
        let (verified, reason) = match (checked, is_documented) {
            (Ok(Age::Current), true) => (Some(true), "valid"),
            (Ok(Age::Old), true) => (Some(true), "valid_old_key"),
            (Ok(Age::Current), false) => (Some(true), "unverified_scheme"),
            (Ok(Age::Old), false) => (Some(true), "unverified_scheme_old_key"),
            (Err(reason @ Reason::NoEnvelope), _) => (None, reason.word()),
            (Err(reason), _) => (Some(false), reason.word()),
        };
        Verdict { verified, reason: Some(reason) }
    }

    /// Names of the request headers that a record of this source has to keep (`http-<name>`), in
    /// lower case: those of its signatures, and those that its adapter reads.
    #[must_use]
    pub fn headers(&self, source: Source) -> Vec<&str> {
        let mut names: Vec<&str> = kept::documented(source).to_vec();
        let configured = self.of_source(source).iter().filter_map(|keys| match &keys.scheme {
            Scheme::BodyHmac { header, .. } | Scheme::SharedHeader { header } => {
                Some(header.as_str())
            }
            _ => None,
        });
        for name in configured {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name);
            }
        }
        names
    }

    /// Whether a text is one of the keys that would verify this source and account: RBM's
    /// handshake shows the client token itself.
    #[must_use]
    pub fn is_key(&self, source: Source, account: &str, text: &str) -> bool {
        let keys = self.meant(source, account);
        keys.is_some_and(|keys| keys.find(|key| mac::is_same(key.bytes(), text.as_bytes())).is_ok())
    }

    /// The keys of an account, else those of any.
    fn meant(&self, source: Source, account: &str) -> Option<&Keys> {
        let sets = self.of_source(source);
        let own = sets.iter().find(|keys| keys.account.as_deref() == Some(account));
        own.or_else(|| sets.iter().find(|keys| keys.account.is_none()))
    }

    fn of_source(&self, source: Source) -> &[Keys] {
        self.sets.get(usize::from(source.index())).map_or(&[], Vec::as_slice)
    }

    fn unchecked(&self, source: Source) -> &'static str {
        let is_known = keys::is_documented(source) || !self.of_source(source).is_empty();
        if is_known { "no_key" } else { "no_scheme" }
    }

    /// Tries the keys that may be meant, and tells whether their scheme is a documented one; `None`
    /// where there are none.
    fn check(&self, signed: &Signed<'_>) -> Option<(Checked, bool)> {
        if let Some(account) = signed.account {
            let keys = self.meant(signed.source, account)?;
            return Some((checked(signed, keys), keys.scheme.is_documented()));
        }
        let mut answer = None;
        for keys in self.of_source(signed.source) {
            let found = checked(signed, keys);
            // A mismatch says least: the keys were another account's.
            if found.is_ok() || matches!(answer, None | Some((Err(Reason::Mismatch), _))) {
                answer = Some((found, keys.scheme.is_documented()));
            }
            if found.is_ok() {
                break;
            }
        }
        answer
    }
}

/// By the scheme of the keys.
fn checked(signed: &Signed<'_>, keys: &Keys) -> Checked {
    match &keys.scheme {
        Scheme::Documented => documented(signed, keys),
        Scheme::PlivoV2 => parameters::plivo_v2(signed, keys),
        // The Messages API signs otherwise, whatever SMS are set to.
        Scheme::VonageParameters(_) if signed.optional("authorization").is_some() => {
            tokens::vonage(signed, keys)
        }
        Scheme::VonageParameters(algorithm) => parameters::vonage(signed, keys, Some(*algorithm)),
        Scheme::BodyHmac { header, algorithm } => {
            bodies::body_hmac(signed, keys, header, *algorithm)
        }
        Scheme::SharedHeader { header } => bodies::shared_header(signed, keys, header),
        Scheme::SharedParameter { name } => bodies::shared_parameter(signed, keys, name),
    }
}

/// How a source signs, in a few words: what [`Scheme::Documented`] checks, or why nothing is.
#[must_use]
pub const fn scheme(source: Source) -> &'static str {
    match source {
        Source::Twilio => "HMAC-SHA1 of the URL and the parameters or the body",
        Source::Sinch => "HMAC of body, nonce and timestamp",
        Source::Telnyx => "Ed25519 of timestamp and body",
        Source::Plivo => "HMAC-SHA256 of URL, parameters and nonce (V3); V2 where configured",
        Source::Messagebird => "JWT with hashes of URL and body; the older HMAC-SHA256",
        Source::Bird => "HMAC-SHA256 of id, timestamp and body",
        Source::GoogleRbm => "HMAC-SHA512 of the decoded data",
        Source::Whatsapp => "HMAC-SHA256 of the body",
        Source::AwsSns | Source::AwsEum | Source::AwsPinpoint => {
            "RSA of the SNS envelope, where the record is one"
        }
        Source::Vonage => "JWT with the body's hash (Messages); signed parameters (SMS)",
        Source::Apns | Source::Fcm | Source::Webpush | Source::Smpp => {
            "none: the sender's own record"
        }
        Source::Infobip
        | Source::Bandwidth
        | Source::Gupshup
        | Source::Kaleyra
        | Source::GsmaMaap
        | Source::AzureAcs
        | Source::Onesignal
        | Source::Braze
        | Source::Cloudevents => "none documented; unverified schemes can be configured",
    }
}

fn documented(signed: &Signed<'_>, keys: &Keys) -> Checked {
    match signed.source {
        Source::Twilio => parameters::twilio(signed, keys),
        Source::Sinch => bodies::sinch(signed, keys),
        Source::Telnyx => bodies::telnyx(signed, keys),
        Source::Plivo => parameters::plivo(signed, keys),
        Source::Messagebird => tokens::messagebird(signed, keys),
        Source::Bird => bodies::bird(signed, keys),
        Source::GoogleRbm => bodies::google_rbm(signed, keys),
        Source::Whatsapp => bodies::meta(signed, keys),
        Source::AwsSns | Source::AwsEum | Source::AwsPinpoint => sns::check(signed, keys),
        Source::Vonage if signed.optional("authorization").is_some() => {
            tokens::vonage(signed, keys)
        }
        Source::Vonage => parameters::vonage(signed, keys, None).map_err(|reason| match reason {
            // Neither a token nor a signed parameter: the token is what is missing.
            Reason::MissingField => Reason::MissingHeader,
            other => other,
        }),
        // Keys of other sources are refused when they are configured.
        _ => Err(Reason::Malformed),
    }
}

fn truth(word: &str) -> Option<bool> {
    match word {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

//! Keys as they are configured and as they are used. No secret is ever shown, `Debug` included.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::vocabulary::Source;

use super::certificate;
use super::mac::Algorithm;

/// Keys of one source and account.
#[derive(Debug, Clone)]
pub struct KeySet {
    /// Whose signatures.
    pub source: Source,
    /// Account that the keys belong to; `None`: any that has no keys of its own.
    pub account: Option<String>,
    /// How the vendor signs.
    pub scheme: Scheme,
    /// One key, or two while they are exchanged: the new one first, the old one second.
    pub secrets: Vec<Secret>,
    /// How far the time of a signature may be from the time of receipt, in seconds; `None`: the
    /// scheme's own.
    pub tolerance_s: Option<u32>,
}

/// How a vendor signs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scheme {
    /// As the table of [`crate::signature`] says for the source.
    #[default]
    Documented,
    /// Plivo's older signature, which leaves the parameters unsigned.
    PlivoV2,
    /// Vonage's signed parameters by HMAC instead of the plain MD5.
    VonageParameters(Algorithm),
    /// Unverified, for what no reference documents: HMAC of the body in a request header, in hex
    /// or base64, `sha256=` or the like before it or not.
    BodyHmac {
        /// Name of the request header.
        header: String,
        /// Its hash.
        algorithm: Algorithm,
    },
    /// Unverified: a request header that equals the secret (`Basic …`, `Bearer …`). It proves who
    /// sent, not what.
    SharedHeader {
        /// Name of the request header.
        header: String,
    },
    /// Unverified: a parameter of the callback's URL that equals the secret.
    SharedParameter {
        /// Name of the parameter.
        name: String,
    },
}

impl Scheme {
    /// Some reference tells it; the others are what an operator found out.
    pub(super) const fn is_documented(&self) -> bool {
        match self {
            Self::Documented | Self::PlivoV2 | Self::VonageParameters(_) => true,
            Self::BodyHmac { .. } | Self::SharedHeader { .. } | Self::SharedParameter { .. } => {
                false
            }
        }
    }
}

/// A secret, public key or certificate as text.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// From the text of a file: space around it is none of it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// None, or more than two.
    #[error("keys of {source_name}: give one key, or two while they are exchanged, not {count}")]
    Count {
        /// Source.
        source_name: &'static str,
        /// How many.
        count: usize,
    },
    /// Two sets for the same account.
    #[error("keys of {source_name}: two sets for the same account")]
    Twice {
        /// Source.
        source_name: &'static str,
    },
    /// The text is no key of this scheme.
    #[error("keys of {source_name}: key {position} is {wanted}")]
    Unreadable {
        /// Source.
        source_name: &'static str,
        /// 1 or 2.
        position: usize,
        /// What it has to be.
        wanted: &'static str,
    },
    /// Nobody documents how this source signs.
    #[error("{source_name} documents no signature: name a scheme")]
    NoScheme {
        /// Source.
        source_name: &'static str,
    },
    /// A scheme of another source.
    #[error("{source_name} does not sign so: that is another source's scheme")]
    OtherScheme {
        /// Source.
        source_name: &'static str,
    },
}

/// Key bytes, ready for use.
#[derive(Clone)]
pub(super) struct Key(Box<[u8]>);

impl Key {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A checked [`KeySet`].
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) account: Option<Box<str>>,
    pub(super) scheme: Scheme,
    pub(super) tolerance_s: Option<u32>,
    /// One or two, the new one first.
    pub(super) keys: Vec<Key>,
}

impl Keys {
    /// Checks a set and decodes its keys.
    pub(super) fn new(set: &KeySet) -> Result<Self, KeyError> {
        let source_name = set.source.as_str();
        if !matches!(set.secrets.len(), 1 | 2) {
            return Err(KeyError::Count { source_name, count: set.secrets.len() });
        }
        match (&set.scheme, set.source) {
            (Scheme::Documented, source) if !is_documented(source) => {
                return Err(KeyError::NoScheme { source_name });
            }
            (Scheme::PlivoV2, Source::Plivo) | (Scheme::VonageParameters(_), Source::Vonage) => {}
            (Scheme::PlivoV2 | Scheme::VonageParameters(_), _) => {
                return Err(KeyError::OtherScheme { source_name });
            }
            _ => {}
        }
        let mut keys = Vec::with_capacity(set.secrets.len());
        for (at, secret) in set.secrets.iter().enumerate() {
            let key = decode(set, &secret.0).map_err(|wanted| KeyError::Unreadable {
                source_name,
                position: at + 1,
                wanted,
            })?;
            keys.push(key);
        }
        Ok(Self {
            account: set.account.as_deref().map(Box::from),
            scheme: set.scheme.clone(),
            tolerance_s: set.tolerance_s,
            keys,
        })
    }
}

/// Whether a reference says how a source signs.
pub(super) const fn is_documented(source: Source) -> bool {
    matches!(
        source,
        Source::Twilio
            | Source::Sinch
            | Source::Vonage
            | Source::Telnyx
            | Source::Plivo
            | Source::Messagebird
            | Source::Bird
            | Source::GoogleRbm
            | Source::Whatsapp
            | Source::AwsEum
            | Source::AwsPinpoint
            | Source::AwsSns
    )
}

/// Bytes of a key; an error says what the text has to be.
fn decode(set: &KeySet, text: &str) -> Result<Key, &'static str> {
    if text.is_empty() {
        return Err("empty");
    }
    let plain = || Ok(Key(text.as_bytes().into()));
    if set.scheme != Scheme::Documented {
        return plain();
    }
    match set.source {
        Source::Telnyx => match STANDARD.decode(text) {
            Ok(bytes) if bytes.len() == 32 => Ok(Key(bytes.into())),
            _ => Err("no Ed25519 public key: 32 bytes in base64"),
        },
        Source::Bird => match STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)) {
            Ok(bytes) if !bytes.is_empty() => Ok(Key(bytes.into())),
            _ => Err("no signing secret: whsec_ and base64"),
        },
        Source::AwsEum | Source::AwsPinpoint | Source::AwsSns => certificate::rsa_key(text)
            .map(|bytes| Key(bytes.into()))
            .ok_or("no certificate with an RSA key of 2048 bits or more, in PEM"),
        _ => plain(),
    }
}

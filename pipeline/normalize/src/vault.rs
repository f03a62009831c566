//! The vault: records of dead letters, encrypted, so that they can be read again after a fix.
//!
//! ```text
//! version │ signatures │ tombstone │ ingest time │ source │ account │ value │ header, header, …
//!    └─────────────── AES-256-GCM, one ciphertext a record ───────────────────────┘
//! nonce (12, random) ‖ ciphertext ‖ tag (16)        bound to topic, partition, offset
//! ```
//! Without a key there is no vault and nothing of a payload is kept. The first key seals; every key
//! opens, by the id that stands beside the ciphertext, so keys can be exchanged. A ciphertext opens
//! at its own position only. Random nonces are safe for 2^32 records of one key. What was opened is
//! for `Normalizer` and for an operator who asks for it: no key, payload or header is in a `Debug`.

use std::fmt;

use model::dead_letter::{KeyId, Sealed};
use model::record::{Input, RawBatch, RawRecord, RecordView, SignaturePolicy, SignatureRule};
use model::vocabulary::Source;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

/// Layout of what is sealed.
const VERSION: u8 = 1;
/// Begins the associated data: a ciphertext of another use does not open here.
const PURPOSE: &[u8] = b"sendtally dead letter 1";

/// Where a record is: what its ciphertext is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position<'a> {
    /// Topic of the input.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl Position<'_> {
    fn associated(&self) -> Vec<u8> {
        let mut bytes = PURPOSE.to_vec();
        put(&mut bytes, self.topic.as_bytes());
        bytes.extend_from_slice(&self.partition.to_le_bytes());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes
    }
}

/// Why a record cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No configured key has this id.
    #[error("no configured key has the id {0}")]
    UnknownKey(KeyId),
    /// The key is right, the ciphertext is not what was written at this position.
    #[error("the ciphertext is not the one that was written at this position")]
    Damaged,
    /// The system gave no random bytes, or the record is longer than the cipher takes.
    #[error("a record cannot be encrypted")]
    Seal,
}

/// One key and its id.
struct Key {
    id: KeyId,
    aead: LessSafeKey,
}

/// Seals records with the first key, opens them with any.
pub struct Vault {
    first: Key,
    older: Vec<Key>,
    random: SystemRandom,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.ids())
    }
}

impl Key {
    fn new(secret: &[u8; 32]) -> Result<Self, VaultError> {
        let key = UnboundKey::new(&AES_256_GCM, secret).map_err(|_| VaultError::Seal)?;
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"sendtally dead letter key")
            .chain_update(secret)
            .finalize()
            .into();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        Ok(Self { id: KeyId(id), aead: LessSafeKey::new(key) })
    }
}

impl Vault {
    /// A vault that seals with `secret` and also opens what `older` secrets sealed.
    ///
    /// # Errors
    /// Where the cipher refuses a key.
    pub fn new(secret: &[u8; 32], older: &[[u8; 32]]) -> Result<Self, VaultError> {
        let older = older.iter().map(Key::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { first: Key::new(secret)?, older, random: SystemRandom::new() })
    }

    /// Ids of its keys, the one that seals first.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        std::iter::once(&self.first).chain(&self.older).map(|key| key.id).collect()
    }

    /// Seals a record with what its input adds to it.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn seal(
        &self,
        at: &Position<'_>,
        record: &RecordView<'_>,
        input: Option<&Input>,
    ) -> Result<Sealed, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| VaultError::Seal)?;
        let mut sealed = Vec::with_capacity(record.value.len() + 512);
        sealed.extend_from_slice(&nonce);
        encode(&mut sealed, record, input);
        let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(at.associated()));
        let text = sealed.get_mut(NONCE_LEN..).ok_or(VaultError::Seal)?;
        let tag = self.first.aead.seal_in_place_separate_tag(nonce, aad, text);
        sealed.extend_from_slice(tag.map_err(|_| VaultError::Seal)?.as_ref());
        Ok(Sealed { key_id: self.first.id, bytes: sealed })
    }

    /// Opens what was sealed at this position.
    ///
    /// # Errors
    /// Where no key has the id, or the ciphertext is another.
    pub fn open(&self, at: &Position<'_>, sealed: &Sealed) -> Result<Opened, VaultError> {
        let key_id = sealed.key_id;
        let mut keys = std::iter::once(&self.first).chain(&self.older);
        let key = keys.find(|key| key.id == key_id).ok_or(VaultError::UnknownKey(key_id))?;
        let (nonce, text) = sealed.bytes.split_at_checked(NONCE_LEN).ok_or(VaultError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Damaged)?;
        let mut text = text.to_vec();
        let opened = key.aead.open_in_place(nonce, Aad::from(at.associated()), &mut text);
        decode(opened.map_err(|_| VaultError::Damaged)?).ok_or(VaultError::Damaged)
    }
}

/// A record as it was read: the vendor's bytes, personal data among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The vendor's bytes.
    pub value: Vec<u8>,
    /// No value at all.
    pub tombstone: bool,
    /// Names and values of the headers.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Broker's timestamp.
    pub ingest_time_us: Option<i64>,
    /// Source that the configuration named then.
    pub source: Option<Source>,
    /// Account that the configuration named then.
    pub account: Option<String>,
    /// What the configuration wanted of signatures then.
    pub signatures: SignatureRule,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(…)")
    }
}

impl Opened {
    /// A record that was found again otherwise, of an input as it is configured now.
    #[must_use]
    pub fn of(record: &RecordView<'_>, input: &Input) -> Self {
        Self {
            value: record.value.to_vec(),
            tombstone: record.tombstone,
            headers: record.headers.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect(),
            ingest_time_us: record.ingest_time_us,
            source: input.source,
            account: input.account.as_deref().map(str::to_owned),
            signatures: input.signatures,
        }
    }

    /// The same without its headers of this name.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(told, _)| !told.eq_ignore_ascii_case(name.as_bytes()));
        self
    }

    /// The record alone in a batch, at a position of its own.
    #[must_use]
    pub fn batch(&self, input: u32, offset: i64) -> RawBatch {
        let mut batch = RawBatch::default();
        let value = batch.push_bytes(&self.value);
        for (name, content) in &self.headers {
            let header = (batch.push_bytes(name), batch.push_bytes(content));
            batch.headers.push(header);
        }
        batch.records.push(RawRecord {
            input,
            offset,
            ingest_time_us: self.ingest_time_us,
            value,
            tombstone: self.tombstone,
            headers: 0..self.headers.len(),
        });
        batch
    }
}

const POLICIES: [SignaturePolicy; 3] =
    [SignaturePolicy::Ignore, SignaturePolicy::Record, SignaturePolicy::Require];

fn encode(out: &mut Vec<u8>, record: &RecordView<'_>, input: Option<&Input>) {
    let rule = input.map(|input| input.signatures).unwrap_or_default();
    let policy = POLICIES.iter().position(|policy| *policy == rule.policy);
    out.push(VERSION);
    out.push(policy.and_then(|at| u8::try_from(at).ok()).unwrap_or(1));
    out.push(u8::from(rule.check_again));
    out.push(u8::from(record.tombstone));
    out.push(u8::from(record.ingest_time_us.is_some()));
    out.extend_from_slice(&record.ingest_time_us.unwrap_or(0).to_le_bytes());
    let source = input.and_then(|input| input.source);
    put(out, source.map_or("", Source::as_str).as_bytes());
    put(out, input.and_then(|input| input.account.as_deref()).unwrap_or("").as_bytes());
    put(out, record.value);
    for (name, content) in record.headers.iter() {
        put(out, name);
        put(out, content);
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn decode(bytes: &[u8]) -> Option<Opened> {
    let (head, mut rest) = bytes.split_at_checked(13)?;
    let [VERSION, policy, check_again, tombstone, has_time, time @ ..] = head else { return None };
    let time = i64::from_le_bytes(time.try_into().ok()?);
    let source = std::str::from_utf8(take(&mut rest)?).ok()?;
    let account = std::str::from_utf8(take(&mut rest)?).ok()?;
    let value = take(&mut rest)?.to_vec();
    let mut headers = Vec::new();
    while !rest.is_empty() {
        headers.push((take(&mut rest)?.to_vec(), take(&mut rest)?.to_vec()));
    }
    Some(Opened {
        value,
        tombstone: *tombstone == 1,
        headers,
        ingest_time_us: (*has_time == 1).then_some(time),
        source: Source::parse(source),
        account: (!account.is_empty()).then(|| account.to_owned()),
        signatures: SignatureRule {
            policy: *POLICIES.get(usize::from(*policy))?,
            check_again: *check_again == 1,
        },
    })
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (bytes, after) =
        after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests;

//! One input through one target, measured and judged.

use std::collections::BTreeSet;
use std::sync::Arc;

use alert::Arithmetic;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ingest::{FileShape, read_bytes};
use model::keys::Keyring;
use model::manifest::Manifest;
use model::record::{Input, RawBatch, RawRecord, SignaturePolicy, SignatureRule};
use model::vocabulary::Source;
use normalize::signature::{KeySet, Scheme, Secret, Signatures};
use normalize::{Normalized, Normalizer, Settings};

use crate::meter::{Cost, measure};
use crate::{Target, judge, seeds};

/// Longest input that is tried.
pub const BYTES_MAX: usize = 64 << 10;
/// A payload's CPU time.
const CPU_NS_MAX: u64 = 10_000_000;
/// A file's of the operator.
const CPU_NS_MAX_FILE: u64 = 1_000_000_000;
/// A payload's memory beside ten times its bytes.
const BYTES_FREE: usize = 64 << 10;
const BYTES_FACTOR: usize = 10;
/// A row, of an event or of a bill, is what was asked for, not a cost of reading: forty columns are
/// 300 bytes, as many again while they grow and are handed over. Texts are in the payload and count
/// against it.
const ROW_BYTES: usize = 640;
/// Of lines of records each is a payload: its place in a batch, and its dead letters.
const RECORD_BYTES: usize = 2 << 10;
/// As above, of CPU time: a line of two bytes is still a record that is read, refused and told.
const RECORD_NS: u64 = 500;
/// 2026-11-20T12:00:03Z: a little after what the fixtures tell.
const INGEST_TIME_US: i64 = 1_795_176_003_000_000;

/// What an input took and gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// CPU time, nanoseconds.
    pub cpu_ns: u64,
    /// Most memory held at once, bytes, rows included.
    pub bytes: usize,
    /// Share of the memory that it may take beside its rows, in thousandths.
    pub share: usize,
    /// Records.
    pub records: usize,
    /// Elements.
    pub elements: i64,
    /// Of these, events.
    pub events: i64,
    /// Of these, dead letters.
    pub dead: i64,
    /// Rows, of events and of bills.
    pub rows: usize,
    /// Bytes that came out of its compressed parts.
    pub unpacked: usize,
}

/// A target, ready to be tried.
#[derive(Debug)]
pub struct Harness {
    target: Target,
    cpu_ns_max: u64,
    settings: Settings,
    inputs: [Input; 1],
    spoken: BTreeSet<String>,
}

impl Harness {
    /// Reads what dead letters may say, and makes keys.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let source = match target {
            Target::Source(source) => Some(source),
            _ => None,
        };
        let is_signed = target == Target::Signatures;
        let signatures = SignatureRule { policy: SignaturePolicy::Record, check_again: is_signed };
        let topic = Arc::from("fuzz");
        let keys = if is_signed { Arc::new(keys()) } else { Arc::default() };
        let harness = Self {
            target,
            cpu_ns_max: if target.is_payload() { CPU_NS_MAX } else { CPU_NS_MAX_FILE },
            settings: Settings {
                keyring: Keyring::demo(),
                signatures: keys,
                regional: Arc::default(),
            },
            inputs: [Input { topic, partition: 0, source, account: None, signatures }],
            spoken: seeds::spoken(),
        };
        // Tables of operators, regions and names are made once a process, an inflater once a
        // thread, by whichever payload comes first: no payload's cost.
        for source in [Source::Infobip, Source::Sinch, Source::AwsEum, Source::AwsSns] {
            let input = Input { source: Some(source), ..harness.inputs[0].clone() };
            for bytes in seeds::examples(Target::Source(source)) {
                let mut normalizer = Normalizer::new(harness.settings.clone());
                drop(normalizer.batch(&payload(&bytes), std::slice::from_ref(&input)));
            }
        }
        harness
    }

    /// For a build that is not optimized, or counts: it may take ten times as long.
    #[must_use]
    pub fn unoptimized(self) -> Self {
        Self { cpu_ns_max: 10 * self.cpu_ns_max, ..self }
    }

    /// Tries an input. The error says which promise it breaks.
    ///
    /// # Errors
    /// What went wrong; a panic of the reader goes through.
    pub fn check(&self, bytes: &[u8]) -> Result<Seen, String> {
        let (mut seen, mut cost) = self.once(bytes)?;
        // A payload that is compressed is what it says: its own length where that says nothing.
        let size = bytes.len().max(seen.unpacked);
        let more_records = seen.records.saturating_sub(1);
        let cpu_ns_max = self.cpu_ns_max * size.div_ceil(BYTES_MAX).max(1) as u64
            + RECORD_NS * more_records as u64;
        // A neighbour on the machine can make work look slow, and never faster than it is.
        for _ in 0..4 {
            if cost.cpu_ns > cpu_ns_max {
                cost.cpu_ns = cost.cpu_ns.min(self.once(bytes)?.1.cpu_ns);
            }
        }
        let may = BYTES_FACTOR * size + BYTES_FREE + RECORD_BYTES * more_records;
        seen.cpu_ns = cost.cpu_ns;
        seen.bytes = cost.bytes;
        let taken = cost.bytes.saturating_sub(ROW_BYTES * seen.rows);
        seen.share = 1_000 * taken / may;
        if cost.cpu_ns > cpu_ns_max {
            return Err(format!("{} ns of CPU time for {} bytes", cost.cpu_ns, bytes.len()));
        }
        if self.target.is_payload() && taken > may {
            let n = size;
            return Err(format!("{taken} bytes of memory beside rows for {n}, {may} allowed"));
        }
        Ok(seen)
    }

    fn once(&self, bytes: &[u8]) -> Result<(Seen, Cost), String> {
        match self.target {
            Target::Source(_) => self.normalize(bytes, &payload(bytes)),
            Target::Records | Target::Signatures => {
                let (batches, read) = measure(|| records(bytes));
                let (mut seen, mut cost) = (Seen::default(), read);
                for batch in &batches {
                    let (more, after) = self.normalize(bytes, batch)?;
                    seen.records += more.records;
                    seen.unpacked += more.unpacked;
                    seen.rows += more.rows;
                    seen.elements += more.elements;
                    seen.events += more.events;
                    seen.dead += more.dead;
                    cost.cpu_ns += after.cpu_ns;
                    cost.bytes = cost.bytes.max(after.bytes);
                }
                Ok((seen, cost))
            }
            Target::Objective => Ok(file(bytes, |text| {
                alert::Objective::parse(text, &ARITHMETIC).map(drop).map_err(|e| e.to_string())
            })),
            Target::Scenario => Ok(file(bytes, |text| {
                let read = simulate::Scenario::from_yaml(text);
                read.map(drop).map_err(|error| error.to_string())
            })),
            Target::Manifest => Ok(file(bytes, |text| {
                let manifest: Manifest =
                    serde_json::from_str(text).map_err(|error| error.to_string())?;
                std::hint::black_box(manifest.inputs.iter().all(|input| input.balances()));
                Ok(())
            })),
        }
    }

    /// A normalizer that has seen nothing: what it holds back for the next batch hides no cost,
    /// and its columns are those of any batch but the first, which begin small.
    fn normalize(&self, bytes: &[u8], raw: &RawBatch) -> Result<(Seen, Cost), String> {
        let mut normalizer = Normalizer::new(self.settings.clone());
        let begun = normalizer.batch(&RawBatch::default(), &self.inputs);
        begun.map_err(|error| error.to_string())?;
        let (normalized, cost) = measure(|| normalizer.batch(raw, &self.inputs));
        let normalized: Normalized = normalized.map_err(|error| error.to_string())?;
        let unpacked = usize::try_from(normalizer.counters().unpacked_bytes).unwrap_or(usize::MAX);
        let size = bytes.len().max(unpacked);
        let seen = judge::normalized(&normalized, raw, size, &self.spoken)?;
        Ok((Seen { unpacked, ..seen }, cost))
    }
}

const ARITHMETIC: Arithmetic = Arithmetic {
    burn_rate: score::burn::burn_rate,
    burn_floor: score::burn::burn_floor,
    max_burn: score::burn::max_burn,
    factor_of_share: score::burn::factor_of_share,
    detection_s: score::burn::detection_s,
};

fn file(bytes: &[u8], read: impl FnOnce(&str) -> Result<(), String>) -> (Seen, Cost) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return (Seen::default(), Cost { cpu_ns: 0, bytes: 0 });
    };
    let (result, cost) = measure(|| read(text));
    let events = i64::from(result.is_ok());
    (Seen { elements: 1, events, dead: 1 - events, ..Seen::default() }, cost)
}

/// A payload as a record; behind a question mark the query of a GET callback.
fn payload(bytes: &[u8]) -> RawBatch {
    let mut raw = RawBatch::default();
    let is_query = bytes.first() == Some(&b'?');
    let value = raw.push_bytes(if is_query { &[] } else { bytes });
    if is_query {
        let url = [b"https://example.com/in", bytes].concat();
        for (name, value) in [("method", &b"GET"[..]), ("url", &url)] {
            let pair = (raw.push_bytes(name.as_bytes()), raw.push_bytes(value));
            raw.headers.push(pair);
        }
    }
    raw.records.push(RawRecord {
        input: 0,
        offset: 0,
        ingest_time_us: Some(INGEST_TIME_US),
        value,
        tombstone: false,
        headers: 0..raw.headers.len(),
    });
    raw
}

fn records(bytes: &[u8]) -> Vec<RawBatch> {
    let mut batches = Vec::new();
    let Ok(_) = read_bytes(bytes, FileShape::Records, 0, |batch| {
        batches.push(batch);
        Ok::<(), std::convert::Infallible>(())
    });
    batches
}

/// Keys for every source whose documented scheme takes one of these; none signs anything here.
fn keys() -> Signatures {
    let seed = STANDARD.encode([7; 32]);
    let texts = ["twilio-secret".to_owned(), seed.clone(), format!("whsec_{seed}")];
    let set = |source: Source, text: &str| KeySet {
        source,
        account: None,
        scheme: Scheme::Documented,
        secrets: vec![Secret::new(text)],
        tolerance_s: None,
    };
    let taken = |source: &Source| {
        let sets = texts.iter().map(|text| set(*source, text));
        sets.into_iter().find(|set| Signatures::new(std::slice::from_ref(set)).is_ok())
    };
    let sets: Vec<KeySet> = Source::ALL.iter().filter_map(taken).collect();
    Signatures::new(&sets).unwrap_or_default()
}

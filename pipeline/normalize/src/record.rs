//! One record's bytes: unpacked, as text, and to its vendor's adapter.

use model::record::{Headers, RecordView};
use model::vocabulary::{DeadReason, Source};

use crate::draft::Dead;
use crate::emit::Emitter;
use crate::form::Form;
use crate::json::Scalar;
use crate::unpack;
use crate::{
    apns, aws_eum, aws_pinpoint, aws_sns, azure_acs, bandwidth, bird, braze, cloudevents, fcm,
    google_rbm, gsma_maap, gupshup, infobip, kaleyra, messagebird, onesignal, plivo, sinch, smpp,
    telnyx, twilio, vonage, webpush, whatsapp,
};

/// Largest record that is read. Kafka's own default limit is 1 MiB; a larger one is no webhook.
pub(crate) const VALUE_BYTES_MAX: usize = 16 << 20;

/// In front of a text, in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What ASCII has for a character that was invalid or lost.
pub(crate) const SUBSTITUTE: char = '\u{1a}';

/// Buffers that adapters reuse from record to record.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Decoded form.
    pub(crate) form: Form,
    /// Decoded base64.
    pub(crate) bytes: Vec<u8>,
    /// What identifies a charge, joined.
    pub(crate) identity: Vec<u8>,
}

/// A record as an adapter sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// The vendor's text.
    pub(crate) value: &'a str,
    /// Headers.
    pub(crate) headers: Headers<'a>,
}

impl<'a> Record<'a> {
    /// The query of the `url` header: where a GET callback has its data.
    pub(crate) fn query(&self) -> Option<&'a str> {
        let (_, query) = self.headers.get("url")?.split_once('?')?;
        Some(query.split_once('#').map_or(query, |(query, _)| query))
    }

    /// Whether its content type says that an event of CloudEvents is whole in the body, or several
    /// are; the attributes may stand in headers, too.
    pub(crate) fn is_structured_event(&self) -> bool {
        const STRUCTURED: &str = "application/cloudevents";
        let told = self.headers.get("content-type").unwrap_or("").trim_ascii_start();
        let start = told.get(..STRUCTURED.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(STRUCTURED))
    }

    /// A header by the name that Kafka's binding of CloudEvents gives it, else the one of HTTP's.
    pub(crate) fn header_of(&self, name: &str, http: &str) -> Scalar<'a> {
        let value = self.headers.get(name).or_else(|| self.headers.get(http));
        value.map_or(Scalar::Missing, |value| Scalar::Text(value.into()))
    }
}

/// Reads one record with its vendor's adapter. An error means that nothing was emitted.
pub(crate) fn read(
    source: Source,
    view: &RecordView<'_>,
    is_required: bool,
    scratch: &mut Scratch,
    emitter: &mut Emitter<'_>,
) -> Result<(), Dead> {
    if view.value.len() > VALUE_BYTES_MAX {
        return Err(Dead::new(DeadReason::TooLarge, format!("{} bytes", view.value.len())));
    }
    // A producer may write the empty body of a GET callback as null.
    let is_get = view.headers.get("method").is_some_and(|word| word.eq_ignore_ascii_case("GET"));
    let has_url = view.headers.get("url").is_some();
    if (view.tombstone && !is_get) || (view.value.is_empty() && !has_url) {
        emitter.ignored("tombstone");
        return Ok(());
    }
    let verdict = emitter.origin.verdict;
    if is_required && verdict.verified != Some(true) {
        return Err(Dead::new(DeadReason::Unverified, verdict.reason.unwrap_or("no_key")));
    }
    let Some(files) = unpack::files(view.value)? else {
        return read_bytes(source, view.value, view.headers, scratch, emitter);
    };
    if files.is_empty() {
        emitter.ignored("empty");
    }
    for (at, file) in files.iter().enumerate() {
        // Its places are none of the record's.
        emitter.unpacked_file = Some(at);
        let read = file.unpack(emitter.unpack_left).and_then(|bytes| {
            emitter.unpacked(bytes.len());
            read_unpacked(source, &bytes, view.headers, scratch, emitter)
        });
        if let Err(dead) = read {
            emitter.dead(dead);
        }
    }
    Ok(())
}

/// Reads a file that was packed: one document, or JSON lines as exports have them.
fn read_unpacked(
    source: Source,
    bytes: &[u8],
    headers: Headers<'_>,
    scratch: &mut Scratch,
    emitter: &mut Emitter<'_>,
) -> Result<(), Dead> {
    let read = read_bytes(source, bytes, headers, scratch, emitter);
    let Err(dead) = read else { return Ok(()) };
    if dead.reason != DeadReason::Syntax || !unpack::is_json_lines(bytes) {
        return Err(dead);
    }
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Err(Dead { reason, detail }) = read_bytes(source, line, headers, scratch, emitter) {
            emitter.dead(Dead::new(reason, format!("line {}: {detail}", at + 1)));
        }
    }
    Ok(())
}

/// Reads a record's bytes, or a file that it packs.
fn read_bytes(
    source: Source,
    value: &[u8],
    headers: Headers<'_>,
    scratch: &mut Scratch,
    emitter: &mut Emitter<'_>,
) -> Result<(), Dead> {
    // A byte order mark is no part of any format here.
    let value = value.strip_prefix(BYTE_ORDER_MARK).unwrap_or(value);
    let loose;
    let value = match simdutf8::compat::from_utf8(value) {
        Ok(text) => text,
        Err(_) if is_loose_text(source, value) => {
            // Fields of JSON and of tables count themselves, as far as they are read.
            if source == Source::Smpp && !is_json(value) {
                let broken = value.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty());
                emitter.counters.unreadable_fields += broken.count() as u64;
            }
            loose = with_substitutes(value);
            &loose
        }
        Err(error) => {
            return Err(Dead::new(DeadReason::NotUtf8, format!("byte {}", error.valid_up_to())));
        }
    };
    let record = Record { value, headers };
    match source {
        Source::Twilio => twilio::read(&record, scratch, emitter),
        Source::Infobip => infobip::read(&record, &mut scratch.identity, emitter),
        Source::GoogleRbm => google_rbm::read(&record, scratch, emitter),
        Source::Whatsapp => whatsapp::read(&record, emitter),
        Source::Apns => apns::read(&record, emitter),
        Source::Fcm => fcm::read(&record, emitter),
        Source::Cloudevents => cloudevents::read(&record, emitter),
        Source::Sinch => sinch::read(&record, scratch, emitter),
        Source::Vonage => vonage::read(&record, scratch, emitter),
        Source::Telnyx => telnyx::read(&record, scratch, emitter),
        Source::Plivo => plivo::read(&record, scratch, emitter),
        Source::Messagebird => messagebird::read(&record, scratch, emitter),
        Source::Bird => bird::read(&record, scratch, emitter),
        Source::Bandwidth => bandwidth::read(&record, scratch, emitter),
        Source::Gupshup => gupshup::read(&record, scratch, emitter),
        Source::Kaleyra => kaleyra::read(&record, scratch, emitter),
        Source::GsmaMaap => gsma_maap::read(&record, scratch, emitter),
        Source::Smpp => smpp::read(&record, scratch, emitter),
        Source::AwsEum => aws_eum::read(&record, scratch, emitter),
        Source::AwsPinpoint => aws_pinpoint::read(&record, scratch, emitter),
        Source::AwsSns => aws_sns::read(&record, scratch, emitter),
        Source::AzureAcs => azure_acs::read(&record, scratch, emitter),
        Source::Webpush => webpush::read(&record, scratch, emitter),
        Source::Onesignal => onesignal::read(&record, scratch, emitter),
        Source::Braze => braze::read(&record, scratch, emitter),
    }
}

fn is_json(value: &[u8]) -> bool {
    matches!(value.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether bytes that are no UTF-8 cost only the field that they stand in: of JSON, where a string
/// ends all the same, of a receipt, whose text has the message's own encoding, and of a table,
/// which other programs may have written again.
fn is_loose_text(source: Source, value: &[u8]) -> bool {
    let text = value.trim_ascii_start();
    is_json(text)
        || match source {
            Source::Smpp => true,
            Source::AwsSns | Source::GoogleRbm | Source::Telnyx | Source::Vonage => {
                let names = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
                names.len() < text.len()
                    && !names.contains(&b'=')
                    && names.iter().any(|byte| b",\t".contains(byte))
            }
            _ => false,
        }
}

/// The text with [`SUBSTITUTE`] for each byte that is none, so that places stay what they are.
fn with_substitutes(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| SUBSTITUTE));
    }
    text
}

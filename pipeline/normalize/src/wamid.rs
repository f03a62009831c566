//! WhatsApp ids, which are base64 around the recipient's number: those become `wamid:` and a
//! keyed hash (P5), also where they were damaged on the way; the others stay as they are.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use model::keys::Keyring;
use model::vocabulary::Channel;

/// Digits in a row that make a decoded id personal.
const WAMID_DIGITS_MIN: usize = 7;
/// `wamid:` and 32 hex digits.
const WAMID_HASH_BYTES: usize = 38;

/// What is shown of an id that holds a number: `wamid:` and its hash, on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HiddenId([u8; WAMID_HASH_BYTES]);

impl HiddenId {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("wamid:")
    }
}

/// An id that WhatsApp gave, relayed by another vendor, on this channel.
pub(crate) fn is_whatsapp_id(id: &str, channel: Channel) -> bool {
    (channel == Channel::Whatsapp && holds_packed_number(id)) || id.starts_with("wamid.")
}

/// Ids before 2022 begin with the bytes 80 11 (00 11 inbound) and hold the number two digits a
/// byte.
fn holds_packed_number(id: &str) -> bool {
    id.starts_with("gBE") || id.starts_with("ABE")
}

/// What stands for a WhatsApp id that holds a number; another may be shown verbatim.
pub(crate) fn hidden_id(id: &str, keyring: &Keyring) -> Option<HiddenId> {
    let encoded = id.strip_prefix("wamid.").unwrap_or(id);
    if !holds_packed_number(encoded) && !decoded_holds_number(encoded) {
        return None;
    }
    let hash = keyring.message.hash(&[b"wamid", id.as_bytes()]);
    let mut buffer = [0; WAMID_HASH_BYTES];
    buffer[..6].copy_from_slice(b"wamid:");
    for (at, byte) in hash.0.iter().enumerate() {
        buffer[6 + 2 * at] = HEX[usize::from(byte >> 4)];
        buffer[7 + 2 * at] = HEX[usize::from(byte & 15)];
    }
    Some(HiddenId(buffer))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Accepts any padding and trailing bits: a damaged id still must not leak its number.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn decoded_holds_number(text: &str) -> bool {
    // 192 characters hold 144 bytes, twice the length of any id seen; a longer one is hashed.
    const LONGEST: usize = 192;
    const HEAD: usize = 24;
    let is_outside = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"+/-_".contains(byte));
    // Where a byte was lost or broken, nobody knows where a group of four begins. Of an id as
    // WhatsApp makes it, the number is near its beginning.
    text.len() > LONGEST
        || text
            .as_bytes()
            .first_chunk::<HEAD>()
            .is_some_and(|head| group_holds_number::<HEAD>(head))
        || text.as_bytes().split(is_outside).any(|piece| {
            (0..4).any(|start| piece.get(start..).is_some_and(group_holds_number::<LONGEST>))
        })
}

/// Whether base64, standard or for URLs, decodes to a long run of digits.
fn group_holds_number<const LONGEST: usize>(text: &[u8]) -> bool {
    let (mut standard, mut decoded) = ([0; LONGEST], [0; LONGEST]);
    let used = if text.len() % 4 == 1 { text.len() - 1 } else { text.len() };
    let mut encoded = text.get(..used).unwrap_or(&[]);
    if memchr::memchr2(b'-', b'_', encoded).is_some() {
        for (to, byte) in standard.iter_mut().zip(encoded) {
            *to = match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            };
        }
        encoded = standard.get(..used).unwrap_or(&[]);
    }
    let length = LENIENT.decode_slice(encoded, &mut decoded).unwrap_or(0);
    let mut run = 0;
    decoded.iter().take(length).any(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run >= WAMID_DIGITS_MIN
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wamid_that_holds_a_number_is_hashed_even_when_damaged() {
        let keyring = Keyring::demo();
        for id in [
            "wamid.HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0QjAwRDNEQUMyQzI3NDRCAA==",
            "wamid.HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0Q",
            "wamid.HBgMOTE5NzE2MzEzNzEzFQIA!ERgSN0Y0Q",
            "wamid.HB!gMOTE5NzE2MzEzNzEzFQIA",
            "wamid.BgMOTE5NzE2MzEzNzEzFQIA",
            "HBgMOTE5NzE2MzEzNzEzFQIAERgSN0Y0Q",
            "gBEGRHcAkAFDAgkAAAAAAAAAqrs",
        ] {
            let shown = hidden_id(id, &keyring).unwrap();
            let hash = shown.text().strip_prefix("wamid:").unwrap();
            assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
        assert!(hidden_id("wamid.EXAMPLE1", &keyring).is_none());
    }
}

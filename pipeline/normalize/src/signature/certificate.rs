//! The RSA public key of an X.509 certificate: just enough DER (X.690) to walk to it.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbs SEQUENCE {
//!     [0] version?, serial INTEGER, algorithm, issuer, validity, subject : SEQUENCE each,
//!     subjectPublicKeyInfo SEQUENCE { SEQUENCE { OID rsaEncryption, NULL }, BIT STRING key },
//!     … } … }
//! ```
//! The certificate comes from the configuration, so it is trusted as a key: its issuer, its dates
//! and its own signature are not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Shortest modulus, in bytes: what the verifier asks for.
const MODULUS_BYTES_MIN: usize = 256;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The key (`RSAPublicKey` of PKCS #1, in DER) of the first certificate in a PEM text.
pub(super) fn rsa_key(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let base64: String = body.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(base64).ok()?;
    public_key(&der).map(<[u8]>::to_vec)
}

/// The key inside a certificate's DER.
fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (mut certificate, rest) = take(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    let mut tbs = field(&mut certificate, SEQUENCE)?;
    if tbs.first() == Some(&VERSION) {
        field(&mut tbs, VERSION)?;
    }
    field(&mut tbs, INTEGER)?;
    for _ in ["algorithm", "issuer", "validity", "subject"] {
        field(&mut tbs, SEQUENCE)?;
    }
    let mut info = field(&mut tbs, SEQUENCE)?;
    let mut algorithm = field(&mut info, SEQUENCE)?;
    if field(&mut algorithm, OBJECT_ID)? != RSA_ENCRYPTION {
        return None;
    }
    // The first byte of a bit string counts its unused bits: a key has none.
    let (unused, key) = field(&mut info, BIT_STRING)?.split_first()?;
    let mut parts = take(key, SEQUENCE)?.0;
    let modulus = field(&mut parts, INTEGER)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let is_key = *unused == 0 && info.is_empty() && modulus.len() >= MODULUS_BYTES_MIN;
    is_key.then_some(key)
}

/// Takes the next element's content, where it has this tag.
fn field<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (content, behind) = take(rest, tag)?;
    *rest = behind;
    Some(content)
}

/// The content of the first element and what stands behind it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    if *first < 0x80 {
        return rest.split_at_checked(usize::from(*first));
    }
    // Long form: so many bytes of length. Two are 64 KiB, more than any certificate here.
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length = match *length {
        [low] if low >= 0x80 => usize::from(low),
        [high, low] if high > 0 => usize::from(high) << 8 | usize::from(low),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("../../tests/vectors/sns.json");

    fn pem(name: &str) -> String {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("vectors are JSON");
        vectors["certificates"][name].as_str().expect("the certificate is there").to_owned()
    }

    fn der(name: &str) -> Vec<u8> {
        let pem = pem(name);
        let body: String =
            pem.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().concat();
        STANDARD.decode(body).expect("the certificate is base64")
    }

    #[test]
    fn the_key_of_a_certificate_is_found_and_no_other_kind() {
        let key = rsa_key(&pem("current")).expect("an RSA key of 2048 bits");
        // SEQUENCE of 266 bytes, INTEGER of 257: the shape of a 2048-bit key.
        assert_eq!(key.get(..9), Some(&[0x30, 0x82, 1, 10, 2, 0x82, 1, 1, 0][..]));
        assert_eq!(key.get(265..), Some(&[2, 3, 1, 0, 1][..]), "the exponent is 65537");
        assert_eq!(rsa_key(&pem("ec")), None);
        assert_eq!(rsa_key("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), None);
        assert_eq!(rsa_key(""), None);
    }

    #[test]
    fn a_certificate_that_breaks_off_gives_no_key() {
        let der = der("current");
        for end in 0..der.len() {
            assert_eq!(public_key(&der[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_damaged_certificate_gives_no_key_or_the_bytes_that_it_holds() {
        let whole = der("current");
        for at in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut der = whole.clone();
                der[at] ^= bits;
                if let Some(key) = public_key(&der) {
                    assert!(der.windows(key.len()).any(|window| window == key), "{at}");
                }
            }
        }
    }
}

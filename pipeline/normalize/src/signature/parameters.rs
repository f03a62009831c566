//! Schemes over the URL and the parameters: Twilio, Plivo, Vonage's signed SMS.

use super::Reason;
use super::bodies::{codes, is_any};
use super::keys::Keys;
use super::mac::{Algorithm, Code, hmac, md5};
use super::request::{Checked, Signed, seconds, sorted, split_url};
use crate::form::Form;
use crate::json::{Cursor, Kind, Scalar};

/// base64(HMAC-SHA1(auth token, URL and each POST parameter's name and value)), the parameters by
/// name, repeated values once and sorted. Where the URL has `bodySHA256` there are no parameters,
/// and the body has that hash.
pub(super) fn twilio(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let presented = signed.header("x-twilio-signature")?;
    let url = signed.url()?;
    let presented = Code::base64(presented).ok_or(Reason::Malformed)?;
    let mut query = Form::default();
    query.read(split_url(url).1);
    let hash = query.pairs().find(|(name, _)| *name == b"bodySHA256").map(|(_, hash)| hash);
    let mut form = Form::default();
    if hash.is_none() {
        form.read(signed.text()?);
    }
    let mut pairs = sorted(&form);
    pairs.dedup();
    // The port may have been signed or not, whatever the URL shows.
    let age = keys.find(|key| {
        spellings(url).iter().any(|url| {
            let mut parts: Vec<&[u8]> = Vec::with_capacity(url.len() + 2 * pairs.len());
            parts.extend(url.iter().map(|part| part.as_bytes()));
            parts.extend(pairs.iter().flat_map(|(name, value)| [*name, *value]));
            hmac(Algorithm::Sha1, key.bytes(), &parts).is(&presented)
        })
    })?;
    match hash {
        Some(hash) => signed.body_is(hash.unwrap_or("")).map(|()| age),
        None => Ok(age),
    }
}

/// A URL without and with its port, in parts.
fn spellings(url: &str) -> [[&str; 3]; 2] {
    let Some((scheme, rest)) = url.split_once("://") else { return [[url, "", ""]; 2] };
    let start = scheme.len() + 3;
    let end = start + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = (url.get(start..end).unwrap_or(""), url.get(end..).unwrap_or(""));
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let host = authority.get(host_at..).unwrap_or("");
    // A colon inside brackets is a part of an IPv6 address.
    let port_at = host.rfind(':').filter(|at| !host.get(*at..).is_some_and(|to| to.contains(']')));
    let default = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let split = start + host_at + port_at.unwrap_or(host.len());
    let (head, port) = (url.get(..split).unwrap_or(""), url.get(split..end).unwrap_or(""));
    let port = if port.is_empty() { default } else { port };
    [[head, "", tail], [head, port, tail]]
}

/// base64(HMAC-SHA256(auth token, base `.` nonce)), one code for each of the account's tokens. The
/// base is the URL with its query decoded and sorted, and the body's parameters sorted, each name
/// and value end to end. Vendor and kit differ on what stands between a URL without a query and the
/// parameters (`.` or `?`): either is taken.
pub(super) fn plivo(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let list = signed.header("x-plivo-signature-v3")?;
    let nonce = signed.header("x-plivo-signature-v3-nonce")?;
    let (base, query) = split_url(signed.url()?);
    let presented = codes(list.split(','))?;
    let (mut in_query, mut in_body) = (Form::default(), Form::default());
    in_query.read(query);
    in_body.read(signed.text()?);
    let mut parts: Vec<&[u8]> = vec![base.as_bytes()];
    let mut between: &[u8] = b"?";
    for (name, value) in sorted(&in_query) {
        parts.extend_from_slice(&[between, name, b"=", value]);
        between = b"&";
    }
    let has_query = parts.len() > 1;
    let joint = parts.len();
    let pairs = sorted(&in_body);
    parts.push(if pairs.is_empty() { b"" } else { b"." });
    parts.extend(pairs.iter().flat_map(|(name, value)| [*name, *value]));
    parts.extend_from_slice(&[b".", nonce.as_bytes()]);
    let mut other = parts.clone();
    if !pairs.is_empty()
        && !has_query
        && let Some(part) = other.get_mut(joint)
    {
        *part = b"?";
    }
    keys.find(|key| {
        [&parts, &other]
            .iter()
            .any(|parts| is_any(&presented, &hmac(Algorithm::Sha256, key.bytes(), parts)))
    })
}

/// base64(HMAC-SHA256(auth token, URL without its query and nonce)): says nothing of what is told.
pub(super) fn plivo_v2(signed: &Signed<'_>, keys: &Keys) -> Checked {
    let list = signed.header("x-plivo-signature-v2")?;
    let nonce = signed.header("x-plivo-signature-v2-nonce")?;
    let (base, _) = split_url(signed.url()?);
    let presented = codes(list.split(','))?;
    let parts = [base.as_bytes(), nonce.as_bytes()];
    keys.find(|key| is_any(&presented, &hmac(Algorithm::Sha256, key.bytes(), &parts)))
}

/// How far `timestamp` may be from the receipt; the vendor names nothing.
const TOLERANCE_S: u32 = 300;

/// `sig` over `&name=value` of each other parameter by name, `&` and `=` in values as `_`: hex of
/// MD5(string and secret), or of an HMAC.
pub(super) fn vonage(signed: &Signed<'_>, keys: &Keys, algorithm: Option<Algorithm>) -> Checked {
    let mut pairs = vonage_pairs(signed)?;
    pairs.sort_unstable();
    let is_twice = pairs.windows(2).any(|two| matches!(two, [(a, _), (b, _)] if a == b));
    let value = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).ok_or(Reason::MissingField)
    };
    let presented = Code::hex(value("sig")?).ok_or(Reason::Malformed)?;
    let signed_us = seconds(value("timestamp")?)?;
    if is_twice {
        return Err(Reason::Malformed);
    }
    let mut text = String::new();
    for (name, value) in pairs.iter().filter(|(name, _)| name != "sig") {
        text.push('&');
        text.push_str(name);
        text.push('=');
        text.extend(value.chars().map(|letter| if "&=".contains(letter) { '_' } else { letter }));
    }
    let age = keys.find(|key| {
        let code = match algorithm {
            None => md5(&[text.as_bytes(), key.bytes()]),
            Some(algorithm) => hmac(algorithm, key.bytes(), &[text.as_bytes()]),
        };
        code.is(&presented)
    })?;
    signed.fresh(signed_us, keys, TOLERANCE_S)?;
    Ok(age)
}

/// The parameters, from where the adapter reads them: a JSON body, a form, the query of a GET.
fn vonage_pairs(signed: &Signed<'_>) -> Result<Vec<(String, String)>, Reason> {
    let text = signed.text()?;
    let mut cursor = Cursor::new(text);
    if cursor.kind() == Kind::Object {
        let mut pairs = Vec::new();
        let mut is_flat = true;
        let read = cursor.object(|cursor, key| {
            let value = match cursor.scalar()? {
                Scalar::Text(text) => text.into_owned(),
                Scalar::Number(digits) => digits.to_owned(),
                Scalar::Bool(truth) => truth.to_string(),
                Scalar::Null | Scalar::Missing => String::new(),
                Scalar::Unreadable => {
                    is_flat = false;
                    String::new()
                }
            };
            pairs.push((key.to_owned(), value));
            Ok(())
        });
        // What is nested is not signed, and an adapter might read it.
        let is_whole = read.is_ok() && cursor.end().is_ok() && is_flat;
        return if is_whole { Ok(pairs) } else { Err(Reason::Malformed) };
    }
    let mut form = Form::default();
    let text = if text.is_empty() { split_url(signed.url()?).1 } else { text };
    form.read(text);
    let owned = form.pairs().map(|(name, value)| {
        let name = std::str::from_utf8(name).ok()?;
        Some((name.to_owned(), value?.to_owned()))
    });
    owned.collect::<Option<_>>().ok_or(Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_spelled_without_and_with_its_port() {
        let both = |url| spellings(url).map(|parts| parts.concat());
        let cases = [
            ("https://a.example/p?q=1", "https://a.example/p?q=1", "https://a.example:443/p?q=1"),
            ("http://a.example", "http://a.example", "http://a.example:80"),
            ("https://a.example:1234?x", "https://a.example?x", "https://a.example:1234?x"),
            ("https://u:p@a.example/x", "https://u:p@a.example/x", "https://u:p@a.example:443/x"),
            ("https://[::1]/x", "https://[::1]/x", "https://[::1]:443/x"),
            ("https://[::1]:8443/x", "https://[::1]/x", "https://[::1]:8443/x"),
            ("no url", "no url", "no url"),
        ];
        for (url, without, with) in cases {
            assert_eq!(both(url), [without, with], "{url}");
        }
    }
}

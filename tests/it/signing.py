"""How vendors sign what they send: a webhook for each scheme, and the keys of a configuration."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

PUBLIC = "https://hooks.example/x"
KEYS = {"new": "key-of-today", "old": "key-of-yesterday", "wrong": "key-of-nobody"}


def openssl(*arguments: str | Path, text: bytes = b"") -> bytes:
    """One command of it."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def certificate(place: Path, name: str, host: str) -> tuple[Path, Path]:
    """A key and its own certificate."""
    key, made = place / f"{name}.key", place / f"{name}.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days",
            "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
    return key, made


@dataclass
class Signed:
    """A webhook with its signature."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def code(key: str, *parts: bytes, algorithm: str = "sha256") -> bytes:
    """HMAC of the parts."""
    return hmac.new(key.encode(), b"".join(parts), algorithm).digest()


def twilio(key: str, account: str, now: int) -> Signed:
    """Form parameters by name behind the public URL, HMAC-SHA1."""
    del now
    # A message of its own for each account: a copy of an event is a duplicate, whoever sent it.
    sid = "SM" + hashlib.md5(account.encode()).hexdigest()
    form = {"MessageSid": sid, "MessageStatus": "delivered", "To": "+15005550006"}
    path = f"/in/twilio/{account}?foo=b%20r"
    text = PUBLIC + path + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(code(key, text.encode(), algorithm="sha1")).decode()
    kind = "application/x-www-form-urlencoded"
    headers = {"x_twilio_signature": signature, "content_type": kind}
    return Signed(path, urlencode(form).encode(), headers)


def whatsapp(key: str, account: str, now: int) -> Signed:
    """Hex of HMAC-SHA256 over the raw body."""
    status = {"id": "wamid.QUJD", "status": "delivered", "timestamp": str(now),
              "recipient_id": "15005550006"}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"},
             "statuses": [status]}
    change = {"field": "messages", "value": value}
    envelope = {"object": "whatsapp_business_account",
                "entry": [{"id": "9", "changes": [change]}]}
    body = json.dumps(envelope).encode()
    headers = {"x_hub_signature_256": "sha256=" + code(key, body).hex(),
               "content_type": "application/json"}
    return Signed(f"/in/whatsapp/{account}", body, headers)


def sinch(key: str, account: str, now: int) -> Signed:
    """base64 of HMAC over body, nonce and timestamp."""
    report = {"message_id": "m1", "conversation_id": "c1", "status": "DELIVERED",
              "channel_identity": {"channel": "SMS", "identity": "15005550006"}}
    body = json.dumps({"app_id": "a", "accepted_time": "2026-11-20T12:00:00Z",
                       "event_time": "2026-11-20T12:00:00Z",
                       "message_delivery_report": report}).encode()
    text = code(key, body, b".nonce.", str(now).encode())
    headers = {
        "x_sinch_webhook_signature": base64.b64encode(text).decode(),
        "x_sinch_webhook_signature_nonce": "nonce",
        "x_sinch_webhook_signature_timestamp": str(now),
        "x_sinch_webhook_signature_algorithm": "HmacSHA256",
    }
    return Signed(f"/in/sinch/{account}", body, headers)


def bird(key: str, account: str, now: int) -> Signed:
    """Standard Webhooks."""
    body = b'{"event":"sms.outbound","payload":{"id":"b1","status":"delivered"}}'
    text = code(key, b"id-1.", str(now).encode(), b".", body)
    headers = {"webhook_id": "id-1", "webhook_timestamp": str(now),
               "webhook_signature": "v1," + base64.b64encode(text).decode()}
    return Signed(f"/in/bird/{account}", body, headers)


def google_rbm(key: str, account: str, now: int) -> Signed:
    """base64 of HMAC-SHA512 over the decoded data of a push."""
    del now
    event = json.dumps({"senderPhoneNumber": "+15005550006", "eventType": "DELIVERED",
                        "eventId": "e1", "messageId": "r1",
                        "sendTime": "2026-11-20T12:00:00Z", "agentId": "a1"}).encode()
    data = base64.b64encode(event).decode()
    body = json.dumps({"message": {"data": data, "messageId": "1"}}).encode()
    signature = base64.b64encode(code(key, event, algorithm="sha512")).decode()
    return Signed(f"/in/google_rbm/{account}", body, {"x_goog_signature": signature})


def encoded(part: dict[str, object]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def vonage(key: str, account: str, now: int) -> Signed:
    """A token over the body's hash."""
    body = b'{"message_uuid":"v1","to":"15005550006","status":"delivered","channel":"sms"}'
    claims = {"iss": "Vonage", "iat": now, "payload_hash": hashlib.sha256(body).hexdigest()}
    text = encoded({"alg": "HS256", "typ": "JWT"}) + "." + encoded(claims)
    signature = base64.urlsafe_b64encode(code(key, text.encode())).rstrip(b"=").decode()
    return Signed(f"/in/vonage/{account}", body, {"authorization": f"Bearer {text}.{signature}"})


def plivo(key: str, account: str, now: int) -> Signed:
    """Public URL, sorted parameters, nonce."""
    del now
    form = {"MessageUUID": "p1", "Status": "delivered", "To": "15005550006"}
    path = f"/in/plivo/{account}"
    text = PUBLIC + path + "." + "".join(name + form[name] for name in sorted(form)) + ".nonce"
    signature = base64.b64encode(code(key, text.encode())).decode()
    headers = {"x_plivo_signature_v3": signature, "x_plivo_signature_v3_nonce": "nonce",
               "content_type": "application/x-www-form-urlencoded"}
    return Signed(path, urlencode(form).encode(), headers)


def messagebird(key: str, account: str, now: int) -> Signed:
    """A token over the hashes of public URL and body."""
    path = f"/in/messagebird/{account}?id=mb1&status=delivered"
    claims = {"iss": "MessageBird", "nbf": now - 1, "exp": now + 60, "jti": "1",
              "url_hash": hashlib.sha256((PUBLIC + path).encode()).hexdigest(),
              "payload_hash": hashlib.sha256(b"x").hexdigest()}
    text = encoded({"alg": "HS256", "typ": "JWT"}) + "." + encoded(claims)
    signature = base64.urlsafe_b64encode(code(key, text.encode())).rstrip(b"=").decode()
    return Signed(path, b"x", {"messagebird_signature_jwt": f"{text}.{signature}"})


def twilio_json(key: str, account: str, now: int) -> Signed:
    """Event Streams: the URL alone, which has the body's hash."""
    del now
    event = {"specversion": "1.0", "id": "EZ" + account, "source": "/s", "data": {
        "messageSid": "SM1", "messageStatus": "DELIVERED", "timestamp": "2026-11-20T12:00:00Z"},
        "type": "com.twilio.messaging.message.delivered"}
    body = json.dumps([event]).encode()
    path = f"/in/twilio/{account}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = code(key, (PUBLIC + path).encode(), algorithm="sha1")
    headers = {"x_twilio_signature": base64.b64encode(signature).decode(),
               "content_type": "application/json"}
    return Signed(path, body, headers)


def parameters(account: str, now: int) -> tuple[dict[str, str], bytes]:
    """Vonage's signed receipt and what is signed of it; of a value `&` and `=` become `_`."""
    form = {"messageId": "0B", "msisdn": "15005550006", "status": "delivered", "err-code": "0",
            "client-ref": "a=b&c", "timestamp": str(now), "nonce": account}
    text = "".join(f"&{name}={form[name]}" for name in sorted(form) if name != "client-ref")
    return form, ("&client-ref=a_b_c" + text).encode()


def vonage_sms(key: str, account: str, now: int) -> Signed:
    """Sorted parameters and the secret, plain MD5."""
    form, text = parameters(account, now)
    form["sig"] = hashlib.md5(text + key.encode()).hexdigest()
    headers = {"content_type": "application/x-www-form-urlencoded"}
    return Signed(f"/in/vonage/{account}", urlencode(form).encode(), headers)


def vonage_hmac(key: str, account: str, now: int) -> Signed:
    """The same by HMAC-SHA256, in upper case."""
    form, text = parameters(account, now)
    form["sig"] = code(key, text).hex().upper()
    headers = {"content_type": "application/x-www-form-urlencoded"}
    return Signed(f"/in/vonage/{account}", urlencode(form).encode(), headers)


def plivo_v2(key: str, account: str, now: int) -> Signed:
    """Public URL without its query, and nonce: parameters are not signed."""
    del now
    path = f"/in/plivo/{account}"
    signature = base64.b64encode(code(key, (PUBLIC + path).encode(), b"nonce")).decode()
    headers = {"x_plivo_signature_v2": signature, "x_plivo_signature_v2_nonce": "nonce"}
    return Signed(path + "?MessageUUID=p2&Status=delivered", b"", headers)


def messagebird_old(key: str, account: str, now: int) -> Signed:
    """Timestamp, sorted query, the body's hash as bytes."""
    query = "id=mb2&status=delivered"
    hashed = hashlib.sha256(b"x").digest()
    signature = code(key, f"{now}\n{query}\n".encode(), hashed)
    headers = {"messagebird_signature": base64.b64encode(signature).decode(),
               "messagebird_request_timestamp": str(now)}
    return Signed(f"/in/messagebird/{account}?{query}", b"x", headers)


def telnyx(key: str, account: str, now: int) -> Signed:
    """Ed25519 over timestamp and body; the key is a file's name."""
    payload = {"id": "t1", "to": [{"phone_number": "+15005550006", "status": "delivered"}]}
    event = {"event_type": "message.finalized", "id": account, "payload": payload,
             "occurred_at": "2026-11-20T12:00:00Z", "record_type": "event"}
    body = json.dumps({"data": event}).encode()
    with tempfile.NamedTemporaryFile() as text:
        text.write(f"{now}|".encode() + body)
        text.flush()
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", text.name)
    headers = {"telnyx_signature_ed25519": base64.b64encode(signature).decode(),
               "telnyx_timestamp": str(now)}
    return Signed(f"/in/telnyx/{account}", body, headers)


def aws_sns(key: str, account: str, now: int) -> Signed:
    """RSA over fields of the envelope; the key is a file's name."""
    log = {"notification": {"messageId": account, "timestamp": "2026-11-20 12:00:00.000"},
           "delivery": {"destination": "+15005550006", "priceInUSD": 0.00645,
                        "providerResponse": "Delivered"}, "status": "SUCCESS"}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now))
    envelope = {"Message": json.dumps(log), "MessageId": "1", "Timestamp": stamp,
                "TopicArn": "arn:aws:sns:eu-west-1:123456789012:receipts", "Type": "Notification"}
    text = "".join(f"{name}\n{value}\n" for name, value in envelope.items()).encode()
    signature = openssl("dgst", "-sha256", "-sign", key, text=text)
    body = json.dumps(envelope | {
        "SignatureVersion": "2", "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem"})
    return Signed(f"/in/aws_sns/{account}", body.encode())


SCHEMES = {f.__name__: f for f in
           (twilio, whatsapp, sinch, bird, google_rbm, vonage, plivo, messagebird, twilio_json,
            vonage_sms, vonage_hmac, plivo_v2, messagebird_old, telnyx, aws_sns)}
TIMED = {"sinch", "bird", "vonage", "messagebird", "vonage_sms", "vonage_hmac", "messagebird_old",
         "telnyx", "aws_sns"}
# Sources of the schemes that are not named after theirs.
OF = {"twilio_json": "twilio", "vonage_sms": "vonage", "vonage_hmac": "vonage",
      "plivo_v2": "plivo", "messagebird_old": "messagebird"}
# Their keys are files.
FILES = {"telnyx", "aws_sns"}
# What an account's entry says beside its keys.
ASKED = {"vonage_hmac": ['scheme = "vonage_parameters"', 'algorithm = "sha256"'],
         "plivo_v2": ['scheme = "plivo_v2"']}


@cache
def key_of(scheme: str, name: str) -> str:
    """A vendor's key: a word, or the file of a private one."""
    if scheme not in FILES:
        return KEYS[name]
    place = Path(tempfile.mkdtemp(prefix=f"{scheme}-"))
    if scheme == "aws_sns":
        return str(certificate(place, name, "sns.amazonaws.com")[0])
    openssl("genpkey", "-algorithm", "ed25519", "-out", place / f"{name}.key")
    return str(place / f"{name}.key")


def shown(scheme: str, name: str) -> str:
    """The same as a configuration has it."""
    key = key_of(scheme, name)
    if scheme == "bird":
        return "whsec_" + base64.b64encode(key.encode()).decode()
    if scheme == "aws_sns":
        return Path(key).with_suffix(".pem").read_text()
    if scheme == "telnyx":
        # The last 32 bytes of its usual form are the key itself.
        public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
        return base64.b64encode(public[-32:]).decode()
    return key


def source_of(scheme: str) -> str:
    """Whose scheme it is."""
    return OF.get(scheme, scheme)


def account_of(scheme: str) -> str:
    """The account that is strict about it: a second scheme of a source has one of its own."""
    return scheme if scheme in OF else "strict"


def signed(scheme: str, name: str, now: int) -> Signed:
    """A webhook of the strict account."""
    return SCHEMES[scheme](key_of(scheme, name), account_of(scheme), now)


def altered(scheme: str, now: int) -> Signed:
    """One that somebody changed on its way."""
    made = signed(scheme, "new", now)
    if scheme == "plivo_v2":
        return replace(made, headers=made.headers | {"x_plivo_signature_v2_nonce": "other"})
    if scheme == "google_rbm":
        return replace(made, body=made.body.replace(b'data": "', b'data": "AAAA'))
    body = re.sub(b"delivered", b"failed", made.body, flags=re.IGNORECASE)
    path = made.path.replace("delivered", "failed")
    assert (body, path) != (made.body, made.path)
    return replace(made, body=body, path=path)


def unsigned(scheme: str, now: int) -> Signed:
    """One without its signature."""
    made = signed(scheme, "new", now)
    body = re.sub(rb"&sig=[^&]*", b"", made.body)
    if scheme == "aws_sns":
        envelope = json.loads(body)
        del envelope["Signature"]
        body = json.dumps(envelope).encode()
    headers = {name: value for name, value in made.headers.items() if name == "content_type"}
    assert (body, headers) != (made.body, made.headers)
    return replace(made, body=body, headers=headers)


def lines_of_keys(directory: Path) -> list[str]:
    """`[[signatures]]` of every scheme, today's key first."""
    text = []
    for scheme in SCHEMES:
        files = []
        for name in ("new", "old"):
            file = directory / f"{scheme}.{name}"
            file.write_text(shown(scheme, name))
            files.append(f'"{file}"')
        text += ["[[signatures]]", f'source = "{source_of(scheme)}"',
                 f"secret_files = [{', '.join(files)}]", *ASKED.get(scheme, [])]
        if scheme in OF:
            text.append(f'account = "{scheme}"')
    return text

"""The gateway confirms subscriptions of Amazon SNS that are signed, where it is asked to. Amazon is
played by a proxy that the gateway's HTTPS goes through, with a certificate for Amazon's name from
an authority that only this case trusts."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from pathlib import Path

import kafka
import pytest
import sendtally
from signing import certificate, openssl

pytestmark = pytest.mark.servers

HOST = "sns.eu-west-1.amazonaws.com"
PATH = "/?Action=ConfirmSubscription&TopicArn=arn&Token="
SIGNED = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def issued(place: Path, host: str) -> tuple[Path, Path, Path]:
    """An authority, and a key and certificate for a host that it signed."""
    authority_key, authority = certificate(place, "authority", "authority.example")
    key, asked, made = place / "host.key", place / "host.csr", place / "host.pem"
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", asked, "-subj",
            f"/CN={host}")
    (place / "host.ext").write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", asked, "-CA", authority, "-CAkey", authority_key, "-out", made,
            "-days", "2", "-set_serial", "7", "-extfile", place / "host.ext")
    return authority, key, made


class Amazon(threading.Thread):
    """A proxy that plays the host behind it; answers are taken in order, the last one stays."""

    def __init__(self, key: Path, made: Path, answers: list[int]) -> None:
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(made, key)
        self.answers = answers
        self.places: list[str] = []
        self.asked: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            plain, _ = self.listener.accept()
            try:
                self.places.append(head(plain)[0].split(" ")[1])
                plain.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with self.context.wrap_socket(plain, server_side=True) as stream:
                    self.asked.append(head(stream)[0])
                    status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    stream.sendall(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n"
                                   "connection: close\r\n\r\n".encode())
            except (OSError, IndexError):
                plain.close()


def head(stream: socket.socket) -> list[str]:
    """Lines of a request's head."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(4096)
        if not more:
            raise OSError("closed")
        data += more
    return data.decode().split("\r\n")


def subscription(key: Path, token: str, url: str | None = None) -> bytes:
    """What SNS sends, signed."""
    asked = {"Type": "SubscriptionConfirmation", "MessageId": token, "Token": token,
             "TopicArn": "arn:aws:sns:eu-west-1:123456789012:receipts", "Message": "You have chosen",
             "SubscribeURL": url or f"https://{HOST}{PATH}{token}",
             "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())}
    text = "".join(f"{name}\n{asked[name]}\n" for name in SIGNED).encode()
    signature = openssl("dgst", "-sha256", "-sign", key, text=text)
    return json.dumps(asked | {
        "SignatureVersion": "2", "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": f"https://{HOST}/SimpleNotificationService-0a.pem"}).encode()


def post(port: int, account: str, body: bytes) -> int:
    """Status of one webhook."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request("POST", f"/in/aws_sns/{account}", body)
        return client.getresponse().status
    finally:
        client.close()


def test_a_signed_subscription_is_confirmed_and_no_other(tmp_path: Path) -> None:
    """Confirmed once, at the second try; not without the right signature, not of another account,
    not at another address."""
    signer, signing = certificate(tmp_path, "signer", "sns.amazonaws.com")
    foreign, _ = certificate(tmp_path, "foreign", "sns.amazonaws.com")
    authority, key, made = issued(tmp_path, HOST)
    amazon = Amazon(key, made, answers=[503, 200])
    amazon.start()
    port = kafka.free_ports(1)[0]
    config = tmp_path / "gateway.toml"
    with kafka.Kafka() as node:
        node.create_topics(["hooks"], 1)
        config.write_text("\n".join([
            "[kafka]", f'brokers = "{node.brokers}"',
            "[[signatures]]", 'source = "aws_sns"', f'secret_files = ["{signing}"]',
            "[gateway]", f'listen = "127.0.0.1:{port}"', 'topic = "hooks"',
            "[[gateway.accounts]]", 'source = "aws_sns"', 'account = "ours"', "confirm = true",
            "[[gateway.accounts]]", 'source = "aws_sns"', 'account = "by-hand"', ""]))
        environment = {"HTTPS_PROXY": amazon.url, "SSL_CERT_FILE": str(authority)}
        log = tmp_path / "gateway.log"
        with sendtally.running("gateway", "--config", config, log=log, **environment) as process:
            process.wait_for("the gateway listens", 60)
            assert post(port, "ours", subscription(signer, "right")) == 200
            process.wait_for("the subscription at Amazon SNS is confirmed", 30)
            assert post(port, "ours", subscription(foreign, "forged")) == 200
            assert post(port, "by-hand", subscription(signer, "hand")) == 200
            elsewhere = "https://evil.example/?Action=ConfirmSubscription&Token=x"
            assert post(port, "ours", subscription(signer, "far", elsewhere)) == 200
            process.wait_for(f"{PATH}hand", 10)
            process.wait_for(f"{PATH}forged", 10)
            text = process.text()
    assert amazon.places == [f"{HOST}:443"] * 2
    assert amazon.asked == [f"GET {PATH}right HTTP/1.1"] * 2
    assert "right" not in text and "evil.example" not in text

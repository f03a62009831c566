"""The gateway against a real Kafka: answers, handshakes, signatures through HTTP, records byte by
byte, and what it acknowledged while Kafka was killed."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import kafka
import pytest
import sendtally
import signing
import wire
from signing import KEYS, PUBLIC, SCHEMES, Signed, twilio, whatsapp

pytestmark = pytest.mark.servers

TOPIC, OTHER, SMALL = "messaging.hooks", "messaging.other", "messaging.small"
COMPACT = "messaging.compact"
TOKEN = "verify-token-of-the-test"
CALLS_S = 30.0
CLOCKS_S = 1.0
# Lines of warning that an outage may cost: each kind of error once a minute.
WARNINGS_MAX = 30


@dataclass
class Reply:
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Gateway:
    """A gateway that runs."""

    process: sendtally.Process
    port: int
    config: Path

    def ask(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Reply:
        """One request on a connection of its own; `_` in names stands for `-`."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALLS_S)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            client.request(method, path, body or None, named)
            answer = client.getresponse()
            text = answer.read().decode()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            client.close()

    def sent(self, signed: Signed) -> int:
        """Status of a signed webhook."""
        return self.ask(signed.path, signed.body, **signed.headers).status


def configured(directory: Path, brokers: str, port: int, *more: str) -> Path:
    """A configuration that `run` reads too."""
    (directory / "token").write_text(TOKEN + "\n")
    (directory / "secret.hex").write_text(sendtally.SECRET)
    lines = [
        f'data_dir = "{directory / "data"}"',
        "[kafka]", f'brokers = "{brokers}"',
        "[keys]", f'secret_file = "{directory / "secret.hex"}"',
        "[[topics]]", r'pattern = "^messaging\\..*"', 'signatures = "require"',
        *signing.lines_of_keys(directory),
        "[gateway]", f'listen = "127.0.0.1:{port}"', f'topic = "{TOPIC}"',
        f'public_url = "{PUBLIC}"', 'take = "any"', "body_kb = 64", "kafka_wait_ms = 2000",
        "head_wait_ms = 1000", "body_wait_ms = 1000", "rate = 100000.0", *more,
    ]
    for scheme in SCHEMES:
        lines += ["[[gateway.accounts]]", f'source = "{signing.source_of(scheme)}"',
                  f'account = "{signing.account_of(scheme)}"', 'signatures = "require"']
        if scheme == "whatsapp":
            lines.append(f'verify_token_file = "{directory / "token"}"')
    lines += ["[[gateway.accounts]]", 'source = "infobip"', 'account = "other"',
              f'topic = "{OTHER}"', "rate = 2.0"]
    lines += ["[[gateway.accounts]]", 'source = "infobip"', 'account = "small"',
              f'topic = "{SMALL}"']
    lines += ["[[gateway.accounts]]", 'source = "infobip"', 'account = "compact"',
              f'topic = "{COMPACT}"']
    path = directory / "gateway.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def started(directory: Path, brokers: str, *more: str) -> Iterator[Gateway]:
    """A gateway of its own."""
    port = kafka.free_ports(1)[0]
    config = configured(directory, brokers, port, *more)
    log = directory / "gateway.log"
    with sendtally.running("gateway", "--config", config, log=log) as process:
        process.wait_for("the gateway listens", 60)
        yield Gateway(process, port, config)


@pytest.fixture(scope="module")
def node() -> Iterator[kafka.Kafka]:
    """A Kafka that these cases share."""
    with kafka.Kafka() as one:
        one.create_topics([TOPIC, OTHER], 3)
        one.create_topics([SMALL], 1, max_message_bytes="10000")
        one.create_topics([COMPACT], 1, cleanup_policy="compact")
        yield one


@pytest.fixture(scope="module")
def gateway(node: kafka.Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that these cases share."""
    yield from started(tmp_path_factory.mktemp("gateway"), node.brokers)


def stored(node: kafka.Kafka, topic: str = TOPIC) -> list[tuple[bytes | None, dict[str, bytes]]]:
    """Value and headers of each record."""
    return [(one.value(), dict(one.headers() or [])) for one in wire.records(node.brokers, topic)]


def record_of(node: kafka.Kafka, account: str) -> tuple[bytes | None, dict[str, bytes]]:
    """The one record of an account."""
    found = [one for one in stored(node) if one[1]["account"] == account.encode()]
    assert len(found) == 1, found
    return found[0]


def test_a_record_has_the_bytes_and_the_headers_of_its_request(
    node: kafka.Kafka, gateway: Gateway
) -> None:
    """DESIGN.md, "A Kafka record"."""
    body = bytes(range(256)) * 4
    assert gateway.ask("/in/infobip/bytes?a=%20b&c", body, content_type="x/y", cookie="c=1",
                       x_forwarded_host="evil.example").status == 200
    value, headers = record_of(node, "bytes")
    assert value == body
    received = headers.pop("received-at").decode()
    assert received.endswith("Z") and abs(time.time() - unix_s(received)) < 60
    assert headers == {"source": b"infobip", "account": b"bytes", "method": b"POST",
                       "url": f"{PUBLIC}/in/infobip/bytes?a=%20b&c".encode(),
                       "content-type": b"x/y"}


def unix_s(text: str) -> float:
    """Unix time of a time in words."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_get_callback_has_an_empty_value_and_its_data_in_the_url(
    node: kafka.Kafka, gateway: Gateway
) -> None:
    """Empty, and not a tombstone."""
    assert gateway.ask("/in/kaleyra/get?id=1&status=DELIVRD", method="GET").status == 200
    value, headers = record_of(node, "get")
    assert value == b""
    assert headers["method"] == b"GET"
    assert headers["url"] == f"{PUBLIC}/in/kaleyra/get?id=1&status=DELIVRD".encode()


def test_answers_that_store_nothing(node: kafka.Kafka, gateway: Gateway) -> None:
    """404, 405, 413, 429."""
    before = sum(node.end_offsets().values())
    assert gateway.ask("/in/nobody/a", b"x").status == 404
    assert gateway.ask("/elsewhere", b"x").status == 404
    assert gateway.ask("/in/twilio/a", b"x", method="PUT").status == 405
    assert gateway.ask("/in/twilio/a", b"x" * (64 * 1024 + 1)).status == 413
    assert sum(node.end_offsets().values()) == before
    replies = [gateway.ask("/in/infobip/other", b"x") for _ in range(8)]
    assert [one.status for one in replies].count(200) >= 4
    refused = [one for one in replies if one.status == 429]
    assert refused and all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert len(stored(node, OTHER)) == len(replies) - len(refused), "into the account's own topic"


def test_a_record_that_its_topic_does_not_take_is_the_operators_matter(gateway: Gateway) -> None:
    """413 for the vendor, and a line in the log that says what to do."""
    assert gateway.ask("/in/infobip/small", b"x" * 9_000).status == 200
    assert gateway.ask("/in/infobip/small", random.Random(1).randbytes(20_000)).status == 413
    gateway.process.wait_for("raise the topic's max.message.bytes", 5)


def test_why_kafka_refuses_records_is_logged_once_for_a_topic(gateway: Gateway) -> None:
    """A compacted topic takes none without a key; neither body nor address is in the log."""
    for _ in range(5):
        assert gateway.ask("/in/infobip/compact?to=15005550006", b"planted-body").status == 503
    gateway.process.wait_for("cleanup.policy", 5)
    told = [line for line in gateway.process.text().splitlines() if COMPACT in line]
    assert len(told) == 1 and "WARN" in told[0] and "valid" in told[0], told
    assert "planted-body" not in gateway.process.text()
    assert gateway.ask("/in/infobip/after", b"x").status == 200


def lines_of(gateway: Gateway, sent: Signed, more: list[tuple[str, str]]) -> int:
    """Status of a webhook with further header lines before its own."""
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=CALLS_S)
    try:
        client.putrequest("POST", sent.path)
        own = [(name.replace("_", "-"), value) for name, value in sent.headers.items()]
        for name, value in [*more, *own, ("content-length", str(len(sent.body)))]:
            client.putheader(name, value)
        client.endheaders(sent.body)
        return client.getresponse().status
    finally:
        client.close()


def test_several_lines_of_a_signature_are_a_list_where_its_vendor_has_lists(
    gateway: Gateway
) -> None:
    """RFC 9110, 5.3; a header that has one value is wrong where there are two."""
    now = int(time.time())
    wrong = {name: signing.signed(name, "wrong", now).headers
             for name in ("plivo", "bird", "vonage", "whatsapp")}
    for scheme, header, expected in (
        ("plivo", "x_plivo_signature_v3", 200), ("bird", "webhook_signature", 200),
        ("vonage", "authorization", 401), ("whatsapp", "x_hub_signature_256", 401),
    ):
        right = signing.signed(scheme, "new", now)
        first = (header.replace("_", "-"), wrong[scheme][header])
        assert lines_of(gateway, right, [first]) == expected, scheme
        twice = (first[0], right.headers[header])
        assert lines_of(gateway, right, [twice]) == expected, scheme


def test_http2_is_not_spoken(gateway: Gateway) -> None:
    """Its preface closes the connection, and no record says `http:///in/`."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as one:
        one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        try:
            assert one.recv(100) == b""
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_is_verified_where_it_is_required(
    node: kafka.Kafka, gateway: Gateway, scheme: str
) -> None:
    """Right, old key, wrong key, altered, replayed, without its signature."""
    now = int(time.time())
    before = sum(node.end_offsets().values())
    refused = [signing.signed(scheme, "wrong", now), signing.altered(scheme, now)]
    if scheme in signing.TIMED:
        refused.append(signing.signed(scheme, "new", now - 86_400))
    assert [gateway.sent(one) for one in refused] == [401] * len(refused)
    # Without any signature it may be a message's callback, which Vonage sends again with one.
    expected = 503 if scheme in ("vonage", "vonage_sms") else 401
    assert gateway.sent(signing.unsigned(scheme, now)) == expected
    assert sum(node.end_offsets().values()) == before, "nothing of it is stored"
    right = [signing.signed(scheme, name, now) for name in ("new", "old")]
    assert [gateway.sent(one) for one in right] == [200, 200]
    of = signing.source_of(scheme).encode(), signing.account_of(scheme).encode()
    mine = [one for one in stored(node) if (one[1]["source"], one[1]["account"]) == of]
    assert sorted(value for value, _ in mine[-2:]) == sorted(one.body for one in right)
    assert all(headers["verified"] == b"true" for _, headers in mine)


def test_a_wrong_signature_is_stored_as_such_where_it_is_recorded(
    node: kafka.Kafka, gateway: Gateway
) -> None:
    """The default of an account that is not listed."""
    sent = whatsapp(KEYS["wrong"], "lax", int(time.time()))
    assert gateway.sent(sent) == 200
    value, headers = record_of(node, "lax")
    assert value == sent.body and headers["verified"] == b"false"
    expected = sent.headers["x_hub_signature_256"].encode()
    assert headers["http-x-hub-signature-256"] == expected


def test_handshakes(node: kafka.Kafka, gateway: Gateway) -> None:
    """Meta, RBM, Azure and Amazon, as their references say; none is stored."""
    before = sum(node.end_offsets().values())
    meta = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}
    reply = gateway.ask(f"/in/whatsapp/strict?{urlencode(meta)}", method="GET")
    assert (reply.status, reply.body) == (200, "1158201444")
    meta["hub.verify_token"] = "guess"
    assert gateway.ask(f"/in/whatsapp/strict?{urlencode(meta)}", method="GET").status == 403
    for key, expected in ((KEYS["new"], 200), (KEYS["old"], 200), ("guess", 403)):
        shown = json.dumps({"clientToken": key, "secret": "s3cret"}).encode()
        reply = gateway.ask("/in/google_rbm/strict", shown)
        assert reply.status == expected
        assert ("s3cret" in reply.body) == (expected == 200)
    event = [{"id": "1", "topic": "t", "subject": "", "eventType":
              "Microsoft.EventGrid.SubscriptionValidationEvent", "dataVersion": "2",
              "data": {"validationCode": "512d38b6", "validationUrl": "https://x.example"}}]
    reply = gateway.ask("/in/azure_acs/a", json.dumps(event).encode(),
                        aeg_event_type="SubscriptionValidation")
    assert (reply.status, json.loads(reply.body)) == (200, {"validationResponse": "512d38b6"})
    reply = gateway.ask("/in/azure_acs/a", method="OPTIONS",
                        webhook_request_origin="eventgrid.azure.net")
    assert reply.status == 200
    assert reply.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0ken"
    asked = {"Type": "SubscriptionConfirmation", "Token": "t0ken", "SubscribeURL": url}
    assert gateway.ask("/in/aws_sns/a", json.dumps(asked).encode()).status == 200
    gateway.process.wait_for(url, 5)
    assert sum(node.end_offsets().values()) == before
    asked["SubscribeURL"] = "http://169.254.169.254/latest"
    assert gateway.ask("/in/aws_sns/a", json.dumps(asked).encode()).status == 200
    assert "169.254" not in gateway.process.text()
    assert sum(node.end_offsets().values()) == before + 1, "it is a record like any other"


def test_slow_clients_are_cut_off_and_stall_nobody(gateway: Gateway) -> None:
    """A head that dribbles, a body that stands still, a connection that says nothing."""
    places = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(30)]
    for number, one in enumerate(places):
        one.settimeout(10)
        if number % 3 == 1:
            one.sendall(b"POST /in/twilio/slow HTTP/1.1\r\nhost: h\r\nx: ")
        if number % 3 == 2:
            one.sendall(b"POST /in/twilio/slow HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nab")
    took = []
    for _ in range(20):
        began = time.monotonic()
        assert gateway.ask("/in/twilio/quick", b"MessageSid=1").status == 200
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 1.0, took
    for number, one in enumerate(places):
        if number % 3 == 1:
            assert one.recv(100) == b"", "a slow head is closed"
        if number % 3 == 2:
            assert b" 408 " in one.recv(100)
        one.close()


def test_nothing_secret_and_no_recipient_is_logged(gateway: Gateway) -> None:
    """After all that the cases above sent."""
    assert gateway.ask("/in/twilio/x?To=%2B15005550006&secret=planted", b"x").status == 200
    text = gateway.process.text()
    for word in (*KEYS.values(), TOKEN, "15005550006", "planted", "s3cret"):
        assert word not in text, word


def test_health_and_metrics(gateway: Gateway) -> None:
    """Counts by source and answer, the latency, the queue."""
    assert gateway.ask("/healthz", method="GET").status == 200
    assert gateway.ask("/readyz", method="GET").status == 200
    gateway.ask("/in/twilio/m", b"x")
    page = gateway.ask("/metrics", method="GET").body
    for text in ('requests_total{source="twilio",answer="stored",status="200"} ',
                 "sendtally_gateway_stored_seconds_count ", "sendtally_gateway_queued_records ",
                 "sendtally_gateway_kafka_state 1", "\nprocess_cpu_seconds_total "):
        assert text in page, page


def test_what_the_gateway_verified_is_verified_in_the_events(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    """gateway → run → events; the job requires signatures and believes the gateway."""
    for one in started(tmp_path, node.brokers):
        sent = twilio(KEYS["new"], "whole-way", int(time.time()))
        assert one.sent(twilio(KEYS["wrong"], "whole-way-wrong", int(time.time()))) == 200
        assert one.sent(sent) == 200
        sendtally.call("run", "--config", one.config, "--until-end").expect(0)
        query = ("SELECT account, verified, verified_reason FROM events "
                 "WHERE account LIKE 'whole-way%'")
        rows = sendtally.call(
            "sql", query, "--data", tmp_path / "data", "--format", "json").expect(0).rows()
        assert rows == [{"account": "whole-way", "verified": True, "verified_reason": "header"}], (
            "the one with a wrong signature is a dead letter")


def test_normalize_checks_signatures_by_the_keys_of_a_configuration(tmp_path: Path) -> None:
    """Whole records, as the gateway writes them, without its word; files need no Kafka."""
    config = configured(tmp_path, "127.0.0.1:1", 1)
    lines = []
    for name in ("new", "old", "wrong"):
        sent = whatsapp(KEYS[name], "a", 1_795_176_000)
        signature = sent.headers["x_hub_signature_256"]
        headers = {"source": "whatsapp", "account": "a", "http-x-hub-signature-256": signature,
                   "received-at": "2026-11-20T12:00:02.000000Z"}
        lines.append(json.dumps({"headers": headers, "value": sent.body.decode()}))
    file = tmp_path / "records.jsonl"
    file.write_text("\n".join(lines))
    done = sendtally.call("normalize", "--records", "--config", config, file).expect(0)
    found = [(row["verified"], row["verified_reason"]) for row in done.rows()]
    assert found == [(True, "valid"), (True, "valid_old_key"), (False, "mismatch")]
    plain = sendtally.call("normalize", "--records", file).expect(0)
    assert {row["verified"] for row in plain.rows()} == {None}


def test_configuration_mistakes_and_a_missing_kafka_have_their_exit_codes(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    """2 and 3, as everywhere."""
    config = configured(tmp_path, node.brokers, 1, "lissen = 1")
    sendtally.call("gateway", "--config", config).expect(2, "lissen")
    config = configured(tmp_path, node.brokers, 1)
    config.write_text(config.read_text().replace(f'"{TOPIC}"', '"no-such-topic"'))
    sendtally.call("gateway", "--config", config).expect(2, "no-such-topic")
    config = configured(tmp_path, "127.0.0.1:1", 1)
    sendtally.call("gateway", "--config", config).expect(3, "127.0.0.1:1")
    config = configured(tmp_path, node.brokers, 1)
    text = config.read_text()
    for old, new, word in (
        (f'"{node.brokers}"', '"bob:hunter2@host:9092"', "sasl_password_file"),
        (f'"{node.brokers}"', '"b"\nsasl_password = "hunter2"', "sasl_password"),
        ("rate = 100000.0", 'rate = "hunter2"', "invalid type: string"),
        (f'"{PUBLIC}"', '"https://bob:hunter2@host"', "public_url"),
        ("head_wait_ms = 1000", "head_wait_ms = 0", "head_wait_ms"),
        ("head_wait_ms = 1000", "requests = 0", "requests"),
        ('scheme = "plivo_v2"', 'header = "x"', "does not read `header`"),
    ):
        assert old in text
        config.write_text(text.replace(old, new, 1))
        answer = sendtally.call("gateway", "--config", config).expect(2, word)
        assert "hunter2" not in answer.out + answer.err
    nothing = sendtally.Config(tmp_path / "data", node.brokers).write()
    sendtally.call("gateway", "--config", nothing).expect(2, "[gateway]")


@dataclass
class Sent:
    """A webhook of the load: what its record has to be, when it was sent, what was answered."""

    value: bytes
    headers: dict[str, bytes]
    began: float
    ended: float = 0.0
    status: int = 0


def webhook(rng: random.Random, account: str, number: int) -> Signed:
    """Bytes of Infobip without a signature, or a status of WhatsApp with a right or a wrong one;
    its number is in the address."""
    if rng.random() < 0.3:
        made = whatsapp(KEYS[rng.choice(sorted(KEYS))], account, number)
    else:
        made = Signed(f"/in/infobip/{account}", rng.randbytes(rng.randrange(0, 3000)))
    named = {name.replace("_", "-"): value for name, value in made.headers.items()}
    return Signed(f"{made.path}?n={number}", made.body, named)


def record_headers(sent: Signed) -> dict[str, bytes]:
    """Headers of the record of a webhook, by DESIGN.md; `received-at` is the gateway's own."""
    _, _, source, account = sent.path.split("?")[0].split("/")
    headers = {"source": source, "account": account, "method": "POST", "url": PUBLIC + sent.path}
    if source == "whatsapp":
        given = sent.headers["x-hub-signature-256"]
        right = ["sha256=" + signing.code(KEYS[key], sent.body).hex() for key in ("new", "old")]
        headers |= {"content-type": sent.headers["content-type"],
                    "http-x-hub-signature-256": given,
                    "verified": "true" if given in right else "false"}
    return {name: value.encode() for name, value in headers.items()}


@dataclass
class Vendor:
    """Threads that send webhooks until told to stop, and remember each with its answer."""

    port: int
    seed: int
    sent: dict[int, Sent] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, thread: int) -> None:
        """One connection; a new one where it breaks."""
        rng = random.Random(self.seed * 1000 + thread)
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALLS_S)
        number = thread * 10_000_000
        while not self.stop.is_set():
            number += 1
            made = webhook(rng, f"load-{thread}", number)
            sent = Sent(made.body, record_headers(made), time.time())
            with self.lock:
                self.sent[number] = sent
            began = time.monotonic()
            try:
                client.request("POST", made.path, made.body, made.headers)
                answer = client.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                client.close()
                status = 0
            with self.lock:
                sent.ended, sent.status = time.time(), status
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.answers[status] = self.answers.get(status, 0) + 1
            if status != 200:
                time.sleep(0.05)
        client.close()

    def acknowledged(self) -> dict[int, Sent]:
        """Those that the gateway said it has."""
        return {number: sent for number, sent in self.sent.items() if sent.status == 200}

    def check(self, node: kafka.Kafka) -> None:
        """Every acknowledged webhook is in Kafka at least once; every record is one that was sent,
        acknowledged or not, byte for byte and header for header."""
        found: set[int] = set()
        for record in wire.records(node.brokers, TOPIC):
            pairs = record.headers() or []
            headers = dict(pairs)
            assert len(headers) == len(pairs), f"a header twice: {pairs}"
            if not headers["account"].startswith(b"load-"):
                continue
            number = int(headers["url"].rsplit(b"?n=", 1)[1])
            told = f"seed {self.seed}, webhook {number}"
            sent = self.sent[number]
            assert record.value() == sent.value, told
            received = unix_s(headers.pop("received-at").decode())
            assert sent.began - CLOCKS_S < received < sent.ended + CLOCKS_S, told
            assert headers == sent.headers, told
            found.add(number)
        acknowledged = self.acknowledged()
        kinds = {sent.headers.get("verified") for sent in acknowledged.values()}
        assert kinds == {None, b"true", b"false"}, "the load has all three"
        lost = set(acknowledged) - found
        assert not lost, f"seed {self.seed}: {len(lost)} of {len(acknowledged)} lost"


def test_what_was_acknowledged_is_in_kafka_though_it_was_killed_and_the_gateway_stopped(
    tmp_path: Path,
) -> None:
    """Kafka is killed twice under load and started again; then SIGTERM under load."""
    seed = int(os.environ.get("SENDTALLY_SEED", "") or time.time_ns() % 1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with kafka.Kafka() as node:
        node.create_topics([TOPIC, OTHER, SMALL, COMPACT], 3)
        for gateway in started(tmp_path, node.brokers):
            vendor = Vendor(gateway.port, seed)
            threads = [threading.Thread(target=vendor.run, args=(n,)) for n in range(12)]
            for one in threads:
                one.start()
            try:
                for _ in range(2):
                    time.sleep(rng.uniform(1.5, 3.0))
                    before = vendor.answers.get(200, 0)
                    assert before > 0, vendor.answers
                    node.kill()
                    time.sleep(rng.uniform(3.0, 6.0))
                    reply = gateway.ask("/in/infobip/probe", b"x")
                    assert reply.status == 503 and int(reply.headers["retry-after"]) > 0
                    assert gateway.ask("/readyz", method="GET").status == 503
                    assert gateway.ask("/healthz", method="GET").status == 200
                    node.start()
                    sendtally.wait_until(
                        lambda: gateway.ask("/readyz", method="GET").status == 200, 60, "ready")
                time.sleep(2.0)
                code = gateway.process.end(signal.SIGTERM)
            finally:
                vendor.stop.set()
                for one in threads:
                    one.join()
            assert code == 0, gateway.process.text()[-2000:]
            assert vendor.slowest_s < 10.0, "503 comes within a bounded time"
            assert vendor.answers.get(503, 0) > 0, vendor.answers
            print(f"{len(vendor.acknowledged())} acknowledged, answers {vendor.answers}")
            vendor.check(node)
            warnings = gateway.process.text().count('"level":"WARN"')
            assert 0 < warnings <= WARNINGS_MAX, f"{warnings} warnings of two outages"

"""Planted numbers, tokens, user ids, names and bodies are found nowhere outside Kafka (P5)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kafka
import pytest
import scan
import sendtally
from confluent_kafka import Producer
from conftest import Traffic, make_traffic

pytestmark = pytest.mark.servers

TEXTS = ["PLANTED-BODY-7f3a", "Planted Person"]
KEPT = "385915559999"
PAGES = ["healthz", "readyz", "metrics", "v1/windows", "v1/alerts?after=0", ""]
POISON = [
    b'{"results":[{"messageId":{"no":1},"to":"385915550001","status":{}}]}',
    b'{"results":[{"messageId":"m1","to":"385915550001","text":"PLANTED-BODY-7f3a"',
    b"MessageStatus=delivered&To=%2B385915550001&Body=PLANTED-BODY-7f3a",
    b'{"messageId":"385915550001","to":"385915550001","PLANTED-BODY-7f3a":[[[',
]


@dataclass
class Outputs:
    """Everything that one run gave away."""

    data: Path
    needles: scan.Needles
    texts: list[Path]


@pytest.fixture(scope="module")
def planted(work: Path) -> Iterator[Traffic]:
    """A little of all traffic, poisoned records with numbers in odd places, and one number in a
    column that is kept as it is (the sender)."""
    with kafka.Kafka() as node:
        traffic = make_traffic(node, "end_to_end.yaml", 30_000, 200.0, work / "planted-log")
        producer = Producer({"bootstrap.servers": node.brokers})
        for value in POISON:
            producer.produce("messaging.infobip", value, headers={"source": "infobip"})
        kept = (f'{{"results":[{{"messageId":"kept-1","to":"4917055512345","sender":"{KEPT}",'
                '"sentAt":"2026-03-02T23:50:00.000+0000","doneAt":"2026-03-02T23:50:01.000+0000",'
                '"messageCount":1,"status":{"groupId":3,"groupName":"DELIVERED","id":5,'
                '"name":"DELIVERED_TO_HANDSET"}}]}')
        producer.produce("messaging.infobip", kept.encode(), headers={"source": "infobip"})
        assert producer.flush(30) == 0
        yield traffic


@pytest.fixture(scope="module")
def outputs(planted: Traffic, work: Path) -> Outputs:
    """A drained directory, the log of a serving process, its pages, and what `sql` prints."""
    data, log = work / "privacy", work / "privacy.log"
    port = kafka.free_ports(1)[0]
    # What is poisoned is kept, encrypted.
    key = work / "privacy-dead.key"
    key.write_text("ab" * 32)
    config = sendtally.Config(
        data, planted.server.brokers, listen=f"127.0.0.1:{port}",
        extra={"dead_letters": [f'key_file = "{key}"']}).write()
    first = sendtally.call("run", "--config", config, "--until-end").expect(0)
    texts = [work / "privacy-first.txt", log]
    texts[0].write_text(first.out + first.err)
    with sendtally.running("run", "--config", config, log=log) as process:
        ready = f"http://127.0.0.1:{port}/readyz"
        sendtally.wait_until(lambda: answers(ready), 60, "the server")
        for number, page in enumerate(PAGES):
            texts.append(work / f"privacy-page-{number}.txt")
            texts[-1].write_text(sendtally.get(f"http://127.0.0.1:{port}/{page}", 30))
        process.end(signal.SIGTERM)
    texts.append(work / "privacy-dead.json")
    query = "select * from dead_letters"
    texts[-1].write_text(
        sendtally.call("sql", query, "--data", data, "--format", "json").expect(0).out)
    rows = planted.expected.execute("SELECT DISTINCT recipient FROM element").fetchall()
    recipients = [row[0] for row in rows if row[0]] + ["385915550001"]
    return Outputs(data, scan.Needles.of(recipients, TEXTS), texts)


def answers(url: str) -> bool:
    """Whether an address answers."""
    try:
        sendtally.get(url)
        return True
    except OSError:
        return False


def test_the_scan_covers_every_kind_of_output(outputs: Outputs) -> None:
    kinds = {path.suffix for path in scan.files_below(outputs.data)}
    assert {".parquet", ".arrow", ".json"} <= kinds
    listed = sendtally.call("dead-letters", "list", "--data", outputs.data, "--format", "json")
    assert sum(row["kept"] is True for row in listed.expect(0).rows()) >= len(POISON)
    assert len(outputs.needles.numbers) > 1000 and outputs.needles.words
    assert all(path.stat().st_size for path in outputs.texts)


def test_nothing_planted_is_in_the_data_directory(outputs: Outputs) -> None:
    found = scan.findings(scan.files_below(outputs.data), outputs.needles)
    assert not found, "\n".join(found)


def test_nothing_planted_is_in_logs_pages_and_answers(outputs: Outputs) -> None:
    found = scan.findings(outputs.texts, outputs.needles)
    assert not found, "\n".join(found)


def test_the_same_scan_finds_a_number_in_a_kept_column(outputs: Outputs) -> None:
    control = scan.Needles.of([KEPT], [])
    files = scan.files_below(outputs.data)
    places = {path.suffix for path in files if scan.findings([path], control)}
    assert ".parquet" in places and ".arrow" in places, places

"""What is normal in a Kafka: transactions, codecs, tombstones, new partitions, deleted records."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import kafka
import pytest
import sendtally
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewPartitions

pytestmark = pytest.mark.servers

TOPIC = "messaging.infobip"
HEADERS = {"source": "infobip"}
QUIET = {"log_level": 0}


def report(number: int) -> bytes:
    """A delivery report of its own message."""
    return (f'{{"results":[{{"messageId":"k-{number}","to":"4917055512345",'
            '"sentAt":"2026-11-20T10:00:00.000+0000","doneAt":"2026-11-20T10:00:01.000+0000",'
            '"messageCount":1,"status":{"groupId":3,"groupName":"DELIVERED","id":5,'
            '"name":"DELIVERED_TO_HANDSET"}}]}').encode()


@pytest.fixture
def node() -> Iterator[kafka.Kafka]:
    """A broker with one empty topic of two partitions."""
    with kafka.Kafka() as server:
        server.create_topics([TOPIC], 2)
        yield server


def send(server: kafka.Kafka, numbers: range, partition: int = 0, **settings: object) -> None:
    """Produces one report a number."""
    producer = Producer({"bootstrap.servers": server.brokers, **QUIET, **settings})
    for number in numbers:
        producer.produce(TOPIC, report(number), partition=partition, headers=HEADERS)
    assert producer.flush(30) == 0


def drain(config: Path, *more: str) -> sendtally.Answer:
    """Takes everything in."""
    return sendtally.call("run", "--config", config, "--until-end", *more, timeout=120)


def rows(data: Path, query: str) -> list[dict[str, object]]:
    """Rows of a query."""
    return sendtally.call("sql", query, "--data", data, "--format", "json").expect(0).rows()


def events(data: Path) -> int:
    """Events stored."""
    return int(str(rows(data, "select count(*) as n from events")[0]["n"]))


def ledger(data: Path) -> dict[str, int]:
    """Sums of the ledger."""
    names = "records", "gaps", "elements", "accepted", "duplicate", "dead", "ignored"
    sums = ", ".join(f"sum({name}) as {name}" for name in names)
    found = rows(data, f"select {sums}, sum(end_offset - start_offset) as moved from ledger")[0]
    counts = {name: int(str(value)) for name, value in found.items()}
    assert counts["moved"] == counts["records"] + counts["gaps"], counts
    return counts


def test_committed_transactions_count_and_aborted_ones_are_gaps(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    producer = Producer({"bootstrap.servers": node.brokers, "transactional.id": "t", **QUIET})
    producer.init_transactions(30)
    for number, commits in enumerate([True, False, True, False]):
        producer.begin_transaction()
        for one in range(10):
            producer.produce(TOPIC, report(number * 10 + one), partition=one % 2, headers=HEADERS)
        producer.flush(30)
        (producer.commit_transaction if commits else producer.abort_transaction)(30)
    config = sendtally.Config(tmp_path / "data", node.brokers).write()
    drain(config).expect(0)
    counts = ledger(tmp_path / "data")
    assert (events(tmp_path / "data"), counts["records"], counts["accepted"]) == (20, 20, 20)
    # What lies between the last record and the end is counted with the record after it.
    for partition in (0, 1):
        send(node, range(100 + partition, 101 + partition), partition)
    drain(config).expect(0)
    counts = ledger(tmp_path / "data")
    assert (events(tmp_path / "data"), counts["records"]) == (22, 22)
    assert counts["moved"] == sum(node.end_offsets().values()) == 22 + 20 + 2 * 4


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_are_read(node: kafka.Kafka, tmp_path: Path, codec: str) -> None:
    send(node, range(50), **{"compression.type": codec, "linger.ms": 50})
    drain(sendtally.Config(tmp_path / "data", node.brokers).write()).expect(0)
    assert events(tmp_path / "data") == 50


def test_a_tombstone_is_ignored_and_counted(node: kafka.Kafka, tmp_path: Path) -> None:
    producer = Producer({"bootstrap.servers": node.brokers, **QUIET})
    producer.produce(TOPIC, None, key=b"k", partition=0, headers=HEADERS)
    producer.flush(30)
    send(node, range(3))
    drain(sendtally.Config(tmp_path / "data", node.brokers).write()).expect(0)
    counts = ledger(tmp_path / "data")
    assert (counts["accepted"], counts["ignored"], counts["dead"]) == (3, 1, 0)


def test_new_partitions_and_topics_are_found_and_read_from_their_start(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    send(node, range(5))
    admin = node.admin()  # it must outlive its answers
    chosen = sendtally.Config(tmp_path / "data", node.brokers)
    config = chosen.write()
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: sendtally.head(chosen.data) > 1, 60, "a commit")
        sendtally.wait_until(lambda: events(chosen.data) == 5, 60, "the first events")
        admin.create_partitions([NewPartitions(TOPIC, 4)])[TOPIC].result(timeout=30)
        node.create_topics(["messaging.later"], 1)
        send(node, range(5, 10), partition=3)
        producer = Producer({"bootstrap.servers": node.brokers, **QUIET})
        producer.produce("messaging.later", report(10), headers=HEADERS)
        assert producer.flush(30) == 0
        sendtally.wait_until(lambda: events(chosen.data) == 11, 60, "those of new partitions")
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    assert "new partitions" in process.text()
    assert ledger(chosen.data)["accepted"] == 11


def test_latest_is_where_a_first_start_begins(node: kafka.Kafka, tmp_path: Path) -> None:
    send(node, range(5))
    chosen = sendtally.Config(tmp_path / "data", node.brokers)
    config = chosen.write()
    config.write_text(config.read_text().replace('"earliest"', '"latest"'))
    drain(config).expect(0)
    send(node, range(5, 8))
    drain(config).expect(0)
    assert events(chosen.data) == 3


def test_deleted_records_stop_it_until_the_user_says_where_to_go_on(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    send(node, range(10))
    chosen = sendtally.Config(tmp_path / "data", node.brokers)
    config = chosen.write()
    drain(config).expect(0)
    send(node, range(10, 30))
    admin = node.admin()  # it must outlive its answers
    deleted = admin.delete_records([TopicPartition(TOPIC, 0, 20)])
    assert [future.result(timeout=30) for future in deleted.values()]
    answer = drain(config).expect(4, f"--seek {TOPIC}/0=", "20 to 30", "nothing was skipped")
    assert events(chosen.data) == 10, answer.err
    seek = f"{TOPIC}/0=20"
    sendtally.call("run", "--config", config, "--until-end", "--seek", seek).expect(0)
    counts = ledger(chosen.data)
    assert (events(chosen.data), counts["gaps"], counts["records"]) == (20, 10, 20)
    sendtally.call("verify", "--data", chosen.data).expect(0)


def seek(answer: str) -> str:
    """The offset in the command that a message names."""
    found = re.search(r"sendtally run --config FILE --seek (\S+/\d+=\d+)", answer)
    assert found, answer
    return found[1]


def test_an_offset_past_the_end_stops_it_until_the_user_says_where_to_go_on(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    """The same topic, by its id, that lost its end: as after an unclean election."""
    send(node, range(10))
    chosen = sendtally.Config(tmp_path / "data", node.brokers)
    config = chosen.write()
    drain(config).expect(0)
    newest = chosen.data / "chains" / "job" / f"{sendtally.head(chosen.data):020}.json"
    manifest = json.loads(newest.read_text())
    [line] = [line for line in manifest["inputs"] if line["partition"] == 0]
    assert (line["topic"], line["end_offset"]) == (TOPIC, 10) and line["topic_id"]
    line["end_offset"] = 25
    sendtally.rewrite(newest, manifest)
    send(node, range(10, 15))
    answer = drain(config).expect(
        4, f"{TOPIC}/0: the next offset is 25, the broker has 0 to 15", "nothing was skipped")
    assert seek(answer.err) == f"{TOPIC}/0=0"
    assert events(chosen.data) == 10
    drain(config, "--seek", seek(answer.err)).expect(0)
    assert (events(chosen.data), ledger(chosen.data)["duplicate"]) == (15, 10)
    drain(config).expect(0)


def test_records_deleted_before_a_running_process_read_them_stop_it(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    send(node, range(10))
    chosen = sendtally.Config(tmp_path / "data", node.brokers)
    config = chosen.write()
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: sendtally.head(chosen.data) > 1, 60, "a commit")
        sendtally.wait_until(lambda: events(chosen.data) == 10, 60, "the first events")
        process.popen.send_signal(signal.SIGSTOP)
        time.sleep(2)  # what it had asked for is answered before there is more
        send(node, range(10, 30))
        admin = node.admin()  # it must outlive its answers
        deleted = admin.delete_records([TopicPartition(TOPIC, 0, 20)])
        assert [future.result(timeout=30) for future in deleted.values()]
        process.popen.send_signal(signal.SIGCONT)
        assert process.popen.wait(60) == 4, process.text()[-2000:]
    said = process.text()
    assert f"{TOPIC}/0: the next offset is 10, the broker has 20 to 30" in said, said[-2000:]
    assert seek(said) == f"{TOPIC}/0=20"
    assert events(chosen.data) == 10
    drain(config, "--seek", seek(said)).expect(0)
    counts = ledger(chosen.data)
    assert (events(chosen.data), counts["gaps"], counts["records"]) == (20, 10, 20)
    sendtally.call("verify", "--data", chosen.data).expect(0)


def test_a_topic_deleted_under_a_running_process_stops_it_and_the_others_go_on(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    node.create_topics(["messaging.other"], 1)
    send(node, range(10))
    chosen = sendtally.Config(tmp_path / "data", node.brokers)
    config = chosen.write()
    admin = node.admin()  # it must outlive its answers
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: sendtally.head(chosen.data) > 1, 60, "a commit")
        sendtally.wait_until(lambda: events(chosen.data) == 10, 60, "the first events")
        admin.delete_topics([TOPIC])[TOPIC].result(timeout=30)
        assert process.popen.wait(60) == 4, process.text()[-2000:]
    said = process.text()
    assert f"topic {TOPIC} was deleted while it was read" in said, said[-2000:]
    assert "then sendtally run --config FILE" in said
    named = seek(said)
    assert named in {f"{TOPIC}/0=0", f"{TOPIC}/1=0"}
    # Gone for good: the pattern finds the other topic only.
    producer = Producer({"bootstrap.servers": node.brokers, **QUIET})
    producer.produce("messaging.other", report(10), headers=HEADERS)
    assert producer.flush(30) == 0
    drain(config).expect(0)
    assert events(chosen.data) == 11
    # Made anew.
    sendtally.wait_until(lambda: TOPIC not in node.topics(), 30, "the topic to be gone")
    node.create_topics([TOPIC], 2)
    send(node, range(20, 25))
    both = [word for number in (0, 1) for word in ("--seek", f"{TOPIC}/{number}=0")]
    assert named in both
    drain(config, *both).expect(0)
    assert events(chosen.data) == 16
    sendtally.call("verify", "--data", chosen.data).expect(0)
    # Going back by hand stands in the manifest: without it, it would be a record read twice.
    newest = chosen.data / "chains" / "job" / f"{sendtally.head(chosen.data):020}.json"
    manifest = json.loads(newest.read_text())
    kept = {key: value for key, value in manifest["values"].items() if "sought/" not in key}
    assert len(manifest["values"]) - len(kept) == 1, "partition 1 had no record before"
    sendtally.rewrite(newest, {**manifest, "values": kept})
    answer = sendtally.call("verify", "--data", chosen.data).expect(1, "1 of 8")
    assert "WRONG  offsets contiguous: 1 rows" in answer.out


def test_a_topic_made_anew_and_shorter_stops_it(node: kafka.Kafka, tmp_path: Path) -> None:
    send(node, range(10))
    config = sendtally.Config(tmp_path / "data", node.brokers).write()
    drain(config).expect(0)
    admin = node.admin()  # it must outlive its answers
    admin.delete_topics([TOPIC])[TOPIC].result(timeout=30)
    sendtally.wait_until(lambda: TOPIC not in node.topics(), 30, "the topic to be gone")
    node.create_topics([TOPIC], 2)
    send(node, range(3))
    drain(config).expect(4, "made anew", f"--seek {TOPIC}/0=0")


def make_anew(node: kafka.Kafka) -> None:
    """Deletes the topic and makes another one of its name."""
    admin = node.admin()  # it must outlive its answers
    admin.delete_topics([TOPIC])[TOPIC].result(timeout=30)
    sendtally.wait_until(lambda: TOPIC not in node.topics(), 30, "the topic to be gone")
    node.create_topics([TOPIC], 2)


def test_a_topic_made_anew_and_longer_stops_it_too(node: kafka.Kafka, tmp_path: Path) -> None:
    """Every stored offset is in the new topic as well: only its id is another one."""
    send(node, range(10))
    config = sendtally.Config(tmp_path / "data", node.brokers).write()
    drain(config).expect(0)
    make_anew(node)
    send(node, range(100, 140))
    drain(config).expect(4, TOPIC, "was made anew", "--seek")
    seeks = [word for number in range(2) for word in ("--seek", f"{TOPIC}/{number}=0")]
    drain(config, *seeks).expect(0)
    assert events(tmp_path / "data") == 50
    drain(config).expect(0)


def test_a_topic_made_anew_under_a_running_process_stops_it(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    send(node, range(10))
    config = sendtally.Config(tmp_path / "data", node.brokers).write()
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        data = tmp_path / "data"
        sendtally.wait_until(lambda: sendtally.head(data) > 1 and events(data) == 10, 60, "events")
        make_anew(node)
        send(node, range(100, 140))
        assert process.popen.wait(60) == 4, process.text()[-2000:]
        assert f"--seek {TOPIC}/0=0" in process.text(), process.text()[-2000:]


def disorder(data: Path) -> list[int]:
    """What each line of the ledger that has any counts as disorder."""
    manifests = sorted((data / "chains" / "job").glob("*.json"))
    lines = [one for path in manifests for one in json.loads(path.read_text())["inputs"]]
    return [line["disorder"] for line in lines if line["disorder"]]


def test_a_record_below_the_published_watermark_counts_as_disorder_once(
    node: kafka.Kafka, tmp_path: Path
) -> None:
    """At the ends of the partitions the watermark follows the clock. A record whose timestamp its
    producer set to a minute ago then comes below it; one of now does not."""
    data, log = tmp_path / "data", tmp_path / "run.log"
    listen = f"127.0.0.1:{kafka.free_ports(1)[0]}"
    config = sendtally.Config(data, node.brokers, listen=listen).write()
    metric = "sendtally_disordered_events "

    def counted() -> str:
        page = sendtally.get(f"http://{listen}/metrics").splitlines()
        return next(line.split()[-1] for line in page if line.startswith(metric))

    send(node, range(10))
    old_ms = int((time.time() - 60) * 1000)
    with sendtally.running("run", "--config", config, log=log) as process:
        def follows() -> bool:
            newest = data / "chains" / "job" / f"{sendtally.head(data):020}.json"
            mark = json.loads(newest.read_text())["watermark_us"] if newest.exists() else None
            return mark is not None and mark > (old_ms + 50_000) * 1000

        sendtally.wait_until(follows, 60, "a watermark that follows the clock")
        producer = Producer({"bootstrap.servers": node.brokers, **QUIET})
        producer.produce(TOPIC, report(10), partition=1, headers=HEADERS, timestamp=old_ms)
        producer.produce(TOPIC, report(11), partition=1, headers=HEADERS)
        assert producer.flush(30) == 0
        sendtally.wait_until(lambda: events(data) == 12, 60, "both events")
        assert disorder(data) == [1]
        assert counted() == "1"
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    # It was counted and is not late; another run counts nothing again.
    drain(config).expect(0)
    assert disorder(data) == [1]
    assert ledger(data)["accepted"] == 12
    sendtally.call("verify", "--data", data).expect(0)

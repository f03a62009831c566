"""How long until a record is visible: from Kafka's append to a row in ClickHouse, and to a row that
`sendtally sql` gives, at half of what this machine takes in.

    python tests/proof/visibility.py --binary target/release/sendtally --work DIR

    append ─► epoch (1 s) ─► manifest ─┬─► sql: the segments after the lake's files
                                       └─► the loader's plan ─► insert ─► ClickHouse

Broker, ClickHouse, producer and both readers share the machine with the process that is measured.
Capacity is measured first, with all of them at work: a producer that sends as fast as it can, until
every table is in ClickHouse. For `sql` a record counts as visible once an answer has an offset of its partition at or
above its own. ClickHouse is only asked how many rows `events` has, which costs it nothing: rows come
epoch by epoch, so a record is there once all rows up to its epoch's last are. Each figure holds the
query's own time and the pause between two queries.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import kafka  # noqa: E402
import sendtally  # noqa: E402
from clickhouse import ClickHouse, DbError  # noqa: E402
from lag import Place, committed, quantile  # noqa: E402

WAIT_S = 600.0
PAUSE_S = 0.2
# The broker's and the engine's first seconds are their own.
WARM_S = 30.0
NEWEST = ('SELECT topic, partition, max("offset") AS newest FROM events '
          "WHERE ingest_time >= now() - INTERVAL '30 seconds' GROUP BY topic, partition")
TOPICS = [f"messaging.{name}" for name in ("infobip", "twilio", "whatsapp")]
# Rows are counted over all partitions.
ALL: Place = ("", 0)


class Seen(threading.Thread):
    """Asks again and again, and notes when an answer first had an offset."""

    def __init__(self, ask: object) -> None:
        super().__init__(daemon=True)
        self.ask = ask
        self.done = threading.Event()
        # Of each partition: offsets, and when an answer had them; both ascend.
        self.offsets: dict[Place, list[int]] = {}
        self.times: dict[Place, list[float]] = {}
        self.took_s: list[float] = []

    def run(self) -> None:
        while not self.done.wait(PAUSE_S):
            began = time.time()
            rows = self.ask()  # type: ignore[operator]
            at = time.time()
            self.took_s.append(at - began)
            for row in rows:
                place = (str(row["topic"]), int(row["partition"]))
                offsets = self.offsets.setdefault(place, [])
                if not offsets or offsets[-1] < int(row["newest"]):
                    offsets.append(int(row["newest"]))
                    self.times.setdefault(place, []).append(at)

    def latency_s(self, place: Place, offset: int, appended_s: float) -> float | None:
        """From append to the first answer that had it; None where none did."""
        offsets = self.offsets.get(place, [])
        at = bisect.bisect_left(offsets, offset)
        return self.times[place][at] - appended_s if at < len(offsets) else None


def simulate(chosen: argparse.Namespace, brokers: str, *more: str) -> list[str]:
    """The producer's command."""
    return [str(chosen.binary), "simulate", "--scenario",
            str(sendtally.SCENARIOS / "bench.yaml"), "--partitions", "4", "--out", "kafka",
            "--brokers", brokers, "--log", str(chosen.work / "log"), *more]


def run(chosen: argparse.Namespace, brokers: str, url: str, name: str) -> subprocess.Popen[bytes]:
    """The process that is measured."""
    config = sendtally.Config(chosen.work / name, brokers, group=name,
                              extra={"clickhouse": [f'url = "{url}"']}).write()
    out = open(chosen.work / f"{name}.log", "wb")
    return subprocess.Popen([str(chosen.binary), "run", "--config", str(config)], stdout=out,
                            stderr=out, stdin=subprocess.DEVNULL, env=sendtally.environment())


def rows_in(front: ClickHouse) -> int:
    """Rows of `events`; 0 before there is a table."""
    try:
        return int(front.query("SELECT count() AS n FROM sendtally.events")[0]["n"])
    except (OSError, DbError):
        return 0


def loaded(data: Path) -> int:
    """The job's newest epoch of which every table is in ClickHouse."""
    path = data / "chains" / "clickhouse" / f"{sendtally.head(data, 'clickhouse'):020}.json"
    try:
        return int(json.loads(path.read_text())["consumed"].get("job", 0))
    except (FileNotFoundError, ValueError):
        return 0


def capacity(chosen: argparse.Namespace) -> float:
    """Events a second that this machine takes in with everybody at work: sent as fast as they can be
    while the process reads, until every table is in ClickHouse."""
    with kafka.Kafka() as node, ClickHouse(chosen.work / "clickhouse-0") as front:
        node.create_topics(TOPICS, 4)
        process = run(chosen, node.brokers, front.url, "capacity")
        try:
            data = chosen.work / "capacity"
            sendtally.wait_until(lambda: sendtally.head(data) > 2, 60, "epochs")
            began = time.monotonic()
            producer = subprocess.Popen(
                simulate(chosen, node.brokers, "--seed", "1", "--rate", "10000", "--events",
                         str(chosen.events)), stdin=subprocess.DEVNULL)
            sendtally.wait_until(lambda: rows_in(front) > 0, 60, "rows")
            asking = readers(front, data)
            assert producer.wait(WAIT_S) == 0, "the producer failed"
            ends = node.end_offsets()
            sendtally.wait_until(lambda: committed(data) == ends, WAIT_S, "all records")
            last = sendtally.head(data)
            sendtally.wait_until(lambda: loaded(data) >= last, WAIT_S, "all tables")
            rate = rows_in(front) / (time.monotonic() - began)
            for reader in asking.values():
                reader.done.set()
                reader.join()
            assert process.poll() is None, "the process ended"
            return rate
        finally:
            process.kill()
            process.wait()


def readers(front: ClickHouse, data: Path) -> dict[str, Seen]:
    """Those who look, at work."""
    found = {"ClickHouse": Seen(lambda: in_clickhouse(front)),
             "sendtally sql": Seen(lambda: in_sql(data))}
    for reader in found.values():
        reader.start()
    return found


def live(chosen: argparse.Namespace, rate: float) -> dict[str, list[float]]:
    """Latencies by reader, at a rate."""
    with kafka.Kafka() as node, ClickHouse(chosen.work / "clickhouse-1") as front:
        node.create_topics(TOPICS, 4)
        process = run(chosen, node.brokers, front.url, "live")
        sendtally.wait_until(lambda: sendtally.head(chosen.work / "live") > 2, 60, "epochs")
        producer = subprocess.Popen(
            simulate(chosen, node.brokers, "--live", "--seed", "3", "--rate", str(rate),
                     "--events", str(10**9)), stdin=subprocess.DEVNULL)
        try:
            time.sleep(WARM_S)
            asking = readers(front, chosen.work / "live")
            time.sleep(chosen.seconds)
            producer.terminate()
            producer.wait(60)
            ends = node.end_offsets()
            sendtally.wait_until(lambda: committed(chosen.work / "live") == ends, 60, "the end")
            time.sleep(10)
            for reader in asking.values():
                reader.done.set()
                reader.join()
            assert process.poll() is None, "the process ended"
            for name, reader in asking.items():
                print(f"{name}: {len(reader.took_s)} queries, median "
                      f"{quantile(reader.took_s, 0.5) * 1000:.0f} ms")
            return latencies(front, asking)
        finally:
            for ours in (producer, process):
                ours.kill()
                ours.wait()


def in_clickhouse(front: ClickHouse) -> list[dict[str, object]]:
    """Rows there."""
    return [{"topic": ALL[0], "partition": ALL[1], "newest": rows_in(front)}]


def in_sql(data: Path) -> list[dict[str, object]]:
    """Newest offsets there."""
    answer = sendtally.call("sql", NEWEST, "--data", data, "--format", "json")
    assert answer.code == 0, answer.err
    return answer.rows()


def latencies(front: ClickHouse, asking: dict[str, Seen]) -> dict[str, list[float]]:
    """Of every record that gave an event, seconds from append to each reader."""
    records = front.query(
        'SELECT topic, partition, "offset", toUnixTimestamp64Micro(any(ingest_time)) AS at, '
        'any(epoch) AS epoch FROM sendtally.events GROUP BY topic, partition, "offset"')
    rows_up_to: dict[int, int] = {}
    total = 0
    for row in front.query("SELECT epoch, count() AS n FROM sendtally.events GROUP BY epoch "
                           "ORDER BY epoch"):
        total += int(row["n"])
        rows_up_to[int(row["epoch"])] = total
    found: dict[str, list[float]] = {}
    for name, reader in asking.items():
        begun = min(times[0] for times in reader.times.values())
        values = found.setdefault(name, [])
        for record in records:
            place, at_s = (str(record["topic"]), int(record["partition"])), int(record["at"]) / 1e6
            if at_s < begun:
                continue  # before anybody asked
            if ALL in reader.offsets:
                latency = reader.latency_s(ALL, rows_up_to[int(record["epoch"])], at_s)
            else:
                latency = reader.latency_s(place, int(record["offset"]), at_s)
            assert latency is not None, f"{name} never had {place} at {record['offset']}"
            values.append(latency)
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--load", type=float, default=0.5)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True)
    os.environ["SENDTALLY_BIN"] = str(chosen.binary)
    most = capacity(chosen)
    rate = most * chosen.load
    print(f"capacity {most:,.0f} events/s into ClickHouse; measured at {rate:,.0f} for "
          f"{chosen.seconds:.0f} s", flush=True)
    good = True
    for name, values in live(chosen, rate).items():
        p99 = quantile(values, 0.99)
        good &= p99 <= 3.0
        print(f"append to {name}: p50 {quantile(values, 0.5):.2f} s, p99 {p99:.2f} s (target 3 s), "
              f"worst {max(values):.2f} s, {len(values)} records")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

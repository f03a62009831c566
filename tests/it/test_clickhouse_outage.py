"""An outage of ClickHouse that is longer than passed files are kept for readers: what the loader lacks
is spared, and every row is there once afterwards. With the build of the crash test, whose hour is a
second."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import kafka
import pytest
import sendtally
from clickhouse import ClickHouse
from conftest import SEED, expected
from test_clickhouse import PATIENCE_S, traffic_check_live

pytestmark = pytest.mark.servers

AGES = {"SENDTALLY_GRACE_S": "1"}


@pytest.fixture(autouse=True)
def proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build whose ages can be set."""
    binary = sendtally.binary().with_name("sendtally-proof")
    assert binary.exists(), f"{binary}: build it with cargo build -p app --features proof"
    monkeypatch.setenv("SENDTALLY_BIN", str(binary))


def oldest(data: Path) -> int:
    """The oldest manifest of the job that is left."""
    return min((int(path.stem) for path in (data / "chains" / "job").glob("*.json")), default=0)


def taken(data: Path, reader: str) -> int:
    """The epoch of the job up to which a reader has everything."""
    head = sendtally.head(data, reader)
    newest = data / "chains" / reader / f"{head:020}.json"
    return int(json.loads(newest.read_text())["consumed"].get("job", 0)) if head else 0


def test_an_outage_longer_than_the_grace_loses_nothing(tmp_path: Path) -> None:
    without, data = tmp_path / "without", tmp_path / "outage"
    with kafka.Kafka() as node, ClickHouse(tmp_path / "clickhouse") as front:
        fast, url = {"commit": ["epoch_ms = 250"]}, f'url = "{front.url}"'
        configs = [sendtally.Config(place, node.brokers, group=place.name, extra=extra).write()
                   for place, extra in ((without, fast), (data, {**fast, "clickhouse": [url]}))]
        logs = [tmp_path / "without.log", tmp_path / "outage.log"]
        live = ("simulate", "--scenario", sendtally.SCENARIOS / "crash.yaml", "--seed", str(SEED),
                "--rate", "200", "--events", "20000", "--partitions", "4", "--out", "kafka", "--live",
                "--brokers", node.brokers, "--log", tmp_path / "log")
        (tmp_path / "log").mkdir()
        with ExitStack() as stack:
            producer = stack.enter_context(sendtally.running(*live, log=tmp_path / "live.log"))
            sendtally.wait_until(node.has_records, PATIENCE_S, "records")
            _, process = [
                stack.enter_context(sendtally.running("run", "--config", config, log=log, **AGES))
                for config, log in zip(configs, logs)]
            wait = lambda done, what: sendtally.wait_until(done, PATIENCE_S, what)  # noqa: E731
            wait(lambda: taken(data, "clickhouse") > 2, "rows in ClickHouse")
            front.kill()
            process.wait_for("ClickHouse waits", PATIENCE_S)
            lacks, meant = taken(data, "clickhouse") + 1, sendtally.head(data)
            readers = lambda: min(taken(data, name) for name in ("lake", "aggregate"))  # noqa: E731
            wait(lambda: readers() > meant, "lake and aggregate to go on")
            wait(lambda: oldest(without) > lacks, "what a directory without a loader had passed to go")
            wait(lambda: oldest(data) >= lacks - 1, "what nobody lacks to go")
            time.sleep(5)
            assert oldest(data) <= lacks, "what it lacks was not spared"
            front.start()
            wait(lambda: taken(data, "clickhouse") > meant, "ClickHouse to take what waited")
            wait(lambda: oldest(data) > lacks, "what it took meanwhile to go")
            producer.end(signal.SIGTERM)
            assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
        sendtally.call("run", "--config", configs[1], "--until-end").expect(0)
        traffic_check_live(expected(node, tmp_path / "log"), data, front, tmp_path / "dump")

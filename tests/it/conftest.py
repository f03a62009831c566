"""Paths of the other test modules, and the fixtures that several cases share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))

import kafka  # noqa: E402
import oracle  # noqa: E402
import sendtally  # noqa: E402
import wire  # noqa: E402

SEED = int(os.environ.get("SENDTALLY_SEED", "7"))
EVENTS = int(os.environ.get("SENDTALLY_ORACLE_EVENTS", "1000000"))
RATE = 400.0


@dataclass
class Traffic:
    """Simulated traffic in Kafka, and what the oracle expects of it."""

    server: kafka.Kafka
    log: Path
    expected: oracle.duckdb.DuckDBPyConnection

    def check_live(self, data: Path) -> None:
        """Compares a directory whose run reached the ends of the partitions: its horizon is judged
        by the watermark that it committed."""
        oracle.expect(self.expected, sendtally.watermark_us(data))
        try:
            self.check(data)
        finally:
            oracle.expect(self.expected)

    def check(self, data: Path) -> None:
        """Compares a data directory with the oracle."""
        found = self.differences(data)
        assert not found, "differs from the oracle:\n" + "\n".join(found)

    def differences(self, data: Path) -> list[str]:
        """What a data directory has otherwise than the oracle."""
        oracle.attach(self.expected, data)
        ends = oracle.end_differences(self.expected, self.server.end_offsets())
        return ends + oracle.differences(self.expected)


def make_traffic(
    server: kafka.Kafka, scenario: str, events: int, rate: float, log: Path
) -> Traffic:
    """Simulates into an empty Kafka and lets the oracle derive what must come out."""
    sendtally.simulate(scenario, SEED, rate, events, server.brokers, log)
    return expected(server, log)


def expected(server: kafka.Kafka, log: Path) -> Traffic:
    """What the oracle derives from the log of what is in Kafka."""
    topics = list(server.topics())
    categories = wire.write_categories(server.brokers, topics, log / "categories.csv")
    connection = oracle.connect()
    oracle.load(connection, log / "log.csv", categories)
    oracle.expect(connection)
    return Traffic(server, log, connection)


def pytest_configure(config: pytest.Config) -> None:
    """Marks of the cases."""
    config.addinivalue_line("markers", "servers: needs Apache Kafka")
    config.addinivalue_line("markers", "slow: minutes long; left out with SENDTALLY_SLOW=0")
    print(f"seed {SEED}, {EVENTS} events")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips by name what this run leaves out."""
    built = sendtally.binary().exists()
    for item in items:
        own = item.path.stem in ("test_own_tools", "test_oracle_can_fail")
        if not built and not own:
            item.add_marker(pytest.mark.skip(reason=f"{sendtally.binary()} is not built"))
        if os.environ.get("SENDTALLY_SLOW") == "0" and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow, SENDTALLY_SLOW=0"))


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of this session."""
    return tmp_path_factory.mktemp("sendtally")


@pytest.fixture(scope="session")
def server() -> Iterator[kafka.Kafka]:
    """Kafka with the big traffic in it; cases that stop a broker take their own."""
    with kafka.Kafka() as node:
        yield node


@pytest.fixture(scope="session")
def traffic(server: kafka.Kafka, work: Path) -> Traffic:
    """EVENTS events of every source over four partitions a topic."""
    return make_traffic(server, "end_to_end.yaml", EVENTS, RATE, work / "log")


@dataclass
class Drained:
    """A data directory after `run --until-end`, and what the process logged."""

    traffic: Traffic
    data: Path
    config: Path
    log: str


@pytest.fixture(scope="session")
def drained(traffic: Traffic, work: Path) -> Drained:
    """The big traffic taken in without disturbance."""
    data = work / "drained"
    config = sendtally.Config(data, traffic.server.brokers).write()
    done = sendtally.call("run", "--config", config, "--until-end").expect(0)
    return Drained(traffic, data, config, done.out + done.err)

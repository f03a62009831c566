"""ClickHouse's tables over several starts: their TTL follows the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import kafka
import pytest
import sendtally
from clickhouse import ClickHouse
from conftest import Traffic, make_traffic

pytestmark = pytest.mark.servers

DATABASE = "sendtally"


@pytest.fixture(scope="module")
def little(work: Path) -> Iterator[Traffic]:
    """A little of all traffic in a Kafka of its own."""
    with kafka.Kafka() as node:
        yield make_traffic(node, "end_to_end.yaml", 5_000, 200.0, work / "little-log")


@pytest.fixture
def front(tmp_path: Path) -> Iterator[ClickHouse]:
    """An empty ClickHouse of this case."""
    with ClickHouse(tmp_path / "clickhouse") as node:
        yield node


def start(
    little: Traffic, data: Path, server: ClickHouse, *retention: str, **env: str
) -> sendtally.Answer:
    """One start that loads what is there."""
    extra = {"clickhouse": [f'url = "{server.url}"'], "retention": list(retention)}
    config = sendtally.Config(data, little.server.brokers, group=data.name, extra=extra)
    return sendtally.call("run", "--config", config.write(), "--until-end", **env)


def ttl_days(server: ClickHouse) -> dict[str, int]:
    """Days after which the engine deletes, by table."""
    found = server.query(
        f"SELECT name, engine_full FROM system.tables WHERE database = '{DATABASE}'")
    days = {row["name"]: re.search(r" TTL .*?toInterval\w+\((\d+)\)", row["engine_full"])
            for row in found}
    return {name: int(match[1]) for name, match in days.items() if match}


def count(server: ClickHouse, table: str, where: str = "1") -> int:
    """Rows of a table once what is due is deleted."""
    server.query(f"OPTIMIZE TABLE {DATABASE}.{table} FINAL")
    found = server.query(f"SELECT count() AS n FROM {DATABASE}.{table} WHERE {where}")
    return int(found[0]["n"])


def test_the_ttl_of_tables_follows_the_configuration_and_goes_with_it(
    little: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    data, planted = tmp_path / "ttl", "source = 'planted'"

    def plant(age: str) -> None:
        """An event of so many days ago, or of no time."""
        time = "NULL" if age == "NULL" else f"now64(6) - INTERVAL {age} DAY"
        front.query(f"INSERT INTO {DATABASE}.events (source, ingest_time) SELECT 'planted', {time}")

    start(little, data, front, "events = 500").expect(0)
    assert ttl_days(front) == {"events": 500}
    plant("NULL")
    plant("470")
    assert count(front, "events", planted) == 2

    # Longer than `DateTime` reaches from now; and other days.
    start(little, data, front, "events = 450", "slo_windows = 90000").expect(0)
    assert ttl_days(front)["events"] == 450 and "slo_windows" in ttl_days(front)
    assert count(front, "events", planted) == 1, "that of no time stays"
    assert count(front, "slo_windows") > 0

    # As an earlier build set it, and as somebody else did.
    front.query(
        f"ALTER TABLE {DATABASE}.messages MODIFY TTL toDateTime(ifNull(`committed_at`, "
        "toDateTime64('2105-01-01 00:00:00', 6, 'UTC'))) + INTERVAL 77 DAY DELETE")
    front.query(f"ALTER TABLE {DATABASE}.ledger MODIFY TTL committed_at + INTERVAL 3650 DAY")
    assert ttl_days(front)["messages"] == 77
    for _ in range(2):
        start(little, data, front).expect(0)
        assert ttl_days(front) == {"ledger": 3650}
    plant("470")
    assert count(front, "events", planted) == 2

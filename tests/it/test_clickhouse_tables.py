"""ClickHouse's tables over several starts: migrated by a later one where one was broken off, refused
where a newer build made them; their TTL follows the configuration.

`fixtures/directories/clickhouse-1.sql` is what the last build of version 1 ran."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import kafka
import pytest
import sendtally
from clickhouse import ClickHouse
from conftest import Traffic, make_traffic

pytestmark = pytest.mark.servers

DATABASE = "sendtally"
PATIENCE_S = 60.0
VERSION_1 = sendtally.ROOT / "fixtures" / "directories" / "clickhouse-1.sql"
MIGRATIONS = f"{DATABASE}.sendtally_migrations"


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


def configured(little: Traffic, data: Path, server: ClickHouse, *retention: str) -> Path:
    """A configuration that loads into ClickHouse."""
    extra = {"clickhouse": [f'url = "{server.url}"'], "retention": list(retention)}
    return sendtally.Config(data, little.server.brokers, group=data.name, extra=extra).write()


def start(little: Traffic, data: Path, server: ClickHouse, *retention: str) -> None:
    """One start that loads what is there."""
    config = configured(little, data, server, *retention)
    sendtally.call("run", "--config", config, "--until-end").expect(0)


def make(server: ClickHouse, page: str, database: str) -> None:
    """Runs the statements of a page in a database."""
    for statement in page.replace(f"`{DATABASE}`", f"`{database}`").split(";\n\n"):
        server.query(statement.rstrip(";\n"))


def columns(server: ClickHouse, database: str) -> list[dict]:
    """Every column in its place."""
    return server.query(
        "SELECT table, position, name, type, compression_codec FROM system.columns WHERE database "
        f"= '{database}' AND table NOT IN (SELECT name FROM system.tables WHERE engine = 'View') "
        "ORDER BY table, position")


def version(server: ClickHouse) -> int:
    """Version of the tables."""
    return int(server.query(f"SELECT max(version) AS v FROM {MIGRATIONS}")[0]["v"])


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

    start(little, data, front, "events = 500")
    assert ttl_days(front) == {"events": 500}
    plant("NULL")
    plant("470")
    assert count(front, "events", planted) == 2

    # Longer than `DateTime` reaches from now; and other days.
    start(little, data, front, "events = 450", "slo_windows = 90000")
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
        start(little, data, front)
        assert ttl_days(front) == {"ledger": 3650}
    plant("470")
    assert count(front, "events", planted) == 2


@pytest.mark.parametrize(("statement", "applied"), [
    ("MODIFY COLUMN `amount`", True), ("ADD COLUMN", False), ("INSERT INTO .*_migrations", False)])
def test_a_migration_that_was_broken_off_is_done_by_the_next_start_and_keeps_the_rows(
    little: Traffic, front: ClickHouse, tmp_path: Path, statement: str, applied: bool
) -> None:
    make(front, VERSION_1.read_text(), DATABASE)
    front.query(f"INSERT INTO {MIGRATIONS} (version) VALUES (1)")
    front.query(
        f"INSERT INTO {DATABASE}.charges (charge_id, source, amount, unit_price, revision, "
        "committed_at) SELECT toFixedString(leftPad(toString(number), 16), 16), 'planted', number, "
        "1, 1, now64(6) FROM numbers(1000)")
    data, log = tmp_path / "migrated", tmp_path / "broken-off.log"
    config = configured(little, data, front)
    front.control(only_inserts=False, statements=statement,
                  error={"code": 999, "message": "Session expired", "after_apply": applied})
    with sendtally.running("run", "--config", config, log=log) as process:
        process.wait_for("Session expired", PATIENCE_S)
        process.end(signal.SIGKILL)
    front.control()
    kinds = {row["name"]: row["type"] for row in columns(front, DATABASE) if row["table"] == "charges"}
    assert kinds["amount"] == "Nullable(Decimal(38, 9))" and version(front) == 1
    assert ("grain" in kinds) == (statement.startswith("INSERT")), "it was not halfway"

    start(little, data, front)
    page = sendtally.call("schemas", "--clickhouse").expect(0).out
    make(front, page, "anew")
    assert version(front) > 1
    assert columns(front, DATABASE) == columns(front, "anew")
    assert front.query(
        f"SELECT count() AS n, sum(amount)::UInt64 AS sum, countIf(grain IS NULL) AS old FROM "
        f"{DATABASE}.charges WHERE source = 'planted'") == [{"n": 1000, "sum": 499_500, "old": 1000}]
    lake = sendtally.call("sql", "--data", data, "--format", "json",
                          "SELECT count(*) AS n FROM charges").expect(0).rows()
    assert count(front, "charges", "source != 'planted'") == lake[0]["n"] != 0


def test_tables_that_a_newer_build_migrated_are_refused(
    little: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    page = sendtally.call("schemas", "--clickhouse").expect(0).out
    make(front, page, DATABASE)
    known = max(int(number) for number in re.findall("since = ([0-9]+)", "".join(
        path.read_text() for path in (sendtally.ROOT / "schemas").glob("*.toml"))))
    front.query(f"INSERT INTO {MIGRATIONS} (version) VALUES ({known}), ({known + 1})")
    before = front.query("SELECT name, create_table_query FROM system.tables WHERE database = "
                         f"'{DATABASE}' ORDER BY name")
    words = (f"are of version {known + 1}, this build knows {known}", "use the newer sendtally")
    data, log = tmp_path / "newer", tmp_path / "newer.log"
    config = configured(little, data, front, "events = 500")
    for how in ("--check", "--until-end"):
        sendtally.call("run", "--config", config, how).expect(2, *words)
        assert not (data / "chains").exists(), "what is refused at the start changes nothing"
    front.kill()
    with sendtally.running("run", "--config", config, log=log) as process:
        process.wait_for("its rows wait for it", PATIENCE_S)
        front.start()
        process.wait_for(words[0], PATIENCE_S)
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    assert front.query("SELECT name, create_table_query FROM system.tables WHERE database = "
                       f"'{DATABASE}' ORDER BY name") == before
    assert [one for one in front.log() if "migrations" not in one["table"]] == []


def test_a_cluster_that_is_configured_is_asked_for_by_its_name(
    little: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    """This engine has no cluster: that it looks for one means that it has read the statement."""
    extra = {"clickhouse": [f'url = "{front.url}"', 'cluster = "of_the_test"', "replicated = true"]}
    config = sendtally.Config(tmp_path / "data", little.server.brokers, extra=extra).write()
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        process.wait_for("Requested cluster 'of_the_test' not found", PATIENCE_S)
        process.end(signal.SIGKILL)

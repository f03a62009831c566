"""The pipeline against the oracle, `verify`, and other people's readers on the public files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import kafka
import oracle
import polars
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import sendtally
from chdb import session
from conftest import Drained, Traffic, make_traffic

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def five_days(work: Path) -> Iterator[Traffic]:
    """Few events over five days: the horizon closes messages, late finals revise them."""
    with kafka.Kafka() as node:
        yield make_traffic(node, "horizon.yaml", 60_000, 0.15, work / "five-days-log")


def test_everything_equals_the_oracle(drained: Drained) -> None:
    drained.traffic.check(drained.data)


def test_taking_in_nothing_new_changes_nothing(drained: Drained) -> None:
    sendtally.call("run", "--config", drained.config, "--until-end").expect(0)
    drained.traffic.check(drained.data)


@pytest.fixture(scope="module")
def little(five_days: Traffic, work: Path) -> Path:
    """The five days taken in: small enough to be copied and verified again and again."""
    data = work / "five-days"
    config = sendtally.Config(data, five_days.server.brokers).write()
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    return data


def test_the_horizon_of_72_hours_equals_the_oracle(five_days: Traffic, little: Path) -> None:
    closed = five_days.expected.execute(
        "SELECT count(*) FILTER (closed_by = 'horizon'), count(*) FROM message").fetchone()
    assert closed and 0 < closed[0] < closed[1]
    five_days.check(little)


def test_messages_that_are_on_disk_only_equal_the_oracle(five_days: Traffic, work: Path) -> None:
    """No memory for the message table: duplicates, late finals and the horizon find every message
    in the runs."""
    data = work / "five-days-spilling"
    config = sendtally.Config(
        data, five_days.server.brokers, group="spilling",
        # Short epochs: a message leaves memory only after the manifest that names its run.
        extra={"track": ["memory_mb = 0"], "commit": ["epoch_ms = 20"]})
    answer = sendtally.call("run", "--config", config.write(), "--until-end")
    answer.expect(0, "above [track] memory_mb")
    five_days.check(data)
    sendtally.call("verify", "--data", data).expect(0)


def test_a_damaged_run_stops_with_its_name(little: Path, tmp_path: Path) -> None:
    data = tmp_path / "damaged"
    shutil.copytree(little, data)
    run = max((data / "state" / "job").glob("*.run"), key=lambda one: one.stat().st_size)
    damaged = bytearray(run.read_bytes())
    damaged[-20] ^= 1
    run.write_bytes(bytes(damaged))
    payload = tmp_path / "one.json"
    payload.write_text('{"results":[]}')
    answer = sendtally.call(
        "load", "--source", "infobip", payload, "--data", data, SENDTALLY_KEY=sendtally.SECRET)
    answer.expect(4, run.name, "damaged", f"sendtally verify --data {data}")
    told = sendtally.call("verify", "--data", data)
    assert told.code != 0 and run.name in told.out, told


def test_manifests_are_contiguous_and_balanced(drained: Drained) -> None:
    check_chain(drained.data)


def check_chain(data: Path) -> None:
    """Offsets of the job's manifests are contiguous and each line's equations hold."""
    ends: dict[tuple[str, int], int] = {}
    for path in sorted((data / "chains" / "job").glob("*.json")):
        for line in json.loads(path.read_text())["inputs"]:
            place = (line["topic"], line["partition"])
            start, end = line["start_offset"], line["end_offset"]
            assert ends.get(place, start) == start, f"{path.name} {place}: gap or overlap"
            assert end - start == line["records"] + line["gaps"], f"{path.name} {place}"
            parts = ("accepted", "duplicate", "late", "dead", "ignored")
            assert line["elements"] == sum(line[part] for part in parts), f"{path.name} {place}"
            ends[place] = end


def test_sql_gives_the_newest_revisions(drained: Drained) -> None:
    drained.traffic.check(drained.data)
    answer = sendtally.call("sql", "select count(*) as n, sum(total) as t from slo_windows "
                            "where window_s = 3600", "--data", drained.data, "--format", "json")
    rows = answer.expect(0).rows()
    wanted = drained.traffic.expected.execute(
        "SELECT sum(total)::BIGINT FROM slo_window WHERE window_s = 3600").fetchone()
    assert wanted and rows[0]["t"] == wanted[0], answer.out


@pytest.mark.parametrize("parts", [(), ("--parts", "5")])
def test_verify_agrees(drained: Drained, parts: tuple[str, ...]) -> None:
    sendtally.call("verify", "--data", drained.data, *parts).expect(0)


@pytest.mark.parametrize("kind", ["a segment", "a public file"])
def test_verify_tells_a_tampered_file(little: Path, tmp_path: Path, kind: str) -> None:
    data = tmp_path / "tampered"
    shutil.copytree(little, data)
    tamper(data, kind)
    answer = sendtally.call("verify", "--data", data)
    answer.expect(1)
    assert answer.out.strip() or answer.err.strip(), "says nothing about the difference"


@pytest.mark.parametrize("table, column, check", [
    ("slo_windows", "delivered", "windows"), ("cost_windows", "amount", "costs of windows"),
    ("messages", "latency_ms", "outcome of each message"), ("ledger", "accepted", "ledger equations"),
])
def test_verify_tells_a_wrong_number_whose_checksum_is_right(
    little: Path, tmp_path: Path, table: str, column: str, check: str
) -> None:
    data = tmp_path / "wrong"
    shutil.copytree(little, data)
    add_one(data, table, column)
    whole, divided = (sendtally.call("verify", "--data", data, "--parts", parts).expect(1)
                      for parts in ("1", "3"))
    assert f"WRONG  {check}" in whole.out, whole.out
    assert "good   files as their manifests say" in whole.out, whole.out
    heads = [[line for line in answer.out.splitlines() if line.startswith(("good", "WRONG"))]
             for answer in (whole, divided)]
    assert heads[0] == heads[1], "in parts other rows are wrong than in one"


def add_one(data: Path, table: str, column: str) -> None:
    """Adds one to a column of all files of a table, and writes their new checksums into the
    lake's manifest."""
    head = data / "chains" / "lake" / f"{sendtally.head(data, 'lake'):020}.json"
    manifest = json.loads(head.read_text())
    for entry in (entry for entry in manifest["files"] if entry["table"] == table):
        path = data / entry["path"]
        rows = pyarrow.parquet.read_table(path, partitioning=None)
        at = rows.schema.get_field_index(column)
        field = rows.schema.field(at)
        more = [None if value is None else value + 1 for value in rows[column].to_pylist()]
        rows = rows.set_column(at, field, pa.array(more, field.type))
        pyarrow.parquet.write_table(rows, path)
        content = path.read_bytes()
        entry["sha256"], entry["bytes"] = hashlib.sha256(content).hexdigest(), len(content)
        date, name = path.parts[-2], f"{path.name.rsplit('-', 1)[0]}.parquet"
        shutil.copy(path, data / "public" / table / f"date={date}" / name)
    sendtally.rewrite(head, manifest)


def tamper(data: Path, kind: str) -> None:
    """Changes one file so that it still can be read."""
    if kind == "a segment":
        path = max((data / "segments").rglob("*.arrow"), key=lambda one: one.stat().st_size)
        with pa.OSFile(str(path)) as source:
            table = pyarrow.ipc.open_stream(source).read_all()
        with pyarrow.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table.slice(1))
        return
    path = next((data / "public" / "slo_windows").rglob("*.parquet"))
    table = pyarrow.parquet.read_table(path, partitioning=None)
    at = table.schema.get_field_index("delivered")
    more = pa.array([value + 1 for value in table["delivered"].to_pylist()], pa.int64())
    pyarrow.parquet.write_table(table.set_column(at, table.schema.field(at), more), path)


@pytest.mark.parametrize("table", oracle.TABLES)
def test_others_read_the_public_files_as_they_are(drained: Drained, table: str) -> None:
    files = f"{drained.data}/public/{table}/**/*.parquet"
    connection = oracle.connect()
    duck = connection.execute(f"SELECT count(*) FROM read_parquet('{files}')").fetchone()
    assert duck
    frame = polars.scan_parquet(files, hive_partitioning=True)
    assert frame.select(polars.len()).collect().item() == duck[0]
    clickhouse = session.Session()
    counted = clickhouse.query(f"SELECT count() FROM file('{files}', Parquet)", "CSV")
    assert int(str(counted).strip()) == duck[0]

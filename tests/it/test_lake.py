"""The lake from outside: a watcher of the public directory while the process is killed, `verify`
after compaction and after retention."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import kafka
import oracle
import pytest
import sendtally
from conftest import SEED, Traffic, make_traffic
from test_oracle import add_one

pytestmark = pytest.mark.servers

KILLS = int(os.environ.get("SENDTALLY_KILLS", "10"))
PUBLIC_NAME = re.compile(r"\d{20}-\d{3}\.parquet")
MOVE_S = 60.0
POLL_S = 0.05


def row_key(table: str) -> str:
    """Columns that make a row of a table one of its kind. An event and a line may stand twice: came
    again with an earlier time."""
    if table in ("events", "charge_lines", "dead_letters"):
        return ", ".join(f'"{name}"' for name in oracle.POSITION)
    schema = tomllib.loads((sendtally.ROOT / "schemas" / f"{table}.toml").read_text())
    names = [*schema["key"], *(c["name"] for c in schema["column"] if c["name"] == "revision")]
    return ", ".join(f'"{name}"' for name in names)


def lake_head(data: Path) -> Path:
    """The newest manifest of the lake."""
    return data / "chains" / "lake" / f"{sendtally.head(data, 'lake'):020}.json"


# Tables that are never public.


@dataclass
class Watcher:
    """Looks at a public directory again and again; remembers what it saw, and what was wrong."""

    data: Path
    files: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    polls: int = 0
    growths: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Polls until stopped; ends at the first finding."""
        connection = duckdb.connect()
        while not self.stopped.wait(POLL_S) and not self.wrong:
            try:
                self.poll(connection)
            except Exception as error:  # noqa: BLE001 - a reader that fails is a finding
                self.wrong.append(f"{type(error).__name__}: {error}")

    def poll(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Looks once."""
        self.polls += 1
        seen = self.listed()
        for name, facts in self.files.items():
            if seen.get(name) != facts:
                self.wrong.append(f"{name} was {facts}, is {seen.get(name)}")
        new = set(seen) - set(self.files)
        self.files = seen
        if not new:
            return
        self.growths += 1
        # Listed first, then the manifest: it was there before the file.
        announced = sendtally.public_names(json.loads(lake_head(self.data).read_text()))
        self.wrong += [f"{name} is in no manifest" for name in new - announced]
        for table in sorted({name.split("/")[0] for name in new}):
            self.read(connection, table)

    def listed(self) -> dict[str, tuple[int, int, int]]:
        """Inode, size and time of each file; a name that is not final is wrong."""
        found = {}
        public = self.data / "public"
        for path in public.rglob("*"):
            if path.is_dir():
                continue
            facts = path.stat()
            name = str(path.relative_to(public))
            found[name] = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if not PUBLIC_NAME.fullmatch(path.name):
                self.wrong.append(f"{name} is no final name")
        return found

    def read(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        """Reads a table as anybody would: no row twice, and of events none uncommitted."""
        newest = "max(epoch)" if table in ("events", "charge_lines", "dead_letters", "ledger") else "0"
        answer = connection.execute(
            f"SELECT count(*), count(DISTINCT ({row_key(table)})), {newest} FROM "
            f"read_parquet('{self.data}/public/{table}/date=*/*.parquet')").fetchone()
        assert answer
        rows, distinct, epoch = answer
        if rows != distinct:
            self.wrong.append(f"{table}: {rows} rows, {distinct} different ones")
        if epoch > sendtally.head(self.data):
            self.wrong.append(f"{table}: rows of epoch {epoch}, which is not committed")


@pytest.fixture
def watched(work: Path) -> Iterator[Callable[[Path], Watcher]]:
    """Starts watchers, and stops them at the end."""
    started: list[tuple[Watcher, threading.Thread]] = []

    def start(data: Path) -> Watcher:
        watcher = Watcher(data)
        thread = threading.Thread(target=watcher.run)
        thread.start()
        started.append((watcher, thread))
        return watcher

    yield start
    for watcher, thread in started:
        watcher.stopped.set()
        thread.join()


def test_a_watcher_sees_each_row_once_and_no_file_change_while_the_process_is_killed(
    traffic: Traffic, work: Path, watched: Callable[[Path], Watcher]
) -> None:
    dice = random.Random(SEED)
    data, log = work / "watched", work / "watched.log"
    config = sendtally.Config(data, traffic.server.brokers, group="watched")
    config.extra["commit"] = ["epoch_ms = 200"]
    text = "\n".join(config.lines()).replace("epoch_ms = 1000\n", "")
    text = text.replace("publish_after_s = 5", "publish_after_s = 1")
    path = config.write()
    path.write_text(text + "\n")
    watcher = watched(data)
    for _ in range(KILLS):
        before = sendtally.head(data, "lake")
        with sendtally.running("run", "--config", path, log=log) as process:
            # Two more than the takeover: it rolled or compacted; then within the next half second.
            sendtally.wait_until(
                lambda: sendtally.head(data, "lake") > before + 1
                or process.popen.poll() is not None, MOVE_S, "the lake to move")
            assert process.popen.poll() is None, process.text()[-3000:]
            watcher.stopped.wait(dice.uniform(0.0, 0.5))
            process.end(signal.SIGKILL)
        assert not watcher.wrong, watcher.wrong[:5]
    sendtally.call("verify", "--data", data).expect(0)
    sendtally.call("run", "--config", path, "--until-end").expect(0)
    watcher.stopped.wait(4 * POLL_S)
    watcher.stopped.set()
    assert not watcher.wrong, watcher.wrong[:5]
    print(f"{KILLS} kills, {watcher.polls} polls, {watcher.growths} times new files")
    assert watcher.growths > 2, "files came too seldom for the test to mean anything"
    final = Watcher(data)
    final.poll(duckdb.connect())
    assert not final.wrong, final.wrong[:5]
    assert watcher.files.items() <= final.files.items()
    assert set(final.files) == sendtally.public_names(json.loads(lake_head(data).read_text()))
    traffic.check_live(data)
    sendtally.call("verify", "--data", data).expect(0)


def test_a_watcher_can_tell_a_doubled_row_and_a_replaced_file(
    traffic: Traffic, work: Path, tmp_path: Path
) -> None:
    data = tmp_path / "doubled"
    shutil.copytree(work / "watched", data)
    watcher = Watcher(data)
    connection = duckdb.connect()
    watcher.poll(connection)
    assert not watcher.wrong
    one = next((data / "public" / "events").rglob("*.parquet"))
    shutil.copy(one, one.with_name(f"{99_999:020}-000.parquet"))
    watcher.poll(connection)
    assert any("different ones" in wrong for wrong in watcher.wrong), watcher.wrong
    assert any("in no manifest" in wrong for wrong in watcher.wrong), watcher.wrong
    watcher.wrong.clear()
    shutil.copy(one, one.with_name("aside.tmp"))
    os.replace(one.with_name("aside.tmp"), one)
    watcher.poll(connection)
    assert any(one.name in wrong for wrong in watcher.wrong), watcher.wrong


@pytest.fixture(scope="module")
def long_ago(work: Path) -> Iterator[Traffic]:
    """Few events over 46 days."""
    with kafka.Kafka() as node:
        yield make_traffic(node, "horizon.yaml", 20_000, 0.005, work / "long-ago-log")


@pytest.fixture(scope="module")
def retained(long_ago: Traffic, work: Path) -> Path:
    """Taken in whole, then once more with a retention of 36 days."""
    data = work / "retained"
    config = sendtally.Config(data, long_ago.server.brokers, group="retained")
    sendtally.call("run", "--config", config.write(), "--until-end").expect(0)
    long_ago.check(data)
    config.extra["retention"] = ["events = 36", "dead_letters = 40"]
    sendtally.call("run", "--config", config.write(), "--until-end").expect(0)
    return data


def rewrite(data: Path, change: Callable[..., object]) -> None:
    """Changes the newest manifest of the lake."""
    head = lake_head(data)
    manifest = json.loads(head.read_text())
    change(manifest)
    sendtally.rewrite(head, manifest)


def days(data: Path, table: str) -> list[str]:
    """Dates that the public directory has of a table."""
    return sorted(path.name[5:] for path in (data / "public" / table).glob("date=*"))


def test_dates_beyond_retention_are_gone_and_verify_compares_what_is_left(retained: Path) -> None:
    mark = sendtally.watermark_us(retained)
    today = date(1970, 1, 1) + timedelta(microseconds=mark)
    assert days(retained, "events")[0] == str(today - timedelta(days=36))
    assert days(retained, "dead_letters")[0] >= str(today - timedelta(days=40))
    assert days(retained, "events")[-1] >= str(today)
    floor = today - timedelta(days=36)
    answer = sendtally.call(
        "sql", "SELECT count(*) AS n, sum(CASE WHEN ingest_time < "
        f"TIMESTAMP '{floor}T00:00:00Z' THEN 1 ELSE 0 END) AS old FROM events",
        "--data", retained, "--format", "json").expect(0).rows()[0]
    assert int(str(answer["n"])) > 1000 and answer["old"] == 0, answer
    whole, divided = (
        sendtally.call("verify", "--data", retained, "--parts", parts).expect(
            0, "were not compared", "retention") for parts in ("1", "4"))
    assert "rows of messages before" in whole.err, whole.err
    assert divided.err == whole.err, "in parts more or less is left out than in one"


def test_verify_needs_to_know_that_events_were_dropped(retained: Path, tmp_path: Path) -> None:
    data = tmp_path / "untold"
    shutil.copytree(retained, data)
    # Both: a dead letter of the same epoch would excuse its line of the ledger as well.
    for table in ("events", "dead_letters"):
        rewrite(data, lambda manifest, key=f"dropped/{table}": manifest["values"].pop(key, None))
    answer = sendtally.call("verify", "--data", data).expect(1)
    for check in ("ledger against stored rows", "outcome of each message", "windows"):
        assert f"WRONG  {check}" in answer.out, answer.out


@pytest.mark.parametrize("table, column, check", [
    ("slo_windows", "delivered", "windows"), ("messages", "latency_ms", "outcome of each message"),
    ("cost_windows", "amount", "costs of windows"),
])
def test_verify_still_tells_a_wrong_number_in_what_is_left(
    retained: Path, tmp_path: Path, table: str, column: str, check: str
) -> None:
    data = tmp_path / "wrong"
    shutil.copytree(retained, data)
    add_one(data, table, column)
    answer = sendtally.call("verify", "--data", data).expect(1)
    assert f"WRONG  {check}" in answer.out, answer.out


def test_windows_that_were_dropped_themselves_are_not_missed(
    retained: Path, tmp_path: Path
) -> None:
    data = tmp_path / "windows"
    shutil.copytree(retained, data)

    def without_windows(manifest: dict[str, object]) -> None:
        manifest["files"] = [entry for entry in manifest["files"]  # type: ignore[attr-defined]
                             if entry["table"] != "slo_windows"]

    rewrite(data, without_windows)
    shutil.rmtree(data / "public" / "slo_windows")
    answer = sendtally.call("verify", "--data", data).expect(1)
    assert "WRONG  windows" in answer.out, answer.out
    rewrite(data, lambda manifest: manifest["values"].update({"dropped/slo_windows": "2100-01-01"}))
    sendtally.call("verify", "--data", data).expect(0, "rows of slo_windows before")


def test_compacted_files_are_few_and_as_their_manifest_says(retained: Path) -> None:
    manifest = json.loads(lake_head(retained).read_text())
    places = [Path(entry["path"]).parent for entry in manifest["files"]]
    assert len(places) == len(set(places)), "more than one file of a table and date in one drain"
    for entry in manifest["files"]:
        content = (retained / entry["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["path"]

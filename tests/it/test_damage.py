"""Damaged files stop whoever meets them: exit code 4, the file's name, and the command that finds
all of them. Damaged manifests are in `test_format.py`, objects of a store in `test_object_store.py`."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import kafka
import pytest
import sendtally

pytestmark = pytest.mark.servers

EVENTS = 4000


def flipped(path: Path) -> None:
    """A bit in the middle is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def truncated(path: Path) -> None:
    """Its last bytes are missing."""
    path.write_bytes(path.read_bytes()[:-40])


def emptied(path: Path) -> None:
    """Its name is there, its bytes are not: what a power cut leaves of a file that was not synced."""
    path.write_bytes(b"")


def removed(path: Path) -> None:
    """It is gone."""
    path.unlink()


DAMAGES = (flipped, truncated, emptied, removed)
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def node(work: Path) -> Iterator[kafka.Kafka]:
    """Kafka with a little of everything in it."""
    with kafka.Kafka() as node:
        sendtally.simulate("end_to_end.yaml", 7, 400, EVENTS, node.brokers, work / "damage-log")
        yield node


def read_through(data: Path) -> int:
    """Sum of the offsets of the newest manifest."""
    if not (number := sendtally.head(data)):
        return 0
    manifest = json.loads((data / "chains" / "job" / f"{number:020}.json").read_text())
    return sum(one["end_offset"] for one in manifest["inputs"])


@pytest.fixture(scope="module")
def killed(node: kafka.Kafka, work: Path) -> tuple[Path, Path]:
    """A directory whose process was killed before anything was rolled: all rows are in segments.
    Its configuration beside it."""
    data, log = work / "unrolled", work / "unrolled.log"
    config = sendtally.Config(data, node.brokers, extra={"commit": ["epoch_ms = 100"]}).write()
    total = sum(node.end_offsets().values())
    with sendtally.running("run", "--config", config, log=log) as process:
        sendtally.wait_until(lambda: read_through(data) == total, 120, "all records")
        process.end(signal.SIGKILL)
    assert not list((data / "lake").rglob("*.parquet")), "it was rolled"
    return data, config


@dataclass
class Damaged:
    """A copy of the directory in which a file is to be damaged, and its configuration."""

    data: Path
    config: Path

    def newest(self, pattern: str) -> Path:
        """The newest file of a kind that has rows: recovery and readers need it."""
        return max(path for path in self.data.glob(pattern) if path.stat().st_size > 0)

    def lake(self) -> list[dict[str, str]]:
        """Files of the lake's newest manifest."""
        newest = self.data / "chains" / "lake" / f"{sendtally.head(self.data, 'lake'):020}.json"
        files: list[dict[str, str]] = json.loads(newest.read_text())["files"]
        return files

    def stops(self, file: Path, *command: str | Path) -> None:
        """The command stops because of this file, and says what to do."""
        answer = sendtally.call(*command)
        answer.expect(4, file.name, f"sendtally verify --data {self.data}")
        assert "panicked" not in answer.err, answer.err
        told = sendtally.call("verify", "--data", self.data)
        assert told.code != 0 and file.name in told.out + told.err, told


@pytest.fixture
def damaged(killed: tuple[Path, Path], node: kafka.Kafka, tmp_path: Path) -> Damaged:
    """A copy of its own."""
    data = tmp_path / "data"
    shutil.copytree(killed[0], data)
    return Damaged(data, sendtally.Config(data, node.brokers).write())


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_stops_recovery(damaged: Damaged, damage: Damage) -> None:
    file = damaged.newest("segments/job/*-events.arrow")
    damage(file)
    damaged.stops(file, "run", "--config", damaged.config, "--until-end")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_stops_a_query(damaged: Damaged, damage: Damage) -> None:
    file = damaged.newest("segments/job/*-messages.arrow")
    damage(file)
    query = ("sql", "SELECT count(*) FROM messages", "--data", damaged.data)
    damaged.stops(file, *query)
    # What is not asked for is not read.
    sendtally.call("sql", "SELECT count(*) FROM events", "--data", damaged.data).expect(0)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_stops_the_lakes_roll(damaged: Damaged, damage: Damage) -> None:
    """Recovery needs no rows of `messages`; the roll is the first to read them."""
    file = damaged.newest("segments/job/*-messages.arrow")
    damage(file)
    damaged.stops(file, "run", "--config", damaged.config, "--until-end")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_stops_the_aggregate(damaged: Damaged, damage: Damage) -> None:
    shutil.rmtree(damaged.data / "chains" / "aggregate")
    file = damaged.newest("segments/job/*-slo_panes.arrow")
    damage(file)
    damaged.stops(file, "run", "--config", damaged.config, "--until-end")


@pytest.mark.parametrize("damage", [truncated, emptied, removed])
def test_a_damaged_run_stops_recovery(damaged: Damaged, damage: Damage) -> None:
    file = damaged.newest("state/job/*.run")
    damage(file)
    damaged.stops(file, "run", "--config", damaged.config, "--until-end")


@pytest.fixture(scope="module")
def done(killed: tuple[Path, Path], node: kafka.Kafka, work: Path) -> Path:
    """All of it taken in to the end: rolled, windows published, the aggregate's state written."""
    data = work / "done"
    shutil.copytree(killed[0], data)
    config = sendtally.Config(data, node.brokers).write()
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    return data


@pytest.fixture
def rolled(done: Path, node: kafka.Kafka, tmp_path: Path) -> Damaged:
    """A copy of its own."""
    data = tmp_path / "data"
    shutil.copytree(done, data)
    return Damaged(data, sendtally.Config(data, node.brokers).write())


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["panes-fine", "panes-admitted", "scores-recent"])
def test_a_damaged_state_slice_stops_recovery(
    rolled: Damaged, damage: Damage, name: str
) -> None:
    file = rolled.newest(f"state/aggregate/*-{name}.arrow")
    damage(file)
    rolled.stops(file, "run", "--config", rolled.config, "--until-end")


# A flipped bit in a file of the lake: `verify` tells it, a query may not.
@pytest.mark.parametrize("damage", [truncated, emptied, removed])
def test_a_damaged_file_of_the_lake_stops_a_query(rolled: Damaged, damage: Damage) -> None:
    [file] = [rolled.data / one["path"] for one in rolled.lake() if one["table"] == "dead_letters"]
    damage(file)
    query = "SELECT * FROM dead_letters"
    rolled.stops(file, "sql", query, "--data", rolled.data)


def test_a_damaged_block_of_a_run_stops_whom_it_is_read_by(
    rolled: Damaged, node: kafka.Kafka, work: Path
) -> None:
    """Messages of a run are read when something comes for them: here each event once more. The last
    case: it adds to the topics."""
    for file in rolled.data.glob("state/job/*.run"):
        flipped(file)
    sendtally.simulate("end_to_end.yaml", 7, 400, EVENTS, node.brokers, work / "damage-again")
    answer = sendtally.call("run", "--config", rolled.config, "--until-end")
    answer.expect(4, ".run is damaged", f"sendtally verify --data {rolled.data}")
    told = sendtally.call("verify", "--data", rolled.data).expect(1)
    assert "WRONG" in told.out, told

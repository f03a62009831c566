"""The short form of the crash test, four minutes: `pytest tests/proof`, part of `tests/run`. The long
one is `tests/run --crash`, what it found is in benches/CRASH.md. What it plays and compares stands in
tests/proof/crash.py."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import oracle  # noqa: E402
import sendtally  # noqa: E402
from conftest import SEED  # noqa: E402
from differences import broken_lives, evidence_differences, follows, repeated, unnamed  # noqa: E402

CRASH = sendtally.ROOT / "tests" / "proof" / "crash.py"


def play(tmp_path: Path, *more: str) -> dict[str, Any]:
    """The report of a play."""
    binary = sendtally.binary().with_name("sendtally-proof")
    assert binary.exists(), f"{binary}: build it with cargo build -p app --features proof"
    report = tmp_path / "report.json"
    command = [
        sys.executable, CRASH, "--binary", binary, "--work", tmp_path / "work", "--seed", str(SEED),
        "--report", report, "--disk-mb", "0", *more,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    print(done.stdout[-2000:])
    return json.loads(report.read_text())


def test_nothing_is_lost_or_doubled_by_killing_it(tmp_path: Path) -> None:
    told = play(tmp_path, "--events", "60000", "--rate", "600", "--kills", "4", "--hits", "1",
                "--points", "5")
    assert told["by"]["kill -9"] >= 4 and told["by"]["failpoint"] >= 5 and told["alerts"] > 0, told
    assert len(told["failpoint_hits"]) == 5 and told["bills"] > 0, told
    assert (told["lost"], told["doubled"]) == (0, 0), told


def test_nor_on_an_object_store_that_is_away_now_and_then(tmp_path: Path) -> None:
    told = play(tmp_path, "--store", "--hits", "0", "--events", "50000", "--rate", "500", "--kills", "5")
    assert told["kills"] >= 5 and told["alerts"] > 0, told
    assert told["acts"]["store away"] > 0, told
    assert (told["lost"], told["doubled"]) == (0, 0), told


def test_what_a_process_left_behind_is_told(tmp_path: Path) -> None:
    """A directory as `load` leaves it has no orphan; each kind of one is told."""
    data = tmp_path / "data"
    sendtally.call("load", "--records", sendtally.ROOT / "fixtures/directories/format-3.next.jsonl",
                   "--data", data).expect(0)
    assert unnamed(data) == []
    places = ["segments/job/1-2-events.arrow", "state/job/7.run", "lake/events/2026-03-02/1.parquet",
              "public/events/date=2026-03-02/1.parquet", "chains/job/1.abc.tmp"]
    for place in places:
        path = data / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        [line] = unnamed(data)
        assert place in line, (place, line)
        path.unlink()


def test_a_revision_that_is_there_twice_is_told() -> None:
    connection = oracle.connect()
    revised = {"messages": ["message_key"], "charges": ["charge_id"]}
    for table in oracle.TABLES:
        schema = tomllib.loads((sendtally.ROOT / "schemas" / f"{table}.toml").read_text())
        columns = ", ".join(f'"{column["name"]}" BIGINT' for column in schema["column"])
        connection.execute(f"CREATE TABLE parquet_{table} ({columns})")
    for table, key in revised.items():
        for revision in (1, 2):
            connection.execute(f"INSERT INTO parquet_{table} ({key[0]}, revision) VALUES (7, {revision})")
    assert repeated(connection) == []
    connection.execute("INSERT INTO parquet_charges (charge_id, revision) VALUES (7, 2)")
    assert repeated(connection) == ["charges: 1 revisions are there more than once"]


LIFE = [(1, "o", "fast", "s", "inactive", "pending", "e1", 0),
        (2, "o", "fast", "s", "pending", "firing", "e1", 10_000_000),
        (3, "o", "slow", "s", "inactive", "pending", "e2", 20_000_000),
        (4, "o", "fast", "s", "firing", "resolved", "e1", 60_000_000),
        (5, "o", "fast", "s", "inactive", "pending", "e3", 400_000_000),
        (6, "o", "slow", "s", "pending", "firing", "e2", 400_000_000),
        (7, "o", "fast", "s", "pending", "inactive", "e3", 401_000_000)]


@pytest.mark.parametrize(("at", "change", "told"), [
    (1, {7: 9_999_999}, "firing 9.999999 s after pending"),
    (3, {4: "pending"}, "firing became pending -> resolved"),
    (3, {5: "firing"}, "firing became firing -> firing"),
    (4, {6: "e1"}, "episode e1 after e1"),
    (6, {6: "e9"}, "episode e9 after e3"),
    (5, {7: 319_999_999}, "firing 299.999999 s after pending"),
    (3, None, "fires while the fast tier does"),
])
def test_an_alert_that_does_not_go_on_where_it_ended_is_told(
    at: int, change: dict[int, object] | None, told: str
) -> None:
    assert broken_lives(LIFE) == []
    rows = [list(row) for row in LIFE]
    for column, value in (change or {}).items():
        rows[at][column] = value
    if change is None:
        del rows[at:at + 2]
    assert any(told in line for line in broken_lives(rows)), broken_lives(rows)


def judged(short: tuple[int, int], long: tuple[int, int], pending: int = 0) -> dict[str, object]:
    """Evidence with these good and bad messages; a budget of 10 %, a limit of 5, 2 to resolve. What
    it says of how sure it is does not count."""
    def window(counts: tuple[int, int]) -> dict[str, float]:
        good, bad = counts
        return {"good": good, "bad": bad, "pending": pending, "burn_floor": 99.0}
    return {"target": 0.9, "burn_threshold": 5.0, "resolve_burn": 2.0, "min_bad": 10,
            "short": window(short), "long": window(long)}


@pytest.mark.parametrize(("evidence", "states"), [
    (judged((10, 90), (200, 300)), {"pending", "firing"}),
    (judged((10, 90), (4, 6)), {"inactive"}),  # too few bad ones
    (judged((1, 2), (4, 8)) | {"min_bad": 3}, {"pending", "firing"}),
    (judged((1, 2), (1, 1)) | {"min_bad": 1}, {"inactive"}),  # it may be luck
    (judged((10, 90), (900, 100)), {"inactive"}),
    (judged((95, 5), (200, 300)), {"inactive", "resolved"}),
    (judged((0, 0), (0, 0)), {"inactive", "resolved"}),
    (judged((0, 0), (0, 0), pending=3), {"inactive"}),
])
def test_a_state_follows_from_its_counts_and_no_other_does(
    evidence: dict[str, object], states: set[str]
) -> None:
    all_states = ("inactive", "pending", "firing", "resolved")
    assert {state for state in all_states if follows(state, evidence)} == states


def test_counts_that_the_log_does_not_have_are_told() -> None:
    log = oracle.connect()
    log.execute("CREATE TABLE message AS SELECT 'sms' AS channel, 'x' AS carrier, 'delivered' AS outcome, "
                "true AS is_final, 30000000::BIGINT AS cohort_us")
    window = {"window_s": 60, "good": 1, "bad": 0, "pending": 0}
    ask = {"short": window, "long": {**window, "window_s": 120}}
    assert evidence_differences(log, 1, ("sms", "x"), 60_000_000, ask) == []
    assert len(evidence_differences(log, 1, ("sms", "x"), 90_000_001, ask)) == 1, "short is over"
    assert len(evidence_differences(log, 1, ("sms", "y"), 60_000_000, ask)) == 2

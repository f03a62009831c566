"""Commands that a play does not call, ended at failpoints: whoever calls them again has what an
undisturbed one has. `load`, a migration, dead letters' replay, uploads to a store, retention."""

from __future__ import annotations

import shutil
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import kafka  # noqa: E402
import s3  # noqa: E402
import sendtally  # noqa: E402
import test_dead_letters as dead  # noqa: E402
from cast import ELSEWHERE, failpoints  # noqa: E402
from conftest import Traffic, make_traffic  # noqa: E402

KEPT = sendtally.ROOT / "fixtures" / "directories"
# What a command that commits comes to, in its order.
COMMIT = ["commit::segment", "commit::staged", "job::segments", "job::slices", "commit::aside",
          "commit::linked", "commit::created"]
LAKE = ["aggregate::decided", "aggregate::segments", "aggregate::committed", "lake::rolled_file",
        "lake::committed", "lake::published_file"]


@pytest.fixture(autouse=True)
def proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build with failpoints."""
    binary = sendtally.binary().with_name("sendtally-proof")
    assert binary.exists(), f"{binary}: build it with cargo build -p app --features proof"
    monkeypatch.setenv("SENDTALLY_BIN", str(binary))


def armed(tmp_path: Path, point: str, times: int = 1) -> dict[str, str]:
    """The environment of a process that ends itself there."""
    return {"SENDTALLY_FAILPOINT": f"{point}={times}",
            "SENDTALLY_FAILPOINT_LOG": str(tmp_path / "failpoints.log")}


def ended(tmp_path: Path, point: str, answer: sendtally.Answer) -> None:
    """It ended at its failpoint and nowhere else."""
    assert answer.code == -signal.SIGABRT, f"{point}: {answer}"
    assert (tmp_path / "failpoints.log").read_text().split() == [point]


def counts(data: Path, *place: str, **env: str) -> list[dict[str, object]]:
    """What must not depend on a disturbance."""
    query = ("SELECT (SELECT count(*) FROM events) AS events, (SELECT sum(elements) FROM ledger) AS "
             "elements, (SELECT sum(total) FROM slo_windows WHERE window_s = 86400) AS total, "
             "outcome, count(*) AS messages FROM messages GROUP BY outcome ORDER BY outcome")
    return dead.rows(data, query, *place, **env)


def load(data: Path, **env: str) -> sendtally.Answer:
    """More records for a directory."""
    return sendtally.call("load", "--records", KEPT / "format-3.next.jsonl", "--data", data, **env)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The counts of a `load` that nothing ended."""
    data = tmp_path_factory.mktemp("undisturbed") / "data"
    load(data).expect(0)
    return counts(data)


@pytest.mark.parametrize("point", COMMIT + LAKE)
def test_a_load_that_ends_there_is_done_by_the_next(
    tmp_path: Path, point: str, undisturbed: list[dict[str, object]]
) -> None:
    data = tmp_path / "data"
    ended(tmp_path, point, load(data, **armed(tmp_path, point)))
    load(data).expect(0)
    assert counts(data) == undisturbed
    sendtally.call("verify", "--data", data).expect(0)


@pytest.mark.parametrize(("point", "version"), [("commit::migrated", 2), ("commit::migrated", 3),
                                                ("commit::segment", 3), ("job::slices", 2),
                                                ("commit::linked", 3)])
def test_a_migration_that_ends_there_is_done_by_the_next(
    tmp_path: Path, point: str, version: int
) -> None:
    place = {}
    for name in ("whole", "ended"):
        with tarfile.open(KEPT / f"format-{version}.tar.xz") as archive:
            archive.extractall(tmp_path / name, filter="data")
        place[name] = tmp_path / name / "data"
    load(place["whole"]).expect(0)
    ended(tmp_path, point, load(place["ended"], **armed(tmp_path, point)))
    load(place["ended"]).expect(0)
    assert counts(place["ended"]) == counts(place["whole"])
    sendtally.call("verify", "--data", place["ended"]).expect(0)


def test_a_migration_on_a_store_that_ends_there_is_done_by_another_machine(tmp_path: Path) -> None:
    """The store has its new version by then, the cache that made it is gone."""
    with tarfile.open(KEPT / "format-3.tar.xz") as archive:
        archive.extractall(tmp_path / "old", filter="data")
    whole, point = tmp_path / "old" / "data", "commit::migrated"
    with s3.S3(tmp_path / "s3") as store:
        shutil.copytree(whole, store.files("a"))
        place = ("--store", store.url("a"))
        keys = {"SENDTALLY_KEY": (whole / "key").read_text().strip(), **store.environment()}

        def put(cache: str, **env: str) -> sendtally.Answer:
            return sendtally.call("load", "--records", KEPT / "format-3.next.jsonl", "--data",
                                  tmp_path / cache, *place, **keys, **env)

        ended(tmp_path, point, put("cache", **armed(tmp_path, point)))
        put("another machine").expect(0)
        load(whole).expect(0)
        assert counts(tmp_path / "looks", *place, **keys) == counts(whole)
        sendtally.call("verify", "--data", tmp_path / "looks", *place, **keys).expect(0)


@pytest.mark.parametrize("point", [*COMMIT, "lake::rolled_file", "lake::committed"])
def test_a_replay_that_ends_there_is_exactly_once_with_the_next(tmp_path: Path, point: str) -> None:
    totals = []
    for name in ("whole", "ended"):
        data = tmp_path / name / "data"
        data.parent.mkdir()
        dead.load(data, dead.records(tmp_path / "a.jsonl"))
        config = dead.configured(data)
        if name == "ended":
            ended(tmp_path, point, dead.letters("replay", "--config", config, **armed(tmp_path, point)))
        dead.letters("replay", "--config", config).expect(0)
        totals.append(dead.totals(data))
    assert totals[0] == totals[1] and totals[0]["events"] == 5
    assert dead.summary(dead.letters("replay", "--config", config).expect(0))["replayed"] == 0
    sendtally.call("verify", "--data", data).expect(0)


@pytest.mark.parametrize(("point", "times"), [("commit::uploaded", 1), ("commit::uploaded", 2),
                                              ("commit::uploaded", 4), ("commit::aside", 1),
                                              ("commit::aside", 3), ("commit::linked", 1),
                                              ("commit::linked", 3),
                                              ("commit::created", 2), ("lake::published_file", 1)])
def test_what_was_half_uploaded_is_whole_after_the_next(
    tmp_path: Path, point: str, times: int, undisturbed: list[dict[str, object]]
) -> None:
    with s3.S3(tmp_path / "s3") as store:
        place = ("--store", store.url("a"))
        keys = {"SENDTALLY_KEY": sendtally.SECRET, **store.environment()}

        def put(cache: str, **env: str) -> sendtally.Answer:
            return sendtally.call("load", "--records", KEPT / "format-3.next.jsonl", "--data", tmp_path / cache,
                                  *place, **keys, **env)

        ended(tmp_path, point, put("cache", **armed(tmp_path, point, times)))
        put("another machine").expect(0)
        look = tmp_path / "looks"
        assert counts(look, *place, **keys) == undisturbed
        sendtally.call("verify", "--data", look, *place, **keys).expect(0)


@pytest.fixture(scope="module")
def long_ago(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    """Few events over 46 days."""
    with kafka.Kafka() as node:
        yield make_traffic(node, "horizon.yaml", 8_000, 0.002, tmp_path_factory.mktemp("log"))


@pytest.mark.parametrize("point", ["lake::committed", "commit::collecting"])
def test_dates_that_were_half_dropped_are_dropped_by_the_next(
    long_ago: Traffic, tmp_path: Path, point: str
) -> None:
    data = tmp_path / "data"
    config = sendtally.Config(data, long_ago.server.brokers, group=point.replace(":", "-"))
    run = ("run", "--config", config.write(), "--until-end")
    sendtally.call(*run).expect(0)
    whole = tmp_path / "whole"
    shutil.copytree(data, whole)
    config.extra["retention"] = ["events = 36", "slo_windows = 30"]
    config.write()
    ages = {"SENDTALLY_GRACE_S": "0", "SENDTALLY_ORPHAN_S": "0"}
    ended(tmp_path, point, sendtally.call(*run, **ages, **armed(tmp_path, point)))
    sendtally.call(*run, **ages).expect(0)
    left = dead.rows(data, "SELECT count(*) AS n FROM events")[0]["n"]
    assert 0 < int(str(left)) < int(str(dead.rows(whole, "SELECT count(*) AS n FROM events")[0]["n"]))
    dates = sorted(path.name for path in (data / "public" / "events").glob("date=*"))
    assert dates[0] > min(path.name for path in (whole / "public" / "events").glob("date=*"))
    sendtally.call("verify", "--data", data).expect(0, "retention")


def test_every_failpoint_is_armed_somewhere() -> None:
    text = Path(__file__).read_text()
    assert all(f'"{name}"' in text for name in ELSEWHERE)
    assert set(COMMIT + LAKE) <= set(failpoints()), "a name that no source has"

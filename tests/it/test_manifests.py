"""Manifests that are gone, damaged or not followed, in every chain: nobody goes on from such a directory,
and `verify` names what is wrong.

    chains/job      1 ─► 2 ─► 3 ─► 4 ─► 5      the newest gone: its number would be given again, to
    chains/lake     1 ─► 2 ─► 3 ─►             rows that a reader has under it already
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sendtally
from test_damage import DAMAGES, emptied, flipped, truncated

CHAINS = ("job", "aggregate", "lake")
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which a file was loaded, with the file beside it."""
    work = tmp_path_factory.mktemp("manifests")
    sendtally.call("simulate", "--scenario", sendtally.SCENARIOS / "end_to_end.yaml", "--events", "2000",
                   "--out", work / "simulated").expect(0)
    files = sorted((work / "simulated" / "records").glob("*.jsonl"))
    half = len(files) // 2
    for some in (files[:half], files[half:]):
        sendtally.call("load", "--records", *some, "--data", work / "data").expect(0)
    return work


@pytest.fixture
def data(loaded: Path, tmp_path: Path) -> Path:
    """A copy of its own."""
    shutil.copytree(loaded / "data", tmp_path / "data")
    return tmp_path / "data"


def manifests(data: Path, chain: str) -> list[Path]:
    """Those of a chain, ascending."""
    return sorted((data / "chains" / chain).glob("*.json"))


def content(data: Path) -> dict[str, str]:
    """Every file, by its bytes."""
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in data.rglob("*") if path.is_file()}


def refuses(loaded: Path, data: Path, manifest: Path) -> None:
    """Nobody loads into it, nothing is changed, and both say which manifest it is."""
    before = content(data)
    files = sorted((loaded / "simulated" / "records").glob("*.jsonl"))
    answer = sendtally.call("load", "--records", *files, "--data", data)
    answer.expect(4, manifest.name, "nothing was changed", f"sendtally verify --data {data}")
    assert content(data) == before, "something was changed"
    told = sendtally.call("verify", "--data", data).expect(1)
    assert f"chains/{manifest.parent.name}/{manifest.name}" in told.out, told


def test_a_whole_directory_is_good_and_can_be_gone_on_with(loaded: Path, data: Path) -> None:
    sendtally.call("verify", "--data", data).expect(0)
    files = sorted((loaded / "simulated" / "records").glob("*.jsonl"))
    sendtally.call("load", "--records", *files, "--data", data).expect(0)


@pytest.mark.parametrize("chain", CHAINS)
def test_newest_manifests_that_are_gone_are_missed(loaded: Path, data: Path, chain: str) -> None:
    """Back to before what a reader has taken in, or what is public."""
    lake = json.loads(manifests(data, "lake")[-1].read_text())
    public = max(int(path.name[:20]) for path in (data / "public").rglob("*.parquet"))
    known = public if chain == "lake" else lake["consumed"][chain]
    gone = [path for path in manifests(data, chain) if int(path.stem) >= known]
    for path in gone:
        path.unlink()
    refuses(loaded, data, gone[0])


@pytest.mark.parametrize("damage", [flipped, truncated, emptied])
@pytest.mark.parametrize("chain", CHAINS)
def test_a_damaged_head_stops_who_writes_before_he_has_written(
    loaded: Path, data: Path, chain: str, damage: Damage
) -> None:
    head = manifests(data, chain)[-1]
    damage(head)
    refuses(loaded, data, head)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("chain", CHAINS)
def test_verify_tells_a_manifest_in_the_middle(data: Path, chain: str, damage: Damage) -> None:
    middle = manifests(data, chain)[-2]
    damage(middle)
    told = sendtally.call("verify", "--data", data)
    assert told.code == 1 and f"chains/{chain}/{middle.name}" in told.out, told


@pytest.mark.parametrize("chain", CHAINS)
def test_verify_tells_a_manifest_that_does_not_follow_the_one_before(data: Path, chain: str) -> None:
    """Whole by its own checksum, and not what was there when the next was made."""
    before, after = manifests(data, chain)[-2:]
    manifest = json.loads(before.read_text())
    manifest["committed_at_us"] += 1
    sendtally.rewrite(before, manifest)
    told = sendtally.call("verify", "--data", data).expect(1)
    assert f"chains/{chain}/{after.name}" in told.out, told


def test_verify_lists_all_that_is_damaged_not_the_first(data: Path) -> None:
    heads = [manifests(data, chain)[-1] for chain in CHAINS]
    for head in heads:
        head.write_bytes(b"{")
    told = sendtally.call("verify", "--data", data).expect(1)
    assert all(f"chains/{head.parent.name}/{head.name}" in told.out for head in heads), told


def test_verify_tells_a_public_file_that_nothing_names(data: Path) -> None:
    file = next((data / "public" / "events").rglob("*.parquet"))
    other = file.with_name(f"{1:020}-{7:03}.parquet")
    shutil.copy(file, other)
    told = sendtally.call("verify", "--data", data).expect(1)
    assert str(other.relative_to(data)) in told.out, told


def test_the_loaders_chain_is_looked_at_too(loaded: Path, data: Path) -> None:
    chain = data / "chains" / "clickhouse"
    chain.mkdir()
    damaged = chain / f"{1:020}.json"
    damaged.write_bytes(b"{")
    refuses(loaded, data, damaged)

"""A data directory of format 2, the previous one, is kept: `fixtures/directories/format-2.tar.xz` was made by
`load` in six steps, with state on disk and epochs after it. It is read as it is; who writes makes it one of
today's format: manifests have a checksum since 3, lines of bills are tracked since 4. A later format adds a directory of its own here and keeps this case."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
import sendtally

KEPT = sendtally.ROOT / "fixtures" / "directories"
OUTCOMES = {"accepted": 21, "delivered": 160, "expired": 2, "failed": 2, "read": 49, "sent": 11,
            "undelivered": 3}


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The directory, unpacked."""
    with tarfile.open(KEPT / "format-2.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def outcomes(data: Path) -> dict[str, int]:
    """Messages by outcome."""
    query = "SELECT outcome, count(*) AS n FROM messages GROUP BY outcome"
    rows = sendtally.call("sql", query, "--data", data, "--format", "json").expect(0).rows()
    return {str(row["outcome"]): int(str(row["n"])) for row in rows}


def version(data: Path) -> int:
    """Its format."""
    return int(json.loads((data / "FORMAT").read_text())["format_version"])


def test_a_directory_of_format_2_has_its_rows_and_agrees_with_itself(older: Path) -> None:
    assert outcomes(older) == OUTCOMES
    sendtally.call("verify", "--data", older).expect(0)
    assert version(older) == 2, "who only reads migrated it"


def test_a_directory_of_format_2_goes_on(older: Path) -> None:
    assert any((older / "state" / "job").iterdir()), "no state: nothing would be recovered"
    load = ("load", "--records", KEPT / "next.jsonl", "--data", older)
    sendtally.call(*load).expect(0)
    after = outcomes(older)
    assert sum(after.values()) > sum(OUTCOMES.values()), after
    sendtally.call("verify", "--data", older).expect(0)
    sendtally.call(*load).expect(0, "already loaded")


def test_the_first_who_writes_makes_it_a_directory_of_todays_format(older: Path) -> None:
    assert version(older) == 2
    before = set((older / "chains").rglob("*.json"))
    sendtally.call("load", "--records", KEPT / "next.jsonl", "--data", older).expect(0)
    assert version(older) == 4
    new = set((older / "chains").rglob("*.json")) - before
    assert new and all(b'"sha256":"' in path.read_bytes()[-80:] for path in new)
    newest = max((older / "chains" / "job").glob("*.json"))
    text = newest.read_text()
    newest.write_text(text.replace('"committed_at_us":1', '"committed_at_us":2', 1))
    for command in (("verify",), ("sql", "SELECT 1")):
        answer = sendtally.call(*command, "--data", older)
        answer.expect(4, newest.name, "checksum", f"sendtally verify --data {older}")


def test_a_newer_format_is_refused_and_untouched(older: Path) -> None:
    (older / "FORMAT").write_text(json.dumps({"format_version": 99}))
    before = sorted(older.rglob("*"))
    refused = sendtally.call("load", "--records", KEPT / "next.jsonl", "--data", older)
    refused.expect(2, "99", "newer")
    assert sorted(older.rglob("*")) == before

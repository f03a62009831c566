"""A data directory of each older format is kept: `fixtures/directories/format-N.tar.xz`, made by the
program of its day (`keep_directory.py`; of format 2 by hand) with `load` in six steps, with state
on disk and epochs after it. It is read as it is; who writes makes it one of today's format: manifests have
a checksum since 3, lines of bills are tracked since 4. A later format adds its predecessor to `KEPT`.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import sendtally

DIRECTORIES = sendtally.ROOT / "fixtures" / "directories"
TODAY = 4
#: Messages by outcome, by format.
KEPT = {
    2: {"accepted": 21, "delivered": 160, "expired": 2, "failed": 2, "read": 49, "sent": 11,
        "undelivered": 3},
    3: {"accepted": 41, "delivered": 152, "expired": 3, "failed": 2, "read": 62, "sent": 11,
        "undelivered": 12, "unknown": 17},
}


@dataclass
class Older:
    """An older directory, unpacked."""

    format: int
    data: Path

    @property
    def load(self) -> tuple[str | Path, ...]:
        """The command that adds what came next."""
        following = DIRECTORIES / f"format-{self.format}.next.jsonl"
        return ("load", "--records", following, "--data", self.data)

    def rows(self, query: str) -> list[dict[str, object]]:
        """What SQL says."""
        asked = sendtally.call("sql", query, "--data", self.data, "--format", "json")
        return asked.expect(0).rows()

    def outcomes(self) -> dict[str, int]:
        """Messages by outcome."""
        rows = self.rows("SELECT outcome, count(*) AS n FROM messages GROUP BY outcome")
        return {str(row["outcome"]): int(str(row["n"])) for row in rows}

    def version(self) -> int:
        """Its format, as it says."""
        return int(json.loads((self.data / "FORMAT").read_text())["format_version"])


def unpacked(number: int, place: Path) -> Older:
    """The directory of a format."""
    with tarfile.open(DIRECTORIES / f"format-{number}.tar.xz") as archive:
        archive.extractall(place, filter="data")
    return Older(number, place / "data")


@pytest.fixture(params=sorted(KEPT))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Older:
    """A directory of each older format."""
    return unpacked(request.param, tmp_path)


def test_every_older_format_that_is_read_is_kept() -> None:
    source = (sendtally.ROOT / "pipeline" / "model" / "src" / "manifest.rs").read_text()
    assert f"FORMAT_VERSION: u32 = {TODAY};" in source
    assert f"OLDEST_FORMAT: u32 = {min(KEPT)};" in source
    assert sorted(KEPT) == list(range(min(KEPT), TODAY))


def test_it_has_its_rows_and_agrees_with_itself(older: Older) -> None:
    assert older.outcomes() == KEPT[older.format]
    sendtally.call("verify", "--data", older.data).expect(0)
    assert older.version() == older.format, "who only reads migrated it"


def test_it_goes_on(older: Older) -> None:
    assert any((older.data / "state" / "job").iterdir()), "no state: nothing would be recovered"
    sendtally.call(*older.load).expect(0)
    after = older.outcomes()
    assert sum(after.values()) > sum(KEPT[older.format].values()), after
    sendtally.call("verify", "--data", older.data).expect(0)
    sendtally.call(*older.load).expect(0, "already loaded")


def test_the_first_who_writes_makes_it_a_directory_of_todays_format(older: Older) -> None:
    data = older.data
    assert older.version() == older.format
    before = set((data / "chains").rglob("*.json"))
    sendtally.call(*older.load).expect(0)
    assert older.version() == TODAY
    new = set((data / "chains").rglob("*.json")) - before
    assert new and all(b'"sha256":"' in path.read_bytes()[-80:] for path in new)
    newest = max((data / "chains" / "job").glob("*.json"))
    text = newest.read_text()
    newest.write_text(text.replace('"committed_at_us":1', '"committed_at_us":2', 1))
    answer = sendtally.call("sql", "SELECT 1", "--data", data)
    answer.expect(4, newest.name, "checksum", f"sendtally verify --data {data}")
    told = sendtally.call("verify", "--data", data).expect(1)
    assert f"chains/job/{newest.name}" in told.out, told.out


def test_a_newer_format_is_refused_and_untouched(older: Older) -> None:
    (older.data / "FORMAT").write_text(json.dumps({"format_version": 99}))
    before = sorted(older.data.rglob("*"))
    refused = sendtally.call(*older.load)
    refused.expect(2, "99", "newer")
    assert sorted(older.data.rglob("*")) == before


def costs(directory: Older, source: str) -> dict[tuple[str, str | None], tuple[int, str]]:
    """Messages and amount of the days' windows of a source, by kind and currency."""
    rows = directory.rows(
        "SELECT kind, currency, sum(messages) AS n, sum(amount) AS amount FROM cost_windows "
        f"WHERE window_s = 86400 AND source = '{source}' GROUP BY kind, currency"
    )
    return {
        (str(row["kind"]), None if row["currency"] is None else str(row["currency"])):
            (int(str(row["n"])), f"{float(str(row['amount'])):.5f}")
        for row in rows if int(str(row["n"]))
    }


def zeros(directory: Older) -> dict[str | None, int]:
    """Messages of an own app that were free, by currency."""
    found = costs(directory, "cloudevents")
    return {currency: n for (_, currency), (n, _) in found.items() if currency != "USD"}


def test_what_format_3_counted_stands_until_its_message_is_revised(tmp_path: Path) -> None:
    """Before 4 the price of a message and that of its segments were both counted, and zeros in no
    currency. After the migration each message counts by the rule by which it was counted last."""
    older = unpacked(3, tmp_path)
    both = {("message", "USD"): (8, "0.06400"), ("segment", "USD"): (8, "0.06000")}
    assert costs(older, "plivo") == both
    assert zeros(older) == {None: 10, "EUR": 8}
    assert costs(older, "telnyx") == {("message", "USD"): (2, "0.01020")}

    sendtally.call(*older.load).expect(0)
    # Of the 8, two were told another price of the message (0.0090), two of 3 segments (0.0030), and
    # four count as before; four more have one price only.
    message, segment = 4 * 0.0080 + 2 * 0.0090, 4 * 3 * 0.0025 + 2 * 3 * 0.0030
    message, segment = message + 2 * 0.0080 + 0.0090, segment + 3 * 0.0030
    after = {("message", "USD"): (9, f"{message:.5f}"), ("segment", "USD"): (7, f"{segment:.5f}")}
    assert costs(older, "plivo") == after
    # Two were left alone and two told again; what came new in no currency is in no window.
    assert zeros(older) == {None: 4, "EUR": 9}
    # The same receipts again: a fee beside the price is a line since 4, and revises.
    fees = {("message", "USD"): (3, "0.00615"), ("carrier_fee", "USD"): (3, "0.00915")}
    assert costs(older, "telnyx") == fees
    sendtally.call("verify", "--data", older.data).expect(0)


def test_which_costs_are_older_is_carried_by_the_chain(tmp_path: Path) -> None:
    """An hour after the migration no manifest of the older format is left to tell."""
    older = unpacked(3, tmp_path)
    chain = older.data / "chains" / "job"
    through = max(int(path.stem) for path in chain.glob("*.json"))
    sendtally.call(*older.load).expect(0)
    newest = json.loads(max(chain.glob("*.json")).read_text())
    assert newest["format_version"] == TODAY
    assert newest["values"]["old_costs_through"] == str(through)

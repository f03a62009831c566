"""What is wrong after a crash test, each check a list of lines: rows that came twice, alerts, their
evidence counted again, files that nobody names; and what was counted."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Protocol

import oracle
import sendtally
from clickhouse import ClickHouse
from conftest import Traffic

DATABASE = "sendtally"
MANIFEST = re.compile(r"\d{20}\.json|HINT")
# A transition is served so long after its processing time.
SETTLED_US = 20_000_000


class Subscriber(Protocol):
    """What a subscriber of alerts saw."""

    # Ids, as they came first; those that came again with another content.
    order: list[str]
    differs: list[str]
    # When the newest page that had nothing new was asked for.
    asked_us: int


def doubled(traffic: Traffic, front: ClickHouse) -> list[str]:
    """Merges may hide a row that came twice: the server must have gained each row once."""
    gained: Counter[str] = Counter()
    for entry in front.log():
        table = str(entry["table"]).replace("`", "").removeprefix(f"{DATABASE}.")
        gained[table] += int(entry["rows"] or 0)
    lines = []
    for table in [*oracle.TABLES, "alerts"]:
        rows = traffic.expected.execute(f"SELECT count(*) FROM parquet_{table}").fetchone()
        if rows and gained[table] != rows[0]:
            lines.append(f"ClickHouse took {gained[table]} rows of {table}, {rows[0]} are committed")
    return lines


def repeated(connection: oracle.duckdb.DuckDBPyConnection) -> list[str]:
    """Every revision of a key is there once, in files and, which are equal to them, in ClickHouse."""
    lines = []
    for table in oracle.TABLES:
        schema = tomllib.loads((sendtally.ROOT / "schemas" / f"{table}.toml").read_text())
        if all(column["name"] != "revision" for column in schema["column"]):
            continue
        key = ", ".join(f'"{name}"' for name in [*schema["key"], "revision"])
        more = connection.execute(f"SELECT count(*) FROM (SELECT {key} FROM parquet_{table} "
                                  f"GROUP BY {key} HAVING count(*) > 1)").fetchone()
        if more and more[0]:
            lines.append(f"{table}: {more[0]} revisions are there more than once")
    return lines


def alerts(traffic: Traffic, subscriber: Subscriber, folder: Path) -> list[str]:
    """Each transition once, in order, as committed."""
    rows = traffic.expected.execute(
        "SELECT seq, id, epoch_us(processing_time) "
        f"FROM read_parquet('{folder}/alerts.parquet') ORDER BY seq"
    ).fetchall()
    ids = [row[1] for row in rows]
    lines = [f"the subscriber saw an alert change: {text}" for text in subscriber.differs]
    lines += broken_lives(traffic.expected.execute(
        "SELECT seq, objective, tier, series, from_state, to_state, episode_id, epoch_us(event_time) "
        f"FROM read_parquet('{folder}/alerts.parquet') ORDER BY seq").fetchall())
    if not subscriber.order:
        lines.append("no alert fired: the play is too short to say anything about alerts")
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        lines.append("numbers of alerts have holes")
    if len(set(ids)) != len(ids):
        lines.append("a transition is in the log twice")
    if subscriber.order != ids[:len(subscriber.order)]:
        lines.append("the subscriber received other transitions, or in another order")
    # Its last empty page had everything that was decided a while before.
    due = [row[1] for row in rows if row[2] < subscriber.asked_us - SETTLED_US]
    if len(subscriber.order) < len(due):
        lines.append(f"the subscriber received {len(subscriber.order)} of {len(due)} transitions")
    return lines


def evaluated_again(traffic: Traffic, folder: Path, data: Path) -> list[str]:
    """The evidence of every transition, counted again by the oracle over the log as far as the epoch
    that it names had read it. Only messages that may belong to its series are looked at."""
    db = traffic.expected
    rows = db.execute(
        "SELECT seq, series, epoch_us(event_time), evidence, to_state "
        f"FROM read_parquet('{folder}/alerts.parquet') ORDER BY seq").fetchall()
    groups: dict[tuple[int, str], list[tuple[int, int, dict[str, object]]]] = {}
    lines: list[str] = []
    for seq, series, at_us, text, state in rows:
        evidence = json.loads(text)
        if not follows(state, evidence):
            lines.append(f"alert {seq} ({series}): {state} does not follow from {text}")
        groups.setdefault((int(evidence["epoch"]), series), []).append((seq, at_us, evidence))
    db.execute("CREATE OR REPLACE TABLE whole_log AS SELECT * FROM element")
    db.execute("CREATE OR REPLACE TABLE told AS SELECT DISTINCT source, message_id, channel, "
               "coalesce(carrier, '') AS carrier FROM canonical")
    for (epoch, series), transitions in groups.items():
        channel, carrier = (part.split("=", 1)[1] for part in series.split(","))
        # One event may tell the carrier and another the channel; without a carrier it is the channel.
        what, value = ("carrier", carrier) if carrier else ("channel", channel)
        db.execute(
            "CREATE OR REPLACE TABLE element AS SELECT w.* FROM whole_log AS w JOIN (SELECT topic, "
            "partition, max(end_offset) AS read FROM parquet_ledger WHERE epoch <= ? GROUP BY ALL) "
            "USING (topic, partition) SEMI JOIN (SELECT source, message_id FROM told WHERE "
            f'{what} = ?) USING (source, message_id) WHERE w."offset" < read', [epoch, value])
        for name in ("events.sql", "messages.sql"):
            oracle.run_file(db, name)
        for seq, at_us, evidence in transitions:
            lines += evidence_differences(db, seq, (channel, carrier), at_us, evidence)
    db.execute("CREATE OR REPLACE TABLE element AS SELECT * FROM whole_log")
    oracle.expect(db, sendtally.watermark_us(data))
    print(f"the evidence of all {len(rows)} transitions was counted again", flush=True)
    return lines


def evidence_differences(
    db: oracle.duckdb.DuckDBPyConnection, seq: int, series: tuple[str, str], at_us: int,
    evidence: dict[str, object],
) -> list[str]:
    """Counts of the two windows of a transition."""
    lines = []
    for name in ("short", "long"):
        window = evidence[name]
        assert isinstance(window, dict)
        counted = db.execute(
            "SELECT count(*) FILTER (outcome IN ('delivered', 'read')), count(*) FILTER (is_final "
            "AND outcome NOT IN ('delivered', 'read', 'canceled')), count(*) FILTER (NOT is_final) "
            "FROM message WHERE channel = ? AND coalesce(carrier, '') = ? AND cohort_us >= ? "
            "AND cohort_us < ?",
            [*series, at_us - int(window["window_s"]) * 1_000_000, at_us]).fetchone()
        told = tuple(window[kind] for kind in ("good", "bad", "pending"))
        if counted != told:
            lines.append(f"alert {seq} ({series}, {name}): says {told}, the log says {counted}")
    return lines


def follows(state: str, evidence: dict[str, object]) -> bool:
    """Whether a state follows from its counts: a breach opens an episode and fires, what is none any
    more ends one that was pending, and a short window that burns slowly resolves."""
    budget = 1 - float(str(evidence["target"]))
    short, long = evidence["short"], evidence["long"]
    assert isinstance(short, dict) and isinstance(long, dict)

    def burn(window: dict[str, float]) -> float | None:
        settled = window["good"] + window["bad"]
        return window["bad"] / settled / budget if settled else None

    def breach(slack: float) -> bool:
        burns = [burn(short), burn(long)]
        floor = lowest_share(long["bad"], long["good"] + long["bad"]) / budget
        sure = floor >= low * (1 + slack) and long["bad"] >= evidence["min_bad"]
        return sure and all(one is not None and one >= limit * (1 + slack) for one in burns)

    limit, low = (float(str(evidence[name])) for name in ("burn_threshold", "resolve_burn"))
    if state in ("pending", "firing"):
        return breach(-1e-9)
    if state == "inactive":
        return not breach(1e-9)
    now = burn(short)
    if now is None:
        return state == "resolved" and long["good"] + long["bad"] + long["pending"] == 0
    return state == "resolved" and now < low * (1 + 1e-9)


def lowest_share(bad: float, n: float) -> float:
    """Lower end of Wilson's score interval, one-sided 95 % (E. B. Wilson, JASA 22, 1927)."""
    if not n:
        return 0.0
    z, share = 1.6448536269514722, bad / n
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return max(0.0, (middle - spread) / (1 + z * z / n))


# (seq, objective, tier, series, from_state, to_state, episode_id, event time)
Transition = tuple[int, str, str, str, str, str, str, int]
STEPS = {("inactive", "pending"), ("pending", "inactive"), ("pending", "firing"),
         ("firing", "resolved")}
TIER = re.compile(r"- name: (\w+)\n(?:.*\n)*?\s+for: (\d+)([sm])")


def holds_us() -> dict[str, int]:
    """How long a breach lasts before each tier fires, by the objective that is built in."""
    text = (sendtally.ROOT / "queries" / "objectives" / "delivery-rate.yaml").read_text()
    return {name: int(number) * (60 if unit == "m" else 1) * 1_000_000
            for name, number, unit in TIER.findall(text)}


def broken_lives(rows: list[Transition]) -> list[str]:
    """Transitions that do not go on where the one before ended: another state, another episode, too
    soon, or a slow tier that fires while the fast one of its series does."""
    lines, last, used, holds = [], {}, set(), holds_us()
    for row in rows:
        seq, objective, tier, series, before, after, episode, at_us = row
        was = last.get((objective, tier, series))
        state, known, since_us = (was[5], was[6], was[7]) if was else ("inactive", "", at_us)
        wrong = []
        # What is resolved rests without a word.
        if before != state.replace("resolved", "inactive") or (before, after) not in STEPS:
            wrong.append(f"{state} became {before} -> {after}")
        if after == "pending" and episode in used or after != "pending" and episode != known:
            wrong.append(f"episode {episode} after {known}")
        if at_us < since_us or after == "firing" and at_us - since_us < holds[tier]:
            wrong.append(f"{after} {(at_us - since_us) / 1e6} s after {state}")
        fast = last.get((objective, "fast", series))
        if (tier, after) == ("slow", "firing") and fast and fast[5] == "firing":
            wrong.append("fires while the fast tier does")
        lines += [f"alert {seq} ({tier}, {series}): {text}" for text in wrong]
        used.add(episode)
        last[(objective, tier, series)] = row
    return lines


def unnamed(data: Path) -> list[str]:
    """Files that no manifest names, or that never became one."""
    named: set[str] = set()
    public: set[str] = set()
    for path in (data / "chains").glob("*/*.json"):
        try:
            manifest = json.loads(path.read_text())
        except FileNotFoundError:
            continue  # collected meanwhile
        named |= {entry["path"] for entry in manifest["segments"] + manifest["files"]}
        named |= {entry["file"]["path"] for entry in manifest["state"]}
        if path.parent.name == "lake":
            public |= {f"public/{name}" for name in sendtally.public_names(manifest)}
    present = {str(path.relative_to(data)) for place in ("segments", "state", "lake", "public")
               for path in (data / place).rglob("*") if path.is_file()}
    left = sorted(present - named - public)
    # A manifest is named by its number; HINT says which was the newest.
    left += sorted(str(path.relative_to(data)) for path in (data / "chains").rglob("*")
                   if path.is_file() and not MANIFEST.fullmatch(path.name))
    return [f"{len(left)} orphans stay, e.g. {left[:3]}"] if left else []


def account(traffic: Traffic) -> dict[str, int]:
    """Elements of the log, those that the ledger lacks, and rows that are stored twice."""
    asked = traffic.expected.execute(
        "SELECT (SELECT count(*) FROM element), (SELECT sum(elements) FROM parquet_ledger), "
        "(SELECT count(*) FROM element WHERE kind = 'bill'), (SELECT count(*) FROM parquet_charge_lines)"
    ).fetchone()
    assert asked is not None
    elements, entered, billed, lines = (int(count) for count in asked)
    twice = 0
    for table in ("events", "charge_lines"):
        rows = traffic.expected.execute(
            f"SELECT count(*) - count(DISTINCT (topic, partition, \"offset\", element)) FROM parquet_{table}"
        ).fetchone()
        twice += int(rows[0]) if rows else 0
    return {"elements": elements, "bills": billed, "charge_lines": lines, "lost": elements - entered,
            "doubled": twice}

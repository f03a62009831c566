"""`sendtally demo`: alone, without a network, within a minute."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import kafka
import oracle
import pytest
import sendtally

START_S = 60.0
FIRES_S, RESOLVES_S = 180.0, 360.0
ENDS_S = 5.0
INCIDENT = "carrier=Verizon"
CLASSLESS = [name for name in oracle.DIMENSIONS if name != "traffic_class"]
COUNTS = ["total", "delivered", "read", "failed", "expired", "canceled", "unknown", "pending"]


@dataclass
class Demo:
    """A demonstration that runs."""

    process: sendtally.Process
    data: Path
    base: str
    began: float

    def windows(self) -> list[dict[str, object]]:
        """Rows of /v1/windows; none while the server is not up."""
        try:
            return rows_of(sendtally.get_json(f"{self.base}/v1/windows?window_s=60"))
        except OSError:
            return []

    def alerts(self) -> list[dict[str, object]]:
        """Rows of /v1/alerts."""
        return rows_of(sendtally.get_json(f"{self.base}/v1/alerts?after=0"))

    def left(self, limit: float) -> float:
        """Seconds until a time after the start."""
        return max(1.0, self.began + limit - time.monotonic())


def rows_of(answer: object) -> list[dict[str, object]]:
    """The list inside an answer, whatever it is called."""
    if isinstance(answer, list):
        return answer
    assert isinstance(answer, dict)
    return next((value for value in answer.values() if isinstance(value, list)), [])


def start(data: Path, seed: int, log: Path) -> Iterator[Demo]:
    """Starts the demonstration on a free port and kills it at the end."""
    listen = f"127.0.0.1:{kafka.free_ports(1)[0]}"
    arguments = ["demo", "--data", str(data), "--listen", listen, "--seed", str(seed)]
    began = time.monotonic()
    with sendtally.running(*arguments, log=log) as process:
        yield Demo(process, data, f"http://{listen}", began)


@pytest.fixture(scope="module")
def demo(work: Path) -> Iterator[Demo]:
    """One demonstration for all cases of this module."""
    yield from start(work / "demo", 11, work / "demo.log")


def has_enough(demo: Demo) -> bool:
    """Windows of at least four channels and eight carriers."""
    rows = demo.windows()
    channels = {row["channel"] for row in rows}
    return len(channels) >= 4 and len({row["carrier"] for row in rows} - {None}) >= 8


def states(demo: Demo) -> set[object]:
    """States that alerts have reached."""
    return {row["to_state"] for row in demo.alerts()}


def total_by_sql(data: Path) -> int:
    """Messages of day windows, by `sendtally sql`."""
    query = "select cast(sum(total) as bigint) as n from slo_windows where window_s = 86400"
    done = sendtally.call("sql", query, "--data", data, "--format", "csv").expect(0)
    return int(done.out.split()[-1] or 0)


def test_windows_of_four_channels_and_eight_carriers_within_a_minute(demo: Demo) -> None:
    sendtally.wait_until(lambda: has_enough(demo), demo.left(START_S), "windows to be shown")
    assert sendtally.get(f"{demo.base}/healthz")
    assert demo.base.removeprefix("http://") in demo.process.text(), "the address is not printed"
    sendtally.wait_until(lambda: len(printed_carriers(demo)) >= 8, demo.left(START_S), "a table")


def printed_carriers(demo: Demo) -> set[str]:
    """Carriers in the tables that the terminal shows: channel, carrier and four counts."""
    lines = [line.split() for line in demo.process.text().splitlines()]
    rows = [words for words in lines if len(words) >= 6 and all(map(str.isdigit, words[-4:]))]
    return {" ".join(words[1:-4]) for words in rows} - {"not told"}


def test_the_windows_move(demo: Demo) -> None:
    before = json.dumps(demo.windows(), sort_keys=True)
    sendtally.wait_until(
        lambda: json.dumps(demo.windows(), sort_keys=True) != before, 30, "windows to move")


def test_it_talks_to_itself_only(demo: Demo) -> None:
    assert demo.process.popen.poll() is None
    links = Path(f"/proc/{demo.process.popen.pid}/fd").iterdir()
    sockets = {os.readlink(link) for link in links if link.is_symlink()}
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    remote = [line[2] for line in table if f"socket:[{line[9]}]" in sockets]
    outside = [one for one in remote if not one.startswith(("0100007F", "00000000"))]
    assert remote and not outside, outside


@pytest.mark.slow
def test_an_alert_fires_and_resolves(demo: Demo) -> None:
    sendtally.wait_until(lambda: "firing" in states(demo), demo.left(FIRES_S), "an alert")
    fired = next(row for row in demo.alerts() if row["to_state"] == "firing")
    assert INCIDENT in str(fired["series"]), f"not the carrier of the incident: {fired}"

    def is_over() -> bool:
        return any(row["to_state"] == "resolved" and row["episode_id"] == fired["episode_id"]
                   for row in demo.alerts())
    sendtally.wait_until(is_over, demo.left(RESOLVES_S), "its end")


def settled(log: Path, at_us: int) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Minutes that the oracle derives from the simulator's log, classes summed up (WhatsApp's are
    not in the log): those that no event of the last 70 s before `at_us` touched, since a minute is
    published again a minute after its last change at the latest."""
    names = ["window_us", *CLASSLESS, *COUNTS]
    columns = [*CLASSLESS, *(f"sum({name})::BIGINT" for name in COUNTS)]
    found: list[set[tuple[object, ...]]] = []
    for cut_us in (at_us - 70_000_000, at_us + 2_000_000):
        connection = oracle.connect()
        oracle.load(connection, log)
        connection.execute("DELETE FROM element WHERE ingest_time_us > ?", [cut_us])
        oracle.expect(connection, at_us)
        rows = connection.execute(
            f"SELECT window_us, {', '.join(columns)} FROM slo_window WHERE window_s = 60 "
            f"GROUP BY window_us, {', '.join(CLASSLESS)}").fetchall()
        found.append(set(rows))
    split = 1 + len(CLASSLESS)
    assert len(names) == split + len(COUNTS)
    return {row[:split]: row[split:] for row in found[0] & found[1]}


def summed(rows: list[dict[str, object]]) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Rows of the API in the same form."""
    sums: dict[tuple[object, ...], tuple[int, ...]] = {}
    for row in rows:
        start = datetime.datetime.fromisoformat(str(row["window_start"]))
        key = (int(start.timestamp() * 1_000_000), *(row[name] for name in CLASSLESS))
        counts = tuple(int(str(row[name])) for name in COUNTS)
        sums[key] = tuple(map(sum, zip(sums.get(key, (0,) * len(COUNTS)), counts, strict=True)))
    return sums


@pytest.mark.slow
def test_windows_of_the_api_equal_sql_over_the_log_that_the_demo_writes(demo: Demo) -> None:
    time.sleep(demo.left(150) if demo.left(150) > 1 else 0)
    answer = sendtally.get_json(f"{demo.base}/v1/windows?window_s=60&limit=10000")
    at_us = int(time.time() * 1_000_000)
    assert isinstance(answer, dict) and not answer["truncated"]
    time.sleep(5)
    whole = (demo.data / "simulated" / "log-0.csv").read_text()
    log = demo.data.parent / "demo-log.csv"
    log.write_text(whole[:whole.rindex("\n") + 1])
    shown, expected = summed(answer["windows"]), settled(log, at_us)
    assert len(expected) > 20, "too few minutes are settled to compare"
    wrong = {key: (counts, shown.get(key)) for key, counts in expected.items()
             if counts != shown.get(key)}
    assert not wrong, f"(log, API) differ: {list(wrong.items())[:5]}"


def test_metrics_tell_lag_and_watermark_of_each_partition(demo: Demo) -> None:
    def value(line: str) -> float:
        return float(line.rsplit(" ", 1)[1])
    page = sendtally.get(f"{demo.base}/metrics").splitlines()
    lags = [line for line in page if line.startswith("sendtally_partition_lag_records{")]
    marks = [line for line in page if line.startswith("sendtally_partition_watermark_timestamp_s")]
    assert len(lags) == len(marks) >= 4 and all(value(line) >= 0 for line in lags), page
    assert sum(value(line) for line in lags) < 5_000, lags
    assert all(abs(value(line) - time.time()) < 60 for line in marks), marks
    dead = 'elements_total{disposition="dead"}'
    for name in ("duplicates_total", dead, "append_to_visible_seconds_count"):
        assert any(line.startswith(f"sendtally_{name}") for line in page), name


def test_files_are_published_while_it_runs(demo: Demo) -> None:
    def published() -> bool:
        return all(list((demo.data / "public" / table).glob("date=*/*.parquet"))
                   for table in ("events", "messages", "slo_windows", "ledger"))
    sendtally.wait_until(published, 60, "files in public/")


def test_ctrl_c_ends_it_and_it_goes_on_from_there(demo: Demo, work: Path) -> None:
    began = time.monotonic()
    code = demo.process.end(signal.SIGINT)
    assert code == 0, demo.process.text()[-3000:]
    assert time.monotonic() - began <= ENDS_S, "Ctrl-C took longer than 5 s"
    before = total_by_sql(demo.data)
    assert before > 0
    for again in start(demo.data, 11, work / "demo-again.log"):
        sendtally.wait_until(again.windows, START_S, "windows after the restart")
        time.sleep(15)
        shown = {key_of(row): row for row in again.windows()}
        assert again.process.end(signal.SIGINT) == 0, again.process.text()[-3000:]
    assert total_by_sql(demo.data) >= before, "counts fell"
    compare_with_sql(demo.data, shown)


def key_of(row: dict[str, object]) -> tuple[object, ...]:
    """Window and series of a row; times without their notation."""
    start_text = "".join(c for c in str(row["window_start"]) if c.isdigit())[:14]
    names = ("source", "channel", "carrier", "country", "traffic_class")
    return (start_text, *(row.get(name) for name in names))


def compare_with_sql(data: Path, shown: dict[tuple[object, ...], dict[str, object]]) -> None:
    """Rows that the API showed are those of `sql`, unless a later revision changed them."""
    query = "select * from slo_windows where window_s = 60"
    done = sendtally.call("sql", query, "--data", data, "--format", "json").expect(0)
    stored = {key_of(row): row for row in done.rows()}
    same = 0
    for key, row in shown.items():
        assert key in stored, f"the API showed {key}, sql does not"
        if row.get("revision") == stored[key].get("revision"):
            assert (row["total"], row["delivered"]) == (
                stored[key]["total"], stored[key]["delivered"]), key
            same += 1
    assert same > 0, "no row of the same revision to compare"


@pytest.mark.slow
def test_another_seed_gives_other_numbers(work: Path) -> None:
    totals = []
    for seed in (21, 22):
        for demo in start(work / f"demo-{seed}", seed, work / f"demo-{seed}.log"):
            sendtally.wait_until(lambda d=demo: has_enough(d), START_S, "windows")
            demo.process.end(signal.SIGINT)
        query = "select source, carrier, country, delivered, total from slo_windows " \
                "where window_s = 86400 order by 1, 2, 3"
        totals.append(sendtally.call("sql", query, "--data", work / f"demo-{seed}").expect(0).out)
    assert totals[0] != totals[1]


def test_a_webhook_that_its_gateway_takes_is_an_event(work: Path) -> None:
    form = urlencode({"MessageSid": "SM00000000000000000000000000000001", "MessageStatus": "delivered",
                      "AccountSid": "AC1", "To": "+12025550143", "From": "+12025550100"}).encode()
    query = "SELECT source, account, status, recipient_prefix FROM events " \
            "WHERE message_id = 'SM00000000000000000000000000000001'"
    for demo in start(work / "demo-hook", 31, work / "demo-hook.log"):
        demo.process.wait_for("webhooks: http://", START_S)
        address = re.search(r"webhooks: (http://\S+?)/in/", demo.process.text())
        assert address
        url = f"{address[1]}/in/twilio/AC1"
        sendtally.wait_until(lambda: get_status(f"{address[1]}/readyz") == 200, START_S, "the gateway")
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        with urlopen(Request(url, form, kind), timeout=10) as answer:
            assert answer.status == 200
        told = ["sql", query, "--data", demo.data, "--format", "json"]
        sendtally.wait_until(lambda: sendtally.call(*told).rows(), START_S, "the event")
        assert sendtally.call(*told).expect(0).rows() == [
            {"source": "twilio", "account": "AC1", "status": "delivered", "recipient_prefix": "+1202555"}]


def get_status(url: str) -> int:
    """Status of an answer; 0 without one."""
    try:
        with urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0

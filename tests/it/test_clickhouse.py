"""ClickHouse loaded exactly once: through lost answers, refusals and outages, equal to the lake and
to the oracle without FINAL."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import clickhouse
import oracle
import pytest
import sendtally
from clickhouse import ClickHouse
from conftest import SEED, Traffic

pytestmark = pytest.mark.servers

DATABASE = "sendtally"
PATIENCE_S = 60.0


@pytest.fixture
def front(tmp_path: Path) -> Iterator[ClickHouse]:
    """An empty ClickHouse of this case."""
    with ClickHouse(tmp_path / "clickhouse") as node:
        yield node


def configured(traffic: Traffic, data: Path, url: str, *more: str) -> Path:
    """A configuration that loads into ClickHouse."""
    section = {"clickhouse": [f'url = "{url}"', *more]}
    return sendtally.Config(data, traffic.server.brokers, group=data.name, extra=section).write()


def check(traffic: Traffic, data: Path, server: ClickHouse, folder: Path) -> None:
    """ClickHouse equals the lake row by row, and the oracle."""
    server.control()
    traffic.check(data)
    oracle.attach_clickhouse(traffic.expected, server, DATABASE, folder)
    found = oracle.row_differences(traffic.expected, data, folder)
    assert not found, "\n".join(found)
    oracle.verdict(traffic.expected)
    # What merges may have hidden: the server never took a row twice.
    for table in oracle.TABLES:
        rows = traffic.expected.execute(f"SELECT count(*) FROM parquet_{table}").fetchone()
        least, most = taken(server.log(), table)
        assert rows and least <= rows[0] <= most, f"{table}: took {least} to {most}, has {rows}"


def taken(log: list[dict], table: str) -> tuple[int, int]:
    """Rows that a table took by the front's log, at least and at most: they differ where the front
    was killed between an insert and its line, and the repeated one was known."""
    least = most = 0
    open_tokens: set[str] = set()
    for entry in log:
        if str(entry["table"]).replace("`", "").removeprefix(f"{DATABASE}.") != table:
            continue
        least, most = least + int(entry["rows"] or 0), most + int(entry["rows"] or 0)
        if entry["outcome"] == "unfinished":
            open_tokens.add(entry["token"])
        elif entry["token"] in open_tokens and entry["rows"] is not None:
            most += entry["sent"] - entry["rows"]
            open_tokens.remove(entry["token"])
    return least, most


def test_a_server_that_loses_answers_and_refuses_has_every_row_once(
    traffic: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    front.control(seed=SEED, drop_after_apply=0.4, drop_before_apply=0.15,
                   error={"code": 252, "status": 500, "message": "Too many parts", "share": 0.1})
    data = tmp_path / "faulty"
    config = configured(traffic, data, front.url)
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    outcomes = [entry["outcome"] for entry in front.log()]
    for met in ("applied", "dropped_after_apply", "dropped_before_apply", "deduplicated"):
        assert met in outcomes, f"no insert was {met}: {set(outcomes)}"
    check(traffic, data, front, tmp_path / "dump")
    newest = front.query(f"SELECT count() AS n, sum(events) AS e FROM {DATABASE}.messages_newest")
    wanted = traffic.expected.execute(
        "SELECT count(*), sum(events)::BIGINT FROM message").fetchone()
    assert wanted and (int(newest[0]["n"]), int(newest[0]["e"])) == wanted


def test_an_outage_delays_clickhouse_only(
    traffic: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    data, log = tmp_path / "outage", tmp_path / "outage.log"
    config = configured(traffic, data, front.url)
    front.kill()
    with sendtally.running("run", "--config", config, log=log) as process:
        process.wait_for("its rows wait for it", PATIENCE_S)
        chain = data / "chains" / "aggregate"
        sendtally.wait_until(lambda: len(list(chain.glob("*.json"))) > 5, PATIENCE_S, "windows")
        front.start()
        loaded = lambda: any("events" in e["table"] for e in front.log())  # noqa: E731
        sendtally.wait_until(loaded, PATIENCE_S, "rows after the outage")
        front.kill()
        time.sleep(2)
        front.start()
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    traffic_check_live(traffic, data, front, tmp_path / "dump")


def lose(server: ClickHouse, table: str) -> int:
    """Takes the newest part of a table from a server that hangs after an insert: as if it had been
    killed when the token was in its log and the part had no name yet. Rows of the part."""
    of = f"database = '{DATABASE}' AND table = '{table}' AND active"
    part = server.query(f"SELECT path, rows FROM system.parts WHERE {of} "
                        "ORDER BY max_block_number DESC LIMIT 1")[0]
    server.kill()
    assert Path(part["path"]).is_relative_to(server.dir)
    shutil.rmtree(part["path"])
    server.start()
    return int(part["rows"])


@pytest.mark.parametrize("ends", ["the server", "both"])
def test_rows_of_an_insert_that_the_server_remembers_and_has_lost_go_again(
    traffic: Traffic, front: ClickHouse, tmp_path: Path, ends: str
) -> None:
    data, log = tmp_path / "lost", tmp_path / "lost.log"
    config = configured(traffic, data, front.url)
    front.control(hang_s={"s": 120, "times": 1, "at": "after"}, tables=["events"])
    hung = lambda: any(e["table"] == "events" and e["rows"] for e in front.log())  # noqa: E731
    with sendtally.running("run", "--config", config, "--until-end", log=log) as process:
        sendtally.wait_until(hung, PATIENCE_S, "an insert into events")
        if ends == "both":
            process.end(signal.SIGKILL)
        assert lose(front, "events") > 0
        if ends == "both":
            sendtally.call("run", "--config", config, "--until-end").expect(0, "lost its rows")
        else:
            assert process.popen.wait(PATIENCE_S) == 0, process.text()[-3000:]
            assert process.text().count("lost its rows") == 1
    traffic.check(data)
    oracle.attach_clickhouse(traffic.expected, front, DATABASE, tmp_path / "dump")
    found = oracle.row_differences(traffic.expected, data, tmp_path / "dump")
    assert not found, "\n".join(found)


def test_a_clickhouse_that_is_configured_later_is_loaded_from_the_lake(
    traffic: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    data = tmp_path / "later"
    without = sendtally.Config(data, traffic.server.brokers, group="later").write()
    sendtally.call("run", "--config", without, "--until-end").expect(0)
    # As if collected, but for what recovery needs: the lake has the rows.
    for pattern in ("job/*-messages.arrow", "job/*-ledger.arrow", "job/*-charges.arrow",
                    "aggregate/*.arrow"):
        for path in (data / "segments").glob(pattern):
            path.unlink()
    config = configured(traffic, data, front.url)
    front.control(seed=SEED, drop_after_apply=0.2)
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    check(traffic, data, front, tmp_path / "dump")


def traffic_check_live(traffic: Traffic, data: Path, server: ClickHouse, folder: Path) -> None:
    """As `check`, with the horizon judged by the watermark that a live run committed."""
    oracle.expect(traffic.expected, sendtally.watermark_us(data))
    try:
        check(traffic, data, server, folder)
    finally:
        oracle.expect(traffic.expected)


def test_a_drain_gives_up_after_a_minute_and_goes_on_at_the_next_start(
    traffic: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    data = tmp_path / "given-up"
    config = configured(traffic, data, front.url)
    front.control(error={"code": 252, "status": 500, "message": "Too many parts", "share": 1.0})
    began = time.monotonic()
    answer = sendtally.call("run", "--config", config, "--until-end")
    answer.expect(3, "took nothing for 60 s", "Too many parts", "start again")
    assert time.monotonic() - began > 60
    tries = len(front.log())
    assert 10 < tries < 60, f"{tries} tries in a minute: they are to be 0.2 s apart, then 2 s"
    front.control()
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    check(traffic, data, front, tmp_path / "dump")


def test_metrics_and_readiness_tell_that_clickhouse_waits(
    traffic: Traffic, front: ClickHouse, tmp_path: Path
) -> None:
    data, log = tmp_path / "told", tmp_path / "told.log"
    front.control(error={"code": 60, "status": 404, "message": "no table", "share": 1.0})
    section = {"clickhouse": [f'url = "{front.url}"']}
    listen = f"127.0.0.1:{clickhouse.free_port()}"
    config = sendtally.Config(
        data, traffic.server.brokers, group="told", listen=listen, extra=section).write()
    with sendtally.running("run", "--config", config, log=log) as process:
        process.wait_for("its rows wait for you", PATIENCE_S)
        with urllib.request.urlopen(f"http://{listen}/metrics") as answer:
            assert "sendtally_clickhouse_waiting 1" in answer.read().decode()
        ready: dict[str, object] = {}

        def is_ready() -> bool:
            with contextlib.suppress(urllib.error.HTTPError):
                with urllib.request.urlopen(f"http://{listen}/readyz") as answer:
                    ready.update(json.loads(answer.read()))
            return bool(ready)

        sendtally.wait_until(is_ready, PATIENCE_S, "it to be ready in spite of ClickHouse")
        assert "no table" in json.dumps(ready), ready
        assert process.end(signal.SIGTERM) == 0


def test_a_wrong_password_and_a_server_that_is_not_there_are_told_at_the_start(
    traffic: Traffic, tmp_path: Path
) -> None:
    nobody = configured(traffic, tmp_path / "nobody", "http://127.0.0.1:9")
    sendtally.call("run", "--config", nobody, "--check").expect(3, "ClickHouse at http://127.0.0.1:9")
    odd = configured(traffic, tmp_path / "odd", "127.0.0.1:8123")
    sendtally.call("run", "--config", odd, "--check").expect(2, "url", "http://HOST:8123")
    with ClickHouse(tmp_path / "locked", user="loader", password="right") as locked:
        wrong = configured(traffic, tmp_path / "wrong", locked.url, 'user = "loader"')
        for arguments in (["--check"], ["--until-end"]):
            answer = sendtally.call("run", "--config", wrong, *arguments,
                                    SENDTALLY_CLICKHOUSE_PASSWORD="wr0ng")
            answer.expect(2, "ClickHouse", "516")
            assert "wr0ng" not in answer.err + answer.out
        assert not (tmp_path / "wrong" / "chains").exists(), "a wrong login changes nothing"
        secret = tmp_path / "password"
        secret.write_text("right\n")
        right = configured(traffic, tmp_path / "right", locked.url, 'user = "loader"',
                           f'password_file = "{secret}"')
        answer = sendtally.call("run", "--config", right, "--check").expect(0, "ClickHouse: good")
        assert "right" not in answer.out.replace(str(right), "")

"""Killed, frozen, taken over from: still equal to the oracle."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import sendtally
from conftest import SEED, Traffic
from test_oracle import check_chain

pytestmark = pytest.mark.servers

KILLS = int(os.environ.get("SENDTALLY_KILLS", "10"))
TAKEOVER_S = 30.0
# Where no events are left, the end of the drain is waited for instead.
DRAIN_S = 120.0


def newest_events(data: Path) -> int:
    """Newest epoch that has written events, committed or not."""
    segments = (data / "segments" / "job").glob("*-events.arrow")
    return max((int(path.name.split("-")[0]) for path in segments), default=0)


def killed_once(config: Path, data: Path, dice: random.Random, log: Path) -> bool:
    """Starts, waits until it writes events (one time in four only until it has taken over: a kill
    in recovery), kills it within the next second. False where it was done before the kill."""
    mark = sendtally.head if dice.random() < 0.25 else newest_events
    before = mark(data)
    with sendtally.running("run", "--config", config, "--until-end", log=log) as process:
        sendtally.wait_until(
            lambda: mark(data) > before or process.popen.poll() is not None, DRAIN_S, "a move")
        time.sleep(dice.uniform(0.0, 1.0))
        if process.popen.poll() is not None:
            assert process.popen.returncode == 0, process.text()[-3000:]
            return False
        process.end(signal.SIGKILL)
    return True


SPILLS = "above [track] memory_mb"


def on_disk_only(line: str) -> bool:
    """Whether a line of the log says that some messages of the recovered state are not in memory."""
    if '"recovered"' not in line:
        return False
    told = json.loads(line)
    return int(told["hot"]) < int(told["messages"])


@pytest.mark.parametrize("memory_mb", [None, 0])
def test_ten_kills_lose_and_double_nothing(
    traffic: Traffic, work: Path, memory_mb: int | None
) -> None:
    """With the memory of an ordinary configuration, and with so little that every message is on
    disk only as soon as it is written there."""
    dice = random.Random(SEED)
    name = "killed" if memory_mb is None else "killed-spilling"
    data, log = work / name, work / f"{name}.log"
    extra = {} if memory_mb is None else {"track": [f"memory_mb = {memory_mb}"]}
    config = sendtally.Config(data, traffic.server.brokers, group=name, extra=extra).write()
    kills = begun = 0
    while kills < KILLS:
        if killed_once(config, data, dice, log):
            kills += 1
            continue
        # Done before the kill: begin anew, so that the number of kills is what was asked for.
        begun += 1
        assert begun < 5, "the run is done before it can be killed: more events are needed"
        shutil.rmtree(data)
    # What the last kill left behind agrees with itself.
    sendtally.call("verify", "--data", data).expect(0)
    last = sendtally.call("run", "--config", config, "--until-end").expect(0)
    told = log.read_text() + last.err
    print(f"{kills} kills, seed {SEED}, begun anew {begun} times")
    assert any(on_disk_only(line) for line in told.splitlines()), told[-3000:]
    if memory_mb is None:
        assert SPILLS not in told
    check_chain(data)
    traffic.check(data)
    sendtally.call("verify", "--data", data).expect(0)


def test_sigterm_commits_and_the_next_run_goes_on(traffic: Traffic, work: Path) -> None:
    data, log = work / "terminated", work / "terminated.log"
    config = sendtally.Config(data, traffic.server.brokers, group="terminated").write()
    with sendtally.running("run", "--config", config, log=log) as process:
        segments = data / "segments" / "job"
        sendtally.wait_until(lambda: any(segments.glob("*-events.arrow")), TAKEOVER_S, "events")
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    # Windows that wait for their turn are no disagreement.
    sendtally.call("verify", "--data", data).expect(0)
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    traffic.check(data)


def owner(data: Path) -> str:
    """Who wrote the head of the job's chain."""
    newest = data / "chains" / "job" / f"{sendtally.head(data):020}.json"
    return str(json.loads(newest.read_text())["owner"])


def owns(data: Path, process: sendtally.Process) -> bool:
    """Whether a process wrote the head."""
    return sendtally.head(data) > 0 and f"pid-{process.popen.pid}-" in owner(data)


def test_a_standby_takes_over_and_a_frozen_owner_stops_by_itself(
    traffic: Traffic, work: Path
) -> None:
    data = work / "standby"
    config = sendtally.Config(data, traffic.server.brokers, group="standby").write()
    logs = [work / f"standby-{number}.log" for number in range(3)]
    with sendtally.running("run", "--config", config, log=logs[0]) as first:
        sendtally.wait_until(lambda: owns(data, first), TAKEOVER_S, "the first to own the chain")
        with sendtally.running("run", "--config", config, log=logs[1]) as second:
            second.wait_for("another process owns", TAKEOVER_S)
            first.popen.send_signal(signal.SIGSTOP)
            sendtally.wait_until(lambda: owns(data, second), TAKEOVER_S, "the second to take over")
            first.popen.send_signal(signal.SIGCONT)
            assert first.popen.wait(TAKEOVER_S) == 4, first.text()[-3000:]
            assert "taken over" in first.text(), first.text()[-3000:]
            with sendtally.running("run", "--config", config, log=logs[2]) as third:
                third.wait_for("another process owns", TAKEOVER_S)
                second.end(signal.SIGKILL)
                sendtally.wait_until(lambda: owns(data, third), TAKEOVER_S, "the third to go on")
                assert third.end(signal.SIGTERM) == 0, third.text()[-3000:]
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    check_chain(data)
    traffic.check_live(data)
    sendtally.call("verify", "--data", data).expect(0)


def test_of_three_that_start_at_once_one_works_and_two_stand_by(
    traffic: Traffic, work: Path
) -> None:
    data = work / "three"
    config = sendtally.Config(data, traffic.server.brokers, group="three").write()
    with ExitStack() as stack:
        three = [
            stack.enter_context(
                sendtally.running("run", "--config", config, log=work / f"three-{number}.log"))
            for number in range(3)
        ]
        sendtally.wait_until(lambda: sendtally.head(data) > 5, TAKEOVER_S, "commits")
        assert [process.popen.poll() for process in three] == [None] * 3
        working = [process for process in three if owns(data, process)]
        assert len(working) == 1
        for process in three:
            if process not in working:
                assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
        assert working[0].end(signal.SIGTERM) == 0, working[0].text()[-3000:]
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    check_chain(data)
    traffic.check_live(data)

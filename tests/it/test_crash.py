"""Killed ten times at random moments, and still equal to the oracle."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
import sendtally
from conftest import SEED, Traffic
from test_oracle import check_chain

pytestmark = pytest.mark.servers

KILLS = int(os.environ.get("SENDTALLY_KILLS", "10"))
TAKEOVER_S = 30.0


def moved(data: Path, before: int, process: sendtally.Process) -> bool:
    """Whether the job's chain has grown, or the process has ended."""
    return sendtally.head(data) > before or process.popen.poll() is not None


def killed_once(config: Path, data: Path, dice: random.Random, log: Path) -> bool:
    """Starts, waits until it commits, kills it within the next seconds. False where it was done
    before the kill."""
    before = sendtally.head(data)
    with sendtally.running("run", "--config", config, "--until-end", log=log) as process:
        sendtally.wait_until(lambda: moved(data, before, process), TAKEOVER_S, "a commit")
        time.sleep(dice.uniform(0.0, 3.0))
        if process.popen.poll() is not None:
            assert process.popen.returncode == 0, process.text()[-3000:]
            return False
        process.end(signal.SIGKILL)
    return True


def test_ten_kills_lose_and_double_nothing(traffic: Traffic, work: Path) -> None:
    dice = random.Random(SEED)
    data, log = work / "killed", work / "killed.log"
    config = sendtally.Config(data, traffic.server.brokers, group="killed").write()
    kills = sum(killed_once(config, data, dice, log) for _ in range(KILLS))
    # What the last kill left behind agrees with itself.
    sendtally.call("verify", "--data", data).expect(0)
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    print(f"{kills} kills, seed {SEED}")
    assert kills > 0, "the run was done before the first kill: more events are needed"
    check_chain(data)
    traffic.check(data)
    sendtally.call("verify", "--data", data).expect(0)


def test_sigterm_commits_and_the_next_run_goes_on(traffic: Traffic, work: Path) -> None:
    data, log = work / "terminated", work / "terminated.log"
    config = sendtally.Config(data, traffic.server.brokers, group="terminated").write()
    with sendtally.running("run", "--config", config, log=log) as process:
        sendtally.wait_until(lambda: moved(data, 2, process), TAKEOVER_S, "a commit")
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    # Windows that wait for their turn are no disagreement.
    sendtally.call("verify", "--data", data).expect(0)
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    traffic.check(data)

"""A clock that is set an hour forward or back while traffic flows: epochs go on, nobody takes over, and
every result is the oracle's. The binary is that of the crash test (tests/proof/crash.py)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import crash  # noqa: E402
import kafka  # noqa: E402
import sendtally  # noqa: E402
from conftest import SEED  # noqa: E402

JUMP_S = 12


def start(binary: Path, config: Path, log: Path, **extra: str) -> subprocess.Popen[bytes]:
    """The pipeline, with another environment."""
    with open(log, "wb") as out:
        return subprocess.Popen([str(binary), "run", "--config", str(config)], stdout=out,
                                stderr=out, stdin=subprocess.DEVNULL,
                                env=sendtally.environment(**extra))


@pytest.mark.parametrize("by_s", [-3600, 3600])
def test_a_clock_that_jumps_stops_nothing_and_changes_no_result(
    tmp_path: Path, by_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = sendtally.binary().with_name("sendtally-proof")
    assert binary.exists(), f"{binary}: build it with cargo build -p app --features proof"
    monkeypatch.setenv("SENDTALLY_BIN", str(binary))
    play = crash.Play(SEED, 12_000, 300.0, 0, 0, binary, tmp_path)
    data = tmp_path / "disk" / "data"
    data.parent.mkdir()
    with kafka.Kafka() as node:
        config = sendtally.Config(data, node.brokers).write()
        producer = crash.produce(play, node.brokers)
        sendtally.wait_until(node.has_records, 60, "records")
        owner = start(binary, config, tmp_path / "owner.log",
                      SENDTALLY_CLOCK_JUMP=f"{JUMP_S}:{by_s}")
        standby = None
        try:
            sendtally.wait_until(lambda: sendtally.head(data) > 1, 60, "a commit")
            standby = start(binary, config, tmp_path / "standby.log")
            time.sleep(JUMP_S)
            began = sendtally.head(data), sendtally.head(data, "aggregate")
            time.sleep(8)
            assert sendtally.head(data) >= began[0] + 4, "no epoch after the clock was set"
            assert sendtally.head(data, "aggregate") > began[1], "no window after it"
            behind_s = time.time() - sendtally.watermark_us(data) / 1e6
            assert -90 < behind_s < 90, f"the watermark is {behind_s:.0f} s behind"
            assert "clock was set" in (tmp_path / "owner.log").read_text()
            log = (tmp_path / "standby.log").read_text()
            assert "taking over" not in log, log[-2000:]
        finally:
            for process in filter(None, (standby, owner, producer)):
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        assert owner.returncode == 0, (tmp_path / "owner.log").read_text()[-2000:]
        sendtally.call("run", "--config", config, "--until-end").expect(0)
        sendtally.call("verify", "--data", data).expect(0)
        traffic = crash.expected(play, node)
        traffic.check_live(data)

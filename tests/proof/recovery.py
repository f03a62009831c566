"""How long recovery takes: a process that tracks ten million messages under live traffic is killed a
hundred times, started again at once, and timed until it is in step with Kafka.

    python tests/proof/recovery.py --binary target/release/sendtally --work DIR

    kill -9 ─► start ─► head stands still 5 s ─► taken over ─► recovered ─► in step
    └──────────────────────── printed: p50, p99, worst ──────────────────────────┘

In step: the newest manifest has every record that the log had 1.5 s before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import kafka  # noqa: E402
import sendtally  # noqa: E402
from lag import Ends, quantile  # noqa: E402

FILL_S = 1800.0
WAIT_S = 120.0
TARGET_S = 15.0
SCENARIO = """\
name: recovery
start: {start}
accounts: 3
batches:
  infobip: {{mean: 20, wait_ms: 500}}
carriers:
  - {{id: att, country: US, mcc: "310", mnc: "410", latency: {{median_s: 2, sigma: 0.5}}}}
  - {{id: orange_fr, country: FR, mcc: "208", mnc: "01", latency: {{median_s: 3, sigma: 0.6}}}}
flows:
  - {{source: infobip, channel: sms, weight: 1, carriers: {{att: 1, orange_fr: 1}},
      price: "0.0415", currency: EUR, segments: [80, 15, 5]}}
"""


def produce(chosen: argparse.Namespace, brokers: str, *more: str) -> list[str]:
    """The command that writes one event a message."""
    begun = datetime.now(UTC) - timedelta(hours=2)
    scenario = chosen.work / "recovery.yaml"
    scenario.write_text(SCENARIO.format(start=begun.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return [str(chosen.binary), "simulate", "--scenario", str(scenario), "--partitions", "4",
            "--out", "kafka", "--brokers", brokers, "--log", str(chosen.work / "log"), *more]


class Runner:
    """The process, started again and again."""

    def __init__(self, binary: Path, config: Path, log: Path) -> None:
        self.binary, self.config, self.log = binary, config, log
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it with an empty log."""
        with open(self.log, "wb") as out:
            self.popen = subprocess.Popen(
                [str(self.binary), "run", "--config", str(self.config)], stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, env=sendtally.environment())

    def kill(self) -> None:
        """kill -9."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()

    def told(self, message: str) -> dict[str, object] | None:
        """The log's line with this message."""
        for line in self.log.read_text(errors="replace").splitlines():
            if f'"message":"{message}"' in line:
                told = json.loads(line)
                assert isinstance(told, dict)
                return told
        return None

    def wait(self, ends: Ends, data: Path, timeout_s: float) -> None:
        """Waits until it is in step."""
        deadline = time.monotonic() + timeout_s
        while self.told("recovered") is None or not ends.in_step(data):
            assert self.popen is not None
            assert self.popen.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, f"not in step: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)


def perform(chosen: argparse.Namespace) -> bool:
    """Fills, kills, prints; whether the target is met."""
    dice = random.Random(chosen.seed)
    os.environ["SENDTALLY_BIN"] = str(chosen.binary)
    data = chosen.work / "data"
    with kafka.Kafka() as node:
        fill = produce(chosen, node.brokers, "--seed", "1", "--rate", "10000",
                       "--events", str(chosen.messages))
        subprocess.run(fill, check=True, stdin=subprocess.DEVNULL)
        config = sendtally.Config(data, node.brokers).write()
        runner = Runner(chosen.binary, config, chosen.work / "run.log")
        live = produce(chosen, node.brokers, "--live", "--seed", "2", "--rate", str(chosen.rate),
                       "--events", str(10**9))
        producer = subprocess.Popen(live, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        ends = Ends(node)
        ends.start()
        try:
            runner.start()
            runner.wait(ends, data, FILL_S)
            return kill_and_time(chosen, runner, ends, data, dice)
        finally:
            ends.done.set()
            ends.join()
            producer.kill()
            producer.wait()
            runner.kill()


def kill_and_time(
    chosen: argparse.Namespace, runner: Runner, ends: Ends, data: Path, dice: random.Random
) -> bool:
    """The kills, and what they cost; whether the target is met."""
    took: list[float] = []
    recovered: list[float] = []
    messages = 0
    for number in range(chosen.kills):
        time.sleep(dice.uniform(1.0, 6.0))
        killed, killed_at = time.monotonic(), time.time()
        runner.kill()
        runner.start()
        runner.wait(ends, data, WAIT_S)
        took.append(time.monotonic() - killed)
        told = runner.told("recovered")
        assert told is not None
        at = datetime.fromisoformat(str(told["timestamp"])).timestamp()
        recovered.append(at - killed_at)
        messages = int(str(told["messages"]))
        print(f"{number + 1:4}  in step after {took[-1]:6.2f} s, recovered after "
              f"{recovered[-1]:6.2f} s, {messages} messages", flush=True)
    assert messages >= chosen.messages * 0.99, "fewer messages are tracked than were written"
    for what, values in (("recovered", recovered), ("in step with Kafka", took)):
        print(f"kill to {what}: p50 {quantile(values, 0.5):.2f} s, p99 {quantile(values, 0.99):.2f}"
              f" s, worst {max(values):.2f} s; {len(values)} kills, {messages} messages tracked, "
              f"{chosen.rate:.0f} events/s live")
    return quantile(took, 0.99) <= TARGET_S


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--kills", type=int, default=100)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True)
    print(f"seed {chosen.seed}", flush=True)
    return 0 if perform(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

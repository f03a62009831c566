"""What committing costs: the same records, already in Kafka, taken in with epochs of a second written
and fsynced, and with every epoch dropped instead. In one run, by turns.

    python tests/proof/commits.py --binary target/release/sendtally-proof --work DIR

    off       Kafka ─► normalize ─► track ─► epochs, dropped
    on        Kafka ─► normalize ─► track ─► epochs, segments, state, manifest, fsync
    on, all   the same, with windows and lake behind it (no part of committing, on the same cores)

The binary is built with the feature `proof`, whose switches drop epochs and readers.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import kafka  # noqa: E402
import sendtally  # noqa: E402
from cast import addresses  # noqa: E402

WAIT_S = 600.0
FORMS = {
    "off": {"SENDTALLY_COMMITS": "off", "SENDTALLY_READERS": "off"},
    "on": {"SENDTALLY_READERS": "off"},
    "on, all": {},
}
LAG = "sendtally_partition_lag_records{"


def lags(listen: str) -> list[float] | None:
    """Lag of each partition whose end is known; None while nobody answers."""
    try:
        page = sendtally.get(f"http://{listen}/metrics")
    except OSError:
        return None
    return [float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(LAG)]


def take_in(chosen: argparse.Namespace, node: kafka.Kafka, form: str) -> float:
    """Seconds from the start of the process until no partition has a lag."""
    data = chosen.work / "data"
    shutil.rmtree(data, ignore_errors=True)
    [listen] = addresses(1)
    config = sendtally.Config(data, node.brokers, listen=listen).write()
    partitions = sum(node.topics().values())
    began = time.monotonic()
    with open(chosen.work / "run.log", "wb") as out:
        popen = subprocess.Popen(
            [str(chosen.binary), "run", "--config", str(config)], stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, env=sendtally.environment(**FORMS[form]))
    try:
        while True:
            found = lags(listen)
            if found and len(found) == partitions and not any(found):
                return time.monotonic() - began
            assert popen.poll() is None, (chosen.work / "run.log").read_text()[-2000:]
            assert time.monotonic() - began < WAIT_S, f"not taken in: {found}"
            time.sleep(0.02)
    finally:
        popen.kill()
        popen.wait()


def perform(chosen: argparse.Namespace) -> bool:
    """Fills, takes turns, prints; whether the target is met."""
    with kafka.Kafka() as node:
        subprocess.run(
            [str(chosen.binary), "simulate", "--scenario", str(sendtally.SCENARIOS / "bench.yaml"),
             "--seed", "1", "--rate", "10000", "--partitions", "4", "--out", "kafka",
             "--brokers", node.brokers, "--log", str(chosen.work / "log"),
             "--events", str(chosen.events)],
            check=True, stdin=subprocess.DEVNULL)
        rates: dict[str, list[float]] = {form: [] for form in FORMS}
        for turn in range(chosen.turns):
            for form in FORMS:
                rate = chosen.events / take_in(chosen, node, form)
                rates[form].append(rate)
                print(f"turn {turn + 1}  {form:8} {rate:10,.0f} events/s", flush=True)
    middle = {form: statistics.median(values) for form, values in rates.items()}
    share = middle["on"] / middle["off"]
    print(f"{chosen.events:,} events, median of {chosen.turns} turns: off {middle['off']:,.0f}, "
          f"on {middle['on']:,.0f} events/s, share {share:.1%} (target 80 %); with windows and lake "
          f"{middle['on, all']:,.0f} events/s")
    return share >= 0.8


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--events", type=int, default=6_000_000)
    parser.add_argument("--turns", type=int, default=5)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True)
    return 0 if perform(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

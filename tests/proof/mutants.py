"""The test of the crash test: with each of these faults built in it has to fail, and without to pass.

    python tests/proof/mutants.py --binary target/release/sendtally-proof --work DIR

The same seed and play with every mutant and, first, without one. The two mutants of the watermark are
caught by the property test of the watermark's own promise, the one of the reader by a test that
forces its race; each of these tests passes without the fault. Prints one line a mutant: caught, by
what.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Caught by a play: the weight of freezing in it. A zombie is what overwrites; the others need kills
# at bad moments, which freezes would take the place of.
PLAYED = {"kafka-offsets": 60, "overwrite": 60, "no-token": 10, "manifest-first": 10,
          "slice-without-offsets": 10}
# What a play says that could not be played.
BROKEN = ("nobody owns the chain", "the owner commits nothing", "Kafka", "waited ")
UNTOLD = 99
# Caught by a test: its package, the features that build the fault in, and its name.
PROMISE = ("app", "proof", "promise")
PROVED = {
    "idle-by-clock": PROMISE,
    "max-watermark": PROMISE,
    "assign-first": ("ingest", "model/mutants", "from_its_start"),
}


def play(chosen: argparse.Namespace, mutant: str | None, freezes: int) -> tuple[int, str]:
    """One crash test; its code, and the last line that it said."""
    name = mutant or f"none-{freezes}"
    work = chosen.work / name
    command = [
        sys.executable, HERE / "crash.py", "--binary", chosen.binary, "--work", work,
        "--seed", str(chosen.seed), "--events", str(chosen.events), "--rate", str(chosen.rate),
        "--kills", str(chosen.kills), "--hits", str(chosen.hits), "--disk-mb", "0",
        "--freezes", str(freezes),
        *(["--mutant", mutant] if mutant else []),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    except subprocess.TimeoutExpired:
        return UNTOLD, "the play did not end in 15 minutes"
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    (chosen.work / f"{name}.log").write_text("\n".join(said))
    if not chosen.keep:
        shutil.rmtree(work, ignore_errors=True)
    if done.returncode == 0:
        told = json.loads(done.stdout[done.stdout.index("{"):])
        return 0, f"{told['kills']} kills, {told['lost']} lost, {told['doubled']} doubled"
    why = [line for line in said if "Error" in line]
    text = (why or said)[-1][:300]
    # Where the play itself broke down, nothing was caught.
    return (UNTOLD if any(word in text for word in BROKEN) else done.returncode), text


def prove(mutant: str, *, lives: bool) -> tuple[int, str]:
    """The test of a promise, with the fault or, of the same build, without."""
    package, features, name = PROVED[mutant]
    environment = dict(os.environ)
    environment.pop("SENDTALLY_MUTANT", None)
    if lives:
        environment["SENDTALLY_MUTANT"] = mutant
    # A counterexample must not be kept: the unmutated build has none.
    environment["PROPTEST_FAILURE_PERSISTENCE"] = "off"
    done = subprocess.run(
        ["cargo", "test", "-q", "-p", package, "--locked", "--features", features, name],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines()
            if "test result" in line and "0 passed; 0 failed" not in line]
    assert said, done.stdout + done.stderr
    return done.returncode, said[0]


def told(what: str, result: tuple[int, str], *, passes: bool) -> bool:
    """Prints a verdict; whether it is the one that is due."""
    code, why = result
    good = (code == 0) == passes and code != UNTOLD
    verdict = {0: "passes", UNTOLD: "breaks down"}.get(code, "fails")
    print(f"{'good ' if good else 'WRONG'}  {what:28} {verdict}: {why}", flush=True)
    return good


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--rate", type=float, default=800.0)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--hits", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[*PLAYED, *PROVED])
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    wrong = 0
    played = {name: weight for name, weight in PLAYED.items() if name in chosen.only}
    for weight in sorted(set(played.values())):
        result = play(chosen, None, weight)
        wrong += not told(f"unmutated, freezes {weight}", result, passes=True)
    for name, weight in played.items():
        wrong += not told(name, play(chosen, name, weight), passes=False)
    for name in [name for name in PROVED if name in chosen.only]:
        for lives in (False, True):
            what = name if lives else f"without {name}"
            wrong += not told(what, prove(name, lives=lives), passes=not lives)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

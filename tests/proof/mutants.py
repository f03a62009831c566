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
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Played(NamedTuple):
    """A mutant that a play catches."""

    # The weight of freezing in the play. A zombie is what overwrites; the others need kills at bad
    # moments, which freezes would take the place of.
    freezes: int
    # What the play has to say of it, a regular expression: that it failed is not enough.
    word: str


PLAYED = {
    "kafka-offsets": Played(60, "missing in ours|stored 0 times"),
    "overwrite": Played(60, r"starts at \d+, not"),
    "no-token": Played(10, "ClickHouse took|only in ClickHouse"),
    "manifest-first": Played(10, "cannot read segment"),
    "slice-without-offsets": Played(10, "stored 2 times"),
}
# Caught by a test: its package, the features that build the fault in, and its name.
PROMISE = ("app", "proof", "promise")
PROVED = {
    "idle-by-clock": PROMISE,
    "max-watermark": PROMISE,
    "assign-first": ("ingest", "model/mutants", "from_its_start"),
}


def play(chosen: argparse.Namespace, mutant: str | None, freezes: int) -> tuple[int, str]:
    """One crash test; its code, and what it said in the end."""
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
        return 1, "the play did not end in 15 minutes"
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    (chosen.work / f"{name}.log").write_text("\n".join(said))
    if not chosen.keep:
        shutil.rmtree(work, ignore_errors=True)
    if done.returncode == 0:
        told = json.loads(done.stdout[done.stdout.index("{"):])
        return 0, f"{told['kills']} kills, {told['lost']} lost, {told['doubled']} doubled"
    errors = [at for at, line in enumerate(said) if "Error" in line]
    return done.returncode, "\n".join(said[errors[-1] if errors else -1:])


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


def told(what: str, result: tuple[int, str], word: str | None) -> bool:
    """Prints a verdict; whether it is the one that is due: to pass, or to fail and say the word."""
    code, why = result
    found = re.search(word or "", why)
    good = code == 0 if word is None else code != 0 and found is not None
    line = why if code == 0 or not found else next(
        line for line in why.splitlines() if re.search(word or "", line))
    verdict = "passes" if code == 0 else "fails" if good or word is None else "fails by something else"
    print(f"{'good ' if good else 'WRONG'}  {what:28} {verdict}: {line[:300]}", flush=True)
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
    played = {name: mutant for name, mutant in PLAYED.items() if name in chosen.only}
    for freezes in sorted({mutant.freezes for mutant in played.values()}):
        result = play(chosen, None, freezes)
        wrong += not told(f"unmutated, freezes {freezes}", result, None)
    for name, mutant in played.items():
        wrong += not told(name, play(chosen, name, mutant.freezes), mutant.word)
    for name in [name for name in PROVED if name in chosen.only]:
        wrong += not told(f"without {name}", prove(name, lives=False), None)
        wrong += not told(name, prove(name, lives=True), r"[1-9]\d* failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

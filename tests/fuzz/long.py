"""The long form of fuzzing: libFuzzer over every target, two at a time, and its report.

    tests/fuzz/long.py --binary FUZZ --plain FUZZ --work DIR --minutes 10

Time is judged by the plain build, which has no counters, over the slowest inputs and all that reached
new code.
What is done for a commit stays in DIR and is not run again: stop it and call it again at will. A
target's directory may be copied to another commit that changed nothing of it: the table tells of
which commit each result is. At the end it writes benches/FUZZ.md and benches/fuzz.json, and keeps
the inputs that reach code which no other does in tests/fuzz/corpus. Exit code 1 where a target found something."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
# What the readers and this measurement are made of.
SOURCES = ["pipeline", "tests/fuzz", "Cargo.toml", "Cargo.lock"]
BYTES_MAX = 64 << 10
# Kept of each target: small inputs, which say as much as large ones to who reads them.
KEPT_FILE_BYTES = 4 << 10
KEPT_BYTES = 48 << 10
KEPT_FILES = 100


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True,
                          text=True).stdout.strip()


def commit():
    """The newest commit of the sources, marked where something is not committed."""
    paths = [*SOURCES, ":!tests/fuzz/corpus"]
    name = git("log", "-1", "--format=%h", "--", *paths)
    dirty = git("status", "--porcelain", "--", *paths)
    return f"{name}-{hashlib.sha256(git('diff', 'HEAD', '--', *paths).encode()).hexdigest()[:8]}" \
        if dirty else name


def fuzz(binary, target, work, arguments):
    """Runs libFuzzer and gives its output, its exit code and the processor time it took, in seconds."""
    settings = {**os.environ, "SENDTALLY_FUZZ_TARGET": target, "SENDTALLY_FUZZ_WORK": str(work)}
    log = work / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([str(binary), *arguments], env=settings, cwd=work, stdout=out,
                                   stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return log.read_text(errors="replace"), process.returncode, usage.ru_utime + usage.ru_stime


def told_finding(out, code):
    """What a run that failed says of it."""
    if not code:
        return None
    told = [re.search(sign, out) for sign in
            [r"FINDING: (.*)", r"(?m)(panicked at (?:(?!main\.rs).)*)$", r"(ERROR: libFuzzer: .*)"]]
    finding = next((match for match in told if match), None)
    return finding.group(1)[:300] if finding else f"exit code {code}"


def timed(plain, target, work):
    """The inputs of a target once more without counters: what it found, and the longest time."""
    place = work / "plain"
    for name in ["examples", "slow"]:
        (place / name).mkdir(parents=True, exist_ok=True)
    inputs = [str(path) for name in ["found", "slow"] for path in sorted((work / name).iterdir())]
    longest, finding = 0, None
    for at in range(0, len(inputs), 2_000):
        out, code, _ = fuzz(plain, target, place, inputs[at:at + 2_000])
        finding = finding or told_finding(out, code)
        seen = place / "seen.json"
        longest = max(longest, json.loads(seen.read_text())["cpu_us_max"] if seen.exists() else 0)
    return finding, longest


def play(binary, plain, target, work, seconds, at):
    """One target: found inputs go to `found`, what breaks a promise to `findings`."""
    for name in ["examples", "found", "findings", "slow"]:
        (work / name).mkdir(parents=True, exist_ok=True)
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    out, code, cpu_s = fuzz(binary, target, work, [
        f"-max_total_time={seconds}", f"-max_len={BYTES_MAX}", "-timeout=20", "-rss_limit_mb=4096",
        f"-dict={work}/dictionary", f"-artifact_prefix={work}/findings/", "-print_final_stats=1",
        str(work / "found"), str(kept), str(work / "examples")])
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", out)
    finding = told_finding(out, code)
    again, longest_us = timed(plain, target, work)
    seen = work / "seen.json"
    result = {
        "target": target, "commit": at, "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(cpu_s, 1),
        "finding": finding or again,
        "covered_edges": int(covered[-1][0]) if covered else 0,
        "corpus": int(covered[-1][2]) if covered else 0,
        **(json.loads(seen.read_text()) if seen.exists() else {}), "cpu_us_max": longest_us,
    }
    if not result["finding"]:
        keep(binary, target, work, kept)
    return result


def keep(binary, target, work, kept):
    """Puts the smallest inputs that reach everything into the kept corpus, up to its size."""
    merged = work / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    fuzz(binary, target, work, ["-set_cover_merge=1", f"-max_len={KEPT_FILE_BYTES}", str(merged),
                                str(kept), str(work / "found"), str(work / "examples")])
    # What broke a promise once stays, whether it reaches new code or not.
    for path in kept.iterdir():
        if not path.name.startswith("found-"):
            path.unlink()
    size = 0
    smallest = sorted(merged.iterdir(), key=lambda path: (path.stat().st_size, path.name))
    for path in smallest[:KEPT_FILES]:
        size += path.stat().st_size
        if size > KEPT_BYTES:
            break
        shutil.copyfile(path, kept / path.name[:16])


def report(results, at, minutes, at_once):
    """benches/FUZZ.md and the same as JSON."""
    rows = [f"| {r['target']} | {r['commit']} | {r['seconds'] / 60:.1f} "
            f"| {r['cpu_seconds'] / 60:.1f} | {r.get('inputs', 0):,} "
            f"| {r['covered_edges']:,} | {r.get('events', 0):,} | {r.get('dead', 0):,} "
            f"| {r.get('cpu_us_max', 0) / 1000:.2f} ms | {r.get('memory_bytes_max', 0) / 1024:,.0f} KiB "
            f"| {r.get('memory_share_max', 0):.0%} | {r['finding'] or 'none'} |" for r in results]
    found = sum(1 for r in results if r["finding"])
    text = f"""# Fuzzing, the long form

`tests/run --fuzz {minutes:g}` wrote this: commit {at}, {time.strftime("%Y-%m-%d", time.gmtime())}, {len(results)} targets,
{sum(r.get("inputs", 0) for r in results):,} inputs in {sum(r["cpu_seconds"] for r in results) / 60:.0f} minutes of processor time, findings: {found}.

libFuzzer (coverage counters and compared values in this workspace's crates only; optimized, with debug assertions and overflow
checks) over inputs of at most {BYTES_MAX >> 10} KiB, from `fixtures/`, `tests/fuzz/corpus/` and the texts in the readers' own sources. A
finding is a panic, more than 10 ms of CPU time (the best of five tries), more than 10 × the payload + 64 KiB of memory, a tally that does not add up, a dead
letter that says a word which no adapter has, a row out of its columns' form. The last five targets but `records` and `signatures`
read the operator's files: only crashes and a second of CPU time count there. Counters take most of the time: "slowest" is of a
build without them, over every input that reached new code or took longer than any before it. {at_once} targets ran at once on
{os.cpu_count()} cores.

**Memory** is the highest of what one call of `Normalizer::batch` asked the allocator for and had not given back, its results included,
by a normalizer that had seen an empty batch. Of that, 640 bytes a row (event or line of a bill) are taken off before it is compared: the
row is what was asked for (40 columns in 300 bytes, twice while they grow), and no payload can pay for it whose events have 12 bytes (a
bare SMPP receipt, `id:3 stat:X`). Its texts are not taken off. The column "memory" is without that deduction, "of what it may" is with it.
Of a compressed payload that can be read, the payload is what it unpacks to (at most 32 times its bytes, or 16 KiB), and 10 ms are
for each 64 KiB of that; one that cannot be unpacked is judged by its own bytes. Of `records` and `signatures` each line is a payload:
2 KiB and half a microsecond are allowed for each line after the first.

| target | commit | minutes | of a core | inputs | edges | events | dead letters | slowest | memory | of what it may | finding |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""
    (ROOT / "benches/FUZZ.md").write_text(text + "\n".join(rows) + "\n")
    (ROOT / "benches/fuzz.json").write_text(
        json.dumps({"commit": at, "minutes": minutes, "targets": results}, indent=1) + "\n")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--plain", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--targets", default="", help="some of them, by commas; no report then")
    arguments = parser.parse_args()
    binary, plain, at = arguments.binary.resolve(), arguments.plain.resolve(), commit()
    work = arguments.work.resolve() / at / f"{arguments.minutes:g}"
    listed = subprocess.run([str(binary), "x"], text=True, capture_output=True, check=True,
                            env={**os.environ, "SENDTALLY_FUZZ_TARGET": "list"}).stdout.split()
    targets = [name for name in arguments.targets.split(",") if name] or listed
    done = {}

    def one(target):
        place = work / target
        result = place / "result.json"
        if result.exists():
            return json.loads(result.read_text())
        played = play(binary, plain, target, place, round(arguments.minutes * 60), at)
        if not played["finding"]:
            result.write_text(json.dumps(played))
        return played

    began = time.monotonic()
    print(f"{len(targets)} targets of {arguments.minutes:g} minutes, {arguments.at_once} at once, "
          f"commit {at}: {len(targets) * arguments.minutes / arguments.at_once:.0f} minutes", flush=True)
    with concurrent.futures.ThreadPoolExecutor(arguments.at_once) as pool:
        waiting = {pool.submit(one, target): target for target in targets}
        for future in concurrent.futures.as_completed(waiting):
            result = done[waiting[future]] = future.result()
            print(f"{len(done)}/{len(targets)} {result['target']}: {result.get('inputs', 0):,} inputs, "
                  f"{result['finding'] or 'no finding'} ({(time.monotonic() - began) / 60:.1f} min)",
                  flush=True)
    results = [done[target] for target in targets]
    found = [result for result in results if result["finding"]]
    for result in found:
        print(f"finding: {work / result['target'] / 'findings'}: {result['finding']}")
    if targets == listed:
        report(results, at, arguments.minutes, arguments.at_once)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

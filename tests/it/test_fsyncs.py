"""The fsyncs, by the system calls themselves: `kill -9` keeps the page cache and cannot show a
missing one.

    write ─► fsync(file) ─► fsync(directory) ─► write aside ─► fsync ─► link manifest ─► fsync(dir)
                                                                          public links only after ─┘
                                                                     rows to ClickHouse only after ─┘
A trace of one `load`, one of a live `run` on a real Kafka that is ended by SIGTERM, and one of the `run`
that takes over after a `kill -9` are read call by call. The rules are those of "Chains" in DESIGN.md; that
the check can fail is shown by leaving fsyncs out of a trace.

Of a takeover it is assumed that no name of a manifest which the killed process left is durable: it may have
died between the link and the fsync of the directory. The bytes are, by the rule for links. A manifest may
appear once those that it builds on are durable: the one before it, and those of the epochs it takes in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import kafka
import pytest
import sendtally
from clickhouse import ClickHouse

CALLS = ("openat,write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync,link,linkat,rename,renameat2,"
         "mkdir,mkdirat")
OPENED = re.compile(r'openat\([^"]*"([^"]+)", ([A-Z_|]+).*\) = \d+')
WRITTEN = re.compile(r"(?:write|pwrite64|writev)\(\d+<([^>]+)>.*\) = \d+")
SYNCED = re.compile(r"f(?:data)?sync\(\d+<([^>]+)>\)\s+= 0")
LINKED = re.compile(r'link(?:at)?\([^"]*"([^"]+)", [^"]*"([^"]+)".*\) = 0')
RENAMED = re.compile(r'rename(?:at2?)?\([^"]*"([^"]+)", [^"]*"([^"]+)".*\) = 0')
STARTED = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
SENT = re.compile(r"(?:write|writev|sendto|sendmsg)\(\d+<TCP:\[[^>]*->127\.0\.0\.1:(\d+)\]>.*\) = \d+")
MADE = re.compile(r'mkdir(?:at)?\([^"]*"([^"]+)".*\) = 0')


@dataclass
class Disk:
    """What a power cut would leave, call by call."""

    root: Path
    # Port of ClickHouse, where one is loaded.
    clickhouse: int = 0
    sent: int = 0
    dirty: set[Path] = field(default_factory=set)
    unnamed: set[Path] = field(default_factory=set)
    announced: list[Path] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    manifests: int = 0
    published: int = 0
    # By thread: a call that others went past, and what was not durable when it began.
    begun: dict[str, tuple[str, set[Path], set[Path]]] = field(default_factory=dict)

    def line(self, line: str) -> None:
        """One line of the trace: a call, or its beginning or end."""
        if found := STARTED.match(line):
            if path := re.search(r"(?:write|pwrite64|writev)\(\d+<([^>]+)>", line):
                self.dirty.add(Path(path[1]))
            self.begun[found[1]] = (found[2], set(self.dirty), set(self.unnamed))
        elif found := RESUMED.match(line):
            start, dirty, unnamed = self.begun.pop(found[1], ("", set(), set()))
            # The end of a call that was gone past is set in columns.
            self.call(re.sub(r"\)\s+= ", ") = ", start + found[2]), dirty, unnamed)
        else:
            self.call(line, self.dirty, self.unnamed)

    def call(self, line: str, dirty: set[Path], unnamed: set[Path]) -> None:
        """A call, with what was not durable when it began."""
        if (found := SENT.search(line)) and int(found[1]) == self.clickhouse:
            self.send(unnamed)
        if str(self.root.parent) not in line:
            return
        if found := MADE.search(line):
            self.unnamed.add(Path(found[1]))
        elif (found := OPENED.search(line)) and "O_CREAT" in found[2]:
            self.dirty.add(Path(found[1]))
            self.unnamed.add(Path(found[1]))
        elif found := WRITTEN.search(line):
            self.dirty.add(Path(found[1]))
        elif found := SYNCED.search(line):
            synced = Path(found[1])
            self.dirty.discard(synced)
            self.unnamed = {path for path in self.unnamed if path.parent != synced}
        elif found := LINKED.search(line):
            self.link(Path(found[1]), Path(found[2]), dirty, set(unnamed))
        elif found := RENAMED.search(line):
            self.rename(Path(found[1]), Path(found[2]), dirty)

    def send(self, unnamed: set[Path]) -> None:
        """Something goes to ClickHouse: the plan that says what is in the batch is durable."""
        chain = self.root / "chains" / "clickhouse"
        self.sent += any(name.parent == chain for name in self.announced)
        for name in self.announced:
            if name.parent == chain and not unnamed.isdisjoint([name, *name.parents]):
                self.wrong.append(f"ClickHouse is sent to before the name {name} is durable")

    def link(self, source: Path, name: Path, dirty: set[Path], unnamed: set[Path]) -> None:
        """A name appears: of a manifest or of a public file."""
        if source in dirty:
            self.wrong.append(f"{name} is linked before its bytes are durable")
        if name.suffix == ".json":
            self.manifests += 1
            files = [self.root / file for file in named(name)]
            # The first only makes the chain its own: an older build may go on after it.
            files += [self.root / "FORMAT"] if self.manifests > 1 else []
            self.needs(name, [*files, *self.built_on(name)], dirty, unnamed)
        elif "public" in name.parts:
            self.published += 1
            lake = self.root / "chains" / "lake"
            heads = [path for path in sorted(lake.glob("*.json"))
                     if str(source.relative_to(self.root)) in named(path)]
            assert heads, f"no manifest names {source}"
            self.needs(name, [heads[0]], dirty, unnamed)
        self.unnamed.add(name)
        self.announced.append(name)

    def rename(self, source: Path, name: Path, dirty: set[Path]) -> None:
        """A name gets other bytes: FORMAT, where an older directory is migrated."""
        if source in dirty:
            self.wrong.append(f"{name} is renamed before its bytes are durable")
        self.unnamed.discard(source)
        self.unnamed.add(name)
        self.announced.append(name)

    def built_on(self, manifest: Path) -> list[Path]:
        """Manifests that a manifest stands on."""
        epochs = {manifest.parent.name: int(manifest.stem) - 1,
                  **json.loads(manifest.read_text())["consumed"]}
        return [self.root / "chains" / chain / f"{epoch:020}.json"
                for chain, epoch in epochs.items() if epoch > 0]

    def needs(self, name: Path, files: list[Path], dirty: set[Path], unnamed: set[Path]) -> None:
        """All these files, and the directories that lead to them, are durable."""
        for file in files:
            if file in dirty:
                self.wrong.append(f"{name} appears before {file} is durable")
            lost = [path for path in [file, *file.parents] if path in unnamed]
            if lost:
                self.wrong.append(f"{name} appears before the name {lost[0]} is durable")

    def end(self) -> None:
        """Nothing that was announced hangs in the air."""
        left = {lost for name in self.announced for lost in [name, *name.parents]
                if lost in self.unnamed}
        self.wrong += [f"the name {path} never became durable" for path in sorted(left)]


def named(manifest: Path) -> list[str]:
    """Files of a manifest."""
    text = json.loads(manifest.read_text())
    files = [*text["segments"], *text["files"], *(entry["file"] for entry in text["state"])]
    return [entry["path"] for entry in files if entry["path"]]


def judge(
    root: Path, lines: list[str], left: frozenset[Path] = frozenset(), clickhouse: int = 0
) -> Disk:
    """Reads a trace; `left` are names that may not be durable when it begins."""
    disk = Disk(root, clickhouse, unnamed=set(left))
    for line in lines:
        disk.line(line)
    disk.end()
    return disk


Trace = tuple[Path, list[str]]
LiveTrace = tuple[Path, list[str], int]


def strace(calls: Path, *command: object) -> list[str]:
    """The command under strace."""
    if shutil.which("strace") is None:
        pytest.fail("strace is missing (Debian: strace)")
    return ["strace", "-f", "-yy", "-s", "0", "-e", f"trace={CALLS}", "-o", str(calls),
            *map(str, command)]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The calls of a `load`, and its data directory."""
    work = tmp_path_factory.mktemp("fsyncs")
    records = work / "records"
    sendtally.call("simulate", "--scenario", sendtally.SCENARIOS / "end_to_end.yaml", "--events",
                   "3000", "--out", records).expect(0)
    data, calls = work / "data", work / "calls"
    files = sorted((records / "records").glob("*.jsonl"))
    done = subprocess.run(
        strace(calls, sendtally.binary(), "load", "--records", *files, "--data", data),
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return data, calls.read_text().splitlines()


@pytest.fixture(scope="module")
def migration_trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The calls of a `load` into a directory of format 3."""
    work, kept = tmp_path_factory.mktemp("migration-fsyncs"), sendtally.ROOT / "fixtures" / "directories"
    with tarfile.open(kept / "format-3.tar.xz") as archive:
        archive.extractall(work, filter="data")
    data, calls = work / "data", work / "calls"
    done = subprocess.run(
        strace(calls, sendtally.binary(), "load", "--records", kept / "format-3.next.jsonl", "--data", data),
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return data, calls.read_text().splitlines()


def test_a_migration_is_durable_before_what_only_the_new_format_has(migration_trace: Trace) -> None:
    disk = judge(*migration_trace)
    assert disk.root / "FORMAT" in disk.announced and disk.manifests > 2, disk.announced
    assert not disk.wrong, "\n".join(disk.wrong[:10])


@pytest.mark.parametrize("left_out", [r"/FORMAT\.tmp", "/data"])
def test_a_fsync_that_a_migration_misses_is_told(migration_trace: Trace, left_out: str) -> None:
    data, lines = migration_trace
    fewer = [line for line in lines if not re.search(rf"f(data)?sync\(\d+<[^>]*{left_out}>", line)]
    assert len(fewer) < len(lines), f"the trace has no fsync of {left_out}"
    assert any("FORMAT" in one for one in judge(data, fewer).wrong), f"without {left_out} nothing is told"


def live(node: kafka.Kafka, events: int, work: Path) -> tuple[str | Path, ...]:
    """The command that writes so many events as fast as the clock."""
    return ("simulate", "--live", "--scenario", sendtally.SCENARIOS / "end_to_end.yaml", "--rate", "200",
            "--events", str(events), "--partitions", "4", "--out", "kafka", "--brokers", node.brokers,
            "--log", work / "log")


@pytest.fixture(scope="module")
def live_trace(tmp_path_factory: pytest.TempPathFactory) -> LiveTrace:
    """The calls of a `run` that is fed while it runs and loads ClickHouse, until SIGTERM, its data
    directory, and ClickHouse's port."""
    work = tmp_path_factory.mktemp("live-fsyncs")
    data, calls = work / "data", work / "calls"
    with kafka.Kafka() as node, ClickHouse(work / "clickhouse") as front:
        config = sendtally.Config(data, node.brokers, extra={
            "sink": ["publish_after_s = 1"], "clickhouse": [f'url = "{front.url}"']})
        feed = live(node, 4_000, work)
        with open(work / "log.txt", "wb") as out, sendtally.running(*feed, log=work / "feed.txt"):
            sendtally.wait_until(node.topics, 30, "topics")
            traced = subprocess.Popen(
                strace(calls, sendtally.binary(), "run", "--config", config.write()),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=sendtally.environment())
            public = data / "public" / "events"
            sendtally.wait_until(
                lambda: list(public.rglob("*.parquet")) and sendtally.head(data, "clickhouse") > 3,
                120, "a public file, and plans of the loader")
            child = Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split()[0]
            os.kill(int(child), signal.SIGTERM)
            assert traced.wait(60) == 0, (work / "log.txt").read_text()
        port = urlsplit(front.url).port or 0
    return data, calls.read_text().splitlines(), port


def manifests(data: Path) -> frozenset[Path]:
    """Manifests of all chains."""
    return frozenset(data.glob("chains/*/*.json"))


@pytest.fixture(scope="module")
def takeover_trace(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[str], frozenset[Path]]:
    """The calls of a `run` on the directory of one that was killed, until it has committed to
    every chain and got SIGTERM; its data directory, and the manifests that it found."""
    work = tmp_path_factory.mktemp("takeover-fsyncs")
    data, calls = work / "data", work / "calls"
    chains = "job", "aggregate", "lake"
    with kafka.Kafka() as node:
        config = sendtally.Config(data, node.brokers, extra={"sink": ["publish_after_s = 1"]})
        feed = live(node, 20_000, work)
        with open(work / "log.txt", "wb") as out, sendtally.running(*feed, log=work / "feed.txt"):
            sendtally.wait_until(node.topics, 30, "topics")
            with sendtally.running("run", "--config", config.write(), log=work / "1.txt") as first:
                sendtally.wait_until(
                    lambda: all(sendtally.head(data, chain) > 2 for chain in chains), 120,
                    "manifests of every chain")
                first.end(signal.SIGKILL)
            left = manifests(data)
            found = {chain: sendtally.head(data, chain) for chain in chains}
            traced = subprocess.Popen(
                strace(calls, sendtally.binary(), "run", "--config", config.write()),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=sendtally.environment())
            sendtally.wait_until(
                lambda: all(sendtally.head(data, chain) > found[chain] + 1 for chain in chains),
                120, "manifests of the second process")
            child = Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split()[0]
            os.kill(int(child), signal.SIGTERM)
            assert traced.wait(60) == 0, (work / "log.txt").read_text()
    return data, calls.read_text().splitlines(), left


@pytest.mark.servers
def test_who_takes_over_makes_durable_what_it_builds_on(
    takeover_trace: tuple[Path, list[str], frozenset[Path]],
) -> None:
    data, lines, left = takeover_trace
    disk = judge(data, lines, left)
    first = {path.parent.name: path for path in reversed(disk.announced) if path.suffix == ".json"}
    assert first.keys() >= {"job", "aggregate", "lake"}
    assert all(set(disk.built_on(path)) & left for path in first.values()), first
    assert not disk.wrong, "\n".join(disk.wrong[:10])


@pytest.mark.servers
@pytest.mark.parametrize("chain", ["job", "aggregate", "lake"])
def test_a_fsync_that_a_takeover_misses_is_told(
    takeover_trace: tuple[Path, list[str], frozenset[Path]], chain: str
) -> None:
    data, lines, left = takeover_trace
    links = [at for at, line in enumerate(lines)
             if re.search(rf'link(?:at)?\(.*/chains/{chain}/\d{{20}}\.json"', line)]
    synced = [at for at, line in enumerate(lines[:links[0]])
              if re.search(rf"f(data)?sync\(\d+<[^>]*/chains/{chain}>", line)]
    assert synced, f"the trace has no fsync of chains/{chain} before its first manifest"
    fewer = [line for at, line in enumerate(lines) if at not in set(synced)]
    head = max(path for path in left if path.parent.name == chain)
    wrong = judge(data, fewer, left).wrong
    assert any(f"before the name {head} is durable" in one for one in wrong), wrong[:10]


def test_everything_is_durable_before_what_names_it(trace: Trace) -> None:
    disk = judge(*trace)
    assert disk.manifests >= 6 and disk.published >= 6, (disk.manifests, disk.published)
    assert not disk.wrong, "\n".join(disk.wrong[:10])


@pytest.mark.servers
def test_in_a_live_run_too(live_trace: LiveTrace) -> None:
    data, lines, clickhouse = live_trace
    disk = judge(data, lines, clickhouse=clickhouse)
    assert disk.sent >= 5, f"{disk.sent} times something was sent to ClickHouse"
    assert disk.manifests >= 15 and disk.published >= 1, (disk.manifests, disk.published)
    assert not disk.wrong, "\n".join(disk.wrong[:10])


@pytest.mark.servers
@pytest.mark.parametrize("left_out", [
    r"segments/job/[^>]+\.arrow", "/segments/job", r"state/job/[^>]+\.run", "/chains/job",
    "/chains/aggregate", r"chains/job/[^>]+\.tmp", "/chains/clickhouse",
])
def test_a_fsync_that_a_live_run_misses_is_told(live_trace: LiveTrace, left_out: str) -> None:
    data, lines, clickhouse = live_trace
    # A call that others went past stands in two lines: without its beginning it has no path.
    fewer = [line for line in lines if not re.search(rf"f(data)?sync\(\d+<[^>]*{left_out}>", line)]
    assert len(fewer) < len(lines), f"the trace has no fsync of {left_out}"
    wrong = judge(data, fewer, clickhouse=clickhouse).wrong
    assert wrong, f"without fsyncs of {left_out} nothing is told"
    if "clickhouse" in left_out:
        assert any("ClickHouse is sent to" in one for one in wrong), wrong[:10]


@pytest.mark.parametrize("left_out", [
    r"fsync\(\d+<[^>]*segments/job/[^>]+\.arrow>", r"fsync\(\d+<[^>]*/segments/job>",
    r"fsync\(\d+<[^>]*state/job/[^>]+\.run>", r"fsync\(\d+<[^>]*chains/job/[^>]+\.tmp>",
    r"fsync\(\d+<[^>]*/chains/lake>", r"fsync\(\d+<[^>]*lake/events/[^>]+\.parquet>",
    r"fsync\(\d+<[^>]*/chains>", r"fsync\(\d+<[^>]*/public/[^>]*date=[^>]*>",
])
def test_a_missing_fsync_is_told(trace: Trace, left_out: str) -> None:
    data, lines = trace
    fewer = [line for line in lines if not re.search(left_out, line)]
    assert len(fewer) < len(lines), f"the trace has no {left_out}"
    assert judge(data, fewer).wrong, f"without {left_out} nothing is told"

"""The fsyncs, by the system calls themselves: `kill -9` keeps the page cache and cannot show a
missing one.

    write ─► fsync(file) ─► fsync(directory) ─► write aside ─► fsync ─► link manifest ─► fsync(dir)
                                                                          public links only after ─┘
A trace of one `load` is read call by call. The rules are those of "Chains" in DESIGN.md; that the
check can fail is shown by leaving fsyncs out of the trace.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sendtally

CALLS = "openat,write,pwrite64,writev,fsync,fdatasync,link,linkat,rename,renameat2,mkdir,mkdirat"
OPENED = re.compile(r'openat\([^"]*"([^"]+)", ([A-Z_|]+).*\) = \d+')
WRITTEN = re.compile(r"(?:write|pwrite64|writev)\(\d+<([^>]+)>.*\) = \d+")
SYNCED = re.compile(r"f(?:data)?sync\(\d+<([^>]+)>\)\s+= 0")
LINKED = re.compile(r'link(?:at)?\([^"]*"([^"]+)", [^"]*"([^"]+)".*\) = 0')
MADE = re.compile(r'mkdir(?:at)?\([^"]*"([^"]+)".*\) = 0')


@dataclass
class Disk:
    """What a power cut would leave, call by call."""

    root: Path
    dirty: set[Path] = field(default_factory=set)
    unnamed: set[Path] = field(default_factory=set)
    announced: list[Path] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    manifests: int = 0
    published: int = 0

    def call(self, line: str) -> None:
        """One line of the trace."""
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
            self.link(Path(found[1]), Path(found[2]))

    def link(self, source: Path, name: Path) -> None:
        """A name appears: of a manifest or of a public file."""
        if source in self.dirty:
            self.wrong.append(f"{name} is linked before its bytes are durable")
        if name.suffix == ".json":
            self.manifests += 1
            self.needs(name, [self.root / file for file in named(name)])
        elif "public" in name.parts:
            self.published += 1
            lake = self.root / "chains" / "lake"
            heads = [path for path in sorted(lake.glob("*.json"))
                     if str(source.relative_to(self.root)) in named(path)]
            assert heads, f"no manifest names {source}"
            self.needs(name, [heads[0]])
        self.unnamed.add(name)
        self.announced.append(name)

    def needs(self, name: Path, files: list[Path]) -> None:
        """All these files, and the directories that lead to them, are durable."""
        for file in files:
            if file in self.dirty:
                self.wrong.append(f"{name} appears before {file} is durable")
            lost = [path for path in [file, *file.parents] if path in self.unnamed]
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


def judge(root: Path, lines: list[str]) -> Disk:
    """Reads a trace."""
    disk = Disk(root)
    for line in lines:
        if str(root.parent) in line:
            disk.call(line)
    disk.end()
    return disk


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The calls of a `load`, and its data directory."""
    if shutil.which("strace") is None:
        pytest.fail("strace is missing (Debian: strace)")
    work = tmp_path_factory.mktemp("fsyncs")
    records = work / "records"
    sendtally.call("simulate", "--scenario", sendtally.SCENARIOS / "end_to_end.yaml", "--events",
                   "3000", "--out", records).expect(0)
    data, calls = work / "data", work / "calls"
    files = sorted((records / "records").glob("*.jsonl"))
    done = subprocess.run(
        ["strace", "-f", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", calls,
         sendtally.binary(), "load", "--records", *files, "--data", data],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return data, calls.read_text().splitlines()


def test_everything_is_durable_before_what_names_it(trace: tuple[Path, list[str]]) -> None:
    disk = judge(*trace)
    assert disk.manifests >= 6 and disk.published >= 6, (disk.manifests, disk.published)
    assert not disk.wrong, "\n".join(disk.wrong[:10])


@pytest.mark.parametrize("left_out", [
    r"fsync\(\d+<[^>]*segments/job/[^>]+\.arrow>", r"fsync\(\d+<[^>]*/segments/job>",
    r"fsync\(\d+<[^>]*state/job/[^>]+\.run>", r"fsync\(\d+<[^>]*chains/job/[^>]+\.tmp>",
    r"fsync\(\d+<[^>]*/chains/lake>", r"fsync\(\d+<[^>]*lake/events/[^>]+\.parquet>",
    r"fsync\(\d+<[^>]*/chains>", r"fsync\(\d+<[^>]*/public/[^>]*date=[^>]*>",
])
def test_a_missing_fsync_is_told(trace: tuple[Path, list[str]], left_out: str) -> None:
    data, lines = trace
    fewer = [line for line in lines if not re.search(left_out, line)]
    assert len(fewer) < len(lines), f"the trace has no {left_out}"
    assert judge(data, fewer).wrong, f"without {left_out} nothing is told"

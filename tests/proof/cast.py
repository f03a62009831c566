"""The three processes of the crash test: who owns the chain, who is armed, how each of them ended.

    slot 0 ─ owner      moves the head of chains/job
    slot 1 ─ standby    takes over when the head stood still for 5 s
    slot 2 ─ standby    armed: ends itself at a failpoint once it is the owner
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import kafka
import sendtally

ROOT = Path(__file__).resolve().parent.parent.parent
POINT = re.compile(r'fail_point!\(\s*"([a-z_:]+)"')
# The codes of a process that was killed, that ended itself at a failpoint, that was taken over.
KILLED, ABORTED, TAKEN, STOPPED = -signal.SIGKILL, -signal.SIGABRT, 4, 0


# Uploads and migrations: tests/proof/test_points.py ends processes there.
ELSEWHERE = {"commit::uploaded", "commit::migrated"}


def failpoints() -> list[str]:
    """Names of all failpoints that a play comes to, read from the sources."""
    found = {name for path in (ROOT / "pipeline").glob("*/src/**/*.rs")
             for name in POINT.findall(path.read_text())}
    return sorted(found - ELSEWHERE)


@dataclass
class Actor:
    """One process."""

    slot: int
    popen: subprocess.Popen[bytes]
    log: Path
    armed: str | None
    frozen: bool = False

    @property
    def pid(self) -> int:
        """Its id."""
        return self.popen.pid

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]


@dataclass
class Cast:
    """Three processes on one data directory."""

    binary: Path
    data: Path
    work: Path
    configs: list[Path]
    listens: list[str]
    dice: random.Random
    environment: dict[str, str]
    actors: dict[int, Actor] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    started: int = 0
    # Codes of processes that met a server which was away.
    away: set[int] = field(default_factory=set)

    def start(self, slot: int, armed: str | None = None) -> Actor:
        """Starts a process in a slot, perhaps with a failpoint armed."""
        self.started += 1
        log = self.work / f"process-{self.started:04}.log"
        env = {**sendtally.environment(), **self.environment}
        if armed:
            times = self.dice.choice([1, 1, 2, 3, 5])
            env |= {"SENDTALLY_FAILPOINT": f"{armed}={times}",
                    "SENDTALLY_FAILPOINT_LOG": str(self.work / "failpoints.log")}
        with open(log, "ab") as out:
            popen = subprocess.Popen(
                [str(self.binary), "run", "--config", str(self.configs[slot])],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)
        self.actors[slot] = Actor(slot, popen, log, armed)
        return self.actors[slot]

    def head(self) -> tuple[int, str]:
        """Number and owner of the newest manifest; (0, "") before the first."""
        number = sendtally.head(self.data)
        path = self.data / "chains" / "job" / f"{number:020}.json"
        try:
            return number, str(json.loads(path.read_text())["owner"])
        except (FileNotFoundError, ValueError):
            return 0, ""

    def owner(self) -> Actor | None:
        """The process that wrote the head, while it lives."""
        _, name = self.head()
        for actor in self.actors.values():
            if f"pid-{actor.pid}-" in name and actor.popen.poll() is None:
                return actor
        return None

    def bury(self) -> list[Actor]:
        """Takes the ended processes out; fails where one ended in a way that nobody caused."""
        ended = [actor for actor in self.actors.values() if actor.popen.poll() is not None]
        for actor in ended:
            code = actor.popen.returncode
            del self.actors[actor.slot]
            if code == ABORTED and actor.armed:
                self.hit(actor)
                self.kills["failpoint"] += 1
            elif code == TAKEN and "taken over" in actor.tail():
                self.kills["taken over"] += 1
            elif code in self.away:
                self.kills["server away"] += 1
            elif code != KILLED:
                raise AssertionError(f"{actor.log.name} ended with {code}:\n{actor.tail()}")
        return ended

    def hit(self, actor: Actor) -> None:
        """An abort is a failpoint's only where the process wrote that down before."""
        log = self.work / "failpoints.log"
        told = log.read_text().split() if log.exists() else []
        name = str(actor.armed)
        assert told.count(name) == self.hits[name] + 1, f"aborted by itself:\n{actor.tail()}"
        self.hits[name] += 1

    def refill(self, lacking: list[str]) -> None:
        """Starts what is missing, each with a failpoint that was hit too seldom, if there is one:
        first every failpoint, then kills at random times."""
        self.bury()
        for slot in range(len(self.configs)):
            if slot not in self.actors:
                others = {actor.armed for actor in self.actors.values()}
                choice = [name for name in lacking if name not in others] or lacking
                self.start(slot, self.dice.choice(choice) if choice else None)

    def wait_for_owner(self, timeout_s: float) -> Actor:
        """Waits until a living, unfrozen process has moved the head."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.bury()
            owner = self.owner()
            if owner is not None and not owner.frozen:
                return owner
            if not self.actors:
                self.start(0)
            time.sleep(0.05)
        raise AssertionError(f"nobody owns the chain after {timeout_s:.0f} s: {self.states()}")

    def states(self) -> str:
        """Who is there, for a failure's text."""
        return "; ".join(f"{a.log.name} armed={a.armed} frozen={a.frozen}\n{a.tail()[-800:]}"
                         for a in self.actors.values())

    def kill(self, actor: Actor, why: str) -> None:
        """kill -9."""
        actor.popen.kill()
        actor.popen.wait()
        # One that had ended by itself was faster: at its failpoint (`bury` counts it), or taken over.
        self.kills[why] += actor.popen.returncode == KILLED

    def freeze(self, actor: Actor) -> None:
        """SIGSTOP."""
        actor.popen.send_signal(signal.SIGSTOP)
        actor.frozen = True

    def thaw(self, actor: Actor, timeout_s: float = 60.0) -> None:
        """SIGCONT: a process that was taken over meanwhile stops by itself."""
        actor.popen.send_signal(signal.SIGCONT)
        try:
            code = actor.popen.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"the zombie works on:\n{actor.tail()}") from late
        ours = code == TAKEN and "taken over" in actor.tail()
        assert ours or (code == ABORTED and actor.armed), f"zombie: {code}\n{actor.tail()}"

    def end(self) -> None:
        """SIGTERM to all: the owner commits what it read."""
        for actor in self.actors.values():
            if actor.popen.poll() is None:
                actor.popen.send_signal(signal.SIGCONT)
                actor.popen.send_signal(signal.SIGTERM)
        for actor in self.actors.values():
            code = actor.popen.wait(120)
            known = (STOPPED, TAKEN, KILLED, *([ABORTED] if actor.armed else []))
            assert code in known, f"{actor.log.name} ended with {code}:\n{actor.tail()}"
            if code == ABORTED and actor.armed:
                self.hit(actor)
        self.actors.clear()

    def destroy(self) -> None:
        """Leaves nothing running, whatever happened."""
        for actor in self.actors.values():
            if actor.popen.poll() is None:
                os.kill(actor.pid, signal.SIGKILL)
                actor.popen.wait()


def addresses(number: int) -> list[str]:
    """Free addresses for the APIs."""
    return [f"127.0.0.1:{port}" for port in kafka.free_ports(number)]

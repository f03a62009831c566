"""The program under test from outside: its configuration, its commands, its processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import kafka

ROOT = Path(__file__).resolve().parent.parent.parent
SCENARIOS = ROOT / "tests" / "scenarios"
SECRET = "5e" * 32
COMMAND_TIMEOUT_S = 1800.0


def binary() -> Path:
    """The built debug binary, or SENDTALLY_BIN."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(kafka.cache_dir() / "target")
    return Path(os.environ.get("SENDTALLY_BIN") or f"{target}/debug/sendtally")


def environment(**extra: str) -> dict[str, str]:
    """This environment without Sendtally's own variables."""
    own = ("SENDTALLY_KEY", "SENDTALLY_DATA", "SENDTALLY_DEAD_LETTER_KEY")
    clean = {k: v for k, v in os.environ.items() if k not in own}
    return {**clean, **extra}


@dataclass
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    def expect(self, code: int, *words: str) -> Answer:
        """Asserts the exit code, and that stderr says each of these words."""
        shown = f"exit {self.code}\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"
        assert self.code == code, f"expected exit {code}, got {shown}"
        missing = [word for word in words if word.lower() not in self.err.lower()]
        assert not missing, f"stderr does not say {missing}: {shown}"
        return self

    def rows(self) -> list[dict[str, object]]:
        """Rows of `sql --format json`: one object a line."""
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]


def call(*arguments: str | Path, timeout: float = COMMAND_TIMEOUT_S, **env: str) -> Answer:
    """Runs a command to its end."""
    done = subprocess.run(
        [str(binary()), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
        env=environment(**env), check=False, stdin=subprocess.DEVNULL,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass
class Config:
    """A configuration file; `extra` lines go to the end of a section, in the place of its own."""

    data: Path
    brokers: str
    topics: str = r"^messaging\\..*"
    group: str = "sendtally"
    listen: str | None = None
    key: bool = True
    extra: dict[str, list[str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The file's lines."""
        sections = {
            "kafka": [f'brokers = "{self.brokers}"', f'group_id = "{self.group}"',
                      'start = "earliest"'],
            "commit": ["epoch_ms = 1000"],
            "sink": ["publish_after_s = 5"],
        }
        if self.key:
            sections["keys"] = [f'secret_file = "{self.secret()}"', "token_key_id = 1"]
        if self.listen:
            sections["serve"] = [f'listen = "{self.listen}"']
        for name, lines in self.extra.items():
            keys = {line.split("=")[0].strip() for line in lines}
            kept = [line for line in sections.get(name, [])
                    if line.split("=")[0].strip() not in keys]
            sections[name] = kept + lines
        text = [f'data_dir = "{self.data}"', *sections.pop("", [])]
        for name, lines in sections.items():
            text += ["", f"[{name}]", *lines]
        return [*text, "", "[[topics]]", f'pattern = "{self.topics}"']

    def secret(self) -> Path:
        """The file with the token key."""
        path = self.data.parent / "secret.hex"
        path.write_text(SECRET)
        return path

    def write(self) -> Path:
        """Writes the file beside the data directory."""
        path = self.data.parent / f"{self.data.name}.toml"
        path.write_text("\n".join(self.lines()) + "\n")
        return path


@dataclass
class Process:
    """A running command; what it logs goes to a file."""

    popen: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """Everything it logged so far."""
        return self.log.read_text(errors="replace")

    def wait_for(self, word: str, timeout: float) -> None:
        """Waits until the log says a word."""
        wait_until(lambda: word.lower() in self.text().lower(), timeout, f"the log to say {word!r}")

    def end(self, how: signal.Signals, timeout: float = 60.0) -> int:
        """Sends a signal and returns the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        return self.popen.wait(timeout)


@contextmanager
def running(*arguments: str | Path, log: Path, **env: str) -> Iterator[Process]:
    """A command in the background; killed at the end if it still runs."""
    with open(log, "ab") as out:
        popen = subprocess.Popen(
            [str(binary()), *map(str, arguments)], stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, env=environment(**env),
        )
    try:
        yield Process(popen, log)
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()


def wait_until(done: object, timeout: float, what: str) -> None:
    """Polls a condition; fails with its description."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if done():  # type: ignore[operator]
            return
        time.sleep(0.2)
    raise AssertionError(f"waited {timeout:.0f} s for {what}")


def get(url: str, timeout: float = 5.0) -> str:
    """Body of an HTTP answer; raises OSError where there is none."""
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def get_json(url: str) -> object:
    """A JSON answer."""
    return json.loads(get(url))


def head(data: Path, chain: str = "job") -> int:
    """Number of the newest manifest of a chain; 0 where there is none."""
    numbers = [int(path.stem) for path in (data / "chains" / chain).glob("*.json")]
    return max(numbers, default=0)


# Tables that are no file of the public directory.
INNER = ("dead_records", "dead_replays")


def public_names(manifest: dict[str, object]) -> set[str]:
    """Public paths of the compacted files that a manifest names."""
    found = set()
    for entry in manifest["files"]:  # type: ignore[attr-defined]
        path = Path(entry["path"])
        if not path.name.startswith("rolled-") and entry["table"] not in INNER:
            name = f"{path.name.rsplit('-', 1)[0]}.parquet"
            found.add(f"{entry['table']}/date={path.parts[-2]}/{name}")
    return found


def rewrite(path: Path, manifest: dict[str, object]) -> None:
    """Forges a manifest, with the checksum that it needs: of the object without it."""
    manifest.pop("sha256", None)
    text = json.dumps(manifest, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f'{text[:-1]},"sha256":"{digest}"}}')


def watermark_us(data: Path) -> int:
    """Watermark of the newest manifest of the job."""
    newest = data / "chains" / "job" / f"{head(data):020}.json"
    return int(json.loads(newest.read_text())["watermark_us"])


def simulate(
    scenario: str, seed: int, rate: float, events: int, brokers: str, log: Path
) -> Answer:
    """Writes simulated traffic to Kafka, four partitions a topic, and its logs to a directory."""
    log.mkdir(parents=True, exist_ok=True)
    return call(
        "simulate", "--scenario", SCENARIOS / scenario, "--seed", str(seed), "--rate", str(rate),
        "--events", str(events), "--partitions", "4", "--out", "kafka", "--brokers", brokers,
        "--log", log,
    ).expect(0)

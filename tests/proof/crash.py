"""The crash test: nothing lost, nothing counted twice, proven by killing it.

    python tests/proof/crash.py --events 10000000 --kills 200 --hits 3 --report FILE

A real Kafka gets live traffic. Three processes share one data directory; whoever owns it is killed,
frozen past the takeover, ends itself at a failpoint, has its disk filled; brokers and ClickHouse are
killed too, ClickHouse loses answers, a subscriber of alerts restarts. Then everything is compared
with SQL over the simulator's log. Seeds are printed: the same seed plays the same dice, not the same
race.

`kill -9` keeps the page cache, so nothing here can show a missing fsync: tests/it/test_fsyncs.py does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import kafka  # noqa: E402
import oracle  # noqa: E402
import s3  # noqa: E402
import sendtally  # noqa: E402
import wire  # noqa: E402
from cast import Cast, addresses, failpoints  # noqa: E402
from clickhouse import ClickHouse  # noqa: E402
from conftest import Traffic  # noqa: E402
from differences import (  # noqa: E402
    DATABASE,
    account,
    alerts,
    doubled,
    evaluated_again,
    repeated,
    unnamed,
)

# Of the keys in the object store.
PREFIX = "job"
OWNER_S = 60.0
# How long an owner may take to come to its failpoint, by the first word of its name.
SLOW_POINTS = {"lake": 30.0, "commit": 20.0}
FAULTS = {"drop_after_apply": 0.08, "drop_before_apply": 0.04,
          "error": {"code": 252, "status": 500, "message": "Too many parts", "share": 0.04}}


@dataclass
class Play:
    """How hard and how long."""

    seed: int
    events: int
    rate: float
    kills: int
    hits: int
    binary: Path
    work: Path
    points: list[str] = field(default_factory=failpoints)
    mutant: str | None = None
    disk_mb: int = 0
    # Weight of freezing among the acts; killing has 70.
    freezes: int = 10
    # The data directory lives on an object store; each process has a cache of its own.
    store: bool = False


class Subscriber(threading.Thread):
    """Reads `/v1/alerts?after=` of whoever serves, and restarts now and then: it then goes on from
    the cursor that it stored last, so it may see a transition again, never miss one."""

    def __init__(self, listens: list[str], seed: int) -> None:
        super().__init__(daemon=True)
        self.listens, self.dice = listens, random.Random(seed)
        self.cursor, self.restarts = 0, 0
        self.received: dict[str, dict[str, object]] = {}
        self.order: list[str] = []
        self.differs: list[str] = []
        # Where the newest page that had nothing new ended, and when it was asked for.
        self.asked_us = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.3):
            for listen in self.listens:
                self.page(listen)

    def page(self, listen: str) -> None:
        """One page of one process, where it answers."""
        asked_us = time.time_ns() // 1000
        try:
            answer = sendtally.get_json(f"http://{listen}/v1/alerts?after={self.cursor}&limit=50")
        except (OSError, ValueError):
            return
        assert isinstance(answer, dict)
        if not answer["alerts"]:
            self.asked_us = max(self.asked_us, asked_us)
        for alert in answer["alerts"]:
            known = self.received.setdefault(alert["id"], alert)
            if known is alert:
                self.order.append(alert["id"])
            elif known != alert:
                self.differs.append(f"{known} became {alert}")
        if answer["alerts"] and self.dice.random() < 0.3:
            self.restarts += 1  # before the cursor was stored
            return
        self.cursor = int(answer["next"])


@dataclass
class Stage:
    """Everything that plays along."""

    play: Play
    node: kafka.Kafka
    front: ClickHouse
    cast: Cast
    producer: subprocess.Popen[bytes]
    subscriber: Subscriber
    dice: random.Random
    store: s3.S3 | None = None
    acts: Counter[str] = field(default_factory=Counter)
    inserts: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def lacking(self) -> list[str]:
        """Failpoints that were hit too seldom."""
        return [name for name in self.play.points if self.cast.hits[name] < self.play.hits]

    def sending(self) -> bool:
        """Whether the bulk of the traffic is still to come."""
        planned_s = self.play.events / self.play.rate + 15
        return self.producer.poll() is None and time.monotonic() - self.began < planned_s

    def over(self) -> bool:
        """Whether enough was killed; the producer's end comes after it."""
        return self.cast.kills["kill -9"] >= self.play.kills and not self.lacking()

    def act(self) -> None:
        """One act: somebody owns the chain and works, then something happens to it."""
        lacking = self.lacking()
        self.cast.refill(lacking)
        owner = self.cast.wait_for_owner(OWNER_S)
        began, _ = self.cast.head()
        deadline = time.monotonic() + OWNER_S
        while self.cast.head()[0] < began + 2 and owner.popen.poll() is None:
            assert time.monotonic() < deadline, f"the owner commits nothing:\n{owner.tail()}"
            time.sleep(0.05)
        if owner.armed in lacking:
            self.wait(owner, SLOW_POINTS.get(str(owner.armed).split("::")[0], 8.0))
        else:
            self.wait(owner, self.dice.uniform(0.0, 2.0))
        if owner.popen.poll() is not None:
            print(f"{time.monotonic() - self.began:7.1f} s  epoch {began:6}  {owner.armed}",
                  flush=True)
            return
        names = ["kill", "freeze", "kill both", "broker", "clickhouse", "disk", "store away"]
        weights = [70, self.play.freezes, 8, 3, 6, 3 if self.play.disk_mb else 0,
                   10 if self.store else 0]
        name = self.dice.choices(names, weights)[0]
        if self.store and not self.acts["store away"]:
            name = "store away"  # once at least, whatever the dice say
        self.acts[name] += 1
        print(f"{time.monotonic() - self.began:7.1f} s  epoch {self.cast.head()[0]:6}  {name}",
              flush=True)
        getattr(self, name.replace(" ", "_"))(owner)

    def wait(self, owner: object, seconds: float) -> None:
        """Sleeps, or until the owner ended itself."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and owner.popen.poll() is None:  # type: ignore[attr-defined]
            time.sleep(0.02)

    def kill(self, owner) -> None:  # type: ignore[no-untyped-def]
        """The owner dies."""
        self.cast.kill(owner, "kill -9")

    def kill_both(self, owner) -> None:  # type: ignore[no-untyped-def]
        """The owner and a standby die."""
        others = [actor for actor in self.cast.actors.values() if actor is not owner]
        for actor in [owner, *others[:1]]:
            self.cast.kill(actor, "kill -9")

    def freeze(self, owner) -> None:  # type: ignore[no-untyped-def]
        """The owner freezes, is taken over, and wakes as a zombie."""
        self.cast.freeze(owner)
        self.cast.wait_for_owner(OWNER_S)
        time.sleep(self.dice.choice([0.0, 0.5, 3.0]))
        self.cast.thaw(owner)
        self.cast.bury()

    def broker(self, _) -> None:  # type: ignore[no-untyped-def]
        """Kafka dies and comes back."""
        self.node.kill()
        time.sleep(self.dice.uniform(0.0, 2.0))
        self.node.start()

    def clickhouse(self, _) -> None:  # type: ignore[no-untyped-def]
        """ClickHouse dies and comes back with its faults."""
        self.front.kill()
        time.sleep(self.dice.uniform(0.0, 3.0))
        self.front.start()
        self.front.control(seed=self.dice.randrange(1 << 30), **FAULTS)

    def store_away(self, _) -> None:  # type: ignore[no-untyped-def]
        """The object store is gone for a while; when it is back, it loses the answers to manifests."""
        assert self.store is not None
        self.store.stop()
        time.sleep(self.dice.uniform(0.0, 8.0))
        self.store.faults.lost = self.dice.randrange(4)
        self.store.start()

    def disk(self, owner) -> None:  # type: ignore[no-untyped-def]
        """The disk is full for a while; the owner waits, or is killed meanwhile."""
        ballast = self.cast.data.parent / "ballast"
        with open(ballast, "wb") as file:
            try:
                while True:
                    file.write(b"\0" * (1 << 20))
                    file.flush()
            except OSError:
                pass
        time.sleep(self.dice.uniform(1.0, 3.0))
        if self.dice.random() < 0.5:
            self.cast.kill(owner, "kill -9")
        ballast.unlink()


def configurations(play: Play, stage: Stage, listens: list[str]) -> list[Path]:
    """A configuration a slot: they differ in the API's address, and on a store in the cache."""
    paths = []
    for slot, listen in enumerate(listens):
        data, extra = stage.cast.data, {"clickhouse": [f'url = "{stage.front.url}"']}
        if stage.store:
            data, keys = play.work / f"cache-{slot}", play.work / "credentials"
            keys.write_text(f"{s3.KEY_ID}\n{s3.SECRET}\n")
            extra["data"] = [f'store = "{stage.store.url(PREFIX)}"', "allow_http = true",
                             f'endpoint = "{stage.store.endpoint}"',
                             f'credentials_file = "{keys}"']
        config = sendtally.Config(
            data, stage.node.brokers, group="crash", listen=listen, extra=extra)
        path = play.work / f"slot-{slot}.toml"
        path.write_text("\n".join(config.lines()) + "\n")
        paths.append(path)
    return paths


def produce(play: Play, brokers: str) -> subprocess.Popen[bytes]:
    """Live traffic, as fast as the clock."""
    log = play.work / "log"
    log.mkdir()
    out = open(play.work / "simulate.log", "ab")
    return subprocess.Popen(
        [str(play.binary), "simulate", "--scenario", str(sendtally.SCENARIOS / "crash.yaml"),
         "--seed", str(play.seed), "--rate", str(play.rate), "--events", str(play.events),
         "--partitions", "4", "--out", "kafka", "--live", "--brokers", brokers, "--log", str(log)],
        stdout=out, stderr=out, stdin=subprocess.DEVNULL)


def perform(play: Play) -> dict[str, object]:
    """Plays and compares; raises where anything differs. Gives the report."""
    with ExitStack() as servers:
        node = servers.enter_context(kafka.Kafka())
        front = servers.enter_context(ClickHouse(play.work / "clickhouse"))
        store = servers.enter_context(s3.S3(play.work / "s3")) if play.store else None
        if store:
            store.faults.lose = lambda method, key: method == "PUT" and "/chains/" in key
        return played(play, node, front, store)


def played(
    play: Play, node: kafka.Kafka, front: ClickHouse, store: s3.S3 | None
) -> dict[str, object]:
    """As `perform`, with the servers there."""
    dice = random.Random(play.seed)
    data = store.files(PREFIX) if store else disk(play) / "data"
    listens = addresses(3)
    environment = {"SENDTALLY_GRACE_S": "4"}
    if play.mutant:
        environment["SENDTALLY_MUTANT"] = play.mutant
    front.control(seed=play.seed, **FAULTS)
    cast = Cast(play.binary, data, play.work, [], listens, dice, environment)
    subscriber = Subscriber(listens, play.seed)
    stage = Stage(play, node, front, cast, produce(play, node.brokers), subscriber, dice, store)
    cast.configs = configurations(play, stage, listens)
    if store:
        cast.away = {3}  # whoever starts while the store is away
    producer = stage.producer
    try:
        # All topics are made before the first record.
        sendtally.wait_until(node.has_records, 60, "records")
        subscriber.start()
        while not stage.over() or stage.sending():
            stage.act()
        if producer.poll() is None:
            producer.terminate()  # what is left are stragglers
            producer.wait(OWNER_S)
        assert producer.returncode == 0, (play.work / "simulate.log").read_text()[-2000:]
        cast.refill([])
        cast.wait_for_owner(OWNER_S)
        time.sleep(12)  # a window of the last events is due, and alerts after it
        subscriber.done.set()
        subscriber.join()
        cast.end()
    finally:
        cast.destroy()
        if producer.poll() is None:
            producer.kill()
    played_s = time.monotonic() - stage.began
    front.control()
    return report(play, stage, played_s, compare(play, stage, cast.configs[0]))


def compare(play: Play, stage: Stage, config: Path) -> dict[str, int]:
    """Drains, then compares lake, ClickHouse, ledger and alerts. Gives what was counted."""
    data = stage.cast.data
    environment = {**stage.cast.environment, "SENDTALLY_BIN": str(play.binary)}
    os.environ["SENDTALLY_BIN"] = str(play.binary)
    sendtally.call("run", "--config", config, "--until-end", **environment).expect(0)
    # From here all is compared, whatever one of it says: the play is an hour.
    found = sweep(stage, config, environment)
    # The sweep was live: what it changed is in ClickHouse, and public only after another drain.
    drained = sendtally.call("run", "--config", config, "--until-end", **environment)
    found += [] if drained.code == 0 else [f"the drain after the sweep: {drained}"]
    where = [data]
    if stage.store:
        where = [play.work / "looks", "--store", stage.store.url(PREFIX)]
        environment |= stage.store.environment()
    verified = sendtally.call("verify", "--data", *where, **environment)
    found += [] if verified.code == 0 else [f"verify: {verified}"]
    traffic = expected(play, stage.node)
    oracle.expect(traffic.expected, sendtally.watermark_us(data))
    found += traffic.differences(data)
    folder = play.work / "dump"
    oracle.attach_clickhouse(traffic.expected, stage.front, DATABASE, folder)
    found += oracle.row_differences(traffic.expected, data, folder)
    stage.inserts.update(str(entry["outcome"]) for entry in stage.front.log())
    found += doubled(traffic, stage.front)
    found += alerts(traffic, stage.subscriber, folder)
    found += evaluated_again(traffic, folder, data)
    found += oracle.differences(traffic.expected)
    found += repeated(traffic.expected)
    found += unnamed(data)
    assert not found, "\n".join(found)
    return account(traffic)


def sweep(stage: Stage, config: Path, environment: dict[str, str]) -> list[str]:
    """Lets a process live long enough to collect what nothing names; what went wrong."""
    log = stage.play.work / "sweep.log"
    ages = {"SENDTALLY_GRACE_S": "2", "SENDTALLY_ORPHAN_S": "1"}
    with open(log, "ab") as out:
        popen = subprocess.Popen(
            [str(stage.play.binary), "run", "--config", str(config)], stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, env={**sendtally.environment(**environment), **ages})
    try:
        sendtally.wait_until(
            lambda: "recovered" in log.read_text() or popen.poll() is not None, OWNER_S, "a start")
        sendtally.wait_until(lambda: not unnamed(stage.cast.data), OWNER_S, "orphans to go")
        wrong = []
    except AssertionError as error:
        wrong = [f"the sweep {error}"]
    finally:
        popen.terminate()
        code = popen.wait(OWNER_S)
    return wrong + ([f"the sweep ended with {code}: {log.read_text()[-3000:]}"] if code else [])


def expected(play: Play, node: kafka.Kafka) -> Traffic:
    """What the oracle derives from the log."""
    log = play.work / "log"
    categories = wire.write_categories(node.brokers, list(node.topics()), log / "categories.csv")
    connection = oracle.connect()
    connection.execute("SET memory_limit = '10GB'")
    connection.execute(f"SET temp_directory = '{play.work / 'duckdb'}'")
    oracle.load(connection, log / "log.csv", categories)
    return Traffic(node, log, connection)


def disk(play: Play) -> Path:
    """Where the data directory lies: on a file system of its own where its disk is to be filled."""
    place = play.work / "disk"
    place.mkdir()
    if play.disk_mb:
        image = play.work / "disk.img"
        with open(image, "wb") as file:
            file.truncate(play.disk_mb << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
    return place


def report(
    play: Play, stage: Stage, played_s: float, counts: dict[str, int]
) -> dict[str, object]:
    """What was done, as it is printed."""
    kills = stage.cast.kills
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude", "*"],
                            cwd=sendtally.ROOT, capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip() or "unknown",
        "binary_sha256": hashlib.sha256(play.binary.read_bytes()).hexdigest(), "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seed": play.seed, "rate": play.rate, "hits": play.hits,
        "events": counts["elements"], "bills": counts["bills"],
        "charge_lines": counts["charge_lines"], "played_s": round(played_s),
        "kills": kills["kill -9"] + kills["failpoint"], "by": dict(kills), "acts": dict(stage.acts),
        "failpoint_hits": dict(sorted(stage.cast.hits.items())),
        "processes": stage.cast.started, "alerts": len(stage.subscriber.order),
        "subscriber_restarts": stage.subscriber.restarts,
        "clickhouse": dict(stage.inserts),
        "lost": counts["lost"], "doubled": counts["doubled"],
    }


def needs(chosen: argparse.Namespace) -> str | None:
    """What the play lacks here: it is told before an hour has gone by."""
    if chosen.store or not chosen.disk_mb:
        return None
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return "a disk that can be filled needs root and mkfs.ext4; leave it out with --disk-mb 0"
    # Beside the disk: Kafka's log, ClickHouse's parts, what is compared.
    bytes_needed = (chosen.disk_mb << 20) + chosen.events * 1_600
    free = shutil.disk_usage(chosen.work).free
    if free < bytes_needed:
        return f"{chosen.work} has {free >> 30} GB free, this play takes up to {bytes_needed >> 30} GB"
    return None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rate", type=float, default=4_200.0)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--hits", type=int, default=3)
    parser.add_argument("--points", type=int, help="so many failpoints, drawn by the seed, not all")
    parser.add_argument("--disk-mb", type=int, default=24_000)
    parser.add_argument("--freezes", type=int, default=10)
    parser.add_argument("--store", action="store_true",
                        help="the data directory lives on an object store (tests/servers/s3.py)")
    parser.add_argument("--mutant")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--check", action="store_true", help="only say whether it can be played here")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True)
    if lacking := needs(chosen):
        print(f"crash.py: {lacking}", file=sys.stderr)
        chosen.work.rmdir()
        return 2
    if chosen.check:
        chosen.work.rmdir()
        return 0
    print(f"seed {chosen.seed}", flush=True)
    play = Play(chosen.seed, chosen.events, chosen.rate, chosen.kills, chosen.hits, chosen.binary,
                chosen.work, mutant=chosen.mutant, disk_mb=0 if chosen.store else chosen.disk_mb,
                freezes=chosen.freezes, store=chosen.store)
    if chosen.points:
        play.points = random.Random(chosen.seed).sample(play.points, chosen.points)
    try:
        told = json.dumps(perform(play), indent=2)
    finally:
        if play.disk_mb:
            subprocess.run(["umount", "-l", chosen.work / "disk"], check=False)
    print(told)
    if chosen.report:
        chosen.report.write_text(told + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One Apache Kafka node (KRaft, loopback, temporary data) for the integration cases.

As a context manager (`with Kafka() as kafka:`) or from the command line:

    python kafka.py start [--dir DIR]    prints the addresses; the node runs until `stop`
    python kafka.py stop --dir DIR

Its listeners are open at once: PLAINTEXT without a password, SASL_PLAINTEXT and SASL_SSL with the
mechanisms PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, and SSL. The certificate is made at `format` and
signed by itself: `ca.pem` beside the data is what a client has to trust. Old and future record times are allowed and nothing is ever
deleted by age, because simulated time is not the wall clock's.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

HERE = Path(__file__).resolve().parent
USER, PASSWORD = "sendtally", "secret-of-the-test"
READY_TIMEOUT_S = 90

LISTENERS = {
    "plain": "PLAINTEXT://127.0.0.1", "sasl": "SASL_PLAINTEXT://127.0.0.1",
    "ssl": "SSL://localhost", "sasl_ssl": "SASL_SSL://localhost",
}
MECHANISMS = {
    "plain": 'plain.PlainLoginModule required user_{user}="{password}";',
    "scram-sha-256": "scram.ScramLoginModule required;",
    "scram-sha-512": "scram.ScramLoginModule required;",
}
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,\
SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PKCS12
ssl.keystore.location={root}/keys.p12
ssl.keystore.password={password}
ssl.key.password={password}
log.dirs={data}
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=134217728
log.retention.ms=-1
log.message.timestamp.before.max.ms=9223372036854775807
log.message.timestamp.after.max.ms=9223372036854775807
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def cache_dir() -> Path:
    """Where downloads stay between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sendtally"


def free_ports(count: int) -> list[int]:
    """Free ports of the loopback address; all are held until all are found."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def jars() -> Path:
    """Kafka's jars, fetched by Maven at the first call and kept until pom.xml changes."""
    pom = HERE / "pom.xml"
    target = cache_dir() / "kafka"
    stamp = target / "pom.xml"
    if stamp.exists() and stamp.read_bytes() == pom.read_bytes():
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(pom, work)
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
        subprocess.run([*command, "-DincludeScope=runtime"], cwd=work, check=True)
    shutil.copy(pom, stamp)
    return target


def java(main: str, *arguments: str) -> list[str]:
    """The command line of one of Kafka's main classes."""
    options = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return ["java", *options, log, "-cp", f"{jars()}/*", main, *arguments]


@dataclass
class Kafka:
    """A node and its files. `stop` ends it in good order, `kill` at once; both can be undone by
    `start`, which finds the same ports and the same data."""

    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sendtally-kafka-")))
    keep: bool = False

    def __enter__(self) -> Kafka:
        self.format()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def format(self) -> None:
        """Chooses ports, writes the configuration and formats the storage."""
        names = [*LISTENERS, "controller"]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "ports.json").write_text(json.dumps(ports))
        self.certify()
        (self.root / "server.properties").write_text(self.properties(ports))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").lstrip("-")
        config = ["-c", str(self.root / "server.properties")]
        arguments = ["format", "--standalone", "-t", cluster, *config]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            arguments += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        done = subprocess.run(
            java("kafka.tools.StorageTool", *arguments), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"formatting Kafka's storage failed: {done.stdout}{done.stderr}")

    def properties(self, ports: dict[str, int]) -> str:
        """The broker's configuration."""
        text = PROPERTIES.format(
            listeners=",".join(f"{where}:{ports[name]}" for name, where in LISTENERS.items()),
            controller=ports["controller"], data=self.root / "data", root=self.root,
            password=PASSWORD)
        for listener in ("sasl_plaintext", "sasl_ssl"):
            for mechanism, module in MECHANISMS.items():
                login = module.format(user=USER, password=PASSWORD)
                text += (f"listener.name.{listener}.{mechanism}.sasl.jaas.config="
                         f"org.apache.kafka.common.security.{login}\n")
        return text

    def certify(self) -> None:
        """Makes the key of the TLS listeners and the certificate that clients trust."""
        store = ["-keystore", str(self.root / "keys.p12"), "-storepass", PASSWORD, "-alias", "k"]
        pair = ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-storetype", "PKCS12",
                "-ext", "san=dns:localhost,ip:127.0.0.1", "-ext", "bc:c", "-validity", "30"]
        export = ["-exportcert", "-rfc", "-file", str(self.ca)]
        for arguments in (pair, export):
            subprocess.run(["keytool", *arguments, *store], capture_output=True, check=True)

    @property
    def ca(self) -> Path:
        """The certificate that a client of the TLS listeners has to trust."""
        return self.root / "ca.pem"

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        with open(self.root / "kafka.log", "ab") as log:
            process = subprocess.Popen(
                java("kafka.Kafka", str(self.root / "server.properties")),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )
        (self.root / "pid").write_text(str(process.pid))
        self.wait_ready(process)

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Returns when metadata come; raises with the log's tail when the process ends."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"Kafka ended at start:\n{self.log_tail()}")
            try:
                self.admin().list_topics(timeout=2)
                return
            except KafkaException:
                time.sleep(0.2)
        raise RuntimeError(f"Kafka was not ready in {READY_TIMEOUT_S} s:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of the node's log."""
        return "\n".join((self.root / "kafka.log").read_text().splitlines()[-30:])

    def pid(self) -> int | None:
        """The process, if `start` was called last."""
        try:
            return int((self.root / "pid").read_text())
        except FileNotFoundError:
            return None

    def stop(self) -> None:
        """Ends the node in good order."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the node at once."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> None:
        """Sends a signal and waits until the process is gone."""
        pid = self.pid()
        if pid is None:
            return
        (self.root / "pid").unlink()
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return
        while is_running(pid):
            time.sleep(0.05)

    def ports(self) -> dict[str, int]:
        """Ports by name: those of LISTENERS, controller."""
        return json.loads((self.root / "ports.json").read_text())

    @property
    def brokers(self) -> str:
        """Address of the listener without a password."""
        return f"127.0.0.1:{self.ports()['plain']}"

    @property
    def sasl_brokers(self) -> str:
        """Address of the listener with a password."""
        return f"127.0.0.1:{self.ports()['sasl']}"

    def tls_brokers(self, sasl: bool) -> str:
        """Address of the TLS listener, with or without a password."""
        return f"localhost:{self.ports()['sasl_ssl' if sasl else 'ssl']}"

    def admin(self) -> AdminClient:
        """An administration client that does not print its connection attempts."""
        return AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})

    def create_topics(self, names: list[str], partitions: int, **settings: str) -> None:
        """Creates topics and waits until they are there; `_` in settings stands for a point."""
        admin = self.admin()  # it must outlive its answers
        config = {name.replace("_", "."): value for name, value in settings.items()}
        topics = [NewTopic(name, num_partitions=partitions, config=config) for name in names]
        for future in admin.create_topics(topics).values():
            future.result(timeout=30)

    def topics(self) -> dict[str, int]:
        """Names and partition counts, Kafka's own topics left out."""
        found = self.admin().list_topics(timeout=10).topics
        return {n: len(t.partitions) for n, t in found.items() if not n.startswith("__")}

    def has_records(self) -> bool:
        """Whether the first records are there; topics that are being made answer with errors."""
        try:
            return sum(self.end_offsets().values()) > 0
        except KafkaException:
            return False

    def end_offsets(self) -> dict[tuple[str, int], int]:
        """End of the log of each partition, control records counted."""
        client = Consumer({
            "bootstrap.servers": self.brokers,
            "group.id": "watermarks",
            "isolation.level": "read_uncommitted",
        })
        try:
            places = [(t, p) for t, count in self.topics().items() for p in range(count)]
            return {
                place: client.get_watermark_offsets(TopicPartition(*place))[1] for place in places
            }
        finally:
            client.close()


def is_running(pid: int) -> bool:
    """Whether the process still runs; reaps it where it is a child of this process."""
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
        return done == 0
    except ChildProcessError:
        return Path(f"/proc/{pid}").exists()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "sendtally-kafka")
    chosen = parser.parse_args()
    node = Kafka(chosen.dir, keep=True)
    if chosen.command == "stop":
        node.stop()
        shutil.rmtree(chosen.dir, ignore_errors=True)
        return 0
    if not (chosen.dir / "server.properties").exists():
        node.format()
    node.start()
    print(f"brokers {node.brokers}")
    print(f"sasl    {node.sasl_brokers}  user {USER} password {PASSWORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

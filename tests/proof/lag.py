"""How far a data directory is behind Kafka: ends of the partitions as a client sees them, offsets as
the newest manifest has them.

    ends       ──12──14──15──17──►   sampled every 100 ms, with the time
    committed  ──────12──────17──►   of the newest manifest
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import kafka
import sendtally
from confluent_kafka import Consumer, KafkaException, TopicPartition

Place = tuple[str, int]
SAMPLE_S = 0.1
# In step: committed is what the log had this long ago. An epoch takes a second.
STEP_S = 1.5


def committed(data: Path) -> dict[Place, int]:
    """Next offset of each partition, of the newest manifest; empty before the first."""
    number = sendtally.head(data)
    try:
        text = (data / "chains" / "job" / f"{number:020}.json").read_text()
        inputs = json.loads(text)["inputs"]
    except (FileNotFoundError, ValueError):
        return {}
    return {(entry["topic"], int(entry["partition"])): int(entry["end_offset"]) for entry in inputs}


class Ends(threading.Thread):
    """Samples the ends of all partitions."""

    def __init__(self, node: kafka.Kafka) -> None:
        super().__init__(daemon=True)
        self.places = [(topic, number) for topic, count in node.topics().items()
                       for number in range(count)]
        self.client = Consumer({"bootstrap.servers": node.brokers, "group.id": "ends",
                                "isolation.level": "read_committed"})
        self.samples: list[tuple[float, dict[Place, int]]] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(SAMPLE_S):
            at = time.monotonic()
            try:
                ends = {place: self.client.get_watermark_offsets(TopicPartition(*place))[1]
                        for place in self.places}
            except KafkaException:
                continue
            self.samples.append((at, ends))
            del self.samples[:-600]
        self.client.close()

    def before(self, at: float) -> dict[Place, int] | None:
        """The newest sample that was taken before."""
        for taken, ends in reversed(self.samples):
            if taken <= at:
                return ends
        return None

    def in_step(self, data: Path) -> bool:
        """Whether the newest manifest has everything that the log had a step ago."""
        ends = self.before(time.monotonic() - STEP_S)
        if ends is None:
            return False
        done = committed(data)
        return all(done.get(place, 0) >= end for place, end in ends.items())


def quantile(values: list[float], q: float) -> float:
    """The value at rank ⌈q·n⌉."""
    ordered = sorted(values)
    return ordered[max(0, -int(-q * len(ordered) // 1) - 1)]

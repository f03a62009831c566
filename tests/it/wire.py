"""The few facts of a record that the simulator's log does not show, read from Kafka itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

POLL_S = 10.0


def records(brokers: str, topic: str) -> Iterator[Message]:
    """Every committed record of a topic up to its present end."""
    client = Consumer({
        "bootstrap.servers": brokers, "group.id": "wire", "enable.partition.eof": True,
        "log_level": 0,
    })
    partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
    client.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    left = len(partitions)
    try:
        while left:
            message = client.poll(POLL_S)
            assert message is not None, f"no record of {topic} in {POLL_S} s"
            if message.error():
                left -= 1
            else:
                yield message
    finally:
        client.close()


def categories(value: bytes) -> list[str | None]:
    """Pricing category of each status of a WhatsApp record, by element; none of a broken one."""
    try:
        body = json.loads(value)
    except ValueError:
        return []
    found: list[str | None] = []
    for entry in body.get("entry", []):
        for change in entry.get("changes", []):
            content = change.get("value", {})
            found += [s.get("pricing", {}).get("category") for s in content.get("statuses", [])]
            found += [None] * len(content.get("messages", []))
    return found


def write_categories(brokers: str, topics: list[str], out: Path) -> Path:
    """Writes topic,partition,offset,element,category of every priced WhatsApp status."""
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for topic in topics:
            for message in records(brokers, topic):
                value = message.value() or b""
                if b"whatsapp_business_account" not in value[:60]:
                    continue
                for element, category in enumerate(categories(value)):
                    if category is not None:
                        writer.writerow([topic, message.partition(), message.offset(), element,
                                         category])
    return out

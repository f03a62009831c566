"""Dead letters: kept only encrypted, shown only with the key, replayed once and exactly.

A fix is simulated by configuration: a topic (or a file, whose topic is `file:<sha256>`) had no
source, or a vendor's key was wrong; then it is put right.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import kafka
import pyarrow.parquet
import pytest
import s3
import scan
import sendtally
from confluent_kafka import Producer, TopicPartition

KEY, OTHER = "ab" * 32, "cd" * 32
NUMBER = "385915550777"
NEEDLES = scan.Needles.of([NUMBER], ["PLANTED-BODY-7f3a"])
# More than two epochs of a replay.
MANY = 10_000


def element(name: str, day: str = "2026-03-02") -> dict[str, object]:
    """An Infobip report of a planted number."""
    return {
        "messageId": name, "to": NUMBER, "text": "PLANTED-BODY-7f3a",
        "sentAt": f"{day}T23:50:00.000+0000", "doneAt": f"{day}T23:50:01.000+0000",
        "messageCount": 1, "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5,
                                      "name": "DELIVERED_TO_HANDSET"}}


def line(elements: list[dict[str, object]], **headers: str) -> str:
    """A record as `load --records` reads it."""
    return json.dumps({"headers": headers, "value": json.dumps({"results": elements})}) + "\n"


def records(path: Path) -> Path:
    """Of eight elements one is an event, one has no id, two records name no source."""
    nameless = {key: value for key, value in element("x").items() if key != "messageId"}
    path.write_text(
        line([element("a-0"), nameless], source="infobip")
        + line([element("b-0"), element("b-1"), element("b-2"), nameless])
        + line([element("c-0")], url=f"/in?to={NUMBER}"))
    return path


def load(data: Path, file: Path, key: str | None = KEY, **env: str) -> sendtally.Answer:
    """`load` of records, with the key of dead letters."""
    keys = {"SENDTALLY_DEAD_LETTER_KEY": key} if key else {}
    named = ["--store", env.pop("STORE")] if "STORE" in env else []
    return sendtally.call("load", "--records", file, "--data", data, *named,
                          SENDTALLY_KEY=sendtally.SECRET, **keys, **env).expect(0)


def letters(command: str, *arguments: str | Path, **env: str) -> sendtally.Answer:
    """A command about dead letters."""
    env.setdefault("SENDTALLY_DEAD_LETTER_KEY", KEY)
    return sendtally.call("dead-letters", command, *arguments, **env)


def configured(data: Path, keys: str = KEY, topics: str = "^file:", more: str = "") -> Path:
    """A configuration in which a topic has a source."""
    key = data.parent / "dead.key"
    key.write_text(keys)
    config = sendtally.Config(data, "127.0.0.1:1", topics=topics,
                              extra={"dead_letters": [f'key_file = "{key}"']})
    path = config.write()
    path.write_text(path.read_text() + 'source = "infobip"\n' + more)
    return path


def summary(answer: sendtally.Answer) -> dict[str, int]:
    """What a replay tells programs."""
    return json.loads(answer.err.strip().splitlines()[-1])["summary"]


def rows(data: Path, query: str, *place: str, **env: str) -> list[dict[str, object]]:
    """Rows of a query."""
    answer = sendtally.call("sql", query, "--data", data, "--format", "json", *place, **env)
    return answer.expect(0).rows()


def totals(data: Path, *place: str, **env: str) -> dict[str, object]:
    """The ledger's sums, and what is stored."""
    query = ("SELECT sum(elements) AS elements, sum(accepted) AS accepted, sum(dead) AS dead, "
             "sum(duplicate) AS duplicate, (SELECT count(*) FROM events) AS events, "
             "(SELECT count(DISTINCT message_key) FROM messages) AS messages FROM ledger")
    return rows(data, query, *place, **env)[0]


def first_position(data: Path, offset: int) -> str:
    """TOPIC/PARTITION/OFFSET of a record of the only file."""
    [row] = rows(data, "SELECT DISTINCT topic FROM dead_letters WHERE topic LIKE 'file:%'")
    return f"{row['topic']}/0/{offset}"


# What is kept.

def test_without_a_key_nothing_of_a_payload_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load(data, records(tmp_path / "a.jsonl"), key=None)
    answer = letters("list", "--data", data, "--format", "json").expect(0, "unknown_source")
    assert [row["kept"] for row in answer.rows()] == [False] * 3
    [kept] = (data / "lake" / "dead_records").rglob("0*.parquet")
    table = pyarrow.parquet.read_table(kept, partitioning=None)
    assert table.column("sealed").null_count == table.num_rows == 3
    assert sorted(table.column("elements").to_pylist()) == [1, 1, 2]
    letters("show", first_position(data, 1), "--payload", "--data", data).expect(2, "not kept")
    told = summary(letters("replay", "--config", configured(data)).expect(0, "no kept payload"))
    assert (told["not_kept"], told["replayed"]) == (3, 0)


def test_with_a_key_records_are_kept_and_no_scan_finds_them(tmp_path: Path) -> None:
    data, config = tmp_path / "data", configured(tmp_path / "data")
    load(data, records(tmp_path / "a.jsonl"))
    listed = letters("list", "--data", data)
    assert listed.expect(0).out.count("| true |") == 3 and "missing_id" in listed.out
    shown = letters("show", first_position(data, 2), "--data", data).expect(0)
    replayed = letters("replay", "--config", config).expect(0)
    tested = tmp_path / "told.txt"
    tested.write_text(listed.out + listed.err + shown.out + shown.err + replayed.err)
    files = [path for path in scan.files_below(data) if path.stat().st_size]
    kinds = {path.relative_to(data).parts[1] for path in files if path.parts[-4] == "lake"}
    assert "dead_records" in kinds and "events" in kinds
    found = scan.findings([*files, tested], NEEDLES)
    assert not found, "\n".join(found)
    # The control: what is opened has it, and the same scan finds it there.
    opened = letters("show", first_position(data, 2), "--payload", "--data", data)
    opened.expect(0, "personal data")
    tested.write_text(opened.out)
    assert scan.findings([tested], NEEDLES)
    record = json.loads(opened.out)["record"]
    assert record["headers"]["url"] == f"/in?to={NUMBER}" and "c-0" in record["value"]


def test_kept_records_are_in_no_public_file_no_table_and_no_clickhouse(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load(data, records(tmp_path / "a.jsonl"))
    assert {path.name for path in (data / "public").iterdir()} >= {"dead_letters", "events"}
    assert not (data / "public" / "dead_records").exists()
    sendtally.call("sql", "SELECT * FROM dead_records", "--data", data).expect(2, "dead_records")
    assert "dead_re" not in sendtally.call("schemas", "--clickhouse").expect(0).out


def test_a_key_that_is_none_is_refused_and_not_shown(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load(data, records(tmp_path / "a.jsonl"))
    for wrong in ("ab12", "zz" * 32):
        answer = letters("replay", "--data", data, SENDTALLY_DEAD_LETTER_KEY=wrong)
        assert wrong not in answer.expect(2, "64 hex digits").err


# Another key.

def test_a_wrong_key_ends_with_2_and_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load(data, records(tmp_path / "a.jsonl"))
    before = sendtally.head(data)
    position = first_position(data, 1)
    wrong = {"SENDTALLY_DEAD_LETTER_KEY": OTHER, "SENDTALLY_KEY": sendtally.SECRET}
    letters("show", position, "--payload", "--data", data, **wrong).expect(2, "not configured")
    letters("replay", "--data", data, **wrong).expect(2, "not configured", "key_file")
    assert sendtally.head(data) == before
    none = sendtally.call("dead-letters", "replay", "--data", data)
    none.expect(2, "SENDTALLY_DEAD_LETTER_KEY")


def test_an_older_key_still_opens_while_both_are_configured(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load(data, records(tmp_path / "a.jsonl"), key=OTHER)
    later = tmp_path / "b.jsonl"
    later.write_text(line([element("z-0")]))
    both = configured(data, keys=f"{KEY}\n{OTHER}\n")
    load(data, later, key=f"{KEY} {OTHER}")
    # With the new key alone the records of the old one are named, and the others replayed.
    told = summary(letters("replay", "--config", configured(data)).expect(0, "another key"))
    assert (told["other_key"], told["replayed"], told["accepted"]) == (3, 1, 1)
    configured(data, keys=f"{KEY}\n{OTHER}\n")
    told = summary(letters("replay", "--config", both).expect(0))
    assert (told["other_key"], told["replayed"], told["already_replayed"]) == (0, 2, 1)


# Replay.

def test_a_replay_gives_each_letter_once_and_the_ledger_stays_exact(tmp_path: Path) -> None:
    data, config = tmp_path / "data", configured(tmp_path / "data")
    load(data, records(tmp_path / "a.jsonl"))
    assert totals(data) == {"elements": 4, "accepted": 1, "dead": 3, "duplicate": 0, "events": 1,
                            "messages": 1}
    dry = summary(letters("replay", "--dry-run", "--config", config).expect(0, "would be"))
    assert (dry["replayed"], dry["events"], dry["new_dead"], dry["still_dead"]) == (2, 4, 1, 1)
    assert totals(data)["events"] == 1
    told = summary(letters("replay", "--config", config).expect(0))
    # The element without an id is still dead; of the record that was dead as a whole one is.
    assert (told["replayed"], told["accepted"], told["new_dead"], told["still_dead"]) == (2, 4, 1, 1)
    # 4 read at first, then 5 of the two records: 4 events and a new letter.
    after = {"elements": 9, "accepted": 5, "dead": 4, "duplicate": 0, "events": 5, "messages": 5}
    assert totals(data) == after
    again = summary(letters("replay", "--config", config).expect(0, "nothing to do"))
    assert (again["replayed"], again["already_replayed"], again["still_dead"]) == (0, 2, 2)
    assert totals(data) == after
    sendtally.call("verify", "--data", data).expect(0)
    listed = letters("list", "--data", data, "--format", "json", "--reason", "unknown_source")
    assert [row["replayed"] for row in listed.expect(0).rows()] == [True, True]
    shown = json.loads(letters("show", first_replayed(data), "--data", data).expect(0).out)
    assert shown["letters"][0]["replayed_as"].startswith("dead:file:")
    query = "SELECT count(DISTINCT topic) AS topics, min(\"offset\") AS low FROM events " \
            "WHERE topic LIKE 'dead:%'"
    assert rows(data, query) == [{"topics": 1, "low": 0}]


def first_replayed(data: Path) -> str:
    """Position of a letter that named no source."""
    query = "SELECT topic, \"offset\" FROM dead_letters WHERE reason = 'unknown_source' LIMIT 1"
    [row] = rows(data, query)
    return f"{row['topic']}/0/{row['offset']}"


def test_a_file_that_was_loaded_as_of_a_wrong_source_is_read_as_of_the_right_one(tmp_path: Path) -> None:
    """By the command line, by a header, and none of it twice; what was verified was another source's."""
    data, file = tmp_path / "data", tmp_path / "a.jsonl"
    verified = line([element("b-0")], verified="true")
    file.write_text(line([element("a-0")], source="infobib") + verified)
    load_as = ["load", "--records", "--source", "bird", file, "--data", data]
    keys = {"SENDTALLY_DEAD_LETTER_KEY": KEY, "SENDTALLY_KEY": sendtally.SECRET}
    sendtally.call(*load_as, **keys).expect(0, "2 dead letters")
    load_as[3] = "infobip"
    sendtally.call(*load_as, **keys).expect(0, "already loaded", "--as")
    letters("replay", "--as", "infobib", "--data", data).expect(2, "`infobib` is unknown")
    again = ["replay", "--as", "infobip", "--data", data]
    told = summary(letters(*again, SENDTALLY_KEY=sendtally.SECRET).expect(0))
    assert (told["replayed"], told["events"], told["still_dead"]) == (2, 2, 0), told
    told = summary(letters(*again, SENDTALLY_KEY=sendtally.SECRET).expect(0, "nothing to do"))
    assert told["already_replayed"] == 2, told
    query = "SELECT source, message_id, verified FROM events ORDER BY message_id"
    assert rows(data, query) == [{"source": "infobip", "message_id": "a-0", "verified": None},
                                 {"source": "infobip", "message_id": "b-0", "verified": None}]
    sendtally.call("verify", "--data", data).expect(0)


def test_filters_choose_what_is_replayed(tmp_path: Path) -> None:
    data, config = tmp_path / "data", configured(tmp_path / "data")
    load(data, records(tmp_path / "a.jsonl"))
    for none in (["--reason", "syntax"], ["--since", "2030-01-01"], ["--source", "twilio"],
                 ["--topic", "o'clock"]):
        told = summary(letters("replay", "--config", config, *none).expect(0))
        assert (told["letters"], told["replayed"]) == (0, 0), none
    for wrong in (["--reason", "bad"], ["--since", "soon"], ["--source", "twillio"]):
        letters("replay", "--config", config, *wrong).expect(2, wrong[1])
    letters("show", "nowhere", "--data", data).expect(2, "TOPIC/PARTITION/OFFSET")
    some = ["--reason", "unknown_source", "--since", "2026-03-02", "--source", "unknown"]
    assert summary(letters("replay", "--config", config, *some).expect(0))["replayed"] == 2


def test_a_redelivery_of_what_counted_before_is_a_duplicate(tmp_path: Path) -> None:
    data, config = tmp_path / "data", configured(tmp_path / "data")
    load(data, records(tmp_path / "a.jsonl"))
    # The vendor sent one of the lost reports again, and that time it was read.
    again = tmp_path / "again.jsonl"
    again.write_text(line([element("b-1")], source="infobip"))
    load(data, again)
    told = summary(letters("replay", "--config", config).expect(0))
    assert (told["accepted"], told["duplicate"]) == (3, 1)
    assert totals(data)["messages"] == 5
    sendtally.call("verify", "--data", data).expect(0)


def test_a_kill_in_the_middle_and_another_replay_give_each_letter_once(tmp_path: Path) -> None:
    data, config = tmp_path / "data", configured(tmp_path / "data")
    many = tmp_path / "many.jsonl"
    many.write_text("".join(line([element(f"m-{number}")]) for number in range(MANY)))
    load(data, many)
    assert totals(data)["dead"] == MANY
    before = sendtally.head(data)
    with sendtally.running("dead-letters", "replay", "--config", config,
                           log=tmp_path / "log") as process:
        # The takeover, and an epoch with letters.
        sendtally.wait_until(lambda: sendtally.head(data) >= before + 2, 300, "an epoch")
        process.end(signal.SIGKILL)
    between = int(str(totals(data)["accepted"]))
    assert 0 < between < MANY, between
    told = summary(letters("replay", "--config", config).expect(0))
    assert (told["already_replayed"], told["accepted"]) == (between, MANY - between)
    after = totals(data)
    assert (after["accepted"], after["events"], after["messages"]) == (MANY,) * 3
    assert after["duplicate"] == 0
    assert summary(letters("replay", "--config", config).expect(0))["already_replayed"] == MANY
    sendtally.call("verify", "--data", data).expect(0)


def test_retention_takes_records_and_replays_with_their_letters(tmp_path: Path) -> None:
    data, config = tmp_path / "data", configured(tmp_path / "data")
    load(data, records(tmp_path / "a.jsonl"))
    later = tmp_path / "later.jsonl"
    later.write_text(line([element("late-0", "2026-03-20"), {}], source="infobip"))
    load(data, later)
    config.write_text(config.read_text().replace("[sink]", "[retention]\ndead_letters = 2\n[sink]"))
    assert summary(letters("replay", "--config", config).expect(0))["replayed"] == 2
    left = letters("list", "--data", data, "--format", "json").expect(0).rows()
    assert [str(row["ingest_time"])[:10] for row in left] == ["2026-03-20"]
    newest = max((data / "chains" / "lake").glob("0*.json"))
    files = [file["path"] for file in json.loads(newest.read_text())["files"]]
    dates = {path.split("/")[2] for path in files if path.startswith("lake/dead_")}
    assert dates == {"2026-03-20"}
    assert summary(letters("replay", "--config", config).expect(0))["letters"] == 1
    sendtally.call("verify", "--data", data).expect(0)


def test_in_a_store_a_replay_from_any_cache_is_once(tmp_path: Path) -> None:
    with s3.S3(tmp_path / "s3") as store:
        env, url = store.environment(), store.url("a/b")
        load(tmp_path / "one", records(tmp_path / "a.jsonl"), STORE=url, **env)
        config = configured(tmp_path / "two")
        told = letters("replay", "--config", config, "--store", url, **env).expect(0)
        assert (summary(told)["replayed"], summary(told)["accepted"]) == (2, 4)
        place = ["--data", tmp_path / "three", "--store", url]
        again = letters("replay", *place, SENDTALLY_KEY=sendtally.SECRET, **env).expect(0)
        assert (summary(again)["replayed"], summary(again)["already_replayed"]) == (0, 2)
        position = letters("list", *place, "--format", "json", **env).expect(0).rows()[0]
        name = f"{position['topic']}/{position['partition']}/{position['offset']}"
        assert NUMBER in letters("show", name, "--payload", *place, **env).expect(0).out
        sendtally.call("verify", *place, **env).expect(0)
        files = [path for path in scan.files_below(tmp_path / "s3") if path.stat().st_size]
        assert any("dead_records" in path.parts for path in files)
        found = scan.findings(files, NEEDLES)
        assert not found, "\n".join(found)


# On Kafka.

SECRETS = {"right": "the-app-secret", "wrong": "another-secret"}


@pytest.fixture
def node() -> Iterator[kafka.Kafka]:
    """A Kafka of the case's own."""
    with kafka.Kafka() as one:
        yield one


def whatsapp(number: int) -> tuple[bytes, dict[str, str]]:
    """A signed status of a message."""
    status = {"id": f"wamid.{number}", "status": "delivered", "timestamp": str(int(time.time()) - 60),
              "recipient_id": NUMBER}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"},
             "statuses": [status]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [
        {"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()
    mac = hmac.new(SECRETS["right"].encode(), body, hashlib.sha256).hexdigest()
    return body, {"source": "whatsapp", "http-x-hub-signature-256": f"sha256={mac}"}


def signed(data: Path, brokers: str, which: str) -> Path:
    """A configuration that requires WhatsApp's signatures, by the right or a wrong key."""
    secret = data.parent / f"{which}.key"
    secret.write_text(SECRETS[which])
    path = configured(data, topics=r"^messaging\\..*", more=(
        f'signatures = "require"\n[[signatures]]\nsource = "whatsapp"\n'
        f'secret_files = ["{secret}"]\n'))
    text = path.read_text().replace("127.0.0.1:1", brokers).replace('source = "infobip"\n', "", 1)
    path.write_text(text)
    return path


@pytest.mark.servers
def test_a_wrong_vendors_key_put_right_replays_what_was_unverified(
    node: kafka.Kafka, tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    node.create_topics(["messaging.whatsapp"], 2)
    producer = Producer({"bootstrap.servers": node.brokers})
    for number in range(40):
        body, headers = whatsapp(number)
        if number == 7:
            body = body.replace(b"delivered", b"read-by-x")
        producer.produce("messaging.whatsapp", body, headers=headers, partition=number % 2)
    assert producer.flush(30) == 0
    wrong = signed(data, node.brokers, "wrong")
    sendtally.call("run", "--config", wrong, "--until-end").expect(0)
    assert totals(data)["dead"] == 40
    # Without the vendors' keys the topic's rule still stands: nothing slips in unverified.
    alone = letters("replay", "--data", data, SENDTALLY_KEY=sendtally.SECRET).expect(0)
    assert (summary(alone)["still_dead"], summary(alone)["replayed"]) == (40, 0)
    with sendtally.running("run", "--config", wrong, log=tmp_path / "log") as process:
        process.wait_for("recovered", 60)
        letters("replay", "--config", wrong).expect(3, "pid-", "running process")
        letters("list", "--config", wrong).expect(0)
        process.end(signal.SIGTERM)
    right = signed(data, node.brokers, "right")
    told = summary(letters("replay", "--config", right).expect(0))
    assert (told["accepted"], told["still_dead"]) == (39, 1)
    told = summary(letters("replay", "--config", right).expect(0))
    assert (told["replayed"], told["already_replayed"]) == (0, 39)
    # The job goes on beside inputs that are no topics.
    body, headers = whatsapp(99)
    producer.produce("messaging.whatsapp", body, headers=headers)
    assert producer.flush(30) == 0
    sendtally.call("run", "--config", right, "--until-end").expect(0)
    query = "SELECT count(*) AS n, count(DISTINCT message_id) AS ids FROM events"
    assert rows(data, query) == [{"n": 40, "ids": 40}]
    sendtally.call("verify", "--data", data).expect(0)
    found = scan.findings(scan.files_below(data), NEEDLES)
    assert not found, "\n".join(found)


def test_what_the_gateway_found_right_stands_by_any_key(tmp_path: Path) -> None:
    data, file, secret = tmp_path / "data", tmp_path / "a.jsonl", tmp_path / "wrong.key"
    body, headers = whatsapp(1)
    del headers["source"]
    record = {"headers": headers | {"verified": "true"}, "value": body.decode()}
    file.write_text(json.dumps(record) + "\n")
    load(data, file)
    secret.write_text(SECRETS["wrong"])
    config = configured(data, more=(f'signatures = "require"\n[[signatures]]\nsource = "whatsapp"\n'
                                    f'secret_files = ["{secret}"]\n'))
    config.write_text(config.read_text().replace('"infobip"', '"whatsapp"', 1))
    told = summary(letters("replay", "--config", config).expect(0))
    assert (told["replayed"], told["still_dead"]) == (1, 0), told
    found = rows(data, "SELECT verified, verified_reason FROM events")
    assert found == [{"verified": True, "verified_reason": "header"}]


@pytest.mark.servers
def test_a_gateways_wrong_key_put_right_replays_what_it_found_wrong(
    node: kafka.Kafka, tmp_path: Path,
) -> None:
    """A recorded `verified: false` is asked anew where there is a key of its account."""
    data, topic = tmp_path / "data", "messaging.gateway"
    node.create_topics([topic], 1)
    producer = Producer({"bootstrap.servers": node.brokers})
    for number in range(4):
        body, headers = whatsapp(number)
        if number == 3:
            body = body.replace(b"delivered", b"read-by-x")
        headers |= {"account": "waba", "verified": "false"}
        producer.produce(topic, body, headers=headers)
    assert producer.flush(30) == 0
    wrong = signed(data, node.brokers, "wrong")
    sendtally.call("run", "--config", wrong, "--until-end").expect(0)
    assert totals(data)["dead"] == 4
    told = summary(letters("replay", "--config", wrong).expect(0))
    assert (told["replayed"], told["still_dead"]) == (0, 4), told
    right = signed(data, node.brokers, "right")
    other = right.read_text().replace('"whatsapp"\n', '"whatsapp"\naccount = "other"\n', 1)
    mine = right.read_text()
    right.write_text(other)
    told = summary(letters("replay", "--config", right).expect(0))
    assert (told["replayed"], told["still_dead"]) == (0, 4), "another account's key"
    right.write_text(mine)
    told = summary(letters("replay", "--config", right).expect(0))
    assert (told["accepted"], told["still_dead"]) == (3, 1), told
    query = "SELECT DISTINCT verified, verified_reason FROM events"
    assert rows(data, query) == [{"verified": True, "verified_reason": "valid"}]
    sendtally.call("verify", "--data", data).expect(0)


@pytest.mark.servers
def test_what_was_not_kept_is_read_from_kafka_as_long_as_it_is_there(
    node: kafka.Kafka, tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    node.create_topics(["messaging.sms"], 1)
    producer = Producer({"bootstrap.servers": node.brokers})
    for number in range(30):
        event = element(f"k-{number}", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400)))
        producer.produce("messaging.sms", json.dumps({"results": [event]}).encode())
    assert producer.flush(30) == 0
    right = configured(data, topics=r"^messaging\\..*")
    whole = right.read_text().replace("127.0.0.1:1", node.brokers)
    without_key = whole.replace("[dead_letters]", "").replace("key_file", "#")
    right.write_text(without_key.replace('source = "infobip"', ""))
    sendtally.call("run", "--config", right, "--until-end").expect(0)
    right.write_text(without_key)
    told = summary(sendtally.call("dead-letters", "replay", "--config", right).expect(
        0, "--from-kafka", "messaging.sms/0/0"))
    assert (told["not_kept"], told["replayed"]) == (30, 0)
    letters("replay", "--data", data, "--from-kafka").expect(2, "--config")
    admin = node.admin()
    [deleted] = admin.delete_records([TopicPartition("messaging.sms", 0, 10)]).values()
    assert deleted.result(30).low_watermark == 10
    arguments = ["replay", "--from-kafka", "--config", right]
    told = summary(sendtally.call("dead-letters", *arguments).expect(0, "in Kafka no more"))
    assert (told["accepted"], told["gone"]) == (20, 10)
    told = summary(sendtally.call("dead-letters", *arguments).expect(0))
    assert (told["replayed"], told["already_replayed"], told["gone"]) == (0, 20, 10)
    sendtally.call("verify", "--data", data).expect(0)

"""The ClickHouse front keeps what a loader builds on: tokens, acknowledged inserts, errors, faults.

Each case that stops or kills takes a front of its own; the others share one and make their tables.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import clickhouse
import pyarrow
import pytest
from clickhouse import ClickHouse, DbError
from conftest import SEED

pytestmark = pytest.mark.servers

KILLS = int(os.environ.get("SENDTALLY_KILLS", "6"))
WINDOW = "SETTINGS non_replicated_deduplication_window = 1000"
TABLE = f"(a UInt64, p UInt8) ENGINE = MergeTree PARTITION BY p ORDER BY a {WINDOW}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A front for the cases that leave it running."""
    with ClickHouse(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def table(shared: ClickHouse, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty table of this case; no fault outlives the case."""
    name = request.node.originalname
    shared.query(f"CREATE TABLE {name} {TABLE}")
    yield name
    shared.control()


def lines(*numbers: int, p: int = 0) -> bytes:
    """Rows for TABLE."""
    return "".join(json.dumps({"a": number, "p": p}) + "\n" for number in numbers).encode()


def numbers(server: ClickHouse, name: str) -> list[int]:
    """What TABLE holds."""
    return [row["a"] for row in server.query(f"SELECT a FROM {name} ORDER BY a")]


def outcomes(server: ClickHouse, name: str) -> list[tuple[str, int | None]]:
    """How the inserts of a table ended, and the rows that they added."""
    return [(one["outcome"], one["rows"]) for one in server.log() if one["table"] == name]


def failure(server: ClickHouse, sql: str, **settings: object) -> tuple[int, int]:
    """Code and status of a statement that fails."""
    with pytest.raises(DbError, match=r"^Code: \d+\. DB::") as raised:
        server.query(sql, **settings)
    return raised.value.code, raised.value.status


def post(server: ClickHouse, path: str, body: object, **headers: str) -> http.client.HTTPResponse:
    """A raw answer; a body that is an iterator is sent in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", path, body, headers)
    return connection.getresponse()


def test_a_token_is_known_again_after_a_stop_and_after_a_kill(tmp_path: Path) -> None:
    server = ClickHouse(tmp_path)
    server.start()
    try:
        server.query(f"CREATE TABLE t {TABLE}")
        server.insert("t", lines(1, 2), token="first")
        for end in (server.stop, server.kill):
            end()
            server.start()
            server.insert("t", lines(3, 4), token="first")
            assert numbers(server, "t") == [1, 2]
        server.insert("t", lines(3, 4), token="second")
        assert numbers(server, "t") == [1, 2, 3, 4]
        assert outcomes(server, "t") == [
            ("applied", 2), ("deduplicated", 0), ("deduplicated", 0), ("applied", 2)]
        assert server.log()[0]["token"] == "first"
    finally:
        server.kill()


def test_a_token_counts_in_each_partition(shared: ClickHouse, table: str) -> None:
    shared.insert(table, lines(1, p=1), token="x")
    shared.insert(table, lines(2, p=1) + lines(3, p=2), token="x")
    assert numbers(shared, table) == [1, 3]
    assert outcomes(shared, table) == [("applied", 1), ("partly_deduplicated", 1)]


def test_dropped_after_apply_and_sent_again_is_there_once(shared: ClickHouse, table: str) -> None:
    shared.control(drop_after_apply={"share": 1, "times": 1})
    with pytest.raises(http.client.RemoteDisconnected):
        shared.insert(table, lines(1, 2), token="x")
    assert numbers(shared, table) == [1, 2]
    shared.insert(table, lines(1, 2), token="x")
    assert numbers(shared, table) == [1, 2]
    assert outcomes(shared, table) == [("dropped_after_apply", 2), ("deduplicated", 0)]


def test_dropped_before_apply_and_refused_add_nothing(shared: ClickHouse, table: str) -> None:
    shared.control(drop_before_apply=1)
    with pytest.raises(http.client.RemoteDisconnected):
        shared.insert(table, lines(1), token="x")
    shared.control(refuse=True)
    with pytest.raises(OSError):
        shared.insert(table, lines(1), token="x")
    with pytest.raises(OSError):
        shared.query("SELECT 1")
    shared.control()
    assert numbers(shared, table) == []
    assert outcomes(shared, table) == [("dropped_before_apply", None), ("refused", None)]


def test_injected_errors_come_as_a_server_tells_them(shared: ClickHouse, table: str) -> None:
    shared.control(error={"code": 252, "status": 500, "message": "Too many parts", "times": 1})
    with pytest.raises(DbError, match=r"^Code: 252\. DB::Exception: Too many parts") as raised:
        shared.insert(table, lines(1), token="x")
    assert (raised.value.code, raised.value.status) == (252, 500)
    shared.insert(table, lines(1), token="x")
    shared.control(error={"code": 159, "status": 408, "after_apply": True})
    with pytest.raises(DbError, match="159"):
        shared.insert(table, lines(2), token="y")
    assert numbers(shared, table) == [1, 2]
    assert outcomes(shared, table) == [("error", None), ("applied", 1), ("error", 1)]


def test_the_same_seed_gives_the_same_faults(shared: ClickHouse, table: str) -> None:
    def run() -> list[str]:
        shared.control(error={"code": 252, "share": 0.4}, seed=SEED, tables=[table])
        before = len(outcomes(shared, table))
        for number in range(12):
            try:
                shared.insert(table, lines(number))
            except DbError:
                continue
        return ["error" if kind == "error" else "done"
                for kind, _ in outcomes(shared, table)[before:]]

    first = run()
    assert len(set(first)) == 2
    assert run() == first
    with pytest.raises(OSError, match="400"):
        shared.control(dorp_after_apply=1)


def test_errors_have_the_codes_and_status_of_a_server(shared: ClickHouse, table: str) -> None:
    assert failure(shared, "SELECT 1 FROM") == (62, 400)
    assert failure(shared, "SELECT 1; SELECT 2") == (62, 400)
    assert failure(shared, "SELECT * FROM not_there") == (60, 404)
    assert failure(shared, "SELECT not_there") == (47, 404)
    assert failure(shared, "SELECT 1", no_such_setting=1) == (115, 404)
    assert failure(shared, "SELECT 1", database="not_there") == (81, 404)
    assert failure(shared, f"INSERT INTO {table} (a, b) VALUES (1, 2)") == (16, 500)
    assert failure(shared, f"CREATE TABLE x ON CLUSTER c {TABLE}") == (701, 500)
    with pytest.raises(DbError, match="CANNOT_PARSE"):
        shared.insert(table, b'{"a": "no number"}\n')
    assert numbers(shared, table) == []


def test_bodies_and_answers_are_compressed_as_asked(shared: ClickHouse, table: str) -> None:
    body = lines(*range(50_000))
    packed = clickhouse.framed(body)
    assert len(packed) < len(body) / 2
    path = f"/?query=INSERT+INTO+{table}+FORMAT+JSONEachRow&decompress=1"
    chunks = (packed[at:at + 10_000] for at in range(0, len(packed), 10_000))
    answer = post(shared, path, chunks)
    assert answer.status == 200
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "50000"
    damaged = bytearray(packed)
    damaged[40] ^= 1
    answer = post(shared, path, bytes(damaged))
    assert answer.headers["X-ClickHouse-Exception-Code"] == "40"

    select = f"SELECT a FROM {table} ORDER BY a".encode()
    expected = "".join(f"{number}\n" for number in range(50_000)).encode()
    answer = post(shared, "/?query_id=mine", select, **{"Accept-Encoding": "lz4"})
    assert (answer.headers["Content-Encoding"], answer.headers["X-ClickHouse-Query-Id"]) == (
        "lz4", "mine")
    plain = pyarrow.input_stream(pyarrow.BufferReader(answer.read()), compression="lz4").read()
    assert plain == expected
    assert clickhouse.unframed(post(shared, "/?compress=1", select).read()) == expected


def test_arrow_streams_fill_every_type_of_the_schema(shared: ClickHouse) -> None:
    shared.query(
        "CREATE TABLE arrow (k FixedString(16), l LowCardinality(Nullable(String)), "
        "d Decimal(38, 9), t DateTime64(6, 'UTC'), n Nullable(UInt16), b Nullable(Bool)) "
        f"ENGINE = MergeTree ORDER BY k {WINDOW}")
    batch = pyarrow.record_batch({
        "k": pyarrow.array([b"0123456789abcdef", bytes(16)], pyarrow.binary(16)),
        "l": pyarrow.array(["x", None]).dictionary_encode(),
        "d": pyarrow.array([1234567890123456789, -1], pyarrow.int64()).cast(
            pyarrow.decimal128(38, 9)),
        "t": pyarrow.array([1_700_000_000_123_456, 0], pyarrow.timestamp("us", "UTC")),
        "n": pyarrow.array([65535, None], pyarrow.uint16()),
        "b": pyarrow.array([True, None]),
    })
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    shared.insert("arrow (k, l, d, t, n, b)", sink.getvalue().to_pybytes(), "ArrowStream", "x")
    rows = shared.query("SELECT hex(k) AS k, l, toString(d) AS d, t, n, b FROM arrow ORDER BY n")
    assert rows == [
        {"k": b"0123456789abcdef".hex().upper(), "l": "x", "d": "1234567890123456789",
         "t": "2023-11-14 22:13:20.123456", "n": 65535, "b": True},
        {"k": "0" * 32, "l": None, "d": "-1", "t": "1970-01-01 00:00:00.000000", "n": None,
         "b": None}]


def test_a_body_that_is_cut_off_adds_nothing(shared: ClickHouse, table: str) -> None:
    with socket.create_connection(("127.0.0.1", shared.port or 0)) as raw:
        raw.sendall(f"POST /?query=INSERT+INTO+{table}+FORMAT+JSONEachRow HTTP/1.1\r\nHost: x\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n".encode())
        body = lines(1, 2)
        raw.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    deadline = time.monotonic() + 10
    while not outcomes(shared, table) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert outcomes(shared, table) == [("cut_off", None)]
    assert numbers(shared, table) == []


def test_queries_answer_while_an_insert_hangs(shared: ClickHouse, table: str) -> None:
    shared.control(hang_s={"s": 1.0, "at": "after"})
    sender = threading.Thread(target=shared.insert, args=(table, lines(1)))
    sender.start()
    deadline = time.monotonic() + 10
    while numbers(shared, table) != [1] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sender.is_alive()
    assert numbers(shared, table) == [1]
    sender.join()


def test_inserts_at_once_are_all_there(shared: ClickHouse, table: str) -> None:
    senders = [threading.Thread(target=shared.insert, args=(table, lines(number % 8)),
                                kwargs={"token": f"t{number % 8}"}) for number in range(16)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert numbers(shared, table) == list(range(8))
    assert sorted(outcomes(shared, table)) == [("applied", 1)] * 8 + [("deduplicated", 0)] * 8


def test_only_the_right_password_is_let_in(tmp_path: Path) -> None:
    with ClickHouse(tmp_path, user="loader", password="secret") as server:
        assert server.query("SELECT 1 AS one") == [{"one": 1}]
        wrong = ClickHouse(tmp_path, server.port, user="loader", password="wrong")
        assert failure(wrong, "SELECT 1") == (516, 403)
        assert failure(ClickHouse(tmp_path, server.port), "SELECT 1") == (194, 401)
        basic = {"Authorization": "Basic bG9hZGVyOnNlY3JldA=="}
        assert post(server, "/", b"SELECT 1", **basic).read() == b"1\n"


def test_a_second_front_does_not_take_the_data_of_the_first(tmp_path: Path) -> None:
    with ClickHouse(tmp_path):
        second = [sys.executable, clickhouse.__file__, "serve", "--dir", str(tmp_path)]
        port = str(clickhouse.free_port())
        done = subprocess.run([*second, "--port", port], capture_output=True, timeout=30)
        assert done.returncode != 0
        assert b"BlockingIOError" in done.stderr


def test_killed_in_inserts_it_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    dice, server, size = random.Random(SEED), ClickHouse(tmp_path), 100_000
    acknowledged: list[int] = []
    batch = lost = 0

    def send(number: int) -> None:
        """Two partitions, so that a kill can come between their parts."""
        insert(number, (0, 1), f"batch-{number}")
        acknowledged.append(number)

    def insert(number: int, partitions: Collection[int], token: str) -> None:
        rows = b"".join((number * size + at).to_bytes(8, "little") + bytes([at % 2])
                        for at in range(size) if at % 2 in partitions)
        server.insert("t", rows, "RowBinary", token=token)

    def send_again(number: int) -> None:
        """What a kill broke off. The engine logs a token before it names the part: killed between,
        it knows an insert and has not its rows."""
        nonlocal lost
        send(number)
        sql = f"SELECT DISTINCT p FROM t WHERE intDiv(a, {size}) = {number}"
        while lacks := {0, 1} - {row["p"] for row in server.query(sql)}:
            lost += 1
            insert(number, lacks, f"batch-{number}/{lost}")

    def counts() -> dict[int, int]:
        """Rows by batch."""
        sql = f"SELECT intDiv(a, {size}) AS batch, count() AS n FROM t GROUP BY batch"
        return {row["batch"]: row["n"] for row in server.query(sql)}

    def send_until_it_fails(first: int) -> None:
        nonlocal batch
        batch = first
        try:
            send_again(batch)
            while True:
                batch += 1
                send(batch)
        except OSError:
            return

    try:
        server.start()
        server.query(f"CREATE TABLE t {TABLE}")
        for _ in range(KILLS):
            sender = threading.Thread(target=send_until_it_fails, args=(batch,))
            sender.start()
            time.sleep(dice.uniform(0.1, 0.5))
            server.kill()
            sender.join()
            server.start()
            found = counts()
            whole = set(acknowledged) - {batch}
            assert {n: found.get(n) for n in whole if found.get(n) != size} == {}
        send_again(batch)
        assert counts() == dict.fromkeys(range(batch + 1), size)
        assert server.query("SELECT count() AS n, uniqExact(a) AS u FROM t") == [
            {"n": (batch + 1) * size, "u": (batch + 1) * size}]
        ends = [kind for kind, _ in outcomes(server, "t")]
        print(f"{KILLS} kills, {batch + 1} batches, {lost} known without their rows:",
              {kind: ends.count(kind) for kind in sorted(set(ends))})
        assert "unfinished" in ends
    finally:
        server.kill()

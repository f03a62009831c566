"""A ClickHouse server on loopback for the integration cases: its own engine (`chdb`, in this
process) behind the HTTP interface, with faults that can be switched on and a log of every insert.

As a context manager (`with ClickHouse(dir) as server:`) or from the command line:

    python clickhouse.py start [--dir DIR] [--port N] [--user U --password P]   prints the address
    python clickhouse.py stop --dir DIR                           ends it and removes DIR

    request ─ body (chunks, frames) ─ credentials ─ dice ─ engine ─ log ─ dice ─ answer
                                                      └ drop, error, hang    └ drop, error, hang

What it keeps: one request is one insert with its token; an answer goes out only after the engine
has the parts and the log has the line; data, tokens and log outlive `kill -9` (but the engine logs
a token before it names the part: killed between, it knows an insert and lacks rows). A body is
taken in whole before the engine sees it. Inserts run one after another, queries beside them.

POST /_control sets the faults and replaces those before; `{}` ends them. A share is a number or an
object with `share` and, where only the first N requests are meant, `times`:
    drop_before_apply  closes the connection without an answer, nothing is applied
    drop_after_apply   applies, then closes the connection without an answer
    error              {"code", "status", "message", "share", "times", "after_apply"}
    hang_s             seconds, or {"s", "share", "times", "at": "before" | "after"} the insert
    refuse             true: resets every connection that asks for data
    seed, only_inserts (true), tables (all), statements (all; a regular expression found in them)
Shares are drawn from `seed` in the order of the requests. Faults end with the process.

GET /_log lists the inserts since the directory was made: id, time, query_id, database, table,
token, format, settings, bytes (of the body as sent), sent (rows in it), rows (what the table has
more), ms, code, and outcome: applied, deduplicated, partly_deduplicated, error (with rows: after
they were applied), refused, dropped_before_apply, dropped_after_apply, cut_off (the client left
within the body), unfinished (the front ended first; its rows may be there).
GET /_stats counts since the start.

What this front cannot show of a server: replication, Keeper, quorum, ON CLUSTER (the engine refuses
them); the queue of async inserts, which servers of this version have on by default (here each
insert is synchronous, whatever it asks for; `settings` in the log tells what that was); an error in
the middle of a result, with status 200; the first blocks of a body that was cut off; inserts that
run at once, and so two of one token at the same moment; limits of memory, time and parts under
load, and the waiting for merges; grants, roles, quotas, JWT, TLS; sessions over several requests;
system.query_log; loss of power (nothing is synced to disk).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

READY_TIMEOUT_S = 30
APPEND_BYTES = 1 << 20
FRAME_HEAD = struct.Struct("<BII")
LZ4, ZSTD, STORED = 0x82, 0x90, 0x02
# HTTP status of the engine's error codes; every other code is 500.
STATUS = {code: status for status, codes in {
    400: [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376,
          427, 441, 675, 676],
    404: [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511], 403: [192, 193, 497, 512, 516],
    401: [194], 408: [159], 411: [381], 413: [229], 415: [779], 501: [48], 503: [76, 209, 439],
}.items() for code in codes}
RESERVED = {
    "query", "query_id", "database", "default_format", "decompress", "compress", "user", "password",
    "quota_key", "role", "session_id", "session_timeout", "session_check", "close_session",
    "buffer_size", "wait_end_of_query", "stacktrace", "client_protocol_version",
}
NAME = r'(?:`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|[A-Za-z_]\w*)'
GAP = r"(?:\s|--[^\n]*\n|/\*.*?\*/)"
VALUE = r"(?:'(?:[^'\\]|\\.|'')*'|[\w.+-]+)"
INSERT = re.compile(
    rf"{GAP}*INSERT{GAP}+(?:INTO{GAP}+)?(?:TABLE{GAP}+)?"
    rf"(?P<table>(?!FUNCTION\b){NAME}(?:\.{NAME})?){GAP}*"
    rf"(?P<columns>\((?:[^()`\"]|`[^`]*`|\"[^\"]*\"|\([^()]*\))*\))?{GAP}*"
    rf"(?P<settings>SETTINGS{GAP}+\w+\s*=\s*{VALUE}(?:\s*,\s*\w+\s*=\s*{VALUE})*)?{GAP}*"
    rf"(?:FORMAT{GAP}+(?P<format>\w+)[ \t\f]*\r?\n?|(?P<values>VALUES\b))?",
    re.IGNORECASE | re.DOTALL)
TOKEN = re.compile(rf"insert_deduplication_token\s*=\s*({VALUE})", re.IGNORECASE)
CODE = re.compile(r"Code: (\d+)\. DB::.*", re.DOTALL)


class DbError(Exception):
    """An error as a server would tell it."""

    def __init__(self, code: int, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.status = code, status or STATUS.get(code, 500)
        self.message = message if message.startswith("Code: ") else (
            f"Code: {code}. DB::Exception: {message}")

    @classmethod
    def of(cls, error: BaseException) -> DbError:
        """What the engine raised: its text has the code."""
        found = CODE.search(str(error))
        text = re.sub(r" \(version [\d.]+\)$", "", found[0].strip()) if found else str(error)
        return cls(int(found[1]) if found else 1001, text)


class Dropped(Exception):
    """The connection ends without an answer."""


class CutOff(Exception):
    """The client left within the body."""


# --- Bodies ---------------------------------------------------------------------------------------


def checksum(data: bytes | memoryview) -> bytes:
    """CityHash128 of 1.0.2 as the frames of ClickHouse hold it."""
    from clickhouse_cityhash.cityhash import CityHash128

    hashed = CityHash128(bytes(data)).to_bytes(16, "little")
    return hashed[8:] + hashed[:8]


def unframed(data: bytes) -> bytes:
    """The content of ClickHouse's compressed frames: checksum, method, both sizes, block."""
    import pyarrow

    codecs = {LZ4: "lz4_raw", ZSTD: "zstd"}
    view, parts, at = memoryview(data), [], 0
    while at < len(view):
        if len(view) - at < 16 + FRAME_HEAD.size:
            raise DbError(33, "Cannot read all data. (CANNOT_READ_ALL_DATA)")
        method, packed, plain = FRAME_HEAD.unpack_from(view, at + 16)
        frame = view[at + 16:at + 16 + packed]
        if len(frame) < packed:
            raise DbError(33, "Cannot read all data. (CANNOT_READ_ALL_DATA)")
        if checksum(frame) != view[at:at + 16]:
            raise DbError(40, "Checksum doesn't match: corrupted data. (CHECKSUM_DOESNT_MATCH)")
        block = frame[FRAME_HEAD.size:]
        if method == STORED:
            parts.append(bytes(block))
        elif method in codecs:
            try:
                parts.append(pyarrow.Codec(codecs[method]).decompress(block, plain, asbytes=True))
            except (OSError, ValueError) as error:
                raise DbError(271, f"Cannot decompress: {error}. (CANNOT_DECOMPRESS)") from error
        else:
            raise DbError(432, f"Unknown codec family code: {method}. (UNKNOWN_CODEC)")
        at += 16 + packed
    return b"".join(parts)


def framed(data: bytes, block: int = 1 << 18) -> bytes:
    """`data` in compressed frames of LZ4."""
    import pyarrow

    out = bytearray()
    for at in range(0, len(data), block):
        plain = data[at:at + block]
        packed = pyarrow.Codec("lz4_raw").compress(plain, asbytes=True)
        frame = FRAME_HEAD.pack(LZ4, FRAME_HEAD.size + len(packed), len(plain)) + packed
        out += checksum(frame) + frame
    return bytes(out)


def encoded(data: bytes, how: str) -> bytes:
    """A body in a Content-Encoding."""
    import pyarrow

    return gzip.compress(data, 1) if how == "gzip" else pyarrow.compress(data, how, asbytes=True)


def decoded(data: bytes, how: str) -> bytes:
    """The content of a body in a Content-Encoding."""
    import pyarrow

    if how not in ("lz4", "zstd", "gzip"):
        raise DbError(48, f"Unknown Content-Encoding {how}. (NOT_IMPLEMENTED)")
    try:
        return pyarrow.input_stream(pyarrow.BufferReader(data), compression=how).read()
    except (OSError, ValueError) as error:
        raise DbError(271, f"Cannot decompress: {error}. (CANNOT_DECOMPRESS)") from error


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def bare(name: str) -> str:
    """An identifier or a literal without its quotes."""
    return re.sub(r"\\(.)|([`\"'])\2", r"\1\2", name[1:-1]) if name[0] in "`\"'" else name


# --- Faults and log -------------------------------------------------------------------------------


class Faults:
    """What `/_control` has set; one draw for each fault at each request, so that a seed and an
    order of requests give the same faults again."""

    DRAWN = ("drop_before_apply", "error", "hang_s", "drop_after_apply")
    KEYS = {*DRAWN, "refuse", "seed", "only_inserts", "tables", "statements"}

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts = dict.fromkeys((*self.DRAWN, "refuse"), 0)
        self.set({})

    def set(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Replaces every fault; refuses unknown keys."""
        unknown = set(wanted) - self.KEYS
        if unknown:
            raise ValueError(f"unknown fault {sorted(unknown)}; known are {sorted(self.KEYS)}")
        with self.lock:
            self.wanted = wanted
            self.dice = random.Random(wanted.get("seed", 0))
            self.drawn: dict[str, dict[str, Any]] = {}
            for name in self.DRAWN:
                value = wanted.get(name)
                if isinstance(value, int | float):
                    value = {"s": value} if name == "hang_s" else {"share": float(value)}
                if value:
                    self.drawn[name] = {"share": 1.0, "left": value.get("times"), **value}
            return wanted

    def meant(self, insert: bool, table: str | None, text: str) -> bool:
        """Whether the faults are for such a request."""
        tables = self.wanted.get("tables")
        return (insert or not self.wanted.get("only_inserts", True)) and (
            tables is None or table in tables) and (
            re.search(self.wanted.get("statements", ""), text) is not None)

    def draw(self, insert: bool, table: str | None, text: str) -> dict[str, dict[str, Any]]:
        """The faults of this request by name."""
        with self.lock:
            hit: dict[str, dict[str, Any]] = {}
            if not self.meant(insert, table, text):
                return hit
            samples = [self.dice.random() for _ in self.DRAWN]
            for name, sample in zip(self.DRAWN, samples, strict=True):
                fault = self.drawn.get(name)
                if fault is None or sample >= fault["share"] or fault["left"] == 0:
                    continue
                fault["left"] = None if fault["left"] is None else fault["left"] - 1
                hit[name] = fault
                self.counts[name] += 1
                if name in ("drop_before_apply", "error"):
                    break
            return hit

    def refused(self) -> bool:
        """Whether connections are reset."""
        with self.lock:
            self.counts["refuse"] += bool(self.wanted.get("refuse"))
            return bool(self.wanted.get("refuse"))


class Log:
    """Every insert, two lines of JSON each: when it came and how it ended."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        self.entries: dict[str, dict[str, Any]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            with contextlib.suppress(ValueError):  # the last line of a process that was killed
                self.take(json.loads(line))
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115
        self.file.write("\n")

    def take(self, line: dict[str, Any]) -> None:
        """Adds a line to the entry it belongs to."""
        self.entries.setdefault(line["id"], {}).update(line)

    def write(self, **line: Any) -> None:
        """Adds a line; it is with the system when this returns."""
        with self.lock:
            self.take(line)
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()

    def all(self) -> list[dict[str, Any]]:
        """The entries, oldest first."""
        with self.lock:
            return [{**entry} for entry in self.entries.values()]


# --- Engine ---------------------------------------------------------------------------------------


@dataclass
class Insert:
    """An INSERT: its parts, and where its data begin in the text."""

    table: str
    database: str | None
    token: str | None
    sql: str
    format: str | None
    end: int

    @classmethod
    def parse(cls, text: str) -> Insert | None:
        """None where the statement is no INSERT; without a format where data do not follow."""
        found = INSERT.match(text)
        if not found:
            return None
        names = [bare(name) for name in re.findall(NAME, found["table"])]
        token = TOKEN.search(found["settings"] or "")
        parts = ["INSERT INTO", found["table"], found["columns"], found["settings"]]
        return cls(
            table=names[-1], database=names[0] if len(names) > 1 else None,
            token=bare(token[1]) if token else None,
            sql=" ".join(part for part in parts if part),
            format=found["format"] or ("Values" if found["values"] else None), end=found.end())


@dataclass
class Done:
    """What a statement did. `gained` is what the table of an insert has more; `left_out` where some
    of its blocks were known."""

    body: bytes = b""
    read: int = 0
    read_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0
    gained: int = 0
    left_out: bool = False


class Engine:
    """ClickHouse in this process: a connection for each request, so that settings, database and
    parameters of one are not seen by another."""

    def __init__(self, data: Path) -> None:
        import chdb

        self.connect, self.path = chdb.connect, str(data)
        self.base, self.inserting = chdb.connect(self.path), threading.Lock()
        self.version = self.ask("SELECT version()")

    def ask(self, sql: str) -> str:
        """The first line of a query of the front's own."""
        return str(self.base.query(sql, "TabSeparated").bytes().decode().rstrip("\n"))

    @contextlib.contextmanager
    def session(self, database: str | None, settings: dict[str, str]) -> Any:
        """A connection with a request's settings."""
        connection = self.connect(self.path)
        try:
            if database:
                connection.query(f"USE `{database}`")
            for name, value in settings.items():
                if not re.fullmatch(r"[A-Za-z_]\w*", name):
                    raise DbError(115, f"Unknown setting '{name}'. (UNKNOWN_SETTING)")
                connection.query(f"SET {name} = {quoted(value)}")
            yield connection
        except DbError:
            raise
        except Exception as error:  # noqa: BLE001 - the engine raises several kinds
            raise DbError.of(error) from error
        finally:
            connection.close()

    def query(self, connection: Any, sql: str, output: str) -> Done:
        """Runs a statement that brings no data along."""
        if connection._conn.classify_query(sql)["statement_count"] > 1:
            raise DbError(62, "Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
        result = connection.query(sql, output)
        return Done(bytes(result.bytes()), result.rows_read(), result.bytes_read(),
                    result.rows_written(), result.bytes_written(), result.rows_written())

    def insert(self, connection: Any, database: str, statement: Insert, data: bytes,
               text: str) -> Done:
        """Runs an INSERT, alone, and counts the rows of the parts that it made: those of one block
        that is newer than every block before. Merged parts are still listed for minutes."""
        of = (f"database = {quoted(statement.database or database)} "
              f"AND table = {quoted(statement.table)}")
        with self.inserting:
            newest = self.ask(f"SELECT max(max_block_number) FROM system.parts WHERE {of}")
            if statement.format is None:
                done = self.query(connection, text, "TabSeparated")
            else:
                with connection.send_insert(statement.sql, statement.format) as writer:
                    for at in range(0, len(data), APPEND_BYTES):
                        writer.append(data[at:at + APPEND_BYTES])
                    result = writer.finish()
                done = Done(sent=result.rows_written, sent_bytes=result.bytes_written)
            gained, engine = self.ask(
                "SELECT sum(rows), any(engine) FROM (SELECT any(rows) AS rows, any(engine) AS "
                f"engine FROM system.parts WHERE {of} AND min_block_number > {newest} AND "
                "min_block_number = max_block_number GROUP BY partition_id, min_block_number)"
            ).split("\t")
            engine = engine or self.ask(
                f"SELECT any(engine) FROM system.tables WHERE {of.replace('table =', 'name =')}")
        done.gained = int(gained) if engine.endswith("MergeTree") else done.sent
        # The others make fewer rows of a block by themselves.
        done.left_out = engine == "MergeTree" and done.gained < done.sent
        return done


# --- HTTP -----------------------------------------------------------------------------------------


class Front(ThreadingHTTPServer):
    """The listener and what its handlers share."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, root: Path, port: int, user: str | None, password: str | None) -> None:
        self.user, self.password = user, password
        self.engine, self.faults = Engine(root / "data"), Faults()
        self.journal, self.started = Log(root / "inserts.jsonl"), time.time()
        self.lock, self.counts = threading.Lock(), {"requests": 0, "insert_s": 0.0}
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, *_: object) -> None:
        """Errors of the front go to its log; a client that left is none."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            traceback.print_exc()

    def count(self, name: str, by: float = 1) -> None:
        """Adds to a number of `/_stats`."""
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + by

    def stats(self) -> dict[str, Any]:
        """The answer of `/_stats`."""
        with self.lock, self.faults.lock:
            return {**self.counts, "faults": dict(self.faults.counts), "set": self.faults.wanted,
                    "version": self.engine.version, "up_s": time.time() - self.started}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: Front

    def log_message(self, *_: object) -> None:
        """Nothing for each request."""

    def do_GET(self) -> None:
        """Statements that only read, and what the front itself tells."""
        path = urlsplit(self.path).path
        if path == "/_log":
            self.answer(200, json.dumps(self.server.journal.all()).encode(), json_body=True)
        elif path == "/_stats":
            self.answer(200, json.dumps(self.server.stats()).encode(), json_body=True)
        else:
            self.statement(path)

    def do_POST(self) -> None:
        """Statements, and the faults."""
        path = urlsplit(self.path).path
        if path != "/_control":
            self.statement(path)
            return
        try:
            wanted = self.server.faults.set(json.loads(self.content() or b"{}"))
            self.answer(200, json.dumps(wanted).encode(), json_body=True)
        except (ValueError, TypeError, AttributeError) as error:
            self.answer(400, f"{error}\n".encode())

    def statement(self, path: str) -> None:
        """A request for data."""
        self.server.count("requests")
        self.entry: dict[str, Any] | None = None
        self.asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        self.query_id = self.asked.get("query_id") or str(uuid.uuid4())
        try:
            if self.server.faults.refused():
                self.open_entry(Insert.parse(self.asked.get("query", "")), 0)
                self.close_entry("refused")
                self.hang_up(reset=True)
            elif path in ("/ping", "/replicas_status"):
                self.answer(200, b"Ok.\n")
            elif path != "/":
                self.content()
                self.answer(404, f"There is no handle {path}\n\nUse / or /ping.\n".encode())
            else:
                self.run()
        except DbError as error:
            self.close_entry("error", code=error.code)
            self.fail(error)
        except Dropped:
            self.hang_up(reset=False)
        except (CutOff, ConnectionError, TimeoutError):
            self.open_entry(Insert.parse(self.asked.get("query", "")), 0)
            self.close_entry("cut_off")
            self.hang_up(reset=True)

    def run(self) -> None:
        """Takes the body, asks the dice, runs the statement, asks them again, answers."""
        body = self.content()
        self.open_entry(Insert.parse(self.asked.get("query", "")), len(body))
        self.check_user()
        if self.asked.get("decompress") == "1":
            body = unframed(body)
        text, body = self.split(body)
        if not text.strip():
            if body:
                raise DbError(62, "Syntax error: empty query. (SYNTAX_ERROR)")
            self.answer(200, b"Ok.\n")
            return
        statement = Insert.parse(text)
        self.open_entry(statement, len(body))
        hit = self.server.faults.draw(
            bool(statement), statement.table if statement else None, text)
        if "drop_before_apply" in hit:
            self.close_entry("dropped_before_apply")
            raise Dropped
        self.inject(hit, after=False)
        began = time.monotonic()
        done, output = self.execute(statement, text, body)
        outcome = "applied"
        if statement:
            self.server.count("insert_s", time.monotonic() - began)
            if done.sent and not done.gained:
                outcome = "deduplicated"
            elif done.left_out:
                outcome = "partly_deduplicated"
        took = {"rows": done.gained, "sent": done.sent, "ms": (time.monotonic() - began) * 1e3}
        if "drop_after_apply" in hit:
            self.close_entry("dropped_after_apply", **took)
            raise Dropped
        self.close_entry(outcome, **took)
        self.inject(hit, after=True)
        self.succeed(done, output, time.monotonic() - began)

    def inject(self, hit: dict[str, dict[str, Any]], after: bool) -> None:
        """Hangs and errors that are due here."""
        hang, error = hit.get("hang_s"), hit.get("error")
        if hang and (hang.get("at", "after") == "after") == after:
            time.sleep(hang["s"])
        if error and bool(error.get("after_apply")) == after:
            raise DbError(error["code"], error.get("message", "injected"), error.get("status", 500))

    def execute(self, statement: Insert | None, text: str, body: bytes) -> tuple[Done, str]:
        """Runs it in a session of its own."""
        database = self.asked.get("database") or self.headers.get("X-ClickHouse-Database")
        settings = {k: v for k, v in self.asked.items() if k not in RESERVED}
        output = self.asked.get("default_format") or self.headers.get(
            "X-ClickHouse-Format") or "TabSeparated"
        if self.command == "GET":
            settings["readonly"] = "2"
        with self.server.engine.session(database, settings) as connection:
            if statement:
                done = self.server.engine.insert(
                    connection, database or "default", statement, body, text)
            else:
                done = self.server.engine.query(connection, text, output)
        named = re.search(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b.*)?;?\s*$", text, re.I | re.S)
        return done, named[1] if named and not statement else output

    def split(self, body: bytes) -> tuple[str, bytes]:
        """The statement and the data of an insert: both may be in the URL, the body or a form."""
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            form = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            parts = form.get_payload()
            for part in parts if isinstance(parts, list) else []:
                name = str(part.get_param("name", header="content-disposition"))
                self.asked[name] = (part.get_payload(decode=True) or b"").decode()
            return self.asked.get("query", ""), b""
        text = self.asked.get("query", "")
        whole = (text.encode() + b"\n" if text else b"") + body
        # Data may be no text: byte positions and characters are the same in Latin-1.
        head = Insert.parse(whole[:1 << 20].decode("latin-1"))
        if head and head.format:
            return whole[:head.end].decode(), whole[head.end:]
        return whole.decode("utf-8", "surrogateescape"), b""

    def content(self) -> bytes:
        """The whole body, whatever framing HTTP gave it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            data = self.exactly(length)
        else:
            parts = []
            while size := int(self.rfile.readline().split(b";")[0].strip() or b"-1", 16):
                if size < 0:
                    raise CutOff
                parts.append(self.exactly(size))
                self.exactly(2)
            while self.rfile.readline().strip():
                pass
            data = b"".join(parts)
        how = self.headers.get("Content-Encoding", "").strip().lower()
        return decoded(data, how) if how and data else data

    def exactly(self, size: int) -> bytes:
        """So many bytes of the connection."""
        data = self.rfile.read(size)
        if len(data) < size:
            raise CutOff
        return data

    def check_user(self) -> None:
        """Credentials from headers, Basic or the URL, where the front was started with some."""
        if self.server.user is None:
            return
        user = self.headers.get("X-ClickHouse-User") or self.asked.get("user")
        password = self.headers.get("X-ClickHouse-Key") or self.asked.get("password")
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
        if (user or "default", password or "") != (self.server.user, self.server.password or ""):
            code, name = (516, "AUTHENTICATION_FAILED") if password else (194, "REQUIRED_PASSWORD")
            raise DbError(code, f"{user or 'default'}: Authentication failed: password is "
                                f"incorrect, or there is no user with such name. ({name})")

    def open_entry(self, statement: Insert | None, size: int) -> None:
        """The first line of an insert in the log."""
        if statement is None or self.entry is not None:
            return
        settings = {k: v for k, v in self.asked.items() if k not in RESERVED}
        self.entry = {
            "id": str(uuid.uuid4()), "time": time.time(), "query_id": self.query_id,
            "database": statement.database or self.asked.get("database") or "default",
            "table": statement.table, "format": statement.format, "bytes": size,
            "token": statement.token or settings.pop("insert_deduplication_token", None),
            "settings": settings, "outcome": "unfinished", "rows": None, "code": None}
        self.server.journal.write(**self.entry)

    def close_entry(self, outcome: str, **more: Any) -> None:
        """The last line of an insert in the log; an error after the insert adds to it."""
        if self.entry is None:
            return
        self.server.journal.write(id=self.entry["id"], outcome=outcome, **more)
        self.server.count(f"inserts_{outcome}")
        self.server.count("rows", more.get("rows") or 0)

    def succeed(self, done: Done, output: str, took_s: float) -> None:
        """A result with the headers of a server."""
        summary = {
            "read_rows": done.read or done.sent, "read_bytes": done.read_bytes or done.sent_bytes,
            "written_rows": done.sent, "written_bytes": done.sent_bytes, "total_rows_to_read": 0,
            "result_rows": done.read or done.sent, "result_bytes": len(done.body),
            "elapsed_ns": int(took_s * 1e9)}
        headers = {
            "X-ClickHouse-Format": output, "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Exception-Tag": uuid.uuid4().hex[:16],
            "X-ClickHouse-Summary": json.dumps(
                {k: str(v) for k, v in summary.items()}, separators=(",", ":"))}
        body = done.body
        wanted = re.split(r"[,;\s]+", self.headers.get("Accept-Encoding", ""))
        how = next((name for name in wanted if name in ("lz4", "zstd", "gzip")), None)
        if self.asked.get("compress") == "1":
            body = framed(body)
        elif body and how and self.asked.get("enable_http_compression", "1") == "1":
            body, headers["Content-Encoding"] = encoded(body, how), how
        self.answer(200, body, headers)

    def fail(self, error: DbError) -> None:
        """An error with the headers of a server."""
        headers = {"X-ClickHouse-Exception-Code": str(error.code)}
        if error.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        version = self.server.engine.version
        text = f"{error.message} (version {version} (official build))\n"
        self.answer(error.status, text.encode(), headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None,
               json_body: bool = False) -> None:
        """Sends a response."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8" if json_body else
                         "text/tab-separated-values; charset=UTF-8")
        self.send_header("X-ClickHouse-Server-Display-Name", "sendtally-test")
        self.send_header("X-ClickHouse-Query-Id", getattr(self, "query_id", ""))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self, reset: bool) -> None:
        """Ends the connection, by a reset where asked for."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            if reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
            else:
                self.connection.shutdown(socket.SHUT_RDWR)


def serve(root: Path, port: int, user: str | None, password: str | None) -> None:
    """Runs the front until SIGTERM. The lock ends with the process, however it ends."""
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        front = Front(root, port, user, password)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            front.serve_forever(poll_interval=0.1)
        finally:
            front.server_close()
            with front.engine.inserting:  # an insert that runs is brought to its end
                os._exit(0)


# --- The server as a process ----------------------------------------------------------------------


@dataclass
class ClickHouse:
    """A front and its files. `stop` ends it in good order, `kill` at once; both can be undone by
    `start`, which finds the same port and the same data."""

    dir: Path
    port: int | None = None
    user: str | None = None
    password: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> ClickHouse:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        self.dir.mkdir(parents=True, exist_ok=True)
        known = self.dir / "port"
        if self.port is None:
            self.port = int(known.read_text()) if known.exists() else free_port()
        known.write_text(str(self.port))
        command = [sys.executable, __file__, "serve", "--dir", self.dir, "--port", str(self.port)]
        for name, value in (("--user", self.user), ("--password", self.password)):
            command += [name, value] if value is not None else []
        with open(self.dir / "front.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        (self.dir / "pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.request("GET", "/ping")
                return
            time.sleep(0.02)
        tail = (self.dir / "front.log").read_text()[-3000:]
        raise RuntimeError(f"the ClickHouse front did not come up:\n{tail}")

    def stop(self) -> None:
        """Ends the front in good order."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the front at once."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> None:
        """Sends a signal and waits until the process is gone."""
        place = self.dir / "pid"
        if not place.exists():
            return
        pid = int(place.read_text())
        place.unlink()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        if self.process is not None:
            self.process.wait()
            return
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.02)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """An answer's body; `HTTPError` where its status says so."""
        asked = urllib.request.Request(self.url + path, body, method=method)
        if self.user is not None:
            asked.add_header("X-ClickHouse-User", self.user)
            asked.add_header("X-ClickHouse-Key", self.password or "")
        with urllib.request.urlopen(asked, timeout=600) as answer:
            return bytes(answer.read())

    def post(self, asked: dict[str, object], body: bytes) -> bytes:
        """A statement's answer; `DbError` where it fails."""
        try:
            return self.request("POST", f"/?{urlencode(asked)}", body)
        except urllib.error.HTTPError as error:
            raise DbError(int(error.headers.get("X-ClickHouse-Exception-Code", 0)),
                          error.read().decode().strip(), error.code) from error

    def query(self, sql: str, format: str = "JSONEachRow", **settings: object) -> list[dict]:
        """The rows of a query, in a format of one JSON object a line; none where it gives none.
        Bytes that are no UTF-8 come as surrogates (`surrogateescape`)."""
        body = self.post({"default_format": format, **settings}, sql.encode())
        return [json.loads(line.decode(errors="surrogateescape")) for line in body.splitlines()]

    def insert(self, into: str, data: bytes, format: str = "JSONEachRow",
               token: str | None = None, **settings: object) -> None:
        """Inserts a body: `into` is a table, with columns where wanted."""
        if token is not None:
            settings["insert_deduplication_token"] = token
        self.post({"query": f"INSERT INTO {into} FORMAT {format}", **settings}, data)

    def control(self, **faults: object) -> None:
        """Sets the faults; without any, ends them."""
        self.request("POST", "/_control", json.dumps(faults).encode())

    def log(self) -> list[dict[str, Any]]:
        """Every insert, oldest first."""
        return list(json.loads(self.request("GET", "/_log")))

    def stats(self) -> dict[str, Any]:
        """Counts since the start."""
        return dict(json.loads(self.request("GET", "/_stats")))


def free_port() -> int:
    """A free port of the loopback address."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["start", "stop", "serve"])
    place = Path(tempfile.gettempdir()) / "sendtally-clickhouse"
    parser.add_argument("--dir", type=Path, default=place)
    parser.add_argument("--port", type=int)
    parser.add_argument("--user")
    parser.add_argument("--password")
    chosen = parser.parse_args()
    if chosen.command == "serve":
        serve(chosen.dir, chosen.port or free_port(), chosen.user, chosen.password)
    node = ClickHouse(chosen.dir, chosen.port, chosen.user, chosen.password)
    if chosen.command == "stop":
        node.stop()
        shutil.rmtree(chosen.dir, ignore_errors=True)
        return 0
    node.start()
    print(f"url {node.url}")
    print(f"pid {node.process.pid if node.process else '-'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A small S3 server over files, with what Sendtally asks of one, that can fail as told.

As a context manager (`with S3(directory) as store:`) or from the command line:

    python s3.py --dir DIR [--port PORT] [--bucket BUCKET]     prints its address, runs until Ctrl-C

It knows PutObject (with `If-None-Match: *`, atomic by a hard link), CopyObject, GetObject with
ranges, HeadObject, DeleteObject(s), ListObjectsV2 in pages, and multipart uploads. Of a signature
it compares the access key id only. moto and s3s-fs (0.14.1) do not honour create-if-absent: both
look whether the object is there and write afterwards, without a lock between the two, so of two
creators both can win.

Faults (`store.faults`): answers lost after the request was done, 503 for a share of the requests,
slow answers, creates that overwrite. `stop()` and `start()` take it away and bring it back.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

KEY_ID, SECRET = "sendtally-test", "secret-of-the-test"
REGION = "us-east-1"


@dataclass
class Faults:
    """What goes wrong from now on."""

    # Of requests for which it is true, the next `lost` are done and their answer is dropped.
    lose: Callable[[str, str], bool] = lambda method, key: False
    lost: int = 0
    # Share of requests that are answered with 503 and not done.
    unavailable: float = 0.0
    # Seconds before each answer.
    delay_s: float = 0.0
    # If-None-Match is ignored, as some stores do.
    overwrites: bool = False
    dice: random.Random = field(default_factory=lambda: random.Random(7))


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Bucket:
    """Objects as files: a key is a path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.parts = root.parent / f".{root.name}.parts"
        root.mkdir(parents=True, exist_ok=True)
        self.parts.mkdir(exist_ok=True)

    def path(self, key: str) -> Path:
        """Where an object lies."""
        if not key or any(part in ("", ".", "..") for part in key.split("/")):
            raise Refusal(400, "InvalidArgument")
        return self.root / key

    def found(self, key: str) -> Path:
        """Where an object lies that has to be there."""
        path = self.path(key)
        if not path.is_file():
            raise Refusal(404, "NoSuchKey")
        return path

    def put(self, key: str, body: bytes, create: bool) -> str:
        """Writes an object whole; only if it is absent with `create`. Returns its ETag."""
        path, aside = self.path(key), self.parts / uuid.uuid4().hex
        aside.write_bytes(body)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if create:
                os.link(aside, path)
                aside.unlink()
            else:
                os.replace(aside, path)
        except FileExistsError:
            aside.unlink()
            raise Refusal(412, "PreconditionFailed") from None
        return etag(path)

    def keys(self, prefix: str) -> list[str]:
        """All keys with a prefix, sorted."""
        head = self.root / prefix.rpartition("/")[0]
        if not head.is_dir():
            return []
        found = (path for path in head.rglob("*") if path.is_file())
        keys = (path.relative_to(self.root).as_posix() for path in found)
        return sorted(key for key in keys if key.startswith(prefix))


def etag(path: Path) -> str:
    """Changes with each write."""
    stat = path.stat()
    return '"' + hashlib.md5(f"{stat.st_ino}-{stat.st_mtime_ns}".encode()).hexdigest() + '"'


def iso(path: Path) -> str:
    """When a file was written, as lists have it."""
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def xml(name: str, body: str) -> bytes:
    """A document of the S3 namespace."""
    return (f'<?xml version="1.0" encoding="UTF-8"?><{name} '
            f'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{body}</{name}>').encode()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Says nothing: the store keeps a list of requests."""

    def handle_one(self) -> None:
        """Any request, with the faults around it."""
        store, url = self.server.store, urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        faults = store.faults
        time.sleep(faults.delay_s)
        if faults.dice.random() < faults.unavailable:
            return self.answer(503, xml("Error", "<Code>SlowDown</Code>"))
        try:
            if f"Credential={KEY_ID}/" not in self.headers.get("authorization", ""):
                raise Refusal(403, "InvalidAccessKeyId")
            if bucket not in store.buckets:
                raise Refusal(404, "NoSuchBucket")
            status, answer, headers = self.do(store.buckets[bucket], key, query, body)
        except Refusal as refusal:
            status, headers = refusal.status, {}
            answer = xml("Error", f"<Code>{refusal.code}</Code><Message>as told</Message>")
        except FileNotFoundError:
            # Deleted while it was read.
            status, headers, answer = 404, {}, xml("Error", "<Code>NoSuchKey</Code>")
        store.requests.append((self.command, key, status))
        with store.lock:
            lost = faults.lost > 0 and faults.lose(self.command, key)
            faults.lost -= lost
        if lost:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self.answer(status, answer, headers)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Sends an answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do(
        self, bucket: Bucket, key: str, query: dict[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        """What is asked."""
        match self.command, key:
            case "GET", "":
                return 200, listed(bucket, query, self.server.store.page), {}
            case "GET" | "HEAD", _:
                return self.read(bucket.found(key))
            case "PUT", _:
                return self.put(bucket, key, query, body)
            case "POST", "":
                return 200, deleted(bucket, body), {}
            case "POST", _:
                return 200, self.multipart(bucket, key, query, body), {}
            case _:
                if "uploadId" in query:
                    shutil.rmtree(bucket.parts / query["uploadId"], ignore_errors=True)
                else:
                    bucket.path(key).unlink(missing_ok=True)
                return 204, b"", {}

    def read(self, path: Path) -> tuple[int, bytes, dict[str, str]]:
        """An object, or a range of it."""
        body = path.read_bytes()
        modified = formatdate(path.stat().st_mtime, usegmt=True)
        headers = {"ETag": etag(path), "Last-Modified": modified, "Accept-Ranges": "bytes"}
        asked = self.headers.get("range")
        if self.command == "HEAD" or not asked:
            return 200, body, headers
        first, _, last = asked.removeprefix("bytes=").partition("-")
        size = len(body)
        begin = int(first) if first else max(size - int(last), 0)
        end = min(int(last) + 1, size) if first and last else size
        if begin >= end:
            raise Refusal(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        return 206, body[begin:end], headers

    def put(
        self, bucket: Bucket, key: str, query: dict[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        """An object, a part of one, or a copy."""
        if "uploadId" in query:
            parts = bucket.parts / query["uploadId"]
            if not parts.is_dir():
                raise Refusal(404, "NoSuchUpload")
            (parts / f"{int(query['partNumber']):05}").write_bytes(body)
            return 200, b"", {"ETag": f'"{query["partNumber"]}"'}
        source = self.headers.get("x-amz-copy-source")
        if source:
            name, _, at = unquote(source).lstrip("/").partition("/")
            body = self.server.store.buckets[name].found(at).read_bytes()
            tag = bucket.put(key, body, create=False)
            at = iso(bucket.path(key))
            text = f"<ETag>{escape(tag)}</ETag><LastModified>{at}</LastModified>"
            return 200, xml("CopyObjectResult", text), {}
        create = self.headers.get("if-none-match") == "*"
        overwrites = self.server.store.faults.overwrites
        return 200, b"", {"ETag": bucket.put(key, body, create and not overwrites)}

    def multipart(self, bucket: Bucket, key: str, query: dict[str, str], body: bytes) -> bytes:
        """Begins or completes an upload in parts."""
        if "uploads" in query:
            upload = uuid.uuid4().hex
            (bucket.parts / upload).mkdir()
            text = f"<Bucket>b</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"
            return xml("InitiateMultipartUploadResult", text)
        parts = bucket.parts / query["uploadId"]
        if not parts.is_dir():
            raise Refusal(404, "NoSuchUpload")
        named = [int(one.text or 0) for one in ElementTree.fromstring(body).iter()
                 if one.tag.endswith("PartNumber")]
        whole = b"".join((parts / f"{number:05}").read_bytes() for number in named)
        tag = bucket.put(key, whole, create=False)
        shutil.rmtree(parts)
        return xml("CompleteMultipartUploadResult",
                   f"<Key>{escape(key)}</Key><ETag>{escape(tag)}</ETag>")


def listed(bucket: Bucket, query: dict[str, str], page: int) -> bytes:
    """A page of ListObjectsV2."""
    prefix = query.get("prefix", "")
    after = query.get("continuation-token") or query.get("start-after", "")
    keys = [key for key in bucket.keys(prefix) if key > after]
    found = []
    for key in keys[:page]:
        try:
            path = bucket.path(key)
            found.append(f"<Contents><Key>{escape(key)}</Key><LastModified>{iso(path)}"
                         f"</LastModified><ETag>{escape(etag(path))}</ETag>"
                         f"<Size>{path.stat().st_size}</Size></Contents>")
        except FileNotFoundError:
            continue
    more = len(keys) > page
    last = keys[:page][-1] if more else ""
    token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"
    head = f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
    tail = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token if more else ''}"
    return xml("ListBucketResult", head + "".join(found) + tail)


def deleted(bucket: Bucket, body: bytes) -> bytes:
    """DeleteObjects."""
    keys = [one.text or "" for one in ElementTree.fromstring(body).iter()
            if one.tag.endswith("Key")]
    for key in keys:
        bucket.path(key).unlink(missing_ok=True)
    return xml("DeleteResult", "".join(
        f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys))


class Server(ThreadingHTTPServer):
    """Listens for a store."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, store: S3) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = store
        self.open: set[socket.socket] = set()

    def process_request(self, request: socket.socket, client_address: object) -> None:
        """Remembers connections, so that `stop` ends those that are kept alive too."""
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that is killed is no news."""


class S3:
    """The server, on a thread."""

    def __init__(self, root: Path | None = None, port: int = 0, bucket: str = "bucket") -> None:
        self.own = None if root else tempfile.TemporaryDirectory(prefix="s3-")
        self.root = root or Path(self.own.name)
        self.port = port
        self.faults = Faults()
        self.requests: list[tuple[str, str, int]] = []
        self.lock = threading.Lock()
        # Objects in a page of a list: few, so that every test reads more than one.
        self.page = 50
        self.bucket = bucket
        self.buckets = {bucket: Bucket(self.root / bucket)}
        self.server: Server | None = None

    def __enter__(self) -> S3:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.own:
            self.own.cleanup()

    def start(self) -> None:
        """Listens; on the same port as before."""
        self.server = Server(self.port, self)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Is gone: nothing listens, and open connections end."""
        if not self.server:
            return
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.server.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.server = None

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a client needs."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}

    def url(self, prefix: str) -> str:
        """Address of a prefix in its bucket."""
        return f"s3://{self.bucket}/{prefix}"

    def files(self, prefix: str) -> Path:
        """Where the objects below a prefix lie."""
        return self.root / self.bucket / prefix


def main() -> int:
    """Runs one by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bucket", default="bucket")
    options = parser.parse_args()
    with S3(options.dir, options.port, options.bucket) as store:
        for name, value in store.environment().items():
            print(f"{name}={value}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

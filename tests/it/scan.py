"""Looks for planted numbers and bodies in everything that a data directory, a log or an API holds.

Values are decoded first (Parquet, Arrow streams, JSON text) and the raw bytes are searched too.
A needle counts in these forms: as it is, percent-encoded (`+` as %2B, every character as %XX), in
hex, and inside base64 at each of the three alignments, standard and URL alphabet. Numbers are
searched by their digits: any run of digits in a value that contains one of them counts. Tokens and
user ids are searched as whole words.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

DIGITS = re.compile(rb"[0-9]{7,}")
BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{10,}")
HEX_RUN = re.compile(rb"(?:[0-9a-fA-F]{2}){7,}")
WORD = re.compile(rb"[0-9A-Za-z:_-]{9,}")
PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")


@dataclass
class Needles:
    """What must not be found: numbers (digits, no plus), texts, whole words."""

    numbers: frozenset[bytes]
    texts: tuple[bytes, ...]
    lengths: tuple[int, ...]
    words: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, recipients: Iterable[str], texts: Iterable[str]) -> Needles:
        """Needles from recipients (numbers with or without a plus or a scheme, tokens, user ids)
        and texts."""
        given = set(recipients)
        numbers = {r for r in given if re.fullmatch(r"(whatsapp:)?\+?[0-9]{7,15}", r)}
        digits = frozenset(re.sub(r"\D", "", number).encode() for number in numbers)
        lengths = tuple(sorted({len(number) for number in digits}))
        words = frozenset(word.encode() for word in given - numbers if len(word) >= 9)
        return cls(digits, tuple(text.encode() for text in texts), lengths, words)

    def plain(self, value: bytes) -> bytes | None:
        """A needle that stands in these bytes as it is."""
        for text in self.texts:
            if text in value:
                return text
        for run in DIGITS.finditer(value):
            digits = run.group()
            for length in self.lengths:
                for start in range(len(digits) - length + 1):
                    if digits[start:start + length] in self.numbers:
                        return digits[start:start + length]
        if self.words:
            for word in WORD.finditer(value):
                if word.group() in self.words:
                    return word.group()
        return None

    def found(self, value: bytes) -> bytes | None:
        """A needle in any of its forms."""
        hit = self.plain(value)
        if hit is None and PERCENT.search(value):
            hit = self.plain(unquote_to_bytes(value))
        if hit is None:
            hit = next(filter(None, (self.plain(form) for form in decoded(value))), None)
        return hit


def decoded(value: bytes) -> Iterator[bytes]:
    """What runs of base64 and hex say: base64 at each alignment, in both alphabets."""
    for run in BASE64_RUN.finditer(value):
        text = run.group().replace(b"-", b"+").replace(b"_", b"/")
        for skip in range(4):
            part = text[skip:]
            part = part[:-1] if len(part) % 4 == 1 else part
            yield base64.b64decode(part + b"=" * (-len(part) % 4))
    for run in HEX_RUN.finditer(value):
        for skip in range(2):
            part = run.group()[skip:]
            yield bytes.fromhex(part[: len(part) // 2 * 2].decode())


def table_values(table: pa.Table) -> Iterator[tuple[str, bytes]]:
    """Every distinct value of every column that can hold text or bytes, and of integers."""
    for name, column in zip(table.column_names, table.columns):
        for value in distinct(column):
            yield name, value


def distinct(column: pa.ChunkedArray) -> Iterator[bytes]:
    """Distinct values as bytes; nested values as JSON; times and fractions hold no number."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_temporal(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return
    if pa.types.is_nested(kind):
        yield from (json.dumps(value, default=str).encode() for value in column.to_pylist())
        return
    for value in column.unique().to_pylist():
        if isinstance(value, bytes):
            yield value
        elif value is not None:
            yield str(value).encode()


def file_values(path: Path) -> Iterator[tuple[str, bytes]]:
    """Decoded values of a file, then its raw bytes in lines."""
    if path.suffix == ".parquet":
        yield from table_values(pyarrow.parquet.read_table(path, partitioning=None))
    elif path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            opened = pyarrow.ipc.open_stream(source)
            yield from table_values(opened.read_all())
    for line in path.read_bytes().split(b"\n"):
        yield "raw", line


def findings(paths: Iterable[Path], needles: Needles, limit: int = 10) -> list[str]:
    """Where needles stand; only values of Parquet and Arrow files are tried in their coded forms
    where they are binary, because raw compressed bytes decode to noise."""
    found: list[str] = []
    for path in paths:
        for place, value in file_values(path):
            binary = place == "raw" and path.suffix in (".parquet", ".arrow")
            hit = needles.plain(value) if binary else needles.found(value)
            if hit is not None:
                found.append(f"{path} [{place}]: {hit.decode(errors='replace')}")
                if len(found) >= limit:
                    return found
    return found


def files_below(root: Path) -> list[Path]:
    """Every file of a directory."""
    return sorted(path for path in root.rglob("*") if path.is_file())

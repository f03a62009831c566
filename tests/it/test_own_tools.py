"""The oracle and the scanner on hand-made input: they must be right before they judge others."""

from __future__ import annotations

import base64
from pathlib import Path

import oracle
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import scan

HEADER = ("row_id,topic,partition,offset,element,ingest_time_us,source,variant,account,message_id,"
          "recipient,channel_wire,vendor_status,vendor_status_id,vendor_group_id,error_code,"
          "event_time_us,submit_time_us,mcc,mnc,country,segments,price,price_unit_kind,currency,"
          "kind,duplicate_of,message_seq,future_clock,quantity,sku,period_start_us")
S = 1_000_000
DAY = 86_400 * S
T0 = 20_000 * DAY
NUMBER = "+4917055512345"


def row(at: int, variant: str, message: str, status: str, **facts: object) -> str:
    """A line of log.csv; times in seconds after T0."""
    values: dict[str, object] = dict.fromkeys(HEADER.split(","), "")
    seconds = {key: int(str(facts.pop(key))) for key in ("ingest", "event", "submit")
               if key in facts}
    values |= {
        "row_id": at, "topic": "t", "partition": at % 2, "offset": at // 2, "element": 0,
        "ingest_time_us": T0 + seconds["ingest"] * S, "source": variant.split(".")[0],
        "variant": variant, "message_id": message, "vendor_status": status, "kind": "delivery",
        "message_seq": ord((message or "-")[0]), "future_clock": 0, "recipient": NUMBER,
    }
    if "event" in seconds:
        values["event_time_us"] = T0 + seconds["event"] * S
    if "submit" in seconds:
        values["submit_time_us"] = T0 + seconds["submit"] * S
    return ",".join(str(value) for value in (values | facts).values())


def infobip(at: int, message: str, group: int, status: int, **facts: object) -> str:
    """An Infobip SMS report."""
    told = {"vendor_group_id": group, "vendor_status_id": status, "error_code": "0", "mcc": "262",
            "mnc": "01", "country": "DE", "segments": 2, "price": "0.03", "currency": "EUR",
            "price_unit_kind": "segment"}
    return row(at, "infobip.sms", message, "X", **(told | facts))


def usage(at: int, seconds: int, ingest: int, quantity: int, price: str) -> str:
    """A usage record as of so many seconds."""
    return row(at, "twilio.usage_records", "", "", ingest=ingest, event=seconds, kind="bill",
               sku="sms-outbound", account="AC1", period_start_us=T0, quantity=quantity, price=price,
               currency="usd")


def hand_made_log() -> list[str]:
    """Seven messages and a bill; what becomes of each is in the test below."""
    fee = {"price": "0.0030", "price_unit_kind": "carrier_fee", "currency": "EUR", "kind": "bill"}
    return [
        infobip(0, "a", 1, 7, ingest=1, submit=0, event=1),
        infobip(1, "a", 3, 5, ingest=4, submit=0, event=3),
        infobip(2, "a", 3, 5, ingest=9, submit=0, event=3, duplicate_of=1),
        infobip(3, "b", 3, 2, ingest=70, submit=62, event=66),
        infobip(4, "c", 4, 29, ingest=70, submit=65, event=68),
        row(5, "twilio.form", "d", "sent", ingest=10, country="US"),
        row(6, "twilio.form", "d", "delivered", ingest=13, country="US"),
        row(7, "twilio.message_resource", "d", "delivered", ingest=40, event=30, submit=9,
            price="-0.0079", price_unit_kind="message", currency="usd", country="US", segments=1),
        row(8, "apns.answer", "e", "200", ingest=21, event=20, submit=20),
        row(9, "whatsapp.status", "f", "read", ingest=20, event=18),
        row(10, "whatsapp.status", "f", "sent", ingest=25, event=900, future_clock=1),
        row(11, "whatsapp.status", "x", "", ingest=25, kind="malformed"),
        row(12, "whatsapp.status", "y", "sent", ingest=4 * 86_400, event=4 * 86_400),
        row(13, "whatsapp.status", "z", "sent", ingest=4 * 86_400, event=4 * 86_400),
        row(14, "cloudevents.event", "g", "delivered", ingest=30, event=29, price="0.0100",
            price_unit_kind="message", currency="EUR"),
        row(15, "cloudevents.billed", "g", "", ingest=50, event=45, **fee),
        row(16, "cloudevents.billed", "g", "", ingest=60, event=45, duplicate_of=15, **fee),
        row(17, "cloudevents.billed", "h", "", ingest=60, event=46, **fee),
        usage(18, 200, 210, 4, "0.03"),
        usage(19, 150, 220, 3, "0.025"),
    ]


@pytest.fixture
def hand_made(tmp_path: Path) -> oracle.duckdb.DuckDBPyConnection:
    """The oracle's tables over the hand-made log."""
    log = tmp_path / "log.csv"
    log.write_text("\n".join([HEADER, *hand_made_log()]) + "\n")
    connection = oracle.connect()
    oracle.load(connection, log)
    oracle.expect(connection)
    return connection


def test_outcomes_of_a_hand_computed_log(hand_made: oracle.duckdb.DuckDBPyConnection) -> None:
    rows = hand_made.execute(
        f"SELECT message_id, outcome, closed_by, (cohort_us - {T0}) // {S}, latency_kind, "
        "latency_ms, events FROM message ORDER BY message_id"
    ).fetchall()
    assert rows == [
        ("a", "delivered", "event", 0, "vendor", 3000, 2),
        ("b", "unknown", "horizon", 62, "none", None, 1),
        ("c", "unknown", "event", 65, "none", None, 1),
        ("d", "delivered", "event", 9, "broker", None, 3),
        ("e", "unknown", "horizon", 20, "none", None, 1),
        ("f", "read", "event", 18, "none", None, 2),
        ("g", "delivered", "event", 29, "none", None, 1),
        ("y", "sent", None, 4 * 86_400, "none", None, 1),
        ("z", "sent", None, 4 * 86_400, "none", None, 1),
    ]


def test_windows_of_a_hand_computed_log(hand_made: oracle.duckdb.DuckDBPyConnection) -> None:
    rows = hand_made.execute(
        f"SELECT (window_us - {T0}) // {S}, source, total, delivered, unknown, pending, latency_n, "
        "p50_ms, delivery_rate FROM slo_window WHERE window_s = 60 ORDER BY window_us, source"
    ).fetchall()
    assert rows == [
        (0, "apns", 1, 0, 1, 0, 0, None, None),
        (0, "cloudevents", 1, 1, 0, 0, 0, None, 1.0),
        (0, "infobip", 1, 1, 0, 0, 1, 3000, 1.0),
        (0, "twilio", 1, 1, 0, 0, 0, None, 1.0),
        (0, "whatsapp", 1, 1, 0, 0, 0, None, 1.0),
        (60, "infobip", 2, 0, 2, 0, 0, None, 0.0),
        (4 * 86_400, "whatsapp", 2, 0, 0, 2, 0, None, 0.0),
    ]


def test_costs_of_a_hand_computed_log(hand_made: oracle.duckdb.DuckDBPyConnection) -> None:
    rows = hand_made.execute(
        "SELECT source, currency, kind, amount::VARCHAR, quantity, messages, delivered "
        "FROM cost_window WHERE window_s = 86400 ORDER BY source, kind"
    ).fetchall()
    assert rows == [
        ("cloudevents", "EUR", "carrier_fee", "0.003000000", 1, 1, 1),
        ("cloudevents", "EUR", "message", "0.007000000", 1, 1, 1),
        ("infobip", "EUR", "segment", "0.180000000", 6, 3, 1),
        ("twilio", "USD", "message", "0.007900000", 1, 1, 1),
    ]
    billed = hand_made.execute(
        "SELECT grain, message_id, amount::VARCHAR FROM charged WHERE sku IS NOT NULL OR "
        "message_id = 'h'").fetchall()
    assert sorted(billed) == [("message", "h", "0.003000000"), ("period", None, "0.030000000")]


def test_percentiles_are_values_at_the_rank(hand_made: oracle.duckdb.DuckDBPyConnection) -> None:
    found = hand_made.execute(
        "SELECT value_at(l, 50), value_at(l, 95), value_at(l, 99) FROM (SELECT range(1, 11) AS l)"
    ).fetchone()
    wanted = hand_made.execute(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY x), percentile_disc(0.95) "
        "WITHIN GROUP (ORDER BY x), percentile_disc(0.99) WITHIN GROUP (ORDER BY x) "
        "FROM range(1, 11) AS t(x)"
    ).fetchone()
    assert found == wanted == (5, 10, 10)


def test_a_difference_is_told_by_key_and_column(
    hand_made: oracle.duckdb.DuckDBPyConnection,
) -> None:
    hand_made.execute("CREATE TABLE have AS SELECT * REPLACE (total + (window_us = "
                      f"{T0 + 60 * S})::INT AS total) FROM slo_window WHERE source <> 'apns'")
    key = ["window_s", "window_us", *oracle.DIMENSIONS]
    lines = oracle.compare(hand_made, oracle.Comparison("w", "slo_window", "have", key, ["total"]))
    assert any("missing in ours" in line for line in lines)
    assert any("total expected 2, got 3" in line for line in lines)


NEEDLES = scan.Needles.of([NUMBER, "user-1234567"], ["PLANTED-BODY-7f3a"])
FORMS = {
    "plain": NUMBER.encode(),
    "inside an id": b"x4917055512345y",
    "percent": b"To=%2B4917055512345&a",
    "percent of every digit": "".join(f"%{ord(c):02X}" for c in NUMBER).encode(),
    "hex": NUMBER.encode().hex().encode(),
    "user id": b'{"ref":"user-1234567"}',
    "body": b"say PLANTED-BODY-7f3a now",
    **{f"base64 {skip}": base64.b64encode(b"abcd"[:skip] + NUMBER.encode() + b"tail")
       for skip in range(3)},
    "base64 url": base64.urlsafe_b64encode(b"\xff\xfe" + NUMBER.encode()),
    "base64 after a prefix": b"wamid." + base64.b64encode(b"\x1c\x18\x0d4917055512345\x15"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_scanner_finds_every_form(form: str) -> None:
    assert NEEDLES.found(FORMS[form]) is not None


def test_the_scanner_leaves_a_prefix_and_a_token_alone() -> None:
    assert NEEDLES.found(b"+491705551 9f86d081884c7d659a2feaa0c55ad015") is None


def test_the_scanner_decodes_files(tmp_path: Path) -> None:
    column = pa.array([None, NUMBER, NUMBER], pa.dictionary(pa.int32(), pa.utf8()))
    table = pa.table({"sender": column, "n": pa.array([4917055512345, 1, 2], pa.int64())})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", compression="zstd")
    options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
    with pyarrow.ipc.new_stream(tmp_path / "b.arrow", table.schema, options=options) as writer:
        writer.write_table(table)
    (tmp_path / "c.log").write_text(f"sent to {NUMBER}\n")
    found = scan.findings(scan.files_below(tmp_path), NEEDLES)
    assert {Path(line.split(" [")[0]).name for line in found} == {"a.parquet", "b.arrow", "c.log"}

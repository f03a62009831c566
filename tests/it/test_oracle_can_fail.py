"""The test of the comparison: a forged data directory that is right passes, and each single wrong
row in it is told. Without this, a comparison that never fails would look like a pipeline that
never errs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import oracle
import pytest
from test_own_tools import HEADER, hand_made_log

TIME = "make_timestamp({0})::TIMESTAMPTZ"
KEY = "unhex(md5(source || message_id))"
FORGED = {
    "events": f"""
        SELECT unhex(md5(event_no::VARCHAR)) AS event_id, {KEY} AS message_key, source, status,
            is_final, channel, carrier, country, traffic_class, error_code,
            segments::USMALLINT AS segments, price, price_unit, currency, vendor_status,
            {TIME.format('time_us')} AS event_time, {TIME.format('submit_us')} AS submit_time,
            {TIME.format('ingest_time_us')} AS ingest_time, clock AS event_time_source,
            'accepted' AS disposition, topic, partition, "offset", element::UINTEGER AS element
        FROM first_delivery""",
    "messages": f"""
        SELECT {KEY} AS message_key, source, channel, carrier, country, traffic_class,
            CASE WHEN revision = 3 THEN 'queued' ELSE outcome END AS outcome,
            {TIME.format('cohort_us')} AS cohort_time, {TIME.format('outcome_us')} AS outcome_time,
            {TIME.format('read_us')} AS read_time, is_final, closed_by, error_code, segments,
            events, latency_ms, latency_broker_ms, revision
        FROM message, (SELECT unnest([3, 9]) AS revision)""",
    "charges": f"""
        SELECT unhex(md5(concat_ws('/', kind, source, message_id, sku))) AS charge_id,
            CASE WHEN grain = 'message' THEN {KEY} END AS message_key, grain, source, account, sku,
            {TIME.format('period_us')} AS period_start, kind, quantity, currency,
            CASE WHEN revision = 3 THEN amount * 2 ELSE amount END AS amount,
            {TIME.format('charge_us')} AS charge_time, channel, carrier, country, traffic_class,
            revision
        FROM charged, (SELECT unnest([3, 9]) AS revision)""",
    "charge_lines": f"""
        SELECT unhex(md5(bill_no::VARCHAR)) AS line_id, source, account, grain, charge_kind AS kind, basis,
            CASE WHEN grain = 'message' THEN {KEY} END AS message_key, quantity, amount, currency,
            {TIME.format('time_us')} AS event_time, {TIME.format('period_us')} AS period_start, sku,
            topic, partition, "offset", element::UINTEGER AS element,
            -- That a line came again with an earlier time is told by a row that counts as nothing.
            CASE WHEN delivery_no = 1 THEN 'accepted' ELSE 'earlier' END AS disposition
        FROM bill WHERE delivery_no <= 2""",
    "slo_windows": f"""
        SELECT * EXCLUDE (window_us, p50_ms, p95_ms, p99_ms),
            {TIME.format('window_us')} AS window_start, p50_ms * 1.004 AS p50_ms,
            p95_ms * 1.004 AS p95_ms, p99_ms * 0.996 AS p99_ms, 4::UBIGINT AS revision
        FROM slo_window""",
    "cost_windows": f"""
        SELECT * EXCLUDE (window_us), {TIME.format('window_us')} AS window_start,
            4::UBIGINT AS revision FROM cost_window""",
    "dead_letters": "SELECT source, topic, partition, \"offset\", element FROM element "
                    "WHERE kind = 'malformed'",
    "ledger": """
        WITH ranks AS (
            SELECT e.*, coalesce(v.delivery_no, b.delivery_no, 0) AS nth FROM element AS e
            LEFT JOIN event AS v USING (row_id) LEFT JOIN bill AS b USING (row_id))
        SELECT epoch, topic, partition,
            CASE epoch WHEN 1 THEN 0 ELSE 3 END AS start_offset,
            CASE epoch WHEN 1 THEN 3 ELSE max("offset") + 1 END AS end_offset,
            count(*) AS records, 0 AS gaps, count(*) AS elements,
            count(*) FILTER (nth = 1) AS accepted, count(*) FILTER (nth > 1) AS duplicate,
            0 AS late, count(*) FILTER (kind = 'malformed') AS dead,
            count(*) FILTER (kind = 'ignored') AS ignored
        FROM (SELECT *, CASE WHEN "offset" < 3 THEN 1 ELSE 2 END AS epoch FROM ranks)
        GROUP BY epoch, topic, partition""",
}
MISTAKES = {
    "a lost event": ("events", "status <> 'read'", "stored 0 times"),
    "a doubled event": ("events", None, "stored 2 times"),
    "a lost message": ("messages", "source <> 'apns'", "missing in ours"),
    "an older revision": ("messages", "revision = 3", "outcome expected"),
    "a lost window": ("slo_windows", "total < 2", "missing in ours"),
    "a lost cost": ("cost_windows", "source <> 'twilio'", "missing in ours"),
    "a lost charge": ("charges", "grain <> 'period'", "missing in ours"),
    "an older charge": ("charges", "revision = 3", "amount expected"),
    "a lost line": ("charge_lines", "sku IS NULL", "stored 0 times"),
    "a doubled line": ("charge_lines", None, "stored 2 times"),
    "a lost dead letter": ("dead_letters", "false", "missing in ours"),
    "a gap in the ledger": ("ledger", "epoch = 2 OR partition = 0", "ledger"),
}
CHANGES = {
    "a wrong outcome": ("messages", "outcome", "'sent'", "outcome expected"),
    "a wrong count": ("slo_windows", "delivered", "delivered + 1", "delivered expected"),
    "a percentile off by 2 %": ("slo_windows", "p50_ms", "p50_ms * 1.02", "p50_ms expected"),
    "a wrong rate": ("slo_windows", "delivery_rate", "0.5", "delivery_rate expected"),
    "a wrong amount": ("cost_windows", "amount", "amount * 2", "amount expected"),
    "a wrong line": ("charge_lines", "quantity", "quantity + 1", "quantity expected"),
    "a charge at another time": ("charges", "charge_time", "charge_time + INTERVAL 1 HOUR",
                                 "charge_us expected"),
    "a wrong carrier": ("events", "carrier", "'1-1'", "carrier expected"),
    "a broken equation": ("ledger", "duplicate", "duplicate + 1", "equation broken"),
}


def publish(database: oracle.duckdb.DuckDBPyConnection, data: Path, table: str, query: str) -> None:
    """Writes a table as the pipeline's public directory has it."""
    place = data / "public" / table / "date=2026-03-02"
    place.mkdir(parents=True, exist_ok=True)
    number = len(list(place.iterdir()))
    database.execute(f"COPY ({query}) TO '{place}/{number}.parquet' (FORMAT parquet)")


@pytest.fixture
def forged(tmp_path: Path) -> Iterator[tuple[oracle.duckdb.DuckDBPyConnection, Path]]:
    """The oracle over the hand-made log, and a directory that agrees with it."""
    log, data = tmp_path / "log.csv", tmp_path / "data"
    log.write_text("\n".join([HEADER, *hand_made_log()]) + "\n")
    database = oracle.connect()
    oracle.load(database, log)
    oracle.expect(database)
    for table, query in FORGED.items():
        publish(database, data, table, query)
    yield database, data


Forged = tuple[oracle.duckdb.DuckDBPyConnection, Path]


def told(database: oracle.duckdb.DuckDBPyConnection, data: Path) -> str:
    """All differences in one text."""
    oracle.attach(database, data)
    return "\n".join(oracle.differences(database))


def replace(forged: Forged, table: str, query: str) -> str:
    """Publishes one table anew and compares."""
    database, data = forged
    for path in (data / "public" / table).rglob("*.parquet"):
        path.unlink()
    publish(database, data, table, query)
    return told(database, data)


def test_a_right_directory_passes(forged: Forged) -> None:
    assert told(*forged) == ""
    assert oracle.end_differences(forged[0], {("t", 0): 10, ("t", 1): 10, ("empty", 0): 0}) == []
    [line] = oracle.end_differences(forged[0], {("t", 0): 11, ("t", 1): 10})
    assert "t/0 ends at 10, Kafka at 11" in line


@pytest.mark.parametrize("mistake", MISTAKES)
def test_missing_and_doubled_rows_are_told(forged: Forged, mistake: str) -> None:
    table, kept, words = MISTAKES[mistake]
    right = FORGED[table]
    wrong = f"SELECT * FROM ({right}) WHERE {kept}" if kept else f"({right}) UNION ALL ({right})"
    assert words in replace(forged, table, wrong)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_values_are_told(forged: Forged, change: str) -> None:
    table, column, value, words = CHANGES[change]
    wrong = f"SELECT * REPLACE ({value} AS {column}) FROM ({FORGED[table]})"
    assert words in replace(forged, table, wrong)

"""The independent oracle: DuckDB SQL over the simulator's log, compared with what we published.

`load` reads the log, `expect` derives what must be, `attach` reads a data directory's public
Parquet, `differences` compares. Nothing here knows how our own code works.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from clickhouse import ClickHouse

SQL = Path(__file__).resolve().parent.parent / "oracle"
DIMENSIONS = ["source", "channel", "carrier", "country", "traffic_class"]
TABLES = ["events", "messages", "charges", "charge_lines", "slo_windows", "cost_windows", "dead_letters",
          "ledger"]
POSITION = ["topic", "partition", "offset", "element"]
SHOWN = 5
OPERATORS = SQL.parent.parent / "schemas" / "operators.csv"

LOG_TYPES = {
    "row_id": "BIGINT", "partition": "INTEGER", "offset": "BIGINT", "element": "BIGINT",
    "ingest_time_us": "BIGINT", "vendor_status_id": "INTEGER", "vendor_group_id": "INTEGER",
    "event_time_us": "BIGINT", "submit_time_us": "BIGINT", "segments": "INTEGER",
    "price": "DECIMAL(18,9)", "duplicate_of": "BIGINT", "message_seq": "BIGINT",
    "future_clock": "INTEGER", "quantity": "BIGINT", "period_start_us": "BIGINT",
}


@dataclass
class Comparison:
    """What two relations must agree in. `near` columns may differ by 1 %; by 1 ms where
    the exact value is below the sketch's lowest bucket, which is 1 ms."""

    name: str
    expected: str
    actual: str
    key: list[str]
    exact: list[str] = field(default_factory=list)
    near: list[str] = field(default_factory=list)


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory whose times are UTC."""
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    return connection


def run_file(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Runs one file of tests/oracle."""
    connection.execute((SQL / name).read_text())


def log_columns(log: Path) -> dict[str, str]:
    """Column types of log.csv, by its own header."""
    with open(log, newline="", encoding="utf-8") as file:
        header = next(csv.reader(file))
    return {name: LOG_TYPES.get(name, "VARCHAR") for name in header}


def load(connection: duckdb.DuckDBPyConnection, log: Path, categories: Path | None = None) -> None:
    """Reads log.csv, and WhatsApp's pricing categories (topic,partition,offset,element,category)
    where they are given."""
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in log_columns(log).items())
    connection.execute(f"CREATE OR REPLACE TABLE operator AS SELECT * FROM "
                       f"read_csv('{OPERATORS}', all_varchar = true, comment = '#')")
    connection.execute(
        f"CREATE OR REPLACE TABLE element AS SELECT * FROM read_csv('{log}', header = true, "
        f"quote = '\"', escape = '\"', nullstr = '', auto_detect = false, "
        f"columns = {{{columns}}})"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE category (topic VARCHAR, partition INTEGER, \"offset\" BIGINT, "
        "element BIGINT, category VARCHAR)"
    )
    if categories is not None:
        connection.execute(f"INSERT INTO category SELECT * FROM read_csv('{categories}', "
                           "header = false, auto_detect = false, columns = {'topic': 'VARCHAR', "
                           "'p': 'INTEGER', 'o': 'BIGINT', 'e': 'BIGINT', 'c': 'VARCHAR'})")


def expect(connection: duckdb.DuckDBPyConnection, watermark_us: int | None = None) -> None:
    """Derives events, messages, windows and costs; the watermark is the one of `--until-end`,
    unless a live run took it to the ends of the partitions, where it follows the clock."""
    connection.execute(
        "CREATE OR REPLACE MACRO watermark_us() AS (SELECT min(newest) - 5000000 FROM "
        "(SELECT max(ingest_time_us) AS newest FROM element GROUP BY topic, partition))"
        if watermark_us is None
        else f"CREATE OR REPLACE MACRO watermark_us() AS {watermark_us}"
    )
    for name in ("bills.sql", "events.sql", "messages.sql", "windows.sql", "costs.sql"):
        run_file(connection, name)
    wrong = connection.execute(f"SELECT * FROM disagreement LIMIT {SHOWN}").fetchall()
    assert not wrong, f"oracle and simulator disagree with each other: {wrong}"


def attach(connection: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Reads the public Parquet files of a data directory."""
    for table in TABLES:
        files = f"{data}/public/{table}/date=*/*.parquet"
        found = list((data / "public" / table).glob("date=*/*.parquet"))
        assert found, f"no public file of {table} below {data}"
        connection.execute(
            f"CREATE OR REPLACE VIEW parquet_{table} AS SELECT * FROM "
            f"read_parquet('{files}', union_by_name = true, hive_partitioning = false)"
        )
    run_file(connection, "ours.sql")


def attach_clickhouse(
    connection: duckdb.DuckDBPyConnection, server: ClickHouse, database: str, folder: Path
) -> None:
    """Reads the tables that the loader filled, all revisions and without FINAL, in the place of the
    public files; `alerts` beside the others."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in [*TABLES, "alerts"]:
        file = folder / f"{table}.parquet"
        query = {"query": f"SELECT * FROM `{database}`.`{table}` FORMAT Parquet",
                 "output_format_parquet_string_as_string": 1}
        file.write_bytes(server.post(query, b""))
        connection.execute(
            f"CREATE OR REPLACE VIEW parquet_{table} AS SELECT * FROM read_parquet('{file}')")
    run_file(connection, "ours.sql")


def row_differences(
    connection: duckdb.DuckDBPyConnection, data: Path, folder: Path
) -> list[str]:
    """Rows of ClickHouse's tables that the public files do not have, and the other way round, each
    as often as it is there: every revision, every column."""
    lines = []
    for table in [*TABLES, "alerts"]:
        if not list((data / "public" / table).glob("date=*/*.parquet")):
            lake = f"(SELECT * FROM read_parquet('{folder}/{table}.parquet') WHERE false)"
        else:
            lake = (f"read_parquet('{data}/public/{table}/date=*/*.parquet', "
                    "union_by_name = true, hive_partitioning = false)")
        names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {lake}").fetchall()]
        columns = ", ".join(f'"{name}"' for name in names)
        ours = f"read_parquet('{folder}/{table}.parquet')"
        for kind, one, other in (("only in ClickHouse", ours, lake),
                                 ("not in ClickHouse", lake, ours)):
            rows = connection.execute(
                f"SELECT count(*) OVER (), COLUMNS(*)::VARCHAR FROM (SELECT {columns} FROM {one} EXCEPT ALL "
                f"SELECT {columns} FROM {other}) LIMIT 1").fetchall()
            lines += [f"{table} [{row[0]} rows] {kind}: {dict(zip(names, row[1:]))}" for row in rows]
    return lines


def compare(connection: duckdb.DuckDBPyConnection, wanted: Comparison) -> list[str]:
    """The first differences of two relations, one readable line each."""
    key = " AND ".join(f'e."{name}" IS NOT DISTINCT FROM a."{name}"' for name in wanted.key)
    unequal = [f'e."{n}" IS DISTINCT FROM a."{n}"' for n in wanted.exact]
    unequal += [
        f'(e."{n}" IS NULL) <> (a."{n}" IS NULL) OR '
        f'abs(e."{n}" - a."{n}") > if(abs(e."{n}") < 1, 1.0, 0.01 * abs(e."{n}"))'
        for n in wanted.near
    ]
    shown = [f'e."{n}", a."{n}"' for n in wanted.exact + wanted.near]
    keys = ", ".join(f'coalesce(e."{name}", a."{name}")' for name in wanted.key)
    condition = " OR ".join(["e.here IS NULL", "a.here IS NULL", *unequal])
    query = (
        f"SELECT count(*) OVER (), e.here, a.here, {', '.join([keys, *shown])} "
        f"FROM (SELECT true AS here, * FROM {wanted.expected}) AS e "
        f"FULL OUTER JOIN (SELECT true AS here, * FROM {wanted.actual}) AS a ON {key} "
        f"WHERE {condition} LIMIT {SHOWN}"
    )
    return [readable(wanted, row) for row in connection.execute(query).fetchall()]


def readable(wanted: Comparison, row: tuple[object, ...]) -> str:
    """One difference as a line."""
    total, expected, actual, *values = row
    place = ", ".join(f"{n}={v}" for n, v in zip(wanted.key, values))
    prefix = f"{wanted.name} [{total} differ] {place}:"
    if not actual:
        return f"{prefix} missing in ours"
    if not expected:
        return f"{prefix} not expected"
    pairs = zip(wanted.exact + wanted.near, zip(*[iter(values[len(wanted.key):])] * 2))
    told = [f"{n} expected {e}, got {a}" for n, (e, a) in pairs if e != a]
    return f"{prefix} {'; '.join(told)}"


def differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every comparison of the oracle with the attached data directory."""
    found: list[str] = []
    for wanted in comparisons():
        found += compare(connection, wanted)
    found += event_differences(connection)
    found += line_differences(connection)
    return found + ledger_differences(connection)


def comparisons() -> list[Comparison]:
    """The row-by-row comparisons."""
    window = ["window_s", "window_us", *DIMENSIONS]
    counts = ["total", "delivered", "read", "failed", "expired", "canceled", "unknown", "pending",
              "latency_n", "latency_broker_n", "latency_negative"]
    rates = ["delivery_rate", "error_rate", "maturity"]
    message = [*DIMENSIONS[1:], "cohort_us", "outcome", "outcome_us", "is_final", "closed_by",
               "read_us", "error_code", "latency_broker_ms", "events"]
    event = ["source", "status", "is_final", "channel", "carrier", "country", "traffic_class",
             "error_code", "segments", "price", "price_unit", "currency", "time_us", "submit_us",
             "ingest_time_us"]
    dead = "(SELECT * FROM element WHERE kind = 'malformed')"
    ours = "(SELECT k.message_id, o.* FROM our_message AS o JOIN key_of AS k USING (message_key))"
    line = ["source", "account", "grain", "charge_kind", "basis", "quantity", "amount", "currency",
            "time_us", "period_us", "sku"]
    lines = "(SELECT kind AS charge_kind, * EXCLUDE (kind) FROM our_charge_line)"
    billed = ("(SELECT * FROM bill SEMI JOIN our_charge_line USING (topic, partition, \"offset\", "
              "element))")
    charged = ["grain", "source", "message_id", "account", "sku", "period_us", "kind"]
    said = "(SELECT * FROM event SEMI JOIN our_event USING (topic, partition, \"offset\", element))"
    return [
        Comparison("dead_letters", dead, "parquet_dead_letters", POSITION, ["source"]),
        Comparison("events", said, "our_event", POSITION, event),
        Comparison("charge_lines", billed, lines, POSITION, line),
        Comparison("charges", "charged", "our_charge", charged,
                   ["quantity", "amount", "currency", "charge_us", "channel", "carrier", "country",
                    "traffic_class"]),
        Comparison("messages", "message", ours, ["source", "message_id"], [*message, "latency_ms"]),
        Comparison("slo_windows", "slo_window", "our_slo_window", window, counts,
                   ["p50_ms", "p95_ms", "p99_ms"]),
        Comparison("slo_windows rates", rounded("slo_window", window, rates),
                   rounded("our_slo_window", window, rates), window, rates),
        Comparison("cost_windows", "cost_window", "our_cost_window",
                   [*window, "currency", "kind"], ["amount", "quantity", "messages", "delivered"]),
    ]


def rounded(relation: str, key: list[str], columns: list[str]) -> str:
    """Floats to nine decimals, so that two ways to divide compare equal."""
    values = ", ".join(f"round({name}::DOUBLE, 9) AS {name}" for name in columns)
    return f"(SELECT {', '.join(key)}, {values} FROM {relation})"


def event_differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Each distinct event is stored exactly once, whichever of its redeliveries that was."""
    query = """
        WITH stored AS (
            SELECT event_no, count(o.event_id) AS copies, min(e.message_id) AS message_id,
                   min(variant) AS variant, min(e.row_id) AS row_id
            FROM event AS e
            LEFT JOIN our_event AS o USING (topic, partition, "offset", element)
            GROUP BY event_no
        )
        SELECT count(*) OVER (), copies, variant, row_id, message_id
        FROM stored WHERE copies <> 1 LIMIT 5
    """
    lines = [
        f"events [{total} differ] {variant} row {row}: stored {copies} times, expected once"
        for total, copies, variant, row, _ in connection.execute(query).fetchall()
    ]
    keys = connection.execute(
        "SELECT 'message ' || message_id || ' has several keys' FROM key_of "
        "GROUP BY source, message_id HAVING count(*) > 1 UNION ALL "
        "SELECT 'one key, several messages: ' || any_value(message_id) FROM key_of "
        "GROUP BY message_key HAVING count(*) > 1 LIMIT 5"
    ).fetchall()
    return lines + [str(row[0]) for row in keys]


def line_differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Each distinct line of a bill is stored exactly once."""
    query = """
        WITH stored AS (
            SELECT bill_no, count(o.line_id) AS copies, min(b.row_id) AS row_id
            FROM bill AS b
            LEFT JOIN our_charge_line AS o USING (topic, partition, "offset", element)
            GROUP BY bill_no
        )
        SELECT count(*) OVER (), copies, row_id FROM stored WHERE copies <> 1 LIMIT 5
    """
    return [f"charge_lines [{total} differ] row {row}: stored {copies} times, expected once"
            for total, copies, row in connection.execute(query).fetchall()]


def ledger_differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Promise P1: equations of every row, offsets contiguous, sums equal to the log's."""
    broken = connection.execute(
        'SELECT epoch, topic, partition FROM parquet_ledger '
        "WHERE end_offset - start_offset <> records + gaps "
        "OR elements <> accepted + duplicate + late + dead + ignored LIMIT 5"
    ).fetchall()
    lines = [f"ledger: equation broken in epoch {e} of {t}/{p}" for e, t, p in broken]
    holes = connection.execute(
        "SELECT * FROM (SELECT topic, partition, epoch, start_offset, coalesce(lag(end_offset) "
        "OVER (PARTITION BY topic, partition ORDER BY epoch), 0) AS before FROM parquet_ledger) "
        "WHERE start_offset <> before LIMIT 5"
    ).fetchall()
    lines += [f"ledger: {t}/{p} epoch {e} starts at {s}, not {b}" for t, p, e, s, b in holes]
    return lines + ledger_sums(connection)


def ledger_sums(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What the ledger counts against the log: by partition where the order of reading cannot
    matter, in all where it can (which of two redeliveries was first)."""
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW log_sums AS
        SELECT topic, partition, count(DISTINCT "offset") AS records, count(*) AS elements,
               count(*) FILTER (kind = 'malformed') AS dead,
               count(*) FILTER (kind = 'ignored') AS ignored,
               count(*) FILTER (kind IN ('delivery', 'bill')) AS events
        FROM element GROUP BY topic, partition;
        CREATE OR REPLACE TEMP VIEW our_sums AS
        SELECT topic, partition, sum(records)::BIGINT AS records, sum(elements)::BIGINT AS elements,
               sum(dead)::BIGINT AS dead, sum(ignored)::BIGINT AS ignored,
               sum(accepted + duplicate + late)::BIGINT AS events
        FROM parquet_ledger GROUP BY topic, partition HAVING sum(elements) <> 0;
    """)
    counts = ["records", "elements", "dead", "ignored", "events"]
    lines = compare(connection, Comparison(
        "ledger", "log_sums", "our_sums", ["topic", "partition"], counts))
    expected = connection.execute(
        "SELECT count(DISTINCT (bill, n)), count(*) - count(DISTINCT (bill, n)), 0 FROM "
        "(SELECT false AS bill, event_no AS n FROM event UNION ALL SELECT true, bill_no FROM bill WHERE is_own)"
    ).fetchone()
    actual = connection.execute(
        "SELECT sum(accepted)::BIGINT, sum(duplicate)::BIGINT, sum(late)::BIGINT "
        "FROM parquet_ledger"
    ).fetchone()
    if expected != actual:
        lines.append(f"ledger: accepted, duplicate, late: expected {expected}, got {actual}")
    return lines


def end_differences(
    connection: duckdb.DuckDBPyConnection, ends: dict[tuple[str, int], int]
) -> list[str]:
    """Partitions of which the ledger does not reach the end."""
    rows = connection.execute(
        "SELECT topic, partition, max(end_offset) FROM parquet_ledger GROUP BY ALL"
    ).fetchall()
    reached = {(topic, partition): end for topic, partition, end in rows}
    return [f"ledger: {topic}/{partition} ends at {reached.get((topic, partition))}, Kafka at {end}"
            for (topic, partition), end in ends.items() if end != reached.get((topic, partition), 0)]


def verdict(connection: duckdb.DuckDBPyConnection) -> None:
    """Fails with the first differences."""
    found = differences(connection)
    assert not found, "differs from the oracle:\n" + "\n".join(found)

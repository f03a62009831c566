-- Newest revisions. Generated from schemas/*.toml by the crate `window`; a test fails
-- when this file drifts (write it anew with BLESS=1 cargo test -p window).
-- Put the public directory of Parquet files in the place of {public}. A table
-- without files yet has no view: leave its statements out.

-- One row a canonical delivery event; duplicates are in the ledger only, but for those of disposition earlier.
CREATE OR REPLACE VIEW events AS
SELECT * FROM read_parquet('{public}/events/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- The outcome of each message; every change is one more revision, the newest stands.
CREATE OR REPLACE VIEW messages_revisions AS
SELECT * FROM read_parquet('{public}/messages/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- The outcome of each message; every change is one more revision, the newest stands.
CREATE OR REPLACE VIEW messages AS
SELECT
    "message_key",
    "source",
    "account",
    "message_id",
    "logical_id",
    "channel",
    "carrier",
    "country",
    "traffic_class",
    "cohort_time",
    "outcome",
    "outcome_time",
    "read_time",
    "is_final",
    "closed_by",
    "latency_ms",
    "latency_broker_ms",
    "segments",
    "error_class",
    "error_code",
    "events",
    "duplicates",
    "revision",
    "committed_at"
FROM (
    SELECT
        "message_key",
        "source",
        last_value("account" IGNORE NULLS) OVER history AS "account",
        last_value("message_id" IGNORE NULLS) OVER history AS "message_id",
        last_value("logical_id" IGNORE NULLS) OVER history AS "logical_id",
        "channel",
        "carrier",
        "country",
        "traffic_class",
        "cohort_time",
        "outcome",
        "outcome_time",
        "read_time",
        "is_final",
        "closed_by",
        "latency_ms",
        "latency_broker_ms",
        "segments",
        "error_class",
        "error_code",
        "events",
        "duplicates",
        "revision",
        "committed_at",
        lead(revision) OVER history AS next_revision
    FROM messages_revisions
    WINDOW history AS (
        PARTITION BY "message_key"
        ORDER BY revision
    )
) AS revisions
WHERE next_revision IS NULL;

-- Outcomes and latency of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW slo_windows_revisions AS
SELECT * FROM read_parquet('{public}/slo_windows/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- Outcomes and latency of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW slo_windows AS
SELECT
    "window_s",
    "window_start",
    "source",
    "channel",
    "carrier",
    "country",
    "traffic_class",
    "total",
    "delivered",
    "read",
    "failed",
    "expired",
    "canceled",
    "unknown",
    "pending",
    "delivery_rate",
    "error_rate",
    "latency_n",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "latency_broker_n",
    "latency_negative",
    "maturity",
    "watermark",
    "revision",
    "committed_at"
FROM (
    SELECT
        "window_s",
        "window_start",
        "source",
        "channel",
        "carrier",
        "country",
        "traffic_class",
        "total",
        "delivered",
        "read",
        "failed",
        "expired",
        "canceled",
        "unknown",
        "pending",
        "delivery_rate",
        "error_rate",
        "latency_n",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "latency_broker_n",
        "latency_negative",
        "maturity",
        "watermark",
        "revision",
        "committed_at",
        lead(revision) OVER history AS next_revision
    FROM slo_windows_revisions
    WINDOW history AS (
        PARTITION BY "window_s", "window_start", "source", "channel", "carrier", "country", "traffic_class"
        ORDER BY revision
    )
) AS revisions
WHERE next_revision IS NULL;

-- What is charged: one row a message and kind, and one a line of a bill that is no message's; the highest revision stands. Rows of grain period are totals whose money other rows may hold too: never add them, sum the view `spend`.
CREATE OR REPLACE VIEW charges_revisions AS
SELECT * FROM read_parquet('{public}/charges/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- What is charged: one row a message and kind, and one a line of a bill that is no message's; the highest revision stands. Rows of grain period are totals whose money other rows may hold too: never add them, sum the view `spend`.
CREATE OR REPLACE VIEW charges AS
SELECT
    "charge_id",
    "source",
    "account",
    "message_key",
    "kind",
    "basis",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "currency",
    "charge_time",
    "period_start",
    "period_end",
    "invoice_id",
    "sku",
    "channel",
    "country",
    "carrier",
    "traffic_class",
    "grain",
    "revision",
    "committed_at"
FROM (
    SELECT
        "charge_id",
        "source",
        last_value("account" IGNORE NULLS) OVER history AS "account",
        "message_key",
        "kind",
        "basis",
        "quantity",
        "unit",
        "unit_price",
        "amount",
        "currency",
        "charge_time",
        "period_start",
        "period_end",
        "invoice_id",
        "sku",
        "channel",
        "country",
        "carrier",
        "traffic_class",
        "grain",
        "revision",
        "committed_at",
        lead(revision) OVER history AS next_revision
    FROM charges_revisions
    WINDOW history AS (
        PARTITION BY "charge_id"
        ORDER BY revision
    )
) AS revisions
WHERE next_revision IS NULL;

-- One row a billing line that is new, as the vendor tells it; `charges` is what stands of them and of the prices in `events`. Never sum it: lines repeat and revise each other.
CREATE OR REPLACE VIEW charge_lines AS
SELECT * FROM read_parquet('{public}/charge_lines/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- Charges of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW cost_windows_revisions AS
SELECT * FROM read_parquet('{public}/cost_windows/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- Charges of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW cost_windows AS
SELECT
    "window_s",
    "window_start",
    "source",
    "channel",
    "carrier",
    "country",
    "traffic_class",
    "currency",
    "kind",
    "amount",
    "quantity",
    "messages",
    "delivered",
    "score",
    "expected",
    "watermark",
    "revision",
    "committed_at"
FROM (
    SELECT
        "window_s",
        "window_start",
        "source",
        "channel",
        "carrier",
        "country",
        "traffic_class",
        "currency",
        "kind",
        "amount",
        "quantity",
        "messages",
        "delivered",
        "score",
        "expected",
        "watermark",
        "revision",
        "committed_at",
        lead(revision) OVER history AS next_revision
    FROM cost_windows_revisions
    WINDOW history AS (
        PARTITION BY "window_s", "window_start", "source", "channel", "carrier", "country", "traffic_class", "currency", "kind"
        ORDER BY revision
    )
) AS revisions
WHERE next_revision IS NULL;

-- Every transition of every alert, once, in order.
CREATE OR REPLACE VIEW alerts AS
SELECT * FROM read_parquet('{public}/alerts/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- Elements that gave neither an event nor a charge because they could not be read.
CREATE OR REPLACE VIEW dead_letters AS
SELECT * FROM read_parquet('{public}/dead_letters/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- What became of every offset and every element: end - start = records + gaps; elements = accepted + duplicate + late + dead + ignored.
CREATE OR REPLACE VIEW ledger AS
SELECT * FROM read_parquet('{public}/ledger/*/*.parquet', union_by_name = true, hive_partitioning = false);

-- Charges that may be added up, by currency: no totals over messages, of several bases the latest.
CREATE OR REPLACE VIEW spend AS
SELECT
    "charge_id",
    "source",
    "account",
    "message_key",
    "kind",
    "basis",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "currency",
    "charge_time",
    "period_start",
    "period_end",
    "invoice_id",
    "sku",
    "channel",
    "country",
    "carrier",
    "traffic_class",
    "grain",
    "revision",
    "committed_at"
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY
                coalesce(message_key, charge_id),
                CASE WHEN kind = 'segment' THEN 'message' ELSE kind END
            ORDER BY
                CASE basis WHEN 'invoice' THEN 2 WHEN 'vendor' THEN 1 ELSE 0 END DESC,
                CASE WHEN quantity = 0 THEN 0 ELSE 1 END DESC,
                revision DESC,
                kind
        ) AS place
    FROM charges
    WHERE grain IS NULL OR grain <> 'period'
) AS charged
WHERE place = 1;

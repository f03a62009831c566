-- Newest revisions. Generated from schemas/*.toml by the crate `window`; a test fails
-- when this file drifts (write it anew with BLESS=1 cargo test -p window).
-- For clickhouse-local, or a server whose user_files hold the public directory.
-- Put that directory in the place of {public}. A table without files yet has no
-- view: leave its statements out.

-- One row a canonical delivery event; duplicates are in the ledger only, but for those of disposition earlier.
CREATE OR REPLACE VIEW events AS
SELECT * FROM file('{public}/events/*/*.parquet', 'Parquet');

-- The outcome of each message; every change is one more revision, the newest stands.
CREATE OR REPLACE VIEW messages_revisions AS
SELECT * FROM file('{public}/messages/*/*.parquet', 'Parquet');

-- The outcome of each message; every change is one more revision, the newest stands.
CREATE OR REPLACE VIEW messages_newest AS
SELECT
    rows.message_key AS message_key,
    argMax(tuple(rows.source), rows.revision).1 AS source,
    argMax(rows.account, rows.revision) AS account,
    argMax(rows.message_id, rows.revision) AS message_id,
    argMax(rows.logical_id, rows.revision) AS logical_id,
    argMax(tuple(rows.channel), rows.revision).1 AS channel,
    argMax(tuple(rows.carrier), rows.revision).1 AS carrier,
    argMax(tuple(rows.country), rows.revision).1 AS country,
    argMax(tuple(rows.traffic_class), rows.revision).1 AS traffic_class,
    argMax(tuple(rows.cohort_time), rows.revision).1 AS cohort_time,
    argMax(tuple(rows.outcome), rows.revision).1 AS outcome,
    argMax(tuple(rows.outcome_time), rows.revision).1 AS outcome_time,
    argMax(tuple(rows.read_time), rows.revision).1 AS read_time,
    argMax(tuple(rows.is_final), rows.revision).1 AS is_final,
    argMax(tuple(rows.closed_by), rows.revision).1 AS closed_by,
    argMax(tuple(rows.latency_ms), rows.revision).1 AS latency_ms,
    argMax(tuple(rows.latency_broker_ms), rows.revision).1 AS latency_broker_ms,
    argMax(tuple(rows.segments), rows.revision).1 AS segments,
    argMax(tuple(rows.error_class), rows.revision).1 AS error_class,
    argMax(tuple(rows.error_code), rows.revision).1 AS error_code,
    argMax(tuple(rows.events), rows.revision).1 AS events,
    argMax(tuple(rows.duplicates), rows.revision).1 AS duplicates,
    max(rows.revision) AS revision,
    argMax(tuple(rows.committed_at), rows.revision).1 AS committed_at
FROM messages_revisions AS rows
GROUP BY rows.message_key;

-- Outcomes and latency of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW slo_windows_revisions AS
SELECT * FROM file('{public}/slo_windows/*/*.parquet', 'Parquet');

-- Outcomes and latency of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW slo_windows_newest AS
SELECT
    rows.window_s AS window_s,
    rows.window_start AS window_start,
    rows.source AS source,
    rows.channel AS channel,
    rows.carrier AS carrier,
    rows.country AS country,
    rows.traffic_class AS traffic_class,
    argMax(tuple(rows.total), rows.revision).1 AS total,
    argMax(tuple(rows.delivered), rows.revision).1 AS delivered,
    argMax(tuple(rows.read), rows.revision).1 AS read,
    argMax(tuple(rows.failed), rows.revision).1 AS failed,
    argMax(tuple(rows.expired), rows.revision).1 AS expired,
    argMax(tuple(rows.canceled), rows.revision).1 AS canceled,
    argMax(tuple(rows.unknown), rows.revision).1 AS unknown,
    argMax(tuple(rows.pending), rows.revision).1 AS pending,
    argMax(tuple(rows.delivery_rate), rows.revision).1 AS delivery_rate,
    argMax(tuple(rows.error_rate), rows.revision).1 AS error_rate,
    argMax(tuple(rows.latency_n), rows.revision).1 AS latency_n,
    argMax(tuple(rows.p50_ms), rows.revision).1 AS p50_ms,
    argMax(tuple(rows.p95_ms), rows.revision).1 AS p95_ms,
    argMax(tuple(rows.p99_ms), rows.revision).1 AS p99_ms,
    argMax(tuple(rows.latency_broker_n), rows.revision).1 AS latency_broker_n,
    argMax(tuple(rows.latency_negative), rows.revision).1 AS latency_negative,
    argMax(tuple(rows.maturity), rows.revision).1 AS maturity,
    argMax(tuple(rows.watermark), rows.revision).1 AS watermark,
    max(rows.revision) AS revision,
    argMax(tuple(rows.committed_at), rows.revision).1 AS committed_at
FROM slo_windows_revisions AS rows
GROUP BY rows.window_s, rows.window_start, rows.source, rows.channel, rows.carrier, rows.country, rows.traffic_class;

-- What is charged: one row a message and kind, and one a line of a bill that is no message's; the highest revision stands. Rows of grain period are totals whose money other rows may hold too: never add them, sum the view `spend`.
CREATE OR REPLACE VIEW charges_revisions AS
SELECT * FROM file('{public}/charges/*/*.parquet', 'Parquet');

-- What is charged: one row a message and kind, and one a line of a bill that is no message's; the highest revision stands. Rows of grain period are totals whose money other rows may hold too: never add them, sum the view `spend`.
CREATE OR REPLACE VIEW charges_newest AS
SELECT
    rows.charge_id AS charge_id,
    argMax(tuple(rows.source), rows.revision).1 AS source,
    argMax(rows.account, rows.revision) AS account,
    argMax(tuple(rows.message_key), rows.revision).1 AS message_key,
    argMax(tuple(rows.kind), rows.revision).1 AS kind,
    argMax(tuple(rows.basis), rows.revision).1 AS basis,
    argMax(tuple(rows.quantity), rows.revision).1 AS quantity,
    argMax(tuple(rows.unit), rows.revision).1 AS unit,
    argMax(tuple(rows.unit_price), rows.revision).1 AS unit_price,
    argMax(tuple(rows.amount), rows.revision).1 AS amount,
    argMax(tuple(rows.currency), rows.revision).1 AS currency,
    argMax(tuple(rows.charge_time), rows.revision).1 AS charge_time,
    argMax(tuple(rows.period_start), rows.revision).1 AS period_start,
    argMax(tuple(rows.period_end), rows.revision).1 AS period_end,
    argMax(tuple(rows.invoice_id), rows.revision).1 AS invoice_id,
    argMax(tuple(rows.sku), rows.revision).1 AS sku,
    argMax(tuple(rows.channel), rows.revision).1 AS channel,
    argMax(tuple(rows.country), rows.revision).1 AS country,
    argMax(tuple(rows.carrier), rows.revision).1 AS carrier,
    argMax(tuple(rows.traffic_class), rows.revision).1 AS traffic_class,
    argMax(tuple(rows.grain), rows.revision).1 AS grain,
    max(rows.revision) AS revision,
    argMax(tuple(rows.committed_at), rows.revision).1 AS committed_at
FROM charges_revisions AS rows
GROUP BY rows.charge_id;

-- One row a billing line that is new, as the vendor tells it; `charges` is what stands of them and of the prices in `events`. Never sum it: lines repeat and revise each other.
CREATE OR REPLACE VIEW charge_lines AS
SELECT * FROM file('{public}/charge_lines/*/*.parquet', 'Parquet');

-- Charges of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW cost_windows_revisions AS
SELECT * FROM file('{public}/cost_windows/*/*.parquet', 'Parquet');

-- Charges of the messages of one window and series; the highest revision stands.
CREATE OR REPLACE VIEW cost_windows_newest AS
SELECT
    rows.window_s AS window_s,
    rows.window_start AS window_start,
    rows.source AS source,
    rows.channel AS channel,
    rows.carrier AS carrier,
    rows.country AS country,
    rows.traffic_class AS traffic_class,
    rows.currency AS currency,
    rows.kind AS kind,
    argMax(tuple(rows.amount), rows.revision).1 AS amount,
    argMax(tuple(rows.quantity), rows.revision).1 AS quantity,
    argMax(tuple(rows.messages), rows.revision).1 AS messages,
    argMax(tuple(rows.delivered), rows.revision).1 AS delivered,
    argMax(tuple(rows.score), rows.revision).1 AS score,
    argMax(tuple(rows.expected), rows.revision).1 AS expected,
    argMax(tuple(rows.watermark), rows.revision).1 AS watermark,
    max(rows.revision) AS revision,
    argMax(tuple(rows.committed_at), rows.revision).1 AS committed_at
FROM cost_windows_revisions AS rows
GROUP BY rows.window_s, rows.window_start, rows.source, rows.channel, rows.carrier, rows.country, rows.traffic_class, rows.currency, rows.kind;

-- Every transition of every alert, once, in order.
CREATE OR REPLACE VIEW alerts AS
SELECT * FROM file('{public}/alerts/*/*.parquet', 'Parquet');

-- Elements that gave neither an event nor a charge because they could not be read.
CREATE OR REPLACE VIEW dead_letters AS
SELECT * FROM file('{public}/dead_letters/*/*.parquet', 'Parquet');

-- What became of every offset and every element: end - start = records + gaps; elements = accepted + duplicate + late + dead + ignored.
CREATE OR REPLACE VIEW ledger AS
SELECT * FROM file('{public}/ledger/*/*.parquet', 'Parquet');

-- Charges that may be added up, by currency: no totals over messages, of several bases the latest.
CREATE OR REPLACE VIEW spend_newest AS
SELECT
    charge_id,
    source,
    account,
    message_key,
    kind,
    basis,
    quantity,
    unit,
    unit_price,
    amount,
    currency,
    charge_time,
    period_start,
    period_end,
    invoice_id,
    sku,
    channel,
    country,
    carrier,
    traffic_class,
    grain,
    revision,
    committed_at
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
    FROM charges_newest
    WHERE grain IS NULL OR grain <> 'period'
) AS charged
WHERE place = 1;

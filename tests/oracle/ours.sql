-- What the pipeline published, in the oracle's shape. `parquet(name)` lists a table's files.
-- Of revised tables the newest revision of each key.

CREATE OR REPLACE VIEW our_event AS
SELECT
    topic, partition, "offset", element, source, message_key, event_id, status, is_final, channel,
    carrier, country, traffic_class, error_code, segments, price, price_unit, currency,
    CASE WHEN source IN ('twilio', 'whatsapp', 'cloudevents') THEN vendor_status END
        AS vendor_status,
    epoch_us(event_time) AS time_us,
    epoch_us(submit_time) AS submit_us,
    epoch_us(ingest_time) AS ingest_time_us,
    event_time_source,
    disposition
FROM parquet_events
-- A redelivery with an earlier time is a duplicate; its row only tells that time.
WHERE disposition <> 'earlier';

CREATE OR REPLACE VIEW our_message AS
SELECT
    message_key, source, channel, carrier, country, traffic_class,
    epoch_us(cohort_time) AS cohort_us,
    outcome,
    epoch_us(outcome_time) AS outcome_us,
    is_final, closed_by,
    epoch_us(read_time) AS read_us,
    error_code, segments, events, latency_ms, latency_broker_ms
FROM parquet_messages
QUALIFY row_number() OVER (PARTITION BY message_key ORDER BY revision DESC) = 1;

CREATE OR REPLACE VIEW our_slo_window AS
SELECT * REPLACE (window_s::BIGINT AS window_s), epoch_us(window_start) AS window_us
FROM parquet_slo_windows
QUALIFY total <> 0 AND row_number() OVER (
    PARTITION BY window_s, window_start, source, channel, carrier, country, traffic_class
    ORDER BY revision DESC) = 1;

CREATE OR REPLACE VIEW our_cost_window AS
SELECT * REPLACE (window_s::BIGINT AS window_s), epoch_us(window_start) AS window_us
FROM parquet_cost_windows
QUALIFY messages <> 0 AND row_number() OVER (
    PARTITION BY window_s, window_start, source, channel, carrier, country, traffic_class,
    currency, kind ORDER BY revision DESC) = 1;

CREATE OR REPLACE VIEW our_charge_line AS
SELECT * EXCLUDE (message_key), message_key AS key, epoch_us(event_time) AS time_us,
    epoch_us(period_start) AS period_us
FROM parquet_charge_lines
WHERE disposition <> 'earlier';

-- Our message keys by the oracle's messages: what was stored has a position that the log knows.
CREATE OR REPLACE TABLE key_of AS
SELECT e.source, e.message_id, o.message_key
FROM our_event AS o
JOIN event AS e USING (topic, partition, "offset", element)
UNION
SELECT b.source, b.message_id, o.key
FROM our_charge_line AS o
JOIN bill AS b USING (topic, partition, "offset", element)
WHERE o.key IS NOT NULL;

-- Rows that were not withdrawn.
CREATE OR REPLACE VIEW our_charge AS
WITH newest AS (
    SELECT * FROM parquet_charges
    QUALIFY row_number() OVER (PARTITION BY charge_id ORDER BY revision DESC) = 1
)
SELECT
    c.grain, c.source, k.message_id,
    CASE WHEN c.grain <> 'message' THEN c.account END AS account,
    CASE WHEN c.grain <> 'message' THEN c.sku END AS sku,
    epoch_us(c.period_start) AS period_us, c.kind, c.quantity, c.amount, c.currency,
    epoch_us(c.charge_time) AS charge_us, c.channel, c.carrier, c.country, c.traffic_class
FROM newest AS c
LEFT JOIN key_of AS k USING (message_key)
WHERE c.grain <> 'message' OR c.quantity <> 0;

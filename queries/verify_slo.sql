-- SLO windows again, from the recomputed messages: counted, where the pipeline adds and subtracts.
--
-- recomputed_messages  verify_messages.sql
-- window_lengths       window_s, length_us (model::window::WINDOWS_S)
--
-- Windows without a message do not come out: the pipeline's rows of zeros have no counterpart.
-- Percentiles come from the same sketch, so they must be equal to the last bit.
WITH located AS (
    SELECT
        lengths.window_s,
        messages.cohort_us
            - ((messages.cohort_us % lengths.length_us) + lengths.length_us)
                % lengths.length_us
            AS window_us,
        -- A latency counts once: below zero, else by the broker's clock, else in the sketch.
        COALESCE(latency_ms, latency_broker_ms) < 0 AS is_negative,
        messages.*
    FROM (SELECT CAST(cohort_time AS BIGINT) AS cohort_us, * FROM recomputed_messages) AS messages
    CROSS JOIN window_lengths AS lengths
),

counted AS (
    SELECT
        window_s,
        window_us,
        source,
        channel,
        carrier,
        country,
        traffic_class,
        COUNT(*) AS total,
        COUNT(*) FILTER (WHERE is_final AND outcome IN ('delivered', 'read')) AS delivered,
        COUNT(*) FILTER (WHERE is_final AND outcome = 'read') AS read,
        COUNT(*) FILTER (WHERE is_final AND outcome IN ('undelivered', 'failed', 'rejected'))
            AS failed,
        COUNT(*) FILTER (WHERE is_final AND outcome = 'expired') AS expired,
        COUNT(*) FILTER (WHERE is_final AND outcome = 'canceled') AS canceled,
        COUNT(*) FILTER (WHERE is_final AND outcome IN ('unknown', 'accepted', 'queued', 'sent'))
            AS unknown,
        COUNT(*) FILTER (WHERE NOT is_final) AS pending,
        COUNT(*) FILTER (WHERE provable) AS provable,
        COUNT(*) FILTER (WHERE latency_broker_ms >= 0) AS latency_broker_n,
        COUNT(*) FILTER (WHERE is_negative) AS latency_negative,
        sketch_of(latency_ms) FILTER (WHERE latency_ms >= 0) AS latency
    FROM located
    GROUP BY window_s, window_us, source, channel, carrier, country, traffic_class
)

SELECT
    window_s,
    arrow_cast(window_us, 'Timestamp(Microsecond, Some("UTC"))') AS window_start,
    source,
    channel,
    carrier,
    country,
    traffic_class,
    total,
    delivered,
    read,
    failed,
    expired,
    canceled,
    unknown,
    pending,
    CASE WHEN provable > 0 AND total > canceled
        THEN CAST(delivered AS DOUBLE) / (total - canceled) END AS delivery_rate,
    CASE WHEN provable > 0 AND total > canceled
        THEN CAST(failed AS DOUBLE) / (total - canceled) END AS error_rate,
    sketch_count(latency) AS latency_n,
    sketch_quantile_ms(latency, 0.50) AS p50_ms,
    sketch_quantile_ms(latency, 0.95) AS p95_ms,
    sketch_quantile_ms(latency, 0.99) AS p99_ms,
    latency_broker_n,
    latency_negative,
    CAST(total - pending AS DOUBLE) / total AS maturity
FROM counted
ORDER BY
    window_s,
    window_us,
    source,
    channel,
    carrier NULLS LAST,
    country NULLS LAST,
    traffic_class

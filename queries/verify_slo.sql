-- SLO windows again, from the recomputed messages.
--
-- slo_counts  verify_slo_sum.sql of every part of the messages
--
-- Windows without a message do not come out: the pipeline's rows of zeros have no counterpart.
-- Percentiles come from the same sketch, so they must be equal to the last bit.
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
FROM slo_counts
ORDER BY
    window_s,
    window_us,
    source,
    channel,
    carrier NULLS LAST,
    country NULLS LAST,
    traffic_class

-- SLO windows of one part of the messages, counted, where the pipeline adds and subtracts.
-- verify_slo_sum.sql adds up the parts.
--
-- recomputed_messages  verify_fold.sql
-- window_lengths       window_s, length_us (model::window::WINDOWS_S)
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
)

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

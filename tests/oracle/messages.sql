-- One row a message: outcome, cohort time, latency, dimensions (DESIGN.md, "Messages have lives"
-- and "Time"). Input: first_delivery, and the macro watermark_us().

CREATE OR REPLACE TABLE message AS
WITH folded AS (
    SELECT
        source,
        message_id,
        count(*) AS events,
        max(segments) AS segments,
        bool_or(is_final) AS any_final,
        min(submit_us) AS submit_us,
        min(time_us) FILTER (clock IN ('vendor', 'vendor_local')) AS vendor_us,
        min(time_us) AS any_us,
        min(time_us) FILTER (status = 'delivered') AS delivered_us,
        arg_min(clock, time_us) FILTER (status = 'delivered') AS delivered_clock,
        min(time_us) FILTER (status = 'read') AS read_us,
        first(status ORDER BY is_final DESC, rank DESC, time_us) AS decided,
        first(time_us ORDER BY is_final DESC, rank DESC, time_us) AS decided_us,
        first(error_code ORDER BY is_final DESC, rank DESC, time_us) AS error_code,
        first(channel ORDER BY is_final DESC, rank DESC, time_us)
            FILTER (channel <> 'unknown') AS channel,
        first(carrier ORDER BY is_final DESC, rank DESC, time_us)
            FILTER (carrier IS NOT NULL) AS carrier,
        first(country ORDER BY is_final DESC, rank DESC, time_us)
            FILTER (country IS NOT NULL) AS country,
        first(traffic_class ORDER BY is_final DESC, rank DESC, time_us)
            FILTER (traffic_class <> 'unknown') AS traffic_class
    FROM first_delivery
    GROUP BY source, message_id
),

placed AS (
    SELECT
        *,
        coalesce(submit_us, vendor_us, any_us) AS cohort_us,
        CASE WHEN submit_us IS NOT NULL THEN 'submit' WHEN vendor_us IS NOT NULL THEN 'vendor'
             ELSE 'ingest' END AS cohort_from
    FROM folded
),

-- The event below `delivered` whose time is the cohort time, where a submit time is not told.
started AS (
    SELECT p.source, p.message_id, min(e.clock) AS start_clock
    FROM placed AS p
    JOIN first_delivery AS e USING (source, message_id)
    WHERE p.cohort_from <> 'submit'
        AND e.status NOT IN ('delivered', 'read')
        AND e.time_us = p.cohort_us
        AND (e.clock IN ('vendor', 'vendor_local')) = (p.cohort_from = 'vendor')
    GROUP BY p.source, p.message_id
),

measured AS (
    SELECT
        p.*,
        NOT p.any_final AND p.cohort_us + 259200000000 <= watermark_us() AS by_horizon,
        CASE
            WHEN p.delivered_us IS NULL THEN 'none'
            WHEN p.cohort_from <> 'submit' AND s.start_clock IS NULL THEN 'none'
            WHEN p.delivered_us < p.cohort_us THEN 'negative'
            WHEN p.delivered_clock = 'vendor'
                AND (p.cohort_from = 'submit' OR s.start_clock = 'vendor') THEN 'vendor'
            ELSE 'broker'
        END AS latency_kind,
        coalesce(p.delivered_clock = 'vendor'
            AND (p.cohort_from = 'submit' OR s.start_clock = 'vendor'), false) AS by_vendor,
        floor((p.delivered_us - p.cohort_us) / 1000)::BIGINT AS elapsed_ms
    FROM placed AS p
    LEFT JOIN started AS s USING (source, message_id)
)

SELECT
    source,
    message_id,
    coalesce(channel, 'unknown') AS channel,
    carrier,
    country,
    coalesce(traffic_class, 'unknown') AS traffic_class,
    cohort_us,
    CASE WHEN by_horizon THEN 'unknown' ELSE decided END AS outcome,
    CASE WHEN by_horizon THEN cohort_us + 259200000000 ELSE decided_us END AS outcome_us,
    any_final OR by_horizon AS is_final,
    CASE WHEN by_horizon THEN 'horizon' WHEN any_final THEN 'event' END AS closed_by,
    read_us,
    error_code,
    segments,
    events,
    latency_kind,
    -- A negative one is told as it is, and in no percentile.
    CASE WHEN latency_kind <> 'none' AND by_vendor THEN elapsed_ms END AS latency_ms,
    CASE WHEN latency_kind <> 'none' AND NOT by_vendor THEN elapsed_ms END AS latency_broker_ms
FROM measured;

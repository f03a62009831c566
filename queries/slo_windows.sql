-- SLO windows: panes of one window and series, summed.
--
-- slo_panes       signed sums by pane and series; several rows of one pane add up
-- window_lengths  window_s, length_us: 60 s, 300 s, 3600 s, 86400 s (model::window::WINDOWS_S)
-- stamp           one row: watermark, revision, committed_at of this run
--
-- Windows tumble and are aligned to 1970-01-01T00:00:00Z. Each length is a multiple of the pane
-- length, so a pane lies in exactly one window of a length. A window whose sums are all zero is a
-- row like any other: it tells readers that the messages it had are gone.
WITH placed AS (
    SELECT
        lengths.window_s,
        -- The remainder made non-negative: times before 1970 floor downward too.
        panes.pane_us
            - ((panes.pane_us % lengths.length_us) + lengths.length_us) % lengths.length_us
            AS window_us,
        panes.*
    FROM (SELECT CAST(pane_start AS BIGINT) AS pane_us, * FROM slo_panes) AS panes
    CROSS JOIN window_lengths AS lengths
),

summed AS (
    SELECT
        window_s,
        window_us,
        source,
        channel,
        carrier,
        country,
        traffic_class,
        SUM(total) AS total,
        SUM(delivered) AS delivered,
        SUM(read) AS read,
        SUM(failed) AS failed,
        SUM(expired) AS expired,
        SUM(canceled) AS canceled,
        SUM(unknown) AS unknown,
        SUM(pending) AS pending,
        SUM(latency_broker_n) AS latency_broker_n,
        SUM(latency_negative) AS latency_negative,
        sketch_merge(latency) AS latency,
        -- What the rates divide by; null where no receipt can prove delivery or nothing is left.
        CASE
            WHEN SUM(provable) <> 0 AND SUM(total) <> SUM(canceled)
            THEN CAST(SUM(total) - SUM(canceled) AS DOUBLE)
        END AS deliverable
    FROM placed
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
    delivered / deliverable AS delivery_rate,
    failed / deliverable AS error_rate,
    sketch_count(latency) AS latency_n,
    sketch_quantile_ms(latency, 0.50) AS p50_ms,
    sketch_quantile_ms(latency, 0.95) AS p95_ms,
    sketch_quantile_ms(latency, 0.99) AS p99_ms,
    latency_broker_n,
    latency_negative,
    -- total is what is settled and what is pending; null where there is no message.
    CASE WHEN total <> 0 THEN CAST(total - pending AS DOUBLE) / total END AS maturity,
    watermark,
    revision,
    committed_at
FROM summed
CROSS JOIN stamp
ORDER BY
    window_s,
    window_us,
    source,
    channel,
    carrier NULLS LAST,
    country NULLS LAST,
    traffic_class

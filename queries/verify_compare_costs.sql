-- Cost windows whose newest stored revision is not what the stored events and the recomputed
-- messages say. Windows that wait to be published are not compared, nor are those before
-- kept.costs_from, whose rows retention may have dropped.
--
-- One vendor charge per message and unit: of the prices that its events repeat, the latest that is
-- not zero; per-segment prices times the largest number of parts told; dated by the cohort time.
-- Series are those that the cardinality guard admitted (verify_fold.sql).
WITH copies AS (
    SELECT
        message_key,
        event_id,
        CAST(price_unit AS VARCHAR) AS kind,
        CAST(price AS DECIMAL(38, 9)) AS price,
        currency,
        segments,
        COALESCE(event_time, ingest_time) AS event_time,
        ROW_NUMBER() OVER (PARTITION BY message_key, event_id ORDER BY event_time ASC) AS copy
    FROM events
    WHERE CAST(disposition AS VARCHAR) IN ('accepted', 'earlier')
),

parts AS (
    SELECT message_key, GREATEST(COALESCE(MAX(segments), 1), 1) AS parts
    FROM copies
    GROUP BY message_key
),

placed AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY message_key, kind
            ORDER BY price <> 0 DESC, event_time DESC, event_id DESC
        ) AS place
    FROM copies
    WHERE copy = 1 AND price IS NOT NULL
),

charged AS (
    SELECT
        lengths.window_s,
        CAST(again.cohort_time AS BIGINT)
            - ((CAST(again.cohort_time AS BIGINT) % lengths.length_us) + lengths.length_us)
                % lengths.length_us AS window_us,
        CAST(again.source AS VARCHAR) AS source,
        CAST(again.channel AS VARCHAR) AS channel,
        CASE
            WHEN again.carrier IS NULL OR carriers.value IS NOT NULL
            THEN CAST(again.carrier AS VARCHAR)
            ELSE '__other__'
        END AS carrier,
        CASE
            WHEN again.country IS NULL OR countries.value IS NOT NULL
            THEN CAST(again.country AS VARCHAR)
            ELSE '__other__'
        END AS country,
        CAST(again.traffic_class AS VARCHAR) AS traffic_class,
        placed.currency,
        placed.kind,
        placed.price,
        CASE WHEN placed.kind = 'segment' THEN CAST(parts.parts AS BIGINT) ELSE 1 END AS quantity,
        again.is_final AND CAST(again.outcome AS VARCHAR) IN ('delivered', 'read') AS delivered
    FROM placed
    INNER JOIN parts ON placed.message_key = parts.message_key
    INNER JOIN again_messages AS again ON placed.message_key = again.message_key
    LEFT JOIN (SELECT value FROM admitted WHERE dimension = 'carrier') AS carriers
        ON CAST(again.carrier AS VARCHAR) = carriers.value
    LEFT JOIN (SELECT value FROM admitted WHERE dimension = 'country') AS countries
        ON CAST(again.country AS VARCHAR) = countries.value
    CROSS JOIN (
        VALUES (60, 60000000), (300, 300000000), (3600, 3600000000), (86400, 86400000000)
    ) AS lengths (window_s, length_us)
    WHERE placed.place = 1
),

again AS (
    SELECT
        window_s,
        arrow_cast(window_us, 'Timestamp(Microsecond, Some("UTC"))') AS window_start,
        source,
        channel,
        carrier,
        country,
        traffic_class,
        currency,
        kind,
        SUM(price * CAST(quantity AS DECIMAL(20, 0))) AS amount,
        SUM(quantity) AS quantity,
        COUNT(*) AS messages,
        COUNT(*) FILTER (WHERE delivered) AS delivered
    FROM charged
    GROUP BY
        window_s, window_us, source, channel, carrier, country, traffic_class, currency, kind
)

SELECT
    COALESCE(stored.window_s, again.window_s) AS window_s,
    COALESCE(stored.window_start, again.window_start) AS window_start,
    COALESCE(CAST(stored.source AS VARCHAR), again.source) AS source,
    COALESCE(CAST(stored.carrier AS VARCHAR), again.carrier) AS carrier,
    COALESCE(CAST(stored.currency AS VARCHAR), again.currency) AS currency,
    COALESCE(CAST(stored.kind AS VARCHAR), again.kind) AS kind,
    stored.amount AS stored_amount,
    again.amount AS recomputed_amount,
    stored.messages AS stored_messages,
    again.messages AS recomputed_messages
FROM (SELECT * FROM cost_windows WHERE messages <> 0) AS stored
FULL OUTER JOIN again
    ON CAST(stored.window_s AS BIGINT) = again.window_s
    AND stored.window_start = again.window_start
    AND CAST(stored.source AS VARCHAR) = again.source
    AND CAST(stored.channel AS VARCHAR) = again.channel
    AND COALESCE(CAST(stored.carrier AS VARCHAR), '') = COALESCE(again.carrier, '')
    AND COALESCE(CAST(stored.country AS VARCHAR), '') = COALESCE(again.country, '')
    AND CAST(stored.traffic_class AS VARCHAR) = again.traffic_class
    AND COALESCE(CAST(stored.currency AS VARCHAR), '') = COALESCE(again.currency, '')
    AND CAST(stored.kind AS VARCHAR) = again.kind
CROSS JOIN kept
LEFT ANTI JOIN waiting
    ON CAST(waiting.window_s AS BIGINT) = COALESCE(CAST(stored.window_s AS BIGINT), again.window_s)
    AND arrow_cast(waiting.window_start_us, 'Timestamp(Microsecond, Some("UTC"))')
        = COALESCE(stored.window_start, again.window_start)
WHERE COALESCE(stored.window_start, again.window_start) >= kept.costs_from
  AND ((stored.amount IS DISTINCT FROM again.amount)
   OR stored.quantity <> CAST(again.quantity AS DECIMAL(38, 9))
   OR (stored.messages IS DISTINCT FROM again.messages)
   OR stored.delivered <> again.delivered)

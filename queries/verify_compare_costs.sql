-- Cost windows whose newest stored revision is not what the stored events and the recomputed
-- messages say. Windows that wait to be published are not compared, nor are those before
-- kept.costs_from, whose rows retention may have dropped.
--
-- again_charges are the recomputed charges (verify_charges.sql): those of messages whose price is known
-- count (nothing in no currency is none, where it was not committed before format 4), at their
-- message's cohort time. Series are those that the cardinality guard admitted (verify_fold.sql).
WITH charged AS (
    SELECT
        lengths.window_s,
        CAST(again.charge_time AS BIGINT)
            - ((CAST(again.charge_time AS BIGINT) % lengths.length_us) + lengths.length_us)
                % lengths.length_us AS window_us,
        again.source,
        again.channel,
        CASE
            WHEN again.carrier IS NULL OR carriers.value IS NOT NULL THEN again.carrier
            ELSE '__other__'
        END AS carrier,
        CASE
            WHEN again.country IS NULL OR countries.value IS NOT NULL THEN again.country
            ELSE '__other__'
        END AS country,
        again.traffic_class,
        again.currency,
        again.kind,
        again.amount,
        again.quantity,
        again.delivered
    FROM again_charges AS again
    LEFT JOIN (SELECT value FROM admitted WHERE dimension = 'carrier') AS carriers
        ON again.carrier = CAST(carriers.value AS VARCHAR)
    LEFT JOIN (SELECT value FROM admitted WHERE dimension = 'country') AS countries
        ON again.country = CAST(countries.value AS VARCHAR)
    CROSS JOIN (
        VALUES (60, 60000000), (300, 300000000), (3600, 3600000000), (86400, 86400000000)
    ) AS lengths (window_s, length_us)
    WHERE again.message_key IS NOT NULL
      AND again.amount IS NOT NULL
      AND (again.amount <> 0 OR again.currency IS NOT NULL OR again.by_old_rule)
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
        SUM(amount) AS amount,
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

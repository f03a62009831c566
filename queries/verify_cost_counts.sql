-- Costs of windows of one part of the keys; verify_cost_sum.sql adds up the parts.
--
-- again_charges   the recomputed charges (verify_charges.sql): those of messages whose price is known
--                 count (nothing in no currency is none, where it was not committed before format
--                 4), at their message's cohort time
-- admitted        dimension, value: series that the cardinality guard admitted (verify_fold.sql)
-- window_lengths  window_s, length_us (model::window::WINDOWS_S)
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
    CROSS JOIN window_lengths AS lengths
    WHERE again.message_key IS NOT NULL
      AND again.amount IS NOT NULL
      AND (again.amount <> 0 OR again.currency IS NOT NULL OR again.by_old_rule)
)

SELECT
    window_s,
    window_us,
    source,
    channel,
    carrier,
    country,
    traffic_class,
    currency,
    kind,
    CAST(SUM(amount) AS DECIMAL(38, 9)) AS amount,
    CAST(SUM(quantity) AS DECIMAL(38, 9)) AS quantity,
    COUNT(*) AS messages,
    COUNT(*) FILTER (WHERE delivered) AS delivered
FROM charged
GROUP BY window_s, window_us, source, channel, carrier, country, traffic_class, currency, kind

-- Costs of windows of several parts of the keys, one row a window.
--
-- cost_counts  verify_cost_counts.sql, or what this query gave of it
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
    SUM(messages) AS messages,
    SUM(delivered) AS delivered
FROM cost_counts
GROUP BY window_s, window_us, source, channel, carrier, country, traffic_class, currency, kind

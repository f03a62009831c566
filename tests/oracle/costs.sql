-- Vendor charges and their windows. Inputs: first_delivery, message.
--
-- Of the prices that a message's events repeat, the latest that is not zero counts; a zero counts
-- where nothing else was told. Per-segment prices are multiplied by the largest told parts.

CREATE OR REPLACE TABLE charge AS
WITH latest AS (
    SELECT
        source,
        message_id,
        price_unit AS kind,
        first(price ORDER BY price <> 0 DESC, time_us DESC) AS unit_price,
        first(currency ORDER BY price <> 0 DESC, time_us DESC) AS currency
    FROM first_delivery
    WHERE price IS NOT NULL
    GROUP BY source, message_id, price_unit
)
SELECT
    m.*,
    l.kind,
    l.unit_price,
    l.currency,
    CASE WHEN l.kind = 'segment' THEN greatest(coalesce(m.segments, 1), 1) ELSE 1 END AS quantity
FROM latest AS l
JOIN message AS m USING (source, message_id);

CREATE OR REPLACE TABLE cost_window AS
SELECT
    window_s,
    cohort_us - cohort_us % (window_s::BIGINT * 1000000) AS window_us,
    source, channel, carrier, country, traffic_class, currency, kind,
    sum(unit_price * quantity) AS amount,
    sum(quantity) AS quantity,
    count(*) AS messages,
    count(*) FILTER (is_final AND outcome IN ('delivered', 'read')) AS delivered
FROM charge, (SELECT unnest([60, 300, 3600, 86400]) AS window_s)
GROUP BY ALL;

-- Vendor charges and their windows. Inputs: first_delivery, message, standing_bill.
--
-- Of the prices that a message's events repeat, the latest that is not zero counts; a zero counts
-- where nothing else was told. Per-segment prices are multiplied by the largest told parts. A
-- carrier's fee that is billed is taken out of the price, which holds it.

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
),

fee AS (SELECT * FROM standing_bill WHERE charge_kind = 'carrier_fee'),

said AS (
    SELECT
        l.* REPLACE (
            CASE WHEN l.kind = 'message' AND f.currency = l.currency
                AND f.amount BETWEEN 0 AND l.unit_price THEN l.unit_price - f.amount
                ELSE l.unit_price END AS unit_price)
    FROM latest AS l
    LEFT JOIN fee AS f USING (source, message_id)
    UNION ALL
    -- One that failed on a device and arrived on another is not free.
    SELECT
        b.source, b.message_id, b.charge_kind,
        CASE WHEN b.basis = 'estimated' AND m.outcome IN ('delivered', 'read') THEN NULL
             ELSE b.amount END,
        b.currency
    FROM standing_bill AS b
    LEFT JOIN message AS m USING (source, message_id)
    WHERE b.grain = 'message'
)

SELECT
    m.*,
    s.kind,
    s.unit_price::DECIMAL(18, 9) AS unit_price,
    s.currency,
    CASE WHEN s.kind = 'segment' THEN greatest(coalesce(m.segments, 1), 1) ELSE 1 END AS quantity
FROM said AS s
JOIN message AS m USING (source, message_id);

-- All rows of `charges`: of messages, of fees whose message is not there, of bills.
CREATE OR REPLACE TABLE charged AS
SELECT
    'message' AS grain, source, message_id, NULL AS account, NULL AS sku, NULL::BIGINT AS period_us,
    kind, quantity::DECIMAL(38, 9) AS quantity, (unit_price * quantity)::DECIMAL(38, 9) AS amount,
    currency,
    cohort_us AS charge_us, channel, carrier, country, traffic_class
FROM charge
UNION ALL
SELECT
    grain, source, message_id, NULL, NULL, NULL, charge_kind, quantity, amount, currency, time_us,
    'in_app', NULL, NULL, 'unknown'
FROM standing_bill ANTI JOIN message USING (source, message_id)
WHERE grain = 'message'
UNION ALL
SELECT
    grain, source, NULL, account, sku, period_us, charge_kind, quantity, amount, currency,
    period_us, CASE WHEN sku = 'sms-outbound' THEN 'sms' ELSE 'unknown' END, NULL, NULL, 'unknown'
FROM standing_bill
WHERE grain <> 'message';

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
WHERE currency IS NOT NULL
GROUP BY ALL;

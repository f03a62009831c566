-- Lines of bills: usage records of Twilio, whose newest `as_of` stands; carriers' fees of in-app
-- messages; WhatsApp's pricing, which stands beside an event and names no amount: a message that was
-- sent is an estimate until it is delivered, costs nothing where it is free, and is estimated at
-- nothing where it failed.
-- Inputs: element, category (the simulator prices nothing but `service` as free).

CREATE OR REPLACE TABLE bill AS
WITH billed AS (
    SELECT
        e.* EXCLUDE (quantity, price, sku), kind = 'bill' AS is_own, coalesce(quantity, 1) AS quantity,
        price, sku, 'vendor' AS basis,
        CASE WHEN source = 'cloudevents' THEN 'carrier_fee' WHEN sku = 'sms-outbound' THEN 'segment'
             ELSE 'number' END AS charge_kind,
        CASE WHEN source = 'cloudevents' THEN 'message' WHEN sku = 'sms-outbound' THEN 'period'
             ELSE 'item' END AS grain
    FROM element AS e
    WHERE kind = 'bill'
),

priced AS (
    SELECT
        e.* EXCLUDE (quantity, price, sku), false, 1,
        CASE WHEN category = 'service' OR vendor_status = 'failed' THEN 0 END,
        category || CASE WHEN category = 'service' THEN '/free_customer_service' ELSE '/regular' END,
        CASE WHEN vendor_status <> 'failed' AND (category = 'service' OR vendor_status = 'delivered')
             THEN 'vendor' ELSE 'estimated' END,
        'message', 'message'
    FROM element AS e
    LEFT JOIN category USING (topic, partition, "offset", element)
    WHERE kind = 'delivery' AND source = 'whatsapp'
        AND (category IS NOT NULL OR vendor_status = 'failed')
),

line AS (SELECT * FROM billed UNION ALL SELECT * FROM priced)

SELECT
    dense_rank() OVER (ORDER BY source, account, message_id, sku, period_start_us, event_time_us,
                       basis, quantity, price, currency) AS bill_no,
    row_number() OVER (PARTITION BY source, account, message_id, sku, period_start_us, event_time_us,
                       basis, quantity, price, currency ORDER BY ingest_time_us, row_id) AS delivery_no,
    row_id, topic, partition, "offset", element, ingest_time_us, source, account, message_id,
    message_seq, duplicate_of, is_own, basis, sku, period_start_us AS period_us, charge_kind, grain,
    CASE WHEN event_time_us > ingest_time_us + 300000000 THEN ingest_time_us ELSE event_time_us
         END AS time_us,
    quantity::DECIMAL(38, 9) AS quantity, price::DECIMAL(38, 9) AS amount, upper(currency) AS currency
FROM line;

-- The line that stands of what each is about, whichever was read last.
CREATE OR REPLACE VIEW standing_bill AS
SELECT * FROM bill
QUALIFY row_number() OVER (
    PARTITION BY source, charge_kind, message_id, period_us,
        CASE WHEN grain <> 'message' THEN account END, CASE WHEN grain <> 'message' THEN sku END
    ORDER BY basis DESC, basis = 'estimated' AND amount IS NOT NULL DESC, time_us DESC,
        delivery_no) = 1;

-- Charges whose newest stored row is not the recomputed one. Charges before kept.messages_from may
-- have lost what they were made of to retention, and are not compared; nor are bills whose newest row
-- was committed before kept.bills_from. A charge of no units was withdrawn. Before there was a column
-- `grain`, a charge was not revised where its message moved by seconds: its time is not compared.
WITH stored AS (
    SELECT
        charge_id,
        message_key,
        CAST(kind AS VARCHAR) AS kind,
        CAST(basis AS VARCHAR) AS basis,
        quantity,
        CAST(unit_price AS DECIMAL(38, 9)) AS unit_price,
        amount,
        CAST(currency AS VARCHAR) AS currency,
        sku,
        charge_time,
        CAST(source AS VARCHAR) AS source,
        CAST(channel AS VARCHAR) AS channel,
        CAST(carrier AS VARCHAR) AS carrier,
        CAST(country AS VARCHAR) AS country,
        CAST(traffic_class AS VARCHAR) AS traffic_class,
        grain,
        committed_at
    FROM charges
    WHERE quantity <> 0 OR message_key IS NULL
)

SELECT
    COALESCE(stored.message_key, again.message_key) AS message_key,
    COALESCE(stored.charge_id, again.charge_id) AS charge_id,
    COALESCE(stored.kind, again.kind) AS kind,
    stored.basis AS stored_basis,
    again.basis AS recomputed_basis,
    stored.quantity AS stored_quantity,
    again.quantity AS recomputed_quantity,
    stored.amount AS stored_amount,
    again.amount AS recomputed_amount,
    stored.charge_time AS stored_charge_time,
    again.charge_time AS recomputed_charge_time
FROM stored
FULL OUTER JOIN again_charges AS again
    ON COALESCE(stored.message_key, stored.charge_id)
        = COALESCE(again.message_key, again.charge_id)
    AND (stored.message_key IS NULL) = (again.message_key IS NULL)
    AND stored.kind = again.kind
CROSS JOIN kept
WHERE CASE
        WHEN COALESCE(stored.message_key, again.message_key) IS NOT NULL
        THEN COALESCE(stored.charge_time, again.charge_time) >= kept.messages_from
        ELSE stored.committed_at IS NULL OR stored.committed_at >= kept.bills_from
    END
  AND (stored.kind IS NULL
   OR again.kind IS NULL
   OR stored.basis <> again.basis
   OR stored.quantity <> again.quantity
   OR (stored.unit_price IS DISTINCT FROM again.unit_price)
   OR (stored.amount IS DISTINCT FROM again.amount)
   OR (stored.currency IS DISTINCT FROM again.currency)
   OR (stored.sku IS DISTINCT FROM again.sku)
   OR (stored.charge_time <> again.charge_time AND stored.grain IS NOT NULL)
   OR stored.source <> again.source
   OR stored.channel <> again.channel
   OR (stored.carrier IS DISTINCT FROM again.carrier)
   OR (stored.country IS DISTINCT FROM again.country)
   OR stored.traffic_class <> again.traffic_class)

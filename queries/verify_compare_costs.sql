-- Cost windows whose newest stored revision is not what the stored events and the recomputed
-- messages say. Windows that wait to be published are not compared, nor are those before
-- kept.costs_from, whose rows retention may have dropped.
--
-- again_costs  verify_cost_sum.sql of every part of the keys
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
FULL OUTER JOIN (
    SELECT *, arrow_cast(window_us, 'Timestamp(Microsecond, Some("UTC"))') AS window_start
    FROM again_costs
) AS again
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

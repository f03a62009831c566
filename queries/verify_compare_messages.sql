-- Messages whose stored outcome is not the recomputed one. Those that began before
-- kept.messages_from may have lost events to retention, and are not compared.
SELECT
    COALESCE(stored.message_key, again.message_key) AS message_key,
    stored.outcome AS stored_outcome,
    again.outcome AS recomputed_outcome,
    stored.cohort_time AS stored_cohort_time,
    again.cohort_time AS recomputed_cohort_time,
    stored.latency_ms AS stored_latency_ms,
    again.latency_ms AS recomputed_latency_ms,
    stored.carrier AS stored_carrier,
    again.carrier AS recomputed_carrier
FROM messages AS stored
FULL OUTER JOIN again_messages AS again ON stored.message_key = again.message_key
CROSS JOIN kept
WHERE COALESCE(stored.cohort_time, again.cohort_time) >= kept.messages_from
  AND (stored.message_key IS NULL
   OR again.message_key IS NULL
   OR (CAST(stored.outcome AS VARCHAR) IS DISTINCT FROM CAST(again.outcome AS VARCHAR))
   OR (stored.is_final IS DISTINCT FROM again.is_final)
   OR (stored.cohort_time IS DISTINCT FROM again.cohort_time)
   OR (stored.outcome_time IS DISTINCT FROM again.outcome_time)
   OR (stored.latency_ms IS DISTINCT FROM again.latency_ms)
   OR (stored.latency_broker_ms IS DISTINCT FROM again.latency_broker_ms)
   OR (CAST(stored.channel AS VARCHAR) IS DISTINCT FROM CAST(again.channel AS VARCHAR))
   OR (CAST(stored.carrier AS VARCHAR) IS DISTINCT FROM CAST(again.carrier AS VARCHAR))
   OR (CAST(stored.country AS VARCHAR) IS DISTINCT FROM CAST(again.country AS VARCHAR))
   OR (CAST(stored.traffic_class AS VARCHAR) IS DISTINCT FROM CAST(again.traffic_class AS VARCHAR))
   OR (CAST(stored.error_class AS VARCHAR) IS DISTINCT FROM CAST(again.error_class AS VARCHAR)))

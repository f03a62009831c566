-- Windows whose newest stored revision is not the recomputed one. Windows of zeros are only in the
-- store: their messages moved elsewhere. Windows that wait to be published are not compared, nor
-- are those before kept.slo_from, whose rows retention may have dropped.
SELECT
    COALESCE(stored.window_s, again.window_s) AS window_s,
    COALESCE(stored.window_start, again.window_start) AS window_start,
    COALESCE(CAST(stored.source AS VARCHAR), CAST(again.source AS VARCHAR)) AS source,
    COALESCE(CAST(stored.channel AS VARCHAR), CAST(again.channel AS VARCHAR)) AS channel,
    COALESCE(CAST(stored.carrier AS VARCHAR), CAST(again.carrier AS VARCHAR)) AS carrier,
    stored.total AS stored_total,
    again.total AS recomputed_total,
    stored.delivered AS stored_delivered,
    again.delivered AS recomputed_delivered,
    stored.p95_ms AS stored_p95_ms,
    again.p95_ms AS recomputed_p95_ms
FROM (SELECT * FROM slo_windows WHERE total <> 0) AS stored
FULL OUTER JOIN again_slo AS again
    ON stored.window_s = again.window_s
    AND stored.window_start = again.window_start
    AND CAST(stored.source AS VARCHAR) = CAST(again.source AS VARCHAR)
    AND CAST(stored.channel AS VARCHAR) = CAST(again.channel AS VARCHAR)
    AND COALESCE(CAST(stored.carrier AS VARCHAR), '') = COALESCE(CAST(again.carrier AS VARCHAR), '')
    AND COALESCE(CAST(stored.country AS VARCHAR), '') = COALESCE(CAST(again.country AS VARCHAR), '')
    AND CAST(stored.traffic_class AS VARCHAR) = CAST(again.traffic_class AS VARCHAR)
CROSS JOIN kept
LEFT ANTI JOIN waiting
    ON waiting.window_s = COALESCE(stored.window_s, again.window_s)
    AND arrow_cast(waiting.window_start_us, 'Timestamp(Microsecond, Some("UTC"))')
        = COALESCE(stored.window_start, again.window_start)
WHERE COALESCE(stored.window_start, again.window_start) >= kept.slo_from
  AND ((stored.total IS DISTINCT FROM again.total)
   OR stored.delivered <> again.delivered
   OR stored.read <> again.read
   OR stored.failed <> again.failed
   OR stored.expired <> again.expired
   OR stored.canceled <> again.canceled
   OR stored.unknown <> again.unknown
   OR stored.pending <> again.pending
   OR stored.latency_n <> again.latency_n
   OR (stored.p50_ms IS DISTINCT FROM again.p50_ms)
   OR (stored.p95_ms IS DISTINCT FROM again.p95_ms)
   OR (stored.p99_ms IS DISTINCT FROM again.p99_ms))

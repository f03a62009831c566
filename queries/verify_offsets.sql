-- Places where an epoch does not begin at the offset at which the one before it ended, unless the
-- user went back there by hand (table sought). Of epochs up to kept.ledger_after retention dropped
-- lines.
WITH ordered AS (
    SELECT
        epoch,
        CAST(topic AS VARCHAR) AS topic,
        "partition",
        start_offset,
        LAG(end_offset) OVER (
            PARTITION BY CAST(topic AS VARCHAR), "partition" ORDER BY epoch
        ) AS expected_offset,
        LAG(epoch) OVER (
            PARTITION BY CAST(topic AS VARCHAR), "partition" ORDER BY epoch
        ) AS epoch_before
    FROM ledger
    CROSS JOIN kept
    WHERE epoch > kept.ledger_after
)

SELECT
    ordered.epoch,
    ordered.topic,
    ordered."partition",
    ordered.start_offset,
    ordered.expected_offset
FROM ordered
LEFT JOIN sought
    ON ordered.topic = sought.topic
    AND ordered."partition" = sought."partition"
    AND ordered.start_offset = sought.start_offset
    AND sought.epoch > ordered.epoch_before
    AND sought.epoch <= ordered.epoch
WHERE ordered.expected_offset <> ordered.start_offset
  AND sought.epoch IS NULL

-- Places where an epoch does not begin at the offset at which the one before it ended. Of epochs up
-- to kept.ledger_after retention dropped lines.
WITH ordered AS (
    SELECT
        epoch,
        CAST(topic AS VARCHAR) AS topic,
        "partition",
        start_offset,
        LAG(end_offset) OVER (
            PARTITION BY CAST(topic AS VARCHAR), "partition" ORDER BY epoch
        ) AS expected_offset
    FROM ledger
    CROSS JOIN kept
    WHERE epoch > kept.ledger_after
)

SELECT *
FROM ordered
WHERE expected_offset IS NOT NULL AND expected_offset <> start_offset

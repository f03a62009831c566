-- Places where an epoch does not begin at the offset at which the one before it ended.
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
)

SELECT *
FROM ordered
WHERE expected_offset IS NOT NULL AND expected_offset <> start_offset

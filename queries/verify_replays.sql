-- Replays of dead letters that are not exactly once: a letter that was replayed again, or records of
-- an input dead:<topic> that are not those of the letters replayed in the same epoch. Of epochs up
-- to kept.replays_after retention dropped rows.
WITH replayed AS (
    SELECT
        epoch,
        CASE
            WHEN CAST(topic AS VARCHAR) LIKE 'dead:%' THEN CAST(topic AS VARCHAR)
            ELSE CONCAT('dead:', CAST(topic AS VARCHAR))
        END AS input,
        CAST(topic AS VARCHAR) AS topic,
        "partition",
        "offset",
        element,
        replay_offset
    FROM dead_replays
),

given AS (
    SELECT epoch, input, "partition", COUNT(DISTINCT replay_offset) AS records
    FROM replayed
    GROUP BY epoch, input, "partition"
),

lines AS (
    SELECT epoch, CAST(topic AS VARCHAR) AS input, "partition", records
    FROM ledger
    WHERE CAST(topic AS VARCHAR) LIKE 'dead:%'
)

SELECT
    COALESCE(lines.epoch, given.epoch) AS epoch,
    COALESCE(lines.input, given.input) AS input,
    COALESCE(lines."partition", given."partition") AS "partition",
    CAST(NULL AS BIGINT) AS "offset",
    lines.records AS ledger_records,
    given.records AS replayed_records
FROM lines
FULL OUTER JOIN given
    ON lines.epoch = given.epoch
    AND lines.input = given.input
    AND lines."partition" = given."partition"
CROSS JOIN kept
WHERE COALESCE(lines.epoch, given.epoch) > kept.replays_after
  AND COALESCE(lines.records, 0) <> COALESCE(given.records, 0)
UNION ALL
SELECT MAX(epoch), topic, "partition", "offset", 1, COUNT(*)
FROM replayed
GROUP BY topic, "partition", "offset", element
HAVING COUNT(*) > 1

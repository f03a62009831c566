-- Epochs and partitions whose stored rows are not as many as the ledger says. Of epochs up to
-- kept.rows_after retention dropped rows.
-- An element may have given an event and lines of bills; it counts once, as accepted where any of it is.
WITH given AS (
    SELECT epoch, topic, "partition", "offset", element, disposition FROM events
    UNION ALL
    SELECT epoch, topic, "partition", "offset", element, disposition FROM charge_lines
),

elements AS (
    SELECT
        epoch,
        CAST(topic AS VARCHAR) AS topic,
        "partition",
        MAX(CASE WHEN CAST(disposition AS VARCHAR) = 'accepted' THEN 1 ELSE 0 END) AS accepted,
        MAX(CASE WHEN CAST(disposition AS VARCHAR) = 'late' THEN 1 ELSE 0 END) AS late
    FROM given
    GROUP BY epoch, CAST(topic AS VARCHAR), "partition", "offset", element
),

stored AS (
    SELECT
        epoch,
        topic,
        "partition",
        SUM(accepted) AS accepted,
        SUM(CASE WHEN accepted = 0 THEN late ELSE 0 END) AS late,
        0 AS dead
    FROM elements
    GROUP BY epoch, topic, "partition"
    UNION ALL
    SELECT epoch, CAST(topic AS VARCHAR), "partition", 0, 0, COUNT(*)
    FROM dead_letters
    GROUP BY epoch, CAST(topic AS VARCHAR), "partition"
),

counted AS (
    SELECT
        epoch,
        topic,
        "partition",
        SUM(accepted) AS accepted,
        SUM(late) AS late,
        SUM(dead) AS dead
    FROM stored
    GROUP BY epoch, topic, "partition"
),

lines AS (
    SELECT epoch, CAST(topic AS VARCHAR) AS topic, "partition", accepted, late, dead
    FROM ledger
)

SELECT
    COALESCE(lines.epoch, counted.epoch) AS epoch,
    COALESCE(lines.topic, counted.topic) AS topic,
    COALESCE(lines."partition", counted."partition") AS "partition",
    lines.accepted AS ledger_accepted,
    counted.accepted AS stored_accepted,
    lines.late AS ledger_late,
    counted.late AS stored_late,
    lines.dead AS ledger_dead,
    counted.dead AS stored_dead
FROM lines
FULL OUTER JOIN counted
    ON lines.epoch = counted.epoch
    AND lines.topic = counted.topic
    AND lines."partition" = counted."partition"
CROSS JOIN kept
WHERE COALESCE(lines.epoch, counted.epoch) > kept.rows_after
  AND (COALESCE(lines.accepted, 0) <> COALESCE(counted.accepted, 0)
   OR COALESCE(lines.late, 0) <> COALESCE(counted.late, 0)
   OR COALESCE(lines.dead, 0) <> COALESCE(counted.dead, 0))

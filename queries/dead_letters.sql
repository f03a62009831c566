-- Dead letters, each once, with what was kept of their record and whether they were replayed.
--
-- dead_letters   a record that was read again by hand has its letters twice: the newest stand
-- dead_records   their records, encrypted where a key was configured
-- dead_replays   letters that were replayed
WITH letters AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY topic, "partition", "offset", element ORDER BY epoch DESC
        ) AS reading
    FROM dead_letters
),

records AS (
    SELECT
        topic,
        "partition",
        "offset",
        elements,
        key_id,
        bytes,
        "time",
        ROW_NUMBER() OVER (PARTITION BY topic, "partition", "offset" ORDER BY epoch DESC) AS reading
    FROM dead_records
),

replayed AS (
    SELECT topic, "partition", "offset", element, MIN(replay_offset) AS replay_offset
    FROM dead_replays
    GROUP BY topic, "partition", "offset", element
)

SELECT
    arrow_cast(letters.source, 'Utf8') AS source,
    arrow_cast(letters.topic, 'Utf8') AS topic,
    letters."partition",
    letters."offset",
    letters.element,
    arrow_cast(letters.reason, 'Utf8') AS reason,
    letters.detail,
    letters.ingest_time,
    letters.payload_sha256,
    records.key_id IS NOT NULL AS kept,
    replayed.replay_offset,
    records.elements,
    arrow_cast(records.key_id, 'Utf8') AS key_id,
    records.bytes,
    records."time" AS record_time,
    letters.epoch,
    COUNT(*) OVER (PARTITION BY letters.topic, letters."partition", letters."offset")
        AS record_letters
FROM letters
LEFT JOIN records
    ON letters.topic = records.topic
    AND letters."partition" = records."partition"
    AND letters."offset" = records."offset"
    AND records.reading = 1
LEFT JOIN replayed
    ON letters.topic = replayed.topic
    AND letters."partition" = replayed."partition"
    AND letters."offset" = replayed."offset"
    AND letters.element = replayed.element
WHERE letters.reading = 1

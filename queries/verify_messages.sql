-- Messages again, from the stored events alone.
--
-- events      the stored table (schemas/events.toml)
-- partial     message_key: messages of which retention may have dropped events
-- $watermark  watermark by which the horizon is judged
--
-- Written apart from `track`, which keeps messages event by event: here a message is what its
-- events say, whatever their order of arrival. `sendtally verify` compares the two.
WITH copies AS (
    -- Of the copies of an event the earliest stands; a later redelivery is not stored at all.
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY message_key, event_id ORDER BY event_time ASC) AS copy
    FROM events
    LEFT ANTI JOIN partial ON events.message_key = partial.message_key
    -- Late events (older than 35 days) are stored and count in nothing.
    WHERE CAST(disposition AS VARCHAR) IN ('accepted', 'earlier')
),

counting AS (
    SELECT
        message_key,
        event_id,
        CAST(source AS VARCHAR) AS source,
        CAST(status AS VARCHAR) AS status,
        -- A later word of this list beats an earlier one, among equally final events.
        CASE CAST(status AS VARCHAR)
            WHEN 'accepted' THEN 0
            WHEN 'queued' THEN 1
            WHEN 'sent' THEN 2
            WHEN 'unknown' THEN 3
            WHEN 'expired' THEN 4
            WHEN 'undelivered' THEN 5
            WHEN 'canceled' THEN 6
            WHEN 'rejected' THEN 7
            WHEN 'failed' THEN 8
            WHEN 'delivered' THEN 9
            WHEN 'read' THEN 10
        END AS status_rank,
        is_final,
        -- `unknown` gives no channel and no class.
        NULLIF(CAST(channel AS VARCHAR), 'unknown') AS channel,
        CAST(carrier AS VARCHAR) AS carrier,
        CAST(country AS VARCHAR) AS country,
        NULLIF(CAST(traffic_class AS VARCHAR), 'unknown') AS traffic_class,
        CAST(receipt_class AS VARCHAR) <> 'none' AS can_prove,
        CAST(error_class AS VARCHAR) AS error_class,
        error_code,
        submit_time,
        -- An event without a time of its own has the broker's; one without either the first there
        -- is (earlier builds loaded files that tell none).
        COALESCE(event_time, ingest_time, TO_TIMESTAMP_MICROS(0)) AS event_time,
        COALESCE(ingest_time, TO_TIMESTAMP_MICROS(0)) AS ingest_time,
        -- The Date header of a vendor's own answer is its clock; a received-at header is the
        -- ingest time.
        CASE
            WHEN CAST(event_time_source AS VARCHAR) = 'header' AND event_time <> ingest_time
            THEN 'vendor'
            ELSE CAST(event_time_source AS VARCHAR)
        END AS clock,
        COALESCE(
            CAST(event_time_source AS VARCHAR) IN ('vendor', 'vendor_local')
                OR (CAST(event_time_source AS VARCHAR) = 'header' AND event_time <> ingest_time),
            FALSE
        ) AS tells_vendor_time
    FROM copies
    WHERE copy = 1
),

-- place 1 is the deciding event.
placed AS (
    SELECT
        *,
        status_rank < 9 AS below_delivered,
        ROW_NUMBER() OVER (
            PARTITION BY message_key
            ORDER BY is_final DESC, status_rank DESC, event_time ASC, event_id ASC
        ) AS place
    FROM counting
),

gathered AS (
    SELECT
        message_key,
        COUNT(*) AS events,
        -- What the deciding event says.
        FIRST_VALUE(source ORDER BY place) AS source,
        FIRST_VALUE(status ORDER BY place) AS status,
        BOOL_OR(is_final) AS is_final,
        FIRST_VALUE(event_time ORDER BY place) AS deciding_time,
        FIRST_VALUE(error_class ORDER BY place) AS error_class,
        FIRST_VALUE(error_code ORDER BY place) AS error_code,
        -- Each dimension from the highest-ranked event that gives one.
        FIRST_VALUE(channel ORDER BY place) FILTER (WHERE channel IS NOT NULL) AS channel,
        FIRST_VALUE(carrier ORDER BY place) FILTER (WHERE carrier IS NOT NULL) AS carrier,
        FIRST_VALUE(country ORDER BY place) FILTER (WHERE country IS NOT NULL) AS country,
        FIRST_VALUE(traffic_class ORDER BY place) FILTER (WHERE traffic_class IS NOT NULL)
            AS traffic_class,
        BOOL_OR(can_prove) AS provable,
        -- Candidates for the cohort time.
        MIN(submit_time) AS submitted,
        MIN(event_time) FILTER (WHERE tells_vendor_time) AS vendor_first,
        MIN(ingest_time) AS ingest_first,
        -- The same of events below `delivered`: where these are equal to the cohort time, it
        -- comes from such an event.
        MIN(event_time) FILTER (WHERE tells_vendor_time AND below_delivered) AS vendor_start,
        FIRST_VALUE(clock ORDER BY event_time, place)
            FILTER (WHERE tells_vendor_time AND below_delivered) AS vendor_start_clock,
        MIN(ingest_time) FILTER (WHERE below_delivered) AS ingest_start,
        -- A read stands in for a missing delivered in counts, not in latency.
        MIN(event_time) FILTER (WHERE status = 'delivered') AS delivered_time,
        FIRST_VALUE(clock ORDER BY event_time, event_id) FILTER (WHERE status = 'delivered')
            AS delivered_clock,
        FIRST_VALUE(submit_time ORDER BY event_time, event_id) FILTER (WHERE status = 'delivered')
            AS delivered_submit
    FROM placed
    GROUP BY message_key
),

timed AS (
    SELECT
        *,
        COALESCE(submitted, vendor_first, ingest_first) AS cohort_time,
        -- Latency can be told from a submit time, or from an event before delivery.
        CASE
            WHEN delivered_time IS NULL THEN FALSE
            WHEN submitted IS NOT NULL THEN TRUE
            WHEN vendor_first IS NOT NULL THEN COALESCE(vendor_start = vendor_first, FALSE)
            ELSE COALESCE(ingest_start = ingest_first, FALSE)
        END AS has_latency,
        -- Both ends by the vendor's own clock: not the broker's, and of a local time both ends.
        CASE
            WHEN delivered_clock = 'vendor'
            THEN submitted IS NOT NULL OR COALESCE(vendor_start_clock = 'vendor', FALSE)
            WHEN delivered_clock = 'vendor_local'
            THEN COALESCE(
                CASE
                    WHEN submitted IS NOT NULL THEN delivered_submit = submitted
                    ELSE vendor_start_clock = 'vendor_local'
                END,
                FALSE
            )
            ELSE FALSE
        END AS by_vendor_clock
    FROM gathered
),

measured AS (
    SELECT
        *,
        CAST(delivered_time AS BIGINT) - CAST(cohort_time AS BIGINT) AS latency_us,
        -- By watermark, never by the clock.
        NOT is_final AND cohort_time + INTERVAL '72 hours' <= $watermark AS by_horizon
    FROM timed
),

-- Milliseconds toward negative infinity: -1 us is -1 ms.
floored AS (
    SELECT *, (latency_us - ((latency_us % 1000) + 1000) % 1000) / 1000 AS floor_ms
    FROM measured
)

SELECT
    message_key,
    source,
    COALESCE(channel, 'unknown') AS channel,
    carrier,
    country,
    COALESCE(traffic_class, 'unknown') AS traffic_class,
    cohort_time,
    CASE WHEN by_horizon THEN 'unknown' ELSE status END AS outcome,
    CASE WHEN by_horizon THEN cohort_time + INTERVAL '72 hours' ELSE deciding_time END
        AS outcome_time,
    is_final OR by_horizon AS is_final,
    CASE WHEN is_final THEN 'event' WHEN by_horizon THEN 'horizon' END AS closed_by,
    CASE WHEN has_latency AND by_vendor_clock THEN floor_ms END AS latency_ms,
    CASE WHEN has_latency AND NOT by_vendor_clock THEN floor_ms END AS latency_broker_ms,
    error_class,
    error_code,
    events,
    provable
FROM floored
ORDER BY message_key

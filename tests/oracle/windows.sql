-- Windows of 1 m, 5 m, 1 h and 1 d over cohort times. Input: message.

CREATE OR REPLACE MACRO value_at(sorted, percent) AS
    sorted[(percent * len(sorted) + 99) // 100];

CREATE OR REPLACE TABLE slo_window AS
WITH placed AS (
    SELECT window_s, cohort_us - cohort_us % (window_s::BIGINT * 1000000) AS window_us, m.*
    FROM message AS m, (SELECT unnest([60, 300, 3600, 86400]) AS window_s)
),

summed AS (
    SELECT
        window_s, window_us, source, channel, carrier, country, traffic_class,
        count(*) AS total,
        count(*) FILTER (is_final AND outcome IN ('delivered', 'read')) AS delivered,
        count(*) FILTER (is_final AND outcome = 'read') AS read,
        count(*) FILTER (is_final AND outcome IN ('undelivered', 'failed', 'rejected')) AS failed,
        count(*) FILTER (is_final AND outcome = 'expired') AS expired,
        count(*) FILTER (is_final AND outcome = 'canceled') AS canceled,
        count(*) FILTER (is_final AND outcome IN ('unknown', 'accepted', 'queued', 'sent'))
            AS unknown,
        count(*) FILTER (NOT is_final) AS pending,
        count(*) FILTER (latency_kind = 'vendor') AS latency_n,
        count(*) FILTER (latency_kind = 'broker') AS latency_broker_n,
        count(*) FILTER (latency_kind = 'negative') AS latency_negative,
        list_sort(list(latency_ms) FILTER (latency_kind = 'vendor')) AS latencies
    FROM placed
    GROUP BY ALL
)

SELECT
    * EXCLUDE (latencies),
    CASE WHEN channel <> 'push_apns' AND total > canceled THEN delivered / (total - canceled) END
        AS delivery_rate,
    CASE WHEN channel <> 'push_apns' AND total > canceled THEN failed / (total - canceled) END
        AS error_rate,
    value_at(latencies, 50) AS p50_ms,
    value_at(latencies, 95) AS p95_ms,
    value_at(latencies, 99) AS p99_ms,
    (total - pending) / total AS maturity
FROM summed;

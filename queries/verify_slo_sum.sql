-- Counts of windows of several parts of the messages, one row a window. Sums and sketches are
-- integers: the order of the parts changes nothing.
--
-- slo_counts  verify_slo_counts.sql, or what this query gave of it
SELECT
    window_s,
    window_us,
    source,
    channel,
    carrier,
    country,
    traffic_class,
    SUM(total) AS total,
    SUM(delivered) AS delivered,
    SUM(read) AS read,
    SUM(failed) AS failed,
    SUM(expired) AS expired,
    SUM(canceled) AS canceled,
    SUM(unknown) AS unknown,
    SUM(pending) AS pending,
    SUM(provable) AS provable,
    SUM(latency_broker_n) AS latency_broker_n,
    SUM(latency_negative) AS latency_negative,
    sketch_merge(latency) AS latency
FROM slo_counts
GROUP BY window_s, window_us, source, channel, carrier, country, traffic_class

-- Cost windows: charges of the panes of one window, series, currency and kind, summed.
--
-- cost_panes      signed sums by pane, series, currency and kind; several rows add up
-- window_lengths  window_s, length_us: 60 s, 300 s, 3600 s, 86400 s (model::window::WINDOWS_S)
-- stamp           one row: watermark, revision, committed_at of this run
--
-- Amounts are decimals and of one currency: an unknown currency (null) is a series of its own and
-- is never added to another. Sums have 38 digits on their way; one that does not fit the column
-- of the table is an error, never a wrapped number. score and expected need the past, which this
-- query does not see: null here.
WITH placed AS (
    SELECT
        lengths.window_s,
        panes.pane_us
            - ((panes.pane_us % lengths.length_us) + lengths.length_us) % lengths.length_us
            AS window_us,
        panes.*
    FROM (SELECT CAST(pane_start AS BIGINT) AS pane_us, * FROM cost_panes) AS panes
    CROSS JOIN window_lengths AS lengths
),

summed AS (
    SELECT
        window_s,
        window_us,
        source,
        channel,
        carrier,
        country,
        traffic_class,
        currency,
        kind,
        SUM(amount) AS amount,
        SUM(quantity) AS quantity,
        SUM(messages) AS messages,
        SUM(delivered) AS delivered
    FROM placed
    GROUP BY
        window_s, window_us, source, channel, carrier, country, traffic_class, currency, kind
)

SELECT
    window_s,
    arrow_cast(window_us, 'Timestamp(Microsecond, Some("UTC"))') AS window_start,
    source,
    channel,
    carrier,
    country,
    traffic_class,
    currency,
    kind,
    amount,
    quantity,
    messages,
    delivered,
    CAST(NULL AS DOUBLE) AS score,
    CAST(NULL AS DOUBLE) AS expected,
    watermark,
    revision,
    committed_at
FROM summed
CROSS JOIN stamp
ORDER BY
    window_s,
    window_us,
    source,
    channel,
    carrier NULLS LAST,
    country NULLS LAST,
    traffic_class,
    currency NULLS LAST,
    kind

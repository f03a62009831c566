-- Charges again, from the stored events and lines of bills and the recomputed messages.
--
-- events, charge_lines  the stored tables
-- again_messages        verify_messages.sql
-- partial               message_key: messages of which retention may have dropped events
-- $old_costs_through     the newest epoch of a format before 4, else 0
--
-- What a message costs is told by prices in its events and by lines of bills. Of one kind the later
-- basis counts, then what is not zero, then the latest; message and segment are units of one price.
-- The price of an event holds the carrier's fee, so the fee that is told with it (a line of its time)
-- is taken out of it, and what is left counts or is zero; a fee told beside no price, or beside no
-- larger one, is taken out of the one that stands. An estimate that repeats an event's price stands
-- for it, each line for one; one without an amount is the vendor's word once the message arrived, and so is one of zero
-- in no currency, which then tells no amount either. A line that is no message's stands where the
-- vendor calls it final, else by its basis, else where it is the latest.
--
-- Before format 4 the price of a message and that of its segments were two charges. What was
-- committed so stands until an event or a line revises the message.
WITH event_copies AS (
    SELECT
        message_key,
        event_id,
        CAST(price_unit AS VARCHAR) AS kind,
        CAST(price AS DECIMAL(38, 9)) AS price,
        currency,
        segments,
        epoch,
        COALESCE(event_time, ingest_time) AS told_time,
        ROW_NUMBER() OVER (PARTITION BY message_key, event_id ORDER BY event_time ASC) AS copy
    FROM events
    WHERE CAST(disposition AS VARCHAR) IN ('accepted', 'earlier')
),

parts AS (
    SELECT
        message_key,
        CAST(GREATEST(COALESCE(MAX(segments), 1), 1) AS BIGINT) AS parts,
        MAX(epoch) AS newest_epoch
    FROM event_copies
    GROUP BY message_key
),

line_copies AS (
    SELECT
        message_key,
        charge_id,
        line_id,
        epoch,
        CAST(kind AS VARCHAR) AS kind,
        CAST(basis AS VARCHAR) AS basis,
        CAST(quantity AS DECIMAL(38, 9)) AS quantity,
        CAST(unit_price AS DECIMAL(38, 9)) AS price,
        CAST(amount AS DECIMAL(38, 9)) AS amount,
        CAST(currency AS VARCHAR) AS currency,
        sku,
        is_final,
        period_start,
        COALESCE(event_time, ingest_time, period_end, period_start) AS told_time,
        COALESCE(period_start, event_time, ingest_time, period_end) AS bill_time,
        CAST(event_time_source AS VARCHAR) IN ('vendor', 'vendor_local')
            OR (CAST(event_time_source AS VARCHAR) = 'header' AND event_time <> ingest_time)
            AS is_vendor_time,
        CAST(source AS VARCHAR) AS source,
        CAST(channel AS VARCHAR) AS channel,
        CAST(carrier AS VARCHAR) AS carrier,
        CAST(country AS VARCHAR) AS country,
        CAST(traffic_class AS VARCHAR) AS traffic_class,
        ROW_NUMBER() OVER (
            PARTITION BY message_key, line_id
            ORDER BY event_time ASC
        ) AS copy
    FROM charge_lines
    WHERE CAST(disposition AS VARCHAR) IN ('accepted', 'earlier')
),

lines AS (
    SELECT * FROM line_copies WHERE copy = 1 AND message_key IS NOT NULL
),

-- Lines are of format 4, so they revise.
old_costs AS (
    SELECT parts.message_key
    FROM parts
    LEFT ANTI JOIN lines ON parts.message_key = lines.message_key
    WHERE parts.newest_epoch <= $old_costs_through
),

-- By ids; `copy` is 1, as DataFusion has no window over bytes alone.
priced AS (
    SELECT
        message_key,
        event_id,
        kind,
        price,
        currency,
        told_time,
        ROW_NUMBER() OVER (
            PARTITION BY message_key, kind, price, told_time
            ORDER BY copy ASC, event_id ASC
        ) AS place
    FROM event_copies
    WHERE copy = 1 AND price IS NOT NULL
),

-- Each line stands for the price of one event.
stand_ins AS (
    SELECT message_key, kind, price, told_time, COUNT(*) AS lines
    FROM lines
    GROUP BY message_key, kind, price, told_time
),

said AS (
    SELECT
        priced.message_key,
        priced.kind,
        'vendor' AS basis,
        priced.price,
        priced.currency,
        CAST(NULL AS VARCHAR) AS sku,
        priced.told_time,
        FALSE AS is_line,
        priced.event_id AS id,
        CASE WHEN priced.kind = 'segment' THEN parts.parts ELSE CAST(1 AS BIGINT) END
            AS quantity
    FROM priced
    INNER JOIN parts ON priced.message_key = parts.message_key
    LEFT JOIN stand_ins
        ON priced.message_key = stand_ins.message_key
        AND priced.kind = stand_ins.kind
        AND priced.price = stand_ins.price
        AND priced.told_time = stand_ins.told_time
    WHERE priced.place > COALESCE(stand_ins.lines, 0)
    UNION ALL
    SELECT
        message_key,
        kind,
        basis,
        price,
        currency,
        sku,
        told_time,
        TRUE AS is_line,
        line_id AS id,
        CAST(GREATEST(COALESCE(quantity, 1), 1) AS BIGINT) AS quantity
    FROM lines
),

fees_by_time AS (
    SELECT
        message_key,
        told_time,
        currency,
        price * CAST(GREATEST(COALESCE(quantity, 1), 1) AS DECIMAL(20, 0)) AS fee,
        ROW_NUMBER() OVER (
            PARTITION BY message_key, told_time, currency
            ORDER BY
                CASE basis WHEN 'invoice' THEN 2 WHEN 'vendor' THEN 1 ELSE 0 END DESC,
                CASE
                    WHEN price <> 0 THEN 2
                    WHEN price = 0 AND basis = 'estimated' THEN 1
                    ELSE 0
                END DESC,
                price DESC NULLS LAST,
                line_id DESC
        ) AS place
    FROM lines
    WHERE kind = 'carrier_fee'
),

owned AS (
    SELECT
        said.*,
        beside.fee IS NOT NULL AS has_fee,
        CASE
            WHEN said.kind = 'message' AND beside.fee >= 0 AND beside.fee <= said.price
            THEN said.price - beside.fee
            ELSE said.price
        END AS own_price
    FROM said
    LEFT JOIN fees_by_time AS beside
        ON said.message_key = beside.message_key
        AND said.told_time = beside.told_time
        AND beside.place = 1
        AND NOT said.is_line
        AND said.currency IS NOT DISTINCT FROM beside.currency
),

placed AS (
    SELECT
        owned.*,
        old_costs.message_key IS NOT NULL AS by_old_rule,
        CASE
            WHEN owned.kind IN ('message', 'segment') AND old_costs.message_key IS NULL
            THEN 'base'
            ELSE owned.kind
        END AS charge,
        ROW_NUMBER() OVER (
            PARTITION BY
                owned.message_key,
                CASE
                    WHEN owned.kind IN ('message', 'segment') AND old_costs.message_key IS NULL
                    THEN 'base'
                    ELSE kind
                END
            ORDER BY
                CASE basis WHEN 'invoice' THEN 2 WHEN 'vendor' THEN 1 ELSE 0 END DESC,
                CASE
                    WHEN own_price <> 0 THEN 2
                    WHEN own_price = 0 AND basis = 'estimated' THEN 1
                    ELSE 0
                END DESC,
                told_time DESC,
                is_line DESC,
                price DESC NULLS LAST,
                id DESC
        ) AS place
    FROM owned
    LEFT JOIN old_costs ON owned.message_key = old_costs.message_key
),

-- Who names no entry of the price list takes none away.
named AS (
    SELECT message_key, charge, FIRST_VALUE(sku ORDER BY place) AS sku
    FROM placed
    WHERE sku IS NOT NULL
    GROUP BY message_key, charge
),

-- Nor who names no currency: callbacks tell none, and a report that of the same price.
currencies AS (
    SELECT message_key, charge, FIRST_VALUE(currency ORDER BY place) AS currency
    FROM placed
    WHERE currency IS NOT NULL AND NOT by_old_rule
    GROUP BY message_key, charge
),

fees_apart AS (
    SELECT
        placed.message_key,
        placed.currency,
        placed.price * CAST(placed.quantity AS DECIMAL(20, 0)) AS fee,
        beside.price AS beside_price
    FROM placed
    LEFT JOIN
        (
            SELECT message_key, told_time, MAX(price) AS price
            FROM event_copies
            WHERE price IS NOT NULL AND copy = 1
            GROUP BY message_key, told_time
        ) AS beside
        ON placed.message_key = beside.message_key AND placed.told_time = beside.told_time
    WHERE placed.place = 1 AND placed.kind = 'carrier_fee'
),

-- Messages of which only lines are known are dated and placed by them.
only_billed AS (
    SELECT
        message_key,
        COALESCE(MIN(told_time) FILTER (WHERE is_vendor_time), MIN(told_time)) AS cohort_time,
        FIRST_VALUE(source ORDER BY told_time, line_id) AS source,
        COALESCE(
            FIRST_VALUE(channel ORDER BY told_time, line_id) FILTER (WHERE channel <> 'unknown'),
            'unknown'
        ) AS channel,
        FIRST_VALUE(carrier ORDER BY told_time, line_id) FILTER (WHERE carrier IS NOT NULL)
            AS carrier,
        FIRST_VALUE(country ORDER BY told_time, line_id) FILTER (WHERE country IS NOT NULL)
            AS country,
        COALESCE(
            FIRST_VALUE(traffic_class ORDER BY told_time, line_id)
                FILTER (WHERE traffic_class <> 'unknown'),
            'unknown'
        ) AS traffic_class
    FROM lines
    GROUP BY message_key
),

of_messages AS (
    SELECT
        placed.message_key,
        placed.kind,
        CASE
            WHEN placed.basis = 'estimated'
                AND (placed.price IS NULL OR (placed.price = 0 AND placed.currency IS NULL))
                AND placed.kind IN ('message', 'segment')
                AND CAST(known.outcome AS VARCHAR) IN ('delivered', 'read')
            THEN 'vendor'
            ELSE placed.basis
        END AS basis,
        placed.quantity,
        CASE
            WHEN placed.basis = 'estimated' AND placed.price = 0 AND placed.currency IS NULL
                AND placed.kind IN ('message', 'segment')
                AND CAST(known.outcome AS VARCHAR) IN ('delivered', 'read')
            THEN NULL
            WHEN placed.kind = 'message' AND NOT placed.is_line AND NOT placed.has_fee
                AND fees.fee >= 0 AND fees.fee <= placed.price
                AND (fees.beside_price IS NULL OR fees.beside_price <= placed.price)
            THEN placed.price - fees.fee
            ELSE placed.own_price
        END AS unit_price,
        COALESCE(placed.currency, currencies.currency) AS currency,
        named.sku,
        COALESCE(known.cohort_time, billed.cohort_time) AS charge_time,
        COALESCE(CAST(known.source AS VARCHAR), billed.source) AS source,
        COALESCE(CAST(known.channel AS VARCHAR), billed.channel) AS channel,
        CASE WHEN known.message_key IS NULL THEN billed.carrier
            ELSE CAST(known.carrier AS VARCHAR) END AS carrier,
        CASE WHEN known.message_key IS NULL THEN billed.country
            ELSE CAST(known.country AS VARCHAR) END AS country,
        COALESCE(CAST(known.traffic_class AS VARCHAR), billed.traffic_class) AS traffic_class,
        COALESCE(known.is_final AND CAST(known.outcome AS VARCHAR) IN ('delivered', 'read'), FALSE)
            AS delivered,
        placed.by_old_rule
    FROM placed
    LEFT ANTI JOIN partial ON placed.message_key = partial.message_key
    LEFT JOIN currencies
        ON placed.message_key = currencies.message_key AND placed.charge = currencies.charge
    LEFT JOIN fees_apart AS fees
        ON placed.message_key = fees.message_key
        AND (
            (placed.currency IS NOT DISTINCT FROM fees.currency)
            OR (COALESCE(placed.currency, currencies.currency) = fees.currency)
        )
    LEFT JOIN named ON placed.message_key = named.message_key AND placed.charge = named.charge
    LEFT JOIN again_messages AS known ON placed.message_key = known.message_key
    LEFT JOIN only_billed AS billed ON placed.message_key = billed.message_key
    WHERE placed.place = 1
),

of_none AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY charge_id
            ORDER BY
                is_final DESC,
                CASE basis WHEN 'invoice' THEN 2 WHEN 'vendor' THEN 1 ELSE 0 END DESC,
                told_time DESC,
                epoch DESC,
                line_id DESC
        ) AS place
    FROM line_copies
    WHERE message_key IS NULL AND copy = 1
)

SELECT
    message_key,
    CAST(NULL AS BYTEA) AS charge_id,
    kind,
    basis,
    CAST(quantity AS DECIMAL(38, 9)) AS quantity,
    unit_price,
    CAST(unit_price * CAST(quantity AS DECIMAL(20, 0)) AS DECIMAL(38, 9)) AS amount,
    currency,
    sku,
    charge_time,
    source,
    channel,
    carrier,
    country,
    traffic_class,
    delivered,
    by_old_rule
FROM of_messages
UNION ALL
SELECT
    CAST(message_key AS BYTEA) AS message_key,
    CAST(charge_id AS BYTEA) AS charge_id,
    kind,
    basis,
    COALESCE(quantity, CAST(1 AS DECIMAL(38, 9))) AS quantity,
    price AS unit_price,
    amount,
    currency,
    sku,
    bill_time AS charge_time,
    source,
    channel,
    carrier,
    country,
    traffic_class,
    FALSE AS delivered,
    FALSE AS by_old_rule
FROM of_none
WHERE place = 1

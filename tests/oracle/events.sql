-- From the simulator's log (table `element`, one row an element) to distinct delivery events.
--
-- Written from DESIGN.md and the vendors' tables only; it shares nothing with our own code.
-- Inputs: element (log.csv), bill, category (WhatsApp's pricing category by position, from the wire),
-- operator (schemas/operators.csv).
--
-- Where DESIGN.md leaves a choice, this file reads it so:
--   * a Twilio RawDlrDoneDate has no zone: read as UTC, `vendor_local`, by no vendor's clock when
--     latencies are told apart, but a vendor's event time for the cohort;
--   * of redeliveries the earliest counts, whichever was read first: the result must not depend on
--     the order in which partitions are read;
--   * the Date header inside FCM's answer is the vendor's clock;
--   * APNs tells a time with 410 only: `sent_at` is the sender's, a submit time.

CREATE OR REPLACE TABLE infobip_status AS
SELECT * FROM (VALUES
    (1, 3, 'sent', false), (1, 7, 'sent', false), (1, 26, 'accepted', false),
    (3, 2, 'sent', false), (3, 5, 'delivered', true),
    (2, 4, 'undelivered', true), (2, 9, 'undelivered', true),
    (4, 15, 'expired', true), (4, 29, 'unknown', true), (4, 87, 'rejected', true),
    (5, 6, 'rejected', true), (5, 8, 'rejected', true), (5, 12, 'rejected', true)
) AS t(group_id, status_id, status, is_final);

CREATE OR REPLACE TABLE word_status AS
SELECT * FROM (VALUES
    ('twilio', 'accepted', 'accepted'), ('twilio', 'scheduled', 'accepted'),
    ('twilio', 'queued', 'queued'), ('twilio', 'sending', 'queued'), ('twilio', 'sent', 'sent'),
    ('twilio', 'delivered', 'delivered'), ('twilio', 'read', 'read'),
    ('twilio', 'undelivered', 'undelivered'), ('twilio', 'failed', 'failed'),
    ('twilio', 'canceled', 'canceled'),
    ('google_rbm', 'delivered', 'delivered'), ('google_rbm', 'read', 'read'),
    ('google_rbm', 'ttl_expiration_revoked', 'expired'),
    ('whatsapp', 'sent', 'sent'), ('whatsapp', 'delivered', 'delivered'),
    ('whatsapp', 'read', 'read'), ('whatsapp', 'played', 'read'), ('whatsapp', 'failed', 'failed'),
    ('apns', '200', 'accepted'), ('apns', '400', 'rejected'), ('apns', '403', 'failed'),
    ('apns', '410', 'undelivered'), ('apns', '429', 'failed'), ('apns', '503', 'failed'),
    ('fcm', '200', 'accepted'), ('fcm', 'message_accepted', 'accepted'),
    ('fcm', 'message_delivered', 'delivered'), ('fcm', 'invalid_registration', 'rejected'),
    ('fcm', 'mismatch_sender_id', 'rejected'), ('fcm', 'quota_exceeded', 'failed'),
    ('fcm', 'message_received_internal_error', 'failed'),
    ('cloudevents', 'accepted', 'accepted'), ('cloudevents', 'sent', 'sent'),
    ('cloudevents', 'delivered', 'delivered'), ('cloudevents', 'read', 'read'),
    ('cloudevents', 'undelivered', 'undelivered'), ('cloudevents', 'failed', 'failed'),
    ('cloudevents', 'expired', 'expired'), ('cloudevents', 'rejected', 'rejected')
) AS t(source, word, status);

CREATE OR REPLACE TABLE status_rank AS
SELECT * FROM (VALUES
    ('accepted', 0), ('queued', 1), ('sent', 2), ('unknown', 3), ('expired', 4),
    ('undelivered', 5), ('canceled', 6), ('rejected', 7), ('failed', 8), ('delivered', 9),
    ('read', 10)
) AS t(status, rank);

-- Each delivery element in canonical words.
CREATE OR REPLACE TABLE canonical AS
WITH told AS (
    SELECT * REPLACE (
        CASE WHEN source = 'apns' AND vendor_status <> '410' THEN NULL ELSE event_time_us END
        AS event_time_us
    )
    FROM element
),

mapped AS (
    SELECT
        e.*,
        CASE
            WHEN e.variant = 'infobip.seen' THEN 'read'
            WHEN e.source = 'infobip' THEN i.status
            -- failed, rejected or undelivered by code
            WHEN e.source = 'whatsapp' AND e.vendor_status = 'failed'
                AND e.error_code = '131026' THEN 'undelivered'
            WHEN e.source = 'whatsapp' AND e.vendor_status = 'failed'
                AND TRY_CAST(e.error_code AS BIGINT) BETWEEN 132000 AND 132016 THEN 'rejected'
            ELSE w.status
        END AS status,
        i.is_final AS infobip_final,
        CASE
            WHEN e.event_time_us > e.ingest_time_us + 300000000 THEN 'replaced'
            WHEN e.event_time_us IS NULL THEN 'header'
            WHEN e.variant = 'twilio.form' THEN 'vendor_local'
            ELSE 'vendor'
        END AS clock
    FROM told AS e
    LEFT JOIN infobip_status AS i
        ON e.source = 'infobip'
        AND e.vendor_group_id = i.group_id AND e.vendor_status_id = i.status_id
    LEFT JOIN word_status AS w
        ON e.source = w.source AND lower(e.vendor_status) = w.word
    WHERE e.kind = 'delivery'
)
SELECT
    m.row_id, m.topic, m.partition, m."offset", m.element, m.ingest_time_us, m.source, m.variant,
    m.account, m.message_id, m.message_seq, m.duplicate_of, m.future_clock,
    m.vendor_status, m.vendor_status_id,
    m.event_time_us AS told_us,
    m.status,
    r.rank,
    CASE
        WHEN m.status = 'unknown' THEN coalesce(m.infobip_final, false)
        ELSE m.status IN ('delivered', 'read', 'undelivered', 'failed', 'expired', 'rejected',
                          'canceled')
    END AS is_final,
    m.clock,
    CASE WHEN m.clock IN ('vendor', 'vendor_local') THEN m.event_time_us
         ELSE m.ingest_time_us END AS time_us,
    CASE WHEN m.submit_time_us <= m.ingest_time_us + 300000000 THEN m.submit_time_us
         END AS submit_us,
    CASE
        WHEN m.source = 'twilio' AND starts_with(m.recipient, 'whatsapp:') THEN 'whatsapp'
        WHEN m.source = 'twilio' THEN 'sms'
        WHEN m.variant = 'infobip.sms' THEN 'sms'
        WHEN m.variant = 'infobip.rcs' THEN 'rcs'
        WHEN m.variant = 'infobip.whatsapp' THEN 'whatsapp'
        WHEN m.source = 'google_rbm' THEN 'rcs'
        WHEN m.source = 'whatsapp' THEN 'whatsapp'
        WHEN m.source = 'apns' THEN 'push_apns'
        WHEN m.source = 'fcm' THEN 'push_fcm'
        WHEN m.source = 'cloudevents' THEN 'in_app'
        ELSE 'unknown'
    END AS channel,
    -- Twilio's network is the sender's.
    CASE WHEN m.source <> 'twilio' THEN coalesce(o.name, m.mcc || '-' || m.mnc) END AS carrier,
    m.country,
    CASE c.category
        WHEN 'authentication' THEN 'otp'
        WHEN 'utility' THEN 'transactional'
        WHEN 'marketing' THEN 'marketing'
        WHEN 'service' THEN 'conversation'
        ELSE 'unknown'
    END AS traffic_class,
    CASE
        -- A BigQuery row has no code but its event: of a failure that is the error.
        WHEN m.source = 'fcm' AND m.error_code IS NULL
            AND m.status NOT IN ('accepted', 'delivered') THEN m.vendor_status
        WHEN m.error_code NOT IN ('0', '000', 'NO_ERROR') THEN m.error_code
    END AS error_code,
    m.segments,
    abs(m.price) AS price,
    CASE WHEN m.price IS NOT NULL THEN m.price_unit_kind ELSE 'none' END AS price_unit,
    CASE WHEN m.price IS NOT NULL THEN upper(m.currency) END AS currency
FROM mapped AS m
LEFT JOIN status_rank AS r USING (status)
LEFT JOIN category AS c USING (topic, partition, "offset", element)
LEFT JOIN operator AS o ON m.mcc = o.mcc AND m.mnc = o.mnc;

-- Redeliveries fall together by what the vendors document as identifying an event.
CREATE OR REPLACE TABLE event AS
SELECT
    dense_rank() OVER (ORDER BY source, variant, message_id, vendor_status, vendor_status_id,
                       error_code, told_us) AS event_no,
    row_number() OVER (PARTITION BY source, variant, message_id, vendor_status, vendor_status_id,
                       error_code, told_us ORDER BY ingest_time_us, row_id) AS delivery_no,
    *
FROM canonical;

CREATE OR REPLACE VIEW first_delivery AS SELECT * FROM event WHERE delivery_no = 1;

-- The log's own marks must say the same; a row here is a mistake of oracle or simulator.
CREATE OR REPLACE VIEW disagreement AS
SELECT 'duplicate' AS what, row_id, variant, message_id FROM event
WHERE (delivery_no > 1) <> (duplicate_of IS NOT NULL)
UNION ALL
SELECT 'duplicate bill', row_id, sku, message_id FROM bill
WHERE is_own AND (delivery_no > 1) <> (duplicate_of IS NOT NULL)
UNION ALL
SELECT 'future clock', row_id, variant, message_id FROM event
WHERE delivery_no = 1 AND told_us IS NOT NULL AND (clock = 'replaced') <> (future_clock <> 0)
UNION ALL
SELECT 'no status for the word ' || coalesce(vendor_status, ''), row_id, variant, message_id
FROM event WHERE status IS NULL
UNION ALL
SELECT 'one id, two messages', min(row_id), min(variant), message_id
FROM event GROUP BY source, message_id HAVING count(DISTINCT message_seq) > 1;

-- Recomputed messages in the series that the cardinality guard lets them have.
--
-- again_messages     verify_messages.sql
-- admitted           dimension, value: what has a series of its own (window::Guard)
SELECT
    messages.* EXCEPT (carrier, country),
    CASE
        WHEN messages.carrier IS NULL OR carriers.value IS NOT NULL THEN messages.carrier
        ELSE '__other__'
    END AS carrier,
    CASE
        WHEN messages.country IS NULL OR countries.value IS NOT NULL THEN messages.country
        ELSE '__other__'
    END AS country
FROM again_messages AS messages
LEFT JOIN (SELECT value FROM admitted WHERE dimension = 'carrier') AS carriers
    ON messages.carrier = carriers.value
LEFT JOIN (SELECT value FROM admitted WHERE dimension = 'country') AS countries
    ON messages.country = countries.value

-- Generated from schemas/*.toml by `sendtally schemas --clickhouse`: what the loader runs on one
-- server. Views of the newest revisions: queries/views_clickhouse.sql.

CREATE DATABASE IF NOT EXISTS `sendtally`;

CREATE TABLE IF NOT EXISTS `sendtally`.`sendtally_migrations`
(
    `version` UInt32,
    `applied_at` DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY `version`;

CREATE TABLE IF NOT EXISTS `sendtally`.`events`
(
    `event_id` FixedString(16) COMMENT 'Hash of the vendor''s event id, or of the tuple that identifies the event; equal for a redelivered event.' CODEC(NONE),
    `source` LowCardinality(String) COMMENT 'Vendor whose format the payload has.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account: the payload''s own, else the header''s, else the topic''s configuration.',
    `message_id` String COMMENT 'Message id as the vendor gives it; an id that embeds a number carries that number''s keyed hash instead.' CODEC(ZSTD(1)),
    `message_key` FixedString(16) COMMENT 'Keyed hash of source, vendor id and what else makes a message (recipient, part, channel).' CODEC(NONE),
    `logical_id` Nullable(String) COMMENT 'The sender''s own reference; joins attempts across channels and vendors.' CODEC(ZSTD(1)),
    `channel` LowCardinality(String) COMMENT 'sms, mms, rcs, whatsapp, push_apns, push_fcm, push_web, push, imessage, in_app, viber, messenger, voice, email, unknown.',
    `status` LowCardinality(String) COMMENT 'accepted, queued, sent, delivered, read, undelivered, failed, expired, rejected, canceled, unknown.',
    `is_final` Bool COMMENT 'The delivery outcome is settled by this event; a read may still follow.',
    `receipt_class` LowCardinality(String) COMMENT 'What a delivered or read of this source and channel can prove: carrier, handset, app, none.',
    `vendor_status` Nullable(String) COMMENT 'The vendor''s most specific word, unmodified.' CODEC(ZSTD(1)),
    `error_code` Nullable(String) COMMENT 'Vendor error code, unmodified; null where the vendor says no error.' CODEC(ZSTD(1)),
    `error_class` LowCardinality(String) COMMENT 'none, unreachable, unknown_recipient, blocked, opted_out, spam, expired, throttled, not_capable, invalid_request, configuration, vendor_internal, unknown.',
    `event_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'The vendor''s time of the event, else the header''s, else the broker''s.' CODEC(Delta, ZSTD(1)),
    `submit_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'When the message was handed to the vendor; null where the event does not tell.' CODEC(Delta, ZSTD(1)),
    `ingest_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Kafka''s timestamp of the record.' CODEC(Delta, ZSTD(1)),
    `event_time_source` LowCardinality(Nullable(String)) COMMENT 'vendor, vendor_local (told without a zone), header, broker, replaced.',
    `recipient_token` Nullable(FixedString(16)) COMMENT 'Keyed hash of the recipient''s number, user id or device token.' CODEC(NONE),
    `token_key_id` Nullable(UInt16) COMMENT 'Which key made recipient_token.' CODEC(T64, ZSTD(1)),
    `recipient_prefix` Nullable(String) COMMENT 'Recipient''s number without its last four digits.' CODEC(ZSTD(1)),
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO 3166 code: the event''s own, else the number''s region (regions.csv), else the network''s or the MCC''s.',
    `mcc` Nullable(String) COMMENT 'Mobile country code of the recipient''s network, digits with leading zeros.' CODEC(ZSTD(1)),
    `mnc` Nullable(String) COMMENT 'Its mobile network code, digits with leading zeros.' CODEC(ZSTD(1)),
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier as the event tells it, else the name of its network (operators.csv), either made one (carriers.csv); else MCC-MNC; never guessed from a prefix.',
    `sender` LowCardinality(Nullable(String)) COMMENT 'Sender id, number, agent or app.',
    `traffic_class` LowCardinality(String) COMMENT 'otp, transactional, alert, marketing, conversation, unknown.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign reference.',
    `segments` Nullable(UInt16) COMMENT 'Billable parts.' CODEC(T64, ZSTD(1)),
    `security` LowCardinality(String) COMMENT 'none, hop, e2ee, unknown.',
    `price` Nullable(Decimal(18, 9)) COMMENT 'What the event says the message costs, positive; never sum it over events, sum charges.' CODEC(ZSTD(1)),
    `price_unit` LowCardinality(String) COMMENT 'message, segment; none where price is null.',
    `currency` Nullable(String) COMMENT 'ISO 4217, upper case.' CODEC(ZSTD(1)),
    `payload_sha256` FixedString(32) COMMENT 'SHA-256 of the record''s raw bytes.' CODEC(NONE),
    `verified` Nullable(Bool) COMMENT 'Signature check; null = not checked.',
    `verified_reason` LowCardinality(Nullable(String)) COMMENT 'Why verified has its value: valid, valid_old_key, unverified_scheme, unverified_scheme_old_key, header, mismatch, body_mismatch, url_mismatch, outside_tolerance, foreign_certificate, malformed, missing_header, missing_field, missing_url, missing_time, no_key, no_scheme, no_envelope.',
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>, or dead:<topic> for dead letters read again.',
    `partition` Int32 COMMENT 'Kafka partition.' CODEC(T64, ZSTD(1)),
    `offset` Int64 COMMENT 'Kafka offset, or 0-based record of a file.' CODEC(T64, ZSTD(1)),
    `element` UInt32 COMMENT '0-based leaf element inside the record.' CODEC(T64, ZSTD(1)),
    `disposition` LowCardinality(String) COMMENT 'accepted; late (older than 35 days: stored, in no window); earlier (a redelivery that tells an earlier time: a duplicate, the accepted row takes its time).',
    `epoch` UInt64 COMMENT 'Epoch of the job that committed the row.' CODEC(T64, ZSTD(1)),
    INDEX message_key_bloom `message_key` TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(`ingest_time`)
ORDER BY (`channel`, `carrier`, `country`, `event_time`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'One row a canonical delivery event; duplicates are in the ledger only, but for those of disposition earlier.';

CREATE TABLE IF NOT EXISTS `sendtally`.`messages`
(
    `message_key` FixedString(16) COMMENT 'Key of the message.' CODEC(NONE),
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account.',
    `message_id` Nullable(String) COMMENT 'Vendor''s message id; null in a revision that no event caused (horizon).' CODEC(ZSTD(1)),
    `logical_id` Nullable(String) COMMENT 'Sender''s own reference.' CODEC(ZSTD(1)),
    `channel` LowCardinality(String) COMMENT 'Channel of the highest-ranked event that gives one.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier of the highest-ranked event that gives one.',
    `country` LowCardinality(Nullable(String)) COMMENT 'Country of the highest-ranked event that gives one.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class of the highest-ranked event that gives one.',
    `cohort_time` DateTime64(6, 'UTC') COMMENT 'Earliest submit time, else earliest vendor event time, else earliest ingest time.' CODEC(Delta, ZSTD(1)),
    `outcome` LowCardinality(String) COMMENT 'Status of the maximum over the message''s events of (is_final, rank).',
    `outcome_time` DateTime64(6, 'UTC') COMMENT 'Event time of the deciding event; the horizon''s for closed_by = horizon.' CODEC(Delta, ZSTD(1)),
    `read_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Earliest read.' CODEC(Delta, ZSTD(1)),
    `is_final` Bool COMMENT 'The outcome is settled.',
    `closed_by` LowCardinality(Nullable(String)) COMMENT 'event, horizon; null while open.',
    `latency_ms` Nullable(Int64) COMMENT 'Delivered minus cohort time by the vendor''s clock; null where that cannot be said.' CODEC(T64, ZSTD(1)),
    `latency_broker_ms` Nullable(Int64) COMMENT 'The same where a clock is not the vendor''s; negative where clocks disagree, then in no percentile.' CODEC(T64, ZSTD(1)),
    `segments` Nullable(UInt16) COMMENT 'Billable parts, largest told.' CODEC(T64, ZSTD(1)),
    `error_class` LowCardinality(String) COMMENT 'Of the deciding event.',
    `error_code` Nullable(String) COMMENT 'Of the deciding event.' CODEC(ZSTD(1)),
    `events` UInt32 COMMENT 'Events that count.' CODEC(T64, ZSTD(1)),
    `duplicates` UInt32 COMMENT 'Redelivered events seen until this revision.' CODEC(T64, ZSTD(1)),
    `revision` UInt64 COMMENT 'Epoch that wrote this row; the highest stands.' CODEC(T64, ZSTD(1)),
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(`committed_at`)
ORDER BY (`message_key`, `revision`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'The outcome of each message; every change is one more revision, the newest stands.';

CREATE TABLE IF NOT EXISTS `sendtally`.`slo_windows`
(
    `window_s` UInt32 COMMENT 'Length of the window: 60, 300, 3600, 86400.' CODEC(T64, ZSTD(1)),
    `window_start` DateTime64(6, 'UTC') COMMENT 'Start of the window, by cohort time.' CODEC(Delta, ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier; null = not told, __other__ = folded by the cardinality guard.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country; null = not told.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class.',
    `total` Int64 COMMENT 'Messages of this cohort.' CODEC(T64, ZSTD(1)),
    `delivered` Int64 COMMENT 'Delivered, read included.' CODEC(T64, ZSTD(1)),
    `read` Int64 COMMENT 'Read.' CODEC(T64, ZSTD(1)),
    `failed` Int64 COMMENT 'Undelivered, failed, rejected.' CODEC(T64, ZSTD(1)),
    `expired` Int64 COMMENT 'Expired.' CODEC(T64, ZSTD(1)),
    `canceled` Int64 COMMENT 'Canceled.' CODEC(T64, ZSTD(1)),
    `unknown` Int64 COMMENT 'Settled without a known outcome, horizon included.' CODEC(T64, ZSTD(1)),
    `pending` Int64 COMMENT 'Not settled yet.' CODEC(T64, ZSTD(1)),
    `delivery_rate` Nullable(Float64) COMMENT 'delivered / (total - canceled); null where no receipt can prove delivery or nothing is left to divide by.' CODEC(ZSTD(1)),
    `error_rate` Nullable(Float64) COMMENT 'failed / (total - canceled); null like delivery_rate.' CODEC(ZSTD(1)),
    `latency_n` Int64 COMMENT 'Messages in the latency percentiles.' CODEC(T64, ZSTD(1)),
    `p50_ms` Nullable(Float64) COMMENT 'Latency at rank ceil(0.50 n), relative error at most 0.5 %.' CODEC(ZSTD(1)),
    `p95_ms` Nullable(Float64) COMMENT 'Latency at rank ceil(0.95 n).' CODEC(ZSTD(1)),
    `p99_ms` Nullable(Float64) COMMENT 'Latency at rank ceil(0.99 n).' CODEC(ZSTD(1)),
    `latency_broker_n` Int64 COMMENT 'Messages whose latency was taken by the broker''s clock; in no percentile.' CODEC(T64, ZSTD(1)),
    `latency_negative` Int64 COMMENT 'Messages whose latency came out negative; in no percentile.' CODEC(T64, ZSTD(1)),
    `maturity` Nullable(Float64) COMMENT 'Share of the messages with a final outcome.' CODEC(ZSTD(1)),
    `watermark` DateTime64(6, 'UTC') COMMENT 'Watermark when this revision was made.' CODEC(Delta, ZSTD(1)),
    `revision` UInt64 COMMENT 'Epoch of the aggregate chain that wrote this row; the highest stands.' CODEC(T64, ZSTD(1)),
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(`committed_at`)
ORDER BY (`channel`, `carrier`, `country`, `window_start`, `window_s`, `source`, `traffic_class`, `revision`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'Outcomes and latency of the messages of one window and series; the highest revision stands.';

CREATE TABLE IF NOT EXISTS `sendtally`.`charges`
(
    `charge_id` FixedString(16) COMMENT 'Hash of message_key and kind; without a message, of source, account, the vendor''s category, its dimensions and the period.' CODEC(NONE),
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account.',
    `message_key` Nullable(FixedString(16)) COMMENT 'Message the charge is for; null where it is for none, or the vendor names none.' CODEC(NONE),
    `kind` LowCardinality(String) COMMENT 'message, segment, carrier_fee, read_receipt, media, conversation, failed_message_fee, number, campaign, tax, credit, other. What a message costs is either message or segment; a carrier fee that its price holds is taken out of it.',
    `basis` LowCardinality(String) COMMENT 'estimated (the vendor may still change or drop it), vendor, invoice (the vendor calls the figure final); a later basis supersedes an earlier one.',
    `quantity` Decimal(38, 9) COMMENT 'Units charged, 1 where the vendor tells none; 0 where the charge was withdrawn.' CODEC(ZSTD(1)),
    `unit` LowCardinality(String) COMMENT 'message, segment, conversation, or the vendor''s word in lower case.',
    `unit_price` Nullable(Decimal(18, 9)) COMMENT 'Price of one unit; null where the vendor tells none.' CODEC(ZSTD(1)),
    `amount` Nullable(Decimal(38, 9)) COMMENT 'What it costs, negative for a credit: the vendor''s total, else quantity x unit_price; null where the vendor tells units and no price (WhatsApp, RCS billing reports).' CODEC(ZSTD(1)),
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217; null where neither event, vendor nor configuration tells.',
    `charge_time` DateTime64(6, 'UTC') COMMENT 'Cohort time of the message; else the start of the period, else the vendor''s time.' CODEC(Delta, ZSTD(1)),
    `period_start` Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant that it covers, by the days of the vendor''s zone.' CODEC(Delta, ZSTD(1)),
    `period_end` Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant that it does not cover any more.' CODEC(Delta, ZSTD(1)),
    `invoice_id` Nullable(String) COMMENT 'Invoice.' CODEC(ZSTD(1)),
    `sku` Nullable(String) COMMENT 'The vendor''s price list entry, category or meter.' CODEC(ZSTD(1)),
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class.',
    `revision` UInt64 COMMENT 'Epoch that wrote this row; the highest stands.' CODEC(T64, ZSTD(1)),
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(`committed_at`)
ORDER BY (`charge_id`, `revision`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'What is charged: one row a message and kind, and one a line of a bill that is no message''s; the highest revision stands. Rows of grain period are totals whose money other rows may hold too: never add them, sum the view `spend`.';

CREATE TABLE IF NOT EXISTS `sendtally`.`cost_windows`
(
    `window_s` UInt32 COMMENT 'Length of the window: 60, 300, 3600, 86400.' CODEC(T64, ZSTD(1)),
    `window_start` DateTime64(6, 'UTC') COMMENT 'Start of the window, by cohort time.' CODEC(Delta, ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier; null = not told.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country; null = not told.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class.',
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217; amounts of different currencies are never added.',
    `kind` LowCardinality(String) COMMENT 'Kind of charge.',
    `amount` Decimal(38, 9) COMMENT 'Sum of the charges'' amounts.' CODEC(ZSTD(1)),
    `quantity` Decimal(38, 9) COMMENT 'Sum of the charged units.' CODEC(ZSTD(1)),
    `messages` Int64 COMMENT 'Messages charged.' CODEC(T64, ZSTD(1)),
    `delivered` Int64 COMMENT 'Of these, delivered.' CODEC(T64, ZSTD(1)),
    `score` Nullable(Float64) COMMENT 'Anomaly score: -log10 of the tail probability, from the past only; null while history is short.' CODEC(ZSTD(1)),
    `expected` Nullable(Float64) COMMENT 'Median amount at the same time of day; null while history is short.' CODEC(ZSTD(1)),
    `watermark` DateTime64(6, 'UTC') COMMENT 'Watermark when this revision was made.' CODEC(Delta, ZSTD(1)),
    `revision` UInt64 COMMENT 'Epoch of the aggregate chain that wrote this row; the highest stands.' CODEC(T64, ZSTD(1)),
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(`committed_at`)
ORDER BY (`source`, `channel`, `country`, `window_start`, `window_s`, `carrier`, `traffic_class`, `currency`, `kind`, `revision`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'Charges of the messages of one window and series; the highest revision stands.';

CREATE TABLE IF NOT EXISTS `sendtally`.`alerts`
(
    `seq` UInt64 COMMENT 'Cursor: position in the alert log, from 1.' CODEC(T64, ZSTD(1)),
    `id` String COMMENT 'Hash of objective, tier, series, episode and transition number; equal when evaluated again.' CODEC(ZSTD(1)),
    `episode_id` String COMMENT 'Joins the transitions of one episode.' CODEC(ZSTD(1)),
    `objective` String COMMENT 'Name of the objective.' CODEC(ZSTD(1)),
    `tier` String COMMENT 'Tier of the objective.' CODEC(ZSTD(1)),
    `series` String COMMENT 'The objective''s group_by values, as name=value pairs.' CODEC(ZSTD(1)),
    `from_state` String COMMENT 'inactive, pending, firing, resolved.' CODEC(ZSTD(1)),
    `to_state` String COMMENT 'inactive, pending, firing, resolved.' CODEC(ZSTD(1)),
    `reason` String COMMENT 'Why, in one sentence.' CODEC(ZSTD(1)),
    `event_time` DateTime64(6, 'UTC') COMMENT 'Watermark at which the rule was evaluated.' CODEC(Delta, ZSTD(1)),
    `processing_time` DateTime64(6, 'UTC') COMMENT 'When it was evaluated.' CODEC(Delta, ZSTD(1)),
    `evidence` String COMMENT 'JSON: counts, rates, thresholds, window, epoch.' CODEC(ZSTD(1))
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(`processing_time`)
ORDER BY (`seq`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'Every transition of every alert, once, in order.';

CREATE TABLE IF NOT EXISTS `sendtally`.`dead_letters`
(
    `source` LowCardinality(String) COMMENT 'Vendor, or unknown where the record names none.',
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>, or dead:<topic> for dead letters read again.',
    `partition` Int32 COMMENT 'Kafka partition.' CODEC(T64, ZSTD(1)),
    `offset` Int64 COMMENT 'Kafka offset.' CODEC(T64, ZSTD(1)),
    `element` UInt32 COMMENT '0-based leaf element inside the record.' CODEC(T64, ZSTD(1)),
    `reason` LowCardinality(String) COMMENT 'unknown_source, not_utf8, syntax, envelope, unknown_variant, missing_id, missing_status, bad_encoding, too_large, unverified.',
    `detail` String COMMENT 'Where in the payload: a path or a byte position; never a value.' CODEC(ZSTD(1)),
    `payload_sha256` FixedString(32) COMMENT 'SHA-256 of the record''s raw bytes.' CODEC(NONE),
    `ingest_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Kafka''s timestamp of the record.' CODEC(Delta, ZSTD(1)),
    `epoch` UInt64 COMMENT 'Epoch that committed the row.' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(`ingest_time`)
ORDER BY (`source`, `topic`, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'Elements that gave neither an event nor a charge because they could not be read.';

CREATE TABLE IF NOT EXISTS `sendtally`.`ledger`
(
    `epoch` UInt64 COMMENT 'Epoch of the job.' CODEC(T64, ZSTD(1)),
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>, or dead:<topic> for dead letters read again.',
    `partition` Int32 COMMENT 'Kafka partition.' CODEC(T64, ZSTD(1)),
    `start_offset` Int64 COMMENT 'First offset of the epoch.' CODEC(T64, ZSTD(1)),
    `end_offset` Int64 COMMENT 'Offset after the last of the epoch.' CODEC(T64, ZSTD(1)),
    `records` Int64 COMMENT 'Records read.' CODEC(T64, ZSTD(1)),
    `gaps` Int64 COMMENT 'Offsets without a record: control, aborted, compacted.' CODEC(T64, ZSTD(1)),
    `elements` Int64 COMMENT 'Leaf elements of those records.' CODEC(T64, ZSTD(1)),
    `accepted` Int64 COMMENT 'Gave a delivery event or a charge.' CODEC(T64, ZSTD(1)),
    `duplicate` Int64 COMMENT 'Seen before.' CODEC(T64, ZSTD(1)),
    `late` Int64 COMMENT 'Older than 35 days.' CODEC(T64, ZSTD(1)),
    `dead` Int64 COMMENT 'Dead letters.' CODEC(T64, ZSTD(1)),
    `ignored` Int64 COMMENT 'Recognised, but no delivery event.' CODEC(T64, ZSTD(1)),
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When the epoch closed.' CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(`committed_at`)
ORDER BY (`topic`, `partition`, `epoch`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'What became of every offset and every element: end - start = records + gaps; elements = accepted + duplicate + late + dead + ignored.';

ALTER TABLE `sendtally`.`charges` MODIFY COLUMN `unit_price` Nullable(Decimal(18, 9)) COMMENT 'Price of one unit; null where the vendor tells none.' CODEC(ZSTD(1));

ALTER TABLE `sendtally`.`charges` MODIFY COLUMN `amount` Nullable(Decimal(38, 9)) COMMENT 'What it costs, negative for a credit: the vendor''s total, else quantity x unit_price; null where the vendor tells units and no price (WhatsApp, RCS billing reports).' CODEC(ZSTD(1));

ALTER TABLE `sendtally`.`charges` ADD COLUMN IF NOT EXISTS `grain` LowCardinality(Nullable(String)) COMMENT 'message, item, period (a total over messages: never add it to theirs); null = message, in rows of before this column.' AFTER `traffic_class`;

CREATE TABLE IF NOT EXISTS `sendtally`.`charge_lines`
(
    `line_id` FixedString(16) COMMENT 'Hash of what the line is about, as of when, and its figures; equal for a line that came again. Of a bill that tells no time (event_time_source is not vendor) a figure that goes back to a former value is the line of that value: nothing tells it from a redelivery.' CODEC(NONE),
    `charge_id` FixedString(16) COMMENT 'Row of `charges` that the line speaks of.' CODEC(NONE),
    `grain` LowCardinality(String) COMMENT 'message, item, period: see `charges`.',
    `source` LowCardinality(String) COMMENT 'Vendor whose format the payload has.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account: the payload''s own, else the header''s, else the topic''s configuration.',
    `message_key` Nullable(FixedString(16)) COMMENT 'Message that it is for; null where it is for none, or for one that the line does not name.' CODEC(NONE),
    `message_id` Nullable(String) COMMENT 'Its id as the vendor gives it; an id that embeds a number carries that number''s keyed hash instead.' CODEC(ZSTD(1)),
    `kind` LowCardinality(String) COMMENT 'message, segment, carrier_fee, read_receipt, media, conversation, failed_message_fee, number, campaign, tax, credit, other.',
    `basis` LowCardinality(String) COMMENT 'estimated, vendor, invoice.',
    `quantity` Nullable(Decimal(38, 9)) COMMENT 'Units, as far as the line tells.' CODEC(ZSTD(1)),
    `unit` LowCardinality(Nullable(String)) COMMENT 'message, segment, conversation, or the vendor''s word in lower case.',
    `unit_price` Nullable(Decimal(18, 9)) COMMENT 'Price of one unit, as far as the line tells.' CODEC(ZSTD(1)),
    `amount` Nullable(Decimal(38, 9)) COMMENT 'What the line costs, negative for a credit; null where the vendor tells units and no price.' CODEC(ZSTD(1)),
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217, upper case.',
    `event_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'As of when the vendor says so.' CODEC(Delta, ZSTD(1)),
    `event_time_source` LowCardinality(Nullable(String)) COMMENT 'vendor, vendor_local, header, broker, replaced.',
    `ingest_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Kafka''s timestamp; of files the received-at header, else the file''s newest time.' CODEC(Delta, ZSTD(1)),
    `is_final` Bool COMMENT 'The vendor says that the figure is final.',
    `period_start` Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant that it covers.' CODEC(Delta, ZSTD(1)),
    `period_end` Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant that it does not cover any more.' CODEC(Delta, ZSTD(1)),
    `invoice_id` Nullable(String) COMMENT 'Invoice.' CODEC(ZSTD(1)),
    `sku` Nullable(String) COMMENT 'The vendor''s price list entry, category or meter.' CODEC(ZSTD(1)),
    `channel` LowCardinality(String) COMMENT 'Channel; unknown where it tells none.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier.',
    `traffic_class` LowCardinality(String) COMMENT 'otp, transactional, alert, marketing, conversation, unknown.',
    `payload_sha256` FixedString(32) COMMENT 'SHA-256 of the record''s raw bytes.' CODEC(NONE),
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>.',
    `partition` Int32 COMMENT 'Kafka partition.' CODEC(T64, ZSTD(1)),
    `offset` Int64 COMMENT 'Kafka offset, or 0-based record of a file.' CODEC(T64, ZSTD(1)),
    `element` UInt32 COMMENT '0-based leaf element inside the record; a delivery event and several lines may come of one.' CODEC(T64, ZSTD(1)),
    `disposition` LowCardinality(String) COMMENT 'accepted; late (of a message, and older than 35 days: in no charge); earlier (came again with an earlier time).',
    `epoch` UInt64 COMMENT 'Epoch of the job that committed the row.' CODEC(T64, ZSTD(1)),
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.' CODEC(Delta, ZSTD(1)),
    INDEX message_key_bloom `message_key` TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(`committed_at`)
ORDER BY (`source`, `kind`, `charge_id`, `event_time`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1, ttl_only_drop_parts = 1
COMMENT 'One row a billing line that is new, as the vendor tells it; `charges` is what stands of them and of the prices in `events`. Never sum it: lines repeat and revise each other.';

-- Generated from schemas/*.toml by `sendtally schemas`.

CREATE TABLE IF NOT EXISTS events
(
    `event_id` FixedString(16) COMMENT 'Hash of the vendor''s event id, or of the tuple that identifies the event; equal for a redelivered event.',
    `source` LowCardinality(String) COMMENT 'Vendor whose format the payload has.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account: the payload''s own, else the header''s, else the topic''s configuration.',
    `message_id` String COMMENT 'Message id as the vendor gives it; an id that embeds a number carries that number''s keyed hash instead.',
    `message_key` FixedString(16) COMMENT 'Keyed hash of source, vendor id and what else makes a message (recipient, part, channel).',
    `logical_id` Nullable(String) COMMENT 'The sender''s own reference; joins attempts across channels and vendors.',
    `channel` LowCardinality(String) COMMENT 'sms, mms, rcs, whatsapp, push_apns, push_fcm, push_web, push, imessage, in_app, viber, messenger, voice, email, unknown.',
    `status` LowCardinality(String) COMMENT 'accepted, queued, sent, delivered, read, undelivered, failed, expired, rejected, canceled, unknown.',
    `is_final` Bool COMMENT 'The delivery outcome is settled by this event; a read may still follow.',
    `receipt_class` LowCardinality(String) COMMENT 'What a delivered or read of this source and channel can prove: carrier, handset, app, none.',
    `vendor_status` Nullable(String) COMMENT 'The vendor''s most specific word, unmodified.',
    `error_code` Nullable(String) COMMENT 'Vendor error code, unmodified; null where the vendor says no error.',
    `error_class` LowCardinality(String) COMMENT 'none, unreachable, unknown_recipient, blocked, opted_out, spam, expired, throttled, not_capable, invalid_request, configuration, vendor_internal, unknown.',
    `event_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'The vendor''s time of the event, else the header''s, else the broker''s.',
    `submit_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'When the message was handed to the vendor; null where the event does not tell.',
    `ingest_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Kafka''s timestamp of the record.',
    `event_time_source` LowCardinality(Nullable(String)) COMMENT 'vendor, vendor_local, header, broker, replaced.',
    `recipient_token` Nullable(FixedString(16)) COMMENT 'Keyed hash of the recipient''s number, user id or device token.',
    `token_key_id` Nullable(UInt16) COMMENT 'Which key made recipient_token.',
    `recipient_prefix` Nullable(String) COMMENT 'Recipient''s number without its last four digits.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO 3166 code: the event''s own, else the number''s region, else the MCC''s.',
    `mcc` Nullable(String) COMMENT 'Mobile country code, digits with leading zeros.',
    `mnc` Nullable(String) COMMENT 'Mobile network code, digits with leading zeros.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier as the event tells it: its name, else MCC-MNC; never guessed from a prefix.',
    `sender` LowCardinality(Nullable(String)) COMMENT 'Sender id, number, agent or app.',
    `traffic_class` LowCardinality(String) COMMENT 'otp, transactional, alert, marketing, conversation, unknown.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign reference.',
    `segments` Nullable(UInt16) COMMENT 'Billable parts.',
    `security` LowCardinality(String) COMMENT 'none, hop, e2ee, unknown.',
    `price` Nullable(Decimal(18, 9)) COMMENT 'What the event says the message costs, positive; never sum it over events, sum charges.',
    `price_unit` LowCardinality(String) COMMENT 'message, segment; none where price is null.',
    `currency` Nullable(String) COMMENT 'ISO 4217, upper case.',
    `payload_sha256` FixedString(32) COMMENT 'SHA-256 of the record''s raw bytes.',
    `verified` Nullable(Bool) COMMENT 'Signature check; null = not checked.',
    `verified_reason` LowCardinality(Nullable(String)) COMMENT 'Why verified has its value.',
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `offset` Int64 COMMENT 'Kafka offset, or 0-based record of a file.',
    `element` UInt32 COMMENT '0-based leaf element inside the record.',
    `disposition` LowCardinality(String) COMMENT 'accepted; late (older than 35 days: stored, in no window); earlier (a redelivery that tells an earlier time: a duplicate, the accepted row takes its time).',
    `epoch` UInt64 COMMENT 'Epoch of the job that committed the row.'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ingest_time)
ORDER BY (`channel`, `carrier`, `country`, `event_time`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS messages
(
    `message_key` FixedString(16) COMMENT 'Key of the message.',
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account.',
    `message_id` Nullable(String) COMMENT 'Vendor''s message id; null in a revision that no event caused (horizon).',
    `logical_id` Nullable(String) COMMENT 'Sender''s own reference.',
    `channel` LowCardinality(String) COMMENT 'Channel of the highest-ranked event that gives one.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier of the highest-ranked event that gives one.',
    `country` LowCardinality(Nullable(String)) COMMENT 'Country of the highest-ranked event that gives one.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class of the highest-ranked event that gives one.',
    `cohort_time` DateTime64(6, 'UTC') COMMENT 'Earliest submit time, else earliest vendor event time, else earliest ingest time.',
    `outcome` LowCardinality(String) COMMENT 'Status of the maximum over the message''s events of (is_final, rank).',
    `outcome_time` DateTime64(6, 'UTC') COMMENT 'Event time of the deciding event; the horizon''s for closed_by = horizon.',
    `read_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Earliest read.',
    `is_final` Bool COMMENT 'The outcome is settled.',
    `closed_by` LowCardinality(Nullable(String)) COMMENT 'event, horizon; null while open.',
    `latency_ms` Nullable(Int64) COMMENT 'Delivered minus cohort time by the vendor''s clock; null where that cannot be said.',
    `latency_broker_ms` Nullable(Int64) COMMENT 'The same where a clock is not the vendor''s; negative where clocks disagree, then in no percentile.',
    `segments` Nullable(UInt16) COMMENT 'Billable parts, largest told.',
    `error_class` LowCardinality(String) COMMENT 'Of the deciding event.',
    `error_code` Nullable(String) COMMENT 'Of the deciding event.',
    `events` UInt32 COMMENT 'Events that count.',
    `duplicates` UInt32 COMMENT 'Redelivered events seen until this revision.',
    `revision` UInt64 COMMENT 'Epoch that wrote this row; the highest stands.',
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(committed_at)
ORDER BY (`message_key`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS slo_windows
(
    `window_s` UInt32 COMMENT 'Length of the window: 60, 300, 3600, 86400.',
    `window_start` DateTime64(6, 'UTC') COMMENT 'Start of the window, by cohort time.',
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier; null = not told, __other__ = folded by the cardinality guard.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country; null = not told.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class.',
    `total` Int64 COMMENT 'Messages of this cohort.',
    `delivered` Int64 COMMENT 'Delivered, read included.',
    `read` Int64 COMMENT 'Read.',
    `failed` Int64 COMMENT 'Undelivered, failed, rejected.',
    `expired` Int64 COMMENT 'Expired.',
    `canceled` Int64 COMMENT 'Canceled.',
    `unknown` Int64 COMMENT 'Settled without a known outcome, horizon included.',
    `pending` Int64 COMMENT 'Not settled yet.',
    `delivery_rate` Nullable(Float64) COMMENT 'delivered / (total - canceled); null where no receipt can prove delivery or nothing is left to divide by.',
    `error_rate` Nullable(Float64) COMMENT 'failed / (total - canceled); null like delivery_rate.',
    `latency_n` Int64 COMMENT 'Messages in the latency percentiles.',
    `p50_ms` Nullable(Float64) COMMENT 'Latency at rank ceil(0.50 n), relative error at most 0.5 %.',
    `p95_ms` Nullable(Float64) COMMENT 'Latency at rank ceil(0.95 n).',
    `p99_ms` Nullable(Float64) COMMENT 'Latency at rank ceil(0.99 n).',
    `latency_broker_n` Int64 COMMENT 'Messages whose latency was taken by the broker''s clock; in no percentile.',
    `latency_negative` Int64 COMMENT 'Messages whose latency came out negative; in no percentile.',
    `maturity` Nullable(Float64) COMMENT 'Share of the messages with a final outcome.',
    `watermark` DateTime64(6, 'UTC') COMMENT 'Watermark when this revision was made.',
    `revision` UInt64 COMMENT 'Epoch of the aggregate chain that wrote this row; the highest stands.',
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(committed_at)
ORDER BY (`window_s`, `window_start`, `source`, `channel`, `carrier`, `country`, `traffic_class`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS charges
(
    `charge_id` FixedString(16) COMMENT 'Hash of message_key, kind and basis.',
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `account` LowCardinality(Nullable(String)) COMMENT 'Vendor account.',
    `message_key` Nullable(FixedString(16)) COMMENT 'Message the charge is for.',
    `kind` LowCardinality(String) COMMENT 'message, segment, carrier_fee, read_receipt, media, conversation, failed_message_fee, number, campaign, tax, credit.',
    `basis` LowCardinality(String) COMMENT 'estimated, vendor, invoice; a later basis supersedes an earlier one.',
    `quantity` Decimal(38, 9) COMMENT 'Units charged.',
    `unit` LowCardinality(String) COMMENT 'message, segment.',
    `unit_price` Decimal(18, 9) COMMENT 'Price of one unit.',
    `amount` Decimal(38, 9) COMMENT 'quantity x unit_price.',
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217; null where neither event, vendor nor configuration tells.',
    `charge_time` DateTime64(6, 'UTC') COMMENT 'Cohort time of the message.',
    `period_start` Nullable(DateTime64(6, 'UTC')) COMMENT 'Billing period, where the vendor tells.',
    `period_end` Nullable(DateTime64(6, 'UTC')) COMMENT 'Billing period, where the vendor tells.',
    `invoice_id` Nullable(String) COMMENT 'Invoice.',
    `sku` Nullable(String) COMMENT 'Vendor''s price list entry.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class.',
    `revision` UInt64 COMMENT 'Epoch that wrote this row; the highest stands.',
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(committed_at)
ORDER BY (`charge_id`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS cost_windows
(
    `window_s` UInt32 COMMENT 'Length of the window: 60, 300, 3600, 86400.',
    `window_start` DateTime64(6, 'UTC') COMMENT 'Start of the window, by cohort time.',
    `source` LowCardinality(String) COMMENT 'Vendor.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `carrier` LowCardinality(Nullable(String)) COMMENT 'Carrier; null = not told.',
    `country` LowCardinality(Nullable(String)) COMMENT 'ISO country; null = not told.',
    `traffic_class` LowCardinality(String) COMMENT 'Traffic class.',
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217; amounts of different currencies are never added.',
    `kind` LowCardinality(String) COMMENT 'Kind of charge.',
    `amount` Decimal(38, 9) COMMENT 'Sum of the charges'' amounts.',
    `quantity` Decimal(38, 9) COMMENT 'Sum of the charged units.',
    `messages` Int64 COMMENT 'Messages charged.',
    `delivered` Int64 COMMENT 'Of these, delivered.',
    `score` Nullable(Float64) COMMENT 'Anomaly score: -log10 of the tail probability, from the past only; null while history is short.',
    `expected` Nullable(Float64) COMMENT 'Median amount at the same time of day; null while history is short.',
    `watermark` DateTime64(6, 'UTC') COMMENT 'Watermark when this revision was made.',
    `revision` UInt64 COMMENT 'Epoch of the aggregate chain that wrote this row; the highest stands.',
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When that epoch closed.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(committed_at)
ORDER BY (`window_s`, `window_start`, `source`, `channel`, `carrier`, `country`, `traffic_class`, `currency`, `kind`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS alerts
(
    `seq` UInt64 COMMENT 'Cursor: position in the alert log, from 1.',
    `id` String COMMENT 'Hash of objective, tier, series, episode and transition number; equal when evaluated again.',
    `episode_id` String COMMENT 'Joins the transitions of one episode.',
    `objective` String COMMENT 'Name of the objective.',
    `tier` String COMMENT 'Tier of the objective.',
    `series` String COMMENT 'The objective''s group_by values, as name=value pairs.',
    `from_state` String COMMENT 'inactive, pending, firing, resolved.',
    `to_state` String COMMENT 'inactive, pending, firing, resolved.',
    `reason` String COMMENT 'Why, in one sentence.',
    `event_time` DateTime64(6, 'UTC') COMMENT 'Watermark at which the rule was evaluated.',
    `processing_time` DateTime64(6, 'UTC') COMMENT 'When it was evaluated.',
    `evidence` String COMMENT 'JSON: counts, rates, thresholds, window, epoch.'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(processing_time)
ORDER BY (`seq`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS dead_letters
(
    `source` LowCardinality(String) COMMENT 'Vendor, or unknown where the record names none.',
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `offset` Int64 COMMENT 'Kafka offset.',
    `element` UInt32 COMMENT '0-based leaf element inside the record.',
    `reason` LowCardinality(String) COMMENT 'unknown_source, not_utf8, syntax, envelope, unknown_variant, missing_id, missing_status, bad_encoding, too_large.',
    `detail` String COMMENT 'Where in the payload: a path or a byte position; never a value.',
    `payload_sha256` FixedString(32) COMMENT 'SHA-256 of the record''s raw bytes.',
    `ingest_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'Kafka''s timestamp of the record.',
    `epoch` UInt64 COMMENT 'Epoch that committed the row.'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ingest_time)
ORDER BY (`source`, `topic`, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS ledger
(
    `epoch` UInt64 COMMENT 'Epoch of the job.',
    `topic` LowCardinality(String) COMMENT 'Kafka topic, or file:<sha256>.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `start_offset` Int64 COMMENT 'First offset of the epoch.',
    `end_offset` Int64 COMMENT 'Offset after the last of the epoch.',
    `records` Int64 COMMENT 'Records read.',
    `gaps` Int64 COMMENT 'Offsets without a record: control, aborted, compacted.',
    `elements` Int64 COMMENT 'Leaf elements of those records.',
    `accepted` Int64 COMMENT 'Gave a delivery event or a charge.',
    `duplicate` Int64 COMMENT 'Seen before.',
    `late` Int64 COMMENT 'Older than 35 days.',
    `dead` Int64 COMMENT 'Dead letters.',
    `ignored` Int64 COMMENT 'Recognised, but no delivery event.',
    `committed_at` DateTime64(6, 'UTC') COMMENT 'When the epoch closed.'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(committed_at)
ORDER BY (`topic`, `partition`, `epoch`)
SETTINGS non_replicated_deduplication_window = 10000, allow_nullable_key = 1;

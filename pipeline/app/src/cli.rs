//! The command line: what can be asked, each with an example.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Delivery, SLO and cost of messages, from every vendor's events.
#[derive(Debug, Parser)]
#[command(name = "sendtally", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process: an embedded broker and simulated traffic.
    #[command(after_help = "Example: sendtally demo --seed 7")]
    Demo(DemoArgs),
    /// The pipeline on a real Kafka.
    #[command(after_help = "Example: sendtally run --config sendtally.toml")]
    Run(RunArgs),
    /// Vendors' webhooks over HTTP into Kafka.
    #[command(after_help = "Example: sendtally gateway --config sendtally.toml")]
    Gateway(GatewayArgs),
    /// Raw payloads to canonical JSON lines.
    #[command(after_help = "Example: sendtally normalize --source twilio callbacks.txt")]
    Normalize(NormalizeArgs),
    /// Files into a data directory, through the same code as Kafka records.
    #[command(after_help = "Example: sendtally load --source infobip reports.jsonl --data DIR")]
    Load(LoadArgs),
    /// SQL over the tables, read-only.
    #[command(after_help = "Example: sendtally sql \"SELECT channel, sum(total) FROM slo_windows \
                            WHERE window_s = 60 GROUP BY channel\" --data DIR")]
    Sql(SqlArgs),
    /// What could not be read: why, where, how many; and again after a fix.
    #[command(after_help = "Example: sendtally dead-letters list --reason unverified --data DIR")]
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Online anomaly scores of a CSV series, each from the past only.
    #[command(after_help = "Example: sendtally score --time-column time --value-column cost a.csv")]
    Score(ScoreArgs),
    /// SLO objectives.
    #[command(after_help = "Example: sendtally slo check queries/objectives/delivery-rate.yaml")]
    #[command(subcommand)]
    Slo(SloCommand),
    /// Recomputes outcomes, windows and the ledger from stored events.
    #[command(after_help = "Example: sendtally verify --data DIR")]
    Verify(VerifyArgs),
    /// Realistic vendor traffic with known truth.
    #[command(after_help = "Example: sendtally simulate --scenario demo.yaml --seed 1 --rate 100 \
                            --events 100000 --out DIR")]
    Simulate(SimulateArgs),
    /// Prints what is generated from schemas/*.toml.
    #[command(after_help = "Example: sendtally schemas --markdown > schemas/README.md")]
    Schemas(SchemasArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Data directory; a started demo goes on where it was.
    #[arg(long, default_value = "sendtally-demo")]
    pub(crate) data: PathBuf,
    /// Address of page and API.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Address of the gateway for webhooks; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) gateway: String,
    /// Seed of the traffic.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Events a second; bounded, because the embedded broker forgets old records.
    #[arg(long, default_value_t = 150.0)]
    pub(crate) rate: f64,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Configuration file.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// Check configuration, Kafka and topics, and end.
    #[arg(long)]
    pub(crate) check: bool,
    /// Read what is there now, publish everything, and end.
    #[arg(long)]
    pub(crate) until_end: bool,
    /// Go on from an offset by hand: TOPIC/PARTITION=OFFSET; what is jumped over is in the ledger.
    #[arg(long, value_name = "TOPIC/PARTITION=OFFSET")]
    pub(crate) seek: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GatewayArgs {
    /// Configuration file: [gateway], [kafka] and [[signatures]] are read.
    #[arg(long)]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Data directory.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Object store that holds the data, s3://BUCKET/PREFIX; --data is then a cache of it.
    /// Endpoint, region and credentials are taken from AWS_ENDPOINT_URL, AWS_REGION,
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; an http:// endpoint needs AWS_ALLOW_HTTP=true.
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Shape {
    /// Each file is one payload, as one in gzip or ZIP always is.
    #[arg(long)]
    pub(crate) whole: bool,
    /// Each line is a Kafka record: {"headers":{…},"value":"…"}.
    #[arg(long, conflicts_with = "whole")]
    pub(crate) records: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Assumptions {
    /// Zone of times that are told without one, a name such as Europe/Berlin; without it UTC, or
    /// what the vendor documents.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// Currency of prices that are told without one, a code such as EUR; without it none.
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
    /// Rows name,country,carrier that stand before the built-in names of carriers.
    #[arg(long, value_name = "FILE")]
    pub(crate) carriers: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NormalizeArgs {
    /// Source of records that name none.
    #[arg(long)]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) shape: Shape,
    #[command(flatten)]
    pub(crate) assumptions: Assumptions,
    /// Configuration whose [keys], [[accounts]], [carriers] and [[signatures]] are used; with
    /// --records the last fill `verified`. --zone and --currency are for accounts without an
    /// entry, --carriers stands instead of [carriers].
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Exit 1 where there was a dead letter.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print which field each column came from instead.
    #[arg(long)]
    pub(crate) explain: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "events")]
    pub(crate) table: NormalizeTable,
    /// Files; standard input where there is none.
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NormalizeTable {
    Events,
    Charges,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Source of records that name none.
    #[arg(long)]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) shape: Shape,
    #[command(flatten)]
    pub(crate) assumptions: Assumptions,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Configuration whose [keys], [[accounts]], [carriers], [[signatures]] and [dead_letters] are
    /// used; the directory is --data. --zone and --currency are for accounts without an entry,
    /// --carriers stands instead of [carriers].
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Files.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// One statement.
    pub(crate) query: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Output.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: SqlFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SqlFormat {
    Table,
    Csv,
    Json,
    Arrow,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Counts by reason, and the letters.
    #[command(after_help = "Example: sendtally dead-letters list --source infobip --data DIR")]
    List(ListArgs),
    /// Everything of the letters of one record.
    #[command(after_help = "Example: sendtally dead-letters show messaging.sms/3/41 --data DIR")]
    Show(ShowArgs),
    /// Reads the kept records again, by today's code and configuration: each letter once.
    #[command(after_help = "Example: sendtally dead-letters replay --reason unverified --config \
                            sendtally.toml")]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LettersPlace {
    /// Data directory.
    #[arg(long, required_unless_present = "config")]
    pub(crate) data: Option<PathBuf>,
    /// Object store that holds the data; --data is then a cache of it.
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Configuration of `run`: its directory, keys, topics and signatures. Without it the keys of
    /// SENDTALLY_DEAD_LETTER_KEY and SENDTALLY_KEY.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LetterFilter {
    /// Only of this source; `unknown` where none is named.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only for this reason.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Only of this topic.
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Only ingested since this time, RFC 3339 or YYYY-MM-DD.
    #[arg(long)]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) place: LettersPlace,
    #[command(flatten)]
    pub(crate) filter: LetterFilter,
    /// Letters shown, the newest first; the counts are of all.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u64,
    /// Output. With `table` the counts stand above, else on standard error.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: SqlFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The record, TOPIC/PARTITION/OFFSET.
    pub(crate) position: String,
    /// Also the record itself, decrypted: personal data.
    #[arg(long)]
    pub(crate) payload: bool,
    #[command(flatten)]
    pub(crate) place: LettersPlace,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) place: LettersPlace,
    #[command(flatten)]
    pub(crate) filter: LetterFilter,
    /// Also letters whose record was not kept: from Kafka, as long as it has them.
    #[arg(long, requires = "config")]
    pub(crate) from_kafka: bool,
    /// Read the records as of this source, whatever named another: a file that was loaded with a
    /// wrong `--source`, a header `source` that is none.
    #[arg(long = "as", value_name = "SOURCE")]
    pub(crate) as_source: Option<String>,
    /// Only tell what would be replayed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Column with RFC 3339 times, or `YYYY-MM-DD hh:mm:ss` (UTC), or Unix seconds.
    #[arg(long)]
    pub(crate) time_column: String,
    /// Column with numbers.
    #[arg(long)]
    pub(crate) value_column: String,
    /// The series.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SloCommand {
    /// Validates objectives and tells which tiers can fire.
    #[command(after_help = "Example: sendtally slo check queries/objectives/delivery-rate.yaml")]
    Check {
        /// OpenSLO files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// In how many parts rows are compared; more take less memory and more time. Without it, one
    /// for each 250,000 rows.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) parts: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Scenario, YAML.
    #[arg(long)]
    pub(crate) scenario: PathBuf,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Events per simulated second.
    #[arg(long, default_value_t = 100.0)]
    pub(crate) rate: f64,
    /// Events in all.
    #[arg(long)]
    pub(crate) events: u64,
    /// Partitions of a topic.
    #[arg(long, default_value_t = 4)]
    pub(crate) partitions: u32,
    /// `kafka`, or a directory for records and logs.
    #[arg(long)]
    pub(crate) out: String,
    /// Begins now and sends each record at its time, with `--out kafka`; Ctrl-C ends it in good
    /// order.
    #[arg(long)]
    pub(crate) live: bool,
    /// Bootstrap servers, with `--out kafka`.
    #[arg(long)]
    pub(crate) brokers: Option<String>,
    /// Directory of the logs, with `--out kafka`.
    #[arg(long)]
    pub(crate) log: Option<PathBuf>,
    /// Configuration whose [kafka] is used, with `--out kafka`, for logins.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemasArgs {
    /// The documentation of columns.
    #[arg(long, conflicts_with = "clickhouse")]
    pub(crate) markdown: bool,
    /// ClickHouse's CREATE TABLE statements.
    #[arg(long)]
    pub(crate) clickhouse: bool,
    /// The catalogue of sources: what their fixtures fill.
    #[arg(long, conflicts_with_all = ["markdown", "clickhouse"])]
    pub(crate) sources: bool,
    /// The fixtures of the sources, for --sources.
    #[arg(long, default_value = "fixtures")]
    pub(crate) fixtures: PathBuf,
}

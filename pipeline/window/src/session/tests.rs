//! Files and batches as tables, read-only SQL, spellings of the output.

use std::fs::File;
use std::path::PathBuf;

use datafusion::parquet::arrow::ArrowWriter;
use model::schema::{EVENTS, LEDGER, MESSAGES};

use super::*;
use crate::By;
use crate::fixture::{csv, lines, rows};

/// A fresh directory of this process.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("window-{}-{name} [a]*", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn parquet(directory: &std::path::Path, name: &str, batch: &RecordBatch) -> PathBuf {
    let path = directory.join(name);
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path
}

fn messages(lines: &str) -> RecordBatch {
    rows(&MESSAGES.arrow(), lines)
}

const FIRST: &str = r#"
    {"message_key":"0a","account":"acme","message_id":"m1","outcome":"sent","carrier":"x",
     "cohort_time":"2026-01-01T00:00:00Z","outcome_time":"2026-01-01T00:00:01Z","revision":1,
     "committed_at":"2026-01-01T00:00:02Z"}
    {"message_key":"0b","message_id":"m2","outcome":"sent",
     "cohort_time":"2026-01-01T00:00:00Z","outcome_time":"2026-01-01T00:00:01Z","revision":1,
     "committed_at":"2026-01-01T00:00:02Z"}"#;
const SECOND: &str = r#"
    {"message_key":"0a","outcome":"delivered","error_code":"30","is_final":true,
     "closed_by":"event","latency_ms":1500,
     "cohort_time":"2026-01-01T00:00:00Z","outcome_time":"2026-01-01T00:00:01.5Z","revision":12,
     "committed_at":"2026-01-01T00:00:12Z"}"#;

/// `messages`: revision 1 in a file, revision 12 in memory.
fn session(name: &str) -> Session {
    let file = parquet(&directory(name), "part 0.parquet", &messages(FIRST));
    let source = TableSource {
        name: "messages".to_owned(),
        schema: MESSAGES.arrow(),
        parquet: vec![file],
        segments: vec![messages(SECOND)],
    };
    Session::open(vec![source]).unwrap()
}

fn text(session: &Session, sql: &str, format: OutputFormat) -> String {
    let mut out = Vec::new();
    session.write(sql, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn newest_revision_stands_and_null_overwrites_only_what_is_not_carried() {
    let session = session("newest");
    let found = session.query("SELECT * FROM messages ORDER BY message_key").unwrap();
    let shown = ["account", "message_id", "carrier", "outcome", "error_code", "revision"];
    assert_eq!(csv(&found, &shown), "acme,m1,,delivered,30,12\n,m2,,sent,,1\n");
    let found = session.query("SELECT count(*) FROM messages_revisions").unwrap();
    assert_eq!(csv(&found, &["count(*)"]), "3\n");
}

#[test]
fn types_of_the_table_survive_file_union_and_view() {
    let session = session("types");
    for table in ["messages", "messages_revisions"] {
        let found = session.query(&format!("SELECT * FROM {table}")).unwrap();
        let kinds = |schema: &arrow_schema::Schema| {
            schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&found[0].schema()), kinds(&MESSAGES.arrow()), "{table}");
    }
}

#[test]
fn an_id_is_found_by_its_hex() {
    let session = session("hex");
    let key = format!("{:0>32}", "0a");
    let sql = format!("SELECT outcome FROM messages WHERE message_key = X'{key}'");
    assert_eq!(csv(&session.query(&sql).unwrap(), &["outcome"]), "delivered\n");
}

#[test]
fn formats_spell_ids_times_and_decimals_alike() {
    let session = session("formats");
    let sql = "SELECT message_key, outcome_time, latency_ms, carrier, \
               CAST('1.5' AS DECIMAL(18, 9)) AS amount, is_final \
               FROM messages WHERE revision = 12";
    let key = format!("{:0>32}", "0a");
    assert_eq!(
        text(&session, sql, OutputFormat::Json),
        format!(
            "{{\"message_key\":\"{key}\",\"outcome_time\":\"2026-01-01T00:00:01.500000Z\",\
             \"latency_ms\":1500,\"carrier\":null,\"amount\":\"1.500000000\",\
             \"is_final\":true}}\n"
        )
    );
    assert_eq!(
        text(&session, sql, OutputFormat::Csv),
        format!(
            "message_key,outcome_time,latency_ms,carrier,amount,is_final\n\
             {key},2026-01-01T00:00:01.500000Z,1500,,1.500000000,true\n"
        )
    );
    assert!(text(&session, sql, OutputFormat::Table).contains(&format!("| {key} | 2026-01-01T")));
    let mut out = Vec::new();
    assert_eq!(session.write(sql, OutputFormat::Arrow, &mut out).unwrap(), 1);
    let stream = arrow_ipc::reader::StreamReader::try_new(out.as_slice(), None).unwrap();
    assert_eq!(stream.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1);
    let lists = text(&session, "SELECT make_array(1, 2) AS l", OutputFormat::Csv);
    assert_eq!(lists, "l\n\"[1, 2]\"\n");
    assert_eq!(
        text(&session, "SELECT make_array(1, 2) AS l", OutputFormat::Json),
        "{\"l\":[1,2]}\n"
    );
}

#[test]
fn tables_without_rows_are_there_with_their_columns() {
    let session = Session::open(Vec::new()).unwrap();
    for table in schema::tables() {
        let found = text(&session, &format!("SELECT * FROM {}", table.name), OutputFormat::Csv);
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(found, format!("{}\n", names.join(",")), "{}", table.name);
    }
    assert!(text(&session, "SHOW TABLES", OutputFormat::Csv).contains("slo_windows_revisions"));
    assert!(text(&session, "DESCRIBE events", OutputFormat::Csv).contains("event_id"));
    assert!(text(&session, "EXPLAIN SELECT 1", OutputFormat::Csv).contains("plan"));
    assert!(text(&session, "SELECT 1 AS x WHERE false", OutputFormat::Table).contains('x'));
}

#[test]
fn whatever_is_no_query_is_refused_by_name() {
    let session = session("refused");
    let target = std::env::temp_dir().join("window-must-not-exist.parquet");
    let copy = format!("COPY (SELECT 1) TO '{}'", target.display());
    for (sql, found) in [
        ("INSERT INTO messages VALUES (1)", "INSERT"),
        ("UPDATE messages SET outcome = 'x'", "UPDATE"),
        ("DELETE FROM messages", "DELETE"),
        ("DROP TABLE messages", "DROP"),
        ("CREATE TABLE t AS SELECT 1", "CREATE"),
        ("CREATE VIEW v AS SELECT 1", "CREATE"),
        ("CREATE EXTERNAL TABLE e STORED AS PARQUET LOCATION '/etc'", "CREATE"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        (copy.as_str(), "COPY"),
        ("EXPLAIN ANALYZE INSERT INTO messages VALUES (1)", "INSERT"),
        ("EXPLAIN DROP TABLE messages", "DROP"),
        ("SELECT 1; DROP TABLE messages", "a list of 2"),
        ("", "an empty statement"),
    ] {
        let error = session.query(sql).unwrap_err();
        assert!(matches!(&error, WindowError::NotAQuery { .. }), "{sql}: {error:?}");
        assert!(error.to_string().starts_with(found), "{sql}: {error}");
        assert!(error.to_string().contains("SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE"));
    }
    assert!(!target.exists());
    for sql in ["SELECT * INTO t FROM messages", "SELEC 1", "SELECT * FROM '/etc/passwd'"] {
        assert!(session.query(sql).is_err(), "{sql}");
    }
    assert_eq!(session.query("SELECT 1").unwrap()[0].num_rows(), 1, "still works");
}

#[test]
fn decimals_and_hashes_of_events_survive() {
    let events = rows(
        &EVENTS.arrow(),
        r#"{"event_id":"01","message_key":"0a","price":"0.000000001","ingest_time":
            "2026-01-01T00:00:00Z","carrier":"x","segments":2}"#,
    );
    let source = TableSource {
        name: "events".to_owned(),
        schema: EVENTS.arrow(),
        parquet: vec![parquet(&directory("events"), "e.parquet", &events)],
        segments: vec![],
    };
    let session = Session::open(vec![source]).unwrap();
    let sql = "SELECT price, carrier, segments, topic FROM events";
    let expected = "price,carrier,segments,topic\n0.000000001,x,2,unknown\n";
    assert_eq!(text(&session, sql, OutputFormat::Csv), expected);
}

#[test]
fn batches_and_files_that_do_not_fit_are_errors_with_the_table_and_column() {
    let source = TableSource {
        name: "ledger".to_owned(),
        schema: LEDGER.arrow(),
        parquet: vec![],
        segments: vec![messages(FIRST)],
    };
    let error = Session::open(vec![source]).unwrap_err().to_string();
    assert!(error.contains("ledger") && error.contains("epoch"), "{error}");
    let missing = TableSource {
        name: "ledger".to_owned(),
        schema: LEDGER.arrow(),
        parquet: vec![PathBuf::from("/no/such/file.parquet")],
        segments: vec![],
    };
    let error = Session::open(vec![missing]).unwrap_err();
    assert!(matches!(error, WindowError::OpenTable { .. }), "{error:?}");
    let torn = directory("torn").join("torn.parquet");
    std::fs::write(&torn, b"PAR1").unwrap();
    let torn = TableSource {
        name: "ledger".to_owned(),
        schema: LEDGER.arrow(),
        parquet: vec![torn],
        segments: vec![],
    };
    let session = Session::open(vec![torn]);
    assert!(session.and_then(|session| session.query("SELECT * FROM ledger")).is_err());
}

#[test]
fn only_columns_asked_for_and_only_the_key_are_read() {
    let session = session("pruned");
    let sql = "EXPLAIN SELECT outcome FROM messages WHERE message_key = X'00'";
    let plan = text(&session, sql, OutputFormat::Csv);
    assert!(!plan.contains("error_code"), "{}", lines(&plan));
}

#[test]
fn every_row_is_in_exactly_one_part() {
    let charges = (0..40).map(|n| {
        let key = format!(r#""message_key":"{:02x}{}","#, n * 6, "0".repeat(30));
        let key = if n % 2 == 0 { key } else { String::new() };
        format!(r#"{{{key}"charge_id":"{:02x}{}","revision":1}}"#, 255 - n * 6, "f".repeat(30))
    });
    let windows = (0..40).map(|n| {
        format!(r#"{{"window_s":60,"window_start":"2026-01-01T00:{n:02}:00Z","revision":{n}}}"#)
    });
    let ledger = (0..40).map(|n| format!(r#"{{"epoch":{n},"topic":"t","partition":0}}"#));
    let table = |table: &schema::Table, lines: Vec<String>| TableSource {
        name: table.name.clone(),
        schema: table.arrow(),
        parquet: Vec::new(),
        segments: vec![rows(&table.arrow(), &lines.join("\n"))],
    };
    let tables = [
        table(&schema::CHARGES, charges.collect()),
        table(&schema::SLO_WINDOWS, windows.collect()),
        table(&LEDGER, ledger.collect()),
    ];
    for (by, name) in [
        (By::Keys, "charges_revisions"),
        (By::Windows, "slo_windows_revisions"),
        (By::Epochs, "ledger"),
    ] {
        let count = |part| {
            let session = Session::open_part(&tables, part).unwrap();
            let found = session.query(&format!("SELECT count(*) AS n FROM {name}")).unwrap();
            csv(&found, &["n"]).trim().parse::<usize>().unwrap()
        };
        for of in [1, 3] {
            let counts: Vec<usize> = Part::all(by, of).map(count).collect();
            assert_eq!(counts.iter().sum::<usize>(), 40, "{by:?}: {counts:?}");
            assert!(counts.iter().all(|n| *n > 0), "{by:?}: {counts:?}");
        }
    }
}

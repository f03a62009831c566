//! ClickHouse: tables made and grown, batches inserted with a token.
//!
//! ```text
//! batch of whole epochs ─► one INSERT … FORMAT ArrowStream, its token is job/table/n
//!                          │ answer lost? the same rows with the same token: no row twice,
//!                          └ and then the server is asked whether it has them (see `lost`)
//! ```
//! Invariants: a batch is one request, its rows and their order are the caller's and the same at
//! each try; nothing here decides what a batch is. The connection is tried by the caller too: this
//! module says only whether a failure is worth another try.

mod ddl;

mod error;

mod lost;

pub use ddl::{Layout, loaded, page};
pub use error::{ClickHouseError, Refusal};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use clickhouse::error::Error;
use clickhouse::{Client, Row};
use clickhouse_ext_arrow::ArrowClientExt;
use model::mutant::Mutant;
use model::schema::{self, Table};
use serde::Deserialize;

use crate::clickhouse::ddl::MIGRATIONS;

/// An insert or a statement that takes longer is tried again.
const PATIENCE: Duration = Duration::from_secs(120);

/// How to reach a server.
#[derive(Clone)]
pub struct Endpoint {
    /// `http://host:8123` or `https://…`.
    pub url: String,
    /// User.
    pub user: String,
    /// Password; empty for none.
    pub password: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).field("user", &self.user).finish()
    }
}

/// One server, or one server of a cluster.
#[derive(Debug)]
pub struct ClickHouse {
    client: Debugless<Client>,
    url: String,
    layout: Layout,
    runtime: tokio::runtime::Runtime,
    stop: Stop,
}

/// Set from outside when the process is to end, and how long a try may go on after that.
pub type Stop = (Arc<AtomicBool>, Duration);

/// The client has no `Debug` that hides its password.
struct Debugless<T>(T);

impl<T> std::fmt::Debug for Debugless<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("client")
    }
}

#[derive(Debug, Row, Deserialize)]
struct Version {
    version: u32,
}

#[derive(Debug, Row, Deserialize)]
struct Count {
    n: u64,
}

#[derive(Debug, Row, Deserialize)]
struct Named {
    name: String,
}

impl ClickHouse {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// Where the process cannot start another runtime.
    pub fn new(endpoint: &Endpoint, layout: Layout, stop: Stop) -> Result<Self, ClickHouseError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| ClickHouseError::Runtime { source })?;
        let client = Client::default()
            .with_url(&endpoint.url)
            .with_user(&endpoint.user)
            .with_password(&endpoint.password)
            .with_product_info("sendtally", env!("CARGO_PKG_VERSION"))
            // One block an insert where the server allows it, written before the answer.
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "1")
            // A materialized view behind a table must not count a retry again.
            .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1");
        Ok(Self { client: Debugless(client), url: endpoint.url.clone(), layout, runtime, stop })
    }

    /// Whether the server is there, knows the user, and has no tables of a newer build.
    ///
    /// # Errors
    /// Where it cannot be reached or refuses, or is of a newer version.
    pub fn check(&self) -> Result<(), ClickHouseError> {
        self.wait("log in to", async { self.client.0.query("SELECT 1").execute().await })?;
        match self.version() {
            Err(error) if error.is_unmade() => Ok(()),
            found => self.not_newer(found?),
        }
    }

    /// Makes the database, the tables and views, and adds columns of newer versions. Repeatable.
    /// `views` are (name, query).
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses, or is of a newer version.
    pub fn migrate(&self, views: &[(String, String)]) -> Result<(), ClickHouseError> {
        for statement in ddl::preparation(&self.layout) {
            self.execute(&statement, None)?;
        }
        let found = self.version()?;
        self.not_newer(found)?;
        let database = Some(self.layout.database.as_str());
        for version in found + 1..=schema::VERSION {
            for statement in ddl::migration(&self.layout, version) {
                self.execute(&statement, database)?;
            }
            let table = self.layout.qualified(MIGRATIONS);
            self.execute(&format!("INSERT INTO {table} (version) VALUES ({version})"), database)?;
        }
        self.retain()?;
        for (name, query) in views {
            self.execute(&ddl::view(&self.layout, name, query), database)?;
        }
        Ok(())
    }

    fn not_newer(&self, found: u32) -> Result<(), ClickHouseError> {
        let known = schema::VERSION;
        if found <= known {
            return Ok(());
        }
        Err(ClickHouseError::NewerSchema { url: self.url.clone(), found, known })
    }

    /// Newest version that was applied; 0 for a new database.
    fn version(&self) -> Result<u32, ClickHouseError> {
        let table = self.layout.qualified(MIGRATIONS);
        let query = format!("SELECT max(version) AS version FROM {table}");
        let asked = async { self.client.0.query(&query).fetch_one::<Version>().await };
        let row = self.wait("ask the version of the tables of", asked)?;
        Ok(row.version)
    }

    /// Makes the tables' TTL those of the configuration.
    fn retain(&self) -> Result<(), ClickHouseError> {
        let query = self.client.0.query(&ddl::limited()).bind(&self.layout.database);
        let asked = async { query.fetch_all::<Named>().await };
        let found = self.wait("ask for the TTL of tables of", asked)?;
        let limited: Vec<String> = found.into_iter().map(|table| table.name).collect();
        for statement in ddl::retention(&self.layout, &limited) {
            match self.execute(&statement, Some(&self.layout.database)) {
                // Another server of the cluster was first.
                Err(error) if error.lacks_ttl() => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn execute(&self, statement: &str, database: Option<&str>) -> Result<(), ClickHouseError> {
        let client = database.map_or_else(
            || self.client.0.clone(),
            |database| self.client.0.clone().with_database(database),
        );
        // The crate binds `?`; a statement has none to bind.
        let escaped = statement.replace('?', "??");
        let first = statement.lines().next().unwrap_or_default();
        tracing::debug!(statement = first, "ClickHouse");
        self.wait("prepare the tables of", async { client.query(&escaped).execute().await })
    }

    /// Inserts one batch. Repeating it with the same rows and token adds nothing.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses; whether it took the rows is unknown then.
    pub fn insert(
        &self,
        table: &str,
        token: &str,
        rows: &RecordBatch,
    ) -> Result<(), ClickHouseError> {
        let columns: Vec<String> =
            rows.schema().fields().iter().map(|field| format!("`{}`", field.name())).collect();
        let name = self.layout.qualified(table);
        let sql = format!("INSERT INTO {name} ({}) FORMAT ArrowStream", columns.join(", "));
        let rows = plain(rows)
            .map_err(|source| ClickHouseError::Rows { table: table.to_owned(), source })?;
        let n_rows = rows.num_rows().max(1).to_string();
        let mut client = self
            .client
            .0
            .clone()
            // A batch is one block: the token is one row of the server's window.
            .with_setting("max_insert_block_size", &n_rows)
            .with_setting("min_insert_block_size_rows", &n_rows)
            .with_setting("min_insert_block_size_bytes", "0");
        client = if Mutant::NoToken.lives() {
            // Without any the server compares contents, which are the same here.
            client.with_setting("insert_deduplication_token", once(token))
        } else {
            client.with_setting("insert_deduplication_token", token)
        };
        self.wait("insert into", async {
            let mut insert = client.insert_arrow_with(&sql);
            insert.write(&rows).await?;
            insert.end().await
        })
    }

    /// Rows of an insert that the server said to have and has not; `None` where it has all. To be
    /// asked after an insert that was repeated. Replicated tables are not asked: they commit token
    /// and part at once, and another replica may answer.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses.
    pub fn lost(
        &self,
        table: &Table,
        rows: &RecordBatch,
    ) -> Result<Option<RecordBatch>, ClickHouseError> {
        if self.layout.replicated {
            return Ok(None);
        }
        let odd = |source| ClickHouseError::Rows { table: table.name.clone(), source };
        let mut lost = Vec::new();
        for (condition, part) in lost::samples(table, rows).map_err(odd)? {
            let name = self.layout.qualified(&table.name);
            // The crate binds `?`; values are without any.
            let query = format!("SELECT count() AS n FROM {name} WHERE {condition}");
            let asked = async { self.client.0.query(&query).fetch_one::<Count>().await };
            if self.wait("look for rows in", asked)?.n == 0 {
                lost.push(part);
            }
        }
        lost::joined(&lost).map_err(odd)
    }

    fn wait<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ClickHouseError> {
        let limited = async {
            tokio::select! {
                done = work => done,
                () = tokio::time::sleep(PATIENCE) => Err(Error::TimedOut),
                () = stopped(&self.stop) => Err(Error::TimedOut),
            }
        };
        let done = self.runtime.block_on(limited);
        done.map_err(|source| ClickHouseError::Refused { what, url: self.url.clone(), source })
    }
}

/// Dictionaries as plain text: ClickHouse refuses a dictionary that has a value twice, as joined
/// batches do, and makes its own.
fn plain(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let text = matches!(column.data_type(), DataType::Dictionary(..));
        let kind = if text { DataType::Utf8 } else { column.data_type().clone() };
        columns.push(arrow_cast::cast(column, &kind)?);
        fields.push(Field::new(field.name(), kind, field.is_nullable()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Done when the process is to end and the grace is over.
async fn stopped((stop, grace): &Stop) {
    const LOOK: Duration = Duration::from_millis(100);
    let mut since = Duration::ZERO;
    while since < *grace {
        tokio::time::sleep(LOOK).await;
        if stop.load(Ordering::SeqCst) {
            since += LOOK;
        }
    }
}

/// A token that no repetition has: what [`Mutant::NoToken`] sends.
fn once(token: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SENT: AtomicU64 = AtomicU64::new(0);
    format!("{token}/{}/{}", std::process::id(), SENT.fetch_add(1, Ordering::Relaxed))
}

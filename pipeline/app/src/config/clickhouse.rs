//! `[clickhouse]`: where rows are loaded beside the files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use sink::clickhouse::{Endpoint, Layout};

use super::address::without_login;
use super::secret_line;
use crate::failure::{Failure, Outcome};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClickHouse {
    /// HTTP interface: `http://host:8123` or `https://host:8443`.
    url: String,
    /// Made where it is absent.
    #[serde(default = "default_database")]
    database: String,
    /// User.
    #[serde(default = "default_user")]
    user: String,
    /// File that holds the password; or SENDTALLY_CLICKHOUSE_PASSWORD; without both none is sent.
    password_file: Option<PathBuf>,
    /// Cluster on which tables are made.
    cluster: Option<String>,
    /// Replicated engines; the server's macros `{shard}` and `{replica}` have to be set.
    #[serde(default)]
    replicated: bool,
}

fn default_database() -> String {
    "sendtally".to_owned()
}

fn default_user() -> String {
    "default".to_owned()
}

/// Where and how rows are loaded.
#[derive(Debug, Clone)]
pub(crate) struct ClickHouseSettings {
    pub(crate) endpoint: Endpoint,
    pub(crate) layout: Layout,
}

/// The section, checked; `retention` in days by table.
pub(super) fn read(
    raw: RawClickHouse,
    retention: &BTreeMap<String, u32>,
) -> Outcome<ClickHouseSettings> {
    address(&raw.url)?;
    if !raw.url.starts_with("http://") && !raw.url.starts_with("https://") {
        return Err(Failure::usage("[clickhouse] url needs http://HOST:8123 or https://HOST:8443"));
    }
    let from_file = raw.password_file.as_deref();
    let from_file = from_file.map(|file| secret_line("[clickhouse] password_file", file));
    let from_environment = || std::env::var("SENDTALLY_CLICKHOUSE_PASSWORD").ok();
    let password = from_file.transpose()?.or_else(from_environment).unwrap_or_default();
    let mut layout = Layout::single(&raw.database);
    layout.cluster = raw.cluster;
    layout.replicated = raw.replicated;
    layout.ttl_days.clone_from(retention);
    let endpoint = Endpoint { url: raw.url, user: raw.user, password };
    Ok(ClickHouseSettings { endpoint, layout })
}

/// Refuses a login, which the interface would take as parameters too.
fn address(url: &str) -> Outcome<()> {
    let instead = "the user belongs into [clickhouse] user, the password into the file of \
                   password_file or into SENDTALLY_CLICKHOUSE_PASSWORD";
    without_login("[clickhouse] url", url, instead)?;
    if url.contains('?') {
        return Err(Failure::usage(format!("[clickhouse] url has parameters: {instead}")));
    }
    Ok(())
}

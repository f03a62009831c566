//! `[data]`: where the data directory is kept instead of the disk.

use std::path::PathBuf;

use commit::{Credentials, StoreSettings};
use serde::Deserialize;

use super::secret_line;
use crate::failure::{Failure, Outcome};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawData {
    /// `s3://BUCKET/PREFIX`.
    store: Option<String>,
    /// `https://HOST:PORT`; or AWS_ENDPOINT_URL; without both Amazon's.
    endpoint: Option<String>,
    /// Region; or AWS_REGION; else `us-east-1`.
    region: Option<String>,
    /// An endpoint `http://…` is meant; or AWS_ALLOW_HTTP=true.
    #[serde(default)]
    allow_http: bool,
    /// File whose two lines are the access key id and the secret access key; or AWS_ACCESS_KEY_ID
    /// and AWS_SECRET_ACCESS_KEY.
    credentials_file: Option<PathBuf>,
}

/// The store, where one is named.
pub(super) fn read(raw: RawData) -> Outcome<Option<StoreSettings>> {
    let Some(url) = raw.store else {
        if raw.endpoint.or(raw.region).is_some() || raw.credentials_file.is_some() {
            return Err(Failure::usage("[data] names no `store`: give s3://BUCKET/PREFIX"));
        }
        return Ok(None);
    };
    let credentials = raw.credentials_file.as_deref().map(|file| -> Outcome<Credentials> {
        let key = "[data] credentials_file";
        let text = secret_line(key, file)?;
        let mut lines = text.lines().map(str::trim);
        match (lines.next(), lines.next(), lines.next()) {
            (Some(key_id), Some(secret), None) if !key_id.is_empty() && !secret.is_empty() => {
                Ok(Credentials { key_id: key_id.to_owned(), secret: secret.to_owned() })
            }
            _ => Err(Failure::usage(format!(
                "{key} {} has to be two lines: access key id, secret access key",
                file.display()
            ))),
        }
    });
    let settings = StoreSettings {
        url,
        endpoint: raw.endpoint,
        region: raw.region,
        allow_http: raw.allow_http,
        credentials: credentials.transpose()?,
    };
    settings.check()?;
    Ok(Some(settings))
}

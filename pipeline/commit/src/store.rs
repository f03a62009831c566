//! Which object store: its address, how to reach it, and who one is.
//!
//! ```text
//! s3://BUCKET/PREFIX   endpoint, region and credentials as configured, else the AWS_* variables
//! ```
//! Secrets stand in files or in the environment; nothing here prints them.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use crate::CommitError;

/// A connection that is not there by then counts as failed.
const CONNECT: Duration = Duration::from_secs(3);
/// A request of at most one part (8 MiB) takes no longer: 3.5 Mbit/s.
const REQUEST: Duration = Duration::from_secs(20);
/// Tries of one request after the first, and how long they may take together: less than what a
/// standby waits for, so that an owner soon knows that it is cut off.
const RETRIES: (usize, Duration) = (10, Duration::from_secs(4));
/// Longest rest between two of them.
const REST: Duration = Duration::from_millis(800);

/// A key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key id.
    pub key_id: String,
    /// Secret access key.
    pub secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.key_id)
    }
}

/// Where a data directory is kept. What is `None` is taken from the `AWS_*` variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// `s3://BUCKET/PREFIX`.
    pub url: String,
    /// `https://HOST:PORT` of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// Region; `us-east-1` where nothing names one.
    pub region: Option<String>,
    /// An endpoint `http://…` is no mistake.
    pub allow_http: bool,
    /// Who one is.
    pub credentials: Option<Credentials>,
}

impl StoreSettings {
    /// A store at this address, everything else from the environment.
    #[must_use]
    pub fn at(url: &str) -> Self {
        let url = url.to_owned();
        Self { url, endpoint: None, region: None, allow_http: false, credentials: None }
    }

    /// Refuses what is no address of a store, or holds a login.
    ///
    /// # Errors
    /// The address or the endpoint cannot be used. A login is not shown.
    pub fn check(&self) -> Result<(), CommitError> {
        // A key may hold any sign: one `@` anywhere is enough.
        if self.url.contains('@') {
            return Err(CommitError::StoreLogin { what: "the address ([data] store, --store)" });
        }
        if self.shown_endpoint().contains('@') {
            let what = "the endpoint ([data] endpoint, AWS_ENDPOINT_URL)";
            return Err(CommitError::StoreLogin { what });
        }
        self.place().map(drop)
    }

    /// Bucket and prefix; the prefix has no slash at its ends and may be empty.
    pub(crate) fn place(&self) -> Result<(&str, &str), CommitError> {
        let wrong = || CommitError::StoreUrl { url: self.url.clone() };
        let rest = self.url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=".contains(c);
        let hole = prefix.split('/').any(|part| matches!(part, "." | ".."));
        let good = !bucket.is_empty() && prefix.chars().all(plain) && !hole;
        if good && !prefix.contains("//") { Ok((bucket, prefix)) } else { Err(wrong()) }
    }

    /// Where requests go, for messages.
    pub(crate) fn shown_endpoint(&self) -> String {
        let variable = |name: &str| std::env::var(name).ok();
        let named = self.endpoint.clone();
        let named = named.or_else(|| variable("AWS_ENDPOINT_URL_S3"));
        let named = named.or_else(|| variable("AWS_ENDPOINT_URL"));
        named.or_else(|| variable("AWS_ENDPOINT")).unwrap_or_else(|| "Amazon S3".to_owned())
    }

    pub(crate) fn client(&self) -> Result<Arc<dyn ObjectStore>, CommitError> {
        let (bucket, _) = self.place()?;
        let allowed = self.allow_http
            || std::env::var("AWS_ALLOW_HTTP").is_ok_and(|word| word.eq_ignore_ascii_case("true"));
        let endpoint = self.shown_endpoint();
        if endpoint.starts_with("http://") && !allowed {
            return Err(CommitError::PlainHttp { endpoint });
        }
        let options = ClientOptions::new()
            .with_allow_http(allowed)
            .with_connect_timeout(CONNECT)
            .with_timeout(REQUEST);
        let mut builder = AmazonS3Builder::from_env()
            .with_client_options(options)
            .with_bucket_name(bucket)
            .with_retry(RetryConfig {
                backoff: BackoffConfig { max_backoff: REST, ..BackoffConfig::default() },
                max_retries: RETRIES.0,
                retry_timeout: RETRIES.1,
            });
        if let Some(endpoint) = &self.endpoint {
            let key = object_store::aws::AmazonS3ConfigKey::S3Endpoint;
            builder = builder.with_config(key, endpoint.clone());
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region.clone());
        }
        if let Some(Credentials { key_id, secret }) = &self.credentials {
            builder = builder.with_access_key_id(key_id.clone());
            builder = builder.with_secret_access_key(secret.clone());
        }
        let client = builder.build().map_err(|source| CommitError::Refused {
            store: self.url.clone(),
            what: "open",
            source: Box::new(source),
        })?;
        Ok(Arc::new(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_bucket_and_prefix() {
        let place = |url: &str| StoreSettings::at(url).place().map(|(b, p)| format!("{b} {p}"));
        assert_eq!(place("s3://bucket/a/b/").unwrap(), "bucket a/b");
        assert_eq!(place("s3://bucket").unwrap(), "bucket ");
        for wrong in ["bucket/a", "s3:///a", "s3://b/a//c", "s3://b/../a", "s3://b/a b", "gs://b/a"]
        {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_login_in_an_address_is_refused_and_not_shown() {
        let mut endpoint = StoreSettings::at("s3://bucket/p");
        assert!(endpoint.check().is_ok());
        endpoint.endpoint = Some("https://AKIA:hidden@host".to_owned());
        let urls = ["s3://AKIA:hidden@b/p", "AKIA:hidden@b", "s3://AKIA:hid/den@b/p"];
        for settings in urls.map(StoreSettings::at).into_iter().chain([endpoint]) {
            let refused = settings.check().unwrap_err();
            assert_eq!(refused.domain(), model::fault::Domain::Usage);
            let told = refused.to_string();
            assert!(!told.contains("hid") && told.contains("credentials_file"), "{told}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let mut settings = StoreSettings::at("s3://bucket");
        let (key_id, secret) = ("id".to_owned(), "hidden".to_owned());
        settings.credentials = Some(Credentials { key_id, secret });
        assert!(!format!("{settings:?}").contains("hidden"));
    }
}

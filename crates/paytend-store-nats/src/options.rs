//! The settings of a store, and the function that opens it.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_nats::Client;
use paytend_inbox::StoreError;

use crate::clock::Clock;
use crate::connect::{Access, Servers, connect};
use crate::error::configuration;
use crate::store::NatsStore;

const MAX_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Settings of a [`NatsStore`].
///
/// ```no_run
/// use paytend_store_nats::NatsOptions;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = NatsOptions::from_url("tls://nats-1.example.com,tls://nats-2.example.com")?
///     .credentials_file("inbox.creds")
///     .system_url(&std::env::var("NATS_SYSTEM_URL")?)?
///     .open()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct NatsOptions {
    servers: Servers,
    access: Access,
    system_servers: Option<Servers>,
    system_credentials_file: Option<PathBuf>,
    pub(crate) name: String,
    pub(crate) replicas: usize,
    pub(crate) operation_timeout: Duration,
    pub(crate) danger_any_settings: bool,
    pub(crate) clock: Clock,
}

impl NatsOptions {
    /// Reads the URL of one or more servers, separated by commas, such as `tls://user:password@host:4222`.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the URL is invalid. The error does not contain the URL.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            servers: Servers::parse(url)?,
            access: Access::default(),
            system_servers: None,
            system_credentials_file: None,
            name: "paytend".to_owned(),
            replicas: 3,
            operation_timeout: Duration::from_secs(4),
            danger_any_settings: false,
            clock: Clock::server(),
        })
    }

    /// Returns whether the URL contains a password or a token.
    pub fn has_login(&self) -> bool {
        self.servers.has_login()
    }

    /// Returns the servers' hosts and ports, without credentials.
    pub fn hosts(&self) -> Vec<String> {
        self.servers.hosts()
    }

    /// Sets the credentials file of the account that holds the streams.
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.access.credentials_file = Some(path.into());
        self
    }

    /// Sets a PEM file with the certificates of the authorities that are trusted to issue the servers' certificates. By
    /// default, the authorities that the operating system trusts are used.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.access.ca_file = Some(path.into());
        self
    }

    /// Sets PEM files with the certificate chain and the private key of this client, for servers that require a client
    /// certificate. The files are read when the store is opened.
    pub fn client_certificate(mut self, certificate_file: impl Into<PathBuf>, key_file: impl Into<PathBuf>) -> Self {
        self.access.identity = Some((certificate_file.into(), key_file.into()));
        self
    }

    /// Sets the URL for a login to the system account. The servers report `sync_interval` only to this account.
    ///
    /// The user needs only the permissions to publish to `$SYS.REQ.SERVER.PING.JSZ` and to subscribe to `_INBOX.>`.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the URL is invalid. The error does not contain the URL.
    pub fn system_url(mut self, url: &str) -> Result<Self, StoreError> {
        self.system_servers = Some(Servers::parse(url)?);
        Ok(self)
    }

    /// Sets the credentials file of the system account. It is used to log in to the servers in
    /// [`system_url`](Self::system_url) or, if no such URL is set, to the store's servers.
    pub fn system_credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.system_credentials_file = Some(path.into());
        self
    }

    /// Sets the name of the store (default `paytend`), which is the prefix of its streams and subjects. Stores in the
    /// same account must have different names.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the name is empty, has more than 64 characters, or contains characters other than
    /// letters, digits, `-` and `_`.
    pub fn name(mut self, name: &str) -> Result<Self, StoreError> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(valid) {
            return Err(configuration("invalid store name: use up to 64 letters, digits, `-` and `_`"));
        }
        name.clone_into(&mut self.name);
        Ok(self)
    }

    /// Sets the number of replicas of new streams (default 3). Fewer than 3 replicas are refused, because the loss of
    /// one server could then lose acknowledged notifications.
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// Sets the time limit for one operation (default 4 s, at most one day). It includes retries while the servers are
    /// electing a leader.
    pub fn operation_timeout(mut self, time: Duration) -> Self {
        self.operation_timeout = time.min(MAX_TIMEOUT);
        self
    }

    /// Accepts servers and streams that **can lose acknowledged notifications**, such as old versions, the default
    /// `sync_interval`, fewer than 3 replicas, or streams in memory. This option is intended for tests.
    pub fn danger_any_settings(mut self) -> Self {
        self.danger_any_settings = true;
        self
    }

    /// Sets the clock. This option is intended for tests. The default is the clock of the server that leads the stream.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::custom(clock);
        self
    }

    /// Connects, checks the servers, and creates the streams if they do not exist.
    ///
    /// TLS is used, and the server's certificate is verified, if at least one of these conditions is met:
    ///
    /// - a URL begins with `tls://`,
    /// - a server is not on this machine,
    /// - the server requires TLS.
    ///
    /// # Errors
    /// - Returns [`StoreError`] if no server is reachable, the login is refused, a file cannot be read, or the
    ///   certificate of a server is not trusted.
    /// - Returns [`StoreError`] if the servers or the streams can lose acknowledged notifications, or if the settings
    ///   cannot be checked because no login to the system account is set.
    pub async fn open(self) -> Result<NatsStore, StoreError> {
        NatsStore::open(self).await
    }

    /// Returns a description of each option that is unsafe for new streams.
    pub(crate) fn problems(&self) -> Vec<String> {
        if self.replicas >= 3 { Vec::new() } else { vec!["the streams must have 3 or more replicas".to_owned()] }
    }

    pub(crate) async fn connect(&self) -> Result<Client, StoreError> {
        connect(&self.servers, &self.access, self.operation_timeout).await
    }

    /// Connects to the system account. Returns `None` if no login is set.
    pub(crate) async fn connect_system(&self) -> Result<Option<Client>, StoreError> {
        if self.system_servers.is_none() && self.system_credentials_file.is_none() {
            return Ok(None);
        }
        let servers = self.system_servers.as_ref().unwrap_or(&self.servers);
        let access = Access { credentials_file: self.system_credentials_file.clone(), ..self.access.clone() };
        connect(servers, &access, self.operation_timeout).await.map(Some)
    }
}

impl fmt::Debug for NatsOptions {
    /// Formats the options without the URLs, which can contain passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("name", &self.name)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

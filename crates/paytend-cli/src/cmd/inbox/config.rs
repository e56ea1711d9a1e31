//! The configuration file of `paytend inbox serve`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_webhook::server::{Budget, Endpoint};
use paytend_webhook::{Receiver, RequestFilter, ScheduledKey, Sources};
use serde::{Deserialize, Deserializer};

use crate::cmd::inbox::nats::NatsSettings;
use crate::cmd::inbox::store::may_contain_password;
use crate::cmd::inbox::time::{parse_duration, parse_time};
use crate::exit::{Category, Failure};

/// The settings in the file. Options on the command line take precedence.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The name or URL of the store. The URL can contain a password.
    pub(crate) store: Option<String>,
    /// A file that contains the name or URL of the store.
    pub(crate) store_file: Option<PathBuf>,
    pub(crate) store_key: Option<PathBuf>,
    pub(crate) keys: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    /// The provider for each path, in the same form as in `--route`.
    pub(crate) routes: BTreeMap<String, String>,
    pub(crate) forward_to: Option<String>,
    pub(crate) forward_secret_file: Option<PathBuf>,
    /// The number of notifications that are forwarded at the same time. The default is 16.
    pub(crate) handlers: Option<NonZeroUsize>,
    /// How long the content of processed notifications is kept.
    pub(crate) retention: Option<Span>,
    /// The kinds of notifications whose duplicates are also forwarded.
    pub(crate) requeue_sightings: Vec<String>,
    /// Whether the `/audit` page shows operator actions. All users of this machine can open the page.
    pub(crate) audit_page: bool,
    pub(crate) tls: Option<Tls>,
    /// The credentials for NATS servers.
    pub(crate) nats: NatsSettings,
    pub(crate) gate: Gate,
    /// Additional keys for verification or decryption, besides the keys in the key directory.
    pub(crate) key: Vec<DatedKey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The file with the certificate chain, in PEM format.
    pub(crate) certificate_file: PathBuf,
    /// The file with the private key, in PEM format.
    pub(crate) private_key_file: PathBuf,
}

/// The known addresses of senders and proxies, and the limits on requests.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gate {
    /// Addresses or networks of the providers. The `listed` limits apply to their requests. Requests from other
    /// addresses are not refused, and the `other` limits apply to them.
    pub(crate) allow_source: Vec<String>,
    /// Addresses or networks of proxies whose `X-Forwarded-For` is trusted. Other peers are refused if the service
    /// listens without TLS on an address that is not loopback.
    pub(crate) trusted_proxy: Vec<String>,
    listed: Option<Limits>,
    other: Option<Limits>,
    body_timeout: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    max_concurrent: Option<usize>,
    max_waiting: Option<usize>,
    max_bytes: Option<usize>,
    queue_timeout: Option<Span>,
}

/// An additional key with an optional validity period.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatedKey {
    pub(crate) role: KeyRole,
    pub(crate) file: PathBuf,
    not_before: Option<Time>,
    retire_at: Option<Time>,
}

/// The role of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyRole {
    /// The partner's private key.
    Partner,
    /// Paytend's public key.
    Paytend,
    /// PayBy's public key.
    Payby,
    /// PayerMax's public key.
    Payermax,
}

/// A duration such as `30s` or `90 days`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("invalid duration; examples: 90s, 15h, 30 days"))
    }
}

/// A time such as `2026-12-01T00:00:00Z`, in quotes.
#[derive(Clone, Copy, Debug)]
struct Time(SystemTime);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_time(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("invalid time; an example is \"2026-12-01T00:00:00Z\""))
    }
}

impl Config {
    /// Reads the file. Relative paths in the file are resolved from its directory. If the file contains a password, its
    /// permissions are checked.
    pub(crate) fn read(path: &Path, permissions: FilePermissions) -> Result<Self, Failure> {
        let invalid = |error: &dyn std::fmt::Display| {
            Failure::new(Category::Configuration, format!("{}: {error}", path.display()))
        };
        let mut file = File::open(path).map_err(|error| invalid(&error))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| invalid(&error))?;
        // The message contains only the line number, because the parser's full text quotes lines, and a line can
        // contain a password.
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            invalid(&format!("line {line}: {}", error.message()))
        })?;
        if config.store.as_deref().is_some_and(may_contain_password) && permissions == FilePermissions::OwnerOnly {
            require_owner_only(path, &file)?;
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        let relative =
            [&mut config.store_file, &mut config.store_key, &mut config.keys, &mut config.forward_secret_file];
        let tls = config.tls.as_mut().map(|tls| [&mut tls.certificate_file, &mut tls.private_key_file]);
        let keys = config.key.iter_mut().map(|key| &mut key.file);
        let nats = config.nats.files();
        for path in relative.into_iter().flatten().chain(tls.into_iter().flatten()).chain(keys).chain(nats) {
            *path = directory.join(&*path);
        }
        if let Some(file) = &config.store_file {
            config.store = Some(read_store(file, permissions)?);
        }
        Ok(config)
    }
}

/// Reads a file that contains the URL of a store.
pub(crate) fn read_store(path: &Path, permissions: FilePermissions) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Category::Configuration, format!("cannot read {}: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut store = String::new();
    file.read_to_string(&mut store).map_err(failed)?;
    let store = store.trim();
    if may_contain_password(store) && permissions == FilePermissions::OwnerOnly {
        require_owner_only(path, &file)?;
    }
    Ok(store.to_owned())
}

impl DatedKey {
    /// Sets the validity period of a key.
    pub(crate) fn schedule<K: ?Sized>(&self, mut key: ScheduledKey<K>) -> ScheduledKey<K> {
        if let Some(time) = self.not_before {
            key = key.not_before(time.0);
        }
        if let Some(time) = self.retire_at {
            key = key.retire_at(time.0);
        }
        key
    }
}

impl Gate {
    /// Applies the address lists and limits to an endpoint.
    pub(crate) fn apply<R: Receiver>(&self, mut endpoint: Endpoint<R>) -> Result<Endpoint<R>, Failure> {
        if !self.allow_source.is_empty() || !self.trusted_proxy.is_empty() {
            let sources = Sources::new()
                .allow(self.allow_source.iter().map(String::as_str))
                .and_then(|sources| sources.trusted_proxies(self.trusted_proxy.iter().map(String::as_str)))
                .map_err(|error| Failure::new(Category::Configuration, error))?;
            endpoint = endpoint.filter(RequestFilter::new().sources(sources));
        }
        if let Some(Span(time)) = self.body_timeout {
            endpoint = endpoint.body_timeout(time);
        }
        if let Some(limits) = &self.listed {
            endpoint = endpoint.listed_budget(limits.budget());
        }
        if let Some(limits) = &self.other {
            endpoint = endpoint.other_budget(limits.budget());
        }
        Ok(endpoint)
    }
}

impl Limits {
    fn budget(&self) -> Budget {
        let mut budget = Budget::new();
        if let Some(count) = self.max_concurrent {
            budget = budget.max_concurrent(count);
        }
        if let Some(count) = self.max_waiting {
            budget = budget.max_waiting(count);
        }
        if let Some(count) = self.max_bytes {
            budget = budget.max_bytes(count);
        }
        if let Some(Span(time)) = self.queue_timeout {
            budget = budget.queue_timeout(time);
        }
        budget
    }
}

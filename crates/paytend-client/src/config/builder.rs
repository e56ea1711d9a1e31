//! The client builder. [`ClientBuilder::build`] reports all configuration errors.

mod connection;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderValue;
use paytend_crypto::{Keyring, Kind, OsRandom, RandomSource};
use tokio::sync::Semaphore;

use super::checks::{check_partner, checked_states, order_states_by_path, parse_base_url, paths, response_names};
use super::environment::Environment;
use super::http;
#[cfg(feature = "config")]
use super::keys::KeyMaterial;
use crate::call::events::EventListener;
use crate::call::limits::{Limits, Rate};
use crate::call::shared::Shared;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::policy::order_states::OrderStates;
use crate::policy::resolution::Resolution;
use crate::policy::retry::RetryPolicy;
use crate::transport::exchange::Transport;
use crate::transport::http::HttpTransport;

/// A builder for a [`Client`]. Each method's documentation states the default.
#[must_use]
pub struct ClientBuilder {
    environment: Environment,
    partner_id: String,
    keyring: Result<Keyring, Error>,
    /// The keys in `keyring`, if this crate read them from a file or from environment variables.
    #[cfg(feature = "config")]
    key_material: Option<KeyMaterial>,
    http: http::Options,
    transport: TransportChoice,
    attempt_timeout: Duration,
    deadline: Duration,
    retry: RetryPolicy,
    resolution: Resolution,
    paths: Vec<(String, String)>,
    response_names: Vec<(String, Vec<String>)>,
    order_states: OrderStates,
    order_states_of: Vec<(String, OrderStates)>,
    user_agent: String,
    max_response_bytes: usize,
    at_once: Option<usize>,
    rate: Option<(u32, Duration)>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
    events: Option<Arc<dyn EventListener>>,
}

/// The transport that sends the requests.
enum TransportChoice {
    /// An HTTP client created from the options.
    Own,
    Given(Box<dyn Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync>),
    Other(Arc<dyn Transport>),
}

impl ClientBuilder {
    pub(crate) fn new(environment: Environment, partner_id: String, keyring: Keyring) -> Self {
        Self::start(environment, partner_id, Ok(keyring))
    }

    fn start(environment: Environment, partner_id: String, keyring: Result<Keyring, Error>) -> Self {
        Self {
            environment,
            partner_id,
            keyring,
            #[cfg(feature = "config")]
            key_material: None,
            http: http::Options::default(),
            transport: TransportChoice::Own,
            attempt_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            resolution: Resolution::default(),
            paths: Vec::new(),
            response_names: Vec::new(),
            order_states: OrderStates::default(),
            order_states_of: Vec::new(),
            user_agent: concat!("paytend-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_response_bytes: Kind::Response.default_max_bytes(),
            at_once: None,
            rate: None,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(OsRandom),
            events: None,
        }
    }

    /// Creates a builder without keys and without a partner ID, for [`http_client_builder`](Self::http_client_builder).
    ///
    /// [`build`](Self::build) returns an error until [`keyring`](Self::keyring) and [`partner_id`](Self::partner_id)
    /// are called.
    pub fn without_keys(environment: Environment) -> Self {
        Self::start(environment, String::new(), Err(Error::configuration("no keys are set; call keyring()")))
    }

    /// Replaces the builder's initial environment.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Replaces the builder's initial partner ID.
    pub fn partner_id(mut self, partner_id: impl Into<String>) -> Self {
        self.partner_id = partner_id.into();
        self
    }

    /// Replaces the builder's initial keys.
    pub fn keyring(mut self, keyring: Keyring) -> Self {
        #[cfg(feature = "config")]
        {
            self.key_material = None;
        }
        self.keyring = Ok(keyring);
        self
    }

    #[cfg(feature = "config")]
    pub(super) fn key_material(mut self, keys: KeyMaterial) -> Self {
        self.key_material = Some(keys);
        self
    }

    #[cfg(feature = "config")]
    pub(super) fn read_keys(&self) -> Option<&KeyMaterial> {
        self.key_material.as_ref()
    }

    /// Sets the keyring, or the error that `build` returns because the keyring cannot be created.
    #[cfg(feature = "config")]
    pub(super) fn with_keyring(mut self, keyring: Result<Keyring, Error>) -> Self {
        self.keyring = keyring;
        self
    }

    /// Sets the timeout for establishing a connection (default 10 s).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.http.connect_timeout = Some(timeout);
        self
    }

    /// Sets the timeout for an attempt, from the connection to the end of the response (default 30 s).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Sets the deadline for a call (default 60 s). It covers all attempts, backoff, and the time spent waiting for the
    /// concurrency and rate limits.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the policy for retrying failed attempts.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets how [`Client::resolve`] handles orders with an unknown outcome.
    pub fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// Sets an operation's path. The operation is identified by its name (`getCardOverdueMonthlyFee`, `baas.getCities`)
    /// or by its default path. Some default paths are inferred and may be wrong; correct them here according to the
    /// partner's documents.
    pub fn path(mut self, operation: impl Into<String>, path: impl Into<String>) -> Self {
        self.paths.push((operation.into(), path.into()));
        self
    }

    /// Sets the fields, by wire name, that are compared between an operation's request and its response. The operation
    /// is identified as in [`path`](Self::path). Unknown paths are allowed.
    ///
    /// The default fields are `orderNo`, `cardId`, `holderId` and `userId`. If both request and response have such a
    /// field, the values must be equal. A response to a request with an `orderNo` must have an `orderNo`, if the
    /// operation has response data. The presence of these fields in responses is inferred.
    ///
    /// If your documents specify different fields, set those fields instead. If a request contains a field that is set
    /// here, its response must contain it too. If no fields are set, only TLS ties a response to its request.
    pub fn response_names<N: Into<String>>(
        mut self,
        operation: impl Into<String>,
        fields: impl IntoIterator<Item = N>,
    ) -> Self {
        self.response_names.push((operation.into(), fields.into_iter().map(Into::into).collect()));
        self
    }

    /// Sets which status codes mean that an order is processing, has succeeded or has failed. By default no codes are
    /// set, so every status is [`Unknown`](crate::OrderState::Unknown).
    pub fn order_states(mut self, states: OrderStates) -> Self {
        self.order_states = states;
        self
    }

    /// Sets the meanings of status codes for one operation's orders. The operation is identified as in
    /// [`path`](Self::path). See [`order_states`](Self::order_states).
    pub fn order_states_of(mut self, operation: impl Into<String>, states: OrderStates) -> Self {
        self.order_states_of.push((operation.into(), states));
        self
    }

    /// Sets the concurrency limit: the maximum number of requests in flight, across all clones (default: no limit).
    /// Additional requests wait for a free slot, at most until their deadline.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.at_once = Some(requests);
        self
    }

    /// Sets the rate limit: the maximum number of requests that may start in any window of length `per`, across all
    /// clones (default: no limit). The limit is exact only if the system wakes waiting tasks on time.
    ///
    /// Additional requests wait for their turn, at most until their deadline. A call fails immediately if the calls
    /// ahead of it leave no time before its deadline, even though some of those calls may be cancelled.
    pub fn rate_limit(mut self, requests: u32, per: Duration) -> Self {
        self.rate = Some((requests, per));
        self
    }

    /// Sets the listener for call events, for metrics and alerts.
    pub fn events(mut self, events: impl EventListener) -> Self {
        self.events = Some(Arc::new(events));
        self
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the random source for the backoff jitter, for tests.
    pub fn jitter(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.random = random;
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) if
    /// - the base URL is invalid, or uses plain HTTP to another machine;
    /// - the keyring cannot seal or cannot open messages;
    /// - the partner ID is empty or cannot be sealed;
    /// - a header, path, proxy or certificate is invalid;
    /// - a timeout or a limit is zero.
    pub fn build(self) -> Result<Client, Error> {
        let base_url = parse_base_url(self.environment.url()).map_err(Error::configuration)?;
        let keyring = self.keyring?;
        check_partner(&self.partner_id, &keyring)?;
        if self.attempt_timeout.is_zero() || self.deadline.is_zero() {
            return Err(Error::configuration("attempt_timeout and deadline must be greater than zero"));
        }
        if self.at_once == Some(0) || self.rate.is_some_and(|(requests, per)| requests == 0 || per.is_zero()) {
            return Err(Error::configuration(
                "max_in_flight and rate_limit must allow at least one request in a period greater than zero",
            ));
        }
        if self.at_once.is_some_and(|most| most > Semaphore::MAX_PERMITS) {
            return Err(Error::configuration("max_in_flight is too large; use a smaller limit"));
        }
        if self.max_response_bytes == 0 {
            return Err(Error::configuration("max_response_bytes must be greater than zero"));
        }
        let user_agent = HeaderValue::from_str(&self.user_agent).map_err(|_| {
            Error::configuration(
                "user_agent contains characters that are invalid in a header; use only printable ASCII",
            )
        })?;
        let unmade = |error: reqwest::Error| Error::configuration(error.without_url());
        let transport: Arc<dyn Transport> = match self.transport {
            TransportChoice::Own => Arc::new(HttpTransport::new(self.http.maker(&base_url)?).map_err(unmade)?),
            TransportChoice::Given(make) if self.http.is_default() => {
                Arc::new(HttpTransport::new(make).map_err(unmade)?)
            }
            TransportChoice::Other(transport) if self.http.is_default() => transport,
            TransportChoice::Given(_) | TransportChoice::Other(_) => {
                return Err(Error::configuration(
                    "TLS, pool or proxy options are set, but the custom client or transport would ignore them; \
                     remove these options",
                ));
            }
        };
        let shared = Shared {
            base_url,
            partner_id: self.partner_id,
            keyring,
            paths: Arc::new(paths(self.paths)?),
            response_names: Arc::new(response_names(self.response_names)?),
            order_states: Arc::new(checked_states("all operations", self.order_states)?),
            order_states_by_path: Arc::new(order_states_by_path(self.order_states_of)?),
            user_agent,
            max_response_bytes: self.max_response_bytes,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
            retry: self.retry,
            resolution: self.resolution,
            limits: Arc::new(Limits {
                at_once: self.at_once.map(Semaphore::new),
                rate: self.rate.map(|(requests, per)| Rate::new(requests, per)),
            }),
            transport,
            clock: self.clock,
            random: self.random,
            events: self.events,
        };
        Ok(Client { shared: Arc::new(shared) })
    }
}

impl Client {
    /// Returns a client builder for this partner.
    ///
    /// `keyring` contains the partner's private key and Paytend's public key.
    pub fn builder(environment: Environment, partner_id: impl Into<String>, keyring: Keyring) -> ClientBuilder {
        ClientBuilder::new(environment, partner_id.into(), keyring)
    }

    /// Creates a client for another partner. It shares this client's connections, limits and configuration.
    ///
    /// # Errors
    /// Returns an error of kind [`Configuration`](crate::ErrorKind::Configuration) if the partner ID or the keyring is
    /// invalid.
    pub fn for_partner(&self, partner_id: impl Into<String>, keyring: Keyring) -> Result<Self, Error> {
        let partner_id = partner_id.into();
        check_partner(&partner_id, &keyring)?;
        Ok(Self { shared: Arc::new(Shared { partner_id, keyring, ..Shared::clone(&self.shared) }) })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("environment", &self.environment).finish_non_exhaustive()
    }
}

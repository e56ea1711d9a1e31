//! How a client is made. Every mistake is reported by [`Builder::build`].

mod checks;
#[cfg(feature = "config")]
mod file;
mod http;
#[cfg(feature = "config")]
mod keys;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderValue;
use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{Keyring, Kind, OsRandom, RandomSource};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub(crate) use self::checks::check_partner;
use self::checks::{checked_states, order_states_by_path, parse_base_url, paths, response_names};
use crate::clock::{Clock, SystemClock};
use crate::engine::Core;
use crate::events::Events;
use crate::limits::{Limits, Rate};
use crate::order::OrderStates;
use crate::resolution::Resolution;
use crate::retry::RetryPolicy;
use crate::transport::{HttpTransport, Transport};
use crate::{Client, Error};

/// The sandbox's base URL. Source: the provider's published sandbox demo.
const SANDBOX: &str = "https://sandbox-api.paytend.com";

/// Which Paytend to talk to.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The provider's sandbox, `https://sandbox-api.paytend.com`.
    Sandbox,
    /// Another base URL: production's comes with the contract; a sandbox of your own says its own.
    BaseUrl(String),
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox => f.write_str("Sandbox"),
            // Credentials in it are refused by `build`, and shown by nobody.
            Self::BaseUrl(url) if url.contains('@') => f.write_str("BaseUrl(_)"),
            Self::BaseUrl(url) => f.debug_tuple("BaseUrl").field(url).finish(),
        }
    }
}

/// Builds a [`Client`]. What is not set has the default that its method names.
#[must_use]
pub struct Builder {
    environment: Environment,
    partner_id: String,
    keyring: Keyring,
    http: http::Options,
    carrier: Carrier,
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
    events: Option<Arc<dyn Events>>,
}

/// What carries requests.
enum Carrier {
    /// A client made from the options.
    Own,
    Given(Box<dyn Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync>),
    Other(Arc<dyn Transport>),
}

impl Builder {
    pub(crate) fn new(environment: Environment, partner_id: String, keyring: Keyring) -> Self {
        Self {
            environment,
            partner_id,
            keyring,
            http: http::Options::default(),
            carrier: Carrier::Own,
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

    /// How long making a connection may take (default 10 s).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.http.connect_timeout = Some(timeout);
        self
    }

    /// How long one attempt may take, from the connection to the end of the answer (default 30 s).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How long a call may take in all: its attempts, the waits between them, and waiting for its turn (default 60 s).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// When a failed attempt is followed by another one.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How [`Client::resolve`] resolves unknown outcomes.
    pub fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// Another path for an operation, by its name (`getCardOverdueMonthlyFee`, `baas.getCities`) or its path here. Inferred paths are guesses
    /// until the partner's documents say so: this is where they are set right.
    pub fn path(mut self, operation: impl Into<String>, path: impl Into<String>) -> Self {
        self.paths.push((operation.into(), path.into()));
        self
    }

    /// Sets the fields by which a response of an operation is tied to its request, by wire name. The operation is named as for
    /// [`path`](Self::path); a path that this workspace does not know is allowed.
    ///
    /// By default these are `orderNo`, `cardId`, `holderId` and `userId`, of which a response must have the values of the
    /// request wherever both have the field; and a response to a request with an `orderNo` must have one, if the operation has
    /// response data. That responses name these things is inferred. If your documents say otherwise, set what they say: fields
    /// that are set here are required in each response whose request has them. With no field at all, a response rests on TLS
    /// alone.
    pub fn response_names<N: Into<String>>(
        mut self,
        operation: impl Into<String>,
        fields: impl IntoIterator<Item = N>,
    ) -> Self {
        self.response_names.push((operation.into(), fields.into_iter().map(Into::into).collect()));
        self
    }

    /// Sets which status codes mean that an order is processing, has succeeded or has failed (default: none, so every status is
    /// [`Unknown`](crate::OrderState::Unknown)).
    pub fn order_states(mut self, states: OrderStates) -> Self {
        self.order_states = states;
        self
    }

    /// As [`order_states`](Self::order_states), for the orders of one operation, named as for [`path`](Self::path).
    pub fn order_states_of(mut self, operation: impl Into<String>, states: OrderStates) -> Self {
        self.order_states_of.push((operation.into(), states));
        self
    }

    /// The `User-Agent` header.
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// The largest answer that is read, in bytes (default 4 MiB).
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// The proxy to go through: `http://`, `https://`, `socks4://`, `socks5://` or `socks5h://`, with credentials if it needs them. Without one,
    /// that of the environment is used (`HTTPS_PROXY`, `https_proxy`, `ALL_PROXY`, `all_proxy`, the first that is set; but for the hosts of
    /// `NO_PROXY`), and a wrong one there is an error too. A plain-HTTP base URL, which is on the machine itself, is reached without.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http.proxy = http::ProxyChoice::Given(url.into());
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.http.proxy = http::ProxyChoice::None;
        self
    }

    /// Further root certificates to trust, PEM.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http.roots.push(pem.into());
        self
    }

    /// Sets the certificate that the client shows to a server which asks for one (mTLS), and its private key: both PEM,
    /// one after the other.
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.http.identity = Some(http::IdentitySource::Pem(Zeroizing::new(pem.into())));
        self
    }

    /// Sets the certificate and its private key to those in a file, which is read by [`build`](Self::build). On Unix,
    /// the file is refused if its group or others have access to it, unless
    /// [`danger_any_permissions`](Self::danger_any_permissions) accepts it.
    pub fn client_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.identity = Some(http::IdentitySource::File(path.into()));
        self
    }

    /// Sets whether a file with a private key is accepted although others than its owner have access to it (default:
    /// no). For secrets that a container platform mounts with a mode such as 0440 or 0444. The environment variable
    /// `PAYTEND_DANGER_ANY_PERMISSIONS=1` does the same for the whole program.
    pub fn danger_any_permissions(mut self, accepted: bool) -> Self {
        self.http.permissions = if accepted { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly };
        self
    }

    /// How long an idle connection is kept for the next call (default 90 s).
    pub fn pool_idle_timeout(mut self, timeout: Duration) -> Self {
        self.http.pool_idle_timeout = Some(timeout);
        self
    }

    /// How many idle connections are kept (default: no limit).
    pub fn pool_max_idle(mut self, connections: usize) -> Self {
        self.http.pool_max_idle = Some(connections);
        self
    }

    /// Sets a function that makes the reqwest client, for options that this builder does not have. It is called by
    /// [`build`](Self::build), and again after a response that did not belong to its request: then none of the connections so
    /// far is used again, and reqwest can only drop them all. It must build a new client each time: clones of one share their
    /// connections.
    ///
    /// Redirects, retries and proxies are the function's to switch off. No option of TLS, pool or proxy may be set beside it.
    pub fn http_client(
        mut self,
        make: impl Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync + 'static,
    ) -> Self {
        self.carrier = Carrier::Given(Box::new(make));
        self
    }

    /// Another way for requests to travel.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.carrier = Carrier::Other(transport);
        self
    }

    /// The most requests under way at once, over all clones (default: no limit). Others wait for their turn, within their deadline.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.at_once = Some(requests);
        self
    }

    /// The most requests that may begin in any window of such a time, over all clones (default: no limit), as far as the system wakes those
    /// who wait in time. Others wait for their turn, within their deadline. A call fails at once if those that wait before it leave no time
    /// for it, though some of them may give up.
    pub fn rate_limit(mut self, requests: u32, per: Duration) -> Self {
        self.rate = Some((requests, per));
        self
    }

    /// Told what happens to calls.
    pub fn events(mut self, events: impl Events) -> Self {
        self.events = Some(Arc::new(events));
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of the jitter between attempts, for tests.
    pub fn jitter(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.random = random;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// Of kind [`Configuration`](crate::ErrorKind::Configuration), with the mistake: a base URL that is no URL, or is plain HTTP to another
    /// machine; a keyring that cannot seal or cannot open; a partner identifier that is empty or could not be sealed; a header, path, proxy
    /// or certificate that is none; a time or a limit of zero.
    pub fn build(self) -> Result<Client, Error> {
        let base = match &self.environment {
            Environment::Sandbox => SANDBOX,
            Environment::BaseUrl(url) => url,
        };
        let base_url = parse_base_url(base).map_err(Error::configuration)?;
        check_partner(&self.partner_id, &self.keyring)?;
        if self.attempt_timeout.is_zero() || self.deadline.is_zero() {
            return Err(Error::configuration("a timeout or deadline of zero leaves no time for anything"));
        }
        if self.at_once == Some(0) || self.rate.is_some_and(|(requests, per)| requests == 0 || per.is_zero()) {
            return Err(Error::configuration("a limit of zero requests, or of requests in no time, lets none through"));
        }
        if self.at_once.is_some_and(|most| most > Semaphore::MAX_PERMITS) {
            return Err(Error::configuration("max_in_flight is larger than can be counted"));
        }
        if self.max_response_bytes == 0 {
            return Err(Error::configuration("a limit of zero bytes lets no answer through"));
        }
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| Error::configuration("the user agent has characters that no header may have"))?;
        let unmade = |error: reqwest::Error| Error::configuration(error.without_url());
        let transport: Arc<dyn Transport> = match self.carrier {
            Carrier::Own => Arc::new(HttpTransport::new(self.http.maker(&base_url)?).map_err(unmade)?),
            Carrier::Given(make) if self.http.is_default() => Arc::new(HttpTransport::new(make).map_err(unmade)?),
            Carrier::Other(transport) if self.http.is_default() => transport,
            Carrier::Given(_) | Carrier::Other(_) => {
                return Err(Error::configuration(
                    "options of TLS, pool or proxy are set beside a client or transport of your own, which would ignore them",
                ));
            }
        };
        let core = Core {
            base_url,
            partner_id: self.partner_id,
            keyring: self.keyring,
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
        Ok(Client { core: Arc::new(core) })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("environment", &self.environment).finish_non_exhaustive()
    }
}

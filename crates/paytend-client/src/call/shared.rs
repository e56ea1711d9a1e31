//! The state shared by the clones of a client, and the options of one call.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::HeaderValue;
use paytend_crypto::{Keyring, RandomSource, RequestId};
use tokio::sync::SemaphorePermit;

use crate::call::events::EventListener;
use crate::call::limits::Limits;
use crate::call::prepared::Sealer;
use crate::call::subject::Subject;
use crate::call_target::CallTarget;
use crate::clock::Clock;
use crate::error::Error;
use crate::error::kind::Outcome;
use crate::error::time_limit::TimeLimit;
use crate::policy::order_states::OrderStates;
use crate::policy::resolution::Resolution;
use crate::policy::retry::RetryPolicy;
use crate::transport::body::Progress;
use crate::transport::exchange::Transport;

/// The state shared by the clones of a client.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) base_url: String,
    pub(crate) partner_id: String,
    pub(crate) keyring: Keyring,
    pub(crate) paths: Arc<std::collections::HashMap<String, String>>,
    /// The fields configured for comparing a response with its request, keyed by the operation's default path.
    pub(crate) response_names: Arc<std::collections::HashMap<String, Vec<String>>>,
    pub(crate) order_states: Arc<OrderStates>,
    /// Order states configured for individual operations, keyed by the operation's default path.
    pub(crate) order_states_by_path: Arc<std::collections::HashMap<String, OrderStates>>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) max_response_bytes: usize,
    pub(crate) attempt_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) resolution: Resolution,
    pub(crate) limits: Arc<Limits>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
    pub(crate) events: Option<Arc<dyn EventListener>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("partner_id", &self.partner_id)
            .field("keyring", &self.keyring)
            .finish_non_exhaustive()
    }
}

/// The options of one call that override the client's configuration.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) request_id: Option<RequestId>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) idempotent: bool,
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) trace_parent: Option<HeaderValue>,
    pub(crate) progress: Option<Progress>,
    /// Whether the request must be sent on a connection that has not been used before.
    pub(crate) fresh_connection: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// The start and the deadline of a call. All requests in the call share them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) start: Duration,
    pub(crate) limit: Duration,
}

/// A permit to send one request, released on drop.
#[derive(Debug)]
pub(crate) struct Permit<'p> {
    _place: Option<SemaphorePermit<'p>>,
}

impl Shared {
    pub(crate) fn start_deadline(&self, options: &Options) -> Deadline {
        Deadline { start: self.clock.now(), limit: options.deadline.unwrap_or(self.deadline) }
    }

    pub(crate) fn elapsed(&self, deadline: Deadline) -> Duration {
        self.clock.now().saturating_sub(deadline.start)
    }

    /// Returns the time left until the call's deadline; `None` if the deadline has expired.
    pub(crate) fn left(&self, deadline: Deadline) -> Option<Duration> {
        deadline.limit.checked_sub(self.elapsed(deadline)).filter(|left| !left.is_zero())
    }

    /// Waits until the limits allow a request.
    ///
    /// # Errors
    /// Returns an error with the outcome [`Outcome::NotSent`] if the deadline expires first.
    pub(crate) async fn permit(&self, deadline: Deadline) -> Result<Permit<'_>, Error> {
        let late = |reached: TimeLimit| Error::late(reached).with_outcome(Outcome::NotSent);
        let limit = deadline.limit;
        let place = match &self.limits.at_once {
            None => None,
            Some(places) => {
                let left = self.left(deadline).ok_or_else(|| late(TimeLimit::Deadline(limit)))?;
                let waited = self.within(left, places.acquire()).await;
                Some(waited.ok_or_else(|| late(TimeLimit::Concurrency(limit)))?)
            }
        };
        if let Some(rate) = &self.limits.rate {
            let left = self.left(deadline).ok_or_else(|| late(TimeLimit::Deadline(limit)))?;
            if !rate.acquire(&*self.clock, left).await {
                return Err(late(TimeLimit::Rate(limit)));
            }
        }
        Ok(Permit { _place: place.and_then(Result::ok) })
    }

    pub(crate) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        // If the random source fails, the wait is zero and the call continues.
        let _ = self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Waits for a future, up to a time limit. Returns `None` if the limit expires first.
    pub(crate) async fn within<T>(&self, limit: Duration, what: impl Future<Output = T>) -> Option<T> {
        match select(std::pin::pin!(what), self.clock.sleep(limit)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    pub(crate) fn sealer<'s>(&'s self, target: &CallTarget, extra: &'s [(String, String)]) -> Sealer<'s> {
        Sealer { keyring: &self.keyring, partner_id: &self.partner_id, rule: target.payload, extra }
    }

    /// Returns the identifiers in a request that its response must match.
    pub(crate) fn subject(&self, target: &CallTarget, payload: &str) -> Subject {
        let configured = self.response_names.get(target.path.as_ref()).map(Vec::as_slice);
        match configured {
            // The response fields of an undocumented path are unknown, so nothing is compared.
            None if !target.is_known => Subject::default(),
            configured => Subject::of(payload, configured, target.has_response),
        }
    }

    /// Returns the order states of the operation with this default path.
    pub(crate) fn order_states_of(&self, path: &str) -> &OrderStates {
        self.order_states_by_path.get(path).unwrap_or(&self.order_states)
    }

    pub(crate) fn url(&self, target: &CallTarget) -> String {
        let path = self.paths.get(target.path.as_ref()).map_or(target.path.as_ref(), String::as_str);
        format!("{}{path}", self.base_url)
    }
}

//! Resolves an order whose response was lost: queries the order first, and sends it again only if it does not exist.

use std::time::Duration;

use paytend_model::Operation;
use paytend_model::issuing::{
    ApplyCard, CardApplyResponse, QueryApplyResult, QueryTopupResult, Topup, TopupResponse, TopupResultResponse,
};

use crate::call::request::{Request, call};
use crate::call::response::Response;
use crate::call::shared::{Deadline, Shared};
use crate::call::subject::Subject;
use crate::call::{Call, response};
use crate::call_target::CallTarget;
use crate::client::Client;
use crate::error::Error;
use crate::error::kind::{ErrorKind, Outcome, is_transient};
use crate::error::time_limit::TimeLimit;
use crate::policy::order_states::OrderState;

/// A mutation with an order number, and the query that reports the order's state.
pub trait Resolvable: Operation {
    /// The query that reports the order's state.
    type Query: Operation;

    /// Returns the query for the same order.
    fn query(&self) -> Self::Query;

    /// Returns the status code in the mutation's response.
    ///
    /// The default implementation returns `None`, for responses without data.
    fn status_of_response(_: &Self::Response) -> Option<&str> {
        None
    }

    /// Returns the status code in the query's response.
    fn status_of_query(response: &<Self::Query as Operation>::Response) -> Option<&str>;
}

impl Resolvable for Topup {
    type Query = QueryTopupResult;

    fn query(&self) -> QueryTopupResult {
        QueryTopupResult::new(self.order_no.clone())
    }

    fn status_of_response(response: &TopupResponse) -> Option<&str> {
        response.status.as_deref()
    }

    fn status_of_query(response: &TopupResultResponse) -> Option<&str> {
        response.status.as_deref()
    }
}

impl Resolvable for ApplyCard {
    type Query = QueryApplyResult;

    fn query(&self) -> QueryApplyResult {
        let mut query = QueryApplyResult::new(self.order_no.clone());
        query.holder_id.clone_from(&self.holder_id);
        query
    }

    fn status_of_query(response: &CardApplyResponse) -> Option<&str> {
        response.status.as_deref()
    }
}

/// An order that exists at the provider. **[`state`](Self::state) reports whether it succeeded.**
#[derive(Debug)]
pub enum Resolved<O: Resolvable> {
    /// The response to the mutation arrived.
    #[non_exhaustive]
    Responded {
        /// The mutation's response. A response without data, such as an `ApplyCard` response, contains no order number,
        /// so only TLS ensures that it belongs to this order.
        response: O::Response,
        /// The order's state.
        state: OrderState,
    },
    /// The response was lost or was a rejection, and the query found an order with this number. Compare its other
    /// fields if another program may use the same order number.
    #[non_exhaustive]
    Found {
        /// The query's response.
        order: <O::Query as Operation>::Response,
        /// The order's state.
        state: OrderState,
    },
}

impl<O: Resolvable> Resolved<O> {
    /// Returns the order's state, according to
    /// [`ClientBuilder::order_states`](crate::ClientBuilder::order_states).
    ///
    /// ```no_run
    /// # use paytend_client::{Client, Error, OrderState};
    /// # async fn example(client: &Client, topup: &paytend_model::issuing::Topup) -> Result<(), Error> {
    /// let resolved = client.resolve(topup).await?;
    /// if *resolved.state() == OrderState::Succeeded {
    ///     println!("the money is on the card");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn state(&self) -> &OrderState {
        match self {
            Self::Responded { state, .. } | Self::Found { state, .. } => state,
        }
    }
}

impl Client {
    /// Sends an order, and determines its state with a query if the response is lost.
    ///
    /// The identical request is sent again only after the query has reported that no such order exists.
    /// [`Resolution`](crate::Resolution) sets the required number of confirmations and the settle time.
    ///
    /// The order is also queried after a rejection. A code such as "duplicate" means that an order with this number
    /// exists. The rejection may also belong to another order that used the same connection.
    ///
    /// One deadline covers the whole process. It should be longer than for an ordinary call; set it with
    /// [`Request::deadline`] and call [`Request::resolve`]. An order that exists may still fail: see
    /// [`Resolved::state`] and [`send_and_wait`](Self::send_and_wait).
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use paytend_client::{Client, OrderState, Outcome};
    /// # async fn example(client: &Client, topup: &paytend_model::issuing::Topup) {
    /// match client.request(topup).deadline(Duration::from_secs(120)).resolve().await {
    ///     Ok(resolved) => match resolved.state() {
    ///         OrderState::Succeeded => println!("the money is on the card"),
    ///         OrderState::Failed => println!("the order failed"),
    ///         state => println!("the order exists, with state {state}"),
    ///     },
    ///     Err(error) if error.outcome() == Outcome::Unknown => println!("keep the order number: {error}"),
    ///     Err(error) => println!("rejected with code {:?}, or not sent: {error}", error.api_code()),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error with the outcome
    /// - [`NotSent`](Outcome::NotSent) if the request was never sent in full;
    /// - [`Rejected`](Outcome::Rejected) if the request was rejected, and the query confirmed that no such order
    ///   exists, as [`Resolution`](crate::Resolution) requires. Without configured
    ///   [codes](crate::Resolution::unknown_order_codes), this outcome is never returned;
    /// - [`Unknown`](Outcome::Unknown) in every other case.
    pub async fn resolve<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.request(order).resolve().await
    }

    /// Sends an order as [`resolve`](Self::resolve) does, then queries it until its state is final or the deadline
    /// expires.
    ///
    /// # Errors
    /// Returns the same errors as [`resolve`](Self::resolve). An order that is not final at the deadline is not an
    /// error: [`Resolved::state`] returns its last known state.
    pub async fn send_and_wait<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.request(order).send_and_wait().await
    }
}

impl<O: Resolvable> Request<'_, O> {
    /// Sends and resolves an order, like [`Client::resolve`], with the options of this request.
    ///
    /// # Errors
    /// Returns the same errors as [`Client::resolve`].
    pub async fn resolve(self) -> Result<Resolved<O>, Error> {
        self.resolve_within(self.shared.start_deadline(&self.options)).await.map(|(resolved, _)| resolved)
    }

    /// Sends an order and waits for its final state, like [`Client::send_and_wait`], with the options of this request.
    ///
    /// # Errors
    /// Returns the same errors as [`Client::send_and_wait`].
    pub async fn send_and_wait(self) -> Result<Resolved<O>, Error> {
        let deadline = self.shared.start_deadline(&self.options);
        let (mut resolved, named) = self.resolve_within(deadline).await?;
        // Only a final state that the query reports counts, because the meaning of the status in the response to the
        // order is only inferred, not documented.
        let mut wait = if resolved.state().is_final() { Duration::ZERO } else { self.shared.resolution.poll() };
        while !matches!(resolved, Resolved::Found { .. }) || !resolved.state().is_final() {
            if self.shared.left(deadline).is_none_or(|left| left <= wait) {
                break;
            }
            if !wait.is_zero() {
                self.shared.clock.sleep(wait).await;
            }
            wait = self.shared.resolution.poll();
            let Some(left) = self.shared.left(deadline) else { break };
            match self.ask(left, &named).await {
                Ok(order) => resolved = self.found(order.into_data()),
                Err(error) if is_transient(error.kind(), error.http_status(), error.connect_failure()) => {}
                // The query failed permanently. The order exists, so its last known state is returned instead of an
                // error. The event listener still receives the failure.
                Err(_) => break,
            }
        }
        Ok(resolved)
    }

    /// Resolves the order, and also returns the identifiers that a query's response must match.
    async fn resolve_within(&self, deadline: Deadline) -> Result<(Resolved<O>, Subject), Error> {
        let target = CallTarget::from(&O::INFO);
        let (shared, options) = (self.shared, &self.options);
        let (request_id, payload) = self.payload(&target)?;
        let first = call(shared, &target, options, request_id, payload)?;
        let named = self.named_by_query(&first.subject);
        // The error of the first send. The order may exist although its first send failed.
        let mut doubt: Option<Error> = None;
        for send in 1.. {
            let again = Call {
                shared,
                target: &target,
                options,
                request_id: first.request_id.clone(),
                document: first.document.clone(),
                payload: None,
                subject: first.subject.clone(),
                doubtful: doubt.is_some(),
            };
            let error = match again.run(deadline, response::data).await {
                Ok(response) => {
                    let response = response.into_data();
                    let state = state::<O>(shared, O::status_of_response(&response));
                    return Ok((Resolved::Responded { response, state }, named));
                }
                Err(error) => error,
            };
            // Nothing was sent, so there is nothing to query.
            if error.outcome() == Outcome::NotSent {
                return Err(error);
            }
            let found = self.poll_order(deadline, &named).await;
            if error.kind() == ErrorKind::Rejected && matches!(found, Ok(Some(_))) {
                // The order exists, so the rejection may belong to an earlier request. Later responses on this
                // connection may then also belong to earlier requests.
                shared.transport.discard_connections();
            }
            // After a signed response (a rejection, or a success that cannot be parsed) the request is not sent again.
            let signed = matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Data);
            let error = match doubt.take() {
                Some(first) if !signed => first,
                _ => error,
            };
            match found {
                Ok(Some(found)) => return Ok((self.found(found), named)),
                Ok(None) if signed || send >= shared.resolution.allowed_sends() || shared.left(deadline).is_none() => {
                    return Err(error);
                }
                Ok(None) => doubt = Some(error),
                // The query did not confirm that no such order exists, so a rejection is not final.
                Err(problem) => return Err(error.with_outcome(Outcome::Unknown).caused_by(problem)),
            }
        }
        Err(Error::late(TimeLimit::Deadline(deadline.limit)))
    }

    fn found(&self, order: <O::Query as Operation>::Response) -> Resolved<O> {
        let state = state::<O>(self.shared, O::status_of_query(&order));
        Resolved::Found { order, state }
    }

    /// Returns the order's identifiers. Each identifier that the query's response contains must be equal to the
    /// order's, because an order with the same number but a different card is a different order. Returns no identifiers
    /// if `response_names` is set for the query, because then only the fields set there are compared.
    pub(crate) fn named_by_query(&self, order: &Subject) -> Subject {
        let configured = self.shared.response_names.contains_key(<O::Query as Operation>::INFO.path);
        if configured { Subject::default() } else { order.optional() }
    }

    /// Queries the order once, on a new connection.
    pub(crate) async fn ask(&self, limit: Duration, named: &Subject) -> Result<QueryResponse<O>, Error> {
        let query = self.operation.query();
        let response = self.sibling(&query).deadline(limit).fresh_connection().send().await?;
        let same = named.check(response.opened().payload_bytes());
        let query = CallTarget::from(&O::Query::INFO);
        same.map_err(|mismatch| {
            Error::new(ErrorKind::Mismatch).caused_by(mismatch).during(&query, response.request_id())
        })?;
        Ok(response)
    }

    /// Polls the order until it is found or confirmed to be unknown. [`Resolution`](crate::Resolution) sets the number
    /// of confirmations and the settle time.
    async fn poll_order(
        &self,
        deadline: Deadline,
        named: &Subject,
    ) -> Result<Option<<O::Query as Operation>::Response>, Error> {
        let shared = self.shared;
        let mut unknown = 0;
        // The time of the first "unknown order" response in the current uninterrupted series.
        let mut since = Duration::ZERO;
        for attempt in 1.. {
            let left = shared.left(deadline).ok_or_else(|| Error::late(TimeLimit::Deadline(deadline.limit)))?;
            let error = match self.ask(left, named).await {
                Ok(order) => return Ok(Some(order.into_data())),
                Err(error) => error,
            };
            if shared.resolution.is_unknown_order(&error) {
                if unknown == 0 {
                    since = shared.clock.now();
                }
                unknown += 1;
                if shared.resolution.is_enough(unknown, shared.clock.now().saturating_sub(since)) {
                    return Ok(None);
                }
            } else if !is_transient(error.kind(), error.http_status(), error.connect_failure()) {
                return Err(error);
            } else {
                unknown = 0;
            }
            let wait = shared.retry.wait(attempt, shared.random()).max(shared.resolution.pause());
            if shared.left(deadline).is_none_or(|left| wait >= left) {
                return Err(error);
            }
            shared.clock.sleep(wait).await;
        }
        Err(Error::late(TimeLimit::Deadline(deadline.limit)))
    }
}

/// The response to an order query.
pub(crate) type QueryResponse<O> = Response<<<O as Resolvable>::Query as Operation>::Response>;

/// Returns the state for a status code of this operation.
pub(crate) fn state<O: Operation>(shared: &Shared, code: Option<&str>) -> OrderState {
    shared.order_states_of(O::INFO.path).state(code)
}

//! Finding out what became of an order whose response was lost, before anything is sent again.

use std::time::Duration;

use paytend_model::Operation;
use paytend_model::issuing::{
    ApplyCard, CardApplyResponse, QueryApplyResult, QueryTopupResult, Topup, TopupResponse, TopupResultResponse,
};

use crate::Client;
use crate::answer;
use crate::engine::{Core, Span};
use crate::error::{Error, ErrorKind, Outcome};
use crate::job::Job;
use crate::order::OrderState;
use crate::request::{Request, job};
use crate::retry::may_pass;
use crate::subject::Subject;
use crate::target::Target;
use crate::time_limit::TimeLimit;

/// A mutation with an order number, and the query that reports what became of the order.
pub trait Resolvable: Operation {
    /// The query.
    type Query: Operation;

    /// Returns the query for the same order.
    fn query(&self) -> Self::Query;

    /// Returns the status code in the mutation's own response. The default is none, for responses without data.
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

/// What became of an order: it stands. **Whether it succeeded is its [`state`](Self::state).**
#[derive(Debug)]
pub enum Resolved<O: Resolvable> {
    /// The response arrived.
    #[non_exhaustive]
    Answered {
        /// The mutation's response. One without data, such as that of `ApplyCard`, names no order: that it is this order's
        /// rests on TLS alone.
        response: O::Response,
        /// The order's state.
        state: OrderState,
    },
    /// The response was lost, or was a refusal, and the query found an order of this number. Compare its other fields if
    /// another program may use the same number.
    #[non_exhaustive]
    Found {
        /// The query's response.
        order: <O::Query as Operation>::Response,
        /// The order's state.
        state: OrderState,
    },
}

impl<O: Resolvable> Resolved<O> {
    /// Returns the order's state, by the codes of [`Builder::order_states`](crate::Builder::order_states).
    pub fn state(&self) -> &OrderState {
        match self {
            Self::Answered { state, .. } | Self::Found { state, .. } => state,
        }
    }
}

impl Client {
    /// Sends an order, and finds out what became of it if the response is lost: it queries for the same order number, and sends
    /// the very same request again only after the query has reported, as often and as long as
    /// [`Resolution`](crate::Resolution) asks, that there is no such order.
    ///
    /// A refusal is looked up in the same way: "duplicate" means that an order of this number stands, and a refusal of another
    /// order may arrive on this order's connection.
    ///
    /// All of it is within one deadline, which should be longer than that of an ordinary call: [`Request::resolve`] takes one.
    /// An order that stands may still fail: see [`Resolved::state`], and [`send_and_wait`](Self::send_and_wait).
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use paytend_client::{Client, OrderState, Outcome};
    /// # async fn example(client: &Client, topup: &paytend_model::issuing::Topup) {
    /// match client.request(topup).deadline(Duration::from_secs(120)).resolve().await {
    ///     Ok(resolved) => match resolved.state() {
    ///         OrderState::Succeeded => println!("the money is on the card"),
    ///         OrderState::Failed => println!("the order failed"),
    ///         state => println!("the order stands: {state}"),
    ///     },
    ///     Err(error) if error.outcome() == Outcome::Unknown => println!("keep the order number and ask later: {error}"),
    ///     Err(error) => println!("refused, with code {:?}, or not sent: {error}", error.api_code()),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error with the outcome
    /// - [`NotSent`](Outcome::NotSent) if the request never arrived;
    /// - [`Rejected`](Outcome::Rejected) if it was refused, and the query reported no such order for as long as after a lost
    ///   response, which takes configured [codes](crate::Resolution::unknown_order_codes);
    /// - [`Unknown`](Outcome::Unknown) in every other case.
    pub async fn resolve<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.request(order).resolve().await
    }

    /// Sends an order as [`resolve`](Self::resolve) does, and queries until its state is final or the deadline is over.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve). An order that stands and is not final at the deadline is not an error: its
    /// [`state`](Resolved::state) says so.
    pub async fn send_and_wait<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.request(order).send_and_wait().await
    }
}

impl<O: Resolvable> Request<'_, O> {
    /// As [`Client::resolve`], with these options.
    ///
    /// # Errors
    /// As [`Client::resolve`].
    pub async fn resolve(self) -> Result<Resolved<O>, Error> {
        self.resolve_within(self.core.span(&self.options)).await.map(|(resolved, _)| resolved)
    }

    /// As [`Client::send_and_wait`], with these options.
    ///
    /// # Errors
    /// As [`Client::send_and_wait`].
    pub async fn send_and_wait(self) -> Result<Resolved<O>, Error> {
        let span = self.core.span(&self.options);
        let (mut resolved, named) = self.resolve_within(span).await?;
        // A final state counts if the query reports it: what the status of the mutation's own response means is inferred.
        let mut wait = if resolved.state().is_final() { Duration::ZERO } else { self.core.resolution.poll() };
        while !matches!(resolved, Resolved::Found { .. }) || !resolved.state().is_final() {
            if self.core.left(span).is_none_or(|left| left <= wait) {
                break;
            }
            if !wait.is_zero() {
                self.core.clock.sleep(wait).await;
            }
            wait = self.core.resolution.poll();
            let Some(left) = self.core.left(span) else { break };
            match self.ask(left, &named).await {
                Ok(order) => resolved = self.found(order),
                Err(error) if may_pass(error.kind(), error.http_status(), error.connect_failure()) => {}
                // The order stands all the same; the observer is told why it cannot be queried.
                Err(_) => break,
            }
        }
        Ok(resolved)
    }

    /// Resolves the order, and returns what it names as well.
    async fn resolve_within(&self, span: Span) -> Result<(Resolved<O>, Subject), Error> {
        let target = Target::from(&O::INFO);
        let (core, options) = (self.core, &self.options);
        let (request_id, payload) = self.payload(&target)?;
        let first = job(core, &target, options, request_id, payload)?;
        let named = self.named_by_query(&first.subject);
        // The first error after which the order may stand.
        let mut doubt: Option<Error> = None;
        for send in 1.. {
            let again = Job {
                core,
                target: &target,
                options,
                request_id: first.request_id.clone(),
                document: first.document.clone(),
                payload: None,
                subject: first.subject.clone(),
                doubtful: doubt.is_some(),
            };
            let error = match again.run(span, answer::data).await {
                Ok(answer) => {
                    let response = answer.into_data();
                    let state = state::<O>(core, O::status_of_response(&response));
                    return Ok((Resolved::Answered { response, state }, named));
                }
                Err(error) => error,
            };
            // Nothing has arrived, so there is nothing to find.
            if error.outcome() == Outcome::NotSent {
                return Err(error);
            }
            let looked = self.look(span, &named).await;
            if error.kind() == ErrorKind::Rejected && matches!(looked, Ok(Some(_))) {
                // It may have been the refusal of another order: then this connection is out of step.
                core.transport.discard_connections();
            }
            // After a signed response to this request, be it a refusal or a success that cannot be read, it is not sent again.
            let signed = matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Data);
            let error = match doubt.take() {
                Some(first) if !signed => first,
                _ => error,
            };
            match looked {
                Ok(Some(found)) => return Ok((self.found(found), named)),
                Ok(None) if signed || send >= core.resolution.max_sends() || core.left(span).is_none() => {
                    return Err(error);
                }
                Ok(None) => doubt = Some(error),
                // The query did not say that there is no such order, so a refusal does not prove it either.
                Err(problem) => return Err(error.with_outcome(Outcome::Unknown).caused_by(problem)),
            }
        }
        Err(Error::late(TimeLimit::Deadline(span.deadline)))
    }

    fn found(&self, order: <O::Query as Operation>::Response) -> Resolved<O> {
        let state = state::<O>(self.core, O::status_of_query(&order));
        Resolved::Found { order, state }
    }

    /// What a query's response must have in common with the order, where it has it: an order of this number for another card is
    /// not this order. What is configured for the query is all that counts for the query.
    fn named_by_query(&self, order: &Subject) -> Subject {
        let configured = self.core.response_names.contains_key(<O::Query as Operation>::INFO.path);
        if configured { Subject::default() } else { order.optional() }
    }

    /// Queries for the order once, on a connection that carried no other request.
    async fn ask(&self, limit: Duration, named: &Subject) -> Result<<O::Query as Operation>::Response, Error> {
        let query = self.operation.query();
        let answer = self.sibling(&query).deadline(limit).fresh_connection().send().await?;
        let same = named.check(answer.opened().payload_bytes());
        same.map_err(|mismatch| Error::new(ErrorKind::Mismatch).caused_by(mismatch))?;
        Ok(answer.into_data())
    }

    /// Queries for the order until it is found, or reported unknown often and long enough.
    async fn look(&self, span: Span, named: &Subject) -> Result<Option<<O::Query as Operation>::Response>, Error> {
        let core = self.core;
        let mut unknown = 0;
        // When the query first reported the order unknown, of the reports in a row.
        let mut since = Duration::ZERO;
        for attempt in 1.. {
            let left = core.left(span).ok_or_else(|| Error::late(TimeLimit::Deadline(span.deadline)))?;
            let error = match self.ask(left, named).await {
                Ok(order) => return Ok(Some(order)),
                Err(error) => error,
            };
            if core.resolution.says_unknown(&error) {
                if unknown == 0 {
                    since = core.clock.now();
                }
                unknown += 1;
                if core.resolution.is_enough(unknown, core.clock.now().saturating_sub(since)) {
                    return Ok(None);
                }
            } else if !may_pass(error.kind(), error.http_status(), error.connect_failure()) {
                return Err(error);
            } else {
                unknown = 0;
            }
            let wait = core.retry.wait(attempt, core.random()).max(core.resolution.pause());
            if core.left(span).is_none_or(|left| wait >= left) {
                return Err(error);
            }
            core.clock.sleep(wait).await;
        }
        Err(Error::late(TimeLimit::Deadline(span.deadline)))
    }
}

/// The state that a status code of this operation means.
fn state<O: Operation>(core: &Core, code: Option<&str>) -> OrderState {
    core.order_states_of(O::INFO.path).state(code)
}

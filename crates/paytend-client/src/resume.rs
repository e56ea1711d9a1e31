//! Resumes an order after a restart. Queries the order first. If the order must be sent again, sends the same bytes as
//! before.

use std::time::{Duration, SystemTime};

use paytend_model::Operation;

use crate::call::Call;
use crate::call::prepared::PreparedRequest;
use crate::call::request::Request;
use crate::call::response::{self, Response};
use crate::call::shared::{Deadline, Options};
use crate::call::stored::member;
use crate::call_target::CallTarget;
use crate::client::Client;
use crate::error::Error;
use crate::error::kind::{ErrorKind, Outcome};
use crate::error::time_limit::TimeLimit;
use crate::policy::history::{History, SendResult};
use crate::policy::next_step::NextStep;
use crate::policy::order_states::OrderState;
use crate::policy::resolution::Resolution;
use crate::resolve::{QueryResponse, Resolvable, Resolved, state};

/// An order found by a query.
#[derive(Debug)]
#[non_exhaustive]
pub struct FoundOrder<O: Resolvable> {
    /// The query's response.
    pub response: QueryResponse<O>,
    /// The order's state.
    pub state: OrderState,
}

/// The result of [`Client::resume`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumed<O: Resolvable> {
    /// The history, including the sends and queries made by this call. Store it if the result is an error.
    pub history: History,
    /// The order or the error. The error's outcome has the same meaning as in [`Client::resolve`].
    pub result: Result<Resolved<O>, Error>,
}

/// The start time of a call, on the wall clock and on the monotonic clock. Later wall-clock times are derived from the
/// monotonic clock.
struct Started {
    wall: SystemTime,
    deadline: Deadline,
}

impl Client {
    /// Resumes an order after a restart. Queries the order first if it may have been sent. Sends the prepared bytes
    /// only if [`Resolution::next_step`] allows it.
    ///
    /// `before_send` is called with the new history before each send, and must store the history durably. If it returns
    /// an error, nothing is sent.
    ///
    /// ```no_run
    /// # use paytend_client::{Client, History, PreparedRequest};
    /// # use paytend_model::issuing::Topup;
    /// # async fn store(_: History) -> std::io::Result<()> { Ok(()) }
    /// # async fn example(client: &Client, stored: &[u8], history: History) -> Result<(), Box<dyn std::error::Error>> {
    /// let prepared = PreparedRequest::<Topup>::from_bytes(stored)?;
    /// let resumed = client.resume(&prepared, history, store).await;
    /// match resumed.result {
    ///     Ok(resolved) => println!("the order exists, with state {}", resolved.state()),
    ///     Err(error) => println!("{error}; keep the history: {:?}", resumed.history),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resume<O, F, T, E>(
        &self,
        prepared: &PreparedRequest<O>,
        mut history: History,
        mut before_send: F,
    ) -> Resumed<O>
    where
        O: Resolvable,
        F: FnMut(History) -> T,
        T: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let deadline = self.shared.start_deadline(&Options::default());
        let started = Started { wall: SystemTime::now(), deadline };
        let mut last: Option<Error> = None;
        if history.sends > 0 && self.resolution().next_step(&history) == NextStep::Send {
            // Earlier confirmations do not count, because the order may have been executed since the last query.
            history.query_failed();
        }
        let result = loop {
            match self.resolution().next_step(&history) {
                NextStep::Send => {
                    let mut next = history;
                    next.begin_send(self.wall_clock(&started));
                    if let Err(error) = before_send(next).await {
                        let error = Error::request(error).during(&CallTarget::from(&O::INFO), prepared.request_id());
                        break Err(if history.sends > 0 { error.with_outcome(Outcome::Unknown) } else { error });
                    }
                    history = next;
                    match self.send_prepared(prepared, self.left(&started)).await {
                        Ok(response) => {
                            let response = response.into_data();
                            let state = self.state_of_response::<O>(&response);
                            break Ok(Resolved::Responded { response, state });
                        }
                        Err(error) => {
                            history.send_failed(&error);
                            if error.outcome() == Outcome::NotSent {
                                break Err(doubted(error, &history));
                            }
                            last = Some(error);
                        }
                    }
                }
                NextStep::Query => match self.find_order(prepared, self.left(&started)).await {
                    Ok(Some(found)) => {
                        if history.last_send == SendResult::Rejected {
                            self.discard_connections();
                        }
                        break Ok(Resolved::Found { order: found.response.into_data(), state: found.state });
                    }
                    Ok(None) => self.resolution().confirm(&mut history, self.wall_clock(&started)),
                    Err(error) => {
                        history.query_failed();
                        if !error.is_retryable() {
                            let first = last.take();
                            break Err(match first {
                                Some(first) => first.with_outcome(Outcome::Unknown).caused_by(error),
                                None => error.with_outcome(Outcome::Unknown),
                            });
                        }
                    }
                },
                NextStep::Rejected => {
                    let rejected = || Error::new(ErrorKind::Rejected).caused_by("the order does not exist");
                    break Err(last.take().unwrap_or_else(rejected).with_outcome(Outcome::Rejected));
                }
                NextStep::Unresolved => {
                    let unresolved = || Error::late(TimeLimit::Deadline(deadline.limit));
                    break Err(last.take().unwrap_or_else(unresolved).with_outcome(Outcome::Unknown));
                }
            }
            if history.queries == 0 || self.resolution().next_step(&history) != NextStep::Query {
                continue;
            }
            let wait = self.query_wait(&history);
            if self.shared.left(deadline).is_none_or(|left| wait >= left) {
                let late = || Error::late(TimeLimit::Deadline(deadline.limit));
                break Err(last.take().unwrap_or_else(late).with_outcome(Outcome::Unknown));
            }
            self.shared.clock.sleep(wait).await;
        };
        Resumed { history, result: result.map_err(|error| about::<O>(error, prepared)) }
    }

    /// Sends a prepared request within `deadline`, and returns the verified response. Attempts that sent nothing are
    /// retried.
    ///
    /// The client does not remember what it sent. Count the send in a stored [`History`] before you call this method,
    /// and pass an error to [`History::send_failed`].
    ///
    /// # Errors
    /// Returns the same errors as [`send`](Self::send). The outcome applies only to this send; an earlier send of the
    /// request may have been executed.
    pub async fn send_prepared<O: Operation>(
        &self,
        prepared: &PreparedRequest<O>,
        deadline: Duration,
    ) -> Result<Response<O::Response>, Error> {
        let target = CallTarget::from(&O::INFO);
        self.check_partner(prepared)?;
        let options = Options {
            deadline: Some(deadline),
            trace_parent: prepared.trace_parent.clone(),
            request_id: Some(prepared.request_id.clone()),
            ..Options::default()
        };
        let call = Call {
            shared: &self.shared,
            target: &target,
            options: &options,
            request_id: prepared.request_id.clone(),
            document: prepared.document.clone(),
            payload: None,
            subject: self.shared.subject(&target, prepared.payload()),
            doubtful: false,
        };
        call.run(self.shared.start_deadline(&options), response::data).await
    }

    /// Queries a prepared request's order once, on a new connection. Returns `None` if a signed response reports that
    /// the order does not exist ([`Resolution::unknown_order_codes`]).
    ///
    /// # Errors
    /// Returns an [`Error`] if the query fails. The order may exist.
    pub async fn find_order<O: Resolvable>(
        &self,
        prepared: &PreparedRequest<O>,
        deadline: Duration,
    ) -> Result<Option<FoundOrder<O>>, Error> {
        let target = CallTarget::from(&O::INFO);
        self.check_partner(prepared)?;
        let order: O = serde_json::from_str(prepared.payload()).map_err(|_| {
            Error::request("the payload of the stored order cannot be parsed").during(&target, prepared.request_id())
        })?;
        // Validation is skipped, because the order was validated before it was sealed.
        let mut request = Request::new(&self.shared, &order).danger_skip_validation();
        request.options.extra.clone_from(&prepared.extra);
        request.options.trace_parent.clone_from(&prepared.trace_parent);
        let named = request.named_by_query(&self.shared.subject(&target, prepared.payload()));
        match request.ask(deadline, &named).await {
            Ok(response) => {
                let state = state::<O>(&self.shared, O::status_of_query(response.data()));
                Ok(Some(FoundOrder { response, state }))
            }
            Err(error) if self.resolution().is_unknown_order(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stops using the existing connections. Requests in progress may finish on them.
    ///
    /// Call this method if an order exists although its send was rejected. In that case, the rejection belongs to a
    /// different request, and later responses on the connection may also belong to earlier requests.
    /// [`resume`](Self::resume) and [`resolve`](Self::resolve) call it themselves.
    pub fn discard_connections(&self) {
        self.shared.transport.discard_connections();
    }

    /// Returns the settings for resolving orders.
    pub fn resolution(&self) -> &Resolution {
        &self.shared.resolution
    }

    /// Returns the state of an order whose response arrived.
    pub fn state_of_response<O: Resolvable>(&self, response: &O::Response) -> OrderState {
        state::<O>(&self.shared, O::status_of_response(response))
    }

    /// Returns the state of an order found by a query.
    pub fn state_of_query<O: Resolvable>(&self, response: &<O::Query as Operation>::Response) -> OrderState {
        state::<O>(&self.shared, O::status_of_query(response))
    }

    /// Returns how long to wait before the next query for an order with this history.
    pub fn query_wait(&self, history: &History) -> Duration {
        self.shared.retry.wait(history.queries, self.shared.random()).max(self.resolution().query_pause())
    }

    /// Refuses a request that was sealed for a different partner, because its identifiers belong to that partner.
    fn check_partner<O: Operation>(&self, prepared: &PreparedRequest<O>) -> Result<(), Error> {
        if member(prepared.document(), "partnerId").is_some_and(|partner| partner == self.shared.partner_id) {
            return Ok(());
        }
        let error = Error::request("the stored request was sealed for a different partner ID");
        Err(error.during(&CallTarget::from(&O::INFO), prepared.request_id()))
    }

    fn left(&self, started: &Started) -> Duration {
        self.shared.left(started.deadline).unwrap_or_default()
    }

    fn wall_clock(&self, started: &Started) -> SystemTime {
        let elapsed = self.shared.elapsed(started.deadline);
        started.wall.checked_add(elapsed).unwrap_or(started.wall)
    }
}

/// Returns the error for an attempt that sent nothing. The outcome is unknown if an earlier send may have been
/// executed.
fn doubted(error: Error, history: &History) -> Error {
    if history.sends > 0 { error.with_outcome(Outcome::Unknown) } else { error }
}

/// Adds the operation to an error that has no request ID.
fn about<O: Operation>(error: Error, prepared: &PreparedRequest<O>) -> Error {
    if error.request_id().is_some() { error } else { error.during(&CallTarget::from(&O::INFO), prepared.request_id()) }
}

//! Finding out what became of an order whose answer was lost, before anything is sent again.

use paytend_model::issuing::{
    ApplyCard, CardApplyResponse, QueryApplyResult, QueryTopupResult, Topup, TopupResultResponse,
};
use paytend_model::{Operation, OrderNo};

use crate::Client;
use crate::answer::Answer;
use crate::engine::{Options, Span};
use crate::error::{Error, ErrorKind, Outcome};
use crate::request::{Request, job, read};
use crate::retry::may_pass;
use crate::target::Target;

/// A mutation with an order number, and the query that tells what became of the order.
pub trait Resolvable: Operation {
    /// The query.
    type Query: Operation;

    /// The query for the same order.
    fn query(&self) -> Self::Query;

    /// Whether a query's answer is about this order. Answers name no request, so the order number in it is what ties the two.
    fn is_answered_by(&self, answer: &<Self::Query as Operation>::Response) -> bool;
}

impl Resolvable for Topup {
    type Query = QueryTopupResult;

    fn query(&self) -> QueryTopupResult {
        QueryTopupResult::new(self.order_no.clone())
    }

    fn is_answered_by(&self, answer: &TopupResultResponse) -> bool {
        same(&self.order_no, answer.order_no.as_ref())
    }
}

impl Resolvable for ApplyCard {
    type Query = QueryApplyResult;

    fn query(&self) -> QueryApplyResult {
        let mut query = QueryApplyResult::new(self.order_no.clone());
        query.holder_id.clone_from(&self.holder_id);
        query
    }

    fn is_answered_by(&self, answer: &CardApplyResponse) -> bool {
        same(&self.order_no, answer.order_no.as_ref())
    }
}

/// The field's name in an answer is inferred: an answer without it says nothing against the order.
fn same(order_no: &OrderNo, answered: Option<&OrderNo>) -> bool {
    answered.is_none_or(|answered| answered == order_no)
}

/// What became of an order.
#[derive(Debug)]
pub enum Resolved<O: Resolvable> {
    /// It was sent, and the answer is this.
    Answered(O::Response),
    /// The answer was lost, and the query found the order. **It stands; whether it succeeded is in the answer's status.**
    Found(<O::Query as Operation>::Response),
}

impl Client {
    /// Carries out an order, and finds out what became of it if the answer is lost: by querying for the same order number, and by sending
    /// the very same request again only once the query has said, as often as [`Resolution::looks`] asks, that there is no such order.
    ///
    /// Everything is within one deadline, which ought to be longer than an ordinary call's.
    ///
    /// ```no_run
    /// # use paytend_client::{Client, Outcome, Resolved};
    /// # async fn example(client: &Client, topup: &paytend_model::issuing::Topup) {
    /// match client.resolved(topup).await {
    ///     Ok(Resolved::Answered(taken)) => println!("taken: {taken:?}"),
    ///     Ok(Resolved::Found(order)) => println!("the answer was lost; the order stands: {:?}", order.status),
    ///     Err(error) if error.outcome() == Outcome::Unknown => println!("keep the order number and ask later: {error}"),
    ///     Err(error) => println!("no topup: {error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// With the outcome [`Unknown`](Outcome::Unknown) if time ran out, or no code says that there is no such order.
    pub async fn resolved<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        let target = Target::from(&O::INFO);
        let options = Options::default();
        let core = &*self.core;
        let span = core.span(&options);
        let (request_id, payload) = Request::new(core, order).payload(&target)?;
        let sealed = job(core, &target, &options, request_id, payload)?;
        let (request_id, document) = (sealed.request_id.clone(), sealed.document.clone());
        let mut doubtful: Option<Error> = None;
        loop {
            let again = crate::engine::Job {
                core,
                target: &target,
                options: &options,
                request_id: request_id.clone(),
                document: document.clone(),
                payload: None,
            };
            let error = match again.run(span).await.and_then(|success| read::<O::Response>(success, &target)) {
                Ok(answer) => return Ok(Resolved::Answered(answer.into_data())),
                Err(error) => error,
            };
            // A first request that is refused, or was not sent, leaves nothing to find.
            let refused = error.outcome() == Outcome::Rejected;
            if doubtful.is_none() && error.outcome() != Outcome::Unknown {
                return Err(error);
            }
            match self.look(order, span).await {
                Ok(Some(found)) => return Ok(Resolved::Found(found)),
                // Refused the second time: perhaps because the first is still on its way, perhaps for good.
                Ok(None) if refused => return Err(error.with_outcome(Outcome::Unknown)),
                Ok(None) => doubtful = Some(doubtful.take().unwrap_or(error)),
                Err(problem) => {
                    let error = doubtful.take().unwrap_or(error);
                    return Err(error.with_outcome(Outcome::Unknown).caused_by(problem));
                }
            }
            if core.elapsed(span) >= span.deadline {
                return Err(doubtful.unwrap_or_else(|| Error::new(ErrorKind::Timeout)).with_outcome(Outcome::Unknown));
            }
        }
    }

    /// Asks for an order until it is found, or is said to be unknown as often as it must be.
    async fn look<O: Resolvable>(
        &self,
        order: &O,
        span: Span,
    ) -> Result<Option<<O::Query as Operation>::Response>, Error> {
        let (core, query) = (&*self.core, order.query());
        let (mut unknown, mut attempt) = (0, 0);
        loop {
            attempt += 1;
            let left = span.deadline.saturating_sub(core.elapsed(span));
            let error = match Request::new(core, &query).deadline(left).send().await.map(Answer::into_data) {
                Ok(answer) if order.is_answered_by(&answer) => return Ok(Some(answer)),
                Ok(_) => return Err(Error::new(ErrorKind::Data).caused_by("the query's answer is about another order")),
                Err(error) => error,
            };
            if core.resolution.says_unknown(&error) {
                unknown += 1;
                if unknown >= core.resolution.needed_looks() {
                    return Ok(None);
                }
            } else if !may_pass(error.kind(), error.http_status()) {
                return Err(error);
            } else {
                unknown = 0;
            }
            let wait = core.retry.wait(attempt, core.random());
            if core.elapsed(span).saturating_add(wait) >= span.deadline {
                return Err(error);
            }
            core.clock.sleep(wait).await;
        }
    }
}

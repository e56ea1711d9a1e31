//! Finding out what became of an order whose answer was lost, before anything is sent again.

use std::time::Duration;

use paytend_model::issuing::{
    ApplyCard, CardApplyResponse, QueryApplyResult, QueryTopupResult, Topup, TopupResultResponse,
};
use paytend_model::{Operation, OrderNo};

use crate::Client;
use crate::answer::{self, Answer};
use crate::engine::Span;
use crate::error::{Error, ErrorKind, Outcome};
use crate::job::Job;
use crate::request::{Request, job};
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

/// An answer that does not name the order may be anything's. (The field's name in it is inferred, by the pattern of the requests.)
fn same(order_no: &OrderNo, answered: Option<&OrderNo>) -> bool {
    answered == Some(order_no)
}

/// What became of an order.
#[derive(Debug)]
pub enum Resolved<O: Resolvable> {
    /// It was sent, and the answer is this.
    Answered(O::Response),
    /// The answer was lost, or a refusal, and the query found the order. **It stands; whether it succeeded is in the answer's status**, and
    /// whether it is the very order that was meant, in its other fields.
    Found(<O::Query as Operation>::Response),
}

impl Client {
    /// Carries out an order, and finds out what became of it if the answer is lost: by querying for the same order number, and by sending
    /// the very same request again only once the query has said, as often and as long as [`Resolution`](crate::Resolution) asks, that there is no such order.
    ///
    /// A refusal is looked up as well, once: "duplicate" means that an order of this number stands, perhaps from before this program was
    /// started again.
    ///
    /// Everything is within one deadline, which ought to be longer than an ordinary call's: [`Request::resolved`] takes one.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use paytend_client::{Client, Outcome, Resolved};
    /// # async fn example(client: &Client, topup: &paytend_model::issuing::Topup) {
    /// match client.request(topup).deadline(Duration::from_secs(120)).resolved().await {
    ///     Ok(Resolved::Answered(taken)) => println!("taken: {taken:?}"),
    ///     Ok(Resolved::Found(order)) => println!("an order of this number stands: {:?} {:?}", order.amount, order.status),
    ///     Err(error) if error.outcome() == Outcome::Unknown => println!("keep the order number and ask later: {error}"),
    ///     Err(error) => println!("refused, with code {:?}, or not sent: {error}", error.api_code()),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// With the outcome [`Unknown`](Outcome::Unknown) if the request may have arrived and the order was neither found nor, by a configured
    /// code, said to be unknown; [`Rejected`](Outcome::Rejected) if the request was refused and the query said, signed, nothing of an order.
    pub async fn resolved<O: Resolvable>(&self, order: &O) -> Result<Resolved<O>, Error> {
        self.request(order).resolved().await
    }
}

impl<O: Resolvable> Request<'_, O> {
    /// As [`Client::resolved`], with these options.
    ///
    /// # Errors
    /// As [`Client::resolved`].
    pub async fn resolved(self) -> Result<Resolved<O>, Error> {
        let target = Target::from(&O::INFO);
        let (core, options) = (self.core, &self.options);
        let span = core.span(options);
        let (request_id, payload) = self.payload(&target)?;
        let first = job(core, &target, options, request_id, payload)?;
        let (request_id, document) = (first.request_id.clone(), first.document.clone());
        // What was wrong with the first request that may have arrived.
        let mut doubt: Option<Error> = None;
        for send in 1.. {
            let again = Job {
                core,
                target: &target,
                options,
                request_id: request_id.clone(),
                document: document.clone(),
                payload: None,
                doubtful: doubt.is_some(),
            };
            let error = match again.run(span, answer::data).await {
                Ok(answer) => return Ok(Resolved::Answered(answer.into_data())),
                Err(error) => error,
            };
            // Nothing has arrived, so there is nothing to find.
            if error.outcome() == Outcome::NotSent {
                return Err(error);
            }
            let looked = self.look(span, error.outcome() == Outcome::Rejected).await;
            // A signed word, be it a refusal or a success that cannot be read, is not asked for again.
            let signed = matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Data);
            let error = match doubt.take() {
                Some(first) if !signed => first,
                _ => error,
            };
            match looked {
                Ok(Some(found)) => return Ok(Resolved::Found(found)),
                Ok(None) if signed || send >= core.resolution.max_sends() || core.left(span).is_none() => {
                    return Err(error);
                }
                Ok(None) => doubt = Some(error),
                // A signed answer that names no order and has no code that is configured: the refusal is all there is to go by.
                Err(problem) if error.outcome() == Outcome::Rejected && problem.is_authenticated() => {
                    return Err(error);
                }
                Err(problem) => return Err(error.with_outcome(Outcome::Unknown).caused_by(problem)),
            }
        }
        Err(Error::new(ErrorKind::Timeout))
    }

    /// Asks for the order until it is found, or is said to be unknown often and long enough; or just once.
    async fn look(&self, span: Span, once: bool) -> Result<Option<<O::Query as Operation>::Response>, Error> {
        let (core, query) = (self.core, self.operation.query());
        let (mut unknown, mut waited) = (0, Duration::ZERO);
        for attempt in 1.. {
            let left = core.left(span).ok_or_else(|| Error::new(ErrorKind::Timeout))?;
            let error = match self.sibling(&query).deadline(left).send().await.map(Answer::into_data) {
                Ok(answer) if self.operation.is_answered_by(&answer) => return Ok(Some(answer)),
                Ok(_) => {
                    return Err(Error::new(ErrorKind::Data).caused_by("the query's answer does not name this order"));
                }
                Err(error) => error,
            };
            if core.resolution.says_unknown(&error) {
                unknown += 1;
                if once || core.resolution.is_enough(unknown, waited) {
                    return Ok(None);
                }
            } else if !may_pass(error.kind(), error.http_status()) {
                return Err(error);
            } else {
                (unknown, waited) = (0, Duration::ZERO);
            }
            let wait = core.retry.wait(attempt, core.random()).max(core.resolution.pause());
            if core.left(span).is_none_or(|left| wait >= left) {
                return Err(error);
            }
            core.clock.sleep(wait).await;
            waited += wait;
        }
        Err(Error::new(ErrorKind::Timeout))
    }
}

//! The routes of `paytend listen`, which verify, store and print notifications, and explain refusals.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use futures_util::TryStreamExt as _;
use http::HeaderMap;
use paytend_inbox::{Accepted, Inbox, Route, Storable, Store};
use paytend_webhook::explain::{KnownKeys, explain};
use paytend_webhook::server::Endpoint;
use paytend_webhook::service::Peer;
use paytend_webhook::{Reason, Receiver, Rejection, Reply, Verified};
use tokio::sync::Semaphore;

use super::line::{Line, Printer, What};

/// The state that the routes share.
#[derive(Clone)]
pub(super) struct Shared<S> {
    pub(super) inbox: Inbox<S>,
    pub(super) printer: Printer,
    /// The kinds of notifications to print. If it is empty, all kinds are printed.
    pub(super) only: Arc<Vec<String>>,
    pub(super) explainer: Explainer,
}

/// The maximum number of refused messages that are kept in memory until they are explained.
const MAX_UNEXPLAINED: u32 = 16;
/// How long the command waits for an unfinished explanation when it stops.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the command waits for the last lines when it stops. It is a little longer than [`EXPLAIN_TIMEOUT`], so that
/// an unfinished refusal can still be printed.
const FINISH_TIMEOUT: Duration = Duration::from_secs(3);

/// Explains why messages were refused. It explains one message at a time, because an explanation can keep a processor
/// busy for a second.
#[derive(Clone)]
pub(super) struct Explainer {
    waiting: Arc<Semaphore>,
    explaining: Arc<Semaphore>,
}

impl Explainer {
    pub(super) fn new() -> Self {
        let waiting = Semaphore::new(usize::try_from(MAX_UNEXPLAINED).unwrap_or(1));
        Self { waiting: Arc::new(waiting), explaining: Arc::new(Semaphore::new(1)) }
    }

    /// Waits until all refusals and the lines before them are printed, but at most [`FINISH_TIMEOUT`], because the
    /// output may be blocked.
    pub(super) async fn finish(&self, printer: &Printer) {
        let printed = async {
            let _ = self.waiting.acquire_many(MAX_UNEXPLAINED).await;
            printer.flush().await;
        };
        let _ = tokio::time::timeout(FINISH_TIMEOUT, printed).await;
    }
}

/// Adds the route of a receiver.
pub(super) fn add<S: Store, R: Receiver<Notification: Storable>>(
    router: Router,
    path: &str,
    route: Route,
    receiver: R,
    keys: KnownKeys,
    shared: &Shared<S>,
) -> Router {
    let (endpoint, shared) = (Endpoint::new(receiver), shared.clone());
    router.route(
        path,
        any(move |request: Request| {
            let (endpoint, shared, keys) = (endpoint.clone(), shared.clone(), keys.clone());
            async move { respond(request, &endpoint, route, shared, keys).await }
        }),
    )
}

async fn respond<S: Store, R: Receiver<Notification: Storable>>(
    request: Request,
    endpoint: &Endpoint<R>,
    route: Route,
    shared: Shared<S>,
    keys: KnownKeys,
) -> Response {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    // The body is copied, because explaining a refusal needs the whole message. The endpoint limits its size.
    let copy = Arc::new(Mutex::new(Vec::new()));
    let copied = copy.clone();
    let body = body.into_data_stream().inspect_ok(move |bytes| {
        copied.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    });
    let response = match endpoint.receive(&parts.method, &parts.headers, peer, body).await {
        Ok(verified) => endpoint.handle(verified, move |verified| shared.accept(route, verified)).await.to_http(),
        Err(rejection) => {
            let body = std::mem::take(&mut *copy.lock().unwrap_or_else(PoisonError::into_inner));
            let response = rejection.to_http();
            shared.refused(route, &rejection, response.status().as_u16(), (parts.headers, body, keys)).await;
            response
        }
    };
    response.map(Body::from)
}

impl<S: Store> Shared<S> {
    pub(super) fn shows(&self, kind: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == kind)
    }

    /// Stores a notification and prints its line.
    async fn accept<N: Storable>(self, route: Route, verified: Verified<N>) -> Reply {
        let kind = verified.notification().kind(route).as_str().to_owned();
        let mut line = Line::new(What::Received, route).with_amount(verified.content());
        if let Some(business) = verified.business_key() {
            (line.id, line.state) = (Some(business.id.clone()), business.state.clone());
        }
        let reply = match self.inbox.accept(&verified).await {
            Ok(Accepted::New(_)) => Reply::Accepted,
            Ok(Accepted::Duplicate { .. }) => Reply::Duplicate,
            Err(error) => {
                line.reason = Some(format!("not stored: {error}"));
                Reply::TryAgainLater
            }
        };
        line.duplicate = reply == Reply::Duplicate;
        line.status = Some(route.provider().respond(reply).to_http().status().as_u16());
        if self.shows(&kind) {
            line.kind = Some(kind);
            self.printer.print(line).await;
        }
        reply
    }

    /// Prints why a notification was refused, with the findings of `explain`. The response to the sender does not wait
    /// for the findings and does not contain them.
    async fn refused(
        &self,
        route: Route,
        rejection: &Rejection,
        status: u16,
        message: (HeaderMap, Vec<u8>, KnownKeys),
    ) {
        let mut line = Line::new(What::Refused, route);
        (line.status, line.reason) = (Some(status), Some(rejection.reason().to_string()));
        let printer = self.printer.clone();
        let unauthentic = matches!(rejection.reason(), Reason::Refused(_) | Reason::Unsigned);
        let Some(slot) = self.explainer.waiting.clone().try_acquire_owned().ok().filter(|_| unauthentic) else {
            return printer.print(line).await;
        };
        let explaining = self.explainer.explaining.clone();
        tokio::spawn(async move {
            let _slot = slot;
            // If the command stops before this message can be explained, the line is printed without findings.
            let turn = tokio::select! {
                biased;
                () = printer.stopped() => return printer.print(line).await,
                turn = explaining.acquire_owned() => turn,
            };
            let explained = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let (headers, body, keys) = message;
                // If the explanation panics, the line is printed without findings.
                let findings = catch_unwind(AssertUnwindSafe(|| -> Vec<String> {
                    let explanation = explain(route.provider(), &headers, &body, &keys);
                    explanation.findings().iter().map(ToString::to_string).collect()
                }));
                findings.unwrap_or_default()
            });
            tokio::select! {
                findings = explained => line.findings = findings.unwrap_or_default(),
                () = printer.stopped_for(EXPLAIN_TIMEOUT) => {}
            }
            printer.print(line).await;
        });
    }
}

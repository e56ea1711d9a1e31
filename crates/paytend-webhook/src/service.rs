//! A service for [`tower`](https://docs.rs/tower) and [`hyper`](https://docs.rs/hyper) that verifies requests, passes
//! the notifications to a handler and returns the acknowledgements.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyDataStream, Full};
use tower_service::Service;

use crate::provider::Reply;
use crate::receiver::Receiver;
use crate::server::Endpoint;
use crate::verified::Verified;

/// The peer address of the connection, as a request extension. A server that sets this extension makes the address
/// available to a [`Notifications`] service. With the `axum` feature, axum's `ConnectInfo<SocketAddr>` is read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// A service that receives notifications and passes them to a handler. The handler is a service that takes a
/// [`Verified`] notification and returns a [`Reply`]; [`handler`] creates such a service from a function. A handler
/// error is returned as this service's error. The server then closes the connection, and the provider retries.
///
/// The handler [runs to completion](crate::server#handlers) in its own task, even if the sender disconnects and the
/// server drops this service's future. If the handler panics, the response asks the provider to retry later.
///
/// With the `tower` feature, this type is a tower service. With the `hyper` feature, it is also a hyper service.
#[derive(Clone, Debug)]
pub struct Notifications<R, H> {
    endpoint: Endpoint<R>,
    handler: H,
    peer: Option<IpAddr>,
}

impl<R, H> Notifications<R, H> {
    /// Creates a service for an endpoint.
    pub fn new(endpoint: Endpoint<R>, handler: H) -> Self {
        Self { endpoint, handler, peer: None }
    }

    /// Sets the peer address, for a service that serves a single connection.
    #[must_use]
    pub fn from_peer(mut self, address: IpAddr) -> Self {
        self.peer = Some(address);
        self
    }
}

type ResponseFuture<E> = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, E>> + Send>>;

impl<R, H> Notifications<R, H>
where
    R: Receiver,
    H: Service<Verified<R::Notification>, Response = Reply, Error: Send + 'static, Future: Send>
        + Clone
        + Send
        + 'static,
{
    fn process<B>(&self, request: Request<B>) -> ResponseFuture<H::Error>
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        let Self { endpoint, handler, peer } = self.clone();
        let (parts, body) = request.into_parts();
        let peer = peer.or_else(|| peer_of(&parts.extensions));
        Box::pin(async move {
            let received = endpoint.receive(&parts.method, &parts.headers, peer, pieces(body)).await;
            let response = match received {
                Ok(verified) => {
                    let provider = verified.provider();
                    let reply = endpoint.run(verified, async move |verified| handle(handler, verified).await).await;
                    reply
                        .transpose()?
                        .map_or_else(|| provider.try_again_later(), |reply| provider.respond(reply).to_http())
                }
                Err(rejection) => rejection.to_http(),
            };
            Ok(response.map(Full::new))
        })
    }
}

async fn handle<N, H: Service<Verified<N>>>(mut handler: H, verified: Verified<N>) -> Result<H::Response, H::Error> {
    let handled = async {
        std::future::poll_fn(|context| handler.poll_ready(context)).await?;
        handler.call(verified).await
    };
    // The error is logged here, because the server does not receive it if the sender has disconnected.
    handled
        .await
        .inspect_err(|_| tracing::error!("the handler returned an error, so the notification is not acknowledged"))
}

/// Converts a body into a stream of its data frames.
pub(crate) fn pieces<B: Body<Data: Buf>>(body: B) -> impl Stream<Item = Result<Bytes, B::Error>> {
    Pieces(BodyDataStream::new(Box::pin(body)))
}

struct Pieces<B>(BodyDataStream<Pin<Box<B>>>);

impl<B: Body<Data: Buf>> Stream for Pieces<B> {
    type Item = Result<Bytes, B::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = std::task::ready!(Pin::new(&mut self.0).poll_next(context));
        Poll::Ready(piece.map(|piece| piece.map(|mut data| data.copy_to_bytes(data.remaining()))))
    }
}

/// Returns the peer address of the connection, if the server has set it.
pub(crate) fn peer_of(extensions: &http::Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<Peer>().map(|peer| peer.0);
    #[cfg(feature = "axum")]
    let peer =
        peer.or_else(|| extensions.get::<::axum::extract::ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip()));
    peer
}

impl<R, H, B> Service<Request<B>> for Notifications<R, H>
where
    R: Receiver,
    H: Service<Verified<R::Notification>, Response = Reply, Error: Send + 'static, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = H::Error;
    type Future = ResponseFuture<H::Error>;

    /// Always returns ready. The handler's readiness is polled when a notification arrives.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), H::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.process(request)
    }
}

#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
impl<R, H, B> hyper::service::Service<Request<B>> for Notifications<R, H>
where
    R: Receiver,
    H: Service<Verified<R::Notification>, Response = Reply, Error: Send + 'static, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = H::Error;
    type Future = ResponseFuture<H::Error>;

    fn call(&self, request: Request<B>) -> Self::Future {
        self.process(request)
    }
}

/// A layer that wraps a handler in [`Notifications`].
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
#[derive(Clone, Debug)]
pub struct NotificationsLayer<R>(Endpoint<R>);

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
impl<R> NotificationsLayer<R> {
    /// Creates a layer with this endpoint.
    pub fn new(endpoint: Endpoint<R>) -> Self {
        Self(endpoint)
    }
}

#[cfg(feature = "tower")]
impl<R: Clone, H> tower_layer::Layer<H> for NotificationsLayer<R> {
    type Service = Notifications<R, H>;

    fn layer(&self, handler: H) -> Self::Service {
        Notifications::new(self.0.clone(), handler)
    }
}

/// Creates a handler from a function. The function returns a [`Reply`], never an error.
pub fn handler<F>(function: F) -> HandlerFn<F> {
    HandlerFn(function)
}

/// The handler returned by [`handler`].
#[derive(Clone, Copy, Debug)]
pub struct HandlerFn<F>(F);

impl<F, N, T> Service<Verified<N>> for HandlerFn<F>
where
    F: FnMut(Verified<N>) -> T,
    T: Future<Output = Reply> + Send + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, verified: Verified<N>) -> Self::Future {
        let reply = (self.0)(verified);
        Box::pin(async move { Ok(reply.await) })
    }
}

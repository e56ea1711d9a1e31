//! A service for [`tower`](https://docs.rs/tower) and [`hyper`](https://docs.rs/hyper): requests in, acknowledgements
//! out, with a handler in between that sees verified notifications and nothing else.

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

/// The other end of the connection, as an extension of a request, for a [`Notifications`] service whose server puts it
/// there. With the feature `axum`, axum's `ConnectInfo<SocketAddr>` is read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Receives notifications and passes them to a handler: a service of [`Verified`] notifications that returns a
/// [`Reply`], such as one made by [`handler`]. An error of the handler is an error of this service; the server then
/// closes the connection, and the provider tries again.
///
/// The handler [runs to its end](crate::server#handlers) in a task of its own, even if the sender disconnects and the
/// server drops the future of this service. If it panics, the response asks the provider to try again later.
///
/// With the feature `tower` it is a `tower` service, with `hyper` a service of hyper's too.
#[derive(Clone, Debug)]
pub struct Notifications<R, H> {
    endpoint: Endpoint<R>,
    handler: H,
    peer: Option<IpAddr>,
}

impl<R, H> Notifications<R, H> {
    /// A service at this endpoint.
    pub fn new(endpoint: Endpoint<R>, handler: H) -> Self {
        Self { endpoint, handler, peer: None }
    }

    /// The same for one connection, whose other end is known.
    #[must_use]
    pub fn from_peer(mut self, address: IpAddr) -> Self {
        self.peer = Some(address);
        self
    }
}

type Answering<E> = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, E>> + Send>>;

impl<R, H> Notifications<R, H>
where
    R: Receiver,
    H: Service<Verified<R::Notification>, Response = Reply, Error: Send + 'static, Future: Send>
        + Clone
        + Send
        + 'static,
{
    fn answer<B>(&self, request: Request<B>) -> Answering<H::Error>
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
                    reply.transpose()?.map_or_else(|| provider.try_again_later(), |reply| provider.answer(reply))
                }
                Err(rejection) => rejection.response(),
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
    // The server learns of the error only while the sender is connected.
    handled
        .await
        .inspect_err(|_| tracing::error!("the handler returned an error: the notification is not acknowledged"))
}

/// A body as the pieces that it comes in.
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

/// The other end of the connection, if the server has said.
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
    type Future = Answering<H::Error>;

    /// Always ready: whether the handler is shows when there is a notification for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), H::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.answer(request)
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
    type Future = Answering<H::Error>;

    fn call(&self, request: Request<B>) -> Self::Future {
        self.answer(request)
    }
}

/// A layer that puts [`Notifications`] around a handler.
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
#[derive(Clone, Debug)]
pub struct NotificationsLayer<R>(Endpoint<R>);

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
impl<R> NotificationsLayer<R> {
    /// A layer with this endpoint.
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

/// A handler made of a function that cannot fail but by a [`Reply`].
pub fn handler<F>(function: F) -> HandlerFn<F> {
    HandlerFn(function)
}

/// See [`handler`].
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

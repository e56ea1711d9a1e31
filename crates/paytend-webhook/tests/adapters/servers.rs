//! Test servers for each adapter, on a free loopback port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use paytend_webhook::server::Endpoint;
use paytend_webhook::service::{Notifications, NotificationsLayer, Peer, handler};
use paytend_webhook::{Receiver, Reply, Verified};
use tokio::net::TcpListener;
use tower_layer::Layer;

/// The future that a handler returns.
pub(crate) type ReplyFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A handler that works with every adapter.
pub(crate) type Handler<N> = Arc<dyn Fn(Verified<N>) -> ReplyFuture + Send + Sync>;

/// An adapter, used as a route or service, or as an extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    AxumRoute,
    AxumExtractor,
    TowerLayer,
    Hyper,
    ActixResource,
    ActixExtractor,
    PoemEndpoint,
    PoemExtractor,
}

impl Server {
    /// Serves an endpoint until the test ends; its handler always returns the given reply.
    pub(crate) async fn start<R: Receiver>(self, endpoint: Endpoint<R>, reply: Reply) -> SocketAddr {
        self.serve(endpoint, Arc::new(move |_| Box::pin(std::future::ready(reply)))).await
    }

    /// Serves an endpoint with this handler until the test ends.
    pub(crate) async fn serve<R: Receiver>(
        self,
        endpoint: Endpoint<R>,
        respond: Handler<R::Notification>,
    ) -> SocketAddr {
        let respond = move |verified| respond(verified);
        match self {
            Self::AxumRoute => {
                axum(::axum::Router::new().route("/", paytend_webhook::axum::route(endpoint, respond))).await
            }
            Self::AxumExtractor => {
                use paytend_webhook::axum::NotificationRequest;
                let extract = move |request: NotificationRequest<R>| request.handle(respond.clone());
                axum(::axum::Router::new().route("/", ::axum::routing::any(extract)).with_state(endpoint)).await
            }
            Self::TowerLayer => {
                let service = NotificationsLayer::new(endpoint).layer(handler(respond));
                hyper(move |peer| {
                    // This server passes the peer address to the service as an extension.
                    let mut service = service.clone();
                    TowerToHyperService::new(tower_fn(move |mut request: http::Request<hyper::body::Incoming>| {
                        request.extensions_mut().insert(Peer(peer.ip()));
                        tower_service::Service::call(&mut service, request)
                    }))
                })
                .await
            }
            Self::Hyper => {
                let service = Notifications::new(endpoint, handler(respond));
                hyper(move |peer| service.clone().from_peer(peer.ip())).await
            }
            Self::ActixResource => actix(move || {
                let resource = paytend_webhook::actix_web::resource("/", endpoint.clone(), respond.clone());
                ::actix_web::App::new().service(resource)
            }),
            Self::ActixExtractor => {
                use paytend_webhook::actix_web::NotificationRequest;
                actix(move || {
                    let respond = respond.clone();
                    let extract = move |request: NotificationRequest<R>| request.handle(respond.clone());
                    let data = ::actix_web::web::Data::new(endpoint.clone());
                    ::actix_web::App::new().app_data(data).route("/", ::actix_web::web::to(extract))
                })
            }
            Self::PoemEndpoint => poem(paytend_webhook::poem::endpoint(endpoint, respond)).await,
            Self::PoemExtractor => {
                use ::poem::{EndpointExt, FromRequest, IntoResponse};
                let extract = ::poem::endpoint::make(move |request: ::poem::Request| {
                    let respond = respond.clone();
                    async move {
                        let (request, mut body) = request.split();
                        type NotificationRequest<R> = paytend_webhook::poem::NotificationRequest<R>;
                        let request =
                            <NotificationRequest<R> as FromRequest<'_>>::from_request(&request, &mut body).await?;
                        Ok::<_, ::poem::Error>(request.handle(respond).await.into_response())
                    }
                });
                poem(extract.data(endpoint)).await
            }
        }
    }
}

async fn axum(router: ::axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { ::axum::serve(listener, service).await });
    address
}

async fn hyper<S, B>(service: impl Fn(SocketAddr) -> S + Send + Sync + 'static) -> SocketAddr
where
    S: hyper::service::Service<
            http::Request<hyper::body::Incoming>,
            Response = http::Response<B>,
            Error = Infallible,
            Future: Send,
        > + Send
        + 'static,
    B: http_body::Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let service = service(peer);
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    address
}

/// Creates a `tower` service from a function that takes a request.
fn tower_fn<F>(function: F) -> TowerFn<F> {
    TowerFn(function)
}

#[derive(Clone)]
struct TowerFn<F>(F);

impl<F, Q, T, P> tower_service::Service<Q> for TowerFn<F>
where
    F: FnMut(Q) -> T,
    T: Future<Output = Result<P, Infallible>>,
{
    type Response = P;
    type Error = Infallible;
    type Future = T;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> T {
        (self.0)(request)
    }
}

fn actix<F, T>(app: F) -> SocketAddr
where
    F: Fn() -> ::actix_web::App<T> + Clone + Send + 'static,
    T: ::actix_web::dev::ServiceFactory<
            ::actix_web::dev::ServiceRequest,
            Config = (),
            Response = ::actix_web::dev::ServiceResponse,
            Error = ::actix_web::Error,
            InitError = (),
        > + 'static,
{
    let server = ::actix_web::HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind_auto_h2c(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

async fn poem<E>(endpoint: E) -> SocketAddr
where
    E: ::poem::Endpoint<Output = ::poem::Response> + 'static,
{
    use ::poem::listener::{Acceptor, Listener, TcpListener};
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    let app = ::poem::Route::new().at("/", endpoint);
    tokio::spawn(::poem::Server::new_with_acceptor(acceptor).run(app));
    address
}

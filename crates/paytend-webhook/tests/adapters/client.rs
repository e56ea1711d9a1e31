//! A test client that sends notifications, and the type of the responses it receives.

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const ACCEPTED: &str = r#"{"msg":"success","status":"00"}"#;
pub(crate) const REFUSED: &str = r#"{"msg":"refused","status":"01"}"#;
pub(crate) const LATER: &str = r#"{"msg":"try again later","status":"01"}"#;

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Response {
    #[track_caller]
    pub(crate) fn expect(&self, status: u16, body: &str, what: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body), "{what}");
        assert_eq!(self.headers["content-type"], "application/json", "{what}");
    }
}

pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::with(address, reqwest::Client::builder())
    }

    pub(crate) fn with(address: SocketAddr, builder: reqwest::ClientBuilder) -> Self {
        let http = builder.no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { http, url: format!("http://{address}/") }
    }

    pub(crate) fn post(&self) -> reqwest::RequestBuilder {
        self.http.post(&self.url).header("content-type", "application/json")
    }

    pub(crate) async fn send(&self, body: impl Into<reqwest::Body>) -> Response {
        respond(self.post().body(body)).await
    }
}

pub(crate) async fn respond(request: reqwest::RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    Response {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

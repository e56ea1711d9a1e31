//! Requests to the control interface of a sandbox.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use url::Url;

use crate::exit::{Category, Failure, with_causes};
use crate::urls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for each read of a response. It can be short, because a sandbox writes to an idle stream every 15 s.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The time limit for the response to a change. It is long, because the sandbox may first post notifications and wait
/// for their receivers.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(600);

/// A request to the control interface.
pub(crate) struct ControlRequest {
    request: RequestBuilder,
    endpoint: Endpoint,
}

/// A successful response from the control interface.
pub(crate) struct ControlResponse {
    response: Response,
    endpoint: Endpoint,
}

/// The endpoint of a request, for error messages.
struct Endpoint {
    url: String,
    /// Whether the request can change the sandbox.
    is_change: bool,
}

impl ControlRequest {
    /// Creates a request. The token, if any, is the `control_token` of the sandbox.
    pub(crate) fn new(method: Method, url: &str, token: Option<String>) -> Result<Self, Failure> {
        let limit = if method == Method::GET { READ_TIMEOUT } else { CHANGE_TIMEOUT };
        Self::with_limit(method, url, token, limit)
    }

    fn with_limit(method: Method, url: &str, token: Option<String>, limit: Duration) -> Result<Self, Failure> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| {
            Failure::usage("the control URL is not an http URL: pass the `control_url` that the sandbox printed")
        })?;
        let endpoint = Endpoint { url: urls::shown(&url), is_change: method != Method::GET };
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).read_timeout(limit).build();
        let http = http.map_err(|error| Failure::new(Category::Unexpected, error))?;
        let request = http.request(method, url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        Ok(Self { request, endpoint })
    }

    /// Sends the request.
    pub(crate) async fn send(self, body: Option<String>) -> Result<ControlResponse, Failure> {
        let request = match body {
            Some(body) => self.request.body(body),
            None => self.request,
        };
        let response = request.send().await.map_err(|error| self.endpoint.failure(error))?;
        if response.status().is_success() {
            return Ok(ControlResponse { response, endpoint: self.endpoint });
        }
        let status = response.status().as_u16();
        // If the body is lost, the status is still reported.
        let text = response.text().await.unwrap_or_default();
        refuse_api(&text)?;
        let content: Value = serde_json::from_str(&text).unwrap_or_default();
        Err(match content["error"].as_str() {
            Some(error) => Failure::new(Category::Rejected, error),
            None => Failure::new(Category::Rejected, format!("the sandbox rejected the request with status {status}")),
        })
    }
}

impl ControlResponse {
    /// Returns the next part of a stream, or `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, reqwest::Error> {
        self.response.chunk().await
    }

    /// Reads the whole response.
    pub(crate) async fn text(self) -> Result<String, Failure> {
        let text = self.response.text().await.map_err(|error| self.endpoint.failure(error))?;
        refuse_api(&text)?;
        Ok(text)
    }
}

/// Refuses a response from the sandbox's API. The user has then passed the base URL instead of the control URL.
fn refuse_api(text: &str) -> Result<(), Failure> {
    let is_api = text.len() < 64 << 10
        && serde_json::from_str::<Value>(text).is_ok_and(|content| content.get("respCode").is_some());
    if is_api { Err(Failure::usage("--url is the API's base_url; pass the control_url instead")) } else { Ok(()) }
}

impl Endpoint {
    /// Converts an error to a failure. If the response to a change was lost, the outcome is unknown, because the
    /// sandbox may have made the change.
    fn failure(&self, error: reqwest::Error) -> Failure {
        if error.is_builder() {
            return Failure::usage(
                "PAYTEND_CONTROL_TOKEN is not a valid token: it contains a line break or other characters",
            );
        }
        let is_connect = error.is_connect();
        let (url, cause) = (&self.url, with_causes(&error.without_url()));
        if is_connect {
            let next = "start it with `paytend sandbox --keys DIR`, or check the URL";
            return Failure::new(Category::Network, format!("cannot connect to the sandbox at {url}: {cause}; {next}"));
        }
        let (category, next) = match self.is_change {
            true => (
                Category::OutcomeUnknown,
                "the change may have been made: check with `paytend control state` before you repeat the command",
            ),
            false => (Category::Network, "restart the sandbox if it does not respond"),
        };
        Failure::new(category, format!("no response from the sandbox at {url}: {cause}; {next}"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Starts a server that reads a request and writes `response`. Then it closes the connection, or holds it open if
    /// `holds` is true.
    async fn server(response: &'static str, holds: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/_sandbox/seed", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(response.as_bytes()).await;
                if holds {
                    held.push(stream);
                }
            }
        });
        url
    }

    #[tokio::test]
    async fn lost_response_to_a_change_has_an_unknown_outcome() {
        let partial = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":";
        for (response, holds) in [("", false), ("", true), (partial, false), (partial, true)] {
            let url = server(response, holds).await;
            for (method, category) in [
                (Method::POST, Category::OutcomeUnknown),
                (Method::DELETE, Category::OutcomeUnknown),
                (Method::GET, Category::Network),
            ] {
                // If the server holds the connection open, the request fails when its time limit expires.
                let limit = if holds { Duration::from_millis(50) } else { READ_TIMEOUT };
                let request = ControlRequest::with_limit(method.clone(), &url, None, limit).unwrap();
                let failure = match request.send(Some("{}".to_owned())).await {
                    Ok(response) => response.text().await.unwrap_err(),
                    Err(failure) => failure,
                };
                assert_eq!(failure.category(), category, "{method} {response:?} {holds}: {failure}");
                let next = if method == Method::GET { "restart" } else { "paytend control state" };
                assert!(failure.message().contains(next), "{failure}");
            }
        }
    }

    #[tokio::test]
    async fn known_outcomes_are_reported() {
        for (response, category, part) in [
            ("HTTP/1.1 400 Bad\r\nContent-Length: 16\r\n\r\n{\"error\":\"wrong\"", Category::Rejected, "status 400"),
            ("HTTP/1.1 400 Bad\r\nContent-Length: 17\r\n\r\n{\"error\":\"wrong\"}", Category::Rejected, "wrong"),
            // The body is incomplete.
            ("HTTP/1.1 404 No\r\nContent-Length: 99\r\n\r\n{", Category::Rejected, "status 404"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"respCode\":\"S1\"}", Category::Usage, "control_url"),
        ] {
            let url = server(response, false).await;
            let request = ControlRequest::new(Method::POST, &url, Some("token".to_owned())).unwrap();
            let failure = match request.send(None).await {
                Ok(response) => response.text().await.unwrap_err(),
                Err(failure) => failure,
            };
            assert_eq!(failure.category(), category, "{response}: {failure}");
            assert!(failure.message().contains(part), "{failure}");
        }
        let unreachable = ControlRequest::new(Method::POST, "http://user:CANARY@127.0.0.1:1/?CANARY", None).unwrap();
        let failure = unreachable.send(None).await.err().unwrap();
        assert_eq!(failure.category(), Category::Network, "{failure}");
        assert!(
            !failure.message().contains("CANARY") && failure.message().contains("paytend sandbox --keys"),
            "{failure}"
        );
        let token = ControlRequest::new(Method::POST, "http://127.0.0.1:1/", Some("CANARY\r".to_owned())).unwrap();
        let failure = token.send(None).await.err().unwrap();
        assert_eq!(failure.category(), Category::Usage, "{failure}");
        assert!(!failure.message().contains("CANARY"), "{failure}");
        for url in ["/faults", "", "ftp://127.0.0.1/"] {
            let refused = ControlRequest::new(Method::GET, url, None).err().unwrap();
            assert_eq!(refused.category(), Category::Usage, "{url}");
        }
    }
}

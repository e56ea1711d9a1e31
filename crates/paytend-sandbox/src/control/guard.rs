//! Access control for the control interface. On the loopback interface, all local clients have access, except web pages
//! with a different origin. On other addresses, a token is required.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use super::response::Bad;

pub(super) struct Guard {
    token: Option<String>,
    address: SocketAddr,
}

impl Guard {
    pub(super) fn new(token: Option<String>, address: SocketAddr) -> Self {
        Self { token, address }
    }

    fn allows(&self, headers: &HeaderMap, query: &str) -> Result<(), Bad> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let host = text(header::HOST);
        // Check the `Host` and `Origin` headers. A web page from a different origin can send requests to this server,
        // for example by DNS rebinding, but it cannot forge these headers.
        let named = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let own =
            named == "localhost" || named.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.address.ip().is_loopback() && !own {
            return Err(Bad(
                StatusCode::FORBIDDEN,
                "the control interface accepts only requests to a loopback host name; use 127.0.0.1 or localhost"
                    .into(),
            ));
        }
        let origin = text(header::ORIGIN);
        if !origin.is_empty() && origin != format!("http://{host}") {
            return Err(Bad(StatusCode::FORBIDDEN, "requests from web pages with another origin are refused".into()));
        }
        let Some(token) = &self.token else { return Ok(()) };
        let given = text(header::AUTHORIZATION).strip_prefix("Bearer ");
        let given = given.or_else(|| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
        if given.is_some_and(|given| same(given.as_bytes(), token.as_bytes())) {
            return Ok(());
        }
        Err(Bad(StatusCode::UNAUTHORIZED, "missing or wrong token; send it as `Authorization: Bearer TOKEN`".into()))
    }
}

/// Compares two strings in constant time. Returns whether they are equal.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

pub(super) async fn check(Shared(guard): Shared<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.allows(request.headers(), request.uri().query().unwrap_or_default()) {
        Ok(()) => next.run(request).await,
        Err(bad) => bad.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(guard: &Guard, headers: &[(&'static str, &str)], query: &str) -> u16 {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        guard.allows(&headers, query).map_or_else(|bad| bad.0.as_u16(), |()| 200)
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let guard = Guard::new(None, "127.0.0.1:8080".parse().unwrap());
        let host = ("host", "127.0.0.1:8080");
        for (headers, expected) in [
            (vec![host], 200),
            (vec![("host", "localhost:8080")], 200),
            (vec![("host", "[::1]:8080")], 200),
            (vec![host, ("origin", "http://127.0.0.1:8080")], 200),
            (vec![host, ("origin", "https://elsewhere.example")], 403),
            (vec![host, ("origin", "null")], 403),
            (vec![("host", "elsewhere.example:8080")], 403),
            (vec![], 403),
        ] {
            assert_eq!(asked(&guard, &headers, ""), expected, "{headers:?}");
        }
    }

    #[test]
    fn token_is_required_on_non_loopback_addresses() {
        let guard = Guard::new(Some("secret".into()), "0.0.0.0:8080".parse().unwrap());
        let host = ("host", "sandbox.example:8080");
        assert_eq!(asked(&guard, &[host], ""), 401);
        assert_eq!(asked(&guard, &[host, ("authorization", "Bearer secreT")], ""), 401);
        assert_eq!(asked(&guard, &[host, ("authorization", "Bearer secret")], ""), 200);
        assert_eq!(asked(&guard, &[host], "after=1&token=secret"), 200);
        assert_eq!(asked(&guard, &[host, ("origin", "http://other.example")], "token=secret"), 403);
    }
}

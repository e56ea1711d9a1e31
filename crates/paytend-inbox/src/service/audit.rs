//! `/audit`: a page with operator actions.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::audit::{AuditEntry, AuditQuery};
use crate::store::StoreAdmin;

/// The maximum number of events on the page.
const EVENTS: usize = 1_000;

/// Formats a time, for the page.
pub(super) type FormatTime = dyn Fn(SystemTime) -> String + Send + Sync;

/// Returns the route of the page.
///
/// The route refuses requests whose `Host` is not a name or an address of the loopback interface. Otherwise, a
/// malicious web page could read the operator actions by using a host name that resolves to the loopback interface.
pub(super) fn router<S: StoreAdmin>(store: S, format_time: Arc<FormatTime>) -> Router {
    Router::new().route("/audit", get(page::<S>)).with_state((store, format_time))
}

async fn page<S: StoreAdmin>(State((store, format_time)): State<(S, Arc<FormatTime>)>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_loopback) {
        return (StatusCode::FORBIDDEN, "the audit log is shown only on the loopback interface\n").into_response();
    }
    match store.audit(AuditQuery { limit: EVENTS, ..AuditQuery::default() }).await {
        Ok(entries) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
            ];
            (headers, html(&entries, &*format_time)).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Returns whether the value of a `Host` header names the loopback interface.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn html(entries: &[AuditEntry], format_time: &FormatTime) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Audit</title><h1>Audit</h1>\n<table>\n\
         <tr><th>Number<th>Time<th>Action<th>Notification<th>Operator<th>Detail\n",
    );
    for AuditEntry { number, at, event } in entries {
        let id = event.id.map(|id| id.to_string()).unwrap_or_default();
        let [action, operator, detail] =
            [&event.action, event.operator.as_str(), event.detail.as_deref().unwrap_or_default()].map(escape);
        let time = escape(&format_time(*at));
        // Writing to a string cannot fail.
        let _ = writeln!(page, "<tr><td>{number}<td>{time}<td>{action}<td>{id}<td>{operator}<td>{detail}");
    }
    page.push_str("</table>\n");
    if entries.len() == EVENTS {
        page.push_str("<p>Earlier events: <code>paytend inbox audit</code>\n");
    }
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts_are_recognized() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com:80", "127.0.0.1.example.com", "192.0.2.1:80", "[::2]:1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}

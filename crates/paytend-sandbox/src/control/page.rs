//! The web page. Its files are compiled into the program and load no resources from other hosts.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        const FILES: &[(&str, &str)] =
            &[$((concat!("/_sandbox/ui/", $name), include_str!(concat!("../ui/", $name)))),+];
    };
}

const PAGE: &str = include_str!("../ui/index.html");

files!(
    "api.js",
    "app.js",
    "balances.js",
    "catalogue.js",
    "deliveries.js",
    "detail.js",
    "dom.js",
    "faults.js",
    "keyboard.js",
    "log.js",
    "refresh.js",
    "stream.js",
    "style.css",
    "tabs.js",
    "text.js",
    "time.js",
    "triggers.js",
    "world.js",
);

/// The content security policy: no resources from other origins, no inline scripts or styles, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router {
    let page = Router::new().route("/_sandbox/ui", get(|| async { file("text/html; charset=utf-8", PAGE) }));
    FILES.iter().fold(page, |router, (path, text)| {
        let kind = if path.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        router.route(path, get(move || async move { file(kind, text) }))
    })
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

//! The routes that receive notifications.

use std::str::FromStr;

use axum::Router;
use futures_util::future::BoxFuture;
use paytend_inbox::{Inbox, Route, Storable, Store};
use paytend_model::Product;
use paytend_webhook::Receiver;
use paytend_webhook::server::Endpoint;
use serde_json::{Map, Value};

use crate::cmd::inbox::config::Gate;
use crate::cmd::inbox::key_directory::KeyDirectory;
use crate::exit::Failure;

/// A path and the provider that posts notifications to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteArg {
    path: String,
    route: Route,
    /// The merchant ID; set only for PayerMax.
    merchant: Option<String>,
}

impl RouteArg {
    fn new(path: &str, route: Route) -> Self {
        Self { path: path.to_owned(), route, merchant: None }
    }

    /// Creates a route from the parts of `PATH=PROVIDER`.
    pub(crate) fn from_parts(path: &str, provider: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
        if !path.starts_with('/') || !path.chars().all(plain) {
            return Err(format!("invalid path {path:?}; an example is /paytend/baas"));
        }
        if ["/healthz", "/readyz", "/metrics", "/audit"].contains(&path) {
            return Err(format!("the path {path} is used by the service itself"));
        }
        let (name, merchant) = match provider.strip_prefix("payermax:") {
            Some(merchant) if !merchant.is_empty() => ("payermax", Some(merchant.to_owned())),
            _ => (provider, None),
        };
        let invalid = |_| {
            format!("invalid provider {provider:?}; use paytend:baas, paytend:issuing, payby or payermax[:MERCHANT]")
        };
        Ok(Self { path: path.to_owned(), route: name.parse().map_err(invalid)?, merchant })
    }
}

impl FromStr for RouteArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, provider) = text.split_once('=').ok_or("expected PATH=PROVIDER, such as /payby=payby")?;
        Self::from_parts(path, provider)
    }
}

/// The routes of the service.
pub(crate) struct Endpoints {
    pub(crate) router: Router,
    /// The provider of each path, for the JSON line that is printed at startup.
    pub(crate) listed: Map<String, Value>,
    /// One function for each endpoint. It waits until the endpoint's running handlers have finished.
    idle: Vec<Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>>,
}

impl Endpoints {
    /// Creates the specified routes. If none are specified, creates the routes of all providers whose keys are in the
    /// directory.
    pub(crate) fn new<S: Store>(
        inbox: &Inbox<S>,
        keys: &KeyDirectory<'_>,
        gate: &Gate,
        routes: Vec<RouteArg>,
    ) -> Result<Self, Failure> {
        let mut endpoints = Self { router: Router::new(), listed: Map::new(), idle: Vec::new() };
        let routes = if routes.is_empty() { defaults(keys) } else { routes };
        for RouteArg { path, route, merchant } in routes {
            if endpoints.listed.contains_key(&path) {
                return Err(Failure::usage(format!("the path {path} is used twice")));
            }
            match route {
                Route::PaytendBaas => endpoints.add(inbox, gate, &path, keys.paytend(Product::Baas)?)?,
                Route::PaytendIssuing => endpoints.add(inbox, gate, &path, keys.paytend(Product::Issuing)?)?,
                Route::PayBy => endpoints.add(inbox, gate, &path, keys.payby()?)?,
                Route::PayerMax => endpoints.add(inbox, gate, &path, keys.payermax(merchant.as_deref())?)?,
                other => return Err(Failure::usage(format!("the route {other} is not supported"))),
            }
            let listed = match (route, merchant) {
                (Route::PayerMax, None) => {
                    tracing::warn!(
                        path,
                        "notifications for every merchant are accepted: use payermax:MERCHANT to accept only one"
                    );
                    route.as_str().to_owned()
                }
                (route, Some(merchant)) => format!("{route}:{merchant}"),
                (route, None) => route.as_str().to_owned(),
            };
            endpoints.listed.insert(path, Value::from(listed));
        }
        Ok(endpoints)
    }

    fn add<S, R>(&mut self, inbox: &Inbox<S>, gate: &Gate, path: &str, receiver: R) -> Result<(), Failure>
    where
        S: Store,
        R: Receiver<Notification: Storable>,
    {
        let endpoint = gate.apply(Endpoint::new(receiver))?;
        let waiting = endpoint.clone();
        self.idle.push(Box::new(move || {
            let waiting = waiting.clone();
            Box::pin(async move { waiting.idle().await })
        }));
        let route = paytend_inbox::service::route(endpoint, inbox);
        self.router = std::mem::take(&mut self.router).route(path, route);
        Ok(())
    }

    /// Waits for handlers that are still running after their senders have disconnected.
    pub(crate) async fn idle(&self) {
        for idle in &self.idle {
            idle().await;
        }
    }
}

fn defaults(keys: &KeyDirectory<'_>) -> Vec<RouteArg> {
    let mut routes = vec![
        RouteArg::new("/paytend/baas", Route::PaytendBaas),
        RouteArg::new("/paytend/issuing", Route::PaytendIssuing),
    ];
    if keys.has_payby() {
        routes.push(RouteArg::new("/payby", Route::PayBy));
    }
    if keys.has_payermax() {
        routes.push(RouteArg::new("/payermax", Route::PayerMax));
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_parsed() {
        let route: RouteArg = "/a/b=payermax:P0101".parse().unwrap();
        assert_eq!(route, RouteArg { path: "/a/b".into(), route: Route::PayerMax, merchant: Some("P0101".into()) });
        assert_eq!("/x=paytend:issuing".parse(), Ok(RouteArg::new("/x", Route::PaytendIssuing)));
        for (text, message) in [
            ("/x", "expected PATH=PROVIDER"),
            ("x=payby", "invalid path"),
            ("/{x}=payby", "invalid path"),
            ("/x=paytend", "invalid provider"),
            ("/x=payermax:", "invalid provider"),
            ("/x=payby:1", "invalid provider"),
            ("/healthz=payby", "is used by the service"),
        ] {
            let error = text.parse::<RouteArg>().unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}

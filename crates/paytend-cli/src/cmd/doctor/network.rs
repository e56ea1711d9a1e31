//! Checks the path to the API: DNS, proxy, TCP, TLS, and the server's clock.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use hyper_util::client::proxy::matcher::Matcher;
use jiff::Timestamp;
use paytend_client::{ClientBuilder, ConnectFailure, Environment};
use url::Url;

use super::report::{Report, argument};
use super::{certificates, hint};
use crate::exit::{Category, Failure};
use crate::profiles::variable;
use crate::settings::Settings;
use crate::urls;

const DNS: &str = "DNS";
const PROXY: &str = "proxy";
const CONNECTION: &str = "connection";
const CLOCK: &str = "clock";
const TIMEOUT: Duration = Duration::from_secs(30);
/// The clock difference that causes a warning. Smaller differences can result from the response time, or from the
/// `Date` header, which contains only whole seconds.
const CLOCK_WARNING: Duration = Duration::from_secs(10);
/// The clock difference that causes a failure. Certificates and the age of notifications are checked against the clock.
const CLOCK_FAILURE: Duration = Duration::from_secs(300);
/// The environment variables that name a proxy, in the order in which a client reads them.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The result of the request to the base URL.
pub(super) struct Reached {
    /// The difference between the server's clock and this machine's clock, or `None` if the response has no valid
    /// `Date` header.
    pub(super) skew: Option<Skew>,
}

/// A proxy, and the name of the setting that contains it.
pub(super) struct Proxy {
    /// The URL without credentials.
    pub(super) shown: String,
    from: &'static str,
}

/// Checks the base URL, and then the name lookup, the proxy and the connection. Returns `None` if there was no HTTP
/// response.
pub(super) async fn check(settings: &Settings, report: &mut Report) -> Option<Reached> {
    let Some(text) = settings.base_url() else {
        report.fail("base URL", "not set", hint::set(settings, "base_url", "URL"));
        return None;
    };
    let http = http(settings, &text).and_then(|http| Ok((http, Url::parse(&text).map_err(Failure::usage)?)));
    let (http, url) = match http {
        Ok(parts) => parts,
        Err(failure) => {
            report.fail("base URL", failure.message(), hint::show(settings));
            return None;
        }
    };
    report.ok("base URL", urls::shown(&url));
    let proxy = proxy(settings, &url);
    if proxy.is_none() && !dns(&url, report).await {
        return None;
    }
    let started = Instant::now();
    let sent = match http.build() {
        Ok(client) => client.get(url.clone()).send().await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(response) => {
            if let Some(Proxy { shown, from }) = &proxy {
                report.ok(PROXY, format!("{shown}, from {from}"));
            }
            answered(&url, response.status(), started.elapsed(), report);
            certificates::check(settings, &url, None, report).await;
            Some(Reached { skew: Skew::of(response.headers(), started.elapsed()) })
        }
        Err(error) => {
            let timed_out = error.is_timeout().then_some(ConnectFailure::Timeout);
            let failure = ConnectFailure::of(&error).or(timed_out);
            failed(settings, &url, proxy.as_ref(), failure, report).await;
            None
        }
    }
}

/// Returns an HTTP client builder with the connection's settings.
pub(super) fn http(settings: &Settings, url: &str) -> Result<reqwest::ClientBuilder, Failure> {
    let mut builder = ClientBuilder::without_keys(Environment::BaseUrl(url.to_owned()))
        .danger_any_permissions(settings.danger_any_permissions);
    if let Some(proxy) = settings.get("proxy") {
        builder = builder.proxy(proxy);
    }
    if let Some(path) = settings.file("root_certificates_file") {
        let failed = |error: std::io::Error| {
            let message = format!("root_certificates_file {}: {error}", path.display());
            Failure::new(Category::Configuration, message)
        };
        builder = builder.root_certificates(std::fs::read(&path).map_err(failed)?);
    }
    if let Some(path) = settings.file("client_certificate_file") {
        builder = builder.client_certificate_file(path);
    }
    Ok(builder.http_client_builder()?.timeout(TIMEOUT))
}

/// Returns the proxy that a client uses, without its credentials.
pub(super) fn proxy(settings: &Settings, url: &Url) -> Option<Proxy> {
    // Plain HTTP is allowed only for connections to this machine. These connections bypass the proxy.
    if url.scheme() == "http" {
        return None;
    }
    let given = settings.get("proxy").map(|text| (text.to_owned(), "the proxy setting"));
    // `NO_PROXY` applies only to a proxy from an environment variable, not to the `proxy` setting.
    let from_variable = || PROXY_VARIABLES.iter().find_map(|name| Some((variable(name)?, *name)));
    let (text, from) = given.or_else(|| from_variable().filter(|_| !is_in_no_proxy(url)))?;
    let text = if text.contains("://") { text } else { format!("http://{text}") };
    let shown = Url::parse(text.trim()).map_or_else(|_| "an invalid URL".to_owned(), |url| urls::shown(&url));
    Some(Proxy { shown, from })
}

/// Returns whether `NO_PROXY` contains the host of a URL. Uses the HTTP client's own rules, for example for subdomains.
fn is_in_no_proxy(url: &Url) -> bool {
    let Some(hosts) = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).ok() else { return false };
    // The matcher needs a proxy, but any name works because only the exceptions matter here.
    let matcher = Matcher::builder().all("http://proxy.invalid".to_owned()).no(hosts).build();
    url.as_str().parse().is_ok_and(|url| matcher.intercept(&url).is_none())
}

/// Looks up the addresses of the host, and returns whether the lookup succeeded.
async fn dns(url: &Url, report: &mut Report) -> bool {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let host = host.trim_matches(['[', ']']);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    match tokio::net::lookup_host((host, port)).await.map(|found| found.map(|at| at.ip().to_string())) {
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.collect();
            report.ok(DNS, format!("{host} is {}", addresses.join(", ")));
            true
        }
        Err(error) => {
            report.fail(DNS, format!("{host}: {error}"), format!("run `getent hosts {host}`, and check the base URL"));
            false
        }
    }
}

fn answered(url: &Url, status: http::StatusCode, time: Duration, report: &mut Report) {
    let message = format!("HTTP {} from {} after {} ms", status.as_u16(), urls::shown(url), time.as_millis());
    report.warn_if(status.is_server_error(), CONNECTION, message, "try again later, or ask Paytend");
}

/// Reports why the server sent no HTTP response.
async fn failed(
    settings: &Settings,
    url: &Url,
    proxy: Option<&Proxy>,
    failure: Option<ConnectFailure>,
    report: &mut Report,
) {
    let Some(failure) = failure else {
        report.fail(
            CONNECTION,
            "connected, but the server sent no HTTP response",
            format!("curl -v {}", curl_argument(url)),
        );
        return;
    };
    match (failure, proxy) {
        (ConnectFailure::Certificate(_), _) => certificates::check(settings, url, Some(failure), report).await,
        (ConnectFailure::TlsRefused, _) => {
            report.fail("certificate", failure, hint::set(settings, "client_certificate_file", "FILE"));
        }
        // With a `socks5:` proxy, the client itself looks up the host, so the lookup can fail although there is a
        // proxy.
        (ConnectFailure::UnknownHost | ConnectFailure::Dns, Some(Proxy { shown, .. }))
            if shown.starts_with("socks5:") =>
        {
            report.fail(DNS, failure, "use a socks5h:// proxy, which looks up the host itself");
        }
        (ConnectFailure::UnknownHost | ConnectFailure::Dns, None) => {
            report.fail(DNS, failure, "check the base URL and the name server");
        }
        (ConnectFailure::Tls, _) => report.fail("certificate", failure, certificates::openssl(url)),
        (_, Some(Proxy { shown, from })) => {
            report.fail(PROXY, format!("{shown}, from {from}: {failure}"), "correct the proxy, or set NO_PROXY");
        }
        (_, None) => {
            let message = format!("{}: {failure}", urls::shown(url));
            report.fail(CONNECTION, message, format!("curl -v {}", curl_argument(url)));
        }
    }
}

fn curl_argument(url: &Url) -> String {
    argument(std::path::Path::new(&urls::shown(url)))
}

/// The difference between two clocks.
#[derive(Clone, Copy)]
pub(super) struct Skew {
    /// Whether the server's clock is ahead.
    ahead: bool,
    by: Duration,
}

impl Skew {
    /// Compares a response's `Date` header with this machine's clock. Returns `None` if there is no valid header.
    /// `took` is the time from the request to the response.
    pub(super) fn of(headers: &HeaderMap, took: Duration) -> Option<Self> {
        let date = headers.get(http::header::DATE)?.to_str().ok()?;
        let date: Timestamp = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(date.as_second().try_into().ok()?);
        let now = SystemTime::now();
        // The server wrote the date at some time during the request, and rounded it down to a whole second.
        let earliest = now.checked_sub(took + Duration::from_secs(1))?;
        Some(match (date.duration_since(now), earliest.duration_since(date)) {
            (Ok(by), _) => Self { ahead: true, by },
            (_, Ok(by)) => Self { ahead: false, by },
            _ => Self { ahead: false, by: Duration::ZERO },
        })
    }

    pub(super) fn report(self, report: &mut Report) {
        let side = if self.ahead { "ahead of" } else { "behind" };
        let seconds = self.by.as_secs();
        let message = format!("the server's clock is {seconds} s {side} this machine's clock");
        let next = "run `timedatectl status`, and synchronize the clock";
        match self.by {
            by if by > CLOCK_FAILURE => report.fail(CLOCK, message, next),
            by if by > CLOCK_WARNING => report.warn(CLOCK, message, next),
            _ => report.ok(CLOCK, "agrees with the server's clock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_difference_allows_for_the_duration_of_the_request() {
        let skew = |seconds: i64, took: u64| {
            let date = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let headers = HeaderMap::from_iter([(http::header::DATE, date.parse().unwrap())]);
            let skew = Skew::of(&headers, Duration::from_secs(took)).unwrap();
            (skew.ahead, skew.by.as_secs())
        };
        assert_eq!(skew(0, 0).1, 0);
        assert_eq!(skew(-20, 30).1, 0);
        assert!(matches!(skew(100, 0), (true, 98..=100)));
        assert!(matches!(skew(-100, 0), (false, 98..=100)));
        assert!(Skew::of(&HeaderMap::new(), Duration::ZERO).is_none());
    }
}

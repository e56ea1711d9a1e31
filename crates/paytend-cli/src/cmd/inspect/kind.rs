//! Recognizes the kind of a message by its members.

use std::collections::BTreeMap;

use http::HeaderMap;
use paytend_crypto::Kind;
use paytend_webhook::Provider;
use paytend_webhook::explain::pasted_sign;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The members of an object. The values are kept exactly as they were written.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageKind {
    /// A message in Paytend's envelope.
    Envelope(Kind),
    /// A notification with its signature in a header.
    Detached(Provider),
}

impl MessageKind {
    /// Recognizes a message. Returns `None` for any other text.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        Self::of_members(&serde_json::from_slice(bytes).ok()?)
    }

    /// Recognizes a message by the members of its JSON object.
    pub(super) fn of_members(members: &Members<'_>) -> Option<Self> {
        let has = |name: &str| members.contains_key(name);
        let is_sealed = has("signature") || has("randomKey");
        if has("respCode") && (is_sealed || has("respMsg") || has("respData")) {
            return Some(Self::Envelope(Kind::Response));
        }
        if is_sealed && (has("content") || has("notifyType")) {
            return Some(Self::Envelope(Kind::Notification));
        }
        if is_sealed && (has("bizData") || has("requestId") || has("partnerId")) {
            return Some(Self::Envelope(Kind::Request));
        }
        if has("transferToBankOrder") || (has("notify_id") && has("notify_timestamp")) {
            return Some(Self::Detached(Provider::PayBy));
        }
        let is_payermax = has("merchantNo") && has("notifyType") && has("data");
        is_payermax.then_some(Self::Detached(Provider::PayerMax))
    }

    /// Returns the name that is shown in the output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Envelope(Kind::Request) => "Paytend request",
            Self::Envelope(Kind::Response) => "Paytend response",
            Self::Envelope(_) => "Paytend notification",
            Self::Detached(Provider::PayBy) => "PayBy notification",
            Self::Detached(_) => "PayerMax notification",
        }
    }
}

/// The data from the HTTP headers that precede a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// The URL's path, without the query.
    pub(super) path: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) sign: Option<String>,
}

impl Head {
    /// Reads a line of an HTTP message, such as `POST /path HTTP/1.1` or `sign: …`. The line can have a prefix, such as
    /// the `> ` that curl prints.
    pub(super) fn read_line(&mut self, line: &str) {
        let line = line.trim();
        let line = ["> ", "< ", "* "].iter().find_map(|marker| line.strip_prefix(marker)).unwrap_or(line).trim();
        let words: Vec<&str> = line.split(' ').take(64).collect();
        // The method can be anywhere in the line, because a captured packet can contain other bytes before it.
        for pair in words.windows(2) {
            let [method, url] = pair else { continue };
            let is_method = ["POST", "PUT", "GET"].iter().any(|known| method.ends_with(known));
            if is_method && (url.starts_with('/') || url.contains("://")) {
                *self = Self { path: Some(path(url)), ..Self::default() };
                return;
            }
        }
        if let Some(status) = words.windows(2).find_map(status) {
            *self = Self { path: self.path.take(), status: Some(status), sign: None };
            return;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.trim_matches(['"', '\'', ' ']).eq_ignore_ascii_case("sign")
        {
            self.sign = Some(value.trim().trim_matches(['"', '\'', ',']).to_owned());
        }
    }

    pub(super) fn set_url(&mut self, url: &str) {
        self.path = Some(path(url));
    }

    /// Returns the headers that a receiver needs to verify the message.
    pub(super) fn headers(&self) -> HeaderMap {
        let sign = self.sign.as_deref().and_then(|sign| pasted_sign(sign).ok());
        sign.map(|sign| HeaderMap::from_iter([(http::HeaderName::from_static("sign"), sign)])).unwrap_or_default()
    }
}

/// Returns the path of a URL or a request target, without its query.
fn path(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => url,
    };
    path.split(['?', '#', '"']).next().unwrap_or_default().to_owned()
}

fn status(pair: &[&str]) -> Option<u16> {
    let [version, code] = pair else { return None };
    let is_http = version.contains("HTTP/") || *version == "<<";
    is_http.then(|| code.parse().ok()).flatten().filter(|code| (100..600).contains(code))
}

/// Reads the signature, the URL and the status in a record of a log or a HAR file.
pub(super) fn read_head(members: &Members<'_>, head: &mut Head) {
    for (name, value) in members {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "sign" | "http_sign" | "header_sign" => {
                // Some programs record each header as a list of values.
                let first = || read::<Vec<String>>(value).and_then(|values| values.into_iter().next());
                head.sign = read::<String>(value).or_else(first).or(head.sign.take());
            }
            "url" | "uri" | "path" | "request_uri" | "request" => {
                let text = read::<String>(value).unwrap_or_default();
                if let Some(url) = text.split(' ').find(|word| word.contains('/')) {
                    head.set_url(url);
                }
            }
            "status" => head.status = read::<u16>(value).or(head.status),
            "headers" | "header" | "request_headers" => {
                if let Some(headers) = read::<Members<'_>>(value) {
                    let sign = headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("sign"));
                    read_head(&sign.collect(), head);
                }
                for header in read::<Vec<Header>>(value).unwrap_or_default() {
                    if header.name.eq_ignore_ascii_case("sign") {
                        head.sign = Some(header.value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A header in a HAR file.
#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// Reads a JSON value as a `T`. Returns `None` if the value has a different type.
pub(super) fn read<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_lines_from_several_programs_are_recognized() {
        let read = |lines: &[&str]| {
            let mut head = Head::default();
            lines.iter().for_each(|line| head.read_line(line));
            (head.path.unwrap_or_default(), head.status, head.sign.unwrap_or_default())
        };
        for (lines, path, status, sign) in [
            (&["> POST /payby?token=1 HTTP/1.1", "> Sign: AbC=", "> "][..], "/payby", None, "AbC="),
            (&["E..@.@....POST /payby HTTP/1.1", "sign: x"], "/payby", None, "x"),
            (&["127.0.0.1:5: POST https://a.example/x/y", "    sign: x", " << 200 OK 12b"], "/x/y", Some(200), ""),
            (&["< HTTP/2 401 "], "", Some(401), ""),
            (&["nothing: here", "signal: 1"], "", None, ""),
        ] {
            assert_eq!(read(lines), (path.to_owned(), status, sign.to_owned()), "{lines:?}");
        }
    }
}

//! Formats URLs for messages.

use url::Url;

/// Returns a URL without its credentials, query and fragment, which may contain secrets.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These calls fail only for a URL that cannot have credentials, such as `data:…`.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let text = url.to_string();
    if url.path() == "/" { text.trim_end_matches('/').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_urls_are_not_shown() {
        for (url, expected) in [
            ("http://user:CANARY@127.0.0.1:1/hook?token=CANARY#CANARY", "http://127.0.0.1:1/hook"),
            ("http://CANARY@a.example/", "http://a.example"),
            ("https://a.example/b/", "https://a.example/b/"),
            ("data:text/plain", "data:text/plain"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}

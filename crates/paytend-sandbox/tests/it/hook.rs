//! A test receiver that sends configured responses and keeps all received requests.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderMap;

/// The received requests: headers and body.
pub(crate) type Came = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Starts a server that sends the given responses in order, and then responds to every request with status 200 and the
/// body `after`. Returns the server's URL and the received requests.
pub(crate) async fn hook(answers: &[(u16, &'static str)], after: &'static str) -> (String, Came) {
    let came = Came::default();
    let (kept, answers) = (Arc::clone(&came), answers.to_vec());
    let app = axum::Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
        let answer = {
            let mut kept = kept.lock().unwrap();
            kept.push((headers, body));
            answers.get(kept.len() - 1).copied().unwrap_or((200, after))
        };
        async move { (http::StatusCode::from_u16(answer.0).unwrap(), answer.1) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, came)
}

pub(crate) const PAYTEND: &str = r#"{"msg":"ok","status":"00"}"#;
pub(crate) const PAYBY: &str = r#"{"response":"SUCCESS"}"#;
pub(crate) const PAYERMAX: &str = r#"{"msg":"Success","code":"SUCCESS"}"#;

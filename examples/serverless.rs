//! A serverless function (AWS Lambda) that receives PayBy notifications behind an HTTP gateway.
//!
//! An instance processes one request at a time, so a plain receiver without a server's limits is enough. The gateway
//! reads the body and supplies the source address.
//!
//! Outside Lambda, `cargo run -p paytend-examples --example serverless` processes two generated events.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response, service_fn};
use paytend_crypto::{OsRandom, PublicKey, rustcrypto};
use paytend_webhook::testing::DetachedSender;
use paytend_webhook::{Content, PayByReceiver, Receiver, Rejection, Reply, RequestFilter, Sources};

struct Function {
    receiver: PayByReceiver,
    filter: RequestFilter,
}

impl Function {
    fn new(payby: &PublicKey) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let receiver = PayByReceiver::new([rustcrypto::public(payby)?])?;
        // Allow only the source addresses that you received from PayBy.
        Ok(Self {
            receiver,
            filter: RequestFilter::new().sources(Sources::new().allow(["203.0.113.0/24"])?.only_listed()),
        })
    }

    fn handle(&self, request: &Request) -> Response<Body> {
        let response = match self.receive(request) {
            Ok(reply) => self.receiver.provider().respond(reply).to_http(),
            Err(rejection) => {
                // In production, write the rejection to a log. The message contains no secrets, but can contain the
                // source address.
                println!("rejected: {rejection}");
                rejection.to_http()
            }
        };
        response.map(|body| Body::Binary(body.into()))
    }

    fn receive(&self, request: &Request) -> Result<Reply, Rejection> {
        let peer = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_ref(),
            _ => None,
        };
        let peer = peer.and_then(|address| address.parse().ok());
        let (receiver, headers) = (&self.receiver, request.headers());
        self.filter.check(receiver.provider(), receiver.max_bytes(), request.method(), headers, peer)?;
        let verified = receiver.receive(headers, request.body(), SystemTime::now())?;
        // In production, store the deduplication key and the effect in one database transaction before acknowledging.
        // If the key is already known, store a `sighting` and query the state. `receive_notifications.rs` shows how.
        match verified.notification() {
            Content::Typed(typed) if typed.problems.is_empty() => println!("accepted: {}", verified.dedup_key()),
            Content::Typed(_) => println!("accepted for review: a field could not be read"),
            Content::Unreadable(_) => println!("accepted for review: the notification could not be read"),
            Content::Unknown(_) => println!("accepted for review: unknown notification type"),
        }
        Ok(Reply::Accepted)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        // PayBy's public key is not secret and is deployed with the function.
        let function = Function::new(&PublicKey::from_file("payby.pem")?)?;
        let function = &function;
        return lambda_http::run(service_fn(async |request: Request| {
            Ok::<_, std::convert::Infallible>(function.handle(&request))
        }))
        .await;
    }

    let payby = rustcrypto::generate(2048, &OsRandom)?;
    let function = Function::new(payby.public_key())?;
    let sent = DetachedSender::new(&payby)?.raw(r#"{"notify_id":"N1"}"#)?;
    for (source_ip, expected) in [("203.0.113.7", 200), ("198.51.100.1", 403)] {
        let sign = sent.headers()["sign"].to_str()?;
        let response = function.handle(&lambda_http::request::from_str(&event(source_ip, sign, sent.body()))?);
        println!("{source_ip}: {}", response.status());
        if response.status() != expected {
            return Err(format!("expected status {expected}").into());
        }
    }
    Ok(())
}

/// Returns an event in the format that an HTTP API sends to a function, with the body's bytes unchanged.
fn event(source_ip: &str, sign: &str, body: &[u8]) -> String {
    serde_json::json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/payby",
        "rawQueryString": "",
        "headers": { "content-type": "application/json", "sign": sign },
        "requestContext": {
            "http": {
                "method": "POST", "path": "/payby", "protocol": "HTTP/1.1", "sourceIp": source_ip, "userAgent": "payby",
            },
            "timeEpoch": 0,
        },
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    })
    .to_string()
}

//! A service that receives notifications, and the senders that post to it.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::MethodRouter;
use paytend_crypto::{Fields, Keyring, OsRandom, Outgoing, PrivateKey, rustcrypto};
use paytend_crypto_aws_lc::AwsLc;
use paytend_model::Product;
use paytend_webhook::PaytendReceiver;
use paytend_webhook::server::{Budget, Endpoint};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::PARTNER_ID;

/// The sender's and the receiver's keys.
#[derive(Clone)]
pub(super) struct Keys {
    sender: Keyring,
    receiver: Keyring,
}

impl Keys {
    /// Generates 1024-bit keys.
    pub(super) fn generate() -> Self {
        let [paytend, partner] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
        let ring = |own: &PrivateKey, peer: &PrivateKey| {
            Keyring::builder().backend(&AwsLc).own_key(own).peer_key(peer.public_key()).build().unwrap()
        };
        Self { sender: ring(&paytend, &partner), receiver: ring(&partner, &paytend) }
    }

    /// Creates the HTTP request for a deposit notification. Each `number` results in a different deposit.
    pub(super) fn request(&self, round: &str, number: usize) -> Vec<u8> {
        let (id, remark) = (format!("{round}-{number}"), "0".repeat(300));
        let content = format!(
            r#"{{"transactionId":"{id}","orderNo":"{id}","amount":25.00,"currency":"EUR","remark":"{remark}"}}"#
        );
        let fields = Fields::notification(PARTNER_ID, "2");
        let body = self.sender.seal(&Outgoing::new(&fields).payload(&content)).unwrap().into_document();
        format!("POST / HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    /// Serves a receiver on a free loopback port.
    pub(super) async fn serve(&self, route: impl FnOnce(Endpoint<PaytendReceiver>) -> MethodRouter) -> SocketAddr {
        let endpoint = Endpoint::new(PaytendReceiver::new(Product::Baas, PARTNER_ID, self.receiver.clone()))
            .listed_budget(Budget::new().max_concurrent(2).max_waiting(512));
        let app = Router::new().route("/", route(endpoint));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }
}

/// Sends a request, and returns the HTTP status of the response.
pub(super) async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> u16 {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the service closed the connection");
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or_default() {
                return head.split(' ').nth(1).unwrap().parse().unwrap();
            }
        }
    }
}

//! A TCP proxy that withholds the sandbox's responses, so that the demo can detect when a process is waiting for a
//! response.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::partner::unexpected;
use crate::exit::Failure;

/// The running proxy.
pub(super) struct HeldResponses {
    pub(super) url: String,
    /// Receives a message for each withheld response.
    pub(super) responded: mpsc::Receiver<()>,
}

impl HeldResponses {
    /// Starts the proxy in front of a URL such as `http://127.0.0.1:8080`.
    pub(super) async fn start(url: &str) -> Result<Self, Failure> {
        let upstream: SocketAddr = url.trim_start_matches("http://").parse().map_err(unexpected)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, responded) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(hold(connection, upstream, sender.clone()));
            }
        });
        Ok(Self { url, responded })
    }
}

/// Forwards the requests on a connection, and reports the first response without forwarding it.
async fn hold(connection: TcpStream, upstream: SocketAddr, responded: mpsc::Sender<()>) {
    let Ok(upstream) = TcpStream::connect(upstream).await else { return };
    let (mut requests, _responses) = connection.into_split();
    let (mut response, mut forward) = upstream.into_split();
    let forwarding = async { tokio::io::copy(&mut requests, &mut forward).await };
    let holding = async {
        if response.read_u8().await.is_ok() {
            let _ = responded.send(()).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // Forwarding ends when the process ends, because its connection is then closed.
        _ = forwarding => {}
        () = holding => {}
    }
}

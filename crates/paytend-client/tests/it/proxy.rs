//! A fault-injecting proxy in front of the sandbox.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::server::{Seen, read_request};

/// A fault that the proxy injects into a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Forwards the request and discards the response.
    LoseResponse,
    /// Discards the request.
    LoseRequest,
    /// Forwards the request late, after the given number of responses to later requests, and discards its response.
    Late(usize),
}

pub(crate) struct Proxy {
    pub(crate) url: String,
    faults: Arc<Mutex<HashMap<String, Vec<Fault>>>>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let faults: Arc<Mutex<HashMap<String, Vec<Fault>>>> = Arc::default();
        let paths: Arc<Mutex<Vec<String>>> = Arc::default();
        let address = target.trim_start_matches("http://").to_owned();
        let (answered, _) = watch::channel(0_usize);
        let (their_faults, their_paths) = (Arc::clone(&faults), Arc::clone(&paths));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (faults, paths, address) = (Arc::clone(&their_faults), Arc::clone(&their_paths), address.clone());
                let answered = answered.clone();
                tokio::spawn(async move {
                    serve(stream, &address, &faults, &paths, &answered).await;
                });
            }
        });
        Self { url, faults, paths }
    }

    /// Injects the faults into the next requests to a path, in order.
    pub(crate) fn fail(&self, path: &str, faults: &[Fault]) {
        self.faults.lock().unwrap().insert(path.to_owned(), faults.iter().rev().copied().collect());
    }

    /// Returns the last path segments of the requests, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    address: &str,
    faults: &Mutex<HashMap<String, Vec<Fault>>>,
    paths: &Mutex<Vec<String>>,
    answered: &watch::Sender<usize>,
) {
    let seen = read_request(&mut stream).await;
    let path = seen.head.split(' ').nth(1).unwrap().to_owned();
    paths.lock().unwrap().push(path.rsplit('/').next().unwrap().to_owned());
    let fault = faults.lock().unwrap().get_mut(&path).and_then(Vec::pop);
    match fault {
        Some(Fault::LoseRequest) => {}
        Some(Fault::LoseResponse) => drop(forward(address, &seen).await),
        Some(Fault::Late(count)) => {
            drop(stream);
            let already = *answered.borrow();
            answered.subscribe().wait_for(|now| *now >= already + count).await.unwrap();
            forward(address, &seen).await;
        }
        None => {
            let response = forward(address, &seen).await;
            answered.send_modify(|count| *count += 1);
            stream.write_all(&response).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    }
}

async fn forward(address: &str, seen: &Seen) -> Vec<u8> {
    let mut target = TcpStream::connect(address).await.unwrap();
    let head = seen.head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    target.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
    target.write_all(&seen.body).await.unwrap();
    let mut response = Vec::new();
    target.read_to_end(&mut response).await.unwrap();
    response
}
